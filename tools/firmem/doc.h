/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doc: JSON values as they are written and read. Out of memory ends the program, as out_need() does.
 * What is made is owned by whoever made it until it is put into another value.
 */
#ifndef FIRMEM_TOOLS_DOC_H
#define FIRMEM_TOOLS_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doc;

/* --- making -------------------------------------------------------------------------------------- */

struct doc *doc_make_object(void);
struct doc *doc_make_array(void);
/* Bytes that are no UTF-8 become '?'. */
struct doc *doc_make_text(const char *text);
struct doc *doc_make_number(uint64_t number); /* below 2^53 */
struct doc *doc_make_hex(uint64_t number);    /* text: "0x40000000" */
struct doc *doc_make_bool(bool value);
struct doc *doc_make_null(void);
/* Owned by the object or array from then on. */
void doc_put(struct doc *object, const char *key, struct doc *value);
void doc_push(struct doc *array, struct doc *value);
/* To standard output, on a line or on many; a failure to write shows in its error indicator. */
void doc_print(const struct doc *value, bool line);
void doc_free(struct doc *value);

/* --- reading ------------------------------------------------------------------------------------- */

/* One value and nothing behind it; NULL with why in `why` (160 bytes). */
struct doc *doc_parse(const void *bytes, size_t len, char why[160]);
/* Borrowed; NULL where there is none. */
const struct doc *doc_get(const struct doc *object, const char *key);
const struct doc *doc_nth(const struct doc *array, size_t n);
size_t doc_count(const struct doc *array);
bool doc_is_array(const struct doc *value);
bool doc_is_object(const struct doc *value);
/* The object's n-th key, in the order of the text; NULL behind the last. */
const char *doc_key(const struct doc *object, size_t n);
/* False where it is neither true nor false. */
bool doc_bool(const struct doc *value, bool *out);
/* Its text, or NULL where it is none (or has a NUL in it). */
const char *doc_text(const struct doc *value);
/* False where it is no integer of 0 or more. */
bool doc_number(const struct doc *value, uint64_t *out);
/* The value as JSON, for messages; what is too long ends in "...". Returns `text`. */
#define DOC_BRIEF 80
const char *doc_brief(const struct doc *value, char text[DOC_BRIEF]);

#endif
