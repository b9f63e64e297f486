/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/faultio.h"
#include "tests/unit/tmpdir.h"

#include <firmem/io.h>

static const struct fm_io_ops *ops(void)
{
	return fm_io_posix()->ops;
}

static struct fm_file *must_open(const char *path, unsigned flags)
{
	struct fm_file *file;

	assert_int_equal(ops()->open(NULL, path, flags, &file), 0);
	return file;
}

/* Fails the test unless the file is `len` bytes of value `byte`. */
static void assert_file(const char *path, size_t len, uint8_t byte)
{
	void *data;
	size_t got;

	assert_int_equal(fm_io_load(NULL, path, 1 << 20, &data, &got, NULL), 0);
	assert_int_equal(got, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(((uint8_t *)data)[i], byte);
	free(data);
}

/* --- whole transfers ---------------------------------------------------------------------- */

static void transfers_go_on_after_short_and_interrupted_ones(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct faultio f;
	struct fm_file *file;
	uint8_t out[1000], in[1000] = { 0 };

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	faultio_init(&f);
	f.most = 33;
	f.interrupt = true;
	assert_int_equal(f.ops.open(&f, path, FM_IO_READ | FM_IO_WRITE | FM_IO_CREATE, &file), 0);
	assert_int_equal(fm_io_write_all(&f.io, file, out, sizeof(out), 5), 0);
	assert_int_equal(tmpdir_size(path), 1005);
	assert_int_equal(fm_io_read_all(&f.io, file, in, sizeof(in), 5), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_true(f.transfers > 100);
	f.ops.close(&f, file);
}

static void a_file_that_ends_early_is_an_error(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct fm_file *file;
	char buf[11];

	tmpdir_fill(path, 10, 1);
	file = must_open(path, FM_IO_READ);
	assert_int_equal(fm_io_read_all(fm_io_posix(), file, buf, 10, 0), 0);
	assert_int_equal(fm_io_read_all(fm_io_posix(), file, buf, 11, 0), -EIO);
	assert_int_equal(fm_io_read_all(fm_io_posix(), file, buf, 1, 10), -EIO);
	assert_int_equal(fm_io_read_all(fm_io_posix(), file, buf, 0, 10), 0);
	ops()->close(NULL, file);
}

static ssize_t pwrite_nothing(void *ctx, struct fm_file *file, const void *buf, size_t len,
			      uint64_t off)
{
	((struct faultio *)ctx)->calls++;
	return 0;
}

static ssize_t pwrite_too_much(void *ctx, struct fm_file *file, const void *buf, size_t len,
			       uint64_t off)
{
	((struct faultio *)ctx)->calls++;
	return (ssize_t)len + 1;
}

static ssize_t pread_too_much(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	((struct faultio *)ctx)->calls++;
	return (ssize_t)len + 1;
}

static void a_seam_that_makes_no_sense_is_an_error(void **state)
{
	struct faultio f;
	char buf[8] = { 0 };

	faultio_init(&f);
	f.ops.pwrite = pwrite_nothing;
	assert_int_equal(fm_io_write_all(&f.io, NULL, buf, 8, 0), -EIO);
	f.ops.pwrite = pwrite_too_much;
	assert_int_equal(fm_io_write_all(&f.io, NULL, buf, 8, 0), -EIO);
	f.ops.pread = pread_too_much;
	assert_int_equal(fm_io_read_all(&f.io, NULL, buf, 8, 0), -EIO);
	assert_int_equal(f.calls, 3);
}

static void a_transfer_stops_at_the_first_error(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct faultio f;
	struct fm_file *file;
	char buf[100] = { 0 };

	faultio_init(&f);
	assert_int_equal(f.ops.open(&f, path, FM_IO_READ | FM_IO_WRITE | FM_IO_CREATE, &file), 0);
	for (unsigned n = 1; n <= 10; n++) {
		f.most = 10;
		f.error = ENOSPC;
		f.calls = 0;
		f.fail_at = n;
		assert_int_equal(fm_io_write_all(&f.io, file, buf, 100, 0), -ENOSPC);
		assert_int_equal(f.calls, n);
		f.fail_at = 0;
		assert_int_equal(fm_io_write_all(&f.io, file, buf, 100, 0), 0);
		f.calls = 0;
		f.fail_at = n;
		assert_int_equal(fm_io_read_all(&f.io, file, buf, 100, 0), -ENOSPC);
		assert_int_equal(f.calls, n);
	}
	f.ops.close(&f, file);
}

/* --- load --------------------------------------------------------------------------------- */

static void load_gives_the_whole_file(void **state)
{
	const char *path = tmpdir_path(state, "a");
	void *data = NULL;
	size_t len = 1;

	tmpdir_fill(path, 5000, 3);
	assert_file(path, 5000, 3);
	tmpdir_fill(path, 0, 0);
	assert_int_equal(fm_io_load(NULL, path, 0, &data, &len, NULL), 0);
	assert_non_null(data);
	assert_int_equal(len, 0);
	free(data);
}

static void load_refuses_more_than_the_limit(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct fm_error err = { 0 };
	void *data = NULL;
	size_t len = 77;

	tmpdir_fill(path, 101, 3);
	assert_int_equal(fm_io_load(NULL, path, 100, &data, &len, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, path));
	assert_non_null(strstr(err.msg, "101"));
	assert_non_null(strstr(err.msg, "100"));
	assert_null(data);
	assert_int_equal(len, 77);
	assert_int_equal(fm_io_load(NULL, path, 101, &data, &len, &err), 0);
	free(data);
}

static void load_says_which_file_and_why(void **state)
{
	const char *path = tmpdir_path(state, "none");
	struct fm_error err = { 0 };
	void *data;
	size_t len;

	assert_int_equal(fm_io_load(NULL, path, 100, &data, &len, &err), FM_ERR_NOT_FOUND);
	assert_int_equal(err.code, FM_ERR_NOT_FOUND);
	assert_int_equal(err.sys, ENOENT);
	assert_non_null(strstr(err.msg, path));
	assert_non_null(strstr(err.msg, strerror(ENOENT)));
	assert_int_equal(fm_io_load(NULL, NULL, 100, &data, &len, NULL), FM_ERR_ARG);
	assert_int_equal(fm_io_load(NULL, path, 100, NULL, &len, NULL), FM_ERR_ARG);
	assert_int_equal(fm_io_load(NULL, path, 100, &data, NULL, NULL), FM_ERR_ARG);
}

static void load_leaves_nothing_open_at_any_failing_call(void **state)
{
	const char *path = tmpdir_path(state, "a");
	unsigned calls;

	tmpdir_fill(path, 100, 1);
	for (unsigned n = 1;; n++) {
		struct faultio f;
		void *data = NULL;
		size_t len;
		int rc;

		faultio_init(&f);
		f.most = 40;
		f.fail_at = n;
		rc = fm_io_load(&f.io, path, 100, &data, &len, NULL);
		assert_int_equal(f.open_files, 0);
		calls = f.calls;
		if (!rc) {
			free(data);
			break;
		}
		assert_int_equal(rc, FM_ERR_IO);
		assert_null(data);
	}
	assert_int_equal(calls, 5); /* open, size, three reads */
}

/* --- store -------------------------------------------------------------------------------- */

enum {
	OLD = 700,
	NEW = 1000
};

static void store_makes_and_replaces(void **state)
{
	const char *path = tmpdir_path(state, "a");
	uint8_t data[NEW];

	memset(data, 2, sizeof(data));
	assert_int_equal(fm_io_store(NULL, path, data, NEW, NULL), 0);
	assert_file(path, NEW, 2);
	memset(data, 1, sizeof(data));
	assert_int_equal(fm_io_store(NULL, path, data, OLD, NULL), 0);
	assert_file(path, OLD, 1);
	assert_int_equal(fm_io_store(NULL, path, NULL, 0, NULL), 0);
	assert_int_equal(tmpdir_size(path), 0);
	assert_int_equal(tmpdir_entries(state), 1);
}

static void store_syncs_the_data_before_the_name_and_the_name_last(void **state)
{
	struct faultio f;

	faultio_init(&f);
	f.most = 8;
	assert_int_equal(fm_io_store(&f.io, tmpdir_path(state, "a"), "0123456789", 10, NULL), 0);
	assert_string_equal(f.log, "cwwfnd");
}

/* `path` is the old file or the new one, whole; returns whether it is the new one. */
static bool old_or_new(const char *path)
{
	if (tmpdir_size(path) == NEW) {
		assert_file(path, NEW, 2);
		return true;
	}
	assert_file(path, OLD, 1);
	return false;
}

static void store_leaves_the_old_or_the_new_at_every_failing_call(void **state)
{
	const char *path = tmpdir_path(state, "a");
	uint8_t data[NEW];
	unsigned n, replaced = 0;

	memset(data, 2, sizeof(data));
	for (n = 1;; n++) {
		struct fm_error err = { 0 };
		struct faultio f;

		tmpdir_fill(path, OLD, 1);
		faultio_init(&f);
		f.most = 300;
		f.torn = true;
		f.fail_at = n;
		if (!fm_io_store(&f.io, path, data, NEW, &err))
			break;
		assert_int_equal(err.code, FM_ERR_IO);
		assert_int_equal(err.sys, EIO);
		assert_non_null(strstr(err.msg, path));
		replaced += old_or_new(path);
		assert_int_equal(f.open_files, 0);
		assert_int_equal(tmpdir_entries(state), 1);
	}
	assert_true(old_or_new(path));
	assert_int_equal(n, 1 + 8); /* create, four writes, fdatasync, rename, sync of the folder */
	assert_int_equal(replaced, 1); /* the last: the name was there already */
}

static void store_leaves_the_old_or_the_new_when_everything_fails_from_a_call_on(void **state)
{
	uint8_t data[NEW];
	unsigned n;
	bool done = false;

	memset(data, 2, sizeof(data));
	for (n = 1; !done; n++) {
		char name[16];
		const char *path;
		struct faultio f;

		/* A name of its own: the temporary files stay. */
		snprintf(name, sizeof(name), "%u", n);
		path = tmpdir_path(state, name);
		tmpdir_fill(path, OLD, 1);
		faultio_init(&f);
		f.most = 300;
		f.torn = true;
		f.fail_at = n;
		f.dead = true;
		done = !fm_io_store(&f.io, path, data, NEW, NULL);
		assert_true(old_or_new(path) == (n >= 8));
	}
	assert_int_equal(n, 10);
}

static void store_steps_over_what_a_crash_left(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct faultio f;
	struct fm_error err = { 0 };

	/* Its own failed attempts, whose temporary file could not be removed either. */
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(tmpdir_entries(state), i);
		faultio_init(&f);
		f.dead = true;
		f.fail_at = 2 + i;
		assert_int_equal(fm_io_store(&f.io, path, "new", 3, &err), FM_ERR_IO);
	}
	assert_int_equal(fm_io_store(NULL, path, "new", 3, &err), FM_ERR_EXISTS);
	assert_int_equal(tmpdir_size(path), -1);
}

static void store_replaces_no_device_and_no_pipe(void **state)
{
	const char *path = tmpdir_path(state, "pipe"), *link = tmpdir_path(state, "link");
	struct fm_error err = { 0 };
	struct stat st;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fm_io_store(NULL, path, "new", 3, &err), FM_ERR_EXISTS);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(tmpdir_entries(state), 1);
	/* A link to one, as /dev/stdout is. */
	assert_int_equal(symlink("pipe", link), 0);
	assert_int_equal(fm_io_store(NULL, link, "new", 3, &err), FM_ERR_EXISTS);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(tmpdir_entries(state), 2);
}

static void store_by_a_link_makes_the_file_that_it_leads_to(void **state)
{
	const char *path = tmpdir_path(state, "file"), *link = tmpdir_path(state, "link");
	struct fm_error err = { 0 };
	struct stat st;

	assert_int_equal(symlink("file", link), 0);
	assert_int_equal(fm_io_store(NULL, link, "new", 3, &err), FM_ERR_EXISTS);
	assert_int_equal(tmpdir_entries(state), 1);
	tmpdir_fill(path, 7, 1);
	assert_int_equal(fm_io_store(NULL, link, "new", 3, &err), 0);
	assert_int_equal(tmpdir_size(path), 3);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(tmpdir_entries(state), 2);
}

static void store_says_which_file_and_why(void **state)
{
	const char *path = tmpdir_path(state, "none/x");
	struct fm_error err = { 0 };

	assert_int_equal(fm_io_store(NULL, path, "x", 1, &err), FM_ERR_NOT_FOUND);
	assert_int_equal(err.sys, ENOENT);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(fm_io_store(NULL, NULL, "x", 1, NULL), FM_ERR_ARG);
	assert_int_equal(fm_io_store(NULL, path, NULL, 1, NULL), FM_ERR_ARG);
}

/* --- the rest ----------------------------------------------------------------------------- */

static void an_incomplete_seam_is_refused(void **state)
{
	struct faultio f;
	struct fm_error err = { 0 };
	void *data;
	size_t len;

	faultio_init(&f);
	f.ops.sync_dir = NULL;
	assert_int_equal(fm_io_store(&f.io, "x", "x", 1, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "ops"));
	assert_int_equal(fm_io_load(&f.io, "x", 1, &data, &len, NULL), FM_ERR_ARG);
	faultio_init(&f);
	f.ops.struct_size = 0;
	assert_int_equal(fm_io_store(&f.io, "x", "x", 1, NULL), FM_ERR_ARG);
	f.io.ops = NULL;
	assert_int_equal(fm_io_store(&f.io, "x", "x", 1, NULL), FM_ERR_ARG);
	assert_int_equal(f.calls, 0);
}

static void each_errno_has_its_nearest_code(void **state)
{
	static const struct {
		int sys, code;
	} table[] = {
		{ 0, 0 },
		{ ENOENT, FM_ERR_NOT_FOUND },
		{ ENOTDIR, FM_ERR_NOT_FOUND },
		{ EEXIST, FM_ERR_EXISTS },
		{ EACCES, FM_ERR_ACCESS },
		{ EPERM, FM_ERR_ACCESS },
		{ EROFS, FM_ERR_ACCESS },
		{ EBUSY, FM_ERR_BUSY },
		{ ENOMEM, FM_ERR_NOMEM },
		{ ENOSPC, FM_ERR_NOSPACE },
		{ EDQUOT, FM_ERR_NOSPACE },
		{ EFBIG, FM_ERR_NOSPACE },
		{ EAGAIN, FM_ERR_LOCKED },
		{ EOPNOTSUPP, FM_ERR_UNSUPPORTED },
		{ ENOSYS, FM_ERR_UNSUPPORTED },
		{ EISDIR, FM_ERR_ARG },
		{ EIO, FM_ERR_IO },
		{ EINVAL, FM_ERR_IO },
		{ 100000, FM_ERR_IO },
		{ -1, FM_ERR_IO },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(fm_io_err(-table[i].sys), table[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(transfers_go_on_after_short_and_interrupted_ones),
		tmpdir_test(a_file_that_ends_early_is_an_error),
		cmocka_unit_test(a_seam_that_makes_no_sense_is_an_error),
		tmpdir_test(a_transfer_stops_at_the_first_error),
		tmpdir_test(load_gives_the_whole_file),
		tmpdir_test(load_refuses_more_than_the_limit),
		tmpdir_test(load_says_which_file_and_why),
		tmpdir_test(load_leaves_nothing_open_at_any_failing_call),
		tmpdir_test(store_makes_and_replaces),
		tmpdir_test(store_syncs_the_data_before_the_name_and_the_name_last),
		tmpdir_test(store_leaves_the_old_or_the_new_at_every_failing_call),
		tmpdir_test(store_leaves_the_old_or_the_new_when_everything_fails_from_a_call_on),
		tmpdir_test(store_steps_over_what_a_crash_left),
		tmpdir_test(store_replaces_no_device_and_no_pipe),
		tmpdir_test(store_by_a_link_makes_the_file_that_it_leads_to),
		tmpdir_test(store_says_which_file_and_why),
		cmocka_unit_test(an_incomplete_seam_is_refused),
		cmocka_unit_test(each_errno_has_its_nearest_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
