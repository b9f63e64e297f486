/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_reset: requests that are nearly right, on machines of a few pages. What must hold:
 *  - a plan fails with one of its documented codes and a message, or covers every byte of every block
 *    once;
 *  - neither a plan nor a refused reset changes a byte;
 *  - what is non-volatile is as it was, unless sanitize named it or a snapshot carried it;
 *  - where the request was acknowledged, no volatile block holds the secret;
 *  - done is what was planned.
 */
#include "fuzz/tape.h"

#include <firmem/ppi.h>
#include <firmem/private.h>
#include <firmem/reset.h>

#include <string.h>

#define BLOCKS 6u
#define RULES 4u
#define PAGE 4096u
#define SECRET 0xa5

struct run {
	struct tape tape;
	struct fm_machine *machine;
	struct fm_block *blocks[BLOCKS];
	unsigned count;
	uint8_t before[BLOCKS][2 * PAGE];
	struct fm_reset_rule rules[RULES];
	struct fm_reset_saved saved[BLOCKS];
	struct fm_reset_backing backings[BLOCKS];
	const char *sanitize[BLOCKS];
	struct fm_reset_request request;
};

static const char *const names[BLOCKS + 1] = { "a", "b", "c", "d", "e", "f", "nobody" };

/* --- making it --------------------------------------------------------------------------- */

static void make_block(struct run *r, unsigned i)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_private_config private = { .struct_size = sizeof(private) };
	struct fm_block *b;
	uint8_t *p;

	cfg.role = (enum fm_role)(1 + tape_below(&r->tape, FM_ROLE_COUNT - 1));
	cfg.backing = tape_one_in(&r->tape, 2) ? FM_BACKING_MEMFD : FM_BACKING_ANON;
	cfg.name = tape_one_in(&r->tape, 8) ? NULL : names[i];
	cfg.len = 2 * PAGE - tape_below(&r->tape, 2) * 100;
	cfg.flags = tape_one_in(&r->tape, 8) ? FM_BLOCK_NO_MIGRATE : 0;
	TAPE_CHECK(!fm_block_new(&b, &cfg, NULL));
	TAPE_CHECK(!fm_machine_add_block(r->machine, b, NULL));
	p = fm_block_ptr(b);
	memset(p, SECRET, cfg.len);
	if (cfg.role == FM_ROLE_PPI && tape_one_in(&r->tape, 2))
		p[FM_PPI_MEMORY_OVERWRITE] &= (uint8_t)~FM_PPI_CLEAR_MEMORY;
	if (tape_one_in(&r->tape, 6)) {
		TAPE_CHECK(!fm_private_enable(b, &private, NULL));
		TAPE_CHECK(!fm_private_convert(b, 0, PAGE, true, NULL));
	}
	if (tape_one_in(&r->tape, 8))
		fm_block_discard_inhibit(b);
	memcpy(r->before[i], p, cfg.len);
	r->blocks[i] = b;
}

static void make_rule(struct run *r, struct fm_reset_rule *rule)
{
	unsigned who = tape_below(&r->tape, 16);

	if (who < 8)
		rule->block = names[tape_below(&r->tape, tape_one_in(&r->tape, 8) ? 7 : r->count)];
	if (who >= 8 || who == 7)
		rule->role = (enum fm_role)tape_below(&r->tape, FM_ROLE_COUNT + (who == 15));
	rule->kinds = tape_one_in(&r->tape, 2) ? tape_u8(&r->tape) & 0x3f : 0;
	if (tape_one_in(&r->tape, 32))
		rule->kinds = 0x40;
	rule->when = (enum fm_reset_when)tape_below(&r->tape, tape_one_in(&r->tape, 32) ? 4 : 3);
	rule->action = (enum fm_reset_action)tape_below(
		&r->tape, FM_RESET_ACTION_COUNT + tape_one_in(&r->tape, 32));
}

static void make_request(struct run *r)
{
	struct fm_reset_request *q = &r->request;

	q->struct_size = sizeof(*q);
	q->kind = (enum fm_reset_kind)tape_below(&r->tape, FM_RESET_COUNT);
	q->memory_overwrite = tape_one_in(&r->tape, 2);
	q->mor = tape_one_in(&r->tape, 4) ? tape_u8(&r->tape) : 0;
	q->host_devices_reset = tape_one_in(&r->tape, 2);
	q->nrules = tape_below(&r->tape, RULES + 1);
	for (size_t i = 0; i < q->nrules; i++)
		make_rule(r, &r->rules[i]);
	/* The same list twice is two ranks of it. */
	q->npolicy = tape_one_in(&r->tape, 2) ? q->nrules : 0;
	for (unsigned i = 0; i < r->count; i++) {
		unsigned what = tape_below(&r->tape, 8);

		if (what < 4)
			r->saved[q->nsaved++] = (struct fm_reset_saved){ .block = names[i],
									 .carried = what & 1,
									 .digest = "d",
									 .digest_len = 1 };
		if (what == 4)
			r->sanitize[q->nsanitize++] = names[i];
		if (what == 5)
			r->backings[q->nbackings++] =
				(struct fm_reset_backing){ .block = names[i],
							   .is = tape_u8(&r->tape) & 0x7f };
	}
	q->rules = r->rules;
	q->policy = r->rules;
	q->saved = r->saved;
	q->sanitize = r->sanitize;
	q->backings = r->backings;
}

/* --- the host -------------------------------------------------------------------------------- */

static int quiesce(void *ctx, struct fm_error *err)
{
	return 0;
}

static int load(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	memset((uint8_t *)fm_block_ptr(s->object) + s->start, 0x11, s->size);
	return 0;
}

static int nothing(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	return 0;
}

/* --- what must hold ---------------------------------------------------------------------- */

static void check_unchanged(const struct run *r)
{
	for (unsigned i = 0; i < r->count; i++)
		TAPE_CHECK(!memcmp(fm_block_ptr(r->blocks[i]), r->before[i],
				   fm_block_len(r->blocks[i])));
}

static void check_cover(const struct run *r, const struct fm_reset_plan *plan)
{
	size_t step = 0;

	for (unsigned i = 0; i < r->count; i++) {
		uint64_t at = 0;

		while (at < fm_block_len(r->blocks[i])) {
			TAPE_CHECK(step < plan->count);
			TAPE_CHECK(plan->steps[step].object == r->blocks[i]);
			TAPE_CHECK(plan->steps[step].start == at && plan->steps[step].size);
			TAPE_CHECK(*plan->steps[step].reason);
			at += plan->steps[step++].size;
		}
		TAPE_CHECK(at == fm_block_len(r->blocks[i]));
	}
	TAPE_CHECK(step == plan->count);
}

static bool is_named(const struct run *r, const struct fm_block *b)
{
	for (size_t i = 0; i < r->request.nsanitize; i++) {
		if (!strcmp(r->sanitize[i], fm_block_name(b)))
			return true;
	}
	for (size_t i = 0; i < r->request.nsaved; i++) {
		if (r->request.kind == FM_RESET_SNAPSHOT && r->saved[i].carried &&
		    !strcmp(r->saved[i].block, fm_block_name(b)))
			return true;
	}
	return false;
}

static void check_promises(const struct run *r, bool acknowledged)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct fm_block *b = r->blocks[i];
		const uint8_t *p = fm_block_ptr(b);
		uint64_t run;

		for (uint64_t off = 0; off < fm_block_len(b); off += run) {
			bool own = fm_private_at(b, off, &run);
			enum fm_role role = own ? FM_ROLE_PRIVATE : fm_block_role(b);

			if (fm_role_nonvolatile(role) && !is_named(r, b))
				TAPE_CHECK(!memcmp(p + off, r->before[i] + off, run));
			if (acknowledged && !fm_role_nonvolatile(role) && role != FM_ROLE_PPI &&
			    role != FM_ROLE_ROM && role != FM_ROLE_OPTION_ROM &&
			    role != FM_ROLE_TABLE && !r->request.nbackings)
				TAPE_CHECK(!memchr(p + off, SECRET, run));
		}
	}
}

static void apply(struct run *r, const struct fm_reset_plan *plan)
{
	struct fm_reset_options o = { .struct_size = sizeof(o),
				      .quiesce = quiesce,
				      .load = load,
				      .reload = load,
				      .rebuild = nothing,
				      .attest = nothing };
	struct fm_reset_report report = { .count = 0 };
	struct fm_error err = { .code = 0 };
	int rc;

	o.verify = tape_one_in(&r->tape, 2);
	o.pages = (enum fm_reset_pages)tape_below(&r->tape, 3);
	rc = fm_reset_apply(r->machine, plan, &o, &report, &err);
	TAPE_CHECK(rc == (plan->refused ? FM_ERR_STATE : 0));
	if (plan->refused) {
		TAPE_CHECK(*err.msg && !report.results);
		check_unchanged(r);
		return;
	}
	for (size_t i = 0; i < plan->count; i++)
		TAPE_CHECK(report.results[i].action == plan->steps[i].action);
	TAPE_CHECK(!report.acknowledged || plan->overwrite == FM_OVERWRITE_CLEAR);
	check_promises(r, report.acknowledged);
	fm_reset_report_clear(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { .tape = { data, size } };
	struct fm_reset_plan *plan = NULL;
	struct fm_error err = { .code = 0 };
	int rc;

	TAPE_CHECK(!fm_machine_new(&r.machine, "fuzz", NULL));
	r.count = 1 + tape_below(&r.tape, BLOCKS);
	for (unsigned i = 0; i < r.count; i++)
		make_block(&r, i);
	make_request(&r);
	rc = fm_reset_plan(&plan, r.machine, &r.request, &err);
	check_unchanged(&r);
	if (rc) {
		TAPE_CHECK(rc == FM_ERR_ARG || rc == FM_ERR_NOT_FOUND || rc == FM_ERR_EXISTS);
		TAPE_CHECK(err.code == rc && *err.msg && !plan);
	} else {
		check_cover(&r, plan);
		apply(&r, plan);
	}
	fm_reset_plan_free(plan);
	fm_machine_free(r.machine);
	return 0;
}
