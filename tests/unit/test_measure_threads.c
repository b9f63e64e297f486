/* SPDX-License-Identifier: BSD-2-Clause */
/* Launches on several threads: beside one another, and one whose pages are hashed by more than one. */
#include "tests/unit/unit.h"

#include "fuzz/ovmf_build.h"

#include <firmem/digest.h>
#include <firmem/identify.h>
#include <firmem/sev.h>

#include <pthread.h>
#include <stdlib.h>

static uint8_t image[OVMF_LEN];

static struct fm_sev_config launch(const void *firmware, size_t len)
{
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = FM_SEV_SNP, .vcpus = 64 };

	c.firmware = firmware;
	c.firmware_len = len;
	c.cpu_sig = 0x800f12;
	return c;
}

static void *in_thread(void *out)
{
	struct fm_sev_config c = launch(image, sizeof(image));

	for (unsigned i = 0; i < 50; i++) {
		if (fm_sev_measure(out, &c, NULL))
			return out;
	}
	return NULL;
}

static void two_threads_get_what_one_gets(void **state)
{
	uint8_t out[3][48];
	pthread_t threads[2];
	void *failed;

	ovmf_build(image);
	assert_null(in_thread(out[2]));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, in_thread, out[i]), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
		assert_memory_equal(out[i], out[2], 48);
	}
}

/* `pages` pages before the image above, of which every third is one that came before. */
static uint8_t *large(size_t pages, size_t *len)
{
	uint8_t *bytes;

	*len = pages * 4096 + OVMF_LEN;
	bytes = malloc(*len);
	assert_non_null(bytes);
	for (size_t i = 0; i < pages; i++)
		memset(bytes + i * 4096, 0xff, 4096);
	for (size_t i = 0; i < pages; i += 3)
		ovmf_put(bytes + i * 4096 + 8, 4, i % 100 ? i : 7);
	memcpy(bytes + pages * 4096, image, OVMF_LEN);
	return bytes;
}

/* More distinct pages than are kept, fewer, and one. */
static void pages_hashed_by_many_give_the_same_digest(void **state)
{
	static const size_t sizes[] = { 6000, 500, 1, 0 };
	static const unsigned counts[] = { 1, 2, 3, 16, 1000 };

	ovmf_build(image);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t len;
		uint8_t *bytes = large(sizes[i], &len);
		struct fm_sev_config c = launch(bytes, len);
		struct fm_identify_config search = { .struct_size = sizeof(search), .launch = &c };
		struct fm_identified found;
		uint8_t want[48], got[48];

		assert_int_equal(fm_sev_measure(want, &c, NULL), 0);
		for (unsigned k = 0; k < sizeof(counts) / sizeof(*counts); k++) {
			c.threads = counts[k];
			assert_int_equal(fm_sev_measure(got, &c, NULL), 0);
			assert_memory_equal(got, want, 48);
		}
		search.digest = want;
		search.digest_len = 48;
		c.threads = 2;
		assert_int_equal(fm_identify_launch(&found, &search, NULL), 0);
		assert_int_equal(found.vcpus, 64);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_get_what_one_gets),
		cmocka_unit_test(pages_hashed_by_many_give_the_same_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
