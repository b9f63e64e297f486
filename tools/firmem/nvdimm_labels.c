/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm labels: reading them. */
#include "tools/firmem/nvdimm_verbs.h"

#include "tools/firmem/command.h"

#include <firmem/vars.h>

#include <stdio.h>
#include <string.h>

static struct out_value number(uint64_t n)
{
	return (struct out_value){ .number = n };
}

static struct out_value text(const char *t)
{
	return (struct out_value){ .text = t };
}

/* --- list ---------------------------------------------------------------------------------------- */

static void put_labels(struct out *out, const struct fm_label_area *area)
{
	static const struct out_column columns[] = {
		{ "slot", "SLOT", OUT_NUMBER },
		{ "uuid", "UUID", OUT_TEXT },
		{ "name", "NAME", OUT_TEXT },
		{ NULL, "USE", OUT_TEXT },
		{ "dpa", "DPA", OUT_ADDRESS },
		{ "rawsize", "SIZE", OUT_SIZE },
		{ "position", "POS", OUT_NUMBER },
		{ "nlabel", "OF", OUT_NUMBER },
		{ "lbasize", "LBA", OUT_NUMBER },
		{ "flags", "FLAGS", OUT_NUMBER },
		{ "isetcookie", "COOKIE", OUT_ADDRESS },
		{ "type_guid", NULL, OUT_TEXT },
		{ "abstraction_guid", NULL, OUT_TEXT },
		{ "checksum_ok", NULL, OUT_BOOL },
		{ NULL, "VALID", OUT_BOOL },
	};
	bool guids = fm_label_info(area)->slot_len == 256;
	const struct fm_label *l;

	out_table(out, "labels", columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; (l = fm_label_at(area, i)); i++) {
		char uuid[37], type[37], abstraction[37];

		fm_label_uuid_text(l->uuid, uuid);
		fm_vars_guid_text(l->type_guid, type);
		fm_vars_guid_text(l->abstraction_guid, abstraction);
		out_row(out,
			(const struct out_value[]){
				number(l->slot),
				text(uuid),
				text(l->name),
				{ .text = fm_label_use_name(fm_label_use_of(l->abstraction_guid)),
				  .absent = !guids },
				number(l->dpa),
				number(l->rawsize),
				number(l->position),
				number(l->nlabel),
				/* A JSON number is below 2^53. */
				{ .number = l->lbasize, .absent = l->lbasize >> 53 != 0 },
				number(l->flags),
				number(l->isetcookie),
				{ .text = type, .absent = !guids },
				{ .text = abstraction, .absent = !guids },
				number(l->checksum_ok),
				number(l->valid),
			});
	}
	out_table_end(out);
}

void nvdimm_version_text(const struct fm_label_area *area, char text[16])
{
	const struct fm_label_info *info = fm_label_info(area);

	snprintf(text, 16, "%u.%u", info->major, info->minor);
}

void nvdimm_put_area(struct out *out, const struct fm_label_area *area)
{
	const struct fm_label_info *info = fm_label_info(area);
	bool none = info->current < 0;
	char version[16];

	nvdimm_version_text(area, version);
	out_value(out, "version", OUT_TEXT, (struct out_value){ .text = version, .absent = none });
	out_value(out, "label_size", OUT_NUMBER, number(info->slot_len));
	out_value(out, "nslot", OUT_NUMBER, number(info->nslot));
	out_value(out, "current_index", OUT_NUMBER,
		  (struct out_value){ .number = info->current == 1, .absent = none });
	out_value(out, "seq", OUT_NUMBER,
		  (struct out_value){ .number = info->seq, .absent = none });
}

/* IMAGE, --label-size and --json: a verb that reads. */
struct reading {
	const char *path;
	uint64_t label_size;
	bool json;
	struct nvdimm_area bytes;
	struct fm_label_area *area;
};

/* STATUS_NO: go on; else what to end with. */
static enum status start_reading(struct reading *r, const char *command, const char *summary,
				 const char *help, int argc, char **argv)
{
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "an NVDIMM's file, or a label area alone", &r->path,
		  true },
	};
	const struct args_option options[] = {
		{ "label-size", ARGS_SIZE, "N", "bytes of labels at its end", &r->label_size },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &r->json },
	};
	const struct args_spec spec = {
		.command = command,
		.summary = summary,
		.text = help,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!nvdimm_area_read(r->path, r->label_size, &r->bytes))
		return STATUS_BAD;
	r->area = nvdimm_area_parse(r->path, &r->bytes);
	nvdimm_area_free(&r->bytes);
	return r->area ? STATUS_NO : STATUS_BAD;
}

static const char list_text[] =
	"Without --label-size the file is a label area alone, or has one of 128 KiB at its end, as\n"
	"QEMU's usually have.\n"
	"\n"
	"Examples:\n"
	"  firmem nvdimm labels list nv0.img\n"
	"  firmem nvdimm labels list nv0.img --label-size 256K --json | jq -r '.labels[].name'\n";

enum status nvdimm_labels_list_run(int argc, char **argv)
{
	struct reading r = { .label_size = NVDIMM_GUESS };
	enum status status =
		start_reading(&r, "nvdimm labels list", "List the labels of an NVDIMM's image.",
			      list_text, argc, argv);
	struct out *out;

	if (status != STATUS_NO)
		return status;
	if (fm_label_info(r.area)->current < 0) {
		complain("%s: %s", r.path, fm_label_finding(r.area, 0)->text);
		fm_label_free(r.area);
		return STATUS_BAD;
	}
	out = out_new(r.json);
	nvdimm_put_area(out, r.area);
	put_labels(out, r.area);
	fm_label_free(r.area);
	return out_end(out, STATUS_YES);
}

/* --- the verbs of labels ------------------------------------------------------------------------- */

static const struct verb verbs[] = {
	{ "init", "make an area without labels", nvdimm_labels_init_run },
	{ "list", "the labels", nvdimm_labels_list_run },
	{ "add", "add a namespace", nvdimm_labels_add_run },
	{ "delete", "delete a namespace's labels", nvdimm_labels_delete_run },
	{ "rename", "give a namespace another name", nvdimm_labels_rename_run },
	{ "check", "what is wrong with them", nvdimm_labels_check_run },
	{ NULL, NULL, NULL },
};

enum status nvdimm_labels_run(int argc, char **argv)
{
	const char *names[sizeof(verbs) / sizeof(*verbs)] = { NULL };
	const char *meant;

	if (!argc)
		return complain("nvdimm labels: verb is missing, expected one that "
				"\"firmem nvdimm labels --help\" lists");
	if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h") || !strcmp(argv[0], "help")) {
		puts("usage: firmem nvdimm labels VERB IMAGE... [OPTION...]\n"
		     "\n"
		     "The label area of an NVDIMM: what namespaces its memory has.\n");
		for (const struct verb *v = verbs; v->name; v++)
			printf("  %-24s%s\n", v->name, v->summary);
		puts("\n  firmem nvdimm labels VERB --help tells about one of them");
		return STATUS_YES;
	}
	for (size_t i = 0; verbs[i].name; i++) {
		names[i] = verbs[i].name;
		if (!strcmp(argv[0], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	}
	meant = args_nearest(argv[0], names);
	if (meant)
		return complain("nvdimm labels %.60s: no such command, did you mean \"%s\"?",
				argv[0], meant);
	return complain("nvdimm labels %.60s: no such command, expected one that "
			"\"firmem nvdimm labels --help\" lists",
			argv[0]);
}
