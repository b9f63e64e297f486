/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/dirty.h"

#include "devices/bytes.h"
#include "devices/fence.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
/* TSan draws no conclusions from a fence; nothing here needs it to: every access is atomic. */
#pragma GCC diagnostic ignored "-Wtsan"
#endif

struct fm_dirty {
	struct fm_dirty_quick quick;
	uint64_t len;
	uint64_t granules;
	size_t words; /* of one client's bitmap */
	bool cheap;   /* harvests make the barrier that marks need; otherwise marks do */
	/* Made at a client's first start and kept, so that a late marker never meets a freed one. */
	uint64_t *maps[FM_DIRTY_CLIENTS];
	pthread_mutex_t lock; /* start and stop */
};

static unsigned load_active(const struct fm_dirty *log, int order)
{
	return __atomic_load_n(&log->quick.active, order);
}

static uint64_t *load_map(const struct fm_dirty *log, unsigned client)
{
	return __atomic_load_n(&log->maps[client], __ATOMIC_ACQUIRE);
}

static uint64_t load_word(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Bits [first, first + n) of a word; n from 1 to 64, first + n at most 64. */
static uint64_t bit_mask(unsigned first, unsigned n)
{
	return UINT64_MAX >> (64 - n) << first;
}

/*
 * Between a store to guest memory and the load of its bit, and between the clearing of a bit and
 * the load of what it stands for. Without it the marker may see a bit that is just being
 * harvested while its store is still on the way, and neither this harvest nor the next has it.
 * Marks are many and harvests few: so a harvest makes the barrier for both, where it can.
 */
static void full_barrier(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

static void barrier_of_mark(const struct fm_dirty *log)
{
	if (!log->cheap)
		full_barrier();
}

static void barrier_of_harvest(const struct fm_dirty *log)
{
	if (log->cheap)
		fmi_fence_others();
	else
		full_barrier();
}

/* In any translation unit that does not inline it. */
extern inline bool fm_dirty_mark(struct fm_dirty *log, uint64_t off, uint64_t len);

struct fm_dirty *fmi_dirty_new(uint64_t len, uint64_t granule)
{
	struct fm_dirty *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->len = len;
	log->quick.granule = granule;
	log->quick.shift = (unsigned)__builtin_ctzll(granule);
	log->granules = (len >> log->quick.shift) + !fmi_is_aligned(len, granule);
	log->words = (size_t)((log->granules + 63) / 64);
	log->cheap = fmi_fence_is_cheap();
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
		free(log->maps[i]);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

/* A clean bitmap of the client; false when there is no memory for it. The lock is held. */
static bool clean_map(struct fm_dirty *log, unsigned client)
{
	uint64_t *map = load_map(log, client);

	if (!map) {
		map = calloc(log->words ? log->words : 1, sizeof(*map));
		__atomic_store_n(&log->maps[client], map, __ATOMIC_RELEASE);
		return map;
	}
	for (size_t i = 0; i < log->words; i++)
		__atomic_store_n(&map[i], 0, __ATOMIC_RELAXED);
	return true;
}

/*
 * Who logs from here on. A bitmap alone is enough to look at for a marker only while it is the
 * only one, and while harvests make the marker's barrier. A marker that has an old answer, or a
 * mixture of both, is before the fence of start, or behind it. The lock is held.
 */
static void set_active(struct fm_dirty *log, unsigned active)
{
	struct fm_dirty_quick *q = &log->quick;
	bool one = active && !(active & (active - 1)) && log->cheap;

	__atomic_store_n(&q->limit, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&q->active, active, __ATOMIC_RELEASE);
	if (one) {
		__atomic_store_n(&q->bits, load_map(log, (unsigned)__builtin_ctz(active)),
				 __ATOMIC_RELEASE);
		__atomic_store_n(&q->limit, log->len, __ATOMIC_RELEASE);
	}
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
			set_active(log, load_active(log, __ATOMIC_RELAXED) | 1u << client);
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
	set_active(log, load_active(log, __ATOMIC_RELAXED) & ~(1u << client));
	pthread_mutex_unlock(&log->lock);
}

bool fm_dirty_active(const struct fm_dirty *log, unsigned client)
{
	return client < FM_DIRTY_CLIENTS && (load_active(log, __ATOMIC_ACQUIRE) >> client & 1);
}

/* Set the bits of a range of granules; true if one was clear. */
static bool set_bits(uint64_t *map, uint64_t first, uint64_t last)
{
	bool fresh = false;

	for (uint64_t g = first; g <= last;) {
		unsigned bit = (unsigned)(g % 64);
		unsigned n = (unsigned)fmi_min_u64(64 - bit, last - g + 1);
		uint64_t mask = bit_mask(bit, n);
		uint64_t *word = &map[g / 64];

		if ((load_word(word) & mask) != mask) {
			uint64_t old = mask == UINT64_MAX
					       ? __atomic_exchange_n(word, mask, __ATOMIC_RELEASE)
					       : __atomic_fetch_or(word, mask, __ATOMIC_RELEASE);

			fresh |= (old & mask) != mask;
		}
		g += n;
	}
	return fresh;
}

bool fm_dirty_mark_bits(struct fm_dirty *log, uint64_t off, uint64_t len)
{
	unsigned active;
	bool fresh = false;
	uint64_t first, last;

	/* The compiler's: the loads stay behind the store that is to be marked. */
	atomic_signal_fence(memory_order_seq_cst);
	if (!load_active(log, __ATOMIC_RELAXED) || !len || off >= log->len)
		return false;
	barrier_of_mark(log);
	/* Again, now with the bitmaps that belong to it. */
	active = load_active(log, __ATOMIC_ACQUIRE);
	first = off >> log->quick.shift;
	last = (off + fmi_min_u64(len, log->len - off) - 1) >> log->quick.shift;
	for (; active; active &= active - 1)
		fresh |= set_bits(load_map(log, (unsigned)__builtin_ctz(active)), first, last);
	return fresh;
}

/* Take the bits of one word that `mask` names. */
static uint64_t take_word(uint64_t *word, uint64_t mask)
{
	uint64_t bits = load_word(word) & mask;

	if (!bits)
		return 0;
	return __atomic_fetch_and(word, ~mask, __ATOMIC_ACQ_REL) & mask;
}

/* Take the bits of granules [first, first + n), n from 1 to 64, as the low bits of a word. */
static uint64_t take_bits(uint64_t *map, uint64_t first, unsigned n)
{
	unsigned bit = (unsigned)(first % 64);
	unsigned low = n < 64 - bit ? n : 64 - bit;
	uint64_t out = take_word(&map[first / 64], bit_mask(bit, low)) >> bit;

	if (n > low)
		out |= take_word(&map[first / 64 + 1], bit_mask(0, n - low)) << low;
	return out;
}

/* Processors that have an instruction for it are not all: this needs no call. */
static unsigned bits_in(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

#define AT_ONCE 8 /* words: most of the time none of them is set */

static uint64_t any_of(const uint64_t *w)
{
	return load_word(w) | load_word(w + 1) | load_word(w + 2) | load_word(w + 3) |
	       load_word(w + 4) | load_word(w + 5) | load_word(w + 6) | load_word(w + 7);
}

/* Take a few whole words; returns how many bits were set. */
static int64_t take_few(uint64_t *map, size_t words, uint64_t *bits)
{
	int64_t count = 0;

	for (size_t i = 0; i < words; i++)
		bits[i] = load_word(&map[i]);
	for (size_t i = 0; i < words; i++) {
		if (bits[i])
			bits[i] = __atomic_exchange_n(&map[i], 0, __ATOMIC_ACQ_REL);
	}
	for (size_t i = 0; i < words; i++)
		count += bits_in(bits[i]);
	return count;
}

/* Take whole words; returns how many bits were set. */
static int64_t take_words(uint64_t *map, size_t words, uint64_t *bits)
{
	int64_t count = 0;

	memset(bits, 0, words * sizeof(*bits));
	for (size_t i = 0; i < words; i += AT_ONCE) {
		size_t n = words - i < AT_ONCE ? words - i : AT_ONCE;

		if (n < AT_ONCE || any_of(&map[i]))
			count += take_few(&map[i], n, &bits[i]);
	}
	return count;
}

/* Take granules [first, first + n). */
static int64_t take(uint64_t *map, uint64_t first, uint64_t n, uint64_t *bits)
{
	size_t i = 0;
	int64_t count = 0;

	if (first % 64 == 0) {
		i = (size_t)(n / 64);
		count = take_words(map + first / 64, i, bits);
	}
	for (uint64_t at = 64 * i; at < n; at += 64) {
		bits[i] = take_bits(map, first + at, (unsigned)fmi_min_u64(n - at, 64));
		count += bits_in(bits[i++]);
	}
	return count;
}

/* How many granules [off, off + len) touches; the range is inside the block. */
static uint64_t touched(const struct fm_dirty *log, uint64_t off, uint64_t len)
{
	return len ? ((off + len - 1) >> log->quick.shift) - (off >> log->quick.shift) + 1 : 0;
}

int64_t fm_dirty_harvest(struct fm_dirty *log, unsigned client, uint64_t off, uint64_t len,
			 uint64_t *bits)
{
	int64_t count;

	if (!fmi_in_range(off, len, log->len))
		return FM_ERR_RANGE;
	if (!fm_dirty_active(log, client))
		return FM_ERR_STATE;
	count = take(load_map(log, client), off >> log->quick.shift, touched(log, off, len), bits);
	/* Where no bit was taken no marker can have been misled. */
	if (count)
		barrier_of_harvest(log);
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
	const uint64_t *map;
	uint64_t count = 0;

	if (!fm_dirty_active(log, client))
		return 0;
	map = load_map(log, client);
	for (size_t i = 0; i < log->words; i++)
		count += bits_in(load_word(&map[i]));
	return count;
}
