/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view: an immutable list of ranges. Ranges are kept in chunks that views share, so that a view
 * made from another by a small change costs the chunks around the change and one index, not the
 * whole list.
 *
 * A view is canonical: neighbours that could be one range are one. Hence a view that was changed
 * step by step equals one that is rendered from nothing.
 */
#ifndef FIRMEM_DEVICES_VIEW_H
#define FIRMEM_DEVICES_VIEW_H

#include <firmem/space.h>

#include <stdatomic.h>

/* Chunks hold at most FMI_CHUNK ranges, and all but a view's last at least FMI_CHUNK_MIN. */
#define FMI_CHUNK 64u
#define FMI_CHUNK_MIN 16u

/* Addresses first to last, both inclusive: so 2^64 needs no 65th bit. */
struct fmi_span {
	uint64_t first;
	uint64_t last;
};

static inline uint64_t fmi_range_last(const struct fm_range *r)
{
	return r->gpa + (r->len - 1);
}

struct fmi_chunk {
	atomic_size_t refs;
	size_t count;
	struct fm_range ranges[];
};

struct fmi_view_entry {
	uint64_t gpa;    /* of the chunk's first range */
	size_t position; /* of the chunk's first range in the view */
	struct fmi_chunk *chunk;
};

struct fm_view {
	atomic_size_t refs;
	uint64_t serial; /* of its publication; no two views of a space share one; 0: unpublished */
	struct fm_view *retired_next;
	size_t count;
	size_t nchunks;
	struct fmi_view_entry index[];
};

/* Collects the ranges of a new view, low addresses first. A failed allocation sticks. */
struct fmi_view_builder {
	struct fm_range pending[2 * FMI_CHUNK]; /* the last one may still grow */
	size_t npending;
	struct fmi_chunk **chunks;
	size_t nchunks;
	size_t room;
	bool nomem;
};

/* Add a range behind those that are there, or grow the last one by it. */
void fmi_view_append(struct fmi_view_builder *b, const struct fm_range *r);

/* What renders the addresses of one span; false when out of memory. */
typedef bool fmi_render_fn(void *ctx, const struct fmi_span *span, struct fmi_view_builder *b);

/*
 * A new view with one reference, unpublished: `old` (NULL = empty) with `spans`, in order of
 * address and apart from one another, rendered anew. NULL when out of memory.
 */
struct fm_view *fmi_view_splice(const struct fm_view *old, const struct fmi_span *spans,
				size_t nspans, fmi_render_fn *render, void *ctx);

/* Do both say the same of every address? Cheap for views that share chunks. */
bool fmi_view_equal(const struct fm_view *a, const struct fm_view *b);

/* At most `max` bytes from `gpa`, which no range contains, up to the next range. */
uint64_t fmi_view_gap(const struct fm_view *view, uint64_t gpa, uint64_t max);

#endif
