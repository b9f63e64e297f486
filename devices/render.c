/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render: what is seen at some addresses. A sweep over the windows that meet them, low addresses
 * first, with the windows under way in a heap by priority.
 */
#include "devices/space_private.h"

#include "devices/bytes.h"
#include "devices/device_private.h"

#include <firmem/block.h>

#include <stdlib.h>
#include <string.h>

/* --- from a window to ranges ---------------------------------------------------------------- */

/* Take from the device's answer what holds, so that a wrong one traps and harms nobody. */
static void describe(struct fm_range *r, const struct fm_mapping *m)
{
	uint64_t skip = r->dev_off - m->off;

	r->flags = m->flags;
	if (!m->block || m->block_off > fm_block_len(m->block) ||
	    !fmi_in_range(skip, r->len, fm_block_len(m->block) - m->block_off))
		return;
	r->block = m->block;
	r->block_off = m->block_off + skip;
	r->host = (uint8_t *)fm_block_ptr(m->block) + r->block_off;
	r->prot = m->prot & (FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC);
	if (fm_block_flags(m->block) & FM_BLOCK_READONLY)
		r->prot &= ~(unsigned)FM_MAP_WRITE;
}

/* Append what a window shows at the addresses of a span inside it. */
static void show(const struct fm_space *space, const struct fm_window *w,
		 const struct fmi_span *span, struct fmi_view_builder *b)
{
	/* Not ours to unlock where a verb of this device is what changes the map. */
	bool locked = (space->flags & FM_SPACE_LOCK_DEVICES) && fmi_dev_lock(w->dev);
	uint64_t left = span->last - span->first + 1;
	struct fm_range r = { .gpa = span->first,
			      .dev = w->dev,
			      .dev_off = w->dev_off + (span->first - w->gpa),
			      .priority = w->priority,
			      .window = w };

	while (left) {
		struct fm_range part = r;
		struct fm_mapping m = { 0 };

		part.len = left;
		if (!fm_dev_map(w->dev, part.dev_off, &m) && part.dev_off >= m.off &&
		    part.dev_off - m.off < m.len) {
			part.len = fmi_min_u64(left, m.len - (part.dev_off - m.off));
			describe(&part, &m);
		}
		fmi_view_append(b, &part);
		r.gpa += part.len;
		r.dev_off += part.len;
		left -= part.len;
	}
	if (locked)
		fm_dev_unlock(w->dev);
}

/* --- the sweep --------------------------------------------------------------------------- */

/* The windows that meet the span, in order of address. */
struct found {
	struct fm_window **windows;
	size_t count;
	size_t room;
};

static bool collect(void *ctx, struct fm_window *w)
{
	struct found *f = ctx;

	if (f->count == f->room) {
		size_t room = f->room ? 2 * f->room : 16;
		struct fm_window **grown = realloc(f->windows, room * sizeof(struct fm_window *));

		if (!grown)
			return false;
		f->windows = grown;
		f->room = room;
	}
	f->windows[f->count++] = w;
	return true;
}

/* How far we are among them, and those that have begun, the highest first. */
struct sweep {
	const struct found *found;
	size_t begun;
	struct fm_window **heap;
	size_t nheap;
};

static void heap_push(struct sweep *s, struct fm_window *w)
{
	size_t i = s->nheap++;

	for (; i && s->heap[(i - 1) / 2]->priority < w->priority; i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = w;
}

static void heap_pop(struct sweep *s)
{
	struct fm_window *w = s->heap[--s->nheap];
	size_t i = 0;

	for (size_t child = 1; child < s->nheap; child = 2 * i + 1) {
		if (child + 1 < s->nheap && s->heap[child + 1]->priority > s->heap[child]->priority)
			child++;
		if (s->heap[child]->priority <= w->priority)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = w;
}

/* The window seen at `at`, where every window that begins up to there has begun; or NULL. */
static struct fm_window *top(struct sweep *s, uint64_t at)
{
	while (s->begun < s->found->count && s->found->windows[s->begun]->gpa <= at)
		heap_push(s, s->found->windows[s->begun++]);
	while (s->nheap && fmi_window_span(s->heap[0]).last < at)
		heap_pop(s);
	return s->nheap ? s->heap[0] : NULL;
}

/* The last address up to `last` at which nothing higher than `w` has begun. */
static uint64_t until_hidden(struct sweep *s, const struct fm_window *w, uint64_t last)
{
	for (; s->begun < s->found->count && s->found->windows[s->begun]->gpa <= last; s->begun++) {
		struct fm_window *next = s->found->windows[s->begun];

		if (next->priority > w->priority)
			return next->gpa - 1;
		heap_push(s, next);
	}
	return last;
}

static void sweep(const struct fm_space *space, struct sweep *s, const struct fmi_span *span,
		  struct fmi_view_builder *b)
{
	struct fmi_span piece = { .first = span->first };

	for (;;) {
		struct fm_window *w = top(s, piece.first);

		if (w) {
			uint64_t end = fmi_min_u64(fmi_window_span(w).last, span->last);

			piece.last = until_hidden(s, w, end);
			show(space, w, &piece, b);
			if (piece.last == span->last)
				return;
			piece.first = piece.last + 1;
		} else if (s->begun < s->found->count) {
			piece.first = s->found->windows[s->begun]->gpa;
		} else {
			return;
		}
	}
}

static bool render(void *ctx, const struct fmi_span *span, struct fmi_view_builder *b)
{
	struct fm_space *space = ctx;
	struct found found = { 0 };
	struct sweep s = { .found = &found };
	bool ok = fmi_windows_visit(space, span, collect, &found);

	if (ok && found.count) {
		s.heap = malloc(found.count * sizeof(struct fm_window *));
		ok = s.heap != NULL;
		if (ok)
			sweep(space, &s, span, b);
	}
	free(s.heap);
	free(found.windows);
	return ok;
}

/* --- spans ------------------------------------------------------------------------------- */

static int compare_spans(const void *a, const void *b)
{
	const struct fmi_span *x = a;
	const struct fmi_span *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Sort, and join what overlaps or touches. */
static size_t join(struct fmi_span *spans, size_t count)
{
	size_t n = 0;

	if (count > 1)
		qsort(spans, count, sizeof(*spans), compare_spans);
	for (size_t i = 0; i < count; i++) {
		if (n &&
		    (spans[n - 1].last == UINT64_MAX || spans[i].first <= spans[n - 1].last + 1))
			spans[n - 1].last = fmi_max_u64(spans[n - 1].last, spans[i].last);
		else
			spans[n++] = spans[i];
	}
	return n;
}

struct fm_view *fmi_space_render(struct fm_space *space, const struct fm_view *old,
				 struct fmi_span *spans, size_t nspans)
{
	return fmi_view_splice(old, spans, join(spans, nspans), render, space);
}
