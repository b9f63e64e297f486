/* SPDX-License-Identifier: BSD-2-Clause */
/* The set-up of a stream of memory: written, read, and held against a machine. */
#include <firmem/migration.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/postcopy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLAG_MEM_SIZE UINT64_C(0x04)
#define TARGET_PAGE_MIN 1024u

#define ULL(v) ((unsigned long long)(v))

static int read_config(struct fm_migration_config *c, const struct fm_migration_config *cfg,
		       struct fm_error *err)
{
	static const struct fm_migration_config defaults = { .struct_size = sizeof(defaults) };
	int rc = fmi_config_copy(c, sizeof(*c), cfg ? cfg : &defaults, "fm_migration_config", err);

	if (rc)
		return rc;
	if (!c->target_page)
		c->target_page = 4096;
	if (fmi_is_pow2(c->target_page) && c->target_page >= TARGET_PAGE_MIN)
		return 0;
	return fm_error_set(err, FM_ERR_ARG, 0,
			    "fm_migration_config.target_page: 0x%llx, expected 0 or a power of two "
			    ">= 1024",
			    ULL(c->target_page));
}

static uint64_t host_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What the stream says of a block: 0 for the host's page. */
static uint64_t page_size_of(const struct fm_migration_config *c, const struct fm_block *block)
{
	uint64_t size = fm_block_page_size(block);

	return !c->postcopy || size == host_page() ? 0 : size;
}

static uint64_t len_of(const struct fm_migration_config *c, const struct fm_block *block)
{
	return fmi_align_up(fm_block_len(block), c->target_page);
}

int fm_migration_postcopy(const struct fm_block *block, struct fm_error *err)
{
	if (!block)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_migration_postcopy: block is NULL, expected a block");
	return fmi_postcopy_check(block, err);
}

/* --- writing -------------------------------------------------------------------------------------- */

/* Bytes of the set-up, and the sum of the lengths. */
static int measure(const struct fm_machine *machine, const struct fm_migration_config *c,
		   size_t *size, uint64_t *sum, struct fm_error *err)
{
	const struct fm_block *block;
	int rc = 0;

	*size = 8;
	*sum = 0;
	fm_machine_foreach_block (machine, FM_WALK_MIGRATABLE, block) {
		uint64_t len = len_of(c, block);

		if (c->postcopy)
			rc = fmi_postcopy_check(block, err);
		if (rc)
			return rc;
		*sum += len;
		if (*sum < len)
			return fm_error_set(err, FM_ERR_SIZE, 0,
					    "%s: block %s: 0x%llx bytes, expected a sum of all "
					    "blocks below 2^64",
					    fm_machine_name(machine), fm_block_name(block),
					    ULL(len));
		*size += 1 + strlen(fm_block_name(block)) + 8 + (page_size_of(c, block) ? 8 : 0);
	}
	return 0;
}

static uint8_t *put_be64(uint8_t *at, uint64_t value)
{
	fmi_put_be64(at, value);
	return at + 8;
}

int fm_migration_write(const struct fm_machine *machine, const struct fm_migration_config *cfg,
		       void **out, size_t *len, struct fm_error *err)
{
	struct fm_migration_config c;
	const struct fm_block *block;
	uint64_t sum;
	size_t size;
	uint8_t *bytes, *at;
	int rc = read_config(&c, cfg, err);

	if (rc)
		return rc;
	if (!machine || !out || !len)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_migration_write: %s is NULL",
				    machine ? "out or len" : "machine");
	rc = measure(machine, &c, &size, &sum, err);
	if (rc)
		return rc;
	bytes = malloc(size);
	if (!bytes)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
				    fm_machine_name(machine));
	at = put_be64(bytes, sum | FLAG_MEM_SIZE);
	fm_machine_foreach_block (machine, FM_WALK_MIGRATABLE, block) {
		size_t n = strlen(fm_block_name(block));

		*at++ = (uint8_t)n;
		memcpy(at, fm_block_name(block), n);
		at = put_be64(at + n, len_of(&c, block));
		if (page_size_of(&c, block))
			at = put_be64(at, page_size_of(&c, block));
	}
	*out = bytes;
	*len = size;
	return 0;
}

/* --- reading -------------------------------------------------------------------------------------- */

struct reader {
	const uint8_t *bytes;
	size_t len;
	size_t at;
	struct fm_migration_config c;
	struct fm_error *err;
};

static int bad(const struct reader *r, const char *what, uint64_t value, const char *expected)
{
	return fm_error_set(r->err, FM_ERR_FORMAT, 0,
			    "migration set-up: offset 0x%zx: %s 0x%llx, expected %s", r->at, what,
			    ULL(value), expected);
}

static int need(const struct reader *r, size_t n)
{
	if (r->len - r->at >= n)
		return 0;
	return fm_error_set(r->err, FM_ERR_SIZE, 0,
			    "migration set-up: offset 0x%zx: the bytes end, expected %zu more",
			    r->at, n - (r->len - r->at));
}

static int no_memory(const struct reader *r)
{
	return fm_error_set(r->err, FM_ERR_NOMEM, 0, "migration set-up: out of memory");
}

static int get_name(struct reader *r, struct fm_migration_block *b)
{
	size_t n;
	int rc = need(r, 1);

	if (rc)
		return rc;
	n = r->bytes[r->at];
	if (!n)
		return bad(r, "length of a name", n, "1 to 255");
	rc = need(r, 1 + n);
	if (rc)
		return rc;
	r->at++;
	for (size_t i = 0; i < n; i++, r->at++) {
		uint8_t byte = r->bytes[r->at];

		if (byte < ' ' || byte == 0x7f)
			return bad(r, "byte of a name", byte, "no control character");
		b->name[i] = (char)byte;
	}
	return 0;
}

/*
 * Whether a page size follows is not in the bytes: QEMU knows it of its own block, and takes the wrong bytes
 * for the rest where the other side's block differs. But a name is never empty and what comes behind the last
 * block is a flag smaller than any page, so it can be told.
 */
static void get_page_size(struct reader *r, struct fm_migration_block *b)
{
	uint64_t value;

	if (!r->c.postcopy || r->len - r->at < 8)
		return;
	value = fmi_be64(r->bytes + r->at);
	if (value >> 56 || !fmi_is_pow2(value) || value < 4096)
		return;
	b->page_size = value;
	r->at += 8;
}

static int get_block(struct reader *r, struct fm_migration_block *b, uint64_t left)
{
	int rc = get_name(r, b);

	if (!rc)
		rc = need(r, 8);
	if (rc)
		return rc;
	b->len = fmi_be64(r->bytes + r->at);
	if (!b->len || b->len > left || !fmi_is_aligned(b->len, r->c.target_page))
		return bad(r, "length of a block", b->len,
			   "whole target pages, and at most what is left of the sum");
	r->at += 8;
	get_page_size(r, b);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that a stream of very many names is no work without end. */
static int check_names(const struct reader *r, const struct fm_migration_block *blocks,
		       size_t count)
{
	const char **names = calloc(count + 1, sizeof(*names));
	int rc = 0;

	if (!names)
		return no_memory(r);
	for (size_t i = 0; i < count; i++)
		names[i] = blocks[i].name;
	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 1; !rc && i < count; i++) {
		if (!strcmp(names[i - 1], names[i]))
			rc = fm_error_set(r->err, FM_ERR_FORMAT, 0,
					  "migration set-up: before offset 0x%zx: block \"%s\" "
					  "twice, expected each name once",
					  r->at, names[i]);
	}
	free(names);
	return rc;
}

/* Until the sum is reached. */
static int get_blocks(struct reader *r, struct fm_migration_block **blocks, size_t *count)
{
	uint64_t left = fmi_be64(r->bytes);
	size_t room = 0;

	if ((left & (r->c.target_page - 1)) != FLAG_MEM_SIZE)
		return bad(r, "sum of lengths and flag", left, "flag 4 below whole target pages");
	left -= FLAG_MEM_SIZE;
	for (r->at = 8; left;) {
		int rc;

		if (*count == room) {
			struct fm_migration_block *grown;

			room = room ? 2 * room : 16;
			grown = realloc(*blocks, room * sizeof(*grown));
			if (!grown)
				return no_memory(r);
			*blocks = grown;
		}
		memset(&(*blocks)[*count], 0, sizeof(**blocks));
		rc = get_block(r, &(*blocks)[*count], left);
		if (rc)
			return rc;
		left -= (*blocks)[(*count)++].len;
	}
	return check_names(r, *blocks, *count);
}

int fm_migration_read(const void *bytes, size_t len, const struct fm_migration_config *cfg,
		      struct fm_migration_block **blocks, size_t *count, size_t *used,
		      struct fm_error *err)
{
	struct reader r = { .bytes = bytes, .len = len, .err = err };
	struct fm_migration_block *got = NULL;
	size_t n = 0;
	int rc = read_config(&r.c, cfg, err);

	if (rc)
		return rc;
	if (!bytes || !blocks || !count)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_migration_read: %s is NULL",
				    bytes ? "blocks or count" : "bytes");
	rc = need(&r, 8);
	if (!rc)
		rc = get_blocks(&r, &got, &n);
	if (rc) {
		free(got);
		return rc;
	}
	*blocks = got;
	*count = n;
	if (used)
		*used = r.at;
	return 0;
}

/* --- two sides ------------------------------------------------------------------------------------ */

static const struct fm_migration_block *in_stream(const struct fm_migration_block *blocks,
						  size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(blocks[i].name, name))
			return &blocks[i];
	}
	return NULL;
}

/* A block of the machine that the stream has not, as long as this one: it may be called otherwise. */
static const struct fm_block *meant(const struct fm_machine *machine,
				    const struct fm_migration_config *c,
				    const struct fm_migration_block *blocks, size_t count,
				    uint64_t len)
{
	struct fm_block *b;

	fm_machine_foreach_block (machine, FM_WALK_MIGRATABLE, b) {
		if (len_of(c, b) == len && !in_stream(blocks, count, fm_block_name(b)))
			return b;
	}
	return NULL;
}

static int match_one(const struct fm_machine *machine, const struct fm_migration_config *c,
		     const struct fm_migration_block *s, const struct fm_block *b,
		     struct fm_error *err)
{
	const char *name = fm_machine_name(machine);
	uint64_t page = s->page_size ? s->page_size : host_page();

	if (fm_block_flags(b) & FM_BLOCK_NO_MIGRATE)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "%s: block \"%s\": the stream has it, and it does not migrate "
				    "here, expected the same on both sides",
				    name, s->name);
	if (s->len != len_of(c, b))
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: block \"%s\": length 0x%llx in the stream, expected "
				    "0x%llx as here",
				    name, s->name, ULL(s->len), ULL(len_of(c, b)));
	if (c->postcopy && page != fm_block_page_size(b))
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: block \"%s\": page size 0x%llx in the stream, expected "
				    "0x%llx as here",
				    name, s->name, ULL(page), ULL(fm_block_page_size(b)));
	return c->postcopy ? fmi_postcopy_check(b, err) : 0;
}

int fm_migration_match(const struct fm_machine *machine, const struct fm_migration_config *cfg,
		       const struct fm_migration_block *blocks, size_t count, struct fm_error *err)
{
	struct fm_migration_config c;
	const struct fm_block *b;
	int rc = read_config(&c, cfg, err);

	if (rc)
		return rc;
	if (!machine || (count && !blocks))
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_migration_match: %s is NULL",
				    machine ? "blocks" : "machine");
	for (size_t i = 0; !rc && i < count; i++) {
		const struct fm_migration_block *s = &blocks[i];

		b = fm_machine_block(machine, s->name);
		if (b) {
			rc = match_one(machine, &c, s, b, err);
			continue;
		}
		b = meant(machine, &c, blocks, count, s->len);
		rc = fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				  "%s: block \"%.100s\" (0x%llx bytes): only the stream has it, "
				  "expected it here too%s%s%s",
				  fm_machine_name(machine), s->name, ULL(s->len), b ? "; \"" : "",
				  b ? fm_block_name(b) : "",
				  b ? "\" is as long and not in the stream" : "");
	}
	if (rc)
		return rc;
	fm_machine_foreach_block (machine, FM_WALK_MIGRATABLE, b) {
		if (!in_stream(blocks, count, fm_block_name(b)))
			return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
					    "%s: block \"%s\" (0x%llx bytes): not in the stream, "
					    "expected it there too",
					    fm_machine_name(machine), fm_block_name(b),
					    ULL(len_of(&c, b)));
	}
	return 0;
}
