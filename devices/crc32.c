/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/crc32.h"

#include <zlib.h>

uint32_t fmi_crc32(uint32_t crc, const void *bytes, size_t len)
{
	return (uint32_t)crc32_z(crc, bytes, len);
}

void fmi_crc32_tables(struct fmi_crc32_tables *out)
{
	for (unsigned i = 0; i < 256; i++) {
		uint32_t crc = get_crc_table()[i];

		for (unsigned n = 0; n < 4; n++) {
			out->t[n][i] = crc;
			crc = get_crc_table()[crc & 0xff] ^ crc >> 8;
		}
	}
}
