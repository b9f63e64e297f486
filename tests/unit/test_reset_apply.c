/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/reset_host.h"
#include "tests/unit/tmpdir.h"

#include <firmem/dirty.h>
#include <firmem/flash.h>

static const struct fm_reset_saved *saved_all(void)
{
	static const struct fm_reset_saved saved[] = {
		{ .block = "flash-code", .digest = "x", .digest_len = 1 },
		{ .block = "flash-vars", .carried = true },
		{ .block = "nvdimm", .carried = true },
		{ .block = "label", .digest = "x", .digest_len = 1 },
		{ .block = "virtio-pmem", .digest = "x", .digest_len = 1 },
	};

	return saved;
}

/* Did that happen to the block which its plan says? */
static void expect_outcome(const struct fm_reset_step *s, const struct fm_reset_result *r)
{
	const uint8_t *p = fm_block_ptr(s->object);
	uint64_t len = fm_block_len(s->object);
	bool good = false;

	switch (s->action) {
	case FM_RESET_KEEP:
	case FM_RESET_FLUSH_KEEP:
		good = s->role == FM_ROLE_PPI || all_bytes(p, len, SECRET);
		break;
	case FM_RESET_ZERO:
	case FM_RESET_DISCARD:
	case FM_RESET_UNPLUG:
	case FM_RESET_REBUILD:
		good = all_bytes(p, len, 0) && r->written + r->released > 0;
		break;
	case FM_RESET_RELOAD:
		good = p[0] == 1 && p[1] == 8 && !memchr(p, SECRET, 8) && r->written;
		break;
	case FM_RESET_LOAD:
		good = all_bytes(p, len, 0x11);
		break;
	case FM_RESET_ACKNOWLEDGE:
		good = !(p[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY);
		break;
	case FM_RESET_REFUSE:
	case FM_RESET_ACTION_COUNT:
		break;
	}
	if (!good || r->action != s->action)
		fail_msg("%s: %s planned, %s done", s->block, fm_reset_action_name(s->action),
			 fm_reset_action_name(r->action));
}

static void every_kind_does_what_its_plan_says_on_every_role_and_backing(void **state)
{
	for (unsigned turn = 0; turn < 4 * FM_RESET_COUNT; turn++) {
		enum fm_reset_kind kind = (enum fm_reset_kind)(turn % FM_RESET_COUNT);
		struct fm_machine *m = make_all(turn & 1 ? FM_BACKING_ANON : FM_BACKING_MEMFD);
		struct host h = { 0 };
		struct fm_reset_options o = host_options(&h);
		struct fm_reset_report report = { 0 };
		struct fm_error err = { 0 };
		const struct fm_reset_rule keep = { .role = FM_ROLE_PRIVATE,
						    .action = FM_RESET_KEEP };
		bool refused = kind == FM_RESET_S3 || kind == FM_RESET_SYSTEM;
		struct fm_reset_plan *plan;

		/* No snapshot has it: a machine without. */
		if (kind == FM_RESET_SNAPSHOT)
			drop_private(m);
		plan = plan_of(m, REQUEST(.kind = kind, .memory_overwrite = turn / 12 != 0,
					  .saved = saved_all(), .nsaved = 5, .rules = &keep,
					  .nrules = refused ? 1 : 0));
		assert_false(plan->refused);
		if (fm_reset_apply(m, plan, &o, &report, &err))
			fail_msg("%s: %s", fm_reset_kind_name(kind), err.msg);
		assert_int_equal(report.count, plan->count);
		for (size_t i = 0; i < plan->count; i++)
			expect_outcome(&plan->steps[i], &report.results[i]);
		assert_int_equal(report.phase, FM_RESET_PHASE_DONE);
		assert_int_equal(report.acknowledged, plan->overwrite == FM_OVERWRITE_CLEAR);
		assert_false(h.out_of_order);
		assert_int_equal(h.quiesced, kind != FM_RESET_KEXEC);
		assert_int_equal(h.resumed, h.quiesced);
		fm_reset_report_clear(&report);
		fm_reset_plan_free(plan);
		fm_machine_free(m);
	}
}

static void sums_are_those_of_the_steps(void **state)
{
	struct fm_machine *m = make_all(FM_BACKING_ANON);
	struct fm_reset_report report = { 0 };
	struct host h = { 0 };
	uint64_t written = 0, released = 0, verified = 0;

	assert_int_equal(do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON), host_options(&h), &report),
			 0);
	for (size_t i = 0; i < report.count; i++) {
		written += report.results[i].written;
		released += report.results[i].released;
		verified += report.results[i].verified;
	}
	assert_true(written && verified);
	assert_int_equal(report.written, written);
	assert_int_equal(report.released, released);
	assert_int_equal(report.verified, verified);
	fm_reset_report_clear(&report);
	fm_reset_report_clear(&report);
	fm_reset_report_clear(NULL);
	fm_machine_free(m);
}

/* --- the request --------------------------------------------------------------------------- */

static void acknowledging_clears_the_bit_alone_at_a_system_reset(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ppi = add(m, "ppi", FM_ROLE_PPI, FM_BACKING_ANON);

	fill(ppi); /* asks: the secret is odd */
	assert_int_equal(do_reset(m, REQUEST(.kind = FM_RESET_SYSTEM), *OPTIONS(0), NULL), 0);
	assert_int_equal(bytes(ppi)[FM_PPI_MEMORY_OVERWRITE], SECRET & ~FM_PPI_CLEAR_MEMORY);
	assert_true(all_bytes(bytes(ppi), FM_PPI_MEMORY_OVERWRITE, SECRET));
	assert_true(all_bytes(bytes(ppi) + FM_PPI_MEMORY_OVERWRITE + 1,
			      4 * PAGE - FM_PPI_MEMORY_OVERWRITE - 1, SECRET));
	fm_machine_free(m);
}

static void see_the_request(void *ctx, enum fm_reset_phase phase, const struct fm_reset_step *s)
{
	struct fm_machine *m = ctx;

	if (phase <= FM_RESET_PHASE_ACKNOWLEDGE &&
	    (!s || phase < FM_RESET_PHASE_ACKNOWLEDGE || s->role == FM_ROLE_PPI))
		assert_int_equal(page_of(m)[FM_PPI_MEMORY_OVERWRITE], FM_PPI_CLEAR_MEMORY);
}

/* The device's own reset would zero the page first. */
static void a_presence_page_device_keeps_the_request_until_the_end_of_a_power_on(void **state)
{
	struct fm_machine *m = make_all(FM_BACKING_ANON);
	struct fm_ppi_config cfg = { .struct_size = sizeof(cfg), .block = of(m, FM_ROLE_PPI) };
	struct fm_dev *dev;

	drop_private(m);
	assert_int_equal(fm_ppi_new(&dev, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	page_of(m)[FM_PPI_MEMORY_OVERWRITE] = FM_PPI_CLEAR_MEMORY;
	assert_int_equal(do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON),
				  *OPTIONS(.ctx = m, .progress = see_the_request), NULL),
			 0);
	assert_true(all_bytes(page_of(m), 4 * PAGE, 0));
	fm_machine_free(m);
}

static void a_pending_request_outlives_resume_and_snapshot(void **state)
{
	const enum fm_reset_kind kinds[] = { FM_RESET_S3, FM_RESET_KEXEC, FM_RESET_SNAPSHOT };

	for (unsigned i = 0; i < 3; i++) {
		struct fm_machine *m = machine_make();
		struct fm_block *ppi = add(m, "ppi", FM_ROLE_PPI, FM_BACKING_ANON);
		struct fm_reset_report report = { 0 };
		struct host h = { 0 };

		add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
		bytes(ppi)[FM_PPI_MEMORY_OVERWRITE] = FM_PPI_CLEAR_MEMORY;
		assert_int_equal(do_reset(m, REQUEST(.kind = kinds[i]), host_options(&h), &report),
				 0);
		assert_int_equal(bytes(ppi)[FM_PPI_MEMORY_OVERWRITE], FM_PPI_CLEAR_MEMORY);
		assert_false(report.acknowledged);
		fm_reset_report_clear(&report);
		fm_machine_free(m);
	}
}

/* --- what ends it early ---------------------------------------------------------------------- */

static int fails(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_IO, 5, "%s: no", s->block);
}

static void a_callback_that_fails_ends_it_with_the_request_set(void **state)
{
	struct fm_machine *m = make_all(FM_BACKING_MEMFD);
	struct host h = { 0 };
	struct fm_reset_options o = host_options(&h);
	struct fm_reset_report report = { 0 };

	page_of(m)[FM_PPI_MEMORY_OVERWRITE] |= FM_PPI_CLEAR_MEMORY;
	o.rebuild = fails;
	assert_int_equal(do_reset(m, REQUEST(.kind = FM_RESET_SYSTEM), o, &report), FM_ERR_IO);
	assert_int_equal(report.phase, FM_RESET_PHASE_CLEAR);
	assert_false(report.acknowledged);
	assert_true(report.written > 0);
	assert_true(page_of(m)[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY);
	/* Other writers stay stopped: the guest must not run. */
	assert_int_equal(h.resumed, 0);
	fm_reset_report_clear(&report);
	fm_machine_free(m);
}

static void an_attestation_that_fails_touches_nothing(void **state)
{
	struct fm_machine *m = make_all(FM_BACKING_ANON);
	struct host h = { .fail_attest = FM_ERR_CHECKSUM };
	struct fm_reset_report report = { .written = 77 };
	struct fm_block *b;

	drop_private(m);
	assert_int_equal(
		do_reset(m, REQUEST(.kind = FM_RESET_SNAPSHOT, .saved = saved_all(), .nsaved = 5),
			 host_options(&h), &report),
		FM_ERR_CHECKSUM);
	assert_int_equal(report.written, 77);
	assert_int_equal(h.loaded, 0);
	fm_machine_foreach_block (m, FM_WALK_ALL, b) {
		if (fm_block_role(b) != FM_ROLE_PPI)
			assert_true(all_bytes(fm_block_ptr(b), fm_block_len(b), SECRET));
	}
	fm_machine_free(m);
}

static void a_callback_that_is_missing_is_named_before_anything_is_touched(void **state)
{
	struct fm_machine *m = make_all(FM_BACKING_MEMFD);
	struct fm_reset_plan *plan = plan_of(m, REQUEST(.kind = FM_RESET_CONFIDENTIAL));
	struct host h = { 0 };
	struct fm_reset_options o = host_options(&h);
	struct fm_error err = { 0 };

	o.quiesce = NULL;
	assert_int_equal(fm_reset_apply(m, plan, &o, NULL, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_reset_options.quiesce"));
	o.quiesce = host_quiesce;
	o.rebuild = NULL;
	assert_int_equal(fm_reset_apply(m, plan, &o, NULL, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_reset_options.rebuild"));
	o.pages = (enum fm_reset_pages)3;
	assert_int_equal(fm_reset_apply(m, plan, &o, NULL, &err), FM_ERR_ARG);
	assert_int_equal(fm_reset_apply(NULL, plan, NULL, NULL, NULL), FM_ERR_ARG);
	assert_int_equal(fm_reset_apply(m, NULL, NULL, NULL, NULL), FM_ERR_ARG);
	assert_true(all_bytes(bytes(of(m, FM_ROLE_RAM)), 4 * PAGE, SECRET));
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void a_plan_for_another_machine_is_refused(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	const struct fm_private_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_reset_plan *plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON));
	struct fm_block *dimm = add(m, "dimm", FM_ROLE_DIMM, FM_BACKING_ANON);

	fill(ram);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, NULL), FM_ERR_STATE);
	assert_int_equal(fm_machine_remove_block(m, dimm, NULL), 0);
	fm_block_free(dimm);
	assert_int_equal(fm_private_enable(ram, &cfg, NULL), 0);
	assert_int_equal(fm_private_convert(ram, PAGE, PAGE, true, NULL), 0);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, NULL), FM_ERR_STATE);
	assert_true(all_bytes(bytes(ram), 4 * PAGE, SECRET));
	assert_int_equal(fm_private_convert(ram, PAGE, PAGE, false, NULL), 0);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, NULL), 0);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void a_plan_whose_device_has_gone_is_refused(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_dev *rom = add_rom(m, add(m, "rom", FM_ROLE_ROM, FM_BACKING_ANON), true);
	struct fm_reset_plan *plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON));
	struct fm_error err = { 0 };

	assert_int_equal(step_of(plan, "rom")->action, FM_RESET_RELOAD);
	assert_int_equal(fm_machine_remove_dev(m, rom, NULL), 0);
	fill(ram);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "block rom: reload:"));
	assert_true(all_bytes(bytes(ram), 4 * PAGE, SECRET));
	assert_int_equal(fm_machine_add_dev(m, rom, NULL), 0);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, NULL), 0);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

/* A writer that was not stopped. */
static void scribble(void *ctx, enum fm_reset_phase phase, const struct fm_reset_step *s)
{
	if (phase == FM_RESET_PHASE_VERIFY)
		((uint8_t *)ctx)[2 * PAGE + 3] = SECRET;
}

static void verification_finds_what_a_writer_that_was_not_stopped_leaves(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_MEMFD);
	struct fm_reset_plan *plan =
		plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM, .memory_overwrite = true));
	struct fm_error err = { 0 };

	assert_int_equal(fm_reset_apply(m, plan,
					OPTIONS(.verify = true, .quiesce = allow,
						.progress = scribble, .ctx = bytes(ram)),
					NULL, &err),
			 FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "block ram: after zero, offset 0x2003"));
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

/* --- flash, files, private ranges --------------------------------------------------------------- */

static void sanitized_flash_is_erased_by_its_chips_and_in_its_image(void **state)
{
	const char *image = tmpdir_path(state, "vars.fd");
	const char *const names[] = { "vars" };
	struct fm_machine *m = machine_make();
	struct fm_flash_config cfg = {
		.struct_size = sizeof(cfg), .name = "flash", .image = image, .create = true
	};
	struct fm_reset_report report = { 0 };
	struct fm_dev *dev;
	uint64_t value;

	cfg.block =
		add_cfg(m, BLOCK_RAW(.name = "vars", .role = FM_ROLE_FLASH_VARS, .len = 1 << 20));
	assert_int_equal(fm_flash_new(&dev, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	fm_dev_write(dev, 0x1000, 4, 0x00400040, FM_ATTRS_NONE);
	fm_dev_write(dev, 0x1000, 4, 0, FM_ATTRS_NONE);
	assert_int_equal(fm_dev_flush(dev, NULL), 0);
	assert_int_equal(tmpdir_byte(image, 0x1000), 0);
	/* Any other reset keeps it, and takes the chips back to their array. */
	assert_int_equal(do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON, .memory_overwrite = true),
				  *OPTIONS(.verify = true), &report),
			 0);
	assert_true(report.effects & FM_EFF_REMAP);
	fm_reset_report_clear(&report);
	fm_dev_read(dev, 0x1000, 4, &value, FM_ATTRS_NONE);
	assert_int_equal(value, 0);
	assert_int_equal(
		do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON, .sanitize = names, .nsanitize = 1),
			 *OPTIONS(.verify = true), NULL),
		0);
	assert_true(all_bytes(bytes(cfg.block), 1 << 20, 0xff));
	assert_int_equal(tmpdir_byte(image, 0x1000), 0xff);
	fm_machine_free(m);
}

static void zeros_in_a_file_are_persisted_by_the_host_where_it_asks(void **state)
{
	struct fm_machine *m = machine_make();

	add_cfg(m, BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM, .backing = FM_BACKING_FILE,
			     .path = tmpdir_path(state, "ram"), .len = PAGE,
			     .flags = FM_BLOCK_SHARED | FM_BLOCK_CREATE));
	assert_int_equal(
		do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON), *OPTIONS(.persist = fails), NULL),
		FM_ERR_IO);
	assert_int_equal(do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON), *OPTIONS(0), NULL), 0);
	fm_machine_free(m);
}

struct order {
	enum fm_reset_phase phase;
	unsigned kept, changed;
};

static void note_phase(void *ctx, enum fm_reset_phase phase, const struct fm_reset_step *s)
{
	((struct order *)ctx)->phase = phase;
}

static int note_persist(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	struct order *o = ctx;
	bool kept = s->action == FM_RESET_FLUSH_KEEP;

	o->kept += kept;
	o->changed += !kept;
	if (kept)
		assert_in_range(o->phase, FM_RESET_PHASE_FLUSH, FM_RESET_PHASE_REFLUSH);
	else
		assert_int_equal(o->phase, FM_RESET_PHASE_PERSIST);
	return 0;
}

static void what_is_kept_is_durable_before_anything_is_cleared(void **state)
{
	const struct fm_reset_backing is[] = { { "nv", FM_RESET_BACKING_PERSISTENT },
					       { "ram", FM_RESET_BACKING_PERSISTENT } };
	struct fm_machine *m = machine_make();
	struct order order = { 0 };

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	add(m, "nv", FM_ROLE_NVDIMM, FM_BACKING_ANON);
	assert_int_equal(
		do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON, .backings = is, .nbackings = 2),
			 *OPTIONS(.ctx = &order, .progress = note_phase, .persist = note_persist),
			 NULL),
		0);
	/* Before and after the other writers stopped. */
	assert_int_equal(order.kept, 2);
	assert_int_equal(order.changed, 1);
	fm_machine_free(m);
}

static void only_a_listener_of_the_dirty_log_hears_of_it(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_reset_report report = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		fill(ram);
		assert_int_equal(
			do_reset(m, REQUEST(.kind = FM_RESET_POWER_ON), *OPTIONS(0), &report), 0);
		assert_int_equal(report.effects, i ? FM_EFF_DIRTY : 0);
		fm_reset_report_clear(&report);
		fm_dirty_start(fm_block_dirty(ram), 0, NULL);
	}
	fm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_does_what_its_plan_says_on_every_role_and_backing),
		cmocka_unit_test(sums_are_those_of_the_steps),
		cmocka_unit_test(acknowledging_clears_the_bit_alone_at_a_system_reset),
		cmocka_unit_test(
			a_presence_page_device_keeps_the_request_until_the_end_of_a_power_on),
		cmocka_unit_test(a_pending_request_outlives_resume_and_snapshot),
		cmocka_unit_test(a_callback_that_fails_ends_it_with_the_request_set),
		cmocka_unit_test(an_attestation_that_fails_touches_nothing),
		cmocka_unit_test(a_callback_that_is_missing_is_named_before_anything_is_touched),
		cmocka_unit_test(a_plan_for_another_machine_is_refused),
		cmocka_unit_test(a_plan_whose_device_has_gone_is_refused),
		cmocka_unit_test(verification_finds_what_a_writer_that_was_not_stopped_leaves),
		tmpdir_test(sanitized_flash_is_erased_by_its_chips_and_in_its_image),
		tmpdir_test(zeros_in_a_file_are_persisted_by_the_host_where_it_asks),
		cmocka_unit_test(what_is_kept_is_durable_before_anything_is_cleared),
		cmocka_unit_test(only_a_listener_of_the_dirty_log_hears_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
