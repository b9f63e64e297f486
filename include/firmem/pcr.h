/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcr: PCR 7 of a TPM, the Secure Boot policy, from the variables that firmware measures into it (TCG PC
 * Client Platform Firmware Profile, 3.3.4.8). From libfirmem-measure. Any PCR is replayed from a log by
 * eventlog.h.
 */
#ifndef FIRMEM_PCR_H
#define FIRMEM_PCR_H

#include <firmem/digest.h>
#include <firmem/transcript.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is measured into PCR 7, in this order. */
enum fm_pcr_variable {
	FM_PCR_SECURE_BOOT = 0,
	FM_PCR_PK,
	FM_PCR_KEK,
	FM_PCR_DB,
	FM_PCR_DBX,
	FM_PCR_VARIABLE_COUNT
};

/* "SecureBoot", "PK", "KEK", "db", "dbx"; "unknown". Any thread. */
FM_API const char *fm_pcr_variable_name(enum fm_pcr_variable variable);
/* Its vendor GUID as a variable store has it, 16 bytes. NULL: no such one. Any thread. */
FM_API const uint8_t *fm_pcr_variable_guid(enum fm_pcr_variable variable);

struct fm_pcr_secure_boot {
	size_t struct_size;
	struct {
		const void *data; /* NULL: the variable is absent */
		size_t len;
	} variables[FM_PCR_VARIABLE_COUNT];
	/*
	 * Firmware measures an absent variable with length 0. Some tools leave it out; true does as they
	 * do.
	 */
	bool skip_absent;
	struct fm_transcript *transcript; /* NULL: nobody asks */
};

/*
 * PCR 7 when the last of the policy is measured and the separator behind it: fm_digest_len(bank) bytes at
 * `out`. What is booted afterwards may extend it by the certificate that let it in. FM_ERR_ARG,
 * FM_ERR_UNSUPPORTED, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_pcr_secure_boot(void *out, enum fm_digest_alg bank,
			      const struct fm_pcr_secure_boot *config, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
