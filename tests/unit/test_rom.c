/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <firmem/dirty.h>
#include <firmem/rom.h>

/* Not a multiple of a page: the last chunk is a short one. */
#define LEN 0x5123u
#define DATA_LEN 0x2345u
#define FILL 0xee

struct fixture {
	uint8_t data[DATA_LEN];
	struct fm_block *block;
	struct fm_dev *rom;
	struct fm_dev *shadow; /* on a block of its own */
	struct fm_block *shadow_block;
};

static struct fm_block *make_block(const char *name, uint64_t len)
{
	struct fm_block_config cfg = {
		.struct_size = sizeof(cfg), .name = name, .role = FM_ROLE_ROM, .len = len
	};
	struct fm_block *block;

	assert_int_equal(fm_block_new(&block, &cfg, NULL), 0);
	return block;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fm_rom_config cfg = {
		.struct_size = sizeof(cfg), .data = f->data, .len = sizeof(f->data), .fill = FILL
	};

	for (size_t i = 0; i < DATA_LEN; i++)
		f->data[i] = (uint8_t)(i * 5 + (i >> 8));
	cfg.block = f->block = make_block("bios", LEN);
	assert_int_equal(fm_rom_new(&f->rom, &cfg, NULL), 0);
	cfg.block = f->shadow_block = make_block("shadow", LEN);
	cfg.shadow = true;
	assert_int_equal(fm_rom_new(&f->shadow, &cfg, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fm_dev_free(f->rom);
	fm_dev_free(f->shadow);
	fm_block_free(f->block);
	fm_block_free(f->shadow_block);
	free(f);
	return 0;
}

static uint8_t byte_at(struct fm_dev *dev, uint64_t off)
{
	uint64_t v = 0;

	assert_int_equal(fm_dev_read(dev, off, 1, &v, FM_ATTRS_NONE), 0);
	return (uint8_t)v;
}

/* --- contents ---------------------------------------------------------------------------- */

static void the_block_holds_the_data_and_then_the_fill_byte(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(fm_dev_name(f->rom), "bios");
	assert_string_equal(fm_dev_type(f->rom), "rom");
	assert_int_equal(fm_dev_len(f->rom), LEN);
	for (uint64_t off = 0; off < LEN; off++)
		assert_int_equal(byte_at(f->rom, off), off < DATA_LEN ? f->data[off] : FILL);
	assert_true(fm_rom_pristine(f->rom, NULL));
}

static void the_data_is_copied(void **state)
{
	struct fixture *f = *state;
	uint8_t first = f->data[0];

	memset(f->data, 0x11, sizeof(f->data));
	assert_int_equal(byte_at(f->rom, 0), first);
	memset(fm_block_ptr(f->block), 0, LEN);
	fm_dev_reset(f->rom, FM_RESET_SYSTEM);
	assert_int_equal(byte_at(f->rom, 0), first);
}

static void reads_of_any_width_and_alignment_are_little_endian(void **state)
{
	struct fixture *f = *state;

	for (unsigned size = 1; size <= 8; size *= 2) {
		for (uint64_t off = LEN - 20; off <= LEN - size; off++) {
			uint64_t v = 0, want = 0;

			for (unsigned i = size; i-- > 0;)
				want = want << 8 | (off + i < DATA_LEN ? f->data[off + i] : FILL);
			assert_int_equal(fm_dev_read(f->rom, off, size, &v, FM_ATTRS_NONE), 0);
			assert_true(v == want);
		}
		uint64_t v = 0;

		assert_int_equal(fm_dev_read(f->rom, LEN - size + 1, size, &v, FM_ATTRS_NONE),
				 FM_EFF_FAULT);
	}
}

static void data_may_fill_the_whole_block(void **state)
{
	struct fm_block *block = make_block("whole", 0x1001);
	uint8_t data[0x1001];
	struct fm_rom_config cfg = {
		.struct_size = sizeof(cfg), .block = block, .data = data, .len = sizeof(data)
	};
	struct fm_dev *dev;

	memset(data, 0x77, sizeof(data));
	assert_int_equal(fm_rom_new(&dev, &cfg, NULL), 0);
	assert_int_equal(byte_at(dev, 0x1000), 0x77);
	fm_dev_free(dev);
	fm_block_free(block);
}

/* --- writes ------------------------------------------------------------------------------ */

static void count_ignored(void *ctx, const struct fm_trace_event *event)
{
	unsigned *count = ctx;

	if (event->kind == FM_TRACE_IGNORED)
		(*count)++;
}

static void guest_writes_are_dropped_and_traced(void **state)
{
	struct fixture *f = *state;
	unsigned ignored = 0;

	fm_dirty_start(fm_block_dirty(f->block), 0, NULL);
	fm_dev_set_trace(f->rom, count_ignored, &ignored);
	for (unsigned size = 1; size <= 8; size *= 2)
		assert_int_equal(fm_dev_write(f->rom, 0, size, 0, FM_ATTRS_NONE), 0);
	assert_int_equal(ignored, 4);
	assert_true(fm_rom_pristine(f->rom, NULL));
	assert_int_equal(fm_dirty_count(fm_block_dirty(f->block), 0), 0);
}

static void a_debug_write_is_dropped_and_not_traced(void **state)
{
	struct fixture *f = *state;
	unsigned ignored = 0;

	fm_dev_set_trace(f->rom, count_ignored, &ignored);
	assert_int_equal(fm_dev_write(f->rom, 0, 4, 0, (struct fm_attrs){ .debug = true }), 0);
	assert_int_equal(ignored, 0);
	assert_true(fm_rom_pristine(f->rom, NULL));
}

static void writes_to_a_shadow_land_and_mark(void **state)
{
	struct fixture *f = *state;
	struct fm_dirty *log = fm_block_dirty(f->shadow_block);
	uint64_t bits[1], at = 0;

	fm_dirty_start(log, 0, NULL);
	assert_int_equal(fm_dev_write(f->shadow, 0x1ffe, 4, 0xddccbbaa, FM_ATTRS_NONE),
			 FM_EFF_DIRTY);
	assert_int_equal(fm_dev_write(f->shadow, 0x2001, 1, 1, (struct fm_attrs){ .debug = true }),
			 0);
	assert_int_equal(byte_at(f->shadow, 0x1ffe), 0xaa);
	assert_int_equal(byte_at(f->shadow, 0x2001), 0x01);
	assert_int_equal(fm_dirty_harvest(log, 0, 0, LEN, bits), 2);
	assert_int_equal(bits[0], 0x6);
	assert_false(fm_rom_pristine(f->shadow, &at));
	assert_int_equal(at, 0x1ffe);
}

static void a_rom_maps_for_reading_and_a_shadow_for_writing_too(void **state)
{
	struct fixture *f = *state;
	struct fm_mapping m;

	assert_int_equal(fm_dev_map(f->rom, LEN - 1, &m), 0);
	assert_int_equal(m.off, 0);
	assert_int_equal(m.len, LEN);
	assert_int_equal(m.prot, FM_MAP_READ | FM_MAP_EXEC);
	assert_int_equal(m.flags, FM_MAP_STABLE);
	assert_ptr_equal(m.block, f->block);
	assert_int_equal(fm_dev_map(f->shadow, 0, &m), 0);
	assert_int_equal(m.prot, FM_MAP_READ | FM_MAP_EXEC | FM_MAP_WRITE);
	assert_int_equal(m.flags, FM_MAP_STABLE);
}

static void pristine_finds_the_first_difference_anywhere(void **state)
{
	struct fixture *f = *state;
	static const uint64_t offs[] = { 0,        1,      0xfff,  0x1000, DATA_LEN - 1,
					 DATA_LEN, 0x4fff, 0x5000, LEN - 1 };
	uint8_t *host = fm_block_ptr(f->block);

	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		uint64_t at = 0;

		host[offs[i]] ^= 1;
		host[LEN - 1] ^= 0x80;
		assert_false(fm_rom_pristine(f->rom, &at));
		assert_int_equal(at, offs[i]);
		host[offs[i]] ^= 1;
		host[LEN - 1] ^= 0x80;
	}
	assert_true(fm_rom_pristine(f->rom, NULL));
}

/* --- resets ------------------------------------------------------------------------------ */

static void cold_resets_reload_and_the_others_keep(void **state)
{
	struct fixture *f = *state;

	for (int kind = 0; kind < FM_RESET_COUNT; kind++) {
		bool reloads = kind == FM_RESET_POWER_ON || kind == FM_RESET_SYSTEM ||
			       kind == FM_RESET_CONFIDENTIAL;

		fm_dev_write(f->shadow, LEN - 4, 4, 0x12345678, FM_ATTRS_NONE);
		fm_dev_write(f->shadow, 0, 4, 0x12345678, FM_ATTRS_NONE);
		assert_int_equal(fm_dev_reset(f->shadow, (enum fm_reset_kind)kind), 0);
		assert_int_equal(fm_rom_pristine(f->shadow, NULL), reloads);
	}
}

static void a_reload_marks_only_what_differed(void **state)
{
	struct fixture *f = *state;
	struct fm_dirty *log = fm_block_dirty(f->shadow_block);
	uint64_t bits[1];

	fm_dev_write(f->shadow, 0x3000, 1, 0, FM_ATTRS_NONE);
	fm_dirty_start(log, 0, NULL);
	assert_int_equal(fm_dev_reset(f->shadow, FM_RESET_SYSTEM), FM_EFF_DIRTY);
	assert_int_equal(fm_dirty_harvest(log, 0, 0, LEN, bits), 1);
	assert_int_equal(bits[0], 0x8);
	assert_int_equal(fm_dev_reset(f->shadow, FM_RESET_SYSTEM), 0);
	assert_int_equal(fm_dirty_count(log, 0), 0);
}

static void sanitize_is_a_reload(void **state)
{
	struct fixture *f = *state;

	fm_dev_write(f->shadow, 7, 1, 0xff, FM_ATTRS_NONE);
	assert_int_equal(fm_dev_sanitize(f->shadow, NULL), 0);
	assert_true(fm_rom_pristine(f->shadow, NULL));
	assert_int_equal(fm_dev_flush(f->shadow, NULL), 0);
}

static void a_state_goes_to_a_rom_of_the_same_length_only(void **state)
{
	struct fixture *f = *state;
	struct fm_block *block = make_block("longer", LEN + 1);
	struct fm_rom_config cfg = {
		.struct_size = sizeof(cfg), .block = block, .data = "x", .len = 1
	};
	struct fm_error err = { 0 };
	struct fm_dev *dev;
	void *bytes;
	size_t len;

	assert_int_equal(fm_rom_new(&dev, &cfg, NULL), 0);
	assert_int_equal(fm_dev_save(dev, &bytes, &len, NULL), 0);
	assert_int_equal(fm_dev_load(dev, bytes, len, NULL), 0);
	assert_int_equal(fm_dev_load(f->rom, bytes, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "0x5124"));
	free(bytes);
	fm_dev_free(dev);
	fm_block_free(block);
}

/* --- wrong configurations ------------------------------------------------------------------ */

static void wrong_configurations_are_refused_and_named(void **state)
{
	struct fixture *f = *state;
	const struct fm_rom_config good = { .struct_size = sizeof(good),
					    .block = f->block,
					    .data = f->data,
					    .len = sizeof(f->data) };
	struct fm_rom_config cfg = good;
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	cfg.block = NULL;
	assert_int_equal(fm_rom_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_rom_config.block is NULL"));
	cfg = good;
	cfg.data = NULL;
	assert_int_equal(fm_rom_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_rom_config.data is NULL"));
	cfg = good;
	cfg.len = 0;
	assert_int_equal(fm_rom_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_rom_config.len is 0"));
	cfg = good;
	cfg.len = LEN + 1;
	assert_int_equal(fm_rom_new(&dev, &cfg, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "0x5124"));
	assert_non_null(strstr(err.msg, "0x5123"));
	cfg = good;
	cfg.name = "a name of more than sixty-three bytes, which is longer than a device's may be";
	assert_int_equal(fm_rom_new(&dev, &cfg, &err), FM_ERR_ARG);
	cfg = good;
	cfg.struct_size = 0;
	assert_int_equal(fm_rom_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_null(dev);
	assert_true(fm_rom_pristine(f->rom, NULL));
}

static void a_device_that_is_no_rom_is_not_pristine(void **state)
{
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops), .type = "other" };
	struct fm_dev_config cfg = { .struct_size = sizeof(cfg), .name = "other", .len = 16 };
	struct fm_dev *dev;
	uint64_t at = 1;

	assert_int_equal(fm_dev_new(&dev, &ops, NULL, &cfg, NULL), 0);
	assert_false(fm_rom_pristine(dev, &at));
	assert_int_equal(at, 0);
	fm_dev_free(dev);
}

/* --- the host's file --------------------------------------------------------------------- */

static void expect_file(const char *path, const char *want)
{
	void *bytes;
	size_t len;

	assert_int_equal(fm_io_load(NULL, path, 1 << 20, &bytes, &len, NULL), 0);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(bytes, want, len);
	free(bytes);
}

static void neither_side_of_a_loaded_file_sees_the_other(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fm_block *block;
	struct fm_image *image;
	struct fm_dev *rom;
	uint64_t gpa = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%.32s/firmem-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_int_equal(write(fd, "firmware", 8), 8);
	assert_int_equal(fm_image_open(&image, NULL, path, FM_IMAGE_AUTO, 0xfff0000, NULL), 0);
	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_ROM, 0, 0, NULL), 0);
	fm_image_free(image);

	/* The host edits: the guest sees nothing, not even after a reset. */
	assert_int_equal(pwrite(fd, "FIRM", 4, 0), 4);
	assert_int_equal(byte_at(rom, 0), 'f');
	fm_dev_reset(rom, FM_RESET_POWER_ON);
	assert_int_equal(byte_at(rom, 0), 'f');

	/* The guest writes, and so does whoever has the block: the file sees nothing. */
	fm_dev_write(rom, 4, 4, 0, FM_ATTRS_NONE);
	memset(fm_block_ptr(block), 'x', fm_block_len(block));
	fm_dev_flush(rom, NULL);
	fm_dev_reset(rom, FM_RESET_POWER_ON);
	expect_file(path, "FIRMware");
	fm_dev_free(rom);
	fm_block_free(block);
	expect_file(path, "FIRMware");
	close(fd);
	unlink(path);
}

static void a_block_that_would_write_a_file_is_refused(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fm_block_config bcfg = { .struct_size = sizeof(bcfg),
					.name = "file",
					.role = FM_ROLE_ROM,
					.backing = FM_BACKING_FILE };
	struct fm_rom_config cfg = { .struct_size = sizeof(cfg), .data = "new", .len = 3 };
	struct fm_error err = { 0 };
	struct fm_dev *rom = NULL;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%.32s/firmem-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_int_equal(write(fd, "old", 3), 3);
	bcfg.path = path;
	bcfg.flags = FM_BLOCK_SHARED;
	assert_int_equal(fm_block_new(&cfg.block, &bcfg, NULL), 0);
	assert_int_equal(fm_rom_new(&rom, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "shared file"));
	fm_block_free(cfg.block);

	bcfg.flags = FM_BLOCK_READONLY;
	assert_int_equal(fm_block_new(&cfg.block, &bcfg, NULL), 0);
	assert_int_equal(fm_rom_new(&rom, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "read-only"));
	fm_block_free(cfg.block);
	assert_null(rom);

	/* A private mapping of the file is memory of its own. */
	bcfg.flags = 0;
	assert_int_equal(fm_block_new(&cfg.block, &bcfg, NULL), 0);
	assert_int_equal(fm_rom_new(&rom, &cfg, NULL), 0);
	assert_int_equal(byte_at(rom, 0), 'n');
	expect_file(path, "old");
	fm_dev_free(rom);
	fm_block_free(cfg.block);
	close(fd);
	unlink(path);
}

/* --- from images --------------------------------------------------------------------------- */

static struct fm_image *make_image(struct fm_image_segment *segments, size_t count)
{
	static struct fm_image image;

	image = (struct fm_image){ .name = "made", .segments = segments, .count = count };
	return &image;
}

static void segments_are_laid_out_with_zero_between(void **state)
{
	static const uint8_t code[] = { 1, 2, 3 }, data[] = { 4, 5 };
	struct fm_image_segment segments[] = {
		{ .addr = 0x40001ffe, .mem_len = 4, .file_len = 3, .data = code },
		{ .addr = 0x40003100, .mem_len = 0x2000, .file_len = 2, .data = data },
	};
	struct fm_image *image = make_image(segments, 2);
	struct fm_block *block = NULL;
	struct fm_dev *rom = NULL;
	uint64_t gpa = 0;

	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_OPTION_ROM, 0, 0, NULL),
		0);
	assert_int_equal(gpa, 0x40001000);
	assert_int_equal(fm_block_len(block), 0x5000);
	assert_int_equal(fm_dev_len(rom), 0x5000);
	assert_int_equal(fm_block_role(block), FM_ROLE_OPTION_ROM);
	assert_int_equal(fm_block_backing(block), FM_BACKING_ANON);
	assert_string_equal(fm_block_name(block), "fw");
	for (uint64_t off = 0; off < 0x5000; off++) {
		uint8_t want = 0;

		if (off >= 0xffe && off < 0x1001)
			want = code[off - 0xffe];
		if (off >= 0x2100 && off < 0x2102)
			want = data[off - 0x2100];
		assert_int_equal(byte_at(rom, off), want);
	}
	fm_dev_free(rom);
	fm_block_free(block);
}

static void the_span_is_rounded_to_the_page_asked_for(void **state)
{
	struct fm_image_segment segment = {
		.addr = 0x12345, .mem_len = 1, .file_len = 1, .data = (const uint8_t *)"x"
	};
	static const uint64_t pages[] = { 1, 0x100, 0x10000 };

	for (size_t i = 0; i < 3; i++) {
		struct fm_block *block;
		struct fm_dev *rom;
		uint64_t gpa;

		assert_int_equal(fm_rom_from_image(&block, &rom, &gpa, make_image(&segment, 1),
						   "fw", FM_ROLE_ROM, pages[i], 0, NULL),
				 0);
		assert_int_equal(gpa, 0x12345 / pages[i] * pages[i]);
		assert_int_equal(fm_dev_len(rom), pages[i]);
		assert_int_equal(byte_at(rom, 0x12345 - gpa), 'x');
		fm_dev_free(rom);
		fm_block_free(block);
	}
}

static void memory_without_data_and_the_top_of_the_space_are_fine(void **state)
{
	static const uint64_t addrs[] = { 0, 0x40000080, UINT64_MAX - 0xff };

	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		struct fm_image_segment segment = { .addr = addrs[i], .mem_len = 0x100 };
		struct fm_block *block;
		struct fm_dev *rom;
		uint64_t gpa;

		assert_int_equal(fm_rom_from_image(&block, &rom, &gpa, make_image(&segment, 1),
						   "fw", FM_ROLE_ROM, 0, 0, NULL),
				 0);
		assert_true(gpa == (addrs[i] & ~UINT64_C(0xfff)));
		assert_int_equal(fm_dev_len(rom), 0x1000);
		assert_true(fm_rom_pristine(rom, NULL));
		fm_dev_free(rom);
		fm_block_free(block);
	}
}

static void a_span_over_the_limit_or_a_wrong_argument_is_refused(void **state)
{
	struct fm_image_segment segments[] = {
		{ .addr = 0x1000, .mem_len = 1, .file_len = 1, .data = (const uint8_t *)"x" },
		{ .addr = 0x2fff, .mem_len = 1, .file_len = 1, .data = (const uint8_t *)"x" },
	};
	struct fm_image *image = make_image(segments, 2);
	struct fm_block *block = NULL;
	struct fm_dev *rom = NULL;
	struct fm_error err = { 0 };
	uint64_t gpa = 7;

	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_ROM, 0, 0x1fff, &err),
		FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "0x1fff"));
	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_ROM, 0x1800, 0, &err),
		FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "page"));
	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, NULL, FM_ROLE_ROM, 0, 0, &err),
		FM_ERR_ARG);
	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_NONE, 0, 0, &err),
		FM_ERR_ARG);
	/* All of the address space: its length does not even fit. */
	segments[0].addr = 0;
	segments[1].addr = UINT64_MAX;
	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_ROM, 0, 0, &err),
		FM_ERR_SIZE);
	assert_int_equal(fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_ROM, 0,
					   UINT64_MAX, &err),
			 FM_ERR_SIZE);
	segments[1].addr = 1 << 30;
	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "fw", FM_ROLE_ROM, 0, 0, &err),
		FM_ERR_SIZE);
	assert_null(block);
	assert_null(rom);
	assert_int_equal(gpa, 7);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_block_holds_the_data_and_then_the_fill_byte),
		T(the_data_is_copied),
		T(reads_of_any_width_and_alignment_are_little_endian),
		T(data_may_fill_the_whole_block),
		T(guest_writes_are_dropped_and_traced),
		T(a_debug_write_is_dropped_and_not_traced),
		T(writes_to_a_shadow_land_and_mark),
		T(a_rom_maps_for_reading_and_a_shadow_for_writing_too),
		T(pristine_finds_the_first_difference_anywhere),
		T(cold_resets_reload_and_the_others_keep),
		T(a_reload_marks_only_what_differed),
		T(sanitize_is_a_reload),
		T(a_state_goes_to_a_rom_of_the_same_length_only),
		T(wrong_configurations_are_refused_and_named),
		T(a_device_that_is_no_rom_is_not_pristine),
		cmocka_unit_test(neither_side_of_a_loaded_file_sees_the_other),
		cmocka_unit_test(a_block_that_would_write_a_file_is_refused),
		cmocka_unit_test(segments_are_laid_out_with_zero_between),
		cmocka_unit_test(the_span_is_rounded_to_the_page_asked_for),
		cmocka_unit_test(memory_without_data_and_the_top_of_the_space_are_fine),
		cmocka_unit_test(a_span_over_the_limit_or_a_wrong_argument_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
