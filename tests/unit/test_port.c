/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/space_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
