/* SPDX-License-Identifier: BSD-2-Clause */
/* journal_grow: the usual way of an operation into the journal: it goes on where the last one ended. */
#ifndef FIRMEM_FLASH_JOURNAL_GROW_H
#define FIRMEM_FLASH_JOURNAL_GROW_H

#include "devices/bytes.h"
#include "devices/crc32.h"
#include "flash/journal.h"

#include <endian.h>
#include <string.h>

/* The position behind a record of that many bytes of data at `pos`. */
static inline uint64_t fmi_journal_behind(uint64_t pos, uint64_t len)
{
	return pos + fmi_align_up(FMI_JOURNAL_RECORD_LEN + len, 8);
}

/* A few bytes at a place in the ring: most are a word, for which a call would be long. */
static inline void fmi_journal_put(const struct fmi_journal_writer *w, uint64_t at,
				   const uint8_t *data, size_t len)
{
	if (len == 4) {
		memcpy(w->copy + at, data, 4);
		memcpy(w->map + at, data, 4);
	} else if (len == 1) {
		w->copy[at] = *data;
		w->map[at] = *data;
	} else {
		memcpy(w->copy + at, data, len);
		memcpy(w->map + at, data, len);
	}
}

/* The store that makes the first `len` bytes of the record at `at`, with that checksum, count. */
static inline void fmi_journal_publish(const struct fmi_journal_writer *w, uint64_t at,
				       uint32_t len, uint32_t crc)
{
	uint64_t word = htole64((uint64_t)crc << 32 | len);

	memcpy(w->copy + at, &word, 8);
	/* Records begin at multiples of 8 of a ring that begins at a page. */
	__atomic_store_n((uint64_t *)(void *)(w->map + at), word, __ATOMIC_RELEASE);
}

/* Add an operation that goes on where the last record ends. False for any other, or if it is full. */
static inline bool fmi_journal_grow(struct fmi_journal_writer *w, uint64_t limit, uint64_t off,
				    const uint8_t *data, uint64_t len)
{
	uint64_t used = FMI_JOURNAL_RECORD_LEN + w->last_len;
	uint64_t end = fmi_journal_behind(w->last.pos, w->last_len + len);
	uint32_t crc;

	if (!w->open || !data || off != w->last_off + w->last_len || end > limit ||
	    len > w->last_room - used)
		return false;
	if (len <= 4)
		crc = fmi_crc32_few(w->crc, w->head.chain, data, len);
	else
		crc = fmi_crc32(w->head.chain, data, len);
	fmi_journal_put(w, w->last_at + used, data, len);
	w->last_len += (uint32_t)len;
	fmi_journal_publish(w, w->last_at, w->last_len, crc);
	w->head.pos = end;
	w->head.chain = crc;
	return true;
}

#endif
