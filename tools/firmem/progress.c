/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/progress.h"

#include "tools/firmem/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS 80 /* of a terminal that does not tell */
#define PERCENT 8  /* columns: ": 100 %", and the last that none writes to */

static int columns(void)
{
	struct winsize size = { .ws_col = 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col <= PERCENT)
		return COLUMNS;
	return size.ws_col;
}

struct progress progress_begin(const char *what)
{
	if (!isatty(STDERR_FILENO))
		return (struct progress){ .what = NULL };
	return (struct progress){ .what = out_plain(what), .room = columns() - PERCENT };
}

void progress_at(struct progress *progress, uint64_t done, uint64_t total)
{
	unsigned percent = total ? (unsigned)((double)done * 100 / (double)total) : 100;

	if (!progress->what || (progress->shown && percent == progress->percent))
		return;
	progress->percent = percent;
	progress->shown = true;
	fprintf(stderr, "\r%.*s: %u %%", progress->room, progress->what, percent);
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fprintf(stderr, "\r%*s\r", progress->room + PERCENT - 1, "");
	free(progress->what);
	*progress = (struct progress){ .what = NULL };
}
