/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine_read: the machine that a device tree describes, for the verbs of "firmem machine" that show
 * it. It is built on memfds: no file that the tree names is opened, and nothing counts before it is used.
 */
#ifndef FIRMEM_TOOLS_MACHINE_READ_H
#define FIRMEM_TOOLS_MACHINE_READ_H

#include "tools/firmem/args.h"
#include "tools/firmem/doc.h"
#include "tools/firmem/qemu_virt.h"

#include <firmem/machine.h>

struct machine_read {
	/* What the command line says: machine_read_options(). */
	const char *dtb;
	bool json;
	unsigned names;
	const char *pci;
	const char *memdev;
	const char *type; /* --machine */
	unsigned which;   /* enum machine_options */
	bool no_acpi;
	/* What comes of it. */
	struct fm_machine *machine;
	struct qemu_virt virt;
	bool qemu;                    /* names and further parts are QEMU's */
	struct machine_block *blocks; /* by the pointer to the block */
	size_t nblocks;
	const struct fm_block **flash; /* by address */
	size_t nflash;
};

enum machine_options {
	MACHINE_MEMDEV = 1 << 0, /* the command has --memdev */
	MACHINE_PCI = 1 << 1,
	MACHINE_ACPI = 1 << 2,
	MACHINE_TYPE = 1 << 3,
};

#define MACHINE_OPTIONS 7

/* Options of the command, MACHINE_OPTIONS at most, those of `which` among them. How many. */
size_t machine_read_options(struct machine_read *m, unsigned which, struct args_option *options);

/* A verb that shows the machine. */
struct machine_verb {
	const char *command; /* "machine mtree" */
	const char *summary;
	const char *text;
	unsigned options; /* enum machine_options */
	/* Print it, as m->json says. False after a complaint. */
	bool (*show)(struct machine_read *m);
};

enum status machine_show(const struct machine_verb *verb, int argc, char **argv);

/* False after a complaint: nothing is left to free. `command`: "machine mtree", for complaints. */
bool machine_read(struct machine_read *m, const char *command);
void machine_read_free(struct machine_read *m);

/* What the block is called: "mach-virt.ram", or its own name. */
const char *machine_block_name(const struct machine_read *m, const struct fm_block *block);
/* Is it memory of the normal world that a memory node of the tree, and not one of ours, makes? */
bool machine_block_is_board(const struct machine_read *m, const struct fm_block *block);
/* Does only the secure world see it? */
bool machine_block_is_secure(const struct machine_read *m, const struct fm_block *block);
/*
 * The bytes of memory tags of one world (mte=on), a 32nd of its memory and as far in; false where it has
 * none. 64 of them are no page: what a block of them has is rounded up.
 */
bool machine_tags(const struct machine_read *m, bool secure, uint64_t *first, uint64_t *len);
/* What the tree says of its memory: enum fm_reset_backing_bit. */
unsigned machine_block_declared(const struct machine_read *m, const struct fm_block *block);
/* The lowest window of the machine's spaces that shows the block, or NULL. */
const struct fm_window *machine_block_window(const struct machine_read *m,
					     const struct fm_block *block);
/*
 * fm_block_fdt_options.device: memory that is read-only where the block's role is a ROM. What a ROM holds
 * is not known here. Asks nothing of ctx.
 */
int machine_make_device(void *ctx, const struct fm_fdt_node *node, struct fm_block *block,
			struct fm_dev **out, struct fm_error *err);
/* "source" and "machine", with which every answer in JSON begins. */
void machine_put_head(const struct machine_read *m, struct doc *object);

#endif
