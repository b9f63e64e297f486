/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem vars set, delete and import: changes of a store, by programs alone. */
#include "tools/firmem/vars_verbs.h"

#include "tools/firmem/doc.h"
#include "tools/firmem/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_MAX (16u << 20)

static bool take_guid(const char *command, const char *guid_text, uint8_t guid[16])
{
	if (fm_vars_guid_parse(guid_text, guid))
		return true;
	complain("%s: --guid: \"%.60s\", expected one such as "
		 "8be4df61-93ca-11d2-aa0d-00e098032b8c",
		 command, guid_text);
	return false;
}

/* Open, store, close. */
static enum status store(const char *path, const struct fm_vars_value *values, size_t count)
{
	struct vars_bank bank;
	struct fm_error err;
	int rc;

	if (!vars_bank_open(path, &bank))
		return STATUS_BAD;
	rc = fm_vars_set(bank.dev, values, count, &err);
	if (rc)
		complain("%s: %s", path, err.msg);
	if (!vars_bank_close(path, &bank) || rc)
		return STATUS_BAD;
	return STATUS_YES;
}

/* --- set --------------------------------------------------------------------------------------- */

struct set {
	const char *path;
	const char *guid_text;
	const char *file;
	const char *text;
	const char *hex;
	const char *attributes;
	struct fm_vars_value value;
	void *data; /* what value.data is, to free */
};

/* The one of the three that is given. */
static bool take_data(struct set *set)
{
	size_t len = 0;

	if (!set->file + !set->text + !set->hex != 2) {
		complain("vars set: %s, expected one of --data-file, --text and --hex",
			 set->file || set->text || set->hex ? "the value is given twice"
							    : "the value is missing");
		return false;
	}
	if (set->file) {
		if (!input_read(set->file, DATA_MAX, &set->data, &len))
			return false;
	} else if (set->text) {
		set->data = out_need(strdup(set->text));
		len = strlen(set->text);
	} else {
		set->data = vars_hex_parse(set->hex, &len);
	}
	if (!set->data) {
		complain("vars set: --hex: \"%.60s\", expected pairs of hexadecimal digits",
			 set->hex);
		return false;
	}
	set->value.data = set->data;
	set->value.len = len;
	return true;
}

static enum status set_value(struct set *set)
{
	struct fm_vars_value *value = &set->value;
	enum status status;

	if (set->attributes && !vars_attributes_parse(set->attributes, &value->attributes))
		return complain(
			"vars set: --attributes: \"%.60s\", expected a number such as 7, or "
			"words such as NV+BS+RT",
			set->attributes);
	if (!take_guid("vars set", set->guid_text, value->guid) || !take_data(set))
		return STATUS_BAD;
	status = store(set->path, value, 1);
	free(set->data);
	return status;
}

static const char set_text[] =
	"The record is appended as the firmware would, by programs that clear bits and never an\n"
	"erase: when this is cut off at any point the variable has its old value or the new one.\n"
	"A full store is an error; the firmware makes room at one of its next boots. Signatures are\n"
	"not checked: what is stored is what the firmware will trust.\n"
	"\n"
	"Examples:\n"
	"  firmem vars set VARS.fd Timeout --guid 8be4df61-93ca-11d2-aa0d-00e098032b8c --hex 0a00\n"
	"  firmem vars set VARS.fd db --guid d719b2cb-3d3a-4596-a3bc-dad00e67656f \\\n"
	"      --attributes NV+BS+RT+AT --data-file db.esl\n";

enum status vars_set_run(int argc, char **argv)
{
	struct set set = { .value = { .struct_size = sizeof(set.value) } };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image with a variable store in it", &set.path,
		  true },
		{ "NAME", ARGS_TEXT, NULL, "of the variable", &set.value.name, true },
	};
	const struct args_option options[] = {
		{ "guid", ARGS_TEXT, "GUID", "of the variable", &set.guid_text, true },
		{ "data-file", ARGS_TEXT, "FILE", "the value: a file's bytes", &set.file },
		{ "text", ARGS_TEXT, "TEXT", "the value: these bytes, without a NUL", &set.text },
		{ "hex", ARGS_TEXT, "HEX", "the value: pairs of hexadecimal digits", &set.hex },
		{ "attributes", ARGS_TEXT, "A",
		  "7 or NV+BS+RT; default those that the\nvariable has, else NV+BS+RT",
		  &set.attributes },
	};
	const struct args_spec spec = {
		.command = "vars set",
		.summary = "Store a variable in a flash image.",
		.text = set_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 2,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	return set_value(&set);
}

/* --- delete ------------------------------------------------------------------------------------ */

static enum status delete (const char *path, const char *name, const uint8_t guid[16]) {
	struct vars_bank bank; struct fm_error err; int rc;

		if (!vars_bank_open(path, &bank)) return STATUS_BAD;
		rc = fm_vars_delete(bank.dev, name, guid, &err);
		if (rc) complain("%s: %s", path, err.msg);
		if (!vars_bank_close(path, &bank)) return STATUS_BAD;
		return rc == FM_ERR_NOT_FOUND ? STATUS_NO
		       : rc                   ? STATUS_BAD
					      : STATUS_YES;
}

enum status vars_delete_run(int argc, char **argv)
{
	const char *path = NULL;
	const char *name = NULL;
	const char *guid_text = NULL;
	uint8_t guid[16];
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image with a variable store in it", &path,
		  true },
		{ "NAME", ARGS_TEXT, NULL, "of the variable", &name, true },
	};
	const struct args_option options[] = {
		{ "guid", ARGS_TEXT, "GUID", "of the variable", &guid_text, true },
	};
	const struct args_spec spec = {
		.command = "vars delete",
		.summary = "Delete a variable of a flash image; exit status 1 if it is not there.",
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 2,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!take_guid("vars delete", guid_text, guid))
		return STATUS_BAD;
	return delete (path, name, guid);
}

/* --- import ------------------------------------------------------------------------------------ */

/* The values of a document, and what they point to besides. */
struct import {
	const char *path; /* of the document */
	struct fm_vars_value *values;
	uint8_t **data;
	uint8_t **times; /* NULL where there is none */
	size_t count;
};

static bool bad_member(const struct import *import, const char *key, const char *expected)
{
	complain("%s: variables[%zu].%s: expected %s", import->path, import->count, key, expected);
	return false;
}

static bool take_variable(struct import *import, const struct doc *object)
{
	struct fm_vars_value *value = &import->values[import->count];
	const struct doc *time = doc_get(object, "time");
	const char *hex = doc_text(doc_get(object, "data"));
	uint64_t attributes;
	size_t len = 0;

	*value = (struct fm_vars_value){ .struct_size = sizeof(*value) };
	value->name = doc_text(doc_get(object, "name"));
	if (!value->name)
		return bad_member(import, "name", "text");
	if (!fm_vars_guid_parse(doc_text(doc_get(object, "guid")), value->guid))
		return bad_member(import, "guid",
				  "one such as 8be4df61-93ca-11d2-aa0d-00e098032b8c");
	if (!doc_number(doc_get(object, "attr"), &attributes) || !attributes ||
	    attributes > UINT32_MAX)
		return bad_member(import, "attr", "a number of 1 to 2^32 - 1");
	value->attributes = (uint32_t)attributes;
	value->data = import->data[import->count] = hex ? vars_hex_parse(hex, &value->len) : NULL;
	if (!value->data)
		return bad_member(import, "data", "pairs of hexadecimal digits");
	if (time && doc_text(time))
		value->time = import->times[import->count] = vars_hex_parse(doc_text(time), &len);
	if (time && (!value->time || len != 16)) {
		free(import->data[import->count]);
		free(import->times[import->count]);
		return bad_member(import, "time", "16 bytes as pairs of hexadecimal digits");
	}
	import->count++;
	return true;
}

static bool take_document(struct import *import, const struct doc *doc)
{
	const struct doc *list = doc_get(doc, "variables");
	uint64_t version;
	size_t room = 0;

	if (!doc_number(doc_get(doc, "version"), &version) || version != 2) {
		complain("%s: version: expected 2", import->path);
		return false;
	}
	if (!doc_is_array(list)) {
		complain("%s: variables: expected an array", import->path);
		return false;
	}
	while (doc_nth(list, room))
		room++;
	import->values = out_need(calloc(room + 1, sizeof(*import->values)));
	import->data = out_need(calloc(room + 1, sizeof(*import->data)));
	import->times = out_need(calloc(room + 1, sizeof(*import->times)));
	for (size_t i = 0; i < room; i++) {
		if (!take_variable(import, doc_nth(list, i)))
			return false;
	}
	return true;
}

static enum status import_from(const char *path, const char *json)
{
	struct import import = { .path = json };
	enum status status = STATUS_BAD;
	char why[160];
	struct doc *doc;
	void *bytes;
	size_t len;

	if (!input_read(json, DATA_MAX, &bytes, &len))
		return STATUS_BAD;
	doc = doc_parse(bytes, len, why);
	free(bytes);
	if (!doc)
		return complain("%s: %s, expected a JSON object", json, why);
	if (take_document(&import, doc))
		status = store(path, import.values, import.count);
	for (size_t i = 0; i < import.count; i++) {
		free(import.data[i]);
		free(import.times[i]);
	}
	free(import.values);
	free(import.data);
	free(import.times);
	doc_free(doc);
	return status;
}

static const char import_text[] =
	"The document is what \"vars export\", \"vars list --json\", virt-fw-vars and QEMU's uefi-vars\n"
	"write. Variables that it does not name stay as they are; members that are not name, guid,\n"
	"attr, data or time are skipped. Nothing is changed where one of them is wrong or not all\n"
	"of them fit; then each variable has its old or its new value when this is cut off.\n";

enum status vars_import_run(int argc, char **argv)
{
	const char *path = NULL;
	const char *json = NULL;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image with a variable store in it", &path,
		  true },
	};
	const struct args_option options[] = {
		{ "json", ARGS_TEXT, "FILE", "the document to read", &json, true },
	};
	const struct args_spec spec = {
		.command = "vars import",
		.summary = "Store variables from a JSON document in a flash image.",
		.text = import_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	return import_from(path, json);
}
