/* SPDX-License-Identifier: BSD-2-Clause */
/* output: files that a command writes whole. */
#ifndef FIRMEM_TOOLS_OUTPUT_H
#define FIRMEM_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The file holds these bytes, or what it held before: they are written to a file beside it, which
 * then takes its name. Its mode stays; a link to it stays one. A pipe or a device is written as it
 * is. False after a complaint that names the path.
 */
bool output_write(const char *path, const void *bytes, size_t len);

#endif
