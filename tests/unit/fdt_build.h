/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_build: trees for tests, and a binding that counts what it is asked for. */
#ifndef FIRMEM_TESTS_FDT_BUILD_H
#define FIRMEM_TESTS_FDT_BUILD_H

#include "fuzz/fdt_build.h"
#include "tests/unit/unit.h"

#include <firmem/fdt.h>

struct tree {
	void *blob;
	size_t len;
};

/* The root is open, with two cells for addresses and lengths each. */
static inline struct fm_fdt *tree_begin(void)
{
	struct fm_fdt *fdt;

	assert_int_equal(fm_fdt_new(&fdt, NULL), 0);
	return fdt;
}

static inline struct tree tree_end(struct fm_fdt *fdt)
{
	struct tree t;
	struct fm_error err = { 0 };

	if (fm_fdt_finish(fdt, &t.blob, &t.len, &err))
		fail_msg("%s", err.msg);
	fm_fdt_free(fdt);
	return t;
}

/* A node of one "compatible" string that is open for more. */
static inline void tree_device(struct fm_fdt *fdt, const char *name, const char *compatible)
{
	fm_fdt_begin(fdt, name);
	fm_fdt_prop_text(fdt, "compatible", compatible);
}

/* A bus with these cells below it, open for more. */
static inline void tree_bus(struct fm_fdt *fdt, const char *name, uint32_t addr, uint32_t size)
{
	fm_fdt_begin(fdt, name);
	fm_fdt_prop_u32(fdt, "#address-cells", addr);
	fm_fdt_prop_u32(fdt, "#size-cells", size);
}

/* fdt_build_ram(). ctx: an int that counts. */
static inline int tree_build_ram(const struct fm_fdt_node *node, struct fm_machine *machine,
				 struct fm_space *space, void *ctx, struct fm_error *err)
{
	++*(int *)ctx;
	return fdt_build_ram(node, machine, space, NULL, err);
}

#endif
