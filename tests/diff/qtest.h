/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qtest: the installed QEMU as the other side of a differential test, through its qtest protocol
 * (a line for an access, a line for its answer). The guest's CPU stands still until qtest_cont().
 */
#ifndef FIRMEM_TESTS_QTEST_H
#define FIRMEM_TESTS_QTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qtest;

/* One access; `value` is what to write, or gets what was read. */
struct qtest_op {
	uint64_t addr;
	uint64_t value;
	uint8_t size; /* 1, 2, 4, 8 */
	bool write;
};

/*
 * Start `program` (found on PATH) with `args` (NULL at the end) and the options that make it a
 * qtest server. NULL, with a message in `why`, when it is not installed or does not answer.
 */
struct qtest *qtest_start(const char *program, const char *const *args, char *why, size_t len);

/* Kill it and free. NULL is fine. */
void qtest_stop(struct qtest *q);

/* Do the accesses in order, many to a batch. False when QEMU went away or refused one. */
bool qtest_run(struct qtest *q, struct qtest_op *ops, size_t count);

/* Read `len` bytes, at most 4096, at `addr`. False as above. */
bool qtest_read(struct qtest *q, uint64_t addr, uint8_t *buf, size_t len);

/* Reset the guest's devices, as a system reset does; needs the QMP socket that qtest_start() makes. */
bool qtest_system_reset(struct qtest *q);

/* Let the guest's CPU run, and its clock, or stop both. */
bool qtest_cont(struct qtest *q);
bool qtest_halt(struct qtest *q);

#endif
