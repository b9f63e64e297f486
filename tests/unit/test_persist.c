/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/persist_bench.h"

#include <pthread.h>
#include <sys/mman.h>

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

/* Two runs: one page, and 64 KiB of two spans. */
static const struct fm_persist_span scattered[] = {
	{ 128 * KIB, 4 * KIB }, { 0, 0 }, { 64 * KIB, 1 }, { LEN, 0 }, { 129 * KIB, 63 * KIB }
};

static void assert_one_sync(struct fm_persist *p)
{
	struct fm_persist_stats stats;

	fm_persist_get_stats(p, &stats);
	assert_int_equal(stats.syncs, 1);
	assert_int_equal(stats.failures, 0);
}

static void scattered_runs_are_all_started_then_waited_for_and_synced_once(void **state)
{
	static const uint64_t runs[2][2] = { { 64 * KIB, 1 }, { 128 * KIB, 64 * KIB } };
	struct bench b;

	bench_open(&b);
	if (file_system_of(b.path) != EXT4_SUPER_MAGIC &&
	    file_system_of(b.path) != XFS_SUPER_MAGIC) {
		bench_close(&b);
		print_message("skipped: a sync is not of the whole file on this file system\n");
		skip();
	}
	memset(b.ptr, 1, LEN);
	assert_int_equal(fm_persist_ranges(b.p, scattered, 5, NULL), 0);
	assert_int_equal(b.seam.nouts, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(b.seam.outs[i].off, runs[i % 2][0]);
		assert_int_equal(b.seam.outs[i].len, runs[i % 2][1]);
		assert_int_equal(b.seam.outs[i].wait, i / 2);
	}
	assert_int_equal(b.seam.calls, 1);
	assert_ptr_equal(b.seam.addr, b.ptr + 64 * KIB);
	assert_int_equal(b.seam.len, 1);
	/* What lies between is as dirty as it was. */
	assert_int_equal(dirty_bytes(b.ptr), LEN - 4 * KIB - 64 * KIB);
	assert_one_sync(b.p);
	bench_close(&b);
}

static void where_runs_cannot_be_told_apart_one_sync_covers_them(void **state)
{
	struct bench b;

	bench_open(&b);
	b.seam.no_out = true;
	memset(b.ptr, 1, LEN);
	assert_int_equal(fm_persist_ranges(b.p, scattered, 5, NULL), 0);
	assert_int_equal(b.seam.calls, 1);
	assert_ptr_equal(b.seam.addr, b.ptr + 64 * KIB);
	assert_int_equal(b.seam.len, 128 * KIB);
	assert_int_equal(dirty_bytes(b.ptr), LEN - 128 * KIB);
	assert_one_sync(b.p);
	bench_close(&b);
}

static void a_run_that_cannot_be_written_out_fails_the_flush(void **state)
{
	struct fm_error err = { 0 };
	struct bench b;

	for (unsigned call = 1; call <= 4; call++) {
		bench_open(&b);
		memset(b.ptr, 1, LEN);
		b.seam.any_file_system = true;
		b.seam.fail_out = call;
		assert_int_equal(fm_persist_ranges(b.p, scattered, 5, &err), FM_ERR_IO);
		assert_int_equal(err.sys, EIO);
		assert_int_equal(b.seam.calls, 0);
		assert_int_equal(fm_persist_error(b.p, NULL), FM_ERR_IO);
		/* Of which page it was nobody knows. */
		assert_int_equal(fm_persist_range(b.p, 0, 1, NULL), 0);
		assert_int_equal(b.seam.len, LEN);
		bench_close(&b);
		remove_files(NULL);
	}
}

static void more_spans_than_there_is_room_for_are_all_synced(void **state)
{
	struct fm_persist_span spans[700];
	struct bench b;

	bench_open(&b);
	b.seam.ops.write_out = NULL;
	/* Backwards, each in a page of its own; only 64 pages are there. */
	for (size_t i = 0; i < 700; i++)
		spans[i] =
			(struct fm_persist_span){ .off = LEN - 4 * KIB * (i % 60 + 1), .len = 1 };
	memset(b.ptr, 1, LEN);
	assert_int_equal(fm_persist_ranges(b.p, spans, 700, NULL), 0);
	assert_int_equal(dirty_bytes(b.ptr), 16 * KIB);
	bench_close(&b);
}

static void runs_of_a_block_are_in_order_and_inside(void **state)
{
	static const struct {
		struct fm_io_run runs[2];
		int code;
	} rows[] = {
		{ { { 0, 1 }, { 8192, 1 } }, 0 },
		{ { { 8192, 1 }, { 0, 1 } }, FM_ERR_ARG },
		{ { { 0, 2 }, { 1, 1 } }, FM_ERR_ARG },
		{ { { 0, 0 }, { 1, 1 } }, FM_ERR_ARG },
		{ { { 0, 1 }, { LEN - 1, 2 } }, FM_ERR_RANGE },
		{ { { 0, 1 }, { UINT64_MAX, 2 } }, FM_ERR_RANGE },
	};
	struct bench b;

	bench_open(&b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		b.seam.calls = b.seam.nouts = 0;
		assert_int_equal(fm_block_sync_runs(b.block, rows[i].runs, 2, NULL), rows[i].code);
		assert_int_equal(b.seam.calls, rows[i].code == 0);
		assert_int_equal(b.seam.nouts > 0, rows[i].code == 0);
	}
	assert_int_equal(fm_block_sync_runs(b.block, NULL, 0, NULL), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_without_a_file_outlives_nothing),
		TEST(a_private_mapping_never_reaches_its_file),
		TEST(a_shared_file_on_a_disk_outlives_power),
		TEST(a_file_on_tmpfs_outlives_the_process_only),
		TEST(a_file_without_a_name_outlives_nothing),
		TEST(every_level_has_a_name),
		TEST(a_flush_writes_the_pages_of_its_range),
		TEST(scattered_runs_are_all_started_then_waited_for_and_synced_once),
		TEST(where_runs_cannot_be_told_apart_one_sync_covers_them),
		TEST(a_run_that_cannot_be_written_out_fails_the_flush),
		TEST(more_spans_than_there_is_room_for_are_all_synced),
		TEST(runs_of_a_block_are_in_order_and_inside),
		TEST(an_empty_flush_makes_no_sync),
		TEST(a_span_outside_flushes_nothing),
		TEST(a_read_only_block_is_not_synced),
		TEST(threads_may_flush_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
