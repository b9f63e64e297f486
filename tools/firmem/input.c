/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/input.h"

#include "tools/firmem/out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTED_MAX 32

static struct {
	dev_t dev;
	ino_t ino;
} noted[NOTED_MAX];
static unsigned noted_count;

void input_note(const struct stat *st)
{
	if (!S_ISREG(st->st_mode) || noted_count == NOTED_MAX)
		return;
	noted[noted_count].dev = st->st_dev;
	noted[noted_count++].ino = st->st_ino;
}

bool input_was_read(const char *path)
{
	struct stat st;

	for (unsigned i = 0; !stat(path, &st) && i < noted_count; i++) {
		if (noted[i].dev == st.st_dev && noted[i].ino == st.st_ino)
			return true;
	}
	return false;
}

/* What fread() left unsaid. */
static bool failed(const char *path, void *bytes)
{
	complain("%s: cannot be read: %s", path, strerror(errno));
	free(bytes);
	return false;
}

static bool read_all(FILE *file, const char *path, size_t most, void **bytes, size_t *len)
{
	char *buf = NULL;
	size_t room = 0;
	size_t n = 0;

	do {
		char *grown;

		if (n > most) {
			complain("%s: size: more than %zu bytes, expected at most that", path,
				 most);
			free(buf);
			return false;
		}
		room = room ? 2 * room : 65536;
		if (room > most)
			room = most + 1; /* which is one too many */
		grown = realloc(buf, room);
		if (!grown)
			return failed(path, buf);
		buf = grown;
		errno = 0;
		n += fread(buf + n, 1, room - n, file);
	} while (n == room);
	if (ferror(file))
		return failed(path, buf);
	*bytes = buf;
	*len = n;
	return true;
}

bool input_read(const char *path, size_t most, void **bytes, size_t *len)
{
	FILE *file = fopen(path, "rbe");
	struct stat st;
	bool ok;

	if (!file) {
		complain("%s: cannot be opened: %s", path, strerror(errno));
		return false;
	}
	if (!fstat(fileno(file), &st))
		input_note(&st);
	ok = read_all(file, path, most, bytes, len);
	fclose(file);
	return ok;
}
