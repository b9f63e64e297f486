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

static bool bad(const struct place *at, const char *key, const char *value, const char *expected)
{
	if (value)
		complain("%s: %s[%zu].%s: \"%.60s\", expected %s", at->path, at->list, at->n, key,
			 value, expected);
	else
		complain("%s: %s[%zu].%s: expected %s", at->path, at->list, at->n, key, expected);
	return false;
}

/* Has the object no other keys? The last of `keys` is NULL. */
static bool only(const char *path, const char *what, const struct doc *object,
		 const char *const *keys)
{
	const char *key;

	if (!doc_is_object(object)) {
		complain("%s: %s: expected an object", path, what);
		return false;
	}
	for (size_t n = 0; (key = doc_key(object, n)); n++) {
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i]) {
			complain("%s: %s: \"%.60s\" is no key of it, expected %s ...", path, what,
				 key, keys[0]);
			return false;
		}
	}
	return true;
}

static bool entry_has_only(const struct place *at, const struct doc *entry, const char *const *keys)
{
	char what[64];

	snprintf(what, sizeof(what), "%s[%zu]", at->list, at->n);
	return only(at->path, what, entry, keys);
}

/* Text, or NULL where there is no such key; false for anything else. */
static bool take_text(const struct place *at, const struct doc *entry, const char *key,
		      const char **out)
{
	const struct doc *value = doc_get(entry, key);

	*out = doc_text(value);
	return !value || *out || bad(at, key, NULL, "text");
}

static bool take_kinds(const struct place *at, const struct doc *entry, unsigned *kinds)
{
	const struct doc *list = doc_get(entry, "kinds");
	const struct doc *item;

	if (!list)
		return true;
	if (!doc_is_array(list) || !doc_nth(list, 0))
		return bad(at, "kinds", NULL, "an array of kinds");
	for (size_t n = 0; (item = doc_nth(list, n)); n++) {
		enum fm_reset_kind kind = fm_reset_kind_from_name(doc_text(item));

		if (kind == FM_RESET_COUNT)
			return bad(at, "kinds", doc_text(item) ? doc_text(item) : "",
				   "power-on, system, s3, kexec, snapshot or confidential");
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
		return bad(at, "memory_overwrite", NULL, "true or false");
	*when = with ? FM_RESET_WHEN_OVERWRITE : FM_RESET_WHEN_NO_OVERWRITE;
	return true;
}

static bool read_rule(void *out, const struct place *at, const struct doc *entry)
{
	static const char *const keys[] = { "block", "role", "action", "kinds", "memory_overwrite",
					    NULL };
	struct fm_reset_rule *rule = out;
	const char *role, *action;

	if (!entry_has_only(at, entry, keys) || !take_text(at, entry, "block", &rule->block) ||
	    !take_text(at, entry, "role", &role) || !take_text(at, entry, "action", &action))
		return false;
	if (!rule->block == !role)
		return bad(at, "block", NULL, "either that or role");
	if (role) {
		rule->role = fm_role_from_name(role);
		if (rule->role == FM_ROLE_NONE)
			return bad(at, "role", role, "a role such as ram or nvdimm");
	}
	rule->action = fm_reset_action_from_name(action);
	if (rule->action == FM_RESET_ACTION_COUNT)
		return bad(at, "action", action ? action : "",
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
static bool take_digest(const struct place *at, const char *text, struct fm_reset_saved *saved)
{
	size_t len = strlen(text) / 2;
	uint8_t *bytes = out_need(malloc(len + 1));

	saved->digest = bytes;
	saved->digest_len = len;
	for (size_t i = 0; i < len; i++) {
		int high = nibble(text[2 * i]);
		int low = nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return bad(at, "digest", text, "hexadecimal digits in pairs, lower case");
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return (len && !text[2 * len]) ||
	       bad(at, "digest", text, "hexadecimal digits in pairs, lower case");
}

static bool read_saved(void *out, const struct place *at, const struct doc *entry)
{
	static const char *const keys[] = { "block", "carried", "digest", NULL };
	struct fm_reset_saved *saved = out;
	const struct doc *carried = doc_get(entry, "carried");
	const char *digest;

	if (!entry_has_only(at, entry, keys) || !take_text(at, entry, "block", &saved->block) ||
	    !take_text(at, entry, "digest", &digest))
		return false;
	if (!saved->block)
		return bad(at, "block", NULL, "the name of a block");
	if (carried && !doc_bool(carried, &saved->carried))
		return bad(at, "carried", NULL, "true or false");
	return !digest || take_digest(at, digest, saved);
}

/* An array of entries of `size` bytes; *out is malloc'd. */
static bool read_list(const struct reset_policy *p, const char *path, const char *list, size_t size,
		      bool (*read)(void *out, const struct place *at, const struct doc *entry),
		      void **out, size_t *count)
{
	const struct doc *entries = doc_get(p->doc, list);
	struct place at = { .path = path, .list = list };
	const struct doc *entry;

	if (!entries)
		return true;
	if (!doc_is_array(entries)) {
		complain("%s: %s: expected an array", path, list);
		return false;
	}
	for (; (entry = doc_nth(entries, at.n)); at.n++) {
		*out = out_need(reallocarray(*out, at.n + 1, size));
		memset((char *)*out + at.n * size, 0, size);
		*count = at.n + 1;
		if (!read((char *)*out + at.n * size, &at, entry))
			return false;
	}
	return true;
}

bool reset_policy_read(struct reset_policy *p, const char *path)
{
	static const char *const keys[] = { "rules", "snapshot", "host_devices_reset", NULL };
	const struct doc *vouches;
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
	vouches = doc_get(p->doc, "host_devices_reset");
	good = only(path, "policy", p->doc, keys);
	if (good && vouches && !doc_bool(vouches, &p->host_devices_reset)) {
		complain("%s: host_devices_reset: expected true or false", path);
		good = false;
	}
	good = good &&
	       read_list(p, path, "rules", sizeof(*p->rules), read_rule, &rules, &p->nrules);
	p->rules = rules;
	good = good &&
	       read_list(p, path, "snapshot", sizeof(*p->saved), read_saved, &saved, &p->nsaved);
	p->saved = saved;
	return good;
}

void reset_policy_free(struct reset_policy *p)
{
	for (size_t i = 0; i < p->nsaved; i++)
		free((void *)(uintptr_t)p->saved[i].digest);
	free(p->saved);
	free(p->rules);
	doc_free(p->doc);
}
