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
#define READ_STATUS 0x70u
#define CLEAR_STATUS 0x71u
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

bool fmi_amd_at_first(const struct fmi_geometry *geo, uint64_t off)
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
	chip->after = FMI_AMD_SHOW_ARRAY;
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
	return show(chip, FMI_AMD_READY, fmi_amd_home(chip), note);
}

/*
 * A sector is erased. Where that takes time it waits for further ones first; else until a read or
 * another command further ones may follow.
 */
static struct fmi_amd_step erase_sector(struct fmi_amd *chip, const struct fmi_part *part,
					enum fmi_amd_state more, enum fmi_amd_state then)
{
	if (part->timed)
		return act(chip, then, FMI_ACTION_ERASE_QUEUE, FMI_AMD_NOTE_ERASE_SECTOR);
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
	chip->buffer.left = 0;
	chip->sector = 0;
	chip->toggle = false;
	chip->sr |= FMI_AMD_SR_ABORTED;
	return show(chip, FMI_AMD_ABORTED, FMI_AMD_SHOW_STATUS, note);
}

/* --- states ------------------------------------------------------------------------------ */

/* One cycle, without an unlock sequence (S29GL-S). */
static bool status_register(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
			    uint8_t value)
{
	if ((value != READ_STATUS && value != CLEAR_STATUS) ||
	    (part->traits & FM_FLASH_NO_STATUS) || !fmi_amd_at_first(part->geo, off))
		return false;
	if (value == CLEAR_STATUS) {
		chip->sr = 0;
		return true;
	}
	if (chip->mode != FMI_AMD_SHOW_REGISTER)
		chip->after = chip->mode;
	chip->mode = FMI_AMD_SHOW_REGISTER;
	return true;
}

static struct fmi_amd_step ready(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
				 uint8_t value)
{
	if (value == UNLOCK_1 && fmi_amd_at_first(part->geo, off))
		return go(chip, FMI_AMD_UNLOCK_2, FMI_AMD_NOTE_NONE);
	if (value == RESET)
		return read_array(chip, FMI_AMD_NOTE_RESET);
	if (value == QUERY && at_query(part->geo, off))
		return show(chip, FMI_AMD_READY, FMI_AMD_SHOW_QUERY, FMI_AMD_NOTE_QUERY);
	if (value == ERASE_SECTOR)
		return fmi_amd_resume(chip, part);
	if (status_register(chip, part, off, value))
		return go(chip, FMI_AMD_READY,
			  value == READ_STATUS ? FMI_AMD_NOTE_READ_STATUS
					       : FMI_AMD_NOTE_CLEAR_STATUS);
	/* Nothing is under way to suspend. */
	return go(chip, FMI_AMD_READY,
		  value == SUSPEND ? FMI_AMD_NOTE_SUSPEND : FMI_AMD_NOTE_UNKNOWN);
}

/* A cycle that had to be `code`, at the right address if `there`. */
static struct fmi_amd_step expect(struct fmi_amd *chip, uint8_t value, uint8_t code, bool there,
				  enum fmi_amd_state next)
{
	if (value == code && there)
		return go(chip, next, FMI_AMD_NOTE_NONE);
	return read_array(chip, value == RESET ? FMI_AMD_NOTE_RESET : FMI_AMD_NOTE_BROKEN);
}

/* May this command not begin because of what is suspended, or in the secured sector? */
static bool forbidden(const struct fmi_amd *chip, uint8_t value)
{
	switch (value) {
	case PROGRAM:
		return chip->op.action;
	case BUFFER:
		return chip->op.action || chip->secured;
	case ERASE:
	case BYPASS:
		return chip->op.action || chip->erase.action || chip->secured;
	default:
		return false;
	}
}

static struct fmi_amd_step unlocked(struct fmi_amd *chip, const struct fmi_part *part,
				    uint8_t value)
{
	struct fmi_amd_step step;

	switch (value) {
	case PROGRAM:
		return go(chip, FMI_AMD_PROGRAM, FMI_AMD_NOTE_PROGRAM);
	case ERASE:
		return go(chip, FMI_AMD_ERASE_1, FMI_AMD_NOTE_ERASE);
	case AUTOSELECT:
		/* In the secured sector this begins its exit. */
		if (chip->secured)
			return go(chip, FMI_AMD_SET_EXIT, FMI_AMD_NOTE_NONE);
		return show(chip, FMI_AMD_READY, FMI_AMD_SHOW_ID, FMI_AMD_NOTE_ID);
	case BYPASS:
		if (part->traits & FM_FLASH_NO_BYPASS)
			break;
		return go(chip, FMI_AMD_BYPASS, FMI_AMD_NOTE_BYPASS);
	default:
		if (fmi_amd_set_entry(chip, part, value, &step))
			return step;
		break;
	}
	return read_array(chip, FMI_AMD_NOTE_UNKNOWN);
}

static struct fmi_amd_step command(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
				   uint8_t value)
{
	chip->mode = fmi_amd_home(chip);
	chip->after = FMI_AMD_SHOW_ARRAY;
	if (forbidden(chip, value))
		return read_array(chip, FMI_AMD_NOTE_SUSPENDED);
	if (value == BUFFER && !(part->traits & FM_FLASH_NO_BUFFER)) {
		chip->sector = fmi_geometry_block(part->geo, off).off;
		return go(chip, FMI_AMD_COUNT, FMI_AMD_NOTE_BUFFER);
	}
	if (value == RESET)
		return read_array(chip, FMI_AMD_NOTE_RESET);
	if (!fmi_amd_at_first(part->geo, off))
		return read_array(chip, FMI_AMD_NOTE_BROKEN);
	return unlocked(chip, part, value);
}

static struct fmi_amd_step erase(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
				 uint8_t value)
{
	if (value == ERASE_SECTOR)
		return erase_sector(chip, part, FMI_AMD_MORE, FMI_AMD_READY);
	if (value == ERASE_CHIP && fmi_amd_at_first(part->geo, off))
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

static struct fmi_amd_step bypass_erase(struct fmi_amd *chip, const struct fmi_part *part,
					uint8_t value)
{
	if (value == ERASE_SECTOR)
		return erase_sector(chip, part, FMI_AMD_BYPASS_MORE, FMI_AMD_BYPASS);
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
	chip->buffer.left = value + 1;
	return go(chip, FMI_AMD_DATA, FMI_AMD_NOTE_BUFFER_COUNT);
}

/* The first word says where the buffer lies; every further one must be in the same. */
static struct fmi_amd_step data(struct fmi_amd *chip, const struct fmi_geometry *geo, uint64_t off)
{
	struct fmi_buffer *buffer = &chip->buffer;
	uint64_t window = fmi_align_down(off, geo->buffer_len);
	uint32_t at = (uint32_t)(off - window);

	if (fmi_buffer_empty(buffer)) {
		if (!in_sector(geo, chip, off))
			return abort_buffer(chip, FMI_AMD_NOTE_OUTSIDE_SECTOR);
		buffer->window = window;
		buffer->lo = at;
		buffer->hi = at;
	} else if (window != buffer->window) {
		return abort_buffer(chip, FMI_AMD_NOTE_OUTSIDE_BUFFER);
	}
	fmi_buffer_take(buffer, at, geo->bank_width);
	return act(chip, buffer->left ? FMI_AMD_DATA : FMI_AMD_CONFIRM, FMI_ACTION_BUFFER_PUT,
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
static struct fmi_amd_step aborted(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
				   uint8_t value)
{
	const struct fmi_geometry *geo = part->geo;

	/* The status register says what happened, here too: bit 3 is for nothing else. */
	if (value == READ_STATUS && status_register(chip, part, off, value))
		return go(chip, FMI_AMD_ABORTED, FMI_AMD_NOTE_READ_STATUS);
	if (value == UNLOCK_1 && fmi_amd_at_first(geo, off))
		return go(chip, FMI_AMD_ABORTED_2, FMI_AMD_NOTE_NONE);
	if (chip->state == FMI_AMD_ABORTED_2 && value == UNLOCK_2 && at_second(geo, off))
		return go(chip, FMI_AMD_ABORTED_3, FMI_AMD_NOTE_NONE);
	if (chip->state != FMI_AMD_ABORTED_3 || value != RESET)
		return go(chip, FMI_AMD_ABORTED, FMI_AMD_NOTE_STILL_ABORTED);
	chip->mode = fmi_amd_home(chip);
	chip->after = FMI_AMD_SHOW_ARRAY;
	chip->toggle = false;
	chip->sr = 0;
	return act(chip, FMI_AMD_READY, FMI_ACTION_BUFFER_DROP, FMI_AMD_NOTE_ABORT_RESET);
}

enum fmi_amd_state fmi_amd_unlocking(enum fmi_amd_state state, const struct fmi_geometry *geo,
				     uint64_t off, uint32_t code)
{
	if (state == FMI_AMD_READY && code == UNLOCK_1 && fmi_amd_at_first(geo, off))
		return FMI_AMD_UNLOCK_2;
	if (state == FMI_AMD_UNLOCK_2 && code == UNLOCK_2 && at_second(geo, off))
		return FMI_AMD_COMMAND;
	if (state == FMI_AMD_COMMAND && code == PROGRAM && fmi_amd_at_first(geo, off))
		return FMI_AMD_PROGRAM;
	return FMI_AMD_READY;
}

/* Unlock bypass, with what a chip does in it. */
static struct fmi_amd_step bypass_write(struct fmi_amd *chip, const struct fmi_part *part,
					uint8_t code)
{
	if (chip->state == FMI_AMD_BYPASS_PROGRAM)
		return act(chip, FMI_AMD_BYPASS, FMI_ACTION_PROGRAM, FMI_AMD_NOTE_NONE);
	if (chip->state == FMI_AMD_BYPASS_ERASE)
		return bypass_erase(chip, part, code);
	if (chip->state == FMI_AMD_BYPASS_MORE && code == ERASE_SECTOR)
		return erase_sector(chip, part, FMI_AMD_BYPASS_MORE, FMI_AMD_BYPASS);
	if (chip->state != FMI_AMD_BYPASS_RESET)
		return bypass(chip, code);
	if (code)
		return go(chip, FMI_AMD_BYPASS, FMI_AMD_NOTE_BROKEN);
	return read_array(chip, FMI_AMD_NOTE_BYPASS_RESET);
}

/* The states that lead to a program or an erase of the array. */
static struct fmi_amd_step sequence(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
				    uint8_t code)
{
	const struct fmi_geometry *geo = part->geo;

	if (chip->state == FMI_AMD_UNLOCK_2)
		return expect(chip, code, UNLOCK_2, at_second(geo, off), FMI_AMD_COMMAND);
	if (chip->state == FMI_AMD_COMMAND)
		return command(chip, part, off, code);
	if (chip->state == FMI_AMD_PROGRAM)
		return act(chip, FMI_AMD_READY,
			   chip->secured ? FMI_ACTION_REGISTER : FMI_ACTION_PROGRAM,
			   FMI_AMD_NOTE_NONE);
	if (chip->state == FMI_AMD_ERASE_1)
		return expect(chip, code, UNLOCK_1, fmi_amd_at_first(geo, off), FMI_AMD_ERASE_2);
	if (chip->state == FMI_AMD_ERASE_2)
		return expect(chip, code, UNLOCK_2, at_second(geo, off), FMI_AMD_ERASE);
	return erase(chip, part, off, code);
}

struct fmi_amd_step fmi_amd_write(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
				  uint32_t value)
{
	/* Commands are on D0-D7; the rest of a chip's data lines is "don't care". */
	uint8_t code = (uint8_t)value;

	switch (chip->state) {
	case FMI_AMD_MORE:
		if (code == ERASE_SECTOR)
			return erase_sector(chip, part, FMI_AMD_MORE, FMI_AMD_READY);
		chip->mode = fmi_amd_home(chip);
		return ready(chip, part, off, code);
	case FMI_AMD_READY:
		return ready(chip, part, off, code);
	case FMI_AMD_UNLOCK_2:
	case FMI_AMD_COMMAND:
	case FMI_AMD_PROGRAM:
	case FMI_AMD_ERASE_1:
	case FMI_AMD_ERASE_2:
	case FMI_AMD_ERASE:
		return sequence(chip, part, off, code);
	case FMI_AMD_BYPASS_MORE:
	case FMI_AMD_BYPASS:
	case FMI_AMD_BYPASS_PROGRAM:
	case FMI_AMD_BYPASS_ERASE:
	case FMI_AMD_BYPASS_RESET:
		return bypass_write(chip, part, code);
	case FMI_AMD_COUNT:
		return count(chip, part->geo, off, value);
	case FMI_AMD_DATA:
		return data(chip, part->geo, off);
	case FMI_AMD_CONFIRM:
		return confirm(chip, part->geo, off, code);
	case FMI_AMD_ABORTED:
	case FMI_AMD_ABORTED_2:
	case FMI_AMD_ABORTED_3:
		return aborted(chip, part, off, code);
	case FMI_AMD_WINDOW:
	case FMI_AMD_BUSY:
	case FMI_AMD_FAILED:
		return fmi_amd_busy_write(chip, part, off, code);
	case FMI_AMD_SET:
	case FMI_AMD_SET_PROGRAM:
	case FMI_AMD_SET_ERASE:
	case FMI_AMD_SET_EXIT:
		return fmi_amd_set_write(chip, code);
	case FMI_AMD_STATES:
		break;
	}
	return go(chip, chip->state, FMI_AMD_NOTE_NONE);
}

void fmi_amd_buffer_done(struct fmi_amd *chip)
{
	chip->sector = 0;
	chip->buffer = (struct fmi_buffer){ 0 };
}

void fmi_amd_reset(struct fmi_amd *chip)
{
	*chip = (struct fmi_amd){ .state = FMI_AMD_READY, .mode = FMI_AMD_SHOW_ARRAY };
}
