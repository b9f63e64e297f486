/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel chips whose operations are suspended and resumed. */
#include "tests/unit/timed_bank.h"

#define LEN (128 * KIB)
#define BLOCK (16 * KIB)

static struct fm_flash_config time_config(void)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ BLOCK, LEN / BLOCK };
	cfg.nregions = 1;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	return cfg;
}

static void init(struct bank *b)
{
	bank_init(b, LEN, time_config());
	keep_log(b);
	/* Something to see in the second word of each block. */
	for (unsigned i = 0; i < LEN; i += BLOCK)
		memset(b->array + i + 4, 0x77, 4);
}

static void start_buffer(struct bank *b, uint64_t off, unsigned n, uint32_t value)
{
	cmd(b, off, 0xe8);
	w4(b, off, (n - 1) * 0x00010001u);
	for (unsigned i = 0; i < n; i++)
		w4(b, off + 4 * i, value);
	cmd(b, off, 0xd0);
}

static uint32_t at_array(struct bank *b, uint64_t off)
{
	cmd(b, off, 0xff);
	return r4(b, off);
}

/* Block 0 is being erased, and that is suspended after 24 ms. */
static void suspend_erase(struct bank *b)
{
	bank_erase(b, 0);
	tick(b, 24 * MS);
	cmd(b, 0, 0xb0);
}

/* --- a program ------------------------------------------------------------------------------ */

static void a_suspended_program_waits(void **state)
{
	struct bank b;

	init(&b);
	bank_trace(&b);
	bank_program(&b, 0, 0x12345678);
	tick(&b, 28 * US);
	cmd(&b, 0x2000, 0xb0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(traced(&b, FM_TRACE_COMMAND, "suspend"), 1);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 0);
	assert_int_equal(r4(&b, 0), 0x00840084);
	assert_true(deadline(&b) == FM_NEVER);
	tick(&b, 90 * MS);
	assert_int_equal(b.effects, 0);
	cmd(&b, 0, 0xff);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, 0), 0xffffffff);
	cmd(&b, 0x3000, 0xd0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0), 0);
	assert_int_equal(deadline(&b), 90 * MS + 100 * US);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(at_array(&b, 0), 0x12345678);
	assert_int_equal(bank_stats(&b).suspends, 2);
	assert_int_equal(bank_stats(&b).programs, 1);
	bank_exit(&b);
}

static void codes_query_and_status_are_read_while_a_program_is_suspended(void **state)
{
	struct bank b;

	init(&b);
	bank_program(&b, 0, 0);
	cmd(&b, 0, 0xb0);
	cmd(&b, 0, 0x90);
	assert_int_equal(r4(&b, 4), 0x00180018);
	cmd(&b, 0, 0x98);
	assert_int_equal(r4(&b, 0x40), 0x00510051);
	cmd(&b, 0, 0x70);
	assert_int_equal(r4(&b, 0x40), 0x00840084);
	cmd(&b, 0, 0x50);
	assert_int_equal(r4(&b, 0x40), 0x00840084);
	/* Suspended already, and once more is nothing. */
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 0x40), 0x00840084);
	bank_exit(&b);
}

static void nothing_begins_while_a_program_is_suspended(void **state)
{
	static const uint8_t codes[] = { 0x10, 0x40, 0x20, 0xe8, 0x60, 0xc0 };
	struct bank b;

	init(&b);
	bank_trace(&b);
	bank_program(&b, 0, 0x11111111);
	cmd(&b, 0, 0xb0);
	for (size_t i = 0; i < sizeof(codes); i++) {
		assert_int_equal(at_array(&b, 4), 0x77777777);
		bank_forget(&b);
		cmd(&b, 0, codes[i]);
		assert_int_equal(b.effects, FM_EFF_REMAP);
		assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
		assert_int_equal(r4(&b, 0), 0x00b400b4);
		cmd(&b, 0, 0x50);
		assert_int_equal(r4(&b, 0), 0x00840084);
	}
	cmd(&b, 0, 0xd0);
	tick_on(&b);
	assert_int_equal(at_array(&b, 0), 0x11111111);
	assert_int_equal(b.array[8], 0xff);
	bank_exit(&b);
}

static void a_suspended_buffer_keeps_its_words(void **state)
{
	struct told told;
	struct bank b;

	init(&b);
	told_init(&told, &b);
	start_buffer(&b, 0x100, 5, 0xcafe1234);
	tick(&b, 1 * US);
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 0), 0x00840084);
	/* Another buffer cannot be begun: its cycles would be lost words. */
	cmd(&b, 0, 0xe8);
	assert_int_equal(r4(&b, 0), 0x00b400b4);
	assert_int_equal(at_array(&b, 0x104), 0xffffffff);
	cmd(&b, 0, 0xd0);
	assert_int_equal(deadline(&b), BUFFER_NS);
	tick_on(&b);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.ops[0].len, 20);
	assert_int_equal(at_array(&b, 0x110), 0xcafe1234);
	assert_int_equal(at_array(&b, 0x114), 0xffffffff);
	/* The next buffer has none of them. */
	start_buffer(&b, 0x200, 1, 0);
	tick_on(&b);
	assert_int_equal(at_array(&b, 0x200), 0);
	assert_int_equal(at_array(&b, 0x204), 0xffffffff);
	told_exit(&told, &b);
	bank_exit(&b);
}

static void a_program_may_be_suspended_again_and_again(void **state)
{
	uint64_t now = 0;
	struct bank b;

	init(&b);
	bank_program(&b, 0, 0);
	for (unsigned i = 0; i < 12; i++) {
		now += 10 * US;
		tick(&b, now);
		cmd(&b, 0, 0xb0);
		now += 1 * MS;
		tick(&b, now);
		assert_int_equal(r4(&b, 0), 0x00840084);
		cmd(&b, 0, 0xd0);
		assert_int_equal(deadline(&b), now + WORD_NS - (i + 1) * 10 * US);
	}
	tick_on(&b);
	assert_int_equal(at_array(&b, 0), 0);
	bank_exit(&b);
}

/* --- an erase ------------------------------------------------------------------------------- */

static void a_suspended_erase_lets_the_array_be_read(void **state)
{
	struct bank b;

	init(&b);
	suspend_erase(&b);
	assert_int_equal(r4(&b, 0), 0x00c000c0);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(at_array(&b, BLOCK + 4), 0x77777777);
	assert_true(mapped(&b));
	assert_int_equal(at_array(&b, 4), 0x77777777);
	assert_int_equal(bank_status(&b), 0x00c000c0);
	tick(&b, 3000 * MS);
	assert_int_equal(b.effects, 0);
	cmd(&b, BLOCK, 0xd0);
	assert_int_equal(r4(&b, 0), 0);
	assert_int_equal(deadline(&b), 4000 * MS);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_true(all_bytes(b.array, BLOCK, 0xff));
	assert_int_equal(b.array[BLOCK + 4], 0x77);
	bank_exit(&b);
}

static void a_word_is_programmed_while_an_erase_is_suspended(void **state)
{
	struct bank b;

	init(&b);
	suspend_erase(&b);
	bank_program(&b, BLOCK, 0x01010101);
	assert_int_equal(r4(&b, 0), 0x00400040);
	assert_int_equal(deadline(&b), 24 * MS + WORD_NS);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00c000c0);
	assert_int_equal(at_array(&b, BLOCK), 0x01010101);
	start_buffer(&b, BLOCK + 0x40, 2, 0);
	tick_on(&b);
	assert_int_equal(bank_status(&b), 0x00c000c0);
	assert_int_equal(at_array(&b, BLOCK + 0x44), 0);
	cmd(&b, 0, 0xd0);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_true(all_bytes(b.array, BLOCK, 0xff));
	bank_exit(&b);
}

static void a_program_in_the_suspended_block_is_refused(void **state)
{
	struct bank b;

	init(&b);
	suspend_erase(&b);
	bank_program(&b, BLOCK - 4, 0);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(r4(&b, 0), 0x00d200d2);
	cmd(&b, 0, 0x50);
	assert_int_equal(r4(&b, 0), 0x00c000c0);
	start_buffer(&b, 0, 2, 0);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(r4(&b, 0), 0x00d200d2);
	assert_int_equal(at_array(&b, 0), 0xffffffff);
	bank_exit(&b);
}

static void no_second_erase_and_no_register_while_one_is_suspended(void **state)
{
	struct bank b;

	init(&b);
	suspend_erase(&b);
	cmd(&b, BLOCK, 0x20);
	assert_int_equal(r4(&b, 0), 0x00f000f0);
	/* D0 is no confirm, but the resume. */
	cmd(&b, BLOCK, 0xd0);
	assert_int_equal(r4(&b, 0) & 0x00c000c0, 0);
	cmd(&b, 0, 0xb0);
	cmd(&b, 0, 0x50);
	cmd(&b, 0, 0xc0);
	assert_int_equal(r4(&b, 0), 0x00f000f0);
	cmd(&b, 0, 0x50);
	cmd(&b, 0, 0xd0);
	tick_on(&b);
	assert_int_equal(at_array(&b, BLOCK + 4), 0x77777777);
	assert_int_equal(at_array(&b, 4), 0xffffffff);
	bank_exit(&b);
}

static void a_program_suspended_within_a_suspended_erase_is_resumed_first(void **state)
{
	struct bank b;

	init(&b);
	suspend_erase(&b);
	bank_program(&b, BLOCK, 0);
	tick(&b, 24 * MS + 8 * US);
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 0), 0x00c400c4);
	assert_int_equal(at_array(&b, BLOCK), 0xffffffff);
	tick(&b, 100 * MS);
	cmd(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), 0x00400040);
	assert_int_equal(deadline(&b), 100 * MS + 120 * US);
	/* A busy chip does not hear a second resume. */
	cmd(&b, 0, 0xd0);
	assert_int_equal(deadline(&b), 100 * MS + 120 * US);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00c000c0);
	assert_int_equal(b.array[4], 0x77);
	cmd(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), 0);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(b.array[4], 0xff);
	assert_int_equal(b.array[BLOCK], 0);
	cmd(&b, 0, 0xd0);
	assert_true(deadline(&b) == FM_NEVER);
	bank_exit(&b);
}

static void locks_change_while_an_erase_is_suspended(void **state)
{
	struct bank b;

	init(&b);
	suspend_erase(&b);
	bank_lock(&b, BLOCK, 0x01);
	assert_int_equal(r4(&b, 0), 0x00c000c0);
	bank_program(&b, BLOCK, 0);
	assert_int_equal(r4(&b, 0), 0x00d200d2);
	cmd(&b, 0, 0x50);
	/* One that locks the block itself comes too late for the erase [P30: it completes]. */
	bank_lock(&b, 0, 0x01);
	cmd(&b, 0, 0xd0);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(at_array(&b, 4), 0xffffffff);
	bank_exit(&b);
}

/* --- parts without, and errors ---------------------------------------------------------------- */

static void chips_without_suspend_go_on(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.traits = FM_FLASH_NO_SUSPEND;
	bank_init(&b, LEN, cfg);
	bank_program(&b, 0, 0);
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 0), 0);
	assert_int_equal(deadline(&b), WORD_NS);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	cmd(&b, 0, 0x98);
	assert_int_equal(r4(&b, 0x36 * 4) & 0x6, 0);
	assert_int_equal(bank_stats(&b).suspends, 0);
	bank_exit(&b);
}

static void one_chip_is_suspended_while_the_other_goes_on(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	bank_program(&b, 0, 0x12345678);
	tick(&b, 8 * US);
	wr(&b, 2, 2, 0xb0);
	assert_int_equal(r4(&b, 0), 0x00840000);
	assert_int_equal(deadline(&b), WORD_NS);
	tick(&b, 10 * MS);
	assert_int_equal(r4(&b, 0), 0x00840080);
	assert_int_equal(b.array[0], 0x78);
	assert_int_equal(b.array[2], 0xff);
	wr(&b, 0, 2, 0xff);
	assert_false(mapped(&b));
	wr(&b, 2, 2, 0xff);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0), 0xffff5678);
	/* A resume means nothing to the chip that has nothing to resume. */
	cmd(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), 0x00005678);
	assert_int_equal(deadline(&b), 10 * MS + 120 * US);
	tick_on(&b);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0), 0x12345678);
	assert_int_equal(b.effects, 0);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void one_buffer_is_suspended_while_the_other_chips_ends(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	start_buffer(&b, 0x40, 3, 0xaaaabbbb);
	tick(&b, 1 * US);
	wr(&b, 2, 2, 0xb0);
	tick_on(&b);
	assert_int_equal(b.array[0x44], 0xbb);
	assert_int_equal(b.array[0x46], 0xff);
	/* The chip that is ready takes another buffer meanwhile. */
	wr(&b, 0x80, 2, 0xe8);
	wr(&b, 0x80, 2, 0);
	wr(&b, 0x80, 2, 0x1111);
	wr(&b, 0x80, 2, 0xd0);
	tick_on(&b);
	wr(&b, 2, 2, 0xd0);
	tick_on(&b);
	cmd(&b, 0, 0xff);
	for (unsigned i = 0x40; i < 0x4c; i += 4)
		assert_int_equal(r4(&b, i), 0xaaaabbbb);
	assert_int_equal(r4(&b, 0x80), 0xffff1111);
	assert_int_equal(r4(&b, 0x4c), 0xffffffff);
	bank_exit(&b);
}

/* --- reset and save ---------------------------------------------------------------------------- */

static void reset_forgets_what_is_suspended(void **state)
{
	struct bank b;

	init(&b);
	suspend_erase(&b);
	start_buffer(&b, BLOCK, 2, 0);
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 0), 0x00c400c4);
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_SYSTEM), FM_EFF_REMAP);
	assert_int_equal(bank_status(&b), 0x00800080);
	cmd(&b, 0, 0xd0);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(at_array(&b, 4), 0x77777777);
	assert_int_equal(at_array(&b, BLOCK), 0xffffffff);
	/* A buffer has none of the old words. */
	start_buffer(&b, BLOCK + 4, 1, 0x70707070);
	tick_on(&b);
	assert_int_equal(at_array(&b, BLOCK), 0xffffffff);
	bank_exit(&b);
}

static void what_is_suspended_is_resumed_in_another_bank(void **state)
{
	struct bank one, two;

	init(&one);
	init(&two);
	tick(&one, 50 * MS);
	bank_erase(&one, 0);
	tick(&one, 74 * MS);
	cmd(&one, 0, 0xb0);
	start_buffer(&one, BLOCK + 0x10, 2, 0x0f0f0f0f);
	tick(&one, 74 * MS + 28 * US);
	cmd(&one, 0, 0xb0);
	cmd(&one, 0, 0xff);
	tick(&two, 9000 * MS);
	carry(&two, &one);
	assert_true(deadline(&two) == FM_NEVER);
	assert_true(mapped(&two));
	tick(&two, 9001 * MS);
	assert_int_equal(bank_status(&two), 0x00c400c4);
	cmd(&two, 0, 0xd0);
	assert_int_equal(deadline(&two), 9001 * MS + 100 * US);
	tick_on(&two);
	assert_int_equal(at_array(&two, BLOCK + 0x14), 0x0f0f0f0f);
	cmd(&two, 0, 0xd0);
	assert_int_equal(deadline(&two), 9001 * MS + 100 * US + 1000 * MS);
	tick_on(&two);
	assert_int_equal(at_array(&two, 4), 0xffffffff);
	bank_exit(&one);
	bank_exit(&two);
}

/* --- misuse ------------------------------------------------------------------------------------- */

static void misuse_names_polls_and_errors_that_were_forgotten(void **state)
{
	struct bank b;

	init(&b);
	bank_trace(&b);
	bank_program(&b, 0, 0);
	tick_on(&b);
	bank_forget(&b);
	/* Another one, and the status of the first was never read. */
	bank_program(&b, 8, 0);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	bank_forget(&b);
	bank_program(&b, 12, 0);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 0);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	/* Errors that stay set. */
	cmd(&b, 0, 0x20);
	cmd(&b, 0, 0x20);
	assert_int_equal(r4(&b, 0), 0x00b000b0);
	bank_forget(&b);
	bank_program(&b, 16, 0);
	assert_in_range(traced(&b, FM_TRACE_MISUSE, NULL), 1, 2);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00b000b0);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_suspended_program_waits),
		cmocka_unit_test(codes_query_and_status_are_read_while_a_program_is_suspended),
		cmocka_unit_test(nothing_begins_while_a_program_is_suspended),
		cmocka_unit_test(a_suspended_buffer_keeps_its_words),
		cmocka_unit_test(a_program_may_be_suspended_again_and_again),
		cmocka_unit_test(a_suspended_erase_lets_the_array_be_read),
		cmocka_unit_test(a_word_is_programmed_while_an_erase_is_suspended),
		cmocka_unit_test(a_program_in_the_suspended_block_is_refused),
		cmocka_unit_test(no_second_erase_and_no_register_while_one_is_suspended),
		cmocka_unit_test(a_program_suspended_within_a_suspended_erase_is_resumed_first),
		cmocka_unit_test(locks_change_while_an_erase_is_suspended),
		cmocka_unit_test(chips_without_suspend_go_on),
		cmocka_unit_test(one_chip_is_suspended_while_the_other_goes_on),
		cmocka_unit_test(one_buffer_is_suspended_while_the_other_chips_ends),
		cmocka_unit_test(reset_forgets_what_is_suspended),
		cmocka_unit_test(what_is_suspended_is_resumed_in_another_bank),
		cmocka_unit_test(misuse_names_polls_and_errors_that_were_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
