/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transcript: what a launch measurement was computed from, step by step, and where two of them part.
 * From libfirmem-measure. Every computation of sev.h, tdx.h, cca.h and igvm.h takes one to write to.
 *
 * The text form is our own: a line "firmem-transcript 1 TECHNOLOGY", a line for each step of seven words
 * (number, what, gpa, length, digest of the contents, running digest, part) and a line "end COUNT".
 */
#ifndef FIRMEM_TRANSCRIPT_H
#define FIRMEM_TRANSCRIPT_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_STEP_WHAT_MAX 24u
#define FM_STEP_PART_MAX 40u
#define FM_STEP_DIGEST_MAX 64u

/* One step: what was measured, and the digest once it was. */
struct fm_measure_step {
	char what[FM_STEP_WHAT_MAX]; /* the kind of step, one word: "normal", "vmsa", "extend" */
	char part[FM_STEP_PART_MAX]; /* of what: "firmware", "vcpu 3"; empty: nothing to say */
	uint64_t gpa;                /* guest address, UINT64_MAX: it has none */
	uint64_t len;                /* bytes of the guest that it covers */
	uint32_t contents_len;       /* bytes of contents[]; 0: its contents are not measured */
	uint32_t running_len;        /* bytes of running[]; 1 to 64 */
	uint8_t contents[FM_STEP_DIGEST_MAX];
	uint8_t running[FM_STEP_DIGEST_MAX];
};

/* A transcript. One thread at a time. */
struct fm_transcript;

/*
 * An empty one. On success *out is the caller's, to fm_transcript_free(). FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_transcript_new(struct fm_transcript **out, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_transcript_free(struct fm_transcript *transcript);

/*
 * What is computed, one word of at most 23 letters ("snp"); "none" before it is set. FM_ERR_ARG.
 */
FM_API int fm_transcript_set_technology(struct fm_transcript *transcript, const char *technology,
					struct fm_error *err);
FM_API const char *fm_transcript_technology(const struct fm_transcript *transcript);

/*
 * Append a step, which is copied. FM_ERR_ARG (`what` is empty or not one word, a length is over its
 * bound), FM_ERR_NOMEM.
 */
FM_API int fm_transcript_add(struct fm_transcript *transcript, const struct fm_measure_step *step,
			     struct fm_error *err);
FM_API size_t fm_transcript_count(const struct fm_transcript *transcript);
/* NULL behind the last. Valid until the next fm_transcript_add(). */
FM_API const struct fm_measure_step *fm_transcript_step(const struct fm_transcript *transcript,
							size_t index);

/*
 * The text form, malloc'd with a NUL behind it, to free() by the caller. `len` may be NULL.
 * FM_ERR_NOMEM.
 */
FM_API int fm_transcript_text(const struct fm_transcript *transcript, char **text, size_t *len,
			      struct fm_error *err);
/*
 * Read the text form. `name` begins the messages. FM_ERR_FORMAT with the line, FM_ERR_VERSION,
 * FM_ERR_NOMEM.
 */
FM_API int fm_transcript_parse(struct fm_transcript **out, const char *name, const void *bytes,
			       size_t len, struct fm_error *err);

/* The first step in which two transcripts part, and in what. */
struct fm_transcript_difference {
	size_t index;    /* of the step, from 0 */
	char words[400]; /* one line: what differs, and what usually makes it so */
};

/*
 * Compare step by step. 0 when they are the same, 1 when not: *out says where. `a` and `b` are
 * called "A" and "B" in words.
 */
FM_API int fm_transcript_diff(const struct fm_transcript *a, const struct fm_transcript *b,
			      struct fm_transcript_difference *out);

#ifdef __cplusplus
}
#endif

#endif
