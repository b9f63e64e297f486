/* SPDX-License-Identifier: BSD-2-Clause */
/* pages: digests of pages by their contents, by one thread or ahead by several. */
#include "devices/bytes.h"
#include "measure/common.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1024u /* a power of two; more distinct pages than that are hashed each time */
#define PROBES 8u
#define THREADS_MAX 16u

#define EACH 16u /* pages that a thread is worth */

struct slot {
	const uint8_t *page; /* NULL: free */
	uint64_t key;
	bool ahead; /* is on the list, so it is who takes it from there that hashes it */
	atomic_bool hashed;
	uint8_t digest[FM_DIGEST_MAX];
};

struct fmi_pages {
	enum fm_digest_alg alg;
	size_t len;
	const uint8_t *last; /* the page of the last call, and its digest: runs of erased flash */
	uint8_t last_digest[FM_DIGEST_MAX];
	struct slot slots[SLOTS];
	/* What fmi_pages_ahead() hands out: slots from `next` to `listed` may be taken. */
	struct slot *list[SLOTS];
	atomic_uint next, listed;
	atomic_bool complete; /* no more will be listed */
	pthread_t others[THREADS_MAX - 1];
	unsigned other_count;
};

int fmi_pages_new(struct fmi_pages **out, enum fm_digest_alg alg, struct fm_error *err)
{
	struct fmi_pages *p = calloc(1, sizeof(*p));

	if (!p)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "digests of pages: out of memory");
	p->alg = alg;
	p->len = fm_digest_len(alg);
	*out = p;
	return 0;
}

void fmi_pages_free(struct fmi_pages *pages)
{
	if (pages)
		fmi_pages_settle(pages);
	free(pages);
}

/* A few words of the page: enough to keep pages apart that are not alike. */
static uint64_t key_of(const uint8_t *page)
{
	uint64_t key = 0;

	for (unsigned at = 0; at < FMI_PAGE; at += 248) {
		uint64_t word;

		memcpy(&word, page + at, sizeof(word));
		key = (key ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		key ^= key >> 29;
	}
	return key;
}

/* The slot of such a page, made when there is none; NULL: there is no room for it. */
static struct slot *find(struct fmi_pages *p, const uint8_t *page)
{
	uint64_t key = key_of(page);

	for (unsigned i = 0; i < PROBES; i++) {
		struct slot *s = &p->slots[(key + i) % SLOTS];

		if (s->page == page ||
		    (s->page && s->key == key && !memcmp(s->page, page, FMI_PAGE)))
			return s;
		if (!s->page) {
			s->page = page;
			s->key = key;
			return s;
		}
	}
	return NULL;
}

/* --- ahead ----------------------------------------------------------------------------------- */

static int hash_slot(struct fmi_pages *p, struct slot *s, struct fm_error *err)
{
	int ret = fmi_digest_once(p->alg, s->page, FMI_PAGE, s->digest, err);

	if (!ret)
		atomic_store_explicit(&s->hashed, true, memory_order_release);
	return ret;
}

/* Hash one that is listed and nobody's yet; false: there is none. */
static bool take_one(struct fmi_pages *p)
{
	unsigned i = atomic_load(&p->next);

	do {
		if (i >= atomic_load(&p->listed))
			return false;
	} while (!atomic_compare_exchange_weak(&p->next, &i, i + 1));
	hash_slot(p, p->list[i], NULL); /* who needs it tries again */
	return true;
}

static void *work(void *pages)
{
	struct fmi_pages *p = pages;
	bool complete;

	/* Listing a page takes a small part of hashing it, so there is hardly anything to wait for. */
	do {
		complete = atomic_load(&p->complete);
		while (take_one(p))
			;
		if (!complete)
			sched_yield();
	} while (!complete);
	return NULL;
}

static void list(struct fmi_pages *p, const uint8_t *bytes, size_t len)
{
	unsigned n = 0;

	for (size_t at = 0; at < len; at += FMI_PAGE) {
		struct slot *s;

		if (at && !memcmp(bytes + at, bytes + at - FMI_PAGE, FMI_PAGE))
			continue;
		s = find(p, bytes + at);
		/* A slot that was made just now is this very page's. */
		if (!s || s->page != bytes + at || s->ahead || s->hashed)
			continue;
		s->ahead = true;
		p->list[n++] = s;
		atomic_store(&p->listed, n);
	}
}

void fmi_pages_ahead(struct fmi_pages *pages, const uint8_t *bytes, size_t len, unsigned threads)
{
	unsigned most = (unsigned)fmi_min_u64(len / FMI_PAGE / EACH, THREADS_MAX);

	fmi_pages_settle(pages);
	atomic_store(&pages->next, 0);
	atomic_store(&pages->listed, 0);
	atomic_store(&pages->complete, false);
	/* The others start while the pages are listed. One that cannot be started leaves its work to the rest. */
	while (pages->other_count + 1 < threads && pages->other_count + 1 < most &&
	       !pthread_create(&pages->others[pages->other_count], NULL, work, pages))
		pages->other_count++;
	if (pages->other_count)
		list(pages, bytes, len);
	atomic_store(&pages->complete, true);
}

void fmi_pages_settle(struct fmi_pages *pages)
{
	while (pages->other_count)
		pthread_join(pages->others[--pages->other_count], NULL);
}

/* --------------------------------------------------------------------------------------------- */

static int look_up(struct fmi_pages *p, const uint8_t *page, uint8_t *out, struct fm_error *err)
{
	struct slot *s = find(p, page);
	int ret;

	/* Another thread has it: rather than wait do what is left, so that all are done at about one time. */
	while (s && s->ahead && !atomic_load_explicit(&s->hashed, memory_order_acquire) &&
	       take_one(p))
		;
	if (!s || (s->ahead && !atomic_load_explicit(&s->hashed, memory_order_acquire)))
		return fmi_digest_once(p->alg, page, FMI_PAGE, out, err);
	if (!s->hashed) {
		ret = hash_slot(p, s, err);
		if (ret)
			return ret;
	}
	memcpy(out, s->digest, p->len);
	return 0;
}

int fmi_pages_digest(struct fmi_pages *pages, const uint8_t *page, uint8_t *out,
		     struct fm_error *err)
{
	int ret;

	if (!pages->last || memcmp(pages->last, page, FMI_PAGE)) {
		ret = look_up(pages, page, pages->last_digest, err);
		if (ret)
			return ret;
		pages->last = page;
	}
	memcpy(out, pages->last_digest, pages->len);
	return 0;
}
