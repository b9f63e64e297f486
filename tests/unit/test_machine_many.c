/* SPDX-License-Identifier: BSD-2-Clause */
/* Machines and policies of very many parts: what they cost is counted in comparisons of names. */
#include "tests/unit/reset_fixture.h"

#include <stdio.h>

#define MANY 20000u
/* For each: some searches in balanced trees of MANY, whose depth is below 2 * log2(MANY). */
#define EACH 300u

static size_t compared;

/* The linker puts it in the place of strcmp(). */
int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);

int __wrap_strcmp(const char *a, const char *b)
{
	compared++;
	return __real_strcmp(a, b);
}

/* One page behind all blocks. */
static _Alignas(4096) uint8_t page[4096];

struct many {
	struct fm_machine *machine;
	struct fm_block *blocks[MANY];
	char (*names)[32];
};

/* In order, which is the worst for trees that are not balanced. */
static void make(struct many *m, enum fm_role role)
{
	m->machine = machine_make();
	m->names = calloc(MANY, sizeof(*m->names));
	assert_non_null(m->names);
	for (unsigned i = 0; i < MANY; i++) {
		sprintf(m->names[i], "memory@%08x", i);
		m->blocks[i] = must_make(BLOCK_RAW(.name = m->names[i], .role = role,
						   .backing = FM_BACKING_ADOPTED, .ptr = page,
						   .len = sizeof(page), .flags = FM_BLOCK_CONSENT));
	}
	compared = 0;
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(fm_machine_add_block(m->machine, m->blocks[i], NULL), 0);
}

static void drop(struct many *m)
{
	fm_machine_free(m->machine);
	free(m->names);
}

static void a_block_is_found_without_asking_all(void **state)
{
	static struct many m;
	struct fm_block *b;
	unsigned n = 0;

	make(&m, FM_ROLE_RAM);
	fm_machine_foreach_block (m.machine, FM_WALK_ALL, b)
		assert_ptr_equal(b, m.blocks[n++]);
	assert_int_equal(n, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_ptr_equal(fm_machine_block(m.machine, m.names[i]), m.blocks[i]);
	for (unsigned i = 0; i < MANY; i += 2) {
		assert_int_equal(fm_machine_remove_block(m.machine, m.blocks[i], NULL), 0);
		fm_block_free(m.blocks[i]);
		assert_null(fm_machine_block(m.machine, m.names[i]));
	}
	assert_in_range(compared, MANY, EACH * MANY);
	n = 1;
	fm_machine_foreach_block (m.machine, FM_WALK_ALL, b) {
		assert_ptr_equal(b, m.blocks[n]);
		n += 2;
	}
	drop(&m);
}

static void devices_are_no_worse(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *block = add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);

	compared = 0;
	for (unsigned i = 0; i < MANY; i++) {
		struct fm_ram_config cfg = { .struct_size = sizeof(cfg), .block = block };
		struct fm_dev *dev = NULL;
		char name[32];

		sprintf(name, "device%u", i);
		cfg.name = name;
		assert_int_equal(fm_ram_new(&dev, &cfg, NULL), 0);
		assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
		assert_ptr_equal(fm_machine_dev(m, name), dev);
	}
	assert_in_range(compared, MANY, EACH * MANY);
	fm_machine_free(m);
}

static void a_rule_for_each_block_is_a_search_for_each(void **state)
{
	static struct many m;
	struct fm_reset_rule *rules = calloc(MANY, sizeof(*rules));
	struct fm_reset_saved *saved = calloc(MANY, sizeof(*saved));
	struct fm_reset_backing *backings = calloc(MANY, sizeof(*backings));
	struct fm_reset_plan *plan;

	assert_true(rules && saved && backings);
	make(&m, FM_ROLE_NVDIMM);
	for (unsigned i = 0; i < MANY; i++) {
		rules[i] = (struct fm_reset_rule){ .block = m.names[i], .action = FM_RESET_REFUSE };
		saved[i] = (struct fm_reset_saved){ .block = m.names[i], .carried = true };
		backings[i] = (struct fm_reset_backing){ .block = m.names[i] };
	}
	rules[MANY - 1].kinds = 1u << FM_RESET_S3;
	plan = plan_of(m.machine,
		       REQUEST(.kind = FM_RESET_SNAPSHOT, .policy = rules, .npolicy = MANY,
			       .sanitize = (const char *const[]){ "memory@00000001" },
			       .nsanitize = 1, .saved = saved, .nsaved = MANY, .backings = backings,
			       .nbackings = MANY));
	assert_int_equal(plan->count, MANY);
	assert_int_equal(plan->steps[MANY - 2].action, FM_RESET_REFUSE);
	assert_int_equal(plan->steps[MANY - 1].action, FM_RESET_LOAD);
	assert_in_range(compared, MANY, 2 * EACH * MANY);
	fm_reset_plan_free(plan);
	drop(&m);
	free(rules);
	free(saved);
	free(backings);
}

static void many_rules_for_one_block_are_asked_once_each(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_reset_rule *rules = calloc(MANY, sizeof(*rules));

	assert_non_null(rules);
	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	for (unsigned i = 0; i < MANY; i++)
		rules[i] = (struct fm_reset_rule){ .block = "ram", .action = FM_RESET_KEEP };
	compared = 0;
	assert_int_equal(action_of(m, "ram", REQUEST(.policy = rules, .npolicy = MANY)),
			 FM_RESET_KEEP);
	assert_in_range(compared, MANY, EACH * MANY);
	rules[MANY - 1].action = FM_RESET_ZERO;
	plan_fails(
		m, REQUEST(.rules = rules, .nrules = MANY), FM_ERR_EXISTS,
		"rules[19999].action: \"zero\" for block \"ram\" contradicts \"keep\" of rules[0]");
	free(rules);
	fm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_found_without_asking_all),
		cmocka_unit_test(devices_are_no_worse),
		cmocka_unit_test(a_rule_for_each_block_is_a_search_for_each),
		cmocka_unit_test(many_rules_for_one_block_are_asked_once_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
