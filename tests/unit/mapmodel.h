/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapmodel: random changes of a map, and beside the space a model so plain that it is evidently
 * right: an array of windows, of which each unit of addresses shows the highest.
 */
#ifndef FIRMEM_TESTS_MAPMODEL_H
#define FIRMEM_TESTS_MAPMODEL_H

#include "tests/unit/mapdev.h"
#include "tests/unit/rng.h"

#define MODEL_UNITS 512u
#define MODEL_WINDOWS 400u
#define MODEL_DEVS 6u

struct model_window {
	struct fm_window *window; /* NULL: free */
	unsigned dev;
	unsigned at; /* in units from the base */
	unsigned count;
	unsigned dev_at;
	int priority;
	bool enabled;
};

struct model {
	struct rng rng;
	struct fm_space *space;
	uint64_t base;
	uint64_t unit;
	struct mapdev devs[MODEL_DEVS];
	struct model_window windows[MODEL_WINDOWS];
	unsigned slots;   /* how many windows there may be */
	unsigned longest; /* of a window, in units */
	unsigned grain;   /* a device's answers mostly begin and end at multiples of it, in units */
	unsigned fill;    /* of 100 additions or removals, how many are additions */
	/* What happened, so that a test can tell that it tested something. */
	unsigned adds, removes, moves, toggles, remaps, overlaps, undone;
};

/* Protections and hints as real devices give them; the last one is plain memory. */
static inline void model_scramble(struct model *m, struct mapdev *d)
{
	static const unsigned prots[] = { 0, RX, RWX, FM_MAP_READ };
	unsigned first = rng_below(&m->rng, MODEL_UNITS);
	unsigned count = 1 + rng_below(&m->rng, 8);
	unsigned prot = prots[rng_below(&m->rng, 4)];
	unsigned flags = rng_one_in(&m->rng, 4) ? FM_MAP_HINT_TRAP : 0;

	if (!rng_one_in(&m->rng, 4)) {
		first -= first % m->grain;
		count += -count % m->grain;
	}
	if (rng_one_in(&m->rng, 16)) {
		first = 0;
		count = MODEL_UNITS;
	}
	for (unsigned i = first; i < first + count && i < MODEL_UNITS; i++) {
		d->prot[i] = prot;
		d->flags[i] = flags;
	}
}

/* `slip`: how far guest pages and host pages are apart in one of the devices. */
static inline void model_init(struct model *m, uint64_t seed, uint64_t base, uint64_t unit,
			      unsigned grain, uint64_t slip)
{
	memset(m, 0, sizeof(*m));
	m->rng.state = seed;
	m->space = space_make(seed & 1 ? FM_SPACE_LOCK_DEVICES : 0, 0);
	m->base = base;
	m->unit = unit;
	m->slots = MODEL_WINDOWS;
	m->longest = 8;
	m->grain = grain;
	m->fill = 80;
	for (unsigned i = 0; i < MODEL_DEVS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "dev%u", i);
		mapdev_init(&m->devs[i], name, unit, MODEL_UNITS, i ? RWX : 0, 0,
			    i == 1 ? slip : 0);
		for (unsigned n = 0; i > 1 && n < 64; n++)
			model_scramble(m, &m->devs[i]);
	}
}

static inline void model_exit(struct model *m)
{
	fm_space_free(m->space);
	for (unsigned i = 0; i < MODEL_DEVS; i++)
		mapdev_exit(&m->devs[i]);
}

static inline uint64_t model_gpa(const struct model *m, unsigned at)
{
	return m->base + at * m->unit;
}

/* Do two windows of one priority show at one unit? */
static inline bool model_overlaps(const struct model *m)
{
	uint32_t taken[MODEL_UNITS] = { 0 };

	for (unsigned i = 0; i < MODEL_WINDOWS; i++) {
		const struct model_window *w = &m->windows[i];

		for (unsigned at = w->at; w->window && w->enabled && at < w->at + w->count; at++) {
			uint32_t bit = 1u << (w->priority + 1);

			if (taken[at] & bit)
				return true;
			taken[at] |= bit;
		}
	}
	return false;
}

/* For each unit the window that is seen there, or NULL. */
static inline void model_seen(const struct model *m, const struct model_window **seen)
{
	memset(seen, 0, MODEL_UNITS * sizeof(*seen));
	for (unsigned i = 0; i < MODEL_WINDOWS; i++) {
		const struct model_window *w = &m->windows[i];

		for (unsigned at = w->at; w->window && w->enabled && at < w->at + w->count; at++) {
			if (!seen[at] || w->priority > seen[at]->priority)
				seen[at] = w;
		}
	}
}

/* Somewhere, and now and then right behind, before or upon another window, or at either end. */
static inline unsigned model_place(struct model *m, unsigned count)
{
	const struct model_window *near = &m->windows[rng_below(&m->rng, m->slots)];
	unsigned at = rng_below(&m->rng, MODEL_UNITS - count + 1);

	if (near->window && rng_one_in(&m->rng, 2)) {
		at = near->at;
		if (rng_one_in(&m->rng, 2))
			at += near->count;
		else if (at >= count && rng_one_in(&m->rng, 2))
			at -= count;
	}
	if (rng_one_in(&m->rng, 20))
		at = MODEL_UNITS - count;
	return at + count <= MODEL_UNITS ? at : MODEL_UNITS - count;
}

static inline int model_add(struct model *m, struct model_window *w)
{
	struct fm_window_config cfg;
	unsigned longest = rng_one_in(&m->rng, 12) ? MODEL_UNITS : m->longest;
	int rc;

	w->count = 1 + rng_below(&m->rng, longest);
	w->at = model_place(m, w->count);
	w->dev = rng_below(&m->rng, MODEL_DEVS);
	w->dev_at = rng_below(&m->rng, MODEL_UNITS - w->count + 1);
	/* An identity now and then, so that neighbours continue one another. */
	if (rng_one_in(&m->rng, 3))
		w->dev_at = w->at;
	else if (rng_one_in(&m->rng, 2)) /* or as if four units were a page */
		w->dev_at = (w->dev_at & ~3u) | (w->at & 3u);
	if (w->dev_at > MODEL_UNITS - w->count)
		w->dev_at -= 4;
	w->priority = longest == MODEL_UNITS ? -1 : (int)rng_below(&m->rng, 8);
	w->enabled = !rng_one_in(&m->rng, 8);
	cfg = window_at(m->devs[w->dev].dev, NULL, model_gpa(m, w->at), w->dev_at * m->unit,
			w->count * m->unit, w->priority);
	cfg.disabled = !w->enabled;
	rc = fm_space_add(m->space, &cfg, &w->window, NULL);
	m->adds += !rc;
	if (rc) /* stands there until the step is taken back, to be judged */
		w->window = (struct fm_window *)(void *)m;
	return rc;
}

/* One change, to the space and the model; returns what the space said. */
static inline int model_change(struct model *m)
{
	struct model_window *w = &m->windows[rng_below(&m->rng, m->slots)];
	int rc;

	if (!w->window)
		return rng_below(&m->rng, 100) < m->fill ? model_add(m, w) : 0;
	if (rng_one_in(&m->rng, 3)) {
		w->enabled = !w->enabled;
		m->toggles++;
		return fm_space_enable(m->space, w->window, w->enabled, NULL);
	}
	if (rng_one_in(&m->rng, 2)) {
		w->at = model_place(m, w->count);
		m->moves++;
		return fm_space_move(m->space, w->window, model_gpa(m, w->at), NULL);
	}
	if (rng_below(&m->rng, 100) < m->fill)
		return 0;
	rc = fm_space_remove(m->space, w->window, NULL);
	w->window = NULL;
	m->removes++;
	return rc;
}

/* One step of a random history: a change, a few in a transaction, or a device that remaps. */
static inline void model_step(struct model *m)
{
	struct model_window before[MODEL_WINDOWS];
	unsigned changes = rng_one_in(&m->rng, 4) ? rng_below(&m->rng, 12) : 1;
	bool expected;
	int rc = 0;

	if (rng_one_in(&m->rng, 6)) {
		struct mapdev *d = &m->devs[rng_below(&m->rng, MODEL_DEVS)];

		model_scramble(m, d);
		mapdev_remapped(d);
		assert_true(fm_space_refresh(m->space, NULL) >= 0);
		m->remaps++;
		return;
	}
	if (rng_one_in(&m->rng, 100))
		m->fill = 100 - m->fill;
	memcpy(before, m->windows, sizeof(before));
	if (changes != 1)
		fm_space_begin(m->space);
	for (unsigned i = 0; i < changes; i++)
		rc = model_change(m);
	if (changes != 1) {
		assert_int_equal(rc, 0); /* judged at the commit */
		rc = fm_space_commit(m->space, NULL);
	}
	expected = model_overlaps(m);
	if (expected) {
		assert_int_equal(rc, FM_ERR_OVERLAP);
		m->overlaps++;
		m->undone += changes > 1;
		memcpy(m->windows, before, sizeof(before));
		return;
	}
	assert_int_equal(rc, 0);
}

/* --- pages, for tests of diffs ------------------------------------------------------------- */

#define MODEL_PAGES (MODEL_UNITS / 4) /* units are a quarter of a page there */

/* What is mapped at a page: a host address and a protection, or nothing. */
struct page {
	uint8_t *host;
	unsigned prot;
};

/* A page is mapped if each of its bytes is the host's next one under one protection. */
static inline struct page page_of(const struct fm_view *view, uint64_t gpa, uint64_t page,
				  unsigned flags)
{
	const struct fm_range *first = fm_view_find(view, gpa);
	struct page p = { 0 };

	for (uint64_t at = gpa; at - gpa < page; at += page / 4) {
		const struct fm_range *r = fm_view_find(view, at);

		if (!r || !r->prot || r->prot != first->prot || r->block != first->block ||
		    r->host + (at - r->gpa) != first->host + (at - first->gpa) ||
		    ((flags & FM_DIFF_FOLLOW_HINT) && (r->flags & FM_MAP_HINT_TRAP)))
			return p;
	}
	p.host = first->host + (gpa - first->gpa);
	p.prot = first->prot;
	return (uintptr_t)p.host % page ? (struct page){ 0 } : p;
}

#endif
