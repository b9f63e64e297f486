/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/reset_test.h"

#include "tools/firmem/progress.h"
#include "tools/firmem/reset_machine.h"

#include <firmem/ppi.h>

#include <stdlib.h>
#include <string.h>

#define SECRET 0xa5
#define LOADED 0x3c /* what the snapshot has */
#define ERASED 0xff

#define CHUNK (UINT64_C(16) << 20) /* between two looks at how far it is */
#define PIECE UINT64_C(4096)       /* that is counted at once */

/* What a range is made of: how many bytes have which value. */
struct census {
	uint64_t of[256];
};

void reset_test_ask(struct fm_machine *machine, bool overwrite)
{
	struct fm_block *block;

	fm_machine_foreach_block (machine, FM_WALK_ALL, block) {
		uint8_t *p = fm_block_ptr(block);

		if (fm_block_role(block) != FM_ROLE_PPI ||
		    fm_block_len(block) <= FM_PPI_MEMORY_OVERWRITE)
			continue;
		p[FM_PPI_MEMORY_OVERWRITE] &= (uint8_t)~FM_PPI_CLEAR_MEMORY;
		if (overwrite)
			p[FM_PPI_MEMORY_OVERWRITE] |= FM_PPI_CLEAR_MEMORY;
	}
}

void reset_test_fill(struct fm_machine *machine)
{
	struct progress progress = progress_begin("every block is given a secret");
	struct fm_block *block;
	uint64_t done = 0, total = 0;

	fm_machine_foreach_block (machine, FM_WALK_ALL, block)
		total += fm_block_len(block);
	fm_machine_foreach_block (machine, FM_WALK_ALL, block) {
		uint8_t *p = fm_block_ptr(block);
		uint64_t len = fm_block_len(block);

		for (uint64_t at = 0, n; at < len; at += n, done += n) {
			n = len - at < CHUNK ? len - at : CHUNK;
			memset(p + at, SECRET, n);
			progress_at(&progress, done, total);
		}
	}
	progress_end(&progress);
}

/* --- the host that a plan needs -------------------------------------------------------------- */

static int quiesce(void *ctx, struct fm_error *err)
{
	return 0;
}

static int load(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	memset((uint8_t *)fm_block_ptr(s->object) + s->start, LOADED, s->size);
	return 0;
}

static int reload(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	memset((uint8_t *)fm_block_ptr(s->object) + s->start, RESET_PRISTINE, s->size);
	return 0;
}

static int rebuild(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	return 0;
}

/* The snapshot of this test was made after the secret was stored. */
static int attest(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	const uint8_t *p = (const uint8_t *)fm_block_ptr(s->object) + s->start;

	if (s->size && *p == SECRET && !memcmp(p, p + 1, s->size - 1))
		return 0;
	return fm_error_set(err, FM_ERR_CHECKSUM, 0, "block %s: not as the snapshot knows it",
			    s->block);
}

/* --- what is left -------------------------------------------------------------------------- */

static struct census count(const struct fm_reset_step *s)
{
	const uint8_t *p = (const uint8_t *)fm_block_ptr(s->object) + s->start;
	struct progress progress = { .what = NULL };
	struct census c = { { 0 } };

	if (s->size > CHUNK)
		progress = progress_begin(s->block);
	for (uint64_t at = 0, n; at < s->size; at += n) {
		n = s->size - at < PIECE ? s->size - at : PIECE;
		if (at % CHUNK == 0)
			progress_at(&progress, at, s->size);
		/* Most are of one value, and there may be millions. */
		if (!memcmp(p + at, p + at + 1, n - 1)) {
			c.of[p[at]] += n;
			continue;
		}
		for (uint64_t i = 0; i < n; i++)
			c.of[p[at + i]]++;
	}
	progress_end(&progress);
	return c;
}

/* The page with the request: all of it is as before, but for the request. */
static bool page_is(const struct fm_reset_step *s, const struct census *c, bool asked)
{
	const uint8_t *page = fm_block_ptr(s->object);

	if (s->size <= FM_PPI_MEMORY_OVERWRITE)
		return c->of[SECRET] == s->size;
	if ((page[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY) != asked)
		return false;
	return c->of[SECRET] >= s->size - 1;
}

static bool as_planned(const struct fm_reset_step *s, const struct census *c,
		       const struct fm_reset_plan *plan)
{
	bool flash = s->role == FM_ROLE_FLASH_CODE || s->role == FM_ROLE_FLASH_VARS;
	bool asked = plan->overwrite_sources & FM_OVERWRITE_BY_PPI;

	switch (s->action) {
	case FM_RESET_KEEP:
	case FM_RESET_FLUSH_KEEP:
	case FM_RESET_REFUSE:
		return s->role == FM_ROLE_PPI ? page_is(s, c, asked) : c->of[SECRET] == s->size;
	case FM_RESET_ZERO:
	case FM_RESET_DISCARD:
	case FM_RESET_UNPLUG:
	case FM_RESET_REBUILD:
		return c->of[flash ? ERASED : 0] == s->size;
	case FM_RESET_RELOAD:
		return c->of[RESET_PRISTINE] == s->size;
	case FM_RESET_LOAD:
		return c->of[LOADED] == s->size;
	case FM_RESET_ACKNOWLEDGE:
		return c->of[0] == s->size || page_is(s, c, false);
	case FM_RESET_ACTION_COUNT:
		break;
	}
	return false;
}

/* The presence page carries requests over resets, so it is no place for secrets. */
static bool is_volatile(enum fm_role role)
{
	return !fm_role_nonvolatile(role) && role != FM_ROLE_PPI;
}

static const struct out_column columns[] = {
	{ "block", "BLOCK", OUT_TEXT },
	{ "role", "ROLE", OUT_TEXT },
	{ "start", "START", OUT_ADDRESS },
	{ "size", "SIZE", OUT_SIZE },
	{ "action", "ACTION", OUT_TEXT },
	{ "done", "DONE", OUT_TEXT },
	{ "written", "WRITTEN", OUT_SIZE },
	{ "released", "RELEASED", OUT_SIZE },
	{ "secret_left", "SECRET LEFT", OUT_SIZE },
	{ "as_planned", "AS PLANNED", OUT_BOOL },
};

struct sums {
	uint64_t secret; /* bytes in volatile memory */
	bool as_planned;
};

static void put_step(struct out *out, const struct fm_reset_plan *plan, size_t i,
		     const struct fm_reset_report *report, struct sums *sums)
{
	const struct fm_reset_step *s = &plan->steps[i];
	const struct fm_reset_result none = { .action = FM_RESET_KEEP };
	const struct fm_reset_result *r = i < report->count ? &report->results[i] : &none;
	enum fm_reset_action done = s->action == FM_RESET_REFUSE ? FM_RESET_REFUSE : r->action;
	struct census c = count(s);
	/* A refused reset touches nothing at all. */
	bool good = plan->refused ? c.of[SECRET] >= s->size - (s->role == FM_ROLE_PPI)
				  : as_planned(s, &c, plan) && done == s->action;

	sums->as_planned &= good;
	if (is_volatile(s->role))
		sums->secret += c.of[SECRET];
	out_row(out, (const struct out_value[]){
			     { .text = *s->block ? s->block : "(unnamed)" },
			     { .text = fm_role_name(s->role) },
			     { .number = s->start },
			     { .number = s->size },
			     { .text = fm_reset_action_name(s->action) },
			     { .text = fm_reset_action_name(done) },
			     { .number = r->written },
			     { .number = r->released },
			     { .number = c.of[SECRET] },
			     { .number = good },
		     });
}

enum status reset_test_run(struct out *out, struct fm_machine *machine,
			   const struct fm_reset_plan *plan, enum fm_reset_pages pages)
{
	const struct fm_reset_options options = { .struct_size = sizeof(options),
						  .pages = pages,
						  .verify = true,
						  .quiesce = quiesce,
						  .load = load,
						  .reload = reload,
						  .rebuild = rebuild,
						  .attest = attest };
	struct fm_reset_report report = { .count = 0 };
	struct sums sums = { .as_planned = true };
	struct fm_error err = { .msg = "" };
	int rc = fm_reset_apply(machine, plan, &options, &report, &err);

	out_table(out, "test", columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < plan->count; i++)
		put_step(out, plan, i, &report, &sums);
	out_table_end(out);
	if (rc)
		out_value(out, "error", OUT_TEXT, (struct out_value){ .text = err.msg });
	out_value(out, "acknowledged", OUT_BOOL,
		  (struct out_value){ .number = report.acknowledged });
	out_value(out, "as_planned", OUT_BOOL,
		  (struct out_value){ .number = sums.as_planned && (!rc || plan->refused) });
	out_value(out, "volatile_secret_left", OUT_SIZE,
		  (struct out_value){ .number = sums.secret });
	fm_reset_report_clear(&report);
	return rc || !sums.as_planned || sums.secret ? STATUS_NO : STATUS_YES;
}
