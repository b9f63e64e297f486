/* SPDX-License-Identifier: BSD-2-Clause */
/* Wear and failures: what fails, on which chips, and what becomes of the cells. */
#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

static struct fm_flash_config intel_config(const struct fm_flash_health *health)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ SECTOR, LEN / SECTOR };
	cfg.nregions = 1;
	cfg.health = health;
	return cfg;
}

static struct fm_flash_health none(void)
{
	return (struct fm_flash_health){ .struct_size = sizeof(struct fm_flash_health) };
}

static uint32_t count_of(struct bank *b, uint32_t block)
{
	uint32_t count = 0;

	assert_int_equal(fm_flash_erase_count(b->dev, block, &count), 0);
	return count;
}

/* Status of one Intel operation, which is then cleared. */
static uint32_t outcome(struct bank *b)
{
	uint32_t sr = bank_status(b);

	cmd(b, 0, 0x50);
	return sr;
}

/* --- counters ----------------------------------------------------------------------------------- */

static void erases_are_counted_by_block(void **state)
{
	const uint32_t counts[8] = { 5, 0, 7 };
	struct fm_flash_health health = none();
	uint32_t count = 99;
	struct bank b;

	health.counts = counts;
	bank_init(&b, LEN, intel_config(&health));
	bank_erase(&b, 2 * SECTOR + 64);
	bank_erase(&b, 2 * SECTOR);
	bank_erase(&b, SECTOR);
	assert_int_equal(count_of(&b, 0), 5);
	assert_int_equal(count_of(&b, 1), 1);
	assert_int_equal(count_of(&b, 2), 9);
	/* One that is refused is none. */
	bank_lock(&b, 0, 0x01);
	bank_erase(&b, 0);
	assert_int_equal(count_of(&b, 0), 5);
	assert_int_equal(fm_flash_erase_count(b.dev, 8, &count), FM_ERR_RANGE);
	assert_int_equal(fm_flash_erase_count(NULL, 0, &count), FM_ERR_ARG);
	assert_int_equal(count, 99);
	bank_exit(&b);
	bank_init(&b, LEN, intel_config(NULL));
	assert_int_equal(fm_flash_erase_count(b.dev, 0, &count), FM_ERR_UNSUPPORTED);
	bank_exit(&b);
}

/* A block of two chips is worn where it was erased, whether the chips were together or not. */
static void chips_wear_each_for_itself(void **state)
{
	struct fm_flash_health health = none();
	struct fm_flash_config cfg;
	struct bank b;

	health.endurance = 2;
	cfg = intel_config(&health);
	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	wr(&b, 0, 2, 0x20); /* chip 0 alone */
	wr(&b, 0, 2, 0xd0);
	bank_erase(&b, 0);
	assert_int_equal(outcome(&b), 0x00800080);
	assert_int_equal(count_of(&b, 0), 2);
	b.array[0] = 0;
	b.array[2] = 0;
	bank_erase(&b, 0);
	assert_int_equal(outcome(&b), 0x008000a0);
	assert_int_equal(b.array[0], 0);
	assert_int_equal(b.array[2], 0xff);
	assert_int_equal(count_of(&b, 0), 3);
	bank_exit(&b);
}

static void a_block_takes_so_many_erases(void **state)
{
	struct fm_flash_health health = none();
	struct bank b;

	health.endurance = 3;
	bank_init(&b, LEN, intel_config(&health));
	keep_log(&b);
	for (unsigned i = 0; i < 3; i++) {
		b.array[0] = 0;
		bank_erase(&b, 0);
		assert_int_equal(outcome(&b), 0x00800080);
		assert_int_equal(b.array[0], 0xff);
	}
	b.array[0] = 0;
	bank_erase(&b, 0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(outcome(&b), 0x00a000a0);
	assert_int_equal(b.array[0], 0);
	assert_int_equal(count_of(&b, 0), 4);
	bank_erase(&b, SECTOR);
	assert_int_equal(outcome(&b), 0x00800080);
	assert_int_equal(bank_stats(&b).failed, 2);
	bank_exit(&b);
}

/* --- what fails ----------------------------------------------------------------------------------- */

static void everything_fails_on_a_bad_block(void **state)
{
	const uint32_t bad[] = { 3, 1 };
	struct fm_flash_health health = none();
	struct told told;
	struct bank b;

	health.bad = bad;
	health.nbad = 2;
	bank_init(&b, LEN, intel_config(&health));
	keep_log(&b);
	told_init(&told, &b);
	bank_program(&b, SECTOR, 0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(outcome(&b), 0x00900090);
	bank_buffer(&b, 3 * SECTOR, 3 * SECTOR, 2, 0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(outcome(&b), 0x00900090);
	bank_erase(&b, 4 * SECTOR - 4);
	assert_int_equal(outcome(&b), 0x00a000a0);
	assert_true(all_bytes(b.array, LEN, 0xff));
	/* Of what did not change the medium nothing is told as changed. */
	for (unsigned i = 0; i < told.n; i++)
		assert_false(told.ops[i].changed);
	bank_program(&b, 2 * SECTOR, 0);
	assert_int_equal(outcome(&b), 0x00800080);
	/* The failed buffer left no words behind. */
	bank_buffer(&b, 2 * SECTOR + 8, 2 * SECTOR + 8, 1, 0);
	assert_int_equal(b.array[2 * SECTOR + 8], 0);
	assert_int_equal(b.array[2 * SECTOR + 4], 0xff);
	told_exit(&told, &b);
	bank_exit(&b);
}

static void the_nth_program_and_the_nth_erase_fail(void **state)
{
	struct fm_flash_health health = none();
	struct bank b;

	health.fail_program = 2;
	health.fail_erase = 3;
	bank_init(&b, LEN, intel_config(&health));
	for (unsigned i = 1; i <= 4; i++) {
		bank_program(&b, 4 * i, 0);
		assert_int_equal(outcome(&b), i == 2 ? 0x00900090 : 0x00800080);
		assert_int_equal(b.array[4 * i], i == 2 ? 0xff : 0);
	}
	for (unsigned i = 1; i <= 4; i++) {
		bank_erase(&b, 0);
		assert_int_equal(outcome(&b), i == 3 ? 0x00a000a0 : 0x00800080);
	}
	bank_exit(&b);
}

static void a_share_fails_by_chip_and_the_same_from_one_seed(void **state)
{
	struct fm_flash_health health = none();
	unsigned failures[2] = { 0, 0 };
	struct bank one, two;

	health.program_ppm = 250000;
	health.seed = 42;
	bank_init(&one, LEN, intel_config(&health));
	bank_init(&two, LEN, intel_config(&health));
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t sr;

		bank_program(&one, 4 * i, 0);
		bank_program(&two, 4 * i, 0);
		sr = outcome(&one);
		assert_int_equal(sr, outcome(&two));
		for (unsigned chip = 0; chip < 2; chip++) {
			bool failed = sr >> (16 * chip) & 0x10;

			failures[chip] += failed;
			assert_int_equal(one.array[4 * i + 2 * chip], failed ? 0xff : 0);
		}
	}
	assert_in_range(failures[0], 180, 320);
	assert_in_range(failures[1], 180, 320);
	assert_int_equal(bank_stats(&one).failed, failures[0] + failures[1]);
	/* All or none. */
	bank_exit(&one);
	health.program_ppm = 1000000;
	bank_init(&one, LEN, intel_config(&health));
	for (unsigned i = 0; i < 20; i++) {
		bank_program(&one, 0, 0);
		assert_int_equal(outcome(&one), 0x00900090);
	}
	bank_exit(&one);
	bank_exit(&two);
}

static void a_failure_shows_when_the_time_has_come(void **state)
{
	struct fm_flash_health health = none();
	struct fm_flash_config cfg;
	struct bank b;

	health.fail_program = 1;
	health.fail_erase = 1;
	cfg = intel_config(&health);
	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	bank_program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0);
	/* Not counted twice when it is suspended. */
	cmd(&b, 0, 0xb0);
	cmd(&b, 0, 0xd0);
	tick_on(&b);
	assert_int_equal(b.effects, 0);
	assert_int_equal(outcome(&b), 0x00900090);
	bank_erase(&b, 0);
	tick_on(&b);
	assert_int_equal(outcome(&b), 0x00a000a0);
	bank_program(&b, 0, 0);
	tick_on(&b);
	assert_int_equal(outcome(&b), 0x00800080);
	bank_exit(&b);
}

/* --- stuck bits ------------------------------------------------------------------------------------ */

static void a_stuck_zero_fails_the_erase_of_its_chip(void **state)
{
	/* A byte of chip 1. */
	const struct fm_flash_stuck stuck[] = { { .off = 0x102, .zeros = 0x81 } };
	struct fm_flash_health health = none();
	struct told told;
	struct bank b;

	health.stuck = stuck;
	health.nstuck = 1;
	bank_init(&b, LEN, intel_config(&health));
	keep_log(&b);
	memset(b.array, 0, SECTOR);
	told_init(&told, &b);
	bank_erase(&b, 0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(bank_status(&b), 0x00a00080);
	assert_int_equal(b.array[0x102], 0x7e);
	b.array[0x102] = 0xff;
	assert_true(all_bytes(b.array, SECTOR, 0xff));
	/* Not all of it became FF: no erase for those who keep the image. */
	assert_int_equal(told.n, 1);
	assert_int_equal(told.ops[0].kind, FM_MEDIUM_STORE);
	assert_int_equal(told.ops[0].len, SECTOR);
	told_exit(&told, &b);
	/* Where it is 1 already there is nothing to set. */
	cmd(&b, 0, 0x50);
	bank_erase(&b, 0);
	assert_int_equal(outcome(&b), 0x00800080);
	bank_exit(&b);
}

static void a_stuck_one_fails_the_program_of_its_chip(void **state)
{
	const struct fm_flash_stuck stuck[] = { { .off = 0x100, .ones = 0x10 } };
	struct fm_flash_health health = none();
	struct bank b;

	health.stuck = stuck;
	health.nstuck = 1;
	bank_init(&b, LEN, intel_config(&health));
	bank_program(&b, 0x100, 0);
	assert_int_equal(bank_status(&b), 0x00800090);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x100), 0x00000010);
	cmd(&b, 0, 0x50);
	/* Another program that leaves it 1 is well. */
	bank_program(&b, 0x100, 0xffffffff);
	assert_int_equal(outcome(&b), 0x00800080);
	bank_buffer(&b, 0xf8, 0xf8, 2, 0);
	assert_int_equal(outcome(&b), 0x00800080);
	bank_buffer(&b, 0x100, 0x100, 2, 0);
	assert_int_equal(outcome(&b), 0x00800090);
	assert_int_equal(b.array[0x104], 0);
	bank_exit(&b);
}

static void an_amd_chip_with_a_stuck_bit_alone_shows_dq5(void **state)
{
	const struct fm_flash_stuck stuck[] = { { .off = SECTOR + 1, .zeros = 0x01 } };
	struct fm_flash_health health = none();
	struct fm_flash_config cfg = amd_config();
	uint32_t a, c;
	struct bank b;

	health.stuck = stuck;
	health.nstuck = 1;
	cfg.health = &health;
	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	memset(b.array + SECTOR, 0, SECTOR);
	start_erase(&b);
	cmd(&b, SECTOR, 0x30);
	assert_false(mapped(&b));
	a = r4(&b, SECTOR + 8);
	c = r4(&b, SECTOR + 8);
	assert_int_equal(a >> 16, 0xffff);
	assert_int_equal(a & 0xa0, 0x20);
	assert_int_equal((a ^ c) & 0xffff & 0x60, 0x40);
	cmd(&b, AT_555, 0x70);
	assert_int_equal(r4(&b, SECTOR + 8) & 0xffff, 0xa0);
	cmd(&b, 0, 0xf0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, SECTOR), 0xfffffeff);
	assert_works(&b);
	bank_exit(&b);
}

/* --- AMD ----------------------------------------------------------------------------------------- */

static void a_failed_amd_program_waits_for_its_reset(void **state)
{
	struct fm_flash_health health = none();
	struct fm_flash_config cfg = amd_config();
	uint32_t a, c;
	struct bank b;

	health.fail_program = 1;
	health.fail_erase = 1;
	cfg.health = &health;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	program(&b, 0x40, 0x00800000);
	tick_on(&b);
	assert_int_equal(b.effects, 0);
	a = r4(&b, 0x40);
	c = r4(&b, 0x40);
	assert_int_equal(a & 0x00a000a0, 0x002000a0);
	assert_int_equal((a ^ c) & 0x00400040, 0x00400040);
	/* It hears nothing else. */
	program(&b, 0x44, 0);
	assert_true(deadline(&b) == FM_NEVER);
	cmd(&b, AT_555, 0x70);
	assert_int_equal(r4(&b, 0), 0x00900090);
	cmd(&b, 0, 0xf0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0x40), 0xffffffff);
	/* An erase; 71 is the other way out. */
	start_erase(&b);
	cmd(&b, SECTOR, 0x30);
	tick_on(&b);
	tick_on(&b);
	assert_int_equal(r4(&b, 0) & 0x00a800a8, 0x00280028);
	cmd(&b, AT_555, 0x70);
	assert_int_equal(r4(&b, 0), 0x00a000a0);
	cmd(&b, AT_555, 0x71);
	assert_true(mapped(&b));
	program(&b, 0x40, 0x00800000);
	tick_on(&b);
	assert_int_equal(r4(&b, 0x40), 0x00800000);
	bank_exit(&b);
}

static void a_program_that_fails_leaves_a_suspended_erase_suspended(void **state)
{
	struct fm_flash_health health = none();
	struct fm_flash_config cfg = amd_config();
	struct bank one, two;

	health.fail_program = 1;
	cfg.health = &health;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&one, LEN, cfg);
	bank_init(&two, LEN, cfg);
	one.array[SECTOR] = 0;
	start_erase(&one);
	cmd(&one, SECTOR, 0x30);
	tick_on(&one);
	cmd(&one, 0, 0xb0);
	program(&one, 0, 0);
	tick_on(&one);
	assert_int_equal(r4(&one, 0) & 0x00200020, 0x00200020);
	carry(&two, &one);
	cmd(&two, 0, 0xf0);
	assert_int_equal(r4(&two, 0), 0xffffffff);
	assert_int_equal(r4(&two, SECTOR) & 0x00800080, 0x00800080);
	cmd(&two, 0, 0x30);
	tick_on(&two);
	assert_int_equal(two.array[SECTOR], 0xff);
	assert_true(mapped(&two));
	bank_exit(&one);
	bank_exit(&two);
}

static void a_chip_erase_passes_bad_sectors_and_fails(void **state)
{
	const uint32_t bad[] = { 2 };
	struct fm_flash_health health = none();
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	health.bad = bad;
	health.nbad = 1;
	cfg.health = &health;
	bank_init(&b, LEN, cfg);
	memset(b.array, 0, LEN);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	assert_int_equal(r4(&b, 0) & 0x00200020, 0x00200020);
	cmd(&b, 0, 0xf0);
	assert_true(all_bytes(b.array + 2 * SECTOR, SECTOR, 0));
	assert_true(all_bytes(b.array, 2 * SECTOR, 0xff));
	assert_true(all_bytes(b.array + 3 * SECTOR, LEN - 3 * SECTOR, 0xff));
	for (uint32_t n = 0; n < 8; n++)
		assert_int_equal(count_of(&b, n), 1);
	bank_exit(&b);
}

/* --- save, config ---------------------------------------------------------------------------------- */

static void counters_and_draws_go_with_the_saved_state(void **state)
{
	struct fm_flash_health health = none();
	struct bank one, two;

	health.erase_ppm = 400000;
	health.program_ppm = 400000;
	health.fail_program = 30;
	health.seed = 7;
	bank_init(&one, LEN, intel_config(&health));
	bank_init(&two, LEN, intel_config(&health));
	for (unsigned i = 0; i < 20; i++) {
		bank_erase(&one, SECTOR * (i % 8));
		bank_program(&one, 4 * i, 0);
	}
	carry(&two, &one);
	for (uint32_t n = 0; n < 8; n++)
		assert_int_equal(count_of(&one, n), count_of(&two, n));
	for (unsigned i = 0; i < 20; i++) {
		bank_erase(&one, SECTOR * (i % 8));
		bank_erase(&two, SECTOR * (i % 8));
		assert_int_equal(outcome(&one), outcome(&two));
		bank_program(&one, 4 * i, i);
		bank_program(&two, 4 * i, i);
		assert_int_equal(outcome(&one), outcome(&two));
	}
	assert_memory_equal(one.array, two.array, LEN);
	bank_exit(&one);
	bank_exit(&two);
}

static void a_state_without_health_is_not_one_with_it(void **state)
{
	struct fm_flash_health health = none();
	struct fm_error err = { 0 };
	struct bank one, two;
	void *bytes;
	size_t len;

	bank_init(&one, LEN, intel_config(&health));
	bank_init(&two, LEN, intel_config(NULL));
	assert_int_equal(fm_dev_save(two.dev, &bytes, &len, NULL), 0);
	assert_int_equal(fm_dev_load(one.dev, bytes, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "health"));
	free(bytes);
	bank_exit(&one);
	bank_exit(&two);
}

/* `health` is refused, and the message has `field`. */
static void refused(const struct fm_flash_health *health, const char *field)
{
	struct fm_flash_config cfg = intel_config(health);
	struct fm_block *block = bank_block(LEN);
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	cfg.block = block;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	if (!strstr(err.msg, field))
		fail_msg("%s: nothing of %s", err.msg, field);
	assert_null(dev);
	fm_block_free(block);
}

static void what_cannot_be_is_named(void **state)
{
	const struct fm_flash_stuck outside = { .off = LEN, .ones = 1 };
	const struct fm_flash_stuck both = { .off = 0, .ones = 3, .zeros = 6 };
	const uint32_t bad = 8;
	struct fm_flash_health health = none();

	health.program_ppm = 1000001;
	refused(&health, "program_ppm");
	health = none();
	health.erase_ppm = 1000001;
	refused(&health, "erase_ppm");
	health = none();
	health.nstuck = 1;
	refused(&health, "stuck");
	health.stuck = &outside;
	refused(&health, "stuck[0].off");
	health.stuck = &both;
	refused(&health, "stuck[0]");
	health = none();
	health.nbad = 1;
	refused(&health, "bad");
	health.bad = &bad;
	refused(&health, "bad[0]");
	health = none();
	health.struct_size = 4;
	refused(&health, "fm_flash_health");
}

static void a_byte_that_is_named_twice_is_stuck_by_both(void **state)
{
	const struct fm_flash_stuck stuck[] = { { .off = 9, .ones = 1 },
						{ .off = 4, .ones = 2 },
						{ .off = 9, .ones = 4 } };
	struct fm_flash_health health = none();
	struct bank b;

	health.stuck = stuck;
	health.nstuck = 3;
	bank_init(&b, LEN, intel_config(&health));
	bank_program(&b, 8, 0);
	assert_int_equal(b.array[9], 5);
	assert_int_equal(b.array[8], 0);
	bank_program(&b, 4, 0);
	assert_int_equal(b.array[4], 2);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(erases_are_counted_by_block),
		cmocka_unit_test(a_block_takes_so_many_erases),
		cmocka_unit_test(everything_fails_on_a_bad_block),
		cmocka_unit_test(the_nth_program_and_the_nth_erase_fail),
		cmocka_unit_test(a_share_fails_by_chip_and_the_same_from_one_seed),
		cmocka_unit_test(a_failure_shows_when_the_time_has_come),
		cmocka_unit_test(a_stuck_zero_fails_the_erase_of_its_chip),
		cmocka_unit_test(a_stuck_one_fails_the_program_of_its_chip),
		cmocka_unit_test(an_amd_chip_with_a_stuck_bit_alone_shows_dq5),
		cmocka_unit_test(a_failed_amd_program_waits_for_its_reset),
		cmocka_unit_test(a_program_that_fails_leaves_a_suspended_erase_suspended),
		cmocka_unit_test(a_chip_erase_passes_bad_sectors_and_fails),
		cmocka_unit_test(counters_and_draws_go_with_the_saved_state),
		cmocka_unit_test(a_state_without_health_is_not_one_with_it),
		cmocka_unit_test(chips_wear_each_for_itself),
		cmocka_unit_test(what_cannot_be_is_named),
		cmocka_unit_test(a_byte_that_is_named_twice_is_stuck_by_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
