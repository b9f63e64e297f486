/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/digest.h>

#include "devices/bytes.h"
#include "measure/common.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* SHA512_Update() and its like: see sha2(). A libcrypto that is built without them has EVP alone. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

struct algorithm {
	const char *name;    /* ours */
	const char *fips;    /* FIPS 180-4's spelling */
	const char *openssl; /* as EVP_MD_fetch() wants it */
	size_t len;
};

static const struct algorithm algorithms[FM_DIGEST_COUNT] = {
	[FM_DIGEST_SHA1] = { "sha1", "SHA-1", "SHA1", 20 },
	[FM_DIGEST_SHA256] = { "sha256", "SHA-256", "SHA2-256", 32 },
	[FM_DIGEST_SHA384] = { "sha384", "SHA-384", "SHA2-384", 48 },
	[FM_DIGEST_SHA512] = { "sha512", "SHA-512", "SHA2-512", 64 },
};

struct fm_digest {
	enum fm_digest_alg alg;
	EVP_MD_CTX *ctx;
	EVP_MD_CTX *spare; /* for peek(), made on first use */
	EVP_MD *md;
	bool broken; /* part of the message did not reach ctx */
};

static const struct algorithm *find(enum fm_digest_alg alg)
{
	if (alg == FM_DIGEST_NONE || (unsigned)alg >= FM_DIGEST_COUNT)
		return NULL;
	return &algorithms[alg];
}

const char *fm_digest_name(enum fm_digest_alg alg)
{
	const struct algorithm *a = find(alg);

	return a ? a->name : "none";
}

enum fm_digest_alg fm_digest_from_name(const char *name)
{
	for (int i = FM_DIGEST_NONE + 1; name && i < FM_DIGEST_COUNT; i++) {
		if (!strcasecmp(name, algorithms[i].name) || !strcasecmp(name, algorithms[i].fips))
			return (enum fm_digest_alg)i;
	}
	return FM_DIGEST_NONE;
}

size_t fm_digest_len(enum fm_digest_alg alg)
{
	const struct algorithm *a = find(alg);

	return a ? a->len : 0;
}

/*
 * libcrypto failed at `what`. Takes the errors since the caller's ERR_set_mark() off the thread's
 * queue, which may hold some of the host's own.
 */
static int crypto_failed(struct fm_error *err, enum fm_digest_alg alg, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	int ret;

	if (code && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
		ret = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: %s: out of memory",
				   fm_digest_name(alg), what);
	else
		ret = fm_error_set(err, FM_ERR_UNSUPPORTED, 0, "%s: %s: libcrypto says: %s",
				   fm_digest_name(alg), what, reason ? reason : "no reason");
	ERR_pop_to_mark();
	return ret;
}

static int no_memory(struct fm_error *err, enum fm_digest_alg alg)
{
	return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", fm_digest_name(alg));
}

int fm_digest_new(struct fm_digest **out, enum fm_digest_alg alg, struct fm_error *err)
{
	const struct algorithm *a = find(alg);
	struct fm_digest *d;
	int ret;

	if (!a)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "digest algorithm is %d, expected an fm_digest_alg", alg);
	d = calloc(1, sizeof(*d));
	if (!d)
		return no_memory(err, alg);
	d->alg = alg;
	ERR_set_mark();
	d->md = EVP_MD_fetch(NULL, a->openssl, NULL);
	if (!d->md) {
		ret = crypto_failed(err, alg, "not available");
		fm_digest_free(d);
		return ret;
	}
	ERR_pop_to_mark();
	d->ctx = EVP_MD_CTX_new();
	ret = d->ctx ? fm_digest_restart(d, err) : no_memory(err, alg);
	if (ret) {
		fm_digest_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

void fm_digest_free(struct fm_digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->spare);
	EVP_MD_CTX_free(digest->ctx);
	EVP_MD_free(digest->md);
	free(digest);
}

enum fm_digest_alg fm_digest_algorithm(const struct fm_digest *digest)
{
	return digest->alg;
}

int fm_digest_restart(struct fm_digest *digest, struct fm_error *err)
{
	digest->broken = true;
	ERR_set_mark();
	if (!EVP_DigestInit_ex2(digest->ctx, digest->md, NULL))
		return crypto_failed(err, digest->alg, "start");
	ERR_pop_to_mark();
	digest->broken = false;
	return 0;
}

static int check_whole(const struct fm_digest *d, struct fm_error *err)
{
	if (d->broken)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "%s: part of the message was not hashed: restart it",
				    fm_digest_name(d->alg));
	return 0;
}

int fm_digest_update(struct fm_digest *digest, const void *bytes, size_t len, struct fm_error *err)
{
	int ret;

	if (!bytes && len)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s: %zu bytes at NULL",
				    fm_digest_name(digest->alg), len);
	ret = check_whole(digest, err);
	if (ret || !len)
		return ret;
	ERR_set_mark();
	if (!EVP_DigestUpdate(digest->ctx, bytes, len)) {
		digest->broken = true;
		return crypto_failed(err, digest->alg, "update");
	}
	ERR_pop_to_mark();
	return 0;
}

/* `ctx` is spent afterwards. */
static int finish(enum fm_digest_alg alg, EVP_MD_CTX *ctx, void *out, struct fm_error *err)
{
	uint8_t value[EVP_MAX_MD_SIZE];

	ERR_set_mark();
	if (!EVP_DigestFinal_ex(ctx, value, NULL))
		return crypto_failed(err, alg, "final");
	ERR_pop_to_mark();
	memcpy(out, value, algorithms[alg].len);
	return 0;
}

int fm_digest_peek(struct fm_digest *digest, void *out, struct fm_error *err)
{
	int ret = check_whole(digest, err);

	if (ret)
		return ret;
	if (!digest->spare)
		digest->spare = EVP_MD_CTX_new();
	if (!digest->spare)
		return no_memory(err, digest->alg);
	ERR_set_mark();
	if (!EVP_MD_CTX_copy_ex(digest->spare, digest->ctx))
		return crypto_failed(err, digest->alg, "copy");
	ERR_pop_to_mark();
	return finish(digest->alg, digest->spare, out, err);
}

int fm_digest_final(struct fm_digest *digest, void *out, struct fm_error *err)
{
	uint8_t value[FM_DIGEST_MAX];
	int ret = check_whole(digest, err);

	if (ret)
		return ret;
	ret = finish(digest->alg, digest->ctx, value, err);
	if (ret) {
		digest->broken = true;
		return ret;
	}
	ret = fm_digest_restart(digest, err);
	if (ret)
		return ret;
	memcpy(out, value, algorithms[digest->alg].len);
	return 0;
}

int fm_digest_copy(struct fm_digest *digest, const struct fm_digest *from, struct fm_error *err)
{
	int ret;

	if (digest->alg != from->alg)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s: cannot go on from %s",
				    fm_digest_name(digest->alg), fm_digest_name(from->alg));
	ret = check_whole(from, err);
	if (ret)
		return ret;
	digest->broken = true;
	ERR_set_mark();
	if (!EVP_MD_CTX_copy_ex(digest->ctx, from->ctx))
		return crypto_failed(err, digest->alg, "copy");
	ERR_pop_to_mark();
	digest->broken = false;
	return 0;
}

int fm_digest_hmac(enum fm_digest_alg alg, const void *key, size_t key_len, const void *bytes,
		   size_t len, void *out, struct fm_error *err)
{
	const struct algorithm *a = find(alg);
	uint8_t value[EVP_MAX_MD_SIZE];

	if (!a)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "digest algorithm is %d, expected an fm_digest_alg", alg);
	if ((!bytes && len) || (!key && key_len))
		return fm_error_set(err, FM_ERR_ARG, 0, "HMAC-%s: bytes at NULL", a->name);
	ERR_set_mark();
	if (!EVP_Q_mac(NULL, "HMAC", NULL, a->openssl, NULL, key_len ? key : "", key_len,
		       len ? bytes : (const void *)"", len, value, sizeof(value), NULL))
		return crypto_failed(err, alg, "HMAC");
	ERR_pop_to_mark();
	memcpy(out, value, a->len);
	return 0;
}

/* --- many short messages ---------------------------------------------------------------------- */

#ifndef OPENSSL_NO_DEPRECATED_3_0

/*
 * A launch is thousands of links of 112 bytes, for each of which EVP makes, wipes and frees a context: a third
 * of the time. So this takes the functions that EVP itself ends in. The message is padded here (FIPS
 * 180-4, 5.1): a link's two blocks go to libcrypto as one piece, which it hashes faster than two, and
 * after whole blocks the state is the digest (6.2.2, 6.4.2).
 */

#define TAIL_MAX 256u /* two blocks of SHA-512 */

/* What is hashed as it lies before the tail; *tail_len bytes of `tail` are then whole blocks too. */
static size_t pad(uint8_t *tail, size_t *tail_len, size_t block, const uint8_t *bytes, size_t len)
{
	size_t end = block / 8; /* bytes of the length: 8 or 16 */
	size_t whole = len + 1 + end <= TAIL_MAX ? 0 : len - len % block;
	size_t rest = len - whole;
	size_t n = (rest + 1 + end + block - 1) / block * block;

	if (rest)
		memcpy(tail, bytes + whole, rest);
	tail[rest] = 0x80;
	memset(tail + rest + 1, 0, n - 8 - (rest + 1));
	fmi_put_be64(tail + n - 8, (uint64_t)len * 8);
	*tail_len = n;
	return whole;
}

static void sha256(const uint8_t *bytes, size_t len, uint8_t *out)
{
	uint8_t tail[TAIL_MAX];
	SHA256_CTX c;
	size_t tail_len, whole = pad(tail, &tail_len, SHA256_CBLOCK, bytes, len);

	SHA256_Init(&c);
	SHA256_Update(&c, bytes, whole);
	SHA256_Update(&c, tail, tail_len);
	for (unsigned i = 0; i < 8; i++)
		fmi_put_be32(out + 4 * i, c.h[i]);
}

/* SHA-384 too: the same with another start, cut to 6 words. */
static void sha512(enum fm_digest_alg alg, const uint8_t *bytes, size_t len, uint8_t *out)
{
	uint8_t tail[TAIL_MAX];
	SHA512_CTX c;
	size_t tail_len, whole = pad(tail, &tail_len, SHA512_CBLOCK, bytes, len);

	if (alg == FM_DIGEST_SHA384)
		SHA384_Init(&c);
	else
		SHA512_Init(&c);
	SHA512_Update(&c, bytes, whole);
	SHA512_Update(&c, tail, tail_len);
	for (unsigned i = 0; i < algorithms[alg].len / 8; i++)
		fmi_put_be64(out + 8 * i, c.h[i]);
}

/* False: not this algorithm. */
static bool sha2(enum fm_digest_alg alg, const void *bytes, size_t len, void *out)
{
	switch (alg) {
	case FM_DIGEST_SHA256:
		sha256(bytes, len, out);
		return true;
	case FM_DIGEST_SHA384:
	case FM_DIGEST_SHA512:
		sha512(alg, bytes, len, out);
		return true;
	case FM_DIGEST_NONE:
	case FM_DIGEST_SHA1:
	case FM_DIGEST_COUNT:
		break;
	}
	return false;
}

#else

static bool sha2(enum fm_digest_alg alg, const void *bytes, size_t len, void *out)
{
	return false;
}

#endif

int fmi_digest_once(enum fm_digest_alg alg, const void *bytes, size_t len, void *out,
		    struct fm_error *err)
{
	return sha2(alg, bytes, len, out) ? 0 : fm_digest_bytes(alg, bytes, len, out, err);
}

int fm_digest_bytes(enum fm_digest_alg alg, const void *bytes, size_t len, void *out,
		    struct fm_error *err)
{
	struct fm_digest *d;
	int ret = fm_digest_new(&d, alg, err);

	if (ret)
		return ret;
	ret = fm_digest_update(d, bytes, len, err);
	if (!ret)
		ret = fm_digest_peek(d, out, err);
	fm_digest_free(d);
	return ret;
}

int fm_digest_extend(enum fm_digest_alg alg, void *reg, const void *value, size_t len,
		     struct fm_error *err)
{
	struct fm_digest *d;
	int ret = fm_digest_new(&d, alg, err);

	if (ret)
		return ret;
	ret = fm_digest_update(d, reg, algorithms[alg].len, err);
	if (!ret)
		ret = fm_digest_update(d, value, len, err);
	if (!ret)
		ret = finish(alg, d->ctx, reg, err);
	fm_digest_free(d);
	return ret;
}

char *fm_digest_hex(char *text, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[b[i] >> 4];
		text[2 * i + 1] = digits[b[i] & 15];
	}
	text[2 * len] = '\0';
	return text;
}

bool fm_digest_from_hex(const char *text, void *out, size_t max, size_t *len)
{
	uint8_t *bytes = out;
	size_t n = 0;

	for (; text[0]; text += 2, n++) {
		int high = fmi_hex_digit(text[0]);
		int low = high < 0 ? -1 : fmi_hex_digit(text[1]);

		if (low < 0 || n == max)
			return false;
		bytes[n] = (uint8_t)(high << 4 | low);
	}
	*len = n;
	return true;
}
