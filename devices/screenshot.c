/* SPDX-License-Identifier: BSD-2-Clause */
/* A picture of video memory: the one file that knows libpng. */
#include "devices/vram_private.h"

#include "devices/io_private.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 1 /* zlib's fastest: the picture of a screen is looked at once */

/* A PNG file as it grows in memory. */
struct picture {
	uint8_t *bytes;
	size_t len;
	size_t room;
};

static void append(png_structp png, png_bytep bytes, size_t len)
{
	struct picture *p = png_get_io_ptr(png);

	if (p->room - p->len < len) {
		size_t room = (p->len + len) * 2;
		uint8_t *grown = realloc(p->bytes, room);

		if (!grown)
			png_error(png, "out of memory");
		p->bytes = grown;
		p->room = room;
	}
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void nothing(png_structp png)
{
}

/* libpng leaves its functions by longjmp(): nothing here needs undoing but what the caller has. */
static int write_lines(png_structp png, png_infop info, struct fm_dev *dev,
		       const struct fm_vram_mode *m, uint8_t *line)
{
	if (setjmp(png_jmpbuf(png)))
		return FM_ERR_NOMEM;
	png_set_compression_level(png, LEVEL);
	png_set_IHDR(png, info, m->width, m->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	for (uint32_t y = 0; y < m->height; y++) {
		fm_vram_line(dev, y, line);
		png_write_row(png, line);
	}
	png_write_end(png, info);
	return 0;
}

static int draw(struct fm_dev *dev, const struct fm_vram_mode *m, struct picture *p)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	uint8_t *line = malloc((size_t)m->width * 3);
	int rc = FM_ERR_NOMEM;

	if (info && line) {
		png_set_write_fn(png, p, append, nothing);
		rc = write_lines(png, info, dev, m, line);
	}
	free(line);
	if (png)
		png_destroy_write_struct(&png, &info);
	return rc;
}

int fm_vram_screenshot(struct fm_dev *dev, const char *path, const struct fm_io *io,
		       struct fm_error *err)
{
	struct fmi_vram *v = fmi_vram_of(dev);
	struct picture picture = { 0 };
	int rc;

	if (!v || !path)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_vram_screenshot: dev is no video memory, or path is NULL");
	rc = fmi_io_check(&io, v->name, err);
	if (rc)
		return rc;
	rc = draw(dev, &v->mode, &picture);
	if (rc)
		fm_error_set(err, rc, 0, "%s: out of memory for a picture of %u x %u pixels",
			     v->name, v->mode.width, v->mode.height);
	else
		rc = fm_io_store(io, path, picture.bytes, picture.len, err);
	free(picture.bytes);
	return rc;
}
