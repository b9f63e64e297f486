/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/vram_private.h"

#include <firmem/dirty.h>
#include <firmem/ram.h>

#include "devices/config.h"
#include "devices/guestmem.h"

#include <stdlib.h>
#include <string.h>

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)
#define DEFAULT_WIDTH 800u
#define DEFAULT_HEIGHT 600u
#define STRIDE_ALIGN 64u

/* --- modes ------------------------------------------------------------------------------- */

static unsigned pixel_len(enum fm_vram_format format)
{
	return format == FM_VRAM_RGB565 ? 2 : 4;
}

const char *fm_vram_format_name(enum fm_vram_format format)
{
	switch (format) {
	case FM_VRAM_XRGB8888:
		return "x8r8g8b8";
	case FM_VRAM_RGB565:
		return "r5g6b5";
	case FM_VRAM_FORMATS:
		break;
	}
	return "unknown";
}

static int check_sides(const struct fm_vram_mode *m, const char *name, struct fm_error *err)
{
	if (!m->width || m->width > FM_VRAM_SIDE_MAX)
		return BAD(err, "%s: fm_vram_mode.width is %u, expected 1 to %u pixels", name,
			   m->width, FM_VRAM_SIDE_MAX);
	if (!m->height || m->height > FM_VRAM_SIDE_MAX)
		return BAD(err, "%s: fm_vram_mode.height is %u, expected 1 to %u lines", name,
			   m->height, FM_VRAM_SIDE_MAX);
	if ((unsigned)m->format >= FM_VRAM_FORMATS)
		return BAD(err,
			   "%s: fm_vram_mode.format is %d, expected 0 (XRGB8888) or 1 (RGB565)",
			   name, (int)m->format);
	return 0;
}

int fmi_vram_check_mode(struct fm_vram_mode *m, uint64_t block_len, const char *name,
			struct fm_error *err)
{
	int rc = check_sides(m, name, err);
	uint32_t line;
	uint64_t len;

	if (rc)
		return rc;
	line = m->width * pixel_len(m->format);
	if (!m->stride)
		m->stride = (uint32_t)fmi_align_up(line, STRIDE_ALIGN);
	if (m->stride < line || m->stride % 4)
		return BAD(err,
			   "%s: fm_vram_mode.stride is %u, expected a multiple of 4 of at least "
			   "%u bytes (%u pixels)",
			   name, m->stride, line, m->width);
	if (m->off % 4)
		return BAD(err, "%s: fm_vram_mode.off is 0x%llx, expected a multiple of 4", name,
			   (unsigned long long)m->off);
	/* The last line needs no more than its pixels. */
	len = (uint64_t)m->stride * (m->height - 1) + line;
	if (!fmi_in_range(m->off, len, block_len))
		return BAD(err,
			   "%s: fm_vram_mode: %u x %u pixels of stride %u at 0x%llx need 0x%llx "
			   "bytes, expected no more than the block's 0x%llx",
			   name, m->width, m->height, m->stride, (unsigned long long)m->off,
			   (unsigned long long)len, (unsigned long long)block_len);
	return 0;
}

/* --- the device -------------------------------------------------------------------------- */

static unsigned vram_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			  struct fm_attrs attrs)
{
	struct fmi_vram *v = state;

	*value = fmi_mem_read(v->host + off, size);
	return 0;
}

static unsigned vram_write(void *state, uint64_t off, unsigned size, uint64_t value,
			   struct fm_attrs attrs)
{
	struct fmi_vram *v = state;

	fmi_mem_write(v->host + off, size, value);
	return fm_dirty_mark(v->dirty, off, size) ? FM_EFF_DIRTY : 0;
}

static void vram_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct fmi_vram *v = state;

	out->len = v->len;
	out->prot = FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC;
	out->flags = FM_MAP_STABLE;
	out->block = v->block;
}

static int vram_sanitize(void *state, struct fm_error *err)
{
	struct fmi_vram *v = state;

	fmi_mem_fill(v->host, 0, v->len);
	fm_dirty_mark(v->dirty, 0, v->len);
	return fm_block_sync(v->block, 0, v->len, err);
}

static void vram_save(void *state, struct fm_state_writer *w)
{
	struct fmi_vram *v = state;

	fm_state_put_u64(w, v->len);
	fm_state_put_u32(w, v->mode.width);
	fm_state_put_u32(w, v->mode.height);
	fm_state_put_u32(w, v->mode.stride);
	fm_state_put_u32(w, v->mode.format);
	fm_state_put_u64(w, v->mode.off);
}

static int vram_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct fmi_vram *v = state;
	uint64_t len = fm_state_get_u64(r);
	struct fm_vram_mode mode = { .width = fm_state_get_u32(r) };
	int rc;

	mode.height = fm_state_get_u32(r);
	mode.stride = fm_state_get_u32(r);
	mode.format = (enum fm_vram_format)fm_state_get_u32(r);
	mode.off = fm_state_get_u64(r);
	if (fm_state_overrun(r) || fm_state_left(r) || !mode.stride)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: body of the wrong length or stride 0, "
				    "expected 32 bytes and a stride",
				    v->name);
	if (len != v->len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: length 0x%llx, expected 0x%llx", v->name,
				    (unsigned long long)len, (unsigned long long)v->len);
	rc = fmi_vram_check_mode(&mode, v->len, v->name, err);
	if (rc) {
		if (err)
			err->code = FM_ERR_FORMAT;
		return FM_ERR_FORMAT;
	}
	v->mode = mode;
	fm_dirty_mark(v->dirty, 0, v->len);
	return 0;
}

static void vram_describe(void *state, const struct fm_visitor *v)
{
	struct fmi_vram *vram = state;

	v->text(v->ctx, "block", fm_block_name(vram->block));
	v->u64(v->ctx, "width", vram->mode.width);
	v->u64(v->ctx, "height", vram->mode.height);
	v->u64(v->ctx, "stride", vram->mode.stride);
	v->text(v->ctx, "format", fm_vram_format_name(vram->mode.format));
	v->u64(v->ctx, "off", vram->mode.off);
}

static int vram_flush(void *state, struct fm_error *err)
{
	struct fmi_vram *v = state;

	return fm_block_sync(v->block, 0, v->len, err);
}

static const struct fm_dev_ops vram_ops = {
	.struct_size = sizeof(vram_ops),
	.type = "vram",
	.version = 1,
	.read = vram_read,
	.write = vram_write,
	.map = vram_map,
	.flush = vram_flush,
	.sanitize = vram_sanitize,
	.save = vram_save,
	.load = vram_load,
	.describe = vram_describe,
	.free = free,
};

struct fmi_vram *fmi_vram_of(struct fm_dev *dev)
{
	return dev ? fm_dev_state(dev, &vram_ops) : NULL;
}

int fm_vram_new(struct fm_dev **out, const struct fm_vram_config *cfg, struct fm_error *err)
{
	struct fm_dev_config dev = { .struct_size = sizeof(dev) };
	struct fm_vram_config c;
	struct fmi_vram *v;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_vram_config", err);

	if (rc)
		return rc;
	if (!c.block)
		return BAD(err, "fm_vram_config.block is NULL");
	dev.name = c.name ? c.name : fm_block_name(c.block);
	dev.len = fm_block_len(c.block);
	if (fm_block_flags(c.block) & FM_BLOCK_READONLY)
		return BAD(err, "%s: block %s is read-only, expected a writable one", dev.name,
			   fm_block_name(c.block));
	if (!c.mode.width) {
		c.mode.width = DEFAULT_WIDTH;
		c.mode.height = c.mode.height ? c.mode.height : DEFAULT_HEIGHT;
	}
	rc = fmi_vram_check_mode(&c.mode, dev.len, dev.name, err);
	if (rc)
		return rc;
	v = calloc(1, sizeof(*v));
	if (!v)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", dev.name);
	v->block = c.block;
	v->dirty = fm_block_dirty(c.block);
	v->host = fm_block_ptr(c.block);
	v->len = dev.len;
	v->mode = c.mode;
	rc = fm_dev_new(out, &vram_ops, v, &dev, err);
	if (rc) {
		free(v);
		return rc;
	}
	v->name = fm_dev_name(*out);
	return 0;
}

int fm_vram_set_mode(struct fm_dev *dev, const struct fm_vram_mode *mode, struct fm_error *err)
{
	struct fmi_vram *v = fmi_vram_of(dev);
	struct fm_vram_mode m;
	int rc;

	if (!v || !mode)
		return BAD(err, "fm_vram_set_mode: dev is no video memory, or mode is NULL");
	m = *mode;
	rc = fmi_vram_check_mode(&m, v->len, v->name, err);
	if (rc)
		return rc;
	v->mode = m;
	fm_dirty_mark(v->dirty, m.off, (uint64_t)m.stride * m.height);
	return 0;
}

int fm_vram_mode(struct fm_dev *dev, struct fm_vram_mode *out)
{
	struct fmi_vram *v = fmi_vram_of(dev);

	if (!v || !out)
		return FM_ERR_ARG;
	*out = v->mode;
	return 0;
}

/* --- lines ------------------------------------------------------------------------------- */

static void expand_565(const uint8_t *from, uint32_t width, uint8_t *rgb)
{
	for (uint32_t x = 0; x < width; x++, from += 2, rgb += 3) {
		unsigned pixel = (unsigned)fmi_mem_read(from, 2);
		unsigned r = pixel >> 11;
		unsigned g = pixel >> 5 & 0x3f;
		unsigned b = pixel & 0x1f;

		/* The high bits once more below: 0 stays 0, all ones become 255. */
		rgb[0] = (uint8_t)(r << 3 | r >> 2);
		rgb[1] = (uint8_t)(g << 2 | g >> 4);
		rgb[2] = (uint8_t)(b << 3 | b >> 2);
	}
}

static void expand_8888(const uint8_t *from, uint32_t width, uint8_t *rgb)
{
	for (uint32_t x = 0; x < width; x++, from += 4, rgb += 3) {
		uint32_t pixel = (uint32_t)fmi_mem_read(from, 4);

		rgb[0] = (uint8_t)(pixel >> 16);
		rgb[1] = (uint8_t)(pixel >> 8);
		rgb[2] = (uint8_t)pixel;
	}
}

int fm_vram_line(struct fm_dev *dev, uint32_t line, uint8_t *rgb)
{
	struct fmi_vram *v = fmi_vram_of(dev);
	const uint8_t *from;

	if (!v || !rgb)
		return FM_ERR_ARG;
	if (line >= v->mode.height)
		return FM_ERR_RANGE;
	from = v->host + v->mode.off + (uint64_t)line * v->mode.stride;
	if (v->mode.format == FM_VRAM_RGB565)
		expand_565(from, v->mode.width, rgb);
	else
		expand_8888(from, v->mode.width, rgb);
	return 0;
}

/* Set the bits of the lines whose pixels are in [lo, hi) of the picture. */
static int set_lines(const struct fm_vram_mode *m, uint64_t lo, uint64_t hi, uint64_t *lines)
{
	int fresh = 0;

	for (uint64_t n = lo / m->stride; n < m->height && n * m->stride < hi; n++) {
		uint64_t bit = UINT64_C(1) << n % 64;
		uint64_t pixels_end = n * m->stride + (uint64_t)m->width * pixel_len(m->format);

		/* Nothing but the bytes between two lines. */
		if (pixels_end <= lo || (lines[n / 64] & bit))
			continue;
		lines[n / 64] |= bit;
		fresh++;
	}
	return fresh;
}

int fm_vram_dirty_lines(struct fm_dev *dev, unsigned client, uint64_t *lines)
{
	struct fmi_vram *v = fmi_vram_of(dev);
	const struct fm_vram_mode *m = v ? &v->mode : NULL;
	uint64_t granule, first, len;
	uint64_t *bits;
	int64_t set;
	int count = 0;

	if (!v || !lines || client >= FM_DIRTY_CLIENTS)
		return FM_ERR_ARG;
	granule = fm_block_dirty_granule(v->block);
	first = fmi_align_down(m->off, granule);
	len = (uint64_t)m->stride * (m->height - 1) + (uint64_t)m->width * pixel_len(m->format);
	bits = calloc(fm_dirty_words(v->dirty, m->off, len), sizeof(*bits));
	if (!bits)
		return FM_ERR_NOMEM;
	set = fm_dirty_harvest(v->dirty, client, m->off, len, bits);
	if (set < 0) {
		free(bits);
		return (int)set;
	}
	memset(lines, 0, ((size_t)m->height + 63) / 64 * sizeof(*lines));
	for (uint64_t n = 0; set && first + n * granule < m->off + len; n++) {
		uint64_t lo = first + n * granule;

		if (!(bits[n / 64] >> n % 64 & 1))
			continue;
		count += set_lines(m, lo > m->off ? lo - m->off : 0, lo + granule - m->off, lines);
	}
	free(bits);
	return count;
}
