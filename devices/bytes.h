/* SPDX-License-Identifier: BSD-2-Clause */
/* bytes: bounds, alignment and byte order, the one place where they are written out. */
#ifndef FIRMEM_DEVICES_BYTES_H
#define FIRMEM_DEVICES_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The least n with 2^n >= v; 63 where there is none. */
static inline uint8_t fmi_log2_ceil(uint64_t v)
{
	uint8_t n = 0;

	while (n < 63 && UINT64_C(1) << n < v)
		n++;
	return n;
}

/* The value of a hexadecimal digit of either case, or -1. */
static inline int fmi_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Does [off, off + n) lie in an object of `len` bytes? Subtracts, so nothing can wrap. */
static inline bool fmi_in_range(uint64_t off, uint64_t n, uint64_t len)
{
	return n <= len && off <= len - n;
}

/* Would addr + len leave the 64-bit address space? A range may end at 2^64. */
static inline bool fmi_wraps(uint64_t addr, uint64_t len)
{
	return len && addr > UINT64_MAX - (len - 1);
}

static inline bool fmi_is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

static inline bool fmi_is_aligned(uint64_t v, uint64_t pow2)
{
	return !(v & (pow2 - 1));
}

static inline uint64_t fmi_align_down(uint64_t v, uint64_t pow2)
{
	return v & ~(pow2 - 1);
}

/* The caller knows that it does not wrap. */
static inline uint64_t fmi_align_up(uint64_t v, uint64_t pow2)
{
	return (v + pow2 - 1) & ~(pow2 - 1);
}

static inline uint64_t fmi_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t fmi_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The low `size` bytes set; size 0 to 8. */
static inline uint64_t fmi_size_mask(unsigned size)
{
	return size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
}

static inline bool fmi_is_access_size(unsigned size)
{
	return size - 1 < 8 && !(size & (size - 1));
}

/* What is hardly ever so, told to the compiler. */
#define fmi_rarely(condition) __builtin_expect(!!(condition), 0)

static inline uint16_t fmi_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t fmi_le32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)fmi_le16(b) | (uint32_t)fmi_le16(b + 2) << 16;
}

static inline uint64_t fmi_le64(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)fmi_le32(b) | (uint64_t)fmi_le32(b + 4) << 32;
}

static inline uint16_t fmi_be16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t fmi_be32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)fmi_be16(b) << 16 | fmi_be16(b + 2);
}

static inline uint64_t fmi_be64(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)fmi_be32(b) << 32 | fmi_be32(b + 4);
}

static inline void fmi_put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void fmi_put_le32(void *p, uint32_t v)
{
	fmi_put_le16(p, (uint16_t)v);
	fmi_put_le16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

static inline void fmi_put_le64(void *p, uint64_t v)
{
	fmi_put_le32(p, (uint32_t)v);
	fmi_put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

static inline void fmi_put_be32(void *p, uint32_t v)
{
	uint8_t *b = p;

	for (unsigned i = 4; i-- > 0; v >>= 8)
		b[i] = (uint8_t)v;
}

static inline void fmi_put_be64(void *p, uint64_t v)
{
	fmi_put_be32(p, (uint32_t)(v >> 32));
	fmi_put_be32((uint8_t *)p + 4, (uint32_t)v);
}

/* Little-endian load and store of 1 to 8 bytes. */
static inline uint64_t fmi_le_load(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = size; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static inline void fmi_le_store(uint8_t *p, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

#endif
