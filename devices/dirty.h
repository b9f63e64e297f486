/* SPDX-License-Identifier: BSD-2-Clause */
/* dirty: making and freeing the log that a block owns. */
#ifndef FIRMEM_DEVICES_DIRTY_H
#define FIRMEM_DEVICES_DIRTY_H

#include <firmem/dirty.h>

/* A log of `len` bytes with a bit for `granule` bytes (a power of two). NULL: out of memory. */
struct fm_dirty *fmi_dirty_new(uint64_t len, uint64_t granule);

/* Nobody marks or harvests any more. NULL is fine. */
void fmi_dirty_free(struct fm_dirty *log);

#endif
