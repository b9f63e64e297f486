/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing some pages of a file without all the others that are dirty. sync_file_range(2) promises no
 * durability, because it writes no metadata. Where fsync(2) of any range writes the whole file's
 * metadata and flushes the disk, one after it is that promise: on ext4 and xfs, not on btrfs, which logs
 * the extents of the range alone.
 */
#include "devices/io_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#define WRITE_AND_WAIT \
	(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

/* Before Linux 5.2 a page that was dirtied again while it was being written could be passed over. */
static bool writes_all(void)
{
	unsigned major, minor;
	struct utsname u;

	return !uname(&u) && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 2));
}

static bool sync_is_of_the_whole(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC);
}

int fmi_posix_write_out(int fd, uint64_t off, uint64_t len, bool wait)
{
	if (!sync_is_of_the_whole(fd) || !writes_all())
		return -EOPNOTSUPP;
	if (!sync_file_range(fd, (off_t)off, (off_t)len,
			     wait ? WRITE_AND_WAIT : SYNC_FILE_RANGE_WRITE))
		return 0;
	return errno == ENOSYS || errno == ESPIPE || errno == EINVAL ? -EOPNOTSUPP : -errno;
}
