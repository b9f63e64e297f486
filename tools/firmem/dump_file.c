/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/dump_file.h"

#include "tools/firmem/out.h"
#include "tools/firmem/progress.h"

#include <firmem/io.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING_LEN 32 /* of the name that a dump has until it is whole */

/* What signals meet. */
static volatile sig_atomic_t interrupted;
static char *part_path;
static volatile sig_atomic_t told; /* a terminal's line has progress */

struct writing {
	const struct dump_file *file;
	struct progress progress;
};

/* --- names ------------------------------------------------------------------------------------- */

static bool cannot(const struct dump_file *file, const char *what)
{
	complain("%s: cannot be %s: %s", file->path, what, strerror(errno));
	return false;
}

bool dump_file_check(const struct dump_file *file)
{
	struct stat st;

	/* A link too: a file would take its place. */
	if (lstat(file->path, &st))
		return errno == ENOENT || cannot(file, "created");
	if (!S_ISREG(st.st_mode)) {
		complain("%s: is no regular file, expected one, or none", file->path);
		return false;
	}
	if (!file->force)
		complain("%s: exists, expected a new file, or --force", file->path);
	return file->force;
}

/* The bytes before the name: after a power cut there is the old file or the whole new one. */
static bool sync_part(const struct dump_file *file)
{
	int fd = open(part_path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return !rc || cannot(file, "written");
}

static bool take_name(const struct dump_file *file)
{
	const struct fm_io *posix = fm_io_posix();

	if (file->force)
		return !rename(part_path, file->path) || cannot(file, "replaced");
	/* Of two that make it at once, one finds it there. */
	errno = -posix->ops->rename_new(posix->ctx, part_path, file->path);
	return !errno || cannot(file, "created");
}

/* --- progress -------------------------------------------------------------------------------- */

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
	struct writing *w = ctx;

	progress_at(&w->progress, done, total);
	told = w->progress.shown;
	return !interrupted;
}

static void part(void *ctx, const struct fm_dump_part *p)
{
	struct writing *w = ctx;

	w->file->part(w->file->ctx, p);
}

/* --- signals ------------------------------------------------------------------------------- */

static void interrupt(int number)
{
	interrupted = number;
}

/* A file of the guest's was made shorter while it was read. */
static void cut(int number)
{
	static const char text[] = "\nfirmem: machine dump: a file of the guest became shorter "
				   "meanwhile, expected it to stay\n";
	size_t from = told ? 0 : 1;
	ssize_t n = write(STDERR_FILENO, text + from, sizeof(text) - 1 - from);

	(void)n;
	if (part_path)
		unlink(part_path);
	_exit(STATUS_BAD);
}

static void catch_signals(void)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction stop = { .sa_handler = interrupt };
	struct sigaction old;

	for (unsigned i = 0; i < 3; i++) {
		/* What is ignored stays so: nohup. */
		if (!sigaction(stops[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(stops[i], &stop, NULL);
	}
	sigaction(SIGBUS, &(struct sigaction){ .sa_handler = cut }, NULL);
}

/* --- writing ------------------------------------------------------------------------------- */

static int write_part(const struct dump_file *file, const struct fm_dump_config *config,
		      struct fm_dump_result *result, struct fm_error *err)
{
	struct fm_dump_config c = *config;
	struct writing w = { .file = file, .progress = progress_begin(file->path) };
	int rc;

	c.path = part_path;
	c.go_on = go_on;
	c.part = file->part ? part : NULL;
	c.ctx = &w;
	rc = fm_dump_write(&c, result, err);
	progress_end(&w.progress);
	told = false;
	return rc;
}

/* The library knows the file by the name that it has until it is whole. */
static void explain(const struct dump_file *file, const char *text)
{
	size_t len = strlen(part_path);

	if (interrupted)
		complain("%s: given up by signal %d", file->path, (int)interrupted);
	else if (!strncmp(text, part_path, len))
		complain("%s%s", file->path, text + len);
	else
		complain("%s", text);
}

bool dump_file_write(const struct dump_file *file, const struct fm_dump_config *config,
		     struct fm_dump_result *result)
{
	size_t room = strlen(file->path) + ENDING_LEN;
	struct fm_error err;
	bool ok;

	part_path = out_need(malloc(room));
	snprintf(part_path, room, "%s.%ld.part", file->path, (long)getpid());
	catch_signals();
	if (write_part(file, config, result, &err)) {
		explain(file, err.msg);
		ok = false;
	} else {
		ok = sync_part(file) && take_name(file);
		if (!ok)
			unlink(part_path);
	}
	free(part_path);
	part_path = NULL;
	return ok;
}
