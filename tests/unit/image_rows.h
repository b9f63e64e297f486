/* SPDX-License-Identifier: BSD-2-Clause */
/* image_rows: one cmocka test for each row of a table of malformed inputs. */
#ifndef FIRMEM_TESTS_IMAGE_ROWS_H
#define FIRMEM_TESTS_IMAGE_ROWS_H

#include "tests/unit/unit.h"

#include <firmem/image.h>

/* Parsing must fail with `code` and name `word`, and touch nothing. */
static inline void expect_refusal(const void *bytes, size_t len, enum fm_image_format format,
				  int code, const char *word)
{
	struct fm_image *const untouched = (struct fm_image *)(uintptr_t)8;
	struct fm_image *image = untouched;
	struct fm_error err = { 0 };
	int rc = fm_image_parse(&image, "dir/sample", bytes, len, format, 0, &err);

	if (rc != code || !strstr(err.msg, word))
		print_message("got %d: \"%s\", expected \"%s\"\n", rc, err.msg, word);
	assert_int_equal(rc, code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.msg, word));
	assert_non_null(strstr(err.msg, "sample: "));
	assert_null(strchr(err.msg, '\n'));
	assert_ptr_equal(image, untouched);
	assert_int_equal(fm_image_parse(&image, NULL, bytes, len, format, 0, NULL), code);
}

static inline struct fm_image *parse_ok(const void *bytes, size_t len, enum fm_image_format format)
{
	struct fm_image *image = NULL;
	struct fm_error err = { 0 };

	if (fm_image_parse(&image, "dir/sample", bytes, len, format, 0, &err))
		fail_msg("%s", err.msg);
	return image;
}

/* Run the named tests, then `row_test` once a row: `rows` elements of `size` bytes, each of which
 * begins with its name and is the test's initial state. */
static inline int run_with_rows(const char *group, const struct CMUnitTest *tests, size_t count,
				CMUnitTestFunction row_test, const void *rows, size_t row_count,
				size_t size)
{
	struct CMUnitTest *all = calloc(count + row_count, sizeof(*all));
	int rc;

	memcpy(all, tests, count * sizeof(*all));
	for (size_t i = 0; i < row_count; i++) {
		const char *row = (const char *)rows + i * size;
		const char *const *name = (const char *const *)(const void *)row;

		all[count + i] = (struct CMUnitTest){ .name = *name,
						      .test_func = row_test,
						      .initial_state = (void *)(uintptr_t)row };
	}
	rc = _cmocka_run_group_tests(group, all, count + row_count, NULL, NULL);
	free(all);
	return rc;
}

#endif
