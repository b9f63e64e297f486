/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots, and plugging into them: what is chosen, what is refused, what is listed and saved. */
#include "tests/unit/dimm_fixture.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

/* --- the slots ------------------------------------------------------------------------------------ */

static void a_machine_gets_its_slots_once(void **state)
{
	struct fixture *f = *state;
	struct fm_dimms_config c = dimms_config(f);
	struct fm_dimms *again = NULL;

	assert_null(fm_dimms_of(f->machine));
	assert_int_equal(fm_dimms_new(&f->dimms, &c, NULL), 0);
	assert_ptr_equal(fm_dimms_of(f->machine), f->dimms);
	assert_string_equal(fm_dev_name(fm_dimms_dev(f->dimms)), "dimms");
	assert_int_equal(fm_dimms_slots(f->dimms), 4);
	assert_int_equal(fm_dimms_nodes(f->dimms), 2);
	assert_true(fm_dimms_gpa(f->dimms) == REGION);
	assert_int_equal(fm_dimms_len(f->dimms), 128 * MIB);
	assert_int_equal(fm_dimms_base_memory(f->dimms), BASE_MEMORY);
	assert_int_equal(fm_dimms_max_memory(f->dimms), BASE_MEMORY + ROOM);
	assert_int_equal(fm_dimms_plugged_memory(f->dimms), 0);
	assert_null(fm_dimms_next(f->dimms, NULL));
	c.name = "more";
	assert_int_equal(fm_dimms_new(&again, &c, &f->err), FM_ERR_EXISTS);
	says(&f->err, FM_ERR_EXISTS, "slots", "board");
	assert_null(again);
}

static void slots_that_cannot_be_are_named(void **state)
{
	struct fixture *f = *state;
	struct fm_space_config sc = { .struct_size = sizeof(sc), .name = "other" };
	struct fm_space *other;

#define REFUSE(code, field, value, ...)                                       \
	do {                                                                  \
		struct fm_dimms_config c = dimms_config(f);                   \
		__VA_ARGS__;                                                  \
		assert_int_equal(fm_dimms_new(&f->dimms, &c, &f->err), code); \
		says(&f->err, code, field, value);                            \
		assert_null(f->dimms);                                        \
		assert_null(fm_machine_next_dev(f->machine, NULL));           \
	} while (0)
	REFUSE(FM_ERR_ARG, ".machine", "NULL", c.machine = NULL);
	REFUSE(FM_ERR_ARG, ".space", "NULL", c.space = NULL);
	assert_int_equal(fm_space_new(&other, &sc, NULL), 0);
	REFUSE(FM_ERR_ARG, ".space", "other", c.space = other);
	fm_space_free(other);
	REFUSE(FM_ERR_ARG, ".slots", "0x0", c.slots = 0);
	REFUSE(FM_ERR_ARG, ".slots", "0x101", c.slots = 257);
	REFUSE(FM_ERR_ARG, ".align", "0x800", c.align = 2048);
	REFUSE(FM_ERR_ARG, ".align", "0x3000", c.align = 0x3000);
	REFUSE(FM_ERR_ARG, ".gpa", "0x100001000", c.gpa = REGION + 4096);
	REFUSE(FM_ERR_ARG, ".max_memory", "0x1000000", c.max_memory = BASE_MEMORY);
	REFUSE(FM_ERR_RANGE, ".len", "0x8000000", c.gpa = UINT64_MAX - 2 * MIB + 1);
#undef REFUSE
}

static void the_region_ends_within_its_space(void **state)
{
	struct fixture *f = *state;
	struct fm_space_config sc = { .struct_size = sizeof(sc),
				      .name = "narrow",
				      .address_bits = 33 };
	struct fm_dimms_config c = dimms_config(f);
	struct fm_space *narrow;

	assert_int_equal(fm_space_new(&narrow, &sc, NULL), 0);
	assert_int_equal(fm_machine_add_space(f->machine, narrow, NULL), 0);
	c.space = narrow;
	c.gpa = 2 * REGION - 64 * MIB;
	assert_int_equal(fm_dimms_new(&f->dimms, &c, &f->err), FM_ERR_RANGE);
	says(&f->err, FM_ERR_RANGE, ".len", "0x1ffffffff");
	/* Without a length the region is as large as what may be plugged. */
	c.len = 0;
	assert_int_equal(fm_dimms_new(&f->dimms, &c, &f->err), 0);
	assert_int_equal(fm_dimms_len(f->dimms), ROOM);
}

/* --- what is chosen ------------------------------------------------------------------------------- */

static void a_dimm_takes_the_lowest_slot_and_address_that_are_free(void **state)
{
	struct fixture *f = *state;
	const struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG(.use_slot = true, .slot = 1));
	const struct fm_dimm *b =
		plug(f, "b", 2, DIMM_CONFIG(.use_gpa = true, .gpa = REGION + 8 * MIB));
	const struct fm_dimm *c = plug(f, "c", 6, DIMM_CONFIG());
	const struct fm_dimm *d = plug(f, "d", 4, DIMM_CONFIG());

	assert_int_equal(fm_dimm_slot(a), 1);
	assert_true(fm_dimm_gpa(a) == REGION);
	assert_int_equal(fm_dimm_slot(b), 0);
	/* 4 MiB between a and b are too few for c, and just right for d. */
	assert_int_equal(fm_dimm_slot(c), 2);
	assert_true(fm_dimm_gpa(c) == REGION + 10 * MIB);
	assert_int_equal(fm_dimm_slot(d), 3);
	assert_true(fm_dimm_gpa(d) == REGION + 4 * MIB);
}

static void a_larger_alignment_leaves_a_gap(void **state)
{
	struct fixture *f = *state;
	const struct fm_dimm *a = plug(f, "a", 2, DIMM_CONFIG());
	const struct fm_dimm *b = plug(f, "b", 2, DIMM_CONFIG(.align = 32 * MIB));
	const struct fm_dimm *c = plug(f, "c", 2, DIMM_CONFIG());

	assert_true(fm_dimm_gpa(a) == REGION);
	assert_true(fm_dimm_gpa(b) == REGION + 32 * MIB);
	assert_true(fm_dimm_gpa(c) == REGION + 2 * MIB);
}

static void the_guest_sees_and_writes_what_is_plugged(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *d = plug(f, "a", 4, DIMM_CONFIG(.id = "dimm7"));
	struct fm_port *port;
	uint64_t value = 0;

	assert_int_equal(fm_port_new(&port, f->space, NULL), 0);
	assert_int_equal(
		fm_port_write(port, REGION + 4 * MIB - 8, 8, 0x1122334455667788, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_read(port, REGION + 4 * MIB - 8, 8, &value, FM_ATTRS_NONE), 0);
	assert_true(value == 0x1122334455667788);
	assert_int_equal(bytes(fm_dimm_block(d))[4 * MIB - 1], 0x11);
	assert_int_equal(fm_port_read(port, REGION + 4 * MIB, 8, &value, FM_ATTRS_NONE),
			 FM_EFF_FAULT);
	fm_port_free(port);
	/* The machine has it under its names. */
	assert_ptr_equal(fm_machine_block(f->machine, "a"), fm_dimm_block(d));
	assert_ptr_equal(fm_machine_dev(f->machine, "dimm7"), fm_dimm_dev(d));
}

static void what_is_plugged_is_listed_by_address(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG(.use_gpa = true, .gpa = REGION + 16 * MIB));
	struct fm_dimm *b =
		plug(f, "b", 2, DIMM_CONFIG(.node = 1, .cold_plugged = true, .fixed = true));

	assert_ptr_equal(fm_dimms_next(f->dimms, NULL), b);
	assert_ptr_equal(fm_dimms_next(f->dimms, b), a);
	assert_null(fm_dimms_next(f->dimms, a));
	assert_ptr_equal(fm_dimms_find(f->dimms, "a"), a);
	assert_null(fm_dimms_find(f->dimms, "c"));
	assert_null(fm_dimms_find(f->dimms, NULL));
	assert_ptr_equal(fm_dimms_in_slot(f->dimms, 1), b);
	assert_null(fm_dimms_in_slot(f->dimms, 2));
	assert_ptr_equal(fm_dimms_holding(f->dimms, fm_dimm_block(b)), b);
	assert_string_equal(fm_dimm_id(b), "b");
	assert_int_equal(fm_dimm_len(b), 2 * MIB);
	assert_int_equal(fm_dimm_node(a), 0);
	assert_int_equal(fm_dimm_node(b), 1);
	assert_true(fm_dimm_hotplugged(a) && fm_dimm_hotpluggable(a));
	assert_false(fm_dimm_hotplugged(b) || fm_dimm_hotpluggable(b));
	assert_int_equal(fm_dimm_state(a), FM_DIMM_PLUGGED);
	assert_int_equal(fm_dimms_plugged_memory(f->dimms), 6 * MIB);
}

/* A device of the host's own over an NVDIMM whose last 128 KiB are labels. */
static void show_most(void *state, uint64_t off, struct fm_mapping *out)
{
	out->len = 4 * MIB - 128 * 1024;
	out->prot = FM_MAP_READ | FM_MAP_WRITE;
	out->flags = FM_MAP_STABLE;
	out->block = state;
}

static void an_nvdimm_is_as_long_as_its_device_shows(void **state)
{
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "nv",
					       .map = show_most };
	struct fixture *f = *state;
	struct fm_block *block = memory("nvmem", FM_ROLE_NVDIMM, 4 * MIB);
	struct fm_dev_config dc = { .struct_size = sizeof(dc),
				    .name = "nv0",
				    .len = 4 * MIB - 128 * 1024 };
	struct fm_dev *dev;
	struct fm_dimm *d;

	assert_int_equal(fm_dev_new(&dev, &ops, block, &dc, NULL), 0);
	assert_int_equal(fm_dimm_plug(f->dimms, DIMM_CONFIG(.block = block, .dev = dev), &d, NULL),
			 0);
	assert_string_equal(fm_dimm_id(d), "nv0");
	assert_int_equal(fm_dimm_len(d), 4 * MIB - 128 * 1024);
	/* The next one is aligned again. */
	assert_true(fm_dimm_gpa(plug(f, "a", 2, DIMM_CONFIG())) == REGION + 4 * MIB);
	assert_int_equal(fm_dimms_plugged_memory(f->dimms), 6 * MIB - 128 * 1024);
}

/* --- what is refused ------------------------------------------------------------------------------ */

/* Refused with that code and these words, and nothing is different. The block stays the caller's. */
static void refuse(struct fixture *f, const struct fm_dimm_config *c, int code, const char *field,
		   const char *value)
{
	struct snapshot was = snap(f);
	struct fm_dimm *const untouched = (struct fm_dimm *)f;
	struct fm_dimm *d = untouched;

	assert_int_equal(fm_dimm_plug(f->dimms, c, &d, &f->err), code);
	says(&f->err, code, field, value);
	assert_ptr_equal(d, untouched);
	unchanged(f, &was);
}

static void a_place_that_cannot_be_is_named_and_nothing_changes(void **state)
{
	struct fixture *f = *state;
	struct fm_block *x = memory("x", FM_ROLE_DIMM, 4 * MIB);
	char long_id[65] = { 0 };

	memset(long_id, 'x', 64);
	plug(f, "a", 4, DIMM_CONFIG(.use_slot = true, .slot = 2));
	refuse(f, DIMM_CONFIG(.block = x, .use_slot = true, .slot = 2), FM_ERR_EXISTS, ".slot",
	       "2 holds \"a\"");
	refuse(f, DIMM_CONFIG(.block = x, .use_slot = true, .slot = 4), FM_ERR_RANGE, ".slot",
	       "4, expected 0 to 3");
	refuse(f, DIMM_CONFIG(.block = x, .use_gpa = true, .gpa = REGION + 2 * MIB), FM_ERR_OVERLAP,
	       ".gpa", "\"a\" (0x100000000 to 0x1003fffff)");
	refuse(f, DIMM_CONFIG(.block = x, .use_gpa = true, .gpa = REGION + 4 * MIB + 4096),
	       FM_ERR_ARG, ".gpa", "0x100401000, expected a multiple of 0x200000");
	refuse(f, DIMM_CONFIG(.block = x, .use_gpa = true, .gpa = REGION - 2 * MIB), FM_ERR_RANGE,
	       ".gpa", "0xffe00000");
	refuse(f, DIMM_CONFIG(.block = x, .use_gpa = true, .gpa = REGION + 126 * MIB), FM_ERR_RANGE,
	       ".gpa", "0x100000000 to 0x107ffffff");
	refuse(f, DIMM_CONFIG(.block = x, .use_gpa = true, .gpa = 0), FM_ERR_RANGE, ".gpa", "0x0");
	refuse(f, DIMM_CONFIG(.block = x, .use_gpa = true, .gpa = UINT64_MAX - 2 * MIB + 1),
	       FM_ERR_RANGE, ".gpa", "0xffffffffffe00000");
	refuse(f, DIMM_CONFIG(.block = x, .align = 4096), FM_ERR_ARG, ".align", "0x1000");
	refuse(f, DIMM_CONFIG(.block = x, .align = 6 * MIB), FM_ERR_ARG, ".align", "0x600000");
	refuse(f, DIMM_CONFIG(.block = x, .align = 8 * REGION), FM_ERR_RANGE, ".gpa",
	       "no gap of 0x400000");
	refuse(f, DIMM_CONFIG(.block = x, .node = 2), FM_ERR_RANGE, ".node", "0x2");
	refuse(f, DIMM_CONFIG(.block = x, .id = "a"), FM_ERR_EXISTS, ".id", "\"a\" is in slot 2");
	refuse(f, DIMM_CONFIG(.block = x, .id = "dimms"), FM_ERR_EXISTS, ".id", "\"dimms\"");
	refuse(f, DIMM_CONFIG(.block = x, .id = ""), FM_ERR_ARG, ".id", "of 0 bytes");
	refuse(f, DIMM_CONFIG(.block = x, .id = "a\nb"), FM_ERR_ARG, ".id", "control characters");
	refuse(f, DIMM_CONFIG(.block = x, .id = long_id), FM_ERR_ARG, ".id", "of 64 bytes");
	fm_block_free(x);
}

static void memory_that_is_no_dimm_is_named_and_nothing_changes(void **state)
{
	struct fixture *f = *state;
	struct fm_block *ram = memory("ram", FM_ROLE_RAM, 4 * MIB);
	struct fm_block *odd = memory("odd", FM_ROLE_DIMM, 3 * MIB);
	struct fm_block *good = memory("good", FM_ROLE_DIMM, 4 * MIB);
	struct fm_ram_config rc = { .struct_size = sizeof(rc), .block = odd, .name = "dev" };
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());
	struct fm_dev *dev;

	refuse(f, DIMM_CONFIG(.block = NULL), FM_ERR_ARG, ".block", "NULL");
	refuse(f, DIMM_CONFIG(.block = ram), FM_ERR_ARG, ".block", "role ram");
	refuse(f, DIMM_CONFIG(.block = odd), FM_ERR_ARG, ".block", "0x300000 bytes");
	refuse(f, DIMM_CONFIG(.block = fm_dimm_block(a), .id = "b"), FM_ERR_EXISTS, ".block",
	       "\"a\" is the machine's");
	assert_int_equal(fm_ram_new(&dev, &rc, NULL), 0);
	refuse(f, DIMM_CONFIG(.block = good, .dev = dev), FM_ERR_ARG, ".dev",
	       "does not show block \"good\"");
	refuse(f, DIMM_CONFIG(.block = odd, .dev = dev, .id = "other"), FM_ERR_ARG, ".id",
	       "\"other\", expected the device's name \"dev\"");
	/* A device of the machine over it: somebody else's memory. */
	assert_int_equal(fm_machine_add_dev(f->machine, dev, NULL), 0);
	refuse(f, DIMM_CONFIG(.block = odd), FM_ERR_BUSY, ".block", "used by device \"dev\"");
	assert_int_equal(fm_machine_remove_dev(f->machine, dev, NULL), 0);
	fm_dev_free(dev);
	fm_block_free(good);
	fm_block_free(odd);
	fm_block_free(ram);
}

static void neither_slots_nor_the_maximum_are_exceeded(void **state)
{
	struct fixture *f = *state;
	struct fm_block *small = memory("small", FM_ROLE_DIMM, 2 * MIB);
	struct fm_block *large = memory("large", FM_ROLE_DIMM, 24 * MIB);

	plug(f, "a", 42, DIMM_CONFIG());
	refuse(f, DIMM_CONFIG(.block = large), FM_ERR_RANGE, ".block",
	       "0x1800000 bytes, expected at most 0x1600000");
	plug(f, "b", 22, DIMM_CONFIG());
	refuse(f, DIMM_CONFIG(.block = small), FM_ERR_RANGE, ".block", "expected at most 0x0");
	assert_int_equal(fm_dimms_plugged_memory(f->dimms), ROOM);
	fm_block_free(large);
	fm_block_free(small);
}

static void there_are_as_many_dimms_as_slots(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct fixture *f = *state;
	struct fm_block *x = memory("x", FM_ROLE_DIMM, 2 * MIB);

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(fm_dimm_slot(plug(f, names[i], 2, DIMM_CONFIG())), i);
	refuse(f, DIMM_CONFIG(.block = x), FM_ERR_BUSY, ".slot", "none of 4");
	fm_block_free(x);
}

static void a_full_region_has_no_gap(void **state)
{
	struct fixture *f = *state;
	struct fm_dimms_config c = dimms_config(f);
	struct fm_block *x = memory("x", FM_ROLE_DIMM, 8 * MIB);

	c.len = 16 * MIB;
	assert_int_equal(fm_dimms_new(&f->dimms, &c, NULL), 0);
	plug(f, "a", 4, DIMM_CONFIG(.use_gpa = true, .gpa = REGION + 6 * MIB));
	refuse(f, DIMM_CONFIG(.block = x), FM_ERR_RANGE, ".gpa", "no gap of 0x800000");
	plug(f, "b", 6, DIMM_CONFIG());
	/* The last byte of the region is one of it. */
	assert_true(fm_dimm_gpa(plug(f, "c", 6, DIMM_CONFIG())) == REGION + 10 * MIB);
	fm_block_free(x);
}

static void a_window_of_somebody_else_stays_and_the_dimm_does_not_come(void **state)
{
	struct fixture *f = *state;
	struct fm_block *x = memory("x", FM_ROLE_DIMM, 4 * MIB);
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());
	struct fm_window_config w = { .struct_size = sizeof(w),
				      .name = "alias",
				      .dev = fm_dimm_dev(a),
				      .gpa = REGION + 6 * MIB };

	assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	refuse(f, DIMM_CONFIG(.block = x), FM_ERR_OVERLAP, "\"alias\"", "\"x\"");
	fm_block_free(x);
}

static void a_device_that_has_a_window_elsewhere_is_given_back_too(void **state)
{
	struct fixture *f = *state;
	struct fm_block *x = memory("x", FM_ROLE_DIMM, 4 * MIB);
	struct fm_ram_config rc = { .struct_size = sizeof(rc), .block = x };
	struct fm_window_config w = { .struct_size = sizeof(w), .gpa = REGION + 2 * MIB };
	struct fm_window *window;
	struct fm_dev *dev;

	assert_int_equal(fm_ram_new(&dev, &rc, NULL), 0);
	w.dev = dev;
	assert_int_equal(fm_space_add(f->space, &w, &window, NULL), 0);
	/* Its own window is in its way. */
	refuse(f, DIMM_CONFIG(.block = x, .dev = dev), FM_ERR_OVERLAP, "\"x\"", "overlap");
	assert_null(fm_machine_dev(f->machine, "x"));
	assert_null(fm_machine_block(f->machine, "x"));
	assert_int_equal(fm_space_remove(f->space, window, NULL), 0);
	fm_space_quiesce(f->space);
	fm_dev_free(dev);
	fm_block_free(x);
}

static void nothing_is_plugged_between_begin_and_commit(void **state)
{
	struct fixture *f = *state;
	struct fm_block *x = memory("x", FM_ROLE_DIMM, 4 * MIB);

	fm_space_begin(f->space);
	refuse(f, DIMM_CONFIG(.block = x), FM_ERR_STATE, "space \"memory\"",
	       "between begin and commit");
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	fm_block_free(x);
}

/* --- saved state ---------------------------------------------------------------------------------- */

struct saved {
	void *bytes;
	size_t len;
};

static struct saved save(struct fixture *f)
{
	struct saved s;

	assert_int_equal(fm_dev_save(fm_dimms_dev(f->dimms), &s.bytes, &s.len, NULL), 0);
	return s;
}

/* Into the machine of `state`; its DIMMs differ from the saved ones in what the message says. */
static void load_fails(struct fixture *f, const struct saved *s, const char *what)
{
	struct snapshot was = snap(f);

	assert_int_equal(fm_dev_load(fm_dimms_dev(f->dimms), s->bytes, s->len, &f->err),
			 FM_ERR_FORMAT);
	says(&f->err, FM_ERR_FORMAT, "saved state", what);
	unchanged(f, &was);
}

static void who_waits_for_an_answer_is_saved_and_the_rest_compared(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG(.cold_plugged = true));
	struct fm_dimm *b = plug(f, "b", 2, DIMM_CONFIG(.node = 1));
	struct saved s;
	void *other;

	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	s = save(f);
	setup(&other);
	load_fails(other, &s, "\"a\" (slot 0, 0x400000 bytes at 0x100000000)");
	plug(other, "a", 4, DIMM_CONFIG());
	load_fails(other, &s, "\"b\"");
	b = plug(other, "b", 2, DIMM_CONFIG(.node = 1, .cold_plugged = true));
	assert_int_equal(
		fm_dev_load(fm_dimms_dev(((struct fixture *)other)->dimms), s.bytes, s.len, NULL),
		0);
	a = fm_dimms_find(((struct fixture *)other)->dimms, "a");
	assert_int_equal(fm_dimm_state(a), FM_DIMM_REQUESTED);
	assert_int_equal(fm_dimm_state(b), FM_DIMM_PLUGGED);
	assert_true(fm_dimm_hotplugged(b));
	assert_false(fm_dimm_hotplugged(a));
	plug(other, "c", 2, DIMM_CONFIG());
	load_fails(other, &s, "2 DIMMs, expected the 3");
	teardown(&other);
	free(s.bytes);
}

/* Where the last one ends at 2^64 nothing can follow it, itself neither. */
static void a_list_that_names_a_dimm_twice_is_broken(void **state)
{
	struct fixture *f = *state;
	struct fm_dimms_config c = dimms_config(f);
	const size_t each = 1 + 1 + 4 + 8 + 8 + 4 + 1; /* bytes of one, of a name of one byte */
	struct saved s;
	uint8_t *end;

	c.gpa = UINT64_MAX - 128 * MIB + 1;
	assert_int_equal(fm_dimms_new(&f->dimms, &c, NULL), 0);
	plug(f, "a", 2, DIMM_CONFIG());
	plug(f, "b", 2, DIMM_CONFIG(.use_gpa = true, .gpa = UINT64_MAX - 2 * MIB + 1));
	s = save(f);
	end = (uint8_t *)s.bytes + s.len - 4;
	memcpy(end - 2 * each, end - each, each);
	fmi_put_le32(end, fmi_crc32(0, s.bytes, s.len - 4));
	load_fails(f, &s, "broken");
	free(s.bytes);
}

static void a_dimm_elsewhere_or_of_another_size_is_no_place_to_load(void **state)
{
	struct fixture *f = *state;
	struct saved s;
	struct fm_dimm_config *const others[] = {
		DIMM_CONFIG(.use_slot = true, .slot = 1),
		DIMM_CONFIG(.use_gpa = true, .gpa = REGION + 2 * MIB),
		DIMM_CONFIG(.node = 1),
		DIMM_CONFIG(.fixed = true),
		DIMM_CONFIG(.cold_plugged = true),
	};
	static const char *const said[] = { "slot 0x0, expected 0x1",
					    "address 0x100000000, expected 0x100200000",
					    "node 0x0, expected 0x1", "fixed 0x0, expected 0x1",
					    "length 0x400000, expected 0x200000" };

	plug(f, "a", 4, DIMM_CONFIG());
	s = save(f);
	for (unsigned i = 0; i < 5; i++) {
		void *other;

		setup(&other);
		plug(other, "a", i == 4 ? 2 : 4, others[i]);
		load_fails(other, &s, said[i]);
		teardown(&other);
	}
	free(s.bytes);
}

static void an_ejected_dimm_is_not_in_the_state(void **state)
{
	struct fixture *f = *state;
	struct saved before, after;
	struct fm_dimm *b;

	plug(f, "a", 4, DIMM_CONFIG());
	before = save(f);
	b = plug(f, "b", 4, DIMM_CONFIG());
	assert_int_equal(fm_dimm_remove(b, NULL), 0);
	after = save(f);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.bytes, after.bytes, after.len);
	assert_int_equal(fm_dev_load(fm_dimms_dev(f->dimms), before.bytes, before.len, NULL), 0);
	free(before.bytes);
	free(after.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE_FACT(a_machine_gets_its_slots_once),
		BARE_FACT(slots_that_cannot_be_are_named),
		BARE_FACT(the_region_ends_within_its_space),
		FACT(a_dimm_takes_the_lowest_slot_and_address_that_are_free),
		FACT(a_larger_alignment_leaves_a_gap),
		FACT(the_guest_sees_and_writes_what_is_plugged),
		FACT(what_is_plugged_is_listed_by_address),
		FACT(an_nvdimm_is_as_long_as_its_device_shows),
		FACT(a_place_that_cannot_be_is_named_and_nothing_changes),
		FACT(memory_that_is_no_dimm_is_named_and_nothing_changes),
		FACT(neither_slots_nor_the_maximum_are_exceeded),
		FACT(there_are_as_many_dimms_as_slots),
		BARE_FACT(a_full_region_has_no_gap),
		FACT(a_window_of_somebody_else_stays_and_the_dimm_does_not_come),
		FACT(a_device_that_has_a_window_elsewhere_is_given_back_too),
		FACT(nothing_is_plugged_between_begin_and_commit),
		FACT(who_waits_for_an_answer_is_saved_and_the_rest_compared),
		BARE_FACT(a_list_that_names_a_dimm_twice_is_broken),
		FACT(a_dimm_elsewhere_or_of_another_size_is_no_place_to_load),
		FACT(an_ejected_dimm_is_not_in_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
