/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing records. A process may end between any two stores, so a record comes into being, and grows,
 * by one store of eight bytes, its length and checksum, behind everything that they speak of.
 */
#include "flash/journal.h"

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

/* The position behind a record of that many bytes of data at `pos`. */
static uint64_t behind(uint64_t pos, uint64_t len)
{
	return pos + fmi_align_up(FMI_JOURNAL_RECORD_LEN + len, 8);
}

static void put(const struct fmi_journal_writer *w, uint64_t pos, const uint8_t *data, size_t len)
{
	memcpy(w->copy + in_ring(w, pos), data, len);
	memcpy(w->map + in_ring(w, pos), data, len);
}

/* The store that makes a record's first `len` bytes, with that checksum, count. */
static void publish(const struct fmi_journal_writer *w, uint64_t pos, uint32_t len, uint32_t crc)
{
	uint8_t bytes[8];
	uint64_t word;

	fmi_put_le32(bytes, len);
	fmi_put_le32(bytes + 4, crc);
	memcpy(w->copy + in_ring(w, pos), bytes, 8);
	memcpy(&word, bytes, 8);
	/* Records begin at multiples of 8 of a ring that begins at a page. */
	__atomic_store_n((uint64_t *)(void *)(w->map + in_ring(w, pos)), word, __ATOMIC_RELEASE);
}

/* A new record at the head. `len` bytes of data, or 0 and `span`. */
static void add(struct fmi_journal_writer *w, uint32_t type, uint64_t off, const uint8_t *data,
		uint32_t len, uint32_t span)
{
	uint8_t head[FMI_JOURNAL_RECORD_LEN - 8];
	struct fmi_journal_place at = w->head;
	uint32_t crc;

	fmi_put_le64(head, at.seq);
	fmi_put_le64(head + 8, off);
	fmi_put_le32(head + 16, type);
	fmi_put_le32(head + 20, span);
	crc = fmi_crc32(at.chain, head, sizeof(head));
	put(w, at.pos + 8, head, sizeof(head));
	if (len) {
		crc = fmi_crc32(crc, data, len);
		put(w, at.pos + FMI_JOURNAL_RECORD_LEN, data, len);
	}
	publish(w, at.pos, len, crc);
	w->last = at;
	w->last_off = off;
	w->last_len = len;
	w->open = type == FMI_RECORD_STORE;
	w->head = (struct fmi_journal_place){ behind(at.pos, len), at.seq + 1, crc };
}

/* Make the last record longer, if the operation goes on where that ends. */
static bool grow(struct fmi_journal_writer *w, uint64_t limit, uint64_t off, const uint8_t *data,
		 uint64_t len)
{
	uint64_t at = w->last.pos + FMI_JOURNAL_RECORD_LEN + w->last_len;
	uint64_t end = behind(w->last.pos, w->last_len + len);
	uint32_t crc;

	if (!w->open || !data || off != w->last_off + w->last_len || end > limit ||
	    FMI_JOURNAL_RECORD_LEN + w->last_len + len > room_at(w, w->last.pos))
		return false;
	crc = fmi_crc32(w->head.chain, data, len);
	put(w, at, data, len);
	w->last_len += (uint32_t)len;
	publish(w, w->last.pos, w->last_len, crc);
	w->head.pos = end;
	w->head.chain = crc;
	return true;
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
		return behind(pass_end(w, pos), 0);
	while (len) {
		uint64_t n;

		pos = pass_end(w, pos);
		n = fmi_min_u64(len, room_at(w, pos) - FMI_JOURNAL_RECORD_LEN);
		pos = behind(pos, n);
		len -= n;
	}
	return pos;
}

bool fmi_journal_append(struct fmi_journal_writer *w, uint64_t limit, uint64_t off,
			const uint8_t *data, uint64_t len)
{
	if (grow(w, limit, off, data, len))
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
