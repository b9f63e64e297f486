/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vars_build: stores of UEFI variables as bytes, right in every field, for tests and fuzz targets to put
 * one thing wrong. Layouts and states are those of docs/vars.md.
 */
#ifndef FIRMEM_FUZZ_VARS_BUILD_H
#define FIRMEM_FUZZ_VARS_BUILD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct vars_build {
	uint8_t *bytes;
	uint32_t len;   /* of the volume */
	uint32_t block; /* bytes of a block */
	uint32_t store; /* where the records' room ends */
	uint32_t work, spare;
	bool plain;  /* records without authentication */
	uint32_t at; /* where the next record goes */
};

#define VARS_BUILD_RECORDS 0x64u
#define VARS_BUILD_2M                          \
	((struct vars_build){ .len = 0x20000,  \
			      .block = 0x1000, \
			      .store = 0xe000, \
			      .work = 0xf000,  \
			      .spare = 0x10000 })
#define VARS_BUILD_4M                           \
	((struct vars_build){ .len = 0x84000,   \
			      .block = 0x1000,  \
			      .store = 0x40000, \
			      .work = 0x41000,  \
			      .spare = 0x42000 })
#define VARS_BUILD_ARM                          \
	((struct vars_build){ .len = 0xc0000,   \
			      .block = 0x40000, \
			      .store = 0x40000, \
			      .work = 0x40000,  \
			      .spare = 0x80000 })
/* No known layout: small, so that a test can try everything. */
#define VARS_BUILD_TINY                        \
	((struct vars_build){ .len = 0x4000,   \
			      .block = 0x1000, \
			      .store = 0x1000, \
			      .work = 0x2000,  \
			      .spare = 0x3000 })

static inline void vars_put(uint8_t *p, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static inline uint64_t vars_get(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	while (size--)
		v = v << 8 | p[size];
	return v;
}

/* --- headers --------------------------------------------------------------------------------- */

/* Make the sum of the volume's header 0 again. */
static inline void vars_build_sum(uint8_t *volume)
{
	unsigned sum = 0;

	vars_put(volume + 0x32, 2, 0);
	for (unsigned i = 0; i < 0x48; i += 2)
		sum += (unsigned)vars_get(volume + i, 2);
	vars_put(volume + 0x32, 2, 0x10000u - (sum & 0xffff));
}

static inline void vars_build_headers(const struct vars_build *b, uint8_t *p)
{
	static const uint8_t volume[16] = { 0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c,
					    0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50 };
	static const uint8_t auth[16] = { 0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
					  0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92 };
	static const uint8_t plain[16] = { 0x16, 0x36, 0xcf, 0xdd, 0x75, 0x32, 0x64, 0x41,
					   0x98, 0xb6, 0xfe, 0x85, 0x70, 0x7f, 0xfe, 0x7d };

	memset(p, 0, VARS_BUILD_RECORDS);
	memcpy(p + 0x10, volume, 16);
	vars_put(p + 0x20, 8, b->len);
	memcpy(p + 0x28, "_FVH", 4);
	vars_put(p + 0x2c, 4, 0x0004feff);
	vars_put(p + 0x30, 2, 0x48);
	p[0x37] = 2;
	vars_put(p + 0x38, 4, b->len / b->block);
	vars_put(p + 0x3c, 4, b->block);
	vars_build_sum(p);
	memcpy(p + 0x48, b->plain ? plain : auth, 16);
	vars_put(p + 0x58, 4, b->store - 0x48);
	p[0x5c] = 0x5a;
	p[0x5d] = 0xfe;
}

/* Bit by bit: another way to the number than the library's. */
static inline uint32_t vars_build_crc(const uint8_t *p, unsigned len)
{
	uint32_t crc = UINT32_MAX;

	for (unsigned i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static inline void vars_build_work(const struct vars_build *b, uint8_t *p)
{
	static const uint8_t guid[16] = { 0x2b, 0x29, 0x58, 0x9e, 0x68, 0x7c, 0x7d, 0x49,
					  0xa0, 0xce, 0x65, 0x00, 0xfd, 0x9f, 0x1b, 0x95 };

	memset(p, 0xff, 32);
	memcpy(p, guid, 16);
	vars_put(p + 24, 8, b->spare - b->work - 32);
	vars_put(p + 16, 4, vars_build_crc(p, 32));
	p[20] = 0xfe;
}

/* An empty store in `bytes`, which has room for b->len. */
static inline void vars_build_init(struct vars_build *b, uint8_t *bytes)
{
	b->bytes = bytes;
	b->at = VARS_BUILD_RECORDS;
	memset(bytes, 0xff, b->len);
	vars_build_headers(b, bytes);
	vars_build_work(b, bytes + b->work);
}

/* --- records ----------------------------------------------------------------------------------- */

static const uint8_t vars_guid_a[16] = { 0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
					 0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55 };
static const uint8_t vars_guid_b[16] = { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
					 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c };

/* Write a record at `p`: a name of ASCII, its data. Returns its bytes without padding. */
static inline uint32_t vars_build_record(const struct vars_build *b, uint8_t *p, uint8_t state,
					 const uint8_t guid[16], const char *name, const void *data,
					 uint32_t len)
{
	uint32_t header = b->plain ? 32 : 60;
	uint32_t name_len = 2 * (uint32_t)strlen(name) + 2;

	memset(p, 0, header + name_len);
	vars_put(p, 2, 0x55aa);
	p[2] = state;
	vars_put(p + 4, 4, 7);
	vars_put(p + (b->plain ? 8 : 36), 4, name_len);
	vars_put(p + (b->plain ? 12 : 40), 4, len);
	memcpy(p + (b->plain ? 16 : 44), guid, 16);
	for (uint32_t i = 0; name[i]; i++)
		p[header + 2 * i] = (uint8_t)name[i];
	memcpy(p + header + name_len, data, len);
	return header + name_len + len;
}

/* Append a record. Returns its offset. */
static inline uint32_t vars_build_add(struct vars_build *b, uint8_t state, const uint8_t guid[16],
				      const char *name, const void *data, uint32_t len)
{
	uint32_t off = b->at;

	b->at += vars_build_record(b, b->bytes + off, state, guid, name, data, len);
	b->at = (b->at + 3) & ~3u;
	return off;
}

/* --- a reclaim ----------------------------------------------------------------------------------- */

/*
 * Queue a write of the whole store, as a reclaim does. `header`: FE, FC or F8; `record`: FF, FD (the spare area is
 * complete) or F9 (the destination is).
 */
static inline void vars_build_queue(struct vars_build *b, uint8_t header, uint8_t record)
{
	uint8_t *p = b->bytes + b->work + 32;

	memset(p, 0xff, 40);
	p[0] = header;
	memset(p + 4, 0x76, 16);
	vars_put(p + 24, 8, 1);
	vars_put(p + 32, 8, 0);
	memset(p + 40, 0xff, 40);
	p[40] = record;
	vars_put(p + 48, 8, 0);
	vars_put(p + 56, 8, 0x48);
	vars_put(p + 64, 8, b->store - 0x48);
	vars_put(p + 72, 8, -(uint64_t)b->spare);
}

/* The spare area as a reclaim fills it: the headers, and the records that `from` has. */
static inline void vars_build_spare(struct vars_build *b, const struct vars_build *from)
{
	memset(b->bytes + b->spare, 0xff, b->len - b->spare);
	memcpy(b->bytes + b->spare, from->bytes, from->at);
}

#endif
