/* SPDX-License-Identifier: BSD-2-Clause */
/* The listed differences on QEMU: does it answer as their lines say? */
#include "tests/diff/differences.h"
#include "tests/diff/pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STEPS 128u /* of a sequence */

/* Intel: QEMU's bank from reset, and FF where the sequences look. */
static bool erased(struct run *r)
{
	static const uint64_t erase[] = { 0x20, 0xd0, 0xff };

	if (!qtest_system_reset(r->qemu))
		return false;
	for (unsigned n = 0; n < sizeof(erase) / sizeof(erase[0]); n++) {
		struct qtest_op op = { .addr = r->board->base,
				       .value = erase[n],
				       .size = (uint8_t)r->board->bank_width,
				       .write = true };

		if (!pair_run(r, &op, 1))
			return false;
	}
	return qtest_system_reset(r->qemu);
}

/* AMD: a QEMU that was never used, for what it keeps over a reset; its contents are FF. */
static bool fresh(struct run *r)
{
	if (r->board->set != FM_FLASH_AMD)
		return erased(r);
	pair_stop(r);
	return !pair_start(r);
}

/* Do what is gathered; the last read's answer stays in *answer. */
static bool run_steps(struct run *r, struct qtest_op *ops, unsigned *count, uint64_t *answer)
{
	if (!pair_run(r, ops, *count))
		return false;
	for (unsigned n = 0; n < *count; n++) {
		if (ops[n].size && !ops[n].write)
			*answer = ops[n].value;
	}
	*count = 0;
	return true;
}

/* While the clock stands: it runs for a wait alone, and a while longer. */
static bool reset_or_wait(struct run *r, const struct difference_op *step)
{
	struct qtest_op wait = { .value = step->value };

	if (step->kind == DIFFERENCE_RESET)
		return qtest_system_reset(r->qemu);
	return pair_go(r, true) && pair_run(r, &wait, 1) && pair_go(r, false);
}

/* A guest cannot reset its system in a known nanosecond: for that the clock stands. */
static bool run_sequence(struct run *r, const char *sequence, uint64_t *answer)
{
	bool stands = r->board->set != FM_FLASH_AMD || strstr(sequence, "reset");
	struct qtest_op ops[STEPS];
	struct difference_op step;
	unsigned count = 0;

	if (!pair_go(r, !stands))
		return false;
	while (difference_op(&sequence, &step)) {
		if (stands && (step.kind == DIFFERENCE_RESET || step.kind == DIFFERENCE_WAIT)) {
			if (!run_steps(r, ops, &count, answer) || !reset_or_wait(r, &step))
				return false;
			continue;
		}
		for (; step.times && count < STEPS; step.times--)
			ops[count++] = (struct qtest_op){
				.addr = r->board->base + step.off,
				.value = step.value,
				.size = (uint8_t)step.size,
				.write = step.kind == DIFFERENCE_WRITE,
			};
	}
	return run_steps(r, ops, &count, answer);
}

static bool as_listed(struct run *r, const struct difference *d)
{
	uint64_t answer = 0;

	if (!fresh(r) || !run_sequence(r, d->sequence, &answer)) {
		printf("%s:%u: QEMU went away\n", DIFFERENCES, d->line);
		return false;
	}
	if (answer != d->qemu)
		printf("%s:%u: QEMU answers 0x%" PRIx64 "\n", DIFFERENCES, d->line, answer);
	return answer == d->qemu;
}

int table_run(struct run *r, const char *path)
{
	bool amd = r->board->set == FM_FLASH_AMD;
	struct difference d = { 0 };
	FILE *file = fopen(path, "r");
	unsigned lines = 0, wrong = 0;
	int rc;

	r->fill = amd ? 0xff : 0;
	rc = pair_start(r);
	while (file && !rc && difference_next(file, &d)) {
		if (strcmp(d.profile, r->board->profile) || d.amd != amd)
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
