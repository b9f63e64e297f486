/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image file of a bank. It listens to the bank's medium operations and writes what they changed,
 * one write an operation. What could not be written stays in the array, and is written at the next
 * flush; what could not be synced is written again, because after a failed sync the host's kernel
 * may have dropped it and call the next one a success.
 */
#include "flash/flash_private.h"

#include "devices/bytes.h"
#include "devices/guestmem.h"
#include "devices/io_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is pending or not yet synced is known by the granule. */
#define GRANULE 4096u
/* Held while an image is open: shared by readers, else exclusive. */
#define LOCK_BYTE 201u

struct fmi_image {
	const struct fm_io *io;
	struct fm_file *file;
	char *path; /* for messages */
	bool read_only;
	uint8_t *array;
	uint64_t len;
	uint64_t granules;
	uint8_t *pending;  /* a byte a granule: the file is behind the array */
	uint8_t *unsynced; /* the same: the file may be ahead of the disk */
	bool any_unsynced;
	bool any_pending;
	struct fm_dev *dev;
	struct fm_flash_stats *stats;
	struct fm_medium_sub sub;
};

/* --- opening ----------------------------------------------------------------------------- */

static int open_path(struct fmi_image *image, bool create, bool *made)
{
	const struct fm_io *io = image->io;
	unsigned flags = FM_IO_READ | (image->read_only ? 0 : FM_IO_WRITE);
	int rc = io->ops->open(io->ctx, image->path, flags, &image->file);

	if (rc != -ENOENT || !create)
		return rc;
	rc = io->ops->open(io->ctx, image->path, flags | FM_IO_CREATE | FM_IO_EXCL, &image->file);
	*made = !rc;
	if (rc == -EEXIST) /* somebody was quicker: theirs is an existing file */
		rc = io->ops->open(io->ctx, image->path, flags, &image->file);
	return rc;
}

static int open_file(struct fmi_image *image, const struct fmi_image_config *cfg, bool *made,
		     struct fm_error *err)
{
	const struct fm_io *io = image->io;
	const char *what = cfg->read_only ? "open for reading" : "open for reading and writing";
	int rc;

	if (cfg->path)
		rc = open_path(image, cfg->create, made);
	else
		rc = io->ops->open_fd(io->ctx, cfg->fd,
				      FM_IO_READ | (cfg->read_only ? 0 : FM_IO_WRITE),
				      &image->file);
	if (rc)
		image->file = NULL;
	return rc ? fmi_io_fail(err, image->path, what, rc) : 0;
}

static int lock_file(struct fmi_image *image, struct fm_error *err)
{
	const struct fm_io *io = image->io;
	int type = image->read_only ? FM_IO_LOCK_SHARED : FM_IO_LOCK_EXCLUSIVE;
	int rc = io->ops->lock(io->ctx, image->file, type, LOCK_BYTE, 1);
	pid_t holder = -1;

	if (!rc)
		return 0;
	if (rc != -EAGAIN)
		return fmi_io_fail(err, image->path, "lock", rc);
	io->ops->lock_test(io->ctx, image->file, type, LOCK_BYTE, 1, &holder);
	if (holder > 0)
		return fm_error_set(err, FM_ERR_LOCKED, EAGAIN,
				    "%s: process %ld has the image open, expected nobody",
				    image->path, (long)holder);
	return fm_error_set(err, FM_ERR_LOCKED, EAGAIN,
			    "%s: somebody else has the image open, expected nobody", image->path);
}

static int read_image(struct fmi_image *image, const char *bank, struct fm_error *err)
{
	const struct fm_io *io = image->io;
	uint64_t size;
	int rc = io->ops->size(io->ctx, image->file, &size);

	if (rc)
		return fmi_io_fail(err, image->path, "size", rc);
	if (size != image->len)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: %llu bytes, expected the %llu bytes of bank %s",
				    image->path, (unsigned long long)size,
				    (unsigned long long)image->len, bank);
	rc = fm_io_read_all(io, image->file, image->array, (size_t)image->len, 0);
	return rc ? fmi_io_fail(err, image->path, "read", rc) : 0;
}

/* Fill a file that we have just made. */
static int make_image(struct fmi_image *image, struct fm_error *err)
{
	const struct fm_io *io = image->io;
	int rc;

	fmi_mem_fill(image->array, 0xff, (size_t)image->len);
	rc = fm_io_write_all(io, image->file, image->array, (size_t)image->len, 0);
	if (rc)
		return fmi_io_fail(err, image->path, "write of a new image", rc);
	rc = io->ops->fdatasync(io->ctx, image->file);
	if (rc)
		return fmi_io_fail(err, image->path, "fdatasync of a new image", rc);
	rc = io->ops->sync_dir(io->ctx, image->path);
	return rc ? fmi_io_fail(err, image->path, "sync of the new image's folder", rc) : 0;
}

/* Everything that needs `image` allocated. */
static int open_all(struct fmi_image *image, const struct fmi_image_config *cfg,
		    struct fm_error *err)
{
	bool made = false;
	int rc = open_file(image, cfg, &made, err);

	/* Before the size is judged: another opener may be about to fill a new file. */
	if (!rc)
		rc = lock_file(image, err);
	if (!rc)
		rc = made ? make_image(image, err) : read_image(image, cfg->bank, err);
	if (rc && made)
		image->io->ops->unlink(image->io->ctx, image->path);
	return rc;
}

int fmi_image_open(struct fmi_image **out, const struct fmi_image_config *cfg, struct fm_error *err)
{
	struct fmi_image *image;
	char name[32];
	int rc;

	image = calloc(1, sizeof(*image));
	if (!image)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", cfg->bank);
	snprintf(name, sizeof(name), "image descriptor %d", cfg->fd);
	image->io = cfg->io;
	image->read_only = cfg->read_only;
	image->array = cfg->array;
	image->len = cfg->len;
	image->stats = cfg->stats;
	image->granules = (cfg->len - 1) / GRANULE + 1;
	image->path = strdup(cfg->path ? cfg->path : name);
	image->pending = calloc(image->granules, 1);
	image->unsynced = calloc(image->granules, 1);
	if (!image->path || !image->pending || !image->unsynced)
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", cfg->bank);
	else
		rc = open_all(image, cfg, err);
	if (rc) {
		fmi_image_close(image);
		return rc;
	}
	*out = image;
	return 0;
}

void fmi_image_close(struct fmi_image *image)
{
	if (!image)
		return;
	if (image->file)
		image->io->ops->close(image->io->ctx, image->file);
	free(image->unsynced);
	free(image->pending);
	free(image->path);
	free(image);
}

/* --- writing ----------------------------------------------------------------------------- */

static void mark(uint8_t *granules, uint64_t off, uint64_t len)
{
	memset(granules + off / GRANULE, 1, (off + len - 1) / GRANULE - off / GRANULE + 1);
}

/* A host error that the guest cannot be told: it sticks until a flush succeeds. */
static int failed(struct fmi_image *image, const char *what, int rc, struct fm_error *err)
{
	struct fm_error error;

	fmi_io_fail(&error, image->path, what, rc);
	fm_dev_raise(image->dev, FM_EFF_IOERR, &error);
	fm_trace_emit(image->dev, (struct fm_trace_event){ .kind = FM_TRACE_HOST_ERROR,
							   .value = (uint64_t)-rc,
							   .text = "write of the image" });
	if (err)
		*err = error;
	return error.code;
}

static int write_range(struct fmi_image *image, uint64_t off, uint64_t len, struct fm_error *err)
{
	int rc = fm_io_write_all(image->io, image->file, image->array + off, (size_t)len, off);
	char what[64];

	image->stats->host_writes++;
	image->any_unsynced = true;
	mark(image->unsynced, off, len);
	if (!rc) {
		image->stats->host_bytes += len;
		return 0;
	}
	image->any_pending = true;
	mark(image->pending, off, len);
	snprintf(what, sizeof(what), "write of 0x%llx bytes at 0x%llx", (unsigned long long)len,
		 (unsigned long long)off);
	return failed(image, what, rc, err);
}

static unsigned on_medium(void *ctx, const struct fm_medium_op *op)
{
	struct fmi_image *image = ctx;

	if (!op->changed)
		return 0;
	return write_range(image, op->off, op->len, NULL) ? FM_EFF_IOERR : 0;
}

void fmi_image_attach(struct fmi_image *image, struct fm_dev *dev)
{
	image->dev = dev;
	if (image->read_only)
		return;
	image->sub = (struct fm_medium_sub){ .op = on_medium, .ctx = image };
	fm_dev_subscribe(dev, &image->sub);
}

void fmi_image_stale(struct fmi_image *image)
{
	if (image->read_only)
		return;
	image->any_pending = true;
	memset(image->pending, 1, image->granules);
}

/* Write each run of pending granules. A run that fails stays pending; the first error is returned. */
static int write_pending(struct fmi_image *image, struct fm_error *err)
{
	int first = 0;
	uint64_t end;

	image->any_pending = false;
	for (uint64_t at = 0; at < image->granules; at = end) {
		uint64_t off = at * GRANULE;
		int rc;

		end = at + 1;
		if (!image->pending[at])
			continue;
		while (end < image->granules && image->pending[end])
			end++;
		memset(image->pending + at, 0, end - at);
		rc = write_range(image, off, fmi_min_u64(end * GRANULE, image->len) - off,
				 first ? NULL : err);
		if (!first)
			first = rc;
	}
	return first;
}

int fmi_image_flush(struct fmi_image *image, struct fm_error *err)
{
	int rc;

	if (image->any_pending) {
		rc = write_pending(image, err);
		if (rc)
			return rc;
	}
	if (!image->any_unsynced)
		return 0;
	rc = image->io->ops->fdatasync(image->io->ctx, image->file);
	if (rc) {
		for (uint64_t i = 0; i < image->granules; i++)
			image->pending[i] |= image->unsynced[i];
		image->any_pending = true;
		return failed(image, "fdatasync", rc, err);
	}
	memset(image->unsynced, 0, image->granules);
	image->any_unsynced = false;
	fm_dev_clear_error(image->dev);
	return 0;
}
