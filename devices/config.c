/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/config.h"

#include <string.h>

/* No struct of ours will ever be larger: a size beyond is an uninitialised field. */
#define CONFIG_MAX 4096u

int fmi_config_copy(void *dst, size_t len, const void *src, const char *what, struct fm_error *err)
{
	size_t given;
	const uint8_t *bytes = src;

	if (!src)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s is NULL", what);
	memcpy(&given, src, sizeof(given));
	if (given < sizeof(given) || given > CONFIG_MAX)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s.struct_size is %zu, expected sizeof(struct %s) = %zu", what,
				    given, what, len);
	for (size_t i = len; i < given; i++) {
		if (bytes[i])
			return fm_error_set(
				err, FM_ERR_ARG, 0,
				"%s: byte %zu is set, a field this version of the library does not know",
				what, i);
	}
	memset(dst, 0, len);
	memcpy(dst, src, given < len ? given : len);
	memcpy(dst, &len, sizeof(len));
	return 0;
}
