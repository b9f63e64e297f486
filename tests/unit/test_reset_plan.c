/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/reset_fixture.h"
#include "tests/unit/reset_letters.h"
#include "tests/unit/tmpdir.h"

#define KIND(kind) (1u << (kind))

/* --- the matrix --------------------------------------------------------------------------- */

static void every_cell_is_what_the_table_says_and_has_a_reason(void **state)
{
	for (unsigned role = FM_ROLE_NONE + 1; role < FM_ROLE_COUNT; role++) {
		for (unsigned cell = 0; cell < 2 * FM_RESET_COUNT; cell++) {
			enum fm_reset_kind kind = (enum fm_reset_kind)(cell % FM_RESET_COUNT);
			const char *reason = NULL;
			enum fm_reset_action action = fm_reset_default(
				(enum fm_role)role, kind, cell >= FM_RESET_COUNT, &reason);
			char want = reset_matrix[role][cell >= FM_RESET_COUNT][kind];

			if (reset_letters[action] != want || !reason || strlen(reason) < 8)
				fail_msg("%s, %s: %s (%s), expected %c", fm_role_name(role),
					 fm_reset_kind_name(kind), fm_reset_action_name(action),
					 reason ? reason : "no reason", want);
		}
	}
}

static void outside_of_the_matrix_everything_is_refused(void **state)
{
	const char *reason = NULL;

	assert_int_equal(fm_reset_default(FM_ROLE_NONE, FM_RESET_SYSTEM, false, &reason),
			 FM_RESET_REFUSE);
	assert_non_null(reason);
	assert_int_equal(fm_reset_default(FM_ROLE_COUNT, FM_RESET_SYSTEM, false, NULL),
			 FM_RESET_REFUSE);
	assert_int_equal(fm_reset_default(FM_ROLE_RAM, FM_RESET_COUNT, false, NULL),
			 FM_RESET_REFUSE);
}

static void no_default_destroys_what_is_non_volatile(void **state)
{
	for (unsigned role = FM_ROLE_NONE + 1; role < FM_ROLE_COUNT; role++) {
		for (unsigned cell = 0; cell < 2 * FM_RESET_COUNT; cell++) {
			enum fm_reset_kind kind = (enum fm_reset_kind)(cell % FM_RESET_COUNT);
			enum fm_reset_action action = fm_reset_default(
				(enum fm_role)role, kind, cell >= FM_RESET_COUNT, NULL);

			if (fm_role_nonvolatile((enum fm_role)role))
				assert_true(action == FM_RESET_KEEP ||
					    action == FM_RESET_FLUSH_KEEP ||
					    (action == FM_RESET_LOAD && kind == FM_RESET_SNAPSHOT));
		}
	}
}

static void an_overwrite_at_power_on_and_system_reset_clears_every_reset_target(void **state)
{
	struct fm_machine *m = machine_make();
	const enum fm_reset_kind kinds[] = { FM_RESET_POWER_ON, FM_RESET_SYSTEM };
	struct fm_block *block;

	for (unsigned role = FM_ROLE_NONE + 1; role < FM_ROLE_COUNT; role++)
		add(m, fm_role_name((enum fm_role)role), (enum fm_role)role, FM_BACKING_ANON);
	fm_machine_foreach_block (m, FM_WALK_RESET_TARGETS, block) {
		for (unsigned i = 0; i < 2; i++) {
			enum fm_reset_action action =
				fm_reset_default(fm_block_role(block), kinds[i], true, NULL);

			assert_true(action == FM_RESET_ZERO || action == FM_RESET_UNPLUG);
		}
	}
	fm_machine_free(m);
}

static void words_are_read_as_they_are_printed(void **state)
{
	for (unsigned i = 0; i < FM_RESET_COUNT; i++)
		assert_int_equal(fm_reset_kind_from_name(fm_reset_kind_name((enum fm_reset_kind)i)),
				 i);
	for (unsigned i = 0; i < FM_RESET_ACTION_COUNT; i++)
		assert_int_equal(
			fm_reset_action_from_name(fm_reset_action_name((enum fm_reset_action)i)),
			i);
	assert_int_equal(fm_reset_kind_from_name("warm"), FM_RESET_COUNT);
	assert_int_equal(fm_reset_action_from_name(NULL), FM_RESET_ACTION_COUNT);
	assert_string_equal(fm_reset_cause_name(FM_RESET_CAUSE_TRIPLE_FAULT), "triple-fault");
	assert_string_equal(fm_reset_cause_name(FM_RESET_CAUSE_COUNT), "unknown");
	assert_string_equal(fm_reset_overwrite_name(FM_OVERWRITE_PENDING), "pending");
	assert_string_equal(fm_reset_phase_name(FM_RESET_PHASE_ACKNOWLEDGE), "acknowledge");
}

/* --- the request to overwrite memory ------------------------------------------------------------ */

static void each_kind_clears_or_leaves_the_request_pending_and_says_so(void **state)
{
	static const enum fm_reset_overwrite want[FM_RESET_COUNT] = {
		[FM_RESET_POWER_ON] = FM_OVERWRITE_CLEAR,
		[FM_RESET_SYSTEM] = FM_OVERWRITE_CLEAR,
		[FM_RESET_S3] = FM_OVERWRITE_PENDING,
		[FM_RESET_KEXEC] = FM_OVERWRITE_PENDING,
		[FM_RESET_SNAPSHOT] = FM_OVERWRITE_PENDING,
		[FM_RESET_CONFIDENTIAL] = FM_OVERWRITE_CLEAR,
	};
	struct fm_machine *m = machine_make();

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	add(m, "ppi", FM_ROLE_PPI, FM_BACKING_ANON);
	for (unsigned i = 0; i < FM_RESET_COUNT; i++) {
		struct fm_reset_plan *plan = plan_of(
			m, REQUEST(.kind = (enum fm_reset_kind)i, .memory_overwrite = true));

		assert_int_equal(plan->overwrite, want[i]);
		assert_int_equal(step_of(plan, "ppi")->action, want[i] == FM_OVERWRITE_CLEAR
								       ? FM_RESET_ACKNOWLEDGE
								       : FM_RESET_KEEP);
		if (want[i] == FM_OVERWRITE_PENDING) {
			assert_non_null(strstr(plan->overwrite_reason, "stays set"));
			assert_non_null(strstr(step_of(plan, "ppi")->reason, "pending"));
		}
		fm_reset_plan_free(plan);
		plan = plan_of(m, REQUEST(.kind = (enum fm_reset_kind)i));
		assert_int_equal(plan->overwrite, FM_OVERWRITE_NONE);
		fm_reset_plan_free(plan);
	}
	fm_machine_free(m);
}

static void the_request_comes_by_the_caller_the_mor_variable_or_the_ppi_page(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ppi = add(m, "ppi", FM_ROLE_PPI, FM_BACKING_ANON);
	struct fm_reset_plan *plan = plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM, .mor = 0x11));

	assert_int_equal(plan->overwrite_sources, FM_OVERWRITE_BY_MOR);
	fm_reset_plan_free(plan);
	/* Only bit 0 asks. */
	plan = plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM, .mor = 0x10));
	assert_int_equal(plan->overwrite_sources, 0);
	assert_int_equal(plan->overwrite, FM_OVERWRITE_NONE);
	fm_reset_plan_free(plan);
	bytes(ppi)[FM_PPI_MEMORY_OVERWRITE] = 0x10;
	assert_int_equal(action_of(m, "ppi", REQUEST(.kind = FM_RESET_SYSTEM)), FM_RESET_KEEP);
	bytes(ppi)[FM_PPI_MEMORY_OVERWRITE] = 0x01;
	plan = plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM, .memory_overwrite = true));
	assert_int_equal(plan->overwrite_sources, FM_OVERWRITE_BY_PPI | FM_OVERWRITE_BY_CALLER);
	assert_int_equal(plan->overwrite, FM_OVERWRITE_CLEAR);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void a_block_that_stays_as_it_is_leaves_the_request_pending(void **state)
{
	const struct fm_reset_rule keep = { .block = "ram1", .action = FM_RESET_KEEP };
	struct fm_machine *m = machine_make();
	struct fm_reset_plan *plan;

	add(m, "ram0", FM_ROLE_RAM, FM_BACKING_ANON);
	add(m, "ppi", FM_ROLE_PPI, FM_BACKING_ANON);
	add(m, "ram1", FM_ROLE_RAM, FM_BACKING_ANON);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM, .memory_overwrite = true, .rules = &keep,
				  .nrules = 1));
	assert_int_equal(plan->overwrite, FM_OVERWRITE_PENDING);
	assert_non_null(strstr(plan->overwrite_reason, "ram1"));
	assert_int_equal(step_of(plan, "ppi")->action, FM_RESET_KEEP);
	assert_int_equal(step_of(plan, "ram0")->action, FM_RESET_ZERO);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

/* --- overrides ---------------------------------------------------------------------------- */

static void a_block_comes_before_a_role_overrides_before_the_policy_that_before_the_matrix(
	void **state)
{
	const struct fm_reset_rule role = { .role = FM_ROLE_RAM, .action = FM_RESET_DISCARD };
	const struct fm_reset_rule both[] = { { .block = "ram", .action = FM_RESET_FLUSH_KEEP },
					      role };
	const struct fm_reset_rule policy[] = { { .role = FM_ROLE_RAM, .action = FM_RESET_KEEP },
						{ .block = "ram", .action = FM_RESET_REFUSE } };
	struct fm_machine *m = machine_make();

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
#define RAM(...) action_of(m, "ram", REQUEST(.kind = FM_RESET_POWER_ON, __VA_ARGS__))
	assert_int_equal(RAM(.nrules = 0), FM_RESET_ZERO);
	assert_int_equal(RAM(.policy = policy, .npolicy = 1), FM_RESET_KEEP);
	assert_int_equal(RAM(.policy = policy, .npolicy = 2), FM_RESET_REFUSE);
	assert_int_equal(RAM(.policy = policy, .npolicy = 2, .rules = &role, .nrules = 1),
			 FM_RESET_DISCARD);
	assert_int_equal(RAM(.policy = policy, .npolicy = 2, .rules = both, .nrules = 2),
			 FM_RESET_FLUSH_KEEP);
#undef RAM
	fm_machine_free(m);
}

static void a_rule_holds_at_its_kinds_and_requests_only(void **state)
{
	const struct fm_reset_rule rules[] = {
		{ .role = FM_ROLE_RAM,
		  .kinds = KIND(FM_RESET_SYSTEM),
		  .when = FM_RESET_WHEN_NO_OVERWRITE,
		  .action = FM_RESET_ZERO },
		{ .role = FM_ROLE_RAM,
		  .kinds = KIND(FM_RESET_SYSTEM),
		  .when = FM_RESET_WHEN_OVERWRITE,
		  .action = FM_RESET_DISCARD },
	};
	struct fm_machine *m = machine_make();
	struct fm_reset_request r = { .struct_size = sizeof(r), .rules = rules, .nrules = 2 };

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	r.kind = FM_RESET_SYSTEM;
	assert_int_equal(action_of(m, "ram", &r), FM_RESET_ZERO);
	r.memory_overwrite = true;
	assert_int_equal(action_of(m, "ram", &r), FM_RESET_DISCARD);
	r.kind = FM_RESET_S3;
	assert_int_equal(action_of(m, "ram", &r), FM_RESET_KEEP);
	fm_machine_free(m);
}

static void a_rule_that_makes_no_sense_is_named(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_reset_rule rule = { .block = "rom", .action = FM_RESET_KEEP };
	const struct fm_reset_request r = { .struct_size = sizeof(r), .rules = &rule, .nrules = 1 };

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	plan_fails(m, &r, FM_ERR_NOT_FOUND, "rules[0].block: \"rom\"");
	rule = (struct fm_reset_rule){ .block = "ram", .role = FM_ROLE_RAM };
	plan_fails(m, &r, FM_ERR_ARG, "rules[0]: a block and a role");
	rule = (struct fm_reset_rule){ .action = FM_RESET_KEEP };
	plan_fails(m, &r, FM_ERR_ARG, "rules[0]: no block and no role");
	rule = (struct fm_reset_rule){ .role = FM_ROLE_COUNT };
	plan_fails(m, &r, FM_ERR_ARG, "rules[0].role");
	rule = (struct fm_reset_rule){ .role = FM_ROLE_RAM, .action = FM_RESET_ACTION_COUNT };
	plan_fails(m, &r, FM_ERR_ARG, "rules[0].action");
	rule = (struct fm_reset_rule){ .role = FM_ROLE_RAM, .kinds = 1u << FM_RESET_COUNT };
	plan_fails(m, &r, FM_ERR_ARG, "rules[0].kinds");
	rule = (struct fm_reset_rule){ .role = FM_ROLE_RAM, .when = (enum fm_reset_when)3 };
	plan_fails(m, &r, FM_ERR_ARG, "rules[0].when");
	rule = (struct fm_reset_rule){ .role = FM_ROLE_PPI, .action = FM_RESET_ACKNOWLEDGE };
	plan_fails(m, &r, FM_ERR_ARG, "expected another action");
	rule = (struct fm_reset_rule){ .role = FM_ROLE_RAM, .action = FM_RESET_LOAD };
	plan_fails(m, &r, FM_ERR_ARG, "expected the kind snapshot alone");
	rule = (struct fm_reset_rule){ .block = "ram", .action = FM_RESET_REBUILD };
	plan_fails(m, &r, FM_ERR_ARG, "expected role private");
	rule = (struct fm_reset_rule){ .block = "ram", .action = FM_RESET_UNPLUG };
	plan_fails(m, &r, FM_ERR_ARG, "expected role virtio-mem or dimm");
	plan_fails(m, REQUEST(.kind = FM_RESET_COUNT), FM_ERR_ARG, "kind");
	plan_fails(m, REQUEST(.cause = FM_RESET_CAUSE_COUNT), FM_ERR_ARG, "cause");
	plan_fails(m, REQUEST(.nrules = 1), FM_ERR_ARG, "rules is NULL");
	plan_fails(m, REQUEST(.nsanitize = 1), FM_ERR_ARG, "sanitize is NULL");
	fm_machine_free(m);
}

static void two_rules_of_one_rank_that_contradict_are_both_named(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_reset_rule rules[] = {
		{ .block = "ram", .action = FM_RESET_KEEP },
		{ .role = FM_ROLE_RAM, .action = FM_RESET_ZERO },
		{ .block = "ram", .kinds = KIND(FM_RESET_S3), .action = FM_RESET_ZERO },
	};

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	plan_fails(m, REQUEST(.rules = rules, .nrules = 3), FM_ERR_EXISTS,
		   "rules[2].action: \"zero\" for block \"ram\" contradicts \"keep\" of rules[0], "
		   "expected one action");
	/* Also where another kind of reset is asked for: a policy is wrong as a whole. */
	plan_fails(m, REQUEST(.kind = FM_RESET_SYSTEM, .policy = rules, .npolicy = 3),
		   FM_ERR_EXISTS, "policy[2].action");
	plan_fails(m, REQUEST(.policy = rules, .npolicy = 3, .policy_name = "site"), FM_ERR_EXISTS,
		   "of site[0]");
	/* Two that never meet, two that agree, and two of different rank are fine. */
	rules[0].kinds = KIND(FM_RESET_SYSTEM);
	assert_int_equal(
		action_of(m, "ram", REQUEST(.kind = FM_RESET_SYSTEM, .rules = rules, .nrules = 3)),
		FM_RESET_KEEP);
	rules[0] = rules[2];
	assert_int_equal(action_of(m, "ram", REQUEST(.rules = rules, .nrules = 3)), FM_RESET_ZERO);
	fm_machine_free(m);
}

/* --- non-volatile contents ---------------------------------------------------------------------- */

static void destroying_non_volatile_contents_needs_sanitize(void **state)
{
	const char *const names[] = { "nv" };
	const struct fm_reset_rule rule = { .block = "nv", .action = FM_RESET_ZERO };
	struct fm_machine *m = machine_make();
	struct fm_reset_plan *plan;

	add(m, "nv", FM_ROLE_NVDIMM, FM_BACKING_ANON);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM, .rules = &rule, .nrules = 1));
	assert_int_equal(step_of(plan, "nv")->action, FM_RESET_REFUSE);
	assert_non_null(strstr(step_of(plan, "nv")->reason, "sanitize"));
	assert_true(plan->refused);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, NULL), FM_ERR_STATE);
	fm_reset_plan_free(plan);
	for (unsigned i = 0; i < FM_RESET_COUNT; i++) {
		bool runs_on = i == FM_RESET_S3 || i == FM_RESET_KEXEC || i == FM_RESET_SNAPSHOT;

		assert_int_equal(action_of(m, "nv",
					   REQUEST(.kind = (enum fm_reset_kind)i, .sanitize = names,
						   .nsanitize = 1)),
				 runs_on ? FM_RESET_REFUSE : FM_RESET_ZERO);
	}
	plan_fails(m, REQUEST(.sanitize = (const char *const[]){ "nw" }, .nsanitize = 1),
		   FM_ERR_NOT_FOUND, "sanitize: \"nw\"");
	fm_machine_free(m);
}

static void a_snapshot_needs_non_volatile_contents_carried_or_attested(void **state)
{
	const uint8_t digest[32] = { 1, 2, 3 };
	struct fm_reset_saved saved = { .block = "nv", .carried = true };
	struct fm_reset_request r = { .struct_size = sizeof(r), .kind = FM_RESET_SNAPSHOT };
	const struct fm_reset_rule keep = { .role = FM_ROLE_NVDIMM, .action = FM_RESET_KEEP };
	const struct fm_reset_rule load = { .block = "nv",
					    .kinds = KIND(FM_RESET_SNAPSHOT),
					    .action = FM_RESET_LOAD };
	const struct fm_reset_saved two[] = {
		{ .block = "nv", .carried = true },
		{ .block = "nv", .digest = digest, .digest_len = 1 }
	};
	struct fm_machine *m = machine_make();
	struct fm_reset_plan *plan;

	add(m, "nv", FM_ROLE_NVDIMM, FM_BACKING_ANON);
	plan = plan_of(m, &r);
	assert_true(plan->refused);
	assert_non_null(strstr(step_of(plan, "nv")->reason, "neither carried"));
	fm_reset_plan_free(plan);
	/* No override waives it. */
	r.rules = &keep;
	r.nrules = 1;
	assert_int_equal(action_of(m, "nv", &r), FM_RESET_REFUSE);
	r.nrules = 0;
	r.saved = &saved;
	r.nsaved = 1;
	assert_int_equal(action_of(m, "nv", &r), FM_RESET_LOAD);
	saved = (struct fm_reset_saved){ .block = "nv", .digest = digest, .digest_len = 32 };
	plan = plan_of(m, &r);
	assert_int_equal(step_of(plan, "nv")->action, FM_RESET_KEEP);
	assert_int_equal(step_of(plan, "nv")->due, FM_RESET_DUE_ATTEST);
	assert_memory_equal(step_of(plan, "nv")->digest, digest, 32);
	fm_reset_plan_free(plan);
	/* Nor does one load what the snapshot does not have. */
	r.rules = &load;
	r.nrules = 1;
	assert_int_equal(action_of(m, "nv", &r), FM_RESET_KEEP);
	r.nrules = 0;
	saved.digest = NULL;
	plan_fails(m, &r, FM_ERR_ARG,
		   "snapshot[0].carried: false for \"nv\", which has no digest, expected true");
	r.saved = two;
	r.nsaved = 2;
	plan_fails(m, &r, FM_ERR_EXISTS, "snapshot[1].block: \"nv\" is that of snapshot[0]");
	r.saved = &saved;
	r.nsaved = 1;
	saved.block = "mv";
	plan_fails(m, &r, FM_ERR_NOT_FOUND, "\"mv\"");
	fm_machine_free(m);
}

static void what_no_snapshot_names_is_not_kept_from_another_history(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_reset_plan *plan;

	add(m, NULL, FM_ROLE_RAM, FM_BACKING_ANON);
	add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	add_cfg(m, BLOCK_RAW(.name = "rom", .role = FM_ROLE_ROM, .len = PAGE,
			     .flags = FM_BLOCK_NO_MIGRATE));
	plan = plan_of(m, REQUEST(.kind = FM_RESET_SNAPSHOT));
	assert_int_equal(step_of(plan, "")->action, FM_RESET_ZERO);
	assert_int_equal(step_of(plan, "ram")->action, FM_RESET_LOAD);
	assert_int_equal(step_of(plan, "rom")->action, FM_RESET_RELOAD);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

/* --- backings ----------------------------------------------------------------------------- */

static void adopted_memory_is_zeroed_with_consent_only(void **state)
{
	static uint8_t memory[2][4096];
	struct fm_machine *m = machine_make();
	struct fm_reset_plan *plan;

	add_cfg(m, BLOCK_RAW(.name = "no", .role = FM_ROLE_RAM, .backing = FM_BACKING_ADOPTED,
			     .ptr = memory[0], .len = 4096));
	add_cfg(m, BLOCK_RAW(.name = "yes", .role = FM_ROLE_RAM, .backing = FM_BACKING_ADOPTED,
			     .ptr = memory[1], .len = 4096, .flags = FM_BLOCK_CONSENT));
	plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON));
	assert_int_equal(step_of(plan, "no")->action, FM_RESET_REFUSE);
	assert_non_null(strstr(step_of(plan, "no")->reason, "CONSENT"));
	assert_int_equal(step_of(plan, "yes")->action, FM_RESET_ZERO);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void a_file_that_was_there_is_zeroed_with_consent_only(void **state)
{
	const char *there = tmpdir_path(state, "there");
	const char *ours = tmpdir_path(state, "ours");
	struct fm_machine *m = machine_make();
	const unsigned shared = FM_BLOCK_SHARED;
	struct fm_reset_plan *plan;

	tmpdir_fill(there, 4096, 1);
#define FILE_BLOCK(called, where, bits)                                                       \
	add_cfg(m, BLOCK_RAW(.name = called, .role = FM_ROLE_RAM, .backing = FM_BACKING_FILE, \
			     .path = where, .len = 4096, .flags = bits))
	FILE_BLOCK("no", there, shared);
	FILE_BLOCK("yes", there, shared | FM_BLOCK_CONSENT);
	FILE_BLOCK("ours", ours, shared | FM_BLOCK_CREATE);
	FILE_BLOCK("private", there, 0);
	FILE_BLOCK("constant", there, FM_BLOCK_READONLY);
	FILE_BLOCK("window", there, FM_BLOCK_READONLY | FM_BLOCK_SHARED);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON));
	assert_int_equal(step_of(plan, "no")->action, FM_RESET_REFUSE);
	assert_int_equal(step_of(plan, "yes")->action, FM_RESET_ZERO);
	assert_int_equal(step_of(plan, "yes")->due, FM_RESET_DUE_PERSIST | FM_RESET_DUE_QUIESCE);
	assert_int_equal(step_of(plan, "ours")->action, FM_RESET_ZERO);
	assert_int_equal(step_of(plan, "private")->action, FM_RESET_ZERO);
	assert_int_equal(step_of(plan, "private")->due, 0);
	assert_int_equal(step_of(plan, "constant")->action, FM_RESET_KEEP);
	assert_int_equal(step_of(plan, "window")->action, FM_RESET_REFUSE);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void host_device_memory_is_never_written(void **state)
{
	static uint8_t memory[4096];
	struct fm_machine *m = machine_make();
	struct fm_reset_request r = { .struct_size = sizeof(r),
				      .kind = FM_RESET_SYSTEM,
				      .memory_overwrite = true };
	struct fm_reset_plan *plan;

	add_cfg(m, BLOCK_RAW(.name = "bar", .role = FM_ROLE_DEVICE, .backing = FM_BACKING_ADOPTED,
			     .ptr = memory, .len = 4096,
			     .flags = FM_BLOCK_HOST_DEVICE | FM_BLOCK_CONSENT));
	plan = plan_of(m, &r);
	assert_int_equal(step_of(plan, "bar")->action, FM_RESET_KEEP);
	/* Nobody vouches for it: then memory is not clear. */
	assert_int_equal(plan->overwrite, FM_OVERWRITE_PENDING);
	fm_reset_plan_free(plan);
	r.host_devices_reset = true;
	plan = plan_of(m, &r);
	assert_int_equal(step_of(plan, "bar")->action, FM_RESET_KEEP);
	assert_int_equal(plan->overwrite, FM_OVERWRITE_CLEAR);
	fm_reset_plan_free(plan);
	assert_refused(BLOCK_CONFIG(.len = 4096, .flags = FM_BLOCK_HOST_DEVICE), FM_ERR_ARG,
		       "FM_BLOCK_HOST_DEVICE");
	fm_machine_free(m);
}

static void a_rom_is_reloaded_by_its_device_or_by_the_host(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_reset_plan *plan;

	add_rom(m, add(m, "rom", FM_ROLE_ROM, FM_BACKING_ANON), true);
	add(m, "table", FM_ROLE_TABLE, FM_BACKING_ANON);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM));
	assert_int_equal(step_of(plan, "rom")->due, 0);
	assert_int_equal(step_of(plan, "table")->due, FM_RESET_DUE_HOST);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, NULL), FM_ERR_ARG);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void what_is_due_is_in_the_plan(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_reset_plan *plan;

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_MEMFD);
	add(m, "vars", FM_ROLE_FLASH_VARS, FM_BACKING_ANON);
	add(m, "pmem", FM_ROLE_VIRTIO_PMEM, FM_BACKING_ANON);
	add(m, "code", FM_ROLE_FLASH_CODE, FM_BACKING_ANON);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_CONFIDENTIAL));
	assert_int_equal(step_of(plan, "ram")->due, FM_RESET_DUE_QUIESCE);
	assert_int_equal(step_of(plan, "vars")->due, FM_RESET_DUE_FLUSH);
	assert_int_equal(step_of(plan, "pmem")->due, FM_RESET_DUE_FLUSH | FM_RESET_DUE_QUIESCE);
	assert_int_equal(step_of(plan, "code")->due, FM_RESET_DUE_FLUSH | FM_RESET_DUE_MEASURE);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void what_the_host_says_of_a_backing_counts_instead_of_what_the_block_shows(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_reset_backing is = { .block = "ram" };
	struct fm_reset_request r = {
		.struct_size = sizeof(r), .kind = FM_RESET_POWER_ON, .backings = &is, .nbackings = 1
	};
	struct fm_reset_plan *plan;

	add(m, "ram", FM_ROLE_RAM, FM_BACKING_MEMFD);
	is.is = FM_RESET_BACKING_PERSISTENT;
	plan = plan_of(m, &r);
	assert_int_equal(step_of(plan, "ram")->due, FM_RESET_DUE_PERSIST);
	fm_reset_plan_free(plan);
	is.is = FM_RESET_BACKING_FOREIGN;
	assert_int_equal(action_of(m, "ram", &r), FM_RESET_REFUSE);
	is.is |= FM_RESET_BACKING_CONSENT;
	assert_int_equal(action_of(m, "ram", &r), FM_RESET_ZERO);
	is.is = FM_RESET_BACKING_HOST_DEVICE;
	assert_int_equal(action_of(m, "ram", &r), FM_RESET_KEEP);
	is.block = "rom";
	plan_fails(m, &r, FM_ERR_NOT_FOUND, "backings[0].block: \"rom\"");
	fm_machine_free(m);
}

static void a_plan_changes_no_byte(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *block;

	for (unsigned role = FM_ROLE_NONE + 1; role < FM_ROLE_COUNT; role++)
		fill(add(m, fm_role_name((enum fm_role)role), (enum fm_role)role,
			 FM_BACKING_MEMFD));
	for (unsigned i = 0; i < FM_RESET_COUNT; i++)
		fm_reset_plan_free(plan_of(m, REQUEST(.kind = (enum fm_reset_kind)i)));
	fm_machine_foreach_block (m, FM_WALK_ALL, block)
		assert_true(all_bytes(fm_block_ptr(block), fm_block_len(block), SECRET));
	fm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_what_the_table_says_and_has_a_reason),
		cmocka_unit_test(outside_of_the_matrix_everything_is_refused),
		cmocka_unit_test(no_default_destroys_what_is_non_volatile),
		cmocka_unit_test(
			an_overwrite_at_power_on_and_system_reset_clears_every_reset_target),
		cmocka_unit_test(words_are_read_as_they_are_printed),
		cmocka_unit_test(each_kind_clears_or_leaves_the_request_pending_and_says_so),
		cmocka_unit_test(the_request_comes_by_the_caller_the_mor_variable_or_the_ppi_page),
		cmocka_unit_test(a_block_that_stays_as_it_is_leaves_the_request_pending),
		cmocka_unit_test(
			a_block_comes_before_a_role_overrides_before_the_policy_that_before_the_matrix),
		cmocka_unit_test(a_rule_holds_at_its_kinds_and_requests_only),
		cmocka_unit_test(a_rule_that_makes_no_sense_is_named),
		cmocka_unit_test(two_rules_of_one_rank_that_contradict_are_both_named),
		cmocka_unit_test(destroying_non_volatile_contents_needs_sanitize),
		cmocka_unit_test(a_snapshot_needs_non_volatile_contents_carried_or_attested),
		cmocka_unit_test(what_no_snapshot_names_is_not_kept_from_another_history),
		cmocka_unit_test(adopted_memory_is_zeroed_with_consent_only),
		tmpdir_test(a_file_that_was_there_is_zeroed_with_consent_only),
		cmocka_unit_test(host_device_memory_is_never_written),
		cmocka_unit_test(a_rom_is_reloaded_by_its_device_or_by_the_host),
		cmocka_unit_test(what_is_due_is_in_the_plan),
		cmocka_unit_test(
			what_the_host_says_of_a_backing_counts_instead_of_what_the_block_shows),
		cmocka_unit_test(a_plan_changes_no_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
