/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of label areas. A label is never changed in place: a new one goes to the lowest free slot, and
 * the index block that does not count is written to count from then on. Each of the two is durable
 * before the next begins, so that what counts is whole at any moment.
 */
#include "nvdimm/label_private.h"

#include "devices/bytes.h"
#include "devices/config.h"

#include <stdlib.h>
#include <string.h>

#define NO_SLOT UINT32_MAX

/* An area in the middle of a change. */
struct edit {
	struct fm_label_medium medium;
	struct fm_label_area *area; /* as it was before */
	struct fmi_label_shape shape;
	uint8_t *index; /* what counts, to be changed and written to the other place */
	unsigned current;
	uint32_t seq;
	uint32_t mine; /* the slot that this change wrote last, or NO_SLOT */
};

static int no_memory(struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_NOMEM, 0, "label area: out of memory");
}

/* --- life ---------------------------------------------------------------------------------------- */

static void close_edits(struct edit *edits, size_t count)
{
	for (size_t i = 0; edits && i < count; i++) {
		fm_label_free(edits[i].area);
		free(edits[i].index);
	}
	free(edits);
}

static int copy_medium(struct fm_label_medium *out, const void *from, struct fm_error *err)
{
	int rc = fmi_config_copy(out, sizeof(*out), from, "fm_label_medium", err);

	if (!rc && (!out->bytes || !out->write || !out->sync))
		rc = fm_error_set(err, FM_ERR_ARG, 0,
				  "fm_label_medium: expected bytes, write and sync");
	return rc;
}

static int open_edit(struct edit *e, const void *medium, struct fm_error *err)
{
	struct fm_label_medium *m = &e->medium;
	const struct fm_label_info *info;
	int rc = copy_medium(m, medium, err);

	if (!rc)
		rc = fm_label_parse(&e->area, m->bytes, m->len, m->pmem_len, err);
	if (rc)
		return rc;
	info = fm_label_info(e->area);
	if (info->current < 0)
		return fm_error_set(
			err, FM_ERR_STATE, 0,
			"label area: no valid index block, expected an initialised area");
	fmi_label_shape(m->len, info->slot_len, &e->shape);
	e->current = (unsigned)info->current;
	e->seq = info->seq;
	e->mine = NO_SLOT;
	e->index = malloc(info->index_len);
	if (!e->index)
		return no_memory(err);
	memcpy(e->index, (const uint8_t *)m->bytes + e->current * info->index_len, info->index_len);
	return 0;
}

/* An area that was given twice would be changed by what was read of it before the first change. */
static int check_apart(const struct edit *edits, size_t n, struct fm_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (edits[i].medium.bytes == edits[n].medium.bytes)
			return fm_error_set(err, FM_ERR_ARG, 0,
					    "fm_label_medium: areas %zu and %zu are one", i, n);
	}
	return 0;
}

/* An array of a caller's: its elements are as far apart as they were in the caller's header. */
static int open_edits(struct edit **out, const struct fm_label_medium *areas, size_t count,
		      struct fm_error *err)
{
	const uint8_t *at = (const uint8_t *)areas;
	struct edit *edits;
	int rc = 0;

	if (!areas || !count)
		return fm_error_set(err, FM_ERR_ARG, 0, "label area: expected at least one");
	edits = calloc(count, sizeof(*edits));
	if (!edits)
		return no_memory(err);
	for (size_t i = 0; i < count && !rc; i++, at += areas->struct_size) {
		size_t given;

		memcpy(&given, at, sizeof(given));
		rc = given == areas->struct_size
			     ? open_edit(&edits[i], at, err)
			     : fm_error_set(
				       err, FM_ERR_ARG, 0,
				       "fm_label_medium.struct_size: %zu, expected %zu as of the first",
				       given, areas->struct_size);
		if (!rc)
			rc = check_apart(edits, i, err);
	}
	if (rc)
		close_edits(edits, count);
	else
		*out = edits;
	return rc;
}

/* --- steps --------------------------------------------------------------------------------------- */

static int put(const struct fm_label_medium *m, uint64_t off, const void *bytes, size_t len,
	       struct fm_error *err)
{
	int rc = m->write(m->ctx, off, bytes, len, err);

	return rc ? rc : m->sync(m->ctx, off, len, err);
}

static uint32_t lowest_free(const struct edit *e)
{
	uint32_t nslot = fm_label_info(e->area)->nslot;

	for (uint32_t slot = 0; slot < nslot; slot++) {
		if (fmi_index_is_free(e->index, slot))
			return slot;
	}
	return NO_SLOT;
}

/* The labels of the namespace as they were, and the one that this change wrote, are free now. */
static void free_old(struct edit *e, const uint8_t uuid[16])
{
	const struct fm_label *l;

	for (size_t i = 0; (l = fm_label_at(e->area, i)); i++) {
		if (l->valid && !memcmp(l->uuid, uuid, 16))
			fmi_index_set_free(e->index, l->slot, true);
	}
	if (e->mine != NO_SLOT)
		fmi_index_set_free(e->index, e->mine, true);
}

/* What the index says now becomes what counts. */
static int write_index(struct edit *e, struct fm_error *err)
{
	unsigned which = !e->current;
	uint32_t seq = fmi_index_next_seq(e->seq);
	int rc;

	fmi_index_seal(e->index, &e->shape, which, seq);
	rc = put(&e->medium, which * e->shape.index_len, e->index, e->shape.index_len, err);
	if (rc)
		return rc;
	e->current = which;
	e->seq = seq;
	return 0;
}

/* Put a label in the place of what the namespace has in the area. */
static int replace(struct edit *e, const struct fm_label *label, uint32_t flags,
		   struct fm_error *err)
{
	uint32_t slot = lowest_free(e);
	struct fm_label l = *label;
	uint8_t bytes[FMI_SLOT_MAX];
	int rc;

	if (slot == NO_SLOT)
		return fm_error_set(err, FM_ERR_NOSPACE, 0, "label area: no free slot");
	l.named_slot = slot;
	l.flags = flags;
	fm_label_encode(&l, e->shape.slot_len, bytes);
	rc = put(&e->medium, 2 * e->shape.index_len + (uint64_t)slot * e->shape.slot_len, bytes,
		 e->shape.slot_len, err);
	if (rc)
		return rc;
	free_old(e, l.uuid);
	fmi_index_set_free(e->index, slot, false);
	/* The medium has not the old label's slot any more, but this one. */
	e->mine = slot;
	return write_index(e, err);
}

/*
 * Linux looks for the other labels of those that the first DIMM has, and gives up the whole region, with all
 * its namespaces, where one is missing; incomplete labels of the others alone it passes over. So the
 * first DIMM gets its label last, and is the first to lose it.
 */
static bool is_first(const struct fm_label *label)
{
	return !label->position;
}

/* Those of one of the two halves of a cycle. A label with nlabel 0 is none. */
static int replace_half(struct edit *edits, size_t count, const struct fm_label *labels, bool first,
			uint32_t updating, struct fm_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		uint32_t flags = labels[i].flags & ~(uint32_t)FM_LABEL_UPDATING;

		if (labels[i].nlabel && is_first(&labels[i]) == first)
			rc = replace(&edits[i], &labels[i], flags | updating, err);
	}
	return rc;
}

/* A whole change: of all areas with UPDATING, then of all without. */
static int replace_all(struct edit *edits, size_t count, const struct fm_label *labels,
		       struct fm_error *err)
{
	int rc = replace_half(edits, count, labels, false, FM_LABEL_UPDATING, err);

	if (!rc)
		rc = replace_half(edits, count, labels, true, FM_LABEL_UPDATING, err);
	if (!rc)
		rc = replace_half(edits, count, labels, false, 0, err);
	return rc ? rc : replace_half(edits, count, labels, true, 0, err);
}

/* --- checks -------------------------------------------------------------------------------------- */

static int need_free(const struct edit *e, uint32_t slots, struct fm_error *err)
{
	const struct fm_label_info *info = fm_label_info(e->area);

	if (info->nslot - info->used >= slots)
		return 0;
	return fm_error_set(err, FM_ERR_NOSPACE, 0,
			    "label area: %u of %u slots are free, expected at least %u",
			    info->nslot - info->used, info->nslot, slots);
}

static int check_name(const char *name, struct fm_error *err)
{
	if (fmi_label_name_ok(name, FM_LABEL_NAME_MAX))
		return 0;
	return fm_error_set(err, FM_ERR_ARG, 0, "label: name: expected at most %u bytes of UTF-8",
			    FM_LABEL_NAME_MAX);
}

static int check_fields(const struct edit *e, const struct fm_label *l, struct fm_error *err)
{
	static const uint8_t zero[16];

	if (!memcmp(l->uuid, zero, 16))
		return fm_error_set(err, FM_ERR_ARG, 0, "label: uuid: 0, expected one");
	if (l->position >= l->nlabel)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "label: position %u, expected below nlabel %u", l->position,
				    l->nlabel);
	if (!l->rawsize || fmi_wraps(l->dpa, l->rawsize))
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"label: dpa 0x%llx + rawsize 0x%llx, expected some bytes, below 2^64",
			(unsigned long long)l->dpa, (unsigned long long)l->rawsize);
	if (e->shape.slot_len == 128 && memcmp(l->abstraction_guid, zero, 16))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "label: abstraction GUID: slots of 128 bytes have none");
	if (l->flags & ~0xfu)
		return fm_error_set(err, FM_ERR_ARG, 0, "label: flags 0x%x, expected at most 0xf",
				    l->flags);
	return check_name(l->name, err);
}

static int check_claims(const struct edit *e, const struct fm_label *l, struct fm_error *err)
{
	uint64_t pmem_len = e->medium.pmem_len;
	const struct fm_label *o;

	if (pmem_len && !fmi_in_range(l->dpa, l->rawsize, pmem_len))
		return fm_error_set(err, FM_ERR_RANGE, 0,
				    "label: dpa 0x%llx + rawsize 0x%llx leaves the 0x%llx bytes",
				    (unsigned long long)l->dpa, (unsigned long long)l->rawsize,
				    (unsigned long long)pmem_len);
	for (size_t i = 0; (o = fm_label_at(e->area, i)); i++) {
		if (!o->valid || !o->rawsize)
			continue;
		if (o->dpa <= l->dpa + (l->rawsize - 1) &&
		    (fmi_wraps(o->dpa, o->rawsize) || l->dpa <= o->dpa + (o->rawsize - 1)))
			return fm_error_set(err, FM_ERR_OVERLAP, 0,
					    "label: dpa 0x%llx + rawsize 0x%llx overlaps slot %u",
					    (unsigned long long)l->dpa,
					    (unsigned long long)l->rawsize, o->slot);
	}
	return 0;
}

/* --- the changes --------------------------------------------------------------------------------- */

/* That index block of an area of that shape does not count any more, if it did. */
static int spoil(const struct fm_label_medium *m, const struct fmi_label_shape *s, unsigned which,
		 struct fm_error *err)
{
	static const uint8_t none[sizeof(FMI_INDEX_SIG)];

	return fmi_index_valid(m->bytes, s, which, NULL)
		       ? put(m, which * s->index_len, none, sizeof(none), err)
		       : 0;
}

/* What the block says that does not count is older than the old labels: nothing goes back to it. */
static int spoil_older(const struct fm_label_medium *m, struct fm_error *err)
{
	struct fmi_label_shape s;
	bool ok[2];
	int current = fmi_index_find(m->bytes, m->len, &s, ok);

	return current < 0 ? 0 : spoil(m, &s, !current, err);
}

/* Blocks of the other version may lie behind the new ones, and count before them. */
static int spoil_others(const struct fm_label_medium *m, uint32_t slot_len, struct fm_error *err)
{
	struct fmi_label_shape s;
	int rc = 0;

	if (!fmi_label_shape(m->len, slot_len, &s))
		return 0;
	for (unsigned i = 0; i < 2 && !rc; i++)
		rc = spoil(m, &s, i, err);
	return rc;
}

int fm_label_init(const struct fm_label_medium *area, unsigned version, struct fm_error *err)
{
	struct fm_label_medium m;
	struct fmi_label_shape s;
	uint8_t *index;
	int rc = copy_medium(&m, area, err);

	if (rc)
		return rc;
	if (version != FM_LABEL_V1_1 && version != FM_LABEL_V1_2)
		return fm_error_set(err, FM_ERR_ARG, 0, "label version 1.%u, expected 1.1 or 1.2",
				    version);
	if (m.len < FM_LABEL_AREA_MIN || m.len > FM_LABEL_AREA_MAX ||
	    !fmi_label_shape(m.len, version == FM_LABEL_V1_1 ? 128 : 256, &s))
		return fm_error_set(err, FM_ERR_SIZE, 0, "label area: %zu bytes, expected %u to %u",
				    m.len, FM_LABEL_AREA_MIN, FM_LABEL_AREA_MAX);
	index = malloc(s.index_len);
	if (!index)
		return no_memory(err);
	/* A medium whose file was cut short says so here, and is not read. */
	rc = m.write(m.ctx, 0, index, 0, err);
	if (!rc)
		rc = spoil_older(&m, err);
	for (unsigned i = 0; i < 2 && !rc; i++) {
		fmi_index_blank(index, &s, version);
		fmi_index_seal(index, &s, i, 3 - i);
		rc = put(&m, i * s.index_len, index, s.index_len, err);
	}
	if (!rc)
		rc = spoil_others(&m, s.slot_len == 128 ? 256 : 128, err);
	free(index);
	return rc;
}

int fm_label_add(const struct fm_label_medium *areas, size_t count, const struct fm_label *labels,
		 struct fm_error *err)
{
	struct edit *edits = NULL;
	int rc = open_edits(&edits, areas, count, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < count && !rc; i++) {
		rc = check_fields(&edits[i], &labels[i], err);
		if (!rc && fm_label_find(edits[i].area, labels[i].uuid))
			rc = fm_error_set(err, FM_ERR_EXISTS, 0, "label: the UUID is there");
		if (!rc)
			rc = check_claims(&edits[i], &labels[i], err);
		if (!rc)
			rc = need_free(&edits[i], 2, err);
	}
	if (!rc)
		rc = replace_all(edits, count, labels, err);
	close_edits(edits, count);
	return rc;
}

static int rename_all(struct edit *edits, size_t count, const uint8_t uuid[16], const char *name,
		      struct fm_error *err)
{
	struct fm_label *labels = calloc(count, sizeof(*labels));
	bool found = false;
	int rc = 0;

	if (!labels)
		return no_memory(err);
	for (size_t i = 0; i < count && !rc; i++) {
		const struct fm_label *l = fm_label_find(edits[i].area, uuid);

		if (!l)
			continue;
		found = true;
		labels[i] = *l;
		memset(labels[i].name, 0, sizeof(labels[i].name));
		memcpy(labels[i].name, name, strlen(name));
		rc = l->nlabel ? need_free(&edits[i], 1, err)
			       : fm_error_set(err, FM_ERR_FORMAT, 0,
					      "label: slot %u: nlabel 0, expected 1 or more",
					      l->slot);
	}
	if (!rc && !found)
		rc = fm_error_set(err, FM_ERR_NOT_FOUND, 0, "label: no namespace of that UUID");
	if (!rc)
		rc = replace_all(edits, count, labels, err);
	free(labels);
	return rc;
}

int fm_label_rename(const struct fm_label_medium *areas, size_t count, const uint8_t uuid[16],
		    const char *name, struct fm_error *err)
{
	struct edit *edits = NULL;
	int rc = check_name(name, err);

	if (!rc)
		rc = open_edits(&edits, areas, count, err);
	if (rc)
		return rc;
	rc = rename_all(edits, count, uuid, name, err);
	close_edits(edits, count);
	return rc;
}

static int delete_half(struct edit *edits, size_t count, const uint8_t uuid[16], bool first,
		       bool *found, struct fm_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		const struct fm_label *l = fm_label_find(edits[i].area, uuid);

		if (!l || is_first(l) != first)
			continue;
		*found = true;
		free_old(&edits[i], uuid);
		rc = write_index(&edits[i], err);
	}
	return rc;
}

int fm_label_delete(const struct fm_label_medium *areas, size_t count, const uint8_t uuid[16],
		    struct fm_error *err)
{
	struct edit *edits = NULL;
	bool found = false;
	int rc = open_edits(&edits, areas, count, err);

	if (rc)
		return rc;
	rc = delete_half(edits, count, uuid, true, &found, err);
	if (!rc)
		rc = delete_half(edits, count, uuid, false, &found, err);
	if (!rc && !found)
		rc = fm_error_set(err, FM_ERR_NOT_FOUND, 0, "label: no namespace of that UUID");
	close_edits(edits, count);
	return rc;
}
