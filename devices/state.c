/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/state.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION 1u
#define TYPE_AT 12u   /* magic, format version, type length */
#define HEAD_REST 12u /* device version, body length */
#define CRC_LEN 4u

void fm_state_put_bytes(struct fm_state_writer *w, const void *bytes, size_t len)
{
	if (w->failed || len == 0)
		return;
	if (w->room - w->len < len) {
		size_t room = w->room ? w->room : 256;
		uint8_t *grown;

		while (room - w->len < len && room <= SIZE_MAX / 2)
			room *= 2;
		grown = room - w->len < len ? NULL : realloc(w->bytes, room);
		if (!grown) {
			w->failed = true;
			return;
		}
		w->bytes = grown;
		w->room = room;
	}
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

void fm_state_put_u8(struct fm_state_writer *w, uint8_t v)
{
	fm_state_put_bytes(w, &v, 1);
}

void fm_state_put_u16(struct fm_state_writer *w, uint16_t v)
{
	uint8_t b[2];

	fmi_put_le16(b, v);
	fm_state_put_bytes(w, b, sizeof(b));
}

void fm_state_put_u32(struct fm_state_writer *w, uint32_t v)
{
	uint8_t b[4];

	fmi_put_le32(b, v);
	fm_state_put_bytes(w, b, sizeof(b));
}

void fm_state_put_u64(struct fm_state_writer *w, uint64_t v)
{
	uint8_t b[8];

	fmi_put_le64(b, v);
	fm_state_put_bytes(w, b, sizeof(b));
}

void fm_state_get_bytes(struct fm_state_reader *r, void *bytes, size_t len)
{
	if (r->overrun || len > r->left) {
		r->overrun = true;
		memset(bytes, 0, len);
		return;
	}
	memcpy(bytes, r->bytes, len);
	r->bytes += len;
	r->left -= len;
}

uint8_t fm_state_get_u8(struct fm_state_reader *r)
{
	uint8_t v;

	fm_state_get_bytes(r, &v, 1);
	return v;
}

uint16_t fm_state_get_u16(struct fm_state_reader *r)
{
	uint8_t b[2];

	fm_state_get_bytes(r, b, sizeof(b));
	return fmi_le16(b);
}

uint32_t fm_state_get_u32(struct fm_state_reader *r)
{
	uint8_t b[4];

	fm_state_get_bytes(r, b, sizeof(b));
	return fmi_le32(b);
}

uint64_t fm_state_get_u64(struct fm_state_reader *r)
{
	uint8_t b[8];

	fm_state_get_bytes(r, b, sizeof(b));
	return fmi_le64(b);
}

uint32_t fm_state_version(const struct fm_state_reader *r)
{
	return r->version;
}

size_t fm_state_left(const struct fm_state_reader *r)
{
	return r->left;
}

bool fm_state_overrun(const struct fm_state_reader *r)
{
	return r->overrun;
}

/* Where the body length stands, for a type name of that length. */
static size_t body_len_at(size_t type_len)
{
	return TYPE_AT + type_len + 4;
}

void fmi_state_begin(struct fm_state_writer *w, const char *type, uint32_t version)
{
	size_t type_len = strlen(type);

	memset(w, 0, sizeof(*w));
	fm_state_put_bytes(w, "FMST", 4);
	fm_state_put_u32(w, FORMAT_VERSION);
	fm_state_put_u32(w, (uint32_t)type_len);
	fm_state_put_bytes(w, type, type_len);
	fm_state_put_u32(w, version);
	fm_state_put_u64(w, 0); /* the body's length, known at the end */
}

int fmi_state_end(struct fm_state_writer *w, void **out, size_t *len, struct fm_error *err)
{
	if (!w->failed) {
		size_t type_len = fmi_le32(w->bytes + 8);
		size_t body_at = body_len_at(type_len) + 8;

		fmi_put_le64(w->bytes + body_len_at(type_len), w->len - body_at);
		fm_state_put_u32(w, fmi_crc32(0, w->bytes, w->len));
	}
	if (w->failed) {
		free(w->bytes);
		memset(w, 0, sizeof(*w));
		return fm_error_set(err, FM_ERR_NOMEM, 0, "saved state: out of memory");
	}
	*out = w->bytes;
	*len = w->len;
	memset(w, 0, sizeof(*w));
	return 0;
}

static int bad(struct fm_error *err, const char *what, const char *why)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: saved state: %s", what, why);
}

int fmi_state_open(struct fm_state_reader *r, const void *bytes, size_t len, const char *what,
		   const char *type, uint32_t version, struct fm_error *err)
{
	const uint8_t *b = bytes;
	size_t type_len;
	uint64_t body_len;
	uint32_t v;

	if (len < TYPE_AT + HEAD_REST + CRC_LEN || memcmp(b, "FMST", 4))
		return bad(err, what, "does not start with \"FMST\" and a header");
	v = fmi_le32(b + 4);
	if (v != FORMAT_VERSION)
		return fm_error_set(err, FM_ERR_VERSION, 0,
				    "%s: saved state: format version %u, expected %u", what, v,
				    FORMAT_VERSION);
	type_len = fmi_le32(b + 8);
	if (type_len > len - TYPE_AT - HEAD_REST - CRC_LEN)
		return bad(err, what, "the type name runs past the end");
	body_len = fmi_le64(b + body_len_at(type_len));
	if (body_len != len - TYPE_AT - HEAD_REST - CRC_LEN - type_len)
		return bad(err, what, "the body's length does not fit the whole");
	v = fmi_crc32(0, b, len - CRC_LEN);
	if (v != fmi_le32(b + len - CRC_LEN))
		return fm_error_set(err, FM_ERR_CHECKSUM, 0,
				    "%s: saved state: CRC-32 0x%08x, expected 0x%08x", what, v,
				    fmi_le32(b + len - CRC_LEN));
	if (type_len != strlen(type) || memcmp(b + TYPE_AT, type, type_len))
		return fm_error_set(
			err, FM_ERR_FORMAT, 0,
			"%s: saved state: of a device of type \"%.*s\", expected \"%s\"", what,
			type_len > 64 ? 64 : (int)type_len, (const char *)b + TYPE_AT, type);
	v = fmi_le32(b + TYPE_AT + type_len);
	if (v > version)
		return fm_error_set(err, FM_ERR_VERSION, 0,
				    "%s: saved state: version %u of \"%s\", expected at most %u",
				    what, v, type, version);
	r->version = v;
	r->bytes = b + body_len_at(type_len) + 8;
	r->left = (size_t)body_len;
	r->overrun = false;
	return 0;
}
