/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quick: the short way of most accesses of all, whole bank words to chips that are all in one state, of a
 * bank without anything that would have to be asked (f->quick_width). What is not done here is for lanes.c;
 * both come to the same, which the tests hold.
 */
#ifndef FIRMEM_FLASH_QUICK_H
#define FIRMEM_FLASH_QUICK_H

#include "devices/device_private.h"
#include "devices/guestmem.h"
#include "flash/flash_private.h"

/* Attributes as the register that they come in: compilers would take the struct apart for each bit. */
static inline uint32_t fmi_quick_bits(struct fm_attrs attrs)
{
	uint32_t bits = 0;

	_Static_assert(sizeof(attrs) <= sizeof(bits), "they fit a register");
	memcpy(&bits, &attrs, sizeof(attrs));
	return bits;
}

static inline struct fm_attrs fmi_quick_attrs(uint32_t bits)
{
	struct fm_attrs attrs;

	memcpy(&attrs, &bits, sizeof(attrs));
	return attrs;
}

static inline bool fmi_quick_debug(uint32_t bits)
{
	const struct fm_attrs debug = { .debug = true };

	return bits & fmi_quick_bits(debug);
}

/* Does the access name one whole word, while nobody listens and all chips are alike? */
static inline bool fmi_quick_fits(const struct fmi_flash *f, uint64_t off, unsigned size,
				  uint32_t bits)
{
	return size == f->quick_width && !(off & (size - 1)) && !fmi_quick_debug(bits) &&
	       !f->dev->trace;
}

/* Is it a command that only changes what is shown or awaited, the same for all chips? */
static inline const struct fmi_intel_plain *fmi_quick_command(const struct fmi_flash *f,
							      uint64_t value)
{
	const struct fmi_intel_plain *plain = &fmi_intel_plain[value & 0xff];

	return plain->is && value == (value & 0xff) * f->repeat ? plain : NULL;
}

/* AND a word, aligned in the bank and in memory, into the cells. True if that changed one. */
static inline bool fmi_quick_and(uint8_t *cells, unsigned width, uint64_t value)
{
	uint64_t old;

	switch (width) {
	case 4: /* the usual one */
		old = le32toh(__atomic_load_n((fmi_alias32 *)cells, __ATOMIC_RELAXED));
		if (!(old & ~value))
			return false;
		__atomic_store_n((fmi_alias32 *)cells, htole32((uint32_t)(old & value)),
				 __ATOMIC_RELAXED);
		return true;
	default:
		old = fmi_mem_read(cells, width);
		if (old & ~value)
			fmi_mem_write(cells, width, old & value);
		return old & ~value;
	}
}

#endif
