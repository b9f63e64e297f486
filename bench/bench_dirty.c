/* SPDX-License-Identifier: BSD-2-Clause */
/* The dirty log of 4 GiB: a mark beside a look at the same bit, a harvest beside a copy of the bitmap. */
#include "bench/bench.h"

#include <firmem/block.h>
#include <firmem/dirty.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEN (UINT64_C(4) << 30) /* idle: none of it is ever touched */
#define PAGE_SHIFT 12
#define PAGES (LEN >> PAGE_SHIFT)
#define WORDS (PAGES / 64)
#define MARKS 4000000u
#define RUNS 21
#define TRACE 65536u /* stores that are made again and again */

/* A figure of something that failed would be a lie. */
static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_dirty: %s\n", err->msg);
		exit(2);
	}
}

struct log {
	struct fm_dirty *dirty;
	uint64_t *map;  /* a bitmap of the same size, for the references */
	uint64_t *bits; /* what a harvest or a copy goes to */
	uint64_t any;   /* so that what is read is needed */
	uint64_t step;  /* of set bits, for harvests; 0: none */
};

static struct log make(struct fm_block **block)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg),
				       .role = FM_ROLE_RAM,
				       .backing = FM_BACKING_MEMFD,
				       .len = LEN };
	struct fm_error err;
	struct log log = { .map = malloc(WORDS * 8), .bits = malloc(WORDS * 8) };

	must(fm_block_new(block, &cfg, &err), &err);
	if (!log.map || !log.bits) {
		fprintf(stderr, "bench_dirty: out of memory\n");
		exit(2);
	}
	memset(log.map, 0xff, WORDS * 8);
	memset(log.bits, 0, WORDS * 8);
	log.dirty = fm_block_dirty(*block);
	return log;
}

/* --- marks ------------------------------------------------------------------------------------- */

/* The same for all: where a guest stores, anywhere in its 4 GiB. */
static uint64_t trace[TRACE];

static void fill_trace(void)
{
	uint64_t x = 88172645463325252;

	for (unsigned i = 0; i < TRACE; i++) {
		/* xorshift64 */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		trace[i] = x & (LEN - 1) & ~UINT64_C(7);
	}
}

static void mark(void *ctx, uint64_t n)
{
	struct fm_dirty *dirty = ((struct log *)ctx)->dirty;

	for (uint64_t i = 0; i < n; i++)
		fm_dirty_mark(dirty, trace[i % TRACE], 8);
}

/* The least for anyone who wants to know whether the page's bit is set. */
static void look(void *ctx, uint64_t n)
{
	struct log *log = ctx;
	const uint64_t *map = log->map;
	uint64_t clean = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t page = trace[i % TRACE] >> PAGE_SHIFT;

		/* As a mark stays behind the store that it is for. */
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		if (!(__atomic_load_n(&map[page / 64], __ATOMIC_RELAXED) >> page % 64 & 1))
			clean++;
	}
	log->any |= clean;
}

/* Less than that: the word is loaded, and its bit is not asked for. */
static void load(void *ctx, uint64_t n)
{
	const uint64_t *map = ((struct log *)ctx)->map;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t word = __atomic_load_n(&map[trace[i % TRACE] >> PAGE_SHIFT >> 6],
						__ATOMIC_RELAXED);

		__asm__ volatile("" : : "r"(word));
	}
}

static void mark_all_pages(struct log *log)
{
	for (uint64_t i = 0; i < PAGES; i++)
		fm_dirty_mark(log->dirty, i << PAGE_SHIFT, 1);
}

static void marks(struct bench *b, struct log *log)
{
	struct bench_side reference = { "relaxed load of the page's bit", look, log, MARKS };
	struct bench_side marking = { "dirty mark, nobody listens", mark, log, MARKS };
	struct fm_error err;

	bench_compare(b, &marking, &reference, 1.5);
	must(fm_dirty_start(log->dirty, 0, &err), &err);
	mark_all_pages(log);
	marking.name = "dirty mark, already set";
	bench_compare(b, &marking, &reference, 1.5);
	bench_compare(b, &marking,
		      &(struct bench_side){ "load of its word, unused", load, log, MARKS }, 0);
	must(fm_dirty_start(log->dirty, 1, &err), &err);
	mark_all_pages(log);
	marking.name = "the same, two clients log";
	bench_compare(b, &marking, &reference, 0);
	fm_dirty_stop(log->dirty, 1);
}

/* --- harvests ---------------------------------------------------------------------------------- */

static void harvest(void *ctx, uint64_t n)
{
	struct log *log = ctx;

	for (uint64_t i = 0; i < n; i++)
		log->any |= (uint64_t)fm_dirty_harvest(log->dirty, 0, 0, LEN, log->bits);
}

static void copy(void *ctx, uint64_t n)
{
	struct log *log = ctx;

	for (uint64_t i = 0; i < n; i++) {
		memcpy(log->bits, log->map, WORDS * 8);
		__asm__ volatile("" : : "r"(log->bits) : "memory");
	}
}

/* What takes bits that others may be setting at the same moment: an exchange for each word. */
static void exchange_all(void *ctx, uint64_t n)
{
	struct log *log = ctx;

	for (uint64_t i = 0; i < n; i++) {
		for (uint64_t w = 0; w < WORDS; w++)
			log->bits[w] = __atomic_exchange_n(&log->map[w], 0, __ATOMIC_RELAXED);
	}
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The least time of `fn` when every page is dirty. */
static double time_all(struct log *log, bench_fn *fn)
{
	double best = 0;

	for (unsigned run = 0; run < RUNS; run++) {
		double start, took;

		fm_dirty_mark(log->dirty, 0, LEN);
		memset(log->map, 0xff, WORDS * 8);
		start = now_ns();
		fn(log, 1);
		took = now_ns() - start;
		best = run && best < took ? best : took;
	}
	return best;
}

static void harvests(struct bench *b, struct log *log)
{
	const struct bench_side copying = { "memcpy of its bitmap", copy, log, 200 };
	double all;

	harvest(log, 1);
	bench_compare(b,
		      &(struct bench_side){ "harvest of 4 GiB, nothing dirty", harvest, log, 200 },
		      &copying, 3);
	all = time_all(log, harvest);
	bench_ratio(b, "harvest of 4 GiB, all dirty", all, copying.name, time_all(log, copy), "ns",
		    0);
	/* A harvest also counts the bits: 1.2 alone, up to 1.7 where the cores are shared. */
	bench_ratio(b, "the same", all, "an exchange for each word", time_all(log, exchange_all),
		    "ns", 2);
}

int main(int argc, char **argv)
{
	struct fm_block *block;
	struct bench b;
	struct log log;

	bench_init(&b, argc, argv);
	fill_trace();
	log = make(&block);
	marks(&b, &log);
	harvests(&b, &log);
	fm_block_free(block);
	free(log.map);
	free(log.bits);
	return bench_end(&b);
}
