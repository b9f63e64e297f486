/* SPDX-License-Identifier: BSD-2-Clause */
/* A bank of AMD chips as QEMU has it. tests/diff has the same held against QEMU itself. */
#include "tests/unit/qemu_amd_bank.h"

#include "flash/qemu_amd.h"

/* --- words and codes ------------------------------------------------------------------------ */

static void a_program_clears_bits_at_once(void **state)
{
	struct bank b;

	init(&b);
	program(&b, 0x100, 0x0ff0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	program(&b, 0x100, 0xff00);
	assert_int_equal(r2(&b, 0x100), 0x0f00);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), FM_NEVER);
	bank_exit(&b);
}

static void a_program_of_any_width_is_one_cycle(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0xa0);
	wr(&b, 4, 4, 0x11223344);
	assert_int_equal(rd(&b, 4, 4), 0x11223344);
	start(&b, 0xa0);
	wr(&b, 9, 1, 0x55);
	assert_int_equal(rd(&b, 8, 2), 0x55ff);
	/* Unaligned: one byte of data, then three commands that break off. */
	start(&b, 0xa0);
	wr(&b, 0x11, 4, 0);
	assert_int_equal(rd(&b, 0x10, 4), 0xffff00ff);
	assert_ready(&b);
	bank_exit(&b);
}

static void between_a0_and_the_data_a_read_shows_a_status(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0xa0);
	assert_int_equal(r2(&b, 0), 0x40);
	assert_int_equal(r2(&b, 0), 0x00);
	assert_int_equal(rd(&b, 0, 4), 0x40);
	w2(&b, 0, 0xf0); /* data, not a reset */
	assert_int_equal(r2(&b, 0), 0x00f0);
	bank_exit(&b);
}

static void codes_repeat_every_256_bytes_and_are_right_justified(void **state)
{
	struct fm_flash_config cfg = config();
	struct bank b;

	cfg.manufacturer = 0x12;
	cfg.device_id = 0x3456;
	cfg.extended_id[0] = 7;
	cfg.extended_id[1] = 8;
	bank_init(&b, LEN, cfg);
	program(&b, 6, 0x1111);
	start(&b, 0x90);
	assert_int_equal(r2(&b, 0), 0x12);
	assert_int_equal(rd(&b, 2, 2), 0x3456);
	assert_int_equal(rd(&b, 3, 1), 0x56);
	assert_int_equal(rd(&b, 0x100, 4), 0x12);
	assert_int_equal(r2(&b, 0x2004), 0);
	assert_int_equal(r2(&b, 6), 0x1111); /* no code: the array */
	assert_int_equal(r2(&b, 0x1c), 7);
	assert_int_equal(r2(&b, 0x1e), 8);
	w2(&b, 0, 0xf0);
	assert_int_equal(r2(&b, 0), 0xffff);
	bank_exit(&b);
}

static void the_query_table_is_qemus(void **state)
{
	static const uint8_t table[0x30] = { [0x10] = 'Q',
					     'R',
					     'Y',
					     2,
					     0,
					     0x40,
					     [0x1b] = 0x27,
					     0x36,
					     [0x1f] = 7,
					     0,
					     9,
					     12,
					     1,
					     0,
					     10,
					     13,
					     16,
					     2,
					     [0x2c] = 1,
					     7,
					     0,
					     32 };
	static const uint8_t extension[0x10] = { 'P', 'R', 'I', '1', '0', 0, 2 };
	struct bank b;

	init(&b);
	w2(&b, AT_55, 0x98);
	for (unsigned n = 0; n < 0x80; n++) {
		unsigned want = n < 0x30                ? table[n]
				: n >= 0x40 && n < 0x50 ? extension[n - 0x40]
							: 0;

		assert_int_equal(r2(&b, 2 * n), want);
		assert_int_equal(r2(&b, 0x1100 + 2 * n), want);
	}
	bank_exit(&b);
}

static void a_query_from_autoselect_returns_there(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0x90);
	w2(&b, AT_55, 0x98);
	assert_int_equal(r2(&b, 0x20), 'Q');
	w2(&b, 0, 0xf0);
	assert_int_equal(r2(&b, 0), 0x01);
	w2(&b, AT_55, 0x98);
	w2(&b, 0, 0x77); /* anything else ends both */
	assert_int_equal(r2(&b, 0), 0xffff);
	bank_exit(&b);
}

static void what_is_not_expected_breaks_off(void **state)
{
	static const uint16_t prefix[][5] = { { 0xaa },
					      { 0xaa, 0x55 },
					      { 0xaa, 0x55, 0x80 },
					      { 0xaa, 0x55, 0x80, 0xaa },
					      { 0xaa, 0x55, 0x80, 0xaa, 0x55 },
					      { 0xaa, 0x55, 0x90 } };

	for (unsigned n = 0; n < sizeof(prefix) / sizeof(prefix[0]); n++) {
		for (unsigned how = 0; how < 2; how++) {
			struct bank b;

			init(&b);
			for (unsigned i = 0; i < 5 && prefix[n][i]; i++)
				w2(&b, prefix[n][i] == 0x55 ? AT_2AA : AT_555, prefix[n][i]);
			w2(&b, 0, how ? 0xf0 : 0x33);
			assert_ready(&b);
			bank_exit(&b);
		}
	}
}

/* --- bypass --------------------------------------------------------------------------------- */

static void in_bypass_a_program_takes_two_cycles_anywhere(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0x20);
	for (unsigned n = 0; n < 3; n++) {
		w2(&b, 0x42, 0xa0);
		w2(&b, 2 * n, 0x1000);
		assert_int_equal(r2(&b, 2 * n), 0x1000);
	}
	w2(&b, 0, 0x90);
	w2(&b, 0, 0x00);
	w2(&b, 0, 0xa0);
	w2(&b, 0x20, 0);
	assert_int_equal(r2(&b, 0x20), 0xffff);
	assert_ready(&b);
	bank_exit(&b);
}

static void anything_unexpected_ends_bypass_too(void **state)
{
	static const uint16_t codes[] = { 0xf0, 0x30, 0xaa };

	for (unsigned n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		struct bank b;

		init(&b);
		start(&b, 0x20);
		w2(&b, 0, codes[n]);
		w2(&b, 0, 0xa0);
		w2(&b, 0x20, 0);
		assert_int_equal(r2(&b, 0x20), 0xffff);
		bank_exit(&b);
	}
}

static void bypass_outlives_an_erase_and_a_reset(void **state)
{
	struct bank b;

	init(&b);
	start(&b, 0x20);
	w2(&b, 0, 0x80);
	w2(&b, AT_555, 0xaa);
	w2(&b, AT_2AA, 0x55);
	w2(&b, 0, 0x30);
	fm_dev_tick(b.dev, WINDOW_NS + SECTOR_NS);
	w2(&b, 0, 0xa0);
	w2(&b, 0x20, 0x1234);
	assert_int_equal(r2(&b, 0x20), 0x1234);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	w2(&b, AT_555, 0xaa);
	w2(&b, AT_2AA, 0x55);
	w2(&b, 0x40, 0xa0); /* not at 555, and taken */
	w2(&b, 0x40, 0);
	assert_int_equal(r2(&b, 0x40), 0);
	bank_exit(&b);
}

/* --- erases --------------------------------------------------------------------------------- */

static void an_erase_has_a_window_and_takes_microseconds(void **state)
{
	struct bank b;

	init(&b);
	program(&b, 0, 0);
	erase(&b, 0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(b.array[0], 0xff); /* already */
	assert_int_equal(r2(&b, 0), 0x44);
	assert_int_equal(r2(&b, 0), 0x00);
	assert_int_equal(fm_dev_tick(b.dev, WINDOW_NS - 1), 0);
	assert_int_equal(r2(&b, 0), 0x44);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), WINDOW_NS);
	assert_int_equal(fm_dev_tick(b.dev, WINDOW_NS), 0);
	assert_int_equal(r2(&b, SECTOR), 0x08);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), WINDOW_NS + SECTOR_NS);
	assert_int_equal(fm_dev_tick(b.dev, WINDOW_NS + SECTOR_NS), FM_EFF_REMAP);
	assert_true(mapped(&b));
	assert_int_equal(r2(&b, 0), 0xffff);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), FM_NEVER);
	assert_ready(&b);
	bank_exit(&b);
}

static void a_late_clock_ends_window_and_erase_in_one_tick(void **state)
{
	struct bank b;

	init(&b);
	erase(&b, 0);
	assert_int_equal(fm_dev_tick(b.dev, UINT64_C(1) << 40), FM_EFF_REMAP);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void each_30_in_the_window_begins_it_anew(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array, 0, LEN);
	erase(&b, 0);
	fm_dev_tick(b.dev, 40000);
	w2(&b, 2 * SECTOR + 6, 0x30);
	fm_dev_tick(b.dev, 80000);
	w2(&b, 0, 0x30); /* a second time: counted again */
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), 80000 + WINDOW_NS);
	fm_dev_tick(b.dev, 80000 + WINDOW_NS);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), 80000 + WINDOW_NS + 3 * SECTOR_NS);
	w2(&b, SECTOR, 0x30); /* too late */
	w2(&b, 0, 0xf0);
	fm_dev_tick(b.dev, 80000 + WINDOW_NS + 3 * SECTOR_NS);
	assert_true(all_bytes(b.array, SECTOR, 0xff));
	assert_true(all_bytes(b.array + SECTOR, SECTOR, 0));
	assert_true(all_bytes(b.array + 2 * SECTOR, SECTOR, 0xff));
	bank_exit(&b);
}

static void a_window_broken_off_leaves_its_timer_which_ends_what_comes_next(void **state)
{
	struct bank b;

	init(&b);
	erase(&b, 0);
	w2(&b, 0, 0xf0);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), WINDOW_NS);
	start(&b, 0x90);
	assert_int_equal(r2(&b, 0), 0x01);
	assert_int_equal(fm_dev_tick(b.dev, WINDOW_NS), FM_EFF_REMAP);
	assert_int_equal(r2(&b, 0), 0xffff);
	/* The sector still counts with the next erase. */
	erase(&b, SECTOR);
	fm_dev_tick(b.dev, 2 * WINDOW_NS);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), 2 * WINDOW_NS + 2 * SECTOR_NS);
	bank_exit(&b);
}

static void an_erase_of_the_chip_ignores_every_write(void **state)
{
	struct bank b;

	init(&b);
	memset(b.array, 0, LEN);
	erase_chip(&b);
	assert_true(all_bytes(b.array, LEN, 0xff));
	w2(&b, 0, 0xf0);
	w2(&b, 0, 0xb0);
	w2(&b, 0, 0x30);
	assert_int_equal(r2(&b, 0), 0x44);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), CHIP_NS);
	assert_int_equal(fm_dev_tick(b.dev, CHIP_NS), FM_EFF_REMAP);
	assert_ready(&b);
	bank_exit(&b);
}

/* --- suspend -------------------------------------------------------------------------------- */

static void a_suspended_erase_shows_in_its_sectors_only(void **state)
{
	struct bank b;

	init(&b);
	erase(&b, 0);
	w2(&b, 0, 0xb0);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), FM_NEVER);
	assert_int_equal(r2(&b, SECTOR - 2), 0x04);
	assert_int_equal(r2(&b, 0), 0x00);
	assert_int_equal(r2(&b, SECTOR), 0xffff);
	program(&b, SECTOR, 0x1111);
	assert_int_equal(r2(&b, SECTOR), 0x1111);
	program(&b, 2, 0); /* refused */
	assert_int_equal(b.effects, 0);
	assert_int_equal(b.array[2], 0xff);
	erase(&b, SECTOR); /* no other erase */
	assert_int_equal(r2(&b, SECTOR), 0x1111);
	bank_exit(&b);
}

static void resumed_an_erase_takes_what_was_left(void **state)
{
	struct bank b;

	init(&b);
	erase(&b, 0);
	fm_dev_tick(b.dev, WINDOW_NS + 100000);
	w2(&b, 0, 0xb0);
	fm_dev_tick(b.dev, 10000000);
	w2(&b, 0, 0x30);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), 10000000 + SECTOR_NS - 100000);
	assert_int_equal(r2(&b, 0) & 0x88, 0x08);
	fm_dev_tick(b.dev, 11000000);
	assert_true(mapped(&b));
	/* Suspended in its window it has all of it before it, and no window behind. */
	erase(&b, 0);
	w2(&b, SECTOR, 0x30);
	w2(&b, 0, 0xb0);
	w2(&b, 0, 0x30);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), 11000000 + 2 * SECTOR_NS);
	bank_exit(&b);
}

static void suspend_and_resume_without_an_erase_do_nothing_good(void **state)
{
	struct bank b;

	init(&b);
	w2(&b, AT_555, 0xaa);
	w2(&b, AT_2AA, 0x55);
	w2(&b, AT_555, 0x80);
	w2(&b, 0, 0xb0); /* passed over */
	w2(&b, AT_555, 0xaa);
	w2(&b, AT_2AA, 0x55);
	w2(&b, AT_555, 0x10);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), CHIP_NS);
	fm_dev_tick(b.dev, CHIP_NS);
	w2(&b, 0, 0x30);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), FM_NEVER);
	assert_ready(&b);
	bank_exit(&b);
}

/* --- mapping -------------------------------------------------------------------------------- */

static void after_43_reads_the_bank_is_memory_again(void **state)
{
	struct bank b;

	init(&b);
	assert_true(mapped(&b));
	erase(&b, 0);
	w2(&b, 0, 0xb0);
	for (unsigned n = 0; n < 42; n++) {
		assert_int_equal(r2(&b, 0), n & 1 ? 0x00 : 0x04);
		assert_int_equal(b.effects, 0);
	}
	assert_int_equal(r2(&b, 0), 0x04);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(mapped(&b));
	assert_int_equal(r2(&b, 0), 0xffff); /* a suspended sector too */
	w2(&b, 0, 0xb0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r2(&b, 0), 0x00);
	bank_exit(&b);
}

static void the_piece_after_the_43rd_read_is_memory(void **state)
{
	struct bank b;

	init(&b);
	erase(&b, 0);
	w2(&b, 0, 0xb0);
	for (unsigned n = 0; n < 42; n++)
		r2(&b, 0);
	assert_int_equal(rd(&b, 0, 8), UINT64_C(0xffffffff00000004));
	bank_exit(&b);
}

static void in_bypass_a_bank_that_became_memory_stays_so(void **state)
{
	struct bank b;
	void *saved;
	size_t len;

	init(&b);
	start(&b, 0x20);
	w2(&b, 0, 0x80);
	w2(&b, AT_555, 0xaa);
	w2(&b, AT_2AA, 0x55);
	w2(&b, 0, 0x30);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	for (unsigned n = 0; n < 43; n++)
		r2(&b, 0);
	assert_true(mapped(&b));
	/* The timer that is left leads to bypass's command, from which codes do not show. */
	assert_int_equal(fm_dev_tick(b.dev, WINDOW_NS), 0);
	w2(&b, 0, 0x90);
	assert_int_equal(r2(&b, 0), 0xffff);
	assert_int_equal(fm_dev_save(b.dev, &saved, &len, NULL), 0);
	assert_int_equal(fm_dev_load(b.dev, saved, len, NULL), 0);
	free(saved);
	bank_exit(&b);
}

/* The bank ticks before it writes; the machine does not rely on it. */
static void a_suspend_after_the_deadline_leaves_one_nanosecond(void **state)
{
	const struct fmi_qemu_amd_part part = { 2, SECTOR_NS, CHIP_NS };
	struct fmi_qemu_amd m = {
		.state = FMI_QEMU_AMD_SECTORS, .dq = FMI_QEMU_DQ3, .sectors = 1, .deadline_ns = 100
	};

	fmi_qemu_amd_write(&m, &part, &(struct fmi_qemu_amd_cycle){ .value = 0xb0, .now_ns = 200 });
	assert_int_equal(m.remaining_ns, 1);
	assert_int_equal(m.deadline_ns, FM_NEVER);
}

static void a_debug_read_shows_the_array_and_toggles_nothing(void **state)
{
	uint64_t value = 0;
	struct bank b;

	init(&b);
	erase(&b, 0);
	assert_int_equal(fm_dev_read(b.dev, 0, 2, &value, (struct fm_attrs){ .debug = true }), 0);
	assert_int_equal(value, 0xffff);
	assert_int_equal(r2(&b, 0), 0x44);
	bank_exit(&b);
}

/* --- reset, protection ----------------------------------------------------------------------- */

static void a_system_reset_stops_no_timer_and_forgets_no_erase(void **state)
{
	struct bank b;

	init(&b);
	erase(&b, 0);
	fm_dev_tick(b.dev, WINDOW_NS);
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_KEXEC), 0);
	assert_int_equal(r2(&b, 0), 0x4c);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(r2(&b, 0), 0xffff);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), WINDOW_NS + SECTOR_NS);
	/* DQ3 is left: the next erase has no window, its 50 us are all. */
	erase(&b, SECTOR);
	assert_int_equal(r2(&b, 0), 0x08);
	fm_dev_tick(b.dev, 2 * WINDOW_NS);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void power_makes_the_bank_new(void **state)
{
	struct bank b;

	init(&b);
	erase(&b, 0);
	w2(&b, 0, 0xb0);
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_POWER_ON), FM_EFF_REMAP);
	assert_true(mapped(&b));
	w2(&b, 0, 0x30);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), FM_NEVER);
	assert_int_equal(r2(&b, 0), 0xffff);
	bank_exit(&b);
}

static void a_read_only_bank_goes_through_the_motions(void **state)
{
	struct fm_flash_config cfg = config();
	struct bank b;

	cfg.read_only = true;
	bank_init(&b, LEN, cfg);
	memset(b.array, 0x55, LEN);
	program(&b, 0, 0);
	assert_int_equal(b.effects & FM_EFF_DIRTY, 0);
	erase(&b, 0);
	assert_int_equal(r2(&b, 0), 0xc4 & 0x7f);
	w2(&b, 0, 0xb0);
	assert_int_equal(r2(&b, 0) & 0x04, 0);
	w2(&b, 0, 0x30);
	fm_dev_tick(b.dev, CHIP_NS);
	erase_chip(&b);
	fm_dev_tick(b.dev, 3 * CHIP_NS);
	assert_true(all_bytes(b.array, LEN, 0x55));
	start(&b, 0x90);
	assert_int_equal(r2(&b, 4), 0); /* protected, and does not say so */
	bank_exit(&b);
}

static void misuse_and_commands_are_traced(void **state)
{
	struct bank b;

	init(&b);
	bank_trace(&b);
	erase(&b, 0);
	assert_int_equal(traced(&b, FM_TRACE_COMMAND, "erase sector"), 1);
	w2(&b, 0, 0x12);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, "sequence broken off"), 1);
	bank_exit(&b);
}

static void a_clock_at_its_end_stays_there(void **state)
{
	struct bank b;

	init(&b);
	fm_dev_tick(b.dev, FM_NEVER - 2);
	erase(&b, 0);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), FM_NEVER - 1);
	fm_dev_tick(b.dev, FM_NEVER - 1);
	assert_true(mapped(&b));
	erase_chip(&b);
	assert_int_equal(r2(&b, 0) & 0x44, 0x44);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_clears_bits_at_once),
		cmocka_unit_test(a_program_of_any_width_is_one_cycle),
		cmocka_unit_test(between_a0_and_the_data_a_read_shows_a_status),
		cmocka_unit_test(codes_repeat_every_256_bytes_and_are_right_justified),
		cmocka_unit_test(the_query_table_is_qemus),
		cmocka_unit_test(a_query_from_autoselect_returns_there),
		cmocka_unit_test(what_is_not_expected_breaks_off),
		cmocka_unit_test(in_bypass_a_program_takes_two_cycles_anywhere),
		cmocka_unit_test(anything_unexpected_ends_bypass_too),
		cmocka_unit_test(bypass_outlives_an_erase_and_a_reset),
		cmocka_unit_test(an_erase_has_a_window_and_takes_microseconds),
		cmocka_unit_test(a_late_clock_ends_window_and_erase_in_one_tick),
		cmocka_unit_test(each_30_in_the_window_begins_it_anew),
		cmocka_unit_test(a_window_broken_off_leaves_its_timer_which_ends_what_comes_next),
		cmocka_unit_test(an_erase_of_the_chip_ignores_every_write),
		cmocka_unit_test(a_suspended_erase_shows_in_its_sectors_only),
		cmocka_unit_test(resumed_an_erase_takes_what_was_left),
		cmocka_unit_test(suspend_and_resume_without_an_erase_do_nothing_good),
		cmocka_unit_test(after_43_reads_the_bank_is_memory_again),
		cmocka_unit_test(the_piece_after_the_43rd_read_is_memory),
		cmocka_unit_test(in_bypass_a_bank_that_became_memory_stays_so),
		cmocka_unit_test(a_suspend_after_the_deadline_leaves_one_nanosecond),
		cmocka_unit_test(a_debug_read_shows_the_array_and_toggles_nothing),
		cmocka_unit_test(a_system_reset_stops_no_timer_and_forgets_no_erase),
		cmocka_unit_test(power_makes_the_bank_new),
		cmocka_unit_test(a_read_only_bank_goes_through_the_motions),
		cmocka_unit_test(misuse_and_commands_are_traced),
		cmocka_unit_test(a_clock_at_its_end_stays_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
