/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments and outputs byte by byte: against the kernel's structures where its headers have them
 * (linux/ndctl.h: argument, then output, in one), and against the Intel family's layout, which they have not.
 */
#include "tests/unit/dsm_unit.h"
#include "tests/unit/rng.h"

#include <stddef.h>

#include <linux/ndctl.h>

#define FROM(type, first) (sizeof(struct type) - offsetof(struct type, first))
#define AT(type, first, member) (offsetof(struct type, member) - offsetof(struct type, first))

/* --- the kernel's headers -------------------------------------------------------------------------- */

static void label_functions_are_laid_out_as_the_kernel_has_them(void **state)
{
	struct nd_cmd_get_config_data_hdr get = { .in_offset = 16, .in_length = 5 };
	struct fixture *f = *state;
	struct nd_cmd_get_config_size size;
	uint8_t set[sizeof(struct nd_cmd_set_config_hdr) + 5];
	struct nd_cmd_set_config_hdr *hdr = (struct nd_cmd_set_config_hdr *)(void *)set;
	const uint8_t *out;

	memcpy(&size, call(f, 1, ND_CMD_GET_CONFIG_SIZE, NULL, 0, sizeof(size)), sizeof(size));
	assert_int_equal(size.status, 0);
	assert_int_equal(size.config_size, LABELS);
	assert_int_equal(size.max_xfer, FM_DSM_PAGE - 12 - sizeof(*hdr));
	*hdr = (struct nd_cmd_set_config_hdr){ .in_offset = 16, .in_length = 5 };
	memcpy(hdr->in_buf, "label", 5);
	assert_int_equal(fmi_le32(call(f, 1, ND_CMD_SET_CONFIG_DATA, set, sizeof(set), 4)), 0);
	out = call(f, 1, ND_CMD_GET_CONFIG_DATA, &get,
		   offsetof(struct nd_cmd_get_config_data_hdr, status),
		   (uint32_t)FROM(nd_cmd_get_config_data_hdr, status) + 5);
	assert_memory_equal(out + AT(nd_cmd_get_config_data_hdr, status, out_buf), "label", 5);
	/* The largest transfer works, in both directions. */
	get.in_offset = 0;
	get.in_length = size.max_xfer;
	call(f, 1, ND_CMD_GET_CONFIG_DATA, &get, 8, 4 + size.max_xfer);
	assert_int_equal(fmi_le32(call(f, 1, ND_CMD_SET_CONFIG_DATA, &get, 8, 4)), 0);
}

static void scrub_functions_are_laid_out_as_the_kernel_has_them(void **state)
{
	struct nd_cmd_ars_cap cap = { .address = BASE, .length = PMEM };
	struct nd_cmd_ars_start start = { .address = BASE,
					  .length = PMEM,
					  .type = ND_ARS_PERSISTENT };
	struct nd_cmd_clear_error clear = { .address = BASE + 0x400, .length = 0x100 };
	struct fixture *f = *state;
	struct nd_ars_record record;
	struct nd_cmd_ars_status scrub;
	const uint8_t *out;

	memcpy(&cap.status,
	       call(f, 0, ND_CMD_ARS_CAP, &cap, offsetof(struct nd_cmd_ars_cap, status),
		    FROM(nd_cmd_ars_cap, status)),
	       FROM(nd_cmd_ars_cap, status));
	assert_int_equal(cap.status, ND_ARS_PERSISTENT << ARS_EXT_STATUS_SHIFT);
	assert_int_equal(cap.clear_err_unit, 256);
	assert_in_range(cap.max_ars_out, sizeof(scrub) + sizeof(record), FM_DSM_PAGE - 4);
	memcpy(&start.status,
	       call(f, 0, ND_CMD_ARS_START, &start, offsetof(struct nd_cmd_ars_start, status),
		    FROM(nd_cmd_ars_start, status)),
	       FROM(nd_cmd_ars_start, status));
	assert_int_equal(start.status, 0);
	assert_int_equal(fm_nvdimm_poison(f->dev[0], 0x400, 0x100, NULL), 0);
	assert_int_equal(fm_nvdimm_poison(f->dev[0], PMEM - 64, 64, NULL), 0);
	out = call(f, 0, ND_CMD_ARS_STATUS, NULL, 0, sizeof(scrub) + 2 * sizeof(record));
	memcpy(&scrub, out, sizeof(scrub));
	assert_int_equal(scrub.status, 0);
	assert_int_equal(scrub.out_length, sizeof(scrub) + 2 * sizeof(record));
	assert_int_equal(scrub.address, BASE);
	assert_int_equal(scrub.length, PMEM);
	assert_int_equal(scrub.restart_address, 0);
	assert_int_equal(scrub.restart_length, 0);
	assert_int_equal(scrub.type, ND_ARS_PERSISTENT);
	assert_int_equal(scrub.flags, 0);
	assert_int_equal(scrub.num_records, 2);
	memcpy(&record, out + offsetof(struct nd_cmd_ars_status, records), sizeof(record));
	assert_true(record.handle == 1 && record.err_address == BASE + 0x400 &&
		    record.length == 0x100);
	memcpy(&record, out + sizeof(scrub) + sizeof(record), sizeof(record));
	assert_true(record.handle == 1 && record.err_address == BASE + PMEM - 64 &&
		    record.length == 64);
	memcpy(&clear.status,
	       call(f, 0, ND_CMD_CLEAR_ERROR, &clear, offsetof(struct nd_cmd_clear_error, status),
		    FROM(nd_cmd_clear_error, status)),
	       FROM(nd_cmd_clear_error, status));
	assert_int_equal(clear.status, 0);
	assert_int_equal(clear.cleared, 0x100);
}

/* --- Intel's family -------------------------------------------------------------------------------- */

static void smart_data_are_where_ndctl_reads_them(void **state)
{
	/* Of the output: offset, bytes, value of a DIMM on which nothing was injected. */
	static const struct {
		const char *name;
		unsigned at, size;
		uint64_t value;
	} rows[] = {
		{ "status", 0, 4, 0 },
		/* health, spares, used, two temperatures, shutdown count; alarms, shutdown state */
		{ "valid", 4, 4, 0x3f | 1 << 9 | 1 << 10 },
		{ "reserved", 8, 4, 0 },
		{ "health", 12, 1, 0 },
		{ "spares", 13, 1, 100 },
		{ "life used", 14, 1, 0 },
		{ "alarms", 15, 1, 0 },
		{ "media temperature", 16, 2, 25 * 16 },
		{ "controller temperature", 18, 2, 25 * 16 },
		{ "shutdown count", 20, 4, 41 },
		{ "AIT, PMIC, reserved", 24, 8, 0 },
		{ "reserved", 32, 3, 0 },
		{ "shutdown state", 35, 1, 0 },
		{ "vendor size", 36, 4, 0 },
	};
	struct fixture *f = *state;
	const uint8_t *out = call(f, 1, ND_CMD_SMART, NULL, 0, 132);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t v = 0;

		for (unsigned k = rows[i].size; k--;)
			v = v << 8 | out[rows[i].at + k];
		if (v != rows[i].value)
			fail_msg("%s: 0x%llx", rows[i].name, (unsigned long long)v);
	}
	for (unsigned i = 40; i < 132; i++)
		assert_int_equal(out[i], 0);
	/* Thresholds: all three alarms, 10 % of spares, 200 degrees twice. */
	assert_memory_equal(call(f, 1, ND_CMD_SMART_THRESHOLD, NULL, 0, 12),
			    "\0\0\0\0\7\0\x0a\x80\x0c\x80\x0c\0", 12);
}

/* --- what cannot be -------------------------------------------------------------------------------- */

struct bad {
	uint32_t handle, function, status, len; /* `len`: of the output */
	uint8_t arg[24];
};

#define U64(v)                                                                         \
	(uint8_t)(v), (uint8_t)((v) >> 8), (uint8_t)((v) >> 16), (uint8_t)((v) >> 24), \
		(uint8_t)((uint64_t)(v) >> 32), (uint8_t)((uint64_t)(v) >> 40),        \
		(uint8_t)((uint64_t)(v) >> 48), (uint8_t)((uint64_t)(v) >> 56)

static void every_function_refuses_an_argument_that_cannot_be(void **state)
{
	static const struct bad rows[] = {
		/* labels: offset, length */
		{ 1, 5, 3, 4, { U64(LABELS | UINT64_C(1) << 32) } },
		{ 1, 5, 3, 4, { U64(4077ull << 32) } },
		{ 1, 6, 3, 4, { U64((LABELS - 3) | UINT64_C(4) << 32), 1, 2, 3, 4 } },
		{ 1, 6, 3, 4, { U64(UINT64_MAX), 1, 2, 3, 4 } },
		/* thresholds: an alarm that is none; 101 % */
		{ 1, 17, 3, 4, { 8, 0, 5 } },
		{ 1, 17, 3, 4, { 0, 0x80, 5 } },
		{ 1, 17, 3, 4, { 1, 0, 101 } },
		/* injection: a flag that is none; 101 % */
		{ 1, 18, 3, 4, { 16 } },
		{ 1, 18, 3, 4, { 0, 0, 0, 0, 0, 0, 0, 0x80 } },
		{ 1, 18, 3, 4, { 2, [11] = 1, [12] = 101 } },
		/* ARS: ranges, types */
		{ 0, 1, 2, 16, { U64(BASE), U64(0) } },
		{ 0, 1, 2, 16, { U64(BASE - 1), U64(2) } },
		{ 0, 1, 2, 16, { U64(BASE + 1), U64(UINT64_MAX) } },
		{ 0, 2, 2, 8, { U64(BASE), U64(PMEM), 0 } },
		{ 0, 2, 2, 8, { U64(BASE), U64(PMEM), 1 } },
		{ 0, 2, 2, 8, { U64(BASE), U64(PMEM), 4 } },
		{ 0, 2, 2, 8, { U64(BASE), U64(PMEM), 2, 1 } },
		{ 0, 2, 2, 8, { U64(BASE), U64(PMEM + 1), 2 } },
		{ 0, 2, 2, 8, { U64(BASE + 2 * PMEM), U64(1), 2 } },
		/* clear: not its unit, not there */
		{ 0, 4, 2, 16, { U64(BASE + 64), U64(256) } },
		{ 0, 4, 2, 16, { U64(BASE), U64(64) } },
		{ 0, 4, 2, 16, { U64(BASE), U64(0) } },
		{ 0, 4, 2, 16, { U64(0), U64(256) } },
		{ 0, 4, 2, 16, { U64(BASE), U64(UINT64_MAX & ~255ull) } },
		/* inject, uninject */
		{ 0, 7, 2, 4, { U64(BASE), U64(0) } },
		{ 0, 7, 2, 4, { U64(BASE + PMEM - 1), U64(2) } },
		{ 0, 7, 2, 4, { U64(UINT64_MAX), U64(UINT64_MAX) } },
		{ 0, 8, 2, 4, { U64(BASE), U64(0) } },
		{ 0, 8, 2, 4, { U64(BASE + 2 * PMEM), U64(64) } },
		/* the table: an offset behind its end */
		{ 0x10000, 1, 3, 4, { U64(1) } },
		{ 0x10000, 1, 3, 4, { U64(UINT32_MAX) } },
		/* functions that are none */
		{ 1, 3, 1, 4, { 0 } },
		{ 1, 7, 1, 4, { 0 } },
		{ 1, 32, 1, 4, { 0 } },
		{ 0, 5, 1, 4, { 0 } },
		{ 0, 6, 1, 4, { 0 } },
		{ 0, 10, 1, 4, { 0 } },
		{ 0x10000, 2, 1, 4, { 0 } },
	};
	static uint8_t before[PMEM + LABELS];
	struct fixture *f = *state;
	struct fm_persist_span s;
	uint8_t smart[132], thresholds[12];

	memset(fm_block_ptr(f->block[0]), 0x5c, sizeof(before));
	memset(before, 0x5c, sizeof(before));
	assert_int_equal(fm_nvdimm_poison(f->dev[0], 4096, 64, NULL), 0);
	memcpy(smart, call(f, 1, 1, NULL, 0, 132), 132);
	memcpy(thresholds, call(f, 1, 2, NULL, 0, 12), 12);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct bad *r = &rows[i];
		uint32_t status =
			fmi_le32(call(f, r->handle, r->function, r->arg, sizeof(r->arg), r->len));

		if (status != r->status)
			fail_msg("row %zu: status %u, expected %u", i, status, r->status);
		for (uint32_t k = 4; k < r->len; k++)
			assert_int_equal(f->page[4 + k], 0);
		assert_memory_equal(fm_block_ptr(f->block[0]), before, sizeof(before));
		assert_true(fm_nvdimm_media_error(f->dev[0], 0, &s) && s.off == 4096 &&
			    s.len == 64);
		assert_false(fm_nvdimm_media_error(f->dev[0], 1, &s));
		assert_false(fm_nvdimm_media_error(f->dev[1], 0, &s));
	}
	assert_memory_equal(call(f, 1, 1, NULL, 0, 132), smart, 132);
	assert_memory_equal(call(f, 1, 2, NULL, 0, 12), thresholds, 12);
	/* No scrub was started. */
	assert_int_equal(fmi_le32(call(f, 0, 3, NULL, 0, 48)), 2 << 16);
}

/* --- an interleave set beside a model of it -------------------------------------------------------- */

#define ROUNDS 3000u

/* Which lines of 64 bytes of the range are unreadable. */
static size_t model_next(const bool *bad, size_t lines, size_t per_line, size_t from, size_t *len)
{
	while (from < lines && !bad[from])
		from++;
	*len = 1;
	while (from + *len < lines && bad[from + *len] && (from + *len) % per_line)
		++*len;
	return from;
}

static void an_interleave_set_is_as_its_model(void **state)
{
	static bool bad[2 * PMEM / 64];
	const size_t lines = 2 * PMEM / 64, per_line = LINE / 64;
	struct fixture *f = *state;
	struct rng r = { 11 };

	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t at = rng_below(&r, lines),
		       n = 1 + rng_below(&r, rng_one_in(&r, 4) ? 9000 : 90);
		uint32_t function = rng_one_in(&r, 2) ? 7 : 8, count;
		size_t from = 0, len;
		const uint8_t *out;

		n = n < lines - at ? n : lines - at;
		if (status(f, 0, function, BASE + 64 * at, 64 * n - rng_below(&r, 63))) {
			/* No room for more: the DIMM before may have its part. Begin anew. */
			assert_int_equal(function, 7);
			assert_int_equal(status(f, 0, 8, BASE, 2 * PMEM), 0);
			memset(bad, 0, sizeof(bad));
			continue;
		}
		memset(bad + at, function == 7, n);
		status(f, 0, 9, 0, 0);
		out = f->page + 4;
		count = fmi_le32(out + 4);
		for (uint32_t i = 0; i < count; i++, from += len) {
			from = model_next(bad, lines, per_line, from, &len);
			assert_true(from < lines);
			assert_int_equal(fmi_le64(out + 8 + 16 * i), BASE + 64 * from);
			assert_int_equal(fmi_le64(out + 16 + 16 * i), 64 * len);
		}
		assert_true(count == 128 || model_next(bad, lines, per_line, from, &len) == lines);
	}
}

#define FIXED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXED(label_functions_are_laid_out_as_the_kernel_has_them),
		FIXED(scrub_functions_are_laid_out_as_the_kernel_has_them),
		FIXED(smart_data_are_where_ndctl_reads_them),
		FIXED(every_function_refuses_an_argument_that_cannot_be),
		cmocka_unit_test_setup_teardown(an_interleave_set_is_as_its_model,
						setup_interleaved, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
