/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * powercut: what a host's power cut can leave of files. A seam in memory records what is done to
 * files; the enumerator then makes the disks that a cut at each moment could have left, and asks a
 * checker about each. docs/powercut.md says what is assumed of a disk.
 */
#ifndef FIRMEM_POWERCUT_H
#define FIRMEM_POWERCUT_H

#include <firmem/base.h>
#include <firmem/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Files in memory, and the record of what was done to them. One thread at a time. */
struct fm_powercut;

struct fm_powercut_config {
	size_t struct_size; /* sizeof(struct fm_powercut_config) */
	/* The n-th sync of a file, from 1, does nothing and returns 0: a checker should notice. */
	uint64_t drop_sync;
	uint64_t file_max; /* bytes that a file may grow to; 0 = 4 MiB */
};

/* No files. FM_ERR_ARG, FM_ERR_NOMEM. */
FM_API int fm_powercut_new(struct fm_powercut **out, const struct fm_powercut_config *cfg,
			   struct fm_error *err);
/* NULL is fine. Nobody uses its seam any more. */
FM_API void fm_powercut_free(struct fm_powercut *pc);

/*
 * The seam to its files; lives as long as it. No descriptors (open_fd() is -EBADF), no real
 * locks (they all succeed), one folder for each text before the last '/'.
 */
FM_API const struct fm_io *fm_powercut_io(struct fm_powercut *pc);

/* Make a file that is durable with its name. FM_ERR_EXISTS, FM_ERR_SIZE, FM_ERR_NOMEM. */
FM_API int fm_powercut_put(struct fm_powercut *pc, const char *path, const void *bytes, size_t len,
			   struct fm_error *err);
/*
 * The bytes of a file now; borrowed, until the next call of the seam. NULL: no such file. Also after
 * a fm_powercut_new() of the enumerator's.
 */
FM_API const uint8_t *fm_powercut_file(struct fm_powercut *pc, const char *path, size_t *len);

/*
 * Record what was stored to mappings since the last call of this or of the seam. Stores between two
 * calls may reach the disk in any order, but each piece of 512 bytes only as it is at a call.
 */
FM_API void fm_powercut_look(struct fm_powercut *pc);
/* How many steps were recorded: where a cut now would be. */
FM_API uint64_t fm_powercut_point(const struct fm_powercut *pc);
/* Memory ran out while something was recorded: the record is not to be used. */
FM_API bool fm_powercut_broken(const struct fm_powercut *pc);

/* A disk that a cut could have left. */
struct fm_powercut_state {
	uint64_t point;           /* steps before the cut */
	unsigned piece;           /* bytes that are written whole or not at all: 512 or 4096 */
	uint64_t number;          /* which of the states of that point and piece */
	struct fm_powercut *disk; /* its files; durable; the checker may write to them */
};

/*
 * Is the state one that may be? 0, or a code of the checker's own with *err filled: a violation.
 * Must not touch what is explored.
 */
typedef int fm_powercut_check(void *ctx, const struct fm_powercut_state *state,
			      struct fm_error *err);

struct fm_powercut_plan {
	size_t struct_size; /* sizeof(struct fm_powercut_plan) */
	uint64_t seed;      /* of the samples */
	uint64_t states;    /* about how many, at most; 0 = 10000 */
	bool stop;          /* at the first violation */
};

struct fm_powercut_report {
	uint64_t states;   /* that were checked */
	uint64_t points;   /* cuts that they belong to */
	uint64_t complete; /* of points times pieces: of which all subsets were checked */
	uint64_t violations;
	struct fm_powercut_state first; /* violation; without its disk */
	struct fm_error error;          /* the checker's about it */
};

/*
 * Make states, and check each: at every step, for pieces of 512 and of 4096 bytes, every subset of
 * what was not synced (every version of each piece, every change of a folder), where the budget
 * allows; else all old, all new, one old, one new, and samples. 0: explored, *out tells what was
 * found. FM_ERR_ARG, FM_ERR_NOMEM, FM_ERR_STATE (broken).
 */
FM_API int fm_powercut_explore(struct fm_powercut *pc, const struct fm_powercut_plan *plan,
			       fm_powercut_check *check, void *ctx, struct fm_powercut_report *out,
			       struct fm_error *err);
/*
 * Make one state again, from `point`, `piece`, `number` of a report and the seed. FM_ERR_NOT_FOUND: there is
 * none with that number; else what the checker returns.
 */
FM_API int fm_powercut_repeat(struct fm_powercut *pc, uint64_t seed,
			      const struct fm_powercut_state *which, fm_powercut_check *check,
			      void *ctx, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
