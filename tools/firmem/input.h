/* SPDX-License-Identifier: BSD-2-Clause */
/* input: files that a command reads whole. */
#ifndef FIRMEM_TOOLS_INPUT_H
#define FIRMEM_TOOLS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * All bytes of a file or pipe, at most `most`; *bytes is malloc'd, never NULL. False after a
 * complaint that names the path.
 */
bool input_read(const char *path, size_t most, void **bytes, size_t *len);

/* Remember a file that is read in another way. What is no file, and the 33rd, is not. */
void input_note(const struct stat *st);
/* Is it one that was read? An output there would destroy it. */
bool input_was_read(const char *path);

#endif
