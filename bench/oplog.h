/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oplog: recorded flash operations of real firmware, from the folder of outside test data. A line is
 * ["P",offset,"hex bytes"], as many byte programs as bytes, or ["E",offset,length].
 */
#ifndef FIRMEM_BENCH_OPLOG_H
#define FIRMEM_BENCH_OPLOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct oplog_op {
	uint64_t off;
	uint64_t len;
	uint8_t *data; /* NULL: an erase */
};

struct oplog {
	struct oplog_op *op;
	size_t count;
	uint64_t operations; /* byte programs and erases */
};

/* The output of "zstd -dc PATH", malloc'd; NULL: no such program, or not such a file. */
static inline uint8_t *oplog_unpack(const char *path, size_t *len)
{
	char command[700];
	uint8_t *bytes = NULL;
	size_t room = 0;
	size_t n = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "zstd -dc '%s' 2>/dev/null", path);
	pipe = popen(command, "r");
	while (pipe) {
		size_t got;

		if (n == room) {
			room = room ? 2 * room : 65536;
			bytes = realloc(bytes, room);
		}
		got = fread(bytes + n, 1, room - n, pipe);
		n += got;
		if (!got)
			break;
	}
	if (!pipe || pclose(pipe) || !n) {
		free(bytes);
		return NULL;
	}
	*len = n;
	return bytes;
}

static inline unsigned oplog_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static inline void oplog_line(struct oplog *log, const char *line)
{
	struct oplog_op op = { .off = strtoull(line + 5, NULL, 10) };
	const char *next = strchr(line + 5, ',') + 1;
	const char *hex = strchr(next, '"');

	if (line[2] == 'E') {
		op.len = strtoull(next, NULL, 10);
		log->operations++;
	} else {
		op.len = strcspn(++hex, "\"") / 2;
		op.data = malloc(op.len);
		for (uint64_t i = 0; i < op.len; i++)
			op.data[i] = (uint8_t)(oplog_digit(hex[2 * i]) << 4 |
					       oplog_digit(hex[2 * i + 1]));
		log->operations += op.len;
	}
	log->op[log->count++] = op;
}

/* False where the file or zstd is missing. */
static inline bool oplog_load(struct oplog *log, const char *path)
{
	size_t len;
	char *text = (char *)oplog_unpack(path, &len);
	char *at = text;
	size_t lines = 0;

	memset(log, 0, sizeof(*log));
	if (!text)
		return false;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	log->op = calloc(lines + 1, sizeof(*log->op));
	for (char *end; (end = memchr(at, '\n', len - (size_t)(at - text))); at = end + 1) {
		*end = '\0';
		if (at[0] == '[')
			oplog_line(log, at);
	}
	free(text);
	return true;
}

static inline void oplog_free(struct oplog *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->op[i].data);
	free(log->op);
}

#endif
