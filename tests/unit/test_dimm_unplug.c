/* SPDX-License-Identifier: BSD-2-Clause */
/* DIMMs that leave: the guest is asked, answers or not; the reset policy; what is freed when. */
#include "tests/unit/dimm_fixture.h"

#include <firmem/reset.h>

static bool is_seen(const struct fixture *f, uint64_t gpa)
{
	const struct fm_view *view = fm_space_view_get(f->space);
	bool seen = fm_view_find(view, gpa) != NULL;

	fm_view_put(view);
	return seen;
}

#define STATE_ERROR(call, value)                                  \
	do {                                                      \
		assert_int_equal(call, FM_ERR_STATE);             \
		says(&f->err, FM_ERR_STATE, "DIMM \"a\"", value); \
	} while (0)

static void the_guest_is_asked_and_may_refuse(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());

	STATE_ERROR(fm_dimm_reject_unplug(a, &f->err), "is plugged");
	STATE_ERROR(fm_dimm_eject(a, &f->err), "is plugged");
	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	assert_int_equal(fm_dimm_state(a), FM_DIMM_REQUESTED);
	STATE_ERROR(fm_dimm_request_unplug(a, &f->err), "is requested");
	STATE_ERROR(fm_dimm_release(a, NULL, &f->err), "is requested");
	/* Until it answers it may use it. */
	assert_true(is_seen(f, REGION));
	assert_int_equal(fm_dimm_reject_unplug(a, NULL), 0);
	assert_int_equal(fm_dimm_state(a), FM_DIMM_PLUGGED);
	assert_true(is_seen(f, REGION));
	/* And be asked again. */
	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
}

static void an_ejected_dimm_is_hidden_and_held_until_it_is_released(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());
	struct fm_block *block = NULL;
	struct fm_block *x = memory("x", FM_ROLE_DIMM, 2 * MIB);

	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	assert_int_equal(fm_dimm_eject(a, NULL), 0);
	assert_false(is_seen(f, REGION));
	assert_int_equal(fm_dimm_state(a), FM_DIMM_EJECTED);
	assert_int_equal(fm_dimms_plugged_memory(f->dimms), 0);
	/* The host may still have it mapped: neither slot nor address nor memory are free. */
	assert_int_equal(fm_dimm_plug(f->dimms,
				      DIMM_CONFIG(.block = x, .use_slot = true, .slot = 0), NULL,
				      &f->err),
			 FM_ERR_EXISTS);
	assert_int_equal(fm_dimm_plug(f->dimms,
				      DIMM_CONFIG(.block = x, .use_gpa = true, .gpa = REGION), NULL,
				      &f->err),
			 FM_ERR_OVERLAP);
	bytes(fm_dimm_block(a))[0] = 0x5a;
	STATE_ERROR(fm_dimm_request_unplug(a, &f->err), "is ejected");
	STATE_ERROR(fm_dimm_remove(a, &f->err), "is ejected");
	assert_int_equal(fm_dimm_release(a, &block, NULL), 0);
	assert_null(fm_dimms_next(f->dimms, NULL));
	assert_null(fm_machine_dev(f->machine, "a"));
	assert_null(fm_machine_block(f->machine, "a"));
	/* The block is ours again, with what was in it. */
	assert_int_equal(bytes(block)[0], 0x5a);
	assert_int_equal(
		fm_dimm_plug(f->dimms, DIMM_CONFIG(.block = block, .id = "again"), &a, NULL), 0);
	assert_int_equal(fm_dimm_slot(a), 0);
	assert_true(fm_dimm_gpa(a) == REGION);
	fm_block_free(x);
}

static void a_fixed_dimm_is_not_asked_for_but_can_be_pulled_out(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG(.fixed = true));

	STATE_ERROR(fm_dimm_request_unplug(a, &f->err), "fixed");
	assert_int_equal(fm_dimm_remove(a, NULL), 0);
	assert_false(is_seen(f, REGION));
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
}

static void a_module_is_pulled_out_without_an_answer(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());

	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	assert_int_equal(fm_dimm_remove(a, NULL), 0);
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
	assert_null(fm_dimms_find(f->dimms, "a"));
}

static void all_windows_go_in_one_change(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());
	struct fm_window_config w = { .struct_size = sizeof(w), .dev = fm_dimm_dev(a) };
	const struct fm_view *before, *after;

	for (unsigned i = 1; i < 4; i++) {
		w.gpa = i * 16 * MIB;
		w.disabled = i == 3;
		assert_int_equal(fm_space_add(f->space, &w, NULL, NULL), 0);
	}
	before = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(before), 3);
	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	assert_int_equal(fm_dimm_eject(a, NULL), 0);
	after = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(after), 0);
	assert_null(fm_space_next_window(f->space, NULL));
	fm_view_put(before);
	fm_view_put(after);
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
}

static void what_another_space_or_device_uses_is_not_freed(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());
	struct fm_space_config sc = { .struct_size = sizeof(sc), .name = "smm" };
	struct fm_window_config w = { .struct_size = sizeof(w), .dev = fm_dimm_dev(a) };
	struct fm_ram_config rc = { .struct_size = sizeof(rc),
				    .name = "second",
				    .block = fm_dimm_block(a) };
	struct fm_space *smm;
	struct fm_dimm *b;
	struct fm_window *window;
	struct fm_dev *second;

	assert_int_equal(fm_space_new(&smm, &sc, NULL), 0);
	assert_int_equal(fm_machine_add_space(f->machine, smm, NULL), 0);
	assert_int_equal(fm_space_add(smm, &w, &window, NULL), 0);
	assert_int_equal(fm_dimm_remove(a, NULL), 0);
	assert_int_equal(fm_dimm_release(a, NULL, &f->err), FM_ERR_BUSY);
	says(&f->err, FM_ERR_BUSY, "\"a\"", "space \"smm\"");
	assert_int_equal(fm_space_remove(smm, window, NULL), 0);
	assert_int_equal(fm_ram_new(&second, &rc, NULL), 0);
	assert_int_equal(fm_machine_add_dev(f->machine, second, NULL), 0);
	assert_int_equal(fm_dimm_release(a, NULL, &f->err), FM_ERR_BUSY);
	says(&f->err, FM_ERR_BUSY, "\"a\"", "device \"second\"");
	assert_ptr_equal(fm_dimms_find(f->dimms, "a"), a);
	assert_int_equal(fm_machine_remove_dev(f->machine, second, NULL), 0);
	fm_dev_free(second);
	/* A space whose device is not the machine's shows it: the DIMM stays as and where it is. */
	b = plug(f, "b", 4, DIMM_CONFIG());
	assert_int_equal(fm_ram_new(&second, &rc, NULL), 0);
	w.dev = second;
	assert_int_equal(fm_space_add(smm, &w, &window, NULL), 0);
	assert_int_equal(fm_dimm_release(a, NULL, &f->err), FM_ERR_BUSY);
	assert_ptr_equal(fm_machine_dev(f->machine, "a"), fm_dimm_dev(a));
	assert_ptr_equal(fm_machine_next_dev(f->machine, fm_dimm_dev(a)), fm_dimm_dev(b));
	assert_int_equal(fm_space_remove(smm, window, NULL), 0);
	fm_space_quiesce(smm);
	fm_dev_free(second);
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
}

static void nothing_leaves_between_begin_and_commit(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());

	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	fm_space_begin(f->space);
	assert_int_equal(fm_dimm_eject(a, &f->err), FM_ERR_STATE);
	assert_int_equal(fm_dimm_remove(a, &f->err), FM_ERR_STATE);
	says(&f->err, FM_ERR_STATE, "space \"memory\"", "between");
	fm_space_abort(f->space);
	assert_true(is_seen(f, REGION));
	assert_int_equal(fm_dimm_state(a), FM_DIMM_REQUESTED);
}

/* --- an NVDIMM whose file does not take it ------------------------------------------------------- */

struct nv {
	struct fm_block *block;
	int rc;
	unsigned flushes;
};

static void nv_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct nv *nv = state;

	out->len = fm_block_len(nv->block);
	out->prot = FM_MAP_READ;
	out->block = nv->block;
}

static int nv_flush(void *state, struct fm_error *err)
{
	struct nv *nv = state;

	nv->flushes++;
	return nv->rc ? fm_error_set(err, nv->rc, 5, "the file does not take it") : 0;
}

static struct fm_dimm *plug_nv(struct fixture *f, struct nv *nv)
{
	static const struct fm_dev_ops ops = {
		.struct_size = sizeof(ops), .type = "nv", .map = nv_map, .flush = nv_flush
	};
	struct fm_dev_config dc = { .struct_size = sizeof(dc), .name = "a", .len = 4 * MIB };
	struct fm_dev *dev;
	struct fm_dimm *d;

	nv->block = memory("nv", FM_ROLE_NVDIMM, 4 * MIB);
	assert_int_equal(fm_dev_new(&dev, &ops, nv, &dc, NULL), 0);
	assert_int_equal(
		fm_dimm_plug(f->dimms, DIMM_CONFIG(.block = nv->block, .dev = dev), &d, NULL), 0);
	return d;
}

static void an_nvdimm_that_cannot_be_flushed_is_not_let_go(void **state)
{
	struct fixture *f = *state;
	struct nv nv = { .rc = FM_ERR_IO };
	struct fm_dimm *a = plug_nv(f, &nv);

	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	assert_int_equal(fm_dimm_eject(a, &f->err), FM_ERR_IO);
	assert_int_equal(fm_dimm_state(a), FM_DIMM_REQUESTED);
	assert_true(is_seen(f, REGION));
	nv.rc = 0;
	assert_int_equal(fm_dimm_eject(a, NULL), 0);
	assert_int_equal(nv.flushes, 2);
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
}

static void an_nvdimm_that_is_pulled_out_keeps_what_went_wrong(void **state)
{
	struct fixture *f = *state;
	struct nv nv = { .rc = FM_ERR_IO };
	struct fm_dimm *a = plug_nv(f, &nv);
	struct fm_error err = { .code = 0 };

	assert_int_equal(fm_dimm_remove(a, NULL), 0);
	assert_int_equal(fm_dev_error(fm_dimm_dev(a), &err), FM_ERR_IO);
	assert_string_equal(err.msg, "the file does not take it");
	assert_int_equal(fm_dev_pending(fm_dimm_dev(a)), FM_EFF_IOERR);
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
}

/* --- resets ------------------------------------------------------------------------------------- */

static const struct fm_reset_rule unplug_dimms = { .role = FM_ROLE_DIMM,
						   .action = FM_RESET_UNPLUG };

static void reset(struct fixture *f, struct fm_reset_report *report)
{
	const struct fm_reset_request r = { .struct_size = sizeof(r),
					    .kind = FM_RESET_POWER_ON,
					    .rules = &unplug_dimms,
					    .nrules = 1 };
	struct fm_reset_options o = { .struct_size = sizeof(o), .verify = true };
	struct fm_reset_plan *plan;

	assert_int_equal(fm_reset_plan(&plan, f->machine, &r, NULL), 0);
	if (fm_reset_apply(f->machine, plan, &o, report, &f->err))
		fail_msg("%s", f->err.msg);
	fm_reset_plan_free(plan);
}

static void a_reset_that_unplugs_goes_through_the_slot(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG(.fixed = true));
	struct fm_dimm *b = plug(f, "b", 2, DIMM_CONFIG());
	struct fm_reset_report report = { .effects = 0 };

	memset(bytes(fm_dimm_block(a)), 0xa5, 4 * MIB);
	assert_int_equal(fm_dimm_request_unplug(b, NULL), 0);
	reset(f, &report);
	assert_true(report.effects & FM_EFF_REMAP);
	fm_reset_report_clear(&report);
	assert_int_equal(fm_dimm_state(a), FM_DIMM_EJECTED);
	assert_int_equal(fm_dimm_state(b), FM_DIMM_EJECTED);
	assert_false(is_seen(f, REGION) || is_seen(f, REGION + 4 * MIB));
	assert_true(all_bytes(fm_block_ptr(fm_dimm_block(a)), 4 * MIB, 0));
	/* The same again has nothing left to hide. */
	reset(f, &report);
	assert_false(report.effects & FM_EFF_REMAP);
	fm_reset_report_clear(&report);
	assert_int_equal(fm_dimm_release(b, NULL, NULL), 0);
	assert_int_equal(fm_dimm_release(a, NULL, NULL), 0);
}

static void a_reset_of_the_devices_leaves_a_request_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct fm_dimm *a = plug(f, "a", 4, DIMM_CONFIG());

	assert_int_equal(fm_dimm_request_unplug(a, NULL), 0);
	fm_machine_reset(f->machine, FM_RESET_SYSTEM);
	assert_int_equal(fm_dimm_state(a), FM_DIMM_REQUESTED);
}

static void words_are_words(void **state)
{
	assert_string_equal(fm_dimm_state_name(FM_DIMM_PLUGGED), "plugged");
	assert_string_equal(fm_dimm_state_name(FM_DIMM_REQUESTED), "requested");
	assert_string_equal(fm_dimm_state_name(FM_DIMM_EJECTED), "ejected");
	assert_string_equal(fm_dimm_state_name(FM_DIMM_STATE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(the_guest_is_asked_and_may_refuse),
		FACT(an_ejected_dimm_is_hidden_and_held_until_it_is_released),
		FACT(a_fixed_dimm_is_not_asked_for_but_can_be_pulled_out),
		FACT(a_module_is_pulled_out_without_an_answer),
		FACT(all_windows_go_in_one_change),
		FACT(what_another_space_or_device_uses_is_not_freed),
		FACT(nothing_leaves_between_begin_and_commit),
		FACT(an_nvdimm_that_cannot_be_flushed_is_not_let_go),
		FACT(an_nvdimm_that_is_pulled_out_keeps_what_went_wrong),
		FACT(a_reset_that_unplugs_goes_through_the_slot),
		FACT(a_reset_of_the_devices_leaves_a_request_as_it_is),
		cmocka_unit_test(words_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
