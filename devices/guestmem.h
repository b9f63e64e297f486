/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guestmem: loads and stores of memory that guest threads may be using at the same moment. Every
 * one is a relaxed atomic, so a guest's data race is never undefined behaviour of the host; a
 * naturally aligned access of 1, 2, 4 or 8 bytes is single-copy atomic, as guests expect of memory.
 * Values are as on a little-endian bus: the byte at the lowest address is the least significant.
 */
#ifndef FIRMEM_DEVICES_GUESTMEM_H
#define FIRMEM_DEVICES_GUESTMEM_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "devices/bytes.h"

/* Guest memory has no declared type; adopted memory may have any. */
typedef uint16_t __attribute__((may_alias)) fmi_alias16;
typedef uint32_t __attribute__((may_alias)) fmi_alias32;
typedef uint64_t __attribute__((may_alias)) fmi_alias64;

static inline uint8_t fmi_mem_load8(const void *p)
{
	return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
}

static inline void fmi_mem_store8(void *p, uint8_t v)
{
	__atomic_store_n((uint8_t *)p, v, __ATOMIC_RELAXED);
}

/* The host's own byte order; `p` is 8-byte aligned. */
static inline uint64_t fmi_mem_load_word(const void *p)
{
	return __atomic_load_n((const fmi_alias64 *)p, __ATOMIC_RELAXED);
}

static inline void fmi_mem_store_word(void *p, uint64_t v)
{
	__atomic_store_n((fmi_alias64 *)p, v, __ATOMIC_RELAXED);
}

/* Unaligned, or of an odd size (1 to 8): no guest expects this to be atomic. */
static inline uint64_t fmi_mem_read_bytewise(const void *host, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = size; i-- > 0;)
		v = v << 8 | fmi_mem_load8((const uint8_t *)host + i);
	return v;
}

static inline void fmi_mem_write_bytewise(void *host, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		fmi_mem_store8((uint8_t *)host + i, (uint8_t)v);
}

/* One access of 1 to 8 bytes at any alignment. */
static inline uint64_t fmi_mem_read(const void *host, unsigned size)
{
	if ((uintptr_t)host & (size - 1))
		return fmi_mem_read_bytewise(host, size);
	switch (size) {
	case 1:
		return fmi_mem_load8(host);
	case 2:
		return le16toh(__atomic_load_n((const fmi_alias16 *)host, __ATOMIC_RELAXED));
	case 4:
		return le32toh(__atomic_load_n((const fmi_alias32 *)host, __ATOMIC_RELAXED));
	case 8:
		return le64toh(fmi_mem_load_word(host));
	default:
		return fmi_mem_read_bytewise(host, size);
	}
}

/* Bits of `value` above `size` bytes are ignored. */
static inline void fmi_mem_write(void *host, unsigned size, uint64_t value)
{
	if ((uintptr_t)host & (size - 1)) {
		fmi_mem_write_bytewise(host, size, value);
		return;
	}
	switch (size) {
	case 1:
		fmi_mem_store8(host, (uint8_t)value);
		break;
	case 2:
		__atomic_store_n((fmi_alias16 *)host, htole16((uint16_t)value), __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((fmi_alias32 *)host, htole32((uint32_t)value), __ATOMIC_RELAXED);
		break;
	case 8:
		fmi_mem_store_word(host, htole64(value));
		break;
	default:
		fmi_mem_write_bytewise(host, size, value);
		break;
	}
}

/* Copy `len` bytes from the caller's buffer into guest memory. */
static inline void fmi_mem_copy_in(void *host, const void *buf, size_t len)
{
	uint8_t *to = host;
	const uint8_t *from = buf;

	for (; len && (uintptr_t)to % 8; len--)
		fmi_mem_store8(to++, *from++);
	for (; len >= 8; len -= 8, to += 8, from += 8) {
		uint64_t word;

		memcpy(&word, from, 8);
		fmi_mem_store_word(to, word);
	}
	for (; len; len--)
		fmi_mem_store8(to++, *from++);
}

/* Copy `len` bytes of guest memory into the caller's buffer. */
static inline void fmi_mem_copy_out(void *buf, const void *host, size_t len)
{
	uint8_t *to = buf;
	const uint8_t *from = host;

	for (; len && (uintptr_t)from % 8; len--)
		*to++ = fmi_mem_load8(from++);
	for (; len >= 8; len -= 8, to += 8, from += 8) {
		uint64_t word = fmi_mem_load_word(from);

		memcpy(to, &word, 8);
	}
	for (; len; len--)
		*to++ = fmi_mem_load8(from++);
}

/* Fill `len` bytes of guest memory with `byte`. */
static inline void fmi_mem_fill(void *host, uint8_t byte, size_t len)
{
	uint8_t *to = host;

	for (; len && (uintptr_t)to % 8; len--)
		fmi_mem_store8(to++, byte);
	for (; len >= 8; len -= 8, to += 8)
		fmi_mem_store_word(to, byte * UINT64_C(0x0101010101010101));
	for (; len; len--)
		fmi_mem_store8(to++, byte);
}

#endif
