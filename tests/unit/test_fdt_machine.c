/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine that a tree describes. */
#include "tests/unit/fdt_build.h"
#include "tests/unit/tmpdir.h"

/* --- a tree, its machine ------------------------------------------------------------------- */

struct built {
	struct fm_machine *machine;
	struct fm_space *space;
	int calls; /* of the binding for "x,ram" */
};

static int read_with(struct built *b, struct fm_fdt *fdt, const struct fm_fdt_options *options,
		     struct fm_error *err)
{
	const struct fm_fdt_binding bindings[] = { { "x,ram", tree_build_ram, &b->calls } };
	struct tree t = tree_end(fdt);
	int rc;

	b->calls = 0;
	b->machine = NULL;
	rc = fm_machine_from_fdt(&b->machine, t.blob, t.len, bindings, 1, options, err);
	free(t.blob);
	b->space = rc ? NULL : fm_machine_space(b->machine, "memory");
	return rc;
}

static struct built must_build(struct fm_fdt *fdt)
{
	struct built b;
	struct fm_error err = { 0 };

	if (read_with(&b, fdt, NULL, &err))
		fail_msg("%s", err.msg);
	assert_non_null(b.space);
	assert_int_equal(err.code, 0);
	return b;
}

/* Does the window at `gpa` show all of a block of that name, role and length? */
static void assert_window(const struct built *b, uint64_t gpa, const char *name, enum fm_role role,
			  uint64_t len)
{
	const struct fm_view *view = fm_space_view_get(b->space);
	const struct fm_range *range = fm_view_find(view, gpa);

	assert_non_null(range);
	assert_int_equal(range->gpa, gpa);
	assert_int_equal(range->len, len);
	assert_int_equal(range->block_off, 0);
	assert_string_equal(fm_block_name(range->block), name);
	assert_int_equal(fm_block_role(range->block), role);
	assert_int_equal(fm_block_len(range->block), len);
	assert_ptr_equal(range->block, fm_machine_block(b->machine, name));
	assert_ptr_equal(range->dev, fm_machine_dev(b->machine, name));
	fm_view_put(view);
}

static size_t count_windows(const struct built *b)
{
	size_t n = 0;

	for (struct fm_window *w = NULL; (w = fm_space_next_window(b->space, w));)
		n++;
	return n;
}

/* --- what is built ------------------------------------------------------------------------- */

static void memory_nodes_become_ram_lowest_first(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	fm_fdt_add_memory(fdt, 0x80000000, 0x40000000, 1);
	fm_fdt_add_memory(fdt, 0x40000000, 0x40000000, 0);
	b = must_build(fdt);
	assert_window(&b, 0x40000000, "memory@40000000", FM_ROLE_RAM, 0x40000000);
	assert_window(&b, 0x80000000, "memory@80000000", FM_ROLE_RAM, 0x40000000);
	assert_int_equal(count_windows(&b), 2);
	assert_string_equal(fm_block_name(fm_machine_next_block(b.machine, FM_WALK_DUMPABLE, NULL)),
			    "memory@40000000");
	assert_int_equal(fm_block_backing(fm_machine_block(b.machine, "memory@40000000")),
			 FM_BACKING_ANON);
	fm_machine_free(b.machine);
}

static void each_range_of_a_memory_node_is_a_block(void **state)
{
	const uint64_t reg[] = { 0x1000, 0x2000, 0x3000, 0x1000, 0, 1 };
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	fm_fdt_begin(fdt, "memory");
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_reg(fdt, reg, 3);
	fm_fdt_end(fdt);
	b = must_build(fdt);
	assert_window(&b, 0x0, "memory@0", FM_ROLE_RAM, 1);
	assert_window(&b, 0x1000, "memory@1000", FM_ROLE_RAM, 0x2000);
	assert_window(&b, 0x3000, "memory@3000", FM_ROLE_RAM, 0x1000);
	fm_machine_free(b.machine);
}

static void hotpluggable_memory_is_a_dimm(void **state)
{
	const uint64_t reg[] = { 0x1000, 0x2000 };
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	fm_fdt_begin(fdt, "memory");
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_reg(fdt, reg, 1);
	fm_fdt_prop_empty(fdt, "hotpluggable");
	fm_fdt_end(fdt);
	b = must_build(fdt);
	assert_window(&b, 0x1000, "memory@1000", FM_ROLE_DIMM, 0x2000);
	fm_machine_free(b.machine);
}

static void memory_may_end_with_the_address_space(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	fm_fdt_add_memory(fdt, UINT64_MAX - 0xfff, 0x1000, -1);
	b = must_build(fdt);
	assert_window(&b, UINT64_MAX - 0xfff, "memory@fffffffffffff000", FM_ROLE_RAM, 0x1000);
	fm_machine_free(b.machine);
}

static void a_tree_without_memory_is_an_empty_machine(void **state)
{
	struct built b = must_build(tree_begin());

	assert_int_equal(count_windows(&b), 0);
	assert_null(fm_machine_next_dev(b.machine, NULL));
	assert_string_equal(fm_machine_name(b.machine), "machine");
	fm_machine_free(b.machine);
}

static void the_name_is_the_options_or_the_model(void **state)
{
	const struct fm_fdt_options options = { .struct_size = sizeof(options), .name = "mine" };
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	fm_fdt_prop_text(fdt, "model", "A Board");
	b = must_build(fdt);
	assert_string_equal(fm_machine_name(b.machine), "A Board");
	fm_machine_free(b.machine);
	fdt = tree_begin();
	fm_fdt_prop_text(fdt, "model", "A Board");
	assert_int_equal(read_with(&b, fdt, &options, NULL), 0);
	assert_string_equal(fm_machine_name(b.machine), "mine");
	fm_machine_free(b.machine);
}

static void ram_may_be_memfds(void **state)
{
	const struct fm_fdt_options options = { .struct_size = sizeof(options),
						.ram_backing = FM_BACKING_MEMFD };
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	fm_fdt_add_memory(fdt, 0, 0x1000, -1);
	assert_int_equal(read_with(&b, fdt, &options, NULL), 0);
	assert_int_equal(fm_block_backing(fm_machine_block(b.machine, "memory@0")),
			 FM_BACKING_MEMFD);
	fm_machine_free(b.machine);
}

/* The lowest address first, and only to be read. */
static void ram_may_be_a_file_of_another_process(void **state)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct fm_fdt_options options = { .struct_size = sizeof(options),
					  .ram_path = tmpdir_path(state, "ram") };
	struct fm_error err = { 0 };
	struct fm_fdt *fdt = tree_begin();
	const struct fm_block *low, *high;
	struct built b;
	int fd;

	tmpdir_fill(options.ram_path, 3 * page, 0x11);
	fd = open(options.ram_path, O_WRONLY);
	assert_int_equal(pwrite(fd, "high", 4, (off_t)(2 * page)), 4);
	close(fd);
	fm_fdt_add_memory(fdt, 0x80000000, page, -1);
	fm_fdt_add_memory(fdt, 0x40000000, 2 * page, -1);
	assert_int_equal(read_with(&b, fdt, &options, NULL), 0);
	low = fm_machine_block(b.machine, "memory@40000000");
	high = fm_machine_block(b.machine, "memory@80000000");
	assert_int_equal(fm_block_flags(low), FM_BLOCK_SHARED | FM_BLOCK_READONLY);
	assert_int_equal(*(const uint8_t *)fm_block_ptr(low), 0x11);
	assert_memory_equal(fm_block_ptr(high), "high", 4);
	fm_machine_free(b.machine);
	/* Too short, and ranges that begin in the middle of a page of it. */
	fdt = tree_begin();
	fm_fdt_add_memory(fdt, 0, 4 * page, -1);
	assert_int_equal(read_with(&b, fdt, &options, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, options.ram_path));
	fdt = tree_begin();
	fm_fdt_add_memory(fdt, 0, page / 2, -1);
	fm_fdt_add_memory(fdt, 0x40000000, page, -1);
	assert_int_equal(read_with(&b, fdt, &options, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "file_off"));
}

static void nodes_not_in_use_are_left_out_with_their_children(void **state)
{
	static const char *const states[] = { "disabled", "reserved", "fail", "fail-ecc" };
	struct fm_fdt *fdt = tree_begin();
	const uint64_t reg[] = { 0x1000, 0x1000 };
	struct built b;

	for (size_t i = 0; i < 4; i++) {
		char name[32];

		snprintf(name, sizeof(name), "bus-%zu", i);
		fm_fdt_begin(fdt, name);
		fm_fdt_prop_text(fdt, "status", states[i]);
		fm_fdt_prop_empty(fdt, "ranges");
		tree_device(fdt, "ram@0", "x,ram");
		fm_fdt_prop_text(fdt, "status", "okay");
		fm_fdt_end(fdt);
		fm_fdt_end(fdt);
	}
	tree_device(fdt, "ram@1000", "x,ram");
	fm_fdt_prop_text(fdt, "status", "ok");
	fm_fdt_prop_reg(fdt, reg, 1);
	fm_fdt_end(fdt);
	b = must_build(fdt);
	assert_int_equal(b.calls, 1);
	assert_window(&b, 0x1000, "ram@1000", FM_ROLE_DEVICE, 0x1000);
	fm_machine_free(b.machine);
}

static void cells_default_to_two_and_one(void **state)
{
	const uint32_t reg[] = { 1, 0x2000, 0x3000 };
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	fm_fdt_begin(fdt, "soc");
	fm_fdt_prop_empty(fdt, "ranges");
	tree_device(fdt, "ram", "x,ram");
	fm_fdt_prop_u32s(fdt, "reg", reg, 3);
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	b = must_build(fdt);
	assert_window(&b, 0x100002000, "ram", FM_ROLE_DEVICE, 0x3000);
	fm_machine_free(b.machine);
}

static void addresses_go_up_through_every_bus(void **state)
{
	/* Below: one cell each. Two entries, the second matters. */
	const uint32_t outer[] = { 0, 0, 0x10000000, 0x10000, 0x40000, 2, 0x20000000, 0x10000 };
	const uint32_t inner[] = { 0x100, 0x48000, 0x4000 };
	const uint32_t reg[] = { 0x1100, 0x3000 };
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	tree_bus(fdt, "soc", 1, 1);
	fm_fdt_prop_u32s(fdt, "ranges", outer, 8);
	tree_bus(fdt, "bus", 1, 1);
	fm_fdt_prop_u32s(fdt, "ranges", inner, 3);
	tree_device(fdt, "ram", "x,ram");
	fm_fdt_prop_u32s(fdt, "reg", reg, 2);
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	b = must_build(fdt);
	/* 0x1100 -> 0x48000 + 0x1000 -> 0x220000000 + 0x9000 */
	assert_window(&b, 0x220009000, "ram", FM_ROLE_DEVICE, 0x3000);
	fm_machine_free(b.machine);
}

static void buses_that_nothing_bound_is_on_may_say_anything(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	struct built b;

	tree_bus(fdt, "pcie", 3, 2);
	fm_fdt_prop_u32(fdt, "ranges", 1);
	tree_device(fdt, "other", "y,other");
	fm_fdt_prop_u32(fdt, "reg", 1);
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	b = must_build(fdt);
	fm_machine_free(b.machine);
}

/* --- bindings ------------------------------------------------------------------------------ */

static int note(const struct fm_fdt_node *node, struct fm_machine *machine, struct fm_space *space,
		void *ctx, struct fm_error *err)
{
	strcat(ctx, fm_fdt_node_path(node));
	return 0;
}

static void the_first_string_that_has_a_binding_wins(void **state)
{
	char first[64] = "", second[64] = "";
	const struct fm_fdt_binding bindings[] = { { "x,second", note, second },
						   { "x,first", note, first } };
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *machine;
	struct tree t;

	fm_fdt_begin(fdt, "soc");
	fm_fdt_prop_texts(fdt, "compatible",
			  (const char *const[]){ "x,none", "x,first", "x,second", NULL });
	fm_fdt_begin(fdt, "dev@0");
	fm_fdt_prop_texts(fdt, "compatible", (const char *const[]){ "x,second", "x,first", NULL });
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	tree_device(fdt, "memory", "x,second");
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_end(fdt);
	t = tree_end(fdt);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, bindings, 2, NULL, NULL), 0);
	assert_string_equal(first, "/soc");
	assert_string_equal(second, "/soc/dev@0/memory");
	fm_machine_free(machine);
	free(t.blob);
}

static int fail_with(const struct fm_fdt_node *node, struct fm_machine *machine,
		     struct fm_space *space, void *ctx, struct fm_error *err)
{
	const char *text = ctx;

	return text ? fm_error_set(err, FM_ERR_IO, 5, text, fm_fdt_node_source(node)) : FM_ERR_IO;
}

static void check_binding_failure(const char *text, const char *expected)
{
	char copy[32];
	const struct fm_fdt_binding bindings[] = { { "x,fail", fail_with,
						     text ? strcpy(copy, text) : NULL } };
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *machine = NULL;
	struct fm_error err = { 0 };
	struct tree t;

	fm_fdt_add_memory(fdt, 0, 0x1000, -1);
	tree_device(fdt, "dev", "x,fail");
	fm_fdt_end(fdt);
	t = tree_end(fdt);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, bindings, 1, NULL, &err),
			 FM_ERR_IO);
	assert_null(machine);
	assert_string_equal(err.msg, expected);
	assert_int_equal(err.sys, text ? 5 : 0);
	free(t.blob);
}

static void a_failed_binding_drops_the_machine_and_is_told_once(void **state)
{
	check_binding_failure("%s: it broke", "device tree: it broke");
	check_binding_failure("it broke", "device tree: /dev: it broke");
	check_binding_failure(NULL, "device tree: /dev: input/output error");
}

static int ask_all(const struct fm_fdt_node *node, struct fm_machine *machine,
		   struct fm_space *space, void *ctx, struct fm_error *err)
{
	uint64_t addr = 1, len = 2;
	uint32_t value = 3;
	const char *text = "unset";

	assert_string_equal(fm_fdt_node_name(node), "dev@5");
	assert_string_equal(fm_fdt_node_path(node), "/dev@5");
	assert_string_equal(fm_fdt_node_source(node), "device tree");
	assert_true(fm_fdt_node_has(node, "empty"));
	assert_false(fm_fdt_node_has(node, "absent"));
	assert_int_equal(fm_fdt_node_reg_count(node, err), 2);
	assert_int_equal(fm_fdt_node_reg(node, 2, &addr, &len, err), FM_ERR_RANGE);
	assert_int_equal(fm_fdt_node_u32(node, "absent", &value, err), FM_ERR_NOT_FOUND);
	assert_string_equal(err->msg, "device tree: /dev@5: absent: is missing, expected a value");
	assert_int_equal(fm_fdt_node_u32(node, "empty", &value, err), FM_ERR_FORMAT);
	assert_int_equal(fm_fdt_node_text(node, "absent", &text, err), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_fdt_node_text(node, "empty", &text, err), FM_ERR_FORMAT);
	assert_int_equal(fm_fdt_node_text(node, "value", &text, err), FM_ERR_FORMAT);
	assert_int_equal(fm_fdt_node_text(node, "compatible", &text, err), FM_ERR_FORMAT);
	assert_non_null(strstr(err->msg, "6 bytes behind the NUL of \"x,ask\", expected one"));
	assert_true(addr == 1 && len == 2 && value == 3 && !strcmp(text, "unset"));
	assert_int_equal(fm_fdt_node_reg(node, 1, &addr, &len, err), 0);
	assert_int_equal(fm_fdt_node_u32(node, "value", &value, err), 0);
	assert_int_equal(fm_fdt_node_text(node, "text", &text, err), 0);
	assert_true(addr == 7 && len == 8 && value == 0x01020304 && !strcmp(text, "hello"));
	return 0;
}

static void a_node_answers_exactly(void **state)
{
	const struct fm_fdt_binding bindings[] = { { "x,ask", ask_all, NULL } };
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *machine;
	struct fm_error err = { 0 };
	struct tree t;

	fm_fdt_begin(fdt, "dev@5");
	fm_fdt_prop_texts(fdt, "compatible", (const char *const[]){ "x,ask", "other", NULL });
	fm_fdt_prop_reg(fdt, (const uint64_t[]){ 5, 6, 7, 8 }, 2);
	fm_fdt_prop_u32(fdt, "value", 0x01020304);
	fm_fdt_prop_text(fdt, "text", "hello");
	fm_fdt_prop_empty(fdt, "empty");
	fm_fdt_end(fdt);
	t = tree_end(fdt);
	if (fm_machine_from_fdt(&machine, t.blob, t.len, bindings, 1, NULL, &err))
		fail_msg("%s", err.msg);
	fm_machine_free(machine);
	free(t.blob);
}

/* --- arguments ----------------------------------------------------------------------------- */

static void impossible_arguments_are_refused(void **state)
{
	const struct fm_fdt_binding unnamed[] = { { NULL, note, NULL } };
	const struct fm_fdt_binding unbuilt[] = { { "x", NULL, NULL } };
	const struct fm_fdt_options file = { .struct_size = sizeof(file),
					     .ram_backing = FM_BACKING_FILE };
	const struct fm_fdt_options flags = { .struct_size = sizeof(flags), .space_flags = 0x80 };
	const struct fm_fdt_options empty = { .struct_size = sizeof(empty), .name = "" };
	const struct fm_fdt_options untagged = { .struct_size = 0 };
	struct fm_machine *machine = NULL;
	struct tree t = tree_end(tree_begin());

	assert_int_equal(fm_machine_from_fdt(NULL, t.blob, t.len, NULL, 0, NULL, NULL), FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, NULL, 9, NULL, 0, NULL, NULL), FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, NULL, 1, NULL, NULL),
			 FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, unnamed, 1, NULL, NULL),
			 FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, unbuilt, 1, NULL, NULL),
			 FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, NULL, 0, &file, NULL),
			 FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, NULL, 0, &flags, NULL),
			 FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, NULL, 0, &empty, NULL),
			 FM_ERR_ARG);
	assert_int_equal(fm_machine_from_fdt(&machine, t.blob, t.len, NULL, 0, &untagged, NULL),
			 FM_ERR_ARG);
	assert_null(machine);
	free(t.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_nodes_become_ram_lowest_first),
		cmocka_unit_test(each_range_of_a_memory_node_is_a_block),
		cmocka_unit_test(hotpluggable_memory_is_a_dimm),
		cmocka_unit_test(memory_may_end_with_the_address_space),
		cmocka_unit_test(a_tree_without_memory_is_an_empty_machine),
		cmocka_unit_test(the_name_is_the_options_or_the_model),
		cmocka_unit_test(ram_may_be_memfds),
		tmpdir_test(ram_may_be_a_file_of_another_process),
		cmocka_unit_test(nodes_not_in_use_are_left_out_with_their_children),
		cmocka_unit_test(cells_default_to_two_and_one),
		cmocka_unit_test(addresses_go_up_through_every_bus),
		cmocka_unit_test(buses_that_nothing_bound_is_on_may_say_anything),
		cmocka_unit_test(the_first_string_that_has_a_binding_wins),
		cmocka_unit_test(a_failed_binding_drops_the_machine_and_is_told_once),
		cmocka_unit_test(a_node_answers_exactly),
		cmocka_unit_test(impossible_arguments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
