/* SPDX-License-Identifier: BSD-2-Clause */
/* vars_store: a flash bank with a small store in it, and the operations that change it. */
#ifndef FIRMEM_TESTS_VARS_STORE_H
#define FIRMEM_TESTS_VARS_STORE_H

#include "tests/unit/bank.h"
#include "tests/unit/vars_unit.h"

#include <firmem/medium.h>

#define MOST_OPS 4096u

/* A bank with a store of the tiny layout in it, and the operations that changed it. */
struct store {
	struct bank bank;
	struct vars_build build;
	uint8_t before[0x4000];
	struct fm_medium_sub sub;
	struct {
		uint64_t off;
		unsigned len;
		uint8_t data[8];
	} ops[MOST_OPS];
	size_t count;
};

static inline unsigned store_note(void *ctx, const struct fm_medium_op *op)
{
	struct store *s = ctx;

	/* Nothing but programs, each of a word at most. */
	assert_int_equal(op->kind, FM_MEDIUM_PROGRAM);
	assert_true(op->len <= 8 && s->count < MOST_OPS);
	s->ops[s->count].off = op->off;
	s->ops[s->count].len = (unsigned)op->len;
	memcpy(s->ops[s->count++].data, op->data, op->len);
	return 0;
}

static inline struct store *store_of(struct fm_flash_config cfg, bool plain)
{
	struct store *s = calloc(1, sizeof(*s));

	cfg.regions[0] = (struct fm_flash_region){ 0x1000, 4 };
	cfg.nregions = 1;
	bank_init(&s->bank, 0x4000, cfg);
	s->build = VARS_BUILD_TINY;
	s->build.plain = plain;
	vars_build_init(&s->build, s->bank.array);
	s->sub = (struct fm_medium_sub){ .op = store_note, .ctx = s };
	fm_dev_subscribe(s->bank.dev, &s->sub);
	return s;
}

static inline struct store *store_new(unsigned bank_width, unsigned chip_width, bool plain)
{
	struct fm_flash_config cfg = bank_config();

	cfg.bank_width = bank_width;
	cfg.chip_width = chip_width;
	return store_of(cfg, plain);
}

static inline void store_free(struct store *s)
{
	bank_exit(&s->bank);
	free(s);
}

/* From here on the operations count. */
static inline void store_mark(struct store *s)
{
	memcpy(s->before, s->bank.array, sizeof(s->before));
	s->count = 0;
}

static inline struct fm_vars_value store_value(const char *name, const void *data, size_t len)
{
	struct fm_vars_value value = {
		.struct_size = sizeof(value), .name = name, .data = data, .len = len
	};

	memcpy(value.guid, vars_guid_a, 16);
	return value;
}

static inline int store_set(struct store *s, const char *name, const void *data, size_t len)
{
	struct fm_vars_value value = store_value(name, data, len);
	struct fm_error err = { 0 };
	int rc = fm_vars_set(s->bank.dev, &value, 1, &err);

	assert_int_equal(rc, err.code);
	assert_true(mapped(&s->bank));
	return rc;
}

static inline struct fm_vars *store_vars(struct store *s)
{
	return vars_of(s->bank.array, s->bank.len);
}

static inline void store_holds(struct store *s, const char *name, const void *data, size_t len)
{
	struct fm_vars *vars = store_vars(s);

	vars_expect_value(vars, vars_guid_a, name, data, len);
	fm_vars_free(vars);
}

#endif
