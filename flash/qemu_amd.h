/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qemu_amd: a bank of AMD chips as QEMU 7.2.22 has it (FM_FLASH_QUIRK_QEMU_AMD): one machine for the
 * whole bank, as a pure state machine. A write changes the state and names the action that it asks
 * for; erases take time on the clock that the caller gives. What is known of QEMU was found by
 * experiment, and tests/diff holds this against it.
 */
#ifndef FIRMEM_FLASH_QEMU_AMD_H
#define FIRMEM_FLASH_QEMU_AMD_H

#include <stdbool.h>
#include <stdint.h>

/* Data lines of the status that are in use; each keeps its value from one operation to the next. */
#define FMI_QEMU_DQ7 0x80u
#define FMI_QEMU_DQ6 0x40u /* toggles with every read of the status while something is under way */
#define FMI_QEMU_DQ3 0x08u /* the window for further sectors is over */
#define FMI_QEMU_DQ2 0x04u /* toggles with reads of what is being erased, or is suspended */

#define FMI_QEMU_WINDOW_NS 50000u
/* A ready bank that has been read so often without a write is memory again. */
#define FMI_QEMU_READS_MAX 42u

/* What the next write is. */
enum fmi_qemu_amd_state {
	FMI_QEMU_AMD_READY = 0,  /* the first of a sequence */
	FMI_QEMU_AMD_UNLOCK_2,   /* after AA: 55 */
	FMI_QEMU_AMD_COMMAND,    /* after 55, and always in bypass: a command */
	FMI_QEMU_AMD_AUTOSELECT, /* after 90: 98, or 00 in bypass */
	FMI_QEMU_AMD_PROGRAM,    /* after A0: the data */
	FMI_QEMU_AMD_ERASE_1,    /* after 80: AA */
	FMI_QEMU_AMD_ERASE_2,    /* 55 */
	FMI_QEMU_AMD_ERASE_3,    /* 30 or 10 */
	FMI_QEMU_AMD_SECTORS,    /* sectors are being erased, or awaited while DQ3 is 0 */
	FMI_QEMU_AMD_CHIP,       /* everything is being erased */
	FMI_QEMU_AMD_QUERY,
	FMI_QEMU_AMD_QUERY_2, /* from autoselect, and back to it */
	FMI_QEMU_AMD_STATES
};

struct fmi_qemu_amd {
	enum fmi_qemu_amd_state state;
	bool bypass;
	bool mapped;           /* reads are of memory and do not come here; only in READY */
	uint8_t dq;            /* the status */
	uint8_t reads;         /* in READY since the last write there */
	uint32_t sectors;      /* how often 30 was taken since an erase of sectors was last over */
	uint64_t deadline_ns;  /* of the one timer; FM_NEVER: off */
	uint64_t remaining_ns; /* of a suspended erase; 0: none is suspended */
};

/* What the machine must know of the bank. */
struct fmi_qemu_amd_part {
	unsigned width;     /* bytes of a bank word */
	uint64_t sector_ns; /* how long a sector takes */
	uint64_t chip_ns;
};

struct fmi_qemu_amd_cycle {
	uint64_t off;    /* in the bank */
	uint8_t value;   /* of a write: its lowest byte */
	bool marked;     /* the sector at `off` was named by a 30 that is not over */
	uint64_t now_ns; /* the clock */
};

/* What a write asks the bank to do. */
enum fmi_qemu_amd_action {
	FMI_QEMU_AMD_NONE = 0,
	FMI_QEMU_AMD_AND,   /* program the bytes of this write */
	FMI_QEMU_AMD_ERASE, /* erase and mark the sector of this write */
	FMI_QEMU_AMD_ERASE_ALL,
};

/* What a read shows. */
enum fmi_qemu_amd_answer {
	FMI_QEMU_AMD_SHOW_ARRAY = 0,
	FMI_QEMU_AMD_SHOW_STATUS, /* `dq` */
	FMI_QEMU_AMD_SHOW_CODES,
	FMI_QEMU_AMD_SHOW_QUERY,
};

struct fmi_qemu_amd_step {
	enum fmi_qemu_amd_action action;
	const char *text; /* what it was, for the trace; NULL: nothing worth telling */
	bool misuse;
};

/* As made: everything off. A system reset is not that. */
void fmi_qemu_amd_init(struct fmi_qemu_amd *m);
/* The guest's system reset: bypass, status, timer and erase stay. */
void fmi_qemu_amd_reset(struct fmi_qemu_amd *m);
/* The timer first, with fmi_qemu_amd_tick(). */
struct fmi_qemu_amd_step fmi_qemu_amd_write(struct fmi_qemu_amd *m,
					    const struct fmi_qemu_amd_part *part,
					    const struct fmi_qemu_amd_cycle *cycle);
/* A read that was not of mapped memory; the status is that of this read. */
enum fmi_qemu_amd_answer fmi_qemu_amd_read(struct fmi_qemu_amd *m, bool marked);
/* The clock is at now_ns. True: an erase of sectors is over, none is marked any more. */
bool fmi_qemu_amd_tick(struct fmi_qemu_amd *m, const struct fmi_qemu_amd_part *part,
		       uint64_t now_ns);
/* Could a bank with that many marked sectors be in this state? For what comes from outside. */
bool fmi_qemu_amd_valid(const struct fmi_qemu_amd *m, const struct fmi_qemu_amd_part *part,
			uint32_t marked);

#endif
