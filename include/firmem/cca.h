/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cca: what an Arm CCA realm is measured as (Realm Management Monitor specification, DEN0137 1.0, A7): the
 * RIM, operation by operation or by the layout of a VMM, and REMs. From libfirmem-measure.
 */
#ifndef FIRMEM_CCA_H
#define FIRMEM_CCA_H

#include <firmem/digest.h>
#include <firmem/transcript.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a measurement as the RMM keeps it: a shorter digest has zeros behind it. */
#define FM_CCA_LEN 64u

/* The parameters of a realm that are measured (RmiRealmParams). */
struct fm_cca_realm {
	size_t struct_size;
	enum fm_digest_alg hash; /* 0: SHA-256; or SHA-512 */
	unsigned s2sz;           /* bits of an IPA, 32 to 52; 0: 48. Above 48 with lpa2 */
	bool lpa2;
	unsigned sve_vl; /* bits of an SVE vector, a multiple of 128 up to 2048; 0: no SVE */
	bool pmu;
	unsigned pmu_ctrs; /* its counters, up to 31 */
	unsigned bps;      /* breakpoints, 2 to 64; 0: 6 */
	unsigned wps;      /* watchpoints, 2 to 64; 0: 4 */
};

/* A RIM under way. One thread at a time. */
struct fm_cca;

/*
 * RMI_REALM_CREATE. On success *out is the caller's, to fm_cca_free(). Steps go to `transcript` (NULL: nobody
 * asks), which must live as long. FM_ERR_ARG, FM_ERR_UNSUPPORTED, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_cca_new(struct fm_cca **out, const struct fm_cca_realm *realm,
		      struct fm_transcript *transcript, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_cca_free(struct fm_cca *cca);

/*
 * RMI_RTT_INIT_RIPAS of [base, top): once for each entry of the translation table, of the largest blocks
 * that fit. FM_ERR_ARG (not whole granules of 4096, empty, or outside the realm's half of the
 * addresses), FM_ERR_UNSUPPORTED, FM_ERR_NOMEM.
 */
FM_API int fm_cca_ripas(struct fm_cca *cca, uint64_t base, uint64_t top, struct fm_error *err);
/*
 * RMI_DATA_CREATE of `len` bytes at `ipa`, granule by granule; what is missing of the first and last one is
 * zero. `part` names it in the transcript. Errors as of fm_cca_ripas(). The bytes must stay as they are
 * until fm_cca_free().
 */
FM_API int fm_cca_data(struct fm_cca *cca, uint64_t ipa, const void *bytes, size_t len,
		       const char *part, struct fm_error *err);
/* The same of granules whose contents are not measured. */
FM_API int fm_cca_unmeasured(struct fm_cca *cca, uint64_t ipa, uint64_t len, const char *part,
			     struct fm_error *err);
/* RMI_REC_CREATE of a vCPU that runs at `pc` with x0 to x7; others are not measured. */
FM_API int fm_cca_rec(struct fm_cca *cca, uint64_t pc, const uint64_t gprs[8],
		      struct fm_error *err);
/* The RIM so far, FM_CCA_LEN bytes at `out`. */
FM_API void fm_cca_rim(const struct fm_cca *cca, void *out);

/* Whose layout: where images lie and what is measured. */
enum fm_cca_vmm {
	FM_CCA_QEMU = 0,         /* virt; RAM at 1 GiB */
	FM_CCA_KVMTOOL,          /* RAM at 2 GiB */
	FM_CCA_CLOUD_HYPERVISOR, /* RAM at 1 GiB; a kernel, no firmware */
	FM_CCA_VMM_COUNT
};

/* "qemu", "kvmtool", "cloud-hypervisor"; "unknown". Any thread. */
FM_API const char *fm_cca_vmm_name(enum fm_cca_vmm vmm);

/* Bytes of an image; NULL: none. */
struct fm_cca_image {
	const void *bytes;
	size_t len;
};

struct fm_cca_launch {
	size_t struct_size;
	enum fm_cca_vmm vmm;
	/* As fm_cca_realm, but 0 is the VMM's default: QEMU and cloud-hypervisor SHA-512, 41 and 48 bits. */
	struct fm_cca_realm realm;
	uint64_t memory; /* bytes, whole granules; must be given */
	struct fm_cca_image firmware;
	struct fm_cca_image kernel; /* an arm64 Image, not compressed */
	struct fm_cca_image initrd; /* with a kernel */
	struct fm_cca_image dtb;    /* the device tree as the VMM makes it; must be given */
	bool log;                   /* a measurement log of 64 KiB is loaded, and not measured */
	struct fm_transcript *transcript;
	/*
	 * What the first vCPU has in x0; NULL: the device tree's address, with which the shared digests are. Newer
	 * versions of cca-realm-measurements have 0 where QEMU starts firmware.
	 */
	const uint64_t *x0;
};

/*
 * The RIM of a launch: create, RIPAS of the RAM (not by cloud-hypervisor), images in ascending order, the
 * first vCPU, the log. FM_CCA_LEN bytes at `out`. FM_ERR_ARG (a field is missing, out of its domain,
 * or not for this VMM), FM_ERR_FORMAT (no arm64 Image), FM_ERR_OVERLAP, FM_ERR_RANGE (an image leaves the
 * RAM), FM_ERR_UNSUPPORTED, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_cca_measure(void *out, const struct fm_cca_launch *launch, struct fm_error *err);
/* The algorithm that a launch's RIM has: the VMM's default where none is given. Any thread. */
FM_API enum fm_digest_alg fm_cca_hash(const struct fm_cca_launch *launch);

/*
 * RSI_MEASUREMENT_EXTEND: rem = H(rem | value), FM_CCA_LEN bytes at `rem`, of which the digest's count.
 * FM_ERR_ARG (another algorithm than SHA-256 and SHA-512; `len` is not 1 to 64), FM_ERR_UNSUPPORTED,
 * FM_ERR_NOMEM. On failure `rem` is as it was. Any thread.
 */
FM_API int fm_cca_extend(enum fm_digest_alg hash, void *rem, const void *value, size_t len,
			 struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
