/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvdimm_set: the images of the DIMMs of one interleave set, in the order of their region offsets, whose
 * labels are changed together; and what an NFIT says of such a set.
 */
#ifndef FIRMEM_TOOLS_NVDIMM_SET_H
#define FIRMEM_TOOLS_NVDIMM_SET_H

#include "tools/firmem/nvdimm_verbs.h"

#define NVDIMM_SET_MAX ARGS_WORDS_MAX

/* --- images -------------------------------------------------------------------------------------- */

struct nvdimm_set {
	size_t count;
	const char *const *paths;
	struct nvdimm_edit edits[NVDIMM_SET_MAX];
	struct fm_label_area *areas[NVDIMM_SET_MAX]; /* as they were when they were opened */
};

/* Lock, map and parse each. False after a complaint, also about a file that is named twice. */
bool nvdimm_set_open(struct nvdimm_set *set, const struct args_words *images, uint64_t label_size);
void nvdimm_set_close(struct nvdimm_set *set);
/* Each has labels, of one version, and as much memory as the first. False after a complaint. */
bool nvdimm_set_check(const struct nvdimm_set *set);

/* A change of `count` areas, which are those of the set's images from the one numbered `first`. */
struct nvdimm_change {
	int (*apply)(const struct nvdimm_change *change, size_t first,
		     const struct fm_label_medium *areas, size_t count, struct fm_error *err);
	uint8_t uuid[16];
	const char *name;
	const struct fm_label *labels; /* of each image */
};

/*
 * Try the change on a copy of each area, so that what is wrong with one is told by its file's name and
 * before anything is written, then make it. STATUS_NO: none of them has the namespace.
 */
enum status nvdimm_set_apply(struct nvdimm_set *set, const struct nvdimm_change *change);

/* --- what a range is made of --------------------------------------------------------------------- */

struct nvdimm_range {
	struct fm_label_mapping dimms[NVDIMM_SET_MAX];
	size_t count;
	uint64_t dpa;  /* where the range begins, in each DIMM */
	uint64_t size; /* on each DIMM */
};

/*
 * The range of an NFIT that has so many DIMMs, at most NVDIMM_SET_MAX; `index` 0: there is one such range
 * only. False after a complaint.
 */
bool nvdimm_range_read(const char *path, size_t count, uint64_t index, struct nvdimm_range *out);

#endif
