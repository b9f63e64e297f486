/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff_flash: a bank with the profile of the installed QEMU next to that QEMU's, both given the same
 * accesses, in the same nanoseconds where time matters; every value read, and the contents now and
 * then, must be the same.
 *
 * diff_flash BOARD OPERATIONS [SEED [QUIRK]]: the same with a quirk left out of ours, when a
 * mismatch is what is expected. diff_flash BOARD FILE: the lines of flash-differences.md of the
 * board's profile on QEMU. Exit 0 as expected, 1 not, 77 QEMU is not there or another one.
 */
#include "tests/diff/grammar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_EVERY 8    /* batches between two comparisons of the contents, and resets */
#define STILL_OPS 400u   /* at most, of a batch in which the clock of a board that has one stands */
#define READS_TO_MAP 50u /* enough */
#define COVERED 100000u  /* operations that reach every state */

/* --- comparing --------------------------------------------------------------------------- */

static void print_op(const struct op *op, uint64_t number)
{
	if (op->kind != OP_ACCESS) {
		printf("  %8" PRIu64 " %s %" PRIu64 "\n", number,
		       op->kind == OP_WAIT ? "t" : "reset", op->q.value);
		return;
	}
	printf("  %8" PRIu64 " %s%u 0x%08" PRIx64, number, op->q.write ? "w" : "r", op->q.size,
	       op->q.addr);
	if (op->q.write)
		printf(" 0x%" PRIx64 "\n", op->q.value);
	else
		printf(" qemu 0x%" PRIx64 " ours 0x%" PRIx64 "\n", op->q.value, op->ours);
}

static void print_before(const struct run *r, unsigned at)
{
	unsigned from = at + 1 > HISTORY ? at + 1 - HISTORY : 0;

	printf("%s, seed %" PRIu64 ", operation %" PRIu64 " differs:\n", r->board->name, r->seed,
	       r->done + at);
	for (unsigned n = at + 1 >= HISTORY ? HISTORY : at + 1; n < HISTORY; n++) {
		unsigned back = HISTORY - n;

		if (back <= r->nhistory)
			print_op(&r->history[r->nhistory - back], r->done - back);
	}
	for (unsigned n = from; n <= at; n++)
		print_op(&r->ops[n], r->done + n);
}

/* The operations [from, to) are QEMU's too, without a reset among them. */
static bool run_stretch(struct run *r, unsigned from, unsigned to)
{
	struct qtest_op *batch = r->batch;

	for (unsigned n = from; n < to; n++) {
		batch[n] = r->ops[n].q;
		if (r->ops[n].kind == OP_ACCESS)
			batch[n].addr += r->board->base;
	}
	if (!pair_run(r, batch + from, to - from))
		return false;
	for (unsigned n = from; n < to; n++)
		r->ops[n].q.value = batch[n].value;
	return true;
}

static bool run_on_qemu(struct run *r)
{
	unsigned from = 0;

	if (!pair_go(r, !r->still))
		return false;
	for (unsigned n = 0; n < r->nops; n++) {
		if (r->ops[n].kind != OP_RESET)
			continue;
		if (!run_stretch(r, from, n) || !qtest_system_reset(r->qemu))
			return false;
		from = n + 1;
	}
	return run_stretch(r, from, r->nops);
}

/* All timers of both banks to their end: only then may a guest's clock stop or start. */
static bool settle(struct run *r)
{
	struct qtest_op wait = { 0 };

	if (!r->board->ram_len)
		return true;
	wait.value = pair_settle(r);
	coverage_note(&r->coverage, fmi_flash_of(r->dev));
	return pair_go(r, true) && pair_run(r, &wait, 1);
}

static int run_batch(struct run *r)
{
	if (!run_on_qemu(r) || !settle(r)) {
		printf("%s, seed %" PRIu64 ": QEMU went away\n", r->board->name, r->seed);
		return TROUBLE;
	}
	for (unsigned n = 0; n < r->nops; n++) {
		const struct op *op = &r->ops[n];

		if (op->kind == OP_ACCESS && !op->q.write && op->q.value != op->ours) {
			print_before(r, n);
			return DIFFERS;
		}
	}
	r->nhistory = r->nops < HISTORY ? r->nops : HISTORY;
	memcpy(r->history, r->ops + r->nops - r->nhistory, r->nhistory * sizeof(*r->history));
	r->done += r->nops;
	r->nops = 0;
	return 0;
}

/* Reset both banks, and read them until each is memory: QEMU's AMD banks want that. */
static bool show_contents(struct run *r)
{
	const struct fm_attrs attrs = { 0 };
	struct qtest_op read = { .addr = r->board->base, .size = 1 };

	if (!pair_go(r, false) || !qtest_system_reset(r->qemu))
		return false;
	fm_dev_reset(r->dev, FM_RESET_SYSTEM);
	for (unsigned n = 0; r->board->set == FM_FLASH_AMD && n < READS_TO_MAP; n++) {
		uint64_t value;

		fm_dev_read(r->dev, 0, 1, &value, attrs);
		if (!pair_run(r, &read, 1))
			return false;
	}
	return true;
}

/* All that the grammar reaches, in both arrays. */
static int same_contents(struct run *r)
{
	uint8_t piece[2048];

	if (!show_contents(r)) {
		printf("%s: QEMU does not reset\n", r->board->name);
		return TROUBLE;
	}
	for (unsigned n = 0; n < BLOCKS; n++) {
		for (uint64_t at = 0; at < r->block_len[n]; at += sizeof(piece)) {
			uint64_t off = r->block_off[n] + at;

			if (!qtest_read(r->qemu, r->board->base + off, piece, sizeof(piece))) {
				printf("%s: QEMU does not read\n", r->board->name);
				return TROUBLE;
			}
			if (memcmp(piece, r->array + off, sizeof(piece))) {
				printf("%s, seed %" PRIu64 ": after %" PRIu64 " operations the "
				       "contents differ in [0x%" PRIx64 ", +0x%zx)\n",
				       r->board->name, r->seed, r->done, off, sizeof(piece));
				return DIFFERS;
			}
		}
	}
	return 0;
}

static void choose_blocks(struct run *r)
{
	uint64_t n = board_blocks(r->board);
	const uint64_t blocks[BLOCKS] = { 0, 1, n / 2, n / 2 + 1, n - 2, n - 1 };

	for (unsigned i = 0; i < BLOCKS; i++)
		board_block(r->board, blocks[i], &r->block_off[i], &r->block_len[i]);
}

/* What the clock stands for is short: its timers all run out at the end. */
static void make_batch(struct run *r)
{
	unsigned len = BATCH;

	r->still = !r->board->ram_len || below(r, 8);
	if (r->still && r->board->ram_len)
		len = 1 + below(r, STILL_OPS);
	while (!r->nops || (r->nops < len && !r->cut)) {
		if (r->board->set == FM_FLASH_AMD)
			grammar_amd(r);
		else
			grammar_intel(r);
	}
}

static int run(struct run *r, uint64_t operations)
{
	unsigned batches = 0;
	int rc = pair_start(r);

	if (rc)
		return rc;
	choose_blocks(r);
	if (r->board->set == FM_FLASH_AMD) {
		grammar_amd_tables(r);
		rc = run_batch(r);
	}
	if (rc)
		return rc;
	while (r->done < operations) {
		make_batch(r);
		rc = run_batch(r);
		if (!rc && !(++batches % CHECK_EVERY))
			rc = same_contents(r);
		if (rc)
			return rc;
	}
	rc = same_contents(r);
	if (rc)
		return rc;
	printf("%s: %" PRIu64 " operations, seed %" PRIu64 ": 0 mismatches\n", r->board->name,
	       r->done, r->seed);
	if (r->board->set == FM_FLASH_AMD && !coverage_print(&r->coverage) && r->done >= COVERED)
		return TROUBLE;
	return 0;
}

static int run_without(struct run *r, uint64_t operations, const char *quirk)
{
	int rc;

	for (unsigned bit = 1; fm_flash_quirk_name(bit); bit <<= 1) {
		if (!strcmp(fm_flash_quirk_name(bit), quirk))
			r->without = bit;
	}
	if (!r->without) {
		printf("no quirk %s\n", quirk);
		return 2;
	}
	rc = run(r, operations);
	if (rc == DIFFERS)
		return 0;
	return rc ? rc : DIFFERS;
}

int main(int argc, char **argv)
{
	static struct run r;
	int rc;

	if (argc >= 3)
		r.board = board_find(argv[1]);
	if (!r.board) {
		fprintf(stderr, "usage: diff_flash BOARD OPERATIONS [SEED]\n");
		return 2;
	}
	if (strchr(argv[2], '/')) {
		rc = table_run(&r, argv[2]);
		pair_stop(&r);
		return rc;
	}
	r.seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	r.rng.state = r.seed;
	rc = argc > 4 ? run_without(&r, strtoull(argv[2], NULL, 0), argv[4])
		      : run(&r, strtoull(argv[2], NULL, 0));
	pair_stop(&r);
	return rc;
}
