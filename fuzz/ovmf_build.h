/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ovmf_build: a small firmware image with OVMF's table, SEV metadata and a TDX descriptor, all right;
 * tests and the fuzz target then make a field wrong. For measure/.
 */
#ifndef FIRMEM_FUZZ_OVMF_BUILD_H
#define FIRMEM_FUZZ_OVMF_BUILD_H

#include <stdint.h>
#include <string.h>

#define OVMF_LEN 0x4000u
#define OVMF_META 0x3000u /* "ASEV" */
#define OVMF_TDVF 0x2800u /* "TDVF"; its GUID is 16 before */
#define OVMF_END (OVMF_LEN - 50)
#define OVMF_SECTIONS 5u
#define OVMF_HASHES_GPA 0x80f400u

/* Where the data of each entry lies, from the footer upwards. */
#define OVMF_RESET (OVMF_END - 22)
#define OVMF_HASHES (OVMF_RESET - 26)
#define OVMF_SEV (OVMF_HASHES - 22)
#define OVMF_TDX (OVMF_SEV - 22)
#define OVMF_LAST (OVMF_TDX - 20) /* one of an unknown GUID with 2 bytes */
#define OVMF_TOTAL (OVMF_LEN - 32 - OVMF_LAST)

static inline void ovmf_put(uint8_t *p, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

/* Write an entry whose data begins at `at`. */
static inline void ovmf_entry(uint8_t *image, size_t at, unsigned data, const uint8_t guid[16])
{
	ovmf_put(image + at + data, 2, data + 18);
	memcpy(image + at + data + 2, guid, 16);
}

static inline void ovmf_section(uint8_t *image, unsigned i, uint32_t gpa, uint32_t len,
				uint32_t type)
{
	ovmf_put(image + OVMF_META + 16 + 12 * i, 4, gpa);
	ovmf_put(image + OVMF_META + 20 + 12 * i, 4, len);
	ovmf_put(image + OVMF_META + 24 + 12 * i, 4, type);
}

struct ovmf_tdx_section {
	uint32_t off, raw;
	uint64_t gpa, len;
	uint32_t type, attr;
};

static inline void ovmf_tdx(uint8_t *image, unsigned i, const struct ovmf_tdx_section *s)
{
	uint8_t *p = image + OVMF_TDVF + 16 + 32 * i;

	ovmf_put(p, 4, s->off);
	ovmf_put(p + 4, 4, s->raw);
	ovmf_put(p + 8, 8, s->gpa);
	ovmf_put(p + 16, 8, s->len);
	ovmf_put(p + 24, 4, s->type);
	ovmf_put(p + 28, 4, s->attr);
}

#define OVMF_TDX_SECTIONS 4u

/* OVMF_LEN bytes at `image`. */
static inline void ovmf_build(uint8_t *image)
{
	static const uint8_t footer[16] = { 0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
					    0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d };
	static const uint8_t reset[16] = { 0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
					   0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e };
	static const uint8_t hashes[16] = { 0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
					    0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54 };
	static const uint8_t sev[16] = { 0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
					 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc };
	static const uint8_t tdx[16] = { 0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
					 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2 };
	static const uint8_t tdvf[16] = { 0xf3, 0xf9, 0xea, 0xe9, 0x8e, 0x16, 0xd5, 0x44,
					  0xa8, 0xeb, 0x7f, 0x4d, 0x87, 0x38, 0xf6, 0xae };
	static const uint8_t other[16] = { 1, 2, 3 };
	static const struct ovmf_tdx_section sections[OVMF_TDX_SECTIONS] = {
		{ 0x1000, 0x3000, 0xffffd000, 0x3000, 0, 1 },
		{ 0, 0x1000, 0xffffc000, 0x1000, 1, 0 },
		{ 0, 0, 0x810000, 0x2000, 3, 0 },
		{ 0, 0, 0x809000, 0x1000, 2, 0 },
	};

	for (unsigned i = 0; i < OVMF_LEN; i++)
		image[i] = i < 0x2000 ? 0xff : (uint8_t)(i * 7 + (i >> 8));
	memcpy(image + OVMF_LEN - 48, footer, 16);
	ovmf_put(image + OVMF_END, 2, OVMF_TOTAL);
	ovmf_entry(image, OVMF_RESET, 4, reset);
	ovmf_put(image + OVMF_RESET, 4, 0x80b004);
	ovmf_entry(image, OVMF_HASHES, 8, hashes);
	ovmf_put(image + OVMF_HASHES, 4, OVMF_HASHES_GPA);
	ovmf_put(image + OVMF_HASHES + 4, 4, 0x400);
	ovmf_entry(image, OVMF_SEV, 4, sev);
	ovmf_put(image + OVMF_SEV, 4, OVMF_LEN - OVMF_META);
	ovmf_entry(image, OVMF_TDX, 4, tdx);
	ovmf_put(image + OVMF_TDX, 4, OVMF_LEN - OVMF_TDVF);
	ovmf_entry(image, OVMF_LAST, 2, other);

	memcpy(image + OVMF_META, "ASEV", 4);
	ovmf_put(image + OVMF_META + 4, 4, 16 + 12 * OVMF_SECTIONS);
	ovmf_put(image + OVMF_META + 8, 4, 1);
	ovmf_put(image + OVMF_META + 12, 4, OVMF_SECTIONS);
	ovmf_section(image, 0, 0x800000, 0x9000, 1);
	ovmf_section(image, 1, 0x80d000, 0x1000, 2);
	ovmf_section(image, 2, 0x80e000, 0x1000, 3);
	ovmf_section(image, 3, 0x80f000, 0x1000, 0x10);
	ovmf_section(image, 4, 0x811000, 0xf000, 1);

	memcpy(image + OVMF_TDVF - 16, tdvf, 16);
	memcpy(image + OVMF_TDVF, "TDVF", 4);
	ovmf_put(image + OVMF_TDVF + 4, 4, 16 + 32 * OVMF_TDX_SECTIONS);
	ovmf_put(image + OVMF_TDVF + 8, 4, 1);
	ovmf_put(image + OVMF_TDVF + 12, 4, OVMF_TDX_SECTIONS);
	for (unsigned i = 0; i < OVMF_TDX_SECTIONS; i++)
		ovmf_tdx(image, i, &sections[i]);
}

#endif
