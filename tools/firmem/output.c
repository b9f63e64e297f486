/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/output.h"

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

static bool write_through(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return failed(path, "opened for writing");
	rc = write_all(fd, bytes, len);
	if (close(fd) || rc)
		return failed(path, "written");
	return true;
}

static mode_t creation_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* `target` is the file that `path` names, by way of links or not. */
static bool replace(const char *path, const char *target, mode_t mode, const void *bytes,
		    size_t len)
{
	size_t n = strlen(target);
	char *temp = out_need(malloc(n + sizeof(ENDING)));
	bool ok = false;
	int fd, rc;

	memcpy(temp, target, n);
	memcpy(temp + n, ENDING, sizeof(ENDING));
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		failed(path, "created");
		free(temp);
		return false;
	}
	/* The bytes before the name: after a power cut there is the old file or the new one. */
	rc = write_all(fd, bytes, len) || fchmod(fd, mode) || fsync(fd);
	if (close(fd) || rc)
		failed(path, "written");
	else if (rename(temp, target))
		failed(path, "replaced");
	else
		ok = true;
	if (!ok)
		unlink(temp);
	free(temp);
	return ok;
}

bool output_write(const char *path, const void *bytes, size_t len)
{
	char *target;
	struct stat st;
	bool ok;

	if (stat(path, &st)) {
		/* A link to nothing is not replaced by a file. */
		if (errno != ENOENT || !lstat(path, &st))
			return failed(path, "opened for writing");
		return replace(path, path, creation_mode(), bytes, len);
	}
	if (!S_ISREG(st.st_mode))
		return write_through(path, bytes, len);
	if (access(path, W_OK))
		return failed(path, "opened for writing");
	target = realpath(path, NULL);
	if (!target)
		return failed(path, "opened for writing");
	ok = replace(path, target, st.st_mode & 07777, bytes, len);
	free(target);
	return ok;
}
