/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of writing and of reading a tree fails once. */
#include "tests/unit/fdt_build.h"
#include "tests/unit/nomem.h"

#include <firmem/dimm.h>
#include <firmem/flash.h>

/* All calls that write, long enough to grow the buffer between any two of them. */
static int write_tree(void **blob, size_t *len, struct fm_error *err)
{
	static const uint64_t banks[] = { 0, 0x10000, 0x10000, 0x10000 };
	static uint8_t filler[6000];
	struct fm_fdt *fdt;
	int rc = fm_fdt_new(&fdt, err);

	if (rc)
		return rc;
	fm_fdt_prop(fdt, "filler", filler, sizeof(filler));
	fm_fdt_prop_text(fdt, "model", "Test");
	fm_fdt_prop_texts(fdt, "compatible", (const char *const[]){ "a", "b", NULL });
	fm_fdt_prop_u64(fdt, "u64", 1);
	fm_fdt_add_memory(fdt, 0x40000000, 0x10000, 0);
	fm_fdt_add_memory(fdt, 0x50000000, 0x10000, 1);
	fm_fdt_add_flash(fdt, banks, 2, 4);
	for (unsigned i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "node-%u", i);
		fm_fdt_begin(fdt, name);
		fm_fdt_prop_u32(fdt, name, i);
		fm_fdt_end(fdt);
	}
	rc = fm_fdt_finish(fdt, blob, len, err);
	fm_fdt_free(fdt);
	return rc;
}

static void a_tree_is_written_whole_or_out_of_memory_is_told(void **state)
{
	struct fm_error err = { 0 };
	void *blob = NULL;
	size_t len = 0;

	NOMEM_EACH(write_tree(&blob, &len, &err), {
		assert_null(blob);
		assert_int_equal(len, 0);
		assert_int_equal(err.code, FM_ERR_NOMEM);
		assert_non_null(strstr(err.msg, "memory"));
	});
	assert_true(nomem_failed > 200);
	free(blob);
}

static void a_machine_is_built_whole_or_not_at_all(void **state)
{
	struct fm_flash_fdt_options flash = { .struct_size = sizeof(flash), .sector_len = 0x1000 };
	const struct fm_fdt_binding bindings[] = { { "cfi-flash", fm_flash_fdt_build, &flash } };
	struct fm_machine *machine = NULL;
	struct fm_error err = { 0 };
	unsigned before;
	void *blob;
	size_t len;

	assert_int_equal(write_tree(&blob, &len, NULL), 0);
	before = nomem_failed;
	NOMEM_EACH(fm_machine_from_fdt(&machine, blob, len, bindings, 1, NULL, &err), {
		assert_null(machine);
		assert_int_equal(err.code, FM_ERR_NOMEM);
		assert_memory_equal(err.msg, "device tree: ", 13);
	});
	assert_true(nomem_failed > before + 20);
	assert_non_null(fm_machine_dev(machine, "flash@10000"));
	fm_machine_free(machine);
	free(blob);
}

static struct tree slots_tree(void)
{
	const uint64_t region[] = { 0x100000000, 0x100000 };
	struct fm_fdt *fdt = tree_begin();

	tree_device(fdt, "slots", "firmem,dimm-slots");
	fm_fdt_prop_reg(fdt, region, 1);
	fm_fdt_prop_u32(fdt, "firmem,slots", 2);
	fm_fdt_prop_u32(fdt, "firmem,max-memory", 0x100000);
	fm_fdt_prop_u32(fdt, "firmem,align", 0x1000);
	fm_fdt_end(fdt);
	for (unsigned i = 0; i < 2; i++) {
		tree_device(fdt, i ? "dimm1" : "dimm0", "firmem,memory");
		fm_fdt_prop_text(fdt, "firmem,role", "dimm");
		fm_fdt_prop_u32(fdt, "firmem,size", 0x4000);
		fm_fdt_prop_empty(fdt, "firmem,slot");
		fm_fdt_end(fdt);
	}
	return tree_end(fdt);
}

static void slots_and_dimms_are_built_whole_or_not_at_all(void **state)
{
	const struct fm_fdt_binding bindings[] = {
		{ "firmem,dimm-slots", fm_dimms_fdt_build, NULL },
		{ "firmem,memory", fm_block_fdt_build, NULL },
	};
	struct fm_machine *machine = NULL;
	struct tree t = slots_tree();
	unsigned before = nomem_failed;

	NOMEM_EACH(fm_machine_from_fdt(&machine, t.blob, t.len, bindings, 2, NULL, NULL),
		   assert_null(machine));
	assert_true(nomem_failed > before + 20);
	assert_int_equal(fm_dimms_plugged_memory(fm_dimms_of(machine)), 0x8000);
	fm_machine_free(machine);
	free(t.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_is_written_whole_or_out_of_memory_is_told),
		cmocka_unit_test(a_machine_is_built_whole_or_not_at_all),
		cmocka_unit_test(slots_and_dimms_are_built_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
