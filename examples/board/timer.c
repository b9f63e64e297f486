/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/timer.h"

/* CRm and op2 of the registers. */
enum {
	CRM_COUNTER = 0,
	CRM_PHYS = 2,
	CRM_VIRT = 3,
	OP2_PHYS_COUNT = 1,
	OP2_VIRT_COUNT = 2,
	OP2_TVAL = 0,
	OP2_CTL = 1,
	OP2_CVAL = 2,
};

enum {
	CTL_ENABLE = 1,
	CTL_IMASK = 2,
	CTL_ISTATUS = 4,
};

static bool condition_met(const struct timer *timer, enum timer_id id, uint64_t now)
{
	return timer->t[id].enabled && now >= timer->t[id].compare;
}

bool timer_line(const struct timer *timer, enum timer_id id, uint64_t now)
{
	return condition_met(timer, id, now) && !timer->t[id].masked;
}

uint64_t timer_deadline(const struct timer *timer, uint64_t now)
{
	uint64_t first = TIMER_NEVER;

	for (int id = 0; id < TIMER_COUNT; id++) {
		if (timer->t[id].enabled && !timer->t[id].masked && timer->t[id].compare > now &&
		    timer->t[id].compare < first)
			first = timer->t[id].compare;
	}
	return first;
}

static bool which(unsigned crm, enum timer_id *id)
{
	*id = crm == CRM_VIRT ? TIMER_VIRT : TIMER_PHYS;
	return crm == CRM_PHYS || crm == CRM_VIRT;
}

bool timer_read(const struct timer *timer, unsigned crm, unsigned op2, uint64_t now,
		uint64_t *value)
{
	enum timer_id id;

	if (crm == CRM_COUNTER && (op2 == OP2_PHYS_COUNT || op2 == OP2_VIRT_COUNT)) {
		*value = now;
		return true;
	}
	if (!which(crm, &id))
		return false;
	switch (op2) {
	case OP2_TVAL:
		*value = (uint32_t)(timer->t[id].compare - now);
		return true;
	case OP2_CTL:
		*value = (timer->t[id].enabled ? CTL_ENABLE : 0u) |
			 (timer->t[id].masked ? CTL_IMASK : 0u) |
			 (condition_met(timer, id, now) ? CTL_ISTATUS : 0u);
		return true;
	case OP2_CVAL:
		*value = timer->t[id].compare;
		return true;
	default:
		return false;
	}
}

bool timer_write(struct timer *timer, unsigned crm, unsigned op2, uint64_t now, uint64_t value)
{
	enum timer_id id;

	if (!which(crm, &id))
		return false;
	switch (op2) {
	case OP2_TVAL: /* signed 32 bits, from now */
		timer->t[id].compare = now + (uint64_t)(int64_t)(int32_t)(uint32_t)value;
		return true;
	case OP2_CTL:
		timer->t[id].enabled = value & CTL_ENABLE;
		timer->t[id].masked = value & CTL_IMASK;
		return true;
	case OP2_CVAL:
		timer->t[id].compare = value;
		return true;
	default:
		return false;
	}
}
