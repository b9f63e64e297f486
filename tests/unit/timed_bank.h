/* SPDX-License-Identifier: BSD-2-Clause */
/* timed_bank: what tests of banks with a clock share: ticks, medium operations as told, saved states. */
#ifndef FIRMEM_TESTS_TIMED_BANK_H
#define FIRMEM_TESTS_TIMED_BANK_H

#include "tests/unit/bank.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
/* What the defaults take. */
#define WORD_NS (128 * US)
#define BUFFER_NS (128 * US)
#define ERASE_NS (1024 * MS)

static inline void tick(struct bank *b, uint64_t now_ns)
{
	b->effects = fm_dev_tick(b->dev, now_ns);
}

static inline uint64_t deadline(struct bank *b)
{
	return fm_dev_next_deadline_ns(b->dev);
}

/* To the next deadline, which there must be; returns when that was. */
static inline uint64_t tick_on(struct bank *b)
{
	uint64_t at = deadline(b);

	assert_true(at != FM_NEVER);
	tick(b, at);
	return at;
}

/* --- medium operations, as they are told ---------------------------------------------------- */

struct told {
	struct fm_medium_sub sub;
	struct fm_medium_op ops[32];
	unsigned n;
};

static inline unsigned told_note(void *ctx, const struct fm_medium_op *op)
{
	struct told *t = ctx;

	assert_in_range(t->n, 0, 31);
	t->ops[t->n++] = *op;
	return 0;
}

static inline void told_init(struct told *t, struct bank *b)
{
	memset(t, 0, sizeof(*t));
	t->sub.op = told_note;
	t->sub.ctx = t;
	fm_dev_subscribe(b->dev, &t->sub);
}

static inline void told_exit(struct told *t, struct bank *b)
{
	fm_dev_unsubscribe(b->dev, &t->sub);
}

/* --- DIRTY ---------------------------------------------------------------------------------- */

/* FM_EFF_DIRTY is for those who keep a log. */
static inline void keep_log(struct bank *b)
{
	assert_int_equal(fm_dirty_start(fm_block_dirty(b->block), 0, NULL), 0);
}

/* --- saved states ----------------------------------------------------------------------------- */

/* Save `from` and load that into `to`, whose array becomes the same. */
static inline void carry(struct bank *to, struct bank *from)
{
	struct fm_error err = { 0 };
	void *bytes;
	size_t len;

	assert_int_equal(fm_dev_save(from->dev, &bytes, &len, NULL), 0);
	memcpy(to->array, from->array, from->len);
	if (fm_dev_load(to->dev, bytes, len, &err))
		fail_msg("%s", err.msg);
	free(bytes);
}

#endif
