/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/mapping.h"

#include <stdlib.h>

#define PAGE 4096u
#define PAYING_READS 20000u /* about what giving a piece and taking it away again costs */

static bool holds(const struct mapping_piece *p, uint64_t gpa)
{
	return gpa - p->gpa < p->len;
}

static struct mapping_piece *piece_at(struct mapping *m, uint64_t gpa)
{
	if (gpa >= m->end)
		return NULL;
	for (unsigned i = 0; !holds(m->hot, gpa) && i < m->count; i++)
		m->hot = &m->pieces[i];
	return holds(m->hot, gpa) ? m->hot : NULL;
}

/* The view's range that holds all of the piece and can be read without a trap, or NULL. */
static const struct fm_range *readable(const struct mapping *m, const struct mapping_piece *p)
{
	const struct fm_range *r = fm_view_find(m->view, p->gpa);

	if (!r || !(r->prot & FM_MAP_READ) || r->len - (p->gpa - r->gpa) < p->len)
		return NULL;
	return r;
}

static int map_piece(struct mapping *m, struct mapping_piece *p, const struct fm_range *r,
		     struct fm_error *err)
{
	p->mapped = true;
	return cpu_map(m->cpu, p->gpa, p->len, r->host + (p->gpa - r->gpa), r->prot, err);
}

/* --- the start ----------------------------------------------------------------------------- */

static int add_piece(struct mapping *m, uint64_t gpa, uint64_t len, uint64_t code_end,
		     struct fm_error *err)
{
	struct mapping_piece *p = &m->pieces[m->count];
	const struct fm_range *r;

	if (m->count == MAPPING_PIECES)
		return fm_error_set(err, FM_ERR_NOSPACE, 0,
				    "mapping: more than %u pieces of flash, expected fewer",
				    MAPPING_PIECES);
	m->count++;
	m->end = gpa + len > m->end ? gpa + len : m->end;
	*p = (struct mapping_piece){ .gpa = gpa, .len = len };
	r = gpa < code_end ? readable(m, p) : NULL;
	return r ? map_piece(m, p, r, err) : cpu_trap(m->cpu, gpa, len, err);
}

/* A range whose mapping comes and goes. */
static int add_bank(struct mapping *m, const struct fm_range *r, uint64_t code_end,
		    struct fm_error *err)
{
	int rc = 0;

	for (uint64_t at = 0; !rc && at < r->len; at += MAPPING_PIECE) {
		uint64_t left = r->len - at;

		rc = add_piece(m, r->gpa + at, left < MAPPING_PIECE ? left : MAPPING_PIECE,
			       code_end, err);
	}
	return rc;
}

static int add_range(struct mapping *m, const struct fm_range *r, uint64_t code_end,
		     struct fm_error *err)
{
	if (!r->block)
		return cpu_trap(m->cpu, r->gpa, r->len, err);
	if (r->flags & FM_MAP_STABLE)
		return cpu_map(m->cpu, r->gpa, r->len, r->host, r->prot, err);
	return add_bank(m, r, code_end, err);
}

int mapping_begin(struct mapping *m, struct fm_space *space, struct cpu *cpu, uint64_t code_end,
		  struct fm_error *err)
{
	const struct fm_range *r;
	int rc = fm_space_refresh(space, err);

	if (rc < 0)
		return rc;
	*m = (struct mapping){
		.space = space,
		.cpu = cpu,
		.view = fm_space_view_get(space),
		.hot = m->pieces,
		.changes = m->changes,
	};
	rc = 0;
	for (size_t i = 0; !rc && (r = fm_view_range(m->view, i)); i++)
		rc = add_range(m, r, code_end, err);
	return rc;
}

void mapping_end(struct mapping *m)
{
	fm_view_put(m->view);
	m->view = NULL;
}

/* --- changes -------------------------------------------------------------------------------- */

static int take(struct mapping *m, struct mapping_piece *p, struct fm_error *err)
{
	int rc = cpu_unmap(m->cpu, p->gpa, p->len, err);

	p->mapped = false;
	m->changes++;
	return rc ? rc : cpu_trap(m->cpu, p->gpa, p->len, err);
}

static int give(struct mapping *m, struct mapping_piece *p, struct fm_error *err)
{
	const struct fm_range *r = readable(m, p);
	int rc;

	if (!r) /* the device has gone on to another mode since */
		return 0;
	m->changes++;
	rc = cpu_unmap(m->cpu, p->gpa, p->len, err); /* the trap */
	return rc ? rc : map_piece(m, p, r, err);
}

/* Take the pieces that a step changes. What it would map anew has to pay first. */
static int apply(struct mapping *m, const struct fm_step *step, struct fm_error *err)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < m->count; i++) {
		struct mapping_piece *p = &m->pieces[i];

		if (step->kind != FM_STEP_MAP && p->mapped && p->gpa - step->gpa < step->len)
			rc = take(m, p, err);
	}
	return rc;
}

/* Go on to the present view, and take away what it no longer maps as the last one did. */
static int follow(struct mapping *m, struct fm_error *err)
{
	const struct fm_view *view;
	struct fm_step *steps;
	size_t count;
	int rc = fm_space_refresh(m->space, err);

	if (rc < 0)
		return rc;
	view = fm_space_view_get(m->space);
	rc = fm_view_diff(m->view, view, PAGE, FM_DIFF_WHOLE, &steps, &count, err);
	if (rc) {
		fm_view_put(view);
		return rc;
	}
	for (size_t i = 0; !rc && i < count; i++)
		rc = apply(m, &steps[i], err);
	free(steps);
	fm_view_put(m->view);
	m->view = view;
	return rc;
}

/* The pieces of the range that holds `gpa` start counting anew. Is one of them mapped? */
static bool start_counting(struct mapping *m, uint64_t gpa)
{
	const struct fm_range *r = fm_view_find(m->view, gpa);
	bool mapped = false;

	for (unsigned i = 0; r && i < m->count; i++) {
		if (m->pieces[i].gpa - r->gpa < r->len) {
			m->pieces[i].reads = 0;
			mapped |= m->pieces[i].mapped;
		}
	}
	return mapped;
}

int mapping_changed(struct mapping *m, uint64_t gpa, struct fm_error *err)
{
	return start_counting(m, gpa) ? follow(m, err) : 0;
}

bool mapping_read(struct mapping *m, uint64_t gpa)
{
	struct mapping_piece *p = piece_at(m, gpa);

	if (!p || ++p->reads < PAYING_READS)
		return false;
	m->due = p;
	return true;
}

int mapping_catch_up(struct mapping *m, struct fm_error *err)
{
	struct mapping_piece *p = m->due;
	int rc;

	if (!p)
		return 0;
	m->due = NULL;
	p->reads = 0;
	rc = follow(m, err);
	return rc || p->mapped ? rc : give(m, p, err);
}
