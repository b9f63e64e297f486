/* SPDX-License-Identifier: BSD-2-Clause */
/* reset_policy: overrides, and what a snapshot holds, from a JSON file; docs/reset.md has its shape. */
#ifndef FIRMEM_TOOLS_RESET_POLICY_H
#define FIRMEM_TOOLS_RESET_POLICY_H

#include "tools/firmem/doc.h"

#include <firmem/reset.h>

/* The keys of its lists; messages of fm_reset_plan() about them begin so. */
#define RESET_POLICY_RULES "rules"
#define RESET_POLICY_SNAPSHOT "snapshot"

struct reset_policy {
	struct doc *doc; /* owns the names */
	struct fm_reset_rule *rules;
	size_t nrules;
	struct fm_reset_saved *saved; /* digests are ours */
	size_t nsaved;
	bool host_devices_reset;
};

/* False after a complaint that names the file and the place in it. */
bool reset_policy_read(struct reset_policy *p, const char *path);
/* Is the message of fm_reset_plan() about the file's lists? */
bool reset_policy_says(const char *message);
void reset_policy_free(struct reset_policy *p);

#endif
