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

unsigned fmi_array_told(struct fmi_flash *f, uint64_t off, unsigned size, bool changed)
{
	return tell(f, FM_MEDIUM_PROGRAM, off, size, changed);
}

/* --- marks ------------------------------------------------------------------------------- */

static uint8_t *mark_of(const struct fmi_flash *f, unsigned chip, uint32_t number)
{
	return &f->marks[(size_t)number * f->geo.chips + chip];
}

uint8_t fmi_array_mark(const struct fmi_flash *f, unsigned chip, uint32_t number)
{
	return *mark_of(f, chip, number);
}

void fmi_array_set_mark(struct fmi_flash *f, unsigned chip, uint32_t number, uint8_t mark)
{
	uint8_t *at = mark_of(f, chip, number);

	f->locked += (uint32_t) !!(mark & FMI_MARKS_LOCKED) - (uint32_t) !!(*at & FMI_MARKS_LOCKED);
	*at = mark;
}

/* AMD: WP# low protects an outermost sector. */
static bool held_by_wp(const struct fmi_flash *f, uint32_t number)
{
	if (f->pins & FM_FLASH_PIN_WP_HIGH)
		return false;
	return ((f->part.traits & FM_FLASH_WP_FIRST) && !number) ||
	       ((f->part.traits & FM_FLASH_WP_LAST) && number == f->geo.blocks - 1);
}

static bool block_locked(const struct fmi_flash *f, unsigned chip, uint32_t number)
{
	return f->read_only || held_by_wp(f, number) ||
	       (*mark_of(f, chip, number) & FMI_MARKS_LOCKED);
}

fmi_chips fmi_array_locked(const struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	fmi_chips locked = 0;
	uint32_t number;

	if (f->read_only)
		return chips;
	if (!f->locked && !(f->part.traits & (FM_FLASH_WP_FIRST | FM_FLASH_WP_LAST)))
		return 0;
	number = fmi_geometry_block(&f->geo, off).number;
	for (unsigned n = 0; n < f->geo.chips; n++) {
		if ((chips & 1u << n) && block_locked(f, n, number))
			locked |= 1u << n;
	}
	return locked;
}

uint8_t fmi_array_lock_status(const struct fmi_flash *f, unsigned chip, uint64_t off)
{
	uint32_t number = fmi_geometry_block(&f->geo, off).number;
	uint8_t down = *mark_of(f, chip, number) & FMI_LOCKED_DOWN;

	return block_locked(f, chip, number) ? down | FMI_LOCKED : down;
}

/* --- Intel's block locks ----------------------------------------------------------------- */

/* Persistent lock bits are set one by one, and cleared all at once. */
static void unlock_all(struct fmi_flash *f, unsigned chip)
{
	for (uint32_t number = 0; number < f->geo.blocks; number++) {
		fmi_array_set_mark(f, chip, number, 0);
		fmi_registers_store_lock(f, chip, number, false);
	}
}

static void lock_block(struct fmi_flash *f, unsigned chip, uint32_t number, enum fmi_action how)
{
	uint8_t mark = fmi_array_mark(f, chip, number) | FMI_LOCKED;
	bool persist = f->part.traits & FM_FLASH_LOCKS_PERSIST;

	if (how == FMI_ACTION_UNLOCK && persist) {
		unlock_all(f, chip);
	} else if (how == FMI_ACTION_UNLOCK) {
		fmi_array_set_mark(f, chip, number, mark & FMI_LOCKED_DOWN);
	} else {
		if (how == FMI_ACTION_LOCK_DOWN)
			mark |= FMI_LOCKED_DOWN;
		fmi_array_set_mark(f, chip, number, mark);
		if (persist)
			fmi_registers_store_lock(f, chip, number, true);
	}
}

void fmi_array_lock(struct fmi_flash *f, fmi_chips chips, uint64_t off, enum fmi_action how,
		    fmi_chips *refused)
{
	uint32_t number = fmi_geometry_block(&f->geo, off).number;

	*refused = 0;
	for (unsigned n = 0; n < f->geo.chips; n++) {
		bool down = fmi_array_mark(f, n, number) & FMI_LOCKED_DOWN;

		if (!(chips & 1u << n))
			continue;
		/* WP# high lets go what was locked down. */
		if (f->read_only ||
		    (how == FMI_ACTION_UNLOCK && down && !(f->pins & FM_FLASH_PIN_WP_HIGH)))
			*refused |= 1u << n;
		else
			lock_block(f, n, number, how);
	}
}

void fmi_array_hold_down(struct fmi_flash *f)
{
	for (uint32_t number = 0; f->set != FM_FLASH_AMD && number < f->geo.blocks; number++) {
		for (unsigned n = 0; n < f->geo.chips; n++) {
			uint8_t mark = fmi_array_mark(f, n, number);

			if (mark & FMI_LOCKED_DOWN)
				fmi_array_set_mark(f, n, number, mark | FMI_LOCKED);
		}
	}
}

/* --- AMD's queue of sectors to erase --------------------------------------------------------- */

void fmi_array_queue(struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	uint32_t number = fmi_geometry_block(&f->geo, off).number;

	for (unsigned n = 0; n < f->geo.chips; n++) {
		if (chips & 1u << n)
			*mark_of(f, n, number) |= FMI_QUEUED;
	}
}

uint32_t fmi_array_queued(const struct fmi_flash *f, unsigned chip)
{
	uint32_t count = 0;

	for (uint32_t number = 0; number < f->geo.blocks; number++)
		count += !!(fmi_array_mark(f, chip, number) & FMI_QUEUED);
	return count;
}

void fmi_array_forget_queue(struct fmi_flash *f, fmi_chips chips)
{
	for (uint32_t number = 0; number < f->geo.blocks; number++) {
		for (unsigned n = 0; n < f->geo.chips; n++) {
			if (chips & 1u << n)
				*mark_of(f, n, number) &= (uint8_t)~FMI_QUEUED;
		}
	}
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

/* Bits of a word that a program cannot clear, and the chips that were to clear one of them. */
static uint64_t stuck_ones(const struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data,
			   fmi_chips *failed)
{
	uint64_t stuck = 0;

	for (unsigned i = 0; i < f->geo.bank_width; i++)
		stuck |= (uint64_t)fmi_health_ones(f, off + i) << (8 * i);
	stuck &= fmi_mem_read(f->array + off, f->geo.bank_width) & ~data;
	for (unsigned n = 0; stuck && n < f->geo.chips; n++) {
		if ((chips & 1u << n) && (stuck & fmi_array_lanes(f, 1u << n)))
			*failed |= 1u << n;
	}
	return stuck;
}

unsigned fmi_array_program(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data,
			   fmi_chips *failed)
{
	unsigned width = f->geo.bank_width;
	uint64_t wanted = 0;
	uint64_t cleared;

	if (f->health) {
		*failed = fmi_health_program(f, chips, off);
		chips &= ~*failed;
		data |= stuck_ones(f, chips, off, data, failed);
	}
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

/* What is stuck at 1 is not to be cleared; the chips that were to do that fail. */
static void mask_stuck(struct fmi_flash *f, fmi_chips chips, const struct fmi_buffer *held,
		       fmi_chips *failed)
{
	unsigned width = f->geo.bank_width;

	for (uint32_t at = held->lo; at < held->hi; at += width) {
		uint64_t data = fmi_le_load(f->buffer + at, width);
		uint64_t stuck = stuck_ones(f, chips, held->window + at, data, failed);

		fmi_le_store(f->buffer + at, width, data | stuck);
	}
}

unsigned fmi_array_program_buffer(struct fmi_flash *f, fmi_chips chips,
				  const struct fmi_buffer *held, fmi_chips *failed)
{
	uint64_t window = held->window;
	uint32_t lo = held->lo;
	uint32_t hi = held->hi;
	uint64_t wanted = 0;
	bool changed;

	if (f->health) {
		*failed = fmi_health_program(f, chips, window);
		chips &= ~*failed;
		mask_stuck(f, chips, held, failed);
	}
	if (!chips)
		return 0;
	changed = and_buffer(f, fmi_array_lanes(f, chips), window, lo, hi, &wanted);
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

/* The data bits of the chips in 8 bytes of the array. */
static uint64_t lanes8(const struct fmi_flash *f, fmi_chips chips)
{
	uint64_t lanes = fmi_array_lanes(f, chips);

	for (unsigned step = f->geo.bank_width; step < 8; step *= 2)
		lanes |= lanes << (8 * step);
	return lanes;
}

/* Set the bits of `lanes`, as lanes8() has them, in [off, off + len). True if one changed. */
static bool or_cells(struct fmi_flash *f, uint64_t lanes, uint64_t off, uint64_t len)
{
	uint8_t *cells = f->array + off;
	bool changed = false;

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

/* The chips that have one of these bits of 8 bytes of the array. */
static fmi_chips chips_with(const struct fmi_flash *f, uint64_t bits)
{
	fmi_chips chips = 0;

	for (unsigned n = 0; bits && n < f->geo.chips; n++) {
		if (bits & lanes8(f, 1u << n))
			chips |= 1u << n;
	}
	return chips;
}

/* The same of a part with bits that are stuck at 0, whose chips fail. */
static bool or_worn_cells(struct fmi_flash *f, uint64_t lanes, uint64_t off, uint64_t len,
			  fmi_chips *failed)
{
	uint64_t end = off + len;
	bool changed = false;

	while (off < end) {
		uint64_t next = fmi_health_next_zeros(f, off, end);
		uint64_t stuck = 0;
		uint64_t old;

		next = fmi_align_down(next, 8);
		changed |= or_cells(f, lanes, off, next - off);
		if (next == end)
			break;
		for (unsigned i = 0; i < 8; i++)
			stuck |= (uint64_t)fmi_health_zeros(f, next + i) << (8 * i);
		old = fmi_mem_read(f->array + next, 8);
		*failed |= chips_with(f, lanes & stuck & ~old);
		changed |= or_cells(f, lanes & (~stuck | old), next, 8);
		off = next + 8;
	}
	return changed;
}

unsigned fmi_array_erase(struct fmi_flash *f, fmi_chips chips, uint64_t off, fmi_chips *failed)
{
	struct fmi_erase_block block = fmi_geometry_block(&f->geo, off);
	enum fm_medium_kind kind = FM_MEDIUM_ERASE;
	fmi_chips worn = 0;
	bool changed;

	if (f->health) {
		worn = fmi_health_erase(f, chips, block.number);
		chips &= ~worn;
	}
	if (f->health)
		changed = or_worn_cells(f, lanes8(f, chips), block.off, block.len, &worn);
	else
		changed = or_cells(f, lanes8(f, chips), block.off, block.len);
	*failed |= worn;
	if (!chips)
		return 0;
	f->stats.erases++;
	/* Some lanes of a block, or not all bits, are not "a whole block": tell what came out. */
	if (chips != f->all || worn)
		kind = FM_MEDIUM_STORE;
	return tell(f, kind, block.off, block.len, changed);
}

/* Those of the chips that have the block that contains `off` queued. */
static fmi_chips queued_at(const struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	uint32_t number = fmi_geometry_block(&f->geo, off).number;
	fmi_chips found = 0;

	for (unsigned n = 0; n < f->geo.chips; n++) {
		if ((chips & 1u << n) && (fmi_array_mark(f, n, number) & FMI_QUEUED))
			found |= 1u << n;
	}
	return found;
}

unsigned fmi_array_erase_chips(struct fmi_flash *f, fmi_chips chips, fmi_chips *failed)
{
	unsigned effects = 0;
	uint64_t off = 0;

	for (; off < f->geo.len; off += fmi_geometry_block(&f->geo, off).len) {
		fmi_chips open = chips & ~fmi_array_locked(f, chips, off);

		if (open)
			effects |= fmi_array_erase(f, open, off, failed);
	}
	return effects;
}

unsigned fmi_array_erase_queued(struct fmi_flash *f, fmi_chips chips, fmi_chips *failed)
{
	unsigned effects = 0;
	uint64_t off = 0;

	for (; off < f->geo.len; off += fmi_geometry_block(&f->geo, off).len) {
		fmi_chips queued = queued_at(f, chips, off);

		if (queued)
			effects |= fmi_array_erase(f, queued, off, failed);
	}
	fmi_array_forget_queue(f, chips);
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
