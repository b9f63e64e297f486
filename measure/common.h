/* SPDX-License-Identifier: BSD-2-Clause */
/* common: what the files of measure/ share: pages, and a launch that is under way. */
#ifndef FIRMEM_MEASURE_COMMON_H
#define FIRMEM_MEASURE_COMMON_H

#include <firmem/digest.h>
#include <firmem/transcript.h>

#define FMI_PAGE 4096u

/* The name that messages begin with: the caller's, or `otherwise`. */
static inline const char *fmi_or(const char *name, const char *otherwise)
{
	return name && *name ? name : otherwise;
}

/* Are all `len` bytes `byte`? */
bool fmi_all_bytes(const uint8_t *p, size_t len, uint8_t byte);

/* Does OVMF's table end the image? False when it is too short to tell. */
bool fmi_ovmf_has_footer(const uint8_t *bytes, size_t len);

/*
 * As fm_digest_bytes(), for the short messages that launches hash by the thousand: SHA-256, SHA-384 and SHA-512
 * with little around them, nothing allocated, and libcrypto not set up, which takes it a millisecond.
 * `out` may be in the message.
 */
int fmi_digest_once(enum fm_digest_alg alg, const void *bytes, size_t len, void *out,
		    struct fm_error *err);

/*
 * Digests of pages, the identical ones hashed once: most pages of a firmware image are erased flash.
 * Holds pointers into what it was given, so the pages must stay as they are.
 */
struct fmi_pages;

int fmi_pages_new(struct fmi_pages **out, enum fm_digest_alg alg, struct fm_error *err);
void fmi_pages_free(struct fmi_pages *pages);
/*
 * Begin to hash the `len` bytes of pages, as many of them as are kept, by `threads` threads of which the caller's,
 * in fmi_pages_digest(), is one. Nothing but that on them takes less time then, so there is no failure. The
 * bytes must stay until fmi_pages_settle(), which waits for the other threads.
 */
void fmi_pages_ahead(struct fmi_pages *pages, const uint8_t *bytes, size_t len, unsigned threads);
void fmi_pages_settle(struct fmi_pages *pages);
/* The digest of the 4096 bytes at `page`, fm_digest_len() bytes at `out`. */
int fmi_pages_digest(struct fmi_pages *pages, const uint8_t *page, uint8_t *out,
		     struct fm_error *err);

#endif
