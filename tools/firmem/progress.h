/* SPDX-License-Identifier: BSD-2-Clause */
/* progress: how far long work is, on a terminal: one line of stderr that goes when the work ends. Elsewhere nothing. */
#ifndef FIRMEM_TOOLS_PROGRESS_H
#define FIRMEM_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	char *what; /* NULL: nobody sees it */
	int room;   /* columns for it: a line that wraps cannot be taken back */
	unsigned percent;
	bool shown;
};

/* Of `what`, a file's name as a rule: as a terminal may have it. To be ended. */
struct progress progress_begin(const char *what);
void progress_at(struct progress *progress, uint64_t done, uint64_t total);
void progress_end(struct progress *progress);

#endif
