/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is non-volatile beside the array, interleaved as the array is. FF is factory-fresh.
 *
 * Intel: the words 80 to 109 of read-ID mode. 80 is the lock word of 64 factory-programmed and 64
 * user bits at 81 and 85, 89 that of sixteen registers of 128 bits from 8A on; a 0 locks.
 * AMD: 128 words of the secured silicon sector, then the lock register, of which a 0 in bit 0 locks
 * that sector. Both: a byte for each chip's part of each block, 00 for a lock that persists.
 */
#include "flash/flash_private.h"

#include <stdlib.h>
#include <string.h>

#define INTEL_FIRST 0x80u
#define INTEL_WORDS 0x8au
#define INTEL_LOCK_0 0x80u
#define INTEL_FACTORY 0x81u
#define INTEL_USER 0x85u
#define INTEL_LOCK_1 0x89u
#define INTEL_LARGE 0x8au
#define LOCK_FACTORY 0x1u /* bits of lock word 0 */
#define LOCK_USER 0x2u

#define AMD_SECURED_WORDS 128u
#define AMD_LOCK_SECURED 0x1u

#define OPEN 0xffu
#define CLOSED 0x00u

static unsigned words_of(enum fm_flash_set set)
{
	return set == FM_FLASH_AMD ? AMD_SECURED_WORDS + 1 : INTEL_WORDS;
}

uint64_t fmi_registers_len(enum fm_flash_set set, const struct fmi_geometry *geo)
{
	return (uint64_t)words_of(set) * geo->bank_width + (uint64_t)geo->blocks * geo->chips;
}

/* --- bytes ------------------------------------------------------------------------------- */

static uint8_t *word_at(const struct fmi_flash *f, unsigned chip, uint64_t index)
{
	return f->registers.bytes + index * f->geo.bank_width + (size_t)chip * f->geo.chip_width;
}

static uint32_t get(const struct fmi_flash *f, unsigned chip, uint64_t index)
{
	return (uint32_t)fmi_le_load(word_at(f, chip, index), f->geo.chip_width);
}

static void changed(struct fmi_flash *f, const uint8_t *at, uint64_t len)
{
	if (f->registers.block)
		fm_dirty_mark(fm_block_dirty(f->registers.block),
			      (uint64_t)(at - f->registers.bytes), len);
}

static void put(struct fmi_flash *f, unsigned chip, uint64_t index, uint32_t value)
{
	uint8_t *at = word_at(f, chip, index);

	fmi_le_store(at, f->geo.chip_width, value);
	changed(f, at, f->geo.chip_width);
}

static uint8_t *lock_at(const struct fmi_flash *f, unsigned chip, uint32_t number)
{
	return f->registers.bytes + (size_t)words_of(f->set) * f->geo.bank_width +
	       (size_t)number * f->geo.chips + chip;
}

void fmi_registers_store_lock(struct fmi_flash *f, unsigned chip, uint32_t number, bool locked)
{
	uint8_t *at = lock_at(f, chip, number);
	uint8_t value = locked ? CLOSED : OPEN;

	if (*at == value)
		return;
	*at = value;
	changed(f, at, 1);
}

/* --- making ------------------------------------------------------------------------------ */

void fmi_registers_factory(struct fmi_flash *f, uint64_t unique)
{
	if (f->set == FM_FLASH_AMD || (f->part.traits & FM_FLASH_NO_REGISTERS) ||
	    (f->registers.block && (fm_block_flags(f->registers.block) & FM_BLOCK_READONLY)))
		return;
	for (unsigned n = 0; n < f->geo.chips; n++) {
		uint32_t lock = get(f, n, INTEL_LOCK_0 - INTEL_FIRST);

		if (!(lock & LOCK_FACTORY))
			continue;
		for (unsigned i = 0; i < 4; i++)
			put(f, n, INTEL_FACTORY - INTEL_FIRST + i, unique >> (16 * i) & 0xffff);
		put(f, n, INTEL_LOCK_0 - INTEL_FIRST, lock & ~LOCK_FACTORY);
	}
}

int fmi_registers_init(struct fmi_flash *f, const struct fm_flash_config *cfg, const char *name,
		       struct fm_error *err)
{
	struct fmi_registers *regs = &f->registers;

	regs->len = fmi_registers_len(f->set, &f->geo);
	if (cfg->registers && fm_block_len(cfg->registers) < regs->len)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_flash_config.registers: block %s has 0x%llx bytes, "
				    "expected at least 0x%llx",
				    name, fm_block_name(cfg->registers),
				    (unsigned long long)fm_block_len(cfg->registers),
				    (unsigned long long)regs->len);
	if (cfg->registers && (fm_block_flags(cfg->registers) & FM_BLOCK_READONLY) &&
	    !cfg->read_only)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"%s: fm_flash_config.registers: block %s is read-only, expected "
			"a writable one where the bank is not read_only",
			name, fm_block_name(cfg->registers));
	regs->block = cfg->registers;
	regs->bytes = cfg->registers ? fm_block_ptr(cfg->registers) : malloc(regs->len);
	if (!regs->bytes)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", name);
	if (!cfg->registers)
		memset(regs->bytes, 0xff, regs->len);
	return 0;
}

void fmi_registers_load(struct fmi_flash *f, const uint8_t *bytes)
{
	struct fmi_registers *regs = &f->registers;

	/* A block that cannot be written is what its owner made it. */
	if ((regs->block && (fm_block_flags(regs->block) & FM_BLOCK_READONLY)) ||
	    !memcmp(regs->bytes, bytes, regs->len))
		return;
	memcpy(regs->bytes, bytes, regs->len);
	changed(f, regs->bytes, regs->len);
}

void fmi_registers_reset_marks(struct fmi_flash *f)
{
	bool persists = f->set == FM_FLASH_AMD ? !(f->part.traits & FM_FLASH_NO_PROTECTION)
					       : f->part.traits & FM_FLASH_LOCKS_PERSIST;
	uint8_t persistent = f->set == FM_FLASH_AMD ? FMI_PERSISTENT : FMI_LOCKED;
	uint8_t fresh = f->part.traits & FM_FLASH_LOCKED_AT_RESET ? FMI_LOCKED : 0;

	memset(f->marks, fresh, (size_t)f->geo.blocks * f->geo.chips);
	f->locked = fresh ? f->geo.blocks * f->geo.chips : 0;
	for (uint32_t number = 0; persists && number < f->geo.blocks; number++) {
		for (unsigned n = 0; n < f->geo.chips; n++) {
			if (*lock_at(f, n, number) != OPEN)
				fmi_array_set_mark(f, n, number,
						   fmi_array_mark(f, n, number) | persistent);
		}
	}
}

/* --- protection registers, secured silicon sector ---------------------------------------------- */

uint16_t fmi_registers_read(const struct fmi_flash *f, unsigned chip, uint64_t word)
{
	if (word < INTEL_FIRST || word - INTEL_FIRST >= INTEL_WORDS)
		return 0;
	return (uint16_t)get(f, chip, word - INTEL_FIRST);
}

uint32_t fmi_registers_secured(const struct fmi_flash *f, unsigned chip, uint64_t off)
{
	return get(f, chip, off / f->geo.bank_width % AMD_SECURED_WORDS);
}

/* The word of a program cycle: counted from its block's start; INTEL_WORDS and up: no register. */
static uint64_t intel_index(const struct fmi_flash *f, uint64_t off)
{
	uint64_t block = fmi_geometry_block(&f->geo, off).off;

	/* Words before the registers wrap to something large. */
	return (off - block) / f->geo.bank_width - INTEL_FIRST;
}

static bool intel_locked(const struct fmi_flash *f, unsigned chip, uint64_t index)
{
	uint64_t word = index + INTEL_FIRST;

	if (index >= INTEL_WORDS || word == INTEL_LOCK_0 || word == INTEL_LOCK_1)
		return false;
	if (word < INTEL_USER)
		return !(get(f, chip, INTEL_LOCK_0 - INTEL_FIRST) & LOCK_FACTORY);
	if (word < INTEL_LOCK_1)
		return !(get(f, chip, INTEL_LOCK_0 - INTEL_FIRST) & LOCK_USER);
	return !(get(f, chip, INTEL_LOCK_1 - INTEL_FIRST) >> (word - INTEL_LARGE) / 8 & 1);
}

fmi_chips fmi_registers_locked(const struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	fmi_chips locked = 0;

	if (f->read_only)
		return chips;
	for (unsigned n = 0; n < f->geo.chips; n++) {
		bool is = f->set == FM_FLASH_AMD
				  ? !(get(f, n, AMD_SECURED_WORDS) & AMD_LOCK_SECURED)
				  : intel_locked(f, n, intel_index(f, off));

		if ((chips & 1u << n) && is)
			locked |= 1u << n;
	}
	return locked;
}

void fmi_registers_program(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data,
			   fmi_chips *failed)
{
	uint64_t index = f->set == FM_FLASH_AMD ? off / f->geo.bank_width % AMD_SECURED_WORDS
						: intel_index(f, off);

	if (index >= words_of(f->set)) {
		*failed |= chips;
		return;
	}
	for (unsigned n = 0; n < f->geo.chips; n++) {
		if (chips & 1u << n)
			put(f, n, index, get(f, n, index) & fmi_lane_value(f, data, n));
	}
}

/* --- AMD's protection sets ------------------------------------------------------------------- */

uint32_t fmi_registers_protection(const struct fmi_flash *f, unsigned chip, uint64_t off)
{
	const struct fmi_amd *state = &f->chip[f->together ? 0 : chip].amd;
	uint32_t number = fmi_geometry_block(&f->geo, off).number;

	if (state->mode == FMI_AMD_SHOW_DYB)
		return !(fmi_array_mark(f, chip, number) & FMI_LOCKED);
	if (state->mode == FMI_AMD_SHOW_PPB)
		return !(fmi_array_mark(f, chip, number) & FMI_PERSISTENT);
	if (state->mode == FMI_AMD_SHOW_FREEZE)
		return !state->frozen;
	return get(f, chip, AMD_SECURED_WORDS);
}

static void set_protection(struct fmi_flash *f, unsigned chip, uint32_t number, uint8_t bit,
			   bool on)
{
	uint8_t mark = fmi_array_mark(f, chip, number);

	fmi_array_set_mark(f, chip, number, on ? mark | bit : mark & (uint8_t)~bit);
	if (bit == FMI_PERSISTENT)
		fmi_registers_store_lock(f, chip, number, on);
}

void fmi_registers_protect(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data)
{
	uint32_t number = fmi_geometry_block(&f->geo, off).number;

	for (unsigned n = 0; n < f->geo.chips; n++) {
		const struct fmi_amd *state = &fmi_flash_chip(f, n)->amd;
		uint32_t value = fmi_lane_value(f, data, n);

		if (!(chips & 1u << n))
			continue;
		if (state->mode == FMI_AMD_SHOW_DYB)
			set_protection(f, n, number, FMI_LOCKED, !(value & 1));
		else if (state->mode == FMI_AMD_SHOW_PPB && !(value & 0xff) && !state->frozen &&
			 !f->read_only)
			set_protection(f, n, number, FMI_PERSISTENT, true);
		else if (state->mode == FMI_AMD_SHOW_LOCKS && !f->read_only)
			put(f, n, AMD_SECURED_WORDS, get(f, n, AMD_SECURED_WORDS) & value);
	}
}

void fmi_registers_unprotect(struct fmi_flash *f, fmi_chips chips)
{
	for (unsigned n = 0; n < f->geo.chips; n++) {
		if (!(chips & 1u << n) || fmi_flash_chip(f, n)->amd.frozen || f->read_only)
			continue;
		for (uint32_t number = 0; number < f->geo.blocks; number++)
			set_protection(f, n, number, FMI_PERSISTENT, false);
	}
}
