/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem flash run: a bank that takes bus cycles from standard input. */
#include "tools/firmem/flash_bank.h"
#include "tools/firmem/flash_script.h"
#include "tools/firmem/flash_verbs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "flash run"

static const char examples[] =
	"\n"
	"--trace prints a line for each thing that the bank does, before the read's answer:\n"
	"  flash KIND off OFF size N value VAL TEXT\n"
	"KIND is read, write (cycles); command, mode (what they meant), medium (what changed in the\n"
	"array); ignored, misuse (TEXT says why); reset; fault (a bus error); host-error.\n"
	"\n"
	"With --json each answer is a JSON value on a line: \"0x00ff00ff\", an object of counters, an\n"
	"object {\"trace\": KIND, ...}.\n"
	"\n"
	"Example: program a word, look at the status and at the array\n"
	"  printf '%s\\n' 'w4 0 0x400040' 'w4 0 0x1234' 'r4 0' 'w4 0 0xff00ff' 'r4 0' |\n"
	"    firmem flash run --set intel --size 64M --image vars.fd --create\n";

enum status flash_run(int argc, char **argv)
{
	struct bank_options bank_options = { .set = FM_FLASH_INTEL };
	struct script_options how = { .command = COMMAND };
	struct args_option options[BANK_OPTIONS_MAX + 2];
	const struct args_option own[] = {
		{ "trace", ARGS_FLAG, NULL, "also print what the bank does, decoded", &how.trace },
		{ "json", ARGS_FLAG, NULL, "each answer is a JSON value on a line", &how.json },
	};
	char text[4096];
	struct args_spec spec = {
		.command = COMMAND,
		.summary = "Make a bank of flash and do to it what standard input says.",
		.text = text,
		.options = options,
	};
	enum args_result result;
	struct bank bank;
	enum status status;

	spec.count = bank_options_list(&bank_options, options);
	memcpy(options + spec.count, own, sizeof(own));
	spec.count += sizeof(own) / sizeof(*own);
	snprintf(text, sizeof(text), "%s%s", script_help, examples);
	result = args_parse(&spec, argc, argv);
	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!bank_open(&bank, &bank_options, COMMAND))
		return STATUS_BAD;
	status = script_run(&bank, STDIN_FILENO, &how);
	bank_close(&bank);
	return status;
}
