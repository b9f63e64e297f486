/* SPDX-License-Identifier: BSD-2-Clause */
#include "powercut/store_model.h"
#include "tests/unit/unit.h"

#define LEN 1024u

static const uint8_t zero[LEN];
static const uint8_t ones[64] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

/* Images that a crash can leave, and of some: the first bytes of two words. */
struct seen {
	uint64_t count;
	bool pairs[4][4]; /* [byte at a][byte at b] */
	size_t a, b;
};

static int look(void *ctx, const uint8_t *image, size_t len)
{
	struct seen *s = ctx;

	s->count++;
	if (image[s->a] < 4 && image[s->b] < 4)
		s->pairs[image[s->a]][image[s->b]] = true;
	return 0;
}

static struct seen all(struct fmi_store_model *m, size_t a, size_t b)
{
	struct seen s = { .a = a, .b = b };
	uint64_t states = 0;

	assert_int_equal(fmi_store_each(m, look, &s, &states), 0);
	assert_int_equal(states, s.count);
	return s;
}

static struct fmi_store_model *make(enum fmi_store_domain domain)
{
	struct fmi_store_model *m = fmi_store_new(domain, zero, LEN);

	assert_non_null(m);
	return m;
}

static void put(struct fmi_store_model *m, size_t off, uint8_t value)
{
	fmi_store_put(m, off, &value, 1);
}

/* --- one line ------------------------------------------------------------------------------------ */

static void stores_of_one_line_survive_in_their_order(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);
	struct seen s;

	put(m, 0, 1);
	put(m, 8, 1);
	s = all(m, 0, 8);
	assert_int_equal(s.count, 3);
	assert_true(s.pairs[0][0] && s.pairs[1][0] && s.pairs[1][1]);
	assert_false(s.pairs[0][1]);
	fmi_store_free(m);
}

static void words_of_one_wide_store_survive_in_any_order(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);
	struct seen s;

	fmi_store_put(m, 0, ones, 16);
	s = all(m, 0, 8);
	assert_int_equal(s.count, 4);
	assert_true(s.pairs[0][1] && s.pairs[1][0]);
	fmi_store_free(m);
}

static void lines_survive_independently(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);
	struct seen s;

	put(m, 0, 1);
	put(m, 0, 2);
	put(m, 64, 1);
	s = all(m, 0, 64);
	assert_int_equal(s.count, 3 * 2);
	assert_true(s.pairs[0][1] && s.pairs[2][0] && s.pairs[2][1]);
	fmi_store_free(m);
}

static void a_store_of_what_is_there_adds_no_image(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);

	fmi_store_put(m, 0, zero, 64);
	assert_int_equal(all(m, 0, 8).count, 1);
	fmi_store_free(m);
}

/* --- what is durable ----------------------------------------------------------------------------- */

static void a_flush_promises_nothing_before_the_fence(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);

	put(m, 0, 1);
	fmi_store_flush(m, 0, 1);
	assert_int_equal(all(m, 0, 8).count, 2);
	put(m, 8, 1); /* behind the flush: not durable by the fence */
	fmi_store_fence(m);
	assert_int_equal(all(m, 0, 8).count, 2);
	assert_false(all(m, 0, 8).pairs[0][0]);
	fmi_store_free(m);
}

static void a_fence_without_a_flush_promises_nothing(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);

	put(m, 0, 1);
	fmi_store_fence(m);
	assert_int_equal(all(m, 0, 8).count, 2);
	fmi_store_free(m);
}

static void a_non_temporal_store_needs_only_the_fence(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);

	fmi_store_put_nt(m, 0, ones, 8);
	assert_int_equal(all(m, 0, 8).count, 2);
	fmi_store_fence(m);
	assert_int_equal(all(m, 0, 8).count, 1);
	fmi_store_free(m);
}

static void with_hints_a_fence_is_not_enough(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_HINT);

	put(m, 0, 1);
	fmi_store_flush(m, 0, 1);
	fmi_store_fence(m);
	assert_int_equal(all(m, 0, 8).count, 2);
	fmi_store_hint(m);
	assert_int_equal(all(m, 0, 8).count, 2);
	fmi_store_fence(m);
	assert_int_equal(all(m, 0, 8).count, 1);
	assert_true(all(m, 0, 8).pairs[1][0]);
	fmi_store_free(m);
}

static void with_durable_caches_stores_survive_in_one_order(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_EADR);
	struct seen s;

	put(m, 0, 1);
	put(m, 64, 1);
	put(m, 0, 2);
	s = all(m, 0, 64);
	assert_int_equal(s.count, 4);
	assert_true(s.pairs[0][0] && s.pairs[1][0] && s.pairs[1][1] && s.pairs[2][1]);
	fmi_store_free(m);
}

static void a_file_is_durable_by_msync_alone(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_FILE);
	struct seen s;

	put(m, 0, 1);
	put(m, 512, 1);
	fmi_store_flush(m, 0, 1);
	fmi_store_fence(m);
	s = all(m, 0, 512);
	assert_int_equal(s.count, 4);
	assert_true(s.pairs[0][1] && s.pairs[1][0]);
	fmi_store_msync(m, 0, 1);
	assert_int_equal(all(m, 0, 512).count, 2);
	fmi_store_free(m);
}

struct gray {
	uint8_t seen[64][LEN];
	size_t count;
};

static int keep(void *ctx, const uint8_t *image, size_t len)
{
	struct gray *g = ctx;
	unsigned lines = 0;

	assert_true(g->count < 64);
	memcpy(g->seen[g->count], image, len);
	for (size_t i = 0; g->count && i < len; i += 64)
		lines += !!memcmp(image + i, g->seen[g->count - 1] + i, 64);
	assert_int_equal(lines, g->count ? 1 : 0);
	for (size_t i = 0; i < g->count; i++)
		assert_memory_not_equal(g->seen[i], image, len);
	g->count++;
	return 0;
}

static void images_come_once_and_change_one_line_at_a_time(void **state)
{
	static struct gray g;
	struct fmi_store_model *m = make(FMI_STORE_ADR);
	uint64_t states = 0;

	for (size_t line = 0; line < 3; line++) {
		for (uint8_t i = 1; i < 4; i++)
			put(m, line * 64, i);
	}
	assert_int_equal(fmi_store_each(m, keep, &g, &states), 0);
	assert_int_equal(states, 4 * 4 * 4);
	fmi_store_free(m);
}

static int refuse_second(void *ctx, const uint8_t *image, size_t len)
{
	return ++*(int *)ctx == 2 ? 7 : 0;
}

static void the_walk_ends_where_the_checker_says_so(void **state)
{
	struct fmi_store_model *m = make(FMI_STORE_ADR);
	uint64_t states = 0;
	int calls = 0;

	fmi_store_put(m, 0, ones, 16);
	assert_int_equal(fmi_store_each(m, refuse_second, &calls, &states), 7);
	assert_int_equal(calls, 2);
	fmi_store_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_of_one_line_survive_in_their_order),
		cmocka_unit_test(words_of_one_wide_store_survive_in_any_order),
		cmocka_unit_test(lines_survive_independently),
		cmocka_unit_test(a_store_of_what_is_there_adds_no_image),
		cmocka_unit_test(a_flush_promises_nothing_before_the_fence),
		cmocka_unit_test(a_fence_without_a_flush_promises_nothing),
		cmocka_unit_test(a_non_temporal_store_needs_only_the_fence),
		cmocka_unit_test(with_hints_a_fence_is_not_enough),
		cmocka_unit_test(with_durable_caches_stores_survive_in_one_order),
		cmocka_unit_test(a_file_is_durable_by_msync_alone),
		cmocka_unit_test(images_come_once_and_change_one_line_at_a_time),
		cmocka_unit_test(the_walk_ends_where_the_checker_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
