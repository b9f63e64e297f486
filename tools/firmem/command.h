/* SPDX-License-Identifier: BSD-2-Clause */
/* command: what a subcommand is. One file each; main.c has the table of them. */
#ifndef FIRMEM_TOOLS_COMMAND_H
#define FIRMEM_TOOLS_COMMAND_H

/* What a command's exit status says, in every subcommand. */
enum status {
	STATUS_YES = 0, /* done; the answer is yes; nothing was found wrong */
	STATUS_NO = 1,  /* the answer is no; there are findings or differences */
	STATUS_BAD = 2, /* bad input, or it could not be done: one line on stderr says why */
};

/* "firmem NOUN VERB": argv starts behind the verb. Parses it with args_parse(), --help included. */
struct verb {
	const char *name;
	const char *summary; /* a line, for the lists */
	enum status (*run)(int argc, char **argv);
};

struct command {
	const char *noun;
	const char *summary;
	const struct verb *verbs; /* the last has no name */
	/* "firmem NOUN --OPTION ...", without a verb; NULL: one is needed. argv starts at the option. */
	enum status (*bare)(int argc, char **argv);
};

extern const struct command command_flash;
extern const struct command command_machine;
extern const struct command command_measure;
extern const struct command command_nvdimm;
extern const struct command command_reset;
extern const struct command command_vars;

#endif
