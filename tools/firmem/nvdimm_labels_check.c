/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm labels check: what is wrong with label areas, each for itself and together. */
#include "tools/firmem/nvdimm_judge.h"
#include "tools/firmem/nvdimm_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS 16u /* at images that others change all the time */

struct checking {
	struct args_words images;
	uint64_t label_size;
	bool json;
	struct nvdimm_area bytes[ARGS_WORDS_MAX];
	struct fm_label_area *areas[ARGS_WORDS_MAX];
	struct nvdimm_judgement judgement;
};

static struct out_value number(uint64_t n)
{
	return (struct out_value){ .number = n };
}

static struct out_value text(const char *t)
{
	return (struct out_value){ .text = t, .absent = !t };
}

/* --- reading ------------------------------------------------------------------------------------- */

/* Once; *same: as they were the last time. */
static bool look(struct checking *c, bool *same)
{
	*same = true;
	for (size_t i = 0; i < c->images.count; i++) {
		struct nvdimm_area *last = &c->bytes[i], now;

		if (!nvdimm_area_read(c->images.at[i], c->label_size, &now))
			return false;
		*same &= last->bytes && last->len == now.len &&
			 !memcmp(last->bytes, now.bytes, now.len);
		nvdimm_area_free(last);
		*last = now;
	}
	return true;
}

/* A change of several images may come between the first and the last: then a second look shows others. */
static bool read_all(struct checking *c)
{
	bool same = false;

	if (!nvdimm_check_twice(&c->images))
		return false;
	for (unsigned tries = 0; tries < LOOKS && !same; tries++) {
		if (!look(c, &same))
			return false;
		same |= c->images.count == 1;
	}
	for (size_t i = 0; i < c->images.count; i++) {
		c->areas[i] = nvdimm_area_parse(c->images.at[i], &c->bytes[i]);
		if (!c->areas[i])
			return false;
	}
	return true;
}

/* --- printing ------------------------------------------------------------------------------------ */

static void put_images(struct out *out, const struct checking *c)
{
	static const struct out_column columns[] = {
		{ "image", "IMAGE", OUT_TEXT },           { "version", "VERSION", OUT_TEXT },
		{ "label_size", "LABEL", OUT_NUMBER },    { "nslot", "SLOTS", OUT_NUMBER },
		{ "current_index", "INDEX", OUT_NUMBER }, { "seq", "SEQ", OUT_NUMBER },
		{ "used", "USED", OUT_NUMBER },
	};

	out_table(out, "images", columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < c->images.count; i++) {
		const struct fm_label_info *info = fm_label_info(c->areas[i]);
		bool none = info->current < 0;
		char version[16];

		nvdimm_version_text(c->areas[i], version);
		out_row(out, (const struct out_value[]){
				     text(c->images.at[i]),
				     text(none ? NULL : version),
				     number(info->slot_len),
				     number(info->nslot),
				     { .number = info->current == 1, .absent = none },
				     { .number = info->seq, .absent = none },
				     number(info->used),
			     });
	}
	out_table_end(out);
}

/* What to say of one that is not whole, malloc'd; NULL: nothing more than its verdict. */
static char *explain(const struct nvdimm_namespace *ns)
{
	char *what = NULL;

	if (ns->verdict != NVDIMM_ELSEWHERE)
		return NULL;
	if (asprintf(&what,
		     "positions %s of %u are on other DIMMs: give their images, too, to check it",
		     ns->missing, ns->first->nlabel) < 0)
		out_need(NULL);
	return what;
}

static void put_namespaces(struct out *out, const struct nvdimm_judgement *j)
{
	static const struct out_column columns[] = {
		{ "uuid", "NAMESPACE", OUT_TEXT },  { "name", "NAME", OUT_TEXT },
		{ "size", "SIZE", OUT_SIZE },       { "found", "LABELS", OUT_NUMBER },
		{ "nlabel", "OF", OUT_NUMBER },     { "missing", "MISSING", OUT_TEXT },
		{ "verdict", "VERDICT", OUT_TEXT }, { "what", "WHAT", OUT_TEXT },
	};

	out_table(out, "namespaces", columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < j->count; i++) {
		const struct nvdimm_namespace *ns = &j->namespaces[i];
		char *what = explain(ns);
		char uuid[37];

		fm_label_uuid_text(ns->first->uuid, uuid);
		out_row(out, (const struct out_value[]){
				     text(uuid),
				     text(ns->first->name),
				     number(ns->size),
				     number(ns->found),
				     number(ns->first->nlabel),
				     text(ns->missing[0] ? ns->missing : NULL),
				     text(nvdimm_verdict_name(ns->verdict)),
				     text(what),
			     });
		free(what);
	}
	out_table_end(out);
}

/* What finds in one image does not say in which. */
static size_t put_findings(struct out *out, const struct checking *c)
{
	static const struct out_column columns[] = {
		{ "image", "IMAGE", OUT_TEXT },
		{ "finding", "FINDING", OUT_TEXT },
		{ "offset", "OFFSET", OUT_ADDRESS },
		{ "what", "WHAT", OUT_TEXT },
	};
	size_t skip = c->images.count == 1, n = 0;
	const struct fm_label_finding *f;

	out_table(out, "findings", columns + skip, sizeof(columns) / sizeof(*columns) - skip);
	for (size_t i = 0; i < c->images.count; i++) {
		for (size_t k = 0; (f = fm_label_finding(c->areas[i], k)); k++, n++)
			out_row(out, (const struct out_value[]){
					     text(c->images.at[i]),
					     text(fm_label_finding_name(f->kind)),
					     number(f->off),
					     text(f->text),
				     } + skip);
	}
	for (size_t i = 0; i < c->judgement.nfindings; i++, n++) {
		const struct nvdimm_set_finding *s = &c->judgement.findings[i];
		bool none = s->image == NVDIMM_NO_IMAGE;

		out_row(out, (const struct out_value[]){
				     text(none ? NULL : c->images.at[s->image]),
				     text(s->word),
				     { .number = s->off, .absent = none },
				     text(s->text),
			     } + skip);
	}
	out_table_end(out);
	return n;
}

/* --- the verb ------------------------------------------------------------------------------------ */

static enum status check(struct checking *c)
{
	const struct fm_label_info *info = fm_label_info(c->areas[0]);
	struct out *out = out_new(c->json);
	size_t n;

	nvdimm_judge(&c->judgement, c->areas, c->images.at, c->images.count);
	if (c->images.count > 1) {
		put_images(out, c);
	} else {
		nvdimm_put_area(out, c->areas[0]);
		out_value(out, "used", OUT_NUMBER, number(info->used));
	}
	put_namespaces(out, &c->judgement);
	n = put_findings(out, c);
	nvdimm_judgement_free(&c->judgement);
	return out_end(out, n ? STATUS_NO : STATUS_YES);
}

static const char check_text[] =
	"Of several images also whether the labels of each namespace are all there and fit one another: its\n"
	"positions, cookies, sizes, addresses and names. Of one image, members on other DIMMs are told, and\n"
	"are no finding.\n"
	"\n"
	"Offsets count from the start of the label area. Exit status 1 if there are findings.\n"
	"\n"
	"Examples:\n"
	"  firmem nvdimm labels check nv0.img\n"
	"  firmem nvdimm labels check nv0.img nv1.img --json | jq -r '.namespaces[].verdict'\n";

enum status nvdimm_labels_check_run(int argc, char **argv)
{
	struct checking c = { .label_size = NVDIMM_GUESS };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_WORDS, NULL,
		  "an NVDIMM's file, or a label area alone; of each DIMM", &c.images, true },
	};
	const struct args_option options[] = {
		NVDIMM_LABEL_SIZE(c.label_size),
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &c.json },
	};
	const struct args_spec spec = {
		.command = "nvdimm labels check",
		.summary = "Say what is wrong with NVDIMMs' label areas.",
		.text = check_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status = STATUS_BAD;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (read_all(&c))
		status = check(&c);
	for (size_t i = 0; i < c.images.count; i++) {
		fm_label_free(c.areas[i]);
		nvdimm_area_free(&c.bytes[i]);
	}
	return status;
}
