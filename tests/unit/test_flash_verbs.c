/* SPDX-License-Identifier: BSD-2-Clause */
/* A bank as a device: reset, debuggers, the dirty log, the medium stream, counters, the trace. */
#include "tests/unit/bank.h"

#include "flash/cfi_intel.h"

#define BLOCK (256 * KIB)

static void a_reset_ends_whatever_was_under_way(void **state)
{
	struct bank b;

	bank_init_default(&b);
	cmd(&b, 0, 0xe8);
	w4(&b, 0, 0x00010001);
	w4(&b, 0, 0);
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_KEXEC), 0);
	assert_false(mapped(&b));
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_POWER_ON), FM_EFF_REMAP);
	assert_true(mapped(&b));
	assert_int_equal(fm_dev_reset(b.dev, FM_RESET_POWER_ON), 0);
	cmd(&b, 0, 0xd0);
	assert_true(all_bytes(b.array, b.len, 0xff));
	bank_buffer(&b, 8, 8, 1, 0);
	assert_true(all_bytes(b.array, 8, 0xff));
	bank_exit(&b);
}

static void a_debugger_sees_the_array_and_disturbs_nothing(void **state)
{
	struct fm_attrs debug = { .debug = true };
	uint64_t value;
	struct bank b;

	bank_init_default(&b);
	b.array[1] = 0x34;
	cmd(&b, 0, 0x20);
	assert_int_equal(fm_dev_read(b.dev, 0, 2, &value, debug), 0);
	assert_int_equal(value, 0x34ff);
	assert_int_equal(fm_dev_write(b.dev, 0, 4, 0x00d000d0, debug), FM_EFF_FAULT);
	assert_int_equal(b.array[1], 0x34);
	cmd(&b, 0, 0xd0);
	assert_int_equal(b.array[1], 0xff);
	bank_exit(&b);
}

static void sanitizing_leaves_no_zero_even_in_locked_blocks(void **state)
{
	struct bank b;

	bank_init_default(&b);
	memset(b.array, 0x5a, b.len);
	bank_lock(&b, 0, 0x2f);
	/* Nor a secret in a buffer. */
	cmd(&b, BLOCK, 0xe8);
	w4(&b, 0, 0);
	w4(&b, BLOCK, 0x12345678);
	assert_int_equal(fm_dev_sanitize(b.dev, NULL), 0);
	assert_true(all_bytes(b.array, b.len, 0xff));
	cmd(&b, 0, 0xd0);
	assert_true(all_bytes(b.array, b.len, 0xff));
	assert_int_equal(bank_status(&b), 0x00800080);
	bank_exit(&b);
}

static void the_dirty_log_has_what_changed(void **state)
{
	uint64_t bits[4];
	struct bank b;

	bank_init_default(&b);
	assert_int_equal(fm_dirty_start(fm_block_dirty(b.block), 0, NULL), 0);
	bank_program(&b, 0x2004, 0);
	bank_program(&b, 0x5000, 0xffffffff);
	assert_int_equal(fm_dirty_harvest(fm_block_dirty(b.block), 0, 0, b.len, bits), 1);
	assert_int_equal(bits[0], 1 << 2);
	bank_erase(&b, 0);
	assert_int_equal(fm_dirty_harvest(fm_block_dirty(b.block), 0, 0, b.len, bits), 64);
	bank_exit(&b);
}

static unsigned note_op(void *ctx, const struct fm_medium_op *op)
{
	struct fm_medium_op *last = ctx;

	*last = *op;
	return FM_EFF_IRQ;
}

static void each_operation_is_told_once_with_its_outcome(void **state)
{
	struct fm_medium_op op = { 0 };
	struct fm_medium_sub sub = { .op = note_op, .ctx = &op };
	struct bank b;

	bank_init_default(&b);
	fm_dev_subscribe(b.dev, &sub);
	bank_program(&b, 8, 0x12345678);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_IRQ);
	assert_int_equal(op.kind, FM_MEDIUM_PROGRAM);
	assert_int_equal(op.off, 8);
	assert_int_equal(op.len, 4);
	assert_true(op.changed);
	assert_memory_equal(op.data, "\x78\x56\x34\x12", 4);
	bank_buffer(&b, 0, 0x20, 3, 0xffffffff);
	assert_int_equal(op.kind, FM_MEDIUM_PROGRAM);
	assert_int_equal(op.off, 0x20);
	assert_int_equal(op.len, 12);
	assert_false(op.changed);
	bank_erase(&b, 0x30000);
	assert_int_equal(op.kind, FM_MEDIUM_ERASE);
	assert_int_equal(op.off, 0);
	assert_int_equal(op.len, BLOCK);
	assert_null(op.data);
	assert_true(op.changed);
	fm_dev_unsubscribe(b.dev, &sub);
	bank_exit(&b);
}

static void counters_count(void **state)
{
	struct fm_flash_stats stats;
	struct bank b;

	bank_init_default(&b);
	bank_program(&b, 0, 0);
	bank_buffer(&b, 0, 0x100, 8, 0);
	bank_erase(&b, 0);
	cmd(&b, 0, 0xff);
	cmd(&b, 0, 0xff);
	wr(&b, 0, 2, 0x70);
	stats = bank_stats(&b);
	assert_int_equal(stats.programs, 2);
	assert_int_equal(stats.program_bytes, 36);
	assert_int_equal(stats.erases, 1);
	assert_int_equal(stats.array_entries, 1);
	assert_int_equal(stats.ignored_writes, 1);
	assert_int_equal(stats.host_writes, 0);
	assert_int_equal(fm_flash_stats(NULL, &stats), FM_ERR_ARG);
	bank_exit(&b);
}

static void commands_modes_and_operations_are_traced(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_trace(&b);
	bank_program(&b, 0x40, 0x11111111);
	assert_int_equal(traced(&b, FM_TRACE_COMMAND, "program"), 1);
	assert_int_equal(traced(&b, FM_TRACE_MODE, "read-status"), 1);
	assert_int_equal(traced(&b, FM_TRACE_MEDIUM, "program"), 1);
	bank_forget(&b);
	cmd(&b, 0, 0x20);
	cmd(&b, 0, 0x20);
	assert_int_equal(traced(&b, FM_TRACE_COMMAND, "erase"), 1);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, "20 without D0"), 1);
	cmd(&b, 0, 0xff);
	assert_int_equal(traced(&b, FM_TRACE_MODE, "read-array"), 1);
	bank_exit(&b);
}

static void every_mode_command_and_misuse_has_a_text_of_its_own(void **state)
{
	for (int a = FMI_NOTE_NONE; a < FMI_NOTES; a++) {
		for (int b = FMI_NOTE_NONE; b < a; b++)
			assert_string_not_equal(fmi_intel_note_text(a), fmi_intel_note_text(b));
	}
	assert_string_equal(fmi_intel_note_text(FMI_NOTE_NONE), "");
	for (int a = 0; a <= FMI_INTEL_MODES; a++) {
		for (int b = 0; b < a; b++)
			assert_string_not_equal(fmi_intel_mode_name(a), fmi_intel_mode_name(b));
	}
}

static void suspend_and_resume_of_nothing_are_harmless(void **state)
{
	struct bank b;

	bank_init_default(&b);
	bank_trace(&b);
	cmd(&b, 0, 0xb0);
	cmd(&b, 0, 0xd0);
	assert_int_equal(b.effects, 0);
	assert_true(mapped(&b));
	assert_int_equal(traced(&b, FM_TRACE_COMMAND, "suspend"), 1);
	assert_int_equal(traced(&b, FM_TRACE_COMMAND, "resume"), 1);
	assert_int_equal(traced(&b, FM_TRACE_MISUSE, NULL), 0);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_ends_whatever_was_under_way),
		cmocka_unit_test(a_debugger_sees_the_array_and_disturbs_nothing),
		cmocka_unit_test(sanitizing_leaves_no_zero_even_in_locked_blocks),
		cmocka_unit_test(the_dirty_log_has_what_changed),
		cmocka_unit_test(each_operation_is_told_once_with_its_outcome),
		cmocka_unit_test(counters_count),
		cmocka_unit_test(commands_modes_and_operations_are_traced),
		cmocka_unit_test(every_mode_command_and_misuse_has_a_text_of_its_own),
		cmocka_unit_test(suspend_and_resume_of_nothing_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
