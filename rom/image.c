/* SPDX-License-Identifier: BSD-2-Clause */
#include "rom/image_private.h"

#include "devices/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (UINT32_C(1) << 30)

/* --- segments ---------------------------------------------------------------------------- */

int fmi_image_add(struct fmi_image_builder *b, uint64_t addr, uint64_t mem_len, const uint8_t *data,
		  uint64_t file_len)
{
	struct fm_image *image = b->image;

	if (fmi_wraps(addr, mem_len))
		return fm_error_set(b->err, FM_ERR_SIZE, 0,
				    "%s: 0x%" PRIx64 " bytes at address 0x%" PRIx64
				    " wrap, expected them to end by 2^64",
				    image->name, mem_len, addr);
	if (image->count >= FMI_IMAGE_SEGMENTS_MAX)
		return fm_error_set(b->err, FM_ERR_SIZE, 0,
				    "%s: more than %u segments, expected at most as many",
				    image->name, FMI_IMAGE_SEGMENTS_MAX);
	if (image->count == b->room) {
		size_t room = b->room ? 2 * b->room : 4;
		struct fm_image_segment *grown =
			realloc(image->segments, room * sizeof(*image->segments));

		if (!grown)
			return fm_error_set(b->err, FM_ERR_NOMEM, 0, "%s: out of memory",
					    image->name);
		image->segments = grown;
		b->room = room;
	}
	image->segments[image->count++] = (struct fm_image_segment){
		.addr = addr, .mem_len = mem_len, .data = data, .file_len = file_len
	};
	return 0;
}

static int by_address(const void *left, const void *right)
{
	const struct fm_image_segment *a = left, *b = right;

	return (a->addr > b->addr) - (a->addr < b->addr);
}

static void name_segments(struct fm_image *image)
{
	for (size_t i = 0; i < image->count; i++) {
		struct fm_image_segment *s = &image->segments[i];

		if (image->count == 1)
			memcpy(s->name, image->name, sizeof(s->name));
		else
			snprintf(s->name, sizeof(s->name), "%.32s segment %zu", image->name, i);
	}
}

/* Bring the segments in order. No two may claim an address. */
static int settle(struct fm_image *image, struct fm_error *err)
{
	qsort(image->segments, image->count, sizeof(*image->segments), by_address);
	for (size_t i = 1; i < image->count; i++) {
		const struct fm_image_segment *a = &image->segments[i - 1], *b = a + 1;

		if (b->addr - a->addr < a->mem_len)
			return fm_error_set(err, FM_ERR_OVERLAP, 0,
					    "%s: the segments at 0x%" PRIx64 " (0x%" PRIx64
					    " bytes) and 0x%" PRIx64 " (0x%" PRIx64
					    " bytes) overlap, expected every address once",
					    image->name, a->addr, a->mem_len, b->addr, b->mem_len);
	}
	name_segments(image);
	return 0;
}

/* --- formats ----------------------------------------------------------------------------- */

static enum fm_image_format detect(const uint8_t *bytes, size_t len)
{
	if (fmi_image_is_elf(bytes, len))
		return FM_IMAGE_ELF;
	if (fmi_image_is_uimage(bytes, len))
		return FM_IMAGE_UIMAGE;
	if (fmi_image_is_ihex(bytes, len))
		return FM_IMAGE_IHEX;
	return FM_IMAGE_RAW;
}

static int parse_format(struct fmi_image_builder *b, uint64_t raw_addr)
{
	switch (b->image->format) {
	case FM_IMAGE_RAW:
		return fmi_image_parse_raw(b, raw_addr);
	case FM_IMAGE_ELF:
		return fmi_image_parse_elf(b);
	case FM_IMAGE_UIMAGE:
		return fmi_image_parse_uimage(b);
	case FM_IMAGE_IHEX:
		return fmi_image_parse_ihex(b);
	case FM_IMAGE_AUTO:
		break;
	}
	return fm_error_set(b->err, FM_ERR_ARG, 0,
			    "%s: format is %d, expected enum fm_image_format", b->image->name,
			    (int)b->image->format);
}

const char *fm_image_format_name(enum fm_image_format format)
{
	switch (format) {
	case FM_IMAGE_AUTO:
		return "auto";
	case FM_IMAGE_RAW:
		return "raw";
	case FM_IMAGE_ELF:
		return "elf";
	case FM_IMAGE_UIMAGE:
		return "uimage";
	case FM_IMAGE_IHEX:
		return "ihex";
	}
	return "unknown";
}

/* --- life -------------------------------------------------------------------------------- */

/* The last component of a path, cut to fit; never empty. */
static void put_name(struct fm_image *image, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path;

	if (!name || !*name)
		name = "image";
	snprintf(image->name, sizeof(image->name), "%s", name);
}

/* Takes `bytes`, also on failure; NULL is an allocation of the caller's that failed. */
static int parse(struct fm_image **out, const char *path, uint8_t *bytes, size_t len,
		 enum fm_image_format format, uint64_t raw_addr, struct fm_error *err)
{
	struct fm_image *image = calloc(1, sizeof(*image));
	struct fmi_image_builder b = { .image = image, .bytes = bytes, .len = len, .err = err };
	int rc;

	if (!image || !bytes) {
		free(image);
		free(bytes);
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
				    path ? path : "image");
	}
	put_name(image, path);
	image->bytes = bytes;
	image->format = format == FM_IMAGE_AUTO ? detect(bytes, len) : format;
	if (len)
		rc = parse_format(&b, raw_addr);
	else
		rc = fm_error_set(err, FM_ERR_SIZE, 0, "%s: empty, expected at least 1 byte",
				  image->name);
	if (!rc)
		rc = settle(image, err);
	if (rc) {
		fm_image_free(image);
		return rc;
	}
	*out = image;
	return 0;
}

int fm_image_parse(struct fm_image **out, const char *name, const void *bytes, size_t len,
		   enum fm_image_format format, uint64_t raw_addr, struct fm_error *err)
{
	uint8_t *copy;

	if (!out || (!bytes && len))
		return fm_error_set(err, FM_ERR_ARG, 0, "%s: out and bytes must be given",
				    name ? name : "image");
	copy = malloc(len ? len : 1);
	if (copy && len)
		memcpy(copy, bytes, len);
	return parse(out, name, copy, len, format, raw_addr, err);
}

int fm_image_open(struct fm_image **out, const struct fm_io *io, const char *path,
		  enum fm_image_format format, uint64_t raw_addr, struct fm_error *err)
{
	void *bytes;
	size_t len;
	int rc;

	if (!out || !path)
		return fm_error_set(err, FM_ERR_ARG, 0, "image: out and path must be given");
	rc = fm_io_load(io, path, FILE_MAX, &bytes, &len, err);
	if (rc)
		return rc;
	return parse(out, path, bytes, len, format, raw_addr, err);
}

void fm_image_free(struct fm_image *image)
{
	if (!image)
		return;
	free(image->segments);
	free(image->bytes);
	free(image);
}
