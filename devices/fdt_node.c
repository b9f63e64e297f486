/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_node: what a node says, checked; its addresses as the CPU sees them. */
#include "devices/fdt_private.h"

#include "devices/bytes.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_SHOWN 120 /* bytes of a path in a message */

/* --- messages ------------------------------------------------------------------------------ */

int(fmi_fdt_fail)(struct fm_error *err, int code, const struct fm_fdt_node *node, const char *prop,
		  const char *fmt, ...)
{
	int len = node->parent ? node->path_len : 1;
	/* The end of a path tells more than its beginning. */
	int cut = len > PATH_SHOWN ? len - PATH_SHOWN : 0;
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return fm_error_set(err, code, 0, "%s: %s%.*s: %s%s%s", node->tree->source,
			    cut ? "..." : "", len - cut, node->tree->path + cut, prop ? prop : "",
			    prop ? ": " : "", text);
}

static int missing(struct fm_error *err, int code, const struct fm_fdt_node *node, const char *prop)
{
	return fmi_fdt_fail(err, code, node, prop, "is missing, expected a value");
}

/* --- names and values ------------------------------------------------------------------------ */

const char *fm_fdt_node_name(const struct fm_fdt_node *node)
{
	return fmi_fdt_name(node->tree->blob, node->offset);
}

const char *fm_fdt_node_path(const struct fm_fdt_node *node)
{
	return node->tree->path;
}

const char *fm_fdt_node_source(const struct fm_fdt_node *node)
{
	return node->tree->source;
}

static const uint8_t *prop(const struct fm_fdt_node *node, const char *name, size_t *len)
{
	return fmi_fdt_prop(node->tree->blob, node->offset, name, len);
}

bool fm_fdt_node_has(const struct fm_fdt_node *node, const char *name)
{
	size_t len;

	return prop(node, name, &len) != NULL;
}

int fm_fdt_node_u32(const struct fm_fdt_node *node, const char *name, uint32_t *value,
		    struct fm_error *err)
{
	size_t len;
	const uint8_t *bytes = prop(node, name, &len);

	if (!bytes)
		return missing(err, FM_ERR_NOT_FOUND, node, name);
	if (len != 4)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, name, "%zu bytes, expected 4", len);
	*value = fmi_be32(bytes);
	return 0;
}

/* A string ends up in messages and tables: no control characters, and its NUL is there. */
static int check_text(const struct fm_fdt_node *node, const char *name, const uint8_t *text,
		      size_t len, struct fm_error *err)
{
	for (size_t i = 0; i < len && text[i]; i++) {
		if (text[i] < ' ' || text[i] == 0x7f)
			return fmi_fdt_fail(err, FM_ERR_FORMAT, node, name,
					    "byte %zu is 0x%02x, expected text", i, text[i]);
	}
	if (!memchr(text, 0, len))
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, name,
				    "%zu bytes without a NUL, expected text that ends in one", len);
	return 0;
}

int fm_fdt_node_text(const struct fm_fdt_node *node, const char *name, const char **value,
		     struct fm_error *err)
{
	size_t len;
	const uint8_t *text = prop(node, name, &len);
	int rc;

	if (!text)
		return missing(err, FM_ERR_NOT_FOUND, node, name);
	rc = check_text(node, name, text, len, err);
	if (rc)
		return rc;
	if (strlen((const char *)text) + 1 != len)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, name,
				    "%zu bytes behind the NUL of \"%.40s\", expected one string",
				    len - strlen((const char *)text) - 1, (const char *)text);
	*value = (const char *)text;
	return 0;
}

int fmi_fdt_next_text(const struct fm_fdt_node *node, const char *name, const char **text,
		      struct fm_error *err)
{
	size_t len;
	const uint8_t *list = prop(node, name, &len);
	const uint8_t *next = list;
	int rc;

	if (!list)
		return 0;
	if (*text)
		next = (const uint8_t *)*text + strlen(*text) + 1;
	if (*text && next == list + len)
		return 0;
	rc = check_text(node, name, next, (size_t)(list + len - next), err);
	if (rc < 0)
		return rc;
	*text = (const char *)next;
	return 1;
}

int fmi_fdt_number(const struct fm_fdt_node *node, const char *name, uint64_t *value,
		   struct fm_error *err)
{
	size_t len;
	const uint8_t *bytes = prop(node, name, &len);

	if (!bytes)
		return 0;
	if (len != 4 && len != 8)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, name,
				    "%zu bytes, expected one or two cells", len);
	*value = len == 4 ? fmi_be32(bytes) : fmi_be64(bytes);
	return 0;
}

int fm_fdt_node_compatible(const struct fm_fdt_node *node, const char *wanted, struct fm_error *err)
{
	const char *text = NULL;
	bool found = false;
	int rc;

	while ((rc = fmi_fdt_next_text(node, "compatible", &text, err)) > 0)
		found |= !strcmp(text, wanted);
	return rc < 0 ? rc : found;
}

/* --- addresses ----------------------------------------------------------------------------- */

/*
 * How many cells an address and a length of the children of `bus` have. Defaults: Devicetree
 * Specification 0.4, 2.3.5. We read what fits 64 bits, so no PCI addresses.
 */
static int cells(const struct fm_fdt_node *bus, const struct fmi_fdt_value *v, const char *name,
		 unsigned fallback, unsigned *out, struct fm_error *err)
{
	uint32_t value = fallback;

	if (v->bytes && v->len != 4)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, bus, name, "%zu bytes, expected 4", v->len);
	if (v->bytes)
		value = fmi_be32(v->bytes);
	if (value < 1 || value > 2)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, bus, name,
				    "%u, expected 1 or 2 to read a child's addresses", value);
	*out = value;
	return 0;
}

static int address_cells(const struct fm_fdt_node *bus, unsigned *out, struct fm_error *err)
{
	return cells(bus, &bus->address_cells, "#address-cells", 2, out, err);
}

static int size_cells(const struct fm_fdt_node *bus, unsigned *out, struct fm_error *err)
{
	return cells(bus, &bus->size_cells, "#size-cells", 1, out, err);
}

/* Take a number of one or two cells off *p. */
static uint64_t take(const uint8_t **p, unsigned ncells)
{
	uint64_t value = ncells == 1 ? fmi_be32(*p) : fmi_be64(*p);

	*p += 4 * ncells;
	return value;
}

/* Does the range leave what `ncells` cells can address? It may end with them. */
static bool leaves(uint64_t addr, uint64_t len, unsigned ncells)
{
	uint64_t last = ncells == 1 ? UINT32_MAX : UINT64_MAX;

	return addr > last || len - 1 > last - addr;
}

/*
 * Carry [*addr, *addr + len), an address on `bus`, to the bus above by "ranges": empty is identity,
 * else one entry must hold all of it (Devicetree Specification 0.4, 2.3.8).
 */
static int translate(const struct fm_fdt_node *bus, uint64_t *addr, uint64_t len,
		     struct fm_error *err)
{
	const size_t bytes = bus->ranges.len;
	const uint8_t *p = bus->ranges.bytes;
	const uint8_t *end;
	unsigned below = 1, above = 1, size = 1;
	int rc;

	if (!p)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, bus, "ranges",
				    "is missing, expected where in memory 0x%llx of %s is",
				    (unsigned long long)*addr, bus->tree->path);
	if (!bytes)
		return 0;
	rc = address_cells(bus, &below, err);
	if (!rc)
		rc = size_cells(bus, &size, err);
	if (!rc)
		rc = address_cells(bus->parent, &above, err);
	if (rc)
		return rc;
	if (bytes % (4 * (below + above + size)))
		return fmi_fdt_fail(err, FM_ERR_FORMAT, bus, "ranges",
				    "%zu bytes, expected a multiple of %u", bytes,
				    4 * (below + above + size));
	if (bytes / (4 * (below + above + size)) > FMI_FDT_RANGES)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, bus, "ranges",
				    "%zu entries, expected at most %u",
				    bytes / (4 * (below + above + size)), FMI_FDT_RANGES);
	end = p + bytes;
	while (p < end) {
		uint64_t child = take(&p, below);
		uint64_t parent = take(&p, above);
		uint64_t span = take(&p, size);

		if (*addr < child || !fmi_in_range(*addr - child, len, span))
			continue;
		if (leaves(parent, span, above))
			return fmi_fdt_fail(err, FM_ERR_RANGE, bus, "ranges",
					    "0x%llx bytes at 0x%llx wrap, expected an end at or "
					    "below the last address",
					    (unsigned long long)span, (unsigned long long)parent);
		*addr = parent + (*addr - child);
		return 0;
	}
	return fmi_fdt_fail(err, FM_ERR_FORMAT, bus, "ranges",
			    "no entry holds 0x%llx bytes at 0x%llx of %s", (unsigned long long)len,
			    (unsigned long long)*addr, bus->tree->path);
}

/* The layout of "reg": cells of each part, and pairs. */
struct reg {
	const uint8_t *bytes;
	unsigned addr;
	unsigned size;
	unsigned count;
};

static int reg_layout(const struct fm_fdt_node *node, struct reg *reg, struct fm_error *err)
{
	size_t len;
	int rc;

	reg->bytes = prop(node, "reg", &len);
	if (!reg->bytes || !node->parent)
		return missing(err, FM_ERR_FORMAT, node, "reg");
	rc = address_cells(node->parent, &reg->addr, err);
	if (!rc)
		rc = size_cells(node->parent, &reg->size, err);
	if (rc)
		return rc;
	if (!len || len % (4 * (reg->addr + reg->size)))
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, "reg",
				    "%zu bytes, expected a multiple of %u (%u address and %u size "
				    "cells)",
				    len, 4 * (reg->addr + reg->size), reg->addr, reg->size);
	reg->count = (unsigned)(len / (4 * (reg->addr + reg->size)));
	return 0;
}

int fm_fdt_node_reg_count(const struct fm_fdt_node *node, struct fm_error *err)
{
	struct reg reg = { .addr = 1, .size = 1 };
	int rc = reg_layout(node, &reg, err);

	return rc ? rc : (int)reg.count;
}

int fm_fdt_node_reg(const struct fm_fdt_node *node, unsigned index, uint64_t *addr, uint64_t *len,
		    struct fm_error *err)
{
	struct reg reg = { .addr = 1, .size = 1 };
	const uint8_t *p;
	uint64_t at, size;
	char what[32];
	int rc = reg_layout(node, &reg, err);

	if (rc)
		return rc;
	snprintf(what, sizeof(what), "reg[%u]", index);
	if (index >= reg.count)
		return fmi_fdt_fail(err, FM_ERR_RANGE, node, what, "expected an index below %u",
				    reg.count);
	p = reg.bytes + (size_t)index * 4 * (reg.addr + reg.size);
	at = take(&p, reg.addr);
	size = take(&p, reg.size);
	if (!size)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, what,
				    "0 bytes at 0x%llx, expected at least 1",
				    (unsigned long long)at);
	if (leaves(at, size, reg.addr))
		return fmi_fdt_fail(err, FM_ERR_RANGE, node, what,
				    "0x%llx bytes at 0x%llx wrap, expected an end at or below the "
				    "last address",
				    (unsigned long long)size, (unsigned long long)at);
	for (const struct fm_fdt_node *bus = node->parent; !rc && bus->parent; bus = bus->parent)
		rc = translate(bus, &at, size, err);
	if (rc)
		return rc;
	*addr = at;
	*len = size;
	return 0;
}

/* --- windows of a PCI host bridge -------------------------------------------------------------- */

#define PCI_ADDRESS 3u /* cells of an address on the bus: space and flags, then 64 bits */
#define PCI_SIZE 2u

static int expect_cells(const struct fm_fdt_node *bus, const char *name, uint32_t expected,
			struct fm_error *err)
{
	uint32_t value;
	int rc = fm_fdt_node_u32(bus, name, &value, err);

	if (rc)
		return rc == FM_ERR_NOT_FOUND ? missing(err, FM_ERR_FORMAT, bus, name) : rc;
	if (value != expected)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, bus, name, "%u, expected %u of a PCI bus",
				    value, expected);
	return 0;
}

static int check_pci_range(const struct fm_fdt_node *node, const char *what, unsigned above,
			   const struct fm_fdt_pci_range *r, struct fm_error *err)
{
	bool narrow = r->space != FM_FDT_PCI_MEM64;

	if (!r->len)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, what,
				    "0 bytes at 0x%llx, expected at least 1",
				    (unsigned long long)r->gpa);
	if (leaves(r->pci, r->len, narrow ? 1 : 2) || leaves(r->gpa, r->len, above))
		return fmi_fdt_fail(err, FM_ERR_RANGE, node, what,
				    "0x%llx bytes at 0x%llx, on the bus 0x%llx, wrap, expected an "
				    "end at or below the last address",
				    (unsigned long long)r->len, (unsigned long long)r->gpa,
				    (unsigned long long)r->pci);
	return 0;
}

int fm_fdt_node_pci_range(const struct fm_fdt_node *node, unsigned index,
			  struct fm_fdt_pci_range *out, struct fm_error *err)
{
	struct fm_fdt_pci_range r;
	size_t bytes, entry;
	const uint8_t *p = prop(node, "ranges", &bytes);
	unsigned above = 1;
	uint32_t space;
	char what[32];
	int rc = expect_cells(node, "#address-cells", PCI_ADDRESS, err);

	if (!rc)
		rc = expect_cells(node, "#size-cells", PCI_SIZE, err);
	if (!rc && !node->parent)
		rc = missing(err, FM_ERR_FORMAT, node, "parent");
	if (!rc)
		rc = address_cells(node->parent, &above, err);
	if (rc)
		return rc;
	entry = 4 * (PCI_ADDRESS + above + PCI_SIZE);
	if (bytes % entry)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, "ranges",
				    "%zu bytes, expected a multiple of %zu", bytes, entry);
	snprintf(what, sizeof(what), "ranges[%u]", index);
	if (index >= bytes / entry)
		return fmi_fdt_fail(err, FM_ERR_NOT_FOUND, node, what,
				    "expected an index below %zu", bytes / entry);
	p += index * entry;
	space = (uint32_t)take(&p, 1);
	r.space = (enum fm_fdt_pci_space)(space >> 24 & 3);
	r.prefetchable = space >> 30 & 1;
	r.pci = take(&p, 2);
	r.gpa = take(&p, above);
	r.len = take(&p, 2);
	rc = check_pci_range(node, what, above, &r, err);
	for (const struct fm_fdt_node *bus = node->parent; !rc && bus->parent; bus = bus->parent)
		rc = translate(bus, &r.gpa, r.len, err);
	if (!rc)
		*out = r;
	return rc;
}
