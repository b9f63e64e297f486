/* SPDX-License-Identifier: BSD-2-Clause */
/* What a tree says beside its memory: visits of its nodes, "compatible", windows of a PCI host bridge. */
#include "tests/unit/fdt_build.h"

struct seen {
	char paths[512];
	int stop_at; /* 1 is the first visit; 0: none */
	int count;
};

static int note_path(const struct fm_fdt_node *node, void *ctx, struct fm_error *err)
{
	struct seen *s = ctx;

	strcat(strcat(s->paths, fm_fdt_node_path(node)), " ");
	if (++s->count == s->stop_at)
		return fm_error_set(err, FM_ERR_ACCESS, 0, "enough");
	return s->count; /* what is not below 0 is no failure */
}

static struct tree small_tree(void)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_prop_text(fdt, "compatible", "x,board");
	fm_fdt_begin(fdt, "cpus");
	fm_fdt_begin(fdt, "cpu@0");
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	fm_fdt_begin(fdt, "off");
	fm_fdt_prop_text(fdt, "status", "disabled");
	fm_fdt_begin(fdt, "child");
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
	fm_fdt_begin(fdt, "secure");
	fm_fdt_prop_text(fdt, "status", "disabled");
	fm_fdt_prop_text(fdt, "secure-status", "okay");
	fm_fdt_end(fdt);
	return tree_end(fdt);
}

static void all_nodes_in_use_are_visited_parents_first(void **state)
{
	struct tree t = small_tree();
	struct seen s = { .stop_at = 0 };

	assert_int_equal(fm_fdt_visit(t.blob, t.len, NULL, note_path, &s, NULL), 0);
	assert_string_equal(s.paths, "/ /cpus /cpus/cpu@0 ");
	free(t.blob);
}

static void a_visit_ends_with_the_first_failure(void **state)
{
	struct tree t = small_tree();

	for (int n = 1; n <= 3; n++) {
		struct seen s = { .stop_at = n };
		struct fm_error err = { 0 };

		assert_int_equal(fm_fdt_visit(t.blob, t.len, "x.dtb", note_path, &s, &err),
				 FM_ERR_ACCESS);
		assert_int_equal(s.count, n);
		assert_string_equal(err.msg, "enough");
		assert_int_equal(fm_fdt_visit(t.blob, t.len, "x.dtb", note_path,
					      &(struct seen){ .stop_at = n }, NULL),
				 FM_ERR_ACCESS);
	}
	free(t.blob);
}

static void what_is_no_tree_is_named(void **state)
{
	struct tree t = small_tree();
	struct seen s = { .stop_at = 0 };
	struct fm_error err;

	assert_int_equal(fm_fdt_visit(t.blob, t.len - 1, "x.dtb", note_path, &s, &err),
			 FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "x.dtb: totalsize"));
	assert_int_equal(fm_fdt_visit(t.blob, 0, NULL, note_path, &s, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "device tree: size"));
	assert_int_equal(fm_fdt_visit(NULL, 1, NULL, note_path, &s, &err), FM_ERR_ARG);
	assert_int_equal(fm_fdt_visit(t.blob, t.len, NULL, NULL, &s, &err), FM_ERR_ARG);
	assert_int_equal(s.count, 0);
	free(t.blob);
}

/* --- one node, asked by a visit ------------------------------------------------------------------ */

struct question {
	const char *path;
	int (*ask)(const struct fm_fdt_node *node, void *answer, struct fm_error *err);
	void *answer;
	int rc;
};

static int ask_one(const struct fm_fdt_node *node, void *ctx, struct fm_error *err)
{
	struct question *q = ctx;

	if (!strcmp(fm_fdt_node_path(node), q->path))
		q->rc = q->ask(node, q->answer, err);
	return q->rc < 0 ? q->rc : 0;
}

/* What `ask` answers about the node; frees the tree. */
static int ask(struct tree t, const char *path,
	       int (*ask_it)(const struct fm_fdt_node *node, void *answer, struct fm_error *err),
	       void *answer, struct fm_error *err)
{
	struct question q = { path, ask_it, answer, -1000 };

	q.rc = 0;
	fm_fdt_visit(t.blob, t.len, "x.dtb", ask_one, &q, err);
	free(t.blob);
	return q.rc;
}

static int ask_compatible(const struct fm_fdt_node *node, void *answer, struct fm_error *err)
{
	return fm_fdt_node_compatible(node, answer, err);
}

static struct tree compatible_tree(void)
{
	struct fm_fdt *fdt = tree_begin();

	fm_fdt_begin(fdt, "uart");
	fm_fdt_prop_texts(fdt, "compatible",
			  (const char *const[]){ "arm,pl011", "arm,primecell", NULL });
	fm_fdt_end(fdt);
	fm_fdt_begin(fdt, "open");
	fm_fdt_prop(fdt, "compatible", "arm,pl011", 9);
	fm_fdt_end(fdt);
	return tree_end(fdt);
}

static void compatible_is_a_list_of_whole_words(void **state)
{
	static const struct {
		const char *path;
		const char *text;
		int answer;
	} rows[] = {
		{ "/uart", "arm,pl011", 1 },
		{ "/uart", "arm,primecell", 1 },
		{ "/uart", "arm,pl01", 0 },
		{ "/uart", "primecell", 0 },
		{ "/uart", "", 0 },
		{ "/", "arm,pl011", 0 },
		{ "/open", "x", FM_ERR_FORMAT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[32];
		struct fm_error err = { 0 };

		strcpy(text, rows[i].text);
		assert_int_equal(ask(compatible_tree(), rows[i].path, ask_compatible, text, &err),
				 rows[i].answer);
	}
}

/* --- a PCI host bridge --------------------------------------------------------------------------- */

#define IO 0x01000000u
#define MEM32 0x02000000u
#define MEM64 0x03000000u
#define PREFETCH 0x40000000u

struct range_question {
	unsigned index;
	struct fm_fdt_pci_range range;
};

static int ask_range(const struct fm_fdt_node *node, void *answer, struct fm_error *err)
{
	struct range_question *q = answer;

	return fm_fdt_node_pci_range(node, q->index, &q->range, err);
}

/* A bridge with these cells for "ranges", open for more. */
static struct fm_fdt *bridge(const uint32_t *cells, size_t count)
{
	struct fm_fdt *fdt = tree_begin();

	tree_bus(fdt, "pcie", 3, 2);
	if (count)
		fm_fdt_prop_u32s(fdt, "ranges", cells, count);
	return fdt;
}

static int range_of(struct fm_fdt *fdt, struct range_question *q, struct fm_error *err)
{
	fm_fdt_end(fdt);
	return ask(tree_end(fdt), "/pcie", ask_range, q, err);
}

static void windows_of_a_bridge_are_told_one_by_one(void **state)
{
	const uint32_t cells[] = {
		IO,    0, 0,          0, 0x3eff0000, 0, 0x10000, /* ports */
		MEM32, 0, 0x10000000, 0, 0x10000000, 0, 0x2eff0000,       MEM64,
		0x80,  0, 0x80,       0, 0x80,       0, MEM64 | PREFETCH, 1,
		0,     2, 0,          0, 1,
	};
	static const struct fm_fdt_pci_range expected[] = {
		{ FM_FDT_PCI_IO, false, 0, 0x3eff0000, 0x10000 },
		{ FM_FDT_PCI_MEM32, false, 0x10000000, 0x10000000, 0x2eff0000 },
		{ FM_FDT_PCI_MEM64, false, UINT64_C(0x8000000000), UINT64_C(0x8000000000),
		  UINT64_C(0x8000000000) },
		{ FM_FDT_PCI_MEM64, true, UINT64_C(1) << 32, UINT64_C(2) << 32, 1 },
	};

	for (unsigned i = 0; i < 4; i++) {
		struct range_question q = { .index = i };
		struct fm_error err = { 0 };

		if (range_of(bridge(cells, 28), &q, &err))
			fail_msg("%s", err.msg);
		assert_int_equal(q.range.space, expected[i].space);
		assert_int_equal(q.range.prefetchable, expected[i].prefetchable);
		assert_int_equal(q.range.pci, expected[i].pci);
		assert_int_equal(q.range.gpa, expected[i].gpa);
		assert_int_equal(q.range.len, expected[i].len);
	}
}

static void refuse_range(struct fm_fdt *fdt, unsigned index, int code, const char *text)
{
	struct range_question q = { .index = index, .range = { .len = 77 } };
	struct fm_error err = { 0 };

	assert_int_equal(range_of(fdt, &q, &err), code);
	if (strncmp(err.msg, "x.dtb: /pcie: ", 14) || !strstr(err.msg, text))
		fail_msg("\"%s\" does not tell \"%s\"", err.msg, text);
	assert_int_equal(q.range.len, 77);
}

static void lies_of_a_bridge_are_named(void **state)
{
	const uint32_t one[] = { MEM32, 0, 0, 0, 0, 0, 0x1000 };
	const uint32_t none[] = { MEM32, 0, 0, 0, 0, 0, 0 };
	const uint32_t wraps[] = { MEM64, UINT32_MAX, UINT32_MAX - 14, 0, 0, 0, 16 };
	const uint32_t cpu_wraps[] = { MEM64, 0, 0, UINT32_MAX, UINT32_MAX - 14, 0, 16 };
	const uint32_t leaves_32[] = { MEM32, 0, UINT32_MAX, 0, 0, 0, 2 };
	struct fm_fdt *fdt;

	refuse_range(bridge(one, 7), 1, FM_ERR_NOT_FOUND, "ranges[1]: expected an index below 1");
	refuse_range(bridge(NULL, 0), 0, FM_ERR_NOT_FOUND, "ranges[0]");
	refuse_range(bridge(one, 6), 0, FM_ERR_FORMAT,
		     "ranges: 24 bytes, expected a multiple of 28");
	refuse_range(bridge(none, 7), 0, FM_ERR_FORMAT, "ranges[0]: 0 bytes");
	refuse_range(bridge(wraps, 7), 0, FM_ERR_RANGE, "ranges[0]");
	refuse_range(bridge(cpu_wraps, 7), 0, FM_ERR_RANGE, "ranges[0]");
	refuse_range(bridge(leaves_32, 7), 0, FM_ERR_RANGE, "ranges[0]");
	fdt = tree_begin();
	tree_bus(fdt, "pcie", 2, 2);
	refuse_range(fdt, 0, FM_ERR_FORMAT, "#address-cells: 2, expected 3");
	fdt = tree_begin();
	tree_bus(fdt, "pcie", 3, 1);
	refuse_range(fdt, 0, FM_ERR_FORMAT, "#size-cells: 1, expected 2");
	fdt = tree_begin();
	fm_fdt_begin(fdt, "pcie");
	refuse_range(fdt, 0, FM_ERR_FORMAT, "#address-cells: is missing");
}

static void a_bridge_below_a_bus_is_seen_through_it(void **state)
{
	const uint32_t cells[] = { MEM32, 0, 0x2000, 0x100, 0, 0x1000 };
	const uint32_t outside[] = { MEM32, 0, 0x2000, 0x800, 0, 0x1000 };

	for (int i = 0; i < 2; i++) {
		struct range_question q = { .index = 0 };
		struct fm_fdt *fdt = tree_begin();
		struct fm_error err = { 0 };
		int rc;

		tree_bus(fdt, "soc", 1, 1);
		fm_fdt_prop_u32s(fdt, "ranges", (const uint32_t[]){ 0, 1, 0, 0x1400 }, 4);
		tree_bus(fdt, "pcie", 3, 2);
		fm_fdt_prop_u32s(fdt, "ranges", i ? outside : cells, 6);
		fm_fdt_end(fdt);
		fm_fdt_end(fdt);
		rc = ask(tree_end(fdt), "/soc/pcie", ask_range, &q, &err);
		assert_int_equal(rc, i ? FM_ERR_FORMAT : 0);
		if (!i)
			assert_int_equal(q.range.gpa, (UINT64_C(1) << 32) + 0x100);
	}
}

static int ask_root(const struct fm_fdt_node *node, void *answer, struct fm_error *err)
{
	return fm_fdt_node_pci_range(node, 0, answer, err);
}

static void the_root_is_no_bridge(void **state)
{
	struct fm_fdt *fdt;
	struct fm_fdt_pci_range r;
	struct fm_error err = { 0 };

	fdt = tree_begin();
	assert_int_equal(ask(tree_end(fdt), "/", ask_root, &r, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "x.dtb: /: #address-cells: 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_nodes_in_use_are_visited_parents_first),
		cmocka_unit_test(a_visit_ends_with_the_first_failure),
		cmocka_unit_test(what_is_no_tree_is_named),
		cmocka_unit_test(compatible_is_a_list_of_whole_words),
		cmocka_unit_test(windows_of_a_bridge_are_told_one_by_one),
		cmocka_unit_test(lies_of_a_bridge_are_named),
		cmocka_unit_test(a_bridge_below_a_bus_is_seen_through_it),
		cmocka_unit_test(the_root_is_no_bridge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
