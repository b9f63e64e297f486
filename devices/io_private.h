/* SPDX-License-Identifier: BSD-2-Clause */
/* io_private: checks of a seam that a caller supplies, and errors about its files. */
#ifndef FIRMEM_DEVICES_IO_PRIVATE_H
#define FIRMEM_DEVICES_IO_PRIVATE_H

#include <firmem/io.h>

/*
 * *io, NULL becoming fm_io_posix(), once it is sure that no function of it is missing. `what` names
 * the object in the message. FM_ERR_ARG.
 */
int fmi_io_check(const struct fm_io **io, const char *what, struct fm_error *err);

/* The descriptor behind a file, borrowed, or -1. */
int fmi_io_fd(const struct fm_io *io, struct fm_file *file);

/* resolve() of the seam, or a copy of `path` where it has none. *out is malloc'd. A negative errno. */
int fmi_io_resolve(const struct fm_io *io, const char *path, char **out);

/* The seam's punch(), or -EOPNOTSUPP where it has none. */
int fmi_io_punch(const struct fm_io *io, struct fm_file *file, uint64_t off, uint64_t len);

/* The seam's write_out(), or -EOPNOTSUPP where it has none. */
int fmi_io_write_out(const struct fm_io *io, struct fm_file *file, uint64_t off, uint64_t len,
		     bool wait);

/* Fill `err` for a negative errno of the seam: "PATH: WHAT: text of the errno". */
int fmi_io_fail(struct fm_error *err, const char *path, const char *what, int negative_errno);

/*
 * The process whose lock of an open file (OFD) on [off, off + len), 0 to the end, is in the way of
 * an exclusive lock, or of a shared one. -1: not to be found out.
 */
pid_t fmi_posix_lock_holder(int fd, bool exclusive, uint64_t off, uint64_t len);

/* Reserve space where the file system cannot: each block is written, data in place is kept. */
int fmi_posix_allocate_by_writing(int fd, uint64_t off, uint64_t len);

/* fm_io_ops.write_out() of a descriptor. */
int fmi_posix_write_out(int fd, uint64_t off, uint64_t len, bool wait);

#endif
