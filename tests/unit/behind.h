/* SPDX-License-Identifier: BSD-2-Clause */
/* behind: memory with an image for tests of write-behind; the worker is pumped, each pump a tick. */
#ifndef FIRMEM_TESTS_BEHIND_H
#define FIRMEM_TESTS_BEHIND_H

#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include <firmem/write_behind.h>

#define KIB 1024u
#define LEN (64 * KIB)

struct behind {
	struct fm_write_behind_config cfg;
	struct fm_write_behind *wb;
	struct fm_worker *worker;
	uint8_t array[LEN];
};

static inline void behind_config(struct behind *b, const char *image)
{
	struct fm_worker_config worker = { .struct_size = sizeof(worker), .pumped = true };

	memset(b, 0, sizeof(*b));
	assert_int_equal(fm_worker_new(&b->worker, &worker, NULL), 0);
	b->cfg = (struct fm_write_behind_config){ .struct_size = sizeof(b->cfg),
						  .array = b->array,
						  .len = LEN,
						  .image = image,
						  .interval_ns = 1,
						  .journal_len = 16 * KIB,
						  .worker = b->worker };
}

static inline void behind_open(struct behind *b)
{
	struct fm_error err = { 0 };

	if (fm_write_behind_open(&b->wb, &b->cfg, &err))
		fail_msg("%s", err.msg);
}

/* An image of `byte` at `path`, open. */
static inline void behind_init(struct behind *b, const char *path, uint8_t byte)
{
	tmpdir_fill(path, LEN, byte);
	behind_config(b, path);
	behind_open(b);
}

static inline void behind_exit(struct behind *b)
{
	fm_write_behind_close(b->wb);
	fm_worker_free(b->worker);
}

/* It must not open. Returns the error's code. */
static inline int behind_refused(struct behind *b, struct fm_error *err)
{
	int rc;

	memset(err, 0, sizeof(*err));
	b->wb = NULL;
	rc = fm_write_behind_open(&b->wb, &b->cfg, err);
	assert_null(b->wb);
	assert_int_equal(err->code, rc);
	return rc;
}

static inline unsigned behind_store(struct behind *b, uint64_t off, uint8_t byte, uint64_t len)
{
	memset(b->array + off, byte, len);
	return fm_write_behind_store(b->wb, off, len);
}

static inline unsigned behind_erase(struct behind *b, uint64_t off, uint64_t len)
{
	memset(b->array + off, 0xff, len);
	return fm_write_behind_erase(b->wb, off, len);
}

static inline void behind_ticks(struct behind *b, unsigned n)
{
	while (n--)
		fm_worker_pump(b->worker);
}

static inline struct fm_write_behind_stats behind_stats(struct behind *b)
{
	struct fm_write_behind_stats s;

	fm_write_behind_stats(b->wb, &s);
	return s;
}

static inline void read_whole(const char *path, uint8_t *buf, size_t len)
{
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_int_equal(fread(buf, 1, len, f), len);
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
}

static inline bool file_is(const char *path, const uint8_t *bytes)
{
	static uint8_t file[LEN];

	read_whole(path, file, LEN);
	return !memcmp(file, bytes, LEN);
}

static inline void copy_file(const char *from, const char *to)
{
	void *bytes;
	size_t len;

	assert_int_equal(fm_io_load(NULL, from, 1 << 24, &bytes, &len, NULL), 0);
	assert_int_equal(fm_io_store(NULL, to, bytes, len, NULL), 0);
	free(bytes);
}

/*
 * What a killed process leaves: image and journal of now, under other names. They are the only
 * copies of that moment, as nobody closes anything.
 */
static inline void kill_copy(void **state, const char *image, const char *to)
{
	char from_journal[300], to_journal[300];

	snprintf(from_journal, sizeof(from_journal), "%s/%s.journal", (const char *)*state, image);
	snprintf(to_journal, sizeof(to_journal), "%s/%s.journal", (const char *)*state, to);
	copy_file(tmpdir_path(state, image), tmpdir_path(state, to));
	copy_file(from_journal, to_journal);
}

#endif
