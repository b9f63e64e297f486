/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/child.h"
#include "tests/unit/faultio.h"
#include "tests/unit/tmpdir.h"

#include "devices/io_private.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

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

/* --- the host's own files ----------------------------------------------------------------- */

static void open_makes_a_file_only_when_told_and_for_its_owner_alone(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct fm_file *file;
	struct stat st;

	assert_int_equal(ops()->open(NULL, path, FM_IO_READ | FM_IO_WRITE, &file), -ENOENT);
	umask(0);
	ops()->close(NULL, must_open(path, FM_IO_WRITE | FM_IO_CREATE));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	ops()->close(NULL, must_open(path, FM_IO_WRITE | FM_IO_CREATE));
	assert_int_equal(ops()->open(NULL, path, FM_IO_WRITE | FM_IO_CREATE | FM_IO_EXCL, &file),
			 -EEXIST);
}

static void a_folder_and_a_pipe_are_refused_at_once(void **state)
{
	const char *fifo = tmpdir_path(state, "fifo");
	struct fm_file *file;
	int ends[2];

	assert_int_equal(ops()->open(NULL, *state, FM_IO_READ, &file), -EISDIR);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(ops()->open(NULL, fifo, FM_IO_READ, &file), -ESPIPE);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(ops()->open_fd(NULL, ends[0], FM_IO_READ, &file), -ESPIPE);
	close(ends[0]);
	close(ends[1]);
}

static void descriptors_do_not_reach_other_programs_nor_block(void **state)
{
	struct fm_file *file = must_open(tmpdir_path(state, "a"), FM_IO_WRITE | FM_IO_CREATE);
	struct fm_file *twin;

	assert_true(fcntl(ops()->fd(NULL, file), F_GETFD) & FD_CLOEXEC);
	assert_false(fcntl(ops()->fd(NULL, file), F_GETFL) & O_NONBLOCK);
	assert_int_equal(ops()->open_fd(NULL, ops()->fd(NULL, file), FM_IO_WRITE, &twin), 0);
	assert_true(fcntl(ops()->fd(NULL, twin), F_GETFD) & FD_CLOEXEC);
	ops()->close(NULL, twin);
	ops()->close(NULL, file);
}

static void a_passed_descriptor_is_duplicated(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct fm_file *file;
	uint64_t size;
	int fd;

	tmpdir_fill(path, 100, 1);
	fd = open(path, O_RDWR);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_READ | FM_IO_WRITE, &file), 0);
	assert_int_not_equal(ops()->fd(NULL, file), fd);
	close(fd);
	assert_int_equal(ops()->size(NULL, file, &size), 0);
	assert_int_equal(size, 100);
	fd = dup(ops()->fd(NULL, file));
	ops()->close(NULL, file);
	assert_int_equal(lseek(fd, 0, SEEK_END), 100);
	close(fd);
}

static void a_passed_descriptor_must_allow_what_is_wanted(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct fm_file *file;
	int fd;

	tmpdir_fill(path, 1, 1);
	fd = open(path, O_RDONLY);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_READ | FM_IO_WRITE, &file), -EACCES);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_READ, &file), 0);
	ops()->close(NULL, file);
	close(fd);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_READ, &file), -EBADF);
	assert_int_equal(ops()->open_fd(NULL, -1, FM_IO_READ, &file), -EBADF);
	fd = open(path, O_WRONLY);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_READ, &file), -EACCES);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_WRITE, &file), 0);
	ops()->close(NULL, file);
	close(fd);
}

static void identity_tells_names_from_files(void **state)
{
	const char *a = tmpdir_path(state, "a"), *b = tmpdir_path(state, "b");
	const char *link_to_a = tmpdir_path(state, "c");
	struct fm_file *files[3];
	struct fm_file_id id[3];

	tmpdir_fill(a, 1, 1);
	tmpdir_fill(b, 1, 1);
	assert_int_equal(symlink(a, link_to_a), 0);
	files[0] = must_open(a, FM_IO_READ);
	files[1] = must_open(b, FM_IO_READ);
	files[2] = must_open(link_to_a, FM_IO_READ);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ops()->identity(NULL, files[i], &id[i]), 0);
		ops()->close(NULL, files[i]);
	}
	assert_memory_equal(&id[0], &id[2], sizeof(id[0]));
	assert_memory_not_equal(&id[0], &id[1], sizeof(id[0]));
}

static void allocate_extends_and_keeps_what_is_there(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct fm_file *file;
	struct stat st;
	uint8_t byte;

	tmpdir_fill(path, 3, 7);
	file = must_open(path, FM_IO_READ | FM_IO_WRITE);
	assert_int_equal(ops()->allocate(NULL, file, 0, 1 << 20), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1 << 20);
	assert_true(st.st_blocks * 512 >= 1 << 20);
	assert_int_equal(fm_io_read_all(fm_io_posix(), file, &byte, 1, 2), 0);
	assert_int_equal(byte, 7);
	assert_int_equal(ops()->allocate(NULL, file, 0, 0), 0);
	assert_int_equal(ops()->allocate(NULL, file, 0, 100), 0);
	assert_int_equal(tmpdir_size(path), 1 << 20);
	ops()->close(NULL, file);
}

struct sparse {
	const char *path;
	struct fm_file *file;
};

/* A file system without fallocate(2). */
static int allocate_without_fallocate(void *arg)
{
	const struct sparse *s = arg;
	struct stat st;
	uint8_t byte;

	if (!child_deny(SYS_fallocate, -1, 0, EOPNOTSUPP))
		return CHILD_SKIP;
	CHILD_CHECK(fallocate(ops()->fd(NULL, s->file), 0, 0, 1) < 0);
	CHILD_CHECK(!ops()->allocate(NULL, s->file, 5000, 1 << 20));
	CHILD_CHECK(!stat(s->path, &st) && st.st_size == 5000 + (1 << 20));
	CHILD_CHECK(st.st_blocks * 512 >= 1 << 20);
	for (uint64_t at = 0; at < 300000; at += 64) {
		CHILD_CHECK(ops()->pread(NULL, s->file, &byte, 1, at) == 1);
		CHILD_CHECK(byte == (at == 65536 || at == 131072 + 64 ? 7 : 0));
	}
	return 0;
}

static void allocate_works_where_the_file_system_cannot(void **state)
{
	struct sparse s = { .path = tmpdir_path(state, "a") };

	tmpdir_fill(s.path, 0, 0);
	s.file = must_open(s.path, FM_IO_READ | FM_IO_WRITE);
	/* Where a block begins, and inside one. */
	assert_int_equal(ops()->pwrite(NULL, s.file, "\7", 1, 65536), 1);
	assert_int_equal(ops()->pwrite(NULL, s.file, "\7", 1, 131072 + 64), 1);
	child_run(allocate_without_fallocate, &s);
	ops()->close(NULL, s.file);
}

static int allocate_over_the_limit(void *arg)
{
	struct rlimit limit = { 4096, 4096 };
	struct fm_file *file;

	signal(SIGXFSZ, SIG_IGN);
	CHILD_CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
	CHILD_CHECK(!ops()->open(NULL, arg, FM_IO_READ | FM_IO_WRITE, &file));
	CHILD_CHECK(ops()->allocate(NULL, file, 0, 8192) == -EFBIG);
	CHILD_CHECK(ops()->truncate(NULL, file, 8192) == -EFBIG);
	CHILD_CHECK(fmi_posix_allocate_by_writing(ops()->fd(NULL, file), 0, 8192) == -EFBIG);
	return 0;
}

static void allocate_and_truncate_report_a_limit(void **state)
{
	char path[300];

	snprintf(path, sizeof(path), "%s", tmpdir_path(state, "a"));
	tmpdir_fill(path, 1, 1);
	child_run(allocate_over_the_limit, path);
}

static void offsets_beyond_the_host_are_errors(void **state)
{
	struct fm_file *file =
		must_open(tmpdir_path(state, "a"), FM_IO_READ | FM_IO_WRITE | FM_IO_CREATE);
	const uint64_t far = (uint64_t)INT64_MAX + 1;
	char byte = 0;
	void *p = NULL;
	pid_t pid;

	assert_true(ops()->pread(NULL, file, &byte, 1, far) < 0);
	assert_true(ops()->pwrite(NULL, file, &byte, 1, far) < 0);
	assert_true(ops()->truncate(NULL, file, far) < 0);
	assert_true(ops()->allocate(NULL, file, far - 1, 2) < 0);
	assert_true(ops()->allocate(NULL, file, UINT64_MAX, UINT64_MAX) < 0);
	assert_true(ops()->map(NULL, file, far, 4096, PROT_READ, MAP_SHARED, &p) < 0);
	assert_true(ops()->lock(NULL, file, FM_IO_LOCK_SHARED, far, 1) < 0);
	assert_true(ops()->lock_test(NULL, file, FM_IO_LOCK_SHARED, 1, UINT64_MAX, &pid) < 0);
	assert_int_equal(tmpdir_size(tmpdir_path(state, "a")), 0);
	ops()->close(NULL, file);
}

static void locks_belong_to_the_open_file(void **state)
{
	const unsigned rw = FM_IO_READ | FM_IO_WRITE;
	const char *path = tmpdir_path(state, "a");
	struct fm_file *a = must_open(path, rw | FM_IO_CREATE), *b = must_open(path, rw);
	struct fm_file *passer_by;
	pid_t holder = 0;

	assert_int_equal(ops()->lock(NULL, a, FM_IO_LOCK_EXCLUSIVE, 100, 1), 0);
	assert_int_equal(ops()->lock(NULL, b, FM_IO_LOCK_EXCLUSIVE, 100, 1), -EAGAIN);
	assert_int_equal(ops()->lock(NULL, b, FM_IO_LOCK_SHARED, 100, 1), -EAGAIN);
	assert_int_equal(ops()->lock(NULL, b, FM_IO_LOCK_EXCLUSIVE, 101, 1), 0);
	assert_int_equal(ops()->lock_test(NULL, b, FM_IO_LOCK_SHARED, 100, 1, &holder), -EAGAIN);
	assert_int_equal(holder, -1); /* the kernel names no process for OFD locks */
	assert_int_equal(ops()->lock_test(NULL, b, FM_IO_LOCK_SHARED, 99, 1, &holder), 0);
	assert_int_equal(ops()->lock_test(NULL, b, FM_IO_UNLOCK, 99, 1, &holder), -EINVAL);
	assert_int_equal(ops()->lock(NULL, b, 7, 99, 1), -EINVAL);
	/* The traditional locks of a process would be gone now. */
	passer_by = must_open(path, FM_IO_READ);
	ops()->close(NULL, passer_by);
	assert_int_equal(ops()->lock(NULL, b, FM_IO_LOCK_SHARED, 100, 1), -EAGAIN);
	assert_int_equal(ops()->lock(NULL, a, FM_IO_LOCK_SHARED, 100, 1), 0);
	assert_int_equal(ops()->lock(NULL, b, FM_IO_LOCK_SHARED, 100, 1), 0);
	assert_int_equal(ops()->lock(NULL, b, FM_IO_UNLOCK, 100, 1), 0);
	assert_int_equal(ops()->lock(NULL, a, FM_IO_LOCK_EXCLUSIVE, 100, 1), 0);
	ops()->close(NULL, a);
	assert_int_equal(ops()->lock(NULL, b, FM_IO_LOCK_EXCLUSIVE, 100, 1), 0);
	ops()->close(NULL, b);
}

static void lock_test_names_the_process_where_the_host_can(void **state)
{
	const char *path = tmpdir_path(state, "a");
	struct fm_file *file = must_open(path, FM_IO_READ | FM_IO_WRITE | FM_IO_CREATE);
	int ready[2], go[2];
	pid_t pid, holder = 0;
	char byte;

	assert_int_equal(pipe(ready) || pipe(go), 0);
	pid = fork();
	if (!pid) {
		struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
		int fd = open(path, O_RDWR);
		bool ok = fcntl(fd, F_SETLK, &fl) == 0 && write(ready[1], "", 1) == 1;

		close(go[1]);
		_exit(ok && read(go[0], &byte, 1) == 0 ? 0 : 2);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(ops()->lock_test(NULL, file, FM_IO_LOCK_SHARED, 5, 1, &holder), -EAGAIN);
	assert_int_equal(holder, pid);
	close(go[0]);
	close(go[1]);
	close(ready[0]);
	close(ready[1]);
	waitpid(pid, NULL, 0);
	ops()->close(NULL, file);
}

static void map_goes_where_it_is_told(void **state)
{
	const char *path = tmpdir_path(state, "a");
	char *room = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fm_file *file;
	void *p = room + PAGE;

	tmpdir_fill(path, 2 * PAGE, 5);
	file = must_open(path, FM_IO_READ | FM_IO_WRITE);
	assert_int_equal(ops()->map(NULL, file, PAGE, PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, &p),
			 0);
	assert_ptr_equal(p, room + PAGE);
	room[PAGE] = 9;
	assert_int_equal(ops()->msync(NULL, p, PAGE), 0);
	assert_int_equal(ops()->unmap(NULL, p, PAGE), 0);
	/* What *out holds means nothing without MAP_FIXED. */
	p = room;
	assert_int_equal(ops()->map(NULL, file, 0, 2 * PAGE, PROT_READ, MAP_PRIVATE, &p), 0);
	assert_ptr_not_equal(p, room);
	assert_int_equal(((char *)p)[0], 5);
	assert_int_equal(((char *)p)[PAGE], 9);
	assert_int_equal(ops()->unmap(NULL, p, 2 * PAGE), 0);
	assert_int_equal(ops()->map(NULL, file, 1, PAGE, PROT_READ, MAP_PRIVATE, &p), -EINVAL);
	ops()->close(NULL, file);
	munmap(room, 3 * PAGE);
}

static void names_are_renamed_unlinked_and_synced(void **state)
{
	const char *a = tmpdir_path(state, "a"), *b = tmpdir_path(state, "b");

	tmpdir_fill(a, 3, 1);
	assert_int_equal(ops()->rename(NULL, a, b), 0);
	assert_int_equal(tmpdir_size(a), -1);
	assert_int_equal(tmpdir_size(b), 3);
	assert_int_equal(ops()->rename(NULL, a, b), -ENOENT);
	assert_int_equal(ops()->sync_dir(NULL, b), 0);
	assert_int_equal(ops()->sync_dir(NULL, "name-without-a-folder"), 0);
	assert_int_equal(ops()->sync_dir(NULL, "/name"), 0);
	assert_int_equal(ops()->sync_dir(NULL, tmpdir_path(state, "none/x")), -ENOENT);
	assert_int_equal(ops()->unlink(NULL, b), 0);
	assert_int_equal(ops()->unlink(NULL, b), -ENOENT);
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
		tmpdir_test(open_makes_a_file_only_when_told_and_for_its_owner_alone),
		tmpdir_test(a_folder_and_a_pipe_are_refused_at_once),
		tmpdir_test(descriptors_do_not_reach_other_programs_nor_block),
		tmpdir_test(a_passed_descriptor_is_duplicated),
		tmpdir_test(a_passed_descriptor_must_allow_what_is_wanted),
		tmpdir_test(identity_tells_names_from_files),
		tmpdir_test(allocate_extends_and_keeps_what_is_there),
		tmpdir_test(allocate_works_where_the_file_system_cannot),
		tmpdir_test(allocate_and_truncate_report_a_limit),
		tmpdir_test(offsets_beyond_the_host_are_errors),
		tmpdir_test(locks_belong_to_the_open_file),
		tmpdir_test(lock_test_names_the_process_where_the_host_can),
		tmpdir_test(map_goes_where_it_is_told),
		tmpdir_test(names_are_renamed_unlinked_and_synced),
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
		tmpdir_test(store_says_which_file_and_why),
		cmocka_unit_test(an_incomplete_seam_is_refused),
		cmocka_unit_test(each_errno_has_its_nearest_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
