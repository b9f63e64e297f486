/* SPDX-License-Identifier: BSD-2-Clause */
/* temporary: a file beside another, to take its name once it is whole. */
#ifndef FIRMEM_DEVICES_TEMPORARY_H
#define FIRMEM_DEVICES_TEMPORARY_H

#include <firmem/io.h>

/*
 * Make PATH.PID.N.tmp (of a name longer than 200 bytes its first ones) for writing; its name, malloc'd, in *name. A negative errno; -EEXIST where 16
 * such files of crashed processes with our number are in the way.
 */
int fmi_temporary(const struct fm_io *io, const char *path, char **name, struct fm_file **file);

/* Is `path` no name of anything? Where something is there it is opened for a moment: -EEXIST. */
int fmi_is_new_name(const struct fm_io *io, const char *path);

/* The seam's rename_new(), or a look and its rename() where it has none. */
int fmi_rename_new(const struct fm_io *io, const char *from, const char *to);

#endif
