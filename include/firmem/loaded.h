/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loaded: the firmware that a machine's guest will see, as it is mapped when the guest is launched: pieces of
 * memory with their addresses, for launch measurement (sev.h, tdx.h), and whether they are still the same
 * later.
 */
#ifndef FIRMEM_LOADED_H
#define FIRMEM_LOADED_H

#include <firmem/block.h>
#include <firmem/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A run of guest addresses that one block shows. */
struct fm_loaded_piece {
	uint64_t gpa;
	uint64_t len; /* bytes */
	struct fm_block *block;
	uint64_t block_off;
	const uint8_t *bytes; /* a copy, as it was when it was loaded */
};

struct fm_loaded;

/*
 * Take what the blocks of certain roles show in the space now: a copy of their contents, in order of
 * address. `roles` has a bit 1 << FM_ROLE_... for each; 0: ROM and flash with code. On success *out is the
 * caller's, to fm_loaded_free(), and the blocks must outlive it. FM_ERR_NOT_FOUND (nothing of these
 * roles is mapped), FM_ERR_SIZE (more than 1 GiB), FM_ERR_NOMEM. Any thread; the guest must not run.
 */
FM_API int fm_loaded_new(struct fm_loaded **out, struct fm_space *space, uint64_t roles,
			 struct fm_error *err);
/* NULL is fine. */
FM_API void fm_loaded_free(struct fm_loaded *loaded);

/* The pieces. Any thread. */
FM_API size_t fm_loaded_count(const struct fm_loaded *loaded);
/* NULL behind the last. Constant while `loaded` lives. Any thread. */
FM_API const struct fm_loaded_piece *fm_loaded_piece(const struct fm_loaded *loaded, size_t n);

/*
 * The bytes that end at guest address `end` (0: 4 GiB, where x86 has its firmware): all pieces that lie
 * without a gap below it, as one run at *bytes, borrowed while `loaded` lives. FM_ERR_NOT_FOUND (no piece
 * ends there). Any thread.
 */
FM_API int fm_loaded_image(const struct fm_loaded *loaded, uint64_t end, const void **bytes,
			   uint64_t *len, struct fm_error *err);

/*
 * Is all of it as it was? FM_ERR_STATE (a block's contents changed: block, offset and both bytes are
 * named; or it is mapped elsewhere, or not at all), FM_ERR_NOMEM. Any thread; the guest must not run.
 */
FM_API int fm_loaded_check(const struct fm_loaded *loaded, struct fm_space *space,
			   struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
