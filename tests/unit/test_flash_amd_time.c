/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD chips whose operations take time: data lines, the window of an erase, status register. */
#include "tests/unit/amd_timed_bank.h"

/* --- a program --------------------------------------------------------------------------------- */

static void a_busy_program_shows_dq7_and_toggles_dq6(void **state)
{
	struct told told;
	struct bank b;

	timed(&b);
	told_init(&told, &b);
	program(&b, 0x100, 0x0080ff00);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(deadline(&b), WORD_NS);
	/* Chip 0's word is FF00, whose bit 7 is 0; chip 1's is 0080. */
	assert_int_equal(r4(&b, 0x100), 0x00000080);
	assert_int_equal(r4(&b, 0x100), 0x004000c0);
	assert_int_equal(r4(&b, 0x2000), 0x00000080);
	assert_int_equal(r4(&b, 0), 0x004000c0);
	assert_int_equal(told.n, 0);
	tick(&b, WORD_NS - 1);
	assert_int_equal(b.effects, 0);
	tick(&b, WORD_NS);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, 0x100), 0x0080ff00);
	assert_int_equal(told.n, 1);
	assert_true(deadline(&b) == FM_NEVER);
	assert_works_in_time(&b);
	told_exit(&told, &b);
	bank_exit(&b);
}

static void a_debug_read_toggles_nothing(void **state)
{
	uint64_t value;
	struct bank b;

	timed(&b);
	program(&b, 0x100, 0);
	assert_int_equal(r4(&b, 0), DQ(0x80));
	for (unsigned i = 0; i < 3; i++) {
		fm_dev_read(b.dev, 0x100, 4, &value, (struct fm_attrs){ .debug = true });
		assert_int_equal(value, 0xffffffff);
	}
	assert_int_equal(r4(&b, 0), DQ(0xc0));
	bank_exit(&b);
}

static void a_busy_chip_hears_only_suspend_and_the_status_register(void **state)
{
	struct bank b;

	timed(&b);
	program(&b, 0x100, 0x12341234);
	bank_trace(&b);
	cmd(&b, 0, 0xf0);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
	start(&b, 0xa0);
	cmd(&b, 0x10, 0);
	cmd(&b, 0x55 * 4, 0x98);
	cmd(&b, 0, 0x30);
	assert_false(mapped(&b));
	assert_int_equal(deadline(&b), WORD_NS);
	tick_on(&b);
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, 0x100), 0x12341234);
	assert_int_equal(r4(&b, 0x10), 0xffffffff);
	assert_works_in_time(&b);
	bank_exit(&b);
}

static void a_buffer_takes_its_time_and_shows_its_last_word(void **state)
{
	struct bank b;

	timed(&b);
	start_buffer(&b, 0, 3);
	w4(&b, 0x20, 0);
	w4(&b, 0x28, 0);
	w4(&b, 0x24, 0x00800000);
	cmd(&b, 0, 0x29);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(deadline(&b), BUFFER_NS);
	assert_int_equal(r4(&b, 0x24), 0x00000080);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0x24), 0x00800000);
	assert_int_equal(r4(&b, 0x20), 0);
	bank_exit(&b);
}

/* --- an erase ------------------------------------------------------------------------------------ */

static void further_sectors_join_within_fifty_microseconds_each(void **state)
{
	struct told told;
	struct bank b;

	timed(&b);
	told_init(&told, &b);
	erase_sector(&b, SECTOR);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(deadline(&b), WINDOW_NS);
	/* DQ3 is 0: there may be more. DQ2 toggles in the sector. */
	assert_int_equal(r4(&b, SECTOR) & DQ(0xa8), 0);
	tick(&b, 40 * US);
	cmd(&b, 3 * SECTOR + 0x100, 0x30);
	assert_int_equal(deadline(&b), 40 * US + WINDOW_NS);
	tick(&b, 89 * US);
	cmd(&b, 3 * SECTOR, 0x30);
	assert_int_equal(r4(&b, 0) & DQ(0x08), 0);
	tick(&b, 139 * US);
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 0) & DQ(0x88), DQ(0x08));
	assert_int_equal(told.n, 0);
	/* Too late. */
	cmd(&b, 5 * SECTOR, 0x30);
	assert_int_equal(deadline(&b), 139 * US + 2 * ERASE_NS);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_int_equal(told.n, 2);
	assert_int_equal(told.ops[0].kind, FM_MEDIUM_ERASE);
	assert_int_equal(told.ops[0].off, SECTOR);
	assert_int_equal(told.ops[1].off, 3 * SECTOR);
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0xff));
	assert_true(all_bytes(b.array + 3 * SECTOR, SECTOR, 0xff));
	assert_int_equal(b.array[4], 0x77);
	assert_int_equal(b.array[5 * SECTOR + 4], 0x77);
	assert_int_equal(bank_stats(&b).erases, 2);
	told_exit(&told, &b);
	bank_exit(&b);
}

static void one_tick_over_window_and_erase_ends_the_erase(void **state)
{
	struct bank b;

	timed(&b);
	erase_sector(&b, SECTOR);
	tick(&b, 100 * ERASE_NS);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_true(deadline(&b) == FM_NEVER);
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0xff));
	/* And one into the erase: from the window's end on, not from the tick. */
	erase_sector(&b, 2 * SECTOR);
	tick(&b, 100 * ERASE_NS + 1 * MS);
	assert_int_equal(deadline(&b), 101 * ERASE_NS + WINDOW_NS);
	bank_exit(&b);
}

static void another_command_in_the_window_erases_nothing(void **state)
{
	static const uint8_t codes[] = { 0xf0, 0xaa, 0x10, 0xff };
	struct bank b;

	timed(&b);
	for (size_t i = 0; i < sizeof(codes); i++) {
		erase_sector(&b, SECTOR);
		cmd(&b, 2 * SECTOR, 0x30);
		cmd(&b, AT_555, codes[i]);
		assert_int_equal(b.effects, FM_EFF_REMAP);
		assert_true(mapped(&b));
		assert_true(deadline(&b) == FM_NEVER);
	}
	tick(&b, 90 * ERASE_NS);
	assert_int_equal(b.effects, 0);
	assert_int_equal(b.array[SECTOR + 4], 0x77);
	/* The next erase has none of them. */
	erase_sector(&b, 4 * SECTOR);
	tick(&b, 180 * ERASE_NS);
	assert_int_equal(b.array[SECTOR + 4], 0x77);
	assert_int_equal(b.array[4 * SECTOR + 4], 0xff);
	bank_exit(&b);
}

static void dq2_toggles_where_it_is_erased_only(void **state)
{
	uint32_t a, c;
	struct bank b;

	timed(&b);
	erase_sector(&b, SECTOR);
	tick(&b, WINDOW_NS);
	a = r4(&b, SECTOR);
	c = r4(&b, SECTOR + 8);
	assert_int_equal((a ^ c) & DQ(0x44), DQ(0x44));
	a = r4(&b, 2 * SECTOR);
	c = r4(&b, 2 * SECTOR);
	assert_int_equal((a ^ c) & DQ(0x44), DQ(0x40));
	assert_int_equal(a & DQ(0xa8), DQ(0x08));
	bank_exit(&b);
}

static void a_chip_erase_takes_a_seconds_sum_and_cannot_be_suspended(void **state)
{
	struct bank b;

	timed(&b);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	assert_int_equal(deadline(&b), 8 * ERASE_NS);
	assert_int_equal(r4(&b, 0) & DQ(0xa8), DQ(0x08));
	cmd(&b, 0, 0xb0);
	assert_false(mapped(&b));
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_true(all_bytes(b.array, LEN, 0xff));
	bank_exit(&b);
}

static void the_status_register_is_read_over_and_over(void **state)
{
	struct bank b;

	timed(&b);
	assert_int_equal(status_register(&b), DQ(0x80));
	assert_true(mapped(&b));
	program(&b, 0x100, 0);
	assert_int_equal(status_register(&b), 0);
	/* Once: then the data lines again. */
	assert_int_equal(r4(&b, 0) & DQ(0x80), DQ(0x80));
	cmd(&b, AT_555, 0x70);
	tick_on(&b);
	/* It was asked for before the end, and is read after it. */
	assert_int_equal(r4(&b, 0), DQ(0x80));
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0x100), 0);
	bank_exit(&b);
}

static void an_aborted_buffer_shows_in_the_status_register(void **state)
{
	struct bank b;

	timed(&b);
	start_buffer(&b, 0, 1);
	w4(&b, 0, 0);
	cmd(&b, 0, 0x11);
	assert_int_equal(r4(&b, 0) & DQ(0x02), DQ(0x02));
	assert_int_equal(status_register(&b), DQ(0x88));
	abort_reset(&b);
	assert_int_equal(status_register(&b), DQ(0x80));
	bank_exit(&b);
}

/* --- locks ------------------------------------------------------------------------------------------ */

static void an_erase_of_protected_sectors_takes_a_hundred_microseconds(void **state)
{
	struct bank b;

	timed(&b);
	/* DYB of sector 1. */
	start(&b, 0xe0);
	cmd(&b, 0, 0xa0);
	cmd(&b, SECTOR, 0);
	cmd(&b, 0, 0x90);
	cmd(&b, 0, 0);
	assert_true(mapped(&b));
	erase_sector(&b, SECTOR);
	tick(&b, WINDOW_NS);
	assert_int_equal(deadline(&b), WINDOW_NS + 100 * US);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(b.array[SECTOR + 4], 0x77);
	assert_int_equal(status_register(&b), DQ(0xa2));
	cmd(&b, AT_555, 0x71);
	assert_int_equal(status_register(&b), DQ(0x80));
	/* Together with an open one only that is erased. */
	erase_sector(&b, SECTOR);
	cmd(&b, 2 * SECTOR, 0x30);
	tick_on(&b);
	assert_int_equal(deadline(&b), 200 * US + ERASE_NS);
	tick_on(&b);
	assert_int_equal(b.array[SECTOR + 4], 0x77);
	assert_int_equal(b.array[2 * SECTOR + 4], 0xff);
	bank_exit(&b);
}

static void erases_of_many_sectors_do_not_wrap(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.times.erase_ms = 255;
	bank_init(&b, LEN, cfg);
	erase_sector(&b, 0);
	cmd(&b, SECTOR, 0x30);
	cmd(&b, 2 * SECTOR, 0x30);
	tick(&b, WINDOW_NS);
	assert_true(deadline(&b) > UINT64_MAX / 2);
	assert_int_equal(r4(&b, 0) & DQ(0x08), DQ(0x08));
	tick(&b, UINT64_MAX - 1);
	assert_false(mapped(&b));
	bank_exit(&b);
}

static void chips_end_apart_and_turn_the_mapping_when_the_last_does(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	keep_log(&b);
	for (unsigned chip = 0; chip < 2; chip++) {
		tick(&b, 10 * US * chip);
		wr(&b, AT_555 + 2 * chip, 2, 0xaa);
		wr(&b, AT_2AA + 2 * chip, 2, 0x55);
		wr(&b, AT_555 + 2 * chip, 2, 0xa0);
		wr(&b, 0x40 + 2 * chip, 2, 0x1234);
		assert_int_equal(b.effects, chip ? 0 : FM_EFF_REMAP);
	}
	tick(&b, WORD_NS);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0x40) & 0xffff, 0x1234);
	assert_int_equal(r4(&b, 0x40) >> 16 & 0x80, 0x80);
	tick(&b, WORD_NS + 10 * US);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0x40), 0x12341234);
	assert_works_in_time(&b);
	bank_exit(&b);
}

/* --- unlock bypass --------------------------------------------------------------------------------- */

static void bypass_lasts_over_a_program_and_an_erase(void **state)
{
	struct bank b;

	timed(&b);
	start(&b, 0x20);
	cmd(&b, 0, 0xa0);
	w4(&b, 0x40, 0);
	tick_on(&b);
	assert_int_equal(r4(&b, 0x40), 0);
	cmd(&b, 0, 0xa0);
	w4(&b, 0x44, 0x22222222);
	tick_on(&b);
	cmd(&b, 0, 0x80);
	cmd(&b, SECTOR, 0x30);
	tick_on(&b);
	tick_on(&b);
	assert_int_equal(b.array[SECTOR + 4], 0xff);
	cmd(&b, 0, 0x90);
	cmd(&b, 0, 0);
	assert_int_equal(r4(&b, 0x44), 0x22222222);
	assert_works_in_time(&b);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_program_shows_dq7_and_toggles_dq6),
		cmocka_unit_test(a_debug_read_toggles_nothing),
		cmocka_unit_test(a_busy_chip_hears_only_suspend_and_the_status_register),
		cmocka_unit_test(a_buffer_takes_its_time_and_shows_its_last_word),
		cmocka_unit_test(further_sectors_join_within_fifty_microseconds_each),
		cmocka_unit_test(one_tick_over_window_and_erase_ends_the_erase),
		cmocka_unit_test(another_command_in_the_window_erases_nothing),
		cmocka_unit_test(dq2_toggles_where_it_is_erased_only),
		cmocka_unit_test(a_chip_erase_takes_a_seconds_sum_and_cannot_be_suspended),
		cmocka_unit_test(the_status_register_is_read_over_and_over),
		cmocka_unit_test(an_aborted_buffer_shows_in_the_status_register),
		cmocka_unit_test(an_erase_of_protected_sectors_takes_a_hundred_microseconds),
		cmocka_unit_test(erases_of_many_sectors_do_not_wrap),
		cmocka_unit_test(chips_end_apart_and_turn_the_mapping_when_the_last_does),
		cmocka_unit_test(bypass_lasts_over_a_program_and_an_erase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
