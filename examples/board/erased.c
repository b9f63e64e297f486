/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/erased.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TILE ((size_t)2 << 20)
#define PAGE ((size_t)4096)

/* A file in memory with one tile of FF, or -1. */
static int make_tile(void)
{
	int fd = memfd_create("erased", MFD_CLOEXEC);
	void *tile = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, TILE))
		tile = mmap(NULL, TILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (tile == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	memset(tile, 0xff, TILE);
	munmap(tile, TILE);
	return fd;
}

static bool cover(uint8_t *base, size_t len, int fd)
{
	for (size_t at = 0; at < len; at += TILE) {
		if (mmap(base + at, TILE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) ==
		    MAP_FAILED)
			return false;
	}
	return true;
}

int erased_new(void **out, size_t len, struct fm_error *err)
{
	int fd = make_tile();
	void *base = MAP_FAILED;
	bool done;

	if (fd >= 0)
		base = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	done = base != MAP_FAILED && cover(base, len, fd);
	if (fd >= 0)
		close(fd);
	if (!done) {
		if (base != MAP_FAILED)
			munmap(base, len);
		return fm_error_set(err, FM_ERR_NOMEM, errno, "flash: no memory for a bank: %s",
				    strerror(errno));
	}
	*out = base;
	return 0;
}

void erased_free(void *memory, size_t len)
{
	if (memory)
		munmap(memory, len);
}

static ssize_t sparing_pread(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	uint8_t piece[16 * PAGE];
	ssize_t got = fm_io_posix()->ops->pread(ctx, file, piece,
						len < sizeof(piece) ? len : sizeof(piece), off);

	for (ssize_t at = 0; at < got; at += (ssize_t)PAGE) {
		size_t n = (size_t)(got - at) < PAGE ? (size_t)(got - at) : PAGE;

		if (memcmp((uint8_t *)buf + at, piece + at, n))
			memcpy((uint8_t *)buf + at, piece + at, n);
	}
	return got;
}

struct fm_io erased_io(struct fm_io_ops *ops)
{
	*ops = *fm_io_posix()->ops;
	ops->struct_size = sizeof(*ops);
	ops->pread = sparing_pread;
	return (struct fm_io){ .ops = ops, .ctx = fm_io_posix()->ctx };
}
