/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm: files that hold NVDIMMs, and their labels. */
#include "tools/firmem/nvdimm_verbs.h"

static const struct verb verbs[] = {
	{ "create", "make a file that holds one", nvdimm_create_run },
	{ "grow", "give it more memory", nvdimm_grow_run },
	{ "labels", "init, list, add, delete, rename, check", nvdimm_labels_run },
#ifdef HAVE_FDT
	{ "nfit", "the NFIT of a device tree's", nvdimm_nfit_run },
	{ "ssdt", "the SSDT of a device tree's", nvdimm_ssdt_run },
#endif
	{ NULL, NULL, NULL },
};

const struct command command_nvdimm = {
	.noun = "nvdimm",
	.summary = "Files that hold NVDIMMs, and their labels.",
	.verbs = verbs,
};
