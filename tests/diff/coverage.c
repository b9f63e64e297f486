/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/coverage.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const state_names[FMI_QEMU_AMD_STATES] = {
	"ready",   "unlock-2", "command",       "autoselect", "program-data", "erase-1",
	"erase-2", "erase-3",  "erase-sectors", "erase-chip", "query",        "autoselect-query",
};

static const char *const case_names[COVER_CASES] = {
	[COVER_BYPASS] = "bypass",
	[COVER_WINDOW] = "window",
	[COVER_ERASING] = "erasing",
	[COVER_SUSPENDED] = "suspended",
	[COVER_SUSPENDED_READ] = "suspended-read",
	[COVER_SUSPENDED_ARRAY] = "suspended-read-array",
	[COVER_RESUMED] = "resumed",
	[COVER_SECTORS_DONE] = "sectors-done",
	[COVER_CHIP_DONE] = "chip-done",
	[COVER_STRAY] = "stray-timer",
	[COVER_STRAY_FIRED] = "stray-timer-fired",
	[COVER_BYPASS_DONE] = "bypass-done",
	[COVER_BYPASS_MAPPED] = "bypass-mapped",
	[COVER_RESET] = "reset-with-timer",
	[COVER_RESET_SUSPENDED] = "reset-suspended",
	[COVER_MAPPED_AGAIN] = "mapped-by-reads",
};

static bool is_stray(const struct fmi_qemu_amd *m)
{
	return m->deadline_ns != FM_NEVER && m->state != FMI_QEMU_AMD_SECTORS &&
	       m->state != FMI_QEMU_AMD_CHIP;
}

/* What happened from `was` to `m`. */
static void note_change(struct coverage *c, const struct fmi_qemu_amd *was,
			const struct fmi_qemu_amd *m)
{
	bool fired = was->deadline_ns != FM_NEVER && m->deadline_ns == FM_NEVER;

	c->cases[COVER_RESUMED] += was->remaining_ns && !m->remaining_ns;
	if (fired && !m->remaining_ns) {
		c->cases[COVER_SECTORS_DONE] += was->state == FMI_QEMU_AMD_SECTORS;
		c->cases[COVER_CHIP_DONE] += was->state == FMI_QEMU_AMD_CHIP;
		c->cases[COVER_BYPASS_DONE] += m->bypass;
		c->cases[COVER_STRAY_FIRED] += is_stray(was) && was->state != m->state;
	}
	c->cases[COVER_MAPPED_AGAIN] += !fired && !was->mapped && m->mapped;
}

void coverage_note(struct coverage *c, const struct fmi_flash *f)
{
	const struct fmi_qemu_amd *m = &f->qemu.machine;
	bool sectors = m->state == FMI_QEMU_AMD_SECTORS;

	c->states[m->state]++;
	c->cases[COVER_BYPASS] += m->bypass;
	c->cases[COVER_BYPASS_MAPPED] += m->mapped && m->state != FMI_QEMU_AMD_READY;
	c->cases[COVER_WINDOW] += sectors && !(m->dq & FMI_QEMU_DQ3);
	c->cases[COVER_ERASING] += sectors && (m->dq & FMI_QEMU_DQ3);
	c->cases[COVER_SUSPENDED] += m->remaining_ns != 0;
	c->cases[COVER_STRAY] += is_stray(m);
	note_change(c, &c->last, m);
	c->last = *m;
}

void coverage_note_read(struct coverage *c, const struct fmi_flash *f, uint64_t off)
{
	const struct fmi_qemu_amd *m = &f->qemu.machine;

	if (!m->remaining_ns || !fmi_qemu_bank_marked(f, off))
		return;
	c->cases[COVER_SUSPENDED_READ]++;
	c->cases[COVER_SUSPENDED_ARRAY] += m->mapped;
}

void coverage_note_reset(struct coverage *c, const struct fmi_flash *f)
{
	c->cases[COVER_RESET] += f->qemu.machine.deadline_ns != FM_NEVER;
	c->cases[COVER_RESET_SUSPENDED] += f->qemu.machine.remaining_ns != 0;
}

static bool print_one(const char *name, uint64_t n)
{
	printf("  %-20s %10" PRIu64 "\n", name, n);
	return n;
}

bool coverage_print(const struct coverage *c)
{
	bool all = true;

	printf("operations after which the bank was in a state, and events:\n");
	for (unsigned n = 0; n < FMI_QEMU_AMD_STATES; n++)
		all &= print_one(state_names[n], c->states[n]);
	for (unsigned n = 0; n < COVER_CASES; n++)
		all &= print_one(case_names[n], c->cases[n]);
	if (!all)
		printf("a state or an event was never reached\n");
	return all;
}
