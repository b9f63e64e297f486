/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of the host, by path or by a descriptor that was passed; always through the seam. */
#include "devices/backing.h"

#include "devices/bytes.h"
#include "devices/io_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* What messages call the file. */
static const char *file_name(const struct fm_block_config *c)
{
	return c->path ? c->path : "passed descriptor";
}

static bool writes_file(const struct fm_block_config *c)
{
	return c->flags & FM_BLOCK_SHARED && !(c->flags & FM_BLOCK_READONLY);
}

static int fail(struct fm_error *err, const struct fm_block_config *c, int negative_errno,
		const char *what)
{
	return fmi_backing_fail(err, c, fm_io_err(negative_errno), -negative_errno, "%s: %s",
				file_name(c), what);
}

/*
 * Open what is there; make it only when it is not. Opening first means that an existing file which
 * is only read needs no permission to be written.
 */
static int open_file(struct fmi_mem *mem, const struct fm_block_config *c)
{
	const struct fm_io_ops *ops = mem->io->ops;
	unsigned flags = FM_IO_READ | (writes_file(c) ? FM_IO_WRITE : 0);
	int rc;

	if (c->flags & FM_BLOCK_USE_FD)
		return ops->open_fd(mem->io->ctx, c->fd, flags, &mem->file);
	rc = ops->open(mem->io->ctx, c->path, flags, &mem->file);
	if (rc != -ENOENT || !(c->flags & FM_BLOCK_CREATE))
		return rc;
	rc = ops->open(mem->io->ctx, c->path, FM_IO_READ | FM_IO_WRITE | FM_IO_CREATE | FM_IO_EXCL,
		       &mem->file);
	mem->made = !rc;
	/* Somebody else was faster: then it is theirs. */
	return rc == -EEXIST ? ops->open(mem->io->ctx, c->path, flags, &mem->file) : rc;
}

/* An empty or new file gets its size. */
static int set_size(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	int rc;

	if (!c->len)
		return fmi_backing_fail(err, c, FM_ERR_SIZE, 0,
					"%s is empty and len is 0, expected one to say the size",
					file_name(c));
	if (!mem->made && !writes_file(c))
		return fmi_backing_fail(
			err, c, FM_ERR_SIZE, 0,
			"%s is empty, expected 0x%llx bytes: a private or read-only block does "
			"not change the file",
			file_name(c), (unsigned long long)(c->file_off + c->len));
	rc = mem->io->ops->truncate(mem->io->ctx, mem->file, c->file_off + c->len);
	if (rc)
		return fail(err, c, rc, "set the size");
	mem->sized = true;
	mem->len = c->len;
	return 0;
}

/* The rules of struct fm_block_config: mem->len, or FM_ERR_SIZE. */
static int check_size(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	uint64_t size;
	int rc = mem->io->ops->size(mem->io->ctx, mem->file, &size);

	if (rc)
		return fail(err, c, rc, "size");
	if (!size)
		return set_size(mem, c, err);
	if (c->file_off >= size || (c->len && c->len > size - c->file_off))
		return fmi_backing_fail(
			err, c, FM_ERR_SIZE, 0,
			"%s has 0x%llx bytes, expected at least 0x%llx (file_off 0x%llx + len 0x%llx)",
			file_name(c), (unsigned long long)size,
			(unsigned long long)(c->file_off + (c->len ? c->len : 1)),
			(unsigned long long)c->file_off, (unsigned long long)c->len);
	mem->len = c->len ? c->len : size - c->file_off;
	if (mem->len > SIZE_MAX / 2)
		return fmi_backing_fail(err, c, FM_ERR_SIZE, 0,
					"%s: 0x%llx bytes, expected less than the address space",
					file_name(c), (unsigned long long)mem->len);
	return 0;
}

/* Files in hugetlbfs, and memfds of huge pages that were passed, are mapped by huge pages. */
static int find_page_size(struct fmi_mem *mem, const struct fm_block_config *c,
			  struct fm_error *err)
{
	struct statfs fs;

	mem->page_size = fmi_host_page_size();
	if (mem->fd < 0 || fstatfs(mem->fd, &fs) < 0 || fs.f_type != HUGETLBFS_MAGIC)
		return 0;
	mem->page_size = (uint64_t)fs.f_bsize;
	if (!fmi_is_aligned(c->file_off, mem->page_size))
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0,
			"file_off 0x%llx, expected a multiple of the huge page 0x%llx",
			(unsigned long long)c->file_off, (unsigned long long)mem->page_size);
	return 0;
}

/*
 * On a DAX file system stores are durable out of the CPU's caches only where a page fault also writes the
 * file's metadata.
 */
static bool wants_map_sync(const struct fmi_mem *mem, const struct fm_block_config *c)
{
	struct statx st;

	return c->role == FM_ROLE_NVDIMM && writes_file(c) && mem->fd >= 0 &&
	       !statx(mem->fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) &&
	       st.stx_attributes & STATX_ATTR_DAX;
}

static int map_file(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	int flags = c->flags & FM_BLOCK_SHARED ? MAP_SHARED : MAP_PRIVATE;
	void *at;
	int rc;

	mem->map_len = (size_t)fmi_align_up(mem->len, mem->page_size);
	rc = fmi_backing_place(mem, c, err);
	if (rc)
		return rc;
	at = mem->ptr;
	flags |= at ? MAP_FIXED : 0;
	rc = -EOPNOTSUPP;
	if (wants_map_sync(mem, c))
		rc = mem->io->ops->map(mem->io->ctx, mem->file, c->file_off, mem->map_len,
				       fmi_backing_prot(c),
				       (flags & ~MAP_TYPE) | MAP_SHARED_VALIDATE | MAP_SYNC, &at);
	if (rc)
		rc = mem->io->ops->map(mem->io->ctx, mem->file, c->file_off, mem->map_len,
				       fmi_backing_prot(c), flags, &at);
	if (!rc) {
		mem->ptr = at;
		return 0;
	}
	if (mem->ptr)
		munmap(mem->ptr, mem->map_len);
	mem->map_len = 0;
	return fail(err, c, rc, "mmap");
}

static int file_open(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	int rc;

	mem->io = c->io;
	rc = open_file(mem, c);
	if (rc) {
		mem->file = NULL;
		return fail(err, c, rc, writes_file(c) ? "open for writing" : "open for reading");
	}
	mem->fd = fmi_io_fd(mem->io, mem->file);
	rc = find_page_size(mem, c, err);
	if (!rc)
		rc = check_size(mem, c, err);
	return rc ? rc : map_file(mem, c, err);
}

/*
 * Only where stores reach the file: the pages of a private mapping are anonymous memory, and the
 * file's own holes are none of its business.
 */
static int file_reserve(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	int rc;

	if (!writes_file(c))
		return 0;
	rc = mem->io->ops->allocate(mem->io->ctx, mem->file, c->file_off, mem->len);
	return rc ? fail(err, c, rc, "preallocation") : 0;
}

static void file_close(struct fmi_mem *mem, const struct fm_block_config *c, bool failed)
{
	if (mem->map_len)
		mem->io->ops->unmap(mem->io->ctx, mem->ptr, mem->map_len);
	if (!mem->file)
		return;
	/* A file that was empty before is empty again; one that we made is gone. */
	if (failed && mem->sized && !mem->made)
		mem->io->ops->truncate(mem->io->ctx, mem->file, 0);
	mem->io->ops->close(mem->io->ctx, mem->file);
	if (failed && mem->made)
		mem->io->ops->unlink(mem->io->ctx, c->path);
}

const struct fmi_backing fmi_backing_file = {
	.open = file_open,
	.reserve = file_reserve,
	.close = file_close,
};
