/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as rows, and values as text. The members of an object are those of virt-fw-vars (and of QEMU's
 * uefi-vars): name, guid, attr, data, time; ours are state, offset and status.
 */
#include "tools/firmem/vars_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- values ------------------------------------------------------------------------------------ */

static const struct {
	const char *word;
	uint32_t bit;
} attribute_words[] = {
	{ "NV", FM_VARS_NON_VOLATILE },  { "BS", FM_VARS_BOOT_SERVICE },
	{ "RT", FM_VARS_RUNTIME },       { "HR", FM_VARS_HARDWARE_ERROR },
	{ "AW", FM_VARS_AUTHENTICATED }, { "AT", FM_VARS_TIME_BASED },
};
#define WORDS (sizeof(attribute_words) / sizeof(attribute_words[0]))

/* "NV+BS+RT", with what has no word as a number. */
static void attributes_text(uint32_t attributes, char *text, size_t len)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < WORDS; i++) {
		if (!(attributes & attribute_words[i].bit))
			continue;
		at += (size_t)snprintf(text + at, len - at, "%s%s", at ? "+" : "",
				       attribute_words[i].word);
		attributes &= ~attribute_words[i].bit;
	}
	if (attributes || !at)
		snprintf(text + at, len - at, "%s0x%x", at ? "+" : "", attributes);
}

static uint32_t attribute_bit(const char *word, size_t len)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (len == 2 && !strncasecmp(word, attribute_words[i].word, 2))
			return attribute_words[i].bit;
	}
	return 0;
}

bool vars_attributes_parse(const char *text, uint32_t *out)
{
	uint32_t attributes = 0;
	uint64_t number;

	if (args_size(text, &number)) {
		*out = (uint32_t)number;
		return number && number <= UINT32_MAX;
	}
	for (;;) {
		size_t len = strcspn(text, "+");
		uint32_t bit = attribute_bit(text, len);

		if (!bit)
			return false;
		attributes |= bit;
		if (!text[len])
			break;
		text += len + 1;
	}
	*out = attributes;
	return true;
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

uint8_t *vars_hex_parse(const char *text, size_t *len)
{
	size_t n = strlen(text);
	uint8_t *bytes;

	if (n % 2)
		return NULL;
	bytes = out_need(malloc(n / 2 + 1));
	for (size_t i = 0; i < n; i += 2) {
		int high = digit(text[i]);
		int low = digit(text[i + 1]);

		if (high < 0 || low < 0) {
			free(bytes);
			return NULL;
		}
		bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	*len = n / 2;
	return bytes;
}

/* malloc'd */
static char *hex_text(const uint8_t *bytes, size_t len)
{
	char *text = out_need(malloc(2 * len + 1));

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	text[2 * len] = '\0';
	return text;
}

/* A name for a terminal: what could control it becomes '?'. malloc'd. */
static char *plain_text(const char *name)
{
	char *text = out_need(strdup(name));
	char *to = text;

	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;
		/* U+0080 to U+009F are controls too. */
		bool wide = c == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0;

		*to++ = c < ' ' || c == 0x7f || wide ? '?' : (char)c;
		p += wide;
	}
	*to = '\0';
	return text;
}

/* --- rows ---------------------------------------------------------------------------------------- */

#define COLUMNS 11
#define BARE_COLUMNS 5

static const struct out_column columns[COLUMNS] = {
	{ "name", "NAME", OUT_TEXT, false },        { "guid", "GUID", OUT_TEXT, false },
	{ "attr", NULL, OUT_NUMBER, false },        { "data", NULL, OUT_TEXT, false },
	{ "time", NULL, OUT_TEXT, true },           { NULL, "ATTRIBUTES", OUT_TEXT, false },
	{ NULL, "BYTES", OUT_NUMBER, false },       { "state", "STATE", OUT_TEXT, false },
	{ "offset", "OFFSET", OUT_ADDRESS, false }, { "status", "STATUS", OUT_TEXT, false },
	{ "phantom", NULL, OUT_BOOL, false },
};

struct row {
	struct out_value values[COLUMNS];
	char guid[37], attributes[48], state[8], time[33];
	char *name, *data;
};

static bool has_time(const struct fm_vars_record *r)
{
	static const uint8_t none[16];

	return memcmp(r->time, none, sizeof(none)) != 0;
}

static void row_fill(struct row *row, const struct fm_vars_record *r, bool json)
{
	char *time = hex_text(r->time, sizeof(r->time));

	fm_vars_guid_text(r->guid, row->guid);
	attributes_text(r->attributes, row->attributes, sizeof(row->attributes));
	snprintf(row->state, sizeof(row->state), "0x%02x", r->state);
	snprintf(row->time, sizeof(row->time), "%s", time);
	free(time);
	row->name = json ? out_need(strdup(r->name)) : plain_text(r->name);
	row->data = hex_text(r->data, r->data_len);
	row->values[0] = (struct out_value){ .text = row->name, .absent = !r->utf16 };
	row->values[1] = (struct out_value){ .text = row->guid };
	row->values[2] = (struct out_value){ .number = r->attributes };
	row->values[3] = (struct out_value){ .text = row->data, .absent = !r->data };
	row->values[4] = (struct out_value){ .text = row->time, .absent = !has_time(r) };
	row->values[5] = (struct out_value){ .text = row->attributes };
	row->values[6] = (struct out_value){ .number = r->data_len, .absent = !r->data };
	row->values[7] = (struct out_value){ .text = row->state };
	row->values[8] = (struct out_value){ .number = r->off };
	row->values[9] = (struct out_value){ .text = fm_vars_status_name(r->status) };
	row->values[10] = (struct out_value){ .number = r->phantom };
}

static void row_free(struct row *row)
{
	free(row->name);
	free(row->data);
}

static size_t column_count(const struct vars_view *view)
{
	if (view->bare)
		return BARE_COLUMNS;
	return view->all ? COLUMNS : COLUMNS - 2;
}

void vars_put(struct out *out, const struct fm_vars *vars, const struct vars_view *view)
{
	const struct fm_vars_record *r;

	out_table(out, "variables", columns, column_count(view));
	for (size_t i = 0; (r = fm_vars_record(vars, i)); i++) {
		struct row row;

		if (!view->all && r->status != FM_VARS_LIVE)
			continue;
		row_fill(&row, r, view->json);
		out_row(out, row.values);
		row_free(&row);
	}
	out_table_end(out);
}

void vars_put_one(struct out *out, const struct fm_vars_record *r, const struct vars_view *view)
{
	static const char *const keys[] = { "name",       "guid",  "attr",  "data",  "time",
					    "attributes", "bytes", "state", "offset" };
	struct row row;

	row_fill(&row, r, view->json);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		/* For people attributes are words, and the data a picture of its own. */
		bool shown = view->json ? columns[i].key != NULL : i != 2 && i != 3;

		if (shown && !(columns[i].omitted && row.values[i].absent))
			out_value(out, keys[i], columns[i].kind, row.values[i]);
	}
	row_free(&row);
}
