/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * powercut_history: a guest's history on a recording seam, and the judge of what a power cut left:
 * it must recover to a state of the history between the last commit and the last operation.
 */
#ifndef FIRMEM_TESTS_POWERCUT_HISTORY_H
#define FIRMEM_TESTS_POWERCUT_HISTORY_H

#include "tests/unit/rng.h"
#include "tests/unit/unit.h"

#include <firmem/powercut.h>
#include <firmem/write_behind.h>

#define HISTORY_MAX 4000u

struct history {
	struct fm_powercut *pc;
	struct fm_worker *worker;
	struct fm_write_behind_config cfg;
	struct fm_write_behind *wb;
	uint64_t len;
	uint8_t *array;
	/* State 0 is before the first operation. `begun`: steps before it; then what it left. */
	unsigned states;
	uint64_t begun[HISTORY_MAX];
	uint8_t *state[HISTORY_MAX];
	/* From step .point on the states before .state are gone for good. */
	unsigned commits;
	struct {
		uint64_t point;
		unsigned state;
	} commit[HISTORY_MAX];
	bool large; /* operations are */
	/* Of the judge. */
	uint8_t *seen;
	struct fm_worker *judge;
	uint64_t recoveries;
	uint64_t nested;
};

static inline struct fm_worker *history_worker(void)
{
	struct fm_worker_config cfg = { .struct_size = sizeof(cfg), .pumped = true };
	struct fm_worker *w = NULL;

	assert_int_equal(fm_worker_new(&w, &cfg, NULL), 0);
	return w;
}

static inline void history_init(struct history *h, uint64_t len, uint64_t file_max,
				uint64_t drop_sync)
{
	const struct fm_powercut_config cfg = { .struct_size = sizeof(cfg),
						.drop_sync = drop_sync,
						.file_max = file_max };

	memset(h, 0, sizeof(*h));
	assert_int_equal(fm_powercut_new(&h->pc, &cfg, NULL), 0);
	h->len = len;
	h->array = malloc(len);
	h->seen = malloc(len);
	h->worker = history_worker();
	h->judge = history_worker();
	for (uint64_t i = 0; i < len; i++)
		h->array[i] = (uint8_t)(i / 512 * 11);
	assert_int_equal(fm_powercut_put(h->pc, "image", h->array, len, NULL), 0);
	h->cfg = (struct fm_write_behind_config){ .struct_size = sizeof(h->cfg),
						  .array = h->array,
						  .len = len,
						  .image = "image",
						  .interval_ns = 1,
						  .journal_len = 16384,
						  .worker = h->worker,
						  .io = fm_powercut_io(h->pc) };
}

static inline void history_exit(struct history *h)
{
	for (unsigned i = 0; i < h->states; i++)
		free(h->state[i]);
	free(h->array);
	free(h->seen);
	fm_worker_free(h->worker);
	fm_worker_free(h->judge);
	fm_powercut_free(h->pc);
}

/* Around each operation. */
static inline void history_begin(struct history *h)
{
	assert_true(h->states < HISTORY_MAX);
	fm_powercut_look(h->pc);
	h->begun[h->states] = fm_powercut_point(h->pc);
}

static inline void history_end(struct history *h)
{
	h->state[h->states] = malloc(h->len);
	memcpy(h->state[h->states], h->array, h->len);
	h->states++;
	fm_powercut_look(h->pc);
}

/* All that was told so far is durable. */
static inline void history_committed(struct history *h)
{
	fm_powercut_look(h->pc);
	h->commit[h->commits].point = fm_powercut_point(h->pc);
	h->commit[h->commits].state = h->states - 1;
	h->commits++;
	assert_true(h->commits < HISTORY_MAX);
}

static inline void history_open(struct history *h)
{
	struct fm_error err;

	if (fm_write_behind_open(&h->wb, &h->cfg, &err))
		fail_msg("%s", err.msg);
	if (!h->states) {
		history_begin(h);
		history_end(h);
	}
	history_committed(h);
}

/* A tick of the worker, and whether it committed. */
static inline void history_tick(struct history *h)
{
	struct fm_write_behind_stats before, now;

	fm_write_behind_stats(h->wb, &before);
	fm_worker_pump(h->worker);
	fm_write_behind_stats(h->wb, &now);
	if (now.commits != before.commits || now.applies != before.applies)
		history_committed(h);
}

static inline void history_operation(struct history *h, struct rng *rng)
{
	uint64_t len = 1 + rng_below(rng, h->large || rng_one_in(rng, 6) ? 2500 : 40);
	uint64_t off = rng_below(rng, (unsigned)(h->len - len));

	history_begin(h);
	if (rng_one_in(rng, 8)) {
		off = off / 4096 * 4096;
		memset(h->array + off, 0xff, 4096);
		assert_int_equal(fm_write_behind_erase(h->wb, off, 4096), 0);
	} else {
		for (uint64_t i = 0; i < len; i++)
			h->array[off + i] = (uint8_t)rng_next(rng);
		assert_int_equal(fm_write_behind_store(h->wb, off, len), 0);
	}
	history_end(h);
}

/* A guest of so many operations, with ticks, commits, flushes; closed and opened twice. */
static inline void history_play(struct history *h, unsigned operations, uint64_t seed)
{
	struct rng rng = { seed };

	history_open(h);
	for (unsigned n = 0; n < operations; n++) {
		history_operation(h, &rng);
		if (rng_one_in(&rng, 3)) {
			for (unsigned i = 1 + rng_below(&rng, rng_one_in(&rng, 5) ? 14 : 2); i; i--)
				history_tick(h);
		}
		if (rng_one_in(&rng, 25)) {
			assert_int_equal(fm_write_behind_flush(h->wb, NULL), 0);
			history_committed(h);
		}
		if (n == operations / 3 || n == operations / 3 * 2) {
			fm_write_behind_close(h->wb);
			history_open(h);
		}
	}
	fm_write_behind_close(h->wb);
	history_committed(h);
	fm_powercut_look(h->pc);
	assert_false(fm_powercut_broken(h->pc));
}

/* --- the judge ----------------------------------------------------------------------------- */

static inline int history_read(struct history *h, const struct fm_io *io, bool writer, uint8_t *out,
			       struct fm_error *err)
{
	struct fm_write_behind_config cfg = h->cfg;
	struct fm_write_behind *wb;
	int rc;

	cfg.array = out;
	cfg.io = io;
	cfg.read_only = !writer;
	cfg.worker = h->judge;
	rc = fm_write_behind_open(&wb, &cfg, err);
	if (!rc)
		fm_write_behind_close(wb);
	return rc;
}

/* The disks that a cut during a recovery leaves must recover to the same. */
static inline int history_same(void *ctx, const struct fm_powercut_state *state,
			       struct fm_error *err)
{
	struct history *h = ctx;
	uint8_t *again = malloc(h->len);
	int rc = history_read(h, fm_powercut_io(state->disk), false, again, err);

	if (!rc && memcmp(again, h->seen, h->len))
		rc = fm_error_set(err, FM_ERR_STATE, 0, "a cut recovery leaves another state");
	free(again);
	return rc;
}

static inline int history_recover(struct history *h, const struct fm_powercut_state *state,
				  struct fm_error *err)
{
	const struct fm_powercut_plan plan = { .struct_size = sizeof(plan),
					       .seed = state->number,
					       .states = 40 };
	struct fm_powercut_report report = { .states = 0 };
	const uint8_t *image;
	uint8_t *again = malloc(h->len);
	size_t len;
	int rc = history_read(h, fm_powercut_io(state->disk), true, again, err);

	h->recoveries++;
	image = fm_powercut_file(state->disk, "image", &len);
	if (!rc && (memcmp(again, h->seen, h->len) || !image || memcmp(image, h->seen, h->len)))
		rc = fm_error_set(err, FM_ERR_STATE, 0,
				  "a writer recovers another state than a reader");
	free(again);
	if (rc || h->recoveries % 8)
		return rc;
	rc = fm_powercut_explore(state->disk, &plan, history_same, h, &report, err);
	h->nested += report.states;
	if (!rc && report.violations) {
		*err = report.error;
		rc = err->code;
	}
	return rc;
}

static inline int history_judge(void *ctx, const struct fm_powercut_state *state,
				struct fm_error *err)
{
	struct history *h = ctx;
	unsigned first = 0, last = 0;
	int rc = history_read(h, fm_powercut_io(state->disk), false, h->seen, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < h->commits && h->commit[i].point <= state->point; i++)
		first = h->commit[i].state;
	while (last + 1 < h->states && h->begun[last + 1] < state->point)
		last++;
	while (first <= last && memcmp(h->seen, h->state[first], h->len))
		first++;
	if (first > last) {
		for (first = 0; first < h->states; first++) {
			if (!memcmp(h->seen, h->state[first], h->len))
				break;
		}
		return fm_error_set(err, FM_ERR_STATE, 0,
				    first < h->states
					    ? "state %u of the history: too old or not yet"
					    : "no state of the history",
				    first);
	}
	return state->number % 4 ? 0 : history_recover(h, state, err);
}

#endif
