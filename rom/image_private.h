/* SPDX-License-Identifier: BSD-2-Clause */
/* image_private: what image.c and the parsers of the formats share. */
#ifndef FIRMEM_ROM_IMAGE_PRIVATE_H
#define FIRMEM_ROM_IMAGE_PRIVATE_H

#include <firmem/image.h>

/*
 * No firmware comes near it. It bounds what a small hostile file can make us allocate: a byte in
 * every other address of an Intel HEX file would be a segment each.
 */
#define FMI_IMAGE_SEGMENTS_MAX (UINT32_C(1) << 20)

struct fmi_image_builder {
	struct fm_image *image;
	const uint8_t *bytes; /* the file; owned by image->bytes */
	size_t len;
	size_t room;          /* segments allocated */
	struct fm_error *err; /* NULL allowed */
};

/*
 * Add a segment. Addresses must not wrap: FM_ERR_SIZE. FM_ERR_NOMEM. Order and overlaps are
 * image.c's, afterwards.
 */
int fmi_image_add(struct fmi_image_builder *b, uint64_t addr, uint64_t mem_len, const uint8_t *data,
		  uint64_t file_len);

/* Does the file claim to be of this format? A claim that is not kept is the parser's error. */
bool fmi_image_is_elf(const uint8_t *bytes, size_t len);
bool fmi_image_is_uimage(const uint8_t *bytes, size_t len);
bool fmi_image_is_ihex(const uint8_t *bytes, size_t len);

/* Fill the image; on failure image.c frees whatever was put there. The file is not empty. */
int fmi_image_parse_raw(struct fmi_image_builder *b, uint64_t addr);
int fmi_image_parse_elf(struct fmi_image_builder *b);
int fmi_image_parse_uimage(struct fmi_image_builder *b);
int fmi_image_parse_ihex(struct fmi_image_builder *b);

#endif
