/* SPDX-License-Identifier: BSD-2-Clause */
/* differences: the lines of docs/flash-differences.md, and how to do one. */
#ifndef FIRMEM_TESTS_DIFFERENCES_H
#define FIRMEM_TESTS_DIFFERENCES_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERENCES "docs/flash-differences.md"

struct difference {
	unsigned line;
	char profile[32];
	char quirk[32];
	char sequence[256];
	uint64_t datasheet;
	uint64_t qemu;
};

/* One access of a sequence. */
struct difference_op {
	bool write;
	unsigned size;
	uint64_t off;
	uint64_t value; /* of a write */
};

/* The next line of a table; *d carries profile and line number from call to call. */
static inline bool difference_next(FILE *file, struct difference *d)
{
	char line[1024];

	while (fgets(line, sizeof(line), file)) {
		d->line++;
		if (sscanf(line, "## %31s", d->profile) == 1)
			continue;
		/* Headings of a table have no sequence in backticks. */
		if (sscanf(line, "| %31[a-z-] | %*[^|]| `%255[^`]` | %" SCNi64 " | %" SCNi64,
			   d->quirk, d->sequence, (int64_t *)&d->datasheet,
			   (int64_t *)&d->qemu) == 4)
			return true;
		if (strchr(line, '`') && line[0] == '|') {
			printf("%s:%u: not a line of the table\n", DIFFERENCES, d->line);
			exit(1);
		}
	}
	return false;
}

/* Take the first access of *sequence off it. False at the end. */
static inline bool difference_op(const char **sequence, struct difference_op *op)
{
	char *end;

	if (!**sequence)
		return false;
	op->write = **sequence == 'w';
	op->size = (unsigned)strtoul(*sequence + 1, &end, 10);
	op->off = strtoull(end, &end, 0);
	op->value = op->write ? strtoull(end, &end, 0) : 0;
	*sequence = end + strspn(end, ", ");
	return true;
}

#endif
