/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/nvdimm_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- opening ------------------------------------------------------------------------------------- */

/* Whatever its names: a second lock of one file would fail, and say that another process has it. */
bool nvdimm_check_twice(const struct args_words *images)
{
	struct stat st[NVDIMM_SET_MAX];

	for (size_t i = 0; i < images->count; i++) {
		/* What cannot be asked cannot be opened: that is told then. */
		if (stat(images->at[i], &st[i]))
			return true;
		for (size_t k = 0; k < i; k++) {
			if (st[k].st_dev != st[i].st_dev || st[k].st_ino != st[i].st_ino)
				continue;
			complain("%s: the same file as %s, expected another DIMM's image",
				 images->at[i], images->at[k]);
			return false;
		}
	}
	return true;
}

static bool open_next(struct nvdimm_set *set, uint64_t label_size)
{
	const char *path = set->paths[set->count];
	struct nvdimm_edit *edit = &set->edits[set->count];

	if (!nvdimm_edit_open(path, label_size, edit))
		return false;
	set->areas[set->count] = nvdimm_area_parse(path, &edit->area);
	if (set->areas[set->count]) {
		set->count++;
		return true;
	}
	nvdimm_edit_close(edit);
	return false;
}

bool nvdimm_set_open(struct nvdimm_set *set, const struct args_words *images, uint64_t label_size)
{
	*set = (struct nvdimm_set){ .paths = images->at };
	if (!nvdimm_check_twice(images))
		return false;
	while (set->count < images->count) {
		if (open_next(set, label_size))
			continue;
		nvdimm_set_close(set);
		return false;
	}
	return true;
}

void nvdimm_set_close(struct nvdimm_set *set)
{
	while (set->count) {
		set->count--;
		fm_label_free(set->areas[set->count]);
		nvdimm_edit_close(&set->edits[set->count]);
	}
}

bool nvdimm_set_check(const struct nvdimm_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		uint64_t len = set->edits[i].area.pmem_len, first = set->edits[0].area.pmem_len;
		char version[16], expected[16];

		if (fm_label_info(set->areas[i])->current < 0) {
			complain("%s: label area: no valid index block, expected what \"firmem "
				 "nvdimm labels init\" makes",
				 set->paths[i]);
			return false;
		}
		nvdimm_version_text(set->areas[i], version);
		nvdimm_version_text(set->areas[0], expected);
		if (strcmp(version, expected)) {
			complain("%s: version: %s, expected %s as %s has", set->paths[i], version,
				 expected, set->paths[0]);
			return false;
		}
		if (len != first) {
			complain("%s: memory: 0x%llx bytes, expected 0x%llx as %s has",
				 set->paths[i], (unsigned long long)len, (unsigned long long)first,
				 set->paths[0]);
			return false;
		}
	}
	return true;
}

/* --- changing ------------------------------------------------------------------------------------ */

static int try_one(const struct nvdimm_set *set, size_t i, const struct nvdimm_change *change,
		   struct fm_error *err)
{
	const struct fm_label_medium *own = &set->edits[i].medium;
	uint8_t *bytes = out_need(malloc(own->len));
	struct fm_label_medium copy;
	int rc;

	memcpy(bytes, own->bytes, own->len);
	nvdimm_medium_of_bytes(&copy, bytes, own->len, own->pmem_len);
	rc = change->apply(change, i, &copy, 1, err);
	free(bytes);
	return rc;
}

/* An image's area, and which it is: the library does not say what image a change ended at. */
struct told {
	const struct fm_label_medium *own;
	size_t *at;
	size_t number;
};

static int told_write(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	const struct told *t = ctx;

	*t->at = t->number;
	return t->own->write(t->own->ctx, off, bytes, len, err);
}

static int told_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	const struct told *t = ctx;

	*t->at = t->number;
	return t->own->sync(t->own->ctx, off, len, err);
}

static enum status apply(struct nvdimm_set *set, const struct nvdimm_change *change)
{
	struct fm_label_medium media[NVDIMM_SET_MAX];
	struct told told[NVDIMM_SET_MAX];
	struct fm_error err;
	size_t at = 0;

	for (size_t i = 0; i < set->count; i++) {
		told[i] = (struct told){ &set->edits[i].medium, &at, i };
		media[i] = set->edits[i].medium;
		media[i].ctx = &told[i];
		media[i].write = told_write;
		media[i].sync = told_sync;
	}
	if (!change->apply(change, 0, media, set->count, &err))
		return STATUS_YES;
	return nvdimm_complain(set->paths[at], &err);
}

enum status nvdimm_set_apply(struct nvdimm_set *set, const struct nvdimm_change *change)
{
	struct fm_error err;
	bool found = false;
	int rc;

	for (size_t i = 0; i < set->count; i++) {
		rc = try_one(set, i, change, &err);
		if (rc && rc != FM_ERR_NOT_FOUND)
			return nvdimm_complain(set->paths[i], &err);
		found |= !rc;
	}
	if (found)
		return apply(set, change);
	nvdimm_complain(set->paths[0], &err);
	return STATUS_NO;
}
