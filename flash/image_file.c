/* SPDX-License-Identifier: BSD-2-Clause */
/* The image's file: opening, locking, reading it whole, making it. */
#include "flash/behind_private.h"

#include "devices/guestmem.h"
#include "devices/io_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* QEMU's bytes: it holds 100 + n for a permission that it uses, and wants nobody at 200 + n if it
   uses that permission. Permission 0 is to read, 1 to write, 2 to write what is there, 3 to resize. */
#define QEMU_USES 100u
#define QEMU_USES_COUNT 4u
#define LOCK_BYTE 201u

static int open_path(struct fmi_image_file *f, const struct fm_write_behind_config *cfg,
		     bool writer)
{
	const struct fm_io *io = f->io;
	unsigned flags = FM_IO_READ | (writer ? FM_IO_WRITE : 0);
	int rc = io->ops->open(io->ctx, f->path, flags, &f->file);

	if (rc != -ENOENT || !cfg->create)
		return rc;
	rc = io->ops->open(io->ctx, f->path, flags | FM_IO_CREATE | FM_IO_EXCL, &f->file);
	f->made = !rc;
	if (rc == -EEXIST) /* somebody was quicker: theirs is an existing file */
		rc = io->ops->open(io->ctx, f->path, flags, &f->file);
	return rc;
}

static int open_file(struct fmi_image_file *f, const struct fm_write_behind_config *cfg,
		     bool writer, struct fm_error *err)
{
	const struct fm_io *io = f->io;
	int rc;

	if (cfg->image)
		rc = open_path(f, cfg, writer);
	else
		rc = io->ops->open_fd(io->ctx, cfg->image_fd,
				      FM_IO_READ | (writer ? FM_IO_WRITE : 0), &f->file);
	if (!rc)
		return 0;
	f->file = NULL;
	return fmi_io_fail(err, f->path,
			   writer ? "open for reading and writing" : "open for reading", rc);
}

/* Who has [off, off + len) of the file locked against us. */
static int tell_holder(const struct fm_io *io, struct fm_file *file, const char *path, int type,
		       uint64_t off, uint64_t len, struct fm_error *err)
{
	pid_t holder = -1;

	io->ops->lock_test(io->ctx, file, type, off, len, &holder);
	if (holder > 0)
		return fm_error_set(err, FM_ERR_LOCKED, EAGAIN,
				    "%s: process %ld has it open, expected nobody", path,
				    (long)holder);
	return fm_error_set(err, FM_ERR_LOCKED, EAGAIN,
			    "%s: somebody else has it open, expected nobody", path);
}

int fmi_lock_file(const struct fm_io *io, struct fm_file *file, const char *path, bool writer,
		  bool qemu, struct fm_error *err)
{
	int type = writer ? FM_IO_LOCK_EXCLUSIVE : FM_IO_LOCK_SHARED;
	/* Who only reads does not mind another reader. */
	uint64_t first = writer ? QEMU_USES : QEMU_USES + 1;
	uint64_t count = QEMU_USES + QEMU_USES_COUNT - first;
	int rc = io->ops->lock(io->ctx, file, type, LOCK_BYTE, 1);
	pid_t holder;

	if (rc == -EAGAIN)
		return tell_holder(io, file, path, type, LOCK_BYTE, 1, err);
	/* Ours first: of two that come at once at least one sees the other. */
	if (!rc && qemu) {
		rc = io->ops->lock_test(io->ctx, file, FM_IO_LOCK_EXCLUSIVE, first, count, &holder);
		if (rc == -EAGAIN)
			return tell_holder(io, file, path, FM_IO_LOCK_EXCLUSIVE, first, count, err);
	}
	return rc ? fmi_io_fail(err, path, "lock", rc) : 0;
}

static int read_image(struct fmi_image_file *f, const struct fm_write_behind_config *cfg,
		      struct fm_error *err)
{
	const struct fm_io *io = f->io;
	uint64_t size;
	int rc = io->ops->size(io->ctx, f->file, &size);

	if (rc)
		return fmi_io_fail(err, f->path, "size", rc);
	if (size != cfg->len)
		return fm_error_set(
			err, FM_ERR_SIZE, 0, "%s: %llu bytes, expected the %llu bytes of %s",
			f->path, (unsigned long long)size, (unsigned long long)cfg->len, cfg->name);
	rc = fm_io_read_all(io, f->file, cfg->array, (size_t)cfg->len, 0);
	return rc ? fmi_io_fail(err, f->path, "read", rc) : 0;
}

/* Fill a file that we have just made. */
static int make_image(struct fmi_image_file *f, const struct fm_write_behind_config *cfg,
		      struct fm_error *err)
{
	const struct fm_io *io = f->io;
	int rc;

	fmi_mem_fill(cfg->array, 0xff, (size_t)cfg->len);
	rc = fm_io_write_all(io, f->file, cfg->array, (size_t)cfg->len, 0);
	if (rc)
		return fmi_io_fail(err, f->path, "write of a new image", rc);
	rc = io->ops->fdatasync(io->ctx, f->file);
	if (rc)
		return fmi_io_fail(err, f->path, "fdatasync of a new image", rc);
	rc = io->ops->sync_dir(io->ctx, f->path);
	return rc ? fmi_io_fail(err, f->path, "sync of the new image's folder", rc) : 0;
}

int fmi_image_file_open(struct fmi_image_file *f, const struct fm_write_behind_config *cfg,
			bool writer, struct fm_error *err)
{
	char name[32];
	int rc;

	snprintf(name, sizeof(name), "image descriptor %d", cfg->image_fd);
	*f = (struct fmi_image_file){ .io = cfg->io };
	f->path = strdup(cfg->image ? cfg->image : name);
	if (!f->path)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", cfg->name);
	rc = open_file(f, cfg, writer, err);
	/* Before the size is judged: another opener may be about to fill a new file. */
	if (!rc)
		rc = fmi_lock_file(f->io, f->file, f->path, writer, true, err);
	if (!rc)
		rc = f->made ? make_image(f, cfg, err) : read_image(f, cfg, err);
	if (rc)
		fmi_image_file_forget(f);
	return rc;
}

void fmi_image_file_forget(struct fmi_image_file *f)
{
	if (f->made)
		f->io->ops->unlink(f->io->ctx, f->path);
	fmi_image_file_close(f);
}

void fmi_image_file_close(struct fmi_image_file *f)
{
	if (f->file)
		f->io->ops->close(f->io->ctx, f->file);
	free(f->path);
	*f = (struct fmi_image_file){ .io = f->io };
}

void fmi_image_file_identity(const struct fmi_image_file *f, struct fmi_image_identity *id)
{
	struct fm_file_id who = { 0, 0 };

	if (f->io->ops->identity(f->io->ctx, f->file, &who))
		who = (struct fm_file_id){ 0, 0 };
	id->dev = who.dev;
	id->ino = who.ino;
}
