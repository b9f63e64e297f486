/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_cycles: what the grammar of fuzz_flash is made of: codes, and AMD's sequences in order. */
#ifndef FIRMEM_FUZZ_FLASH_CYCLES_H
#define FIRMEM_FUZZ_FLASH_CYCLES_H

#include <stdint.h>

static const uint8_t flash_commands[] = {
	0xff, 0x00, 0xf0, 0x10, 0x40, 0x40, 0x20, 0x20, 0x50, 0x60, 0x70, 0x90, 0x98, 0xb0, 0xb0,
	0xd0, 0xd0, 0xd0, 0xd0, 0xe8, 0xe8, 0xe8, 0x01, 0x2f, 0x03, 0xc0, 0xaa, 0x55, 0x30, 0x71,
};

/* Where a cycle goes: the first or the second unlock address, anywhere, or a word of the bank. */
enum {
	FIRST = 0x1000,
	SECOND,
	ANY
};

struct flash_cycle {
	uint16_t word;
	uint8_t code;
};

#define UNLOCKED(code)                     \
	{ FIRST, 0xaa }, { SECOND, 0x55 }, \
	{                                  \
		FIRST, (code)              \
	}
#define LEAVE_SET       \
	{ 0, 0x90 },    \
	{               \
		0, 0x00 \
	}

static const struct flash_cycle flash_amd_cycles[] = {
	/* A word; a buffer, which is aborted by a word too many; the reset of that. */
	UNLOCKED(0xa0),
	{ ANY, 0x5a },
	{ ANY, 0xb0 },
	{ FIRST, 0x70 },
	{ ANY, 0x30 },
	{ FIRST, 0xaa },
	{ SECOND, 0x55 },
	{ 0, 0x25 },
	{ 0, 2 },
	{ 1, 0x11 },
	{ 3, 0x80 },
	{ 2, 0x44 },
	{ 0, 0x29 },
	{ ANY, 0xb0 },
	{ ANY, 0x30 },
	UNLOCKED(0xf0),
	/* Sectors, suspended; a word within; resumed. */
	UNLOCKED(0x80),
	{ FIRST, 0xaa },
	{ SECOND, 0x55 },
	{ ANY, 0x30 },
	{ ANY, 0x30 },
	{ ANY, 0xb0 },
	UNLOCKED(0xa0),
	{ ANY, 0x33 },
	{ ANY, 0xb0 },
	{ ANY, 0x30 },
	{ FIRST, 0x71 },
	{ ANY, 0x30 },
	/* The chip. */
	UNLOCKED(0x80),
	UNLOCKED(0x10),
	/* What can be read. */
	UNLOCKED(0x90),
	{ 0x55, 0x98 },
	{ 0xaa, 0x98 },
	{ 0, 0xf0 },
	/* Unlock bypass. */
	UNLOCKED(0x20),
	{ ANY, 0xa0 },
	{ ANY, 0x77 },
	{ ANY, 0x80 },
	{ ANY, 0x30 },
	LEAVE_SET,
	/* Protection: until reset, that persists, its lock; the lock register; the secured sector. */
	UNLOCKED(0xe0),
	{ 0, 0xa0 },
	{ ANY, 0x00 },
	{ 0, 0xa0 },
	{ ANY, 0x01 },
	LEAVE_SET,
	UNLOCKED(0xc0),
	{ 0, 0xa0 },
	{ ANY, 0x00 },
	{ 0, 0x80 },
	{ 0, 0x30 },
	LEAVE_SET,
	UNLOCKED(0x50),
	{ 0, 0xa0 },
	{ ANY, 0x00 },
	LEAVE_SET,
	UNLOCKED(0x88),
	UNLOCKED(0xa0),
	{ 2, 0x12 },
	UNLOCKED(0x90),
	{ ANY, 0x00 },
	UNLOCKED(0x40),
	{ 0, 0xa0 },
	{ 0, 0xfe },
	LEAVE_SET,
};
#define FLASH_AMD_CYCLES (sizeof(flash_amd_cycles) / sizeof(flash_amd_cycles[0]))

#endif
