/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm labels init, delete, rename. */
#include "tools/firmem/nvdimm_set.h"

#include <string.h>

/* What every verb here has. */
struct changing {
	struct args_words images;
	uint64_t label_size;
	const char *uuid_text;
	struct nvdimm_change change;
};

static enum status ended(enum args_result result)
{
	return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
}

bool nvdimm_uuid_read(const char *command, const char *text, uint8_t uuid[16])
{
	if (fm_label_uuid_parse(text, uuid))
		return true;
	complain("%s: --uuid: \"%.60s\", expected one such as 01f56f0a-f7ba-4763-94c2-661a61043531",
		 command, text);
	return false;
}

/* --- init ---------------------------------------------------------------------------------------- */

/* Of what its bytes say: two index blocks that count, or none. */
static enum status init(struct nvdimm_set *set, unsigned version, bool force)
{
	const struct nvdimm_area *area = &set->edits[0].area;
	const char *path = set->paths[0];
	struct fm_error err;

	if (area->len % 256)
		return complain("%s: label area: %llu bytes, expected a multiple of 256", path,
				(unsigned long long)area->len);
	if (area->pmem_len % 4096)
		return complain(
			"%s: --label-size: 0x%llx leaves 0x%llx bytes of memory, expected a "
			"multiple of 0x1000",
			path, (unsigned long long)area->len, (unsigned long long)area->pmem_len);
	if (!force && !nvdimm_area_is_plausible(path, set->edits[0].file, area))
		return STATUS_BAD;
	if (fm_label_info(set->areas[0])->used && !force)
		return complain("%s: it has labels, expected --force", path);
	if (fm_label_init(&set->edits[0].medium, version, &err))
		return nvdimm_complain(path, &err);
	return STATUS_YES;
}

enum status nvdimm_labels_init_run(int argc, char **argv)
{
	static const char *const versions[] = { "1.1", "1.2", NULL };
	struct args_words image = { .count = 1 };
	uint64_t label_size = NVDIMM_GUESS;
	unsigned version = 1;
	bool force = false;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "an NVDIMM's file, or a label area alone", &image.at[0],
		  true },
	};
	const struct args_option options[] = {
		NVDIMM_LABEL_SIZE(label_size),
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
	struct nvdimm_set set;
	enum status status;

	if (result != ARGS_GO)
		return ended(result);
	if (!nvdimm_set_open(&set, &image, label_size))
		return STATUS_BAD;
	status = init(&set, version + 1, force);
	nvdimm_set_close(&set);
	return status;
}

/* --- delete and rename --------------------------------------------------------------------------- */

#define IMAGE_WORDS(c)                                                                             \
	{                                                                                          \
		"IMAGE", ARGS_WORDS, NULL,                                                         \
			"an NVDIMM's file, or a label area alone; of each DIMM", &(c).images, true \
	}

/* All labels of the namespace are in these images, or none: a part with another name helps nobody. */
static bool check_whole(const struct nvdimm_set *set, const uint8_t uuid[16])
{
	const struct fm_label *first = NULL, *l;
	const char *path = NULL;
	size_t found = 0;

	for (size_t i = 0; i < set->count; i++) {
		l = fm_label_find(set->areas[i], uuid);
		if (!l)
			continue;
		found++;
		first = first ? first : l;
		path = path ? path : set->paths[i];
	}
	if (!first || found == first->nlabel)
		return true;
	complain("%s: nlabel: %u, but %zu of the images given have one of its labels, expected the "
		 "images of all its DIMMs",
		 path, first->nlabel, found);
	return false;
}

/*
 * Linux (6.1) disables a region, with all namespaces in it, where its first DIMM has a label that another lacks:
 * that of position 0 does not stay alone, but where all images are given and none has it.
 */
static bool check_first(const struct nvdimm_set *set, const uint8_t uuid[16])
{
	const struct fm_label *l, *other = NULL;
	const char *path = NULL;

	for (size_t i = 0; i < set->count; i++) {
		l = fm_label_find(set->areas[i], uuid);
		if (!l)
			continue;
		if (!l->position || l->flags & FM_LABEL_LOCAL)
			return true;
		other = l;
		path = set->paths[i];
	}
	if (!other || set->count >= other->nlabel)
		return true;
	complain(
		"%s: position: %u of %u, but position 0 is in none of the images given: Linux disables a "
		"region whose first DIMM has a label that another lacks, expected the images of all its "
		"DIMMs, or --force",
		path, other->position, other->nlabel);
	return false;
}

typedef bool check_change(const struct nvdimm_set *set, const uint8_t uuid[16]);

/* `check` NULL: it is as the user says. */
static enum status change_all(struct changing *c, const char *command, check_change *check)
{
	struct nvdimm_set set;
	enum status status = STATUS_BAD;

	if (!nvdimm_uuid_read(command, c->uuid_text, c->change.uuid) ||
	    !nvdimm_set_open(&set, &c->images, c->label_size))
		return STATUS_BAD;
	if (!check || check(&set, c->change.uuid))
		status = nvdimm_set_apply(&set, &c->change);
	nvdimm_set_close(&set);
	return status;
}

static int apply_delete(const struct nvdimm_change *change, size_t first,
			const struct fm_label_medium *areas, size_t count, struct fm_error *err)
{
	return fm_label_delete(areas, count, change->uuid, err);
}

static const char delete_text[] =
	"The images of all DIMMs that the namespace is on, in any order; those without a label of it stay\n"
	"as they are. Cut between two of them, Linux sees no namespace: delete it once more.\n"
	"\n"
	"The label of position 0 does not stay without the others: Linux disables the whole region of a\n"
	"set, with all its namespaces, where its first DIMM has a label that another one lacks.\n";

enum status nvdimm_labels_delete_run(int argc, char **argv)
{
	struct changing c = { .label_size = NVDIMM_GUESS, .change.apply = apply_delete };
	bool force = false;
	const struct args_option words[] = { IMAGE_WORDS(c) };
	const struct args_option options[] = {
		{ "uuid", ARGS_TEXT, "U", "of the namespace", &c.uuid_text, true },
		NVDIMM_LABEL_SIZE(c.label_size),
		{ "force", ARGS_FLAG, NULL, "also without the label of position 0", &force },
	};
	const struct args_spec spec = {
		.command = "nvdimm labels delete",
		.summary = "Delete a namespace's labels; exit status 1 if there are none.",
		.text = delete_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return ended(result);
	return change_all(&c, spec.command, force ? NULL : check_first);
}

static int apply_rename(const struct nvdimm_change *change, size_t first,
			const struct fm_label_medium *areas, size_t count, struct fm_error *err)
{
	return fm_label_rename(areas, count, change->uuid, change->name, err);
}

static const char rename_text[] =
	"The images of all DIMMs that the namespace is on, in any order. Cut between two of them, it is\n"
	"whole under either name; rename it once more.\n";

enum status nvdimm_labels_rename_run(int argc, char **argv)
{
	struct changing c = { .label_size = NVDIMM_GUESS, .change.apply = apply_rename };
	const struct args_option words[] = { IMAGE_WORDS(c) };
	const struct args_option options[] = {
		{ "uuid", ARGS_TEXT, "U", "of the namespace", &c.uuid_text, true },
		{ "name", ARGS_ANY, "NAME", "at most 63 bytes; \"\" is none", &c.change.name,
		  true },
		NVDIMM_LABEL_SIZE(c.label_size),
	};
	const struct args_spec spec = {
		.command = "nvdimm labels rename",
		.summary = "Give a namespace another name; exit status 1 if it is not there.",
		.text = rename_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	return result == ARGS_GO ? change_all(&c, spec.command, check_whole) : ended(result);
}
