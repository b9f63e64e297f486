/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_dimm: DIMMs come and go by grammar, in nearly right places. What must hold, by a model that knows
 * nothing but a list:
 *  - a DIMM is plugged if and only if the list says that it may be, with the code for why not, and where it
 *    is put without being told is the lowest slot and the lowest gap;
 *  - the view shows what is plugged, and nothing else;
 *  - requests, answers and ejections do what the state says, and after any failure all is as it was;
 *  - a saved state is loaded by the machine that it was saved from, and brings the requests back.
 */
#include "fuzz/tape.h"

#include <firmem/dimm.h>

#include <string.h>

#define SLOTS 5u
#define NODES 2u
#define UNIT UINT64_C(4096) /* of lengths, and the least alignment */
#define REGION UINT64_C(0x100000)
#define REGION_LEN (48 * UNIT)
#define ROOM (32 * UNIT)
#define BASE (8 * UNIT)

struct entry {
	struct fm_dimm *dimm; /* NULL: the slot is free */
	uint64_t gpa;
	uint64_t len;
	enum fm_dimm_state state;
	bool fixed;
};

struct run {
	struct tape tape;
	struct fm_machine *machine;
	struct fm_space *space;
	struct fm_dimms *set;
	struct entry slots[SLOTS];
};

static void begin(struct run *r)
{
	struct fm_space_config sc = { .struct_size = sizeof(sc), .name = "memory" };
	struct fm_dimms_config dc = { .struct_size = sizeof(dc),
				      .slots = SLOTS,
				      .nodes = NODES,
				      .gpa = REGION,
				      .len = REGION_LEN,
				      .base_memory = BASE,
				      .max_memory = BASE + ROOM,
				      .align = UNIT };

	TAPE_CHECK(!fm_machine_new(&r->machine, "fuzz", NULL));
	TAPE_CHECK(!fm_space_new(&r->space, &sc, NULL));
	TAPE_CHECK(!fm_machine_add_space(r->machine, r->space, NULL));
	dc.machine = r->machine;
	dc.space = r->space;
	TAPE_CHECK(!fm_dimms_new(&r->set, &dc, NULL));
}

/* --- the model ------------------------------------------------------------------------------------ */

static const struct entry *overlapped(const struct run *r, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct entry *e = &r->slots[i];

		if (e->dimm && gpa < e->gpa + e->len && e->gpa < gpa + len)
			return e;
	}
	return NULL;
}

static uint64_t held(const struct run *r)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		sum += r->slots[i].dimm ? r->slots[i].len : 0;
	return sum;
}

static bool is_inside(uint64_t gpa, uint64_t len)
{
	return gpa >= REGION && gpa - REGION < REGION_LEN && REGION_LEN - (gpa - REGION) >= len;
}

/* The lowest place, asked unit by unit; 0 when there is none. */
static uint64_t lowest(const struct run *r, uint64_t len, uint64_t align)
{
	for (uint64_t gpa = REGION; is_inside(gpa, len); gpa += UNIT) {
		if (gpa % align == 0 && !overlapped(r, gpa, len))
			return gpa;
	}
	return 0;
}

/* What plugging is to answer; fills in what the config leaves open. */
static int expect(const struct run *r, struct fm_dimm_config *c, const char *id, uint64_t len)
{
	if (fm_machine_dev(r->machine, id))
		return FM_ERR_EXISTS;
	if (c->node >= NODES)
		return FM_ERR_RANGE;
	if (len % UNIT)
		return FM_ERR_ARG;
	if (c->use_slot && c->slot >= SLOTS)
		return FM_ERR_RANGE;
	if (c->use_slot && r->slots[c->slot].dimm)
		return FM_ERR_EXISTS;
	for (unsigned i = 0; !c->use_slot && i < SLOTS; i++) {
		c->use_slot = !r->slots[i].dimm;
		c->slot = i;
	}
	if (!c->use_slot)
		return FM_ERR_BUSY;
	if (len > ROOM - held(r))
		return FM_ERR_RANGE;
	if (!c->align)
		c->align = UNIT;
	if (c->align < UNIT || c->align & (c->align - 1))
		return FM_ERR_ARG;
	if (!c->use_gpa) {
		c->gpa = lowest(r, len, c->align);
		return c->gpa ? 0 : FM_ERR_RANGE;
	}
	if (c->gpa % c->align)
		return FM_ERR_ARG;
	if (!is_inside(c->gpa, len))
		return FM_ERR_RANGE;
	return overlapped(r, c->gpa, len) ? FM_ERR_OVERLAP : 0;
}

static void check_view(const struct run *r)
{
	const struct fm_view *view = fm_space_view_get(r->space);
	const struct fm_dimm *d, *prev = NULL;
	size_t shown = 0;
	unsigned count = 0;
	uint64_t sum = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		const struct entry *e = &r->slots[i];
		const struct fm_range *range;

		TAPE_CHECK(fm_dimms_in_slot(r->set, i) == e->dimm);
		if (!e->dimm)
			continue;
		count++;
		TAPE_CHECK(fm_dimm_state(e->dimm) == e->state);
		TAPE_CHECK(fm_dimm_gpa(e->dimm) == e->gpa && fm_dimm_len(e->dimm) == e->len);
		range = fm_view_find(view, e->gpa);
		TAPE_CHECK(!range == (e->state == FM_DIMM_EJECTED));
		if (!range)
			continue;
		TAPE_CHECK(range->gpa == e->gpa && range->len == e->len);
		TAPE_CHECK(range->block == fm_dimm_block(e->dimm));
		shown++;
		sum += e->len;
	}
	TAPE_CHECK(shown == fm_view_count(view) && sum == fm_dimms_plugged_memory(r->set));
	fm_view_put(view);
	fm_dimms_foreach(r->set, d)
	{
		TAPE_CHECK(!prev || fm_dimm_gpa(prev) < fm_dimm_gpa(d));
		prev = d;
		count--;
	}
	TAPE_CHECK(!count);
}

/* --- what is done ----------------------------------------------------------------------------------- */

static uint64_t some_gpa(struct run *r)
{
	if (tape_one_in(&r->tape, 8))
		return tape_edge(&r->tape, REGION + REGION_LEN);
	return REGION + tape_below(&r->tape, 50) * UNIT;
}

static void do_plug(struct run *r)
{
	struct tape *t = &r->tape;
	char name[8] = { 'd', (char)('0' + tape_below(t, 8)) };
	struct fm_block_config bc = { .struct_size = sizeof(bc), .name = name };
	struct fm_dimm_config c = { .struct_size = sizeof(c) }, model;
	struct fm_error err = { .code = 0 };
	struct fm_dimm *d = NULL;
	int rc, expected;

	bc.role = FM_ROLE_DIMM;
	bc.len = (1 + tape_below(t, 12)) * UNIT - (tape_one_in(t, 16) ? 1 : 0);
	TAPE_CHECK(!fm_block_new(&c.block, &bc, NULL));
	c.use_slot = tape_one_in(t, 2);
	c.slot = tape_below(t, SLOTS + 1);
	c.use_gpa = tape_one_in(t, 2);
	c.gpa = some_gpa(r);
	c.align = tape_one_in(t, 2) ? 0 : UNIT << tape_below(t, 5);
	c.align -= tape_one_in(t, 32) ? 1 : 0;
	c.node = tape_one_in(t, 16) ? NODES : tape_below(t, NODES);
	c.fixed = tape_one_in(t, 4);
	c.cold_plugged = tape_one_in(t, 4);
	model = c;
	expected = expect(r, &model, name, bc.len);
	rc = fm_dimm_plug(r->set, &c, &d, &err);
	TAPE_CHECK(rc == expected && err.code == rc);
	if (rc) {
		TAPE_CHECK(!d && strstr(err.msg, "expected") && !strchr(err.msg, '\n'));
		fm_block_free(c.block);
		return;
	}
	TAPE_CHECK(fm_dimm_slot(d) == model.slot && fm_dimm_gpa(d) == model.gpa);
	TAPE_CHECK(fm_dimm_node(d) == c.node && fm_dimm_hotplugged(d) != c.cold_plugged);
	r->slots[model.slot] =
		(struct entry){ .dimm = d, .gpa = model.gpa, .len = bc.len, .fixed = c.fixed };
}

static void do_release(struct run *r, struct entry *e)
{
	struct fm_block *block = NULL;
	int rc = fm_dimm_release(e->dimm, &block, NULL);

	TAPE_CHECK(rc == (e->state == FM_DIMM_EJECTED ? 0 : FM_ERR_STATE));
	TAPE_CHECK(!rc == !!block);
	fm_block_free(block);
	if (!rc)
		e->dimm = NULL;
}

static void do_unplug(struct run *r, struct entry *e)
{
	const enum fm_dimm_state was = e->state;
	bool may = false;
	int rc = 0;

	switch (tape_below(&r->tape, 5)) {
	case 0:
		may = was == FM_DIMM_PLUGGED && !e->fixed;
		rc = fm_dimm_request_unplug(e->dimm, NULL);
		e->state = may ? FM_DIMM_REQUESTED : was;
		break;
	case 1:
		may = was == FM_DIMM_REQUESTED;
		rc = fm_dimm_reject_unplug(e->dimm, NULL);
		e->state = may ? FM_DIMM_PLUGGED : was;
		break;
	case 2:
		may = was == FM_DIMM_REQUESTED;
		rc = fm_dimm_eject(e->dimm, NULL);
		e->state = may ? FM_DIMM_EJECTED : was;
		break;
	case 3:
		may = was != FM_DIMM_EJECTED;
		rc = fm_dimm_remove(e->dimm, NULL);
		e->state = FM_DIMM_EJECTED;
		break;
	default:
		do_release(r, e);
		return;
	}
	TAPE_CHECK(rc == (may ? 0 : FM_ERR_STATE));
}

/* Save, change who was asked, load: as it was. Sometimes the bytes are changed on the way. */
static void do_save(struct run *r)
{
	struct fm_dev *dev = fm_dimms_dev(r->set);
	uint8_t *bytes;
	void *saved;
	size_t len;
	int rc;

	TAPE_CHECK(!fm_dev_save(dev, &saved, &len, NULL));
	if (tape_one_in(&r->tape, 2)) {
		bytes = saved;
		bytes[tape_below(&r->tape, 65536) % len] ^=
			(uint8_t)(1 + tape_below(&r->tape, 255));
		TAPE_CHECK(fm_dev_load(dev, saved, len, NULL) < 0);
		free(saved);
		return;
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		if (r->slots[i].dimm && fm_dimm_request_unplug(r->slots[i].dimm, NULL))
			fm_dimm_reject_unplug(r->slots[i].dimm, NULL);
	}
	rc = fm_dev_load(dev, saved, len, NULL);
	TAPE_CHECK(!rc);
	free(saved);
}

static void step(struct run *r)
{
	struct entry *e = &r->slots[tape_below(&r->tape, SLOTS)];

	switch (tape_below(&r->tape, 4)) {
	case 0:
		do_plug(r);
		break;
	case 1:
		if (tape_one_in(&r->tape, 4))
			do_save(r);
		break;
	default:
		if (e->dimm)
			do_unplug(r, e);
		else
			do_plug(r);
		break;
	}
	check_view(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct run r = { .tape = { bytes, len } };

	begin(&r);
	while (r.tape.left)
		step(&r);
	fm_machine_free(r.machine);
	return 0;
}
