/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem machine memory-devices: QEMU's command of that name, and query-memory-devices in JSON. */
#include "tools/firmem/doc.h"
#include "tools/firmem/machine_read.h"
#include "tools/firmem/machine_verbs.h"
#include "tools/firmem/out.h"

#include <stdio.h>
#include <stdlib.h>

/* A property as it is printed, and under which name. */
struct property {
	const char *key;
	enum {
		PROPERTY_ADDRESS,
		PROPERTY_NUMBER,
		PROPERTY_TEXT,
		PROPERTY_BOOL
	} kind;
	uint64_t number;
	const char *text; /* PROPERTY_ADDRESS: in place of an address, or NULL */
};

#define PROPERTIES 8

struct device {
	const char *type; /* as QMP calls it */
	const char *id;
	char memdev[QEMU_NAME + 80];
	struct property list[PROPERTIES];
	size_t count;
};

static void add(struct device *d, struct property p)
{
	d->list[d->count++] = p;
}

static void add_address(struct device *d, const char *key, const struct fm_window *w)
{
	add(d, (struct property){ key, PROPERTY_ADDRESS, w ? fm_window_gpa(w) : 0,
				  w ? NULL : "hidden" });
}

static void add_memdev(struct device *d)
{
	add(d, (struct property){ "memdev", PROPERTY_TEXT, 0, d->memdev });
}

/* Slots are counted in the order of the tree. */
static void describe(const struct machine_read *m, const struct fm_block *block, unsigned nth,
		     struct device *d)
{
	const struct fm_window *w = machine_block_window(m, block);
	enum fm_role role = fm_block_role(block);
	bool slotted = role == FM_ROLE_DIMM || role == FM_ROLE_NVDIMM;
	struct property size = { "size", PROPERTY_NUMBER, fm_block_len(block), NULL };

	d->type = fm_role_name(role);
	d->id = w ? fm_dev_name(fm_window_dev(w)) : fm_block_name(block);
	snprintf(d->memdev, sizeof(d->memdev), "/objects/%s", machine_block_name(m, block));
	d->count = 0;
	add_address(d, slotted ? "addr" : "memaddr", w);
	if (slotted)
		add(d, (struct property){ "slot", PROPERTY_NUMBER, nth, NULL });
	if (role != FM_ROLE_VIRTIO_PMEM)
		add(d, (struct property){ "node", PROPERTY_NUMBER, 0, NULL });
	add(d, size);
	if (role == FM_ROLE_VIRTIO_MEM) {
		size.key = "max-size";
		add(d, size);
	}
	add_memdev(d);
	if (slotted) {
		add(d, (struct property){ "hotplugged", PROPERTY_BOOL, false, NULL });
		add(d, (struct property){ "hotpluggable", PROPERTY_BOOL, true, NULL });
	}
}

static void put_property(const struct property *p)
{
	printf("  %s: ", p->key);
	if (p->text)
		puts(p->text);
	else if (p->kind == PROPERTY_ADDRESS)
		printf("0x%llx\n", (unsigned long long)p->number);
	else if (p->kind == PROPERTY_BOOL)
		puts(p->number ? "true" : "false");
	else
		printf("%llu\n", (unsigned long long)p->number);
}

static void put_text(const struct device *d)
{
	printf("Memory device [%s]: \"%s\"\n", d->type, d->id);
	for (size_t i = 0; i < d->count; i++)
		put_property(&d->list[i]);
}

static struct doc *property_doc(const struct property *p)
{
	if (p->kind == PROPERTY_BOOL)
		return doc_make_bool(p->number != 0);
	if (p->kind == PROPERTY_TEXT)
		return doc_make_text(p->text);
	return p->text ? doc_make_null() : doc_make_number(p->number);
}

static struct doc *device_doc(const struct device *d)
{
	struct doc *o = doc_make_object();
	struct doc *data = doc_make_object();

	doc_put(data, "id", doc_make_text(d->id));
	for (size_t i = 0; i < d->count; i++)
		doc_put(data, d->list[i].key, property_doc(&d->list[i]));
	doc_put(o, "type", doc_make_text(d->type));
	doc_put(o, "data", data);
	return o;
}

/* To `list`, or as text where that is NULL. */
static void put_devices(const struct machine_read *m, struct doc *list)
{
	struct fm_block *block;
	unsigned slot = 0;

	fm_machine_foreach_block (m->machine, FM_WALK_MEMORY_DEVICES, block) {
		struct device d;

		describe(m, block, slot, &d);
		slot += fm_block_role(block) == FM_ROLE_DIMM ||
			fm_block_role(block) == FM_ROLE_NVDIMM;
		if (list)
			doc_push(list, device_doc(&d));
		else
			put_text(&d);
	}
}

static void put_json(const struct machine_read *m)
{
	struct doc *o = doc_make_object();
	struct doc *list = doc_make_array();

	put_devices(m, list);
	machine_put_head(m, o);
	doc_put(o, "memory_devices", list);
	doc_print(o, false);
	doc_free(o);
}

static const char help_text[] =
	"DIMMs, NVDIMMs, virtio-mem and virtio-pmem, in the form of \"info memory-devices\" of QEMU 7.2.\n"
	"QEMU's own trees have none of them: docs/machines.md says how a tree tells of one. No output: the\n"
	"machine has none. With --json the members of an entry are those of QMP's query-memory-devices.\n"
	"\n"
	"Examples:\n"
	"  dtc -O dtb -o q35.dtb examples/machines/x86-q35.dts\n"
	"  firmem machine memory-devices --dtb q35.dtb\n"
	"  firmem machine memory-devices --dtb q35.dtb --json | jq '.memory_devices[].data.addr'\n";

enum status machine_devices_run(int argc, char **argv)
{
	struct machine_read m = { .dtb = NULL };
	struct args_option options[MACHINE_OPTIONS];
	const struct args_spec spec = {
		.command = "machine memory-devices",
		.summary =
			"Show a machine's memory devices as QEMU's \"info memory-devices\" does.",
		.text = help_text,
		.options = options,
		.count = machine_read_options(&m, 0, options),
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!machine_read(&m, spec.command))
		return STATUS_BAD;
	if (m.json)
		put_json(&m);
	else
		put_devices(&m, NULL);
	machine_read_free(&m);
	return STATUS_YES;
}
