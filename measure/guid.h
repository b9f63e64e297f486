/* SPDX-License-Identifier: BSD-2-Clause */
/* guid: EFI's GUIDs as files have them: the first three fields little-endian, the rest as written. */
#ifndef FIRMEM_MEASURE_GUID_H
#define FIRMEM_MEASURE_GUID_H

#include "devices/uuid.h"

#include <string.h>

struct fmi_guid {
	uint8_t bytes[16];
};

#define FMI_GUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                                          \
	{                                                                                          \
		{                                                                                  \
			(a) & 0xff, (a) >> 8 & 0xff, (a) >> 16 & 0xff, (a) >> 24 & 0xff, (b)&0xff, \
				(b) >> 8, (c)&0xff, (c) >> 8, d0, d1, d2, d3, d4, d5, d6, d7       \
		}                                                                                  \
	}

static inline bool fmi_guid_is(const uint8_t *p, const struct fmi_guid *guid)
{
	return !memcmp(p, guid->bytes, sizeof(guid->bytes));
}

#endif
