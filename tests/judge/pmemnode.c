/* SPDX-License-Identifier: BSD-2-Clause */
/* pmemnode FILE ADDRESS LENGTH: a device tree of one pmem-region node. */
#include <firmem/fdt.h>
#include <firmem/io.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	uint64_t reg[2];
	struct fm_fdt *fdt;
	struct fm_error err;
	void *blob;
	size_t len;

	if (argc != 4)
		return 2;
	reg[0] = strtoull(argv[2], NULL, 0);
	reg[1] = strtoull(argv[3], NULL, 0);
	if (fm_fdt_new(&fdt, &err))
		return 2;
	fm_fdt_add_pmem(fdt, reg, 1, false);
	if (fm_fdt_finish(fdt, &blob, &len, &err) || fm_io_store(NULL, argv[1], blob, len, &err))
		return fprintf(stderr, "pmemnode: %s\n", err.msg), 2;
	free(blob);
	fm_fdt_free(fdt);
	return 0;
}
