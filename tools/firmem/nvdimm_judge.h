/* SPDX-License-Identifier: BSD-2-Clause */
/* nvdimm_judge: what the labels in the images of several DIMMs make together: namespaces, and what is wrong with them. */
#ifndef FIRMEM_TOOLS_NVDIMM_JUDGE_H
#define FIRMEM_TOOLS_NVDIMM_JUDGE_H

#include "tools/firmem/args.h"

#include <firmem/label.h>

enum nvdimm_verdict {
	NVDIMM_WHOLE,        /* all positions are there, and fit one another */
	NVDIMM_ELSEWHERE,    /* one image was given; the other positions are other DIMMs' */
	NVDIMM_INCOMPLETE,   /* several were, and positions are in none of them */
	NVDIMM_INCONSISTENT, /* labels that cannot be of one namespace */
	NVDIMM_LOCAL, /* of the kind that was on one DIMM alone, which Linux dropped: not judged */
};

struct nvdimm_namespace {
	const struct fm_label *first; /* of the lowest position: its name is the namespace's */
	size_t found;                 /* positions that are there */
	uint64_t size;                /* bytes, of these */
	char missing[160];            /* "0, 2-3", "" or the first of them and "..." */
	enum nvdimm_verdict verdict;
};

#define NVDIMM_NO_IMAGE SIZE_MAX

/* As those of the library, which look at one area. */
struct nvdimm_set_finding {
	const char *word;
	size_t image; /* or NVDIMM_NO_IMAGE: of none, then `off` is nothing */
	uint64_t off; /* in its label area */
	char *text;
};

struct nvdimm_judgement {
	struct nvdimm_namespace *namespaces; /* by UUID */
	size_t count;
	struct nvdimm_set_finding *findings;
	size_t nfindings;
};

/* Of the valid labels of so many areas. */
void nvdimm_judge(struct nvdimm_judgement *out, struct fm_label_area *const *areas,
		  const char *const *paths, size_t count);
void nvdimm_judgement_free(struct nvdimm_judgement *judgement);

/* "whole"; never NULL. */
const char *nvdimm_verdict_name(enum nvdimm_verdict verdict);

#endif
