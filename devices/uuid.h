/* SPDX-License-Identifier: BSD-2-Clause */
/* uuid: the 36 characters of a UUID, for bytes in their order or in that of EFI's GUIDs. */
#ifndef FIRMEM_DEVICES_UUID_H
#define FIRMEM_DEVICES_UUID_H

#include "devices/bytes.h"

#include <stdio.h>
#include <string.h>

#define FMI_UUID_TEXT 37u /* bytes, with the NUL */

/* Which byte text names at place `i`: a GUID's first three fields are little-endian. */
static inline size_t fmi_uuid_at(size_t i, bool guid)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

	return guid ? order[i] : i;
}

static inline bool fmi_uuid_is_dash(size_t i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

/* Returns `text`. */
static inline const char *fmi_uuid_text(char *text, const uint8_t *bytes, bool guid)
{
	size_t at = 0;

	for (size_t i = 0; i < 16; i++)
		at += (size_t)snprintf(text + at, FMI_UUID_TEXT - at,
				       fmi_uuid_is_dash(i) ? "-%02x" : "%02x",
				       bytes[fmi_uuid_at(i, guid)]);
	return text;
}

/* Digits of either case. False, and nothing is stored, where the text is none. */
static inline bool fmi_uuid_parse(const char *text, uint8_t *out, bool guid)
{
	uint8_t bytes[16];

	if (!text || strnlen(text, FMI_UUID_TEXT) != FMI_UUID_TEXT - 1)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high, low;

		if (fmi_uuid_is_dash(i) && *text++ != '-')
			return false;
		high = fmi_hex_digit(text[0]);
		low = fmi_hex_digit(text[1]);
		if (high < 0 || low < 0)
			return false;
		bytes[fmi_uuid_at(i, guid)] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	memcpy(out, bytes, sizeof(bytes));
	return true;
}

#endif
