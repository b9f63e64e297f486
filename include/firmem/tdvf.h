/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tdvf: the descriptor by which firmware tells how a TDX guest is built from it (Intel TDX Virtual
 * Firmware Design Guide, section 11). From libfirmem-measure. Strict, as ovmf.h is.
 */
#ifndef FIRMEM_TDVF_H
#define FIRMEM_TDVF_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fm_tdvf_type {
	FM_TDVF_BFV = 0,          /* boot firmware volume: code */
	FM_TDVF_CFV = 1,          /* configuration: the variable store */
	FM_TDVF_TD_HOB = 2,       /* where the VMM tells about memory */
	FM_TDVF_TEMP_MEM = 3,     /* stack and heap of the start */
	FM_TDVF_PERM_MEM = 4,     /* cloud-hypervisor and td-shim: memory of the guest */
	FM_TDVF_PAYLOAD = 5,      /* the same: what is booted */
	FM_TDVF_PAYLOAD_PARAM = 6 /* the same: its parameters */
};

#define FM_TDVF_EXTEND 1u /* attribute: the contents are measured */
#define FM_TDVF_AUG 2u    /* attribute: pages are added when the guest runs, and not measured */

struct fm_tdvf_section {
	uint32_t data_off; /* of its bytes in the image */
	uint32_t data_len; /* may be less than len for payloads: the rest is zero */
	uint64_t gpa;      /* a multiple of 4096 */
	uint64_t len;      /* bytes in the guest, a multiple of 4096, not 0 */
	enum fm_tdvf_type type;
	uint32_t attrs;
	size_t off; /* where in the image it is described */
};

/*
 * More than any image has, the most pages that a launch adds (1 GiB), and the most whose contents are measured
 * beside as many as the image has (64 MiB): our choice.
 */
#define FM_TDVF_SECTIONS_MAX 64u
#define FM_TDVF_PAGES_MAX (UINT64_C(1) << 18)
#define FM_TDVF_EXTRA_MAX (UINT64_C(1) << 14)

struct fm_tdvf {
	size_t off; /* of the descriptor in the image */
	uint32_t section_count;
	uint32_t hob; /* index of the one TD_HOB section */
	struct fm_tdvf_section sections[FM_TDVF_SECTIONS_MAX];
};

/*
 * Find and read the descriptor of the image of `len` bytes: by OVMF's table (ovmf.h; `flags` are its), or in
 * an image without that by the offset at 32 bytes before the end, as cloud-hypervisor does. `name`
 * begins the messages (NULL: "firmware"). Keeps no pointer. Any thread; does not allocate.
 *
 * FM_ERR_SIZE, FM_ERR_FORMAT (no descriptor, or a field breaks a rule), FM_ERR_VERSION, FM_ERR_RANGE (data
 * outside the image), FM_ERR_EXISTS (a second TD_HOB), FM_ERR_OVERLAP; those of fm_ovmf_parse().
 */
FM_API int fm_tdvf_parse(struct fm_tdvf *out, const char *name, const void *bytes, size_t len,
			 unsigned flags, struct fm_error *err);

/* "bfv", "cfv", "td-hob", "temp-mem", "perm-mem", "payload", "payload-param"; "unknown". Any thread. */
FM_API const char *fm_tdvf_type_name(enum fm_tdvf_type type);

#ifdef __cplusplus
}
#endif

#endif
