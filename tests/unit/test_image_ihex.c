/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz/image_build.h"
#include "tests/unit/image_rows.h"

#include <unistd.h>

#define DATA ":03001000010203E7\n" /* 01 02 03 at 0x10 */
#define MORE ":020013000405E2\n"   /* 04 05 at 0x13 */
#define END ":00000001FF\n"

static struct fm_image *parse_text(const char *text)
{
	return parse_ok(text, strlen(text), FM_IMAGE_AUTO);
}

static void expect_segment(const struct fm_image *image, size_t index, uint64_t addr,
			   const void *bytes, size_t len)
{
	assert_true(index < image->count);
	assert_true(image->segments[index].addr == addr);
	assert_true(image->segments[index].file_len == len);
	assert_true(image->segments[index].mem_len == len);
	assert_memory_equal(image->segments[index].data, bytes, len);
}

/* --- what is right ------------------------------------------------------------------------ */

static void records_that_touch_are_one_segment(void **state)
{
	struct fm_image *image = parse_text(DATA MORE END);

	assert_int_equal(image->format, FM_IMAGE_IHEX);
	assert_int_equal(image->count, 1);
	expect_segment(image, 0, 0x10, "\1\2\3\4\5", 5);
	assert_false(image->has_entry);
	fm_image_free(image);
}

static void the_order_of_records_does_not_matter(void **state)
{
	struct fm_image *image = parse_text(MORE ":0100000009F6\n" DATA END);

	assert_int_equal(image->count, 2);
	expect_segment(image, 0, 0, "\x9", 1);
	expect_segment(image, 1, 0x10, "\1\2\3\4\5", 5);
	assert_string_equal(image->segments[1].name, "sample segment 1");
	fm_image_free(image);
}

static void any_line_end_blank_lines_and_lower_case_are_fine(void **state)
{
	static const char *const texts[] = {
		DATA MORE ":00000001FF",
		":03001000010203E7\r\n:020013000405E2\r\n:00000001FF\r\n",
		":03001000010203E7\r:020013000405E2\r:00000001FF\r",
		"\n\r\n" DATA "\n\n" MORE "\r\n\n" END "\n\r\n",
		":03001000010203e7\n:020013000405e2\n:00000001ff\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct fm_image *image = parse_text(texts[i]);

		expect_segment(image, 0, 0x10, "\1\2\3\4\5", 5);
		fm_image_free(image);
	}
}

static void an_extended_linear_address_is_the_upper_half(void **state)
{
	struct fm_image *image = parse_text(":02000004FFFFFC\n" DATA END);

	expect_segment(image, 0, 0xffff0010, "\1\2\3", 3);
	fm_image_free(image);
}

static void an_extended_segment_address_is_times_sixteen(void **state)
{
	struct fm_image *image = parse_text(":020000021000EC\n" DATA END);

	expect_segment(image, 0, 0x10010, "\1\2\3", 3);
	fm_image_free(image);
}

static void the_last_extended_address_counts(void **state)
{
	struct fm_image *image = parse_text(":020000021000EC\n" DATA ":02000004FFFFFC\n" DATA END);

	expect_segment(image, 0, 0x10010, "\1\2\3", 3);
	expect_segment(image, 1, 0xffff0010, "\1\2\3", 3);
	fm_image_free(image);
}

static void data_across_64_kib_runs_on_from_a_linear_base(void **state)
{
	struct fm_image *image = parse_text(":020000040001F9\n:02FFFF000102FD\n" END);

	assert_int_equal(image->count, 1);
	expect_segment(image, 0, 0x1ffff, "\1\2", 2);
	fm_image_free(image);

	image = parse_text(":02FFFF000102FD\n" END);
	expect_segment(image, 0, 0xffff, "\1\2", 2);
	fm_image_free(image);
}

static void data_across_64_kib_wraps_within_a_segment(void **state)
{
	struct fm_image *image = parse_text(":020000021000EC\n:02FFFF000102FD\n" END);

	assert_int_equal(image->count, 2);
	expect_segment(image, 0, 0x10000, "\2", 1);
	expect_segment(image, 1, 0x1ffff, "\1", 1);
	fm_image_free(image);
}

static void data_may_end_at_4_gib(void **state)
{
	struct fm_image *image = parse_text(":02000004FFFFFC\n:01FFFF000100\n" END);

	expect_segment(image, 0, 0xffffffff, "\1", 1);
	fm_image_free(image);
}

static void both_start_records_give_an_entry(void **state)
{
	struct fm_image *image = parse_text(DATA ":0400000540000004B3\n" END);

	assert_true(image->has_entry);
	assert_int_equal(image->entry, 0x40000004);
	fm_image_free(image);

	image = parse_text(":0400000312345678E5\n" DATA ":0400000312345678E5\n" END);
	assert_true(image->has_entry);
	assert_int_equal(image->entry, 0x12340 + 0x5678);
	fm_image_free(image);
}

static void a_record_may_carry_255_bytes_or_none(void **state)
{
	uint8_t data[255];
	char text[1024];
	struct fm_image *image;
	size_t len = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 3);
	build_hex_record(text, &len, 0, 0x100, NULL, 0, 0);
	build_hex_record(text, &len, 0, 0x200, data, sizeof(data), 0);
	build_hex_record(text, &len, 1, 0, NULL, 0, 0);
	image = parse_ok(text, len, FM_IMAGE_IHEX);
	assert_int_equal(image->count, 1);
	expect_segment(image, 0, 0x200, data, sizeof(data));
	fm_image_free(image);
}

/* --- what is wrong ------------------------------------------------------------------------- */

struct row {
	const char *name;
	const char *text;
	int code;
	const char *word;
};

static const struct row rows[] = {
	{ "no end record", DATA MORE, FM_ERR_FORMAT, "line 3: the text ends without" },
	{ "an end record only", END, FM_ERR_SIZE, "no data records" },
	{ "data records without data", ":0000000000\n" END, FM_ERR_SIZE, "no data records" },
	{ "a record behind the end", DATA END MORE, FM_ERR_FORMAT, "line 3: the first character" },
	{ "text behind the end", DATA END "\n\nbye", FM_ERR_FORMAT, "line 5: the first character" },
	{ "text between records", DATA "; remark\n" END, FM_ERR_FORMAT, "line 2: the first" },
	{ "CR LF is one line end", ":0100000009F6\r\n\r\nx", FM_ERR_FORMAT, "line 3: the first" },
	{ "a space at the end", ":03001000010203E7 \n" END, FM_ERR_FORMAT,
	  "line 1: the character behind the checksum is 0x20" },
	{ "more data than the length", DATA ":01001300040500E3\n" END, FM_ERR_CHECKSUM,
	  "line 2: the checksum" },
	{ "a digit that is none", DATA ":02001300G405E2\n" END, FM_ERR_FORMAT,
	  "line 2: the data is 0x47, expected a hexadecimal digit" },
	{ "a length that is no number", ":x3001000010203E7\n" END, FM_ERR_FORMAT, "the length" },
	{ "an offset that is no number", ":0300x000010203E7\n" END, FM_ERR_FORMAT, "the offset" },
	{ "a type that is no number", ":030010x0010203E7\n" END, FM_ERR_FORMAT, "the record type" },
	{ "a checksum that is no number", ":03001000010203x7\n" END, FM_ERR_FORMAT,
	  "the checksum is 0x78" },
	{ "half a byte", DATA ":0200130004051\n" END, FM_ERR_FORMAT,
	  "line 2: the checksum is cut" },
	{ "a mark alone", DATA ":\n" END, FM_ERR_FORMAT, "line 2: the length is cut short" },
	{ "data cut short", DATA ":0200130004\n" END, FM_ERR_FORMAT, "line 2: the data is cut" },
	{ "a wrong checksum", DATA ":020013000405E3\n" END, FM_ERR_CHECKSUM,
	  "line 2: the checksum is 0xe3, expected 0xe2" },
	{ "type 06", DATA ":00000006FA\n" END, FM_ERR_FORMAT, "line 2: the record type is 0x06" },
	{ "type ff", DATA ":000000FF01\n" END, FM_ERR_FORMAT, "line 2: the record type is 0xff" },
	{ "an end record with data", DATA ":0100000101FD\n", FM_ERR_FORMAT, "the length is 0x01" },
	{ "an end record with an offset", DATA ":00000101FE\n", FM_ERR_FORMAT,
	  "the offset is 0x01" },
	{ "a segment of 1 byte", ":0100000210ED\n" DATA END, FM_ERR_FORMAT, "line 1: the length" },
	{ "a segment of 3 bytes", ":03000002100000EB\n" DATA END, FM_ERR_FORMAT,
	  "line 1: the length is 0x03, expected 2" },
	{ "a segment with an offset", ":020001021000EB\n" DATA END, FM_ERR_FORMAT, "the offset" },
	{ "a linear base of 1 byte", ":0100000401FA\n" DATA END, FM_ERR_FORMAT, "the length" },
	{ "a linear base with an offset", ":020002040100F7\n" DATA END, FM_ERR_FORMAT,
	  "the offset" },
	{ "a start segment of 3 bytes", ":03000003010203F4\n" DATA END, FM_ERR_FORMAT,
	  "the length" },
	{ "a start segment with an offset", ":0400040312345678E1\n" DATA END, FM_ERR_FORMAT,
	  "the offset is 0x04" },
	{ "a start of 5 bytes", ":050000050102030405E7\n" DATA END, FM_ERR_FORMAT, "the length" },
	{ "a start with an offset", ":0400010540000004B2\n" DATA END, FM_ERR_FORMAT, "the offset" },
	{ "two different starts", DATA ":0400000540000004B3\n:0400000540000005B2\n" END,
	  FM_ERR_FORMAT, "line 3: the start address is 0x40000005" },
	{ "data beyond 4 GiB", ":02000004FFFFFC\n:02FFFF000102FD\n" END, FM_ERR_SIZE,
	  "line 2: the end of the data is 0x100000001" },
	{ "the same bytes twice", DATA MORE DATA END, FM_ERR_OVERLAP, "lines 1 and 3" },
	{ "the last byte twice", DATA ":0100120007E6\n" END, FM_ERR_OVERLAP, "address 0x12" },
	{ "the first byte twice", DATA ":02000F000707E1\n" END, FM_ERR_OVERLAP, "address 0x10" },
	{ "bytes twice by a wrap", ":020000021000EC\n:02FFFF000102FD\n:0100000009F6\n" END,
	  FM_ERR_OVERLAP, "address 0x10000" },
};

static void a_wrong_text_is_refused_with_its_line(void **state)
{
	const struct row *row = *state;

	expect_refusal(row->text, strlen(row->text), FM_IMAGE_IHEX, row->code, row->word);
}

static const char everything[] = ":020000021000EC\n" DATA ":0400000312345678E5\n"
				 ":020000040001F9\n" MORE END;

static void a_file_cut_anywhere_is_refused(void **state)
{
	const size_t len = strlen(everything);

	fm_image_free(parse_text(everything));
	for (size_t cut = 0; cut < len; cut++) {
		char *part = malloc(cut ? cut : 1);
		struct fm_image *image = NULL;
		int rc;

		memcpy(part, everything, cut);
		rc = fm_image_parse(&image, "cut", part, cut, FM_IMAGE_IHEX, 0, NULL);
		if (cut == len - 1) /* only the end of the last line is missing */
			assert_int_equal(rc, 0);
		else
			assert_int_equal(rc, cut ? FM_ERR_FORMAT : FM_ERR_SIZE);
		fm_image_free(image);
		free(part);
	}
}

static void no_single_digit_can_change_unnoticed(void **state)
{
	const size_t len = strlen(everything);

	/* The last line end may be anything. */
	for (size_t i = 0; i < len - 1; i++) {
		for (const char *d = "0123456789ABCDEF:xG/@`\n"; *d; d++) {
			char text[sizeof(everything)];
			struct fm_image *image;
			int rc;

			if (*d == everything[i])
				continue;
			memcpy(text, everything, sizeof(text));
			text[i] = *d;
			rc = fm_image_parse(&image, "changed", text, len, FM_IMAGE_IHEX, 0, NULL);
			assert_int_not_equal(rc, 0);
		}
	}
}

/* A byte in every `step`-th address. */
static char *build_bytes(size_t count, size_t step, size_t *len)
{
	char *text = malloc(count * 14 + (count * step / 65536 + 1) * 16 + 32);

	*len = 0;
	for (size_t i = 0; i < count; i++) {
		uint8_t base[2] = { (uint8_t)(i * step >> 24), (uint8_t)(i * step >> 16) };
		uint8_t byte = (uint8_t)i;

		if (i * step % 65536 == 0)
			build_hex_record(text, len, 4, 0, base, 2, 0);
		build_hex_record(text, len, 0, (unsigned)(i * step & 0xffff), &byte, 1, 0);
	}
	build_hex_record(text, len, 1, 0, NULL, 0, 0);
	return text;
}

static void a_million_separate_bytes_are_refused_and_not_allocated(void **state)
{
	size_t len;
	char *text = build_bytes((1 << 20) + 1, 2, &len);

	expect_refusal(text, len, FM_IMAGE_IHEX, FM_ERR_SIZE, "1048576 pieces");
	free(text);
}

static void a_million_records_that_touch_are_one_segment(void **state)
{
	size_t len;
	char *text = build_bytes((1 << 20) + 1, 1, &len);
	struct fm_image *image = parse_ok(text, len, FM_IMAGE_IHEX);

	assert_int_equal(image->count, 1);
	assert_int_equal(image->segments[0].file_len, (1 << 20) + 1);
	for (size_t i = 0; i < image->segments[0].file_len; i++)
		assert_true(image->segments[0].data[i] == (uint8_t)i);
	fm_image_free(image);
	free(text);
}

/* --- made by objcopy(1) -------------------------------------------------------------------- */

static char dir[64];

static void path_of(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", dir, name);
}

static int objcopy_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char path[128];
	FILE *f;

	snprintf(dir, sizeof(dir), "%.32s/firmem-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	path_of(path, "in");
	f = fopen(path, "wb");
	for (int i = 0; i < 100000; i++)
		fputc(i * 7 & 0xff, f);
	return fclose(f);
}

static int objcopy_teardown(void **state)
{
	char path[128];

	path_of(path, "in");
	unlink(path);
	path_of(path, "out");
	unlink(path);
	return rmdir(dir);
}

/* 100000 bytes across 64 KiB borders: at 0xfff0 objcopy uses segments, above 1 MiB linear bases. */
static void what_objcopy_makes_is_what_it_was_made_of(void **state)
{
	static const char *const addresses[] = { "0", "0xfff0", "0x9fff8", "0x0800fff0",
						 "0xfffe0000" };

	if (system("command -v objcopy >/dev/null") != 0) {
		print_message("skipped: no objcopy (package binutils)\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct fm_image *image = NULL;
		struct fm_error err = { 0 };
		char command[256], path[128];

		snprintf(command, sizeof(command),
			 "cd %s && objcopy -I binary -O ihex --change-addresses %s in out", dir,
			 addresses[i]);
		assert_int_equal(system(command), 0);
		path_of(path, "out");
		if (fm_image_open(&image, NULL, path, FM_IMAGE_AUTO, 0, &err))
			fail_msg("%s", err.msg);
		assert_int_equal(image->format, FM_IMAGE_IHEX);
		assert_int_equal(image->count, 1);
		assert_true(image->segments[0].addr == strtoull(addresses[i], NULL, 0));
		assert_int_equal(image->segments[0].file_len, 100000);
		for (int n = 0; n < 100000; n++)
			assert_true(image->segments[0].data[n] == (n * 7 & 0xff));
		fm_image_free(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_that_touch_are_one_segment),
		cmocka_unit_test(the_order_of_records_does_not_matter),
		cmocka_unit_test(any_line_end_blank_lines_and_lower_case_are_fine),
		cmocka_unit_test(an_extended_linear_address_is_the_upper_half),
		cmocka_unit_test(an_extended_segment_address_is_times_sixteen),
		cmocka_unit_test(the_last_extended_address_counts),
		cmocka_unit_test(data_across_64_kib_runs_on_from_a_linear_base),
		cmocka_unit_test(data_across_64_kib_wraps_within_a_segment),
		cmocka_unit_test(data_may_end_at_4_gib),
		cmocka_unit_test(both_start_records_give_an_entry),
		cmocka_unit_test(a_record_may_carry_255_bytes_or_none),
		cmocka_unit_test(a_file_cut_anywhere_is_refused),
		cmocka_unit_test(no_single_digit_can_change_unnoticed),
		cmocka_unit_test(a_million_separate_bytes_are_refused_and_not_allocated),
		cmocka_unit_test(a_million_records_that_touch_are_one_segment),
		cmocka_unit_test_setup_teardown(what_objcopy_makes_is_what_it_was_made_of,
						objcopy_setup, objcopy_teardown),
	};

	return run_with_rows("image_ihex", tests, sizeof(tests) / sizeof(tests[0]),
			     a_wrong_text_is_refused_with_its_line, rows,
			     sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]));
}
