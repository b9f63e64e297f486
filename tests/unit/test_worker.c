/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: what runs when, and what it costs when nothing does. */
#include "tests/unit/unit.h"

#include <firmem/worker.h>

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

struct count {
	struct fm_worker_job job;
	atomic_uint runs;
	uint64_t again_ns; /* 0: never */
	unsigned times;    /* how often to ask again */
	atomic_bool inside;
	atomic_bool hold; /* it does not end while this is set */
};

static uint64_t count_run(void *ctx, uint64_t now)
{
	struct count *c = ctx;

	atomic_store(&c->inside, true);
	while (atomic_load(&c->hold))
		usleep(100);
	atomic_fetch_add(&c->runs, 1);
	atomic_store(&c->inside, false);
	if (!c->times)
		return FM_NEVER;
	c->times--;
	return now + c->again_ns;
}

#define THREAD "a worker"

static struct fm_worker *worker(bool pumped)
{
	struct fm_worker_config cfg = { .struct_size = sizeof(cfg),
					.name = THREAD,
					.pumped = pumped };
	struct fm_worker *w = NULL;

	assert_int_equal(fm_worker_new(&w, &cfg, NULL), 0);
	return w;
}

static void add(struct fm_worker *w, struct count *c)
{
	c->job.run = count_run;
	c->job.ctx = c;
	fm_worker_add(w, &c->job);
}

/* Wait until it has run that often; a minute is for a machine that is busy. */
static void wait_runs(struct count *c, unsigned runs)
{
	for (unsigned i = 0; i < 60000 && atomic_load(&c->runs) < runs; i++)
		usleep(1000);
	assert_true(atomic_load(&c->runs) >= runs);
}

static struct fm_worker_stats stats(struct fm_worker *w)
{
	struct fm_worker_stats s;

	fm_worker_stats(w, &s);
	return s;
}

/* Is the worker's thread off the processor, waiting? It is the only one of its name. */
static bool asleep(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	bool is = false;

	assert_non_null(tasks);
	while ((task = readdir(tasks))) {
		char path[300], line[200] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", task->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		is |= fgets(line, sizeof(line), f) && strstr(line, "(" THREAD ") S");
		fclose(f);
	}
	closedir(tasks);
	return is;
}

/* A sleep is counted just before it. */
static void wait_sleeps(struct fm_worker *w, uint64_t sleeps)
{
	for (unsigned i = 0; i < 60000 && (stats(w).sleeps < sleeps || !asleep()); i++)
		usleep(1000);
}

static void a_pumped_worker_runs_what_was_woken(void **state)
{
	struct fm_worker *w = worker(true);
	struct count a = { 0 }, b = { 0 };

	assert_true(fm_worker_pumped(w));
	add(w, &a);
	add(w, &b);
	assert_true(fm_worker_pump(w) == FM_NEVER);
	fm_worker_wake(w, &b.job);
	assert_int_equal(atomic_load(&b.runs), 0);
	assert_true(fm_worker_pump(w) == FM_NEVER);
	assert_int_equal(atomic_load(&a.runs), 0);
	assert_int_equal(atomic_load(&b.runs), 1);
	fm_worker_remove(w, &a.job);
	fm_worker_wake(w, &a.job);
	fm_worker_pump(w);
	assert_int_equal(atomic_load(&a.runs), 0);
	fm_worker_remove(w, &b.job);
	fm_worker_free(w);
}

static void a_pump_says_when_to_come_again(void **state)
{
	struct fm_worker *w = worker(true);
	struct count c = { .again_ns = 3600 * 1000 * MS, .times = 1 };
	struct timespec t;
	uint64_t due;

	add(w, &c);
	fm_worker_wake(w, &c.job);
	due = fm_worker_pump(w);
	clock_gettime(CLOCK_MONOTONIC, &t);
	assert_true(due > (uint64_t)t.tv_sec * 1000 * MS + 3500 * 1000 * MS);
	assert_true(fm_worker_pump(w) == due);
	assert_int_equal(atomic_load(&c.runs), 1);
	fm_worker_remove(w, &c.job);
	fm_worker_free(w);
}

static void a_job_that_is_due_at_once_keeps_no_other_waiting(void **state)
{
	struct fm_worker *w = worker(true);
	struct count a = { .times = 1000 }, b = { .times = 1000 };

	add(w, &a);
	add(w, &b);
	fm_worker_wake(w, &a.job);
	fm_worker_wake(w, &b.job);
	for (unsigned i = 1; i <= 10; i++) {
		fm_worker_pump(w);
		assert_int_equal(atomic_load(&a.runs), i);
		assert_int_equal(atomic_load(&b.runs), i);
	}
	fm_worker_remove(w, &a.job);
	fm_worker_remove(w, &b.job);
	fm_worker_free(w);
}

static void a_thread_runs_what_was_woken_and_again_when_due(void **state)
{
	struct fm_worker *w = worker(false);
	struct count a = { .again_ns = MS, .times = 3 }, b = { 0 };

	assert_false(fm_worker_pumped(w));
	assert_true(fm_worker_pump(w) == FM_NEVER);
	add(w, &a);
	add(w, &b);
	fm_worker_wake(w, &a.job);
	wait_runs(&a, 4);
	assert_int_equal(atomic_load(&b.runs), 0);
	fm_worker_wake(w, &b.job);
	wait_runs(&b, 1);
	fm_worker_remove(w, &a.job);
	fm_worker_remove(w, &b.job);
	fm_worker_free(w);
}

static void an_idle_worker_sleeps_once_and_is_woken_by_one_call(void **state)
{
	struct fm_worker *w = worker(false);
	struct count c = { 0 };
	struct fm_worker_stats before;

	add(w, &c);
	wait_sleeps(w, 1);
	before = stats(w);
	usleep(100000);
	assert_int_equal(stats(w).sleeps, before.sleeps);
	fm_worker_wake(w, &c.job);
	wait_runs(&c, 1);
	wait_sleeps(w, before.sleeps + 1);
	assert_int_equal(stats(w).wakes, before.wakes + 1);
	assert_int_equal(stats(w).sleeps, before.sleeps + 1);
	fm_worker_remove(w, &c.job);
	fm_worker_free(w);
}

static void waking_a_busy_worker_is_no_system_call(void **state)
{
	struct fm_worker *w = worker(false);
	struct count slow = { .hold = true };
	uint64_t before;

	add(w, &slow);
	wait_sleeps(w, 1);
	fm_worker_wake(w, &slow.job);
	while (!atomic_load(&slow.inside))
		usleep(100);
	before = stats(w).wakes;
	for (unsigned i = 0; i < 1000; i++)
		fm_worker_wake(w, &slow.job);
	assert_int_equal(stats(w).wakes, before);
	atomic_store(&slow.hold, false);
	/* And is not forgotten. */
	wait_runs(&slow, 2);
	fm_worker_remove(w, &slow.job);
	fm_worker_free(w);
}

static void *release(void *arg)
{
	struct count *slow = arg;

	usleep(100000);
	atomic_store(&slow->hold, false);
	return NULL;
}

static void removing_waits_for_a_job_that_runs(void **state)
{
	struct fm_worker *w = worker(false);
	struct count slow = { .hold = true };
	pthread_t releaser;

	add(w, &slow);
	fm_worker_wake(w, &slow.job);
	while (!atomic_load(&slow.inside))
		usleep(100);
	assert_int_equal(pthread_create(&releaser, NULL, release, &slow), 0);
	fm_worker_remove(w, &slow.job);
	assert_false(atomic_load(&slow.inside));
	assert_int_equal(atomic_load(&slow.runs), 1);
	pthread_join(releaser, NULL);
	fm_worker_free(w);
}

static void a_wrong_config_is_refused(void **state)
{
	struct fm_worker_config cfg = { .struct_size = 3 };
	struct fm_worker *w = NULL;
	struct fm_error err;

	assert_int_equal(fm_worker_new(&w, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_worker_config"));
	assert_null(w);
	fm_worker_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pumped_worker_runs_what_was_woken),
		cmocka_unit_test(a_pump_says_when_to_come_again),
		cmocka_unit_test(a_job_that_is_due_at_once_keeps_no_other_waiting),
		cmocka_unit_test(a_thread_runs_what_was_woken_and_again_when_due),
		cmocka_unit_test(an_idle_worker_sleeps_once_and_is_woken_by_one_call),
		cmocka_unit_test(waking_a_busy_worker_is_no_system_call),
		cmocka_unit_test(removing_waits_for_a_job_that_runs),
		cmocka_unit_test(a_wrong_config_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
