/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making an image what the array is where nobody told the changes one by one: after a snapshot was
 * loaded, after the journal could not take them, and when an image is taken over.
 */
#include "flash/behind_private.h"

#include "devices/bytes.h"
#include "devices/io_private.h"

#include <stdlib.h>
#include <string.h>

/* What differs from the image is found by so many bytes. */
#define DIFFERENCE 512u

/* --- the difference ------------------------------------------------------------------------ */

/* Tell [off, off + len) of the array, with `io` held. */
static int tell_part(struct fm_write_behind *wb, uint64_t off, uint64_t len, struct fm_error *err)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		bool wake, taken;
		int rc;

		pthread_mutex_lock(&wb->lock);
		taken = fmi_behind_take(wb, off, wb->cfg.array + off, len, &wake);
		pthread_mutex_unlock(&wb->lock);
		if (taken && wake)
			fm_worker_wake(wb->worker, &wb->job);
		if (taken)
			return 0;
		rc = fmi_behind_checkpoint(wb, err);
		if (rc)
			return rc;
	}
	return fm_error_set(err, FM_ERR_NOSPACE, 0, "%s: no room for a record of %llu bytes",
			    wb->journal.path, (unsigned long long)len);
}

/* Tell what the array and `old`, the image's bytes at `base`, differ in. */
static int tell_difference(struct fm_write_behind *wb, const uint8_t *old, uint64_t base,
			   size_t len, struct fm_error *err)
{
	/* An eighth of the smallest journal, so that records of any place fit. */
	const size_t most = (size_t)FMI_JOURNAL_RING_MIN / 8;
	const uint8_t *now = wb->cfg.array + base;
	size_t at = 0;
	size_t n;

	for (; at < len; at += n) {
		int rc;

		n = (size_t)fmi_min_u64(DIFFERENCE, len - at);
		if (!memcmp(now + at, old + at, n))
			continue;
		while (n < most && at + n < len &&
		       memcmp(now + at + n, old + at + n,
			      (size_t)fmi_min_u64(DIFFERENCE, len - at - n)))
			n += (size_t)fmi_min_u64(DIFFERENCE, len - at - n);
		rc = tell_part(wb, base + at, n, err);
		if (rc)
			return rc;
	}
	return 0;
}

int fmi_behind_difference(struct fm_write_behind *wb, struct fm_error *err)
{
	uint8_t *old = malloc(FMI_WINDOW_LEN);
	int rc = old ? 0 : fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", wb->cfg.name);

	for (uint64_t base = 0; !rc && base < wb->cfg.len; base += FMI_WINDOW_LEN) {
		size_t len = (size_t)fmi_min_u64(FMI_WINDOW_LEN, wb->cfg.len - base);

		/* Other windows may be in the journal, this one is not yet. */
		rc = fm_io_read_all(wb->image.io, wb->image.file, old, len, base);
		fmi_behind_count(wb, &(struct fm_write_behind_stats){ .host_calls = 1 });
		if (rc)
			rc = fmi_io_fail(err, wb->image.path, "read", rc);
		else
			rc = tell_difference(wb, old, base, len, err);
	}
	free(old);
	return rc ? rc : fmi_behind_checkpoint(wb, err);
}

/* --- handing over -------------------------------------------------------------------------- */

void fmi_behind_begin(struct fm_write_behind *wb)
{
	wb->busy = false;
	wb->ticking = false;
	wb->quiet = 0;
	wb->live = true;
	fm_worker_add(wb->worker, &wb->job);
}

static void end(struct fm_write_behind *wb, bool done)
{
	fm_worker_remove(wb->worker, &wb->job);
	wb->live = false;
	fmi_behind_stop(wb, done);
}

int fm_write_behind_hand_over(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc;

	if (!wb->live)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "%s: its image is not open for writing, expected one that is",
				    wb->cfg.name);
	rc = fm_write_behind_flush(wb, err);
	if (!rc)
		end(wb, true);
	return rc;
}

/* The image is whatever it is: read it somewhere else. */
static int start_beside(struct fm_write_behind *wb, struct fm_error *err)
{
	uint8_t *array = wb->cfg.array;
	uint8_t *image = malloc((size_t)wb->cfg.len);
	int rc;

	if (!image)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", wb->cfg.name);
	wb->cfg.array = image;
	rc = fmi_behind_start(wb, err);
	wb->cfg.array = array;
	free(image);
	return rc;
}

int fm_write_behind_take_over(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc;

	if (wb->live || !wb->worker)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "%s: its image was not handed over, expected one that was",
				    wb->cfg.name);
	rc = start_beside(wb, err);
	if (rc)
		return rc;
	fmi_behind_begin(wb);
	fm_write_behind_stale(wb);
	rc = fm_write_behind_flush(wb, err);
	if (rc)
		end(wb, false);
	return rc;
}
