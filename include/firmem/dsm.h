/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsm: what firmware does for a guest's NVDIMMs: the functions of _DSM (NVDIMM root device, ACPI 6.5, 9.20;
 * Intel's DIMM family, DSM Interface 3.0), of _LSI, _LSR and _LSW, and of _FIT; as a C call on a page that
 * the guest's AML has filled, and that AML. From libfirmem-nvdimm.
 */
#ifndef FIRMEM_DSM_H
#define FIRMEM_DSM_H

#include <firmem/base.h>
#include <firmem/device.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_DSM_PAGE 4096u
#define FM_DSM_DIMMS 32u

struct fm_dsm;

/* A DIMM, and which part of which range of system physical addresses it gives. */
struct fm_dsm_dimm {
	struct fm_dev *dev; /* an NVDIMM; borrowed */
	uint32_t handle;    /* of the NFIT; not 0 */
	uint64_t base;      /* first address of the range */
	/* Of an interleave set: DIMMs (0 = 1), which one this is, bytes of a line (a power of
	 * two that divides the DIMM's memory). */
	unsigned ways, position;
	uint64_t line;
	bool dirty; /* the last shutdown lost data: told by SMART */
};

struct fm_dsm_config {
	size_t struct_size;              /* sizeof(struct fm_dsm_config) */
	const struct fm_dsm_dimm *dimms; /* copied */
	size_t count;                    /* 1 to FM_DSM_DIMMS */
	const void *fit; /* what _FIT returns (fm_nfit_finish(), structures); copied; NULL: none */
	size_t fit_len;
};

/* FM_ERR_ARG (a field, a device that is no NVDIMM, a handle twice), FM_ERR_NOMEM. */
FM_API int fm_dsm_new(struct fm_dsm **out, const struct fm_dsm_config *cfg, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_dsm_free(struct fm_dsm *dsm);

/* What _FIT returns from now on; the guest reads it anew. FM_ERR_NOMEM. As fm_dsm_call(). */
FM_API int fm_dsm_set_fit(struct fm_dsm *dsm, const void *fit, size_t len, struct fm_error *err);

/*
 * Do what the page asks. The guest has put there u32 handle (0: the root device, 0x10000: _FIT), u32
 * revision, u32 function, and the argument; it finds u32 length, itself included, and the output, as with
 * QEMU. Whatever is there: the status that the specification names, and nothing outside of the DIMMs'
 * label areas and media errors is touched. Returns effects: FM_EFF_REMAP where media errors changed.
 *
 * The page is the host's copy, or the guest's own if no vCPU can write to it meanwhile. With all DIMMs
 * locked, one thread at a time; label writes block.
 */
FM_API unsigned fm_dsm_call(struct fm_dsm *dsm, uint8_t page[FM_DSM_PAGE]);

/* --- the AML ------------------------------------------------------------------------------------- */

struct fm_dsm_ssdt_config {
	size_t struct_size;      /* sizeof(struct fm_dsm_ssdt_config) */
	const uint32_t *handles; /* of the DIMMs */
	size_t count;            /* 1 to FM_DSM_DIMMS */
	uint64_t mailbox; /* guest-physical address of the page, a multiple of 4096, below 2^32 */
	/*
	 * An I/O port where the guest writes 32 bits, the page's address, when it is filled: the answer is
	 * there when that write is done. 0: it writes 1 to the first 32 bits behind the page instead, and
	 * waits until they are 0 again.
	 */
	uint16_t port;
	bool fit; /* with _FIT: Linux prefers it to the table */
};

/* The SSDT of the root device and the DIMMs; malloc'd, the caller's to free(). FM_ERR_ARG, FM_ERR_NOMEM. */
FM_API int fm_dsm_ssdt(void **out, size_t *len, const struct fm_dsm_ssdt_config *cfg,
		       struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
