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
	FM_IMAGE_AUTO = 0, /* by how it begins: ELF, uImage, Intel HEX; anything else is raw */
	FM_IMAGE_RAW,
	FM_IMAGE_ELF,    /* ELF32 or ELF64, either byte order: the PT_LOAD segments */
	FM_IMAGE_UIMAGE, /* legacy U-Boot image: header and data CRC-32 are checked */
	FM_IMAGE_IHEX,   /* Intel HEX, records 00 to 05 */
};

struct fm_image_segment {
	char name[64];       /* "FILE segment 2", or "FILE" when there is one; for messages */
	uint64_t addr;       /* load (physical) address of the first byte */
	uint64_t mem_len;    /* bytes it occupies, not 0; from file_len on they are zero */
	uint64_t file_len;   /* bytes of data */
	const uint8_t *data; /* file_len bytes; the image's */
};

struct fm_image {
	enum fm_image_format format; /* never FM_IMAGE_AUTO */
	char name[64];               /* last part of the path */
	uint64_t entry;              /* physical address of the entry; 0 without one */
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
 * checked before anything is returned. Free with fm_image_free(). Any thread; allocates.
 *
 * FM_ERR_FORMAT (a field lies: named, for HEX with its line), FM_ERR_CHECKSUM, FM_ERR_SIZE (empty;
 * a field reaches beyond the end of the file, as it does in a file that was cut; addresses that
 * wrap; more than 2^20 segments), FM_ERR_OVERLAP (two segments of the image), FM_ERR_UNSUPPORTED
 * (a uImage that is compressed, or not one file with a load address), FM_ERR_ARG, FM_ERR_NOMEM. A
 * file that begins as one of the formats and then breaks its rules is an error, never raw.
 *
 * Our choice: bytes behind the data of a uImage are padding; HEX data that would run past 4 GiB is
 * FM_ERR_SIZE although Intel lets it wrap; an ELF entry of 0 counts where code is loaded at 0.
 */
FM_API int fm_image_parse(struct fm_image **out, const char *name, const void *bytes, size_t len,
			  enum fm_image_format format, uint64_t raw_addr, struct fm_error *err);

/*
 * fm_image_parse of a whole file of at most 1 GiB; `io` NULL = fm_io_posix(). The file may change
 * or go afterwards. Also FM_ERR_NOT_FOUND, FM_ERR_ACCESS, FM_ERR_IO. Blocks.
 */
FM_API int fm_image_open(struct fm_image **out, const struct fm_io *io, const char *path,
			 enum fm_image_format format, uint64_t raw_addr, struct fm_error *err);

/* NULL is fine. */
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
 * Check placements against each other. Every overlapping pair is told once through `overlap` (NULL
 * allowed; indices into `items`, first < second), ordered by the higher of the two addresses. A
 * placement of 0 bytes overlaps nothing. Returns the number of pairs; FM_ERR_RANGE when a placement
 * wraps (named in *err; nothing is told), FM_ERR_NOMEM. Costs O(count log count + pairs). Any
 * thread; allocates.
 */
FM_API int64_t fm_placement_check(const struct fm_placement *items, size_t count,
				  void (*overlap)(void *ctx, size_t first, size_t second),
				  void *ctx, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
