/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem machine ramblock: QEMU's "info ramblock". */
#include "tools/firmem/machine_read.h"
#include "tools/firmem/machine_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/introspect.h>

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct rows {
	struct fm_ramblock *row;
	size_t count;
	char *roms[QEMU_PCI_MAX]; /* names that are ours to free */
};

/* --- the rows ------------------------------------------------------------------------------------ */

#define PAGE_SIZE 4096 /* of pieces that no block of ours stands for */

static struct fm_ramblock *more(struct rows *rows)
{
	rows->row = out_need(reallocarray(rows->row, rows->count + 1, sizeof(*rows->row)));
	rows->row[rows->count] = (struct fm_ramblock){ .page_size = PAGE_SIZE };
	return &rows->row[rows->count++];
}

static void add_block(const struct machine_read *m, const struct fm_block *block, struct rows *rows)
{
	struct fm_ramblock *r = more(rows);

	fm_ramblock_of(block, r);
	r->name = machine_block_name(m, block);
}

/* Made as an object of QEMU's command line, before the board makes anything. */
static bool is_backend(const struct machine_read *m, const struct fm_block *block)
{
	const enum fm_role role = fm_block_role(block);

	return role == FM_ROLE_DIMM || role == FM_ROLE_VIRTIO_MEM || role == FM_ROLE_NVDIMM ||
	       role == FM_ROLE_VIRTIO_PMEM || (m->memdev && machine_block_is_board(m, block));
}

static bool is_flash(const struct machine_read *m, const struct fm_block *block)
{
	for (size_t i = 0; i < m->nflash; i++) {
		if (m->flash[i] == block)
			return true;
	}
	return false;
}

/* In the order in which QEMU makes such blocks: objects, the board's memory, its flash, the rest. */
static void add_blocks(const struct machine_read *m, struct rows *rows)
{
	struct fm_block *block;

	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		if (is_backend(m, block))
			add_block(m, block, rows);
	}
	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		if (machine_block_is_board(m, block) && !is_backend(m, block))
			add_block(m, block, rows);
	}
	for (size_t i = 0; i < m->nflash; i++)
		add_block(m, m->flash[i], rows);
	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		if (!machine_block_is_board(m, block) && !is_backend(m, block) &&
		    !is_flash(m, block))
			add_block(m, block, rows);
	}
}

static void add_tags(const struct machine_read *m, bool secure, const char *name, struct rows *rows)
{
	struct fm_ramblock *r;
	uint64_t first, len;

	if (!machine_tags(m, secure, &first, &len))
		return;
	r = more(rows);
	r->name = name;
	r->used = r->total = (len + (PAGE_SIZE - 1)) / PAGE_SIZE * PAGE_SIZE;
}

/* "0000:00:01.0/virtio-net-pci.rom": devices in slots from 1 on. */
static void add_roms(const struct qemu_virt *virt, struct rows *rows)
{
	for (size_t i = 0; i < virt->npci; i++) {
		struct fm_ramblock *r;

		if (!virt->pci[i].rom)
			continue;
		rows->roms[i] = qemu_virt_rom_name(virt, i);
		r = more(rows);
		r->name = rows->roms[i];
		r->used = r->total = virt->pci[i].rom;
	}
}

/*
 * Blobs of fw_cfg that may grow when the guest makes QEMU build them again. The tables begin with 128
 * KiB, which is enough for some hundreds of CPUs (QEMU, hw/arm/virt-acpi-build.c).
 */
static void add_tables(struct rows *rows)
{
	static const struct {
		const char *name;
		uint64_t used, total;
	} tables[] = {
		{ "/rom@etc/acpi/tables", 0x20000, 0x200000 },
		{ "/rom@etc/table-loader", 0x1000, 0x10000 },
		{ "/rom@etc/acpi/rsdp", 0x1000, 0x1000 },
	};

	for (size_t i = 0; i < COUNT(tables); i++) {
		struct fm_ramblock *r = more(rows);

		r->name = tables[i].name;
		r->used = tables[i].used;
		r->total = tables[i].total;
	}
}

/* QEMU calls the blocks of PCI devices by their slots, which a node of ours does not tell. */
static bool is_known(const struct machine_read *m)
{
	struct fm_block *block;

	fm_machine_foreach_block (m->machine, FM_WALK_MEMORY_DEVICES, block) {
		enum fm_role role = fm_block_role(block);

		if (role != FM_ROLE_VIRTIO_MEM && role != FM_ROLE_VIRTIO_PMEM)
			continue;
		complain("%s: block \"%s\" has role %s, whose name in QEMU is not told here, "
			 "expected --names tree",
			 m->dtb, fm_block_name(block), fm_role_name(role));
		return false;
	}
	return true;
}

/* The rows, placed; false after a complaint. */
static bool collect(const struct machine_read *m, struct rows *rows)
{
	struct fm_error err;

	if (!m->qemu) {
		if (!fm_machine_ramblocks(m->machine, &rows->row, &rows->count, &err))
			return true;
	} else {
		if (!is_known(m))
			return false;
		add_blocks(m, rows);
		add_tags(m, true, "mach-virt.secure-tag", rows);
		add_tags(m, false, "mach-virt.tag", rows);
		if (m->virt.pcie)
			add_roms(&m->virt, rows);
		if (m->virt.fw_cfg && !m->virt.no_acpi)
			add_tables(rows);
		if (!fm_ramblock_place(rows->row, rows->count, &err))
			return true;
	}
	complain("%s: %s", m->dtb, err.msg);
	return false;
}

static void drop(struct rows *rows)
{
	for (size_t i = 0; i < COUNT(rows->roms); i++)
		free(rows->roms[i]);
	free(rows->row);
}

/* --- what is printed ----------------------------------------------------------------------------- */

/* "4 KiB", in the largest unit of which it is at least one; page sizes are powers of two. */
static void page_text(uint64_t size, char *text, size_t len)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned unit = 0;

	for (; size >= 1024; size /= 1024)
		unit++;
	snprintf(text, len, "%llu %s", (unsigned long long)size, units[unit]);
}

/* To the letter as QEMU's monitor has it. */
static void put_text(const struct rows *rows)
{
	printf("%24s %8s  %18s %18s %18s\n", "Block Name", "PSize", "Offset", "Used", "Total");
	for (size_t i = 0; i < rows->count; i++) {
		const struct fm_ramblock *r = &rows->row[i];
		char page[32];

		page_text(r->page_size, page, sizeof(page));
		printf("%24s %8s  0x%016llx 0x%016llx 0x%016llx\n", r->name, page,
		       (unsigned long long)r->offset, (unsigned long long)r->used,
		       (unsigned long long)r->total);
	}
}

static const struct out_column columns[] = {
	{ "name", NULL, OUT_TEXT },      { "page_size", NULL, OUT_SIZE },
	{ "offset", NULL, OUT_ADDRESS }, { "used", NULL, OUT_SIZE },
	{ "total", NULL, OUT_SIZE },     { "role", NULL, OUT_TEXT },
};

static void put_json(const struct machine_read *m, const struct rows *rows)
{
	struct out *out = out_new(true);

	out_value(out, "source", OUT_TEXT, (struct out_value){ .text = m->dtb });
	out_value(out, "machine", OUT_TEXT,
		  (struct out_value){ .text = fm_machine_name(m->machine) });
	out_table(out, "ramblocks", columns, COUNT(columns));
	for (size_t i = 0; i < rows->count; i++) {
		const struct fm_ramblock *r = &rows->row[i];

		out_row(out,
			(const struct out_value[]){
				{ .text = r->name },
				{ .number = r->page_size },
				{ .number = r->offset },
				{ .number = r->used },
				{ .number = r->total },
				{ .text = r->block ? fm_role_name(fm_block_role(r->block)) : NULL,
				  .absent = !r->block },
			});
	}
	out_table_end(out);
	out_end(out, STATUS_YES);
}

static const char help_text[] =
	"One line for each block of memory, mapped or not, largest first, as the monitor of QEMU 7.2\n"
	"prints it: PSize is the page really obtained on the host, Offset the place in QEMU's space\n"
	"of RAM addresses (no guest address), Used and Total the bytes in use and the most it may have.\n"
	"\n"
	"Examples:\n"
	"  qemu-system-aarch64 -M virt,dumpdtb=virt.dtb -cpu cortex-a57 -m 1G\n"
	"  firmem machine ramblock --dtb virt.dtb\n"
	"  firmem machine ramblock --dtb virt.dtb --pci none     # QEMU's -nic none\n"
	"  firmem machine ramblock --dtb virt.dtb --machine virt,mte=on\n";

static bool show(struct machine_read *m)
{
	struct rows rows = { .row = NULL };
	bool ok = collect(m, &rows);

	if (ok && m->json)
		put_json(m, &rows);
	else if (ok)
		put_text(&rows);
	drop(&rows);
	return ok;
}

enum status machine_ramblock_run(int argc, char **argv)
{
	static const struct machine_verb verb = {
		.command = "machine ramblock",
		.summary =
			"Show the blocks of a machine's memory as QEMU's \"info ramblock\" does.",
		.text = help_text,
		.options = MACHINE_MEMDEV | MACHINE_PCI | MACHINE_ACPI | MACHINE_TYPE,
		.show = show,
	};

	return machine_show(&verb, argc, argv);
}
