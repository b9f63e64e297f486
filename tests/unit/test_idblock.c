/* SPDX-License-Identifier: BSD-2-Clause */
/* ID blocks, and the keys that sign them. Keys are made here and stored nowhere. */
#include "tests/unit/unit.h"

#include <firmem/digest.h>
#include <firmem/idblock.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static struct fm_key *id, *author, *public_id;

/* A new key as PEM; the caller's to free(). */
static char *pem_of(const char *curve, bool is_private, EVP_PKEY *given)
{
	EVP_PKEY *pkey = given ? given : EVP_EC_gen(curve);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long n;

	assert_non_null(pkey);
	if (is_private)
		assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	else
		assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
	n = BIO_get_mem_data(bio, &text);
	copy = strndup(text, (size_t)n);
	BIO_free(bio);
	if (!given)
		EVP_PKEY_free(pkey);
	return copy;
}

static struct fm_key *key_of(char *pem)
{
	struct fm_key *key;

	assert_int_equal(fm_key_parse(&key, NULL, pem, strlen(pem), NULL), 0);
	free(pem);
	return key;
}

static int set_up(void **state)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-384");

	id = key_of(pem_of(NULL, true, pkey));
	public_id = key_of(pem_of(NULL, false, pkey));
	author = key_of(pem_of("P-384", true, NULL));
	EVP_PKEY_free(pkey);
	return 0;
}

static int tear_down(void **state)
{
	fm_key_free(id);
	fm_key_free(author);
	fm_key_free(public_id);
	fm_key_free(NULL);
	return 0;
}

static struct fm_idblock content(void)
{
	struct fm_idblock c = { .svn = 3, .policy = 0x30000 };

	memset(c.digest, 0x11, sizeof(c.digest));
	memset(c.family_id, 0x22, 16);
	memset(c.image_id, 0x33, 16);
	return c;
}

static void what_is_made_is_right(void **state)
{
	struct fm_idblock c = content();
	uint8_t block[FM_IDBLOCK_LEN], auth[FM_IDBLOCK_AUTH_LEN], digest[48];
	struct fm_idblock_report r;

	assert_int_equal(fm_idblock_make(block, auth, &c, id, author, NULL), 0);
	assert_int_equal(block[0x50], 1);
	assert_int_equal(block[0x54], 3);
	assert_int_equal(block[0x5a], 3);
	assert_int_equal(auth[0x240], 2);
	assert_int_equal(fm_idblock_check(&r, block, sizeof(block), auth, sizeof(auth), NULL), 0);
	assert_memory_equal(&r.content, &c, sizeof(c));
	assert_true(r.has_author);
	assert_int_equal(fm_idblock_key_digest(digest, public_id, NULL), 0);
	assert_memory_equal(digest, r.id_key_digest, 48);
	assert_int_equal(fm_idblock_key_digest(digest, author, NULL), 0);
	assert_memory_equal(digest, r.author_key_digest, 48);
	assert_int_equal(fm_digest_bytes(FM_DIGEST_SHA384, auth + 0x240, 1028, digest, NULL), 0);
	assert_memory_equal(digest, r.id_key_digest, 48);

	assert_int_equal(fm_idblock_make(block, auth, &c, id, NULL, NULL), 0);
	assert_int_equal(fm_idblock_check(&r, block, sizeof(block), auth, sizeof(auth), NULL), 0);
	assert_false(r.has_author);
}

static void every_changed_bit_is_found(void **state)
{
	struct fm_idblock c = content();
	uint8_t both[FM_IDBLOCK_LEN + FM_IDBLOCK_AUTH_LEN];
	struct fm_idblock_report r;

	assert_int_equal(fm_idblock_make(both, both + FM_IDBLOCK_LEN, &c, id, author, NULL), 0);
	for (size_t i = 0; i < sizeof(both); i += 1 + (i > 800) * 13) {
		int ret;

		both[i] ^= 1;
		ret = fm_idblock_check(&r, both, FM_IDBLOCK_LEN, both + FM_IDBLOCK_LEN,
				       FM_IDBLOCK_AUTH_LEN, NULL);
		if (ret != FM_ERR_CHECKSUM && ret != FM_ERR_FORMAT && ret != FM_ERR_VERSION)
			fail_msg("byte %zu: %d", i, ret);
		both[i] ^= 1;
	}
	assert_int_equal(fm_idblock_check(&r, both, 95, both, FM_IDBLOCK_AUTH_LEN, NULL),
			 FM_ERR_SIZE);
}

static void a_public_key_does_not_sign(void **state)
{
	struct fm_idblock c = content();
	uint8_t block[FM_IDBLOCK_LEN] = { 5 }, auth[FM_IDBLOCK_AUTH_LEN] = { 6 };
	uint8_t r[48], s[48];

	assert_int_equal(fm_idblock_make(block, auth, &c, public_id, NULL, NULL), FM_ERR_STATE);
	assert_int_equal(fm_idblock_make(block, auth, &c, id, public_id, NULL), FM_ERR_STATE);
	assert_int_equal(block[0], 5);
	assert_int_equal(auth[0], 6);
	assert_int_equal(fm_key_sign(id, "abc", 3, r, s, NULL), 0);
	assert_int_equal(fm_key_verify(public_id, "abc", 3, r, s, NULL), 0);
	assert_int_equal(fm_key_verify(public_id, "abd", 3, r, s, NULL), FM_ERR_CHECKSUM);
	assert_int_equal(fm_key_verify(author, "abc", 3, r, s, NULL), FM_ERR_CHECKSUM);
	memset(r, 0, 48);
	assert_int_equal(fm_key_verify(public_id, "abc", 3, r, s, NULL), FM_ERR_CHECKSUM);
}

static void what_is_no_p384_key_is_refused(void **state)
{
	static const uint8_t zero[48];
	struct fm_key *key = NULL;
	struct fm_error err = { 0 };
	char *pem = pem_of("P-256", true, NULL);

	assert_int_equal(fm_key_parse(&key, "k.pem", pem, strlen(pem), &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "k.pem: the key is of another kind"));
	assert_int_equal(fm_key_parse(&key, "k.pem", pem, strlen(pem) / 2, &err), FM_ERR_FORMAT);
	assert_int_equal(fm_key_parse(&key, "k.pem", "", 0, &err), FM_ERR_FORMAT);
	assert_int_equal(fm_key_from_point(&key, zero, zero, &err), FM_ERR_FORMAT);
	assert_null(key);
	free(pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_made_is_right),
		cmocka_unit_test(every_changed_bit_is_found),
		cmocka_unit_test(a_public_key_does_not_sign),
		cmocka_unit_test(what_is_no_p384_key_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
