/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flash: a bank of parallel NOR flash chips that answer the Common Flash Interface (JEDEC JESD68.01,
 * JEP137), here with the Intel/Sharp command set (0x0001).
 *
 * A bank of `bank_width` bytes is made of bank_width / chip_width interleaved chips, each with its
 * own state machine; chip n is on the n-th byte lane group. Reads in read-array state are plain
 * memory; the first command write turns the bank into a trapped window (FM_EFF_REMAP).
 */
#ifndef FIRMEM_FLASH_H
#define FIRMEM_FLASH_H

#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/fdt.h>
#include <firmem/io.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_FLASH_REGIONS 4u
#define FM_FLASH_CHIPS 8u

enum fm_flash_set {
	FM_FLASH_INTEL = 0, /* Intel/Sharp, primary command set 0x0001 */
};

/* What a write narrower than the bank does. */
enum fm_flash_narrow {
	FM_FLASH_NARROW_IGNORE = 0, /* nothing: a bus without byte enables (traced) */
	FM_FLASH_NARROW_LANES,      /* reaches only the chips whose lanes it covers whole */
	FM_FLASH_NARROW_BROADCAST,  /* every chip sees the value, repeated: as QEMU's */
};

/* A run of erase blocks ("sectors") of one size. */
struct fm_flash_region {
	uint64_t block_len; /* bytes of a block of the bank: the chips' blocks side by side */
	uint32_t count;     /* blocks; 1 to 65536 */
};

struct fm_flash_config {
	size_t struct_size;     /* sizeof(struct fm_flash_config) */
	const char *name;       /* of the device; NULL = the block's name */
	struct fm_block *block; /* the array; borrowed; its length is the sum of the regions */
	enum fm_flash_set set;
	unsigned bank_width; /* bytes: 1, 2, 4, 8; 0 = 4 */
	unsigned chip_width; /* bytes: 1, 2, 4, at most bank_width; 0 = min(2, bank_width) */
	struct fm_flash_region regions[FM_FLASH_REGIONS]; /* lowest address first */
	unsigned nregions;                                /* 0 = one region of 256 KiB blocks */
	enum fm_flash_narrow narrow;
	uint32_t buffer_len;   /* bytes of the bank's write buffer: a power of two times
					 bank_width; 0 = 1024 per chip */
	uint16_t manufacturer; /* 0 = 0x0089, Intel */
	uint16_t device_id;    /* 0 = 0x0018 */
	bool read_only;        /* program and erase end in a lock error */
	/*
	 * The image that persists the array, the same length as the block. It is read into the block
	 * here, and programs and erases are written to it. Neither `image` nor `image_fd`: the array
	 * starts as what the block holds, and nothing persists.
	 */
	const char *image;
	bool use_image_fd; /* `image_fd` instead of `image` */
	int image_fd;      /* duplicated; the caller keeps its own */
	bool create; /* make the image, all FF, when it is absent; never over an existing file */
	const struct fm_io *io; /* NULL = fm_io_posix() */
};

/*
 * A bank in its power-on state: read-array, all blocks unlocked. Errors name the field or the file:
 * FM_ERR_ARG (impossible geometry), FM_ERR_SIZE (the image's size against the bank's),
 * FM_ERR_ACCESS (image not writable and not read_only), FM_ERR_LOCKED (another opener),
 * FM_ERR_NOT_FOUND, FM_ERR_IO, FM_ERR_NOMEM. Blocks; allocates.
 */
FM_API int fm_flash_new(struct fm_dev **out, const struct fm_flash_config *cfg,
			struct fm_error *err);

/* Counters since the device was made; for tools and tests. FM_ERR_ARG if `dev` is not a flash. */
struct fm_flash_stats {
	uint64_t programs; /* program operations (a buffer is one) */
	uint64_t program_bytes;
	uint64_t erases;         /* blocks */
	uint64_t array_entries;  /* returns to read-array */
	uint64_t ignored_writes; /* narrow writes that had no effect */
	uint64_t host_writes;    /* pwrite calls */
	uint64_t host_bytes;     /* bytes of them */
};
FM_API int fm_flash_stats(struct fm_dev *dev, struct fm_flash_stats *out);

/*
 * Build banks from a "cfi-flash" node of a device tree: one bank for each reg entry, named
 * "flash@ADDRESS". `bank-width` is read; the sector size that the binding lacks comes from `ctx`,
 * a struct fm_flash_fdt_options (NULL = its defaults). The first bank has role flash-code, others
 * flash-vars.
 */
struct fm_flash_fdt_options {
	size_t struct_size;
	uint64_t sector_len; /* bytes of a bank's block; 0 = 256 KiB */
	unsigned chips;      /* chips side by side; 0 = 2 (1 where bank-width is 1) */
	enum fm_flash_narrow narrow;
};
FM_API int fm_flash_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
			      struct fm_space *space, void *ctx, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
