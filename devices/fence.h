/* SPDX-License-Identifier: BSD-2-Clause */
/* fence: full barriers in other threads, so that those who run often need none. */
#ifndef FIRMEM_DEVICES_FENCE_H
#define FIRMEM_DEVICES_FENCE_H

#include <stdbool.h>

/*
 * A full barrier in every thread of the process that runs: what a thread stored before its next step is
 * seen here, and what was stored here is seen by its next step. Takes microseconds; any thread.
 */
void fmi_fence_others(void);

/* Is that one system call here? Otherwise it may take a millisecond: too long for what is frequent. */
bool fmi_fence_is_cheap(void);

#endif
