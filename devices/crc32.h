/* SPDX-License-Identifier: BSD-2-Clause */
/* crc32: the CRC-32 of IEEE 802.3, as zlib, UEFI and U-Boot use it. */
#ifndef FIRMEM_DEVICES_CRC32_H
#define FIRMEM_DEVICES_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continue `crc` (0 to start) over `len` bytes. */
uint32_t fmi_crc32(uint32_t crc, const void *bytes, size_t len);

#endif
