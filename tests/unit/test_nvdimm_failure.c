/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes that fail and files that are cut short, from the host's file to what the guest sees. */
#include "tests/unit/persist_bench.h"

#include "devices/bytes.h"

#include <firmem/dsm.h>
#include <firmem/label.h>
#include <firmem/nvdimm.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LABELS 8192u
#define PMEM (LEN - LABELS)

struct guest {
	struct bench b;
	struct fm_dev *dev;
	struct fm_dsm *dsm;
	uint8_t page[FM_DSM_PAGE];
};

/* The host starts the machine: with the number of dirty shutdowns that it kept. */
static void power_on(struct guest *g, uint32_t dirty_shutdowns, bool dirty)
{
	struct fm_nvdimm_config cfg = { .struct_size = sizeof(cfg),
					.block = g->b.block,
					.label_len = LABELS,
					.dirty_shutdowns = dirty_shutdowns };
	struct fm_dsm_dimm dimm = { .handle = 1, .dirty = dirty };
	struct fm_dsm_config dsm = { .struct_size = sizeof(dsm), .dimms = &dimm, .count = 1 };

	assert_int_equal(fm_nvdimm_new(&g->dev, &cfg, NULL), 0);
	dimm.dev = g->dev;
	assert_int_equal(fm_dsm_new(&g->dsm, &dsm, NULL), 0);
}

static void power_off(struct guest *g)
{
	fm_dsm_free(g->dsm);
	fm_dev_free(g->dev);
}

static void open_guest(struct guest *g, uint32_t dirty_shutdowns)
{
	memset(g, 0, sizeof(*g));
	bench_open(&g->b);
	memset(g->b.ptr, 1, LEN);
	assert_int_equal(fm_persist_range(g->b.p, 0, LEN, NULL), 0);
	g->b.seam.calls = 0;
	power_on(g, dirty_shutdowns, false);
}

static void close_guest(struct guest *g)
{
	power_off(g);
	bench_close(&g->b);
}

static const uint8_t *call(struct guest *g, uint32_t function, uint32_t a, uint32_t b)
{
	memset(g->page, 0, sizeof(g->page));
	fmi_put_le32(g->page, 1);
	fmi_put_le32(g->page + 4, 1);
	fmi_put_le32(g->page + 8, function);
	fmi_put_le32(g->page + 12, a);
	fmi_put_le32(g->page + 16, b);
	memset(g->page + 20, 0x33, 64);
	fm_dsm_call(g->dsm, g->page);
	return g->page + 4;
}

static void assert_smart(struct guest *g, unsigned health, uint32_t count, bool dirty)
{
	const uint8_t *smart = call(g, 1, 0, 0);

	assert_int_equal(fmi_le32(smart), 0);
	assert_int_equal(smart[12], health);
	assert_int_equal(fmi_le32(smart + 20), count);
	assert_int_equal(smart[35], dirty);
}

/* --- errors ---------------------------------------------------------------------------------------- */

static void a_failed_flush_is_the_guests_then_smarts_then_the_next_starts(void **state)
{
	const struct fm_persist_span span = { .len = 1 };
	struct fm_nvdimm_health h;
	struct guest g;

	open_guest(&g, 4);
	assert_smart(&g, 0, 4, false);
	g.b.seam.fail[0] = -EIO;
	g.b.seam.fail[1] = -EIO;
	/* What a virtio-pmem request is answered with, twice: it sticks. */
	assert_int_equal(fm_nvdimm_flush(g.dev, &span, 1, NULL), FM_ERR_IO);
	assert_smart(&g, 2, 5, true);
	assert_int_equal(fm_nvdimm_flush(g.dev, NULL, 0, NULL), FM_ERR_IO);
	assert_smart(&g, 2, 5, true);
	/* All was written again: no error any more, but what was lost meanwhile nobody knows. */
	assert_int_equal(fm_nvdimm_flush(g.dev, &span, 1, NULL), 0);
	assert_smart(&g, 1, 5, true);
	fm_nvdimm_get_health(g.dev, &h);
	power_off(&g);
	power_on(&g, h.dirty_shutdowns, h.data_lost);
	assert_smart(&g, 0, 5, true);
	fm_nvdimm_get_health(g.dev, &h);
	assert_int_equal(h.dirty_shutdowns, 5);
	power_off(&g);
	power_on(&g, h.dirty_shutdowns, h.data_lost);
	assert_smart(&g, 0, 5, false);
	close_guest(&g);
}

static void a_label_write_that_was_not_durable_is_a_hardware_error(void **state)
{
	struct guest g;

	open_guest(&g, 0);
	g.b.seam.fail[0] = -ENOSPC;
	assert_int_equal(fmi_le32(call(&g, 6, 0, 16)), 4);
	assert_int_equal(fm_dev_error(g.dev, NULL), FM_ERR_NOSPACE);
	assert_smart(&g, 2, 1, true);
	assert_int_equal(fmi_le32(call(&g, 6, 0, 16)), 0);
	assert_int_equal(g.b.seam.len, LEN);
	assert_int_equal(fm_dev_error(g.dev, NULL), 0);
	close_guest(&g);
}

static void a_reset_whose_flush_fails_says_so_and_keeps_what_is_there(void **state)
{
	struct guest g;

	open_guest(&g, 0);
	fm_dev_write(g.dev, 64, 8, 77, FM_ATTRS_NONE);
	g.b.seam.fail[0] = -EIO;
	assert_int_equal(fm_dev_reset(g.dev, FM_RESET_SYSTEM), FM_EFF_IOERR);
	assert_int_equal(fmi_le64(g.b.ptr + 64), 77);
	assert_smart(&g, 2, 1, true);
	assert_int_equal(fm_dev_reset(g.dev, FM_RESET_SYSTEM), 0);
	assert_smart(&g, 1, 1, true);
	close_guest(&g);
}

static void what_was_lost_is_in_the_state_and_no_state_takes_it_back(void **state)
{
	const struct fm_persist_span span = { .len = 1 };
	struct fm_nvdimm_health h;
	void *clean, *lost;
	size_t clean_len, lost_len;
	struct guest g;

	open_guest(&g, 7);
	assert_int_equal(fm_dev_save(g.dev, &clean, &clean_len, NULL), 0);
	g.b.seam.fail[0] = -EIO;
	assert_int_equal(fm_nvdimm_flush(g.dev, &span, 1, NULL), FM_ERR_IO);
	assert_int_equal(fm_dev_save(g.dev, &lost, &lost_len, NULL), 0);
	assert_int_equal(fm_dev_load(g.dev, clean, clean_len, NULL), 0);
	assert_smart(&g, 2, 8, true);
	power_off(&g);
	power_on(&g, 0, false);
	assert_int_equal(fm_dev_load(g.dev, lost, lost_len, NULL), 0);
	fm_nvdimm_get_health(g.dev, &h);
	assert_true(h.data_lost && !h.flush_failed);
	assert_smart(&g, 1, 8, true);
	free(clean);
	free(lost);
	close_guest(&g);
}

/* --- files that are cut short ---------------------------------------------------------------------- */

static void a_label_area_that_was_cut_off_is_an_error_and_no_sigbus(void **state)
{
	struct fm_error err = { 0 };
	uint8_t bytes[64] = { 0 };
	void *saved;
	size_t len;
	struct guest g;

	open_guest(&g, 0);
	assert_int_equal(truncate(g.b.path, 4096), 0);
	assert_int_equal(fm_nvdimm_write_label(g.dev, 0, bytes, sizeof(bytes), &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, g.b.path));
	assert_int_equal(fm_nvdimm_read_label(g.dev, 0, bytes, sizeof(bytes), NULL), FM_ERR_SIZE);
	assert_int_equal(fmi_le32(call(&g, 5, 0, 16)), 4);
	assert_int_equal(fmi_le32(call(&g, 6, 0, 16)), 4);
	assert_int_equal(fm_nvdimm_flush_all(g.dev, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_dev_flush(g.dev, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_dev_sanitize(g.dev, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_dev_reset(g.dev, FM_RESET_SYSTEM), FM_EFF_IOERR);
	assert_int_equal(fm_dev_error(g.dev, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_dev_save(g.dev, &saved, &len, NULL), 0);
	free(saved);
	assert_smart(&g, 2, 1, true);
	close_guest(&g);
}

static void a_label_access_alone_sees_the_cut_too(void **state)
{
	uint8_t byte = 0;
	struct guest g;

	for (unsigned write = 0; write < 2; write++) {
		open_guest(&g, 0);
		assert_int_equal(truncate(g.b.path, LEN - 1), 0);
		if (write)
			assert_int_equal(fm_nvdimm_write_label(g.dev, 0, &byte, 1, NULL),
					 FM_ERR_SIZE);
		else
			assert_int_equal(fm_nvdimm_read_label(g.dev, 0, &byte, 1, NULL),
					 FM_ERR_SIZE);
		assert_smart(&g, 2, 1, true);
		close_guest(&g);
		remove_files(NULL);
	}
}

static void labels_of_a_place_that_was_cut_off_are_an_error_and_no_sigbus(void **state)
{
	struct fm_label_place place = { .off = PMEM, .len = LABELS };
	struct fm_label_medium medium;
	struct bench b;

	bench_open(&b);
	place.block = b.block;
	place.persist = b.p;
	assert_int_equal(fm_label_medium_of(&medium, &place, PMEM, NULL), 0);
	assert_int_equal(fm_label_init(&medium, FM_LABEL_V1_2, NULL), 0);
	assert_int_equal(truncate(b.path, 4096), 0);
	assert_int_equal(fm_label_init(&medium, FM_LABEL_V1_2, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_label_medium_of(&medium, &place, PMEM, NULL), FM_ERR_SIZE);
	bench_close(&b);
}

/* --- full disks ------------------------------------------------------------------------------------ */

#define FULL_LEN (FM_NVDIMM_LINE * 4096u + LABELS)

static void write_until_full(const char *path)
{
	static const uint8_t bytes[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
}

/* Last of all: this process has its own mounts from here on. */
static void a_label_in_a_hole_on_a_full_disk_is_an_error_and_no_sigbus(void **state)
{
	char folder[] = "full-XXXXXX", path[32], filler[32];
	struct fm_block_config mem = { .struct_size = sizeof(mem),
				       .name = "nv",
				       .role = FM_ROLE_NVDIMM,
				       .backing = FM_BACKING_FILE,
				       .flags = FM_BLOCK_SHARED,
				       .path = path };
	struct fm_nvdimm_config cfg = { .struct_size = sizeof(cfg), .label_len = LABELS };
	uint8_t bytes[256] = { 1 }, back[256];
	struct fm_dev *dev;
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/nv", folder);
	snprintf(filler, sizeof(filler), "%s/fill", folder);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", folder, "tmpfs", 0, "size=64k")) {
		rmdir(folder);
		print_message("skipped: no tmpfs of our own\n");
		skip();
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FULL_LEN), 0);
	close(fd);
	assert_int_equal(fm_block_new(&cfg.block, &mem, NULL), 0);
	assert_int_equal(fm_nvdimm_new(&dev, &cfg, NULL), 0);
	write_until_full(filler);
	assert_int_equal(fm_nvdimm_write_label(dev, 0, bytes, 256, NULL), FM_ERR_NOSPACE);
	assert_int_equal(fm_nvdimm_read_label(dev, 4096, back, 256, NULL), FM_ERR_NOSPACE);
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(fm_nvdimm_write_label(dev, 0, bytes, 256, NULL), 0);
	assert_int_equal(fm_nvdimm_read_label(dev, 0, back, 256, NULL), 0);
	assert_memory_equal(bytes, back, 256);
	fm_dev_free(dev);
	fm_block_free(cfg.block);
	assert_int_equal(umount(folder), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failed_flush_is_the_guests_then_smarts_then_the_next_starts),
		TEST(a_label_write_that_was_not_durable_is_a_hardware_error),
		TEST(a_reset_whose_flush_fails_says_so_and_keeps_what_is_there),
		TEST(what_was_lost_is_in_the_state_and_no_state_takes_it_back),
		TEST(a_label_area_that_was_cut_off_is_an_error_and_no_sigbus),
		TEST(a_label_access_alone_sees_the_cut_too),
		TEST(labels_of_a_place_that_was_cut_off_are_an_error_and_no_sigbus),
		TEST(a_label_in_a_hole_on_a_full_disk_is_an_error_and_no_sigbus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
