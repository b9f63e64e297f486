/* SPDX-License-Identifier: BSD-2-Clause */
/* Populating every page of a block before the guest runs. */
#include "devices/backing.h"

#include "devices/bytes.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* One thread's share; whole pages. */
struct share {
	pthread_t thread;
	bool started;
	char *at;
	size_t len;
	size_t page;
	bool write;
	int rc; /* a negative errno */
};

/*
 * For kernels before 5.14. Storage has been reserved by now. A page is written with what is in it,
 * in one atomic step: another process that has the memory may be storing to it. Not by an OR of
 * zero, which clang turns into a load. To read a page ahead is a kindness, not worth a SIGBUS for
 * a bad disk.
 */
static void touch(const struct share *s)
{
	if (!s->write) {
		madvise(s->at, s->len, MADV_WILLNEED);
		return;
	}
	for (size_t i = 0; i < s->len; i += s->page) {
		volatile char *p = s->at + i;
		char byte = __atomic_load_n(p, __ATOMIC_RELAXED);

		/* When it fails, somebody else has just written the page. */
		__atomic_compare_exchange_n(p, &byte, byte, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
}

static void *populate(void *arg)
{
	struct share *s = arg;
	int advice = s->write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	int rc;

	do {
		rc = madvise(s->at, s->len, advice);
	} while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	if (rc < 0 && (errno == EINVAL || errno == ENOSYS))
		touch(s);
	else if (rc < 0)
		s->rc = -errno;
	return NULL;
}

static int fail(const struct fm_block_config *c, const struct fmi_mem *mem, int rc,
		struct fm_error *err)
{
	bool file = c->backing == FM_BACKING_FILE;

	/* madvise(2): EFAULT is where a touch would have raised SIGBUS. */
	if (rc == -EFAULT)
		return fmi_backing_fail(
			err, c, file ? FM_ERR_IO : FM_ERR_NOSPACE, 0,
			"preallocation of 0x%llx bytes: a page cannot be had: %s",
			(unsigned long long)mem->len,
			file ? "the file was cut, its file system is full, or its disk failed"
			     : "no memory of its kind is left");
	return fmi_backing_fail(err, c, fm_io_err(rc), -rc, "preallocation of 0x%llx bytes",
				(unsigned long long)mem->len);
}

int fmi_backing_populate(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err)
{
	struct share shares[FMI_PREALLOC_THREADS_MAX] = { 0 };
	size_t page = (size_t)mem->page_size;
	unsigned n = c->prealloc_threads ? c->prealloc_threads : 1;
	/* Adopted memory may begin and end in the middle of a page. */
	char *at = (char *)mem->ptr - ((uintptr_t)mem->ptr & (page - 1));
	size_t pages = (size_t)((char *)mem->ptr + mem->len - at - 1) / page + 1;
	int rc = 0;

	for (unsigned i = 0; i < n; i++) {
		struct share *s = &shares[i];
		size_t count = pages / n + (i < pages % n);

		*s = (struct share){ .at = at,
				     .len = count * page,
				     .page = page,
				     .write = !(c->flags & FM_BLOCK_READONLY) };
		at += s->len;
		if (!count)
			continue;
		/* The last share, and what no thread could be had for, is done here. */
		s->started = i + 1 < n && !pthread_create(&s->thread, NULL, populate, s);
		if (!s->started)
			populate(s);
	}
	for (unsigned i = 0; i < n; i++) {
		if (shares[i].started)
			pthread_join(shares[i].thread, NULL);
		if (!rc)
			rc = shares[i].rc;
	}
	return rc ? fail(c, mem, rc, err) : 0;
}
