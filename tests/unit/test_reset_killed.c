/* SPDX-License-Identifier: BSD-2-Clause */
/* Resets of processes that are killed. Blocks are memfds: what is left is there to see. */
#include "tests/unit/reset_host.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

struct killing {
	struct fm_machine *machine;
	enum fm_reset_kind kind;
	unsigned at; /* the call of progress() that kills */
	unsigned calls;
};

static void die(void *ctx, enum fm_reset_phase phase, const struct fm_reset_step *s)
{
	struct killing *k = ctx;

	if (k->calls++ == k->at)
		raise(SIGKILL);
}

static int reset_and_die(struct killing *k)
{
	struct host h = { 0 };
	struct fm_reset_options o = host_options(&h);
	struct fm_reset_plan *plan = NULL;

	o.progress = die;
	o.ctx = k;
	o.resume = NULL;
	o.quiesce = allow;
	o.rebuild = NULL;
	o.unplug = NULL;
	if (fm_reset_plan(&plan, k->machine, REQUEST(.kind = k->kind), NULL))
		return 3;
	return fm_reset_apply(k->machine, plan, &o, NULL, NULL) ? 4 : 0;
}

/* True when the child got to the end. */
static bool run_killed(struct killing *k)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(reset_and_die(k));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), SIGKILL);
	else
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFEXITED(status);
}

static bool any_secret(struct fm_machine *m)
{
	struct fm_block *b;

	fm_machine_foreach_block (m, FM_WALK_RESET_TARGETS, b) {
		if (holds_secret(b))
			return true;
	}
	return holds_secret(of(m, FM_ROLE_ROM)) && !fm_rom_pristine(fm_machine_dev(m, "rom"), NULL);
}

/* The blocks are memfds, so this process sees what the one that was killed left. */
static void killed_at_any_step_it_never_acknowledges_with_a_secret_left(void **state)
{
	const enum fm_reset_kind kinds[] = { FM_RESET_POWER_ON, FM_RESET_SYSTEM };
	unsigned kills = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct fm_machine *m = make_all(FM_BACKING_MEMFD);
		struct killing k = { .machine = m, .kind = kinds[i] };
		bool finished = false;
		struct fm_block *b;

		drop_private(m);
		for (k.at = 0; !finished; k.at++) {
			fm_machine_foreach_block (m, FM_WALK_ALL, b)
				fill_quietly(b);
			page_of(m)[FM_PPI_MEMORY_OVERWRITE] |= FM_PPI_CLEAR_MEMORY;
			finished = run_killed(&k);
			kills += !finished;
			if (!(page_of(m)[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY))
				assert_false(any_secret(m));
			else
				assert_false(finished);
			fm_machine_foreach_block (m, FM_WALK_ALL, b) {
				if (fm_role_nonvolatile(fm_block_role(b)))
					assert_true(all_bytes(fm_block_ptr(b), fm_block_len(b),
							      SECRET));
			}
		}
		fm_machine_free(m);
	}
	print_message("killed %u times\n", kills);
	assert_true(kills > 100);
}

/* What was left undone is done by the next reset, because the request is still set. */
static void the_reset_after_a_killed_one_finishes_it(void **state)
{
	struct fm_machine *m = make_all(FM_BACKING_MEMFD);
	struct killing k = { .machine = m, .kind = FM_RESET_SYSTEM, .at = 40 };

	drop_private(m);
	page_of(m)[FM_PPI_MEMORY_OVERWRITE] |= FM_PPI_CLEAR_MEMORY;
	assert_false(run_killed(&k));
	assert_true(page_of(m)[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY);
	k.at = UINT32_MAX;
	k.calls = 0;
	assert_true(run_killed(&k));
	assert_false(page_of(m)[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY);
	assert_false(any_secret(m));
	fm_machine_free(m);
}

/* Not at a step, but by the clock: also in the middle of a store of zeros. */
static void killed_at_any_moment_it_never_acknowledges_with_a_secret_left(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add_cfg(m, BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM,
						    .backing = FM_BACKING_MEMFD, .len = 4 << 20));
	struct fm_block *ppi = add(m, "ppi", FM_ROLE_PPI, FM_BACKING_MEMFD);
	struct killing k = { .machine = m, .kind = FM_RESET_SYSTEM, .at = UINT32_MAX };
	unsigned undone = 0, done = 0;

	for (unsigned i = 0; i < 200; i++) {
		struct timespec t = { .tv_nsec = (long)(i % 100) * 20000 };
		uint8_t *request = bytes(ppi) + FM_PPI_MEMORY_OVERWRITE;
		pid_t pid;

		fill(ram);
		*request = FM_PPI_CLEAR_MEMORY;
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			_exit(reset_and_die(&k));
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (*request)
			undone++;
		else
			assert_false(holds_secret(ram));
		done += !*request;
	}
	print_message("%u undone, %u done\n", undone, done);
	fm_machine_free(m);
}

/* ctx: the machine, of blocks "ppi" and "ram". What a kill would leave is what is there now. */
static void look(void *ctx, enum fm_reset_phase phase, const struct fm_reset_step *s)
{
	struct fm_machine *m = ctx;

	if (!(bytes(fm_machine_block(m, "ppi"))[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY))
		assert_false(holds_secret(fm_machine_block(m, "ram")));
}

/* Whatever a rule or a sanitize says of the page that it is in. */
static void a_request_is_forgotten_by_no_override(void **state)
{
	static const enum fm_reset_action actions[] = { FM_RESET_KEEP, FM_RESET_ZERO,
							FM_RESET_RELOAD, FM_RESET_DISCARD,
							FM_RESET_FLUSH_KEEP };
	const char *const ppi_name = "ppi";

	for (unsigned i = 0; i < 5 * FM_RESET_COUNT * 4; i++) {
		enum fm_reset_kind kind = (enum fm_reset_kind)(i / 5 % FM_RESET_COUNT);
		bool keep_ram = i / 5 / FM_RESET_COUNT & 1;
		bool sanitize = i / 5 / FM_RESET_COUNT & 2;
		const struct fm_reset_rule rules[] = {
			{ .role = FM_ROLE_PPI, .action = actions[i % 5] },
			{ .role = FM_ROLE_RAM, .action = FM_RESET_KEEP },
		};
		struct fm_machine *m = machine_make();
		struct fm_block *ppi = add(m, "ppi", FM_ROLE_PPI, FM_BACKING_MEMFD);
		struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_MEMFD);
		struct host h = { 0 };
		struct fm_reset_options o = host_options(&h);
		struct fm_reset_report report = { .count = 0 };
		struct fm_reset_plan *plan;

		fill(ram);
		bytes(ppi)[FM_PPI_MEMORY_OVERWRITE] = FM_PPI_CLEAR_MEMORY;
		plan = plan_of(m, REQUEST(.kind = kind, .rules = rules, .nrules = keep_ram ? 2 : 1,
					  .sanitize = &ppi_name, .nsanitize = sanitize));
		o.progress = look;
		o.quiesce = allow;
		o.ctx = m;
		o.load = NULL;
		o.resume = NULL;
		o.reload = NULL;
		fm_reset_apply(m, plan, &o, &report, NULL);
		look(m, FM_RESET_PHASE_DONE, NULL);
		/* And the plan has told so. */
		if (bytes(ppi)[FM_PPI_MEMORY_OVERWRITE])
			assert_int_equal(plan->overwrite, FM_OVERWRITE_PENDING);
		fm_reset_report_clear(&report);
		fm_reset_plan_free(plan);
		fm_machine_free(m);
	}
}

/* The matrix keeps the page over a snapshot load for this reason; a rule does not know better. */
static void a_request_is_replaced_by_no_snapshot(void **state)
{
	const struct fm_reset_rule rule = { .role = FM_ROLE_PPI,
					    .action = FM_RESET_LOAD,
					    .kinds = 1u << FM_RESET_SNAPSHOT };
	struct fm_machine *m = machine_make();
	struct fm_block *ppi = add(m, "ppi", FM_ROLE_PPI, FM_BACKING_MEMFD);
	const struct fm_reset_request *r =
		REQUEST(.kind = FM_RESET_SNAPSHOT, .rules = &rule, .nrules = 1);

	assert_int_equal(action_of(m, "ppi", r), FM_RESET_LOAD);
	bytes(ppi)[FM_PPI_MEMORY_OVERWRITE] = FM_PPI_CLEAR_MEMORY;
	assert_int_equal(action_of(m, "ppi", r), FM_RESET_REFUSE);
	fm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_step_it_never_acknowledges_with_a_secret_left),
		cmocka_unit_test(the_reset_after_a_killed_one_finishes_it),
		cmocka_unit_test(killed_at_any_moment_it_never_acknowledges_with_a_secret_left),
		cmocka_unit_test(a_request_is_forgotten_by_no_override),
		cmocka_unit_test(a_request_is_replaced_by_no_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
