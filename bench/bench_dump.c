/* SPDX-License-Identifier: BSD-2-Clause */
/* Dumps to tmpfs: all of a guest's memory beside write(2) of it, and a guest that did nothing. */
#include "bench/bench.h"

#include <firmem/dump.h>
#include <firmem/ram.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DENSE_LEN (UINT64_C(256) << 20)
#define IDLE_LEN (UINT64_C(4) << 30)
#define WRITE_LEN (UINT64_C(1) << 20) /* of one write(2): as cp(1) and its like have it, or more */
#define RUNS 7
#define FOLDER "/dev/shm" /* tmpfs on Linux */

struct guest {
	struct fm_machine *machine;
	struct fm_space *space;
	uint8_t *host;
	uint64_t len;
	char path[64];
};

/* A figure of something that failed would be a lie. */
static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_dump: %s\n", err->msg);
		exit(2);
	}
}

static void must_host(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(2);
	}
}

static struct guest make(enum fm_backing backing, uint64_t len)
{
	struct fm_block_config mem = {
		.struct_size = sizeof(mem), .name = "ram", .role = FM_ROLE_RAM, .backing = backing
	};
	struct fm_space_config space = { .struct_size = sizeof(space), .name = "memory" };
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_window_config win = { .struct_size = sizeof(win), .gpa = 0x40000000 };
	struct guest g = { .len = len };
	struct fm_error err;

	mem.len = len;
	must(fm_machine_new(&g.machine, "bench", &err), &err);
	must(fm_space_new(&g.space, &space, &err), &err);
	must(fm_machine_add_space(g.machine, g.space, &err), &err);
	must(fm_block_new(&ram.block, &mem, &err), &err);
	must(fm_machine_add_block(g.machine, ram.block, &err), &err);
	must(fm_ram_new(&win.dev, &ram, &err), &err);
	must(fm_machine_add_dev(g.machine, win.dev, &err), &err);
	must(fm_space_add(g.space, &win, NULL, &err), &err);
	g.host = fm_block_ptr(ram.block);
	snprintf(g.path, sizeof(g.path), FOLDER "/bench_dump.%ld", (long)getpid());
	return g;
}

/* --- one operation: a new file with all of it ----------------------------------------------- */

static void dump(struct guest *g)
{
	struct fm_dump_config c = { .struct_size = sizeof(c),
				    .machine = g->machine,
				    .space = g->space,
				    .roles = FM_DUMP_VOLATILE,
				    .elf_machine = 183,
				    .path = g->path };
	struct fm_error err;

	must(fm_dump_write(&c, NULL, &err), &err);
}

static void write_plainly(struct guest *g)
{
	int fd = open(g->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	must_host(fd >= 0, g->path);
	for (uint64_t off = 0; off < g->len; off += WRITE_LEN)
		must_host(write(fd, g->host + off, WRITE_LEN) == (ssize_t)WRITE_LEN, g->path);
	close(fd);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The file's end is not timed. */
static double time_one(struct guest *g, void (*fn)(struct guest *g))
{
	double start = now_ns();
	double took;

	fn(g);
	took = now_ns() - start;
	must_host(!unlink(g->path), g->path);
	return took;
}

/* --- figures ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double times[RUNS])
{
	qsort(times, RUNS, sizeof(times[0]), by_value);
	return times[RUNS / 2];
}

/* Bytes of this process that are in memory. */
static double resident(void)
{
	unsigned long long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	must_host(f && fscanf(f, "%llu %llu", &size, &pages) == 2, "/proc/self/statm");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void dense_and_idle(struct bench *b, enum fm_backing backing)
{
	const char *kind = fm_backing_name(backing);
	struct guest full = make(backing, DENSE_LEN);
	struct guest idle = make(backing, IDLE_LEN);
	double before, after;
	double dumping[RUNS], writing[RUNS], nothing[RUNS];
	char name[64];

	/* No page of zeros, nor of one byte. */
	for (uint64_t i = 0; i < full.len; i++)
		full.host[i] = (uint8_t)(i * 7 + 1);
	before = resident();
	for (unsigned i = 0; i < RUNS; i++) {
		dumping[i] = time_one(&full, dump);
		writing[i] = time_one(&full, write_plainly);
		nothing[i] = time_one(&idle, dump);
	}
	after = resident();
	/* At least 0.7 of the speed. */
	snprintf(name, sizeof(name), "dump of 256 MiB to tmpfs (%s)", kind);
	bench_ratio(b, name, median(dumping), "write(2) of the same", median(writing), "ns",
		    1 / 0.7);
	snprintf(name, sizeof(name), "dump of 4 GiB idle (%s)", kind);
	bench_ratio(b, name, median(nothing), "write(2) of 256 MiB", median(writing), "ns", 0.05);
	snprintf(name, sizeof(name), "growth of RSS by it (%s)", kind);
	bench_ratio(b, name, after > before ? after - before : 0, "4 GiB", (double)IDLE_LEN, "B",
		    0.0005);
	fm_machine_free(full.machine);
	fm_machine_free(idle.machine);
}

int main(int argc, char **argv)
{
	struct bench b;

	bench_init(&b, argc, argv);
	dense_and_idle(&b, FM_BACKING_ANON);
	dense_and_idle(&b, FM_BACKING_MEMFD);
	return bench_end(&b);
}
