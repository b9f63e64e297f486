/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Callers that share syncs. A sync covers only stores that were made before it began, so that who comes
 * while one runs cannot take its result; all who came meanwhile have the next one in common.
 */
#include "nvdimm/nvdimm_private.h"

#include "devices/bytes.h"

#include <string.h>

void fmi_flush_init(struct fmi_flush *f, struct fm_persist *persist)
{
	f->persist = persist;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->ended, NULL);
}

void fmi_flush_fini(struct fmi_flush *f)
{
	pthread_cond_destroy(&f->ended);
	pthread_mutex_destroy(&f->lock);
}

/* Where there is no room the span joins the one that it lengthens least. */
static void add_span(struct fmi_flush_batch *b, struct fm_persist_span s)
{
	uint64_t least = UINT64_MAX;
	size_t best = 0;

	if (!s.len)
		return;
	if (b->count < FMI_SPANS) {
		b->spans[b->count++] = s;
		return;
	}
	for (size_t i = 0; i < b->count; i++) {
		uint64_t lo = fmi_min_u64(b->spans[i].off, s.off);
		uint64_t hi = fmi_max_u64(b->spans[i].off + b->spans[i].len, s.off + s.len);

		if (hi - lo - b->spans[i].len < least) {
			least = hi - lo - b->spans[i].len;
			best = i;
		}
	}
	least = fmi_min_u64(b->spans[best].off, s.off);
	b->spans[best].len =
		fmi_max_u64(b->spans[best].off + b->spans[best].len, s.off + s.len) - least;
	b->spans[best].off = least;
}

/* The lock is held, and again on return. */
static void run(struct fmi_flush *f)
{
	struct fmi_flush_batch *b = &f->batch[f->open];
	struct fm_error err = { 0 };
	struct fmi_flush_wait *next;
	int rc;

	f->running = true;
	f->open = !f->open;
	f->batch[f->open].count = 0;
	f->batch[f->open].waits = NULL;
	pthread_mutex_unlock(&f->lock);
	rc = fm_persist_ranges(f->persist, b->spans, b->count, &err);
	pthread_mutex_lock(&f->lock);
	for (struct fmi_flush_wait *w = b->waits; w; w = next) {
		next = w->next;
		w->rc = rc;
		w->err = err;
		w->done = true;
	}
	f->running = false;
	pthread_cond_broadcast(&f->ended);
}

int fmi_flush(struct fmi_flush *f, const struct fm_persist_span *spans, size_t count,
	      struct fm_error *err)
{
	struct fmi_flush_wait me = { .done = false };
	struct fmi_flush_batch *b;

	pthread_mutex_lock(&f->lock);
	b = &f->batch[f->open];
	for (size_t i = 0; i < count; i++)
		add_span(b, spans[i]);
	me.next = b->waits;
	b->waits = &me;
	while (f->running && !me.done)
		pthread_cond_wait(&f->ended, &f->lock);
	if (!me.done)
		run(f);
	pthread_mutex_unlock(&f->lock);
	if (me.rc && err)
		*err = me.err;
	return me.rc;
}
