/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a store is in an image: the firmware volume's header (PI specification, volume 3, 2.1 and
 * 3.2.1: EFI_FIRMWARE_VOLUME_HEADER) and edk2's VARIABLE_STORE_HEADER behind it.
 */
#include "flash/vars_private.h"

#include "devices/bytes.h"

#include <stdio.h>
#include <string.h>

#define VOLUME_LEN 0x48u
#define STORE_LEN 28u
#define REVISION 2u
#define FORMATTED 0x5au
#define HEALTHY 0xfeu
/* Of a store. Real ones have a quarter of a MiB; a parse takes many times its store in memory. */
#define STORE_MOST (16u << 20)

static const uint8_t volume_guid[16] = /* gEfiSystemNvDataFvGuid */
	{ 0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c,
	  0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50 };
static const uint8_t store_guid_auth[16] = /* gEfiAuthenticatedVariableGuid */
	{ 0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
	  0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92 };
static const uint8_t store_guid_plain[16] = /* gEfiVariableGuid */
	{ 0x16, 0x36, 0xcf, 0xdd, 0x75, 0x32, 0x64, 0x41,
	  0x98, 0xb6, 0xfe, 0x85, 0x70, 0x7f, 0xfe, 0x7d };

struct layout {
	enum fm_vars_layout layout;
	uint64_t len;   /* FvLength */
	uint64_t store; /* where the store ends */
	uint64_t work;  /* offset of the working block */
	uint64_t spare; /* and of the spare area behind it, which ends the volume */
	/* PcdMaxVariableSize, of which edk2 keeps so much free (ReclaimForOS). */
	uint64_t reserve;
};

static const struct layout layouts[] = {
	{ FM_VARS_LAYOUT_OVMF_2M, 0x20000, 0xe000, 0xf000, 0x10000, 0x2000 },
	{ FM_VARS_LAYOUT_OVMF_4M, 0x84000, 0x40000, 0x41000, 0x42000, 0x8400 },
	{ FM_VARS_LAYOUT_ARM, 0xc0000, 0x40000, 0x40000, 0x80000, 0x2000 },
};
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

enum fm_vars_layout fmi_vars_layout_of(uint64_t volume_len)
{
	for (size_t i = 0; i < LAYOUTS; i++) {
		if (layouts[i].len == volume_len)
			return layouts[i].layout;
	}
	return FM_VARS_LAYOUT_OTHER;
}

static const struct layout *find_layout(enum fm_vars_layout layout)
{
	for (size_t i = 0; i < LAYOUTS; i++) {
		if (layouts[i].layout == layout)
			return &layouts[i];
	}
	return NULL;
}

bool fmi_vars_layout_ftw(enum fm_vars_layout layout, uint64_t *work, uint64_t *spare, uint64_t *len)
{
	const struct layout *l = find_layout(layout);

	if (!l)
		return false;
	*work = l->work;
	*spare = l->spare;
	*len = l->len;
	return true;
}

uint64_t fmi_vars_layout_reserve(enum fm_vars_layout layout)
{
	const struct layout *l = find_layout(layout);

	return l ? l->reserve : 0x2000;
}

bool fmi_vars_all(struct fmi_bytes b, uint64_t off, uint64_t len, uint8_t byte)
{
	const uint8_t *p = b.p + off;

	return !len || (p[0] == byte && !memcmp(p, p + 1, (size_t)len - 1));
}

/* --- headers --------------------------------------------------------------------------------- */

#define BAD(v, ...) snprintf((v)->why, sizeof((v)->why), __VA_ARGS__)

static uint16_t sum16(const uint8_t *p, uint32_t len)
{
	uint16_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum = (uint16_t)(sum + fmi_le16(p + i));
	return sum;
}

static void read_volume_header(struct fmi_bytes b, uint64_t room, struct fmi_vars_volume *v)
{
	const uint8_t *p = b.p + v->off;
	uint32_t block_len;

	if (!fmi_in_range(v->off, VOLUME_LEN, b.len)) {
		BAD(v, "the image ends before the volume's header does");
		return;
	}
	v->len = fmi_le64(p + 0x20);
	v->header_len = fmi_le16(p + 0x30);
	block_len = fmi_le32(p + 0x3c);
	if (memcmp(p + 0x28, "_FVH", 4) || memcmp(p + 0x10, volume_guid, 16))
		BAD(v, "no volume of variables, expected \"_FVH\" and its GUID");
	else if (v->header_len < VOLUME_LEN || v->header_len % 2 ||
		 !fmi_in_range(v->off, v->header_len, b.len))
		BAD(v, "HeaderLength is 0x%x, expected 0x%x", v->header_len, VOLUME_LEN);
	else if (sum16(p, v->header_len))
		BAD(v, "the header's sum is 0x%04x, expected 0", sum16(p, v->header_len));
	else if (p[0x37] != REVISION)
		BAD(v, "Revision is %u, expected %u", p[0x37], REVISION);
	else if (v->len > room || v->len < v->header_len + STORE_LEN)
		BAD(v, "FvLength is 0x%llx, expected it inside the image",
		    (unsigned long long)v->len);
	else
		v->ok = true;
	/* edk2's ARM driver writes a map that counts other blocks than FvLength: only a length. */
	v->block_len = fmi_is_pow2(block_len) && block_len >= 256 ? block_len : FMI_VARS_PAGE;
}

static void read_store_header(struct fmi_bytes b, uint64_t limit, struct fmi_vars_volume *v)
{
	const struct layout *l = find_layout(fmi_vars_layout_of(v->len));
	uint64_t at = v->off + v->header_len;
	const uint8_t *p = b.p + at;
	uint64_t room = fmi_min_u64(v->len - v->header_len, limit > at ? limit - at : 0);
	uint64_t size;

	room = fmi_min_u64(room, STORE_MOST);
	if (!fmi_in_range(at, STORE_LEN, b.len)) {
		BAD(v, "the image ends before the store's header does");
		return;
	}
	size = fmi_le32(p + 16);
	v->authenticated = !memcmp(p, store_guid_auth, 16);
	if (!v->authenticated && memcmp(p, store_guid_plain, 16))
		BAD(v, "no store of variables, expected one of its two GUIDs");
	else if (p[20] != FORMATTED || p[21] != HEALTHY)
		BAD(v, "Format and State are 0x%02x 0x%02x, expected 0x%02x 0x%02x", p[20], p[21],
		    FORMATTED, HEALTHY);
	else if (size < STORE_LEN || size > room)
		BAD(v, "Size is 0x%llx, expected at most 0x%llx", (unsigned long long)size,
		    (unsigned long long)room);
	else if (l && v->header_len + size != l->store) /* drivers of known layouts check it */
		BAD(v, "Size is 0x%llx, expected 0x%llx", (unsigned long long)size,
		    (unsigned long long)(l->store - v->header_len));
	else
		v->store_ok = true;
	v->records = at + STORE_LEN;
	v->end = at + size;
}

void fmi_vars_read_volume(struct fmi_bytes b, uint64_t off, uint64_t room, uint64_t limit,
			  struct fmi_vars_volume *out)
{
	*out = (struct fmi_vars_volume){ .off = off };
	read_volume_header(b, room, out);
	if (out->ok)
		read_store_header(b, fmi_min_u64(limit, b.len), out);
}

bool fmi_vars_has_guid(struct fmi_bytes b)
{
	return (b.len >= 0x20 && !memcmp(b.p + 0x10, volume_guid, 16)) ||
	       (b.len >= VOLUME_LEN + 16 && (!memcmp(b.p + VOLUME_LEN, store_guid_auth, 16) ||
					     !memcmp(b.p + VOLUME_LEN, store_guid_plain, 16)));
}

/* --- where ------------------------------------------------------------------------------------- */

/*
 * The spare area begins with a copy of the volume's header while a reclaim is under way. A volume
 * right behind a working block is such a copy, and one where a known layout has its spare area,
 * unless it has a working block of its own.
 */
static bool is_copy(struct fmi_bytes b, const struct fmi_vars_volume *v)
{
	const struct layout *l = find_layout(fmi_vars_layout_of(v->len));

	if (l && v->off == l->spare)
		return !fmi_vars_work_ok(b, v->off + l->work);
	for (uint64_t at = 0; at < v->off; at += FMI_VARS_PAGE) {
		if (fmi_vars_work_ok(b, at) &&
		    at + FMI_VARS_WORK_LEN + fmi_le64(b.p + at + 24) == v->off)
			return true;
	}
	return false;
}

void fmi_vars_locate(struct fmi_bytes b, struct fmi_vars_volume *out)
{
	struct fmi_vars_volume v;

	fmi_vars_read_volume(b, 0, b.len, b.len, out);
	for (uint64_t at = FMI_VARS_PAGE; !out->ok && at < b.len; at += FMI_VARS_PAGE) {
		fmi_vars_read_volume(b, at, b.len - at, b.len, &v);
		if (v.ok && v.store_ok && !is_copy(b, &v))
			*out = v;
	}
}
