/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/mapping.h"

#include <stdlib.h>

#define PAGE 4096u
#define PAYING_READS 200000u /* about what mapping a bank and taking it away again costs */

static int trap(struct mapping *m, uint64_t gpa, uint64_t len, struct fm_error *err)
{
	return len ? cpu_trap(m->cpu, gpa, len, err) : 0;
}

static int take(struct mapping *m, const struct fm_step *step, struct fm_error *err)
{
	int rc;

	for (unsigned i = 0; i < m->later_count; i++) {
		if (m->later[i].gpa == step->gpa && m->later[i].len == step->len) {
			m->later[i] = m->later[--m->later_count];
			return 0; /* was never given */
		}
	}
	m->changes++;
	rc = cpu_unmap(m->cpu, step->gpa, step->len, err);
	return rc ? rc : trap(m, step->gpa, step->len, err);
}

static int give(struct mapping *m, const struct fm_step *step, struct fm_error *err)
{
	int rc = cpu_unmap(m->cpu, step->gpa, step->len, err); /* the trap */

	m->changes++;
	return rc ? rc : cpu_map(m->cpu, step->gpa, step->len, step->host, step->prot, err);
}

static int give_later(struct mapping *m, const struct fm_step *step, struct fm_error *err)
{
	if (m->later_count == MAPPING_LATER)
		return fm_error_set(err, FM_ERR_NOSPACE, 0,
				    "mapping: more than %u ranges at once, expected fewer",
				    MAPPING_LATER);
	m->later[m->later_count++] = *step;
	return 0;
}

static int apply(struct mapping *m, const struct fm_step *step, bool now, struct fm_error *err)
{
	int rc = 0;

	if (step->kind != FM_STEP_MAP)
		rc = take(m, step, err);
	if (rc || step->kind == FM_STEP_UNMAP)
		return rc;
	return now ? give(m, step, err) : give_later(m, step, err);
}

/* Go from the view that the mappings were made from to the present one. */
static int sync(struct mapping *m, bool now, struct fm_error *err)
{
	const struct fm_view *view;
	struct fm_step *steps;
	size_t count;
	int rc = fm_space_refresh(m->space, err);

	if (rc < 0)
		return rc;
	view = fm_space_view_get(m->space);
	rc = fm_view_diff(m->view, view, PAGE, FM_DIFF_FOLLOW_HINT, &steps, &count, err);
	if (rc) {
		fm_view_put(view);
		return rc;
	}
	for (size_t i = 0; !rc && i < count; i++)
		rc = apply(m, &steps[i], now, err);
	free(steps);
	fm_view_put(m->view);
	m->view = view;
	return rc;
}

/* Trap what of a range the steps do not map. Both are in order of address. */
static int trap_rest(struct mapping *m, const struct fm_range *r, const struct fm_step *steps,
		     size_t count, struct fm_error *err)
{
	uint64_t at = r->gpa;
	uint64_t end = r->gpa + r->len;
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		if (steps[i].gpa < at || steps[i].gpa >= end)
			continue;
		rc = trap(m, at, steps[i].gpa - at, err);
		at = steps[i].gpa + steps[i].len;
	}
	return rc || at >= end ? rc : trap(m, at, end - at, err);
}

int mapping_begin(struct mapping *m, struct fm_space *space, struct cpu *cpu, struct fm_error *err)
{
	struct fm_step *steps = NULL;
	size_t count = 0;
	int rc = fm_space_refresh(space, err);

	if (rc < 0)
		return rc;
	m->space = space;
	m->cpu = cpu;
	m->behind_len = 0;
	m->later_count = 0;
	m->view = fm_space_view_get(space);
	rc = fm_view_diff(NULL, m->view, PAGE, FM_DIFF_FOLLOW_HINT, &steps, &count, err);
	for (size_t i = 0; !rc && i < fm_view_count(m->view); i++)
		rc = trap_rest(m, fm_view_range(m->view, i), steps, count, err);
	for (size_t i = 0; !rc && i < count; i++)
		rc = cpu_map(cpu, steps[i].gpa, steps[i].len, steps[i].host, steps[i].prot, err);
	free(steps);
	return rc;
}

void mapping_end(struct mapping *m)
{
	fm_view_put(m->view);
	m->view = NULL;
}

int mapping_changed(struct mapping *m, uint64_t gpa, struct fm_error *err)
{
	const struct fm_range *r = fm_view_find(m->view, gpa);

	if (!r)
		return 0;
	m->behind_gpa = r->gpa;
	m->behind_len = r->len;
	m->reads = 0;
	return r->prot && !(r->flags & FM_MAP_HINT_TRAP) ? sync(m, false, err) : 0;
}

bool mapping_read(struct mapping *m, uint64_t gpa)
{
	return gpa - m->behind_gpa < m->behind_len && ++m->reads >= PAYING_READS;
}

int mapping_catch_up(struct mapping *m, struct fm_error *err)
{
	int rc = 0;

	while (!rc && m->later_count)
		rc = give(m, &m->later[--m->later_count], err);
	if (rc || m->reads < PAYING_READS || !m->behind_len)
		return rc;
	m->behind_len = 0;
	m->reads = 0;
	return sync(m, true, err);
}
