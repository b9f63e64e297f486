/* SPDX-License-Identifier: BSD-2-Clause */
/* backing: how a block gets its host memory. One table of functions for each kind. */
#ifndef FIRMEM_DEVICES_BACKING_H
#define FIRMEM_DEVICES_BACKING_H

#include <firmem/block.h>

#define FMI_PREALLOC_THREADS_MAX 16u

struct fmi_private;
struct fmi_owner;

/* What a backing gave to a block. */
struct fmi_mem {
	void *ptr;          /* the first byte */
	uint64_t len;       /* bytes of the block */
	uint64_t page_size; /* of the memory really obtained */
	size_t map_len;     /* what close() unmaps, a multiple of the page size; 0: not ours */
	int fd;             /* to hand out, or -1 */
	struct fm_file *file;
	const struct fm_io *io; /* of `file` */
	bool made;              /* the file did not exist before */
	bool sized;             /* the file was empty before */
};

/*
 * `c` has been checked; its `io` is never NULL. Every function that fails fills `err` by
 * fmi_backing_fail() and leaves in `mem` what close() is to undo.
 */
struct fmi_backing {
	int (*open)(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err);
	/*
	 * Storage for every byte, so that touching cannot raise SIGBUS for want of it. NULL: not
	 * needed.
	 */
	int (*reserve)(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err);
	/* `failed`: fm_block_new() fails, what open() did to the host's files is undone. */
	void (*close)(struct fmi_mem *mem, const struct fm_block_config *c, bool failed);
};

extern const struct fmi_backing fmi_backing_anon;
extern const struct fmi_backing fmi_backing_memfd;
extern const struct fmi_backing fmi_backing_file;
extern const struct fmi_backing fmi_backing_hugetlb;
extern const struct fmi_backing fmi_backing_adopted;

/* What the backing gave to the block, and what it was made from: for clearing. */
const struct fmi_mem *fmi_block_mem(const struct fm_block *block);
const struct fm_block_config *fmi_block_config(const struct fm_block *block);

/* Where the block keeps its private ranges; freed with it. */
struct fmi_private **fmi_block_private(struct fm_block *block);
/* Whose the block is. */
struct fmi_owner *fmi_block_owner(struct fm_block *block);
/* private.c; NULL is fine. */
void fmi_private_free(struct fmi_private *private);

/* Fill `err`: block, backing, what; and the text of `sys` when it is an errno. Returns `code`. */
int fmi_backing_fail(struct fm_error *err, const struct fm_block_config *c, int code, int sys,
		     const char *fmt, ...) FM_PRINTF(5, 6);

/* The host's page size. */
uint64_t fmi_host_page_size(void);

/* PROT_READ, with PROT_WRITE unless the block is read-only. */
int fmi_backing_prot(const struct fm_block_config *c);

/*
 * Reserve mem->map_len bytes of address space at the alignment the config asks for. mem->ptr is
 * NULL when any page-aligned place will do; otherwise the mapping goes there, with MAP_FIXED. On
 * failure map_len is 0.
 */
int fmi_backing_place(struct fmi_mem *mem, const struct fm_block_config *c, struct fm_error *err);

/* Fill a reservation, or any free place, by mmap(2); mem->ptr is the mapping. A negative errno. */
int fmi_backing_mmap(struct fmi_mem *mem, const struct fm_block_config *c, int flags, int fd);

/* Populate every page now, by cfg's number of threads; the contents stay as they are. */
int fmi_backing_populate(struct fmi_mem *mem, const struct fm_block_config *c,
			 struct fm_error *err);

#endif
