/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping: keeps what the CPU reaches without a trap in step with the space.
 *
 * Plain memory is mapped once. The mapping of a flash bank comes and goes with its mode: what is no
 * longer right is taken away before the next access; what became possible is given in pieces, each
 * once the guest has read so much of it through traps that it pays. Changing a mapping costs the
 * CPU emulator about a millisecond for 4 MiB, and a driver goes back to read-array after every few
 * hundred bytes it programs.
 */
#ifndef BOARD_MAPPING_H
#define BOARD_MAPPING_H

#include "examples/board/cpu.h"

#include <firmem/space.h>

#define MAPPING_PIECE UINT64_C(0x400000) /* bytes */
#define MAPPING_PIECES 32u               /* of all banks */

struct mapping_piece {
	uint64_t gpa;
	uint64_t len;
	uint32_t reads; /* trapped ones since its device last changed */
	bool mapped;
};

struct mapping {
	struct fm_space *space;
	struct cpu *cpu;
	const struct fm_view *view; /* the last one that was looked at */
	struct mapping_piece pieces[MAPPING_PIECES];
	unsigned count;
	uint64_t end;              /* of the last piece */
	struct mapping_piece *hot; /* the last one that was read */
	struct mapping_piece *due; /* has been read enough */
	uint64_t changes;          /* pieces given and taken away, for statistics */
};

/*
 * Map everything for a CPU that has nothing yet. Pieces of banks that begin below `code_end` are
 * mapped at once: the CPU fetches there. mapping_end() before the CPU or the space go.
 */
int mapping_begin(struct mapping *m, struct fm_space *space, struct cpu *cpu, uint64_t code_end,
		  struct fm_error *err);
void mapping_end(struct mapping *m);

/* An access at `gpa` returned FM_EFF_REMAP. */
int mapping_changed(struct mapping *m, uint64_t gpa, struct fm_error *err);
/* Count a trapped read. True: mapping_catch_up() is wanted. */
bool mapping_read(struct mapping *m, uint64_t gpa);
/* From service(): give what mapping_read() found worth giving. */
int mapping_catch_up(struct mapping *m, struct fm_error *err);

#endif
