/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/populated.h"

#include "devices/backing.h"
#include "devices/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Not in every linux/magic.h. */
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* PAGEMAP_SCAN of linux/fs.h, since 6.7: Debian 12's headers are older than that. */
struct scan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct scan {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN _IOWR('f', 16, struct scan)
#define IS_PRESENT (UINT64_C(1) << 3)
#define IS_SWAPPED (UINT64_C(1) << 4)
#define IS_PFNZERO (UINT64_C(1) << 5)

/* Documentation/admin-guide/mm/pagemap.rst: bit 63 present, bit 62 swapped. */
#define ENTRY_THERE (UINT64_C(3) << 62)

#define REGIONS 256
#define ENTRIES 1024

/* Runs that touch are told as one. */
struct joiner {
	fmi_run_fn *run;
	void *ctx;
	uint64_t off;
	uint64_t len;
};

static void join_end(struct joiner *j)
{
	if (j->len)
		j->run(j->ctx, j->off, j->len);
	j->len = 0;
}

static void join(struct joiner *j, uint64_t off, uint64_t len)
{
	if (j->len && j->off + j->len == off) {
		j->len += len;
		return;
	}
	join_end(j);
	j->off = off;
	j->len = len;
}

/* --- by the page tables ----------------------------------------------------------------------- */

static int open_pagemap(void)
{
	return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

/* Whole pages around the range; `base` is where the block begins. */
static void around(const struct fm_block *block, uint64_t off, uint64_t len, uint64_t *start,
		   uint64_t *end)
{
	uint64_t page = fmi_host_page_size();
	uint64_t base = (uintptr_t)fm_block_ptr(block);

	*start = fmi_align_down(base + off, page);
	*end = fmi_align_up(base + off + len, page);
}

bool fmi_populated_scan(const struct fm_block *block, uint64_t off, uint64_t len, fmi_run_fn *run,
			void *ctx)
{
	struct scan_region regions[REGIONS];
	struct joiner j = { .run = run, .ctx = ctx };
	uint64_t base = (uintptr_t)fm_block_ptr(block);
	struct scan arg = { .size = sizeof(arg),
			    .vec = (uintptr_t)regions,
			    .vec_len = REGIONS,
			    /* Present or swapped, and not the page of zeros. */
			    .category_inverted = IS_PFNZERO,
			    .category_mask = IS_PFNZERO,
			    .category_anyof_mask = IS_PRESENT | IS_SWAPPED,
			    .return_mask = IS_PRESENT | IS_SWAPPED };
	bool begun = false;
	int fd = open_pagemap();
	int n;

	if (fd < 0)
		return false;
	around(block, off, len, &arg.start, &arg.end);
	while (arg.start < arg.end) {
		n = ioctl(fd, SCAN, &arg);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		begun = true;
		for (int i = 0; i < n; i++)
			join(&j, regions[i].start - base, regions[i].end - regions[i].start);
		arg.start = arg.walk_end;
	}
	close(fd);
	if (!begun)
		return false;
	/* What it did not get to counts as there. */
	if (arg.start < arg.end)
		join(&j, arg.start - base, arg.end - arg.start);
	join_end(&j);
	return true;
}

bool fmi_populated_pagemap(const struct fm_block *block, uint64_t off, uint64_t len,
			   fmi_run_fn *run, void *ctx)
{
	uint64_t entries[ENTRIES];
	uint64_t page = fmi_host_page_size();
	uint64_t base = (uintptr_t)fm_block_ptr(block);
	struct joiner j = { .run = run, .ctx = ctx };
	uint64_t start, end;
	int fd = open_pagemap();

	if (fd < 0)
		return false;
	around(block, off, len, &start, &end);
	for (uint64_t at = start; at < end;) {
		uint64_t count = fmi_min_u64(ENTRIES, (end - at) / page);
		ssize_t got = pread(fd, entries, count * sizeof(*entries),
				    (off_t)(at / page * sizeof(*entries)));

		if (got < (ssize_t)sizeof(*entries)) {
			/* What cannot be read counts as there. */
			join(&j, at - base, end - at);
			break;
		}
		count = (uint64_t)got / sizeof(*entries);
		for (uint64_t i = 0; i < count; i++) {
			if (entries[i] & ENTRY_THERE)
				join(&j, at + i * page - base, page);
		}
		at += count * page;
	}
	close(fd);
	join_end(&j);
	return true;
}

/* --- by the file ------------------------------------------------------------------------------ */

bool fmi_populated_seek(const struct fm_block *block, uint64_t off, uint64_t len, fmi_run_fn *run,
			void *ctx)
{
	const struct fmi_mem *mem = fmi_block_mem(block);
	off_t begin = (off_t)fmi_block_config(block)->file_off;
	off_t at = begin + (off_t)off;
	off_t end = at + (off_t)len;
	bool begun = false;

	while (at < end) {
		off_t data = lseek(mem->fd, at, SEEK_DATA);
		off_t hole;

		/* No data behind `at`. */
		if (data < 0 && errno == ENXIO)
			return true;
		if (data < 0 && !begun)
			return false;
		begun = true;
		hole = data < 0 ? end : lseek(mem->fd, data, SEEK_HOLE);
		data = data < 0 ? at : data;
		if (data >= end)
			return true;
		hole = hole < 0 || hole > end ? end : hole;
		run(ctx, (uint64_t)(data - begin), (uint64_t)(hole - data));
		at = hole;
	}
	return true;
}

/*
 * Where stores through a mapping show in the file's map of data at once. A network or user-space
 * file system may not know yet of pages that are dirty here.
 */
static bool knows_its_data(int fd)
{
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == EXT4_SUPER_MAGIC ||
	       fs.f_type == XFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC;
}

bool fmi_populated_bytes(const struct fm_block *block, uint64_t *bytes)
{
	struct stat st;

	if (fm_block_backing(block) != FM_BACKING_MEMFD || fstat(fm_block_fd(block), &st) < 0)
		return false;
	*bytes = (uint64_t)st.st_blocks * 512;
	return true;
}

static bool has_no_blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_blocks == 0;
}

/* --- the right one ---------------------------------------------------------------------------- */

enum fmi_populated fmi_populated_by(const struct fm_block *block)
{
	const struct fmi_mem *mem = fmi_block_mem(block);
	bool shared = fm_block_flags(block) & FM_BLOCK_SHARED;

	switch (fm_block_backing(block)) {
	case FM_BACKING_ANON:
		return shared ? FMI_POPULATED_ALL : FMI_POPULATED_TABLES;
	case FM_BACKING_MEMFD:
		return FMI_POPULATED_DATA;
	case FM_BACKING_HUGETLB:
		return FMI_POPULATED_BLOCKS;
	case FM_BACKING_FILE:
		/* Under a private mapping, pages that are not ours show the file. */
		return shared && knows_its_data(mem->fd) ? FMI_POPULATED_DATA : FMI_POPULATED_ALL;
	case FM_BACKING_ADOPTED:
	case FM_BACKING_COUNT:
		break;
	}
	return FMI_POPULATED_ALL;
}

void fmi_populated_each(const struct fm_block *block, uint64_t off, uint64_t len, fmi_run_fn *run,
			void *ctx)
{
	bool told = false;

	switch (fmi_populated_by(block)) {
	case FMI_POPULATED_TABLES:
		told = fmi_populated_scan(block, off, len, run, ctx) ||
		       fmi_populated_pagemap(block, off, len, run, ctx);
		break;
	case FMI_POPULATED_DATA:
		told = fmi_populated_seek(block, off, len, run, ctx);
		break;
	case FMI_POPULATED_BLOCKS:
		told = has_no_blocks(fm_block_fd(block));
		break;
	case FMI_POPULATED_ALL:
		break;
	}
	if (!told)
		run(ctx, off, len);
}
