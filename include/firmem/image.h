/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image: firmware files taken apart into segments to place in memory: raw, ELF, Intel HEX, uImage.
 */
#ifndef FIRMEM_IMAGE_H
#define FIRMEM_IMAGE_H

#include <firmem/base.h>
#include <firmem/io.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fm_image_format {
	FM_IMAGE_AUTO = 0, /* tried in the order ELF, uImage, Intel HEX, raw */
	FM_IMAGE_RAW,
	FM_IMAGE_ELF,    /* ELF32 or ELF64, either byte order: the PT_LOAD segments */
	FM_IMAGE_UIMAGE, /* legacy U-Boot image: header and data CRC-32 are checked */
	FM_IMAGE_IHEX,   /* Intel HEX, records 00 to 05 */
};

struct fm_image_segment {
	char name[64];       /* "FILE segment 2", for messages */
	uint64_t addr;       /* load (physical) address; relative to the load address for raw */
	uint64_t mem_len;    /* bytes it occupies; from file_len on they are zero */
	uint64_t file_len;   /* bytes of data */
	const uint8_t *data; /* file_len bytes; the image's */
};

struct fm_image {
	enum fm_image_format format;
	char name[64];  /* last part of the path */
	uint64_t entry; /* entry address; 0 for raw and for HEX without one */
	bool has_entry;
	bool big_endian;                   /* ELF */
	uint16_t machine;                  /* ELF e_machine, or 0 */
	struct fm_image_segment *segments; /* by address */
	size_t count;
	void *bytes; /* the library's */
};

/*
 * Take `len` bytes apart. `bytes` is copied; `name` is for messages (its last path component is
 * kept). For FM_IMAGE_RAW the one segment is at `raw_addr`. Every size, offset and checksum is
 * checked before anything is returned: FM_ERR_FORMAT, FM_ERR_CHECKSUM, FM_ERR_SIZE (empty;
 * addresses that wrap), FM_ERR_UNSUPPORTED (a compressed uImage), FM_ERR_NOMEM. Segments of one
 * image that overlap are FM_ERR_OVERLAP. Free with fm_image_free(). Any thread; allocates.
 */
FM_API int fm_image_parse(struct fm_image **out, const char *name, const void *bytes, size_t len,
			  enum fm_image_format format, uint64_t raw_addr, struct fm_error *err);

/* fm_image_parse of a whole file of at most 1 GiB; `io` NULL = fm_io_posix(). Blocks. */
FM_API int fm_image_open(struct fm_image **out, const struct fm_io *io, const char *path,
			 enum fm_image_format format, uint64_t raw_addr, struct fm_error *err);

FM_API void fm_image_free(struct fm_image *image);

/* "elf", "uimage", "ihex", "raw"; never NULL. */
FM_API const char *fm_image_format_name(enum fm_image_format format);

/* A piece of memory that someone wants: for overlap checks across images. */
struct fm_placement {
	const char *name;
	uint64_t addr;
	uint64_t len;
};

/*
 * Check placements against each other. Every overlapping pair is told through `overlap` (indices
 * into `items`, first < second), not only the first. Returns the number of pairs; FM_ERR_RANGE when
 * a placement wraps (named in *err), FM_ERR_NOMEM.
 */
FM_API int64_t fm_placement_check(const struct fm_placement *items, size_t count,
				  void (*overlap)(void *ctx, size_t first, size_t second),
				  void *ctx, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
