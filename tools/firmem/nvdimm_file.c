/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of NVDIMMs, opened so that nobody else changes them meanwhile. */
#include "tools/firmem/nvdimm_verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cannot(const char *path, const char *what, int why)
{
	complain("%s: cannot be %s: %s", path, what, strerror(why));
	return false;
}

static bool in_use(const char *path, const char *how)
{
	complain("%s: in use: another process has it %s, expected none", path, how);
	return false;
}

static const char *opened(unsigned flags)
{
	return flags & FM_IO_WRITE ? "opened for writing" : "opened";
}

/* To open a pipe or a device may do something; so they are not. */
static bool check_kind(const char *path, unsigned flags)
{
	struct stat st;

	if (stat(path, &st))
		return cannot(path, opened(flags), errno);
	if (S_ISREG(st.st_mode))
		return true;
	complain("%s: not a regular file, expected an NVDIMM's image or a label area", path);
	return false;
}

bool nvdimm_file_open(const char *path, unsigned flags, struct fm_file **file)
{
	const struct fm_io *io = fm_io_posix();
	int rc;

	if (!check_kind(path, flags))
		return false;
	rc = io->ops->open(io->ctx, path, flags, file);
	/* Another of us looks whether somebody writes it. */
	if (rc == -EAGAIN)
		return in_use(path, "under a lease");
	return rc ? cannot(path, opened(flags), -rc) : true;
}

/*
 * The kernel grants a lease only where nobody has the file open for writing, mappings among them. Where
 * it grants none at all (another user's file, some file systems) nothing is known.
 */
static bool is_written(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool yes;

	if (fd < 0)
		return false;
	/* Who opens it for writing right now would send us one, and waits until we close. */
	signal(SIGIO, SIG_IGN);
	yes = fcntl(fd, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
	close(fd);
	return yes;
}

/* Between open() and lock() it may have been replaced, as by "grow". */
static int lock(const char *path, struct fm_file *file)
{
	const struct fm_io *io = fm_io_posix();
	struct fm_file_id id;
	struct stat st;
	int rc = io->ops->lock(io->ctx, file, FM_IO_LOCK_EXCLUSIVE, 0, 0);

	if (!rc)
		rc = io->ops->identity(io->ctx, file, &id);
	if (!rc && (stat(path, &st) || st.st_ino != id.ino || st.st_dev != id.dev))
		rc = -ESTALE;
	return rc;
}

bool nvdimm_file_lock(const char *path, unsigned flags, struct fm_file **file)
{
	const struct fm_io *io = fm_io_posix();
	int rc;

	if (!check_kind(path, flags))
		return false;
	if (is_written(path))
		return in_use(path, "open for writing");
	if (!nvdimm_file_open(path, flags, file))
		return false;
	rc = lock(path, *file);
	if (!rc)
		return true;
	io->ops->close(io->ctx, *file);
	return rc == -EAGAIN ? in_use(path, "locked") : cannot(path, "locked", -rc);
}
