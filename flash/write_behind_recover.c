/* SPDX-License-Identifier: BSD-2-Clause */
/* An image and its journal become an image, without a device. */
#include <firmem/write_behind.h>

#include "devices/io_private.h"

#include <stdlib.h>

static int image_size(const struct fm_io *io, const char *path, uint64_t *size,
		      struct fm_error *err)
{
	struct fm_file *file;
	int rc = io->ops->open(io->ctx, path, FM_IO_READ, &file);

	if (rc)
		return fmi_io_fail(err, path, "open for reading", rc);
	rc = io->ops->size(io->ctx, file, size);
	io->ops->close(io->ctx, file);
	if (rc)
		return fmi_io_fail(err, path, "size", rc);
	if (!*size)
		return fm_error_set(err, FM_ERR_SIZE, 0, "%s: 0 bytes, expected an image", path);
	return 0;
}

/* Open and close it; *out is what the opening found. */
static int visit(struct fm_write_behind_config *cfg, struct fm_recovery *out, struct fm_error *err)
{
	struct fm_write_behind *wb;
	int rc = fm_write_behind_open(&wb, cfg, err);

	if (rc)
		return rc;
	fm_write_behind_recovery(wb, out);
	fm_write_behind_close(wb);
	return 0;
}

static int recover(struct fm_write_behind_config *cfg, bool check, struct fm_recovery *out,
		   struct fm_error *err)
{
	struct fm_worker_config worker = { .struct_size = sizeof(worker), .pumped = true };
	struct fm_recovery found;
	int rc;

	cfg->read_only = true;
	rc = visit(cfg, &found, err);
	if (!rc && !check && found.found) {
		cfg->read_only = false;
		rc = fm_worker_new(&cfg->worker, &worker, err);
		if (!rc)
			rc = visit(cfg, &found, err);
		fm_worker_free(cfg->worker);
	}
	if (!rc)
		*out = found;
	return rc;
}

int fm_write_behind_recover(const struct fm_io *io, const char *image, const char *journal,
			    bool check, struct fm_recovery *out, struct fm_error *err)
{
	struct fm_write_behind_config cfg = { .struct_size = sizeof(cfg),
					      .image = image,
					      .journal = journal };
	int rc;

	if (!image || !out)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_write_behind_recover: image or out is NULL");
	rc = fmi_io_check(&io, image, err);
	if (!rc)
		rc = image_size(io, image, &cfg.len, err);
	if (rc)
		return rc;
	cfg.io = io;
	cfg.array = malloc((size_t)cfg.len);
	if (!cfg.array)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: no memory for %llu bytes", image,
				    (unsigned long long)cfg.len);
	rc = recover(&cfg, check, out, err);
	free(cfg.array);
	return rc;
}
