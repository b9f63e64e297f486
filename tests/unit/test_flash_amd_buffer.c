/* SPDX-License-Identifier: BSD-2-Clause */
/* The AMD/Fujitsu command set: the write buffer and its aborts, unlock bypass, protection, reset. */
#include "tests/unit/amd_bank.h"

/* --- the write buffer -------------------------------------------------------------------- */

static void a_buffer_reaches_the_array_at_29(void **state)
{
	struct bank b;

	init(&b);
	start_buffer(&b, SECTOR, 4);
	for (uint32_t i = 0; i < 4; i++)
		w4(&b, SECTOR + 0x800 + 4 * i, 0x01010101 * i);
	assert_int_equal(b.effects, 0);
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_true(mapped(&b));
	cmd(&b, 2 * SECTOR - 4, 0x29);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(r4(&b, SECTOR + 0x800 + 4 * i), 0x01010101 * i);
	assert_int_equal(bank_stats(&b).programs, 1);
	assert_int_equal(bank_stats(&b).program_bytes, 16);
	assert_works(&b);
	bank_exit(&b);
}

static void buffer_words_come_in_any_order_and_the_last_one_counts(void **state)
{
	struct bank b;

	init(&b);
	start_buffer(&b, 0, 4);
	w4(&b, 0x20, 0x22222222);
	w4(&b, 0x10, 0x11111111);
	w4(&b, 0x20, 0x44444444);
	w4(&b, 0x18, 0x33333333);
	cmd(&b, 0, 0x29);
	assert_int_equal(r4(&b, 0x10), 0x11111111);
	assert_int_equal(r4(&b, 0x14), 0xffffffff);
	assert_int_equal(r4(&b, 0x18), 0x33333333);
	assert_int_equal(r4(&b, 0x20), 0x44444444);
	bank_exit(&b);
}

/* The status of both chips twice: DQ1, DQ7 as given, DQ6 toggling. */
static void assert_aborted(struct bank *b, uint32_t dq7)
{
	uint32_t first = r4(b, 0x123 * 4);
	uint32_t second = r4(b, 0);

	assert_int_equal(first & 0xffbfffbf, dq7 | 0x00020002);
	assert_int_equal(first ^ second, 0x00400040);
	assert_int_equal(r4(b, 0), first);
	assert_false(mapped(b));
}

static void a_buffer_is_aborted_by_each_of_the_datasheets_causes(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.buffer_len = 64;
	for (unsigned cause = 0; cause < 6; cause++) {
		uint32_t dq7 = 0x00000080;

		bank_init(&b, LEN, cfg);
		switch (cause) {
		case 0: /* more words than the buffer has */
			start_buffer(&b, SECTOR, 17);
			dq7 = 0;
			break;
		case 1: /* the count in another sector */
			unlock(&b);
			cmd(&b, SECTOR, 0x25);
			w4(&b, 0, 0x00010001);
			dq7 = 0;
			break;
		case 2: /* the first word in another sector */
			start_buffer(&b, SECTOR, 2);
			w4(&b, 0, 0);
			dq7 = 0;
			break;
		case 3: /* a word in another buffer */
			start_buffer(&b, SECTOR, 2);
			w4(&b, SECTOR, 0x00ff007f);
			w4(&b, SECTOR + 64, 0);
			break;
		case 4: /* anything but 29 */
			start_buffer(&b, SECTOR, 1);
			w4(&b, SECTOR, 0x00ff007f);
			cmd(&b, SECTOR, 0xf0);
			break;
		case 5: /* 29 in another sector */
			start_buffer(&b, SECTOR, 1);
			w4(&b, SECTOR, 0x00ff007f);
			cmd(&b, 0, 0x29);
			break;
		}
		assert_int_equal(b.effects, FM_EFF_REMAP);
		assert_aborted(&b, dq7);
		assert_true(all_bytes(b.array, LEN, 0xff));
		abort_reset(&b);
		assert_int_equal(b.effects, FM_EFF_REMAP);
		assert_int_equal(r4(&b, 0), 0xffffffff);
		/* What the buffer held is gone. */
		start_buffer(&b, SECTOR, 1);
		w4(&b, SECTOR + 4, 0);
		cmd(&b, SECTOR, 0x29);
		assert_int_equal(r4(&b, SECTOR), 0xffffffff);
		assert_works(&b);
		bank_exit(&b);
	}
}

static void only_the_abort_reset_ends_an_abort(void **state)
{
	struct bank b;

	init(&b);
	bank_trace(&b);
	start_buffer(&b, 0, 1);
	w4(&b, 0, 0);
	cmd(&b, 0, 0xf0);
	bank_forget(&b);
	cmd(&b, 0, 0xf0);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, "write to buffer aborted, and not reset"), 1);
	cmd(&b, 0x55 * 4, 0x98);
	program(&b, 0, 0);
	unlock(&b);
	cmd(&b, 0, 0x29);
	assert_aborted(&b, 0x00800080);
	assert_true(all_bytes(b.array, LEN, 0xff));
	abort_reset(&b);
	assert_works(&b);
	bank_exit(&b);
}

static void a_debug_read_toggles_nothing(void **state)
{
	struct bank b;
	uint64_t value;
	uint32_t first;

	init(&b);
	start_buffer(&b, 0, 1);
	w4(&b, 0, 0);
	cmd(&b, 0, 0);
	first = r4(&b, 0);
	assert_int_equal(fm_dev_read(b.dev, 0, 4, &value, (struct fm_attrs){ .debug = true }), 0);
	assert_int_equal(value, 0xffffffff);
	assert_int_equal(r4(&b, 0), first ^ 0x00400040);
	bank_exit(&b);
}

static void a_wide_read_toggles_once_for_each_bus_cycle(void **state)
{
	struct bank b;
	uint64_t value;

	init(&b);
	start_buffer(&b, 0, 1);
	w4(&b, 0, 0);
	cmd(&b, 0, 0);
	value = rd(&b, 0, 8);
	assert_int_equal((uint32_t)value ^ (uint32_t)(value >> 32), 0x00400040);
	bank_exit(&b);
}

/* --- unlock bypass ----------------------------------------------------------------------- */

static void in_bypass_two_cycles_program_and_two_erase(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array + SECTOR, 0, 2 * SECTOR);
	start(&b, 0x20);
	cmd(&b, 0, 0xa0);
	w4(&b, 0, 0x11111111);
	cmd(&b, 0x444, 0xa0);
	w4(&b, 4, 0x22222222);
	cmd(&b, 0, 0x80);
	cmd(&b, SECTOR + 8, 0x30);
	cmd(&b, 2 * SECTOR, 0x30);
	assert_int_equal(r4(&b, 0), 0x11111111);
	assert_int_equal(r4(&b, 4), 0x22222222);
	assert_true(all_bytes(b.array + SECTOR, 2 * SECTOR, 0xff));
	cmd(&b, 0, 0x80);
	cmd(&b, 0, 0x10);
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void bypass_is_left_by_90_00_and_by_nothing_else(void **state)
{
	static const uint8_t commands[] = { 0xf0, 0xaa, 0x98, 0x25, 0xb0, 0xff };
	struct bank b;

	init(&b);
	start(&b, 0x20);
	for (size_t i = 0; i < sizeof(commands); i++)
		cmd(&b, AT_555, commands[i]);
	cmd(&b, 0, 0x90);
	cmd(&b, 0, 0xf0);
	cmd(&b, 0, 0xa0);
	w4(&b, 0, 0x11111111);
	assert_int_equal(r4(&b, 0), 0x11111111);
	cmd(&b, 0, 0x90);
	cmd(&b, 0, 0x00);
	cmd(&b, 0, 0xa0);
	w4(&b, 4, 0x22222222);
	assert_int_equal(r4(&b, 4), 0xffffffff);
	assert_works(&b);
	bank_exit(&b);
}

static void a_read_in_bypass_ends_the_list_but_not_the_bypass(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array, 0, LEN);
	start(&b, 0x20);
	cmd(&b, 0, 0x80);
	cmd(&b, 0, 0x30);
	assert_int_equal(r4(&b, 0), 0xffffffff);
	cmd(&b, SECTOR, 0x30);
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0));
	cmd(&b, 0, 0xa0);
	w4(&b, 0, 0x12345678);
	assert_int_equal(r4(&b, 0), 0x12345678);
	bank_exit(&b);
}

/* --- protection, reset ------------------------------------------------------------------- */

static void a_read_only_bank_is_protected_and_says_so(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.read_only = true;
	bank_init(&b, LEN, cfg);
	memset(b.array, 0x77, LEN);
	bank_trace(&b);
	start(&b, 0x90);
	assert_int_equal(r4(&b, 5 * SECTOR + 8), 0x00010001);
	cmd(&b, 0, 0xf0);
	program(&b, 0, 0);
	start_erase(&b);
	cmd(&b, 0, 0x30);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	start_buffer(&b, 0, 1);
	w4(&b, 0, 0);
	cmd(&b, 0, 0x29);
	assert_true(all_bytes(b.array, LEN, 0x77));
	/* A protected sector is no failure that the data lines show. */
	assert_true(mapped(&b));
	assert_int_equal(
		traced(&b, FM_TRACE_MISUSE, "the block is locked, or an erase of it is suspended"),
		4);
	bank_exit(&b);
}

static void a_reset_ends_everything_but_a_kexec_nothing(void **state)
{
	struct bank b;

	init(&b);
	start_buffer(&b, 0, 1);
	w4(&b, 0, 0);
	cmd(&b, 0, 0);
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_KEXEC), 0);
	assert_aborted(&b, 0x00800080);
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_SYSTEM), FM_EFF_REMAP);
	assert_works(&b);
	start(&b, 0x20);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	cmd(&b, 0, 0xa0);
	w4(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0xffffffff);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_reaches_the_array_at_29),
		cmocka_unit_test(buffer_words_come_in_any_order_and_the_last_one_counts),
		cmocka_unit_test(a_buffer_is_aborted_by_each_of_the_datasheets_causes),
		cmocka_unit_test(only_the_abort_reset_ends_an_abort),
		cmocka_unit_test(a_debug_read_toggles_nothing),
		cmocka_unit_test(a_wide_read_toggles_once_for_each_bus_cycle),
		cmocka_unit_test(in_bypass_two_cycles_program_and_two_erase),
		cmocka_unit_test(bypass_is_left_by_90_00_and_by_nothing_else),
		cmocka_unit_test(a_read_in_bypass_ends_the_list_but_not_the_bypass),
		cmocka_unit_test(a_read_only_bank_is_protected_and_says_so),
		cmocka_unit_test(a_reset_ends_everything_but_a_kexec_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
