/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/dirty.h"

#include "devices/bytes.h"
#include "devices/fence.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
/* TSan draws no conclusions from a fence; nothing here needs it to: every access is atomic. */
#pragma GCC diagnostic ignored "-Wtsan"
#endif

struct fm_dirty {
	uint64_t len;
	uint64_t granules;
	unsigned shift;     /* log2 of the granule */
	size_t words;       /* of one client's bitmap */
	atomic_uint active; /* bit n: client n */
	/* Made at a client's first start and kept, so that a late marker never meets a freed one. */
	_Atomic(atomic_uint_least64_t *) maps[FM_DIRTY_CLIENTS];
	pthread_mutex_t lock; /* start and stop */
};

/* Bits [first, first + n) of a word; n from 1 to 64, first + n at most 64. */
static uint64_t bit_mask(unsigned first, unsigned n)
{
	return UINT64_MAX >> (64 - n) << first;
}

/*
 * Between a store to guest memory and the load of its bit, and between the clearing of a bit and
 * the load of what it stands for. Without it the marker may see a bit that is just being
 * harvested while its store is still on the way, and neither this harvest nor the next has it.
 */
static void full_barrier(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

struct fm_dirty *fmi_dirty_new(uint64_t len, uint64_t granule)
{
	struct fm_dirty *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->len = len;
	log->shift = (unsigned)__builtin_ctzll(granule);
	log->granules = (len >> log->shift) + !fmi_is_aligned(len, granule);
	log->words = (size_t)((log->granules + 63) / 64);
	atomic_init(&log->active, 0);
	for (unsigned i = 0; i < FM_DIRTY_CLIENTS; i++)
		atomic_init(&log->maps[i], NULL);
	if (pthread_mutex_init(&log->lock, NULL)) {
		free(log);
		return NULL;
	}
	return log;
}

void fmi_dirty_free(struct fm_dirty *log)
{
	if (!log)
		return;
	for (unsigned i = 0; i < FM_DIRTY_CLIENTS; i++)
		free(atomic_load_explicit(&log->maps[i], memory_order_relaxed));
	pthread_mutex_destroy(&log->lock);
	free(log);
}

/* A clean bitmap of the client; false when there is no memory for it. The lock is held. */
static bool clean_map(struct fm_dirty *log, unsigned client)
{
	atomic_uint_least64_t *map = atomic_load_explicit(&log->maps[client], memory_order_relaxed);

	if (!map) {
		map = calloc(log->words ? log->words : 1, sizeof(*map));
		atomic_store_explicit(&log->maps[client], map, memory_order_release);
		return map;
	}
	for (size_t i = 0; i < log->words; i++)
		atomic_store_explicit(&map[i], 0, memory_order_relaxed);
	return true;
}

int fm_dirty_start(struct fm_dirty *log, unsigned client, struct fm_error *err)
{
	bool ok = true;

	if (client >= FM_DIRTY_CLIENTS)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "dirty log: client %u, expected less than %u", client,
				    FM_DIRTY_CLIENTS);
	pthread_mutex_lock(&log->lock);
	if (!fm_dirty_active(log, client)) {
		ok = clean_map(log, client);
		if (ok) {
			atomic_fetch_or_explicit(&log->active, 1u << client, memory_order_release);
			fmi_fence_others();
		}
	}
	pthread_mutex_unlock(&log->lock);
	if (!ok)
		return fm_error_set(err, FM_ERR_NOMEM, ENOMEM,
				    "dirty log: no memory for a bitmap of %zu bytes",
				    log->words * sizeof(uint64_t));
	return 0;
}

void fm_dirty_stop(struct fm_dirty *log, unsigned client)
{
	if (client >= FM_DIRTY_CLIENTS)
		return;
	pthread_mutex_lock(&log->lock);
	atomic_fetch_and_explicit(&log->active, ~(1u << client), memory_order_relaxed);
	pthread_mutex_unlock(&log->lock);
}

bool fm_dirty_active(const struct fm_dirty *log, unsigned client)
{
	return client < FM_DIRTY_CLIENTS &&
	       (atomic_load_explicit(&log->active, memory_order_acquire) >> client & 1);
}

/* Set the bits of a range of granules; true if one was clear. */
static bool set_bits(atomic_uint_least64_t *map, uint64_t first, uint64_t last)
{
	bool fresh = false;

	for (uint64_t g = first; g <= last;) {
		unsigned bit = (unsigned)(g % 64);
		unsigned n = (unsigned)fmi_min_u64(64 - bit, last - g + 1);
		uint64_t mask = bit_mask(bit, n);
		atomic_uint_least64_t *word = &map[g / 64];

		if ((atomic_load_explicit(word, memory_order_relaxed) & mask) != mask) {
			uint64_t old = atomic_fetch_or_explicit(word, mask, memory_order_release);

			fresh |= (old & mask) != mask;
		}
		g += n;
	}
	return fresh;
}

bool fm_dirty_mark(struct fm_dirty *log, uint64_t off, uint64_t len)
{
	unsigned active;
	bool fresh = false;
	uint64_t first, last;

	/* Of the compiler's: the load stays behind the store that is to be marked. */
	atomic_signal_fence(memory_order_seq_cst);
	active = atomic_load_explicit(&log->active, memory_order_relaxed);
	if (!active || !len || off >= log->len)
		return false;
	full_barrier();
	/* Again, now with the bitmaps that belong to it. */
	active = atomic_load_explicit(&log->active, memory_order_acquire);
	first = off >> log->shift;
	last = (off + fmi_min_u64(len, log->len - off) - 1) >> log->shift;
	for (; active; active &= active - 1) {
		unsigned client = (unsigned)__builtin_ctz(active);

		fresh |= set_bits(atomic_load_explicit(&log->maps[client], memory_order_relaxed),
				  first, last);
	}
	return fresh;
}

/* Take the bits of one word that `mask` names. */
static uint64_t take_word(atomic_uint_least64_t *word, uint64_t mask)
{
	uint64_t bits = atomic_load_explicit(word, memory_order_relaxed) & mask;

	if (!bits)
		return 0;
	if (mask == UINT64_MAX)
		return atomic_exchange_explicit(word, 0, memory_order_acq_rel);
	return atomic_fetch_and_explicit(word, ~mask, memory_order_acq_rel) & mask;
}

/* Take the bits of granules [first, first + n), n from 1 to 64, as the low bits of a word. */
static uint64_t take_bits(atomic_uint_least64_t *map, uint64_t first, unsigned n)
{
	unsigned bit = (unsigned)(first % 64);
	unsigned low = n < 64 - bit ? n : 64 - bit;
	uint64_t out = take_word(&map[first / 64], bit_mask(bit, low)) >> bit;

	if (n > low)
		out |= take_word(&map[first / 64 + 1], bit_mask(0, n - low)) << low;
	return out;
}

/* How many granules [off, off + len) touches; the range is inside the block. */
static uint64_t touched(const struct fm_dirty *log, uint64_t off, uint64_t len)
{
	return len ? ((off + len - 1) >> log->shift) - (off >> log->shift) + 1 : 0;
}

int64_t fm_dirty_harvest(struct fm_dirty *log, unsigned client, uint64_t off, uint64_t len,
			 uint64_t *bits)
{
	uint64_t first = off >> log->shift;
	uint64_t left;
	atomic_uint_least64_t *map;
	int64_t count = 0;

	if (!fmi_in_range(off, len, log->len))
		return FM_ERR_RANGE;
	if (!fm_dirty_active(log, client))
		return FM_ERR_STATE;
	map = atomic_load_explicit(&log->maps[client], memory_order_relaxed);
	left = touched(log, off, len);
	for (size_t i = 0; left; i++) {
		unsigned n = (unsigned)fmi_min_u64(left, 64);

		bits[i] = take_bits(map, first, n);
		count += __builtin_popcountll(bits[i]);
		first += n;
		left -= n;
	}
	full_barrier();
	return count;
}

size_t fm_dirty_words(const struct fm_dirty *log, uint64_t off, uint64_t len)
{
	if (!fmi_in_range(off, len, log->len))
		return 0;
	return (size_t)((touched(log, off, len) + 63) / 64);
}

/* The next bit of value `set` at or after `at`, or nbits. */
static uint64_t next_bit(const uint64_t *bits, uint64_t nbits, uint64_t at, bool set)
{
	while (at < nbits) {
		uint64_t word = (set ? bits[at / 64] : ~bits[at / 64]) >> (at % 64);

		if (word)
			return fmi_min_u64(at + (unsigned)__builtin_ctzll(word), nbits);
		at += 64 - at % 64;
	}
	return nbits;
}

int fm_dirty_import(struct fm_dirty *log, uint64_t off, uint64_t page, const uint64_t *bits,
		    size_t nbits)
{
	uint64_t start, end;

	if (!fmi_is_pow2(page) || !fmi_is_aligned(off, page) || (nbits && !bits))
		return FM_ERR_ARG;
	if (!nbits)
		return off <= log->len ? 0 : FM_ERR_RANGE;
	/* The last page may reach over the end of a block whose length is no multiple of it. */
	if (off >= log->len || nbits - 1 > (log->len - 1 - off) / page)
		return FM_ERR_RANGE;
	for (start = next_bit(bits, nbits, 0, true); start < nbits;
	     start = next_bit(bits, nbits, end, true)) {
		end = next_bit(bits, nbits, start, false);
		/* Less than the block and one page, each below 2^63. */
		fm_dirty_mark(log, off + start * page, (end - start) * page);
	}
	return 0;
}

uint64_t fm_dirty_count(const struct fm_dirty *log, unsigned client)
{
	const atomic_uint_least64_t *map;
	uint64_t count = 0;

	if (!fm_dirty_active(log, client))
		return 0;
	map = atomic_load_explicit(&log->maps[client], memory_order_relaxed);
	for (size_t i = 0; i < log->words; i++)
		count += (unsigned)__builtin_popcountll(
			atomic_load_explicit(&map[i], memory_order_relaxed));
	return count;
}
