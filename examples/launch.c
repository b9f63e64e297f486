/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts an OVMF image where x86 has its firmware, and predicts the SEV-SNP launch digest of the machine from
 * what is mapped: launch FIRMWARE [DIGEST]. With a digest it says whether that is the one.
 */
#include <firmem/digest.h>
#include <firmem/loaded.h>
#include <firmem/rom.h>
#include <firmem/sev.h>

#include <stdio.h>
#include <string.h>

#define MOST (16u << 20)
#define VCPUS 4

static unsigned char file[MOST];

static size_t load(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t len = f ? fread(file, 1, MOST, f) : 0;

	if (f)
		fclose(f);
	return len;
}

/* The firmware's block, a ROM in front of it, and the space that shows it below 4 GiB. */
static int build(size_t len, struct fm_block **block, struct fm_dev **rom, struct fm_space **space,
		 struct fm_error *err)
{
	struct fm_block_config mem = { sizeof(mem), .name = "firmware", .role = FM_ROLE_ROM };
	struct fm_rom_config cfg = { sizeof(cfg), .data = file, .len = len };
	struct fm_space_config memory = { sizeof(memory), .name = "memory" };
	int ret;

	mem.len = len;
	ret = fm_block_new(block, &mem, err);
	cfg.block = *block;
	if (!ret)
		ret = fm_rom_new(rom, &cfg, err);
	if (!ret)
		ret = fm_space_new(space, &memory, err);
	return ret ? ret : fm_rom_map_x86(*space, *rom, 0, err);
}

static int measure(struct fm_space *space, char text[97], struct fm_error *err)
{
	struct fm_sev_config c = { sizeof(c), .kind = FM_SEV_SNP, .vcpus = VCPUS };
	struct fm_loaded *loaded;
	unsigned char digest[48];
	uint64_t len = 0;
	int ret = fm_loaded_new(&loaded, space, 0, err);

	if (ret)
		return ret;
	c.cpu_sig = fm_vmsa_cpu_sig("EPYC-Milan");
	ret = fm_loaded_image(loaded, 0, &c.firmware, &len, err);
	c.firmware_len = (size_t)len;
	if (!ret)
		ret = fm_sev_measure(digest, &c, err);
	/* Just before the guest is started: is what was measured still what it will run? */
	if (!ret)
		ret = fm_loaded_check(loaded, space, err);
	fm_loaded_free(loaded);
	if (!ret)
		fm_digest_hex(text, digest, sizeof(digest));
	return ret;
}

int main(int argc, char **argv)
{
	struct fm_block *block = NULL;
	struct fm_dev *rom = NULL;
	struct fm_space *space = NULL;
	struct fm_error err = { 0 };
	char text[97];
	size_t len = argc > 1 ? load(argv[1]) : 0;
	int ret;

	if (!len) {
		printf("skipped: no firmware at %s\n", argc > 1 ? argv[1] : "(none given)");
		return 77;
	}
	ret = build(len, &block, &rom, &space, &err);
	if (!ret)
		ret = measure(space, text, &err);
	fm_space_free(space);
	fm_dev_free(rom);
	fm_block_free(block);
	if (ret)
		return fprintf(stderr, "%s\n", err.msg), 2;
	puts(text);
	return argc > 2 && strcmp(text, argv[2]);
}
