/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sev: the launch digest of AMD SEV, SEV-ES and SEV-SNP guests, as the AMD secure processor computes it
 * over what a VMM loads (SEV API specification 55766, LAUNCH_UPDATE and LAUNCH_MEASURE; SNP firmware ABI
 * 56860, SNP_LAUNCH_UPDATE). From libfirmem-measure; takes pointers and lengths, no device.
 */
#ifndef FIRMEM_SEV_H
#define FIRMEM_SEV_H

#include <firmem/ovmf.h>
#include <firmem/transcript.h>
#include <firmem/vmsa.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fm_sev_kind {
	FM_SEV = 1, /* SHA-256 over what is loaded */
	FM_SEV_ES,  /* the same, and the state of each vCPU */
	FM_SEV_SNP, /* SHA-384, a chain over pages with their addresses and types */
};

#define FM_SEV_DIGEST_LEN 32u
#define FM_SEV_SNP_DIGEST_LEN 48u
/* KVM's most; a launch of more is a slip of the pen. */
#define FM_SEV_VCPUS_MAX 4096u

struct fm_sev_config {
	size_t struct_size;
	enum fm_sev_kind kind; /* must be given */

	/*
	 * The image that the guest sees below 4 GiB: with split flash, the code unit alone. Whole pages.
	 * NULL only for SEV-SNP with `ovmf` and `firmware_digest`.
	 */
	const void *firmware;
	size_t firmware_len;
	const char *firmware_name;  /* for messages; NULL: "firmware" */
	unsigned ovmf_flags;        /* enum fm_ovmf_flags */
	const struct fm_ovmf *ovmf; /* parsed before; NULL: parse `firmware` */
	/* SEV-SNP: the digest after the firmware's pages (fm_sev_firmware()), 48 bytes; NULL: hash them. */
	const uint8_t *firmware_digest;

	enum fm_vmm vmm;  /* 0: QEMU */
	uint32_t vcpus;   /* 1 to FM_SEV_VCPUS_MAX; SEV has none measured and ignores it */
	uint32_t cpu_sig; /* for VMMs that tell it to the guest; see fm_vmsa_cpu_sig() */
	uint64_t
		guest_features; /* SEV-SNP: SEV_FEATURES; 0: 1. Bit 0 must be set. Of an SVSM always 1 */

	/*
	 * Direct boot with hashes of what is booted; kernel NULL: none. Lengths may be 0 with pointers
	 * that are not NULL. initrd NULL: none. append NULL: none; hashed with its NUL, not trimmed.
	 */
	const void *kernel;
	size_t kernel_len;
	const void *initrd;
	size_t initrd_len;
	const char *append;

	/* SEV-SNP in QEMU: an SVSM image below the variables below the firmware; NULL: none. */
	const void *svsm;
	size_t svsm_len;
	const char *svsm_name;
	uint64_t vars_len; /* bytes of the variable store between them */

	struct fm_transcript *transcript; /* steps are appended; NULL: nobody asks */
	/*
	 * SEV-SNP: how many threads hash the pages of firmware and SVSM, the caller's among them, at most 16;
	 * 0: 1. They end before the call returns, and the digest is the same. One that cannot be started
	 * is done without.
	 */
	unsigned threads;
};

/*
 * The digest of a launch into 32 (SEV, SEV-ES) or 48 bytes (SEV-SNP) at `out`. Allocates for the time of
 * the call; different calls are independent, so any thread.
 *
 * FM_ERR_ARG (a field is out of its domain, or missing for this kind), FM_ERR_FORMAT and the others of
 * fm_ovmf_parse() (the firmware), FM_ERR_UNSUPPORTED (the firmware has no SEV metadata, no place for
 * kernel hashes, no SEV-ES reset vector for more than one vCPU; or libcrypto refuses), FM_ERR_NOMEM. On
 * failure the transcript may hold steps.
 */
FM_API int fm_sev_measure(void *out, const struct fm_sev_config *config, struct fm_error *err);

/*
 * The state of an SNP digest after the firmware's pages alone, 48 bytes at `out`: what
 * fm_sev_config.firmware_digest takes. Steps go to `transcript` (NULL: nobody asks). FM_ERR_SIZE, FM_ERR_UNSUPPORTED, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_sev_firmware(void *out, const void *firmware, size_t len,
			   struct fm_transcript *transcript, struct fm_error *err);

/* Bytes of the table of kernel hashes as it lies in the guest, padding included. */
#define FM_SEV_HASHES_LEN 176u
/*
 * That table of the config's kernel, initrd and append, FM_SEV_HASHES_LEN bytes at `out` (QEMU,
 * docs/system/i386/amd-memory-encryption). FM_ERR_ARG (no kernel), FM_ERR_UNSUPPORTED, FM_ERR_NOMEM.
 */
FM_API int fm_sev_hashes(void *out, const struct fm_sev_config *config, struct fm_error *err);

/* What LAUNCH_MEASURE answers for. */
struct fm_sev_hmac_config {
	size_t struct_size;
	uint8_t digest[32];
	uint8_t tik[16]; /* transport integrity key of the session */
	uint8_t mnonce[16];
	uint8_t api_major;
	uint8_t api_minor;
	uint8_t build;
	uint32_t policy;
};

/*
 * The measurement that the firmware returns, 32 bytes at `out`: HMAC-SHA256 by the TIK of 0x04, version,
 * policy, digest and nonce (55766, 6.5.1). FM_ERR_ARG, FM_ERR_UNSUPPORTED, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_sev_hmac(void *out, const struct fm_sev_hmac_config *config, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
