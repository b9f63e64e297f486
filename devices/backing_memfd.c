/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory with a descriptor of its own: memfd, of ordinary or of huge pages. */
#include "devices/backing.h"

#include "devices/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* linux/memfd.h; glibc 2.36 leaves it out. */
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif

/* Give the memfd its size and map it. */
static int map_memfd(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	int rc;

	mem->len = c->len;
	mem->map_len = fmi_align_up(c->len, mem->page_size);
	rc = fmi_backing_place(mem, c, err);
	if (rc)
		return rc;
	if (ftruncate(mem->fd, (off_t)mem->map_len) < 0)
		return fmi_backing_fail(err, c, fm_io_err(-errno), errno,
					"size 0x%zx for the memfd", mem->map_len);
	rc = fmi_backing_mmap(mem, c, MAP_SHARED, mem->fd);
	if (rc == -ENOMEM && c->backing == FM_BACKING_HUGETLB)
		return fmi_backing_fail(
			err, c, FM_ERR_NOSPACE, ENOMEM,
			"0x%llx bytes in %llu pages of %llu KiB, expected as many free in the "
			"host's pool of that size (sysctl vm.nr_hugepages)",
			(unsigned long long)c->len,
			(unsigned long long)(fmi_align_up(c->len, mem->page_size) / mem->page_size),
			(unsigned long long)mem->page_size / 1024);
	if (rc)
		return fmi_backing_fail(err, c, fm_io_err(rc), -rc, "mmap of 0x%llx bytes",
					(unsigned long long)c->len);
	return 0;
}

static int memfd_open(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	mem->page_size = fmi_host_page_size();
	mem->fd = memfd_create(c->name ? c->name : "firmem", MFD_CLOEXEC);
	if (mem->fd < 0)
		return fmi_backing_fail(err, c, fm_io_err(-errno), errno, "memfd_create");
	return map_memfd(mem, c, err);
}

static int hugetlb_open(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	unsigned log2 = c->page_size ? (unsigned)__builtin_ctzll(c->page_size) : 0;
	struct stat st;

	mem->fd = memfd_create(c->name ? c->name : "firmem",
			       MFD_CLOEXEC | MFD_HUGETLB | log2 << MFD_HUGE_SHIFT);
	if (mem->fd < 0 && c->page_size)
		return fmi_backing_fail(
			err, c, FM_ERR_UNSUPPORTED, errno,
			"page_size 0x%llx, expected one of those in /sys/kernel/mm/hugepages",
			(unsigned long long)c->page_size);
	if (mem->fd < 0)
		return fmi_backing_fail(err, c, FM_ERR_UNSUPPORTED, errno,
					"a memfd of huge pages of the default size");
	/* hugetlbfs: the preferred block size is the size of its pages. */
	if (fstat(mem->fd, &st) < 0)
		return fmi_backing_fail(err, c, FM_ERR_IO, errno, "fstat of the memfd");
	mem->page_size = (uint64_t)st.st_blksize;
	if (!fmi_is_pow2(mem->page_size) || (c->page_size && mem->page_size != c->page_size))
		return fmi_backing_fail(err, c, FM_ERR_UNSUPPORTED, 0,
					"got pages of 0x%llx bytes, expected page_size 0x%llx",
					(unsigned long long)mem->page_size,
					(unsigned long long)c->page_size);
	if (c->len > INT64_MAX - (mem->page_size - 1))
		return fmi_backing_fail(err, c, FM_ERR_NOSPACE, 0,
					"len 0x%llx, expected less than 2^63 in whole huge pages",
					(unsigned long long)c->len);
	return map_memfd(mem, c, err);
}

static int memfd_reserve(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	int rc;

	do {
		rc = fallocate(mem->fd, 0, 0, (off_t)mem->map_len);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return fmi_backing_fail(err, c, fm_io_err(-errno), errno,
					"preallocation of 0x%llx bytes",
					(unsigned long long)mem->map_len);
	return 0;
}

static void memfd_close(struct fmi_mem *mem, const struct fm_block_config *c, bool failed)
{
	if (mem->map_len && mem->ptr)
		munmap(mem->ptr, mem->map_len);
	if (mem->fd >= 0)
		close(mem->fd);
}

const struct fmi_backing fmi_backing_memfd = {
	.open = memfd_open,
	.reserve = memfd_reserve,
	.close = memfd_close,
};
const struct fmi_backing fmi_backing_hugetlb = {
	.open = hugetlb_open,
	.reserve = memfd_reserve,
	.close = memfd_close,
};
