/* SPDX-License-Identifier: BSD-2-Clause */
/* reset: what the files of the reset policy share. */
#ifndef FIRMEM_DEVICES_RESET_PRIVATE_H
#define FIRMEM_DEVICES_RESET_PRIVATE_H

#include <firmem/reset.h>

/* A cell of the matrix. */
struct fmi_reset_cell {
	enum fm_reset_action action;
	unsigned due; /* enum fm_reset_due */
	const char *reason;
};

/* Never NULL for values inside of the enums. */
const struct fmi_reset_cell *fmi_reset_cell(enum fm_role role, enum fm_reset_kind kind,
					    bool overwrite);
/* What a kind does with a request to overwrite memory: clear or pending, and why. */
enum fm_reset_overwrite fmi_reset_disposition(enum fm_reset_kind kind, const char **reason);

/* Does the action end what the memory held? */
static inline bool fmi_reset_destroys(enum fm_reset_action action)
{
	return action == FM_RESET_ZERO || action == FM_RESET_DISCARD || action == FM_RESET_UNPLUG ||
	       action == FM_RESET_REBUILD;
}

/* Are the rules sound, for the blocks that the machine has? FM_ERR_ARG, _NOT_FOUND, _EXISTS. */
int fmi_reset_check_rules(const struct fm_machine *machine, const char *what,
			  const struct fm_reset_rule *rules, size_t count, struct fm_error *err);
/* The rule that decides, or NULL; *what is "override" or "policy". */
const struct fm_reset_rule *fmi_reset_find_rule(const struct fm_reset_request *r, const char *block,
						enum fm_role role, bool overwrite,
						const char **what);

/* The device of the machine that can reload the block's contents, or NULL. */
struct fm_dev *fmi_reset_reloader(const struct fm_machine *machine, const struct fm_block *block);

/* Do the block's private pages live in a file of their own? private.c */
bool fmi_private_has_fd(const struct fm_block *block);
/* Give the private pages of a range back, in that file or in place. A negative errno. */
int fmi_private_release(struct fm_block *block, uint64_t off, uint64_t len);

#endif
