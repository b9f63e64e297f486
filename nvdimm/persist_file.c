/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvdimm/persist_private.h"

#include "devices/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

/* Linux 5.14; older headers lack it. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
/* In no header of the kernel's. */
#define ZFS_MAGIC 0x2fc12fc1u
#define NTFS3_MAGIC 0x7366746eu

#define RUN_PAGES 1024u

/* What a sync is worth on each file system. What is not listed is only sure to outlive processes. */
static const struct {
	uint32_t magic;
	enum fm_persistence level;
	const char *why;
} file_systems[] = {
	{ TMPFS_MAGIC, FM_PERSIST_PROCESS, "tmpfs: in the host's memory" },
	{ RAMFS_MAGIC, FM_PERSIST_PROCESS, "ramfs: in the host's memory" },
	{ HUGETLBFS_MAGIC, FM_PERSIST_PROCESS, "hugetlbfs: in the host's memory" },
	{ OVERLAYFS_SUPER_MAGIC, FM_PERSIST_PROCESS,
	  "overlay: its upper layer cannot be asked and may be in memory, or volatile" },
	{ FUSE_SUPER_MAGIC, FM_PERSIST_PROCESS,
	  "fuse: what its server does with a sync cannot be asked" },
	{ V9FS_MAGIC, FM_PERSIST_PROCESS, "9p: what its server does with a sync cannot be asked" },
	{ NFS_SUPER_MAGIC, FM_PERSIST_HOST, "nfs: with its server after a sync" },
	{ CIFS_SUPER_MAGIC, FM_PERSIST_HOST, "smb: with its server after a sync" },
	{ SMB2_SUPER_MAGIC, FM_PERSIST_HOST, "smb: with its server after a sync" },
	{ CEPH_SUPER_MAGIC, FM_PERSIST_HOST, "ceph: with its servers after a sync" },
	{ EXT4_SUPER_MAGIC, FM_PERSIST_POWER, "ext4: on disk after a sync" },
	{ XFS_SUPER_MAGIC, FM_PERSIST_POWER, "xfs: on disk after a sync" },
	{ BTRFS_SUPER_MAGIC, FM_PERSIST_POWER, "btrfs: on disk after a sync" },
	{ F2FS_SUPER_MAGIC, FM_PERSIST_POWER, "f2fs: on disk after a sync" },
	{ ZFS_MAGIC, FM_PERSIST_POWER, "zfs: on disk after a sync" },
	{ MSDOS_SUPER_MAGIC, FM_PERSIST_POWER, "fat: on disk after a sync" },
	{ EXFAT_SUPER_MAGIC, FM_PERSIST_POWER, "exfat: on disk after a sync" },
	{ NTFS3_MAGIC, FM_PERSIST_POWER, "ntfs: on disk after a sync" },
};

static void promise_set(struct fmi_promise *promise, enum fm_persistence level, const char *why)
{
	promise->level = level;
	strncpy(promise->why, why, sizeof(promise->why) - 1);
	promise->why[sizeof(promise->why) - 1] = '\0';
}

static void promise_of_file_system(struct fmi_promise *promise, uint32_t magic)
{
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++) {
		if (file_systems[i].magic == magic) {
			promise_set(promise, file_systems[i].level, file_systems[i].why);
			return;
		}
	}
	promise->level = FM_PERSIST_PROCESS;
	snprintf(promise->why, sizeof(promise->why),
		 "file system of type 0x%x: what its sync does is not known", magic);
}

static int ask_failed(const struct fm_block *block, const char *what, struct fm_error *err)
{
	int sys = errno;

	return fm_error_set(err, FM_ERR_IO, sys, "%s: %s: %s", fm_block_path(block), what,
			    strerror(sys));
}

int fmi_file_promise(const struct fm_block *block, struct fmi_promise *promise, uint64_t *size,
		     struct fm_error *err)
{
	int fd = fm_block_fd(block);
	struct stat st;
	struct statfs fs;

	if (fd < 0) {
		promise_set(promise, FM_PERSIST_PROCESS,
			    "file behind the host's own I/O: what its sync does is not known");
		*size = 0;
		return 0;
	}
	if (fstat(fd, &st))
		return ask_failed(block, "status", err);
	if (fstatfs(fd, &fs))
		return ask_failed(block, "file system", err);
	*size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	/* The file system of a device node is the one that holds the node. */
	if (S_ISBLK(st.st_mode))
		promise_set(promise, FM_PERSIST_POWER, "block device: on disk after a sync");
	else if (!S_ISREG(st.st_mode))
		promise_set(promise, FM_PERSIST_PROCESS, "device: what its sync does is not known");
	else if (!st.st_nlink)
		promise_set(promise, FM_PERSIST_NONE,
			    "file without a name: it goes when the last descriptor is closed");
	else
		promise_of_file_system(promise, (uint32_t)fs.f_type);
	return 0;
}

bool fmi_file_may_be_dax(const struct fm_block *block)
{
	int fd = fm_block_fd(block);
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) || S_ISCHR(st.stx_mode))
		return true;
	return st.stx_attributes & STATX_ATTR_DAX || !(st.stx_attributes_mask & STATX_ATTR_DAX);
}

int fmi_file_check_size(const struct fm_block *block, uint64_t size, struct fm_error *err)
{
	int fd = fm_block_fd(block);
	struct stat st;

	if (fd < 0 || !size)
		return 0;
	if (fstat(fd, &st))
		return ask_failed(block, "status", err);
	if ((uint64_t)st.st_size >= size)
		return 0;
	return fm_error_set(
		err, FM_ERR_SIZE, 0,
		"%s: the file was cut to %llu bytes while in use, expected at least %llu",
		fm_block_path(block), (unsigned long long)st.st_size, (unsigned long long)size);
}

int fmi_file_make_room(const struct fm_block *block, uint64_t off, uint64_t len, bool write,
		       struct fm_error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t first = fmi_align_down(off, page);
	uint8_t *addr = (uint8_t *)fm_block_ptr(block) + first;
	int how = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;

	if (!len || !madvise(addr, off + len - first, how) || errno != EFAULT)
		return 0;
	return fm_error_set(err, FM_ERR_NOSPACE, ENOSPC,
			    "%s: a hole of the file cannot be filled: %s", fm_block_path(block),
			    strerror(ENOSPC));
}

/*
 * A write fault on each page of [addr, addr + len): the kernel marks it dirty and nobody's stores
 * are lost, which copying a byte onto itself could not promise.
 */
static int dirty_run(const struct fm_block *block, uint8_t *addr, size_t len, struct fm_error *err)
{
	int sys;

	if (!madvise(addr, len, MADV_POPULATE_WRITE))
		return 0;
	sys = errno;
	if (sys == EINVAL)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, sys,
				    "%s: pages whose write failed cannot be written again: "
				    "MADV_POPULATE_WRITE: %s",
				    fm_block_path(block), strerror(sys));
	/* Where a store would raise SIGBUS: no space for a page that is a hole in the file. */
	return fm_error_set(err, sys == EFAULT ? FM_ERR_NOSPACE : FM_ERR_IO, sys,
			    "%s: pages whose write failed cannot be written again: %s",
			    fm_block_path(block), strerror(sys));
}

/* As fmi_file_rewrite() for the pages of one call of mincore(2). */
static int dirty_resident(const struct fm_block *block, uint8_t *addr, size_t len, size_t page,
			  uint64_t *bytes, struct fm_error *err)
{
	unsigned char resident[RUN_PAGES];
	size_t pages = (len + page - 1) / page, end;
	int ret;

	if (mincore(addr, len, resident))
		memset(resident, 1, sizeof(resident));
	for (size_t i = 0; i < pages; i = end) {
		end = i + 1;
		if (!(resident[i] & 1))
			continue;
		while (end < pages && resident[end] & 1)
			end++;
		ret = dirty_run(block, addr + i * page, (end - i) * page, err);
		if (ret)
			return ret;
		*bytes += (end - i) * page;
	}
	return 0;
}

int fmi_file_rewrite(const struct fm_block *block, uint64_t *bytes, struct fm_error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t step = RUN_PAGES * page, len = fm_block_len(block);
	uint8_t *base = fm_block_ptr(block);
	int ret;

	for (uint64_t at = 0; at < len; at += step) {
		ret = dirty_resident(block, base + at, fmi_min_u64(step, len - at), page, bytes,
				     err);
		if (ret)
			return ret;
	}
	return 0;
}
