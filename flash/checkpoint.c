/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the journal to the image. The order is what makes it safe:
 *
 *  1. the records are durable (commit);
 *  2. a header says durably that the image may hold any part of them, and what digest it has with
 *     all of them;
 *  3. the image is written and synced;
 *  4. a header says durably that it holds them. Only then may their room be used again.
 *
 * The image is made a window at a time: the records' bytes in the order of the records, so that each
 * byte is written once, whatever the guest did to it meanwhile, and not at all if the image has it.
 */
#include "flash/behind_private.h"

#include "devices/bytes.h"
#include "devices/guestmem.h"
#include "devices/io_private.h"

#include <stdio.h>
#include <string.h>

/* Fewer bytes between two that differ from the image are written along. */
#define GAP 64u

void fmi_behind_count(struct fm_write_behind *wb, const struct fm_write_behind_stats *more)
{
	pthread_mutex_lock(&wb->count);
	wb->stats.commits += more->commits;
	wb->stats.applies += more->applies;
	wb->stats.host_calls += more->host_calls;
	wb->stats.host_writes += more->host_writes;
	wb->stats.image_bytes += more->image_bytes;
	wb->stats.host_bytes += more->host_bytes;
	pthread_mutex_unlock(&wb->count);
}

/* --- committing ------------------------------------------------------------------------------ */

int fmi_behind_commit(struct fm_write_behind *wb, struct fm_error *err)
{
	struct fm_write_behind_stats n = { .host_calls = 1 };
	struct fmi_journal_writer writer;
	int rc;

	fmi_behind_lock(wb);
	/* A record that is durable must not change any more: half of the change might reach the disk. */
	wb->writer.open = false;
	writer = wb->writer;
	fmi_behind_unlock(wb);
	if (writer.head.pos == wb->committed.pos)
		return 0;
	/* The kernel may have dropped what it could not write, and would call a bare retry a success. */
	if (wb->suspect)
		fmi_journal_rewrite(&writer, wb->committed.pos, writer.head.pos);
	rc = fmi_journal_file_sync(&wb->journal, wb->committed.pos, writer.head.pos, &n.host_bytes,
				   err);
	wb->suspect = rc;
	if (!rc) {
		wb->committed = writer.head;
		n.commits = 1;
	}
	fmi_behind_count(wb, &n);
	return rc;
}

/* --- windows ------------------------------------------------------------------------------- */

/* A run of records. */
struct run {
	const uint8_t *ring;
	struct fmi_journal_place from;
	struct fmi_journal_place to;
};

static struct fmi_journal_reader read_run(const struct fm_write_behind *wb, const struct run *run)
{
	return (struct fmi_journal_reader){
		.ring = run->ring,
		.ring_len = wb->journal.header.ring_len,
		.image_len = wb->cfg.len,
		.begin = run->from.pos,
		.trusted = true,
		.at = run->from,
	};
}

static bool next_of_run(struct fmi_journal_reader *r, const struct run *run,
			struct fmi_record *record)
{
	return r->at.pos < run->to.pos && fmi_journal_next(r, record);
}

static void find_windows(struct fm_write_behind *wb, const struct run *run)
{
	struct fmi_journal_reader r = read_run(wb, run);
	struct fmi_record record;

	memset(wb->touched, 0, (size_t)((wb->cfg.len - 1) / FMI_WINDOW_LEN + 1));
	while (next_of_run(&r, run, &record))
		memset(wb->touched + record.off / FMI_WINDOW_LEN, 1,
		       (size_t)((record.off + record.len - 1) / FMI_WINDOW_LEN -
				record.off / FMI_WINDOW_LEN + 1));
}

static size_t window_len(const struct fm_write_behind *wb, uint64_t base)
{
	return (size_t)fmi_min_u64(FMI_WINDOW_LEN, wb->cfg.len - base);
}

/* What the records say of [base, base + FMI_WINDOW_LEN), and of which bytes they say something. */
static void fill_window(struct fm_write_behind *wb, const struct run *run, uint64_t base)
{
	struct fmi_journal_reader r = read_run(wb, run);
	uint64_t limit = base + window_len(wb, base);
	struct fmi_record record;

	memset(wb->marks, 0, FMI_WINDOW_LEN);
	while (next_of_run(&r, run, &record)) {
		uint64_t first = fmi_max_u64(record.off, base);
		uint64_t end = fmi_min_u64(record.off + record.len, limit);

		if (first >= end)
			continue;
		if (record.data)
			memcpy(wb->window + (first - base), record.data + (first - record.off),
			       (size_t)(end - first));
		else
			memset(wb->window + (first - base), 0xff, (size_t)(end - first));
		memset(wb->marks + (first - base), 1, (size_t)(end - first));
	}
}

/* The end of the run of bytes from `at` whose mark is `mark`. */
static size_t marked_until(const struct fm_write_behind *wb, size_t at, size_t len, uint8_t mark)
{
	const uint8_t *end = memchr(wb->marks + at, mark ? 0 : 1, len - at);

	return end ? (size_t)(end - wb->marks) : len;
}

/* --- the digest ------------------------------------------------------------------------------ */

static bool piece_whole(const struct fm_write_behind *wb, size_t at, size_t len)
{
	return !memchr(wb->marks + at, 0, len);
}

/* The bytes of pieces that records change only a part of come from the image. */
static int complete_window(struct fm_write_behind *wb, uint64_t base, struct fm_error *err)
{
	size_t len = window_len(wb, base);
	struct fm_write_behind_stats n = { 0 };
	size_t end;

	for (size_t at = 0; at < len; at = end) {
		int rc;

		end = (size_t)fmi_min_u64(at + FMI_DIGEST_PIECE, len);
		if (piece_whole(wb, at, end - at) || !memchr(wb->marks + at, 1, end - at))
			continue;
		rc = fm_io_read_all(wb->image.io, wb->image.file, wb->old, end - at, base + at);
		n.host_calls++;
		if (rc)
			return fmi_io_fail(err, wb->image.path, "read", rc);
		for (size_t i = at; i < end; i++) {
			if (!wb->marks[i])
				wb->window[i] = wb->old[i - at];
		}
	}
	fmi_behind_count(wb, &n);
	return 0;
}

/* The digest that the image has with the records of `run`. */
static int digest_with(struct fm_write_behind *wb, const struct run *run, uint64_t *digest,
		       struct fm_error *err)
{
	uint64_t sum = wb->digest;

	for (uint64_t base = 0; base < wb->cfg.len; base += FMI_WINDOW_LEN) {
		size_t len = window_len(wb, base);
		int rc;

		if (!wb->touched[base / FMI_WINDOW_LEN])
			continue;
		fill_window(wb, run, base);
		rc = complete_window(wb, base, err);
		if (rc)
			return rc;
		for (size_t at = 0; at < len; at += FMI_DIGEST_PIECE) {
			size_t n = (size_t)fmi_min_u64(FMI_DIGEST_PIECE, len - at);
			uint64_t number = (base + at) / FMI_DIGEST_PIECE;

			if (!memchr(wb->marks + at, 1, n))
				continue;
			wb->next_pieces[number] = fmi_digest_piece(number, wb->window + at, n);
			sum += wb->next_pieces[number] - wb->pieces[number];
		}
	}
	*digest = sum;
	return 0;
}

/* Make the pieces of touched windows the same in both tables. */
static void settle_pieces(struct fm_write_behind *wb, uint64_t *to, const uint64_t *from)
{
	const uint64_t each = FMI_WINDOW_LEN / FMI_DIGEST_PIECE;
	uint64_t all = (wb->cfg.len - 1) / FMI_DIGEST_PIECE + 1;

	for (uint64_t at = 0; at < all; at += each) {
		if (wb->touched[at / each])
			memcpy(to + at, from + at,
			       (size_t)fmi_min_u64(each, all - at) * sizeof(*to));
	}
}

/* --- writing the image ----------------------------------------------------------------------- */

static int write_run(struct fm_write_behind *wb, uint64_t base, size_t at, size_t end,
		     struct fm_write_behind_stats *n, struct fm_error *err)
{
	char what[64];
	int rc =
		fm_io_write_all(wb->image.io, wb->image.file, wb->window + at, end - at, base + at);

	n->host_calls++;
	n->host_writes++;
	if (!rc) {
		n->image_bytes += end - at;
		n->host_bytes += end - at;
		return 0;
	}
	snprintf(what, sizeof(what), "write of 0x%zx bytes at 0x%llx", end - at,
		 (unsigned long long)(base + at));
	return fmi_io_fail(err, wb->image.path, what, rc);
}

/* The end of what differs from the image from `at`, which does, on: GAP bytes that do not end it. */
static size_t differing_until(const struct fm_write_behind *wb, size_t at, size_t end)
{
	size_t last = at;

	for (; at < end && at - last < GAP; at++) {
		if (wb->window[at] != wb->old[at])
			last = at;
	}
	return last + 1;
}

/* The records' bytes in [at, end) that the image does not have; all of them if wb->suspect_image. */
static int write_marked(struct fm_write_behind *wb, uint64_t base, size_t at, size_t end,
			struct fm_write_behind_stats *n, struct fm_error *err)
{
	int rc = 0;

	while (!rc && at < end) {
		size_t until = end;

		if (!wb->suspect_image && wb->window[at] == wb->old[at]) {
			at++;
			continue;
		}
		if (!wb->suspect_image)
			until = differing_until(wb, at, end);
		rc = write_run(wb, base, at, until, n, err);
		at = until;
	}
	return rc;
}

/* Between bytes of records, a few that the image keeps are no reason for another write. */
static void close_gaps(struct fm_write_behind *wb, size_t len)
{
	size_t at = marked_until(wb, marked_until(wb, 0, len, 0), len, 1);

	while (at < len) {
		size_t end = marked_until(wb, at, len, 0);

		if (end < len && end - at < GAP) {
			memcpy(wb->window + at, wb->old + at, end - at);
			memset(wb->marks + at, 1, end - at);
		}
		at = marked_until(wb, end, len, 1);
	}
}

static int write_window(struct fm_write_behind *wb, uint64_t base, struct fm_error *err)
{
	size_t len = window_len(wb, base);
	struct fm_write_behind_stats n = { 0 };
	size_t at = marked_until(wb, 0, len, 0);
	int rc = 0;

	if (!wb->suspect_image) {
		n.host_calls++;
		rc = fm_io_read_all(wb->image.io, wb->image.file, wb->old, len, base);
		if (rc)
			rc = fmi_io_fail(err, wb->image.path, "read", rc);
		else
			close_gaps(wb, len);
	}
	while (!rc && at < len) {
		size_t end = marked_until(wb, at, len, 1);

		rc = write_marked(wb, base, at, end, &n, err);
		at = marked_until(wb, end, len, 0);
	}
	fmi_behind_count(wb, &n);
	return rc;
}

static int sync_image(struct fm_write_behind *wb, struct fm_error *err)
{
	int rc = wb->image.io->ops->fdatasync(wb->image.io->ctx, wb->image.file);

	fmi_behind_count(wb, &(struct fm_write_behind_stats){ .host_calls = 1 });
	return rc ? fmi_io_fail(err, wb->image.path, "fdatasync", rc) : 0;
}

int fmi_behind_write_image(struct fm_write_behind *wb, const uint8_t *ring,
			   struct fmi_journal_place from, struct fmi_journal_place to,
			   struct fm_error *err)
{
	const struct run run = { ring, from, to };
	int rc = 0;

	find_windows(wb, &run);
	for (uint64_t base = 0; !rc && base < wb->cfg.len; base += FMI_WINDOW_LEN) {
		if (!wb->touched[base / FMI_WINDOW_LEN])
			continue;
		fill_window(wb, &run, base);
		rc = write_window(wb, base, err);
	}
	if (!rc)
		rc = sync_image(wb, err);
	/* After a failure what reads as if it were there may not be on the disk, and never get there. */
	wb->suspect_image = rc != 0;
	return rc;
}

void fmi_behind_overlay(struct fm_write_behind *wb, const struct fmi_journal_header *h,
			const uint8_t *ring, struct fmi_journal_place from,
			struct fmi_journal_place to)
{
	const struct run run = { ring, from, to };
	struct fmi_journal_reader r = {
		.ring = ring,
		.ring_len = h->ring_len,
		.image_len = wb->cfg.len,
		.begin = from.pos,
		.trusted = true,
		.at = from,
	};
	struct fmi_record record;

	while (next_of_run(&r, &run, &record)) {
		if (record.data)
			memcpy(wb->cfg.array + record.off, record.data, (size_t)record.len);
		else
			fmi_mem_fill(wb->cfg.array + record.off, 0xff, (size_t)record.len);
	}
}

/* --- the whole ----------------------------------------------------------------------------- */

static int put_header(struct fm_write_behind *wb, struct fmi_journal_header *h,
		      struct fm_error *err)
{
	int rc;

	h->generation = wb->journal.header.generation + 1;
	fmi_behind_count(wb, &(struct fm_write_behind_stats){ .host_calls = 1,
							      .host_bytes = FMI_JOURNAL_SLOT_LEN });
	rc = fmi_journal_file_put(&wb->journal, h, err);
	/* A file's failure is told once: it may have been that of a record's page. */
	wb->suspect |= rc != 0;
	return rc;
}

/* Steps 2 to 4 for the records from the tail to what is committed. */
static int apply(struct fm_write_behind *wb, uint64_t digest, struct fm_error *err)
{
	struct fmi_journal_header h = wb->journal.header;
	int rc;

	h.tail = wb->tail;
	h.target_seq = wb->committed.seq;
	h.image.digest = digest;
	rc = put_header(wb, &h, err);
	if (!rc)
		rc = fmi_behind_write_image(wb, wb->writer.copy, wb->tail, wb->committed, err);
	if (rc)
		return rc;
	h.tail = wb->committed;
	return put_header(wb, &h, err);
}

int fmi_behind_checkpoint(struct fm_write_behind *wb, struct fm_error *err)
{
	struct run run = { .ring = wb->writer.copy, .from = wb->tail };
	uint64_t digest;
	int rc = fmi_behind_commit(wb, err);

	if (rc || wb->committed.pos == wb->tail.pos)
		return rc;
	run.to = wb->committed;
	find_windows(wb, &run);
	rc = digest_with(wb, &run, &digest, err);
	if (!rc)
		rc = apply(wb, digest, err);
	if (rc) {
		settle_pieces(wb, wb->next_pieces, wb->pieces);
		return rc;
	}
	settle_pieces(wb, wb->pieces, wb->next_pieces);
	wb->digest = digest;
	fmi_behind_lock(wb);
	wb->tail = wb->committed;
	fmi_behind_unlock(wb);
	fmi_behind_count(wb, &(struct fm_write_behind_stats){ .applies = 1 });
	return 0;
}

/*
 * A reader begins at the tail, where zeros are no record: they may be there at any moment. Headers hold
 * no contents, and both have the digest of what the image is now.
 */
int fmi_behind_scrub(struct fm_write_behind *wb, struct fm_error *err)
{
	struct fm_write_behind_stats n = { .host_calls = 1 };
	uint64_t len = wb->writer.ring_len;
	bool idle;
	int rc;

	fmi_behind_lock(wb);
	idle = wb->writer.head.pos == wb->tail.pos;
	if (idle) {
		wb->writer.open = false;
		memset(wb->writer.map, 0, (size_t)len);
		memset(wb->writer.copy, 0, (size_t)len);
	}
	fmi_behind_unlock(wb);
	if (!idle)
		return fm_error_set(err, FM_ERR_BUSY, 0,
				    "%s: changes came in the middle of a scrub, expected none",
				    wb->cfg.name);
	memset(wb->window, 0, FMI_WINDOW_LEN);
	memset(wb->old, 0, FMI_WINDOW_LEN);
	rc = fmi_journal_file_sync(&wb->journal, 0, len, &n.host_bytes, err);
	wb->suspect |= rc != 0;
	fmi_behind_count(wb, &n);
	return rc;
}
