/* SPDX-License-Identifier: BSD-2-Clause */
/* sev_private: a launch under way, cut where launches that share a beginning part. */
#ifndef FIRMEM_MEASURE_SEV_PRIVATE_H
#define FIRMEM_MEASURE_SEV_PRIVATE_H

#include <firmem/sev.h>

#include "measure/common.h"

#define FMI_SNP_LEN FM_SEV_SNP_DIGEST_LEN

/* SNP_LAUNCH_UPDATE page types: 56860, table 67. */
enum fmi_snp_type {
	FMI_SNP_NORMAL = 1,
	FMI_SNP_VMSA = 2,
	FMI_SNP_ZERO = 3,
	FMI_SNP_UNMEASURED = 4,
	FMI_SNP_SECRETS = 5,
	FMI_SNP_CPUID = 6,
};

/* Where vCPU states are measured: the last page of a 48-bit space. */
#define FMI_SNP_VMSA_GPA UINT64_C(0xfffffffff000)

/* An SNP digest under way. */
struct fmi_snp {
	uint8_t ld[FMI_SNP_LEN];
	struct fmi_pages *pages;
	unsigned threads; /* that hash pages; 0: the caller's */
	struct fm_transcript *transcript;
};

/* FM_ERR_NOMEM, FM_ERR_UNSUPPORTED; fmi_snp_end() is for after either outcome. */
int fmi_snp_begin(struct fmi_snp *s, struct fm_transcript *transcript, struct fm_error *err);
void fmi_snp_end(struct fmi_snp *s);

/* One update of a page whose contents' digest is known; NULL: contents are not measured. */
int fmi_snp_update(struct fmi_snp *s, enum fmi_snp_type type, uint64_t gpa, const uint8_t *contents,
		   const char *part, struct fm_error *err);
/* Pages of bytes, NORMAL; `len` is whole pages. */
int fmi_snp_bytes(struct fmi_snp *s, uint64_t gpa, const uint8_t *bytes, size_t len,
		  const char *part, struct fm_error *err);
/* Pages without contents. */
int fmi_snp_blank(struct fmi_snp *s, enum fmi_snp_type type, uint64_t gpa, uint64_t len,
		  const char *part, struct fm_error *err);

/*
 * Everything before the vCPUs: firmware, SVSM, metadata. `c` was checked by fmi_sev_check(), which has
 * parsed *ovmf.
 */
int fmi_snp_memory(struct fmi_snp *s, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		   struct fm_error *err);
/* The VMSA pages of the first and of the other vCPUs. `svsm` may be NULL. */
int fmi_sev_vmsas(uint8_t *first, uint8_t *others, const struct fm_sev_config *c,
		  const struct fm_ovmf *ovmf, struct fm_error *err);

/*
 * Copy a config, check it and parse its firmware. Without a CPU signature it is accepted when
 * `any_cpu`.
 */
int fmi_sev_check(struct fm_sev_config *c, struct fm_ovmf *ovmf, const struct fm_sev_config *config,
		  bool any_cpu, struct fm_error *err);
/* Where the SVSM image lies; `c` was checked. */
uint64_t fmi_sev_svsm_gpa(const struct fm_sev_config *c, const struct fm_ovmf *ovmf);
/* SEV and SEV-ES: everything before the vCPUs into a SHA-256 stream. */
int fmi_sev_memory(struct fm_digest *d, const struct fm_sev_config *c, struct fm_error *err);

#endif
