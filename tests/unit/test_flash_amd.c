/* SPDX-License-Identifier: BSD-2-Clause */
/* The AMD/Fujitsu command set: codes, words and sectors, and what a broken sequence leaves alone. */
#include "tests/unit/amd_bank.h"

/* --- reset, query, autoselect ------------------------------------------------------------ */

static void a_new_bank_is_an_amd_bank_in_read_array(void **state)
{
	struct bank b;

	init(&b);
	assert_string_equal(fm_dev_type(b.dev), "cfi-flash-amd");
	assert_true(mapped(&b));
	memset(b.array, 0x5a, 4);
	assert_int_equal(r4(&b, 0), 0x5a5a5a5a);
	bank_exit(&b);
}

static void query_is_entered_at_55_and_left_by_f0(void **state)
{
	static const uint32_t at[] = { 0x55, 0x555, 0x355, 0xf55 };
	struct bank b;

	init(&b);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		cmd(&b, at[i] * 4, 0x98);
		assert_int_equal(b.effects, FM_EFF_REMAP);
		assert_int_equal(r4(&b, 0x10 * 4), 'Q' * 0x00010001u);
		assert_int_equal(r4(&b, 0x11 * 4), 'R' * 0x00010001u);
		assert_int_equal(r4(&b, 0x12 * 4), 'Y' * 0x00010001u);
		cmd(&b, 0, 0xf0);
		assert_int_equal(b.effects, FM_EFF_REMAP);
		assert_int_equal(r4(&b, 0x10 * 4), 0xffffffff);
	}
	cmd(&b, 0x54 * 4, 0x98);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void autoselect_shows_codes_and_that_no_sector_is_protected(void **state)
{
	struct bank b;

	init(&b);
	unlock(&b);
	assert_int_equal(b.effects, 0);
	cmd(&b, AT_555, 0x90);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0), 0x00010001);
	assert_int_equal(r4(&b, 4), 0x227e227e);
	assert_int_equal(r4(&b, 3 * SECTOR + 8), 0);
	assert_int_equal(r4(&b, 0x0e * 4), 0x22222222);
	assert_int_equal(r4(&b, 0x0f * 4), 0x22012201);
	/* Address lines above A7 only choose the sector. */
	assert_int_equal(r4(&b, 0x101 * 4), 0x227e227e);
	cmd(&b, 123 * 4, 0xf0);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void query_works_in_autoselect_too(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0x90);
	cmd(&b, 0x55 * 4, 0x98);
	assert_int_equal(r4(&b, 0x10 * 4), 'Q' * 0x00010001u);
	bank_exit(&b);
}

static void codes_are_the_configs(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.manufacturer = 0x0004;
	cfg.device_id = 0x2249;
	bank_init(&b, LEN, cfg);
	start(&b, 0x90);
	assert_int_equal(r4(&b, 0), 0x00040004);
	assert_int_equal(r4(&b, 4), 0x22492249);
	assert_int_equal(r4(&b, 0x0e * 4), 0);
	assert_int_equal(r4(&b, 0x0f * 4), 0);
	bank_exit(&b);
}

/* --- word programming -------------------------------------------------------------------- */

static void a_word_is_programmed_at_the_fourth_cycle(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0xa0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 0x100), 0xffffffff);
	w4(&b, 0x100, 0x12345678);
	assert_int_equal(b.effects & ~(unsigned)FM_EFF_DIRTY, 0);
	assert_int_equal(r4(&b, 0x100), 0x12345678);
	/* It was one word: the next write is a command. */
	w4(&b, 0x104, 0);
	assert_int_equal(r4(&b, 0x104), 0xffffffff);
	assert_int_equal(bank_stats(&b).programs, 1);
	assert_works(&b);
	bank_exit(&b);
}

static void programming_makes_zeros_only(void **state)
{
	struct bank b;

	init(&b);
	bank_trace(&b);
	program(&b, 0, 0xff00ff00);
	program(&b, 0, 0x0ff00ff0);
	assert_int_equal(r4(&b, 0), 0x0f000f00);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, "programming cannot set bits to 1"), 1);
	bank_exit(&b);
}

static void data_that_looks_like_a_command_is_data(void **state)
{
	struct bank b;

	init(&b);
	program(&b, 0x20, 0x00f000f0);
	assert_int_equal(r4(&b, 0x20), 0x00f000f0);
	program(&b, AT_555, 0x00aa00aa);
	assert_int_equal(r4(&b, AT_555), 0x00aa00aa);
	cmd(&b, AT_2AA, 0x55); /* no unlock cycle came before */
	cmd(&b, AT_555, 0xa0);
	w4(&b, 0x30, 0);
	assert_int_equal(r4(&b, 0x30), 0xffffffff);
	bank_exit(&b);
}

static void address_lines_above_a10_and_data_lines_above_d7_do_not_matter(void **state)
{
	struct bank b;

	init(&b);
	w4(&b, 0x5555 * 4, 0x12aa34aa);
	w4(&b, 0x2aaa * 4, 0xff55ee55);
	w4(&b, 0x0d55 * 4, 0x77a011a0);
	w4(&b, 0x40, 0x11223344);
	assert_int_equal(r4(&b, 0x40), 0x11223344);
	bank_exit(&b);
}

static void a_wrong_cycle_breaks_the_sequence_off(void **state)
{
	static const struct {
		uint32_t off[3];
		uint8_t value[3];
	} wrong[] = {
		{ { AT_555 + 4, AT_2AA, AT_555 }, { 0xaa, 0x55, 0xa0 } },
		{ { AT_555, AT_2AA + 4, AT_555 }, { 0xaa, 0x55, 0xa0 } },
		{ { AT_555, AT_2AA, AT_555 + 4 }, { 0xaa, 0x55, 0xa0 } },
		{ { AT_555, AT_2AA, AT_555 }, { 0xab, 0x55, 0xa0 } },
		{ { AT_555, AT_2AA, AT_555 }, { 0xaa, 0x54, 0xa0 } },
		{ { AT_555, AT_2AA, AT_555 }, { 0xaa, 0xf0, 0xa0 } },
		{ { AT_555, AT_2AA, AT_555 }, { 0xaa, 0x55, 0xf0 } },
		{ { AT_555, AT_2AA, AT_555 }, { 0xaa, 0x55, 0x98 } },
		{ { AT_2AA, AT_555, AT_555 }, { 0xaa, 0x55, 0xa0 } },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct bank b;

		init(&b);
		for (unsigned n = 0; n < 3; n++)
			cmd(&b, wrong[i].off[n], wrong[i].value[n]);
		w4(&b, 0x80, 0);
		assert_int_equal(r4(&b, 0x80), 0xffffffff);
		assert_works(&b);
		bank_exit(&b);
	}
}

static void intel_commands_do_nothing(void **state)
{
	static const uint8_t commands[] = { 0xff, 0x50, 0x70, 0x40, 0x20, 0xd0, 0xe8, 0x60, 0x01 };
	struct bank b;

	init(&b);
	bank_trace(&b);
	for (size_t i = 0; i < sizeof(commands); i++) {
		cmd(&b, 0, commands[i]);
		assert_int_equal(b.effects, 0);
	}
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, "unknown command"), sizeof(commands));
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_works(&b);
	bank_exit(&b);
}

/* --- erasing ----------------------------------------------------------------------------- */

static void a_sector_is_erased_at_30_whatever_its_address_in_the_sector(void **state)
{
	static const uint32_t at[] = { 0, SECTOR - 4, SECTOR / 2 };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct bank b;

		init(&b);
		memset(b.array, 0, LEN);
		start_erase(&b);
		assert_true(all_bytes(b.array, LEN, 0));
		cmd(&b, 2 * SECTOR + at[i], 0x30);
		assert_true(b.effects & FM_EFF_REMAP);
		assert_true(all_bytes(b.array, 2 * SECTOR, 0));
		assert_true(all_bytes(b.array + 2 * SECTOR, SECTOR, 0xff));
		assert_true(all_bytes(b.array + 3 * SECTOR, LEN - 3 * SECTOR, 0));
		assert_int_equal(bank_stats(&b).erases, 1);
		bank_exit(&b);
	}
}

static void further_sectors_follow_until_a_read(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array, 0, LEN);
	start_erase(&b);
	cmd(&b, 0, 0x30);
	cmd(&b, 2 * SECTOR, 0x30);
	assert_true(all_bytes(b.array, SECTOR, 0xff));
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0));
	assert_true(all_bytes(b.array + 2 * SECTOR, SECTOR, 0xff));
	assert_false(mapped(&b));
	assert_int_equal(r4(&b, SECTOR), 0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(mapped(&b));
	/* Now it is a resume, and there is nothing to resume. */
	cmd(&b, 3 * SECTOR, 0x30);
	assert_int_equal(b.effects, 0);
	assert_true(all_bytes(b.array + 3 * SECTOR, SECTOR, 0));
	bank_exit(&b);
}

static void a_command_ends_the_list_of_sectors(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array, 0, LEN);
	start_erase(&b);
	cmd(&b, 0, 0x30);
	cmd(&b, 0, 0xb0); /* what would be a suspend */
	assert_true(mapped(&b));
	cmd(&b, SECTOR, 0x30);
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0));
	assert_works(&b);
	bank_exit(&b);
}

static void a_debug_read_ends_nothing(void **state)
{
	struct bank b;
	uint64_t value;

	init(&b);
	memset(b.array, 0, LEN);
	start_erase(&b);
	cmd(&b, 0, 0x30);
	assert_int_equal(fm_dev_read(b.dev, 0, 4, &value, (struct fm_attrs){ .debug = true }), 0);
	cmd(&b, SECTOR, 0x30);
	assert_true(all_bytes(b.array, 2 * SECTOR, 0xff));
	bank_exit(&b);
}

static void chip_erase_erases_every_sector(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array, 0, LEN);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_int_equal(bank_stats(&b).erases, LEN / SECTOR);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void an_erase_sequence_that_breaks_off_erases_nothing(void **state)
{
	static const struct {
		uint32_t off[3];
		uint8_t value[3];
	} wrong[] = {
		{ { AT_555 + 4, AT_2AA, 0 }, { 0xaa, 0x55, 0x30 } },
		{ { AT_555, AT_2AA + 4, 0 }, { 0xaa, 0x55, 0x30 } },
		{ { AT_555, AT_2AA, 0 }, { 0xab, 0x55, 0x30 } },
		{ { AT_555, AT_2AA, 0 }, { 0xaa, 0x55, 0xf0 } },
		{ { AT_555, AT_2AA, 0 }, { 0xaa, 0x55, 0x10 } }, /* at 0 */
		{ { AT_555, AT_2AA, 0 }, { 0xaa, 0x55, 0xd0 } },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct bank b;

		init(&b);
		memset(b.array, 0, LEN);
		start(&b, 0x80);
		for (unsigned n = 0; n < 3; n++)
			cmd(&b, wrong[i].off[n], wrong[i].value[n]);
		cmd(&b, 0, 0x30);
		assert_true(all_bytes(b.array, LEN, 0));
		assert_works(&b);
		bank_exit(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_bank_is_an_amd_bank_in_read_array),
		cmocka_unit_test(query_is_entered_at_55_and_left_by_f0),
		cmocka_unit_test(autoselect_shows_codes_and_that_no_sector_is_protected),
		cmocka_unit_test(query_works_in_autoselect_too),
		cmocka_unit_test(codes_are_the_configs),
		cmocka_unit_test(a_word_is_programmed_at_the_fourth_cycle),
		cmocka_unit_test(programming_makes_zeros_only),
		cmocka_unit_test(data_that_looks_like_a_command_is_data),
		cmocka_unit_test(address_lines_above_a10_and_data_lines_above_d7_do_not_matter),
		cmocka_unit_test(a_wrong_cycle_breaks_the_sequence_off),
		cmocka_unit_test(intel_commands_do_nothing),
		cmocka_unit_test(a_sector_is_erased_at_30_whatever_its_address_in_the_sector),
		cmocka_unit_test(further_sectors_follow_until_a_read),
		cmocka_unit_test(a_command_ends_the_list_of_sectors),
		cmocka_unit_test(a_debug_read_ends_nothing),
		cmocka_unit_test(chip_erase_erases_every_sector),
		cmocka_unit_test(an_erase_sequence_that_breaks_off_erases_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
