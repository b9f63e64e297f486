/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that come and go, for qemu_ramblock.py: "add NAME BYTES" and "del NAME" on standard input; after
 * each line the rows, in the form of QEMU's "info ramblock", and an empty line. QEMU gives a backend's
 * block no name until a device uses it, so none is printed.
 */
#include <firmem/introspect.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 256

static struct fm_ramblock rows[MOST];
static size_t count;

static int add(const char *name, uint64_t len)
{
	struct fm_error err;

	if (count == MOST)
		return 1;
	rows[count++] = (struct fm_ramblock){
		.name = strdup(name), .page_size = 4096, .used = len, .total = len
	};
	if (!fm_ramblock_place(rows, count, &err))
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return 1;
}

static int del(const char *name)
{
	size_t i = 0;

	while (i < count && strcmp(rows[i].name, name) != 0)
		i++;
	if (i == count)
		return 1;
	count--;
	memmove(rows + i, rows + i + 1, (count - i) * sizeof(*rows));
	return 0;
}

static void print(void)
{
	printf("%24s %8s  %18s %18s %18s\n", "Block Name", "PSize", "Offset", "Used", "Total");
	for (size_t i = 0; i < count; i++)
		printf("%24s %8s  0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIx64 "\n", "",
		       "4 KiB", rows[i].offset, rows[i].used, rows[i].total);
	printf("\n");
}

int main(void)
{
	char line[128], name[64];
	uint64_t len;

	while (fgets(line, sizeof(line), stdin)) {
		int bad;

		if (sscanf(line, "add %63s %" SCNu64, name, &len) == 2)
			bad = add(name, len);
		else
			bad = sscanf(line, "del %63s", name) != 1 || del(name);
		if (bad) {
			fprintf(stderr, "cannot: %s", line);
			return 2;
		}
		print();
	}
	return 0;
}
