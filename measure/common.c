/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure/common.h"

#include <stdlib.h>
#include <string.h>

int fmi_measure_config(void *dst, size_t len, const void *src, const char *what,
		       struct fm_error *err)
{
	const uint8_t *s = src;
	size_t given;

	if (!src)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s is NULL", what);
	memcpy(&given, src, sizeof(given));
	if (given < sizeof(given))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s.struct_size is %zu, expected sizeof(struct %s)", what,
				    given, what);
	for (size_t i = len; i < given; i++) {
		if (s[i])
			return fm_error_set(err, FM_ERR_ARG, 0,
					    "%s: byte %zu is set, this version knows %zu bytes",
					    what, i, len);
	}
	memset(dst, 0, len);
	memcpy(dst, src, given < len ? given : len);
	return 0;
}

bool fmi_all_bytes(const uint8_t *p, size_t len, uint8_t byte)
{
	return !len || (*p == byte && !memcmp(p, p + 1, len - 1));
}

#define SLOTS 1024u /* a power of two; more distinct pages than that are hashed each time */
#define PROBES 8u

struct slot {
	const uint8_t *page; /* NULL: free */
	uint64_t key;
	uint8_t digest[FM_DIGEST_MAX];
};

struct fmi_pages {
	struct fm_digest *digest;
	size_t len;
	const uint8_t *last; /* the page of the last call, and its digest: runs of erased flash */
	uint8_t last_digest[FM_DIGEST_MAX];
	struct slot slots[SLOTS];
};

int fmi_pages_new(struct fmi_pages **out, enum fm_digest_alg alg, struct fm_error *err)
{
	struct fmi_pages *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "digests of pages: out of memory");
	ret = fm_digest_new(&p->digest, alg, err);
	if (ret) {
		free(p);
		return ret;
	}
	p->len = fm_digest_len(alg);
	*out = p;
	return 0;
}

void fmi_pages_free(struct fmi_pages *pages)
{
	if (!pages)
		return;
	fm_digest_free(pages->digest);
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

static int look_up(struct fmi_pages *p, const uint8_t *page, uint8_t *out, struct fm_error *err)
{
	uint64_t key = key_of(page);
	int ret;

	for (unsigned i = 0; i < PROBES; i++) {
		struct slot *s = &p->slots[(key + i) % SLOTS];

		if (s->page && s->key == key && !memcmp(s->page, page, FMI_PAGE)) {
			memcpy(out, s->digest, p->len);
			return 0;
		}
		if (!s->page) {
			ret = fmi_digest_once(p->digest, page, FMI_PAGE, s->digest, err);
			if (ret)
				return ret;
			s->page = page;
			s->key = key;
			memcpy(out, s->digest, p->len);
			return 0;
		}
	}
	return fmi_digest_once(p->digest, page, FMI_PAGE, out, err);
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
