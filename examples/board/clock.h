/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock: the guest's time. Ordinarily it is virtual: so many ticks for each instruction, plus what
 * the guest slept through; the same run takes the same time on every host. Or it is the host's.
 */
#ifndef BOARD_CLOCK_H
#define BOARD_CLOCK_H

#include "examples/board/timer.h"

/* 3 ticks of 16 ns: about 21 million instructions a second, a slow machine that feels alive. */
#define CLOCK_TICKS_PER_INSN 3u

struct clock {
	bool host;
	const uint64_t *insns;  /* the CPU's count */
	uint64_t skipped;       /* virtual: ticks slept through */
	uint64_t host_start_ns; /* host: when tick 0 was */
	uint64_t pace_ns;       /* clock_ahead(): guest time less host time when it began */
};

void clock_start(struct clock *clock, bool host, const uint64_t *insns);
/* Time since clock_start(). */
uint64_t clock_ticks(const struct clock *clock);
uint64_t clock_ns(const struct clock *clock);
/* Virtual: let time pass until `ticks`. */
void clock_skip_to(struct clock *clock, uint64_t ticks);
/* The instruction count at which it will be `ticks`; UINT64_MAX for never or for host time. */
uint64_t clock_insn_at(const struct clock *clock, uint64_t ticks);
/* From now on clock_ahead() compares. */
void clock_pace(struct clock *clock);
/*
 * By how many ns the guest's time has run ahead of the host's. It does not add up to a debt: a
 * guest that was slow for a while is not sped up later.
 */
uint64_t clock_ahead(struct clock *clock);
/* The host's monotonic clock. */
uint64_t clock_host_ns(void);

#endif
