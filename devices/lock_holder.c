/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who holds a lock that belongs to an open file: the kernel names nobody for it, but shows the locks of
 * each descriptor in /proc/PID/fdinfo/FD. Of other users' processes only root sees them.
 */
#include "devices/io_private.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct wanted {
	unsigned major;
	unsigned minor;
	unsigned long long ino;
	unsigned long long first;
	unsigned long long last;
	bool exclusive; /* what is in the way of that, else of a shared lock */
};

/* "lock: 1: OFDLCK ADVISORY  WRITE -1 fe:00:1234 201 201", or "... 100 EOF" */
static bool is_in_the_way(const char *line, const struct wanted *w)
{
	unsigned long long ino, first, last;
	unsigned maj, min;
	char access[8], end[24];

	if (sscanf(line, "lock: %*u: OFDLCK %*s %7s %*d %x:%x:%llu %llu %23s", access, &maj, &min,
		   &ino, &first, end) != 6)
		return false;
	last = strcmp(end, "EOF") ? strtoull(end, NULL, 10) : UINT64_MAX;
	return maj == w->major && min == w->minor && ino == w->ino && first <= w->last &&
	       last >= w->first && (w->exclusive || !strcmp(access, "WRITE"));
}

static bool descriptor_holds(const char *folder, const char *fd, const struct wanted *w)
{
	char path[300], line[256];
	bool found = false;
	FILE *info;

	snprintf(path, sizeof(path), "%s/%.20s", folder, fd);
	info = fopen(path, "re");
	while (info && !found && fgets(line, sizeof(line), info))
		found = is_in_the_way(line, w);
	if (info)
		fclose(info);
	return found;
}

static bool process_holds(const char *pid, const struct wanted *w)
{
	char folder[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%.20s/fdinfo", pid);
	dir = opendir(folder);
	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' && descriptor_holds(folder, entry->d_name, w);
	if (dir)
		closedir(dir);
	return found;
}

pid_t fmi_posix_lock_holder(int fd, bool exclusive, uint64_t off, uint64_t len)
{
	struct wanted w = {
		.first = off,
		.last = len ? off + len - 1 : UINT64_MAX,
		.exclusive = exclusive,
	};
	struct dirent *entry;
	pid_t holder = -1;
	struct stat st;
	DIR *proc;

	if (fstat(fd, &st))
		return -1;
	w.major = major(st.st_dev);
	w.minor = minor(st.st_dev);
	w.ino = st.st_ino;
	proc = opendir("/proc");
	while (proc && holder < 0 && (entry = readdir(proc))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && process_holds(entry->d_name, &w))
			holder = (pid_t)pid;
	}
	if (proc)
		closedir(proc);
	return holder;
}
