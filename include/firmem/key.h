/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * key: ECDSA keys on P-384 (FIPS 186-4) that sign the ID blocks of SEV-SNP guests. From
 * libfirmem-measure; libcrypto does the work.
 */
#ifndef FIRMEM_KEY_H
#define FIRMEM_KEY_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a coordinate, and of each half of a signature. */
#define FM_KEY_LEN 48u

/* One thread at a time; different ones are independent. */
struct fm_key;

/*
 * Read a PEM text of `len` bytes: a private key (PKCS#8 or SEC 1, not encrypted) or a public one. `name`
 * begins the messages (NULL: "key"). On success *out is the caller's, to fm_key_free(). FM_ERR_FORMAT
 * (no key in it, it is encrypted, or not on P-384), FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_key_parse(struct fm_key **out, const char *name, const void *pem, size_t len,
			struct fm_error *err);
/*
 * The public key of a point: FM_KEY_LEN bytes each, big-endian. FM_ERR_FORMAT (not on the curve),
 * FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_key_from_point(struct fm_key **out, const uint8_t *x, const uint8_t *y,
			     struct fm_error *err);
/* NULL is fine. A private key is wiped. */
FM_API void fm_key_free(struct fm_key *key);

/* The public point, FM_KEY_LEN bytes each, big-endian. FM_ERR_UNSUPPORTED (libcrypto failed). */
FM_API int fm_key_point(const struct fm_key *key, uint8_t *x, uint8_t *y, struct fm_error *err);

/*
 * Sign `len` bytes with SHA-384: r and s, FM_KEY_LEN bytes each, big-endian. No two signatures of the
 * same bytes are alike. FM_ERR_STATE (a public key), FM_ERR_UNSUPPORTED, FM_ERR_NOMEM.
 */
FM_API int fm_key_sign(const struct fm_key *key, const void *bytes, size_t len, uint8_t *r,
		       uint8_t *s, struct fm_error *err);
/* Check such a signature. FM_ERR_CHECKSUM (it is not of these bytes by this key), FM_ERR_NOMEM. */
FM_API int fm_key_verify(const struct fm_key *key, const void *bytes, size_t len, const uint8_t *r,
			 const uint8_t *s, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
