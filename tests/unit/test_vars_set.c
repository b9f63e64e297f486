/* SPDX-License-Identifier: BSD-2-Clause */
/* Variables set and deleted through a flash bank, and what a cut at any point leaves. */
#include "tests/unit/bank.h"
#include "tests/unit/rng.h"
#include "tests/unit/vars_unit.h"

#include <firmem/medium.h>

#define MOST_OPS 4096u

/* A bank with a store of the tiny layout in it, and the operations that changed it. */
struct store {
	struct bank bank;
	struct vars_build build;
	uint8_t before[0x4000];
	struct fm_medium_sub sub;
	struct {
		uint64_t off;
		unsigned len;
		uint8_t data[8];
	} ops[MOST_OPS];
	size_t count;
};

static unsigned note(void *ctx, const struct fm_medium_op *op)
{
	struct store *s = ctx;

	/* Nothing but programs, each of a word at most. */
	assert_int_equal(op->kind, FM_MEDIUM_PROGRAM);
	assert_true(op->len <= 8 && s->count < MOST_OPS);
	s->ops[s->count].off = op->off;
	s->ops[s->count].len = (unsigned)op->len;
	memcpy(s->ops[s->count++].data, op->data, op->len);
	return 0;
}

static struct store *store_new(unsigned bank_width, unsigned chip_width, bool plain)
{
	struct store *s = calloc(1, sizeof(*s));
	struct fm_flash_config cfg = bank_config();

	cfg.bank_width = bank_width;
	cfg.chip_width = chip_width;
	cfg.regions[0] = (struct fm_flash_region){ 0x1000, 4 };
	cfg.nregions = 1;
	bank_init(&s->bank, 0x4000, cfg);
	s->build = VARS_BUILD_TINY;
	s->build.plain = plain;
	vars_build_init(&s->build, s->bank.array);
	s->sub = (struct fm_medium_sub){ .op = note, .ctx = s };
	fm_dev_subscribe(s->bank.dev, &s->sub);
	return s;
}

static void store_free(struct store *s)
{
	bank_exit(&s->bank);
	free(s);
}

/* From here on the operations count. */
static void store_mark(struct store *s)
{
	memcpy(s->before, s->bank.array, sizeof(s->before));
	s->count = 0;
}

static struct fm_vars_value value_of(const char *name, const void *data, size_t len)
{
	struct fm_vars_value value = {
		.struct_size = sizeof(value), .name = name, .data = data, .len = len
	};

	memcpy(value.guid, vars_guid_a, 16);
	return value;
}

static int set(struct store *s, const char *name, const void *data, size_t len)
{
	struct fm_vars_value value = value_of(name, data, len);
	struct fm_error err = { 0 };
	int rc = fm_vars_set(s->bank.dev, &value, 1, &err);

	assert_int_equal(rc, err.code);
	assert_true(mapped(&s->bank));
	return rc;
}

static struct fm_vars *store_vars(struct store *s)
{
	return vars_of(s->bank.array, s->bank.len);
}

static void store_holds(struct store *s, const char *name, const void *data, size_t len)
{
	struct fm_vars *vars = store_vars(s);

	vars_expect_value(vars, vars_guid_a, name, data, len);
	fm_vars_free(vars);
}

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
		assert_int_equal(set(s, "one", "12345", 5), 0);
		/* Padding stays erased. */
		assert_memory_equal(s->bank.array, expected, sizeof(expected));
		vars_build_add(&b, 0x3f, vars_guid_a, "one", "1234", 4);
		expected[0x66] = 0x3c;
		assert_int_equal(set(s, "one", "1234", 4), 0);
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

	assert_int_equal(set(s, "v", "old", 3), 0);
	store_mark(s);
	assert_int_equal(set(s, "v", "new", 3), 0);
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
	struct fm_vars_value value = value_of("v", "old", 3);

	assert_int_equal(set(s, "v", "old", 3), 0);
	store_mark(s);
	assert_int_equal(set(s, "v", "old", 3), 0);
	value.attributes = 7;
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), 0);
	assert_int_equal(s->count, 0);
	/* Other attributes are another value; 0 are those that are there. */
	value.attributes = 3;
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), 0);
	assert_true(s->count > 0);
	store_mark(s);
	assert_int_equal(set(s, "v", "old", 3), 0);
	assert_int_equal(s->count, 0);
	store_free(s);
}

static void time_and_key_of_a_variable_are_kept_unless_a_time_is_given(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_vars_value value = value_of("v", "3", 1);
	const struct fm_vars_record *r;
	struct fm_vars *vars;
	uint32_t off = vars_build_add(&s->build, 0x3f, vars_guid_a, "v", "1", 1);

	vars_put(s->bank.array + off + 8, 8, 0x1122);
	memcpy(s->bank.array + off + 16, "0123456789abcdef", 16);
	vars_put(s->bank.array + off + 32, 4, 0x33);
	assert_int_equal(set(s, "v", "2", 1), 0);
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
	store_free(s);
}

static void names_of_any_script_come_back(void **state)
{
	static const char name[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
	struct store *s = store_new(1, 1, false);

	assert_int_equal(set(s, name, "x", 1), 0);
	store_holds(s, name, "x", 1);
	assert_int_equal(set(s, name, "y", 1), 0);
	store_holds(s, name, "y", 1);
	assert_int_equal(fm_vars_delete(s->bank.dev, name, vars_guid_a, NULL), 0);
	store_free(s);
}

static void a_variable_that_is_deleted_is_gone_by_one_bit(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_error err;

	assert_int_equal(set(s, "v", "1", 1), 0);
	assert_int_equal(set(s, "w", "2", 1), 0);
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
				assert_int_equal(set(s, "v", "new", 3), 0);
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
	assert_int_equal(set(s, "v", "newer", 5), 0);
	store_holds(s, "v", "newer", 5);
	store_free(s);
}

/* --- cuts -------------------------------------------------------------------------------------- */

/* What the store may be, by the values of "v": NULL is absent. Others must be there. */
static void expect_one_of(const uint8_t *bytes, const char *old, const char *new)
{
	struct fm_vars *vars = vars_of(bytes, 0x4000);
	const struct fm_vars_record *r = fm_vars_find(vars, "v", vars_guid_a);
	enum fm_vars_verdict verdict = fm_vars_info(vars)->verdict;
	const char *now = r ? (const char *)r->data : NULL;

	assert_true(verdict == FM_VARS_CLEAN || verdict == FM_VARS_UPDATE_TORN);
	assert_true((!now && (!old || !new)) ||
		    (now && old && r->data_len == strlen(old) && !memcmp(now, old, r->data_len)) ||
		    (now && new && r->data_len == strlen(new) && !memcmp(now, new, r->data_len)));
	vars_expect_value(vars, vars_guid_a, "before", "1", 1);
	vars_expect_value(vars, vars_guid_b, "v", "2", 1);
	fm_vars_free(vars);
}

/* Every prefix of the operations, and in each of them subsets of the bits that it clears. */
static size_t cut_everywhere(const struct store *s, const char *old, const char *new)
{
	static uint8_t bytes[0x4000];
	struct rng rng = { 1 };
	size_t states = 0;

	memcpy(bytes, s->before, sizeof(bytes));
	for (size_t i = 0; i < s->count; i++) {
		uint8_t *p = bytes + s->ops[i].off;
		unsigned len = s->ops[i].len;
		uint8_t was[8];

		memcpy(was, p, len);
		/* All subsets of one byte's; of a wider word as many at random. */
		for (unsigned subset = 0; subset < 256; subset++) {
			for (unsigned k = 0; k < len; k++) {
				uint8_t left = len == 1 ? (uint8_t)subset : (uint8_t)rng_next(&rng);

				p[k] = s->ops[i].data[k] | (was[k] & left);
			}
			expect_one_of(bytes, old, new);
			states++;
		}
		memcpy(p, s->ops[i].data, len);
		expect_one_of(bytes, old, new);
	}
	assert_memory_equal(bytes, s->bank.array, sizeof(bytes));
	return states;
}

static struct store *store_to_cut(unsigned bank_width, unsigned chip_width)
{
	struct store *s = store_new(bank_width, chip_width, false);

	vars_build_add(&s->build, 0x3f, vars_guid_a, "before", "1", 1);
	vars_build_add(&s->build, 0x3f, vars_guid_b, "v", "2", 1);
	return s;
}

static void every_cut_leaves_the_old_value_or_the_new(void **state)
{
	static const struct {
		unsigned bank, chip;
	} widths[] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 4, 1 }, { 4, 2 }, { 8, 2 } };
	size_t states = 0;

	for (unsigned i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		struct store *s = store_to_cut(widths[i].bank, widths[i].chip);

		store_mark(s);
		assert_int_equal(set(s, "v", "old", 3), 0);
		states += cut_everywhere(s, NULL, "old");
		store_mark(s);
		assert_int_equal(set(s, "v", "newer", 5), 0);
		states += cut_everywhere(s, "old", "newer");
		store_mark(s);
		assert_int_equal(fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), 0);
		states += cut_everywhere(s, "newer", NULL);
		store_free(s);
	}
	print_message("%zu states\n", states);
	assert_true(states > 50000);
}

static void every_cut_among_hidden_records_leaves_the_old_value_or_the_new(void **state)
{
	static const uint8_t states[][2] = {
		{ 0x3e, 0x3f }, { 0x3f, 0x3f }, { 0x3f, 0x3e }, { 0x3e, 0x3e }
	};

	for (unsigned i = 0; i < 4; i++) {
		for (unsigned remove = 0; remove < 2; remove++) {
			struct store *s = store_to_cut(1, 1);
			const char *old = i == 1 || i == 2 ? "first" : "second";

			vars_build_add(&s->build, states[i][0], vars_guid_a, "v", "first", 5);
			vars_build_add(&s->build, states[i][1], vars_guid_a, "v", "second", 6);
			store_mark(s);
			if (remove)
				assert_int_equal(
					fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), 0);
			else
				assert_int_equal(set(s, "v", "new", 3), 0);
			cut_everywhere(s, old, remove ? NULL : "new");
			store_free(s);
		}
	}
}

/* --- several ----------------------------------------------------------------------------------- */

static void several_values_are_set_or_none(void **state)
{
	struct store *s = store_new(1, 1, false);
	uint8_t big[0x800] = { 1 };
	struct fm_vars_value values[3] = { value_of("a", "1", 1), value_of("b", big, sizeof(big)),
					   value_of("c", big, sizeof(big)) };
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
	struct fm_vars_value value = value_of("v", "12345", 5);

	vars_build_add(&s->build, 0x3d, vars_guid_a, "u", "1234", 4);
	assert_int_equal(set(s, "w", data, sizeof(data)), 0);
	store_mark(s);
	assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, &err), FM_ERR_NOSPACE);
	assert_non_null(strstr(err.msg, "72 bytes are needed, 64 are free, 68 are stale"));
	assert_int_equal(s->count, 0);
	/* Its last bytes can be used. */
	assert_int_equal(fm_vars_delete(s->bank.dev, "w", vars_guid_a, NULL), 0);
	store_free(s);
	s = store_new(1, 1, false);
	assert_int_equal(set(s, "w", data, sizeof(data)), 0);
	assert_int_equal(set(s, "v", data, 68), 0);
	store_holds(s, "v", data, 68);
	assert_int_equal(set(s, "x", data, 1), FM_ERR_NOSPACE);
	store_free(s);
}

static void values_that_cannot_be_are_refused(void **state)
{
	static const uint32_t attributes[] = { 2, 6, 5, 0x47, 0x80000007, 0x107 };
	struct store *s = store_new(1, 1, false);
	struct fm_vars_value value = value_of("v", "1", 1);

	store_mark(s);
	for (unsigned i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		value.attributes = attributes[i];
		assert_int_equal(fm_vars_set(s->bank.dev, &value, 1, NULL), FM_ERR_ARG);
	}
	assert_int_equal(set(s, "", "1", 1), FM_ERR_ARG);
	assert_int_equal(set(s, NULL, "1", 1), FM_ERR_ARG);
	assert_int_equal(set(s, "\xff", "1", 1), FM_ERR_ARG);
	assert_int_equal(set(s, "\xc0\x80", "1", 1), FM_ERR_ARG);
	assert_int_equal(set(s, "\xed\xa0\x80", "1", 1), FM_ERR_ARG);
	assert_int_equal(set(s, "\xe2\x82", "1", 1), FM_ERR_ARG);
	assert_int_equal(set(s, "v", "1", 0), FM_ERR_ARG);
	assert_int_equal(set(s, "v", NULL, 1), FM_ERR_ARG);
	value = value_of("v", "1", 1);
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
	assert_int_equal(set(s, "v", "2", 1), FM_ERR_STATE);
	assert_int_equal(fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), FM_ERR_STATE);
	s->bank.array[0x28] = 0;
	assert_int_equal(set(s, "v", "2", 1), FM_ERR_STATE);
	memset(s->bank.array, 0xff, s->bank.len);
	assert_int_equal(set(s, "v", "2", 1), FM_ERR_FORMAT);
	assert_int_equal(s->count, 0);
	store_free(s);
}

static void flash_that_is_not_erased_is_not_appended_to(void **state)
{
	struct store *s = store_new(1, 1, false);

	s->bank.array[0x64 + 72] = 0xfe;
	assert_int_equal(set(s, "v", "12345678", 8), 0);
	assert_int_equal(set(s, "w", "12345678", 8), FM_ERR_STATE);
	store_holds(s, "v", "12345678", 8);
	store_free(s);
	s = store_new(1, 1, false);
	s->bank.array[0x64 + 71] = 0xfe;
	assert_int_equal(set(s, "v", "12345678", 8), FM_ERR_STATE);
	store_free(s);
}

static void a_locked_block_is_an_error_and_leaves_the_old_value(void **state)
{
	struct store *s = store_new(1, 1, false);
	struct fm_error err;
	struct fm_vars_value value = value_of("v", "2", 1);

	assert_int_equal(set(s, "v", "1", 1), 0);
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
	struct fm_vars_value value = value_of("v", "2", 1);
	struct bank b;

	cfg.set = FM_FLASH_AMD;
	bank_init(&b, 512 * KIB, cfg);
	assert_int_equal(fm_vars_set(b.dev, &value, 1, NULL), FM_ERR_UNSUPPORTED);
	assert_int_equal(fm_vars_delete(b.dev, "v", vars_guid_a, NULL), FM_ERR_UNSUPPORTED);
	bank_exit(&b);
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
		cmocka_unit_test(every_cut_leaves_the_old_value_or_the_new),
		cmocka_unit_test(every_cut_among_hidden_records_leaves_the_old_value_or_the_new),
		cmocka_unit_test(several_values_are_set_or_none),
		cmocka_unit_test(a_full_store_says_what_is_needed_free_and_stale),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(a_store_that_needs_a_rescue_is_not_changed),
		cmocka_unit_test(flash_that_is_not_erased_is_not_appended_to),
		cmocka_unit_test(a_locked_block_is_an_error_and_leaves_the_old_value),
		cmocka_unit_test(a_bank_of_another_kind_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
