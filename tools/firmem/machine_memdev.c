/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem machine memdev: QEMU's "info memdev", and query-memdev in JSON. */
#include "tools/firmem/doc.h"
#include "tools/firmem/machine_read.h"
#include "tools/firmem/machine_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/reset.h>

#include <stdio.h>

/* Made of memory that the host's user chooses: QEMU's memory backends. */
static bool has_backend(const struct machine_read *m, const struct fm_block *block)
{
	switch (fm_block_role(block)) {
	case FM_ROLE_RAM:
		/* QEMU's board makes the secure world's by itself. */
		return !m->qemu || !machine_block_is_secure(m, block);
	case FM_ROLE_DIMM:
	case FM_ROLE_VIRTIO_MEM:
	case FM_ROLE_NVDIMM:
	case FM_ROLE_VIRTIO_PMEM:
		return true;
	case FM_ROLE_NONE:
	case FM_ROLE_ROM:
	case FM_ROLE_OPTION_ROM:
	case FM_ROLE_FLASH_CODE:
	case FM_ROLE_FLASH_VARS:
	case FM_ROLE_VRAM:
	case FM_ROLE_LABEL:
	case FM_ROLE_TABLE:
	case FM_ROLE_DEVICE:
	case FM_ROLE_PPI:
	case FM_ROLE_SMRAM:
	case FM_ROLE_PRIVATE:
	case FM_ROLE_S3_PRESERVED:
	case FM_ROLE_COUNT:
		break;
	}
	return false;
}

struct memdev {
	const char *id;
	uint64_t size;
	bool merge;
	bool share;
};

static struct memdev memdev_of(const struct machine_read *m, const struct fm_block *block)
{
	return (struct memdev){
		.id = machine_block_name(m, block),
		.size = fm_block_len(block),
		/* QEMU lets the kernel merge equal pages unless told not to; we never ask for it. */
		.merge = m->qemu,
		.share = machine_block_declared(m, block) & FM_RESET_BACKING_SHARED,
	};
}

static const char *word(bool b)
{
	return b ? "true" : "false";
}

static void put_text(const struct machine_read *m)
{
	struct fm_block *block;

	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		struct memdev d;

		if (!has_backend(m, block))
			continue;
		d = memdev_of(m, block);
		printf("memory backend: %s\n", d.id);
		printf("  size:  %llu\n", (unsigned long long)d.size);
		printf("  merge: %s\n", word(d.merge));
		printf("  dump: true\n  prealloc: false\n");
		printf("  share: %s\n", word(d.share));
		/* QEMU ends the empty list of nodes with a blank. */
		printf("  reserve: true\n  policy: default\n  host nodes: \n");
	}
	putchar('\n');
}

static struct doc *memdev_doc(const struct memdev *d)
{
	struct doc *o = doc_make_object();

	doc_put(o, "id", doc_make_text(d->id));
	doc_put(o, "size", doc_make_hex(d->size));
	doc_put(o, "merge", doc_make_bool(d->merge));
	doc_put(o, "dump", doc_make_bool(true));
	doc_put(o, "prealloc", doc_make_bool(false));
	doc_put(o, "share", doc_make_bool(d->share));
	doc_put(o, "reserve", doc_make_bool(true));
	doc_put(o, "policy", doc_make_text("default"));
	doc_put(o, "host-nodes", doc_make_array());
	return o;
}

static void put_json(const struct machine_read *m)
{
	struct doc *o = doc_make_object();
	struct doc *list = doc_make_array();
	struct fm_block *block;

	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		if (has_backend(m, block)) {
			struct memdev d = memdev_of(m, block);

			doc_push(list, memdev_doc(&d));
		}
	}
	machine_put_head(m, o);
	doc_put(o, "memdevs", list);
	doc_print(o, false);
	doc_free(o);
}

static const char help_text[] =
	"The memory that RAM, DIMMs and persistent memory are made of on the host, in the form of \"info\n"
	"memdev\" of QEMU 7.2. \"share\" is what the tree says of it (firmem,shared, or a backing that is\n"
	"always shared); nothing is preallocated or bound to a node of the host here.\n"
	"With --json the members of an entry are those of QMP's query-memdev; a size is \"0x...\", as in\n"
	"all of our JSON.\n"
	"\n"
	"Examples:\n"
	"  firmem machine memdev --dtb virt.dtb\n"
	"  firmem machine memdev --dtb virt.dtb --json | jq '.memdevs[].size'\n";

static bool show(struct machine_read *m)
{
	if (m->json)
		put_json(m);
	else
		put_text(m);
	return true;
}

enum status machine_memdev_run(int argc, char **argv)
{
	static const struct machine_verb verb = {
		.command = "machine memdev",
		.summary =
			"Show what a machine's memory is made of as QEMU's \"info memdev\" does.",
		.text = help_text,
		.options = MACHINE_MEMDEV,
		.show = show,
	};

	return machine_show(&verb, argc, argv);
}
