/* SPDX-License-Identifier: BSD-2-Clause */
/* dump_file: a dump that is there whole, under its name, or not at all; and how far it is. */
#ifndef FIRMEM_TOOLS_DUMP_FILE_H
#define FIRMEM_TOOLS_DUMP_FILE_H

#include <firmem/dump.h>

struct dump_file {
	const char *path;
	bool force; /* a regular file that is there is replaced, once the new one is whole */
	void (*part)(void *ctx, const struct fm_dump_part *part); /* as of struct fm_dump_config */
	void *ctx;
};

/* May the dump get its name? False after a complaint. */
bool dump_file_check(const struct dump_file *file);
/*
 * Write it: path, go_on, part and ctx of `config` are this one's to choose. Tells its progress on a terminal.
 * Whatever ends it early, also SIGINT, SIGTERM, SIGHUP and a source file that is cut meanwhile, leaves no
 * file. False after a complaint.
 */
bool dump_file_write(const struct dump_file *file, const struct fm_dump_config *config,
		     struct fm_dump_result *result);

#endif
