/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * introspect: a machine's memory as rows, in the terms of QEMU's monitor: what "info ramblock" and
 * "info mtree -f" tell there. Rows are values and nothing is printed; docs/introspection.md has the
 * rules and the text that the command firmem makes of them.
 */
#ifndef FIRMEM_INTROSPECT_H
#define FIRMEM_INTROSPECT_H

#include <firmem/base.h>
#include <firmem/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- blocks in the space of RAM addresses -------------------------------------------------------- */

/*
 * QEMU numbers all bytes of all blocks, mapped or not, in one space; an `offset` there is a block's
 * name in dirty bitmaps and traces. It says nothing about guest-physical addresses.
 */
struct fm_ramblock {
	const char *name;             /* borrowed */
	uint64_t page_size;           /* bytes: of the backing, the one really obtained */
	uint64_t offset;              /* of its first byte; fm_ramblock_place() sets it */
	bool placed;                  /* `offset` is as it was before: it stays */
	uint64_t used;                /* bytes in use now */
	uint64_t total;               /* bytes it may grow to; not below `used`, not 0 */
	const struct fm_block *block; /* NULL: a piece that no block of ours stands for */
};

/*
 * Give each row that is not placed its offset, in the order of the array, which is the order in which the
 * blocks were made; then sort: largest total first, equal ones as they were. The first block of all
 * starts at 0; every other one goes behind another, to a multiple of 256 KiB (64 guest pages of 4 KiB),
 * into the smallest gap that holds its total; of equal gaps into that behind the largest block. To follow a
 * machine that plugs and unplugs keep the rows, drop those that went, append the new ones, and call again.
 *
 * FM_ERR_ARG (a total of 0, or one below `used`: named), FM_ERR_OVERLAP (two placed rows: named),
 * FM_ERR_RANGE (no room in 64 bits: named), FM_ERR_NOMEM: the rows are as they were.
 */
FM_API int fm_ramblock_place(struct fm_ramblock *rows, size_t count, struct fm_error *err);

/* The block's row, not placed yet: its length is rounded up to its pages. Any thread. */
FM_API void fm_ramblock_of(const struct fm_block *block, struct fm_ramblock *row);

/*
 * A row for each block of the machine, placed in the order they were added. *rows is malloc'd and the caller's
 * to free(), NULL when there are none; names and blocks are borrowed from the machine. As fm_ramblock_place().
 */
FM_API int fm_machine_ramblocks(const struct fm_machine *machine, struct fm_ramblock **rows,
				size_t *count, struct fm_error *err);

/* --- a space, flat ------------------------------------------------------------------------------- */

/* What an address is to the guest at this moment. */
enum fm_flat_kind {
	FM_FLAT_IO = 0, /* accesses go to the device: registers, flash that is not in read mode */
	FM_FLAT_RAM,    /* read and written as memory */
	FM_FLAT_ROM,    /* read as memory; stores do nothing, or are the device's */
	FM_FLAT_ROMD,   /* flash in read mode: read as memory, stores are commands */
	FM_FLAT_RAM_DEVICE, /* memory of a device of the host */
	FM_FLAT_KINDS
};

struct fm_flat {
	uint64_t gpa;
	uint64_t len; /* bytes; a row may end at 2^64 */
	enum fm_flat_kind kind;
	bool nonvolatile;             /* the block's role is nvdimm: "nv-ram" */
	int priority;                 /* of the window */
	const char *window;           /* its name; borrowed, see below */
	struct fm_dev *dev;           /* what answers */
	uint64_t dev_off;             /* where gpa is in it */
	const struct fm_block *block; /* where the contents live, or NULL */
};

/*
 * The space as the guest sees it: rows in order of address, without overlaps, neighbours that are the
 * same joined. *rows is malloc'd and the caller's to free(), NULL when there are none. Windows' names
 * are valid until one of the space's windows is removed. Not between begin and commit. Waits for
 * other threads' changes. FM_ERR_NOMEM.
 */
FM_API int fm_space_flat(struct fm_space *space, struct fm_flat **rows, size_t *count,
			 struct fm_error *err);

/* "i/o", "ram", "rom", "romd", "ramd": QEMU's words; never NULL. */
FM_API const char *fm_flat_kind_name(enum fm_flat_kind kind);

#ifdef __cplusplus
}
#endif

#endif
