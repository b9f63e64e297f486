/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include "measure/common.h"

#include <firmem/digest.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define EACH_ALG(a) (int a = FM_DIGEST_SHA1; a < FM_DIGEST_COUNT; a++)

/* The examples of FIPS 180-4 (NIST's "Examples with Intermediate Values"): three messages each. */
#define MSG_448 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define MSG_896                                                    \
	"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn" \
	"hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"

static const struct {
	enum fm_digest_alg alg;
	const char *message;
	unsigned times;
	const char *digest;
} known[] = {
	{ FM_DIGEST_SHA1, "", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
	{ FM_DIGEST_SHA1, "abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ FM_DIGEST_SHA1, MSG_448, 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	{ FM_DIGEST_SHA1, "a", 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f" },
	{ FM_DIGEST_SHA256, "", 1,
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ FM_DIGEST_SHA256, "abc", 1,
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ FM_DIGEST_SHA256, MSG_448, 1,
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ FM_DIGEST_SHA256, "a", 1000000,
	  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
	{ FM_DIGEST_SHA384, "", 1,
	  "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
	  "274edebfe76f65fbd51ad2f14898b95b" },
	{ FM_DIGEST_SHA384, "abc", 1,
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7" },
	{ FM_DIGEST_SHA384, MSG_896, 1,
	  "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
	  "fcc7c71a557e2db966c3e9fa91746039" },
	{ FM_DIGEST_SHA384, "a", 1000000,
	  "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b"
	  "07b8b3dc38ecc4ebae97ddd87f3d8985" },
	{ FM_DIGEST_SHA512, "", 1,
	  "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
	  "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
	{ FM_DIGEST_SHA512, "abc", 1,
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	{ FM_DIGEST_SHA512, MSG_896, 1,
	  "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
	  "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909" },
	{ FM_DIGEST_SHA512, "a", 1000000,
	  "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
	  "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b" },
};

static bool fail_update;
int __real_EVP_DigestUpdate(void *ctx, const void *bytes, size_t len);
int __wrap_EVP_DigestUpdate(void *ctx, const void *bytes, size_t len);

int __wrap_EVP_DigestUpdate(void *ctx, const void *bytes, size_t len)
{
	return fail_update ? 0 : __real_EVP_DigestUpdate(ctx, bytes, len);
}

static void assert_digest(enum fm_digest_alg alg, const void *digest, const char *hex)
{
	char text[2 * FM_DIGEST_MAX + 1];

	assert_string_equal(fm_digest_hex(text, digest, fm_digest_len(alg)), hex);
}

static void known_answers_of_fips_180_4(void **state)
{
	uint8_t out[FM_DIGEST_MAX];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i].message);
		struct fm_digest *d;

		assert_int_equal(fm_digest_new(&d, known[i].alg, NULL), 0);
		for (unsigned n = 0; n < known[i].times; n++)
			assert_int_equal(fm_digest_update(d, known[i].message, len, NULL), 0);
		assert_int_equal(fm_digest_final(d, out, NULL), 0);
		assert_digest(known[i].alg, out, known[i].digest);
		fm_digest_free(d);
		if (known[i].times > 1)
			continue;
		assert_int_equal(fm_digest_bytes(known[i].alg, known[i].message, len, out, NULL),
				 0);
		assert_digest(known[i].alg, out, known[i].digest);
	}
}

/* The digest that coreutils, which has code of its own, gives for a file. */
static void coreutils_digest(const char *alg, const char *path, char *hex, size_t size)
{
	char command[600];
	FILE *pipe;

	snprintf(command, sizeof(command), "%ssum < '%s'", alg, path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(hex, (int)size, pipe));
	assert_int_equal(pclose(pipe), 0);
	hex[strcspn(hex, " ")] = '\0';
}

static void a_real_file_has_the_digest_that_coreutils_gives(void **state)
{
	char path[500] = { 0 };
	char hex[2 * FM_DIGEST_MAX + 8];
	uint8_t out[FM_DIGEST_MAX];
	uint8_t buf[7919]; /* a prime: block borders fall everywhere */
	size_t n;

	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	for
		EACH_ALG(a)
		{
			FILE *file = fopen(path, "rb");
			struct fm_digest *d;

			assert_non_null(file);
			assert_int_equal(fm_digest_new(&d, a, NULL), 0);
			while ((n = fread(buf, 1, sizeof(buf), file)) > 0)
				assert_int_equal(fm_digest_update(d, buf, n, NULL), 0);
			fclose(file);
			assert_int_equal(fm_digest_final(d, out, NULL), 0);
			fm_digest_free(d);
			coreutils_digest(fm_digest_name(a), path, hex, sizeof(hex));
			assert_digest(a, out, hex);
		}
}

static void how_a_message_is_cut_does_not_matter(void **state)
{
	uint8_t message[300], whole[FM_DIGEST_MAX], cut[FM_DIGEST_MAX];

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 7);
	for
		EACH_ALG(a)
		{
			struct fm_digest *d;

			assert_int_equal(fm_digest_bytes(a, message, sizeof(message), whole, NULL),
					 0);
			assert_int_equal(fm_digest_new(&d, a, NULL), 0);
			for (size_t at = 0; at <= sizeof(message); at++) {
				fm_digest_update(d, message, at, NULL);
				fm_digest_update(d, NULL, 0, NULL);
				fm_digest_update(d, message + at, sizeof(message) - at, NULL);
				assert_int_equal(fm_digest_final(d, cut, NULL), 0);
				assert_memory_equal(cut, whole, fm_digest_len(a));
			}
			fm_digest_free(d);
		}
}

static void peek_gives_the_digest_so_far_and_the_message_goes_on(void **state)
{
	uint8_t out[FM_DIGEST_MAX];
	struct fm_digest *d;

	assert_int_equal(fm_digest_new(&d, FM_DIGEST_SHA256, NULL), 0);
	assert_int_equal(fm_digest_algorithm(d), FM_DIGEST_SHA256);
	assert_int_equal(fm_digest_peek(d, out, NULL), 0);
	assert_digest(FM_DIGEST_SHA256, out, known[4].digest);
	fm_digest_update(d, "a", 1, NULL);
	assert_int_equal(fm_digest_peek(d, out, NULL), 0);
	fm_digest_update(d, "bc", 2, NULL);
	assert_int_equal(fm_digest_peek(d, out, NULL), 0);
	assert_digest(FM_DIGEST_SHA256, out, known[5].digest);
	assert_int_equal(fm_digest_final(d, out, NULL), 0);
	assert_digest(FM_DIGEST_SHA256, out, known[5].digest);
	fm_digest_free(d);
}

static void after_final_or_restart_the_message_is_empty(void **state)
{
	uint8_t out[FM_DIGEST_MAX];
	struct fm_digest *d;

	assert_int_equal(fm_digest_new(&d, FM_DIGEST_SHA384, NULL), 0);
	fm_digest_update(d, "junk", 4, NULL);
	assert_int_equal(fm_digest_restart(d, NULL), 0);
	fm_digest_update(d, "abc", 3, NULL);
	fm_digest_final(d, out, NULL);
	assert_digest(FM_DIGEST_SHA384, out, known[9].digest);
	fm_digest_final(d, out, NULL);
	assert_digest(FM_DIGEST_SHA384, out, known[8].digest);
	fm_digest_free(d);
}

static void extend_is_the_digest_of_old_and_new(void **state)
{
	uint8_t both[2 * FM_DIGEST_MAX];
	uint8_t reg[FM_DIGEST_MAX], out[FM_DIGEST_MAX], value[FM_DIGEST_MAX];

	for
		EACH_ALG(a)
		{
			size_t len = fm_digest_len(a);

			memset(reg, 0, sizeof(reg));
			memset(value, 0x5a, sizeof(value));
			for (int i = 0; i < 3; i++) {
				memcpy(both, reg, len);
				memcpy(both + len, value, len);
				assert_int_equal(fm_digest_bytes(a, both, 2 * len, out, NULL), 0);
				assert_int_equal(fm_digest_extend(a, reg, value, len, NULL), 0);
				assert_memory_equal(reg, out, len);
				value[0]++;
			}
		}
	/* A fresh SHA-256 PCR extended by zeros: SHA-256 of 64 zero bytes, by coreutils. */
	memset(reg, 0, 32);
	memset(value, 0, 32);
	assert_int_equal(fm_digest_extend(FM_DIGEST_SHA256, reg, value, 32, NULL), 0);
	assert_digest(FM_DIGEST_SHA256, reg,
		      "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Extend RTMR `index` by the SHA-384 digests of a TCG log (one algorithm an event). */
static void replay(const uint8_t *log, size_t len, unsigned index, uint8_t reg[48])
{
	size_t at = 32 + le32(log + 28); /* the Spec ID event is in the SHA-1 format */

	memset(reg, 0, 48);
	while (len - at >= 12 && le32(log + at) != UINT32_MAX) {
		assert_int_equal(le32(log + at + 8), 1);
		assert_int_equal(log[at + 12] | log[at + 13] << 8, 0x000c);
		if (le32(log + at) == index + 1 && le32(log + at + 4) != 3)
			assert_int_equal(
				fm_digest_extend(FM_DIGEST_SHA384, reg, log + at + 14, 48, NULL),
				0);
		at += 14 + 48 + 4 + le32(log + at + 62);
	}
}

static void extend_replays_the_event_log_of_a_real_tdx_guest(void **state)
{
	static uint8_t log[1 << 20];
	char path[500];
	uint8_t reg[48];
	size_t len;
	FILE *file;

	UNIT_VECTOR(path, "measure/ccel.bin");
	file = fopen(path, "rb");
	assert_non_null(file);
	len = fread(log, 1, sizeof(log), file);
	fclose(file);
	replay(log, len, 0, reg);
	assert_digest(FM_DIGEST_SHA384, reg,
		      "274c2344116db7c663470693b5ba62b8621eac28cb41d2f816ddf188f9f423f9"
		      "00a1c44d32386fd3c993dc814e62af9d");
	replay(log, len, 1, reg);
	assert_digest(FM_DIGEST_SHA384, reg,
		      "bdcf4ee0f7fdfe7c73fbb19ded73193aee23a6726b86d3b282ea097cf4c9ed7a"
		      "0db21b5c1ccd513e410d90e310836b26");
}

static void names_lead_to_their_algorithm_and_back(void **state)
{
	for
		EACH_ALG(a)
	assert_int_equal(fm_digest_from_name(fm_digest_name(a)), a);
	assert_int_equal(fm_digest_from_name("SHA-384"), FM_DIGEST_SHA384);
	assert_int_equal(fm_digest_from_name("sha-1"), FM_DIGEST_SHA1);
	assert_int_equal(fm_digest_from_name("sha"), FM_DIGEST_NONE);
	assert_int_equal(fm_digest_from_name("sha2560"), FM_DIGEST_NONE);
	assert_int_equal(fm_digest_from_name(""), FM_DIGEST_NONE);
	assert_int_equal(fm_digest_from_name(NULL), FM_DIGEST_NONE);
	assert_string_equal(fm_digest_name(FM_DIGEST_NONE), "none");
	assert_string_equal(fm_digest_name((enum fm_digest_alg)99), "none");
	assert_int_equal(fm_digest_len(FM_DIGEST_NONE), 0);
	assert_int_equal(fm_digest_len(FM_DIGEST_COUNT), 0);
}

/* RFC 4231, test cases 1, 2 and 6. */
static void hmac_gives_the_answers_of_rfc_4231(void **state)
{
	uint8_t key[131], out[FM_DIGEST_MAX];

	memset(key, 0x0b, 20);
	assert_int_equal(fm_digest_hmac(FM_DIGEST_SHA256, key, 20, "Hi There", 8, out, NULL), 0);
	assert_digest(FM_DIGEST_SHA256, out,
		      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_int_equal(fm_digest_hmac(FM_DIGEST_SHA256, "Jefe", 4, "what do ya want for nothing?",
					28, out, NULL),
			 0);
	assert_digest(FM_DIGEST_SHA256, out,
		      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	assert_int_equal(fm_digest_hmac(FM_DIGEST_SHA256, key, sizeof(key),
					"Test Using Larger Than Block-Size Key - Hash Key First",
					54, out, NULL),
			 0);
	assert_digest(FM_DIGEST_SHA256, out,
		      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_int_equal(fm_digest_hmac(FM_DIGEST_SHA256, NULL, 0, NULL, 0, out, NULL), 0);
	assert_int_equal(fm_digest_hmac(FM_DIGEST_NONE, key, 1, "", 0, out, NULL), FM_ERR_ARG);
	assert_int_equal(fm_digest_hmac(FM_DIGEST_SHA1, NULL, 1, "", 0, out, NULL), FM_ERR_ARG);
}

static void a_copy_goes_on_from_where_the_other_is(void **state)
{
	uint8_t out[FM_DIGEST_MAX];
	struct fm_digest *a, *b, *other;

	assert_int_equal(fm_digest_new(&a, FM_DIGEST_SHA256, NULL), 0);
	assert_int_equal(fm_digest_new(&b, FM_DIGEST_SHA256, NULL), 0);
	assert_int_equal(fm_digest_new(&other, FM_DIGEST_SHA1, NULL), 0);
	fm_digest_update(a, "ab", 2, NULL);
	fm_digest_update(b, "zzz", 3, NULL);
	assert_int_equal(fm_digest_copy(b, a, NULL), 0);
	fm_digest_update(b, "c", 1, NULL);
	assert_int_equal(fm_digest_final(b, out, NULL), 0);
	assert_digest(FM_DIGEST_SHA256, out, known[5].digest);
	assert_int_equal(fm_digest_copy(other, a, NULL), FM_ERR_ARG);
	fail_update = true;
	fm_digest_update(a, "c", 1, NULL);
	fail_update = false;
	assert_int_equal(fm_digest_copy(b, a, NULL), FM_ERR_STATE);
	fm_digest_free(a);
	fm_digest_free(b);
	fm_digest_free(other);
}

static void hexadecimal_is_read_whole_or_not_at_all(void **state)
{
	uint8_t bytes[4];
	size_t len = 9;

	assert_true(fm_digest_from_hex("0aF9", bytes, 4, &len));
	assert_int_equal(len, 2);
	assert_int_equal(bytes[0] << 8 | bytes[1], 0x0af9);
	assert_true(fm_digest_from_hex("", bytes, 4, &len));
	assert_int_equal(len, 0);
	assert_false(fm_digest_from_hex("0", bytes, 4, &len));
	assert_false(fm_digest_from_hex("0g", bytes, 4, &len));
	assert_false(fm_digest_from_hex("0x01", bytes, 4, &len));
	assert_false(fm_digest_from_hex("0011223344", bytes, 4, &len));
	assert_int_equal(len, 0);
}

static void wrong_arguments_are_named_and_outputs_stay_untouched(void **state)
{
	uint8_t out[FM_DIGEST_MAX], before[FM_DIGEST_MAX];
	struct fm_digest *d = (struct fm_digest *)out;
	struct fm_error err = { 0 };

	memset(out, 0xa5, sizeof(out));
	memcpy(before, out, sizeof(out));
	assert_int_equal(fm_digest_new(&d, FM_DIGEST_NONE, &err), FM_ERR_ARG);
	assert_ptr_equal(d, out);
	assert_non_null(strstr(err.msg, "0"));
	assert_int_equal(fm_digest_new(&d, FM_DIGEST_COUNT, NULL), FM_ERR_ARG);
	assert_int_equal(fm_digest_bytes((enum fm_digest_alg) - 1, "x", 1, out, NULL), FM_ERR_ARG);
	assert_int_equal(fm_digest_bytes(FM_DIGEST_SHA1, NULL, 1, out, NULL), FM_ERR_ARG);
	assert_int_equal(fm_digest_extend(FM_DIGEST_SHA1, out, NULL, 20, NULL), FM_ERR_ARG);
	assert_int_equal(fm_digest_extend(FM_DIGEST_NONE, out, out, 20, NULL), FM_ERR_ARG);
	assert_memory_equal(out, before, sizeof(out));
	fm_digest_free(NULL);
}

static void a_message_with_a_hole_gives_no_digest(void **state)
{
	uint8_t out[FM_DIGEST_MAX] = { 0 }, zero[FM_DIGEST_MAX] = { 0 };
	struct fm_error err = { 0 };
	struct fm_digest *d;

	assert_int_equal(fm_digest_new(&d, FM_DIGEST_SHA256, NULL), 0);
	fail_update = true;
	assert_int_equal(fm_digest_update(d, "abc", 3, &err), FM_ERR_UNSUPPORTED);
	assert_int_equal(fm_digest_extend(FM_DIGEST_SHA256, out, zero, 32, NULL),
			 FM_ERR_UNSUPPORTED);
	fail_update = false;
	assert_non_null(strstr(err.msg, "sha256"));
	assert_int_equal(fm_digest_update(d, "abc", 3, NULL), FM_ERR_STATE);
	assert_int_equal(fm_digest_peek(d, out, NULL), FM_ERR_STATE);
	assert_int_equal(fm_digest_final(d, out, NULL), FM_ERR_STATE);
	assert_memory_equal(out, zero, sizeof(out));
	assert_int_equal(fm_digest_restart(d, NULL), 0);
	fm_digest_update(d, "abc", 3, NULL);
	assert_int_equal(fm_digest_final(d, out, NULL), 0);
	assert_digest(FM_DIGEST_SHA256, out, known[5].digest);
	fm_digest_free(d);
}

/* In a process of its own, whose libcrypto may use nothing but a FIPS provider that is not there. */
static int unavailable_child(void)
{
	uint8_t reg[FM_DIGEST_MAX] = { 1 };

	for
		EACH_ALG(a)
		{
			struct fm_digest *d;
			struct fm_error err = { 0 };

			if (fm_digest_new(&d, a, &err) != FM_ERR_UNSUPPORTED ||
			    err.code != FM_ERR_UNSUPPORTED || !strstr(err.msg, fm_digest_name(a)))
				return 1;
			if (fm_digest_bytes(a, "abc", 3, reg, NULL) != FM_ERR_UNSUPPORTED)
				return 1;
			if (fm_digest_extend(a, reg, "abc", 3, NULL) != FM_ERR_UNSUPPORTED ||
			    reg[0] != 1)
				return 1;
		}
	return 0;
}

static void a_forbidden_algorithm_is_an_error_and_not_a_digest(void **state)
{
	static const char conf[] = "openssl_conf = init\n[init]\nalg_section = algorithms\n"
				   "[algorithms]\ndefault_properties = fips=yes\n";
	char name[] = P_tmpdir "/firmem-openssl-XXXXXX";
	char variable[64], exe[500] = { 0 }, arg[] = "unavailable";
	char *argv[] = { exe, arg, NULL };
	char *envp[] = { variable, NULL };
	int fd = mkstemp(name), status = -1;
	pid_t pid;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, conf, sizeof(conf) - 1), sizeof(conf) - 1);
	close(fd);
	snprintf(variable, sizeof(variable), "OPENSSL_CONF=%s", name);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_int_equal(posix_spawn(&pid, exe, NULL, NULL, argv, envp), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(name);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Launches hash short messages without EVP: every length of padding, and two pages. */
static void a_short_message_has_the_digest_of_any_other(void **state)
{
	uint8_t message[2 * 4096], in_place[2 * 4096], want[FM_DIGEST_MAX];

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 7 + i / 251);
	for
		EACH_ALG(a)
		{
			size_t n = fm_digest_len(a);

			/* Of nothing, which may be nowhere. */
			assert_int_equal(fm_digest_bytes(a, NULL, 0, want, NULL), 0);
			assert_int_equal(fmi_digest_once(a, NULL, 0, in_place, NULL), 0);
			assert_memory_equal(in_place, want, n);
			for (size_t len = 0; len <= sizeof(message); len += len < 600 ? 1 : 3496) {
				assert_int_equal(fm_digest_bytes(a, message, len, want, NULL), 0);
				memcpy(in_place, message, sizeof(message));
				assert_int_equal(fmi_digest_once(a, in_place, len, in_place, NULL),
						 0);
				assert_memory_equal(in_place, want, n);
				/* No byte more than the digest has. */
				assert_memory_equal(in_place + n, message + n, sizeof(message) - n);
			}
		}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_of_fips_180_4),
		cmocka_unit_test(a_real_file_has_the_digest_that_coreutils_gives),
		cmocka_unit_test(how_a_message_is_cut_does_not_matter),
		cmocka_unit_test(peek_gives_the_digest_so_far_and_the_message_goes_on),
		cmocka_unit_test(after_final_or_restart_the_message_is_empty),
		cmocka_unit_test(extend_is_the_digest_of_old_and_new),
		cmocka_unit_test(extend_replays_the_event_log_of_a_real_tdx_guest),
		cmocka_unit_test(names_lead_to_their_algorithm_and_back),
		cmocka_unit_test(hmac_gives_the_answers_of_rfc_4231),
		cmocka_unit_test(a_copy_goes_on_from_where_the_other_is),
		cmocka_unit_test(hexadecimal_is_read_whole_or_not_at_all),
		cmocka_unit_test(wrong_arguments_are_named_and_outputs_stay_untouched),
		cmocka_unit_test(a_short_message_has_the_digest_of_any_other),
		cmocka_unit_test(a_message_with_a_hole_gives_no_digest),
		cmocka_unit_test(a_forbidden_algorithm_is_an_error_and_not_a_digest),
	};

	if (argc > 1 && !strcmp(argv[1], "unavailable"))
		return unavailable_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
