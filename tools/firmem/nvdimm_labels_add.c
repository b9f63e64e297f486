/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm labels add: a namespace on one DIMM, or on all of an interleave set. */
#include "tools/firmem/nvdimm_set.h"

#include <firmem/nvdimm_image.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define QEMU_SERIAL 0x123456u /* of its first NVDIMM */
#define QEMU_VENDOR 0x8086u
#define PAGE 4096u /* Linux makes no namespace of parts of one */

struct adding {
	struct args_words images;
	const char *uuid_text, *name, *nfit;
	uint64_t label_size, size, dpa, cookie, lbasize, nlabel, position, slot, range;
	bool dpa_given, cookie_given, slot_given, nlabel_given, position_given, range_given, json;
	unsigned use;
	uint8_t uuid[16];
	struct nvdimm_range dimms; /* count 0: no NFIT was given */
	struct fm_label labels[NVDIMM_SET_MAX];
};

/* --- where, and in what set ---------------------------------------------------------------------- */

/* The cookie that the labels of such namespaces have already: another number of DIMMs is another set. */
static bool known_cookie(const struct adding *a, const struct nvdimm_set *set, uint64_t *cookie)
{
	const struct fm_label *l;

	for (size_t i = 0; (l = fm_label_at(set->areas[0], i)); i++) {
		if (!l->valid || l->nlabel != a->nlabel)
			continue;
		*cookie = l->isetcookie;
		return true;
	}
	return false;
}

/* May the label that image `i` has be one of the same set's, or of none that matters? */
static bool agrees(const struct adding *a, const struct nvdimm_set *set, size_t i,
		   const struct fm_label *l)
{
	unsigned long long position = a->position + i;

	if (!l->valid || l->nlabel != a->nlabel || a->nlabel == 1)
		return true;
	if (l->isetcookie != a->cookie && !a->cookie_given && !a->dimms.count)
		complain(
			"%s: slot %u: isetcookie 0x%llx, expected the 0x%llx of %s, or --cookie or --nfit",
			set->paths[i], l->slot, (unsigned long long)l->isetcookie,
			(unsigned long long)a->cookie, set->paths[0]);
	else if (l->isetcookie == a->cookie && l->position != position)
		complain(
			"%s: slot %u: position %u, expected %llu: each DIMM of a set has one position",
			set->paths[i], l->slot, l->position, position);
	else
		return true;
	return false;
}

/* Labels of two sets, or of another order of the DIMMs, make no namespace in Linux. */
static bool all_agree(const struct adding *a, const struct nvdimm_set *set)
{
	const struct fm_label *l;

	for (size_t i = 0; i < set->count; i++) {
		for (size_t n = 0; (l = fm_label_at(set->areas[i], n)); n++) {
			if (!agrees(a, set, i, l))
				return false;
		}
	}
	return true;
}

static bool take_cookie(struct adding *a, const struct nvdimm_set *set)
{
	unsigned version = fm_label_info(set->areas[0])->version;
	const struct fm_label_mapping qemus = { .serial = QEMU_SERIAL + (uint32_t)a->slot,
						.vendor = QEMU_VENDOR };

	if (a->cookie_given)
		return true;
	if (a->dimms.count)
		a->cookie = fm_label_cookie(version, a->dimms.dimms, a->dimms.count);
	else if (!a->slot_given && known_cookie(a, set, &a->cookie))
		return true;
	else if (a->nlabel == 1)
		a->cookie = fm_label_cookie(version, &qemus, 1);
	else {
		complain(
			"nvdimm labels add: --nfit: is missing, expected it or --cookie for the first "
			"namespace of %llu DIMMs",
			(unsigned long long)a->nlabel);
		return false;
	}
	return true;
}

/* An address that is free in all of them: a range is made of the same bytes of each DIMM. */
static bool take_dpa(struct adding *a, const struct nvdimm_set *set)
{
	uint64_t pmem_len = set->edits[0].area.pmem_len;
	uint64_t limit = pmem_len ? pmem_len : INT64_MAX;
	const struct fm_label_area *const *areas = (const struct fm_label_area *const *)set->areas;
	struct fm_error err;
	int rc;

	if (a->dimms.count && a->dimms.dpa < limit && a->dimms.size < limit - a->dimms.dpa)
		limit = a->dimms.dpa + a->dimms.size;
	if (a->dpa_given || !a->size)
		return true;
	rc = fm_label_find_dpa_in_all(areas, set->count, a->dimms.count ? a->dimms.dpa : 0, limit,
				      a->size, FM_NVDIMM_ALIGN, &a->dpa, &err);
	if (!rc)
		return true;
	if (rc != FM_ERR_NOSPACE)
		complain("%s: %s", set->paths[0], err.msg);
	else
		complain(
			"%s: --size: no 0x%llx bytes in a row below 0x%llx are free%s, expected less",
			set->paths[0], (unsigned long long)a->size, (unsigned long long)limit,
			set->count > 1 ? " in all images" : "");
	return false;
}

static void fill_labels(struct adding *a, const struct nvdimm_set *set)
{
	bool guids = fm_label_info(set->areas[0])->slot_len == 256;

	for (size_t i = 0; i < set->count; i++) {
		struct fm_label *l = &a->labels[i];

		*l = (struct fm_label){
			.nlabel = (uint16_t)a->nlabel,
			.position = (uint16_t)(a->position + i),
			.isetcookie = a->cookie,
			.lbasize = a->lbasize,
			.dpa = a->dpa,
			.rawsize = a->size,
		};
		memcpy(l->uuid, a->uuid, sizeof(l->uuid));
		snprintf(l->name, sizeof(l->name), "%s", a->name ? a->name : "");
		if (guids)
			fm_label_pmem_guid(l->type_guid);
		if (guids || a->use)
			fm_label_use_guid((enum fm_label_use)a->use, l->abstraction_guid);
	}
}

/* --- adding -------------------------------------------------------------------------------------- */

static int apply_add(const struct nvdimm_change *change, size_t first,
		     const struct fm_label_medium *areas, size_t count, struct fm_error *err)
{
	return fm_label_add(areas, count, change->labels + first, err);
}

static enum status add_to(struct adding *a, struct nvdimm_set *set)
{
	const struct nvdimm_change change = { .apply = apply_add, .labels = a->labels };

	if (!nvdimm_set_check(set) || !take_cookie(a, set) || !all_agree(a, set) ||
	    !take_dpa(a, set))
		return STATUS_BAD;
	fill_labels(a, set);
	return nvdimm_set_apply(set, &change);
}

static enum status add(struct adding *a)
{
	struct nvdimm_set set;
	enum status status;
	struct out *out;
	char uuid[37];

	if (!nvdimm_set_open(&set, &a->images, a->label_size))
		return STATUS_BAD;
	status = add_to(a, &set);
	nvdimm_set_close(&set);
	if (status != STATUS_YES)
		return status;
	fm_label_uuid_text(a->uuid, uuid);
	out = out_new(a->json);
	out_value(out, "uuid", OUT_TEXT, (struct out_value){ .text = uuid });
	out_value(out, "dpa", OUT_ADDRESS, (struct out_value){ .number = a->dpa });
	out_value(out, "isetcookie", OUT_ADDRESS, (struct out_value){ .number = a->cookie });
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

static bool refuse(const char *option, uint64_t value, const char *expected)
{
	complain("nvdimm labels add: --%s: %llu, expected %s", option, (unsigned long long)value,
		 expected);
	return false;
}

/* What Linux' drivers take: a sector, and what of it is metadata. */
static bool check_lbasize(uint64_t n)
{
	static const uint16_t sizes[] = { 0, 512, 520, 528, 4096, 4104, 4160, 4224 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		if (n == sizes[i])
			return true;
	}
	return refuse("lbasize", n, "0, 512, 520, 528, 4096, 4104, 4160 or 4224");
}

/* What says one thing of one DIMM, where several are given. */
static bool check_several(struct adding *a)
{
	if (a->nlabel_given)
		return refuse("nlabel", a->nlabel, "none: it is the number of images");
	if (a->position_given)
		return refuse("position", a->position, "none: it is that of the image");
	if (a->slot_given)
		return refuse("slot", a->slot, "none: QEMU's NVDIMMs make no set, see --nfit");
	a->nlabel = a->images.count;
	return true;
}

static bool check_adding(struct adding *a)
{
	if (a->name && strlen(a->name) > FM_LABEL_NAME_MAX) {
		complain("nvdimm labels add: --name: %zu bytes, expected at most %u",
			 strlen(a->name), FM_LABEL_NAME_MAX);
		return false;
	}
	if (a->images.count > 1 && !check_several(a))
		return false;
	if (!a->nlabel || a->nlabel > UINT16_MAX)
		return refuse("nlabel", a->nlabel, "1 to 65535");
	if (a->position >= a->nlabel)
		return refuse("position", a->position, "less than --nlabel");
	if (!a->size || a->size % PAGE)
		return refuse("size", a->size, "a multiple of 4096, not 0");
	if (a->dpa % PAGE)
		return refuse("dpa", a->dpa, "a multiple of 4096");
	if (!check_lbasize(a->lbasize))
		return false;
	if (a->slot > 255)
		return refuse("slot", a->slot, "at most 255");
	if (a->range_given && !a->nfit)
		return refuse("range", a->range, "it beside --nfit");
	if (a->range_given && (!a->range || a->range > UINT16_MAX))
		return refuse("range", a->range, "1 to 65535");
	if (a->nfit && (a->cookie_given || a->slot_given)) {
		complain("nvdimm labels add: --nfit: \"%.60s\", expected no --cookie and no --slot "
			 "beside it",
			 a->nfit);
		return false;
	}
	if (a->nfit && a->nlabel > NVDIMM_SET_MAX)
		return refuse("nlabel", a->nlabel, "at most 16 beside --nfit");
	return !a->nfit || nvdimm_range_read(a->nfit, (size_t)a->nlabel, a->range, &a->dimms);
}

static const char add_text[] =
	"Images of several DIMMs of one interleave set, in the order of their region offsets, each get\n"
	"a label of the namespace, at the same address; cut between two of them, Linux sees no\n"
	"namespace, and \"labels delete\" with the same images takes away what there is.\n"
	"\n"
	"The cookie is that of the interleave set: of the range of --nfit, the table that the guest will\n"
	"see; by default what labels of as many DIMMs have, else, of one DIMM, that of QEMU's --slot.\n"
	"Images whose labels are of another set, or of another order of the DIMMs, are refused.\n"
	"\n"
	"Examples:\n"
	"  firmem nvdimm labels add nv0.img --size 64M --name data --mode fsdax\n"
	"  firmem nvdimm labels add nv0.img nv1.img --size 64M --name data --nfit nfit.bin\n";

enum status nvdimm_labels_add_run(int argc, char **argv)
{
	static const char *const uses[] = { "raw", "btt", "sector", "fsdax", "devdax", NULL };
	struct adding a = { .label_size = NVDIMM_GUESS, .lbasize = 512, .nlabel = 1 };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_WORDS, NULL,
		  "an NVDIMM's file, or a label area alone; of each DIMM", &a.images, true },
	};
	const struct args_option options[] = {
		{ "size", ARGS_SIZE, "N", "bytes on each DIMM", &a.size, true },
		NVDIMM_LABEL_SIZE(a.label_size),
		{ "uuid", ARGS_TEXT, "U", "of the namespace (default: a random one)",
		  &a.uuid_text },
		{ "name", ARGS_TEXT, "NAME", "at most 63 bytes", &a.name },
		{ "mode", ARGS_CHOICE, "MODE",
		  "what it is for: raw (default), btt, sector,\nfsdax, devdax", &a.use,
		  .choices = uses },
		{ "dpa", ARGS_SIZE, "N", "address in the DIMM (default: the first that is free)",
		  &a.dpa, .given = &a.dpa_given },
		{ "lbasize", ARGS_SIZE, "N", "bytes of a logical block (default 512)", &a.lbasize },
		{ "cookie", ARGS_SIZE, "N", "of the interleave set", &a.cookie,
		  .given = &a.cookie_given },
		{ "nfit", ARGS_TEXT, "FILE", "a table that tells of the interleave set", &a.nfit },
		{ "range", ARGS_SIZE, "N", "its range (default: the one of so many DIMMs)",
		  &a.range, .given = &a.range_given },
		{ "slot", ARGS_SIZE, "N", "which of QEMU's NVDIMMs it is (default 0)", &a.slot,
		  .given = &a.slot_given },
		{ "nlabel", ARGS_SIZE, "N",
		  "DIMMs that the namespace is on (default: the\nnumber of images)", &a.nlabel,
		  .given = &a.nlabel_given },
		{ "position", ARGS_SIZE, "N", "which of them this is (default 0)", &a.position,
		  .given = &a.position_given },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &a.json },
	};
	const struct args_spec spec = {
		.command = "nvdimm labels add",
		.summary = "Add a namespace: a label in the image of each of its DIMMs.",
		.text = add_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (a.uuid_text ? !nvdimm_uuid_read(spec.command, a.uuid_text, a.uuid)
			: !random_uuid(a.uuid))
		return STATUS_BAD;
	return check_adding(&a) ? add(&a) : STATUS_BAD;
}

/* --- for "nvdimm create" ------------------------------------------------------------------------- */

uint8_t *nvdimm_namespace_area(const char *path, uint64_t pmem_len, uint64_t label_size,
			       const uint8_t uuid[16])
{
	const struct fm_label_mapping qemus = { .serial = QEMU_SERIAL, .vendor = QEMU_VENDOR };
	struct fm_label_medium medium;
	struct fm_error err;
	struct fm_label l = {
		.nlabel = 1,
		.isetcookie = fm_label_cookie(FM_LABEL_V1_2, &qemus, 1),
		.lbasize = 512,
		.rawsize = pmem_len,
	};
	uint8_t *bytes;

	memcpy(l.uuid, uuid, sizeof(l.uuid));
	fm_label_pmem_guid(l.type_guid);
	bytes = out_need(calloc(1, (size_t)label_size));
	nvdimm_medium_of_bytes(&medium, bytes, (size_t)label_size, pmem_len);
	if (!fm_label_init(&medium, FM_LABEL_V1_2, &err) && !fm_label_add(&medium, 1, &l, &err))
		return bytes;
	complain("%s: %s", path, err.msg);
	free(bytes);
	return NULL;
}
