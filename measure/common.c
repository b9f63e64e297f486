/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure/common.h"

#include <string.h>

bool fmi_all_bytes(const uint8_t *p, size_t len, uint8_t byte)
{
	return !len || (*p == byte && !memcmp(p, p + 1, len - 1));
}
