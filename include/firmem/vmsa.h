/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmsa: the initial state of an encrypted vCPU (AMD64 APM volume 2, table B-4), which SEV-ES and SEV-SNP
 * measure. Each VMM, and each generation of it, fills a few fields in its own way: that is a profile.
 * From libfirmem-measure.
 */
#ifndef FIRMEM_VMSA_H
#define FIRMEM_VMSA_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_VMSA_LEN 4096u

/* Who launches the guest. */
enum fm_vmm {
	FM_VMM_QEMU = 0,      /* QEMU on Linux 6.10 or later */
	FM_VMM_QEMU_PRE_6_10, /* QEMU on an older Linux: FPU control words are 0 */
	FM_VMM_EC2,           /* AWS as of 2026 */
	FM_VMM_EC2_LEGACY,    /* AWS before: RDX is 0 */
	FM_VMM_GCE,           /* Google Compute Engine */
	FM_VMM_COUNT
};

/* "qemu", "qemu-pre-6.10", "ec2", "ec2-legacy", "gce"; "unknown". Never NULL. Any thread. */
FM_API const char *fm_vmsa_vmm_name(enum fm_vmm vmm);
/* In any case; FM_VMM_COUNT when there is none of that name. Any thread. */
FM_API enum fm_vmm fm_vmsa_vmm_from_name(const char *name);
/* Does the VMM tell the CPU's signature to the guest (in RDX), so that it is measured? Any thread. */
FM_API bool fm_vmsa_vmm_tells_cpu(enum fm_vmm vmm);

/*
 * QEMU's names of AMD CPUs that can do SEV, from index 0; NULL behind the last. Any thread.
 */
FM_API const char *fm_vmsa_cpu_name(size_t index);
/* The signature (CPUID Fn0000_0001 EAX) of such a CPU; 0 when there is none. Case counts. Any thread. */
FM_API uint32_t fm_vmsa_cpu_sig(const char *name);
/* The signature of a family, model and stepping. Any thread. */
FM_API uint32_t fm_vmsa_sig(unsigned family, unsigned model, unsigned stepping);

struct fm_vmsa_config {
	size_t struct_size;
	enum fm_vmm vmm;       /* 0: QEMU */
	uint32_t eip;          /* where it starts; 0: the reset vector, 0xfffffff0 */
	uint32_t cpu_sig;      /* for VMMs that tell it */
	uint64_t sev_features; /* SEV_FEATURES; SEV-ES has 0, SEV-SNP bit 0 at least */
	bool svsm;             /* the vCPU of an SVSM: 32-bit flat mode, see svsm_rip */
	uint64_t svsm_rip;     /* where that starts */
};

/*
 * The page, FM_VMSA_LEN bytes at `page`. FM_ERR_ARG (no such VMM). Any thread; does not allocate.
 */
FM_API int fm_vmsa_page(void *page, const struct fm_vmsa_config *config, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
