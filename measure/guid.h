/* SPDX-License-Identifier: BSD-2-Clause */
/* guid: EFI's GUIDs as files have them: the first three fields little-endian, the rest as written. */
#ifndef FIRMEM_MEASURE_GUID_H
#define FIRMEM_MEASURE_GUID_H

#include "devices/bytes.h"

#include <stdio.h>
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

#define FMI_GUID_TEXT 37u

static inline bool fmi_guid_is(const uint8_t *p, const struct fmi_guid *guid)
{
	return !memcmp(p, guid->bytes, sizeof(guid->bytes));
}

/* "96b582de-1fb2-45f7-baea-a366c55a082d", 37 bytes at `text`. Returns `text`. */
static inline const char *fmi_guid_text(char *text, const uint8_t *p)
{
	snprintf(text, FMI_GUID_TEXT, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 fmi_le32(p), fmi_le16(p + 4), fmi_le16(p + 6), p[8], p[9], p[10], p[11], p[12],
		 p[13], p[14], p[15]);
	return text;
}

#endif
