/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bank of flash beside the least that could stand in for one: a switch over four states that ANDs.
 * Both are reached through a pointer to a function that checks the range, as devices are.
 */
#include "bench/bench.h"

#include <firmem/flash.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN (64u << 20)
#define BLOCK (256u << 10)
#define CELLS (BLOCK - 1) /* where words go: the first block, again and again */

/* --- the bare loop ------------------------------------------------------------------------- */

enum bare_state {
	BARE_ARRAY,
	BARE_STATUS,
	BARE_PROGRAM,
	BARE_ID,
};

struct bare {
	enum bare_state state;
	uint8_t *array;
	uint64_t len;
};

/* Of 1, 2, 4 or 8 bytes, as guests have them. */
static uint64_t load(const uint8_t *p, unsigned size)
{
	uint64_t value = 0;

	switch (size) {
	case 1:
		return *p;
	case 2:
		memcpy(&value, p, 2);
		return value;
	case 4:
		memcpy(&value, p, 4);
		return value;
	default:
		memcpy(&value, p, 8);
		return value;
	}
}

static void store(uint8_t *p, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		*p = (uint8_t)value;
		break;
	case 2:
		memcpy(p, &value, 2);
		break;
	case 4:
		memcpy(p, &value, 4);
		break;
	default:
		memcpy(p, &value, 8);
		break;
	}
}

static int bare_write(struct bare *b, uint64_t off, unsigned size, uint64_t value)
{
	if (size > b->len || off > b->len - size)
		return -1;
	if (b->state == BARE_PROGRAM) {
		store(b->array + off, size, load(b->array + off, size) & value);
		b->state = BARE_STATUS;
		return 0;
	}
	switch (value & 0xff) {
	case 0x10:
	case 0x40:
		b->state = BARE_PROGRAM;
		break;
	case 0x70:
		b->state = BARE_STATUS;
		break;
	case 0x90:
		b->state = BARE_ID;
		break;
	case 0xff:
		b->state = BARE_ARRAY;
		break;
	default:
		break;
	}
	return 0;
}

static int bare_read(struct bare *b, uint64_t off, unsigned size, uint64_t *value)
{
	if (size > b->len || off > b->len - size)
		return -1;
	switch (b->state) {
	case BARE_ARRAY:
		*value = load(b->array + off, size);
		break;
	case BARE_STATUS:
	case BARE_PROGRAM:
		*value = 0x00800080;
		break;
	case BARE_ID:
		*value = 0x00890089;
		break;
	}
	return 0;
}

/* Volatile: a compiler that sees through them would make one loop of it all. */
static int (*volatile bare_write_fn)(struct bare *, uint64_t, unsigned, uint64_t) = bare_write;
static int (*volatile bare_read_fn)(struct bare *, uint64_t, unsigned, uint64_t *) = bare_read;

/* --- the same cycles on both ----------------------------------------------------------------- */

static void flash_words(void *ctx, uint64_t n)
{
	struct fm_dev *dev = ctx;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t off = 4 * i & CELLS;

		fm_dev_write(dev, off, 4, 0x00400040, FM_ATTRS_NONE);
		fm_dev_write(dev, off, 4, i, FM_ATTRS_NONE);
	}
	fm_dev_write(dev, 0, 4, 0x00ff00ff, FM_ATTRS_NONE);
}

static void bare_words(void *ctx, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t off = 4 * i & CELLS;

		bare_write_fn(ctx, off, 4, 0x00400040);
		bare_write_fn(ctx, off, 4, i);
	}
	bare_write_fn(ctx, 0, 4, 0x00ff00ff);
}

static void flash_cycles(void *ctx, uint64_t n)
{
	struct fm_dev *dev = ctx;
	uint64_t value;

	for (uint64_t i = 0; i < n / 4; i++) {
		fm_dev_write(dev, 0, 4, 0x00900090, FM_ATTRS_NONE);
		fm_dev_write(dev, 0, 4, 0x00700070, FM_ATTRS_NONE);
		fm_dev_read(dev, 4 * i & CELLS, 4, &value, FM_ATTRS_NONE);
		fm_dev_read(dev, 4 * i & CELLS, 4, &value, FM_ATTRS_NONE);
	}
}

static void bare_cycles(void *ctx, uint64_t n)
{
	uint64_t value;

	for (uint64_t i = 0; i < n / 4; i++) {
		bare_write_fn(ctx, 0, 4, 0x00900090);
		bare_write_fn(ctx, 0, 4, 0x00700070);
		bare_read_fn(ctx, 4 * i & CELLS, 4, &value);
		bare_read_fn(ctx, 4 * i & CELLS, 4, &value);
	}
}

/* --- making ------------------------------------------------------------------------------ */

static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_flash: %s\n", err->msg);
		exit(2);
	}
}

static struct fm_block *new_block(void)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg),
				       .role = FM_ROLE_FLASH_VARS,
				       .len = LEN };
	struct fm_block *block;
	struct fm_error err;

	must(fm_block_new(&block, &cfg, &err), &err);
	return block;
}

int main(int argc, char **argv)
{
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg), .name = "flash" };
	struct bare bare = { .array = calloc(1, BLOCK), .len = BLOCK };
	struct fm_error err;
	struct fm_dev *dev;
	struct bench b;
	size_t before;

	bench_init(&b, argc, argv);
	if (!bare.array)
		return 2;
	cfg.block = new_block();
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	must(fm_flash_new(&dev, &cfg, &err), &err);
	bench_ratio(&b, "flash: memory beside the array",
		    (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before), "array of 64 MiB",
		    LEN, "B", 0.02);
	bench_compare(&b,
		      &(struct bench_side){ "flash: a bus cycle (90, 70, status twice)",
					    flash_cycles, dev, 4000000 },
		      &(struct bench_side){ "bare switch", bare_cycles, &bare, 4000000 }, 2);
	bench_compare(&b,
		      &(struct bench_side){ "flash: a word (40, data)", flash_words, dev, 1000000 },
		      &(struct bench_side){ "bare switch and AND", bare_words, &bare, 1000000 }, 2);
	fm_dev_free(dev);
	fm_block_free(cfg.block);
	free(bare.array);
	return bench_end(&b);
}
