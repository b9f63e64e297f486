/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/digest.h>
#include <firmem/transcript.h>

#include "measure/common.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 512u
#define HEAD "firmem-transcript "

struct fm_transcript {
	char technology[FM_STEP_WHAT_MAX];
	struct fm_measure_step *steps;
	size_t count;
	size_t room;
};

static int no_memory(struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_NOMEM, 0, "transcript: out of memory");
}

int fm_transcript_new(struct fm_transcript **out, struct fm_error *err)
{
	struct fm_transcript *t = calloc(1, sizeof(*t));

	if (!t)
		return no_memory(err);
	memcpy(t->technology, "none", 5);
	*out = t;
	return 0;
}

void fm_transcript_free(struct fm_transcript *transcript)
{
	if (!transcript)
		return;
	free(transcript->steps);
	free(transcript);
}

/* One word of letters that are seen, of 1 to max - 1 bytes? */
static bool is_word(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] > ' ' && s[n] < 0x7f)
		n++;
	return n && n < max && !s[n];
}

/* Words, or nothing; no control characters. */
static bool is_text(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] >= ' ' && s[n] < 0x7f)
		n++;
	return n < max && !s[n];
}

int fm_transcript_set_technology(struct fm_transcript *transcript, const char *technology,
				 struct fm_error *err)
{
	if (!technology || !is_word(technology, FM_STEP_WHAT_MAX))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "transcript: technology is not one word of 1 to %u letters",
				    FM_STEP_WHAT_MAX - 1);
	memcpy(transcript->technology, technology, strlen(technology) + 1);
	return 0;
}

const char *fm_transcript_technology(const struct fm_transcript *transcript)
{
	return transcript->technology;
}

int fm_transcript_add(struct fm_transcript *transcript, const struct fm_measure_step *step,
		      struct fm_error *err)
{
	if (!is_word(step->what, FM_STEP_WHAT_MAX) || !is_text(step->part, FM_STEP_PART_MAX))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "transcript: step %zu: what is not a word, or part not text",
				    transcript->count);
	if (step->contents_len > FM_STEP_DIGEST_MAX || step->running_len > FM_STEP_DIGEST_MAX ||
	    !step->running_len)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "transcript: step %zu: digests of %u and %u bytes, expected at "
				    "most %u, and a running one",
				    transcript->count, step->contents_len, step->running_len,
				    FM_STEP_DIGEST_MAX);
	if (transcript->count == transcript->room) {
		size_t room = transcript->room ? 2 * transcript->room : 64;
		struct fm_measure_step *grown = realloc(transcript->steps, room * sizeof(*grown));

		if (!grown)
			return no_memory(err);
		transcript->steps = grown;
		transcript->room = room;
	}
	transcript->steps[transcript->count++] = *step;
	return 0;
}

size_t fm_transcript_count(const struct fm_transcript *transcript)
{
	return transcript->count;
}

const struct fm_measure_step *fm_transcript_step(const struct fm_transcript *transcript,
						 size_t index)
{
	return index < transcript->count ? &transcript->steps[index] : NULL;
}

/* --- text --------------------------------------------------------------------------------- */

/* "-" when there is none. */
static const char *hex_or_dash(char *buf, const uint8_t *bytes, size_t len)
{
	return len ? fm_digest_hex(buf, bytes, len) : "-";
}

static int step_line(char *line, size_t index, const struct fm_measure_step *s)
{
	char contents[2 * FM_STEP_DIGEST_MAX + 1];
	char running[2 * FM_STEP_DIGEST_MAX + 1];
	char gpa[24] = "-";

	if (s->gpa != UINT64_MAX)
		snprintf(gpa, sizeof(gpa), "0x%" PRIx64, s->gpa);
	return snprintf(line, LINE_MAX_LEN, "%zu %s %s 0x%" PRIx64 " %s %s %s\n", index, s->what,
			gpa, s->len, hex_or_dash(contents, s->contents, s->contents_len),
			hex_or_dash(running, s->running, s->running_len), s->part);
}

int fm_transcript_text(const struct fm_transcript *transcript, char **text, size_t *len,
		       struct fm_error *err)
{
	char *buf = malloc((transcript->count + 2) * LINE_MAX_LEN);
	size_t at;

	if (!buf)
		return no_memory(err);
	at = (size_t)snprintf(buf, LINE_MAX_LEN, HEAD "1 %s\n", transcript->technology);
	for (size_t i = 0; i < transcript->count; i++)
		at += (size_t)step_line(buf + at, i, &transcript->steps[i]);
	at += (size_t)snprintf(buf + at, LINE_MAX_LEN, "end %zu\n", transcript->count);
	*text = buf;
	if (len)
		*len = at;
	return 0;
}

/* What is left of a text, by lines and words. */
struct reader {
	const char *name;
	const char *at;
	size_t left;
	size_t line; /* number of the current one, from 1 */
	char buf[LINE_MAX_LEN];
	char *word;
};

static int bad(const struct reader *r, struct fm_error *err, const char *expected)
{
	char text[41] = "";

	/* It may be any file: nothing that a terminal obeys, and one line. */
	for (size_t i = 0; i < sizeof(text) - 1 && r->buf[i]; i++)
		text[i] = r->buf[i] >= ' ' && r->buf[i] < 0x7f ? r->buf[i] : '?';
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: line %zu: \"%s\", expected %s", r->name,
			    r->line, text, expected);
}

/* The next line into buf, without its end; false at the end of the text or when it is too long. */
static bool next_line(struct reader *r)
{
	const char *end = memchr(r->at, '\n', r->left);
	size_t n = end ? (size_t)(end - r->at) : r->left;

	r->line++;
	r->buf[0] = '\0';
	if (!end || n >= LINE_MAX_LEN || memchr(r->at, 0, n))
		return false;
	memcpy(r->buf, r->at, n);
	r->buf[n] = '\0';
	r->word = r->buf;
	r->at += n + 1;
	r->left -= n + 1;
	return true;
}

/* The next word of the line into `out`; false when there is none or it is longer. */
static bool next_word(struct reader *r, char *out, size_t max)
{
	size_t n = strcspn(r->word, " ");

	if (!n || n >= max)
		return false;
	memcpy(out, r->word, n);
	out[n] = '\0';
	r->word += n;
	r->word += *r->word == ' ';
	return true;
}

/* "12", or with `hex` "0xc"; no sign. */
static bool take_number(struct reader *r, bool hex, uint64_t *out)
{
	char word[24];
	const char *digits = hex ? word + 2 : word;
	char *end;

	if (!next_word(r, word, sizeof(word)) || (hex && strncmp(word, "0x", 2)) ||
	    !isxdigit((unsigned char)*digits))
		return false;
	errno = 0;
	*out = strtoull(digits, &end, hex ? 16 : 10);
	return !*end && !errno;
}

static bool take_digest(struct reader *r, uint8_t *out, uint32_t *len)
{
	char word[2 * FM_STEP_DIGEST_MAX + 1];
	size_t n = 0;

	if (!next_word(r, word, sizeof(word)))
		return false;
	if (strcmp(word, "-") && !fm_digest_from_hex(word, out, FM_STEP_DIGEST_MAX, &n))
		return false;
	*len = (uint32_t)n;
	return true;
}

static bool take_step(struct reader *r, uint64_t index, struct fm_measure_step *s)
{
	uint64_t number;
	char dash[3];

	memset(s, 0, sizeof(*s));
	if (!take_number(r, false, &number) || number != index ||
	    !next_word(r, s->what, sizeof(s->what)))
		return false;
	if (r->word[0] == '-' && r->word[1] == ' ') {
		next_word(r, dash, sizeof(dash));
		s->gpa = UINT64_MAX;
	} else if (!take_number(r, true, &s->gpa)) {
		return false;
	}
	if (!take_number(r, true, &s->len) || !take_digest(r, s->contents, &s->contents_len) ||
	    !take_digest(r, s->running, &s->running_len))
		return false;
	if (strlen(r->word) >= sizeof(s->part))
		return false;
	memcpy(s->part, r->word, strlen(r->word) + 1);
	return true;
}

static int read_steps(struct reader *r, struct fm_transcript *t, struct fm_error *err)
{
	struct fm_measure_step step;
	uint64_t count;
	char word[8];
	int ret;

	while (next_line(r)) {
		if (!strncmp(r->buf, "end ", 4)) {
			next_word(r, word, sizeof(word));
			if (!take_number(r, false, &count) || count != t->count || r->left)
				return bad(r, err, "\"end\" with the number of steps, and no more");
			return 0;
		}
		if (!take_step(r, t->count, &step))
			return bad(r, err,
				   "NUMBER WHAT GPA LENGTH CONTENTS RUNNING PART of the next step");
		ret = fm_transcript_add(t, &step, err);
		if (ret == FM_ERR_ARG)
			return bad(r, err, "a step");
		if (ret)
			return ret;
	}
	return bad(r, err, "whole lines, the last of them \"end\"");
}

int fm_transcript_parse(struct fm_transcript **out, const char *name, const void *bytes, size_t len,
			struct fm_error *err)
{
	struct reader r = { .name = fmi_or(name, "transcript"), .at = bytes, .left = len };
	struct fm_transcript *t;
	uint64_t version;
	char word[FM_STEP_WHAT_MAX];
	int ret;

	if (!next_line(&r) || !next_word(&r, word, sizeof(word)) ||
	    strcmp(word, "firmem-transcript") || !take_number(&r, false, &version))
		return bad(&r, err, "\"" HEAD "1\" and what is measured");
	if (version != 1)
		return fm_error_set(err, FM_ERR_VERSION, 0,
				    "%s: line 1: version %" PRIu64 ", expected 1", r.name, version);
	if (!next_word(&r, word, sizeof(word)) || *r.word || !is_word(word, sizeof(word)))
		return bad(&r, err, "\"" HEAD "1\" and what is measured");
	ret = fm_transcript_new(&t, err);
	if (ret)
		return ret;
	memcpy(t->technology, word, sizeof(word));
	ret = read_steps(&r, t, err);
	if (ret) {
		fm_transcript_free(t);
		return ret;
	}
	*out = t;
	return 0;
}

/* --- diff --------------------------------------------------------------------------------- */

/* What usually makes a step of this kind differ. */
static const char *hint(const struct fm_measure_step *s)
{
	static const struct {
		const char *part, *words;
	} hints[] = {
		{ "firmware", "another firmware image, or another build of it" },
		{ "kernel-hashes", "another kernel, initrd or command line" },
		{ "vcpu", "another CPU model, guest features, VMM or reset vector" },
		{ "svsm-caa", "another VMM, or firmware with other metadata" },
		{ "realm", "another IPA width, SVE, PMU, breakpoint or hash setting" },
		{ "dtb", "another device tree" },
		{ "kernel", "another kernel" },
		{ "initrd", "another initrd" },
		{ "sec-mem", "another VMM, or firmware with other metadata" },
		{ "cpuid", "another VMM, or firmware with other metadata" },
		{ "secrets", "another VMM, or firmware with other metadata" },
		{ "svsm", "another SVSM image" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
		if (!strncmp(s->part, hints[i].part, strlen(hints[i].part)))
			return hints[i].words;
	}
	return "other input";
}

static void describe(char *out, size_t max, const struct fm_measure_step *s)
{
	char at[40] = "";

	if (s->gpa != UINT64_MAX)
		snprintf(at, sizeof(at), " at 0x%" PRIx64, s->gpa);
	snprintf(out, max, "%s%s%s%s", s->what, at, *s->part ? " of " : "", s->part);
}

/* The answer: they part here. */
#define PART_AT(out, ...) (snprintf((out)->words, sizeof((out)->words), __VA_ARGS__), 1)

static bool same_bytes(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	return alen == blen && !memcmp(a, b, alen);
}

/* Is one the same page of a TD's as the other, by another order? */
static bool is_other_order(const struct fm_measure_step *a, const struct fm_measure_step *b)
{
	return a->gpa == b->gpa && !strcmp(a->part, b->part) &&
	       ((!strcmp(a->what, "add-extend") && !strcmp(b->what, "add")) ||
		(!strcmp(a->what, "add") && !strcmp(b->what, "add-extend")));
}

static int compare(const struct fm_measure_step *a, const struct fm_measure_step *b, size_t i,
		   struct fm_transcript_difference *out)
{
	char was[128], is[128];

	describe(was, sizeof(was), a);
	describe(is, sizeof(is), b);
	if (is_other_order(a, b))
		return PART_AT(
			out,
			"step %zu: A measures %s, B measures %s: another order (--order), or "
			"the contents are measured in one alone",
			i, was, is);
	if (strcmp(a->what, b->what) || strcmp(a->part, b->part))
		return PART_AT(out, "step %zu: A measures %s, B measures %s: %s", i, was, is,
			       hint(a));
	if (a->gpa != b->gpa)
		return PART_AT(out,
			       "step %zu: the same kind of step at other addresses: A %s, B %s: "
			       "%s",
			       i, was, is, hint(a));
	if (a->len != b->len)
		return PART_AT(out, "step %zu: %s: A has 0x%" PRIx64 " bytes, B has 0x%" PRIx64, i,
			       was, a->len, b->len);
	if (!same_bytes(a->contents, a->contents_len, b->contents, b->contents_len))
		return PART_AT(out, "step %zu: %s: the contents differ: %s", i, was, hint(a));
	if (a->gpa == UINT64_MAX && !a->contents_len &&
	    !same_bytes(a->running, a->running_len, b->running, b->running_len))
		return PART_AT(out, "step %zu: %s: the results differ: other input", i, was);
	if (!same_bytes(a->running, a->running_len, b->running, b->running_len))
		return PART_AT(out,
			       "step %zu: %s: the same step gives another digest: what came before "
			       "the first step differs (a precomputed hash, or the algorithm)",
			       i, was);
	return 0;
}

int fm_transcript_diff(const struct fm_transcript *a, const struct fm_transcript *b,
		       struct fm_transcript_difference *out)
{
	size_t n = a->count < b->count ? a->count : b->count;
	char next[128];

	out->index = 0;
	if (strcmp(a->technology, b->technology))
		return PART_AT(out, "A is a launch of %s, B of %s", a->technology, b->technology);
	for (size_t i = 0; i < n; i++) {
		out->index = i;
		if (compare(&a->steps[i], &b->steps[i], i, out))
			return 1;
	}
	out->index = n;
	if (a->count == b->count)
		return 0;
	describe(next, sizeof(next), a->count > n ? &a->steps[n] : &b->steps[n]);
	return PART_AT(out, "step %zu: %s ends after %zu steps, %s goes on with %s (%zu more)", n,
		       a->count > n ? "B" : "A", n, a->count > n ? "A" : "B", next,
		       a->count > n ? a->count - n : b->count - n);
}
