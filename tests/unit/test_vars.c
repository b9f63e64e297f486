/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores that the test builds: what is read of them. */
#include "tests/unit/vars_unit.h"

static uint8_t image[0x84000];

/* --- what is whole ------------------------------------------------------------------------------- */

static void expect_layout(struct vars_build b, enum fm_vars_layout layout)
{
	const struct fm_vars_info *info;
	struct fm_vars *vars;
	uint8_t *bytes = malloc(b.len);

	vars_build_init(&b, bytes);
	vars = vars_of(bytes, b.len);
	info = fm_vars_info(vars);
	assert_int_equal(info->verdict, FM_VARS_CLEAN);
	assert_int_equal(info->layout, layout);
	assert_int_equal(info->off, 0);
	assert_int_equal(info->len, b.len);
	assert_int_equal(info->block_len, b.block);
	assert_true(info->authenticated);
	assert_int_equal(info->records_off, VARS_BUILD_RECORDS);
	assert_int_equal(info->records_len, b.store - VARS_BUILD_RECORDS);
	assert_int_equal(info->used, 0);
	assert_int_equal(info->free, info->records_len);
	assert_int_equal(info->variables, 0);
	assert_int_equal(info->work_off, b.work);
	assert_int_equal(info->work_len, b.spare - b.work);
	assert_int_equal(info->spare_off, b.spare);
	assert_int_equal(info->spare_len, b.len - b.spare);
	assert_false(info->spare_whole);
	assert_null(fm_vars_record(vars, 0));
	assert_null(fm_vars_finding(vars, 0));
	fm_vars_free(vars);
	free(bytes);
}

static void the_layouts_are_known_by_their_length(void **state)
{
	expect_layout(VARS_BUILD_2M, FM_VARS_LAYOUT_OVMF_2M);
	expect_layout(VARS_BUILD_4M, FM_VARS_LAYOUT_OVMF_4M);
	expect_layout(VARS_BUILD_ARM, FM_VARS_LAYOUT_ARM);
	expect_layout(VARS_BUILD_TINY, FM_VARS_LAYOUT_OTHER);
}

static void a_record_is_read_with_all_its_fields(void **state)
{
	struct vars_build b = VARS_BUILD_2M;
	const struct fm_vars_record *r;
	struct fm_vars *vars;
	uint32_t off;

	vars_build_init(&b, image);
	off = vars_build_add(&b, 0x3f, vars_guid_b, "ab", "12345", 5);
	vars_put(image + off + 4, 4, 0x27);
	vars_put(image + off + 8, 8, 0x1122334455667788);
	memcpy(image + off + 16, "EFI_TIME--------", 16);
	vars_put(image + off + 32, 4, 99);
	vars = vars_of(image, b.len);
	r = fm_vars_record(vars, 0);
	assert_non_null(r);
	assert_int_equal(r->off, off);
	assert_int_equal(r->len, 60 + 6 + 5 + 1);
	assert_int_equal(r->state, 0x3f);
	assert_int_equal(r->status, FM_VARS_LIVE);
	assert_false(r->phantom);
	assert_int_equal(r->attributes, 0x27);
	assert_int_equal(r->monotonic_count, 0x1122334455667788);
	assert_memory_equal(r->time, "EFI_TIME--------", 16);
	assert_int_equal(r->public_key, 99);
	assert_memory_equal(r->guid, vars_guid_b, 16);
	assert_string_equal(r->name, "ab");
	assert_int_equal(r->utf16_len, 6);
	assert_ptr_equal(r->utf16, image + off + 60);
	assert_int_equal(r->data_len, 5);
	assert_ptr_equal(r->data, image + off + 66);
	assert_null(fm_vars_record(vars, 1));
	assert_int_equal(fm_vars_info(vars)->used, 72);
	assert_int_equal(fm_vars_info(vars)->live, 72);
	assert_ptr_equal(fm_vars_find(vars, "ab", vars_guid_b), r);
	assert_ptr_equal(fm_vars_find(vars, "ab", NULL), r);
	assert_null(fm_vars_find(vars, "ab", vars_guid_a));
	assert_null(fm_vars_find(vars, "a", vars_guid_b));
	assert_null(fm_vars_find(vars, "", NULL));
	fm_vars_free(vars);
}

static void a_plain_record_has_no_time(void **state)
{
	struct vars_build b = VARS_BUILD_2M;
	const struct fm_vars_record *r;
	struct fm_vars *vars;

	b.plain = true;
	vars_build_init(&b, image);
	vars_build_add(&b, 0x3f, vars_guid_a, "x", "data", 4);
	vars_build_add(&b, 0x3f, vars_guid_b, "x", "other", 5);
	vars = vars_of(image, b.len);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_CLEAN);
	assert_false(fm_vars_info(vars)->authenticated);
	assert_int_equal(fm_vars_info(vars)->variables, 2);
	r = fm_vars_record(vars, 0);
	assert_int_equal(r->len, 32 + 4 + 4);
	assert_int_equal(r->attributes, 7);
	assert_memory_equal(r->time, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	vars_expect_value(vars, vars_guid_a, "x", "data", 4);
	vars_expect_value(vars, vars_guid_b, "x", "other", 5);
	fm_vars_free(vars);
}

static void names_are_utf_8_whatever_they_hold(void **state)
{
	static const uint8_t name[] = { 0xe4, 0x00, 0xac, 0x20, 0x3d, 0xd8, 0x00,
					0xde, 0x00, 0xdc, 0x00, 0xd8, 0x00, 0x00 };
	struct vars_build b = VARS_BUILD_2M;
	struct fm_vars *vars;

	vars_build_init(&b, image);
	vars_build_add(&b, 0x3f, vars_guid_a, "123456", "x", 1);
	memcpy(image + VARS_BUILD_RECORDS + 60, name, sizeof(name));
	vars = vars_of(image, b.len);
	/* U+00E4, U+20AC, U+1F600, and the two halves of a pair in the wrong order. */
	assert_string_equal(fm_vars_record(vars, 0)->name,
			    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd");
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_CLEAN);
	fm_vars_free(vars);
}

static void space_is_live_stale_or_free(void **state)
{
	struct vars_build b = VARS_BUILD_2M;
	const struct fm_vars_info *info;
	struct fm_vars *vars;

	vars_build_init(&b, image);
	vars_build_add(&b, 0x3c, vars_guid_a, "a", "1234", 4); /* 68 */
	vars_build_add(&b, 0x3f, vars_guid_a, "a", "12345", 5);
	vars_build_add(&b, 0x3d, vars_guid_a, "b", "", 0); /* 64 */
	vars = vars_of(image, b.len);
	info = fm_vars_info(vars);
	assert_int_equal(info->used, 68 + 72 + 64);
	assert_int_equal(info->live, 72);
	assert_int_equal(info->stale, 68 + 64);
	assert_int_equal(info->free, 0xe000 - 0x64 - 204);
	assert_int_equal(info->variables, 1);
	assert_int_equal(info->reserve, 0x2000);
	fm_vars_free(vars);
}

static void boots_are_counted_until_less_than_the_reserve_is_free(void **state)
{
	struct fm_vars_info info = { .free = 0x2000 + 999, .reserve = 0x2000 };

	assert_int_equal(fm_vars_boots_left(&info, 100), 9);
	assert_int_equal(fm_vars_boots_left(&info, 999), 1);
	assert_int_equal(fm_vars_boots_left(&info, 1000), 0);
	info.free = 0x1fff;
	assert_int_equal(fm_vars_boots_left(&info, 1), 0);
	assert_true(fm_vars_boots_left(&info, 0) == UINT64_MAX);
}

static void a_store_may_lie_behind_something_else(void **state)
{
	struct vars_build b = VARS_BUILD_TINY;
	const struct fm_vars_info *info;
	struct fm_vars *vars;

	memset(image, 0xa5, 0x10000);
	vars_build_init(&b, image + 0x7000);
	vars_build_add(&b, 0x3f, vars_guid_a, "x", "y", 1);
	vars = vars_of(image, 0x10000);
	info = fm_vars_info(vars);
	assert_int_equal(info->verdict, FM_VARS_CLEAN);
	assert_int_equal(info->off, 0x7000);
	assert_int_equal(info->work_off, 0x9000);
	assert_int_equal(info->spare_off, 0xa000);
	assert_int_equal(fm_vars_record(vars, 0)->off, 0x7064);
	fm_vars_free(vars);
}

/* --- which record counts ----------------------------------------------------------------------- */

/* Records of one name in these states, each with its number as data: which is live? */
static void expect_live(const uint8_t *states, size_t count, int live, enum fm_vars_verdict verdict)
{
	struct vars_build b = VARS_BUILD_2M;
	struct fm_vars *vars;

	vars_build_init(&b, image);
	vars_build_add(&b, 0x3f, vars_guid_a, "other", "x", 1);
	for (size_t i = 0; i < count; i++) {
		uint8_t number = (uint8_t)i;

		vars_build_add(&b, states[i], vars_guid_b, "name", &number, 1);
	}
	vars = vars_of(image, b.len);
	vars_expect_value(vars, vars_guid_a, "other", "x", 1);
	if (live >= 0)
		vars_expect_value(vars, vars_guid_b, "name", &(uint8_t){ (uint8_t)live }, 1);
	else
		assert_null(fm_vars_find(vars, "name", vars_guid_b));
	assert_int_equal(fm_vars_info(vars)->variables, live < 0 ? 1 : 2);
	assert_int_equal(fm_vars_info(vars)->verdict, verdict);
	fm_vars_free(vars);
}

#define LIVE(live, verdict, ...) \
	expect_live((uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), live, verdict)

static void an_added_record_counts_before_one_in_transition(void **state)
{
	LIVE(0, FM_VARS_CLEAN, 0x3f);
	LIVE(-1, FM_VARS_CLEAN, 0x3d);
	LIVE(-1, FM_VARS_CLEAN, 0x3c, 0x3d);
	LIVE(1, FM_VARS_CLEAN, 0x3c, 0x3f);
	LIVE(0, FM_VARS_UPDATE_TORN, 0x3e);
	LIVE(1, FM_VARS_UPDATE_TORN, 0x3e, 0x3f);
	LIVE(0, FM_VARS_UPDATE_TORN, 0x3f, 0x3e);
	LIVE(2, FM_VARS_UPDATE_TORN, 0x3e, 0x3e, 0x3f);
	LIVE(1, FM_VARS_UPDATE_TORN, 0x3e, 0x3e);
	LIVE(0, FM_VARS_UPDATE_TORN, 0x3f, 0x3f);
	LIVE(0, FM_VARS_UPDATE_TORN, 0x3e, 0x7f);
	LIVE(0, FM_VARS_UPDATE_TORN, 0x3f, 0x7f);
	LIVE(-1, FM_VARS_UPDATE_TORN, 0x7f);
	LIVE(-1, FM_VARS_UPDATE_TORN, 0xbf);
	LIVE(-1, FM_VARS_UPDATE_TORN, 0x1f);
}

/* --- arguments and words ------------------------------------------------------------------------- */

static void arguments_that_are_missing_are_refused(void **state)
{
	struct fm_error err = { 0 };
	struct fm_vars *vars = NULL;

	assert_int_equal(fm_vars_parse(NULL, "", 0, &err), FM_ERR_ARG);
	assert_int_equal(fm_vars_parse(&vars, NULL, 1, &err), FM_ERR_ARG);
	assert_null(vars);
	assert_int_equal(fm_vars_parse(&vars, NULL, 0, &err), 0);
	fm_vars_free(vars);
	fm_vars_free(NULL);
}

static void guids_are_text_in_efis_order_and_back(void **state)
{
	char text[37];
	uint8_t guid[16] = { 0 };

	fm_vars_guid_text(vars_guid_b, text);
	assert_string_equal(text, "8be4df61-93ca-11d2-aa0d-00e098032b8c");
	assert_true(fm_vars_guid_parse("8BE4DF61-93ca-11d2-aa0d-00e098032b8c", guid));
	assert_memory_equal(guid, vars_guid_b, 16);
	memset(guid, 0, sizeof(guid));
	assert_false(fm_vars_guid_parse(NULL, guid));
	assert_false(fm_vars_guid_parse("", guid));
	assert_false(fm_vars_guid_parse("8be4df61-93ca-11d2-aa0d-00e098032b8", guid));
	assert_false(fm_vars_guid_parse("8be4df61-93ca-11d2-aa0d-00e098032b8cc", guid));
	assert_false(fm_vars_guid_parse("8be4df61093ca-11d2-aa0d-00e098032b8c", guid));
	assert_false(fm_vars_guid_parse("8be4df61-93ca-11d2-aa0d-00e098032b8g", guid));
	assert_int_equal(guid[0], 0);
}

static void words_are_there_for_every_number(void **state)
{
	assert_string_equal(fm_vars_verdict_name(FM_VARS_NOT_A_STORE), "not-a-store");
	assert_string_equal(fm_vars_layout_name(FM_VARS_LAYOUT_OTHER), "other");
	assert_string_equal(fm_vars_status_name(FM_VARS_TORN), "torn");
	assert_string_equal(fm_vars_finding_name(FM_VARS_BAD_SPARE), "bad-spare");
	assert_string_equal(fm_vars_rescue_name(FM_VARS_RESCUE_ROLLED_BACK), "rolled-back");
	assert_string_equal(fm_vars_verdict_name((enum fm_vars_verdict)77), "unknown");
	for (unsigned i = 0; i < FM_VARS_FINDING_COUNT; i++)
		assert_string_not_equal(fm_vars_finding_name((enum fm_vars_finding_kind)i),
					"unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_layouts_are_known_by_their_length),
		cmocka_unit_test(a_record_is_read_with_all_its_fields),
		cmocka_unit_test(a_plain_record_has_no_time),
		cmocka_unit_test(names_are_utf_8_whatever_they_hold),
		cmocka_unit_test(space_is_live_stale_or_free),
		cmocka_unit_test(boots_are_counted_until_less_than_the_reserve_is_free),
		cmocka_unit_test(a_store_may_lie_behind_something_else),
		cmocka_unit_test(an_added_record_counts_before_one_in_transition),
		cmocka_unit_test(arguments_that_are_missing_are_refused),
		cmocka_unit_test(guids_are_text_in_efis_order_and_back),
		cmocka_unit_test(words_are_there_for_every_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
