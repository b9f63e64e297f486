/* SPDX-License-Identifier: BSD-2-Clause */
/* Variables set and deleted through a flash bank: what is written, and what is refused. */
#include "tests/unit/vars_store.h"

/* --- what is written ----------------------------------------------------------------------------- */

static void a_value_that_is_set_is_what_the_firmware_would_have_written(void **state)
{
	for (unsigned plain = 0; plain < 2; plain++) {
		struct store *s = store_new(1, 1, plain);
		uint8_t expected[0x4000];
		struct vars_build b = s->build;

		memcpy(expected, s->bank.array, sizeof(expected));
		b.bytes = expected;
		vars_build_add(&b, 0x3f, vars_guid_a, "one", "12345", 5);
		assert_int_equal(store_set(s, "one", "12345", 5), 0);
		/* Padding stays erased. */
		assert_memory_equal(s->bank.array, expected, sizeof(expected));
		vars_build_add(&b, 0x3f, vars_guid_a, "one", "1234", 4);
		expected[0x66] = 0x3c;
		assert_int_equal(store_set(s, "one", "1234", 4), 0);
		assert_memory_equal(s->bank.array, expected, sizeof(expected));
		assert_int_equal(vars_verdict(s->bank.array, s->bank.len), FM_VARS_CLEAN);
		store_free(s);
	}
}

/* State bytes in the order in which they are written, and what lies between. */
static void the_order_is_edk2s(void **state)
{
	struct store *s = store_new(1, 1, false);
	size_t i = 0, first;

	assert_int_equal(store_set(s, "v", "old", 3), 0);
	store_mark(s);
	assert_int_equal(store_set(s, "v", "new", 3), 0);
	assert_int_equal(s->ops[i].off, 0x66);
	assert_int_equal(s->ops[i++].data[0], 0x3e);
	first = s->ops[i].off;
	assert_int_equal(first, 0x64 + 68);
	for (; s->ops[i].off != first + 2; i++)
		assert_true(s->ops[i].off < first + 60);
	/* The header's other bytes first. */
	while (s->ops[i].off > first && s->ops[i].off < first + 60 && s->ops[i].off != first + 2)
		i++;
	assert_int_equal(s->ops[i].off, first + 2);
	assert_int_equal(s->ops[i++].data[0], 0x7f);
	for (; i < s->count - 2; i++)
		assert_true(s->ops[i].off >= first + 60);
	assert_int_equal(s->ops[i].off, first + 2);
	assert_int_equal(s->ops[i++].data[0], 0x3f);
	assert_int_equal(s->ops[i].off, 0x66);
	assert_int_equal(s->ops[i].data[0], 0x3c);
	store_free(s);
}

static void the_same_value_again_writes_nothing(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_vars_value value = store_value("v", "old", 3);

	assert_int_equal(store_set(s, "v", "old", 3), 0);
	store_mark(s);
	assert_int_equal(store_set(s, "v", "old", 3), 0);
	value.attributes = 7;
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), 0);
	assert_int_equal(s->count, 0);
	/* Other attributes are another value; 0 are those that are there. */
	value.attributes = 3;
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), 0);
	assert_true(s->count > 0);
	store_mark(s);
	assert_int_equal(store_set(s, "v", "old", 3), 0);
	assert_int_equal(s->count, 0);
	store_free(s);
}

static void time_and_key_of_a_variable_are_kept_unless_a_time_is_given(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_vars_value value = store_value("v", "3", 1);
	const struct fm_vars_record *r;
	struct fm_vars *vars;
	uint32_t off = vars_build_add(&s->build, 0x3f, vars_guid_a, "v", "1", 1);

	vars_put(s->bank.array + off + 8, 8, 0x1122);
	memcpy(s->bank.array + off + 16, "0123456789abcdef", 16);
	vars_put(s->bank.array + off + 32, 4, 0x33);
	assert_int_equal(store_set(s, "v", "2", 1), 0);
	vars = store_vars(s);
	r = fm_vars_find(vars, "v", NULL);
	assert_int_equal(r->monotonic_count, 0x1122);
	assert_memory_equal(r->time, "0123456789abcdef", 16);
	assert_int_equal(r->public_key, 0x33);
	fm_vars_free(vars);
	value.time = (const uint8_t *)"ABCDEFGHABCDEFGH";
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), 0);
	vars = store_vars(s);
	assert_memory_equal(fm_vars_find(vars, "v", NULL)->time, value.time, 16);
	fm_vars_free(vars);
	/* The time is of the value: another one is another value. */
	value.time = (const uint8_t *)"01234567ABCDEFGH";
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), 0);
	vars = store_vars(s);
	assert_memory_equal(fm_vars_find(vars, "v", NULL)->time, value.time, 16);
	fm_vars_free(vars);
	store_mark(s);
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), 0);
	assert_int_equal(s->count, 0);
	store_free(s);
}

static void names_of_any_script_come_back(void **state)
{
	static const char name[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
	struct store *s = store_new(1, 1, false);

	assert_int_equal(store_set(s, name, "x", 1), 0);
	store_holds(s, name, "x", 1);
	assert_int_equal(store_set(s, name, "y", 1), 0);
	store_holds(s, name, "y", 1);
	assert_int_equal(fm_vars_delete(s->bank.dev, name, vars_guid_a, NULL), 0);
	store_free(s);
}

static void a_variable_that_is_deleted_is_gone_by_one_bit(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_error err;

	assert_int_equal(store_set(s, "v", "1", 1), 0);
	assert_int_equal(store_set(s, "w", "2", 1), 0);
	store_mark(s);
	assert_int_equal(fm_vars_delete(s->bank.dev, "v", vars_guid_a, &err), 0);
	assert_int_equal(s->count, 1);
	assert_int_equal(s->ops[0].data[0], 0x3d);
	assert_int_equal(vars_verdict(s->bank.array, s->bank.len), FM_VARS_CLEAN);
	store_holds(s, "w", "2", 1);
	assert_int_equal(fm_vars_delete(s->bank.dev, "v", vars_guid_a, &err), FM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "11111111-2222-3333-4444-555555555555"));
	assert_int_equal(fm_vars_delete(s->bank.dev, "w", vars_guid_b, &err), FM_ERR_NOT_FOUND);
	assert_int_equal(s->count, 1);
	store_free(s);
}

/* --- what was left by a crash -------------------------------------------------------------------- */

static void what_the_live_record_hides_does_not_come_back(void **state)
{
	static const uint8_t states[][3] = {
		{ 0x3e, 0x3f, 0 },    { 0x3f, 0x3f, 0 },    { 0x3f, 0x3e, 0 },    { 0x3e, 0x3e, 0 },
		{ 0x3f, 0x3f, 0x3f }, { 0x3e, 0x3e, 0x3f }, { 0x3e, 0x3e, 0x3e }, { 0x3e, 0, 0 },
	};

	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		for (unsigned remove = 0; remove < 2; remove++) {
			struct store *s = store_new(1, 1, false);
			struct fm_vars *vars;

			for (unsigned k = 0; k < 3 && states[i][k]; k++)
				vars_build_add(&s->build, states[i][k], vars_guid_a, "v", &k, 1);
			vars_build_add(&s->build, 0x3f, vars_guid_b, "v", "other", 5);
			if (remove)
				assert_int_equal(
					fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), 0);
			else
				assert_int_equal(store_set(s, "v", "new", 3), 0);
			vars = store_vars(s);
			assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_CLEAN);
			vars_expect_value(vars, vars_guid_b, "v", "other", 5);
			if (remove)
				assert_null(fm_vars_find(vars, "v", vars_guid_a));
			else
				vars_expect_value(vars, vars_guid_a, "v", "new", 3);
			fm_vars_free(vars);
			store_free(s);
		}
	}
}

static void an_update_that_was_cut_is_followed_by_another(void **state)
{
	struct store *s = store_new(1, 1, false);
	uint32_t off;

	vars_build_add(&s->build, 0x3e, vars_guid_a, "v", "old", 3);
	/* A header whose name was not written any more. */
	off = vars_build_add(&s->build, 0xff, vars_guid_a, "v", "new", 3);
	memset(s->bank.array + off + 60, 0xff, 16);
	assert_int_equal(store_set(s, "v", "newer", 5), 0);
	store_holds(s, "v", "newer", 5);
	store_free(s);
}

/* --- several ----------------------------------------------------------------------------------- */

static void several_values_are_set_or_none(void **state)
{
	struct store *s = store_new(1, 1, false);
	uint8_t big[0x800] = { 1 };
	struct fm_vars_value values[3] = { store_value("a", "1", 1),
					   store_value("b", big, sizeof(big)),
					   store_value("c", big, sizeof(big)) };
	struct fm_error err = { 0 };

	assert_int_equal(fm_vars_set(s->bank.dev, values, 3, &err), FM_ERR_NOSPACE);
	assert_int_equal(s->count, 0);
	values[2].len = 3;
	assert_int_equal(fm_vars_set(s->bank.dev, values, 3, &err), 0);
	store_holds(s, "a", "1", 1);
	store_holds(s, "b", big, sizeof(big));
	store_holds(s, "c", big, 3);
	/* One that is wrong, wherever it stands, and nothing is changed. */
	store_mark(s);
	values[0].data = "2";
	values[2].len = 0;
	assert_int_equal(fm_vars_set(s->bank.dev, values, 3, &err), FM_ERR_ARG);
	values[2] = values[0];
	assert_int_equal(fm_vars_set(s->bank.dev, values, 3, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "twice"));
	memcpy(values[2].guid, vars_guid_b, 16);
	assert_int_equal(s->count, 0);
	assert_int_equal(fm_vars_set(s->bank.dev, values, 3, &err), 0);
	assert_int_equal(fm_vars_set(s->bank.dev, NULL, 0, &err), 0);
	store_free(s);
}

/* --- what is refused ----------------------------------------------------------------------------- */

static void a_full_store_says_what_is_needed_free_and_stale(void **state)
{
	struct store *s = store_new(1, 1, false);
	uint8_t data[0x1000 - 0x64 - 68 - 64 - 64] = { 1 };
	struct fm_error err = { 0 };
	struct fm_vars_value value = store_value("v", "12345", 5);

	vars_build_add(&s->build, 0x3d, vars_guid_a, "u", "1234", 4);
	assert_int_equal(store_set(s, "w", data, sizeof(data)), 0);
	store_mark(s);
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, &err), FM_ERR_NOSPACE);
	assert_non_null(strstr(err.msg, "72 bytes are needed, 64 are free, 68 are stale"));
	assert_int_equal(s->count, 0);
	/* Its last bytes can be used. */
	assert_int_equal(fm_vars_delete(s->bank.dev, "w", vars_guid_a, NULL), 0);
	store_free(s);
	s = store_new(1, 1, false);
	assert_int_equal(store_set(s, "w", data, sizeof(data)), 0);
	assert_int_equal(store_set(s, "v", data, 68), 0);
	store_holds(s, "v", data, 68);
	assert_int_equal(store_set(s, "x", data, 1), FM_ERR_NOSPACE);
	store_free(s);
}

static void values_that_cannot_be_are_refused(void **state)
{
	static const uint32_t attributes[] = { 2, 6, 5, 0x47, 0x80000007, 0x107 };
	struct store *s = store_new(1, 1, false);
	struct fm_vars_value value = store_value("v", "1", 1);

	store_mark(s);
	for (unsigned i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		value.attributes = attributes[i];
		assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), FM_ERR_ARG);
	}
	assert_int_equal(store_set(s, "", "1", 1), FM_ERR_ARG);
	assert_int_equal(store_set(s, NULL, "1", 1), FM_ERR_ARG);
	assert_int_equal(store_set(s, "\xff", "1", 1), FM_ERR_ARG);
	assert_int_equal(store_set(s, "\xc0\x80", "1", 1), FM_ERR_ARG);
	assert_int_equal(store_set(s, "\xed\xa0\x80", "1", 1), FM_ERR_ARG);
	assert_int_equal(store_set(s, "\xe2\x82", "1", 1), FM_ERR_ARG);
	assert_int_equal(store_set(s, "v", "1", 0), FM_ERR_ARG);
	assert_int_equal(store_set(s, "v", NULL, 1), FM_ERR_ARG);
	value = store_value("v", "1", 1);
	value.struct_size = 1;
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), FM_ERR_ARG);
	assert_int_equal(fm_vars_set(s->bank.dev, NULL, 1, NULL), FM_ERR_ARG);
	assert_int_equal(fm_vars_set(NULL, &value, 1, NULL), FM_ERR_ARG);
	assert_int_equal(fm_vars_delete(s->bank.dev, NULL, vars_guid_a, NULL), FM_ERR_ARG);
	assert_int_equal(fm_vars_delete(s->bank.dev, "v", NULL, NULL), FM_ERR_ARG);
	assert_int_equal(s->count, 0);
	store_free(s);
}

static void a_store_that_needs_a_rescue_is_not_changed(void **state)
{
	struct store *s = store_new(1, 1, false);

	vars_build_add(&s->build, 0x3f, vars_guid_a, "v", "1", 1);
	vars_build_queue(&s->build, 0xfc, 0xff);
	store_mark(s);
	assert_int_equal(store_set(s, "v", "2", 1), FM_ERR_STATE);
	assert_int_equal(fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), FM_ERR_STATE);
	s->bank.array[0x28] = 0;
	assert_int_equal(store_set(s, "v", "2", 1), FM_ERR_STATE);
	memset(s->bank.array, 0xff, s->bank.len);
	assert_int_equal(store_set(s, "v", "2", 1), FM_ERR_FORMAT);
	assert_int_equal(s->count, 0);
	store_free(s);
}

static void flash_that_is_not_erased_is_not_appended_to(void **state)
{
	struct store *s = store_new(1, 1, false);

	s->bank.array[0x64 + 72] = 0xfe;
	assert_int_equal(store_set(s, "v", "12345678", 8), 0);
	assert_int_equal(store_set(s, "w", "12345678", 8), FM_ERR_STATE);
	store_holds(s, "v", "12345678", 8);
	store_free(s);
	s = store_new(1, 1, false);
	s->bank.array[0x64 + 71] = 0xfe;
	assert_int_equal(store_set(s, "v", "12345678", 8), FM_ERR_STATE);
	store_free(s);
}

static void a_locked_block_is_an_error_and_leaves_the_old_value(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_error err;
	struct fm_vars_value value = store_value("v", "2", 1);

	assert_int_equal(store_set(s, "v", "1", 1), 0);
	wr(&s->bank, 0, 1, 0x60);
	wr(&s->bank, 0, 1, 0x01);
	wr(&s->bank, 0, 1, 0xff);
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, &err), FM_ERR_ACCESS);
	assert_non_null(strstr(err.msg, "0x66"));
	assert_true(mapped(&s->bank));
	store_holds(s, "v", "1", 1);
	assert_int_equal(vars_verdict(s->bank.array, s->bank.len), FM_VARS_CLEAN);
	store_free(s);
}

static void a_bank_of_another_kind_is_refused(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct fm_vars_value value = store_value("v", "2", 1);
	struct bank b;

	cfg.set = FM_FLASH_AMD;
	bank_init(&b, 512 * KIB, cfg);
	assert_int_equal(fm_vars_set(b.dev, &value, 1, NULL), FM_ERR_UNSUPPORTED);
	assert_int_equal(fm_vars_delete(b.dev, "v", vars_guid_a, NULL), FM_ERR_UNSUPPORTED);
	bank_exit(&b);
	cfg.set = FM_FLASH_INTEL;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	bank_init(&b, 512 * KIB, cfg);
	assert_int_equal(fm_vars_set(b.dev, &value, 1, NULL), FM_ERR_UNSUPPORTED);
	bank_exit(&b);
}

static void banks_of_all_kinds_take_values(void **state)
{
	struct fm_flash_config cfgs[4] = { bank_config(), bank_config(), bank_config(),
					   bank_config() };

	cfgs[0].big_endian = true;
	cfgs[1].secure_only = true;
	cfgs[2].set = FM_FLASH_INTEL_STANDARD;
	/* Programs store there: a word's other bytes must stay. */
	assert_int_equal(fm_flash_profile("qemu-7.2", &cfgs[3], NULL), 0);
	for (unsigned i = 0; i < 4; i++) {
		struct store *s = store_of(cfgs[i], false);

		assert_int_equal(store_set(s, "v", "1", 1), 0);
		assert_int_equal(store_set(s, "v", "23", 2), 0);
		assert_int_equal(store_set(s, "w", "3", 1), 0);
		store_holds(s, "v", "23", 2);
		store_holds(s, "w", "3", 1);
		assert_int_equal(vars_verdict(s->bank.array, s->bank.len), FM_VARS_CLEAN);
		store_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_that_is_set_is_what_the_firmware_would_have_written),
		cmocka_unit_test(the_order_is_edk2s),
		cmocka_unit_test(the_same_value_again_writes_nothing),
		cmocka_unit_test(time_and_key_of_a_variable_are_kept_unless_a_time_is_given),
		cmocka_unit_test(names_of_any_script_come_back),
		cmocka_unit_test(a_variable_that_is_deleted_is_gone_by_one_bit),
		cmocka_unit_test(what_the_live_record_hides_does_not_come_back),
		cmocka_unit_test(an_update_that_was_cut_is_followed_by_another),
		cmocka_unit_test(several_values_are_set_or_none),
		cmocka_unit_test(a_full_store_says_what_is_needed_free_and_stale),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(a_store_that_needs_a_rescue_is_not_changed),
		cmocka_unit_test(flash_that_is_not_erased_is_not_appended_to),
		cmocka_unit_test(a_locked_block_is_an_error_and_leaves_the_old_value),
		cmocka_unit_test(a_bank_of_another_kind_is_refused),
		cmocka_unit_test(banks_of_all_kinds_take_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
