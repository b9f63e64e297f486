/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/output.h"

#include "tools/firmem/input.h"
#include "tools/firmem/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING ".XXXXXX"
#define NAME_MOST 200u /* bytes of a name that are used again: with the ending it stays below 255 */

/* An output on its way. */
struct staged {
	const struct output *output;
	char *target; /* the file that the path names, by way of links or not; NULL: is written as it is */
	char *temp; /* holds the bytes, beside it; NULL: not yet, or it has the name now */
	int fd;     /* of what is written as it is, open; -1 */
};

static bool failed(const char *path, const char *what)
{
	complain("%s: cannot be %s: %s", path, what, strerror(errno));
	return false;
}

/* 0, or errno is set. */
static int write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static mode_t creation_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* A name for mkostemp(), malloc'd. */
static char *beside(const char *target)
{
	const char *slash = strrchr(target, '/');
	size_t folder = slash ? (size_t)(slash - target) + 1 : 0;
	size_t n = folder + strnlen(target + folder, NAME_MOST);
	char *name = out_need(malloc(n + sizeof(ENDING)));

	memcpy(name, target, n);
	memcpy(name + n, ENDING, sizeof(ENDING));
	return name;
}

/* Whose the old file was, where the host lets us say so; another group gets nothing that was meant for that one. */
static int keep(int fd, const struct stat *old)
{
	mode_t mode = old->st_mode & 0777;

	if (fchown(fd, old->st_uid, old->st_gid) && fchown(fd, (uid_t)-1, old->st_gid))
		mode &= ~(mode_t)0070;
	return fchmod(fd, mode);
}

/* The bytes into a new file beside the target. `old` NULL: there is none. */
static bool write_temp(struct staged *s, const struct stat *old)
{
	const struct output *o = s->output;
	int fd, rc;

	s->temp = beside(s->target);
	fd = mkostemp(s->temp, O_CLOEXEC);
	if (fd < 0) {
		free(s->temp);
		s->temp = NULL;
		return failed(o->path, old ? "replaced by a file beside it" : "created");
	}
	/* The bytes before the name: after a power cut there is the old file or the new one. */
	rc = write_all(fd, o->bytes, o->len) ||
	     (old ? keep(fd, old) : fchmod(fd, creation_mode())) || fsync(fd);
	if (close(fd) || rc)
		return failed(o->path, "written");
	return true;
}

/* The folder's own name and the last word: what is not there yet may be named in several ways, too. malloc'd. */
static char *new_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? out_need(strndup(path, (size_t)(slash - path) + 1)) : NULL;
	char *own = realpath(folder ? folder : ".", NULL);
	char *name = NULL;

	free(folder);
	if (own && asprintf(&name, "%s/%s", own, slash ? slash + 1 : path) < 0)
		out_need(NULL);
	free(own);
	return name;
}

/* Ours for the file, when it is where our answers go, which others may have written to: it is not replaced. -1. */
static int standard_fd(const struct stat *st)
{
	struct stat own;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (!fstat(fd, &own) && own.st_dev == st->st_dev && own.st_ino == st->st_ino)
			return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

/* All that can fail before anything that was there changes. */
static bool stage(struct staged *s)
{
	const char *path = s->output->path;
	struct stat st;

	if (input_was_read(path)) {
		complain("%s: was read, expected another file to write", path);
		return false;
	}
	if (stat(path, &st)) {
		/* A link to nothing is not replaced by a file. */
		if (errno != ENOENT || !lstat(path, &st))
			return failed(path, "opened for writing");
		s->target = new_name(path);
		return s->target ? write_temp(s, NULL) : failed(path, "created");
	}
	s->fd = standard_fd(&st);
	if (s->fd >= 0)
		return true;
	if (!S_ISREG(st.st_mode)) {
		s->fd = open(path, O_WRONLY | O_CLOEXEC);
		return s->fd >= 0 || failed(path, "opened for writing");
	}
	if (access(path, W_OK))
		return failed(path, "opened for writing");
	s->target = realpath(path, NULL);
	if (!s->target)
		return failed(path, "opened for writing");
	return write_temp(s, &st);
}

/* To a pipe or a device, which cannot be taken back. */
static bool write_through(struct staged *s)
{
	int rc = write_all(s->fd, s->output->bytes, s->output->len);

	if (close(s->fd))
		rc = -1;
	s->fd = -1;
	return !rc || failed(s->output->path, "written");
}

static bool replace(struct staged *s)
{
	if (rename(s->temp, s->target))
		return failed(s->output->path, "replaced");
	free(s->temp);
	s->temp = NULL;
	return true;
}

/* Does one of those before it name the same file? */
static bool comes_twice(const struct staged *all, const struct staged *s)
{
	for (; all < s; all++) {
		if (all->target && s->target && !strcmp(all->target, s->target)) {
			complain("%s: is named for two outputs, expected a file for each",
				 s->output->path);
			return true;
		}
	}
	return false;
}

bool output_write_all(const struct output *outputs, size_t count)
{
	struct staged *all = out_need(calloc(count ? count : 1, sizeof(*all)));
	bool ok = true;

	for (size_t i = 0; i < count; i++) {
		all[i].output = &outputs[i];
		all[i].fd = -1;
		ok = ok && stage(&all[i]) && !comes_twice(all, &all[i]);
	}
	for (size_t i = 0; i < count; i++)
		ok = ok && (all[i].fd < 0 || write_through(&all[i]));
	for (size_t i = 0; i < count; i++)
		ok = ok && (!all[i].temp || replace(&all[i]));
	for (size_t i = 0; i < count; i++) {
		if (all[i].temp)
			unlink(all[i].temp);
		if (all[i].fd >= 0)
			close(all[i].fd);
		free(all[i].temp);
		free(all[i].target);
	}
	free(all);
	return ok;
}

bool output_write(const char *path, const void *bytes, size_t len)
{
	return output_write_all(&(struct output){ path, bytes, len }, 1);
}
