/* SPDX-License-Identifier: BSD-2-Clause */
/* persist_private: what persist.c asks its twins, persistent memory and files. */
#ifndef FIRMEM_NVDIMM_PERSIST_PRIVATE_H
#define FIRMEM_NVDIMM_PERSIST_PRIVATE_H

#include <firmem/persist.h>

#include <stdio.h>

/*
 * Is the file under the block as long as it was? FM_ERR_SIZE, which sticks; FM_ERR_IO. For who is about to
 * touch the block: an access behind the file's end would be a SIGBUS.
 */
int fmi_persist_check(struct fm_persist *persist, struct fm_error *err);
/*
 * Have pages under [off, off + len) of the block, to read or to write, so that an access to a hole of its file is
 * not a SIGBUS where the disk is full (on tmpfs a read is one, too): FM_ERR_NOSPACE. 0 before Linux 5.14, which
 * cannot be asked.
 */
int fmi_persist_make_room(struct fm_persist *persist, uint64_t off, uint64_t len, bool write,
			  struct fm_error *err);

struct fmi_promise {
	enum fm_persistence level;
	char why[120];
};

/* --- persist_map.c: what the kernel calls persistent memory ---------------------------------- */

/* Is all of [addr, addr + len) mapped so that a flush of the CPU's caches makes it durable? */
bool fmi_map_is_pmem(const void *addr, size_t len);
/* The same, of a text like that of /proc/self/smaps. */
bool fmi_map_is_pmem_in(FILE *smaps, uint64_t addr, uint64_t len);

/* --- persist_pmem.c: the only file that knows libpmem ------------------------------------- */

/* Functions of libpmem, by its own names without "pmem_". */
struct fmi_pmem {
	int (*is_pmem)(const void *addr, size_t len);
	void (*flush)(const void *addr, size_t len);
	void (*drain)(void);
};

/* Load libpmem, for as long as the process is. FM_ERR_UNSUPPORTED, with the loader's reason. Any thread. */
int fmi_pmem_load(struct fmi_pmem *pmem, struct fm_error *err);
/* Does libpmem call it persistent memory? Its word alone is not enough: see persist_map.c. False without it. */
bool fmi_pmem_is(const void *addr, size_t len);
/* Flush the spans and wait for all of them. Only where fmi_map_is_pmem() said so. */
void fmi_pmem_flush(const struct fmi_pmem *pmem, const uint8_t *base,
		    const struct fm_persist_span *spans, size_t count);

/* --- persist_file.c: files and the page cache --------------------------------------------- */

/*
 * What a sync of the shared file under the block promises, and how long the file is now (0: not
 * known, the host's own seam). FM_ERR_IO.
 */
int fmi_file_promise(const struct fm_block *block, struct fmi_promise *promise, uint64_t *size,
		     struct fm_error *err);
/* May the block's file be on persistent memory without a page cache? Also where it cannot be asked. */
bool fmi_file_may_be_dax(const struct fm_block *block);
/* FM_ERR_SIZE when the file is shorter than `size` bytes; FM_ERR_IO. */
int fmi_file_check_size(const struct fm_block *block, uint64_t size, struct fm_error *err);
/* fmi_persist_make_room() of a shared file. */
int fmi_file_make_room(const struct fm_block *block, uint64_t off, uint64_t len, bool write,
		       struct fm_error *err);
/*
 * Make every page of the block that is in memory dirty, without changing its contents and without
 * racing those who do. *bytes grows by what was made dirty, also on failure. FM_ERR_NOSPACE,
 * FM_ERR_IO, FM_ERR_UNSUPPORTED.
 */
int fmi_file_rewrite(const struct fm_block *block, uint64_t *bytes, struct fm_error *err);

/* --- persist_extent.c --------------------------------------------------------------------- */

/*
 * After fmi_file_rewrite() and a successful sync: are the pages in memory in space that the file
 * system calls written? FM_ERR_IO when not; 0 also where it cannot be asked. A page that came into
 * memory since may be taken for one that was lost; the next rewrite ends that.
 */
int fmi_file_verify(const struct fm_block *block, struct fm_error *err);

#endif
