/* SPDX-License-Identifier: BSD-2-Clause */
/* tree: the machine of a device tree, with the devices that every verb knows. */
#ifndef FIRMEM_TOOLS_TREE_H
#define FIRMEM_TOOLS_TREE_H

#include <firmem/fdt.h>
#include <firmem/flash.h>

#define TREE_MAX (16u << 20) /* bytes; QEMU makes at most 1 MiB */
#define TREE_BINDINGS 5

/*
 * Put TREE_BINDINGS there: flash, memory, DIMM slots and video RAM. The first is flash's, for verbs
 * that make something else of it. What is given is borrowed.
 */
void tree_bindings(struct fm_fdt_binding *out, struct fm_flash_fdt_options *flash,
		   struct fm_block_fdt_options *memory, enum fm_backing *vram);

/* The machine of a file; options->source is its path. NULL after a complaint. */
struct fm_machine *tree_machine(const struct fm_fdt_binding *bindings, size_t count,
				const struct fm_fdt_options *options);

#endif
