/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz/image_build.h"
#include "tests/unit/image_rows.h"

#include <sys/stat.h>
#include <unistd.h>

static void the_data_is_placed_at_the_load_address(void **state)
{
	uint8_t bytes[BUILD_UIMAGE_LEN];
	struct fm_image *image;

	image = parse_ok(bytes, build_uimage_sample(bytes), FM_IMAGE_AUTO);
	assert_int_equal(image->format, FM_IMAGE_UIMAGE);
	assert_int_equal(image->count, 1);
	assert_int_equal(image->segments[0].addr, 0x40200000);
	assert_int_equal(image->segments[0].file_len, 32);
	assert_int_equal(image->segments[0].mem_len, 32);
	assert_memory_equal(image->segments[0].data, bytes + 64, 32);
	assert_true(image->has_entry);
	assert_int_equal(image->entry, 0x40200004);
	fm_image_free(image);
}

static void bytes_behind_the_data_are_padding(void **state)
{
	uint8_t bytes[BUILD_UIMAGE_LEN + 100] = { 0 };
	struct fm_image *image;

	build_uimage_sample(bytes);
	image = parse_ok(bytes, sizeof(bytes), FM_IMAGE_UIMAGE);
	assert_int_equal(image->segments[0].file_len, 32);
	fm_image_free(image);
}

static void only_types_that_run_have_an_entry(void **state)
{
	/* standalone, kernel, ramdisk, firmware, file system, device tree */
	static const struct {
		uint8_t type;
		bool entry;
	} types[] = { { 1, true }, { 2, true },  { 3, false },
		      { 5, true }, { 7, false }, { 8, false } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint8_t bytes[BUILD_UIMAGE_LEN];
		size_t len = build_uimage_sample(bytes);
		struct fm_image *image;

		build_uimage_set(bytes, "ih_type", types[i].type);
		build_uimage_seal(bytes, len, true);
		image = parse_ok(bytes, len, FM_IMAGE_UIMAGE);
		assert_int_equal(image->has_entry, types[i].entry);
		assert_int_equal(image->entry, types[i].entry ? 0x40200004 : 0);
		fm_image_free(image);
	}
}

static void data_may_end_at_4_gib(void **state)
{
	uint8_t bytes[BUILD_UIMAGE_LEN];
	size_t len = build_uimage_sample(bytes);

	build_uimage_set(bytes, "ih_load", 0xffffffe0);
	build_uimage_seal(bytes, len, true);
	fm_image_free(parse_ok(bytes, len, FM_IMAGE_UIMAGE));
}

static void every_bit_of_header_and_data_is_covered(void **state)
{
	uint8_t bytes[BUILD_UIMAGE_LEN];
	size_t len = build_uimage_sample(bytes);

	for (size_t bit = 0; bit < 8 * len; bit++) {
		struct fm_image *image;
		int rc;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rc = fm_image_parse(&image, "flipped", bytes, len, FM_IMAGE_UIMAGE, 0, NULL);
		assert_int_equal(rc, bit < 32 ? FM_ERR_FORMAT : FM_ERR_CHECKSUM);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void a_file_cut_anywhere_is_refused(void **state)
{
	uint8_t bytes[BUILD_UIMAGE_LEN];
	size_t len = build_uimage_sample(bytes);

	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *part = malloc(cut ? cut : 1);
		struct fm_image *image;
		int rc;

		memcpy(part, bytes, cut);
		rc = fm_image_parse(&image, "cut", part, cut, FM_IMAGE_UIMAGE, 0, NULL);
		assert_true(rc == FM_ERR_SIZE || (cut < 4 && rc == FM_ERR_FORMAT));
		free(part);
	}
}

/* --- what is wrong ------------------------------------------------------------------------- */

enum seal {
	SEAL_NONE,   /* the header's CRC is the old one */
	SEAL_HEADER, /* the header's CRC is right, the data's the old one */
	SEAL_BOTH,
};

struct row {
	const char *name;
	const char *field;
	uint64_t value;
	enum seal seal;
	int code;
	const char *word;
};

static const struct row rows[] = {
	{ "another magic", "ih_magic", 0x27051957, SEAL_BOTH, FM_ERR_FORMAT, "ih_magic" },
	{ "a wrong header CRC", "ih_hcrc", 1, SEAL_NONE, FM_ERR_CHECKSUM, "ih_hcrc is 0x00000001" },
	{ "a changed time", "ih_time", 1, SEAL_NONE, FM_ERR_CHECKSUM, "ih_hcrc" },
	{ "a changed name", "ih_name", 1, SEAL_NONE, FM_ERR_CHECKSUM, "ih_hcrc" },
	{ "a wrong data CRC", "ih_dcrc", 1, SEAL_HEADER, FM_ERR_CHECKSUM, "ih_dcrc is 0x00000001" },
	{ "no data", "ih_size", 0, SEAL_BOTH, FM_ERR_SIZE, "ih_size is 0" },
	{ "one byte too many", "ih_size", 33, SEAL_BOTH, FM_ERR_SIZE, "ih_size is 33" },
	{ "4 GiB - 1 of data", "ih_size", 0xffffffff, SEAL_BOTH, FM_ERR_SIZE, "ih_size" },
	{ "a load address that wraps", "ih_load", 0xffffffe1, SEAL_BOTH, FM_ERR_SIZE, "ih_load" },
	{ "gzip", "ih_comp", 1, SEAL_BOTH, FM_ERR_UNSUPPORTED, "ih_comp is 1" },
	{ "bzip2", "ih_comp", 2, SEAL_BOTH, FM_ERR_UNSUPPORTED, "ih_comp is 2" },
	{ "lzma", "ih_comp", 3, SEAL_BOTH, FM_ERR_UNSUPPORTED, "ih_comp is 3" },
	{ "an unknown compression", "ih_comp", 255, SEAL_BOTH, FM_ERR_UNSUPPORTED,
	  "ih_comp is 255" },
	{ "type invalid", "ih_type", 0, SEAL_BOTH, FM_ERR_UNSUPPORTED, "ih_type is 0" },
	{ "type multi", "ih_type", 4, SEAL_BOTH, FM_ERR_UNSUPPORTED,
	  "ih_type is 4 (several files" },
	{ "type script", "ih_type", 6, SEAL_BOTH, FM_ERR_UNSUPPORTED, "ih_type is 6 (a script" },
	{ "type kernel_noload", "ih_type", 14, SEAL_BOTH, FM_ERR_UNSUPPORTED, "ih_type is 14" },
	{ "an unknown type", "ih_type", 255, SEAL_BOTH, FM_ERR_UNSUPPORTED, "ih_type is 255" },
};

static void a_wrong_field_is_refused_and_named(void **state)
{
	const struct row *row = *state;
	uint8_t bytes[BUILD_UIMAGE_LEN];
	size_t len = build_uimage_sample(bytes);

	assert_true(build_uimage_set(bytes, row->field, row->value));
	if (row->seal != SEAL_NONE)
		build_uimage_seal(bytes, len, row->seal == SEAL_BOTH);
	expect_refusal(bytes, len, FM_IMAGE_UIMAGE, row->code, row->word);
}

/* --- made by mkimage(1) -------------------------------------------------------------------- */

static char dir[64];

/* Run mkimage with `args` in the folder; the image is DIR/out. */
static void mkimage(const char *args)
{
	char command[512];

	snprintf(command, sizeof(command), "cd %s && mkimage %s out >mkimage.log 2>&1", dir, args);
	assert_int_equal(system(command), 0);
}

static int mkimage_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char path[128];
	FILE *f;

	snprintf(dir, sizeof(dir), "%.32s/firmem-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/in", dir);
	f = fopen(path, "wb");
	for (int i = 0; i < 1000; i++)
		fputc(i * 7 & 0xff, f);
	return fclose(f);
}

static int mkimage_teardown(void **state)
{
	static const char *const files[] = { "in", "out", "mkimage.log" };
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void what_mkimage_makes_is_read_or_refused_by_its_kind(void **state)
{
	struct fm_image *image = NULL;
	struct fm_error err = { 0 };
	char path[128];

	if (system("command -v mkimage >/dev/null") != 0) {
		print_message("skipped: no mkimage (package u-boot-tools)\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/out", dir);

	mkimage("-A arm64 -O u-boot -T firmware -C none -a 0x40080000 -e 0x40080010 -n test -d in");
	if (fm_image_open(&image, NULL, path, FM_IMAGE_AUTO, 0, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(image->format, FM_IMAGE_UIMAGE);
	assert_string_equal(image->name, "out");
	assert_int_equal(image->entry, 0x40080010);
	assert_int_equal(image->segments[0].addr, 0x40080000);
	assert_int_equal(image->segments[0].file_len, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(image->segments[0].data[i], i * 7 & 0xff);
	fm_image_free(image);

	mkimage("-A arm64 -O linux -T kernel -C gzip -a 0x40080000 -e 0x40080000 -n test -d in");
	assert_int_equal(fm_image_open(&image, NULL, path, FM_IMAGE_AUTO, 0, &err),
			 FM_ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "ih_comp"));

	mkimage("-A arm64 -O linux -T multi -C none -a 0x40080000 -n test -d in:in");
	assert_int_equal(fm_image_open(&image, NULL, path, FM_IMAGE_AUTO, 0, &err),
			 FM_ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "several files"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_data_is_placed_at_the_load_address),
		cmocka_unit_test(bytes_behind_the_data_are_padding),
		cmocka_unit_test(only_types_that_run_have_an_entry),
		cmocka_unit_test(data_may_end_at_4_gib),
		cmocka_unit_test(every_bit_of_header_and_data_is_covered),
		cmocka_unit_test(a_file_cut_anywhere_is_refused),
		cmocka_unit_test_setup_teardown(what_mkimage_makes_is_read_or_refused_by_its_kind,
						mkimage_setup, mkimage_teardown),
	};

	return run_with_rows("image_uimage", tests, sizeof(tests) / sizeof(tests[0]),
			     a_wrong_field_is_refused_and_named, rows,
			     sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]));
}
