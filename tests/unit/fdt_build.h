/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_build: trees for tests, and a binding that makes plain memory of a node. */
#ifndef FIRMEM_TESTS_FDT_BUILD_H
#define FIRMEM_TESTS_FDT_BUILD_H

#include "tests/unit/unit.h"

#include <firmem/fdt.h>
#include <firmem/ram.h>

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

/* A block, device and window named as the node for its first range. ctx: an int that counts. */
static inline int tree_build_ram(const struct fm_fdt_node *node, struct fm_machine *machine,
				 struct fm_space *space, void *ctx, struct fm_error *err)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg),
				       .name = fm_fdt_node_name(node),
				       .role = FM_ROLE_DEVICE };
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_window_config window = { .struct_size = sizeof(window) };
	int rc = fm_fdt_node_reg(node, 0, &window.gpa, &cfg.len, err);

	++*(int *)ctx;
	if (!rc)
		rc = fm_block_new(&ram.block, &cfg, err);
	if (rc)
		return rc;
	rc = fm_machine_add_block(machine, ram.block, err);
	if (rc) {
		fm_block_free(ram.block);
		return rc;
	}
	rc = fm_ram_new(&window.dev, &ram, err);
	if (rc)
		return rc;
	rc = fm_machine_add_dev(machine, window.dev, err);
	if (rc) {
		fm_dev_free(window.dev);
		return rc;
	}
	return fm_space_add(space, &window, NULL, err);
}

#endif
