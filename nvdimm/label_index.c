/* SPDX-License-Identifier: BSD-2-Clause */
/* Index blocks: what makes one valid, and which of two counts, as Linux decides it. */
#include "nvdimm/label_private.h"

#include "devices/bytes.h"

#include <stdio.h>
#include <string.h>

/* Four words side by side, by an extension that gcc and clang have. */
#define LANES 4u
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

static lanes load(const uint8_t *p)
{
	lanes w;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	for (unsigned i = 0; i < LANES; i++)
		w[i] = __builtin_bswap32(w[i]);
#endif
	return w;
}

/*
 * The sum is lo += word, hi += lo, for each word; of hi only 32 bits count. So a word that k others follow is
 * in hi k + 1 times, and lanes of every fourth word need not wait for one another. The field that counts as
 * zero is taken out again.
 */
uint64_t fmi_fletcher64(const uint8_t *p, size_t len, size_t zeroed)
{
	size_t words = len / 4, rows = words / LANES;
	lanes sum = { 0 }, sums = { 0 };
	uint32_t lo, hi;

	for (size_t row = 0; row < rows; row++) {
		sum += load(p + 4 * LANES * row);
		sums += sum;
	}
	lo = sum[0] + sum[1] + sum[2] + sum[3];
	hi = LANES * (sums[0] + sums[1] + sums[2] + sums[3]) - sum[1] - 2 * sum[2] - 3 * sum[3];
	for (size_t i = rows * LANES; i < words; i++) {
		lo += fmi_le32(p + 4 * i);
		hi += lo;
	}
	for (size_t i = zeroed / 4; i < words && i < zeroed / 4 + 2; i++) {
		lo -= fmi_le32(p + 4 * i);
		hi -= (uint32_t)(words - i) * fmi_le32(p + 4 * i);
	}
	return (uint64_t)hi << 32 | lo;
}

bool fmi_label_shape(uint64_t area_len, uint32_t slot_len, struct fmi_label_shape *out)
{
	uint64_t most = area_len / slot_len;
	uint64_t index_len = fmi_align_up(FMI_INDEX_FREE + (most + 7) / 8, FMI_INDEX_ALIGN);
	uint64_t nslot;

	if (area_len < 2 * index_len)
		return false;
	nslot = (area_len - 2 * index_len) / slot_len;
	if (nslot < 2)
		return false;
	out->area_len = area_len;
	out->slot_len = slot_len;
	out->nslot = (uint32_t)nslot;
	out->index_len = fmi_align_up(FMI_INDEX_FREE + (nslot + 7) / 8, FMI_INDEX_ALIGN);
	return true;
}

/* --- one block ----------------------------------------------------------------------------------- */

static bool says(char why[160], const char *field, uint64_t value, uint64_t expected)
{
	if (why)
		snprintf(why, 160, "%s: 0x%llx, expected 0x%llx", field, (unsigned long long)value,
			 (unsigned long long)expected);
	return false;
}

static uint32_t labelsize_of(const uint8_t *p)
{
	unsigned version = fmi_le16(p + FMI_INDEX_MAJOR) * 100u + fmi_le16(p + FMI_INDEX_MINOR);

	/* Larger labels came with v1.2; before, the byte was reserved. */
	if (version < 102)
		return 128;
	return p[FMI_INDEX_LABELSIZE] < 8 ? 128u << p[FMI_INDEX_LABELSIZE] : 0;
}

static bool place_ok(const uint8_t *p, const struct fmi_label_shape *s, unsigned which,
		     char why[160])
{
	uint64_t ix = s->index_len;
	uint64_t mysize = fmi_le64(p + FMI_INDEX_MYSIZE);

	if (fmi_le64(p + FMI_INDEX_MYOFF) != which * ix)
		return says(why, "myoff", fmi_le64(p + FMI_INDEX_MYOFF), which * ix);
	if (fmi_le64(p + FMI_INDEX_OTHEROFF) != !which * ix)
		return says(why, "otheroff", fmi_le64(p + FMI_INDEX_OTHEROFF), !which * ix);
	if (fmi_le64(p + FMI_INDEX_LABELOFF) != 2 * ix)
		return says(why, "labeloff", fmi_le64(p + FMI_INDEX_LABELOFF), 2 * ix);
	if (mysize > ix || mysize < FMI_INDEX_FREE)
		return says(why, "mysize", mysize, ix);
	return true;
}

static bool slots_ok(const uint8_t *p, const struct fmi_label_shape *s, char why[160])
{
	uint64_t nslot = fmi_le32(p + FMI_INDEX_NSLOT);

	/* The bitmap, too, must be in the block: labels may reach a little further than it. */
	if (nslot > (s->area_len - 2 * s->index_len) / s->slot_len ||
	    nslot > 8 * (s->index_len - FMI_INDEX_FREE))
		return says(why, "nslot", nslot, s->nslot);
	return true;
}

bool fmi_index_valid(const uint8_t *area, const struct fmi_label_shape *s, unsigned which,
		     char why[160])
{
	const uint8_t *p = area + which * s->index_len;
	uint64_t sum;

	if (memcmp(p, FMI_INDEX_SIG, sizeof(FMI_INDEX_SIG))) {
		if (why)
			snprintf(why, 160, "signature: expected \"" FMI_INDEX_SIG "\"");
		return false;
	}
	if (labelsize_of(p) != s->slot_len)
		return says(why, "label size", labelsize_of(p), s->slot_len);
	sum = fmi_fletcher64(p, s->index_len, FMI_INDEX_CHECKSUM);
	if (fmi_le64(p + FMI_INDEX_CHECKSUM) != sum)
		return says(why, "checksum", fmi_le64(p + FMI_INDEX_CHECKSUM), sum);
	if (!(fmi_le32(p + FMI_INDEX_SEQ) & 3))
		return says(why, "seq", fmi_le32(p + FMI_INDEX_SEQ), 1);
	return place_ok(p, s, which, why) && slots_ok(p, s, why);
}

bool fmi_index_is_free(const uint8_t *index, uint32_t slot)
{
	return index[FMI_INDEX_FREE + slot / 8] >> slot % 8 & 1;
}

void fmi_index_set_free(uint8_t *index, uint32_t slot, bool is_free)
{
	uint8_t *byte = &index[FMI_INDEX_FREE + slot / 8];

	*byte = (uint8_t)(is_free ? *byte | 1u << slot % 8 : *byte & ~(1u << slot % 8));
}

void fmi_index_seal(uint8_t *index, const struct fmi_label_shape *s, unsigned which, uint32_t seq)
{
	fmi_put_le32(index + FMI_INDEX_SEQ, seq);
	fmi_put_le64(index + FMI_INDEX_MYOFF, which * s->index_len);
	fmi_put_le64(index + FMI_INDEX_OTHEROFF, !which * s->index_len);
	fmi_put_le64(index + FMI_INDEX_CHECKSUM,
		     fmi_fletcher64(index, s->index_len, FMI_INDEX_CHECKSUM));
}

void fmi_index_blank(uint8_t *index, const struct fmi_label_shape *s, unsigned version)
{
	memset(index, 0, s->index_len);
	memcpy(index, FMI_INDEX_SIG, sizeof(FMI_INDEX_SIG));
	index[FMI_INDEX_LABELSIZE] = s->slot_len == 256;
	fmi_put_le64(index + FMI_INDEX_MYSIZE, s->index_len);
	fmi_put_le64(index + FMI_INDEX_LABELOFF, 2 * s->index_len);
	fmi_put_le32(index + FMI_INDEX_NSLOT, s->nslot);
	fmi_put_le16(index + FMI_INDEX_MAJOR, 1);
	fmi_put_le16(index + FMI_INDEX_MINOR, (uint16_t)version);
	for (uint32_t slot = 0; slot < s->nslot; slot++)
		fmi_index_set_free(index, slot, true);
}

/* --- which one counts ---------------------------------------------------------------------------- */

uint32_t fmi_index_next_seq(uint32_t seq)
{
	static const uint8_t next[4] = { 0, 2, 3, 1 };

	return next[seq & 3];
}

unsigned fmi_index_best(uint32_t seq0, uint32_t seq1)
{
	return (seq0 & 3) == (seq1 & 3) || fmi_index_next_seq(seq0) == (seq1 & 3);
}

int fmi_index_find(const uint8_t *area, size_t len, struct fmi_label_shape *shape, bool ok[2])
{
	/* In this order: Linux takes what fits first. */
	static const uint32_t slot_lens[2] = { 128, 256 };
	struct fmi_label_shape s;

	for (unsigned i = 0; i < 2; i++) {
		if (!fmi_label_shape(len, slot_lens[i], &s))
			continue;
		*shape = s;
		ok[0] = fmi_index_valid(area, &s, 0, NULL);
		ok[1] = fmi_index_valid(area, &s, 1, NULL);
		if (ok[0] && ok[1])
			return (int)fmi_index_best(fmi_le32(area + FMI_INDEX_SEQ),
						   fmi_le32(area + s.index_len + FMI_INDEX_SEQ));
		if (ok[0] || ok[1])
			return ok[1];
	}
	return -1;
}
