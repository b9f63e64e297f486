/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvdimm/dsm_aml.h"

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

void fmi_aml_bytes(struct fmi_aml *a, const void *p, size_t len)
{
	if (a->room - a->len < len) {
		size_t room = 2 * (a->room + len);
		uint8_t *grown = realloc(a->p, room);

		if (!grown) {
			a->failed = true;
			return;
		}
		a->p = grown;
		a->room = room;
	}
	if (!a->failed)
		memcpy(a->p + a->len, p, len);
	a->len += len;
}

void fmi_aml_op(struct fmi_aml *a, unsigned code)
{
	uint8_t byte = (uint8_t)code;

	fmi_aml_bytes(a, &byte, 1);
}

void fmi_aml_ops(struct fmi_aml *a, size_t count, const uint8_t *codes)
{
	fmi_aml_bytes(a, codes, count);
}

void fmi_aml_seg(struct fmi_aml *a, const char *name)
{
	fmi_aml_bytes(a, name, 4);
}

void fmi_aml_integer(struct fmi_aml *a, uint32_t v)
{
	uint8_t le[4];

	fmi_put_le32(le, v);
	if (v < 2) {
		fmi_aml_op(a, v);
	} else if (v < 0x100) {
		fmi_aml_op(a, OP_BYTE);
		fmi_aml_bytes(a, le, 1);
	} else if (v < 0x10000) {
		fmi_aml_op(a, OP_WORD);
		fmi_aml_bytes(a, le, 2);
	} else {
		fmi_aml_op(a, OP_DWORD);
		fmi_aml_bytes(a, le, 4);
	}
}

void fmi_aml_length(uint8_t *p, size_t len)
{
	p[0] = (uint8_t)(0x80 | (len & 15));
	p[1] = (uint8_t)(len >> 4);
	p[2] = (uint8_t)(len >> 12);
}

size_t fmi_aml_begin(struct fmi_aml *a)
{
	static const uint8_t room[3];

	fmi_aml_bytes(a, room, 3);
	return a->len - 3;
}

void fmi_aml_end(struct fmi_aml *a, size_t at)
{
	if (!a->failed)
		fmi_aml_length(a->p + at, a->len - at);
}

void fmi_aml_buffer(struct fmi_aml *a, const void *p, uint32_t len)
{
	size_t at;

	fmi_aml_op(a, OP_BUFFER);
	at = fmi_aml_begin(a);
	fmi_aml_integer(a, len);
	fmi_aml_bytes(a, p, len);
	fmi_aml_end(a, at);
}
