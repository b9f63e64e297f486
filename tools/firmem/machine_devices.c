/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem machine memory-devices: QEMU's command of that name, and query-memory-devices in JSON. */
#include "tools/firmem/doc.h"
#include "tools/firmem/machine_read.h"
#include "tools/firmem/machine_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/dimm.h>

#include <stdio.h>

/* A property as it is printed, and under which name. */
struct property {
	const char *key;
	enum {
		PROPERTY_ADDRESS,
		PROPERTY_SIZE, /* bytes */
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

static void add_number(struct device *d, const char *key, uint64_t number)
{
	add(d, (struct property){ key, PROPERTY_NUMBER, number, NULL });
}

static void add_bool(struct device *d, const char *key, bool value)
{
	add(d, (struct property){ key, PROPERTY_BOOL, value, NULL });
}

/* What is known of it: from its slot, where the machine has slots, else what its window tells. */
struct place {
	const char *id;
	bool hidden;
	uint64_t gpa;
	uint64_t len;
	unsigned slot;
	unsigned node;
	bool hotplugged;
	bool hotpluggable;
};

static void find_place(const struct machine_read *m, const struct fm_dimms *slots,
		       const struct fm_block *block, unsigned nth, struct place *p)
{
	const struct fm_dimm *dimm = slots ? fm_dimms_holding(slots, block) : NULL;
	const struct fm_window *w = machine_block_window(m, block);

	if (dimm)
		*p = (struct place){ .id = fm_dimm_id(dimm),
				     .gpa = fm_dimm_gpa(dimm),
				     .len = fm_dimm_len(dimm),
				     .slot = fm_dimm_slot(dimm),
				     .node = fm_dimm_node(dimm),
				     .hotplugged = fm_dimm_hotplugged(dimm),
				     .hotpluggable = fm_dimm_hotpluggable(dimm) };
	else
		*p = (struct place){ .id = w ? fm_dev_name(fm_window_dev(w)) : fm_block_name(block),
				     .hidden = !w,
				     .gpa = w ? fm_window_gpa(w) : 0,
				     .len = fm_block_len(block),
				     .slot = nth,
				     .hotpluggable = true };
}

/* The properties in QEMU's order; those that only its device could tell are left out. */
static void describe(const struct machine_read *m, const struct fm_dimms *slots,
		     const struct fm_block *block, unsigned nth, struct device *d)
{
	enum fm_role role = fm_block_role(block);
	bool slotted = role == FM_ROLE_DIMM || role == FM_ROLE_NVDIMM;
	struct place p;

	find_place(m, slots, block, nth, &p);
	d->type = fm_role_name(role);
	d->id = p.id;
	snprintf(d->memdev, sizeof(d->memdev), "/objects/%s", machine_block_name(m, block));
	d->count = 0;
	add(d, (struct property){ slotted ? "addr" : "memaddr", PROPERTY_ADDRESS, p.gpa,
				  p.hidden ? "hidden" : NULL });
	if (slotted)
		add_number(d, "slot", p.slot);
	if (role != FM_ROLE_VIRTIO_PMEM)
		add_number(d, "node", p.node);
	add(d, (struct property){ "size", PROPERTY_SIZE, p.len, NULL });
	if (role == FM_ROLE_VIRTIO_MEM)
		add(d, (struct property){ "max-size", PROPERTY_SIZE, p.len, NULL });
	add(d, (struct property){ "memdev", PROPERTY_TEXT, 0, d->memdev });
	if (slotted) {
		add_bool(d, "hotplugged", p.hotplugged);
		add_bool(d, "hotpluggable", p.hotpluggable);
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
	if (p->text)
		return doc_make_null();
	return p->kind == PROPERTY_NUMBER ? doc_make_number(p->number) : doc_make_hex(p->number);
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
	const struct fm_dimms *slots = fm_dimms_of(m->machine);
	struct fm_block *block;
	unsigned slot = 0;

	fm_machine_foreach_block (m->machine, FM_WALK_MEMORY_DEVICES, block) {
		struct device d;

		describe(m, slots, block, slot, &d);
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
	"QEMU's own trees have none of them: docs/machines.md says how a tree tells of one, and of slots;\n"
	"without slots a DIMM's slot is its place in the tree. No output: the machine has none.\n"
	"With --json the members of an entry are those of QMP's query-memory-devices; addresses and sizes\n"
	"are \"0x...\", as in all of our JSON.\n"
	"\n"
	"Examples:\n"
	"  dtc -O dtb -o q35.dtb examples/machines/x86-q35.dts\n"
	"  firmem machine memory-devices --dtb q35.dtb\n"
	"  firmem machine memory-devices --dtb q35.dtb --json | jq '.memory_devices[].data.addr'\n";

static bool show(struct machine_read *m)
{
	if (m->json)
		put_json(m);
	else
		put_devices(m, NULL);
	return true;
}

enum status machine_devices_run(int argc, char **argv)
{
	static const struct machine_verb verb = {
		.command = "machine memory-devices",
		.summary =
			"Show a machine's memory devices as QEMU's \"info memory-devices\" does.",
		.text = help_text,
		.options = 0,
		.show = show,
	};

	return machine_show(&verb, argc, argv);
}
