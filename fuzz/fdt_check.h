/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_check: what holds of every machine that comes of a tree, and of every tree that is visited. */
#ifndef FIRMEM_FUZZ_FDT_CHECK_H
#define FIRMEM_FUZZ_FDT_CHECK_H

#include "fuzz/tape.h"

#include <firmem/dimm.h>
#include <firmem/fdt.h>
#include <firmem/introspect.h>

#include <inttypes.h>

static inline void check_text(const char *text)
{
	for (; *text; text++)
		TAPE_CHECK((unsigned char)*text >= ' ' && *text != 0x7f);
}

static inline void check_view(const struct fm_view *view)
{
	for (size_t i = 0; i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);

		TAPE_CHECK(r->len && r->gpa <= UINT64_MAX - (r->len - 1));
		TAPE_CHECK(!i ||
			   fm_view_range(view, i - 1)->gpa + (fm_view_range(view, i - 1)->len - 1) <
				   r->gpa);
	}
}

static inline size_t check_memory(const struct fm_machine *machine, const struct fm_view *view)
{
	struct fm_block *block;
	size_t count = 0;

	fm_machine_foreach_block (machine, FM_WALK_DUMPABLE, block) {
		uint64_t gpa;
		const struct fm_range *r;

		/* Others come from devices' nodes. */
		if (sscanf(fm_block_name(block), "memory@%" SCNx64, &gpa) != 1)
			continue;
		r = fm_view_find(view, gpa);
		TAPE_CHECK(r && r->block == block && r->gpa == gpa);
		TAPE_CHECK(r->len == fm_block_len(block) && !r->block_off);
		count++;
	}
	return count;
}

/* What is in a slot is seen whole where it says. */
static inline void check_slots(const struct fm_machine *machine, const struct fm_view *view)
{
	const struct fm_dimms *set = fm_dimms_of(machine);
	const struct fm_dimm *d = NULL;
	uint64_t sum = 0;

	while (set && (d = fm_dimms_next(set, d))) {
		const struct fm_range *r = fm_view_find(view, fm_dimm_gpa(d));

		TAPE_CHECK(fm_dimms_in_slot(set, fm_dimm_slot(d)) == d);
		TAPE_CHECK(fm_dimm_slot(d) < fm_dimms_slots(set));
		TAPE_CHECK(fm_dimm_node(d) < fm_dimms_nodes(set));
		TAPE_CHECK(r && r->dev == fm_dimm_dev(d) && r->len == fm_dimm_len(d));
		TAPE_CHECK(fm_dimm_gpa(d) >= fm_dimms_gpa(set));
		TAPE_CHECK(fm_dimm_gpa(d) - fm_dimms_gpa(set) <=
			   fm_dimms_len(set) - fm_dimm_len(d));
		sum += fm_dimm_len(d);
	}
	TAPE_CHECK(!set || sum <= fm_dimms_max_memory(set) - fm_dimms_base_memory(set));
}

/* The rows of a space are its view, joined: the same bytes at the same places. */
static inline void check_flat(struct fm_space *space, const struct fm_view *view)
{
	struct fm_flat *rows;
	uint64_t sum = 0;
	size_t count;

	TAPE_CHECK(!fm_space_flat(space, &rows, &count, NULL));
	TAPE_CHECK(count <= fm_view_count(view));
	for (size_t i = 0; i < count; i++) {
		const struct fm_flat *f = &rows[i];
		const struct fm_range *r = fm_view_find(view, f->gpa);

		TAPE_CHECK(!i || rows[i - 1].gpa + (rows[i - 1].len - 1) < f->gpa);
		TAPE_CHECK(r && r->dev == f->dev && r->block == f->block && r->gpa == f->gpa);
		TAPE_CHECK(fm_view_find(view, f->gpa + (f->len - 1))->window == r->window);
		sum += f->len;
	}
	for (size_t i = 0; i < fm_view_count(view); i++)
		sum -= fm_view_range(view, i)->len;
	TAPE_CHECK(!sum);
	free(rows);
}

/* Every block has a row, apart from all others. */
static inline void check_ramblocks(const struct fm_machine *machine)
{
	struct fm_ramblock *rows;
	struct fm_block *block;
	size_t count, blocks = 0;

	TAPE_CHECK(!fm_machine_ramblocks(machine, &rows, &count, NULL));
	fm_machine_foreach_block (machine, FM_WALK_ALL, block)
		blocks++;
	TAPE_CHECK(count == blocks);
	for (size_t i = 0; i < count; i++) {
		TAPE_CHECK(!i || rows[i - 1].total >= rows[i].total);
		for (size_t j = 0; j < i; j++)
			TAPE_CHECK(rows[j].offset < rows[i].offset
					   ? rows[i].offset - rows[j].offset >= rows[j].total
					   : rows[j].offset - rows[i].offset >= rows[i].total);
	}
	free(rows);
}

/* Ask a node what no binding here asks. */
static inline int visit(const struct fm_fdt_node *node, void *ctx, struct fm_error *err)
{
	struct fm_fdt_pci_range r;
	struct fm_error inner = { .code = 0 };
	int rc = fm_fdt_node_compatible(node, "x,ram", &inner);

	++*(unsigned *)ctx;
	TAPE_CHECK(rc <= 1 && (rc >= 0 || inner.code == rc));
	for (unsigned i = 0; !(rc = fm_fdt_node_pci_range(node, i, &r, &inner)); i++) {
		TAPE_CHECK(r.len && r.gpa <= UINT64_MAX - (r.len - 1));
		TAPE_CHECK(r.pci <= UINT64_MAX - (r.len - 1));
	}
	TAPE_CHECK(inner.code == rc);
	check_text(inner.msg);
	return 0;
}

#endif
