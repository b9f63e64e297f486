/* SPDX-License-Identifier: BSD-2-Clause */
/* Overrides: which rules make sense, which contradict, and which one decides. */
#include "devices/reset_private.h"

#include <stdio.h>
#include <string.h>

#define ALL_KINDS ((1u << FM_RESET_COUNT) - 1)

static unsigned kinds_of(const struct fm_reset_rule *rule)
{
	return rule->kinds ? rule->kinds : ALL_KINDS;
}

/* "rules[3] (block \"ram\", zero)" */
static const char *tell(const char *what, size_t index, const struct fm_reset_rule *rule,
			char text[128])
{
	snprintf(text, 128, "%s[%zu] (%s \"%.63s\", %s)", what, index,
		 rule->block ? "block" : "role",
		 rule->block ? rule->block : fm_role_name(rule->role),
		 fm_reset_action_name(rule->action));
	return text;
}

static int check_fields(const char *what, size_t i, const struct fm_reset_rule *rule,
			struct fm_error *err)
{
	if (!rule->block == (rule->role == FM_ROLE_NONE))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s[%zu]: %s, expected either a block or a role", what, i,
				    rule->block ? "a block and a role" : "no block and no role");
	if ((unsigned)rule->role >= FM_ROLE_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s[%zu].role: %d, expected one of enum fm_role", what, i,
				    (int)rule->role);
	if ((unsigned)rule->action >= FM_RESET_ACTION_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s[%zu].action: %d, expected one of enum fm_reset_action",
				    what, i, (int)rule->action);
	if ((unsigned)rule->when > FM_RESET_WHEN_NO_OVERWRITE)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s[%zu].when: %d, expected one of enum fm_reset_when", what, i,
				    (int)rule->when);
	if (rule->kinds & ~ALL_KINDS)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s[%zu].kinds: 0x%x, expected bits of 0x%x", what, i,
				    rule->kinds, ALL_KINDS);
	return 0;
}

/* What the rule's action needs of a role or of the kinds, where it has none; else NULL. */
static const char *misfit(const struct fm_reset_rule *rule, enum fm_role role)
{
	switch (rule->action) {
	case FM_RESET_ACKNOWLEDGE:
		return "another action: a request is acknowledged by clearing memory";
	case FM_RESET_LOAD:
		return kinds_of(rule) == 1u << FM_RESET_SNAPSHOT ? NULL : "the kind snapshot alone";
	case FM_RESET_REBUILD:
		return role == FM_ROLE_PRIVATE ? NULL : "role private";
	case FM_RESET_UNPLUG:
		return role == FM_ROLE_VIRTIO_MEM || role == FM_ROLE_DIMM
			       ? NULL
			       : "role virtio-mem or dimm";
	case FM_RESET_KEEP:
	case FM_RESET_ZERO:
	case FM_RESET_RELOAD:
	case FM_RESET_FLUSH_KEEP:
	case FM_RESET_DISCARD:
	case FM_RESET_REFUSE:
	case FM_RESET_ACTION_COUNT:
		break;
	}
	return NULL;
}

static int check_rule(const struct fm_machine *machine, const char *what, size_t i,
		      const struct fm_reset_rule *rule, struct fm_error *err)
{
	enum fm_role role = rule->role;
	const char *expected;
	char text[128];
	int rc = check_fields(what, i, rule, err);

	if (rc)
		return rc;
	if (rule->block) {
		const struct fm_block *block = fm_machine_block(machine, rule->block);

		if (!block)
			return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
					    "%s[%zu].block: \"%.63s\", expected a block of %s",
					    what, i, rule->block, fm_machine_name(machine));
		role = fm_block_role(block);
	}
	expected = misfit(rule, role);
	if (expected)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s: expected %s",
				    tell(what, i, rule, text), expected);
	return 0;
}

static bool same_subject(const struct fm_reset_rule *a, const struct fm_reset_rule *b)
{
	if (a->block && b->block)
		return !strcmp(a->block, b->block);
	return !a->block && !b->block && a->role == b->role;
}

static bool contradict(const struct fm_reset_rule *a, const struct fm_reset_rule *b)
{
	bool meet =
		a->when == b->when || a->when == FM_RESET_WHEN_ANY || b->when == FM_RESET_WHEN_ANY;

	return meet && a->action != b->action && kinds_of(a) & kinds_of(b) && same_subject(a, b);
}

int fmi_reset_check_rules(const struct fm_machine *machine, const char *what,
			  const struct fm_reset_rule *rules, size_t count, struct fm_error *err)
{
	if (count && !rules)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s is NULL, expected %zu rules", what,
				    count);
	for (size_t i = 0; i < count; i++) {
		int rc = check_rule(machine, what, i, &rules[i], err);

		if (rc)
			return rc;
		for (size_t n = 0; n < i; n++) {
			char a[128], b[128];

			if (contradict(&rules[n], &rules[i]))
				return fm_error_set(err, FM_ERR_EXISTS, 0,
						    "%s contradicts %s, expected one action",
						    tell(what, i, &rules[i], a),
						    tell(what, n, &rules[n], b));
		}
	}
	return 0;
}

static bool applies(const struct fm_reset_rule *rule, enum fm_reset_kind kind, bool overwrite)
{
	if (!(kinds_of(rule) >> kind & 1))
		return false;
	return rule->when == FM_RESET_WHEN_ANY ||
	       (rule->when == FM_RESET_WHEN_OVERWRITE) == overwrite;
}

/* In one list: by the block's name, else by its role. */
static const struct fm_reset_rule *find(const struct fm_reset_rule *rules, size_t count,
					const char *block, enum fm_role role,
					enum fm_reset_kind kind, bool overwrite)
{
	const struct fm_reset_rule *by_role = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!applies(&rules[i], kind, overwrite))
			continue;
		if (rules[i].block && !strcmp(rules[i].block, block))
			return &rules[i];
		if (!rules[i].block && rules[i].role == role)
			by_role = &rules[i];
	}
	return by_role;
}

const struct fm_reset_rule *fmi_reset_find_rule(const struct fm_reset_request *r, const char *block,
						enum fm_role role, bool overwrite,
						const char **what)
{
	const struct fm_reset_rule *rule =
		find(r->rules, r->nrules, block, role, r->kind, overwrite);

	*what = "override";
	if (!rule) {
		rule = find(r->policy, r->npolicy, block, role, r->kind, overwrite);
		*what = "policy";
	}
	return rule;
}
