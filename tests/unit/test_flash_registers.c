/* SPDX-License-Identifier: BSD-2-Clause */
/* What is non-volatile beside the array: Intel's protection registers, AMD's secured silicon sector. */
#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

#define WORD(n) (4u * (n))

static struct fm_flash_config intel_config(void)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ SECTOR, LEN / SECTOR };
	cfg.nregions = 1;
	cfg.unique = 0x1122334455667788;
	return cfg;
}

static void put_register(struct bank *b, unsigned word, uint32_t value)
{
	cmd(b, WORD(word), 0xc0);
	w4(b, WORD(word), value);
}

static uint32_t codes(struct bank *b, uint64_t off)
{
	cmd(b, off, 0x90);
	return r4(b, off);
}

/* --- Intel ---------------------------------------------------------------------------------- */

static void the_factorys_number_is_there_and_locked(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config());
	assert_int_equal(codes(&b, WORD(0x81)), 0x77887788);
	assert_int_equal(r4(&b, WORD(0x82)), 0x55665566);
	assert_int_equal(r4(&b, WORD(0x83)), 0x33443344);
	assert_int_equal(r4(&b, WORD(0x84)), 0x11221122);
	assert_int_equal(r4(&b, WORD(0x80)), 0xfffefffe);
	assert_int_equal(r4(&b, WORD(0x85)), 0xffffffff);
	assert_int_equal(r4(&b, WORD(0x89)), 0xffffffff);
	put_register(&b, 0x82, 0);
	assert_int_equal(r4(&b, 0), 0x00920092);
	cmd(&b, 0, 0x50);
	assert_int_equal(codes(&b, WORD(0x82)), 0x55665566);
	assert_true(all_bytes(b.array, LEN, 0xff));
	bank_exit(&b);
}

static void a_users_words_are_anded_until_their_lock_is_written(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config());
	keep_log(&b);
	put_register(&b, 0x85, 0x0ff0f00f);
	assert_int_equal(b.effects & FM_EFF_DIRTY, 0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	put_register(&b, 0x85, 0xff00ffff);
	assert_int_equal(codes(&b, WORD(0x85)), 0x0f00f00f);
	put_register(&b, 0x80, 0xfffdfffd);
	put_register(&b, 0x85, 0);
	assert_int_equal(r4(&b, 0), 0x00920092);
	cmd(&b, 0, 0x50);
	assert_int_equal(codes(&b, WORD(0x85)), 0x0f00f00f);
	assert_int_equal(r4(&b, WORD(0x80)), 0xfffcfffc);
	/* The same words from any block. */
	assert_int_equal(codes(&b, 3 * SECTOR + WORD(0x85)), 0x0f00f00f);
	assert_true(all_bytes(b.array, LEN, 0xff));
	bank_exit(&b);
}

static void each_of_the_sixteen_registers_has_its_lock_bit(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config());
	put_register(&b, 0x89, ~0x80008000u); /* the last */
	put_register(&b, 0x109, 0);
	assert_int_equal(r4(&b, 0), 0x00920092);
	cmd(&b, 0, 0x50);
	put_register(&b, 0x102, 0);
	assert_int_equal(r4(&b, 0), 0x00920092);
	cmd(&b, 0, 0x50);
	put_register(&b, 0x101, 0x12341234);
	assert_int_equal(r4(&b, 0), 0x00800080);
	put_register(&b, 0x8a, 0x55aa55aa);
	assert_int_equal(codes(&b, WORD(0x101)), 0x12341234);
	assert_int_equal(r4(&b, WORD(0x8a)), 0x55aa55aa);
	assert_int_equal(r4(&b, WORD(0x102)), 0xffffffff);
	assert_int_equal(r4(&b, WORD(0x89)), 0x7fff7fff);
	/* Neither lock word is locked itself. */
	put_register(&b, 0x89, 0xfffefffe);
	assert_int_equal(r4(&b, 0), 0x00800080);
	put_register(&b, 0x8a, 0);
	assert_int_equal(r4(&b, 0), 0x00920092);
	bank_exit(&b);
}

static void there_is_no_register_beside_them(void **state)
{
	static const unsigned words[] = { 0, 2, 5, 0x7f, 0x10a, 0x200 };
	struct bank b;

	bank_init(&b, LEN, intel_config());
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		put_register(&b, words[i], 0);
		assert_int_equal(r4(&b, 0), 0x00900090);
		cmd(&b, 0, 0x50);
	}
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_int_equal(codes(&b, 0), 0x00890089);
	bank_exit(&b);
}

static void a_register_takes_a_words_time_and_is_not_suspended(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct bank b;

	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	put_register(&b, 0x86, 0x12341234);
	assert_int_equal(deadline(&b), WORD_NS);
	cmd(&b, 0, 0xb0);
	assert_int_equal(r4(&b, 0), 0);
	assert_int_equal(deadline(&b), WORD_NS);
	tick_on(&b);
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(codes(&b, WORD(0x86)), 0x12341234);
	bank_exit(&b);
}

static void the_configuration_register_is_the_address(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config());
	assert_int_equal(codes(&b, WORD(5)), 0xbfcfbfcf);
	cmd(&b, WORD(0x2345), 0x60);
	cmd(&b, WORD(0x2345), 0x03);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(codes(&b, WORD(5)), 0x23452345);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(codes(&b, WORD(5)), 0xbfcfbfcf);
	bank_exit(&b);
}

static void parts_without_answer_otherwise(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct bank b;

	cfg.traits = FM_FLASH_NO_REGISTERS | FM_FLASH_NO_CONFIGURATION;
	bank_init(&b, LEN, cfg);
	bank_trace(&b);
	/* C0 is no command. */
	cmd(&b, WORD(0x85), 0xc0);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
	assert_true(mapped(&b));
	cmd(&b, WORD(0x1234), 0x60);
	cmd(&b, WORD(0x1234), 0x03);
	assert_int_equal(r4(&b, 0), 0x00b000b0);
	bank_exit(&b);
}

/* --- the block ------------------------------------------------------------------------------ */

static struct fm_block *registers_block(const struct fm_flash_config *cfg, uint64_t more)
{
	uint64_t len = 0;

	assert_int_equal(fm_flash_registers_len(cfg, &len, NULL), 0);
	return bank_block(len + more);
}

static void a_block_keeps_registers_for_the_next_bank(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct fm_block *block;
	uint64_t bits[4] = { 0 };
	struct bank b;

	bank_init(&b, LEN, cfg); /* whose block tells the length */
	cfg.block = b.block;
	block = registers_block(&cfg, 5);
	assert_in_range(fm_block_len(block), 138 * 4 + 2 * 8, 138 * 4 + 2 * 8 + 4096);
	bank_exit(&b);
	cfg.registers = block;
	bank_init(&b, LEN, cfg);
	assert_int_equal(fm_dirty_start(fm_block_dirty(block), 0, NULL), 0);
	put_register(&b, 0x85, 0x00010002);
	assert_int_equal(fm_dirty_harvest(fm_block_dirty(block), 0, 0, fm_block_len(block), bits),
			 1);
	/* Interleaved as the array: the words from 80 on. */
	assert_int_equal(((uint8_t *)fm_block_ptr(block))[5 * 4], 2);
	assert_int_equal(((uint8_t *)fm_block_ptr(block))[5 * 4 + 2], 1);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(codes(&b, WORD(0x85)), 0x00010002);
	bank_exit(&b);
	/* The factory programs but once. */
	cfg.unique = 0;
	bank_init(&b, LEN, cfg);
	assert_int_equal(codes(&b, WORD(0x85)), 0x00010002);
	assert_int_equal(r4(&b, WORD(0x84)), 0x11221122);
	bank_exit(&b);
	fm_block_free(block);
}

static void a_block_that_is_too_small_is_named(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;
	struct bank b;

	bank_init(&b, LEN, cfg);
	cfg.block = b.block;
	cfg.registers = bank_block(64);
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_flash_config.registers"));
	assert_null(dev);
	fm_block_free(cfg.registers);
	bank_exit(&b);
}

/* A bank that could not be made leaves them fresh: the factory programs them but once. */
static void a_bank_that_fails_programs_no_registers(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;
	struct bank b;

	bank_init(&b, LEN, cfg);
	cfg.block = b.block;
	cfg.registers = registers_block(&cfg, 0);
	cfg.image = "/nonexistent/image";
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_NOT_FOUND);
	assert_true(all_bytes(fm_block_ptr(cfg.registers), fm_block_len(cfg.registers), 0xff));
	fm_block_free(cfg.registers);
	bank_exit(&b);
}

static void the_length_is_refused_where_the_bank_would_be(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct fm_error err = { 0 };
	uint64_t len = 99;
	struct bank b;

	assert_int_equal(fm_flash_registers_len(&cfg, &len, &err), FM_ERR_ARG);
	bank_init(&b, LEN, cfg);
	cfg.block = b.block;
	assert_int_equal(fm_flash_registers_len(&cfg, NULL, &err), FM_ERR_ARG);
	cfg.set = 7;
	assert_int_equal(fm_flash_registers_len(&cfg, &len, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "set"));
	cfg.set = FM_FLASH_AMD;
	cfg.bank_width = 3;
	assert_int_equal(fm_flash_registers_len(&cfg, &len, &err), FM_ERR_ARG);
	assert_int_equal(len, 99);
	cfg.bank_width = 4;
	assert_int_equal(fm_flash_registers_len(&cfg, &len, &err), 0);
	assert_int_equal(len, 129 * 4 + 2 * 8);
	cfg.struct_size = 1;
	assert_int_equal(fm_flash_registers_len(&cfg, &len, &err), FM_ERR_ARG);
	bank_exit(&b);
}

/* A bank that is read_only may have registers that nobody can write, also when a state is loaded. */
static void registers_that_are_only_read(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct fm_block_config mem = { .struct_size = sizeof(mem),
				       .name = "registers",
				       .role = FM_ROLE_FLASH_VARS,
				       .flags = FM_BLOCK_READONLY,
				       .len = 138 * 4 + 2 * 8 };
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;
	struct bank one, two;

	assert_int_equal(fm_block_new(&cfg.registers, &mem, NULL), 0);
	bank_init(&one, LEN, intel_config());
	cfg.block = one.block;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_flash_config.registers"));
	bank_exit(&one);
	cfg.read_only = true;
	bank_init(&two, LEN, cfg);
	/* Anonymous memory that is only read: zeros, all locked. */
	assert_int_equal(codes(&two, WORD(0x85)), 0);
	put_register(&two, 0x85, 0);
	assert_int_equal(r4(&two, 0), 0x00920092);
	{
		struct fm_flash_config fresh = cfg;

		fresh.registers = NULL;
		bank_init(&one, LEN, fresh);
		carry(&two, &one);
		bank_exit(&one);
	}
	assert_int_equal(codes(&two, WORD(0x85)), 0);
	bank_exit(&two);
	fm_block_free(cfg.registers);
}

static void registers_go_with_the_saved_state(void **state)
{
	struct bank one, two;

	bank_init(&one, LEN, intel_config());
	bank_init(&two, LEN, intel_config());
	put_register(&one, 0x8a, 0xbeefbeef);
	carry(&two, &one);
	assert_int_equal(codes(&two, WORD(0x8a)), 0xbeefbeef);
	bank_exit(&one);
	bank_exit(&two);
}

/* --- AMD ------------------------------------------------------------------------------------ */

static void enter_secured(struct bank *b)
{
	start(b, 0x88);
}

static void leave_secured(struct bank *b)
{
	start(b, 0x90);
	cmd(b, 0, 0);
}

static void the_secured_sector_is_in_the_arrays_place(void **state)
{
	struct bank b;

	init(&b);
	program(&b, 8, 0x11111111);
	enter_secured(&b);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 8), 0xffffffff);
	program(&b, 8, 0x0ff0f00f);
	program(&b, 8, 0xff00ffff);
	assert_int_equal(r4(&b, 8), 0x0f00f00f);
	assert_int_equal(b.array[8], 0x11);
	leave_secured(&b);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, 8), 0x11111111);
	enter_secured(&b);
	assert_int_equal(r4(&b, 8), 0x0f00f00f);
	/* A reset pin leaves it. */
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_SYSTEM), FM_EFF_REMAP);
	assert_int_equal(r4(&b, 8), 0x11111111);
	bank_exit(&b);
}

static void no_erase_reaches_the_secured_sector(void **state)
{
	struct bank b;

	init(&b);
	program(&b, 8, 0x11111111);
	enter_secured(&b);
	program(&b, 8, 0);
	start_erase(&b);
	cmd(&b, 0, 0x30);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	assert_int_equal(r4(&b, 8), 0);
	leave_secured(&b);
	assert_int_equal(r4(&b, 8), 0x11111111);
	bank_exit(&b);
}

static void no_buffer_is_loaded_for_the_secured_sector(void **state)
{
	struct bank b;

	init(&b);
	enter_secured(&b);
	bank_trace(&b);
	unlock(&b);
	cmd(&b, 0, 0x25);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
	/* The next sequence is one. */
	program(&b, 8, 0x12345678);
	assert_int_equal(r4(&b, 8), 0x12345678);
	leave_secured(&b);
	assert_true(all_bytes(b.array, LEN, 0xff));
	bank_exit(&b);
}

static void the_lock_register_locks_the_secured_sector(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0x40);
	assert_int_equal(r4(&b, 0), 0xffffffff);
	cmd(&b, 0, 0xa0);
	w4(&b, 0, 0xfffefffe);
	assert_int_equal(r4(&b, 0), 0xfffefffe);
	cmd(&b, 0, 0x90);
	cmd(&b, 0, 0);
	assert_true(mapped(&b));
	enter_secured(&b);
	program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0xffffffff);
	leave_secured(&b);
	/* For good. */
	fm_dev_reset(b.dev, FM_RESET_POWER_ON);
	enter_secured(&b);
	program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0xffffffff);
	bank_exit(&b);
}

static void amd_chips_without_registers_have_neither(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.traits = FM_FLASH_NO_REGISTERS;
	bank_init(&b, LEN, cfg);
	bank_trace(&b);
	start(&b, 0x88);
	assert_true(mapped(&b));
	start(&b, 0x40);
	assert_true(mapped(&b));
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 2);
	assert_works(&b);
	bank_exit(&b);
}

static void a_secured_word_takes_time(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank one, two;

	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&one, LEN, cfg);
	bank_init(&two, LEN, cfg);
	enter_secured(&one);
	program(&one, 0x10, 0x12345678);
	assert_int_equal(r4(&one, 0x10) & 0x00800080, 0x00800080);
	/* Saved, and ended elsewhere; a suspend is not heard. */
	cmd(&one, 0, 0xb0);
	tick(&two, MS);
	carry(&two, &one);
	assert_int_equal(deadline(&two), MS + WORD_NS);
	tick_on(&two);
	assert_int_equal(two.effects, 0);
	assert_int_equal(r4(&two, 0x10), 0x12345678);
	leave_secured(&two);
	assert_true(mapped(&two));
	assert_true(all_bytes(two.array, LEN, 0xff));
	bank_exit(&one);
	bank_exit(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_factorys_number_is_there_and_locked),
		cmocka_unit_test(a_users_words_are_anded_until_their_lock_is_written),
		cmocka_unit_test(each_of_the_sixteen_registers_has_its_lock_bit),
		cmocka_unit_test(there_is_no_register_beside_them),
		cmocka_unit_test(a_register_takes_a_words_time_and_is_not_suspended),
		cmocka_unit_test(the_configuration_register_is_the_address),
		cmocka_unit_test(parts_without_answer_otherwise),
		cmocka_unit_test(a_block_keeps_registers_for_the_next_bank),
		cmocka_unit_test(a_block_that_is_too_small_is_named),
		cmocka_unit_test(a_bank_that_fails_programs_no_registers),
		cmocka_unit_test(the_length_is_refused_where_the_bank_would_be),
		cmocka_unit_test(registers_that_are_only_read),
		cmocka_unit_test(registers_go_with_the_saved_state),
		cmocka_unit_test(the_secured_sector_is_in_the_arrays_place),
		cmocka_unit_test(no_erase_reaches_the_secured_sector),
		cmocka_unit_test(no_buffer_is_loaded_for_the_secured_sector),
		cmocka_unit_test(the_lock_register_locks_the_secured_sector),
		cmocka_unit_test(amd_chips_without_registers_have_neither),
		cmocka_unit_test(a_secured_word_takes_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
