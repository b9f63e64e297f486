/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * migration: what a stream of a guest's memory begins with: which blocks there are. Blocks find each other by
 * name, so a block that is called otherwise, or is of another size, on the other side is found here, before
 * the first page. The bytes are those of QEMU's RAM section (its set-up part, without the capability
 * "ignore-shared"): be64 sum of the lengths | 4; for each block u8 length of the name, the name, be64 length,
 * and for postcopy be64 page size where that is not the host's.
 */
#ifndef FIRMEM_MIGRATION_H
#define FIRMEM_MIGRATION_H

#include <firmem/base.h>
#include <firmem/block.h>
#include <firmem/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_MIGRATION_NAME_MAX 255u

struct fm_migration_config {
	size_t struct_size; /* sizeof(struct fm_migration_config) */
	/*
	 * Bytes of a page of the guest's, which the stream counts in; a power of two >= 1024; 0 = 4096.
	 * Lengths of blocks are rounded up to it.
	 */
	uint64_t target_page;
	/* Pages will be fetched while the guest runs already: the pages of both sides must be the same. */
	bool postcopy;
};

/* A block as the stream has it. */
struct fm_migration_block {
	char name[FM_MIGRATION_NAME_MAX + 1];
	uint64_t len;       /* bytes, whole target pages */
	uint64_t page_size; /* bytes; 0: its host's ordinary page, or not postcopy */
};

/*
 * Write the set-up of a machine's FM_WALK_MIGRATABLE, in its order. *out is malloc'd and the caller's to
 * free(). FM_ERR_ARG, FM_ERR_SIZE (the sum wraps), with postcopy what fm_migration_postcopy() says of a
 * block, FM_ERR_NOMEM. cfg NULL = defaults. Any thread, while nothing is added or removed; with postcopy
 * it blocks.
 */
FM_API int fm_migration_write(const struct fm_machine *machine,
			      const struct fm_migration_config *cfg, void **out, size_t *len,
			      struct fm_error *err);
/*
 * Read one. *blocks is malloc'd and the caller's to free(); *used (NULL allowed) gets the bytes that it took:
 * what follows is the stream's. FM_ERR_FORMAT (the offset is named: not such a set-up; a name that is empty,
 * twice or not printable; a length that is none), FM_ERR_SIZE (it goes on behind `len`), FM_ERR_ARG,
 * FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_migration_read(const void *bytes, size_t len, const struct fm_migration_config *cfg,
			     struct fm_migration_block **blocks, size_t *count, size_t *used,
			     struct fm_error *err);
/*
 * Can the machine take that stream? Each block of the stream must be one of its FM_WALK_MIGRATABLE, of the
 * same length, with postcopy of the same page size and fit for it, and each of those must be in the stream.
 * FM_ERR_NOT_FOUND (a name that only one side has; one of the same length that may be meant is named),
 * FM_ERR_STATE (a block that is not to migrate), FM_ERR_SIZE (length or page size: both sides' are named),
 * as fm_migration_postcopy(), FM_ERR_ARG. Any thread, while nothing is added or removed.
 */
FM_API int fm_migration_match(const struct fm_machine *machine,
			      const struct fm_migration_config *cfg,
			      const struct fm_migration_block *blocks, size_t count,
			      struct fm_error *err);

/*
 * Can pages of the block be missing and come later (userfaultfd(2))? The host's kernel is asked. FM_ERR_STATE
 * (not migratable; private to the guest in part), FM_ERR_SIZE (its length is not whole pages of its),
 * FM_ERR_BUSY (its pages are locked, pinned, or already watched), FM_ERR_UNSUPPORTED (the kernel
 * does not watch such memory, or none), FM_ERR_ACCESS (or not for us). Any thread; a guest that touches missing
 * pages meanwhile waits for it.
 */
FM_API int fm_migration_postcopy(const struct fm_block *block, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
