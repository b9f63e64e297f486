/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/mapdev.h"

#include <firmem/dirty.h>
#include <firmem/ram.h>

/* 64 KiB of RAM, a device of registers (never mapped) and a space. */
struct fixture {
	struct fm_block *block;
	struct fm_dev *ram;
	struct mapdev reg;
	struct fm_space *space;
	struct fm_port *port;
	struct fm_error err;
};

#define RAM_LEN 0x10000u
#define REG_LEN 0x1000u

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(fm_block_new(&f->block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .name = "ram",
					      .role = FM_ROLE_RAM,
					      .len = RAM_LEN },
				      NULL),
			 0);
	assert_int_equal(
		fm_ram_new(&f->ram,
			   &(struct fm_ram_config){ .struct_size = sizeof(struct fm_ram_config),
						    .block = f->block },
			   NULL),
		0);
	mapdev_init(&f->reg, "reg", REG_LEN, 1, 0, 0, 0);
	f->space = space_make(0, 0);
	assert_int_equal(fm_port_new(&f->port, f->space, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fm_port_free(f->port);
	fm_space_free(f->space);
	mapdev_exit(&f->reg);
	fm_dev_free(f->ram);
	fm_block_free(f->block);
	free(f);
	return 0;
}

static uint64_t read64(struct fixture *f, uint64_t gpa, unsigned size, unsigned expected)
{
	uint64_t value = 0x5a5a5a5a5a5a5a5a;

	assert_int_equal(fm_port_read(f->port, gpa, size, &value, FM_ATTRS_NONE), expected);
	return value;
}

static uint8_t *ram_bytes(struct fixture *f)
{
	return fm_block_ptr(f->block);
}

/* --- configuration ----------------------------------------------------------------------- */

static void a_space_needs_a_name_and_known_fields(void **state)
{
	struct fm_space_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_space *space = NULL;

	assert_int_equal(fm_space_new(&space, &cfg, NULL), FM_ERR_ARG);
	cfg.name = "x";
	cfg.address_bits = 65;
	assert_int_equal(fm_space_new(&space, &cfg, NULL), FM_ERR_ARG);
	cfg.address_bits = 0;
	cfg.flags = 0x80;
	assert_int_equal(fm_space_new(&space, &cfg, NULL), FM_ERR_ARG);
	assert_null(space);
	cfg.flags = 0;
	assert_int_equal(fm_space_new(&space, &cfg, NULL), 0);
	assert_string_equal(fm_space_name(space), "x");
	fm_space_free(space);
	fm_space_free(NULL);
}

static void a_window_of_length_zero_shows_the_rest_of_the_device(void **state)
{
	struct fixture *f = *state;
	struct fm_window_config cfg = window_at(f->ram, NULL, 0x1000, 0x4000, 0, 0);
	struct fm_window *w = add(f->space, cfg);

	assert_int_equal(fm_window_len(w), RAM_LEN - 0x4000);
	assert_int_equal(fm_window_dev_off(w), 0x4000);
	assert_int_equal(fm_window_gpa(w), 0x1000);
	assert_int_equal(fm_window_priority(w), 0);
	assert_true(fm_window_enabled(w));
	assert_ptr_equal(fm_window_dev(w), f->ram);
	assert_string_equal(fm_window_name(w), "ram");
	cfg.dev_off = RAM_LEN; /* nothing left to show */
	assert_int_equal(fm_space_add(f->space, &cfg, NULL, NULL), FM_ERR_RANGE);
}

static void a_window_leaves_neither_device_nor_space(void **state)
{
	struct fixture *f = *state;
	struct fm_space *small = space_make(0, 16);
	struct fm_window *w = NULL;
	struct fm_window_config cfg = window_at(f->ram, "w", 0, 1, RAM_LEN, 0);

	assert_int_equal(fm_space_add(f->space, &cfg, &w, &f->err), FM_ERR_RANGE);
	assert_non_null(strstr(f->err.msg, "0x10000"));
	cfg.dev_off = UINT64_MAX;
	cfg.len = 2;
	assert_int_equal(fm_space_add(f->space, &cfg, &w, NULL), FM_ERR_RANGE);
	cfg = window_at(f->ram, "w", UINT64_MAX - 0xffe, 0, 0x1000, 0);
	assert_int_equal(fm_space_add(f->space, &cfg, &w, &f->err), FM_ERR_RANGE);
	assert_non_null(strstr(f->err.msg, "0xfffffffffffff001"));
	cfg = window_at(f->ram, "w", 0xf001, 0, 0x1000, 0);
	assert_int_equal(fm_space_add(small, &cfg, &w, &f->err), FM_ERR_RANGE);
	assert_non_null(strstr(f->err.msg, "0xffff"));
	cfg.dev = NULL;
	assert_int_equal(fm_space_add(f->space, &cfg, &w, NULL), FM_ERR_ARG);
	assert_null(w);
	assert_null(fm_space_next_window(f->space, NULL));
	cfg = window_at(f->ram, "w", 0xf000, 0, 0x1000, 0);
	w = add(small, cfg);
	assert_int_equal(fm_space_move(small, w, 0xf001, NULL), FM_ERR_RANGE);
	assert_int_equal(fm_space_move(small, w, UINT64_MAX, NULL), FM_ERR_RANGE);
	assert_int_equal(fm_window_gpa(w), 0xf000);
	fm_space_free(small);
}

static void an_overlap_of_equal_priority_names_both_windows(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w = NULL;
	struct fm_window_config cfg = window_at(f->ram, "second", 0x1fff, 0, 0x1000, 3);
	struct fm_window *first = add(f->space, window_at(f->ram, "first", 0x1000, 0, 0x1000, 3));

	assert_int_equal(fm_space_add(f->space, &cfg, &w, &f->err), FM_ERR_OVERLAP);
	assert_null(w);
	assert_non_null(strstr(f->err.msg, "\"first\" (0x1000 to 0x1fff)"));
	assert_non_null(strstr(f->err.msg, "\"second\" (0x1fff to 0x2ffe)"));
	assert_ptr_equal(fm_space_next_window(f->space, NULL), first);
	assert_null(fm_space_next_window(f->space, first));
	cfg.gpa = 0x2000; /* adjacent is no overlap */
	w = add(f->space, cfg);
	assert_int_equal(fm_space_move(f->space, w, 0x1001, NULL), FM_ERR_OVERLAP);
	assert_int_equal(fm_window_gpa(w), 0x2000);
	assert_int_equal(fm_space_enable(f->space, first, false, NULL), 0);
	assert_int_equal(fm_space_move(f->space, w, 0x1001, NULL), 0);
	assert_int_equal(fm_space_enable(f->space, first, true, NULL), FM_ERR_OVERLAP);
	assert_false(fm_window_enabled(first));
	cfg.gpa = 0x1001;
	cfg.priority = 4; /* another priority is no overlap */
	add(f->space, cfg);
}

static void a_window_of_another_space_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct fm_space *other = space_make(0, 0);
	struct fm_window *w = add(other, window_at(f->ram, NULL, 0, 0, 0, 0));

	assert_int_equal(fm_space_remove(f->space, w, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_enable(f->space, w, false, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_move(f->space, w, 4, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_remove(f->space, NULL, NULL), FM_ERR_NOT_FOUND);
	fm_space_begin(other);
	assert_int_equal(fm_space_remove(other, w, NULL), 0);
	assert_int_equal(fm_space_remove(other, w, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_commit(other, NULL), 0);
	fm_space_free(other);
}

static void windows_are_walked_by_address_then_falling_priority(void **state)
{
	struct fixture *f = *state;
	struct fm_window *c = add(f->space, window_at(f->ram, "c", 0x2000, 0, 0x1000, -1));
	struct fm_window *b = add(f->space, window_at(f->ram, "b", 0x2000, 0, 0x1000, 1));
	struct fm_window_config hidden = window_at(f->ram, "d", 0x2000, 0, 0x1000, -1);
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, -9));
	struct fm_window *d;

	hidden.disabled = true;
	d = add(f->space, hidden);
	assert_ptr_equal(fm_space_next_window(f->space, NULL), a);
	assert_ptr_equal(fm_space_next_window(f->space, a), b);
	assert_ptr_equal(fm_space_next_window(f->space, b), c);
	assert_ptr_equal(fm_space_next_window(f->space, c), d);
	assert_null(fm_space_next_window(f->space, d));
}

/* --- accesses ---------------------------------------------------------------------------- */

static void a_window_may_end_at_2_to_the_64(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[16];

	add(f->space, window_at(f->ram, NULL, UINT64_MAX - 0xffff, 0, 0x10000, 0));
	for (unsigned i = 0; i < 16; i++)
		ram_bytes(f)[0xfff0 + i] = (uint8_t)(0xa0 + i);
	assert_int_equal(read64(f, UINT64_MAX, 1, 0), 0xaf);
	assert_int_equal(read64(f, UINT64_MAX - 7, 8, 0), 0xafaeadacabaaa9a8);
	assert_int_equal(fm_port_write(f->port, UINT64_MAX, 1, 0x11, FM_ATTRS_NONE), 0);
	assert_int_equal(ram_bytes(f)[0xffff], 0x11);
	assert_int_equal(fm_port_read_bytes(f->port, UINT64_MAX - 15, buf, 16, FM_ATTRS_NONE), 0);
	assert_memory_equal(buf, ram_bytes(f) + 0xfff0, 16);
}

static void an_access_that_wraps_faults_whole(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[16] = { 0 };
	uint8_t ones[16];

	memset(ones, 0xff, sizeof(ones));
	add(f->space, window_at(f->ram, "top", UINT64_MAX - 0xfff, 0, 0x1000, 0));
	add(f->space, window_at(f->ram, "bottom", 0, 0x1000, 0x1000, 0));
	assert_int_equal(read64(f, UINT64_MAX - 2, 4, FM_EFF_FAULT), 0xffffffff);
	assert_int_equal(fm_port_write(f->port, UINT64_MAX - 2, 4, 0, FM_ATTRS_NONE), FM_EFF_FAULT);
	ram_bytes(f)[0xfff] = 0x77;
	assert_int_equal(fm_port_write(f->port, UINT64_MAX, 2, 0, FM_ATTRS_NONE), FM_EFF_FAULT);
	assert_int_equal(ram_bytes(f)[0xfff], 0x77);
	assert_int_equal(fm_port_read_bytes(f->port, UINT64_MAX - 7, buf, 16, FM_ATTRS_NONE),
			 FM_EFF_FAULT);
	assert_memory_equal(buf, ones, 16);
	assert_int_equal(fm_port_write_bytes(f->port, UINT64_MAX - 7, buf, 16, FM_ATTRS_NONE),
			 FM_EFF_FAULT);
	assert_int_equal(ram_bytes(f)[0xfff], 0x77);
	assert_int_equal(ram_bytes(f)[0x1000], 0);
}

static void a_wrong_size_faults(void **state)
{
	struct fixture *f = *state;

	add(f->space, window_at(f->ram, NULL, 0, 0, 0, 0));
	assert_true(read64(f, 0, 3, FM_EFF_FAULT) == UINT64_MAX);
	assert_true(read64(f, 0, 0, FM_EFF_FAULT) == UINT64_MAX);
	assert_true(read64(f, 0, 16, FM_EFF_FAULT) == UINT64_MAX);
	assert_int_equal(fm_port_write(f->port, 0, 5, 1, FM_ATTRS_NONE), FM_EFF_FAULT);
	assert_int_equal(ram_bytes(f)[0], 0);
}

static void nothing_answers_in_an_empty_space(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[3] = { 0 };

	assert_int_equal(read64(f, 0, 2, FM_EFF_FAULT), 0xffff);
	assert_true(read64(f, UINT64_MAX - 7, 8, FM_EFF_FAULT) == UINT64_MAX);
	assert_int_equal(fm_port_write(f->port, 5, 1, 1, FM_ATTRS_NONE), FM_EFF_FAULT);
	assert_int_equal(fm_port_read_bytes(f->port, 7, buf, 3, FM_ATTRS_NONE), FM_EFF_FAULT);
	assert_memory_equal(buf, "\xff\xff\xff", 3);
	assert_int_equal(fm_port_read_bytes(f->port, 7, buf, 0, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_write_bytes(f->port, 7, buf, 0, FM_ATTRS_NONE), 0);
}

static void an_access_across_a_border_is_split_low_addresses_first(void **state)
{
	struct fixture *f = *state;

	add(f->space, window_at(f->ram, NULL, 0x1000, 0, 0x1000, 0));
	add(f->space, window_at(f->reg.dev, NULL, 0x2000, 0, 0, 0));
	assert_int_equal(fm_port_write(f->port, 0x1ffd, 8, 0x1122334455667788, FM_ATTRS_NONE), 0);
	assert_memory_equal(ram_bytes(f) + 0xffd, "\x88\x77\x66", 3);
	assert_int_equal(f->reg.calls, 2);
	assert_int_equal(f->reg.notes[0].off, 0);
	assert_int_equal(f->reg.notes[0].size, 4);
	assert_int_equal(f->reg.notes[0].value, 0x22334455);
	assert_int_equal(f->reg.notes[1].off, 4);
	assert_int_equal(f->reg.notes[1].size, 1);
	assert_int_equal(f->reg.notes[1].value, 0x11);
	assert_true(read64(f, 0x1ffd, 8, 0) == 0x1122334455667788);
}

static void a_border_with_nothing_faults_and_still_reaches_the_rest(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[8];

	add(f->space, window_at(f->ram, NULL, 0x1000, 0, 0x1000, 0));
	add(f->space, window_at(f->ram, "behind", 0x2004, 0, 0x100, 0));
	ram_bytes(f)[0xfff] = 0x5a;
	ram_bytes(f)[0] = 0xc3;
	assert_int_equal(read64(f, 0x1fff, 4, FM_EFF_FAULT), 0xffffff5a);
	assert_int_equal(read64(f, 0xffd, 4, FM_EFF_FAULT), 0xc3ffffff);
	assert_int_equal(fm_port_read_bytes(f->port, 0x1fff, buf, 6, FM_ATTRS_NONE), FM_EFF_FAULT);
	assert_memory_equal(buf, "\x5a\xff\xff\xff\xff\xc3", 6);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(fm_port_write_bytes(f->port, 0x1fff, buf, 8, FM_ATTRS_NONE), FM_EFF_FAULT);
	assert_int_equal(ram_bytes(f)[0xfff], 1);
	assert_memory_equal(ram_bytes(f), "\1\1\1\0", 4);
}

static void bytes_reach_a_device_in_naturally_aligned_pieces(void **state)
{
	struct fixture *f = *state;
	static const unsigned sizes[] = { 1, 2, 4, 8, 8, 4, 2, 1 };
	uint8_t buf[30];
	uint8_t back[30];

	/* At an odd address: it is the device's own alignment that counts. */
	add(f->space, window_at(f->reg.dev, NULL, 0x2003, 0, 0x100, 0));
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i + 1);
	assert_int_equal(fm_port_write_bytes(f->port, 0x2004, buf, 30, FM_ATTRS_NONE), 0);
	assert_int_equal(f->reg.calls, 8);
	for (unsigned i = 0, off = 1; i < 8; off += sizes[i++]) {
		assert_int_equal(f->reg.notes[i].size, sizes[i]);
		assert_int_equal(f->reg.notes[i].off, off);
	}
	assert_memory_equal(mapdev_bytes(&f->reg) + 1, buf, 30);
	assert_int_equal(fm_port_read_bytes(f->port, 0x2004, back, 30, FM_ATTRS_NONE), 0);
	assert_memory_equal(back, buf, 30);
}

static void effects_and_attributes_pass_through(void **state)
{
	struct fixture *f = *state;
	struct fm_attrs attrs = { .debug = true, .secure = true, .requester = 77 };
	uint64_t value;

	add(f->space, window_at(f->reg.dev, NULL, 0x2000, 0, 0, 0));
	f->reg.effects = FM_EFF_IRQ | FM_EFF_REMAP;
	assert_int_equal(fm_port_write(f->port, 0x2010, 4, 5, attrs), FM_EFF_IRQ | FM_EFF_REMAP);
	assert_true(f->reg.notes[0].attrs.debug);
	assert_true(f->reg.notes[0].attrs.secure);
	assert_int_equal(f->reg.notes[0].attrs.requester, 77);
	assert_int_equal(fm_port_read(f->port, 0x2010, 4, &value, attrs), 0);
	assert_true(f->reg.notes[1].attrs.debug);
	/* Effects of a second part are added to those of the first. */
	f->reg.effects = FM_EFF_IRQ;
	assert_int_equal(fm_port_write(f->port, 0x2ffe, 4, 5, attrs), FM_EFF_IRQ | FM_EFF_FAULT);
}

static void a_write_to_memory_marks_it_dirty_once(void **state)
{
	struct fixture *f = *state;
	struct fm_dirty *log = fm_block_dirty(f->block);
	uint64_t bits;
	uint8_t buf[0x1001] = { 0 };

	add(f->space, window_at(f->ram, NULL, 0x40000000, 0x1000, 0, 0));
	assert_int_equal(fm_port_write(f->port, 0x40000000, 4, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_dirty_start(log, 2, NULL), 0);
	assert_int_equal(fm_port_write(f->port, 0x40002ffc, 4, 1, FM_ATTRS_NONE), FM_EFF_DIRTY);
	assert_int_equal(fm_port_write(f->port, 0x40002000, 4, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_dirty_harvest(log, 2, 0, RAM_LEN, &bits), 1);
	assert_int_equal(bits, 1 << 3);
	assert_int_equal(fm_port_write_bytes(f->port, 0x40003fff, buf, sizeof(buf), FM_ATTRS_NONE),
			 FM_EFF_DIRTY);
	assert_int_equal(fm_dirty_harvest(log, 2, 0, RAM_LEN, &bits), 2);
	assert_int_equal(bits, 3 << 4);
	/* An access across two pages marks both. */
	assert_int_equal(fm_port_write(f->port, 0x40000fff, 2, 1, FM_ATTRS_NONE), FM_EFF_DIRTY);
	assert_int_equal(fm_dirty_harvest(log, 2, 0, RAM_LEN, &bits), 2);
}

static void memory_without_write_permission_is_the_devices_to_drop(void **state)
{
	struct fixture *f = *state;
	struct fm_dev *rom = NULL;

	assert_int_equal(
		fm_ram_new(&rom,
			   &(struct fm_ram_config){ .struct_size = sizeof(struct fm_ram_config),
						    .name = "rom",
						    .block = f->block,
						    .read_only = true },
			   NULL),
		0);
	add(f->space, window_at(rom, NULL, 0x1000, 0, 0, 0));
	ram_bytes(f)[4] = 0x99;
	assert_int_equal(fm_port_write(f->port, 0x1004, 1, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_write_bytes(f->port, 0x1000, "12345678", 8, FM_ATTRS_NONE), 0);
	assert_int_equal(read64(f, 0x1004, 1, 0), 0x99);
	assert_int_equal(fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL), 0);
	fm_dev_free(rom);
}

/* The flash of which the view says "mapped" may have left read-array since. */
static void only_stable_memory_is_read_behind_the_devices_back(void **state)
{
	struct fixture *f = *state;
	struct mapdev flash;

	mapdev_init(&flash, "flash", 0x1000, 4, RX, 0, 0);
	add(f->space, window_at(flash.dev, NULL, 0, 0, 0, 0));
	read64(f, 0x100, 4, 0);
	assert_int_equal(flash.calls, 1);
	for (unsigned i = 0; i < 4; i++)
		flash.flags[i] = FM_MAP_STABLE;
	mapdev_remapped(&flash);
	assert_int_equal(fm_space_refresh(f->space, NULL), 1);
	read64(f, 0x100, 4, 0);
	assert_int_equal(flash.calls, 1);
	assert_int_equal(fm_port_write(f->port, 0x100, 4, 4, FM_ATTRS_NONE), 0);
	assert_int_equal(flash.calls, 2);
	fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL);
	mapdev_exit(&flash);
}

static void a_port_forgets_the_last_range_when_the_map_changes(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w = add(f->space, window_at(f->ram, NULL, 0x1000, 0, 0x1000, 0));

	ram_bytes(f)[0] = 0x12;
	assert_int_equal(read64(f, 0x1000, 1, 0), 0x12);
	assert_int_equal(fm_space_move(f->space, w, 0x3000, NULL), 0);
	assert_int_equal(read64(f, 0x1000, 1, FM_EFF_FAULT), 0xff);
	assert_int_equal(read64(f, 0x3000, 1, 0), 0x12);
	assert_int_equal(fm_space_enable(f->space, w, false, NULL), 0);
	assert_int_equal(read64(f, 0x3000, 1, FM_EFF_FAULT), 0xff);
	assert_int_equal(fm_space_enable(f->space, w, true, NULL), 0);
	assert_int_equal(read64(f, 0x3000, 1, 0), 0x12);
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	assert_int_equal(read64(f, 0x3000, 1, FM_EFF_FAULT), 0xff);
}

/* --- views ------------------------------------------------------------------------------- */

static void a_higher_window_cuts_a_lower_one_and_leaves_it_whole(void **state)
{
	struct fixture *f = *state;
	struct fm_window *low = add(f->space, window_at(f->ram, "low", 0x1000, 0, 0x3000, 0));
	struct fm_window *high = add(f->space, window_at(f->reg.dev, "high", 0x2080, 0, 0x10, 1));
	const struct fm_view *view = fm_space_view_get(f->space);
	const struct fm_range *r;

	assert_int_equal(fm_view_count(view), 3);
	r = fm_view_range(view, 0);
	assert_int_equal(r->gpa, 0x1000);
	assert_int_equal(r->len, 0x1080);
	assert_ptr_equal(r->host, ram_bytes(f));
	assert_int_equal(r->prot, RWX);
	assert_int_equal(r->flags, FM_MAP_STABLE);
	r = fm_view_range(view, 1);
	assert_ptr_equal(r->window, high);
	assert_int_equal(r->len, 0x10);
	assert_int_equal(r->prot, 0);
	r = fm_view_range(view, 2);
	assert_ptr_equal(r->window, low);
	assert_int_equal(r->gpa, 0x2090);
	assert_int_equal(r->len, 0x3000 - 0x1090);
	assert_int_equal(r->dev_off, 0x1090);
	assert_int_equal(r->block_off, 0x1090);
	assert_ptr_equal(r->host, ram_bytes(f) + 0x1090);
	assert_null(fm_view_range(view, 3));
	assert_int_equal(fm_space_remove(f->space, high, NULL), 0);
	/* What is held stays as it was. */
	assert_int_equal(fm_view_count(view), 3);
	fm_view_put(view);
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(view), 1);
	assert_int_equal(fm_view_range(view, 0)->len, 0x3000);
	fm_view_put(view);
	fm_view_put(NULL);
}

static void find_knows_first_and_last_bytes_of_ranges(void **state)
{
	struct fixture *f = *state;
	const struct fm_view *view;

	add(f->space, window_at(f->ram, "a", 0x1000, 0, 0x1000, 0));
	add(f->space, window_at(f->ram, "b", UINT64_MAX, 0, 1, 0));
	view = fm_space_view_get(f->space);
	assert_null(fm_view_find(view, 0));
	assert_null(fm_view_find(view, 0xfff));
	assert_ptr_equal(fm_view_find(view, 0x1000), fm_view_range(view, 0));
	assert_ptr_equal(fm_view_find(view, 0x1fff), fm_view_range(view, 0));
	assert_null(fm_view_find(view, 0x2000));
	assert_null(fm_view_find(view, UINT64_MAX - 1));
	assert_ptr_equal(fm_view_find(view, UINT64_MAX), fm_view_range(view, 1));
	fm_view_put(view);
}

static void an_alias_shows_the_same_bytes(void **state)
{
	struct fixture *f = *state;

	add(f->space, window_at(f->ram, "first", 0, 0, 0, 0));
	add(f->space, window_at(f->ram, "alias", 0x100000, 0x8000, 0x100, 0));
	assert_int_equal(fm_port_write(f->port, 0x8010, 4, 0xcafe, FM_ATTRS_NONE), 0);
	assert_int_equal(read64(f, 0x100010, 4, 0), 0xcafe);
}

static void refresh_tells_whether_the_view_changed(void **state)
{
	struct fixture *f = *state;
	struct mapdev flash;
	const struct fm_view *view;

	mapdev_init(&flash, "flash", 0x1000, 4, RX, 0, 0);
	add(f->space, window_at(flash.dev, NULL, 0, 0, 0, 0));
	add(f->space, window_at(flash.dev, "alias", 0x10000, 0x1000, 0x2000, 0));
	assert_int_equal(fm_space_refresh(f->space, NULL), 0);
	mapdev_remapped(&flash);
	flash.maps = 0;
	assert_int_equal(fm_space_refresh(f->space, NULL), 0);
	assert_int_not_equal(flash.maps, 0);
	flash.maps = 0;
	assert_int_equal(fm_space_refresh(f->space, NULL), 0);
	assert_int_equal(flash.maps, 0);
	flash.prot[1] = 0;
	mapdev_remapped(&flash);
	fm_space_begin(f->space);
	assert_int_equal(fm_space_refresh(f->space, &f->err), FM_ERR_STATE);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_int_equal(fm_space_refresh(f->space, NULL), 1);
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(view), 5);
	assert_int_equal(fm_view_find(view, 0)->prot, RX);
	assert_int_equal(fm_view_find(view, 0x1000)->prot, 0);
	assert_int_equal(fm_view_find(view, 0x10fff)->prot, 0);
	assert_int_equal(fm_view_find(view, 0x11000)->prot, RX);
	/* Where the contents live is known although nothing is mapped. */
	assert_ptr_equal(fm_view_find(view, 0x1000)->block, flash.block);
	fm_view_put(view);
	fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL);
	fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL);
	mapdev_exit(&flash);
}

/* --- transactions ------------------------------------------------------------------------ */

static void a_transaction_is_seen_whole_at_its_commit(void **state)
{
	struct fixture *f = *state;
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, 0));
	struct fm_window *b = add(f->space, window_at(f->ram, "b", 0x1000, 0x1000, 0x1000, 0));

	ram_bytes(f)[0] = 0xa;
	ram_bytes(f)[0x1000] = 0xb;
	fm_space_begin(f->space);
	/* Passing through an overlap is fine: two BARs change places. */
	assert_int_equal(fm_space_move(f->space, a, 0x1000, NULL), 0);
	assert_int_equal(read64(f, 0, 1, 0), 0xa);
	fm_space_begin(f->space);
	assert_int_equal(fm_space_move(f->space, b, 0, NULL), 0);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_int_equal(read64(f, 0, 1, 0), 0xa);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_int_equal(read64(f, 0, 1, 0), 0xb);
	assert_int_equal(read64(f, 0x1000, 1, 0), 0xa);
}

static void a_failed_commit_undoes_everything(void **state)
{
	struct fixture *f = *state;
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, 0));
	struct fm_window *b = add(f->space, window_at(f->ram, "b", 0x1000, 0x1000, 0x1000, 0));
	struct fm_window *c = add(f->space, window_at(f->ram, "c", 0x2000, 0x2000, 0x1000, 0));
	const struct fm_view *before = fm_space_view_get(f->space);
	const struct fm_view *after;

	fm_space_begin(f->space);
	add(f->space, window_at(f->ram, "new", 0x8000, 0, 0x1000, 0));
	assert_int_equal(fm_space_move(f->space, a, 0x4000, NULL), 0);
	assert_int_equal(fm_space_move(f->space, a, 0x5000, NULL), 0);
	assert_int_equal(fm_space_enable(f->space, c, false, NULL), 0);
	assert_int_equal(fm_space_remove(f->space, b, NULL), 0);
	add(f->space, window_at(f->ram, "wrong", 0x5fff, 0, 0x10, 0));
	assert_int_equal(fm_space_commit(f->space, &f->err), FM_ERR_OVERLAP);
	assert_non_null(strstr(f->err.msg, "wrong"));
	assert_ptr_equal(fm_space_next_window(f->space, NULL), a);
	assert_ptr_equal(fm_space_next_window(f->space, a), b);
	assert_ptr_equal(fm_space_next_window(f->space, b), c);
	assert_null(fm_space_next_window(f->space, c));
	assert_int_equal(fm_window_gpa(a), 0);
	assert_true(fm_window_enabled(c));
	after = fm_space_view_get(f->space);
	assert_ptr_equal(after, before);
	fm_view_put(before);
	fm_view_put(after);
	/* And the space still works. */
	assert_int_equal(fm_space_remove(f->space, b, NULL), 0);
	assert_int_equal(read64(f, 0x1000, 1, FM_EFF_FAULT), 0xff);
}

static void an_aborted_transaction_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, 0));
	const struct fm_view *before = fm_space_view_get(f->space);
	const struct fm_view *after;

	fm_space_begin(f->space);
	assert_int_equal(fm_space_remove(f->space, a, NULL), 0);
	fm_space_begin(f->space);
	add(f->space, window_at(f->ram, "b", 0, 0, 0x2000, 0));
	fm_space_abort(f->space);
	assert_ptr_equal(fm_space_next_window(f->space, NULL), a);
	assert_null(fm_space_next_window(f->space, a));
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	after = fm_space_view_get(f->space);
	assert_ptr_equal(after, before);
	fm_view_put(before);
	fm_view_put(after);
}

static void quiesce_does_not_wait_for_an_idle_port(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w = add(f->space, window_at(f->ram, NULL, 0x1000, 0, 0x1000, 0));
	uint8_t byte = 1;

	/* Each of these used the view that is about to be retired. */
	read64(f, 0x1000, 4, 0);
	assert_int_equal(fm_port_write(f->port, 0x1000, 4, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_read_bytes(f->port, 0x1000, &byte, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_write_bytes(f->port, 0x1fff, &byte, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	fm_space_quiesce(f->space);
}

static void a_window_added_and_removed_in_one_transaction_is_gone(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w;

	fm_space_begin(f->space);
	w = add(f->space, window_at(f->ram, "w", 0, 0, 0x1000, 0));
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_null(fm_space_next_window(f->space, NULL));
	fm_space_begin(f->space);
	w = add(f->space, window_at(f->ram, "w", 0, 0, 0x1000, 0));
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	add(f->space, window_at(f->ram, "x", 0, 0, 0x1000, 0));
	add(f->space, window_at(f->ram, "y", 0, 0, 0x1000, 0));
	assert_int_equal(fm_space_commit(f->space, NULL), FM_ERR_OVERLAP);
	assert_null(fm_space_next_window(f->space, NULL));
}

/* --- devices that lie ----------------------------------------------------------------------- */

static struct fm_mapping lie;

static void lying_map(void *state, uint64_t off, struct fm_mapping *out)
{
	*out = lie;
}

/* What map() says is only believed as far as it fits; the rest traps. */
static void a_mapping_that_cannot_be_is_not_mapped(void **state)
{
	struct fixture *f = *state;
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "liar",
					       .map = lying_map };
	const struct fm_mapping lies[] = {
		{ .off = 0x100, .len = 0x1000 },                 /* not around the offset */
		{ .off = 0, .len = 0x10 },                       /* ends before the next one */
		{ .off = 0, .len = UINT64_MAX, .block_off = 1 }, /* leaves the block */
		{ .off = 0, .len = 0x20000, .block_off = 0x1000 },
		{ .off = 0, .len = 0x20000, .block_off = UINT64_MAX },
	};
	struct fm_dev *dev = NULL;
	struct fm_window *w;

	assert_int_equal(
		fm_dev_new(&dev, &ops, NULL,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "liar",
						    .len = RAM_LEN },
			   NULL),
		0);
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const struct fm_view *view;

		lie = lies[i];
		lie.prot = RWX;
		lie.flags = FM_MAP_STABLE;
		lie.block = f->block;
		w = add(f->space, window_at(dev, NULL, 0x1000, 0, 0, 0));
		view = fm_space_view_get(f->space);
		assert_int_equal(fm_view_find(view, 0x1000 + RAM_LEN - 1)->prot, 0);
		assert_null(fm_view_find(view, 0x1000 + RAM_LEN));
		fm_view_put(view);
		assert_int_equal(read64(f, 0x1000 + RAM_LEN - 4, 4, 0), 0);
		assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	}
	fm_dev_free(dev);
}

/* Pages of the block in reverse order: no two of them are one range. */
static void reversed_map(void *state, uint64_t off, struct fm_mapping *out)
{
	out->off = off & ~UINT64_C(0xfff);
	out->len = 0x1000;
	out->prot = RWX;
	out->flags = FM_MAP_STABLE;
	out->block = state;
	out->block_off = RAM_LEN - 0x1000 - out->off;
}

static void runs_that_jump_in_the_block_stay_apart(void **state)
{
	struct fixture *f = *state;
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "reversed",
					       .map = reversed_map };
	struct fm_dev *dev = NULL;
	const struct fm_view *view;

	assert_int_equal(
		fm_dev_new(&dev, &ops, f->block,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "reversed",
						    .len = RAM_LEN },
			   NULL),
		0);
	add(f->space, window_at(dev, NULL, 0, 0, 0, 0));
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(view), 16);
	fm_view_put(view);
	assert_int_equal(fm_port_write(f->port, 0xffe, 4, 0x44332211, FM_ATTRS_NONE), 0);
	assert_memory_equal(ram_bytes(f) + RAM_LEN - 2, "\x11\x22", 2);
	assert_memory_equal(ram_bytes(f) + RAM_LEN - 0x2000, "\x33\x44", 2);
	assert_int_equal(fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL), 0);
	fm_dev_free(dev);
}

static void a_read_only_block_is_never_mapped_for_writing(void **state)
{
	struct fixture *f = *state;
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "liar",
					       .map = lying_map };
	struct fm_block *block = NULL;
	struct fm_dev *dev = NULL;
	const struct fm_view *view;

	assert_int_equal(fm_block_new(&block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .role = FM_ROLE_ROM,
					      .flags = FM_BLOCK_READONLY,
					      .len = 0x1000 },
				      NULL),
			 0);
	assert_int_equal(
		fm_dev_new(&dev, &ops, NULL,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "liar",
						    .len = 0x1000 },
			   NULL),
		0);
	lie = (struct fm_mapping){
		.len = 0x1000, .prot = RWX, .flags = FM_MAP_STABLE, .block = block
	};
	add(f->space, window_at(dev, NULL, 0, 0, 0, 0));
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_find(view, 0)->prot, RX);
	fm_view_put(view);
	assert_int_equal(fm_port_write(f->port, 0, 4, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL), 0);
	fm_dev_free(dev);
	fm_block_free(block);
}

int main(void)
{
#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		FACT(a_space_needs_a_name_and_known_fields),
		FACT(a_window_of_length_zero_shows_the_rest_of_the_device),
		FACT(a_window_leaves_neither_device_nor_space),
		FACT(an_overlap_of_equal_priority_names_both_windows),
		FACT(a_window_of_another_space_is_not_found),
		FACT(windows_are_walked_by_address_then_falling_priority),
		FACT(a_window_may_end_at_2_to_the_64),
		FACT(an_access_that_wraps_faults_whole),
		FACT(a_wrong_size_faults),
		FACT(nothing_answers_in_an_empty_space),
		FACT(an_access_across_a_border_is_split_low_addresses_first),
		FACT(a_border_with_nothing_faults_and_still_reaches_the_rest),
		FACT(bytes_reach_a_device_in_naturally_aligned_pieces),
		FACT(effects_and_attributes_pass_through),
		FACT(a_write_to_memory_marks_it_dirty_once),
		FACT(memory_without_write_permission_is_the_devices_to_drop),
		FACT(only_stable_memory_is_read_behind_the_devices_back),
		FACT(a_port_forgets_the_last_range_when_the_map_changes),
		FACT(a_higher_window_cuts_a_lower_one_and_leaves_it_whole),
		FACT(find_knows_first_and_last_bytes_of_ranges),
		FACT(an_alias_shows_the_same_bytes),
		FACT(refresh_tells_whether_the_view_changed),
		FACT(a_transaction_is_seen_whole_at_its_commit),
		FACT(a_failed_commit_undoes_everything),
		FACT(an_aborted_transaction_leaves_no_trace),
		FACT(quiesce_does_not_wait_for_an_idle_port),
		FACT(a_window_added_and_removed_in_one_transaction_is_gone),
		FACT(a_mapping_that_cannot_be_is_not_mapped),
		FACT(runs_that_jump_in_the_block_stay_apart),
		FACT(a_read_only_block_is_never_mapped_for_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
