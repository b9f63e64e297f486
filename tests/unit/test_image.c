/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz/image_build.h"
#include "tests/unit/image_rows.h"

#include <fcntl.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	char path[128];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	snprintf(f->dir, sizeof(f->dir), "%.32s/firmem-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/firmware.bin", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void raw_bytes_are_one_segment_where_the_caller_says(void **state)
{
	struct fm_image *image;

	assert_int_equal(fm_image_parse(&image, "a/b/x.bin", "abc", 3, FM_IMAGE_RAW, 0x1000, NULL),
			 0);
	assert_int_equal(image->format, FM_IMAGE_RAW);
	assert_string_equal(image->name, "x.bin");
	assert_int_equal(image->count, 1);
	assert_string_equal(image->segments[0].name, "x.bin");
	assert_int_equal(image->segments[0].addr, 0x1000);
	assert_int_equal(image->segments[0].file_len, 3);
	assert_int_equal(image->segments[0].mem_len, 3);
	assert_memory_equal(image->segments[0].data, "abc", 3);
	assert_false(image->has_entry);
	assert_int_equal(image->entry, 0);
	fm_image_free(image);
}

static void raw_may_end_at_2_to_64_but_not_wrap(void **state)
{
	struct fm_image *image;
	struct fm_error err;

	assert_int_equal(fm_image_parse(&image, "x", "abc", 3, FM_IMAGE_RAW, UINT64_MAX - 2, NULL),
			 0);
	fm_image_free(image);
	assert_int_equal(fm_image_parse(&image, "x", "abc", 3, FM_IMAGE_RAW, UINT64_MAX - 1, &err),
			 FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "0xfffffffffffffffe"));
}

static void nothing_is_an_image_of_no_format(void **state)
{
	for (int format = FM_IMAGE_AUTO; format <= FM_IMAGE_IHEX; format++)
		expect_refusal("", 0, (enum fm_image_format)format, FM_ERR_SIZE, "empty");
}

static void the_first_bytes_decide_what_auto_means(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	struct fm_image *image;

	/* Cut inside the magic number it is raw, right behind it a broken ELF. */
	build_elf_sample(&e, bytes, true, false);
	image = parse_ok(bytes, 3, FM_IMAGE_AUTO);
	assert_int_equal(image->format, FM_IMAGE_RAW);
	fm_image_free(image);
	expect_refusal(bytes, 4, FM_IMAGE_AUTO, FM_ERR_SIZE, "e_ident");

	build_uimage_sample(bytes);
	image = parse_ok(bytes, 3, FM_IMAGE_AUTO);
	assert_int_equal(image->format, FM_IMAGE_RAW);
	fm_image_free(image);
	expect_refusal(bytes, 4, FM_IMAGE_AUTO, FM_ERR_SIZE, "header");

	/* A colon and eight digits: not fewer. */
	image = parse_ok(":0000000", 8, FM_IMAGE_AUTO);
	assert_int_equal(image->format, FM_IMAGE_RAW);
	fm_image_free(image);
	image = parse_ok(":000000 0", 9, FM_IMAGE_AUTO);
	assert_int_equal(image->format, FM_IMAGE_RAW);
	fm_image_free(image);
	expect_refusal(":00000000", 9, FM_IMAGE_AUTO, FM_ERR_FORMAT, "line 1");
	expect_refusal("\r\n\n:00000000", 12, FM_IMAGE_AUTO, FM_ERR_FORMAT, "line 3");
}

static void raw_takes_anything_when_it_is_asked_for(void **state)
{
	struct fm_image *image = parse_ok("\177ELF", 4, FM_IMAGE_RAW);

	assert_int_equal(image->format, FM_IMAGE_RAW);
	fm_image_free(image);
}

static void the_callers_bytes_are_copied(void **state)
{
	char bytes[] = "abc";
	struct fm_image *image = parse_ok(bytes, 3, FM_IMAGE_RAW);

	memset(bytes, 'x', 3);
	assert_memory_equal(image->segments[0].data, "abc", 3);
	fm_image_free(image);
}

static void a_long_or_missing_name_is_fine(void **state)
{
	struct fm_image *image;
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(fm_image_parse(&image, name, "abc", 3, FM_IMAGE_RAW, 0, NULL), 0);
	assert_int_equal(strlen(image->name), sizeof(image->name) - 1);
	assert_int_equal(strlen(image->segments[0].name), sizeof(image->name) - 1);
	fm_image_free(image);
	assert_int_equal(fm_image_parse(&image, NULL, "abc", 3, FM_IMAGE_RAW, 0, NULL), 0);
	assert_string_equal(image->name, "image");
	fm_image_free(image);
	assert_int_equal(fm_image_parse(&image, "dir/", "abc", 3, FM_IMAGE_RAW, 0, NULL), 0);
	assert_string_equal(image->name, "image");
	fm_image_free(image);
	fm_image_free(NULL);
}

static void wrong_arguments_are_refused(void **state)
{
	struct fm_image *image;

	assert_int_equal(fm_image_parse(&image, "x", NULL, 3, FM_IMAGE_RAW, 0, NULL), FM_ERR_ARG);
	assert_int_equal(fm_image_parse(NULL, "x", "abc", 3, FM_IMAGE_RAW, 0, NULL), FM_ERR_ARG);
	assert_int_equal(fm_image_open(&image, NULL, NULL, FM_IMAGE_RAW, 0, NULL), FM_ERR_ARG);
	expect_refusal("abc", 3, (enum fm_image_format)99, FM_ERR_ARG, "format is 99");
}

static void every_format_has_a_name(void **state)
{
	assert_string_equal(fm_image_format_name(FM_IMAGE_RAW), "raw");
	assert_string_equal(fm_image_format_name(FM_IMAGE_ELF), "elf");
	assert_string_equal(fm_image_format_name(FM_IMAGE_UIMAGE), "uimage");
	assert_string_equal(fm_image_format_name(FM_IMAGE_IHEX), "ihex");
	assert_string_equal(fm_image_format_name(FM_IMAGE_AUTO), "auto");
	assert_string_equal(fm_image_format_name((enum fm_image_format)99), "unknown");
}

/* --- files ------------------------------------------------------------------------------- */

static void edits_of_the_file_after_loading_are_not_seen(void **state)
{
	struct fixture *f = *state;
	struct fm_image *image = NULL;

	write_file(f->path, "before", 6);
	assert_int_equal(fm_image_open(&image, NULL, f->path, FM_IMAGE_AUTO, 0x100, NULL), 0);
	assert_string_equal(image->name, "firmware.bin");
	write_file(f->path, "AFTER!!", 7);
	assert_int_equal(image->segments[0].file_len, 6);
	assert_memory_equal(image->segments[0].data, "before", 6);
	assert_int_equal(truncate(f->path, 0), 0);
	assert_memory_equal(image->segments[0].data, "before", 6);
	fm_image_free(image);
}

static void a_missing_empty_or_oversized_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct fm_image *image = NULL;
	struct fm_error err = { 0 };

	assert_int_equal(fm_image_open(&image, NULL, f->path, FM_IMAGE_AUTO, 0, &err),
			 FM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "firmware.bin"));
	write_file(f->path, "", 0);
	assert_int_equal(fm_image_open(&image, NULL, f->path, FM_IMAGE_AUTO, 0, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "firmware.bin"));
	/* A hole: takes no space. */
	assert_int_equal(truncate(f->path, (1 << 30) + 1L), 0);
	assert_int_equal(fm_image_open(&image, NULL, f->path, FM_IMAGE_AUTO, 0, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "firmware.bin"));
	assert_null(image);
}

int main(void)
{
#define F(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raw_bytes_are_one_segment_where_the_caller_says),
		cmocka_unit_test(raw_may_end_at_2_to_64_but_not_wrap),
		cmocka_unit_test(nothing_is_an_image_of_no_format),
		cmocka_unit_test(the_first_bytes_decide_what_auto_means),
		cmocka_unit_test(raw_takes_anything_when_it_is_asked_for),
		cmocka_unit_test(the_callers_bytes_are_copied),
		cmocka_unit_test(a_long_or_missing_name_is_fine),
		cmocka_unit_test(wrong_arguments_are_refused),
		cmocka_unit_test(every_format_has_a_name),
		F(edits_of_the_file_after_loading_are_not_seen),
		F(a_missing_empty_or_oversized_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
