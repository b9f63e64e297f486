/* SPDX-License-Identifier: BSD-2-Clause */
/* The power-cut explorer on files whose answers are known. */
#include "tests/unit/unit.h"

#include <firmem/powercut.h>

#include <errno.h>
#include <sys/mman.h>

#define SECTOR 512u

static struct fm_powercut *record(uint64_t drop_sync)
{
	const struct fm_powercut_config cfg = { .struct_size = sizeof(cfg),
						.drop_sync = drop_sync,
						.file_max = 65536 };
	struct fm_powercut *pc = NULL;

	assert_int_equal(fm_powercut_new(&pc, &cfg, NULL), 0);
	return pc;
}

static struct fm_file *open_in(struct fm_powercut *pc, const char *path, unsigned flags)
{
	const struct fm_io *io = fm_powercut_io(pc);
	struct fm_file *file = NULL;

	assert_int_equal(io->ops->open(io->ctx, path, FM_IO_READ | FM_IO_WRITE | flags, &file), 0);
	return file;
}

static void write_in(struct fm_powercut *pc, struct fm_file *file, uint64_t off, uint8_t byte,
		     size_t len)
{
	const struct fm_io *io = fm_powercut_io(pc);
	uint8_t buf[4096];

	memset(buf, byte, sizeof(buf));
	assert_int_equal(fm_io_write_all(io, file, buf, len, off), 0);
}

static void sync_in(struct fm_powercut *pc, struct fm_file *file)
{
	const struct fm_io *io = fm_powercut_io(pc);

	assert_int_equal(io->ops->fdatasync(io->ctx, file), 0);
}

/* --- a checker that collects what it sees of "f" and "g" ---------------------------------------- */

struct seen {
	/* For each file: -1 absent, else its first byte, the byte at 600, and its length. */
	char words[64][64];
	unsigned count;
	unsigned calls;
};

static void describe(struct fm_powercut *disk, const char *path, char *out, size_t room)
{
	size_t len = 0;
	const uint8_t *bytes = fm_powercut_file(disk, path, &len);

	if (!bytes)
		snprintf(out, room, "none");
	else
		snprintf(out, room, "%02x.%02x.%zu", len ? bytes[0] : 0xee,
			 len > 600 ? bytes[600] : 0xee, len);
}

static int collect(void *ctx, const struct fm_powercut_state *state, struct fm_error *err)
{
	struct seen *s = ctx;
	char f[24], g[24], word[64];

	describe(state->disk, "f", f, sizeof(f));
	describe(state->disk, "g", g, sizeof(g));
	snprintf(word, sizeof(word), "%s %s", f, g);
	s->calls++;
	for (unsigned i = 0; i < s->count; i++) {
		if (!strcmp(s->words[i], word))
			return 0;
	}
	assert_true(s->count < 64);
	strcpy(s->words[s->count++], word);
	return 0;
}

static bool saw(const struct seen *s, const char *word)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (!strcmp(s->words[i], word))
			return true;
	}
	return false;
}

static struct fm_powercut_report explore(struct fm_powercut *pc, fm_powercut_check *check,
					 void *ctx)
{
	const struct fm_powercut_plan plan = { .struct_size = sizeof(plan), .seed = 1 };
	struct fm_powercut_report report;

	assert_int_equal(fm_powercut_explore(pc, &plan, check, ctx, &report, NULL), 0);
	return report;
}

static const uint8_t zeros[1024];

static void what_is_not_synced_may_be_there_in_any_part(void **state)
{
	struct fm_powercut *pc = record(0);
	struct seen s = { .count = 0 };
	struct fm_file *f;

	assert_int_equal(fm_powercut_put(pc, "f", zeros, 1024, NULL), 0);
	f = open_in(pc, "f", 0);
	write_in(pc, f, 0, 1, 1024);
	explore(pc, collect, &s);
	assert_true(saw(&s, "00.00.1024 none"));
	assert_true(saw(&s, "01.00.1024 none"));
	assert_true(saw(&s, "00.01.1024 none"));
	assert_true(saw(&s, "01.01.1024 none"));
	assert_int_equal(s.count, 4);
	fm_powercut_free(pc);
}

static void what_is_synced_stays(void **state)
{
	struct fm_powercut *pc = record(0);
	struct seen s = { .count = 0 };
	struct fm_file *f;

	assert_int_equal(fm_powercut_put(pc, "f", zeros, 1024, NULL), 0);
	f = open_in(pc, "f", 0);
	write_in(pc, f, 0, 1, 1024);
	sync_in(pc, f);
	write_in(pc, f, 0, 2, 512);
	write_in(pc, f, 0, 3, 512);
	explore(pc, collect, &s);
	/* After the sync each version of the first sector, and the second one as synced. */
	assert_true(saw(&s, "02.01.1024 none"));
	assert_true(saw(&s, "03.01.1024 none"));
	assert_false(saw(&s, "02.00.1024 none"));
	assert_false(saw(&s, "03.00.1024 none"));
	fm_powercut_free(pc);
}

static void a_new_file_may_have_no_name_and_any_length_it_had(void **state)
{
	struct fm_powercut *pc = record(0);
	const struct fm_io *io = fm_powercut_io(pc);
	struct seen s = { .count = 0 };
	struct fm_file *f = open_in(pc, "f", FM_IO_CREATE);

	write_in(pc, f, 0, 1, 512);
	write_in(pc, f, 512, 2, 512);
	explore(pc, collect, &s);
	assert_true(saw(&s, "none none"));
	assert_true(saw(&s, "ee.ee.0 none"));
	assert_true(saw(&s, "00.ee.512 none"));
	assert_true(saw(&s, "00.02.1024 none"));
	assert_true(saw(&s, "01.00.1024 none"));
	/* Synced, its data are there, but its name may still be missing. */
	sync_in(pc, f);
	memset(&s, 0, sizeof(s));
	explore(pc, collect, &s);
	assert_true(saw(&s, "none none"));
	assert_int_equal(io->ops->sync_dir(io->ctx, "f"), 0);
	fm_powercut_free(pc);
}

static void a_rename_happens_or_not_but_not_half(void **state)
{
	struct fm_powercut *pc = record(0);
	const struct fm_io *io = fm_powercut_io(pc);
	struct seen s = { .count = 0 };

	assert_int_equal(fm_powercut_put(pc, "f", "\1", 1, NULL), 0);
	assert_int_equal(fm_powercut_put(pc, "g", "\2", 1, NULL), 0);
	assert_int_equal(io->ops->rename(io->ctx, "g", "f"), 0);
	explore(pc, collect, &s);
	assert_int_equal(s.count, 2);
	assert_true(saw(&s, "01.ee.1 02.ee.1"));
	assert_true(saw(&s, "02.ee.1 none"));
	fm_powercut_free(pc);
}

static void a_mapping_is_synced_by_range(void **state)
{
	struct fm_powercut *pc = record(0);
	const struct fm_io *io = fm_powercut_io(pc);
	struct seen s = { .count = 0 };
	struct fm_file *f;
	uint8_t *map = NULL;
	void *p;

	assert_int_equal(fm_powercut_put(pc, "f", zeros, 1024, NULL), 0);
	f = open_in(pc, "f", 0);
	assert_int_equal(io->ops->map(io->ctx, f, 0, 1024, PROT_READ | PROT_WRITE, MAP_SHARED, &p),
			 0);
	map = p;
	map[0] = 1;
	fm_powercut_look(pc);
	map[0] = 2;
	map[600] = 2;
	assert_int_equal(io->ops->msync(io->ctx, map, 512), 0);
	map[600] = 3;
	explore(pc, collect, &s);
	assert_true(saw(&s, "01.00.1024 none"));
	assert_true(saw(&s, "00.02.1024 none"));
	assert_true(saw(&s, "02.00.1024 none"));
	assert_true(saw(&s, "02.03.1024 none"));
	assert_false(saw(&s, "00.03.1024 none"));
	assert_false(saw(&s, "01.03.1024 none"));
	assert_int_equal(io->ops->unmap(io->ctx, map, 1024), 0);
	fm_powercut_free(pc);
}

static void small_cuts_are_explored_whole_and_large_ones_sampled(void **state)
{
	struct fm_powercut *pc = record(0);
	const struct fm_powercut_plan plan = { .struct_size = sizeof(plan), .states = 100 };
	struct fm_powercut_report report;
	struct seen s = { .count = 0 };
	static const uint8_t big[32768];
	struct fm_file *f;

	assert_int_equal(fm_powercut_put(pc, "f", big, sizeof(big), NULL), 0);
	f = open_in(pc, "f", 0);
	for (unsigned i = 0; i < 8; i++)
		write_in(pc, f, 4096 * i, 1, 4096);
	assert_int_equal(fm_powercut_explore(pc, &plan, collect, &s, &report, NULL), 0);
	assert_int_equal(report.points, 9);
	assert_true(report.complete > 2 && report.complete < 18);
	assert_true(report.states >= 90 && report.states <= 160);
	assert_int_equal(report.states, s.calls);
	fm_powercut_free(pc);
}

/* --- replacing a file -------------------------------------------------------------------------- */

static const char old_text[] = "the old text";
static const char new_text[] = "another text";

static int old_or_new(void *ctx, const struct fm_powercut_state *state, struct fm_error *err)
{
	size_t len;
	const uint8_t *bytes = fm_powercut_file(state->disk, "d/f", &len);

	(*(unsigned *)ctx)++;
	if (!bytes)
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0, "the file is gone");
	if (len != sizeof(old_text) ||
	    (memcmp(bytes, old_text, len) && memcmp(bytes, new_text, len)))
		return fm_error_set(err, FM_ERR_FORMAT, 0, "half a file of %zu bytes", len);
	return 0;
}

static struct fm_powercut *replaced(uint64_t drop_sync)
{
	struct fm_powercut *pc = record(drop_sync);

	assert_int_equal(fm_powercut_put(pc, "d/f", old_text, sizeof(old_text), NULL), 0);
	assert_int_equal(fm_io_store(fm_powercut_io(pc), "d/f", new_text, sizeof(new_text), NULL),
			 0);
	return pc;
}

static void storing_a_file_leaves_the_old_or_the_new(void **state)
{
	struct fm_powercut *pc = replaced(0);
	struct fm_powercut_report report;
	unsigned calls = 0;

	report = explore(pc, old_or_new, &calls);
	assert_int_equal(report.violations, 0);
	assert_int_equal(report.states, calls);
	assert_int_equal(report.complete, 2 * report.points);
	fm_powercut_free(pc);
}

static void without_its_sync_it_does_not_and_the_state_is_found_again(void **state)
{
	struct fm_powercut *pc = replaced(1);
	struct fm_powercut_report report;
	struct fm_error err = { 0 };
	unsigned calls = 0;

	report = explore(pc, old_or_new, &calls);
	assert_true(report.violations > 0);
	assert_int_equal(report.error.code, FM_ERR_FORMAT);
	calls = 0;
	assert_int_equal(fm_powercut_repeat(pc, 1, &report.first, old_or_new, &calls, &err),
			 FM_ERR_FORMAT);
	assert_int_equal(calls, 1);
	assert_string_equal(err.msg, report.error.msg);
	report.first.number = 1 << 20;
	assert_int_equal(fm_powercut_repeat(pc, 1, &report.first, old_or_new, &calls, &err),
			 FM_ERR_NOT_FOUND);
	fm_powercut_free(pc);
}

static void what_cannot_be_is_refused(void **state)
{
	struct fm_powercut_config cfg = { .struct_size = 1 };
	struct fm_powercut *pc = NULL;
	struct fm_file *file;
	struct fm_error err;

	assert_int_equal(fm_powercut_new(&pc, &cfg, &err), FM_ERR_ARG);
	pc = record(0);
	assert_int_equal(fm_powercut_put(pc, "f", zeros, 10, NULL), 0);
	assert_int_equal(fm_powercut_put(pc, "f", zeros, 10, &err), FM_ERR_EXISTS);
	{
		const struct fm_io *io = fm_powercut_io(pc);
		uint8_t byte = 0;

		assert_int_equal(io->ops->open(io->ctx, "g", FM_IO_READ, &file), -ENOENT);
		assert_int_equal(io->ops->open(io->ctx, "f", FM_IO_CREATE | FM_IO_EXCL, &file),
				 -EEXIST);
		file = open_in(pc, "f", 0);
		assert_int_equal(io->ops->pwrite(io->ctx, file, &byte, 1, 65536), -ENOSPC);
		assert_int_equal(io->ops->truncate(io->ctx, file, 65537), -ENOSPC);
	}
	fm_powercut_free(pc);
	fm_powercut_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_synced_may_be_there_in_any_part),
		cmocka_unit_test(what_is_synced_stays),
		cmocka_unit_test(a_new_file_may_have_no_name_and_any_length_it_had),
		cmocka_unit_test(a_rename_happens_or_not_but_not_half),
		cmocka_unit_test(a_mapping_is_synced_by_range),
		cmocka_unit_test(small_cuts_are_explored_whole_and_large_ones_sampled),
		cmocka_unit_test(storing_a_file_leaves_the_old_or_the_new),
		cmocka_unit_test(without_its_sync_it_does_not_and_the_state_is_found_again),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
