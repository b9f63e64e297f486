/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io: the seam through which every host file of every device goes.
 *
 * A sandboxed host supplies its own vtable and hands descriptors out; a test injects faults or
 * records what was written and synced. fm_io_posix() is the ordinary one.
 *
 * Functions of the vtable return 0 (or a byte count) or a negative errno. They may be called
 * from a device's thread and from a background worker: an implementation must allow calls on
 * different files at the same time.
 */
#ifndef FIRMEM_IO_H
#define FIRMEM_IO_H

#include <firmem/base.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A file as the implementation of the seam sees it; the library only passes it back. */
struct fm_file;

enum fm_io_open {
	FM_IO_READ = 1 << 0,
	FM_IO_WRITE = 1 << 1,
	FM_IO_CREATE = 1 << 2, /* make it when absent, mode 0600 */
	FM_IO_EXCL = 1 << 3,   /* with CREATE: fail with -EEXIST when it is there */
};

enum fm_io_lock {
	FM_IO_UNLOCK = 0,
	FM_IO_LOCK_SHARED = 1,
	FM_IO_LOCK_EXCLUSIVE = 2,
};

/* Who a file is, to tell two paths to the same file from two files. */
struct fm_file_id {
	uint64_t dev;
	uint64_t ino;
};

/*
 * Every function but fd() and those behind it must be there: FM_ERR_ARG where a seam is taken otherwise.
 */
struct fm_io_ops {
	size_t struct_size; /* sizeof(struct fm_io_ops), also of a copy of fm_io_posix()'s */
	/* Open by path; `flags` of enum fm_io_open. The file is closed with close(). */
	int (*open)(void *ctx, const char *path, unsigned flags, struct fm_file **out);
	/*
	 * Take a duplicate of a descriptor that the host passes; the host keeps its own. Not one that
	 * appends (O_APPEND), where `flags` want to write: -EBADF.
	 */
	int (*open_fd)(void *ctx, int fd, unsigned flags, struct fm_file **out);
	void (*close)(void *ctx, struct fm_file *file);
	int (*size)(void *ctx, struct fm_file *file, uint64_t *bytes);
	int (*identity)(void *ctx, struct fm_file *file, struct fm_file_id *out);
	/* Bytes read or written, possibly fewer than `len`; 0 from pread is the end of file. */
	ssize_t (*pread)(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off);
	ssize_t (*pwrite)(void *ctx, struct fm_file *file, const void *buf, size_t len,
			  uint64_t off);
	/* Data, and the metadata needed to read it back, are on stable storage. */
	int (*fdatasync)(void *ctx, struct fm_file *file);
	/* Set the size of the file. */
	int (*truncate)(void *ctx, struct fm_file *file, uint64_t bytes);
	/* Reserve space for [off, off + len); extends the file where it is shorter. */
	int (*allocate)(void *ctx, struct fm_file *file, uint64_t off, uint64_t len);
	/*
	 * Map [off, off + len); `prot` and `flags` as in mmap(2). With MAP_FIXED among the flags
	 * *out is, on entry, an address in a reservation of the caller's.
	 */
	int (*map)(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot, int flags,
		   void **out);
	int (*unmap)(void *ctx, void *addr, size_t len);
	/* msync(2) with MS_SYNC of a part of a mapping that map() returned. */
	int (*msync)(void *ctx, void *addr, size_t len);
	/*
	 * Advisory lock owned by the open file (OFD); enum fm_io_lock; `len` 0 reaches to the end of
	 * any file; -EAGAIN when it is held.
	 */
	int (*lock)(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len);
	/*
	 * Would lock() succeed? 0 yes; -EAGAIN no, with *holder the process that is in the way
	 * (-1 where the host cannot tell).
	 */
	int (*lock_test)(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len,
			 pid_t *holder);
	/* Of a regular file. A file at `to` goes; -EEXIST if a link, a device, a pipe or a socket is there. */
	int (*rename)(void *ctx, const char *from, const char *to);
	int (*unlink)(void *ctx, const char *path);
	/* Make the directory entry of `path` durable. */
	int (*sync_dir)(void *ctx, const char *path);
	/* The descriptor behind the file, borrowed, or -1. NULL: there never is one to hand out. */
	int (*fd)(void *ctx, struct fm_file *file);
	/*
	 * The one name, malloc'd, of the file that `path` leads to: without symbolic links, so that
	 * what lies beside a file is found by each of its paths. NULL: paths are names.
	 */
	int (*resolve)(void *ctx, const char *path, char **out);
	/*
	 * Make [off, off + len) read as zero and give its storage back; the size stays. Optional: NULL,
	 * or -EOPNOTSUPP, and zeros are stored instead.
	 */
	int (*punch)(void *ctx, struct fm_file *file, uint64_t off, uint64_t len);
	/*
	 * Start to write what is dirty of [off, off + len); with `wait`, start and wait until it is
	 * written. Where every run has been waited for, msync() of any part of the file then makes all of
	 * them durable. Optional: NULL, or -EOPNOTSUPP where that is not so, and one msync() covers all.
	 */
	int (*write_out)(void *ctx, struct fm_file *file, uint64_t off, uint64_t len, bool wait);
	/*
	 * As rename(), where `to` is no name of anything: else -EEXIST, whoever made it and when. Optional:
	 * NULL, or -EOPNOTSUPP, and who wants it looks first and then renames.
	 */
	int (*rename_new)(void *ctx, const char *from, const char *to);
};

/* A run of bytes: of a file, of a block. */
struct fm_io_run {
	uint64_t off;
	uint64_t len;
};

/* A vtable and what it works on. Lives as long as anything that was made with it. */
struct fm_io {
	const struct fm_io_ops *ops;
	void *ctx;
};

/* The host's own files. Never NULL; static storage; its functions ignore ctx. Any thread. */
FM_API const struct fm_io *fm_io_posix(void);

/*
 * Read or write exactly `len` bytes, looping over short transfers and EINTR. Returns 0 or a
 * negative errno; -EIO when the file ends early or a write makes no progress. Blocks. Callable
 * from any thread that may use the file.
 */
FM_API int fm_io_read_all(const struct fm_io *io, struct fm_file *file, void *buf, size_t len,
			  uint64_t off);
FM_API int fm_io_write_all(const struct fm_io *io, struct fm_file *file, const void *buf,
			   size_t len, uint64_t off);

/*
 * Read a whole file into memory: *out is malloc'd (never NULL on success, even for an empty
 * file) and the caller's to free(). A file larger than `max` bytes is FM_ERR_SIZE. `io` NULL
 * means fm_io_posix(). FM_ERR_ARG, FM_ERR_NOMEM, what fm_io_err() makes of the host's error. Blocks.
 */
FM_API int fm_io_load(const struct fm_io *io, const char *path, size_t max, void **out, size_t *len,
		      struct fm_error *err);

/*
 * Write a whole file so that a crash leaves the old one or the new one: a temporary file in
 * the same folder, fdatasync, rename, directory sync. The file then has mode 0600; of a symbolic
 * link it is the file that the link leads to. On failure the file is the old one, or, when only the sync of the folder failed, the
 * new one. FM_ERR_ARG; FM_ERR_EXISTS (16 temporary files of crashed processes are in the way, or
 * `path` is, or leads to, a device, a pipe or a socket, or is a link to nothing);
 * what fm_io_err() makes of the host's error. Blocks.
 */
FM_API int fm_io_store(const struct fm_io *io, const char *path, const void *buf, size_t len,
		       struct fm_error *err);

/* The FM_ERR_* that stands for a negative errno (FM_ERR_IO where none is closer). */
FM_API int fm_io_err(int negative_errno);

#ifdef __cplusplus
}
#endif

#endif
