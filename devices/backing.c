/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/backing.h"

#include "devices/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int fmi_backing_fail(struct fm_error *err, const struct fm_block_config *c, int code, int sys,
		     const char *fmt, ...)
{
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	errno = sys;
	/* %m: the text of errno, by a thread's own buffer. */
	return sys ? fm_error_set(err, code, sys, "block %s (%s): %s: %m",
				  c->name ? c->name : "without a name", fm_backing_name(c->backing),
				  what)
		   : fm_error_set(err, code, 0, "block %s (%s): %s",
				  c->name ? c->name : "without a name", fm_backing_name(c->backing),
				  what);
}

uint64_t fmi_host_page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

int fmi_backing_prot(const struct fm_block_config *c)
{
	return c->flags & FM_BLOCK_READONLY ? PROT_READ : PROT_READ | PROT_WRITE;
}

int fmi_backing_place(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	size_t len = mem->map_len, head, total;
	char *p;

	mem->ptr = NULL;
	if (c->align <= mem->page_size)
		return 0;
	mem->map_len = 0;
	if (len > SIZE_MAX - c->align)
		return fmi_backing_fail(err, c, FM_ERR_NOMEM, ENOMEM,
					"0x%zx bytes aligned to 0x%llx", len,
					(unsigned long long)c->align);
	total = len + c->align;
	p = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return fmi_backing_fail(err, c, FM_ERR_NOMEM, errno,
					"address space for 0x%zx bytes aligned to 0x%llx", len,
					(unsigned long long)c->align);
	head = (size_t)(-(uintptr_t)p & (c->align - 1));
	if (head)
		munmap(p, head);
	munmap(p + head + len, total - head - len);
	mem->ptr = p + head;
	mem->map_len = len;
	return 0;
}

int fmi_backing_mmap(struct fmi_mem *mem, const struct fm_block_config *c, int flags, int fd)
{
	void *p = mmap(mem->ptr, mem->map_len, fmi_backing_prot(c),
		       flags | (mem->ptr ? MAP_FIXED : 0), fd, 0);
	int rc = p == MAP_FAILED ? -errno : 0;

	if (!rc) {
		mem->ptr = p;
		return 0;
	}
	if (mem->ptr)
		munmap(mem->ptr, mem->map_len);
	mem->map_len = 0;
	return rc;
}
