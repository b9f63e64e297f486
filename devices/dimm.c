/* SPDX-License-Identifier: BSD-2-Clause */
/* The slots of a machine and what is in them: made, listed, saved. Plugging: dimm_plug.c. */
#include "devices/dimm_private.h"

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/device_private.h"
#include "devices/space_private.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN_DEFAULT (UINT64_C(2) << 20)

/* --- saved state -------------------------------------------------------------------------------- */

enum saved_flag {
	SAVED_HOTPLUGGED = 1 << 0,
	SAVED_FIXED = 1 << 1,
	SAVED_REQUESTED = 1 << 2,
};

/* An ejected one is a matter between the host and its memory: the guest's machine has it no more. */
static unsigned count_seen(const struct fm_dimms *set)
{
	unsigned n = 0;

	for (const struct fm_dimm *d = set->first; d; d = d->next)
		n += d->state != FM_DIMM_EJECTED;
	return n;
}

static void dimms_save(void *state, struct fm_state_writer *w)
{
	const struct fm_dimms *set = state;

	fm_state_put_u32(w, count_seen(set));
	for (const struct fm_dimm *d = set->first; d; d = d->next) {
		const char *id = fm_dimm_id(d);

		if (d->state == FM_DIMM_EJECTED)
			continue;
		fm_state_put_u8(w, (uint8_t)strlen(id));
		fm_state_put_bytes(w, id, strlen(id));
		fm_state_put_u32(w, d->slot);
		fm_state_put_u64(w, d->gpa);
		fm_state_put_u64(w, d->len);
		fm_state_put_u32(w, d->node);
		fm_state_put_u8(w,
				(uint8_t)((d->hotplugged ? SAVED_HOTPLUGGED : 0) |
					  (d->fixed ? SAVED_FIXED : 0) |
					  (d->state == FM_DIMM_REQUESTED ? SAVED_REQUESTED : 0)));
	}
}

struct saved {
	char id[FMI_NAME_MAX];
	uint32_t slot;
	uint64_t gpa;
	uint64_t len;
	uint32_t node;
	uint8_t flags;
};

/* False: the bytes are no such thing. */
static bool get_saved(struct fm_state_reader *r, struct saved *s)
{
	size_t len = fm_state_get_u8(r);

	memset(s, 0, sizeof(*s));
	if (!len || len >= sizeof(s->id))
		return false;
	fm_state_get_bytes(r, s->id, len);
	s->slot = fm_state_get_u32(r);
	s->gpa = fm_state_get_u64(r);
	s->len = fm_state_get_u64(r);
	s->node = fm_state_get_u32(r);
	s->flags = fm_state_get_u8(r);
	return !fm_state_overrun(r) && strlen(s->id) == len &&
	       !(s->flags & ~(SAVED_HOTPLUGGED | SAVED_FIXED | SAVED_REQUESTED)) &&
	       !(s->flags & SAVED_FIXED && s->flags & SAVED_REQUESTED);
}

static int differs(const struct fm_dimms *set, const struct saved *s, const char *field,
		   uint64_t value, uint64_t expected, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0,
			    "%s: saved state: DIMM \"%s\": %s 0x%llx, expected 0x%llx as plugged",
			    fm_dev_name(set->dev), s->id, field, (unsigned long long)value,
			    (unsigned long long)expected);
}

/* Is it the one that is plugged? */
static int compare(const struct fm_dimms *set, const struct saved *s, struct fm_error *err)
{
	const struct fm_dimm *d = fm_dimms_find(set, s->id);

	if (!d || d->state == FM_DIMM_EJECTED)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: DIMM \"%s\" (slot %u, 0x%llx bytes at "
				    "0x%llx), expected it to be plugged before",
				    fm_dev_name(set->dev), s->id, s->slot,
				    (unsigned long long)s->len, (unsigned long long)s->gpa);
	if (s->slot != d->slot)
		return differs(set, s, "slot", s->slot, d->slot, err);
	if (s->gpa != d->gpa)
		return differs(set, s, "address", s->gpa, d->gpa, err);
	if (s->len != d->len)
		return differs(set, s, "length", s->len, d->len, err);
	if (s->node != d->node)
		return differs(set, s, "node", s->node, d->node, err);
	if (!(s->flags & SAVED_FIXED) != !d->fixed)
		return differs(set, s, "fixed", !!(s->flags & SAVED_FIXED), d->fixed, err);
	return 0;
}

static int bad_body(const struct fm_dimms *set, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0,
			    "%s: saved state: broken, expected a list of DIMMs by address",
			    fm_dev_name(set->dev));
}

static int dimms_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct fm_dimms *set = state;
	uint8_t flags[FM_DIMM_SLOTS_MAX] = { 0 }; /* by slot */
	uint32_t count = fm_state_get_u32(r);
	uint64_t last = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct saved s;
		int rc;

		if (!get_saved(r, &s) || (i && s.gpa <= last))
			return bad_body(set, err);
		rc = compare(set, &s, err);
		if (rc)
			return rc;
		flags[s.slot] = s.flags;
		last = s.gpa + (s.len - 1);
	}
	if (fm_state_overrun(r) || fm_state_left(r))
		return bad_body(set, err);
	if (count != count_seen(set))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: %u DIMMs, expected the %u that are plugged",
				    fm_dev_name(set->dev), count, count_seen(set));
	for (struct fm_dimm *d = set->first; d; d = d->next) {
		if (d->state == FM_DIMM_EJECTED)
			continue;
		d->hotplugged = flags[d->slot] & SAVED_HOTPLUGGED;
		d->state = flags[d->slot] & SAVED_REQUESTED ? FM_DIMM_REQUESTED : FM_DIMM_PLUGGED;
	}
	return 0;
}

/* --- the device ----------------------------------------------------------------------------------- */

static void dimms_describe(void *state, const struct fm_visitor *v)
{
	const struct fm_dimms *set = state;

	v->u64(v->ctx, "slots", set->slots);
	v->u64(v->ctx, "nodes", set->nodes);
	v->u64(v->ctx, "region", set->gpa);
	v->u64(v->ctx, "region_length", set->len);
	v->u64(v->ctx, "base_memory", set->base_memory);
	v->u64(v->ctx, "plugged_memory", fm_dimms_plugged_memory(set));
	v->u64(v->ctx, "max_memory", set->max_memory);
}

/* The blocks and devices are the machine's. */
static void dimms_free(void *state)
{
	struct fm_dimms *set = state;

	for (struct fm_dimm *d = set->first, *next; d; d = next) {
		next = d->next;
		free(d);
	}
	free(set);
}

static const struct fm_dev_ops dimms_ops = {
	.struct_size = sizeof(dimms_ops),
	.type = "dimms",
	.version = 1,
	.save = dimms_save,
	.load = dimms_load,
	.describe = dimms_describe,
	.free = dimms_free,
};

struct fm_dimms *fm_dimms_of(const struct fm_machine *machine)
{
	struct fm_dev *dev;

	fm_machine_foreach_dev (machine, dev) {
		struct fm_dimms *set = fm_dev_state(dev, &dimms_ops);

		if (set)
			return set;
	}
	return NULL;
}

static int bad(struct fm_error *err, const char *field, uint64_t value, const char *expected)
{
	return fm_error_set(err, FM_ERR_ARG, 0, "fm_dimms_config.%s: 0x%llx, expected %s", field,
			    (unsigned long long)value, expected);
}

static bool has_space(const struct fm_machine *machine, const struct fm_space *space)
{
	const struct fm_space *s;

	fm_machine_foreach_space (machine, s) {
		if (s == space)
			return true;
	}
	return false;
}

static int check_config(const struct fm_dimms_config *c, struct fm_error *err)
{
	if (!c->machine)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_dimms_config.machine is NULL, expected a machine");
	if (!c->space || !has_space(c->machine, c->space))
		return fm_error_set(
			err, FM_ERR_ARG, 0, "fm_dimms_config.space: %s, expected a space of %s",
			c->space ? fm_space_name(c->space) : "NULL", fm_machine_name(c->machine));
	if (!c->slots || c->slots > FM_DIMM_SLOTS_MAX)
		return bad(err, "slots", c->slots, "1 to 256");
	if (c->align < 4096 || !fmi_is_pow2(c->align))
		return bad(err, "align", c->align, "a power of two >= 4096");
	if (!fmi_is_aligned(c->gpa, c->align))
		return bad(err, "gpa", c->gpa, "a multiple of fm_dimms_config.align");
	if (c->max_memory <= c->base_memory)
		return bad(err, "max_memory", c->max_memory,
			   "more than fm_dimms_config.base_memory");
	if (fmi_wraps(c->gpa, c->len))
		return fm_error_set(err, FM_ERR_RANGE, 0,
				    "fm_dimms_config.len: 0x%llx at 0x%llx, expected an end below "
				    "2^64",
				    (unsigned long long)c->len, (unsigned long long)c->gpa);
	if (fm_dimms_of(c->machine))
		return fm_error_set(
			err, FM_ERR_EXISTS, 0,
			"%s: has slots for DIMMs already, expected to give it some once",
			fm_machine_name(c->machine));
	return 0;
}

static int check_reach(const struct fm_dimms_config *c, struct fm_error *err)
{
	uint64_t last = c->space->last;

	if (c->gpa + (c->len - 1) <= last)
		return 0;
	return fm_error_set(err, FM_ERR_RANGE, 0,
			    "fm_dimms_config.len: 0x%llx at 0x%llx, expected its end at or below "
			    "0x%llx of space \"%s\"",
			    (unsigned long long)c->len, (unsigned long long)c->gpa,
			    (unsigned long long)last, fm_space_name(c->space));
}

int fm_dimms_new(struct fm_dimms **out, const struct fm_dimms_config *cfg, struct fm_error *err)
{
	struct fm_dimms_config c;
	struct fm_dev_config dc = { .struct_size = sizeof(dc), .len = 1 };
	struct fm_dimms *set;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_dimms_config", err);

	if (rc)
		return rc;
	if (!out)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_dimms_new: out is NULL");
	c.align = c.align ? c.align : ALIGN_DEFAULT;
	c.len = c.len ? c.len : c.max_memory - c.base_memory;
	rc = check_config(&c, err);
	if (!rc)
		rc = check_reach(&c, err);
	if (rc)
		return rc;
	dc.name = c.name ? c.name : "dimms";
	set = calloc(1, sizeof(*set));
	if (!set)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", dc.name);
	set->machine = c.machine;
	set->space = c.space;
	set->slots = c.slots;
	set->nodes = c.nodes ? c.nodes : 1;
	set->gpa = c.gpa;
	set->len = c.len;
	set->base_memory = c.base_memory;
	set->max_memory = c.max_memory;
	set->align = c.align;
	rc = fm_dev_new(&set->dev, &dimms_ops, set, &dc, err);
	if (rc) {
		free(set);
		return rc;
	}
	rc = fm_machine_add_dev(c.machine, set->dev, err);
	if (rc) {
		fm_dev_free(set->dev);
		return rc;
	}
	*out = set;
	return 0;
}

/* --- questions ------------------------------------------------------------------------------------ */

struct fm_dev *fm_dimms_dev(const struct fm_dimms *dimms)
{
	return dimms->dev;
}

unsigned fm_dimms_slots(const struct fm_dimms *dimms)
{
	return dimms->slots;
}

unsigned fm_dimms_nodes(const struct fm_dimms *dimms)
{
	return dimms->nodes;
}

uint64_t fm_dimms_gpa(const struct fm_dimms *dimms)
{
	return dimms->gpa;
}

uint64_t fm_dimms_len(const struct fm_dimms *dimms)
{
	return dimms->len;
}

uint64_t fm_dimms_base_memory(const struct fm_dimms *dimms)
{
	return dimms->base_memory;
}

uint64_t fm_dimms_plugged_memory(const struct fm_dimms *dimms)
{
	uint64_t sum = 0;

	for (const struct fm_dimm *d = dimms->first; d; d = d->next)
		sum += d->state == FM_DIMM_EJECTED ? 0 : d->len;
	return sum;
}

uint64_t fm_dimms_max_memory(const struct fm_dimms *dimms)
{
	return dimms->max_memory;
}

struct fm_dimm *fm_dimms_next(const struct fm_dimms *dimms, const struct fm_dimm *prev)
{
	return prev ? prev->next : dimms->first;
}

struct fm_dimm *fm_dimms_find(const struct fm_dimms *dimms, const char *id)
{
	struct fm_dimm *d = dimms->first;

	while (d && (!id || strcmp(fm_dimm_id(d), id) != 0))
		d = d->next;
	return d;
}

struct fm_dimm *fm_dimms_in_slot(const struct fm_dimms *dimms, unsigned slot)
{
	struct fm_dimm *d = dimms->first;

	while (d && d->slot != slot)
		d = d->next;
	return d;
}

struct fm_dimm *fm_dimms_holding(const struct fm_dimms *dimms, const struct fm_block *block)
{
	struct fm_dimm *d = dimms->first;

	while (d && d->block != block)
		d = d->next;
	return d;
}

const char *fm_dimm_id(const struct fm_dimm *dimm)
{
	return fm_dev_name(dimm->dev);
}

struct fm_block *fm_dimm_block(const struct fm_dimm *dimm)
{
	return dimm->block;
}

struct fm_dev *fm_dimm_dev(const struct fm_dimm *dimm)
{
	return dimm->dev;
}

unsigned fm_dimm_slot(const struct fm_dimm *dimm)
{
	return dimm->slot;
}

uint64_t fm_dimm_gpa(const struct fm_dimm *dimm)
{
	return dimm->gpa;
}

uint64_t fm_dimm_len(const struct fm_dimm *dimm)
{
	return dimm->len;
}

unsigned fm_dimm_node(const struct fm_dimm *dimm)
{
	return dimm->node;
}

bool fm_dimm_hotplugged(const struct fm_dimm *dimm)
{
	return dimm->hotplugged;
}

bool fm_dimm_hotpluggable(const struct fm_dimm *dimm)
{
	return !dimm->fixed;
}

enum fm_dimm_state fm_dimm_state(const struct fm_dimm *dimm)
{
	return dimm->state;
}

const char *fm_dimm_state_name(enum fm_dimm_state state)
{
	switch (state) {
	case FM_DIMM_PLUGGED:
		return "plugged";
	case FM_DIMM_REQUESTED:
		return "requested";
	case FM_DIMM_EJECTED:
		return "ejected";
	case FM_DIMM_STATE_COUNT:
		break;
	}
	return "unknown";
}
