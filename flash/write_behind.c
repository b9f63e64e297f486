/* SPDX-License-Identifier: BSD-2-Clause */
/* When what is written: being told of changes, the worker's ticks, flushes, failures. */
#include "flash/behind_private.h"

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/fence.h"
#include "devices/io_private.h"
#include "flash/journal_grow.h"

#include <firmem/device.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERVAL_NS UINT64_C(10000000)
#define JOURNAL_LEN (UINT64_C(2) << 20)
/* So many ticks without a change are called idle. */
#define QUIET_TICKS 10u
/* What failed is tried again after so long. */
#define RETRY_NS UINT64_C(1000000000)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- failures ------------------------------------------------------------------------------ */

/* A host error: it sticks until a flush succeeds. */
static int failed(struct fm_write_behind *wb, const struct fm_error *error)
{
	pthread_mutex_lock(&wb->count);
	if (!wb->error.code)
		wb->error = *error;
	pthread_mutex_unlock(&wb->count);
	if (wb->cfg.dev)
		fm_dev_raise(wb->cfg.dev, FM_EFF_IOERR, error);
	return error->code;
}

static void recovered(struct fm_write_behind *wb)
{
	pthread_mutex_lock(&wb->count);
	memset(&wb->error, 0, sizeof(wb->error));
	pthread_mutex_unlock(&wb->count);
	if (wb->cfg.dev)
		fm_dev_clear_error(wb->cfg.dev);
}

int fm_write_behind_error(struct fm_write_behind *wb, struct fm_error *err)
{
	int code;

	pthread_mutex_lock(&wb->count);
	code = wb->error.code;
	if (code && err)
		*err = wb->error;
	pthread_mutex_unlock(&wb->count);
	return code;
}

/* --- being told ---------------------------------------------------------------------------- */

void fmi_behind_lock(struct fm_write_behind *wb)
{
	pthread_mutex_lock(&wb->lock);
	atomic_store_explicit(&wb->outside, true, memory_order_relaxed);
	fmi_fence_others();
	while (atomic_load_explicit(&wb->inside, memory_order_acquire))
		sched_yield();
}

void fmi_behind_unlock(struct fm_write_behind *wb)
{
	atomic_store_explicit(&wb->outside, false, memory_order_release);
	pthread_mutex_unlock(&wb->lock);
}

/*
 * The usual operation goes on where the last one ended, while the worker knows that there is something:
 * no lock, no barrier. The compiler alone must not change the order; see fmi_behind_lock().
 */
static bool take_quickly(struct fm_write_behind *wb, uint64_t off, uint64_t len)
{
	bool taken;

	atomic_store_explicit(&wb->inside, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	taken = !atomic_load_explicit(&wb->outside, memory_order_acquire) && wb->busy &&
		!wb->stale &&
		fmi_journal_grow(&wb->writer, wb->tail.pos + wb->writer.ring_len, off,
				 wb->cfg.array + off, len);
	wb->told.told += taken;
	atomic_store_explicit(&wb->inside, false, memory_order_release);
	return taken;
}

bool fmi_behind_take(struct fm_write_behind *wb, uint64_t off, const uint8_t *data, uint64_t len,
		     bool *wake)
{
	uint64_t seq = wb->writer.head.seq;

	if (!fmi_journal_append(&wb->writer, wb->tail.pos + wb->writer.ring_len, off, data, len))
		return false;
	wb->told.told++;
	wb->told.records += wb->writer.head.seq - seq;
	*wake = !wb->busy;
	wb->busy = true;
	return true;
}

/* The journal is full: the guest waits, as it would for a real chip's. */
static unsigned take_when_there_is_room(struct fm_write_behind *wb, uint64_t off,
					const uint8_t *data, uint64_t len)
{
	uint64_t start = now_ns();
	struct fm_error err;
	bool wake = false;
	bool taken;
	int rc;

	pthread_mutex_lock(&wb->io);
	rc = fmi_behind_checkpoint(wb, &err);
	pthread_mutex_lock(&wb->lock);
	wb->told.waits++;
	wb->told.wait_ns += now_ns() - start;
	taken = !rc && fmi_behind_take(wb, off, data, len, &wake);
	/* From here on only the array knows; what comes later cannot be told without it. */
	wb->stale = wb->lost = !taken;
	pthread_mutex_unlock(&wb->lock);
	pthread_mutex_unlock(&wb->io);
	if (rc)
		failed(wb, &err);
	if (wake)
		fm_worker_wake(wb->worker, &wb->job);
	return taken ? 0 : FM_EFF_IOERR;
}

static unsigned commit_now(struct fm_write_behind *wb)
{
	return fm_write_behind_commit(wb, NULL) ? FM_EFF_IOERR : 0;
}

/* Only the array has it. Mode through says ready for nothing that is not durable. */
static unsigned leave_untold(struct fm_write_behind *wb, bool lost)
{
	if (lost)
		return FM_EFF_IOERR;
	return wb->cfg.mode == FM_WRITE_THROUGH ? commit_now(wb) : 0;
}

/* An operation that an empty journal has room for. */
static unsigned tell(struct fm_write_behind *wb, uint64_t off, const uint8_t *data, uint64_t len)
{
	unsigned effects = 0;
	bool wake = false;
	bool taken;

	pthread_mutex_lock(&wb->lock);
	if (wb->stale) {
		bool lost = wb->lost;

		pthread_mutex_unlock(&wb->lock);
		return leave_untold(wb, lost);
	}
	taken = fmi_behind_take(wb, off, data, len, &wake);
	pthread_mutex_unlock(&wb->lock);
	if (wake)
		fm_worker_wake(wb->worker, &wb->job);
	if (!taken)
		effects = take_when_there_is_room(wb, off, data, len);
	if (wb->cfg.mode == FM_WRITE_THROUGH && !effects)
		effects = commit_now(wb);
	return effects;
}

/* In parts, if an empty journal has no room for it. Apart, so that the usual way saves no registers. */
__attribute__((noinline)) static unsigned store(struct fm_write_behind *wb, uint64_t off,
						uint64_t len)
{
	uint64_t most = fmi_journal_most(wb->writer.ring_len);
	unsigned effects = 0;

	while (len > most) {
		effects |= tell(wb, off, wb->cfg.array + off, most / 2);
		off += most / 2;
		len -= most / 2;
	}
	return effects | tell(wb, off, wb->cfg.array + off, len);
}

unsigned fm_write_behind_store(struct fm_write_behind *wb, uint64_t off, uint64_t len)
{
	if (!fmi_in_range(off, len, wb->cfg.len))
		return FM_EFF_FAULT;
	if (!wb->live || !len)
		return 0;
	if (wb->cfg.mode == FM_WRITE_BEHIND && take_quickly(wb, off, len))
		return 0;
	return store(wb, off, len);
}

unsigned fm_write_behind_erase(struct fm_write_behind *wb, uint64_t off, uint64_t len)
{
	if (!fmi_in_range(off, len, wb->cfg.len))
		return FM_EFF_FAULT;
	if (!wb->live || !len)
		return 0;
	if (len > UINT32_MAX)
		return fm_write_behind_store(wb, off, len);
	return tell(wb, off, NULL, len);
}

void fm_write_behind_stale(struct fm_write_behind *wb)
{
	if (!wb->live)
		return;
	pthread_mutex_lock(&wb->lock);
	wb->stale = true;
	pthread_mutex_unlock(&wb->lock);
}

/* --- barriers ------------------------------------------------------------------------------ */

/* With `io` held. */
static int flush(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc = fmi_behind_checkpoint(wb, err);

	if (rc || !wb->stale)
		return rc;
	rc = fmi_behind_difference(wb, err);
	if (rc)
		return rc;
	pthread_mutex_lock(&wb->lock);
	wb->stale = false;
	wb->lost = false;
	pthread_mutex_unlock(&wb->lock);
	return 0;
}

/* With `io` held. What only the array has the journal cannot make durable: then all of it. */
static int commit(struct fm_write_behind *wb, struct fm_error *err)
{
	return wb->stale ? flush(wb, err) : fmi_behind_commit(wb, err);
}

/* With `io` held. */
static int scrub(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc = flush(wb, err);

	return rc ? rc : fmi_behind_scrub(wb, err);
}

typedef int barrier_fn(struct fm_write_behind *wb, struct fm_error *err);

static int barrier(struct fm_write_behind *wb, barrier_fn *fn, struct fm_error *err)
{
	struct fm_error error;
	int rc;

	/* Nothing is ever written; or what is changed now is not, until it is taken over. */
	if (!wb->live)
		return wb->worker
			       ? fm_error_set(err, FM_ERR_STATE, 0,
					      "%s: its image was handed over, expected to have it",
					      wb->cfg.name)
			       : 0;
	pthread_mutex_lock(&wb->io);
	rc = fn(wb, &error);
	pthread_mutex_unlock(&wb->io);
	if (!rc)
		return 0;
	if (err)
		*err = error;
	return failed(wb, &error);
}

int fm_write_behind_commit(struct fm_write_behind *wb, struct fm_error *err)
{
	return barrier(wb, commit, err);
}

int fm_write_behind_flush(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc = barrier(wb, flush, err);

	if (!rc && wb->live)
		recovered(wb);
	return rc;
}

int fm_write_behind_scrub(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc = barrier(wb, scrub, err);

	if (!rc && wb->live)
		recovered(wb);
	return rc;
}

/* --- the worker ---------------------------------------------------------------------------- */

/* What was told since the last tick is committed; after a while of silence all is applied. */
static int tick(struct fm_write_behind *wb, struct fm_error *err)
{
	uint64_t head, used;

	fmi_behind_lock(wb);
	head = wb->writer.head.pos;
	used = head - wb->tail.pos;
	fmi_behind_unlock(wb);
	if (used > wb->writer.ring_len / 4 * 3)
		return fmi_behind_checkpoint(wb, err);
	if (head != wb->committed.pos) {
		wb->quiet = 0;
		return fmi_behind_commit(wb, err);
	}
	if (++wb->quiet < QUIET_TICKS)
		return 0;
	return fmi_behind_checkpoint(wb, err);
}

/* Is everything in the image? Then the next change wakes the worker. */
static bool at_rest(struct fm_write_behind *wb)
{
	bool rest;

	fmi_behind_lock(wb);
	rest = wb->writer.head.pos == wb->tail.pos;
	wb->busy = !rest;
	fmi_behind_unlock(wb);
	return rest;
}

static uint64_t run(void *ctx, uint64_t now)
{
	struct fm_write_behind *wb = ctx;
	struct fm_error err;
	uint64_t next = now + wb->cfg.interval_ns;
	int rc = 0;

	pthread_mutex_lock(&wb->io);
	if (wb->ticking)
		rc = tick(wb, &err);
	wb->ticking = !at_rest(wb);
	if (!wb->ticking) {
		wb->quiet = 0;
		next = FM_NEVER;
	}
	pthread_mutex_unlock(&wb->io);
	if (!rc)
		return next;
	failed(wb, &err);
	return fmi_max_u64(next, now + RETRY_NS);
}

void fm_write_behind_pump(struct fm_write_behind *wb)
{
	if (wb->worker && fm_worker_pumped(wb->worker))
		fm_worker_pump(wb->worker);
}

/* --- making and freeing ---------------------------------------------------------------------- */

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)

static int check(const struct fm_write_behind_config *c, struct fm_error *err)
{
	bool writes = !c->read_only && c->mode != FM_WRITE_NONE;

	if (!c->array || !c->len)
		return BAD(err, "%s: fm_write_behind_config.array or len is 0", c->name);
	if (!c->image == !c->use_image_fd)
		return BAD(err, "%s: it has %s, expected either image or image_fd", c->name,
			   c->image ? "image and image_fd" : "no image");
	if ((unsigned)c->mode > FM_WRITE_NONE)
		return BAD(err, "%s: mode is %d, expected 0 (behind), 1 (through) or 2 (none)",
			   c->name, (int)c->mode);
	if (c->create && (!c->image || !writes))
		return BAD(
			err,
			"%s: create is set, expected image (a path) with it and neither read_only "
			"nor mode none",
			c->name);
	if (c->deferred && (c->create || !writes))
		return BAD(err,
			   "%s: deferred is set, expected neither create, read_only nor mode none",
			   c->name);
	if (c->journal && c->use_journal_fd)
		return BAD(err, "%s: it has both journal and journal_fd, expected one", c->name);
	if (writes && !c->image && !c->journal && !c->use_journal_fd)
		return BAD(
			err,
			"%s: the image is a descriptor, expected journal or journal_fd with it, or "
			"read_only or mode none",
			c->name);
	if (c->journal_len < FMI_JOURNAL_RING_MIN || c->journal_len > FMI_JOURNAL_RING_MAX)
		return BAD(err, "%s: journal_len is %llu, expected %llu to %llu or 0 for %llu",
			   c->name, (unsigned long long)c->journal_len,
			   (unsigned long long)FMI_JOURNAL_RING_MIN,
			   (unsigned long long)FMI_JOURNAL_RING_MAX,
			   (unsigned long long)JOURNAL_LEN);
	return 0;
}

static void fill_defaults(struct fm_write_behind_config *c)
{
	if (!c->name)
		c->name = "image";
	if (!c->interval_ns)
		c->interval_ns = INTERVAL_NS;
	if (!c->journal_len)
		c->journal_len = JOURNAL_LEN;
	if (c->journal_len <= FMI_JOURNAL_RING_MAX)
		c->journal_len = fmi_align_up(c->journal_len, FMI_JOURNAL_SLOT_LEN);
}

/* Ours from here on, or NULL. How many there is no memory for: 0 or 1. */
static unsigned own_text(const char **text)
{
	if (!*text)
		return 0;
	*text = strdup(*text);
	return !*text;
}

static void free_all(struct fm_write_behind *wb)
{
	fm_worker_free(wb->own_worker);
	pthread_mutex_destroy(&wb->count);
	pthread_mutex_destroy(&wb->lock);
	pthread_mutex_destroy(&wb->io);
	free((void *)(uintptr_t)wb->cfg.name);
	free((void *)(uintptr_t)wb->cfg.image);
	free((void *)(uintptr_t)wb->cfg.journal);
	free(wb);
}

static int get_worker(struct fm_write_behind *wb, struct fm_error *err)
{
	struct fm_worker_config cfg = { .struct_size = sizeof(cfg) };
	int rc = 0;

	if (!wb->cfg.worker)
		rc = fm_worker_new(&wb->own_worker, &cfg, err);
	wb->worker = wb->cfg.worker ? wb->cfg.worker : wb->own_worker;
	return rc;
}

static int start(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc;

	if (wb->cfg.read_only || wb->cfg.mode == FM_WRITE_NONE)
		return fmi_behind_read(wb, err);
	/* First: without a thread there is nothing to take back. */
	rc = get_worker(wb, err);
	if (rc || wb->cfg.deferred)
		return rc;
	rc = fmi_behind_start(wb, err);
	if (!rc)
		fmi_behind_begin(wb);
	return rc;
}

int fm_write_behind_open(struct fm_write_behind **out, const struct fm_write_behind_config *cfg,
			 struct fm_error *err)
{
	struct fm_write_behind_config c;
	struct fm_write_behind *wb;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_write_behind_config", err);

	if (rc)
		return rc;
	fill_defaults(&c);
	rc = check(&c, err);
	if (!rc)
		rc = fmi_io_check(&c.io, c.name, err);
	if (rc)
		return rc;
	wb = calloc(1, sizeof(*wb));
	if (!wb)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", c.name);
	wb->cfg = c;
	wb->image.io = wb->journal.io = c.io;
	wb->job = (struct fm_worker_job){ .run = run, .ctx = wb };
	pthread_mutex_init(&wb->io, NULL);
	pthread_mutex_init(&wb->lock, NULL);
	pthread_mutex_init(&wb->count, NULL);
	/* Each of them, whatever becomes of the others. */
	if (own_text(&wb->cfg.name) + own_text(&wb->cfg.image) + own_text(&wb->cfg.journal))
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", c.name);
	else
		rc = start(wb, err);
	if (rc) {
		free_all(wb);
		return rc;
	}
	*out = wb;
	return 0;
}

void fm_write_behind_close(struct fm_write_behind *wb)
{
	bool done = false;

	if (!wb)
		return;
	if (wb->live) {
		fm_worker_remove(wb->worker, &wb->job);
		done = !fm_write_behind_flush(wb, NULL);
	}
	fmi_behind_stop(wb, done);
	free_all(wb);
}

/* --- queries ------------------------------------------------------------------------------- */

void fm_write_behind_stats(struct fm_write_behind *wb, struct fm_write_behind_stats *out)
{
	pthread_mutex_lock(&wb->count);
	*out = wb->stats;
	pthread_mutex_unlock(&wb->count);
	fmi_behind_lock(wb);
	out->told = wb->told.told;
	out->records = wb->told.records;
	out->waits = wb->told.waits;
	out->wait_ns = wb->told.wait_ns;
	out->journal_len = wb->told.journal_len;
	out->pending = wb->writer.head.pos - wb->tail.pos;
	fmi_behind_unlock(wb);
}

void fm_write_behind_recovery(const struct fm_write_behind *wb, struct fm_recovery *out)
{
	*out = wb->recovery;
}

const char *fm_write_behind_journal(const struct fm_write_behind *wb)
{
	return wb->live ? wb->journal.path : NULL;
}

const char *fm_write_mode_name(enum fm_write_mode mode)
{
	switch (mode) {
	case FM_WRITE_BEHIND:
		return "behind";
	case FM_WRITE_THROUGH:
		return "through";
	case FM_WRITE_NONE:
		return "none";
	}
	return NULL;
}
