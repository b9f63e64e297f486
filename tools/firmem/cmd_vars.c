/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem vars: the variables that UEFI firmware keeps in a flash image. Here: reading them. */
#include "tools/firmem/output.h"
#include "tools/firmem/target.h"
#include "tools/firmem/vars_verbs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- list -------------------------------------------------------------------------------------- */

static const char list_text[] =
	"Shown is what the firmware would see: records in state 0x3f, and in state 0x3e where no\n"
	"0x3f has the same name. --json prints the object that virt-fw-vars prints and reads, with\n"
	"\"state\" and \"offset\" beside.\n"
	"\n"
	"Examples:\n"
	"  firmem vars list OVMF_VARS.fd\n"
	"  firmem vars list OVMF_VARS.fd --all\n"
	"  firmem vars list OVMF_VARS.fd --json | jq -r '.variables[].name'\n";

enum status vars_list_run(int argc, char **argv)
{
	const char *path = NULL;
	struct vars_view view = { .json = false };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image with a variable store in it", &path,
		  true },
	};
	const struct args_option options[] = {
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &view.json },
		{ "all", ARGS_FLAG, NULL, "also superseded, deleted and torn records", &view.all },
	};
	const struct args_spec spec = {
		.command = "vars list",
		.summary = "List the variables in a flash image.",
		.text = list_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct vars_image image;
	struct out *out;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!vars_image_read_store(path, &image))
		return STATUS_BAD;
	out = out_new(view.json);
	if (view.json)
		out_value(out, "version", OUT_NUMBER, (struct out_value){ .number = 2 });
	else
		out_value(out, "verdict", OUT_TEXT,
			  (struct out_value){ .text = fm_vars_verdict_name(
						      fm_vars_info(image.vars)->verdict) });
	vars_put(out, image.vars, &view);
	vars_image_free(&image);
	return out_end(out, STATUS_YES);
}

/* --- export ------------------------------------------------------------------------------------ */

enum status vars_export_run(int argc, char **argv)
{
	const char *path = NULL;
	struct vars_view view = { .json = true, .bare = true };
	bool json = false;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image with a variable store in it", &path,
		  true },
	};
	const struct args_option options[] = {
		{ "json", ARGS_FLAG, NULL, "as one JSON object; there is no other format", &json },
	};
	const struct args_spec spec = {
		.command = "vars export",
		.summary = "Print all variables as virt-fw-vars and QEMU's uefi-vars read them.",
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct vars_image image;
	struct out *out;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!vars_image_read_store(path, &image))
		return STATUS_BAD;
	out = out_new(true);
	out_value(out, "version", OUT_NUMBER, (struct out_value){ .number = 2 });
	vars_put(out, image.vars, &view);
	vars_image_free(&image);
	return out_end(out, STATUS_YES);
}

/* --- get --------------------------------------------------------------------------------------- */

struct get {
	const char *path;
	const char *name;
	const char *guid_text;
	const char *output;
	uint8_t guid[16];
	struct vars_view view;
};

static void put_dump(const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len; at += 16) {
		size_t n = len - at < 16 ? len - at : 16;

		printf("%08zx ", at);
		for (size_t i = 0; i < 16; i++)
			printf(i < n ? " %02x" : "   ", i < n ? p[at + i] : 0);
		printf("  |");
		for (size_t i = 0; i < n; i++)
			putchar(p[at + i] < 0x80 && isprint(p[at + i]) ? p[at + i] : '.');
		puts("|");
	}
}

/* The one variable that is meant; NULL with *status after a complaint. */
static const struct fm_vars_record *find_one(const struct get *get, const struct fm_vars *vars,
					     enum status *status)
{
	const uint8_t *guid = get->guid_text ? get->guid : NULL;
	const struct fm_vars_record *found = fm_vars_find(vars, get->name, guid);
	const struct fm_vars_record *r;
	char first[37];
	char second[37];

	*status = STATUS_NO;
	if (!found) {
		complain("%s: %.60s: no such variable%s%s", get->path, get->name,
			 guid ? " with GUID " : "", guid ? get->guid_text : "");
		return NULL;
	}
	for (size_t i = 0; (r = fm_vars_record(vars, i)); i++) {
		if (guid || r == found || r->status != FM_VARS_LIVE || strcmp(r->name, get->name))
			continue;
		fm_vars_guid_text(found->guid, first);
		fm_vars_guid_text(r->guid, second);
		*status = complain("%s: %.60s: is there with the GUIDs %s and %s, expected --guid",
				   get->path, get->name, first, second);
		return NULL;
	}
	return found;
}

static enum status put_found(const struct get *get, const struct fm_vars_record *r)
{
	struct out *out;

	if (get->output)
		return output_write(get->output, r->data, r->data_len) ? STATUS_YES : STATUS_BAD;
	out = out_new(get->view.json);
	vars_put_one(out, r, &get->view);
	if (!get->view.json)
		put_dump(r->data, r->data_len);
	return out_end(out, STATUS_YES);
}

enum status vars_get_run(int argc, char **argv)
{
	struct get get = { .path = NULL };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image with a variable store in it", &get.path,
		  true },
		{ "NAME", ARGS_TEXT, NULL, "of the variable", &get.name, true },
	};
	const struct args_option options[] = {
		{ "guid", ARGS_TEXT, "GUID", "of the variable; needed where a name has several",
		  &get.guid_text },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &get.view.json },
		{ "output", ARGS_TEXT, "FILE", "write the value's bytes there, print nothing",
		  &get.output, .letter = 'o' },
	};
	const struct args_spec spec = {
		.command = "vars get",
		.summary = "Show one variable of a flash image; exit status 1 if it is not there.",
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 2,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	const struct fm_vars_record *r;
	struct vars_image image;
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (get.guid_text && !fm_vars_guid_parse(get.guid_text, get.guid))
		return complain("vars get: --guid: \"%.60s\", expected one such as "
				"8be4df61-93ca-11d2-aa0d-00e098032b8c",
				get.guid_text);
	if (get.output && target_is_image(get.path, get.output))
		return complain("vars get: --output: %s is the image itself or its journal, "
				"expected another file",
				get.output);
	if (!vars_image_read_store(get.path, &image))
		return STATUS_BAD;
	r = find_one(&get, image.vars, &status);
	if (r)
		status = put_found(&get, r);
	vars_image_free(&image);
	return status;
}

/* --- the command ------------------------------------------------------------------------------- */

static const struct verb verbs[] = {
	{ "list", "the variables in an image", vars_list_run },
	{ "get", "one variable", vars_get_run },
	{ "check", "what a crash left behind, and when the next reclaim is", vars_check_run },
	{ "rescue", "end a reclaim that a crash interrupted", vars_rescue_run },
	{ "set", "store a variable", vars_set_run },
	{ "delete", "delete a variable", vars_delete_run },
	{ "export", "all variables as JSON", vars_export_run },
	{ "import", "store variables from JSON", vars_import_run },
	{ NULL, NULL, NULL },
};

const struct command command_vars = {
	.noun = "vars",
	.summary = "The variables that UEFI firmware keeps in a flash image.",
	.verbs = verbs,
};
