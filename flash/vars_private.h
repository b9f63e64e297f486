/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vars_private: what the files of the variable store share. A parse goes vars_layout.c (where is what)
 * -> vars_record.c (the records) -> vars_ftw.c (the reclaim under way) -> vars_check.c (what is wrong).
 * The names of edk2's structures and fields are those of its headers.
 */
#ifndef FIRMEM_VARS_PRIVATE_H
#define FIRMEM_VARS_PRIVATE_H

#include <firmem/vars.h>

#define FMI_VARS_PAGE 4096u       /* headers of volumes and working blocks begin at one */
#define FMI_VARS_WORK_LEN 32u     /* EFI_FAULT_TOLERANT_WORKING_BLOCK_HEADER */
#define FMI_VARS_HEADER_AUTH 60u  /* AUTHENTICATED_VARIABLE_HEADER */
#define FMI_VARS_HEADER_PLAIN 32u /* VARIABLE_HEADER */
#define FMI_VARS_START_ID 0x55aau

/* Bits of a record's state only go from 1 to 0. */
#define FMI_VARS_STATE_HEADER 0x7fu  /* VAR_HEADER_VALID_ONLY */
#define FMI_VARS_STATE_ADDED 0x3fu   /* VAR_ADDED */
#define FMI_VARS_STATE_OLD 0x3eu     /* VAR_ADDED & VAR_IN_DELETED_TRANSITION */
#define FMI_VARS_STATE_GONE 0x3cu    /* the same & VAR_DELETED */
#define FMI_VARS_STATE_DELETED 0x3du /* VAR_ADDED & VAR_DELETED */

struct fmi_bytes {
	const uint8_t *p;
	uint64_t len;
};

/* A firmware volume with a store in it, by its headers. */
struct fmi_vars_volume {
	uint64_t off;
	uint64_t len; /* as the header says */
	uint64_t block_len;
	uint32_t header_len;
	bool ok;       /* the volume's header; what is above is valid */
	bool store_ok; /* the store's header; what is below is valid */
	bool authenticated;
	uint64_t records; /* the first record's header */
	uint64_t end;     /* of the records' room */
	char why[120];    /* what is wrong with the first header that is not ok */
};

struct fmi_vars_rec {
	struct fm_vars_record r; /* first: the public part */
	uint64_t name_size;      /* as the header says, whether it counts or not */
	uint64_t data_size;
	bool past_end;
	bool bad_name;
};

enum fmi_vars_reclaim {
	FMI_VARS_NO_RECLAIM,
	FMI_VARS_BEGUN,   /* allocated, the spare area not complete */
	FMI_VARS_WRITING, /* spare complete, target not */
	FMI_VARS_WRITTEN, /* target complete, the write header not */
};

/* The fault tolerant write's working block and spare area. */
struct fmi_vars_ftw {
	bool known; /* where they are */
	bool ok;    /* the working block's header */
	uint64_t work, work_len;
	uint64_t spare, spare_len;
	enum fmi_vars_reclaim reclaim;
	uint64_t header; /* offset of the write header that is not complete */
	uint64_t record; /* of its write record that is not; 0: none */
	/* Of that record: where it writes, from the start of a block. 0 bytes: it does not say. */
	uint64_t target;
	uint64_t target_len; /* to the end of the last byte; not rounded */
};

struct fm_vars {
	struct fm_vars_info info;
	struct fmi_bytes bytes;
	struct fmi_vars_volume volume;
	struct fmi_vars_ftw ftw;
	struct fmi_vars_rec *records;
	size_t nrecords, room;
	struct fmi_vars_rec **live; /* the live records by GUID and name */
	size_t nlive;
	uint64_t walk_end; /* where the firmware's walk ends: the next record goes there, aligned */
	uint64_t dirty;    /* first byte from there that is not erased; 0: all are */
	char *names;       /* of all records */
	struct fm_vars *spare; /* what the spare area holds; NULL: no store */
	struct fm_vars_finding *findings;
	size_t nfindings, findings_room;
};

/* --- layout ---------------------------------------------------------------------------------- */

/*
 * Read both headers of the volume at `off`; it may take `room` bytes, and its records must end by
 * `limit` (an offset in the image).
 */
void fmi_vars_read_volume(struct fmi_bytes b, uint64_t off, uint64_t room, uint64_t limit,
			  struct fmi_vars_volume *out);
/* Where the store is; out->ok is false where nothing is one. */
void fmi_vars_locate(struct fmi_bytes b, struct fmi_vars_volume *out);
/* Does the image begin with one of the GUIDs that only the headers of a store have? */
bool fmi_vars_has_guid(struct fmi_bytes b);
enum fm_vars_layout fmi_vars_layout_of(uint64_t volume_len);
/* Of a layout: the working block's and the spare area's offsets in the volume. */
bool fmi_vars_layout_ftw(enum fm_vars_layout layout, uint64_t *work, uint64_t *spare,
			 uint64_t *len);
uint64_t fmi_vars_layout_reserve(enum fm_vars_layout layout);
/* Is all of [off, off + len), which is in the image, one byte? */
bool fmi_vars_all(struct fmi_bytes b, uint64_t off, uint64_t len, uint8_t byte);

/* --- records --------------------------------------------------------------------------------- */

/* Walk the records of v->volume as the firmware does, and find out which of them are live. */
int fmi_vars_walk(struct fm_vars *v, struct fm_error *err);
/* How many of b's live records have none of their name in a. */
size_t fmi_vars_missing(const struct fm_vars *a, const struct fm_vars *b);
/* Bytes of a record's header. */
uint32_t fmi_vars_header_len(const struct fmi_vars_volume *volume);

/* --- fault tolerant write ---------------------------------------------------------------------- */

bool fmi_vars_work_ok(struct fmi_bytes b, uint64_t off);
/* Make the 32 bytes of a working block's header. */
void fmi_vars_make_work(uint8_t *p, uint64_t work_len);
/* Fill v->ftw and, where the spare area holds one, v->spare. */
int fmi_vars_read_ftw(struct fm_vars *v, struct fm_error *err);
/* Headers and records of the spare's store are whole. */
bool fmi_vars_spare_whole(const struct fm_vars *v);

/* --- check ------------------------------------------------------------------------------------- */

/* Fill v->info and v->findings. */
int fmi_vars_check(struct fm_vars *v, struct fm_error *err);

/* --- text ---------------------------------------------------------------------------------------- */

/* UTF-16, `units` of it, as UTF-8 with a NUL: at most 3 * units + 1 bytes. Returns them. */
size_t fmi_vars_utf8(char *out, const uint8_t *utf16, size_t units);
/*
 * UTF-8 as UTF-16 with its NUL; malloc'd. FM_ERR_ARG (empty, or not UTF-8), FM_ERR_NOMEM.
 */
int fmi_vars_utf16(uint8_t **out, size_t *len, const char *utf8, struct fm_error *err);

#endif
