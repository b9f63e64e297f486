/* SPDX-License-Identifier: BSD-2-Clause */
/* Banks from "cfi-flash" nodes, and nodes that lie. */
#include "tests/unit/fdt_build.h"

#include <firmem/flash.h>
#include <firmem/space.h>

#define MIB (UINT64_C(1) << 20)

static int build_with(struct fm_machine **machine, struct fm_fdt *fdt,
		      struct fm_flash_fdt_options *options, struct fm_error *err)
{
	const struct fm_fdt_binding binding = { "cfi-flash", fm_flash_fdt_build, options };
	struct tree t = tree_end(fdt);
	int rc;

	*machine = NULL;
	rc = fm_machine_from_fdt(machine, t.blob, t.len, &binding, 1, NULL, err);
	free(t.blob);
	return rc;
}

static struct fm_machine *build(struct fm_fdt *fdt, struct fm_flash_fdt_options *options)
{
	struct fm_machine *machine;
	struct fm_error err = { 0 };

	if (build_with(&machine, fdt, options, &err))
		fail_msg("%s", err.msg);
	return machine;
}

static uint32_t bus_read(struct fm_machine *machine, uint64_t gpa)
{
	struct fm_port *port;
	uint64_t value;

	assert_int_equal(fm_port_new(&port, fm_machine_space(machine, "memory"), NULL), 0);
	assert_int_equal(fm_port_read(port, gpa, 4, &value, FM_ATTRS_NONE), 0);
	fm_port_free(port);
	return (uint32_t)value;
}

static void bus_write(struct fm_machine *machine, uint64_t gpa, uint32_t value)
{
	struct fm_space *space = fm_machine_space(machine, "memory");
	struct fm_port *port;
	unsigned effects;

	assert_int_equal(fm_port_new(&port, space, NULL), 0);
	effects = fm_port_write(port, gpa, 4, value, FM_ATTRS_NONE);
	if (effects & FM_EFF_REMAP)
		assert_int_equal(fm_space_refresh(space, NULL), 1);
	fm_port_free(port);
}

/* What QEMU's virt boards describe: one node of two banks. */
static void a_node_of_two_banks_makes_two(void **state)
{
	const uint64_t regs[] = { 0, 64 * MIB, 64 * MIB, 64 * MIB };
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *machine;
	struct fm_block *block;

	fm_fdt_add_flash(fdt, regs, 2, 4);
	machine = build(fdt, NULL);
	block = fm_machine_block(machine, "flash@0");
	assert_non_null(block);
	assert_int_equal(fm_block_role(block), FM_ROLE_FLASH_CODE);
	block = fm_machine_block(machine, "flash@4000000");
	assert_non_null(block);
	assert_int_equal(fm_block_role(block), FM_ROLE_FLASH_VARS);
	assert_int_equal(fm_block_len(block), 64 * MIB);
	assert_string_equal(fm_dev_type(fm_machine_dev(machine, "flash@4000000")),
			    "cfi-flash-intel");
	/* 2 x 16 bits, blank, 256 blocks of 128 KiB a chip. */
	assert_int_equal(bus_read(machine, 128 * MIB - 4), 0xffffffff);
	bus_write(machine, 64 * MIB, 0x00980098);
	assert_int_equal(bus_read(machine, 64 * MIB + 0x40), 0x00510051);
	assert_int_equal(bus_read(machine, 64 * MIB + 4 * 0x2d), 0x00ff00ff);
	assert_int_equal(bus_read(machine, 64 * MIB + 4 * 0x30), 0x00020002);
	assert_int_equal(bus_read(machine, 0x40), 0xffffffff);
	fm_machine_free(machine);
}

static void a_second_node_is_not_code_again(void **state)
{
	const uint64_t first[] = { 0x10000000, MIB };
	const uint64_t second[] = { 0x20000000, MIB };
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *machine;

	fm_fdt_add_flash(fdt, first, 1, 4);
	fm_fdt_add_flash(fdt, second, 1, 2);
	machine = build(fdt, NULL);
	assert_int_equal(fm_block_role(fm_machine_block(machine, "flash@10000000")),
			 FM_ROLE_FLASH_CODE);
	assert_int_equal(fm_block_role(fm_machine_block(machine, "flash@20000000")),
			 FM_ROLE_FLASH_VARS);
	fm_machine_free(machine);
}

static void options_give_what_the_node_lacks(void **state)
{
	struct fm_flash_fdt_options options = { .struct_size = sizeof(options),
						.sector_len = 4096,
						.chips = 1,
						.narrow = FM_FLASH_NARROW_LANES };
	const uint64_t reg[] = { 0, 12288 };
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *machine;

	fm_fdt_add_flash(fdt, reg, 1, 4);
	machine = build(fdt, &options);
	bus_write(machine, 0, 0x98);
	assert_int_equal(bus_read(machine, 0x40), 0x51);
	assert_int_equal(bus_read(machine, 4 * 0x28), 3);
	assert_int_equal(bus_read(machine, 4 * 0x2d), 2);
	assert_int_equal(bus_read(machine, 4 * 0x2f), 16);
	fm_machine_free(machine);
}

static void a_byte_wide_bank_is_one_chip(void **state)
{
	const uint64_t reg[] = { 0, MIB };
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *machine;

	fm_fdt_add_flash(fdt, reg, 1, 1);
	machine = build(fdt, NULL);
	fm_machine_free(machine);
}

/* --- lies -------------------------------------------------------------------------------- */

static void refuse(struct fm_fdt *fdt, struct fm_flash_fdt_options *options, int code,
		   const char *what)
{
	struct fm_machine *machine;
	struct fm_error err = { 0 };

	assert_int_equal(build_with(&machine, fdt, options, &err), code);
	assert_null(machine);
	if (!strstr(err.msg, what))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, what);
}

static struct fm_fdt *one_bank(uint64_t gpa, uint64_t len, uint32_t bank_width)
{
	const uint64_t reg[] = { gpa, len };
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_add_flash(fdt, reg, 1, bank_width);
	return fdt;
}

static void a_wrong_bank_width_is_named(void **state)
{
	struct fm_flash_fdt_options four = { .struct_size = sizeof(four), .chips = 4 };
	struct fm_flash_fdt_options three = { .struct_size = sizeof(three), .chips = 3 };
	struct fm_fdt *fdt;

	refuse(one_bank(0, MIB, 0), NULL, FM_ERR_FORMAT, "bank-width is 0x0");
	refuse(one_bank(0, MIB, 3), NULL, FM_ERR_FORMAT, "bank-width is 0x3");
	refuse(one_bank(0, MIB, 8), NULL, FM_ERR_FORMAT, "bank-width is 0x8");
	refuse(one_bank(0, MIB, 2), &four, FM_ERR_FORMAT, "bank-width is 0x2");
	refuse(one_bank(0, MIB, 4), &three, FM_ERR_FORMAT, "bank-width is 0x4");
	fdt = tree_begin();
	tree_device(fdt, "flash@0", "cfi-flash");
	fm_fdt_prop_u64(fdt, "bank-width", 4);
	fm_fdt_end(fdt);
	refuse(fdt, NULL, FM_ERR_FORMAT, "bank-width");
	fdt = tree_begin();
	tree_device(fdt, "flash@0", "cfi-flash");
	fm_fdt_end(fdt);
	refuse(fdt, NULL, FM_ERR_NOT_FOUND, "bank-width");
}

static void a_wrong_length_is_named(void **state)
{
	refuse(one_bank(0, 256 * 1024 + 1, 4), NULL, FM_ERR_FORMAT, "length is 0x40001");
	refuse(one_bank(0, 128 * 1024, 4), NULL, FM_ERR_FORMAT, "length is 0x20000");
	refuse(one_bank(0, 0, 4), NULL, FM_ERR_FORMAT, "reg");
	refuse(one_bank(0, UINT64_C(1) << 40, 4), NULL, FM_ERR_FORMAT, "at most 0x20000000");
	refuse(one_bank(0, UINT64_C(1) << 63, 4), NULL, FM_ERR_FORMAT, "at most");
}

static void banks_that_are_too_many_are_refused_before_they_are_filled(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	uint64_t regs[40];

	for (unsigned i = 0; i < 20; i++) {
		regs[2 * i] = i * 512 * MIB;
		regs[2 * i + 1] = i ? 512 * MIB : 256 * 1024;
	}
	fm_fdt_add_flash(fdt, regs, 20, 4);
	refuse(fdt, NULL, FM_ERR_FORMAT, "reg[1]");
}

static void a_node_without_banks_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	tree_device(fdt, "flash@0", "cfi-flash");
	fm_fdt_prop_u32(fdt, "bank-width", 4);
	fm_fdt_end(fdt);
	refuse(fdt, NULL, FM_ERR_FORMAT, "reg");
	fdt = tree_begin();
	tree_device(fdt, "flash@0", "cfi-flash");
	fm_fdt_prop_u32(fdt, "bank-width", 4);
	fm_fdt_prop(fdt, "reg", "\0\0\0\0\0\0\0", 7);
	fm_fdt_end(fdt);
	refuse(fdt, NULL, FM_ERR_FORMAT, "reg");
}

static void banks_that_overlap_are_refused(void **state)
{
	const uint64_t overlap[] = { 0, MIB, MIB / 2, MIB };
	const uint64_t twice[] = { 0, MIB, 0, MIB };
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_add_flash(fdt, overlap, 2, 4);
	refuse(fdt, NULL, FM_ERR_OVERLAP, "flash@");
	fdt = tree_begin();
	fm_fdt_add_flash(fdt, twice, 2, 4);
	refuse(fdt, NULL, FM_ERR_EXISTS, "flash@0");
}

static void a_bank_that_wraps_is_refused(void **state)
{
	struct fm_machine *machine;
	struct fm_error err = { 0 };

	assert_true(build_with(&machine, one_bank(UINT64_MAX - MIB / 2 + 1, MIB, 4), NULL, &err) <
		    0);
	assert_null(machine);
}

static void options_that_cannot_be_are_refused(void **state)
{
	struct fm_flash_fdt_options options = { .struct_size = sizeof(options) };

	options.narrow = 7;
	refuse(one_bank(0, MIB, 4), &options, FM_ERR_ARG, "narrow is 7");
	options.narrow = 0;
	options.sector_len = 384;
	refuse(one_bank(0, 384 * 1024, 4), &options, FM_ERR_ARG, "block_len");
	options.struct_size = 0;
	refuse(one_bank(0, MIB, 4), &options, FM_ERR_ARG, "fm_flash_fdt_options");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_of_two_banks_makes_two),
		cmocka_unit_test(a_second_node_is_not_code_again),
		cmocka_unit_test(options_give_what_the_node_lacks),
		cmocka_unit_test(a_byte_wide_bank_is_one_chip),
		cmocka_unit_test(a_wrong_bank_width_is_named),
		cmocka_unit_test(a_wrong_length_is_named),
		cmocka_unit_test(banks_that_are_too_many_are_refused_before_they_are_filled),
		cmocka_unit_test(a_node_without_banks_is_refused),
		cmocka_unit_test(banks_that_overlap_are_refused),
		cmocka_unit_test(a_bank_that_wraps_is_refused),
		cmocka_unit_test(options_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
