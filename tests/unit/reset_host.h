/* SPDX-License-Identifier: BSD-2-Clause */
/* reset_host: a machine with a block of every role, and a host that gives what a plan needs. */
#ifndef FIRMEM_TESTS_RESET_HOST_H
#define FIRMEM_TESTS_RESET_HOST_H

#include "tests/unit/reset_fixture.h"

/* --- a machine with a block of every role -------------------------------------------------------- */

static inline struct fm_machine *make_all(enum fm_backing backing)
{
	struct fm_machine *m = machine_make();

	for (unsigned role = FM_ROLE_NONE + 1; role < FM_ROLE_COUNT; role++) {
		struct fm_block *b =
			add(m, fm_role_name((enum fm_role)role), (enum fm_role)role, backing);

		if (role == FM_ROLE_ROM || role == FM_ROLE_OPTION_ROM || role == FM_ROLE_TABLE)
			add_rom(m, b, true);
		fill_quietly(b);
	}
	return m;
}

static inline struct fm_block *of(struct fm_machine *m, enum fm_role role)
{
	return fm_machine_block(m, fm_role_name(role));
}

static inline uint8_t *page_of(struct fm_machine *m)
{
	return bytes(of(m, FM_ROLE_PPI));
}

/* Only a rebuild resets it, and no snapshot has it. */
static inline void drop_private(struct fm_machine *m)
{
	struct fm_block *b = of(m, FM_ROLE_PRIVATE);

	assert_int_equal(fm_machine_remove_block(m, b, NULL), 0);
	fm_block_free(b);
}

/* What the host gives where the plan needs it. */
struct host {
	unsigned quiesced, resumed, loaded, rebuilt, unplugged, attested;
	unsigned phases[FM_RESET_PHASE_COUNT];
	enum fm_reset_phase last;
	int fail_attest;
	bool out_of_order;
};

static inline int host_quiesce(void *ctx, struct fm_error *err)
{
	((struct host *)ctx)->quiesced++;
	return 0;
}

static inline void host_resume(void *ctx)
{
	((struct host *)ctx)->resumed++;
}

static inline int host_load(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	((struct host *)ctx)->loaded++;
	memset((uint8_t *)fm_block_ptr(s->object) + s->start, 0x11, s->size);
	return 0;
}

static inline int host_rebuild(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	((struct host *)ctx)->rebuilt++;
	return 0;
}

static inline int host_unplug(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	((struct host *)ctx)->unplugged++;
	return 0;
}

static inline int host_attest(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	struct host *h = ctx;

	h->attested++;
	return h->fail_attest ? fm_error_set(err, h->fail_attest, 0, "%s: another", s->block) : 0;
}

static inline void host_progress(void *ctx, enum fm_reset_phase phase,
				 const struct fm_reset_step *s)
{
	struct host *h = ctx;

	h->out_of_order |= phase < h->last;
	h->last = phase;
	h->phases[phase]++;
}

static inline struct fm_reset_options host_options(struct host *h)
{
	return *OPTIONS(.verify = true, .ctx = h, .quiesce = host_quiesce, .resume = host_resume,
			.load = host_load, .rebuild = host_rebuild, .unplug = host_unplug,
			.attest = host_attest, .progress = host_progress);
}

static inline bool holds_secret(const struct fm_block *b)
{
	return memchr(fm_block_ptr(b), SECRET, fm_block_len(b)) != NULL;
}

#endif
