/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/ovmf.h>
#include <firmem/tdvf.h>

#include "devices/bytes.h"
#include "measure/common.h"
#include "measure/guid.h"

#include <inttypes.h>
#include <string.h>

#define HEADER 16u  /* "TDVF", length, version, count */
#define SECTION 32u /* see take_section() */
#define GPA_END (UINT64_C(1) << 52)

static const struct fmi_guid tdvf_guid =
	FMI_GUID(0xe9eaf9f3, 0x168e, 0x44d5, 0xa8, 0xeb, 0x7f, 0x4d, 0x87, 0x38, 0xf6, 0xae);

struct parser {
	const char *name;
	const uint8_t *bytes;
	size_t len;
	struct fm_tdvf *out;
	struct fm_error *err;
	uint64_t pages, extended; /* that are added; whose contents are measured */
	bool has_hob, has_bfv;
};

const char *fm_tdvf_type_name(enum fm_tdvf_type type)
{
	static const char *const names[] = { "bfv",      "cfv",     "td-hob",       "temp-mem",
					     "perm-mem", "payload", "payload-param" };

	return (unsigned)type < sizeof(names) / sizeof(*names) ? names[type] : "unknown";
}

static int check_place(struct parser *p, const struct fm_tdvf_section *s)
{
	if (!fmi_is_aligned(s->gpa, FMI_PAGE) || !s->len || !fmi_is_aligned(s->len, FMI_PAGE))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section 0x%" PRIx64 " + 0x%" PRIx64
				    ", expected whole pages, at least one",
				    p->name, s->off + 8, s->gpa, s->len);
	if (!fmi_in_range(s->gpa, s->len, GPA_END))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section 0x%" PRIx64 " + 0x%" PRIx64
				    ", expected an end below 2^52",
				    p->name, s->off + 8, s->gpa, s->len);
	if (s->attrs & FM_TDVF_AUG)
		return 0; /* nothing is added at launch, however much there is */
	p->pages += s->len / FMI_PAGE;
	if (p->pages > FM_TDVF_PAGES_MAX)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: sections of 0x%" PRIx64
				    " pages so far, expected at most 0x%" PRIx64,
				    p->name, s->off + 16, p->pages, FM_TDVF_PAGES_MAX);
	if (s->attrs & FM_TDVF_EXTEND)
		p->extended += s->len / FMI_PAGE;
	if (p->extended > p->len / FMI_PAGE + FM_TDVF_EXTRA_MAX)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: contents of 0x%" PRIx64
				    " pages are measured so far, expected at most the image's "
				    "0x%zx and 0x%" PRIx64,
				    p->name, s->off + 16, p->extended, p->len / FMI_PAGE,
				    FM_TDVF_EXTRA_MAX);
	return 0;
}

static int check_data(struct parser *p, const struct fm_tdvf_section *s)
{
	bool volume = s->type == FM_TDVF_BFV || s->type == FM_TDVF_CFV;

	if (!fmi_in_range(s->data_off, s->data_len, p->len))
		return fm_error_set(p->err, FM_ERR_RANGE, 0,
				    "%s: 0x%zx: %s data 0x%" PRIx32 " + 0x%" PRIx32
				    " is outside the file of 0x%zx bytes",
				    p->name, s->off, fm_tdvf_type_name(s->type), s->data_off,
				    s->data_len, p->len);
	if (volume && s->data_len != s->len)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: %s has 0x%" PRIx32 " bytes of data for 0x%" PRIx64
				    " of memory, expected the same",
				    p->name, s->off + 4, fm_tdvf_type_name(s->type), s->data_len,
				    s->len);
	if ((s->type == FM_TDVF_TD_HOB || s->type == FM_TDVF_TEMP_MEM) && s->data_len)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: %s has 0x%" PRIx32 " bytes of data, expected none",
				    p->name, s->off + 4, fm_tdvf_type_name(s->type), s->data_len);
	if (s->data_len > s->len)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: %s has 0x%" PRIx32 " bytes of data for 0x%" PRIx64
				    " of memory, expected at most that",
				    p->name, s->off + 4, fm_tdvf_type_name(s->type), s->data_len,
				    s->len);
	return 0;
}

static int check_kind(struct parser *p, const struct fm_tdvf_section *s)
{
	if ((unsigned)s->type > FM_TDVF_PAYLOAD_PARAM)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section type %u, expected 0 to 6", p->name,
				    s->off + 24, (unsigned)s->type);
	if (s->attrs > FM_TDVF_AUG)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: section attributes 0x%" PRIx32
				    ", expected 0, 1 (extended) or 2 (added later)",
				    p->name, s->off + 28, s->attrs);
	if (s->type == FM_TDVF_TD_HOB && p->has_hob)
		return fm_error_set(p->err, FM_ERR_EXISTS, 0,
				    "%s: 0x%zx: a second TD_HOB section, expected one", p->name,
				    s->off);
	return 0;
}

static int check_section(struct parser *p, const struct fm_tdvf_section *s)
{
	int ret = check_kind(p, s);

	if (!ret)
		ret = check_place(p, s);
	if (!ret)
		ret = check_data(p, s);
	for (const struct fm_tdvf_section *o = p->out->sections; !ret && o < s; o++) {
		if (s->gpa < o->gpa + o->len && o->gpa < s->gpa + s->len)
			ret = fm_error_set(p->err, FM_ERR_OVERLAP, 0,
					   "%s: 0x%zx: section 0x%" PRIx64 " + 0x%" PRIx64
					   " overlaps 0x%" PRIx64 " + 0x%" PRIx64,
					   p->name, s->off, s->gpa, s->len, o->gpa, o->len);
	}
	return ret;
}

static void take_section(struct parser *p, struct fm_tdvf_section *s, const uint8_t *d)
{
	s->off = (size_t)(d - p->bytes);
	s->data_off = fmi_le32(d);
	s->data_len = fmi_le32(d + 4);
	s->gpa = fmi_le64(d + 8);
	s->len = fmi_le64(d + 16);
	s->type = (enum fm_tdvf_type)fmi_le32(d + 24);
	s->attrs = fmi_le32(d + 28);
}

static int take_descriptor(struct parser *p, size_t off)
{
	const uint8_t *d = p->bytes + off;
	uint32_t len, count;

	if (!fmi_in_range(off, HEADER, p->len) || memcmp(d, "TDVF", 4))
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: TDX descriptor begins otherwise, expected \"TDVF\"",
				    p->name, off);
	len = fmi_le32(d + 4);
	count = fmi_le32(d + 12);
	if (fmi_le32(d + 8) != 1)
		return fm_error_set(p->err, FM_ERR_VERSION, 0,
				    "%s: 0x%zx: TDX descriptor version %" PRIu32 ", expected 1",
				    p->name, off + 8, fmi_le32(d + 8));
	if (!count || count > FM_TDVF_SECTIONS_MAX)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: %" PRIu32 " sections, expected 1 to %u", p->name,
				    off + 12, count, FM_TDVF_SECTIONS_MAX);
	if (len != HEADER + SECTION * count)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: TDX descriptor length %" PRIu32
				    ", expected 16 + 32 for each of %" PRIu32 " sections",
				    p->name, off + 4, len, count);
	if (!fmi_in_range(off, len, p->len))
		return fm_error_set(p->err, FM_ERR_RANGE, 0,
				    "%s: 0x%zx: TDX descriptor of %" PRIu32
				    " bytes leaves the file of 0x%zx",
				    p->name, off, len, p->len);
	for (uint32_t i = 0; i < count; i++) {
		struct fm_tdvf_section *s = &p->out->sections[i];
		int ret;

		take_section(p, s, d + HEADER + SECTION * i);
		ret = check_section(p, s);
		if (ret)
			return ret;
		if (s->type == FM_TDVF_TD_HOB) {
			p->has_hob = true;
			p->out->hob = i;
		}
		p->has_bfv |= s->type == FM_TDVF_BFV;
	}
	p->out->off = off;
	p->out->section_count = count;
	if (!p->has_hob || !p->has_bfv)
		return fm_error_set(p->err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: no %s section, expected one", p->name, off,
				    p->has_hob ? "BFV" : "TD_HOB");
	return 0;
}

/* Without an entry in the table: where cloud-hypervisor and td-shim have its offset. */
static bool by_pointer(const uint8_t *bytes, size_t len, size_t *off)
{
	*off = fmi_le32(bytes + len - 32);
	return fmi_in_range(*off, HEADER, len) && !memcmp(bytes + *off, "TDVF", 4);
}

int fm_tdvf_parse(struct fm_tdvf *out, const char *name, const void *bytes, size_t len,
		  unsigned flags, struct fm_error *err)
{
	struct fm_tdvf t = { .off = 0 };
	struct parser p = { fmi_or(name, "firmware"), bytes, len, &t, err, 0, 0, false, false };
	struct fm_ovmf ovmf;
	size_t off;
	int ret;

	/* An image of td-shim has no such table, and that is no error here. */
	if (!fmi_ovmf_has_footer(bytes, len))
		flags |= FM_OVMF_AS_QEMU;
	ret = fm_ovmf_parse(&ovmf, p.name, bytes, len, 0, flags, err);
	if (ret)
		return ret;
	if (ovmf.has_tdvf)
		off = ovmf.tdvf_off;
	else if (!by_pointer(p.bytes, len, &off) && ovmf.has_table)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: has no TDX metadata, expected an image built for TDX",
				    p.name);
	if (ovmf.has_tdvf && (off < 16 || !fmi_guid_is(p.bytes + off - 16, &tdvf_guid)))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: no TDX descriptor GUID, expected "
				    "e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae before the descriptor",
				    p.name, off);
	ret = take_descriptor(&p, off);
	if (!ret)
		*out = t;
	return ret;
}
