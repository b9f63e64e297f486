/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of blocks and of flat spaces. What QEMU says of the same machines: tests/diff/qemu_monitor.py. */
#include "tests/unit/space_fixture.h"

#include <firmem/flash.h>
#include <firmem/introspect.h>
#include <firmem/machine.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)

static struct fm_ramblock piece(const char *name, uint64_t total)
{
	return (struct fm_ramblock){
		.name = name, .page_size = 4096, .used = total, .total = total
	};
}

static void expect_row(const struct fm_ramblock *row, const char *name, uint64_t offset)
{
	if (strcmp(row->name, name) != 0 || row->offset != offset || !row->placed)
		fail_msg("%s at 0x%llx, expected %s at 0x%llx", row->name,
			 (unsigned long long)row->offset, name, (unsigned long long)offset);
}

/* --- the space of RAM addresses ------------------------------------------------------------------ */

static void blocks_follow_one_another_and_are_told_by_size(void **state)
{
	struct fm_ramblock rows[] = { piece("small", 4 * KIB), piece("large", MIB),
				      piece("middle", 300 * KIB), piece("like large", MIB) };

	assert_int_equal(fm_ramblock_place(rows, 4, NULL), 0);
	expect_row(&rows[0], "large", 256 * KIB);
	expect_row(&rows[1], "like large", 256 * KIB + MIB + 512 * KIB);
	expect_row(&rows[2], "middle", 256 * KIB + MIB);
	expect_row(&rows[3], "small", 0);
}

static void used_and_page_size_stay(void **state)
{
	struct fm_ramblock rows[] = { piece("tables", 2 * MIB) };

	rows[0].used = 128 * KIB;
	rows[0].page_size = 2 * MIB;
	assert_int_equal(fm_ramblock_place(rows, 1, NULL), 0);
	assert_int_equal(rows[0].used, 128 * KIB);
	assert_int_equal(rows[0].total, 2 * MIB);
	assert_int_equal(rows[0].page_size, 2 * MIB);
}

/* Of a, b, c, d, e of these MiB what is left when b and d have gone; room for two more rows. */
static void unplug_of(struct fm_ramblock *rows, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct fm_ramblock all[] = { piece("a", a * MIB), piece("b", b * MIB), piece("c", c * MIB),
				     piece("d", d * MIB), piece("e", 4 * MIB) };
	size_t n = 0;

	assert_int_equal(fm_ramblock_place(all, 5, NULL), 0);
	for (size_t i = 0; i < 5; i++) {
		if (*all[i].name != 'b' && *all[i].name != 'd')
			rows[n++] = all[i];
	}
	assert_int_equal(n, 3);
}

static void unplug(struct fm_ramblock *rows, uint64_t b, uint64_t d)
{
	unplug_of(rows, 16, b, 8, d);
}

static void what_comes_later_fills_the_smallest_gap_that_holds_it(void **state)
{
	struct fm_ramblock rows[5];

	unplug(rows, 3, 2);
	rows[3] = piece("x", 2 * MIB);
	rows[4] = piece("y", 2 * MIB);
	assert_int_equal(fm_ramblock_place(rows, 5, NULL), 0);
	expect_row(&rows[0], "a", 0);
	expect_row(&rows[3], "x", (16 + 3 + 8) * MIB);
	expect_row(&rows[4], "y", 16 * MIB);
}

static void of_equal_gaps_the_one_behind_the_largest_block_is_filled(void **state)
{
	struct fm_ramblock rows[4];

	unplug(rows, 2, 2);
	rows[3] = piece("x", MIB);
	assert_int_equal(fm_ramblock_place(rows, 4, NULL), 0);
	expect_row(&rows[3], "x", 16 * MIB);
	unplug_of(rows, 8, 2, 16, 2);
	rows[3] = piece("x", MIB);
	assert_int_equal(fm_ramblock_place(rows, 4, NULL), 0);
	expect_row(&rows[3], "x", (8 + 2 + 16) * MIB);
	/* Of equal blocks the older one is the first. */
	unplug_of(rows, 8, 2, 8, 2);
	rows[3] = piece("x", MIB);
	assert_int_equal(fm_ramblock_place(rows, 4, NULL), 0);
	expect_row(&rows[3], "x", 8 * MIB);
}

static void what_fits_no_gap_goes_behind_all(void **state)
{
	struct fm_ramblock rows[4];

	unplug(rows, 2, 2);
	rows[3] = piece("x", 3 * MIB);
	assert_int_equal(fm_ramblock_place(rows, 4, NULL), 0);
	expect_row(&rows[3], "x", (16 + 2 + 8 + 2 + 4) * MIB);
}

static void no_gap_before_the_first_block_is_filled(void **state)
{
	struct fm_ramblock rows[] = { piece("a", MIB), piece("b", MIB) };

	rows[0].placed = true;
	rows[0].offset = 8 * MIB;
	assert_int_equal(fm_ramblock_place(rows, 2, NULL), 0);
	expect_row(&rows[1], "b", 9 * MIB);
}

static void must_refuse(struct fm_ramblock *rows, size_t count, int code, const char *text)
{
	struct fm_ramblock before[4];
	struct fm_error err = { 0 };

	memcpy(before, rows, count * sizeof(*rows));
	assert_int_equal(fm_ramblock_place(rows, count, &err), code);
	assert_int_equal(err.code, code);
	if (!strstr(err.msg, text))
		fail_msg("\"%s\" does not tell \"%s\"", err.msg, text);
	assert_memory_equal(before, rows, count * sizeof(*rows));
}

static void rows_that_lie_are_named_and_stay(void **state)
{
	struct fm_ramblock rows[] = { piece("a", MIB), piece("b", 0) };

	must_refuse(rows, 2, FM_ERR_ARG, "\"b\": total: 0x0");
	rows[1].total = MIB;
	rows[1].used = MIB + 1;
	must_refuse(rows, 2, FM_ERR_ARG,
		    "\"b\": total: 0x100000, expected at least 1 and the 0x100001");
	rows[1].used = 0;
	rows[0].placed = rows[1].placed = true;
	rows[1].offset = MIB - 1;
	must_refuse(rows, 2, FM_ERR_OVERLAP, "\"b\": offset: 0xfffff");
	rows[1].offset = UINT64_MAX;
	must_refuse(rows, 2, FM_ERR_RANGE, "\"b\"");
}

static void what_does_not_fit_64_bits_is_refused(void **state)
{
	struct fm_ramblock rows[] = { piece("a", UINT64_MAX - MIB), piece("b", MIB) };

	must_refuse(rows, 2, FM_ERR_RANGE, "\"b\": 0x100000 bytes, expected room");
	rows[0].total = rows[0].used = UINT64_MAX;
	must_refuse(rows, 2, FM_ERR_RANGE, "\"b\"");
}

static void nothing_is_placed_at_once(void **state)
{
	assert_int_equal(fm_ramblock_place(NULL, 0, NULL), 0);
}

/* --- a machine's blocks -------------------------------------------------------------------------- */

static void add_block(struct fm_machine *m, const char *name, uint64_t len)
{
	const struct fm_block_config cfg = {
		.struct_size = sizeof(cfg), .name = name, .role = FM_ROLE_RAM, .len = len
	};
	struct fm_block *block;

	assert_int_equal(fm_block_new(&block, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_block(m, block, NULL), 0);
}

static void a_machine_has_a_row_for_each_block_seen_or_not(void **state)
{
	struct fm_ramblock *rows = NULL;
	struct fm_machine *m;
	size_t count = 7;

	assert_int_equal(fm_machine_new(&m, "board", NULL), 0);
	assert_int_equal(fm_machine_ramblocks(m, &rows, &count, NULL), 0);
	assert_null(rows);
	assert_int_equal(count, 0);
	add_block(m, "odd", 5000);
	add_block(m, "even", MIB);
	assert_int_equal(fm_machine_ramblocks(m, &rows, &count, NULL), 0);
	assert_int_equal(count, 2);
	expect_row(&rows[0], "even", 256 * KIB);
	expect_row(&rows[1], "odd", 0);
	assert_int_equal(rows[1].used, 8192);
	assert_int_equal(rows[1].page_size, fm_block_page_size(rows[1].block));
	free(rows);
	fm_machine_free(m);
}

/* --- flat spaces --------------------------------------------------------------------------------- */

static struct fm_window *add_window(struct fixture *f, const char *name, struct fm_dev *dev,
				    uint64_t gpa, uint64_t off, uint64_t len, int priority)
{
	const struct fm_window_config cfg = { .struct_size = sizeof(cfg),
					      .name = name,
					      .dev = dev,
					      .gpa = gpa,
					      .dev_off = off,
					      .len = len,
					      .priority = priority };
	struct fm_window *w;

	assert_int_equal(fm_space_add(f->space, &cfg, &w, NULL), 0);
	return w;
}

static void expect_flat(const struct fm_flat *r, uint64_t gpa, uint64_t len, enum fm_flat_kind kind,
			const char *window, uint64_t off)
{
	if (r->gpa != gpa || r->len != len || r->kind != kind || r->dev_off != off ||
	    strcmp(r->window, window) != 0)
		fail_msg("%s at 0x%llx+0x%llx: %s @0x%llx", r->window, (unsigned long long)r->gpa,
			 (unsigned long long)r->len, fm_flat_kind_name(r->kind),
			 (unsigned long long)r->dev_off);
}

/* The space goes before a device that it shows. */
static void leave(struct fixture *f)
{
	fm_port_free(f->port);
	fm_space_free(f->space);
	f->port = NULL;
	f->space = NULL;
}

static void a_space_is_told_as_the_guest_sees_it(void **state)
{
	struct fixture *f = *state;
	struct fm_flat *rows = NULL;
	size_t count = 1;

	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_null(rows);
	assert_int_equal(count, 0);
	add_window(f, "ram", f->ram, 0x10000, 0, 0, 0);
	add_window(f, "hole", f->reg.dev, 0x12000, 0x400, 0x800, 3);
	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_int_equal(count, 3);
	expect_flat(&rows[0], 0x10000, 0x2000, FM_FLAT_RAM, "ram", 0);
	assert_ptr_equal(rows[0].block, f->block);
	expect_flat(&rows[1], 0x12000, 0x800, FM_FLAT_IO, "hole", 0x400);
	assert_int_equal(rows[1].priority, 3);
	expect_flat(&rows[2], 0x12800, 0xd800, FM_FLAT_RAM, "ram", 0x2800);
	assert_int_equal(rows[2].priority, 0);
	free(rows);
}

static void answers_of_one_kind_are_one_row(void **state)
{
	struct fixture *f = *state;
	struct mapdev d;
	struct fm_flat *rows;
	size_t count;

	mapdev_init(&d, "mixed", 0x1000, 4, RX, 0, 0);
	/* Read and execute, read only: both are memory that stores do not change. */
	d.prot[1] = FM_MAP_READ;
	d.prot[2] = RWX;
	d.prot[3] = 0;
	add_window(f, "mixed", d.dev, 0x4000, 0, 0, 0);
	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_int_equal(count, 3);
	expect_flat(&rows[0], 0x4000, 0x2000, FM_FLAT_ROM, "mixed", 0);
	expect_flat(&rows[1], 0x6000, 0x1000, FM_FLAT_RAM, "mixed", 0x2000);
	expect_flat(&rows[2], 0x7000, 0x1000, FM_FLAT_IO, "mixed", 0x3000);
	free(rows);
	leave(f);
	mapdev_exit(&d);
}

static void neighbours_of_two_windows_stay_two_rows(void **state)
{
	struct fixture *f = *state;
	struct fm_flat *rows;
	size_t count;

	add_window(f, "low", f->ram, 0x10000, 0, 0x8000, 0);
	add_window(f, "high", f->ram, 0x18000, 0x8000, 0x8000, 0);
	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_int_equal(count, 2);
	expect_flat(&rows[1], 0x18000, 0x8000, FM_FLAT_RAM, "high", 0x8000);
	free(rows);
}

static void the_last_address_is_told(void **state)
{
	struct fixture *f = *state;
	struct fm_flat *rows;
	size_t count;

	add_window(f, "end", f->ram, UINT64_MAX - (RAM_LEN - 1), 0, 0, 0);
	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].gpa + (rows[0].len - 1), UINT64_MAX);
	free(rows);
}

/* One page of that role and flags at 0; its only row. */
static struct fm_flat row_of(struct fixture *f, enum fm_role role, unsigned flags)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	const struct fm_block_config cfg = { .struct_size = sizeof(cfg),
					     .name = "x",
					     .role = role,
					     .flags = flags,
					     .backing = FM_BACKING_ADOPTED,
					     .ptr = page,
					     .len = sizeof(page) };
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_window *w;
	struct fm_flat *rows, row;
	struct fm_dev *dev;
	size_t count;

	assert_int_equal(fm_block_new(&ram.block, &cfg, NULL), 0);
	assert_int_equal(fm_ram_new(&dev, &ram, NULL), 0);
	w = add_window(f, "x", dev, 0, 0, 0, 0);
	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_int_equal(count, 1);
	row = rows[0];
	free(rows);
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	fm_space_quiesce(f->space);
	fm_dev_free(dev);
	fm_block_free(ram.block);
	return row;
}

static void kinds_follow_the_role_and_the_protection(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(row_of(f, FM_ROLE_DIMM, 0).kind, FM_FLAT_RAM);
	assert_false(row_of(f, FM_ROLE_DIMM, 0).nonvolatile);
	assert_int_equal(row_of(f, FM_ROLE_NVDIMM, 0).kind, FM_FLAT_RAM);
	assert_true(row_of(f, FM_ROLE_NVDIMM, 0).nonvolatile);
	assert_int_equal(row_of(f, FM_ROLE_ROM, FM_BLOCK_READONLY).kind, FM_FLAT_ROM);
	assert_int_equal(row_of(f, FM_ROLE_DEVICE, FM_BLOCK_HOST_DEVICE).kind, FM_FLAT_RAM_DEVICE);
	assert_string_equal(fm_flat_kind_name(FM_FLAT_IO), "i/o");
	assert_string_equal(fm_flat_kind_name(FM_FLAT_RAM_DEVICE), "ramd");
	assert_string_equal(fm_flat_kind_name(FM_FLAT_KINDS), "unknown");
}

static void flash_is_romd_until_a_command_is_under_way(void **state)
{
	struct fixture *f = *state;
	const struct fm_block_config block = { .struct_size = sizeof(block),
					       .name = "flash",
					       .role = FM_ROLE_FLASH_VARS,
					       .len = 0x20000 };
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg),
				       .bank_width = 2,
				       .chip_width = 2,
				       .regions = { { 0x10000, 2 } },
				       .nregions = 1 };
	struct fm_flat *rows;
	struct fm_dev *dev;
	size_t count;

	assert_int_equal(fm_block_new(&cfg.block, &block, NULL), 0);
	assert_int_equal(fm_flash_new(&dev, &cfg, NULL), 0);
	add_window(f, "bank", dev, 0, 0, 0, 0);
	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_int_equal(rows[0].kind, FM_FLAT_ROMD);
	free(rows);
	/* Read status register. */
	fm_dev_write(dev, 0, 2, 0x70, FM_ATTRS_NONE);
	assert_int_equal(fm_space_refresh(f->space, NULL), 1);
	assert_int_equal(fm_space_flat(f->space, &rows, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].kind, FM_FLAT_IO);
	assert_ptr_equal(rows[0].block, cfg.block);
	free(rows);
	leave(f);
	fm_dev_free(dev);
	fm_block_free(cfg.block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_follow_one_another_and_are_told_by_size),
		cmocka_unit_test(used_and_page_size_stay),
		cmocka_unit_test(what_comes_later_fills_the_smallest_gap_that_holds_it),
		cmocka_unit_test(of_equal_gaps_the_one_behind_the_largest_block_is_filled),
		cmocka_unit_test(what_fits_no_gap_goes_behind_all),
		cmocka_unit_test(no_gap_before_the_first_block_is_filled),
		cmocka_unit_test(rows_that_lie_are_named_and_stay),
		cmocka_unit_test(what_does_not_fit_64_bits_is_refused),
		cmocka_unit_test(nothing_is_placed_at_once),
		cmocka_unit_test(a_machine_has_a_row_for_each_block_seen_or_not),
		FACT(a_space_is_told_as_the_guest_sees_it),
		FACT(answers_of_one_kind_are_one_row),
		FACT(neighbours_of_two_windows_stay_two_rows),
		FACT(the_last_address_is_told),
		FACT(kinds_follow_the_role_and_the_protection),
		FACT(flash_is_romd_until_a_command_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
