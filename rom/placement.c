/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sweep over the placements by address. Those that are still open when another one starts overlap
 * it: so the work beyond the sorting is the number of pairs told.
 */
#include <firmem/image.h>

#include "devices/bytes.h"

#include <inttypes.h>
#include <stdlib.h>

struct entry {
	uint64_t first;
	uint64_t last;
	size_t index;
};

static int by_address(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int64_t sweep(const struct entry *entries, size_t count, size_t *open,
		     void (*overlap)(void *ctx, size_t first, size_t second), void *ctx)
{
	size_t opened = 0;
	int64_t pairs = 0;

	for (size_t i = 0; i < count; i++) {
		size_t kept = 0;

		for (size_t n = 0; n < opened; n++) {
			const struct entry *e = &entries[open[n]];

			if (e->last < entries[i].first)
				continue;
			open[kept++] = open[n];
			pairs++;
			if (overlap)
				overlap(ctx,
					e->index < entries[i].index ? e->index : entries[i].index,
					e->index < entries[i].index ? entries[i].index : e->index);
		}
		open[kept] = i;
		opened = kept + 1;
	}
	return pairs;
}

int64_t fm_placement_check(const struct fm_placement *items, size_t count,
			   void (*overlap)(void *ctx, size_t first, size_t second), void *ctx,
			   struct fm_error *err)
{
	struct entry *entries = calloc(count ? count : 1, sizeof(*entries));
	size_t *open = calloc(count ? count : 1, sizeof(*open));
	size_t used = 0;
	int64_t rc = 0;

	if (!entries || !open)
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "placements: out of memory for %zu", count);
	for (size_t i = 0; !rc && i < count; i++) {
		if (fmi_wraps(items[i].addr, items[i].len))
			rc = fm_error_set(err, FM_ERR_RANGE, 0,
					  "%s: 0x%" PRIx64 " bytes at address 0x%" PRIx64
					  " wrap, expected them to end by 2^64",
					  items[i].name ? items[i].name : "placement", items[i].len,
					  items[i].addr);
		else if (items[i].len)
			entries[used++] = (struct entry){
				.first = items[i].addr,
				.last = items[i].addr + (items[i].len - 1),
				.index = i,
			};
	}
	if (!rc) {
		qsort(entries, used, sizeof(*entries), by_address);
		rc = sweep(entries, used, open, overlap, ctx);
	}
	free(entries);
	free(open);
	return rc;
}
