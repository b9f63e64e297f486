/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Registering again is harmless; kernels before 4.14 have only the slow SHARED. */
bool fmi_fence_is_cheap(void)
{
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

void fmi_fence_others(void)
{
	/* A sandbox may forbid all of it; buffers drain by themselves in far less. */
	const struct timespec nap = { .tv_nsec = 1000000 };

	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return;
	if (fmi_fence_is_cheap() &&
	    !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_SHARED, 0, 0))
		nanosleep(&nap, NULL);
}
