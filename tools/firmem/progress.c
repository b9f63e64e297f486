/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/progress.h"

#include "tools/firmem/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME_MAX_SHOWN 60 /* a line that wraps cannot be taken back */

struct progress progress_begin(const char *what)
{
	return (struct progress){ .what = isatty(STDERR_FILENO) ? out_plain(what) : NULL };
}

void progress_at(struct progress *progress, uint64_t done, uint64_t total)
{
	unsigned percent = total ? (unsigned)((double)done * 100 / (double)total) : 100;

	if (!progress->what || (progress->shown && percent == progress->percent))
		return;
	progress->percent = percent;
	progress->shown = true;
	fprintf(stderr, "\r%.*s: %u %%", NAME_MAX_SHOWN, progress->what, percent);
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fprintf(stderr, "\r%*s\r", NAME_MAX_SHOWN + 8, "");
	free(progress->what);
	*progress = (struct progress){ .what = NULL };
}
