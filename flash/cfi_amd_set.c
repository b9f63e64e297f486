/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protection of sectors by command (S29GL-P data sheet, Advanced Sector Protection): the sets of
 * commands that an entry sequence opens and 90, 00 closes.
 */
#include "flash/cfi_amd.h"

#include "flash/flash_private.h"

#define ENTRY_LOCKS 0x40u
#define ENTRY_FREEZE 0x50u
#define ENTRY_SECURED 0x88u
#define ENTRY_PPB 0xc0u
#define ENTRY_DYB 0xe0u

#define PROGRAM 0xa0u
#define ERASE 0x80u
#define EXIT 0x90u
#define ERASE_ALL 0x30u

static struct fmi_amd_step go(struct fmi_amd *chip, enum fmi_amd_state state,
			      enum fmi_amd_note note)
{
	chip->state = state;
	return (struct fmi_amd_step){ .action = FMI_ACTION_NONE, .note = note };
}

static struct fmi_amd_step ask(struct fmi_amd *chip, enum fmi_action action, enum fmi_amd_note note)
{
	chip->state = FMI_AMD_SET;
	return (struct fmi_amd_step){ .action = action, .note = note };
}

/* The mode of an entry code; SHOW_ARRAY: it is none, or the part has none. */
static enum fmi_amd_mode entered(const struct fmi_part *part, uint8_t code)
{
	bool protection = !(part->traits & FM_FLASH_NO_PROTECTION);
	bool registers = !(part->traits & FM_FLASH_NO_REGISTERS);

	switch (code) {
	case ENTRY_LOCKS:
		return registers ? FMI_AMD_SHOW_LOCKS : FMI_AMD_SHOW_ARRAY;
	case ENTRY_SECURED:
		return registers ? FMI_AMD_SHOW_SECURED : FMI_AMD_SHOW_ARRAY;
	case ENTRY_FREEZE:
		return protection ? FMI_AMD_SHOW_FREEZE : FMI_AMD_SHOW_ARRAY;
	case ENTRY_PPB:
		return protection ? FMI_AMD_SHOW_PPB : FMI_AMD_SHOW_ARRAY;
	case ENTRY_DYB:
		return protection ? FMI_AMD_SHOW_DYB : FMI_AMD_SHOW_ARRAY;
	default:
		return FMI_AMD_SHOW_ARRAY;
	}
}

bool fmi_amd_set_entry(struct fmi_amd *chip, const struct fmi_part *part, uint8_t code,
		       struct fmi_amd_step *step)
{
	enum fmi_amd_mode mode = entered(part, code);

	if (mode == FMI_AMD_SHOW_ARRAY || chip->secured || chip->op.action || chip->erase.action)
		return false;
	chip->mode = mode;
	chip->secured = mode == FMI_AMD_SHOW_SECURED;
	*step = go(chip, chip->secured ? FMI_AMD_READY : FMI_AMD_SET,
		   chip->secured ? FMI_AMD_NOTE_SECURED : FMI_AMD_NOTE_SET_ENTRY);
	return true;
}

static struct fmi_amd_step leave(struct fmi_amd *chip)
{
	chip->secured = false;
	chip->mode = FMI_AMD_SHOW_ARRAY;
	return go(chip, FMI_AMD_READY, FMI_AMD_NOTE_SET_EXIT);
}

struct fmi_amd_step fmi_amd_set_write(struct fmi_amd *chip, uint8_t code)
{
	if (chip->state == FMI_AMD_SET_PROGRAM) {
		chip->frozen |= chip->mode == FMI_AMD_SHOW_FREEZE && !code;
		return ask(chip, FMI_ACTION_PROTECT, FMI_AMD_NOTE_PROTECT);
	}
	if (chip->state == FMI_AMD_SET_ERASE && code == ERASE_ALL)
		return ask(chip, FMI_ACTION_UNPROTECT, FMI_AMD_NOTE_UNPROTECT);
	if (chip->state == FMI_AMD_SET_EXIT && !code)
		return leave(chip);
	if (chip->state == FMI_AMD_SET) {
		switch (code) {
		case PROGRAM:
			return go(chip, FMI_AMD_SET_PROGRAM, FMI_AMD_NOTE_NONE);
		case ERASE:
			if (chip->mode == FMI_AMD_SHOW_PPB)
				return go(chip, FMI_AMD_SET_ERASE, FMI_AMD_NOTE_NONE);
			break;
		case EXIT:
			return go(chip, FMI_AMD_SET_EXIT, FMI_AMD_NOTE_NONE);
		default:
			break;
		}
	}
	/* An exit from the secured sector that was not one leads back into it. */
	return go(chip, chip->secured ? FMI_AMD_READY : FMI_AMD_SET, FMI_AMD_NOTE_STILL_IN_SET);
}
