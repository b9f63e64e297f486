/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer: the counter and the two EL1 timers of the Arm generic timer (ARM DDI 0487, D11), which are
 * system registers and not a device on the bus. Time is counted in ticks, and whoever asks says
 * what the time is.
 */
#ifndef BOARD_TIMER_H
#define BOARD_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_NS_PER_TICK 16u /* CNTFRQ_EL0, which the CPU emulator answers: 62.5 MHz */
#define TIMER_NEVER UINT64_MAX

enum timer_id {
	TIMER_PHYS = 0, /* CNTP_* */
	TIMER_VIRT,     /* CNTV_* */
	TIMER_COUNT
};

struct timer {
	struct {
		uint64_t compare; /* CVAL */
		bool enabled;     /* CTL.ENABLE */
		bool masked;      /* CTL.IMASK */
	} t[TIMER_COUNT];
};

/*
 * A register with op0 3, op1 3, CRn 14: false if it is not one of ours, and nothing has happened.
 * timer_write: a change of the outputs is possible.
 */
bool timer_read(const struct timer *timer, unsigned crm, unsigned op2, uint64_t now,
		uint64_t *value);
bool timer_write(struct timer *timer, unsigned crm, unsigned op2, uint64_t now, uint64_t value);

/* Is the timer's interrupt line high? */
bool timer_line(const struct timer *timer, enum timer_id id, uint64_t now);
/* When the next line goes high that is low now; TIMER_NEVER if none will. */
uint64_t timer_deadline(const struct timer *timer, uint64_t now);

#endif
