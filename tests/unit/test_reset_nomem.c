/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/nomem.h"
#include "tests/unit/reset_fixture.h"

#include <firmem/dirty.h>

static struct fm_machine *make(void)
{
	struct fm_machine *m = machine_make();
	char name[16];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "ram%u", i);
		fill(add(m, name, FM_ROLE_RAM, i % 2 ? FM_BACKING_MEMFD : FM_BACKING_ANON));
	}
	fill(add(m, "nv", FM_ROLE_NVDIMM, FM_BACKING_ANON));
	return m;
}

static void every_allocation_of_a_plan_may_fail(void **state)
{
	const struct fm_reset_saved saved = { .block = "nv", .digest = "d", .digest_len = 1 };
	struct fm_machine *m = make();
	struct fm_reset_plan *plan = NULL;

	NOMEM_EACH(fm_reset_plan(&plan, m,
				 REQUEST(.kind = FM_RESET_SNAPSHOT, .saved = &saved, .nsaved = 1),
				 NULL),
		   assert_null(plan));
	assert_int_equal(plan->count, 41);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

/* Once it has begun, clearing needs no memory: it does more than it must where it cannot note. */
static void a_reset_fails_before_it_begins_or_not_at_all(void **state)
{
	struct fm_machine *m = make();
	struct fm_reset_plan *plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON));
	struct fm_block *b;
	unsigned refused = 0, before;

	fm_machine_foreach_block (m, FM_WALK_ALL, b)
		fm_dirty_start(fm_block_dirty(b), 0, NULL);
	for (unsigned n = 0;; n++) {
		int rc;

		fm_machine_foreach_block (m, FM_WALK_ALL, b)
			fill(b);
		before = nomem_failed;
		nomem_countdown = n;
		nomem_armed = true;
		rc = fm_reset_apply(m, plan, OPTIONS(.verify = true, .quiesce = allow), NULL, NULL);
		nomem_armed = false;
		assert_true(rc == 0 || rc == FM_ERR_NOMEM);
		refused += rc != 0;
		fm_machine_foreach_block (m, FM_WALK_RESET_TARGETS, b) {
			assert_true(all_bytes(bytes(b), fm_block_len(b), rc ? SECRET : 0));
			if (!rc)
				assert_int_equal(fm_dirty_count(fm_block_dirty(b), 0),
						 fm_block_len(b) / 4096);
		}
		if (nomem_failed == before)
			break;
	}
	assert_int_equal(refused, 1);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void private_ranges_may_not_be_had(void **state)
{
	struct fm_machine *m = make();
	const struct fm_private_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_block *b = fm_machine_block(m, "ram0");

	NOMEM_EACH(fm_private_enable(b, &cfg, NULL),
		   assert_int_equal(fm_private_convert(b, 0, PAGE, true, NULL), FM_ERR_STATE));
	assert_int_equal(fm_private_convert(b, 0, PAGE, true, NULL), 0);
	fm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_a_plan_may_fail),
		cmocka_unit_test(a_reset_fails_before_it_begins_or_not_at_all),
		cmocka_unit_test(private_ranges_may_not_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
