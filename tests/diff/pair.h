/* SPDX-License-Identifier: BSD-2-Clause */
/* pair: a bank of ours and the one of QEMU that it is to be like. */
#ifndef FIRMEM_TESTS_PAIR_H
#define FIRMEM_TESTS_PAIR_H

#include "tests/diff/coverage.h"
#include "tests/diff/player.h"
#include "tests/diff/qtest.h"
#include "tests/unit/rng.h"

#include <firmem/block.h>
#include <firmem/flash.h>

/* What a test exits with when it is not content. */
#define DIFFERS 1
#define TROUBLE 2
#define SKIP 77

#define BATCH 4096u /* operations between two looks */
#define HISTORY 24u /* operations shown before a mismatch */
#define BLOCKS 6u   /* of the bank that are worked on */

/* A bank of one of QEMU's machines. */
struct board {
	const char *name;
	const char *program;
	const char *profile;
	enum fm_flash_set set;
	uint64_t base;
	uint64_t len;
	struct fm_flash_region regions[FM_FLASH_REGIONS];
	unsigned bank_width;
	unsigned clear_quirks; /* of the profile */
	unsigned unit;         /* which pflash drive it is */
	bool read_only;
	bool no_drive;      /* the machine makes its bank without one */
	unsigned mirrors;   /* how often the bank is to be seen from base on; 0: once */
	uint16_t codes[4];  /* AMD: manufacturer, device, words 0E and 0F */
	uint64_t unit0_len; /* of the drive before it, if it needs one */
	uint64_t ram_len;   /* of the guest that a player runs in; 0: the clock stands */
	const char *args[24];
};

enum op_kind {
	OP_ACCESS = 0,
	OP_WAIT,  /* q.value nanoseconds, a multiple of PLAYER_TICK_NS */
	OP_RESET, /* the guest's system; only in a batch for which the clock stands */
};

struct op {
	enum op_kind kind;
	struct qtest_op q; /* q.value of a read: QEMU's answer */
	uint64_t ours;
};

struct run {
	const struct board *board;
	struct qtest *qemu;
	struct player player;
	bool running; /* the player */
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *array;
	unsigned without; /* quirks of the profile that ours shall lack */
	uint8_t fill;     /* the contents at the start */
	uint64_t seed;
	struct rng rng;
	uint64_t done; /* operations before this batch */
	uint64_t block_off[BLOCKS];
	uint64_t block_len[BLOCKS];
	bool still;      /* the clock stands during this batch */
	bool cut;        /* no more of this batch */
	uint64_t now_ns; /* our bank's clock */
	struct op ops[BATCH];
	struct qtest_op batch[BATCH];
	unsigned nops;
	struct op history[HISTORY]; /* the end of the batch before */
	unsigned nhistory;
	struct coverage coverage;
	char dir[64];
	char image[96];
	char unit0[96];
	char ram[96];
};

/* The board of that name, or NULL. */
const struct board *board_find(const char *name);
/* The bank's blocks, and the n-th of them. */
uint64_t board_blocks(const struct board *board);
void board_block(const struct board *board, uint64_t n, uint64_t *off, uint64_t *len);

/* Both banks, contents r->fill: 0, or what to exit with, said why. r->board, r->without are given. */
int pair_start(struct run *r);
void pair_stop(struct run *r);

/* Let the player run, or stop the guest's clock. */
bool pair_go(struct run *r, bool running);
/* To QEMU's bank: accesses in a row (and waits, if the player runs); the guest's reset. */
bool pair_run(struct run *r, struct qtest_op *ops, size_t count);
/* Until no timer of ours runs. To ours; the nanoseconds are for QEMU's. */
uint64_t pair_settle(struct run *r);

/* The lines of flash-differences.md at `path` that are of the board, on QEMU. What to exit with. */
int table_run(struct run *r, const char *path);

#endif
