/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/dsm_unit.h"
#include "tests/unit/rng.h"

#include <firmem/nfit.h>

/* --- DIMMs --------------------------------------------------------------------------------------- */

static void functions_are_told_and_unknown_ones_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fmi_le32(call(f, 1, 0, NULL, 0, 4)), 0x60077);
	assert_int_equal(fmi_le32(call(f, 0, 0, NULL, 0, 4)), 0x39f);
	assert_int_equal(fmi_le32(call(f, 1, 3, NULL, 0, 4)), 1);
	assert_int_equal(fmi_le32(call(f, 0, 5, NULL, 0, 4)), 1);
	assert_int_equal(fmi_le32(call(f, 1, UINT32_MAX, NULL, 0, 4)), 1);
	/* A handle that nobody has, and a revision that is none. */
	for (uint32_t function = 0; function < 20; function++) {
		assert_int_equal(fmi_le32(call(f, 3, function, NULL, 0, 4)), function ? 2 : 0);
		for (uint32_t handle = 0; handle < 3; handle++) {
			memset(f->page, 0, 12);
			fmi_put_le32(f->page, handle);
			fmi_put_le32(f->page + 8, function);
			fm_dsm_call(f->dsm, f->page);
			assert_int_equal(fmi_le32(f->page), 8);
			assert_int_equal(fmi_le32(f->page + 4), function ? 1 : 0);
		}
	}
}

static void labels_are_read_and_written_within_the_area(void **state)
{
	struct fixture *f = *state;
	const uint8_t *out = call(f, 1, 4, NULL, 0, 12);
	uint8_t arg[8 + 4] = { 0 };
	uint8_t byte = 0;

	assert_int_equal(fmi_le32(out + 4), LABELS);
	assert_int_equal(fmi_le32(out + 8), 4076);
	fmi_put_le32(arg, LABELS - 4);
	fmi_put_le32(arg + 4, 4);
	memcpy(arg + 8, "abcd", 4);
	assert_int_equal(fmi_le32(call(f, 2, 6, arg, 12, 4)), 0);
	assert_int_equal(fm_nvdimm_read_label(f->dev[1], LABELS - 1, &byte, 1, NULL), 0);
	assert_int_equal(byte, 'd');
	assert_memory_equal(call(f, 2, 5, arg, 8, 8) + 4, "abcd", 4);
	assert_memory_equal(call(f, 1, 5, arg, 8, 8) + 4, "\0\0\0\0", 4);
}

static void label_accesses_that_leave_the_area_are_invalid(void **state)
{
	static const uint32_t bad[][2] = {
		{ LABELS - 3, 4 }, { LABELS, 1 },     { UINT32_MAX, 2 },
		{ 0, 4077 },       { 0, UINT32_MAX }, { 8, UINT32_MAX - 4 },
	};
	struct fixture *f = *state;
	uint8_t before[PMEM + LABELS];

	memcpy(before, fm_block_ptr(f->block[0]), sizeof(before));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint8_t arg[100];

		memset(arg, 0xee, sizeof(arg));
		fmi_put_le32(arg, bad[i][0]);
		fmi_put_le32(arg + 4, bad[i][1]);
		assert_int_equal(fmi_le32(call(f, 1, 5, arg, 8, 4)), 3);
		assert_int_equal(fmi_le32(call(f, 1, 6, arg, sizeof(arg), 4)), 3);
	}
	assert_memory_equal(before, fm_block_ptr(f->block[0]), sizeof(before));
}

static void smart_tells_health_and_dirty_shutdowns(void **state)
{
	struct fixture *f = *state;
	uint8_t arg[19] = { 15 };
	const uint8_t *out = call(f, 2, 1, NULL, 0, 132);

	assert_int_equal(fmi_le32(out), 0);
	assert_int_equal(fmi_le32(out + 4) & (1 << 5 | 1 << 10), 1 << 5 | 1 << 10);
	assert_int_equal(out[12], 0);
	assert_int_equal(fmi_le32(out + 20), 42);
	assert_int_equal(out[35], 0);
	fm_nvdimm_poison(f->dev[1], 0, 1, NULL);
	assert_int_equal(call(f, 2, 1, NULL, 0, 132)[12], 1);
	/* Injected: a temperature, few spares, fatal, a dirty shutdown. */
	arg[8] = 1;
	fmi_put_le16(arg + 9, 300 * 16);
	arg[11] = 1;
	arg[12] = 5;
	arg[13] = 1;
	arg[14] = 1;
	assert_int_equal(fmi_le32(call(f, 2, 18, arg, sizeof(arg), 4)), 0);
	out = call(f, 2, 1, NULL, 0, 132);
	assert_int_equal(out[12], 4);
	assert_int_equal(out[13], 5);
	assert_int_equal(out[15], 3);
	assert_int_equal(fmi_le16(out + 16), 300 * 16);
	assert_int_equal(fmi_le32(out + 20), 43);
	assert_int_equal(out[35], 1);
	arg[0] = 16;
	assert_int_equal(fmi_le32(call(f, 2, 18, arg, sizeof(arg), 4)), 3);
}

static void thresholds_are_kept(void **state)
{
	const uint8_t arg[7] = { 5, 0, 20, 0x40, 1, 0x50, 2 };
	struct fixture *f = *state;

	assert_int_equal(fmi_le32(call(f, 1, 17, arg, sizeof(arg), 4)), 0);
	assert_memory_equal(call(f, 1, 2, NULL, 0, 12) + 4, arg, sizeof(arg));
	assert_int_equal(fmi_le32(call(f, 1, 17, "\xff\xff", 2, 4)), 3);
}

/* --- scrub --------------------------------------------------------------------------------------- */

static void a_scrub_finds_what_was_injected_until_it_is_cleared(void **state)
{
	struct fixture *f = *state;
	uint8_t arg[24] = { 0 };
	const uint8_t *out;

	assert_int_equal(status(f, 0, 1, BASE, PMEM), 2 << 16);
	assert_int_equal(fmi_le32(f->page + 4 + 8), 256);
	assert_int_equal(fmi_le32(call(f, 0, 3, NULL, 0, 48)), 2 << 16);
	assert_int_equal(status(f, 0, 7, BASE + PMEM + 0x200, 0x200), 0);
	fmi_put_le64(arg, BASE + PMEM);
	fmi_put_le64(arg + 8, PMEM);
	arg[16] = 2;
	assert_int_equal(fmi_le32(call(f, 0, 2, arg, sizeof(arg), 8)), 0);
	out = call(f, 0, 3, NULL, 0, 48 + 24);
	assert_int_equal(fmi_le32(out), 0);
	assert_int_equal(fmi_le32(out + 4), 72);
	assert_int_equal(fmi_le64(out + 8), BASE + PMEM);
	assert_int_equal(fmi_le64(out + 16), PMEM);
	assert_int_equal(fmi_le32(out + 44), 1);
	assert_int_equal(fmi_le32(out + 48), 2);
	assert_int_equal(fmi_le64(out + 56), BASE + PMEM + 0x200);
	assert_int_equal(fmi_le64(out + 64), 0x200);
	out = call(f, 0, 9, NULL, 0, 8 + 16);
	assert_int_equal(fmi_le64(out + 8), BASE + PMEM + 0x200);
	assert_int_equal(status(f, 0, 4, BASE + PMEM + 0x200, 0x100), 0);
	assert_int_equal(fmi_le64(f->page + 4 + 8), 0x100);
	out = call(f, 0, 3, NULL, 0, 48 + 24);
	assert_int_equal(fmi_le64(out + 56), BASE + PMEM + 0x300);
	assert_int_equal(status(f, 0, 8, BASE + PMEM, PMEM), 0);
	call(f, 0, 3, NULL, 0, 48);
	call(f, 0, 9, NULL, 0, 8);
}

static void of_more_errors_than_fit_the_scrub_says_where_it_ended(void **state)
{
	struct fixture *f = *state;
	uint8_t arg[24] = { 0 };
	uint64_t restart;
	const uint8_t *out;

	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(fm_nvdimm_poison(f->dev[0], i * 256, 1, NULL), 0);
	fmi_put_le64(arg, BASE);
	fmi_put_le64(arg + 8, PMEM);
	arg[16] = 2;
	call(f, 0, 2, arg, sizeof(arg), 8);
	out = call(f, 0, 3, NULL, 0, 48 + 128 * 24);
	assert_int_equal(out[42], 1);
	restart = fmi_le64(out + 24);
	assert_int_equal(restart, BASE + 128 * 256);
	assert_int_equal(fmi_le64(out + 16), restart - BASE);
	assert_int_equal(fmi_le64(out + 32), PMEM - 128 * 256);
	fmi_put_le64(arg, restart);
	fmi_put_le64(arg + 8, PMEM - 128 * 256);
	call(f, 0, 2, arg, sizeof(arg), 8);
	out = call(f, 0, 3, NULL, 0, 48 + 72 * 24);
	assert_int_equal(out[42], 0);
}

static void ranges_that_no_dimm_has_are_invalid(void **state)
{
	static const uint64_t bad[][2] = {
		{ 0, 1 },
		{ BASE - 1, 2 },
		{ BASE, 0 },
		{ BASE, PMEM + 1 },
		{ BASE + 2 * PMEM, 1 },
		{ UINT64_MAX, UINT64_MAX },
		{ BASE + 1, UINT64_MAX },
	};
	struct fixture *f = *state;
	struct fm_persist_span s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (uint32_t function = 1; function <= 8; function++) {
			if (function == 3 || function == 5 || function == 6)
				continue;
			assert_int_equal(status(f, 0, function, bad[i][0], bad[i][1]), 2);
		}
	}
	assert_int_equal(status(f, 0, 4, BASE + 1, 256), 2);
	assert_int_equal(status(f, 0, 4, BASE, 255), 2);
	assert_false(fm_nvdimm_media_error(f->dev[0], 0, &s));
}

static void an_interleave_set_spreads_errors_over_its_dimms(void **state)
{
	struct fixture *f = *state;
	struct fm_persist_span s;
	const uint8_t *out;

	assert_int_equal(status(f, 0, 7, BASE + 3 * LINE - 64, LINE + 128), 0);
	/* Lines 2 and 4 are the first DIMM's second and third: one run there. */
	assert_true(fm_nvdimm_media_error(f->dev[0], 0, &s) && s.off == 2 * LINE - 64 &&
		    s.len == 128);
	assert_true(fm_nvdimm_media_error(f->dev[1], 0, &s) && s.off == LINE && s.len == LINE);
	assert_false(fm_nvdimm_media_error(f->dev[0], 1, &s));
	out = call(f, 0, 9, NULL, 0, 8 + 3 * 16);
	assert_int_equal(fmi_le64(out + 8), BASE + 3 * LINE - 64);
	assert_int_equal(fmi_le64(out + 24), BASE + 3 * LINE);
	assert_int_equal(fmi_le64(out + 32), LINE);
	assert_int_equal(fmi_le64(out + 40), BASE + 4 * LINE);
	assert_int_equal(status(f, 0, 8, BASE, 2 * PMEM), 0);
	call(f, 0, 9, NULL, 0, 8);
}

/* --- _FIT ---------------------------------------------------------------------------------------- */

static void the_table_is_read_piece_by_piece_and_anew_when_it_changed(void **state)
{
	struct fixture *f = *state;
	uint8_t table[5000];
	uint8_t off[4];

	for (size_t i = 0; i < sizeof(table); i++)
		table[i] = (uint8_t)(i * 7);
	assert_int_equal(fm_dsm_set_fit(f->dsm, table, sizeof(table), NULL), 0);
	fmi_put_le32(off, 4000);
	assert_int_equal(fmi_le32(call(f, 0x10000, 1, off, 4, 4)), 0x100);
	assert_memory_equal(call(f, 0x10000, 1, NULL, 0, 4004) + 4, table, 4000);
	assert_memory_equal(call(f, 0x10000, 1, off, 4, 1004) + 4, table + 4000, 1000);
	fmi_put_le32(off, 5000);
	call(f, 0x10000, 1, off, 4, 4);
	fmi_put_le32(off, 5001);
	assert_int_equal(fmi_le32(call(f, 0x10000, 1, off, 4, 4)), 3);
	assert_int_equal(fmi_le32(call(f, 0x10000, 2, off, 4, 4)), 1);
	assert_int_equal(fmi_le32(call(f, 0x10000, 0, off, 4, 4)), 3); /* functions 0 and 1 */
}

/* --- anything ------------------------------------------------------------------------------------ */

static void whatever_is_on_the_page_memory_is_not_touched(void **state)
{
	struct fixture *f = *state;
	struct rng r = { 7 };
	uint8_t *mem = fm_block_ptr(f->block[0]);

	for (unsigned n = 0; n < 20000; n++) {
		for (size_t i = 0; i < 64; i++)
			f->page[i] = (uint8_t)rng_next(&r);
		if (!rng_one_in(&r, 4))
			fmi_put_le32(f->page, rng_below(&r, 3));
		if (!rng_one_in(&r, 8))
			fmi_put_le32(f->page + 8, rng_below(&r, 20));
		if (rng_one_in(&r, 2)) {
			fmi_put_le64(f->page + 12, BASE + rng_below(&r, 2 * PMEM));
			fmi_put_le64(f->page + 20, rng_below(&r, PMEM));
		} else if (rng_one_in(&r, 2)) {
			fmi_put_le32(f->page + 12, rng_below(&r, LABELS));
			fmi_put_le32(f->page + 16, rng_below(&r, LABELS));
		}
		fm_dsm_call(f->dsm, f->page);
		assert_true(fmi_le32(f->page) >= 8 && fmi_le32(f->page) <= FM_DSM_PAGE);
	}
	for (size_t i = 0; i < PMEM; i++)
		assert_int_equal(mem[i], 0);
}

static void configs_that_cannot_be_are_refused(void **state)
{
	struct fixture *f = *state;
	struct fm_dsm_dimm d[2] = { { .dev = f->dev[0], .handle = 1 },
				    { .dev = f->dev[1], .handle = 1 } };
	struct fm_dsm_config c = { .struct_size = sizeof(c), .dimms = d, .count = 2 };
	struct fm_dsm *dsm = NULL;

	assert_int_equal(fm_dsm_new(&dsm, &c, NULL), FM_ERR_ARG);
	c.count = 0;
	assert_int_equal(fm_dsm_new(&dsm, &c, NULL), FM_ERR_ARG);
	c.count = 1;
	d[0].base = UINT64_MAX - 5;
	assert_int_equal(fm_dsm_new(&dsm, &c, NULL), FM_ERR_ARG);
	d[0] = (struct fm_dsm_dimm){ .dev = f->dev[0], .handle = 1, .ways = 2, .line = 3 };
	assert_int_equal(fm_dsm_new(&dsm, &c, NULL), FM_ERR_ARG);
	/* The last line of a round would be behind the range; of such as this one even before it. */
	d[0] = (struct fm_dsm_dimm){ f->dev[0], .handle = 1, .ways = 3, .position = 2,
				     .line = 1ull << 63 };
	assert_int_equal(fm_dsm_new(&dsm, &c, NULL), FM_ERR_ARG);
	d[0] = (struct fm_dsm_dimm){ .handle = 1 };
	assert_int_equal(fm_dsm_new(&dsm, &c, NULL), FM_ERR_ARG);
	assert_null(dsm);
}

static void an_ssdt_has_a_right_length_and_sum(void **state)
{
	const uint32_t handles[2] = { 1, 0x11 };
	struct fm_dsm_ssdt_config c = { .struct_size = sizeof(c),
					.handles = handles,
					.count = 2,
					.mailbox = 0xfef00000,
					.port = 0xa18,
					.fit = true };
	uint8_t sum = 0;
	void *table = NULL;
	size_t len;

	assert_int_equal(fm_dsm_ssdt(&table, &len, &c, NULL), 0);
	assert_int_equal(fmi_le32((uint8_t *)table + 4), len);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((uint8_t *)table)[i]);
	assert_int_equal(sum, 0);
	free(table);
	c.mailbox = 0xfef00001;
	assert_int_equal(fm_dsm_ssdt(&table, &len, &c, NULL), FM_ERR_ARG);
	c.mailbox = UINT64_C(1) << 32;
	assert_int_equal(fm_dsm_ssdt(&table, &len, &c, NULL), FM_ERR_ARG);
}

#define FIXED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXED(functions_are_told_and_unknown_ones_refused),
		FIXED(labels_are_read_and_written_within_the_area),
		FIXED(label_accesses_that_leave_the_area_are_invalid),
		FIXED(smart_tells_health_and_dirty_shutdowns),
		FIXED(thresholds_are_kept),
		FIXED(a_scrub_finds_what_was_injected_until_it_is_cleared),
		FIXED(of_more_errors_than_fit_the_scrub_says_where_it_ended),
		FIXED(ranges_that_no_dimm_has_are_invalid),
		cmocka_unit_test_setup_teardown(an_interleave_set_spreads_errors_over_its_dimms,
						setup_interleaved, teardown),
		FIXED(the_table_is_read_piece_by_piece_and_anew_when_it_changed),
		FIXED(whatever_is_on_the_page_memory_is_not_touched),
		FIXED(configs_that_cannot_be_are_refused),
		cmocka_unit_test(an_ssdt_has_a_right_length_and_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
