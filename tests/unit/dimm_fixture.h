/* SPDX-License-Identifier: BSD-2-Clause */
/* dimm_fixture: a machine with 4 slots, two NUMA nodes and room for 64 MiB at 4 GiB. */
#ifndef FIRMEM_TESTS_DIMM_FIXTURE_H
#define FIRMEM_TESTS_DIMM_FIXTURE_H

#include "tests/unit/blockutil.h"

#include <firmem/dimm.h>
#include <firmem/ram.h>

#define MIB (UINT64_C(1) << 20)
#define REGION (UINT64_C(1) << 32)
#define BASE_MEMORY (16 * MIB)
#define ROOM (64 * MIB)

struct fixture {
	struct fm_machine *machine;
	struct fm_space *space;
	struct fm_dimms *dimms;
	struct fm_error err;
};

#define DIMM_CONFIG(...) \
	(&(struct fm_dimm_config){ .struct_size = sizeof(struct fm_dimm_config), __VA_ARGS__ })

static inline struct fm_dimms_config dimms_config(const struct fixture *f)
{
	return (struct fm_dimms_config){ .struct_size = sizeof(struct fm_dimms_config),
					 .machine = f->machine,
					 .space = f->space,
					 .slots = 4,
					 .nodes = 2,
					 .gpa = REGION,
					 .len = 128 * MIB,
					 .base_memory = BASE_MEMORY,
					 .max_memory = BASE_MEMORY + ROOM };
}

static inline int bare_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fm_space_config sc = { .struct_size = sizeof(sc), .name = "memory" };

	assert_non_null(f);
	assert_int_equal(fm_machine_new(&f->machine, "board", NULL), 0);
	assert_int_equal(fm_space_new(&f->space, &sc, NULL), 0);
	assert_int_equal(fm_machine_add_space(f->machine, f->space, NULL), 0);
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	struct fm_dimms_config c;
	struct fixture *f;

	bare_setup(state);
	f = *state;
	c = dimms_config(f);
	assert_int_equal(fm_dimms_new(&f->dimms, &c, NULL), 0);
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	fm_machine_free(f->machine);
	free(f);
	return 0;
}

static inline struct fm_block *memory(const char *name, enum fm_role role, uint64_t len)
{
	return must_make(BLOCK_RAW(.name = name, .role = role, .len = len));
}

/* What must go well. The config's block is of role dimm, named `name`, `mib` long. */
static inline struct fm_dimm *plug(struct fixture *f, const char *name, uint64_t mib,
				   struct fm_dimm_config *c)
{
	struct fm_dimm *d = NULL;

	c->block = memory(name, FM_ROLE_DIMM, mib * MIB);
	if (fm_dimm_plug(f->dimms, c, &d, &f->err))
		fail_msg("%s", f->err.msg);
	return d;
}

/* All that can be seen of a machine with slots: equal before and after what must change nothing. */
struct snapshot {
	size_t ranges;
	unsigned devs, blocks, dimms;
	uint64_t plugged;
	void *saved;
	size_t saved_len;
};

static inline struct snapshot snap(const struct fixture *f)
{
	const struct fm_view *view = fm_space_view_get(f->space);
	struct snapshot s = { .ranges = fm_view_count(view) };
	struct fm_dev *dev;
	struct fm_block *block;
	struct fm_dimm *d;

	fm_view_put(view);
	fm_machine_foreach_dev (f->machine, dev)
		s.devs++;
	fm_machine_foreach_block (f->machine, FM_WALK_ALL, block)
		s.blocks++;
	fm_dimms_foreach(f->dimms, d) s.dimms++;
	s.plugged = fm_dimms_plugged_memory(f->dimms);
	assert_int_equal(fm_dev_save(fm_dimms_dev(f->dimms), &s.saved, &s.saved_len, NULL), 0);
	return s;
}

static inline void unchanged(const struct fixture *f, struct snapshot *was)
{
	struct snapshot now = snap(f);

	assert_int_equal(now.ranges, was->ranges);
	assert_int_equal(now.devs, was->devs);
	assert_int_equal(now.blocks, was->blocks);
	assert_int_equal(now.dimms, was->dimms);
	assert_int_equal(now.plugged, was->plugged);
	assert_int_equal(now.saved_len, was->saved_len);
	assert_memory_equal(now.saved, was->saved, was->saved_len);
	free(now.saved);
	free(was->saved);
}

/* The message is one line with these words, and "expected". */
static inline void says(const struct fm_error *err, int code, const char *field, const char *value)
{
	if (err->code != code || !strstr(err->msg, field) || !strstr(err->msg, value) ||
	    !strstr(err->msg, "expected") || strchr(err->msg, '\n'))
		fail_msg("%d \"%s\" does not say %d \"%s\" and \"%s\"", err->code, err->msg, code,
			 field, value);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define BARE_FACT(name) cmocka_unit_test_setup_teardown(name, bare_setup, teardown)

#endif
