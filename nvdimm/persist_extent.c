/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sync that succeeded is not always one that wrote. ext4 forgets, when writing a page into space
 * that was only preallocated (or a hole) fails, that this space still has to be marked as written;
 * writing the page again puts the bytes on the disk, the sync returns 0, and the file reads as
 * zeros from then on (seen on Linux 6.18). The file's extents tell.
 */
#include "nvdimm/persist_private.h"

#include "devices/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/fiemap.h>
#include <linux/fs.h>

#define EXTENTS 32u
#define RUN_PAGES 1024u

/* Where in its file a mapping starts, which no system call but mmap(2) itself knows. */
static bool file_offset(const void *addr, uint64_t *off)
{
	uint64_t at = (uintptr_t)addr, first, end, file_off;
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	if (!maps)
		return false;
	while (!found && fgets(line, sizeof(line), maps)) {
		found = sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &first, &end,
			       &file_off) == 3 &&
			at >= first && at < end;
	}
	fclose(maps);
	if (found)
		*off = file_off + (at - first);
	return found;
}

/* Is a page of [addr, addr + len), which starts on a page, in memory? */
static bool any_resident(uint8_t *addr, uint64_t len, size_t page)
{
	unsigned char resident[RUN_PAGES];

	for (uint64_t at = 0; at < len; at += RUN_PAGES * page) {
		uint64_t n = fmi_min_u64(len - at, RUN_PAGES * page);

		if (mincore(addr + at, n, resident))
			return true;
		for (uint64_t i = 0; i < (n + page - 1) / page; i++) {
			if (resident[i] & 1)
				return true;
		}
	}
	return false;
}

/* `e` is in the file; the block is at `file_off` there. */
static int check_extent(const struct fm_block *block, uint64_t file_off,
			const struct fiemap_extent *e, struct fm_error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t first = fmi_max_u64(e->fe_logical, file_off);
	uint64_t end = fmi_min_u64(e->fe_logical + e->fe_length, file_off + fm_block_len(block));

	if (!(e->fe_flags & FIEMAP_EXTENT_UNWRITTEN) || first >= end)
		return 0;
	first = fmi_align_down(first - file_off, page);
	end -= file_off;
	if (!any_resident((uint8_t *)fm_block_ptr(block) + first, end - first, page))
		return 0;
	return fm_error_set(err, FM_ERR_IO, EIO,
			    "%s: pages in [0x%llx, 0x%llx) of the block read as zeros from the "
			    "disk although their sync succeeded: the file system did not recover "
			    "from the failed write",
			    fm_block_path(block), (unsigned long long)first,
			    (unsigned long long)end);
}

int fmi_file_verify(const struct fm_block *block, struct fm_error *err)
{
	union {
		struct fiemap map;
		uint8_t room[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
	} ask;
	uint64_t file_off, at, end;
	int fd = fm_block_fd(block), ret = 0;

	if (fd < 0 || !file_offset(fm_block_ptr(block), &file_off))
		return 0;
	end = file_off + fm_block_len(block);
	for (at = file_off; !ret && at < end;) {
		const struct fiemap_extent *e = ask.map.fm_extents;

		memset(&ask, 0, sizeof(ask));
		ask.map.fm_start = at;
		ask.map.fm_length = end - at;
		ask.map.fm_extent_count = EXTENTS;
		/* File systems without extents cannot be asked. */
		if (ioctl(fd, FS_IOC_FIEMAP, &ask.map) || !ask.map.fm_mapped_extents)
			return 0;
		for (uint32_t i = 0; !ret && i < ask.map.fm_mapped_extents; i++, e++) {
			ret = check_extent(block, file_off, e, err);
			if (e->fe_flags & FIEMAP_EXTENT_LAST || e->fe_logical + e->fe_length <= at)
				return ret;
			at = e->fe_logical + e->fe_length;
		}
	}
	return ret;
}
