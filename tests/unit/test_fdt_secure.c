/* SPDX-License-Identifier: BSD-2-Clause */
/* Nodes that only the secure world has, by "secure-status". */
#include "tests/unit/fdt_build.h"

static int calls;
static const struct fm_fdt_binding bindings[] = { { "x,ram", tree_build_ram, &calls } };

static int read_tree(struct fm_machine **out, struct tree t, bool secure, struct fm_error *err)
{
	const struct fm_fdt_options options = { .struct_size = sizeof(options),
						.source = "x.dtb",
						.secure = secure };
	int rc;

	*out = NULL;
	rc = fm_machine_from_fdt(out, t.blob, t.len, bindings, 1, &options, err);
	free(t.blob);
	return rc;
}

/* "status" and "secure-status"; NULL: without. */
static void add_status(struct fm_fdt *fdt, const char *status, const char *secure)
{
	if (status)
		fm_fdt_prop_text(fdt, "status", status);
	if (secure)
		fm_fdt_prop_text(fdt, "secure-status", secure);
}

static void add_memory(struct fm_fdt *fdt, const char *name, uint64_t gpa, const char *status,
		       const char *secure)
{
	fm_fdt_begin(fdt, name);
	fm_fdt_prop_text(fdt, "device_type", "memory");
	fm_fdt_prop_reg(fdt, (const uint64_t[]){ gpa, 0x1000 }, 1);
	add_status(fdt, status, secure);
	fm_fdt_end(fdt);
}

static void add_device(struct fm_fdt *fdt, const char *name, uint64_t gpa, const char *status,
		       const char *secure)
{
	tree_device(fdt, name, "x,ram");
	fm_fdt_prop_reg(fdt, (const uint64_t[]){ gpa, 0x1000 }, 1);
	add_status(fdt, status, secure);
	fm_fdt_end(fdt);
}

static struct tree two_worlds(void)
{
	struct fm_fdt *fdt = tree_begin();

	add_memory(fdt, "memory", 0x10000, NULL, NULL);
	add_memory(fdt, "secram", 0x20000, "disabled", "okay");
	add_device(fdt, "uart", 0x1000, "okay", NULL);
	add_device(fdt, "secure-uart", 0x2000, "disabled", "okay");
	add_device(fdt, "nobodys", 0x3000, "disabled", "disabled");
	add_device(fdt, "normal-only", 0x4000, NULL, "disabled");
	/* A bus that only the secure world has, and what is on it. */
	tree_bus(fdt, "bus", 2, 2);
	fm_fdt_prop_empty(fdt, "ranges");
	add_status(fdt, "disabled", "okay");
	add_device(fdt, "behind", 0x5000, NULL, NULL);
	fm_fdt_end(fdt);
	return tree_end(fdt);
}

/* Windows of a space as "ADDRESS ..."; "none" without the space. */
static const char *shown(const struct fm_machine *m, const char *space, char text[128])
{
	const struct fm_space *s = fm_machine_space(m, space);
	size_t len = 0;

	strcpy(text, s ? "" : "none");
	for (struct fm_window *w = NULL; s && (w = fm_space_next_window(s, w));)
		len += (size_t)sprintf(text + len, "%llx ", (unsigned long long)fm_window_gpa(w));
	return text;
}

static void the_secure_world_has_a_space_of_its_own(void **state)
{
	struct fm_machine *m;
	struct fm_error err = { 0 };
	char text[128];

	if (read_tree(&m, two_worlds(), true, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(shown(m, "memory", text), "1000 4000 10000 ");
	assert_string_equal(shown(m, "secure-memory", text), "1000 2000 4000 5000 10000 20000 ");
	assert_non_null(fm_machine_block(m, "memory@20000"));
	fm_machine_free(m);
}

static void without_the_option_its_nodes_are_left_out(void **state)
{
	struct fm_machine *m;
	char text[128];

	assert_int_equal(read_tree(&m, two_worlds(), false, NULL), 0);
	assert_string_equal(shown(m, "memory", text), "1000 4000 10000 ");
	assert_string_equal(shown(m, "secure-memory", text), "none");
	assert_null(fm_machine_block(m, "memory@20000"));
	fm_machine_free(m);
}

static void a_machine_of_one_world_has_one_space(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	struct fm_machine *m;
	char text[128];

	add_memory(fdt, "memory", 0x10000, "okay", "okay");
	add_device(fdt, "nobodys", 0x3000, "disabled", NULL);
	assert_int_equal(read_tree(&m, tree_end(fdt), true, NULL), 0);
	assert_string_equal(shown(m, "memory", text), "10000 ");
	assert_string_equal(shown(m, "secure-memory", text), "none");
	fm_machine_free(m);
}

static void both_worlds_see_the_same_device(void **state)
{
	struct fm_machine *m;
	struct fm_window *a, *b;

	assert_int_equal(read_tree(&m, two_worlds(), true, NULL), 0);
	a = fm_space_next_window(fm_machine_space(m, "memory"), NULL);
	b = fm_space_next_window(fm_machine_space(m, "secure-memory"), NULL);
	assert_ptr_equal(fm_window_dev(a), fm_window_dev(b));
	assert_string_equal(fm_window_name(a), fm_window_name(b));
	fm_machine_free(m);
}

static void a_secure_device_over_a_normal_one_is_refused(void **state)
{
	struct fm_fdt *fdt = tree_begin();
	struct fm_error err = { 0 };
	struct fm_machine *m;

	add_device(fdt, "uart", 0x1000, NULL, NULL);
	add_device(fdt, "secure-uart", 0x1000, "disabled", "okay");
	assert_int_equal(read_tree(&m, tree_end(fdt), true, &err), FM_ERR_OVERLAP);
	assert_null(m);
	assert_non_null(strstr(err.msg, "x.dtb: "));
}

static void a_secure_status_that_is_no_text_is_refused_if_it_is_asked_for(void **state)
{
	struct fm_error err = { 0 };
	struct fm_machine *m;

	for (int secure = 0; secure < 2; secure++) {
		struct fm_fdt *fdt = tree_begin();
		int rc;

		fm_fdt_begin(fdt, "x");
		fm_fdt_prop(fdt, "secure-status", "okay", 4);
		fm_fdt_end(fdt);
		rc = read_tree(&m, tree_end(fdt), secure, &err);
		assert_int_equal(rc, secure ? FM_ERR_FORMAT : 0);
		fm_machine_free(m);
	}
	assert_non_null(strstr(err.msg, "x.dtb: /x: secure-status"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_secure_world_has_a_space_of_its_own),
		cmocka_unit_test(without_the_option_its_nodes_are_left_out),
		cmocka_unit_test(a_machine_of_one_world_has_one_space),
		cmocka_unit_test(both_worlds_see_the_same_device),
		cmocka_unit_test(a_secure_device_over_a_normal_one_is_refused),
		cmocka_unit_test(a_secure_status_that_is_no_text_is_refused_if_it_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
