/* SPDX-License-Identifier: BSD-2-Clause */
/* measure_util: what the verbs of firmem measure share: input, the answer, its transcript. */
#ifndef FIRMEM_TOOLS_MEASURE_UTIL_H
#define FIRMEM_TOOLS_MEASURE_UTIL_H

#include "tools/firmem/command.h"
#include "tools/firmem/output.h"

#include <firmem/digest.h>
#include <firmem/transcript.h>

#define MEASURE_FILE_MAX ((size_t)1 << 30) /* bytes of a kernel or initrd */

/* A file that was read whole; bytes NULL: none. */
struct measure_file {
	void *bytes;
	size_t len;
	bool mapped;
};

/*
 * As input_read(); `path` NULL is no file. Files are mapped: to read one into memory takes as long as to
 * measure it. One that is cut meanwhile ends the command with STATUS_BAD.
 */
bool measure_read(const char *path, size_t most, struct measure_file *file);
/* One without bytes is fine. */
void measure_free(struct measure_file *file);

/* The options that every verb has. */
struct measure_common {
	const char *verb; /* "measure snp" */
	bool json;
	unsigned base64; /* 1: print digests so, outside of JSON */
	const char *transcript_path;
	struct fm_transcript *transcript; /* made by measure_begin() when there is a path */
	const struct output *files;       /* that the verb writes too, the caller's */
	size_t file_count;
};

#define MEASURE_COMMON_OPTIONS(common)                                                             \
	{ "json", ARGS_FLAG, NULL, "print one JSON object", &(common)->json },                     \
	{                                                                                          \
		"transcript", ARGS_TEXT, "FILE", "write every step with its running digest there", \
			&(common)->transcript_path                                                 \
	}

bool measure_begin(struct measure_common *common);

/* A named digest, or text, of the answer. */
struct measure_value {
	const char *key;
	const uint8_t *bytes;
	size_t len;
};

/*
 * The answer: writes the verb's files and the transcript (a step for each value where there are no others), then
 * prints each digest alone on a line, or as JSON with the technology. Where a file or the transcript
 * cannot be written, or is a file that was read, none of them changes and nothing is printed.
 */
enum status measure_answer(struct measure_common *common, const char *technology,
			   const struct measure_value *values, size_t count);
/* One digest, called "digest". */
enum status measure_answer_one(struct measure_common *common, const char *technology,
			       const uint8_t *bytes, size_t len);
/* Complain what the library says: FILE: ..., or "VERB: ..." when an argument is wrong. */
enum status measure_failed(const struct measure_common *common, const struct fm_error *err);

/* What --as-qemu overlooks of a firmware is told, not hidden. No file is fine. */
void measure_tell_duplicates(const char *path, const struct measure_file *file);

/* Text of exactly `len` bytes in hexadecimal; false after a complaint that names the option. */
bool measure_hex(const struct measure_common *common, const char *option, const char *text,
		 uint8_t *out, size_t len);
/* A number that fits 32 bits; false after a complaint. */
bool measure_u32(const struct measure_common *common, const char *option, uint64_t value,
		 uint32_t *out);

#endif
