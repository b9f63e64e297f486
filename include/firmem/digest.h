/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest: message digests for launch measurements (FIPS 180-4), and the extend operation that TPM
 * PCRs, TDX RTMRs and CCA's REMs share. From libfirmem-measure; OpenSSL's libcrypto does the work.
 *
 * Which algorithms there are is libcrypto's configuration (a FIPS policy may forbid some): every
 * function that needs one can return FM_ERR_UNSUPPORTED, and then no digest is given.
 */
#ifndef FIRMEM_DIGEST_H
#define FIRMEM_DIGEST_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fm_digest_alg {
	FM_DIGEST_NONE = 0, /* not an algorithm: one must be given */
	FM_DIGEST_SHA1,     /* FIPS 180-4, section 6.1; 20 bytes */
	FM_DIGEST_SHA256,   /* section 6.2; 32 bytes */
	FM_DIGEST_SHA384,   /* section 6.5; 48 bytes */
	FM_DIGEST_SHA512,   /* section 6.4; 64 bytes */
	FM_DIGEST_COUNT
};

/* Bytes of the longest digest. */
#define FM_DIGEST_MAX 64u

/* "sha1", "sha256", "sha384", "sha512"; "none" for everything else. Never NULL. Any thread. */
FM_API const char *fm_digest_name(enum fm_digest_alg alg);
/*
 * The algorithm of such a name, or FM_DIGEST_NONE. Also takes FIPS 180-4's spelling ("SHA-256"),
 * in either case. Any thread.
 */
FM_API enum fm_digest_alg fm_digest_from_name(const char *name);
/* Bytes of the algorithm's digest; 0 when it is not one. Any thread. */
FM_API size_t fm_digest_len(enum fm_digest_alg alg);

/* A digest under way. One thread at a time; different ones are independent. */
struct fm_digest;

/*
 * Start a digest of the empty string. On success *out is the caller's, to fm_digest_free().
 * FM_ERR_ARG (no such algorithm), FM_ERR_UNSUPPORTED (libcrypto does not offer it: named, with its
 * reason), FM_ERR_NOMEM. Any thread. Allocates; the first call of a process may read libcrypto's
 * configuration file. Looking an algorithm up costs more than hashing a short message: keep the
 * object for the next one.
 */
FM_API int fm_digest_new(struct fm_digest **out, enum fm_digest_alg alg, struct fm_error *err);
/* NULL is fine. What was hashed is wiped. */
FM_API void fm_digest_free(struct fm_digest *digest);

/* What it was started with. Any thread. */
FM_API enum fm_digest_alg fm_digest_algorithm(const struct fm_digest *digest);

/*
 * Append `len` bytes. How a message is cut into calls does not change its digest. `bytes` may be
 * NULL where len is 0. FM_ERR_ARG (NULL with a length), FM_ERR_UNSUPPORTED (libcrypto failed; the
 * message is then unusable until fm_digest_restart()).
 */
FM_API int fm_digest_update(struct fm_digest *digest, const void *bytes, size_t len,
			    struct fm_error *err);

/*
 * The digest of what was appended so far, into fm_digest_len() bytes at `out`; the message goes on
 * afterwards. For transcripts with a running digest. FM_ERR_STATE (an earlier update failed),
 * FM_ERR_UNSUPPORTED, FM_ERR_NOMEM.
 */
FM_API int fm_digest_peek(struct fm_digest *digest, void *out, struct fm_error *err);

/*
 * The digest of what was appended, into fm_digest_len() bytes at `out`; then start again with the
 * empty string. FM_ERR_STATE (an earlier update failed), FM_ERR_UNSUPPORTED.
 */
FM_API int fm_digest_final(struct fm_digest *digest, void *out, struct fm_error *err);

/* Forget what was appended. FM_ERR_UNSUPPORTED. */
FM_API int fm_digest_restart(struct fm_digest *digest, struct fm_error *err);

/*
 * The digest of `len` bytes, into fm_digest_len(alg) bytes at `out`; it may overlap `bytes`. Errors
 * as of fm_digest_new() and fm_digest_update(). Any thread; allocates.
 */
FM_API int fm_digest_bytes(enum fm_digest_alg alg, const void *bytes, size_t len, void *out,
			   struct fm_error *err);

/*
 * HMAC (FIPS 198-1) of `len` bytes by a key of `key_len`, into fm_digest_len(alg) bytes at `out`.
 * Errors as of fm_digest_bytes(). Any thread; allocates.
 */
FM_API int fm_digest_hmac(enum fm_digest_alg alg, const void *key, size_t key_len,
			  const void *bytes, size_t len, void *out, struct fm_error *err);

/*
 * Let `digest` go on from where `from` is, whose algorithm must be the same: launches that share their
 * beginning hash it once. FM_ERR_ARG, FM_ERR_STATE (`from` has a hole), FM_ERR_UNSUPPORTED (`digest`
 * is then unusable until fm_digest_restart()).
 */
FM_API int fm_digest_copy(struct fm_digest *digest, const struct fm_digest *from,
			  struct fm_error *err);

/*
 * Extend a register: reg = H(reg | value), where `reg` has fm_digest_len(alg) bytes and `value` has
 * `len`. A TPM PCR is extended by a digest of its bank's length (TPM 2.0 Part 3, TPM2_PCR_Extend),
 * a TDX RTMR by 48 bytes, a CCA REM by 1 to 64 (RMM: RSI_MEASUREMENT_EXTEND); the length is not
 * checked here. On failure the register is as it was. Errors as of fm_digest_bytes().
 */
FM_API int fm_digest_extend(enum fm_digest_alg alg, void *reg, const void *value, size_t len,
			    struct fm_error *err);

/*
 * `len` bytes as lower-case hexadecimal with a NUL, 2 * len + 1 bytes at `text`. Returns `text`.
 * Any thread; does not allocate.
 */
FM_API char *fm_digest_hex(char *text, const void *bytes, size_t len);

/*
 * All of `text`, pairs of hexadecimal digits in either case and nothing else, into at most `max` bytes
 * at `out`; *len is how many. False (and *len untouched) when it is something else or more. Any thread.
 */
FM_API bool fm_digest_from_hex(const char *text, void *out, size_t max, size_t *len);

#ifdef __cplusplus
}
#endif

#endif
