/* SPDX-License-Identifier: BSD-2-Clause */
/* Banks from a "cfi-flash" node (the mtd-physmap binding). */
#include <firmem/flash.h>
#include <firmem/machine.h>

#include "devices/config.h"
#include "devices/guestmem.h"

#include <stdio.h>

#define DEFAULT_SECTOR (256u << 10)
/*
 * Banks are filled with FF, so a tree that lies could make the host run out of memory. Real boards
 * have a fraction of this.
 */
#define MACHINE_MAX (512u << 20)

/* What all banks of a node have in common. */
struct node {
	const struct fm_fdt_node *fdt;
	struct fm_machine *machine;
	struct fm_space *space;
	uint32_t bank_width;
	unsigned chips;
	uint64_t sector_len;
	enum fm_flash_narrow narrow;
	enum fm_backing backing;
};

static int bad(const struct fm_fdt_node *fdt, struct fm_error *err, const char *prop,
	       unsigned long long value, const char *expected)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: %s: %s is 0x%llx, expected %s",
			    fm_fdt_node_source(fdt), fm_fdt_node_path(fdt), prop, value, expected);
}

static int read_node(struct node *node, const struct fm_flash_fdt_options *o, struct fm_error *err)
{
	const struct fm_fdt_node *fdt = node->fdt;
	int rc = fm_fdt_node_u32(fdt, "bank-width", &node->bank_width, err);

	if (rc)
		return rc;
	if (node->bank_width != 1 && node->bank_width != 2 && node->bank_width != 4)
		return bad(fdt, err, "bank-width", node->bank_width, "1, 2 or 4");
	node->chips = o->chips ? o->chips : (node->bank_width == 1 ? 1 : 2);
	if (node->chips > node->bank_width || node->bank_width % node->chips)
		return bad(fdt, err, "bank-width", node->bank_width,
			   "a multiple of the chips side by side");
	node->sector_len = o->sector_len ? o->sector_len : DEFAULT_SECTOR;
	node->narrow = o->narrow;
	node->backing = o->backing;
	return 0;
}

static bool is_flash(const struct fm_block *block)
{
	return fm_block_role(block) == FM_ROLE_FLASH_CODE ||
	       fm_block_role(block) == FM_ROLE_FLASH_VARS;
}

/* Bytes of the machine's banks so far. */
static uint64_t flash_so_far(const struct fm_machine *machine)
{
	struct fm_block *block;
	uint64_t sum = 0;

	fm_machine_foreach_block (machine, FM_WALK_ALL, block) {
		if (is_flash(block))
			sum += fm_block_len(block);
	}
	return sum;
}

/* The machine's first bank holds the firmware. */
static enum fm_role next_role(const struct fm_machine *machine)
{
	return flash_so_far(machine) ? FM_ROLE_FLASH_VARS : FM_ROLE_FLASH_CODE;
}

static int make_block(struct fm_block **out, const struct node *node, const char *name,
		      uint64_t len, struct fm_error *err)
{
	struct fm_block_config cfg = {
		.struct_size = sizeof(cfg),
		.name = name,
		.role = next_role(node->machine),
		.backing = node->backing,
		.len = len,
	};
	int rc = fm_block_new(out, &cfg, err);

	/* As chips come from the factory. */
	if (!rc)
		fmi_mem_fill(fm_block_ptr(*out), 0xff, (size_t)len);
	return rc;
}

static int make_dev(struct fm_dev **out, const struct node *node, struct fm_block *block,
		    uint64_t len, struct fm_error *err)
{
	struct fm_flash_config cfg = {
		.struct_size = sizeof(cfg),
		.block = block,
		.bank_width = node->bank_width,
		.chip_width = node->bank_width / node->chips,
		.regions = { { node->sector_len, (uint32_t)(len / node->sector_len) } },
		.nregions = 1,
		.narrow = node->narrow,
	};

	return fm_flash_new(out, &cfg, err);
}

/* Block, device and window; what the machine has taken over is the machine's to free. */
static int add_bank(const struct node *node, const char *name, uint64_t gpa, uint64_t len,
		    struct fm_error *err)
{
	struct fm_block *block;
	struct fm_dev *dev;
	int rc = make_block(&block, node, name, len, err);

	if (rc)
		return rc;
	rc = fm_machine_add_block(node->machine, block, err);
	if (rc) {
		fm_block_free(block);
		return rc;
	}
	rc = make_dev(&dev, node, block, len, err);
	if (rc)
		return rc;
	rc = fm_machine_add_dev(node->machine, dev, err);
	if (rc) {
		fm_dev_free(dev);
		return rc;
	}
	return fm_space_add(
		node->space,
		&(struct fm_window_config){
			.struct_size = sizeof(struct fm_window_config), .dev = dev, .gpa = gpa },
		NULL, err);
}

static int bad_reg(const struct node *node, unsigned index, uint64_t len, const char *expected,
		   uint64_t than, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0,
			    "%s: %s: reg[%u]: length is 0x%llx, expected %s 0x%llx",
			    fm_fdt_node_source(node->fdt), fm_fdt_node_path(node->fdt), index,
			    (unsigned long long)len, expected, (unsigned long long)than);
}

static int build_bank(const struct node *node, unsigned index, struct fm_error *err)
{
	uint64_t gpa, len, so_far;
	char name[40];
	int rc = fm_fdt_node_reg(node->fdt, index, &gpa, &len, err);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "flash@%llx", (unsigned long long)gpa);
	if (!len || len % node->sector_len)
		return bad_reg(node, index, len, "a multiple of the sector length",
			       node->sector_len, err);
	so_far = flash_so_far(node->machine);
	if (so_far > MACHINE_MAX || len > MACHINE_MAX - so_far)
		return bad_reg(node, index, len, "with the banks before it at most", MACHINE_MAX,
			       err);
	return add_bank(node, name, gpa, len, err);
}

int fm_flash_fdt_build(const struct fm_fdt_node *fdt, struct fm_machine *machine,
		       struct fm_space *space, void *ctx, struct fm_error *err)
{
	struct fm_flash_fdt_options o = { .struct_size = sizeof(o) };
	struct node node = { .fdt = fdt, .machine = machine, .space = space };
	int count;
	int rc = ctx ? fmi_config_copy(&o, sizeof(o), ctx, "fm_flash_fdt_options", err) : 0;

	if (!rc && o.backing != FM_BACKING_ANON && o.backing != FM_BACKING_MEMFD)
		rc = fm_error_set(err, FM_ERR_ARG, 0,
				  "fm_flash_fdt_options.backing: %s, expected anonymous memory or "
				  "memfd",
				  fm_backing_name(o.backing));
	if (!rc)
		rc = read_node(&node, &o, err);
	if (rc)
		return rc;
	count = fm_fdt_node_reg_count(fdt, err);
	if (count < 0)
		return count;
	if (!count)
		return bad(fdt, err, "number of reg entries", 0, "at least one bank");
	for (int i = 0; !rc && i < count; i++)
		rc = build_bank(&node, (unsigned)i, err);
	return rc;
}
