/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvdimm_image: files that hold an NVDIMM: its memory, and behind it, at the end of the file, its label
 * area. QEMU's are the same. From libfirmem-nvdimm.
 */
#ifndef FIRMEM_NVDIMM_IMAGE_H
#define FIRMEM_NVDIMM_IMAGE_H

#include <firmem/base.h>
#include <firmem/io.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_NVDIMM_ALIGN (UINT64_C(2) << 20) /* bytes: of a huge page, that Linux' fsdax wants */

struct fm_nvdimm_image_config {
	size_t struct_size; /* sizeof(struct fm_nvdimm_image_config) */
	const char *path;
	uint64_t pmem_len;  /* bytes of memory: a multiple of FM_NVDIMM_ALIGN, not 0 */
	uint64_t label_len; /* bytes of labels: 0, or 1 KiB to 1 GiB */
	/*
	 * Leave holes. Without it each byte is written: where writing a page into a hole fails, ext4 may
	 * lose that page for good (docs/persist.md), and a full disk shows now and not later.
	 */
	bool sparse;
	const struct fm_io *io; /* NULL = fm_io_posix() */
	/* Of a new image: its label area, `label_len` bytes. NULL: zeros, which are no labels yet. */
	const void *labels;
	/* Of a new image: it takes the place of a file that is there; otherwise that is FM_ERR_EXISTS. */
	bool replace;
};

/*
 * Make a file of zeros, durable when this returns 0. It is written beside, and has its name only when it is
 * whole, also when it is cut. On failure there is no file, or the one that was to be replaced; or, of these,
 * when only the sync of the folder failed, the new one. FM_ERR_ARG, FM_ERR_EXISTS (also where 16 temporary
 * files are in the way), FM_ERR_NOSPACE, what fm_io_err() makes of the host's error. Any thread; blocks;
 * allocates.
 */
FM_API int fm_nvdimm_image_create(const struct fm_nvdimm_image_config *cfg, struct fm_error *err);

/*
 * Give an image more memory: a new file with the old memory, zeros and the old labels takes the place of
 * the old one at once, also when it is cut. Nobody may have it open (what is written meanwhile is lost);
 * the new file has mode 0600. On failure the file is the old one, or, when only the sync of the folder
 * failed, the new one. FM_ERR_ARG, FM_ERR_NOT_FOUND, FM_ERR_SIZE (not larger than it is, or too small for
 * its labels), FM_ERR_EXISTS (16 temporary files are in the way), as above.
 */
FM_API int fm_nvdimm_image_grow(const struct fm_nvdimm_image_config *cfg, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
