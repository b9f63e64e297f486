/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks whose pages are there from the start: preallocated, locked. */
#include "tests/unit/blockutil.h"
#include "tests/unit/child.h"
#include "tests/unit/tmpdir.h"

#include <signal.h>
#include <sys/resource.h>

#define LEN (10 * PAGE)

/* --- memory ------------------------------------------------------------ */

static void preallocation_brings_every_page_in(void **state)
{
	static const struct {
		enum fm_backing backing;
		unsigned flags;
	} kinds[] = {
		{ FM_BACKING_ANON, 0 },
		{ FM_BACKING_ANON, FM_BLOCK_SHARED },
		{ FM_BACKING_MEMFD, 0 },
	};
	/* More threads than pages, too. */
	static const unsigned threads[] = { 0, 1, 3, 16 };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct fm_block *b =
			must_make(BLOCK_CONFIG(.backing = kinds[i].backing, .flags = kinds[i].flags,
					       .len = LEN + 1));

		assert_false(resident(b));
		fm_block_free(b);
		for (size_t t = 0; t < 4; t++) {
			b = must_make(BLOCK_CONFIG(.backing = kinds[i].backing,
						   .flags = kinds[i].flags | FM_BLOCK_PREALLOC,
						   .prealloc_threads = threads[t], .len = LEN + 1));
			assert_true(resident(b));
			assert_true(all_bytes(fm_block_ptr(b), LEN + 1, 0));
			fm_block_free(b);
		}
	}
}

/* A kernel before 5.14. */
static int preallocate_without_populate(void *arg)
{
	uint8_t *mine = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fm_block *b;

	mine[PAGE] = 9;
	if (!child_deny(SYS_madvise, 2, MADV_POPULATE_WRITE, EINVAL) ||
	    !child_deny(SYS_madvise, 2, MADV_POPULATE_READ, EINVAL))
		return CHILD_SKIP;
	CHILD_CHECK(madvise(mine, PAGE, MADV_POPULATE_WRITE) < 0);
	b = try_make(BLOCK_CONFIG(.len = LEN, .flags = FM_BLOCK_PREALLOC, .prealloc_threads = 3));
	CHILD_CHECK(b);
	CHILD_CHECK(resident(b));
	b = try_make(
		BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN, .flags = FM_BLOCK_PREALLOC));
	CHILD_CHECK(b);
	CHILD_CHECK(resident(b));
	b = try_make(BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .len = LEN, .ptr = mine,
				  .flags = FM_BLOCK_PREALLOC));
	CHILD_CHECK(b);
	CHILD_CHECK(resident(b) && mine[0] == 0 && mine[PAGE] == 9);
	CHILD_CHECK(
		try_make(BLOCK_CONFIG(.len = LEN, .flags = FM_BLOCK_PREALLOC | FM_BLOCK_READONLY)));
	return 0;
}

static void preallocation_works_on_kernels_that_cannot_populate(void **state)
{
	child_run(preallocate_without_populate, NULL);
}

static int preallocate_where_memory_fails(void *arg)
{
	struct fm_block_config cfg =
		BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN, .prealloc_threads = 4,
			     .flags = FM_BLOCK_PREALLOC);

	if (!child_deny(SYS_madvise, 2, MADV_POPULATE_WRITE, *(const int *)arg))
		return CHILD_SKIP;
	CHILD_CHECK(is_refused(cfg, *(const int *)arg == EFAULT ? FM_ERR_NOSPACE : FM_ERR_NOMEM,
			       "block blk (memfd): preallocation"));
	return 0;
}

static void preallocation_reports_instead_of_a_signal(void **state)
{
	int fault = EFAULT, nomem = ENOMEM;

	child_run(preallocate_where_memory_fails, &fault);
	child_run(preallocate_where_memory_fails, &nomem);
}

static int preallocate_on_a_full_host(void *arg)
{
	if (!child_deny(SYS_fallocate, -1, 0, ENOSPC))
		return CHILD_SKIP;
	CHILD_CHECK(is_refused(
		BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN, .flags = FM_BLOCK_PREALLOC),
		FM_ERR_NOSPACE, "block blk (memfd): preallocation"));
	CHILD_CHECK(try_make(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN)));
	return 0;
}

static void preallocation_of_a_memfd_reserves_before_it_touches(void **state)
{
	child_run(preallocate_on_a_full_host, NULL);
}

static int memfd_over_the_limit(void *arg)
{
	struct rlimit limit = { PAGE, PAGE };

	signal(SIGXFSZ, SIG_IGN);
	CHILD_CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
	CHILD_CHECK(is_refused(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN),
			       FM_ERR_NOSPACE, "block blk (memfd): size"));
	return 0;
}

static void a_memfd_that_may_not_grow_is_an_error(void **state)
{
	child_run(memfd_over_the_limit, NULL);
}

static long locked_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "VmLck:", 6))
			kib = strtol(line + 6, NULL, 10);
	}
	if (f)
		fclose(f);
	return kib;
}

/* Sanitizers turn mlock() into nothing. */
static bool mlock_works(void)
{
	static uint8_t byte;
	long before = locked_kib();
	bool works = !mlock(&byte, 1) && locked_kib() > before;

	munlock(&byte, 1);
	return works;
}

static void a_locked_block_is_locked_until_it_is_freed(void **state)
{
	long before = locked_kib();
	struct fm_block *b;

	if (!mlock_works()) {
		print_message("skipped: mlock has no effect that can be seen\n");
		skip();
	}
	b = must_make(BLOCK_CONFIG(.len = LEN, .flags = FM_BLOCK_LOCKED));
	assert_true(resident(b));
	assert_int_equal(locked_kib(), before + (long)(LEN / 1024));
	fm_block_free(b);
	assert_int_equal(locked_kib(), before);
}

static int lock_over_the_limit(void *arg)
{
	if (!mlock_works() || !child_deny(SYS_mlock, -1, 0, EPERM))
		return CHILD_SKIP;
	CHILD_CHECK(is_refused(BLOCK_CONFIG(.len = LEN, .flags = FM_BLOCK_LOCKED), FM_ERR_NOMEM,
			       "block blk (anon): mlock"));
	return 0;
}

static void a_block_that_cannot_be_locked_is_an_error(void **state)
{
	child_run(lock_over_the_limit, NULL);
}

/* --- files ------------------------------------------------------------------------ */

static long long disk_bytes(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (long long)st.st_blocks * 512;
}

/* A file of LEN bytes that has only its first. */
static void make_sparse(const char *path)
{
	tmpdir_fill(path, 1, 7);
	assert_int_equal(truncate(path, (off_t)LEN), 0);
}

/* Its bytes change, its size never: cutting a file takes even private pages away. */
static bool overwrite(const char *path, uint8_t byte)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0;

	for (size_t i = 0; i < LEN; i++)
		ok &= pwrite(fd, &byte, 1, (off_t)i) == 1;
	close(fd);
	return ok;
}

static void preallocation_gives_a_shared_file_its_space(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;

	make_sparse(path);
	if (disk_bytes(path) >= (long long)LEN) {
		print_message("skipped: the file system makes no holes\n");
		skip();
	}
	b = must_make(FILE_CONFIG(.path = path, .prealloc_threads = 3,
				  .flags = FM_BLOCK_SHARED | FM_BLOCK_PREALLOC));
	assert_true(disk_bytes(path) >= (long long)LEN);
	assert_int_equal(bytes(b)[0], 7);
	assert_true(all_bytes(bytes(b) + 1, LEN - 1, 0));
	fm_block_free(b);
	assert_int_equal(tmpdir_size(path), LEN);
	assert_int_equal(tmpdir_byte(path, 0), 7);
}

static void preallocation_keeps_to_its_part_of_the_file(void **state)
{
	const char *path = tmpdir_path(state, "f");
	struct fm_block *b;

	make_sparse(path);
	b = must_make(FILE_CONFIG(.path = path, .file_off = 2 * PAGE, .len = PAGE,
				  .flags = FM_BLOCK_SHARED | FM_BLOCK_PREALLOC));
	assert_true(disk_bytes(path) < (long long)LEN);
	fm_block_free(b);
}

static void preallocation_of_a_private_block_leaves_the_file_alone(void **state)
{
	const char *path = tmpdir_path(state, "f");
	long long before;
	struct fm_block *b;

	make_sparse(path);
	before = disk_bytes(path);
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_PREALLOC));
	assert_int_equal(bytes(b)[0], 7);
	assert_true(all_bytes(bytes(b) + 1, LEN - 1, 0));
	/* Pages of its own: what the file gets now does not show. */
	assert_true(overwrite(path, 1));
	assert_int_equal(bytes(b)[0], 7);
	assert_true(all_bytes(bytes(b) + 1, LEN - 1, 0));
	fm_block_free(b);
	make_sparse(path);
	assert_int_equal(disk_bytes(path), before);
}

static int prealloc_without_populate(void *path)
{
	struct fm_block *b;

	if (!child_deny(SYS_madvise, 2, MADV_POPULATE_WRITE, EINVAL) ||
	    !child_deny(SYS_madvise, 2, MADV_POPULATE_READ, EINVAL))
		return CHILD_SKIP;
	b = try_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_PREALLOC));
	CHILD_CHECK(b && bytes(b)[0] == 7);
	CHILD_CHECK(overwrite(path, 1));
	CHILD_CHECK(bytes(b)[0] == 7 && all_bytes(bytes(b) + 1, LEN - 1, 0));
	b = try_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_PREALLOC | FM_BLOCK_SHARED));
	CHILD_CHECK(b && all_bytes(bytes(b), LEN, 1));
	b = try_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_PREALLOC | FM_BLOCK_READONLY));
	CHILD_CHECK(b && all_bytes(bytes(b), LEN, 1));
	return 0;
}

static void preallocation_of_a_file_works_on_kernels_that_cannot_populate(void **state)
{
	char path[300];

	snprintf(path, sizeof(path), "%s", tmpdir_path(state, "f"));
	make_sparse(path);
	child_run(prealloc_without_populate, path);
	assert_int_equal(tmpdir_size(path), LEN);
	assert_int_equal(tmpdir_byte(path, 0), 1);
}

static int prealloc_of_a_bad_disk(void *path)
{
	if (!child_deny(SYS_madvise, 2, MADV_POPULATE_WRITE, EFAULT))
		return CHILD_SKIP;
	CHILD_CHECK(is_refused(FILE_CONFIG(.path = path, .flags = FM_BLOCK_PREALLOC), FM_ERR_IO,
			       "block blk (file): preallocation"));
	return 0;
}

static void preallocation_reports_a_page_that_cannot_be_read(void **state)
{
	char path[300];

	snprintf(path, sizeof(path), "%s", tmpdir_path(state, "f"));
	tmpdir_fill(path, LEN, 7);
	child_run(prealloc_of_a_bad_disk, path);
}

static bool mount_small_tmpfs(const char *folder)
{
	return child_mount_tmpfs(folder, 4 * PAGE);
}

static int prealloc_on_a_full_file_system(void *folder)
{
	struct fm_block_config cfg =
		FILE_CONFIG(.len = LEN,
			    .flags = FM_BLOCK_SHARED | FM_BLOCK_PREALLOC | FM_BLOCK_CREATE);
	char path[400];
	struct fm_block *b;

	if (!mount_small_tmpfs(folder))
		return CHILD_SKIP;
	snprintf(path, sizeof(path), "%s/f", (const char *)folder);
	cfg.path = path;
	CHILD_CHECK(is_refused(cfg, FM_ERR_NOSPACE, "block blk (file)"));
	CHILD_CHECK(tmpdir_size(path) == -1);
	/* An empty file is as before; a sparse one keeps its size and what it has. */
	CHILD_CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
	CHILD_CHECK(is_refused(cfg, FM_ERR_NOSPACE, path));
	CHILD_CHECK(tmpdir_size(path) == 0);
	CHILD_CHECK(!truncate(path, (off_t)LEN));
	CHILD_CHECK(is_refused(cfg, FM_ERR_NOSPACE, strerror(ENOSPC)));
	CHILD_CHECK(tmpdir_size(path) == (long long)LEN);
	/* Where it is not asked for, nothing is missing. */
	cfg.flags = FM_BLOCK_SHARED;
	b = try_make(cfg);
	CHILD_CHECK(b);
	fm_block_free(b);
	/* Only to look at a hole takes a page of this file system: still no signal. */
	cfg.flags = FM_BLOCK_PREALLOC | FM_BLOCK_READONLY;
	CHILD_CHECK(is_refused(cfg, FM_ERR_IO, "a page cannot be had"));
	return 0;
}

static void preallocation_on_a_full_file_system_is_an_error_not_a_signal(void **state)
{
	char folder[300];

	snprintf(folder, sizeof(folder), "%s", tmpdir_path(state, "mnt"));
	assert_int_equal(mkdir(folder, 0700), 0);
	child_run(prealloc_on_a_full_file_system, folder);
}

static int over_the_limit(void *path)
{
	struct rlimit limit = { PAGE, PAGE };

	signal(SIGXFSZ, SIG_IGN);
	CHILD_CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
	CHILD_CHECK(is_refused(
		FILE_CONFIG(.path = path, .len = LEN, .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED),
		FM_ERR_NOSPACE, "set the size"));
	CHILD_CHECK(tmpdir_size(path) == -1);
	return 0;
}

static void a_file_that_may_not_be_that_large_is_an_error(void **state)
{
	char path[300];

	snprintf(path, sizeof(path), "%s", tmpdir_path(state, "f"));
	child_run(over_the_limit, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preallocation_brings_every_page_in),
		cmocka_unit_test(preallocation_works_on_kernels_that_cannot_populate),
		cmocka_unit_test(preallocation_reports_instead_of_a_signal),
		cmocka_unit_test(preallocation_of_a_memfd_reserves_before_it_touches),
		cmocka_unit_test(a_memfd_that_may_not_grow_is_an_error),
		cmocka_unit_test(a_locked_block_is_locked_until_it_is_freed),
		cmocka_unit_test(a_block_that_cannot_be_locked_is_an_error),
		tmpdir_test(preallocation_gives_a_shared_file_its_space),
		tmpdir_test(preallocation_keeps_to_its_part_of_the_file),
		tmpdir_test(preallocation_of_a_private_block_leaves_the_file_alone),
		tmpdir_test(preallocation_of_a_file_works_on_kernels_that_cannot_populate),
		tmpdir_test(preallocation_reports_a_page_that_cannot_be_read),
		tmpdir_test(preallocation_on_a_full_file_system_is_an_error_not_a_signal),
		tmpdir_test(a_file_that_may_not_be_that_large_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
