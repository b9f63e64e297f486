/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block: one piece of host memory, with what it is for in the guest (its role) and what it is
 * made of on the host (its backing). The two are independent; the role lives here and nowhere
 * else.
 */
#ifndef FIRMEM_BLOCK_H
#define FIRMEM_BLOCK_H

#include <firmem/base.h>
#include <firmem/io.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_block;
struct fm_dirty;

/* What a block is to the guest. Decides reset, dump and migration; never its host backing. */
enum fm_role {
	FM_ROLE_NONE = 0,     /* not a role: a block must have one */
	FM_ROLE_RAM,          /* main memory */
	FM_ROLE_DIMM,         /* hot-pluggable memory */
	FM_ROLE_VIRTIO_MEM,   /* memory the guest plugs in pieces */
	FM_ROLE_ROM,          /* firmware copied into memory */
	FM_ROLE_OPTION_ROM,   /* the ROM of an add-in device */
	FM_ROLE_FLASH_CODE,   /* flash bank with the firmware */
	FM_ROLE_FLASH_VARS,   /* flash bank with the firmware's variables */
	FM_ROLE_VRAM,         /* video memory */
	FM_ROLE_NVDIMM,       /* persistent memory, holds file systems */
	FM_ROLE_LABEL,        /* label area of an NVDIMM */
	FM_ROLE_VIRTIO_PMEM,  /* paravirtual persistent memory */
	FM_ROLE_TABLE,        /* ACPI or fw_cfg blob, not mapped in the guest */
	FM_ROLE_DEVICE,       /* RAM inside a device; may be host-device memory */
	FM_ROLE_PPI,          /* TPM physical presence page */
	FM_ROLE_SMRAM,        /* RAM hidden from the ordinary guest */
	FM_ROLE_PRIVATE,      /* encrypted guest's own memory: host access is meaningless */
	FM_ROLE_S3_PRESERVED, /* RAM that firmware keeps over S3 */
	FM_ROLE_COUNT
};

/* What a block is made of on the host. */
enum fm_backing {
	FM_BACKING_ANON = 0, /* mmap MAP_ANONYMOUS; private unless FM_BLOCK_SHARED */
	FM_BACKING_MEMFD,    /* memfd_create; shared */
	FM_BACKING_FILE,     /* a file through the seam; private unless FM_BLOCK_SHARED */
	FM_BACKING_HUGETLB,  /* memfd with MFD_HUGETLB */
	FM_BACKING_ADOPTED,  /* memory the caller owns */
	FM_BACKING_COUNT
};

/* Caching attribute the guest is to use. Recorded for the host; the library does not act on it. */
enum fm_caching {
	FM_CACHING_WRITE_BACK = 0,
	FM_CACHING_WRITE_THROUGH,
	FM_CACHING_WRITE_COMBINING,
	FM_CACHING_UNCACHED,
};

enum fm_block_flag {
	/*
	 * file, anon: stores are visible to other processes, of a file also in the file. Always
	 * set for memfd and hugetlb.
	 */
	FM_BLOCK_SHARED = 1 << 0,
	FM_BLOCK_READONLY = 1 << 1, /* mapped without write permission; file opened for reading */
	/*
	 * Touch every page now: FM_ERR_NOSPACE or FM_ERR_NOMEM instead of SIGBUS later. A file
	 * gets its disk space where stores reach it; a private one is only read.
	 */
	FM_BLOCK_PREALLOC = 1 << 2,
	FM_BLOCK_CREATE = 1 << 3,     /* file by path, not READONLY: make it when absent */
	FM_BLOCK_NO_MIGRATE = 1 << 4, /* left out of the migratable walk although it is named */
	FM_BLOCK_USE_FD = 1 << 5,     /* file: `fd` instead of `path` */
	FM_BLOCK_CONSENT = 1 << 6, /* adopted memory, or a file we did not create, may be zeroed */
	FM_BLOCK_LOCKED = 1 << 7,  /* mlock(2)ed; failure is an error; not for adopted memory */
	/* adopted, file: memory of a device of the host (a BAR that is passed through); never zeroed */
	FM_BLOCK_HOST_DEVICE = 1 << 8,
	/*
	 * memfd, hugetlb: where the host cannot give it (but for FM_ERR_NOMEM), anonymous memory
	 * instead, which fm_block_backing() and fm_block_fallback() tell. Shared as that would be, with
	 * no descriptor.
	 */
	FM_BLOCK_FALLBACK = 1 << 9,
};

/*
 * Zero in any field is its default. `name` is copied. `io` must outlive the block.
 *
 * The size of a file: a non-empty file is never truncated or extended. With `len` 0 the block
 * takes the rest of the file from `file_off`. With `len` set, a non-empty file must hold
 * [file_off, file_off + len) and FM_ERR_SIZE names both sizes when it does not. A new file, and
 * an empty one that the block may write to (SHARED, not READONLY), is set to file_off + len bytes;
 * an empty file under a private or read-only block is FM_ERR_SIZE.
 */
struct fm_block_config {
	size_t struct_size; /* sizeof(struct fm_block_config) */
	/* Unique in a machine, 1 to 63 bytes, no control characters; NULL: unnamed, not migratable. */
	const char *name;
	enum fm_role role; /* must be given */
	enum fm_backing backing;
	unsigned flags;     /* enum fm_block_flag */
	uint64_t len;       /* bytes; rounded up to the page size internally, never visibly */
	const char *path;   /* file */
	int fd;             /* file with FM_BLOCK_USE_FD; duplicated, the caller keeps its own */
	uint64_t file_off;  /* file: first byte, a multiple of the page size */
	uint64_t page_size; /* hugetlb: bytes of a page, 0 = the host's default huge page;
				   otherwise 0 or the host's page size */
	uint64_t align;     /* of the host address: a power of two and a multiple of the page size;
				   0 = the page size; adopted: only checked, 0 = any */
	uint64_t dirty_granule; /* bytes a dirty bit stands for: a power of two >= 4096; 0 = 4096 */
	void *ptr;              /* adopted: `len` bytes that outlive the block */
	unsigned prealloc_threads; /* 0 = 1; at most 16 */
	enum fm_caching caching;
	const struct fm_io *io; /* NULL = fm_io_posix() */
};

/*
 * Make a block. Either the backing asked for, or an error that says why not: nothing else unless
 * FM_BLOCK_FALLBACK asks for it. Anonymous, memfd, hugetlb and new file memory reads as zero. On failure a file that
 * this call made is gone and one that it sized is empty again.
 *
 * Returns 0; FM_ERR_ARG (bad field: named), FM_ERR_SIZE (file too short), FM_ERR_NOT_FOUND,
 * FM_ERR_ACCESS, FM_ERR_NOMEM (also a limit of mlock), FM_ERR_NOSPACE (preallocation, or the huge
 * page pool is too small), FM_ERR_UNSUPPORTED (no such huge page size), FM_ERR_IO (also a page of
 * a file that preallocation could not read). Blocks; allocates. Any thread.
 */
FM_API int fm_block_new(struct fm_block **out, const struct fm_block_config *cfg,
			struct fm_error *err);

/*
 * Unmap and free. Adopted memory stays the caller's. NULL is fine. No device, window or view
 * may refer to the block any more. A block that a machine owns is freed by the machine.
 */
FM_API void fm_block_free(struct fm_block *block);

/* Properties; constant for the life of the block. Any thread. */
FM_API const char *fm_block_name(const struct fm_block *block); /* "" when unnamed */
FM_API enum fm_role fm_block_role(const struct fm_block *block);
FM_API enum fm_backing fm_block_backing(const struct fm_block *block);
FM_API unsigned fm_block_flags(const struct fm_block *block);
FM_API uint64_t fm_block_len(const struct fm_block *block);           /* bytes */
FM_API uint64_t fm_block_page_size(const struct fm_block *block);     /* the one really obtained */
FM_API uint64_t fm_block_dirty_granule(const struct fm_block *block); /* bytes */
FM_API enum fm_caching fm_block_caching(const struct fm_block *block);
FM_API const char *fm_block_path(const struct fm_block *block); /* "" when there is none */
/* Did we make the file, or first give it its size? */
FM_API bool fm_block_file_created(const struct fm_block *block);
/*
 * With FM_BLOCK_FALLBACK: why it is not the backing asked for, an FM_ERR_* of the host's and *err filled;
 * 0 where it is, and *err untouched.
 */
FM_API int fm_block_fallback(const struct fm_block *block, struct fm_error *err);
/* The descriptor to hand to another process (memfd, hugetlb; file if the seam has one) or -1.
 * Borrowed. */
FM_API int fm_block_fd(const struct fm_block *block);
/* The host address of the first byte; constant. Guest threads may be storing to it. */
FM_API void *fm_block_ptr(const struct fm_block *block);
/* The dirty log; never NULL. Borrowed. */
FM_API struct fm_dirty *fm_block_dirty(const struct fm_block *block);

/*
 * Make the contents of [off, off + len) of a shared file block durable (msync). 0 where stores
 * do not reach a file: other backings, private and read-only files. FM_ERR_RANGE; FM_ERR_IO,
 * FM_ERR_NOSPACE (a hole of the file could not be filled). Blocks.
 */
FM_API int fm_block_sync(struct fm_block *block, uint64_t off, uint64_t len, struct fm_error *err);

/*
 * The same for many runs, none empty, in order and apart, with one msync(): writing them is started first,
 * and of what else is dirty nothing is written where the seam can tell runs apart
 * (fm_io_ops.write_out); elsewhere the msync() is of the smallest run that covers them. Also FM_ERR_ARG.
 */
FM_API int fm_block_sync_runs(struct fm_block *block, const struct fm_io_run *runs, size_t count,
			      struct fm_error *err);

/*
 * While at least one inhibition holds, the block's pages are not given back to the host: something
 * (VFIO, RDMA) has pinned them, and would go on with pages that the guest no longer has. Clearing
 * writes them instead. Each inhibit is paired with one allow. Any thread.
 */
FM_API void fm_block_discard_inhibit(struct fm_block *block);
FM_API void fm_block_discard_allow(struct fm_block *block);
FM_API bool fm_block_discard_inhibited(const struct fm_block *block);

/* Role and backing as the words that tools print ("flash-vars", "memfd"); never NULL. */
FM_API const char *fm_role_name(enum fm_role role);
FM_API const char *fm_backing_name(enum fm_backing backing);
/* The role of that name, or FM_ROLE_NONE. */
FM_API enum fm_role fm_role_from_name(const char *name);
/* Would losing this role's contents at a power cycle lose user data or settings? */
FM_API bool fm_role_nonvolatile(enum fm_role role);

#ifdef __cplusplus
}
#endif

#endif
