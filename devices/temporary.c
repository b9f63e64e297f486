/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/temporary.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES 16u
#define NAME_MOST \
	200u /* bytes of a name that are used again: with what is added it stays below 255 */

int fmi_temporary(const struct fm_io *io, const char *path, char **name, struct fm_file **file)
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
	size_t len = folder + strnlen(path + folder, NAME_MOST);
	size_t room = len + 40;
	char *tmp = malloc(room);
	int rc = -EEXIST;

	if (!tmp)
		return -ENOMEM;
	for (unsigned i = 0; rc == -EEXIST && i < TRIES; i++) {
		snprintf(tmp, room, "%.*s.%ld.%u.tmp", (int)len, path, (long)getpid(), i);
		rc = io->ops->open(io->ctx, tmp, FM_IO_WRITE | FM_IO_CREATE | FM_IO_EXCL, file);
	}
	if (rc)
		free(tmp);
	else
		*name = tmp;
	return rc;
}

int fmi_is_new_name(const struct fm_io *io, const char *path)
{
	struct fm_file *file;
	int rc = io->ops->open(io->ctx, path, FM_IO_READ, &file);

	/* A folder, a pipe or a socket is there as well. */
	if (rc == -EISDIR || rc == -ESPIPE)
		return -EEXIST;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	io->ops->close(io->ctx, file);
	return -EEXIST;
}

int fmi_rename_new(const struct fm_io *io, const char *from, const char *to)
{
	const struct fm_io_ops *ops = io->ops;
	int rc = -EOPNOTSUPP;

	if (ops->struct_size >= offsetof(struct fm_io_ops, rename_new) + sizeof(ops->rename_new) &&
	    ops->rename_new)
		rc = ops->rename_new(io->ctx, from, to);
	if (rc != -EOPNOTSUPP)
		return rc;
	rc = fmi_is_new_name(io, to);
	return rc ? rc : ops->rename(io->ctx, from, to);
}
