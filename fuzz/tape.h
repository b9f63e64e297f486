/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tape: a fuzz target's input as a row of decisions. A target reads choices from it and makes what it
 * feeds to the library by the grammar of that, so that every input is a nearly right one. Behind its
 * end the tape reads zero.
 *
 * Read it once in an expression, an argument list or an initializer: C leaves their order open, and
 * an input must mean the same in every build.
 */
#ifndef FIRMEM_FUZZ_TAPE_H
#define FIRMEM_FUZZ_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct tape {
	const uint8_t *bytes;
	size_t left;
};

static inline uint8_t tape_u8(struct tape *t)
{
	if (!t->left)
		return 0;
	t->left--;
	return *t->bytes++;
}

/* `size` bytes, 1 to 8. */
static inline uint64_t tape_number(struct tape *t, unsigned size)
{
	uint64_t v = 0;

	while (size--)
		v = v << 8 | tape_u8(t);
	return v;
}

/* 0 to n - 1; n up to 65536. */
static inline unsigned tape_below(struct tape *t, unsigned n)
{
	return (unsigned)(tape_number(t, n > 256 ? 2 : 1) % n);
}

/* True once in n. */
static inline bool tape_one_in(struct tape *t, unsigned n)
{
	return tape_below(t, n) == n - 1;
}

/* A number that is likely to be an edge: of its type, or of something `near` bytes long. */
static inline uint64_t tape_edge(struct tape *t, uint64_t near)
{
	switch (tape_below(t, 12)) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return UINT64_MAX;
	case 3:
		return near;
	case 4:
		return near - 1;
	case 5:
		return near + 1;
	case 6:
		return UINT64_MAX - near;
	case 7:
		return UINT64_C(1) << tape_below(t, 64);
	case 8:
		return (UINT64_C(1) << tape_below(t, 64)) - 1;
	case 9:
		return near + tape_u8(t) - 128u;
	case 10:
		return tape_number(t, 8);
	default:
		return tape_u8(t);
	}
}

/* What must hold whatever the input: a finding if it does not. */
#define TAPE_CHECK(condition)                                                            \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, \
				#condition);                                             \
			abort();                                                         \
		}                                                                        \
	} while (0)

/* The entry that libFuzzer, and standalone.c without it, calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#endif
