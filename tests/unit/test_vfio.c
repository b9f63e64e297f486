/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that VFIO has pinned for a device: a page that were given back would still be the device's, and
 * the guest would get another one. Runs where a group is bound to a vfio driver.
 */
#include "tests/unit/reset_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COUNT 16u
#define LEN (COUNT * PAGE)
#define IOVA 0x10000000u

struct pinned {
	int container;
	int group;
	struct fm_block *block;
};

static bool join(struct pinned *p, const char *name)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[300];

	snprintf(path, sizeof(path), "/dev/vfio/%s", name);
	p->group = open(path, O_RDWR | O_CLOEXEC);
	if (p->group < 0)
		return false;
	if (!ioctl(p->group, VFIO_GROUP_GET_STATUS, &status) &&
	    status.flags & VFIO_GROUP_FLAGS_VIABLE &&
	    !ioctl(p->group, VFIO_GROUP_SET_CONTAINER, &p->container) &&
	    !ioctl(p->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return true;
	close(p->group);
	return false;
}

/* Skips the test where there is no group to join. */
static void open_container(struct pinned *p)
{
	const struct dirent *e = NULL;
	bool joined = false;
	DIR *dir;

	p->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (p->container < 0) {
		print_message("skipped: /dev/vfio/vfio cannot be opened: %s\n", strerror(errno));
		skip();
	}
	dir = opendir("/dev/vfio");
	while (dir && !joined && (e = readdir(dir)))
		joined = e->d_name[0] >= '0' && e->d_name[0] <= '9' && join(p, e->d_name);
	if (dir)
		closedir(dir);
	if (joined)
		return;
	close(p->container);
	print_message("skipped: /dev/vfio has no group that is whole and free\n");
	skip();
}

static void pin(struct pinned *p)
{
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map),
						.flags = VFIO_DMA_MAP_FLAG_READ |
							 VFIO_DMA_MAP_FLAG_WRITE,
						.vaddr = (uintptr_t)fm_block_ptr(p->block),
						.iova = IOVA,
						.size = LEN };

	if (ioctl(p->container, VFIO_IOMMU_MAP_DMA, &map))
		fail_msg("VFIO_IOMMU_MAP_DMA: %s", strerror(errno));
	fm_block_discard_inhibit(p->block);
}

/* The number of the page's frame: root sees it, others 0. */
static uint64_t frame_of(const void *at)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &entry, 8, (off_t)((uintptr_t)at / PAGE * 8)), 8);
	close(fd);
	return entry & ((UINT64_C(1) << 55) - 1);
}

static void pinned_pages_are_cleared_and_stay_the_devices(void **state)
{
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (unsigned i = 0; i < 2; i++) {
		struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap),
							    .iova = IOVA,
							    .size = LEN };
		struct fm_reset_report report = { .count = 0 };
		uint64_t frames[COUNT];
		struct fm_machine *m;
		struct pinned p;

		open_container(&p);
		m = machine_make();
		p.block = add_cfg(m, BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM,
					       .backing = kinds[i], .len = LEN));
		fill(p.block);
		pin(&p);
		for (unsigned n = 0; n < COUNT; n++)
			frames[n] = frame_of(bytes(p.block) + n * PAGE);
		assert_int_equal(
			do_reset(m, REQUEST(.kind = FM_RESET_SYSTEM, .memory_overwrite = true),
				 (struct fm_reset_options){ .struct_size =
								    sizeof(struct fm_reset_options),
							    .pages = FM_RESET_PAGES_RELEASE,
							    .verify = true },
				 &report),
			0);
		assert_int_equal(report.released, 0);
		assert_int_equal(report.written, LEN);
		assert_true(all_bytes(bytes(p.block), LEN, 0));
		for (unsigned n = 0; n < COUNT; n++)
			assert_int_equal(frames[n], frame_of(bytes(p.block) + n * PAGE));
		assert_int_equal(ioctl(p.container, VFIO_IOMMU_UNMAP_DMA, &unmap), 0);
		fm_block_discard_allow(p.block);
		fm_reset_report_clear(&report);
		fm_machine_free(m);
		close(p.group);
		close(p.container);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pinned_pages_are_cleared_and_stay_the_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
