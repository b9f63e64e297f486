/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical presence page: a request is kept over resets until it is acknowledged. */
#include "tests/unit/unit.h"

#include <firmem/dirty.h>
#include <firmem/ppi.h>
#include <firmem/private.h>
#include <firmem/ram.h>

struct page {
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *bytes;
};

static struct fm_block *new_block(enum fm_role role, uint64_t len)
{
	struct fm_block_config cfg = {
		.struct_size = sizeof(cfg), .name = "ppi", .role = role, .len = len
	};
	struct fm_block *block;

	assert_int_equal(fm_block_new(&block, &cfg, NULL), 0);
	return block;
}

static void init(struct page *p)
{
	struct fm_ppi_config cfg = { .struct_size = sizeof(cfg) };

	p->block = new_block(FM_ROLE_PPI, FM_PPI_LEN);
	p->bytes = fm_block_ptr(p->block);
	cfg.block = p->block;
	assert_int_equal(fm_ppi_new(&p->dev, &cfg, NULL), 0);
}

static void finish(struct page *p)
{
	fm_dev_free(p->dev);
	fm_block_free(p->block);
}

static void bit_0_of_byte_15a_is_the_request(void **state)
{
	struct page p;

	init(&p);
	assert_int_equal(fm_ppi_memory_overwrite(p.dev), 0);
	fm_dev_write(p.dev, 0x15a, 1, 0xfe, FM_ATTRS_NONE);
	assert_int_equal(fm_ppi_memory_overwrite(p.dev), 0);
	fm_dev_write(p.dev, 0x15a, 1, 0x11, FM_ATTRS_NONE);
	assert_int_equal(fm_ppi_memory_overwrite(p.dev), 1);
	finish(&p);
}

static void an_acknowledgement_clears_that_bit_and_nothing_else(void **state)
{
	struct page p;

	init(&p);
	memset(p.bytes, 0xff, FM_PPI_LEN);
	assert_int_equal(fm_dirty_start(fm_block_dirty(p.block), 0, NULL), 0);
	assert_int_equal(fm_ppi_acknowledge(p.dev), 0);
	assert_int_equal(p.bytes[0x15a], 0xfe);
	for (unsigned i = 0; i < FM_PPI_LEN; i++)
		assert_int_equal(p.bytes[i], i == 0x15a ? 0xfe : 0xff);
	assert_int_equal(fm_dirty_count(fm_block_dirty(p.block), 0), 1);
	assert_int_equal(fm_ppi_memory_overwrite(p.dev), 0);
	finish(&p);
}

static void a_request_is_kept_over_every_reset_but_power_on(void **state)
{
	struct page p;

	init(&p);
	for (unsigned kind = 0; kind < FM_RESET_COUNT; kind++) {
		memset(p.bytes, 0x5a, FM_PPI_LEN);
		p.bytes[0x15a] = 1;
		fm_dev_reset(p.dev, kind);
		assert_int_equal(fm_ppi_memory_overwrite(p.dev), kind != FM_RESET_POWER_ON);
		assert_int_equal(p.bytes[0x100], kind == FM_RESET_POWER_ON ? 0 : 0x5a);
	}
	p.bytes[0x15a] = 1;
	assert_int_equal(fm_dev_sanitize(p.dev, NULL), 0);
	assert_int_equal(fm_ppi_memory_overwrite(p.dev), 0);
	finish(&p);
}

static void only_a_block_for_it_makes_one(void **state)
{
	struct fm_ppi_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	assert_int_equal(fm_ppi_new(&dev, &cfg, &err), FM_ERR_ARG);
	cfg.block = new_block(FM_ROLE_RAM, FM_PPI_LEN);
	assert_int_equal(fm_ppi_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "role ram"));
	fm_block_free(cfg.block);
	cfg.block = new_block(FM_ROLE_PPI, FM_PPI_LEN - 1);
	assert_int_equal(fm_ppi_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "0x3ff bytes"));
	fm_block_free(cfg.block);
	assert_null(dev);
}

static void another_device_is_no_such_page(void **state)
{
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_dev *dev;

	ram.block = new_block(FM_ROLE_PPI, FM_PPI_LEN);
	assert_int_equal(fm_ram_new(&dev, &ram, NULL), 0);
	assert_int_equal(fm_ppi_memory_overwrite(dev), FM_ERR_ARG);
	assert_int_equal(fm_ppi_acknowledge(dev), FM_ERR_ARG);
	assert_int_equal(fm_ppi_acknowledge(NULL), FM_ERR_ARG);
	fm_dev_free(dev);
	fm_block_free(ram.block);
}

static void a_request_that_is_private_is_neither_seen_nor_answered(void **state)
{
	const struct fm_private_config private = { .struct_size = sizeof(private), .all = true };
	struct page p;

	init(&p);
	p.bytes[0x15a] = 1;
	assert_int_equal(fm_ppi_memory_overwrite(p.dev), 1);
	assert_int_equal(fm_private_enable(p.block, &private, NULL), 0);
	assert_int_equal(fm_ppi_memory_overwrite(p.dev), 0);
	assert_int_equal(fm_ppi_acknowledge(p.dev), FM_ERR_STATE);
	assert_int_equal(p.bytes[0x15a], 1);
	finish(&p);
}

static void a_saved_state_is_of_a_page_of_the_same_length(void **state)
{
	struct fm_ppi_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_dev *large;
	struct page p;
	void *saved;
	size_t len;

	init(&p);
	cfg.block = new_block(FM_ROLE_PPI, 4096);
	assert_int_equal(fm_ppi_new(&large, &cfg, NULL), 0);
	assert_int_equal(fm_dev_save(p.dev, &saved, &len, NULL), 0);
	assert_int_equal(fm_dev_load(p.dev, saved, len, NULL), 0);
	assert_int_equal(fm_dev_load(large, saved, len, NULL), FM_ERR_FORMAT);
	free(saved);
	fm_dev_free(large);
	fm_block_free(cfg.block);
	finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bit_0_of_byte_15a_is_the_request),
		cmocka_unit_test(an_acknowledgement_clears_that_bit_and_nothing_else),
		cmocka_unit_test(a_request_is_kept_over_every_reset_but_power_on),
		cmocka_unit_test(only_a_block_for_it_makes_one),
		cmocka_unit_test(another_device_is_no_such_page),
		cmocka_unit_test(a_request_that_is_private_is_neither_seen_nor_answered),
		cmocka_unit_test(a_saved_state_is_of_a_page_of_the_same_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
