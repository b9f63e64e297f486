/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_build: a binding that makes plain memory of a node. */
#ifndef FIRMEM_FUZZ_FDT_BUILD_H
#define FIRMEM_FUZZ_FDT_BUILD_H

#include <firmem/fdt.h>
#include <firmem/ram.h>

/* A block, device and window named as the node for its first range; the machine owns what it was given. */
static inline int fdt_build_ram(const struct fm_fdt_node *node, struct fm_machine *machine,
				struct fm_space *space, void *ctx, struct fm_error *err)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg),
				       .name = fm_fdt_node_name(node),
				       .role = FM_ROLE_DEVICE };
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_window_config window = { .struct_size = sizeof(window) };
	int rc = fm_fdt_node_reg(node, 0, &window.gpa, &cfg.len, err);

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
