/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include <firmem/dirty.h>
#include <firmem/ram.h>

#define LEN 0x4000u

struct fixture {
	struct fm_block *block;
	struct fm_dev *dev;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(fm_block_new(&f->block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .name = "ram",
					      .role = FM_ROLE_RAM,
					      .len = LEN },
				      NULL),
			 0);
	assert_int_equal(
		fm_ram_new(&f->dev,
			   &(struct fm_ram_config){ .struct_size = sizeof(struct fm_ram_config),
						    .block = f->block },
			   NULL),
		0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fm_dev_free(f->dev);
	fm_block_free(f->block);
	free(f);
	return 0;
}

static void what_is_written_is_read_at_any_alignment(void **state)
{
	struct fixture *f = *state;
	const uint64_t value = 0x8877665544332211;

	for (unsigned size = 1; size <= 8; size *= 2) {
		for (uint64_t off = LEN - 16; off <= LEN - size; off++) {
			uint64_t v = 0, mask = UINT64_MAX >> (64 - 8 * size);

			assert_int_equal(
				fm_dev_write(f->dev, off, size, value + off, FM_ATTRS_NONE), 0);
			fm_dev_read(f->dev, off, size, &v, FM_ATTRS_NONE);
			assert_true(v == ((value + off) & mask));
		}
	}
}

static void a_write_marks_the_dirty_log_once(void **state)
{
	struct fixture *f = *state;
	struct fm_dirty *log = fm_block_dirty(f->block);
	uint64_t bits[1];

	assert_int_equal(fm_dirty_start(log, 0, NULL), 0);
	assert_int_equal(fm_dev_write(f->dev, 0x0ffc, 8, 1, FM_ATTRS_NONE), FM_EFF_DIRTY);
	assert_int_equal(fm_dev_write(f->dev, 0x1000, 4, 2, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_dirty_harvest(log, 0, 0, LEN, bits), 2);
	assert_int_equal(bits[0], 3);
	assert_int_equal(fm_dev_write(f->dev, 0x1000, 4, 2, FM_ATTRS_NONE), FM_EFF_DIRTY);
}

static void all_of_it_is_mapped_for_good(void **state)
{
	struct fixture *f = *state;
	struct fm_mapping m;

	assert_int_equal(fm_dev_map(f->dev, LEN - 1, &m), 0);
	assert_int_equal(m.off, 0);
	assert_int_equal(m.len, LEN);
	assert_int_equal(m.prot, FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC);
	assert_int_equal(m.flags, FM_MAP_STABLE);
	assert_ptr_equal(m.block, f->block);
}

static void read_only_ram_drops_writes_and_is_not_mapped_writable(void **state)
{
	struct fixture *f = *state;
	struct fm_ram_config cfg = { .struct_size = sizeof(cfg),
				     .name = "protected",
				     .block = f->block,
				     .read_only = true };
	struct fm_mapping m;
	struct fm_dev *dev;
	uint64_t v;

	fm_dev_write(f->dev, 0, 8, 7, FM_ATTRS_NONE);
	assert_int_equal(fm_ram_new(&dev, &cfg, NULL), 0);
	assert_int_equal(fm_dev_write(dev, 0, 8, 9, FM_ATTRS_NONE), 0);
	fm_dev_read(dev, 0, 8, &v, FM_ATTRS_NONE);
	assert_int_equal(v, 7);
	fm_dev_map(dev, 0, &m);
	assert_int_equal(m.prot, FM_MAP_READ | FM_MAP_EXEC);
	fm_dev_free(dev);
}

static void reset_keeps_and_sanitize_clears(void **state)
{
	struct fixture *f = *state;
	uint64_t v;

	fm_dev_write(f->dev, LEN - 8, 8, 7, FM_ATTRS_NONE);
	for (int kind = 0; kind < FM_RESET_COUNT; kind++)
		assert_int_equal(fm_dev_reset(f->dev, (enum fm_reset_kind)kind), 0);
	fm_dev_read(f->dev, LEN - 8, 8, &v, FM_ATTRS_NONE);
	assert_int_equal(v, 7);
	assert_int_equal(fm_dev_sanitize(f->dev, NULL), 0);
	fm_dev_read(f->dev, LEN - 8, 8, &v, FM_ATTRS_NONE);
	assert_int_equal(v, 0);
}

static void a_state_of_another_length_is_refused(void **state)
{
	struct fixture *f = *state;
	struct fm_block *block;
	struct fm_error err;
	struct fm_dev *dev;
	void *bytes;
	size_t len;

	assert_int_equal(fm_block_new(&block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .name = "other",
					      .role = FM_ROLE_RAM,
					      .len = 2 * LEN },
				      NULL),
			 0);
	assert_int_equal(
		fm_ram_new(&dev,
			   &(struct fm_ram_config){ .struct_size = sizeof(struct fm_ram_config),
						    .block = block },
			   NULL),
		0);
	assert_int_equal(fm_dev_save(dev, &bytes, &len, NULL), 0);
	assert_int_equal(fm_dev_load(dev, bytes, len, NULL), 0);
	assert_int_equal(fm_dev_load(f->dev, bytes, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "0x8000"));
	free(bytes);
	fm_dev_free(dev);
	fm_block_free(block);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_written_is_read_at_any_alignment),
		T(a_write_marks_the_dirty_log_once),
		T(all_of_it_is_mapped_for_good),
		T(read_only_ram_drops_writes_and_is_not_mapped_writable),
		T(reset_keeps_and_sanitize_clears),
		T(a_state_of_another_length_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
