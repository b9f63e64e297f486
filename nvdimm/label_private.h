/* SPDX-License-Identifier: BSD-2-Clause */
/* label_private: the layout of a label area, and what the label_*.c files share. */
#ifndef FIRMEM_NVDIMM_LABEL_PRIVATE_H
#define FIRMEM_NVDIMM_LABEL_PRIVATE_H

#include <firmem/label.h>

#define FMI_INDEX_SIG "NAMESPACE_INDEX"
#define FMI_INDEX_ALIGN 256u
#define FMI_SLOT_MAX 256u

/* Offsets in an index block. */
enum {
	FMI_INDEX_LABELSIZE = 19,
	FMI_INDEX_SEQ = 20,
	FMI_INDEX_MYOFF = 24,
	FMI_INDEX_MYSIZE = 32,
	FMI_INDEX_OTHEROFF = 40,
	FMI_INDEX_LABELOFF = 48,
	FMI_INDEX_NSLOT = 56,
	FMI_INDEX_MAJOR = 60,
	FMI_INDEX_MINOR = 62,
	FMI_INDEX_CHECKSUM = 64,
	FMI_INDEX_FREE = 72, /* a bit for each slot, least significant first; 1 = free */
};

/* Where things are in an area. */
struct fmi_label_shape {
	uint64_t area_len;
	uint32_t slot_len;
	uint64_t index_len;
	uint32_t nslot; /* that fit */
};

struct fm_label_area {
	struct fm_label_info info;
	struct fm_label *labels;
	size_t nlabels;
	struct fm_label_finding *findings;
	size_t nfindings, findings_room;
	uint64_t pmem_len;
};

/* --- label_index.c ------------------------------------------------------------------------------- */

/* The sum of 32-bit words; `zeroed` is the offset of 8 bytes that count as 0. */
uint64_t fmi_fletcher64(const uint8_t *p, size_t len, size_t zeroed);
/* False where not even two labels fit. */
bool fmi_label_shape(uint64_t area_len, uint32_t slot_len, struct fmi_label_shape *out);
/* Is index block `which` valid? If not, why (160 bytes). */
bool fmi_index_valid(const uint8_t *area, const struct fmi_label_shape *shape, unsigned which,
		     char why[160]);
/* 0 or 1, of two valid ones. */
unsigned fmi_index_best(uint32_t seq0, uint32_t seq1);
uint32_t fmi_index_next_seq(uint32_t seq);
bool fmi_index_is_free(const uint8_t *index, uint32_t slot);
void fmi_index_set_free(uint8_t *index, uint32_t slot, bool is_free);
/* Set the fields that say where the block is, its sequence number and its checksum. */
void fmi_index_seal(uint8_t *index, const struct fmi_label_shape *shape, unsigned which,
		    uint32_t seq);
/* A block without labels, not sealed. */
void fmi_index_blank(uint8_t *index, const struct fmi_label_shape *shape, unsigned version);
/* Which block counts; -1: none is valid. *shape is that of the blocks, or of 256-byte slots. */
int fmi_index_find(const uint8_t *area, size_t len, struct fmi_label_shape *shape, bool ok[2]);

/* --- label_check.c ------------------------------------------------------------------------------- */

/* Fill the findings in. FM_ERR_NOMEM. */
int fmi_label_check(struct fm_label_area *area, const uint8_t *bytes, struct fm_error *err);
/* UTF-8 that ends within the name's field? */
bool fmi_label_name_ok(const char *name, size_t max);

#endif
