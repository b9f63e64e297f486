/* SPDX-License-Identifier: BSD-2-Clause */
/* What AMD chips say about themselves, at each width, and how drivers find them. */
#include "tests/unit/amd_bank.h"

/* Byte `at` of the query structure of a 2 x 16 bank. */
static uint8_t q(struct bank *b, unsigned at)
{
	uint32_t v = r4(b, 4 * at);

	assert_int_equal(v >> 16, v & 0xffff);
	return (uint8_t)v;
}

static uint16_t q16(struct bank *b, unsigned at)
{
	return (uint16_t)(q(b, at) | q(b, at + 1) << 8);
}

static void the_query_table_says_0002_and_its_extension_is_1_5(void **state)
{
	struct bank b;

	init(&b);
	cmd(&b, 0x55 * 4, 0x98);
	assert_int_equal(q16(&b, 0x13), 0x0002);
	assert_int_equal(q16(&b, 0x15), 0x40);
	assert_int_equal(q16(&b, 0x17), 0);
	assert_int_equal(q(&b, 0x27), 16); /* 64 KiB a chip */
	assert_int_equal(q16(&b, 0x28), 1);
	assert_int_equal(q16(&b, 0x2a), 10);
	assert_int_equal(q(&b, 0x2c), 1);
	assert_int_equal(q16(&b, 0x2d), 7);
	assert_int_equal(q16(&b, 0x2f), SECTOR / 2 / 256);
	/* Linux writes by the buffer only where this is not 0. */
	assert_int_not_equal(q(&b, 0x20), 0);
	assert_int_not_equal(q(&b, 0x22), 0);
	assert_int_equal(q(&b, 0x40), 'P');
	assert_int_equal(q(&b, 0x41), 'R');
	assert_int_equal(q(&b, 0x42), 'I');
	assert_int_equal(q(&b, 0x43), '1');
	assert_int_equal(q(&b, 0x44), '5');
	assert_int_equal(q(&b, 0x45) & 3, 0); /* unlock addresses matter */
	assert_int_equal(q(&b, 0x46), 2);     /* read and write while an erase is suspended */
	assert_int_equal(q(&b, 0x49), 8);     /* advanced sector protection */
	assert_int_equal(q(&b, 0x4f), 0);     /* uniform */
	assert_int_equal(q(&b, 0x50), 1);     /* programs can be suspended */
	assert_int_equal(q(&b, 0x53), 3);     /* status register, and the data lines */
	bank_exit(&b);
}

/*
 * A top-boot bank lists its regions as a bottom-boot one does, and the flag tells drivers to turn the
 * list round.
 */
static void regions_are_listed_from_the_boot_sectors_up(void **state)
{
	static const struct fm_flash_region bottom[] = {
		{ 16 * KIB, 1 }, { 8 * KIB, 2 }, { 32 * KIB, 1 }, { 64 * KIB, 3 }
	};

	for (unsigned top = 0; top < 2; top++) {
		struct fm_flash_config cfg = amd_config();
		struct bank b;

		cfg.nregions = 4;
		for (unsigned i = 0; i < 4; i++)
			cfg.regions[top ? 3 - i : i] = bottom[i];
		bank_init(&b, 256 * KIB, cfg);
		cmd(&b, 0x55 * 4, 0x98);
		assert_int_equal(q(&b, 0x2c), 4);
		assert_int_equal(q(&b, 0x4f), top ? 3 : 2);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(q16(&b, 0x2d + 4 * i), bottom[i].count - 1);
			assert_int_equal(q16(&b, 0x2f + 4 * i), bottom[i].block_len / 2 / 256);
		}
		cmd(&b, 0, 0xf0);
		memset(b.array, 0, b.len);
		start_erase(&b);
		cmd(&b, 17 * KIB, 0x30);
		assert_true(
			all_bytes(b.array + (top ? 0 : 16 * KIB), top ? 64 * KIB : 8 * KIB, 0xff));
		assert_int_equal(r4(&b, top ? 64 * KIB : 24 * KIB), 0);
		bank_exit(&b);
	}
}

/* --- every width ------------------------------------------------------------------------- */

struct shape {
	unsigned bank, chip;
	bool byte_mode;
};

static uint64_t on_all(const struct shape *s, uint64_t value)
{
	uint64_t all = 0;

	for (unsigned at = 0; at < s->bank; at += s->chip)
		all |= value << (8 * at);
	return all;
}

static void put(struct bank *b, const struct shape *s, uint32_t word, uint8_t code)
{
	wr(b, (uint64_t)word * s->bank, s->bank, on_all(s, code));
}

static void each_width_unlocks_where_its_table_says(void **state)
{
	static const struct shape shapes[] = {
		{ 1, 1, false }, { 1, 1, true },  { 2, 1, false }, { 2, 1, true },  { 2, 2, false },
		{ 4, 1, true },  { 4, 2, false }, { 4, 4, false }, { 8, 2, false }, { 8, 4, false },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		uint32_t one = s->byte_mode ? 0xaaa : 0x555;
		uint32_t two = s->byte_mode ? 0x555 : 0x2aa;
		unsigned step = s->byte_mode ? 2 : 1;
		struct fm_flash_config cfg = amd_config();
		struct bank b;

		cfg.bank_width = s->bank;
		cfg.chip_width = s->chip;
		cfg.byte_mode = s->byte_mode;
		bank_init(&b, LEN, cfg);
		put(&b, s, s->byte_mode ? 0xaa : 0x55, 0x98);
		assert_int_equal(rd(&b, 0x10 * step * s->bank, s->bank), on_all(s, 'Q'));
		assert_int_equal(rd(&b, 0x28 * step * s->bank, s->bank),
				 on_all(s, s->byte_mode   ? 2
					   : s->chip == 1 ? 0
					   : s->chip == 2 ? 1
							  : 3));
		put(&b, s, 0, 0xf0);
		put(&b, s, one, 0xaa);
		put(&b, s, two, 0x55);
		put(&b, s, one, 0x90);
		assert_int_equal(rd(&b, 0, s->bank), on_all(s, 0x01));
		assert_int_equal(rd(&b, 1ull * step * s->bank, s->bank),
				 on_all(s, s->chip == 1 ? 0x7e : 0x227e));
		assert_int_equal(rd(&b, 0xfull * step * s->bank, s->bank),
				 on_all(s, s->chip == 1 ? 0x01 : 0x2201));
		put(&b, s, 0, 0xf0);
		put(&b, s, one, 0xaa);
		put(&b, s, two, 0x55);
		put(&b, s, one, 0xa0);
		wr(&b, 3 * s->bank, s->bank, on_all(s, 0x12));
		assert_int_equal(rd(&b, 3 * s->bank, s->bank), on_all(s, 0x12));
		bank_exit(&b);
	}
}

static void the_other_modes_unlock_cycles_do_not_unlock(void **state)
{
	struct fm_flash_config cfg = amd_config();

	cfg.bank_width = 1;
	cfg.chip_width = 1;
	for (unsigned mode = 0; mode < 2; mode++) {
		struct bank b;

		cfg.byte_mode = mode;
		bank_init(&b, LEN, cfg);
		wr(&b, mode ? 0x555 : 0xaaa, 1, 0xaa);
		wr(&b, mode ? 0x2aa : 0x555, 1, 0x55);
		wr(&b, mode ? 0x555 : 0xaaa, 1, 0xa0);
		wr(&b, 0, 1, 0);
		assert_int_equal(rd(&b, 0, 1), 0xff);
		bank_exit(&b);
	}
}

/* --- drivers ----------------------------------------------------------------------------- */

/* Linux's probe tries every way to query that a chip of any maker knows, and goes back. */
static void linux_probe_leaves_the_array_as_it_was(void **state)
{
	static const struct {
		uint32_t word;
		uint8_t code;
	} cycles[] = {
		{ 0, 0xf0 },      { 0x55, 0x98 },  { 0, 0xf0 },      { 0, 0xff },
		{ 0x555, 0x98 },  { 0, 0xf0 },     { 0x5555, 0xaa }, { 0x2aaa, 0x55 },
		{ 0x5555, 0x98 }, { 0, 0xf0 },     { 0x555, 0xaa },  { 0x2aa, 0x55 },
		{ 0x555, 0x98 },  { 0, 0xf0 },     { 0, 0xff },      { 0x555, 0xaa },
		{ 0x2aa, 0x55 },  { 0x555, 0x90 }, { 0, 0xf0 },      { 0, 0xff },
	};
	/* As it guesses: all of the bank, one lane of it, twice the chips. */
	static const uint64_t lanes[] = { 0x00010001, 0x00000001, 0x01010101 };
	struct bank b;

	init(&b);
	memset(b.array, 0x3c, LEN);
	for (unsigned guess = 0; guess < 3; guess++) {
		for (unsigned shift = 0; shift < 2; shift++) {
			for (size_t i = 0; i < sizeof(cycles) / sizeof(cycles[0]); i++)
				wr(&b, (cycles[i].word * 4ull << shift) % LEN, 4,
				   cycles[i].code * lanes[guess]);
		}
	}
	for (unsigned n = 0; n < 4; n++)
		wr(&b, 0, 4, 0x00f000f0);
	assert_true(mapped(&b));
	assert_true(all_bytes(b.array, LEN, 0x3c));
	assert_works(&b);
	bank_exit(&b);
}

/* Linux: buffer at its own address, F0 twice, ready when two reads agree; a reset by AA, 55, F0. */
static void linux_writes_a_buffer_and_erases_a_sector(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array + SECTOR, 0x11, SECTOR);
	start_erase(&b);
	cmd(&b, SECTOR, 0x30);
	assert_int_equal(r4(&b, SECTOR), 0xffffffff);
	assert_int_equal(r4(&b, SECTOR), r4(&b, SECTOR));
	cmd(&b, SECTOR, 0xf0);
	unlock(&b);
	cmd(&b, SECTOR + 0x400, 0x25);
	w4(&b, SECTOR + 0x400, 0x001f001f);
	for (uint32_t i = 0; i < 32; i++)
		w4(&b, SECTOR + 0x400 + 4 * i, i);
	cmd(&b, SECTOR + 0x400, 0x29);
	assert_int_equal(r4(&b, SECTOR + 0x400 + 4 * 31), 31);
	assert_int_equal(r4(&b, SECTOR + 0x400 + 4 * 31), 31);
	abort_reset(&b); /* harmless where nothing was aborted */
	assert_int_equal(r4(&b, SECTOR + 0x400), 0);
	assert_works(&b);
	bank_exit(&b);
}

/* U-Boot: 25 and the count at the sector's base, 29 there; ready when DQ6 stands still. */
static void uboot_writes_a_buffer(void **state)
{
	struct bank b;

	init(&b);
	start_buffer(&b, 2 * SECTOR, 16);
	for (uint32_t i = 0; i < 16; i++)
		w4(&b, 2 * SECTOR + 0x40 + 4 * i, 0xa5a50000 + i);
	cmd(&b, 2 * SECTOR, 0x29);
	assert_int_equal((r4(&b, 2 * SECTOR) ^ r4(&b, 2 * SECTOR)) & 0x00400040, 0);
	assert_int_equal(r4(&b, 2 * SECTOR + 0x40), 0xa5a50000);
	cmd(&b, 0, 0xf0);
	assert_works(&b);
	bank_exit(&b);
}

static void byte_mode_is_for_amd_chips_of_8_bits(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	cfg.block = bank_block(LEN);
	cfg.byte_mode = true;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "byte_mode"));
	cfg.set = FM_FLASH_INTEL;
	cfg.chip_width = 1;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "byte_mode"));
	fm_block_free(cfg.block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_query_table_says_0002_and_its_extension_is_1_5),
		cmocka_unit_test(regions_are_listed_from_the_boot_sectors_up),
		cmocka_unit_test(each_width_unlocks_where_its_table_says),
		cmocka_unit_test(the_other_modes_unlock_cycles_do_not_unlock),
		cmocka_unit_test(linux_probe_leaves_the_array_as_it_was),
		cmocka_unit_test(linux_writes_a_buffer_and_erases_a_sector),
		cmocka_unit_test(uboot_writes_a_buffer),
		cmocka_unit_test(byte_mode_is_for_amd_chips_of_8_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
