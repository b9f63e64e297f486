/* SPDX-License-Identifier: BSD-2-Clause */
/* amd_timed_bank: a bank of AMD chips whose operations take time, and its sequences. */
#ifndef FIRMEM_TESTS_AMD_TIMED_BANK_H
#define FIRMEM_TESTS_AMD_TIMED_BANK_H

#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

#define WINDOW_NS (50 * US)
#define DQ(bits) ((bits)*0x00010001u)

static inline struct fm_flash_config time_config(void)
{
	struct fm_flash_config cfg = amd_config();

	cfg.time = FM_FLASH_TIME_TYPICAL;
	return cfg;
}

static inline void timed(struct bank *b)
{
	bank_init(b, LEN, time_config());
	for (unsigned i = 0; i < LEN; i += SECTOR)
		memset(b->array + i + 4, 0x77, 4);
	keep_log(b);
}

static inline void erase_sector(struct bank *b, uint64_t off)
{
	start_erase(b);
	cmd(b, off, 0x30);
}

/* Sector 1 is being erased, which is suspended 24 ms after its window. */
static inline void suspend_erase(struct bank *b)
{
	erase_sector(b, SECTOR);
	tick(b, WINDOW_NS);
	tick(b, WINDOW_NS + 24 * MS);
	cmd(b, 0, 0xb0);
}

static inline uint32_t status_register(struct bank *b)
{
	cmd(b, AT_555, 0x70);
	return r4(b, 0);
}

/* As assert_works(), and that it is over when the time has come. */
static inline void assert_works_in_time(struct bank *b)
{
	program(b, 7 * SECTOR + 64, 0x13572468);
	tick_on(b);
	assert_int_equal(r4(b, 7 * SECTOR + 64), 0x13572468);
	assert_true(mapped(b));
	assert_true(deadline(b) == FM_NEVER);
}

#endif
