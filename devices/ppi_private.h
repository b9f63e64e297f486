/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ppi_private: the request of a presence page, by its block: a reset finds and answers it also where no
 * device was made of the page. What byte and bit it is, ppi.c alone knows.
 */
#ifndef FIRMEM_DEVICES_PPI_PRIVATE_H
#define FIRMEM_DEVICES_PPI_PRIVATE_H

#include <firmem/block.h>

/* Is the request's byte in [off, off + len) of the block, for the host to see? */
bool fmi_ppi_holds_request(const struct fm_block *block, uint64_t off, uint64_t len);
/* Does the guest ask for a memory overwrite? False where the byte is not there, or not the host's to see. */
bool fmi_ppi_asks(const struct fm_block *block);
/*
 * Answer it, in one step: a guest that stores another bit at the same moment keeps it. `whole`: zero
 * [off, off + len), which holds it, too, and before. Returns FM_EFF_DIRTY or 0.
 */
unsigned fmi_ppi_answer(struct fm_block *block, uint64_t off, uint64_t len, bool whole);

#endif
