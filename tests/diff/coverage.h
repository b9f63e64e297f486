/* SPDX-License-Identifier: BSD-2-Clause */
/* coverage: which states of QEMU's AMD bank a run has been in, so that "no mismatch" says something. */
#ifndef FIRMEM_TESTS_COVERAGE_H
#define FIRMEM_TESTS_COVERAGE_H

#include "flash/flash_private.h"

enum coverage_case {
	COVER_BYPASS = 0,
	COVER_WINDOW,  /* sectors may follow */
	COVER_ERASING, /* and may not any more */
	COVER_SUSPENDED,
	COVER_SUSPENDED_READ,  /* of a sector whose erase is suspended */
	COVER_SUSPENDED_ARRAY, /* the same, and it showed the array */
	COVER_RESUMED,
	COVER_SECTORS_DONE, /* an erase of sectors came to its end */
	COVER_CHIP_DONE,
	COVER_STRAY,           /* a timer runs that nothing waits for */
	COVER_STRAY_FIRED,     /* it broke off what was under way */
	COVER_BYPASS_DONE,     /* an erase in bypass came to its end */
	COVER_BYPASS_MAPPED,   /* memory, in spite of bypass */
	COVER_RESET,           /* while a timer ran, */
	COVER_RESET_SUSPENDED, /* or an erase was suspended */
	COVER_MAPPED_AGAIN,    /* by the number of reads */
	COVER_CASES
};

struct coverage {
	uint64_t states[FMI_QEMU_AMD_STATES];
	uint64_t cases[COVER_CASES];
	struct fmi_qemu_amd last;
};

/* The bank after an access or a tick. */
void coverage_note(struct coverage *c, const struct fmi_flash *f);
/* A read at an offset, before it was done. */
void coverage_note_read(struct coverage *c, const struct fmi_flash *f, uint64_t off);
/* A reset, before it was done. */
void coverage_note_reset(struct coverage *c, const struct fmi_flash *f);
/* Print what was reached. False if something never was. */
bool coverage_print(const struct coverage *c);

#endif
