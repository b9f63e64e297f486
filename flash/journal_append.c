/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing records. A process may end between any two stores, so a record comes into being, and grows,
 * by one store of eight bytes, its length and checksum, behind everything that they speak of.
 */
#include "flash/journal_grow.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

#include <string.h>

#define TYPE_MORE 0x100u

static uint64_t in_ring(const struct fmi_journal_writer *w, uint64_t pos)
{
	return pos % w->ring_len;
}

static uint64_t room_at(const struct fmi_journal_writer *w, uint64_t pos)
{
	return w->ring_len - in_ring(w, pos);
}

/* A new record at the head. `len` bytes of data, or 0 and `span`. */
static void add(struct fmi_journal_writer *w, uint32_t type, uint64_t off, const uint8_t *data,
		uint32_t len, uint32_t span)
{
	uint8_t head[FMI_JOURNAL_RECORD_LEN - 8];
	struct fmi_journal_place place = w->head;
	uint64_t at = in_ring(w, place.pos);
	uint32_t crc;

	fmi_put_le64(head, place.seq);
	fmi_put_le64(head + 8, off);
	fmi_put_le32(head + 16, type);
	fmi_put_le32(head + 20, span);
	crc = fmi_crc32(place.chain, head, sizeof(head));
	fmi_journal_put(w, at + 8, head, sizeof(head));
	if (len) {
		crc = fmi_crc32(crc, data, len);
		fmi_journal_put(w, at + FMI_JOURNAL_RECORD_LEN, data, len);
	}
	fmi_journal_publish(w, at, len, crc);
	w->last = place;
	w->last_at = at;
	w->last_room = w->ring_len - at;
	w->last_off = off;
	w->last_len = len;
	w->open = type == FMI_RECORD_STORE;
	w->head = (struct fmi_journal_place){ fmi_journal_behind(place.pos, len), place.seq + 1,
					      crc };
}

/* Step over what is left of the ring where that is too short. */
static uint64_t pass_end(const struct fmi_journal_writer *w, uint64_t pos)
{
	uint64_t room = room_at(w, pos);

	return room < FMI_JOURNAL_ROOM_MIN ? pos + room : pos;
}

/* Where the head would be behind the operation: as append() moves it. */
static uint64_t head_behind(const struct fmi_journal_writer *w, bool store, uint64_t len)
{
	uint64_t pos = w->head.pos;

	if (!store)
		return fmi_journal_behind(pass_end(w, pos), 0);
	while (len) {
		uint64_t n;

		pos = pass_end(w, pos);
		n = fmi_min_u64(len, room_at(w, pos) - FMI_JOURNAL_RECORD_LEN);
		pos = fmi_journal_behind(pos, n);
		len -= n;
	}
	return pos;
}

bool fmi_journal_append(struct fmi_journal_writer *w, uint64_t limit, uint64_t off,
			const uint8_t *data, uint64_t len)
{
	if (fmi_journal_grow(w, limit, off, data, len))
		return true;
	/* An operation of 4 GiB would be longer than any ring. */
	if (len > UINT32_MAX || head_behind(w, data, len) > limit)
		return false;
	if (!data) {
		w->head.pos = pass_end(w, w->head.pos);
		add(w, FMI_RECORD_ERASE, off, NULL, 0, (uint32_t)len);
		return true;
	}
	while (len) {
		uint64_t n;

		w->head.pos = pass_end(w, w->head.pos);
		n = fmi_min_u64(len, room_at(w, w->head.pos) - FMI_JOURNAL_RECORD_LEN);
		add(w, FMI_RECORD_STORE | (n < len ? TYPE_MORE : 0), off, data, (uint32_t)n, 0);
		off += n;
		data += n;
		len -= n;
	}
	return true;
}

uint64_t fmi_journal_most(uint64_t ring_len)
{
	/* Two records, and an end of the ring that is stepped over. */
	return ring_len - 4 * FMI_JOURNAL_RECORD_LEN;
}

void fmi_journal_rewrite(const struct fmi_journal_writer *w, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t n = fmi_min_u64(to - from, room_at(w, from));

		memcpy(w->map + in_ring(w, from), w->copy + in_ring(w, from), (size_t)n);
		from += n;
	}
}
