/* SPDX-License-Identifier: BSD-2-Clause */
/* Variables set and deleted, and what a cut at any point leaves of them. */
#include "fuzz/memfile.h"
#include "tests/unit/rng.h"
#include "tests/unit/vars_store.h"

#include <firmem/powercut.h>
#include <firmem/write_behind.h>

/* --- power -------------------------------------------------------------------------------------- */

/* What the store may be, by the values of "v": NULL is absent. Others must be there. */
static void expect_one_of(const uint8_t *bytes, const char *old, const char *new)
{
	struct fm_vars *vars = vars_of(bytes, 0x4000);
	const struct fm_vars_record *r = fm_vars_find(vars, "v", vars_guid_a);
	enum fm_vars_verdict verdict = fm_vars_info(vars)->verdict;
	const char *now = r ? (const char *)r->data : NULL;

	assert_true(verdict == FM_VARS_CLEAN || verdict == FM_VARS_UPDATE_TORN);
	assert_true((!now && (!old || !new)) ||
		    (now && old && r->data_len == strlen(old) && !memcmp(now, old, r->data_len)) ||
		    (now && new && r->data_len == strlen(new) && !memcmp(now, new, r->data_len)));
	vars_expect_value(vars, vars_guid_a, "before", "1", 1);
	vars_expect_value(vars, vars_guid_b, "v", "2", 1);
	fm_vars_free(vars);
}

/* Every prefix of the operations, and in each of them subsets of the bits that it clears. */
static size_t cut_everywhere(const struct store *s, const char *old, const char *new)
{
	static uint8_t bytes[0x4000];
	struct rng rng = { 1 };
	size_t states = 0;

	memcpy(bytes, s->before, sizeof(bytes));
	for (size_t i = 0; i < s->count; i++) {
		uint8_t *p = bytes + s->ops[i].off;
		unsigned len = s->ops[i].len;
		uint8_t was[8];

		memcpy(was, p, len);
		/* All subsets of one byte's; of a wider word as many at random. */
		for (unsigned subset = 0; subset < 256; subset++) {
			for (unsigned k = 0; k < len; k++) {
				uint8_t left = len == 1 ? (uint8_t)subset : (uint8_t)rng_next(&rng);

				p[k] = s->ops[i].data[k] | (was[k] & left);
			}
			expect_one_of(bytes, old, new);
			states++;
		}
		memcpy(p, s->ops[i].data, len);
		expect_one_of(bytes, old, new);
	}
	assert_memory_equal(bytes, s->bank.array, sizeof(bytes));
	return states;
}

static struct store *store_to_cut(unsigned bank_width, unsigned chip_width)
{
	struct store *s = store_new(bank_width, chip_width, false);

	vars_build_add(&s->build, 0x3f, vars_guid_a, "before", "1", 1);
	vars_build_add(&s->build, 0x3f, vars_guid_b, "v", "2", 1);
	return s;
}

static void every_cut_leaves_the_old_value_or_the_new(void **state)
{
	static const struct {
		unsigned bank, chip;
	} widths[] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 4, 1 }, { 4, 2 }, { 8, 2 } };
	size_t states = 0;

	for (unsigned i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		struct store *s = store_to_cut(widths[i].bank, widths[i].chip);

		store_mark(s);
		assert_int_equal(store_set(s, "v", "old", 3), 0);
		states += cut_everywhere(s, NULL, "old");
		store_mark(s);
		assert_int_equal(store_set(s, "v", "newer", 5), 0);
		states += cut_everywhere(s, "old", "newer");
		store_mark(s);
		assert_int_equal(fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), 0);
		states += cut_everywhere(s, "newer", NULL);
		store_free(s);
	}
	print_message("%zu states\n", states);
	assert_true(states > 50000);
}

static void every_cut_among_hidden_records_leaves_the_old_value_or_the_new(void **state)
{
	static const uint8_t states[][2] = {
		{ 0x3e, 0x3f }, { 0x3f, 0x3f }, { 0x3f, 0x3e }, { 0x3e, 0x3e }
	};

	for (unsigned i = 0; i < 4; i++) {
		for (unsigned remove = 0; remove < 2; remove++) {
			struct store *s = store_to_cut(1, 1);
			const char *old = i == 1 || i == 2 ? "first" : "second";

			vars_build_add(&s->build, states[i][0], vars_guid_a, "v", "first", 5);
			vars_build_add(&s->build, states[i][1], vars_guid_a, "v", "second", 6);
			store_mark(s);
			if (remove)
				assert_int_equal(
					fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), 0);
			else
				assert_int_equal(store_set(s, "v", "new", 3), 0);
			cut_everywhere(s, old, remove ? NULL : "new");
			store_free(s);
		}
	}
}

/* --- the host's power ----------------------------------------------------------------------------- */

static struct fm_flash_config disk_config(const struct fm_io *io)
{
	struct fm_flash_config cfg = bank_config();

	cfg.bank_width = cfg.chip_width = 1;
	cfg.regions[0] = (struct fm_flash_region){ 0x1000, 4 };
	cfg.nregions = 1;
	cfg.image = "vars.fd";
	cfg.journal_len = 16384;
	cfg.io = io;
	return cfg;
}

/* What whoever opens the image after a crash finds in it. */
static void expect_on_disk(const struct fm_io *io, const char *old, const char *new)
{
	uint8_t bytes[0x4000];
	struct fm_write_behind_config cfg = { .struct_size = sizeof(cfg),
					      .array = bytes,
					      .len = sizeof(bytes),
					      .image = "vars.fd",
					      .read_only = true,
					      .io = io };
	struct fm_write_behind *wb;
	struct fm_error err;

	if (fm_write_behind_open(&wb, &cfg, &err))
		fail_msg("%s", err.msg);
	fm_write_behind_close(wb);
	expect_one_of(bytes, old, new);
}

struct change {
	const char *old;
	const char *new; /* NULL: it is deleted */
};

static int check_cut(void *ctx, const struct fm_powercut_state *state, struct fm_error *err)
{
	const struct change *c = ctx;

	expect_on_disk(fm_powercut_io(state->disk), c->old, c->new);
	return 0;
}

/* Make the change in a bank with an image, cut the power at each step; the store is changed then. */
static uint64_t cut_change(uint8_t *store, struct change change)
{
	const struct fm_powercut_config cfg = { .struct_size = sizeof(cfg), .file_max = 65536 };
	const struct fm_powercut_plan plan = { .struct_size = sizeof(plan), .states = 1500 };
	struct fm_worker_config worker = { .struct_size = sizeof(worker), .pumped = true };
	struct fm_powercut_report report;
	struct fm_flash_config bank;
	struct fm_powercut *pc;
	struct bank b;

	assert_int_equal(fm_powercut_new(&pc, &cfg, NULL), 0);
	assert_int_equal(fm_powercut_put(pc, "vars.fd", store, 0x4000, NULL), 0);
	bank = disk_config(fm_powercut_io(pc));
	assert_int_equal(fm_worker_new(&bank.worker, &worker, NULL), 0);
	bank_init(&b, 0x4000, bank);
	if (change.new) {
		struct fm_vars_value value = store_value("v", change.new, strlen(change.new));

		assert_int_equal(fm_vars_set(b.dev, &value, 1, NULL), 0);
	} else {
		assert_int_equal(fm_vars_delete(b.dev, "v", vars_guid_a, NULL), 0);
	}
	memcpy(store, b.array, 0x4000);
	bank_exit(&b);
	fm_worker_free(bank.worker);
	assert_int_equal(fm_powercut_explore(pc, &plan, check_cut, &change, &report, NULL), 0);
	fm_powercut_free(pc);
	return report.states;
}

static void what_the_hosts_power_cut_leaves_is_the_old_value_or_the_new(void **state)
{
	struct store *s = store_to_cut(1, 1);
	uint8_t store[0x4000];
	uint64_t states;

	memcpy(store, s->bank.array, sizeof(store));
	states = cut_change(store, (struct change){ NULL, "old" });
	states += cut_change(store, (struct change){ "old", "newer" });
	states += cut_change(store, (struct change){ "newer", NULL });
	assert_true(states > 300);
	store_free(s);
}

static void a_host_that_fails_is_told_and_leaves_the_old_value_or_the_new(void **state)
{
	struct fm_worker_config worker = { .struct_size = sizeof(worker), .pumped = true };
	struct store *s = store_to_cut(1, 1);
	struct fm_vars_value value = store_value("v", "newer", 5);
	int rc = FM_ERR_IO;

	assert_int_equal(store_set(s, "v", "old", 3), 0);
	for (unsigned n = 1; rc; n++) {
		struct fm_flash_config cfg;
		struct fm_error err = { 0 };
		struct memdir dir;
		struct fm_io io;
		struct bank b;

		memdir_init(&dir, &io);
		memdir_put(&dir, "vars.fd", s->bank.array, 0x4000);
		cfg = disk_config(&io);
		assert_int_equal(fm_worker_new(&cfg.worker, &worker, NULL), 0);
		bank_init(&b, 0x4000, cfg);
		dir.fail_from = dir.transfers + n;
		rc = fm_vars_set(b.dev, &value, 1, &err);
		assert_int_equal(rc, err.code);
		assert_true(!rc || rc == FM_ERR_IO);
		assert_int_equal(rc != 0, dir.failed);
		bank_exit(&b);
		dir.failing = false;
		expect_on_disk(&io, "old", "newer");
		fm_worker_free(cfg.worker);
		memdir_exit(&dir);
		assert_true(n < 300);
	}
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_leaves_the_old_value_or_the_new),
		cmocka_unit_test(every_cut_among_hidden_records_leaves_the_old_value_or_the_new),
		cmocka_unit_test(what_the_hosts_power_cut_leaves_is_the_old_value_or_the_new),
		cmocka_unit_test(a_host_that_fails_is_told_and_leaves_the_old_value_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
