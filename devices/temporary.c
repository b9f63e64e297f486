/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/temporary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES 16u

int fmi_temporary(const struct fm_io *io, const char *path, char **name, struct fm_file **file)
{
	size_t room = strlen(path) + 40;
	char *tmp = malloc(room);
	int rc = -EEXIST;

	if (!tmp)
		return -ENOMEM;
	for (unsigned i = 0; rc == -EEXIST && i < TRIES; i++) {
		snprintf(tmp, room, "%s.%ld.%u.tmp", path, (long)getpid(), i);
		rc = io->ops->open(io->ctx, tmp, FM_IO_WRITE | FM_IO_CREATE | FM_IO_EXCL, file);
	}
	if (rc)
		free(tmp);
	else
		*name = tmp;
	return rc;
}
