/* SPDX-License-Identifier: BSD-2-Clause */
/* IGVM files: the rules of the format. Digests of others are compared by tests/cli/measure.py. */
#include "tests/unit/unit.h"

#include "fuzz/igvm_build.h"

#include <firmem/igvm.h>

static uint8_t file[IGVM_LEN];

static struct fm_igvm_config config(enum fm_igvm_platform platform)
{
	struct fm_igvm_config c = { .struct_size = sizeof(c), .bytes = file, .len = IGVM_LEN };

	c.platform = platform;
	c.name = "bad.igvm";
	return c;
}

static void the_steps_are_the_directives_of_the_platform(void **state)
{
	static const char *const snp[] = { "normal",     "normal", "unmeasured",
					   "unmeasured", "vmsa",   NULL };
	static const char *const tdx[] = { "add-extend", "add-extend", "add", "add", NULL };
	struct fm_igvm_report r;

	igvm_build(file);
	for (unsigned p = FM_IGVM_SNP; p <= FM_IGVM_TDX; p++) {
		struct fm_igvm_config c = config((enum fm_igvm_platform)p);
		const char *const *what = p == FM_IGVM_SNP ? snp : tdx;
		const struct fm_measure_step *s;
		size_t i = 0;

		assert_int_equal(fm_transcript_new(&c.transcript, NULL), 0);
		assert_int_equal(fm_igvm_measure(&r, &c, NULL), 0);
		for (; what[i]; i++)
			assert_string_equal(fm_transcript_step(c.transcript, i)->what, what[i]);
		assert_int_equal(fm_transcript_count(c.transcript), i);
		s = fm_transcript_step(c.transcript, i - 1);
		assert_memory_equal(s->running, r.digest, FM_IGVM_LEN);
		assert_int_equal(r.has_policy, p == FM_IGVM_SNP);
		assert_false(r.has_id_block);
		fm_transcript_free(c.transcript);
	}
}

static size_t steps(unsigned loader)
{
	struct fm_igvm_config c = config(FM_IGVM_SNP);
	struct fm_igvm_report r;
	size_t n;

	c.loader = loader;
	assert_int_equal(fm_transcript_new(&c.transcript, NULL), 0);
	assert_int_equal(fm_igvm_measure(&r, &c, NULL), 0);
	n = fm_transcript_count(c.transcript);
	if (loader & FM_IGVM_NATIVE_ZERO)
		assert_string_equal(fm_transcript_step(c.transcript, 1)->what, "zero");
	fm_transcript_free(c.transcript);
	return n;
}

static void loaders_differ_in_shared_pages_zeros_and_parameters(void **state)
{
	igvm_build(file);
	assert_int_equal(steps(0), 5);
	assert_int_equal(steps(FM_IGVM_INSERT_ONE), 4);
	assert_int_equal(steps(FM_IGVM_NATIVE_ZERO), 5);
	ovmf_put(file + IGVM_PAGE + 8 + 16, 4, 4);
	igvm_seal(file, IGVM_DATA - 24);
	assert_int_equal(steps(0), 4);
	assert_int_equal(steps(FM_IGVM_MEASURE_SHARED), 5);
}

struct lie {
	const char *what;
	size_t at;
	unsigned size;
	uint64_t value;
	bool seal;
	int code;
	const char *word;
};

#define PAY(header, off) (IGVM_##header + 8 + (off))

static const struct lie lies[] = {
	{ "no magic", 0, 1, 'J', true, FM_ERR_FORMAT, "IGVM" },
	{ "another version", 4, 4, 3, true, FM_ERR_VERSION, "version 3" },
	{ "headers before the header", 8, 4, 16, true, FM_ERR_RANGE, "variable headers" },
	{ "headers outside", 8, 4, 0xfffffff8, true, FM_ERR_RANGE, "variable headers" },
	{ "no headers", 12, 4, 0, true, FM_ERR_RANGE, "variable headers" },
	{ "headers of no 8 bytes", 12, 4, 12, true, FM_ERR_RANGE, "variable headers" },
	{ "total size", 16, 4, IGVM_LEN - 1, true, FM_ERR_SIZE, "total size" },
	{ "checksum", 20, 4, 1, false, FM_ERR_CHECKSUM, "checksum 0x00000001" },
	{ "a changed header", PAY(PAGE, 0), 8, 0x300000, false, FM_ERR_CHECKSUM, "checksum" },
	{ "a header that leaves", IGVM_VP + 4, 4, 40, true, FM_ERR_RANGE, "header of" },
	{ "a length that wraps", IGVM_VP + 4, 4, 0xffffffff, true, FM_ERR_RANGE, "header of" },
	{ "a wrong length", IGVM_PAGE + 4, 4, 16, true, FM_ERR_FORMAT, "expected 24" },
	{ "an unknown type", IGVM_VP, 4, 0x399, true, FM_ERR_FORMAT, "type 0x399" },
	{ "a type of no part", IGVM_VP, 4, 0x999, true, FM_ERR_FORMAT, "type 0x999" },
	{ "a late platform", IGVM_INSERT, 4, 1, true, FM_ERR_FORMAT, "is late" },
	{ "a late policy", IGVM_INSERT, 4, 0x101, true, FM_ERR_FORMAT, "is late" },
	{ "padding", PAY(VP, 20), 1, 1, true, FM_ERR_FORMAT, "padding" },
	{ "reserved of a policy", PAY(POLICY, 12), 4, 1, true, FM_ERR_FORMAT, "reserved" },
	{ "reserved of a page", PAY(PAGE, 22), 2, 1, true, FM_ERR_FORMAT, "reserved" },
	{ "reserved flags of a page", PAY(PAGE, 16), 4, 8, true, FM_ERR_FORMAT, "reserved" },
	{ "reserved of a vCPU", PAY(VP, 18), 2, 1, true, FM_ERR_FORMAT, "reserved" },
	{ "a type of page", PAY(PAGE, 20), 2, 4, true, FM_ERR_FORMAT, "type 4" },
	{ "an unaligned page", PAY(PAGE, 0), 8, 0x100800, true, FM_ERR_FORMAT, "multiple" },
	{ "a large page unaligned", PAY(PAGE, 16), 4, 1, true, FM_ERR_FORMAT, "multiple" },
	{ "data outside", PAY(PAGE, 12), 4, IGVM_DATA + 4097, true, FM_ERR_RANGE, "data 0x" },
	{ "data that wraps", PAY(PAGE, 12), 4, 0xfffff000, true, FM_ERR_RANGE, "data 0x" },
	{ "data in the headers", PAY(PAGE, 12), 4, 24, true, FM_ERR_RANGE, "data 0x" },
	{ "a vCPU without data", PAY(VP, 12), 4, 0, true, FM_ERR_FORMAT, "vCPU state" },
	{ "a vCPU's data outside", PAY(VP, 12), 4, IGVM_LEN, true, FM_ERR_RANGE, "data 0x" },
	{ "an area of no pages", PAY(AREA, 0), 8, 0, true, FM_ERR_FORMAT, "parameter area" },
	{ "an area of half a page", PAY(AREA, 0), 8, 0x800, true, FM_ERR_FORMAT, "area" },
	{ "a huge area", PAY(AREA, 0), 8, 0x40001000, true, FM_ERR_FORMAT, "parameter area" },
	{ "an area that is not there", PAY(INSERT, 12), 4, 8, true, FM_ERR_FORMAT, "area 8" },
	{ "parameters that wrap", PAY(INSERT, 0), 8, 0xfffffffffffff000, true, FM_ERR_FORMAT,
	  "that fits" },
	{ "unaligned parameters", PAY(INSERT, 0), 8, 1, true, FM_ERR_FORMAT, "multiple" },
	{ "no such platform", PAY(PLATFORM_SNP, 5), 1, 4, true, FM_ERR_FORMAT, "not for SEV" },
	{ "a platform twice", PAY(PLATFORM_TDX, 5), 1, 2, true, FM_ERR_FORMAT, "once" },
	{ "a mask of two bits", PAY(PLATFORM_SNP, 0), 4, 3, true, FM_ERR_FORMAT, "one bit" },
	{ "a mask of two platforms", PAY(PLATFORM_TDX, 0), 4, 1, true, FM_ERR_FORMAT, "its own" },
	{ "another's mask of no bits", PAY(PLATFORM_TDX, 0), 4, 0, true, FM_ERR_FORMAT, "one bit" },
	{ "a page of no platform", PAY(PAGE, 8), 4, 4, true, FM_ERR_FORMAT,
	  "0x78: compatibility mask 0x4, expected a platform of the file, 0x3" },
	{ "a page without a platform", PAY(PAGE2, 8), 4, 0, true, FM_ERR_FORMAT, "mask 0x0" },
	{ "a policy of no platform", PAY(POLICY, 8), 4, 8, true, FM_ERR_FORMAT, "mask 0x8" },
	{ "parameters of no platform", PAY(INSERT, 8), 4, 0x10, true, FM_ERR_FORMAT, "mask 0x10" },
	{ "a vCPU of no platform", PAY(VP, 8), 4, 0x80000000, true, FM_ERR_FORMAT, "0x80000000" },
};

static void each_wrong_field_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		const struct lie *l = &lies[i];
		struct fm_igvm_config c = config(FM_IGVM_SNP);
		struct fm_igvm_report r, before;
		struct fm_error err = { 0 };

		igvm_build(file);
		ovmf_put(file + l->at, l->size, l->value);
		if (l->seal)
			igvm_seal(file, IGVM_DATA - 24);
		memset(&r, 0x5a, sizeof(r));
		before = r;
		if (fm_igvm_measure(&r, &c, &err) != l->code || !strstr(err.msg, l->word) ||
		    strncmp(err.msg, "bad.igvm: ", 10))
			fail_msg("%s: %d: %s", l->what, err.code, err.msg);
		assert_memory_equal(&r, &before, sizeof(r));
	}
}

static void bits_of_platforms_that_are_not_there_do_not_count(void **state)
{
	struct fm_igvm_config c = config(FM_IGVM_SNP);
	struct fm_igvm_report want, r;

	igvm_build(file);
	assert_int_equal(fm_igvm_measure(&want, &c, NULL), 0);
	ovmf_put(file + PAY(PAGE, 8), 4, 0xf1);
	igvm_seal(file, IGVM_DATA - 24);
	assert_int_equal(fm_igvm_measure(&r, &c, NULL), 0);
	assert_memory_equal(r.digest, want.digest, FM_IGVM_LEN);
}

/* Many headers of one type, with payloads of `len` bytes, behind the platforms. */
static uint8_t *many(size_t *size, uint32_t type, uint32_t len, unsigned n)
{
	size_t each = 8 + (len + 7) / 8 * 8, headers = 48 + n * each;
	uint8_t *f, *p;

	*size = 24 + headers;
	f = calloc(1, *size);
	assert_non_null(f);
	igvm_build(file);
	memcpy(f, file, IGVM_POLICY);
	for (unsigned i = 0; i < n; i++) {
		p = igvm_header(f, (unsigned)(IGVM_POLICY + i * each), type, len);
		if (type == 0x301) {
			ovmf_put(p, 8, 0x1000);
			ovmf_put(p + 8, 4, i);
		} else {
			ovmf_put(p, 8, (uint64_t)i << 21);
			ovmf_put(p + 8, 4, 3);
			ovmf_put(p + 16, 4, 1); /* 2 MiB, of zeros */
		}
	}
	ovmf_put(f + 12, 4, headers);
	ovmf_put(f + 16, 4, *size);
	igvm_seal(f, headers);
	return f;
}

static int measure_many(enum fm_igvm_platform platform, uint32_t type, uint32_t len, unsigned n,
			struct fm_error *err)
{
	struct fm_igvm_config c = config(platform);
	struct fm_igvm_report r;
	uint8_t *f = many(&c.len, type, len, n);
	int ret;

	c.bytes = f;
	ret = fm_igvm_measure(&r, &c, err);
	free(f);
	return ret;
}

/* The second page becomes memory that the guest needs: the same length, and nothing is measured for it. */
static void required_memory_keeps_its_rules(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		const char *word;
	} rows[] = {
		{ 0, 0x101000, NULL },        { 16, 1, NULL },       { 16, 2, "reserved" },
		{ 16, 1u << 31, "reserved" }, { 20, 1, "reserved" }, { 8, 4, "mask 0x4" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fm_igvm_config c = config(FM_IGVM_SNP);
		struct fm_error err = { 0 };
		struct fm_igvm_report r;

		igvm_build(file);
		ovmf_put(file + IGVM_PAGE2, 4, 0x305);
		ovmf_put(file + PAY(PAGE2, rows[i].at), 4, rows[i].value);
		igvm_seal(file, IGVM_DATA - 24);
		assert_int_equal(fm_igvm_measure(&r, &c, &err), rows[i].word ? FM_ERR_FORMAT : 0);
		if (rows[i].word && !strstr(err.msg, rows[i].word))
			fail_msg("row %zu: %s", i, err.msg);
	}
}

static void a_small_file_cannot_ask_for_much_work(void **state)
{
	const unsigned most = FM_IGVM_EXTRA_MAX / 512;
	struct fm_error err = { 0 };

	assert_int_equal(measure_many(FM_IGVM_SNP, 0x301, 16, FM_IGVM_AREAS_MAX, NULL), 0);
	assert_int_equal(measure_many(FM_IGVM_SNP, 0x301, 16, FM_IGVM_AREAS_MAX + 1, &err),
			 FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "0x1848: one more parameter area, expected at most 256"));
	assert_int_equal(measure_many(FM_IGVM_TDX, 0x302, 24, most, NULL), 0);
	assert_int_equal(measure_many(FM_IGVM_TDX, 0x302, 24, most + 1, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "contents of 0x4200 pages"));
	/* Zeros are hashed once there. */
	assert_int_equal(measure_many(FM_IGVM_SNP, 0x302, 24, most + 1, NULL), 0);
}

static void every_cut_is_an_error(void **state)
{
	for (size_t n = 0; n < IGVM_LEN; n += n < 400 ? 1 : 997) {
		struct fm_igvm_config c = config(FM_IGVM_TDX);
		struct fm_igvm_report r;

		igvm_build(file);
		c.len = n;
		assert_int_not_equal(fm_igvm_measure(&r, &c, NULL), 0);
		/* Also one whose size is said right. */
		if (n < IGVM_DATA)
			continue;
		ovmf_put(file + 16, 4, n);
		igvm_seal(file, IGVM_DATA - 24);
		c.platform = FM_IGVM_SNP;
		assert_int_equal(fm_igvm_measure(&r, &c, NULL), FM_ERR_RANGE);
	}
}

static void arguments_are_checked(void **state)
{
	struct fm_igvm_config c = config((enum fm_igvm_platform)1);
	struct fm_igvm_report r;

	igvm_build(file);
	assert_int_equal(fm_igvm_measure(&r, &c, NULL), FM_ERR_ARG);
	c = config(FM_IGVM_SNP);
	c.loader = 8;
	assert_int_equal(fm_igvm_measure(&r, &c, NULL), FM_ERR_ARG);
	c = config(FM_IGVM_SNP);
	c.bytes = NULL;
	assert_int_equal(fm_igvm_measure(&r, &c, NULL), FM_ERR_ARG);
}

/* The vCPU's header becomes an ID block, which needs a longer file. */
static void an_id_block_says_what_it_expects(void **state)
{
	static uint8_t longer[IGVM_LEN + 64];
	struct fm_igvm_config c = config(FM_IGVM_SNP);
	struct fm_igvm_report r;

	igvm_build(longer);
	memmove(longer + IGVM_DATA + 64, longer + IGVM_DATA, IGVM_LEN - IGVM_DATA);
	memset(longer + IGVM_VP, 0, 96);
	ovmf_put(longer + IGVM_VP, 4, 0x30b);
	ovmf_put(longer + IGVM_VP + 4, 4, 88);
	ovmf_put(longer + IGVM_VP + 8, 4, 1);
	memset(longer + IGVM_VP + 16, 0x77, 48);
	ovmf_put(longer + 12, 4, IGVM_DATA + 64 - 24);
	ovmf_put(longer + 16, 4, sizeof(longer));
	ovmf_put(longer + PAY(PAGE, 12), 4, IGVM_DATA + 64);
	igvm_seal(longer, IGVM_DATA + 64 - 24);
	c.bytes = longer;
	c.len = sizeof(longer);
	assert_int_equal(fm_igvm_measure(&r, &c, NULL), 0);
	assert_true(r.has_id_block);
	assert_int_equal(r.id_block_digest[47], 0x77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_steps_are_the_directives_of_the_platform),
		cmocka_unit_test(loaders_differ_in_shared_pages_zeros_and_parameters),
		cmocka_unit_test(each_wrong_field_is_named),
		cmocka_unit_test(bits_of_platforms_that_are_not_there_do_not_count),
		cmocka_unit_test(required_memory_keeps_its_rules),
		cmocka_unit_test(a_small_file_cannot_ask_for_much_work),
		cmocka_unit_test(every_cut_is_an_error),
		cmocka_unit_test(arguments_are_checked),
		cmocka_unit_test(an_id_block_says_what_it_expects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
