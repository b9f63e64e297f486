/* SPDX-License-Identifier: BSD-2-Clause */
/* output: files that a command writes whole. */
#ifndef FIRMEM_TOOLS_OUTPUT_H
#define FIRMEM_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The file holds these bytes, or what it held before: they are written to a file beside it, which
 * then takes its name. Its mode stays, but set-ID bits, and its owner where the host allows it; a link to it
 * stays one. A pipe, a device and what is standard output or error are written as they are. False after a complaint that
 * names the path.
 */
bool output_write(const char *path, const void *bytes, size_t len);

struct output {
	const char *path;
	const void *bytes;
	size_t len;
};

/*
 * The same for several files: no file changes before all bytes are written, so one that cannot be leaves the
 * others as they were. Two that are the same file are refused, and one that input_read() has read.
 */
bool output_write_all(const struct output *outputs, size_t count);

#endif
