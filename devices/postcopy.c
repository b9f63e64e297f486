/* SPDX-License-Identifier: BSD-2-Clause */
/* May a block's pages come later? Asked of the block, then of the kernel. */
#include "devices/postcopy.h"

#include <firmem/private.h>

#include "devices/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/userfaultfd.h of 5.11 */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static int unfit(struct fm_error *err, const struct fm_block *block, int code, int sys,
		 const char *why, const char *expected)
{
	return fm_error_set(err, code, sys, "block %s (%s): no postcopy: %s, expected %s",
			    fm_block_name(block), fm_backing_name(fm_block_backing(block)), why,
			    expected);
}

/* What the block itself says. */
static int check_block(const struct fm_block *block, struct fm_error *err)
{
	uint64_t shared = 0;

	if (!*fm_block_name(block) || fm_block_flags(block) & FM_BLOCK_NO_MIGRATE)
		return unfit(err, block, FM_ERR_STATE, 0, "it does not migrate",
			     "a name, and no FM_BLOCK_NO_MIGRATE");
	if (fm_private_at(block, 0, &shared) || shared < fm_block_len(block))
		return unfit(err, block, FM_ERR_STATE, 0, "it is private to its guest in part",
			     "memory that the host reads and writes");
	if (fm_block_len(block) % fm_block_page_size(block))
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "block %s (%s): no postcopy: 0x%llx bytes in pages of 0x%llx, "
				    "expected whole pages",
				    fm_block_name(block), fm_backing_name(fm_block_backing(block)),
				    (unsigned long long)fm_block_len(block),
				    (unsigned long long)fm_block_page_size(block));
	if (fm_block_flags(block) & FM_BLOCK_LOCKED)
		return unfit(err, block, FM_ERR_BUSY, 0, "its pages are locked",
			     "pages that may be missing");
	if (fm_block_discard_inhibited(block))
		return unfit(err, block, FM_ERR_BUSY, 0, "its pages are pinned",
			     "pages that may be missing");
	return 0;
}

/* A descriptor that has agreed on the interface, or a negative errno. */
static int open_watch(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0 && errno == EPERM)
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return -errno;
	if (!ioctl(fd, UFFDIO_API, &api))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* Watch the block for a moment: whoever meets a missing page is woken by the close. */
static int ask_kernel(int fd, const struct fm_block *block)
{
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	r.range.start = (uint64_t)(uintptr_t)fm_block_ptr(block);
	r.range.len = fm_block_len(block);
	if (ioctl(fd, UFFDIO_REGISTER, &r) < 0)
		return -errno;
	return r.ioctls & UINT64_C(1) << _UFFDIO_COPY ? 0 : -EINVAL;
}

int fmi_postcopy_check(const struct fm_block *block, struct fm_error *err)
{
	int rc = check_block(block, err);
	int fd;

	if (rc)
		return rc;
	fd = open_watch();
	if (fd < 0)
		return unfit(err, block, fd == -EPERM ? FM_ERR_ACCESS : FM_ERR_UNSUPPORTED, -fd,
			     "the host gives no userfaultfd",
			     "a kernel that has it, and the right to it");
	rc = ask_kernel(fd, block);
	close(fd);
	if (rc == -EBUSY)
		return unfit(err, block, FM_ERR_BUSY, EBUSY, "it is watched already",
			     "one that watches it");
	if (rc)
		return unfit(err, block, FM_ERR_UNSUPPORTED, -rc,
			     "the kernel watches no such memory",
			     "anonymous memory, memfd, tmpfs or huge pages");
	return 0;
}
