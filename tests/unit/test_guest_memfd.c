/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private pages in KVM's own guest_memfd, where the kernel has it (Linux 6.8; api.rst, 4.143). What a
 * memfd stands for in test_private.c is the real thing here.
 */
#include "tests/unit/reset_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Newer than Debian 12's linux/kvm.h. */
struct create_guest_memfd {
	uint64_t size;
	uint64_t flags;
	uint64_t reserved[6];
};

#define CREATE_GUEST_MEMFD _IOWR(KVMIO, 0xd4, struct create_guest_memfd)
#define CAP_GUEST_MEMFD 234
#define MAPPABLE 3u /* GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED, since 6.18 */
#define SW_PROTECTED_VM 1ul

#define LEN (16 * PAGE)

struct guest {
	int kvm;
	int vm;
	int fd;
	uint8_t *map; /* NULL: this kernel lets nobody look */
};

static void skip_because(const char *why)
{
	print_message("skipped: %s: %s\n", why, strerror(errno));
	skip();
}

/* Of `len` bytes; a VM of one kind or the other may have it. */
static int make_memfd(struct guest *g, unsigned long type, uint64_t len, uint64_t flags)
{
	struct create_guest_memfd arg = { .size = len, .flags = flags };

	g->vm = ioctl(g->kvm, KVM_CREATE_VM, type);
	g->fd = g->vm < 0 ? -1 : ioctl(g->vm, CREATE_GUEST_MEMFD, &arg);
	if (g->fd < 0 && g->vm >= 0)
		close(g->vm);
	return g->fd;
}

static void open_guest(struct guest *g, uint64_t len)
{
	*g = (struct guest){ .kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC) };
	if (g->kvm < 0)
		skip_because("/dev/kvm cannot be opened");
	if (ioctl(g->kvm, KVM_CHECK_EXTENSION, CAP_GUEST_MEMFD) <= 0) {
		close(g->kvm);
		errno = ENOTSUP;
		skip_because("KVM here has no guest_memfd");
	}
	if (make_memfd(g, 0, len, MAPPABLE) >= 0) {
		g->map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
		assert_ptr_not_equal(g->map, MAP_FAILED);
		return;
	}
	if (make_memfd(g, 0, len, 0) < 0 && make_memfd(g, SW_PROTECTED_VM, len, 0) < 0) {
		close(g->kvm);
		skip_because("no kind of VM here gets a guest_memfd");
	}
	print_message(
		"this kernel's guest_memfd cannot be mapped: its contents are not looked at\n");
}

static void close_guest(struct guest *g, uint64_t len)
{
	if (g->map)
		munmap(g->map, len);
	close(g->fd);
	close(g->vm);
	close(g->kvm);
}

/* The guest stores into all of it; or, where nobody can look, its pages are at least there. */
static void fill_guest(struct guest *g, uint64_t len)
{
	if (g->map)
		memset(g->map, SECRET, len);
	else
		assert_int_equal(fallocate(g->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)len), 0);
}

static void assert_guest(const struct guest *g, uint64_t off, uint64_t len, uint8_t byte)
{
	if (g->map)
		assert_true(all_bytes(g->map + off, len, byte));
}

static bool has_data(int fd, uint64_t at)
{
	return lseek(fd, (off_t)at, SEEK_DATA) == (off_t)at;
}

static struct fm_private_config at(const struct guest *g, uint64_t off)
{
	return (struct fm_private_config){
		.struct_size = sizeof(struct fm_private_config),
		.use_fd = true,
		.fd = g->fd,
		.fd_off = off,
	};
}

static void a_conversion_gives_back_the_side_that_is_no_longer_used(void **state)
{
	struct fm_private_config cfg;
	struct fm_block *ram;
	struct guest g;

	open_guest(&g, LEN);
	ram = must_make(BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM, .backing = FM_BACKING_MEMFD,
				  .len = 8 * PAGE));
	cfg = at(&g, 4 * PAGE);
	assert_int_equal(fm_private_enable(ram, &cfg, NULL), 0);
	fill(ram);
	assert_int_equal(fm_private_convert(ram, PAGE, 2 * PAGE, true, NULL), 0);
	assert_true(has_data(fm_block_fd(ram), 0));
	assert_false(has_data(fm_block_fd(ram), PAGE));
	assert_true(has_data(fm_block_fd(ram), 3 * PAGE));
	fill_guest(&g, LEN);
	assert_int_equal(fm_private_convert(ram, PAGE, PAGE, false, NULL), 0);
	assert_guest(&g, 0, 5 * PAGE, SECRET);
	assert_guest(&g, 5 * PAGE, PAGE, 0);
	assert_guest(&g, 6 * PAGE, 10 * PAGE, SECRET);
	fm_block_free(ram);
	close_guest(&g, LEN);
}

static int rebuild(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	++*(unsigned *)ctx;
	return 0;
}

static void a_reset_of_the_guest_leaves_no_private_byte(void **state)
{
	struct fm_reset_report report = { .count = 0 };
	struct fm_private_config cfg;
	struct fm_machine *m;
	struct fm_block *ram;
	struct guest g;
	unsigned rebuilt = 0;

	open_guest(&g, 4 * PAGE);
	m = machine_make();
	ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_MEMFD);
	cfg = at(&g, 0);
	assert_int_equal(fm_private_enable(ram, &cfg, NULL), 0);
	assert_int_equal(fm_private_convert(ram, PAGE, 2 * PAGE, true, NULL), 0);
	fill(ram);
	fill_guest(&g, 4 * PAGE);
	assert_int_equal(
		do_reset(m, REQUEST(.kind = FM_RESET_CONFIDENTIAL),
			 (struct fm_reset_options){ .struct_size = sizeof(struct fm_reset_options),
						    .ctx = &rebuilt,
						    .rebuild = rebuild },
			 &report),
		0);
	assert_int_equal(rebuilt, 1);
	assert_guest(&g, PAGE, 2 * PAGE, 0);
	/* Nobody converted the rest: it is no part of the block's private ranges. */
	assert_guest(&g, 0, PAGE, SECRET);
	fm_reset_report_clear(&report);
	fm_machine_free(m);
	close_guest(&g, 4 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversion_gives_back_the_side_that_is_no_longer_used),
		cmocka_unit_test(a_reset_of_the_guest_leaves_no_private_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
