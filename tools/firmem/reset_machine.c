/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/reset_machine.h"

#include "tools/firmem/out.h"
#include "tools/firmem/tree.h"

#include <firmem/ppi.h>
#include <firmem/ram.h>
#include <firmem/rom.h>

#include <stdlib.h>
#include <string.h>

#define MACHINE_MAX (UINT64_C(4) << 30) /* bytes of all blocks: a test fills them */

/* The image behind a ROM is not opened: one of its length stands for it. */
static int make_rom(struct fm_block *block, struct fm_dev **out, struct fm_error *err)
{
	struct fm_rom_config cfg = { .struct_size = sizeof(cfg),
				     .block = block,
				     .len = 1,
				     .fill = RESET_PRISTINE,
				     .shadow = true };
	const uint8_t first = RESET_PRISTINE;

	cfg.data = &first;
	return fm_rom_new(out, &cfg, err);
}

static int make_device(void *ctx, const struct fm_fdt_node *node, struct fm_block *block,
		       struct fm_dev **out, struct fm_error *err)
{
	struct fm_ram_config ram = { .struct_size = sizeof(ram), .block = block };
	struct fm_ppi_config ppi = { .struct_size = sizeof(ppi), .block = block };

	switch (fm_block_role(block)) {
	case FM_ROLE_ROM:
	case FM_ROLE_OPTION_ROM:
	case FM_ROLE_TABLE:
		return make_rom(block, out, err);
	case FM_ROLE_PPI:
		return fm_ppi_new(out, &ppi, err);
	case FM_ROLE_NONE:
	case FM_ROLE_RAM:
	case FM_ROLE_DIMM:
	case FM_ROLE_VIRTIO_MEM:
	case FM_ROLE_FLASH_CODE:
	case FM_ROLE_FLASH_VARS:
	case FM_ROLE_VRAM:
	case FM_ROLE_NVDIMM:
	case FM_ROLE_LABEL:
	case FM_ROLE_VIRTIO_PMEM:
	case FM_ROLE_DEVICE:
	case FM_ROLE_SMRAM:
	case FM_ROLE_PRIVATE:
	case FM_ROLE_S3_PRESERVED:
	case FM_ROLE_COUNT:
		break;
	}
	return fm_ram_new(out, &ram, err);
}

static int declared(void *ctx, const struct fm_block *block, unsigned backing, struct fm_error *err)
{
	struct reset_machine *m = ctx;

	m->backings = out_need(reallocarray(m->backings, m->nbackings + 1, sizeof(*m->backings)));
	m->backings[m->nbackings++] =
		(struct fm_reset_backing){ .block = fm_block_name(block), .is = backing };
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fm_reset_backing *)a)->block,
		      ((const struct fm_reset_backing *)b)->block);
}

/* Memory and flash that the tree says no more of is ordinary memory of our own. */
static void declare_the_rest(struct reset_machine *m)
{
	const size_t told = m->nbackings;
	struct fm_block *block;

	if (told)
		qsort(m->backings, told, sizeof(*m->backings), by_name);
	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		const struct fm_reset_backing key = { .block = fm_block_name(block) };

		if (!told || !bsearch(&key, m->backings, told, sizeof(key), by_name))
			declared(m, block, 0, NULL);
	}
}

static bool fits(const struct reset_machine *m, const char *dtb)
{
	struct fm_block *block;
	uint64_t sum = 0;

	fm_machine_foreach_block (m->machine, FM_WALK_ALL, block) {
		if (fm_block_len(block) > MACHINE_MAX - sum) {
			complain("%s: %s: 0x%llx bytes, expected at most 0x%llx in all blocks", dtb,
				 fm_block_name(block), (unsigned long long)fm_block_len(block),
				 (unsigned long long)MACHINE_MAX);
			return false;
		}
		sum += fm_block_len(block);
	}
	return true;
}

bool reset_machine_read(struct reset_machine *m, const char *dtb)
{
	struct fm_flash_fdt_options flash = { .struct_size = sizeof(flash),
					      .backing = FM_BACKING_MEMFD };
	struct fm_block_fdt_options memory = { .struct_size = sizeof(memory),
					       .memfd = true,
					       .device = make_device,
					       .declared = declared,
					       .ctx = m };
	enum fm_backing vram = FM_BACKING_MEMFD;
	struct fm_fdt_binding bindings[TREE_BINDINGS];
	const struct fm_fdt_options options = { .struct_size = sizeof(options),
						.source = dtb,
						.ram_backing = FM_BACKING_MEMFD };

	tree_bindings(bindings, &flash, &memory, &vram);
	m->machine = tree_machine(bindings, TREE_BINDINGS, &options);
	if (!m->machine)
		return false;
	declare_the_rest(m);
	return fits(m, dtb);
}

void reset_machine_free(struct reset_machine *m)
{
	fm_machine_free(m->machine);
	free(m->backings);
}
