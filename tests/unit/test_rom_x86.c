/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include <limits.h>

#include <firmem/rom.h>

#define GIB4 (UINT64_C(1) << 32)
#define MIB1 (UINT64_C(1) << 20)

struct fixture {
	struct fm_space *space;
	struct fm_block *block;
	struct fm_dev *rom;
	struct fm_port *port;
};

/* Every 4 KiB holds its number. */
static void make_rom(struct fixture *f, uint64_t len)
{
	struct fm_block_config bcfg = {
		.struct_size = sizeof(bcfg), .name = "bios", .role = FM_ROLE_ROM, .len = len
	};
	uint32_t *data = calloc(1, len);
	struct fm_rom_config cfg = { .struct_size = sizeof(cfg), .data = data, .len = len };

	for (uint64_t i = 0; i < len / 4096; i++)
		data[i * 1024] = (uint32_t)i;
	assert_int_equal(fm_block_new(&f->block, &bcfg, NULL), 0);
	cfg.block = f->block;
	assert_int_equal(fm_rom_new(&f->rom, &cfg, NULL), 0);
	free(data);
}

static void make(struct fixture *f, uint64_t len, unsigned address_bits)
{
	struct fm_space_config cfg = { .struct_size = sizeof(cfg),
				       .name = "memory",
				       .address_bits = address_bits };

	assert_int_equal(fm_space_new(&f->space, &cfg, NULL), 0);
	assert_int_equal(fm_port_new(&f->port, f->space, NULL), 0);
	make_rom(f, len);
}

static void unmake(struct fixture *f)
{
	fm_port_free(f->port);
	fm_space_free(f->space);
	fm_dev_free(f->rom);
	fm_block_free(f->block);
}

static uint32_t at(struct fixture *f, uint64_t gpa)
{
	uint64_t v = 0;

	assert_int_equal(fm_port_read(f->port, gpa, 4, &v, FM_ATTRS_NONE), 0);
	return (uint32_t)v;
}

static bool nothing_at(struct fixture *f, uint64_t gpa)
{
	uint64_t v;

	return fm_port_read(f->port, gpa, 1, &v, FM_ATTRS_NONE) == FM_EFF_FAULT;
}

static size_t windows(struct fixture *f)
{
	size_t count = 0;

	for (struct fm_window *w = NULL; (w = fm_space_next_window(f->space, w));)
		count++;
	return count;
}

static void the_rom_ends_at_4_gib_and_its_last_128_kib_at_1_mib(void **state)
{
	static const uint64_t lens[] = { 0x10000, 0x20000, 0x30000, 0x40000, 0x1000000 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		const uint64_t len = lens[i], low = len < 0x20000 ? len : 0x20000;
		struct fixture f;

		make(&f, len, 0);
		assert_int_equal(fm_rom_map_x86(f.space, f.rom, 3, NULL), 0);
		for (uint64_t off = 0; off < len; off += 4096)
			assert_int_equal(at(&f, GIB4 - len + off), off / 4096);
		for (uint64_t off = 0; off < low; off += 4096)
			assert_int_equal(at(&f, MIB1 - low + off), (len - low + off) / 4096);
		assert_true(nothing_at(&f, GIB4 - len - 1));
		assert_true(nothing_at(&f, GIB4));
		assert_true(nothing_at(&f, MIB1 - low - 1));
		assert_true(nothing_at(&f, MIB1));
		unmake(&f);
	}
}

static void both_are_the_same_bytes_read_only_and_the_low_one_wins(void **state)
{
	const struct fm_view *view;
	const struct fm_range *high, *low;
	struct fixture f;

	make(&f, 0x40000, 0);
	assert_int_equal(fm_rom_map_x86(f.space, f.rom, 3, NULL), 0);
	view = fm_space_view_get(f.space);
	high = fm_view_find(view, GIB4 - 1);
	low = fm_view_find(view, MIB1 - 1);
	assert_ptr_equal(high->block, low->block);
	assert_int_equal(high->priority, 3);
	assert_int_equal(low->priority, 4);
	assert_int_equal(low->prot, FM_MAP_READ | FM_MAP_EXEC);
	assert_ptr_equal(low->host + low->len, high->host + high->len);
	fm_view_put(view);
	fm_port_write(f.port, MIB1 - 0x1000, 4, 0x55, FM_ATTRS_NONE);
	assert_int_equal(at(&f, MIB1 - 0x1000), 0x3f);
	assert_true(fm_rom_pristine(f.rom, NULL));
	unmake(&f);
}

static void the_alias_hides_ram_below_it(void **state)
{
	struct fixture f, ram;

	make(&f, 0x20000, 0);
	make_rom(&ram, 0x200000);
	assert_int_equal(fm_space_add(f.space,
				      &(struct fm_window_config){
					      .struct_size = sizeof(struct fm_window_config),
					      .dev = ram.rom },
				      NULL, NULL),
			 0);
	assert_int_equal(fm_rom_map_x86(f.space, f.rom, 0, NULL), 0);
	assert_int_equal(at(&f, MIB1 - 0x21000), 0xdf);
	assert_int_equal(at(&f, MIB1 - 0x20000), 0);
	assert_int_equal(at(&f, MIB1), 0x100);
	fm_port_free(f.port);
	fm_space_free(f.space);
	fm_dev_free(f.rom);
	fm_block_free(f.block);
	fm_dev_free(ram.rom);
	fm_block_free(ram.block);
}

static void wrong_lengths_and_priorities_are_refused(void **state)
{
	static const uint64_t lens[] = { 0x1000, 0xffff, 0x18000, 0x1010000 };
	struct fm_error err = { 0 };
	struct fixture f;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		make(&f, lens[i], 0);
		assert_int_equal(fm_rom_map_x86(f.space, f.rom, 0, &err), FM_ERR_SIZE);
		assert_non_null(strstr(err.msg, "64 KiB"));
		assert_int_equal(windows(&f), 0);
		unmake(&f);
	}
	make(&f, 0x10000, 0);
	assert_int_equal(fm_rom_map_x86(f.space, f.rom, INT_MAX, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "priority"));
	assert_int_equal(fm_rom_map_x86(f.space, f.rom, INT_MAX - 1, &err), 0);
	unmake(&f);
}

static void a_failure_leaves_the_space_as_it_was(void **state)
{
	struct fm_window_config cfg = { .struct_size = sizeof(cfg), .name = "in the way" };
	struct fm_error err = { 0 };
	struct fixture f, other;

	/* The low window meets one of its own priority, then the high one does. */
	for (int high = 0; high < 2; high++) {
		make(&f, 0x20000, 0);
		make_rom(&other, 0x10000);
		cfg.dev = other.rom;
		cfg.gpa = high ? GIB4 - 0x10000 : MIB1 - 0x10000;
		cfg.priority = high ? 5 : 6;
		assert_int_equal(fm_space_add(f.space, &cfg, NULL, NULL), 0);
		assert_int_equal(fm_rom_map_x86(f.space, f.rom, 5, &err), FM_ERR_OVERLAP);
		assert_non_null(strstr(err.msg, "in the way"));
		assert_int_equal(windows(&f), 1);
		assert_true(nothing_at(&f, GIB4 - 0x20000));
		assert_int_equal(at(&f, cfg.gpa), 0);
		fm_port_free(f.port);
		fm_space_free(f.space);
		fm_dev_free(f.rom);
		fm_block_free(f.block);
		fm_dev_free(other.rom);
		fm_block_free(other.block);
	}

	/* 20 bits: the low window would fit, the high one does not. */
	make(&f, 0x20000, 20);
	assert_int_equal(fm_rom_map_x86(f.space, f.rom, 0, &err), FM_ERR_RANGE);
	assert_int_equal(windows(&f), 0);
	assert_true(nothing_at(&f, MIB1 - 1));
	unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rom_ends_at_4_gib_and_its_last_128_kib_at_1_mib),
		cmocka_unit_test(both_are_the_same_bytes_read_only_and_the_low_one_wins),
		cmocka_unit_test(the_alias_hides_ram_below_it),
		cmocka_unit_test(wrong_lengths_and_priorities_are_refused),
		cmocka_unit_test(a_failure_leaves_the_space_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
