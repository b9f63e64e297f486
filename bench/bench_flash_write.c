/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an image costs: the host's writes and calls for 1 MiB that is erased and programmed, the
 * guest's rate with a journal, and a recorded boot beside a write and a sync an operation.
 */
#include "bench/bench.h"

#include <firmem/flash.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)
#define BLOCK (256u << 10)
#define INTERVAL_NS 10000000.0
#define SECTOR 512u /* what QEMU writes for a program of any size */

/* --- a bank of 1 MiB ------------------------------------------------------------------------- */

struct bank {
	char path[64];
	struct fm_block *block;
	struct fm_dev *dev;
	unsigned width;
};

static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_flash_write: %s\n", err->msg);
		exit(2);
	}
}

static double clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* A file of `len` zeros, so that an erase has something to do. */
static void make_file(char *path, const void *bytes, size_t len)
{
	int fd;

	strcpy(path, P_tmpdir "/firmem-bench-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 ||
	    (bytes ? pwrite(fd, bytes, len, 0) != (ssize_t)len : ftruncate(fd, (off_t)len))) {
		perror(path);
		exit(2);
	}
	close(fd);
}

static void open_bank(struct bank *b, unsigned width, bool image)
{
	struct fm_block_config mem = {
		.struct_size = sizeof(mem), .name = "flash", .role = FM_ROLE_FLASH_VARS, .len = MIB
	};
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg),
				       .bank_width = width,
				       .chip_width = width > 2 ? 2 : width };
	struct fm_error err;

	*b = (struct bank){ .width = width };
	must(fm_block_new(&b->block, &mem, &err), &err);
	cfg.block = b->block;
	if (image) {
		make_file(b->path, NULL, MIB);
		cfg.image = b->path;
	}
	must(fm_flash_new(&b->dev, &cfg, &err), &err);
}

static void close_bank(struct bank *b)
{
	fm_dev_free(b->dev);
	fm_block_free(b->block);
	if (*b->path)
		unlink(b->path);
}

/* --- what a driver does ------------------------------------------------------------------------ */

static void write_bus(const struct bank *b, uint64_t off, uint64_t value)
{
	fm_dev_write(b->dev, off, b->width, value, FM_ATTRS_NONE);
}

static void command(const struct bank *b, uint64_t off, uint64_t code)
{
	write_bus(b, off, b->width == 4 ? code * 0x00010001 : code);
}

static void poll_status(const struct bank *b, uint64_t off)
{
	uint64_t status;

	fm_dev_read(b->dev, off, b->width, &status, FM_ATTRS_NONE);
}

static void erase_all(const struct bank *b)
{
	for (uint64_t off = 0; off < MIB; off += BLOCK) {
		command(b, off, 0x20);
		command(b, off, 0xd0);
		poll_status(b, off);
	}
}

static void program_words(const struct bank *b, uint64_t from, uint64_t to)
{
	for (uint64_t off = from; off < to; off += b->width) {
		command(b, off, 0x40);
		write_bus(b, off, off * 0x11);
		poll_status(b, off);
	}
}

static void program_buffers(const struct bank *b, uint64_t from, uint64_t to)
{
	for (uint64_t off = from; off < to; off += 128) {
		command(b, off, 0xe8);
		poll_status(b, off);
		command(b, off, 128 / 4 - 1);
		for (unsigned i = 0; i < 128; i += 4)
			write_bus(b, off + i, off * 0x11 + i);
		command(b, 0, 0xd0);
		poll_status(b, off);
	}
}

typedef void program_fn(const struct bank *b, uint64_t from, uint64_t to);

/* --- writes and calls ------------------------------------------------------------------------ */

static void count_writes(struct bench *bench, const char *how, unsigned width, program_fn *program)
{
	struct fm_write_behind_stats stats;
	struct fm_error err;
	struct bank b;
	char name[64];
	double start;

	open_bank(&b, width, true);
	start = now_ns();
	erase_all(&b);
	program(&b, 0, MIB);
	must(fm_dev_flush(b.dev, &err), &err);
	start = now_ns() - start;
	fm_write_behind_stats(fm_flash_image(b.dev), &stats);
	snprintf(name, sizeof(name), "1 MiB by %s: the host's writes", how);
	bench_ratio(bench, name, (double)stats.host_bytes, "1 MiB", MIB, "B", 2.2);
	snprintf(name, sizeof(name), "1 MiB by %s: the host's calls", how);
	bench_ratio(bench, name, (double)stats.host_calls, "2 each interval, and 64",
		    2 * start / INTERVAL_NS + 64, "", 1);
	close_bank(&b);
}

/* --- the guest's rate ------------------------------------------------------------------------ */

#define RUNS 15

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Nanoseconds of an operation, of so many as make 1 MiB: a burst that the journal has room for. Of the
 * guest's thread: nobody waits here, which is checked, and the worker has another.
 */
static double burst(const struct bank *b, program_fn *program, uint64_t step)
{
	double start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct fm_error err;

	erase_all(b);
	program(b, 0, MIB);
	start = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	must(fm_dev_flush(b->dev, &err), &err);
	return start / (MIB / (double)step);
}

static void compare_rates(struct bench *bench, const char *name, unsigned width,
			  program_fn *program, uint64_t step)
{
	double with[RUNS], without[RUNS];
	struct fm_write_behind_stats stats;
	struct bank a, b;

	open_bank(&a, width, true);
	open_bank(&b, width, false);
	burst(&a, program, step);
	burst(&b, program, step);
	for (unsigned i = 0; i < RUNS; i++) {
		with[i] = burst(&a, program, step);
		without[i] = burst(&b, program, step);
	}
	fm_write_behind_stats(fm_flash_image(a.dev), &stats);
	if (stats.waits) {
		fprintf(stderr, "bench_flash_write: the guest waited %llu times, expected never\n",
			(unsigned long long)stats.waits);
		exit(2);
	}
	qsort(with, RUNS, sizeof(*with), by_value);
	qsort(without, RUNS, sizeof(*without), by_value);
	bench_ratio(bench, name, with[RUNS / 2], "without an image", without[RUNS / 2], "ns", 2);
	close_bank(&a);
	close_bank(&b);
}

/* --- a recorded boot ------------------------------------------------------------------------- */

#ifdef FIRMEM_VECTORS
#include "bench/oplog.h"

struct boot {
	struct oplog log;
	uint8_t *image;
	size_t len;
	char path[64];
};

/* Program byte by byte; nanoseconds. */
static double replay_behind(struct boot *boot)
{
	struct fm_write_behind_config cfg = { .struct_size = sizeof(cfg),
					      .array = malloc(boot->len),
					      .len = boot->len,
					      .image = boot->path };
	struct fm_write_behind *wb;
	struct fm_error err;
	double start;

	make_file(boot->path, boot->image, boot->len);
	must(fm_write_behind_open(&wb, &cfg, &err), &err);
	start = now_ns();
	for (size_t i = 0; i < boot->log.count; i++) {
		const struct oplog_op *op = &boot->log.op[i];

		if (!op->data) {
			memset(cfg.array + op->off, 0xff, op->len);
			fm_write_behind_erase(wb, op->off, op->len);
		}
		for (uint64_t n = op->off; op->data && n < op->off + op->len; n++) {
			if (cfg.array[n] == op->data[n - op->off])
				continue;
			cfg.array[n] = op->data[n - op->off];
			fm_write_behind_store(wb, n, 1);
		}
	}
	must(fm_write_behind_flush(wb, &err), &err);
	start = now_ns() - start;
	fm_write_behind_close(wb);
	unlink(boot->path);
	free(cfg.array);
	return start;
}

/* A write of a sector for each byte, as QEMU does; `sync` after each, of the first `most`. */
static double replay_writes(struct boot *boot, bool sync, uint64_t most)
{
	uint8_t *array = malloc(boot->len);
	uint64_t count = 0;
	double start;
	int fd;

	memcpy(array, boot->image, boot->len);
	make_file(boot->path, boot->image, boot->len);
	fd = open(boot->path, O_RDWR);
	start = now_ns();
	for (size_t i = 0; i < boot->log.count && count < most; i++) {
		const struct oplog_op *op = &boot->log.op[i];
		uint64_t step = op->data ? 1 : op->len;

		for (uint64_t n = 0; n < op->len && count < most; n += step, count++) {
			uint64_t at = (op->off + n) / SECTOR * SECTOR;
			uint64_t len = op->data ? SECTOR : op->len;

			if (op->data)
				array[op->off + n] = op->data[n];
			else
				memset(array + op->off, 0xff, op->len);
			if (pwrite(fd, array + at, len, (off_t)at) < 0 || (sync && fdatasync(fd)))
				exit(2);
		}
	}
	start = now_ns() - start;
	close(fd);
	unlink(boot->path);
	free(array);
	return start / (double)count * (double)boot->log.operations;
}

static void compare_boots(struct bench *bench)
{
	static const char *const image = FIRMEM_VECTORS "/uefi/ovmf4m-prefill.fd.zst";
	static const char *const log = FIRMEM_VECTORS "/uefi/oplog-ovmf4m-boot-reclaim.jsonl.zst";
	double behind[5], writes[5], synced[3];
	struct boot boot = { .len = 0 };

	boot.image = oplog_unpack(image, &boot.len);
	if (!boot.image || !oplog_load(&boot.log, log)) {
		fprintf(stderr, "bench_flash_write: no recorded boot at %s\n", log);
		return;
	}
	for (unsigned i = 0; i < 5; i++) {
		behind[i] = replay_behind(&boot);
		writes[i] = replay_writes(&boot, false, UINT64_MAX);
		if (i < 3)
			synced[i] = replay_writes(&boot, true, 2000);
	}
	qsort(behind, 5, sizeof(*behind), by_value);
	qsort(writes, 5, sizeof(*writes), by_value);
	qsort(synced, 3, sizeof(*synced), by_value);
	bench_ratio(bench, "OVMF's reclaim, 798,120 operations", behind[2], "a pwrite each",
		    writes[2], "ns", 0.02);
	bench_ratio(bench, "OVMF's reclaim, the same", behind[2], "a pwrite, fdatasync each",
		    synced[1], "ns", 0.001);
	oplog_free(&boot.log);
	free(boot.image);
}
#else
static void compare_boots(struct bench *bench)
{
}
#endif

int main(int argc, char **argv)
{
	struct bench b;

	bench_init(&b, argc, argv);
	count_writes(&b, "byte", 1, program_words);
	count_writes(&b, "word", 4, program_words);
	count_writes(&b, "buffer", 4, program_buffers);
	compare_rates(&b, "flash: a byte of 1 MiB, with a journal", 1, program_words, 1);
	compare_rates(&b, "flash: a word of 1 MiB, with a journal", 4, program_words, 4);
	compare_rates(&b, "flash: a buffer of 1 MiB, with a journal", 4, program_buffers, 128);
	compare_boots(&b);
	return bench_end(&b);
}
