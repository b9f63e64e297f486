/* SPDX-License-Identifier: BSD-2-Clause */
/* A screenshot beside what libpng alone needs for the same lines. */
#include "bench/bench.h"

#include <firmem/vram.h>

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WIDTH 1920u
#define HEIGHT 1080u

struct both {
	struct fm_dev *dev;
	uint8_t *rgb; /* the lines, expanded before */
	char path[64];
};

static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_vram: %s\n", err->msg);
		exit(2);
	}
}

static void screenshot(void *ctx, uint64_t n)
{
	struct both *b = ctx;
	struct fm_error err;

	while (n--)
		must(fm_vram_screenshot(b->dev, b->path, NULL, &err), &err);
}

static void write_alone(png_structp png, png_infop info, FILE *file, const uint8_t *rgb)
{
	if (setjmp(png_jmpbuf(png)))
		exit(2);
	png_init_io(png, file);
	png_set_compression_level(png, 1);
	png_set_IHDR(png, info, WIDTH, HEIGHT, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	for (uint32_t y = 0; y < HEIGHT; y++)
		png_write_row(png, rgb + (size_t)y * WIDTH * 3);
	png_write_end(png, info);
}

static void alone(void *ctx, uint64_t n)
{
	struct both *b = ctx;

	while (n--) {
		FILE *file = fopen(b->path, "wb");
		png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
		png_infop info = png ? png_create_info_struct(png) : NULL;

		if (!file || !info)
			exit(2);
		write_alone(png, info, file, b->rgb);
		png_destroy_write_struct(&png, &info);
		fclose(file);
	}
}

/* Something of a desktop: flat areas, edges, and a part that hardly compresses. */
static uint32_t pixel(uint32_t x, uint32_t y)
{
	if (x > WIDTH / 2 && y > HEIGHT / 2)
		return (x * 2654435761u ^ y * 40503u) & 0xffffff;
	if (y % 20 < 12 && (x * y) % 7 == 0)
		return 0x202020;
	return y < 24 ? 0x3366aa : 0xf4f4f0;
}

int main(int argc, char **argv)
{
	struct fm_block_config mem = { .struct_size = sizeof(mem),
				       .name = "vga",
				       .role = FM_ROLE_VRAM,
				       .len = WIDTH * HEIGHT * 4 };
	struct fm_vram_config cfg = { .struct_size = sizeof(cfg),
				      .mode = { .width = WIDTH, .height = HEIGHT } };
	struct both both = { 0 };
	struct fm_error err;
	struct bench b;

	bench_init(&b, argc, argv);
	must(fm_block_new(&cfg.block, &mem, &err), &err);
	must(fm_vram_new(&both.dev, &cfg, &err), &err);
	both.rgb = malloc((size_t)WIDTH * HEIGHT * 3);
	if (!both.rgb)
		return 2;
	for (uint32_t y = 0; y < HEIGHT; y++) {
		for (uint32_t x = 0; x < WIDTH; x++)
			fm_dev_write(both.dev, 4 * ((uint64_t)y * WIDTH + x), 4, pixel(x, y),
				     FM_ATTRS_NONE);
		fm_vram_line(both.dev, y, both.rgb + (size_t)y * WIDTH * 3);
	}
	snprintf(both.path, sizeof(both.path), "/dev/shm/firmem-bench-%d.png", (int)getpid());
	bench_compare(
		&b,
		&(struct bench_side){ "vram: a screenshot of 1920 x 1080", screenshot, &both, 1 },
		&(struct bench_side){ "libpng alone, level 1", alone, &both, 1 }, 1.2);
	unlink(both.path);
	free(both.rgb);
	fm_dev_free(both.dev);
	fm_block_free(cfg.block);
	return bench_end(&b);
}
