/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/idblock.h>

#include "devices/bytes.h"
#include "measure/common.h"

#include <inttypes.h>
#include <string.h>

/* ID_AUTH: table 76. */
#define BLOCK_SIG 0x40u
#define ID_KEY 0x240u
#define KEY_SIG 0x680u
#define AUTHOR_KEY 0x880u
#define SIG_LEN 512u
#define FIELD 72u /* bytes of a number, little-endian */
#define ECDSA_P384_SHA384 1u
#define CURVE_P384 2u

/* Between big-endian of FM_KEY_LEN and the little-endian field. */
static void to_field(uint8_t *field, const uint8_t *big)
{
	for (unsigned i = 0; i < FM_KEY_LEN; i++)
		field[i] = big[FM_KEY_LEN - 1 - i];
}

/* False when the rest of the field is not 0. */
static bool from_field(uint8_t *big, const uint8_t *field)
{
	for (unsigned i = 0; i < FM_KEY_LEN; i++)
		big[FM_KEY_LEN - 1 - i] = field[i];
	return fmi_all_bytes(field + FM_KEY_LEN, FIELD - FM_KEY_LEN, 0);
}

static int put_key(uint8_t *at, const struct fm_key *key, struct fm_error *err)
{
	uint8_t x[FM_KEY_LEN], y[FM_KEY_LEN];
	int ret = fm_key_point(key, x, y, err);

	if (ret)
		return ret;
	memset(at, 0, FM_IDBLOCK_KEY_LEN);
	fmi_put_le32(at, CURVE_P384);
	to_field(at + 4, x);
	to_field(at + 4 + FIELD, y);
	return 0;
}

static int put_sig(uint8_t *at, const struct fm_key *key, const uint8_t *bytes, size_t len,
		   struct fm_error *err)
{
	uint8_t r[FM_KEY_LEN], s[FM_KEY_LEN];
	int ret = fm_key_sign(key, bytes, len, r, s, err);

	if (ret)
		return ret;
	to_field(at, r);
	to_field(at + FIELD, s);
	return 0;
}

int fm_idblock_make(void *block, void *auth, const struct fm_idblock *content,
		    const struct fm_key *id_key, const struct fm_key *author_key,
		    struct fm_error *err)
{
	uint8_t b[FM_IDBLOCK_LEN] = { 0 };
	uint8_t a[FM_IDBLOCK_AUTH_LEN] = { 0 };
	int ret;

	memcpy(b, content->digest, FM_IDBLOCK_DIGEST_LEN);
	memcpy(b + 0x30, content->family_id, 16);
	memcpy(b + 0x40, content->image_id, 16);
	fmi_put_le32(b + 0x50, 1);
	fmi_put_le32(b + 0x54, content->svn);
	fmi_put_le64(b + 0x58, content->policy);
	fmi_put_le32(a, ECDSA_P384_SHA384);
	ret = put_sig(a + BLOCK_SIG, id_key, b, sizeof(b), err);
	if (!ret)
		ret = put_key(a + ID_KEY, id_key, err);
	if (!ret && author_key) {
		fmi_put_le32(a + 4, ECDSA_P384_SHA384);
		ret = put_sig(a + KEY_SIG, author_key, a + ID_KEY, FM_IDBLOCK_KEY_LEN, err);
		if (!ret)
			ret = put_key(a + AUTHOR_KEY, author_key, err);
	}
	if (ret)
		return ret;
	memcpy(block, b, sizeof(b));
	memcpy(auth, a, sizeof(a));
	return 0;
}

static int digest_of(void *out, const uint8_t *key, struct fm_error *err)
{
	return fm_digest_bytes(FM_DIGEST_SHA384, key, FM_IDBLOCK_KEY_LEN, out, err);
}

int fm_idblock_key_digest(void *out, const struct fm_key *key, struct fm_error *err)
{
	uint8_t bytes[FM_IDBLOCK_KEY_LEN];
	int ret = put_key(bytes, key, err);

	return ret ? ret : digest_of(out, bytes, err);
}

/* --- check ---------------------------------------------------------------------------------- */

static int take_key(struct fm_key **out, const uint8_t *at, const char *what, struct fm_error *err)
{
	uint8_t x[FM_KEY_LEN], y[FM_KEY_LEN];

	if (fmi_le32(at) != CURVE_P384)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "ID auth: %s: curve %" PRIu32 ", expected 2 (P-384)", what,
				    fmi_le32(at));
	if (!from_field(x, at + 4) || !from_field(y, at + 4 + FIELD) ||
	    !fmi_all_bytes(at + 4 + 2 * FIELD, FM_IDBLOCK_KEY_LEN - 4 - 2 * FIELD, 0))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "ID auth: %s: reserved bytes are set, expected 0", what);
	return fm_key_from_point(out, x, y, err);
}

/* The signature at `sig`, by the key at `key`, of the bytes. */
static int check_sig(const uint8_t *key, const uint8_t *sig, const uint8_t *bytes, size_t len,
		     const char *what, struct fm_error *err)
{
	uint8_t r[FM_KEY_LEN], s[FM_KEY_LEN];
	struct fm_key *k;
	int ret = take_key(&k, key, what, err);

	if (ret)
		return ret;
	if (!from_field(r, sig) || !from_field(s, sig + FIELD) ||
	    !fmi_all_bytes(sig + 2 * FIELD, SIG_LEN - 2 * FIELD, 0))
		ret = fm_error_set(err, FM_ERR_FORMAT, 0,
				   "ID auth: signature by the %s: reserved bytes are set, "
				   "expected 0",
				   what);
	else if (fm_key_verify(k, bytes, len, r, s, NULL))
		ret = fm_error_set(err, FM_ERR_CHECKSUM, 0, "ID auth: signature by the %s is wrong",
				   what);
	fm_key_free(k);
	return ret;
}

static int check_header(const uint8_t *b, const uint8_t *a, struct fm_error *err)
{
	if (fmi_le32(b + 0x50) != 1)
		return fm_error_set(err, FM_ERR_VERSION, 0,
				    "ID block: version %" PRIu32 ", expected 1",
				    fmi_le32(b + 0x50));
	if (fmi_le32(a) != ECDSA_P384_SHA384 || fmi_le32(a + 4) > ECDSA_P384_SHA384)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "ID auth: algorithms %" PRIu32 " and %" PRIu32
				    ", expected 1 (ECDSA P-384 with SHA-384)",
				    fmi_le32(a), fmi_le32(a + 4));
	if (!fmi_all_bytes(a + 8, BLOCK_SIG - 8, 0) ||
	    !fmi_all_bytes(a + ID_KEY + FM_IDBLOCK_KEY_LEN, KEY_SIG - ID_KEY - FM_IDBLOCK_KEY_LEN,
			   0) ||
	    !fmi_all_bytes(a + AUTHOR_KEY + FM_IDBLOCK_KEY_LEN,
			   FM_IDBLOCK_AUTH_LEN - AUTHOR_KEY - FM_IDBLOCK_KEY_LEN, 0))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "ID auth: reserved bytes are set, expected 0");
	/* Or one changed number would take the author away, and nobody would see it. */
	if (!fmi_le32(a + 4) && !(fmi_all_bytes(a + KEY_SIG, SIG_LEN, 0) &&
				  fmi_all_bytes(a + AUTHOR_KEY, FM_IDBLOCK_KEY_LEN, 0)))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "ID auth: author key or its signature is set, expected 0 "
				    "without an algorithm for it");
	return 0;
}

int fm_idblock_check(struct fm_idblock_report *out, const void *block, size_t block_len,
		     const void *auth, size_t auth_len, struct fm_error *err)
{
	struct fm_idblock_report r = { .has_author = false };
	const uint8_t *b = block, *a = auth;
	int ret;

	if (block_len != FM_IDBLOCK_LEN || auth_len != FM_IDBLOCK_AUTH_LEN)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "ID block and auth: %zu and %zu bytes, expected %u and %u",
				    block_len, auth_len, FM_IDBLOCK_LEN, FM_IDBLOCK_AUTH_LEN);
	ret = check_header(b, a, err);
	if (!ret)
		ret = check_sig(a + ID_KEY, a + BLOCK_SIG, b, FM_IDBLOCK_LEN, "ID key", err);
	if (!ret)
		ret = digest_of(r.id_key_digest, a + ID_KEY, err);
	r.has_author = fmi_le32(a + 4) == ECDSA_P384_SHA384;
	if (!ret && r.has_author) {
		ret = check_sig(a + AUTHOR_KEY, a + KEY_SIG, a + ID_KEY, FM_IDBLOCK_KEY_LEN,
				"author key", err);
		if (!ret)
			ret = digest_of(r.author_key_digest, a + AUTHOR_KEY, err);
	}
	if (ret)
		return ret;
	memcpy(r.content.digest, b, FM_IDBLOCK_DIGEST_LEN);
	memcpy(r.content.family_id, b + 0x30, 16);
	memcpy(r.content.image_id, b + 0x40, 16);
	r.content.svn = fmi_le32(b + 0x54);
	r.content.policy = fmi_le64(b + 0x58);
	*out = r;
	return 0;
}
