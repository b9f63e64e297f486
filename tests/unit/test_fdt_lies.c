/* SPDX-License-Identifier: BSD-2-Clause */
/* Each lie that a well-formed tree can tell: its code, and what the message names. */
#include "tests/unit/fdt_build.h"

static int build_nothing(const struct fm_fdt_node *node, struct fm_machine *machine,
			 struct fm_space *space, void *ctx, struct fm_error *err)
{
	return 0;
}

static void must_refuse(struct fm_fdt *fdt, int code, const char *text)
{
	const struct fm_fdt_options options = { .struct_size = sizeof(options), .source = "x.dtb" };
	int calls = 0;
	const struct fm_fdt_binding bindings[] = { { "x,ram", tree_build_ram, &calls },
						   { "x,none", build_nothing, NULL } };
	struct fm_machine *machine = NULL;
	struct fm_error err = { 0 };
	struct tree t = tree_end(fdt);
	int rc = fm_machine_from_fdt(&machine, t.blob, t.len, bindings, 2, &options, &err);

	free(t.blob);
	assert_null(machine);
	if (rc != code || err.code != code)
		fail_msg("%d (%s), expected %d", rc, err.msg, code);
	if (strncmp(err.msg, "x.dtb: ", 7) || !strstr(err.msg, text))
		fail_msg("\"%s\" does not tell \"%s\"", err.msg, text);
}

/* A memory node with these cells for "reg". */
static void add_memory(struct fm_fdt *fdt, const char *name, const uint32_t *cells, size_t count)
{
	fm_fdt_begin(fdt, name);
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_u32s(fdt, "reg", cells, count);
	fm_fdt_end(fdt);
}

/* The device "x,ram" at 0x1000, one cell each, in the bus that is open; and closes the bus. */
static void add_device_on_bus(struct fm_fdt *fdt)
{
	tree_device(fdt, "ram", "x,ram");
	fm_fdt_prop_u32s(fdt, "reg", (const uint32_t[]){ 0x1000, 0x1000 }, 2);
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
}

/* --- ranges of addresses ----------------------------------------------------------------------- */

static void overlapping_memory_names_both_nodes(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_add_memory(fdt, 0x40000000, 0x1001, -1);
	fm_fdt_add_memory(fdt, 0x80000000, 0x1000, -1);
	fm_fdt_add_memory(fdt, 0x40001000, 0x1000, -1);
	must_refuse(fdt, FM_ERR_OVERLAP,
		    "x.dtb: /memory@40001000: reg[0]: 0x1000 bytes at 0x40001000 overlap 0x1001 "
		    "bytes at 0x40000000 (/memory@40000000: reg[0]), expected memory apart");
}

static void the_same_memory_twice_is_an_overlap(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	add_memory(fdt, "memory-a", (const uint32_t[]){ 0, 0x1000, 0, 0x1000 }, 4);
	add_memory(fdt, "memory-b", (const uint32_t[]){ 0, 0x1000, 0, 0x1000 }, 4);
	must_refuse(fdt, FM_ERR_OVERLAP, "0x1000 bytes at 0x1000 overlap");
}

static void one_node_s_ranges_may_not_overlap_either(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	add_memory(fdt, "memory",
		   (const uint32_t[]){ 0, 0x1000, 0, 0x1000, 0, 0, 0x10, 0, 0, 0x400, 0, 4 }, 12);
	must_refuse(fdt, FM_ERR_OVERLAP, "(/memory: reg[1])");
}

static void a_device_over_memory_names_both(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	tree_device(fdt, "ram@40000ff8", "x,ram");
	fm_fdt_prop_reg(fdt, (const uint64_t[]){ 0x40000ff8, 0x10 }, 1);
	fm_fdt_end(fdt);
	fm_fdt_add_memory(fdt, 0x40001000, 0x1000, -1);
	must_refuse(fdt, FM_ERR_OVERLAP, "x.dtb: /ram@40000ff8: memory: windows \"ram@40000ff8\"");
}

static void two_devices_of_one_name_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	for (uint64_t i = 0; i < 2; i++) {
		tree_device(fdt, "ram", "x,ram");
		fm_fdt_prop_reg(fdt, (const uint64_t[]){ i * 0x1000, 0x1000 }, 1);
		fm_fdt_end(fdt);
	}
	must_refuse(fdt, FM_ERR_EXISTS, "x.dtb: /ram: machine: there is a block \"ram\" already");
}

static void memory_of_no_bytes_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_add_memory(fdt, 0x40000000, 0, -1);
	must_refuse(fdt, FM_ERR_FORMAT,
		    "/memory@40000000: reg[0]: 0 bytes at 0x40000000, expected at least 1");
}

static void memory_that_wraps_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_add_memory(fdt, 0xfffffffffffff000, 0x1001, -1);
	must_refuse(fdt, FM_ERR_RANGE,
		    "/memory@fffffffffffff000: reg[0]: 0x1001 bytes at 0xfffffffffffff000 wrap");
}

static void memory_that_leaves_one_cell_s_addresses_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	tree_bus(fdt, "soc", 1, 1);
	fm_fdt_prop_empty(fdt, "ranges");
	add_memory(fdt, "memory", (const uint32_t[]){ 0xfffff000, 0x1001 }, 2);
	fm_fdt_end(fdt);
	must_refuse(fdt, FM_ERR_RANGE, "/soc/memory: reg[0]: 0x1001 bytes at 0xfffff000 wrap");
}

static void memory_that_no_host_has_is_refused(void **state)
{
	static const uint64_t sizes[] = { 1ull << 60, 1ull << 63, UINT64_MAX };

	for (size_t i = 0; i < 3; i++) {
		struct fm_fdt *fdt = tree_begin();

		fm_fdt_add_memory(fdt, 0, sizes[i], -1);
		must_refuse(fdt, FM_ERR_NOMEM, "x.dtb: /memory@0: reg[0]: ");
	}
}

static void memory_in_more_pieces_than_any_machine_has_is_refused(void **state)
{
	uint64_t *reg = calloc(2 * 16385, sizeof(*reg));
	struct fm_fdt *fdt = tree_begin();

	for (size_t i = 0; i < 16385; i++) {
		reg[2 * i] = i << 12;
		reg[2 * i + 1] = 0x1000;
	}
	fm_fdt_begin(fdt, "memory");
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_reg(fdt, reg, 16385);
	fm_fdt_end(fdt);
	free(reg);
	must_refuse(fdt, FM_ERR_FORMAT, "/memory: reg: more ranges of memory than expected");
}

static void more_devices_than_any_machine_has_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	for (unsigned i = 0; i < 16385; i++) {
		char name[32];

		sprintf(name, "ram%u", i);
		tree_device(fdt, name, "x,none");
		fm_fdt_end(fdt);
	}
	must_refuse(
		fdt, FM_ERR_FORMAT,
		"x.dtb: /ram16384: compatible: more nodes with a binding than expected: at most "
		"16384");
}

/* A node `name` with that many properties, and the device "x,ram" in it. */
static struct fm_fdt *crowd(const char *name, unsigned count)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, name);
	for (unsigned i = 0; i < count; i++) {
		char prop[32];

		sprintf(prop, "p%u", i);
		fm_fdt_prop_empty(fdt, prop);
	}
	return fdt;
}

static void nodes_of_more_properties_than_any_has_are_refused(void **state)
{
	struct fm_fdt *fdt = crowd("soc", 1025);

	fm_fdt_end(fdt);
	must_refuse(fdt, FM_ERR_FORMAT,
		    "x.dtb: node \"soc\": more properties than expected: at most 1024");
	/* As many are fine, and so are labels, of which there may be very many. */
	fdt = crowd("soc", 1024);
	add_device_on_bus(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "x.dtb: /soc/ram: reg: 8 bytes, expected a multiple of 12");
	fdt = crowd("__symbols__", 5000);
	fm_fdt_end(fdt);
	fm_fdt_add_memory(fdt, 0, 1ull << 60, -1);
	must_refuse(fdt, FM_ERR_NOMEM, "/memory@0");
}

/* --- "reg" and its cells ----------------------------------------------------------------------- */

static void memory_without_reg_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "memory");
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_end(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "/memory: reg: is missing");
}

static void an_empty_reg_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "memory");
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_empty(fdt, "reg");
	fm_fdt_end(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "/memory: reg: 0 bytes, expected a multiple of 16");
}

static void a_reg_of_half_a_pair_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	add_memory(fdt, "memory", (const uint32_t[]){ 0, 0, 0, 0x1000, 0, 0 }, 6);
	must_refuse(
		fdt, FM_ERR_FORMAT,
		"/memory: reg: 24 bytes, expected a multiple of 16 (2 address and 2 size cells)");
}

static void cells_that_do_not_fit_64_bits_are_refused(void **state)
{
	static const uint32_t wrong[] = { 0, 3, 4, UINT32_MAX };

	for (size_t i = 0; i < 8; i++) {
		struct fm_fdt *fdt = tree_begin();
		char text[64];

		tree_bus(fdt, "soc", i < 4 ? wrong[i] : 1, i < 4 ? 1 : wrong[i - 4]);
		fm_fdt_prop_empty(fdt, "ranges");
		add_device_on_bus(fdt);
		snprintf(text, sizeof(text), "x.dtb: /soc: #%s-cells: %u, expected 1 or 2",
			 i < 4 ? "address" : "size", wrong[i % 4]);
		must_refuse(fdt, FM_ERR_FORMAT, text);
	}
}

static void cells_of_another_length_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "soc");
	fm_fdt_prop_u64(fdt, "#address-cells", 1);
	add_device_on_bus(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "x.dtb: /soc: #address-cells: 8 bytes, expected 4");
}

/* --- "ranges" ------------------------------------------------------------------------------ */

static void a_bus_without_ranges_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	tree_bus(fdt, "soc", 1, 1);
	add_device_on_bus(fdt);
	must_refuse(fdt, FM_ERR_FORMAT,
		    "x.dtb: /soc: ranges: is missing, expected where in memory 0x1000 of /soc/ram");
}

static void ranges_that_hold_less_than_the_device_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	tree_bus(fdt, "soc", 1, 1);
	fm_fdt_prop_u32s(fdt, "ranges", (const uint32_t[]){ 0, 0, 0, 0x1fff, 0x1001, 0, 0, 0x9999 },
			 8);
	add_device_on_bus(fdt);
	must_refuse(fdt, FM_ERR_FORMAT,
		    "x.dtb: /soc: ranges: no entry holds 0x1000 bytes at 0x1000 of /soc/ram");
}

static void ranges_of_half_an_entry_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	tree_bus(fdt, "soc", 1, 1);
	fm_fdt_prop_u32s(fdt, "ranges", (const uint32_t[]){ 0, 0, 0, 0x2000, 0 }, 5);
	add_device_on_bus(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "/soc: ranges: 20 bytes, expected a multiple of 16");
}

static void ranges_of_more_entries_than_any_bus_has_are_refused(void **state)
{
	uint32_t *ranges = calloc(4 * 1025, sizeof(*ranges));
	struct fm_fdt *fdt = tree_begin();

	tree_bus(fdt, "soc", 1, 1);
	fm_fdt_prop_u32s(fdt, "ranges", ranges, 4 * 1025);
	free(ranges);
	add_device_on_bus(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "/soc: ranges: 1025 entries, expected at most 1024");
}

static void ranges_that_wrap_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	tree_bus(fdt, "soc", 1, 1);
	fm_fdt_prop_u32s(fdt, "ranges", (const uint32_t[]){ 0, UINT32_MAX, 0xffffe000, 0x2001 }, 4);
	add_device_on_bus(fdt);
	must_refuse(fdt, FM_ERR_RANGE, "/soc: ranges: 0x2001 bytes at 0xffffffffffffe000 wrap");
}

/* --- strings, names, depth ------------------------------------------------------------------- */

static void strings_that_do_not_end_are_refused(void **state)
{
	static const char *const names[] = { "compatible", "device_type", "status" };

	for (size_t i = 0; i < 3; i++) {
		struct fm_fdt *fdt = tree_begin();
		char text[64];

		fm_fdt_begin(fdt, "dev");
		fm_fdt_prop(fdt, names[i], "x,ram", 5);
		fm_fdt_end(fdt);
		snprintf(text, sizeof(text), "x.dtb: /dev: %s: 5 bytes without a NUL", names[i]);
		must_refuse(fdt, FM_ERR_FORMAT, text);
	}
}

static void a_list_whose_last_string_does_not_end_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "dev");
	fm_fdt_prop(fdt, "compatible", "x,ram\0y", 7);
	fm_fdt_end(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "/dev: compatible: 1 bytes without a NUL");
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_prop_text(fdt, "model", "red\x1b[31m");
	must_refuse(fdt, FM_ERR_FORMAT, "x.dtb: /: model: byte 3 is 0x1b, expected text");
	fdt = tree_begin();
	fm_fdt_begin(fdt, "a\nb");
	fm_fdt_end(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "x.dtb: /: child's name: byte 1 is 0x0a");
}

static void a_name_beyond_all_reason_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	char name[129];

	memset(name, 'n', 128);
	name[128] = '\0';
	fm_fdt_begin(fdt, name);
	fm_fdt_end(fdt);
	must_refuse(fdt, FM_ERR_FORMAT, "child's name \"nnnnnnnnnnnnnnnnnnnn\": 128 bytes");
}

static void a_tree_may_be_31_levels_deep_and_no_more(void **state)
{
	char name[128];

	memset(name, 'n', 127);
	name[127] = '\0';
	for (int levels = 31; levels <= 32; levels++) {
		struct fm_fdt *fdt = tree_begin();
		int calls = 0;
		const struct fm_fdt_binding ram = { "x,ram", tree_build_ram, &calls };
		struct fm_machine *machine;
		struct tree t;

		for (int i = 1; i < levels; i++) {
			fm_fdt_begin(fdt, name);
			fm_fdt_prop_empty(fdt, "ranges");
		}
		tree_device(fdt, "ram", "x,ram");
		fm_fdt_prop_u32s(fdt, "reg", (const uint32_t[]){ 0, 0x1000, 0x1000 }, 3);
		fm_fdt_end(fdt);
		for (int i = 1; i < levels; i++)
			fm_fdt_end(fdt);
		if (levels > 31) {
			must_refuse(fdt, FM_ERR_FORMAT,
				    "nn: child at depth 32, expected at most 31");
			continue;
		}
		t = tree_end(fdt);
		assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, &ram, 1, NULL, NULL),
				 0);
		assert_int_equal(calls, 1);
		fm_machine_free(machine);
		free(t.blob);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlapping_memory_names_both_nodes),
		cmocka_unit_test(the_same_memory_twice_is_an_overlap),
		cmocka_unit_test(one_node_s_ranges_may_not_overlap_either),
		cmocka_unit_test(a_device_over_memory_names_both),
		cmocka_unit_test(two_devices_of_one_name_are_refused),
		cmocka_unit_test(memory_of_no_bytes_is_refused),
		cmocka_unit_test(memory_that_wraps_is_refused),
		cmocka_unit_test(memory_that_leaves_one_cell_s_addresses_is_refused),
		cmocka_unit_test(memory_that_no_host_has_is_refused),
		cmocka_unit_test(memory_in_more_pieces_than_any_machine_has_is_refused),
		cmocka_unit_test(more_devices_than_any_machine_has_are_refused),
		cmocka_unit_test(nodes_of_more_properties_than_any_has_are_refused),
		cmocka_unit_test(memory_without_reg_is_refused),
		cmocka_unit_test(an_empty_reg_is_refused),
		cmocka_unit_test(a_reg_of_half_a_pair_is_refused),
		cmocka_unit_test(cells_that_do_not_fit_64_bits_are_refused),
		cmocka_unit_test(cells_of_another_length_are_refused),
		cmocka_unit_test(a_bus_without_ranges_is_refused),
		cmocka_unit_test(ranges_that_hold_less_than_the_device_are_refused),
		cmocka_unit_test(ranges_of_half_an_entry_are_refused),
		cmocka_unit_test(ranges_of_more_entries_than_any_bus_has_are_refused),
		cmocka_unit_test(ranges_that_wrap_are_refused),
		cmocka_unit_test(strings_that_do_not_end_are_refused),
		cmocka_unit_test(a_list_whose_last_string_does_not_end_is_refused),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(a_name_beyond_all_reason_is_refused),
		cmocka_unit_test(a_tree_may_be_31_levels_deep_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
