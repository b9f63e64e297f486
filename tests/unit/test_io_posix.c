/* SPDX-License-Identifier: BSD-2-Clause */
/* The seam over the host's own files. */
#include "tests/unit/child.h"
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

static void a_descriptor_that_appends_cannot_be_written(void **state)
{
	int fd = open(tmpdir_path(state, "a"), O_RDWR | O_CREAT | O_APPEND, 0600);
	struct fm_file *file;

	assert_true(fd >= 0);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_READ | FM_IO_WRITE, &file), -EBADF);
	assert_int_equal(ops()->open_fd(NULL, fd, FM_IO_READ, &file), 0);
	ops()->close(NULL, file);
	close(fd);
}

/* The linker puts this in front of the allocator. */
static bool no_memory;
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
	return no_memory ? NULL : __real_malloc(n);
}

static void without_memory_no_file_is_made_and_no_descriptor_kept(void **state)
{
	const char *path = tmpdir_path(state, "a");
	int fd = open(tmpdir_path(state, "b"), O_RDWR | O_CREAT, 0600);
	struct fm_file *file;
	int by_path, by_fd, next;

	no_memory = true;
	by_path = ops()->open(NULL, path, FM_IO_WRITE | FM_IO_CREATE, &file);
	by_fd = ops()->open_fd(NULL, fd, FM_IO_WRITE, &file);
	no_memory = false;
	assert_int_equal(by_path, -ENOMEM);
	assert_int_equal(by_fd, -ENOMEM);
	assert_int_equal(access(path, F_OK), -1);
	next = dup(fd);
	assert_int_equal(next, fd + 1);
	close(next);
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
	assert_int_equal(holder, getpid()); /* the kernel names none: it was looked for */
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

static void a_new_name_takes_no_ones_place(void **state)
{
	const char *a = tmpdir_path(state, "a"), *b = tmpdir_path(state, "b");

	tmpdir_fill(a, 3, 1);
	tmpdir_fill(b, 5, 1);
	assert_int_equal(ops()->rename_new(NULL, a, b), -EEXIST);
	assert_int_equal(tmpdir_size(b), 5);
	assert_int_equal(unlink(b), 0);
	assert_int_equal(symlink("nowhere", b), 0);
	assert_int_equal(ops()->rename_new(NULL, a, b), -EEXIST);
	assert_int_equal(unlink(b), 0);
	assert_int_equal(ops()->rename_new(NULL, a, b), 0);
	assert_int_equal(tmpdir_size(b), 3);
	assert_int_equal(ops()->rename_new(NULL, a, b), -ENOENT);
	assert_int_equal(tmpdir_entries(state), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(open_makes_a_file_only_when_told_and_for_its_owner_alone),
		tmpdir_test(a_folder_and_a_pipe_are_refused_at_once),
		tmpdir_test(descriptors_do_not_reach_other_programs_nor_block),
		tmpdir_test(a_passed_descriptor_is_duplicated),
		tmpdir_test(a_passed_descriptor_must_allow_what_is_wanted),
		tmpdir_test(a_descriptor_that_appends_cannot_be_written),
		tmpdir_test(without_memory_no_file_is_made_and_no_descriptor_kept),
		tmpdir_test(identity_tells_names_from_files),
		tmpdir_test(allocate_extends_and_keeps_what_is_there),
		tmpdir_test(allocate_works_where_the_file_system_cannot),
		tmpdir_test(allocate_and_truncate_report_a_limit),
		tmpdir_test(offsets_beyond_the_host_are_errors),
		tmpdir_test(locks_belong_to_the_open_file),
		tmpdir_test(lock_test_names_the_process_where_the_host_can),
		tmpdir_test(map_goes_where_it_is_told),
		tmpdir_test(names_are_renamed_unlinked_and_synced),
		tmpdir_test(a_new_name_takes_no_ones_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
