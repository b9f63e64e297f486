/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qemu_virt: what QEMU's machine "virt" (aarch64, of version 7.2) calls the parts of a machine, and what
 * it has beside what its device tree tells. docs/introspection.md says where each comes from.
 */
#ifndef FIRMEM_TOOLS_QEMU_VIRT_H
#define FIRMEM_TOOLS_QEMU_VIRT_H

#include <firmem/fdt.h>

#define QEMU_PCI_MAX 31 /* slots 1 to 31 of bus 0; slot 0 is the host bridge */
#define QEMU_NAME 64
#define QEMU_VIRT_ITS 602 /* the first version that has one under TCG */
#define QEMU_ROM_NAME 32  /* with its NUL */

struct qemu_pci {
	char name[QEMU_NAME];
	uint64_t rom; /* bytes of its option ROM's block; 0: none */
};

struct qemu_virt {
	/* Told by the caller: no tree does. */
	const char
		*memdev; /* names of the memory backends, joined by ','; NULL = "mach-virt.ram" */
	struct qemu_pci pci[QEMU_PCI_MAX];
	size_t npci;
	bool no_acpi;
	unsigned version; /* of the machine's type: 602 is virt-6.2; 0: not told */
	bool gicv4;
	bool mte;
	bool nvdimm;
	bool exact; /* version and GIC are told: the tree has to fit */
	/* Told by the tree. */
	bool is; /* such a machine at all */
	unsigned cpus;
	bool gicv3;
	bool smmu;
	bool gpio;
	bool pcie;
	bool fw_cfg;
	bool cpu_map;      /* since virt-6.2 */
	bool iommu_map;    /* the SMMU is before the PCI devices */
	bool virtio_iommu; /* there is one */
	/* While the machine is built: CPUs whose redistributor has no region yet, and regions. */
	unsigned without_redistributor;
	unsigned redistributors;
};

/* "NAME[:ROM-SIZE],..." or "none" into `pci`. False after a complaint, which begins with `command`. */
bool qemu_virt_pci(struct qemu_virt *virt, const char *command, const char *text);
/* What QEMU calls the block of the option ROM of virt->pci[i]; malloc'd. */
char *qemu_virt_rom_name(const struct qemu_virt *virt, size_t i);
/* "TYPE[,KEY=VALUE...]", as of QEMU's -machine. False after a complaint. */
bool qemu_virt_machine(struct qemu_virt *virt, const char *command, const char *text);
/*
 * Once the tree is learned: is it one of those that are told right? Without a version it is the newest.
 * False after a complaint.
 */
bool qemu_virt_check(struct qemu_virt *virt, const char *command, const char *dtb);
/* fm_fdt_visit()'s `visit`, with the struct as its ctx: learn what the tree tells. */
int qemu_virt_learn(const struct fm_fdt_node *node, void *ctx, struct fm_error *err);
/* Bindings for the machine's I/O regions; at most `room`. `virt` outlives the build. */
size_t qemu_virt_bindings(struct qemu_virt *virt, struct fm_fdt_binding *bindings, size_t room);
/* After the build: the regions that no node has. 0, or what fm_space_add() says. */
int qemu_virt_rest(const struct qemu_virt *virt, struct fm_machine *machine, struct fm_error *err);

#endif
