/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure/common.h"

#include <string.h>

int fmi_measure_config(void *dst, size_t len, const void *src, const char *what,
		       struct fm_error *err)
{
	const uint8_t *s = src;
	size_t given;

	if (!src)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s is NULL", what);
	memcpy(&given, src, sizeof(given));
	if (given < sizeof(given))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s.struct_size is %zu, expected sizeof(struct %s)", what,
				    given, what);
	for (size_t i = len; i < given; i++) {
		if (s[i])
			return fm_error_set(err, FM_ERR_ARG, 0,
					    "%s: byte %zu is set, this version knows %zu bytes",
					    what, i, len);
	}
	memset(dst, 0, len);
	memcpy(dst, src, given < len ? given : len);
	return 0;
}

bool fmi_all_bytes(const uint8_t *p, size_t len, uint8_t byte)
{
	return !len || (*p == byte && !memcmp(p, p + 1, len - 1));
}
