/* SPDX-License-Identifier: BSD-2-Clause */
/* The Intel command set, on the bank that the boards have: 2 chips of 16 bits, 256 KiB blocks. */
#include "tests/unit/bank.h"

#define BLOCK (256 * KIB)
#define SR_READY 0x00800080u
#define SR_LOCKED_PROGRAM 0x00920092u
#define SR_LOCKED_ERASE 0x00a200a2u
#define SR_SEQUENCE 0x00b000b0u

/* --- modes and mapping ------------------------------------------------------------------- */

static void a_new_bank_reads_its_array(void **state)
{
	struct bank b;

	bank_init_default(&b);
	b.array[5] = 0x12;
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, 4), 0xffff12ff);
	assert_string_equal(fm_dev_name(b.dev), "vars");
	assert_string_equal(fm_dev_type(b.dev), "cfi-flash-intel");
	bank_exit(&b);
}

static void remap_is_told_exactly_when_the_mode_turns(void **state)
{
	static const struct {
		uint8_t command;
		unsigned effects;
		bool mapped;
	} steps[] = {
		{ 0xff, 0, true },
		{ 0x50, 0, true },
		{ 0xaa, 0, true },
		{ 0x70, FM_EFF_REMAP, false },
		{ 0x90, 0, false },
		{ 0x98, 0, false },
		{ 0x70, 0, false },
		{ 0x50, 0, false },
		{ 0xff, FM_EFF_REMAP, true },
		{ 0x40, FM_EFF_REMAP, false },
	};
	struct bank b;

	bank_init_default(&b);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		cmd(&b, 0x100, steps[i].command);
		assert_int_equal(b.effects, steps[i].effects);
		assert_int_equal(mapped(&b), steps[i].mapped);
	}
	bank_exit(&b);
}

/* Two cycles of one access: away from read-array and back. */
static void an_access_that_turns_twice_tells_no_remap(void **state)
{
	struct bank b;

	bank_init_default(&b);
	wr(&b, 0, 8, 0x00ff00ff00700070);
	assert_int_equal(b.effects, 0);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void probing_writes_of_other_command_sets_are_harmless(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_trace(&b);
	cmd(&b, 0x555 * 4, 0xaa);
	cmd(&b, 0x2aa * 4, 0x55);
	cmd(&b, 0x555 * 4, 0xf0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, "unknown command"), 2);
	assert_int_equal(bank_status(&b), SR_READY);
	cmd(&b, 0, 0xf0);
	assert_true(mapped(&b));
	cmd(&b, 0, 0x70);
	cmd(&b, 0, 0x00);
	assert_true(mapped(&b));
	assert_true(all_bytes(b.array, b.len, 0xff));
	bank_exit(&b);
}

static void query_and_id_mode_take_any_command(void **state)
{
	struct bank b;

	bank_init_default(&b);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t mode = i ? 0x98 : 0x90;

		cmd(&b, 0, mode);
		assert_int_equal(bank_status(&b), SR_READY);
		cmd(&b, 0, mode);
		bank_program(&b, 0x40 + 4 * i, 0x12345678);
		assert_int_equal(r4(&b, 0), SR_READY);
		cmd(&b, 0, mode);
		cmd(&b, 0, 0xff);
		assert_int_equal(r4(&b, 0x40 + 4 * i), 0x12345678);
	}
	bank_exit(&b);
}

/* --- programming ------------------------------------------------------------------------- */

static void a_program_clears_bits_and_sets_none(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_trace(&b);
	bank_program(&b, 0x1000, 0xff00ff0f);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0x1000), SR_READY);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 0);
	cmd(&b, 0x1000, 0x10);
	w4(&b, 0x1000, 0x0ff0f0ff);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, "programming cannot set bits to 1"), 1);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x1000), 0x0f00f00f);
	assert_int_equal(bank_status(&b), SR_READY);
	bank_exit(&b);
}

static void a_program_of_what_is_there_is_not_dirty(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_program(&b, 8, 0xffffffff);
	assert_int_equal(b.effects, 0);
	bank_program(&b, 8, 0x11111111);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	bank_program(&b, 8, 0x11111111);
	assert_int_equal(b.effects, 0);
	bank_exit(&b);
}

static void programs_at_the_last_word_stay_inside(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_program(&b, b.len - 4, 0);
	assert_true(all_bytes(b.array, b.len - 4, 0xff));
	assert_true(all_bytes(b.array + b.len - 4, 4, 0));
	bank_exit(&b);
}

/* --- erasing ----------------------------------------------------------------------------- */

static void an_erase_happens_at_the_confirm_and_takes_its_whole_block(void **state)
{
	struct bank b;

	bank_init_default(&b);
	memset(b.array, 0, b.len);
	cmd(&b, 2 * BLOCK - 4, 0x20);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(all_bytes(b.array, b.len, 0));
	cmd(&b, 2 * BLOCK - 4, 0xd0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_true(all_bytes(b.array, BLOCK, 0));
	assert_true(all_bytes(b.array + BLOCK, BLOCK, 0xff));
	assert_true(all_bytes(b.array + 2 * BLOCK, 2 * BLOCK, 0));
	assert_int_equal(r4(&b, 0), SR_READY);
	bank_erase(&b, BLOCK);
	assert_int_equal(b.effects, 0);
	bank_exit(&b);
}

static void erase_at_last_byte_stays_inside(void **state)
{
	struct bank b;

	bank_init_default(&b);
	memset(b.array, 0, b.len);
	bank_erase(&b, b.len - 4);
	assert_true(all_bytes(b.array, 3 * BLOCK, 0));
	assert_true(all_bytes(b.array + 3 * BLOCK, BLOCK, 0xff));
	bank_exit(&b);
}

static void an_erase_without_its_confirm_is_a_sequence_error(void **state)
{
	struct bank b;

	bank_init_default(&b);
	memset(b.array, 0, b.len);
	cmd(&b, 0, 0x20);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0), SR_SEQUENCE);
	assert_true(all_bytes(b.array, b.len, 0));
	/* The FF was eaten: it takes another. */
	assert_false(mapped(&b));
	cmd(&b, 0, 0xff);
	assert_true(mapped(&b));
	assert_int_equal(bank_status(&b), SR_SEQUENCE);
	cmd(&b, 0, 0x50);
	assert_int_equal(bank_status(&b), SR_READY);
	bank_exit(&b);
}

/* --- the write buffer -------------------------------------------------------------------- */

static void a_buffer_programs_where_its_first_word_is(void **state)
{
	struct bank b;

	bank_init_default(&b);
	/* U-Boot writes the count to the block's base. */
	bank_buffer(&b, BLOCK, BLOCK + 0x2080, 32, 0x12345678);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0), SR_READY);
	cmd(&b, 0, 0xff);
	assert_true(all_bytes(b.array, BLOCK + 0x2080, 0xff));
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(r4(&b, BLOCK + 0x2080 + 4 * i), 0x12345678);
	assert_true(all_bytes(b.array + BLOCK + 0x2100, b.len - BLOCK - 0x2100, 0xff));
	bank_exit(&b);
}

static void nothing_is_programmed_before_the_confirm(void **state)
{
	struct bank b;

	bank_init_default(&b);
	cmd(&b, 0, 0xe8);
	w4(&b, 0, 0x00010001);
	w4(&b, 0, 0);
	w4(&b, 4, 0);
	assert_true(all_bytes(b.array, b.len, 0xff));
	assert_int_equal(r4(&b, 0), SR_READY);
	cmd(&b, 0, 0xd0);
	assert_true(all_bytes(b.array, 8, 0));
	bank_exit(&b);
}

static void a_buffer_of_one_word_is_legal(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_buffer(&b, 0x40, 0x40, 1, 0xcafe0bad);
	assert_int_equal(bank_status(&b), SR_READY);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x40), 0xcafe0bad);
	bank_exit(&b);
}

static void a_full_buffer_at_the_end_of_the_bank_stays_inside(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_buffer(&b, 0, b.len - 2048, 512, 0);
	assert_int_equal(bank_status(&b), SR_READY);
	assert_true(all_bytes(b.array, b.len - 2048, 0xff));
	assert_true(all_bytes(b.array + b.len - 2048, 2048, 0));
	bank_exit(&b);
}

static void a_count_over_the_buffer_is_a_sequence_error(void **state)
{
	struct bank b;

	bank_init_default(&b);
	cmd(&b, 0, 0xe8);
	w4(&b, 0, 512 * 0x00010001u);
	assert_int_equal(r4(&b, 0), SR_SEQUENCE);
	cmd(&b, 0, 0xff);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void a_word_outside_the_buffer_aborts_and_leaves_the_array_alone(void **state)
{
	struct bank b;

	bank_init_default(&b);
	cmd(&b, 0, 0xe8);
	w4(&b, 0, 0x00010001);
	w4(&b, 0x7fc, 0);
	w4(&b, 0x800, 0);
	assert_int_equal(r4(&b, 0), SR_SEQUENCE);
	assert_int_equal(b.effects, 0);
	assert_true(all_bytes(b.array, b.len, 0xff));
	/* The next buffer starts empty. */
	cmd(&b, 0, 0x50);
	bank_buffer(&b, 0, 0, 1, 0x11111111);
	assert_int_equal(bank_status(&b), SR_READY);
	assert_true(all_bytes(b.array, 4, 0x11));
	assert_true(all_bytes(b.array + 4, b.len - 4, 0xff));
	bank_exit(&b);
}

static void a_buffer_without_its_confirm_is_a_sequence_error(void **state)
{
	struct bank b;

	bank_init_default(&b);
	cmd(&b, 0, 0xe8);
	w4(&b, 0, 0);
	w4(&b, 0, 0);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0), SR_SEQUENCE);
	assert_true(all_bytes(b.array, b.len, 0xff));
	bank_exit(&b);
}

static void words_of_a_buffer_may_come_in_any_order_and_repeat(void **state)
{
	struct bank b;

	bank_init_default(&b);
	cmd(&b, 0x800, 0xe8);
	w4(&b, 0x800, 0x00030003);
	w4(&b, 0xffc, 0x33333333);
	w4(&b, 0x800, 0x00000000);
	w4(&b, 0x800, 0x11111111);
	w4(&b, 0xc00, 0x22222222);
	cmd(&b, 0x800, 0xd0);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x800), 0x11111111);
	assert_int_equal(r4(&b, 0xc00), 0x22222222);
	assert_int_equal(r4(&b, 0xffc), 0x33333333);
	assert_int_equal(r4(&b, 0x804), 0xffffffff);
	bank_exit(&b);
}

/* --- locks ------------------------------------------------------------------------------- */

static uint32_t lock_status(struct bank *b, uint64_t block)
{
	uint32_t v;

	cmd(b, block + 8, 0x90);
	v = r4(b, block + 8);
	cmd(b, 0, 0xff);
	return v;
}

static void a_locked_block_refuses_and_says_so(void **state)
{
	struct bank b;

	bank_init_default(&b);
	assert_int_equal(lock_status(&b, BLOCK), 0);
	bank_lock(&b, BLOCK + 0x100, 0x01);
	assert_int_equal(lock_status(&b, 0), 0);
	assert_int_equal(lock_status(&b, BLOCK), 0x00010001);
	bank_program(&b, BLOCK, 0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 0), SR_LOCKED_PROGRAM);
	cmd(&b, 0, 0x50);
	bank_buffer(&b, BLOCK, 2 * BLOCK - 4, 1, 0);
	assert_int_equal(r4(&b, 0), SR_LOCKED_PROGRAM);
	cmd(&b, 0, 0x50);
	b.array[BLOCK] = 0;
	bank_erase(&b, BLOCK);
	assert_int_equal(r4(&b, 0), SR_LOCKED_ERASE);
	assert_int_equal(b.array[BLOCK], 0);
	/* Errors stay until they are cleared. */
	bank_program(&b, 0, 0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0), SR_LOCKED_ERASE);
	cmd(&b, 0, 0x50);
	bank_lock(&b, BLOCK, 0xd0);
	assert_int_equal(lock_status(&b, BLOCK), 0);
	bank_erase(&b, BLOCK);
	assert_int_equal(r4(&b, 0), SR_READY);
	assert_int_equal(b.array[BLOCK], 0xff);
	bank_exit(&b);
}

static void a_locked_down_block_stays_locked_until_reset(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_lock(&b, 0, 0x2f);
	assert_int_equal(lock_status(&b, 0), 0x00030003);
	bank_lock(&b, 0, 0xd0);
	assert_int_equal(bank_status(&b), SR_LOCKED_ERASE);
	bank_lock(&b, 0, 0x01);
	assert_int_equal(lock_status(&b, 0), 0x00030003);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(lock_status(&b, 0), 0);
	bank_program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), SR_READY);
	bank_exit(&b);
}

static void a_lock_set_up_with_nothing_to_follow_is_a_sequence_error(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_lock(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0), SR_SEQUENCE);
	assert_int_equal(lock_status(&b, 0), 0);
	bank_exit(&b);
}

static void a_read_only_bank_answers_and_changes_nothing(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.read_only = true;
	bank_init(&b, 1024 * KIB, cfg);
	bank_program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), SR_LOCKED_PROGRAM);
	cmd(&b, 0, 0x50);
	assert_int_equal(bank_status(&b), SR_READY);
	memset(b.array, 0, b.len);
	bank_erase(&b, 0);
	assert_int_equal(r4(&b, 0), SR_LOCKED_ERASE);
	cmd(&b, 0, 0x50);
	bank_buffer(&b, 0, 0, 1, 0);
	assert_int_equal(r4(&b, 0), SR_LOCKED_PROGRAM);
	cmd(&b, 0, 0x50);
	bank_lock(&b, 0, 0x01);
	assert_int_equal(r4(&b, 0), SR_LOCKED_PROGRAM);
	cmd(&b, 0, 0x50);
	bank_lock(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), SR_LOCKED_ERASE);
	assert_int_equal(lock_status(&b, 0), 0x00010001);
	assert_true(all_bytes(b.array, b.len, 0));
	assert_int_equal(fm_dev_sanitize(b.dev, NULL), FM_ERR_ACCESS);
	assert_true(all_bytes(b.array, b.len, 0));
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_bank_reads_its_array),
		cmocka_unit_test(remap_is_told_exactly_when_the_mode_turns),
		cmocka_unit_test(an_access_that_turns_twice_tells_no_remap),
		cmocka_unit_test(probing_writes_of_other_command_sets_are_harmless),
		cmocka_unit_test(query_and_id_mode_take_any_command),
		cmocka_unit_test(a_program_clears_bits_and_sets_none),
		cmocka_unit_test(a_program_of_what_is_there_is_not_dirty),
		cmocka_unit_test(programs_at_the_last_word_stay_inside),
		cmocka_unit_test(an_erase_happens_at_the_confirm_and_takes_its_whole_block),
		cmocka_unit_test(erase_at_last_byte_stays_inside),
		cmocka_unit_test(an_erase_without_its_confirm_is_a_sequence_error),
		cmocka_unit_test(a_buffer_programs_where_its_first_word_is),
		cmocka_unit_test(nothing_is_programmed_before_the_confirm),
		cmocka_unit_test(a_buffer_of_one_word_is_legal),
		cmocka_unit_test(a_full_buffer_at_the_end_of_the_bank_stays_inside),
		cmocka_unit_test(a_count_over_the_buffer_is_a_sequence_error),
		cmocka_unit_test(a_word_outside_the_buffer_aborts_and_leaves_the_array_alone),
		cmocka_unit_test(a_buffer_without_its_confirm_is_a_sequence_error),
		cmocka_unit_test(words_of_a_buffer_may_come_in_any_order_and_repeat),
		cmocka_unit_test(a_locked_block_refuses_and_says_so),
		cmocka_unit_test(a_locked_down_block_stays_locked_until_reset),
		cmocka_unit_test(a_lock_set_up_with_nothing_to_follow_is_a_sequence_error),
		cmocka_unit_test(a_read_only_bank_answers_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
