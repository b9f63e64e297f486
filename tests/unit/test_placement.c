/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/rng.h"
#include "tests/unit/unit.h"

#include <firmem/image.h>

#define MAX 64u

struct seen {
	size_t count;
	size_t outside; /* indices out of order or out of range */
	uint8_t told[MAX][MAX];
};

static void note(void *ctx, size_t first, size_t second)
{
	struct seen *seen = ctx;

	seen->count++;
	if (first >= second || second >= MAX)
		seen->outside++;
	else
		seen->told[first][second]++;
}

static void placements_that_touch_do_not_overlap(void **state)
{
	const struct fm_placement items[] = {
		{ "b", 0x2000, 0x1000 },
		{ "a", 0x1000, 0x1000 },
		{ "c", 0x3000, 1 },
	};
	struct seen seen = { 0 };

	assert_int_equal(fm_placement_check(items, 3, note, &seen, NULL), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(fm_placement_check(items, 0, note, &seen, NULL), 0);
	assert_int_equal(fm_placement_check(NULL, 0, NULL, NULL, NULL), 0);
}

static void every_pair_is_told_not_only_neighbours(void **state)
{
	/* One that covers all, two inside of it, one behind that overlaps only the last. */
	const struct fm_placement items[] = {
		{ "rom", 0x0000, 0x10000 },
		{ "dtb", 0x1000, 0x100 },
		{ "initrd", 0x8000, 0x8000 },
		{ "kernel", 0xffff, 2 },
	};
	struct seen seen = { 0 };

	assert_int_equal(fm_placement_check(items, 4, note, &seen, NULL), 4);
	assert_int_equal(seen.told[0][1], 1);
	assert_int_equal(seen.told[0][2], 1);
	assert_int_equal(seen.told[0][3], 1);
	assert_int_equal(seen.told[2][3], 1);
	assert_int_equal(seen.count, 4);
}

static void placements_at_the_same_address_overlap(void **state)
{
	const struct fm_placement items[] = { { "a", 5, 1 }, { "b", 5, 1 }, { "c", 5, 1 } };

	assert_int_equal(fm_placement_check(items, 3, NULL, NULL, NULL), 3);
}

static void no_bytes_overlap_nothing(void **state)
{
	const struct fm_placement items[] = { { "a", 0, 100 },
					      { "b", 50, 0 },
					      { "c", UINT64_MAX, 0 } };

	assert_int_equal(fm_placement_check(items, 3, NULL, NULL, NULL), 0);
}

static void a_placement_may_end_at_2_to_64_but_not_wrap(void **state)
{
	struct fm_placement items[] = { { "low", 0, 1 }, { "high", UINT64_MAX - 9, 10 } };
	struct seen seen = { 0 };
	struct fm_error err = { 0 };

	assert_int_equal(fm_placement_check(items, 2, note, &seen, NULL), 0);
	items[0] = (struct fm_placement){ "last", UINT64_MAX, 1 };
	assert_int_equal(fm_placement_check(items, 2, note, &seen, NULL), 1);
	items[1].len = 11;
	assert_int_equal(fm_placement_check(items, 2, note, &seen, &err), FM_ERR_RANGE);
	assert_non_null(strstr(err.msg, "high"));
	assert_non_null(strstr(err.msg, "0xfffffffffffffff6"));
	assert_int_equal(seen.count, 1);
}

static void random_placements_agree_with_looking_at_every_pair(void **state)
{
	struct rng rng = { 1 };

	for (int round = 0; round < 2000; round++) {
		struct fm_placement items[MAX];
		struct seen seen = { 0 };
		size_t count = rng_below(&rng, MAX + 1);
		unsigned space = 16u << rng_below(&rng, 12);
		int64_t pairs = 0;

		for (size_t i = 0; i < count; i++)
			items[i] = (struct fm_placement){ "x", rng_below(&rng, space),
							  rng_below(&rng, 64) };
		for (size_t b = 0; b < count; b++) {
			for (size_t a = 0; a < b; a++)
				pairs += items[a].len && items[b].len &&
					 items[a].addr < items[b].addr + items[b].len &&
					 items[b].addr < items[a].addr + items[a].len;
		}
		assert_int_equal(fm_placement_check(items, count, note, &seen, NULL), pairs);
		assert_int_equal(seen.count, pairs);
		assert_int_equal(seen.outside, 0);
		for (size_t b = 0; b < count; b++) {
			for (size_t a = 0; a < b; a++)
				assert_true(seen.told[a][b] <= 1);
		}
	}
}

static void many_that_do_not_overlap_are_not_compared_pairwise(void **state)
{
	/* Pairwise this would be 10^12 steps: the test would time out. */
	const size_t count = 1000000;
	struct fm_placement *items = calloc(count, sizeof(*items));
	struct rng rng = { 2 };

	for (size_t i = 0; i < count; i++)
		items[i] = (struct fm_placement){ "x", i * 0x1000, 0x1000 };
	for (size_t i = count - 1; i > 0; i--) {
		size_t n = rng_below(&rng, (unsigned)i + 1);
		struct fm_placement swap = items[i];

		items[i] = items[n];
		items[n] = swap;
	}
	assert_int_equal(fm_placement_check(items, count, NULL, NULL, NULL), 0);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placements_that_touch_do_not_overlap),
		cmocka_unit_test(every_pair_is_told_not_only_neighbours),
		cmocka_unit_test(placements_at_the_same_address_overlap),
		cmocka_unit_test(no_bytes_overlap_nothing),
		cmocka_unit_test(a_placement_may_end_at_2_to_64_but_not_wrap),
		cmocka_unit_test(random_placements_agree_with_looking_at_every_pair),
		cmocka_unit_test(many_that_do_not_overlap_are_not_compared_pairwise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
