/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapdev: a device for tests of maps: bytes in an anonymous block, a protection for each unit of
 * them that a test may change at any time, and a note of the accesses that reached it.
 */
#ifndef FIRMEM_TESTS_MAPDEV_H
#define FIRMEM_TESTS_MAPDEV_H

#include "tests/unit/unit.h"

#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/space.h>

#define MAPDEV_UNITS 1024u
#define MAPDEV_NOTES 16u
#define RWX (FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC)
#define RX (FM_MAP_READ | FM_MAP_EXEC)

struct mapdev {
	struct fm_dev *dev;
	struct fm_block *block;
	uint64_t unit; /* bytes */
	uint64_t len;
	uint64_t block_off; /* where the device begins in its block */
	unsigned prot[MAPDEV_UNITS];
	unsigned flags[MAPDEV_UNITS];
	unsigned effects; /* given back by every write, once */
	unsigned maps;    /* calls of map() */
	unsigned calls;
	struct {
		uint64_t off;
		unsigned size;
		uint64_t value;
		struct fm_attrs attrs;
	} notes[MAPDEV_NOTES];
};

static inline void mapdev_note(struct mapdev *d, uint64_t off, unsigned size, uint64_t value,
			       struct fm_attrs attrs)
{
	d->notes[d->calls % MAPDEV_NOTES].off = off;
	d->notes[d->calls % MAPDEV_NOTES].size = size;
	d->notes[d->calls % MAPDEV_NOTES].value = value;
	d->notes[d->calls++ % MAPDEV_NOTES].attrs = attrs;
}

static inline unsigned mapdev_read(void *state, uint64_t off, unsigned size, uint64_t *value,
				   struct fm_attrs attrs)
{
	struct mapdev *d = state;

	*value = 0;
	memcpy(value, (uint8_t *)fm_block_ptr(d->block) + d->block_off + off, size);
	mapdev_note(d, off, size, *value, attrs);
	return 0;
}

static inline unsigned mapdev_write(void *state, uint64_t off, unsigned size, uint64_t value,
				    struct fm_attrs attrs)
{
	struct mapdev *d = state;
	unsigned effects = d->effects;

	memcpy((uint8_t *)fm_block_ptr(d->block) + d->block_off + off, &value, size);
	mapdev_note(d, off, size, value, attrs);
	d->effects = 0;
	return effects;
}

/* Runs are as long as neighbours agree, so that a test sees runs of every length. */
static inline void mapdev_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct mapdev *d = state;
	uint64_t units = d->len / d->unit;
	uint64_t first = off / d->unit;
	uint64_t last = first;

	d->maps++;
	while (first && d->prot[first - 1] == d->prot[last] &&
	       d->flags[first - 1] == d->flags[last])
		first--;
	while (last + 1 < units && d->prot[last + 1] == d->prot[first] &&
	       d->flags[last + 1] == d->flags[first])
		last++;
	out->off = first * d->unit;
	out->len = (last - first + 1) * d->unit;
	out->prot = d->prot[first];
	out->flags = d->flags[first];
	out->block = d->block;
	out->block_off = d->block_off + out->off;
}

static const struct fm_dev_ops mapdev_ops = {
	.struct_size = sizeof(mapdev_ops),
	.type = "mapdev",
	.read = mapdev_read,
	.write = mapdev_write,
	.map = mapdev_map,
};

/* `units` of `unit` bytes, all of them with `prot` and `flags`, `slip` bytes into the block. */
static inline void mapdev_init(struct mapdev *d, const char *name, uint64_t unit, unsigned units,
			       unsigned prot, unsigned flags, uint64_t slip)
{
	memset(d, 0, sizeof(*d));
	assert_true(units <= MAPDEV_UNITS);
	d->unit = unit;
	d->len = unit * units;
	d->block_off = slip;
	for (unsigned i = 0; i < units; i++) {
		d->prot[i] = prot;
		d->flags[i] = flags;
	}
	assert_int_equal(fm_block_new(&d->block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .role = FM_ROLE_DEVICE,
					      .len = d->len + slip },
				      NULL),
			 0);
	assert_int_equal(
		fm_dev_new(&d->dev, &mapdev_ops, d,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = name,
						    .len = d->len },
			   NULL),
		0);
}

static inline void mapdev_exit(struct mapdev *d)
{
	fm_dev_free(d->dev);
	fm_block_free(d->block);
}

static inline uint8_t *mapdev_bytes(struct mapdev *d)
{
	return (uint8_t *)fm_block_ptr(d->block) + d->block_off;
}

/* After a test changed prot or flags: as a device does with FM_EFF_REMAP. */
static inline void mapdev_remapped(struct mapdev *d)
{
	fm_dev_raise(d->dev, FM_EFF_REMAP, NULL);
}

static inline struct fm_space *space_make(unsigned flags, unsigned address_bits)
{
	struct fm_space *space = NULL;

	assert_int_equal(fm_space_new(&space,
				      &(struct fm_space_config){
					      .struct_size = sizeof(struct fm_space_config),
					      .name = "memory",
					      .flags = flags,
					      .address_bits = address_bits },
				      NULL),
			 0);
	return space;
}

static inline struct fm_window_config window_at(struct fm_dev *dev, const char *name, uint64_t gpa,
						uint64_t dev_off, uint64_t len, int priority)
{
	return (struct fm_window_config){ .struct_size = sizeof(struct fm_window_config),
					  .name = name,
					  .dev = dev,
					  .gpa = gpa,
					  .dev_off = dev_off,
					  .len = len,
					  .priority = priority };
}

static inline struct fm_window *add(struct fm_space *space, struct fm_window_config cfg)
{
	struct fm_window *w = NULL;

	assert_int_equal(fm_space_add(space, &cfg, &w, NULL), 0);
	assert_non_null(w);
	return w;
}

#endif
