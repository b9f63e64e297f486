/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores that the test builds with one thing wrong: what it is called, and the verdict. */
#include "tests/unit/vars_unit.h"

static uint8_t image[0x84000];

/* --- findings of records ------------------------------------------------------------------------- */

struct odd {
	const char *name;
	uint8_t before; /* state of a record of the same name before it; 0: none */
	uint8_t state;
	enum fm_vars_finding_kind kind;
	unsigned size; /* of a field of the header that is changed; 0: none */
	unsigned field;
	uint64_t value;
};

static const struct odd odds[] = {
	{ "a_record_in_state_7f_is_unfinished", 0, 0x7f, FM_VARS_UNFINISHED, 0, 0, 0 },
	{ "a_record_in_state_bf_is_unfinished", 0, 0xbf, FM_VARS_UNFINISHED, 0, 0, 0 },
	{ "an_old_value_alone_is_kept", 0, 0x3e, FM_VARS_OLD_KEPT, 0, 0, 0 },
	{ "an_old_value_beside_the_new_one_is_left", 0x3f, 0x3e, FM_VARS_OLD_LEFT, 0, 0, 0 },
	{ "a_second_valid_record_is_a_duplicate", 0x3f, 0x3f, FM_VARS_DUPLICATE, 0, 0, 0 },
	{ "a_state_that_no_write_makes_is_bad", 0, 0x3b, FM_VARS_BAD_STATE, 0, 0, 0 },
	{ "a_name_without_its_nul_is_bad", 0, 0x3f, FM_VARS_BAD_NAME, 4, 36, 4 },
	{ "a_name_of_odd_length_is_bad", 0, 0x3f, FM_VARS_BAD_NAME, 4, 36, 9 },
	{ "no_name_is_bad", 0, 0x3f, FM_VARS_BAD_NAME, 4, 36, 0 },
	{ "a_name_of_a_nul_alone_is_bad", 0, 0x3f, FM_VARS_BAD_NAME, 2, 60, 0 },
	{ "data_past_the_end_is_found", 0, 0x3f, FM_VARS_PAST_END, 4, 40, 0xdf80 },
	{ "data_of_almost_4_gib_is_found", 0, 0x3f, FM_VARS_PAST_END, 4, 40, 0xfffffffe },
	{ "a_name_of_almost_4_gib_is_found", 0, 0x3c, FM_VARS_PAST_END, 4, 36, 0xfffffffe },
};

static void an_odd_record_is_found(void **state)
{
	const struct odd *odd = *state;
	struct vars_build b = VARS_BUILD_2M;
	struct fm_vars *vars;
	uint32_t off;

	vars_build_init(&b, image);
	vars_build_add(&b, 0x3f, vars_guid_b, "first", "1", 1);
	if (odd->before)
		vars_build_add(&b, odd->before, vars_guid_a, "odd", "12345678", 8);
	off = vars_build_add(&b, odd->state, vars_guid_a, "odd", "12345678", 8);
	if (odd->size)
		vars_put(image + off + odd->field, odd->size, odd->value);
	vars = vars_of(image, b.len);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_UPDATE_TORN);
	/* Where a lying size ends the walk, what follows is a bad tail too. */
	if (odd->size) {
		const struct fm_vars_finding *f = vars_finding(vars, odd->kind);

		assert_non_null(f);
		assert_int_equal(f->off, off);
		assert_null(fm_vars_find(vars, "odd", vars_guid_a));
	} else {
		vars_expect_finding(vars, odd->kind, off);
	}
	vars_expect_value(vars, vars_guid_b, "first", "1", 1);
	fm_vars_free(vars);
}

static void the_walk_goes_on_behind_an_unfinished_header(void **state)
{
	struct vars_build b = VARS_BUILD_2M;
	struct fm_vars *vars;
	uint32_t off;

	vars_build_init(&b, image);
	off = vars_build_add(&b, 0xff, vars_guid_a, "torn", "12345678", 8);
	memset(image + off + 60, 0xff, 0x100);
	b.at = off + 60;
	vars_build_add(&b, 0x3f, vars_guid_b, "next", "1", 1);
	vars = vars_of(image, b.len);
	vars_expect_value(vars, vars_guid_b, "next", "1", 1);
	assert_int_equal(fm_vars_record(vars, 0)->status, FM_VARS_TORN);
	assert_int_equal(fm_vars_record(vars, 0)->len, 60);
	assert_null(fm_vars_record(vars, 0)->data);
	vars_expect_finding(vars, FM_VARS_UNFINISHED, off);
	fm_vars_free(vars);
}

static void a_record_in_an_unfinished_ones_name_is_a_phantom(void **state)
{
	struct vars_build b = VARS_BUILD_2M;
	uint8_t fake[80];
	struct fm_vars *vars;
	uint32_t off, len;

	vars_build_init(&b, image);
	/* A name that is a record: no unit of it but the last is 0. */
	len = vars_build_record(&b, fake, 0x3f, vars_guid_b, "XY", "zz", 2);
	for (uint32_t i = 2; i < 36; i += 2) {
		if (!fake[i] && !fake[i + 1])
			fake[i] = 0x20;
	}
	vars_put(fake + 36, 4, 0x00000006);
	off = vars_build_add(&b, 0xff, vars_guid_a, "-", fake, len);
	vars_put(image + off + 36, 4, 8);
	vars_put(image + off + 40, 4, len);
	memcpy(image + off + 60, fake, len);
	memset(image + off + 60 + len, 0xff, 16);
	/* The first three units are its name, the fourth is the NUL. */
	vars_put(image + off + 60 + 6, 2, 0);
	vars = vars_of(image, b.len);
	assert_non_null(vars_finding(vars, FM_VARS_PHANTOM));
	assert_int_equal(vars_finding(vars, FM_VARS_PHANTOM)->off, off + 60);
	assert_true(fm_vars_record(vars, 1)->phantom);
	/* The firmware would see it. */
	vars_expect_value(vars, vars_guid_b, "XY", "zz", 2);
	fm_vars_free(vars);

	/* A longer name would hold a NUL: then it is a record that was appended later. */
	vars_put(image + off + 36, 4, 10);
	vars = vars_of(image, b.len);
	assert_null(vars_finding(vars, FM_VARS_PHANTOM));
	vars_expect_value(vars, vars_guid_b, "XY", "zz", 2);
	fm_vars_free(vars);
}

static void what_is_not_erased_behind_the_records_is_found(void **state)
{
	struct vars_build b = VARS_BUILD_2M;
	struct fm_vars *vars;

	vars_build_init(&b, image);
	vars_build_add(&b, 0x3f, vars_guid_b, "first", "1", 1);
	image[b.at] = 0xaa; /* half of a start id */
	vars = vars_of(image, b.len);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_UPDATE_TORN);
	vars_expect_finding(vars, FM_VARS_BAD_TAIL, b.at);
	fm_vars_free(vars);
	image[b.at] = 0xff;
	image[b.store - 1] = 0;
	vars = vars_of(image, b.len);
	vars_expect_finding(vars, FM_VARS_BAD_TAIL, b.store - 1);
	fm_vars_free(vars);
	/* The event log behind the store is not the store's. */
	image[b.store - 1] = 0xff;
	image[b.store] = 0;
	vars_expect(image, b.len, FM_VARS_CLEAN);
}

/* --- headers ------------------------------------------------------------------------------------- */

static void any_byte_of_the_headers_counts(void **state)
{
	/* Attributes, the map of blocks, what is reserved: in the sum, so they count too. */
	struct vars_build b = VARS_BUILD_2M;

	vars_build_init(&b, image);
	vars_build_add(&b, 0x3f, vars_guid_b, "first", "1", 1);
	for (uint32_t at = 0; at < 0x5e; at++) {
		struct fm_vars *vars;
		const struct fm_vars_finding *f;

		image[at] ^= 0x10;
		vars = vars_of(image, b.len);
		f = fm_vars_finding(vars, 0);
		assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_HEADERS_LOST);
		assert_non_null(f);
		assert_int_equal(f->kind, at < 0x48 ? FM_VARS_BAD_VOLUME : FM_VARS_BAD_STORE);
		assert_int_equal(f->off, at < 0x48 ? 0 : 0x48);
		fm_vars_free(vars);
		image[at] ^= 0x10;
	}
	vars_expect(image, b.len, FM_VARS_CLEAN);
}

static void a_map_of_other_blocks_is_what_the_arm_driver_writes(void **state)
{
	struct vars_build b = VARS_BUILD_ARM;
	struct fm_vars *vars;
	uint8_t *bytes = malloc(b.len);

	vars_build_init(&b, bytes);
	vars_put(bytes + 0x38, 4, 0x100);
	vars_build_sum(bytes);
	vars = vars_of(bytes, b.len);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_CLEAN);
	assert_int_equal(fm_vars_info(vars)->len, 0xc0000);
	fm_vars_free(vars);
	free(bytes);
}

static void sizes_that_lie_are_headers_lost(void **state)
{
	static const uint64_t volume[] = { 0, 0x63, 0x20001, 1ull << 32, UINT64_MAX };
	static const uint64_t store[] = { 0, 27, 0x1ffb9, 0x80000000, UINT32_MAX };
	struct vars_build b = VARS_BUILD_2M;

	for (unsigned i = 0; i < 5; i++) {
		vars_build_init(&b, image);
		vars_put(image + 0x20, 8, volume[i]);
		vars_build_sum(image);
		vars_expect(image, b.len, FM_VARS_HEADERS_LOST);
		vars_build_init(&b, image);
		vars_put(image + 0x58, 4, store[i]);
		vars_expect(image, b.len, FM_VARS_HEADERS_LOST);
	}
}

static void a_store_has_at_most_16_mib(void **state)
{
	const uint32_t most = 16u << 20;
	struct vars_build b = { .len = 18u << 20,
				.block = 0x1000,
				.store = most + 0x48,
				.work = 17u << 20,
				.spare = (17u << 20) + 0x1000 };
	uint8_t *bytes = malloc(b.len);

	vars_build_init(&b, bytes);
	vars_expect(bytes, b.len, FM_VARS_CLEAN);
	b.store++;
	vars_build_init(&b, bytes);
	vars_expect(bytes, b.len, FM_VARS_HEADERS_LOST);
	free(bytes);
}

static void every_truncation_has_a_verdict(void **state)
{
	struct vars_build b = VARS_BUILD_TINY;
	uint8_t *exact;

	vars_build_init(&b, image);
	vars_build_add(&b, 0x3f, vars_guid_b, "first", "1", 1);
	for (uint32_t len = 0; len <= b.len; len += len < 0x100 ? 1 : 37) {
		enum fm_vars_verdict verdict;

		exact = malloc(len ? len : 1);
		memcpy(exact, image, len);
		verdict = vars_verdict(exact, len);
		if (len < 0x11)
			assert_int_equal(verdict, FM_VARS_BLANK);
		else if (len < 0x20)
			assert_int_equal(verdict, FM_VARS_NOT_A_STORE);
		else
			assert_int_equal(verdict, FM_VARS_HEADERS_LOST);
		free(exact);
	}
}

static void an_erased_or_zeroed_image_is_blank(void **state)
{
	memset(image, 0xff, sizeof(image));
	vars_expect(image, sizeof(image), FM_VARS_BLANK);
	memset(image, 0, sizeof(image));
	vars_expect(image, sizeof(image), FM_VARS_BLANK);
	/* Erased where the firmware looks, and never written behind it. */
	memset(image, 0xff, 0x40000);
	vars_expect(image, sizeof(image), FM_VARS_BLANK);
	vars_expect(image, 0, FM_VARS_BLANK);
	image[0x1234] = 0x55;
	vars_expect(image, sizeof(image), FM_VARS_NOT_A_STORE);
}

/* --- a reclaim ----------------------------------------------------------------------------------- */

/* A store with ten variables and some that are stale, and its spare filled by a reclaim. */
static struct vars_build reclaiming(uint8_t header, uint8_t record)
{
	static uint8_t other[0x20000];
	struct vars_build b = VARS_BUILD_2M, compact = VARS_BUILD_2M;
	char name[] = "n0";

	vars_build_init(&b, image);
	vars_build_init(&compact, other);
	for (unsigned i = 0; i < 10; i++) {
		name[1] = (char)('0' + i);
		vars_build_add(&b, 0x3c, vars_guid_a, name, "old", 3);
		vars_build_add(&b, 0x3f, vars_guid_a, name, &i, 4);
		vars_build_add(&compact, 0x3f, vars_guid_a, name, &i, 4);
	}
	vars_build_add(&compact, 0x3f, vars_guid_b, "new", "new", 3);
	vars_build_queue(&b, header, record);
	vars_build_spare(&b, &compact);
	return b;
}

static void expect_reclaim(const struct vars_build *b, enum fm_vars_verdict verdict,
			   enum fm_vars_finding_kind kind)
{
	struct fm_vars *vars = vars_of(image, b->len);

	assert_string_equal(fm_vars_verdict_name(fm_vars_info(vars)->verdict),
			    fm_vars_verdict_name(verdict));
	assert_non_null(vars_finding(vars, kind));
	fm_vars_free(vars);
}

static void a_reclaim_is_known_by_how_far_it_came(void **state)
{
	struct vars_build b = reclaiming(0xfe, 0xff);
	struct fm_vars *vars;

	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_BEGUN);
	b = reclaiming(0xfc, 0xff);
	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_BEGUN);
	b = reclaiming(0xfc, 0xfd);
	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_WRITING);
	vars = vars_of(image, b.len);
	assert_true(fm_vars_info(vars)->spare_whole);
	assert_int_equal(fm_vars_info(vars)->spare_variables, 11);
	assert_int_equal(fm_vars_info(vars)->variables, 10);
	fm_vars_free(vars);
	b = reclaiming(0xfc, 0xf9);
	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_WRITTEN);
	b = reclaiming(0xf8, 0xf9);
	vars_expect(image, b.len, FM_VARS_CLEAN);
}

/* Erased from the start, then written from the start: byte by byte. */
static void a_store_that_is_half_written_is_torn_at_every_byte(void **state)
{
	struct vars_build b = reclaiming(0xfc, 0xfd);
	uint32_t end = b.spare;

	while (image[end] != 0xff || image[end + 1] != 0xff || image[end + 2] != 0xff ||
	       image[end + 3] != 0xff)
		end++;
	memset(image, 0xff, b.store);
	for (uint32_t at = 0; b.spare + at < end; at++) {
		enum fm_vars_verdict verdict =
			at < 0x5e ? FM_VARS_HEADERS_LOST : FM_VARS_RECLAIM_TORN;

		vars_expect(image, b.len, verdict);
		/* This byte in part. */
		image[at] = image[b.spare + at] | 0x0f;
		if (image[at] != image[b.spare + at])
			vars_expect(image, b.len, verdict);
		image[at] = image[b.spare + at];
	}
	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_WRITING);
}

static void a_lost_working_block_is_found(void **state)
{
	struct vars_build b = reclaiming(0xf8, 0xf9);
	struct fm_vars *vars;

	for (uint32_t at = 0; at < 32; at++) {
		if (at > 20 && at < 24)
			continue; /* not in the sum */
		image[b.work + at] ^= 1;
		vars = vars_of(image, b.len);
		assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_RECLAIM_PENDING);
		vars_expect_finding(vars, FM_VARS_BAD_WORK, b.work);
		fm_vars_free(vars);
		image[b.work + at] ^= 1;
	}
	vars_expect(image, b.len, FM_VARS_CLEAN);
}

static void a_queue_is_read_to_its_last_write(void **state)
{
	struct vars_build b = reclaiming(0xf8, 0xf9);
	uint8_t *queue = image + b.work + 32;

	for (unsigned i = 1; 80 * (i + 1) <= b.spare - b.work - 32; i++) {
		memcpy(queue + 80 * i, queue, 80);
		queue[80 * i] = 0xfc;
		queue[80 * i + 40] = 0xfd;
		vars_expect(image, b.len, FM_VARS_RECLAIM_PENDING);
		queue[80 * i] = 0xf8;
		queue[80 * i + 40] = 0xf9;
		vars_expect(image, b.len, FM_VARS_CLEAN);
	}
}

static void a_write_that_lies_about_its_length_ends_the_queue(void **state)
{
	static const uint64_t lies[] = { 1u << 20, UINT64_MAX, UINT64_MAX / 40, 1ull << 63 };

	for (unsigned i = 0; i < 4; i++) {
		struct vars_build b = reclaiming(0xfc, 0xfd);

		vars_put(image + b.work + 32 + 24, 8, lies[i]);
		expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_BEGUN);
		vars_put(image + b.work + 32 + 24, 8, 1);
		vars_put(image + b.work + 32 + 32, 8, lies[i]);
		expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_BEGUN);
	}
}

static void a_write_that_the_queue_cuts_off_has_no_record(void **state)
{
	/* A volume that ends with its working block: nothing may be read behind it. */
	struct vars_build b = {
		.len = 0x3000, .block = 0x1000, .store = 0x1000, .work = 0x2000, .spare = 0x3000
	};
	uint8_t *bytes = malloc(b.len);
	uint8_t *p = bytes + b.len - 60;

	vars_build_init(&b, bytes);
	/* One complete write whose private data reach up to there. */
	vars_build_queue(&b, 0xf8, 0xf9);
	vars_put(bytes + b.work + 32 + 32, 8, (uint64_t)(p - (bytes + b.work + 32)) - 80);
	/* Then one that has 20 bytes for its record. */
	memset(p, 0xff, 60);
	p[0] = 0xfc;
	vars_put(p + 24, 8, 1);
	vars_put(p + 32, 8, 0);
	memset(p + 40, 0, 20);
	memcpy(image, bytes, b.len);
	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_RECLAIM_BEGUN);
	assert_int_equal(vars_verdict(bytes, b.len), FM_VARS_RECLAIM_PENDING);
	free(bytes);
}

static void a_spare_that_is_marked_and_not_whole_is_found(void **state)
{
	struct vars_build b = reclaiming(0xfc, 0xfd);

	image[b.spare + 0x64 + 2] = 0x7f;
	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_BAD_SPARE);
	memset(image + b.spare, 0xff, 64);
	expect_reclaim(&b, FM_VARS_RECLAIM_PENDING, FM_VARS_BAD_SPARE);
}

static void a_copy_in_the_spare_is_not_taken_for_the_store(void **state)
{
	/* In an image that is larger than the volume, so that the copy's length fits. */
	struct vars_build b = reclaiming(0xfc, 0xfd);
	struct fm_vars *vars;

	memset(image + b.len, 0, 0x20000);
	memset(image, 0xff, b.store);
	vars = vars_of(image, b.len + 0x20000);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_HEADERS_LOST);
	assert_true(fm_vars_info(vars)->spare_whole);
	assert_int_equal(fm_vars_info(vars)->spare_variables, 11);
	assert_int_equal(fm_vars_info(vars)->spare_off, b.spare);
	fm_vars_free(vars);
	/* Nor when the working block is lost with it. */
	memset(image + b.work, 0xff, 0x1000);
	vars = vars_of(image, b.len + 0x20000);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_HEADERS_LOST);
	assert_int_equal(fm_vars_info(vars)->spare_variables, 11);
	fm_vars_free(vars);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_goes_on_behind_an_unfinished_header),
		cmocka_unit_test(a_record_in_an_unfinished_ones_name_is_a_phantom),
		cmocka_unit_test(what_is_not_erased_behind_the_records_is_found),
		cmocka_unit_test(any_byte_of_the_headers_counts),
		cmocka_unit_test(a_map_of_other_blocks_is_what_the_arm_driver_writes),
		cmocka_unit_test(sizes_that_lie_are_headers_lost),
		cmocka_unit_test(a_store_has_at_most_16_mib),
		cmocka_unit_test(every_truncation_has_a_verdict),
		cmocka_unit_test(an_erased_or_zeroed_image_is_blank),
		cmocka_unit_test(a_reclaim_is_known_by_how_far_it_came),
		cmocka_unit_test(a_store_that_is_half_written_is_torn_at_every_byte),
		cmocka_unit_test(a_lost_working_block_is_found),
		cmocka_unit_test(a_queue_is_read_to_its_last_write),
		cmocka_unit_test(a_write_that_lies_about_its_length_ends_the_queue),
		cmocka_unit_test(a_write_that_the_queue_cuts_off_has_no_record),
		cmocka_unit_test(a_spare_that_is_marked_and_not_whole_is_found),
		cmocka_unit_test(a_copy_in_the_spare_is_not_taken_for_the_store),
	};
	struct CMUnitTest rows[sizeof(odds) / sizeof(odds[0])] = { { NULL } };
	int rc;

	for (size_t i = 0; i < sizeof(odds) / sizeof(odds[0]); i++)
		rows[i] = (struct CMUnitTest){ .name = odds[i].name,
					       .test_func = an_odd_record_is_found,
					       .initial_state = (void *)(uintptr_t)&odds[i] };
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return cmocka_run_group_tests(rows, NULL, NULL) + rc;
}
