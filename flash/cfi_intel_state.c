/* SPDX-License-Identifier: BSD-2-Clause */
/* An Intel chip's state as data: comparing, checking what comes from outside, and names. */
#include "flash/cfi_intel.h"

#include "flash/flash_private.h"

#include "devices/bytes.h"

bool fmi_intel_equal(const struct fmi_intel *a, const struct fmi_intel *b)
{
	return a->state == b->state && a->mode == b->mode && a->sr == b->sr &&
	       a->configuration == b->configuration && a->words == b->words &&
	       fmi_buffer_equal(&a->buffer, &b->buffer) && fmi_op_equal(&a->op, &b->op) &&
	       fmi_op_equal(&a->erase, &b->erase);
}

/* --- what can be ------------------------------------------------------------------------- */

/* BUFFER_FROM_DATA: nothing is held before the first word, and of one word alone never. */
static bool unopened_valid(const struct fmi_intel *chip, bool filled)
{
	if (filled)
		return !chip->words && (chip->sr & FMI_SR_PROGRAM);
	return chip->buffer.left == chip->words + 1;
}

/* ONE_STATE: nothing is held, or all of the buffer. */
static bool whole_buffer_valid(const struct fmi_intel *chip, const struct fmi_part *part,
			       bool filled)
{
	const struct fmi_geometry *geo = part->geo;
	const struct fmi_buffer *b = &chip->buffer;
	bool bounded = !(part->quirks & FM_FLASH_QUIRK_COUNT_UNBOUNDED);
	bool from_data = part->quirks & FM_FLASH_QUIRK_BUFFER_FROM_DATA;

	if (bounded && chip->words >= geo->buffer_len / geo->bank_width)
		return false;
	if (filled ? b->left : b->left - 1 > chip->words)
		return false;
	if (part->quirks & FM_FLASH_QUIRK_BUFFER_DIRECT)
		return fmi_buffer_empty(b);
	if (from_data && fmi_buffer_empty(b))
		return unopened_valid(chip, filled);
	/* By a first word of several. */
	if (from_data && (!chip->words || b->left == chip->words + 1))
		return false;
	return !b->lo && b->hi == geo->buffer_len && !b->last;
}

/* Is the buffer's part of the state what DATA and (filled) CONFIRM can have? */
static bool buffer_valid(const struct fmi_intel *chip, const struct fmi_part *part, bool filled)
{
	const struct fmi_buffer *b = &chip->buffer;

	if (part->quirks & FM_FLASH_QUIRK_ONE_STATE)
		return whole_buffer_valid(chip, part, filled);
	if (chip->words >= part->geo->buffer_len / part->geo->bank_width ||
	    b->left > chip->words + 1)
		return false;
	if (filled != !b->left)
		return false;
	/* Held data and no data go with words that came and none that did. */
	if (fmi_buffer_empty(b))
		return b->left == chip->words + 1;
	return b->left <= chip->words;
}

/* What is under way. */
static bool busy_valid(const struct fmi_intel *chip, const struct fmi_part *part)
{
	const struct fmi_op *op = &chip->op;

	if (!part->timed || !op->ends_ns || op->left_ns)
		return false;
	switch (op->action) {
	case FMI_ACTION_ERASE:
	case FMI_ACTION_REGISTER:
		return !chip->erase.action;
	case FMI_ACTION_PROGRAM:
	case FMI_ACTION_BUFFER_PROGRAM:
		return true;
	case FMI_ACTION_NONE:
	case FMI_ACTION_BUFFER_OPEN:
	case FMI_ACTION_BUFFER_PUT:
	case FMI_ACTION_BUFFER_DROP:
	case FMI_ACTION_LOCK:
	case FMI_ACTION_UNLOCK:
	case FMI_ACTION_LOCK_DOWN:
	case FMI_ACTION_CHIP_ERASE:
	case FMI_ACTION_ERASE_QUEUE:
	case FMI_ACTION_ERASE_QUEUED:
	case FMI_ACTION_ERASE_FORGET:
	case FMI_ACTION_PROTECT:
	case FMI_ACTION_UNPROTECT:
	case FMI_ACTIONS:
		break;
	}
	return false;
}

/* Suspended, or none, in which case nothing of it is left. */
static bool suspended_valid(const struct fmi_op *op, const struct fmi_part *part)
{
	const struct fmi_op none = { 0 };

	if (!op->action)
		return fmi_op_equal(op, &none);
	return part->timed && !(part->traits & FM_FLASH_NO_SUSPEND) && !op->ends_ns &&
	       fmi_op_in_bank(op, part->geo);
}

static bool operations_valid(const struct fmi_intel *chip, const struct fmi_part *part)
{
	bool busy = chip->state == FMI_INTEL_BUSY;
	bool program = !busy && chip->op.action;

	if (chip->erase.action && chip->erase.action != FMI_ACTION_ERASE)
		return false;
	if (!suspended_valid(&chip->erase, part) ||
	    !!(chip->sr & FMI_SR_ERASE_SUSPENDED) != !!chip->erase.action)
		return false;
	if (!!(chip->sr & FMI_SR_PROGRAM_SUSPENDED) != program)
		return false;
	if (busy)
		return busy_valid(chip, part) && fmi_op_in_bank(&chip->op, part->geo);
	if (!suspended_valid(&chip->op, part))
		return false;
	return !program ||
	       (chip->state == FMI_INTEL_READY && (chip->op.action == FMI_ACTION_PROGRAM ||
						   chip->op.action == FMI_ACTION_BUFFER_PROGRAM));
}

static bool status_valid(const struct fmi_intel *chip, const struct fmi_part *part)
{
	const uint8_t known =
		FMI_SR_READY | FMI_SR_ERRORS | FMI_SR_ERASE_SUSPENDED | FMI_SR_PROGRAM_SUSPENDED;

	if (chip->sr & ~known)
		return false;
	if (chip->state == FMI_INTEL_BUSY)
		return !(chip->sr & FMI_SR_READY);
	return (part->quirks & FM_FLASH_QUIRK_CLEAR_NOT_READY) || (chip->sr & FMI_SR_READY);
}

bool fmi_intel_valid(const struct fmi_intel *chip, const struct fmi_part *part)
{
	struct fmi_intel empty = *chip;

	if (chip->state >= FMI_INTEL_STATES || chip->mode >= FMI_INTEL_MODES)
		return false;
	if (!status_valid(chip, part) || !operations_valid(chip, part))
		return false;
	if (chip->state != FMI_INTEL_READY && chip->mode != FMI_INTEL_SHOW_STATUS)
		return false;
	if (!fmi_buffer_in_bank(&chip->buffer, part->geo))
		return false;
	if (chip->state == FMI_INTEL_DATA)
		return buffer_valid(chip, part, false);
	if (chip->state == FMI_INTEL_CONFIRM || chip->op.action == FMI_ACTION_BUFFER_PROGRAM)
		return buffer_valid(chip, part, true);
	fmi_intel_buffer_done(&empty);
	return fmi_intel_equal(chip, &empty);
}

/* --- names ------------------------------------------------------------------------------- */

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
	case FMI_NOTE_CONFIGURE:
		return "set read configuration register";
	case FMI_NOTE_REGISTER:
		return "program protection register";
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
		return "60 without 01, D0, 2F or 03";
	case FMI_NOTE_COUNT_TOO_LARGE:
		return "count larger than the write buffer";
	case FMI_NOTE_OUTSIDE_BUFFER:
		return "buffer word outside the write buffer";
	case FMI_NOTE_BUFFER_UNCONFIRMED:
		return "E8 without D0";
	case FMI_NOTE_BUSY:
		return "not while an operation is under way";
	case FMI_NOTE_SUSPENDED:
		return "not while an operation is suspended";
	case FMI_NOTE_NONE:
	case FMI_NOTES:
		break;
	}
	return "";
}
