/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * identify: which launch of an AMD guest yields a digest that somebody has: VMM, CPU, guest features and
 * number of vCPUs are searched for. From libfirmem-measure.
 */
#ifndef FIRMEM_IDENTIFY_H
#define FIRMEM_IDENTIFY_H

#include <firmem/sev.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_IDENTIFY_VCPUS_MAX 512u
#define FM_IDENTIFY_FEATURES_MAX 16u

struct fm_identify_config {
	size_t struct_size;
	const void *digest;
	size_t digest_len; /* 48: SEV-SNP; 32: SEV or SEV-ES */
	/*
	 * Firmware, kernel, SVSM ...: as of fm_sev_measure(), whose kind, vmm, vcpus, guest_features and
	 * transcript are not looked at. A cpu_sig is tried beside those that have names.
	 */
	const struct fm_sev_config *launch;
	/* SEV-SNP: guest features to try beside 0x1 and 0x21; at most FM_IDENTIFY_FEATURES_MAX. */
	const uint64_t *features;
	size_t feature_count;
};

struct fm_identified {
	enum fm_sev_kind kind;
	enum fm_vmm vmm;
	uint32_t vcpus;          /* 0: SEV, where they do not count */
	uint32_t cpu_sig;        /* 0: the VMM does not tell it */
	uint64_t guest_features; /* 0: not SEV-SNP */
	uint64_t tried;          /* launches that were compared, for the curious */
};

/*
 * Search every VMM, CPU and features with 1 to FM_IDENTIFY_VCPUS_MAX vCPUs; what launches have in common is
 * hashed once. FM_ERR_NOT_FOUND (none yields the digest), FM_ERR_ARG (length, features without bit 0 or
 * too many), errors of fm_sev_measure() about the firmware. Any thread; allocates.
 */
FM_API int fm_identify_launch(struct fm_identified *out, const struct fm_identify_config *config,
			      struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
