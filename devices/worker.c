/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/worker.h>

#include "devices/config.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

/* What the thread is at: `poke` holds one. */
enum {
	AWAKE = 0,
	ASLEEP = 1,
	POKED = 2, /* awake, and shall look again before it sleeps */
};

struct fm_worker {
	pthread_t thread;
	bool pumped;
	atomic_int poke;
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t idle;  /* `running` has changed */
	struct fm_worker_job *jobs;
	struct fm_worker_job *running;
	uint64_t round;
	bool stop;
	struct fm_worker_stats stats;
	_Atomic uint64_t wakes;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* --- sleeping ------------------------------------------------------------------------------ */

/* Until `due` or a poke; both may have come. */
static void sleep_until(struct fm_worker *w, uint64_t due)
{
	int expected = AWAKE;
	uint64_t now = due == FM_NEVER ? 0 : now_ns();
	struct timespec t;

	if (due > now && atomic_compare_exchange_strong(&w->poke, &expected, ASLEEP)) {
		t.tv_sec = (time_t)((due - now) / NS_PER_S);
		t.tv_nsec = (long)((due - now) % NS_PER_S);
		syscall(SYS_futex, &w->poke, FUTEX_WAIT_PRIVATE, ASLEEP,
			due == FM_NEVER ? NULL : &t, NULL, 0);
	}
	atomic_exchange(&w->poke, AWAKE);
}

static void poke(struct fm_worker *w)
{
	if (atomic_exchange(&w->poke, POKED) != ASLEEP)
		return;
	atomic_fetch_add_explicit(&w->wakes, 1, memory_order_relaxed);
	syscall(SYS_futex, &w->poke, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* --- jobs ---------------------------------------------------------------------------------- */

/* A job that is to run and did not in this round. */
static struct fm_worker_job *next_job(struct fm_worker *w, uint64_t now)
{
	for (struct fm_worker_job *job = w->jobs; job; job = job->next) {
		if (job->round == w->round)
			continue;
		if (__atomic_exchange_n(&job->woken, 0, __ATOMIC_ACQ_REL) || job->due <= now)
			return job;
	}
	return NULL;
}

/* With the lock, which is open while a job runs. When the first job is due. */
static uint64_t run_round(struct fm_worker *w)
{
	struct fm_worker_job *job;
	uint64_t now = 0;
	uint64_t first = FM_NEVER;

	w->round++;
	if (w->jobs)
		now = now_ns();
	while ((job = next_job(w, now))) {
		uint64_t due;

		job->round = w->round;
		w->running = job;
		w->stats.runs++;
		pthread_mutex_unlock(&w->lock);
		due = job->run(job->ctx, now);
		pthread_mutex_lock(&w->lock);
		job->due = due;
		w->running = NULL;
		pthread_cond_broadcast(&w->idle);
	}
	for (job = w->jobs; job; job = job->next) {
		if (job->due < first)
			first = job->due;
	}
	return first;
}

static void *work(void *arg)
{
	struct fm_worker *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		uint64_t due = run_round(w);

		if (w->stop)
			break;
		w->stats.sleeps++;
		pthread_mutex_unlock(&w->lock);
		sleep_until(w, due);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void fm_worker_add(struct fm_worker *w, struct fm_worker_job *job)
{
	job->due = FM_NEVER;
	job->round = 0;
	job->woken = 0;
	pthread_mutex_lock(&w->lock);
	job->next = w->jobs;
	w->jobs = job;
	pthread_mutex_unlock(&w->lock);
}

void fm_worker_remove(struct fm_worker *w, struct fm_worker_job *job)
{
	pthread_mutex_lock(&w->lock);
	while (w->running == job)
		pthread_cond_wait(&w->idle, &w->lock);
	for (struct fm_worker_job **at = &w->jobs; *at; at = &(*at)->next) {
		if (*at == job) {
			*at = job->next;
			break;
		}
	}
	pthread_mutex_unlock(&w->lock);
}

void fm_worker_wake(struct fm_worker *w, struct fm_worker_job *job)
{
	__atomic_store_n(&job->woken, 1, __ATOMIC_RELEASE);
	if (!w->pumped)
		poke(w);
}

bool fm_worker_pumped(const struct fm_worker *w)
{
	return w->pumped;
}

uint64_t fm_worker_pump(struct fm_worker *w)
{
	uint64_t due;

	if (!w->pumped)
		return FM_NEVER;
	pthread_mutex_lock(&w->lock);
	due = run_round(w);
	pthread_mutex_unlock(&w->lock);
	return due;
}

void fm_worker_stats(struct fm_worker *w, struct fm_worker_stats *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->stats;
	pthread_mutex_unlock(&w->lock);
	out->wakes = atomic_load_explicit(&w->wakes, memory_order_relaxed);
}

/* --- making one ---------------------------------------------------------------------------- */

static int start(struct fm_worker *w, const char *name)
{
	sigset_t all, before;
	char text[16];
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return rc;
	snprintf(text, sizeof(text), "%s", name ? name : "firmem");
	pthread_setname_np(w->thread, text);
	return 0;
}

static void destroy(struct fm_worker *w)
{
	pthread_cond_destroy(&w->idle);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int fm_worker_new(struct fm_worker **out, const struct fm_worker_config *cfg, struct fm_error *err)
{
	struct fm_worker_config c;
	struct fm_worker *w;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_worker_config", err);

	if (rc)
		return rc;
	w = calloc(1, sizeof(*w));
	if (!w)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "worker: out of memory");
	w->pumped = c.pumped;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->idle, NULL);
	rc = c.pumped ? 0 : start(w, c.name);
	if (rc) {
		destroy(w);
		return fm_error_set(err, FM_ERR_NOMEM, rc, "worker: no thread: %s", strerror(rc));
	}
	*out = w;
	return 0;
}

void fm_worker_free(struct fm_worker *w)
{
	if (!w)
		return;
	if (!w->pumped) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_mutex_unlock(&w->lock);
		poke(w);
		pthread_join(w->thread, NULL);
	}
	destroy(w);
}
