/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD chips whose operations are suspended, resumed, reset and saved in the middle. */
#include "tests/unit/amd_timed_bank.h"

static void a_suspended_program_shows_the_array(void **state)
{
	struct bank b;

	timed(&b);
	program(&b, 0x100, 0);
	tick(&b, 28 * US);
	cmd(&b, 0, 0xb0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, 0x100), 0xffffffff);
	assert_int_equal(status_register(&b), DQ(0x84));
	assert_int_equal(r4(&b, 0x100), 0xffffffff);
	start(&b, 0x90);
	assert_int_equal(r4(&b, 0), DQ(1));
	cmd(&b, 0, 0xf0);
	cmd(&b, 0x55 * 4, 0x98);
	assert_int_equal(r4(&b, 0x40), DQ('Q'));
	cmd(&b, 0, 0xf0);
	tick(&b, 9 * MS);
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 0x100), 0xffffffff);
	bank_exit(&b);
}

static void a_suspended_program_goes_on_where_it_was(void **state)
{
	struct bank b;

	timed(&b);
	program(&b, 0x100, 0x11111111);
	tick(&b, 28 * US);
	cmd(&b, 0, 0xb0);
	/* A program is not begun over it, nor an erase. */
	start(&b, 0xa0);
	w4(&b, 0x200, 0);
	cmd(&b, 0, 0xf0);
	assert_true(deadline(&b) == FM_NEVER);
	tick(&b, 5 * MS);
	cmd(&b, 0, 0x30);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(deadline(&b), 5 * MS + 100 * US);
	assert_int_equal(r4(&b, 0), DQ(0x80));
	tick_on(&b);
	assert_int_equal(r4(&b, 0x100), 0x11111111);
	assert_int_equal(r4(&b, 0x200), 0xffffffff);
	assert_int_equal(bank_stats(&b).suspends, 2);
	bank_exit(&b);
}

static void a_suspended_erase_shows_its_sectors_status_and_the_others_array(void **state)
{
	uint32_t a, c;
	struct bank b;

	timed(&b);
	suspend_erase(&b);
	assert_false(mapped(&b));
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 4), 0x77777777);
	a = r4(&b, SECTOR + 4);
	c = r4(&b, SECTOR + 4);
	assert_int_equal(a & DQ(0x80), DQ(0x80));
	assert_int_equal((a ^ c) & DQ(0xff), DQ(0x04));
	assert_int_equal(status_register(&b), DQ(0xc0));
	assert_int_equal(r4(&b, 4), 0x77777777);
	assert_true(deadline(&b) == FM_NEVER);
	tick(&b, 5000 * MS);
	cmd(&b, 0, 0x30);
	assert_int_equal(deadline(&b), 6000 * MS);
	assert_int_equal(status_register(&b) & DQ(0x80), 0);
	assert_int_equal(r4(&b, SECTOR) & DQ(0x88), DQ(0x08));
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0xff));
	bank_exit(&b);
}

static void a_word_is_programmed_while_an_erase_is_suspended(void **state)
{
	struct bank b;

	timed(&b);
	suspend_erase(&b);
	program(&b, 0x40, 0x01020304);
	assert_int_equal(r4(&b, 0x40) & DQ(0x80), DQ(0x80));
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0x40), 0x01020304);
	assert_int_equal(r4(&b, SECTOR) & DQ(0x80), DQ(0x80));
	/* Not in the sector itself. */
	program(&b, SECTOR, 0);
	assert_true(deadline(&b) == FM_NEVER);
	start_buffer(&b, SECTOR, 1);
	w4(&b, SECTOR, 0);
	cmd(&b, SECTOR, 0x29);
	assert_true(deadline(&b) == FM_NEVER);
	/* Nor a second erase. */
	erase_sector(&b, 3 * SECTOR);
	cmd(&b, 0, 0xf0);
	start_buffer(&b, 0, 1);
	w4(&b, 0x80, 0x0f0f0f0f);
	cmd(&b, 0, 0x29);
	tick_on(&b);
	assert_int_equal(r4(&b, 0x80), 0x0f0f0f0f);
	cmd(&b, 0, 0x30);
	tick_on(&b);
	assert_true(mapped(&b));
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0xff));
	assert_int_equal(b.array[3 * SECTOR + 4], 0x77);
	bank_exit(&b);
}

static void a_program_suspended_within_a_suspended_erase_is_resumed_first(void **state)
{
	struct bank b;

	timed(&b);
	suspend_erase(&b);
	program(&b, 0x40, 0);
	cmd(&b, 0, 0xb0);
	assert_int_equal(status_register(&b), DQ(0xc4));
	assert_int_equal(r4(&b, 0x40), 0xffffffff);
	cmd(&b, 0, 0x30);
	assert_int_equal(deadline(&b), WINDOW_NS + 24 * MS + WORD_NS);
	tick_on(&b);
	assert_int_equal(r4(&b, 0x40), 0);
	assert_int_equal(b.array[SECTOR + 4], 0x77);
	cmd(&b, 0, 0x30);
	tick_on(&b);
	assert_int_equal(b.array[SECTOR + 4], 0xff);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void a_suspend_in_the_window_is_at_once_and_the_erase_is_still_to_come(void **state)
{
	uint64_t now;
	struct bank b;

	timed(&b);
	erase_sector(&b, SECTOR);
	tick(&b, 10 * US);
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 4), 0x77777777);
	assert_int_equal(r4(&b, SECTOR) & DQ(0x80), DQ(0x80));
	cmd(&b, 0, 0x30);
	assert_int_equal(r4(&b, SECTOR) & DQ(0x08), 0);
	/* A host ticks when the deadline is there; all of the erase's time is to come then. */
	now = tick_on(&b);
	assert_int_equal(deadline(&b), now + ERASE_NS);
	tick_on(&b);
	assert_true(mapped(&b));
	assert_int_equal(b.array[SECTOR + 4], 0xff);
	assert_int_equal(b.array[2 * SECTOR + 4], 0x77);
	bank_exit(&b);
}

static void resume_takes_the_status_registers_place(void **state)
{
	struct bank one, two;

	timed(&one);
	timed(&two);
	suspend_erase(&one);
	cmd(&one, AT_555, 0x70);
	cmd(&one, 0, 0x30);
	carry(&two, &one);
	assert_int_equal(r4(&two, SECTOR) & DQ(0x88), r4(&one, SECTOR) & DQ(0x88));
	tick_on(&two);
	assert_true(mapped(&two));
	bank_exit(&one);
	bank_exit(&two);
}

static void reset_gives_up_windows_erases_and_suspended_ones(void **state)
{
	struct bank b;

	for (unsigned i = 0; i < 4; i++) {
		timed(&b);
		if (i < 3)
			erase_sector(&b, SECTOR);
		if (i == 1)
			tick(&b, 9 * MS);
		if (i == 2)
			cmd(&b, 0, 0xb0);
		if (i == 3)
			program(&b, SECTOR, 0);
		assert_int_equal(fm_dev_reset(b.dev, FM_RESET_KEXEC), 0);
		assert_false(mapped(&b));
		assert_int_equal(fm_dev_reset(b.dev, FM_RESET_SYSTEM), FM_EFF_REMAP);
		assert_true(deadline(&b) == FM_NEVER);
		tick(&b, 99 * ERASE_NS);
		assert_int_equal(b.effects, 0);
		cmd(&b, 0, 0x30);
		assert_true(mapped(&b));
		assert_int_equal(b.array[SECTOR + 4], 0x77);
		/* The next erase has one sector. */
		erase_sector(&b, 2 * SECTOR);
		tick(&b, 199 * ERASE_NS);
		assert_int_equal(b.array[SECTOR + 4], 0x77);
		assert_int_equal(b.array[2 * SECTOR + 4], 0xff);
		bank_exit(&b);
	}
}

static void every_state_goes_on_in_another_bank_with_another_clock(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		struct bank one, two;
		unsigned turns = 0;

		timed(&one);
		timed(&two);
		tick(&one, 33 * MS);
		if (i < 4)
			erase_sector(&one, SECTOR);
		cmd(&one, 3 * SECTOR, 0x30);
		tick(&one, 33 * MS + 20 * US);
		if (i == 1)
			tick(&one, 35 * MS);
		if (i == 2)
			cmd(&one, 0, 0xb0);
		if (i == 3) {
			tick(&one, 36 * MS);
			cmd(&one, 0, 0xb0);
			program(&one, 0x40, 0);
			cmd(&one, 0, 0xb0);
		}
		if (i == 4)
			program(&one, 0x40, 0);
		if (i == 5) {
			start_buffer(&one, 0, 2);
			w4(&one, 0x40, 0);
			w4(&one, 0x44, 0x11111111);
			cmd(&one, 0, 0x29);
		}
		tick(&two, 10 * MS);
		carry(&two, &one);
		assert_int_equal(mapped(&two), mapped(&one));
		if (deadline(&one) != FM_NEVER)
			assert_int_equal(deadline(&two) - 10 * MS,
					 deadline(&one) - (i == 1 ? 35 * MS : 33 * MS + 20 * US));
		do {
			cmd(&one, 0, 0x30);
			cmd(&two, 0, 0x30);
			for (unsigned n = 0; n < 3; n++)
				assert_int_equal(r4(&one, SECTOR * n + 4),
						 r4(&two, SECTOR * n + 4));
			tick_on(&one);
			tick_on(&two);
			assert_in_range(turns++, 0, 5);
		} while (deadline(&one) != FM_NEVER || !mapped(&one));
		assert_true(mapped(&two));
		assert_memory_equal(one.array, two.array, LEN);
		bank_exit(&one);
		bank_exit(&two);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_suspended_program_shows_the_array),
		cmocka_unit_test(a_suspended_program_goes_on_where_it_was),
		cmocka_unit_test(a_suspended_erase_shows_its_sectors_status_and_the_others_array),
		cmocka_unit_test(a_word_is_programmed_while_an_erase_is_suspended),
		cmocka_unit_test(a_program_suspended_within_a_suspended_erase_is_resumed_first),
		cmocka_unit_test(a_suspend_in_the_window_is_at_once_and_the_erase_is_still_to_come),
		cmocka_unit_test(resume_takes_the_status_registers_place),
		cmocka_unit_test(reset_gives_up_windows_erases_and_suspended_ones),
		cmocka_unit_test(every_state_goes_on_in_another_bank_with_another_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
