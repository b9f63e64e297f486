/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faultio: a seam over the host's own files that counts its calls, writes them down, and fails or
 * shortens the ones that a test names.
 */
#ifndef FIRMEM_TESTS_FAULTIO_H
#define FIRMEM_TESTS_FAULTIO_H

#include <firmem/io.h>

#include <errno.h>
#include <string.h>

struct faultio {
	struct fm_io io;
	struct fm_io_ops ops;
	unsigned calls;   /* so far, close() left out: it cannot fail */
	unsigned fail_at; /* the call that fails, from 1; 0: none does */
	bool dead;        /* every call after it fails as well: the process is as good as gone */
	bool torn;        /* a write that fails has written half */
	int error;        /* errno of the failure; 0: EIO */
	size_t most;      /* bytes of one transfer; 0: no limit */
	bool interrupt;   /* every other transfer is -EINTR */
	unsigned transfers;
	char log[256]; /* a letter for each call that worked, see below */
	unsigned open_files;
	const char *taken; /* for a test's own functions: a path */
};

static bool faultio_hit(struct faultio *f)
{
	f->calls++;
	return f->fail_at && (f->calls == f->fail_at || (f->dead && f->calls > f->fail_at));
}

static int faultio_done(struct faultio *f, char letter, int rc)
{
	size_t n = strlen(f->log);

	if (rc >= 0 && n + 1 < sizeof(f->log))
		f->log[n] = letter;
	return rc;
}

#define FAULTIO_CALL(f, letter, call)                       \
	(faultio_hit(f) ? ((f)->error ? -(f)->error : -EIO) \
			: faultio_done(f, letter, fm_io_posix()->ops->call))

static int faultio_open(void *ctx, const char *path, unsigned flags, struct fm_file **out)
{
	struct faultio *f = ctx;
	int rc = FAULTIO_CALL(f, flags & FM_IO_CREATE ? 'c' : 'o', open(NULL, path, flags, out));

	f->open_files += rc == 0;
	return rc;
}

static int faultio_open_fd(void *ctx, int fd, unsigned flags, struct fm_file **out)
{
	struct faultio *f = ctx;
	int rc = FAULTIO_CALL(f, 'o', open_fd(NULL, fd, flags, out));

	f->open_files += rc == 0;
	return rc;
}

static void faultio_close(void *ctx, struct fm_file *file)
{
	struct faultio *f = ctx;

	f->open_files--;
	fm_io_posix()->ops->close(NULL, file);
}

static int faultio_size(void *ctx, struct fm_file *file, uint64_t *bytes)
{
	return FAULTIO_CALL((struct faultio *)ctx, 's', size(NULL, file, bytes));
}

static int faultio_identity(void *ctx, struct fm_file *file, struct fm_file_id *out)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'i', identity(NULL, file, out));
}

static bool faultio_interrupted(struct faultio *f, size_t *len)
{
	if (f->most && *len > f->most)
		*len = f->most;
	return f->interrupt && f->transfers++ % 2 == 0;
}

static ssize_t faultio_pread(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	struct faultio *f = ctx;
	ssize_t n;

	if (faultio_interrupted(f, &len))
		return -EINTR;
	if (faultio_hit(f))
		return f->error ? -f->error : -EIO;
	n = fm_io_posix()->ops->pread(NULL, file, buf, len, off);
	faultio_done(f, 'r', n < 0 ? -1 : 0);
	return n;
}

static ssize_t faultio_pwrite(void *ctx, struct fm_file *file, const void *buf, size_t len,
			      uint64_t off)
{
	struct faultio *f = ctx;
	ssize_t n;

	if (faultio_interrupted(f, &len))
		return -EINTR;
	if (faultio_hit(f)) {
		if (f->torn)
			fm_io_posix()->ops->pwrite(NULL, file, buf, len / 2, off);
		return f->error ? -f->error : -EIO;
	}
	n = fm_io_posix()->ops->pwrite(NULL, file, buf, len, off);
	faultio_done(f, 'w', n < 0 ? -1 : 0);
	return n;
}

static int faultio_fdatasync(void *ctx, struct fm_file *file)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'f', fdatasync(NULL, file));
}

static int faultio_truncate(void *ctx, struct fm_file *file, uint64_t bytes)
{
	return FAULTIO_CALL((struct faultio *)ctx, 't', truncate(NULL, file, bytes));
}

static int faultio_allocate(void *ctx, struct fm_file *file, uint64_t off, uint64_t len)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'a', allocate(NULL, file, off, len));
}

static int faultio_map(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot,
		       int flags, void **out)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'm',
			    map(NULL, file, off, len, prot, flags, out));
}

static int faultio_unmap(void *ctx, void *addr, size_t len)
{
	struct faultio *f = ctx;

	return faultio_done(f, 'u', fm_io_posix()->ops->unmap(NULL, addr, len));
}

static int faultio_msync(void *ctx, void *addr, size_t len)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'y', msync(NULL, addr, len));
}

static int faultio_lock(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'l', lock(NULL, file, type, off, len));
}

static int faultio_lock_test(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len,
			     pid_t *holder)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'L',
			    lock_test(NULL, file, type, off, len, holder));
}

static int faultio_rename(void *ctx, const char *from, const char *to)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'n', rename(NULL, from, to));
}

static int faultio_rename_new(void *ctx, const char *from, const char *to)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'n', rename_new(NULL, from, to));
}

static int faultio_unlink(void *ctx, const char *path)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'x', unlink(NULL, path));
}

static int faultio_sync_dir(void *ctx, const char *path)
{
	return FAULTIO_CALL((struct faultio *)ctx, 'd', sync_dir(NULL, path));
}

static int faultio_fd(void *ctx, struct fm_file *file)
{
	return fm_io_posix()->ops->fd(NULL, file);
}

static inline void faultio_init(struct faultio *f)
{
	memset(f, 0, sizeof(*f));
	f->ops = (struct fm_io_ops){
		.struct_size = sizeof(f->ops),
		.open = faultio_open,
		.open_fd = faultio_open_fd,
		.close = faultio_close,
		.size = faultio_size,
		.identity = faultio_identity,
		.pread = faultio_pread,
		.pwrite = faultio_pwrite,
		.fdatasync = faultio_fdatasync,
		.truncate = faultio_truncate,
		.allocate = faultio_allocate,
		.map = faultio_map,
		.unmap = faultio_unmap,
		.msync = faultio_msync,
		.lock = faultio_lock,
		.lock_test = faultio_lock_test,
		.rename = faultio_rename,
		.unlink = faultio_unlink,
		.sync_dir = faultio_sync_dir,
		.fd = faultio_fd,
		.rename_new = faultio_rename_new,
	};
	f->io = (struct fm_io){ .ops = &f->ops, .ctx = f };
}

#endif
