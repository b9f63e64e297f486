/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/child.h"
#include "tests/unit/reset_fixture.h"
#include "tests/unit/tmpdir.h"

#include "devices/clear.h"
#include "devices/populated.h"

#include <firmem/dirty.h>

#include <sys/ioctl.h>

#define LEN (64 * PAGE)

struct sum {
	uint64_t bytes;
	unsigned runs;
	uint64_t first;
};

static void add_run(void *ctx, uint64_t off, uint64_t len)
{
	struct sum *s = ctx;

	if (!s->runs++)
		s->first = off;
	s->bytes += len;
}

static struct sum there(const struct fm_block *b)
{
	struct sum s = { 0 };

	fmi_populated_each(b, 0, fm_block_len(b), add_run, &s);
	return s;
}

static struct fmi_cleared clear(struct fm_block *b, enum fm_reset_pages pages)
{
	struct fmi_cleared done = { 0 };

	fmi_clear_zero(b, 0, fm_block_len(b), pages, &done);
	return done;
}

static bool is_zero(const struct fm_block *b)
{
	return all_bytes(fm_block_ptr(b), fm_block_len(b), 0);
}

/* One of each way to have memory; the caller's folder holds the files, `memory` the adopted one. */
static const char *const ways[] = { "anon",         "anon shared", "memfd",  "file shared",
				    "file private", "adopted",     "locked", "hugetlb" };

static struct fm_block *make(void **state, unsigned way, void *memory)
{
	const char *path = tmpdir_path(state, "file");
	struct fm_block_config cfg = BLOCK_CONFIG(.len = LEN - 100);
	struct fm_block *b = NULL;

	tmpdir_fill(path, LEN, 0x77);
	switch (way) {
	case 1:
		cfg.flags = FM_BLOCK_SHARED;
		break;
	case 2:
		cfg.backing = FM_BACKING_MEMFD;
		break;
	case 3:
	case 4:
		cfg.backing = FM_BACKING_FILE;
		cfg.path = path;
		cfg.flags = way == 3 ? FM_BLOCK_SHARED : 0;
		break;
	case 5:
		cfg.backing = FM_BACKING_ADOPTED;
		cfg.ptr = memory;
		break;
	case 6:
		cfg.flags = FM_BLOCK_LOCKED;
		break;
	case 7:
		cfg.backing = FM_BACKING_HUGETLB;
		break;
	default:
		break;
	}
	return fm_block_new(&b, &cfg, NULL) ? NULL : b;
}

static void whatever_it_is_made_of_it_reads_as_zero(void **state)
{
	for (unsigned way = 0; way < 8; way++) {
		for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
			uint8_t *memory = malloc(LEN);
			struct fm_block *b = make(state, way, memory);
			uint64_t read = 0, at = 0;

			if (!b) {
				print_message("skipped: %s: this host has none\n", ways[way]);
				free(memory);
				continue;
			}
			fill(b);
			clear(b, (enum fm_reset_pages)pages);
			if (!fmi_clear_verify(b, 0, LEN - 100, 0, &read, &at) || !is_zero(b))
				fail_msg("%s, pages %u: not zero", ways[way], pages);
			fm_block_free(b);
			free(memory);
		}
	}
}

static void bytes_outside_of_the_range_stay(void **state)
{
	for (unsigned way = 0; way < 7; way++) {
		for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
			uint8_t *memory = malloc(LEN);
			struct fm_block *b = make(state, way, memory);
			struct fmi_cleared done = { 0 };

			if (!b) {
				print_message("skipped: %s: this host has none\n", ways[way]);
				free(memory);
				continue;
			}
			fill(b);
			fmi_clear_zero(b, 2 * PAGE, 3 * PAGE, (enum fm_reset_pages)pages, &done);
			assert_true(all_bytes(bytes(b), 2 * PAGE, SECRET));
			assert_true(all_bytes(bytes(b) + 2 * PAGE, 3 * PAGE, 0));
			assert_true(all_bytes(bytes(b) + 5 * PAGE, LEN - 100 - 5 * PAGE, SECRET));
			fm_block_free(b);
			free(memory);
		}
	}
}

static void bytes_of_the_file_behind_the_block_stay(void **state)
{
	const char *path = tmpdir_path(state, "file");
	struct fm_block *b;

	for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
		tmpdir_fill(path, 4 * PAGE, 0x77);
		b = must_make(FILE_CONFIG(.path = path, .file_off = PAGE, .len = PAGE + 10,
					  .flags = FM_BLOCK_SHARED));
		clear(b, (enum fm_reset_pages)pages);
		assert_int_equal(fm_block_sync(b, 0, PAGE + 10, NULL), 0);
		fm_block_free(b);
		assert_int_equal(tmpdir_byte(path, PAGE - 1), 0x77);
		assert_int_equal(tmpdir_byte(path, PAGE), 0);
		assert_int_equal(tmpdir_byte(path, 2 * PAGE + 9), 0);
		assert_int_equal(tmpdir_byte(path, 2 * PAGE + 10), 0x77);
	}
}

/* MADV_DONTNEED would show the file again, PUNCH_HOLE destroy it. */
static void a_private_file_is_zero_in_memory_and_whole_on_disk(void **state)
{
	const char *path = tmpdir_path(state, "file");

	for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
		struct fm_block *b;

		tmpdir_fill(path, 8 * PAGE, 0x77);
		b = must_make(FILE_CONFIG(.path = path));
		memset(fm_block_ptr(b), SECRET, 2 * PAGE);
		assert_int_equal(clear(b, (enum fm_reset_pages)pages).released, 0);
		assert_true(is_zero(b));
		fm_block_free(b);
		for (size_t off = 0; off < 8 * PAGE; off += PAGE / 2)
			assert_int_equal(tmpdir_byte(path, off), 0x77);
	}
}

static void released_pages_are_gone_and_resident_ones_stay(void **state)
{
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (unsigned i = 0; i < 2; i++) {
		struct fm_block *b = must_make(BLOCK_CONFIG(.backing = kinds[i], .len = LEN));
		struct fmi_cleared done;

		memset(bytes(b) + 8 * PAGE, SECRET, 4 * PAGE);
		done = clear(b, FM_RESET_PAGES_RESIDENT);
		assert_int_equal(done.written, 4 * PAGE);
		assert_int_equal(done.released, 0);
		assert_int_equal(there(b).bytes, 4 * PAGE);
		assert_int_equal(there(b).first, 8 * PAGE);
		bytes(b)[9 * PAGE] = SECRET;
		done = clear(b, FM_RESET_PAGES_RELEASE);
		assert_int_equal(done.written, 0);
		assert_int_equal(done.released, 4 * PAGE);
		assert_int_equal(there(b).bytes, 0);
		/* Automatic: few are released, many are written. */
		bytes(b)[0] = SECRET;
		assert_int_equal(clear(b, FM_RESET_PAGES_AUTO).released, PAGE);
		fill(b);
		assert_int_equal(clear(b, FM_RESET_PAGES_AUTO).written, LEN);
		assert_true(is_zero(b));
		fm_block_free(b);
	}
}

static void pinned_locked_and_preallocated_pages_are_written_and_stay(void **state)
{
	const unsigned flags[] = { 0, FM_BLOCK_PREALLOC, FM_BLOCK_LOCKED };
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (unsigned i = 0; i < 6; i++) {
		struct fm_block *b = try_make(
			BLOCK_CONFIG(.backing = kinds[i % 2], .len = LEN, .flags = flags[i / 2]));

		if (!b && flags[i / 2] == FM_BLOCK_LOCKED) {
			print_message("skipped: locked: this host has none\n");
			continue;
		}
		assert_non_null(b);
		if (!flags[i / 2]) {
			fm_block_discard_inhibit(b);
			fm_block_discard_inhibit(b);
			fm_block_discard_allow(b);
			assert_true(fm_block_discard_inhibited(b));
		}
		fill(b);
		assert_int_equal(clear(b, FM_RESET_PAGES_RELEASE).written, LEN);
		assert_true(resident(b));
		assert_true(is_zero(b));
		fm_block_free(b);
	}
}

/* The tables of this process do not show what another one stored. */
static void what_another_process_stored_in_a_memfd_is_found_and_cleared(void **state)
{
	struct fm_block *b = must_make(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN));
	struct sum scanned = { 0 };
	pid_t pid;
	int status;

	for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			uint8_t *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
					  fm_block_fd(b), 0);

			p[30 * PAGE + 5] = SECRET;
			_exit(p == MAP_FAILED);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		/* PAGEMAP_SCAN alone would leave it. */
		if (!pages) {
			if (!fmi_populated_scan(b, 0, LEN, add_run, &scanned))
				print_message("this kernel has no PAGEMAP_SCAN\n");
			assert_int_equal(scanned.bytes, 0);
		}
		assert_int_equal(there(b).first, 30 * PAGE);
		clear(b, (enum fm_reset_pages)pages);
		assert_int_equal(bytes(b)[30 * PAGE + 5], 0);
		clear(b, FM_RESET_PAGES_RELEASE);
	}
	fm_block_free(b);
}

static void an_idle_block_is_not_touched(void **state)
{
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (unsigned i = 0; i < 6; i++) {
		struct fm_block *b =
			must_make(BLOCK_CONFIG(.backing = kinds[i % 2], .len = UINT64_C(4) << 30));
		struct fmi_cleared done = clear(b, (enum fm_reset_pages)(i / 2));
		uint64_t read = 0, at = 0;

		assert_int_equal(done.written, 0);
		assert_int_equal(done.released, 0);
		assert_true(fmi_clear_verify(b, 0, UINT64_C(4) << 30, 0, &read, &at));
		assert_int_equal(read, 0);
		fm_block_free(b);
	}
}

/* Reading gives pages of zeros to private memory; those hold nothing. */
static void pages_that_were_only_read_are_not_written(void **state)
{
	struct fm_block *b = must_make(BLOCK_CONFIG(.len = LEN));
	struct sum s = { 0 };

	assert_true(is_zero(b));
	if (!fmi_populated_scan(b, 0, LEN, add_run, &s)) {
		print_message("skipped: this kernel has no PAGEMAP_SCAN\n");
		fm_block_free(b);
		skip();
	}
	assert_int_equal(s.bytes, 0);
	assert_int_equal(clear(b, FM_RESET_PAGES_RESIDENT).written, 0);
	fm_block_free(b);
}

static void the_old_interface_finds_the_same_pages(void **state)
{
	struct fm_block *b = must_make(BLOCK_CONFIG(.len = 3000 * PAGE));
	struct sum scan = { 0 }, table = { 0 };

	for (unsigned i = 0; i < 3000; i += 7)
		bytes(b)[i * PAGE] = 1;
	if (!fmi_populated_scan(b, 0, 3000 * PAGE, add_run, &scan)) {
		print_message("skipped: this kernel has no PAGEMAP_SCAN\n");
		fm_block_free(b);
		skip();
	}
	assert_true(fmi_populated_pagemap(b, 0, 3000 * PAGE, add_run, &table));
	assert_memory_equal(&scan, &table, sizeof(scan));
	assert_int_equal(scan.bytes, 429 * PAGE);
	assert_int_equal(scan.runs, 429);
	fm_block_free(b);
}

static void verification_finds_the_one_byte(void **state)
{
	for (unsigned way = 0; way < 7; way++) {
		uint8_t *memory = calloc(1, LEN);
		struct fm_block *b = make(state, way, memory);
		uint64_t read = 0, at = 0;

		if (!b) {
			print_message("skipped: %s: this host has none\n", ways[way]);
			free(memory);
			continue;
		}
		clear(b, FM_RESET_PAGES_AUTO);
		bytes(b)[LEN - 101] = 1;
		assert_false(fmi_clear_verify(b, 0, LEN - 100, 0, &read, &at));
		assert_int_equal(at, LEN - 101);
		assert_true(fmi_clear_verify(b, 0, LEN - 2 * PAGE, 0, &read, &at));
		fm_block_free(b);
		free(memory);
	}
}

static void the_dirty_log_names_what_was_there_and_no_more(void **state)
{
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (unsigned i = 0; i < 6; i++) {
		struct fm_block *b = must_make(BLOCK_CONFIG(.backing = kinds[i % 2], .len = LEN));
		struct fmi_cleared done;

		bytes(b)[3 * PAGE] = SECRET;
		bytes(b)[5 * PAGE] = SECRET;
		assert_false(clear(b, (enum fm_reset_pages)(i / 2)).dirty);
		bytes(b)[3 * PAGE] = SECRET;
		bytes(b)[5 * PAGE] = SECRET;
		assert_int_equal(fm_dirty_start(fm_block_dirty(b), 0, NULL), 0);
		done = clear(b, (enum fm_reset_pages)(i / 2));
		assert_true(done.dirty);
		assert_int_equal(fm_dirty_count(fm_block_dirty(b), 0), 2 * PAGE / 4096);
		fm_block_free(b);
	}
}

/* --- hosts that have less --------------------------------------------------------------------- */

struct lacking {
	struct fm_block *block;
	int nr;
	int arg;
	uint32_t value;
	int error;
};

static int clear_without(void *arg)
{
	struct lacking *l = arg;

	fill(l->block);
	if (!child_deny(l->nr, l->arg, l->value, l->error))
		return CHILD_SKIP;
	for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
		fill(l->block);
		clear(l->block, (enum fm_reset_pages)pages);
		CHILD_CHECK(is_zero(l->block));
	}
	return 0;
}

static void a_host_without_scan_holes_advice_or_seek_clears_all_the_same(void **state)
{
	const struct lacking lacks[] = {
		{ NULL, SYS_ioctl, -1, 0, ENOTTY },         { NULL, SYS_openat, -1, 0, ENOENT },
		{ NULL, SYS_fallocate, -1, 0, EOPNOTSUPP }, { NULL, SYS_madvise, -1, 0, EINVAL },
		{ NULL, SYS_lseek, -1, 0, EINVAL },         { NULL, SYS_madvise, 2, 4, EINVAL },
		{ NULL, SYS_fallocate, -1, 0, EPERM },
	};

	for (size_t i = 0; i < sizeof(lacks) / sizeof(*lacks); i++) {
		for (unsigned way = 0; way < 5; way++) {
			struct lacking l = lacks[i];

			l.block = make(state, way, NULL);
			assert_non_null(l.block);
			child_run(clear_without, &l);
			fm_block_free(l.block);
		}
	}
}

/* --- memory that is locked behind our back ------------------------------------------------------ */

static bool lock_it(struct fm_block *b)
{
	fill(b);
	return !mlock(bytes(b), LEN) && madvise(bytes(b), LEN, MADV_DONTNEED) < 0 &&
	       errno == EINVAL;
}

/* mlock(2) by the host's program: MADV_DONTNEED really fails then. */
static void locked_memory_is_cleared_though_the_kernel_refuses_the_usual_advice(void **state)
{
	for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
		struct fm_block *b = must_make(BLOCK_CONFIG(.len = LEN));

		if (!lock_it(b)) {
			fm_block_free(b);
			print_message("skipped: mlock(2) is not allowed, or does nothing\n");
			skip();
		}
		clear(b, (enum fm_reset_pages)pages);
		assert_true(is_zero(b));
		fm_block_free(b);
	}
}

static int clear_locked(void *arg)
{
	const struct fm_block_config cfg = BLOCK_CONFIG(.len = LEN);
	struct fm_block *b;

	CHILD_CHECK(!fm_block_new(&b, &cfg, NULL));
	/* Sanitizers make mlock(2) do nothing. */
	if (!lock_it(b) || !child_deny(SYS_madvise, 2, 24, EINVAL))
		return CHILD_SKIP;
	for (unsigned pages = 0; pages <= FM_RESET_PAGES_RESIDENT; pages++) {
		struct fmi_cleared done;

		fill(b);
		done = clear(b, (enum fm_reset_pages)pages);
		CHILD_CHECK(is_zero(b));
		CHILD_CHECK(done.written == LEN && !done.released);
		CHILD_CHECK(resident(b));
	}
	return 0;
}

/* Kernels before 5.18 have no other advice: then it is written, in place. */
static void locked_memory_that_cannot_be_given_back_at_all_is_written(void **state)
{
	child_run(clear_locked, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(whatever_it_is_made_of_it_reads_as_zero),
		tmpdir_test(bytes_outside_of_the_range_stay),
		tmpdir_test(bytes_of_the_file_behind_the_block_stay),
		tmpdir_test(a_private_file_is_zero_in_memory_and_whole_on_disk),
		cmocka_unit_test(released_pages_are_gone_and_resident_ones_stay),
		cmocka_unit_test(pinned_locked_and_preallocated_pages_are_written_and_stay),
		cmocka_unit_test(what_another_process_stored_in_a_memfd_is_found_and_cleared),
		cmocka_unit_test(an_idle_block_is_not_touched),
		cmocka_unit_test(pages_that_were_only_read_are_not_written),
		cmocka_unit_test(the_old_interface_finds_the_same_pages),
		tmpdir_test(verification_finds_the_one_byte),
		cmocka_unit_test(the_dirty_log_names_what_was_there_and_no_more),
		cmocka_unit_test(
			locked_memory_is_cleared_though_the_kernel_refuses_the_usual_advice),
		cmocka_unit_test(locked_memory_that_cannot_be_given_back_at_all_is_written),
		tmpdir_test(a_host_without_scan_holes_advice_or_seek_clears_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
