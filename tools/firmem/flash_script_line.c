/* SPDX-License-Identifier: BSD-2-Clause */
/* The careful way of a line: every operation, and a message for every flaw. */
#include "tools/firmem/flash_script.h"

#include "tools/firmem/flash_script_private.h"
#include "tools/firmem/flash_snapshot.h"
#include "tools/firmem/out.h"
#include "tools/firmem/target.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 2 /* behind the operation */
#define BLANKS " \t\r\v\f"

typedef unsigned long long ull;

const char script_help[] =
	"Operations, one a line on standard input:\n"
	"  w1|w2|w4|w8 OFF VAL   a write of so many bytes, as on a little-endian bus\n"
	"  r1|r2|r4|r8 OFF       a read; answered by a line such as 0x00ff00ff\n"
	"  tick NS               NS nanoseconds go by\n"
	"  pins [wp-high] [vpp-low]\n"
	"                        levels from now on; not named: WP# low, VPP as it should be\n"
	"  secure on|off         accesses come from the secure world or not; off at the start\n"
	"  reset                 the machine's reset line is pulled\n"
	"  flush                 make what was done durable in the image\n"
	"  save FILE             write state and contents to a file, never to the image\n"
	"  load FILE             take them from a file; with --image the image gets the contents\n"
	"  stats                 answered by counters since the start\n"
	"  power-off             flush and stop; so does the end of input\n"
	"  # and what follows    a comment; empty lines are fine\n"
	"OFF is an offset in the bank. Numbers are decimal or 0x hexadecimal, OFF also with a unit.\n"
	"Answers are written as soon as there is nothing more to read: a program can drive the bank\n"
	"through pipes, line by line.\n"
	"A wrong line ends it with its number and status 2; what came before is done, and in the image.\n";

/* --- messages ------------------------------------------------------------------------------ */

/* The line is wrong. What came before it is to stay: answers and contents. */
FM_PRINTF(2, 3)
static enum step bad(struct script *s, const char *fmt, ...)
{
	struct fm_error err;
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	out_need(len < 0 ? NULL : text);
	script_spill(s);
	fflush(stdout);
	if (fm_dev_flush(s->bank->dev, &err))
		complain("%s: line %llu: %s; then %s", s->command, (ull)s->line, text, err.msg);
	else
		complain("%s: line %llu: %s", s->command, (ull)s->line, text);
	free(text);
	return STEP_BAD;
}

static enum step cannot_flush(struct script *s, const char *where, const struct fm_error *err)
{
	script_spill(s);
	fflush(stdout);
	complain("%s: %s%s", s->command, where, err->msg);
	return STEP_BAD;
}

enum step script_power_off(struct script *s, const char *where)
{
	struct fm_error err;

	return fm_dev_flush(s->bank->dev, &err) ? cannot_flush(s, where, &err) : STEP_END;
}

enum step script_too_long(struct script *s)
{
	s->line++;
	return bad(s, "longer than %u bytes", LINE_LONGEST);
}

/* --- operations ---------------------------------------------------------------------------- */

struct op {
	const char *name;
	const char *usage;
	enum step (*run)(struct script *s, const struct op *op, char **word);
	unsigned words; /* behind the name */
	unsigned size;  /* of an access */
	bool file;      /* the rest of the line is one word */
	bool fewer;     /* words may be left out */
};

/* A number without a unit. */
static bool plain_number(const char *text, uint64_t *out)
{
	size_t len = strlen(text);

	return len && strchr("0123456789abcdefABCDEF", text[len - 1]) && args_size(text, out);
}

static bool take_offset(struct script *s, const struct op *op, const char *text, uint64_t *off)
{
	if (!args_size(text, off)) {
		bad(s, "%s: OFF: \"%.60s\", expected a number such as 4096, 0x1000 or 4K", op->name,
		    text);
		return false;
	}
	if (*off > s->len - op->size) {
		bad(s, "%s: OFF: 0x%llx, expected at most 0x%llx in a bank of 0x%llx bytes",
		    op->name, (ull)*off, (ull)(s->len - op->size), (ull)s->len);
		return false;
	}
	return true;
}

static enum step do_read(struct script *s, const struct op *op, char **word)
{
	uint64_t off, value;

	if (!take_offset(s, op, word[0], &off))
		return STEP_BAD;
	fm_dev_read(s->bank->dev, off, op->size, &value, s->attrs);
	script_answer(s, value, op->size);
	return STEP_ON;
}

static enum step do_write(struct script *s, const struct op *op, char **word)
{
	uint64_t most = UINT64_MAX >> (64 - 8 * op->size);
	uint64_t off, value;

	if (!take_offset(s, op, word[0], &off))
		return STEP_BAD;
	if (!plain_number(word[1], &value))
		return bad(s, "%s: VAL: \"%.60s\", expected a number such as 64 or 0x40", op->name,
			   word[1]);
	if (value > most)
		return bad(s, "%s: VAL: 0x%llx, expected at most 0x%llx", op->name, (ull)value,
			   (ull)most);
	if (fm_dev_write(s->bank->dev, off, op->size, value, s->attrs) & FM_EFF_FAULT)
		script_fault(s, off, op->size, value);
	return STEP_ON;
}

static enum step do_tick(struct script *s, const struct op *op, char **word)
{
	uint64_t ns;

	if (!plain_number(word[0], &ns))
		return bad(s, "tick: NS: \"%.60s\", expected a number of nanoseconds", word[0]);
	/* The last value means never. */
	if (ns > UINT64_MAX - 1 - s->now_ns)
		return bad(s, "tick: NS: %llu, expected at most the %llu that the clock has left",
			   (ull)ns, (ull)(UINT64_MAX - 1 - s->now_ns));
	s->now_ns += ns;
	fm_dev_tick(s->bank->dev, s->now_ns);
	return STEP_ON;
}

static enum step do_reset(struct script *s, const struct op *op, char **word)
{
	fm_dev_reset(s->bank->dev, FM_RESET_SYSTEM);
	return STEP_ON;
}

static enum step do_pins(struct script *s, const struct op *op, char **word)
{
	unsigned pins = 0;

	for (unsigned i = 0; i < WORDS_MAX && word[i]; i++) {
		if (!strcmp(word[i], "wp-high"))
			pins |= FM_FLASH_PIN_WP_HIGH;
		else if (!strcmp(word[i], "vpp-low"))
			pins |= FM_FLASH_PIN_VPP_LOW;
		else
			return bad(s, "pins: \"%.60s\", expected wp-high or vpp-low", word[i]);
	}
	fm_flash_set_pins(s->bank->dev, pins);
	return STEP_ON;
}

static enum step do_secure(struct script *s, const struct op *op, char **word)
{
	if (strcmp(word[0], "on") && strcmp(word[0], "off"))
		return bad(s, "secure: \"%.60s\", expected on or off", word[0]);
	s->attrs.secure = !strcmp(word[0], "on");
	return STEP_ON;
}

static enum step flush(struct script *s, const char *name, enum step then)
{
	struct fm_error err;
	char where[64];

	snprintf(where, sizeof(where), "line %llu: %s: ", (ull)s->line, name);
	return fm_dev_flush(s->bank->dev, &err) ? cannot_flush(s, where, &err) : then;
}

static enum step do_flush(struct script *s, const struct op *op, char **word)
{
	return flush(s, op->name, STEP_ON);
}

static enum step do_power_off(struct script *s, const struct op *op, char **word)
{
	return flush(s, op->name, STEP_END);
}

static bool is_own(const struct bank *bank, const char *path)
{
	struct fm_write_behind *image = fm_flash_image(bank->dev);

	/* A reader has no journal open, and the image one nevertheless. */
	return (bank->image && target_is_image(bank->image, path)) ||
	       target_same(bank->registers_file, path) ||
	       (image && target_same(fm_write_behind_journal(image), path));
}

static enum step do_save(struct script *s, const struct op *op, char **word)
{
	struct fm_error err;

	if (is_own(s->bank, word[0]))
		return bad(s, "save: %.60s: is one of the bank's own, expected another file",
			   word[0]);
	if (snapshot_save(s->bank, word[0], &err))
		return bad(s, "save: %s", err.msg);
	return STEP_ON;
}

static enum step do_load(struct script *s, const struct op *op, char **word)
{
	struct fm_error err;

	if (snapshot_load(s->bank, word[0], &err))
		return bad(s, "load: %s", err.msg);
	return STEP_ON;
}

static enum step do_stats(struct script *s, const struct op *op, char **word)
{
	script_stats(s);
	return STEP_ON;
}

static const struct op ops[] = {
	{ "r1", "r1 OFF", do_read, 1, 1 },
	{ "r2", "r2 OFF", do_read, 1, 2 },
	{ "r4", "r4 OFF", do_read, 1, 4 },
	{ "r8", "r8 OFF", do_read, 1, 8 },
	{ "w1", "w1 OFF VAL", do_write, 2, 1 },
	{ "w2", "w2 OFF VAL", do_write, 2, 2 },
	{ "w4", "w4 OFF VAL", do_write, 2, 4 },
	{ "w8", "w8 OFF VAL", do_write, 2, 8 },
	{ "tick", "tick NS", do_tick, 1 },
	{ "pins", "pins [wp-high] [vpp-low]", do_pins, 2, .fewer = true },
	{ "secure", "secure on|off", do_secure, 1 },
	{ "reset", "reset", do_reset },
	{ "flush", "flush", do_flush },
	{ "save", "save FILE", do_save, 1, .file = true },
	{ "load", "load FILE", do_load, 1, .file = true },
	{ "stats", "stats", do_stats },
	{ "power-off", "power-off", do_power_off },
};
#define OPS (sizeof(ops) / sizeof(*ops))

/* --- a line -------------------------------------------------------------------------------- */

static enum step unknown(struct script *s, const char *word)
{
	const char *names[OPS + 1] = { NULL };
	const char *meant;

	for (size_t i = 0; i < OPS; i++)
		names[i] = ops[i].name;
	meant = args_nearest(word, names);
	if (meant)
		return bad(s, "\"%.60s\": no such operation, did you mean %s?", word, meant);
	return bad(s, "\"%.60s\": no such operation, expected one that \"firmem %s --help\" lists",
		   word, s->command);
}

/* The next word of *at, or NULL: the end of the line, or a comment. *at is behind it. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, BLANKS);

	if (!*word || *word == '#')
		return NULL;
	*at = word + strcspn(word, BLANKS);
	if (**at)
		*(*at)++ = '\0';
	return word;
}

/* All that is left, without the blanks around it; NULL if that is nothing. */
static char *rest_of_line(char **at)
{
	char *word = *at + strspn(*at, BLANKS);
	size_t len = strlen(word);

	while (len && strchr(BLANKS, word[len - 1]))
		word[--len] = '\0';
	*at = word + len;
	return len ? word : NULL;
}

static const struct op *find(const char *name)
{
	for (size_t i = 0; i < OPS; i++) {
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	}
	return NULL;
}

static enum step run_op(struct script *s, const struct op *op, char *at)
{
	char *word[WORDS_MAX] = { NULL };
	unsigned n = 0;
	char *extra;

	if (op->file)
		word[n] = rest_of_line(&at);
	else
		while (n < op->words && (word[n] = next_word(&at)))
			n++;
	if (op->words && !op->fewer && !word[op->words - 1])
		return bad(s, "%s: something is missing, expected %s", op->name, op->usage);
	extra = next_word(&at);
	if (extra)
		return bad(s, "%s: \"%.60s\" is too much, expected %s", op->name, extra, op->usage);
	return op->run(s, op, word);
}

enum step script_line(struct script *s, const char *text, size_t len)
{
	char line[LINE_LONGEST + 1];
	const char *nul = memchr(text, '\0', len);
	const struct op *op;
	char *at = line;
	char *name;

	if (len > LINE_LONGEST)
		return bad(s, "longer than %u bytes", LINE_LONGEST);
	memcpy(line, text, len);
	line[len] = '\0';
	name = next_word(&at);
	if (nul && (name || !memchr(text, '#', (size_t)(nul - text))))
		return bad(s, "byte %zu is 0x00, expected text", (size_t)(nul - text) + 1);
	if (!name)
		return STEP_ON;
	op = find(name);
	return op ? run_op(s, op, at) : unknown(s, name);
}
