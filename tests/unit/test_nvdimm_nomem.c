/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/label_unit.h"
#include "tests/unit/nomem.h"

#include <firmem/block.h>
#include <firmem/dsm.h>
#include <firmem/nfit.h>
#include <firmem/nvdimm.h>

static int gather(const struct fm_label_area *area)
{
	struct fm_label_set set;
	size_t n = fm_label_gather(&area, 1, &set, 1);

	if (n == FM_LABEL_NO_MEMORY)
		return FM_ERR_NOMEM;
	assert_int_equal(n, 2);
	return 0;
}

static void labels_are_read_or_there_is_no_memory(void **state)
{
	static struct memory m;
	struct fm_label_area *area = NULL;
	uint64_t dpa = 7;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 0, "a", FM_LABEL_V1_2);
	memory_add(&m, 1, "b", FM_LABEL_V1_2);
	m.bytes[0] ^= 1; /* a finding */
	NOMEM_EACH(fm_label_parse(&area, m.bytes, 4096, PMEM, NULL), assert_null(area));
	assert_non_null(fm_label_finding(area, 0));
	NOMEM_EACH(gather(area), (void)0);
	NOMEM_EACH(fm_label_find_dpa(area, 0, PMEM, MIB, MIB, &dpa, NULL),
		   assert_int_equal(dpa, 7));
	assert_int_equal(dpa, 4 * MIB);
	fm_label_free(area);
}

static void a_change_without_memory_writes_nothing(void **state)
{
	static struct memory m;
	struct fm_label l = label_number(1, "b", FM_LABEL_V1_2);

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 0, "a", FM_LABEL_V1_2);
	memory_reset(&m);
	NOMEM_EACH(fm_label_add(&m.medium, 1, &l, NULL), assert_int_equal(m.calls, 0));
	memory_reset(&m);
	NOMEM_EACH(fm_label_rename(&m.medium, 1, l.uuid, "c", NULL), assert_int_equal(m.calls, 0));
	memory_reset(&m);
	NOMEM_EACH(fm_label_delete(&m.medium, 1, l.uuid, NULL), assert_int_equal(m.calls, 0));
	memory_reset(&m);
	NOMEM_EACH(fm_label_init(&m.medium, FM_LABEL_V1_1, NULL), assert_int_equal(m.calls, 0));
}

static int make_table(void **out, size_t *len)
{
	struct fm_nfit *n;
	int rc = fm_nfit_new(&n, NULL);

	if (rc)
		return rc;
	for (unsigned i = 0; i < 8; i++)
		fm_nfit_add_qemu(n, &(struct fm_nfit_qemu){ .slot = i, .len = 1 });
	rc = fm_nfit_finish(n, false, out, len, NULL);
	fm_nfit_free(n);
	return rc;
}

static void devices_and_tables_are_made_or_there_is_no_memory(void **state)
{
	const struct fm_block_config mem = {
		.struct_size = sizeof(mem), .name = "nv", .role = FM_ROLE_NVDIMM, .len = 1 << 20
	};
	const uint32_t handle = 1;
	const struct fm_dsm_ssdt_config ssdt = { .struct_size = sizeof(ssdt),
						 .handles = &handle,
						 .count = 1 };
	struct fm_nvdimm_config cfg = { .struct_size = sizeof(cfg), .label_len = 4096 };
	struct fm_dsm_dimm dimm = { .handle = 1 };
	struct fm_dsm_config dsm_cfg = { .struct_size = sizeof(dsm_cfg),
					 .dimms = &dimm,
					 .count = 1 };
	struct fm_dev *dev = NULL;
	struct fm_dsm *dsm = NULL;
	void *table = NULL;
	size_t len;

	assert_int_equal(fm_block_new(&cfg.block, &mem, NULL), 0);
	NOMEM_EACH(fm_nvdimm_new(&dev, &cfg, NULL), assert_null(dev));
	dimm.dev = dev;
	NOMEM_EACH(fm_dsm_new(&dsm, &dsm_cfg, NULL), assert_null(dsm));
	NOMEM_EACH(make_table(&table, &len), assert_null(table));
	free(table);
	table = NULL;
	NOMEM_EACH(fm_dsm_ssdt(&table, &len, &ssdt, NULL), assert_null(table));
	free(table);
	fm_dsm_free(dsm);
	fm_dev_free(dev);
	fm_block_free(cfg.block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_read_or_there_is_no_memory),
		cmocka_unit_test(a_change_without_memory_writes_nothing),
		cmocka_unit_test(devices_and_tables_are_made_or_there_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
