/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening an image: what its journal has in addition, and whether it is of this image at all. */
#include "flash/behind_private.h"

#include "devices/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What a journal that was loaded says. */
struct found {
	uint8_t *ring; /* NULL: an empty journal */
	struct fmi_journal_scan scan;
};

/* --- is it of this image? ---------------------------------------------------------------------- */

static int wrong_length(struct fm_write_behind *wb, struct fm_error *err)
{
	return fm_error_set(
		err, FM_ERR_SIZE, 0,
		"%s: changes for an image of %llu bytes, expected the %llu bytes of %s; "
		"without this file the image is as it was last applied",
		wb->journal.path, (unsigned long long)wb->journal.header.image.len,
		(unsigned long long)wb->cfg.len, wb->image.path);
}

/* Both identities. That the file is another one is told where the host knows. */
static int wrong_digest(struct fm_write_behind *wb, uint64_t digest, struct fm_error *err)
{
	const struct fmi_image_identity *id = &wb->journal.header.image;
	struct fmi_image_identity have = { 0 };
	bool other;

	fmi_image_file_identity(&wb->image, &have);
	other = (have.ino && id->ino) && (have.ino != id->ino || have.dev != id->dev);
	return fm_error_set(
		err, FM_ERR_CHECKSUM, 0,
		"%s: changes for an image with digest %016llx (inode %llu), expected %s: with them "
		"digest %016llx (inode %llu), %s; without this file it is used as it is",
		wb->journal.path, (unsigned long long)id->digest, (unsigned long long)id->ino,
		wb->image.path, (unsigned long long)digest, (unsigned long long)have.ino,
		other ? "another file" : "changed by somebody since");
}

/* The place behind the record before `seq`; the records from the tail on are good that far. */
static struct fmi_journal_place place_of(const struct fmi_journal_header *h, const uint8_t *ring,
					 uint64_t seq)
{
	struct fmi_journal_reader r = {
		.ring = ring,
		.ring_len = h->ring_len,
		.image_len = h->image.len,
		.begin = h->tail.pos,
		.trusted = true,
		.at = h->tail,
	};
	struct fmi_record record;

	while (r.at.seq < seq && fmi_journal_next(&r, &record))
		;
	return r.at;
}

/*
 * Put what the journal has into the array. The digest is of the image with the records before the
 * target: any part of them may be in it already, and makes no difference once they all are.
 */
static int overlay(struct fm_write_behind *wb, struct found *found, struct fm_error *err)
{
	const struct fmi_journal_header *h = &wb->journal.header;
	struct fmi_journal_place target;
	uint64_t digest;

	fmi_journal_scan(h, found->ring, &found->scan);
	wb->recovery = (struct fm_recovery){ .found = true,
					     .clean = found->scan.end.seq == h->tail.seq &&
						      h->target_seq == h->tail.seq,
					     .generation = h->generation,
					     .records = found->scan.records,
					     .bytes = found->scan.bytes,
					     .stopped = fmi_record_end_text(found->scan.why) };
	/* Nothing can be lost: whatever the image is now, it counts. */
	if (wb->recovery.clean)
		return 0;
	if (h->image.len != wb->cfg.len)
		return wrong_length(wb, err);
	if (found->scan.end.seq < h->target_seq)
		return fm_error_set(
			err, FM_ERR_FORMAT, 0,
			"%s: record %llu is the last good one, expected those up to %llu, "
			"a part of which the image has; without this file it is used as it is",
			wb->journal.path, (unsigned long long)found->scan.end.seq - 1,
			(unsigned long long)h->target_seq - 1);
	target = place_of(h, found->ring, h->target_seq);
	fmi_behind_overlay(wb, h, found->ring, h->tail, target);
	digest = fmi_digest_image(wb->cfg.array, wb->cfg.len, NULL);
	if (digest != h->image.digest)
		return wrong_digest(wb, digest, err);
	fmi_behind_overlay(wb, h, found->ring, target, found->scan.end);
	return 0;
}

/* Open the journal, if there is one, and put it over the array. */
static int find(struct fm_write_behind *wb, bool writer, struct found *found, struct fm_error *err)
{
	int rc;

	*found = (struct found){ .ring = NULL };
	/* An image that is a descriptor has no name that a journal could be beside. */
	if (!wb->cfg.image && !wb->cfg.journal && !wb->cfg.use_journal_fd)
		return 0;
	rc = fmi_journal_file_open(&wb->journal, &wb->cfg, wb->cfg.image, writer, err);
	if (!rc && wb->journal.file)
		rc = fmi_journal_file_load(&wb->journal, &found->ring, err);
	if (!rc && found->ring)
		rc = overlay(wb, found, err);
	return rc;
}

int fmi_behind_read(struct fm_write_behind *wb, struct fm_error *err)
{
	struct found found;
	int rc = fmi_image_file_open(&wb->image, &wb->cfg, false, err);

	if (rc)
		return rc;
	rc = find(wb, false, &found, err);
	free(found.ring);
	fmi_journal_file_close(&wb->journal, false);
	if (rc)
		fmi_image_file_close(&wb->image);
	return rc;
}

/* --- writing ------------------------------------------------------------------------------- */

/* An old record must not count behind new ones: not even those that are the same once more. */
static int new_salt(struct fmi_journal_header *h, const char *path, struct fm_error *err)
{
	if (getrandom(h->salt, sizeof(h->salt), 0) != (ssize_t)sizeof(h->salt))
		return fm_error_set(err, FM_ERR_IO, errno, "%s: no random numbers for it: %s", path,
				    strerror(errno));
	h->tail.chain = fmi_journal_first_chain(h);
	return 0;
}

/* The header of a ring that begins anew for the image as the array is. */
static int fresh_header(struct fm_write_behind *wb, struct fmi_journal_header *h,
			struct fm_error *err)
{
	h->tail = (struct fmi_journal_place){ .seq = h->tail.seq };
	h->target_seq = h->tail.seq;
	h->image.len = wb->cfg.len;
	h->image.digest = wb->digest;
	fmi_image_file_identity(&wb->image, &h->image);
	return new_salt(h, wb->journal.path, err);
}

/* Write what was found to the image. The array has it. */
static int recover(struct fm_write_behind *wb, const struct found *found, struct fm_error *err)
{
	struct fmi_journal_header h = wb->journal.header;
	int rc;

	/* What the process before us could not sync may read as if it were there. */
	wb->suspect_image = true;
	h.generation++;
	h.target_seq = found->scan.end.seq;
	h.image.digest = wb->digest;
	rc = fmi_journal_file_put(&wb->journal, &h, err);
	if (!rc)
		rc = fmi_behind_write_image(wb, found->ring, h.tail, found->scan.end, err);
	return rc;
}

/* Begin anew in a journal that was there. */
static int reuse(struct fm_write_behind *wb, const struct found *found, struct fm_error *err)
{
	struct fmi_journal_header h;
	int rc = fmi_journal_file_map(&wb->journal, err);

	if (!rc && !wb->recovery.clean)
		rc = recover(wb, found, err);
	if (rc)
		return rc;
	h = wb->journal.header;
	h.generation++;
	h.tail.seq = found->scan.end.seq;
	rc = fresh_header(wb, &h, err);
	return rc ? rc : fmi_journal_file_put(&wb->journal, &h, err);
}

static int make(struct fm_write_behind *wb, struct fm_error *err)
{
	struct fmi_journal_header h = {
		.generation = 1,
		.ring_len = wb->cfg.journal_len,
		.tail = { .seq = 1 },
	};
	int rc = fresh_header(wb, &h, err);

	if (!rc)
		rc = fmi_journal_file_make(&wb->journal, &h, err);
	return rc ? rc : fmi_journal_file_map(&wb->journal, err);
}

static void free_tables(struct fm_write_behind *wb)
{
	free(wb->pieces);
	free(wb->next_pieces);
	free(wb->window);
	free(wb->marks);
	free(wb->old);
	free(wb->touched);
	free(wb->writer.copy);
	wb->pieces = wb->next_pieces = NULL;
	wb->window = wb->marks = wb->old = wb->touched = wb->writer.copy = NULL;
}

static int make_tables(struct fm_write_behind *wb, struct fm_error *err)
{
	size_t pieces = (size_t)((wb->cfg.len - 1) / FMI_DIGEST_PIECE + 1);

	wb->pieces = malloc(pieces * sizeof(*wb->pieces));
	wb->next_pieces = malloc(pieces * sizeof(*wb->next_pieces));
	wb->window = malloc(FMI_WINDOW_LEN);
	wb->marks = malloc(FMI_WINDOW_LEN);
	wb->old = malloc(FMI_WINDOW_LEN);
	wb->touched = malloc((size_t)((wb->cfg.len - 1) / FMI_WINDOW_LEN + 1));
	if (!wb->pieces || !wb->next_pieces || !wb->window || !wb->marks || !wb->old ||
	    !wb->touched)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", wb->cfg.name);
	wb->digest = fmi_digest_image(wb->cfg.array, wb->cfg.len, wb->pieces);
	memcpy(wb->next_pieces, wb->pieces, pieces * sizeof(*wb->pieces));
	return 0;
}

/* The journal is in its place and empty: ready to be written. */
static int begin(struct fm_write_behind *wb, struct fm_error *err)
{
	const struct fmi_journal_header *h = &wb->journal.header;
	uint8_t *copy = malloc((size_t)h->ring_len);

	if (!copy)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", wb->cfg.name);
	fmi_crc32_tables(&wb->crc);
	pthread_mutex_lock(&wb->lock);
	wb->writer = (struct fmi_journal_writer){
		.map = wb->journal.map + FMI_JOURNAL_RING_OFF,
		.copy = copy,
		.ring_len = h->ring_len,
		.crc = &wb->crc,
		.head = h->tail,
	};
	wb->tail = h->tail;
	wb->committed = h->tail;
	wb->suspect = false;
	wb->told.journal_len = h->ring_len;
	pthread_mutex_unlock(&wb->lock);
	return 0;
}

int fmi_behind_start(struct fm_write_behind *wb, struct fm_error *err)
{
	struct found found = { .ring = NULL };
	bool made = false;
	int rc = fmi_image_file_open(&wb->image, &wb->cfg, true, err);

	if (rc)
		return rc;
	rc = find(wb, true, &found, err);
	if (!rc)
		rc = make_tables(wb, err);
	if (!rc && found.ring) {
		rc = reuse(wb, &found, err);
	} else if (!rc) {
		/* A file that was there is not ours to remove, whatever it is. */
		made = !wb->journal.file;
		rc = make(wb, err);
	}
	if (!rc)
		rc = begin(wb, err);
	free(found.ring);
	if (rc) {
		fmi_journal_file_close(&wb->journal, made);
		fmi_image_file_forget(&wb->image);
		free_tables(wb);
	}
	return rc;
}

void fmi_behind_stop(struct fm_write_behind *wb, bool done)
{
	fmi_journal_file_close(&wb->journal, done);
	fmi_image_file_close(&wb->image);
	free_tables(wb);
}
