/* SPDX-License-Identifier: BSD-2-Clause */
/* The checklist, points 13, 14 and 18 to 20: units of memory, what can be seen of a machine, and selectors. */
#include "tests/unit/dimm_fixture.h"
#include "tests/unit/tmpdir.h"

#include <firmem/dirty.h>
#include <firmem/dump.h>
#include <firmem/flash.h>
#include <firmem/migration.h>
#include <firmem/reset.h>

#define KIB UINT64_C(1024)
#define SECRET 0xa5

/* --- 13 ------------------------------------------------------------------------------------------- */

static void point_13_alignment_and_caching(void **state)
{
	static const enum fm_caching kinds[] = { FM_CACHING_WRITE_BACK, FM_CACHING_WRITE_THROUGH,
						 FM_CACHING_WRITE_COMBINING, FM_CACHING_UNCACHED };
	static const uint64_t aligns[] = { 0, 4096, 64 * KIB, 2 * MIB, 64 * MIB };
	static uint8_t mine[8192];
	struct fm_block_config adopted =
		BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .len = 4096, .align = 4096);

	for (unsigned i = 0; i < 5; i++) {
		for (unsigned backing = 0; backing < 2; backing++) {
			struct fm_block *b =
				must_make(BLOCK_CONFIG(.backing = backing ? FM_BACKING_MEMFD
									  : FM_BACKING_ANON,
						       .len = 3 * PAGE, .align = aligns[i]));
			uint64_t least = aligns[i] ? aligns[i] : PAGE;

			assert_int_equal((uintptr_t)fm_block_ptr(b) % least, 0);
			fm_block_free(b);
		}
	}
	/* A power of two, and whole pages of what is below. */
	assert_refused(BLOCK_CONFIG(.len = PAGE, .align = 3 * PAGE), FM_ERR_ARG, "align 0x3000");
	assert_refused(BLOCK_CONFIG(.len = PAGE, .align = PAGE / 2), FM_ERR_ARG, "align 0x800");
	assert_refused(BLOCK_CONFIG(.backing = FM_BACKING_HUGETLB, .len = 2 * MIB,
				    .page_size = 2 * MIB, .align = MIB),
		       FM_ERR_ARG, "align 0x100000");
	adopted.ptr = (void *)(((uintptr_t)mine + 4095) / 4096 * 4096 + 64);
	assert_refused(adopted, FM_ERR_ARG, "align");
	for (unsigned i = 0; i < 4; i++) {
		struct fm_block *b = must_make(BLOCK_CONFIG(.len = PAGE, .caching = kinds[i]));

		assert_int_equal(fm_block_caching(b), kinds[i]);
		fm_block_free(b);
	}
	assert_refused(BLOCK_CONFIG(.len = PAGE, .caching = 4), FM_ERR_ARG, "caching 4");
}

static void point_13_addresses_are_aligned_as_their_pages(void **state)
{
	struct fixture *f = *state;
	struct fm_block *b = memory("x", FM_ROLE_DIMM, 2 * MIB);

	assert_int_equal(
		fm_dimm_plug(f->dimms,
			     DIMM_CONFIG(.block = b, .use_gpa = true, .gpa = REGION + PAGE), NULL,
			     &f->err),
		FM_ERR_ARG);
	says(&f->err, FM_ERR_ARG, ".gpa", "multiple of 0x200000");
	fm_block_free(b);
}

/* Slots that would take any page, and a block that is of huge ones. */
static void point_13_addresses_are_aligned_as_huge_pages(void **state)
{
	struct fixture *f = *state;
	struct fm_dimms_config c = dimms_config(f);
	struct fm_dimm *d;
	struct fm_block *b;

	c.align = 4096;
	assert_int_equal(fm_dimms_new(&f->dimms, &c, NULL), 0);
	if (fm_block_new(&b,
			 &BLOCK_RAW(.name = "huge", .role = FM_ROLE_DIMM,
				    .backing = FM_BACKING_HUGETLB, .len = 2 * MIB,
				    .page_size = 2 * MIB),
			 &f->err)) {
		print_message("skipped: %s\n", f->err.msg);
		skip();
	}
	plug(f, "small", 1, DIMM_CONFIG());
	assert_int_equal(fm_dimm_plug(f->dimms,
				      DIMM_CONFIG(.block = b, .use_gpa = true, .gpa = REGION + MIB),
				      NULL, &f->err),
			 FM_ERR_ARG);
	assert_int_equal(fm_dimm_plug(f->dimms, DIMM_CONFIG(.block = b), &d, NULL), 0);
	assert_true(fm_dimm_gpa(d) == REGION + 2 * MIB);
}

/* --- 14 ------------------------------------------------------------------------------------------- */

static uint64_t count_after(struct fm_block *b, uint64_t off, uint64_t len)
{
	uint64_t count;

	fm_dirty_mark(fm_block_dirty(b), off, len);
	count = fm_dirty_count(fm_block_dirty(b), 0);
	fm_dirty_stop(fm_block_dirty(b), 0);
	assert_int_equal(fm_dirty_start(fm_block_dirty(b), 0, NULL), 0);
	return count;
}

static void point_14_pages_and_granules(void **state)
{
	struct fm_block *fine = must_make(BLOCK_CONFIG(.len = 8 * MIB));
	struct fm_block *coarse = must_make(BLOCK_CONFIG(.len = 8 * MIB, .dirty_granule = 2 * MIB));
	uint64_t bits[1] = { 0 };

	assert_int_equal(fm_block_page_size(fine), PAGE);
	print_message("pages of %llu KiB\n", (unsigned long long)fm_block_page_size(fine) / 1024);
	assert_int_equal(fm_block_dirty_granule(fine), 4096);
	assert_int_equal(fm_block_dirty_granule(coarse), 2 * MIB);
	assert_int_equal(fm_dirty_start(fm_block_dirty(fine), 0, NULL), 0);
	assert_int_equal(fm_dirty_start(fm_block_dirty(coarse), 0, NULL), 0);
	assert_int_equal(count_after(fine, MIB - 1, 2), 2);
	assert_int_equal(count_after(coarse, MIB - 1, 2), 1);
	assert_int_equal(count_after(fine, 0, 8 * MIB), 2048);
	assert_int_equal(count_after(coarse, 0, 8 * MIB), 4);
	assert_int_equal(fm_dirty_words(fm_block_dirty(fine), 0, 8 * MIB), 32);
	assert_int_equal(fm_dirty_words(fm_block_dirty(coarse), 0, 8 * MIB), 1);
	assert_refused(BLOCK_CONFIG(.len = PAGE, .dirty_granule = 2048), FM_ERR_ARG,
		       "dirty_granule");
	/* A log in pages of the target's: smaller than a granule, and larger. */
	bits[0] = 3;
	assert_int_equal(fm_dirty_import(fm_block_dirty(fine), 0, 1024, bits, 4), 0);
	assert_int_equal(count_after(fine, 0, 0), 1);
	assert_int_equal(fm_dirty_import(fm_block_dirty(fine), 0, 64 * KIB, bits, 2), 0);
	assert_int_equal(count_after(fine, 0, 0), 32);
	assert_int_equal(fm_dirty_import(fm_block_dirty(coarse), 0, 64 * KIB, bits, 2), 0);
	assert_int_equal(count_after(coarse, 0, 0), 1);
	fm_block_free(coarse);
	fm_block_free(fine);
}

/* A target of 64 KiB pages on a host of 4 KiB. */
static void point_14_target_pages_are_not_the_hosts(void **state)
{
	const struct fm_migration_config c = { .struct_size = sizeof(c), .target_page = 64 * KIB };
	struct fixture *f = *state;
	const struct fm_view *view;
	struct fm_migration_block *blocks;
	struct fm_window_config w = { .struct_size = sizeof(w) };
	struct fm_step *steps;
	size_t count, len;
	void *bytes;

	w.dev = fm_dimm_dev(plug(f, "a", 2, DIMM_CONFIG()));
	/* A window of four host pages, no whole page of the target's. */
	w.gpa = 64 * KIB;
	w.len = 4 * 4096;
	assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_diff(NULL, view, 4096, 0, &steps, &count, NULL), 0);
	assert_int_equal(count, 2);
	free(steps);
	assert_int_equal(fm_view_diff(NULL, view, 64 * KIB, 0, &steps, &count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		assert_true(steps[i].gpa >= REGION && steps[i].len % (64 * KIB) == 0);
	free(steps);
	fm_view_put(view);
	assert_int_equal(fm_migration_write(f->machine, &c, &bytes, &len, NULL), 0);
	assert_int_equal(fm_migration_read(bytes, len, &c, &blocks, &count, NULL, NULL), 0);
	assert_int_equal(blocks[0].len, 2 * MIB);
	free(blocks);
	free(bytes);
}

/* --- 18 ------------------------------------------------------------------------------------------- */

/* All that a monitor prints, asked of the machine: blocks, windows, ranges, backings, memory devices. */
static void point_18_introspection(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *d = plug(f, "mem1", 4, DIMM_CONFIG(.id = "dimm1", .node = 1));
	struct fm_window_config w = { .struct_size = sizeof(w),
				      .name = "alias",
				      .dev = fm_dimm_dev(d),
				      .gpa = 0x1000,
				      .dev_off = 0x2000,
				      .len = 0x3000,
				      .priority = 7 };
	struct fm_window *window;
	const struct fm_view *view;
	const struct fm_range *r;
	struct fm_block *b;

	assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	w.gpa = 0x100000;
	w.disabled = true;
	w.name = "off";
	assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	/* ramblock: name, page size, length. memdev: what it is made of. */
	b = fm_machine_next_block(f->machine, FM_WALK_ALL, NULL);
	assert_string_equal(fm_block_name(b), "mem1");
	assert_int_equal(fm_block_page_size(b), PAGE);
	assert_int_equal(fm_block_len(b), 4 * MIB);
	assert_string_equal(fm_backing_name(fm_block_backing(b)), "anon");
	assert_int_equal(fm_block_flags(b), 0);
	assert_string_equal(fm_role_name(fm_block_role(b)), "dimm");
	/* mtree: windows, disabled ones too, with priority and offset. */
	window = fm_space_next_window(f->space, NULL);
	assert_string_equal(fm_window_name(window), "alias");
	assert_int_equal(fm_window_priority(window), 7);
	assert_int_equal(fm_window_dev_off(window), 0x2000);
	window = fm_space_next_window(f->space, window);
	assert_string_equal(fm_window_name(window), "off");
	assert_false(fm_window_enabled(window));
	window = fm_space_next_window(f->space, window);
	assert_string_equal(fm_window_name(window), "dimm1");
	assert_true(fm_window_gpa(window) == REGION && fm_window_len(window) == 4 * MIB);
	assert_null(fm_space_next_window(f->space, window));
	/* mtree -f: what is seen. */
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(view), 2);
	r = fm_view_range(view, 0);
	assert_true(r->gpa == 0x1000 && r->len == 0x3000 && r->block == b &&
		    r->block_off == 0x2000);
	assert_int_equal(r->priority, 7);
	assert_ptr_equal(r->host, bytes(b) + 0x2000);
	assert_true(fm_view_range(view, 1)->gpa == REGION);
	fm_view_put(view);
	/* memory-devices, and the summary of sizes. */
	assert_ptr_equal(fm_dimms_next(fm_dimms_of(f->machine), NULL), d);
	assert_string_equal(fm_dimm_id(d), "dimm1");
	assert_string_equal(fm_block_name(fm_dimm_block(d)), "mem1");
	assert_int_equal(fm_dimm_slot(d), 0);
	assert_int_equal(fm_dimm_node(d), 1);
	assert_true(fm_dimm_hotplugged(d) && fm_dimm_hotpluggable(d));
	assert_int_equal(fm_dimms_base_memory(f->dimms), BASE_MEMORY);
	assert_int_equal(fm_dimms_plugged_memory(f->dimms), 4 * MIB);
}

/* --- 19 ------------------------------------------------------------------------------------------- */

static uint64_t peek(struct fm_port *port, uint64_t gpa)
{
	uint64_t value = 0;

	fm_port_read(port, gpa, 4, &value, FM_ATTRS_NONE);
	return value;
}

static void point_19_maps_change_while_the_guest_runs(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 2, DIMM_CONFIG());
	struct fm_dimm *b = plug(f, "b", 2, DIMM_CONFIG());
	struct fm_window_config w = { .struct_size = sizeof(w), .gpa = 0x10000, .len = 0x1000 };
	struct fm_window *low, *high;
	struct fm_port *port;

	assert_int_equal(fm_port_new(&port, f->space, NULL), 0);
	w.dev = fm_dimm_dev(a);
	assert_int_equal(fm_space_add(f->space, &w, &low, NULL), 0);
	w.dev = fm_dimm_dev(b);
	w.priority = 1;
	assert_int_equal(fm_space_add(f->space, &w, &high, NULL), 0);
	/* Aliases: one store, seen through every window onto it. */
	fm_port_write(port, REGION, 4, 0xaaaa, FM_ATTRS_NONE);
	fm_port_write(port, 0x10000, 4, 0xbbbb, FM_ATTRS_NONE);
	assert_int_equal(peek(port, REGION + 2 * MIB), 0xbbbb);
	/* Enable and disable. */
	assert_int_equal(fm_space_enable(f->space, high, false, NULL), 0);
	assert_int_equal(peek(port, 0x10000), 0xaaaa);
	assert_int_equal(fm_space_enable(f->space, high, true, NULL), 0);
	assert_int_equal(peek(port, 0x10000), 0xbbbb);
	/* A window that moves. */
	assert_int_equal(fm_space_move(f->space, high, 0x20000, NULL), 0);
	assert_int_equal(peek(port, 0x10000), 0xaaaa);
	assert_int_equal(peek(port, 0x20000), 0xbbbb);
	assert_int_equal(fm_space_remove(f->space, low, NULL), 0);
	assert_int_equal(peek(port, 0x10000), 0xffffffff);
	fm_port_free(port);
}

static void point_19_a_device_that_remaps_itself(void **state)
{
	struct fixture *f = *state;
	struct fm_flash_config fc = { .struct_size = sizeof(fc),
				      .regions = { { 4096, 4 } },
				      .nregions = 1 };
	struct fm_window_config w = { .struct_size = sizeof(w) };
	const struct fm_view *view;
	struct fm_port *port;

	fc.block = memory("flash", FM_ROLE_FLASH_VARS, 16384);
	assert_int_equal(fm_machine_add_block(f->machine, fc.block, NULL), 0);
	assert_int_equal(fm_flash_new(&w.dev, &fc, NULL), 0);
	assert_int_equal(fm_machine_add_dev(f->machine, w.dev, NULL), 0);
	assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	assert_int_equal(fm_port_new(&port, f->space, NULL), 0);
	view = fm_space_view_get(f->space);
	assert_true(fm_view_find(view, 0)->prot & FM_MAP_READ);
	fm_view_put(view);
	assert_true(fm_port_write(port, 0, 4, 0x00900090, FM_ATTRS_NONE) & FM_EFF_REMAP);
	assert_int_equal(fm_space_refresh(f->space, NULL), 1);
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_find(view, 0)->prot, 0);
	fm_view_put(view);
	fm_port_free(port);
}

static void point_19_several_address_spaces(void **state)
{
	struct fixture *f = *state;
	struct fm_space_config sc = { .struct_size = sizeof(sc), .name = "smm" };
	struct fm_window_config w = { .struct_size = sizeof(w), .gpa = 0xa0000 };
	struct fm_port *ports[2];
	struct fm_space *smm;

	assert_int_equal(fm_space_new(&smm, &sc, NULL), 0);
	assert_int_equal(fm_machine_add_space(f->machine, smm, NULL), 0);
	w.dev = fm_dimm_dev(plug(f, "a", 2, DIMM_CONFIG()));
	assert_int_equal(fm_space_add(smm, &w, NULL, NULL), 0);
	assert_int_equal(fm_port_new(&ports[0], f->space, NULL), 0);
	assert_int_equal(fm_port_new(&ports[1], smm, NULL), 0);
	assert_int_equal(fm_port_write(ports[1], 0xa0000, 4, 0x5555, FM_ATTRS_NONE), 0);
	/* The ordinary world sees the bytes where it has them, and nothing at the other's address. */
	assert_int_equal(peek(ports[0], REGION), 0x5555);
	assert_int_equal(peek(ports[0], 0xa0000), 0xffffffff);
	assert_int_equal(peek(ports[1], REGION), 0xffffffff);
	fm_port_free(ports[0]);
	fm_port_free(ports[1]);
}

/* --- 20 ------------------------------------------------------------------------------------------- */

static bool file_has(const char *path, const char *text)
{
	char command[600];

	snprintf(command, sizeof(command), "grep -aqF '%s' %s", text, path);
	return !system(command);
}

/* Blocks of all kinds, each filled with its name. */
static const struct {
	const char *name;
	enum fm_role role;
	unsigned flags;
} all[] = {
	{ "main-memory", FM_ROLE_RAM, 0 },
	{ "pixels", FM_ROLE_VRAM, 0 },
	{ "file-system", FM_ROLE_NVDIMM, 0 },
	{ "smm-secrets", FM_ROLE_SMRAM, 0 },
	{ "variables", FM_ROLE_VIRTIO_PMEM, 0 },
	{ "plugged", FM_ROLE_DIMM, 0 },
	{ "scratch", FM_ROLE_DEVICE, FM_BLOCK_NO_MIGRATE },
};

#define ALL (sizeof(all) / sizeof(*all))

static void add_all(struct fixture *f)
{
	for (size_t i = 0; i < ALL; i++) {
		struct fm_ram_config rc = { .struct_size = sizeof(rc) };
		struct fm_window_config w = { .struct_size = sizeof(w), .gpa = i * MIB };

		rc.block = must_make(BLOCK_RAW(.name = all[i].name, .role = all[i].role,
					       .len = 64 * KIB, .flags = all[i].flags));
		for (uint64_t at = 0; at < 64 * KIB; at += 32)
			snprintf((char *)bytes(rc.block) + at, 32, "contents of %s", all[i].name);
		assert_int_equal(fm_machine_add_block(f->machine, rc.block, NULL), 0);
		assert_int_equal(fm_ram_new(&w.dev, &rc, NULL), 0);
		assert_int_equal(fm_machine_add_dev(f->machine, w.dev, NULL), 0);
		assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	}
}

static bool in_walk(const struct fm_machine *m, enum fm_walk walk, const char *name)
{
	struct fm_block *b;

	fm_machine_foreach_block (m, walk, b) {
		if (!strcmp(fm_block_name(b), name))
			return true;
	}
	return false;
}

static int nobody_else(void *ctx, struct fm_error *err)
{
	return 0;
}

/* Each of the three does what its walk names, to the block: no two of the walks are the same here. */
static void point_20_every_operation_names_its_selector(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct fm_dump_config dc = { .struct_size = sizeof(dc), .elf_machine = 62, .path = path };
	const struct fm_reset_options options = { .struct_size = sizeof(options),
						  .quiesce = nobody_else };
	void *fixture = NULL;
	struct fixture *f;
	const struct fm_reset_request request = { .struct_size = sizeof(request),
						  .kind = FM_RESET_SYSTEM,
						  .memory_overwrite = true };
	struct fm_migration_block *blocks;
	struct fm_dump_result result;
	struct fm_reset_plan *plan;
	size_t count, len, migrated = 0;
	void *stream;

	bare_setup(&fixture);
	f = fixture;
	dc.machine = f->machine;
	dc.space = f->space;
	add_all(f);
	/* None means none: not "all of it". */
	assert_int_equal(fm_dump_write(&dc, &result, &f->err), FM_ERR_ARG);
	assert_non_null(strstr(f->err.msg, "roles"));
	assert_null(fm_machine_next_block(f->machine, FM_WALK_COUNT, NULL));
	dc.roles = FM_DUMP_VOLATILE;
	assert_int_equal(fm_dump_write(&dc, &result, NULL), 0);
	assert_int_equal(fm_migration_write(f->machine, NULL, &stream, &len, NULL), 0);
	assert_int_equal(fm_migration_read(stream, len, NULL, &blocks, &count, NULL, NULL), 0);
	assert_int_equal(fm_reset_plan(&plan, f->machine, &request, NULL), 0);
	/* A plan has a line for each block, also for those that stay. */
	assert_int_equal(plan->count, ALL);
	assert_int_equal(fm_reset_apply(f->machine, plan, &options, NULL, NULL), 0);
	for (size_t i = 0; i < ALL; i++) {
		const struct fm_block *b = fm_machine_block(f->machine, all[i].name);
		char text[40];
		bool in_stream = false;

		snprintf(text, sizeof(text), "contents of %s", all[i].name);
		assert_string_equal(plan->steps[i].block, all[i].name);
		assert_int_equal(all_bytes(fm_block_ptr(b), 64 * KIB, 0),
				 in_walk(f->machine, FM_WALK_RESET_TARGETS, all[i].name));
		assert_int_equal(file_has(path, text),
				 in_walk(f->machine, FM_WALK_DUMPABLE, all[i].name));
		for (size_t n = 0; n < count; n++)
			in_stream |= !strcmp(blocks[n].name, all[i].name);
		assert_int_equal(in_stream, in_walk(f->machine, FM_WALK_MIGRATABLE, all[i].name));
		migrated += in_stream;
	}
	assert_int_equal(migrated, count);
	fm_reset_plan_free(plan);
	free(blocks);
	free(stream);
	teardown(&fixture);
	for (unsigned i = 0; i < FM_WALK_COUNT; i++)
		assert_string_not_equal(fm_walk_name((enum fm_walk)i), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(point_13_alignment_and_caching),
		FACT(point_13_addresses_are_aligned_as_their_pages),
		BARE_FACT(point_13_addresses_are_aligned_as_huge_pages),
		cmocka_unit_test(point_14_pages_and_granules),
		FACT(point_14_target_pages_are_not_the_hosts),
		FACT(point_18_introspection),
		FACT(point_19_maps_change_while_the_guest_runs),
		FACT(point_19_a_device_that_remaps_itself),
		FACT(point_19_several_address_spaces),
		tmpdir_test(point_20_every_operation_names_its_selector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
