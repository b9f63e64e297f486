/* SPDX-License-Identifier: BSD-2-Clause */
/* dsm_private: what dsm.c hands to the functions of the root device and of the DIMMs. */
#ifndef FIRMEM_NVDIMM_DSM_PRIVATE_H
#define FIRMEM_NVDIMM_DSM_PRIVATE_H

#include <firmem/dsm.h>
#include <firmem/nvdimm.h>

#define FMI_DSM_ARG (FM_DSM_PAGE - 12u) /* bytes of an argument */
#define FMI_DSM_OUT (FM_DSM_PAGE - 4u)  /* bytes of an output */

/* Statuses of Intel's family; those of the root device (ACPI) have another number for an argument. */
enum {
	FMI_DSM_OK = 0,
	FMI_DSM_UNSUPPORTED = 1,
	FMI_DSM_NO_DEVICE = 2,
	FMI_DSM_ROOT_INVALID = 2,
	FMI_DSM_INVALID = 3,
	FMI_DSM_HARDWARE = 4,
};

/* What SMART shows that the device does not know. */
struct fmi_smart {
	uint16_t alarm_control;
	uint8_t spares_threshold;
	uint16_t media_threshold, controller_threshold; /* 1/16 degree Celsius */
	bool fatal, unsafe, hot, few_spares;            /* injected */
	uint16_t media_temperature;
	uint8_t spares;
};

struct fmi_dsm_dimm {
	struct fm_dsm_dimm c;
	uint64_t pmem_len;
	uint64_t label_len;
	struct fmi_smart smart;
};

struct fm_dsm {
	struct fmi_dsm_dimm dimms[FM_DSM_DIMMS];
	size_t count;
	uint8_t *fit;
	size_t fit_len;
	bool fit_changed; /* while the guest was reading it */
	/* The last scrub. */
	bool scrubbed;
	uint64_t scrub_addr, scrub_len;
	uint16_t scrub_type;
	/* Of the call under way. */
	uint8_t out[FMI_DSM_OUT];
	uint32_t out_len;
	unsigned effects;
};

/* Set the output: a status, and `len` bytes in all, zeros behind it. */
void fmi_dsm_answer(struct fm_dsm *dsm, uint32_t status, uint32_t len);

/* One function; `arg` is FMI_DSM_ARG bytes. */
void fmi_dsm_root(struct fm_dsm *dsm, uint32_t function, const uint8_t *arg);
void fmi_dsm_dimm(struct fm_dsm *dsm, struct fmi_dsm_dimm *dimm, uint32_t function,
		  const uint8_t *arg);

#endif
