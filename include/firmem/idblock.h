/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idblock: the ID block of a SEV-SNP launch and its authentication (SNP firmware ABI 56860, tables 75
 * and 76): the owner's signed word on which launch digest the guest may start with. From
 * libfirmem-measure.
 */
#ifndef FIRMEM_IDBLOCK_H
#define FIRMEM_IDBLOCK_H

#include <firmem/key.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_IDBLOCK_LEN 0x60u
#define FM_IDBLOCK_AUTH_LEN 0x1000u
/* Bytes of a key as the firmware keeps it, and of the digest it reports. */
#define FM_IDBLOCK_KEY_LEN 1028u
#define FM_IDBLOCK_DIGEST_LEN 48u

struct fm_idblock {
	uint8_t digest[FM_IDBLOCK_DIGEST_LEN]; /* launch digest */
	uint8_t family_id[16];
	uint8_t image_id[16];
	uint32_t svn;    /* security version of the guest */
	uint64_t policy; /* of the launch; 0x30000 is SMT allowed and the reserved bit */
};

/*
 * The block, FM_IDBLOCK_LEN bytes at `block`, and its authentication, FM_IDBLOCK_AUTH_LEN bytes at `auth`:
 * signed by `id_key`, which `author_key` signs; `author_key` NULL: nobody does. Private keys. Errors
 * as of fm_key_sign(). Any thread, while nobody else uses the keys.
 */
FM_API int fm_idblock_make(void *block, void *auth, const struct fm_idblock *content,
			   const struct fm_key *id_key, const struct fm_key *author_key,
			   struct fm_error *err);

/* What a block and its authentication say, once their signatures are right. */
struct fm_idblock_report {
	struct fm_idblock content;
	uint8_t id_key_digest[FM_IDBLOCK_DIGEST_LEN]; /* what an attestation report shows */
	bool has_author;
	uint8_t author_key_digest[FM_IDBLOCK_DIGEST_LEN];
};

/*
 * Check both. FM_ERR_SIZE, FM_ERR_VERSION (not version 1), FM_ERR_FORMAT (another algorithm or curve,
 * reserved bytes that are not 0, no point), FM_ERR_CHECKSUM (a signature is wrong), FM_ERR_NOMEM,
 * FM_ERR_UNSUPPORTED. Any thread.
 */
FM_API int fm_idblock_check(struct fm_idblock_report *out, const void *block, size_t block_len,
			    const void *auth, size_t auth_len, struct fm_error *err);

/*
 * The digest of a public key as attestation reports show it: SHA-384 of its FM_IDBLOCK_KEY_LEN bytes.
 * FM_ERR_UNSUPPORTED, FM_ERR_NOMEM.
 */
FM_API int fm_idblock_key_digest(void *out, const struct fm_key *key, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
