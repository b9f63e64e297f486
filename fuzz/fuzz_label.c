/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_label: label areas, right but for a few fields that lie, with sums that were made right again.
 * Reading takes them all and changes nothing; a change stays in the area, is seen, and leaves every other
 * valid label as it was.
 */
#include "fuzz/tape.h"

#include <firmem/label.h>

#include <string.h>

#define ROOM 8192u
#define LARGE (256u << 10) /* index blocks of 512 bytes, where slots have 128 */
#define MIB (UINT64_C(1) << 20)

struct sample {
	uint8_t *bytes; /* of just its size, so that a sanitizer sees what is behind it */
	size_t len;
	struct fm_label_medium medium;
	uint64_t index_len;
	uint32_t slot_len;
};

static int put(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	struct sample *s = ctx;

	TAPE_CHECK(len <= s->len && off <= s->len - len);
	memcpy(s->bytes + off, bytes, len);
	return 0;
}

static int sync_nothing(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return 0;
}

static struct fm_label some_label(struct tape *t)
{
	struct fm_label l = { .nlabel = 1 };

	memset(l.uuid, 1 + (int)tape_below(t, 12), sizeof(l.uuid));
	l.name[0] = (char)tape_u8(t);
	l.nlabel = (uint16_t)(1 + tape_below(t, 3));
	l.position = (uint16_t)tape_below(t, 3);
	l.dpa = tape_one_in(t, 8) ? tape_edge(t, 64 * MIB) : tape_below(t, 32) * MIB;
	l.rawsize = tape_one_in(t, 8) ? tape_edge(t, MIB) : MIB;
	return l;
}

/* --- lies ---------------------------------------------------------------------------------------- */

static void reseal(uint8_t *p, size_t len, size_t at)
{
	uint32_t lo = 0, hi = 0;
	uint32_t word;

	memset(p + at, 0, 8);
	for (size_t i = 0; i < len; i += 4) {
		memcpy(&word, p + i, 4);
		lo += word;
		hi += lo;
	}
	memcpy(p + at, &lo, 4);
	memcpy(p + at + 4, &hi, 4);
}

static void lie(struct tape *t, struct sample *s)
{
	static const uint8_t fields[][2] = { { 0, 8 },  { 16, 4 }, { 20, 4 }, { 24, 8 },
					     { 32, 8 }, { 40, 8 }, { 48, 8 }, { 56, 4 },
					     { 60, 4 }, { 64, 8 }, { 72, 8 }, { 80, 8 } };
	unsigned which = tape_below(t, 3);
	uint64_t value = tape_edge(t, s->len);
	size_t n = which < 2 ? s->index_len : s->slot_len;
	size_t base = which < 2 ? which * n : 2 * s->index_len + (size_t)tape_below(t, 16) * n;
	unsigned field = tape_below(t, 12);
	size_t at = which < 2 ? fields[field][0] : (size_t)tape_below(t, (unsigned)(n / 8)) * 8;

	if (base + n > s->len)
		return;
	memcpy(s->bytes + base + at, &value, which < 2 ? fields[field][1] : 8);
	if (tape_one_in(t, 4) || n == 128)
		return;
	reseal(s->bytes + base, n, which < 2 ? 64 : 248);
}

/* --- checks -------------------------------------------------------------------------------------- */

/* Every label that can be a member is of one namespace, counted in the plain way. */
static void check_sets(const struct fm_label_area *area)
{
	struct fm_label_set sets[64];
	const struct fm_label *l;
	size_t count = fm_label_gather(&area, 1, sets, 64), members = 0, found = 0;

	TAPE_CHECK(count <= fm_label_info(area)->used);
	for (size_t n = 0; (l = fm_label_at(area, n)); n++)
		members += l->valid && l->position < l->nlabel;
	for (size_t i = 0; i < count && i < 64; i++) {
		TAPE_CHECK(sets[i].first->valid && sets[i].found &&
			   sets[i].found <= sets[i].first->nlabel);
		TAPE_CHECK(sets[i].complete == (sets[i].found == sets[i].first->nlabel));
		found += sets[i].found;
	}
	TAPE_CHECK(found <= members && !!members == !!count);
}

static void check_area(const struct fm_label_area *area, const struct sample *s)
{
	const struct fm_label_info *info = fm_label_info(area);
	const struct fm_label_finding *f;
	const struct fm_label *l;
	uint8_t slot[256];
	struct fm_label again;
	uint64_t dpa;
	size_t n;

	TAPE_CHECK(info->current >= -1 && info->current <= 1);
	TAPE_CHECK(2 * info->index_len + (uint64_t)info->nslot * info->slot_len <= s->len);
	for (n = 0; (l = fm_label_at(area, n)); n++) {
		TAPE_CHECK(l->slot < info->nslot && (!l->valid || l->checksum_ok));
		fm_label_encode(l, info->slot_len, slot);
		fm_label_decode(slot, info->slot_len, l->slot, &again);
		TAPE_CHECK(again.dpa == l->dpa && again.checksum_ok);
	}
	TAPE_CHECK(n == info->used);
	for (n = 0; (f = fm_label_finding(area, n)); n++)
		TAPE_CHECK(f->off < s->len && f->text[0]);
	TAPE_CHECK(n || info->current >= 0);
	if (!fm_label_find_dpa(area, 0, 64 * MIB, MIB, MIB, &dpa, NULL)) {
		TAPE_CHECK(dpa <= 63 * MIB && dpa % MIB == 0);
		for (n = 0; (l = fm_label_at(area, n)); n++)
			TAPE_CHECK(!l->valid || !l->rawsize || l->dpa >= dpa + MIB ||
				   (l->dpa <= dpa && l->rawsize <= dpa - l->dpa));
	}
	check_sets(area);
}

/* The namespaces but for one, as a sum that no order changes. */
static uint64_t others(const struct sample *s, const uint8_t uuid[16])
{
	struct fm_label_area *area;
	const struct fm_label *l;
	uint64_t sum = 0;

	TAPE_CHECK(!fm_label_parse(&area, s->bytes, s->len, 0, NULL));
	for (size_t n = 0; (l = fm_label_at(area, n)); n++) {
		if (l->valid && memcmp(l->uuid, uuid, 16))
			sum += (l->dpa ^ l->rawsize * 31 ^ (uint64_t)l->uuid[3] << 40) *
			       UINT64_C(0x9e3779b97f4a7c15);
	}
	fm_label_free(area);
	return sum;
}

static void change(struct tape *t, struct sample *s)
{
	struct fm_label l = some_label(t);
	uint64_t before = others(s, l.uuid);
	struct fm_label_area *area;
	const struct fm_label *found;
	unsigned kind = tape_below(t, 3);
	int rc;

	if (kind == 0)
		rc = fm_label_add(&s->medium, 1, &l, NULL);
	else if (kind == 1)
		rc = fm_label_rename(&s->medium, 1, l.uuid, l.name, NULL);
	else
		rc = fm_label_delete(&s->medium, 1, l.uuid, NULL);
	TAPE_CHECK(others(s, l.uuid) == before);
	if (rc)
		return;
	TAPE_CHECK(!fm_label_parse(&area, s->bytes, s->len, 0, NULL));
	found = fm_label_find(area, l.uuid);
	TAPE_CHECK(!found == (kind == 2));
	TAPE_CHECK(!found || !strcmp(found->name, l.name));
	fm_label_free(area);
}

static size_t some_len(struct tape *t)
{
	static const size_t lens[] = { 1024, 1028, 1536, 2048, 4096, ROOM };

	if (tape_one_in(t, 32))
		return LARGE;
	return tape_one_in(t, 2) ? 1024 + tape_below(t, ROOM - 1023) : lens[tape_below(t, 6)];
}

static void note_shape(struct sample *s)
{
	struct fm_label_area *area;

	TAPE_CHECK(!fm_label_parse(&area, s->bytes, s->len, 0, NULL));
	s->index_len = fm_label_info(area)->index_len;
	s->slot_len = fm_label_info(area)->slot_len;
	TAPE_CHECK(fm_label_info(area)->current == 0 && !fm_label_finding(area, 0));
	fm_label_free(area);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct tape t = { bytes, len };
	struct sample s;
	struct fm_label_area *area;
	uint8_t *copy;

	s.len = some_len(&t);
	s.bytes = calloc(1, s.len);
	copy = malloc(s.len);
	s.medium = (struct fm_label_medium){
		.struct_size = sizeof(s.medium),
		.bytes = s.bytes,
		.len = s.len,
		.ctx = &s,
		.write = put,
		.sync = sync_nothing,
	};
	TAPE_CHECK(!fm_label_init(&s.medium, 1 + tape_below(&t, 2), NULL));
	note_shape(&s);
	for (unsigned n = tape_below(&t, 12); n > 0; n--)
		change(&t, &s);
	for (unsigned n = tape_below(&t, 5); n > 0; n--)
		lie(&t, &s);
	memcpy(copy, s.bytes, s.len);
	TAPE_CHECK(!fm_label_parse(&area, s.bytes, s.len, tape_one_in(&t, 2) ? 64 * MIB : 0, NULL));
	check_area(area, &s);
	fm_label_free(area);
	TAPE_CHECK(!memcmp(copy, s.bytes, s.len));
	for (unsigned n = tape_below(&t, 5); n > 0; n--)
		change(&t, &s);
	free(copy);
	free(s.bytes);
	return 0;
}
