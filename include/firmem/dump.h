/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dump: the guest's memory as an ELF core file, for gdb, crash, drgn and readelf. What goes into it
 * is chosen by role: a dump of "all of memory" would hold file systems, pixels and firmware.
 */
#ifndef FIRMEM_DUMP_H
#define FIRMEM_DUMP_H

#include <firmem/block.h>
#include <firmem/io.h>
#include <firmem/machine.h>
#include <firmem/space.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_DUMP_ROLE(role) (UINT64_C(1) << (role))
/* The guest's volatile working memory, as FM_WALK_DUMPABLE has it. */
#define FM_DUMP_VOLATILE \
	(FM_DUMP_ROLE(FM_ROLE_RAM) | FM_DUMP_ROLE(FM_ROLE_DIMM) | FM_DUMP_ROLE(FM_ROLE_VIRTIO_MEM))

/* A CPU's registers as its ELF note has them (struct elf_prstatus of the guest's Linux). */
struct fm_dump_cpu {
	const void *prstatus;
	size_t len; /* bytes */
};

/* Why a part of a block is in the dump, or is not. */
enum fm_dump_why {
	FM_DUMP_INCLUDED = 0,
	FM_DUMP_NOT_CHOSEN, /* the block's role is none of `roles` */
	FM_DUMP_HIDDEN,     /* chosen, but no address shows it */
	FM_DUMP_PRIVATE,    /* chosen, but the encrypted guest's alone (private.h) */
};

struct fm_dump_part {
	const struct fm_block *block;
	enum fm_dump_why why;
	uint64_t gpa; /* of what is included; otherwise 0 */
	uint64_t len; /* bytes; of what is left out: of the whole block, together */
};

struct fm_dump_config {
	size_t struct_size;               /* sizeof(struct fm_dump_config) */
	const struct fm_machine *machine; /* whose blocks; borrowed during the call */
	struct fm_space *space;           /* whose addresses: the guest-physical space */
	uint64_t roles;                   /* FM_DUMP_ROLE()s, or'ed; must be given */
	uint16_t elf_machine; /* EM_X86_64 62, EM_AARCH64 183, EM_RISCV 243; must be given */
	/*
	 * NT_PRSTATUS notes, one for each CPU. NULL: one whose registers are 0, for the machines above,
	 * because gdb wants one.
	 */
	const struct fm_dump_cpu *cpus;
	size_t ncpus;
	const void *
		vmcoreinfo; /* the guest kernel's VMCOREINFO text, or NULL; drgn and crash want it */
	size_t vmcoreinfo_len;
	const char *path;       /* the file to make; one that is there is FM_ERR_EXISTS */
	const struct fm_io *io; /* NULL = fm_io_posix() */
	/* Asked now and then, and at the end; false gives the dump up. NULL: nobody waits. */
	bool (*go_on)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	/*
	 * Told of a dump that is done: what is included, by address, then what is not, as the note
	 * has it. NULL: nobody.
	 */
	void (*part)(void *ctx, const struct fm_dump_part *part);
};

struct fm_dump_result {
	size_t segments;  /* ranges of guest-physical addresses */
	uint64_t bytes;   /* of memory in them */
	uint64_t written; /* of those, not in a hole of the file: pages that are not all 0 */
	size_t excluded;  /* blocks that are not in the dump */
	uint64_t hidden;  /* bytes of chosen blocks that no address shows, and that are not in it */
	/* Of chosen blocks, shown, but private to an encrypted guest (private.h): not in it either. */
	uint64_t private_bytes;
};

/*
 * Write the dump: a PT_LOAD for each range of the space that shows a chosen block (p_paddr and p_vaddr the
 * guest-physical address), NT_PRSTATUS, VMCOREINFO, and a note of the name "firmem", type 666d0001, that lists
 * in text, a line each, the blocks that are not in it and the parts that are hidden. Holes for pages
 * of zeros; pages that the host does not have are not touched, where it can say which (docs/reset.md,
 * "Clearing"), so that idle memory costs neither time nor memory. The guest should stand still: otherwise the
 * dump is of no one moment.
 *
 * FM_ERR_ARG (a field is named), FM_ERR_EXISTS, FM_ERR_STATE (given up by go_on), FM_ERR_IO, FM_ERR_NOSPACE,
 * FM_ERR_SIZE (a block's file became shorter under the write; at other times that is a SIGBUS), FM_ERR_NOMEM:
 * the file that was begun is removed. Blocks; allocates.
 */
FM_API int fm_dump_write(const struct fm_dump_config *cfg, struct fm_dump_result *result,
			 struct fm_error *err);

/* "included", "not chosen", "hidden", "private"; never NULL. */
FM_API const char *fm_dump_why_name(enum fm_dump_why why);

#ifdef __cplusplus
}
#endif

#endif
