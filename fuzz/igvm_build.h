/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * igvm_build: a small IGVM file for both platforms, all right; tests and the fuzz target then make a field
 * wrong. For measure/.
 */
#ifndef FIRMEM_FUZZ_IGVM_BUILD_H
#define FIRMEM_FUZZ_IGVM_BUILD_H

#include "fuzz/ovmf_build.h"

/* Where each header lies: 8 bytes, then its payload. */
enum {
	IGVM_PLATFORM_SNP = 24,
	IGVM_PLATFORM_TDX = IGVM_PLATFORM_SNP + 24,
	IGVM_POLICY = IGVM_PLATFORM_TDX + 24,
	IGVM_AREA = IGVM_POLICY + 24,
	IGVM_PAGE = IGVM_AREA + 24,
	IGVM_PAGE2 = IGVM_PAGE + 32,
	IGVM_INSERT = IGVM_PAGE2 + 32,
	IGVM_VP = IGVM_INSERT + 24,
	IGVM_DATA = IGVM_VP + 32,
	IGVM_LEN = IGVM_DATA + 2 * 4096,
};

static inline uint32_t igvm_crc(const uint8_t *p, size_t len, uint32_t crc)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
	}
	return crc;
}

/* Make the checksum right again. `headers` is what the header says of the variable headers' bytes. */
static inline void igvm_seal(uint8_t *file, size_t headers)
{
	uint32_t crc;

	ovmf_put(file + 20, 4, 0);
	crc = igvm_crc(file, 24, 0xffffffff);
	ovmf_put(file + 20, 4, ~igvm_crc(file + 24, headers, crc));
}

static inline uint8_t *igvm_header(uint8_t *file, unsigned at, uint32_t type, uint32_t len)
{
	ovmf_put(file + at, 4, type);
	ovmf_put(file + at + 4, 4, len);
	return file + at + 8;
}

/* IGVM_LEN bytes at `file`. */
static inline void igvm_build(uint8_t *file)
{
	uint8_t *p;

	memset(file, 0, IGVM_DATA);
	for (unsigned i = IGVM_DATA; i < IGVM_LEN; i++)
		file[i] = (uint8_t)(i * 5 + (i >> 8));
	memcpy(file, "IGVM", 4);
	ovmf_put(file + 4, 4, 1);
	ovmf_put(file + 8, 4, 24);
	ovmf_put(file + 12, 4, IGVM_DATA - 24);
	ovmf_put(file + 16, 4, IGVM_LEN);
	for (unsigned i = 0; i < 2; i++) {
		p = igvm_header(file, i ? IGVM_PLATFORM_TDX : IGVM_PLATFORM_SNP, 1, 16);
		ovmf_put(p, 4, 1 + i);
		p[5] = (uint8_t)(2 + i);
		p[6] = 1;
	}
	p = igvm_header(file, IGVM_POLICY, 0x101, 16);
	ovmf_put(p, 8, 0x30000);
	ovmf_put(p + 8, 4, 1);
	p = igvm_header(file, IGVM_AREA, 0x301, 16);
	ovmf_put(p, 8, 0x2000);
	ovmf_put(p + 8, 4, 7);
	p = igvm_header(file, IGVM_PAGE, 0x302, 24);
	ovmf_put(p, 8, 0x100000);
	ovmf_put(p + 8, 4, 3);
	ovmf_put(p + 12, 4, IGVM_DATA);
	p = igvm_header(file, IGVM_PAGE2, 0x302, 24);
	ovmf_put(p, 8, 0x101000);
	ovmf_put(p + 8, 4, 3);
	p = igvm_header(file, IGVM_INSERT, 0x303, 16);
	ovmf_put(p, 8, 0x200000);
	ovmf_put(p + 8, 4, 3);
	ovmf_put(p + 12, 4, 7);
	p = igvm_header(file, IGVM_VP, 0x304, 20);
	ovmf_put(p, 8, 0xfffffffff000);
	ovmf_put(p + 8, 4, 1);
	ovmf_put(p + 12, 4, IGVM_DATA + 4096);
	igvm_seal(file, IGVM_DATA - 24);
}

#endif
