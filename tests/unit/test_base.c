/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include "devices/bytes.h"
#include "devices/config.h"

#include <firmem/base.h>

struct sample {
	size_t struct_size;
	uint64_t a;
	uint64_t b;
};

static void error_set_fills_and_returns_the_code(void **state)
{
	struct fm_error err = { 0 };

	assert_int_equal(fm_error_set(&err, FM_ERR_SIZE, 5, "%s: %d", "x", 7), FM_ERR_SIZE);
	assert_int_equal(err.code, FM_ERR_SIZE);
	assert_int_equal(err.sys, 5);
	assert_string_equal(err.msg, "x: 7");
	assert_int_equal(fm_error_set(NULL, FM_ERR_IO, 0, "unused"), FM_ERR_IO);
}

static void a_long_message_is_cut_and_terminated(void **state)
{
	struct fm_error err;
	char text[2 * sizeof(err.msg)];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fm_error_set(&err, FM_ERR_ARG, 0, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void a_message_is_one_line_whatever_a_path_holds(void **state)
{
	struct fm_error err;

	fm_error_set(&err, FM_ERR_IO, 0, "%s: open", "a\nb\x1b[2J\x7f\tc\xc3\xa4");
	assert_string_equal(err.msg, "a?b?[2J??c\xc3\xa4: open");
}

static void every_code_has_a_text_of_its_own(void **state)
{
	assert_string_equal(fm_strerror(0), "success");
	assert_string_equal(fm_strerror(-1000), "unknown error");
	for (int a = FM_ERR_LOCKED; a < 0; a++) {
		for (int b = FM_ERR_LOCKED; b < a; b++) {
			if (strcmp(fm_strerror(a), "unknown error"))
				assert_string_not_equal(fm_strerror(a), fm_strerror(b));
		}
	}
}

static void range_check_neither_wraps_nor_loses_the_last_byte(void **state)
{
	assert_true(fmi_in_range(9, 1, 10));
	assert_false(fmi_in_range(10, 1, 10));
	assert_true(fmi_in_range(10, 0, 10));
	assert_false(fmi_in_range(UINT64_MAX, 2, 10));
	assert_false(fmi_in_range(2, UINT64_MAX, 10));
	assert_false(fmi_wraps(UINT64_MAX, 1));
	assert_true(fmi_wraps(UINT64_MAX, 2));
	assert_false(fmi_wraps(UINT64_MAX, 0));
}

static void an_older_config_is_zero_extended(void **state)
{
	struct sample in = { .struct_size = offsetof(struct sample, b), .a = 1, .b = 2 };
	struct sample out;

	assert_int_equal(fmi_config_copy(&out, sizeof(out), &in, "sample", NULL), 0);
	assert_int_equal(out.a, 1);
	assert_int_equal(out.b, 0);
	assert_int_equal(out.struct_size, sizeof(out));
}

static void a_newer_config_is_taken_only_if_the_rest_is_zero(void **state)
{
	struct {
		struct sample known;
		uint64_t later;
	} in = { .known = { .struct_size = sizeof(in), .a = 1 } };
	struct sample out;
	struct fm_error err = { 0 };

	assert_int_equal(fmi_config_copy(&out, sizeof(out), &in, "sample", &err), 0);
	in.later = 1;
	assert_int_equal(fmi_config_copy(&out, sizeof(out), &in, "sample", &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "sample"));
}

static void an_unset_struct_size_is_refused(void **state)
{
	struct sample in = { 0 };
	struct sample out;

	assert_int_equal(fmi_config_copy(&out, sizeof(out), &in, "sample", NULL), FM_ERR_ARG);
	assert_int_equal(fmi_config_copy(&out, sizeof(out), NULL, "sample", NULL), FM_ERR_ARG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_set_fills_and_returns_the_code),
		cmocka_unit_test(a_long_message_is_cut_and_terminated),
		cmocka_unit_test(a_message_is_one_line_whatever_a_path_holds),
		cmocka_unit_test(every_code_has_a_text_of_its_own),
		cmocka_unit_test(range_check_neither_wraps_nor_loses_the_last_byte),
		cmocka_unit_test(an_older_config_is_zero_extended),
		cmocka_unit_test(a_newer_config_is_taken_only_if_the_rest_is_zero),
		cmocka_unit_test(an_unset_struct_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
