/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drivers do, bus cycle by bus cycle: U-Boot's cfi_flash, edk2's VirtNorFlash, Linux's
 * cfi_cmdset_0001. Written down from what they put on the bus; expected values are what they go on.
 */
#include "tests/unit/bank.h"

#define MIB (1024u * KIB)
#define BLOCK (256 * KIB)

/*
 * One access of 32 bits: 'w' writes, 'r' must read the value, 'p' polls until bit 7 of chip 0 is set,
 * at once where operations take no time.
 */
struct line {
	char op;
	uint64_t off;
	uint32_t value;
};

/* Reads until bit 7 of chip 0 is set; each time some of the operation's time goes by. */
static uint32_t poll(struct bank *b, uint64_t off)
{
	uint64_t due = fm_dev_next_deadline_ns(b->dev);
	uint32_t got = r4(b, off);

	if (due == FM_NEVER)
		return got;
	assert_int_equal(got & 0x80, 0);
	fm_dev_tick(b->dev, due - 1);
	assert_int_equal(r4(b, off) & 0x80, 0);
	fm_dev_tick(b->dev, due);
	return r4(b, off);
}

static void play(struct bank *b, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t got;

		if (lines[i].op == 'w') {
			w4(b, lines[i].off, lines[i].value);
			continue;
		}
		got = lines[i].op == 'p' ? poll(b, lines[i].off) : r4(b, lines[i].off);
		if (lines[i].op == 'r' ? got != lines[i].value : !(got & 0x80))
			fail_msg("line %zu: read 0x%x at 0x%llx, expected 0x%x", i, got,
				 (unsigned long long)lines[i].off, lines[i].value);
	}
}

#define PLAY(b, ...)                                                 \
	do {                                                         \
		static const struct line lines_[] = { __VA_ARGS__ }; \
		play(b, lines_, sizeof(lines_) / sizeof(lines_[0])); \
	} while (0)

/* 64 MiB of 2 x 16 bits, as the virt boards have it. */
static void init_virt(struct bank *b, enum fm_flash_narrow narrow)
{
	struct fm_flash_config cfg = bank_config();

	cfg.narrow = narrow;
	bank_init(b, 64 * MIB, cfg);
}

/* --- U-Boot ------------------------------------------------------------------------------ */

static uint64_t on_chips(unsigned port, unsigned chip, uint8_t v)
{
	uint64_t word = 0;

	for (unsigned at = 0; at < port; at += chip)
		word |= (uint64_t)v << (8 * at);
	return word;
}

/* Write a command at a chip's word `word`, with the addresses doubled `lsb` times. */
static void probe_write(struct bank *b, unsigned port, unsigned chip, unsigned lsb, unsigned word,
			uint8_t command)
{
	wr(b, (uint64_t)(word << lsb) * port, port, on_chips(port, chip, command));
}

static bool probe_sees(struct bank *b, unsigned port, unsigned chip, unsigned lsb, unsigned word,
		       char c)
{
	return rd(b, (uint64_t)(word << lsb) * port, port) == on_chips(port, chip, (uint8_t)c);
}

static bool probe_one(struct bank *b, unsigned port, unsigned chip, unsigned lsb)
{
	static const unsigned at[] = { 0x55, 0x555 };

	for (unsigned i = 0; i < 2; i++) {
		probe_write(b, port, chip, lsb, 0, 0xf0);
		probe_write(b, port, chip, lsb, 0, 0xff);
		probe_write(b, port, chip, lsb, at[i], 0x98);
		if (probe_sees(b, port, chip, lsb, 0x10, 'Q') &&
		    probe_sees(b, port, chip, lsb, 0x11, 'R') &&
		    probe_sees(b, port, chip, lsb, 0x12, 'Y'))
			return true;
	}
	return false;
}

/* Narrow ports first. What it settles on, as "PORT x CHIP" in bits, or 0. */
static unsigned uboot_probe(struct bank *b)
{
	for (unsigned port = 1; port <= 8; port *= 2) {
		for (unsigned chip = 1; chip <= port; chip *= 2) {
			for (unsigned lsb = 0; lsb < 2; lsb++) {
				if (probe_one(b, port, chip, lsb))
					return port * 8 * 100 + chip * 8;
			}
		}
	}
	return 0;
}

static void uboot_finds_a_bank_that_ignores_narrow_writes_as_it_is(void **state)
{
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_IGNORE);
	assert_int_equal(uboot_probe(&b), 3216);
	/* 256 sectors: per chip 256 blocks of 128 KiB. */
	PLAY(&b, { 'r', 0x27 * 4, 0x00190019 }, { 'r', 0x2c * 4, 0x00010001 },
	     { 'r', 0x2d * 4, 0x00ff00ff }, { 'r', 0x2e * 4, 0 }, { 'r', 0x2f * 4, 0 },
	     { 'r', 0x30 * 4, 0x00020002 }, { 'w', 0, 0x00ff00ff });
	assert_true(mapped(&b));
	assert_true(all_bytes(b.array, 64 * MIB, 0xff));
	bank_exit(&b);
}

/* Where every chip takes a command of any width, 2 x 16 bits look like 1 x 16. */
static void uboot_takes_a_broadcasting_bank_for_sixteen_bits(void **state)
{
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_BROADCAST);
	assert_int_equal(uboot_probe(&b), 1616);
	bank_exit(&b);
}

static void erase_and_copy(enum fm_flash_time time)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.time = time;
	bank_init(&b, 64 * MIB, cfg);
	memset(b.array, 0, 2 * BLOCK);
	PLAY(&b, { 'w', BLOCK, 0x00500050 }, { 'w', BLOCK, 0x00200020 }, { 'w', BLOCK, 0x00d000d0 },
	     { 'p', BLOCK, 0 }, { 'r', BLOCK, 0x00800080 }, { 'w', BLOCK, 0x00ff00ff },
	     { 'r', BLOCK, 0xffffffff });
	assert_true(all_bytes(b.array, BLOCK, 0));
	assert_true(all_bytes(b.array + BLOCK, BLOCK, 0xff));
	/* The count goes to the base of the sector, and the status is read without asking. */
	PLAY(&b, { 'w', BLOCK, 0x00500050 }, { 'w', BLOCK + 0x800, 0x00700070 },
	     { 'w', BLOCK + 0x800, 0x00e800e8 }, { 'p', BLOCK + 0x800, 0 },
	     { 'w', BLOCK, 0x00030003 }, { 'w', BLOCK + 0x800, 0x33221100 },
	     { 'w', BLOCK + 0x804, 0x77665544 }, { 'w', BLOCK + 0x808, 0xbbaa9988 },
	     { 'w', BLOCK + 0x80c, 0xffeeddcc }, { 'w', BLOCK, 0x00d000d0 },
	     { 'p', BLOCK + 0x800, 0 }, { 'r', BLOCK + 0x800, 0x00800080 },
	     { 'w', BLOCK, 0x00ff00ff }, { 'r', BLOCK + 0x800, 0x33221100 },
	     { 'r', BLOCK + 0x80c, 0xffeeddcc });
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void uboot_erases_and_copies(void **state)
{
	erase_and_copy(FM_FLASH_TIME_INSTANT);
}

static void uboot_erases_and_copies_and_waits(void **state)
{
	erase_and_copy(FM_FLASH_TIME_TYPICAL);
	erase_and_copy(FM_FLASH_TIME_MAXIMUM);
}

/* A copy of a megabyte in whole buffers, one behind the other. */
static void uboot_copies_a_mebibyte_without_a_pause(void **state)
{
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_IGNORE);
	for (uint64_t at = MIB; at < 2 * MIB; at += 2048) {
		uint64_t sector = at & ~(uint64_t)(BLOCK - 1);

		cmd(&b, sector, 0x50);
		cmd(&b, at, 0x70);
		cmd(&b, at, 0xe8);
		assert_int_equal(r4(&b, at) & 0x80, 0x80);
		w4(&b, sector, 511 * 0x00010001u);
		for (unsigned i = 0; i < 2048; i += 4)
			w4(&b, at + i, (uint32_t)(at + i));
		cmd(&b, sector, 0xd0);
		assert_int_equal(r4(&b, at), 0x00800080);
	}
	cmd(&b, 0, 0xff);
	assert_true(all_bytes(b.array, MIB, 0xff));
	for (uint64_t at = MIB; at < 2 * MIB; at += 4)
		assert_int_equal(r4(&b, at), (uint32_t)at);
	assert_true(all_bytes(b.array + 2 * MIB, MIB, 0xff));
	assert_int_equal(bank_stats(&b).programs, 512);
	bank_exit(&b);
}

/* --- edk2's VirtNorFlash ------------------------------------------------------------------- */

static void virtnorflash_unlocks_and_erases(void **state)
{
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_IGNORE);
	memset(b.array + BLOCK, 0, BLOCK);
	PLAY(&b,
	     /* Locked? Read at the third word of the block. */
	     { 'w', BLOCK + 8, 0x00900090 }, { 'r', BLOCK + 8, 0 }, { 'w', 0, 0x00ff00ff },
	     /* Lock, see, unlock. */
	     { 'w', BLOCK, 0x00600060 }, { 'w', BLOCK, 0x00010001 }, { 'w', BLOCK + 8, 0x00900090 },
	     { 'r', BLOCK + 8, 0x00010001 }, { 'w', BLOCK, 0x00600060 }, { 'w', BLOCK, 0x00d000d0 },
	     { 'w', 0, 0x00700070 }, { 'p', 0, 0 }, { 'w', 0, 0x00ff00ff },
	     /* Erase; the status is asked for and read at the base of the device. */
	     { 'w', BLOCK, 0x00200020 }, { 'w', BLOCK, 0x00d000d0 }, { 'w', 0, 0x00700070 },
	     { 'r', 0, 0x00800080 }, { 'w', 0, 0x00500050 }, { 'w', 0, 0x00ff00ff },
	     { 'r', BLOCK, 0xffffffff });
	assert_true(mapped(&b));
	assert_true(all_bytes(b.array + BLOCK, BLOCK, 0xff));
	bank_exit(&b);
}

static void virtnorflash_programs_by_the_buffer(void **state)
{
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_IGNORE);
	for (unsigned turn = 0; turn < 4; turn++) {
		uint64_t at = BLOCK + 0x80 * turn;

		cmd(&b, at, 0xe8);
		assert_int_equal(r4(&b, at) & 0x00800080, 0x00800080);
		w4(&b, at, 0x001f001f);
		for (unsigned i = 0; i < 32; i++)
			w4(&b, at + 4 * i, turn * 0x01010101u + i);
		cmd(&b, 0, 0xd0);
		cmd(&b, 0, 0x70);
		assert_int_equal(r4(&b, 0), 0x00800080);
		cmd(&b, 0, 0x50);
		cmd(&b, 0, 0xff);
	}
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(r4(&b, BLOCK + 4 * i), i / 32 * 0x01010101u + i % 32);
	bank_exit(&b);
}

/* A change that needs no bit set is programmed over what is there. */
static void program_in_place(enum fm_flash_time time)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.time = time;
	bank_init(&b, 64 * MIB, cfg);
	PLAY(&b, { 'w', 0x64, 0x00400040 }, { 'w', 0x64, 0xff7f55aa }, { 'w', 0, 0x00700070 },
	     { 'p', 0, 0 }, { 'w', 0, 0x00500050 }, { 'w', 0, 0x00ff00ff },
	     { 'r', 0x64, 0xff7f55aa }, { 'w', 0x64, 0x00400040 }, { 'w', 0x64, 0xff3f55aa },
	     { 'w', 0, 0x00700070 }, { 'p', 0, 0 }, { 'w', 0, 0x00500050 }, { 'w', 0, 0x00ff00ff },
	     { 'r', 0x64, 0xff3f55aa });
	bank_exit(&b);
}

static void virtnorflash_programs_single_words_in_place(void **state)
{
	program_in_place(FM_FLASH_TIME_INSTANT);
}

static void virtnorflash_programs_single_words_and_polls(void **state)
{
	program_in_place(FM_FLASH_TIME_TYPICAL);
}

/* --- Linux's cfi_probe and cfi_cmdset_0001 -------------------------------------------------- */

static uint8_t q(struct bank *b, unsigned at)
{
	return (uint8_t)r4(b, 4ull * at);
}

static void linux_probes_with_all_its_incantations(void **state)
{
	unsigned regions;
	uint64_t sum = 0;
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_IGNORE);
	/* The interleave is counted down from the bank's width: 4 x 8 bits first. */
	w4(&b, 0, 0xf0f0f0f0);
	w4(&b, 0x55 * 4, 0x98989898);
	assert_int_not_equal(r4(&b, 0x40), 0x51515151);
	PLAY(&b, { 'w', 0, 0x00f000f0 }, { 'w', 0x55 * 4, 0x00980098 }, { 'r', 0x40, 0x00510051 },
	     { 'r', 0x44, 0x00520052 }, { 'r', 0x48, 0x00590059 },
	     /* The ways of other chips. */
	     { 'w', 0, 0x00f000f0 }, { 'w', 0, 0x00ff00ff }, { 'r', 0, 0xffffffff },
	     { 'w', 0x555 * 4, 0x00980098 }, { 'r', 0x40, 0x00510051 }, { 'w', 0, 0x00f000f0 },
	     { 'w', 0x555 * 4, 0x00aa00aa }, { 'w', 0x2aa * 4, 0x00550055 },
	     { 'w', 0x555 * 4, 0x00980098 }, { 'r', 0x40, 0x00510051 });
	/* The sum of the regions must be the chip. */
	regions = q(&b, 0x2c);
	for (unsigned i = 0; i < regions; i++) {
		unsigned at = 0x2d + 4 * i;

		sum += (uint64_t)((q(&b, at) | q(&b, at + 1) << 8) + 1) *
		       (unsigned)(q(&b, at + 2) | q(&b, at + 3) << 8) * 256;
	}
	assert_int_equal(sum, UINT64_C(1) << q(&b, 0x27));
	/* Codes, by AA/55/90, then back. */
	PLAY(&b, { 'w', 0, 0x00f000f0 }, { 'w', 0, 0x00ff00ff }, { 'w', 0x555 * 4, 0x00aa00aa },
	     { 'w', 0x2aa * 4, 0x00550055 }, { 'w', 0x555 * 4, 0x00900090 }, { 'r', 0, 0x00890089 },
	     { 'r', 4, 0x00180018 }, { 'w', 0, 0x00f000f0 }, { 'w', 0, 0x00ff00ff });
	assert_true(mapped(&b));
	assert_true(all_bytes(b.array, 64 * MIB, 0xff));
	bank_exit(&b);
}

static void linux_writes_a_buffer(void **state)
{
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_IGNORE);
	/* A bad sequence before: SR.4 and SR.5 are looked for and cleared first. */
	PLAY(&b, { 'w', 0, 0x00200020 }, { 'w', 0, 0x00200020 }, { 'w', 0x1000, 0x00700070 },
	     { 'r', 0x1000, 0x00b000b0 }, { 'w', 0x1000, 0x00500050 }, { 'w', 0x1000, 0x00700070 },
	     { 'r', 0x1000, 0x00800080 }, { 'w', 0x1000, 0x00e800e8 }, { 'p', 0x1000, 0 },
	     { 'w', 0x1000, 0x00010001 }, { 'w', 0x1004, 0x11111111 }, { 'w', 0x1008, 0x22222222 },
	     { 'w', 0x1000, 0x00d000d0 }, { 'r', 0x1000, 0x00800080 }, { 'w', 0x1000, 0x00700070 },
	     { 'r', 0x1000, 0x00800080 }, { 'w', 0x1000, 0x00ff00ff }, { 'r', 0x1000, 0xffffffff },
	     { 'r', 0x1004, 0x11111111 }, { 'r', 0x1008, 0x22222222 });
	bank_exit(&b);
}

static void linux_locks_and_meets_a_lock(void **state)
{
	struct bank b;

	init_virt(&b, FM_FLASH_NARROW_IGNORE);
	PLAY(&b, { 'w', BLOCK, 0x00600060 }, { 'w', BLOCK, 0x00010001 }, { 'r', BLOCK, 0x00800080 },
	     { 'w', BLOCK + 8, 0x00900090 }, { 'r', BLOCK + 8, 0x00010001 },
	     { 'w', BLOCK, 0x00500050 }, { 'w', BLOCK, 0x00200020 }, { 'w', BLOCK, 0x00d000d0 },
	     { 'w', BLOCK, 0x00700070 },
	     { 'r', BLOCK, 0x00a200a2 }, /* SR.5 and SR.1: "protected" */
	     { 'w', BLOCK, 0x00500050 }, { 'w', BLOCK, 0x00700070 },
	     /* It waits for SR.7 = 1 here. */
	     { 'r', BLOCK, 0x00800080 }, { 'w', BLOCK, 0x00600060 }, { 'w', BLOCK, 0x00d000d0 },
	     { 'r', BLOCK, 0x00800080 }, { 'w', BLOCK, 0x00ff00ff });
	assert_true(mapped(&b));
	bank_exit(&b);
}

/* --- OVMF's QemuFlash ------------------------------------------------------------------------ */

/* It wants a status of 0 after 50. That is not what a chip does: a profile's matter, not this one's. */
static void ovmf_does_not_take_a_real_chip_for_flash(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.bank_width = 1;
	cfg.regions[0] = (struct fm_flash_region){ 4 * KIB, 132 };
	cfg.nregions = 1;
	bank_init(&b, 528 * KIB, cfg);
	b.array[0] = 0x5a;
	wr(&b, 0, 1, 0x50);
	wr(&b, 0, 1, 0x70);
	assert_int_equal(rd(&b, 0, 1), 0x80);
	wr(&b, 0, 1, 0xff);
	assert_int_equal(rd(&b, 0, 1), 0x5a);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uboot_finds_a_bank_that_ignores_narrow_writes_as_it_is),
		cmocka_unit_test(uboot_takes_a_broadcasting_bank_for_sixteen_bits),
		cmocka_unit_test(uboot_erases_and_copies),
		cmocka_unit_test(uboot_erases_and_copies_and_waits),
		cmocka_unit_test(uboot_copies_a_mebibyte_without_a_pause),
		cmocka_unit_test(virtnorflash_unlocks_and_erases),
		cmocka_unit_test(virtnorflash_programs_by_the_buffer),
		cmocka_unit_test(virtnorflash_programs_single_words_in_place),
		cmocka_unit_test(virtnorflash_programs_single_words_and_polls),
		cmocka_unit_test(linux_probes_with_all_its_incantations),
		cmocka_unit_test(linux_writes_a_buffer),
		cmocka_unit_test(linux_locks_and_meets_a_lock),
		cmocka_unit_test(ovmf_does_not_take_a_real_chip_for_flash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
