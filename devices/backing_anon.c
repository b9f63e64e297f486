/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory without a descriptor: anonymous, and adopted from the caller. */
#include "devices/backing.h"

#include "devices/bytes.h"

#include <errno.h>
#include <sys/mman.h>

static int anon_open(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	int flags = MAP_ANONYMOUS | (c->flags & FM_BLOCK_SHARED ? MAP_SHARED : MAP_PRIVATE);
	int rc;

	mem->page_size = fmi_host_page_size();
	mem->len = c->len;
	mem->map_len = fmi_align_up(c->len, mem->page_size);
	rc = fmi_backing_place(mem, c, err);
	if (rc)
		return rc;
	rc = fmi_backing_mmap(mem, c, flags, -1);
	if (rc)
		return fmi_backing_fail(err, c, FM_ERR_NOMEM, -rc, "mmap of 0x%llx bytes",
					(unsigned long long)c->len);
	return 0;
}

static void anon_close(struct fmi_mem *mem, const struct fm_block_config *c, bool failed)
{
	if (mem->map_len)
		munmap(mem->ptr, mem->map_len);
}

static int adopted_open(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	if (c->align && !fmi_is_aligned((uintptr_t)c->ptr, c->align))
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"ptr %p, expected a multiple of align 0x%llx", c->ptr,
					(unsigned long long)c->align);
	if (fmi_wraps((uintptr_t)c->ptr, c->len))
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"ptr %p, len 0x%llx: leaves the address space", c->ptr,
					(unsigned long long)c->len);
	mem->page_size = fmi_host_page_size();
	mem->len = c->len;
	mem->ptr = c->ptr;
	return 0;
}

static void adopted_close(struct fmi_mem *mem, const struct fm_block_config *c, bool failed)
{
}

/*
 * Shared anonymous memory is a file of the kernel's own, which is never full as long as memory is
 * not: nothing to reserve.
 */
const struct fmi_backing fmi_backing_anon = { .open = anon_open, .close = anon_close };
const struct fmi_backing fmi_backing_adopted = { .open = adopted_open, .close = adopted_close };
