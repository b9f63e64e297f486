/* SPDX-License-Identifier: BSD-2-Clause */
/* Which states of which cuts are made, and asked about. */
#include "powercut/powercut_private.h"

#include "devices/config.h"

#include <stdlib.h>
#include <string.h>

#define STATES 10000u
#define LEAST 8u /* states of a cut, however small the budget */

static const unsigned pieces[] = { FMI_SECTOR, 4096 };
#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

struct explorer {
	struct fm_powercut *pc;
	fm_powercut_check *check;
	void *ctx;
	uint64_t seed;
	struct fmi_disk disk;
	struct fmi_choices choices;
	unsigned *version;
	size_t room;
};

static uint64_t mix(uint64_t v)
{
	v += UINT64_C(0x9e3779b97f4a7c15);
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

/* How many states there are, or UINT64_MAX: more than `limit`. */
static uint64_t all_states(const struct fmi_choices *c, uint64_t limit)
{
	uint64_t n = 1;

	for (size_t i = 0; i < c->count; i++) {
		n *= c->choice[i].count + 1;
		if (n > limit)
			return UINT64_MAX;
	}
	return n;
}

/* State `n` of all of them. */
static void count_up(struct explorer *e, uint64_t n)
{
	for (size_t i = 0; i < e->choices.count; i++) {
		unsigned base = e->choices.choice[i].count + 1;

		e->version[i] = (unsigned)(n % base);
		n /= base;
	}
}

static void set_all(struct explorer *e, bool fresh)
{
	for (size_t i = 0; i < e->choices.count; i++)
		e->version[i] = fresh ? e->choices.choice[i].count : 0;
}

/* State `n` of a sample: the extremes first, then any. */
static void sample(struct explorer *e, uint64_t n, uint64_t point, unsigned piece)
{
	size_t count = e->choices.count;
	uint64_t state = mix(mix(mix(e->seed ^ point) ^ piece) ^ n);

	set_all(e, n == 1 || (n >= 2 && n % 2 == 0));
	if (n < 2)
		return;
	if (n < 2 + 2 * (uint64_t)count) {
		/* One that did not make it, one that alone did. */
		size_t i = (size_t)((n - 2) / 2);

		e->version[i] = n % 2 ? e->choices.choice[i].count : 0;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		state = mix(state);
		e->version[i] = (unsigned)(state % (e->choices.choice[i].count + 1));
	}
}

static bool make_room(struct explorer *e)
{
	unsigned *version;

	if (e->choices.count <= e->room)
		return true;
	version = realloc(e->version, e->choices.count * 2 * sizeof(*version));
	if (!version)
		return false;
	e->version = version;
	e->room = e->choices.count * 2;
	return true;
}

/* Make the state that e->version says and ask. *verdict: what the checker returned. */
static int ask(struct explorer *e, struct fm_powercut_state *state, int *verdict,
	       struct fm_error *verdict_err, struct fm_error *err)
{
	int rc = fmi_disk_make(&e->disk, state->piece, &e->choices, e->version, &state->disk, err);

	if (rc)
		return rc;
	memset(verdict_err, 0, sizeof(*verdict_err));
	*verdict = e->check(e->ctx, state, verdict_err);
	fm_powercut_free(state->disk);
	state->disk = NULL;
	return 0;
}

static int nomem(struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_NOMEM, 0, "powercut: out of memory");
}

/* The disk after `point` steps. */
static int play_to(struct explorer *e, uint64_t from, uint64_t point, struct fm_error *err)
{
	for (uint64_t i = from; i < point; i++) {
		if (!fmi_disk_play(&e->disk, &e->pc->step[i]))
			return nomem(err);
	}
	return 0;
}

/* Up to `budget` states of the cut at `point`, in pieces of `piece` bytes. */
static int explore_cut(struct explorer *e, uint64_t point, unsigned piece, uint64_t budget,
		       bool stop, struct fm_powercut_report *report, struct fm_error *err)
{
	uint64_t all, count;

	if (!fmi_disk_choices(&e->disk, piece, &e->choices) || !make_room(e))
		return nomem(err);
	all = all_states(&e->choices, budget);
	count = all == UINT64_MAX ? budget : all;
	report->complete += all != UINT64_MAX;
	for (uint64_t n = 0; n < count; n++) {
		struct fm_powercut_state state = { .point = point, .piece = piece };
		struct fm_error error;
		int verdict, rc;

		/* Numbers of samples are those above all that could be counted. */
		state.number = all == UINT64_MAX ? n | UINT64_C(1) << 63 : n;
		if (all == UINT64_MAX)
			sample(e, n, point, piece);
		else
			count_up(e, n);
		rc = ask(e, &state, &verdict, &error, err);
		if (rc)
			return rc;
		report->states++;
		if (!verdict)
			continue;
		if (!report->violations++) {
			report->first = state;
			report->error = error;
		}
		if (stop)
			return 0;
	}
	return 0;
}

static int explore(struct explorer *e, const struct fm_powercut_plan *plan,
		   struct fm_powercut_report *report, struct fm_error *err)
{
	uint64_t first = e->pc->durable;
	uint64_t cuts = (e->pc->steps - first + 1) * PIECES;
	uint64_t want = plan->states ? plan->states : STATES;
	int rc = play_to(e, 0, first, err);

	for (uint64_t point = first; !rc && point <= e->pc->steps; point++) {
		for (unsigned i = 0; !rc && i < PIECES; i++, cuts--) {
			uint64_t left = want > report->states ? want - report->states : 0;
			uint64_t budget = left / cuts;

			rc = explore_cut(e, point, pieces[i], budget > LEAST ? budget : LEAST,
					 plan->stop, report, err);
			if (plan->stop && report->violations)
				return rc;
		}
		report->points++;
		if (!rc && point < e->pc->steps)
			rc = play_to(e, point, point + 1, err);
	}
	return rc;
}

static void finish(struct explorer *e)
{
	fmi_disk_exit(&e->disk);
	free(e->choices.choice);
	free(e->version);
}

int fm_powercut_explore(struct fm_powercut *pc, const struct fm_powercut_plan *plan,
			fm_powercut_check *check, void *ctx, struct fm_powercut_report *out,
			struct fm_error *err)
{
	struct fm_powercut_plan p;
	struct fm_powercut_report report = { .states = 0 };
	struct explorer e = { .pc = pc, .check = check, .ctx = ctx };
	int rc = fmi_config_copy(&p, sizeof(p), plan, "fm_powercut_plan", err);

	if (rc)
		return rc;
	fm_powercut_look(pc);
	if (pc->broken)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "powercut: memory ran out while it was recorded");
	e.seed = p.seed;
	e.disk.file_max = pc->cfg.file_max;
	rc = explore(&e, &p, &report, err);
	finish(&e);
	if (!rc)
		*out = report;
	return rc;
}

/* The state of that number, or false. */
static bool choose(struct explorer *e, const struct fm_powercut_state *which)
{
	uint64_t n = which->number & ~(UINT64_C(1) << 63);

	if (n != which->number) {
		sample(e, n, which->point, which->piece);
		return true;
	}
	if (n >= all_states(&e->choices, UINT64_MAX / 65536))
		return false;
	count_up(e, n);
	return true;
}

int fm_powercut_repeat(struct fm_powercut *pc, uint64_t seed, const struct fm_powercut_state *which,
		       fm_powercut_check *check, void *ctx, struct fm_error *err)
{
	struct explorer e = { .pc = pc, .check = check, .ctx = ctx, .seed = seed };
	struct fm_powercut_state state = *which;
	struct fm_error error = { .code = 0 };
	int verdict = 0;
	int rc = 0;

	e.disk.file_max = pc->cfg.file_max;
	if (which->point > pc->steps || (which->piece != pieces[0] && which->piece != pieces[1]))
		rc = FM_ERR_NOT_FOUND;
	else
		rc = play_to(&e, 0, which->point, err);
	if (!rc && (!fmi_disk_choices(&e.disk, which->piece, &e.choices) || !make_room(&e)))
		rc = nomem(err);
	if (!rc && !choose(&e, which))
		rc = FM_ERR_NOT_FOUND;
	if (rc == FM_ERR_NOT_FOUND)
		fm_error_set(err, rc, 0, "powercut: there is no state %llu at point %llu",
			     (unsigned long long)which->number, (unsigned long long)which->point);
	if (!rc)
		rc = ask(&e, &state, &verdict, &error, err);
	finish(&e);
	if (!rc && verdict && err)
		*err = error;
	return rc ? rc : verdict;
}
