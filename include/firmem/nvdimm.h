/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvdimm: persistent memory as a device: a block whose last bytes may be its label area. The guest sees the
 * memory before it; the label area it reaches through the functions here, by firmware calls of the host's
 * (_DSM, _LSR and _LSW). From libfirmem-nvdimm.
 */
#ifndef FIRMEM_NVDIMM_H
#define FIRMEM_NVDIMM_H

#include <firmem/base.h>
#include <firmem/device.h>
#include <firmem/persist.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_NVDIMM_LINE 64u /* bytes that a media error has at least */

/*
 * Zero in any field is its default. What the guest sees is the block without its labels, rounded down to
 * `align`: an image of QEMU's is the same (its labels are the file's last bytes).
 */
struct fm_nvdimm_config {
	size_t struct_size;     /* sizeof(struct fm_nvdimm_config) */
	const char *name;       /* NULL = the block's */
	struct fm_block *block; /* borrowed, outlives the device; any backing */
	uint64_t label_len;     /* bytes; 0 = none; else 1 KiB to 1 GiB */
	uint64_t align; /* of the memory's length: a power of two; 0 = the block's page size */
	/*
	 * Tell the guest that its stores may not survive (NFIT state flag): Linux makes the memory
	 * read-only. The device itself takes stores, as QEMU's does.
	 */
	bool unarmed;
	bool read_only; /* guest stores are dropped; wants `unarmed`; of a read-only block, must be */
	uint32_t dirty_shutdowns; /* how many there were: the host keeps the number, see health */
};

/*
 * Make the device, "nvdimm". fm_dev_flush() flushes all of it, labels too; so does every reset, which keeps
 * contents and media errors. fm_dev_sanitize() zeroes memory and labels and heals. A guest read that
 * touches a media error is FM_EFF_FAULT. FM_ERR_ARG, FM_ERR_SIZE (no memory is left), FM_ERR_NOMEM, FM_ERR_IO.
 */
FM_API int fm_nvdimm_new(struct fm_dev **out, const struct fm_nvdimm_config *cfg,
			 struct fm_error *err);

/* What it is; constant. All zero for a device that is no NVDIMM. Any thread. */
struct fm_nvdimm_info {
	struct fm_block *block;
	uint64_t pmem_len; /* bytes of the guest's memory, from the block's first */
	uint64_t label_len;
	uint64_t label_off; /* in the block */
	bool unarmed;
	bool read_only;
};
FM_API struct fm_nvdimm_info fm_nvdimm_info(const struct fm_dev *dev);

/* --- durability ---------------------------------------------------------------------------------- */

/*
 * What the guest's stores outlive once a flush returned 0, and why no more: fm_persist_level() of the block.
 * FM_PERSIST_NONE for a device that is no NVDIMM. Any thread.
 */
FM_API enum fm_persistence fm_nvdimm_persistence(const struct fm_dev *dev);
FM_API const char *fm_nvdimm_persistence_reason(const struct fm_dev *dev);

/*
 * Make spans of the guest's memory durable: the answer to a virtio-pmem request (0 or an error to the
 * guest), to a write of a flush hint page, to deep flush. Callers at the same time share: while one sync
 * runs those who come wait for the next, which is for them all, so that of any number at once two syncs are
 * made at most. A failure is every sharer's, sticks (docs/persist.md), is a pending FM_EFF_IOERR of the device
 * and shows in its health; the next call tries again, of everything.
 *
 * FM_ERR_RANGE, FM_ERR_ARG (no NVDIMM), what fm_persist_ranges() returns. Any thread, without the device's lock;
 * blocks; does not allocate.
 */
FM_API int fm_nvdimm_flush(struct fm_dev *dev, const struct fm_persist_span *spans, size_t count,
			   struct fm_error *err);
/* The same for all memory: a flush that names no range. */
FM_API int fm_nvdimm_flush_all(struct fm_dev *dev, struct fm_error *err);
/*
 * The same for what a client of the block's dirty log has: the log is harvested, at most 256 spans are flushed
 * (neighbours are joined where there are more). FM_ERR_STATE (the client is not active), FM_ERR_NOMEM.
 */
FM_API int fm_nvdimm_flush_dirty(struct fm_dev *dev, unsigned client, struct fm_error *err);

/* For SMART. */
struct fm_nvdimm_health {
	bool flush_failed; /* now: a flush failed and none succeeded since */
	bool data_lost; /* a flush failed since the device was made: what it covered may be lost */
	/*
	 * `dirty_shutdowns` of the config, and one more where data_lost: what the host keeps, and gives the
	 * device that it makes of this block the next time.
	 */
	uint32_t dirty_shutdowns;
	uint64_t syncs; /* of fm_persist_stats */
	uint64_t failures;
	size_t media_errors; /* spans */
};
/* All zero for a device that is no NVDIMM. Any thread. */
FM_API void fm_nvdimm_get_health(struct fm_dev *dev, struct fm_nvdimm_health *out);

/* --- labels -------------------------------------------------------------------------------------- */

/*
 * Read or write bytes of the label area, with the device locked. A write is durable when it returns 0, as
 * fm_nvdimm_persistence() says; the guest's own order of writes then is the order that survives.
 * FM_ERR_RANGE, FM_ERR_ACCESS (read-only), FM_ERR_ARG, what a flush returns. The write blocks.
 */
FM_API int fm_nvdimm_read_label(struct fm_dev *dev, uint64_t off, void *buf, size_t len,
				struct fm_error *err);
FM_API int fm_nvdimm_write_label(struct fm_dev *dev, uint64_t off, const void *buf, size_t len,
				 struct fm_error *err);

/* --- media errors -------------------------------------------------------------------------------- */

/*
 * Make [off, off + len), widened to lines of FM_NVDIMM_LINE, unreadable, or readable again. Contents stay. A
 * guest write that is trapped heals the lines it touches. Returns 0 or an error; the mapping has changed: pages
 * with errors trap, as after FM_EFF_REMAP. FM_ERR_RANGE, FM_ERR_ARG, FM_ERR_NOSPACE (256 spans are there).
 * With the device locked.
 */
FM_API int fm_nvdimm_poison(struct fm_dev *dev, uint64_t off, uint64_t len, struct fm_error *err);
FM_API int fm_nvdimm_heal(struct fm_dev *dev, uint64_t off, uint64_t len, struct fm_error *err);
/* The n-th unreadable span, by offset; false behind the last. With the device locked. */
FM_API bool fm_nvdimm_media_error(const struct fm_dev *dev, size_t n, struct fm_persist_span *out);

#ifdef __cplusplus
}
#endif

#endif
