/* SPDX-License-Identifier: BSD-2-Clause */
/* amd_bank: a bank of AMD chips for tests, 2 x 16 bits, and its sequences. */
#ifndef FIRMEM_TESTS_AMD_BANK_H
#define FIRMEM_TESTS_AMD_BANK_H

#include "tests/unit/bank.h"

#define LEN (128 * KIB)
#define SECTOR (16 * KIB)

/* Command addresses of a 2 x 16 bank. */
#define AT_555 (0x555 * 4u)
#define AT_2AA (0x2aa * 4u)

static inline struct fm_flash_config amd_config(void)
{
	struct fm_flash_config cfg = bank_config();

	cfg.set = FM_FLASH_AMD;
	cfg.regions[0] = (struct fm_flash_region){ SECTOR, LEN / SECTOR };
	cfg.nregions = 1;
	return cfg;
}

static inline void init(struct bank *b)
{
	bank_init(b, LEN, amd_config());
}

static inline void unlock(struct bank *b)
{
	cmd(b, AT_555, 0xaa);
	cmd(b, AT_2AA, 0x55);
}

static inline void start(struct bank *b, uint8_t command)
{
	unlock(b);
	cmd(b, AT_555, command);
}

static inline void program(struct bank *b, uint64_t off, uint32_t data)
{
	start(b, 0xa0);
	w4(b, off, data);
}

/* 80 and its unlock cycles; 30 or 10 is the caller's. */
static inline void start_erase(struct bank *b)
{
	start(b, 0x80);
	unlock(b);
}

static inline void start_buffer(struct bank *b, uint64_t sector, uint16_t words)
{
	unlock(b);
	cmd(b, sector, 0x25);
	w4(b, sector, (words - 1u) * 0x00010001u);
}

static inline void abort_reset(struct bank *b)
{
	start(b, 0xf0);
}

/* A word that shows that the bank takes commands. */
static inline void assert_works(struct bank *b)
{
	start_erase(b);
	cmd(b, 7 * SECTOR, 0x30);
	program(b, 7 * SECTOR + 64, 0x13572468);
	assert_int_equal(r4(b, 7 * SECTOR + 64), 0x13572468);
	assert_true(mapped(b));
}

#endif
