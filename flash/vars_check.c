/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a store, and the verdict. */
#include "flash/vars_private.h"

#include "devices/bytes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- findings ---------------------------------------------------------------------------------- */

FM_PRINTF(4, 5)
static int find(struct fm_vars *v, enum fm_vars_finding_kind kind, uint64_t off, const char *fmt,
		...)
{
	struct fm_vars_finding *f;
	va_list args;

	if (v->nfindings == v->findings_room) {
		size_t room = v->findings_room ? 2 * v->findings_room : 16;
		struct fm_vars_finding *grown = realloc(v->findings, room * sizeof(*grown));

		if (!grown)
			return FM_ERR_NOMEM;
		v->findings = grown;
		v->findings_room = room;
	}
	f = &v->findings[v->nfindings++];
	f->kind = kind;
	f->off = off;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	/* Names may hold anything. */
	for (char *p = f->text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return 0;
}

/* --- records ----------------------------------------------------------------------------------- */

static int check_state(struct fm_vars *v, const struct fmi_vars_rec *rec)
{
	const struct fm_vars_record *r = &rec->r;

	switch (r->state) {
	case FMI_VARS_STATE_ADDED:
		if (r->status != FM_VARS_SUPERSEDED)
			return 0;
		return find(v, FM_VARS_DUPLICATE, r->off,
			    "%.48s: a second valid record, expected one; the first one counts",
			    r->name);
	case FMI_VARS_STATE_OLD:
		if (r->status == FM_VARS_TORN)
			return 0;
		if (r->status == FM_VARS_SUPERSEDED)
			return find(v, FM_VARS_OLD_LEFT, r->off,
				    "%.48s: state 0x3e beside its new value, expected 0x3c",
				    r->name);
		return find(v, FM_VARS_OLD_KEPT, r->off,
			    "%.48s: state 0x3e and no new value; the old one counts", r->name);
	case FMI_VARS_STATE_GONE:
	case FMI_VARS_STATE_DELETED:
		return 0;
	case 0xff:
	case 0xbf: /* edk2 of 2026 clears both bits in one step */
	case FMI_VARS_STATE_HEADER:
		return find(v, FM_VARS_UNFINISHED, r->off,
			    "state 0x%02x: a record that was never finished", r->state);
	default:
		return find(v, FM_VARS_BAD_STATE, r->off,
			    "state 0x%02x, expected one that writes lead to", r->state);
	}
}

static int check_record(struct fm_vars *v, const struct fmi_vars_rec *rec)
{
	const struct fm_vars_record *r = &rec->r;
	bool valid = r->state == FMI_VARS_STATE_ADDED || r->state == FMI_VARS_STATE_OLD;
	int rc = check_state(v, rec);

	if (!rc && rec->past_end)
		rc = find(v, FM_VARS_PAST_END, r->off,
			  "NameSize 0x%" PRIx64 " and DataSize 0x%" PRIx64
			  ", expected an end by 0x%" PRIx64,
			  rec->name_size, rec->data_size, v->volume.end);
	else if (!rc && valid && r->status == FM_VARS_TORN)
		rc = find(v, FM_VARS_BAD_NAME, r->off,
			  "NameSize 0x%" PRIx64 ", expected UTF-16 that one NUL ends",
			  rec->name_size);
	if (!rc && r->phantom)
		rc = find(v, FM_VARS_PHANTOM, r->off,
			  "%.48s: lies in the name of the unfinished record before it, and the "
			  "firmware takes it for one",
			  r->name);
	return rc;
}

static int check_records(struct fm_vars *v)
{
	for (size_t i = 0; i < v->nrecords; i++) {
		int rc = check_record(v, &v->records[i]);

		if (rc)
			return rc;
	}
	if (!v->dirty)
		return 0;
	return find(v, FM_VARS_BAD_TAIL, v->dirty,
		    "byte 0x%02x, expected 0xff from 0x%" PRIx64 " on, where the next record goes",
		    v->bytes.p[v->dirty], v->walk_end);
}

/* --- the reclaim --------------------------------------------------------------------------------- */

/*
 * Was the store being written when it ended? Then it is the beginning of what the spare area has,
 * and erased behind it. The store as it was before can lack one of the spare's variables: the one
 * for which room was made.
 */
static bool half_written(const struct fm_vars *v)
{
	uint64_t len = v->volume.end - v->volume.off;
	uint64_t spare_len = v->spare->volume.end - v->spare->volume.off;
	const uint8_t *a = v->bytes.p + v->volume.off;
	const uint8_t *b = v->bytes.p + v->spare->volume.off;
	uint64_t same = 0;

	len = fmi_min_u64(len, spare_len);
	while (same < len && a[same] == b[same])
		same++;
	if (same == len)
		return false;
	/* The byte in between may be written in part. */
	if ((a[same] & b[same]) == b[same] &&
	    fmi_vars_all(v->bytes, v->volume.off + same + 1, len - same - 1, 0xff))
		return true;
	return fmi_vars_missing(v, v->spare) > 1;
}

static bool reclaim_torn(const struct fm_vars *v)
{
	return v->ftw.reclaim == FMI_VARS_WRITING && v->spare && half_written(v);
}

static int check_writing(struct fm_vars *v)
{
	int rc;

	if (!fmi_vars_spare_whole(v))
		return find(v, FM_VARS_BAD_SPARE, v->ftw.spare,
			    "marked complete, but holds no whole store");
	rc = find(v, FM_VARS_RECLAIM_WRITING, v->ftw.record,
		  "a reclaim was writing the store; the spare area at 0x%" PRIx64
		  " has %zu variables",
		  v->ftw.spare, v->info.spare_variables);
	if (!rc && !v->ftw.target_len)
		rc = find(v, FM_VARS_BAD_WORK, v->ftw.record,
			  "the write's target is 0x%" PRIx64
			  ", expected it below the working block",
			  v->ftw.target);
	return rc;
}

static int check_reclaim(struct fm_vars *v)
{
	if (!v->ftw.known)
		return 0;
	if (!v->ftw.ok)
		return find(v, FM_VARS_BAD_WORK, v->ftw.work,
			    "no valid header of a working block; the firmware makes a new one");
	switch (v->ftw.reclaim) {
	case FMI_VARS_NO_RECLAIM:
		return 0;
	case FMI_VARS_BEGUN:
		return find(v, FM_VARS_RECLAIM_BEGUN, v->ftw.header,
			    "a reclaim began and had not filled the spare area; it is void");
	case FMI_VARS_WRITING:
		return check_writing(v);
	case FMI_VARS_WRITTEN:
		return find(v, FM_VARS_RECLAIM_WRITTEN, v->ftw.header,
			    "a reclaim wrote the store and was not marked as ended");
	}
	return 0;
}

/* --- headers ------------------------------------------------------------------------------------- */

static bool is_blank(struct fmi_bytes b)
{
	for (uint64_t at = 0; at < b.len; at += FMI_VARS_PAGE) {
		uint64_t len = fmi_min_u64(FMI_VARS_PAGE, b.len - at);

		if (!fmi_vars_all(b, at, len, 0xff) && !fmi_vars_all(b, at, len, 0))
			return false;
	}
	return true;
}

/* Is there anything that only a store has? */
static bool was_store(const struct fm_vars *v)
{
	struct fmi_bytes b = v->bytes;

	return v->ftw.known || v->spare || v->volume.ok || fmi_vars_has_guid(b) ||
	       (b.len >= 0x66 && fmi_le16(b.p + 0x64) == FMI_VARS_START_ID);
}

/* --- all of it ----------------------------------------------------------------------------------- */

static enum fm_vars_verdict verdict(const struct fm_vars *v)
{
	if (!v->volume.store_ok) {
		if (is_blank(v->bytes))
			return FM_VARS_BLANK;
		return was_store(v) ? FM_VARS_HEADERS_LOST : FM_VARS_NOT_A_STORE;
	}
	if (reclaim_torn(v))
		return FM_VARS_RECLAIM_TORN;
	if (v->ftw.reclaim != FMI_VARS_NO_RECLAIM || (v->ftw.known && !v->ftw.ok))
		return FM_VARS_RECLAIM_PENDING;
	return v->nfindings ? FM_VARS_UPDATE_TORN : FM_VARS_CLEAN;
}

static void count(struct fm_vars *v)
{
	struct fm_vars_info *info = &v->info;

	info->records_off = v->volume.records;
	info->records_len = v->volume.end - v->volume.records;
	info->used = fmi_min_u64(fmi_align_up(v->walk_end, 4), v->volume.end) - v->volume.records;
	info->free = info->records_len - info->used;
	for (size_t i = 0; i < v->nrecords; i++) {
		if (v->records[i].r.status != FM_VARS_LIVE)
			continue;
		info->live += v->records[i].r.len;
		info->variables++;
	}
	/* The last record may claim up to 3 bytes of padding behind the end. */
	info->live = fmi_min_u64(info->live, info->used);
	info->stale = info->used - info->live;
}

static void describe(struct fm_vars *v)
{
	struct fm_vars_info *info = &v->info;

	info->off = v->volume.off;
	if (v->volume.ok) {
		info->len = v->volume.len;
		info->block_len = v->volume.block_len;
		info->layout = fmi_vars_layout_of(v->volume.len);
	}
	info->authenticated = v->volume.authenticated;
	info->reserve = fmi_vars_layout_reserve(info->layout);
	if (v->volume.store_ok)
		count(v);
	if (v->ftw.known) {
		info->work_off = v->ftw.work;
		info->work_len = v->ftw.work_len;
		info->spare_off = v->ftw.spare;
		info->spare_len = v->ftw.spare_len;
	}
	info->spare_whole = fmi_vars_spare_whole(v);
	info->spare_variables = v->spare ? v->spare->nlive : 0;
}

int fmi_vars_check(struct fm_vars *v, struct fm_error *err)
{
	int rc = 0;

	describe(v);
	if (v->volume.store_ok)
		rc = check_records(v);
	if (!rc)
		rc = check_reclaim(v);
	if (rc)
		return fm_error_set(err, rc, 0, "vars: out of memory");
	v->info.verdict = verdict(v);
	if (v->info.verdict == FM_VARS_HEADERS_LOST)
		rc = find(v, v->volume.ok ? FM_VARS_BAD_STORE : FM_VARS_BAD_VOLUME,
			  v->volume.ok ? v->volume.off + v->volume.header_len : v->volume.off, "%s",
			  v->volume.why);
	return rc ? fm_error_set(err, rc, 0, "vars: out of memory") : 0;
}
