/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_walk: all nodes of a tree that are in use, in order, with the buses above each. */
#include "devices/fdt_private.h"

#include <stdio.h>
#include <string.h>

struct walk {
	struct fmi_fdt_tree *tree;
	struct fm_fdt_node stack[FMI_FDT_DEPTH]; /* the node and its ancestors, the root first */
};

/* A name goes into paths, messages and the names of blocks. */
static int check_name(const struct fm_fdt_node *parent, const char *name, struct fm_error *err)
{
	if (!*name || strnlen(name, FMI_FDT_NAME + 1) > FMI_FDT_NAME)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, parent, NULL,
				    "child's name \"%.20s\": %zu bytes, expected 1 to %u", name,
				    strlen(name), FMI_FDT_NAME);
	for (const char *p = name; *p; p++) {
		if (*p <= ' ' || *p > '~' || *p == '/')
			return fmi_fdt_fail(err, FM_ERR_FORMAT, parent, NULL,
					    "child's name: byte %zu is 0x%02x, expected a letter, "
					    "digit or sign",
					    (size_t)(p - name), (unsigned char)*p);
	}
	return 0;
}

static struct fmi_fdt_value value(const void *blob, int offset, const char *name)
{
	struct fmi_fdt_value v;

	v.bytes = fmi_fdt_prop(blob, offset, name, &v.len);
	return v;
}

static void make_bus(struct fm_fdt_node *node, const void *blob)
{
	if (node->is_bus)
		return;
	node->address_cells = value(blob, node->offset, "#address-cells");
	node->size_cells = value(blob, node->offset, "#size-cells");
	node->ranges = value(blob, node->offset, "ranges");
	node->is_bus = true;
}

/* Put the node at `offset` onto the stack. */
static int enter(struct walk *w, int offset, int depth, struct fm_error *err)
{
	const struct fm_fdt_node *parent = &w->stack[depth - 1];
	const char *name = fmi_fdt_name(w->tree->blob, offset);
	int rc;

	if (depth >= (int)FMI_FDT_DEPTH)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, parent, NULL,
				    "child at depth %d, expected at most %u", depth,
				    FMI_FDT_DEPTH - 1);
	rc = check_name(parent, name, err);
	if (rc)
		return rc;
	make_bus(&w->stack[depth - 1], w->tree->blob);
	w->stack[depth] = (struct fm_fdt_node){
		.tree = w->tree,
		.parent = parent,
		.offset = offset,
		.path_len = parent->path_len + 1 + (int)strlen(name),
	};
	snprintf(w->tree->path + parent->path_len, sizeof(w->tree->path) - (size_t)parent->path_len,
		 "/%s", name);
	return 0;
}

/* Devicetree Specification 0.4, 2.3.4; "ok" is what older trees say. 1, 0, or FM_ERR_FORMAT. */
static int is_okay(const struct fm_fdt_node *node, const char *prop, int absent,
		   struct fm_error *err)
{
	const char *status;
	int rc;

	if (!fm_fdt_node_has(node, prop))
		return absent;
	rc = fm_fdt_node_text(node, prop, &status, err);
	return rc ? rc : !strcmp(status, "okay") || !strcmp(status, "ok");
}

/* Find out in which worlds the node is in use; 0, or FM_ERR_FORMAT. Linux, bindings/arm/secure.txt. */
static int find_worlds(struct fm_fdt_node *node, struct fm_error *err)
{
	int normal = is_okay(node, "status", 1, err);
	int secure = 0;

	if (normal >= 0 && node->tree->secure)
		secure = is_okay(node, "secure-status", normal, err);
	if (normal < 0 || secure < 0)
		return normal < 0 ? normal : secure;
	node->worlds = (normal ? FMI_FDT_NORMAL : 0u) | (secure ? FMI_FDT_SECURE : 0u);
	node->worlds &= node->parent->worlds;
	return 0;
}

int fmi_fdt_walk(struct fmi_fdt_tree *tree, fmi_fdt_visit_fn *visit, void *ctx,
		 struct fm_error *err)
{
	struct walk w = { .tree = tree,
			  .stack = {
				  { .tree = tree, .worlds = FMI_FDT_NORMAL | FMI_FDT_SECURE } } };
	int depth = 0;
	int unused = 0; /* the depth of the node whose subtree is left out */
	int rc = 0;

	memcpy(tree->path, "/", 2);
	for (int at = 0; (at = fmi_fdt_next(tree->blob, at, &depth)) >= 0;) {
		if (unused && depth > unused)
			continue;
		unused = 0;
		rc = enter(&w, at, depth, err);
		if (!rc)
			rc = find_worlds(&w.stack[depth], err);
		if (!rc && !w.stack[depth].worlds)
			unused = depth;
		else if (!rc)
			rc = visit(&w.stack[depth], ctx, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
