/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts its own runs in a flash image: each clears one more bit, which NOR flash can do. */
#include <firmem/flash.h>
#include <stdio.h>

int main(void)
{
	struct fm_block_config mem = { sizeof(mem), .role = FM_ROLE_FLASH_VARS, .len = 1 << 20 };
	struct fm_flash_config nor = { sizeof(nor), "flash", .image = "vars.fd", .create = true };
	struct fm_dev *flash;
	struct fm_error err;
	uint64_t word;

	if (fm_block_new(&nor.block, &mem, &err) < 0 || fm_flash_new(&flash, &nor, &err) < 0)
		return fprintf(stderr, "%s\n", err.msg), 2;
	fm_dev_read(flash, 0, 4, &word, FM_ATTRS_NONE);       /* array contents */
	fm_dev_write(flash, 0, 4, 0x00400040, FM_ATTRS_NONE); /* both chips: program */
	fm_dev_write(flash, 0, 4, word << 1, FM_ATTRS_NONE);
	fm_dev_write(flash, 0, 4, 0x00ff00ff, FM_ATTRS_NONE); /* back to the array */
	fm_dev_read(flash, 0, 4, &word, FM_ATTRS_NONE);
	printf("run %d\n", 32 - __builtin_popcountll(word));
	fm_dev_free(flash);
	fm_block_free(nor.block);
	return 0;
}
