/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/clock.h"

#include <time.h>

#define MAX_DEBT_NS 100000000ull

uint64_t clock_host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void clock_start(struct clock *clock, bool host, const uint64_t *insns)
{
	*clock = (struct clock){
		.host = host,
		.insns = insns,
		.host_start_ns = clock_host_ns(),
	};
}

uint64_t clock_ns(const struct clock *clock)
{
	if (clock->host)
		return clock_host_ns() - clock->host_start_ns;
	return (*clock->insns * CLOCK_TICKS_PER_INSN + clock->skipped) * TIMER_NS_PER_TICK;
}

uint64_t clock_ticks(const struct clock *clock)
{
	return clock_ns(clock) / TIMER_NS_PER_TICK;
}

void clock_skip_to(struct clock *clock, uint64_t ticks)
{
	uint64_t now = clock_ticks(clock);

	if (!clock->host && ticks > now)
		clock->skipped += ticks - now;
}

uint64_t clock_insn_at(const struct clock *clock, uint64_t ticks)
{
	uint64_t now = clock_ticks(clock);

	if (clock->host || ticks == TIMER_NEVER)
		return UINT64_MAX;
	if (ticks <= now)
		return *clock->insns;
	return *clock->insns + (ticks - now - 1) / CLOCK_TICKS_PER_INSN + 1;
}

void clock_pace(struct clock *clock)
{
	clock->pace_ns = clock_ns(clock) - (clock_host_ns() - clock->host_start_ns);
}

uint64_t clock_ahead(struct clock *clock)
{
	uint64_t guest = clock_ns(clock);
	uint64_t host = clock_host_ns() - clock->host_start_ns + clock->pace_ns;

	if (guest >= host)
		return guest - host;
	if (host - guest > MAX_DEBT_NS)
		clock->pace_ns -= host - guest;
	return 0;
}
