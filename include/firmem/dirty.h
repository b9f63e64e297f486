/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dirty: which granules of a block changed, for several clients that do not disturb each other
 * (migration, a display, a code cache, a snapshot).
 *
 * One bit stands for fm_block_dirty_granule() bytes. Marks are atomic: any thread may mark while
 * others harvest. A mark that races with a harvest is in this harvest or in the next, never lost.
 * Mark after the store: then what is copied after a harvest has every store whose bit it took.
 */
#ifndef FIRMEM_DIRTY_H
#define FIRMEM_DIRTY_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_dirty;

#define FM_DIRTY_CLIENTS 8u

/*
 * Start logging for `client` (0 to FM_DIRTY_CLIENTS - 1) with a clean bitmap; starting twice
 * keeps the bits. A marked store that is not logged is visible to the caller when this returns: a
 * copy of the memory that is made from here on, and the harvests, miss nothing. Waits for a moment
 * (membarrier). FM_ERR_ARG, FM_ERR_NOMEM. Allocates on the first start of a client. Any thread.
 */
FM_API int fm_dirty_start(struct fm_dirty *log, unsigned client, struct fm_error *err);

/* Stop logging; the client's bits are dropped. Any thread. */
FM_API void fm_dirty_stop(struct fm_dirty *log, unsigned client);

/* Is the client logging? Any thread. */
FM_API bool fm_dirty_active(const struct fm_dirty *log, unsigned client);

/*
 * What a mark reads; the library's own, and published only so that a mark of a set bit needs no call.
 * The first member of struct fm_dirty: its layout is part of the ABI.
 */
struct fm_dirty_quick {
	uint64_t limit;       /* bytes of the block while one client alone logs, otherwise 0 */
	const uint64_t *bits; /* that client's */
	uint64_t granule;     /* bytes; a power of two */
	unsigned shift;       /* its log2 */
	unsigned active;      /* bit n: client n logs */
};

/* What fm_dirty_mark() does when a look is not enough. Not for others. */
FM_API bool fm_dirty_mark_bits(struct fm_dirty *log, uint64_t off, uint64_t len);

/*
 * Mark [off, off + len) for every active client. Bytes outside the block are ignored. Relaxed loads
 * alone when nobody listens, and when one client does and has the bit already; nothing is stored where
 * nothing changes. Returns true if at least one bit was newly set. Any thread; never blocks. Inline
 * for compilers that optimize, and a function of the library for all others.
 */
FM_API inline bool fm_dirty_mark(struct fm_dirty *log, uint64_t off, uint64_t len)
{
	const struct fm_dirty_quick *q = (const struct fm_dirty_quick *)(const void *)log;
	const uint64_t *bits;
	uint64_t word;

	/* Of the compiler's: the loads stay behind the store that is to be marked. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* Inside of the block, of one granule whatever the length, and set. */
	if (off < __atomic_load_n(&q->limit, __ATOMIC_ACQUIRE) &&
	    len - 1 < q->granule - (off & (q->granule - 1))) {
		bits = __atomic_load_n(&q->bits, __ATOMIC_ACQUIRE);
		word = __atomic_load_n(&bits[off >> q->shift >> 6], __ATOMIC_RELAXED);
		if (word >> (off >> q->shift & 63) & 1)
			return false;
	}
	if (!__atomic_load_n(&q->active, __ATOMIC_RELAXED))
		return false;
	return fm_dirty_mark_bits(log, off, len);
}

/*
 * Move the bits of the granules that [off, off + len) touches into `bits` and clear them. Bit n
 * of bits[n / 64] stands for granule (off / granule) + n; unused bits are zero. `bits` has room
 * for fm_dirty_words(log, off, len) words. Returns how many bits were set, or FM_ERR_RANGE,
 * or FM_ERR_STATE when the client is not active. Marks need no barrier because a harvest that took
 * a bit makes one for all threads (membarrier, about a microsecond). Any thread.
 */
FM_API int64_t fm_dirty_harvest(struct fm_dirty *log, unsigned client, uint64_t off, uint64_t len,
				uint64_t *bits);

/* The words of a harvest of [off, off + len). */
FM_API size_t fm_dirty_words(const struct fm_dirty *log, uint64_t off, uint64_t len);

/*
 * Merge a bitmap made elsewhere (KVM's log, a vhost-user process) into every active client. Bit
 * n % 64 of bits[n / 64] stands for the page of `page` bytes at off + n * page; `nbits` bits are
 * read. `page` a power of two, larger or smaller than the granule; off a multiple of it: FM_ERR_ARG
 * otherwise. A page that begins outside the block: FM_ERR_RANGE, nothing merged; the last page may
 * end outside. Any thread.
 */
FM_API int fm_dirty_import(struct fm_dirty *log, uint64_t off, uint64_t page, const uint64_t *bits,
			   size_t nbits);

/* How many granules are dirty for a client; 0 when it is not active. */
FM_API uint64_t fm_dirty_count(const struct fm_dirty *log, unsigned client);

#ifdef __cplusplus
}
#endif

#endif
