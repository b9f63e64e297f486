/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/key.h>

#include "measure/common.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#define DER_MAX 128 /* bytes of a P-384 signature in DER, more than enough */

struct fm_key {
	EVP_PKEY *pkey;
	bool is_private;
};

/* As in digest.c: libcrypto's reason, and its queue as the host left it. */
static int failed(struct fm_error *err, int code, const char *name, const char *what)
{
	unsigned long last = ERR_peek_last_error();
	const char *reason = last ? ERR_reason_error_string(last) : NULL;

	ERR_pop_to_mark();
	return fm_error_set(err, code, 0, "%s: %s: libcrypto says: %s", name, what,
			    reason ? reason : "no reason");
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
	return -1;
}

static EVP_PKEY *read_pem(const void *pem, size_t len, bool *is_private)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	EVP_PKEY *pkey;

	if (!bio)
		return NULL;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	*is_private = pkey != NULL;
	BIO_free(bio);
	if (pkey)
		return pkey;
	bio = BIO_new_mem_buf(pem, (int)len);
	pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
	BIO_free(bio);
	return pkey;
}

static bool on_p384(const EVP_PKEY *pkey)
{
	char group[32];

	return EVP_PKEY_is_a(pkey, "EC") &&
	       EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) &&
	       (!strcmp(group, "secp384r1") || !strcmp(group, "P-384"));
}

static int keep(struct fm_key **out, EVP_PKEY *pkey, bool is_private, struct fm_error *err)
{
	struct fm_key *key = malloc(sizeof(*key));

	if (!key) {
		EVP_PKEY_free(pkey);
		return fm_error_set(err, FM_ERR_NOMEM, 0, "key: out of memory");
	}
	key->pkey = pkey;
	key->is_private = is_private;
	*out = key;
	return 0;
}

int fm_key_parse(struct fm_key **out, const char *name, const void *pem, size_t len,
		 struct fm_error *err)
{
	bool is_private = false;
	EVP_PKEY *pkey;

	name = fmi_or(name, "key");
	if (!len || len > 65536)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: size: %zu bytes, expected a key in PEM", name, len);
	ERR_set_mark();
	pkey = read_pem(pem, len, &is_private);
	if (!pkey)
		return failed(err, FM_ERR_FORMAT, name,
			      "expected a key in PEM without a passphrase");
	ERR_pop_to_mark();
	if (!on_p384(pkey)) {
		EVP_PKEY_free(pkey);
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: the key is of another kind, expected EC on P-384", name);
	}
	return keep(out, pkey, is_private, err);
}

int fm_key_from_point(struct fm_key **out, const uint8_t *x, const uint8_t *y, struct fm_error *err)
{
	uint8_t point[1 + 2 * FM_KEY_LEN] = { 4 };
	char group[] = "P-384";
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_END,
	};
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *pkey = NULL;

	memcpy(point + 1, x, FM_KEY_LEN);
	memcpy(point + 1 + FM_KEY_LEN, y, FM_KEY_LEN);
	ERR_set_mark();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
		EVP_PKEY_CTX_free(ctx);
		return failed(err, FM_ERR_FORMAT, "key", "expected a point on P-384");
	}
	EVP_PKEY_CTX_free(ctx);
	ERR_pop_to_mark();
	return keep(out, pkey, false, err);
}

void fm_key_free(struct fm_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

static bool coordinate(const EVP_PKEY *pkey, const char *which, uint8_t *out)
{
	BIGNUM *bn = NULL;
	bool ok = EVP_PKEY_get_bn_param(pkey, which, &bn) == 1 &&
		  BN_bn2binpad(bn, out, FM_KEY_LEN) == (int)FM_KEY_LEN;

	BN_free(bn);
	return ok;
}

int fm_key_point(const struct fm_key *key, uint8_t *x, uint8_t *y, struct fm_error *err)
{
	uint8_t point[2][FM_KEY_LEN];

	ERR_set_mark();
	if (!coordinate(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, point[0]) ||
	    !coordinate(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, point[1]))
		return failed(err, FM_ERR_UNSUPPORTED, "key", "its point");
	ERR_pop_to_mark();
	memcpy(x, point[0], FM_KEY_LEN);
	memcpy(y, point[1], FM_KEY_LEN);
	return 0;
}

int fm_key_sign(const struct fm_key *key, const void *bytes, size_t len, uint8_t *r, uint8_t *s,
		struct fm_error *err)
{
	uint8_t der[DER_MAX];
	const uint8_t *at = der;
	size_t n = sizeof(der);
	EVP_MD_CTX *ctx;
	ECDSA_SIG *sig = NULL;
	bool ok;

	if (!key->is_private)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "key: is a public one, expected a private one to sign with");
	ERR_set_mark();
	ctx = EVP_MD_CTX_new();
	ok = ctx &&
	     EVP_DigestSignInit_ex(ctx, NULL, "SHA2-384", NULL, NULL, key->pkey, NULL) == 1 &&
	     EVP_DigestSign(ctx, der, &n, bytes, len) == 1;
	EVP_MD_CTX_free(ctx);
	if (ok)
		sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
	if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, FM_KEY_LEN) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, FM_KEY_LEN) < 0) {
		ECDSA_SIG_free(sig);
		return failed(err, FM_ERR_UNSUPPORTED, "key", "sign");
	}
	ECDSA_SIG_free(sig);
	ERR_pop_to_mark();
	return 0;
}

/* DER of r and s; 0 when it cannot be made. */
static int to_der(const uint8_t *r, const uint8_t *s, uint8_t *der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *bn_r = BN_bin2bn(r, FM_KEY_LEN, NULL);
	BIGNUM *bn_s = BN_bin2bn(s, FM_KEY_LEN, NULL);
	uint8_t *at = der;
	int len = 0;

	if (sig && bn_r && bn_s && ECDSA_SIG_set0(sig, bn_r, bn_s)) {
		bn_r = bn_s = NULL; /* the signature's now */
		len = i2d_ECDSA_SIG(sig, &at);
	}
	BN_free(bn_r);
	BN_free(bn_s);
	ECDSA_SIG_free(sig);
	return len;
}

int fm_key_verify(const struct fm_key *key, const void *bytes, size_t len, const uint8_t *r,
		  const uint8_t *s, struct fm_error *err)
{
	uint8_t der[DER_MAX];
	EVP_MD_CTX *ctx;
	int der_len, ok;

	ERR_set_mark();
	der_len = to_der(r, s, der);
	ctx = EVP_MD_CTX_new();
	if (der_len <= 0 || !ctx) {
		EVP_MD_CTX_free(ctx);
		ERR_pop_to_mark();
		return fm_error_set(err, FM_ERR_NOMEM, 0, "key: out of memory");
	}
	ok = EVP_DigestVerifyInit_ex(ctx, NULL, "SHA2-384", NULL, NULL, key->pkey, NULL) == 1 &&
	     EVP_DigestVerify(ctx, der, (size_t)der_len, bytes, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_pop_to_mark();
	if (!ok)
		return fm_error_set(err, FM_ERR_CHECKSUM, 0,
				    "signature: is not of these bytes by this key");
	return 0;
}
