/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own files, by descriptors. */
#include "devices/io_private.h"

#include "devices/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct fm_file {
	int fd;
};

/* Does [off, off + len) have offsets that off_t can hold? */
static bool fits_off_t(uint64_t off, uint64_t len)
{
	return fmi_in_range(off, len, INT64_MAX);
}

/* A folder, a pipe or a socket holds no image; a device node may. */
static int check_type(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		return -ESPIPE;
	return 0;
}

static int access_mode(unsigned flags)
{
	if (!(flags & FM_IO_WRITE))
		return O_RDONLY;
	return flags & FM_IO_READ ? O_RDWR : O_WRONLY;
}

/* The descriptor of an open file, or a negative errno. */
static int open_path(const char *path, unsigned flags)
{
	/* O_NONBLOCK: opening a pipe must not wait for its other end; files ignore it. */
	int mode = access_mode(flags) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd, rc;

	if (flags & FM_IO_CREATE)
		mode |= O_CREAT;
	if (flags & FM_IO_EXCL)
		mode |= O_EXCL;
	do {
		fd = open(path, mode, 0600);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	rc = check_type(fd);
	if (!rc && fcntl(fd, F_SETFL, mode & ~O_NONBLOCK) < 0)
		rc = -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

/* Takes what open_path() or dup_fd() returned. */
static int fill(struct fm_file *file, int fd, struct fm_file **out)
{
	if (fd < 0) {
		free(file);
		return fd;
	}
	file->fd = fd;
	*out = file;
	return 0;
}

static int posix_open(void *ctx, const char *path, unsigned flags, struct fm_file **out)
{
	/* First: a file that is made must not stay behind for want of memory. */
	struct fm_file *file = malloc(sizeof(*file));

	return file ? fill(file, open_path(path, flags), out) : -ENOMEM;
}

/* Does a descriptor opened with `mode` allow what `flags` want? */
static bool allows(int mode, unsigned flags)
{
	switch (mode & O_ACCMODE) {
	case O_RDONLY:
		return !(flags & FM_IO_WRITE);
	case O_WRONLY:
		return !(flags & FM_IO_READ);
	case O_RDWR:
		return true;
	default:
		return false;
	}
}

static int dup_fd(int fd, unsigned flags)
{
	int mode = fcntl(fd, F_GETFL);
	int own, rc;

	if (mode < 0)
		return -errno;
	if (!allows(mode, flags))
		return -EACCES;
	/* pwrite(2), "Bugs": with O_APPEND it writes at the end, whatever the offset. */
	if (flags & FM_IO_WRITE && mode & O_APPEND)
		return -EBADF;
	rc = check_type(fd);
	if (rc)
		return rc;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return own < 0 ? -errno : own;
}

static int posix_open_fd(void *ctx, int fd, unsigned flags, struct fm_file **out)
{
	struct fm_file *file = malloc(sizeof(*file));

	return file ? fill(file, dup_fd(fd, flags), out) : -ENOMEM;
}

static void posix_close(void *ctx, struct fm_file *file)
{
	close(file->fd);
	free(file);
}

static int posix_size(void *ctx, struct fm_file *file, uint64_t *bytes)
{
	struct stat st;
	off_t end;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode)) {
		*bytes = (uint64_t)st.st_size;
		return 0;
	}
	/* st_size of a block device is 0; nothing here uses the file position. */
	end = lseek(file->fd, 0, SEEK_END);
	if (end < 0)
		return -errno;
	*bytes = (uint64_t)end;
	return 0;
}

static int posix_identity(void *ctx, struct fm_file *file, struct fm_file_id *out)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	out->dev = (uint64_t)st.st_dev;
	out->ino = (uint64_t)st.st_ino;
	return 0;
}

static ssize_t posix_pread(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	ssize_t n;

	if (off > INT64_MAX)
		return -EOVERFLOW;
	n = pread(file->fd, buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

static ssize_t posix_pwrite(void *ctx, struct fm_file *file, const void *buf, size_t len,
			    uint64_t off)
{
	ssize_t n;

	if (off > INT64_MAX)
		return -EFBIG;
	n = pwrite(file->fd, buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

static int posix_fdatasync(void *ctx, struct fm_file *file)
{
	return fdatasync(file->fd) < 0 ? -errno : 0;
}

static int posix_truncate(void *ctx, struct fm_file *file, uint64_t bytes)
{
	int rc;

	if (bytes > INT64_MAX)
		return -EFBIG;
	do {
		rc = ftruncate(file->fd, (off_t)bytes);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

/* Write one zero byte at `at` unless data is there. */
static int claim_block(int fd, uint64_t at, uint64_t size)
{
	char byte = 0;
	ssize_t n;

	if (at < size) {
		n = pread(fd, &byte, 1, (off_t)at);
		if (n < 0)
			return -errno;
		if (n && byte)
			return 0;
		byte = 0;
	}
	n = pwrite(fd, &byte, 1, (off_t)at);
	if (n < 0)
		return -errno;
	return n ? 0 : -EIO;
}

int fmi_posix_allocate_by_writing(int fd, uint64_t off, uint64_t len)
{
	struct stat st;
	uint64_t step, at;

	if (fstat(fd, &st) < 0)
		return -errno;
	step = st.st_blksize > 0 ? (uint64_t)st.st_blksize : 512;
	for (at = off; at < off + len; at += step - at % step) {
		int rc = claim_block(fd, at, (uint64_t)st.st_size);

		if (rc)
			return rc;
	}
	/* The last byte makes the file as long as was asked for. */
	return claim_block(fd, off + len - 1, (uint64_t)st.st_size);
}

static int posix_allocate(void *ctx, struct fm_file *file, uint64_t off, uint64_t len)
{
	int rc;

	if (!len)
		return 0;
	if (!fits_off_t(off, len))
		return -EFBIG;
	do {
		rc = fallocate(file->fd, 0, (off_t)off, (off_t)len);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		return fmi_posix_allocate_by_writing(file->fd, off, len);
	return rc < 0 ? -errno : 0;
}

static int posix_map(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot, int flags,
		     void **out)
{
	void *at = flags & MAP_FIXED ? *out : NULL;
	void *p;

	if (off > INT64_MAX)
		return -EOVERFLOW;
	p = mmap(at, len, prot, flags, file->fd, (off_t)off);
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static int posix_unmap(void *ctx, void *addr, size_t len)
{
	return munmap(addr, len) < 0 ? -errno : 0;
}

static int posix_msync(void *ctx, void *addr, size_t len)
{
	return msync(addr, len, MS_SYNC) < 0 ? -errno : 0;
}

static int fill_flock(struct flock *fl, int type, uint64_t off, uint64_t len)
{
	if (!fits_off_t(off, len))
		return -EINVAL;
	memset(fl, 0, sizeof(*fl)); /* l_pid must be 0 for OFD locks */
	fl->l_whence = SEEK_SET;
	fl->l_start = (off_t)off;
	fl->l_len = (off_t)len;
	switch (type) {
	case FM_IO_UNLOCK:
		fl->l_type = F_UNLCK;
		return 0;
	case FM_IO_LOCK_SHARED:
		fl->l_type = F_RDLCK;
		return 0;
	case FM_IO_LOCK_EXCLUSIVE:
		fl->l_type = F_WRLCK;
		return 0;
	default:
		return -EINVAL;
	}
}

static int posix_lock(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len)
{
	struct flock fl;
	int rc = fill_flock(&fl, type, off, len);

	if (rc)
		return rc;
	if (fcntl(file->fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	/* fcntl(2): either code may mean a conflicting lock. */
	return errno == EACCES ? -EAGAIN : -errno;
}

static int posix_lock_test(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len,
			   pid_t *holder)
{
	struct flock fl;
	int rc = fill_flock(&fl, type, off, len);

	if (rc)
		return rc;
	if (type == FM_IO_UNLOCK)
		return -EINVAL;
	if (fcntl(file->fd, F_OFD_GETLK, &fl) < 0)
		return -errno;
	if (fl.l_type == F_UNLCK)
		return 0;
	*holder = fl.l_pid;
	if (*holder <= 0)
		*holder = fmi_posix_lock_holder(file->fd, type == FM_IO_LOCK_EXCLUSIVE, off, len);
	return -EAGAIN;
}

static int posix_rename(void *ctx, const char *from, const char *to)
{
	struct stat st;

	/* A file does not take the place of a terminal, of /dev/null, or of a link, as /dev/stdout is one. */
	if (!lstat(to, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -EEXIST;
	return rename(from, to) < 0 ? -errno : 0;
}

static int posix_rename_new(void *ctx, const char *from, const char *to)
{
	int rc = 0;

	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* A file system that cannot: a second name, which is never given to what has one, then the first goes. */
	if (link(from, to)) {
		bool cannot =
			errno == EPERM || errno == EMLINK || errno == ENOSYS || errno == EOPNOTSUPP;

		return cannot ? -EOPNOTSUPP : -errno;
	}
	if (unlink(from)) {
		rc = -errno;
		unlink(to);
	}
	return rc;
}

static int posix_unlink(void *ctx, const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

/* The folder that has the entry of `path`, malloc'd. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	if (slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

static int posix_sync_dir(void *ctx, const char *path)
{
	char *folder = folder_of(path);
	int fd, rc;

	if (!folder)
		return -ENOMEM;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -errno : 0;
	free(folder);
	if (rc)
		return rc;
	rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int posix_fd(void *ctx, struct fm_file *file)
{
	return file->fd;
}

static int posix_resolve(void *ctx, const char *path, char **out)
{
	char *name = realpath(path, NULL);

	if (!name)
		return -errno;
	*out = name;
	return 0;
}

static int posix_punch(void *ctx, struct fm_file *file, uint64_t off, uint64_t len)
{
	int rc;

	if (!fits_off_t(off, len))
		return -EFBIG;
	do {
		rc = fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
			       (off_t)len);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static int posix_write_out(void *ctx, struct fm_file *file, uint64_t off, uint64_t len, bool wait)
{
	return fits_off_t(off, len) ? fmi_posix_write_out(file->fd, off, len, wait) : -EFBIG;
}

static const struct fm_io_ops posix_ops = {
	.struct_size = sizeof(posix_ops),
	.open = posix_open,
	.open_fd = posix_open_fd,
	.close = posix_close,
	.size = posix_size,
	.identity = posix_identity,
	.pread = posix_pread,
	.pwrite = posix_pwrite,
	.fdatasync = posix_fdatasync,
	.truncate = posix_truncate,
	.allocate = posix_allocate,
	.map = posix_map,
	.unmap = posix_unmap,
	.msync = posix_msync,
	.lock = posix_lock,
	.lock_test = posix_lock_test,
	.rename = posix_rename,
	.unlink = posix_unlink,
	.sync_dir = posix_sync_dir,
	.fd = posix_fd,
	.resolve = posix_resolve,
	.punch = posix_punch,
	.write_out = posix_write_out,
	.rename_new = posix_rename_new,
};

static const struct fm_io posix_io = { .ops = &posix_ops };

const struct fm_io *fm_io_posix(void)
{
	return &posix_io;
}
