/* SPDX-License-Identifier: BSD-2-Clause */
/* igvm_file: the rules that an IGVM file must keep before it is measured. */
#include "devices/bytes.h"
#include "measure/igvm_private.h"

#include <inttypes.h>
#include <string.h>

#define FIXED 24u    /* IGVM_FIXED_HEADER */
#define FIXED_V2 32u /* and the architecture and page size */
#define HEAD 8u      /* type, length of a variable header */
#define OPTIONAL 0x80000000u
#define PAGE_2MB (2u << 20)

/* CRC-32 (IEEE 802.3), half a byte at a time: headers are short. */
static uint32_t crc32_add(uint32_t crc, const uint8_t *p, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t i = 0; i < len; i++) {
		crc = table[(crc ^ p[i]) & 15] ^ crc >> 4;
		crc = table[(crc ^ p[i] >> 4) & 15] ^ crc >> 4;
	}
	return crc;
}

static int check_fixed(struct fmi_igvm *f, struct fm_error *err)
{
	const uint8_t *b = f->bytes;
	uint8_t head[FIXED_V2];
	uint32_t version, size, fixed, crc;

	if (f->len < FIXED || memcmp(b, "IGVM", 4))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x0: begins otherwise, expected \"IGVM\" and a header",
				    f->name);
	version = fmi_le32(b + 4);
	if (version != 1 && version != 2)
		return fm_error_set(err, FM_ERR_VERSION, 0,
				    "%s: 0x4: version %" PRIu32 ", expected 1 or 2", f->name,
				    version);
	fixed = version == 1 ? FIXED : FIXED_V2;
	if (fmi_le32(b + 16) != f->len)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: 0x10: total size %" PRIu32
				    ", expected the file's %zu bytes",
				    f->name, fmi_le32(b + 16), f->len);
	f->start = fmi_le32(b + 8);
	size = fmi_le32(b + 12);
	if (f->start < fixed || !fmi_is_aligned(f->start, 8) || !size || !fmi_is_aligned(size, 8) ||
	    !fmi_in_range(f->start, size, f->len))
		return fm_error_set(err, FM_ERR_RANGE, 0,
				    "%s: 0x8: variable headers 0x%zx + 0x%" PRIx32
				    ", expected multiples of 8 behind the header, inside the file",
				    f->name, f->start, size);
	f->end = f->start + size;
	memcpy(head, b, fixed);
	fmi_put_le32(head + 20, 0);
	crc = ~crc32_add(crc32_add(UINT32_MAX, head, fixed), b + f->start, size);
	if (crc != fmi_le32(b + 20))
		return fm_error_set(err, FM_ERR_CHECKSUM, 0,
				    "%s: 0x14: checksum 0x%08" PRIx32 ", expected 0x%08" PRIx32,
				    f->name, fmi_le32(b + 20), crc);
	if (version == 2 && fmi_le32(b + 28) != FMI_PAGE)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x1c: page size %" PRIu32 ", expected 4096", f->name,
				    fmi_le32(b + 28));
	return 0;
}

bool fmi_igvm_next(const struct fmi_igvm *f, size_t *at, struct fmi_igvm_header *h)
{
	if (*at >= f->end)
		return false;
	h->off = *at;
	h->type = fmi_le32(f->bytes + *at);
	h->len = fmi_le32(f->bytes + *at + 4);
	h->payload = f->bytes + *at + HEAD;
	*at += HEAD + (size_t)fmi_align_up(h->len, 8);
	return true;
}

/* Bytes of the payload; 0: any. */
static uint32_t payload_len(uint32_t type)
{
	switch (type) {
	case FMI_IGVM_PLATFORM:
	case FMI_IGVM_POLICY:
	case FMI_IGVM_AREA:
	case FMI_IGVM_INSERT:
		return 16;
	case FMI_IGVM_PAGE:
	case FMI_IGVM_MEMORY:
		return 24;
	case FMI_IGVM_VP:
		return 20;
	default:
		return 0;
	}
}

static int check_shape(const struct fmi_igvm *f, size_t at, struct fm_error *err)
{
	uint32_t type = fmi_le32(f->bytes + at);
	uint32_t len = fmi_le32(f->bytes + at + 4);
	uint32_t want = payload_len(type);

	if (!fmi_in_range(at + HEAD, fmi_align_up(len, 8), f->end))
		return fm_error_set(err, FM_ERR_RANGE, 0,
				    "%s: 0x%zx: header of 0x%" PRIx32
				    " bytes, expected an end at or before 0x%zx",
				    f->name, at, len, f->end);
	if (want && len != want)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: header type 0x%" PRIx32 " of %" PRIu32
				    " bytes, expected %" PRIu32,
				    f->name, at, type, len, want);
	if (type == FMI_IGVM_ID_BLOCK && len < 8 + FM_IGVM_LEN)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: ID block of %" PRIu32 " bytes, expected more",
				    f->name, at, len);
	if (!fmi_all_bytes(f->bytes + at + HEAD + len, (size_t)(fmi_align_up(len, 8) - len), 0))
		return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: 0x%zx: padding is set, expected 0",
				    f->name, at + HEAD + len);
	return 0;
}

/* 0 platforms, 1 initialization, 2 directives; 3: unknown. Optional types we skip are where they are. */
static unsigned part_of(uint32_t type)
{
	type &= ~OPTIONAL;
	if (type >= 0x1 && type <= 0x100)
		return 0;
	if (type >= 0x101 && type <= 0x200)
		return 1;
	if (type >= 0x301 && type <= 0x400)
		return 2;
	return 3;
}

static bool is_known(uint32_t type)
{
	return type == FMI_IGVM_PLATFORM || (type >= FMI_IGVM_POLICY && type <= 0x103) ||
	       (type >= FMI_IGVM_AREA && type <= FMI_IGVM_LAST);
}

static int check_data(const struct fmi_igvm *f, const struct fmi_igvm_header *h, uint32_t off,
		      uint32_t len, struct fm_error *err)
{
	if (!off || (off >= f->end && fmi_in_range(off, len, f->len)))
		return 0;
	return fm_error_set(err, FM_ERR_RANGE, 0,
			    "%s: 0x%zx: data 0x%" PRIx32 " + 0x%" PRIx32
			    ", expected it between the headers and the end",
			    f->name, h->off, off, len);
}

static int reserved(const struct fmi_igvm *f, const struct fmi_igvm_header *h, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: 0x%zx: reserved bits are set, expected 0",
			    f->name, h->off);
}

static int check_page(const struct fmi_igvm *f, const struct fmi_igvm_header *h,
		      struct fm_error *err)
{
	const uint8_t *p = h->payload;
	uint32_t flags = fmi_le32(p + 16);
	uint32_t len = flags & FMI_IGVM_2MB ? PAGE_2MB : FMI_PAGE;

	if (flags >> 3 || fmi_le16(p + 22))
		return reserved(f, h, err);
	if (fmi_le16(p + 20) > 3)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: page of type %u, expected 0 to 3", f->name, h->off,
				    fmi_le16(p + 20));
	if (!fmi_is_aligned(fmi_le64(p), len) || fmi_wraps(fmi_le64(p), len))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: page at gpa 0x%" PRIx64
				    ", expected a multiple of 0x%" PRIx32,
				    f->name, h->off, fmi_le64(p), len);
	return check_data(f, h, fmi_le32(p + 12), len, err);
}

static int check_fields(const struct fmi_igvm *f, const struct fmi_igvm_header *h,
			struct fm_error *err)
{
	const uint8_t *p = h->payload;

	switch (h->type) {
	case FMI_IGVM_POLICY:
		return fmi_le32(p + 12) ? reserved(f, h, err) : 0;
	case FMI_IGVM_AREA:
		if (!fmi_le64(p) || !fmi_is_aligned(fmi_le64(p), FMI_PAGE) ||
		    fmi_le64(p) / FMI_PAGE > FM_IGVM_PAGES_MAX)
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: parameter area of 0x%" PRIx64
					    " bytes, expected whole pages, at most 1 GiB",
					    f->name, h->off, fmi_le64(p));
		return check_data(f, h, fmi_le32(p + 12), (uint32_t)fmi_le64(p), err);
	case FMI_IGVM_PAGE:
		return check_page(f, h, err);
	case FMI_IGVM_INSERT:
		if (!fmi_is_aligned(fmi_le64(p), FMI_PAGE))
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: parameters at gpa 0x%" PRIx64
					    ", expected a multiple of 0x1000",
					    f->name, h->off, fmi_le64(p));
		return 0;
	case FMI_IGVM_VP:
		if (fmi_le16(p + 18))
			return reserved(f, h, err);
		if (!fmi_is_aligned(fmi_le64(p), FMI_PAGE) || !fmi_le32(p + 12))
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: vCPU state at gpa 0x%" PRIx64
					    ", data 0x%" PRIx32 ", expected a page and its data",
					    f->name, h->off, fmi_le64(p), fmi_le32(p + 12));
		return check_data(f, h, fmi_le32(p + 12), FMI_PAGE, err);
	case FMI_IGVM_MEMORY: /* measures nothing */
		return fmi_le32(p + 16) >> 1 || fmi_le32(p + 20) ? reserved(f, h, err) : 0;
	case FMI_IGVM_ID_BLOCK:
		return fmi_all_bytes(p + 5, 3, 0) ? 0 : reserved(f, h, err);
	default:
		return 0;
	}
}

static int check_headers(struct fmi_igvm *f, struct fm_error *err)
{
	struct fmi_igvm_header h;
	unsigned part = 0;
	size_t at = f->start;

	while (at < f->end) {
		int ret = check_shape(f, at, err);

		if (ret)
			return ret;
		fmi_igvm_next(f, &at, &h);
		if (part_of(h.type) == 3 || (!(h.type & OPTIONAL) && !is_known(h.type)))
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: header type 0x%" PRIx32
					    ", expected one that igvm_defs has",
					    f->name, h.off, h.type);
		if (part_of(h.type) < part)
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: header type 0x%" PRIx32
					    " is late, expected platforms, then initialization, "
					    "then directives",
					    f->name, h.off, h.type);
		part = part_of(h.type);
		ret = check_fields(f, &h, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* The header's compatibility mask; all platforms where it has none. */
static uint32_t mask_of(const struct fmi_igvm_header *h)
{
	switch (h->type) {
	case FMI_IGVM_POLICY:
	case FMI_IGVM_PAGE:
	case FMI_IGVM_INSERT:
	case FMI_IGVM_VP:
	case FMI_IGVM_MEMORY:
		return fmi_le32(h->payload + 8);
	case FMI_IGVM_ID_BLOCK:
		return fmi_le32(h->payload);
	default:
		return UINT32_MAX;
	}
}

bool fmi_igvm_applies(const struct fmi_igvm *f, const struct fmi_igvm_header *h)
{
	return mask_of(h) & f->mask;
}

/*
 * IGVM_VHS_SUPPORTED_PLATFORM: the bits of a mask are those of platforms. One of no platform at all is a page that
 * silently goes unmeasured. Bits beside are let be, for Coconut's builder takes them from firmware.
 */
static int check_mask(const struct fmi_igvm *f, const struct fmi_igvm_header *h, uint32_t platforms,
		      struct fm_error *err)
{
	if (mask_of(h) & platforms)
		return 0;
	return fm_error_set(err, FM_ERR_FORMAT, 0,
			    "%s: 0x%zx: compatibility mask 0x%" PRIx32
			    ", expected a platform of the file, 0x%" PRIx32,
			    f->name, h->off, mask_of(h), platforms);
}

int fmi_igvm_open(struct fmi_igvm *f, enum fm_igvm_platform platform, struct fm_error *err)
{
	struct fmi_igvm_header h;
	uint32_t seen = 0;
	size_t at;
	int ret = check_fixed(f, err);

	if (!ret)
		ret = check_headers(f, err);
	if (ret)
		return ret;
	for (at = f->start; fmi_igvm_next(f, &at, &h);) {
		uint32_t mask = h.type == FMI_IGVM_PLATFORM ? fmi_le32(h.payload) : 0;

		bool ours;

		/* Platforms come first. */
		if (h.type != FMI_IGVM_PLATFORM) {
			ret = check_mask(f, &h, seen, err);
			if (ret)
				return ret;
			continue;
		}
		ours = h.payload[5] == (uint8_t)platform;
		if (!fmi_is_pow2(mask) || seen & mask || (ours && f->mask))
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: platform %u with mask 0x%" PRIx32
					    ", expected it once, with one bit of its own",
					    f->name, h.off, h.payload[5], mask);
		seen |= mask;
		if (ours)
			f->mask = mask;
	}
	if (!f->mask)
		return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: is not for %s, expected it to be",
				    f->name, platform == FM_IGVM_SNP ? "SEV-SNP" : "TDX");
	return 0;
}
