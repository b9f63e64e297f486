/* SPDX-License-Identifier: BSD-2-Clause */
/* reset: what the files of the reset policy share. */
#ifndef FIRMEM_DEVICES_RESET_PRIVATE_H
#define FIRMEM_DEVICES_RESET_PRIVATE_H

#include <firmem/reset.h>

#include "devices/registry.h"

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

/* The rules of one rank, by what they are about. Zeros: none. */
struct fmi_reset_rules {
	const char *what; /* they are called in messages */
	const struct fm_reset_rule *rules;
	struct fmi_registry blocks; /* of struct fmi_reset_subject */
	struct fmi_reset_subject *roles;
};

/*
 * Check them, also against the blocks that the machine has. FM_ERR_ARG, _NOT_FOUND, _EXISTS, _NOMEM. To be
 * dropped in any case. `rules` are borrowed.
 */
int fmi_reset_rules_take(struct fmi_reset_rules *x, const struct fm_machine *machine,
			 const char *what, const struct fm_reset_rule *rules, size_t count,
			 struct fm_error *err);
void fmi_reset_rules_drop(struct fmi_reset_rules *x);
/* The rule that decides, by the block's name before its role, or NULL. */
const struct fm_reset_rule *fmi_reset_rules_find(const struct fmi_reset_rules *x, const char *block,
						 enum fm_role role, enum fm_reset_kind kind,
						 bool overwrite);

/* Which devices of the machine have contents in which blocks. Zeros: none. */
struct fmi_reset_user {
	const struct fm_block *block;
	struct fm_dev *dev;
	size_t nth; /* of the machine's devices */
};

struct fmi_reset_users {
	struct fmi_reset_user *list;
	size_t count;
};

/* 0, or FM_ERR_NOMEM. To be dropped in any case. */
int fmi_reset_users_list(struct fmi_reset_users *u, const struct fm_machine *machine);
void fmi_reset_users_drop(struct fmi_reset_users *u);
/* The block's devices, in order: *at is 0 for the first, and ours then. NULL behind the last. */
struct fm_dev *fmi_reset_users_next(const struct fmi_reset_users *u, const struct fm_block *block,
				    size_t *at);
/* The first that can reload the block's contents, or NULL. */
struct fm_dev *fmi_reset_reloader(const struct fmi_reset_users *u, const struct fm_block *block);

/* Do the block's private pages live in a file of their own? private.c */
bool fmi_private_has_fd(const struct fm_block *block);
/* Give the private pages of a range back, in that file or in place. A negative errno. */
int fmi_private_release(struct fm_block *block, uint64_t off, uint64_t len);

#endif
