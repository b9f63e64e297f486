/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * args: the options of a command, strictly: what is not understood whole is an error. The same
 * table makes the help text.
 */
#ifndef FIRMEM_TOOLS_ARGS_H
#define FIRMEM_TOOLS_ARGS_H

#include "tools/firmem/command.h"

#include <firmem/base.h>

enum args_kind {
	ARGS_FLAG,   /* bool; no value */
	ARGS_TEXT,   /* const char *; not empty */
	ARGS_ANY,    /* const char *; may be empty */
	ARGS_HEX,    /* uint64_t; see args_hex() */
	ARGS_SIZE,   /* uint64_t; see args_size() */
	ARGS_RANGE,  /* struct args_range: START+LENGTH */
	ARGS_CHOICE, /* unsigned: which of `choices` */
	ARGS_WORDS,  /* struct args_words: one or more; only the last of the words may be */
};

#define ARGS_WORDS_MAX 16

struct args_words {
	const char *at[ARGS_WORDS_MAX];
	size_t count;
};

struct args_range {
	uint64_t start;
	uint64_t len; /* bytes; not 0; the range does not wrap */
};

/* An option, or a word that stands alone (IMAGE): then `name` is all that is said of it. */
struct args_option {
	const char *name; /* without its two dashes */
	enum args_kind kind;
	const char *value; /* what the help calls it: FILE */
	const char *help;
	void *out; /* as `kind` says; untouched when the option is not given */
	bool required;
	bool *given;                /* NULL: nobody asks */
	const char *const *choices; /* the last is NULL */
	char letter;                /* 'o': -o VALUE is the same; 0: none */
	const char *alias;          /* another name that is taken for it; NULL: none */
};

struct args_spec {
	const char *command; /* "machine info" */
	const char *summary; /* a line: what it does */
	const char *text;    /* paragraphs and examples behind the options, or NULL */
	const struct args_option *options;
	size_t count;
	/* Words that stand alone, in this order, anywhere among the options; required ones first. */
	const struct args_option *words;
	size_t nwords;
};

enum args_result {
	ARGS_GO,   /* all is parsed */
	ARGS_DONE, /* the help was asked for and printed: STATUS_YES */
	ARGS_BAD,  /* complained: STATUS_BAD */
};

/*
 * --name VALUE, --name=VALUE and -n VALUE, each at most once; --help; the words of the command, all
 * of what follows "--" among them; nothing else.
 */
enum args_result args_parse(const struct args_spec *spec, int argc, char **argv);

/*
 * A number: decimal, or hexadecimal after 0x; then K, M, G or T (powers of 1024, either case) or
 * nothing. No sign, no blank, nothing behind. False when it is not one or does not fit 64 bits.
 */
bool args_size(const char *text, uint64_t *out);
/* A number in hexadecimal, with or without 0x; no sign, no blank, nothing behind; below 2^64. */
bool args_hex(const char *text, uint64_t *out);
/* START+LENGTH, each as args_size() reads it. */
bool args_range(const char *text, struct args_range *out);

/* The word of the list (the last is NULL) that `word` may have been meant to be, or NULL. */
const char *args_nearest(const char *word, const char *const *list);

#endif
