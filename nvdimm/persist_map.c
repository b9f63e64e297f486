/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose word counts for persistent memory: the kernel's. libpmem knows its own mappings only, and believes
 * PMEM_IS_PMEM_FORCE of the environment where it stands for any memory. In /proc/self/smaps a mapping with
 * MAP_SYNC has the flag "sf", and a mapping of a DAX device its name.
 */
#include "nvdimm/persist_private.h"

#include "devices/bytes.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* One mapping, as its first line has it. */
struct mapping {
	uint64_t first, end;
	char path[PATH_MAX];
};

static bool parse_head(const char *line, struct mapping *m)
{
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %*x %*x:%*x %*u %n", &m->first, &m->end,
		   &path) < 2 ||
	    !path)
		return false;
	snprintf(m->path, sizeof(m->path), "%s", line + path);
	m->path[strcspn(m->path, "\n")] = '\0';
	return true;
}

static bool is_dax_device(const char *path)
{
	char link[80], name[PATH_MAX];
	struct stat st;

	if (path[0] != '/' || stat(path, &st) || !S_ISCHR(st.st_mode))
		return false;
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/subsystem", major(st.st_rdev),
		 minor(st.st_rdev));
	return realpath(link, name) && !strcmp(strrchr(name, '/'), "/dax");
}

static bool has_flag(const char *line, const char *flag)
{
	const char *at = strstr(line, flag);

	return at && at[-1] == ' ' && (at[2] == ' ' || at[2] == '\n');
}

bool fmi_map_is_pmem_in(FILE *smaps, uint64_t addr, uint64_t len)
{
	struct mapping m = { .first = 0 };
	uint64_t at = addr;
	char line[PATH_MAX + 100];

	while (at - addr < len && fgets(line, sizeof(line), smaps)) {
		if (parse_head(line, &m) || strncmp(line, "VmFlags:", 8) || m.end <= at)
			continue;
		if (m.first > at || !(has_flag(line + 8, "sf") || is_dax_device(m.path)))
			return false;
		at = m.end;
	}
	return at - addr >= len;
}

bool fmi_map_is_pmem(const void *addr, size_t len)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool yes;

	if (!smaps)
		return false;
	yes = fmi_map_is_pmem_in(smaps, (uintptr_t)addr, len);
	fclose(smaps);
	return yes;
}
