/* SPDX-License-Identifier: BSD-2-Clause */
/* blockutil: what the tests of blocks share. */
#ifndef FIRMEM_TESTS_BLOCKUTIL_H
#define FIRMEM_TESTS_BLOCKUTIL_H

#include "tests/unit/unit.h"

#include <firmem/block.h>

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

/* linux/mman.h of 5.14 */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

#define BLOCK_RAW(...)                                                     \
	(struct fm_block_config)                                           \
	{                                                                  \
		.struct_size = sizeof(struct fm_block_config), __VA_ARGS__ \
	}
#define BLOCK_CONFIG(...) BLOCK_RAW(.name = "blk", .role = FM_ROLE_RAM, __VA_ARGS__)
#define FILE_CONFIG(...) BLOCK_CONFIG(.backing = FM_BACKING_FILE, __VA_ARGS__)

/* The block, or NULL and why. For a child process, where a failed assertion leads nowhere. */
static inline struct fm_block *try_make(struct fm_block_config cfg)
{
	struct fm_error err = { 0 };
	struct fm_block *b = NULL;

	if (!fm_block_new(&b, &cfg, &err))
		return b;
	print_error("%s\n", err.msg);
	return NULL;
}

static inline struct fm_block *must_make(struct fm_block_config cfg)
{
	struct fm_block *b = try_make(cfg);

	assert_non_null(b);
	return b;
}

/* Is it refused with that code and a one-line message that has `text`, and nothing else touched? */
static inline bool is_refused(struct fm_block_config cfg, int code, const char *text)
{
	struct fm_block *const untouched = (struct fm_block *)&errno;
	struct fm_block *b = untouched;
	struct fm_error err = { 0 };
	int rc = fm_block_new(&b, &cfg, &err);

	if (rc == code && err.code == code && strstr(err.msg, text) && !strchr(err.msg, '\n') &&
	    b == untouched && fm_block_new(&b, &cfg, NULL) == code)
		return true;
	print_error("%d \"%s\", expected %d \"%s\"\n", rc, err.msg, code, text);
	return false;
}

static inline void assert_refused(struct fm_block_config cfg, int code, const char *text)
{
	assert_true(is_refused(cfg, code, text));
}

static inline uint8_t *bytes(const struct fm_block *b)
{
	return fm_block_ptr(b);
}

/* Are all pages of the block in memory? For pages of the kernel's, not of the file's cache. */
static inline bool resident(const struct fm_block *b)
{
	size_t pages = (size_t)(fm_block_len(b) + PAGE - 1) / PAGE;
	unsigned char vec[512];

	assert_true(pages <= sizeof(vec));
	assert_int_equal(mincore(fm_block_ptr(b), pages * PAGE, vec), 0);
	for (size_t i = 0; i < pages; i++) {
		if (!(vec[i] & 1))
			return false;
	}
	return true;
}

/* Is nothing mapped there any more? */
static inline bool unmapped(void *addr)
{
	unsigned char vec;

	return mincore(addr, PAGE, &vec) < 0 && errno == ENOMEM;
}

static inline bool all_bytes(const void *p, size_t len, uint8_t byte)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) {
		if (b[i] != byte)
			return false;
	}
	return true;
}

#endif
