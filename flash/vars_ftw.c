/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fault tolerant write by which edk2 reclaims a store (MdeModulePkg/Universal/
 * FaultTolerantWriteDxe): a queue of writes in the working block, and the spare area, in which the new
 * blocks are complete before the old ones are erased.
 */
#include "flash/vars_private.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

#include <stdlib.h>
#include <string.h>

#define WRITE_LEN 40u  /* EFI_FAULT_TOLERANT_WRITE_HEADER */
#define RECORD_LEN 40u /* EFI_FAULT_TOLERANT_WRITE_RECORD */

/* Flags are true when their bit is 0. */
#define HEADER_ALLOCATED 1u
#define WRITES_ALLOCATED 2u
#define COMPLETE 4u
#define SPARE_COMPLETE 2u
#define DESTINATION_COMPLETE 4u

#define WORK_VALID 0xfeu

static const uint8_t work_guid[16] = /* gEdkiiWorkingBlockSignatureGuid */
	{ 0x2b, 0x29, 0x58, 0x9e, 0x68, 0x7c, 0x7d, 0x49,
	  0xa0, 0xce, 0x65, 0x00, 0xfd, 0x9f, 0x1b, 0x95 };

/* --- the working block's header ------------------------------------------------------------------ */

static uint32_t work_crc(const uint8_t *p)
{
	uint8_t header[FMI_VARS_WORK_LEN];

	memcpy(header, p, sizeof(header));
	memset(header + 16, 0xff, 8);
	return fmi_crc32(0, header, sizeof(header));
}

void fmi_vars_make_work(uint8_t *p, uint64_t work_len)
{
	memset(p, 0xff, FMI_VARS_WORK_LEN);
	memcpy(p, work_guid, sizeof(work_guid));
	fmi_put_le64(p + 24, work_len - FMI_VARS_WORK_LEN);
	fmi_put_le32(p + 16, work_crc(p));
	p[20] = WORK_VALID;
}

bool fmi_vars_work_ok(struct fmi_bytes b, uint64_t off)
{
	const uint8_t *p = b.p + off;

	return fmi_in_range(off, FMI_VARS_WORK_LEN, b.len) && !memcmp(p, work_guid, 16) &&
	       fmi_le32(p + 16) == work_crc(p) && p[20] == WORK_VALID &&
	       fmi_in_range(off + FMI_VARS_WORK_LEN, fmi_le64(p + 24), b.len);
}

/* --- where ------------------------------------------------------------------------------------- */

/* The offset of a working block, or UINT64_MAX. Where a layout says where it is, only there. */
static uint64_t find_work(const struct fm_vars *v)
{
	const struct fmi_vars_volume *vol = &v->volume;
	uint64_t at = vol->store_ok ? vol->end : vol->ok ? vol->off : 0;
	uint64_t end = vol->ok ? vol->off + vol->len : v->bytes.len;
	uint64_t work, spare, len;

	if (vol->ok && fmi_vars_layout_ftw(fmi_vars_layout_of(vol->len), &work, &spare, &len)) {
		at = vol->off + work;
		end = at + 1;
	}
	for (at = fmi_align_up(at, FMI_VARS_PAGE); at < end; at += FMI_VARS_PAGE) {
		if (fmi_vars_work_ok(v->bytes, at))
			return at;
	}
	return UINT64_MAX;
}

/* The volume's own length, or where no header says so that of the layout with this working block. */
static uint64_t volume_len(const struct fm_vars *v)
{
	uint64_t work, spare, len;

	if (v->volume.ok)
		return v->volume.len;
	for (unsigned l = FM_VARS_LAYOUT_OVMF_2M; l < FM_VARS_LAYOUT_OTHER; l++) {
		if (fmi_vars_layout_ftw((enum fm_vars_layout)l, &work, &spare, &len) &&
		    work == v->ftw.work && spare == v->ftw.spare && len <= v->bytes.len)
			return len;
	}
	return v->bytes.len;
}

/* By the working block: the spare area follows it and ends the volume. */
static bool place_by_work(struct fm_vars *v)
{
	struct fmi_vars_ftw *f = &v->ftw;
	uint64_t end;

	f->work = find_work(v);
	if (f->work == UINT64_MAX)
		return false;
	f->work_len = FMI_VARS_WORK_LEN + fmi_le64(v->bytes.p + f->work + 24);
	f->spare = f->work + f->work_len;
	end = v->volume.off + volume_len(v);
	f->spare_len = f->spare < end ? end - f->spare : 0;
	f->ok = true;
	return true;
}

/* By the volume's length, or by a copy of its header where a layout has its spare area. */
static bool place_by_layout(struct fm_vars *v)
{
	struct fmi_vars_ftw *f = &v->ftw;
	uint64_t work, spare, len;

	for (unsigned l = FM_VARS_LAYOUT_OVMF_2M; l < FM_VARS_LAYOUT_OTHER; l++) {
		struct fmi_vars_volume copy;

		if (!fmi_vars_layout_ftw((enum fm_vars_layout)l, &work, &spare, &len) ||
		    !fmi_in_range(v->volume.off, len, v->bytes.len))
			continue;
		if (v->volume.ok) {
			copy = v->volume;
		} else {
			fmi_vars_read_volume(v->bytes, v->volume.off + spare, UINT64_MAX,
					     v->volume.off + len, &copy);
		}
		if (!copy.ok || copy.len != len)
			continue;
		f->work = v->volume.off + work;
		f->spare = v->volume.off + spare;
		f->work_len = spare - work;
		f->spare_len = len - spare;
		return true;
	}
	return false;
}

/* --- the queue --------------------------------------------------------------------------------- */

static bool is_true(uint8_t flags, unsigned bit)
{
	return !(flags & bit);
}

/* Bytes of a write: its header, and for each of its records the record and private data. 0: absurd. */
static uint64_t write_len(const uint8_t *p, uint64_t room)
{
	uint64_t writes = fmi_le64(p + 24);
	uint64_t private_len = fmi_le64(p + 32);

	if (private_len > room || writes > room / (RECORD_LEN + private_len))
		return 0;
	return WRITE_LEN + writes * (RECORD_LEN + private_len);
}

/* The first record of the write whose destination is not complete, or 0. */
static uint64_t pending_record(const struct fm_vars *v, uint64_t at, uint64_t len)
{
	uint64_t step = RECORD_LEN + fmi_le64(v->bytes.p + at + 32);

	for (uint64_t r = at + WRITE_LEN; r + step <= at + len; r += step) {
		if (!is_true(v->bytes.p[r], DESTINATION_COMPLETE))
			return r;
	}
	return 0;
}

/* Where a record writes: it counts from the spare area. */
static void read_record(struct fm_vars *v)
{
	struct fmi_vars_ftw *f = &v->ftw;
	const uint8_t *p = v->bytes.p + f->record;
	uint64_t offset = fmi_le64(p + 16);
	uint64_t len = fmi_le64(p + 24);

	f->target = f->spare + fmi_le64(p + 32); /* signed: below the spare area */
	if (fmi_in_range(offset, len, f->spare_len) && f->target < f->spare &&
	    fmi_is_aligned(f->target, FMI_VARS_PAGE) &&
	    fmi_in_range(f->target, offset + len, f->work))
		f->target_len = offset + len;
}

static void read_pending(struct fm_vars *v, uint64_t at, uint64_t len)
{
	struct fmi_vars_ftw *f = &v->ftw;
	uint8_t flags = v->bytes.p[at];

	f->header = at;
	f->reclaim = FMI_VARS_BEGUN;
	if (!is_true(flags, WRITES_ALLOCATED) || !len)
		return;
	f->record = pending_record(v, at, len);
	if (!f->record) {
		f->reclaim = FMI_VARS_WRITTEN;
		return;
	}
	if (!is_true(v->bytes.p[f->record], SPARE_COMPLETE))
		return;
	f->reclaim = FMI_VARS_WRITING;
	read_record(v);
}

static void read_queue(struct fm_vars *v)
{
	uint64_t end = v->ftw.work + v->ftw.work_len;
	uint64_t at = v->ftw.work + FMI_VARS_WORK_LEN;

	while (at < end && end - at >= WRITE_LEN) {
		const uint8_t *p = v->bytes.p + at;
		uint64_t len = write_len(p, end - at);

		if (!is_true(*p, HEADER_ALLOCATED))
			return;
		if (len > end - at)
			len = 0;
		if (!is_true(*p, COMPLETE) || !len) {
			/* A whole write of which the size is lost: nothing is known to be pending. */
			if (!is_true(*p, COMPLETE))
				read_pending(v, at, len);
			return;
		}
		at += len;
	}
}

/* --- the spare area ------------------------------------------------------------------------------ */

static int read_spare(struct fm_vars *v, struct fm_error *err)
{
	struct fmi_vars_volume copy;
	struct fm_vars *spare;
	int rc;

	if (!v->ftw.spare_len)
		return 0;
	fmi_vars_read_volume(v->bytes, v->ftw.spare, UINT64_MAX, v->ftw.spare + v->ftw.spare_len,
			     &copy);
	if (!copy.ok || !copy.store_ok)
		return 0;
	spare = calloc(1, sizeof(*spare));
	if (!spare)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "vars: out of memory");
	spare->bytes = v->bytes;
	spare->volume = copy;
	v->spare = spare;
	rc = fmi_vars_walk(spare, err);
	return rc;
}

bool fmi_vars_spare_whole(const struct fm_vars *v)
{
	if (!v->spare || v->spare->dirty)
		return false;
	for (size_t i = 0; i < v->spare->nrecords; i++) {
		if (v->spare->records[i].r.status == FM_VARS_TORN)
			return false;
	}
	return true;
}

int fmi_vars_read_ftw(struct fm_vars *v, struct fm_error *err)
{
	v->ftw.known = place_by_work(v) || place_by_layout(v);
	if (!v->ftw.known)
		return 0;
	if (v->ftw.ok)
		read_queue(v);
	return read_spare(v, err);
}
