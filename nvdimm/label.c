/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvdimm/label_private.h"

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

/* Offsets in a label. */
enum {
	AT_UUID = 0,
	AT_NAME = 16,
	AT_FLAGS = 80,
	AT_NLABEL = 84,
	AT_POSITION = 86,
	AT_COOKIE = 88,
	AT_LBASIZE = 96,
	AT_DPA = 104,
	AT_RAWSIZE = 112,
	AT_SLOT = 120,
	AT_ALIGN = 124,
	AT_TYPE = 128,
	AT_ABSTRACTION = 144,
	AT_CHECKSUM = 248,
};

/* --- one label ----------------------------------------------------------------------------------- */

void fm_label_decode(const uint8_t *p, uint32_t slot_len, uint32_t slot, struct fm_label *out)
{
	memset(out, 0, sizeof(*out));
	out->slot = slot;
	memcpy(out->uuid, p + AT_UUID, 16);
	memcpy(out->name, p + AT_NAME, 64);
	out->flags = fmi_le32(p + AT_FLAGS);
	out->nlabel = fmi_le16(p + AT_NLABEL);
	out->position = fmi_le16(p + AT_POSITION);
	out->isetcookie = fmi_le64(p + AT_COOKIE);
	out->lbasize = fmi_le64(p + AT_LBASIZE);
	out->dpa = fmi_le64(p + AT_DPA);
	out->rawsize = fmi_le64(p + AT_RAWSIZE);
	out->named_slot = fmi_le32(p + AT_SLOT);
	out->checksum_ok = true;
	if (slot_len == 256) {
		out->align = p[AT_ALIGN];
		memcpy(out->type_guid, p + AT_TYPE, 16);
		memcpy(out->abstraction_guid, p + AT_ABSTRACTION, 16);
		out->checksum_ok =
			fmi_le64(p + AT_CHECKSUM) == fmi_fletcher64(p, slot_len, AT_CHECKSUM);
	}
	out->valid = out->checksum_ok && out->named_slot == slot;
}

void fm_label_encode(const struct fm_label *label, uint32_t slot_len, uint8_t *out)
{
	memset(out, 0, slot_len);
	memcpy(out + AT_UUID, label->uuid, 16);
	memcpy(out + AT_NAME, label->name, strnlen(label->name, 64));
	fmi_put_le32(out + AT_FLAGS, label->flags);
	fmi_put_le16(out + AT_NLABEL, label->nlabel);
	fmi_put_le16(out + AT_POSITION, label->position);
	fmi_put_le64(out + AT_COOKIE, label->isetcookie);
	fmi_put_le64(out + AT_LBASIZE, label->lbasize);
	fmi_put_le64(out + AT_DPA, label->dpa);
	fmi_put_le64(out + AT_RAWSIZE, label->rawsize);
	fmi_put_le32(out + AT_SLOT, label->named_slot);
	if (slot_len != 256)
		return;
	out[AT_ALIGN] = label->align;
	memcpy(out + AT_TYPE, label->type_guid, 16);
	memcpy(out + AT_ABSTRACTION, label->abstraction_guid, 16);
	fmi_put_le64(out + AT_CHECKSUM, fmi_fletcher64(out, slot_len, AT_CHECKSUM));
}

/* --- an area ------------------------------------------------------------------------------------- */

static int read_labels(struct fm_label_area *a, const uint8_t *bytes,
		       const struct fmi_label_shape *s, struct fm_error *err)
{
	const uint8_t *index = bytes + (unsigned)a->info.current * s->index_len;
	uint32_t used = 0;

	for (uint32_t slot = 0; slot < a->info.nslot; slot++)
		used += !fmi_index_is_free(index, slot);
	a->info.used = used;
	if (!used)
		return 0;
	a->labels = malloc(used * sizeof(*a->labels));
	if (!a->labels)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "label area: out of memory");
	for (uint32_t slot = 0; slot < a->info.nslot; slot++) {
		if (!fmi_index_is_free(index, slot))
			fm_label_decode(bytes + 2 * s->index_len + (uint64_t)slot * s->slot_len,
					s->slot_len, slot, &a->labels[a->nlabels++]);
	}
	return 0;
}

static int read_area(struct fm_label_area *a, const uint8_t *bytes, size_t len,
		     struct fm_error *err)
{
	struct fm_label_info *info = &a->info;
	struct fmi_label_shape s;
	const uint8_t *index;
	int rc = 0;

	info->current = fmi_index_find(bytes, len, &s, info->index_ok);
	info->area_len = len;
	info->slot_len = s.slot_len;
	info->index_len = s.index_len;
	info->nslot = s.nslot;
	info->version = FM_LABEL_V1_2;
	for (unsigned i = 0; i < 2; i++) {
		if (info->index_ok[i])
			info->index_seq[i] = fmi_le32(bytes + i * s.index_len + FMI_INDEX_SEQ) & 3;
	}
	if (info->current >= 0) {
		index = bytes + (unsigned)info->current * s.index_len;
		info->major = fmi_le16(index + FMI_INDEX_MAJOR);
		info->minor = fmi_le16(index + FMI_INDEX_MINOR);
		if (info->major == 1 && info->minor == FM_LABEL_V1_1)
			info->version = FM_LABEL_V1_1;
		info->nslot = fmi_le32(index + FMI_INDEX_NSLOT);
		info->seq = info->index_seq[info->current];
		rc = read_labels(a, bytes, &s, err);
	}
	return rc ? rc : fmi_label_check(a, bytes, err);
}

int fm_label_parse(struct fm_label_area **out, const void *bytes, size_t len, uint64_t pmem_len,
		   struct fm_error *err)
{
	struct fm_label_area *a;
	int rc;

	if (!out || !bytes)
		return fm_error_set(err, FM_ERR_ARG, 0, "label area: out and bytes must be given");
	if (len < FM_LABEL_AREA_MIN || len > FM_LABEL_AREA_MAX)
		return fm_error_set(err, FM_ERR_SIZE, 0, "label area: %zu bytes, expected %u to %u",
				    len, FM_LABEL_AREA_MIN, FM_LABEL_AREA_MAX);
	a = calloc(1, sizeof(*a));
	if (!a)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "label area: out of memory");
	a->pmem_len = pmem_len;
	rc = read_area(a, bytes, len, err);
	if (rc) {
		fm_label_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void fm_label_free(struct fm_label_area *area)
{
	if (!area)
		return;
	free(area->labels);
	free(area->findings);
	free(area);
}

const struct fm_label_info *fm_label_info(const struct fm_label_area *area)
{
	return &area->info;
}

const struct fm_label *fm_label_at(const struct fm_label_area *area, size_t n)
{
	return n < area->nlabels ? &area->labels[n] : NULL;
}

const struct fm_label *fm_label_find(const struct fm_label_area *area, const uint8_t uuid[16])
{
	for (size_t i = 0; i < area->nlabels; i++) {
		if (area->labels[i].valid && !memcmp(area->labels[i].uuid, uuid, 16))
			return &area->labels[i];
	}
	return NULL;
}

const struct fm_label_finding *fm_label_finding(const struct fm_label_area *area, size_t n)
{
	return n < area->nfindings ? &area->findings[n] : NULL;
}
