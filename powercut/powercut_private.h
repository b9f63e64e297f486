/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * powercut_private: record.c is the seam that records steps; disk.c plays steps on a disk that knows
 * what is durable and what is not; explore.c chooses what of the latter a cut leaves.
 */
#ifndef FIRMEM_POWERCUT_PRIVATE_H
#define FIRMEM_POWERCUT_PRIVATE_H

#include <firmem/powercut.h>

#define FMI_SECTOR 512u
#define FMI_FILES 16u /* that a record may have made, removed ones too */

enum fmi_step_kind {
	FMI_STEP_WRITE, /* data at off */
	FMI_STEP_SIZE, /* the file is `off` bytes long; what is behind that is zero if it comes back */
	FMI_STEP_SYNC,     /* [off, off + len) and the size are durable */
	FMI_STEP_LINK,     /* `path` is the file */
	FMI_STEP_RENAME,   /* `path` was the file, `to` is */
	FMI_STEP_UNLINK,   /* `path` is no file */
	FMI_STEP_SYNC_DIR, /* the names in the folder of `path` are durable */
};

struct fmi_step {
	enum fmi_step_kind kind;
	unsigned file;
	uint64_t off;
	uint64_t len;
	uint8_t *data;
	char *path;
	char *to;
};

struct fmi_name {
	char *path;
	unsigned file;
};

/* A file as programs see it. */
struct fmi_live {
	struct fm_powercut *pc;
	uint8_t *bytes; /* room for file_max; mappings point here */
	uint8_t *seen;  /* what the record has */
	uint64_t len;
	unsigned maps;
};

struct fm_powercut {
	struct fm_powercut_config cfg;
	struct fm_io io;
	struct fmi_live file[FMI_FILES];
	unsigned files;
	struct fmi_name name[FMI_FILES];
	unsigned names;
	struct fmi_step *step;
	uint64_t steps;
	uint64_t room;
	uint64_t syncs;
	uint64_t durable; /* steps that fm_powercut_put() made */
	bool broken;
};

/* --- disk ---------------------------------------------------------------------------------- */

/* A part of a step that is not durable yet. */
struct fmi_part {
	const struct fmi_step *step;
	uint64_t off;
	uint64_t len; /* 0: a change of size */
};

struct fmi_disk_file {
	uint8_t *base; /* durable; zeros behind its length */
	uint64_t base_len;
	struct fmi_part *part; /* in order */
	size_t parts;
	size_t room;
};

struct fmi_disk {
	uint64_t file_max;
	struct fmi_disk_file file[FMI_FILES];
	struct fmi_name name[FMI_FILES]; /* durable; the paths are steps' */
	unsigned names;
	const struct fmi_step *dirop[FMI_FILES]; /* not durable, in order */
	unsigned dirops;
};

/* All functions: false when memory is out. */
bool fmi_disk_play(struct fmi_disk *d, const struct fmi_step *step);
void fmi_disk_exit(struct fmi_disk *d);

/*
 * The choices that a cut has. Each has versions 0 to count: a piece of a file after so many of the
 * parts that touch it, the file's length after so many changes of it, a change of a name or not.
 */
struct fmi_choice {
	unsigned file;
	uint64_t off; /* of a piece; UINT64_MAX: the length */
	unsigned count;
	int dirop; /* -1: not one */
};

struct fmi_choices {
	struct fmi_choice *choice;
	size_t count;
	size_t room;
};

bool fmi_disk_choices(const struct fmi_disk *d, unsigned piece, struct fmi_choices *out);
/* The files that are left with version[i] of choice i. */
int fmi_disk_make(const struct fmi_disk *d, unsigned piece, const struct fmi_choices *choices,
		  const unsigned *version, struct fm_powercut **out, struct fm_error *err);

#endif
