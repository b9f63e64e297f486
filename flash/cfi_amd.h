/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi_amd: one chip with the AMD/Fujitsu command set (JEP137, 0x0002), as a pure state machine: a
 * write changes the chip's own state and names the action that it asks for; it touches no cell.
 * Every operation is over at its last cycle.
 */
#ifndef FIRMEM_FLASH_CFI_AMD_H
#define FIRMEM_FLASH_CFI_AMD_H

#include "flash/cfi_intel.h" /* enum fmi_action */

#include <stdbool.h>
#include <stdint.h>

struct fmi_geometry;

/* Data lines that show the status. DQ7 is the complement of the last word's bit 7. */
#define FMI_DQ7 0x80u
#define FMI_DQ6 0x40u /* toggles with every read */
#define FMI_DQ1 0x02u /* a write to the buffer was aborted */

/* What the next write is. */
enum fmi_amd_state {
	FMI_AMD_READY = 0,
	FMI_AMD_UNLOCK_2, /* after AA: 55 */
	FMI_AMD_COMMAND,  /* after AA, 55: a command */
	FMI_AMD_PROGRAM,  /* after A0: the data */
	FMI_AMD_ERASE_1,  /* after 80: AA */
	FMI_AMD_ERASE_2,  /* 55 */
	FMI_AMD_ERASE,    /* 30 or 10 */
	FMI_AMD_MORE,     /* after 30: 30 for one more sector, or a command */
	FMI_AMD_BYPASS,   /* unlock bypass: A0, 80 or 90 */
	FMI_AMD_BYPASS_PROGRAM,
	FMI_AMD_BYPASS_ERASE, /* 30 or 10 */
	FMI_AMD_BYPASS_MORE,
	FMI_AMD_BYPASS_RESET, /* 00 */
	FMI_AMD_COUNT,        /* after 25: words of the buffer less one */
	FMI_AMD_DATA,         /* a word for the buffer */
	FMI_AMD_CONFIRM,      /* 29 */
	FMI_AMD_ABORTED,      /* AA, 55, F0 and nothing else */
	FMI_AMD_ABORTED_2,
	FMI_AMD_ABORTED_3,
	FMI_AMD_STATES
};

/* What a read shows. */
enum fmi_amd_mode {
	FMI_AMD_SHOW_ARRAY = 0,
	FMI_AMD_SHOW_ERASED, /* the array, and the read ends MORE */
	FMI_AMD_SHOW_STATUS, /* ABORTED */
	FMI_AMD_SHOW_ID,
	FMI_AMD_SHOW_QUERY,
	FMI_AMD_MODES
};

struct fmi_amd {
	enum fmi_amd_state state;
	enum fmi_amd_mode mode;
	bool toggle;     /* DQ6 at the next read of the status */
	uint32_t left;   /* DATA: words still to come */
	uint64_t sector; /* COUNT, DATA, CONFIRM: where the sector of 25 begins in the bank */
	/* DATA, CONFIRM, ABORTED: what the buffer holds, as struct fmi_intel has it. */
	uint64_t window;
	uint32_t lo;
	uint32_t hi;
	uint32_t last; /* the word that came last, in the window */
};

/* What a write was, for the trace. */
enum fmi_amd_note {
	FMI_AMD_NOTE_NONE = 0, /* data, or a cycle that leads to a command */
	FMI_AMD_NOTE_RESET,
	FMI_AMD_NOTE_ID,
	FMI_AMD_NOTE_QUERY,
	FMI_AMD_NOTE_PROGRAM,
	FMI_AMD_NOTE_ERASE,
	FMI_AMD_NOTE_ERASE_SECTOR,
	FMI_AMD_NOTE_ERASE_CHIP,
	FMI_AMD_NOTE_BYPASS,
	FMI_AMD_NOTE_BYPASS_RESET,
	FMI_AMD_NOTE_BUFFER,
	FMI_AMD_NOTE_BUFFER_COUNT,
	FMI_AMD_NOTE_BUFFER_CONFIRM,
	FMI_AMD_NOTE_ABORT_RESET,
	FMI_AMD_NOTE_SUSPEND,
	FMI_AMD_NOTE_RESUME,
	FMI_AMD_NOTE_MISUSE, /* from here on: how the guest broke the protocol */
	FMI_AMD_NOTE_UNKNOWN = FMI_AMD_NOTE_MISUSE,
	FMI_AMD_NOTE_BROKEN,
	FMI_AMD_NOTE_COUNT_TOO_LARGE,
	FMI_AMD_NOTE_OUTSIDE_SECTOR,
	FMI_AMD_NOTE_OUTSIDE_BUFFER,
	FMI_AMD_NOTE_BUFFER_UNCONFIRMED,
	FMI_AMD_NOTE_STILL_ABORTED,
	FMI_AMD_NOTES
};

struct fmi_amd_step {
	enum fmi_action action;
	enum fmi_amd_note note;
};

/* The state after power-on and reset. */
void fmi_amd_reset(struct fmi_amd *chip);
/* A write of `value` at the bank word `off`. */
struct fmi_amd_step fmi_amd_write(struct fmi_amd *chip, const struct fmi_geometry *geo,
				  uint64_t off, uint32_t value);
/* A bus cycle read the chip: what such a cycle changes. */
void fmi_amd_was_read(struct fmi_amd *chip);
/* The action on the buffer is over: it holds nothing. */
void fmi_amd_buffer_done(struct fmi_amd *chip);
/* The data lines while the status is shown; `last` is the word of the buffer that came last. */
uint8_t fmi_amd_status(const struct fmi_amd *chip, uint8_t last);

/*
 * A further word of a buffer that lies at a known place, and not its last word: takes it and is true.
 * The short way for most writes of all; for everything else, false, there is fmi_amd_write().
 */
static inline bool fmi_amd_more_data(struct fmi_amd *chip, uint32_t buffer_len, unsigned width,
				     uint64_t off)
{
	uint64_t at = off - chip->window; /* below the window it wraps to something large */

	if (chip->state != FMI_AMD_DATA || chip->left <= 1 || chip->lo == chip->hi ||
	    at >= buffer_len)
		return false;
	if (at < chip->lo)
		chip->lo = (uint32_t)at;
	if (at >= chip->hi)
		chip->hi = (uint32_t)at + width;
	chip->last = (uint32_t)at;
	chip->left--;
	return true;
}

/* Does the next write carry data, which may differ from chip to chip? */
static inline bool fmi_amd_takes_data(const struct fmi_amd *chip)
{
	return chip->state == FMI_AMD_PROGRAM || chip->state == FMI_AMD_BYPASS_PROGRAM ||
	       chip->state == FMI_AMD_DATA;
}

bool fmi_amd_equal(const struct fmi_amd *a, const struct fmi_amd *b);
/* Could a chip be in this state? For what comes from outside. */
bool fmi_amd_valid(const struct fmi_amd *chip, const struct fmi_geometry *geo);
/* "read-array", ...; never NULL. */
const char *fmi_amd_mode_name(enum fmi_amd_mode mode);
/* The name of a command, or the misuse in words; "" for none. Never NULL. */
const char *fmi_amd_note_text(enum fmi_amd_note note);

#endif
