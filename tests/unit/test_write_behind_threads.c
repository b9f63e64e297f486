/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests on threads, the worker on its own, somebody who looks: for ThreadSanitizer too. */
#include "tests/unit/rng.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include <firmem/write_behind.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define LEN (128u << 10)
#define OPERATIONS 20000u

struct guest {
	pthread_t thread;
	struct fm_write_behind *wb;
	struct fm_write_behind_config cfg;
	uint64_t seed;
	atomic_bool done;
	unsigned effects;
};

static void *play(void *arg)
{
	struct guest *g = arg;
	struct rng rng = { g->seed };

	for (unsigned n = 0; n < OPERATIONS; n++) {
		uint64_t len = 1 + rng_below(&rng, 200);
		uint64_t off = rng_below(&rng, (unsigned)(LEN - len));

		memset(g->cfg.array + off, (int)n, len);
		g->effects |= fm_write_behind_store(g->wb, off, len);
		if (rng_one_in(&rng, 2000))
			g->effects |= (unsigned)fm_write_behind_flush(g->wb, NULL);
		if (rng_one_in(&rng, 1000))
			g->effects |= (unsigned)fm_write_behind_commit(g->wb, NULL);
	}
	atomic_store(&g->done, true);
	return NULL;
}

static void look(struct guest *g)
{
	struct fm_write_behind_stats stats;

	while (!atomic_load(&g->done)) {
		fm_write_behind_stats(g->wb, &stats);
		assert_true(stats.pending <= stats.journal_len);
		assert_int_equal(fm_write_behind_error(g->wb, NULL), 0);
		usleep(100);
	}
}

static void start(struct guest *g, const char *path, struct fm_worker *worker, uint64_t seed)
{
	struct fm_error err;

	memset(g, 0, sizeof(*g));
	tmpdir_fill(path, LEN, 0);
	g->seed = seed;
	g->cfg = (struct fm_write_behind_config){ .struct_size = sizeof(g->cfg),
						  .array = malloc(LEN),
						  .len = LEN,
						  .image = path,
						  .interval_ns = 1000000,
						  .journal_len = 64u << 10,
						  .worker = worker };
	if (fm_write_behind_open(&g->wb, &g->cfg, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_create(&g->thread, NULL, play, g), 0);
}

static void finish(struct guest *g, const char *path)
{
	struct fm_write_behind_stats stats;
	void *bytes;
	size_t len;

	pthread_join(g->thread, NULL);
	assert_int_equal(g->effects, 0);
	fm_write_behind_stats(g->wb, &stats);
	assert_int_equal(stats.told, OPERATIONS);
	assert_true(stats.commits > 0 && stats.applies > 0);
	fm_write_behind_close(g->wb);
	assert_int_equal(fm_io_load(NULL, path, LEN, &bytes, &len, NULL), 0);
	assert_memory_equal(bytes, g->cfg.array, LEN);
	free(bytes);
	free(g->cfg.array);
}

static void a_guest_and_its_worker(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct guest g;

	start(&g, path, NULL, 1);
	look(&g);
	finish(&g, path);
}

static void four_guests_and_one_worker(void **state)
{
	struct fm_worker_config cfg = { .struct_size = sizeof(cfg), .name = "one for all" };
	const char *path[4];
	struct guest g[4];
	struct fm_worker *worker;

	assert_int_equal(fm_worker_new(&worker, &cfg, NULL), 0);
	for (unsigned i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vars%u", i);
		path[i] = tmpdir_path(state, name);
		start(&g[i], path[i], worker, i);
	}
	for (unsigned i = 0; i < 4; i++) {
		look(&g[i]);
		finish(&g[i], path[i]);
	}
	fm_worker_free(worker);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Until the worker has neither run nor gone to sleep for two intervals; with a timer, that is never. */
static struct fm_worker_stats wait_idle(struct fm_worker *worker)
{
	struct fm_worker_stats before, after;

	fm_worker_stats(worker, &after);
	for (unsigned i = 0; i < 1000; i++) {
		before = after;
		usleep(50000);
		fm_worker_stats(worker, &after);
		if (after.sleeps == before.sleeps && after.runs == before.runs)
			return after;
	}
	fail_msg("the worker is never idle");
	return after;
}

/* From idle to busy and back: one wake each, and no timer in between. */
static void an_idle_image_costs_one_wake_when_it_is_changed(void **state)
{
	struct fm_worker_config worker_cfg = { .struct_size = sizeof(worker_cfg) };
	/* Idle is ten intervals. */
	struct fm_write_behind_config cfg = { .struct_size = sizeof(cfg), .interval_ns = 20000000 };
	struct fm_worker_stats before, after;
	struct fm_write_behind_stats stats;
	struct fm_write_behind *wb;
	unsigned rounds = 0;

	cfg.image = tmpdir_path(state, "vars");
	tmpdir_fill(cfg.image, LEN, 0);
	cfg.array = malloc(LEN);
	cfg.len = LEN;
	assert_int_equal(fm_worker_new(&cfg.worker, &worker_cfg, NULL), 0);
	assert_int_equal(fm_write_behind_open(&wb, &cfg, NULL), 0);
	for (unsigned turn = 0; rounds < 3; turn++) {
		uint64_t start, end;

		before = wait_idle(cfg.worker);
		start = now_ns();
		for (unsigned i = 0; i < 1000; i++) {
			cfg.array[2 * i] = (uint8_t)(turn + 1);
			assert_int_equal(fm_write_behind_store(wb, 2 * i, 1), 0);
		}
		end = now_ns();
		do {
			usleep(1000);
			fm_write_behind_stats(wb, &stats);
		} while (stats.pending);
		after = wait_idle(cfg.worker);
		assert_true(after.wakes > before.wakes);
		/* Where this thread was kept from running, the worker was idle in between. */
		if (end - start > cfg.interval_ns)
			continue;
		assert_int_equal(after.wakes, before.wakes + 1);
		rounds++;
	}
	fm_write_behind_close(wb);
	fm_worker_free(cfg.worker);
	free(cfg.array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_guest_and_its_worker),
		tmpdir_test(four_guests_and_one_worker),
		tmpdir_test(an_idle_image_costs_one_wake_when_it_is_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
