/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt: what fdt.c, which alone includes libfdt's header, gives to the files that read a tree. */
#ifndef FIRMEM_DEVICES_FDT_PRIVATE_H
#define FIRMEM_DEVICES_FDT_PRIVATE_H

#include <firmem/fdt.h>

/*
 * Our choices, beyond the largest real trees: what is looked for among the others costs the size of a tree,
 * and not its square.
 */
#define FMI_FDT_PROPS 1024u   /* properties of a node */
#define FMI_FDT_RANGES 1024u  /* entries of a bus's "ranges" */
#define FMI_FDT_BOUND 16384u  /* nodes with a binding */
#define FMI_FDT_MEMORY 16384u /* ranges of memory */
/* Real trees are less than half as deep, and their names well below half as long. */
#define FMI_FDT_DEPTH 32u
#define FMI_FDT_NAME 127u

/* --- the tree as bytes: fdt.c ---------------------------------------------------------------- */

/*
 * Are the first of the `len` bytes at `blob` (aligned to 8) a whole tree of a version we read, with
 * one root? Everything below is safe after a yes. FM_ERR_SIZE, FM_ERR_VERSION, FM_ERR_FORMAT.
 */
int fmi_fdt_check(const void *blob, size_t len, const char *source, struct fm_error *err);
/* The node after `node` in the order of the tree, or -1; *depth follows. The root is node 0. */
int fmi_fdt_next(const void *blob, int node, int *depth);
const char *fmi_fdt_name(const void *blob, int node);
/* "/" when there is no room. */
void fmi_fdt_path(const void *blob, int node, char *path, size_t len);
/* A property's value and length in bytes; NULL when the node has none of that name. */
const void *fmi_fdt_prop(const void *blob, int node, const char *name, size_t *len);

/* --- one node and the buses above it: fdt_node.c --------------------------------------------- */

struct fmi_fdt_tree {
	const void *blob;
	const char *source;
	bool secure; /* also walk what only the secure world has */
	/* Of the node that is being read; its ancestors' paths are the beginnings of it. */
	char path[FMI_FDT_DEPTH * (FMI_FDT_NAME + 1) + 2];
};

struct fmi_fdt_value {
	const uint8_t *bytes; /* NULL: there is no such property */
	size_t len;
};

struct fm_fdt_node {
	struct fmi_fdt_tree *tree;
	const struct fm_fdt_node *parent; /* NULL: this is the root */
	int offset;
	int path_len;
	unsigned worlds; /* enum fmi_fdt_world: in which it is in use */
	/* Of a node with children: looked for once, and not for each child. */
	bool is_bus;
	struct fmi_fdt_value address_cells;
	struct fmi_fdt_value size_cells;
	struct fmi_fdt_value ranges;
};

enum fmi_fdt_world {
	FMI_FDT_NORMAL = 1 << 0,
	FMI_FDT_SECURE = 1 << 1,
};

/*
 * Fill `err`: the source, the node, its property (NULL: none), what. Returns `code`, which a
 * macro of tests/style/analyzer.h tells the analyzer: hence the parentheses.
 */
int(fmi_fdt_fail)(struct fm_error *err, int code, const struct fm_fdt_node *node, const char *prop,
		  const char *fmt, ...) FM_PRINTF(5, 6);

/*
 * Go to the first string of a list, then to the next: NULL starts it. 1, or 0 at the end or without
 * the property, or FM_ERR_FORMAT.
 */
int fmi_fdt_next_text(const struct fm_fdt_node *node, const char *prop, const char **text,
		      struct fm_error *err);

/* A number of one or two cells; *value stays where the node has no such property. FM_ERR_FORMAT. */
int fmi_fdt_number(const struct fm_fdt_node *node, const char *name, uint64_t *value,
		   struct fm_error *err);

/* --- memory in a slot: dimm_fdt.c -------------------------------------------------------------- */

/*
 * Plug block and device, which are in no machine, as a node with "firmem,slot" says. On failure they stay
 * the caller's. FM_ERR_FORMAT, FM_ERR_NOT_FOUND (no slots yet), and as fm_dimm_plug().
 */
int fmi_fdt_plug(const struct fm_fdt_node *node, struct fm_machine *machine, struct fm_block *block,
		 struct fm_dev *dev, struct fm_error *err);

/* --- all nodes in use: fdt_walk.c ------------------------------------------------------------ */

typedef int fmi_fdt_visit_fn(const struct fm_fdt_node *node, void *ctx, struct fm_error *err);

/*
 * Visit each node but the root, parents first, that neither itself nor by an ancestor has a
 * "status" other than "okay"; with `secure` of the tree also those whose "secure-status" is. Stops at
 * the first failure and returns it. FM_ERR_FORMAT.
 */
int fmi_fdt_walk(struct fmi_fdt_tree *tree, fmi_fdt_visit_fn *visit, void *ctx,
		 struct fm_error *err);

#endif
