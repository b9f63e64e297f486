/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks over a file: sizes, privacy, passed descriptors, and the seam. */
#include "tests/unit/blockutil.h"
#include "tests/unit/child.h"
#include "tests/unit/faultio.h"
#include "tests/unit/tmpdir.h"

#include <signal.h>
#include <sys/resource.h>

#define LEN (10 * PAGE)

/* --- shared and private ------------------------------------------------------------------- */

static void stores_to_a_shared_block_reach_the_file_and_other_mappings(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *a, *b;

	tmpdir_fill(path, LEN, 3);
	a = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_SHARED));
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_SHARED | FM_BLOCK_READONLY));
	assert_true(all_bytes(bytes(a), LEN, 3));
	bytes(a)[5] = 9;
	assert_int_equal(bytes(b)[5], 9);
	assert_int_equal(tmpdir_byte(path, 5), 9);
	assert_int_equal(fm_block_sync(a, 0, LEN, NULL), 0);
	assert_string_equal(fm_block_path(a), path);
	assert_false(fm_block_file_created(a));
	fm_block_free(a);
	fm_block_free(b);
	assert_int_equal(tmpdir_byte(path, 5), 9);
}

static void stores_to_a_private_block_stay_there(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *a, *b;

	tmpdir_fill(path, LEN, 3);
	a = must_make(FILE_CONFIG(.path = path));
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_PREALLOC));
	memset(bytes(a), 9, LEN);
	assert_true(all_bytes(bytes(b), LEN, 3));
	assert_int_equal(fm_block_sync(a, 0, LEN, NULL), 0);
	fm_block_free(a);
	fm_block_free(b);
	assert_int_equal(tmpdir_byte(path, 0), 3);
}

static void only_a_shared_writable_block_opens_the_file_for_writing(void **state)
{
	static const struct {
		unsigned flags;
		int mode;
	} kinds[] = {
		{ 0, O_RDONLY },
		{ FM_BLOCK_READONLY, O_RDONLY },
		{ FM_BLOCK_SHARED | FM_BLOCK_READONLY, O_RDONLY },
		{ FM_BLOCK_SHARED, O_RDWR },
		{ FM_BLOCK_CREATE, O_RDONLY }, /* it is there already */
	};
	const char *path = tmpdir_path(state, "f");

	tmpdir_fill(path, LEN, 3);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct fm_block *b = must_make(FILE_CONFIG(.path = path, .flags = kinds[i].flags));

		assert_int_equal(fcntl(fm_block_fd(b), F_GETFL) & O_ACCMODE, kinds[i].mode);
		assert_true(fcntl(fm_block_fd(b), F_GETFD) & FD_CLOEXEC);
		fm_block_free(b);
	}
}

static int store_one(void *p)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	*(volatile uint8_t *)p = 1;
	return 0;
}

static void a_readonly_block_cannot_be_stored_to(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;
	int status;
	pid_t pid;

	tmpdir_fill(path, LEN, 3);
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_READONLY | FM_BLOCK_PREALLOC));
	pid = fork();
	if (!pid)
		_exit(store_one(bytes(b)));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	fm_block_free(b);
}

/* --- sizes -------------------------------------------------------------------------------- */

static void without_a_length_the_block_is_the_rest_of_the_file(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;

	tmpdir_fill(path, 3 * PAGE + 100, 3);
	b = must_make(FILE_CONFIG(.path = path));
	assert_int_equal(fm_block_len(b), 3 * PAGE + 100);
	fm_block_free(b);
	b = must_make(FILE_CONFIG(.path = path, .file_off = 3 * PAGE));
	assert_int_equal(fm_block_len(b), 100);
	assert_true(all_bytes(bytes(b), 100, 3));
	fm_block_free(b);
}

static void a_block_may_be_a_part_of_the_file(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;

	tmpdir_fill(path, 4 * PAGE, 3);
	b = must_make(FILE_CONFIG(.path = path, .file_off = PAGE, .len = PAGE + 1,
				  .flags = FM_BLOCK_SHARED));
	assert_int_equal(fm_block_len(b), PAGE + 1);
	bytes(b)[PAGE] = 9;
	assert_int_equal(tmpdir_byte(path, 2 * PAGE), 9);
	fm_block_free(b);
	fm_block_free(must_make(FILE_CONFIG(.path = path, .file_off = PAGE, .len = 3 * PAGE)));
	assert_int_equal(tmpdir_size(path), 4 * PAGE);
}

static void a_file_that_is_too_short_is_an_error_and_stays_as_it_is(void **state)
{
	static const unsigned flags[] = { 0, FM_BLOCK_SHARED, FM_BLOCK_SHARED | FM_BLOCK_CREATE,
					  FM_BLOCK_SHARED | FM_BLOCK_PREALLOC };
	const char *path = tmpdir_path(state, "f");

	tmpdir_fill(path, 0x2001, 3);
	for (size_t i = 0; i < 4; i++) {
		assert_refused(FILE_CONFIG(.path = path, .len = 0x2002, .flags = flags[i]),
			       FM_ERR_SIZE, "0x2001");
		assert_refused(FILE_CONFIG(.path = path, .len = 0x2002, .flags = flags[i]),
			       FM_ERR_SIZE, "0x2002");
		assert_refused(FILE_CONFIG(.path = path, .len = 0x2000, .file_off = PAGE,
					   .flags = flags[i]),
			       FM_ERR_SIZE, path);
		assert_refused(FILE_CONFIG(.path = path, .file_off = 16 * PAGE, .flags = flags[i]),
			       FM_ERR_SIZE, "block blk (file)");
	}
	assert_int_equal(tmpdir_size(path), 0x2001);
	assert_int_equal(tmpdir_byte(path, 0x2000), 3);
	fm_block_free(must_make(FILE_CONFIG(.path = path, .len = 0x2001)));
}

static void a_new_file_gets_its_size_and_reads_as_zero(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b = must_make(
		FILE_CONFIG(.path = path, .len = 5000, .file_off = PAGE,
			    .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED | FM_BLOCK_PREALLOC));

	assert_true(fm_block_file_created(b));
	assert_int_equal(fm_block_len(b), 5000);
	assert_true(all_bytes(bytes(b), 5000, 0));
	assert_int_equal(tmpdir_size(path), PAGE + 5000);
	fm_block_free(b);
	assert_int_equal(tmpdir_size(path), PAGE + 5000);
}

static void a_new_file_under_a_private_block_holds_zeroes(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b =
		must_make(FILE_CONFIG(.path = path, .len = 5000, .flags = FM_BLOCK_CREATE));

	memset(bytes(b), 9, 5000);
	assert_true(fm_block_file_created(b));
	fm_block_free(b);
	assert_int_equal(tmpdir_size(path), 5000);
	assert_int_equal(tmpdir_byte(path, 0), 0);
}

static void an_empty_file_is_sized_only_by_a_block_that_writes_to_it(void **state)
{
	static const unsigned others[] = { 0, FM_BLOCK_CREATE, FM_BLOCK_READONLY,
					   FM_BLOCK_READONLY | FM_BLOCK_SHARED };
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;

	tmpdir_fill(path, 0, 0);
	for (size_t i = 0; i < 4; i++)
		assert_refused(FILE_CONFIG(.path = path, .len = 5000, .flags = others[i]),
			       FM_ERR_SIZE, "is empty");
	assert_int_equal(tmpdir_size(path), 0);
	b = must_make(FILE_CONFIG(.path = path, .len = 5000, .flags = FM_BLOCK_SHARED));
	assert_true(fm_block_file_created(b));
	assert_int_equal(tmpdir_size(path), 5000);
	fm_block_free(b);
	b = must_make(FILE_CONFIG(.path = path, .len = 5000, .flags = FM_BLOCK_SHARED));
	assert_false(fm_block_file_created(b));
	fm_block_free(b);
}

static void a_file_without_any_size_is_an_error(void **state)
{
	const char *path = tmpdir_path(state, "f");

	assert_refused(FILE_CONFIG(.path = path, .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED),
		       FM_ERR_SIZE, "len is 0");
	assert_int_equal(tmpdir_size(path), -1);
	tmpdir_fill(path, 0, 0);
	assert_refused(FILE_CONFIG(.path = path, .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED),
		       FM_ERR_SIZE, "len is 0");
	assert_int_equal(tmpdir_size(path), 0);
}

static void creating_what_is_there_keeps_it(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;

	tmpdir_fill(path, LEN, 3);
	b = must_make(FILE_CONFIG(.path = path, .len = PAGE,
				  .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED | FM_BLOCK_PREALLOC));
	assert_false(fm_block_file_created(b));
	assert_true(all_bytes(bytes(b), PAGE, 3));
	fm_block_free(b);
	assert_int_equal(tmpdir_size(path), LEN);
}

static void a_file_that_cannot_be_opened_is_an_error_with_its_name(void **state)
{
	const char *path = tmpdir_path(state, "f");
	const char *deep = tmpdir_path(state, "none/f");
	const char *loop = tmpdir_path(state, "loop");

	assert_refused(FILE_CONFIG(.path = path), FM_ERR_NOT_FOUND, path);
	assert_refused(FILE_CONFIG(.path = path, .len = 1, .flags = FM_BLOCK_SHARED),
		       FM_ERR_NOT_FOUND, "block blk (file)");
	assert_refused(FILE_CONFIG(.path = deep, .len = 1, .flags = FM_BLOCK_CREATE),
		       FM_ERR_NOT_FOUND, deep);
	assert_refused(FILE_CONFIG(.path = *state), FM_ERR_ARG, strerror(EISDIR));
	assert_int_equal(symlink("loop", loop), 0);
	assert_refused(FILE_CONFIG(.path = loop, .len = 1, .flags = FM_BLOCK_CREATE), FM_ERR_ARG,
		       loop);
	assert_refused(FILE_CONFIG(.path = "/dev/null", .len = PAGE, .flags = FM_BLOCK_SHARED),
		       FM_ERR_IO, "/dev/null");
}

static void the_path_is_copied(void **state)
{
	char path[300];
	struct fm_block *b;

	snprintf(path, sizeof(path), "%s", tmpdir_path(state, "f"));
	tmpdir_fill(path, PAGE, 3);
	b = must_make(FILE_CONFIG(.path = path));
	path[0] = 'x';
	assert_string_equal(fm_block_path(b), tmpdir_path(state, "f"));
	fm_block_free(b);
}

static void the_host_address_is_as_aligned_as_asked(void **state)
{
	const char *path = tmpdir_path(state, "f");

	tmpdir_fill(path, LEN, 3);
	for (uint64_t align = PAGE; align <= UINT64_C(1) << 32; align *= 16) {
		struct fm_block *b =
			must_make(FILE_CONFIG(.path = path, .file_off = PAGE, .align = align));
		uint8_t *p = bytes(b);

		assert_int_equal((uintptr_t)p % align, 0);
		assert_true(all_bytes(p, LEN - PAGE, 3));
		fm_block_free(b);
		assert_true(unmapped(p));
		assert_true(unmapped(p + LEN - 2 * PAGE));
	}
}

/* --- passed descriptors ------------------------------------------------------------------- */

static void a_passed_descriptor_stays_the_callers(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;
	int fd;

	tmpdir_fill(path, LEN, 3);
	fd = open(path, O_RDWR);
	b = must_make(FILE_CONFIG(.fd = fd, .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED));
	assert_int_not_equal(fm_block_fd(b), fd);
	assert_string_equal(fm_block_path(b), "");
	close(fd);
	bytes(b)[1] = 9;
	assert_int_equal(fm_block_sync(b, 0, 2, NULL), 0);
	assert_int_equal(tmpdir_byte(path, 1), 9);
	fd = dup(fm_block_fd(b));
	fm_block_free(b);
	b = must_make(FILE_CONFIG(.fd = fd, .flags = FM_BLOCK_USE_FD));
	fm_block_free(b);
	assert_int_equal(lseek(fd, 0, SEEK_END), LEN);
	close(fd);
}

static void a_passed_descriptor_must_allow_what_the_block_does(void **state)
{
	const char *path = tmpdir_path(state, "f");
	int fd;

	tmpdir_fill(path, LEN, 3);
	fd = open(path, O_RDONLY);
	assert_refused(FILE_CONFIG(.fd = fd, .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED),
		       FM_ERR_ACCESS, "passed descriptor: open for writing");
	fm_block_free(must_make(FILE_CONFIG(.fd = fd, .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED |
							       FM_BLOCK_READONLY)));
	fm_block_free(must_make(FILE_CONFIG(.fd = fd, .flags = FM_BLOCK_USE_FD)));
	close(fd);
	assert_refused(FILE_CONFIG(.fd = fd, .flags = FM_BLOCK_USE_FD), FM_ERR_ARG,
		       "passed descriptor");
}

static void a_memfd_may_be_passed(void **state)
{
	struct fm_block *a = must_make(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN));
	struct fm_block *b = must_make(
		FILE_CONFIG(.fd = fm_block_fd(a), .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED));
	int fd = memfd_create("x", MFD_CLOEXEC);

	bytes(b)[LEN - 1] = 1;
	assert_int_equal(bytes(a)[LEN - 1], 1);
	fm_block_free(a);
	fm_block_free(b);
	a = must_make(FILE_CONFIG(.fd = fd, .len = LEN,
				  .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED | FM_BLOCK_PREALLOC));
	assert_true(fm_block_file_created(a));
	assert_true(resident(a));
	fm_block_free(a);
	close(fd);
}

/* --- sync, and the seam ------------------------------------------------------------------- */

struct synced {
	struct faultio f;
	char *addr;
	size_t len;
	int rc;
};

static int record_msync(void *ctx, void *addr, size_t len)
{
	struct synced *s = ctx;

	s->addr = addr;
	s->len = len;
	return s->rc;
}

static void a_sync_covers_the_range_from_a_page_on(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct synced s = { .rc = 0 };
	struct fm_error err = { 0 };
	struct fm_block *b;

	tmpdir_fill(path, LEN, 3);
	faultio_init(&s.f);
	s.f.ops.msync = record_msync;
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_SHARED, .io = &s.f.io));
	assert_int_equal(fm_block_sync(b, PAGE + 5, PAGE, NULL), 0);
	assert_ptr_equal(s.addr, bytes(b) + PAGE);
	assert_int_equal(s.len, PAGE + 5);
	s.addr = NULL;
	assert_int_equal(fm_block_sync(b, 7, 0, NULL), 0);
	assert_int_equal(fm_block_sync(b, LEN, 1, NULL), FM_ERR_RANGE);
	assert_null(s.addr);
	s.rc = -EIO;
	assert_int_equal(fm_block_sync(b, 0, 1, &err), FM_ERR_IO);
	assert_int_equal(err.sys, EIO);
	assert_non_null(strstr(err.msg, path));
	s.rc = -ENOSPC;
	assert_int_equal(fm_block_sync(b, 0, 1, NULL), FM_ERR_NOSPACE);
	fm_block_free(b);
	/* Nothing of these is on its way to the file. */
	b = must_make(FILE_CONFIG(.path = path, .io = &s.f.io));
	assert_int_equal(fm_block_sync(b, 0, LEN, NULL), 0);
	fm_block_free(b);
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_SHARED | FM_BLOCK_READONLY,
				  .io = &s.f.io));
	assert_int_equal(fm_block_sync(b, 0, LEN, NULL), 0);
	fm_block_free(b);
}

static void no_file_is_touched_but_through_the_seam(void **state)
{
	struct faultio f;
	struct fm_block *b;

	faultio_init(&f);
	b = must_make(FILE_CONFIG(.path = tmpdir_path(state, "f"), .len = LEN, .io = &f.io,
				  .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED | FM_BLOCK_PREALLOC));
	assert_int_equal(fm_block_sync(b, 0, LEN, NULL), 0);
	fm_block_free(b);
	assert_string_equal(f.log, "cstmayu");
	assert_int_equal(f.open_files, 0);
}

static void a_seam_without_descriptors_has_none_to_hand_out(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct faultio f;
	struct fm_block *b;

	tmpdir_fill(path, LEN, 3);
	faultio_init(&f);
	f.ops.fd = NULL;
	b = must_make(FILE_CONFIG(.path = path, .io = &f.io));
	assert_int_equal(fm_block_fd(b), -1);
	fm_block_free(b);
	/* Built before fd() was added to the struct: what follows is not ours to read. */
	faultio_init(&f);
	f.ops.struct_size = offsetof(struct fm_io_ops, fd);
	f.ops.fd = (int (*)(void *, struct fm_file *))(uintptr_t)8;
	b = must_make(FILE_CONFIG(.path = path, .io = &f.io));
	assert_int_equal(fm_block_fd(b), -1);
	assert_true(all_bytes(bytes(b), LEN, 3));
	fm_block_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(stores_to_a_shared_block_reach_the_file_and_other_mappings),
		tmpdir_test(stores_to_a_private_block_stay_there),
		tmpdir_test(only_a_shared_writable_block_opens_the_file_for_writing),
		tmpdir_test(a_readonly_block_cannot_be_stored_to),
		tmpdir_test(without_a_length_the_block_is_the_rest_of_the_file),
		tmpdir_test(a_block_may_be_a_part_of_the_file),
		tmpdir_test(a_file_that_is_too_short_is_an_error_and_stays_as_it_is),
		tmpdir_test(a_new_file_gets_its_size_and_reads_as_zero),
		tmpdir_test(a_new_file_under_a_private_block_holds_zeroes),
		tmpdir_test(an_empty_file_is_sized_only_by_a_block_that_writes_to_it),
		tmpdir_test(a_file_without_any_size_is_an_error),
		tmpdir_test(creating_what_is_there_keeps_it),
		tmpdir_test(a_file_that_cannot_be_opened_is_an_error_with_its_name),
		tmpdir_test(the_path_is_copied),
		tmpdir_test(the_host_address_is_as_aligned_as_asked),
		tmpdir_test(a_passed_descriptor_stays_the_callers),
		tmpdir_test(a_passed_descriptor_must_allow_what_the_block_does),
		tmpdir_test(a_memfd_may_be_passed),
		tmpdir_test(a_sync_covers_the_range_from_a_page_on),
		tmpdir_test(no_file_is_touched_but_through_the_seam),
		tmpdir_test(a_seam_without_descriptors_has_none_to_hand_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
