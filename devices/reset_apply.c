/* SPDX-License-Identifier: BSD-2-Clause */
/* Doing a plan: phase by phase, each of them for all steps before the next begins. */
#include <firmem/dirty.h>
#include <firmem/private.h>

#include "devices/bytes.h"
#include "devices/clear.h"
#include "devices/config.h"
#include "devices/device_private.h"
#include "devices/dimm_private.h"
#include "devices/populated.h"
#include "devices/ppi_private.h"
#include "devices/reset_private.h"

#include <stdlib.h>
#include <string.h>

struct apply {
	struct fm_machine *machine;
	const struct fm_reset_plan *plan;
	struct fm_reset_options o;
	struct fm_reset_report report;
	struct fm_error *err; /* never NULL */
	struct fmi_reset_users users;
	const struct fm_dimms *dimms; /* NULL: there are no slots */
	struct fmi_registry alone;    /* devices whose reset would do what the plan decides on */
};

static bool is_private(const struct fm_reset_step *s)
{
	return s->role == FM_ROLE_PRIVATE;
}

static bool is_flash(const struct fm_reset_step *s)
{
	return s->role == FM_ROLE_FLASH_CODE || s->role == FM_ROLE_FLASH_VARS;
}

/* --- before anything is touched --------------------------------------------------------------- */

/* Is the machine the one that the plan was made for? */
static bool is_fresh(const struct apply *a)
{
	const struct fm_reset_plan *plan = a->plan;
	struct fm_block *block;
	size_t i = 0;

	fm_machine_foreach_block (a->machine, FM_WALK_ALL, block) {
		uint64_t run;

		for (uint64_t off = 0; off < fm_block_len(block); off += run) {
			bool private = fm_private_at(block, off, &run);
			const struct fm_reset_step *s = &plan->steps[i];

			if (i == plan->count || s->object != block || s->start != off ||
			    s->size != run || is_private(s) != private)
				return false;
			i++;
		}
	}
	return i == plan->count;
}

static int need(const struct apply *a, const struct fm_reset_step *s, bool have, const char *what)
{
	if (have)
		return 0;
	return fm_error_set(a->err, FM_ERR_ARG, 0,
			    "block %s: %s: fm_reset_options.%s is NULL, expected a function",
			    s->block, fm_reset_action_name(s->action), what);
}

static int check_step(const struct apply *a, const struct fm_reset_step *s)
{
	const struct fm_reset_options *o = &a->o;
	int rc = 0;

	if (s->action == FM_RESET_REFUSE)
		return fm_error_set(a->err, FM_ERR_STATE, 0, "reset refused: block %s: %s",
				    s->block, s->reason);
	if (s->due & FM_RESET_DUE_QUIESCE)
		rc = need(a, s, o->quiesce, "quiesce");
	if (!rc && s->due & FM_RESET_DUE_ATTEST)
		rc = need(a, s, o->attest, "attest");
	if (rc || !(s->due & FM_RESET_DUE_HOST))
		return rc;
	switch (s->action) {
	case FM_RESET_LOAD:
		return need(a, s, o->load, "load");
	case FM_RESET_RELOAD:
		return need(a, s, o->reload, "reload");
	case FM_RESET_REBUILD:
		return need(a, s, o->rebuild, "rebuild");
	case FM_RESET_KEEP:
	case FM_RESET_ZERO:
	case FM_RESET_FLUSH_KEEP:
	case FM_RESET_DISCARD:
	case FM_RESET_UNPLUG:
	case FM_RESET_REFUSE:
	case FM_RESET_ACKNOWLEDGE:
	case FM_RESET_ACTION_COUNT:
		break;
	}
	return 0;
}

static int check(const struct apply *a)
{
	if (!is_fresh(a))
		return fm_error_set(a->err, FM_ERR_STATE, 0,
				    "%s: blocks or private ranges changed since the plan was made, "
				    "expected a new plan",
				    fm_machine_name(a->machine));
	for (size_t i = 0; i < a->plan->count; i++) {
		int rc = check_step(a, &a->plan->steps[i]);

		if (rc)
			return rc;
	}
	return 0;
}

/* --- the steps of each phase ------------------------------------------------------------------ */

static int attest(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	return s->due & FM_RESET_DUE_ATTEST ? a->o.attest(a->o.ctx, s, a->err) : 0;
}

static int persist(struct apply *a, const struct fm_reset_step *s)
{
	if (!(s->due & FM_RESET_DUE_PERSIST))
		return 0;
	return a->o.persist ? a->o.persist(a->o.ctx, s, a->err)
			    : fm_block_sync(s->object, s->start, s->size, a->err);
}

static int flush(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	struct fm_dev *dev;
	size_t at = 0;
	int rc = 0;

	if (!(s->due & FM_RESET_DUE_FLUSH))
		return 0;
	while (!rc && (dev = fmi_reset_users_next(&a->users, s->object, &at))) {
		fm_dev_lock(dev);
		rc = fm_dev_flush(dev, a->err);
		fm_dev_unlock(dev);
	}
	return rc ? rc : persist(a, s);
}

/* A device that has more than the bytes does it: an image, media errors. False: there is none. */
static bool sanitize(struct apply *a, const struct fm_reset_step *s, int *rc)
{
	struct fm_dev *dev;
	size_t at = 0;

	while ((dev = fmi_reset_users_next(&a->users, s->object, &at))) {
		if (!dev->ops.sanitize)
			continue;
		fm_dev_lock(dev);
		*rc = fm_dev_sanitize(dev, a->err);
		/* Into its image, past what writes behind. */
		if (!*rc)
			*rc = fm_dev_flush(dev, a->err);
		fm_dev_unlock(dev);
		a->report.effects |= FM_EFF_REMAP;
		return true;
	}
	return false;
}

/* Flash is erased by its chips, which keep its image up with it. */
static int erase(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	int rc;

	r->written = s->size;
	if (sanitize(a, s, &rc))
		return rc;
	memset((uint8_t *)fm_block_ptr(s->object) + s->start, 0xff, (size_t)s->size);
	if (fm_dirty_mark(fm_block_dirty(s->object), s->start, s->size))
		a->report.effects |= FM_EFF_DIRTY;
	return 0;
}

static int zero(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r,
		enum fm_reset_pages pages)
{
	struct fmi_cleared done = { .written = 0 };
	int rc;

	/* An NVDIMM also forgets its media errors; it is one block, labels too. */
	if (s->role == FM_ROLE_NVDIMM && s->size == fm_block_len(s->object) &&
	    sanitize(a, s, &rc)) {
		r->written = rc ? 0 : s->size;
		return rc;
	}
	fmi_clear_zero(s->object, s->start, s->size, pages, &done);
	r->written = done.written;
	r->released = done.released;
	if (done.dirty)
		a->report.effects |= FM_EFF_DIRTY;
	return 0;
}

static int give_back(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	int rc;

	if (!is_private(s))
		return zero(a, s, r, FM_RESET_PAGES_RELEASE);
	rc = fmi_private_release(s->object, s->start, s->size);
	if (rc)
		return fm_error_set(a->err, FM_ERR_IO, -rc,
				    "block %s: private pages of 0x%llx bytes at 0x%llx cannot be "
				    "given back: errno %d",
				    s->block, (unsigned long long)s->size,
				    (unsigned long long)s->start, -rc);
	r->released = s->size;
	return 0;
}

static int reload(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	struct fm_dev *dev;

	if (s->due & FM_RESET_DUE_HOST) {
		r->written = s->size;
		return a->o.reload(a->o.ctx, s, a->err);
	}
	dev = fmi_reset_reloader(&a->users, s->object);
	fm_dev_lock(dev);
	a->report.effects |= dev->ops.reload(dev->state, &r->written);
	fm_dev_unlock(dev);
	return 0;
}

/* What is in a slot also leaves the guest's addresses; the rest is the caller's to hide. */
static int unplug(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	int rc = fmi_dimm_reset(a->dimms, s->object, a->err);

	if (rc > 0)
		a->report.effects |= FM_EFF_REMAP;
	return rc < 0 ? rc : give_back(a, s, r);
}

static int change(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	int rc = 0;

	switch (s->action) {
	case FM_RESET_ZERO:
		return is_flash(s) ? erase(a, s, r) : zero(a, s, r, a->o.pages);
	case FM_RESET_RELOAD:
		return reload(a, s, r);
	case FM_RESET_LOAD:
		r->written = s->size;
		return a->o.load(a->o.ctx, s, a->err);
	case FM_RESET_DISCARD:
		return give_back(a, s, r);
	case FM_RESET_UNPLUG:
		if (a->o.unplug)
			rc = a->o.unplug(a->o.ctx, s, a->err);
		return rc ? rc : unplug(a, s, r);
	case FM_RESET_REBUILD:
		rc = give_back(a, s, r);
		return rc ? rc : a->o.rebuild(a->o.ctx, s, a->err);
	case FM_RESET_KEEP:
	case FM_RESET_FLUSH_KEEP:
	case FM_RESET_REFUSE:
	case FM_RESET_ACKNOWLEDGE:
	case FM_RESET_ACTION_COUNT:
		break;
	}
	return 0;
}

static int changes_it(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	int rc = change(a, s, r);

	if (!rc && s->action != FM_RESET_ACKNOWLEDGE)
		r->action = s->action;
	return rc;
}

static int unverified(const struct apply *a, const struct fm_reset_step *s, uint64_t at,
		      const char *expected)
{
	return fm_error_set(a->err, FM_ERR_STATE, 0,
			    "block %s: after %s, offset 0x%llx: expected %s", s->block,
			    fm_reset_action_name(s->action), (unsigned long long)at, expected);
}

static int verify(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	struct fm_dev *dev;
	uint64_t at = 0;
	bool good = true;

	if (s->action == FM_RESET_RELOAD && !(s->due & FM_RESET_DUE_HOST)) {
		dev = fmi_reset_reloader(&a->users, s->object);
		r->verified = s->size;
		if (dev->ops.pristine && !dev->ops.pristine(dev->state, &at))
			return unverified(a, s, at, "the pristine contents");
		return 0;
	}
	/* What a guest alone can read is not read; its pages are gone, or are the host's to vouch for. */
	if (is_private(s) || !fmi_reset_destroys(s->action))
		return 0;
	good = fmi_clear_verify(s->object, s->start, s->size, is_flash(s) ? 0xff : 0, &r->verified,
				&at);
	return good ? 0 : unverified(a, s, at, is_flash(s) ? "erased cells" : "zero");
}

/* What was kept was made durable before anything was cleared. */
static int persist_change(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	return s->action == FM_RESET_FLUSH_KEEP ? 0 : persist(a, s);
}

/*
 * The answer to the guest: until this one store a crash leaves the request. Where the whole page is to
 * be cleared, the request goes last.
 */
static int acknowledge(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r)
{
	bool whole = a->plan->kind != FM_RESET_SYSTEM;

	if (s->action != FM_RESET_ACKNOWLEDGE)
		return 0;
	a->report.effects |= fmi_ppi_answer(s->object, s->start, s->size, whole);
	r->action = s->action;
	r->written = whole ? s->size : 1;
	a->report.acknowledged = true;
	return fm_block_sync(s->object, s->start, s->size, a->err);
}

/* --- phases ------------------------------------------------------------------------------- */

typedef int step_fn(struct apply *a, const struct fm_reset_step *s, struct fm_reset_result *r);

static void tell(struct apply *a, enum fm_reset_phase phase, const struct fm_reset_step *s)
{
	a->report.phase = phase;
	if (a->o.progress)
		a->o.progress(a->o.ctx, phase, s);
}

static int each(struct apply *a, enum fm_reset_phase phase, step_fn *fn)
{
	for (size_t i = 0; i < a->plan->count; i++) {
		const struct fm_reset_step *s = &a->plan->steps[i];
		int rc;

		tell(a, phase, s);
		rc = fn(a, s, &a->report.results[i]);
		if (rc)
			return rc;
	}
	return 0;
}

static void reset_devices(struct apply *a)
{
	struct fm_dev *dev;

	tell(a, FM_RESET_PHASE_DEVICES, NULL);
	fm_machine_foreach_dev (a->machine, dev) {
		if (dev->ops.reload || fmi_registry_has(&a->alone, dev))
			continue;
		fm_dev_lock(dev);
		a->report.effects |= fm_dev_reset(dev, a->plan->kind);
		fm_dev_unlock(dev);
	}
}

static bool must_quiesce(const struct apply *a)
{
	for (size_t i = 0; i < a->plan->count; i++) {
		enum fm_reset_action action = a->plan->steps[i].action;

		if (a->plan->steps[i].due & FM_RESET_DUE_QUIESCE || fmi_reset_destroys(action) ||
		    action == FM_RESET_RELOAD || action == FM_RESET_LOAD)
			return true;
	}
	return false;
}

/* From the first flush on: what fails here may have changed something. */
static int run(struct apply *a)
{
	bool quiesced = must_quiesce(a) && a->o.quiesce;
	int rc = each(a, FM_RESET_PHASE_FLUSH, flush);

	if (!rc && quiesced) {
		tell(a, FM_RESET_PHASE_QUIESCE, NULL);
		rc = a->o.quiesce(a->o.ctx, a->err);
		if (!rc)
			rc = each(a, FM_RESET_PHASE_REFLUSH, flush);
	}
	if (!rc)
		rc = each(a, FM_RESET_PHASE_CLEAR, changes_it);
	if (!rc && a->o.verify)
		rc = each(a, FM_RESET_PHASE_VERIFY, verify);
	if (!rc)
		rc = each(a, FM_RESET_PHASE_PERSIST, persist_change);
	if (rc)
		return rc;
	reset_devices(a);
	rc = each(a, FM_RESET_PHASE_ACKNOWLEDGE, acknowledge);
	if (rc)
		return rc;
	tell(a, FM_RESET_PHASE_DONE, NULL);
	if (quiesced && a->o.resume)
		a->o.resume(a->o.ctx);
	return 0;
}

static void sum(struct fm_reset_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		report->written += report->results[i].written;
		report->released += report->results[i].released;
		report->verified += report->results[i].verified;
	}
}

/* What is needed on the way, before anything is touched. 0, FM_ERR_NOMEM, FM_ERR_STATE. */
static int prepare(struct apply *a)
{
	int rc = fmi_reset_users_list(&a->users, a->machine);

	for (size_t i = 0; i < a->plan->count; i++) {
		const struct fm_reset_step *s = &a->plan->steps[i];
		struct fm_dev *dev;
		size_t at = 0;

		while (!rc && s->role == FM_ROLE_PPI &&
		       (dev = fmi_reset_users_next(&a->users, s->object, &at))) {
			if (!fmi_registry_has(&a->alone, dev))
				rc = fmi_registry_add(&a->alone, dev, "");
		}
		if (!rc && s->action == FM_RESET_RELOAD && !(s->due & FM_RESET_DUE_HOST) &&
		    !fmi_reset_reloader(&a->users, s->object))
			return fm_error_set(
				a->err, FM_ERR_STATE, 0,
				"block %s: reload: its device has gone since the plan was "
				"made, expected a new plan",
				s->block);
	}
	a->dimms = fm_dimms_of(a->machine);
	a->report.count = a->plan->count;
	a->report.results = calloc(a->plan->count + 1, sizeof(*a->report.results));
	if (rc || !a->report.results)
		return fm_error_set(a->err, FM_ERR_NOMEM, 0, "%s: reset: out of memory",
				    fm_machine_name(a->machine));
	return 0;
}

int fm_reset_apply(struct fm_machine *machine, const struct fm_reset_plan *plan,
		   const struct fm_reset_options *options, struct fm_reset_report *report,
		   struct fm_error *err)
{
	static const struct fm_reset_options defaults = { .struct_size = sizeof(defaults) };
	struct fm_error inner = { .code = 0 };
	struct apply a = { .machine = machine, .plan = plan, .err = &inner };
	bool touched = false;
	int rc = fmi_config_copy(&a.o, sizeof(a.o), options ? options : &defaults,
				 "fm_reset_options", err);

	if (rc)
		return rc;
	if (!machine || !plan || (unsigned)a.o.pages > FM_RESET_PAGES_RESIDENT)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_reset_apply: %s",
				    !machine ? "machine is NULL"
				    : !plan  ? "plan is NULL"
					     : "pages, expected one of enum fm_reset_pages");
	rc = check(&a);
	if (!rc)
		rc = prepare(&a);
	if (!rc)
		rc = each(&a, FM_RESET_PHASE_ATTEST, attest);
	if (!rc) {
		touched = true;
		rc = run(&a);
		sum(&a.report);
	}
	if (touched && report)
		*report = a.report;
	else
		free(a.report.results);
	fmi_reset_users_drop(&a.users);
	fmi_registry_clear(&a.alone, NULL);
	if (rc)
		fm_error_set(err, rc, inner.sys, "%s", inner.code ? inner.msg : fm_strerror(rc));
	return rc;
}
