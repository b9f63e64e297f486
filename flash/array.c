/* SPDX-License-Identifier: BSD-2-Clause */
/* The cells: what chips do to them, told to the dirty log and the medium stream. */
#include "flash/flash_private.h"

#include "devices/guestmem.h"

#include <string.h>

#define ONES UINT64_MAX

/* Programming that would have had to set bits. */
static void report_wish(struct fmi_flash *f, uint64_t off, uint64_t size, uint64_t wanted)
{
	if (wanted && fm_trace_on(f->dev))
		fm_trace_emit(f->dev, (struct fm_trace_event){
					      .kind = FM_TRACE_MISUSE,
					      .off = off,
					      .size = size,
					      .text = "programming cannot set bits to 1",
				      });
}

uint64_t fmi_array_lanes(const struct fmi_flash *f, fmi_chips chips)
{
	uint64_t lanes = 0;

	if (chips == f->all)
		return f->word_mask;
	for (unsigned n = 0; n < f->geo.chips; n++) {
		if (chips & 1u << n)
			lanes |= f->chip_mask << (8 * f->geo.chip_width * n);
	}
	return lanes;
}

/* Tell what happened to [off, off + len). */
static unsigned tell(struct fmi_flash *f, enum fm_medium_kind kind, uint64_t off, uint64_t len,
		     bool changed)
{
	unsigned effects = 0;

	if (changed) {
		fm_dirty_mark(f->dirty, off, len);
		effects = FM_EFF_DIRTY;
	}
	if (fm_medium_listening(f->dev)) {
		struct fm_medium_op op = {
			.kind = kind,
			.dev = f->dev,
			.off = off,
			.len = len,
			.data = kind == FM_MEDIUM_ERASE ? NULL : f->array + off,
			.changed = changed,
		};

		effects |= fm_medium_emit(f->dev, &op);
	}
	return effects;
}

/* --- locks ------------------------------------------------------------------------------- */

static uint8_t *lock_of(const struct fmi_flash *f, unsigned chip, uint32_t number)
{
	return &f->locks[(size_t)number * f->geo.chips + chip];
}

/* Which of the chips have the block that contains `off` locked. */
static fmi_chips locked_among(const struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	fmi_chips locked = 0;
	uint32_t number;

	if (f->read_only)
		return chips;
	if (!f->locked)
		return 0;
	number = fmi_geometry_block(&f->geo, off).number;
	for (unsigned n = 0; n < f->geo.chips; n++) {
		if ((chips & 1u << n) && *lock_of(f, n, number))
			locked |= 1u << n;
	}
	return locked;
}

void fmi_array_lock(struct fmi_flash *f, fmi_chips chips, uint64_t off, enum fmi_action how,
		    fmi_chips *refused)
{
	uint32_t number = fmi_geometry_block(&f->geo, off).number;

	*refused = 0;
	for (unsigned n = 0; n < f->geo.chips; n++) {
		uint8_t *lock = lock_of(f, n, number);
		uint8_t was = *lock;

		if (!(chips & 1u << n))
			continue;
		if (f->read_only || (how == FMI_ACTION_UNLOCK && (was & FMI_LOCKED_DOWN)))
			*refused |= 1u << n;
		else if (how == FMI_ACTION_UNLOCK)
			*lock = 0;
		else if (how == FMI_ACTION_LOCK_DOWN)
			*lock = FMI_LOCKED | FMI_LOCKED_DOWN;
		else
			*lock |= FMI_LOCKED;
		f->locked += (uint32_t) !!*lock - (uint32_t) !!was;
	}
}

fmi_chips fmi_array_locked(const struct fmi_flash *f, uint64_t off)
{
	return locked_among(f, f->all, off);
}

uint8_t fmi_array_lock_status(const struct fmi_flash *f, unsigned chip, uint64_t off)
{
	uint8_t lock = *lock_of(f, chip, fmi_geometry_block(&f->geo, off).number);

	return f->read_only ? lock | FMI_LOCKED : lock;
}

/* --- programming ------------------------------------------------------------------------- */

/* FF in each byte of `v` that is not 0. */
static uint64_t nonzero_bytes(uint64_t v)
{
	v = (v | v >> 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	v = (v | v >> 2) & UINT64_C(0x0303030303030303);
	v = (v | v >> 1) & UINT64_C(0x0101010101010101);
	return v * 0xff;
}

/*
 * AND 1 to 8 bytes into the cells: programming makes zeros only, where `data` has 1 nothing happens.
 * Returns the bits that became 0. *wanted collects those that would have had to become 1; a whole
 * byte FF wants nothing, it is how drivers leave a byte alone. Bytes of `data` above `size` must be 0 or
 * FF.
 */
static uint64_t and_cells(uint8_t *cells, unsigned size, uint64_t data, uint64_t *wanted)
{
	uint64_t old = fmi_mem_read(cells, size);

	if (data & ~old)
		*wanted |= data & ~old & nonzero_bytes(~data);
	if (old & ~data)
		fmi_mem_write(cells, size, old & data);
	return old & ~data;
}

unsigned fmi_array_program(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data,
			   fmi_chips *refused)
{
	unsigned width = f->geo.bank_width;
	uint64_t wanted = 0;
	uint64_t cleared;

	*refused = locked_among(f, chips, off);
	chips &= ~*refused;
	if (!chips)
		return 0;
	data |= ~fmi_array_lanes(f, chips);
	cleared = and_cells(f->array + off, width, data, &wanted);
	f->stats.programs++;
	f->stats.program_bytes += width;
	report_wish(f, off, width, wanted);
	return tell(f, FM_MEDIUM_PROGRAM, off, width, cleared);
}

/* --- the write buffer -------------------------------------------------------------------- */

void fmi_array_buffer_put(struct fmi_flash *f, fmi_chips chips, uint32_t at, uint64_t data,
			  uint64_t bytes)
{
	unsigned width = f->geo.bank_width;
	uint64_t lanes = fmi_array_lanes(f, chips) & bytes;
	uint64_t old = fmi_le_load(f->buffer + at, width);

	fmi_le_store(f->buffer + at, width, (old & ~lanes) | (data & lanes));
}

void fmi_array_buffer_drop(struct fmi_flash *f, fmi_chips chips, uint32_t lo, uint32_t hi)
{
	if (chips == f->all) {
		memset(f->buffer + lo, 0xff, hi - lo);
		return;
	}
	for (; lo < hi; lo += f->geo.bank_width)
		fmi_array_buffer_put(f, chips, lo, ONES, ONES);
}

/* As and_cells for [lo, hi) of the buffer. True if a bit changed. */
static bool and_buffer(struct fmi_flash *f, uint64_t lanes, uint64_t window, uint32_t lo,
		       uint32_t hi, uint64_t *wanted)
{
	unsigned step = f->geo.bank_width;
	uint64_t mask = lanes;
	uint64_t cleared = 0;

	/* The same lanes in words of 8 bytes: bank words are aligned in a window that is. */
	for (; step < 8; step *= 2)
		mask |= mask << (8 * step);
	while (lo < hi) {
		unsigned n = 8 - lo % 8;

		if (n > hi - lo)
			n = hi - lo;
		cleared |= and_cells(f->array + window + lo, n,
				     fmi_le_load(f->buffer + lo, n) | ~mask, wanted);
		lo += n;
	}
	return cleared;
}

unsigned fmi_array_program_buffer(struct fmi_flash *f, fmi_chips chips, uint64_t window,
				  uint32_t lo, uint32_t hi, fmi_chips *refused)
{
	uint64_t wanted = 0;
	bool changed;

	*refused = locked_among(f, chips, window);
	fmi_array_buffer_drop(f, *refused, lo, hi);
	chips &= ~*refused;
	if (!chips)
		return 0;
	changed = and_buffer(f, fmi_array_lanes(f, chips), window, lo, hi, &wanted);
	fmi_array_buffer_drop(f, chips, lo, hi);
	f->stats.programs++;
	f->stats.program_bytes += hi - lo;
	report_wish(f, window + lo, hi - lo, wanted);
	return tell(f, FM_MEDIUM_PROGRAM, window + lo, hi - lo, changed);
}

/* --- a bank that is one state machine ------------------------------------------------------- */

/* Store bytes where the bank overwrites, else AND them. True if one changed. */
static bool put_cells(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t data,
		      uint64_t *wanted)
{
	uint8_t *cells = f->array + off;

	if (!(f->part.quirks & FM_FLASH_QUIRK_OVERWRITE))
		return and_cells(cells, size, data, wanted);
	if (fmi_mem_read(cells, size) == data)
		return false;
	fmi_mem_write(cells, size, data);
	return true;
}

unsigned fmi_array_store(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t data)
{
	uint64_t wanted = 0;
	bool changed = put_cells(f, off, size, data, &wanted);

	f->stats.programs++;
	f->stats.program_bytes += size;
	report_wish(f, off, size, wanted);
	return tell(f, FM_MEDIUM_PROGRAM, off, size, changed);
}

void fmi_array_open_window(struct fmi_flash *f, uint64_t window)
{
	for (uint32_t at = 0; at < f->geo.buffer_len; at++)
		f->buffer[at] = (uint8_t)fmi_mem_read(f->array + window + at, 1);
}

unsigned fmi_array_store_window(struct fmi_flash *f, uint64_t window)
{
	uint32_t len = f->geo.buffer_len;
	uint64_t wanted = 0;
	bool changed = false;

	/* A buffer is a power of two, 4 at least or as wide as the bank. */
	for (uint32_t at = 0; at < len; at++)
		changed |= put_cells(f, window + at, 1, f->buffer[at], &wanted);
	fmi_array_buffer_drop(f, f->all, 0, len);
	f->stats.programs++;
	f->stats.program_bytes += len;
	report_wish(f, window, len, wanted);
	return tell(f, FM_MEDIUM_PROGRAM, window, len, changed);
}

/* --- erasing ----------------------------------------------------------------------------- */

/* Set the bits of `lanes`, a pattern of one bank word, in [off, off + len). True if one changed. */
static bool or_cells(struct fmi_flash *f, uint64_t lanes, uint64_t off, uint64_t len)
{
	unsigned step = f->geo.bank_width;
	uint8_t *cells = f->array + off;
	bool changed = false;

	for (; step < 8; step *= 2)
		lanes |= lanes << (8 * step);
	/* A block is a multiple of 256 bytes. */
	for (; len; len -= 8, cells += 8) {
		uint64_t old = fmi_mem_read(cells, 8);

		if ((old | lanes) != old) {
			fmi_mem_write(cells, 8, old | lanes);
			changed = true;
		}
	}
	return changed;
}

unsigned fmi_array_erase(struct fmi_flash *f, fmi_chips chips, uint64_t off, fmi_chips *refused)
{
	struct fmi_erase_block block = fmi_geometry_block(&f->geo, off);
	enum fm_medium_kind kind = FM_MEDIUM_ERASE;
	bool changed;

	*refused = locked_among(f, chips, off);
	chips &= ~*refused;
	if (!chips)
		return 0;
	changed = or_cells(f, fmi_array_lanes(f, chips), block.off, block.len);
	f->stats.erases++;
	/* Some lanes of a block are not "a whole block": tell the bytes that came out. */
	if (chips != f->all)
		kind = FM_MEDIUM_STORE;
	return tell(f, kind, block.off, block.len, changed);
}

unsigned fmi_array_erase_chips(struct fmi_flash *f, fmi_chips chips)
{
	unsigned effects = 0;
	uint64_t off = 0;

	while (off < f->geo.len) {
		fmi_chips refused;

		effects |= fmi_array_erase(f, chips, off, &refused);
		off += fmi_geometry_block(&f->geo, off).len;
	}
	return effects;
}

unsigned fmi_array_sanitize(struct fmi_flash *f)
{
	unsigned effects = 0;

	/* What a buffer holds would otherwise come back with its confirm. */
	memset(f->buffer, 0xff, f->geo.buffer_len);
	for (uint64_t off = 0; off < f->geo.len;) {
		struct fmi_erase_block block = fmi_geometry_block(&f->geo, off);
		bool changed = or_cells(f, ONES, block.off, block.len);

		effects |= tell(f, FM_MEDIUM_ERASE, block.off, block.len, changed);
		off += block.len;
	}
	return effects;
}
