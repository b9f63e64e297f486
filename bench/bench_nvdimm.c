/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes by range beside a sync of the whole file, and flushes at once beside one by one. The file is in the
 * current folder, which should be on a disk.
 */
#include "bench/bench.h"

#include <firmem/block.h>
#include <firmem/nvdimm.h>
#include <firmem/nvdimm_image.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define SIZE (512 * MIB)
#define DIRTY (256 * MIB)
#define PAGE 4096u
#define RUNS 9
#define MANY 31 /* where both sides do the same work, and noise is all the difference */

static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_nvdimm: %s\n", err->msg);
		exit(2);
	}
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- flushes ------------------------------------------------------------------------------------- */

struct disk {
	char path[64];
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *ptr;
	int fd;
};

static void disk_open(struct disk *d, uint64_t size, const struct fm_io *io)
{
	struct fm_nvdimm_image_config image = { sizeof(image), .path = d->path, .pmem_len = size };
	struct fm_block_config mem = { sizeof(mem),
				       .name = "nv",
				       .role = FM_ROLE_NVDIMM,
				       .backing = FM_BACKING_FILE,
				       .flags = FM_BLOCK_SHARED,
				       .path = d->path,
				       .io = io };
	struct fm_nvdimm_config cfg = { sizeof(cfg) };
	struct fm_error err;

	snprintf(d->path, sizeof(d->path), "bench-nvdimm-%d.img", (int)getpid());
	must(fm_nvdimm_image_create(&image, &err), &err);
	must(fm_block_new(&d->block, &mem, &err), &err);
	cfg.block = d->block;
	must(fm_nvdimm_new(&d->dev, &cfg, &err), &err);
	d->ptr = fm_block_ptr(d->block);
	d->fd = open(d->path, O_RDWR | O_CLOEXEC);
	if (d->fd < 0)
		exit(2);
}

static void disk_close(struct disk *d)
{
	close(d->fd);
	fm_dev_free(d->dev);
	fm_block_free(d->block);
	unlink(d->path);
}

/* A store to each page. */
static void dirty(struct disk *d, uint64_t from, uint64_t len, uint64_t step)
{
	for (uint64_t off = from; off < from + len; off += step)
		d->ptr[off]++;
}

/* All is written, and the disk quiet. */
static void settle(struct disk *d)
{
	if (fsync(d->fd))
		exit(2);
}

static double time_flush(struct disk *d, const struct fm_persist_span *spans, size_t count)
{
	struct fm_error err;
	double start = now_ns();

	must(fm_nvdimm_flush(d->dev, spans, count, &err), &err);
	return now_ns() - start;
}

static double time_fsync(struct disk *d)
{
	double start = now_ns();

	settle(d);
	return now_ns() - start;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(v[0]), by_value);
	return v[n / 2];
}

static void one_page(struct bench *b, struct disk *d)
{
	const struct fm_persist_span span = { .off = 0, .len = PAGE };
	double ours[RUNS], theirs[RUNS];

	for (int i = 0; i < RUNS; i++) {
		settle(d);
		dirty(d, DIRTY, DIRTY, PAGE);
		d->ptr[0]++;
		ours[i] = time_flush(d, &span, 1);
		settle(d);
		dirty(d, DIRTY, DIRTY, PAGE);
		d->ptr[0]++;
		theirs[i] = time_fsync(d);
	}
	bench_ratio(b, "nvdimm: flush of a page, 256 MiB dirty beside", median(ours, RUNS),
		    "fsync of the file", median(theirs, RUNS), "ns", 1.0 / 30);
}

/* Pages all over the first half of the file; what is dirty beside them is in the second. */
static void scatter(struct disk *d, bool beside)
{
	settle(d);
	if (beside)
		dirty(d, DIRTY, DIRTY, PAGE);
	dirty(d, 0, DIRTY, DIRTY / 64);
}

static void scattered(struct bench *b, struct disk *d, bool beside, double bound)
{
	struct fm_persist_span spans[64];
	double ours[MANY], theirs[MANY];
	int runs = beside ? RUNS : MANY;

	for (size_t i = 0; i < 64; i++)
		spans[i] = (struct fm_persist_span){ .off = i * (DIRTY / 64), .len = PAGE };
	/* In turns, and each in turn the first. */
	for (int i = 0; i < 2 * runs; i++) {
		scatter(d, beside);
		if ((i + i / 2) % 2)
			ours[i / 2] = time_flush(d, spans, 64);
		else
			theirs[i / 2] = time_fsync(d);
	}
	bench_ratio(b,
		    beside ? "nvdimm: flush of 64 pages, 256 MiB dirty beside"
			   : "nvdimm: flush of 64 pages, nothing beside",
		    median(ours, (size_t)runs), "fsync of the file", median(theirs, (size_t)runs),
		    "ns", bound);
}

/* --- flushes at once ------------------------------------------------------------------------------- */

#define GUESTS 16u

/* A seam whose first sync lasts until all the others have asked for theirs. */
static struct {
	struct fm_io_ops ops;
	struct fm_io io;
	struct fm_dev *dev;
	atomic_int tids[GUESTS];
	bool wait;
} gate;

/* Does the thread sleep? In a flush it then waits for the sync of another one. */
static bool sleeps(int tid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = tid ? fopen(path, "r") : NULL;
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state == 'S';
}

static int gate_msync(void *ctx, void *addr, size_t len)
{
	unsigned quiet = 0; /* how often all slept, one look after the other */

	while (gate.wait && quiet < 3) {
		unsigned n = 0;

		for (unsigned i = 0; i < GUESTS; i++)
			n += sleeps(atomic_load(&gate.tids[i]));
		quiet = n == GUESTS - 1 ? quiet + 1 : 0;
		usleep(1000);
	}
	gate.wait = false;
	return fm_io_posix()->ops->msync(NULL, addr, len);
}

static void *guest(void *arg)
{
	size_t i = (size_t)arg;
	const struct fm_persist_span span = { .off = i * PAGE, .len = PAGE };
	struct fm_error err;

	atomic_store(&gate.tids[i], (int)syscall(SYS_gettid));
	must(fm_nvdimm_flush(gate.dev, &span, 1, &err), &err);
	return NULL;
}

static uint64_t syncs_of(bool at_once)
{
	struct fm_nvdimm_health before, after;
	pthread_t threads[GUESTS];

	fm_nvdimm_get_health(gate.dev, &before);
	gate.wait = at_once;
	for (size_t i = 0; i < GUESTS; i++) {
		atomic_store(&gate.tids[i], 0);
		if (pthread_create(&threads[i], NULL, guest, (void *)i))
			exit(2);
		if (!at_once)
			pthread_join(threads[i], NULL);
	}
	for (size_t i = 0; i < GUESTS && at_once; i++)
		pthread_join(threads[i], NULL);
	fm_nvdimm_get_health(gate.dev, &after);
	return after.syncs - before.syncs;
}

static void at_once(struct bench *b)
{
	struct disk d;

	gate.ops = *fm_io_posix()->ops;
	gate.ops.msync = gate_msync;
	gate.ops.write_out = NULL;
	gate.io.ops = &gate.ops;
	disk_open(&d, 2 * MIB, &gate.io);
	gate.dev = d.dev;
	bench_ratio(b, "nvdimm: syncs of 16 flushes at once", (double)syncs_of(true),
		    "of 16 one by one", (double)syncs_of(false), "", 2.0 / GUESTS);
	disk_close(&d);
}

int main(int argc, char **argv)
{
	struct disk d;
	struct bench b;

	bench_init(&b, argc, argv);
	at_once(&b);
	disk_open(&d, SIZE, NULL);
	one_page(&b, &d);
	scattered(&b, &d, true, 1);
	scattered(&b, &d, false, 1.1);
	disk_close(&d);
	return bench_end(&b);
}
