/* SPDX-License-Identifier: BSD-2-Clause */
/* space_fixture: what the tests of windows and of ports begin with. */
#ifndef FIRMEM_TESTS_SPACE_FIXTURE_H
#define FIRMEM_TESTS_SPACE_FIXTURE_H

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

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline uint64_t read64(struct fixture *f, uint64_t gpa, unsigned size, unsigned expected)
{
	uint64_t value = 0x5a5a5a5a5a5a5a5a;

	assert_int_equal(fm_port_read(f->port, gpa, size, &value, FM_ATTRS_NONE), expected);
	return value;
}

static inline uint8_t *ram_bytes(struct fixture *f)
{
	return fm_block_ptr(f->block);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
