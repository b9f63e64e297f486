/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/io_private.h"
#include "devices/temporary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool complete(const struct fm_io_ops *ops)
{
	/* `fd` and what follows are optional, and later than the first version of the struct. */
	return ops && ops->struct_size >= offsetof(struct fm_io_ops, fd) && ops->open &&
	       ops->open_fd && ops->close && ops->size && ops->identity && ops->pread &&
	       ops->pwrite && ops->fdatasync && ops->truncate && ops->allocate && ops->map &&
	       ops->unmap && ops->msync && ops->lock && ops->lock_test && ops->rename &&
	       ops->unlink && ops->sync_dir;
}

int fmi_io_check(const struct fm_io **io, const char *what, struct fm_error *err)
{
	if (!*io)
		*io = fm_io_posix();
	if (!complete((*io)->ops))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_io.ops is incomplete, expected struct_size and every "
				    "function but fd and those behind it",
				    what);
	return 0;
}

int fmi_io_fd(const struct fm_io *io, struct fm_file *file)
{
	const struct fm_io_ops *ops = io->ops;

	if (ops->struct_size < offsetof(struct fm_io_ops, fd) + sizeof(ops->fd) || !ops->fd)
		return -1;
	return ops->fd(io->ctx, file);
}

int fmi_io_resolve(const struct fm_io *io, const char *path, char **out)
{
	const struct fm_io_ops *ops = io->ops;

	if (ops->struct_size >= offsetof(struct fm_io_ops, resolve) + sizeof(ops->resolve) &&
	    ops->resolve)
		return ops->resolve(io->ctx, path, out);
	*out = strdup(path);
	return *out ? 0 : -ENOMEM;
}

int fmi_io_punch(const struct fm_io *io, struct fm_file *file, uint64_t off, uint64_t len)
{
	const struct fm_io_ops *ops = io->ops;

	if (ops->struct_size < offsetof(struct fm_io_ops, punch) + sizeof(ops->punch) ||
	    !ops->punch)
		return -EOPNOTSUPP;
	return ops->punch(io->ctx, file, off, len);
}

int fmi_io_write_out(const struct fm_io *io, struct fm_file *file, uint64_t off, uint64_t len,
		     bool wait)
{
	const struct fm_io_ops *ops = io->ops;

	if (ops->struct_size < offsetof(struct fm_io_ops, write_out) + sizeof(ops->write_out) ||
	    !ops->write_out)
		return -EOPNOTSUPP;
	return ops->write_out(io->ctx, file, off, len, wait);
}

int fmi_io_fail(struct fm_error *err, const char *path, const char *what, int negative_errno)
{
	errno = -negative_errno;
	return fm_error_set(err, fm_io_err(negative_errno), -negative_errno, "%s: %s: %m", path,
			    what);
}

int fm_io_read_all(const struct fm_io *io, struct fm_file *file, void *buf, size_t len,
		   uint64_t off)
{
	char *at = buf;

	while (len) {
		ssize_t n = io->ops->pread(io->ctx, file, at, len, off);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0 || (size_t)n > len)
			return -EIO;
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fm_io_write_all(const struct fm_io *io, struct fm_file *file, const void *buf, size_t len,
		    uint64_t off)
{
	const char *at = buf;

	while (len) {
		ssize_t n = io->ops->pwrite(io->ctx, file, at, len, off);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0 || (size_t)n > len)
			return -EIO;
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The contents of an open file. */
static int load_file(const struct fm_io *io, struct fm_file *file, const char *path, size_t max,
		     void **out, size_t *len, struct fm_error *err)
{
	uint64_t size;
	void *buf;
	int rc = io->ops->size(io->ctx, file, &size);

	if (rc)
		return fmi_io_fail(err, path, "size", rc);
	if (size > max)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: %llu bytes, expected at most %zu bytes", path,
				    (unsigned long long)size, max);
	buf = malloc(size ? (size_t)size : 1);
	if (!buf)
		return fm_error_set(err, FM_ERR_NOMEM, ENOMEM, "%s: no memory for %llu bytes", path,
				    (unsigned long long)size);
	rc = fm_io_read_all(io, file, buf, (size_t)size, 0);
	if (rc) {
		free(buf);
		return fmi_io_fail(err, path, "read", rc);
	}
	*out = buf;
	*len = (size_t)size;
	return 0;
}

int fm_io_load(const struct fm_io *io, const char *path, size_t max, void **out, size_t *len,
	       struct fm_error *err)
{
	struct fm_file *file;
	int rc;

	if (!path || !out || !len)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_io_load: path, out or len is NULL");
	rc = fmi_io_check(&io, path, err);
	if (rc)
		return rc;
	rc = io->ops->open(io->ctx, path, FM_IO_READ, &file);
	if (rc)
		return fmi_io_fail(err, path, "open for reading", rc);
	rc = load_file(io, file, path, max, out, len, err);
	io->ops->close(io->ctx, file);
	return rc;
}

/* Fill the temporary file and put it in the place of `target`, the file that `path` leads to. */
static int store_by(const struct fm_io *io, const char *path, const char *target, const char *tmp,
		    struct fm_file *file, const void *buf, size_t len, struct fm_error *err)
{
	int rc = fm_io_write_all(io, file, buf, len, 0);

	if (rc)
		return fmi_io_fail(err, tmp, "write", rc);
	rc = io->ops->fdatasync(io->ctx, file);
	if (rc)
		return fmi_io_fail(err, tmp, "fdatasync", rc);
	rc = io->ops->rename(io->ctx, tmp, target);
	if (rc)
		return fmi_io_fail(err, path, "rename of the temporary file", rc);
	return 0;
}

static int store(const struct fm_io *io, const char *path, const char *target, const void *buf,
		 size_t len, struct fm_error *err)
{
	struct fm_file *file;
	char *tmp;
	int rc = fmi_temporary(io, target, &tmp, &file);

	if (rc)
		return fmi_io_fail(err, path, "make a temporary file beside it", rc);
	rc = store_by(io, path, target, tmp, file, buf, len, err);
	io->ops->close(io->ctx, file);
	if (rc)
		io->ops->unlink(io->ctx, tmp);
	free(tmp);
	if (rc)
		return rc;
	rc = io->ops->sync_dir(io->ctx, target);
	return rc ? fmi_io_fail(err, path, "sync of the folder", rc) : 0;
}

int fm_io_store(const struct fm_io *io, const char *path, const void *buf, size_t len,
		struct fm_error *err)
{
	char *target = NULL;
	int rc;

	if (!path || (!buf && len))
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_io_store: path or buf is NULL");
	rc = fmi_io_check(&io, path, err);
	if (rc)
		return rc;
	rc = fmi_io_resolve(io, path, &target);
	/* Nothing is there yet: it is made where it is named. */
	if (rc && rc != -ENOENT)
		return fmi_io_fail(err, path, "resolve", rc);
	rc = store(io, path, target ? target : path, buf, len, err);
	free(target);
	return rc;
}

int fm_io_err(int negative_errno)
{
	switch (-negative_errno) {
	case 0:
		return 0;
	case ENOENT:
	case ENOTDIR:
		return FM_ERR_NOT_FOUND;
	case EEXIST:
		return FM_ERR_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
		return FM_ERR_ACCESS;
	case EBUSY:
	case ETXTBSY:
		return FM_ERR_BUSY;
	case ENOMEM:
		return FM_ERR_NOMEM;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return FM_ERR_NOSPACE;
	case EAGAIN:
		return FM_ERR_LOCKED;
	case EOPNOTSUPP:
	case ENOSYS:
	case ENODEV:
		return FM_ERR_UNSUPPORTED;
	case EBADF:
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case ESPIPE:
		return FM_ERR_ARG;
	default:
		return FM_ERR_IO;
	}
}
