/* SPDX-License-Identifier: BSD-2-Clause */
/* An interrupted reclaim, ended or voided: what edk2's FtwRestart() and FtwAbort() do, off line. */
#include "flash/vars_private.h"

#include "devices/bytes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Clear a flag that is true when it is 0. */
#define WRITE_COMPLETE 4u
#define DESTINATION_COMPLETE 4u

/* The queue has no write that is not complete any more. */
static void mark_ended(const struct fm_vars *v, uint8_t *out)
{
	if (v->ftw.record)
		out[v->ftw.record] &= (uint8_t)~DESTINATION_COMPLETE;
	if (v->ftw.header)
		out[v->ftw.header] &= (uint8_t)~WRITE_COMPLETE;
}

/* How much of the spare area is the store's: whole blocks, as the firmware writes them. */
static uint64_t restored_len(const struct fm_vars *v)
{
	const struct fmi_vars_volume *copy = &v->spare->volume;
	uint64_t len = v->ftw.target_len ? v->ftw.target_len : copy->end - copy->off;

	return fmi_min_u64(fmi_align_up(len, copy->block_len), v->ftw.spare_len);
}

static int restore(const struct fm_vars *v, uint8_t *out, struct fm_error *err)
{
	bool told = v->ftw.reclaim == FMI_VARS_WRITING; /* else the working block is lost */
	uint64_t to = told ? v->ftw.target : v->volume.off;
	uint64_t len = restored_len(v);

	if ((told && !v->ftw.target_len) || (v->volume.ok && to != v->volume.off) ||
	    !fmi_in_range(to, len, v->ftw.work))
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "vars: the reclaim writes 0x%" PRIx64 " bytes at 0x%" PRIx64
				    ", expected them below the working block at 0x%" PRIx64,
				    len, to, v->ftw.work);
	memcpy(out + to, v->bytes.p + v->ftw.spare, (size_t)len);
	mark_ended(v, out);
	return 0;
}

/*
 * A new working block. While its queue is reclaimed the spare area holds a copy of it: then that. A
 * reclaim of the store that it knew of had not begun to write the store, which is whole.
 */
static void renew_work(const struct fm_vars *v, uint8_t *out)
{
	uint8_t *work = out + v->ftw.work;

	if (fmi_vars_work_ok(v->bytes, v->ftw.spare) &&
	    fmi_le64(v->bytes.p + v->ftw.spare + 24) == v->ftw.work_len - FMI_VARS_WORK_LEN &&
	    fmi_in_range(0, v->ftw.work_len, v->ftw.spare_len)) {
		memcpy(work, v->bytes.p + v->ftw.spare, (size_t)v->ftw.work_len);
		return;
	}
	memset(work, 0xff, (size_t)v->ftw.work_len);
	fmi_vars_make_work(work, v->ftw.work_len);
}

static int lost(const struct fm_vars *v, struct fm_error *err)
{
	if (!v->ftw.known)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "vars: %s, and there is no spare area to restore it from",
				    fm_vars_verdict_name(v->info.verdict));
	return fm_error_set(err, FM_ERR_STATE, 0,
			    "vars: %s, and the spare area at 0x%" PRIx64
			    " holds no whole store, expected one to restore",
			    fm_vars_verdict_name(v->info.verdict), v->ftw.spare);
}

static int finish(const struct fm_vars *v, uint8_t *out, enum fm_vars_rescue_action *action,
		  struct fm_error *err)
{
	int rc = restore(v, out, err);

	if (!rc && !v->ftw.ok)
		renew_work(v, out);
	*action = FM_VARS_RESCUE_FINISHED;
	return rc;
}

static int end_reclaim(const struct fm_vars *v, uint8_t *out, enum fm_vars_rescue_action *action,
		       struct fm_error *err)
{
	bool whole = fmi_vars_spare_whole(v);

	/* A spare area without a write that is under way may be older than the store. */
	if (!v->volume.store_ok)
		return whole && (v->ftw.reclaim == FMI_VARS_WRITING || !v->ftw.ok)
			       ? finish(v, out, action, err)
			       : lost(v, err);
	if (v->ftw.reclaim == FMI_VARS_WRITING && whole)
		return finish(v, out, action, err);
	if (v->info.verdict == FM_VARS_RECLAIM_TORN)
		return lost(v, err);
	if (v->ftw.ok)
		mark_ended(v, out);
	else
		renew_work(v, out);
	*action = v->ftw.reclaim == FMI_VARS_WRITTEN ? FM_VARS_RESCUE_FINISHED
						     : FM_VARS_RESCUE_ROLLED_BACK;
	return 0;
}

/* Do not hand out what is not whole. */
static int check_rescued(const uint8_t *out, uint64_t len, struct fm_error *err)
{
	enum fm_vars_verdict verdict;
	struct fm_vars *v;
	int rc = fm_vars_parse(&v, out, (size_t)len, err);

	if (rc)
		return rc;
	verdict = v->info.verdict;
	fm_vars_free(v);
	if (verdict == FM_VARS_CLEAN || verdict == FM_VARS_UPDATE_TORN)
		return 0;
	return fm_error_set(err, FM_ERR_STATE, 0,
			    "vars: what the spare area restores is %s, expected clean",
			    fm_vars_verdict_name(verdict));
}

static int rescue(const struct fm_vars *v, uint8_t *out, enum fm_vars_rescue_action *action,
		  struct fm_error *err)
{
	int rc;

	memcpy(out, v->bytes.p, (size_t)v->bytes.len);
	switch (v->info.verdict) {
	case FM_VARS_CLEAN:
	case FM_VARS_UPDATE_TORN:
		*action = FM_VARS_RESCUE_NOTHING;
		return 0;
	case FM_VARS_RECLAIM_PENDING:
	case FM_VARS_RECLAIM_TORN:
	case FM_VARS_HEADERS_LOST:
		rc = end_reclaim(v, out, action, err);
		return rc ? rc : check_rescued(out, v->bytes.len, err);
	case FM_VARS_BLANK:
	case FM_VARS_NOT_A_STORE:
		break;
	}
	return fm_error_set(err, FM_ERR_FORMAT, 0, "vars: %s, expected a store of variables",
			    fm_vars_verdict_name(v->info.verdict));
}

int fm_vars_rescue(void **out, const void *bytes, size_t len, enum fm_vars_rescue_action *action,
		   struct fm_error *err)
{
	enum fm_vars_rescue_action done = FM_VARS_RESCUE_NOTHING;
	struct fm_vars *v;
	uint8_t *copy;
	int rc;

	if (!out || (!bytes && len))
		return fm_error_set(err, FM_ERR_ARG, 0, "vars: out and bytes must be given");
	rc = fm_vars_parse(&v, bytes, len, err);
	if (rc)
		return rc;
	copy = malloc(len ? len : 1);
	rc = copy ? rescue(v, copy, &done, err)
		  : fm_error_set(err, FM_ERR_NOMEM, 0, "vars: out of memory");
	fm_vars_free(v);
	if (rc) {
		free(copy);
		return rc;
	}
	*out = copy;
	if (action)
		*action = done;
	return 0;
}
