/* SPDX-License-Identifier: BSD-2-Clause */
#include "rom/image_private.h"

int fmi_image_parse_raw(struct fmi_image_builder *b, uint64_t addr)
{
	return fmi_image_add(b, addr, b->len, b->bytes, b->len);
}
