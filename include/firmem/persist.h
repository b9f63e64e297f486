/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * persist: what the contents of a block outlive, said truthfully, and flushes that are as durable
 * as that. From libfirmem-nvdimm; the kernel tells persistent memory from page cache.
 *
 * Three ways to flush, chosen once, by what the block is: on persistent memory the CPU's caches are
 * flushed (pmem_persist); a shared file is synced through the block's I/O seam (msync); everything
 * else has nowhere to go, and a flush of it is a success that promises nothing.
 */
#ifndef FIRMEM_PERSIST_H
#define FIRMEM_PERSIST_H

#include <firmem/base.h>
#include <firmem/block.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What stores outlive after a flush of them returned 0. Each level includes those below it. It is
 * what is sure: where the library cannot see further, it says the lower one.
 */
enum fm_persistence {
	FM_PERSIST_NONE = 0, /* nothing: they go with the process (or the last that shares them) */
	FM_PERSIST_PROCESS,  /* the end of every process; not of the host: tmpfs, unknown places */
	FM_PERSIST_HOST,     /* a crash of the host: another one has them (network file systems) */
	FM_PERSIST_POWER,    /* a power cut, if the storage keeps its word about write caches */
	FM_PERSIST_COUNT
};

/* A run of bytes of a block. */
struct fm_persist_span {
	uint64_t off;
	uint64_t len;
};

/* A block seen as something to make durable. */
struct fm_persist;

/*
 * Find out what the block is. It is borrowed and outlives *out, which is the caller's, to
 * fm_persist_close(). One object for each block, and no other syncs of it (fm_block_sync(), a
 * second object over a descriptor that was duplicated): the kernel reports a failed write once for
 * each open file, to whoever asks first. FM_ERR_NOMEM, FM_ERR_IO (the file cannot be asked),
 * FM_ERR_UNSUPPORTED (persistent memory that may be written, and libpmem cannot be loaded). Any
 * thread; blocks; allocates.
 */
FM_API int fm_persist_open(struct fm_persist **out, struct fm_block *block, struct fm_error *err);
/* Does not flush. NULL is fine. */
FM_API void fm_persist_close(struct fm_persist *persist);

/*
 * The level, and why it is no higher, in words ("tmpfs: in the host's memory"). As found by
 * fm_persist_open(); constant. Never NULL. Any thread.
 */
FM_API enum fm_persistence fm_persist_level(const struct fm_persist *persist);
FM_API const char *fm_persist_reason(const struct fm_persist *persist);

/* "none", "process", "host", "power"; never NULL. */
FM_API const char *fm_persistence_name(enum fm_persistence level);

/*
 * Flush: stores to [off, off + len) that happened before the call outlive what fm_persist_level()
 * says when it returns 0. Any alignment; whole pages are written. Callers at the same time wait for
 * one another.
 *
 * A failure sticks. Linux marks pages clean also when writing them failed, and reports the failure
 * of any page of the file to the next sync, whatever its range; a bare retry would lie. So after a
 * failed sync every page of the block that is in memory is made dirty again, at once and before the
 * next attempt, and the next call that returns 0, whatever its range, has synced the whole block and
 * found its pages in space that the file system calls written (where it can be asked).
 * What cannot be known: a page that the kernel dropped between the failed write and that moment
 * has its old contents, here as in the file. fm_persist_get_stats() counts failures, so that a host can
 * count such a flush as lost.
 *
 * FM_ERR_RANGE; FM_ERR_IO, FM_ERR_NOSPACE (the sync failed, or repaired nothing); FM_ERR_SIZE (the
 * file was cut short under us: what was beyond its end is lost, accesses there raise SIGBUS, and no
 * flush of this object succeeds any more); FM_ERR_UNSUPPORTED (after a failure, on a host older than
 * Linux 5.14: pages cannot be made dirty without racing the guest). Any thread; blocks unless the
 * block is persistent memory; does not allocate.
 */
FM_API int fm_persist_range(struct fm_persist *persist, uint64_t off, uint64_t len,
			    struct fm_error *err);

/*
 * The same for many spans, in any order, also overlapping, with one sync (fm_block_sync_runs(): writing all
 * is started first) or one fence. All are checked first: on FM_ERR_RANGE nothing was flushed.
 */
FM_API int fm_persist_ranges(struct fm_persist *persist, const struct fm_persist_span *spans,
			     size_t count, struct fm_error *err);

/* 0, or the failure that sticks, with *err filled: the first since the last success. Any thread. */
FM_API int fm_persist_error(struct fm_persist *persist, struct fm_error *err);

/* Since fm_persist_open(). */
struct fm_persist_stats {
	uint64_t syncs;     /* syncs of a file, or fences on persistent memory, that were made */
	uint64_t failures;  /* flushes that did not return 0, other than FM_ERR_RANGE */
	uint64_t rewritten; /* bytes made dirty again after failures */
};
/* Any thread. */
FM_API void fm_persist_get_stats(struct fm_persist *persist, struct fm_persist_stats *out);

#ifdef __cplusplus
}
#endif

#endif
