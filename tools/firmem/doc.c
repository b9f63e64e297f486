/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/doc.h"

#include "tools/firmem/out.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* struct doc is jansson's value under another name. */
static json_t *of(const struct doc *value)
{
	return (json_t *)(uintptr_t)value;
}

static struct doc *made(json_t *value)
{
	return out_need(value);
}

struct doc *doc_make_object(void)
{
	return made(json_object());
}

struct doc *doc_make_array(void)
{
	return made(json_array());
}

struct doc *doc_make_text(const char *text)
{
	json_t *value = json_string(text);
	char *ascii;

	if (value)
		return made(value);
	ascii = out_need(strdup(text));
	for (char *p = ascii; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(ascii);
	free(ascii);
	return made(value);
}

struct doc *doc_make_number(uint64_t number)
{
	return made(json_integer((json_int_t)number));
}

struct doc *doc_make_hex(uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
	return doc_make_text(text);
}

struct doc *doc_make_bool(bool value)
{
	return made(json_boolean(value));
}

struct doc *doc_make_null(void)
{
	return made(json_null());
}

void doc_put(struct doc *object, const char *key, struct doc *value)
{
	if (json_object_set_new(of(object), key, of(value)))
		out_need(NULL);
}

void doc_push(struct doc *array, struct doc *value)
{
	if (json_array_append_new(of(array), of(value)))
		out_need(NULL);
}

void doc_print(const struct doc *value, bool line)
{
	if (json_dumpf(of(value), stdout, line ? 0 : JSON_INDENT(2)) && !ferror(stdout))
		out_need(NULL);
	putchar('\n');
}

void doc_free(struct doc *value)
{
	json_decref(of(value));
}

/* --- reading ------------------------------------------------------------------------------------- */

struct doc *doc_parse(const void *bytes, size_t len, char why[160])
{
	json_error_t error;
	json_t *value = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);

	if (!value)
		snprintf(why, 160, "line %d: %.120s", error.line, error.text);
	return (struct doc *)value;
}

const struct doc *doc_get(const struct doc *object, const char *key)
{
	return (const struct doc *)json_object_get(of(object), key);
}

const struct doc *doc_nth(const struct doc *array, size_t n)
{
	return (const struct doc *)json_array_get(of(array), n);
}

size_t doc_count(const struct doc *array)
{
	return json_array_size(of(array));
}

const char *doc_brief(const struct doc *value, char text[DOC_BRIEF])
{
	char *all = out_need(json_dumps(of(value), JSON_COMPACT | JSON_ENCODE_ANY));
	size_t len = strlen(all);

	if (len >= DOC_BRIEF) {
		len = DOC_BRIEF - 4;
		/* Not within a character. */
		while (((unsigned char)all[len] & 0xc0) == 0x80)
			len--;
		memcpy(all + len, "...", 4);
		len += 3;
	}
	memcpy(text, all, len + 1);
	free(all);
	return text;
}

bool doc_is_array(const struct doc *value)
{
	return json_is_array(of(value));
}

const char *doc_text(const struct doc *value)
{
	return value ? json_string_value(of(value)) : NULL;
}

bool doc_number(const struct doc *value, uint64_t *out)
{
	if (!value || !json_is_integer(of(value)) || json_integer_value(of(value)) < 0)
		return false;
	*out = (uint64_t)json_integer_value(of(value));
	return true;
}

bool doc_is_object(const struct doc *value)
{
	return value && json_is_object(of(value));
}

const char *doc_key(const struct doc *object, size_t n)
{
	void *at = json_object_iter(of(object));

	while (at && n--)
		at = json_object_iter_next(of(object), at);
	return at ? json_object_iter_key(at) : NULL;
}

bool doc_bool(const struct doc *value, bool *out)
{
	if (!value || !json_is_boolean(of(value)))
		return false;
	*out = json_is_true(of(value));
	return true;
}
