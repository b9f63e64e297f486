/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/fdt.h>

#include "devices/bytes.h"
#include "devices/fdt_private.h"

#include <libfdt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LEN 4096

/* What fails first sticks: `err` is what fm_fdt_finish() reports. */
struct fm_fdt {
	void *buf;
	int len;    /* bytes of buf */
	int depth;  /* open nodes */
	bool props; /* the open node has no child yet: properties are in place */
	struct fm_error err;
	char *path;  /* of the open node, for messages; NULL at the root */
	char *names; /* of the open node's properties, each with its NUL */
	size_t names_len;
};

/* --- failures ------------------------------------------------------------------------------ */

FM_PRINTF(3, 4)
static void fail(struct fm_fdt *fdt, int code, const char *fmt, ...)
{
	char text[200];
	va_list args;

	if (fdt->err.code)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fm_error_set(&fdt->err, code, 0, "device tree: %s: %s",
		     fdt->path && *fdt->path ? fdt->path : "/", text);
}

static void fail_memory(struct fm_fdt *fdt)
{
	fail(fdt, FM_ERR_NOMEM, "out of memory");
}

/* --- a buffer that grows ------------------------------------------------------------------- */

/* Make room for at least `more` bytes; false when there is no memory, or no int to count it. */
static bool grow(struct fm_fdt *fdt, size_t more)
{
	size_t len = 2 * (size_t)fdt->len + more;
	void *buf;

	if (more > INT_MAX || len > INT_MAX)
		return false;
	/* Zeroed: libfdt leaves alignment gaps as they are, and equal trees are to be equal. */
	buf = calloc(1, len);
	if (!buf)
		return false;
	if (fdt_resize(fdt->buf, buf, (int)len)) {
		free(buf);
		return false;
	}
	free(fdt->buf);
	fdt->buf = buf;
	fdt->len = (int)len;
	return true;
}

/* Report what libfdt says after its own steps; true to do the step again with more room. */
static bool again(struct fm_fdt *fdt, int rc, size_t more)
{
	if (!rc)
		return false;
	if (rc != -FDT_ERR_NOSPACE) {
		fail(fdt, FM_ERR_STATE, "%s", fdt_strerror(rc));
		return false;
	}
	if (!grow(fdt, more)) {
		fail_memory(fdt);
		return false;
	}
	return true;
}

/* Remember a property's name; false when the open node has it already, or without memory. */
static bool note_name(struct fm_fdt *fdt, const char *name)
{
	size_t len = strlen(name) + 1;
	char *names;

	for (size_t i = 0; i < fdt->names_len; i += strlen(fdt->names + i) + 1) {
		if (!strcmp(fdt->names + i, name)) {
			fail(fdt, FM_ERR_STATE, "%s: is there already, expected it once", name);
			return false;
		}
	}
	names = realloc(fdt->names, fdt->names_len + len);
	if (!names) {
		fail_memory(fdt);
		return false;
	}
	memcpy(names + fdt->names_len, name, len);
	fdt->names = names;
	fdt->names_len += len;
	return true;
}

/* --- nodes --------------------------------------------------------------------------------- */

static void open_node(struct fm_fdt *fdt, const char *name)
{
	while (again(fdt, fdt_begin_node(fdt->buf, name), strlen(name) + 64))
		;
	fdt->depth++;
	fdt->props = true;
	fdt->names_len = 0;
}

static void close_node(struct fm_fdt *fdt)
{
	while (again(fdt, fdt_end_node(fdt->buf), 64))
		;
	fdt->depth--;
	fdt->props = false;
}

int fm_fdt_new(struct fm_fdt **out, struct fm_error *err)
{
	struct fm_fdt *fdt = calloc(1, sizeof(*fdt));

	if (fdt)
		fdt->buf = calloc(1, FIRST_LEN);
	if (!fdt || !fdt->buf) {
		fm_fdt_free(fdt);
		return fm_error_set(err, FM_ERR_NOMEM, 0, "device tree: out of memory");
	}
	fdt->len = FIRST_LEN;
	if (fdt_create(fdt->buf, fdt->len) || fdt_finish_reservemap(fdt->buf))
		fail(fdt, FM_ERR_STATE, "cannot begin");
	open_node(fdt, "");
	fm_fdt_prop_u32(fdt, "#address-cells", 2);
	fm_fdt_prop_u32(fdt, "#size-cells", 2);
	if (fdt->err.code) {
		int rc = fm_error_set(err, fdt->err.code, 0, "%s", fdt->err.msg);

		fm_fdt_free(fdt);
		return rc;
	}
	*out = fdt;
	return 0;
}

void fm_fdt_free(struct fm_fdt *fdt)
{
	if (!fdt)
		return;
	free(fdt->path);
	free(fdt->names);
	free(fdt->buf);
	free(fdt);
}

void fm_fdt_begin(struct fm_fdt *fdt, const char *name)
{
	size_t len;
	char *path;

	if (fdt->err.code)
		return;
	if (!name || !*name || strchr(name, '/')) {
		fail(fdt, FM_ERR_ARG, "child's name: \"%s\", expected one without '/'",
		     name ? name : "");
		return;
	}
	if (fdt->depth < 1) {
		fail(fdt, FM_ERR_STATE, "%s: begins after the end of the tree", name);
		return;
	}
	len = fdt->path ? strlen(fdt->path) : 0;
	path = realloc(fdt->path, len + strlen(name) + 2);
	if (!path) {
		fail_memory(fdt);
		return;
	}
	sprintf(path + len, "/%s", name);
	fdt->path = path;
	open_node(fdt, name);
}

void fm_fdt_end(struct fm_fdt *fdt)
{
	if (fdt->err.code)
		return;
	if (fdt->depth <= 1) {
		fail(fdt, FM_ERR_STATE, "ends more nodes than began");
		return;
	}
	close_node(fdt);
	*strrchr(fdt->path, '/') = '\0';
}

/* --- properties ---------------------------------------------------------------------------- */

void fm_fdt_prop(struct fm_fdt *fdt, const char *name, const void *bytes, size_t len)
{
	if (fdt->err.code)
		return;
	if (!name || !*name || (len && !bytes))
		fail(fdt, FM_ERR_ARG, "property \"%s\": %s is missing", name ? name : "",
		     name && *name ? "value" : "name");
	else if (!fdt->props)
		fail(fdt, FM_ERR_STATE, "%s: comes after a child, expected it before", name);
	else if (len > INT_MAX)
		fail(fdt, FM_ERR_ARG, "%s: %zu bytes, expected at most %d", name, len, INT_MAX);
	else if (note_name(fdt, name)) {
		while (again(fdt, fdt_property(fdt->buf, name, bytes, (int)len),
			     len + strlen(name) + 64))
			;
	}
}

void fm_fdt_prop_empty(struct fm_fdt *fdt, const char *name)
{
	fm_fdt_prop(fdt, name, NULL, 0);
}

void fm_fdt_prop_text(struct fm_fdt *fdt, const char *name, const char *text)
{
	fm_fdt_prop(fdt, name, text, text ? strlen(text) + 1 : 1);
}

void fm_fdt_prop_texts(struct fm_fdt *fdt, const char *name, const char *const *texts)
{
	size_t len = 0;
	char *list;
	char *p;

	for (size_t i = 0; texts && texts[i]; i++)
		len += strlen(texts[i]) + 1;
	if (!len) {
		fm_fdt_prop(fdt, name, NULL, 1);
		return;
	}
	p = list = malloc(len);
	if (!list) {
		fail_memory(fdt);
		return;
	}
	for (size_t i = 0; texts[i]; i++)
		p = stpcpy(p, texts[i]) + 1;
	fm_fdt_prop(fdt, name, list, len);
	free(list);
}

void fm_fdt_prop_u32(struct fm_fdt *fdt, const char *name, uint32_t value)
{
	fm_fdt_prop_u32s(fdt, name, &value, 1);
}

/* From an array of one or the other. */
static void prop_cells(struct fm_fdt *fdt, const char *name, const uint32_t *u32s,
		       const uint64_t *u64s, size_t count)
{
	size_t size = u32s ? 4 : 8;
	uint8_t *bytes;

	if ((!u32s && !u64s) || !count || count > INT_MAX / size) {
		fail(fdt, FM_ERR_ARG, "%s: %zu values, expected at least 1", name ? name : "",
		     u32s || u64s ? count : 0);
		return;
	}
	bytes = malloc(count * size);
	if (!bytes) {
		fail_memory(fdt);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (u32s)
			fmi_put_be32(bytes + i * size, u32s[i]);
		else
			fmi_put_be64(bytes + i * size, u64s[i]);
	}
	fm_fdt_prop(fdt, name, bytes, count * size);
	free(bytes);
}

void fm_fdt_prop_u32s(struct fm_fdt *fdt, const char *name, const uint32_t *values, size_t count)
{
	prop_cells(fdt, name, values, NULL, count);
}

void fm_fdt_prop_u64(struct fm_fdt *fdt, const char *name, uint64_t value)
{
	prop_cells(fdt, name, NULL, &value, 1);
}

void fm_fdt_prop_reg(struct fm_fdt *fdt, const uint64_t *addr_len, size_t pairs)
{
	prop_cells(fdt, "reg", NULL, addr_len, pairs > SIZE_MAX / 2 ? 0 : 2 * pairs);
}

/* --- the nodes of memory devices ------------------------------------------------------------- */

static void begin_at(struct fm_fdt *fdt, const char *name, uint64_t gpa)
{
	char text[64];

	snprintf(text, sizeof(text), "%s@%llx", name, (unsigned long long)gpa);
	fm_fdt_begin(fdt, text);
}

void fm_fdt_add_memory(struct fm_fdt *fdt, uint64_t gpa, uint64_t len, int node_id)
{
	const uint64_t reg[] = { gpa, len };

	begin_at(fdt, "memory", gpa);
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_reg(fdt, reg, 1);
	/* Linux, bindings/numa.txt. */
	if (node_id >= 0)
		fm_fdt_prop_u32(fdt, "numa-node-id", (uint32_t)node_id);
	fm_fdt_end(fdt);
}

void fm_fdt_add_flash(struct fm_fdt *fdt, const uint64_t *addr_len, size_t banks,
		      unsigned bank_width)
{
	/* Linux, bindings/mtd/mtd-physmap.yaml. */
	begin_at(fdt, "flash", addr_len && banks ? addr_len[0] : 0);
	fm_fdt_prop_text(fdt, "compatible", "cfi-flash");
	fm_fdt_prop_reg(fdt, addr_len, banks);
	fm_fdt_prop_u32(fdt, "bank-width", bank_width);
	fm_fdt_end(fdt);
}

void fm_fdt_add_pmem(struct fm_fdt *fdt, const uint64_t *addr_len, size_t ranges, bool lost)
{
	/* Linux, bindings/pmem/pmem-region.txt. */
	begin_at(fdt, "pmem", addr_len && ranges ? addr_len[0] : 0);
	fm_fdt_prop_text(fdt, "compatible", "pmem-region");
	fm_fdt_prop_reg(fdt, addr_len, ranges);
	if (lost)
		fm_fdt_prop_empty(fdt, "volatile");
	fm_fdt_end(fdt);
}

int fm_fdt_finish(struct fm_fdt *fdt, void **blob, size_t *len, struct fm_error *err)
{
	if (!fdt->err.code && fdt->depth != 1)
		fail(fdt, FM_ERR_STATE, fdt->depth ? "is still open" : "was finished before");
	if (!fdt->err.code) {
		close_node(fdt);
		while (again(fdt, fdt_finish(fdt->buf), 64))
			;
	}
	if (fdt->err.code)
		return fm_error_set(err, fdt->err.code, 0, "%s", fdt->err.msg);
	*len = fdt_totalsize(fdt->buf);
	*blob = fdt->buf;
	fdt->buf = NULL;
	return 0;
}

/* --- reading: what the other files ask ------------------------------------------------------- */

static int check_sizes(const void *blob, size_t len, const char *source, struct fm_error *err)
{
	uint32_t total;

	if (len < FDT_V17_SIZE)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: size: %zu bytes, expected at least a header of %u", source,
				    len, (unsigned)FDT_V17_SIZE);
	if (fdt_magic(blob) != FDT_MAGIC)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: magic: 0x%08x, expected 0x%08x of a device tree blob",
				    source, fdt_magic(blob), FDT_MAGIC);
	total = fdt_totalsize(blob);
	if (total > len || total > INT_MAX)
		return fm_error_set(
			err, FM_ERR_SIZE, 0,
			"%s: totalsize: %u, expected at most the %zu bytes that are there", source,
			total, len);
	return 0;
}

/* What fdt_check_full() lets pass and the rest of this file relies on. NULL when all is well. */
static const char *misplaced(const void *blob)
{
	int depth = 0;
	int at = 0;
	uint32_t last = FDT_NOP;
	uint32_t tag = fdt_next_tag(blob, at, &at);

	if (tag != FDT_BEGIN_NODE || *fmi_fdt_name(blob, 0))
		return "a root node without a name at its start";
	for (; tag != FDT_END; tag = fdt_next_tag(blob, at, &at)) {
		if (tag == FDT_NOP)
			continue;
		if (last == FDT_END_NODE && !depth)
			return "nothing behind the root node";
		if (last == FDT_END_NODE && tag == FDT_PROP)
			return "a node's properties before its children";
		depth += (tag == FDT_BEGIN_NODE) - (tag == FDT_END_NODE);
		last = tag;
	}
	return NULL;
}

/*
 * A node that says more than it may, or NULL: properties are looked for one after the other, also in a bus for
 * each of its children. What begins with "__" is a table of labels, in which nobody looks.
 */
static const char *crowded(const void *blob)
{
	const char *name = "";
	unsigned count = 0;
	int at = 0;
	int begin = 0;
	uint32_t tag;

	do {
		begin = at;
		tag = fdt_next_tag(blob, at, &at);
		if (tag == FDT_BEGIN_NODE) {
			name = fmi_fdt_name(blob, begin);
			count = 0;
		} else if (tag == FDT_PROP && ++count > FMI_FDT_PROPS &&
			   strncmp(name, "__", 2) != 0) {
			return *name ? name : "/";
		}
	} while (tag != FDT_END);
	return NULL;
}

int fmi_fdt_check(const void *blob, size_t len, const char *source, struct fm_error *err)
{
	const char *expected, *many;
	int rc = check_sizes(blob, len, source, err);

	if (rc)
		return rc;
	if (fdt_version(blob) < 17 || fdt_last_comp_version(blob) > 17)
		return fm_error_set(err, FM_ERR_VERSION, 0,
				    "%s: version: %u, compatible down to %u, expected 17", source,
				    fdt_version(blob), fdt_last_comp_version(blob));
	rc = fdt_check_full(blob, len);
	if (rc)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: structure: %s, expected a well-formed tree", source,
				    fdt_strerror(rc));
	expected = misplaced(blob);
	if (expected)
		return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: structure: expected %s", source,
				    expected);
	many = crowded(blob);
	if (many)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: node \"%.60s\": more properties than expected: at most %u",
				    source, many, FMI_FDT_PROPS);
	return 0;
}

int fmi_fdt_next(const void *blob, int node, int *depth)
{
	int next = fdt_next_node(blob, node, depth);

	return next < 0 || *depth < 1 ? -1 : next;
}

const char *fmi_fdt_name(const void *blob, int node)
{
	const char *name = fdt_get_name(blob, node, NULL);

	return name ? name : "";
}

void fmi_fdt_path(const void *blob, int node, char *path, size_t len)
{
	if (fdt_get_path(blob, node, path, (int)len))
		snprintf(path, len, "/");
}

const void *fmi_fdt_prop(const void *blob, int node, const char *name, size_t *len)
{
	int n;
	const void *value = fdt_getprop(blob, node, name, &n);

	*len = value ? (size_t)n : 0;
	return value;
}
