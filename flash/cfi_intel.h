/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi_intel: one chip with the Intel/Sharp command set (JEP137, 0x0001), as a pure state machine: a
 * write changes the chip's own state and names the action that it asks for; it touches no cell.
 */
#ifndef FIRMEM_FLASH_CFI_INTEL_H
#define FIRMEM_FLASH_CFI_INTEL_H

#include <stdbool.h>
#include <stdint.h>

/* Status register. */
#define FMI_SR_READY 0x80u   /* SR.7 */
#define FMI_SR_ERASE 0x20u   /* SR.5: erase, or unlock, failed */
#define FMI_SR_PROGRAM 0x10u /* SR.4: program, or lock, failed */
#define FMI_SR_LOCKED 0x02u  /* SR.1: the block was locked */
#define FMI_SR_SEQUENCE (FMI_SR_ERASE | FMI_SR_PROGRAM)

/* What the next write is. */
enum fmi_intel_state {
	FMI_INTEL_READY = 0, /* a command */
	FMI_INTEL_PROGRAM,   /* after 10/40: the data */
	FMI_INTEL_ERASE,     /* after 20: the confirm */
	FMI_INTEL_LOCK,      /* after 60: lock, unlock, lock down */
	FMI_INTEL_COUNT,     /* after E8: words of the buffer less one */
	FMI_INTEL_DATA,      /* a word for the buffer */
	FMI_INTEL_CONFIRM,   /* the confirm of the buffer */
	FMI_INTEL_STATES
};

/* What a read shows. Anything but READY shows the status. */
enum fmi_intel_mode {
	FMI_INTEL_SHOW_ARRAY = 0,
	FMI_INTEL_SHOW_STATUS,
	FMI_INTEL_SHOW_ID,
	FMI_INTEL_SHOW_QUERY,
	FMI_INTEL_MODES
};

/* What a write asks the bank to do. */
enum fmi_action {
	FMI_ACTION_NONE = 0,
	FMI_ACTION_PROGRAM,        /* the word of this cycle */
	FMI_ACTION_ERASE,          /* the block of this cycle */
	FMI_ACTION_BUFFER_OPEN,    /* hold what the cells have there, for BUFFER_FROM_COUNT */
	FMI_ACTION_BUFFER_PUT,     /* hold the word of this cycle */
	FMI_ACTION_BUFFER_PROGRAM, /* [lo, hi) of the buffer */
	FMI_ACTION_BUFFER_DROP,    /* forget [lo, hi) of the buffer */
	FMI_ACTION_LOCK,           /* the block of this cycle */
	FMI_ACTION_UNLOCK,
	FMI_ACTION_LOCK_DOWN,
	FMI_ACTION_CHIP_ERASE, /* every block */
};

struct fmi_intel {
	enum fmi_intel_state state;
	enum fmi_intel_mode mode;
	uint8_t sr;
	uint32_t words;  /* COUNT said: buffer words less one */
	uint32_t left;   /* DATA: words still to come */
	uint64_t window; /* DATA, CONFIRM: where the buffer begins in the bank; see lo, hi */
	uint32_t lo;     /* bytes of the window: data from here ... */
	uint32_t hi;     /* ... to here is held; lo == hi: none yet, the window is not known */
};

/* What a write was, for the trace. */
enum fmi_intel_note {
	FMI_NOTE_NONE = 0, /* data */
	FMI_NOTE_READ_ARRAY,
	FMI_NOTE_READ_STATUS,
	FMI_NOTE_READ_ID,
	FMI_NOTE_QUERY,
	FMI_NOTE_CLEAR_STATUS,
	FMI_NOTE_PROGRAM,
	FMI_NOTE_ERASE,
	FMI_NOTE_ERASE_CONFIRM,
	FMI_NOTE_LOCK_SETUP,
	FMI_NOTE_LOCK,
	FMI_NOTE_UNLOCK,
	FMI_NOTE_LOCK_DOWN,
	FMI_NOTE_BUFFER,
	FMI_NOTE_BUFFER_COUNT,
	FMI_NOTE_BUFFER_CONFIRM,
	FMI_NOTE_SUSPEND,
	FMI_NOTE_RESUME,
	FMI_NOTE_MISUSE, /* from here on: how the guest broke the protocol */
	FMI_NOTE_UNKNOWN = FMI_NOTE_MISUSE,
	FMI_NOTE_ERASE_UNCONFIRMED,
	FMI_NOTE_LOCK_UNKNOWN,
	FMI_NOTE_COUNT_TOO_LARGE,
	FMI_NOTE_OUTSIDE_BUFFER,
	FMI_NOTE_BUFFER_UNCONFIRMED,
	FMI_NOTES
};

struct fmi_intel_step {
	enum fmi_action action;
	enum fmi_intel_note note;
};

/* The state after power-on and reset. */
void fmi_intel_reset(struct fmi_intel *chip);
/* What the chips of a bank have in common, and the state machine must know. */
struct fmi_intel_part {
	uint32_t buffer_len; /* bytes that the write buffers of the chips hold together */
	unsigned width;      /* bytes of a word of the bank */
	unsigned quirks;     /* enum fm_flash_quirk */
};

/* A write of `value` at the bank word `off`. */
struct fmi_intel_step fmi_intel_write(struct fmi_intel *chip, const struct fmi_intel_part *part,
				      uint64_t off, uint32_t value);
/* The bank could not do `action`: the block is locked. */
void fmi_intel_refused(struct fmi_intel *chip, const struct fmi_intel_part *part,
		       enum fmi_action action);
/* The action on the buffer is over: it holds nothing. */
void fmi_intel_buffer_done(struct fmi_intel *chip);

/*
 * A further word of a buffer that lies at a known place, and not its last word: takes it and is true.
 * The short way for most writes of all; for everything else, false, there is fmi_intel_write().
 */
static inline bool fmi_intel_more_data(struct fmi_intel *chip, uint32_t buffer_len, unsigned width,
				       uint64_t off)
{
	uint64_t at = off - chip->window; /* below the window it wraps to something large */

	if (chip->state != FMI_INTEL_DATA || chip->left <= 1 || chip->lo == chip->hi ||
	    at >= buffer_len)
		return false;
	if (at < chip->lo)
		chip->lo = (uint32_t)at;
	if (at >= chip->hi)
		chip->hi = (uint32_t)at + width;
	chip->left--;
	return true;
}

/* Does the next write carry data, which may differ from chip to chip? */
static inline bool fmi_intel_takes_data(const struct fmi_intel *chip)
{
	return chip->state == FMI_INTEL_PROGRAM || chip->state == FMI_INTEL_DATA;
}

bool fmi_intel_equal(const struct fmi_intel *a, const struct fmi_intel *b);
/* Could a chip be in this state? For what comes from outside. */
bool fmi_intel_valid(const struct fmi_intel *chip, const struct fmi_intel_part *part,
		     uint64_t bank_len);
/* "read-array", ...; never NULL. */
const char *fmi_intel_mode_name(enum fmi_intel_mode mode);
/* The name of a command, or the misuse in words; "" for none. Never NULL. */
const char *fmi_intel_note_text(enum fmi_intel_note note);

#endif
