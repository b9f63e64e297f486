/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree as bytes: what the writer refuses, and what the reader finds in broken blobs. */
#include "tests/unit/fdt_build.h"

#include "devices/bytes.h"

#include <firmem/machine.h>

enum {
	TAG_BEGIN = 1,
	TAG_END = 2,
	TAG_PROP = 3,
	TAG_NOP = 4,
	TAG_LAST = 9,
	AT_TOTALSIZE = 4,
	AT_OFF_STRUCT = 8,
	AT_VERSION = 20,
	AT_LAST_COMPATIBLE = 24,
	HEADER = 40,
};

/* --- writing ------------------------------------------------------------------------------- */

static void expect_failure(struct fm_fdt *fdt, int code, const char *text)
{
	struct fm_error err = { 0 };
	void *blob = &err;
	size_t len = 7;

	assert_int_equal(fm_fdt_finish(fdt, &blob, &len, &err), code);
	if (!strstr(err.msg, text))
		fail_msg("\"%s\" does not tell \"%s\"", err.msg, text);
	assert_ptr_equal(blob, &err);
	assert_int_equal(len, 7);
	fm_fdt_free(fdt);
}

static void a_node_left_open_is_named(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "soc");
	fm_fdt_begin(fdt, "bus@1");
	expect_failure(fdt, FM_ERR_STATE, "/soc/bus@1: is still open");
}

static void more_ends_than_begins_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "soc");
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	expect_failure(fdt, FM_ERR_STATE, "/: ends more nodes than began");
}

static void a_property_behind_a_child_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "soc");
	fm_fdt_begin(fdt, "bus");
	fm_fdt_end(fdt);
	fm_fdt_prop_u32(fdt, "late", 1);
	expect_failure(fdt, FM_ERR_STATE, "/soc: late: comes after a child");
}

static void a_property_twice_in_a_node_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_prop_u32(fdt, "#address-cells", 1);
	expect_failure(fdt, FM_ERR_STATE, "/: #address-cells: is there already");
}

static void the_same_property_in_parent_and_child_is_fine(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_prop_text(fdt, "compatible", "a");
	fm_fdt_begin(fdt, "soc");
	fm_fdt_prop_text(fdt, "compatible", "b");
	fm_fdt_end(fdt);
	free(tree_end(fdt).blob);
}

static void names_that_are_missing_or_paths_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "a/b");
	expect_failure(fdt, FM_ERR_ARG, "\"a/b\", expected one without '/'");
	fdt = tree_begin();
	fm_fdt_begin(fdt, NULL);
	expect_failure(fdt, FM_ERR_ARG, "child's name");
	fdt = tree_begin();
	fm_fdt_prop_u32(fdt, NULL, 1);
	expect_failure(fdt, FM_ERR_ARG, "name is missing");
}

static void values_that_are_missing_are_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_prop_text(fdt, "model", NULL);
	expect_failure(fdt, FM_ERR_ARG, "\"model\": value is missing");
	fdt = tree_begin();
	fm_fdt_prop_texts(fdt, "model", (const char *const[]){ NULL });
	expect_failure(fdt, FM_ERR_ARG, "\"model\": value is missing");
	fdt = tree_begin();
	fm_fdt_prop_reg(fdt, NULL, 1);
	expect_failure(fdt, FM_ERR_ARG, "reg: 0 values");
	fdt = tree_begin();
	fm_fdt_add_flash(fdt, (const uint64_t[]){ 0, 1 }, 0, 4);
	expect_failure(fdt, FM_ERR_ARG, "/flash@0: reg: 0 values");
	fdt = tree_begin();
	fm_fdt_prop_reg(fdt, (const uint64_t[]){ 0, 1 }, SIZE_MAX / 2 + 2);
	expect_failure(fdt, FM_ERR_ARG, "reg: 0 values");
}

static int see_pmem(const struct fm_fdt_node *node, struct fm_machine *machine,
		    struct fm_space *space, void *ctx, struct fm_error *err)
{
	uint64_t addr, len, *sum = ctx;

	assert_int_equal(fm_fdt_node_reg_count(node, err), 2);
	assert_int_equal(fm_fdt_node_reg(node, 1, &addr, &len, err), 0);
	*sum += addr + len + fm_fdt_node_has(node, "volatile");
	return 0;
}

static void persistent_memory_has_a_node_of_its_ranges(void **state)
{
	const uint64_t regs[4] = { 0x100000000, 0x1000, 0x200000000, 0x2000 };
	uint64_t sum = 0;
	const struct fm_fdt_binding binding = { "pmem-region", see_pmem, &sum };

	for (unsigned lost = 0; lost < 2; lost++) {
		struct fm_fdt *fdt = tree_begin();
		struct fm_machine *machine;
		struct tree t;

		fm_fdt_add_memory(fdt, 0, 0x1000, -1);
		fm_fdt_add_pmem(fdt, regs, 2, lost);
		t = tree_end(fdt);
		sum = 0;
		assert_int_equal(
			fm_machine_from_fdt(&machine, t.blob, t.len, &binding, 1, NULL, NULL), 0);
		assert_int_equal(sum, 0x200002000 + lost);
		fm_machine_free(machine);
		free(t.blob);
	}
}

static void the_first_failure_is_the_one_reported(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_prop_text(fdt, "first", NULL);
	fm_fdt_begin(fdt, "a/b");
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	expect_failure(fdt, FM_ERR_ARG, "first");
}

static void a_finished_tree_takes_nothing_more(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	struct fm_error err = { 0 };
	void *blob;
	size_t len;

	assert_int_equal(fm_fdt_finish(fdt, &blob, &len, NULL), 0);
	free(blob);
	assert_int_equal(fm_fdt_finish(fdt, &blob, &len, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "was finished before"));
	fm_fdt_begin(fdt, "late");
	fm_fdt_prop_u32(fdt, "late", 1);
	fm_fdt_end(fdt);
	fm_fdt_free(fdt);
}

static void an_unfinished_tree_is_freed(void **state)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "soc");
	fm_fdt_prop_u32(fdt, "x", 1);
	fm_fdt_free(fdt);
	fm_fdt_free(NULL);
}

/* Deterministic, whatever was in memory before; and grown well beyond the first buffer. */
static struct tree large_tree(void)
{
	struct fm_fdt *fdt = tree_begin();

	for (unsigned i = 0; i < 2000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "node-%u", i);
		fm_fdt_begin(fdt, name);
		fm_fdt_prop_text(fdt, name, "odd");
		fm_fdt_prop(fdt, "byte", "\1", 1);
		fm_fdt_prop_empty(fdt, "empty");
		fm_fdt_prop_u64(fdt, "u64", 0x1122334455667788);
		fm_fdt_end(fdt);
	}
	return tree_end(fdt);
}

static void equal_calls_make_equal_bytes_and_any_length(void **state)
{
	struct tree a = large_tree();
	struct tree b = large_tree();

	assert_in_range(a.len, 2000 * 80, 2000 * 160);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.blob, b.blob, a.len);
	assert_int_equal(fmi_be32((uint8_t *)a.blob + AT_TOTALSIZE), a.len);
	free(a.blob);
	free(b.blob);
}

static void one_property_may_be_longer_than_the_buffer_so_far(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	uint8_t *bytes = calloc(1, 1000000);
	struct tree t;

	fm_fdt_prop(fdt, "long", bytes, 1000000);
	t = tree_end(fdt);
	assert_in_range(t.len, 1000000, 1000400);
	free(t.blob);
	free(bytes);
}

/* --- broken blobs -------------------------------------------------------------------------- */

static int read_tree(const void *blob, size_t len, struct fm_error *err)
{
	struct fm_machine *machine = NULL;
	const struct fm_fdt_options options = { .struct_size = sizeof(options), .source = "x.dtb" };
	int rc = fm_machine_from_fdt(&machine, blob, len, NULL, 0, &options, err);

	assert_true(rc ? !machine : machine != NULL);
	fm_machine_free(machine);
	return rc;
}

static void expect_refusal(const struct tree *t, int code, const char *text)
{
	struct fm_error err = { 0 };

	assert_int_equal(read_tree(t->blob, t->len, &err), code);
	assert_int_equal(err.code, code);
	if (strncmp(err.msg, "x.dtb: ", 7) || !strstr(err.msg, text))
		fail_msg("\"%s\" does not tell \"%s\"", err.msg, text);
}

/* "/aaa" and "/bbb" without properties, and a root with its two. */
static struct tree small_tree(void)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "aaa");
	fm_fdt_end(fdt);
	fm_fdt_begin(fdt, "bbb");
	fm_fdt_end(fdt);
	return tree_end(fdt);
}

/* The words of the structure block. */
static uint8_t *words(const struct tree *t)
{
	return (uint8_t *)t->blob + fmi_be32((uint8_t *)t->blob + AT_OFF_STRUCT);
}

static void put_words(uint8_t *p, const uint32_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fmi_put_be32(p + 4 * i, values[i]);
}

/* Where the BEGIN of small_tree()'s "aaa" is: behind the root's name and two properties. */
#define AT_AAA (4 * (2 + 2 * 4))
#define WORD_AAA 0x61616100u
#define WORD_BBB 0x62626200u

static void the_small_tree_is_fine_as_it_is(void **state)
{
	struct tree t = small_tree();

	assert_int_equal(read_tree(t.blob, t.len, NULL), 0);
	assert_int_equal(fmi_be32(words(&t) + AT_AAA), TAG_BEGIN);
	assert_int_equal(fmi_be32(words(&t) + AT_AAA + 4), WORD_AAA);
	free(t.blob);
}

static void a_tree_may_lie_at_any_address(void **state)
{
	struct tree t = small_tree();
	char *moved = malloc(t.len + 8);

	for (size_t i = 0; i < 8; i++) {
		memcpy(moved + i, t.blob, t.len);
		assert_int_equal(read_tree(moved + i, t.len, NULL), 0);
	}
	free(moved);
	free(t.blob);
}

static void every_truncation_is_refused(void **state)
{
	struct tree t = small_tree();

	for (size_t len = 0; len < t.len; len++) {
		/* A copy of its own, so that a sanitizer sees a read behind the end. */
		uint8_t *cut = malloc(len ? len : 1);

		memcpy(cut, t.blob, len);
		assert_int_equal(read_tree(cut, len, NULL), FM_ERR_SIZE);
		free(cut);
	}
	free(t.blob);
}

static void a_header_alone_and_an_empty_file_are_told_by_size(void **state)
{
	struct tree t = small_tree();
	struct tree cut = { t.blob, 0 };

	expect_refusal(&cut, FM_ERR_SIZE, "size: 0 bytes, expected at least a header of 40");
	cut.len = HEADER;
	expect_refusal(&cut, FM_ERR_SIZE, "expected at most the 40 bytes that are there");
	free(t.blob);
}

static void a_tree_that_says_it_is_shorter_than_a_header_is_refused(void **state)
{
	struct tree t = small_tree();

	for (size_t len = 8; len < HEADER; len++) {
		struct tree cut = { malloc(len), len };

		memcpy(cut.blob, t.blob, len);
		fmi_put_be32((uint8_t *)cut.blob + AT_TOTALSIZE, (uint32_t)len);
		expect_refusal(&cut, FM_ERR_SIZE, "expected at least a header of 40");
		free(cut.blob);
	}
	free(t.blob);
}

/* QEMU's riscv machines dump a packed tree at the start of a large buffer. */
static void bytes_behind_the_tree_are_not_looked_at(void **state)
{
	struct tree t = small_tree();
	struct tree longer = { malloc(2 * t.len), 2 * t.len };

	memset(longer.blob, 0xa5, longer.len);
	memcpy(longer.blob, t.blob, t.len);
	assert_int_equal(read_tree(longer.blob, longer.len, NULL), 0);
	fmi_put_be32((uint8_t *)longer.blob + AT_TOTALSIZE, (uint32_t)longer.len + 1);
	expect_refusal(&longer, FM_ERR_SIZE, "totalsize");
	free(longer.blob);
	free(t.blob);
}

static void another_magic_is_refused(void **state)
{
	struct tree t = small_tree();

	memcpy(t.blob,
	       "\x7f"
	       "ELF",
	       4);
	expect_refusal(&t, FM_ERR_FORMAT, "magic: 0x7f454c46, expected 0xd00dfeed");
	free(t.blob);
}

static void other_versions_are_refused(void **state)
{
	struct tree t = small_tree();

	fmi_put_be32((uint8_t *)t.blob + AT_VERSION, 16);
	expect_refusal(&t, FM_ERR_VERSION, "version: 16");
	fmi_put_be32((uint8_t *)t.blob + AT_VERSION, 18);
	fmi_put_be32((uint8_t *)t.blob + AT_LAST_COMPATIBLE, 18);
	expect_refusal(&t, FM_ERR_VERSION, "compatible down to 18, expected 17");
	free(t.blob);
}

static void a_newer_compatible_version_is_read(void **state)
{
	struct tree t = small_tree();

	fmi_put_be32((uint8_t *)t.blob + AT_VERSION, 18);
	fmi_put_be32((uint8_t *)t.blob + AT_LAST_COMPATIBLE, 17);
	assert_int_equal(read_tree(t.blob, t.len, NULL), 0);
	free(t.blob);
}

static void offsets_that_leave_the_blob_are_refused(void **state)
{
	static const uint32_t values[] = { 0, 7, 0x7ffffff0, 0x80000000, 0xfffffff8, UINT32_MAX };

	/* off_dt_struct, off_dt_strings, off_mem_rsvmap, and the two sizes. */
	for (size_t at = 8; at < HEADER; at += at == 16 ? 16 : 4) {
		for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
			struct tree t = small_tree();

			fmi_put_be32((uint8_t *)t.blob + at, values[i]);
			assert_int_not_equal(read_tree(t.blob, t.len, NULL), 0);
			free(t.blob);
		}
	}
}

static void a_property_behind_a_child_in_the_blob_is_refused(void **state)
{
	/* BEGIN "bbb" END becomes a property with no value, named by the first string. */
	static const uint32_t prop[] = { TAG_PROP, 0, 0 };
	struct tree t = small_tree();

	put_words(words(&t) + AT_AAA + 12, prop, 3);
	expect_refusal(&t, FM_ERR_FORMAT, "a node's properties before its children");
	free(t.blob);
}

/* Which of these libfdt itself finds depends on its version. */
static void a_second_root_is_refused(void **state)
{
	static const uint32_t two[] = { TAG_END, TAG_BEGIN, WORD_BBB, TAG_END };
	struct tree t = small_tree();

	put_words(words(&t) + AT_AAA + 12, two, 4);
	expect_refusal(&t, FM_ERR_FORMAT, "structure: ");
	free(t.blob);
}

static void a_tree_that_starts_with_no_node_is_refused(void **state)
{
	static const uint32_t nop_first[] = { TAG_NOP, TAG_BEGIN, 0 };
	struct tree t = small_tree();

	fmi_put_be32(words(&t), TAG_LAST);
	expect_refusal(&t, FM_ERR_FORMAT, "structure: ");
	free(t.blob);
	t = small_tree();
	put_words(words(&t), nop_first, 3);
	/* What is left of the first property. */
	put_words(words(&t) + 12, (const uint32_t[]){ TAG_NOP, TAG_NOP, TAG_NOP }, 3);
	expect_refusal(&t, FM_ERR_FORMAT, "structure: ");
	free(t.blob);
}

static void a_root_with_a_name_is_refused(void **state)
{
	struct tree t = small_tree();

	fmi_put_be32(words(&t) + 4, WORD_AAA);
	expect_refusal(&t, FM_ERR_FORMAT, "structure: ");
	free(t.blob);
}

static void no_single_wrong_byte_does_harm(void **state)
{
	struct tree t = small_tree();
	uint8_t *bytes = t.blob;

	for (size_t i = 0; i < t.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1 << bit);
			read_tree(t.blob, t.len, NULL);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
	free(t.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_left_open_is_named),
		cmocka_unit_test(more_ends_than_begins_are_refused),
		cmocka_unit_test(a_property_behind_a_child_is_refused),
		cmocka_unit_test(a_property_twice_in_a_node_is_refused),
		cmocka_unit_test(the_same_property_in_parent_and_child_is_fine),
		cmocka_unit_test(names_that_are_missing_or_paths_are_refused),
		cmocka_unit_test(values_that_are_missing_are_refused),
		cmocka_unit_test(persistent_memory_has_a_node_of_its_ranges),
		cmocka_unit_test(the_first_failure_is_the_one_reported),
		cmocka_unit_test(a_finished_tree_takes_nothing_more),
		cmocka_unit_test(an_unfinished_tree_is_freed),
		cmocka_unit_test(equal_calls_make_equal_bytes_and_any_length),
		cmocka_unit_test(one_property_may_be_longer_than_the_buffer_so_far),
		cmocka_unit_test(the_small_tree_is_fine_as_it_is),
		cmocka_unit_test(a_tree_may_lie_at_any_address),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(a_header_alone_and_an_empty_file_are_told_by_size),
		cmocka_unit_test(a_tree_that_says_it_is_shorter_than_a_header_is_refused),
		cmocka_unit_test(bytes_behind_the_tree_are_not_looked_at),
		cmocka_unit_test(another_magic_is_refused),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(a_newer_compatible_version_is_read),
		cmocka_unit_test(offsets_that_leave_the_blob_are_refused),
		cmocka_unit_test(a_property_behind_a_child_in_the_blob_is_refused),
		cmocka_unit_test(a_second_root_is_refused),
		cmocka_unit_test(a_tree_that_starts_with_no_node_is_refused),
		cmocka_unit_test(a_root_with_a_name_is_refused),
		cmocka_unit_test(no_single_wrong_byte_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
