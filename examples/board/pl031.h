/* SPDX-License-Identifier: BSD-2-Clause */
/* pl031: the real-time clock (ARM DDI 0224C), without its alarm. */
#ifndef BOARD_PL031_H
#define BOARD_PL031_H

#include <firmem/device.h>

struct pl031 {
	uint32_t (*seconds)(void *ctx); /* since 1970 */
	void *ctx;
	uint32_t shift; /* the guest set the clock: add this */
	uint32_t match;
};

/* The device of `rtc`, which outlives it. */
int pl031_new(struct pl031 *rtc, uint32_t (*seconds)(void *ctx), void *ctx, struct fm_dev **out,
	      struct fm_error *err);

#endif
