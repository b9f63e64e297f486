/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem: "firmem NOUN VERB [OPTIONS]". A new subcommand is a file and a line in the table here. */
#include "tools/firmem/args.h"
#include "tools/firmem/command.h"
#include "tools/firmem/out.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 32

static const struct command *const commands[] = {
	&command_flash,
#ifdef HAVE_FDT
	&command_machine,
	&command_reset,
#endif
#ifdef HAVE_MEASURE
	&command_measure,
#endif
	&command_vars,
#ifdef HAVE_NVDIMM
	&command_nvdimm,
#endif
	NULL,
};

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

static enum status print_commands(void)
{
	puts("usage: firmem COMMAND VERB [OPTION...]\n"
	     "\n"
	     "Looks at the memory that firmware lives in: ROM, flash, RAM, what holds them.\n");
	for (const struct command *const *c = commands; *c; c++) {
		for (const struct verb *v = (*c)->verbs; v->name; v++) {
			char name[64];

			snprintf(name, sizeof(name), "%s %s", (*c)->noun, v->name);
			printf("  %-24s%s\n", name, v->summary);
		}
	}
	puts("\n"
	     "  firmem COMMAND VERB --help   tells about one of them\n"
	     "  firmem --version             tells the version of the library\n"
	     "\n"
	     "Exit status: 0 yes or done, 1 no or findings, 2 bad input or failure.");
	return STATUS_YES;
}

static enum status print_verbs(const struct command *c)
{
	printf("usage: firmem %s VERB [OPTION...]\n\n%s\n\n", c->noun, c->summary);
	for (const struct verb *v = c->verbs; v->name; v++)
		printf("  %-24s%s\n", v->name, v->summary);
	printf("\n  firmem %s VERB --help tells about one of them\n", c->noun);
	return STATUS_YES;
}

static enum status unknown(const char *where, const char *word, const char *const *list)
{
	const char *meant = args_nearest(word, list);

	if (meant)
		return complain("%s%.60s: no such command, did you mean \"%s\"?", where, word,
				meant);
	return complain("%s%.60s: no such command, expected one that \"firmem %s--help\" lists",
			where, word, where);
}

static enum status run_verb(const struct command *c, int argc, char **argv)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	char where[64];

	if (!argc)
		return complain("%s: verb is missing, expected one that \"firmem %s --help\" lists",
				c->noun, c->noun);
	if (is_help(argv[0]))
		return print_verbs(c);
	if (c->bare && argv[0][0] == '-')
		return c->bare(argc, argv);
	for (size_t i = 0; i < NAMES_MAX && c->verbs[i].name; i++) {
		names[i] = c->verbs[i].name;
		if (!strcmp(argv[0], names[i]))
			return c->verbs[i].run(argc - 1, argv + 1);
	}
	snprintf(where, sizeof(where), "%s ", c->noun);
	return unknown(where, argv[0], names);
}

static enum status run(int argc, char **argv)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	size_t n = 0;

	if (!argc)
		return complain("command is missing, expected one that \"firmem --help\" lists");
	if (is_help(argv[0]))
		return print_commands();
	if (!strcmp(argv[0], "--version") && argc == 1) {
		printf("firmem %s\n", fm_version());
		return STATUS_YES;
	}
	for (const struct command *const *c = commands; *c && n < NAMES_MAX; c++) {
		if (!strcmp(argv[0], (*c)->noun))
			return run_verb(*c, argc - 1, argv + 1);
		names[n++] = (*c)->noun;
	}
	if (!strcmp(argv[0], "--version"))
		return complain("--version: \"%.60s\": expected nothing behind it", argv[1]);
	return unknown("", argv[0], names);
}

int main(int argc, char **argv)
{
	static char help[] = "--help";

	/* A reader that leaves early, or a file that may not grow, is an error that is told. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* "help machine info" is "machine info --help". */
	if (argc > 2 && is_help(argv[1])) {
		memmove(argv + 1, argv + 2, (size_t)(argc - 2) * sizeof(*argv));
		argv[argc - 1] = help;
	}
	return (int)out_flush(run(argc - 1, argv + 1));
}
