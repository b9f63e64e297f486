/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ovmf: the table of GUIDs at the end of an OVMF image, and the SEV metadata that it leads to. From
 * libfirmem-measure. edk2 (OvmfPkg/ResetVector) writes it, QEMU reads it when it launches the guest;
 * COCONUT-SVSM images end in the same table.
 *
 * Strict: what edk2 would not have written is an error that names offset, value and rule, because a
 * digest of something that a VMM refuses, or reads in another way, helps nobody.
 */
#ifndef FIRMEM_OVMF_H
#define FIRMEM_OVMF_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the firmware wants done with a piece of guest memory (OvmfPkg/ResetVector, OvmfSevMetadata). */
enum fm_ovmf_section_type {
	FM_OVMF_SEC_MEM = 1,         /* validated and zero */
	FM_OVMF_SECRETS = 2,         /* one page for the secrets that the processor puts there */
	FM_OVMF_CPUID = 3,           /* one page of CPUID results */
	FM_OVMF_SVSM_CAA = 4,        /* calling area of an SVSM */
	FM_OVMF_KERNEL_HASHES = 0x10 /* where the table of kernel hashes goes */
};

struct fm_ovmf_section {
	uint32_t gpa; /* a multiple of 4096 */
	uint32_t len; /* bytes, a multiple of 4096, not 0 */
	enum fm_ovmf_section_type type;
	size_t off; /* where in the image it is described */
};

/* More than any image has; our choice. */
#define FM_OVMF_SECTIONS_MAX 64u
/* The largest image, bytes; our choice: below it every launch is bounded. */
#define FM_OVMF_LEN_MAX (256u << 20)

struct fm_ovmf {
	uint64_t gpa;        /* where the image begins in the guest */
	size_t len;          /* bytes */
	bool has_table;      /* the footer is there; else only what QEMU falls back to */
	uint32_t duplicates; /* entries ignored because a GUID came before: FM_OVMF_AS_QEMU */

	bool has_reset; /* SEV-ES reset block: where application processors start */
	uint32_t reset_eip;

	bool has_hashes; /* the table of kernel hashes has a place */
	uint32_t hashes_gpa;
	uint32_t hashes_len;

	bool has_svsm;       /* this is an SVSM image */
	uint32_t svsm_entry; /* offset in it */

	bool has_tdvf;   /* a TDX descriptor: tdx.h reads it */
	size_t tdvf_off; /* of its signature */

	bool has_sev; /* SEV metadata: what an SNP launch needs */
	uint32_t section_count;
	struct fm_ovmf_section sections[FM_OVMF_SECTIONS_MAX];
};

enum fm_ovmf_flags {
	/*
	 * Be as lenient as QEMU: of entries with the same GUID the one nearest to the footer counts, and
	 * an image without the table has the SEV-ES reset block below its last 32 bytes, or nothing.
	 */
	FM_OVMF_AS_QEMU = 1 << 0,
};

/*
 * Read the table of the image of `len` bytes at `bytes`, that the guest sees at end_gpa - len. `end_gpa`
 * 0 is 4 GiB, where x86 has its reset vector. `name` begins the messages (NULL: "firmware"). Keeps no
 * pointer. Any thread; does not allocate.
 *
 * FM_ERR_SIZE (below 50 bytes, not whole pages, too large), FM_ERR_FORMAT (no footer; an entry, the
 * metadata or a section breaks a rule), FM_ERR_VERSION (metadata other than version 1), FM_ERR_EXISTS
 * (a GUID twice, two CPUID pages), FM_ERR_OVERLAP (sections, or one with the image), FM_ERR_RANGE (what
 * an entry points to is outside).
 */
FM_API int fm_ovmf_parse(struct fm_ovmf *out, const char *name, const void *bytes, size_t len,
			 uint64_t end_gpa, unsigned flags, struct fm_error *err);

/* "sec-mem", "secrets", "cpuid", "svsm-caa", "kernel-hashes"; "unknown" otherwise. Any thread. */
FM_API const char *fm_ovmf_section_name(enum fm_ovmf_section_type type);

#ifdef __cplusplus
}
#endif

#endif
