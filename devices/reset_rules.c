/* SPDX-License-Identifier: BSD-2-Clause */
/* Overrides: which rules make sense, which contradict, and which one decides. */
#include "devices/reset_private.h"

#include <stdint.h>
#include <stdlib.h>

#define ALL_KINDS ((1u << FM_RESET_COUNT) - 1)

static unsigned kinds_of(const struct fm_reset_rule *rule)
{
	return rule->kinds ? rule->kinds : ALL_KINDS;
}

static const char *subject_of(const struct fm_reset_rule *rule)
{
	return rule->block ? rule->block : fm_role_name(rule->role);
}

static const char *noun_of(const struct fm_reset_rule *rule)
{
	return rule->block ? "block" : "role";
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
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s[%zu].action: \"%s\" for %s \"%.63s\", expected %s", what, i,
				    fm_reset_action_name(rule->action), noun_of(rule),
				    subject_of(rule), expected);
	return 0;
}

/* --- an index of them ---------------------------------------------------------------------- */

/* A block or a role, and for each reset the first rule that is about it: an index, or NO_RULE. */
struct fmi_reset_subject {
	size_t rule[FM_RESET_COUNT][2];
};

#define NO_RULE SIZE_MAX

static void say_nothing(struct fmi_reset_subject *s)
{
	for (unsigned kind = 0; kind < FM_RESET_COUNT; kind++)
		s->rule[kind][0] = s->rule[kind][1] = NO_RULE;
}

static bool applies(const struct fm_reset_rule *rule, unsigned kind, bool overwrite)
{
	if (!(kinds_of(rule) >> kind & 1))
		return false;
	return rule->when == FM_RESET_WHEN_ANY ||
	       (rule->when == FM_RESET_WHEN_OVERWRITE) == overwrite;
}

/* NULL: out of memory. */
static struct fmi_reset_subject *subject(struct fmi_reset_rules *x,
					 const struct fm_reset_rule *rule)
{
	struct fmi_reset_subject *s;

	if (!rule->block)
		return &x->roles[rule->role];
	s = fmi_registry_named(&x->blocks, rule->block);
	if (s)
		return s;
	s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	say_nothing(s);
	if (!fmi_registry_add(&x->blocks, s, rule->block))
		return s;
	free(s);
	return NULL;
}

/* Rules of one rank that are about the same reset of the same memory say the same. */
static int take_rule(struct fmi_reset_rules *x, size_t i, struct fm_error *err)
{
	const struct fm_reset_rule *rule = &x->rules[i];
	struct fmi_reset_subject *s = subject(x, rule);
	size_t other = NO_RULE;

	if (!s)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", x->what);
	for (unsigned n = 0; n < 2 * FM_RESET_COUNT; n++) {
		size_t *at = &s->rule[n / 2][n % 2];

		if (!applies(rule, n / 2, n % 2))
			continue;
		if (*at == NO_RULE)
			*at = i;
		else if (x->rules[*at].action != rule->action && *at < other)
			other = *at;
	}
	if (other == NO_RULE)
		return 0;
	return fm_error_set(
		err, FM_ERR_EXISTS, 0,
		"%s[%zu].action: \"%s\" for %s \"%.63s\" contradicts \"%s\" of %s[%zu], "
		"expected one action",
		x->what, i, fm_reset_action_name(rule->action), noun_of(rule), subject_of(rule),
		fm_reset_action_name(x->rules[other].action), x->what, other);
}

int fmi_reset_rules_take(struct fmi_reset_rules *x, const struct fm_machine *machine,
			 const char *what, const struct fm_reset_rule *rules, size_t count,
			 struct fm_error *err)
{
	int rc = 0;

	*x = (struct fmi_reset_rules){ .what = what, .rules = rules };
	if (!count)
		return 0;
	if (!rules)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s is NULL, expected %zu rules", what,
				    count);
	x->roles = malloc(FM_ROLE_COUNT * sizeof(*x->roles));
	if (!x->roles)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", what);
	for (unsigned role = 0; role < FM_ROLE_COUNT; role++)
		say_nothing(&x->roles[role]);
	for (size_t i = 0; !rc && i < count; i++) {
		rc = check_rule(machine, what, i, &rules[i], err);
		if (!rc)
			rc = take_rule(x, i, err);
	}
	return rc;
}

void fmi_reset_rules_drop(struct fmi_reset_rules *x)
{
	fmi_registry_clear(&x->blocks, free);
	free(x->roles);
}

const struct fm_reset_rule *fmi_reset_rules_find(const struct fmi_reset_rules *x, const char *block,
						 enum fm_role role, enum fm_reset_kind kind,
						 bool overwrite)
{
	const struct fmi_reset_subject *s = fmi_registry_named(&x->blocks, block);
	size_t at = s ? s->rule[kind][overwrite] : NO_RULE;

	if (at == NO_RULE && x->roles)
		at = x->roles[role].rule[kind][overwrite];
	return at == NO_RULE ? NULL : &x->rules[at];
}
