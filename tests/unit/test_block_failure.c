/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks over a file: what a failure leaves. */
#include "tests/unit/blockutil.h"
#include "tests/unit/child.h"
#include "tests/unit/faultio.h"
#include "tests/unit/tmpdir.h"

#include <sys/resource.h>

#define LEN (10 * PAGE)

static unsigned count(const char *text, char letter)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == letter;
	return n;
}

/* Fail each call in turn until it works; `size` is what the file has after a failure. */
static void fail_each_call(void **state, struct fm_block_config cfg, long long size,
			   unsigned expected_calls)
{
	const char *path = cfg.path;
	unsigned n;

	for (n = 1;; n++) {
		struct fm_block *b = NULL;
		struct fm_error err = { 0 };
		struct faultio f;

		faultio_init(&f);
		f.fail_at = n;
		cfg.io = &f.io;
		if (!fm_block_new(&b, &cfg, &err)) {
			assert_int_equal(count(f.log, 'm'), 1);
			fm_block_free(b);
			assert_int_equal(count(f.log, 'u'), 1);
			assert_int_equal(f.open_files, 0);
			break;
		}
		assert_null(b);
		assert_int_equal(err.code, FM_ERR_IO);
		assert_int_equal(err.sys, EIO);
		assert_non_null(strstr(err.msg, path));
		assert_int_equal(f.open_files, 0);
		assert_int_equal(count(f.log, 'm'), count(f.log, 'u'));
		assert_int_equal(tmpdir_size(path), size);
	}
	assert_int_equal(n - 1, expected_calls);
}

static void a_failure_removes_the_file_that_it_made(void **state)
{
	/* open, create, size, truncate, map, allocate */
	fail_each_call(state,
		       FILE_CONFIG(.path = tmpdir_path(state, "f"), .len = LEN,
				   .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED | FM_BLOCK_PREALLOC),
		       -1, 6);
	assert_int_equal(tmpdir_size(tmpdir_path(state, "f")), LEN);
}

static void a_failure_leaves_an_empty_file_empty(void **state)
{
	const char *path = tmpdir_path(state, "f");

	tmpdir_fill(path, 0, 0);
	fail_each_call(state,
		       FILE_CONFIG(.path = path, .len = LEN, .align = 16 * PAGE,
				   .flags = FM_BLOCK_SHARED | FM_BLOCK_PREALLOC),
		       0, 5);
}

static void a_failure_leaves_a_file_with_contents_alone(void **state)
{
	const char *path = tmpdir_path(state, "f");

	tmpdir_fill(path, LEN, 3);
	fail_each_call(state,
		       FILE_CONFIG(.path = path, .len = PAGE,
				   .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED | FM_BLOCK_PREALLOC),
		       (long long)LEN, 4);
	assert_int_equal(tmpdir_byte(path, 0), 3);
}

/* Somebody makes the file between our look and our attempt to make it. */
static int open_late(void *ctx, const char *path, unsigned flags, struct fm_file **out)
{
	struct faultio *f = ctx;

	if (!f->calls++) {
		tmpdir_fill(path, LEN, 3);
		return -ENOENT;
	}
	return fm_io_posix()->ops->open(NULL, path, flags, out);
}

static int map_fails(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot, int flags,
		     void **out)
{
	return -ENOMEM;
}

static void a_file_that_another_made_first_is_the_others(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b = NULL;
	struct fm_block_config cfg =
		FILE_CONFIG(.path = path, .len = LEN, .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED);
	struct faultio f;

	faultio_init(&f);
	f.ops.open = open_late;
	f.ops.close = fm_io_posix()->ops->close;
	cfg.io = &f.io;
	b = must_make(cfg);
	assert_false(fm_block_file_created(b));
	assert_int_equal(bytes(b)[0], 3);
	fm_block_free(b);
	unlink(path);
	f.calls = 0;
	f.ops.map = map_fails;
	assert_int_equal(fm_block_new(&b, &cfg, NULL), FM_ERR_NOMEM);
	assert_int_equal(tmpdir_size(path), LEN);
}

static void a_full_huge_map_leaves_no_reservation(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct faultio f;
	struct fm_block_config cfg = FILE_CONFIG(.path = path, .align = UINT64_C(1) << 40);

	/* 2^40 bytes of address space each: leaking them would not go well for long. */
	tmpdir_fill(path, LEN, 3);
	faultio_init(&f);
	f.ops.map = map_fails;
	cfg.io = &f.io;
	for (int i = 0; i < 300; i++)
		assert_refused(cfg, FM_ERR_NOMEM, "mmap");
	cfg.io = NULL;
	for (int i = 0; i < 300; i++)
		fm_block_free(must_make(cfg));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_failure_removes_the_file_that_it_made),
		tmpdir_test(a_failure_leaves_an_empty_file_empty),
		tmpdir_test(a_failure_leaves_a_file_with_contents_alone),
		tmpdir_test(a_file_that_another_made_first_is_the_others),
		tmpdir_test(a_full_huge_map_leaves_no_reservation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
