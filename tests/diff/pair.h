/* SPDX-License-Identifier: BSD-2-Clause */
/* pair: a bank of ours and the one of QEMU that it is to be like. */
#ifndef FIRMEM_TESTS_PAIR_H
#define FIRMEM_TESTS_PAIR_H

#include "tests/diff/qtest.h"

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
	uint64_t base;
	uint64_t len;
	uint64_t block_len;
	unsigned bank_width;
	unsigned clear_quirks; /* of the profile */
	unsigned unit;         /* which pflash drive it is */
	bool read_only;
	uint64_t unit0_len; /* of the drive before it, if it needs one */
	const char *args[12];
};

struct op {
	struct qtest_op q; /* q.value of a read: QEMU's answer */
	uint64_t ours;
};

struct run {
	const struct board *board;
	struct qtest *qemu;
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *array;
	unsigned without; /* quirks of the profile that ours shall lack */
	uint64_t seed, rng;
	uint64_t done; /* operations before this batch */
	uint64_t block_off[BLOCKS];
	struct op ops[BATCH];
	struct qtest_op batch[BATCH];
	unsigned nops;
	struct op history[HISTORY]; /* the end of the batch before */
	unsigned nhistory;
	char dir[64];
	char image[96];
	char unit0[96];
};

/* The board of that name, or NULL. */
const struct board *pair_board(const char *name);
/* Both banks, contents 0: 0, or what to exit with, said why. r->board and r->without are given. */
int pair_start(struct run *r);
void pair_stop(struct run *r);

/* Random accesses that make sense, and some that do not, to our bank; QEMU's get them later. */
void grammar_sentence(struct run *r);

#endif
