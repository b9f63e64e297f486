/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal's file. It is made under another name and renamed when it is complete and durable, so
 * that under its name there is never a half of one. It is filled with zeros and not only allocated:
 * a store to a page that has no block yet could find the disk full, and would kill the process.
 */
#include "flash/behind_private.h"

#include "devices/bytes.h"
#include "devices/io_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SUFFIX ".journal"
#define FILL_LEN (UINT64_C(1) << 20)

/* --- opening ----------------------------------------------------------------------------- */

/* Its name, or what messages call it. */
static int name_it(struct fmi_journal_file *f, const struct fm_write_behind_config *cfg,
		   const char *image_path, struct fm_error *err)
{
	const char *base = cfg->journal;
	char *image = NULL;
	size_t room = 40;
	int rc;

	f->named = !cfg->use_journal_fd;
	if (f->named && !base) {
		rc = fmi_io_resolve(f->io, image_path, &image);
		if (rc)
			return fmi_io_fail(err, image_path, "finding its name", rc);
		base = image;
	}
	if (base)
		room += strlen(base);
	f->path = malloc(room);
	if (f->path && base)
		snprintf(f->path, room, "%s%s", base, image ? SUFFIX : "");
	else if (f->path)
		snprintf(f->path, room, "journal descriptor %d", cfg->journal_fd);
	free(image);
	return f->path ? 0 : fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", cfg->name);
}

int fmi_journal_file_open(struct fmi_journal_file *f, const struct fm_write_behind_config *cfg,
			  const char *image_path, bool writer, struct fm_error *err)
{
	unsigned flags = FM_IO_READ | (writer ? FM_IO_WRITE : 0);
	int rc;

	*f = (struct fmi_journal_file){ .io = cfg->io, .page = (size_t)sysconf(_SC_PAGESIZE) };
	rc = name_it(f, cfg, image_path, err);
	if (rc)
		return rc;
	if (f->named)
		rc = f->io->ops->open(f->io->ctx, f->path, flags, &f->file);
	else
		rc = f->io->ops->open_fd(f->io->ctx, cfg->journal_fd, flags, &f->file);
	if (rc)
		f->file = NULL;
	if (rc == -ENOENT && f->named)
		return 0;
	if (rc)
		return fmi_io_fail(err, f->path,
				   writer ? "open for reading and writing" : "open for reading",
				   rc);
	return fmi_lock_file(f->io, f->file, f->path, writer, false, err);
}

/* --- loading ----------------------------------------------------------------------------- */

static bool only_zeros(const uint8_t *bytes, uint64_t len)
{
	return !len || (!bytes[0] && !memcmp(bytes, bytes + 1, (size_t)len - 1));
}

/* Why neither header of a file of `size` bytes can be used. */
static int no_header(const struct fmi_journal_file *f, uint64_t size,
		     const enum fmi_header_verdict verdict[2], struct fm_error *err)
{
	int code = FM_ERR_FORMAT;

	if (verdict[0] == FMI_HEADER_VERSION || verdict[1] == FMI_HEADER_VERSION)
		code = FM_ERR_VERSION;
	if (size < FMI_JOURNAL_RING_OFF)
		return fm_error_set(
			err, code, 0, "%s: %llu bytes, expected a journal's, at least %llu",
			f->path, (unsigned long long)size,
			FMI_JOURNAL_RING_OFF + (unsigned long long)FMI_JOURNAL_RING_MIN);
	return fm_error_set(
		err, code, 0,
		"%s: its headers are %s and %s, expected one good one; without the file "
		"the image is as it was last applied",
		f->path, fmi_header_verdict_text(verdict[0]), fmi_header_verdict_text(verdict[1]));
}

static int judge(struct fmi_journal_file *f, const uint8_t *bytes, uint64_t size, bool *empty,
		 struct fm_error *err)
{
	enum fmi_header_verdict verdict[2] = { FMI_HEADER_BLANK, FMI_HEADER_BLANK };
	int chosen = -1;

	*empty = only_zeros(bytes, size);
	/* Under a name a journal is complete: this is somebody's file, which may be of use. */
	if (*empty && size && f->named)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: %llu bytes that are all zero, expected a journal or an "
				    "empty file",
				    f->path, (unsigned long long)size);
	if (*empty)
		return 0;
	if (size >= FMI_JOURNAL_RING_OFF)
		chosen = fmi_journal_choose(bytes, &f->header, verdict);
	if (chosen < 0)
		return no_header(f, size, verdict, err);
	f->slot = !chosen;
	if (size != FMI_JOURNAL_RING_OFF + f->header.ring_len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: %llu bytes, expected the %llu that its header says",
				    f->path, (unsigned long long)size,
				    FMI_JOURNAL_RING_OFF + (unsigned long long)f->header.ring_len);
	return 0;
}

int fmi_journal_file_load(struct fmi_journal_file *f, uint8_t **ring, struct fm_error *err)
{
	const uint64_t most = FMI_JOURNAL_RING_OFF + FMI_JOURNAL_RING_MAX;
	uint8_t *bytes;
	uint64_t size;
	bool empty = false;
	int rc = f->io->ops->size(f->io->ctx, f->file, &size);

	if (rc)
		return fmi_io_fail(err, f->path, "size", rc);
	if (size > most)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: %llu bytes, expected a journal's, at most %llu", f->path,
				    (unsigned long long)size, (unsigned long long)most);
	bytes = malloc(size ? (size_t)size : 1);
	if (!bytes)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: no memory for %llu bytes", f->path,
				    (unsigned long long)size);
	rc = fm_io_read_all(f->io, f->file, bytes, (size_t)size, 0);
	if (rc)
		rc = fmi_io_fail(err, f->path, "read", rc);
	if (!rc)
		rc = judge(f, bytes, size, &empty, err);
	if (rc || empty) {
		free(bytes);
		if (!rc)
			*ring = NULL;
		return rc;
	}
	memmove(bytes, bytes + FMI_JOURNAL_RING_OFF, (size_t)f->header.ring_len);
	*ring = bytes;
	return 0;
}

/* --- making ------------------------------------------------------------------------------ */

static int fill(struct fmi_journal_file *f, struct fm_file *file,
		const struct fmi_journal_header *h)
{
	uint64_t len = FMI_JOURNAL_RING_OFF + h->ring_len;
	uint8_t *zeros = calloc(1, FILL_LEN);
	int rc = zeros ? 0 : -ENOMEM;

	if (!rc)
		rc = f->io->ops->truncate(f->io->ctx, file, 0);
	for (uint64_t off = 0; !rc && off < len; off += FILL_LEN)
		rc = fm_io_write_all(f->io, file, zeros, (size_t)fmi_min_u64(FILL_LEN, len - off),
				     off);
	/* Under its own name a header must not be there before what it speaks of. */
	if (!rc && !f->named)
		rc = f->io->ops->fdatasync(f->io->ctx, file);
	if (!rc) {
		fmi_journal_encode(h, zeros);
		rc = fm_io_write_all(f->io, file, zeros, FMI_JOURNAL_HEADER_LEN, 0);
	}
	if (!rc)
		rc = f->io->ops->fdatasync(f->io->ctx, file);
	free(zeros);
	return rc;
}

/* Is it what a crash left of a journal that was being made: zeros, or its header? */
static int check_left(struct fmi_journal_file *f, const char *tmp, struct fm_error *err)
{
	uint8_t bytes[FMI_JOURNAL_HEADER_LEN];
	struct fmi_journal_header h;
	uint64_t size;
	int rc = f->io->ops->size(f->io->ctx, f->file, &size);

	if (rc)
		return fmi_io_fail(err, tmp, "size", rc);
	size = fmi_min_u64(size, sizeof(bytes));
	rc = fm_io_read_all(f->io, f->file, bytes, (size_t)size, 0);
	if (rc)
		return fmi_io_fail(err, tmp, "read", rc);
	if (only_zeros(bytes, size) || (size == sizeof(bytes) && !fmi_journal_decode(bytes, &h)))
		return 0;
	return fm_error_set(err, FM_ERR_FORMAT, 0,
			    "%s: is no journal, expected this name to be free for making one", tmp);
}

/* Does the temporary name still lead to the file that we have? Another may have put its own there. */
static int check_ours(struct fmi_journal_file *f, const char *tmp, struct fm_error *err)
{
	const struct fm_io_ops *ops = f->io->ops;
	struct fm_file_id ours, named;
	struct fm_file *file;
	int rc = ops->open(f->io->ctx, tmp, FM_IO_READ, &file);

	if (!rc) {
		rc = ops->identity(f->io->ctx, file, &named);
		ops->close(f->io->ctx, file);
	}
	if (!rc)
		rc = ops->identity(f->io->ctx, f->file, &ours);
	if (rc && rc != -ENOENT)
		return fmi_io_fail(err, tmp, "open for reading", rc);
	if (rc || named.dev != ours.dev || named.ino != ours.ino)
		return fm_error_set(err, FM_ERR_LOCKED, 0,
				    "%s: another process has it, expected no other's", tmp);
	return 0;
}

/*
 * Another process, of another image but with this journal, may have made one since we saw none. From
 * here on nobody can: that takes the temporary name, whose file we have locked.
 */
static int check_unmade(struct fmi_journal_file *f, struct fm_error *err)
{
	struct fm_file *file;
	int rc = f->io->ops->open(f->io->ctx, f->path, FM_IO_READ, &file);

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return fmi_io_fail(err, f->path, "open for reading", rc);
	f->io->ops->close(f->io->ctx, file);
	return fm_error_set(err, FM_ERR_LOCKED, 0,
			    "%s: another process has made it, expected no journal yet", f->path);
}

/* Fill `tmp`, and give it the journal's name. `own`: it was not there before. */
static int make_by(struct fmi_journal_file *f, const char *tmp, bool own,
		   const struct fmi_journal_header *h, struct fm_error *err)
{
	const struct fm_io *io = f->io;
	int rc = fmi_lock_file(io, f->file, tmp, true, false, err);

	if (!rc)
		rc = check_ours(f, tmp, err);
	/* The name is another's. */
	if (rc == FM_ERR_LOCKED)
		return rc;
	if (!rc && !own)
		rc = check_left(f, tmp, err);
	if (!rc)
		rc = check_unmade(f, err);
	if (rc && own)
		io->ops->unlink(io->ctx, tmp);
	if (rc)
		return rc;
	rc = fill(f, f->file, h);
	if (!rc)
		rc = io->ops->rename(io->ctx, tmp, f->path);
	if (rc) {
		io->ops->unlink(io->ctx, tmp);
		return fmi_io_fail(err, f->path, "making it", rc);
	}
	rc = io->ops->sync_dir(io->ctx, f->path);
	if (rc) {
		io->ops->unlink(io->ctx, f->path);
		return fmi_io_fail(err, f->path, "sync of its folder", rc);
	}
	return 0;
}

static int make_named(struct fmi_journal_file *f, const struct fmi_journal_header *h,
		      struct fm_error *err)
{
	const struct fm_io *io = f->io;
	size_t room = strlen(f->path) + 5;
	char *tmp = malloc(room);
	bool own;
	int rc;

	if (!tmp)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", f->path);
	/* One name, which a crash may leave behind: the next one takes it. */
	snprintf(tmp, room, "%s.tmp", f->path);
	rc = io->ops->open(io->ctx, tmp, FM_IO_READ | FM_IO_WRITE | FM_IO_CREATE | FM_IO_EXCL,
			   &f->file);
	own = !rc;
	if (rc == -EEXIST)
		rc = io->ops->open(io->ctx, tmp, FM_IO_READ | FM_IO_WRITE, &f->file);
	if (rc) {
		f->file = NULL;
		rc = fmi_io_fail(err, tmp, "open for reading and writing", rc);
	} else {
		rc = make_by(f, tmp, own, h, err);
	}
	/* Not under the journal's name: who closes it takes that away. */
	if (rc && f->file) {
		io->ops->close(io->ctx, f->file);
		f->file = NULL;
	}
	free(tmp);
	return rc;
}

int fmi_journal_file_make(struct fmi_journal_file *f, const struct fmi_journal_header *h,
			  struct fm_error *err)
{
	int rc = 0;

	if (f->file) {
		rc = fill(f, f->file, h);
		if (rc) {
			/* Empty again, as far as the host lets it. */
			f->io->ops->truncate(f->io->ctx, f->file, 0);
			return fmi_io_fail(err, f->path, "making it", rc);
		}
	} else {
		rc = make_named(f, h, err);
	}
	if (!rc) {
		f->header = *h;
		f->slot = 1;
	}
	return rc;
}

/* --- writing ----------------------------------------------------------------------------- */

int fmi_journal_file_map(struct fmi_journal_file *f, struct fm_error *err)
{
	size_t len = FMI_JOURNAL_RING_OFF + (size_t)f->header.ring_len;
	void *map;
	int rc = f->io->ops->map(f->io->ctx, f->file, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED,
				 &map);

	if (rc)
		return fmi_io_fail(err, f->path, "mapping it shared", rc);
	f->map = map;
	f->map_len = len;
	return 0;
}

/* Sync [from, to) of the file, and what shares its pages. */
static int sync_range(struct fmi_journal_file *f, uint64_t from, uint64_t to, uint64_t *bytes)
{
	uint64_t first = fmi_align_down(from, f->page);
	uint64_t end = fmi_min_u64(fmi_align_up(to, f->page), f->map_len);

	*bytes += end - first;
	return f->io->ops->msync(f->io->ctx, f->map + first, (size_t)(end - first));
}

int fmi_journal_file_put(struct fmi_journal_file *f, const struct fmi_journal_header *h,
			 struct fm_error *err)
{
	uint64_t at = (uint64_t)f->slot * FMI_JOURNAL_SLOT_LEN;
	uint8_t bytes[FMI_JOURNAL_HEADER_LEN];
	uint64_t synced = 0;
	int rc;

	fmi_journal_encode(h, bytes);
	memcpy(f->map + at, bytes, sizeof(bytes));
	rc = sync_range(f, at, at + sizeof(bytes), &synced);
	if (rc)
		return fmi_io_fail(err, f->path, "sync of its header", rc);
	f->header = *h;
	f->slot = !f->slot;
	return 0;
}

int fmi_journal_file_sync(struct fmi_journal_file *f, uint64_t from, uint64_t to, uint64_t *bytes,
			  struct fm_error *err)
{
	uint64_t ring = f->header.ring_len;
	uint64_t begin = from % ring;
	uint64_t end = begin + (to - from);
	int rc = sync_range(f, FMI_JOURNAL_RING_OFF + begin,
			    FMI_JOURNAL_RING_OFF + fmi_min_u64(end, ring), bytes);

	if (!rc && end > ring)
		rc = sync_range(f, FMI_JOURNAL_RING_OFF, FMI_JOURNAL_RING_OFF + (end - ring),
				bytes);
	return rc ? fmi_io_fail(err, f->path, "sync of its records", rc) : 0;
}

void fmi_journal_file_close(struct fmi_journal_file *f, bool done)
{
	if (f->map)
		f->io->ops->unmap(f->io->ctx, f->map, f->map_len);
	/* While it is locked: the name may be another's right after. */
	if (f->file && done && f->named)
		f->io->ops->unlink(f->io->ctx, f->path);
	if (f->file && done && !f->named)
		f->io->ops->truncate(f->io->ctx, f->file, 0);
	if (f->file)
		f->io->ops->close(f->io->ctx, f->file);
	free(f->path);
	*f = (struct fmi_journal_file){ .io = f->io };
}
