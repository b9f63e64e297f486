/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm labels: changing them. */
#include "tools/firmem/nvdimm_verbs.h"

#include <firmem/nvdimm_image.h>

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define QEMU_SERIAL 0x123456u /* of its first NVDIMM */
#define QEMU_VENDOR 0x8086u

/* What every verb here has. */
struct changing {
	const char *path;
	uint64_t label_size;
	const char *uuid_text;
	uint8_t uuid[16];
};

#define IMAGE_WORD(c)                                                                           \
	{                                                                                       \
		"IMAGE", ARGS_TEXT, NULL, "an NVDIMM's file, or a label area alone", &(c).path, \
			true                                                                    \
	}
#define LABEL_SIZE(c)                                                                       \
	{                                                                                   \
		"label-size", ARGS_SIZE, "N", "bytes of labels at its end", &(c).label_size \
	}

static enum status ended(enum args_result result)
{
	return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
}

static bool read_uuid(const char *command, struct changing *c)
{
	if (fm_label_uuid_parse(c->uuid_text, c->uuid))
		return true;
	complain("%s: --uuid: \"%.60s\", expected one such as 01f56f0a-f7ba-4763-94c2-661a61043531",
		 command, c->uuid_text);
	return false;
}

/* Close, and say what went wrong: 1 where the namespace is not there. */
static enum status close_edit(struct changing *c, struct nvdimm_edit *edit, int rc,
			      const struct fm_error *err)
{
	nvdimm_edit_close(edit);
	if (!rc)
		return STATUS_YES;
	complain("%s: %s", c->path, err->msg);
	return rc == FM_ERR_NOT_FOUND ? STATUS_NO : STATUS_BAD;
}

/* --- init ---------------------------------------------------------------------------------------- */

enum status nvdimm_labels_init_run(int argc, char **argv)
{
	static const char *const versions[] = { "1.1", "1.2", NULL };
	struct changing c = { .path = NULL };
	unsigned version = 1;
	bool force = false;
	const struct args_option words[] = { IMAGE_WORD(c) };
	const struct args_option options[] = {
		LABEL_SIZE(c),
		{ "version", ARGS_CHOICE, "V", "of the labels: 1.1, or 1.2 (default)", &version,
		  .choices = versions },
		{ "force", ARGS_FLAG, NULL, "also where there are labels", &force },
	};
	const struct args_spec spec = {
		.command = "nvdimm labels init",
		.summary = "Make a label area without labels.",
		.text = "Without --label-size the whole file, of at most 1 MiB, becomes a label area.\n",
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct fm_label_area *area;
	struct nvdimm_edit edit;
	struct fm_error err;
	bool used;

	if (result != ARGS_GO)
		return ended(result);
	if (!nvdimm_edit_open(c.path, c.label_size, &edit))
		return STATUS_BAD;
	area = nvdimm_area_parse(c.path, &edit.area);
	used = area && fm_label_info(area)->used;
	fm_label_free(area);
	if (!area || (used && !force)) {
		nvdimm_edit_close(&edit);
		return area ? complain("%s: it has labels, expected --force", c.path) : STATUS_BAD;
	}
	return close_edit(&c, &edit, fm_label_init(&edit.medium, version + 1, &err), &err);
}

/* --- add ----------------------------------------------------------------------------------------- */

struct adding {
	struct changing c;
	const char *name;
	uint64_t size, dpa, cookie, lbasize, nlabel, position, slot;
	bool dpa_given, cookie_given, json;
	unsigned use;
};

/* The cookie that the other labels have, or that of QEMU's NVDIMM of that number. */
static uint64_t default_cookie(const struct adding *a, const struct fm_label_area *area)
{
	const struct fm_label_mapping dimm = {
		.serial = QEMU_SERIAL + (uint32_t)a->slot,
		.vendor = QEMU_VENDOR,
	};
	const struct fm_label *l;

	for (size_t i = 0; !a->slot && (l = fm_label_at(area, i)); i++) {
		if (l->valid)
			return l->isetcookie;
	}
	return fm_label_cookie(fm_label_info(area)->version, &dimm, 1);
}

static int fill_label(const struct adding *a, const struct fm_label_area *area, uint64_t pmem_len,
		      struct fm_label *l, struct fm_error *err)
{
	bool guids = fm_label_info(area)->slot_len == 256;

	*l = (struct fm_label){
		.nlabel = (uint16_t)a->nlabel,
		.position = (uint16_t)a->position,
		.isetcookie = a->cookie_given ? a->cookie : default_cookie(a, area),
		.lbasize = a->lbasize,
		.dpa = a->dpa,
		.rawsize = a->size,
	};
	memcpy(l->uuid, a->c.uuid, sizeof(l->uuid));
	snprintf(l->name, sizeof(l->name), "%s", a->name ? a->name : "");
	if (guids)
		fm_label_pmem_guid(l->type_guid);
	if (guids || a->use)
		fm_label_use_guid((enum fm_label_use)a->use, l->abstraction_guid);
	if (a->dpa_given || fm_label_info(area)->current < 0)
		return 0;
	return fm_label_find_dpa(area, pmem_len ? pmem_len : INT64_MAX, a->size, FM_NVDIMM_ALIGN,
				 &l->dpa, err);
}

static enum status add(struct adding *a)
{
	struct fm_label_area *area;
	struct nvdimm_edit edit;
	struct fm_error err;
	struct fm_label l;
	enum status status;
	struct out *out;
	char uuid[37];
	int rc;

	if (!nvdimm_edit_open(a->c.path, a->c.label_size, &edit))
		return STATUS_BAD;
	area = nvdimm_area_parse(a->c.path, &edit.area);
	rc = area ? fill_label(a, area, edit.area.pmem_len, &l, &err)
		  : fm_error_set(&err, FM_ERR_SIZE, 0, "not a label area");
	fm_label_free(area);
	if (!rc)
		rc = fm_label_add(&edit.medium, 1, &l, &err);
	status = close_edit(&a->c, &edit, rc, &err);
	if (rc)
		return status;
	fm_label_uuid_text(l.uuid, uuid);
	out = out_new(a->json);
	out_value(out, "uuid", OUT_TEXT, (struct out_value){ .text = uuid });
	out_value(out, "dpa", OUT_ADDRESS, (struct out_value){ .number = l.dpa });
	out_value(out, "isetcookie", OUT_ADDRESS, (struct out_value){ .number = l.isetcookie });
	return out_end(out, STATUS_YES);
}

/* A UUID of version 4. */
static bool random_uuid(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16) {
		complain("nvdimm labels add: no random numbers, expected --uuid");
		return false;
	}
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return true;
}

static bool check_adding(const struct adding *a)
{
	if (a->name && strlen(a->name) > FM_LABEL_NAME_MAX) {
		complain("nvdimm labels add: --name: %zu bytes, expected at most %u",
			 strlen(a->name), FM_LABEL_NAME_MAX);
		return false;
	}
	if (!a->nlabel || a->nlabel > 0xffff || a->position >= a->nlabel) {
		complain(
			"nvdimm labels add: --nlabel %llu --position %llu, expected at least 1, and less",
			(unsigned long long)a->nlabel, (unsigned long long)a->position);
		return false;
	}
	if (a->slot > 255) {
		complain("nvdimm labels add: --slot: %llu, expected at most 255",
			 (unsigned long long)a->slot);
		return false;
	}
	return true;
}

static const char add_text[] =
	"The cookie is that of the interleave set: by default what the other labels have, else that\n"
	"of QEMU's NVDIMM of that --slot, alone. A namespace over several DIMMs has a label in the\n"
	"image of each, with one UUID.\n"
	"\n"
	"Example:\n"
	"  firmem nvdimm labels add nv0.img --size 64M --name data --mode fsdax\n";

enum status nvdimm_labels_add_run(int argc, char **argv)
{
	static const char *const uses[] = { "raw", "btt", "sector", "fsdax", "devdax", NULL };
	struct adding a = { .lbasize = 512, .nlabel = 1 };
	const struct args_option words[] = { IMAGE_WORD(a.c) };
	const struct args_option options[] = {
		{ "size", ARGS_SIZE, "N", "bytes on this DIMM", &a.size, true },
		LABEL_SIZE(a.c),
		{ "uuid", ARGS_TEXT, "U", "of the namespace (default: a random one)",
		  &a.c.uuid_text },
		{ "name", ARGS_TEXT, "NAME", "at most 63 bytes", &a.name },
		{ "mode", ARGS_CHOICE, "MODE", "what it is for (default raw)", &a.use,
		  .choices = uses },
		{ "dpa", ARGS_SIZE, "N", "address in the DIMM (default: the first that is free)",
		  &a.dpa, .given = &a.dpa_given },
		{ "lbasize", ARGS_SIZE, "N", "bytes of a logical block (default 512)", &a.lbasize },
		{ "cookie", ARGS_SIZE, "N", "of the interleave set", &a.cookie,
		  .given = &a.cookie_given },
		{ "slot", ARGS_SIZE, "N", "which of QEMU's NVDIMMs it is (default 0)", &a.slot },
		{ "nlabel", ARGS_SIZE, "N", "DIMMs that the namespace is on (default 1)",
		  &a.nlabel },
		{ "position", ARGS_SIZE, "N", "which of them this is (default 0)", &a.position },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &a.json },
	};
	const struct args_spec spec = {
		.command = "nvdimm labels add",
		.summary = "Add a namespace's label.",
		.text = add_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return ended(result);
	if (a.c.uuid_text ? !read_uuid(spec.command, &a.c) : !random_uuid(a.c.uuid))
		return STATUS_BAD;
	return check_adding(&a) ? add(&a) : STATUS_BAD;
}

/* --- delete and rename --------------------------------------------------------------------------- */

enum status nvdimm_labels_delete_run(int argc, char **argv)
{
	struct changing c = { .path = NULL };
	const struct args_option words[] = { IMAGE_WORD(c) };
	const struct args_option options[] = {
		{ "uuid", ARGS_TEXT, "U", "of the namespace", &c.uuid_text, true },
		LABEL_SIZE(c),
	};
	const struct args_spec spec = {
		.command = "nvdimm labels delete",
		.summary = "Delete a namespace's labels; exit status 1 if there are none.",
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct nvdimm_edit edit;
	struct fm_error err;

	if (result != ARGS_GO)
		return ended(result);
	if (!read_uuid(spec.command, &c) || !nvdimm_edit_open(c.path, c.label_size, &edit))
		return STATUS_BAD;
	return close_edit(&c, &edit, fm_label_delete(&edit.medium, 1, c.uuid, &err), &err);
}

enum status nvdimm_labels_rename_run(int argc, char **argv)
{
	struct changing c = { .path = NULL };
	const char *name = NULL;
	const struct args_option words[] = { IMAGE_WORD(c) };
	const struct args_option options[] = {
		{ "uuid", ARGS_TEXT, "U", "of the namespace", &c.uuid_text, true },
		{ "name", ARGS_TEXT, "NAME", "at most 63 bytes", &name, true },
		LABEL_SIZE(c),
	};
	const struct args_spec spec = {
		.command = "nvdimm labels rename",
		.summary = "Give a namespace another name; exit status 1 if it is not there.",
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct nvdimm_edit edit;
	struct fm_error err;

	if (result != ARGS_GO)
		return ended(result);
	if (!read_uuid(spec.command, &c) || !nvdimm_edit_open(c.path, c.label_size, &edit))
		return STATUS_BAD;
	return close_edit(&c, &edit, fm_label_rename(&edit.medium, 1, c.uuid, name, &err), &err);
}

/* --- for "nvdimm create" ------------------------------------------------------------------------- */

bool nvdimm_put_namespace(const char *path, uint64_t label_size, const uint8_t uuid[16])
{
	struct adding a = { .lbasize = 512, .nlabel = 1, .dpa_given = true };
	struct nvdimm_edit edit;
	struct fm_label_area *area = NULL;
	struct fm_error err;
	struct fm_label l;
	int rc;

	if (!nvdimm_edit_open(path, label_size, &edit))
		return false;
	a.c.path = path;
	a.size = edit.area.pmem_len;
	memcpy(a.c.uuid, uuid, 16);
	rc = fm_label_init(&edit.medium, FM_LABEL_V1_2, &err);
	if (!rc)
		rc = fm_label_parse(&area, edit.medium.bytes, edit.medium.len, 0, &err);
	if (!rc)
		rc = fill_label(&a, area, edit.area.pmem_len, &l, &err);
	if (!rc)
		rc = fm_label_add(&edit.medium, 1, &l, &err);
	fm_label_free(area);
	return close_edit(&a.c, &edit, rc, &err) == STATUS_YES;
}
