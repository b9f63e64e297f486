/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem reset: what a reset does to a machine's memory, decided and tried. */
#include "tools/firmem/args.h"
#include "tools/firmem/out.h"
#include "tools/firmem/reset_machine.h"
#include "tools/firmem/reset_policy.h"
#include "tools/firmem/reset_test.h"

#include <stdlib.h>
#include <string.h>

#define SANITIZE_MAX 64

struct reset {
	const char *dtb;
	unsigned kind;
	unsigned cause;
	unsigned pages;
	bool overwrite;
	uint64_t mor;
	const char *sanitize; /* names with commas between them */
	const char *policy;
	bool json;
};

/* In the order of enum fm_reset_kind, _cause and _pages. */
static const char *const kinds[] = { "power-on", "system",       "s3", "kexec",
				     "snapshot", "confidential", NULL };
static const char *const causes[] = { "unknown",  "guest", "host", "triple-fault",
				      "watchdog", "panic", NULL };
static const char *const pages[] = { "auto", "release", "resident", NULL };

static const struct out_column plan_columns[] = {
	{ "block", "BLOCK", OUT_TEXT },     { "role", "ROLE", OUT_TEXT },
	{ "start", "START", OUT_ADDRESS },  { "size", "SIZE", OUT_SIZE },
	{ "action", "ACTION", OUT_TEXT },   { "flush", "FLUSH", OUT_BOOL },
	{ "persist", "PERSIST", OUT_BOOL }, { "quiesce", "QUIESCE", OUT_BOOL },
	{ "measure", "MEASURE", OUT_BOOL }, { "reason", "REASON", OUT_TEXT },
};

static struct out_value due(const struct fm_reset_step *s, unsigned bit)
{
	return (struct out_value){ .number = (s->due & bit) != 0 };
}

static void put_plan(struct out *out, const struct fm_reset_plan *plan)
{
	out_value(out, "kind", OUT_TEXT,
		  (struct out_value){ .text = fm_reset_kind_name(plan->kind) });
	out_value(out, "cause", OUT_TEXT,
		  (struct out_value){ .text = fm_reset_cause_name(plan->cause) });
	out_value(out, "overwrite", OUT_TEXT,
		  (struct out_value){ .text = fm_reset_overwrite_name(plan->overwrite) });
	out_value(out, "overwrite_reason", OUT_TEXT,
		  (struct out_value){ .text = plan->overwrite_reason });
	out_value(out, "refused", OUT_BOOL, (struct out_value){ .number = plan->refused });
	out_table(out, "plan", plan_columns, sizeof(plan_columns) / sizeof(*plan_columns));
	for (size_t i = 0; i < plan->count; i++) {
		const struct fm_reset_step *s = &plan->steps[i];

		out_row(out, (const struct out_value[]){
				     { .text = *s->block ? s->block : "(unnamed)" },
				     { .text = fm_role_name(s->role) },
				     { .number = s->start },
				     { .number = s->size },
				     { .text = fm_reset_action_name(s->action) },
				     due(s, FM_RESET_DUE_FLUSH),
				     due(s, FM_RESET_DUE_PERSIST),
				     due(s, FM_RESET_DUE_QUIESCE),
				     due(s, FM_RESET_DUE_MEASURE),
				     { .text = s->reason },
			     });
	}
	out_table_end(out);
}

/* --- from options to a plan -------------------------------------------------------------------- */

/* Split in place; false after a complaint. */
static bool split(const char *command, char *names, const char *list[SANITIZE_MAX], size_t *count)
{
	while (names) {
		const char *name = strsep(&names, ",");

		if (!*name) {
			complain("%s: --sanitize: an empty name, expected blocks with commas "
				 "between them",
				 command);
			return false;
		}
		if (*count == SANITIZE_MAX) {
			complain("%s: --sanitize: expected at most %u blocks", command,
				 SANITIZE_MAX);
			return false;
		}
		list[(*count)++] = name;
	}
	return true;
}

struct run {
	const char *command;
	const struct reset *r;
	struct reset_machine machine;
	struct reset_policy policy;
	char *names;
	const char *sanitize[SANITIZE_MAX];
	struct fm_reset_request request;
};

static bool prepare(struct run *run)
{
	const struct reset *r = run->r;

	run->names = r->sanitize ? out_need(strdup(r->sanitize)) : NULL;
	run->request = (struct fm_reset_request){ .struct_size = sizeof(run->request),
						  .kind = (enum fm_reset_kind)r->kind,
						  .cause = (enum fm_reset_cause)r->cause,
						  .memory_overwrite = r->overwrite,
						  .mor = (uint8_t)r->mor,
						  .sanitize = run->sanitize };
	if (run->names && !split(run->command, run->names, run->sanitize, &run->request.nsanitize))
		return false;
	if (r->policy && !reset_policy_read(&run->policy, r->policy))
		return false;
	if (!reset_machine_read(&run->machine, r->dtb))
		return false;
	run->request.policy = run->policy.rules;
	run->request.policy_name = RESET_POLICY_RULES;
	run->request.npolicy = run->policy.nrules;
	run->request.saved = run->policy.saved;
	run->request.nsaved = run->policy.nsaved;
	run->request.host_devices_reset = run->policy.host_devices_reset;
	run->request.backings = run->machine.backings;
	run->request.nbackings = run->machine.nbackings;
	return true;
}

static enum status perform(struct run *run, bool test)
{
	struct fm_reset_plan *plan;
	struct fm_error err;
	struct out *out;
	enum status status;
	bool asked;

	if (fm_reset_plan(&plan, run->machine.machine, &run->request, &err))
		return complain("%s: %s", reset_policy_says(err.msg) ? run->r->policy : run->r->dtb,
				err.msg);
	/* Again, with what the guest left: a request is in its page too, and a plan reads that. */
	asked = plan->overwrite_sources != 0;
	fm_reset_plan_free(plan);
	if (test)
		reset_test_fill(run->machine.machine);
	reset_test_ask(run->machine.machine, asked);
	if (fm_reset_plan(&plan, run->machine.machine, &run->request, &err))
		return complain("%s: %s", run->r->dtb, err.msg);
	out = out_new(run->r->json);
	put_plan(out, plan);
	status = plan->refused ? STATUS_NO : STATUS_YES;
	if (test)
		status = reset_test_run(out, run->machine.machine, plan,
					(enum fm_reset_pages)run->r->pages);
	fm_reset_plan_free(plan);
	return out_end(out, status);
}

/* --- the verbs ----------------------------------------------------------------------------- */

static const char plan_text[] =
	"START and SIZE are a range within the block. ACTION is keep, zero, reload (from the pristine\n"
	"image), flush-keep, load (from the snapshot), discard, unplug, rebuild, acknowledge (of the\n"
	"request to overwrite memory) or refuse. The machine is built on memory of its own: no file that\n"
	"the tree names is opened. A refused reset is status 1. docs/reset.md has the policy's form.\n"
	"\n"
	"Examples:\n"
	"  firmem reset plan --dtb virt.dtb --kind system --memory-overwrite\n"
	"  firmem reset plan --dtb q35.dtb --kind power-on --sanitize nvdimm0 --json\n";

static const char test_text[] =
	"Every block is filled with a secret, the plan is applied and verified, and what is left is\n"
	"counted. The machine is built on memfds: no file that the tree names is opened. Status 1: the\n"
	"outcome is not as planned, or volatile memory still holds the secret, which it does wherever the\n"
	"plan keeps it; \"as_planned\" tells the two apart.\n"
	"\n"
	"Examples:\n"
	"  firmem reset test --dtb q35.dtb --kind system --memory-overwrite\n";

static enum status reset_run(int argc, char **argv, bool test)
{
	struct reset r = { .dtb = NULL };
	const struct args_option options[] = {
		{ "dtb", ARGS_TEXT, "FILE", "the machine's device tree blob", &r.dtb, true },
		{ "kind", ARGS_CHOICE, "KIND",
		  "power-on, system, s3, kexec, snapshot or\nconfidential", &r.kind, true,
		  .choices = kinds },
		{ "memory-overwrite", ARGS_FLAG, NULL, "a memory overwrite is asked for",
		  &r.overwrite },
		{ "mor", ARGS_SIZE, "VALUE",
		  "of MemoryOverwriteRequestControl: bit 0 asks\nfor a memory overwrite", &r.mor },
		{ "sanitize", ARGS_TEXT, "BLOCK",
		  "destroy what this block holds; several with\ncommas between them", &r.sanitize },
		{ "policy", ARGS_TEXT, "FILE", "overrides, as JSON", &r.policy },
		{ "cause", ARGS_CHOICE, "CAUSE",
		  "unknown, guest, host, triple-fault, watchdog\nor panic; is recorded", &r.cause,
		  .choices = causes },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &r.json },
		{ "pages", ARGS_CHOICE, "HOW",
		  "auto, release or resident: the host's pages\nunder what is zeroed", &r.pages,
		  .choices = pages },
	};
	const struct args_spec spec = {
		.command = test ? "reset test" : "reset plan",
		.summary = test ? "Do a reset to a machine full of secrets and see what is left."
				: "Say what a reset does to each block of a machine, and why.",
		.text = test ? test_text : plan_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options) - !test,
	};
	struct run run = { .command = spec.command, .r = &r };
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (r.mor > 0xff)
		return complain("%s: --mor: 0x%llx, expected one byte", spec.command,
				(unsigned long long)r.mor);
	status = prepare(&run) ? perform(&run, test) : STATUS_BAD;
	reset_machine_free(&run.machine);
	reset_policy_free(&run.policy);
	free(run.names);
	return status;
}

static enum status plan_run(int argc, char **argv)
{
	return reset_run(argc, argv, false);
}

static enum status test_run(int argc, char **argv)
{
	return reset_run(argc, argv, true);
}

static const struct verb verbs[] = {
	{ "plan", "what a reset does to each block, and why", plan_run },
	{ "test", "do it to a machine full of secrets and see what is left", test_run },
	{ NULL, NULL, NULL },
};

const struct command command_reset = {
	.noun = "reset",
	.summary = "What a reset does to a machine's memory.",
	.verbs = verbs,
};
