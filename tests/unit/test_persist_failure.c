/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/persist_bench.h"

#include <fcntl.h>
#include <pthread.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(after_a_failed_sync_success_means_that_all_was_synced_again),
		TEST(pages_whose_write_failed_are_dirty_again),
		TEST(a_failure_sticks_until_a_sync_succeeds),
		TEST(a_sync_that_left_the_file_unwritten_is_no_success),
		TEST(a_file_that_was_cut_short_never_flushes_again),
		TEST(writing_pages_again_loses_no_store_of_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
