/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupted reclaims: what is rescued at each point, and what is refused. */
#include "tests/unit/vars_unit.h"

static uint8_t image[VARS_MOST];
static size_t image_len;

/* Rescue the image; what comes out, which the caller frees, or NULL with the code. */
static uint8_t *rescue(enum fm_vars_rescue_action *action, int *rc)
{
	uint8_t *before = malloc(image_len);
	struct fm_error err = { 0 };
	void *out = NULL;

	memcpy(before, image, image_len);
	*rc = fm_vars_rescue(&out, image, image_len, action, &err);
	assert_memory_equal(image, before, image_len);
	free(before);
	assert_int_equal(*rc, err.code);
	if (*rc)
		assert_true(!out && *err.msg);
	return out;
}

static void expect_refusal(int code)
{
	enum fm_vars_rescue_action action = (enum fm_vars_rescue_action)77;
	int rc;

	assert_null(rescue(&action, &rc));
	assert_int_equal(rc, code);
	assert_int_equal(action, 77);
}

/* A rescue that comes to this, and leaves as many live variables. */
static uint8_t *expect_rescue(enum fm_vars_rescue_action action, size_t variables)
{
	enum fm_vars_rescue_action done;
	struct fm_vars *vars;
	uint8_t *out;
	int rc;

	out = rescue(&done, &rc);
	assert_int_equal(rc, 0);
	assert_string_equal(fm_vars_rescue_name(done), fm_vars_rescue_name(action));
	vars = vars_of(out, image_len);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_CLEAN);
	assert_int_equal(fm_vars_info(vars)->variables, variables);
	fm_vars_free(vars);
	return out;
}

/* Every live record of a is one of b, with the same value. */
static void expect_same_variables(const struct fm_vars *a, const struct fm_vars *b)
{
	const struct fm_vars_record *r;

	assert_int_equal(fm_vars_info(a)->variables, fm_vars_info(b)->variables);
	for (size_t i = 0; (r = fm_vars_record(a, i)); i++) {
		if (r->status == FM_VARS_LIVE)
			vars_expect_value(b, r->guid, r->name, r->data, r->data_len);
	}
}

/* --- stores of our own -------------------------------------------------------------------------- */

#define VARIABLES 10u

static uint8_t before[0xc0000], after[0xc0000];

/*
 * A reclaim: `before` is the store that is full of stale records, `after` the one that follows. The
 * image is the former, with the queue in this state and the spare filled with the latter.
 */
static struct vars_build reclaim(struct vars_build b, uint8_t header, uint8_t record)
{
	struct vars_build full = b, compact = b;
	char name[] = "n0";

	vars_build_init(&full, before);
	vars_build_init(&compact, after);
	for (unsigned i = 0; i < VARIABLES; i++) {
		name[1] = (char)('0' + i);
		vars_build_add(&full, 0x3c, vars_guid_a, name, "old", 3);
		vars_build_add(&full, 0x3f, vars_guid_a, name, &i, 4);
		vars_build_add(&compact, 0x3f, vars_guid_a, name, &i, 4);
	}
	full.bytes = image;
	image_len = full.len;
	memcpy(image, before, image_len);
	vars_build_queue(&full, header, record);
	vars_build_spare(&full, &compact);
	return full;
}

static const struct vars_build *builds(size_t n)
{
	static struct vars_build all[4];

	all[0] = VARS_BUILD_2M;
	all[1] = VARS_BUILD_4M;
	all[2] = VARS_BUILD_ARM;
	all[3] = VARS_BUILD_TINY;
	return &all[n];
}

static void a_reclaim_that_had_not_filled_the_spare_is_rolled_back(void **state)
{
	for (size_t n = 0; n < 4; n++) {
		for (unsigned flags = 0; flags < 2; flags++) {
			struct vars_build b = reclaim(*builds(n), flags ? 0xfe : 0xfc, 0xff);
			uint8_t *out;

			/* The spare may hold anything then. */
			memset(image + b.spare, 0xff, 100);
			out = expect_rescue(FM_VARS_RESCUE_ROLLED_BACK, VARIABLES);
			assert_memory_equal(out, before, b.store);
			free(out);
		}
	}
}

/* The store is erased from its start on, then written from its start on; a cut at each step. */
static void a_reclaim_is_finished_wherever_it_was_cut(void **state)
{
	for (size_t n = 0; n < 4; n++) {
		struct vars_build b = reclaim(*builds(n), 0xfc, 0xfd);
		uint32_t step = n == 3 ? 1 : 61;
		uint8_t *out = expect_rescue(FM_VARS_RESCUE_FINISHED, VARIABLES);

		free(out);
		for (uint32_t at = 0; at < b.store; at += b.block) {
			memset(image + at, 0xff, b.block);
			out = expect_rescue(FM_VARS_RESCUE_FINISHED, VARIABLES);
			assert_memory_equal(out, after, b.store);
			free(out);
		}
		for (uint32_t at = 0; at < 0x500; at += step) {
			memcpy(image, after, at);
			image[at] = after[at] | 0x81; /* this byte in part */
			out = expect_rescue(FM_VARS_RESCUE_FINISHED, VARIABLES);
			assert_memory_equal(out, after, b.store);
			free(out);
		}
	}
}

static void a_written_reclaim_is_marked_as_ended(void **state)
{
	struct vars_build b = reclaim(VARS_BUILD_2M, 0xfc, 0xf9);
	uint8_t *out;

	memcpy(image, after, b.store);
	out = expect_rescue(FM_VARS_RESCUE_FINISHED, VARIABLES);
	assert_int_equal(out[b.work + 32], 0xf8);
	out[b.work + 32] = 0xfc;
	assert_memory_equal(out, image, image_len);
	free(out);
}

static void the_queue_says_what_the_firmware_would_have_said(void **state)
{
	struct vars_build b = reclaim(VARS_BUILD_2M, 0xfc, 0xfd);
	uint8_t *out = expect_rescue(FM_VARS_RESCUE_FINISHED, VARIABLES);

	assert_int_equal(out[b.work + 32], 0xf8);
	assert_int_equal(out[b.work + 72], 0xf9);
	/* Only that and the store differ. */
	out[b.work + 32] = 0xfc;
	out[b.work + 72] = 0xfd;
	assert_memory_equal(out + b.store, image + b.store, image_len - b.store);
	free(out);
}

static void a_store_without_a_reclaim_is_copied(void **state)
{
	uint8_t *out;

	reclaim(VARS_BUILD_2M, 0xf8, 0xf9);
	out = expect_rescue(FM_VARS_RESCUE_NOTHING, VARIABLES);
	assert_memory_equal(out, image, image_len);
	free(out);
}

static void a_working_block_that_is_lost_is_made_anew(void **state)
{
	for (size_t n = 0; n < 3; n++) {
		struct vars_build b = reclaim(*builds(n), 0xf8, 0xf9);
		uint8_t work[32];
		uint8_t *out;

		vars_build_work(&b, work);
		memset(image + b.work, 0xff, b.spare - b.work);
		out = expect_rescue(FM_VARS_RESCUE_ROLLED_BACK, VARIABLES);
		assert_memory_equal(out + b.work, work, 32);
		assert_int_equal(out[b.work + 32], 0xff);
		free(out);
		/* The queue itself is being reclaimed: the spare has its new contents. */
		memset(image + b.spare, 0xff, b.len - b.spare);
		vars_build_work(&b, image + b.spare);
		image[b.spare + 32] = 0xf8;
		vars_put(image + b.spare + 56, 8, 0);
		vars_put(image + b.spare + 64, 8, 0);
		out = expect_rescue(FM_VARS_RESCUE_ROLLED_BACK, VARIABLES);
		assert_memory_equal(out + b.work, image + b.spare, 80);
		free(out);
	}
}

static void headers_and_working_block_both_lost_are_restored(void **state)
{
	for (size_t n = 0; n < 3; n++) {
		struct vars_build b = reclaim(*builds(n), 0xfc, 0xfd);
		uint8_t *out;

		memset(image, 0xff, b.spare);
		out = expect_rescue(FM_VARS_RESCUE_FINISHED, VARIABLES);
		assert_memory_equal(out, after, b.store);
		free(out);
	}
}

static void what_the_spare_does_not_hold_is_refused(void **state)
{
	struct vars_build b = reclaim(VARS_BUILD_2M, 0xfc, 0xfd);

	memset(image, 0xff, b.store);
	memset(image + b.spare, 0xff, 0x10000);
	expect_refusal(FM_ERR_STATE); /* what stock firmware leaves of a brick */
	b = reclaim(VARS_BUILD_2M, 0xfc, 0xfd);
	memset(image, 0xff, b.store);
	image[b.spare + 0x64 + 2] = 0x7f;
	expect_refusal(FM_ERR_STATE);
	/* No write is under way: what the spare holds may be older. */
	b = reclaim(VARS_BUILD_2M, 0xf8, 0xf9);
	image[0x28] = 0;
	expect_refusal(FM_ERR_STATE);
	/* The target is not where a store can be. */
	b = reclaim(VARS_BUILD_2M, 0xfc, 0xfd);
	memset(image, 0xff, b.store);
	vars_put(image + b.work + 32 + 72, 8, -(uint64_t)0x3000);
	expect_refusal(FM_ERR_STATE);
}

static void what_is_no_store_is_refused(void **state)
{
	image_len = 0x20000;
	memset(image, 0xff, image_len);
	expect_refusal(FM_ERR_FORMAT);
	memset(image, 0x5a, image_len);
	expect_refusal(FM_ERR_FORMAT);
	image_len = 0;
	expect_refusal(FM_ERR_FORMAT);
	assert_int_equal(fm_vars_rescue(NULL, image, 1, NULL, NULL), FM_ERR_ARG);
}

/* --- shared images ----------------------------------------------------------------------------- */

static void the_image_that_never_boots_again_gives_back_all_28_variables(void **state)
{
	static uint8_t other[VARS_MOST];
	struct fm_vars *a, *b;
	uint8_t *out;
	size_t len;

	VARS_VECTOR(image, image_len, "ovmf2m-kill9-BRICK.fd.zst");
	VARS_VECTOR(other, len, "ovmf2m-prefill.fd.zst");
	out = expect_rescue(FM_VARS_RESCUE_FINISHED, 28);
	/* They are those of the store that was being reclaimed; values of that boot differ. */
	a = vars_of(out, image_len);
	b = vars_of(other, len);
	for (size_t i = 0; fm_vars_record(b, i); i++) {
		const struct fm_vars_record *r = fm_vars_record(b, i);

		if (r->status == FM_VARS_LIVE)
			assert_non_null(fm_vars_find(a, r->name, r->guid));
	}
	vars_expect_value(a, vars_guid_a, "ResA", fm_vars_find(b, "ResA", vars_guid_a)->data,
			  fm_vars_find(b, "ResA", vars_guid_a)->data_len);
	fm_vars_free(a);
	fm_vars_free(b);
	free(out);
}

static void the_other_killed_reclaims_give_28_too(void **state)
{
	struct fm_vars *a, *b;
	uint8_t *first, *second;
	size_t len;

	VARS_VECTOR(image, image_len, "ovmf2m-kill9-partial0.fd.zst");
	len = image_len;
	first = expect_rescue(FM_VARS_RESCUE_FINISHED, 28);
	VARS_VECTOR(image, image_len, "ovmf2m-kill9-sparecomplete.fd.zst");
	second = expect_rescue(FM_VARS_RESCUE_FINISHED, 28);
	/* All three images were captured in the same reclaim. */
	a = vars_of(first, len);
	b = vars_of(second, image_len);
	expect_same_variables(a, b);
	fm_vars_free(a);
	fm_vars_free(b);
	free(first);
	free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reclaim_that_had_not_filled_the_spare_is_rolled_back),
		cmocka_unit_test(a_reclaim_is_finished_wherever_it_was_cut),
		cmocka_unit_test(a_written_reclaim_is_marked_as_ended),
		cmocka_unit_test(the_queue_says_what_the_firmware_would_have_said),
		cmocka_unit_test(a_store_without_a_reclaim_is_copied),
		cmocka_unit_test(a_working_block_that_is_lost_is_made_anew),
		cmocka_unit_test(headers_and_working_block_both_lost_are_restored),
		cmocka_unit_test(what_the_spare_does_not_hold_is_refused),
		cmocka_unit_test(what_is_no_store_is_refused),
		cmocka_unit_test(the_image_that_never_boots_again_gives_back_all_28_variables),
		cmocka_unit_test(the_other_killed_reclaims_give_28_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
