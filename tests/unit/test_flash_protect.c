/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD's protection: until reset, persistent, the lock on that, and WP#. */
#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

/* --- AMD's sets --------------------------------------------------------------------------------- */

enum {
	DYB = 0xe0,
	PPB = 0xc0,
	FREEZE = 0x50,
};

static void leave(struct bank *b)
{
	cmd(b, 0, 0x90);
	cmd(b, 0, 0x00);
}

/* One word into a set. */
static void set(struct bank *b, uint8_t which, uint64_t off, uint32_t value)
{
	start(b, which);
	cmd(b, 0, 0xa0);
	w4(b, off, value);
	leave(b);
}

static uint32_t set_read(struct bank *b, uint8_t which, uint64_t off)
{
	uint32_t value;

	start(b, which);
	value = r4(b, off);
	leave(b);
	return value;
}

static void unprotect_all(struct bank *b)
{
	start(b, PPB);
	cmd(b, 0, 0x80);
	cmd(b, 0, 0x30);
	leave(b);
}

static bool takes(struct bank *b, uint64_t off)
{
	b->array[off] = 0xff;
	program(b, off & ~UINT64_C(3), 0);
	return !b->array[off];
}

static uint32_t autoselect_protection(struct bank *b, uint64_t sector)
{
	uint32_t value;

	start(b, 0x90);
	value = r4(b, sector + 2 * 4);
	cmd(b, 0, 0xf0);
	return value;
}

static void a_set_is_entered_with_a_remap_and_left_with_one(void **state)
{
	struct bank b;

	init(&b);
	start(&b, DYB);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_false(mapped(&b));
	assert_int_equal(r4(&b, SECTOR), 0x00010001);
	/* A reset command is none here. */
	bank_trace(&b);
	cmd(&b, 0, 0xf0);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
	assert_false(mapped(&b));
	cmd(&b, 0, 0x90);
	cmd(&b, 0, 0x00);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_works(&b);
	bank_exit(&b);
}

static void dyb_protects_one_sector_until_reset(void **state)
{
	struct bank b;

	init(&b);
	set(&b, DYB, 2 * SECTOR + 0x100, 0);
	assert_int_equal(set_read(&b, DYB, 2 * SECTOR), 0);
	assert_int_equal(set_read(&b, DYB, 3 * SECTOR), 0x00010001);
	assert_int_equal(autoselect_protection(&b, 2 * SECTOR), 0x00010001);
	assert_int_equal(autoselect_protection(&b, 3 * SECTOR), 0);
	assert_false(takes(&b, 2 * SECTOR));
	assert_true(takes(&b, 3 * SECTOR));
	memset(b.array + 2 * SECTOR, 0, 8);
	start_erase(&b);
	cmd(&b, 2 * SECTOR, 0x30);
	assert_int_equal(b.array[2 * SECTOR], 0);
	/* A chip erase passes it by. */
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	assert_int_equal(b.array[2 * SECTOR], 0);
	assert_int_equal(b.array[3 * SECTOR], 0xff);
	set(&b, DYB, 2 * SECTOR, 0x00010001);
	assert_true(takes(&b, 2 * SECTOR));
	set(&b, DYB, 2 * SECTOR, 0);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_true(takes(&b, 2 * SECTOR));
	bank_exit(&b);
}

static void ppb_lasts_over_reset_and_is_erased_for_all_at_once(void **state)
{
	struct bank b;

	init(&b);
	set(&b, PPB, 0, 0);
	set(&b, PPB, 5 * SECTOR, 0);
	fm_dev_reset(b.dev, FM_RESET_POWER_ON);
	assert_int_equal(set_read(&b, PPB, 0), 0);
	assert_int_equal(set_read(&b, PPB, SECTOR), 0x00010001);
	assert_false(takes(&b, 0));
	assert_false(takes(&b, 5 * SECTOR));
	assert_true(takes(&b, SECTOR));
	/* DYB does not open what PPB has closed. */
	set(&b, DYB, 0, 0x00010001);
	assert_false(takes(&b, 0));
	unprotect_all(&b);
	assert_true(takes(&b, 0));
	assert_true(takes(&b, 5 * SECTOR));
	bank_exit(&b);
}

static void the_lock_on_ppb_holds_until_reset(void **state)
{
	struct bank b;

	init(&b);
	set(&b, PPB, 0, 0);
	assert_int_equal(set_read(&b, FREEZE, 0), 0x00010001);
	set(&b, FREEZE, 0, 0);
	assert_int_equal(set_read(&b, FREEZE, 0), 0);
	unprotect_all(&b);
	set(&b, PPB, SECTOR, 0);
	assert_false(takes(&b, 0));
	assert_true(takes(&b, SECTOR));
	/* DYB still changes. */
	set(&b, DYB, 2 * SECTOR, 0);
	assert_false(takes(&b, 2 * SECTOR));
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(set_read(&b, FREEZE, 0), 0x00010001);
	unprotect_all(&b);
	assert_true(takes(&b, 0));
	bank_exit(&b);
}

static void ppb_is_in_the_registers(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct fm_block *block = bank_block(129 * 4 + 2 * 8);
	const uint8_t *marks = (const uint8_t *)fm_block_ptr(block) + 129 * 4;
	uint64_t bits = 0;
	struct bank b;

	cfg.registers = block;
	bank_init(&b, LEN, cfg);
	assert_int_equal(fm_dirty_start(fm_block_dirty(block), 0, NULL), 0);
	set(&b, PPB, 5 * SECTOR, 0);
	assert_int_equal(fm_dirty_harvest(fm_block_dirty(block), 0, 0, fm_block_len(block), &bits),
			 1);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(marks[i], i / 2 == 5 ? 0 : 0xff);
	bank_exit(&b);
	bank_init(&b, LEN, cfg);
	assert_false(takes(&b, 5 * SECTOR));
	assert_true(takes(&b, 4 * SECTOR));
	unprotect_all(&b);
	assert_true(all_bytes(marks, 16, 0xff));
	bank_exit(&b);
	fm_block_free(block);
}

static void the_status_register_says_that_it_was_protected(void **state)
{
	struct bank b;

	init(&b);
	bank_trace(&b);
	set(&b, DYB, 0, 0);
	program(&b, 0, 0);
	assert_in_range(traced(&b, FM_TRACE_MISUSE, NULL), 1, 1);
	cmd(&b, AT_555, 0x70);
	assert_int_equal(r4(&b, 0), 0x00920092);
	cmd(&b, AT_555, 0x71);
	cmd(&b, AT_555, 0x70);
	assert_int_equal(r4(&b, 0), 0x00800080);
	start_buffer(&b, 0, 1);
	w4(&b, 0x40, 0);
	cmd(&b, 0, 0x29);
	cmd(&b, AT_555, 0x70);
	assert_int_equal(r4(&b, 0), 0x00920092);
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_int_equal(bank_stats(&b).refused, 4);
	bank_exit(&b);
}

static void one_chips_sector_may_be_protected_alone(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	/* The data differ: 0 for chip 1 only. */
	set(&b, DYB, SECTOR, 0x00000001);
	assert_int_equal(set_read(&b, DYB, SECTOR), 0x00000001);
	program(&b, SECTOR, 0);
	assert_int_equal(r4(&b, SECTOR), 0xffff0000);
	start_erase(&b);
	cmd(&b, SECTOR, 0x30);
	assert_int_equal(r4(&b, SECTOR), 0xffffffff);
	assert_true(mapped(&b));
	bank_exit(&b);
}

/* The chip whose sector is protected is through in 100 us, the other one erases. */
static void chips_with_other_locks_erase_for_other_times(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	memset(b.array + SECTOR, 0, SECTOR);
	set(&b, DYB, SECTOR, 0x00000001);
	start_erase(&b);
	cmd(&b, SECTOR, 0x30);
	tick(&b, 50 * US);
	assert_int_equal(deadline(&b), 150 * US);
	tick(&b, 200 * US);
	assert_int_equal(b.effects, 0);
	/* Chip 1 shows its array, chip 0 its status. */
	assert_int_equal(r4(&b, SECTOR) >> 16, 0);
	assert_int_equal(r4(&b, SECTOR) & 0x88, 0x08);
	assert_int_equal(deadline(&b), 50 * US + ERASE_NS);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_int_equal(r4(&b, SECTOR), 0x0000ffff);
	bank_exit(&b);
}

static void a_chip_erase_of_protected_sectors_takes_no_chip_erases_time(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	memset(b.array, 0, LEN);
	for (unsigned i = 0; i < LEN; i += SECTOR)
		set(&b, DYB, i, 0);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	assert_int_equal(deadline(&b), 100 * US);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(all_bytes(b.array, LEN, 0));
	cmd(&b, AT_555, 0x70);
	assert_int_equal(r4(&b, 0), 0x00a200a2);
	cmd(&b, AT_555, 0x71);
	/* One sector of chip 1 is open. */
	set(&b, DYB, SECTOR, 0x00010000);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	tick(&b, 300 * US);
	assert_int_equal(deadline(&b), 100 * US + 8 * ERASE_NS);
	assert_int_equal(r4(&b, 0) & 0x00880088, 0x00080000);
	tick_on(&b);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_int_equal(r4(&b, SECTOR), 0xffff0000);
	assert_int_equal(r4(&b, 0), 0);
	bank_exit(&b);
}

/* Cycles of one chip: its set, its sectors, its secured sector. */
static void one_chip_is_in_a_set_alone(void **state)
{
	static const uint16_t ppb[] = { 0xaa, 0x55, 0xc0, 0xa0 };
	static const uint64_t at[] = { AT_555, AT_2AA, AT_555, 0 };
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(&b, LEN, cfg);
	for (unsigned i = 0; i < 4; i++)
		wr(&b, at[i] + 2, 2, ppb[i]);
	wr(&b, SECTOR + 2, 2, 0);
	assert_int_equal(r4(&b, SECTOR), 0x0000ffff);
	assert_false(mapped(&b));
	wr(&b, 2, 2, 0x90);
	wr(&b, 2, 2, 0);
	assert_true(mapped(&b));
	program(&b, SECTOR, 0);
	assert_int_equal(r4(&b, SECTOR), 0xffff0000);
	/* All of that chip's, none of the other's. */
	for (unsigned i = 0; i < 3; i++)
		wr(&b, at[i] + 2, 2, ppb[i]);
	wr(&b, 2, 2, 0x80);
	wr(&b, 2, 2, 0x30);
	wr(&b, 2, 2, 0x90);
	wr(&b, 2, 2, 0);
	program(&b, SECTOR, 0);
	assert_int_equal(r4(&b, SECTOR), 0);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void chips_without_protection_do_not_know_the_sets(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.traits = FM_FLASH_NO_PROTECTION;
	bank_init(&b, LEN, cfg);
	start(&b, DYB);
	assert_true(mapped(&b));
	start(&b, PPB);
	assert_true(mapped(&b));
	start(&b, FREEZE);
	assert_true(mapped(&b));
	assert_works(&b);
	cmd(&b, 0x55 * 4, 0x98);
	assert_int_equal(r4(&b, 0x49 * 4), 0x00040004);
	bank_exit(&b);
}

static void protection_goes_with_the_saved_state(void **state)
{
	struct bank one, two;

	init(&one);
	init(&two);
	set(&one, DYB, SECTOR, 0);
	set(&one, PPB, 2 * SECTOR, 0);
	set(&one, FREEZE, 0, 0);
	start(&one, DYB);
	carry(&two, &one);
	assert_int_equal(r4(&two, SECTOR), 0);
	leave(&two);
	unprotect_all(&two);
	assert_false(takes(&two, SECTOR));
	assert_false(takes(&two, 2 * SECTOR));
	assert_true(takes(&two, 3 * SECTOR));
	fm_dev_reset(two.dev, FM_RESET_SYSTEM);
	assert_true(takes(&two, SECTOR));
	assert_false(takes(&two, 2 * SECTOR));
	bank_exit(&one);
	bank_exit(&two);
}

static void wp_low_protects_an_outermost_sector(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.traits = FM_FLASH_WP_FIRST;
	bank_init(&b, LEN, cfg);
	assert_false(takes(&b, 0));
	assert_true(takes(&b, SECTOR));
	assert_true(takes(&b, LEN - 4));
	assert_int_equal(fm_flash_set_pins(b.dev, FM_FLASH_PIN_WP_HIGH), 0);
	assert_true(takes(&b, 0));
	assert_int_equal(fm_flash_set_pins(b.dev, 0), 0);
	start_erase(&b);
	cmd(&b, AT_555, 0x10);
	assert_int_equal(b.array[0], 0);
	assert_int_equal(b.array[SECTOR], 0xff);
	bank_exit(&b);
	cfg.traits = FM_FLASH_WP_LAST;
	cfg.pins = FM_FLASH_PIN_WP_HIGH;
	bank_init(&b, LEN, cfg);
	assert_true(takes(&b, LEN - 4));
	assert_int_equal(fm_flash_set_pins(b.dev, 0), 0);
	assert_false(takes(&b, LEN - SECTOR));
	assert_true(takes(&b, 0));
	bank_exit(&b);
}

static void a_read_only_bank_takes_no_protection(void **state)
{
	struct fm_flash_config cfg = amd_config();
	struct bank b;

	cfg.read_only = true;
	bank_init(&b, LEN, cfg);
	unprotect_all(&b);
	set(&b, DYB, 0, 0x00010001);
	assert_false(takes(&b, 0));
	assert_int_equal(autoselect_protection(&b, 0), 0x00010001);
	start(&b, 0x88);
	program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0xffffffff);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_is_entered_with_a_remap_and_left_with_one),
		cmocka_unit_test(dyb_protects_one_sector_until_reset),
		cmocka_unit_test(ppb_lasts_over_reset_and_is_erased_for_all_at_once),
		cmocka_unit_test(the_lock_on_ppb_holds_until_reset),
		cmocka_unit_test(ppb_is_in_the_registers),
		cmocka_unit_test(the_status_register_says_that_it_was_protected),
		cmocka_unit_test(one_chips_sector_may_be_protected_alone),
		cmocka_unit_test(chips_with_other_locks_erase_for_other_times),
		cmocka_unit_test(a_chip_erase_of_protected_sectors_takes_no_chip_erases_time),
		cmocka_unit_test(one_chip_is_in_a_set_alone),
		cmocka_unit_test(chips_without_protection_do_not_know_the_sets),
		cmocka_unit_test(protection_goes_with_the_saved_state),
		cmocka_unit_test(wp_low_protects_an_outermost_sector),
		cmocka_unit_test(a_read_only_bank_takes_no_protection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
