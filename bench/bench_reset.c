/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory-overwrite resets: what was touched costs, not what was sized. */
#include "bench/bench.h"

#include <firmem/reset.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define IDLE_LEN (UINT64_C(4) << 30)
#define FULL_LEN (UINT64_C(1) << 30)
#define PAGE 4096u
#define RUNS 3 /* of what takes seconds */

/* A figure of something that failed would be a lie. */
static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_reset: %s\n", err->msg);
		exit(2);
	}
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Bytes of this process that are in memory. */
static double resident(void)
{
	unsigned long long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2) {
		fprintf(stderr, "bench_reset: /proc/self/statm cannot be read\n");
		exit(2);
	}
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* --- one block in a machine ---------------------------------------------------------------------- */

struct ram {
	struct fm_machine *machine;
	uint8_t *host;
	uint64_t len;
	struct fm_reset_options options;
	uint64_t sum; /* so that a read pass is needed */
};

static int quiesce(void *ctx, struct fm_error *err)
{
	return 0;
}

static struct ram make(enum fm_backing backing, uint64_t len)
{
	struct fm_block_config cfg = {
		.struct_size = sizeof(cfg), .name = "ram", .role = FM_ROLE_RAM, .backing = backing
	};
	struct ram ram = { .len = len };
	struct fm_block *block;
	struct fm_error err;

	cfg.len = len;
	must(fm_machine_new(&ram.machine, "bench", &err), &err);
	must(fm_block_new(&block, &cfg, &err), &err);
	must(fm_machine_add_block(ram.machine, block, &err), &err);
	ram.host = fm_block_ptr(block);
	ram.options.struct_size = sizeof(ram.options);
	ram.options.quiesce = quiesce;
	return ram;
}

static void overwrite(void *ctx, uint64_t n)
{
	struct ram *ram = ctx;
	const struct fm_reset_request r = { .struct_size = sizeof(r),
					    .kind = FM_RESET_SYSTEM,
					    .memory_overwrite = true };

	for (uint64_t i = 0; i < n; i++) {
		struct fm_reset_plan *plan;
		struct fm_error err;

		must(fm_reset_plan(&plan, ram->machine, &r, &err), &err);
		must(fm_reset_apply(ram->machine, plan, &ram->options, NULL, &err), &err);
		fm_reset_plan_free(plan);
	}
}

static void set_all(void *ctx, uint64_t n)
{
	struct ram *ram = ctx;

	for (uint64_t i = 0; i < n; i++) {
		memset(ram->host, 0, ram->len);
		/* Not to be left out. */
		__asm__ volatile("" : : "r"(ram->host) : "memory");
	}
}

static void read_all(struct ram *ram)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < ram->len; i += 8) {
		uint64_t word;

		memcpy(&word, ram->host + i, 8);
		sum |= word;
	}
	ram->sum |= sum;
}

static void set_and_read_all(void *ctx, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		set_all(ctx, 1);
		read_all(ctx);
	}
}

/* One page in ten, spread out. */
static void touch_tenth(struct ram *ram)
{
	for (uint64_t off = 0; off < ram->len; off += 10 * PAGE)
		ram->host[off + 7] = 0xa5;
}

/* --- figures ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median time of `fn` on blocks that are new each time, a tenth touched or idle. */
static double time_fresh(enum fm_backing backing, bench_fn *fn, bool touched, bool verify)
{
	double times[RUNS];

	for (unsigned i = 0; i < RUNS; i++) {
		struct ram ram = make(backing, IDLE_LEN);
		double start;

		ram.options.verify = verify;
		if (touched)
			touch_tenth(&ram);
		start = now_ns();
		fn(&ram, 1);
		times[i] = now_ns() - start;
		fm_machine_free(ram.machine);
	}
	qsort(times, RUNS, sizeof(times[0]), by_value);
	return times[RUNS / 2];
}

static void sparse(struct bench *b, enum fm_backing backing)
{
	const char *kind = fm_backing_name(backing);
	double idle = time_fresh(backing, set_all, false, false);
	double tenth = time_fresh(backing, set_all, true, false);
	char name[64];
	char reference[64];

	snprintf(reference, sizeof(reference), "memset, 4 GiB %s", kind);
	snprintf(name, sizeof(name), "overwrite reset, 4 GiB %s idle", kind);
	bench_ratio(b, name, time_fresh(backing, overwrite, false, false), reference, idle, "ns",
		    0.001);
	snprintf(name, sizeof(name), "the same, verified (%s)", kind);
	bench_ratio(b, name, time_fresh(backing, overwrite, false, true), reference, idle, "ns",
		    0.01);
	snprintf(name, sizeof(name), "the same, 10 %% touched (%s)", kind);
	bench_ratio(b, name, time_fresh(backing, overwrite, true, false), reference, tenth, "ns",
		    0.05);
}

/* What a reset of an idle block leaves in memory, its page tables not counted. */
static void growth(struct bench *b, enum fm_backing backing)
{
	struct ram ram = make(backing, IDLE_LEN);
	double before = resident();
	double after;
	char name[64];

	overwrite(&ram, 1);
	after = resident();
	snprintf(name, sizeof(name), "growth of RSS by it (%s)", fm_backing_name(backing));
	bench_ratio(b, name, after > before ? after - before : 0, "4 GiB", (double)IDLE_LEN, "B",
		    0.0005);
	fm_machine_free(ram.machine);
}

static void full(struct bench *b, enum fm_backing backing)
{
	struct ram ram = make(backing, FULL_LEN);
	char name[64];

	memset(ram.host, 0xa5, ram.len);
	snprintf(name, sizeof(name), "overwrite reset, all of 1 GiB (%s)",
		 fm_backing_name(backing));
	bench_compare(b, &(struct bench_side){ name, overwrite, &ram, 1 },
		      &(struct bench_side){ "memset", set_all, &ram, 1 }, 1.2);
	ram.options.verify = true;
	snprintf(name, sizeof(name), "the same, verified, all (%s)", fm_backing_name(backing));
	bench_compare(
		b, &(struct bench_side){ name, overwrite, &ram, 1 },
		&(struct bench_side){ "memset, and one read pass", set_and_read_all, &ram, 1 },
		1.2);
	if (ram.sum)
		exit(2);
	fm_machine_free(ram.machine);
}

int main(int argc, char **argv)
{
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };
	struct bench b;

	bench_init(&b, argc, argv);
	for (unsigned i = 0; i < 2; i++) {
		growth(&b, kinds[i]);
		sparse(&b, kinds[i]);
		full(&b, kinds[i]);
	}
	return bench_end(&b);
}
