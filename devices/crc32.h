/* SPDX-License-Identifier: BSD-2-Clause */
/* crc32: the CRC-32 of IEEE 802.3, as zlib, UEFI and U-Boot use it. */
#ifndef FIRMEM_DEVICES_CRC32_H
#define FIRMEM_DEVICES_CRC32_H

#include "devices/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* Continue `crc` (0 to start) over `len` bytes. */
uint32_t fmi_crc32(uint32_t crc, const void *bytes, size_t len);

/* For a few bytes at a time, where a call and its loop are long: what 1 to 4 bytes make of it. */
struct fmi_crc32_tables {
	uint32_t t[4][256];
};

void fmi_crc32_tables(struct fmi_crc32_tables *out);

/* As fmi_crc32(), for 4 bytes in one step, fewer one by one. */
static inline uint32_t fmi_crc32_few(const struct fmi_crc32_tables *tables, uint32_t crc,
				     const uint8_t *bytes, size_t len)
{
	const uint32_t(*t)[256] = tables->t;

	crc = ~crc;
	if (len == 4) {
		crc ^= fmi_le32(bytes);
		return ~(t[3][crc & 0xff] ^ t[2][crc >> 8 & 0xff] ^ t[1][crc >> 16 & 0xff] ^
			 t[0][crc >> 24]);
	}
	for (size_t i = 0; i < len; i++)
		crc = t[0][(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

#endif
