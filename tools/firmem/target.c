/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/target.h"

#include "tools/firmem/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "A", "B" and "C" as one text; malloc'd. */
static char *join(const char *a, const char *b, const char *c)
{
	size_t room = strlen(a) + strlen(b) + strlen(c) + 1;
	char *text = out_need(malloc(room));

	snprintf(text, room, "%s%s%s", a, b, c);
	return text;
}

/* The journal of the image at `path`, as the library names it; malloc'd, NULL without an image. */
static char *journal_of(const char *path)
{
	char *real = realpath(path, NULL);
	char *journal = real ? join(real, ".journal", "") : NULL;

	free(real);
	return journal;
}

/* The entry of a folder that `path` names, there or not; malloc'd, NULL without the folder. */
static char *entry_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	char *real = realpath(out_need(folder), NULL);
	char *entry =
		real ? join(strcmp(real, "/") ? real : "", "/", slash ? slash + 1 : path) : NULL;

	free(folder);
	free(real);
	return entry;
}

bool target_same(const char *a, const char *b)
{
	struct stat x;
	struct stat y;

	return a && b && !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

bool target_is_image(const char *path, const char *target)
{
	char *journal = journal_of(path);
	char *entry = entry_of(target);
	bool is = target_same(path, target) || target_same(journal, target) ||
		  (journal && entry && !strcmp(journal, entry));

	free(journal);
	free(entry);
	return is;
}

bool target_has_journal(const char *path)
{
	char *journal = journal_of(path);
	bool has = journal && !access(journal, F_OK);

	free(journal);
	return has;
}
