/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * behind_private: what the files of write-behind share. write_behind.c is told of changes and says
 * when what is done; open.c, recovery included, and checkpoint.c do it; image_file.c and
 * journal_file.c are the two files, journal.c and journal_append.c the journal's bytes.
 */
#ifndef FIRMEM_FLASH_BEHIND_PRIVATE_H
#define FIRMEM_FLASH_BEHIND_PRIVATE_H

#include <firmem/write_behind.h>

#include "flash/journal.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- the image's file ------------------------------------------------------------------------ */

struct fmi_image_file {
	const struct fm_io *io;
	struct fm_file *file; /* NULL: not open */
	char *path;           /* for messages, where there is none too */
	bool made;            /* by us, just now */
};

/*
 * Open, lock, check the size, and read into the array, or make it of FF. On failure a new file is
 * gone again and nothing is open.
 */
int fmi_image_file_open(struct fmi_image_file *f, const struct fm_write_behind_config *cfg,
			bool writer, struct fm_error *err);
/* Take back a file that was made. */
void fmi_image_file_forget(struct fmi_image_file *f);
void fmi_image_file_close(struct fmi_image_file *f);
/* Device and inode; zeros where the seam does not tell. */
void fmi_image_file_identity(const struct fmi_image_file *f, struct fmi_image_identity *id);
/*
 * Lock byte 201 of an image or a journal, as QEMU's users of an image do who want no other writer;
 * `qemu`: and nobody holds its bytes 100 to 103.
 */
int fmi_lock_file(const struct fm_io *io, struct fm_file *file, const char *path, bool writer,
		  bool qemu, struct fm_error *err);

/* --- the journal's file ------------------------------------------------------------------------ */

struct fmi_journal_file {
	const struct fm_io *io;
	struct fm_file *file; /* NULL: there is none */
	char *path;           /* for messages too */
	bool named;           /* `path` is its name */
	uint8_t *map;         /* the whole file, shared; NULL: not mapped */
	size_t map_len;
	size_t page;                      /* bytes that are synced at least */
	struct fmi_journal_header header; /* the one that counts and is durable */
	unsigned slot;                    /* where the next header goes */
};

/* Open and lock it if it is there. 0 with f->file NULL: there is none. */
int fmi_journal_file_open(struct fmi_journal_file *f, const struct fm_write_behind_config *cfg,
			  const char *image_path, bool writer, struct fm_error *err);
/*
 * Check it and read its ring into *ring, malloc'd; f->header is what counts. *ring NULL: it is
 * empty, as never used.
 */
int fmi_journal_file_load(struct fmi_journal_file *f, uint8_t **ring, struct fm_error *err);
/* Make it, or give an empty one its contents: zeros, then that header. Durable with its name. */
int fmi_journal_file_make(struct fmi_journal_file *f, const struct fmi_journal_header *h,
			  struct fm_error *err);
int fmi_journal_file_map(struct fmi_journal_file *f, struct fm_error *err);
/*
 * Write a header, of the next generation, and sync it. After a failure the same slot is written
 * the next time, the other one stays.
 */
int fmi_journal_file_put(struct fmi_journal_file *f, const struct fmi_journal_header *h,
			 struct fm_error *err);
/* Sync the records of [from, to). *bytes: how many whole pages had. */
int fmi_journal_file_sync(struct fmi_journal_file *f, uint64_t from, uint64_t to, uint64_t *bytes,
			  struct fm_error *err);
/* `done`: all is in the image, it is not needed any more. */
void fmi_journal_file_close(struct fmi_journal_file *f, bool done);

/* --- the whole ------------------------------------------------------------------------------- */

struct fm_write_behind {
	struct fm_write_behind_config cfg; /* its texts are ours */
	struct fm_worker *worker;
	struct fm_worker *own_worker;
	struct fm_worker_job job;
	struct fm_recovery recovery;
	bool live; /* the files are open for writing; the thread that stores */
	struct fmi_crc32_tables crc;

	pthread_mutex_t io; /* held while files are used; before `lock` */
	struct fmi_image_file image;
	struct fmi_journal_file journal;
	struct fmi_journal_place committed; /* durable in the journal */
	bool suspect;                       /* a sync of the journal failed */
	bool suspect_image;                 /* the same of the image, maybe before our time */
	uint64_t digest;                    /* of the image with what is before the tail */
	uint64_t *pieces;                   /* of which it is the sum */
	uint64_t *next_pieces;              /* the same but during a checkpoint */
	uint8_t *window;                    /* a part of the image that is being made */
	uint8_t *marks;                     /* which bytes of it are records' */
	uint8_t *old;                       /* what the image has there */
	uint8_t *touched;                   /* a byte a window of the image */
	bool ticking;                       /* the job is due again and again */
	unsigned quiet;                     /* ticks in which nothing was told */

	/*
	 * Of what follows. The thread that tells of changes does most of it without: it is `inside`
	 * meanwhile, and others, with the lock, wait outside until it is not. See fmi_behind_lock().
	 */
	pthread_mutex_t lock;
	atomic_bool inside;
	atomic_bool outside;
	struct fmi_journal_writer writer;
	struct fmi_journal_place tail;
	bool busy;  /* the worker knows that there is something */
	bool stale; /* the array is ahead of what was told, or of what could be written down */
	bool lost;  /* the latter */
	struct fm_write_behind_stats told; /* operations, records, waits */

	pthread_mutex_t count; /* of what follows; last */
	struct fm_error error;
	struct fm_write_behind_stats stats; /* the host's side of them */
};

/* Bytes of a window. */
#define FMI_WINDOW_LEN 65536u

/* Open the files for writing, recover, and be ready to be told. Nothing stays open on failure. */
int fmi_behind_start(struct fm_write_behind *wb, struct fm_error *err);
/* Close them. `done`: all is in the image. */
void fmi_behind_stop(struct fm_write_behind *wb, bool done);
/* Read an image, and what its journal has in addition. Changes nothing. */
int fmi_behind_read(struct fm_write_behind *wb, struct fm_error *err);

/* With `io` held. All of the journal durable; all of the journal in the image. */
int fmi_behind_commit(struct fm_write_behind *wb, struct fm_error *err);
int fmi_behind_checkpoint(struct fm_write_behind *wb, struct fm_error *err);
/* Nothing is pending: zeros, durably, over the records that there were. */
int fmi_behind_scrub(struct fm_write_behind *wb, struct fm_error *err);
/* Write the records from `from` to `to` in `ring` to the image, and sync it. */
int fmi_behind_write_image(struct fm_write_behind *wb, const uint8_t *ring,
			   struct fmi_journal_place from, struct fmi_journal_place to,
			   struct fm_error *err);
/* Put the same records into the array. */
void fmi_behind_overlay(struct fm_write_behind *wb, const struct fmi_journal_header *h,
			const uint8_t *ring, struct fmi_journal_place from,
			struct fmi_journal_place to);
/*
 * With `lock`: the journal takes an operation (`data` NULL: an erase), or it has no room. *wake: the
 * worker does not know yet that there is something.
 */
bool fmi_behind_take(struct fm_write_behind *wb, uint64_t off, const uint8_t *data, uint64_t len,
		     bool *wake);
/* The image has all that was told: now what was not. With `io` held. */
int fmi_behind_difference(struct fm_write_behind *wb, struct fm_error *err);
/* From now on changes are told and the worker knows the job. */
void fmi_behind_begin(struct fm_write_behind *wb);
/*
 * For others than the thread that tells: the lock, and that thread is not inside and comes to the
 * lock before it goes in again. It pays no barrier for that; this does, with a system call.
 */
void fmi_behind_lock(struct fm_write_behind *wb);
void fmi_behind_unlock(struct fm_write_behind *wb);
/* Count what the host did. */
void fmi_behind_count(struct fm_write_behind *wb, const struct fm_write_behind_stats *more);

#endif
