/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes into a dump, and what does not. */
#include "devices/dump_private.h"

#include <firmem/private.h>

#include "devices/bytes.h"

#include <stdlib.h>

static bool chosen(const struct fmi_dump *d, const struct fm_block *block)
{
	return block && (d->cfg->roles & FM_DUMP_ROLE(fm_block_role(block)));
}

/* 0 or FM_ERR_NOMEM. */
static int add_segment(struct fmi_dump *d, const struct fmi_dump_segment *segment)
{
	if (d->nsegments == d->segments_room) {
		size_t room = d->segments_room ? 2 * d->segments_room : 64;
		struct fmi_dump_segment *grown = realloc(d->segments, room * sizeof(*grown));

		if (!grown)
			return FM_ERR_NOMEM;
		d->segments = grown;
		d->segments_room = room;
	}
	d->segments[d->nsegments++] = *segment;
	d->result.bytes += segment->len;
	return 0;
}

/* The parts of a range that are not the guest's alone: of those the host would dump ciphertext. */
static int add_range(struct fmi_dump *d, const struct fm_range *r)
{
	bool all = fm_private_dumpable(r->block);
	uint64_t run;
	int rc = 0;

	for (uint64_t off = 0; !rc && off < r->len; off += run) {
		bool private = fm_private_at(r->block, r->block_off + off, &run) && !all;

		run = all ? r->len : fmi_min_u64(run, r->len - off);
		if (private)
			d->result.private_bytes += run;
		else
			rc = add_segment(d, &(struct fmi_dump_segment){ r->gpa + off, run, r->block,
									r->block_off + off });
	}
	return rc;
}

/* Bytes of a block that are the guest's alone, and that it does not let the host dump. */
static uint64_t own(const struct fm_block *block)
{
	uint64_t len = 0;
	uint64_t run;

	if (fm_private_dumpable(block))
		return 0;
	for (uint64_t off = 0; off < fm_block_len(block); off += run)
		len += fm_private_at(block, off, &run) ? run : 0;
	return len;
}

/* Part of a block that an address shows. */
struct seen {
	const struct fm_block *block;
	uint64_t off;
	uint64_t len;
};

static int by_block(const void *a, const void *b)
{
	const struct seen *x = a;
	const struct seen *y = b;

	if (x->block != y->block)
		return (uintptr_t)x->block < (uintptr_t)y->block ? -1 : 1;
	return (x->off > y->off) - (x->off < y->off);
}

/* What the view shows of chosen blocks, in order; NULL without memory. */
static struct seen *list_seen(const struct fmi_dump *d, const struct fm_view *view, size_t *count)
{
	struct seen *list = calloc(fm_view_count(view) + 1, sizeof(*list));

	*count = 0;
	for (size_t i = 0; list && i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);

		if (chosen(d, r->block))
			list[(*count)++] = (struct seen){ r->block, r->block_off, r->len };
	}
	if (list)
		qsort(list, *count, sizeof(*list), by_block);
	return list;
}

/* Bytes of a block that are shown; what two addresses show counts once. */
static uint64_t shown(const struct seen *list, size_t count, const struct fm_block *block)
{
	uint64_t len = 0;
	uint64_t past = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t end = list[i].off + list[i].len;

		if (list[i].block != block || end <= past)
			continue;
		len += end - fmi_max_u64(list[i].off, past);
		past = end;
	}
	return len;
}

static bool leave_out(struct fmi_dump *d, const struct fm_block *block, enum fm_dump_why why,
		      uint64_t len)
{
	struct fm_dump_part *grown =
		reallocarray(d->left_out, d->nleft_out + 1, sizeof(*d->left_out));

	if (!grown)
		return false;
	d->left_out = grown;
	d->left_out[d->nleft_out++] =
		(struct fm_dump_part){ .block = block, .why = why, .len = len };
	return true;
}

static bool find_left_out(struct fmi_dump *d, const struct fm_view *view)
{
	const struct fm_block *block;
	size_t count;
	struct seen *list = list_seen(d, view, &count);
	bool ok = list;

	fm_machine_foreach_block (d->cfg->machine, FM_WALK_ALL, block) {
		uint64_t total = fm_block_len(block);
		uint64_t seen = ok ? shown(list, count, block) : total;

		if (!chosen(d, block)) {
			d->result.excluded++;
			ok = ok && leave_out(d, block, FM_DUMP_NOT_CHOSEN, total);
			continue;
		}
		if (seen < total) {
			d->result.hidden += total - seen;
			ok = ok && leave_out(d, block, FM_DUMP_HIDDEN, total - seen);
		}
		if (own(block))
			ok = ok && leave_out(d, block, FM_DUMP_PRIVATE, own(block));
	}
	free(list);
	return ok;
}

static int add_segments(struct fmi_dump *d, const struct fm_view *view, struct fm_error *err)
{
	for (size_t i = 0; i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);

		if (chosen(d, r->block) && add_range(d, r))
			return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
					    d->cfg->path);
	}
	d->result.segments = d->nsegments;
	return 0;
}

int fmi_dump_choose(struct fmi_dump *d, const struct fm_view *view, struct fm_error *err)
{
	int rc = add_segments(d, view, err);

	if (rc || find_left_out(d, view))
		return rc;
	return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", d->cfg->path);
}
