/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view_diff: what a hypervisor has to do to get from one view to another. Both views are turned
 * into lists of mappings (whole pages over one contiguous piece of host memory), and the lists are
 * compared.
 */
#include <firmem/space.h>

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

/* Steps, or mappings, in order of address. A failed allocation sticks. */
struct list {
	struct fm_step *steps;
	size_t count;
	size_t room;
	bool nomem;
};

static void push(struct list *l, const struct fm_step *step)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct fm_step *grown = realloc(l->steps, room * sizeof(*grown));

		if (!grown) {
			l->nomem = true;
			return;
		}
		l->steps = grown;
		l->room = room;
	}
	l->steps[l->count++] = *step;
}

/* Is `b` what follows `a` in the guest and on the host? */
static bool continues(const struct fm_step *a, const struct fm_step *b)
{
	return a->gpa + a->len == b->gpa && a->block == b->block &&
	       a->block_off + a->len == b->block_off && a->prot == b->prot;
}

/* --- mappings ---------------------------------------------------------------------------- */

/* Keep the whole pages of a contiguous piece, if guest and host agree on where pages begin. */
static void push_pages(struct list *l, const struct fm_step *piece, uint64_t page)
{
	struct fm_step m = *piece;
	uint64_t skip = -m.gpa & (page - 1);

	if (((uintptr_t)m.host - m.gpa) & (page - 1) || skip >= m.len)
		return;
	m.gpa += skip;
	m.block_off += skip;
	m.host += skip;
	m.len = fmi_align_down(m.len - skip, page);
	if (m.len)
		push(l, &m);
}

static bool mappable(const struct fm_range *r, unsigned flags)
{
	return r->host && r->prot &&
	       !((flags & FM_DIFF_FOLLOW_HINT) && (r->flags & FM_MAP_HINT_TRAP));
}

/* Ranges that continue one another are joined first: borders inside a page do not matter then. */
static void collect(struct list *l, const struct fm_view *view, uint64_t page, unsigned flags)
{
	struct fm_step piece = { .len = 0 };

	for (size_t i = 0; view && i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);
		struct fm_step next = { .kind = FM_STEP_MAP,
					.gpa = r->gpa,
					.len = r->len,
					.prot = r->prot,
					.block = r->block,
					.block_off = r->block_off,
					.host = r->host };

		if (!mappable(r, flags))
			continue;
		if (piece.len && continues(&piece, &next)) {
			piece.len += next.len;
			continue;
		}
		if (piece.len)
			push_pages(l, &piece, page);
		piece = next;
	}
	if (piece.len)
		push_pages(l, &piece, page);
}

/* --- comparison -------------------------------------------------------------------------- */

struct diff {
	struct list unmaps;
	struct list protects;
	struct list maps;
};

/* Note that the first `len` bytes of a mapping need a step. */
static void need(struct diff *d, enum fm_step_kind kind, const struct fm_step *mapping,
		 uint64_t len)
{
	struct list *l = kind == FM_STEP_UNMAP ? &d->unmaps
			 : kind == FM_STEP_MAP ? &d->maps
					       : &d->protects;
	struct fm_step step = *mapping;

	step.kind = kind;
	step.len = len;
	if (l->count && continues(&l->steps[l->count - 1], &step))
		l->steps[l->count - 1].len += len;
	else
		push(l, &step);
}

static bool same_memory(const struct fm_step *a, const struct fm_step *b)
{
	return a->block == b->block && a->host == b->host;
}

static void compare_whole(struct diff *d, const struct list *from, const struct list *to)
{
	size_t i = 0;
	size_t j = 0;

	while (i < from->count && j < to->count) {
		const struct fm_step *a = &from->steps[i];
		const struct fm_step *b = &to->steps[j];

		if (a->gpa == b->gpa && a->len == b->len && a->prot == b->prot &&
		    same_memory(a, b)) {
			i++;
			j++;
		} else if (a->gpa <= b->gpa) {
			need(d, FM_STEP_UNMAP, a, a->len);
			i++;
		} else {
			need(d, FM_STEP_MAP, b, b->len);
			j++;
		}
	}
	for (; i < from->count; i++)
		need(d, FM_STEP_UNMAP, &from->steps[i], from->steps[i].len);
	for (; j < to->count; j++)
		need(d, FM_STEP_MAP, &to->steps[j], to->steps[j].len);
}

/* What is left of a list: its first mapping may have been dealt with in part. */
struct rest {
	const struct list *list;
	size_t next;
	struct fm_step head; /* len 0 at the end */
};

static void advance(struct rest *r, uint64_t len)
{
	r->head.gpa += len;
	r->head.block_off += len;
	r->head.host += len;
	r->head.len -= len;
	if (!r->head.len && r->next < r->list->count)
		r->head = r->list->steps[r->next++];
}

static struct rest start(const struct list *list)
{
	struct rest r = { .list = list };

	if (list->count)
		r.head = list->steps[r.next++];
	return r;
}

/* How much of `a` lies before `b`; a mapping that has ended lies nowhere. */
static uint64_t before(const struct fm_step *a, const struct fm_step *b)
{
	if (!a->len || !b->len)
		return a->len;
	return a->gpa < b->gpa ? fmi_min_u64(a->len, b->gpa - a->gpa) : 0;
}

static void compare_cut(struct diff *d, const struct list *from, const struct list *to)
{
	struct rest a = start(from);
	struct rest b = start(to);

	while (a.head.len || b.head.len) {
		uint64_t only_a = before(&a.head, &b.head);
		uint64_t only_b = before(&b.head, &a.head);
		uint64_t both = fmi_min_u64(a.head.len, b.head.len);

		if (only_a) {
			need(d, FM_STEP_UNMAP, &a.head, only_a);
			advance(&a, only_a);
			continue;
		}
		if (only_b) {
			need(d, FM_STEP_MAP, &b.head, only_b);
			advance(&b, only_b);
			continue;
		}
		if (!same_memory(&a.head, &b.head)) {
			need(d, FM_STEP_UNMAP, &a.head, both);
			need(d, FM_STEP_MAP, &b.head, both);
		} else if (a.head.prot != b.head.prot) {
			need(d, FM_STEP_PROTECT, &b.head, both);
		}
		advance(&a, both);
		advance(&b, both);
	}
}

/* One array of all steps, in the order in which they are to be taken. False: out of memory. */
static bool gather(const struct diff *d, struct fm_step **steps, size_t *count)
{
	const struct list *lists[] = { &d->unmaps, &d->protects, &d->maps };
	size_t total = d->unmaps.count + d->protects.count + d->maps.count;
	struct fm_step *all = NULL;

	if (total) {
		all = malloc(total * sizeof(*all));
		if (!all)
			return false;
	}
	*steps = all;
	*count = total;
	for (size_t i = 0; total && i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (!lists[i]->count)
			continue;
		memcpy(all, lists[i]->steps, lists[i]->count * sizeof(*all));
		all += lists[i]->count;
	}
	return true;
}

int fm_view_diff(const struct fm_view *from, const struct fm_view *to, uint64_t page,
		 unsigned flags, struct fm_step **steps, size_t *count, struct fm_error *err)
{
	struct list a = { 0 };
	struct list b = { 0 };
	struct diff d = { 0 };
	bool ok;

	if (!fmi_is_pow2(page))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "view diff: page is 0x%llx, expected a power of two",
				    (unsigned long long)page);
	if (flags & ~(unsigned)(FM_DIFF_WHOLE | FM_DIFF_FOLLOW_HINT))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "view diff: flags is 0x%x, expected enum fm_diff_flag", flags);
	collect(&a, from, page, flags);
	collect(&b, to, page, flags);
	if (flags & FM_DIFF_WHOLE)
		compare_whole(&d, &a, &b);
	else
		compare_cut(&d, &a, &b);
	ok = !a.nomem && !b.nomem && !d.unmaps.nomem && !d.protects.nomem && !d.maps.nomem &&
	     gather(&d, steps, count);
	free(a.steps);
	free(b.steps);
	free(d.unmaps.steps);
	free(d.protects.steps);
	free(d.maps.steps);
	return ok ? 0 : fm_error_set(err, FM_ERR_NOMEM, 0, "view diff: out of memory");
}
