/* SPDX-License-Identifier: BSD-2-Clause */
/* tmpdir: a folder of its own for each test. Setup and teardown of cmocka; *state is its path. */
#ifndef FIRMEM_TESTS_TMPDIR_H
#define FIRMEM_TESTS_TMPDIR_H

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static int tmpdir_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* The paths that a test was told: they stay as they are until it ends. */
struct tmpdir_name {
	struct tmpdir_name *next;
	char path[];
};

static struct tmpdir_name *tmpdir_names;

static int tmpdir_setup(void **state)
{
	char name[] = P_tmpdir "/firmem-test-XXXXXX";

	if (!mkdtemp(name))
		return -1;
	*state = strdup(name);
	return 0;
}

static int tmpdir_teardown(void **state)
{
	int rc = nftw(*state, tmpdir_remove_one, 8, FTW_DEPTH | FTW_PHYS);

	while (tmpdir_names) {
		struct tmpdir_name *next = tmpdir_names->next;

		free(tmpdir_names);
		tmpdir_names = next;
	}
	free(*state);
	return rc;
}

#define tmpdir_test(fn) cmocka_unit_test_setup_teardown(fn, tmpdir_setup, tmpdir_teardown)

/* "FOLDER/name": the test's folder's, for as long as the test runs. */
static inline const char *tmpdir_path(void **state, const char *name)
{
	struct tmpdir_name *n;
	char path[300];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", (const char *)*state, name);
	for (n = tmpdir_names; n; n = n->next) {
		if (!strcmp(n->path, path))
			return n->path;
	}
	len = strlen(path) + 1;
	n = malloc(sizeof(*n) + len);
	assert_non_null(n);
	memcpy(n->path, path, len);
	n->next = tmpdir_names;
	tmpdir_names = n;
	return n->path;
}

/* A file of `len` bytes of value `byte`. */
static inline void tmpdir_fill(const char *path, size_t len, uint8_t byte)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	for (size_t i = 0; i < len; i++)
		fputc(byte, f);
	assert_int_equal(fclose(f), 0);
}

/* The size of a file, or -1 when there is none. */
static inline long long tmpdir_size(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (long long)st.st_size;
}

/* The byte of a file at an offset. */
static inline uint8_t tmpdir_byte(const char *path, size_t off)
{
	uint8_t byte = 0xee;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)off), 1);
	close(fd);
	return byte;
}

/* How many entries the folder has. */
static int tmpdir_entries_;

static int tmpdir_count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	tmpdir_entries_ += ftw->level > 0;
	return 0;
}

static inline int tmpdir_entries(void **state)
{
	tmpdir_entries_ = 0;
	nftw(*state, tmpdir_count_one, 8, FTW_PHYS);
	return tmpdir_entries_;
}

#endif
