/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tdx: what the launch of an Intel TDX guest is measured as: MRTD (Intel TDX Module ABI specification,
 * TDH.MEM.PAGE.ADD and TDH.MR.EXTEND), and the firmware's first entries in RTMR 0. From
 * libfirmem-measure. RTMRs are replayed from a log by eventlog.h.
 */
#ifndef FIRMEM_TDX_H
#define FIRMEM_TDX_H

#include <firmem/tdvf.h>
#include <firmem/transcript.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_TDX_LEN 48u

/* In which order a VMM adds and measures pages. */
enum fm_tdx_order {
	FM_TDX_INTERLEAVE = 0, /* page by page: upstream Linux and QEMU, cloud-hypervisor, Google */
	FM_TDX_TWO_PASS,       /* a section's pages first, then their contents: qemu-tdx 8.2 */
};

struct fm_tdx_config {
	size_t struct_size;
	const void *firmware; /* the whole image, variables included */
	size_t firmware_len;
	const char *firmware_name; /* for messages; NULL: "firmware" */
	unsigned ovmf_flags;       /* enum fm_ovmf_flags */
	enum fm_tdx_order order;
	struct fm_transcript *transcript; /* NULL: nobody asks */
};

/*
 * MRTD, FM_TDX_LEN bytes at `out`. FM_ERR_ARG, errors of fm_tdvf_parse(), FM_ERR_UNSUPPORTED, FM_ERR_NOMEM.
 * Any thread. On failure the transcript may hold steps.
 */
FM_API int fm_tdx_mrtd(void *out, const struct fm_tdx_config *config, struct fm_error *err);

/*
 * The digest of the TD HOB that a VMM makes for `memory` bytes of RAM, FM_TDX_LEN bytes at `out`: the
 * first event of RTMR 0. RAM from 0; of 0xb0000000 bytes or more, 2 GiB there and the rest at 4 GiB.
 * FM_ERR_ARG (`memory` is not whole pages, or what the firmware uses lies outside), FM_ERR_UNSUPPORTED,
 * FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_tdx_hob(void *out, const struct fm_tdvf *tdvf, uint64_t memory, struct fm_error *err);

/*
 * The digest of the configuration volume, the second event: of the image's bytes that the CFV section of
 * `tdvf` names. FM_ERR_NOT_FOUND (there is none), FM_ERR_RANGE, FM_ERR_UNSUPPORTED, FM_ERR_NOMEM.
 */
FM_API int fm_tdx_cfv(void *out, const struct fm_tdvf *tdvf, const void *firmware, size_t len,
		      struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
