/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel's kinds of block locks, and the pins WP# and VPP. */
#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

static struct fm_flash_config intel_config(unsigned traits)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ SECTOR, LEN / SECTOR };
	cfg.nregions = 1;
	cfg.traits = traits;
	return cfg;
}

/* --- locks --------------------------------------------------------------------------------------- */

static uint32_t lock_status(struct bank *b, uint64_t block)
{
	uint32_t value;

	cmd(b, block, 0x90);
	value = r4(b, block + 8);
	cmd(b, 0, 0xff);
	return value;
}

static void all_blocks_may_be_locked_at_reset(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config(FM_FLASH_LOCKED_AT_RESET));
	for (unsigned i = 0; i < LEN; i += SECTOR)
		assert_int_equal(lock_status(&b, i), 0x00010001);
	bank_program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0x00920092);
	cmd(&b, 0, 0x50);
	bank_lock(&b, SECTOR, 0xd0);
	assert_int_equal(lock_status(&b, SECTOR), 0);
	assert_int_equal(lock_status(&b, 0), 0x00010001);
	bank_program(&b, SECTOR, 0);
	assert_int_equal(b.array[SECTOR], 0);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(lock_status(&b, SECTOR), 0x00010001);
	bank_exit(&b);
}

static void persistent_locks_are_opened_all_at_once(void **state)
{
	struct fm_flash_config cfg = intel_config(FM_FLASH_LOCKS_PERSIST | FM_FLASH_NO_LOCK_DOWN);
	struct fm_block *block = bank_block(138 * 4 + 2 * 8);
	struct bank b;

	cfg.registers = block;
	bank_init(&b, LEN, cfg);
	bank_lock(&b, 0, 0x01);
	bank_lock(&b, 3 * SECTOR, 0x01);
	fm_dev_reset(b.dev, FM_RESET_POWER_ON);
	assert_int_equal(lock_status(&b, 0), 0x00010001);
	bank_exit(&b);
	bank_init(&b, LEN, cfg);
	assert_int_equal(lock_status(&b, 3 * SECTOR), 0x00010001);
	assert_int_equal(lock_status(&b, 2 * SECTOR), 0);
	/* Any block's address. */
	bank_lock(&b, 7 * SECTOR, 0xd0);
	assert_int_equal(lock_status(&b, 0), 0);
	assert_int_equal(lock_status(&b, 3 * SECTOR), 0);
	bank_lock(&b, 0, 0x2f);
	assert_int_equal(r4(&b, 0), 0x00b000b0);
	bank_exit(&b);
	bank_init(&b, LEN, cfg);
	assert_int_equal(lock_status(&b, 3 * SECTOR), 0);
	cmd(&b, 0x55 * 4, 0x98);
	/* PRI: instant individual locking (5) no, legacy lock and unlock (3) yes. */
	assert_int_equal(r4(&b, 0x36 * 4) & 0x00280028, 0x00080008);
	bank_exit(&b);
	fm_block_free(block);
}

static void what_is_locked_down_opens_while_wp_is_high(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config(0));
	bank_lock(&b, 0, 0x2f);
	assert_int_equal(lock_status(&b, 0), 0x00030003);
	bank_lock(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), 0x00a200a2);
	cmd(&b, 0, 0x50);
	assert_int_equal(fm_flash_set_pins(b.dev, FM_FLASH_PIN_WP_HIGH), 0);
	bank_lock(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(lock_status(&b, 0) & 0x00010001, 0);
	bank_program(&b, 0, 0);
	assert_int_equal(b.array[0], 0);
	bank_exit(&b);
}

/* [P30 table "Block Locking State Transitions"]: WP# low again, and a block that is [010] locks. */
static void wp_low_again_holds_what_is_locked_down(void **state)
{
	struct bank b, two;

	bank_init(&b, LEN, intel_config(0));
	bank_lock(&b, 0, 0x2f);
	assert_int_equal(fm_flash_set_pins(b.dev, FM_FLASH_PIN_WP_HIGH), 0);
	bank_lock(&b, 0, 0xd0);
	bank_init(&two, LEN, intel_config(0));
	carry(&two, &b);
	assert_int_equal(lock_status(&two, 0), 0x00020002);
	bank_exit(&two);
	assert_int_equal(fm_flash_set_pins(b.dev, 0), 0);
	assert_int_equal(lock_status(&b, 0), 0x00030003);
	bank_program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0x00920092);
	assert_int_equal(b.array[0], 0xff);
	bank_exit(&b);
}

static void no_protection_makes_60_a_wrong_sequence(void **state)
{
	struct bank b;

	bank_init(&b, LEN, intel_config(FM_FLASH_NO_PROTECTION | FM_FLASH_NO_CONFIGURATION));
	bank_trace(&b);
	cmd(&b, 0, 0x60);
	assert_true(mapped(&b));
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 1);
	cmd(&b, 0, 0x01);
	assert_int_equal(lock_status(&b, 0), 0);
	bank_exit(&b);
}

static void vpp_low_fails_programs_and_erases(void **state)
{
	struct fm_flash_config cfg = intel_config(0);
	struct bank b;

	cfg.pins = FM_FLASH_PIN_VPP_LOW;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, LEN, cfg);
	bank_program(&b, 0, 0);
	assert_true(deadline(&b) == FM_NEVER);
	assert_int_equal(r4(&b, 0), 0x00980098);
	cmd(&b, 0, 0x50);
	b.array[0] = 0;
	bank_erase(&b, 0);
	assert_int_equal(r4(&b, 0), 0x00a800a8);
	assert_int_equal(b.array[0], 0);
	cmd(&b, 0, 0x50);
	bank_buffer(&b, 0x40, 0x40, 2, 0);
	assert_int_equal(r4(&b, 0), 0x00980098);
	assert_int_equal(b.array[0x40], 0xff);
	cmd(&b, 0, 0x50);
	assert_int_equal(fm_flash_set_pins(b.dev, 0), 0);
	bank_erase(&b, 0);
	/* What is under way goes on. */
	assert_int_equal(fm_flash_set_pins(b.dev, FM_FLASH_PIN_VPP_LOW), 0);
	tick_on(&b);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(b.array[0], 0xff);
	bank_exit(&b);
}

static void pins_that_are_none_are_refused(void **state)
{
	struct fm_flash_config cfg = intel_config(0);
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;
	struct bank b;

	bank_init(&b, LEN, cfg);
	assert_int_equal(fm_flash_set_pins(b.dev, 4), FM_ERR_ARG);
	assert_int_equal(fm_flash_set_pins(NULL, 0), FM_ERR_ARG);
	cfg.block = b.block;
	cfg.pins = 8;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_flash_config.pins"));
	cfg.pins = 0;
	cfg.traits = 1 << 12;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_flash_config.traits"));
	/* Of the other set. */
	cfg.traits = FM_FLASH_WP_LAST;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_flash_config.traits"));
	cfg.set = FM_FLASH_AMD;
	cfg.traits = FM_FLASH_LOCKED_AT_RESET;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_null(dev);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_blocks_may_be_locked_at_reset),
		cmocka_unit_test(persistent_locks_are_opened_all_at_once),
		cmocka_unit_test(what_is_locked_down_opens_while_wp_is_high),
		cmocka_unit_test(wp_low_again_holds_what_is_locked_down),
		cmocka_unit_test(no_protection_makes_60_a_wrong_sequence),
		cmocka_unit_test(vpp_low_fails_programs_and_erases),
		cmocka_unit_test(pins_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
