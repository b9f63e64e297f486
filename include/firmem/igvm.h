/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * igvm: what the launch of a guest from an IGVM file (Independent Guest Virtual Machine; microsoft/igvm,
 * igvm_defs) is measured as. From libfirmem-measure. Strict, as ovmf.h is.
 */
#ifndef FIRMEM_IGVM_H
#define FIRMEM_IGVM_H

#include <firmem/base.h>
#include <firmem/transcript.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_IGVM_LEN 48u

enum fm_igvm_platform {
	FM_IGVM_SNP = 2, /* SEV-SNP: a launch digest */
	FM_IGVM_TDX = 3, /* TDX: MRTD */
};

/* What loaders do in their own ways. 0 is what the igvm library computes. */
enum fm_igvm_loader {
	FM_IGVM_NATIVE_ZERO = 1 << 0,    /* SNP: pages without data are ZERO, not NORMAL of zeros */
	FM_IGVM_MEASURE_SHARED = 1 << 1, /* shared pages are measured as others, not left out */
	FM_IGVM_INSERT_ONE = 1 << 2,     /* of a parameter area only the first page is added */
};

/*
 * The most pages that a file adds (1 GiB), the most whose contents are measured beside as many as the file has room
 * for (64 MiB), and the most parameter areas: our choice. A file of a few bytes may ask for hours otherwise.
 */
#define FM_IGVM_PAGES_MAX (UINT64_C(1) << 18)
#define FM_IGVM_EXTRA_MAX (UINT64_C(1) << 14)
#define FM_IGVM_AREAS_MAX 256u

struct fm_igvm_config {
	size_t struct_size;
	const void *bytes; /* the file */
	size_t len;
	const char *name; /* for messages; NULL: "igvm" */
	enum fm_igvm_platform platform;
	unsigned loader;                  /* enum fm_igvm_loader */
	struct fm_transcript *transcript; /* NULL: nobody asks */
};

struct fm_igvm_report {
	uint8_t digest[FM_IGVM_LEN];
	bool has_policy; /* the file has a guest policy for the platform */
	uint64_t policy;
	bool has_id_block; /* SNP: the file says which digest it expects */
	uint8_t id_block_digest[FM_IGVM_LEN];
};

/*
 * Check the file and compute the digest of its launch. FM_ERR_ARG, FM_ERR_SIZE (its size is not the header's,
 * or too many pages or areas), FM_ERR_CHECKSUM, FM_ERR_VERSION, FM_ERR_FORMAT (a header of the wrong size, order
 * or type, or of no platform that the file has; reserved bits or padding that are set; no such platform in it),
 * FM_ERR_RANGE (data outside the file), FM_ERR_EXISTS (a parameter area or an ID block twice), FM_ERR_UNSUPPORTED, FM_ERR_NOMEM. Any
 * thread. On failure the transcript may hold steps.
 */
FM_API int fm_igvm_measure(struct fm_igvm_report *out, const struct fm_igvm_config *config,
			   struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
