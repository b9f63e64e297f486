/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/nvdimm_image.h>

#include <firmem/label.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/temporary.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE (1u << 20) /* bytes of one transfer */

/* A file that is being written. */
struct making {
	const struct fm_io *io;
	struct fm_file *file;
	struct fm_file *from; /* NULL: there are only zeros */
	uint8_t *buf;         /* PIECE */
	bool sparse;
};

static int fail(struct fm_error *err, const char *path, const char *what, int rc)
{
	return fm_error_set(err, fm_io_err(rc), -rc, "%s: %s: %s", path, what, strerror(-rc));
}

static int taken(struct fm_error *err, const char *path)
{
	return fm_error_set(err, FM_ERR_EXISTS, EEXIST, "%s: exists, expected a new file", path);
}

/* --- bytes --------------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* Where data may begin, at or behind `off`, of what is copied: holes of a file of the host's are passed over. */
static uint64_t data_from(const struct making *m, uint64_t off)
{
	const struct fm_io_ops *ops = m->io->ops;
	off_t at;
	int fd = -1;

	if (ops->struct_size >= offsetof(struct fm_io_ops, fd) + sizeof(ops->fd) && ops->fd)
		fd = ops->fd(m->io->ctx, m->from);
	at = fd < 0 ? -1 : lseek(fd, (off_t)off, SEEK_DATA);
	if (at < 0)
		return fd >= 0 && errno == ENXIO ? UINT64_MAX : off;
	return (uint64_t)at;
}

/* Put [to, to + len) there: what `from` has at `off`, or zeros where there is none. */
static int put(struct making *m, const struct fm_file *from, uint64_t off, uint64_t to,
	       uint64_t len)
{
	if (m->sparse && !from)
		return 0;
	memset(m->buf, 0, PIECE);
	for (uint64_t at = 0; at < len; at += PIECE) {
		uint64_t data = m->sparse ? data_from(m, off + at) - off : at;
		size_t n;
		int rc;

		if (data >= len)
			break;
		at = fmi_align_down(data, PIECE);
		n = (size_t)fmi_min_u64(len - at, PIECE);
		rc = from ? fm_io_read_all(m->io, m->from, m->buf, n, off + at) : 0;
		if (!rc && !(m->sparse && is_zero(m->buf, n)))
			rc = fm_io_write_all(m->io, m->file, m->buf, n, to + at);
		if (rc)
			return rc;
	}
	return 0;
}

static int finish(struct making *m, uint64_t size)
{
	int rc = m->io->ops->truncate(m->io->ctx, m->file, size);

	return rc ? rc : m->io->ops->fdatasync(m->io->ctx, m->file);
}

/* --- configs ------------------------------------------------------------------------------------- */

static int check(struct fm_nvdimm_image_config *c, const struct fm_nvdimm_image_config *cfg,
		 struct fm_error *err)
{
	int rc = fmi_config_copy(c, sizeof(*c), cfg, "fm_nvdimm_image_config", err);

	if (rc)
		return rc;
	if (!c->io)
		c->io = fm_io_posix();
	if (!c->path)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_nvdimm_image_config.path is NULL");
	if (!c->pmem_len || c->pmem_len % FM_NVDIMM_ALIGN || c->pmem_len > INT64_MAX / 2)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"%s: size 0x%llx, expected a multiple of 0x%llx, not 0, below 2^62",
			c->path, (unsigned long long)c->pmem_len,
			(unsigned long long)FM_NVDIMM_ALIGN);
	if (c->label_len && (c->label_len < FM_LABEL_AREA_MIN || c->label_len > FM_LABEL_AREA_MAX))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: label size 0x%llx, expected 0 or 0x%x to 0x%x", c->path,
				    (unsigned long long)c->label_len, FM_LABEL_AREA_MIN,
				    FM_LABEL_AREA_MAX);
	return 0;
}

/* --- taking a place ------------------------------------------------------------------------------ */

/* The file beside takes its name, if `rc` says that it is written. `fresh`: that must not be another's. */
static int take_place(struct making *m, const struct fm_nvdimm_image_config *c, char *tmp, int rc,
		      bool fresh, const char *what, struct fm_error *err)
{
	c->io->ops->close(c->io->ctx, m->file);
	if (!rc)
		rc = fresh ? fmi_rename_new(c->io, tmp, c->path)
			   : c->io->ops->rename(c->io->ctx, tmp, c->path);
	if (rc)
		c->io->ops->unlink(c->io->ctx, tmp);
	free(tmp);
	if (rc == -EEXIST)
		return taken(err, c->path);
	if (rc)
		return fail(err, c->path, what, rc);
	rc = c->io->ops->sync_dir(c->io->ctx, c->path);
	if (rc && fresh)
		c->io->ops->unlink(c->io->ctx, c->path);
	return rc ? fail(err, c->path, "sync of the folder", rc) : 0;
}

/* --- create -------------------------------------------------------------------------------------- */

static int fill_new(struct making *m, const struct fm_nvdimm_image_config *c)
{
	int rc = put(m, NULL, 0, 0, c->pmem_len + (c->labels ? 0 : c->label_len));

	if (!rc && c->labels)
		rc = fm_io_write_all(c->io, m->file, c->labels, (size_t)c->label_len, c->pmem_len);
	return rc ? rc : finish(m, c->pmem_len + c->label_len);
}

static int create(struct making *m, const struct fm_nvdimm_image_config *c, struct fm_error *err)
{
	char *tmp;
	/* Told before much is written, and seen to again when it gets its name. */
	int rc = c->replace ? 0 : fmi_is_new_name(c->io, c->path);

	if (rc == -EEXIST)
		return taken(err, c->path);
	if (rc)
		return fail(err, c->path, "look for it", rc);
	rc = fmi_temporary(c->io, c->path, &tmp, &m->file);
	if (rc)
		return fail(err, c->path, "make a temporary file beside it", rc);
	return take_place(m, c, tmp, fill_new(m, c), !c->replace, "write", err);
}

int fm_nvdimm_image_create(const struct fm_nvdimm_image_config *cfg, struct fm_error *err)
{
	struct fm_nvdimm_image_config c;
	struct making m = { .io = NULL };
	int rc = check(&c, cfg, err);

	if (rc)
		return rc;
	m.io = c.io;
	m.sparse = c.sparse;
	m.buf = malloc(PIECE);
	if (!m.buf)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", c.path);
	rc = create(&m, &c, err);
	free(m.buf);
	return rc;
}

/* --- grow ---------------------------------------------------------------------------------------- */

static int fill(struct making *m, const struct fm_nvdimm_image_config *c, uint64_t old)
{
	uint64_t pmem = old - c->label_len;
	int rc = put(m, m->from, 0, 0, pmem);

	if (!rc)
		rc = put(m, NULL, 0, pmem, c->pmem_len - pmem);
	if (!rc)
		rc = put(m, m->from, pmem, c->pmem_len, c->label_len);
	return rc ? rc : finish(m, c->pmem_len + c->label_len);
}

static int replace(struct making *m, const struct fm_nvdimm_image_config *c, uint64_t old,
		   struct fm_error *err)
{
	char *tmp;
	int rc = fmi_temporary(c->io, c->path, &tmp, &m->file);

	if (rc)
		return fail(err, c->path, "make a temporary file beside it", rc);
	return take_place(m, c, tmp, fill(m, c, old), false, "write a larger copy", err);
}

static int grow(struct making *m, const struct fm_nvdimm_image_config *c, struct fm_error *err)
{
	uint64_t old;
	int rc = c->io->ops->size(c->io->ctx, m->from, &old);

	if (rc)
		return fail(err, c->path, "size", rc);
	if (old <= c->label_len || c->pmem_len <= old - c->label_len)
		return fm_error_set(
			err, FM_ERR_SIZE, 0,
			"%s: 0x%llx bytes, 0x%llx of them labels: expected less memory than 0x%llx",
			c->path, (unsigned long long)old, (unsigned long long)c->label_len,
			(unsigned long long)c->pmem_len);
	return replace(m, c, old, err);
}

int fm_nvdimm_image_grow(const struct fm_nvdimm_image_config *cfg, struct fm_error *err)
{
	struct fm_nvdimm_image_config c;
	struct making m = { .io = NULL };
	int rc = check(&c, cfg, err);

	if (rc)
		return rc;
	m.io = c.io;
	m.sparse = c.sparse;
	m.buf = malloc(PIECE);
	if (!m.buf)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", c.path);
	rc = c.io->ops->open(c.io->ctx, c.path, FM_IO_READ, &m.from);
	if (rc) {
		free(m.buf);
		return fail(err, c.path, "open for reading", rc);
	}
	rc = grow(&m, &c, err);
	c.io->ops->close(c.io->ctx, m.from);
	free(m.buf);
	return rc;
}
