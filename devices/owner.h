/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner: whose an object is. Two machines may try for one at the same time, each in its thread: one of
 * them gets it.
 */
#ifndef FIRMEM_DEVICES_OWNER_H
#define FIRMEM_DEVICES_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct fm_machine;

/* Zeros: nobody's. */
struct fmi_owner {
	_Atomic(const struct fm_machine *) machine;
};

/* Make it the machine's; false where it is another's. */
static inline bool fmi_owner_claim(struct fmi_owner *owner, const struct fm_machine *machine)
{
	const struct fm_machine *was = NULL;

	return atomic_compare_exchange_strong(&owner->machine, &was, machine) || was == machine;
}

static inline void fmi_owner_leave(struct fmi_owner *owner)
{
	atomic_store(&owner->machine, NULL);
}

#endif
