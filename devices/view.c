/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/view.h"

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

/* --- chunks ------------------------------------------------------------------------------ */

static void chunk_put(struct fmi_chunk *chunk)
{
	if (atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) == 1)
		free(chunk);
}

/* Takes over the caller's reference, also where it fails. */
static void add_chunk(struct fmi_view_builder *b, struct fmi_chunk *chunk)
{
	if (b->nchunks == b->room) {
		size_t room = b->room ? 2 * b->room : 16;
		struct fmi_chunk **grown = realloc(b->chunks, room * sizeof(struct fmi_chunk *));

		if (!grown) {
			b->nomem = true;
			chunk_put(chunk);
			return;
		}
		b->chunks = grown;
		b->room = room;
	}
	b->chunks[b->nchunks++] = chunk;
}

/* Make a chunk of the first `count` pending ranges. */
static void emit(struct fmi_view_builder *b, size_t count)
{
	size_t bytes = count * sizeof(struct fm_range);
	struct fmi_chunk *chunk = malloc(sizeof(*chunk) + bytes);

	if (!chunk) {
		b->nomem = true;
	} else {
		atomic_init(&chunk->refs, 1);
		chunk->count = count;
		memcpy(chunk->ranges, b->pending, bytes);
		add_chunk(b, chunk);
	}
	b->npending -= count;
	memmove(b->pending, b->pending + count, b->npending * sizeof(struct fm_range));
}

/* Nothing is pending afterwards. Halves, so that no small rest comes off a full chunk. */
static void emit_all(struct fmi_view_builder *b)
{
	if (b->npending > FMI_CHUNK)
		emit(b, b->npending / 2);
	if (b->npending)
		emit(b, b->npending);
}

/* --- builder ----------------------------------------------------------------------------- */

/* Of one window, what follows in the guest follows in the device; not so in a block. */
static bool continues(const struct fm_range *a, const struct fm_range *b)
{
	return a->window == b->window && a->gpa + a->len == b->gpa && a->block == b->block &&
	       (!a->block || a->block_off + a->len == b->block_off) && a->prot == b->prot &&
	       a->flags == b->flags;
}

void fmi_view_append(struct fmi_view_builder *b, const struct fm_range *r)
{
	struct fm_range *tail = b->npending ? &b->pending[b->npending - 1] : NULL;

	if (tail && continues(tail, r)) {
		tail->len += r->len;
		return;
	}
	if (b->npending == 2 * FMI_CHUNK)
		emit(b, FMI_CHUNK);
	b->pending[b->npending++] = *r;
}

/* The part of `r` inside the span, which it meets. */
static struct fm_range clip(const struct fm_range *r, const struct fmi_span *span)
{
	struct fm_range part = *r;
	uint64_t skip = span->first > r->gpa ? span->first - r->gpa : 0;
	uint64_t last = fmi_min_u64(fmi_range_last(r), span->last);

	part.gpa += skip;
	part.dev_off += skip;
	part.len = last - part.gpa + 1;
	if (r->block) {
		part.block_off += skip;
		part.host += skip;
	}
	return part;
}

/* Where the copying of an old view is. */
struct cursor {
	const struct fm_view *view;
	size_t chunk;
	size_t range;
};

/*
 * A chunk that touches no changed address can be shared. One that only borders on a changed
 * address cannot: what is rendered there may continue its first or last range. The span is what
 * lies between two changes, or reaches to 0 or 2^64 - 1 where there is no change any more.
 */
static bool shareable(const struct fmi_chunk *chunk, const struct fmi_span *span)
{
	return chunk->count >= FMI_CHUNK_MIN &&
	       (!span->first || chunk->ranges[0].gpa > span->first) &&
	       (span->last == UINT64_MAX ||
		fmi_range_last(&chunk->ranges[chunk->count - 1]) < span->last);
}

static void share(struct fmi_view_builder *b, struct fmi_chunk *chunk)
{
	emit_all(b);
	atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
	add_chunk(b, chunk);
}

/* Append what the old view has in the span; the cursor only moves forwards. */
static void copy(struct fmi_view_builder *b, struct cursor *c, const struct fmi_span *span)
{
	while (c->view && c->chunk < c->view->nchunks) {
		struct fmi_chunk *chunk = c->view->index[c->chunk].chunk;

		if (!c->range && shareable(chunk, span) &&
		    (!b->npending || b->npending >= FMI_CHUNK_MIN)) {
			share(b, chunk);
			c->chunk++;
			continue;
		}
		for (; c->range < chunk->count; c->range++) {
			const struct fm_range *r = &chunk->ranges[c->range];
			struct fm_range part;

			if (fmi_range_last(r) < span->first)
				continue;
			if (r->gpa > span->last)
				return;
			part = clip(r, span);
			fmi_view_append(b, &part);
			/* It may go on behind the change. */
			if (fmi_range_last(r) > span->last)
				return;
		}
		c->chunk++;
		c->range = 0;
	}
}

static struct fm_view *finish(struct fmi_view_builder *b)
{
	struct fm_view *view = NULL;

	emit_all(b);
	if (!b->nomem)
		view = malloc(sizeof(*view) + b->nchunks * sizeof(struct fmi_view_entry));
	if (!view) {
		while (b->nchunks)
			chunk_put(b->chunks[--b->nchunks]);
		free(b->chunks);
		return NULL;
	}
	atomic_init(&view->refs, 1);
	view->serial = 0;
	view->retired_next = NULL;
	view->count = 0;
	view->nchunks = b->nchunks;
	for (size_t i = 0; i < b->nchunks; i++) {
		view->index[i] = (struct fmi_view_entry){ .gpa = b->chunks[i]->ranges[0].gpa,
							  .position = view->count,
							  .chunk = b->chunks[i] };
		view->count += b->chunks[i]->count;
	}
	free(b->chunks);
	return view;
}

struct fm_view *fmi_view_splice(const struct fm_view *old, const struct fmi_span *spans,
				size_t nspans, fmi_render_fn *render, void *ctx)
{
	struct fmi_view_builder b;
	struct cursor c = { .view = old };
	struct fmi_span kept = { .first = 0, .last = UINT64_MAX };
	bool more = true;

	b.npending = b.nchunks = b.room = 0;
	b.chunks = NULL;
	b.nomem = false;
	for (size_t i = 0; i < nspans && !b.nomem; i++) {
		if (spans[i].first > kept.first) {
			kept.last = spans[i].first - 1;
			copy(&b, &c, &kept);
		}
		if (!render(ctx, &spans[i], &b))
			b.nomem = true;
		more = spans[i].last < UINT64_MAX;
		kept = (struct fmi_span){ .first = spans[i].last + 1, .last = UINT64_MAX };
	}
	if (more && !b.nomem)
		copy(&b, &c, &kept);
	return finish(&b);
}

/* --- use --------------------------------------------------------------------------------- */

void fm_view_put(const struct fm_view *view)
{
	/* A reference is not a change of the view that anyone can see. */
	struct fm_view *v = (struct fm_view *)(uintptr_t)view;

	if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < v->nchunks; i++)
		chunk_put(v->index[i].chunk);
	free(v);
}

size_t fm_view_count(const struct fm_view *view)
{
	return view->count;
}

const struct fm_range *fm_view_range(const struct fm_view *view, size_t index)
{
	size_t low = 0;
	size_t high = view->nchunks;

	if (index >= view->count)
		return NULL;
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (view->index[mid].position <= index)
			low = mid;
		else
			high = mid;
	}
	return &view->index[low].chunk->ranges[index - view->index[low].position];
}

/* The chunk whose addresses begin at or below `gpa`, or NULL. */
static const struct fmi_view_entry *find_chunk(const struct fm_view *view, uint64_t gpa)
{
	size_t low = 0;
	size_t high = view->nchunks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (view->index[mid].gpa <= gpa)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &view->index[low - 1] : NULL;
}

/* How many of the chunk's ranges begin at or below `gpa`. */
static size_t ranges_up_to(const struct fmi_chunk *chunk, uint64_t gpa)
{
	size_t low = 0;
	size_t high = chunk->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (chunk->ranges[mid].gpa <= gpa)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct fm_range *fm_view_find(const struct fm_view *view, uint64_t gpa)
{
	const struct fmi_view_entry *entry = find_chunk(view, gpa);
	const struct fm_range *r;

	if (!entry)
		return NULL;
	r = &entry->chunk->ranges[ranges_up_to(entry->chunk, gpa) - 1];
	return gpa - r->gpa < r->len ? r : NULL;
}

uint64_t fmi_view_gap(const struct fm_view *view, uint64_t gpa, uint64_t max)
{
	const struct fmi_view_entry *end = view->index + view->nchunks;
	const struct fmi_view_entry *entry = find_chunk(view, gpa);
	size_t n;

	if (!entry)
		return view->nchunks ? fmi_min_u64(max, view->index[0].gpa - gpa) : max;
	n = ranges_up_to(entry->chunk, gpa);
	if (n < entry->chunk->count)
		return fmi_min_u64(max, entry->chunk->ranges[n].gpa - gpa);
	return entry + 1 < end ? fmi_min_u64(max, entry[1].gpa - gpa) : max;
}

static bool same_range(const struct fm_range *a, const struct fm_range *b)
{
	return a->gpa == b->gpa && a->len == b->len && a->window == b->window && a->dev == b->dev &&
	       a->dev_off == b->dev_off && a->block == b->block && a->block_off == b->block_off &&
	       a->host == b->host && a->prot == b->prot && a->flags == b->flags &&
	       a->priority == b->priority;
}

bool fmi_view_equal(const struct fm_view *a, const struct fm_view *b)
{
	struct cursor ca = { .view = a };
	struct cursor cb = { .view = b };

	if (a->count != b->count)
		return false;
	while (ca.chunk < a->nchunks) {
		const struct fmi_chunk *x = a->index[ca.chunk].chunk;
		const struct fmi_chunk *y = b->index[cb.chunk].chunk;

		if (x == y && !ca.range && !cb.range) {
			ca.chunk++;
			cb.chunk++;
			continue;
		}
		if (!same_range(&x->ranges[ca.range++], &y->ranges[cb.range++]))
			return false;
		if (ca.range == x->count) {
			ca.chunk++;
			ca.range = 0;
		}
		if (cb.range == y->count) {
			cb.chunk++;
			cb.range = 0;
		}
	}
	return true;
}
