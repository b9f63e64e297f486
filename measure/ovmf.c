/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/ovmf.h>

#include "devices/bytes.h"
#include "measure/common.h"
#include "measure/guid.h"

#include <inttypes.h>
#include <string.h>

#define BELOW_END 32u             /* bytes behind the table: the reset vector */
#define ENTRY 18u                 /* u16 length, GUID; the data is before them */
#define LEAST (BELOW_END + ENTRY) /* the smallest image that can have a footer */
#define METADATA 16u              /* "ASEV", length, version, count */
#define SECTION 12u               /* gpa, size, type */
#define HASH_TABLE 168u           /* what QEMU writes; it pads to 176 */
#define FOUR_GIB (UINT64_C(1) << 32)

static const struct fmi_guid footer_guid =
	FMI_GUID(0x96b582de, 0x1fb2, 0x45f7, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d);

struct parser {
	const char *name;
	const uint8_t *bytes;
	size_t len;
	unsigned flags;
	struct fm_ovmf *out;
	struct fm_error *err;
};

const char *fm_ovmf_section_name(enum fm_ovmf_section_type type)
{
	switch (type) {
	case FM_OVMF_SEC_MEM:
		return "sec-mem";
	case FM_OVMF_SECRETS:
		return "secrets";
	case FM_OVMF_CPUID:
		return "cpuid";
	case FM_OVMF_SVSM_CAA:
		return "svsm-caa";
	case FM_OVMF_KERNEL_HASHES:
		return "kernel-hashes";
	}
	return "unknown";
}

/* --- entries ------------------------------------------------------------------------------- */

static int take_reset(struct parser *p, const uint8_t *data, size_t at)
{
	p->out->has_reset = true;
	p->out->reset_eip = fmi_le32(data);
	return 0;
}

static int take_hashes(struct parser *p, const uint8_t *data, size_t at)
{
	uint32_t gpa = fmi_le32(data);
	uint32_t len = fmi_le32(data + 4);

	if (!gpa)
		return 0; /* built without */
	if (len < HASH_TABLE)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: hash table has room for %" PRIu32
				    " bytes, expected at least %u",
				    p->name, at, len, HASH_TABLE);
	if (fmi_align_down(gpa, FMI_PAGE) != fmi_align_down(gpa + UINT64_C(175), FMI_PAGE))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: hash table at 0x%" PRIx32
				    " crosses a page, expected its 176 bytes in one",
				    p->name, at, gpa);
	p->out->has_hashes = true;
	p->out->hashes_gpa = gpa;
	p->out->hashes_len = len;
	return 0;
}

static int take_nothing(struct parser *p, const uint8_t *data, size_t at)
{
	return 0;
}

static int take_svsm(struct parser *p, const uint8_t *data, size_t at)
{
	p->out->has_svsm = true;
	p->out->svsm_entry = fmi_le32(data);
	if (p->out->svsm_entry >= p->len)
		return fm_error_set(p->err, FM_ERR_RANGE, 0,
				    "%s: 0x%zx: SVSM entry 0x%" PRIx32
				    " is outside, expected below 0x%zx",
				    p->name, at, p->out->svsm_entry, p->len);
	return 0;
}

static int take_tdvf(struct parser *p, const uint8_t *data, size_t at)
{
	uint32_t from_end = fmi_le32(data);

	if (from_end > p->len || from_end < 16)
		return fm_error_set(p->err, FM_ERR_RANGE, 0,
				    "%s: 0x%zx: TDX descriptor 0x%" PRIx32
				    " bytes before the end, expected 0x10 to 0x%zx",
				    p->name, at, from_end, p->len);
	p->out->has_tdvf = true;
	p->out->tdvf_off = p->len - from_end;
	return 0;
}

static int take_metadata(struct parser *p, const uint8_t *data, size_t at);

static const struct {
	struct fmi_guid guid;
	const char *what;
	size_t len; /* bytes of data that are read; edk2 may append */
	int (*take)(struct parser *p, const uint8_t *data, size_t at);
} known[] = {
	{ FMI_GUID(0x00f771de, 0x1a7e, 0x4fcb, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e),
	  "SEV-ES reset block", 4, take_reset },
	{ FMI_GUID(0x7255371f, 0x3a3b, 0x4b04, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54),
	  "hash table", 8, take_hashes },
	{ FMI_GUID(0x4c2eb361, 0x7d9b, 0x4cc3, 0x80, 0x81, 0x12, 0x7c, 0x90, 0xd3, 0xd2, 0x94),
	  "secret", 8, take_nothing },
	{ FMI_GUID(0xdc886566, 0x984a, 0x4798, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc),
	  "SEV metadata", 4, take_metadata },
	{ FMI_GUID(0xe47a6535, 0x984a, 0x4798, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2),
	  "TDX metadata", 4, take_tdvf },
	{ FMI_GUID(0xa789a612, 0x0597, 0x4c4b, 0xa4, 0x9f, 0xcb, 0xb1, 0xfe, 0x9d, 0x1d, 0xdd),
	  "SVSM", 4, take_svsm },
	{ FMI_GUID(0x784fa70e, 0x3176, 0x4677, 0x8a, 0x20, 0x04, 0xb6, 0x86, 0x99, 0xe3, 0x74),
	  "IGVM parameters", 0, take_nothing },
};

/* --- SEV metadata --------------------------------------------------------------------------- */

static int check_section(struct parser *p, const struct fm_ovmf_section *s)
{
	if (!fmi_is_aligned(s->gpa, FMI_PAGE))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section at gpa 0x%" PRIx32
				    ", expected a multiple of 0x1000",
				    p->name, s->off, s->gpa);
	if (!s->len || !fmi_is_aligned(s->len, FMI_PAGE))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section size 0x%" PRIx32
				    ", expected whole pages, at least one",
				    p->name, s->off, s->len);
	if (s->gpa + (uint64_t)s->len > FOUR_GIB)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section 0x%" PRIx32 " + 0x%" PRIx32
				    " wraps, expected an end at or below 4 GiB",
				    p->name, s->off, s->gpa, s->len);
	if (!strcmp(fm_ovmf_section_name(s->type), "unknown"))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section type %u, expected 1 to 4 or 16", p->name,
				    s->off + 8, (unsigned)s->type);
	if ((s->type == FM_OVMF_SECRETS || s->type == FM_OVMF_CPUID) && s->len != FMI_PAGE)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: %s section of 0x%" PRIx32
				    " bytes, expected one page",
				    p->name, s->off + 4, fm_ovmf_section_name(s->type), s->len);
	if (s->gpa < p->out->gpa + p->len && p->out->gpa < s->gpa + (uint64_t)s->len)
		return fm_error_set(p->err, FM_ERR_OVERLAP, 0,
				    "%s: 0x%zx: section 0x%" PRIx32 " + 0x%" PRIx32
				    " overlaps the image itself at 0x%" PRIx64,
				    p->name, s->off, s->gpa, s->len, p->out->gpa);
	return 0;
}

/* Against those before it. */
static int check_pair(struct parser *p, const struct fm_ovmf_section *s)
{
	for (const struct fm_ovmf_section *o = p->out->sections; o < s; o++) {
		if (s->gpa < o->gpa + (uint64_t)o->len && o->gpa < s->gpa + (uint64_t)s->len)
			return fm_error_set(p->err, FM_ERR_OVERLAP, 0,
					    "%s: 0x%zx: section 0x%" PRIx32 " + 0x%" PRIx32
					    " overlaps 0x%" PRIx32 " + 0x%" PRIx32,
					    p->name, s->off, s->gpa, s->len, o->gpa, o->len);
		if (s->type == o->type && s->type != FM_OVMF_SEC_MEM && s->type != FM_OVMF_SVSM_CAA)
			return fm_error_set(p->err, FM_ERR_EXISTS, 0,
					    "%s: 0x%zx: a second %s section, expected one", p->name,
					    s->off, fm_ovmf_section_name(s->type));
	}
	return 0;
}

static int take_metadata(struct parser *p, const uint8_t *data, size_t at)
{
	uint32_t from_end = fmi_le32(data);
	const uint8_t *m;
	uint32_t len, count;
	size_t off;

	if (from_end > p->len || from_end < METADATA)
		return fm_error_set(p->err, FM_ERR_RANGE, 0,
				    "%s: 0x%zx: SEV metadata 0x%" PRIx32
				    " bytes before the end, expected 0x10 to 0x%zx",
				    p->name, at, from_end, p->len);
	off = p->len - from_end;
	m = p->bytes + off;
	if (memcmp(m, "ASEV", 4))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: SEV metadata begins with 0x%" PRIx32
				    ", expected \"ASEV\"",
				    p->name, off, fmi_le32(m));
	len = fmi_le32(m + 4);
	count = fmi_le32(m + 12);
	if (fmi_le32(m + 8) != 1)
		return fm_error_set(p->err, FM_ERR_VERSION, 0,
				    "%s: 0x%zx: SEV metadata version %" PRIu32 ", expected 1",
				    p->name, off + 8, fmi_le32(m + 8));
	if (len != METADATA + (uint64_t)SECTION * count)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: SEV metadata length %" PRIu32
				    ", expected 16 + 12 for each of %" PRIu32 " sections",
				    p->name, off + 4, len, count);
	if (len > from_end)
		return fm_error_set(p->err, FM_ERR_RANGE, 0,
				    "%s: 0x%zx: SEV metadata of %" PRIu32
				    " bytes, expected at most the %" PRIu32 " to the end",
				    p->name, off + 4, len, from_end);
	if (!count || count > FM_OVMF_SECTIONS_MAX)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: %" PRIu32 " sections, expected 1 to %u", p->name,
				    off + 12, count, FM_OVMF_SECTIONS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct fm_ovmf_section *s = &p->out->sections[i];
		const uint8_t *d = m + METADATA + SECTION * i;
		int ret;

		s->off = (size_t)(d - p->bytes);
		s->gpa = fmi_le32(d);
		s->len = fmi_le32(d + 4);
		s->type = (enum fm_ovmf_section_type)fmi_le32(d + 8);
		ret = check_section(p, s);
		if (!ret)
			ret = check_pair(p, s);
		if (ret)
			return ret;
	}
	p->out->has_sev = true;
	p->out->section_count = count;
	return 0;
}

/* The hash table must lie in the page that the launch measures for it. */
static int check_hashes(struct parser *p)
{
	const struct fm_ovmf *o = p->out;

	for (uint32_t i = 0; o->has_hashes && i < o->section_count; i++) {
		const struct fm_ovmf_section *s = &o->sections[i];

		if (s->type != FM_OVMF_KERNEL_HASHES)
			continue;
		if (o->hashes_gpa < s->gpa ||
		    !fmi_in_range(o->hashes_gpa - s->gpa, o->hashes_len, s->len))
			return fm_error_set(p->err, FM_ERR_RANGE, 0,
					    "%s: 0x%zx: hash table 0x%" PRIx32 " + 0x%" PRIx32
					    " is outside its section 0x%" PRIx32 " + 0x%" PRIx32,
					    p->name, s->off, o->hashes_gpa, o->hashes_len, s->gpa,
					    s->len);
	}
	return 0;
}

/* --- the table ------------------------------------------------------------------------------ */

/* Is there an entry with the GUID nearer to the footer, or is it the footer's? The walk was there. */
static bool came_before(const struct parser *p, size_t start, const uint8_t *guid)
{
	size_t end = p->len - LEAST;

	if (fmi_guid_is(guid, &footer_guid))
		return true;
	while (end > start) {
		const uint8_t *other = p->bytes + end - 16;

		if (other == guid)
			return false;
		if (!memcmp(other, guid, 16))
			return true;
		end -= fmi_le16(other - 2);
	}
	return false;
}

/* An entry of a GUID that came before. */
static int take_again(struct parser *p, size_t start, const uint8_t *guid)
{
	char text[FMI_UUID_TEXT];

	if (p->flags & FM_OVMF_AS_QEMU) {
		p->out->duplicates++;
		return 0;
	}
	return fm_error_set(p->err, FM_ERR_EXISTS, 0, "%s: 0x%zx: a second entry %s, expected one",
			    p->name, start, fmi_uuid_text(text, guid, true));
}

static int take_entry(struct parser *p, size_t start, size_t len)
{
	const uint8_t *data = p->bytes + start;
	const uint8_t *guid = data + len - 16;

	if (came_before(p, start, guid))
		return take_again(p, start, guid);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!fmi_guid_is(guid, &known[i].guid))
			continue;
		if (len - ENTRY < known[i].len)
			return fm_error_set(p->err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: %s entry has %zu bytes of data, expected "
					    "at least %zu",
					    p->name, start, known[i].what, len - ENTRY,
					    known[i].len);
		return known[i].take(p, data, start);
	}
	return 0;
}

static int walk(struct parser *p)
{
	size_t end = p->len - LEAST;
	size_t total = fmi_le16(p->bytes + end);
	size_t low;

	if (total < ENTRY || total > p->len - BELOW_END)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: table of %zu bytes, expected 18 to %zu", p->name,
				    end, total, p->len - BELOW_END);
	low = p->len - BELOW_END - total;
	while (end > low) {
		size_t len;
		int ret;

		if (end - low < ENTRY)
			return fm_error_set(p->err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: %zu bytes are left of the table, expected "
					    "an entry of at least 18 or none",
					    p->name, low, end - low);
		len = fmi_le16(p->bytes + end - ENTRY);
		if (len < ENTRY || len > end - low)
			return fm_error_set(p->err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: entry of %zu bytes, expected 18 to the %zu "
					    "left of the table",
					    p->name, end - ENTRY, len, end - low);
		ret = take_entry(p, end - len, len);
		if (ret)
			return ret;
		end -= len;
	}
	return 0;
}

/* QEMU, without a footer: the reset block where the footer would be. */
static void fall_back(struct parser *p)
{
	const uint8_t *end = p->bytes + p->len - BELOW_END;
	size_t len = fmi_le16(end - ENTRY);

	if (fmi_guid_is(end - 16, &known[0].guid) && len >= ENTRY + 4 && len <= p->len - BELOW_END)
		take_reset(p, end - len, p->len - BELOW_END - len);
}

bool fmi_ovmf_has_footer(const uint8_t *bytes, size_t len)
{
	return len >= LEAST && fmi_guid_is(bytes + len - LEAST + 2, &footer_guid);
}

int fm_ovmf_parse(struct fm_ovmf *out, const char *name, const void *bytes, size_t len,
		  uint64_t end_gpa, unsigned flags, struct fm_error *err)
{
	struct fm_ovmf o = { .len = len };
	struct parser p = { fmi_or(name, "firmware"), bytes, len, flags, &o, err };
	char text[FMI_UUID_TEXT];
	int ret = 0;

	if (len < LEAST || len > FM_OVMF_LEN_MAX || !fmi_is_aligned(len, FMI_PAGE))
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: size: %zu bytes, expected whole 4096-byte pages, at most "
				    "%u MiB",
				    p.name, len, FM_OVMF_LEN_MAX >> 20);
	end_gpa = end_gpa ? end_gpa : FOUR_GIB;
	if (end_gpa < len || !fmi_is_aligned(end_gpa, FMI_PAGE))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: end 0x%" PRIx64 ", expected a page at or above its 0x%zx "
				    "bytes",
				    p.name, end_gpa, len);
	o.gpa = end_gpa - len;
	o.has_table = fmi_ovmf_has_footer(bytes, len);
	if (o.has_table)
		ret = walk(&p);
	else if (flags & FM_OVMF_AS_QEMU)
		fall_back(&p);
	else
		ret = fm_error_set(err, FM_ERR_FORMAT, 0,
				   "%s: 0x%zx: footer is %s, expected OVMF's table "
				   "96b582de-1fb2-45f7-baea-a366c55a082d: is it x86 firmware?",
				   p.name, len - LEAST + 2,
				   fmi_uuid_text(text, p.bytes + len - LEAST + 2, true));
	if (!ret)
		ret = check_hashes(&p);
	if (!ret)
		*out = o;
	return ret;
}
