/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ppi: the page through which an operating system asks the firmware for TPM operations at the next
 * boot, and for a memory overwrite (TCG PC Client Physical Presence Interface 1.30; TCG Platform Reset
 * Attack Mitigation 1.10). ACPI code stores into it, firmware reads it; it is memory, and it is kept
 * over a system reset.
 *
 * Layout, packed, as QEMU and OVMF have it (docs/specs/tpm of QEMU):
 *   000 256 bytes, what each operation is allowed to (func)
 *   100 1 ppin, 101 4 ppip, 105 4 pprp, 109 4 pprq, 10D 4 pprm, 111 4 lppr, 115 4 fret
 *   119 64 bytes reserved, 159 1 next step, 15A 1 memory overwrite (movv)
 */
#ifndef FIRMEM_PPI_H
#define FIRMEM_PPI_H

#include <firmem/block.h>
#include <firmem/device.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_PPI_GPA UINT64_C(0xfed45000) /* where x86 machines have it */
#define FM_PPI_LEN 0x400u               /* bytes of the page that have a meaning, or are reserved */
#define FM_PPI_MEMORY_OVERWRITE 0x15au  /* movv: what the _DSM's function 1 was given */

/* Bits of movv (TCG Platform Reset Attack Mitigation, MOR control byte). */
#define FM_PPI_CLEAR_MEMORY 0x01u   /* bit 0: overwrite memory at the next reset */
#define FM_PPI_NO_AUTO_DETECT 0x10u /* bit 4: also after an orderly shutdown */

struct fm_ppi_config {
	size_t struct_size;     /* sizeof(struct fm_ppi_config) */
	const char *name;       /* of the device; NULL = the block's name */
	struct fm_block *block; /* of role ppi, at least FM_PPI_LEN bytes, writable; borrowed */
};

/*
 * Plain memory with two questions. A power-on reset zeroes it, any other keeps it (it carries requests
 * across); sanitize zeroes it. FM_ERR_ARG, FM_ERR_NOMEM.
 */
FM_API int fm_ppi_new(struct fm_dev **out, const struct fm_ppi_config *cfg, struct fm_error *err);

/*
 * 1: the guest asks for a memory overwrite; 0: not, or its byte is in a private range (private.h).
 * FM_ERR_ARG if `dev` is no such page.
 */
FM_API int fm_ppi_memory_overwrite(struct fm_dev *dev);
/*
 * The overwrite is done: clear bit 0 of movv, and nothing else. Last step of a reset, after memory was
 * seen to be clear: until then a crash leaves the request. Effects go to the dirty log. FM_ERR_ARG;
 * FM_ERR_STATE (the byte is in a private range: a store of the host's would mean nothing).
 */
FM_API int fm_ppi_acknowledge(struct fm_dev *dev);

#ifdef __cplusplus
}
#endif

#endif
