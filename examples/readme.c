/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts its own runs in a flash image: each clears one more bit, which NOR flash can do. */
#include <firmem/flash.h>
#include <firmem/space.h>
#include <stdio.h>

int main(void)
{
	struct fm_block_config mem = { sizeof(mem), .role = FM_ROLE_FLASH_VARS, .len = 1 << 20 };
	struct fm_flash_config nor = { sizeof(nor), "flash", .image = "vars.fd", .create = true };
	struct fm_space_config map = { sizeof(map), "memory" };
	struct fm_window_config at = { sizeof(at), .gpa = 0x4000000 };
	struct fm_space *space;
	struct fm_port *cpu;
	struct fm_error err;
	uint64_t word;

	if (fm_block_new(&nor.block, &mem, &err) < 0 || fm_flash_new(&at.dev, &nor, &err) < 0 ||
	    fm_space_new(&space, &map, &err) < 0 || fm_space_add(space, &at, NULL, &err) < 0 ||
	    fm_port_new(&cpu, space, &err) < 0)
		return fprintf(stderr, "%s\n", err.msg), 2;
	fm_port_read(cpu, at.gpa, 4, &word, FM_ATTRS_NONE);       /* array contents */
	fm_port_write(cpu, at.gpa, 4, 0x00400040, FM_ATTRS_NONE); /* both chips: program */
	fm_port_write(cpu, at.gpa, 4, (uint32_t)(word << 1), FM_ATTRS_NONE);
	fm_port_write(cpu, at.gpa, 4, 0x00ff00ff, FM_ATTRS_NONE); /* back to the array */
	fm_port_read(cpu, at.gpa, 4, &word, FM_ATTRS_NONE);
	printf("run %d\n", 32 - __builtin_popcountll(word));
	fm_port_free(cpu);
	fm_space_free(space);
	fm_dev_free(at.dev);
	fm_block_free(nor.block);
	return 0;
}
