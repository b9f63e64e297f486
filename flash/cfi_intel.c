/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash/cfi_intel.h"

#include "flash/flash_private.h"

#include "devices/bytes.h"

const struct fmi_intel_plain fmi_intel_plain[256] = {
	[0xff] = { true, FMI_INTEL_READY, FMI_INTEL_SHOW_ARRAY },
	[0x70] = { true, FMI_INTEL_READY, FMI_INTEL_SHOW_STATUS },
	[0x90] = { true, FMI_INTEL_READY, FMI_INTEL_SHOW_ID },
	[0x98] = { true, FMI_INTEL_READY, FMI_INTEL_SHOW_QUERY },
	[0x10] = { true, FMI_INTEL_PROGRAM, FMI_INTEL_SHOW_STATUS },
	[0x40] = { true, FMI_INTEL_PROGRAM, FMI_INTEL_SHOW_STATUS },
	[0x20] = { true, FMI_INTEL_ERASE, FMI_INTEL_SHOW_STATUS },
};

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
	CMD_REGISTER,
};

/* Second cycles of 60. */
#define LOCK_BLOCK 0x01u
#define CONFIGURE 0x03u
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
	case 0xc0:
		return CMD_REGISTER;
	case 0xe8:
		return CMD_BUFFER;
	default:
		return CMD_UNKNOWN;
	}
}

/* A command that the part does not have is none. */
static enum command decode_for(const struct fmi_part *part, uint32_t value)
{
	enum command command = decode(value);

	if (!part->traits)
		return command;
	if ((command == CMD_LOCK_SETUP && (part->traits & FM_FLASH_NO_PROTECTION) &&
	     (part->traits & FM_FLASH_NO_CONFIGURATION)) ||
	    (command == CMD_REGISTER && (part->traits & FM_FLASH_NO_REGISTERS)) ||
	    (command == CMD_BUFFER && (part->traits & FM_FLASH_NO_BUFFER)))
		return CMD_UNKNOWN;
	return command;
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
	chip->sr &= FMI_SR_ERASE_SUSPENDED | FMI_SR_PROGRAM_SUSPENDED;
	if (!(quirks & FM_FLASH_QUIRK_CLEAR_NOT_READY))
		chip->sr |= FMI_SR_READY;
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

/* --- suspend and resume ------------------------------------------------------------------ */

/* While `op` is under way a chip hears only this; reads show the status whatever is written. */
static struct fmi_intel_step busy(struct fmi_intel *chip, const struct fmi_part *part,
				  uint32_t value)
{
	enum command command = decode(value);

	if (command == CMD_READ_STATUS)
		return step(FMI_ACTION_NONE, FMI_NOTE_READ_STATUS);
	if (command != CMD_SUSPEND || (part->traits & FM_FLASH_NO_SUSPEND) ||
	    chip->op.action == FMI_ACTION_REGISTER)
		return step(FMI_ACTION_NONE, FMI_NOTE_BUSY);
	fmi_op_suspend(&chip->op, part->now_ns);
	chip->state = FMI_INTEL_READY;
	chip->sr |= FMI_SR_READY;
	if (chip->op.action == FMI_ACTION_ERASE) {
		chip->sr |= FMI_SR_ERASE_SUSPENDED;
		chip->erase = chip->op;
		chip->op = (struct fmi_op){ 0 };
	} else {
		chip->sr |= FMI_SR_PROGRAM_SUSPENDED;
	}
	return step(FMI_ACTION_NONE, FMI_NOTE_SUSPEND);
}

/* The program first, where one was suspended within a suspended erase. */
static struct fmi_intel_step resume(struct fmi_intel *chip, const struct fmi_part *part)
{
	if (chip->op.action) {
		chip->sr &= (uint8_t)~FMI_SR_PROGRAM_SUSPENDED;
	} else if (chip->erase.action) {
		chip->op = chip->erase;
		chip->erase = (struct fmi_op){ 0 };
		chip->sr &= (uint8_t)~FMI_SR_ERASE_SUSPENDED;
	} else {
		return no_command(chip, part->quirks, FMI_NOTE_RESUME);
	}
	fmi_op_resume(&chip->op, part->now_ns);
	chip->sr &= (uint8_t)~FMI_SR_READY;
	chip->state = FMI_INTEL_BUSY;
	chip->mode = FMI_INTEL_SHOW_STATUS;
	return step(FMI_ACTION_NONE, FMI_NOTE_RESUME);
}

/* May this command not begin because something is suspended? */
static bool forbidden(const struct fmi_intel *chip, enum command command)
{
	if (!chip->op.action && !chip->erase.action)
		return false;
	switch (command) {
	case CMD_ERASE:
	case CMD_REGISTER:
		return true;
	case CMD_PROGRAM:
	case CMD_BUFFER:
	case CMD_LOCK_SETUP:
		return chip->op.action;
	case CMD_UNKNOWN:
	case CMD_READ_ARRAY:
	case CMD_CLEAR_STATUS:
	case CMD_READ_STATUS:
	case CMD_READ_ID:
	case CMD_QUERY:
	case CMD_SUSPEND:
	case CMD_CONFIRM:
		break;
	}
	return false;
}

/* --- commands ---------------------------------------------------------------------------- */

static struct fmi_intel_step ready(struct fmi_intel *chip, const struct fmi_part *part,
				   uint32_t value)
{
	enum command command = decode_for(part, value);
	unsigned quirks = part->quirks;

	if ((quirks & FM_FLASH_QUIRK_QUERY_STICKS) && chip->mode == FMI_INTEL_SHOW_QUERY &&
	    (value & 0xffu) != 0xff)
		return step(FMI_ACTION_NONE, FMI_NOTE_UNKNOWN);
	if (forbidden(chip, command)) {
		chip->mode = FMI_INTEL_SHOW_STATUS;
		return bad_sequence(chip, quirks, FMI_ACTION_NONE, FMI_NOTE_SUSPENDED);
	}
	switch (command) {
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
	case CMD_REGISTER:
		return begin(chip, FMI_INTEL_REGISTER, FMI_NOTE_REGISTER);
	case CMD_SUSPEND: /* nothing is under way */
		return no_command(chip, quirks, FMI_NOTE_SUSPEND);
	case CMD_CONFIRM:
		return resume(chip, part);
	case CMD_UNKNOWN:
		break;
	}
	return no_command(chip, quirks, FMI_NOTE_UNKNOWN);
}

static struct fmi_intel_step lock(struct fmi_intel *chip, const struct fmi_part *part, uint64_t off,
				  uint32_t value)
{
	bool locks = !(part->quirks & FM_FLASH_QUIRK_NO_LOCKS);
	unsigned lacks = part->traits;
	uint32_t code = value & 0xffu;

	/* Without locks only the configuration register is left of 60. */
	if ((lacks & FM_FLASH_NO_PROTECTION) && code != CONFIGURE)
		return bad_sequence(chip, part->quirks, FMI_ACTION_NONE, FMI_NOTE_LOCK_UNKNOWN);
	switch (code) {
	case LOCK_BLOCK:
		return end(chip, locks ? FMI_ACTION_LOCK : FMI_ACTION_NONE, FMI_NOTE_LOCK);
	case CONFIRM:
		return end(chip, locks ? FMI_ACTION_UNLOCK : FMI_ACTION_NONE, FMI_NOTE_UNLOCK);
	case LOCK_DOWN:
		if (locks && !(lacks & FM_FLASH_NO_LOCK_DOWN))
			return end(chip, FMI_ACTION_LOCK_DOWN, FMI_NOTE_LOCK_DOWN);
		break;
	case CONFIGURE: /* the value is on the address lines */
		if (lacks & FM_FLASH_NO_CONFIGURATION)
			break;
		chip->configuration = (uint16_t)(off / part->geo->bank_width);
		return end(chip, FMI_ACTION_NONE, FMI_NOTE_CONFIGURE);
	default:
		break;
	}
	return bad_sequence(chip, part->quirks, FMI_ACTION_NONE, FMI_NOTE_LOCK_UNKNOWN);
}

/* All of the aligned place is held, as the cells are. */
static void open_window(struct fmi_intel *chip, uint64_t off, uint32_t buffer_len)
{
	chip->buffer.window = fmi_align_down(off, buffer_len);
	chip->buffer.lo = 0;
	chip->buffer.hi = buffer_len;
}

static struct fmi_intel_step count(struct fmi_intel *chip, const struct fmi_part *part,
				   uint64_t off, uint32_t value)
{
	uint32_t buffer_len = part->geo->buffer_len;

	if (value >= buffer_len / part->geo->bank_width &&
	    !(part->quirks & FM_FLASH_QUIRK_COUNT_UNBOUNDED))
		return bad_sequence(chip, part->quirks, FMI_ACTION_NONE, FMI_NOTE_COUNT_TOO_LARGE);
	chip->state = FMI_INTEL_DATA;
	chip->words = value;
	chip->buffer.left =
		value + 1; /* 2^32 words, unbounded: 0, which data() counts down right */
	if (part->quirks & FM_FLASH_QUIRK_BUFFER_FROM_COUNT)
		open_window(chip, off, buffer_len);
	return step(fmi_buffer_empty(&chip->buffer) ? FMI_ACTION_NONE : FMI_ACTION_BUFFER_OPEN,
		    FMI_NOTE_BUFFER_COUNT);
}

/* A word of a buffer of a bank that is one state machine, behind the count that is kept of them. */
static struct fmi_intel_step whole_data(struct fmi_intel *chip, const struct fmi_part *part,
					uint64_t off)
{
	struct fmi_buffer *buffer = &chip->buffer;
	uint32_t buffer_len = part->geo->buffer_len;
	/* A buffer of one word never finds its place. */
	bool opens = fmi_buffer_empty(buffer) && buffer->left != 1;
	bool inside;

	chip->sr |= FMI_SR_READY;
	if (!--buffer->left)
		chip->state = FMI_INTEL_CONFIRM;
	if (part->quirks & FM_FLASH_QUIRK_BUFFER_DIRECT)
		return step(FMI_ACTION_PROGRAM, FMI_NOTE_NONE);
	if (opens) {
		open_window(chip, off, buffer_len);
		return step(FMI_ACTION_BUFFER_OPEN, FMI_NOTE_NONE);
	}
	/* Below the window it wraps to something large. */
	inside = !fmi_buffer_empty(buffer) && off - buffer->window < buffer_len;
	if (inside)
		return step(FMI_ACTION_BUFFER_PUT, FMI_NOTE_NONE);
	chip->sr |= FMI_SR_PROGRAM;
	return step(FMI_ACTION_NONE, FMI_NOTE_OUTSIDE_BUFFER);
}

/*
 * The first word says where the buffer lies, not the count cycle, which drivers write to the block's
 * or the device's base; every further word must be in the same buffer.
 */
static struct fmi_intel_step data(struct fmi_intel *chip, const struct fmi_part *part, uint64_t off)
{
	struct fmi_buffer *buffer = &chip->buffer;
	uint32_t buffer_len = part->geo->buffer_len;
	uint64_t window = fmi_align_down(off, buffer_len);
	uint32_t at = (uint32_t)(off - window);

	if (part->quirks & FM_FLASH_QUIRK_ONE_STATE)
		return whole_data(chip, part, off);
	if (fmi_buffer_empty(buffer)) {
		buffer->window = window;
		buffer->lo = at;
		buffer->hi = at;
	} else if (window != buffer->window) {
		return bad_sequence(chip, part->quirks, FMI_ACTION_BUFFER_DROP,
				    FMI_NOTE_OUTSIDE_BUFFER);
	}
	fmi_buffer_take(buffer, at, part->geo->bank_width);
	if (!buffer->left)
		chip->state = FMI_INTEL_CONFIRM;
	return step(FMI_ACTION_BUFFER_PUT, FMI_NOTE_NONE);
}

/* At any address: the buffer knows its own. */
static struct fmi_intel_step confirm_buffer(struct fmi_intel *chip, unsigned quirks, uint32_t value)
{
	if ((value & 0xffu) != CONFIRM)
		return bad_sequence(chip, quirks, FMI_ACTION_BUFFER_DROP,
				    FMI_NOTE_BUFFER_UNCONFIRMED);
	if (quirks & FM_FLASH_QUIRK_BUFFER_DIRECT)
		return end(chip, FMI_ACTION_BUFFER_DROP, FMI_NOTE_BUFFER_CONFIRM);
	if ((quirks & FM_FLASH_QUIRK_ONE_STATE) && (chip->sr & FMI_SR_PROGRAM)) {
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

struct fmi_intel_step fmi_intel_write(struct fmi_intel *chip, const struct fmi_part *part,
				      uint64_t off, uint32_t value)
{
	switch (chip->state) {
	case FMI_INTEL_READY:
		return ready(chip, part, value);
	case FMI_INTEL_PROGRAM:
		return end(chip, FMI_ACTION_PROGRAM, FMI_NOTE_NONE);
	case FMI_INTEL_ERASE:
		return confirm_erase(chip, part->quirks, value);
	case FMI_INTEL_LOCK:
		return lock(chip, part, off, value);
	case FMI_INTEL_COUNT:
		return count(chip, part, off, value);
	case FMI_INTEL_DATA:
		return data(chip, part, off);
	case FMI_INTEL_CONFIRM:
		return confirm_buffer(chip, part->quirks, value);
	case FMI_INTEL_REGISTER:
		return end(chip, FMI_ACTION_REGISTER, FMI_NOTE_NONE);
	case FMI_INTEL_BUSY:
		return busy(chip, part, value);
	case FMI_INTEL_STATES:
		break;
	}
	return step(FMI_ACTION_NONE, FMI_NOTE_NONE);
}

/* --- what became of an action ------------------------------------------------------------ */

/* The status bit of a failure of `action`. */
static uint8_t failure(enum fmi_action action)
{
	switch (action) {
	case FMI_ACTION_PROGRAM:
	case FMI_ACTION_BUFFER_PUT: /* only where a bank of ONE_STATE asks so early */
	case FMI_ACTION_BUFFER_PROGRAM:
	case FMI_ACTION_REGISTER:
	case FMI_ACTION_LOCK:
	case FMI_ACTION_LOCK_DOWN:
		return FMI_SR_PROGRAM;
	case FMI_ACTION_ERASE:
	case FMI_ACTION_UNLOCK:
		return FMI_SR_ERASE;
	case FMI_ACTION_NONE:
	case FMI_ACTION_BUFFER_OPEN:
	case FMI_ACTION_BUFFER_DROP:
	case FMI_ACTION_CHIP_ERASE: /* AMD's, from here on */
	case FMI_ACTION_ERASE_QUEUE:
	case FMI_ACTION_ERASE_QUEUED:
	case FMI_ACTION_ERASE_FORGET:
	case FMI_ACTION_PROTECT:
	case FMI_ACTION_UNPROTECT:
	case FMI_ACTIONS:
		break;
	}
	return 0;
}

void fmi_intel_refused(struct fmi_intel *chip, const struct fmi_part *part, enum fmi_action action,
		       bool vpp)
{
	const uint8_t locked = part->quirks & FM_FLASH_QUIRK_NO_LOCKS ? 0 : FMI_SR_LOCKED;

	if (failure(action))
		chip->sr |= failure(action) | (vpp ? FMI_SR_VPP : locked);
}

void fmi_intel_began(struct fmi_intel *chip, const struct fmi_op *op)
{
	chip->op = *op;
	chip->state = FMI_INTEL_BUSY;
	chip->sr &= (uint8_t)~FMI_SR_READY;
}

void fmi_intel_done(struct fmi_intel *chip, enum fmi_action action, bool failed)
{
	if (failed)
		chip->sr |= failure(action);
	if (chip->state != FMI_INTEL_BUSY)
		return;
	chip->op = (struct fmi_op){ 0 };
	chip->state = FMI_INTEL_READY;
	chip->sr |= FMI_SR_READY;
}

void fmi_intel_buffer_done(struct fmi_intel *chip)
{
	chip->words = 0;
	chip->buffer = (struct fmi_buffer){ 0 };
}

void fmi_intel_reset(struct fmi_intel *chip)
{
	*chip = (struct fmi_intel){ .state = FMI_INTEL_READY,
				    .mode = FMI_INTEL_SHOW_ARRAY,
				    .sr = FMI_SR_READY,
				    .configuration = FMI_INTEL_CONFIGURATION };
}
