/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel chips whose programs and erases take time: when they are over, and what a chip does until then. */
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
}

/* A word of a buffer of `n`, without polling first. */
static void start_buffer(struct bank *b, uint64_t off, unsigned n, uint32_t value)
{
	cmd(b, off, 0xe8);
	w4(b, off, (n - 1) * 0x00010001u);
	for (unsigned i = 0; i < n; i++)
		w4(b, off + 4 * i, value);
	cmd(b, off, 0xd0);
}

/* --- when they are over ---------------------------------------------------------------------- */

static void a_word_takes_its_typical_time(void **state)
{
	struct told told;
	struct bank b;

	init(&b);
	told_init(&told, &b);
	assert_true(deadline(&b) == FM_NEVER);
	bank_program(&b, 0x100, 0x12345678);
	assert_int_equal(b.effects, 0);
	assert_int_equal(deadline(&b), WORD_NS);
	assert_int_equal(r4(&b, 0), 0);
	assert_int_equal(told.n, 0);
	assert_true(all_bytes(b.array, LEN, 0xff));
	tick(&b, WORD_NS - 1);
	assert_int_equal(b.effects, 0);
	assert_int_equal(deadline(&b), WORD_NS);
	assert_int_equal(r4(&b, 0x100), 0);
	tick(&b, WORD_NS);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.ops[0].kind, FM_MEDIUM_PROGRAM);
	assert_int_equal(told.ops[0].off, 0x100);
	assert_int_equal(told.ops[0].len, 4);
	assert_true(told.ops[0].changed);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_false(mapped(&b));
	cmd(&b, 0, 0xff);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0x100), 0x12345678);
	told_exit(&told, &b);
	bank_exit(&b);
}

static void the_clock_is_what_tick_told(void **state)
{
	struct bank b;

	init(&b);
	tick(&b, 77 * MS);
	assert_int_equal(b.effects, 0);
	bank_program(&b, 0, 0);
	assert_int_equal(deadline(&b), 77 * MS + WORD_NS);
	tick(&b, 500 * MS);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	bank_erase(&b, 0);
	assert_int_equal(deadline(&b), 500 * MS + ERASE_NS);
	bank_exit(&b);
}

static void a_buffer_and_a_block_take_theirs(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct told told;
	struct bank b;

	cfg.times = (struct fm_flash_times){ .word_us = 3, .buffer_us = 5, .erase_ms = 2 };
	bank_init(&b, LEN, cfg);
	told_init(&told, &b);
	bank_program(&b, 0, 0);
	assert_int_equal(deadline(&b), 8 * US);
	tick(&b, 8 * US);
	start_buffer(&b, 0x200, 3, 0x5a5a5a5a);
	assert_int_equal(deadline(&b), 8 * US + 32 * US);
	tick(&b, 40 * US);
	assert_int_equal(told.ops[1].kind, FM_MEDIUM_PROGRAM);
	assert_int_equal(told.ops[1].off, 0x200);
	assert_int_equal(told.ops[1].len, 12);
	assert_int_equal(b.array[0x204], 0x5a);
	bank_erase(&b, 0x3000);
	assert_int_equal(deadline(&b), 40 * US + 4 * MS);
	tick(&b, 40 * US + 4 * MS);
	assert_int_equal(told.n, 3);
	assert_int_equal(told.ops[2].kind, FM_MEDIUM_ERASE);
	assert_int_equal(told.ops[2].off, 0);
	assert_int_equal(told.ops[2].len, BLOCK);
	assert_true(all_bytes(b.array, LEN, 0xff));
	told_exit(&told, &b);
	bank_exit(&b);
}

static void the_longest_times_are_powers_of_the_typical(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.time = FM_FLASH_TIME_MAXIMUM;
	cfg.times = (struct fm_flash_times){ .word_us = 3, .word_max = 2, .buffer_max = 1 };
	bank_init(&b, LEN, cfg);
	bank_program(&b, 0, 0);
	assert_int_equal(deadline(&b), (8 << 2) * US);
	tick_on(&b);
	start_buffer(&b, 0, 1, 0);
	assert_int_equal(deadline(&b), (8 << 2) * US + 256 * US);
	tick_on(&b);
	bank_erase(&b, 0);
	assert_int_equal(deadline(&b), (8 << 2) * US + 256 * US + 16 * ERASE_NS);
	bank_exit(&b);
}

static void the_query_table_has_the_times(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.times = (struct fm_flash_times){ .word_us = 3,
					     .buffer_us = 5,
					     .erase_ms = 9,
					     .word_max = 1,
					     .buffer_max = 2,
					     .erase_max = 3 };
	bank_init(&b, LEN, cfg);
	cmd(&b, 0x55 * 4, 0x98);
	assert_int_equal(r4(&b, 0x1f * 4), 0x00030003);
	assert_int_equal(r4(&b, 0x20 * 4), 0x00050005);
	assert_int_equal(r4(&b, 0x21 * 4), 0x00090009);
	assert_int_equal(r4(&b, 0x22 * 4), 0);
	assert_int_equal(r4(&b, 0x23 * 4), 0x00010001);
	assert_int_equal(r4(&b, 0x24 * 4), 0x00020002);
	assert_int_equal(r4(&b, 0x25 * 4), 0x00030003);
	assert_int_equal(r4(&b, 0x26 * 4), 0);
	bank_exit(&b);
}

static void an_instant_bank_has_no_deadline(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.time = FM_FLASH_TIME_INSTANT;
	bank_init(&b, LEN, cfg);
	keep_log(&b);
	bank_program(&b, 0, 0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_true(deadline(&b) == FM_NEVER);
	tick(&b, 1);
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	bank_exit(&b);
}

static void a_program_that_changes_nothing_is_told_and_not_dirty(void **state)
{
	struct told told;
	struct bank b;

	init(&b);
	told_init(&told, &b);
	bank_program(&b, 0, 0xffffffff);
	tick_on(&b);
	assert_int_equal(b.effects, 0);
	bank_erase(&b, BLOCK);
	tick_on(&b);
	assert_int_equal(b.effects, 0);
	assert_int_equal(told.n, 2);
	assert_false(told.ops[0].changed);
	assert_false(told.ops[1].changed);
	told_exit(&told, &b);
	bank_exit(&b);
}

static void what_is_refused_takes_no_time(void **state)
{
	struct bank b;

	init(&b);
	bank_lock(&b, 0, 0x01);
	assert_true(deadline(&b) == FM_NEVER);
	bank_program(&b, 0, 0);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(bank_status(&b), 0x00920092);
	cmd(&b, 0, 0x50);
	bank_erase(&b, 0);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(bank_status(&b), 0x00a200a2);
	bank_exit(&b);
}

static void the_lock_that_counts_is_that_of_the_confirm(void **state)
{
	struct bank b;

	/* A chip looks at the lock when it begins; locks cannot change until it is over. */
	init(&b);
	bank_program(&b, 0, 0);
	bank_lock(&b, 0, 0x01);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	cmd(&b, 0, 0x90);
	assert_int_equal(r4(&b, 8), 0);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0), 0);
	bank_exit(&b);
}

/* --- while busy -------------------------------------------------------------------------------- */

static void a_busy_chip_shows_status_everywhere_and_hears_nothing(void **state)
{
	static const uint8_t deaf[] = { 0xff, 0xf0, 0x00, 0x90, 0x98, 0x50, 0x10, 0x40, 0x20,
					0xe8, 0x60, 0xc0, 0xd0, 0x01, 0x2f, 0x03, 0xaa, 0x55 };
	struct bank b;

	init(&b);
	bank_trace(&b);
	bank_program(&b, 0x40, 0x11223344);
	for (size_t i = 0; i < sizeof(deaf); i++) {
		bank_forget(&b);
		cmd(&b, 0x40, deaf[i]);
		assert_int_equal(b.effects, 0);
		assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
		assert_int_equal(r4(&b, LEN - 4), 0);
		assert_int_equal(rd(&b, 0x40, 1), 0);
		assert_false(mapped(&b));
	}
	bank_forget(&b);
	cmd(&b, 0, 0x70);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 0);
	assert_int_equal(r4(&b, 0), 0);
	tick_on(&b);
	/* None of them was kept for later, and none is an error. */
	assert_int_equal(r4(&b, 0), 0x00800080);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x40), 0x11223344);
	bank_exit(&b);
}

static void a_debug_read_sees_the_cells_as_they_still_are(void **state)
{
	uint64_t value;
	struct bank b;

	init(&b);
	bank_program(&b, 0, 0);
	assert_int_equal(fm_dev_read(b.dev, 0, 4, &value, (struct fm_attrs){ .debug = true }), 0);
	assert_int_equal(value, 0xffffffff);
	tick_on(&b);
	assert_int_equal(fm_dev_read(b.dev, 0, 4, &value, (struct fm_attrs){ .debug = true }), 0);
	assert_int_equal(value, 0);
	bank_exit(&b);
}

/* --- chips that diverge ------------------------------------------------------------------------- */

static void chips_that_began_apart_end_apart(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct told told;
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	keep_log(&b);
	told_init(&told, &b);
	wr(&b, 0x10, 2, 0x40);
	wr(&b, 0x10, 2, 0x1234);
	assert_int_equal(r4(&b, 0x10), 0xffff0000);
	tick(&b, 50 * US);
	wr(&b, 0x22, 2, 0x40);
	wr(&b, 0x22, 2, 0xabcd);
	assert_int_equal(deadline(&b), WORD_NS);
	assert_int_equal(r4(&b, 0x10), 0);
	tick(&b, WORD_NS);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0x10), 0x00000080);
	assert_int_equal(told.n, 1);
	assert_int_equal(deadline(&b), WORD_NS + 50 * US);
	assert_int_equal(b.array[0x22], 0xff);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&b, 0x10), 0x00800080);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x10), 0xffff1234);
	assert_int_equal(r4(&b, 0x20), 0xabcdffff);
	told_exit(&told, &b);
	bank_exit(&b);
}

static void one_tick_over_both_deadlines_ends_both(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct told told;
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	memset(b.array, 0, BLOCK);
	keep_log(&b);
	told_init(&told, &b);
	wr(&b, 0, 2, 0x20);
	wr(&b, 0, 2, 0xd0);
	tick(&b, 1 * MS);
	wr(&b, BLOCK + 2, 2, 0x10);
	wr(&b, BLOCK + 2, 2, 0x5555);
	assert_int_equal(deadline(&b), 1 * MS + WORD_NS);
	tick(&b, 10 * ERASE_NS);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(told.n, 2);
	for (unsigned i = 0; i < BLOCK; i += 4) {
		assert_int_equal(b.array[i] << 8 | b.array[i + 1], 0xffff);
		assert_int_equal(b.array[i + 2] | b.array[i + 3], 0);
	}
	assert_int_equal(r4(&b, 0), 0x00800080);
	cmd(&b, 0, 0xff);
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, BLOCK), 0x5555ffff);
	told_exit(&told, &b);
	bank_exit(&b);
}

/* What ends first is told first, whichever chip it is on. */
static void operations_that_one_tick_ends_are_told_in_their_order(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct told told;
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	told_init(&told, &b);
	wr(&b, 2, 2, 0x40);
	wr(&b, 2, 2, 0);
	tick(&b, 1);
	wr(&b, 0x40, 2, 0x40);
	wr(&b, 0x40, 2, 0);
	tick(&b, MS);
	assert_int_equal(told.n, 2);
	assert_int_equal(told.ops[0].off, 0);
	assert_int_equal(told.ops[1].off, 0x40);
	told_exit(&told, &b);
	bank_exit(&b);
}

/* --- the clock's end ---------------------------------------------------------------------------- */

/* 584 years: what would end behind them never does, which is what its deadline says. */
static void an_operation_near_the_clocks_end_does_not_wrap(void **state)
{
	struct bank b;

	init(&b);
	tick(&b, UINT64_MAX - WORD_NS - 1);
	bank_program(&b, 0, 0);
	assert_true(deadline(&b) == UINT64_MAX - 1);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	bank_program(&b, 4, 0);
	assert_true(deadline(&b) == FM_NEVER);
	tick(&b, UINT64_MAX);
	assert_int_equal(r4(&b, 0), 0);
	assert_int_equal(b.array[4], 0xff);
	bank_exit(&b);
}

static void an_idle_bank_takes_the_clocks_end(void **state)
{
	struct bank b;

	init(&b);
	tick(&b, deadline(&b));
	assert_int_equal(b.effects, 0);
	assert_int_equal(bank_status(&b), 0x00800080);
	bank_exit(&b);
}

static void the_longest_times_that_can_be_said_do_not_wrap(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct bank b;

	cfg.time = FM_FLASH_TIME_MAXIMUM;
	cfg.times = (struct fm_flash_times){
		.erase_ms = 255, .erase_max = 255, .word_us = 39, .word_max = 1
	};
	bank_init(&b, LEN, cfg);
	tick(&b, UINT64_C(1) << 63);
	bank_erase(&b, 0);
	assert_true(deadline(&b) > UINT64_C(1) << 63);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	bank_program(&b, 0, 0);
	assert_true(deadline(&b) > UINT64_C(1) << 63);
	bank_exit(&b);
}

/* --- reset and save in the middle ---------------------------------------------------------------- */

static void reset_gives_up_what_is_under_way(void **state)
{
	struct bank b;

	init(&b);
	b.array[1] = 0;
	bank_erase(&b, 0);
	bank_trace(&b);
	b.effects = fm_dev_reset(b.dev, FM_RESET_KEXEC);
	assert_int_equal(b.effects, 0);
	assert_int_equal(deadline(&b), ERASE_NS);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 0);
	b.effects = fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(b.array[1], 0);
	tick(&b, 5 * ERASE_NS);
	assert_int_equal(b.effects, 0);
	assert_int_equal(b.array[1], 0);
	assert_int_equal(bank_status(&b), 0x00800080);
	bank_exit(&b);
}

static void a_program_goes_on_in_another_bank_with_another_clock(void **state)
{
	struct bank one, two;

	init(&one);
	init(&two);
	tick(&one, 1000 * MS);
	bank_program(&one, 0x20, 0x01020304);
	tick(&one, 1000 * MS + 28 * US);
	tick(&two, 7 * MS);
	carry(&two, &one);
	assert_false(mapped(&two));
	assert_int_equal(r4(&two, 0), 0);
	assert_int_equal(deadline(&two), 7 * MS + 100 * US);
	tick_on(&two);
	assert_int_equal(two.effects, FM_EFF_DIRTY);
	assert_int_equal(r4(&two, 0), 0x00800080);
	cmd(&two, 0, 0xff);
	assert_int_equal(r4(&two, 0x20), 0x01020304);
	bank_exit(&one);
	bank_exit(&two);
}

static void a_buffer_goes_on_in_another_bank(void **state)
{
	struct bank one, two;

	init(&one);
	init(&two);
	start_buffer(&one, BLOCK + 0x80, 2, 0x33441122);
	tick(&one, 1);
	carry(&two, &one);
	assert_int_equal(deadline(&two), BUFFER_NS - 1);
	tick_on(&two);
	cmd(&two, 0, 0xff);
	assert_int_equal(r4(&two, BLOCK + 0x84), 0x33441122);
	assert_int_equal(r4(&two, BLOCK + 0x88), 0xffffffff);
	bank_exit(&one);
	bank_exit(&two);
}

static void a_saved_state_of_another_time_is_refused(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct fm_error err = { 0 };
	struct bank one, two;
	void *bytes;
	size_t len;

	init(&one);
	cfg.time = FM_FLASH_TIME_INSTANT;
	bank_init(&two, LEN, cfg);
	assert_int_equal(fm_dev_save(one.dev, &bytes, &len, NULL), 0);
	assert_int_equal(fm_dev_load(two.dev, bytes, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "time"));
	free(bytes);
	bank_exit(&one);
	bank_exit(&two);
}

static void sanitize_ends_what_is_under_way(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array, 0x5a, LEN);
	bank_program(&b, 0, 0);
	assert_int_equal(fm_dev_sanitize(b.dev, NULL), 0);
	assert_true(all_bytes(b.array, LEN, 0xff));
	tick(&b, MS);
	assert_int_equal(b.effects, 0);
	assert_true(all_bytes(b.array, LEN, 0xff));
	bank_exit(&b);
}

/* --- config --------------------------------------------------------------------------------------- */

static void a_time_that_is_none_is_named(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct fm_block *block = bank_block(LEN);
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	cfg.block = block;
	cfg.time = 3;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_flash_config.time"));
	assert_non_null(strchr(err.msg, '3'));
	assert_null(dev);
	fm_block_free(block);
}

static void a_smaller_config_of_before_is_accepted(void **state)
{
	struct fm_flash_config cfg = time_config();
	struct fm_block *block = bank_block(LEN);
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	/* What is behind its end is not read. */
	memset((char *)&cfg + offsetof(struct fm_flash_config, traits), 0x5a,
	       sizeof(cfg) - offsetof(struct fm_flash_config, traits));
	cfg.struct_size = offsetof(struct fm_flash_config, traits);
	cfg.block = block;
	if (fm_flash_new(&dev, &cfg, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(fm_dev_write(dev, 0, 4, 0x00400040, FM_ATTRS_NONE), FM_EFF_REMAP);
	assert_int_equal(fm_dev_write(dev, 0, 4, 0, FM_ATTRS_NONE), FM_EFF_DIRTY);
	assert_true(fm_dev_next_deadline_ns(dev) == FM_NEVER);
	assert_int_equal(*(uint8_t *)fm_block_ptr(block), 0);
	fm_dev_free(dev);
	fm_block_free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_takes_its_typical_time),
		cmocka_unit_test(the_clock_is_what_tick_told),
		cmocka_unit_test(a_buffer_and_a_block_take_theirs),
		cmocka_unit_test(the_longest_times_are_powers_of_the_typical),
		cmocka_unit_test(the_query_table_has_the_times),
		cmocka_unit_test(an_instant_bank_has_no_deadline),
		cmocka_unit_test(a_program_that_changes_nothing_is_told_and_not_dirty),
		cmocka_unit_test(what_is_refused_takes_no_time),
		cmocka_unit_test(the_lock_that_counts_is_that_of_the_confirm),
		cmocka_unit_test(a_busy_chip_shows_status_everywhere_and_hears_nothing),
		cmocka_unit_test(a_debug_read_sees_the_cells_as_they_still_are),
		cmocka_unit_test(chips_that_began_apart_end_apart),
		cmocka_unit_test(one_tick_over_both_deadlines_ends_both),
		cmocka_unit_test(operations_that_one_tick_ends_are_told_in_their_order),
		cmocka_unit_test(an_operation_near_the_clocks_end_does_not_wrap),
		cmocka_unit_test(an_idle_bank_takes_the_clocks_end),
		cmocka_unit_test(the_longest_times_that_can_be_said_do_not_wrap),
		cmocka_unit_test(reset_gives_up_what_is_under_way),
		cmocka_unit_test(a_program_goes_on_in_another_bank_with_another_clock),
		cmocka_unit_test(a_buffer_goes_on_in_another_bank),
		cmocka_unit_test(a_saved_state_of_another_time_is_refused),
		cmocka_unit_test(sanitize_ends_what_is_under_way),
		cmocka_unit_test(a_time_that_is_none_is_named),
		cmocka_unit_test(a_smaller_config_of_before_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
