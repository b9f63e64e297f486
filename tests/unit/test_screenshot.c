/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures of video memory, read back by libpng; framebuffer nodes there and back. */
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include <firmem/vram.h>

#include <png.h>
#include <stdio.h>

#define KIB 1024u

static struct fm_dev *new_vram(struct fm_block **block, uint64_t len, struct fm_vram_mode mode)
{
	struct fm_block_config mem = {
		.struct_size = sizeof(mem), .name = "vga", .role = FM_ROLE_VRAM, .len = len
	};
	struct fm_vram_config cfg = { .struct_size = sizeof(cfg), .mode = mode };
	struct fm_dev *dev;

	assert_int_equal(fm_block_new(block, &mem, NULL), 0);
	cfg.block = *block;
	assert_int_equal(fm_vram_new(&dev, &cfg, NULL), 0);
	return dev;
}

/* A colour for each place, the same in both formats. */
static uint32_t colour(uint32_t x, uint32_t y)
{
	static const uint32_t corners[] = { 0xff0000, 0x00ff00, 0x0000ff, 0xffffff };

	return corners[(x / 8 + y / 8) % 4];
}

static void draw(struct fm_dev *dev)
{
	struct fm_vram_mode m;

	assert_int_equal(fm_vram_mode(dev, &m), 0);
	for (uint32_t y = 0; y < m.height; y++) {
		for (uint32_t x = 0; x < m.width; x++) {
			uint32_t c = colour(x, y);
			bool small = m.format == FM_VRAM_RGB565;
			unsigned size = small ? 2 : 4;

			if (small)
				c = (c >> 8 & 0xf800) | (c >> 5 & 0x07e0) | (c >> 3 & 0x1f);
			fm_dev_write(dev, m.off + (uint64_t)y * m.stride + x * size, size, c,
				     FM_ATTRS_NONE);
		}
	}
}

static void check_picture(const char *path, uint32_t width, uint32_t height)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint8_t *rgb;

	assert_true(png_image_begin_read_from_file(&image, path));
	assert_int_equal(image.width, width);
	assert_int_equal(image.height, height);
	image.format = PNG_FORMAT_RGB;
	rgb = malloc(PNG_IMAGE_SIZE(image));
	assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			const uint8_t *p = rgb + 3 * ((size_t)y * width + x);

			assert_int_equal(p[0] << 16 | p[1] << 8 | p[2], colour(x, y));
		}
	}
	free(rgb);
}

static void a_picture_has_the_pixels_that_were_drawn(void **state)
{
	for (unsigned format = 0; format < FM_VRAM_FORMATS; format++) {
		const struct fm_vram_mode mode = { 75, 40, 384, format, 512 };
		struct fm_block *block;
		struct fm_dev *dev = new_vram(&block, 64 * KIB, mode);
		const char *path = tmpdir_path(state, "screen.png");

		draw(dev);
		assert_int_equal(fm_vram_screenshot(dev, path, NULL, NULL), 0);
		check_picture(path, 75, 40);
		fm_dev_free(dev);
		fm_block_free(block);
	}
}

static void a_picture_that_cannot_be_stored_is_an_error_that_names_it(void **state)
{
	const struct fm_vram_mode mode = { 8, 8, 32, 0, 0 };
	struct fm_block *block;
	struct fm_dev *dev = new_vram(&block, 64 * KIB, mode);
	struct fm_error err = { 0 };

	assert_true(fm_vram_screenshot(dev, "/nowhere/at/all.png", NULL, &err) < 0);
	assert_non_null(strstr(err.msg, "/nowhere/at"));
	assert_int_equal(fm_vram_screenshot(NULL, "x", NULL, &err), FM_ERR_ARG);
	assert_int_equal(fm_vram_screenshot(dev, NULL, NULL, &err), FM_ERR_ARG);
	fm_dev_free(dev);
	fm_block_free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_picture_has_the_pixels_that_were_drawn),
		cmocka_unit_test(a_picture_that_cannot_be_stored_is_an_error_that_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
