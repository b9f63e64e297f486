/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/args.h"

#include "tools/firmem/out.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 48 /* options of one command, --help among them */
#define COLUMNS 79   /* of a terminal */
#define WORD_MAX 31  /* bytes of a word that is worth a guess */

/* --- guessing ------------------------------------------------------------------------------ */

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters to insert, drop or change to make one of the other. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t blen = strlen(b);

	for (unsigned j = 0; j <= blen; j++)
		row[j] = j;
	for (unsigned i = 1; *a; i++, a++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			unsigned above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (*a != b[j - 1]));
			diagonal = above;
		}
	}
	return row[blen];
}

const char *args_nearest(const char *word, const char *const *list)
{
	const char *best = NULL;
	size_t len = strlen(word);
	/* Half of a word wrong is another word. */
	unsigned limit = (unsigned)(len + 2) / 3;

	if (!len || len > WORD_MAX)
		return NULL;
	for (; *list; list++) {
		unsigned d;

		if (strlen(*list) > WORD_MAX)
			continue;
		/* What somebody typed the beginning of. */
		d = strncmp(*list, word, len) ? distance(word, *list) : 1;
		if (d > limit)
			continue;
		best = *list;
		if (d <= 1)
			break;
		limit = d - 1;
	}
	return best;
}

/* --- help ---------------------------------------------------------------------------------- */

/* One more piece of the usage's line, or of the next. */
static int print_piece(int column, const char *dashes, const struct args_option *o)
{
	char text[64];
	int len = snprintf(text, sizeof(text), o->required ? "%s%s%s%s%s" : "[%s%s%s%s%s]", dashes,
			   o->name, o->value ? " " : "", o->value ? o->value : "",
			   o->kind == ARGS_WORDS ? "..." : "");

	if (column + 1 + len > COLUMNS)
		column = printf("\n%8s", "") - 1;
	return column + printf(" %s", text);
}

static void print_usage(const struct args_spec *spec)
{
	int column = printf("usage: firmem %s", spec->command);

	for (size_t i = 0; i < spec->nwords; i++)
		column = print_piece(column, "", &spec->words[i]);
	for (size_t i = 0; i < spec->count; i++)
		column = print_piece(column, "--", &spec->options[i]);
	putchar('\n');
}

/* The words of a text, in lines that begin at a column, where the first one is already. */
static void print_words(const char *text, const char *end, int first)
{
	int column = first;

	while (text < end) {
		int len = (int)strcspn(text, " \n");

		if (column > first && column + 1 + len > COLUMNS)
			column = first + printf("\n%*s%.*s", first, "", len, text) - 1 - first;
		else
			column += printf("%s%.*s", column > first ? " " : "", len, text);
		text += len;
		text += strspn(text, " \n");
	}
	putchar('\n');
}

static void print_help_line(const char *head, const char *help)
{
	printf("  %-24s", head);
	if (strlen(head) >= 24)
		printf("\n%26s", "");
	print_words(help, help + strlen(help), 26);
}

/* Paragraphs are filled; lines that begin with a blank are lists and commands, and stay. */
static void print_text(const char *text)
{
	while (*text) {
		const char *end = text + strcspn(text, "\n");

		if (*text == ' ' || *text == '\n') {
			printf("%.*s\n", (int)(end - text), text);
		} else {
			while (end[0] && end[1] && end[1] != ' ' && end[1] != '\n')
				end += 1 + strcspn(end + 1, "\n");
			print_words(text, end, 0);
		}
		text = *end ? end + 1 : end;
	}
}

static void print_option(const struct args_option *o)
{
	char head[64];
	char letter[8] = "";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(head, sizeof(head), "%s--%s%s%s", letter, o->name, o->value ? " " : "",
		 o->value ? o->value : "");
	print_help_line(head, o->help);
}

static enum args_result print_help(const struct args_spec *spec)
{
	print_usage(spec);
	printf("\n%s\n\n", spec->summary);
	for (size_t i = 0; i < spec->nwords; i++)
		print_help_line(spec->words[i].name, spec->words[i].help);
	for (size_t i = 0; i < spec->count; i++)
		print_option(&spec->options[i]);
	print_help_line("--help", "this text");
	puts("\nSizes and addresses are decimal or 0x hex; K, M, G, T are powers of 1024.\n"
	     "Exit status: 0 yes or done, 1 no or findings, 2 bad input or failure.");
	if (spec->text) {
		putchar('\n');
		print_text(spec->text);
	}
	return ARGS_DONE;
}

/* --- parsing ------------------------------------------------------------------------------- */

static enum args_result unknown(const struct args_spec *spec, const char *name, size_t len)
{
	const char *names[NAMES_MAX + 1] = { "help" };
	char word[WORD_MAX + 2];
	const char *meant;

	for (size_t i = 0; i < spec->count && i + 1 < NAMES_MAX; i++)
		names[i + 1] = spec->options[i].name;
	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	meant = args_nearest(word, names);
	if (meant)
		complain("%s: --%s: no such option, did you mean --%s?", spec->command, word,
			 meant);
	else
		complain("%s: --%s: no such option, expected one that \"firmem %s --help\" lists",
			 spec->command, word, spec->command);
	return ARGS_BAD;
}

static const struct args_option *find(const struct args_spec *spec, const char *name, size_t len)
{
	for (size_t i = 0; i < spec->count; i++) {
		const struct args_option *o = &spec->options[i];

		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
		if (o->alias && strlen(o->alias) == len && !memcmp(o->alias, name, len))
			return o;
	}
	return NULL;
}

static bool choose(const struct args_option *o, const char *text, unsigned *out)
{
	for (unsigned i = 0; o->choices[i]; i++) {
		if (!strcmp(o->choices[i], text)) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* "a or b", "a, b or c" */
static void list_choices(const struct args_option *o, char *text, size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; o->choices[i] && at < len; i++) {
		const char *between = !i ? "" : o->choices[i + 1] ? ", " : " or ";

		at += (size_t)snprintf(text + at, len - at, "%s%s", between, o->choices[i]);
	}
}

static bool take_word(struct args_words *words, const char *text, char *expected, size_t len)
{
	bool full = words->count == ARGS_WORDS_MAX;

	if (full)
		snprintf(expected, len, "at most %d", ARGS_WORDS_MAX);
	else
		snprintf(expected, len, "something");
	if (full || !*text)
		return false;
	words->at[words->count++] = text;
	return true;
}

/* Understand `text` as the option's kind says; false with what was expected. */
static bool take_value(const struct args_option *o, const char *text, char *expected, size_t len)
{
	switch (o->kind) {
	case ARGS_FLAG:
		break;
	case ARGS_TEXT:
		snprintf(expected, len, "something");
		if (!*text)
			return false;
		*(const char **)o->out = text;
		break;
	case ARGS_ANY:
		*(const char **)o->out = text;
		break;
	case ARGS_HEX:
		snprintf(expected, len, "a hexadecimal number below 2^64 such as 0x30000");
		return args_hex(text, o->out);
	case ARGS_SIZE:
		snprintf(expected, len, "a number below 2^64 such as 256K or 0x40000");
		return args_size(text, o->out);
	case ARGS_RANGE:
		snprintf(expected, len, "START+LENGTH below 2^64 such as 0x40000000+64M");
		return args_range(text, o->out);
	case ARGS_CHOICE:
		list_choices(o, expected, len);
		return choose(o, text, o->out);
	case ARGS_WORDS:
		return take_word(o->out, text, expected, len);
	}
	return true;
}

/* How far the arguments are understood. */
struct parsing {
	const struct args_spec *spec;
	int argc;
	char **argv;
	int at;
	uint64_t seen;     /* options, a bit each */
	size_t words;      /* how many came */
	bool only_options; /* what comes now is no word */
};

/* The option's value is the argument itself, `value`, or if that is NULL the next one. */
static enum args_result take_option(struct parsing *p, const struct args_option *o,
				    const char *value)
{
	const char *command = p->spec->command;
	char expected[128];

	if (p->seen >> (o - p->spec->options) & 1) {
		complain("%s: --%s: given twice, expected once", command, o->name);
		return ARGS_BAD;
	}
	p->seen |= UINT64_C(1) << (o - p->spec->options);
	if (o->kind == ARGS_FLAG) {
		if (value) {
			complain("%s: --%s: \"%.60s\", expected no value", command, o->name, value);
			return ARGS_BAD;
		}
		*(bool *)o->out = true;
		return ARGS_GO;
	}
	if (!value && ++p->at >= p->argc) {
		complain("%s: --%s: value is missing, expected %s", command, o->name, o->value);
		return ARGS_BAD;
	}
	if (!value)
		value = p->argv[p->at];
	if (!take_value(o, value, expected, sizeof(expected))) {
		complain("%s: --%s: \"%.60s\", expected %s", command, o->name, value, expected);
		return ARGS_BAD;
	}
	if (o->given)
		*o->given = true;
	return ARGS_GO;
}

/* --name, --name=value */
static enum args_result parse_option(struct parsing *p)
{
	const char *name = p->argv[p->at] + 2;
	size_t len = strcspn(name, "=");
	const struct args_option *o = find(p->spec, name, len);

	if (!o)
		return unknown(p->spec, name, len);
	return take_option(p, o, name[len] ? name + len + 1 : NULL);
}

/* -n */
static const struct args_option *find_letter(const struct args_spec *spec, const char *text)
{
	for (size_t i = 0; i < spec->count; i++) {
		if (text[0] == '-' && text[1] && text[1] == spec->options[i].letter && !text[2])
			return &spec->options[i];
	}
	return NULL;
}

static enum args_result parse_word(struct parsing *p)
{
	const struct args_spec *spec = p->spec;
	const char *text = p->argv[p->at];
	const struct args_option *o;
	char expected[128];

	if (p->words == spec->nwords && !p->only_options && p->words &&
	    spec->words[p->words - 1].kind == ARGS_WORDS)
		p->words--;
	if (p->words >= spec->nwords || p->only_options) {
		complain("%s: \"%.60s\": expected an option, see \"firmem %s --help\"",
			 spec->command, text, spec->command);
		return ARGS_BAD;
	}
	o = &spec->words[p->words++];
	if (!take_value(o, text, expected, sizeof(expected))) {
		complain("%s: %s: \"%.60s\", expected %s", spec->command, o->name, text, expected);
		return ARGS_BAD;
	}
	if (o->given)
		*o->given = true;
	return ARGS_GO;
}

/* A word that looks like an option is one, or a mistake. */
static enum args_result parse_argument(struct parsing *p, bool only_words)
{
	const char *text = p->argv[p->at];
	const struct args_option *o = find_letter(p->spec, text);

	if (only_words)
		return parse_word(p);
	if (o)
		return take_option(p, o, NULL);
	if (!strncmp(text, "--", 2) && text[2])
		return parse_option(p);
	p->only_options = text[0] == '-' && text[1];
	return parse_word(p);
}

static enum args_result check_missing(const struct parsing *p)
{
	const struct args_spec *spec = p->spec;

	if (p->words < spec->nwords && spec->words[p->words].required) {
		complain("%s: %s: is missing, see \"firmem %s --help\"", spec->command,
			 spec->words[p->words].name, spec->command);
		return ARGS_BAD;
	}
	for (size_t i = 0; i < spec->count; i++) {
		if (spec->options[i].required && !(p->seen >> i & 1)) {
			complain("%s: --%s: is missing, expected %s", spec->command,
				 spec->options[i].name, spec->options[i].value);
			return ARGS_BAD;
		}
	}
	return ARGS_GO;
}

enum args_result args_parse(const struct args_spec *spec, int argc, char **argv)
{
	struct parsing p = { .spec = spec, .argc = argc, .argv = argv };
	bool only_words = false;

	for (int i = 0; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return print_help(spec);
	}
	for (; p.at < argc; p.at++) {
		enum args_result result = ARGS_GO;

		if (!only_words && spec->nwords && !strcmp(argv[p.at], "--"))
			only_words = true;
		else
			result = parse_argument(&p, only_words);
		if (result != ARGS_GO)
			return result;
	}
	return check_missing(&p);
}
