/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_script: bus cycles and what else one does to a bank, an operation a line. */
#ifndef FIRMEM_TOOLS_FLASH_SCRIPT_H
#define FIRMEM_TOOLS_FLASH_SCRIPT_H

#include "tools/firmem/flash_bank.h"

/* What the help says of the lines. */
extern const char script_help[];

struct script_options {
	const char *command; /* messages start with it */
	bool json;
	bool trace;
};

/*
 * Read lines from `fd` until its end or power-off, and answer on stdout. All answers to what was read
 * are written before more is waited for. STATUS_BAD after a complaint; what came before is done.
 */
enum status script_run(const struct bank *bank, int fd, const struct script_options *how);

#endif
