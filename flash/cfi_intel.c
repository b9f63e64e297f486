/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash/cfi_intel.h"

#include "devices/bytes.h"

#include <firmem/flash.h>

enum command {
	CMD_UNKNOWN = 0,
	CMD_READ_ARRAY,
	CMD_PROGRAM,
	CMD_ERASE,
	CMD_CLEAR_STATUS,
	CMD_LOCK_SETUP,
	CMD_READ_STATUS,
	CMD_READ_ID,
	CMD_QUERY,
	CMD_SUSPEND,
	CMD_CONFIRM,
	CMD_BUFFER,
};

/* Second cycles of 60. */
#define LOCK_BLOCK 0x01u
#define LOCK_DOWN 0x2fu
#define CONFIRM 0xd0u

/* Commands are on D0-D7; the rest of a chip's data lines is "don't care". */
static enum command decode(uint32_t value)
{
	switch (value & 0xffu) {
	case 0xff:
	case 0xf0: /* an AMD chip's reset; probing drivers write it before they know */
	case 0x00:
		return CMD_READ_ARRAY;
	case 0x10:
	case 0x40:
		return CMD_PROGRAM;
	case 0x20:
		return CMD_ERASE;
	case 0x50:
		return CMD_CLEAR_STATUS;
	case 0x60:
		return CMD_LOCK_SETUP;
	case 0x70:
		return CMD_READ_STATUS;
	case 0x90:
		return CMD_READ_ID;
	case 0x98:
		return CMD_QUERY;
	case 0xb0:
		return CMD_SUSPEND;
	case CONFIRM:
		return CMD_CONFIRM;
	case 0xe8:
		return CMD_BUFFER;
	default:
		return CMD_UNKNOWN;
	}
}

static struct fmi_intel_step step(enum fmi_action action, enum fmi_intel_note note)
{
	return (struct fmi_intel_step){ .action = action, .note = note };
}

/* A command that has a second cycle: until it is over the chip shows its status. */
static struct fmi_intel_step begin(struct fmi_intel *chip, enum fmi_intel_state state,
				   enum fmi_intel_note note)
{
	chip->state = state;
	chip->mode = FMI_INTEL_SHOW_STATUS;
	return step(FMI_ACTION_NONE, note);
}

static struct fmi_intel_step show(struct fmi_intel *chip, enum fmi_intel_mode mode,
				  enum fmi_intel_note note)
{
	chip->mode = mode;
	return step(FMI_ACTION_NONE, note);
}

/* "Invalid command sequence": SR.4 and SR.5 together, and the command is over. */
static struct fmi_intel_step bad_sequence(struct fmi_intel *chip, unsigned quirks,
					  enum fmi_action action, enum fmi_intel_note note)
{
	chip->state = FMI_INTEL_READY;
	if (quirks & FM_FLASH_QUIRK_SILENT_SEQUENCE)
		chip->mode = FMI_INTEL_SHOW_ARRAY;
	else
		chip->sr |= FMI_SR_SEQUENCE | FMI_SR_READY;
	return step(action, note);
}

/* An operation is over at once. SR.7 was clear only after a clear status that clears it. */
static struct fmi_intel_step end(struct fmi_intel *chip, enum fmi_action action,
				 enum fmi_intel_note note)
{
	chip->state = FMI_INTEL_READY;
	chip->sr |= FMI_SR_READY;
	return step(action, note);
}

static struct fmi_intel_step clear_status(struct fmi_intel *chip, unsigned quirks)
{
	chip->sr = quirks & FM_FLASH_QUIRK_CLEAR_NOT_READY ? 0 : FMI_SR_READY;
	if (quirks & FM_FLASH_QUIRK_CLEAR_READS_ARRAY)
		chip->mode = FMI_INTEL_SHOW_ARRAY;
	return step(FMI_ACTION_NONE, FMI_NOTE_CLEAR_STATUS);
}

static struct fmi_intel_step erase_setup(struct fmi_intel *chip, unsigned quirks)
{
	chip->sr |= FMI_SR_READY;
	begin(chip, FMI_INTEL_ERASE, FMI_NOTE_ERASE);
	return step(quirks & FM_FLASH_QUIRK_ERASE_AT_SETUP ? FMI_ACTION_ERASE : FMI_ACTION_NONE,
		    FMI_NOTE_ERASE);
}

/* Not a command, or one for an operation that is under way, and none is. */
static struct fmi_intel_step no_command(struct fmi_intel *chip, unsigned quirks,
					enum fmi_intel_note note)
{
	if (quirks & FM_FLASH_QUIRK_UNKNOWN_READS_ARRAY)
		chip->mode = FMI_INTEL_SHOW_ARRAY;
	return step(FMI_ACTION_NONE, note);
}

static struct fmi_intel_step ready(struct fmi_intel *chip, unsigned quirks, uint32_t value)
{
	if ((quirks & FM_FLASH_QUIRK_QUERY_STICKS) && chip->mode == FMI_INTEL_SHOW_QUERY &&
	    (value & 0xffu) != 0xff)
		return step(FMI_ACTION_NONE, FMI_NOTE_UNKNOWN);
	switch (decode(value)) {
	case CMD_READ_ARRAY:
		return show(chip, FMI_INTEL_SHOW_ARRAY, FMI_NOTE_READ_ARRAY);
	case CMD_READ_STATUS:
		return show(chip, FMI_INTEL_SHOW_STATUS, FMI_NOTE_READ_STATUS);
	case CMD_READ_ID:
		return show(chip, FMI_INTEL_SHOW_ID, FMI_NOTE_READ_ID);
	case CMD_QUERY:
		return show(chip, FMI_INTEL_SHOW_QUERY, FMI_NOTE_QUERY);
	case CMD_CLEAR_STATUS:
		return clear_status(chip, quirks);
	case CMD_PROGRAM:
		return begin(chip, FMI_INTEL_PROGRAM, FMI_NOTE_PROGRAM);
	case CMD_ERASE:
		return erase_setup(chip, quirks);
	case CMD_LOCK_SETUP:
		return begin(chip, FMI_INTEL_LOCK, FMI_NOTE_LOCK_SETUP);
	case CMD_BUFFER:
		chip->sr |= FMI_SR_READY;
		return begin(chip, FMI_INTEL_COUNT, FMI_NOTE_BUFFER);
	case CMD_SUSPEND: /* nothing is under way: everything is done at once */
		return no_command(chip, quirks, FMI_NOTE_SUSPEND);
	case CMD_CONFIRM:
		return no_command(chip, quirks, FMI_NOTE_RESUME);
	case CMD_UNKNOWN:
		break;
	}
	return no_command(chip, quirks, FMI_NOTE_UNKNOWN);
}

static struct fmi_intel_step lock(struct fmi_intel *chip, unsigned quirks, uint32_t value)
{
	bool locks = !(quirks & FM_FLASH_QUIRK_NO_LOCKS);

	switch (value & 0xffu) {
	case LOCK_BLOCK:
		return end(chip, locks ? FMI_ACTION_LOCK : FMI_ACTION_NONE, FMI_NOTE_LOCK);
	case CONFIRM:
		return end(chip, locks ? FMI_ACTION_UNLOCK : FMI_ACTION_NONE, FMI_NOTE_UNLOCK);
	case LOCK_DOWN:
		if (locks)
			return end(chip, FMI_ACTION_LOCK_DOWN, FMI_NOTE_LOCK_DOWN);
		break;
	default:
		break;
	}
	return bad_sequence(chip, quirks, FMI_ACTION_NONE, FMI_NOTE_LOCK_UNKNOWN);
}

static struct fmi_intel_step count(struct fmi_intel *chip, const struct fmi_intel_part *part,
				   uint64_t off, uint32_t value)
{
	if (value >= part->buffer_len / part->width &&
	    !(part->quirks & FM_FLASH_QUIRK_COUNT_UNBOUNDED))
		return bad_sequence(chip, part->quirks, FMI_ACTION_NONE, FMI_NOTE_COUNT_TOO_LARGE);
	chip->state = FMI_INTEL_DATA;
	chip->words = value;
	chip->left = value + 1; /* 2^32 words, unbounded: 0, which data() counts down right */
	if (!(part->quirks & FM_FLASH_QUIRK_BUFFER_FROM_COUNT))
		return step(FMI_ACTION_NONE, FMI_NOTE_BUFFER_COUNT);
	chip->window = fmi_align_down(off, part->buffer_len);
	chip->lo = 0;
	chip->hi = part->buffer_len;
	return step(FMI_ACTION_BUFFER_OPEN, FMI_NOTE_BUFFER_COUNT);
}

/* BUFFER_FROM_COUNT: a word of a buffer that lies at a known place. */
static struct fmi_intel_step data_in_window(struct fmi_intel *chip, uint32_t buffer_len,
					    uint64_t off)
{
	bool inside = off - chip->window < buffer_len; /* below it wraps to something large */

	chip->sr |= FMI_SR_READY | (inside ? 0 : FMI_SR_PROGRAM);
	if (!--chip->left)
		chip->state = FMI_INTEL_CONFIRM;
	return step(inside ? FMI_ACTION_BUFFER_PUT : FMI_ACTION_NONE,
		    inside ? FMI_NOTE_NONE : FMI_NOTE_OUTSIDE_BUFFER);
}

/*
 * The first word says where the buffer lies, not the count cycle, which drivers write to the block's
 * or the device's base; every further word must be in the same buffer.
 */
static struct fmi_intel_step data(struct fmi_intel *chip, const struct fmi_intel_part *part,
				  uint64_t off)
{
	unsigned width = part->width;
	uint64_t window = fmi_align_down(off, part->buffer_len);
	uint32_t at = (uint32_t)(off - window);

	if (part->quirks & FM_FLASH_QUIRK_BUFFER_FROM_COUNT)
		return data_in_window(chip, part->buffer_len, off);
	if (chip->lo == chip->hi) {
		chip->window = window;
		chip->lo = at;
		chip->hi = at + width;
	} else if (window != chip->window) {
		return bad_sequence(chip, part->quirks, FMI_ACTION_BUFFER_DROP,
				    FMI_NOTE_OUTSIDE_BUFFER);
	} else if (at < chip->lo) {
		chip->lo = at;
	} else if (at >= chip->hi) {
		chip->hi = at + width;
	}
	if (!--chip->left)
		chip->state = FMI_INTEL_CONFIRM;
	return step(FMI_ACTION_BUFFER_PUT, FMI_NOTE_NONE);
}

/* At any address: the buffer knows its own. */
static struct fmi_intel_step confirm_buffer(struct fmi_intel *chip, unsigned quirks, uint32_t value)
{
	if ((value & 0xffu) != CONFIRM)
		return bad_sequence(chip, quirks, FMI_ACTION_BUFFER_DROP,
				    FMI_NOTE_BUFFER_UNCONFIRMED);
	if ((quirks & FM_FLASH_QUIRK_BUFFER_FROM_COUNT) && (chip->sr & FMI_SR_PROGRAM)) {
		chip->mode = FMI_INTEL_SHOW_ARRAY;
		return end(chip, FMI_ACTION_BUFFER_DROP, FMI_NOTE_BUFFER_CONFIRM);
	}
	return end(chip, FMI_ACTION_BUFFER_PROGRAM, FMI_NOTE_BUFFER_CONFIRM);
}

static struct fmi_intel_step confirm_erase(struct fmi_intel *chip, unsigned quirks, uint32_t value)
{
	bool done = quirks & FM_FLASH_QUIRK_ERASE_AT_SETUP;

	if ((value & 0xffu) != CONFIRM)
		return bad_sequence(chip, quirks, FMI_ACTION_NONE, FMI_NOTE_ERASE_UNCONFIRMED);
	return end(chip, done ? FMI_ACTION_NONE : FMI_ACTION_ERASE, FMI_NOTE_ERASE_CONFIRM);
}

struct fmi_intel_step fmi_intel_write(struct fmi_intel *chip, const struct fmi_intel_part *part,
				      uint64_t off, uint32_t value)
{
	switch (chip->state) {
	case FMI_INTEL_READY:
		return ready(chip, part->quirks, value);
	case FMI_INTEL_PROGRAM:
		return end(chip, FMI_ACTION_PROGRAM, FMI_NOTE_NONE);
	case FMI_INTEL_ERASE:
		return confirm_erase(chip, part->quirks, value);
	case FMI_INTEL_LOCK:
		return lock(chip, part->quirks, value);
	case FMI_INTEL_COUNT:
		return count(chip, part, off, value);
	case FMI_INTEL_DATA:
		return data(chip, part, off);
	case FMI_INTEL_CONFIRM:
		return confirm_buffer(chip, part->quirks, value);
	case FMI_INTEL_STATES:
		break;
	}
	return step(FMI_ACTION_NONE, FMI_NOTE_NONE);
}

void fmi_intel_refused(struct fmi_intel *chip, const struct fmi_intel_part *part,
		       enum fmi_action action)
{
	const uint8_t locked = part->quirks & FM_FLASH_QUIRK_NO_LOCKS ? 0 : FMI_SR_LOCKED;

	switch (action) {
	case FMI_ACTION_PROGRAM:
	case FMI_ACTION_BUFFER_PUT: /* only where BUFFER_FROM_COUNT asks so early */
	case FMI_ACTION_BUFFER_PROGRAM:
	case FMI_ACTION_LOCK:
	case FMI_ACTION_LOCK_DOWN:
		chip->sr |= locked | FMI_SR_PROGRAM;
		break;
	case FMI_ACTION_ERASE:
	case FMI_ACTION_CHIP_ERASE:
	case FMI_ACTION_UNLOCK:
		chip->sr |= locked | FMI_SR_ERASE;
		break;
	case FMI_ACTION_NONE:
	case FMI_ACTION_BUFFER_OPEN:
	case FMI_ACTION_BUFFER_DROP:
		break;
	}
}

void fmi_intel_buffer_done(struct fmi_intel *chip)
{
	chip->words = 0;
	chip->left = 0;
	chip->window = 0;
	chip->lo = 0;
	chip->hi = 0;
}

void fmi_intel_reset(struct fmi_intel *chip)
{
	*chip = (struct fmi_intel){ .state = FMI_INTEL_READY,
				    .mode = FMI_INTEL_SHOW_ARRAY,
				    .sr = FMI_SR_READY };
}

bool fmi_intel_equal(const struct fmi_intel *a, const struct fmi_intel *b)
{
	return a->state == b->state && a->mode == b->mode && a->sr == b->sr &&
	       a->words == b->words && a->left == b->left && a->window == b->window &&
	       a->lo == b->lo && a->hi == b->hi;
}

/* The same for BUFFER_FROM_COUNT: all of the buffer is held from the count on. */
static bool opened_buffer_valid(const struct fmi_intel *chip, const struct fmi_intel_part *part,
				uint64_t bank_len)
{
	bool bounded = !(part->quirks & FM_FLASH_QUIRK_COUNT_UNBOUNDED);

	if (bounded && chip->words >= part->buffer_len / part->width)
		return false;
	if (chip->state == FMI_INTEL_CONFIRM ? chip->left : chip->left - 1 > chip->words)
		return false;
	return !chip->lo && chip->hi == part->buffer_len &&
	       fmi_is_aligned(chip->window, part->buffer_len) &&
	       fmi_in_range(chip->window, part->buffer_len, bank_len);
}

/* Is the buffer's part of the state what DATA and CONFIRM can have? */
static bool buffer_valid(const struct fmi_intel *chip, const struct fmi_intel_part *part,
			 uint64_t bank_len)
{
	uint32_t buffer_len = part->buffer_len;
	unsigned width = part->width;
	bool empty = chip->lo == chip->hi;

	if (part->quirks & FM_FLASH_QUIRK_BUFFER_FROM_COUNT)
		return opened_buffer_valid(chip, part, bank_len);
	if (chip->words >= buffer_len / width || chip->left > chip->words + 1)
		return false;
	if ((chip->state == FMI_INTEL_CONFIRM) != !chip->left)
		return false;
	/* Held data and no data go with words that came and none that did. */
	if (empty)
		return chip->left == chip->words + 1 && !chip->lo && !chip->window;
	return chip->left <= chip->words && chip->lo < chip->hi && chip->hi <= buffer_len &&
	       !(chip->lo % width) && !(chip->hi % width) &&
	       fmi_is_aligned(chip->window, buffer_len) &&
	       fmi_in_range(chip->window, buffer_len, bank_len);
}

bool fmi_intel_valid(const struct fmi_intel *chip, const struct fmi_intel_part *part,
		     uint64_t bank_len)
{
	const uint8_t always = part->quirks & FM_FLASH_QUIRK_CLEAR_NOT_READY ? 0 : FMI_SR_READY;
	const uint8_t known = FMI_SR_READY | FMI_SR_SEQUENCE | FMI_SR_LOCKED;
	struct fmi_intel empty = *chip;

	if (chip->state >= FMI_INTEL_STATES || chip->mode >= FMI_INTEL_MODES)
		return false;
	if ((chip->sr & ~known) || (chip->sr & always) != always)
		return false;
	if (chip->state != FMI_INTEL_READY && chip->mode != FMI_INTEL_SHOW_STATUS)
		return false;
	if (chip->state == FMI_INTEL_DATA || chip->state == FMI_INTEL_CONFIRM)
		return buffer_valid(chip, part, bank_len);
	fmi_intel_buffer_done(&empty);
	return fmi_intel_equal(chip, &empty);
}

const char *fmi_intel_mode_name(enum fmi_intel_mode mode)
{
	switch (mode) {
	case FMI_INTEL_SHOW_ARRAY:
		return "read-array";
	case FMI_INTEL_SHOW_STATUS:
		return "read-status";
	case FMI_INTEL_SHOW_ID:
		return "read-id";
	case FMI_INTEL_SHOW_QUERY:
		return "query";
	case FMI_INTEL_MODES:
		break;
	}
	return "unknown";
}

const char *fmi_intel_note_text(enum fmi_intel_note note)
{
	switch (note) {
	case FMI_NOTE_READ_ARRAY:
		return "read array";
	case FMI_NOTE_READ_STATUS:
		return "read status";
	case FMI_NOTE_READ_ID:
		return "read id";
	case FMI_NOTE_QUERY:
		return "query";
	case FMI_NOTE_CLEAR_STATUS:
		return "clear status";
	case FMI_NOTE_PROGRAM:
		return "program";
	case FMI_NOTE_ERASE:
		return "erase";
	case FMI_NOTE_ERASE_CONFIRM:
		return "erase confirm";
	case FMI_NOTE_LOCK_SETUP:
		return "lock set-up";
	case FMI_NOTE_LOCK:
		return "lock block";
	case FMI_NOTE_UNLOCK:
		return "unlock block";
	case FMI_NOTE_LOCK_DOWN:
		return "lock down block";
	case FMI_NOTE_BUFFER:
		return "buffered program";
	case FMI_NOTE_BUFFER_COUNT:
		return "buffer count";
	case FMI_NOTE_BUFFER_CONFIRM:
		return "buffer confirm";
	case FMI_NOTE_SUSPEND:
		return "suspend";
	case FMI_NOTE_RESUME:
		return "resume";
	case FMI_NOTE_UNKNOWN:
		return "unknown command";
	case FMI_NOTE_ERASE_UNCONFIRMED:
		return "20 without D0";
	case FMI_NOTE_LOCK_UNKNOWN:
		return "60 without 01, D0 or 2F";
	case FMI_NOTE_COUNT_TOO_LARGE:
		return "count larger than the write buffer";
	case FMI_NOTE_OUTSIDE_BUFFER:
		return "buffer word outside the write buffer";
	case FMI_NOTE_BUFFER_UNCONFIRMED:
		return "E8 without D0";
	case FMI_NOTE_NONE:
	case FMI_NOTES:
		break;
	}
	return "";
}
