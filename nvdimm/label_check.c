/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with an area. */
#include "nvdimm/label_private.h"

#include "devices/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

FM_PRINTF(4, 5)
static int add(struct fm_label_area *a, enum fm_label_finding_kind kind, uint64_t off,
	       const char *fmt, ...)
{
	struct fm_label_finding *f;
	va_list args;

	if (a->nfindings == a->findings_room) {
		size_t room = a->findings_room ? 2 * a->findings_room : 8;

		f = realloc(a->findings, room * sizeof(*f));
		if (!f)
			return FM_ERR_NOMEM;
		a->findings = f;
		a->findings_room = room;
	}
	f = &a->findings[a->nfindings++];
	f->kind = kind;
	f->off = off;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	return 0;
}

static uint64_t place(const struct fm_label_area *a, const struct fm_label *l)
{
	return 2 * a->info.index_len + (uint64_t)l->slot * a->info.slot_len;
}

/* --- index blocks -------------------------------------------------------------------------------- */

static int check_index(struct fm_label_area *a, const uint8_t *bytes)
{
	struct fmi_label_shape s;
	char why[160];
	int rc = 0;

	fmi_label_shape(a->info.area_len, a->info.slot_len, &s);
	for (unsigned i = 0; i < 2 && !rc; i++) {
		if (!fmi_index_valid(bytes, &s, i, why))
			rc = add(a, a->info.current < 0 ? FM_LABEL_NO_INDEX : FM_LABEL_BAD_INDEX,
				 i * s.index_len, "index block %u: %.120s", i, why);
	}
	return rc;
}

/* --- labels -------------------------------------------------------------------------------------- */

/* The bytes that a lead byte of UTF-8 announces; 0: none. */
static unsigned sequence(uint8_t lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

bool fmi_label_name_ok(const char *name, size_t max)
{
	size_t len = strnlen(name, max + 1);
	const uint8_t *p = (const uint8_t *)name;
	unsigned n;

	if (len > max)
		return false;
	for (size_t i = 0; i < len; i += n) {
		n = sequence(p[i]);
		if (!n || n > len - i)
			return false;
		for (unsigned k = 1; k < n; k++) {
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
		}
		/* Too long a form, a surrogate, behind the last character. */
		if ((p[i] == 0xe0 && p[i + 1] < 0xa0) || (p[i] == 0xed && p[i + 1] > 0x9f) ||
		    (p[i] == 0xf0 && p[i + 1] < 0x90) || (p[i] == 0xf4 && p[i + 1] > 0x8f))
			return false;
	}
	return true;
}

static int check_fields(struct fm_label_area *a, const struct fm_label *l)
{
	uint64_t off = place(a, l);
	int rc = 0;

	if (!fmi_label_name_ok(l->name, FM_LABEL_NAME_MAX))
		rc = add(a, FM_LABEL_BAD_NAME, off,
			 "slot %u: name: expected at most %u bytes of UTF-8", l->slot,
			 FM_LABEL_NAME_MAX);
	if (!rc && l->position >= l->nlabel)
		rc = add(a, FM_LABEL_BAD_POSITION, off,
			 "slot %u: position %u, expected below nlabel %u", l->slot, l->position,
			 l->nlabel);
	if (!rc && (fmi_wraps(l->dpa, l->rawsize) ||
		    (a->pmem_len && !fmi_in_range(l->dpa, l->rawsize, a->pmem_len))))
		rc = add(a, FM_LABEL_BEYOND, off,
			 "slot %u: dpa 0x%llx + 0x%llx, expected within 0x%llx", l->slot,
			 (unsigned long long)l->dpa, (unsigned long long)l->rawsize,
			 (unsigned long long)a->pmem_len);
	if (!rc && l->flags & FM_LABEL_UPDATING)
		rc = add(a, FM_LABEL_UNFINISHED, off, "slot %u: flags 0x%x: its update was cut",
			 l->slot, l->flags);
	return rc;
}

static int check_label(struct fm_label_area *a, const struct fm_label *l)
{
	if (!l->checksum_ok)
		return add(a, FM_LABEL_BAD_CHECKSUM, place(a, l),
			   "slot %u: checksum does not match: ignored", l->slot);
	if (!l->valid)
		return add(a, FM_LABEL_BAD_SLOT, place(a, l), "slot %u: names slot %u: ignored",
			   l->slot, l->named_slot);
	return check_fields(a, l);
}

/* --- between labels ------------------------------------------------------------------------------ */

static int by_dpa(const void *x, const void *y)
{
	const struct fm_label *a = *(const struct fm_label *const *)x;
	const struct fm_label *b = *(const struct fm_label *const *)y;

	if (a->dpa != b->dpa)
		return a->dpa < b->dpa ? -1 : 1;
	return a->slot < b->slot ? -1 : 1;
}

static int by_uuid(const void *x, const void *y)
{
	const struct fm_label *a = *(const struct fm_label *const *)x;
	const struct fm_label *b = *(const struct fm_label *const *)y;
	int d = memcmp(a->uuid, b->uuid, 16);

	if (!d)
		d = (a->position > b->position) - (a->position < b->position);
	return d ? d : a->slot < b->slot ? -1 : 1;
}

static int check_overlaps(struct fm_label_area *a, const struct fm_label **list, size_t count)
{
	const struct fm_label *last = NULL;
	size_t in_order = 1;
	int rc = 0;

	while (in_order < count && list[in_order - 1]->dpa <= list[in_order]->dpa)
		in_order++;
	if (in_order < count)
		qsort(list, count, sizeof(const struct fm_label *), by_dpa);
	for (size_t i = 0; i < count && !rc; i++) {
		const struct fm_label *l = list[i];

		if (!l->rawsize || fmi_wraps(l->dpa, l->rawsize))
			continue;
		if (last && l->dpa - last->dpa < last->rawsize)
			rc = add(a, FM_LABEL_OVERLAP, place(a, l),
				 "slot %u: dpa 0x%llx is in the range of slot %u", l->slot,
				 (unsigned long long)l->dpa, last->slot);
		if (!last || l->dpa + (l->rawsize - 1) > last->dpa + (last->rawsize - 1))
			last = l;
	}
	return rc;
}

static size_t hash(const struct fm_label *l, size_t bits)
{
	uint64_t h = (fmi_le64(l->uuid) ^ fmi_le64(l->uuid + 8) * 31) + l->position;

	return (size_t)((h * UINT64_C(0x9e3779b97f4a7c15) >> 32) * bits >> 32);
}

/*
 * Leave in the list those only whose hash another one has as well: few have one by chance, where 16 times as
 * many bits as labels are there. False: out of memory.
 */
static bool keep_suspects(const struct fm_label **list, size_t *count)
{
	size_t bits = 16 * *count, words = bits / 64 + 1, kept = 0;
	uint64_t *once = calloc(2 * words, sizeof(*once));
	uint64_t *twice;

	if (!once)
		return false;
	twice = once + words;
	for (size_t i = 0; i < *count; i++) {
		size_t h = hash(list[i], bits);
		uint64_t bit = UINT64_C(1) << h % 64;

		twice[h / 64] |= once[h / 64] & bit;
		once[h / 64] |= bit;
	}
	for (size_t i = 0; i < *count; i++) {
		size_t h = hash(list[i], bits);

		if (twice[h / 64] >> h % 64 & 1)
			list[kept++] = list[i];
	}
	free(once);
	*count = kept;
	return true;
}

static int check_duplicates(struct fm_label_area *a, const struct fm_label **list, size_t count)
{
	int rc = 0;

	if (!keep_suspects(list, &count))
		return FM_ERR_NOMEM;
	qsort(list, count, sizeof(const struct fm_label *), by_uuid);
	for (size_t i = 1; i < count && !rc; i++) {
		if (!memcmp(list[i]->uuid, list[i - 1]->uuid, 16) &&
		    list[i]->position == list[i - 1]->position)
			rc = add(a, FM_LABEL_DUPLICATE, place(a, list[i]),
				 "slot %u: same UUID and position as slot %u", list[i]->slot,
				 list[i - 1]->slot);
	}
	return rc;
}

static int check_pairs(struct fm_label_area *a)
{
	const struct fm_label **list;
	size_t count = 0;
	int rc;

	if (a->nlabels < 2)
		return 0;
	list = calloc(a->nlabels, sizeof(const struct fm_label *));
	if (!list)
		return FM_ERR_NOMEM;
	for (size_t i = 0; i < a->nlabels; i++) {
		if (a->labels[i].valid)
			list[count++] = &a->labels[i];
	}
	rc = check_overlaps(a, list, count);
	if (!rc)
		rc = check_duplicates(a, list, count);
	free(list);
	return rc;
}

int fmi_label_check(struct fm_label_area *a, const uint8_t *bytes, struct fm_error *err)
{
	int rc = check_index(a, bytes);

	for (size_t i = 0; i < a->nlabels && !rc; i++)
		rc = check_label(a, &a->labels[i]);
	if (!rc)
		rc = check_pairs(a);
	if (!rc && a->info.current >= 0 && a->info.used == a->info.nslot)
		rc = add(a, FM_LABEL_FULL, 0, "all %u slots are used, expected one free",
			 a->info.nslot);
	return rc ? fm_error_set(err, rc, 0, "label area: out of memory") : 0;
}

const char *fm_label_finding_name(enum fm_label_finding_kind kind)
{
	static const char *const names[FM_LABEL_FINDING_COUNT] = {
		[FM_LABEL_NO_INDEX] = "no-index", [FM_LABEL_BAD_INDEX] = "bad-index",
		[FM_LABEL_BAD_SLOT] = "bad-slot", [FM_LABEL_BAD_CHECKSUM] = "bad-checksum",
		[FM_LABEL_BAD_NAME] = "bad-name", [FM_LABEL_BAD_POSITION] = "bad-position",
		[FM_LABEL_OVERLAP] = "overlap",   [FM_LABEL_DUPLICATE] = "duplicate",
		[FM_LABEL_BEYOND] = "beyond",     [FM_LABEL_UNFINISHED] = "unfinished",
		[FM_LABEL_FULL] = "full",
	};

	return (unsigned)kind < FM_LABEL_FINDING_COUNT ? names[kind] : "unknown";
}
