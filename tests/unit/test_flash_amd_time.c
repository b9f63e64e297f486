/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD chips whose operations take time: data lines, the window of an erase, suspend, status register. */
#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

#define WINDOW_NS (50 * US)
#define DQ(bits) ((bits)*0x00010001u)

static struct fm_flash_config time_config(void)
{
	struct fm_flash_config cfg = amd_config();

	cfg.time = FM_FLASH_TIME_TYPICAL;
	return cfg;
}

static void timed(struct bank *b)
{
	bank_init(b, LEN, time_config());
	for (unsigned i = 0; i < LEN; i += SECTOR)
		memset(b->array + i + 4, 0x77, 4);
	keep_log(b);
}

static void erase_sector(struct bank *b, uint64_t off)
{
	start_erase(b);
	cmd(b, off, 0x30);
}

/* Sector 1 is being erased, which is suspended 24 ms after its window. */
static void suspend_erase(struct bank *b)
{
	erase_sector(b, SECTOR);
	tick(b, WINDOW_NS);
	tick(b, WINDOW_NS + 24 * MS);
	cmd(b, 0, 0xb0);
}

static uint32_t status_register(struct bank *b)
{
	cmd(b, AT_555, 0x70);
	return r4(b, 0);
}

/* As assert_works(), and that it is over when the time has come. */
static void assert_works_in_time(struct bank *b)
{
	program(b, 7 * SECTOR + 64, 0x13572468);
	tick_on(b);
	assert_int_equal(r4(b, 7 * SECTOR + 64), 0x13572468);
	assert_true(mapped(b));
	assert_true(deadline(b) == FM_NEVER);
}

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

/* --- locks, reset, save --------------------------------------------------------------------------- */

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
		cmocka_unit_test(a_suspended_program_shows_the_array),
		cmocka_unit_test(a_suspended_program_goes_on_where_it_was),
		cmocka_unit_test(further_sectors_join_within_fifty_microseconds_each),
		cmocka_unit_test(one_tick_over_window_and_erase_ends_the_erase),
		cmocka_unit_test(another_command_in_the_window_erases_nothing),
		cmocka_unit_test(dq2_toggles_where_it_is_erased_only),
		cmocka_unit_test(a_chip_erase_takes_a_seconds_sum_and_cannot_be_suspended),
		cmocka_unit_test(a_suspended_erase_shows_its_sectors_status_and_the_others_array),
		cmocka_unit_test(a_word_is_programmed_while_an_erase_is_suspended),
		cmocka_unit_test(a_program_suspended_within_a_suspended_erase_is_resumed_first),
		cmocka_unit_test(a_suspend_in_the_window_is_at_once_and_the_erase_is_still_to_come),
		cmocka_unit_test(the_status_register_is_read_over_and_over),
		cmocka_unit_test(resume_takes_the_status_registers_place),
		cmocka_unit_test(an_aborted_buffer_shows_in_the_status_register),
		cmocka_unit_test(an_erase_of_protected_sectors_takes_a_hundred_microseconds),
		cmocka_unit_test(reset_gives_up_windows_erases_and_suspended_ones),
		cmocka_unit_test(every_state_goes_on_in_another_bank_with_another_clock),
		cmocka_unit_test(erases_of_many_sectors_do_not_wrap),
		cmocka_unit_test(chips_end_apart_and_turn_the_mapping_when_the_last_does),
		cmocka_unit_test(bypass_lasts_over_a_program_and_an_erase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
