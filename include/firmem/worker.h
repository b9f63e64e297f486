/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker: work in the background. One worker serves any number of devices; a host without threads
 * makes one that it runs itself. A worker with nothing to do has no timer and makes no system call.
 */
#ifndef FIRMEM_WORKER_H
#define FIRMEM_WORKER_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_worker;

struct fm_worker_config {
	size_t struct_size; /* sizeof(struct fm_worker_config) */
	const char *name;   /* of its thread, cut at 15 bytes; NULL = "firmem" */
	bool pumped;        /* no thread: fm_worker_pump() does the work */
};

/*
 * Something to be done now and then. Owned by whoever adds it, in place until it is removed; the
 * members behind `ctx` are the worker's.
 */
struct fm_worker_job {
	/*
	 * Do what is due, and return when to be called again (nanoseconds of CLOCK_MONOTONIC, as
	 * `now_ns`), or FM_NEVER to be called after the next fm_worker_wake(). On the worker's
	 * thread, never twice at a time; may block, must not add, remove or free.
	 */
	uint64_t (*run)(void *ctx, uint64_t now_ns);
	void *ctx;
	struct fm_worker_job *next;
	uint64_t due;
	uint64_t round;
	int woken;
};

/*
 * A worker, and its thread, on which all signals are blocked. A child that the process forks has
 * none. FM_ERR_ARG, FM_ERR_NOMEM (also: no thread to be had).
 */
FM_API int fm_worker_new(struct fm_worker **out, const struct fm_worker_config *cfg,
			 struct fm_error *err);
/* End the thread. Every job has been removed. NULL is fine. Waits for a job that runs. */
FM_API void fm_worker_free(struct fm_worker *w);

/* From now on run `job` when it is woken, and when it is due. It is not due yet. Any thread. */
FM_API void fm_worker_add(struct fm_worker *w, struct fm_worker_job *job);
/* The job does not run, and will not again. Any thread but the worker's. Waits while it runs. */
FM_API void fm_worker_remove(struct fm_worker *w, struct fm_worker_job *job);
/*
 * Run `job` soon. Any thread; does not wait; one system call if the worker sleeps, else none. In a
 * pumped worker: with the next pump.
 */
FM_API void fm_worker_wake(struct fm_worker *w, struct fm_worker_job *job);

/* Has it no thread? Any thread. */
FM_API bool fm_worker_pumped(const struct fm_worker *w);
/*
 * For a pumped worker: run what was woken or is due. Returns when to call again at the latest
 * (CLOCK_MONOTONIC; FM_NEVER: after the next access to a device that uses it). Waits for files. One
 * thread at a time. A worker with a thread does nothing and returns FM_NEVER.
 */
FM_API uint64_t fm_worker_pump(struct fm_worker *w);

/* Counts since it was made. Any thread. */
struct fm_worker_stats {
	uint64_t wakes;  /* system calls that woke its thread */
	uint64_t runs;   /* calls of jobs */
	uint64_t sleeps; /* of its thread, with a timer and without */
};
FM_API void fm_worker_stats(struct fm_worker *w, struct fm_worker_stats *out);

#ifdef __cplusplus
}
#endif

#endif
