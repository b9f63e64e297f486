/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/script.h"

#include <firmem/io.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 255u
#define FILE_MAX ((size_t)1 << 20)
#define NS_PER_S UINT64_C(1000000000)
#define DEFAULT_TIMEOUT_S 60u
#define MAX_TIMEOUT_S 86400u

enum verb {
	VERB_EXPECT,
	VERB_SEND,
	VERB_TIMEOUT,
	VERB_HOLD,
	VERB_POWEROFF,
	VERB_QUIT,
	VERB_COUNT
};

static const char *const verb_names[VERB_COUNT] = {
	[VERB_EXPECT] = "expect", [VERB_SEND] = "send",         [VERB_TIMEOUT] = "timeout",
	[VERB_HOLD] = "hold",     [VERB_POWEROFF] = "poweroff", [VERB_QUIT] = "quit",
};

struct step {
	enum verb verb;
	unsigned line;
	unsigned seconds;
	char *source; /* the line, for messages */
	uint8_t *text;
	size_t len;
};

struct script {
	char *path;
	struct step *steps;
	size_t count;
	size_t at;
	enum script_state state;
	struct script_host host;
	uint64_t timeout_ns;
	uint64_t deadline_ns;
	size_t seen_len; /* output since the last match, its end only */
	uint8_t seen[2 * TEXT_MAX];
	char failure[400];
};

/* --- reading ------------------------------------------------------------------------------ */

/* Where the reader is: for messages. */
struct place {
	const char *path;
	unsigned line;
};

static int bad(const struct place *p, struct fm_error *err, const char *what, const char *got,
	       const char *expected)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s:%u: %s \"%.40s\", expected %s", p->path,
			    p->line, what, got, expected);
}

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape after its backslash; NULL if it is none. */
static const char *unescape(const char *s, uint8_t *out)
{
	static const char names[] = "nrte0\\\"";
	static const char values[] = "\n\r\t\033\0\\\"";
	const char *hit = *s ? strchr(names, *s) : NULL;
	int high, low;

	if (hit) {
		*out = (uint8_t)values[hit - names];
		return s + 1;
	}
	high = *s == 'x' ? hex_digit(s[1]) : -1;
	low = high >= 0 ? hex_digit(s[2]) : -1;
	if (low < 0)
		return NULL;
	*out = (uint8_t)(16 * high + low);
	return s + 3;
}

/* A quoted text; *rest is what follows it. */
static int read_text(const struct place *p, const char *s, struct step *step, const char **rest,
		     struct fm_error *err)
{
	uint8_t text[TEXT_MAX];
	const char *start = s;
	size_t len = 0;

	if (*s++ != '"')
		return bad(p, err, verb_names[step->verb], start, "a text in double quotes");
	while (*s && *s != '"') {
		uint8_t c = (uint8_t)*s;

		if (len == TEXT_MAX)
			return bad(p, err, verb_names[step->verb], start, "at most 255 bytes");
		if (c != '\\')
			s++;
		else
			s = unescape(s + 1, &c);
		if (!s)
			return bad(p, err, "escape in", start,
				   "\\n \\r \\t \\e \\0 \\\\ \\\" or \\xHH");
		text[len++] = c;
	}
	if (*s != '"')
		return bad(p, err, verb_names[step->verb], start, "a closing double quote");
	if (!len)
		return bad(p, err, verb_names[step->verb], start, "at least 1 byte");
	step->text = malloc(len);
	if (!step->text)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", p->path);
	memcpy(step->text, text, len);
	step->len = len;
	*rest = s + 1;
	return 0;
}

static int read_seconds(const struct place *p, const char *s, struct step *step, const char **rest,
			struct fm_error *err)
{
	char *end;
	unsigned long v = isdigit((unsigned char)*s) ? strtoul(s, &end, 10) : 0;

	if (!v || v > MAX_TIMEOUT_S)
		return bad(p, err, "timeout", s, "1 to 86400 seconds");
	step->seconds = (unsigned)v;
	*rest = end;
	return 0;
}

static int read_verb(const struct place *p, const char *s, struct step *step, const char **rest,
		     struct fm_error *err)
{
	size_t len = strcspn(s, " \t\"#");

	for (int v = 0; v < VERB_COUNT; v++) {
		if (strlen(verb_names[v]) == len && !memcmp(verb_names[v], s, len)) {
			step->verb = (enum verb)v;
			*rest = skip_blanks(s + len);
			return 0;
		}
	}
	return bad(p, err, "step", s, "expect, send, timeout, hold, poweroff or quit");
}

/* One line that is not empty. */
static int read_step(const struct place *p, const char *s, struct step *step, struct fm_error *err)
{
	int rc;

	step->line = p->line;
	rc = read_verb(p, s, step, &s, err);
	if (!rc && (step->verb == VERB_EXPECT || step->verb == VERB_SEND))
		rc = read_text(p, s, step, &s, err);
	else if (!rc && step->verb == VERB_TIMEOUT)
		rc = read_seconds(p, s, step, &s, err);
	if (rc)
		return rc;
	s = skip_blanks(s);
	if (*s && *s != '#')
		return bad(p, err, "after the step", s, "the end of the line");
	return 0;
}

static bool is_last(enum verb verb)
{
	return verb == VERB_HOLD || verb == VERB_POWEROFF || verb == VERB_QUIT;
}

static int add_line(struct script *script, const struct place *p, const char *line,
		    struct fm_error *err)
{
	struct step *grown;
	const char *s = skip_blanks(line);

	if (!*s || *s == '#')
		return 0;
	if (script->count && is_last(script->steps[script->count - 1].verb))
		return bad(p, err, "a step after hold, poweroff or quit:", s,
			   "the end of the script");
	grown = realloc(script->steps, (script->count + 1) * sizeof(*grown));
	if (!grown)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", p->path);
	script->steps = grown;
	script->steps[script->count] = (struct step){ .source = strdup(s) };
	if (!script->steps[script->count++].source)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", p->path);
	return read_step(p, s, &script->steps[script->count - 1], err);
}

/* `text` is NUL-terminated and is cut into lines in place. */
static int read_lines(struct script *script, char *text, struct fm_error *err)
{
	struct place p = { .path = script->path };
	int rc = 0;

	while (!rc && *text) {
		char *end = text + strcspn(text, "\n");
		bool more = *end == '\n';

		*end = '\0';
		if (end > text && end[-1] == '\r')
			end[-1] = '\0';
		p.line++;
		rc = add_line(script, &p, text, err);
		text = end + (more ? 1 : 0);
	}
	if (!rc && !script->count)
		rc = fm_error_set(err, FM_ERR_FORMAT, 0, "%s: no steps, expected at least one",
				  script->path);
	return rc;
}

int script_load(struct script **out, const char *path, struct fm_error *err)
{
	struct script *script = calloc(1, sizeof(*script));
	void *bytes = NULL;
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (script)
		script->path = strdup(path);
	if (!script || !script->path)
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", path);
	else
		rc = fm_io_load(NULL, path, FILE_MAX, &bytes, &len, err);
	if (!rc && memchr(bytes, 0, len))
		rc = fm_error_set(err, FM_ERR_FORMAT, 0, "%s: a NUL byte, expected text", path);
	if (!rc) {
		text = strndup(bytes, len);
		rc = text ? read_lines(script, text, err)
			  : fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", path);
	}
	free(text);
	free(bytes);
	if (rc)
		script_free(script);
	else
		*out = script;
	return rc;
}

void script_free(struct script *script)
{
	if (!script)
		return;
	for (size_t i = 0; i < script->count; i++) {
		free(script->steps[i].source);
		free(script->steps[i].text);
	}
	free(script->steps);
	free(script->path);
	free(script);
}

/* --- running ------------------------------------------------------------------------------ */

static void finish_step(struct script *script)
{
	const struct step *step = &script->steps[script->at++];

	script->deadline_ns = UINT64_MAX;
	script->host.step(script->host.ctx, step->line, step->source);
}

/* Take steps until one has to wait. */
static void advance(struct script *script, uint64_t now_ns)
{
	while (script->state == SCRIPT_RUNNING) {
		const struct step *step = &script->steps[script->at];

		if (script->at == script->count) {
			script->state = SCRIPT_DONE;
			return;
		}
		switch (step->verb) {
		case VERB_SEND:
			script->host.send(script->host.ctx, step->text, step->len);
			break;
		case VERB_TIMEOUT:
			script->timeout_ns = step->seconds * NS_PER_S;
			break;
		case VERB_HOLD:
			script->state = SCRIPT_HOLDING;
			break;
		case VERB_QUIT:
			script->state = SCRIPT_DONE;
			break;
		case VERB_EXPECT:
		case VERB_POWEROFF:
			script->deadline_ns = now_ns + script->timeout_ns;
			return;
		case VERB_COUNT:
			break;
		}
		finish_step(script);
	}
}

/* The end of the guest's output, made printable. */
static void last_output(const struct script *script, char *out, size_t room)
{
	size_t want = script->seen_len < 60 ? script->seen_len : 60;

	*out = '\0';
	for (size_t i = script->seen_len - want; i < script->seen_len; i++) {
		uint8_t c = script->seen[i];
		size_t used = strlen(out);

		if (c >= ' ' && c < 0x7f)
			snprintf(out + used, room - used, "%c", c);
		else
			snprintf(out + used, room - used, "\\x%02x", c);
	}
}

static void fail(struct script *script, const char *why)
{
	const struct step *step = &script->steps[script->at];
	char end[256];

	last_output(script, end, sizeof(end));
	snprintf(script->failure, sizeof(script->failure), "%s:%u: %.60s: %s; last output \"%s\"",
		 script->path, step->line, step->source, why, end);
	script->state = SCRIPT_FAILED;
	script->deadline_ns = UINT64_MAX;
}

void script_start(struct script *script, const struct script_host *host, uint64_t now_ns)
{
	script->host = *host;
	script->timeout_ns = DEFAULT_TIMEOUT_S * NS_PER_S;
	script->deadline_ns = UINT64_MAX;
	advance(script, now_ns);
}

static bool matches(const struct script *script)
{
	const struct step *step = &script->steps[script->at];

	return step->verb == VERB_EXPECT && script->seen_len >= step->len &&
	       !memcmp(script->seen + script->seen_len - step->len, step->text, step->len);
}

void script_output(struct script *script, uint8_t byte, uint64_t now_ns)
{
	if (script->state != SCRIPT_RUNNING)
		return;
	if (script->seen_len == sizeof(script->seen)) {
		memmove(script->seen, script->seen + TEXT_MAX, TEXT_MAX);
		script->seen_len = TEXT_MAX;
	}
	script->seen[script->seen_len++] = byte;
	if (!matches(script))
		return;
	script->seen_len = 0;
	finish_step(script);
	advance(script, now_ns);
}

void script_tick(struct script *script, uint64_t now_ns)
{
	char why[64];

	if (script->state != SCRIPT_RUNNING || now_ns < script->deadline_ns)
		return;
	snprintf(why, sizeof(why), "not seen in %llu s of guest time",
		 (unsigned long long)(script->timeout_ns / NS_PER_S));
	fail(script, why);
}

void script_powered_off(struct script *script)
{
	if (script->state != SCRIPT_RUNNING)
		return;
	if (script->steps[script->at].verb != VERB_POWEROFF) {
		fail(script, "the guest powered off");
		return;
	}
	finish_step(script);
	script->state = SCRIPT_DONE;
}

enum script_state script_state(const struct script *script)
{
	return script->state;
}

uint64_t script_deadline(const struct script *script)
{
	return script->deadline_ns;
}

const char *script_failure(const struct script *script)
{
	return script->failure;
}
