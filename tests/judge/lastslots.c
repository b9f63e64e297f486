/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lastslots FILE LENGTH VERSION COOKIE: a label area (VERSION: 1 is v1.1, 2 is v1.2) in whose last two slots
 * there are labels, and nowhere else: it was full once. They are namespaces of 16 MiB, at 0 and 16 MiB,
 * "last-1" and "last-0" by how many slots come behind, with the UUIDs 000000f1-... and 000000f0-...
 */
#include <firmem/io.h>
#include <firmem/label.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define PAGE 4096u

static uint8_t *bytes;

static int copy_write(void *ctx, uint64_t off, const void *from, size_t len, struct fm_error *err)
{
	memcpy(bytes + off, from, len);
	return 0;
}

static int copy_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return 0;
}

static void need(int rc, const struct fm_error *err)
{
	if (!rc)
		return;
	fprintf(stderr, "lastslots: %s\n", err->msg);
	exit(2);
}

static void set_uuid(struct fm_label *l, uint32_t number)
{
	char text[37];

	snprintf(text, sizeof(text), "%08x-1111-4222-8333-444455556666", number);
	if (!fm_label_uuid_parse(text, l->uuid))
		exit(2);
}

static uint32_t slots_of(const struct fm_label_medium *m)
{
	struct fm_label_area *area;
	struct fm_error err;
	uint32_t n;

	need(fm_label_parse(&area, m->bytes, m->len, 0, &err), &err);
	n = fm_label_info(area)->nslot;
	fm_label_free(area);
	return n;
}

/* Each label takes the lowest two free slots in turn and stays in the second: slot 0 is the last to be filled. */
static void fill(const struct fm_label_medium *m, unsigned version, uint64_t cookie)
{
	struct fm_label l = { .nlabel = 1, .isetcookie = cookie, .lbasize = 512 };
	uint32_t nslot = slots_of(m);
	struct fm_error err;

	if (version == FM_LABEL_V1_2)
		fm_label_pmem_guid(l.type_guid);
	for (uint32_t slot = 1; slot < nslot; slot++) {
		uint32_t behind = nslot - 1 - slot;
		bool last = behind < 2;

		l.dpa = last ? (1 - behind) * 16 * MIB : 32 * MIB + slot * PAGE;
		l.rawsize = last ? 16 * MIB : PAGE;
		set_uuid(&l, last ? 0xf0 + behind : 0x1000 + slot);
		snprintf(l.name, sizeof(l.name), "last-%u", behind);
		need(fm_label_add(m, 1, &l, &err), &err);
	}
	for (uint32_t slot = 1; slot < nslot - 2; slot++) {
		set_uuid(&l, 0x1000 + slot);
		need(fm_label_delete(m, 1, l.uuid, &err), &err);
	}
}

int main(int argc, char **argv)
{
	struct fm_label_medium m = { .struct_size = sizeof(m),
				     .write = copy_write,
				     .sync = copy_sync };
	struct fm_error err;
	unsigned version;

	if (argc != 5)
		return fprintf(stderr, "usage: lastslots FILE LENGTH VERSION COOKIE\n"), 2;
	m.len = strtoul(argv[2], NULL, 0);
	version = (unsigned)strtoul(argv[3], NULL, 0);
	bytes = calloc(1, m.len);
	if (!bytes)
		return 2;
	m.bytes = bytes;
	need(fm_label_init(&m, version, &err), &err);
	fill(&m, version, strtoull(argv[4], NULL, 0));
	need(fm_io_store(NULL, argv[1], bytes, m.len, &err), &err);
	free(bytes);
	return 0;
}
