/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of making slots, plugging and unplugging fails once, and nothing has changed. */
#include "tests/unit/dimm_fixture.h"
#include "tests/unit/nomem.h"

static void slots_are_made_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	struct fm_dimms_config c = dimms_config(f);

	NOMEM_EACH(fm_dimms_new(&f->dimms, &c, &f->err), {
		assert_null(f->dimms);
		assert_null(fm_dimms_of(f->machine));
		assert_null(fm_machine_next_dev(f->machine, NULL));
		assert_int_equal(f->err.code, FM_ERR_NOMEM);
	});
	assert_true(nomem_failed >= 3);
}

static void a_dimm_is_plugged_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	struct fm_block *block = memory("a", FM_ROLE_DIMM, 4 * MIB);
	const struct fm_dimm_config *c = DIMM_CONFIG(.block = block);
	struct fm_dimm *d = NULL;
	struct snapshot was = snap(f);
	unsigned before = nomem_failed;

	NOMEM_EACH(fm_dimm_plug(f->dimms, c, &d, &f->err), {
		assert_null(d);
		assert_int_equal(f->err.code, FM_ERR_NOMEM);
		unchanged(f, &was);
		was = snap(f);
	});
	free(was.saved);
	assert_true(nomem_failed > before + 6);
	assert_ptr_equal(fm_dimms_next(f->dimms, NULL), d);
	assert_ptr_equal(fm_machine_block(f->machine, "a"), block);
}

static void a_dimm_is_hidden_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());
	struct fm_window_config w = { .struct_size = sizeof(w), .dev = fm_dimm_dev(a) };
	struct snapshot was;

	for (unsigned i = 1; i < 12; i++) {
		w.gpa = i * 8 * MIB;
		assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	}
	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	was = snap(f);
	assert_int_equal(was.ranges, 12);
	NOMEM_EACH(fm_dimm_eject(a, &f->err), {
		assert_int_equal(fm_dimm_state(a), FM_DIMM_REQUESTED);
		unchanged(f, &was);
		was = snap(f);
	});
	free(was.saved);
	assert_null(fm_space_next_window(f->space, NULL));
	/* Giving it back needs no memory: it cannot fail for want of some. */
	nomem_countdown = 0;
	nomem_armed = true;
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
	assert_true(nomem_armed);
	nomem_armed = false;
}

static void a_module_is_pulled_out_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());

	NOMEM_EACH(fm_dimm_remove(a, &f->err), assert_int_equal(fm_dimm_state(a), FM_DIMM_PLUGGED));
	assert_int_equal(fm_dimm_state(a), FM_DIMM_EJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE_FACT(slots_are_made_whole_or_not_at_all),
		FACT(a_dimm_is_plugged_whole_or_not_at_all),
		FACT(a_dimm_is_hidden_whole_or_not_at_all),
		FACT(a_module_is_pulled_out_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
