/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * player: a program that QEMU's guest, an ARM, runs from address 0. It does accesses and waits from a
 * table in its RAM, which is a file that both sides map. QEMU counts instructions instead of time
 * (-icount), so that every access comes at the same nanosecond in every run.
 */
#ifndef FIRMEM_TESTS_PLAYER_H
#define FIRMEM_TESTS_PLAYER_H

#include "tests/diff/qtest.h"

#define PLAYER_OPS 8192u /* that the table takes */

/* What QEMU is told, and an instruction then takes. */
#define PLAYER_ICOUNT "shift=4"
#define PLAYER_TICK_NS 16u
/* From one access to the next, and the shortest wait between two. */
#define PLAYER_ACCESS_NS (5 * PLAYER_TICK_NS)
#define PLAYER_WAIT_MIN_NS (5 * PLAYER_TICK_NS)

struct player {
	void *ram;
	size_t len;
};

/* Make the guest's RAM, `len` bytes, with the program in it, as the file `path`. */
bool player_open(struct player *p, const char *path, size_t len);
void player_close(struct player *p);

/*
 * Do the operations, at most PLAYER_OPS, in a guest that runs: aligned accesses of up to 4 bytes, and
 * waits (size 0) of `value` nanoseconds, a multiple of PLAYER_TICK_NS. False when it does not end.
 */
bool player_run(struct player *p, struct qtest_op *ops, size_t count);

#endif
