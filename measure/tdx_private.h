/* SPDX-License-Identifier: BSD-2-Clause */
/* tdx_private: MRTD's stream of adds and extends, which firmware images and IGVM files share. */
#ifndef FIRMEM_MEASURE_TDX_PRIVATE_H
#define FIRMEM_MEASURE_TDX_PRIVATE_H

#include <firmem/tdx.h>

#include "measure/common.h"

#define FMI_TDX_CHUNK 256u /* bytes of one TDH.MR.EXTEND */
#define FMI_TDX_BLOCK 128u /* what is hashed for an operation */
#define FMI_TDX_EXTENDS (FMI_PAGE / FMI_TDX_CHUNK)
#define FMI_TDX_PAGE_LEN (FMI_TDX_EXTENDS * (FMI_TDX_BLOCK + FMI_TDX_CHUNK))

struct fmi_tdx {
	struct fm_digest *digest;
	struct fm_transcript *transcript;
	/* An add, then the extends of a page: handed to libcrypto at once. */
	uint8_t buf[FMI_TDX_BLOCK + FMI_TDX_PAGE_LEN];
};

/* FM_ERR_NOMEM, FM_ERR_UNSUPPORTED; fmi_tdx_end() is for after either outcome. */
int fmi_tdx_begin(struct fmi_tdx *t, struct fm_transcript *transcript, struct fm_error *err);
void fmi_tdx_end(struct fmi_tdx *t);
/*
 * One page: added, its 4096 bytes at `bytes` measured, or both. `bytes` NULL with `extend` is zeros.
 */
int fmi_tdx_page(struct fmi_tdx *t, bool add, bool extend, uint64_t gpa, const uint8_t *bytes,
		 const char *part, struct fm_error *err);

#endif
