/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi_amd: one chip with the AMD/Fujitsu command set (JEP137, 0x0002), as a pure state machine: a
 * write changes the chip's own state and names the action that it asks for; it touches no cell.
 */
#ifndef FIRMEM_FLASH_CFI_AMD_H
#define FIRMEM_FLASH_CFI_AMD_H

#include "flash/operation.h"

/* Data lines that show the status. DQ7 is the complement of the word's bit 7 until it is programmed. */
#define FMI_DQ7 0x80u
#define FMI_DQ6 0x40u /* toggles with every read while an operation is under way */
#define FMI_DQ5 0x20u /* the operation failed */
#define FMI_DQ3 0x08u /* the erase has begun: its window is over */
#define FMI_DQ2 0x04u /* toggles with every read of a sector that is being erased */
#define FMI_DQ1 0x02u /* a write to the buffer was aborted */

/* The status register (S29GL-S). */
#define FMI_AMD_SR_READY 0x80u
#define FMI_AMD_SR_ERASE_SUSPENDED 0x40u
#define FMI_AMD_SR_ERASE 0x20u   /* an erase failed */
#define FMI_AMD_SR_PROGRAM 0x10u /* a program failed */
#define FMI_AMD_SR_ABORTED 0x08u
#define FMI_AMD_SR_PROGRAM_SUSPENDED 0x04u
#define FMI_AMD_SR_LOCKED 0x02u /* the sector was protected */

#define FMI_AMD_WINDOW_NS 50000u /* for further sectors to erase, from the last one on */

/* What the next write is. */
enum fmi_amd_state {
	FMI_AMD_READY = 0,
	FMI_AMD_UNLOCK_2, /* after AA: 55 */
	FMI_AMD_COMMAND,  /* after AA, 55: a command */
	FMI_AMD_PROGRAM,  /* after A0: the data */
	FMI_AMD_ERASE_1,  /* after 80: AA */
	FMI_AMD_ERASE_2,  /* 55 */
	FMI_AMD_ERASE,    /* 30 or 10 */
	FMI_AMD_MORE,     /* after 30, without time: 30 for one more sector, or a command */
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
	FMI_AMD_WINDOW, /* after 30, with time: 30 for one more sector, or suspend */
	FMI_AMD_BUSY,   /* while `op` is under way: suspend */
	FMI_AMD_FAILED, /* `op` failed: F0 */
	FMI_AMD_SET,    /* a protection command set, of what `mode` shows: A0, 80, 90 */
	FMI_AMD_SET_PROGRAM,
	FMI_AMD_SET_ERASE, /* 30 */
	FMI_AMD_SET_EXIT,  /* 00 */
	FMI_AMD_STATES
};

/* What a read shows. */
enum fmi_amd_mode {
	FMI_AMD_SHOW_ARRAY = 0,
	FMI_AMD_SHOW_ERASED, /* the array, and the read ends MORE */
	FMI_AMD_SHOW_STATUS,
	FMI_AMD_SHOW_ID,
	FMI_AMD_SHOW_QUERY,
	FMI_AMD_SHOW_SUSPENDED, /* the array, but the status in sectors that are being erased */
	FMI_AMD_SHOW_SECURED,   /* the secured silicon sector */
	FMI_AMD_SHOW_REGISTER,  /* the status register, once */
	FMI_AMD_SHOW_DYB,       /* protection until reset, of each sector */
	FMI_AMD_SHOW_PPB,       /* protection that persists */
	FMI_AMD_SHOW_FREEZE,    /* the lock on those */
	FMI_AMD_SHOW_LOCKS,     /* the lock register */
	FMI_AMD_MODES
};

struct fmi_amd {
	enum fmi_amd_state state;
	enum fmi_amd_mode mode;
	enum fmi_amd_state
		then; /* WINDOW, BUSY, FAILED: the state behind the operation; else READY */
	enum fmi_amd_mode after; /* SHOW_REGISTER: what is shown next; else SHOW_ARRAY */
	bool toggle;             /* DQ6 at the next read of the status */
	bool toggle2;            /* DQ2 at the next read of a sector that is being erased */
	bool secured;            /* the secured silicon sector is in the array's place */
	bool frozen;             /* persistent protection cannot change until reset */
	uint8_t sr;              /* error bits of the status register */
	uint64_t sector; /* COUNT, DATA, CONFIRM: where the sector of 25 begins in the bank */
	struct fmi_buffer buffer;
	struct fmi_op
		op; /* WINDOW, BUSY: under way; FAILED: what failed; else a suspended program */
	struct fmi_op erase; /* an erase that is suspended, or none */
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
	FMI_AMD_NOTE_READ_STATUS,
	FMI_AMD_NOTE_CLEAR_STATUS,
	FMI_AMD_NOTE_SET_ENTRY,
	FMI_AMD_NOTE_SET_EXIT,
	FMI_AMD_NOTE_PROTECT,
	FMI_AMD_NOTE_UNPROTECT,
	FMI_AMD_NOTE_SECURED,
	FMI_AMD_NOTE_MISUSE, /* from here on: how the guest broke the protocol */
	FMI_AMD_NOTE_UNKNOWN = FMI_AMD_NOTE_MISUSE,
	FMI_AMD_NOTE_BROKEN,
	FMI_AMD_NOTE_COUNT_TOO_LARGE,
	FMI_AMD_NOTE_OUTSIDE_SECTOR,
	FMI_AMD_NOTE_OUTSIDE_BUFFER,
	FMI_AMD_NOTE_BUFFER_UNCONFIRMED,
	FMI_AMD_NOTE_STILL_ABORTED,
	FMI_AMD_NOTE_BUSY,
	FMI_AMD_NOTE_SUSPENDED,
	FMI_AMD_NOTE_STILL_FAILED,
	FMI_AMD_NOTE_STILL_IN_SET,
	FMI_AMD_NOTES
};

struct fmi_amd_step {
	enum fmi_action action;
	enum fmi_amd_note note;
};

/* The state after power-on and reset. */
void fmi_amd_reset(struct fmi_amd *chip);
/* A write of `value` at the bank word `off`. */
struct fmi_amd_step fmi_amd_write(struct fmi_amd *chip, const struct fmi_part *part, uint64_t off,
				  uint32_t value);
/* A bus cycle read the chip, in a sector that is being `erasing`: what such a cycle changes. */
void fmi_amd_was_read(struct fmi_amd *chip, bool erasing);
/* The bank could not do `action`: the sector is protected. */
void fmi_amd_refused(struct fmi_amd *chip, enum fmi_action action);
/* The bank has begun what a write asked for; it takes until op->ends_ns. */
void fmi_amd_began(struct fmi_amd *chip, const struct fmi_op *op);
/* WINDOW is over: the erase takes until `ends_ns`. */
void fmi_amd_window_over(struct fmi_amd *chip, uint64_t ends_ns);
/* `op` is over, well or not; what takes no time is told too. */
void fmi_amd_done(struct fmi_amd *chip, const struct fmi_op *op, bool failed);
/* The action on the buffer is over: it holds nothing. */
void fmi_amd_buffer_done(struct fmi_amd *chip);
/*
 * The data lines while the status is shown: `last` is the chip's low byte of the word that the buffer
 * or the program has last, `erasing` as above.
 */
uint8_t fmi_amd_status(const struct fmi_amd *chip, uint8_t last, bool erasing);
uint8_t fmi_amd_status_register(const struct fmi_amd *chip);

/* Does the next write carry data, which may differ from chip to chip? */
static inline bool fmi_amd_takes_data(const struct fmi_amd *chip)
{
	return chip->state == FMI_AMD_PROGRAM || chip->state == FMI_AMD_BYPASS_PROGRAM ||
	       chip->state == FMI_AMD_DATA;
}

/* What is shown where nothing else is asked for. */
static inline enum fmi_amd_mode fmi_amd_home(const struct fmi_amd *chip)
{
	if (chip->secured)
		return FMI_AMD_SHOW_SECURED;
	return chip->erase.action ? FMI_AMD_SHOW_SUSPENDED : FMI_AMD_SHOW_ARRAY;
}

bool fmi_amd_equal(const struct fmi_amd *a, const struct fmi_amd *b);
/* Could a chip be in this state? For what comes from outside. */
bool fmi_amd_valid(const struct fmi_amd *chip, const struct fmi_part *part);
/* "read-array", ...; never NULL. */
const char *fmi_amd_mode_name(enum fmi_amd_mode mode);
/* The name of a command, or the misuse in words; "" for none. Never NULL. */
const char *fmi_amd_note_text(enum fmi_amd_note note);

/* The part of fmi_amd_write() for protection command sets: cfi_amd_set.c. */
bool fmi_amd_set_entry(struct fmi_amd *chip, const struct fmi_part *part, uint8_t code,
		       struct fmi_amd_step *step);
struct fmi_amd_step fmi_amd_set_write(struct fmi_amd *chip, uint8_t code);
/* The same for operations that take time, and those that failed: cfi_amd_time.c. */
struct fmi_amd_step fmi_amd_busy_write(struct fmi_amd *chip, const struct fmi_part *part,
				       uint64_t off, uint8_t code);
struct fmi_amd_step fmi_amd_resume(struct fmi_amd *chip, const struct fmi_part *part);
/*
 * Where `code` leads on the way to a program, AA, 55, A0, of a chip that shows the array; READY: this is
 * something else, for fmi_amd_write().
 */
enum fmi_amd_state fmi_amd_unlocking(enum fmi_amd_state state, const struct fmi_geometry *geo,
				     uint64_t off, uint32_t code);
/* Is the cycle at the address of a first unlock cycle, 555 or its like? */
bool fmi_amd_at_first(const struct fmi_geometry *geo, uint64_t off);

#endif
