/* SPDX-License-Identifier: BSD-2-Clause */
/* What an AMD chip does while an operation takes time, when it is suspended, and when it failed. */
#include "flash/cfi_amd.h"

#include "flash/flash_private.h"

#define ERASE_SECTOR 0x30u
#define SUSPEND 0xb0u
#define RESET 0xf0u
#define READ_STATUS 0x70u
#define CLEAR_STATUS 0x71u

static struct fmi_amd_step note(enum fmi_amd_note text)
{
	return (struct fmi_amd_step){ .action = FMI_ACTION_NONE, .note = text };
}

static bool erases(const struct fmi_op *op)
{
	return op->action == FMI_ACTION_ERASE_QUEUED || op->action == FMI_ACTION_ERASE ||
	       op->action == FMI_ACTION_CHIP_ERASE;
}

static void show(struct fmi_amd *chip, enum fmi_amd_mode mode)
{
	/* The status register is still to be read: what comes behind it changes. */
	if (chip->mode == FMI_AMD_SHOW_REGISTER)
		chip->after = mode;
	else
		chip->mode = mode;
	chip->toggle = false;
	chip->toggle2 = false;
}

static struct fmi_amd_step give_up(struct fmi_amd *chip, enum fmi_action action,
				   enum fmi_amd_note text)
{
	chip->op = (struct fmi_op){ 0 };
	chip->sr = 0;
	chip->state = FMI_AMD_READY;
	chip->then = FMI_AMD_READY;
	show(chip, fmi_amd_home(chip));
	return (struct fmi_amd_step){ .action = action, .note = text };
}

/* --- suspend and resume ------------------------------------------------------------------ */

/* A chip erase and what programs registers go on to their ends. Unlock bypass is left. */
static struct fmi_amd_step suspend(struct fmi_amd *chip, const struct fmi_part *part)
{
	bool erase = chip->op.action == FMI_ACTION_ERASE_QUEUED;

	if ((part->traits & FM_FLASH_NO_SUSPEND) || chip->op.action == FMI_ACTION_CHIP_ERASE ||
	    chip->op.action == FMI_ACTION_REGISTER)
		return note(FMI_AMD_NOTE_BUSY);
	/* In its window the erase has not begun: all of its time is missing, which the bank knows. */
	fmi_op_suspend(&chip->op, part->now_ns);
	if (chip->state == FMI_AMD_WINDOW)
		chip->op.left_ns = 0;
	chip->state = FMI_AMD_READY;
	chip->then = FMI_AMD_READY;
	if (erase) {
		chip->erase = chip->op;
		chip->op = (struct fmi_op){ 0 };
	}
	show(chip, fmi_amd_home(chip));
	return note(FMI_AMD_NOTE_SUSPEND);
}

/* The program first, where one was suspended within a suspended erase. */
struct fmi_amd_step fmi_amd_resume(struct fmi_amd *chip, const struct fmi_part *part)
{
	bool window = false;

	if (!chip->op.action && !chip->erase.action)
		return note(FMI_AMD_NOTE_RESUME);
	if (!chip->op.action) {
		chip->op = chip->erase;
		chip->erase = (struct fmi_op){ 0 };
		window = !chip->op.left_ns;
	}
	/* The window is over as soon as the clock moves. */
	if (window)
		chip->op.left_ns = 1;
	fmi_op_resume(&chip->op, part->now_ns);
	chip->state = window ? FMI_AMD_WINDOW : FMI_AMD_BUSY;
	chip->mode = FMI_AMD_SHOW_STATUS;
	chip->after = FMI_AMD_SHOW_ARRAY;
	chip->toggle = false;
	chip->toggle2 = false;
	return note(FMI_AMD_NOTE_RESUME);
}

/* --- writes ------------------------------------------------------------------------------ */

static struct fmi_amd_step window(struct fmi_amd *chip, const struct fmi_part *part, uint8_t code)
{
	if (code == ERASE_SECTOR)
		return (struct fmi_amd_step){ .action = FMI_ACTION_ERASE_QUEUE,
					      .note = FMI_AMD_NOTE_ERASE_SECTOR };
	if (code == SUSPEND)
		return suspend(chip, part);
	/* Anything else resets the chip, and nothing is erased. */
	return give_up(chip, FMI_ACTION_ERASE_FORGET,
		       code == RESET ? FMI_AMD_NOTE_RESET : FMI_AMD_NOTE_BROKEN);
}

static struct fmi_amd_step failed(struct fmi_amd *chip, uint8_t code, bool clear)
{
	if (code == RESET)
		return give_up(chip, FMI_ACTION_NONE, FMI_AMD_NOTE_RESET);
	if (clear)
		return give_up(chip, FMI_ACTION_NONE, FMI_AMD_NOTE_CLEAR_STATUS);
	return note(FMI_AMD_NOTE_STILL_FAILED);
}

struct fmi_amd_step fmi_amd_busy_write(struct fmi_amd *chip, const struct fmi_part *part,
				       uint64_t off, uint8_t code)
{
	bool registers = !(part->traits & FM_FLASH_NO_STATUS) && fmi_amd_at_first(part->geo, off);

	if (code == READ_STATUS && registers) {
		if (chip->mode != FMI_AMD_SHOW_REGISTER)
			chip->after = chip->mode;
		chip->mode = FMI_AMD_SHOW_REGISTER;
		return note(FMI_AMD_NOTE_READ_STATUS);
	}
	if (chip->state == FMI_AMD_WINDOW)
		return window(chip, part, code);
	if (chip->state == FMI_AMD_FAILED)
		return failed(chip, code, code == CLEAR_STATUS && registers);
	if (code == SUSPEND)
		return suspend(chip, part);
	return note(FMI_AMD_NOTE_BUSY);
}

/* --- what the bank tells ------------------------------------------------------------------- */

void fmi_amd_began(struct fmi_amd *chip, const struct fmi_op *op)
{
	/* One more sector is the same erase, and the window begins again. */
	if (chip->state != FMI_AMD_WINDOW) {
		chip->then = chip->state;
		show(chip, FMI_AMD_SHOW_STATUS);
	}
	chip->op = *op;
	chip->state = op->action == FMI_ACTION_ERASE_QUEUED ? FMI_AMD_WINDOW : FMI_AMD_BUSY;
}

void fmi_amd_window_over(struct fmi_amd *chip, uint64_t ends_ns)
{
	chip->state = FMI_AMD_BUSY;
	chip->op.ends_ns = ends_ns;
}

void fmi_amd_done(struct fmi_amd *chip, const struct fmi_op *op, bool failed)
{
	bool busy = chip->state == FMI_AMD_BUSY;

	if (failed) {
		chip->sr |= erases(op) ? FMI_AMD_SR_ERASE : FMI_AMD_SR_PROGRAM;
		chip->op = *op;
		chip->op.ends_ns = 0;
		chip->state = FMI_AMD_FAILED;
		chip->then = FMI_AMD_READY;
		show(chip, FMI_AMD_SHOW_STATUS);
	} else if (busy) {
		chip->op = (struct fmi_op){ 0 };
		chip->state = chip->then;
		chip->then = FMI_AMD_READY;
		show(chip, fmi_amd_home(chip));
	}
}

void fmi_amd_refused(struct fmi_amd *chip, enum fmi_action action)
{
	const struct fmi_op op = { .action = action };

	chip->sr |= FMI_AMD_SR_LOCKED | (erases(&op) ? FMI_AMD_SR_ERASE : FMI_AMD_SR_PROGRAM);
}

/* --- reads ------------------------------------------------------------------------------- */

void fmi_amd_was_read(struct fmi_amd *chip, bool erasing)
{
	switch (chip->mode) {
	case FMI_AMD_SHOW_STATUS:
		chip->toggle = !chip->toggle;
		chip->toggle2 ^= erasing;
		break;
	case FMI_AMD_SHOW_SUSPENDED:
		chip->toggle2 ^= erasing;
		break;
	case FMI_AMD_SHOW_REGISTER:
		chip->mode = chip->after;
		chip->after = FMI_AMD_SHOW_ARRAY;
		break;
	case FMI_AMD_SHOW_ERASED:
		chip->mode = FMI_AMD_SHOW_ARRAY;
		chip->state = chip->state == FMI_AMD_MORE ? FMI_AMD_READY : FMI_AMD_BYPASS;
		break;
	case FMI_AMD_SHOW_ARRAY:
	case FMI_AMD_SHOW_ID:
	case FMI_AMD_SHOW_QUERY:
	case FMI_AMD_SHOW_SECURED:
	case FMI_AMD_SHOW_DYB:
	case FMI_AMD_SHOW_PPB:
	case FMI_AMD_SHOW_FREEZE:
	case FMI_AMD_SHOW_LOCKS:
	case FMI_AMD_MODES:
		break;
	}
}

uint8_t fmi_amd_status(const struct fmi_amd *chip, uint8_t last, bool erasing)
{
	uint8_t toggle2 = erasing && chip->toggle2 ? FMI_DQ2 : 0;
	uint8_t toggle = chip->toggle ? FMI_DQ6 : 0;

	if (chip->mode == FMI_AMD_SHOW_SUSPENDED)
		return FMI_DQ7 | toggle2;
	if (chip->state == FMI_AMD_WINDOW)
		return toggle | toggle2;
	if (chip->state == FMI_AMD_FAILED)
		toggle |= FMI_DQ5;
	else if (chip->state != FMI_AMD_BUSY)
		toggle |= FMI_DQ1; /* aborted */
	if (erases(&chip->op))
		return toggle | toggle2 | FMI_DQ3;
	return (uint8_t)((~last & FMI_DQ7) | toggle);
}

uint8_t fmi_amd_status_register(const struct fmi_amd *chip)
{
	bool busy = chip->state == FMI_AMD_WINDOW || chip->state == FMI_AMD_BUSY;
	bool program = !busy && chip->state != FMI_AMD_FAILED && chip->op.action;

	return (uint8_t)(chip->sr | (busy ? 0 : FMI_AMD_SR_READY) |
			 (chip->erase.action ? FMI_AMD_SR_ERASE_SUSPENDED : 0) |
			 (program ? FMI_AMD_SR_PROGRAM_SUSPENDED : 0));
}
