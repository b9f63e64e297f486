/* SPDX-License-Identifier: BSD-2-Clause */
/* A stranger's program: compiled as C and as C++ against the installed tree only. */
#include <firmem/base.h>
#include <firmem/machine.h>
#include <firmem/ram.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
	struct fm_block_config mem = { sizeof(mem) };
	struct fm_ram_config ram = { sizeof(ram) };
	struct fm_machine *machine = NULL;
	struct fm_dev *dev = NULL;
	struct fm_error err;
	uint64_t value = 0;

	mem.name = "main";
	mem.role = FM_ROLE_RAM;
	mem.len = 1 << 20;
	if (fm_machine_new(&machine, "consumer", &err) < 0 ||
	    fm_block_new(&ram.block, &mem, &err) < 0 ||
	    fm_machine_add_block(machine, ram.block, &err) < 0 ||
	    fm_ram_new(&dev, &ram, &err) < 0 || fm_machine_add_dev(machine, dev, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	fm_dev_write(dev, 16, 4, 0x12345678, FM_ATTRS_NONE);
	fm_dev_read(dev, 16, 4, &value, FM_ATTRS_NONE);
	printf("firmem %s: %s reads %#llx\n", fm_version(), fm_dev_name(dev),
	       (unsigned long long)value);
	fm_machine_free(machine);
	return value == 0x12345678 ? 0 : 1;
}
