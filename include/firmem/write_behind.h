/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * write_behind: memory that persists in an image file, through a journal beside it. Who changes the
 * memory says so, and waits for no disk. Killing the process loses nothing of what was said; after a
 * crash of the host the image and the journal together hold what the memory held at some moment, no
 * longer before the crash than the interval. docs/write-behind.md has the contract and the
 * journal's layout.
 *
 * Flash banks with an image have one of these (fm_flash_image()); it serves any memory as well.
 */
#ifndef FIRMEM_WRITE_BEHIND_H
#define FIRMEM_WRITE_BEHIND_H

#include <firmem/base.h>
#include <firmem/io.h>
#include <firmem/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_dev;
struct fm_write_behind;

enum fm_write_mode {
	/* Kill-proof at once, in the journal within the interval, in the image when idle. */
	FM_WRITE_BEHIND = 0,
	/* Each change is durable in the journal when the call that told it returns. */
	FM_WRITE_THROUGH,
	/* Nothing is ever written: the image is read, and changes end with the process. */
	FM_WRITE_NONE,
};

struct fm_write_behind_config {
	size_t struct_size; /* sizeof(struct fm_write_behind_config) */
	const char *name;   /* whose image it is, for messages; NULL = "image" */
	uint8_t *array;     /* the memory; borrowed; the image is read into it */
	uint64_t len;       /* bytes of it and of the image */
	const char *image;
	bool use_image_fd; /* `image_fd` instead of `image` */
	int image_fd;      /* duplicated; the caller keeps its own */
	bool create;    /* make the image, all FF, when it is absent; never over an existing file */
	bool read_only; /* the image is only read; there are no changes to be told */
	enum fm_write_mode mode;
	uint64_t interval_ns; /* from a change to its commit; 0 = 10 ms */
	/*
	 * The journal's file; NULL = the image's name without symbolic links, with ".journal". It is
	 * made when absent, and removed when all is in the image. An image that is a descriptor
	 * needs one, unless nothing is written.
	 */
	const char *journal;
	bool use_journal_fd; /* `journal_fd` instead: an empty file, or a journal */
	int journal_fd;      /* duplicated; emptied, not removed, when all is in the image */
	/* Bytes of records that a new journal has room for: 16 KiB to 1 GiB; 0 = 2 MiB. */
	uint64_t journal_len;
	struct fm_worker
		*worker; /* borrowed, outlives this; NULL = one of its own, with a thread */
	/* Touch no file yet: the array is what counts, until fm_write_behind_take_over(). */
	bool deferred;
	struct fm_dev *dev;     /* whose fm_dev_error() and descriptor tell failures; may be NULL */
	const struct fm_io *io; /* NULL = fm_io_posix() */
};

/* What was found in a journal when an image was opened. */
struct fm_recovery {
	bool found;          /* there was a journal */
	bool clean;          /* it had nothing that the image lacks */
	uint64_t generation; /* of its header */
	uint64_t records;    /* that were taken from it */
	uint64_t bytes;      /* of the image that they changed */
	const char *stopped; /* why it took no more; static text; NULL where nothing was found */
};

/*
 * Open, lock and read an image, with what a journal has in addition; a writer then writes that to
 * the image, and starts a journal anew. Errors name file and field: FM_ERR_ARG; FM_ERR_SIZE (the image
 * or the journal's image has another length); FM_ERR_LOCKED (another opener, QEMU included; who it
 * is, where the host tells); FM_ERR_FORMAT, FM_ERR_VERSION (not a journal, or damaged);
 * FM_ERR_CHECKSUM (the journal has changes for another image, or somebody changed this one since:
 * both are named); FM_ERR_ACCESS, FM_ERR_NOT_FOUND, FM_ERR_NOSPACE, FM_ERR_UNSUPPORTED (the seam cannot map),
 * FM_ERR_IO, FM_ERR_NOMEM. No file was changed then, and a new one is gone again, but the array may
 * hold part of the image. Blocks; allocates.
 */
FM_API int fm_write_behind_open(struct fm_write_behind **out,
				const struct fm_write_behind_config *cfg, struct fm_error *err);
/*
 * Write everything to the image, remove the journal, unlock and free. What cannot be written stays in
 * the journal, for the next opener; flush first to hear of it. NULL is fine. Blocks.
 */
FM_API void fm_write_behind_close(struct fm_write_behind *wb);

/*
 * [off, off + len) of the array has changed, or, erase, is all FF now. One call is one operation: it
 * survives whole or not at all (unless it is longer than half of the journal). Returns 0 or
 * FM_EFF_IOERR: the journal could not take it, and only the array has it until a flush succeeds. One
 * thread at a time. Makes no system call but to wake a sleeping worker; waits for the disk only in
 * mode through, and where the journal is full. Outside the array: FM_EFF_FAULT, nothing happens.
 */
FM_API unsigned fm_write_behind_store(struct fm_write_behind *wb, uint64_t off, uint64_t len);
FM_API unsigned fm_write_behind_erase(struct fm_write_behind *wb, uint64_t off, uint64_t len);
/* The array may differ anywhere from what was told: the next flush looks for it. As store. */
FM_API void fm_write_behind_stale(struct fm_write_behind *wb);

/*
 * Make durable what was told: in the journal (commit), or in the image as well (flush). A commit of what
 * only the array has (below) is a flush. A flush that returns 0 ends a sticky error. After
 * fm_write_behind_stale(), and after changes that the journal could not take, a crash during a flush
 * may leave a part of the difference. FM_ERR_IO, FM_ERR_NOSPACE ...: the first error; everything
 * stays in memory, and the next flush writes it again. The thread that stores. Blocks.
 */
FM_API int fm_write_behind_commit(struct fm_write_behind *wb, struct fm_error *err);
FM_API int fm_write_behind_flush(struct fm_write_behind *wb, struct fm_error *err);
/*
 * Flush, and overwrite what the journal still holds of earlier contents, which is until its ring comes
 * round: with zeros, durably. After that neither file has a byte that the array does not have. Errors as
 * flush; FM_ERR_BUSY (somebody stores meanwhile): to be called again. The thread that stores. Blocks.
 */
FM_API int fm_write_behind_scrub(struct fm_write_behind *wb, struct fm_error *err);
/* Where the worker is a pumped one: do its work for this image. Else nothing. May block. */
FM_API void fm_write_behind_pump(struct fm_write_behind *wb);

/*
 * For a migration on shared storage: flush, remove the journal, let go of the locks; another process
 * may open the image now. Later changes stay in the array. On failure nothing was handed over.
 * FM_ERR_STATE (handed over already, or nothing is written in this mode), or as flush. Blocks.
 */
FM_API int fm_write_behind_hand_over(struct fm_write_behind *wb, struct fm_error *err);
/*
 * Open and lock the image again, or at last (`deferred`), and make it what the array holds. Errors
 * as of fm_write_behind_open() and flush, FM_ERR_STATE (not handed over): it stays handed over. Blocks.
 */
FM_API int fm_write_behind_take_over(struct fm_write_behind *wb, struct fm_error *err);

/* The sticky error, 0 when there is none; it stays until a flush succeeds. Any thread. */
FM_API int fm_write_behind_error(struct fm_write_behind *wb, struct fm_error *err);

/* Counts since it was opened. */
struct fm_write_behind_stats {
	uint64_t told;        /* operations */
	uint64_t records;     /* that they became */
	uint64_t commits;     /* of the journal that had something to commit */
	uint64_t applies;     /* to the image */
	uint64_t host_calls;  /* writes, syncs, reads of files; failed ones too */
	uint64_t host_writes; /* writes to the image, failed ones too */
	uint64_t image_bytes; /* written to the image */
	uint64_t host_bytes;  /* the same and what the journal's syncs covered, in whole pages */
	uint64_t waits;       /* operations that found the journal full */
	uint64_t wait_ns;     /* and how long they waited */
	uint64_t pending;     /* bytes of the journal that the image does not have yet */
	uint64_t journal_len; /* how many there can be */
};
/* Any thread. */
FM_API void fm_write_behind_stats(struct fm_write_behind *wb, struct fm_write_behind_stats *out);
/* What the opening found. Any thread. */
FM_API void fm_write_behind_recovery(const struct fm_write_behind *wb, struct fm_recovery *out);

/*
 * The journal's path, or words for a descriptor; NULL: there is none now. Borrowed, until the image
 * is handed over or closed. As store.
 */
FM_API const char *fm_write_behind_journal(const struct fm_write_behind *wb);

/*
 * Bring an image to what it and its journal hold together, and remove the journal. `journal` NULL: as
 * in the config. `io` NULL: fm_io_posix(). `check`: say only what would be done, and change nothing.
 * Errors as of fm_write_behind_open(). Blocks; allocates as much as the image is long.
 */
FM_API int fm_write_behind_recover(const struct fm_io *io, const char *image, const char *journal,
				   bool check, struct fm_recovery *out, struct fm_error *err);

/* "behind", "through", "none"; NULL for anything else. Any thread. */
FM_API const char *fm_write_mode_name(enum fm_write_mode mode);

#ifdef __cplusplus
}
#endif

#endif
