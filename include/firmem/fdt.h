/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdt: flattened device trees both ways (Devicetree Specification 0.4). Writing: a tree for the
 * guest. Reading: a machine from a tree, through bindings that the caller passes.
 */
#ifndef FIRMEM_FDT_H
#define FIRMEM_FDT_H

#include <firmem/base.h>
#include <firmem/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- writing ----------------------------------------------------------------------------- */

struct fm_fdt;

/*
 * A tree under construction. Nodes are opened and closed in order; properties go to the open node,
 * before its first child. The buffer grows as needed. The first failure sticks, makes every later
 * call do nothing, and is reported by fm_fdt_finish(). The root is open after fm_fdt_new(), with
 * #address-cells and #size-cells 2. Names and values are copied. One thread at a time; no call
 * blocks; all may allocate. FM_ERR_NOMEM.
 */
FM_API int fm_fdt_new(struct fm_fdt **out, struct fm_error *err);
/* Also what was not finished. NULL is fine. */
FM_API void fm_fdt_free(struct fm_fdt *fdt);
/* Open a child of the open node: "memory@40000000"; no '/'. Close the open node; not the root. */
FM_API void fm_fdt_begin(struct fm_fdt *fdt, const char *name);
FM_API void fm_fdt_end(struct fm_fdt *fdt);
/* A property of the open node, of `len` bytes; each name once in a node. */
FM_API void fm_fdt_prop(struct fm_fdt *fdt, const char *name, const void *bytes, size_t len);
FM_API void fm_fdt_prop_empty(struct fm_fdt *fdt, const char *name);
FM_API void fm_fdt_prop_text(struct fm_fdt *fdt, const char *name, const char *text);
/* A string list: `texts` is not empty and ends in NULL. */
FM_API void fm_fdt_prop_texts(struct fm_fdt *fdt, const char *name, const char *const *texts);
/* Cells and pairs of cells, stored big-endian (Devicetree Specification 0.4, 2.2.4). */
FM_API void fm_fdt_prop_u32(struct fm_fdt *fdt, const char *name, uint32_t value);
FM_API void fm_fdt_prop_u32s(struct fm_fdt *fdt, const char *name, const uint32_t *values,
			     size_t count);
FM_API void fm_fdt_prop_u64(struct fm_fdt *fdt, const char *name, uint64_t value);
/* "reg": pairs of address and length, two cells each. */
FM_API void fm_fdt_prop_reg(struct fm_fdt *fdt, const uint64_t *addr_len, size_t pairs);
/* A memory node "memory@GPA" of `len` bytes. `node_id` < 0: no NUMA node. */
FM_API void fm_fdt_add_memory(struct fm_fdt *fdt, uint64_t gpa, uint64_t len, int node_id);
/* A cfi-flash node "flash@GPA" of banks of equal width in bytes; pairs of address and length. */
FM_API void fm_fdt_add_flash(struct fm_fdt *fdt, const uint64_t *addr_len, size_t banks,
			     unsigned bank_width);
/*
 * A pmem-region node "pmem@GPA" of ranges of persistent memory; pairs of address and length. `lost`: the
 * memory is volatile, what it holds goes with the machine (fm_nvdimm_persistence() says what is so).
 */
FM_API void fm_fdt_add_pmem(struct fm_fdt *fdt, const uint64_t *addr_len, size_t ranges, bool lost);
/*
 * Close the root and hand the blob over: malloc'd, the caller's to free(). Equal calls make equal
 * bytes. FM_ERR_STATE (a node left open, a property out of place or twice, too many ends, finished
 * before), FM_ERR_ARG (a name or value that is missing or unfit), FM_ERR_NOMEM: the node is named.
 */
FM_API int fm_fdt_finish(struct fm_fdt *fdt, void **blob, size_t *len, struct fm_error *err);

/* --- reading ----------------------------------------------------------------------------- */

/*
 * A node of a tree that is being read; valid, with all strings got from it, during a binding's
 * build() only. Messages of these functions start with the source, the node's path and the
 * property.
 */
struct fm_fdt_node;

FM_API const char *fm_fdt_node_name(const struct fm_fdt_node *node); /* "flash@0" */
FM_API const char *fm_fdt_node_path(const struct fm_fdt_node *node); /* "/flash@0" */
/* The file or other name the tree came by, for messages. */
FM_API const char *fm_fdt_node_source(const struct fm_fdt_node *node);
/*
 * How many pairs "reg" has under the parent's #address-cells and #size-cells (absent: 2 and 1); at
 * least 1. FM_ERR_FORMAT: no "reg", not a whole number of pairs, cells other than 1 or 2.
 */
FM_API int fm_fdt_node_reg_count(const struct fm_fdt_node *node, struct fm_error *err);
/*
 * One pair as the CPU sees it: carried through the "ranges" of every bus above the node. *len is at
 * least 1 and the range does not wrap. FM_ERR_FORMAT (as above; a length of 0; a bus without
 * "ranges", or none of whose entries holds the whole range), FM_ERR_RANGE (the range wraps; no such
 * index).
 */
FM_API int fm_fdt_node_reg(const struct fm_fdt_node *node, unsigned index, uint64_t *addr,
			   uint64_t *len, struct fm_error *err);
/* A property of one cell. FM_ERR_NOT_FOUND, FM_ERR_FORMAT (not 4 bytes). */
FM_API int fm_fdt_node_u32(const struct fm_fdt_node *node, const char *prop, uint32_t *value,
			   struct fm_error *err);
/* A property of one string. FM_ERR_NOT_FOUND, FM_ERR_FORMAT (no NUL, several, control bytes). */
FM_API int fm_fdt_node_text(const struct fm_fdt_node *node, const char *prop, const char **value,
			    struct fm_error *err);
FM_API bool fm_fdt_node_has(const struct fm_fdt_node *node, const char *prop);
/* Does "compatible" list the string? 1, 0, or FM_ERR_FORMAT (no list of strings). */
FM_API int fm_fdt_node_compatible(const struct fm_fdt_node *node, const char *text,
				  struct fm_error *err);

/* The address spaces of a PCI bus, as numbered in a tree (IEEE 1275 PCI Bus Binding, 2.2.1.1). */
enum fm_fdt_pci_space {
	FM_FDT_PCI_CONFIG = 0,
	FM_FDT_PCI_IO,
	FM_FDT_PCI_MEM32,
	FM_FDT_PCI_MEM64,
};

/* A window of a PCI host bridge. */
struct fm_fdt_pci_range {
	enum fm_fdt_pci_space space;
	bool prefetchable;
	uint64_t pci; /* address of the first byte on the bus */
	uint64_t gpa; /* the same as the CPU sees it */
	uint64_t len; /* bytes; not 0; neither side wraps */
};

/*
 * One entry of the "ranges" of a PCI host bridge. FM_ERR_NOT_FOUND (there are no more, or none);
 * FM_ERR_FORMAT (a bus whose #address-cells and #size-cells are not 3 and 2, not whole entries, a
 * length of 0, a bus above that does not show it), FM_ERR_RANGE (it wraps).
 */
FM_API int fm_fdt_node_pci_range(const struct fm_fdt_node *node, unsigned index,
				 struct fm_fdt_pci_range *out, struct fm_error *err);

/* What to do with a node that is "compatible". A caller's part of a tree is an array of these. */
struct fm_fdt_binding {
	const char *compatible;
	/*
	 * Add the node's blocks and devices to the machine and its windows to the space. On failure
	 * fill *err (never NULL here) and return its code; the whole machine is then dropped. A
	 * message that does not start with the node's source gets it and the path put before.
	 */
	int (*build)(const struct fm_fdt_node *node, struct fm_machine *machine,
		     struct fm_space *space, void *ctx, struct fm_error *err);
	void *ctx;
};

struct fm_fdt_options {
	size_t struct_size;          /* sizeof(struct fm_fdt_options) */
	const char *source;          /* for messages; NULL = "device tree" */
	const char *name;            /* of the machine; NULL = the root's "model", else "machine" */
	enum fm_backing ram_backing; /* of memory nodes: anonymous or memfd */
	unsigned space_flags;        /* enum fm_space_flag */
	/*
	 * A file that holds what the memory nodes show, one range behind the other, the lowest address
	 * first: another process's guest. It is mapped shared and for reading only. NULL: `ram_backing`.
	 */
	const char *ram_path;
	/*
	 * Also what only the secure world has: nodes whose "secure-status" is "okay" while their
	 * "status" is not (Linux, bindings/arm/secure.txt). Where there is one, a second space
	 * "secure-memory" shows it, and all of "memory".
	 */
	bool secure;
};

/*
 * Build a machine with one space named "memory" from a tree of at most `len` bytes, in the format
 * of version 17. Bytes behind its totalsize are not looked at: QEMU leaves some in what it dumps.
 *
 * Each pair of the "reg" of a memory node (device_type "memory") becomes a block, a device and a
 * window named "memory@ADDRESS", lowest address first; its role is ram, or dimm where the node is
 * "hotpluggable". Then, in the tree's order, each node whose "compatible" lists a binding's string
 * is handed to that binding; the first string of the list that has one wins, also over device_type.
 * Left out are nodes whose "status", or an ancestor's, is not "okay" (or "ok"), and nodes that are
 * neither. Memory reservations are the guest's business and do not change the machine.
 *
 * Nothing a tree says is trusted: errors name the source, the node, the property, the value and
 * what was expected. FM_ERR_ARG (an argument or option), FM_ERR_SIZE (more bytes than `len`),
 * FM_ERR_VERSION, FM_ERR_FORMAT (structure, names, properties; more than 31 levels, or than 16384
 * ranges of memory), FM_ERR_RANGE, FM_ERR_OVERLAP (both named), FM_ERR_EXISTS, FM_ERR_NOMEM (also:
 * more memory than the host will map), or what a binding returned. `blob` is not used after the
 * return. `options` NULL = defaults. With ram_path also what fm_block_new() says of the file. Any thread;
 * blocks as the bindings do; allocates.
 */
FM_API int fm_machine_from_fdt(struct fm_machine **out, const void *blob, size_t len,
			       const struct fm_fdt_binding *bindings, size_t count,
			       const struct fm_fdt_options *options, struct fm_error *err);

/*
 * Call `visit` for each node of a tree that is in use, parents first, the root before all: for what is
 * to be known of a tree beside its memory. Stops at the first that returns less than 0, and returns that.
 * FM_ERR_ARG, FM_ERR_NOMEM; what the tree lies about as fm_machine_from_fdt() says. `source` as in its
 * options.
 */
FM_API int fm_fdt_visit(const void *blob, size_t len, const char *source,
			int (*visit)(const struct fm_fdt_node *node, void *ctx,
				     struct fm_error *err),
			void *ctx, struct fm_error *err);

/* --- blocks of any role --------------------------------------------------------------------------- */

/* ctx of fm_block_fdt_build(). */
struct fm_block_fdt_options {
	size_t struct_size; /* sizeof(struct fm_block_fdt_options) */
	/* Every block is a memfd, whatever backing the node names: no file is opened or made. */
	bool memfd;
	/*
	 * Make the device over the block, of which `node` may be asked; NULL = fm_ram_new(). The
	 * machine takes it over.
	 */
	int (*device)(void *ctx, const struct fm_fdt_node *node, struct fm_block *block,
		      struct fm_dev **out, struct fm_error *err);
	/* Told what the node says of the memory: enum fm_reset_backing_bit (reset.h). NULL: nobody. */
	int (*declared)(void *ctx, const struct fm_block *block, unsigned backing,
			struct fm_error *err);
	void *ctx;
	/*
	 * Another process's guest is looked at: files that nodes name are mapped shared and for reading
	 * only, none is made. What names no file, or memory of a host's device, is an empty memfd.
	 */
	bool readonly;
	/* With readonly: 1 << enum fm_role of those whose files are opened at all; 0 = of all. */
	uint64_t roles;
};

/*
 * A struct fm_fdt_binding's build() for "firmem,memory" and "pmem-region": a block of any role, with
 * windows, hidden or without; docs/machines.md has the properties. ctx is a struct
 * fm_block_fdt_options (NULL = its defaults). FM_ERR_FORMAT (a property lies: named), FM_ERR_NOT_FOUND
 * (a property, or the block that an alias names), and as fm_block_new(), fm_private_enable() and
 * fm_space_add().
 */
FM_API int fm_block_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
			      struct fm_space *space, void *ctx, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
