/* SPDX-License-Identifier: BSD-2-Clause */
/* A DIMM into a slot: everything is checked, then all of it happens or nothing. */
#include <firmem/ram.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/device_private.h"
#include "devices/dimm_private.h"
#include "devices/space_private.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MIN 4096u

#define ULL(v) ((unsigned long long)(v))

/* What is to be plugged, as far as it is known: the config with what it leaves open filled in. */
struct plug {
	struct fm_dimms *set;
	struct fm_dimm_config c;
	struct fm_dev *made; /* by us: freed on failure */
	uint64_t len;
	struct fm_error *err;
};

int fmi_dimm_outside(const struct fm_dimms *set, struct fm_error *err)
{
	bool inside;

	/* Nobody else is in there while we are; nothing to commit, so nothing fails. */
	fm_space_begin(set->space);
	inside = set->space->depth > 1;
	fm_space_commit(set->space, NULL);
	if (!inside)
		return 0;
	return fm_error_set(err, FM_ERR_STATE, 0,
			    "%s: space \"%s\" is between begin and commit, expected a change of "
			    "its own",
			    fm_dev_name(set->dev), fm_space_name(set->space));
}

/* A device of the machine that keeps its contents in the block, or NULL. */
static struct fm_dev *user_of(const struct fm_machine *machine, const struct fm_block *block)
{
	struct fm_dev *dev;

	fm_machine_foreach_dev (machine, dev) {
		if (fmi_dev_keeps_in(dev, block))
			return dev;
	}
	return NULL;
}

/* --- checks --------------------------------------------------------------------------------------- */

static int refuse(const struct plug *p, int code, const char *field, uint64_t value,
		  const char *expected)
{
	return fm_error_set(p->err, code, 0, "%s: fm_dimm_config.%s: 0x%llx, expected %s",
			    fm_dev_name(p->set->dev), field, ULL(value), expected);
}

static int check_block(const struct plug *p)
{
	const char *set = fm_dev_name(p->set->dev);
	const struct fm_block *block = p->c.block;
	enum fm_role role = block ? fm_block_role(block) : FM_ROLE_NONE;
	const struct fm_dev *user;

	if (role != FM_ROLE_DIMM && role != FM_ROLE_NVDIMM)
		return fm_error_set(
			p->err, FM_ERR_ARG, 0,
			"%s: fm_dimm_config.block: %s%s, expected one of role dimm or nvdimm", set,
			block ? "role " : "NULL", block ? fm_role_name(role) : "");
	if (fmi_machine_has_block(p->set->machine, block))
		return fm_error_set(p->err, FM_ERR_EXISTS, 0,
				    "%s: fm_dimm_config.block: \"%s\" is the machine's already, "
				    "expected one in no machine",
				    set, fm_block_name(block));
	user = user_of(p->set->machine, block);
	if (user)
		return fm_error_set(p->err, FM_ERR_BUSY, 0,
				    "%s: fm_dimm_config.block: \"%s\" is used by device \"%s\", "
				    "expected one that nothing uses",
				    set, fm_block_name(block), fm_dev_name(user));
	if (p->c.dev && !fmi_dev_keeps_in(p->c.dev, block))
		return fm_error_set(p->err, FM_ERR_ARG, 0,
				    "%s: fm_dimm_config.dev: \"%s\" does not show block \"%s\", "
				    "expected a device over it",
				    set, fm_dev_name(p->c.dev), fm_block_name(block));
	return 0;
}

/* It is a device's name, and is printed. */
static bool is_name(const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)id[i] < ' ' || id[i] == 0x7f)
			return false;
	}
	return len && len < 64;
}

static int check_id(struct plug *p)
{
	const struct fm_dimm *other;
	const struct fm_dev *taken;
	const char *id = p->c.id ? p->c.id : fm_block_name(p->c.block);

	if (p->c.dev) {
		id = fm_dev_name(p->c.dev);
		if (p->c.id && strcmp(p->c.id, id) != 0)
			return fm_error_set(p->err, FM_ERR_ARG, 0,
					    "%s: fm_dimm_config.id: \"%.63s\", expected the "
					    "device's name \"%s\"",
					    fm_dev_name(p->set->dev), p->c.id, id);
	}
	p->c.id = id;
	if (!is_name(id))
		return fm_error_set(
			p->err, FM_ERR_ARG, 0,
			"%s: fm_dimm_config.id: \"%.63s\" of %zu bytes, expected 1 to 63 "
			"without control characters",
			fm_dev_name(p->set->dev), id, strlen(id));
	taken = fm_machine_dev(p->set->machine, id);
	other = fm_dimms_find(p->set, id);
	if (other)
		return fm_error_set(p->err, FM_ERR_EXISTS, 0,
				    "%s: fm_dimm_config.id: \"%s\" is in slot %u already, expected "
				    "an id of its own",
				    fm_dev_name(p->set->dev), id, other->slot);
	if (taken)
		return fm_error_set(p->err, FM_ERR_EXISTS, 0,
				    "%s: fm_dimm_config.id: \"%s\" is the name of another device, "
				    "expected an id of its own",
				    fm_dev_name(p->set->dev), id);
	return 0;
}

static int check_len(struct plug *p)
{
	bool is_dimm = fm_block_role(p->c.block) == FM_ROLE_DIMM;
	uint64_t unit = is_dimm ? p->set->align : PAGE_MIN;

	p->len = p->c.dev ? fm_dev_len(p->c.dev) : fm_block_len(p->c.block);
	if (p->len && fmi_is_aligned(p->len, unit))
		return 0;
	return fm_error_set(p->err, FM_ERR_ARG, 0,
			    "%s: fm_dimm_config.block: \"%s\" has 0x%llx bytes, expected a "
			    "multiple of 0x%llx",
			    fm_dev_name(p->set->dev), fm_block_name(p->c.block), ULL(p->len),
			    ULL(unit));
}

static int choose_slot(struct plug *p)
{
	const struct fm_dimm *taken;
	unsigned slot = 0;

	if (p->c.use_slot && p->c.slot >= p->set->slots)
		return fm_error_set(p->err, FM_ERR_RANGE, 0,
				    "%s: fm_dimm_config.slot: %u, expected 0 to %u",
				    fm_dev_name(p->set->dev), p->c.slot, p->set->slots - 1);
	if (p->c.use_slot) {
		taken = fm_dimms_in_slot(p->set, p->c.slot);
		if (!taken)
			return 0;
		return fm_error_set(p->err, FM_ERR_EXISTS, 0,
				    "%s: fm_dimm_config.slot: %u holds \"%s\", expected a free one",
				    fm_dev_name(p->set->dev), p->c.slot, fm_dimm_id(taken));
	}
	while (slot < p->set->slots && fm_dimms_in_slot(p->set, slot))
		slot++;
	if (slot == p->set->slots)
		return fm_error_set(p->err, FM_ERR_BUSY, 0,
				    "%s: fm_dimm_config.slot: none of %u is free, expected one "
				    "for \"%s\"",
				    fm_dev_name(p->set->dev), p->set->slots, p->c.id);
	p->c.slot = slot;
	return 0;
}

/* Over the maximum? What is ejected and not released is still held. */
static int check_sum(const struct plug *p)
{
	uint64_t room = p->set->max_memory - p->set->base_memory;
	uint64_t held = 0;

	for (const struct fm_dimm *d = p->set->first; d; d = d->next)
		held += d->len;
	if (p->len <= room - held)
		return 0;
	return fm_error_set(p->err, FM_ERR_RANGE, 0,
			    "%s: fm_dimm_config.block: \"%s\" has 0x%llx bytes, expected at most "
			    "0x%llx: that is left of a maximum of 0x%llx, with 0x%llx of base "
			    "memory and 0x%llx plugged",
			    fm_dev_name(p->set->dev), fm_block_name(p->c.block), ULL(p->len),
			    ULL(room - held), ULL(p->set->max_memory), ULL(p->set->base_memory),
			    ULL(held));
}

static int check_align(struct plug *p)
{
	uint64_t least = fmi_max_u64(p->set->align, fm_block_page_size(p->c.block));

	if (!p->c.align)
		p->c.align = least;
	if (p->c.align >= least && fmi_is_pow2(p->c.align))
		return 0;
	return fm_error_set(p->err, FM_ERR_ARG, 0,
			    "%s: fm_dimm_config.align: 0x%llx, expected a power of two >= 0x%llx",
			    fm_dev_name(p->set->dev), ULL(p->c.align), ULL(least));
}

/* Does [gpa, gpa + len) lie in the region? */
static bool is_inside(const struct plug *p, uint64_t gpa)
{
	return gpa >= p->set->gpa && fmi_in_range(gpa - p->set->gpa, p->len, p->set->len);
}

static int check_gpa(const struct plug *p)
{
	const uint64_t gpa = p->c.gpa;

	if (!fmi_is_aligned(gpa, p->c.align))
		return fm_error_set(p->err, FM_ERR_ARG, 0,
				    "%s: fm_dimm_config.gpa: 0x%llx, expected a multiple of 0x%llx",
				    fm_dev_name(p->set->dev), ULL(gpa), ULL(p->c.align));
	if (!is_inside(p, gpa))
		return fm_error_set(
			p->err, FM_ERR_RANGE, 0,
			"%s: fm_dimm_config.gpa: 0x%llx bytes at 0x%llx, expected them in "
			"0x%llx to 0x%llx",
			fm_dev_name(p->set->dev), ULL(p->len), ULL(gpa), ULL(p->set->gpa),
			ULL(p->set->gpa + (p->set->len - 1)));
	for (const struct fm_dimm *d = p->set->first; d; d = d->next) {
		if (gpa <= d->gpa + (d->len - 1) && d->gpa <= gpa + (p->len - 1))
			return fm_error_set(
				p->err, FM_ERR_OVERLAP, 0,
				"%s: fm_dimm_config.gpa: 0x%llx bytes at 0x%llx overlap \"%s\" "
				"(0x%llx to 0x%llx), expected them apart",
				fm_dev_name(p->set->dev), ULL(p->len), ULL(gpa), fm_dimm_id(d),
				ULL(d->gpa), ULL(d->gpa + (d->len - 1)));
	}
	return 0;
}

/* The first multiple of the alignment from `gpa` on; false where there is none. */
static bool align_up(const struct plug *p, uint64_t *gpa)
{
	uint64_t up = fmi_align_up(*gpa, p->c.align);

	if (up < *gpa)
		return false;
	*gpa = up;
	return true;
}

/* The lowest gap that fits. */
static int choose_gpa(struct plug *p)
{
	uint64_t gpa = p->set->gpa;
	bool some = align_up(p, &gpa);

	for (const struct fm_dimm *d = p->set->first; some && d; d = d->next) {
		if (d->gpa > gpa && d->gpa - gpa >= p->len)
			break;
		if (d->gpa + (d->len - 1) < gpa)
			continue;
		gpa = d->gpa + d->len;
		some = gpa && align_up(p, &gpa);
	}
	if (!some || !is_inside(p, gpa))
		return fm_error_set(
			p->err, FM_ERR_RANGE, 0,
			"%s: fm_dimm_config.gpa: no gap of 0x%llx bytes at a multiple of 0x%llx in "
			"0x%llx to 0x%llx, expected one for \"%s\"",
			fm_dev_name(p->set->dev), ULL(p->len), ULL(p->c.align), ULL(p->set->gpa),
			ULL(p->set->gpa + (p->set->len - 1)), p->c.id);
	p->c.gpa = gpa;
	return 0;
}

static int check(struct plug *p)
{
	int rc = fmi_dimm_outside(p->set, p->err);

	if (!rc)
		rc = check_block(p);
	if (!rc)
		rc = check_id(p);
	if (!rc && p->c.node >= p->set->nodes)
		rc = refuse(p, FM_ERR_RANGE, "node", p->c.node, "less than fm_dimms_config.nodes");
	if (!rc)
		rc = check_len(p);
	if (!rc)
		rc = choose_slot(p);
	if (!rc)
		rc = check_sum(p);
	if (!rc)
		rc = check_align(p);
	if (rc)
		return rc;
	return p->c.use_gpa ? check_gpa(p) : choose_gpa(p);
}

/* --- plugging ------------------------------------------------------------------------------------- */

static void link_dimm(struct fm_dimms *set, struct fm_dimm *d)
{
	struct fm_dimm **at = &set->first;

	while (*at && (*at)->gpa < d->gpa)
		at = &(*at)->next;
	d->next = *at;
	*at = d;
}

static int make_dev(struct plug *p)
{
	const struct fm_ram_config cfg = { .struct_size = sizeof(cfg),
					   .name = p->c.id,
					   .block = p->c.block };
	int rc;

	if (p->c.dev)
		return 0;
	rc = fm_ram_new(&p->made, &cfg, p->err);
	if (!rc)
		p->c.dev = p->made;
	return rc;
}

/* Into the machine and the space, or not at all. */
static int show(const struct plug *p)
{
	struct fm_machine *machine = p->set->machine;
	const struct fm_window_config w = { .struct_size = sizeof(w),
					    .dev = p->c.dev,
					    .gpa = p->c.gpa };
	int rc = fm_machine_add_block(machine, p->c.block, p->err);

	if (rc)
		return rc;
	rc = fm_machine_add_dev(machine, p->c.dev, p->err);
	if (!rc) {
		rc = fm_space_add(p->set->space, &w, NULL, p->err);
		if (!rc)
			return 0;
		/* Its caller may have a window to it elsewhere. */
		fmi_machine_drop_dev(machine, p->c.dev);
	}
	fmi_machine_drop_block(machine, p->c.block);
	return rc;
}

int fm_dimm_plug(struct fm_dimms *dimms, const struct fm_dimm_config *cfg, struct fm_dimm **out,
		 struct fm_error *err)
{
	struct plug p = { .set = dimms, .err = err };
	struct fm_dimm *d;
	int rc = fmi_config_copy(&p.c, sizeof(p.c), cfg, "fm_dimm_config", err);

	if (!rc && !dimms)
		rc = fm_error_set(err, FM_ERR_ARG, 0, "fm_dimm_plug: dimms is NULL");
	if (!rc)
		rc = check(&p);
	if (rc)
		return rc;
	d = calloc(1, sizeof(*d));
	if (!d)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: \"%s\": out of memory",
				    fm_dev_name(dimms->dev), p.c.id);
	rc = make_dev(&p);
	if (!rc)
		rc = show(&p);
	if (rc) {
		fm_dev_free(p.made);
		free(d);
		return rc;
	}
	*d = (struct fm_dimm){ .set = dimms,
			       .block = p.c.block,
			       .dev = p.c.dev,
			       .gpa = p.c.gpa,
			       .len = p.len,
			       .slot = p.c.slot,
			       .node = p.c.node,
			       .hotplugged = !p.c.cold_plugged,
			       .fixed = p.c.fixed };
	link_dimm(dimms, d);
	if (out)
		*out = d;
	return 0;
}
