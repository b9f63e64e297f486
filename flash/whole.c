/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bank that is one state machine (FM_FLASH_QUIRK_ONE_STATE), as QEMU models it: an access is
 * aligned pieces of up to 4 bytes, a piece is one cycle whatever the bank's width, and what a chip
 * answers is right-justified in it. All chips stay together.
 */
#include "flash/flash_private.h"

#include "devices/bytes.h"

#define LEGACY_REPEAT 0xffu   /* without chips, codes and query repeat every 256 bytes */
#define LEGACY_SECOND_CHIP 16 /* and there may be a second chip on D16 and up */

/* --- writes ------------------------------------------------------------------------------ */

static void hold(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	if (f->read_only)
		fmi_intel_refused(&f->chip[0].intel, &f->part, FMI_ACTION_BUFFER_PUT, false);
	else
		fmi_le_store(f->buffer + (off - f->chip[0].intel.buffer.window), size, value);
}

static unsigned program(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	if (!fmi_array_locked(f, f->all, off))
		return fmi_array_store(f, off, size, value);
	fmi_intel_refused(&f->chip[0].intel, &f->part, FMI_ACTION_PROGRAM, false);
	return 0;
}

static unsigned program_window(struct fmi_flash *f)
{
	struct fmi_intel *chip = &f->chip[0].intel;
	uint64_t window = chip->buffer.window;

	fmi_intel_buffer_done(chip);
	if (!fmi_array_locked(f, f->all, window))
		return fmi_array_store_window(f, window);
	fmi_array_buffer_drop(f, f->all, 0, f->geo.buffer_len);
	fmi_intel_refused(chip, &f->part, FMI_ACTION_BUFFER_PROGRAM, false);
	return 0;
}

static unsigned act(struct fmi_flash *f, enum fmi_action action, uint64_t off, unsigned size,
		    uint64_t value)
{
	struct fmi_intel *chip = &f->chip[0].intel;
	fmi_chips refused = 0;
	unsigned effects = 0;

	switch (action) {
	case FMI_ACTION_NONE:
	case FMI_ACTION_REGISTER: /* such a bank has none; the rest is AMD's */
	case FMI_ACTION_CHIP_ERASE:
	case FMI_ACTION_ERASE_QUEUE:
	case FMI_ACTION_ERASE_QUEUED:
	case FMI_ACTION_ERASE_FORGET:
	case FMI_ACTION_PROTECT:
	case FMI_ACTION_UNPROTECT:
	case FMI_ACTIONS:
		return 0;
	case FMI_ACTION_PROGRAM:
		return program(f, off, size, value);
	case FMI_ACTION_ERASE:
		refused = fmi_array_locked(f, f->all, off);
		if (!refused)
			effects = fmi_array_erase(f, f->all, off, &refused);
		break;
	case FMI_ACTION_BUFFER_OPEN:
		fmi_array_open_window(f, chip->buffer.window);
		if (f->part.quirks & FM_FLASH_QUIRK_BUFFER_FROM_DATA)
			hold(f, off, size, value);
		return 0;
	case FMI_ACTION_BUFFER_PUT:
		hold(f, off, size, value);
		return 0;
	case FMI_ACTION_BUFFER_PROGRAM:
		return program_window(f);
	case FMI_ACTION_BUFFER_DROP:
		fmi_intel_buffer_done(chip);
		fmi_array_buffer_drop(f, f->all, 0, f->geo.buffer_len);
		return 0;
	case FMI_ACTION_LOCK:
	case FMI_ACTION_UNLOCK:
	case FMI_ACTION_LOCK_DOWN:
		fmi_array_lock(f, f->all, off, action, &refused);
		break;
	}
	if (refused)
		fmi_intel_refused(chip, &f->part, action, false);
	return effects;
}

static unsigned cycle(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	struct fmi_intel *chip = &f->chip[0].intel;
	enum fmi_intel_mode before = chip->mode;
	uint8_t sr = chip->sr;
	struct fmi_intel_step step =
		fmi_intel_write(chip, &f->part, off, (uint32_t)(value & f->chip_mask));

	if (fm_trace_on(f->dev))
		fmi_lanes_trace(f,
				(struct fm_trace_event){ .off = off, .size = size, .value = value },
				0, step.note, before, sr);
	return act(f, step.action, off, size, value);
}

unsigned fmi_whole_write(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	unsigned effects = 0;

	while (size) {
		unsigned n = fmi_piece(off, size);

		effects |= cycle(f, off, n, value & fmi_size_mask(n));
		off += n;
		size -= n;
		value >>= 8 * n;
	}
	return effects;
}

/* --- reads ------------------------------------------------------------------------------- */

static uint64_t lock_status(const struct fmi_flash *f, uint64_t off)
{
	/* The second word of a piece wider than the bank may be behind its end. */
	if ((f->part.quirks & FM_FLASH_QUIRK_NO_LOCKS) || off >= f->geo.len)
		return 0;
	return fmi_array_lock_status(f, 0, off);
}

/* What a chip has at one of its words in read-ID or query mode. */
static uint64_t lookup(const struct fmi_flash *f, uint64_t word)
{
	if (f->chip[0].intel.mode == FMI_INTEL_SHOW_QUERY)
		return word < FMI_QUERY_LEN ? f->query[word] : 0;
	if (f->part.quirks & FM_FLASH_QUIRK_NO_CODES)
		return 0;
	switch (word & 0xff) {
	case 0:
		return f->manufacturer;
	case 1:
		return f->device_id;
	case 2:
		return lock_status(f, word * f->geo.bank_width);
	default:
		return 0;
	}
}

static uint64_t legacy_lookup(const struct fmi_flash *f, uint64_t off)
{
	uint64_t word = (off & LEGACY_REPEAT) / f->geo.bank_width;

	if (f->chip[0].intel.mode == FMI_INTEL_SHOW_QUERY)
		return lookup(f, word);
	return word ? 0 : lookup(f, 0) << 8 | lookup(f, 1);
}

/* A piece wider than the bank shows every bank_width-th word of it, as QEMU steps. */
static uint64_t told(const struct fmi_flash *f, uint64_t off, unsigned size)
{
	unsigned width = f->geo.bank_width;
	uint64_t value = 0;

	if (f->part.quirks & FM_FLASH_QUIRK_NO_CHIP_WIDTH)
		return legacy_lookup(f, off);
	for (unsigned i = 0; i < size; i += width) {
		uint64_t word = lookup(f, (off + (uint64_t)i * width) / width) & f->chip_mask;

		value |= (word * f->repeat) << (8 * i);
	}
	return value;
}

static uint64_t status(const struct fmi_flash *f, unsigned size)
{
	uint64_t sr = f->chip[0].intel.sr;
	uint64_t value = sr;

	if (f->part.quirks & FM_FLASH_QUIRK_NO_CHIP_WIDTH)
		return size > 2 ? sr | sr << LEGACY_SECOND_CHIP : sr;
	for (unsigned at = f->geo.chip_width; at < size; at += f->geo.chip_width)
		value |= sr << (8 * at);
	return value;
}

static uint64_t piece_read(const struct fmi_flash *f, uint64_t off, unsigned size)
{
	switch (f->chip[0].intel.mode) {
	case FMI_INTEL_SHOW_STATUS:
		return status(f, size);
	case FMI_INTEL_SHOW_ID:
	case FMI_INTEL_SHOW_QUERY:
		return told(f, off, size);
	case FMI_INTEL_SHOW_ARRAY: /* needs no pieces: fmi_lanes_read() */
	case FMI_INTEL_MODES:
		break;
	}
	return 0;
}

uint64_t fmi_whole_read(struct fmi_flash *f, uint64_t off, unsigned size)
{
	uint64_t value = 0;

	/* An access has at most 8 bytes; said again for those who check shifts. */
	for (unsigned done = 0; done < size && done < sizeof(value);) {
		unsigned n = fmi_piece(off + done, size - done);

		value |= (piece_read(f, off + done, n) & fmi_size_mask(n)) << (8 * done);
		done += n;
	}
	return value;
}
