/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem machine mtree: QEMU's "info mtree -f". */
#include "tools/firmem/doc.h"
#include "tools/firmem/machine_read.h"
#include "tools/firmem/machine_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/introspect.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* An address space: who looks at a view, and by what name the view's root goes. */
struct as {
	char name[QEMU_NAME];
	char root[QEMU_NAME];
};

struct range {
	uint64_t first, last;
	int priority;
	bool nonvolatile;
	const char *type;
	const char *name;
	uint64_t off;
};

struct view {
	struct as *spaces;
	size_t nspaces;
	const char *root; /* of the view; NULL: nothing is rendered */
	struct range *ranges;
	size_t nranges;
	char *owned; /* a name of its ranges that is ours to free */
};

struct views {
	struct view *view;
	size_t count;
};

/* --- making them --------------------------------------------------------------------------------- */

static struct view *more(struct views *views)
{
	views->view = out_need(reallocarray(views->view, views->count + 1, sizeof(*views->view)));
	views->view[views->count] = (struct view){ .root = NULL };
	return &views->view[views->count++];
}

FM_PRINTF(3, 4)
static void add_space(struct view *v, const char *root, const char *fmt, ...)
{
	struct as *as;
	va_list args;

	v->spaces = out_need(reallocarray(v->spaces, v->nspaces + 1, sizeof(*v->spaces)));
	as = &v->spaces[v->nspaces++];
	snprintf(as->root, sizeof(as->root), "%s", root);
	va_start(args, fmt);
	vsnprintf(as->name, sizeof(as->name), fmt, args);
	va_end(args);
}

/* One range that is all of the view. */
static void add_whole(struct view *v, uint64_t last, const char *name)
{
	v->ranges = out_need(calloc(1, sizeof(*v->ranges)));
	v->ranges[v->nranges++] = (struct range){ .last = last, .type = "i/o", .name = name };
}

static bool fill(const struct machine_read *m, struct fm_space *space, struct view *v)
{
	struct fm_flat *flat;
	struct fm_error err;

	if (fm_space_flat(space, &flat, &v->nranges, &err)) {
		complain("%s: %s", m->dtb, err.msg);
		return false;
	}
	v->ranges = out_need(calloc(v->nranges + 1, sizeof(*v->ranges)));
	for (size_t i = 0; i < v->nranges; i++) {
		const struct fm_flat *f = &flat[i];

		/* QEMU names memory by its block, and tells the place in the region that has it. */
		v->ranges[i] = (struct range){
			.first = f->gpa,
			.last = f->gpa + (f->len - 1),
			.priority = f->priority,
			.nonvolatile = f->nonvolatile,
			.type = fm_flat_kind_name(f->kind),
			.name = f->block ? machine_block_name(m, f->block) : f->window,
			.off = f->dev_off,
		};
	}
	free(flat);
	return true;
}

/* The views of the machine's memory, of the normal and of the secure world, and who looks at them. */
static bool add_memory(const struct machine_read *m, struct fm_space *space, struct views *views)
{
	bool normal = space == fm_machine_next_space(m->machine, NULL);
	struct view *v = more(views);

	v->root = m->qemu && normal ? "system" : fm_space_name(space);
	if (normal || !m->qemu)
		add_space(v, v->root, "%s", fm_space_name(space));
	for (unsigned i = 0; m->qemu && i < m->virt.cpus; i++)
		add_space(v, v->root, normal ? "cpu-memory-%u" : "cpu-secure-memory-%u", i);
	/* its=off leaves the space. */
	if (m->qemu && normal && m->virt.gicv3 && m->virt.version >= QEMU_VIRT_ITS)
		add_space(v, v->root, "gicv3-its-sysmem");
	return fill(m, space, v);
}

/* Behind an SMMU each PCI device has a view of its own; nothing else is in it. */
static void add_smmu(struct views *views, unsigned devfn, size_t nth)
{
	struct view *v = more(views);

	if (asprintf(&v->owned, "smmuv3-iommu-memory-region-%u-%zu", devfn, nth) < 0)
		out_need(NULL);
	v->root = v->owned;
	add_space(v, v->owned, "%s", v->owned);
	add_whole(v, (UINT64_C(1) << 48) - 1, v->owned);
}

/* What QEMU has beside the memory: ports that no CPU of Arm's sees, and PCI devices that may not yet
 * master their bus. */
static void add_qemu(const struct qemu_virt *virt, struct views *views)
{
	struct view *v = more(views);

	v->root = "io";
	add_space(v, "io", "I/O");
	add_whole(v, 0xffff, "io");
	if (!virt->pcie)
		return;
	v = more(views);
	add_space(v, "bus master container", "gpex-root");
	for (size_t i = 0; i < virt->npci; i++)
		add_space(v, "bus master container", "%s", virt->pci[i].name);
	for (size_t i = 0; virt->smmu && virt->iommu_map && i <= virt->npci; i++)
		add_smmu(views, (unsigned)i * 8, i);
}

static void tag_range(struct view *v, uint64_t first, uint64_t len, const char *name)
{
	v->ranges[v->nranges++] = (struct range){
		.first = first, .last = first + (len - 1), .type = "ram", .name = name
	};
}

/* Where the CPUs of a world find memory tags; the secure one has those of both. */
static void add_tags(const struct machine_read *m, bool secure, struct views *views)
{
	uint64_t first, len;
	struct view *v;

	if (!m->virt.mte)
		return;
	v = more(views);
	v->root = secure ? "secure-tag-memory" : "tag-memory";
	for (unsigned i = 0; i < m->virt.cpus; i++)
		add_space(v, v->root, "cpu-tag-memory-%u", i);
	v->ranges = out_need(calloc(2, sizeof(*v->ranges)));
	if (secure && machine_tags(m, true, &first, &len))
		tag_range(v, first, len, "mach-virt.secure-tag");
	if (machine_tags(m, false, &first, &len))
		tag_range(v, first, len, "mach-virt.tag");
}

static bool collect(const struct machine_read *m, struct views *views)
{
	struct fm_space *space;

	if (m->qemu && m->virt.virtio_iommu) {
		complain("%s: has a virtio-iommu, whose address spaces are not told here, expected "
			 "none, or --names tree",
			 m->dtb);
		return false;
	}
	fm_machine_foreach_space (m->machine, space) {
		if (!add_memory(m, space, views))
			return false;
		add_tags(m, space != fm_machine_next_space(m->machine, NULL), views);
	}
	if (m->qemu)
		add_qemu(&m->virt, views);
	return true;
}

static void drop(struct views *views)
{
	for (size_t i = 0; i < views->count; i++) {
		free(views->view[i].spaces);
		free(views->view[i].ranges);
		free(views->view[i].owned);
	}
	free(views->view);
}

/* --- what is printed ----------------------------------------------------------------------------- */

static void put_range(const struct range *r)
{
	printf("  %016llx-%016llx (prio %d, %s%s): %s", (unsigned long long)r->first,
	       (unsigned long long)r->last, r->priority, r->nonvolatile ? "nv-" : "", r->type,
	       r->name);
	if (r->off)
		printf(" @%016llx", (unsigned long long)r->off);
	putchar('\n');
}

/* To the letter as QEMU's monitor has it. */
static void put_text(const struct views *views)
{
	for (size_t i = 0; i < views->count; i++) {
		const struct view *v = &views->view[i];

		printf("FlatView #%zu\n", i);
		for (size_t n = 0; n < v->nspaces; n++)
			printf(" AS \"%s\", root: %s\n", v->spaces[n].name, v->spaces[n].root);
		printf(" Root memory region: %s\n", v->root ? v->root : "(none)");
		if (!v->nranges)
			printf("  No rendered FlatView\n");
		for (size_t n = 0; n < v->nranges; n++)
			put_range(&v->ranges[n]);
		putchar('\n');
	}
}

static struct doc *range_doc(const struct range *r)
{
	struct doc *o = doc_make_object();

	doc_put(o, "start", doc_make_hex(r->first));
	doc_put(o, "end", doc_make_hex(r->last));
	doc_put(o, "priority",
		r->priority < 0 ? doc_make_null() : doc_make_number((uint64_t)r->priority));
	doc_put(o, "type", doc_make_text(r->type));
	doc_put(o, "nonvolatile", doc_make_bool(r->nonvolatile));
	doc_put(o, "name", doc_make_text(r->name));
	doc_put(o, "offset", doc_make_hex(r->off));
	return o;
}

static struct doc *view_doc(const struct view *v)
{
	struct doc *o = doc_make_object();
	struct doc *spaces = doc_make_array();
	struct doc *ranges = doc_make_array();

	for (size_t i = 0; i < v->nspaces; i++) {
		struct doc *as = doc_make_object();

		doc_put(as, "name", doc_make_text(v->spaces[i].name));
		doc_put(as, "root", doc_make_text(v->spaces[i].root));
		doc_push(spaces, as);
	}
	for (size_t i = 0; i < v->nranges; i++)
		doc_push(ranges, range_doc(&v->ranges[i]));
	doc_put(o, "address_spaces", spaces);
	doc_put(o, "root", v->root ? doc_make_text(v->root) : doc_make_null());
	doc_put(o, "ranges", ranges);
	return o;
}

static void put_json(const struct machine_read *m, const struct views *views)
{
	struct doc *o = doc_make_object();
	struct doc *list = doc_make_array();

	for (size_t i = 0; i < views->count; i++)
		doc_push(list, view_doc(&views->view[i]));
	machine_put_head(m, o);
	doc_put(o, "flatviews", list);
	doc_print(o, false);
	doc_free(o);
}

static const char help_text[] =
	"Each address space flat, as the guest sees it, in the form of \"info mtree -f\" of QEMU 7.2:\n"
	"ranges without overlaps, with the window's priority, what the guest finds there (ram, nv-ram,\n"
	"rom, romd for flash in read mode, ramd for memory of a host's device, i/o), whose it is, and\n"
	"behind @ where in that it begins. QEMU numbers its views in an order that changes from run to\n"
	"run; here memory comes first.\n"
	"\n"
	"Examples:\n"
	"  qemu-system-aarch64 -M virt,dumpdtb=virt.dtb -cpu cortex-a57 -m 1G\n"
	"  firmem machine mtree --dtb virt.dtb\n"
	"  firmem machine mtree --dtb virt.dtb --json | jq '.flatviews[0].ranges[].name'\n";

static bool show(struct machine_read *m)
{
	struct views views = { .view = NULL };
	bool ok = collect(m, &views);

	if (ok && m->json)
		put_json(m, &views);
	else if (ok)
		put_text(&views);
	drop(&views);
	return ok;
}

enum status machine_mtree_run(int argc, char **argv)
{
	static const struct machine_verb verb = {
		.command = "machine mtree",
		.summary = "Show a machine's address spaces as QEMU's \"info mtree -f\" does.",
		.text = help_text,
		.options = MACHINE_MEMDEV | MACHINE_PCI | MACHINE_TYPE,
		.show = show,
	};

	return machine_show(&verb, argc, argv);
}
