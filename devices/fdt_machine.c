/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_machine: a machine from a device tree, by its memory nodes and the caller's bindings. */
#include <firmem/ram.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/fdt_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One pair of a memory node's "reg". */
struct memory {
	uint64_t gpa;
	uint64_t len; /* bytes */
	int node;
	unsigned index;
	enum fm_role role;
	uint64_t file_off; /* in options->ram_path */
	bool secure;       /* only the secure world has it */
};

/* Bytes of the longest path that a walk lets pass, and of a little more text behind it. */
#define WHERE_LEN (FMI_FDT_DEPTH * (FMI_FDT_NAME + 1) + 32)

struct builder {
	const void *blob;
	const struct fm_fdt_options *options;
	const char *source;
	const struct fm_fdt_binding *bindings;
	size_t nbindings;
	struct memory *memory;
	size_t nmemory;
	size_t nbound; /* nodes with a binding so far */
	size_t room;
	struct fm_machine *machine;
	struct fm_space *space;
	struct fm_space *secure; /* NULL until something is to be in it */
};

/* Put the source and the place before a message that names neither. */
static int blame(struct fm_error *err, const char *source, const char *where)
{
	struct fm_error inner = *err;
	size_t len = strlen(source);

	if (!strncmp(inner.msg, source, len) && !strncmp(inner.msg + len, ": ", 2))
		return inner.code;
	return fm_error_set(err, inner.code, inner.sys, "%s: %s%s%s", source, where,
			    *where ? ": " : "", inner.msg);
}

static int no_memory(const struct builder *b, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", b->source);
}

static bool is_secure(const struct fm_fdt_node *node)
{
	return !(node->worlds & FMI_FDT_NORMAL);
}

/* --- which nodes --------------------------------------------------------------------------- */

/* *out is the binding of the first string of "compatible" that has one, or NULL. */
static int find_binding(const struct builder *b, const struct fm_fdt_node *node,
			const struct fm_fdt_binding **out, struct fm_error *err)
{
	const char *text = NULL;
	int rc;

	*out = NULL;
	while ((rc = fmi_fdt_next_text(node, "compatible", &text, err)) > 0) {
		for (size_t i = 0; !*out && i < b->nbindings; i++) {
			if (!strcmp(b->bindings[i].compatible, text))
				*out = &b->bindings[i];
		}
	}
	return rc;
}

/* Devicetree Specification 0.4, 3.4. 1, 0, or FM_ERR_FORMAT. */
static int is_memory(const struct fm_fdt_node *node, struct fm_error *err)
{
	const char *type;
	int rc;

	if (!fm_fdt_node_has(node, "device_type"))
		return 0;
	rc = fm_fdt_node_text(node, "device_type", &type, err);
	return rc ? rc : !strcmp(type, "memory");
}

/* --- memory nodes -------------------------------------------------------------------------- */

static int note_memory(struct builder *b, const struct fm_fdt_node *node, unsigned index,
		       struct fm_error *err)
{
	struct memory m = { .node = node->offset, .index = index };
	int rc = fm_fdt_node_reg(node, index, &m.gpa, &m.len, err);

	if (rc)
		return rc;
	if (b->nmemory == FMI_FDT_MEMORY)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, "reg",
				    "more ranges of memory than expected: at most %u in a tree",
				    FMI_FDT_MEMORY);
	if (b->nmemory == b->room) {
		size_t room = b->room ? 2 * b->room : 8;
		struct memory *grown = realloc(b->memory, room * sizeof(*grown));

		if (!grown)
			return no_memory(b, err);
		b->memory = grown;
		b->room = room;
	}
	m.secure = is_secure(node);
	m.role = fm_fdt_node_has(node, "hotpluggable") ? FM_ROLE_DIMM : FM_ROLE_RAM;
	b->memory[b->nmemory++] = m;
	return 0;
}

static int collect_memory(const struct fm_fdt_node *node, void *ctx, struct fm_error *err)
{
	struct builder *b = ctx;
	const struct fm_fdt_binding *binding;
	int rc = find_binding(b, node, &binding, err);
	int count;

	if (rc || binding)
		return rc;
	rc = is_memory(node, err);
	if (rc <= 0)
		return rc;
	count = fm_fdt_node_reg_count(node, err);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		rc = note_memory(b, node, (unsigned)i, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct memory *x = a;
	const struct memory *y = b;

	return (x->gpa > y->gpa) - (x->gpa < y->gpa);
}

/* "/memory@40000000: reg[0]" */
static const char *where(const struct builder *b, const struct memory *m, char text[WHERE_LEN])
{
	size_t len;

	fmi_fdt_path(b->blob, m->node, text, WHERE_LEN - 24);
	len = strlen(text);
	snprintf(text + len, WHERE_LEN - len, ": reg[%u]", m->index);
	return text;
}

static int check_apart(const struct builder *b, struct fm_error *err)
{
	char low_text[WHERE_LEN];
	char high_text[WHERE_LEN];

	for (size_t i = 1; i < b->nmemory; i++) {
		const struct memory *low = &b->memory[i - 1];
		const struct memory *high = &b->memory[i];

		if (high->gpa - low->gpa < low->len)
			return fm_error_set(
				err, FM_ERR_OVERLAP, 0,
				"%s: %s: 0x%llx bytes at 0x%llx overlap 0x%llx bytes at 0x%llx "
				"(%s), expected memory apart",
				b->source, where(b, high, high_text), (unsigned long long)high->len,
				(unsigned long long)high->gpa, (unsigned long long)low->len,
				(unsigned long long)low->gpa, where(b, low, low_text));
	}
	return 0;
}

static int new_space(struct builder *b, const char *name, struct fm_space **out,
		     struct fm_error *err)
{
	const struct fm_space_config cfg = { .struct_size = sizeof(cfg),
					     .name = name,
					     .flags = b->options->space_flags };
	struct fm_space *space;
	int rc = fm_space_new(&space, &cfg, err);

	if (rc)
		return rc;
	rc = fm_machine_add_space(b->machine, space, err);
	if (rc)
		fm_space_free(space);
	else
		*out = space;
	return rc;
}

/* The space of one of the worlds, made when it is first needed. */
static int space_of(struct builder *b, bool secure, struct fm_space **out, struct fm_error *err)
{
	int rc = 0;

	if (secure && !b->secure)
		rc = new_space(b, "secure-memory", &b->secure, err);
	if (!rc)
		*out = secure ? b->secure : b->space;
	return rc;
}

/* A block, its device and its window, owned by the machine. */
static int add_memory(struct builder *b, const struct memory *m, struct fm_error *err)
{
	char name[32];
	struct fm_space *space = NULL;
	struct fm_block *block;
	struct fm_dev *dev;
	struct fm_block_config c = { .struct_size = sizeof(c),
				     .name = name,
				     .role = m->role,
				     .backing = b->options->ram_backing,
				     .len = m->len };
	int rc = space_of(b, m->secure, &space, err);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "memory@%llx", (unsigned long long)m->gpa);
	if (b->options->ram_path) {
		c.backing = FM_BACKING_FILE;
		c.flags = FM_BLOCK_SHARED | FM_BLOCK_READONLY;
		c.path = b->options->ram_path;
		c.file_off = m->file_off;
	}
	rc = fm_block_new(&block, &c, err);
	/* The rest of the config is ours: what it can refuse is a length no host could give. */
	if (rc == FM_ERR_ARG && !c.path)
		err->code = FM_ERR_NOMEM;
	if (rc)
		return err->code;
	rc = fm_machine_add_block(b->machine, block, err);
	if (rc) {
		fm_block_free(block);
		return rc;
	}
	rc = fm_ram_new(&dev,
			&(struct fm_ram_config){ .struct_size = sizeof(struct fm_ram_config),
						 .block = block },
			err);
	if (rc)
		return rc;
	rc = fm_machine_add_dev(b->machine, dev, err);
	if (rc) {
		fm_dev_free(dev);
		return rc;
	}
	return fm_space_add(
		space,
		&(struct fm_window_config){
			.struct_size = sizeof(struct fm_window_config), .dev = dev, .gpa = m->gpa },
		NULL, err);
}

/* All memory in one change of the space: a tree may have very many ranges. */
static int build_memory(struct builder *b, struct fm_error *err)
{
	char text[WHERE_LEN];
	uint64_t off = 0;
	int rc = 0;

	fm_space_begin(b->space);
	for (size_t i = 0; !rc && i < b->nmemory; i++) {
		struct memory *m = &b->memory[i];

		m->file_off = off;
		off += m->len; /* they are apart: no wrap */
		rc = add_memory(b, m, err);
		if (rc)
			rc = blame(err, b->source, where(b, m, text));
	}
	if (!rc)
		return fm_space_commit(b->space, err);
	fm_space_abort(b->space);
	return rc;
}

/* --- nodes with a binding ------------------------------------------------------------------- */

static int build_bound(const struct fm_fdt_node *node, void *ctx, struct fm_error *err)
{
	struct builder *b = ctx;
	const struct fm_fdt_binding *binding;
	struct fm_space *space = NULL;
	int rc = find_binding(b, node, &binding, err);

	if (rc || !binding)
		return rc;
	if (b->nbound++ == FMI_FDT_BOUND)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, "compatible",
				    "more nodes with a binding than expected: at most %u in a tree",
				    FMI_FDT_BOUND);
	rc = space_of(b, is_secure(node), &space, err);
	if (rc)
		return rc;
	*err = (struct fm_error){ .code = 0 };
	rc = binding->build(node, b->machine, space, binding->ctx, err);
	if (!rc)
		return 0;
	if (!err->code)
		fm_error_set(err, rc, 0, "%s", fm_strerror(rc));
	blame(err, b->source, fm_fdt_node_path(node));
	return rc;
}

/* --- the machine --------------------------------------------------------------------------- */

/* The options' name, or "model" of the root, or "machine". */
static int choose_name(const struct builder *b, struct fmi_fdt_tree *tree, const char **out,
		       struct fm_error *err)
{
	const struct fm_fdt_node root = { .tree = tree };
	const char *model;
	int rc;

	*out = b->options->name ? b->options->name : "machine";
	memcpy(tree->path, "/", 2);
	if (b->options->name || !fm_fdt_node_has(&root, "model"))
		return 0;
	rc = fm_fdt_node_text(&root, "model", &model, err);
	if (!rc && *model)
		*out = model;
	return rc;
}

static int new_machine(struct builder *b, const char *name, struct fm_error *err)
{
	int rc = fm_machine_new(&b->machine, name, err);

	return rc ? rc : new_space(b, "memory", &b->space, err);
}

/* The secure world also sees all that the normal one does. */
static int share_windows(struct builder *b, struct fm_error *err)
{
	int rc = 0;

	if (!b->secure)
		return 0;
	fm_space_begin(b->secure);
	for (struct fm_window *w = NULL; !rc && (w = fm_space_next_window(b->space, w));) {
		const struct fm_window_config cfg = { .struct_size = sizeof(cfg),
						      .name = fm_window_name(w),
						      .dev = fm_window_dev(w),
						      .gpa = fm_window_gpa(w),
						      .dev_off = fm_window_dev_off(w),
						      .len = fm_window_len(w),
						      .priority = fm_window_priority(w),
						      .disabled = !fm_window_enabled(w) };

		rc = fm_space_add(b->secure, &cfg, NULL, err);
	}
	if (!rc)
		return fm_space_commit(b->secure, err);
	fm_space_abort(b->secure);
	return rc;
}

static int build(struct builder *b, struct fm_error *err)
{
	struct fmi_fdt_tree tree = { .blob = b->blob,
				     .source = b->source,
				     .secure = b->options->secure };
	const char *name;
	int rc = choose_name(b, &tree, &name, err);

	if (!rc)
		rc = fmi_fdt_walk(&tree, collect_memory, b, err);
	if (rc)
		return rc;
	if (b->nmemory)
		qsort(b->memory, b->nmemory, sizeof(*b->memory), by_address);
	rc = check_apart(b, err);
	if (!rc)
		rc = new_machine(b, name, err);
	if (!rc)
		rc = build_memory(b, err);
	if (!rc)
		rc = fmi_fdt_walk(&tree, build_bound, b, err);
	return rc ? rc : share_windows(b, err);
}

static int check_arguments(struct fm_machine **out, const void *blob,
			   const struct fm_fdt_binding *bindings, size_t count,
			   const struct fm_fdt_options *o, struct fm_error *err)
{
	if (!out || !blob || (count && !bindings))
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_machine_from_fdt: %s is NULL",
				    !out    ? "out"
				    : !blob ? "blob"
					    : "bindings");
	for (size_t i = 0; i < count; i++) {
		if (!bindings[i].compatible || !bindings[i].build)
			return fm_error_set(
				err, FM_ERR_ARG, 0,
				"bindings[%zu]: compatible or build is NULL, expected both", i);
	}
	if (o->ram_backing != FM_BACKING_ANON && o->ram_backing != FM_BACKING_MEMFD)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"fm_fdt_options.ram_backing: %s, expected anonymous memory or memfd",
			fm_backing_name(o->ram_backing));
	if (o->name && !*o->name)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_fdt_options.name is empty, expected a name or NULL");
	return 0;
}

/* libfdt reads from addresses that are multiples of 8; malloc gives such. */
static void *copy(const void *blob, size_t len)
{
	void *bytes = malloc(len ? len : 1);

	return bytes ? memcpy(bytes, blob, len) : NULL;
}

int fm_machine_from_fdt(struct fm_machine **out, const void *blob, size_t len,
			const struct fm_fdt_binding *bindings, size_t count,
			const struct fm_fdt_options *options, struct fm_error *err)
{
	static const struct fm_fdt_options defaults = { .struct_size = sizeof(defaults) };
	struct fm_fdt_options o;
	struct fm_error inner = { .code = 0 };
	struct builder b = { .options = &o, .bindings = bindings, .nbindings = count };
	void *bytes = NULL;
	int rc = fmi_config_copy(&o, sizeof(o), options ? options : &defaults, "fm_fdt_options",
				 err);

	if (!rc)
		rc = check_arguments(out, blob, bindings, count, &o, err);
	if (rc)
		return rc;
	b.source = o.source ? o.source : "device tree";
	b.blob = bytes = copy(blob, len);
	rc = bytes ? fmi_fdt_check(bytes, len, b.source, &inner) : no_memory(&b, &inner);
	if (!rc)
		rc = build(&b, &inner);
	free(bytes);
	free(b.memory);
	if (rc) {
		fm_machine_free(b.machine);
		blame(&inner, b.source, "");
		return fm_error_set(err, rc, inner.sys, "%s", inner.msg);
	}
	*out = b.machine;
	return 0;
}

int fm_fdt_visit(const void *blob, size_t len, const char *source, fmi_fdt_visit_fn *visit,
		 void *ctx, struct fm_error *err)
{
	struct fmi_fdt_tree tree = { .source = source ? source : "device tree" };
	const struct fm_fdt_node root = { .tree = &tree, .worlds = FMI_FDT_NORMAL };
	struct fm_error inner = { .code = 0 };
	void *bytes;
	int rc;

	if (!blob || !visit)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_fdt_visit: %s is NULL",
				    blob ? "visit" : "blob");
	tree.blob = bytes = copy(blob, len);
	if (!bytes)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", tree.source);
	rc = fmi_fdt_check(bytes, len, tree.source, &inner);
	if (!rc) {
		memcpy(tree.path, "/", 2);
		rc = visit(&root, ctx, &inner);
	}
	if (rc >= 0)
		rc = fmi_fdt_walk(&tree, visit, ctx, &inner);
	free(bytes);
	if (rc < 0 && err)
		*err = inner;
	return rc < 0 ? rc : 0;
}
