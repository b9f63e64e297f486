/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/nvdimm_judge.h"

#include "tools/firmem/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGES_MAX 8u /* of missing positions: all of 16 DIMMs */

struct member {
	const struct fm_label *label;
	size_t image;
};

struct judging {
	struct nvdimm_judgement *out;
	struct fm_label_area *const *areas;
	const char *const *paths;
	size_t images;
	size_t room; /* for findings */
};

/* --- findings ------------------------------------------------------------------------------------ */

static uint64_t place(const struct judging *j, const struct member *m)
{
	const struct fm_label_info *info = fm_label_info(j->areas[m->image]);

	return 2 * info->index_len + (uint64_t)m->label->slot * info->slot_len;
}

/* `m` NULL: of what is in no image. "namespace UUID: position N: " comes before the text. */
FM_PRINTF(5, 6)
static void find(struct judging *j, const char *word, const struct fm_label *of,
		 const struct member *m, const char *fmt, ...)
{
	struct nvdimm_judgement *o = j->out;
	struct nvdimm_set_finding *f;
	char uuid[37], position[24] = "", *what = NULL;
	va_list args;

	if (o->nfindings == j->room) {
		j->room = j->room ? 2 * j->room : 8;
		o->findings = out_need(reallocarray(o->findings, j->room, sizeof(*f)));
	}
	f = &o->findings[o->nfindings++];
	*f = (struct nvdimm_set_finding){ .word = word, .image = m ? m->image : NVDIMM_NO_IMAGE };
	va_start(args, fmt);
	if (vasprintf(&what, fmt, args) < 0)
		out_need(NULL);
	va_end(args);
	if (m) {
		f->off = place(j, m);
		snprintf(position, sizeof(position), "position %u: ", m->label->position);
	}
	fm_label_uuid_text(of->uuid, uuid);
	if (asprintf(&f->text, "namespace %s: %s%s", uuid, position, what) < 0)
		out_need(NULL);
	free(what);
}

/* --- what labels of one namespace have in common ------------------------------------------------- */

static void differ(struct judging *j, const char *word, const char *field, const struct member *m,
		   uint64_t value, const struct member *first, uint64_t expected)
{
	if (value != expected)
		find(j, word, m->label, m, "%s: 0x%llx, expected 0x%llx as of position %u in %s",
		     field, (unsigned long long)value, (unsigned long long)expected,
		     first->label->position, j->paths[first->image]);
}

static void differ_guid(struct judging *j, const char *field, const struct member *m,
			const uint8_t value[16], const struct member *first,
			const uint8_t expected[16])
{
	if (memcmp(value, expected, 16))
		find(j, "set-use", m->label, m, "%s: another than of position %u in %s", field,
		     first->label->position, j->paths[first->image]);
}

static void compare(struct judging *j, const struct member *m, const struct member *first)
{
	const struct fm_label *a = m->label, *b = first->label;

	if (a->nlabel != b->nlabel)
		find(j, "set-members", a, m, "nlabel: %u, expected %u as of position %u in %s",
		     a->nlabel, b->nlabel, b->position, j->paths[first->image]);
	differ(j, "set-cookie", "isetcookie", m, a->isetcookie, first, b->isetcookie);
	differ(j, "set-size", "rawsize", m, a->rawsize, first, b->rawsize);
	differ(j, "set-address", "dpa", m, a->dpa, first, b->dpa);
	differ(j, "set-use", "lbasize", m, a->lbasize, first, b->lbasize);
	differ_guid(j, "type_guid", m, a->type_guid, first, b->type_guid);
	differ_guid(j, "abstraction_guid", m, a->abstraction_guid, first, b->abstraction_guid);
	if (strcmp(a->name, b->name))
		find(j, "set-name", a, m, "name: \"%s\", expected \"%s\" as of position %u in %s",
		     a->name, b->name, b->position, j->paths[first->image]);
}

/* Of a label that is not the first: `before` is the one that its image had already, or NULL. */
static void judge_member(struct judging *j, const struct member *m, const struct member *before)
{
	if (m[-1].label->position == m->label->position && m[-1].image != m->image)
		find(j, "set-twice", m->label, m, "also in %s, slot %u, expected it once",
		     j->paths[m[-1].image], m[-1].label->slot);
	if (before && before->label->position != m->label->position)
		find(j, "set-shared", m->label, m,
		     "%s has position %u as well, expected one for each DIMM", j->paths[m->image],
		     before->label->position);
}

/* --- positions ----------------------------------------------------------------------------------- */

/* Those from `from` to before `to` are missing. */
static void miss(struct nvdimm_namespace *ns, unsigned *ranges, unsigned from, unsigned to)
{
	size_t len = strlen(ns->missing), room = sizeof(ns->missing) - len;
	const char *comma = len ? ", " : "";

	if (from >= to || *ranges > RANGES_MAX)
		return;
	if (++*ranges > RANGES_MAX)
		snprintf(ns->missing + len, room, ", ...");
	else if (to - from == 1)
		snprintf(ns->missing + len, room, "%s%u", comma, from);
	else
		snprintf(ns->missing + len, room, "%s%u-%u", comma, from, to - 1);
}

/* Labels in the order of their positions; the first of each counts. */
static void count_positions(struct nvdimm_namespace *ns, const struct member *m, size_t count)
{
	unsigned next = 0, ranges = 0, nlabel = m->label->nlabel;

	for (size_t i = 0; i < count; i++) {
		unsigned position = m[i].label->position;

		if (position < next || position >= nlabel)
			continue;
		miss(ns, &ranges, next, position);
		next = position + 1;
		ns->found++;
		ns->size += m[i].label->rawsize;
	}
	miss(ns, &ranges, next, nlabel);
}

/* --- a namespace --------------------------------------------------------------------------------- */

static void judge_members(struct judging *j, const struct member *m, size_t count)
{
	const struct member *had[ARGS_WORDS_MAX] = { [0] = NULL };

	had[m->image] = m;
	for (size_t i = 1; i < count; i++) {
		judge_member(j, &m[i], had[m[i].image]);
		compare(j, &m[i], m);
		if (!had[m[i].image])
			had[m[i].image] = &m[i];
	}
}

static void judge_one(struct judging *j, const struct member *m, size_t count)
{
	struct nvdimm_namespace *ns = &j->out->namespaces[j->out->count++];
	size_t before = j->out->nfindings;

	*ns = (struct nvdimm_namespace){ .first = m->label };
	count_positions(ns, m, count);
	ns->verdict = NVDIMM_LOCAL;
	if (m->label->flags & FM_LABEL_LOCAL)
		return;
	judge_members(j, m, count);
	ns->verdict = before != j->out->nfindings ? NVDIMM_INCONSISTENT : NVDIMM_WHOLE;
	if (!ns->missing[0])
		return;
	if (j->images > 1)
		find(j, "set-incomplete", m->label, NULL,
		     "positions: %s of %u in none of the images, expected all%s", ns->missing,
		     m->label->nlabel,
		     m->label->position ? ""
					: ": Linux disables a region whose first DIMM has a "
					  "label that another lacks");
	if (ns->verdict == NVDIMM_WHOLE)
		ns->verdict = j->images > 1 ? NVDIMM_INCOMPLETE : NVDIMM_ELSEWHERE;
}

/* --- all of them --------------------------------------------------------------------------------- */

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_position(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	int d = memcmp(a->label->uuid, b->label->uuid, 16);

	if (!d)
		d = order(a->label->position, b->label->position);
	if (!d)
		d = order(a->image, b->image);
	return d ? d : order(a->label->slot, b->label->slot);
}

static size_t take_members(const struct judging *j, struct member **out)
{
	const struct fm_label *l;
	size_t room = 1, n = 0;

	for (size_t i = 0; i < j->images; i++)
		room += fm_label_info(j->areas[i])->used;
	*out = out_need(calloc(room, sizeof(**out)));
	for (size_t i = 0; i < j->images; i++) {
		for (size_t k = 0; (l = fm_label_at(j->areas[i], k)); k++) {
			if (l->valid)
				(*out)[n++] = (struct member){ l, i };
		}
	}
	qsort(*out, n, sizeof(**out), by_position);
	return n;
}

void nvdimm_judge(struct nvdimm_judgement *out, struct fm_label_area *const *areas,
		  const char *const *paths, size_t count)
{
	struct judging j = { .out = out, .areas = areas, .paths = paths, .images = count };
	struct member *members;
	size_t n = take_members(&j, &members), end;

	*out = (struct nvdimm_judgement){ .namespaces = out_need(
						  calloc(n + 1, sizeof(*out->namespaces))) };
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n; end++) {
			if (memcmp(members[i].label->uuid, members[end].label->uuid, 16))
				break;
		}
		judge_one(&j, members + i, end - i);
	}
	free(members);
}

void nvdimm_judgement_free(struct nvdimm_judgement *judgement)
{
	for (size_t i = 0; i < judgement->nfindings; i++)
		free(judgement->findings[i].text);
	free(judgement->findings);
	free(judgement->namespaces);
}

const char *nvdimm_verdict_name(enum nvdimm_verdict verdict)
{
	static const char *const names[] = {
		[NVDIMM_WHOLE] = "whole",           [NVDIMM_ELSEWHERE] = "elsewhere",
		[NVDIMM_INCOMPLETE] = "incomplete", [NVDIMM_INCONSISTENT] = "inconsistent",
		[NVDIMM_LOCAL] = "local",
	};

	return names[verdict];
}
