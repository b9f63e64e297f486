/* SPDX-License-Identifier: BSD-2-Clause */
/* The device's state, saved, loaded and described. Memory and labels are the block's. */
#include "nvdimm/nvdimm_private.h"

#include <firmem/block.h>

#include "devices/bytes.h"

#include <string.h>

void fmi_nvdimm_save(void *state, struct fm_state_writer *w)
{
	struct nvdimm *n = state;

	fm_state_put_u64(w, n->info.pmem_len);
	fm_state_put_u64(w, n->info.label_len);
	fm_state_put_u32(w, atomic_load(&n->dirty_shutdowns));
	fm_state_put_u8(w, atomic_load(&n->data_lost));
	fm_state_put_u32(w, (uint32_t)n->media.count);
	for (size_t i = 0; i < n->media.count; i++) {
		fm_state_put_u64(w, n->media.spans[i].off);
		fm_state_put_u64(w, n->media.spans[i].len);
	}
}

static int bad_state(const struct nvdimm *n, const char *what, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: saved state: %s", fm_dev_name(n->dev),
			    what);
}

static int load_media(struct nvdimm *n, struct fm_state_reader *r, struct fmi_media *m,
		      struct fm_error *err)
{
	uint64_t end = 0;

	m->count = fm_state_get_u32(r);
	if (m->count > FMI_SPANS || fm_state_left(r) != 16 * m->count)
		return bad_state(n, "media errors: more or fewer than it says", err);
	for (size_t i = 0; i < m->count; i++) {
		struct fm_persist_span *s = &m->spans[i];

		s->off = fm_state_get_u64(r);
		s->len = fm_state_get_u64(r);
		if (!s->len || (i && s->off <= end) ||
		    !fmi_in_range(s->off, s->len, n->info.pmem_len))
			return bad_state(n, "media errors: expected spans in order, in the memory",
					 err);
		end = s->off + s->len;
	}
	return 0;
}

int fmi_nvdimm_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct nvdimm *n = state;
	struct fmi_media media;
	uint64_t pmem_len = fm_state_get_u64(r);
	uint64_t label_len = fm_state_get_u64(r);
	uint32_t shutdowns = fm_state_get_u32(r);
	uint8_t lost = fm_state_get_u8(r);
	int rc;

	if (pmem_len != n->info.pmem_len || label_len != n->info.label_len)
		return fm_error_set(
			err, FM_ERR_FORMAT, 0,
			"%s: saved state: 0x%llx bytes and 0x%llx of labels, expected 0x%llx and 0x%llx",
			fm_dev_name(n->dev), (unsigned long long)pmem_len,
			(unsigned long long)label_len, (unsigned long long)n->info.pmem_len,
			(unsigned long long)n->info.label_len);
	if (lost > 1)
		return bad_state(n, "lost data: expected 0 or 1", err);
	rc = load_media(n, r, &media, err);
	if (rc)
		return rc;
	atomic_store(&n->dirty_shutdowns, shutdowns);
	n->media.count = media.count;
	memcpy(n->media.spans, media.spans, media.count * sizeof(*media.spans));
	atomic_store(&n->media_count, media.count);
	/* What a flush lost here was of the host's file: no state brings it back. */
	if (lost)
		atomic_store(&n->data_lost, true);
	return 0;
}

void fmi_nvdimm_describe(void *state, const struct fm_visitor *v)
{
	struct nvdimm *n = state;

	v->text(v->ctx, "block", fm_block_name(n->info.block));
	v->u64(v->ctx, "label_len", n->info.label_len);
	v->u64(v->ctx, "unarmed", n->info.unarmed);
	v->u64(v->ctx, "read_only", n->info.read_only);
	v->text(v->ctx, "persistence", fm_persistence_name(fm_persist_level(n->persist)));
	v->text(v->ctx, "persistence_reason", fm_persist_reason(n->persist));
	v->u64(v->ctx, "media_errors", n->media.count);
	v->u64(v->ctx, "dirty_shutdowns",
	       (uint64_t)atomic_load(&n->dirty_shutdowns) + atomic_load(&n->data_lost));
}
