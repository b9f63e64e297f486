/* SPDX-License-Identifier: BSD-2-Clause */
/* igvm_private: the headers of an IGVM file, checked before any of them is used. */
#ifndef FIRMEM_MEASURE_IGVM_PRIVATE_H
#define FIRMEM_MEASURE_IGVM_PRIVATE_H

#include <firmem/igvm.h>

#include "measure/common.h"

/* IGVM_VHT_*: igvm_defs. */
enum fmi_igvm_type {
	FMI_IGVM_PLATFORM = 0x1,
	FMI_IGVM_POLICY = 0x101,
	FMI_IGVM_AREA = 0x301,
	FMI_IGVM_PAGE = 0x302,
	FMI_IGVM_INSERT = 0x303,
	FMI_IGVM_VP = 0x304,
	FMI_IGVM_MEMORY = 0x305,
	FMI_IGVM_ID_BLOCK = 0x30b,
	FMI_IGVM_LAST = 0x313, /* what we know */
};

enum fmi_igvm_page_flag {
	FMI_IGVM_2MB = 1,
	FMI_IGVM_PAGE_UNMEASURED = 2,
	FMI_IGVM_SHARED = 4,
};

struct fmi_igvm_header {
	uint32_t type;
	uint32_t len;           /* of the payload */
	const uint8_t *payload; /* in the file */
	size_t off;             /* of the header in the file */
};

struct fmi_igvm {
	const char *name;
	const uint8_t *bytes;
	size_t len;
	size_t start, end; /* of the variable headers */
	uint32_t mask;     /* of the platform asked for */
};

/* Check all headers; find the mask of `platform`. */
int fmi_igvm_open(struct fmi_igvm *f, enum fm_igvm_platform platform, struct fm_error *err);
/* The header at *at, which then is the next one's. The file was checked. False at the end. */
bool fmi_igvm_next(const struct fmi_igvm *f, size_t *at, struct fmi_igvm_header *h);
/* Where the compatibility mask of a known header is in its payload; it applies to all without one. */
bool fmi_igvm_applies(const struct fmi_igvm *f, const struct fmi_igvm_header *h);

#endif
