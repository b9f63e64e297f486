/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/tree.h"

#include "tools/firmem/input.h"
#include "tools/firmem/out.h"

#include <firmem/dimm.h>
#include <firmem/vram.h>

#include <stdlib.h>

void tree_bindings(struct fm_fdt_binding *out, struct fm_flash_fdt_options *flash,
		   struct fm_block_fdt_options *memory, enum fm_backing *vram)
{
	const struct fm_fdt_binding all[TREE_BINDINGS] = {
		{ "cfi-flash", fm_flash_fdt_build, flash },
		{ "firmem,dimm-slots", fm_dimms_fdt_build, NULL },
		{ "firmem,memory", fm_block_fdt_build, memory },
		{ "pmem-region", fm_block_fdt_build, memory },
		{ "simple-framebuffer", fm_vram_fdt_build, vram },
	};

	for (size_t i = 0; i < TREE_BINDINGS; i++)
		out[i] = all[i];
}

struct fm_machine *tree_machine(const struct fm_fdt_binding *bindings, size_t count,
				const struct fm_fdt_options *options)
{
	struct fm_machine *machine = NULL;
	struct fm_error err;
	void *blob;
	size_t len;

	if (!input_read(options->source, TREE_MAX, &blob, &len))
		return NULL;
	if (fm_machine_from_fdt(&machine, blob, len, bindings, count, options, &err)) {
		complain("%s", err.msg);
		machine = NULL;
	}
	free(blob);
	return machine;
}
