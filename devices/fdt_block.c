/* SPDX-License-Identifier: BSD-2-Clause */
/* "firmem,memory" nodes: blocks of any role, and aliases of them; docs/machines.md. */
#include <firmem/private.h>
#include <firmem/ram.h>
#include <firmem/reset.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/fdt_private.h"

#include <stdio.h>
#include <string.h>

#define SIZE_MAX_TREE (UINT64_C(1) << 40) /* our choice: bytes of one block of a tree */

struct build {
	const struct fm_fdt_node *node;
	struct fm_machine *machine;
	struct fm_space *space;
	struct fm_block_fdt_options o;
	struct fm_error *err;
};

static bool has(const struct build *b, const char *prop)
{
	return fm_fdt_node_has(b->node, prop);
}

/* --- properties ---------------------------------------------------------------------------- */

/* A word of the property, or NULL where there is none. */
static int text(const struct build *b, const char *prop, const char **value)
{
	*value = NULL;
	return has(b, prop) ? fm_fdt_node_text(b->node, prop, value, b->err) : 0;
}

/* "reg" is optional: what has none is hidden. */
static int count_windows(const struct build *b)
{
	return has(b, "reg") ? fm_fdt_node_reg_count(b->node, b->err) : 0;
}

static int read_size(const struct build *b, uint64_t *size)
{
	int count = count_windows(b);
	int rc = count < 0 ? count : fmi_fdt_number(b->node, "firmem,size", size, b->err);
	uint64_t sum = 0;

	for (int i = 0; !rc && i < count; i++) {
		uint64_t gpa, len;

		rc = fm_fdt_node_reg(b->node, (unsigned)i, &gpa, &len, b->err);
		if (!rc && !fmi_in_range(sum, len, SIZE_MAX_TREE))
			rc = fmi_fdt_fail(b->err, FM_ERR_FORMAT, b->node, "reg",
					  "0x%llx bytes and more, expected at most 0x%llx",
					  (unsigned long long)len,
					  (unsigned long long)SIZE_MAX_TREE);
		sum += len;
	}
	if (rc)
		return rc;
	if (!has(b, "firmem,size"))
		*size = sum;
	if (!*size || *size > SIZE_MAX_TREE || sum > *size)
		return fmi_fdt_fail(
			b->err, FM_ERR_FORMAT, b->node, "firmem,size",
			"0x%llx, expected 1 to 0x%llx and at least the 0x%llx of \"reg\"",
			(unsigned long long)*size, (unsigned long long)SIZE_MAX_TREE,
			(unsigned long long)sum);
	return 0;
}

/* A node of "pmem-region" needs no role of ours. */
static int read_role(const struct build *b, enum fm_role *role)
{
	const char *word;
	int rc = text(b, "firmem,role", &word);

	if (rc)
		return rc;
	if (!word) {
		word = NULL;
		while ((rc = fmi_fdt_next_text(b->node, "compatible", &word, b->err)) > 0 &&
		       strcmp(word, "pmem-region") != 0)
			;
		if (rc < 0)
			return rc;
		if (!rc)
			return fmi_fdt_fail(b->err, FM_ERR_NOT_FOUND, b->node, "firmem,role",
					    "is missing, expected a role");
		*role = has(b, "volatile") ? FM_ROLE_RAM : FM_ROLE_NVDIMM;
		return 0;
	}
	*role = fm_role_from_name(word);
	if (*role == FM_ROLE_NONE)
		return fmi_fdt_fail(b->err, FM_ERR_FORMAT, b->node, "firmem,role",
				    "\"%.40s\", expected a role such as \"ram\" or \"nvdimm\"",
				    word);
	return 0;
}

/* What the memory is said to be; pmem is a shared file on persistent memory. */
static int read_backing(const struct build *b, struct fm_block_config *c, unsigned *is)
{
	const char *word;
	int rc = text(b, "firmem,backing", &word);
	bool file;

	if (rc)
		return rc;
	word = word ? word : "anon";
	file = !strcmp(word, "file") || !strcmp(word, "pmem");
	if (file)
		c->backing = FM_BACKING_FILE;
	else if (!strcmp(word, "memfd"))
		c->backing = FM_BACKING_MEMFD;
	else if (!strcmp(word, "hugetlb"))
		c->backing = FM_BACKING_HUGETLB;
	else if (!strcmp(word, "adopted"))
		c->backing = FM_BACKING_ADOPTED;
	else if (strcmp(word, "anon") != 0)
		return fmi_fdt_fail(
			b->err, FM_ERR_FORMAT, b->node, "firmem,backing",
			"\"%.40s\", expected anon, memfd, hugetlb, file, pmem or adopted", word);
	if (has(b, "firmem,shared") || !strcmp(word, "pmem"))
		c->flags |= FM_BLOCK_SHARED;
	if (c->flags & FM_BLOCK_SHARED || c->backing == FM_BACKING_MEMFD ||
	    c->backing == FM_BACKING_HUGETLB)
		*is |= FM_RESET_BACKING_SHARED;
	if (file)
		*is |= FM_RESET_BACKING_FILE;
	if (file && c->flags & FM_BLOCK_SHARED)
		*is |= FM_RESET_BACKING_PERSISTENT;
	if ((file && c->flags & FM_BLOCK_SHARED && !has(b, "firmem,created")) ||
	    c->backing == FM_BACKING_ADOPTED)
		*is |= FM_RESET_BACKING_FOREIGN;
	if (has(b, "firmem,consent"))
		*is |= FM_RESET_BACKING_CONSENT;
	if (has(b, "firmem,host-device"))
		*is |= FM_RESET_BACKING_HOST_DEVICE;
	if (has(b, "firmem,read-only"))
		*is |= FM_RESET_BACKING_READ_ONLY;
	if (has(b, "firmem,pinned"))
		*is |= FM_RESET_BACKING_PINNED;
	return text(b, "firmem,path", &c->path);
}

/* How the block is really made. */
static int choose_backing(const struct build *b, struct fm_block_config *c, unsigned is)
{
	if (b->o.memfd) {
		c->backing = FM_BACKING_MEMFD;
		c->flags &= ~(unsigned)FM_BLOCK_SHARED;
		c->path = NULL;
		return 0;
	}
	if (b->o.readonly) {
		bool wanted = !b->o.roles || b->o.roles >> c->role & 1;
		bool file = wanted && c->backing == FM_BACKING_FILE &&
			    !(is & FM_RESET_BACKING_HOST_DEVICE);

		c->backing = file ? FM_BACKING_FILE : FM_BACKING_MEMFD;
		c->flags = file ? FM_BLOCK_SHARED | FM_BLOCK_READONLY : 0;
		c->path = file ? c->path : NULL;
		return 0;
	}
	if (c->backing == FM_BACKING_ADOPTED || is & FM_RESET_BACKING_HOST_DEVICE)
		return fmi_fdt_fail(b->err, FM_ERR_FORMAT, b->node, "firmem,backing",
				    "adopted or a host's device, expected what can be made here");
	if (is & FM_RESET_BACKING_READ_ONLY)
		c->flags |= FM_BLOCK_READONLY;
	if (is & FM_RESET_BACKING_CONSENT)
		c->flags |= FM_BLOCK_CONSENT;
	if (has(b, "firmem,created"))
		c->flags |= FM_BLOCK_CREATE;
	return 0;
}

/* --- private ranges ------------------------------------------------------------------------ */

static int set_private(const struct build *b, struct fm_block *block)
{
	struct fm_private_config cfg = { .struct_size = sizeof(cfg) };
	size_t len;
	const uint8_t *pairs =
		fmi_fdt_prop(b->node->tree->blob, b->node->offset, "firmem,private", &len);
	int rc;

	if (!has(b, "firmem,private"))
		return 0;
	if (len % 16)
		return fmi_fdt_fail(
			b->err, FM_ERR_FORMAT, b->node, "firmem,private",
			"%zu bytes, expected pairs of offset and length, two cells each", len);
	cfg.all = !len;
	cfg.debug = has(b, "firmem,debug");
	rc = fm_private_enable(block, &cfg, b->err);
	for (size_t i = 0; !rc && i < len; i += 16)
		rc = fm_private_convert(block, fmi_be64(pairs + i), fmi_be64(pairs + i + 8), true,
					b->err);
	return rc;
}

/* --- windows ------------------------------------------------------------------------------- */

/* Each pair of "reg" shows the next part of the device, from "firmem,offset" on. */
static int add_windows(const struct build *b, struct fm_dev *dev)
{
	struct fm_window_config w = { .struct_size = sizeof(w),
				      .dev = dev,
				      .name = fm_fdt_node_name(b->node),
				      .disabled = has(b, "firmem,disabled") };
	uint64_t priority = 0;
	int count = count_windows(b);
	int rc = count < 0 ? count : fmi_fdt_number(b->node, "firmem,priority", &priority, b->err);

	if (!rc)
		rc = fmi_fdt_number(b->node, "firmem,offset", &w.dev_off, b->err);
	if (!rc && priority > 0xffff)
		rc = fmi_fdt_fail(b->err, FM_ERR_FORMAT, b->node, "firmem,priority",
				  "0x%llx, expected at most 0xffff", (unsigned long long)priority);
	w.priority = (int)priority;
	if (rc)
		return rc;
	/* In one change of the space: they may be very many. */
	fm_space_begin(b->space);
	for (int i = 0; !rc && i < count; i++) {
		rc = fm_fdt_node_reg(b->node, (unsigned)i, &w.gpa, &w.len, b->err);
		if (!rc && !fmi_in_range(w.dev_off, w.len, fm_dev_len(dev)))
			rc = fmi_fdt_fail(
				b->err, FM_ERR_RANGE, b->node,
				has(b, "firmem,offset") ? "firmem,offset" : "reg",
				"0x%llx bytes at 0x%llx of \"%.63s\", expected them inside "
				"of its 0x%llx",
				(unsigned long long)w.len, (unsigned long long)w.dev_off,
				fm_dev_name(dev), (unsigned long long)fm_dev_len(dev));
		if (!rc)
			rc = fm_space_add(b->space, &w, NULL, b->err);
		w.dev_off += w.len;
	}
	if (!rc)
		return fm_space_commit(b->space, b->err);
	fm_space_abort(b->space);
	return rc;
}

/* --- nodes --------------------------------------------------------------------------------- */

static int make_device(const struct build *b, struct fm_block *block, struct fm_dev **out)
{
	struct fm_ram_config cfg = { .struct_size = sizeof(cfg), .block = block };

	return b->o.device ? b->o.device(b->o.ctx, b->node, block, out, b->err)
			   : fm_ram_new(out, &cfg, b->err);
}

/* What is said by being there has no value: who writes "firmem,consent = <0>" means something else. */
static int check_switches(const struct build *b)
{
	static const char *const switches[] = {
		"firmem,consent",   "firmem,created",     "firmem,debug",      "firmem,disabled",
		"firmem,fixed",     "firmem,host-device", "firmem,no-migrate", "firmem,pinned",
		"firmem,read-only", "firmem,shared",
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
		size_t len;

		fmi_fdt_prop(b->node->tree->blob, b->node->offset, switches[i], &len);
		if (len)
			return fmi_fdt_fail(b->err, FM_ERR_FORMAT, b->node, switches[i],
					    "%zu bytes, expected an empty property, or none", len);
	}
	return 0;
}

static int read_node(const struct build *b, struct fm_block_config *c, unsigned *is)
{
	int rc = read_role(b, &c->role);

	if (!rc)
		rc = read_size(b, &c->len);
	if (!rc)
		rc = read_backing(b, c, is);
	if (!rc)
		rc = fmi_fdt_number(b->node, "firmem,page-size", &c->page_size, b->err);
	if (!rc)
		rc = text(b, "firmem,name", &c->name);
	if (!rc)
		rc = choose_backing(b, c, *is);
	if (rc)
		return rc;
	if (c->backing != FM_BACKING_HUGETLB)
		c->page_size = 0;
	if (!c->name)
		c->name = fm_fdt_node_name(b->node);
	if (has(b, "firmem,no-migrate"))
		c->flags |= FM_BLOCK_NO_MIGRATE;
	return 0;
}

/* What the node says of its memory, and the device over it. */
static int furnish(const struct build *b, struct fm_block *block, unsigned is, struct fm_dev **dev)
{
	int rc;

	if (is & FM_RESET_BACKING_PINNED)
		fm_block_discard_inhibit(block);
	rc = set_private(b, block);
	if (!rc && b->o.declared)
		rc = b->o.declared(b->o.ctx, block, is, b->err);
	return rc ? rc : make_device(b, block, dev);
}

/* Into a slot, which puts it into machine and space itself. */
static int build_plugged(const struct build *b, struct fm_block *block, unsigned is)
{
	struct fm_dev *dev = NULL;
	int rc = furnish(b, block, is, &dev);

	if (!rc)
		rc = fmi_fdt_plug(b->node, b->machine, block, dev, b->err);
	if (rc) {
		fm_dev_free(dev);
		fm_block_free(block);
	}
	return rc;
}

static int build_shown(const struct build *b, struct fm_block *block, unsigned is)
{
	struct fm_dev *dev;
	int rc = fm_machine_add_block(b->machine, block, b->err);

	if (rc) {
		fm_block_free(block);
		return rc;
	}
	rc = furnish(b, block, is, &dev);
	if (rc)
		return rc;
	rc = fm_machine_add_dev(b->machine, dev, b->err);
	if (rc) {
		fm_dev_free(dev);
		return rc;
	}
	return add_windows(b, dev);
}

static int build_block(const struct build *b)
{
	struct fm_block_config c = { .struct_size = sizeof(c) };
	struct fm_block *block;
	unsigned is = 0;
	int rc = read_node(b, &c, &is);

	if (!rc)
		rc = fm_block_new(&block, &c, b->err);
	if (rc)
		return rc;
	return has(b, "firmem,slot") ? build_plugged(b, block, is) : build_shown(b, block, is);
}

/* Windows onto a device that is there already. */
static int build_alias(const struct build *b)
{
	const char *name;
	struct fm_dev *dev;
	int rc = fm_fdt_node_text(b->node, "firmem,of", &name, b->err);

	if (rc)
		return rc;
	dev = fm_machine_dev(b->machine, name);
	if (!dev)
		return fmi_fdt_fail(b->err, FM_ERR_NOT_FOUND, b->node, "firmem,of",
				    "\"%.63s\", expected a device of a node before this one", name);
	return add_windows(b, dev);
}

int fm_block_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
		       struct fm_space *space, void *ctx, struct fm_error *err)
{
	static const struct fm_block_fdt_options defaults = { .struct_size = sizeof(defaults) };
	struct build b = { .node = node, .machine = machine, .space = space, .err = err };
	int rc = fmi_config_copy(&b.o, sizeof(b.o), ctx ? ctx : &defaults, "fm_block_fdt_options",
				 err);

	if (rc)
		return rc;
	rc = check_switches(&b);
	if (rc)
		return rc;
	return has(&b, "firmem,of") ? build_alias(&b) : build_block(&b);
}
