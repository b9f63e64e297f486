/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfile: a seam with a few files, in memory, that fails when told to. A failed write leaves half of
 * itself, a failed sync loses what it should have made durable; what was synced is known apart.
 */
#ifndef FIRMEM_FUZZ_MEMFILE_H
#define FIRMEM_FUZZ_MEMFILE_H

#include <firmem/io.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMFILES 4u
#define MEMFILE_ROOM (320u << 10) /* the most that a file can hold */

struct memfile {
	struct memdir *dir;
	char name[64]; /* empty: there is no such file */
	uint8_t *bytes;
	uint8_t *synced;
	uint64_t len;
};

struct memdir {
	struct memfile files[MEMFILES];
	bool failing;       /* writes and syncs fail from now on */
	bool failed;        /* one did */
	unsigned transfers; /* reads, writes and syncs */
	unsigned fail_from; /* at so many of them `failing` begins; 0: it does not by itself */
};

static struct memfile *memfile_of(struct fm_file *file)
{
	return (struct memfile *)(void *)file;
}

static inline struct memfile *memdir_find(struct memdir *d, const char *name)
{
	for (unsigned i = 0; i < MEMFILES; i++) {
		if (*name && !strcmp(d->files[i].name, name))
			return &d->files[i];
	}
	return NULL;
}

/* A file that holds a copy of `bytes`, durably. */
static inline struct memfile *memdir_put(struct memdir *d, const char *name, const uint8_t *bytes,
					 uint64_t len)
{
	unsigned i = 0;
	struct memfile *m;

	while (d->files[i].bytes) {
		if (++i == MEMFILES)
			abort();
	}
	m = &d->files[i];
	m->dir = d;
	strncpy(m->name, name, sizeof(m->name) - 1);
	m->bytes = aligned_alloc(4096, MEMFILE_ROOM);
	m->synced = malloc(MEMFILE_ROOM);
	m->len = len;
	if (len > MEMFILE_ROOM)
		abort();
	if (len) {
		memcpy(m->bytes, bytes, len);
		memcpy(m->synced, bytes, len);
	}
	return m;
}

static int memfile_open(void *ctx, const char *path, unsigned flags, struct fm_file **out)
{
	struct memfile *m = memdir_find(ctx, path);

	if (!m && !(flags & FM_IO_CREATE))
		return -ENOENT;
	if (!m)
		m = memdir_put(ctx, path, NULL, 0);
	*out = (struct fm_file *)(void *)m;
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

static inline void memdir_count(struct memdir *d)
{
	if (++d->transfers == d->fail_from)
		d->failing = true;
}

static ssize_t memfile_pread(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	struct memfile *m = memfile_of(file);

	memdir_count(m->dir);
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

	memdir_count(m->dir);
	if (off > MEMFILE_ROOM || len > MEMFILE_ROOM - off)
		return -ENOSPC;
	memcpy(m->bytes + off, buf, m->dir->failing ? len / 2 : len);
	if (off + len > m->len)
		m->len = off + len;
	m->dir->failed |= m->dir->failing;
	return m->dir->failing ? -EIO : (ssize_t)len;
}

/* A failed sync loses what was written since the last one, as the kernel may. */
static int memfile_sync(struct memfile *m, uint64_t off, uint64_t len)
{
	memdir_count(m->dir);
	if (m->dir->failing) {
		memcpy(m->bytes + off, m->synced + off, len);
		m->dir->failed = true;
		return -EIO;
	}
	memcpy(m->synced + off, m->bytes + off, len);
	return 0;
}

static int memfile_fdatasync(void *ctx, struct fm_file *file)
{
	return memfile_sync(memfile_of(file), 0, memfile_of(file)->len);
}

static int memfile_truncate(void *ctx, struct fm_file *file, uint64_t bytes)
{
	struct memfile *m = memfile_of(file);

	if (bytes > MEMFILE_ROOM)
		return -ENOSPC;
	if (bytes > m->len)
		memset(m->bytes + m->len, 0, bytes - m->len);
	m->len = bytes;
	return 0;
}

static int memfile_allocate(void *ctx, struct fm_file *file, uint64_t off, uint64_t len)
{
	return -EOPNOTSUPP;
}

static int memfile_map(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot,
		       int flags, void **out)
{
	*out = memfile_of(file)->bytes + off;
	return 0;
}

static int memfile_unmap(void *ctx, void *addr, size_t len)
{
	return 0;
}

static int memfile_msync(void *ctx, void *addr, size_t len)
{
	struct memdir *d = ctx;

	for (unsigned i = 0; i < MEMFILES; i++) {
		struct memfile *m = &d->files[i];
		uint8_t *at = addr;

		if (m->bytes && at >= m->bytes && at < m->bytes + MEMFILE_ROOM)
			return memfile_sync(m, (uint64_t)(at - m->bytes), len);
	}
	return -ENOMEM;
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

static int memfile_unlink(void *ctx, const char *path)
{
	struct memfile *m = memdir_find(ctx, path);

	if (!m)
		return -ENOENT;
	m->name[0] = '\0';
	return 0;
}

static int memfile_rename(void *ctx, const char *from, const char *to)
{
	struct memfile *m = memdir_find(ctx, from);

	if (!m)
		return -ENOENT;
	memfile_unlink(ctx, to);
	strncpy(m->name, to, sizeof(m->name) - 1);
	return 0;
}

static int memfile_sync_dir(void *ctx, const char *path)
{
	return 0;
}

/* An empty folder; `io` leads to it. Both stay in place. */
static inline void memdir_init(struct memdir *d, struct fm_io *io)
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
		.msync = memfile_msync,
		.lock = memfile_lock,
		.lock_test = memfile_lock_test,
		.rename = memfile_rename,
		.unlink = memfile_unlink,
		.sync_dir = memfile_sync_dir,
	};

	*d = (struct memdir){ .failing = false };
	*io = (struct fm_io){ .ops = &ops, .ctx = d };
}

static inline void memdir_exit(struct memdir *d)
{
	for (unsigned i = 0; i < MEMFILES; i++) {
		free(d->files[i].bytes);
		free(d->files[i].synced);
	}
}

#endif
