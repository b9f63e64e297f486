/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal: the format of a journal, over bytes in memory. docs/write-behind.md has its layout. A file
 * is two header slots and a ring of records; a position counts the bytes that ever went through the
 * ring, and lies in it at position % length.
 */
#ifndef FIRMEM_FLASH_JOURNAL_H
#define FIRMEM_FLASH_JOURNAL_H

#include "devices/crc32.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FMI_JOURNAL_SLOT_LEN 4096u
#define FMI_JOURNAL_RING_OFF (2 * FMI_JOURNAL_SLOT_LEN)
#define FMI_JOURNAL_HEADER_LEN 128u
#define FMI_JOURNAL_RECORD_LEN 32u /* of a record's head */
#define FMI_JOURNAL_ROOM_MIN 40u   /* fewer bytes at the end of the ring stay unused */
#define FMI_JOURNAL_SALT_LEN 16u
#define FMI_JOURNAL_RING_MIN (UINT64_C(16) << 10)
#define FMI_JOURNAL_RING_MAX (UINT64_C(1) << 30)

/* --- the header ---------------------------------------------------------------------------- */

/* A place between two records, with what the next record's checksum goes on from. */
struct fmi_journal_place {
	uint64_t pos;
	uint64_t seq; /* of the record that begins here */
	uint32_t chain;
};

/* Which image a journal is of. */
struct fmi_image_identity {
	uint64_t len;
	uint64_t digest; /* fmi_digest_*() of its bytes */
	uint64_t dev;    /* for messages only */
	uint64_t ino;
};

struct fmi_journal_header {
	uint8_t salt[FMI_JOURNAL_SALT_LEN];
	uint64_t generation;
	uint64_t ring_len;
	struct fmi_journal_place tail; /* the first record that is not known to be in the image */
	/*
	 * The image may hold any part of the records before this one: its digest is the one that it
	 * has with all of them. tail.seq: none of them, the digest is the image's.
	 */
	uint64_t target_seq;
	struct fmi_image_identity image;
};

enum fmi_header_verdict {
	FMI_HEADER_GOOD = 0,
	FMI_HEADER_BLANK,    /* all zero */
	FMI_HEADER_FOREIGN,  /* another magic */
	FMI_HEADER_VERSION,  /* another version */
	FMI_HEADER_CHECKSUM, /* damaged */
	FMI_HEADER_FIELD,    /* its checksum is right, and a field is impossible */
};

void fmi_journal_encode(const struct fmi_journal_header *h, uint8_t out[FMI_JOURNAL_HEADER_LEN]);
/* *out is filled if the header is good. */
enum fmi_header_verdict fmi_journal_decode(const uint8_t bytes[FMI_JOURNAL_HEADER_LEN],
					   struct fmi_journal_header *out);
/* The slot whose header counts, 0 or 1, or -1; of each slot what is wrong with it. */
int fmi_journal_choose(const uint8_t slots[FMI_JOURNAL_RING_OFF], struct fmi_journal_header *out,
		       enum fmi_header_verdict verdict[2]);
/* What the first record of a ring that begins anew goes on from. */
uint32_t fmi_journal_first_chain(const struct fmi_journal_header *h);
const char *fmi_header_verdict_text(enum fmi_header_verdict verdict);

/* --- reading records ------------------------------------------------------------------------ */

enum fmi_record_type {
	FMI_RECORD_STORE = 1, /* bytes of the image */
	FMI_RECORD_ERASE = 2, /* bytes of the image become FF */
};

struct fmi_record {
	enum fmi_record_type type;
	bool more;           /* the next record belongs to the same operation */
	uint64_t off;        /* in the image */
	uint64_t len;        /* bytes that change */
	const uint8_t *data; /* in the ring; NULL for ERASE */
};

/* Why there is no further record. */
enum fmi_record_end {
	FMI_END_NONE = 0,   /* there is one */
	FMI_END_UNUSED,     /* nothing was written there since the ring came by */
	FMI_END_CHECKSUM,   /* one was begun there, and is not whole */
	FMI_END_FIELD,      /* whole, and impossible: not made by this library */
	FMI_END_FULL,       /* the ring has been read once round */
	FMI_END_INCOMPLETE, /* the last operation lacks records */
};

struct fmi_journal_reader {
	const uint8_t *ring;
	uint64_t ring_len;
	uint64_t image_len;
	uint64_t begin; /* position at which reading began */
	bool trusted;   /* checksums need not be computed again */
	struct fmi_journal_place at;
	enum fmi_record_end end;
};

/* The next record; false at the end, with r->end. Reads inside the ring whatever it holds. */
bool fmi_journal_next(struct fmi_journal_reader *r, struct fmi_record *out);
const char *fmi_record_end_text(enum fmi_record_end end);

struct fmi_journal_scan {
	struct fmi_journal_place end; /* behind the last whole operation */
	enum fmi_record_end why;
	uint64_t records; /* before it */
	uint64_t bytes;   /* of the image that they change */
};

/* How far the records from h->tail on are good. */
void fmi_journal_scan(const struct fmi_journal_header *h, const uint8_t *ring,
		      struct fmi_journal_scan *out);

/* --- writing records ------------------------------------------------------------------------ */

/*
 * Writes each byte twice: to `map`, the file's memory, and to `copy`, ours, which is what is read
 * again: after a failed sync the kernel may give the file's old bytes back.
 */
struct fmi_journal_writer {
	uint8_t *map;
	uint8_t *copy;
	uint64_t ring_len;
	const struct fmi_crc32_tables *crc;
	struct fmi_journal_place head; /* where the next record goes */
	/* The last record, while it may grow. */
	bool open;
	struct fmi_journal_place last;
	uint64_t last_at;   /* where it is in the ring: no division on the usual path */
	uint64_t last_room; /* from there to the ring's end */
	uint64_t last_off;
	uint32_t last_len;
};

/*
 * Add an operation whose records do not reach `limit` (the tail's position and the ring's length):
 * false and nothing is written when they would. It is there, for whoever reads the file's memory,
 * entirely or not at all. `data` NULL: an erase.
 */
bool fmi_journal_append(struct fmi_journal_writer *w, uint64_t limit, uint64_t off,
			const uint8_t *data, uint64_t len);
/* The most bytes that an operation may have and be sure to fit an empty ring. */
uint64_t fmi_journal_most(uint64_t ring_len);
/* Write the bytes of [from, to) to the file's memory again. */
void fmi_journal_rewrite(const struct fmi_journal_writer *w, uint64_t from, uint64_t to);

/* --- the digest of an image ------------------------------------------------------------------- */

#define FMI_DIGEST_PIECE 4096u

/* Of piece `number`, of `len` bytes (FMI_DIGEST_PIECE but at the image's end). */
uint64_t fmi_digest_piece(uint64_t number, const uint8_t *bytes, size_t len);
/* An image's digest is the sum of its pieces'. `pieces`: NULL, or room for each of them. */
uint64_t fmi_digest_image(const uint8_t *bytes, uint64_t len, uint64_t *pieces);

#endif
