/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of introspection, and of reading a tree of two worlds, fails once. */
#include "tests/unit/fdt_build.h"
#include "tests/unit/nomem.h"

#include <firmem/introspect.h>

static struct tree two_worlds(void)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_add_memory(fdt, 0x40000000, 0x10000, -1);
	fm_fdt_begin(fdt, "secram");
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_reg(fdt, (const uint64_t[]){ 0xe000000, 0x1000 }, 1);
	fm_fdt_prop_text(fdt, "status", "disabled");
	fm_fdt_prop_text(fdt, "secure-status", "okay");
	fm_fdt_end(fdt);
	return tree_end(fdt);
}

static int visit(const struct fm_fdt_node *node, void *ctx, struct fm_error *err)
{
	++*(int *)ctx;
	return 0;
}

static void a_machine_of_two_worlds_is_built_and_told_whole_or_not_at_all(void **state)
{
	const struct fm_fdt_options options = { .struct_size = sizeof(options), .secure = true };
	struct tree t = two_worlds();
	struct fm_machine *machine = NULL;
	struct fm_ramblock *rows = NULL;
	struct fm_flat *flat = NULL;
	struct fm_space *secure;
	struct fm_error err = { 0 };
	size_t count = 7;
	int visits = 0;

	NOMEM_EACH(fm_fdt_visit(t.blob, t.len, NULL, visit, &visits, &err),
		   assert_int_equal(visits, 0));
	assert_int_equal(visits, 2);
	NOMEM_EACH(fm_machine_from_fdt(&machine, t.blob, t.len, NULL, 0, &options, &err),
		   assert_null(machine));
	secure = fm_machine_space(machine, "secure-memory");
	assert_non_null(secure);
	NOMEM_EACH(fm_machine_ramblocks(machine, &rows, &count, &err), {
		assert_null(rows);
		assert_int_equal(count, 7);
	});
	assert_int_equal(count, 2);
	count = 7;
	NOMEM_EACH(fm_space_flat(secure, &flat, &count, &err), {
		assert_null(flat);
		assert_int_equal(count, 7);
	});
	assert_int_equal(count, 2);
	rows[0].placed = false;
	NOMEM_EACH(fm_ramblock_place(rows, 2, &err), assert_false(rows[0].placed));
	free(flat);
	free(rows);
	fm_machine_free(machine);
	free(t.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_of_two_worlds_is_built_and_told_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
