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
	bool amd; /* the command set */
	char quirk[32];
	char sequence[256];
	uint64_t datasheet;
	uint64_t qemu;
};

/* From one access of a sequence to the next. */
#define DIFFERENCE_ACCESS_NS 80u

enum difference_kind {
	DIFFERENCE_READ = 0,
	DIFFERENCE_WRITE,
	DIFFERENCE_WAIT,  /* `value` nanoseconds */
	DIFFERENCE_RESET, /* of the system */
};

/* One step of a sequence. */
struct difference_op {
	enum difference_kind kind;
	unsigned times;
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
		if (sscanf(line, "## %31s", d->profile) == 1) {
			d->amd = strstr(line, "AMD");
			continue;
		}
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

/* Take the first step of *sequence off it: "w2 0 0x90", "43*r2 0", "t 50000", "reset". False at the end. */
static inline bool difference_op(const char **sequence, struct difference_op *op)
{
	const char *at = *sequence;
	char *end = NULL;

	if (!*at)
		return false;
	*op = (struct difference_op){ .times = 1 };
	if (strchr("0123456789", *at)) {
		op->times = (unsigned)strtoul(at, &end, 10);
		at = end + 1;
	}
	if (!strncmp(at, "reset", 5)) {
		op->kind = DIFFERENCE_RESET;
		at += 5;
	} else if (*at == 't') {
		op->kind = DIFFERENCE_WAIT;
		op->value = strtoull(at + 1, &end, 0);
		at = end;
	} else {
		op->kind = *at == 'w' ? DIFFERENCE_WRITE : DIFFERENCE_READ;
		op->size = (unsigned)strtoul(at + 1, &end, 10);
		op->off = strtoull(end, &end, 0);
		if (op->kind == DIFFERENCE_WRITE)
			op->value = strtoull(end, &end, 0);
		at = end;
	}
	*sequence = at + strspn(at, ", ");
	return true;
}

#endif
