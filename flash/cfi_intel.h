/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi_intel: one chip with the Intel/Sharp command set (JEP137, 0x0001 and 0x0003), as a pure state
 * machine: a write changes the chip's own state and names the action that it asks for; it touches no
 * cell.
 */
#ifndef FIRMEM_FLASH_CFI_INTEL_H
#define FIRMEM_FLASH_CFI_INTEL_H

#include "flash/operation.h"

/* Status register. */
#define FMI_SR_READY 0x80u            /* SR.7 */
#define FMI_SR_ERASE_SUSPENDED 0x40u  /* SR.6 */
#define FMI_SR_ERASE 0x20u            /* SR.5: erase, or unlock, failed */
#define FMI_SR_PROGRAM 0x10u          /* SR.4: program, or lock, failed */
#define FMI_SR_VPP 0x08u              /* SR.3: VPP was low */
#define FMI_SR_PROGRAM_SUSPENDED 0x4u /* SR.2 */
#define FMI_SR_LOCKED 0x02u           /* SR.1: the block was locked */
#define FMI_SR_SEQUENCE (FMI_SR_ERASE | FMI_SR_PROGRAM)
#define FMI_SR_ERRORS (FMI_SR_SEQUENCE | FMI_SR_VPP | FMI_SR_LOCKED)

#define FMI_INTEL_CONFIGURATION 0xbfcfu /* of a P30 after reset */

/* What the next write is. */
enum fmi_intel_state {
	FMI_INTEL_READY = 0, /* a command */
	FMI_INTEL_PROGRAM,   /* after 10/40: the data */
	FMI_INTEL_ERASE,     /* after 20: the confirm */
	FMI_INTEL_LOCK,      /* after 60: lock, unlock, lock down, configure */
	FMI_INTEL_COUNT,     /* after E8: words of the buffer less one */
	FMI_INTEL_DATA,      /* a word for the buffer */
	FMI_INTEL_CONFIRM,   /* the confirm of the buffer */
	FMI_INTEL_REGISTER,  /* after C0: the data */
	FMI_INTEL_BUSY,      /* while `op` is under way: suspend */
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

struct fmi_intel {
	enum fmi_intel_state state;
	enum fmi_intel_mode mode;
	uint8_t sr;
	uint16_t configuration;
	uint32_t words; /* COUNT said: buffer words less one */
	struct fmi_buffer buffer;
	struct fmi_op op;    /* BUSY: under way; READY: a program that is suspended, or none */
	struct fmi_op erase; /* an erase that is suspended, or none */
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
	FMI_NOTE_CONFIGURE,
	FMI_NOTE_REGISTER,
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
	FMI_NOTE_BUSY,
	FMI_NOTE_SUSPENDED,
	FMI_NOTES
};

struct fmi_intel_step {
	enum fmi_action action;
	enum fmi_intel_note note;
};

/* The state after power-on and reset. */
void fmi_intel_reset(struct fmi_intel *chip);
/* A write of `value` at the bank word `off`. */
struct fmi_intel_step fmi_intel_write(struct fmi_intel *chip, const struct fmi_part *part,
				      uint64_t off, uint32_t value);
/* The bank could not do `action`: the block is locked, or (`vpp`) VPP is low. */
void fmi_intel_refused(struct fmi_intel *chip, const struct fmi_part *part, enum fmi_action action,
		       bool vpp);
/* The bank has begun what a write asked for; it takes until op->ends_ns. */
void fmi_intel_began(struct fmi_intel *chip, const struct fmi_op *op);
/* `action` is over, well or not. */
void fmi_intel_done(struct fmi_intel *chip, enum fmi_action action, bool failed);
/* The action on the buffer is over: it holds nothing. */
void fmi_intel_buffer_done(struct fmi_intel *chip);

/* Does the next write carry data, which may differ from chip to chip? */
static inline bool fmi_intel_takes_data(const struct fmi_intel *chip)
{
	return chip->state == FMI_INTEL_PROGRAM || chip->state == FMI_INTEL_DATA ||
	       chip->state == FMI_INTEL_REGISTER;
}

/* What a command does, by its code, where it does no more than this to a chip that is ready. */
struct fmi_intel_plain {
	bool is;
	uint8_t state; /* enum fmi_intel_state */
	uint8_t mode;  /* enum fmi_intel_mode */
};
extern const struct fmi_intel_plain fmi_intel_plain[256];

bool fmi_intel_equal(const struct fmi_intel *a, const struct fmi_intel *b);
/* Could a chip be in this state? For what comes from outside. */
bool fmi_intel_valid(const struct fmi_intel *chip, const struct fmi_part *part);
/* "read-array", ...; never NULL. */
const char *fmi_intel_mode_name(enum fmi_intel_mode mode);
/* The name of a command, or the misuse in words; "" for none. Never NULL. */
const char *fmi_intel_note_text(enum fmi_intel_note note);

#endif
