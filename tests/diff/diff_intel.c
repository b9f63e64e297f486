/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff_intel: a bank with the profile of the installed QEMU next to that QEMU's, both given the same
 * accesses; every value read, and the contents now and then, must be the same.
 *
 * diff_intel BOARD OPERATIONS [SEED [QUIRK]]: the same with a quirk left out of ours, when a
 * mismatch is what is expected. diff_intel BOARD FILE: the lines of flash-differences.md of the
 * board's profile on QEMU. Exit 0 as expected, 1 not, 77 QEMU is not there or another one.
 */
#include "tests/diff/differences.h"
#include "tests/diff/pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_EVERY 8 /* batches between two comparisons of the contents, and resets */

/* --- comparing --------------------------------------------------------------------------- */

static void print_op(const struct op *op, uint64_t number)
{
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

static int run_batch(struct run *r)
{
	for (unsigned n = 0; n < r->nops; n++) {
		r->batch[n] = r->ops[n].q;
		r->batch[n].addr += r->board->base;
	}
	if (!qtest_run(r->qemu, r->batch, r->nops)) {
		printf("%s, seed %" PRIu64 ": QEMU went away\n", r->board->name, r->seed);
		return TROUBLE;
	}
	for (unsigned n = 0; n < r->nops; n++)
		r->ops[n].q.value = r->batch[n].value;
	for (unsigned n = 0; n < r->nops; n++) {
		if (!r->ops[n].q.write && r->ops[n].q.value != r->ops[n].ours) {
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

/* All that the grammar reaches, in both arrays. Resets both banks: then they show it. */
static int same_contents(struct run *r)
{
	uint8_t piece[2048];

	if (!qtest_system_reset(r->qemu)) {
		printf("%s: QEMU does not reset\n", r->board->name);
		return TROUBLE;
	}
	fm_dev_reset(r->dev, FM_RESET_SYSTEM);
	for (unsigned n = 0; n < BLOCKS; n++) {
		for (uint64_t at = 0; at < r->board->block_len; at += sizeof(piece)) {
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

static int run(struct run *r, uint64_t operations)
{
	uint64_t blocks = r->board->len / r->board->block_len;
	unsigned batches = 0;
	int rc = pair_start(r);

	if (rc)
		return rc;
	r->block_off[1] = r->board->block_len;
	r->block_off[2] = blocks / 2 * r->board->block_len;
	r->block_off[3] = (blocks / 2 + 1) * r->board->block_len;
	r->block_off[4] = (blocks - 2) * r->board->block_len;
	r->block_off[5] = (blocks - 1) * r->board->block_len;
	while (r->done < operations) {
		while (r->nops < BATCH)
			grammar_sentence(r);
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
	return 0;
}

/* --- the listed differences ---------------------------------------------------------------- */

static bool one_access(struct run *r, bool write, uint64_t off, unsigned size, uint64_t *value)
{
	struct qtest_op op = {
		.addr = r->board->base + off, .value = *value, .size = (uint8_t)size, .write = write
	};
	bool ok = qtest_run(r->qemu, &op, 1);

	*value = op.value;
	return ok;
}

/* QEMU's bank from reset and FF where the sequences look. */
static bool fresh(struct run *r)
{
	static const uint64_t erase[] = { 0x20, 0xd0, 0xff };

	if (!qtest_system_reset(r->qemu))
		return false;
	for (unsigned n = 0; n < sizeof(erase) / sizeof(erase[0]); n++) {
		uint64_t value = erase[n];

		if (!one_access(r, true, 0, r->board->bank_width, &value))
			return false;
	}
	return qtest_system_reset(r->qemu);
}

static bool as_listed(struct run *r, const struct difference *d)
{
	const char *sequence = d->sequence;
	struct difference_op op;
	uint64_t answer = 0;

	if (!fresh(r))
		return false;
	while (difference_op(&sequence, &op)) {
		uint64_t value = op.value;

		if (!one_access(r, op.write, op.off, op.size, &value))
			return false;
		if (!op.write)
			answer = value;
	}
	if (answer != d->qemu)
		printf("%s:%u: QEMU answers 0x%" PRIx64 "\n", DIFFERENCES, d->line, answer);
	return answer == d->qemu;
}

static int run_table(struct run *r, const char *path)
{
	struct difference d = { 0 };
	FILE *file = fopen(path, "r");
	unsigned lines = 0, wrong = 0;
	int rc = pair_start(r);

	while (file && !rc && difference_next(file, &d)) {
		if (strcmp(d.profile, r->board->profile))
			continue;
		lines++;
		wrong += !as_listed(r, &d);
	}
	if (file)
		fclose(file);
	if (rc)
		return rc;
	printf("%s: %u lines, %u wrong\n", r->board->name, lines, wrong);
	return !lines || wrong;
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
		r.board = pair_board(argv[1]);
	if (!r.board) {
		fprintf(stderr, "usage: diff_intel BOARD OPERATIONS [SEED]\n");
		return 2;
	}
	if (strchr(argv[2], '/')) {
		rc = run_table(&r, argv[2]);
		pair_stop(&r);
		return rc;
	}
	r.seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	r.rng = r.seed;
	rc = argc > 4 ? run_without(&r, strtoull(argv[2], NULL, 0), argv[4])
		      : run(&r, strtoull(argv[2], NULL, 0));
	pair_stop(&r);
	return rc;
}
