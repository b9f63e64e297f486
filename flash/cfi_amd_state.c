/* SPDX-License-Identifier: BSD-2-Clause */
/* An AMD chip's state as data: comparing, checking what comes from outside, and names. */
#include "flash/cfi_amd.h"

#include "flash/flash_private.h"

#include "devices/bytes.h"

bool fmi_amd_equal(const struct fmi_amd *a, const struct fmi_amd *b)
{
	return a->state == b->state && a->mode == b->mode && a->then == b->then &&
	       a->after == b->after && a->toggle == b->toggle && a->toggle2 == b->toggle2 &&
	       a->secured == b->secured && a->frozen == b->frozen && a->sr == b->sr &&
	       a->sector == b->sector && fmi_buffer_equal(&a->buffer, &b->buffer) &&
	       fmi_op_equal(&a->op, &b->op) && fmi_op_equal(&a->erase, &b->erase);
}

/* --- what can be ------------------------------------------------------------------------- */

static bool is_home(const struct fmi_amd *chip, enum fmi_amd_mode mode)
{
	return mode == fmi_amd_home(chip);
}

static bool set_mode(enum fmi_amd_mode mode)
{
	return mode == FMI_AMD_SHOW_DYB || mode == FMI_AMD_SHOW_PPB ||
	       mode == FMI_AMD_SHOW_FREEZE || mode == FMI_AMD_SHOW_LOCKS;
}

/* What a chip shows in a state. READY and a command that has begun show what was shown before. */
static bool mode_fits(const struct fmi_amd *chip, enum fmi_amd_mode mode)
{
	switch (chip->state) {
	case FMI_AMD_READY:
	case FMI_AMD_UNLOCK_2:
	case FMI_AMD_COMMAND:
		return is_home(chip, mode) || mode == FMI_AMD_SHOW_ID || mode == FMI_AMD_SHOW_QUERY;
	case FMI_AMD_MORE:
	case FMI_AMD_BYPASS_MORE:
		return mode == FMI_AMD_SHOW_ERASED;
	case FMI_AMD_ABORTED:
	case FMI_AMD_ABORTED_2:
	case FMI_AMD_ABORTED_3:
	case FMI_AMD_WINDOW:
	case FMI_AMD_BUSY:
	case FMI_AMD_FAILED:
		return mode == FMI_AMD_SHOW_STATUS;
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
		return is_home(chip, mode);
	case FMI_AMD_SET_EXIT:
		return chip->secured ? mode == FMI_AMD_SHOW_SECURED : set_mode(mode);
	case FMI_AMD_SET_ERASE:
		return mode == FMI_AMD_SHOW_PPB;
	case FMI_AMD_SET:
	case FMI_AMD_SET_PROGRAM:
		return set_mode(mode);
	case FMI_AMD_STATES:
		break;
	}
	return false;
}

static bool may_show_register(enum fmi_amd_state state)
{
	return state == FMI_AMD_READY || state == FMI_AMD_UNLOCK_2 || state == FMI_AMD_COMMAND ||
	       state == FMI_AMD_WINDOW || state == FMI_AMD_BUSY || state == FMI_AMD_FAILED ||
	       state == FMI_AMD_ABORTED || state == FMI_AMD_ABORTED_2 || state == FMI_AMD_ABORTED_3;
}

static bool mode_valid(const struct fmi_amd *chip, const struct fmi_part *part)
{
	if (chip->mode == FMI_AMD_SHOW_REGISTER)
		return !(part->traits & FM_FLASH_NO_STATUS) && may_show_register(chip->state) &&
		       mode_fits(chip, chip->after);
	return !chip->after && mode_fits(chip, chip->mode);
}

/* DQ6 and DQ2 are where a status is shown, and FALSE elsewhere. */
static bool toggles_valid(const struct fmi_amd *chip)
{
	bool status = chip->mode == FMI_AMD_SHOW_STATUS || chip->after == FMI_AMD_SHOW_STATUS;
	bool erasing = status || chip->erase.action;

	return (!chip->toggle || status) && (!chip->toggle2 || erasing);
}

static bool sector_valid(const struct fmi_amd *chip, const struct fmi_geometry *geo)
{
	return chip->sector < geo->len &&
	       fmi_geometry_block(geo, chip->sector).off == chip->sector &&
	       (fmi_buffer_empty(&chip->buffer) ||
		fmi_geometry_block(geo, chip->buffer.window).off == chip->sector);
}

static bool buffer_valid(const struct fmi_amd *chip, const struct fmi_geometry *geo)
{
	uint32_t words = geo->buffer_len / geo->bank_width;
	const struct fmi_buffer *b = &chip->buffer;
	bool empty = fmi_buffer_empty(b);

	if (!fmi_buffer_in_bank(b, geo))
		return false;
	if (chip->state == FMI_AMD_DATA)
		return b->left && b->left <= (empty ? words : words - 1) && sector_valid(chip, geo);
	if (b->left)
		return false;
	if (chip->state == FMI_AMD_COUNT || chip->state == FMI_AMD_CONFIRM)
		return empty == (chip->state == FMI_AMD_COUNT) && sector_valid(chip, geo);
	/* A program that is under way or suspended keeps its sector too. */
	if (chip->op.action == FMI_ACTION_BUFFER_PROGRAM && chip->state != FMI_AMD_FAILED)
		return !empty && sector_valid(chip, geo);
	return !chip->sector &&
	       (empty || chip->state == FMI_AMD_ABORTED || chip->state == FMI_AMD_ABORTED_2 ||
		chip->state == FMI_AMD_ABORTED_3);
}

static bool is_program(enum fmi_action action)
{
	return action == FMI_ACTION_PROGRAM || action == FMI_ACTION_BUFFER_PROGRAM;
}

static bool action_valid(const struct fmi_amd *chip, const struct fmi_part *part)
{
	enum fmi_action action = chip->op.action;

	if (chip->state == FMI_AMD_WINDOW)
		return action == FMI_ACTION_ERASE_QUEUED && !chip->erase.action;
	if (chip->state == FMI_AMD_FAILED && action == FMI_ACTION_ERASE)
		return !part->timed;
	if (is_program(action))
		return true;
	if (action == FMI_ACTION_REGISTER)
		return chip->secured && !(part->traits & FM_FLASH_NO_REGISTERS);
	return !chip->erase.action && (action == FMI_ACTION_CHIP_ERASE ||
				       (action == FMI_ACTION_ERASE_QUEUED && part->timed));
}

/* What is under way, suspended or failed. */
static bool operations_valid(const struct fmi_amd *chip, const struct fmi_part *part)
{
	const struct fmi_op none = { 0 };
	const struct fmi_op *op = &chip->op;
	bool suspends = part->timed && !(part->traits & FM_FLASH_NO_SUSPEND);
	bool under_way = chip->state == FMI_AMD_WINDOW || chip->state == FMI_AMD_BUSY;

	if (chip->then && !(under_way && chip->then == FMI_AMD_BYPASS))
		return false;
	if (!chip->erase.action && !fmi_op_equal(&chip->erase, &none))
		return false;
	if (chip->erase.action &&
	    (chip->erase.action != FMI_ACTION_ERASE_QUEUED || !suspends || chip->erase.ends_ns ||
	     chip->secured || !fmi_op_in_bank(&chip->erase, part->geo)))
		return false;
	if (under_way || chip->state == FMI_AMD_FAILED)
		return action_valid(chip, part) && fmi_op_in_bank(op, part->geo) && !op->left_ns &&
		       !!op->ends_ns == under_way && (part->timed || !under_way);
	if (!op->action)
		return fmi_op_equal(op, &none);
	return suspends && is_program(op->action) && !op->ends_ns && op->left_ns &&
	       !chip->secured && fmi_op_in_bank(op, part->geo) &&
	       (chip->state == FMI_AMD_READY || chip->state == FMI_AMD_UNLOCK_2 ||
		chip->state == FMI_AMD_COMMAND);
}

static bool entered_valid(const struct fmi_amd *chip, const struct fmi_part *part)
{
	bool registers = !(part->traits & FM_FLASH_NO_REGISTERS);
	bool protection = !(part->traits & FM_FLASH_NO_PROTECTION);

	if ((chip->secured && !registers) || (chip->frozen && !protection))
		return false;
	if (!set_mode(chip->mode))
		return true;
	return !chip->secured && !chip->erase.action &&
	       (chip->mode == FMI_AMD_SHOW_LOCKS ? registers : protection);
}

bool fmi_amd_valid(const struct fmi_amd *chip, const struct fmi_part *part)
{
	const uint8_t errors =
		FMI_AMD_SR_ERASE | FMI_AMD_SR_PROGRAM | FMI_AMD_SR_ABORTED | FMI_AMD_SR_LOCKED;

	if (chip->state >= FMI_AMD_STATES || chip->mode >= FMI_AMD_MODES ||
	    chip->after >= FMI_AMD_MODES || chip->then >= FMI_AMD_STATES || (chip->sr & ~errors))
		return false;
	return operations_valid(chip, part) && mode_valid(chip, part) && toggles_valid(chip) &&
	       entered_valid(chip, part) && buffer_valid(chip, part->geo);
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
	case FMI_AMD_SHOW_SUSPENDED:
		return "erase-suspended";
	case FMI_AMD_SHOW_SECURED:
		return "secured-silicon";
	case FMI_AMD_SHOW_REGISTER:
		return "status-register";
	case FMI_AMD_SHOW_DYB:
		return "dynamic-protection";
	case FMI_AMD_SHOW_PPB:
		return "persistent-protection";
	case FMI_AMD_SHOW_FREEZE:
		return "protection-lock";
	case FMI_AMD_SHOW_LOCKS:
		return "lock-register";
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
	case FMI_AMD_NOTE_READ_STATUS:
		return "read status register";
	case FMI_AMD_NOTE_CLEAR_STATUS:
		return "clear status register";
	case FMI_AMD_NOTE_SET_ENTRY:
		return "command set entry";
	case FMI_AMD_NOTE_SET_EXIT:
		return "command set exit";
	case FMI_AMD_NOTE_PROTECT:
		return "protection bit";
	case FMI_AMD_NOTE_UNPROTECT:
		return "erase persistent protection bits";
	case FMI_AMD_NOTE_SECURED:
		return "secured silicon entry";
	case FMI_AMD_NOTE_BUSY:
		return "not while an operation is under way";
	case FMI_AMD_NOTE_SUSPENDED:
		return "not while an operation is suspended, nor in the secured silicon sector";
	case FMI_AMD_NOTE_STILL_FAILED:
		return "an operation failed, and was not reset";
	case FMI_AMD_NOTE_STILL_IN_SET:
		return "not a command of this command set";
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
