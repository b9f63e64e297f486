/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/reset_policy.h"

#include "tools/firmem/input.h"
#include "tools/firmem/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_MAX (1u << 20) /* bytes */

/* Where we are: "FILE: rules[2]". */
struct place {
	const char *path;
	const char *list;
	size_t n;
};

/* "FILE: rules[2].action: VALUE, expected ...", of the entry itself where `key` is "". */
static bool bad(const struct place *at, const char *key, const struct doc *value,
		const char *expected)
{
	char text[DOC_BRIEF];

	complain("%s: %s[%zu]%s%s: %s, expected %s", at->path, at->list, at->n, *key ? "." : "",
		 key, value ? doc_brief(value, text) : "is missing", expected);
	return false;
}

/* The first key of the object that is none of `keys`, or NULL. The last of those is NULL. */
static const char *stranger(const struct doc *object, const char *const *keys)
{
	const char *key;

	for (size_t n = 0; (key = doc_key(object, n)); n++) {
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i])
			return key;
	}
	return NULL;
}

static bool entry_has_only(const struct place *at, const struct doc *entry, const char *const *keys,
			   const char *expected)
{
	const char *key;

	if (!doc_is_object(entry))
		return bad(at, "", entry, "an object");
	key = stranger(entry, keys);
	if (key)
		complain("%s: %s[%zu].%.60s: is no key of it, expected %s", at->path, at->list,
			 at->n, key, expected);
	return !key;
}

/* Text, or NULL where there is no such key; false for anything else. */
static bool take_text(const struct place *at, const struct doc *entry, const char *key,
		      const char **out)
{
	const struct doc *value = doc_get(entry, key);

	*out = doc_text(value);
	return !value || *out || bad(at, key, value, "text");
}

static bool take_kinds(const struct place *at, const struct doc *entry, unsigned *kinds)
{
	const struct doc *list = doc_get(entry, "kinds");
	const struct doc *item;

	if (!list)
		return true;
	if (!doc_is_array(list) || !doc_nth(list, 0))
		return bad(at, "kinds", list, "an array of kinds");
	for (size_t n = 0; (item = doc_nth(list, n)); n++) {
		enum fm_reset_kind kind = fm_reset_kind_from_name(doc_text(item));

		if (kind == FM_RESET_COUNT) {
			char key[40];

			snprintf(key, sizeof(key), "kinds[%zu]", n);
			return bad(at, key, item,
				   "power-on, system, s3, kexec, snapshot or confidential");
		}
		*kinds |= 1u << kind;
	}
	return true;
}

static bool take_overwrite(const struct place *at, const struct doc *entry,
			   enum fm_reset_when *when)
{
	const struct doc *value = doc_get(entry, "memory_overwrite");
	bool with;

	if (!value)
		return true;
	if (!doc_bool(value, &with))
		return bad(at, "memory_overwrite", value, "true or false");
	*when = with ? FM_RESET_WHEN_OVERWRITE : FM_RESET_WHEN_NO_OVERWRITE;
	return true;
}

static bool read_rule(void *out, const struct place *at, const struct doc *entry)
{
	static const char *const keys[] = { "block", "role", "action", "kinds", "memory_overwrite",
					    NULL };
	struct fm_reset_rule *rule = out;
	const char *role, *action;

	if (!entry_has_only(at, entry, keys, "block, role, action, kinds or memory_overwrite") ||
	    !take_text(at, entry, "block", &rule->block) || !take_text(at, entry, "role", &role) ||
	    !take_text(at, entry, "action", &action))
		return false;
	if (!rule->block && !role)
		return bad(at, "block", NULL, "that or role");
	if (rule->block && role)
		return bad(at, "role", doc_get(entry, "role"), "it without block, or block alone");
	if (role) {
		rule->role = fm_role_from_name(role);
		if (rule->role == FM_ROLE_NONE)
			return bad(at, "role", doc_get(entry, "role"),
				   "a role such as ram or nvdimm");
	}
	rule->action = fm_reset_action_from_name(action);
	if (rule->action == FM_RESET_ACTION_COUNT)
		return bad(at, "action", doc_get(entry, "action"),
			   "keep, zero, reload, flush-keep, load, discard, unplug, rebuild or "
			   "refuse");
	return take_kinds(at, entry, &rule->kinds) && take_overwrite(at, entry, &rule->when);
}

static int nibble(char c)
{
	const char *const digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Hexadecimal, lower case; malloc'd. */
static bool take_digest(const struct place *at, const struct doc *value,
			struct fm_reset_saved *saved)
{
	const char *text = doc_text(value);
	size_t len = strlen(text) / 2;
	uint8_t *bytes = out_need(malloc(len + 1));

	saved->digest = bytes;
	saved->digest_len = len;
	for (size_t i = 0; i < len; i++) {
		int high = nibble(text[2 * i]);
		int low = nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return bad(at, "digest", value, "hexadecimal digits in pairs, lower case");
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return (len && !text[2 * len]) ||
	       bad(at, "digest", value, "hexadecimal digits in pairs, lower case");
}

static bool read_saved(void *out, const struct place *at, const struct doc *entry)
{
	static const char *const keys[] = { "block", "carried", "digest", NULL };
	struct fm_reset_saved *saved = out;
	const struct doc *carried = doc_get(entry, "carried");
	const char *digest;

	if (!entry_has_only(at, entry, keys, "block, carried or digest") ||
	    !take_text(at, entry, "block", &saved->block) ||
	    !take_text(at, entry, "digest", &digest))
		return false;
	if (!saved->block)
		return bad(at, "block", NULL, "the name of a block");
	if (carried && !doc_bool(carried, &saved->carried))
		return bad(at, "carried", carried, "true or false");
	return !digest || take_digest(at, doc_get(entry, "digest"), saved);
}

/* An array of entries of `size` bytes; *out is malloc'd. */
static bool read_list(const struct reset_policy *p, const char *path, const char *list, size_t size,
		      bool (*read)(void *out, const struct place *at, const struct doc *entry),
		      void **out, size_t *count)
{
	const struct doc *entries = doc_get(p->doc, list);
	struct place at = { .path = path, .list = list };
	const struct doc *entry;
	char text[DOC_BRIEF];

	if (!entries)
		return true;
	if (!doc_is_array(entries)) {
		complain("%s: %s: %s, expected an array", path, list, doc_brief(entries, text));
		return false;
	}
	*out = out_need(calloc(doc_count(entries) + 1, size));
	for (; (entry = doc_nth(entries, at.n)); at.n++) {
		*count = at.n + 1;
		if (!read((char *)*out + at.n * size, &at, entry))
			return false;
	}
	return true;
}

/* What is beside the lists. */
static bool read_top(struct reset_policy *p, const char *path)
{
	static const char *const keys[] = { "rules", "snapshot", "host_devices_reset", NULL };
	const struct doc *vouches = doc_get(p->doc, keys[2]);
	char text[DOC_BRIEF];
	const char *key;

	if (!doc_is_object(p->doc)) {
		complain("%s: %s, expected an object", path, doc_brief(p->doc, text));
		return false;
	}
	key = stranger(p->doc, keys);
	if (key) {
		complain("%s: %.60s: is no key of it, expected rules, snapshot or "
			 "host_devices_reset",
			 path, key);
		return false;
	}
	if (vouches && !doc_bool(vouches, &p->host_devices_reset)) {
		complain("%s: %s: %s, expected true or false", path, keys[2],
			 doc_brief(vouches, text));
		return false;
	}
	return true;
}

bool reset_policy_read(struct reset_policy *p, const char *path)
{
	void *rules = NULL;
	void *saved = NULL;
	char why[160];
	void *bytes;
	size_t len;
	bool good;

	if (!input_read(path, POLICY_MAX, &bytes, &len))
		return false;
	p->doc = doc_parse(bytes, len, why);
	free(bytes);
	if (!p->doc) {
		complain("%s: %s", path, why);
		return false;
	}
	good = read_top(p, path) && read_list(p, path, RESET_POLICY_RULES, sizeof(*p->rules),
					      read_rule, &rules, &p->nrules);
	p->rules = rules;
	good = good && read_list(p, path, RESET_POLICY_SNAPSHOT, sizeof(*p->saved), read_saved,
				 &saved, &p->nsaved);
	p->saved = saved;
	return good;
}

bool reset_policy_says(const char *message)
{
	static const char *const lists[] = { RESET_POLICY_RULES "[", RESET_POLICY_SNAPSHOT "[" };

	return !strncmp(message, lists[0], strlen(lists[0])) ||
	       !strncmp(message, lists[1], strlen(lists[1]));
}

void reset_policy_free(struct reset_policy *p)
{
	for (size_t i = 0; i < p->nsaved; i++)
		free((void *)(uintptr_t)p->saved[i].digest);
	free(p->saved);
	free(p->rules);
	doc_free(p->doc);
}
