/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash/cfi_amd.h"

#include "flash/flash_private.h"

#include "devices/bytes.h"

/* Codes on D0-D7. */
#define UNLOCK_1 0xaau
#define UNLOCK_2 0x55u
#define ERASE_CHIP 0x10u
#define BYPASS 0x20u
#define BUFFER 0x25u
#define BUFFER_CONFIRM 0x29u
#define ERASE_SECTOR 0x30u /* and resume, where nothing is to be erased */
#define ERASE 0x80u
#define AUTOSELECT 0x90u
#define QUERY 0x98u
#define PROGRAM 0xa0u
#define SUSPEND 0xb0u
#define RESET 0xf0u

/* --- command addresses ------------------------------------------------------------------- */

/*
 * Is the cycle at that word of a chip? Only its lowest address lines count; `bits` of them. In byte
 * mode there is one more, below the others.
 */
static bool at_word(const struct fmi_geometry *geo, uint64_t off, unsigned bits, uint64_t word)
{
	return (off & ((UINT64_C(1) << bits) - 1) * geo->bank_width) == word * geo->bank_width;
}

static bool at_first(const struct fmi_geometry *geo, uint64_t off)
{
	return geo->byte_mode ? at_word(geo, off, 12, 0xaaa) : at_word(geo, off, 11, 0x555);
}

static bool at_second(const struct fmi_geometry *geo, uint64_t off)
{
	return geo->byte_mode ? at_word(geo, off, 12, 0x555) : at_word(geo, off, 11, 0x2aa);
}

/* 55, and so 555 too. */
static bool at_query(const struct fmi_geometry *geo, uint64_t off)
{
	return geo->byte_mode ? at_word(geo, off, 8, 0xaa) : at_word(geo, off, 8, 0x55);
}

static bool in_sector(const struct fmi_geometry *geo, const struct fmi_amd *chip, uint64_t off)
{
	return fmi_geometry_block(geo, off).off == chip->sector;
}

/* --- steps ------------------------------------------------------------------------------- */

static struct fmi_amd_step go(struct fmi_amd *chip, enum fmi_amd_state state,
			      enum fmi_amd_note note)
{
	chip->state = state;
	return (struct fmi_amd_step){ .action = FMI_ACTION_NONE, .note = note };
}

/* To a state in which a read shows `mode`. */
static struct fmi_amd_step show(struct fmi_amd *chip, enum fmi_amd_state state,
				enum fmi_amd_mode mode, enum fmi_amd_note note)
{
	chip->mode = mode;
	return go(chip, state, note);
}

static struct fmi_amd_step act(struct fmi_amd *chip, enum fmi_amd_state state,
			       enum fmi_action action, enum fmi_amd_note note)
{
	chip->state = state;
	return (struct fmi_amd_step){ .action = action, .note = note };
}

static struct fmi_amd_step read_array(struct fmi_amd *chip, enum fmi_amd_note note)
{
	return show(chip, FMI_AMD_READY, FMI_AMD_SHOW_ARRAY, note);
}

/* A sector is erased; until a read or another command further ones may follow. */
static struct fmi_amd_step erase_sector(struct fmi_amd *chip, enum fmi_amd_state more)
{
	chip->mode = FMI_AMD_SHOW_ERASED;
	return act(chip, more, FMI_ACTION_ERASE, FMI_AMD_NOTE_ERASE_SECTOR);
}

static struct fmi_amd_step erase_chip(struct fmi_amd *chip, enum fmi_amd_state then)
{
	return act(chip, then, FMI_ACTION_CHIP_ERASE, FMI_AMD_NOTE_ERASE_CHIP);
}

/* What the buffer holds stays until the reset: the status is about its last word. */
static struct fmi_amd_step abort_buffer(struct fmi_amd *chip, enum fmi_amd_note note)
{
	chip->left = 0;
	chip->sector = 0;
	chip->toggle = false;
	return show(chip, FMI_AMD_ABORTED, FMI_AMD_SHOW_STATUS, note);
}

/* --- states ------------------------------------------------------------------------------ */

static struct fmi_amd_step ready(struct fmi_amd *chip, const struct fmi_geometry *geo, uint64_t off,
				 uint8_t value)
{
	if (value == UNLOCK_1 && at_first(geo, off))
		return go(chip, FMI_AMD_UNLOCK_2, FMI_AMD_NOTE_NONE);
	if (value == RESET)
		return read_array(chip, FMI_AMD_NOTE_RESET);
	if (value == QUERY && at_query(geo, off))
		return show(chip, FMI_AMD_READY, FMI_AMD_SHOW_QUERY, FMI_AMD_NOTE_QUERY);
	/* Nothing is under way: everything is done at once. */
	if (value == SUSPEND)
		return go(chip, FMI_AMD_READY, FMI_AMD_NOTE_SUSPEND);
	if (value == ERASE_SECTOR)
		return go(chip, FMI_AMD_READY, FMI_AMD_NOTE_RESUME);
	return go(chip, FMI_AMD_READY, FMI_AMD_NOTE_UNKNOWN);
}

/* A cycle that had to be `code`, at the right address if `there`. */
static struct fmi_amd_step expect(struct fmi_amd *chip, uint8_t value, uint8_t code, bool there,
				  enum fmi_amd_state next)
{
	if (value == code && there)
		return go(chip, next, FMI_AMD_NOTE_NONE);
	return read_array(chip, value == RESET ? FMI_AMD_NOTE_RESET : FMI_AMD_NOTE_BROKEN);
}

static struct fmi_amd_step command(struct fmi_amd *chip, const struct fmi_geometry *geo,
				   uint64_t off, uint8_t value)
{
	chip->mode = FMI_AMD_SHOW_ARRAY;
	if (value == BUFFER) {
		chip->sector = fmi_geometry_block(geo, off).off;
		return go(chip, FMI_AMD_COUNT, FMI_AMD_NOTE_BUFFER);
	}
	if (value == RESET)
		return read_array(chip, FMI_AMD_NOTE_RESET);
	if (!at_first(geo, off))
		return read_array(chip, FMI_AMD_NOTE_BROKEN);
	switch (value) {
	case PROGRAM:
		return go(chip, FMI_AMD_PROGRAM, FMI_AMD_NOTE_PROGRAM);
	case ERASE:
		return go(chip, FMI_AMD_ERASE_1, FMI_AMD_NOTE_ERASE);
	case AUTOSELECT:
		return show(chip, FMI_AMD_READY, FMI_AMD_SHOW_ID, FMI_AMD_NOTE_ID);
	case BYPASS:
		return go(chip, FMI_AMD_BYPASS, FMI_AMD_NOTE_BYPASS);
	default:
		return read_array(chip, FMI_AMD_NOTE_UNKNOWN);
	}
}

static struct fmi_amd_step erase(struct fmi_amd *chip, const struct fmi_geometry *geo, uint64_t off,
				 uint8_t value)
{
	if (value == ERASE_SECTOR)
		return erase_sector(chip, FMI_AMD_MORE);
	if (value == ERASE_CHIP && at_first(geo, off))
		return erase_chip(chip, FMI_AMD_READY);
	return read_array(chip, value == RESET ? FMI_AMD_NOTE_RESET : FMI_AMD_NOTE_BROKEN);
}

/* Only these three are commands in unlock bypass; a reset is none. */
static struct fmi_amd_step bypass(struct fmi_amd *chip, uint8_t value)
{
	chip->mode = FMI_AMD_SHOW_ARRAY;
	switch (value) {
	case PROGRAM:
		return go(chip, FMI_AMD_BYPASS_PROGRAM, FMI_AMD_NOTE_PROGRAM);
	case ERASE:
		return go(chip, FMI_AMD_BYPASS_ERASE, FMI_AMD_NOTE_ERASE);
	case AUTOSELECT:
		return go(chip, FMI_AMD_BYPASS_RESET, FMI_AMD_NOTE_NONE);
	default:
		return go(chip, FMI_AMD_BYPASS, FMI_AMD_NOTE_UNKNOWN);
	}
}

static struct fmi_amd_step bypass_erase(struct fmi_amd *chip, uint8_t value)
{
	if (value == ERASE_SECTOR)
		return erase_sector(chip, FMI_AMD_BYPASS_MORE);
	if (value == ERASE_CHIP)
		return erase_chip(chip, FMI_AMD_BYPASS);
	return go(chip, FMI_AMD_BYPASS, FMI_AMD_NOTE_BROKEN);
}

static struct fmi_amd_step count(struct fmi_amd *chip, const struct fmi_geometry *geo, uint64_t off,
				 uint32_t value)
{
	if (!in_sector(geo, chip, off))
		return abort_buffer(chip, FMI_AMD_NOTE_OUTSIDE_SECTOR);
	if (value >= geo->buffer_len / geo->bank_width)
		return abort_buffer(chip, FMI_AMD_NOTE_COUNT_TOO_LARGE);
	chip->left = value + 1;
	return go(chip, FMI_AMD_DATA, FMI_AMD_NOTE_BUFFER_COUNT);
}

/* The first word says where the buffer lies; every further one must be in the same. */
static struct fmi_amd_step data(struct fmi_amd *chip, const struct fmi_geometry *geo, uint64_t off)
{
	uint64_t window = fmi_align_down(off, geo->buffer_len);
	uint32_t at = (uint32_t)(off - window);

	if (chip->lo == chip->hi) {
		if (!in_sector(geo, chip, off))
			return abort_buffer(chip, FMI_AMD_NOTE_OUTSIDE_SECTOR);
		chip->window = window;
		chip->lo = at;
		chip->hi = at + geo->bank_width;
	} else if (window != chip->window) {
		return abort_buffer(chip, FMI_AMD_NOTE_OUTSIDE_BUFFER);
	} else if (at < chip->lo) {
		chip->lo = at;
	} else if (at >= chip->hi) {
		chip->hi = at + geo->bank_width;
	}
	chip->last = at;
	return act(chip, --chip->left ? FMI_AMD_DATA : FMI_AMD_CONFIRM, FMI_ACTION_BUFFER_PUT,
		   FMI_AMD_NOTE_NONE);
}

static struct fmi_amd_step confirm(struct fmi_amd *chip, const struct fmi_geometry *geo,
				   uint64_t off, uint8_t value)
{
	if (value != BUFFER_CONFIRM)
		return abort_buffer(chip, FMI_AMD_NOTE_BUFFER_UNCONFIRMED);
	if (!in_sector(geo, chip, off))
		return abort_buffer(chip, FMI_AMD_NOTE_OUTSIDE_SECTOR);
	return act(chip, FMI_AMD_READY, FMI_ACTION_BUFFER_PROGRAM, FMI_AMD_NOTE_BUFFER_CONFIRM);
}

/* Out of an abort there is one way. Its last address is 555, in both modes or by table AAA. */
static struct fmi_amd_step aborted(struct fmi_amd *chip, const struct fmi_geometry *geo,
				   uint64_t off, uint8_t value)
{
	if (value == UNLOCK_1 && at_first(geo, off))
		return go(chip, FMI_AMD_ABORTED_2, FMI_AMD_NOTE_NONE);
	if (chip->state == FMI_AMD_ABORTED_2 && value == UNLOCK_2 && at_second(geo, off))
		return go(chip, FMI_AMD_ABORTED_3, FMI_AMD_NOTE_NONE);
	if (chip->state != FMI_AMD_ABORTED_3 || value != RESET)
		return go(chip, FMI_AMD_ABORTED, FMI_AMD_NOTE_STILL_ABORTED);
	chip->mode = FMI_AMD_SHOW_ARRAY;
	chip->toggle = false;
	return act(chip, FMI_AMD_READY, FMI_ACTION_BUFFER_DROP, FMI_AMD_NOTE_ABORT_RESET);
}

struct fmi_amd_step fmi_amd_write(struct fmi_amd *chip, const struct fmi_geometry *geo,
				  uint64_t off, uint32_t value)
{
	/* Commands are on D0-D7; the rest of a chip's data lines is "don't care". */
	uint8_t code = (uint8_t)value;

	switch (chip->state) {
	case FMI_AMD_MORE:
		if (code == ERASE_SECTOR)
			return erase_sector(chip, FMI_AMD_MORE);
		chip->mode = FMI_AMD_SHOW_ARRAY;
		return ready(chip, geo, off, code);
	case FMI_AMD_READY:
		return ready(chip, geo, off, code);
	case FMI_AMD_UNLOCK_2:
		return expect(chip, code, UNLOCK_2, at_second(geo, off), FMI_AMD_COMMAND);
	case FMI_AMD_COMMAND:
		return command(chip, geo, off, code);
	case FMI_AMD_PROGRAM:
		return act(chip, FMI_AMD_READY, FMI_ACTION_PROGRAM, FMI_AMD_NOTE_NONE);
	case FMI_AMD_ERASE_1:
		return expect(chip, code, UNLOCK_1, at_first(geo, off), FMI_AMD_ERASE_2);
	case FMI_AMD_ERASE_2:
		return expect(chip, code, UNLOCK_2, at_second(geo, off), FMI_AMD_ERASE);
	case FMI_AMD_ERASE:
		return erase(chip, geo, off, code);
	case FMI_AMD_BYPASS_MORE:
		if (code == ERASE_SECTOR)
			return erase_sector(chip, FMI_AMD_BYPASS_MORE);
		return bypass(chip, code);
	case FMI_AMD_BYPASS:
		return bypass(chip, code);
	case FMI_AMD_BYPASS_PROGRAM:
		return act(chip, FMI_AMD_BYPASS, FMI_ACTION_PROGRAM, FMI_AMD_NOTE_NONE);
	case FMI_AMD_BYPASS_ERASE:
		return bypass_erase(chip, code);
	case FMI_AMD_BYPASS_RESET:
		if (code)
			return go(chip, FMI_AMD_BYPASS, FMI_AMD_NOTE_BROKEN);
		return read_array(chip, FMI_AMD_NOTE_BYPASS_RESET);
	case FMI_AMD_COUNT:
		return count(chip, geo, off, value);
	case FMI_AMD_DATA:
		return data(chip, geo, off);
	case FMI_AMD_CONFIRM:
		return confirm(chip, geo, off, code);
	case FMI_AMD_ABORTED:
	case FMI_AMD_ABORTED_2:
	case FMI_AMD_ABORTED_3:
		return aborted(chip, geo, off, code);
	case FMI_AMD_STATES:
		break;
	}
	return go(chip, chip->state, FMI_AMD_NOTE_NONE);
}

/* --- reads, reset ------------------------------------------------------------------------ */

void fmi_amd_was_read(struct fmi_amd *chip)
{
	switch (chip->mode) {
	case FMI_AMD_SHOW_STATUS:
		chip->toggle = !chip->toggle;
		break;
	case FMI_AMD_SHOW_ERASED:
		chip->mode = FMI_AMD_SHOW_ARRAY;
		chip->state = chip->state == FMI_AMD_MORE ? FMI_AMD_READY : FMI_AMD_BYPASS;
		break;
	case FMI_AMD_SHOW_ARRAY:
	case FMI_AMD_SHOW_ID:
	case FMI_AMD_SHOW_QUERY:
	case FMI_AMD_MODES:
		break;
	}
}

uint8_t fmi_amd_status(const struct fmi_amd *chip, uint8_t last)
{
	return (uint8_t)((~last & FMI_DQ7) | (chip->toggle ? FMI_DQ6 : 0) | FMI_DQ1);
}

void fmi_amd_buffer_done(struct fmi_amd *chip)
{
	chip->left = 0;
	chip->sector = 0;
	chip->window = 0;
	chip->lo = 0;
	chip->hi = 0;
	chip->last = 0;
}

void fmi_amd_reset(struct fmi_amd *chip)
{
	*chip = (struct fmi_amd){ .state = FMI_AMD_READY, .mode = FMI_AMD_SHOW_ARRAY };
}

/* --- saved state ------------------------------------------------------------------------- */

bool fmi_amd_equal(const struct fmi_amd *a, const struct fmi_amd *b)
{
	return a->state == b->state && a->mode == b->mode && a->toggle == b->toggle &&
	       a->left == b->left && a->sector == b->sector && a->window == b->window &&
	       a->lo == b->lo && a->hi == b->hi && a->last == b->last;
}

/* What a chip shows in a state. READY and a command that has begun show what was shown before. */
static bool mode_valid(const struct fmi_amd *chip)
{
	switch (chip->state) {
	case FMI_AMD_READY:
	case FMI_AMD_UNLOCK_2:
	case FMI_AMD_COMMAND:
		return chip->mode == FMI_AMD_SHOW_ARRAY || chip->mode == FMI_AMD_SHOW_ID ||
		       chip->mode == FMI_AMD_SHOW_QUERY;
	case FMI_AMD_MORE:
	case FMI_AMD_BYPASS_MORE:
		return chip->mode == FMI_AMD_SHOW_ERASED;
	case FMI_AMD_ABORTED:
	case FMI_AMD_ABORTED_2:
	case FMI_AMD_ABORTED_3:
		return chip->mode == FMI_AMD_SHOW_STATUS;
	case FMI_AMD_PROGRAM:
	case FMI_AMD_ERASE_1:
	case FMI_AMD_ERASE_2:
	case FMI_AMD_ERASE:
	case FMI_AMD_BYPASS:
	case FMI_AMD_BYPASS_PROGRAM:
	case FMI_AMD_BYPASS_ERASE:
	case FMI_AMD_BYPASS_RESET:
	case FMI_AMD_COUNT:
	case FMI_AMD_DATA:
	case FMI_AMD_CONFIRM:
		return chip->mode == FMI_AMD_SHOW_ARRAY;
	case FMI_AMD_STATES:
		break;
	}
	return false;
}

/* Is what the buffer holds, if anything, whole words inside one buffer? */
static bool held_valid(const struct fmi_amd *chip, const struct fmi_geometry *geo)
{
	unsigned width = geo->bank_width;

	if (chip->lo == chip->hi)
		return !chip->lo && !chip->last && !chip->window;
	return chip->lo < chip->hi && chip->hi <= geo->buffer_len && !(chip->lo % width) &&
	       !(chip->hi % width) && !(chip->last % width) && chip->last >= chip->lo &&
	       chip->last < chip->hi && fmi_is_aligned(chip->window, geo->buffer_len) &&
	       fmi_in_range(chip->window, geo->buffer_len, geo->len);
}

static bool sector_valid(const struct fmi_amd *chip, const struct fmi_geometry *geo)
{
	return chip->sector < geo->len && in_sector(geo, chip, chip->sector) &&
	       (chip->lo == chip->hi || in_sector(geo, chip, chip->window));
}

bool fmi_amd_valid(const struct fmi_amd *chip, const struct fmi_geometry *geo)
{
	uint32_t words = geo->buffer_len / geo->bank_width;
	bool empty = chip->lo == chip->hi;

	if (!mode_valid(chip) || !held_valid(chip, geo) ||
	    (chip->toggle && chip->mode != FMI_AMD_SHOW_STATUS))
		return false;
	if (chip->state == FMI_AMD_DATA)
		return chip->left && chip->left <= (empty ? words : words - 1) &&
		       sector_valid(chip, geo);
	if (chip->left)
		return false;
	if (chip->state == FMI_AMD_COUNT || chip->state == FMI_AMD_CONFIRM)
		return empty == (chip->state == FMI_AMD_COUNT) && sector_valid(chip, geo);
	return !chip->sector && (empty || chip->mode == FMI_AMD_SHOW_STATUS);
}

/* --- names ------------------------------------------------------------------------------- */

const char *fmi_amd_mode_name(enum fmi_amd_mode mode)
{
	switch (mode) {
	case FMI_AMD_SHOW_ARRAY:
		return "read-array";
	case FMI_AMD_SHOW_ERASED:
		return "erased";
	case FMI_AMD_SHOW_STATUS:
		return "status";
	case FMI_AMD_SHOW_ID:
		return "autoselect";
	case FMI_AMD_SHOW_QUERY:
		return "query";
	case FMI_AMD_MODES:
		break;
	}
	return "unknown";
}

const char *fmi_amd_note_text(enum fmi_amd_note note)
{
	switch (note) {
	case FMI_AMD_NOTE_RESET:
		return "reset";
	case FMI_AMD_NOTE_ID:
		return "autoselect";
	case FMI_AMD_NOTE_QUERY:
		return "query";
	case FMI_AMD_NOTE_PROGRAM:
		return "program";
	case FMI_AMD_NOTE_ERASE:
		return "erase";
	case FMI_AMD_NOTE_ERASE_SECTOR:
		return "erase sector";
	case FMI_AMD_NOTE_ERASE_CHIP:
		return "erase chip";
	case FMI_AMD_NOTE_BYPASS:
		return "unlock bypass";
	case FMI_AMD_NOTE_BYPASS_RESET:
		return "unlock bypass reset";
	case FMI_AMD_NOTE_BUFFER:
		return "write to buffer";
	case FMI_AMD_NOTE_BUFFER_COUNT:
		return "buffer count";
	case FMI_AMD_NOTE_BUFFER_CONFIRM:
		return "buffer to flash";
	case FMI_AMD_NOTE_ABORT_RESET:
		return "write-to-buffer-abort reset";
	case FMI_AMD_NOTE_SUSPEND:
		return "suspend";
	case FMI_AMD_NOTE_RESUME:
		return "resume";
	case FMI_AMD_NOTE_UNKNOWN:
		return "unknown command";
	case FMI_AMD_NOTE_BROKEN:
		return "command sequence broken off";
	case FMI_AMD_NOTE_COUNT_TOO_LARGE:
		return "count larger than the write buffer";
	case FMI_AMD_NOTE_OUTSIDE_SECTOR:
		return "buffer cycle outside the sector of 25";
	case FMI_AMD_NOTE_OUTSIDE_BUFFER:
		return "buffer word outside the write buffer";
	case FMI_AMD_NOTE_BUFFER_UNCONFIRMED:
		return "25 without 29";
	case FMI_AMD_NOTE_STILL_ABORTED:
		return "write to buffer aborted, and not reset";
	case FMI_AMD_NOTE_NONE:
	case FMI_AMD_NOTES:
		break;
	}
	return "";
}
