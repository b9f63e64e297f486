/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfile: a seam with one file, in memory, that fails when told to. A failed write leaves half of
 * itself; what was synced is known apart.
 */
#ifndef FIRMEM_FUZZ_MEMFILE_H
#define FIRMEM_FUZZ_MEMFILE_H

#include <firmem/io.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct memfile {
	uint8_t *bytes;
	uint8_t *synced;
	uint64_t len;
	bool failing; /* writes and syncs fail from now on */
	bool failed;  /* one did */
};

static struct memfile *memfile_of(struct fm_file *file)
{
	return (struct memfile *)(void *)file;
}

static int memfile_open(void *ctx, const char *path, unsigned flags, struct fm_file **out)
{
	*out = ctx;
	return 0;
}

static int memfile_open_fd(void *ctx, int fd, unsigned flags, struct fm_file **out)
{
	return -EBADF;
}

static void memfile_close(void *ctx, struct fm_file *file)
{
}

static int memfile_size(void *ctx, struct fm_file *file, uint64_t *bytes)
{
	*bytes = memfile_of(file)->len;
	return 0;
}

static int memfile_identity(void *ctx, struct fm_file *file, struct fm_file_id *out)
{
	*out = (struct fm_file_id){ 1, 1 };
	return 0;
}

static ssize_t memfile_pread(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	struct memfile *m = memfile_of(file);

	if (off >= m->len)
		return 0;
	if (len > m->len - off)
		len = m->len - off;
	memcpy(buf, m->bytes + off, len);
	return (ssize_t)len;
}

static ssize_t memfile_pwrite(void *ctx, struct fm_file *file, const void *buf, size_t len,
			      uint64_t off)
{
	struct memfile *m = memfile_of(file);

	if (off > m->len || len > m->len - off)
		abort(); /* an image never grows */
	memcpy(m->bytes + off, buf, m->failing ? len / 2 : len);
	m->failed |= m->failing;
	return m->failing ? -EIO : (ssize_t)len;
}

/* A failed sync loses what was written since the last one, as the kernel may. */
static int memfile_fdatasync(void *ctx, struct fm_file *file)
{
	struct memfile *m = memfile_of(file);

	if (m->failing) {
		memcpy(m->bytes, m->synced, m->len);
		m->failed = true;
		return -EIO;
	}
	memcpy(m->synced, m->bytes, m->len);
	return 0;
}

static int memfile_truncate(void *ctx, struct fm_file *file, uint64_t bytes)
{
	return -EPERM;
}

static int memfile_allocate(void *ctx, struct fm_file *file, uint64_t off, uint64_t len)
{
	return -EOPNOTSUPP;
}

static int memfile_map(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot,
		       int flags, void **out)
{
	return -ENODEV;
}

static int memfile_unmap(void *ctx, void *addr, size_t len)
{
	return -EINVAL;
}

static int memfile_lock(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len)
{
	return 0;
}

static int memfile_lock_test(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len,
			     pid_t *holder)
{
	return 0;
}

static int memfile_rename(void *ctx, const char *from, const char *to)
{
	return -EPERM;
}

static int memfile_name(void *ctx, const char *path)
{
	return -EPERM;
}

/* The file holds a copy of `bytes`; `io` leads to it. Both stay in place. */
static inline void memfile_init(struct memfile *m, struct fm_io *io, const uint8_t *bytes,
				uint64_t len)
{
	static const struct fm_io_ops ops = {
		.struct_size = sizeof(ops),
		.open = memfile_open,
		.open_fd = memfile_open_fd,
		.close = memfile_close,
		.size = memfile_size,
		.identity = memfile_identity,
		.pread = memfile_pread,
		.pwrite = memfile_pwrite,
		.fdatasync = memfile_fdatasync,
		.truncate = memfile_truncate,
		.allocate = memfile_allocate,
		.map = memfile_map,
		.unmap = memfile_unmap,
		.msync = memfile_unmap,
		.lock = memfile_lock,
		.lock_test = memfile_lock_test,
		.rename = memfile_rename,
		.unlink = memfile_name,
		.sync_dir = memfile_name,
	};

	*m = (struct memfile){ .bytes = malloc(len), .synced = malloc(len), .len = len };
	memcpy(m->bytes, bytes, len);
	memcpy(m->synced, bytes, len);
	*io = (struct fm_io){ .ops = &ops, .ctx = m };
}

static inline void memfile_exit(struct memfile *m)
{
	free(m->bytes);
	free(m->synced);
}

#endif
