/* SPDX-License-Identifier: BSD-2-Clause */
/* Areas with as many labels as a large one has: what looks at each for each would not end in this test's time. */
#include "tests/unit/label_unit.h"

#include "nvdimm/label_private.h"

#define COUNT 262144u

/* Slots 0 to COUNT - 1, as `fill` has them. */
static struct fm_label_area *make(void (*fill)(struct fm_label *l, uint32_t n), uint32_t salt)
{
	size_t len = (COUNT + 16) * (size_t)256 + COUNT / 4;
	uint8_t *bytes = calloc(1, len);
	struct fmi_label_shape s;
	struct fm_label_area *area;

	assert_non_null(bytes);
	assert_true(fmi_label_shape(len, 256, &s));
	assert_true(s.nslot > COUNT);
	fmi_index_blank(bytes, &s, FM_LABEL_V1_2);
	for (uint32_t n = 0; n < COUNT; n++) {
		struct fm_label l = { .nlabel = 1, .lbasize = 512, .rawsize = 4096 };

		l.uuid[0] = 1;
		fill(&l, n ^ salt);
		l.named_slot = n;
		fm_label_encode(&l, 256, bytes + 2 * s.index_len + (uint64_t)n * 256);
		fmi_index_set_free(bytes, n, false);
	}
	fmi_index_seal(bytes, &s, 0, 1);
	assert_int_equal(fm_label_parse(&area, bytes, len, 0, NULL), 0);
	assert_int_equal(fm_label_info(area)->used, COUNT);
	free(bytes);
	return area;
}

static void put_number(uint8_t uuid[16], uint32_t n)
{
	memcpy(uuid + 4, &n, sizeof(n));
}

/* Each a namespace, one page behind another, the last in the DIMM first. */
static void alone(struct fm_label *l, uint32_t n)
{
	put_number(l->uuid, n);
	l->dpa = (uint64_t)(COUNT - 1 - n) * 4096;
}

/* Every second page: with the same one page on, all. */
static void even(struct fm_label *l, uint32_t n)
{
	put_number(l->uuid, n);
	l->dpa = (uint64_t)n * 8192;
}

static void odd(struct fm_label *l, uint32_t n)
{
	even(l, n);
	l->dpa += 4096;
}

/* Few namespaces, of so many positions as there can be. */
static void crowd(struct fm_label *l, uint32_t n)
{
	l->nlabel = UINT16_MAX;
	l->position = (uint16_t)(n % UINT16_MAX);
	put_number(l->uuid, n / UINT16_MAX);
	l->dpa = (uint64_t)n * 4096;
}

static void namespaces_are_gathered(void **state)
{
	struct fm_label_set *sets = calloc(COUNT, sizeof(*sets));
	struct fm_label_area *area = make(alone, 0x155);
	size_t wrong = 0;

	assert_non_null(sets);
	assert_int_equal(
		fm_label_gather((const struct fm_label_area *const *)&area, 1, sets, COUNT), COUNT);
	/* In the order they are found. */
	for (uint32_t n = 0; n < COUNT; n++)
		wrong += sets[n].first->slot != n || !sets[n].complete;
	assert_int_equal(wrong, 0);
	fm_label_free(area);
	area = make(crowd, 0);
	assert_int_equal(
		fm_label_gather((const struct fm_label_area *const *)&area, 1, sets, COUNT),
		COUNT / UINT16_MAX + 1);
	assert_int_equal(sets[0].found, UINT16_MAX);
	assert_true(sets[0].complete);
	assert_int_equal(sets[1].first->slot, UINT16_MAX);
	assert_int_equal(sets[4].found, COUNT % UINT16_MAX);
	assert_false(sets[4].complete);
	fm_label_free(area);
	free(sets);
}

static void free_bytes_are_found_behind_all(void **state)
{
	struct fm_label_area *area = make(alone, 0);
	uint64_t dpa = 0;

	assert_int_equal(fm_label_find_dpa(area, 0, UINT64_MAX, 4096, 4096, &dpa, NULL), 0);
	assert_int_equal(dpa, (uint64_t)COUNT * 4096);
	fm_label_free(area);
}

static void bytes_are_free_in_all_areas(void **state)
{
	struct fm_label_area *areas[2] = { make(even, 0), make(odd, 0) };
	uint64_t dpa = 0;

	assert_int_equal(fm_label_find_dpa_in_all((const struct fm_label_area *const *)areas, 2, 0,
						  UINT64_MAX, 4096, 4096, &dpa, NULL),
			 0);
	assert_int_equal(dpa, (uint64_t)COUNT * 8192);
	assert_int_equal(fm_label_find_dpa_in_all((const struct fm_label_area *const *)areas, 2, 0,
						  (uint64_t)COUNT * 8192, 4096, 4096, &dpa, NULL),
			 FM_ERR_NOSPACE);
	/* Of each alone the next page is. */
	assert_int_equal(fm_label_find_dpa(areas[0], 0, UINT64_MAX, 4096, 4096, &dpa, NULL), 0);
	assert_int_equal(dpa, 4096);
	fm_label_free(areas[0]);
	fm_label_free(areas[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(namespaces_are_gathered),
		cmocka_unit_test(free_bytes_are_found_behind_all),
		cmocka_unit_test(bytes_are_free_in_all_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
