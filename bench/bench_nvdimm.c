/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes by range beside a sync of the whole file; reading a label area beside one pass of its checksum;
 * states of a label area checked here beside a process for each. The file is in the current folder, which
 * should be on a disk.
 */
#include "bench/bench.h"

#include <firmem/block.h>
#include <firmem/label.h>
#include <firmem/nvdimm.h>
#include <firmem/nvdimm_image.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define SIZE (512 * MIB)
#define DIRTY (256 * MIB)
#define PAGE 4096u
#define RUNS 5
#define AREA (128u << 10)

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

static void disk_open(struct disk *d)
{
	struct fm_nvdimm_image_config image = { sizeof(image), .path = d->path, .pmem_len = SIZE };
	struct fm_block_config mem = { sizeof(mem),
				       .name = "nv",
				       .role = FM_ROLE_NVDIMM,
				       .backing = FM_BACKING_FILE,
				       .flags = FM_BLOCK_SHARED,
				       .path = d->path };
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

static double median(double v[RUNS])
{
	qsort(v, RUNS, sizeof(v[0]), by_value);
	return v[RUNS / 2];
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
	bench_ratio(b, "nvdimm: flush of a page, 256 MiB dirty beside", median(ours),
		    "fsync of the file", median(theirs), "ns", 1.0 / 30);
}

static void scattered(struct bench *b, struct disk *d)
{
	struct fm_persist_span spans[64];
	double ours[RUNS], theirs[RUNS];

	for (size_t i = 0; i < 64; i++)
		spans[i] = (struct fm_persist_span){ .off = i * (SIZE / 64), .len = PAGE };
	for (int i = 0; i < RUNS; i++) {
		settle(d);
		dirty(d, 0, SIZE, SIZE / 64);
		ours[i] = time_flush(d, spans, 64);
		settle(d);
		dirty(d, 0, SIZE, SIZE / 64);
		theirs[i] = time_fsync(d);
	}
	bench_ratio(b, "nvdimm: flush of 64 scattered pages", median(ours), "fsync of the file",
		    median(theirs), "ns", 1.1);
}

/* --- labels -------------------------------------------------------------------------------------- */

struct area {
	uint8_t bytes[AREA];
	struct fm_label_medium medium;
	uint64_t sum;
};

static int put(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	memcpy((uint8_t *)ctx + off, bytes, len);
	return 0;
}

static int nothing(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return 0;
}

static void fill(struct area *a, size_t len)
{
	struct fm_label l = { .nlabel = 1, .rawsize = 1, .lbasize = 512 };
	struct fm_error err;

	a->medium = (struct fm_label_medium){ sizeof(a->medium), a->bytes, len,    0,
					      a->bytes,          put,      nothing };
	must(fm_label_init(&a->medium, FM_LABEL_V1_2, &err), &err);
	for (uint32_t i = 1;; i++) {
		memcpy(l.uuid, &i, sizeof(i));
		l.dpa = i;
		if (fm_label_add(&a->medium, 1, &l, &err) == FM_ERR_NOSPACE)
			break;
	}
}

static void parse(void *ctx, uint64_t n)
{
	struct area *a = ctx;
	struct fm_label_area *area;
	struct fm_error err;

	while (n--) {
		must(fm_label_parse(&area, a->bytes, a->medium.len, 0, &err), &err);
		a->sum += fm_label_info(area)->used;
		fm_label_free(area);
	}
}

static void checksum(void *ctx, uint64_t n)
{
	struct area *a = ctx;

	while (n--) {
		uint32_t lo = 0;
		uint64_t hi = 0;

		for (size_t i = 0; i < a->medium.len; i += 4) {
			uint32_t word;

			memcpy(&word, a->bytes + i, 4);
			lo += word;
			hi += lo;
		}
		a->sum += hi << 32 | lo;
	}
}

#ifdef FIRMEM_COMMAND
extern char **environ;

/* A process for each state, which reads it from a file. */
static void spawn(void *ctx, uint64_t n)
{
	struct area *a = ctx;
	char path[] = "/dev/shm/firmem-bench-label";
	char command[] = FIRMEM_COMMAND, words[3][8] = { "nvdimm", "labels", "check" };
	char *argv[] = { command, words[0], words[1], words[2], path, NULL };
	posix_spawn_file_actions_t actions;
	int status;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	while (n--) {
		FILE *file = fopen(path, "wb");
		pid_t pid;

		if (!file || fwrite(a->bytes, 1, a->medium.len, file) != a->medium.len ||
		    fclose(file) || posix_spawn(&pid, command, &actions, NULL, argv, environ))
			exit(2);
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
		    WEXITSTATUS(status) > 1)
			exit(2);
	}
	posix_spawn_file_actions_destroy(&actions);
	unlink(path);
}
#endif

int main(int argc, char **argv)
{
	static struct area large, small;
	struct disk d;
	struct bench b;

	bench_init(&b, argc, argv);
	fill(&large, AREA);
	fill(&small, 1024);
	bench_compare(&b,
		      &(struct bench_side){ "label: read 128 KiB, 509 labels", parse, &large, 50 },
		      &(struct bench_side){ "one pass of the checksum", checksum, &large, 50 }, 3);
#ifdef FIRMEM_COMMAND
	bench_compare(&b,
		      &(struct bench_side){ "label: a state of 1 KiB, checked here", parse, &small,
					    5000 },
		      &(struct bench_side){ "a process for a state", spawn, &small, 20 }, 0.01);
#endif
	disk_open(&d);
	one_page(&b, &d);
	scattered(&b, &d);
	disk_close(&d);
	return bench_end(&b);
}
