/* SPDX-License-Identifier: BSD-2-Clause */
/* What labels of several DIMMs make together: namespaces, free addresses, interleave sets; and the words of labels. */
#include "nvdimm/label_private.h"

#include "devices/bytes.h"
#include "devices/uuid.h"

#include <stdlib.h>
#include <string.h>

static size_t count_labels(const struct fm_label_area *const *areas, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += areas[i]->nlabels;
	return n;
}

/* --- namespaces ---------------------------------------------------------------------------------- */

/* A label that counts, and how many were found before it. */
struct member {
	const struct fm_label *label;
	size_t nth;
};

/* Members of one namespace side by side. */
struct group {
	const struct member *at;
	size_t count;
	size_t nth; /* of the one that was found first */
};

static int less_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_namespace(const struct fm_label *a, const struct fm_label *b)
{
	int d = memcmp(a->uuid, b->uuid, 16);

	if (!d)
		d = less_u64(a->isetcookie, b->isetcookie);
	return d ? d : less_u64(a->nlabel, b->nlabel);
}

static int by_member(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	int d = by_namespace(a->label, b->label);

	if (!d)
		d = less_u64(a->label->position, b->label->position);
	return d ? d : less_u64(a->nth, b->nth);
}

static int by_nth(const void *x, const void *y)
{
	return less_u64(((const struct group *)x)->nth, ((const struct group *)y)->nth);
}

/* The valid labels of all areas, sorted. */
static size_t take_members(struct member *out, const struct fm_label_area *const *areas,
			   size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < areas[i]->nlabels; k++) {
			const struct fm_label *l = &areas[i]->labels[k];

			if (!l->valid || l->position >= l->nlabel)
				continue;
			out[n] = (struct member){ .label = l, .nth = n };
			n++;
		}
	}
	qsort(out, n, sizeof(*out), by_member);
	return n;
}

static size_t take_groups(struct group *out, const struct member *members, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct group *g;

		if (!i || by_namespace(members[i - 1].label, members[i].label)) {
			out[n++] = (struct group){ &members[i], 1, members[i].nth };
			continue;
		}
		g = &out[n - 1];
		g->count++;
		if (members[i].nth < g->nth)
			g->nth = members[i].nth;
	}
	qsort(out, n, sizeof(*out), by_nth);
	return n;
}

/* Positions count once, also where two labels have one. */
static void sum_up(const struct group *g, struct fm_label_set *out)
{
	const struct fm_label *last = NULL;

	*out = (struct fm_label_set){ .first = g->at->label };
	for (size_t i = 0; i < g->count; i++) {
		const struct fm_label *l = g->at[i].label;

		if (last && last->position == l->position)
			continue;
		last = l;
		out->found++;
		out->updating |= !!(l->flags & FM_LABEL_UPDATING);
		out->size += l->rawsize;
	}
	out->complete = out->found == out->first->nlabel;
}

size_t fm_label_gather(const struct fm_label_area *const *areas, size_t count,
		       struct fm_label_set *out, size_t most)
{
	size_t room = count_labels(areas, count), n;
	struct member *members = calloc(room + 1, sizeof(*members));
	struct group *groups = calloc(room + 1, sizeof(*groups));

	n = FM_LABEL_NO_MEMORY;
	if (members && groups) {
		n = take_groups(groups, members, take_members(members, areas, count));
		for (size_t i = 0; i < n && i < most; i++)
			sum_up(&groups[i], &out[i]);
	}
	free(members);
	free(groups);
	return n;
}

/* --- free addresses ------------------------------------------------------------------------------ */

struct claim {
	uint64_t first, last; /* bytes, both of them claimed */
};

static int by_first(const void *x, const void *y)
{
	return less_u64(((const struct claim *)x)->first, ((const struct claim *)y)->first);
}

static size_t take_claims(struct claim *out, const struct fm_label_area *const *areas, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < areas[i]->nlabels; k++) {
			const struct fm_label *l = &areas[i]->labels[k];

			if (!l->valid || !l->rawsize)
				continue;
			/* One that wraps claims all behind it, as fm_label_add() has it. */
			out[n++] = (struct claim){ l->dpa, fmi_wraps(l->dpa, l->rawsize)
								   ? UINT64_MAX
								   : l->dpa + (l->rawsize - 1) };
		}
	}
	qsort(out, n, sizeof(*out), by_first);
	return n;
}

/* Every claim in the way moves it up, in their order: none that was passed is in the way again. */
static bool fit(const struct claim *claims, size_t count, uint64_t *at, uint64_t end, uint64_t size,
		uint64_t align)
{
	for (size_t i = 0; i < count && fmi_in_range(*at, size, end); i++) {
		const struct claim *c = &claims[i];

		if (c->last < *at)
			continue;
		if (c->first > *at + (size - 1))
			break;
		if (c->last >= end || c->last > UINT64_MAX - align)
			return false;
		*at = fmi_align_up(c->last + 1, align);
	}
	return fmi_in_range(*at, size, end);
}

int fm_label_find_dpa_in_all(const struct fm_label_area *const *areas, size_t count, uint64_t from,
			     uint64_t end, uint64_t size, uint64_t align, uint64_t *dpa,
			     struct fm_error *err)
{
	uint64_t at = from;
	struct claim *claims;
	bool fits;

	if (!size || !fmi_is_pow2(align))
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"label area: size 0x%llx align 0x%llx, expected some, and a power of two",
			(unsigned long long)size, (unsigned long long)align);
	claims = calloc(count_labels(areas, count) + 1, sizeof(*claims));
	if (!claims)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "label area: out of memory");
	fits = fit(claims, take_claims(claims, areas, count), &at, end, size, align);
	free(claims);
	if (!fits)
		return fm_error_set(
			err, FM_ERR_NOSPACE, 0,
			"label area: no 0x%llx free bytes in a row from 0x%llx to 0x%llx",
			(unsigned long long)size, (unsigned long long)from,
			(unsigned long long)end);
	*dpa = at;
	return 0;
}

int fm_label_find_dpa(const struct fm_label_area *area, uint64_t from, uint64_t end, uint64_t size,
		      uint64_t align, uint64_t *dpa, struct fm_error *err)
{
	return fm_label_find_dpa_in_all(&area, 1, from, end, size, align, dpa, err);
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
