/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/machine_read.h"

#include "tools/firmem/input.h"
#include "tools/firmem/out.h"
#include "tools/firmem/tree.h"

#include <firmem/ram.h>
#include <firmem/reset.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINDINGS 24

/* What is looked up by a block. */
struct machine_block {
	const struct fm_block *block;
	const struct fm_window *window; /* the lowest that shows it, or NULL */
	char *name;                     /* in place of its own, or NULL */
	unsigned declared;              /* enum fm_reset_backing_bit */
	bool secure;                    /* only the secure world sees it */
};

enum names {
	NAMES_AUTO,
	NAMES_QEMU,
	NAMES_TREE
};

static const char *const names_words[] = { "auto", "qemu", "tree", NULL };

/* --- the command line ---------------------------------------------------------------------------- */

size_t machine_read_options(struct machine_read *m, unsigned which, struct args_option *options)
{
	size_t n = 0;

	m->which = which;
	options[n++] =
		(struct args_option){ "dtb",   ARGS_TEXT, "FILE", "the machine's device tree blob",
				      &m->dtb, true };
	options[n++] =
		(struct args_option){ "json", ARGS_FLAG, NULL, "print one JSON object", &m->json };
	options[n++] = (struct args_option){ "names",
					     ARGS_CHOICE,
					     "WHOSE",
					     "qemu: the names and parts of QEMU's machine\n"
					     "virt; tree: what the tree says and no more;\n"
					     "auto (default): qemu for a tree of QEMU's virt",
					     &m->names,
					     .choices = names_words };
	if (which & MACHINE_MEMDEV)
		options[n++] =
			(struct args_option){ "memdev", ARGS_TEXT, "NAME,...",
					      "QEMU's memory backends behind the tree's memory,\n"
					      "lowest address first; default mach-virt.ram",
					      &m->memdev };
	if (which & MACHINE_PCI)
		options[n++] =
			(struct args_option){ "pci", ARGS_TEXT, "NAME[:SIZE],...",
					      "QEMU's PCI devices from slot 1 on, with the size\n"
					      "of the option ROM; none; default\n"
					      "virtio-net-pci:256K",
					      &m->pci };
	if (which & MACHINE_ACPI)
		options[n++] = (struct args_option){ "no-acpi", ARGS_FLAG, NULL,
						     "QEMU's machine was started with acpi=off",
						     &m->no_acpi };
	if (which & MACHINE_TYPE)
		options[n++] =
			(struct args_option){ "machine", ARGS_TEXT, "TYPE[,KEY=VALUE...]",
					      "QEMU's type of machine, needed for virt-6.1 and\n"
					      "older, and gic-version=4, mte=on, nvdimm=on,\n"
					      "which its tree does not tell; default virt",
					      &m->type };
	return n;
}

/* --- names --------------------------------------------------------------------------------------- */

static bool is_flash(const struct fm_block *block)
{
	return fm_block_role(block) == FM_ROLE_FLASH_CODE ||
	       fm_block_role(block) == FM_ROLE_FLASH_VARS;
}

static const struct fm_block *window_block(const struct fm_window *w)
{
	struct fm_mapping map = { .block = NULL };

	return fm_dev_map(fm_window_dev(w), fm_window_dev_off(w), &map) ? NULL : map.block;
}

static int by_pointer(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct machine_block *)a)->block;
	uintptr_t y = (uintptr_t)((const struct machine_block *)b)->block;

	return (x > y) - (x < y);
}

static struct machine_block *find(const struct machine_read *m, const struct fm_block *block)
{
	const struct machine_block key = { .block = block };

	return m->nblocks ? bsearch(&key, m->blocks, m->nblocks, sizeof(key), by_pointer) : NULL;
}

const char *machine_block_name(const struct machine_read *m, const struct fm_block *block)
{
	const struct machine_block *b = find(m, block);

	if (b && b->name)
		return b->name;
	return *fm_block_name(block) ? fm_block_name(block) : "(unnamed)";
}

const struct fm_window *machine_block_window(const struct machine_read *m,
					     const struct fm_block *block)
{
	const struct machine_block *b = find(m, block);

	return b ? b->window : NULL;
}

/* fm_machine_from_fdt() calls such blocks so. */
static bool is_memory(const struct fm_block *block)
{
	return fm_block_role(block) == FM_ROLE_RAM && !strncmp(fm_block_name(block), "memory@", 7);
}

bool machine_block_is_board(const struct machine_read *m, const struct fm_block *block)
{
	const struct machine_block *b = find(m, block);

	return b && !b->secure && is_memory(block);
}

bool machine_block_is_secure(const struct machine_read *m, const struct fm_block *block)
{
	const struct machine_block *b = find(m, block);

	return b && b->secure;
}

/* Four bits for 16 bytes (Arm ARM, D8.2). */
#define TAGGED 32u

bool machine_tags(const struct machine_read *m, bool secure, uint64_t *first, uint64_t *len)
{
	uint64_t low = UINT64_MAX;
	uint64_t sum = 0;

	for (size_t i = 0; m->virt.mte && i < m->nblocks; i++) {
		const struct machine_block *b = &m->blocks[i];
		uint64_t gpa = b->window ? fm_window_gpa(b->window) : 0;

		if (b->secure != secure || !is_memory(b->block))
			continue;
		low = gpa < low ? gpa : low;
		sum += fm_block_len(b->block);
	}
	*first = low / TAGGED;
	*len = sum / TAGGED;
	return sum != 0;
}

unsigned machine_block_declared(const struct machine_read *m, const struct fm_block *block)
{
	const struct machine_block *b = find(m, block);

	return b ? b->declared : 0;
}

static void add_block(struct machine_read *m, const struct fm_block *block, unsigned declared)
{
	m->blocks = out_need(reallocarray(m->blocks, m->nblocks + 1, sizeof(*m->blocks)));
	m->blocks[m->nblocks++] = (struct machine_block){ .block = block, .declared = declared };
}

static int note_declared(void *ctx, const struct fm_block *block, unsigned declared,
			 struct fm_error *err)
{
	add_block(ctx, block, declared);
	return 0;
}

int machine_make_device(void *ctx, const struct fm_fdt_node *node, struct fm_block *block,
			struct fm_dev **out, struct fm_error *err)
{
	enum fm_role role = fm_block_role(block);
	const struct fm_ram_config cfg = { .struct_size = sizeof(cfg),
					   .block = block,
					   .read_only = role == FM_ROLE_ROM ||
							role == FM_ROLE_OPTION_ROM };

	return fm_ram_new(out, &cfg, err);
}

/* Those of "firmem,memory" nodes are there already. */
static void list_blocks(struct machine_read *m)
{
	struct fm_block *block;
	size_t known = m->nblocks;

	if (known)
		qsort(m->blocks, known, sizeof(*m->blocks), by_pointer);
	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		const struct machine_block key = { .block = block };

		if (!known || !bsearch(&key, m->blocks, known, sizeof(key), by_pointer))
			add_block(m, block, 0);
	}
	if (m->nblocks)
		qsort(m->blocks, m->nblocks, sizeof(*m->blocks), by_pointer);
}

static int by_window(const void *a, const void *b, void *m)
{
	uint64_t x = fm_window_gpa(machine_block_window(m, *(const struct fm_block *const *)a));
	uint64_t y = fm_window_gpa(machine_block_window(m, *(const struct fm_block *const *)b));

	return (x > y) - (x < y);
}

/* Note of each block where it is, and the flash in order of address. */
static void list_windows(struct machine_read *m)
{
	const struct fm_space *normal = fm_machine_next_space(m->machine, NULL);
	struct fm_space *space;

	m->flash = out_need(calloc(m->nblocks + 1, sizeof(const struct fm_block *)));
	fm_machine_foreach_space (m->machine, space) {
		for (struct fm_window *w = NULL; (w = fm_space_next_window(space, w));) {
			const struct fm_block *block = window_block(w);
			struct machine_block *b = block ? find(m, block) : NULL;

			if (!b || b->window)
				continue;
			b->window = w;
			b->secure = space != normal;
			if (is_flash(block))
				m->flash[m->nflash++] = block;
		}
	}
	qsort_r(m->flash, m->nflash, sizeof(const struct fm_block *), by_window, m);
}

/* virt.flash0, virt.flash1, ..., and memory that only the secure world sees. */
static void name_others(struct machine_read *m)
{
	for (size_t i = 0; i < m->nflash; i++) {
		if (asprintf(&find(m, m->flash[i])->name, "virt.flash%zu", i) < 0)
			out_need(NULL);
	}
	for (size_t i = 0; i < m->nblocks; i++) {
		struct machine_block *b = &m->blocks[i];

		if (b->secure && is_memory(b->block))
			b->name = out_need(strdup("virt.secure-ram"));
	}
}

/* Without --memdev one range of memory has QEMU's default name, several keep their own. */
static bool name_board(struct machine_read *m, const char *command)
{
	char *copy = out_need(strdup(m->memdev ? m->memdev : "mach-virt.ram"));
	char *rest = copy;
	size_t count = 0;
	struct fm_block *block;
	bool ok = true;

	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block)
		count += machine_block_is_board(m, block);
	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		const char *word;

		if (!machine_block_is_board(m, block) || (!m->memdev && count > 1))
			continue;
		word = strsep(&rest, ",");
		ok &= word && *word && strlen(word) < QEMU_NAME;
		if (ok)
			find(m, block)->name = out_need(strdup(word));
	}
	ok &= !m->memdev || !rest;
	if (!ok)
		complain(
			"%s: --memdev: \"%s\", expected %zu names of 1 to %d bytes for the memory of "
			"%s",
			command, m->memdev, count, QEMU_NAME - 1, m->dtb);
	free(copy);
	return ok;
}

/* --- the machine --------------------------------------------------------------------------------- */

/* Is the tree of a machine whose names are asked for? False after a complaint. */
static bool choose_names(struct machine_read *m, const char *command)
{
	bool told = m->memdev || m->pci || m->no_acpi || m->type;

	m->qemu = m->names == NAMES_QEMU || (m->names == NAMES_AUTO && m->virt.is);
	if (m->qemu && !m->virt.is) {
		complain(
			"%s: --names qemu: %s is of another machine, expected \"linux,dummy-virt\" in "
			"its \"compatible\"",
			command, m->dtb);
		return false;
	}
	if (told && !m->qemu) {
		complain("%s: --%s: the names are the tree's, expected it with QEMU's only",
			 command,
			 m->memdev ? "memdev"
			 : m->pci  ? "pci"
			 : m->type ? "machine"
				   : "no-acpi");
		return false;
	}
	m->virt.no_acpi = m->no_acpi;
	return !m->qemu || !(m->which & MACHINE_TYPE) || qemu_virt_check(&m->virt, command, m->dtb);
}

static int build(struct machine_read *m, const void *blob, size_t len, struct fm_error *err)
{
	struct fm_flash_fdt_options flash = { .struct_size = sizeof(flash),
					      .backing = FM_BACKING_MEMFD };
	struct fm_block_fdt_options memory = { .struct_size = sizeof(memory),
					       .memfd = true,
					       .device = machine_make_device,
					       .declared = note_declared,
					       .ctx = m };
	enum fm_backing vram = FM_BACKING_MEMFD;
	struct fm_fdt_binding bindings[BINDINGS];
	const struct fm_fdt_options options = { .struct_size = sizeof(options),
						.source = m->dtb,
						.ram_backing = FM_BACKING_MEMFD,
						.secure = true };
	struct fm_error inner;
	size_t count = TREE_BINDINGS;
	int rc;

	tree_bindings(bindings, &flash, &memory, &vram);
	if (m->qemu)
		count += qemu_virt_bindings(&m->virt, bindings + count, BINDINGS - count);
	rc = fm_machine_from_fdt(&m->machine, blob, len, bindings, count, &options, err);
	if (rc || !m->qemu)
		return rc;
	rc = qemu_virt_rest(&m->virt, m->machine, &inner);
	return rc ? fm_error_set(err, rc, inner.sys, "%s: %s", m->dtb, inner.msg) : 0;
}

static bool read_blob(struct machine_read *m, const char *command, const void *blob, size_t len)
{
	struct fm_error err;

	if (fm_fdt_visit(blob, len, m->dtb, qemu_virt_learn, &m->virt, &err)) {
		complain("%s", err.msg);
		return false;
	}
	if (!choose_names(m, command))
		return false;
	if (build(m, blob, len, &err)) {
		complain("%s", err.msg);
		return false;
	}
	list_blocks(m);
	list_windows(m);
	if (m->qemu)
		name_others(m);
	return !m->qemu || name_board(m, command);
}

bool machine_read(struct machine_read *m, const char *command)
{
	void *blob;
	size_t len;
	bool ok;

	if (!qemu_virt_pci(&m->virt, command, m->pci ? m->pci : "virtio-net-pci:256K"))
		return false;
	if (m->type && !qemu_virt_machine(&m->virt, command, m->type))
		return false;
	if (!input_read(m->dtb, TREE_MAX, &blob, &len))
		return false;
	ok = read_blob(m, command, blob, len);
	free(blob);
	if (!ok)
		machine_read_free(m);
	return ok;
}

void machine_read_free(struct machine_read *m)
{
	fm_machine_free(m->machine);
	for (size_t i = 0; i < m->nblocks; i++)
		free(m->blocks[i].name);
	free(m->blocks);
	free(m->flash);
}

enum status machine_show(const struct machine_verb *verb, int argc, char **argv)
{
	struct machine_read m = { .dtb = NULL };
	struct args_option options[MACHINE_OPTIONS];
	const struct args_spec spec = {
		.command = verb->command,
		.summary = verb->summary,
		.text = verb->text,
		.options = options,
		.count = machine_read_options(&m, verb->options, options),
	};
	enum args_result result = args_parse(&spec, argc, argv);
	bool ok;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!machine_read(&m, spec.command))
		return STATUS_BAD;
	ok = verb->show(&m);
	machine_read_free(&m);
	return ok ? STATUS_YES : STATUS_BAD;
}

void machine_put_head(const struct machine_read *m, struct doc *object)
{
	doc_put(object, "source", doc_make_text(m->dtb));
	doc_put(object, "machine", doc_make_text(fm_machine_name(m->machine)));
}
