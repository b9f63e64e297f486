/* SPDX-License-Identifier: BSD-2-Clause */
/* The format of a journal: headers, reading records, the digest of an image. */
#include "flash/journal.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

#include <string.h>

#define VERSION 1u
#define TYPE_MASK 0xffu
#define TYPE_MORE 0x100u

static const uint8_t magic[8] = { 'f', 'm', 'j', 'o', 'u', 'r', 'n', 'l' };

/* --- the header ---------------------------------------------------------------------------- */

void fmi_journal_encode(const struct fmi_journal_header *h, uint8_t out[FMI_JOURNAL_HEADER_LEN])
{
	memset(out, 0, FMI_JOURNAL_HEADER_LEN);
	memcpy(out, magic, sizeof(magic));
	fmi_put_le32(out + 0x08, VERSION);
	fmi_put_le32(out + 0x0c, FMI_JOURNAL_HEADER_LEN);
	memcpy(out + 0x10, h->salt, FMI_JOURNAL_SALT_LEN);
	fmi_put_le64(out + 0x20, h->generation);
	fmi_put_le64(out + 0x28, h->ring_len);
	fmi_put_le64(out + 0x30, h->tail.pos);
	fmi_put_le64(out + 0x38, h->tail.seq);
	fmi_put_le64(out + 0x40, h->target_seq);
	fmi_put_le32(out + 0x48, h->tail.chain);
	fmi_put_le64(out + 0x50, h->image.len);
	fmi_put_le64(out + 0x58, h->image.digest);
	fmi_put_le64(out + 0x60, h->image.dev);
	fmi_put_le64(out + 0x68, h->image.ino);
	fmi_put_le32(out + 0x7c, fmi_crc32(0, out, 0x7c));
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static bool possible(const struct fmi_journal_header *h)
{
	return h->ring_len >= FMI_JOURNAL_RING_MIN && h->ring_len <= FMI_JOURNAL_RING_MAX &&
	       fmi_is_aligned(h->ring_len, FMI_JOURNAL_SLOT_LEN) &&
	       fmi_is_aligned(h->tail.pos, 8) &&
	       /* Half of all numbers is room for any use, and sums cannot wrap. */
	       h->tail.pos < UINT64_MAX / 2 && h->target_seq >= h->tail.seq && h->image.len;
}

enum fmi_header_verdict fmi_journal_decode(const uint8_t bytes[FMI_JOURNAL_HEADER_LEN],
					   struct fmi_journal_header *out)
{
	struct fmi_journal_header h = { 0 };

	if (all_zero(bytes, FMI_JOURNAL_HEADER_LEN))
		return FMI_HEADER_BLANK;
	if (memcmp(bytes, magic, sizeof(magic)))
		return FMI_HEADER_FOREIGN;
	if (fmi_le32(bytes + 0x7c) != fmi_crc32(0, bytes, 0x7c))
		return FMI_HEADER_CHECKSUM;
	if (fmi_le32(bytes + 0x08) != VERSION || fmi_le32(bytes + 0x0c) != FMI_JOURNAL_HEADER_LEN)
		return FMI_HEADER_VERSION;
	memcpy(h.salt, bytes + 0x10, FMI_JOURNAL_SALT_LEN);
	h.generation = fmi_le64(bytes + 0x20);
	h.ring_len = fmi_le64(bytes + 0x28);
	h.tail.pos = fmi_le64(bytes + 0x30);
	h.tail.seq = fmi_le64(bytes + 0x38);
	h.target_seq = fmi_le64(bytes + 0x40);
	h.tail.chain = fmi_le32(bytes + 0x48);
	h.image.len = fmi_le64(bytes + 0x50);
	h.image.digest = fmi_le64(bytes + 0x58);
	h.image.dev = fmi_le64(bytes + 0x60);
	h.image.ino = fmi_le64(bytes + 0x68);
	if (!possible(&h))
		return FMI_HEADER_FIELD;
	*out = h;
	return FMI_HEADER_GOOD;
}

int fmi_journal_choose(const uint8_t slots[FMI_JOURNAL_RING_OFF], struct fmi_journal_header *out,
		       enum fmi_header_verdict verdict[2])
{
	int chosen = -1;

	for (int i = 0; i < 2; i++) {
		struct fmi_journal_header h;

		verdict[i] = fmi_journal_decode(slots + (size_t)i * FMI_JOURNAL_SLOT_LEN, &h);
		if (verdict[i] || (chosen >= 0 && out->generation > h.generation))
			continue;
		*out = h;
		chosen = i;
	}
	return chosen;
}

uint32_t fmi_journal_first_chain(const struct fmi_journal_header *h)
{
	uint8_t generation[8];

	fmi_put_le64(generation, h->generation);
	return fmi_crc32(fmi_crc32(0, h->salt, FMI_JOURNAL_SALT_LEN), generation,
			 sizeof(generation));
}

const char *fmi_header_verdict_text(enum fmi_header_verdict verdict)
{
	switch (verdict) {
	case FMI_HEADER_GOOD:
		return "good";
	case FMI_HEADER_BLANK:
		return "blank";
	case FMI_HEADER_FOREIGN:
		return "not a journal's";
	case FMI_HEADER_VERSION:
		return "of an unknown version";
	case FMI_HEADER_CHECKSUM:
		return "damaged";
	case FMI_HEADER_FIELD:
		return "impossible";
	}
	return "unknown";
}

/* --- reading records ------------------------------------------------------------------------ */

static bool stop(struct fmi_journal_reader *r, enum fmi_record_end why)
{
	r->end = why;
	return false;
}

/* Step over what is left of the ring where that is too short. */
static void step_over_end(struct fmi_journal_reader *r)
{
	uint64_t left = r->ring_len - r->at.pos % r->ring_len;

	if (left < FMI_JOURNAL_ROOM_MIN)
		r->at.pos += left;
}

/* The checksum that the record at `head`, whose data are in the ring, should have. */
static uint32_t checksum(uint32_t chain, const uint8_t *head, uint32_t len)
{
	return fmi_crc32(chain, head + 8, FMI_JOURNAL_RECORD_LEN - 8 + (size_t)len);
}

/* Is there a whole record at r->at? Then step behind it. */
static bool take(struct fmi_journal_reader *r, const uint8_t **head, uint32_t *len)
{
	uint64_t used, room, all;

	step_over_end(r);
	used = r->at.pos - r->begin;
	room = r->ring_len - r->at.pos % r->ring_len;
	if (used + FMI_JOURNAL_RECORD_LEN > r->ring_len)
		return stop(r, FMI_END_FULL);
	*head = r->ring + r->at.pos % r->ring_len;
	if (fmi_le64(*head + 8) != r->at.seq)
		return stop(r, FMI_END_UNUSED);
	*len = fmi_le32(*head);
	all = fmi_align_up(FMI_JOURNAL_RECORD_LEN + (uint64_t)*len, 8);
	if (all > room || all > r->ring_len - used ||
	    (!r->trusted && fmi_le32(*head + 4) != checksum(r->at.chain, *head, *len)))
		return stop(r, FMI_END_CHECKSUM);
	r->at.pos += all;
	r->at.seq++;
	r->at.chain = fmi_le32(*head + 4);
	return true;
}

bool fmi_journal_next(struct fmi_journal_reader *r, struct fmi_record *out)
{
	const uint8_t *head;
	uint32_t len, type, span;

	if (r->end || !take(r, &head, &len))
		return false;
	type = fmi_le32(head + 24);
	span = fmi_le32(head + 28);
	*out = (struct fmi_record){
		.type = (enum fmi_record_type)(type & TYPE_MASK),
		.more = type & TYPE_MORE,
		.off = fmi_le64(head + 16),
		.len = len ? len : span,
		.data = len ? head + FMI_JOURNAL_RECORD_LEN : NULL,
	};
	if ((type & ~(TYPE_MASK | TYPE_MORE)) ||
	    out->type != (len ? FMI_RECORD_STORE : FMI_RECORD_ERASE) || (len && span) ||
	    !out->len || !fmi_in_range(out->off, out->len, r->image_len))
		return stop(r, FMI_END_FIELD);
	return true;
}

const char *fmi_record_end_text(enum fmi_record_end end)
{
	switch (end) {
	case FMI_END_NONE:
		return "not at the end";
	case FMI_END_UNUSED:
		return "nothing was written behind it";
	case FMI_END_CHECKSUM:
		return "the record behind it is not whole";
	case FMI_END_FIELD:
		return "the record behind it is impossible";
	case FMI_END_FULL:
		return "the journal is full";
	case FMI_END_INCOMPLETE:
		return "the operation behind it is not whole";
	}
	return "unknown";
}

void fmi_journal_scan(const struct fmi_journal_header *h, const uint8_t *ring,
		      struct fmi_journal_scan *out)
{
	struct fmi_journal_reader r = {
		.ring = ring,
		.ring_len = h->ring_len,
		.image_len = h->image.len,
		.begin = h->tail.pos,
		.at = h->tail,
	};
	struct fmi_record record;
	uint64_t records = 0;
	uint64_t bytes = 0;

	*out = (struct fmi_journal_scan){ .end = h->tail };
	while (fmi_journal_next(&r, &record)) {
		records++;
		bytes += record.len;
		if (record.more)
			continue;
		out->end = r.at;
		out->records = records;
		out->bytes = bytes;
	}
	out->why = r.end;
	if (out->records != records && r.end == FMI_END_UNUSED)
		out->why = FMI_END_INCOMPLETE;
}

/* --- the digest of an image ------------------------------------------------------------------- */

static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

/* Each step is a bijection of its lane: bytes that differ in one word cannot come out the same. */
static uint64_t step_lane(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return lane ^ lane >> 32;
}

uint64_t fmi_digest_piece(uint64_t number, const uint8_t *bytes, size_t len)
{
	uint64_t lane[4] = { 1, 2, 3, 4 };
	uint64_t sum = mix(number + 1) ^ len;
	uint8_t last[32] = { 0 };
	size_t whole = len - len % 32;

	for (size_t i = 0; i < whole; i += 32) {
		for (unsigned n = 0; n < 4; n++)
			lane[n] = step_lane(lane[n], fmi_le64(bytes + i + 8 * n));
	}
	if (whole < len) {
		memcpy(last, bytes + whole, len - whole);
		for (unsigned n = 0; n < 4; n++)
			lane[n] = step_lane(lane[n], fmi_le64(last + 8 * n));
	}
	for (unsigned n = 0; n < 4; n++)
		sum = mix(sum ^ lane[n]);
	return sum;
}

uint64_t fmi_digest_image(const uint8_t *bytes, uint64_t len, uint64_t *pieces)
{
	uint64_t sum = 0;
	uint64_t number = 0;

	for (uint64_t off = 0; off < len; off += FMI_DIGEST_PIECE, number++) {
		uint64_t one = fmi_digest_piece(number, bytes + off,
						(size_t)fmi_min_u64(FMI_DIGEST_PIECE, len - off));

		if (pieces)
			pieces[number] = one;
		sum += one;
	}
	return sum;
}
