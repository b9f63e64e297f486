/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/qemu_virt.h"

#include <firmem/dimm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- what the tree tells ------------------------------------------------------------------------- */

/* 1, 0, or FM_ERR_FORMAT. */
static int is_cpu(const struct fm_fdt_node *node, struct fm_error *err)
{
	const char *type;
	int rc;

	if (!fm_fdt_node_has(node, "device_type"))
		return 0;
	rc = fm_fdt_node_text(node, "device_type", &type, err);
	return rc ? rc : !strcmp(type, "cpu");
}

/* Note in *flag that the node is of that kind. */
static int note(const struct fm_fdt_node *node, const char *compatible, bool *flag,
		struct fm_error *err)
{
	int rc = fm_fdt_node_compatible(node, compatible, err);

	*flag |= rc > 0;
	return rc < 0 ? rc : 0;
}

static int learn_pci(const struct fm_fdt_node *node, struct qemu_virt *virt, struct fm_error *err)
{
	bool host = false;
	int rc = note(node, "pci-host-ecam-generic", &host, err);

	if (!rc)
		rc = note(node, "virtio,pci-iommu", &virt->virtio_iommu, err);
	virt->pcie |= host;
	virt->iommu_map |= host && fm_fdt_node_has(node, "iommu-map");
	return rc;
}

int qemu_virt_learn(const struct fm_fdt_node *node, void *ctx, struct fm_error *err)
{
	struct qemu_virt *virt = ctx;
	int rc;

	if (!strcmp(fm_fdt_node_path(node), "/"))
		return note(node, "linux,dummy-virt", &virt->is, err);
	virt->cpu_map |= !strcmp(fm_fdt_node_path(node), "/cpus/cpu-map");
	rc = is_cpu(node, err);
	if (rc > 0)
		virt->cpus++;
	if (rc >= 0)
		rc = note(node, "arm,gic-v3", &virt->gicv3, err);
	if (!rc)
		rc = note(node, "arm,smmu-v3", &virt->smmu, err);
	if (!rc)
		rc = note(node, "arm,pl061", &virt->gpio, err);
	if (!rc)
		rc = learn_pci(node, virt, err);
	if (!rc)
		rc = note(node, "qemu,fw-cfg-mmio", &virt->fw_cfg, err);
	return rc;
}

/* --- regions ------------------------------------------------------------------------------------- */

/*
 * A node's "reg" and the region of QEMU's in it. The tree gives the GIC's parts 64 KiB each, as their
 * page size may be (virt's memory map); the models decode less.
 */
static const struct region {
	const char *compatible;
	unsigned reg;
	uint64_t off;
	uint64_t len; /* 0: all of that "reg" */
	const char *name;
	bool optional; /* older or smaller nodes have no such "reg" */
} regions[] = {
	{ "arm,cortex-a15-gic", 0, 0, 0x1000, "gic_dist", false },
	{ "arm,cortex-a15-gic", 1, 0, 0x2000, "gic_cpu", false },
	{ "arm,cortex-a15-gic", 2, 0, 0x1000, "gic_viface", true },
	{ "arm,cortex-a15-gic", 3, 0, 0x2000, "gic_vcpu", true },
	{ "arm,gic-v2m-frame", 0, 0, 0, "gicv2m", false },
	{ "arm,gic-v3", 0, 0, 0x10000, "gicv3_dist", false },
	{ "arm,gic-v3-its", 0, 0, 0x10000, "control", false },
	{ "arm,gic-v3-its", 0, 0x10000, 0x10000, "translation", false },
	{ "arm,pl011", 0, 0, 0, "pl011", false },
	{ "arm,pl031", 0, 0, 0, "pl031", false },
	{ "arm,pl061", 0, 0, 0, "pl061", false },
	{ "arm,smmu-v3", 0, 0, 0, "arm-smmuv3", false },
	{ "pci-host-ecam-generic", 0, 0, 0, "pcie-mmcfg-mmio", false },
	{ "qemu,fw-cfg-mmio", 0, 0, 8, "fwcfg.data", false },
	{ "qemu,fw-cfg-mmio", 0, 8, 2, "fwcfg.ctl", false },
	{ "qemu,fw-cfg-mmio", 0, 16, 8, "fwcfg.dma", false },
	{ "virtio,mmio", 0, 0, 0, "virtio-mmio", false },
};

/* Where a region is of which no tree tells: fixed addresses of virt's memory map. */
#define GED_GPA UINT64_C(0x09080000)
#define GED_LEN 4
#define HOTPLUG_GPA UINT64_C(0x09070000)
#define HOTPLUG_LEN 0x18
#define NVDIMM_GPA UINT64_C(0x09090000)
#define NVDIMM_LEN 4

/* Bytes for each CPU: two frames of 64 KiB, or four (GICv3 and GICv4, 12.10). */
#define REDISTRIBUTOR UINT64_C(0x20000)
#define REDISTRIBUTOR_4 UINT64_C(0x40000)

/* Registers that nobody asks here: reads are 0, writes nothing. */
static const struct fm_dev_ops io_ops = {
	.struct_size = sizeof(io_ops),
	.type = "registers",
	.version = 1,
};

static int add_device(struct fm_machine *machine, const char *name, uint64_t len,
		      struct fm_dev **out, struct fm_error *err)
{
	const struct fm_dev_config cfg = { .struct_size = sizeof(cfg), .name = name, .len = len };
	int rc = fm_dev_new(out, &io_ops, NULL, &cfg, err);

	if (rc)
		return rc;
	rc = fm_machine_add_dev(machine, *out, err);
	if (rc)
		fm_dev_free(*out);
	return rc;
}

static int add_region(struct fm_machine *machine, struct fm_space *space, const char *name,
		      uint64_t gpa, uint64_t len, struct fm_error *err)
{
	struct fm_window_config w = { .struct_size = sizeof(w), .name = name, .gpa = gpa };
	char unique[QEMU_NAME];
	int rc;

	snprintf(unique, sizeof(unique), "%.40s@%llx", name, (unsigned long long)gpa);
	rc = add_device(machine, unique, len, &w.dev, err);
	return rc ? rc : fm_space_add(space, &w, NULL, err);
}

static int build_region(const struct fm_fdt_node *node, struct fm_machine *machine,
			struct fm_space *space, const struct region *r, struct fm_error *err)
{
	uint64_t gpa, len;
	int count = fm_fdt_node_reg_count(node, err);
	int rc;

	if (count < 0)
		return count;
	if (r->optional && r->reg >= (unsigned)count)
		return 0;
	rc = fm_fdt_node_reg(node, r->reg, &gpa, &len, err);
	if (rc)
		return rc;
	if (len < r->off + r->len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: %s: reg[%u]: 0x%llx bytes, expected the 0x%llx of a %s",
				    fm_fdt_node_source(node), fm_fdt_node_path(node), r->reg,
				    (unsigned long long)len, (unsigned long long)(r->off + r->len),
				    r->compatible);
	return add_region(machine, space, r->name, gpa + r->off, r->len ? r->len : len, err);
}

static int wrong_regions(const struct fm_fdt_node *node, const struct qemu_virt *virt, int count,
			 const char *expected, struct fm_error *err)
{
	return fm_error_set(
		err, FM_ERR_FORMAT, 0,
		"%s: %s: reg: %d regions of redistributors for %u CPUs of GICv%d, expected "
		"%s",
		fm_fdt_node_source(node), fm_fdt_node_path(node), count - 1, virt->cpus,
		virt->gicv4 ? 4 : 3, expected);
}

/* The first region of redistributors is filled before the next one gets any. */
static int build_redistributors(const struct fm_fdt_node *node, struct fm_machine *machine,
				struct fm_space *space, struct qemu_virt *virt,
				struct fm_error *err)
{
	/* QEMU counts with what a GICv4 needs, and builds one with an ITS only. */
	const uint64_t room = virt->gicv4 ? REDISTRIBUTOR_4 : REDISTRIBUTOR;
	const uint64_t each = virt->version >= QEMU_VIRT_ITS ? room : REDISTRIBUTOR;
	int count = fm_fdt_node_reg_count(node, err);
	int rc = count < 0 ? count : 0;

	virt->without_redistributor = virt->cpus;
	for (int i = 1; !rc && i < count; i++) {
		uint64_t gpa, len, cpus;
		char name[40];

		/* QEMU tells of a region only where it has CPUs in it. */
		if (!virt->without_redistributor)
			return virt->cpus && virt->exact
				       ? wrong_regions(node, virt, count,
						       virt->gicv4 ? "fewer"
								   : "fewer, or --machine "
								     "with gic-version=4",
						       err)
				       : 0;
		rc = fm_fdt_node_reg(node, (unsigned)i, &gpa, &len, err);
		if (rc)
			break;
		cpus = len / room;
		if (cpus > virt->without_redistributor)
			cpus = virt->without_redistributor;
		snprintf(name, sizeof(name), "gicv3_redist_region[%u]", virt->redistributors++);
		if (cpus)
			rc = add_region(machine, space, name, gpa, cpus * each, err);
		virt->without_redistributor -= (unsigned)cpus;
	}
	if (!rc && virt->exact && count > 1 && virt->without_redistributor)
		rc = wrong_regions(node, virt, count, "room for all", err);
	return rc;
}

/* All windows onto the bus's memory are of one region, which is as large as the bus. */
static int build_pci_memory(struct fm_machine *machine, struct fm_space *space,
			    const struct fm_fdt_pci_range *r, struct fm_error *err)
{
	static const char name[] = "gpex_mmio_window";
	struct fm_window_config w = { .struct_size = sizeof(w),
				      .name = name,
				      .gpa = r->gpa,
				      .dev_off = r->pci,
				      .len = r->len };
	int rc = 0;

	w.dev = fm_machine_dev(machine, name);
	if (!w.dev)
		rc = add_device(machine, name, UINT64_MAX, &w.dev, err);
	return rc ? rc : fm_space_add(space, &w, NULL, err);
}

static int build_pci(const struct fm_fdt_node *node, struct fm_machine *machine,
		     struct fm_space *space, const struct qemu_virt *virt, struct fm_error *err)
{
	/* What no device claims is no window of older types (QEMU, allow-unmapped-accesses). */
	if (virt->version && virt->version <= 600)
		return 0;
	for (unsigned i = 0;; i++) {
		struct fm_fdt_pci_range r;
		int rc = fm_fdt_node_pci_range(node, i, &r, err);

		if (rc)
			return rc == FM_ERR_NOT_FOUND ? 0 : rc;
		if (r.space == FM_FDT_PCI_IO)
			rc = add_region(machine, space, "gpex_ioport_window", r.gpa, r.len, err);
		else if (r.space != FM_FDT_PCI_CONFIG)
			rc = build_pci_memory(machine, space, &r, err);
		if (rc)
			return rc;
	}
}

/* The regions of the first kind of node that the table has for it. */
static int build(const struct fm_fdt_node *node, struct fm_machine *machine, struct fm_space *space,
		 void *ctx, struct fm_error *err)
{
	struct qemu_virt *virt = ctx;
	const char *kind = NULL;
	int rc = 0;

	for (size_t i = 0; !rc && i < COUNT(regions); i++) {
		const struct region *r = &regions[i];
		int is = kind ? !strcmp(kind, r->compatible)
			      : fm_fdt_node_compatible(node, r->compatible, err);

		if (is < 0)
			return is;
		if (!is)
			continue;
		kind = r->compatible;
		rc = build_region(node, machine, space, r, err);
	}
	if (rc || !kind)
		return rc;
	/* In one change of the space: they may be very many. */
	fm_space_begin(space);
	if (!strcmp(kind, "arm,gic-v3"))
		rc = build_redistributors(node, machine, space, virt, err);
	if (!strcmp(kind, "pci-host-ecam-generic"))
		rc = build_pci(node, machine, space, virt, err);
	if (!rc)
		return fm_space_commit(space, err);
	fm_space_abort(space);
	return rc;
}

size_t qemu_virt_bindings(struct qemu_virt *virt, struct fm_fdt_binding *bindings, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < COUNT(regions) && count < room; i++) {
		/* Regions of one kind are neighbours in the table. */
		if (!i || strcmp(regions[i].compatible, regions[i - 1].compatible) != 0)
			bindings[count++] =
				(struct fm_fdt_binding){ regions[i].compatible, build, virt };
	}
	return count;
}

static bool has_role(const struct fm_machine *machine, enum fm_role role)
{
	struct fm_block *block;

	fm_machine_foreach_block (machine, FM_WALK_ALL, block) {
		if (fm_block_role(block) == role)
			return true;
	}
	return false;
}

/* The same device in every space: both worlds see it. */
static int add_everywhere(struct fm_machine *machine, const char *name, uint64_t gpa, uint64_t len,
			  struct fm_error *err)
{
	struct fm_window_config w = { .struct_size = sizeof(w), .name = name, .gpa = gpa };
	struct fm_space *space;
	int rc = add_device(machine, name, len, &w.dev, err);

	fm_machine_foreach_space (machine, space) {
		if (!rc)
			rc = fm_space_add(space, &w, NULL, err);
	}
	return rc;
}

int qemu_virt_rest(const struct qemu_virt *virt, struct fm_machine *machine, struct fm_error *err)
{
	bool nvdimm = virt->nvdimm || has_role(machine, FM_ROLE_NVDIMM);
	/* With firmware and ACPI the event device takes the place of the GPIO's power button. */
	bool ged = !virt->gpio && virt->fw_cfg;
	int rc = 0;

	if (ged)
		rc = add_everywhere(machine, "acpi-ged", GED_GPA, GED_LEN, err);
	if (!rc && ged &&
	    (has_role(machine, FM_ROLE_NVDIMM) || has_role(machine, FM_ROLE_DIMM) ||
	     fm_dimms_of(machine)))
		rc = add_everywhere(machine, "acpi-mem-hotplug", HOTPLUG_GPA, HOTPLUG_LEN, err);
	if (!rc && nvdimm && (ged || virt->nvdimm))
		rc = add_everywhere(machine, "nvdimm-acpi-io", NVDIMM_GPA, NVDIMM_LEN, err);
	return rc;
}
