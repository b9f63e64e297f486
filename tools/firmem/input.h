/* SPDX-License-Identifier: BSD-2-Clause */
/* input: files that a command reads whole. */
#ifndef FIRMEM_TOOLS_INPUT_H
#define FIRMEM_TOOLS_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * All bytes of a file or pipe, at most `most`; *bytes is malloc'd, never NULL. False after a
 * complaint that names the path.
 */
bool input_read(const char *path, size_t most, void **bytes, size_t *len);

#endif
