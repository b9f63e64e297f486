/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include <firmem/persist.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIB 1024u
#define LEN (256 * KIB)

/* --- a seam that records syncs and makes the next ones fail ------------------------------- */

struct faulty {
	struct fm_io_ops ops;
	struct fm_io io;
	int fail[4]; /* negative errno for the next calls of msync; 0: it works */
	bool idle;   /* write nothing, whatever is answered */
	unsigned calls, worked;
	uint8_t *addr; /* of the last msync that worked */
	size_t len;
};

static int faulty_msync(void *ctx, void *addr, size_t len)
{
	struct faulty *f = ctx;
	int rc = f->calls < 4 ? f->fail[f->calls] : 0;

	f->calls++;
	/* As the kernel does: the pages become clean although writing them failed. */
	if (!f->idle && fm_io_posix()->ops->msync(NULL, addr, len))
		return -errno;
	if (rc)
		return rc;
	f->worked++;
	f->addr = addr;
	f->len = len;
	return 0;
}

static void faulty_init(struct faulty *f)
{
	memset(f, 0, sizeof(*f));
	f->ops = *fm_io_posix()->ops;
	f->ops.msync = faulty_msync;
	f->io = (struct fm_io){ .ops = &f->ops, .ctx = f };
}

/* --- files and blocks --------------------------------------------------------------------- */

static uint32_t file_system_of(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) ? 0 : (uint32_t)fs.f_type;
}

static char made[4][300]; /* files of the running test */

static int remove_files(void **state)
{
	for (size_t i = 0; i < 4 && made[i][0]; i++) {
		unlink(made[i]);
		made[i][0] = '\0';
	}
	return 0;
}

/* A new file of LEN bytes in `folder`, which goes with the test. */
static void make_file(char *path, size_t size, const char *folder)
{
	int fd;

	snprintf(path, size, "%s/firmem-persist-XXXXXX", folder);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < 4; i++) {
		if (!made[i][0]) {
			snprintf(made[i], sizeof(made[i]), "%s", path);
			break;
		}
	}
	assert_int_equal(ftruncate(fd, LEN), 0);
	close(fd);
}

/* A folder on a file system that writes pages back, or a skip. */
static const char *disk_folder(void)
{
	const char *build = getenv("FIRMEM_BUILD");
	const char *folder = build ? build : P_tmpdir;
	uint32_t type = file_system_of(folder);

	if (type == TMPFS_MAGIC || type == RAMFS_MAGIC) {
		print_message("skipped: %s is in memory\n", folder);
		skip();
	}
	return folder;
}

static struct fm_block *make_block(struct fm_block_config cfg)
{
	struct fm_block *block = NULL;
	struct fm_error err = { 0 };

	cfg.struct_size = sizeof(cfg);
	cfg.name = "pmem0";
	cfg.role = FM_ROLE_NVDIMM;
	if (fm_block_new(&block, &cfg, &err))
		fail_msg("%s", err.msg);
	return block;
}

static struct fm_block *file_block(const char *path, unsigned flags, const struct fm_io *io)
{
	return make_block((struct fm_block_config){
		.backing = FM_BACKING_FILE, .flags = flags, .path = path, .io = io });
}

/* The dirty pages of the mapping at `addr`, in bytes, as the kernel counts them. */
static size_t dirty_bytes(const void *addr)
{
	char line[300], start[32];
	size_t value, sum = 0;
	bool here = false;
	FILE *file = fopen("/proc/self/smaps", "r");

	assert_non_null(file);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)addr);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, start, strlen(start)))
			here = true;
		else if (here && !strncmp(line, "VmFlags:", 8))
			break;
		else if (here && (sscanf(line, "Shared_Dirty: %zu", &value) == 1 ||
				  sscanf(line, "Private_Dirty: %zu", &value) == 1))
			sum += value * KIB;
	}
	fclose(file);
	assert_true(here);
	return sum;
}

static void assert_level(struct fm_block *block, enum fm_persistence level, const char *word)
{
	struct fm_persist *p;

	assert_int_equal(fm_persist_open(&p, block, NULL), 0);
	if (fm_persist_level(p) != level || !strstr(fm_persist_reason(p), word))
		fail_msg("%s: %s", fm_persistence_name(fm_persist_level(p)), fm_persist_reason(p));
	assert_int_equal(fm_persist_range(p, 0, fm_block_len(block), NULL), 0);
	fm_persist_close(p);
}

/* --- levels ------------------------------------------------------------------------------- */

static void memory_without_a_file_outlives_nothing(void **state)
{
	static uint8_t memory[8192];
	struct fm_block *block;

	block = make_block((struct fm_block_config){ .backing = FM_BACKING_ANON, .len = LEN });
	assert_level(block, FM_PERSIST_NONE, "anonymous");
	fm_block_free(block);
	block = make_block((struct fm_block_config){ .backing = FM_BACKING_MEMFD, .len = LEN });
	assert_level(block, FM_PERSIST_NONE, "memfd");
	fm_block_free(block);
	block = make_block((struct fm_block_config){
		.backing = FM_BACKING_ADOPTED, .ptr = memory, .len = sizeof(memory) });
	assert_level(block, FM_PERSIST_NONE, "adopted");
	fm_block_free(block);
}

static void a_private_mapping_never_reaches_its_file(void **state)
{
	char path[300];
	struct fm_block *block;

	make_file(path, sizeof(path), disk_folder());
	block = file_block(path, 0, NULL);
	assert_level(block, FM_PERSIST_NONE, "private");
	fm_block_free(block);
}

static void a_shared_file_on_a_disk_outlives_power(void **state)
{
	char path[300];
	struct fm_block *block;

	make_file(path, sizeof(path), disk_folder());
	if (file_system_of(path) != EXT4_SUPER_MAGIC) {
		print_message("skipped: not on ext4\n");
		skip();
	}
	block = file_block(path, FM_BLOCK_SHARED, NULL);
	assert_level(block, FM_PERSIST_POWER, "ext4");
	fm_block_free(block);
	block = file_block(path, FM_BLOCK_SHARED | FM_BLOCK_READONLY, NULL);
	assert_level(block, FM_PERSIST_POWER, "ext4");
	fm_block_free(block);
}

static void a_file_on_tmpfs_outlives_the_process_only(void **state)
{
	static const char folder[] = "/dev/shm";
	char path[300];
	struct fm_block *block;

	if (file_system_of(folder) != TMPFS_MAGIC || access(folder, W_OK)) {
		print_message("skipped: no tmpfs at %s\n", folder);
		skip();
	}
	make_file(path, sizeof(path), folder);
	block = file_block(path, FM_BLOCK_SHARED, NULL);
	assert_level(block, FM_PERSIST_PROCESS, "tmpfs");
	fm_block_free(block);
}

static void a_file_without_a_name_outlives_nothing(void **state)
{
	char path[300];
	int fd = memfd_create("persist", 0);
	struct fm_block *block;

	assert_int_equal(ftruncate(fd, LEN), 0);
	block = make_block((struct fm_block_config){
		.backing = FM_BACKING_FILE, .flags = FM_BLOCK_SHARED | FM_BLOCK_USE_FD, .fd = fd });
	assert_level(block, FM_PERSIST_NONE, "without a name");
	fm_block_free(block);
	close(fd);
	make_file(path, sizeof(path), disk_folder());
	block = file_block(path, FM_BLOCK_SHARED, NULL);
	unlink(path);
	assert_level(block, FM_PERSIST_NONE, "without a name");
	fm_block_free(block);
}

static void every_level_has_a_name(void **state)
{
	assert_string_equal(fm_persistence_name(FM_PERSIST_NONE), "none");
	assert_string_equal(fm_persistence_name(FM_PERSIST_PROCESS), "process");
	assert_string_equal(fm_persistence_name(FM_PERSIST_HOST), "host");
	assert_string_equal(fm_persistence_name(FM_PERSIST_POWER), "power");
	assert_string_equal(fm_persistence_name(FM_PERSIST_COUNT), "unknown");
	assert_string_equal(fm_persistence_name((enum fm_persistence)77), "unknown");
}

/* --- flushes of a file -------------------------------------------------------------------- */

/* A shared file block behind a faulty seam. */
struct bench {
	char path[300];
	struct faulty seam;
	struct fm_block *block;
	struct fm_persist *p;
	uint8_t *ptr;
};

static void bench_open(struct bench *b)
{
	make_file(b->path, sizeof(b->path), disk_folder());
	faulty_init(&b->seam);
	b->block = file_block(b->path, FM_BLOCK_SHARED, &b->seam.io);
	b->ptr = fm_block_ptr(b->block);
	assert_int_equal(fm_persist_open(&b->p, b->block, NULL), 0);
}

static void bench_close(struct bench *b)
{
	fm_persist_close(b->p);
	fm_block_free(b->block);
}

static void a_flush_writes_the_pages_of_its_range(void **state)
{
	struct bench b;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	bench_open(&b);
	memset(b.ptr, 1, LEN);
	assert_int_equal(dirty_bytes(b.ptr), LEN);
	assert_int_equal(fm_persist_range(b.p, 3 * page - 1, 2, NULL), 0);
	assert_int_equal(dirty_bytes(b.ptr), LEN - 2 * page);
	assert_int_equal(fm_persist_range(b.p, LEN - 1, 1, NULL), 0);
	assert_int_equal(dirty_bytes(b.ptr), LEN - 3 * page);
	assert_int_equal(fm_persist_range(b.p, 0, LEN, NULL), 0);
	assert_int_equal(dirty_bytes(b.ptr), 0);
	bench_close(&b);
}

static void many_spans_are_one_sync_that_covers_them(void **state)
{
	const struct fm_persist_span spans[] = { { 128 * KIB, 4 * KIB },
						 { 0, 0 },
						 { 64 * KIB, 1 },
						 { LEN, 0 },
						 { 129 * KIB, 63 * KIB } };
	struct fm_persist_stats stats;
	struct bench b;

	bench_open(&b);
	memset(b.ptr, 1, LEN);
	assert_int_equal(fm_persist_ranges(b.p, spans, 5, NULL), 0);
	assert_int_equal(b.seam.calls, 1);
	assert_ptr_equal(b.seam.addr, b.ptr + 64 * KIB);
	assert_int_equal(b.seam.len, 128 * KIB);
	fm_persist_get_stats(b.p, &stats);
	assert_int_equal(stats.syncs, 1);
	assert_int_equal(stats.failures, 0);
	bench_close(&b);
}

static void an_empty_flush_makes_no_sync(void **state)
{
	struct bench b;

	bench_open(&b);
	assert_int_equal(fm_persist_range(b.p, LEN, 0, NULL), 0);
	assert_int_equal(fm_persist_ranges(b.p, NULL, 0, NULL), 0);
	assert_int_equal(b.seam.calls, 0);
	bench_close(&b);
}

static void a_span_outside_flushes_nothing(void **state)
{
	const struct fm_persist_span spans[] = { { 0, 4 * KIB }, { LEN - 1, 2 } };
	struct fm_error err = { 0 };
	struct bench b;

	bench_open(&b);
	assert_int_equal(fm_persist_ranges(b.p, spans, 2, &err), FM_ERR_RANGE);
	assert_non_null(strstr(err.msg, "span 1"));
	assert_non_null(strstr(err.msg, "0x3ffff"));
	assert_int_equal(fm_persist_range(b.p, 1, UINT64_MAX, NULL), FM_ERR_RANGE);
	assert_int_equal(fm_persist_range(b.p, LEN + 1, 0, NULL), FM_ERR_RANGE);
	assert_int_equal(b.seam.calls, 0);
	assert_int_equal(fm_persist_error(b.p, NULL), 0);
	bench_close(&b);
}

static void a_read_only_block_is_not_synced(void **state)
{
	struct bench b;

	bench_open(&b);
	fm_persist_close(b.p);
	fm_block_free(b.block);
	b.block = file_block(b.path, FM_BLOCK_SHARED | FM_BLOCK_READONLY, &b.seam.io);
	assert_int_equal(fm_persist_open(&b.p, b.block, NULL), 0);
	assert_int_equal(fm_persist_range(b.p, 0, LEN, NULL), 0);
	assert_int_equal(b.seam.calls, 0);
	bench_close(&b);
}

/* --- failures ----------------------------------------------------------------------------- */

static void after_a_failed_sync_success_means_that_all_was_synced_again(void **state)
{
	struct fm_persist_stats stats;
	struct fm_error err = { 0 };
	struct bench b;

	bench_open(&b);
	memset(b.ptr, 1, LEN);
	b.seam.fail[0] = -EIO;
	assert_int_equal(fm_persist_range(b.p, 0, 4 * KIB, &err), FM_ERR_IO);
	assert_int_equal(err.sys, EIO);
	assert_int_equal(fm_persist_error(b.p, &err), FM_ERR_IO);
	/* The next one asks for one other page only. */
	assert_int_equal(fm_persist_range(b.p, 64 * KIB, 1, NULL), 0);
	assert_ptr_equal(b.seam.addr, b.ptr);
	assert_int_equal(b.seam.len, LEN);
	assert_int_equal(fm_persist_error(b.p, NULL), 0);
	assert_int_equal(dirty_bytes(b.ptr), 0);
	fm_persist_get_stats(b.p, &stats);
	assert_int_equal(stats.syncs, 2);
	assert_int_equal(stats.failures, 1);
	assert_int_equal(stats.rewritten, 2 * LEN);
	/* Over: ranges are ranges again. */
	assert_int_equal(fm_persist_range(b.p, 0, 4 * KIB, NULL), 0);
	assert_int_equal(b.seam.len, 4 * KIB);
	bench_close(&b);
}

static void pages_whose_write_failed_are_dirty_again(void **state)
{
	struct bench b;

	bench_open(&b);
	memset(b.ptr, 0x5a, LEN);
	b.seam.fail[0] = -EIO;
	assert_int_equal(fm_persist_range(b.p, 0, LEN, NULL), FM_ERR_IO);
	/* The failed sync left all of them clean: only the library can have made them dirty. */
	assert_int_equal(dirty_bytes(b.ptr), LEN);
	for (size_t i = 0; i < LEN; i++)
		assert_int_equal(b.ptr[i], 0x5a);
	bench_close(&b);
}

static void a_failure_sticks_until_a_sync_succeeds(void **state)
{
	struct fm_persist_stats stats;
	struct fm_error err = { 0 };
	struct bench b;

	bench_open(&b);
	memset(b.ptr, 1, LEN);
	b.seam.fail[0] = -ENOSPC;
	b.seam.fail[1] = -EIO;
	b.seam.fail[2] = -EIO;
	assert_int_equal(fm_persist_range(b.p, 0, 1, NULL), FM_ERR_NOSPACE);
	assert_int_equal(fm_persist_range(b.p, 0, 1, &err), FM_ERR_IO);
	assert_int_equal(err.code, FM_ERR_IO);
	assert_int_equal(fm_persist_error(b.p, &err), FM_ERR_NOSPACE); /* the first */
	assert_int_equal(err.code, FM_ERR_NOSPACE);
	/* Nothing to flush is no success either. */
	assert_int_equal(fm_persist_ranges(b.p, NULL, 0, NULL), FM_ERR_IO);
	assert_int_equal(fm_persist_ranges(b.p, NULL, 0, NULL), 0);
	assert_int_equal(b.seam.len, LEN);
	fm_persist_get_stats(b.p, &stats);
	assert_int_equal(stats.failures, 3);
	bench_close(&b);
}

static void a_sync_that_left_the_file_unwritten_is_no_success(void **state)
{
	struct fm_error err = { 0 };
	struct bench b;
	int fd;

	bench_open(&b);
	fd = open(b.path, O_RDWR);
	if ((file_system_of(b.path) != EXT4_SUPER_MAGIC &&
	     file_system_of(b.path) != XFS_SUPER_MAGIC) ||
	    fallocate(fd, 0, 0, LEN)) {
		close(fd);
		bench_close(&b);
		print_message("skipped: no file system here whose extents tell\n");
		skip();
	}
	assert_int_equal(fsync(fd), 0);
	close(fd);
	memset(b.ptr, 1, LEN);
	/* As ext4 after a failed write into preallocated space: 0, and the file still reads zero. */
	b.seam.idle = true;
	b.seam.fail[0] = -EIO;
	assert_int_equal(fm_persist_range(b.p, 0, 1, NULL), FM_ERR_IO);
	assert_int_equal(fm_persist_range(b.p, 0, 1, &err), FM_ERR_IO);
	assert_non_null(strstr(err.msg, b.path));
	assert_non_null(strstr(err.msg, "zeros"));
	assert_int_equal(fm_persist_error(b.p, NULL), FM_ERR_IO);
	b.seam.idle = false;
	assert_int_equal(fm_persist_range(b.p, 0, 1, &err), 0);
	bench_close(&b);
}

static void a_file_that_was_cut_short_never_flushes_again(void **state)
{
	struct fm_persist_stats stats;
	struct fm_error err = { 0 };
	struct bench b;

	bench_open(&b);
	memset(b.ptr, 1, LEN);
	assert_int_equal(fm_persist_range(b.p, 0, LEN, NULL), 0);
	assert_int_equal(truncate(b.path, LEN / 2), 0);
	assert_int_equal(fm_persist_range(b.p, 0, 1, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, b.path));
	assert_non_null(strstr(err.msg, "131072"));
	/* Growing it again does not bring the bytes back. */
	assert_int_equal(truncate(b.path, LEN), 0);
	assert_int_equal(fm_persist_range(b.p, 0, 1, &err), FM_ERR_SIZE);
	assert_int_equal(fm_persist_error(b.p, NULL), FM_ERR_SIZE);
	fm_persist_get_stats(b.p, &stats);
	assert_int_equal(stats.failures, 2);
	assert_int_equal(stats.rewritten, 0);
	bench_close(&b);
}

struct storer {
	uint64_t *word;
	bool stop;
	uint64_t stored;
};

static void *store(void *arg)
{
	struct storer *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		/* A store that something else overwrote would leave the counter behind. */
		__atomic_store_n(s->word, ++s->stored, __ATOMIC_RELAXED);
		if (__atomic_load_n(s->word, __ATOMIC_RELAXED) != s->stored)
			break;
	}
	return NULL;
}

static void writing_pages_again_loses_no_store_of_the_guest(void **state)
{
	struct storer s = { 0 };
	pthread_t thread;
	struct bench b;

	bench_open(&b);
	s.word = (uint64_t *)(void *)b.ptr;
	assert_int_equal(pthread_create(&thread, NULL, store, &s), 0);
	for (int i = 0; i < 200; i++) {
		b.seam.calls = 0;
		b.seam.fail[0] = -EIO;
		assert_int_equal(fm_persist_range(b.p, 0, 8, NULL), FM_ERR_IO);
		assert_int_equal(fm_persist_range(b.p, 0, 8, NULL), 0);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(*s.word, s.stored);
	bench_close(&b);
}

static void *flusher(void *arg)
{
	struct bench *b = arg;

	for (int i = 0; i < 50; i++)
		assert_int_equal(fm_persist_range(b->p, 0, 4 * KIB, NULL), 0);
	return NULL;
}

static void threads_may_flush_at_the_same_time(void **state)
{
	struct fm_persist_stats stats;
	pthread_t threads[4];
	struct bench b;

	bench_open(&b);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flusher, &b), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	fm_persist_get_stats(b.p, &stats);
	assert_int_equal(stats.syncs, b.seam.calls);
	bench_close(&b);
}

/* --- persistent memory -------------------------------------------------------------------- */

/* In a process of its own, whose libpmem was told to call every memory persistent. */
static int pmem_child(const char *path)
{
	const struct fm_persist_span spans[] = { { 0, 64 }, { 8192, 100 } };
	struct fm_persist_stats stats;
	struct faulty seam;
	struct fm_block *block;
	struct fm_persist *p;

	faulty_init(&seam);
	block = file_block(path, FM_BLOCK_SHARED, &seam.io);
	if (fm_persist_open(&p, block, NULL))
		return 1;
	memset(fm_block_ptr(block), 0x77, LEN);
	if (fm_persist_level(p) != FM_PERSIST_POWER ||
	    !strstr(fm_persist_reason(p), "persistent memory"))
		return 2;
	if (fm_persist_ranges(p, spans, 2, NULL) || fm_persist_range(p, 0, LEN, NULL))
		return 3;
	if (fm_persist_range(p, LEN, 1, NULL) != FM_ERR_RANGE)
		return 4;
	fm_persist_get_stats(p, &stats);
	if (stats.syncs != 2 || seam.calls)
		return 5;
	fm_persist_close(p);
	fm_block_free(block);
	/* Where no file is behind it, libpmem's opinion is not asked. */
	block = make_block((struct fm_block_config){ .backing = FM_BACKING_ANON, .len = LEN });
	if (fm_persist_open(&p, block, NULL) || fm_persist_level(p) != FM_PERSIST_NONE)
		return 6;
	fm_persist_close(p);
	fm_block_free(block);
	block = file_block(path, 0, NULL);
	if (fm_persist_open(&p, block, NULL) || fm_persist_level(p) != FM_PERSIST_NONE)
		return 7;
	fm_persist_close(p);
	fm_block_free(block);
	return 0;
}

static void persistent_memory_is_flushed_without_a_sync(void **state)
{
	char path[300], exe[500] = { 0 }, force[] = "PMEM_IS_PMEM_FORCE=1";
	char *argv[] = { exe, path, NULL };
	char *envp[] = { force, NULL };
	int status = -1;
	pid_t pid;

	make_file(path, sizeof(path), disk_folder());
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_int_equal(posix_spawn(&pid, exe, NULL, NULL, argv, envp), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_files)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_without_a_file_outlives_nothing),
		TEST(a_private_mapping_never_reaches_its_file),
		TEST(a_shared_file_on_a_disk_outlives_power),
		TEST(a_file_on_tmpfs_outlives_the_process_only),
		TEST(a_file_without_a_name_outlives_nothing),
		TEST(every_level_has_a_name),
		TEST(a_flush_writes_the_pages_of_its_range),
		TEST(many_spans_are_one_sync_that_covers_them),
		TEST(an_empty_flush_makes_no_sync),
		TEST(a_span_outside_flushes_nothing),
		TEST(a_read_only_block_is_not_synced),
		TEST(after_a_failed_sync_success_means_that_all_was_synced_again),
		TEST(pages_whose_write_failed_are_dirty_again),
		TEST(a_failure_sticks_until_a_sync_succeeds),
		TEST(a_sync_that_left_the_file_unwritten_is_no_success),
		TEST(a_file_that_was_cut_short_never_flushes_again),
		TEST(writing_pages_again_loses_no_store_of_the_guest),
		TEST(threads_may_flush_at_the_same_time),
		TEST(persistent_memory_is_flushed_without_a_sync),
	};

	if (argc > 1)
		return pmem_child(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
