/* SPDX-License-Identifier: BSD-2-Clause */
/* A label area in a block, made durable by a fm_persist. */
#include <firmem/block.h>
#include <firmem/dirty.h>
#include <firmem/label.h>
#include <firmem/persist.h>

#include "nvdimm/persist_private.h"

#include "devices/bytes.h"

#include <string.h>

static int place_write(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	const struct fm_label_place *p = ctx;
	uint8_t *base = fm_block_ptr(p->block);
	int rc;

	if (!fmi_in_range(off, len, p->len))
		return fm_error_set(err, FM_ERR_RANGE, 0, "block %s: label area: 0x%llx + 0x%zx",
				    fm_block_name(p->block), (unsigned long long)off, len);
	/* A store behind the end of a file that was cut short is a SIGBUS, and one into a hole on a full disk. */
	rc = p->persist ? fmi_persist_check(p->persist, err) : 0;
	if (!rc && p->persist)
		rc = fmi_persist_make_room(p->persist, p->off + off, len, true, err);
	if (rc)
		return rc;
	memcpy(base + p->off + off, bytes, len);
	fm_dirty_mark(fm_block_dirty(p->block), p->off + off, len);
	return 0;
}

static int place_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	const struct fm_label_place *p = ctx;

	return p->persist ? fm_persist_range(p->persist, p->off + off, len, err) : 0;
}

int fm_label_medium_of(struct fm_label_medium *out, const struct fm_label_place *place,
		       uint64_t pmem_len, struct fm_error *err)
{
	int rc;

	if (!fmi_in_range(place->off, place->len, fm_block_len(place->block)))
		return fm_error_set(err, FM_ERR_RANGE, 0,
				    "block %s: label area 0x%llx + 0x%llx leaves its 0x%llx bytes",
				    fm_block_name(place->block), (unsigned long long)place->off,
				    (unsigned long long)place->len,
				    (unsigned long long)fm_block_len(place->block));
	if (fm_block_flags(place->block) & FM_BLOCK_READONLY)
		return fm_error_set(err, FM_ERR_ACCESS, 0,
				    "block %s: read-only, expected a writable one",
				    fm_block_name(place->block));
	rc = place->persist ? fmi_persist_check(place->persist, err) : 0;
	if (!rc && place->persist)
		rc = fmi_persist_make_room(place->persist, place->off, place->len, false, err);
	if (rc)
		return rc;
	*out = (struct fm_label_medium){
		.struct_size = sizeof(*out),
		.bytes = (const uint8_t *)fm_block_ptr(place->block) + place->off,
		.len = place->len,
		.pmem_len = pmem_len,
		/* The members are the caller's; only what they point to is changed. */
		.ctx = (void *)(uintptr_t)place,
		.write = place_write,
		.sync = place_sync,
	};
	return 0;
}
