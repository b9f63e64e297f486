/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/introspect.h>

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

/* --- blocks in the space of RAM addresses -------------------------------------------------------- */

/* A word of QEMU's dirty bitmap, of 64 guest pages of 4 KiB: no two blocks share one. */
#define RAM_ALIGN (UINT64_C(64) << 12)

/* Round up; UINT64_MAX where that leaves 64 bits, which is no multiple of anything here. */
static uint64_t round_up(uint64_t n, uint64_t unit)
{
	uint64_t rest = n % unit;

	if (!rest)
		return n;
	return n > UINT64_MAX - (unit - rest) ? UINT64_MAX : n + (unit - rest);
}

/* Where a row was in the caller's array, beside it. */
struct placed {
	struct fm_ramblock row;
	size_t order;
};

/* Largest first, equal ones in the order they were made: QEMU's list. */
static int by_total(const void *a, const void *b)
{
	const struct placed *x = a;
	const struct placed *y = b;

	if (x->row.total != y->row.total)
		return x->row.total < y->row.total ? 1 : -1;
	return (x->order > y->order) - (x->order < y->order);
}

static int by_place(const void *a, const void *b)
{
	const struct placed *x = a;
	const struct placed *y = b;

	return (x->row.offset > y->row.offset) - (x->row.offset < y->row.offset);
}

/* What is free behind the `at`-th of `count` blocks by offset: [*from, *to). False: nothing. */
static bool gap_behind(const struct placed *by_offset, size_t count, size_t at, uint64_t *from,
		       uint64_t *to)
{
	const struct fm_ramblock *r = &by_offset[at].row;

	*from = round_up(r->offset + r->total, RAM_ALIGN);
	*to = at + 1 < count ? by_offset[at + 1].row.offset : UINT64_MAX;
	return *from < *to;
}

/*
 * Behind which of the blocks does the new one go? The smallest gap that is large enough; of equal
 * gaps the one behind the block that comes first in the list. `count` when there is none.
 */
static size_t best_gap(const struct placed *by_offset, size_t count, uint64_t total)
{
	size_t best = count;
	uint64_t best_len = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		uint64_t from, to;

		if (!gap_behind(by_offset, count, i, &from, &to) || to - from < total)
			continue;
		if (best < count && to - from == best_len &&
		    by_total(&by_offset[best], &by_offset[i]) < 0)
			continue;
		if (to - from <= best_len) {
			best = i;
			best_len = to - from;
		}
	}
	return best;
}

static int no_room(const struct fm_ramblock *r, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_RANGE, 0,
			    "ramblock \"%s\": 0x%llx bytes, expected room for them in 64 bits",
			    r->name, (unsigned long long)r->total);
}

static int check_row(const struct fm_ramblock *r, struct fm_error *err)
{
	if (!r->total || r->used > r->total)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"ramblock \"%s\": total: 0x%llx, expected at least 1 and the 0x%llx in use",
			r->name, (unsigned long long)r->total, (unsigned long long)r->used);
	return r->placed && r->offset > UINT64_MAX - r->total ? no_room(r, err) : 0;
}

/* Those that are placed already come first, by offset; *count of them. */
static int keep_placed(const struct fm_ramblock *rows, size_t total, struct placed *by_offset,
		       size_t *count, struct fm_error *err)
{
	*count = 0;
	for (size_t i = 0; i < total; i++) {
		int rc = check_row(&rows[i], err);

		if (rc)
			return rc;
		if (rows[i].placed)
			by_offset[(*count)++] = (struct placed){ rows[i], i };
	}
	qsort(by_offset, *count, sizeof(*by_offset), by_place);
	for (size_t i = 1; i < *count; i++) {
		const struct fm_ramblock *low = &by_offset[i - 1].row;
		const struct fm_ramblock *high = &by_offset[i].row;

		if (high->offset - low->offset < low->total)
			return fm_error_set(
				err, FM_ERR_OVERLAP, 0,
				"ramblock \"%s\": offset: 0x%llx, expected none of the 0x%llx "
				"bytes from 0x%llx of \"%s\"",
				high->name, (unsigned long long)high->offset,
				(unsigned long long)low->total, (unsigned long long)low->offset,
				low->name);
	}
	return 0;
}

static int place(struct placed *by_offset, size_t count, struct placed new, struct fm_error *err)
{
	size_t after = best_gap(by_offset, count, new.row.total);
	uint64_t to;

	new.row.placed = true;
	if (!count) {
		new.row.offset = 0;
		by_offset[0] = new;
		return 0;
	}
	if (after == count)
		return no_room(&new.row, err);
	gap_behind(by_offset, count, after, &new.row.offset, &to);
	memmove(by_offset + after + 2, by_offset + after + 1,
		(count - after - 1) * sizeof(*by_offset));
	by_offset[after + 1] = new;
	return 0;
}

int fm_ramblock_place(struct fm_ramblock *rows, size_t total, struct fm_error *err)
{
	struct placed *by_offset = total ? calloc(total, sizeof(*by_offset)) : NULL;
	size_t count;
	int rc;

	if (!total)
		return 0;
	if (!by_offset)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "ramblocks: out of memory");
	rc = keep_placed(rows, total, by_offset, &count, err);
	for (size_t i = 0; !rc && i < total; i++) {
		if (!rows[i].placed)
			rc = place(by_offset, count++, (struct placed){ rows[i], i }, err);
	}
	if (!rc) {
		qsort(by_offset, total, sizeof(*by_offset), by_total);
		for (size_t i = 0; i < total; i++)
			rows[i] = by_offset[i].row;
	}
	free(by_offset);
	return rc;
}

void fm_ramblock_of(const struct fm_block *block, struct fm_ramblock *row)
{
	uint64_t page = fm_block_page_size(block);
	uint64_t len = round_up(fm_block_len(block), page);

	*row = (struct fm_ramblock){ .name = fm_block_name(block),
				     .page_size = page,
				     .used = len,
				     .total = len,
				     .block = block };
}

int fm_machine_ramblocks(const struct fm_machine *machine, struct fm_ramblock **out, size_t *nout,
			 struct fm_error *err)
{
	struct fm_ramblock *rows;
	struct fm_block *block;
	size_t count = 0;
	int rc;

	fm_machine_foreach_block (machine, FM_WALK_ALL, block)
		count++;
	if (!count) {
		*out = NULL;
		*nout = 0;
		return 0;
	}
	rows = calloc(count, sizeof(*rows));
	if (!rows)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
				    fm_machine_name(machine));
	count = 0;
	fm_machine_foreach_block (machine, FM_WALK_ALL, block)
		fm_ramblock_of(block, &rows[count++]);
	rc = fm_ramblock_place(rows, count, err);
	if (rc) {
		free(rows);
		return rc;
	}
	*out = rows;
	*nout = count;
	return 0;
}

/* --- a space, flat ------------------------------------------------------------------------------- */

static bool is_flash(enum fm_role role)
{
	return role == FM_ROLE_FLASH_CODE || role == FM_ROLE_FLASH_VARS;
}

static enum fm_flat_kind kind_of(const struct fm_range *r)
{
	/* What the guest cannot even read without a trap is no memory to it. */
	if (!r->block || !(r->prot & FM_MAP_READ))
		return FM_FLAT_IO;
	if (is_flash(fm_block_role(r->block)))
		return FM_FLAT_ROMD;
	if (fm_block_flags(r->block) & FM_BLOCK_HOST_DEVICE)
		return FM_FLAT_RAM_DEVICE;
	return r->prot & FM_MAP_WRITE ? FM_FLAT_RAM : FM_FLAT_ROM;
}

static struct fm_flat flat_of(const struct fm_range *r)
{
	return (struct fm_flat){
		.gpa = r->gpa,
		.len = r->len,
		.kind = kind_of(r),
		.nonvolatile = r->block && fm_block_role(r->block) == FM_ROLE_NVDIMM,
		.priority = r->priority,
		.window = fm_window_name(r->window),
		.dev = r->dev,
		.dev_off = r->dev_off,
		.block = r->block,
	};
}

/* Is `b` the continuation of `a`? Two windows are two rows, as are two states of one device. */
static bool continues(const struct fm_range *last, const struct fm_flat *a,
		      const struct fm_range *next, const struct fm_flat *b)
{
	return last->window == next->window && a->kind == b->kind && a->block == b->block &&
	       b->gpa - a->gpa == a->len && b->dev_off - a->dev_off == a->len;
}

static size_t fill(const struct fm_view *view, struct fm_flat *rows)
{
	size_t count = 0;

	for (size_t i = 0; i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);
		struct fm_flat row = flat_of(r);

		if (count && continues(fm_view_range(view, i - 1), &rows[count - 1], r, &row))
			rows[count - 1].len += row.len;
		else
			rows[count++] = row;
	}
	return count;
}

int fm_space_flat(struct fm_space *space, struct fm_flat **out, size_t *nout, struct fm_error *err)
{
	const struct fm_view *view;
	struct fm_flat *rows = NULL;
	size_t count;
	int rc = 0;

	/* Nobody removes a window while its name is looked up; with nothing to commit, nothing fails. */
	fm_space_begin(space);
	view = fm_space_view_get(space);
	count = fm_view_count(view);
	if (count)
		rows = calloc(count, sizeof(*rows));
	if (count && !rows)
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", fm_space_name(space));
	else if (count)
		count = fill(view, rows);
	fm_view_put(view);
	fm_space_commit(space, NULL);
	if (rc)
		return rc;
	*out = rows;
	*nout = count;
	return 0;
}

const char *fm_flat_kind_name(enum fm_flat_kind kind)
{
	switch (kind) {
	case FM_FLAT_IO:
		return "i/o";
	case FM_FLAT_RAM:
		return "ram";
	case FM_FLAT_ROM:
		return "rom";
	case FM_FLAT_ROMD:
		return "romd";
	case FM_FLAT_RAM_DEVICE:
		return "ramd";
	case FM_FLAT_KINDS:
		break;
	}
	return "unknown";
}
