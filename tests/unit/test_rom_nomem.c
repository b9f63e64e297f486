/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of every call of rom/ fails once: the call says FM_ERR_NOMEM, its outputs are
 * untouched, and nothing is left behind (a leak checker sees to that).
 */
#include "fuzz/image_build.h"
#include "tests/unit/nomem.h"
#include "tests/unit/unit.h"

#include <firmem/rom.h>

/* At least one allocation fails, or the call makes none and the test proves nothing. */
#define FAIL_EACH(call, unchanged)                                               \
	do {                                                                     \
		unsigned failed_ = nomem_failed;                                 \
		NOMEM_EACH(not_above_zero((int)(call)), assert_true(unchanged)); \
		assert_true(nomem_failed > failed_);                             \
	} while (0)

static int not_above_zero(int rc)
{
	return rc < 0 ? rc : 0;
}

static void each_format_survives_without_memory(void **state)
{
	/* Two segments out of order, in every format that can say so. */
	static const char hex[] = ":020013000405E2\n:0100000009F6\n:00000001FF\n";
	uint8_t elf[BUILD_ELF_LEN], uimage[BUILD_UIMAGE_LEN];
	struct fm_image *image = NULL;
	struct build_elf e;
	struct {
		const void *bytes;
		size_t len;
	} inputs[] = {
		{ elf, build_elf_sample(&e, elf, true, false) },
		{ uimage, build_uimage_sample(uimage) },
		{ hex, strlen(hex) },
		{ "raw", 3 },
	};

	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		FAIL_EACH(fm_image_parse(&image, "x", inputs[i].bytes, inputs[i].len, FM_IMAGE_AUTO,
					 0, NULL),
			  image == NULL);
		fm_image_free(image);
		image = NULL;
	}
}

static void opening_survives_without_memory(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fm_image *image = NULL;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%.32s/firmem-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	fclose(fdopen(fd, "w"));
	assert_int_equal(fm_io_store(NULL, path, "raw", 3, NULL), 0);
	FAIL_EACH(fm_image_open(&image, NULL, path, FM_IMAGE_AUTO, 0, NULL), image == NULL);
	fm_image_free(image);
	remove(path);
}

static void placements_survive_without_memory(void **state)
{
	const struct fm_placement items[] = { { "a", 0, 2 }, { "b", 1, 2 } };

	FAIL_EACH(fm_placement_check(items, 2, NULL, NULL, NULL), true);
}

static void roms_survive_without_memory(void **state)
{
	struct fm_block_config bcfg = {
		.struct_size = sizeof(bcfg), .name = "bios", .role = FM_ROLE_ROM, .len = 0x20000
	};
	struct fm_rom_config cfg = { .struct_size = sizeof(cfg), .data = "rom", .len = 3 };
	struct fm_block *block = NULL;
	struct fm_image *image;
	struct fm_dev *rom = NULL;
	uint64_t gpa = 7;

	assert_int_equal(fm_block_new(&cfg.block, &bcfg, NULL), 0);
	FAIL_EACH(fm_rom_new(&rom, &cfg, NULL), rom == NULL);
	fm_dev_free(rom);
	fm_block_free(cfg.block);

	rom = NULL;
	assert_int_equal(fm_image_parse(&image, "x", "raw", 3, FM_IMAGE_RAW, 0x1000, NULL), 0);
	FAIL_EACH(fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_ROM, 0, 0, NULL),
		  !block && !rom && gpa == 7);
	fm_dev_free(rom);
	fm_block_free(block);
	fm_image_free(image);
}

static size_t windows(struct fm_space *space)
{
	size_t count = 0;

	for (struct fm_window *w = NULL; (w = fm_space_next_window(space, w));)
		count++;
	return count;
}

static void the_x86_map_is_made_whole_or_not_at_all(void **state)
{
	struct fm_space_config scfg = { .struct_size = sizeof(scfg), .name = "memory" };
	struct fm_block_config bcfg = {
		.struct_size = sizeof(bcfg), .name = "bios", .role = FM_ROLE_ROM, .len = 0x20000
	};
	struct fm_rom_config cfg = { .struct_size = sizeof(cfg), .data = "rom", .len = 3 };
	const struct fm_view *view;
	struct fm_space *space;
	struct fm_dev *rom;

	assert_int_equal(fm_block_new(&cfg.block, &bcfg, NULL), 0);
	assert_int_equal(fm_rom_new(&rom, &cfg, NULL), 0);
	assert_int_equal(fm_space_new(&space, &scfg, NULL), 0);
	FAIL_EACH(fm_rom_map_x86(space, rom, 0, NULL), windows(space) == 0);
	assert_int_equal(windows(space), 2);
	view = fm_space_view_get(space);
	assert_int_equal(fm_view_count(view), 2);
	fm_view_put(view);
	fm_space_free(space);
	fm_dev_free(rom);
	fm_block_free(cfg.block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_format_survives_without_memory),
		cmocka_unit_test(opening_survives_without_memory),
		cmocka_unit_test(placements_survive_without_memory),
		cmocka_unit_test(roms_survive_without_memory),
		cmocka_unit_test(the_x86_map_is_made_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
