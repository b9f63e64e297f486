/* SPDX-License-Identifier: BSD-2-Clause */
/* qemu_amd_bank: a bank of AMD chips as QEMU has it for tests, 16 bits, and its sequences. */
#ifndef FIRMEM_TESTS_QEMU_AMD_BANK_H
#define FIRMEM_TESTS_QEMU_AMD_BANK_H

#include "tests/unit/bank.h"

#define LEN (64 * KIB)
#define SECTOR (8 * KIB)
#define SECTOR_NS UINT64_C(512000)
#define CHIP_NS UINT64_C(4096000000)
#define WINDOW_NS UINT64_C(50000)

/* Command addresses of a bank of 16 bits. */
#define AT_555 (0x555 * 2u)
#define AT_2AA (0x2aa * 2u)
#define AT_55 (0x55 * 2u)

static inline struct fm_flash_config config(void)
{
	struct fm_flash_config cfg = bank_config();

	cfg.set = FM_FLASH_AMD;
	cfg.bank_width = 2;
	cfg.regions[0] = (struct fm_flash_region){ SECTOR, LEN / SECTOR };
	cfg.nregions = 1;
	assert_int_equal(fm_flash_profile("qemu-7.2", &cfg, NULL), 0);
	return cfg;
}

static inline void init(struct bank *b)
{
	bank_init(b, LEN, config());
}

static inline void w2(struct bank *b, uint64_t off, uint16_t value)
{
	wr(b, off, 2, value);
}

static inline unsigned r2(struct bank *b, uint64_t off)
{
	return (unsigned)rd(b, off, 2);
}

static inline void start(struct bank *b, uint16_t command)
{
	w2(b, AT_555, 0xaa);
	w2(b, AT_2AA, 0x55);
	w2(b, AT_555, command);
}

static inline void program(struct bank *b, uint64_t off, uint16_t data)
{
	start(b, 0xa0);
	w2(b, off, data);
}

static inline void erase(struct bank *b, uint64_t off)
{
	start(b, 0x80);
	w2(b, AT_555, 0xaa);
	w2(b, AT_2AA, 0x55);
	w2(b, off, 0x30);
}

static inline void erase_chip(struct bank *b)
{
	start(b, 0x80);
	start(b, 0x10);
}

static inline void assert_ready(struct bank *b)
{
	program(b, LEN - 2, 0x1234);
	assert_int_equal(r2(b, LEN - 2), 0x1234);
}

#endif
