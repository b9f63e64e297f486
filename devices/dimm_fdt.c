/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots and what is in them, from device trees and into the guest's: docs/machines.md. */
#include "devices/dimm_private.h"
#include "devices/fdt_private.h"

#include <stdio.h>

/* --- the slots ------------------------------------------------------------------------------------ */

/* Main memory that nodes before this one made. */
static uint64_t sum_ram(const struct fm_machine *machine)
{
	const struct fm_block *b;
	uint64_t sum = 0;

	fm_machine_foreach_block (machine, FM_WALK_ALL, b)
		sum += fm_block_role(b) == FM_ROLE_RAM ? fm_block_len(b) : 0;
	return sum;
}

static int need_number(const struct fm_fdt_node *node, const char *prop, uint64_t *value,
		       struct fm_error *err)
{
	if (!fm_fdt_node_has(node, prop))
		return fmi_fdt_fail(err, FM_ERR_NOT_FOUND, node, prop,
				    "is missing, expected a number");
	return fmi_fdt_number(node, prop, value, err);
}

/* A number that counts something. */
static int count_of(const struct fm_fdt_node *node, const char *prop, uint64_t value, uint64_t most,
		    unsigned *out, struct fm_error *err)
{
	if (value < 1 || value > most)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, prop, "%llu, expected 1 to %llu",
				    (unsigned long long)value, (unsigned long long)most);
	*out = (unsigned)value;
	return 0;
}

int fm_dimms_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
		       struct fm_space *space, void *ctx, struct fm_error *err)
{
	struct fm_dimms_config c = { .struct_size = sizeof(c),
				     .name = fm_fdt_node_name(node),
				     .machine = machine,
				     .space = space,
				     .base_memory = sum_ram(machine) };
	struct fm_dimms *set;
	uint64_t slots = 0;
	uint64_t nodes = 1;
	int rc = fm_fdt_node_reg(node, 0, &c.gpa, &c.len, err);

	if (!rc)
		rc = need_number(node, "firmem,slots", &slots, err);
	if (!rc)
		rc = count_of(node, "firmem,slots", slots, FM_DIMM_SLOTS_MAX, &c.slots, err);
	if (!rc)
		rc = need_number(node, "firmem,max-memory", &c.max_memory, err);
	if (!rc)
		rc = fmi_fdt_number(node, "firmem,base-memory", &c.base_memory, err);
	if (!rc)
		rc = fmi_fdt_number(node, "firmem,numa-nodes", &nodes, err);
	if (!rc)
		rc = count_of(node, "firmem,numa-nodes", nodes, UINT32_MAX, &c.nodes, err);
	if (!rc)
		rc = fmi_fdt_number(node, "firmem,align", &c.align, err);
	return rc ? rc : fm_dimms_new(&set, &c, err);
}

/* --- what is in them ------------------------------------------------------------------------------ */

/* What a slot decides, or leaves no room for. */
static int check_props(const struct fm_fdt_node *node, struct fm_error *err)
{
	static const char *const unfit[] = { "firmem,offset", "firmem,priority", "firmem,disabled",
					     "firmem,of" };

	for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++) {
		if (fm_fdt_node_has(node, unfit[i]))
			return fmi_fdt_fail(err, FM_ERR_FORMAT, node, unfit[i],
					    "is there, expected none beside \"firmem,slot\"");
	}
	return 0;
}

/* "firmem,slot" is a number, or empty: the lowest that is free. */
static int read_slot(const struct fm_fdt_node *node, struct fm_dimm_config *c, struct fm_error *err)
{
	uint64_t slot = 0;
	size_t len;
	int rc;

	fmi_fdt_prop(node->tree->blob, node->offset, "firmem,slot", &len);
	if (!len)
		return 0;
	rc = fmi_fdt_number(node, "firmem,slot", &slot, err);
	if (rc)
		return rc;
	if (slot > UINT32_MAX)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, "firmem,slot",
				    "0x%llx, expected a slot's number", (unsigned long long)slot);
	c->use_slot = true;
	c->slot = (unsigned)slot;
	return 0;
}

/* "reg" is the address, or absent: the lowest that fits. */
static int read_gpa(const struct fm_fdt_node *node, struct fm_dimm_config *c, struct fm_error *err)
{
	uint64_t dev_len = fm_dev_len(c->dev);
	uint64_t len;
	int rc;

	if (!fm_fdt_node_has(node, "reg"))
		return 0;
	rc = fm_fdt_node_reg(node, 0, &c->gpa, &len, err);
	if (rc)
		return rc;
	if (fm_fdt_node_reg_count(node, NULL) != 1 || len != dev_len)
		return fmi_fdt_fail(err, FM_ERR_FORMAT, node, "reg",
				    "%d ranges, the first of 0x%llx bytes, expected one of all "
				    "0x%llx bytes",
				    fm_fdt_node_reg_count(node, NULL), (unsigned long long)len,
				    (unsigned long long)dev_len);
	c->use_gpa = true;
	return 0;
}

int fmi_fdt_plug(const struct fm_fdt_node *node, struct fm_machine *machine, struct fm_block *block,
		 struct fm_dev *dev, struct fm_error *err)
{
	struct fm_dimm_config c = { .struct_size = sizeof(c),
				    .block = block,
				    .dev = dev,
				    .cold_plugged = true,
				    .fixed = fm_fdt_node_has(node, "firmem,fixed") };
	struct fm_dimms *set = fm_dimms_of(machine);
	uint32_t numa = 0;
	int rc = check_props(node, err);

	if (!rc && !set)
		rc = fmi_fdt_fail(
			err, FM_ERR_NOT_FOUND, node, "firmem,slot",
			"no slots, expected a node \"firmem,dimm-slots\" before this one");
	if (!rc)
		rc = read_slot(node, &c, err);
	if (!rc)
		rc = read_gpa(node, &c, err);
	if (!rc && fm_fdt_node_has(node, "numa-node-id"))
		rc = fm_fdt_node_u32(node, "numa-node-id", &numa, err);
	c.node = numa;
	return rc ? rc : fm_dimm_plug(set, &c, NULL, err);
}

/* --- for the guest -------------------------------------------------------------------------------- */

void fm_fdt_add_dimms(struct fm_fdt *fdt, const struct fm_dimms *dimms)
{
	const struct fm_dimm *d;

	fm_dimms_foreach(dimms, d)
	{
		const uint64_t reg[] = { fm_dimm_gpa(d), fm_dimm_len(d) };
		bool volatile_memory = fm_block_role(fm_dimm_block(d)) == FM_ROLE_DIMM;
		char name[32];

		if (fm_dimm_state(d) == FM_DIMM_EJECTED)
			continue;
		snprintf(name, sizeof(name), "%s@%llx", volatile_memory ? "memory" : "pmem",
			 (unsigned long long)reg[0]);
		fm_fdt_begin(fdt, name);
		if (volatile_memory)
			fm_fdt_prop_text(fdt, "device_type", "memory");
		else
			fm_fdt_prop_text(fdt, "compatible", "pmem-region");
		fm_fdt_prop_reg(fdt, reg, 1);
		if (volatile_memory)
			fm_fdt_prop_empty(fdt, "hotpluggable");
		/* Linux, bindings/numa.txt. */
		fm_fdt_prop_u32(fdt, "numa-node-id", fm_dimm_node(d));
		fm_fdt_end(fdt);
	}
}
