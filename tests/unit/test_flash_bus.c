/* SPDX-License-Identifier: BSD-2-Clause */
/* The bus: byte order, writes that must be secure, and the hint that trapping is cheaper. */
#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

static struct fm_flash_config intel_config(void)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ SECTOR, LEN / SECTOR };
	cfg.nregions = 1;
	return cfg;
}

/* --- byte order -------------------------------------------------------------------------------- */

/* Commands and answers of a 2 x 16 bank, as a little-endian value of a big-endian bus. */
static void be(struct bank *b, uint64_t off, uint8_t command)
{
	w4(b, off, command * 0x01000100u);
}

static void a_big_endian_bank_has_d0_to_d7_on_the_highest_address(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct bank b;

	cfg.big_endian = true;
	bank_init(&b, LEN, cfg);
	be(&b, 0, 0x90);
	assert_int_equal(rd(&b, 1, 1), 0x89);
	assert_int_equal(rd(&b, 0, 1), 0);
	assert_int_equal(r4(&b, 0), 0x89008900);
	be(&b, 0, 0x98);
	assert_int_equal(r4(&b, 0x40), 'Q' * 0x01000100u);
	be(&b, 0, 0x70);
	assert_int_equal(r4(&b, 0), 0x80008000);
	/* The other byte is no command. */
	be(&b, 0, 0xff);
	cmd(&b, 0, 0x90);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void contents_keep_their_addresses(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct bank b;

	cfg.big_endian = true;
	bank_init(&b, LEN, cfg);
	be(&b, 0x10, 0x40);
	w4(&b, 0x10, 0x44332211);
	assert_int_equal(b.array[0x10], 0x11);
	assert_int_equal(b.array[0x13], 0x44);
	be(&b, 0x20, 0xe8);
	/* The count is a value on the data lines. */
	be(&b, 0x20, 1);
	w4(&b, 0x20, 0x04030201);
	w4(&b, 0x24, 0x08070605);
	be(&b, 0x20, 0xd0);
	assert_int_equal(r4(&b, 0), 0x80008000);
	be(&b, 0, 0xff);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(b.array[0x20 + i], i + 1);
	/* Registers: D0-D15 of the chip. */
	be(&b, 0x85 * 4, 0xc0);
	w4(&b, 0x85 * 4, 0x12341234);
	be(&b, 0, 0x90);
	assert_int_equal(r4(&b, 0x85 * 4), 0x12341234);
	bank_exit(&b);
}

static void a_big_endian_amd_bank_is_unlocked_likewise(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.big_endian = true;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	be(&b, AT_555, 0xaa);
	be(&b, AT_2AA, 0x55);
	be(&b, AT_555, 0xa0);
	/* Bit 7 of the chip's D0-D7, which are on the higher address: 0 here, so DQ7 is 1. */
	w4(&b, 0x40, 0x00800080);
	assert_int_equal(r4(&b, 0x40) & 0x80808080, 0x80008000);
	tick_on(&b);
	assert_int_equal(r4(&b, 0x40), 0x00800080);
	be(&b, AT_555, 0xaa);
	be(&b, AT_2AA, 0x55);
	be(&b, AT_555, 0x90);
	assert_int_equal(r4(&b, 4), 0x7e227e22);
	bank_exit(&b);
}

static void chips_of_four_bytes_turn_all_four(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct bank b;

	cfg.big_endian = true;
	cfg.chip_width = 4;
	bank_init(&b, LEN, cfg);
	w4(&b, 0, 0x90000000);
	assert_int_equal(r4(&b, 0), 0x89000000);
	w4(&b, 0, 0x40000000);
	w4(&b, 0, 0x04030201);
	w4(&b, 0, 0xff000000);
	assert_int_equal(b.array[0], 1);
	assert_int_equal(r4(&b, 0), 0x04030201);
	bank_exit(&b);
}

static void a_bank_of_one_state_is_qemus_and_has_none_of_this(void **state)
{
	static const char *const fields[] = { "time",       "health", "traits",
					      "big_endian", "pins",   "registers" };
	const struct fm_flash_health health = { .struct_size = sizeof(health) };
	struct fm_block *block = bank_block(LEN);

	for (unsigned i = 0; i < 6; i++) {
		struct fm_flash_config cfg = intel_config();
		struct fm_error err = { 0 };
		struct fm_dev *dev = NULL;

		assert_int_equal(fm_flash_profile("qemu-7.2", &cfg, &err), 0);
		cfg.block = block;
		cfg.time = i == 0 ? FM_FLASH_TIME_TYPICAL : FM_FLASH_TIME_INSTANT;
		cfg.health = i == 1 ? &health : NULL;
		cfg.traits = i == 2 ? FM_FLASH_NO_BUFFER : 0;
		cfg.big_endian = i == 3;
		cfg.pins = i == 4 ? FM_FLASH_PIN_WP_HIGH : 0;
		cfg.registers = i == 5 ? block : NULL;
		assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
		assert_non_null(strstr(err.msg, fields[i]));
		assert_null(dev);
	}
	fm_block_free(block);
}

/* --- secure-only ------------------------------------------------------------------------------- */

static unsigned write_as(struct bank *b, bool secure, uint64_t off, uint32_t value)
{
	return fm_dev_write(b->dev, off, 4, value, (struct fm_attrs){ .secure = secure });
}

static uint64_t read_as(struct bank *b, bool secure, uint64_t off)
{
	uint64_t value = 0;

	assert_int_equal(fm_dev_read(b->dev, off, 4, &value, (struct fm_attrs){ .secure = secure }),
			 0);
	return value;
}

static void only_secure_writes_are_commands(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct bank b;

	cfg.secure_only = true;
	bank_init(&b, LEN, cfg);
	assert_int_equal(write_as(&b, false, 0, 0x00900090), FM_EFF_FAULT);
	assert_true(mapped(&b));
	assert_int_equal(write_as(&b, true, 0, 0x00900090), FM_EFF_REMAP);
	assert_int_equal(read_as(&b, true, 0), 0x00890089);
	assert_int_equal(read_as(&b, false, 0), 0xffffffff);
	/* Not in the middle of a sequence either. */
	assert_int_equal(write_as(&b, true, 0x40, 0x00400040), 0);
	assert_int_equal(write_as(&b, false, 0x40, 0), FM_EFF_FAULT);
	assert_int_equal(write_as(&b, false, 0x40, 0x00ff00ff), FM_EFF_FAULT);
	assert_int_equal(write_as(&b, true, 0x40, 0x12345678) & FM_EFF_FAULT, 0);
	assert_int_equal(read_as(&b, false, 0x40), 0x12345678);
	assert_int_equal(read_as(&b, true, 0x40), 0x00800080);
	bank_exit(&b);
}

static void reads_that_are_not_secure_toggle_nothing(void **state)
{
	struct fm_flash_config cfg = amd_config();
	uint64_t a, c;
	struct bank b;

	cfg.secure_only = true;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	write_as(&b, true, AT_555, 0x00aa00aa);
	write_as(&b, true, AT_2AA, 0x00550055);
	write_as(&b, true, AT_555, 0x00a000a0);
	write_as(&b, true, 0, 0);
	a = read_as(&b, true, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(read_as(&b, false, 0), 0xffffffff);
	c = read_as(&b, true, 0);
	assert_int_equal((a ^ c) & 0x00400040, 0x00400040);
	bank_exit(&b);
}

static void words_of_a_buffer_must_be_secure_too(void **state)
{
	struct fm_flash_config cfg = intel_config();
	struct bank b;

	cfg.secure_only = true;
	bank_init(&b, LEN, cfg);
	write_as(&b, true, 0, 0x00e800e8);
	write_as(&b, true, 0, 0x00020002);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(write_as(&b, false, 4 * i, 0), FM_EFF_FAULT);
		assert_int_equal(write_as(&b, true, 4 * i, 0x01010101 * (i + 1)), 0);
	}
	assert_int_equal(write_as(&b, true, 0, 0x00d000d0), FM_EFF_DIRTY);
	assert_int_equal(read_as(&b, false, 8), 0x03030303);
	bank_exit(&b);
}

/* --- what it tells about itself ------------------------------------------------------------------ */

struct heard {
	const char *time;
	uint64_t big_endian;
	uint64_t secure_only;
};

static void heard_u64(void *ctx, const char *key, uint64_t value)
{
	struct heard *h = ctx;

	if (!strcmp(key, "big_endian"))
		h->big_endian = value;
	if (!strcmp(key, "secure_only"))
		h->secure_only = value;
}

static void heard_text(void *ctx, const char *key, const char *value)
{
	struct heard *h = ctx;

	if (!strcmp(key, "time"))
		h->time = value;
}

static void a_bank_describes_its_bus_and_its_time(void **state)
{
	static const char *const names[] = { "instant", "typical", "maximum" };

	for (unsigned i = 0; i < 6; i++) {
		struct fm_flash_config cfg = i < 3 ? intel_config() : amd_config();
		struct heard heard = { .big_endian = 9 };
		struct bank b;

		cfg.time = i % 3;
		cfg.big_endian = i % 2;
		cfg.secure_only = i > 3;
		bank_init(&b, LEN, cfg);
		fm_dev_describe(b.dev, &(struct fm_visitor){ &heard, heard_u64, heard_text });
		assert_string_equal(heard.time, names[i % 3]);
		assert_int_equal(heard.big_endian, i % 2);
		assert_int_equal(heard.secure_only, i > 3);
		bank_exit(&b);
	}
}

/* --- the hint ------------------------------------------------------------------------------------ */

static unsigned flags_of(struct bank *b)
{
	struct fm_mapping m;

	assert_int_equal(fm_dev_map(b->dev, 0, &m), 0);
	return m.flags;
}

/* One turn there and one back. */
static void flip(struct bank *b)
{
	cmd(b, 0, 0x70);
	assert_int_equal(b->effects, FM_EFF_REMAP);
	assert_int_equal(flags_of(b), 0);
	cmd(b, 0, 0xff);
	assert_int_equal(b->effects, FM_EFF_REMAP);
}

static void a_bank_that_flips_often_is_hinted_to_trap(void **state)
{
	unsigned flips = 0;
	struct bank b;

	bank_init(&b, LEN, intel_config());
	do {
		flip(&b);
		assert_in_range(++flips, 1, 40);
	} while (!flags_of(&b));
	assert_in_range(flips, 32, 33);
	assert_int_equal(flags_of(&b), FM_MAP_HINT_TRAP);
	assert_true(mapped(&b));
	assert_int_equal(bank_stats(&b).map_turns, 2 * flips);
	/* Much that is read, as it is trapped, ends that, once. */
	for (unsigned i = 1; i <= 600; i++) {
		r4(&b, 0);
		assert_int_equal(b.effects, i == 512 ? FM_EFF_REMAP : 0);
		assert_int_equal(flags_of(&b), i < 512 ? FM_MAP_HINT_TRAP : 0);
	}
	/* And it takes as many turns again. */
	for (unsigned i = 0; i < 30; i++)
		flip(&b);
	assert_int_equal(flags_of(&b), 0);
	bank_exit(&b);
}

static void a_bank_that_is_used_between_its_turns_is_not(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config());
	for (unsigned n = 0; n < 200; n++) {
		cmd(&b, 0, 0x70);
		for (unsigned i = 0; i < 20; i++)
			r4(&b, 0);
		cmd(&b, 0, 0xff);
		for (unsigned i = 0; i < 20; i++)
			r4(&b, 0);
		assert_int_equal(flags_of(&b), 0);
	}
	bank_exit(&b);
}

/* An AMD bank's programs turn it, and ticks turn it back. */
static void turns_by_ticks_count_too(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	for (unsigned i = 0; i < 31; i++) {
		program(&b, 4 * i, 0);
		assert_int_equal(b.effects, FM_EFF_REMAP);
		tick_on(&b);
		assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
		assert_int_equal(flags_of(&b), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		program(&b, 4 * i, 0);
		tick_on(&b);
	}
	assert_int_equal(flags_of(&b), FM_MAP_HINT_TRAP);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_big_endian_bank_has_d0_to_d7_on_the_highest_address),
		cmocka_unit_test(contents_keep_their_addresses),
		cmocka_unit_test(a_big_endian_amd_bank_is_unlocked_likewise),
		cmocka_unit_test(chips_of_four_bytes_turn_all_four),
		cmocka_unit_test(a_bank_of_one_state_is_qemus_and_has_none_of_this),
		cmocka_unit_test(only_secure_writes_are_commands),
		cmocka_unit_test(reads_that_are_not_secure_toggle_nothing),
		cmocka_unit_test(words_of_a_buffer_must_be_secure_too),
		cmocka_unit_test(a_bank_describes_its_bus_and_its_time),
		cmocka_unit_test(a_bank_that_flips_often_is_hinted_to_trap),
		cmocka_unit_test(a_bank_that_is_used_between_its_turns_is_not),
		cmocka_unit_test(turns_by_ticks_count_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
