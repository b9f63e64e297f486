/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/pair.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define KIB 1024u

/* One property of every bank of the machine. */
#define PFLASH02(property, value) \
	"-global", "driver=cfi.pflash02,property=" property ",value=" value

static const struct board boards[] = {
	{ .name = "aarch64-virt",
	  .program = "qemu-system-aarch64",
	  .profile = "qemu-7.2",
	  .base = 0x04000000,
	  .len = 64 * MIB,
	  .regions = { { 256 * KIB, 256 } },
	  .bank_width = 4,
	  .unit = 1,
	  .unit0_len = 64 * MIB,
	  .args = { "-machine", "virt", "-m", "64" } },
	{ .name = "aarch64-virt-readonly",
	  .program = "qemu-system-aarch64",
	  .profile = "qemu-7.2",
	  .base = 0,
	  .len = 64 * MIB,
	  .regions = { { 256 * KIB, 256 } },
	  .bank_width = 4,
	  .read_only = true,
	  .args = { "-machine", "virt", "-m", "64" } },
	{ .name = "riscv64-virt",
	  .program = "qemu-system-riscv64",
	  .profile = "qemu-7.2",
	  .base = 0x22000000,
	  .len = 32 * MIB,
	  .regions = { { 256 * KIB, 128 } },
	  .bank_width = 4,
	  .unit = 1,
	  .args = { "-machine", "virt", "-m", "64", "-bios", "none" } },
	{ .name = "connex",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2-board",
	  .base = 0,
	  .len = 16 * MIB,
	  .regions = { { 128 * KIB, 128 } },
	  .bank_width = 2,
	  .args = { "-machine", "connex" } },
	{ .name = "versatilepb",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2-board",
	  .base = 0x34000000,
	  .len = 64 * MIB,
	  .regions = { { 256 * KIB, 256 } },
	  .bank_width = 4,
	  .clear_quirks = FM_FLASH_QUIRK_NO_CODES,
	  .args = { "-machine", "versatilepb", "-m", "64" } },
	{ .name = "pc",
	  .program = "qemu-system-x86_64",
	  .profile = "qemu-7.2-board",
	  .base = UINT64_C(0x100000000) - 4 * MIB,
	  .len = 4 * MIB,
	  .regions = { { 4 * KIB, 1024 } },
	  .bank_width = 1,
	  .args = { "-machine", "pc", "-m", "64" } },
	{ .name = "musicpal",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2",
	  .set = FM_FLASH_AMD,
	  .base = 0xfe000000,
	  .len = 8 * MIB,
	  .regions = { { 64 * KIB, 128 } },
	  .bank_width = 2,
	  .mirrors = 4,
	  .codes = { 0x00bf, 0x236d },
	  .ram_len = 32 * MIB,
	  .args = { "-machine", "musicpal,memory-backend=ram" } },
	{ .name = "musicpal-readonly",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2",
	  .set = FM_FLASH_AMD,
	  .base = 0xfe000000,
	  .len = 8 * MIB,
	  .regions = { { 64 * KIB, 128 } },
	  .bank_width = 2,
	  .mirrors = 4,
	  .read_only = true,
	  .codes = { 0x00bf, 0x236d },
	  .ram_len = 32 * MIB,
	  .args = { "-machine", "musicpal,memory-backend=ram" } },
	{ .name = "musicpal-regions",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2",
	  .set = FM_FLASH_AMD,
	  .base = 0xfe000000,
	  .len = 8 * MIB,
	  .regions = { { 128 * KIB, 32 }, { 64 * KIB, 62 }, { 8 * KIB, 16 } },
	  .bank_width = 2,
	  .mirrors = 4,
	  .codes = { 0x00bf, 0x236d },
	  .ram_len = 32 * MIB,
	  .args = { "-machine", "musicpal,memory-backend=ram", PFLASH02("num-blocks0", "32"),
		    PFLASH02("sector-length0", "131072"), PFLASH02("num-blocks1", "62"),
		    PFLASH02("sector-length1", "65536"), PFLASH02("num-blocks2", "16"),
		    PFLASH02("sector-length2", "8192") } },
	{ .name = "xilinx-zynq-a9",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2",
	  .set = FM_FLASH_AMD,
	  .base = 0xe2000000,
	  .len = 64 * MIB,
	  .regions = { { 128 * KIB, 512 } },
	  .bank_width = 1,
	  .codes = { 0x0066, 0x0022 },
	  .ram_len = 64 * MIB,
	  .args = { "-machine", "xilinx-zynq-a9,memory-backend=ram", "-m", "64" } },
	{ .name = "zynq-regions",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2",
	  .set = FM_FLASH_AMD,
	  .base = 0xe2000000,
	  .len = 64 * MIB,
	  .regions = { { 8 * KIB, 8 }, { 64 * KIB, 1 }, { 128 * KIB, 507 }, { 32 * KIB, 16 } },
	  .bank_width = 1,
	  .codes = { 0x0066, 0x0022 },
	  .ram_len = 64 * MIB,
	  .args = { "-machine", "xilinx-zynq-a9,memory-backend=ram", "-m", "64",
		    PFLASH02("num-blocks0", "8"), PFLASH02("sector-length0", "8192"),
		    PFLASH02("num-blocks1", "1"), PFLASH02("sector-length1", "65536"),
		    PFLASH02("num-blocks2", "507"), PFLASH02("sector-length2", "131072"),
		    PFLASH02("num-blocks3", "16"), PFLASH02("sector-length3", "32768") } },
	{ .name = "canon-a1100",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2",
	  .set = FM_FLASH_AMD,
	  .base = 0xf8000000,
	  .len = 4 * MIB,
	  .regions = { { 64 * KIB, 64 } },
	  .bank_width = 4,
	  .no_drive = true,
	  .codes = { 0x00ec, 0x007e, 0x0003, 0x0001 },
	  .ram_len = 64 * MIB,
	  .args = { "-machine", "canon-a1100,memory-backend=ram", "-bios", "/dev/null" } },
};

const struct board *board_find(const char *name)
{
	for (unsigned n = 0; n < sizeof(boards) / sizeof(boards[0]); n++) {
		if (!strcmp(boards[n].name, name))
			return &boards[n];
	}
	return NULL;
}

uint64_t board_blocks(const struct board *board)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < FM_FLASH_REGIONS; i++)
		n += board->regions[i].count;
	return n;
}

void board_block(const struct board *board, uint64_t n, uint64_t *off, uint64_t *len)
{
	const struct fm_flash_region *region = board->regions;

	*off = 0;
	for (; n >= region->count; region++) {
		*off += region->block_len * region->count;
		n -= region->count;
	}
	*off += region->block_len * n;
	*len = region->block_len;
}
