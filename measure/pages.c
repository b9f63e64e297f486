/* SPDX-License-Identifier: BSD-2-Clause */
/* pages: digests of pages by their contents, by one thread or ahead by several. */
#include "measure/common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1024u /* a power of two; more distinct pages than that are hashed each time */
#define PROBES 8u
#define THREADS_MAX 16u

struct slot {
	const uint8_t *page; /* NULL: free */
	uint64_t key;
	bool hashed;
	uint8_t digest[FM_DIGEST_MAX];
};

struct fmi_pages {
	enum fm_digest_alg alg;
	size_t len;
	const uint8_t *last; /* the page of the last call, and its digest: runs of erased flash */
	uint8_t last_digest[FM_DIGEST_MAX];
	struct slot slots[SLOTS];
	/* What fmi_pages_ahead() hands out. */
	struct slot *todo[SLOTS];
	unsigned todo_count;
	atomic_uint next;
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

		if (s->page && s->key == key && !memcmp(s->page, page, FMI_PAGE))
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

/* Take slots while there are some; each is one thread's. */
static void *work(void *pages)
{
	struct fmi_pages *p = pages;
	unsigned i;

	while ((i = atomic_fetch_add(&p->next, 1)) < p->todo_count) {
		struct slot *s = p->todo[i];

		s->hashed = !fmi_digest_once(p->alg, s->page, FMI_PAGE, s->digest, NULL);
	}
	return NULL;
}

void fmi_pages_ahead(struct fmi_pages *pages, const uint8_t *bytes, size_t len, unsigned threads)
{
	pthread_t others[THREADS_MAX - 1];
	unsigned n = 0;

	pages->todo_count = 0;
	for (size_t at = 0; at < len; at += FMI_PAGE) {
		struct slot *s;

		if (at && !memcmp(bytes + at, bytes + at - FMI_PAGE, FMI_PAGE))
			continue;
		s = find(pages, bytes + at);
		/* A slot that was made just now is this very page's. */
		if (s && !s->hashed && s->page == bytes + at)
			pages->todo[pages->todo_count++] = s;
	}
	atomic_store(&pages->next, 0);
	/* One that cannot be started leaves its work to the others. */
	while (n + 1 < threads && n < THREADS_MAX - 1 && n + 1 < pages->todo_count &&
	       !pthread_create(&others[n], NULL, work, pages))
		n++;
	work(pages);
	while (n)
		pthread_join(others[--n], NULL);
}

/* --------------------------------------------------------------------------------------------- */

static int look_up(struct fmi_pages *p, const uint8_t *page, uint8_t *out, struct fm_error *err)
{
	struct slot *s = find(p, page);

	if (!s)
		return fmi_digest_once(p->alg, page, FMI_PAGE, out, err);
	if (!s->hashed) {
		int ret = fmi_digest_once(p->alg, page, FMI_PAGE, s->digest, err);

		if (ret)
			return ret;
		s->hashed = true;
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
