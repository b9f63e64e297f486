/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping: keeps what the CPU reaches without a trap in step with the space.
 *
 * A mapping that is no longer right is taken away before the next access. One that became possible
 * (a flash bank is back in read-array mode) is given only once the guest has read enough through
 * traps to pay for it: changing 64 MiB costs the CPU emulator tens of milliseconds, and a driver
 * goes back to read-array after every few hundred bytes it programs.
 */
#ifndef BOARD_MAPPING_H
#define BOARD_MAPPING_H

#include "examples/board/cpu.h"

#include <firmem/space.h>

#define MAPPING_LATER 8u

struct mapping {
	struct fm_space *space;
	struct cpu *cpu;
	const struct fm_view *view; /* what the CPU's mappings were made from */
	uint64_t behind_gpa;        /* [gpa, gpa + len) may now be mappable; no bytes: nothing is */
	uint64_t behind_len;
	uint64_t reads;   /* trapped ones there since then */
	uint64_t changes; /* ranges mapped or taken away since the start, for statistics */
	struct fm_step later[MAPPING_LATER];
	unsigned later_count;
};

/* Map everything for a CPU that has nothing yet. mapping_end() before the CPU or the space go. */
int mapping_begin(struct mapping *m, struct fm_space *space, struct cpu *cpu, struct fm_error *err);
void mapping_end(struct mapping *m);

/* An access at `gpa` returned FM_EFF_REMAP. Call cpu_kick() afterwards. */
int mapping_changed(struct mapping *m, uint64_t gpa, struct fm_error *err);
/* Count a trapped read. True when mapping_catch_up() is wanted. */
bool mapping_read(struct mapping *m, uint64_t gpa);
/* From service(): give what mapping_changed() or mapping_read() found worth giving. */
int mapping_catch_up(struct mapping *m, struct fm_error *err);

#endif
