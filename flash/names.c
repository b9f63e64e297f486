/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash/names.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters to insert, delete or change to make b of a (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[FMI_NAME_MAX + 1];
	size_t la = strnlen(a, FMI_NAME_MAX);
	size_t lb = strnlen(b, FMI_NAME_MAX);

	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

/* How far a name is: not at all where it is the beginning. */
static unsigned farness(const char *name, const char *known)
{
	return *name && !strncmp(name, known, strlen(name)) ? 0 : distance(name, known);
}

void fmi_names_nearest(char *out, size_t len, const char *name, const char *(*nth)(unsigned n))
{
	unsigned best = UINT32_MAX;
	const char *known;

	*out = '\0';
	for (unsigned n = 0; (known = nth(n)); n++) {
		unsigned d = farness(name, known);
		size_t used = strlen(out);
		int more;

		if (d > best)
			continue;
		if (d < best)
			used = 0;
		best = d;
		more = snprintf(out + used, len - used, "%s\"%s\"", used ? " or " : "", known);
		if (more < 0 || (size_t)more >= len - used)
			out[used] = '\0';
	}
}
