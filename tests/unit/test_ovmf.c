/* SPDX-License-Identifier: BSD-2-Clause */
/* OVMF's table and SEV metadata: what is right is read, each kind of wrong is a typed error. */
#include "tests/unit/unit.h"

#include "fuzz/ovmf_build.h"

#include <firmem/ovmf.h>

static uint8_t image[OVMF_LEN];

static void the_table_is_read(void **state)
{
	struct fm_ovmf o;

	ovmf_build(image);
	assert_int_equal(fm_ovmf_parse(&o, "x", image, OVMF_LEN, 0, 0, NULL), 0);
	assert_true(o.has_table && o.has_reset && o.has_hashes && o.has_sev && o.has_tdvf);
	assert_false(o.has_svsm);
	assert_int_equal(o.gpa, 0x100000000 - OVMF_LEN);
	assert_int_equal(o.reset_eip, 0x80b004);
	assert_int_equal(o.hashes_gpa, OVMF_HASHES_GPA);
	assert_int_equal(o.hashes_len, 0x400);
	assert_int_equal(o.tdvf_off, OVMF_TDVF);
	assert_int_equal(o.section_count, OVMF_SECTIONS);
	assert_int_equal(o.sections[3].gpa, 0x80f000);
	assert_int_equal(o.sections[3].len, 0x1000);
	assert_int_equal(o.sections[3].type, FM_OVMF_KERNEL_HASHES);
	assert_int_equal(o.sections[3].off, OVMF_META + 16 + 36);
}

/* One field of a right image made wrong. */
struct lie {
	const char *what;
	size_t at;
	unsigned size;
	uint64_t value;
	int code;
	const char *word; /* of the message */
};

#define SEC(i, field) (OVMF_META + 16 + 12 * (i) + 4 * (field))

static const struct lie lies[] = {
	{ "no footer", OVMF_LEN - 48, 1, 0, FM_ERR_FORMAT, "footer is" },
	{ "table longer than the file", OVMF_END, 2, 0xffff, FM_ERR_FORMAT, "table of 65535" },
	{ "table just too long", OVMF_END, 2, OVMF_LEN - 31, FM_ERR_FORMAT, "table of" },
	{ "table shorter than its footer", OVMF_END, 2, 17, FM_ERR_FORMAT, "table of 17" },
	{ "truncated tail", OVMF_END, 2, OVMF_TOTAL + 17, FM_ERR_FORMAT, "17 bytes are left" },
	{ "entry of the tail cut", OVMF_END, 2, OVMF_TOTAL - 1, FM_ERR_FORMAT, "entry of 20" },
	{ "entry longer than the table", OVMF_RESET + 4, 2, 1000, FM_ERR_FORMAT, "entry of 1000" },
	{ "entry of 17", OVMF_RESET + 4, 2, 17, FM_ERR_FORMAT, "entry of 17" },
	{ "entry without its data", OVMF_SEV + 4, 2, 18, FM_ERR_FORMAT, "has 0 bytes of data" },
	{ "hash table too small", OVMF_HASHES + 4, 4, 167, FM_ERR_FORMAT, "167 bytes" },
	{ "hash table crosses a page", OVMF_HASHES, 4, 0x80ff51, FM_ERR_FORMAT, "crosses" },
	{ "hash table outside its section", OVMF_HASHES, 4, 0x801000, FM_ERR_RANGE, "outside" },
	{ "hash table's end outside", OVMF_HASHES + 4, 4, 0xc01, FM_ERR_RANGE, "outside" },
	{ "metadata before the file", OVMF_SEV, 4, OVMF_LEN + 1, FM_ERR_RANGE, "before the end" },
	{ "metadata behind the end", OVMF_SEV, 4, 15, FM_ERR_RANGE, "before the end" },
	{ "no ASEV", OVMF_META, 1, 'B', FM_ERR_FORMAT, "ASEV" },
	{ "another version", OVMF_META + 8, 4, 2, FM_ERR_VERSION, "version 2" },
	{ "metadata length", OVMF_META + 4, 4, 75, FM_ERR_FORMAT, "length 75" },
	{ "section count", OVMF_META + 12, 4, 6, FM_ERR_FORMAT, "6 sections" },
	{ "huge section count", OVMF_META + 12, 4, 0xffffffff, FM_ERR_FORMAT, "4294967295" },
	{ "unaligned gpa", SEC(0, 0), 4, 0x800800, FM_ERR_FORMAT, "0x800800" },
	{ "size 0", SEC(0, 1), 4, 0, FM_ERR_FORMAT, "size 0x0" },
	{ "half a page", SEC(0, 1), 4, 0x800, FM_ERR_FORMAT, "size 0x800" },
	{ "a section that wraps", SEC(0, 1), 4, 0xfffff000, FM_ERR_FORMAT, "wraps" },
	{ "unknown type", SEC(0, 2), 4, 5, FM_ERR_FORMAT, "type 5" },
	{ "type 0", SEC(0, 2), 4, 0, FM_ERR_FORMAT, "type 0" },
	{ "two CPUID pages", SEC(1, 2), 4, 3, FM_ERR_EXISTS, "second cpuid" },
	{ "two secrets pages", SEC(2, 2), 4, 2, FM_ERR_EXISTS, "second secrets" },
	{ "sections that overlap", SEC(0, 1), 4, 0xe000, FM_ERR_OVERLAP, "overlaps 0x800000" },
	{ "a section in the firmware", SEC(4, 0), 4, 0xffff1000, FM_ERR_OVERLAP, "itself" },
	{ "CPUID of two pages", SEC(2, 1), 4, 0x2000, FM_ERR_FORMAT, "one page" },
	{ "TDX descriptor outside", OVMF_TDX, 4, OVMF_LEN + 1, FM_ERR_RANGE, "TDX" },
	{ "TDX descriptor at the end", OVMF_TDX, 4, 0, FM_ERR_RANGE, "TDX" },
};

static void each_wrong_field_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		const struct lie *l = &lies[i];
		struct fm_ovmf o, before;
		struct fm_error err = { 0 };

		ovmf_build(image);
		ovmf_put(image + l->at, l->size, l->value);
		memset(&o, 0x5a, sizeof(o));
		before = o;
		if (fm_ovmf_parse(&o, "bad.fd", image, OVMF_LEN, 0, 0, &err) != l->code ||
		    err.code != l->code || !strstr(err.msg, l->word) ||
		    strncmp(err.msg, "bad.fd: ", 8))
			fail_msg("%s: %d: %s", l->what, err.code, err.msg);
		assert_memory_equal(&o, &before, sizeof(o));
	}
}

static void sizes_that_are_no_firmware_are_refused(void **state)
{
	static const size_t sizes[] = { 0, 1, 49, 50, 4095, OVMF_LEN - 1 };
	struct fm_ovmf o;

	ovmf_build(image);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		assert_int_equal(fm_ovmf_parse(&o, NULL, image, sizes[i], 0, 0, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0x3000, 0, NULL), FM_ERR_ARG);
}

/* A second entry with the reset block's GUID in place of the unknown one. */
static void duplicate(void)
{
	ovmf_build(image);
	ovmf_put(image + OVMF_END, 2, OVMF_TOTAL + 2);
	memcpy(image + OVMF_LAST + 4, image + OVMF_RESET + 6, 16);
	ovmf_put(image + OVMF_LAST + 2, 2, 22);
	ovmf_put(image + OVMF_LAST - 2, 4, 0x123000);
}

static void a_guid_twice_is_an_error_unless_read_as_qemu_does(void **state)
{
	struct fm_ovmf o;
	struct fm_error err = { 0 };

	duplicate();
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, 0, &err), FM_ERR_EXISTS);
	assert_non_null(strstr(err.msg, "00f771de-1a7e-4fcb-890e-68c77e2fb44e"));
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, FM_OVMF_AS_QEMU, &err), 0);
	assert_int_equal(o.duplicates, 1);
	/* The one nearest to the footer; sev-snp-measure takes the other. */
	assert_int_equal(o.reset_eip, 0x80b004);
	/* One that we do not read, and the footer's. */
	memcpy(image + OVMF_LAST + 4, image + OVMF_RESET + 6, 16);
	image[OVMF_RESET + 6] ^= 1;
	image[OVMF_LAST + 4] ^= 1;
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, 0, &err), FM_ERR_EXISTS);
	memcpy(image + OVMF_LAST + 4, image + OVMF_LEN - 48, 16);
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, 0, &err), FM_ERR_EXISTS);
	assert_non_null(strstr(err.msg, "96b582de-1fb2-45f7-baea-a366c55a082d"));
}

static void without_a_table_qemu_finds_the_reset_block(void **state)
{
	struct fm_ovmf o;
	uint8_t guid[16];

	ovmf_build(image);
	memcpy(guid, image + OVMF_RESET + 6, 16);
	memset(image + OVMF_LEN - 100, 0, 68);
	memcpy(image + OVMF_LEN - 48, guid, 16);
	ovmf_put(image + OVMF_LEN - 50, 2, 22);
	ovmf_put(image + OVMF_LEN - 54, 4, 0x80b004);
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, 0, NULL), FM_ERR_FORMAT);
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, FM_OVMF_AS_QEMU, NULL), 0);
	assert_true(o.has_reset && !o.has_table && !o.has_sev);
	assert_int_equal(o.reset_eip, 0x80b004);
	/* One that is longer than the file is none. */
	ovmf_put(image + OVMF_LEN - 50, 2, 0xffff);
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, FM_OVMF_AS_QEMU, NULL), 0);
	assert_false(o.has_reset);
}

static void metadata_that_leaves_the_file_is_refused(void **state)
{
	struct fm_ovmf o;
	struct fm_error err = { 0 };

	ovmf_build(image);
	ovmf_put(image + OVMF_SEV, 4, 32);
	memcpy(image + OVMF_LEN - 32, image + OVMF_META, 32);
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, 0, &err), FM_ERR_RANGE);
	assert_non_null(strstr(err.msg, "76 bytes, expected at most the 32"));
}

static void a_hash_table_at_0_is_none(void **state)
{
	struct fm_ovmf o;

	ovmf_build(image);
	ovmf_put(image + OVMF_HASHES, 8, 0);
	assert_int_equal(fm_ovmf_parse(&o, NULL, image, OVMF_LEN, 0, 0, NULL), 0);
	assert_false(o.has_hashes);
}

static void section_types_have_names(void **state)
{
	assert_string_equal(fm_ovmf_section_name(FM_OVMF_KERNEL_HASHES), "kernel-hashes");
	assert_string_equal(fm_ovmf_section_name((enum fm_ovmf_section_type)5), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_read),
		cmocka_unit_test(each_wrong_field_is_named),
		cmocka_unit_test(sizes_that_are_no_firmware_are_refused),
		cmocka_unit_test(a_guid_twice_is_an_error_unless_read_as_qemu_does),
		cmocka_unit_test(without_a_table_qemu_finds_the_reset_block),
		cmocka_unit_test(metadata_that_leaves_the_file_is_refused),
		cmocka_unit_test(a_hash_table_at_0_is_none),
		cmocka_unit_test(section_types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
