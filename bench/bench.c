/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 11

void bench_init(struct bench *b, int argc, char **argv)
{
	*b = (struct bench){ .json = argc == 2 && !strcmp(argv[1], "--json") };
	if (argc > 1 && !b->json) {
		fprintf(stderr, "%s: %s: unknown, expected --json\n", argv[0], argv[1]);
		exit(2);
	}
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_ns(const struct bench_side *side)
{
	double start = now_ns();

	side->fn(side->ctx, side->n);
	return (now_ns() - start) / (double)side->n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

void bench_ratio(struct bench *b, const char *name, double value, const char *reference_name,
		 double reference, const char *unit, double bound)
{
	double ratio = value / reference;
	const char *verdict = bound <= 0 ? "-" : ratio <= bound ? "ok" : "over";

	b->over |= bound > 0 && ratio > bound;
	if (b->json)
		printf("{\"name\": \"%s\", \"value\": %.1f, \"reference\": \"%s\", "
		       "\"reference_value\": %.1f, \"unit\": \"%s\", \"ratio\": %.6f, "
		       "\"bound\": %.3f, \"verdict\": \"%s\"}\n",
		       name, value, reference_name, reference, unit, ratio, bound, verdict);
	else
		printf("%-46s %12.1f %-2s  %-34s %12.1f %-2s  ratio %7.3f  bound %6.3f  %s\n", name,
		       value, unit, reference_name, reference, unit, ratio, bound, verdict);
	fflush(stdout);
}

void bench_compare(struct bench *b, const struct bench_side *value,
		   const struct bench_side *reference, double bound)
{
	double v[RUNS];
	double r[RUNS];

	/* Warm up, then in turns, so that what disturbs the machine disturbs both. */
	time_ns(value);
	time_ns(reference);
	for (int i = 0; i < RUNS; i++) {
		v[i] = time_ns(value);
		r[i] = time_ns(reference);
	}
	qsort(v, RUNS, sizeof(v[0]), by_value);
	qsort(r, RUNS, sizeof(r[0]), by_value);
	bench_ratio(b, value->name, v[RUNS / 2], reference->name, r[RUNS / 2], "ns", bound);
}

int bench_end(const struct bench *b)
{
	return b->over;
}
