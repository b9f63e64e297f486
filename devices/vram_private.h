/* SPDX-License-Identifier: BSD-2-Clause */
/* vram_private: what vram.c, vram_fdt.c and screenshot.c share of video memory. */
#ifndef FIRMEM_DEVICES_VRAM_PRIVATE_H
#define FIRMEM_DEVICES_VRAM_PRIVATE_H

#include <firmem/vram.h>

struct fmi_vram {
	struct fm_block *block;
	struct fm_dirty *dirty;
	uint8_t *host;
	uint64_t len;
	struct fm_vram_mode mode;
	const char *name; /* the device's */
};

/* The video memory behind a device, or NULL for another device. */
struct fmi_vram *fmi_vram_of(struct fm_dev *dev);
/* Is the picture one, and in so many bytes? Fills in the stride. FM_ERR_ARG: the field is named. */
int fmi_vram_check_mode(struct fm_vram_mode *mode, uint64_t block_len, const char *name,
			struct fm_error *err);

#endif
