/* SPDX-License-Identifier: BSD-2-Clause */
/* Namespaces over several DIMMs, interleave sets, and the words of labels. */
#include "nvdimm/label_private.h"

#include "devices/bytes.h"
#include "devices/uuid.h"

#include <string.h>

/* --- namespaces ---------------------------------------------------------------------------------- */

struct walk {
	const struct fm_label_area *const *areas;
	size_t count;
	size_t area, label;
};

/* The next valid label of all areas, or NULL. */
static const struct fm_label *next(struct walk *w)
{
	const struct fm_label *l;

	while (w->area < w->count) {
		while ((l = fm_label_at(w->areas[w->area], w->label))) {
			w->label++;
			if (l->valid && l->position < l->nlabel)
				return l;
		}
		w->area++;
		w->label = 0;
	}
	return NULL;
}

static bool same(const struct fm_label *a, const struct fm_label *b)
{
	return !memcmp(a->uuid, b->uuid, 16) && a->isetcookie == b->isetcookie &&
	       a->nlabel == b->nlabel;
}

/* Is `l` the first of its namespace? */
static bool is_first(const struct walk *from, const struct fm_label *l)
{
	struct walk w = { .areas = from->areas, .count = from->count };
	const struct fm_label *o;

	while ((o = next(&w)) && o != l) {
		if (same(o, l))
			return false;
	}
	return true;
}

/* Positions count once, also where two labels have one. */
static bool seen_before(const struct walk *from, const struct fm_label *l)
{
	struct walk w = { .areas = from->areas, .count = from->count };
	const struct fm_label *o;

	while ((o = next(&w)) && o != l) {
		if (same(o, l) && o->position == l->position)
			return true;
	}
	return false;
}

static void collect(const struct walk *from, const struct fm_label *first, struct fm_label_set *out)
{
	struct walk w = { .areas = from->areas, .count = from->count };
	const struct fm_label *l;

	*out = (struct fm_label_set){ .first = first };
	while ((l = next(&w))) {
		if (!same(l, first) || seen_before(from, l))
			continue;
		if (l->position < out->first->position)
			out->first = l;
		out->found++;
		out->updating |= !!(l->flags & FM_LABEL_UPDATING);
		out->size += l->rawsize;
	}
	out->complete = out->found == first->nlabel;
}

size_t fm_label_gather(const struct fm_label_area *const *areas, size_t count,
		       struct fm_label_set *out, size_t most)
{
	struct walk w = { .areas = areas, .count = count };
	const struct fm_label *l;
	size_t n = 0;

	while ((l = next(&w))) {
		if (!is_first(&w, l))
			continue;
		if (n < most)
			collect(&w, l, &out[n]);
		n++;
	}
	return n;
}

/* --- interleave sets ----------------------------------------------------------------------------- */

#define DIMMS_MAX 16

uint64_t fm_label_cookie(unsigned version, const struct fm_label_mapping *dimms, size_t count)
{
	uint8_t bytes[DIMMS_MAX * 48] = { 0 };
	struct fm_label_mapping sorted[DIMMS_MAX] = { { .serial = 0 } };
	size_t each = version == FM_LABEL_V1_1 ? 16 : 48;

	if (count > DIMMS_MAX)
		return 0;
	for (size_t i = 0; i < count; i++) {
		size_t k = i;

		for (; k && sorted[k - 1].region_offset > dimms[i].region_offset; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = dimms[i];
	}
	for (size_t i = 0; i < count; i++) {
		uint8_t *p = bytes + i * each;

		fmi_put_le64(p, sorted[i].region_offset);
		fmi_put_le32(p + 8, sorted[i].serial);
		if (each == 16)
			continue;
		fmi_put_le16(p + 12, sorted[i].vendor);
		fmi_put_le16(p + 14, sorted[i].mfg_date);
		p[16] = sorted[i].mfg_loc;
	}
	return fmi_fletcher64(bytes, count * each, count * each);
}

/* --- words --------------------------------------------------------------------------------------- */

void fm_label_uuid_text(const uint8_t uuid[16], char text[37])
{
	fmi_uuid_text(text, uuid, false);
}

bool fm_label_uuid_parse(const char *text, uint8_t uuid[16])
{
	return fmi_uuid_parse(text, uuid, false);
}

/* As they are stored: the first three fields are little-endian. */
static const uint8_t uses[FM_LABEL_OTHER_USE][16] = {
	[FM_LABEL_USE_BTT] = { 0xa2, 0x63, 0xed, 0x8a, 0xa2, 0x29, 0x66, 0x4c, 0x8b, 0x12, 0xf0,
			       0x5d, 0x15, 0xd3, 0x92, 0x2a },
	[FM_LABEL_SECTOR] = { 0xfc, 0x3b, 0x63, 0x18, 0x35, 0x17, 0x17, 0x42, 0x8a, 0xc9, 0x17,
			      0x23, 0x92, 0x82, 0xd3, 0xf8 },
	[FM_LABEL_FSDAX] = { 0xba, 0x00, 0x64, 0x26, 0x9f, 0xfb, 0x77, 0x46, 0xbc, 0xb0, 0x96, 0x8f,
			     0x11, 0xd0, 0xd2, 0x25 },
	[FM_LABEL_DEVDAX] = { 0x9c, 0x6d, 0xa8, 0x97, 0xdd, 0x3c, 0xda, 0x4e, 0x98, 0x6f, 0x50,
			      0x68, 0xb4, 0xf8, 0x00, 0x88 },
};

enum fm_label_use fm_label_use_of(const uint8_t guid[16])
{
	unsigned use = FM_LABEL_RAW;

	while (use < FM_LABEL_OTHER_USE && memcmp(uses[use], guid, 16))
		use++;
	return (enum fm_label_use)use;
}

void fm_label_use_guid(enum fm_label_use use, uint8_t guid[16])
{
	if ((unsigned)use < FM_LABEL_OTHER_USE)
		memcpy(guid, uses[use], 16);
	else
		memset(guid, 0, 16);
}

const char *fm_label_use_name(enum fm_label_use use)
{
	static const char *const names[] = { "raw", "btt", "sector", "fsdax", "devdax" };

	return (unsigned)use < FM_LABEL_OTHER_USE ? names[use] : "other";
}

void fm_label_pmem_guid(uint8_t guid[16])
{
	static const uint8_t pmem[16] = { 0x79, 0xd3, 0xf0, 0x66, 0xf3, 0xb4, 0x74, 0x40,
					  0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb };

	memcpy(guid, pmem, 16);
}
