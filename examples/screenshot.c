/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Video RAM as firmware sets it up: a guest draws colour bars over a grey ramp, the host stores what is on the screen
 * as a PNG and tells which lines were drawn again: screenshot FILE.
 */
#include <firmem/dirty.h>
#include <firmem/vram.h>

#include <stdio.h>

#define WIDTH 640u
#define HEIGHT 480u

static uint32_t colour(uint32_t x, uint32_t y)
{
	static const uint32_t bars[] = { 0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
					 0xff00ff, 0xff0000, 0x0000ff, 0x000000 };

	return y < HEIGHT * 3 / 4 ? bars[x * 8 / WIDTH] : 0x010101 * (x * 256 / WIDTH);
}

/* The guest: one store a pixel, as its firmware's console would. */
static void draw(struct fm_dev *screen, const struct fm_vram_mode *mode, uint32_t first,
		 uint32_t end)
{
	for (uint32_t y = first; y < end; y++) {
		for (uint32_t x = 0; x < mode->width; x++)
			fm_dev_write(screen, mode->off + (uint64_t)y * mode->stride + 4 * x, 4,
				     colour(x, y), FM_ATTRS_NONE);
	}
}

static int show(const char *path, struct fm_block *block, struct fm_dev *screen,
		struct fm_error *err)
{
	uint64_t lines[(HEIGHT + 63) / 64];
	struct fm_vram_mode mode;
	int rc = fm_vram_mode(screen, &mode);

	if (!rc)
		rc = fm_dirty_start(fm_block_dirty(block), 0, err);
	if (rc)
		return rc;
	draw(screen, &mode, 0, mode.height);
	fm_vram_dirty_lines(screen, 0, lines);
	rc = fm_vram_screenshot(screen, path, NULL, err);
	if (rc)
		return rc;
	draw(screen, &mode, 100, 120);
	rc = fm_vram_dirty_lines(screen, 0, lines);
	printf("%s: %u x %u; %d lines drawn again\n", path, mode.width, mode.height, rc);
	return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
	struct fm_block_config mem = { sizeof(mem), "screen", .role = FM_ROLE_VRAM,
				       .len = 4 << 20 };
	struct fm_vram_config cfg = { sizeof(cfg), .mode = { .width = WIDTH, .height = HEIGHT } };
	struct fm_dev *screen = NULL;
	struct fm_error err = { 0 };
	int rc;

	if (argc != 2)
		return fprintf(stderr, "usage: screenshot FILE\n"), 2;
	rc = fm_block_new(&cfg.block, &mem, &err);
	if (!rc)
		rc = fm_vram_new(&screen, &cfg, &err);
	if (!rc)
		rc = show(argv[1], cfg.block, screen, &err);
	if (rc)
		fprintf(stderr, "screenshot: %s\n", err.msg);
	fm_dev_free(screen);
	fm_block_free(cfg.block);
	return rc ? 2 : 0;
}
