/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of a reset, and freeing what plans and reports are made of. */
#include "devices/reset_private.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[FM_RESET_COUNT] = {
	[FM_RESET_POWER_ON] = "power-on",
	[FM_RESET_SYSTEM] = "system",
	[FM_RESET_S3] = "s3",
	[FM_RESET_KEXEC] = "kexec",
	[FM_RESET_SNAPSHOT] = "snapshot",
	[FM_RESET_CONFIDENTIAL] = "confidential",
};

static const char *const actions[FM_RESET_ACTION_COUNT] = {
	[FM_RESET_KEEP] = "keep",     [FM_RESET_ZERO] = "zero",
	[FM_RESET_RELOAD] = "reload", [FM_RESET_FLUSH_KEEP] = "flush-keep",
	[FM_RESET_LOAD] = "load",     [FM_RESET_DISCARD] = "discard",
	[FM_RESET_UNPLUG] = "unplug", [FM_RESET_REBUILD] = "rebuild",
	[FM_RESET_REFUSE] = "refuse", [FM_RESET_ACKNOWLEDGE] = "acknowledge",
};

static const char *const causes[FM_RESET_CAUSE_COUNT] = {
	[FM_RESET_CAUSE_UNKNOWN] = "unknown",   [FM_RESET_CAUSE_GUEST] = "guest",
	[FM_RESET_CAUSE_HOST] = "host",         [FM_RESET_CAUSE_TRIPLE_FAULT] = "triple-fault",
	[FM_RESET_CAUSE_WATCHDOG] = "watchdog", [FM_RESET_CAUSE_PANIC] = "panic",
};

static const char *const overwrites[FM_OVERWRITE_COUNT] = {
	[FM_OVERWRITE_NONE] = "none",
	[FM_OVERWRITE_CLEAR] = "clear",
	[FM_OVERWRITE_PENDING] = "pending",
};

static const char *const phases[FM_RESET_PHASE_COUNT] = {
	[FM_RESET_PHASE_ATTEST] = "attest",
	[FM_RESET_PHASE_FLUSH] = "flush",
	[FM_RESET_PHASE_QUIESCE] = "quiesce",
	[FM_RESET_PHASE_REFLUSH] = "reflush",
	[FM_RESET_PHASE_CLEAR] = "clear",
	[FM_RESET_PHASE_VERIFY] = "verify",
	[FM_RESET_PHASE_PERSIST] = "persist",
	[FM_RESET_PHASE_DEVICES] = "devices",
	[FM_RESET_PHASE_ACKNOWLEDGE] = "acknowledge",
	[FM_RESET_PHASE_DONE] = "done",
};

static const char *word(const char *const *list, unsigned count, unsigned value)
{
	return value < count ? list[value] : "unknown";
}

/* Its index, or `count`. */
static unsigned find(const char *const *list, unsigned count, const char *name)
{
	unsigned i = 0;

	while (i < count && (!name || strcmp(list[i], name) != 0))
		i++;
	return i;
}

const char *fm_reset_kind_name(enum fm_reset_kind kind)
{
	return word(kinds, FM_RESET_COUNT, kind);
}

const char *fm_reset_action_name(enum fm_reset_action action)
{
	return word(actions, FM_RESET_ACTION_COUNT, action);
}

const char *fm_reset_cause_name(enum fm_reset_cause cause)
{
	return word(causes, FM_RESET_CAUSE_COUNT, cause);
}

const char *fm_reset_overwrite_name(enum fm_reset_overwrite overwrite)
{
	return word(overwrites, FM_OVERWRITE_COUNT, overwrite);
}

const char *fm_reset_phase_name(enum fm_reset_phase phase)
{
	return word(phases, FM_RESET_PHASE_COUNT, phase);
}

enum fm_reset_kind fm_reset_kind_from_name(const char *name)
{
	return (enum fm_reset_kind)find(kinds, FM_RESET_COUNT, name);
}

enum fm_reset_action fm_reset_action_from_name(const char *name)
{
	return (enum fm_reset_action)find(actions, FM_RESET_ACTION_COUNT, name);
}

enum fm_reset_action fm_reset_default(enum fm_role role, enum fm_reset_kind kind, bool overwrite,
				      const char **reason)
{
	const struct fmi_reset_cell *cell;

	if (role <= FM_ROLE_NONE || role >= FM_ROLE_COUNT || (unsigned)kind >= FM_RESET_COUNT) {
		if (reason)
			*reason = "no such role or kind";
		return FM_RESET_REFUSE;
	}
	cell = fmi_reset_cell(role, kind, overwrite);
	if (reason)
		*reason = cell->reason;
	return cell->action;
}

void fm_reset_plan_free(struct fm_reset_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++)
		free((void *)(uintptr_t)plan->steps[i].digest);
	free(plan->steps);
	free(plan);
}

void fm_reset_report_clear(struct fm_reset_report *report)
{
	if (!report)
		return;
	free(report->results);
	*report = (struct fm_reset_report){ .phase = FM_RESET_PHASE_ATTEST };
}
