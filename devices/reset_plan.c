/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan: matrix, overrides, sanitize, and then what the host's backing allows. Changes nothing. */
#include <firmem/ppi.h>
#include <firmem/private.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/ppi_private.h"
#include "devices/reset_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct planner {
	const struct fm_reset_request *r;
	struct fm_machine *machine;
	struct fm_reset_plan *plan;
	size_t room;
	bool overwrite; /* somebody asks */
	struct fmi_reset_rules rules;
	struct fmi_reset_rules policy;
	struct fmi_registry sanitize; /* names of blocks */
	struct fmi_registry saved;    /* struct fm_reset_saved, and so on */
	struct fmi_registry backings;
	struct fmi_reset_users users;
	const struct fm_block *left; /* the first that would be cleared, and is not */
};

static void because(struct fm_reset_step *s, enum fm_reset_action action, const char *reason)
{
	s->action = action;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

static void refuse(struct fm_reset_step *s, const char *reason)
{
	s->due = 0;
	because(s, FM_RESET_REFUSE, reason);
}

/* --- the request ------------------------------------------------------------------------------ */

#define SAVED "snapshot" /* what messages call the entries of `saved` */

static int note(struct fmi_registry *list, const void *entry, const char *name, const char *what,
		struct fm_error *err)
{
	/* What is said twice is said; who has an opinion on that has looked before. */
	if (fmi_registry_named(list, name))
		return 0;
	if (fmi_registry_add(list, (void *)(uintptr_t)entry, name))
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", what);
	return 0;
}

/* One entry of a list of the request, which is about a block. FM_ERR_NOT_FOUND, _NOMEM. */
static int take_name(const struct planner *p, struct fmi_registry *list, const void *entry,
		     const char *name, const char *what, size_t i, struct fm_error *err)
{
	if (!fm_machine_block(p->machine, name))
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				    "%s[%zu].block: \"%.63s\", expected a block of %s", what, i,
				    name ? name : "", fm_machine_name(p->machine));
	return note(list, entry, name, what, err);
}

static int take_sanitize(struct planner *p, const char *name, struct fm_error *err)
{
	if (!fm_machine_block(p->machine, name))
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				    "sanitize: \"%.63s\", expected a block of %s", name ? name : "",
				    fm_machine_name(p->machine));
	return note(&p->sanitize, name, name, "sanitize", err);
}

static int take_saved(struct planner *p, size_t i, struct fm_error *err)
{
	const struct fm_reset_saved *s = &p->r->saved[i];
	const struct fm_reset_saved *other = fmi_registry_named(&p->saved, s->block);
	int rc;

	if (other)
		return fm_error_set(
			err, FM_ERR_EXISTS, 0,
			"%s[%zu].block: \"%.63s\" is that of %s[%zu], expected one entry "
			"for a block",
			SAVED, i, s->block, SAVED, (size_t)(other - p->r->saved));
	rc = take_name(p, &p->saved, s, s->block, SAVED, i, err);
	if (!rc && !s->carried && (!s->digest || !s->digest_len))
		rc = fm_error_set(err, FM_ERR_ARG, 0,
				  "%s[%zu].carried: false for \"%.63s\", which has no digest, "
				  "expected true, or a digest",
				  SAVED, i, s->block);
	return rc;
}

static int check_names(struct planner *p, struct fm_error *err)
{
	const struct fm_reset_request *r = p->r;
	int rc = 0;

	if ((r->nsanitize && !r->sanitize) || (r->nsaved && !r->saved) ||
	    (r->nbackings && !r->backings))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_reset_request.%s is NULL, expected as many as are counted",
				    r->nsanitize && !r->sanitize ? "sanitize"
				    : r->nsaved && !r->saved     ? "saved"
								 : "backings");
	for (size_t i = 0; !rc && i < r->nbackings; i++)
		rc = take_name(p, &p->backings, &r->backings[i], r->backings[i].block, "backings",
			       i, err);
	for (size_t i = 0; !rc && i < r->nsanitize; i++)
		rc = take_sanitize(p, r->sanitize[i], err);
	for (size_t i = 0; !rc && i < r->nsaved; i++)
		rc = take_saved(p, i, err);
	return rc;
}

static int check_request(struct planner *p, struct fm_error *err)
{
	const struct fm_reset_request *r = p->r;
	int rc;

	if ((unsigned)r->kind >= FM_RESET_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_reset_request.kind: %d, expected one of enum fm_reset_kind",
				    (int)r->kind);
	if ((unsigned)r->cause >= FM_RESET_CAUSE_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_reset_request.cause: %d, expected one of enum "
				    "fm_reset_cause",
				    (int)r->cause);
	rc = fmi_reset_rules_take(&p->rules, p->machine, "rules", r->rules, r->nrules, err);
	if (!rc)
		rc = fmi_reset_rules_take(&p->policy, p->machine,
					  r->policy_name ? r->policy_name : "policy", r->policy,
					  r->npolicy, err);
	return rc ? rc : check_names(p, err);
}

static unsigned who_asks(const struct planner *p)
{
	unsigned by = (p->r->memory_overwrite ? FM_OVERWRITE_BY_CALLER : 0) |
		      (p->r->mor & FM_PPI_CLEAR_MEMORY ? FM_OVERWRITE_BY_MOR : 0);
	struct fm_block *block;

	fm_machine_foreach_block (p->machine, FM_WALK_ALL, block) {
		if (fmi_ppi_asks(block))
			by |= FM_OVERWRITE_BY_PPI;
	}
	return by;
}

/* --- what should be done ---------------------------------------------------------------------- */

/* 0 or FM_ERR_NOMEM. */
static int take_digest(struct fm_reset_step *s, const struct fm_reset_saved *saved)
{
	uint8_t *copy = malloc(saved->digest_len);

	if (!copy)
		return FM_ERR_NOMEM;
	memcpy(copy, saved->digest, saved->digest_len);
	s->digest = copy;
	s->digest_len = saved->digest_len;
	s->due |= FM_RESET_DUE_ATTEST;
	return 0;
}

/* Non-volatile contents must be those that the snapshot's memory knows of. */
static int pair_with_snapshot(const struct planner *p, struct fm_reset_step *s)
{
	const struct fm_reset_saved *saved = fmi_registry_named(&p->saved, s->block);

	s->due = 0;
	if (!saved) {
		refuse(s, "neither carried by the snapshot nor attested: old memory over newer "
			  "contents corrupts them");
		return 0;
	}
	if (saved->carried) {
		because(s, FM_RESET_LOAD, "carried by the snapshot");
		return 0;
	}
	because(s, FM_RESET_KEEP, "the same as the snapshot's, by its digest");
	return take_digest(s, saved);
}

/* Volatile memory that no stream names. */
static void leave_snapshot(struct fm_reset_step *s)
{
	bool image =
		s->role == FM_ROLE_ROM || s->role == FM_ROLE_OPTION_ROM || s->role == FM_ROLE_TABLE;

	because(s, image ? FM_RESET_RELOAD : FM_RESET_ZERO,
		"in no snapshot, and what it holds is of another history");
}

static void override(const struct planner *p, struct fm_reset_step *s)
{
	const enum fm_reset_kind kind = p->r->kind;
	const char *what = "override";
	const struct fm_reset_rule *rule =
		fmi_reset_rules_find(&p->rules, s->block, s->role, kind, p->overwrite);

	if (!rule) {
		rule = fmi_reset_rules_find(&p->policy, s->block, s->role, kind, p->overwrite);
		what = "policy";
	}
	if (!rule)
		return;
	/* What a snapshot has of non-volatile contents is a fact, which no rule changes. */
	if (kind == FM_RESET_SNAPSHOT && rule->action != FM_RESET_REFUSE &&
	    (fm_role_nonvolatile(s->role) || s->action == FM_RESET_REFUSE))
		return;
	s->action = rule->action;
	snprintf(s->reason, sizeof(s->reason), "%s of %s %s", what, rule->block ? "block" : "role",
		 rule->block ? rule->block : fm_role_name(rule->role));
	s->due &= FM_RESET_DUE_MEASURE | FM_RESET_DUE_ATTEST;
}

static void sanitize(const struct planner *p, struct fm_reset_step *s)
{
	switch (p->r->kind) {
	case FM_RESET_POWER_ON:
	case FM_RESET_SYSTEM:
	case FM_RESET_CONFIDENTIAL:
		s->due = 0;
		because(s, FM_RESET_ZERO, "sanitize was asked for");
		break;
	case FM_RESET_S3:
	case FM_RESET_KEXEC:
	case FM_RESET_SNAPSHOT:
	case FM_RESET_COUNT:
		refuse(s, "sanitize under a system that goes on using it");
		break;
	}
}

/* A part of a presence page without the request is a page without one. */
static const struct fmi_reset_cell *cell_of(const struct planner *p, const struct fm_reset_step *s)
{
	const struct fmi_reset_cell *cell = fmi_reset_cell(s->role, p->r->kind, p->overwrite);

	if (cell->action == FM_RESET_ACKNOWLEDGE &&
	    !fmi_ppi_holds_request(s->object, s->start, s->size))
		return fmi_reset_cell(s->role, p->r->kind, false);
	return cell;
}

/* The guest has asked, and here. */
static bool has_request(const struct fm_reset_step *s)
{
	return fmi_ppi_holds_request(s->object, s->start, s->size) && fmi_ppi_asks(s->object);
}

/* The action as matrix, overrides and sanitize have it. */
static int decide(const struct planner *p, struct fm_reset_step *s)
{
	const struct fmi_reset_cell *cell = cell_of(p, s);
	bool nonvolatile = fm_role_nonvolatile(s->role);
	bool streamed = *s->block && !(fm_block_flags(s->object) & FM_BLOCK_NO_MIGRATE);
	int rc = 0;

	because(s, cell->action, cell->reason);
	s->due = cell->due;
	if (p->r->kind == FM_RESET_SNAPSHOT && nonvolatile)
		rc = pair_with_snapshot(p, s);
	else if (cell->action == FM_RESET_LOAD && !streamed)
		leave_snapshot(s);
	override(p, s);
	if (fmi_registry_named(&p->sanitize, s->block))
		sanitize(p, s);
	else if (nonvolatile && (fmi_reset_destroys(s->action) || s->action == FM_RESET_RELOAD))
		refuse(s, "non-volatile: destroyed only when sanitize names it");
	/* Otherwise it would be forgotten while what it is about may still be there. */
	if (has_request(s) && (fmi_reset_destroys(s->action) || s->action == FM_RESET_RELOAD ||
			       s->action == FM_RESET_LOAD))
		refuse(s, "holds the guest's request for memory overwrite: answered last, never "
			  "cleared before the memory");
	return rc;
}

/* --- what the host's backing allows ----------------------------------------------------------- */

/* Is it all of its block? */
static bool is_whole(const struct fm_reset_step *s)
{
	return s->size == fm_block_len(s->object);
}

/* What the block itself shows. */
static unsigned shown_backing(const struct fm_block *block)
{
	unsigned flags = fm_block_flags(block);
	bool file = fm_block_backing(block) == FM_BACKING_FILE && flags & FM_BLOCK_SHARED;
	unsigned is = 0;

	if (fm_block_backing(block) == FM_BACKING_FILE)
		is |= FM_RESET_BACKING_FILE;
	if (flags & FM_BLOCK_SHARED)
		is |= FM_RESET_BACKING_SHARED;
	if (flags & FM_BLOCK_CONSENT)
		is |= FM_RESET_BACKING_CONSENT;
	if (flags & FM_BLOCK_HOST_DEVICE)
		is |= FM_RESET_BACKING_HOST_DEVICE;
	if (flags & FM_BLOCK_READONLY)
		is |= FM_RESET_BACKING_READ_ONLY;
	if (fm_block_discard_inhibited(block))
		is |= FM_RESET_BACKING_PINNED;
	if (file && !(flags & FM_BLOCK_READONLY))
		is |= FM_RESET_BACKING_PERSISTENT;
	if (fm_block_backing(block) == FM_BACKING_ADOPTED ||
	    (file && !fm_block_file_created(block)))
		is |= FM_RESET_BACKING_FOREIGN;
	return is;
}

static unsigned backing_of(const struct planner *p, const struct fm_block *block)
{
	const struct fm_reset_backing *told =
		fmi_registry_named(&p->backings, fm_block_name(block));

	return told ? told->is : shown_backing(block);
}

/* Encrypted ranges: nothing but giving the pages back ends what they held. */
static void fit_private(struct fm_reset_step *s, unsigned is)
{
	enum fm_backing backing = fm_block_backing(s->object);
	bool ours = fmi_private_has_fd(s->object) ||
		    (backing != FM_BACKING_ADOPTED && backing != FM_BACKING_FILE &&
		     !(is & (FM_RESET_BACKING_FOREIGN | FM_RESET_BACKING_FILE)));

	if (s->action == FM_RESET_ZERO || s->action == FM_RESET_RELOAD ||
	    s->action == FM_RESET_LOAD)
		refuse(s, "private: what the host stores there means nothing to the guest");
	else if (!fmi_reset_destroys(s->action))
		return;
	else if (is & FM_RESET_BACKING_PINNED)
		refuse(s, "private and pinned: not resettable, its pages cannot be given back");
	else if (!ours)
		refuse(s, "private in memory that is not ours to give back: not resettable");
	else if (s->action == FM_RESET_REBUILD)
		s->due |= FM_RESET_DUE_HOST;
}

static void fit_read_only(struct fm_reset_step *s, unsigned is)
{
	if (s->action == FM_RESET_RELOAD ||
	    (s->action == FM_RESET_ZERO && !(is & FM_RESET_BACKING_SHARED)))
		because(s, FM_RESET_KEEP, "mapped read-only: the guest stored nothing in it");
	else if (fmi_reset_destroys(s->action) || s->action == FM_RESET_ACKNOWLEDGE)
		refuse(s, "mapped read-only: cannot be cleared");
}

static void fit_host_device(const struct planner *p, struct fm_reset_step *s)
{
	if (!fmi_reset_destroys(s->action) && s->action != FM_RESET_RELOAD)
		return;
	s->due = 0;
	because(s, FM_RESET_KEEP,
		p->r->host_devices_reset ? "memory of a host's device, which the host resets"
					 : "memory of a host's device: never written");
}

static void fit_backing(const struct planner *p, struct fm_reset_step *s)
{
	unsigned is = backing_of(p, s->object);
	bool changes;

	if (s->role == FM_ROLE_PRIVATE) {
		fit_private(s, is);
		return;
	}
	if (is & FM_RESET_BACKING_HOST_DEVICE)
		fit_host_device(p, s);
	if (is & FM_RESET_BACKING_READ_ONLY)
		fit_read_only(s, is);
	if (fmi_reset_destroys(s->action) && is & FM_RESET_BACKING_FOREIGN &&
	    !(is & FM_RESET_BACKING_CONSENT))
		refuse(s, "memory or a file that was there before: zeroed only with consent "
			  "(FM_BLOCK_CONSENT)");
	changes = fmi_reset_destroys(s->action) || s->action == FM_RESET_RELOAD ||
		  s->action == FM_RESET_LOAD;
	if (changes && is & FM_RESET_BACKING_SHARED)
		s->due |= FM_RESET_DUE_QUIESCE;
	if ((changes || s->action == FM_RESET_FLUSH_KEEP) && is & FM_RESET_BACKING_PERSISTENT)
		s->due |= FM_RESET_DUE_PERSIST;
	if (s->action == FM_RESET_FLUSH_KEEP)
		s->due |= FM_RESET_DUE_FLUSH;
	/* A device reloads all of its block, private ranges too. */
	if (s->action == FM_RESET_LOAD ||
	    (s->action == FM_RESET_RELOAD &&
	     (!is_whole(s) || !fmi_reset_reloader(&p->users, s->object))))
		s->due |= FM_RESET_DUE_HOST;
	if (s->action == FM_RESET_ZERO && fm_role_nonvolatile(s->role) && !is_whole(s))
		refuse(s, "sanitize of a block that is private in part");
}

/* --- steps -------------------------------------------------------------------------------- */

/* Does the step leave what the matrix would have ended? */
static bool leaves(const struct planner *p, const struct fm_reset_step *s)
{
	enum fm_reset_action want = fmi_reset_cell(s->role, p->r->kind, p->overwrite)->action;
	unsigned is = backing_of(p, s->object);

	if (want == FM_RESET_ACKNOWLEDGE)
		return has_request(s) && s->action != want;
	if (!fmi_reset_destroys(want) && want != FM_RESET_RELOAD)
		return false;
	if (fmi_reset_destroys(s->action) || s->action == FM_RESET_RELOAD)
		return false;
	if (is & FM_RESET_BACKING_HOST_DEVICE)
		return !p->r->host_devices_reset;
	return !(is & FM_RESET_BACKING_READ_ONLY) || s->action == FM_RESET_REFUSE;
}

static struct fm_reset_step *new_step(struct planner *p)
{
	struct fm_reset_plan *plan = p->plan;

	if (plan->count == p->room) {
		size_t room = p->room ? 2 * p->room : 16;
		struct fm_reset_step *grown = realloc(plan->steps, room * sizeof(*grown));

		if (!grown)
			return NULL;
		plan->steps = grown;
		p->room = room;
	}
	memset(&plan->steps[plan->count], 0, sizeof(plan->steps[0]));
	return &plan->steps[plan->count++];
}

static int plan_range(struct planner *p, struct fm_block *block, enum fm_role role, uint64_t start,
		      uint64_t size)
{
	struct fm_reset_step *s = new_step(p);
	int rc;

	if (!s)
		return FM_ERR_NOMEM;
	snprintf(s->block, sizeof(s->block), "%s", fm_block_name(block));
	s->role = role;
	s->start = start;
	s->size = size;
	s->object = block;
	rc = decide(p, s);
	if (rc)
		return rc;
	fit_backing(p, s);
	if (!p->left && leaves(p, s))
		p->left = block;
	p->plan->refused |= s->action == FM_RESET_REFUSE;
	return 0;
}

static int plan_block(struct planner *p, struct fm_block *block)
{
	uint64_t run;
	int rc = 0;

	for (uint64_t off = 0; !rc && off < fm_block_len(block); off += run) {
		bool private = fm_private_at(block, off, &run);

		rc = plan_range(p, block, private ? FM_ROLE_PRIVATE : fm_block_role(block), off,
				run);
	}
	return rc;
}

/* What becomes of the request, once it is known what is cleared. */
static void settle_request(struct planner *p)
{
	struct fm_reset_plan *plan = p->plan;
	const char *reason;

	if (!p->overwrite) {
		snprintf(plan->overwrite_reason, sizeof(plan->overwrite_reason), "nobody asks");
		return;
	}
	plan->overwrite = fmi_reset_disposition(plan->kind, &reason);
	snprintf(plan->overwrite_reason, sizeof(plan->overwrite_reason), "%s", reason);
	if (plan->overwrite != FM_OVERWRITE_CLEAR || !p->left)
		return;
	plan->overwrite = FM_OVERWRITE_PENDING;
	snprintf(plan->overwrite_reason, sizeof(plan->overwrite_reason),
		 "block %s is not cleared: the request stays set", fm_block_name(p->left));
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->steps[i].action == FM_RESET_ACKNOWLEDGE)
			because(&plan->steps[i], FM_RESET_KEEP, plan->overwrite_reason);
	}
}

/* The plan that p->r asks for. */
static int make(struct planner *p, struct fm_error *err)
{
	struct fm_block *block = NULL;
	int rc = check_request(p, err);

	if (rc)
		return rc;
	p->plan = calloc(1, sizeof(*p->plan));
	if (p->plan) {
		p->plan->kind = p->r->kind;
		p->plan->cause = p->r->cause;
		p->plan->overwrite_sources = who_asks(p);
		p->overwrite = p->plan->overwrite_sources != 0;
	}
	rc = p->plan ? fmi_reset_users_list(&p->users, p->machine) : FM_ERR_NOMEM;
	while (!rc && (block = fm_machine_next_block(p->machine, FM_WALK_ALL, block)))
		rc = plan_block(p, block);
	if (rc)
		return fm_error_set(err, rc, 0, "%s: reset plan: out of memory",
				    fm_machine_name(p->machine));
	settle_request(p);
	return 0;
}

int fm_reset_plan(struct fm_reset_plan **out, struct fm_machine *machine,
		  const struct fm_reset_request *request, struct fm_error *err)
{
	struct fm_reset_request r;
	struct planner p = { .r = &r, .machine = machine };
	int rc = fmi_config_copy(&r, sizeof(r), request, "fm_reset_request", err);

	if (rc)
		return rc;
	if (!out || !machine)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_reset_plan: %s is NULL",
				    out ? "machine" : "out");
	rc = make(&p, err);
	fmi_reset_rules_drop(&p.rules);
	fmi_reset_rules_drop(&p.policy);
	fmi_registry_clear(&p.sanitize, NULL);
	fmi_registry_clear(&p.saved, NULL);
	fmi_registry_clear(&p.backings, NULL);
	fmi_reset_users_drop(&p.users);
	if (rc)
		fm_reset_plan_free(p.plan);
	else
		*out = p.plan;
	return rc;
}
