/* SPDX-License-Identifier: BSD-2-Clause */
/* measure_sev: the options that tell an AMD launch, shared by those verbs that need one. */
#ifndef FIRMEM_TOOLS_MEASURE_SEV_H
#define FIRMEM_TOOLS_MEASURE_SEV_H

#include "tools/firmem/args.h"
#include "tools/firmem/measure_util.h"

#include <firmem/sev.h>

struct measure_launch {
	struct measure_common common;
	const char *firmware_path, *kernel_path, *initrd_path, *append, *svsm_path, *vars_path;
	const char *cpu, *vmm, *ovmf_hash;
	uint64_t vcpus, sig, family, model, stepping, features, vars_len;
	bool has_vcpus, has_sig, has_family, has_features, has_vars_len, as_qemu, verbose, dump;
	/* What they become. */
	struct measure_file firmware, kernel, initrd, svsm;
	uint8_t firmware_digest[FM_SEV_SNP_DIGEST_LEN];
	struct fm_sev_config config;
	/* Of measure_dump_vmsas(). */
	uint8_t vmsa_pages[2][FM_VMSA_LEN];
	char (*vmsa_names)[24];
	struct output *vmsas;
};

/* The CPU's signature of --vcpu-type, --vcpu-sig or --vcpu-family ...; false after a complaint. */
bool measure_launch_cpu(struct measure_launch *launch, uint32_t *sig);
/* A VMM's name; false after a complaint. */
bool measure_launch_vmm(const struct measure_common *common, const char *name, enum fm_vmm *vmm);
/* Read the files and fill the config; false after a complaint. */
bool measure_launch_load(struct measure_launch *launch, enum fm_sev_kind kind);
/* vmsa0.bin and so on, of a launch that was loaded, are files of its answer; false after a complaint. */
bool measure_dump_vmsas(struct measure_launch *launch);
void measure_launch_free(struct measure_launch *launch);

#endif
