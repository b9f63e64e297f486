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
	struct fm_block *block; /* borrowed; private (anonymous) memory; filled here */
	const void *data;       /* copied to the start of the block; the rest is `fill` */
	size_t len;             /* bytes; at most the block's length; not 0 */
	uint8_t fill;           /* byte for the rest of the block */
	bool shadow;            /* guest writes land (shadow RAM) until a reset reloads the ROM */
};

/*
 * A ROM. reset(): power-on, system and confidential reload the pristine contents; the other kinds
 * keep what is there. sanitize() is a reload. FM_ERR_ARG, FM_ERR_SIZE (data larger than the block),
 * FM_ERR_NOMEM.
 */
FM_API int fm_rom_new(struct fm_dev **out, const struct fm_rom_config *cfg, struct fm_error *err);

/* Does the block still hold the pristine contents? *at (NULL allowed) gets the first difference. */
FM_API bool fm_rom_pristine(struct fm_dev *rom, uint64_t *at);

/*
 * Copy the image's segments into one new anonymous block of `role` named `name` that spans them
 * (zero between), make a ROM device of it and give the address it belongs at. `page` rounds the
 * span outwards (0 = 4096). On success *block and *dev are the caller's. FM_ERR_SIZE when the span
 * is larger than `max_len` bytes (0 = 1 GiB).
 */
FM_API int fm_rom_from_image(struct fm_block **block, struct fm_dev **dev, uint64_t *gpa,
			     const struct fm_image *image, const char *name, enum fm_role role,
			     uint64_t page, uint64_t max_len, struct fm_error *err);

/*
 * The x86 layout of a BIOS: the device ends at 4 GiB with priority `priority`, and its last
 * min(length, 128 KiB) are seen again, as an alias window of priority + 1, ending at 1 MiB. The
 * length must be a multiple of 64 KiB and at most 16 MiB. FM_ERR_SIZE, FM_ERR_OVERLAP, FM_ERR_NOMEM:
 * the space is as it was.
 */
FM_API int fm_rom_map_x86(struct fm_space *space, struct fm_dev *rom, int priority,
			  struct fm_error *err);

/* --- option ROMs (PCI Firmware Specification 3.x, section 5.1; Plug and Play BIOS 1.0A) -------- */

struct fm_option_rom_info {
	uint32_t len;        /* bytes: the length byte x 512 */
	uint16_t pci_vendor; /* from the PCIR structure, 0 when there is none */
	uint16_t pci_device;
	uint8_t code_type; /* PCIR: 0 x86, 1 Open Firmware, 3 EFI; 0xff when there is no PCIR */
	bool last;         /* PCIR indicator: last image of the ROM */
	uint8_t sum;       /* byte sum of the image; 0 when right */
};

/*
 * Check an option ROM image: signature 55 AA, a length byte that is not 0 and lies inside `len`, a
 * byte sum of zero, a PCIR structure (if any) inside the image. FM_ERR_SIZE, FM_ERR_FORMAT;
 * FM_ERR_CHECKSUM with *info filled.
 */
FM_API int fm_option_rom_check(const void *bytes, size_t len, struct fm_option_rom_info *info,
			       struct fm_error *err);
/* Set the last byte of the image so that the sum is zero. As fm_option_rom_check otherwise. */
FM_API int fm_option_rom_fix(void *bytes, size_t len, struct fm_error *err);
/* The PCI ROM BAR size for an image: the next power of two, at least 2048; 0 if over 2 GiB. */
FM_API uint64_t fm_option_rom_bar_len(uint64_t len);

#ifdef __cplusplus
}
#endif

#endif
