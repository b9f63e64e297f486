/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * private: which ranges of a block belong to an encrypted guest alone. That is a property of a range,
 * not of a block, and the guest changes it while it runs. What the host reads of a private range is
 * ciphertext or nothing, and what it writes there means nothing to the guest: nothing in the library
 * reads, dumps or zeroes one; a reset gives its pages back, or says that it cannot.
 *
 * A block of role private is private whole and for good. Any other starts shared.
 */
#ifndef FIRMEM_PRIVATE_H
#define FIRMEM_PRIVATE_H

#include <firmem/block.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_private_config {
	size_t struct_size; /* sizeof(struct fm_private_config) */
	uint64_t granule;   /* bytes a conversion is a multiple of: a power of two and at least the
			       block's page size; 0 = that */
	bool all;           /* every range is private at first */
	bool debug;         /* the guest's policy lets the host debug it: it may be dumped */
	/*
	 * The private pages live in another file than the shared ones (KVM's guest_memfd): its
	 * descriptor, duplicated, and where the block begins in it. Then a conversion gives back the
	 * pages of the side that is no longer used. Without, pages change in place.
	 */
	bool use_fd;
	int fd;
	uint64_t fd_off; /* a multiple of the granule */
};

/*
 * From now on ranges of the block can be private. FM_ERR_ARG (a field, named), FM_ERR_EXISTS (called
 * before), FM_ERR_NOMEM, FM_ERR_IO (the descriptor). Nobody else uses the block meanwhile.
 */
FM_API int fm_private_enable(struct fm_block *block, const struct fm_private_config *cfg,
			     struct fm_error *err);
/*
 * The guest converted [off, off + len), whole granules. Converting to what it is already changes
 * nothing. FM_ERR_STATE (not enabled, or a block of role private to shared), FM_ERR_ARG (not whole
 * granules), FM_ERR_RANGE, FM_ERR_IO (pages could not be given back; the range is converted). Any
 * thread; blocks.
 */
FM_API int fm_private_convert(struct fm_block *block, uint64_t off, uint64_t len, bool to_private,
			      struct fm_error *err);
/* Is the byte private? *len (NULL allowed) gets how many bytes from it on are the same. Any thread. */
FM_API bool fm_private_at(const struct fm_block *block, uint64_t off, uint64_t *len);
/* How many conversions changed something. Any thread. */
FM_API uint64_t fm_private_generation(const struct fm_block *block);
/*
 * May the host dump its private ranges? True where there is none; with use_fd never: what the block maps is the
 * other side. Any thread.
 */
FM_API bool fm_private_dumpable(const struct fm_block *block);

#ifdef __cplusplus
}
#endif

#endif
