/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem vars check and rescue: what a crash left behind, and the end of it. */
#include "tools/firmem/vars_verbs.h"

#include "tools/firmem/output.h"
#include "tools/firmem/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a boot of OVMF appends when nothing is set: measured. */
#define PER_BOOT 3384u

/* --- check ------------------------------------------------------------------------------------- */

static struct out_value text(const char *t)
{
	return (struct out_value){ .text = t };
}

static struct out_value number(uint64_t n)
{
	return (struct out_value){ .number = n };
}

static void put_findings(struct out *out, const struct fm_vars *vars)
{
	static const struct out_column columns[] = {
		{ "kind", "FINDING", OUT_TEXT, false },
		{ "offset", "OFFSET", OUT_ADDRESS, false },
		{ "text", "WHAT", OUT_TEXT, false },
	};
	const struct fm_vars_finding *f;

	out_table(out, "findings", columns, 3);
	for (size_t i = 0; (f = fm_vars_finding(vars, i)); i++)
		out_row(out, (const struct out_value[]){ text(fm_vars_finding_name(f->kind)),
							 number(f->off), text(f->text) });
	out_table_end(out);
}

static struct out_value space(const struct fm_vars_info *info, uint64_t n)
{
	return (struct out_value){ .number = n, .absent = !info->records_len };
}

static void put_space(struct out *out, const struct fm_vars_info *info, uint64_t per_boot)
{
	struct out_value boots = space(info, fm_vars_boots_left(info, per_boot));

	boots.absent |= boots.number == UINT64_MAX;
	out_value(out, "layout", OUT_TEXT, text(fm_vars_layout_name(info->layout)));
	out_value(out, "variables", OUT_NUMBER, space(info, info->variables));
	out_value(out, "size", OUT_NUMBER, space(info, info->records_len));
	out_value(out, "used", OUT_NUMBER, space(info, info->used));
	out_value(out, "live", OUT_NUMBER, space(info, info->live));
	out_value(out, "stale", OUT_NUMBER, space(info, info->stale));
	out_value(out, "free", OUT_NUMBER, space(info, info->free));
	out_value(out, "per_boot", OUT_NUMBER, number(per_boot));
	out_value(out, "boots_left", OUT_NUMBER, boots);
	out_value(out, "spare_variables", OUT_NUMBER,
		  (struct out_value){ .number = info->spare_variables,
				      .absent = !info->spare_whole });
}

static const char check_text[] =
	"The verdict is the first word:\n"
	"  clean            nothing is wrong (exit status 0; 1 for all others)\n"
	"  update-torn      an update did not end; no variable is lost, the firmware copes\n"
	"  reclaim-pending  a reclaim did not end; every variable is still in its place\n"
	"  reclaim-torn     a reclaim ended while it wrote the store: \"firmem vars rescue\"\n"
	"                   before the firmware runs, which may lose the variables\n"
	"  headers-lost     the firmware finds no store and would destroy what is left:\n"
	"                   \"firmem vars rescue\" before it runs\n"
	"  blank            nothing was ever stored\n"
	"  not-a-store      something else\n"
	"\n"
	"Space is in bytes. boots_left says how many boots fit until the firmware reclaims,\n"
	"spare_variables how many a whole store in the spare area has.\n";

enum status vars_check_run(int argc, char **argv)
{
	const char *path = NULL;
	bool json = false;
	uint64_t per_boot = PER_BOOT;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image", &path, true },
	};
	const struct args_option options[] = {
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &json },
		{ "per-boot", ARGS_SIZE, "BYTES",
		  "what a boot appends; default 3384, as\nmeasured of OVMF", &per_boot },
	};
	const struct args_spec spec = {
		.command = "vars check",
		.summary = "Say what a crash left behind in a variable store.",
		.text = check_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	const struct fm_vars_info *info;
	struct vars_image image;
	struct out *out;
	bool clean;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!vars_image_read(path, &image))
		return STATUS_BAD;
	info = fm_vars_info(image.vars);
	clean = info->verdict == FM_VARS_CLEAN;
	out = out_new(json);
	if (json)
		out_value(out, "verdict", OUT_TEXT, text(fm_vars_verdict_name(info->verdict)));
	else
		puts(fm_vars_verdict_name(info->verdict));
	put_findings(out, image.vars);
	put_space(out, info, per_boot);
	vars_image_free(&image);
	return out_end(out, clean ? STATUS_YES : STATUS_NO);
}

/* --- rescue ------------------------------------------------------------------------------------ */

static size_t count_variables(const void *bytes, size_t len)
{
	struct fm_vars *vars;
	size_t n;

	if (fm_vars_parse(&vars, bytes, len, NULL))
		out_need(NULL);
	n = fm_vars_info(vars)->variables;
	fm_vars_free(vars);
	return n;
}

static enum status rescue(const char *path, const char *output, bool json)
{
	enum fm_vars_rescue_action action;
	struct vars_image image;
	struct fm_error err;
	struct out *out;
	void *rescued;

	if (!vars_image_read(path, &image))
		return STATUS_BAD;
	if (fm_vars_rescue(&rescued, image.bytes, image.len, &action, &err)) {
		vars_image_free(&image);
		return complain("%s: %s", path, err.msg);
	}
	if (!output_write(output, rescued, image.len)) {
		free(rescued);
		vars_image_free(&image);
		return STATUS_BAD;
	}
	out = out_new(json);
	out_value(out, "was", OUT_TEXT,
		  text(fm_vars_verdict_name(fm_vars_info(image.vars)->verdict)));
	out_value(out, "action", OUT_TEXT, text(fm_vars_rescue_name(action)));
	out_value(out, "variables", OUT_NUMBER, number(count_variables(rescued, image.len)));
	out_value(out, "output", OUT_TEXT, text(output));
	free(rescued);
	vars_image_free(&image);
	return out_end(out, STATUS_YES);
}

static const char rescue_text[] =
	"A reclaim that had filled the spare area is ended from there (finished); one that had not\n"
	"is void (rolled-back); where there was none the output is a copy (nothing). IMAGE is not\n"
	"changed. An output that is there already is replaced, at once and whole.\n"
	"\n"
	"Example:\n"
	"  firmem vars check VARS.fd || firmem vars rescue VARS.fd -o rescued.fd\n";

enum status vars_rescue_run(int argc, char **argv)
{
	const char *path = NULL;
	const char *output = NULL;
	bool json = false;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "a flash image", &path, true },
	};
	const struct args_option options[] = {
		{ "output", ARGS_TEXT, "FILE", "where the rescued image goes", &output, true,
		  .letter = 'o' },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &json },
	};
	const struct args_spec spec = {
		.command = "vars rescue",
		.summary =
			"End a reclaim that a crash interrupted, as the firmware should have done.",
		.text = rescue_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (target_is_image(path, output))
		return complain("vars rescue: --output: %s is the image itself or its journal, "
				"expected another file",
				output);
	if (target_has_journal(output))
		return complain("vars rescue: --output: %s has a journal, expected one without: "
				"see \"firmem flash recover\"",
				output);
	return rescue(path, output, json);
}
