/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rom: firmware copied into anonymous memory. The guest's writes are dropped, a pristine copy is
 * kept for reset, and edits of the host file after loading are not seen.
 */
#ifndef FIRMEM_ROM_H
#define FIRMEM_ROM_H

#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/image.h>
#include <firmem/space.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_rom_config {
	size_t struct_size;     /* sizeof(struct fm_rom_config) */
	const char *name;       /* of the device; NULL = the block's name */
	struct fm_block *block; /* borrowed; outlives the device; writable, not a shared file */
	const void *data;       /* copied to the start of the block; the rest is `fill` */
	size_t len;             /* bytes; at most the block's length; not 0 */
	uint8_t fill;           /* byte for the rest of the block */
	bool shadow;            /* guest writes land (shadow RAM) until a reset reloads the ROM */
};

/*
 * A ROM: `block` is filled with the contents. Guest and debug writes are dropped or, with `shadow`,
 * land and mark the dirty log. All of it maps for good: read and execute, with `shadow` write too.
 * reset(): power-on, system and confidential reload the pristine contents; the other kinds keep
 * what is there. sanitize() is a reload. A reload writes and marks what differs, nothing else.
 * FM_ERR_ARG, FM_ERR_SIZE (data larger than the block), FM_ERR_NOMEM. Allocates `len` bytes.
 */
FM_API int fm_rom_new(struct fm_dev **out, const struct fm_rom_config *cfg, struct fm_error *err);

/*
 * Does the block still hold the pristine contents? If not, *at (NULL allowed) gets the offset of
 * the first difference. False for a device that is no ROM.
 */
FM_API bool fm_rom_pristine(struct fm_dev *rom, uint64_t *at);

/*
 * Copy the image's segments into one new anonymous block of `role` named `name` that spans them
 * (zero between), make a ROM device of it and give the address it belongs at. `page` rounds the
 * span outwards (a power of two; 0 = 4096). On success *block and *dev are the caller's; the image
 * may be freed. FM_ERR_SIZE when the span is larger than `max_len` bytes (0 = 1 GiB), FM_ERR_ARG,
 * FM_ERR_NOMEM.
 */
FM_API int fm_rom_from_image(struct fm_block **block, struct fm_dev **dev, uint64_t *gpa,
			     const struct fm_image *image, const char *name, enum fm_role role,
			     uint64_t page, uint64_t max_len, struct fm_error *err);

/*
 * The x86 layout of a BIOS: the device ends at 4 GiB with priority `priority`, and its last
 * min(length, 128 KiB) are seen again, as an alias window "NAME-low" of priority + 1, ending at
 * 1 MiB. Any device may be mapped so. The length must be a multiple of 64 KiB and at most 16 MiB.
 * FM_ERR_SIZE, FM_ERR_ARG (a priority of INT_MAX), FM_ERR_RANGE (a space of less than 32 bits),
 * FM_ERR_OVERLAP, FM_ERR_NOMEM: the space is as it was. Within the caller's own fm_space_begin()
 * overlaps show at its commit.
 */
FM_API int fm_rom_map_x86(struct fm_space *space, struct fm_dev *rom, int priority,
			  struct fm_error *err);

/* --- option ROMs (PCI Firmware Specification 3.x, section 5.1; Plug and Play BIOS 1.0A) ------- */

struct fm_option_rom_info {
	uint32_t len;        /* bytes of the image: PCIR image length, else init_len; the next
				image of the same ROM is there unless `last` */
	uint32_t init_len;   /* bytes: the header's length x 512; what the byte sum is over */
	uint16_t pci_vendor; /* from the PCIR structure, 0 when there is none */
	uint16_t pci_device;
	uint8_t code_type; /* PCIR: 0 x86, 1 Open Firmware, 3 EFI; 0xff when there is no PCIR */
	bool last;         /* PCIR indicator: last image of the ROM; true without PCIR */
	uint8_t sum;       /* byte sum; 0 when right, and where there is none (not x86) */
};

/*
 * Check the option ROM image that `bytes` begins with: signature 55 AA, a length that is not 0 and
 * lies inside `len`, a PCIR structure (if any) inside the image; for x86 images and those without
 * PCIR a byte sum of zero, for EFI images their signature. What is behind the image is not looked
 * at. `info` may be NULL. FM_ERR_SIZE, FM_ERR_FORMAT: *info is untouched; FM_ERR_CHECKSUM: *info
 * is filled. Any thread; does not allocate.
 */
FM_API int fm_option_rom_check(const void *bytes, size_t len, struct fm_option_rom_info *info,
			       struct fm_error *err);
/*
 * Change the last byte that the sum is over so that the sum is zero. An image that is right, or has
 * no sum, is left alone. FM_ERR_FORMAT also when that byte belongs to the PCIR structure; otherwise
 * as fm_option_rom_check.
 */
FM_API int fm_option_rom_fix(void *bytes, size_t len, struct fm_error *err);
/* The PCI ROM BAR size for an image: the next power of two, at least 2048; 0 if over 2 GiB. */
FM_API uint64_t fm_option_rom_bar_len(uint64_t len);

#ifdef __cplusplus
}
#endif

#endif
