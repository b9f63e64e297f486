/* SPDX-License-Identifier: BSD-2-Clause */
/* A real NVDIMM, labels and file, in a slot: seen, flushed when it leaves, and what its file then has. */
#include "tests/unit/dimm_fixture.h"
#include "tests/unit/tmpdir.h"

#include <firmem/nvdimm.h>

#define LABELS (128u * 1024)

static void an_nvdimm_leaves_with_what_the_guest_stored(void **state)
{
	const char *path = tmpdir_path(state, "nvdimm.img");
	struct fm_nvdimm_config nc = {
		.struct_size = sizeof(nc), .name = "nv0", .label_len = LABELS, .align = 2 * MIB
	};
	struct fm_dimm_config c = { .struct_size = sizeof(c), .use_slot = true, .slot = 3 };
	struct fm_nvdimm_health before, after;
	void *fixture = NULL;
	struct fixture *f;
	struct fm_block *block = NULL;
	struct fm_port *port;
	struct fm_dimm *d;

	setup(&fixture);
	f = fixture;
	c.block = nc.block =
		must_make(BLOCK_RAW(.name = "nvmem", .role = FM_ROLE_NVDIMM,
				    .backing = FM_BACKING_FILE, .path = path, .len = 8 * MIB,
				    .flags = FM_BLOCK_SHARED | FM_BLOCK_CREATE));
	assert_int_equal(fm_nvdimm_new(&c.dev, &nc, NULL), 0);
	if (fm_dimm_plug(f->dimms, &c, &d, &f->err))
		fail_msg("%s", f->err.msg);
	/* Shorter than its block by the labels, and rounded down. */
	assert_int_equal(fm_dimm_len(d), 6 * MIB);
	assert_string_equal(fm_dimm_id(d), "nv0");
	assert_int_equal(fm_dimms_plugged_memory(f->dimms), 6 * MIB);
	assert_int_equal(fm_port_new(&port, f->space, NULL), 0);
	assert_int_equal(fm_port_write(port, REGION + 6 * MIB - 1, 1, 0x4e, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_write(port, REGION + 6 * MIB, 1, 0x4e, FM_ATTRS_NONE),
			 FM_EFF_FAULT);
	fm_port_free(port);
	fm_nvdimm_get_health(c.dev, &before);
	assert_int_equal(fm_dimm_request_unplug(d, NULL), 0);
	assert_int_equal(fm_dimm_eject(d, NULL), 0);
	fm_nvdimm_get_health(c.dev, &after);
	assert_true(after.syncs > before.syncs);
	assert_int_equal(fm_dimm_release(d, &block, NULL), 0);
	assert_ptr_equal(block, nc.block);
	fm_block_free(block);
	assert_int_equal(tmpdir_byte(path, 6 * MIB - 1), 0x4e);
	teardown(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(an_nvdimm_leaves_with_what_the_guest_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
