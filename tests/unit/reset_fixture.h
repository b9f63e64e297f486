/* SPDX-License-Identifier: BSD-2-Clause */
/* reset_fixture: machines of a few small blocks, and what their plans say. */
#ifndef FIRMEM_TESTS_RESET_FIXTURE_H
#define FIRMEM_TESTS_RESET_FIXTURE_H

#include "tests/unit/blockutil.h"

#include <firmem/ppi.h>
#include <firmem/private.h>
#include <firmem/ram.h>
#include <firmem/reset.h>
#include <firmem/rom.h>

#define SECRET 0xa5

#define REQUEST(...) \
	(&(struct fm_reset_request){ .struct_size = sizeof(struct fm_reset_request), __VA_ARGS__ })
#define OPTIONS(...) \
	(&(struct fm_reset_options){ .struct_size = sizeof(struct fm_reset_options), __VA_ARGS__ })

static inline struct fm_machine *machine_make(void)
{
	struct fm_machine *m = NULL;

	assert_int_equal(fm_machine_new(&m, "board", NULL), 0);
	return m;
}

/* The machine owns it. */
static inline struct fm_block *add_cfg(struct fm_machine *m, struct fm_block_config cfg)
{
	struct fm_block *b = must_make(cfg);

	assert_int_equal(fm_machine_add_block(m, b, NULL), 0);
	return b;
}

static inline struct fm_block *add(struct fm_machine *m, const char *name, enum fm_role role,
				   enum fm_backing backing)
{
	return add_cfg(m,
		       BLOCK_RAW(.name = name, .role = role, .backing = backing, .len = 4 * PAGE));
}

static inline struct fm_dev *add_rom(struct fm_machine *m, struct fm_block *block, bool shadow)
{
	uint8_t *image = malloc(fm_block_len(block));
	struct fm_rom_config cfg = { .struct_size = sizeof(cfg),
				     .block = block,
				     .data = image,
				     .len = fm_block_len(block),
				     .shadow = shadow };
	struct fm_dev *dev = NULL;

	assert_non_null(image);
	for (size_t i = 0; i < cfg.len; i++)
		image[i] = (uint8_t)(i * 7 + 1);
	assert_int_equal(fm_rom_new(&dev, &cfg, NULL), 0);
	free(image);
	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	return dev;
}

static inline void fill(struct fm_block *b)
{
	memset(fm_block_ptr(b), SECRET, fm_block_len(b));
}

/* Fill it, but ask for no memory overwrite. */
static inline void fill_quietly(struct fm_block *b)
{
	fill(b);
	if (fm_block_role(b) == FM_ROLE_PPI)
		bytes(b)[FM_PPI_MEMORY_OVERWRITE] &= (uint8_t)~FM_PPI_CLEAR_MEMORY;
}

static inline struct fm_reset_plan *plan_of(struct fm_machine *m, const struct fm_reset_request *r)
{
	struct fm_reset_plan *plan = NULL;
	struct fm_error err = { 0 };

	if (fm_reset_plan(&plan, m, r, &err))
		fail_msg("%s", err.msg);
	return plan;
}

static inline const struct fm_reset_step *step_of(const struct fm_reset_plan *plan,
						  const char *block)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (!strcmp(plan->steps[i].block, block))
			return &plan->steps[i];
	}
	fail_msg("no step for %s", block);
	return NULL;
}

/* What a request makes of one block. */
static inline enum fm_reset_action action_of(struct fm_machine *m, const char *block,
					     const struct fm_reset_request *r)
{
	struct fm_reset_plan *plan = plan_of(m, r);
	enum fm_reset_action action = step_of(plan, block)->action;

	fm_reset_plan_free(plan);
	return action;
}

/* The plan is refused with that code and a one-line message that has `text`; nothing comes of it. */
static inline void plan_fails(struct fm_machine *m, const struct fm_reset_request *r, int code,
			      const char *text)
{
	struct fm_reset_plan *const untouched = (struct fm_reset_plan *)m;
	struct fm_reset_plan *plan = untouched;
	struct fm_error err = { 0 };
	int rc = fm_reset_plan(&plan, m, r, &err);

	if (rc != code || err.code != code || !strstr(err.msg, text) || strchr(err.msg, '\n') ||
	    plan != untouched)
		fail_msg("%d \"%s\", expected %d \"%s\"", rc, err.msg, code, text);
}

static inline int allow(void *ctx, struct fm_error *err)
{
	return 0;
}

/* Plan and apply; the report is the caller's. */
static inline int do_reset(struct fm_machine *m, const struct fm_reset_request *r,
			   struct fm_reset_options o, struct fm_reset_report *report)
{
	struct fm_reset_plan *plan = plan_of(m, r);
	struct fm_error err = { 0 };
	int rc;

	if (!o.quiesce)
		o.quiesce = allow;
	rc = fm_reset_apply(m, plan, &o, report, &err);
	if (rc)
		print_message("%s\n", err.msg);
	fm_reset_plan_free(plan);
	return rc;
}

#endif
