/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clear: ending what a block held, by the primitive that is right for its backing, at the cost of
 * what was touched. The guest and other writers are stopped. docs/reset.md has the table.
 */
#ifndef FIRMEM_DEVICES_CLEAR_H
#define FIRMEM_DEVICES_CLEAR_H

#include <firmem/reset.h>

/* Bytes; and whether the dirty log got a new bit. */
struct fmi_cleared {
	uint64_t written;
	uint64_t released;
	bool dirty;
};

/*
 * Make [off, off + len) read as zero and mark the dirty log. Whole pages, or to the block's end. A
 * block that is pinned, locked or preallocated is written, whatever `pages` says. Never fails: what
 * cannot be released is written.
 */
void fmi_clear_zero(struct fm_block *block, uint64_t off, uint64_t len, enum fm_reset_pages pages,
		    struct fmi_cleared *out);

/*
 * Give the pages of [off, off + len) back; a negative errno where the host does not. Does not write,
 * does not mark.
 */
int fmi_clear_release(struct fm_block *block, uint64_t off, uint64_t len);

/*
 * Is every byte of [off, off + len) `byte`? If not, *at is the first that is not. Pages that are proved
 * to hold nothing are not read, where `byte` is 0; *read counts those that were.
 */
bool fmi_clear_verify(const struct fm_block *block, uint64_t off, uint64_t len, uint8_t byte,
		      uint64_t *read, uint64_t *at);

#endif
