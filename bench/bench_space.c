/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses through a space, and changes of a large map. */
#include "bench/bench.h"

#include <firmem/flash.h>
#include <firmem/ram.h>
#include <firmem/space.h>

#include <stdio.h>
#include <stdlib.h>

#define FLASH_LEN (16u << 20)
#define FLASH_GPA 0x4000000u
#define WINDOWS 10000u
#define WINDOW_LEN 0x1000u

/* A figure of something that failed would be a lie. */
static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_space: %s\n", err->msg);
		exit(2);
	}
}

static struct fm_block *new_block(enum fm_role role, uint64_t len)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg), .role = role, .len = len };
	struct fm_block *block;
	struct fm_error err;

	must(fm_block_new(&block, &cfg, &err), &err);
	return block;
}

static struct fm_space *new_space(void)
{
	struct fm_space_config cfg = { .struct_size = sizeof(cfg), .name = "memory" };
	struct fm_space *space;
	struct fm_error err;

	must(fm_space_new(&space, &cfg, &err), &err);
	return space;
}

static struct fm_window *add(struct fm_space *space, struct fm_dev *dev, uint64_t gpa, uint64_t off,
			     uint64_t len)
{
	struct fm_window_config cfg = { .struct_size = sizeof(cfg), .dev = dev };
	struct fm_window *window;
	struct fm_error err;

	cfg.gpa = gpa;
	cfg.dev_off = off;
	cfg.len = len;
	must(fm_space_add(space, &cfg, &window, &err), &err);
	return window;
}

/* --- trapped accesses -------------------------------------------------------------------- */

struct access {
	struct fm_port *port;
	struct fm_dev *dev;
	uint64_t value; /* what is written; or the last that was read, so that it is needed */
};

static void write_by_port(void *ctx, uint64_t n)
{
	struct access *a = ctx;

	for (uint64_t i = 0; i < n; i++)
		fm_port_write(a->port, FLASH_GPA + (i & 0xffffc), 4, a->value, FM_ATTRS_NONE);
}

static void write_by_device(void *ctx, uint64_t n)
{
	struct access *a = ctx;

	for (uint64_t i = 0; i < n; i++)
		fm_dev_write(a->dev, i & 0xffffc, 4, a->value, FM_ATTRS_NONE);
}

static void read_by_port(void *ctx, uint64_t n)
{
	struct access *a = ctx;

	for (uint64_t i = 0; i < n; i++)
		fm_port_read(a->port, FLASH_GPA + (i & 0xffffc), 4, &a->value, FM_ATTRS_NONE);
}

static void read_by_device(void *ctx, uint64_t n)
{
	struct access *a = ctx;

	for (uint64_t i = 0; i < n; i++)
		fm_dev_read(a->dev, i & 0xffffc, 4, &a->value, FM_ATTRS_NONE);
}

static void trapped_accesses(struct bench *b)
{
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg), .name = "flash" };
	struct fm_block *block = new_block(FM_ROLE_FLASH_VARS, FLASH_LEN);
	struct fm_space *space = new_space();
	struct fm_block *ram_block = new_block(FM_ROLE_RAM, FLASH_LEN);
	struct fm_ram_config ram = { .struct_size = sizeof(ram), .name = "ram" };
	struct fm_dev *ram_dev;
	struct fm_error err;
	/* Read status register (0x70 in both chips): the bank stays in the mode that traps. */
	struct access a = { .value = 0x00700070 };

	cfg.block = block;
	ram.block = ram_block;
	must(fm_flash_new(&a.dev, &cfg, &err), &err);
	must(fm_ram_new(&ram_dev, &ram, &err), &err);
	add(space, a.dev, FLASH_GPA, 0, 0);
	add(space, ram_dev, 0x40000000, 0, 0);
	must(fm_port_new(&a.port, space, &err), &err);
	bench_compare(
		b, &(struct bench_side){ "flash write through a port", write_by_port, &a, 1000000 },
		&(struct bench_side){ "fm_dev_write()", write_by_device, &a, 1000000 }, 4);
	must(fm_space_refresh(space, &err), &err);
	bench_compare(
		b, &(struct bench_side){ "flash read through a port", read_by_port, &a, 1000000 },
		&(struct bench_side){ "fm_dev_read()", read_by_device, &a, 1000000 }, 4);
	fm_port_free(a.port);
	fm_space_free(space);
	fm_dev_free(a.dev);
	fm_dev_free(ram_dev);
	fm_block_free(block);
	fm_block_free(ram_block);
}

/* --- changes of a large map -------------------------------------------------------------- */

struct map {
	struct fm_space *space;
	struct fm_window *windows[WINDOWS];
};

static void enable_all(struct map *m, bool on)
{
	struct fm_error err;

	fm_space_begin(m->space);
	for (unsigned i = 0; i < WINDOWS; i++)
		must(fm_space_enable(m->space, m->windows[i], on, &err), &err);
	must(fm_space_commit(m->space, &err), &err);
}

/* One operation: the whole map from nothing. Hiding all of it is cheap and counted in. */
static void rebuild(void *ctx, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		enable_all(ctx, false);
		enable_all(ctx, true);
	}
}

/* One operation: two changes, to stay even with the reference. */
static void change_one(void *ctx, uint64_t n)
{
	struct map *m = ctx;
	struct fm_error err;

	for (uint64_t i = 0; i < n; i++) {
		struct fm_window *window = m->windows[i * 7919 % WINDOWS];

		must(fm_space_enable(m->space, window, false, &err), &err);
		must(fm_space_enable(m->space, window, true, &err), &err);
	}
}

static void view_changes(struct bench *b)
{
	struct fm_block *block = new_block(FM_ROLE_RAM, (uint64_t)WINDOWS * WINDOW_LEN);
	struct fm_ram_config cfg = { .struct_size = sizeof(cfg), .name = "ram" };
	static struct map m;
	struct fm_dev *dev;
	struct fm_error err;

	cfg.block = block;
	must(fm_ram_new(&dev, &cfg, &err), &err);
	m.space = new_space();
	fm_space_begin(m.space);
	/* Gaps between them, and backwards in the device, so that nothing joins. */
	for (unsigned i = 0; i < WINDOWS; i++)
		m.windows[i] = add(m.space, dev, (uint64_t)i * 2 * WINDOW_LEN,
				   (uint64_t)(WINDOWS - 1 - i) * WINDOW_LEN, WINDOW_LEN);
	must(fm_space_commit(m.space, &err), &err);
	bench_compare(b, &(struct bench_side){ "change 1 of 10,000 windows", change_one, &m, 200 },
		      &(struct bench_side){ "rebuild all 10,000", rebuild, &m, 2 }, 0.05);
	fm_space_free(m.space);
	fm_dev_free(dev);
	fm_block_free(block);
}

int main(int argc, char **argv)
{
	struct bench b;

	bench_init(&b, argc, argv);
	trapped_accesses(&b);
	view_changes(&b);
	return bench_end(&b);
}
