/* SPDX-License-Identifier: BSD-2-Clause */
/* dimm_private: what the files about slots share, and what a reset needs of them. */
#ifndef FIRMEM_DEVICES_DIMM_PRIVATE_H
#define FIRMEM_DEVICES_DIMM_PRIVATE_H

#include <firmem/dimm.h>

struct fm_dimm {
	struct fm_dimms *set;
	struct fm_dimm *next; /* by address */
	struct fm_block *block;
	struct fm_dev *dev;
	uint64_t gpa;
	uint64_t len;
	unsigned slot;
	unsigned node;
	bool hotplugged;
	bool fixed;
	enum fm_dimm_state state;
};

/* Pointers to machine and space are the caller's; so is what is plugged: the machine owns that. */
struct fm_dimms {
	struct fm_machine *machine;
	struct fm_space *space;
	struct fm_dev *dev;
	struct fm_dimm *first;
	unsigned slots;
	unsigned nodes;
	uint64_t gpa;
	uint64_t len;
	uint64_t base_memory;
	uint64_t max_memory;
	uint64_t align;
};

/*
 * FM_RESET_UNPLUG of a block: if it is in a slot and seen, it is ejected whatever the guest says. 1 when that
 * changed the space, 0 when there was nothing to do (also without a set), FM_ERR_NOMEM.
 */
int fmi_dimm_reset(const struct fm_dimms *set, const struct fm_block *block, struct fm_error *err);

/* Is the calling thread between begin and commit of the space? FM_ERR_STATE. */
int fmi_dimm_outside(const struct fm_dimms *set, struct fm_error *err);

#endif
