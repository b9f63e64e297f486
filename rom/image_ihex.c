/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel HEX by Intel's "Hexadecimal Object File Format Specification", revision A of 1988-01-06.
 * Strict: text outside of records, unknown record types and bytes given twice are errors. Blank
 * lines, any line end and lower-case digits are accepted.
 */
#include "rom/image_private.h"

#include "devices/bytes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum record_type {
	REC_DATA = 0,
	REC_END = 1,
	REC_EXT_SEGMENT = 2,   /* bits 4 to 19 of the base; offsets wrap at 64 KiB */
	REC_START_SEGMENT = 3, /* CS:IP */
	REC_EXT_LINEAR = 4,    /* bits 16 to 31 of the base */
	REC_START_LINEAR = 5,  /* EIP */
};

struct record {
	uint8_t type;
	uint8_t len;
	uint16_t offset;
	uint8_t data[UINT8_MAX];
};

/* Bytes of consecutive addresses that stand together in `bytes`. */
struct run {
	uint64_t addr;
	size_t off;
	size_t len;
	size_t line; /* where it begins */
};

struct hex {
	struct fmi_image_builder *b;
	const char *name;
	size_t pos;  /* in the text */
	size_t line; /* from 1 */
	uint32_t base;
	bool segmented; /* the base is a segment's */
	bool ended;
	uint8_t *bytes; /* decoded, in the order of the file */
	size_t used;
	struct run *runs;
	size_t count;
	size_t room;
};

/* --- text -------------------------------------------------------------------------------- */

static bool is_line_end(uint8_t c)
{
	return c == '\n' || c == '\r';
}

/* The value of a hexadecimal digit, or -1. */
static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A record mark and the eight digits that every record has: not what binaries begin with. */
bool fmi_image_is_ihex(const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	while (at < len && is_line_end(bytes[at]))
		at++;
	if (len - at < 9 || bytes[at] != ':')
		return false;
	for (size_t i = 1; i < 9; i++) {
		if (digit(bytes[at + i]) < 0)
			return false;
	}
	return true;
}

static int wrong(const struct hex *h, int code, const char *field, uint64_t value,
		 const char *expected)
{
	return fm_error_set(h->b->err, code, 0, "%s: line %zu: %s is 0x%02" PRIx64 ", expected %s",
			    h->name, h->line, field, value, expected);
}

static void skip_line_ends(struct hex *h)
{
	const uint8_t *p = h->b->bytes;

	for (; h->pos < h->b->len && is_line_end(p[h->pos]); h->pos++) {
		/* CR LF is one end of line. */
		if (p[h->pos] == '\n' || h->pos + 1 == h->b->len || p[h->pos + 1] != '\n')
			h->line++;
	}
}

static int get_byte(struct hex *h, const char *field, uint8_t *sum, uint8_t *out)
{
	int nibbles[2];

	for (int i = 0; i < 2; i++, h->pos++) {
		if (h->pos == h->b->len || is_line_end(h->b->bytes[h->pos]))
			return fm_error_set(h->b->err, FM_ERR_FORMAT, 0,
					    "%s: line %zu: %s is cut short, expected two digits",
					    h->name, h->line, field);
		nibbles[i] = digit(h->b->bytes[h->pos]);
		if (nibbles[i] < 0)
			return wrong(h, FM_ERR_FORMAT, field, h->b->bytes[h->pos],
				     "a hexadecimal digit");
	}
	*out = (uint8_t)(nibbles[0] << 4 | nibbles[1]);
	*sum = (uint8_t)(*sum + *out);
	return 0;
}

/* One record, from its mark to the end of its line. */
static int get_record(struct hex *h, struct record *r)
{
	uint8_t sum = 0, stored = 0, high = 0, low = 0;
	int rc;

	if (h->b->bytes[h->pos] != ':')
		return wrong(h, FM_ERR_FORMAT, "the first character", h->b->bytes[h->pos],
			     "the record mark ':'");
	h->pos++;
	if ((rc = get_byte(h, "the length", &sum, &r->len)) ||
	    (rc = get_byte(h, "the offset", &sum, &high)) ||
	    (rc = get_byte(h, "the offset", &sum, &low)) ||
	    (rc = get_byte(h, "the record type", &sum, &r->type)))
		return rc;
	r->offset = (uint16_t)(high << 8 | low);
	for (unsigned i = 0; i < r->len; i++) {
		rc = get_byte(h, "the data", &sum, &r->data[i]);
		if (rc)
			return rc;
	}
	high = (uint8_t)(0 - sum);
	rc = get_byte(h, "the checksum", &sum, &stored);
	if (rc)
		return rc;
	if (sum)
		return fm_error_set(h->b->err, FM_ERR_CHECKSUM, 0,
				    "%s: line %zu: the checksum is 0x%02x, expected 0x%02x",
				    h->name, h->line, stored, high);
	if (h->pos < h->b->len && !is_line_end(h->b->bytes[h->pos]))
		return wrong(h, FM_ERR_FORMAT, "the character behind the checksum",
			     h->b->bytes[h->pos], "the end of the line");
	return 0;
}

/* --- records ----------------------------------------------------------------------------- */

/* Keep bytes that belong at `addr`. `h->bytes` has room for whatever the text can say. */
static int put(struct hex *h, uint64_t addr, const uint8_t *data, size_t len)
{
	struct run *last = h->runs ? &h->runs[h->count - 1] : NULL;

	if (!len)
		return 0;
	memcpy(h->bytes + h->used, data, len);
	h->used += len;
	if (last && last->addr + last->len == addr) {
		last->len += len;
		return 0;
	}
	if (h->count >= FMI_IMAGE_SEGMENTS_MAX)
		return fm_error_set(h->b->err, FM_ERR_SIZE, 0,
				    "%s: line %zu: the data is in more than %u pieces, "
				    "expected at most as many",
				    h->name, h->line, FMI_IMAGE_SEGMENTS_MAX);
	if (!h->runs || h->count == h->room) {
		size_t room = h->room ? 2 * h->room : 16;
		struct run *grown = realloc(h->runs, room * sizeof(*grown));

		if (!grown)
			return fm_error_set(h->b->err, FM_ERR_NOMEM, 0, "%s: out of memory",
					    h->name);
		h->runs = grown;
		h->room = room;
	}
	h->runs[h->count++] =
		(struct run){ .addr = addr, .off = h->used - len, .len = len, .line = h->line };
	return 0;
}

/*
 * Section 5: with a segment base the offset of each byte is taken modulo 64 KiB; with a linear base
 * (or none) the data runs on. The specification takes that modulo 4 GiB; nobody means it to wrap.
 */
static int put_data(struct hex *h, const struct record *r)
{
	size_t first = r->len;
	int rc;

	if (h->segmented)
		first = (size_t)fmi_min_u64(r->len, UINT64_C(0x10000) - r->offset);
	else if ((uint64_t)h->base + r->offset + r->len > UINT64_C(0x100000000))
		return wrong(h, FM_ERR_SIZE, "the end of the data",
			     (uint64_t)h->base + r->offset + r->len, "at most 4 GiB");
	rc = put(h, (uint64_t)h->base + r->offset, r->data, first);
	return rc ? rc : put(h, h->base, r->data + first, r->len - first);
}

/* A second start address is fine if it is the same. */
static int set_entry(struct hex *h, uint32_t entry)
{
	struct fm_image *image = h->b->image;

	if (image->has_entry && image->entry != entry)
		return wrong(h, FM_ERR_FORMAT, "the start address", entry,
			     "one start address in the file");
	image->has_entry = true;
	image->entry = entry;
	return 0;
}

/* All records but data have a fixed length and no offset. */
static int check_fixed(const struct hex *h, const struct record *r, uint8_t len,
		       const char *expected)
{
	if (r->len != len)
		return wrong(h, FM_ERR_FORMAT, "the length", r->len, expected);
	if (r->offset)
		return wrong(h, FM_ERR_FORMAT, "the offset", r->offset,
			     "0 in a record that is not data");
	return 0;
}

static int obey(struct hex *h, const struct record *r)
{
	int rc;

	switch ((enum record_type)r->type) {
	case REC_DATA:
		return put_data(h, r);
	case REC_END:
		h->ended = true;
		return check_fixed(h, r, 0, "0 in an end-of-file record");
	case REC_EXT_SEGMENT:
	case REC_EXT_LINEAR:
		rc = check_fixed(h, r, 2, "2 in an extended address record");
		if (rc)
			return rc;
		h->segmented = r->type == REC_EXT_SEGMENT;
		h->base = (uint32_t)fmi_be16(r->data) << (h->segmented ? 4 : 16);
		return 0;
	case REC_START_SEGMENT:
		rc = check_fixed(h, r, 4, "4 in a start address record");
		return rc ? rc
			  : set_entry(h,
				      ((uint32_t)fmi_be16(r->data) << 4) + fmi_be16(r->data + 2));
	case REC_START_LINEAR:
		rc = check_fixed(h, r, 4, "4 in a start address record");
		return rc ? rc : set_entry(h, fmi_be32(r->data));
	}
	return wrong(h, FM_ERR_FORMAT, "the record type", r->type, "00 to 05");
}

static int read_records(struct hex *h)
{
	struct record r;

	for (skip_line_ends(h); h->pos < h->b->len; skip_line_ends(h)) {
		int rc;

		if (h->ended)
			return wrong(h, FM_ERR_FORMAT, "the first character", h->b->bytes[h->pos],
				     "nothing behind the end-of-file record");
		rc = get_record(h, &r);
		if (!rc)
			rc = obey(h, &r);
		if (rc)
			return rc;
	}
	if (!h->ended)
		return fm_error_set(h->b->err, FM_ERR_FORMAT, 0,
				    "%s: line %zu: the text ends without an end-of-file record, "
				    "expected :00000001FF",
				    h->name, h->line);
	if (!h->count)
		return fm_error_set(h->b->err, FM_ERR_SIZE, 0,
				    "%s: no data records, expected at least 1 byte of data",
				    h->name);
	return 0;
}

/* --- segments ---------------------------------------------------------------------------- */

static int by_address(const void *left, const void *right)
{
	const struct run *a = left, *b = right;

	return (a->addr > b->addr) - (a->addr < b->addr);
}

/* Copy the runs to `to` in the order of their addresses; those that touch are one segment. */
static int make_segments(struct hex *h, uint8_t *to)
{
	struct fm_image *image = h->b->image;

	qsort(h->runs, h->count, sizeof(*h->runs), by_address);
	for (size_t i = 0; i < h->count; i++) {
		const struct run *r = &h->runs[i];
		struct fm_image_segment *s =
			image->count ? &image->segments[image->count - 1] : NULL;
		int rc = 0;

		if (i && r->addr - r[-1].addr < r[-1].len)
			return fm_error_set(h->b->err, FM_ERR_OVERLAP, 0,
					    "%s: lines %zu and %zu: both give data for address "
					    "0x%" PRIx64 ", expected every address once",
					    h->name, r[-1].line, r->line, r->addr);
		memcpy(to, h->bytes + r->off, r->len);
		if (s && s->addr + s->file_len == r->addr)
			s->mem_len = s->file_len += r->len;
		else
			rc = fmi_image_add(h->b, r->addr, r->len, to, r->len);
		if (rc)
			return rc;
		to += r->len;
	}
	return 0;
}

int fmi_image_parse_ihex(struct fmi_image_builder *b)
{
	struct hex h = { .b = b, .name = b->image->name, .line = 1 };
	uint8_t *sorted = NULL;
	int rc;

	h.bytes = malloc(b->len / 2 + 1);
	if (!h.bytes)
		return fm_error_set(b->err, FM_ERR_NOMEM, 0, "%s: out of memory", h.name);
	rc = read_records(&h);
	if (!rc) {
		sorted = malloc(h.used);
		rc = sorted ? make_segments(&h, sorted)
			    : fm_error_set(b->err, FM_ERR_NOMEM, 0, "%s: out of memory", h.name);
	}
	free(h.runs);
	free(h.bytes);
	if (rc) {
		free(sorted);
		return rc;
	}
	/* The text has served; from here on the image owns what it says. */
	free(b->image->bytes);
	b->image->bytes = sorted;
	return 0;
}
