/* SPDX-License-Identifier: BSD-2-Clause */
/* Video memory: modes that can be, lines that changed, pixels as a picture has them. */
#include "tests/unit/unit.h"

#include <firmem/dirty.h>
#include <firmem/vram.h>

#define KIB 1024u
#define MIB (1024u * KIB)

struct screen {
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *bytes;
};

static struct fm_block *new_block(uint64_t len)
{
	struct fm_block_config cfg = {
		.struct_size = sizeof(cfg), .name = "vga", .role = FM_ROLE_VRAM, .len = len
	};
	struct fm_block *block;

	assert_int_equal(fm_block_new(&block, &cfg, NULL), 0);
	return block;
}

static void init(struct screen *s, uint64_t len, struct fm_vram_mode mode)
{
	struct fm_vram_config cfg = { .struct_size = sizeof(cfg), .mode = mode };
	struct fm_error err = { 0 };

	s->block = new_block(len);
	s->bytes = fm_block_ptr(s->block);
	cfg.block = s->block;
	if (fm_vram_new(&s->dev, &cfg, &err))
		fail_msg("%s", err.msg);
}

static void finish(struct screen *s)
{
	fm_dev_free(s->dev);
	fm_block_free(s->block);
}

static struct fm_vram_mode mode_of(struct screen *s)
{
	struct fm_vram_mode mode;

	assert_int_equal(fm_vram_mode(s->dev, &mode), 0);
	return mode;
}

/* --- modes ------------------------------------------------------------------------------- */

static void a_config_of_zeros_is_800_by_600(void **state)
{
	struct screen s;
	struct fm_vram_mode mode;

	init(&s, 2 * MIB, (struct fm_vram_mode){ 0 });
	mode = mode_of(&s);
	assert_int_equal(mode.width, 800);
	assert_int_equal(mode.height, 600);
	assert_int_equal(mode.stride, 3200);
	assert_int_equal(mode.format, FM_VRAM_XRGB8888);
	finish(&s);
}

static void a_stride_of_0_is_the_least_multiple_of_64(void **state)
{
	struct screen s;

	init(&s, 2 * MIB, (struct fm_vram_mode){ 801, 600, 0, FM_VRAM_RGB565, 0 });
	assert_int_equal(mode_of(&s).stride, 1664);
	finish(&s);
}

static void refuse(struct screen *s, struct fm_vram_mode mode, const char *what)
{
	struct fm_vram_mode before = mode_of(s);
	struct fm_vram_mode after;
	struct fm_error err = { 0 };

	assert_int_equal(fm_vram_set_mode(s->dev, &mode, &err), FM_ERR_ARG);
	if (!strstr(err.msg, what) || !strstr(err.msg, "expected"))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, what);
	after = mode_of(s);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void a_mode_that_cannot_be_is_named_and_changes_nothing(void **state)
{
	struct screen s;

	init(&s, 64 * KIB, (struct fm_vram_mode){ .width = 128, .height = 128 });
	refuse(&s, (struct fm_vram_mode){ .height = 1 }, "width is 0");
	refuse(&s, (struct fm_vram_mode){ 16385, 1, 0, 0, 0 }, "width is 16385");
	refuse(&s, (struct fm_vram_mode){ .width = 1 }, "height is 0");
	refuse(&s, (struct fm_vram_mode){ 1, UINT32_MAX, 0, 0, 0 }, "height is 4294967295");
	refuse(&s, (struct fm_vram_mode){ 1, 1, 0, FM_VRAM_FORMATS, 0 }, "format is 2");
	refuse(&s, (struct fm_vram_mode){ 2, 1, 4, 0, 0 }, "stride is 4");
	refuse(&s, (struct fm_vram_mode){ 2, 1, 10, 0, 0 }, "stride is 10");
	refuse(&s, (struct fm_vram_mode){ 2, 1, 8, 0, 2 }, "off is 0x2");
	refuse(&s, (struct fm_vram_mode){ 128, 129, 512, 0, 0 }, "need 0x10200");
	refuse(&s, (struct fm_vram_mode){ 128, 128, 512, 0, 4 }, "need 0x10000");
	refuse(&s, (struct fm_vram_mode){ 1, 1, 4, 0, UINT64_MAX - 3 }, "need 0x4");
	finish(&s);
}

static void the_last_line_needs_only_its_pixels(void **state)
{
	struct screen s;

	/* 15 strides and 4 bytes. */
	init(&s, 15 * 4 * KIB + 4, (struct fm_vram_mode){ 1, 16, 4 * KIB, 0, 0 });
	finish(&s);
}

static void another_device_has_no_mode(void **state)
{
	struct fm_vram_mode mode;
	uint64_t lines[1];
	uint8_t rgb[3];

	assert_int_equal(fm_vram_mode(NULL, &mode), FM_ERR_ARG);
	assert_int_equal(fm_vram_set_mode(NULL, &mode, NULL), FM_ERR_ARG);
	assert_int_equal(fm_vram_line(NULL, 0, rgb), FM_ERR_ARG);
	assert_int_equal(fm_vram_dirty_lines(NULL, 0, lines), FM_ERR_ARG);
}

/* --- pixels ------------------------------------------------------------------------------ */

static void xrgb8888_is_blue_green_red_and_a_byte_that_is_ignored(void **state)
{
	struct screen s;
	uint8_t rgb[6];

	init(&s, 4 * KIB, (struct fm_vram_mode){ 2, 2, 8, FM_VRAM_XRGB8888, 16 });
	fm_dev_write(s.dev, 24, 4, 0xaa112233, FM_ATTRS_NONE);
	fm_dev_write(s.dev, 28, 4, 0x00ff8001, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_line(s.dev, 1, rgb), 0);
	assert_memory_equal(rgb, "\x11\x22\x33\xff\x80\x01", 6);
	assert_int_equal(fm_vram_line(s.dev, 0, rgb), 0);
	assert_memory_equal(rgb, "\0\0\0\0\0\0", 6);
	assert_int_equal(fm_vram_line(s.dev, 2, rgb), FM_ERR_RANGE);
	finish(&s);
}

static void rgb565_is_scaled_to_all_of_a_byte(void **state)
{
	struct screen s;
	uint8_t rgb[12];

	init(&s, 4 * KIB, (struct fm_vram_mode){ 4, 1, 8, FM_VRAM_RGB565, 0 });
	fm_dev_write(s.dev, 0, 2, 0xf800, FM_ATTRS_NONE);
	fm_dev_write(s.dev, 2, 2, 0x07e0, FM_ATTRS_NONE);
	fm_dev_write(s.dev, 4, 2, 0x001f, FM_ATTRS_NONE);
	fm_dev_write(s.dev, 6, 2, 0x8410, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_line(s.dev, 0, rgb), 0);
	assert_memory_equal(rgb, "\xff\0\0\0\xff\0\0\0\xff\x84\x82\x84", 12);
	finish(&s);
}

/* --- lines ------------------------------------------------------------------------------- */

static void a_store_dirties_the_lines_of_its_granule(void **state)
{
	uint64_t lines[2] = { 0 };
	struct screen s;

	/* 1 KiB a line: four to a granule of 4 KiB. */
	init(&s, 128 * KIB, (struct fm_vram_mode){ 256, 100, 1024, 0, 0 });
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), FM_ERR_STATE);
	assert_int_equal(fm_dirty_start(fm_block_dirty(s.block), 0, NULL), 0);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), 0);
	fm_dev_write(s.dev, 1024 * 66 + 8, 4, 1, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), 4);
	assert_int_equal(lines[0], 0);
	assert_int_equal(lines[1], 0xf);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), 0);
	assert_int_equal(lines[1], 0);
	finish(&s);
}

static void a_line_that_two_granules_share_is_told_once(void **state)
{
	uint64_t lines[1] = { 0 };
	struct screen s;

	/* 3 KiB a line: line 1 lies in granules 0 and 1. */
	init(&s, 64 * KIB, (struct fm_vram_mode){ 768, 8, 3072, 0, 0 });
	assert_int_equal(fm_dirty_start(fm_block_dirty(s.block), 0, NULL), 0);
	fm_dev_write(s.dev, 0, 4, 1, FM_ATTRS_NONE);
	fm_dev_write(s.dev, 4096, 4, 1, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), 3);
	assert_int_equal(lines[0], 7);
	finish(&s);
}

static void a_picture_in_the_middle_of_the_block_has_its_own_lines(void **state)
{
	uint64_t lines[1] = { 0 };
	struct screen s;

	init(&s, 64 * KIB, (struct fm_vram_mode){ 256, 16, 1024, 0, 6 * KIB });
	assert_int_equal(fm_dirty_start(fm_block_dirty(s.block), 1, NULL), 0);
	fm_dev_write(s.dev, 0, 4, 1, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 1, lines), 0);
	/* The granule at 4 KiB has the first two lines, the last one at 20 KiB the last two. */
	fm_dev_write(s.dev, 6 * KIB, 4, 1, FM_ATTRS_NONE);
	fm_dev_write(s.dev, 21 * KIB, 4, 1, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 1, lines), 4);
	assert_int_equal(lines[0], 0xc003);
	finish(&s);
}

static void a_store_between_two_lines_is_no_lines(void **state)
{
	uint64_t lines[1] = { 0 };
	struct screen s;

	init(&s, 64 * KIB, (struct fm_vram_mode){ 8, 2, 16 * KIB, 0, 0 });
	assert_int_equal(fm_dirty_start(fm_block_dirty(s.block), 0, NULL), 0);
	fm_dev_write(s.dev, 8 * KIB, 4, 1, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), 0);
	fm_dev_write(s.dev, 16 * KIB, 4, 1, FM_ATTRS_NONE);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), 1);
	assert_int_equal(lines[0], 2);
	finish(&s);
}

static void another_mode_dirties_every_line(void **state)
{
	const struct fm_vram_mode mode = { 64, 10, 256, FM_VRAM_RGB565, 4 * KIB };
	uint64_t lines[1] = { 0 };
	struct screen s;

	init(&s, 64 * KIB, (struct fm_vram_mode){ 64, 20, 256, 0, 0 });
	assert_int_equal(fm_dirty_start(fm_block_dirty(s.block), 0, NULL), 0);
	assert_int_equal(fm_vram_set_mode(s.dev, &mode, NULL), 0);
	assert_int_equal(fm_vram_dirty_lines(s.dev, 0, lines), 10);
	assert_int_equal(lines[0], 0x3ff);
	finish(&s);
}

/* --- verbs ------------------------------------------------------------------------------- */

static void it_is_memory_that_keeps_its_pixels_over_a_reset(void **state)
{
	struct fm_mapping map;
	struct screen s;

	init(&s, 64 * KIB, (struct fm_vram_mode){ 64, 20, 256, 0, 0 });
	fm_dev_write(s.dev, 100, 4, 0x12345678, FM_ATTRS_NONE);
	assert_int_equal(fm_dev_map(s.dev, 0, &map), 0);
	assert_int_equal(map.prot, FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC);
	assert_int_equal(map.flags, FM_MAP_STABLE);
	assert_int_equal(fm_dev_reset(s.dev, FM_RESET_SYSTEM), 0);
	assert_int_equal(s.bytes[100], 0x78);
	assert_int_equal(fm_dev_sanitize(s.dev, NULL), 0);
	for (unsigned i = 0; i < 64 * KIB; i++)
		assert_int_equal(s.bytes[i], 0);
	finish(&s);
}

static void a_saved_mode_comes_back_and_one_that_cannot_be_does_not(void **state)
{
	struct screen a, b, small;
	struct fm_error err = { 0 };
	void *saved;
	size_t len;

	init(&a, 64 * KIB, (struct fm_vram_mode){ 64, 64, 512, FM_VRAM_RGB565, 64 });
	init(&b, 64 * KIB, (struct fm_vram_mode){ 8, 8, 32, 0, 0 });
	init(&small, 32 * KIB, (struct fm_vram_mode){ 8, 8, 32, 0, 0 });
	assert_int_equal(fm_dev_save(a.dev, &saved, &len, NULL), 0);
	assert_int_equal(fm_dev_load(b.dev, saved, len, NULL), 0);
	assert_int_equal(mode_of(&b).stride, 512);
	assert_int_equal(mode_of(&b).off, 64);
	assert_int_equal(fm_dev_load(small.dev, saved, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "length 0x10000"));
	assert_int_equal(mode_of(&small).stride, 32);
	free(saved);
	finish(&a);
	finish(&b);
	finish(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_of_zeros_is_800_by_600),
		cmocka_unit_test(a_stride_of_0_is_the_least_multiple_of_64),
		cmocka_unit_test(a_mode_that_cannot_be_is_named_and_changes_nothing),
		cmocka_unit_test(the_last_line_needs_only_its_pixels),
		cmocka_unit_test(another_device_has_no_mode),
		cmocka_unit_test(xrgb8888_is_blue_green_red_and_a_byte_that_is_ignored),
		cmocka_unit_test(rgb565_is_scaled_to_all_of_a_byte),
		cmocka_unit_test(a_store_dirties_the_lines_of_its_granule),
		cmocka_unit_test(a_line_that_two_granules_share_is_told_once),
		cmocka_unit_test(a_picture_in_the_middle_of_the_block_has_its_own_lines),
		cmocka_unit_test(a_store_between_two_lines_is_no_lines),
		cmocka_unit_test(another_mode_dirties_every_line),
		cmocka_unit_test(it_is_memory_that_keeps_its_pixels_over_a_reset),
		cmocka_unit_test(a_saved_mode_comes_back_and_one_that_cannot_be_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
