/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out: what a command prints. The same calls make text for people or, with --json, one object: a
 * value is a member of it, a table is an array of objects. Numbers that may need 64 bits are strings
 * "0x..." there, because many readers of JSON keep only 53 bits.
 */
#ifndef FIRMEM_TOOLS_OUT_H
#define FIRMEM_TOOLS_OUT_H

#include "tools/firmem/command.h"

#include <firmem/base.h>

struct out;

enum out_kind {
	OUT_TEXT,
	OUT_ADDRESS, /* 0x40000000 */
	OUT_SIZE,    /* bytes; for people in the largest unit that leaves no rest */
	OUT_COUNT,   /* 17 */
	OUT_BOOL,    /* yes, no; true, false */
	OUT_NUMBER,  /* a count below 2^53: a JSON number */
};

struct out_column {
	const char *key;  /* in JSON: lower-case words joined by '_'; NULL: in the table only */
	const char *head; /* of the table; NULL: in JSON only */
	enum out_kind kind;
	bool omitted; /* left out of an object where it is absent, instead of null */
};

struct out_value {
	const char *text; /* copied */
	uint64_t number;  /* also a bool */
	bool absent;      /* "-"; null */
};

/* Out of memory ends the program with STATUS_BAD, here and below. */
struct out *out_new(bool json);
/* JSON on one line: one of several answers. */
void out_one_line(struct out *out);

/* A value of its own: "key: value" on a line. */
void out_value(struct out *out, const char *key, enum out_kind kind, struct out_value value);

/* A table: one row a call, in the columns given. Shown when it ends; "key: none" if it is empty. */
void out_table(struct out *out, const char *key, const struct out_column *columns, size_t count);
void out_row(struct out *out, const struct out_value *values);
void out_table_end(struct out *out);

/* Print what is left and free. Returns `status`. */
enum status out_end(struct out *out, enum status status);

/* Bytes as they are. */
void out_bytes(const void *bytes, size_t len);

/*
 * What was printed so far has arrived. False after a complaint, the last one about it: nothing more
 * is printed.
 */
bool out_push(void);

/* main's last word: what was printed has arrived, or STATUS_BAD. */
enum status out_flush(enum status status);

/* `p`, or the end of the program with a complaint when it is NULL: memory that was asked for. */
void *out_need(void *p);

/* A name as a terminal may have it: no control characters. malloc'd. */
char *out_plain(const char *text);

/*
 * Why it fails, as "firmem: TEXT" on stderr: always one line, whatever bytes the text has. By
 * convention TEXT is "FILE: field: value, expected ...". Returns STATUS_BAD.
 */
FM_PRINTF(1, 2)
enum status complain(const char *fmt, ...);

#endif
