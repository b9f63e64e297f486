/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench: figures. A time alone says something about a machine; so each figure is the ratio of two
 * medians that are measured in turns in one run.
 */
#ifndef FIRMEM_BENCH_BENCH_H
#define FIRMEM_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* Do `n` operations. */
typedef void bench_fn(void *ctx, uint64_t n);

struct bench_side {
	const char *name; /* what is timed */
	bench_fn *fn;
	void *ctx;
	uint64_t n; /* operations of one run */
};

struct bench {
	bool json; /* an object a line instead of text */
	bool over; /* a figure was over its bound */
};

/* Takes --json; anything else is an error message and exit 2. */
void bench_init(struct bench *b, int argc, char **argv);

/*
 * Time both sides in turns, and print value, reference, ratio and whether that is at most `bound`
 * (0 = no bound).
 */
void bench_compare(struct bench *b, const struct bench_side *value,
		   const struct bench_side *reference, double bound);

/* The same of two amounts that were had otherwise, in `unit` ("ns", "B"). */
void bench_ratio(struct bench *b, const char *name, double value, const char *reference_name,
		 double reference, const char *unit, double bound);

/* The exit status: 1 when a figure was over its bound. */
int bench_end(const struct bench *b);

#endif
