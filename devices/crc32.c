/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/crc32.h"

#include <zlib.h>

uint32_t fmi_crc32(uint32_t crc, const void *bytes, size_t len)
{
	return (uint32_t)crc32_z(crc, bytes, len);
}
