/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/out.h"

#include "tools/firmem/doc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#define GAP "  "

struct out {
	struct doc *root; /* NULL: text */
	bool line;        /* JSON on one */
	bool started;     /* something was printed before */
	bool tabled;      /* and that was a table */
	/* The table under way. */
	struct doc *rows;
	const char *key;
	const struct out_column *columns;
	size_t ncolumns;
	char **cells; /* nrows * ncolumns */
	size_t nrows;
};

/* --- failures ------------------------------------------------------------------------------ */

/* A name or a path may hold anything: it shall not move the cursor, nor begin a line. */
static char *make_plain(char *text)
{
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return text;
}

enum status complain(const char *fmt, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		fputs("firmem: out of memory\n", stderr);
		return STATUS_BAD;
	}
	fprintf(stderr, "firmem: %s\n", make_plain(text));
	free(text);
	return STATUS_BAD;
}

char *out_plain(const char *text)
{
	return make_plain(out_need(strdup(text)));
}

void *out_need(void *p)
{
	if (!p) {
		complain("out of memory");
		exit(STATUS_BAD);
	}
	return p;
}

/* --- one value ----------------------------------------------------------------------------- */

static void print_size(char *text, size_t len, uint64_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned unit = 0;

	while (size && size % 1024 == 0 && unit < 4) {
		size /= 1024;
		unit++;
	}
	snprintf(text, len, "%llu %s", (unsigned long long)size, units[unit]);
}

/* For people; malloc'd. */
static char *print_value(enum out_kind kind, const struct out_value *v)
{
	char text[32] = "-";

	if (v->absent)
		return out_need(strdup(text));
	switch (kind) {
	case OUT_TEXT:
		return out_plain(v->text);
	case OUT_ADDRESS:
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v->number);
		break;
	case OUT_SIZE:
		print_size(text, sizeof(text), v->number);
		break;
	case OUT_COUNT:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v->number);
		break;
	case OUT_BOOL:
		snprintf(text, sizeof(text), "%s", v->number ? "yes" : "no");
		break;
	case OUT_NUMBER:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v->number);
		break;
	}
	return out_need(strdup(text));
}

static struct doc *doc_of_value(enum out_kind kind, const struct out_value *v)
{
	if (v->absent)
		return doc_make_null();
	switch (kind) {
	case OUT_TEXT:
		return doc_make_text(v->text);
	case OUT_ADDRESS:
	case OUT_SIZE:
	case OUT_COUNT:
		return doc_make_hex(v->number);
	case OUT_NUMBER:
		return doc_make_number(v->number);
	case OUT_BOOL:
		break;
	}
	return doc_make_bool(v->number != 0);
}

/* --- the whole ----------------------------------------------------------------------------- */

struct out *out_new(bool json)
{
	struct out *out = out_need(calloc(1, sizeof(*out)));

	if (json)
		out->root = doc_make_object();
	return out;
}

void out_one_line(struct out *out)
{
	out->line = true;
}

void out_value(struct out *out, const char *key, enum out_kind kind, struct out_value value)
{
	char *text;

	if (out->root) {
		doc_put(out->root, key, doc_of_value(kind, &value));
		return;
	}
	text = print_value(kind, &value);
	printf("%s%s: %s\n", out->tabled ? "\n" : "", key, text);
	free(text);
	out->started = true;
	out->tabled = false;
}

void out_table(struct out *out, const char *key, const struct out_column *columns, size_t count)
{
	out->key = key;
	out->columns = columns;
	out->ncolumns = count;
	if (!out->root)
		return;
	out->rows = doc_make_array();
	doc_put(out->root, key, out->rows);
}

static void put_row(struct out *out, const struct out_value *values)
{
	struct doc *row = doc_make_object();

	for (size_t i = 0; i < out->ncolumns; i++) {
		const struct out_column *c = &out->columns[i];

		if (c->key && !(c->omitted && values[i].absent))
			doc_put(row, c->key, doc_of_value(c->kind, &values[i]));
	}
	doc_push(out->rows, row);
}

void out_row(struct out *out, const struct out_value *values)
{
	if (out->root) {
		put_row(out, values);
		return;
	}
	out->cells = out_need(
		reallocarray(out->cells, (out->nrows + 1) * out->ncolumns, sizeof(*out->cells)));
	for (size_t i = 0; i < out->ncolumns; i++)
		out->cells[out->nrows * out->ncolumns + i] =
			print_value(out->columns[i].kind, &values[i]);
	out->nrows++;
}

/* Columns are counted in characters, not in bytes. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static int column_width(const struct out *out, size_t column)
{
	int most = width(out->columns[column].head);

	for (size_t row = 0; row < out->nrows; row++) {
		int n = width(out->cells[row * out->ncolumns + column]);

		most = n > most ? n : most;
	}
	return most;
}

/* A line of a table; numbers to the right, the last column without blanks behind it. */
static void print_line(const struct out *out, const int *widths, char *const *cells)
{
	const char *gap = "";
	int blanks = 0;

	for (size_t i = 0; i < out->ncolumns; i++) {
		const struct out_column *c = &out->columns[i];
		const char *text = cells ? cells[i] : c->head;
		int pad;

		if (!c->head)
			continue;
		pad = widths[i] - width(text);
		if (c->kind != OUT_TEXT && c->kind != OUT_BOOL) {
			printf("%*s%s%*s%s", blanks, "", gap, pad, "", text);
			blanks = 0;
		} else {
			printf("%*s%s%s", blanks, "", gap, text);
			blanks = pad;
		}
		gap = GAP;
	}
	putchar('\n');
}

static void print_table(struct out *out)
{
	int *widths = out_need(calloc(out->ncolumns, sizeof(*widths)));

	for (size_t i = 0; i < out->ncolumns; i++)
		widths[i] = out->columns[i].head ? column_width(out, i) : 0;
	print_line(out, widths, NULL);
	for (size_t row = 0; row < out->nrows; row++)
		print_line(out, widths, out->cells + row * out->ncolumns);
	free(widths);
}

void out_table_end(struct out *out)
{
	if (out->root)
		return;
	if (out->started)
		putchar('\n');
	out->started = true;
	out->tabled = true;
	if (out->nrows)
		print_table(out);
	else
		printf("%s: none\n", out->key);
	for (size_t i = 0; i < out->nrows * out->ncolumns; i++)
		free(out->cells[i]);
	free(out->cells);
	out->cells = NULL;
	out->nrows = 0;
}

enum status out_end(struct out *out, enum status status)
{
	if (out->root) {
		doc_print(out->root, out->line);
		doc_free(out->root);
	}
	free(out);
	return status;
}

/* Why out_bytes() failed first: stdio keeps only that something did. */
static int write_error;

void out_bytes(const void *bytes, size_t len)
{
	errno = 0;
	if (fwrite(bytes, 1, len, stdout) != len && !write_error)
		write_error = errno;
}

enum status out_flush(enum status status)
{
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		int why = write_error ? write_error : errno;

		return complain("standard output: %s", why ? strerror(why) : "cannot be written");
	}
	return status;
}

bool out_push(void)
{
	if (out_flush(STATUS_YES) == STATUS_YES)
		return true;
	__fpurge(stdout);
	clearerr(stdout);
	return false;
}
