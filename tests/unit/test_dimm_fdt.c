/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots and DIMMs from trees, and for the guest's tree. */
#include "tests/unit/dimm_fixture.h"
#include "tests/unit/fdt_build.h"

static const struct fm_fdt_binding bindings[] = {
	{ "firmem,dimm-slots", fm_dimms_fdt_build, NULL },
	{ "firmem,memory", fm_block_fdt_build, NULL },
	{ "pmem-region", fm_block_fdt_build, NULL },
};

/* A node of main memory, then one of slots that is open for more. */
static struct fm_fdt *begin_slots(void)
{
	const uint64_t ram[] = { 0, 16 * MIB };
	const uint64_t region[] = { REGION, 128 * MIB };
	struct fm_fdt *fdt = tree_begin();

	tree_device(fdt, "ram@0", "firmem,memory");
	fm_fdt_prop_text(fdt, "firmem,role", "ram");
	fm_fdt_prop_reg(fdt, ram, 1);
	fm_fdt_end(fdt);
	tree_device(fdt, "slots@100000000", "firmem,dimm-slots");
	fm_fdt_prop_reg(fdt, region, 1);
	fm_fdt_prop_u64(fdt, "firmem,max-memory", 80 * MIB);
	return fdt;
}

/* The usual four slots and two nodes. */
static struct fm_fdt *slots(void)
{
	struct fm_fdt *fdt = begin_slots();

	fm_fdt_prop_u32(fdt, "firmem,slots", 4);
	fm_fdt_prop_u32(fdt, "firmem,numa-nodes", 2);
	fm_fdt_end(fdt);
	return fdt;
}

/* A node that goes into a slot, open for more. */
static void begin_dimm(struct fm_fdt *fdt, const char *name, const char *role)
{
	tree_device(fdt, name, "firmem,memory");
	fm_fdt_prop_text(fdt, "firmem,role", role);
}

static int build(struct fm_machine **machine, struct fm_fdt *fdt, struct fm_error *err)
{
	struct tree t = tree_end(fdt);
	int rc = fm_machine_from_fdt(machine, t.blob, t.len, bindings, 3, NULL, err);

	free(t.blob);
	return rc;
}

static struct fm_machine *must_build(struct fm_fdt *fdt)
{
	struct fm_machine *machine = NULL;
	struct fm_error err = { 0 };

	if (build(&machine, fdt, &err))
		fail_msg("%s", err.msg);
	return machine;
}

static struct fm_fdt *good_tree(void)
{
	const uint64_t reg[] = { REGION + 32 * MIB, 4 * MIB };
	struct fm_fdt *fdt = slots();

	begin_dimm(fdt, "dimm@102000000", "dimm");
	fm_fdt_prop_reg(fdt, reg, 1);
	fm_fdt_prop_u32(fdt, "firmem,slot", 2);
	fm_fdt_prop_u32(fdt, "numa-node-id", 1);
	fm_fdt_prop_empty(fdt, "firmem,fixed");
	fm_fdt_end(fdt);
	begin_dimm(fdt, "nvdimm", "nvdimm");
	fm_fdt_prop_u32(fdt, "firmem,size", 6 * MIB);
	fm_fdt_prop_empty(fdt, "firmem,slot");
	fm_fdt_prop_text(fdt, "firmem,name", "nv0");
	fm_fdt_end(fdt);
	return fdt;
}

static void a_tree_has_slots_and_what_is_in_them(void **state)
{
	struct fm_machine *machine = must_build(good_tree());
	struct fm_dimms *set = fm_dimms_of(machine);
	struct fm_dimm *nv, *d;

	assert_string_equal(fm_dev_name(fm_dimms_dev(set)), "slots@100000000");
	assert_int_equal(fm_dimms_slots(set), 4);
	assert_int_equal(fm_dimms_nodes(set), 2);
	assert_int_equal(fm_dimms_base_memory(set), 16 * MIB);
	assert_int_equal(fm_dimms_max_memory(set), 80 * MIB);
	assert_int_equal(fm_dimms_plugged_memory(set), 10 * MIB);
	nv = fm_dimms_next(set, NULL);
	d = fm_dimms_next(set, nv);
	assert_string_equal(fm_dimm_id(nv), "nv0");
	assert_true(fm_dimm_gpa(nv) == REGION);
	assert_int_equal(fm_dimm_slot(nv), 0);
	assert_int_equal(fm_dimm_node(nv), 0);
	assert_true(fm_dimm_hotpluggable(nv));
	assert_string_equal(fm_dimm_id(d), "dimm@102000000");
	assert_true(fm_dimm_gpa(d) == REGION + 32 * MIB);
	assert_int_equal(fm_dimm_slot(d), 2);
	assert_int_equal(fm_dimm_node(d), 1);
	assert_false(fm_dimm_hotplugged(d) || fm_dimm_hotpluggable(d));
	fm_machine_free(machine);
}

static void the_base_memory_is_what_a_tree_says(void **state)
{
	struct fm_fdt *fdt = begin_slots();
	struct fm_machine *machine;

	fm_fdt_prop_u32(fdt, "firmem,slots", 1);
	fm_fdt_prop_u64(fdt, "firmem,base-memory", 48 * MIB);
	fm_fdt_prop_u32(fdt, "firmem,align", 4096);
	fm_fdt_end(fdt);
	begin_dimm(fdt, "dimm", "dimm");
	fm_fdt_prop_u32(fdt, "firmem,size", 12288);
	fm_fdt_prop_empty(fdt, "firmem,slot");
	fm_fdt_end(fdt);
	machine = must_build(fdt);
	assert_int_equal(fm_dimms_base_memory(fm_dimms_of(machine)), 48 * MIB);
	assert_int_equal(fm_dimms_plugged_memory(fm_dimms_of(machine)), 12288);
	fm_machine_free(machine);
}

/* --- lies ----------------------------------------------------------------------------------------- */

static void refuse(struct fm_fdt *fdt, int code, const char *path, const char *what)
{
	struct fm_machine *machine = NULL;
	struct fm_error err = { 0 };

	assert_int_equal(build(&machine, fdt, &err), code);
	assert_null(machine);
	if (strncmp(err.msg, "device tree: /", 14) || !strstr(err.msg, path) ||
	    !strstr(err.msg, what) || !strstr(err.msg, "expected"))
		fail_msg("\"%s\" does not say \"%s\" of %s", err.msg, what, path);
}

static void refuse_slots(const char *prop, uint64_t value, int code, const char *what)
{
	struct fm_fdt *fdt = begin_slots();

	if (strcmp(prop, "firmem,slots") != 0)
		fm_fdt_prop_u32(fdt, "firmem,slots", 4);
	if (*prop)
		fm_fdt_prop_u64(fdt, prop, value);
	fm_fdt_end(fdt);
	refuse(fdt, code, "/slots@100000000", what);
}

static void slots_that_lie_are_named(void **state)
{
	struct fm_fdt *fdt;

	refuse_slots("firmem,slots", 0, FM_ERR_FORMAT, "firmem,slots: 0, expected 1 to 256");
	refuse_slots("firmem,slots", 257, FM_ERR_FORMAT, "firmem,slots: 257");
	refuse_slots("firmem,numa-nodes", 0, FM_ERR_FORMAT, "firmem,numa-nodes: 0");
	refuse_slots("firmem,align", 6 * MIB, FM_ERR_ARG, "align: 0x600000");
	refuse_slots("firmem,base-memory", 80 * MIB, FM_ERR_ARG, "max_memory: 0x5000000");
	fdt = begin_slots();
	fm_fdt_end(fdt);
	refuse(fdt, FM_ERR_NOT_FOUND, "/slots@100000000", "firmem,slots: is missing");
	fdt = slots();
	tree_device(fdt, "again", "firmem,dimm-slots");
	fm_fdt_prop_reg(fdt, (const uint64_t[]){ 2 * REGION, MIB }, 1);
	fm_fdt_prop_u32(fdt, "firmem,slots", 1);
	fm_fdt_prop_u64(fdt, "firmem,max-memory", 80 * MIB);
	fm_fdt_end(fdt);
	refuse(fdt, FM_ERR_EXISTS, "/again", "has slots");
}

enum lie {
	TWO_RANGES,
	SHORT_RANGE,
	OFFSET,
	PRIORITY,
	DISABLED,
	SLOT_BYTES,
	SLOT_HIGH,
	SLOT_HUGE,
	NODE_HIGH,
	NODE_BYTES,
	ROLE,
	OUTSIDE,
	UNALIGNED,
	LARGE,
	LIES
};

static struct fm_fdt *lying_dimm(enum lie lie)
{
	uint64_t reg[] = { REGION + (lie == OUTSIDE ? 126 : 0) * MIB +
				   (lie == UNALIGNED ? 4096 : 0),
			   (lie == LARGE ? 66 : 4) * MIB, REGION + 8 * MIB, 4 * MIB };
	struct fm_fdt *fdt = slots();

	begin_dimm(fdt, "dimm", lie == ROLE ? "vram" : "dimm");
	fm_fdt_prop_reg(fdt, reg, lie == TWO_RANGES ? 2 : 1);
	if (lie == SHORT_RANGE)
		fm_fdt_prop_u32(fdt, "firmem,size", 6 * MIB);
	if (lie == OFFSET)
		fm_fdt_prop_u32(fdt, "firmem,offset", 0);
	if (lie == PRIORITY)
		fm_fdt_prop_u32(fdt, "firmem,priority", 1);
	if (lie == DISABLED)
		fm_fdt_prop_empty(fdt, "firmem,disabled");
	if (lie == SLOT_BYTES)
		fm_fdt_prop(fdt, "firmem,slot", "abc", 3);
	else if (lie == SLOT_HUGE)
		fm_fdt_prop_u64(fdt, "firmem,slot", REGION);
	else
		fm_fdt_prop_u32(fdt, "firmem,slot", lie == SLOT_HIGH ? 4 : 0);
	if (lie == NODE_HIGH)
		fm_fdt_prop_u32(fdt, "numa-node-id", 2);
	if (lie == NODE_BYTES)
		fm_fdt_prop_u64(fdt, "numa-node-id", 0);
	fm_fdt_end(fdt);
	return fdt;
}

static void dimms_that_lie_are_named(void **state)
{
	static const struct {
		int code;
		const char *what;
	} said[LIES] = {
		[TWO_RANGES] = { FM_ERR_FORMAT, "reg: 2 ranges" },
		[SHORT_RANGE] = { FM_ERR_FORMAT, "reg: 1 ranges, the first of 0x400000" },
		[OFFSET] = { FM_ERR_FORMAT, "firmem,offset: is there" },
		[PRIORITY] = { FM_ERR_FORMAT, "firmem,priority: is there" },
		[DISABLED] = { FM_ERR_FORMAT, "firmem,disabled: is there" },
		[SLOT_BYTES] = { FM_ERR_FORMAT, "firmem,slot: 3 bytes" },
		[SLOT_HIGH] = { FM_ERR_RANGE, ".slot: 4, expected 0 to 3" },
		[SLOT_HUGE] = { FM_ERR_FORMAT, "firmem,slot: 0x100000000" },
		[NODE_HIGH] = { FM_ERR_RANGE, ".node: 0x2" },
		[NODE_BYTES] = { FM_ERR_FORMAT, "numa-node-id" },
		[ROLE] = { FM_ERR_ARG, "role vram" },
		[OUTSIDE] = { FM_ERR_RANGE, ".gpa: 0x400000 bytes at 0x107e00000" },
		[UNALIGNED] = { FM_ERR_ARG, ".gpa: 0x100001000" },
		[LARGE] = { FM_ERR_RANGE, "0x4200000 bytes, expected at most 0x4000000" },
	};
	struct fm_fdt *fdt;

	for (unsigned i = 0; i < LIES; i++)
		refuse(lying_dimm((enum lie)i), said[i].code, "/dimm", said[i].what);
	fdt = tree_begin();
	begin_dimm(fdt, "dimm", "dimm");
	fm_fdt_prop_u32(fdt, "firmem,size", 4 * MIB);
	fm_fdt_prop_empty(fdt, "firmem,slot");
	fm_fdt_end(fdt);
	refuse(fdt, FM_ERR_NOT_FOUND, "/dimm", "firmem,slot: no slots");
}

/* --- for the guest -------------------------------------------------------------------------------- */

static int ask_pmem(const struct fm_fdt_node *node, struct fm_machine *machine,
		    struct fm_space *space, void *ctx, struct fm_error *err)
{
	uint64_t gpa, len;
	uint32_t numa = 9;

	assert_int_equal(fm_fdt_node_reg(node, 0, &gpa, &len, err), 0);
	assert_int_equal(fm_fdt_node_u32(node, "numa-node-id", &numa, err), 0);
	assert_true(gpa == REGION && len == 6 * MIB);
	assert_int_equal(numa, 0);
	++*(int *)ctx;
	return 0;
}

static void the_guests_tree_names_them_and_their_nodes(void **state)
{
	struct fm_machine *machine = must_build(good_tree());
	struct fm_fdt *fdt = tree_begin();
	int asked = 0;
	const struct fm_fdt_binding ask = { "pmem-region", ask_pmem, &asked };
	struct fm_machine *guest = NULL;
	struct fm_block *block;
	struct tree t;

	plug(&(struct fixture){ .dimms = fm_dimms_of(machine) }, "gone", 2, DIMM_CONFIG());
	assert_int_equal(fm_dimm_remove(fm_dimms_find(fm_dimms_of(machine), "gone"), NULL), 0);
	fm_fdt_add_dimms(fdt, fm_dimms_of(machine));
	t = tree_end(fdt);
	assert_int_equal(fm_machine_from_fdt(&guest, t.blob, t.len, &ask, 1, NULL, NULL), 0);
	assert_int_equal(asked, 1);
	block = fm_machine_next_block(guest, FM_WALK_ALL, NULL);
	assert_string_equal(fm_block_name(block), "memory@102000000");
	/* "hotpluggable" is what makes it a DIMM. */
	assert_int_equal(fm_block_role(block), FM_ROLE_DIMM);
	assert_null(fm_machine_next_block(guest, FM_WALK_ALL, block));
	fm_machine_free(guest);
	fm_machine_free(machine);
	free(t.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_has_slots_and_what_is_in_them),
		cmocka_unit_test(the_base_memory_is_what_a_tree_says),
		cmocka_unit_test(slots_that_lie_are_named),
		cmocka_unit_test(dimms_that_lie_are_named),
		cmocka_unit_test(the_guests_tree_names_them_and_their_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
