/* SPDX-License-Identifier: BSD-2-Clause */
/* dsm_unit: two DIMMs and calls of their firmware. */
#ifndef FIRMEM_TESTS_DSM_UNIT_H
#define FIRMEM_TESTS_DSM_UNIT_H

#include "tests/unit/unit.h"

#include "devices/bytes.h"

#include <firmem/block.h>
#include <firmem/dsm.h>
#include <firmem/nvdimm.h>

#define PMEM 0x100000u
#define LABELS 0x2000u
#define BASE UINT64_C(0x100000000)
#define LINE 0x1000u

/* Two DIMMs: apart, or as one interleave set. */
struct fixture {
	struct fm_block *block[2];
	struct fm_dev *dev[2];
	struct fm_dsm *dsm;
	uint8_t page[FM_DSM_PAGE];
};

static inline struct fixture *make(bool interleaved)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fm_dsm_dimm dimms[2];

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fm_block_new(&f->block[i],
					      &(struct fm_block_config){
						      .struct_size = sizeof(struct fm_block_config),
						      .name = i ? "b" : "a",
						      .role = FM_ROLE_NVDIMM,
						      .len = PMEM + LABELS },
					      NULL),
				 0);
		assert_int_equal(
			fm_nvdimm_new(&f->dev[i],
				      &(struct fm_nvdimm_config){
					      .struct_size = sizeof(struct fm_nvdimm_config),
					      .block = f->block[i],
					      .label_len = LABELS,
					      .dirty_shutdowns = 41 + i },
				      NULL),
			0);
		dimms[i] = (struct fm_dsm_dimm){ .dev = f->dev[i], .handle = i + 1 };
		dimms[i].base = interleaved ? BASE : BASE + i * (uint64_t)PMEM;
		if (interleaved) {
			dimms[i].ways = 2;
			dimms[i].position = i;
			dimms[i].line = LINE;
		}
	}
	assert_int_equal(
		fm_dsm_new(&f->dsm,
			   &(struct fm_dsm_config){ .struct_size = sizeof(struct fm_dsm_config),
						    .dimms = dimms,
						    .count = 2 },
			   NULL),
		0);
	return f;
}

static inline int setup(void **state)
{
	*state = make(false);
	return 0;
}

static inline int setup_interleaved(void **state)
{
	*state = make(true);
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	fm_dsm_free(f->dsm);
	for (unsigned i = 0; i < 2; i++) {
		fm_dev_free(f->dev[i]);
		fm_block_free(f->block[i]);
	}
	free(f);
	return 0;
}

/* The output; its status is the first word. */
static inline const uint8_t *call(struct fixture *f, uint32_t handle, uint32_t function,
				  const void *arg, size_t len, uint32_t out_len)
{
	memset(f->page, 0, sizeof(f->page));
	fmi_put_le32(f->page, handle);
	fmi_put_le32(f->page + 4, 1);
	fmi_put_le32(f->page + 8, function);
	if (len)
		memcpy(f->page + 12, arg, len);
	fm_dsm_call(f->dsm, f->page);
	assert_int_equal(fmi_le32(f->page), out_len + 4);
	return f->page + 4;
}

static inline uint32_t status(struct fixture *f, uint32_t handle, uint32_t function, uint64_t a,
			      uint64_t b)
{
	uint8_t arg[16];

	fmi_put_le64(arg, a);
	fmi_put_le64(arg + 8, b);
	memset(f->page, 0, sizeof(f->page));
	fmi_put_le32(f->page, handle);
	fmi_put_le32(f->page + 4, 1);
	fmi_put_le32(f->page + 8, function);
	memcpy(f->page + 12, arg, 16);
	fm_dsm_call(f->dsm, f->page);
	return fmi_le32(f->page + 4);
}

#endif
