/* SPDX-License-Identifier: BSD-2-Clause */
/* TDX: the descriptor's rules, and MRTD by its definition. Others' digests: tests/cli/measure.py. */
#include "tests/unit/unit.h"

#include "fuzz/ovmf_build.h"

#include <firmem/digest.h>
#include <firmem/ovmf.h>
#include <firmem/tdx.h>

static uint8_t image[OVMF_LEN];

static void the_descriptor_is_read(void **state)
{
	struct fm_tdvf t;

	ovmf_build(image);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
	assert_int_equal(t.off, OVMF_TDVF);
	assert_int_equal(t.section_count, OVMF_TDX_SECTIONS);
	assert_int_equal(t.hob, 3);
	assert_int_equal(t.sections[0].data_off, 0x1000);
	assert_int_equal(t.sections[0].data_len, 0x3000);
	assert_int_equal(t.sections[0].gpa, 0xffffd000);
	assert_int_equal(t.sections[0].attrs, FM_TDVF_EXTEND);
	assert_string_equal(fm_tdvf_type_name(t.sections[2].type), "temp-mem");
	assert_string_equal(fm_tdvf_type_name((enum fm_tdvf_type)7), "unknown");
}

struct lie {
	const char *what;
	size_t at;
	unsigned size;
	uint64_t value;
	int code;
	const char *word;
};

#define SEC(i, off) (OVMF_TDVF + 16 + 32 * (i) + (off))

static const struct lie lies[] = {
	{ "no descriptor GUID", OVMF_TDVF - 16, 1, 0, FM_ERR_FORMAT, "GUID" },
	{ "no signature", OVMF_TDVF, 1, 'X', FM_ERR_FORMAT, "\"TDVF\"" },
	{ "offset beyond the file", OVMF_TDX, 4, OVMF_LEN + 4096, FM_ERR_RANGE, "TDX" },
	{ "another version", OVMF_TDVF + 8, 4, 2, FM_ERR_VERSION, "version 2" },
	{ "length", OVMF_TDVF + 4, 4, 100, FM_ERR_FORMAT, "length 100" },
	{ "no sections", OVMF_TDVF + 12, 4, 0, FM_ERR_FORMAT, "0 sections" },
	{ "too many sections", OVMF_TDVF + 12, 4, 65, FM_ERR_FORMAT, "65 sections" },
	{ "a count that would wrap", OVMF_TDVF + 12, 4, 0x08000001, FM_ERR_FORMAT, "sections" },
	{ "data outside the file", SEC(0, 0), 4, 0x2000, FM_ERR_RANGE, "outside" },
	{ "data that wraps", SEC(0, 0), 4, 0xfffff000, FM_ERR_RANGE, "outside" },
	{ "BFV with less data", SEC(0, 4), 4, 0x2000, FM_ERR_FORMAT, "expected the same" },
	{ "CFV with more memory", SEC(1, 16), 8, 0x1000000000, FM_ERR_FORMAT, "pages" },
	{ "unknown type", SEC(2, 24), 4, 7, FM_ERR_FORMAT, "type 7" },
	{ "unknown attribute", SEC(2, 28), 4, 4, FM_ERR_FORMAT, "attributes 0x4" },
	{ "measured but added later", SEC(2, 28), 4, 3, FM_ERR_FORMAT, "attributes 0x3" },
	{ "a second TD_HOB", SEC(2, 24), 4, 2, FM_ERR_EXISTS, "second TD_HOB" },
	{ "no TD_HOB", SEC(3, 24), 4, 3, FM_ERR_FORMAT, "no TD_HOB" },
	{ "temporary memory with data", SEC(2, 4), 4, 16, FM_ERR_FORMAT, "expected none" },
	{ "unaligned address", SEC(2, 8), 8, 0x810800, FM_ERR_FORMAT, "whole pages" },
	{ "no memory", SEC(2, 16), 8, 0, FM_ERR_FORMAT, "whole pages" },
	{ "an address that wraps", SEC(2, 8), 8, 0xfffffffffffff000, FM_ERR_FORMAT, "2^52" },
	{ "a length that wraps", SEC(2, 16), 8, 0xfffffffffffff000, FM_ERR_FORMAT, "2^52" },
	{ "more pages than any guest", SEC(2, 16), 8, 0x40000000, FM_ERR_FORMAT, "pages" },
	{ "sections that overlap", SEC(2, 8), 8, 0x808000, FM_ERR_OVERLAP, "overlaps" },
};

static void each_wrong_field_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		const struct lie *l = &lies[i];
		struct fm_tdvf t, before;
		struct fm_error err = { 0 };

		ovmf_build(image);
		ovmf_put(image + l->at, l->size, l->value);
		memset(&t, 0x5a, sizeof(t));
		before = t;
		if (fm_tdvf_parse(&t, "bad.fd", image, OVMF_LEN, 0, &err) != l->code ||
		    !strstr(err.msg, l->word) || strncmp(err.msg, "bad.fd: ", 8))
			fail_msg("%s: %d: %s", l->what, err.code, err.msg);
		assert_memory_equal(&t, &before, sizeof(t));
	}
}

/* Pages are added by the GiB; what is in them takes time. */
static void contents_without_data_are_bounded(void **state)
{
	const uint64_t most = FM_TDVF_EXTRA_MAX + OVMF_LEN / 4096 - 3; /* BFV */
	struct fm_error err = { 0 };
	struct fm_tdvf t;

	ovmf_build(image);
	ovmf_put(image + SEC(2, 8), 8, 0x100000000);
	ovmf_put(image + SEC(2, 16), 8, (most + 1) * 4096);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
	ovmf_put(image + SEC(2, 28), 4, FM_TDVF_EXTEND);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "contents of 0x"));
	ovmf_put(image + SEC(2, 16), 8, most * 4096);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
}

static void memory_that_is_added_later_is_not_counted(void **state)
{
	struct fm_tdvf t;

	ovmf_build(image);
	ovmf_put(image + SEC(2, 16), 8, 0x80000000);
	ovmf_put(image + SEC(2, 8), 8, 0x100000000);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), FM_ERR_FORMAT);
	ovmf_put(image + SEC(2, 28), 4, FM_TDVF_AUG);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
}

static void cloud_hypervisor_finds_it_without_the_table(void **state)
{
	struct fm_tdvf t;

	ovmf_build(image);
	memset(image + OVMF_LEN - 100, 0, 100);
	ovmf_put(image + OVMF_LEN - 32, 4, OVMF_TDVF);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
	assert_int_equal(t.off, OVMF_TDVF);
	ovmf_put(image + OVMF_LEN - 32, 4, OVMF_LEN - 8);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), FM_ERR_FORMAT);
	ovmf_put(image + OVMF_LEN - 32, 4, 0xffffffff);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), FM_ERR_FORMAT);
}

static void cloud_hypervisor_finds_it_beside_a_table_without_it(void **state)
{
	struct fm_error err = { 0 };
	struct fm_tdvf t;

	ovmf_build(image);
	image[OVMF_TDX + 6] ^= 1; /* the entry is of another GUID now */
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "no TDX metadata"));
	ovmf_put(image + OVMF_LEN - 32, 4, OVMF_TDVF);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
	assert_int_equal(t.off, OVMF_TDVF);
}

/* --- MRTD once more, by the plain definition -------------------------------------------------- */

static struct fm_digest *stream;

static void op(const char *name, uint64_t gpa, const uint8_t *data)
{
	uint8_t block[128] = { 0 };

	memcpy(block, name, strlen(name));
	ovmf_put(block + 16, 8, gpa);
	assert_int_equal(fm_digest_update(stream, block, 128, NULL), 0);
	if (data)
		assert_int_equal(fm_digest_update(stream, data, 256, NULL), 0);
}

static void extend_page(uint64_t gpa, const uint8_t *page)
{
	for (unsigned i = 0; i < 16; i++)
		op("MR.EXTEND", gpa + 256 * i, page + 256 * i);
}

static void mrtd_is_the_stream_of_its_definition_in_both_orders(void **state)
{
	struct fm_tdx_config c = { .struct_size = sizeof(c), .firmware = image };
	uint8_t out[48], expected[48];

	ovmf_build(image);
	c.firmware_len = OVMF_LEN;
	assert_int_equal(fm_digest_new(&stream, FM_DIGEST_SHA384, NULL), 0);
	for (unsigned order = 0; order < 2; order++) {
		for (unsigned i = 0; i < 3; i++) {
			op("MEM.PAGE.ADD", 0xffffd000 + 4096 * i, NULL);
			if (order == FM_TDX_INTERLEAVE)
				extend_page(0xffffd000 + 4096 * i, image + 0x1000 + 4096 * i);
		}
		for (unsigned i = 0; order == FM_TDX_TWO_PASS && i < 3; i++)
			extend_page(0xffffd000 + 4096 * i, image + 0x1000 + 4096 * i);
		op("MEM.PAGE.ADD", 0xffffc000, NULL);
		op("MEM.PAGE.ADD", 0x810000, NULL);
		op("MEM.PAGE.ADD", 0x811000, NULL);
		op("MEM.PAGE.ADD", 0x809000, NULL);
		assert_int_equal(fm_digest_final(stream, expected, NULL), 0);
		c.order = (enum fm_tdx_order)order;
		assert_int_equal(fm_tdx_mrtd(out, &c, NULL), 0);
		assert_memory_equal(out, expected, 48);
	}
	fm_digest_free(stream);
	c.order = (enum fm_tdx_order)2;
	assert_int_equal(fm_tdx_mrtd(out, &c, NULL), FM_ERR_ARG);
	c.firmware = NULL;
	assert_int_equal(fm_tdx_mrtd(out, &c, NULL), FM_ERR_ARG);
}

static void a_payload_ends_in_zeros_and_later_pages_are_not_measured(void **state)
{
	static const struct ovmf_tdx_section payload = { 0x1000, 0x1100, 0x900000, 0x3000, 5, 1 };
	struct fm_tdx_config c = { .struct_size = sizeof(c), .firmware = image };
	uint8_t with[48], without[48];
	const struct fm_measure_step *s;

	ovmf_build(image);
	c.firmware_len = OVMF_LEN;
	ovmf_tdx(image, 2, &payload);
	assert_int_equal(fm_transcript_new(&c.transcript, NULL), 0);
	assert_int_equal(fm_tdx_mrtd(with, &c, NULL), 0);
	assert_int_equal(fm_transcript_count(c.transcript), 3 + 1 + 3 + 1);
	s = fm_transcript_step(c.transcript, 6);
	assert_string_equal(s->part, "firmware payload");
	assert_int_equal(s->gpa, 0x902000);
	fm_transcript_free(c.transcript);
	c.transcript = NULL;
	ovmf_put(image + OVMF_TDVF + 16 + 64 + 28, 4, FM_TDVF_AUG);
	assert_int_equal(fm_tdx_mrtd(without, &c, NULL), 0);
	assert_memory_not_equal(with, without, 48);
}

/* A HOB by hand: 3 GiB less 256 MiB is all low, one page more is split at 2 GiB. */
static void hobs_list_the_memory_between_what_was_accepted(void **state)
{
	static const uint64_t low[][3] = { { 7, 0, 0x809000 },
					   { 0, 0x809000, 0x80a000 },
					   { 7, 0x80a000, 0x810000 },
					   { 0, 0x810000, 0x812000 },
					   { 7, 0x812000, 0xaffff000 } };
	static const uint64_t high[] = { 7, 0x100000000, 0x130000000 };
	struct fm_tdvf t;

	ovmf_build(image);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
	for (unsigned split = 0; split < 2; split++) {
		uint8_t hob[56 + 6 * 48] = { 1, 0, 56, 0, 0, 0, 0, 0, 9 }, out[48], expected[48];
		unsigned n = 5 + split;

		for (unsigned i = 0; i < n; i++) {
			const uint64_t *r = i < 5 ? low[i] : high;
			uint64_t end = i == 4 && split ? 0x80000000 : r[2];
			uint8_t *p = hob + 56 + 48 * i;

			ovmf_put(p, 4, 3 | 48 << 16);
			ovmf_put(p + 24, 4, r[0]);
			ovmf_put(p + 28, 4, 7);
			ovmf_put(p + 32, 8, r[1]);
			ovmf_put(p + 40, 8, end - r[1]);
		}
		ovmf_put(hob + 48, 8, 0x809000 + 56 + 48 * n + 8);
		assert_int_equal(
			fm_digest_bytes(FM_DIGEST_SHA384, hob, 56 + 48 * n, expected, NULL), 0);
		assert_int_equal(fm_tdx_hob(out, &t, split ? 0xb0000000 : 0xaffff000, NULL), 0);
		assert_memory_equal(out, expected, 48);
	}
}

static void hobs_are_of_memory_that_the_firmware_fits(void **state)
{
	struct fm_tdvf t;
	uint8_t a[48], b[48];

	ovmf_build(image);
	assert_int_equal(fm_tdvf_parse(&t, NULL, image, OVMF_LEN, 0, NULL), 0);
	assert_int_equal(fm_tdx_hob(a, &t, 0, NULL), FM_ERR_ARG);
	assert_int_equal(fm_tdx_hob(a, &t, 0x900001, NULL), FM_ERR_ARG);
	assert_int_equal(fm_tdx_hob(a, &t, 0x811000, NULL), FM_ERR_ARG);
	assert_int_equal(fm_tdx_hob(a, &t, 0x812000, NULL), 0);
	/* From 0xb0000000 on the rest is above 4 GiB. */
	assert_int_equal(fm_tdx_hob(a, &t, 0xaffff000, NULL), 0);
	assert_int_equal(fm_tdx_hob(b, &t, 0xb0000000, NULL), 0);
	assert_memory_not_equal(a, b, 48);
	t.sections[1].type = FM_TDVF_TEMP_MEM;
	assert_int_equal(fm_tdx_cfv(a, &t, image, OVMF_LEN, NULL), FM_ERR_NOT_FOUND);
	t.sections[1].type = FM_TDVF_CFV;
	assert_int_equal(fm_tdx_cfv(a, &t, image, 0xfff, NULL), FM_ERR_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_descriptor_is_read),
		cmocka_unit_test(each_wrong_field_is_named),
		cmocka_unit_test(contents_without_data_are_bounded),
		cmocka_unit_test(memory_that_is_added_later_is_not_counted),
		cmocka_unit_test(cloud_hypervisor_finds_it_without_the_table),
		cmocka_unit_test(cloud_hypervisor_finds_it_beside_a_table_without_it),
		cmocka_unit_test(mrtd_is_the_stream_of_its_definition_in_both_orders),
		cmocka_unit_test(a_payload_ends_in_zeros_and_later_pages_are_not_measured),
		cmocka_unit_test(hobs_list_the_memory_between_what_was_accepted),
		cmocka_unit_test(hobs_are_of_memory_that_the_firmware_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
