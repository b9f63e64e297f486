/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of reading, rescuing and changing a store fails once. */
#include "tests/unit/nomem.h"
#include "tests/unit/vars_store.h"

static uint8_t image[0x20000];

/* A store with findings of all kinds, and a reclaim that left a spare to read. */
static void build(void)
{
	struct vars_build b = VARS_BUILD_2M, compact = VARS_BUILD_2M;
	static uint8_t other[0x20000];

	vars_build_init(&b, image);
	vars_build_init(&compact, other);
	for (unsigned i = 0; i < 100; i++) {
		char name[] = "n00";

		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		vars_build_add(&b, i % 2 ? 0x3e : 0x3f, vars_guid_a, name, &i, 4);
		vars_build_add(&compact, 0x3f, vars_guid_a, name, &i, 4);
	}
	vars_build_queue(&b, 0xfc, 0xfd);
	vars_build_spare(&b, &compact);
}

static void a_store_is_read_whole_or_not_at_all(void **state)
{
	struct fm_vars *vars = NULL;
	struct fm_error err = { 0 };

	build();
	NOMEM_EACH(fm_vars_parse(&vars, image, sizeof(image), &err), {
		assert_null(vars);
		assert_int_equal(err.code, FM_ERR_NOMEM);
		assert_non_null(strstr(err.msg, "memory"));
	});
	assert_int_equal(fm_vars_info(vars)->variables, 100);
	assert_true(nomem_failed >= 10);
	fm_vars_free(vars);
}

static void a_store_is_rescued_or_nothing_comes_out(void **state)
{
	struct fm_error err = { 0 };
	void *out = NULL;

	build();
	NOMEM_EACH(fm_vars_rescue(&out, image, sizeof(image), NULL, &err), assert_null(out));
	vars_expect(out, sizeof(image), FM_VARS_CLEAN);
	free(out);
}

static void a_value_is_set_or_the_old_one_is_there(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_vars_value values[] = { store_value("v", "new", 3), store_value("w", "1", 1) };
	struct fm_error err = { 0 };

	assert_int_equal(store_set(s, "v", "old", 3), 0);
	store_mark(s);
	NOMEM_EACH(fm_vars_set(s->bank.dev, values, 2, &err), {
		assert_true(mapped(&s->bank));
		/* What is set already when a later allocation fails is set. */
		if (!s->count)
			store_holds(s, "v", "old", 3);
		else
			store_holds(s, "v", "new", 3);
	});
	store_holds(s, "w", "1", 1);
	store_mark(s);
	NOMEM_EACH(fm_vars_delete(s->bank.dev, "v", vars_guid_a, &err),
		   store_holds(s, "v", "new", 3));
	assert_int_equal(s->count, 1);
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_store_is_rescued_or_nothing_comes_out),
		cmocka_unit_test(a_value_is_set_or_the_old_one_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
