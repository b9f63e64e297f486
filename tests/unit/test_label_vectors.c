/* SPDX-License-Identifier: BSD-2-Clause */
/* Areas that Linux and ndctl wrote. */
#include "tests/unit/label_unit.h"

#include <zlib.h>

static size_t load(const char *path, uint8_t *bytes, size_t room)
{
	gzFile file = gzopen(path, "rb");
	int n;

	assert_non_null(file);
	n = gzread(file, bytes, (unsigned)room);
	assert_true(n > 0);
	gzclose(file);
	return (size_t)n;
}

static uint8_t bytes[256 * 1024];

static struct fm_label_area *area_from(const char *path, size_t *len)
{
	struct fm_label_area *area;
	struct fm_error err;

	*len = load(path, bytes, sizeof(bytes));
	if (fm_label_parse(&area, bytes, *len, 0, &err))
		fail_msg("%s", err.msg);
	return area;
}

/* Every label in use, made anew, is what is there. */
static void assert_same_bytes(const struct fm_label_area *area)
{
	const struct fm_label_info *info = fm_label_info(area);
	const struct fm_label *l;
	uint8_t slot[256];

	for (size_t i = 0; (l = fm_label_at(area, i)); i++) {
		assert_true(l->valid);
		fm_label_encode(l, info->slot_len, slot);
		assert_memory_equal(slot, bytes + 2 * info->index_len + l->slot * info->slot_len,
				    info->slot_len);
	}
}

static void assert_label(const struct fm_label *l, uint32_t slot, const char *uuid,
			 const char *name, uint64_t dpa, uint64_t rawsize, enum fm_label_use use)
{
	char text[37];

	assert_non_null(l);
	assert_int_equal(l->slot, slot);
	fm_label_uuid_text(l->uuid, text);
	assert_string_equal(text, uuid);
	assert_string_equal(l->name, name);
	assert_int_equal(l->dpa, dpa);
	assert_int_equal(l->rawsize, rawsize);
	assert_string_equal(fm_label_use_name(fm_label_use_of(l->abstraction_guid)),
			    fm_label_use_name(use));
	assert_int_equal(l->flags, 0);
}

/* The numbers are those of ndctl's listing beside the area. */
static void the_labels_of_one_dimm_are_those_that_ndctl_lists(void **state)
{
	char path[300];
	struct fm_label_area *area;
	const struct fm_label_info *info;
	size_t len;

	UNIT_VECTOR(path, "nvdimm/v12-128k.bin.gz");
	area = area_from(path, &len);
	info = fm_label_info(area);
	assert_int_equal(len, 128 * 1024);
	assert_int_equal(info->version, FM_LABEL_V1_2);
	assert_int_equal(info->slot_len, 256);
	assert_int_equal(info->nslot, 510);
	assert_int_equal(info->index_seq[0], 2);
	assert_int_equal(info->index_seq[1], 1);
	assert_int_equal(info->current, 0);
	assert_int_equal(info->used, 4);
	assert_label(fm_label_at(area, 0), 1, "01f56f0a-f7ba-4763-94c2-661a61043531", "fsdax-ns", 0,
		     64 * MIB, FM_LABEL_FSDAX);
	assert_label(fm_label_at(area, 1), 2, "59a54268-db56-407f-9e29-79a77dcd573c", "sector-ns",
		     64 * MIB, 64 * MIB, FM_LABEL_SECTOR);
	assert_int_equal(fm_label_at(area, 1)->lbasize, 4096);
	assert_label(fm_label_at(area, 2), 3, "5a328725-5d7b-435d-b897-5187647f91cc", "devdax-ns",
		     128 * MIB, 64 * MIB, FM_LABEL_DEVDAX);
	assert_label(fm_label_at(area, 3), 4, "476d5474-7318-40f5-a339-e536f3e6eb5a", "raw-ns",
		     192 * MIB, 32 * MIB, FM_LABEL_RAW);
	assert_null(fm_label_at(area, 4));
	assert_null(fm_label_finding(area, 0));
	assert_int_equal(fm_label_at(area, 0)->isetcookie, UINT64_C(0xba90120012b4dc));
	assert_same_bytes(area);
	fm_label_free(area);
}

static void an_interleave_set_is_gathered_from_two_dimms(void **state)
{
	const struct fm_label_mapping dimms[2] = {
		{ .region_offset = 0x1000,
		  .serial = 0xcafe0002,
		  .vendor = 0x8086,
		  .mfg_date = 0x2622,
		  .mfg_loc = 7 },
		{ .region_offset = 0,
		  .serial = 0xcafe0001,
		  .vendor = 0x8086,
		  .mfg_date = 0x2622,
		  .mfg_loc = 7 },
	};
	struct fm_label_area *areas[2];
	struct fm_label_set sets[2];
	char path[300];
	size_t len;

	UNIT_VECTOR(path, "nvdimm/ilv2-dimm1-4k.bin");
	areas[1] = area_from(path, &len);
	UNIT_VECTOR(path, "nvdimm/ilv2-dimm0-4k.bin");
	areas[0] = area_from(path, &len);
	assert_int_equal(fm_label_info(areas[0])->nslot, 14);
	assert_same_bytes(areas[0]);
	assert_int_equal(fm_label_gather((const struct fm_label_area *const *)areas, 2, sets, 2),
			 1);
	assert_true(sets[0].complete);
	assert_int_equal(sets[0].size, 64 * MIB);
	assert_int_equal(sets[0].first->position, 0);
	assert_label(sets[0].first, 1, "f6d323f6-ad68-4090-9121-f4ab49c5628d", "ilv-raw", 0,
		     32 * MIB, FM_LABEL_RAW);
	assert_int_equal(fm_label_cookie(FM_LABEL_V1_2, dimms, 2), sets[0].first->isetcookie);
	/* One DIMM alone has no namespace. */
	fm_label_gather((const struct fm_label_area *const *)areas, 1, sets, 2);
	assert_false(sets[0].complete);
	fm_label_free(areas[0]);
	fm_label_free(areas[1]);
}

static void a_blank_area_has_no_index(void **state)
{
	struct fm_label_area *area;
	char path[300];
	size_t len;

	UNIT_VECTOR(path, "nvdimm/blank-unarmed-128k.bin.gz");
	area = area_from(path, &len);
	assert_int_equal(fm_label_info(area)->current, -1);
	assert_null(fm_label_at(area, 0));
	assert_int_equal(fm_label_finding(area, 0)->kind, FM_LABEL_NO_INDEX);
	fm_label_free(area);
}

/*
 * What Linux wrote for its first namespace in an initialised area, and what we do: the first line of each
 * step in its recorded order of writes.
 */
static void the_order_of_writes_is_that_of_linux(void **state)
{
	static struct memory m;
	static const uint64_t linux_v12[] = { 0x200, 0x100, 0x300, 0x000 };

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 0, "n", FM_LABEL_V1_2);
	assert_string_equal(m.log, "wswswsws");
	assert_int_equal(m.writes, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(m.offs[i], linux_v12[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_labels_of_one_dimm_are_those_that_ndctl_lists),
		cmocka_unit_test(an_interleave_set_is_gathered_from_two_dimms),
		cmocka_unit_test(a_blank_area_has_no_index),
		cmocka_unit_test(the_order_of_writes_is_that_of_linux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
