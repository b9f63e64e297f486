/* SPDX-License-Identifier: BSD-2-Clause */
/* When what is written: ticks, barriers, modes, a full journal, and a host that fails. */
#include "tests/unit/behind.h"
#include "tests/unit/faultio.h"

#include "fuzz/memfile.h"

static void clear_log(struct faultio *io)
{
	memset(io->log, 0, sizeof(io->log));
}

/* An image on a seam that can fail. */
static void init_on(struct behind *b, struct faultio *io, const char *path, uint8_t byte)
{
	tmpdir_fill(path, LEN, byte);
	behind_config(b, path);
	faultio_init(io);
	b->cfg.io = &io->io;
	behind_open(b);
	clear_log(io);
}

/* --- what is done when ------------------------------------------------------------------- */

static void a_change_touches_no_file(void **state)
{
	struct faultio io;
	struct behind b;
	unsigned before;

	init_on(&b, &io, tmpdir_path(state, "vars"), 0);
	before = io.calls;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(behind_store(&b, 64 * i, (uint8_t)i, 20), 0);
	assert_int_equal(behind_erase(&b, 0x8000, 0x4000), 0);
	assert_int_equal(io.calls, before);
	behind_exit(&b);
}

static void a_tick_commits_and_ten_quiet_ones_apply(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct faultio io;
	struct behind b;

	init_on(&b, &io, path, 0);
	assert_true(fm_worker_pump(b.worker) == FM_NEVER);
	behind_store(&b, 100, 0x11, 10);
	/* The first only starts the clock. */
	assert_true(fm_worker_pump(b.worker) != FM_NEVER);
	assert_string_equal(io.log, "");
	behind_ticks(&b, 1);
	assert_string_equal(io.log, "y");
	behind_ticks(&b, 5);
	behind_store(&b, 200, 0x22, 10);
	behind_ticks(&b, 1);
	assert_string_equal(io.log, "yy");
	assert_int_equal(tmpdir_byte(path, 100), 0);
	behind_ticks(&b, 9);
	assert_string_equal(io.log, "yy");
	assert_true(fm_worker_pump(b.worker) == FM_NEVER);
	/* Read for the digest; header; read what is there, two runs of bytes, sync of the image; header. */
	assert_string_equal(io.log, "yyryrwwfy");
	assert_true(file_is(path, b.array));
	assert_int_equal(behind_stats(&b).pending, 0);
	/* And now nothing any more. */
	behind_ticks(&b, 100);
	assert_string_equal(io.log, "yyryrwwfy");
	behind_exit(&b);
}

static void three_quarters_of_a_journal_are_applied_without_silence(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct behind b;

	behind_init(&b, path, 0);
	behind_ticks(&b, 1);
	behind_store(&b, 0, 0x33, 11 * KIB);
	behind_ticks(&b, 2);
	assert_int_equal(behind_stats(&b).applies, 0);
	behind_store(&b, 11 * KIB, 0x34, 2 * KIB);
	behind_ticks(&b, 1);
	assert_int_equal(behind_stats(&b).applies, 1);
	assert_true(file_is(path, b.array));
	behind_exit(&b);
}

static void commit_is_the_journal_and_flush_the_image_too(void **state)
{
	struct faultio io;
	struct behind b;

	init_on(&b, &io, tmpdir_path(state, "vars"), 0);
	behind_store(&b, 0, 0x44, 4 * KIB);
	assert_int_equal(fm_write_behind_commit(b.wb, NULL), 0);
	assert_string_equal(io.log, "y");
	assert_int_equal(fm_write_behind_commit(b.wb, NULL), 0);
	assert_string_equal(io.log, "y");
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	assert_string_equal(io.log, "yyrwfy");
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	assert_string_equal(io.log, "yyrwfy");
	behind_exit(&b);
}

static void through_is_durable_when_the_call_returns(void **state)
{
	struct faultio io;
	struct behind b;

	tmpdir_fill(tmpdir_path(state, "vars"), LEN, 0);
	behind_config(&b, tmpdir_path(state, "vars"));
	faultio_init(&io);
	b.cfg.io = &io.io;
	b.cfg.mode = FM_WRITE_THROUGH;
	behind_open(&b);
	clear_log(&io);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(behind_store(&b, 7 * i, 0x55, 7), 0);
	assert_string_equal(io.log, "yyyyy");
	io.fail_at = io.calls + 1;
	assert_int_equal(behind_store(&b, 100, 0x55, 7), FM_EFF_IOERR);
	assert_int_equal(fm_write_behind_error(b.wb, NULL), FM_ERR_IO);
	assert_int_equal(behind_store(&b, 200, 0x55, 7), 0);
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	assert_int_equal(fm_write_behind_error(b.wb, NULL), 0);
	behind_exit(&b);
}

static void none_writes_nothing_ever(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct behind a, b;
	uint8_t before[LEN];
	struct fm_error err;

	tmpdir_fill(path, LEN, 0x66);
	memset(before, 0x66, LEN);
	behind_config(&a, path);
	a.cfg.mode = FM_WRITE_NONE;
	behind_open(&a);
	assert_int_equal(behind_store(&a, 0, 0, LEN), 0);
	assert_int_equal(behind_erase(&a, 0, LEN), 0);
	assert_int_equal(fm_write_behind_flush(a.wb, NULL), 0);
	/* Others may throw away as well, but nobody may write. */
	behind_config(&b, path);
	b.cfg.mode = FM_WRITE_NONE;
	behind_open(&b);
	fm_write_behind_close(b.wb);
	b.cfg.mode = FM_WRITE_BEHIND;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
	fm_worker_free(b.worker);
	behind_exit(&a);
	assert_true(file_is(path, before));
	assert_int_equal(tmpdir_entries(state), 1);
}

static void a_full_journal_makes_the_guest_wait_and_says_so(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct behind b;

	behind_init(&b, path, 0);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(behind_store(&b, 1024 * i, (uint8_t)(i + 1), 1000), 0);
	assert_true(behind_stats(&b).waits >= 2);
	assert_true(behind_stats(&b).wait_ns > 0);
	assert_true(behind_stats(&b).pending <= behind_stats(&b).journal_len);
	behind_exit(&b);
	assert_true(file_is(path, b.array));
}

static void an_operation_longer_than_the_journal_goes_in_parts(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct behind b;

	behind_init(&b, path, 0);
	for (unsigned i = 0; i < LEN; i++)
		b.array[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(fm_write_behind_store(b.wb, 0, LEN), 0);
	behind_exit(&b);
	assert_true(file_is(path, b.array));
}

static void what_is_outside_the_array_is_refused(void **state)
{
	struct behind b;

	behind_init(&b, tmpdir_path(state, "vars"), 0);
	assert_int_equal(fm_write_behind_store(b.wb, LEN, 1), FM_EFF_FAULT);
	assert_int_equal(fm_write_behind_erase(b.wb, 1, LEN), FM_EFF_FAULT);
	assert_int_equal(fm_write_behind_store(b.wb, UINT64_MAX, 2), FM_EFF_FAULT);
	assert_int_equal(behind_stats(&b).told, 0);
	behind_exit(&b);
}

static void what_the_image_has_already_is_not_written(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct behind b;

	behind_init(&b, path, 0xff);
	/* Erased blocks of an image that is erased; one byte in them is not. */
	behind_erase(&b, 0, LEN);
	behind_store(&b, 5000, 0, 1);
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	assert_int_equal(behind_stats(&b).image_bytes, 1);
	behind_store(&b, 6000, 1, 1);
	behind_store(&b, 6063, 1, 1);
	behind_store(&b, 7000, 1, 1);
	behind_erase(&b, 5900, 100);
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	/* Two of them are 62 bytes apart: written together. */
	assert_int_equal(behind_stats(&b).image_bytes, 1 + 64 + 1);
	assert_true(file_is(path, b.array));
	behind_exit(&b);
}

static void after_a_failed_sync_of_the_image_all_is_written_again(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct faultio io;
	struct behind b;

	init_on(&b, &io, path, 0);
	behind_store(&b, 0, 0x77, 4 * KIB);
	io.fail_at = io.calls + 5; /* commit, header, read, write, sync */
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), FM_ERR_IO);
	assert_int_equal(behind_stats(&b).image_bytes, 4 * KIB);
	clear_log(&io);
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	assert_string_equal(io.log, "ywfy");
	assert_int_equal(behind_stats(&b).image_bytes, 8 * KIB);
	behind_exit(&b);
}

/* --- a host that fails ------------------------------------------------------------------- */

static void a_failure_in_the_background_is_told_and_ends_with_a_flush(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_error err = { 0 };
	struct faultio io;
	struct behind b;

	init_on(&b, &io, path, 0);
	behind_store(&b, 0, 0x12, 100);
	behind_ticks(&b, 1);
	io.fail_at = io.calls + 1;
	io.error = ENOSPC;
	io.dead = true;
	behind_ticks(&b, 1);
	assert_int_equal(fm_write_behind_error(b.wb, &err), FM_ERR_NOSPACE);
	assert_int_equal(err.sys, ENOSPC);
	assert_non_null(strstr(err.msg, "vars.journal"));
	/* Changes are still taken, and stay. */
	assert_int_equal(behind_store(&b, 200, 0x34, 100), 0);
	assert_int_equal(fm_write_behind_flush(b.wb, &err), FM_ERR_NOSPACE);
	io.fail_at = 0;
	assert_int_equal(fm_write_behind_error(b.wb, NULL), FM_ERR_NOSPACE);
	assert_int_equal(fm_write_behind_flush(b.wb, &err), 0);
	assert_int_equal(fm_write_behind_error(b.wb, NULL), 0);
	assert_true(file_is(path, b.array));
	behind_exit(&b);
}

static void what_a_full_journal_could_not_take_a_flush_finds(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	unsigned effects = 0;
	struct faultio io;
	struct behind b;

	init_on(&b, &io, path, 0xff);
	io.fail_at = io.calls + 1;
	io.dead = true;
	for (unsigned i = 0; i < 40; i++)
		effects |= behind_store(&b, 1024 * i, (uint8_t)(i + 1), 1000);
	assert_int_equal(effects, FM_EFF_IOERR);
	assert_int_equal(fm_write_behind_error(b.wb, NULL), FM_ERR_IO);
	assert_int_equal(behind_erase(&b, 0, 100), FM_EFF_IOERR);
	io.fail_at = 0;
	/* Told or not: the journal may not take it before what is missing. */
	assert_int_equal(behind_store(&b, 0, 0, 1), FM_EFF_IOERR);
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	assert_true(file_is(path, b.array));
	assert_int_equal(behind_store(&b, 0, 1, 1), 0);
	behind_exit(&b);
	assert_true(file_is(path, b.array));
}

static void a_commit_does_not_pass_over_what_only_the_array_has(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct faultio io;
	struct behind b;

	init_on(&b, &io, path, 0xff);
	io.fail_at = io.calls + 1;
	io.dead = true;
	for (unsigned i = 0; i < 40; i++)
		behind_store(&b, 1024 * i, (uint8_t)(i + 1), 1000);
	assert_int_equal(fm_write_behind_commit(b.wb, NULL), FM_ERR_IO);
	io.fail_at = 0;
	assert_int_equal(fm_write_behind_commit(b.wb, NULL), 0);
	assert_true(file_is(path, b.array));
	assert_int_equal(behind_store(&b, 0, 1, 1), 0);
	/* The error is told until a flush, as any other. */
	assert_int_equal(fm_write_behind_error(b.wb, NULL), FM_ERR_IO);
	behind_exit(&b);
}

static void through_is_durable_after_a_snapshot_too(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct behind b;

	tmpdir_fill(path, LEN, 0);
	behind_config(&b, path);
	b.cfg.mode = FM_WRITE_THROUGH;
	behind_open(&b);
	memset(b.array, 0x3c, LEN);
	fm_write_behind_stale(b.wb);
	assert_int_equal(behind_store(&b, 100, 0x55, 7), 0);
	assert_true(file_is(path, b.array));
	behind_exit(&b);
}

static void what_the_image_could_not_take_the_journal_keeps(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct faultio io;
	struct behind b;

	init_on(&b, &io, path, 0);
	behind_store(&b, 0, 0x77, 5000);
	io.fail_at = io.calls + 5; /* commit, read, header, read, write */
	io.torn = true;
	io.dead = true;
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), FM_ERR_IO);
	fm_write_behind_close(b.wb);
	assert_false(file_is(path, b.array));
	assert_int_equal(tmpdir_entries(state), 2);
	fm_worker_free(b.worker);
	{
		struct fm_recovery r;

		memset(&r, 0, sizeof(r));
		assert_int_equal(fm_write_behind_recover(NULL, path, NULL, false, &r, NULL), 0);
		assert_true(r.found && !r.clean);
		assert_int_equal(r.records, 1);
	}
	assert_true(file_is(path, b.array));
	assert_int_equal(tmpdir_entries(state), 1);
}

/* The kernel gives the old bytes of what it could not write back, and calls a bare retry a success. */
static void a_commit_after_a_failed_one_writes_everything_again(void **state)
{
	static uint8_t image[LEN], seen[LEN];
	struct memdir dir;
	struct fm_io io;
	struct behind b;
	struct fm_write_behind *reader;

	memdir_init(&dir, &io);
	memdir_put(&dir, "image", image, LEN);
	behind_config(&b, "image");
	b.cfg.io = &io;
	behind_open(&b);
	behind_store(&b, 10, 1, 10);
	assert_int_equal(fm_write_behind_commit(b.wb, NULL), 0);
	behind_store(&b, 100, 2, 100);
	dir.failing = true;
	assert_int_equal(fm_write_behind_commit(b.wb, NULL), FM_ERR_IO);
	dir.failing = false;
	behind_store(&b, 300, 3, 100);
	assert_int_equal(fm_write_behind_commit(b.wb, NULL), 0);
	/* The host crashes: only what was synced is there. */
	for (unsigned i = 0; i < MEMFILES; i++) {
		if (dir.files[i].bytes)
			memcpy(dir.files[i].bytes, dir.files[i].synced, dir.files[i].len);
	}
	b.cfg.array = seen;
	b.cfg.read_only = true;
	assert_int_equal(fm_write_behind_open(&reader, &b.cfg, NULL), 0);
	assert_memory_equal(seen, b.array, LEN);
	fm_write_behind_close(reader);
	behind_exit(&b);
	memdir_exit(&dir);
}

/* Some of everything, with ticks between. */
static unsigned scenario(struct behind *b)
{
	unsigned effects = 0;

	for (unsigned i = 0; i < 30; i++) {
		effects |= behind_store(b, 1500 * i, (uint8_t)(i + 1), 900 + i);
		if (i % 3 == 0)
			effects |= behind_erase(b, 2048 * i, 512);
		if (i % 4 == 0)
			behind_ticks(b, 1 + i % 12);
		if (i % 9 == 0)
			fm_write_behind_flush(b->wb, NULL);
	}
	return effects;
}

static void after_any_failed_call_a_flush_catches_up(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	unsigned n = 0;
	bool hit = true;

	while (hit) {
		struct faultio io;
		struct behind b;

		init_on(&b, &io, path, 0x77);
		n++;
		io.torn = true;
		io.interrupt = n % 2;
		io.most = n % 3 ? 3000 : 0;
		io.error = n % 2 ? EIO : ENOSPC;
		io.fail_at = io.calls + n;
		scenario(&b);
		hit = fm_write_behind_flush(b.wb, NULL) || io.calls >= io.fail_at;
		assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
		assert_int_equal(fm_write_behind_error(b.wb, NULL), 0);
		assert_true(file_is(path, b.array));
		io.fail_at = 0;
		behind_exit(&b);
		assert_int_equal(io.open_files, 0);
		assert_int_equal(tmpdir_entries(state), 1);
		assert_true(n < 2000);
	}
	assert_true(n > 50);
}

/* The host never comes back: what is left must open, and hold all that was told without an error. */
static void after_any_call_from_which_all_fail_nothing_told_is_lost(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	unsigned n = 0;
	bool hit = true;

	while (hit) {
		struct faultio io;
		struct behind b, after;
		unsigned effects;

		init_on(&b, &io, path, 0x77);
		n++;
		io.torn = true;
		io.dead = true;
		io.fail_at = io.calls + n;
		effects = scenario(&b);
		hit = io.calls >= io.fail_at;
		fm_write_behind_close(b.wb);
		fm_worker_free(b.worker);
		behind_config(&after, path);
		behind_open(&after);
		if (!effects)
			assert_memory_equal(after.array, b.array, LEN);
		behind_exit(&after);
		assert_true(n < 2000);
	}
	assert_true(n > 50);
}

/* --- the configuration --------------------------------------------------------------------- */

static void a_wrong_config_is_refused_and_named(void **state)
{
	struct fm_error err;
	struct behind b;

	behind_config(&b, NULL);
	assert_int_equal(behind_refused(&b, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "no image"));
	b.cfg.image = tmpdir_path(state, "vars");
	b.cfg.mode = 3;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "mode"));
	b.cfg.mode = FM_WRITE_NONE;
	b.cfg.create = true;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "create"));
	b.cfg.mode = FM_WRITE_BEHIND;
	b.cfg.create = false;
	b.cfg.journal_len = 4 * KIB;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "journal_len"));
	b.cfg.journal_len = 0;
	b.cfg.len = 0;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_ARG);
	assert_int_equal(tmpdir_entries(state), 0);
	fm_worker_free(b.worker);
}

static void modes_have_names(void **state)
{
	assert_string_equal(fm_write_mode_name(FM_WRITE_BEHIND), "behind");
	assert_string_equal(fm_write_mode_name(FM_WRITE_THROUGH), "through");
	assert_string_equal(fm_write_mode_name(FM_WRITE_NONE), "none");
	assert_null(fm_write_mode_name((enum fm_write_mode)3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_change_touches_no_file),
		tmpdir_test(a_tick_commits_and_ten_quiet_ones_apply),
		tmpdir_test(three_quarters_of_a_journal_are_applied_without_silence),
		tmpdir_test(commit_is_the_journal_and_flush_the_image_too),
		tmpdir_test(through_is_durable_when_the_call_returns),
		tmpdir_test(none_writes_nothing_ever),
		tmpdir_test(a_full_journal_makes_the_guest_wait_and_says_so),
		tmpdir_test(an_operation_longer_than_the_journal_goes_in_parts),
		tmpdir_test(what_is_outside_the_array_is_refused),
		tmpdir_test(what_the_image_has_already_is_not_written),
		tmpdir_test(after_a_failed_sync_of_the_image_all_is_written_again),
		tmpdir_test(a_failure_in_the_background_is_told_and_ends_with_a_flush),
		tmpdir_test(what_a_full_journal_could_not_take_a_flush_finds),
		tmpdir_test(a_commit_does_not_pass_over_what_only_the_array_has),
		tmpdir_test(through_is_durable_after_a_snapshot_too),
		tmpdir_test(what_the_image_could_not_take_the_journal_keeps),
		cmocka_unit_test(a_commit_after_a_failed_one_writes_everything_again),
		tmpdir_test(after_any_failed_call_a_flush_catches_up),
		tmpdir_test(after_any_call_from_which_all_fail_nothing_told_is_lost),
		tmpdir_test(a_wrong_config_is_refused_and_named),
		tmpdir_test(modes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
