/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The quick way: an access as most scripts have it is parsed and done in one go over the bytes that were
 * read. Whatever looks otherwise, right or wrong, is left to script_line().
 */
#include "tools/firmem/flash_script.h"

#include "tools/firmem/flash_script_private.h"
#include "tools/firmem/out.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT 262144u
#define ANSWER_LONGEST 24u /* "0x0123456789abcdef" in quotes, and the newline */

/* A hexadecimal digit's value plus 1; 0 is none. */
static const uint8_t digit[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

void script_spill(struct script *s)
{
	out_bytes(s->answers, s->held);
	s->held = 0;
}

void script_answer(struct script *s, uint64_t value, unsigned size)
{
	char *at;

	if (s->held > ANSWERS - ANSWER_LONGEST)
		script_spill(s);
	at = s->answers + s->held;
	if (s->json)
		*at++ = '"';
	*at++ = '0';
	*at++ = 'x';
	for (unsigned n = 2 * size; n--; value >>= 4)
		at[n] = "0123456789abcdef"[value & 15];
	at += 2 * size;
	if (s->json)
		*at++ = '"';
	*at++ = '\n';
	s->held = (size_t)(at - s->answers);
}

/* A number without a unit that surely fits, and where it ends; NULL for anything else. */
static inline const char *quick_number(const char *p, uint64_t *out)
{
	uint64_t value = 0;
	const char *start;
	unsigned d;

	if (p[0] == '0' && p[1] == 'x') {
		p += 2;
		for (start = p; (d = digit[(uint8_t)*p] - 1u) < 16; p++)
			value = value << 4 | d;
		if ((size_t)(p - start) - 1 >= 16)
			return NULL;
	} else {
		for (start = p; (d = (unsigned)*p - '0') < 10; p++)
			value = value * 10 + d;
		if ((size_t)(p - start) - 1 >= 19)
			return NULL;
	}
	*out = value;
	return p;
}

/*
 * Do the access that the line at `p` is, and return where the next begins; NULL if it is
 * anything else or has a flaw, and then nothing is done. There is a newline somewhere.
 */
static inline const char *quick_line(struct script *s, const char *p)
{
	char op = p[0];
	uint64_t off, value = 0;
	unsigned size;

	if (op != 'r' && op != 'w')
		return NULL;
	size = (unsigned)p[1] - '0';
	if (size > 8 || !(0x116u >> size & 1) || p[2] != ' ')
		return NULL;
	p = quick_number(p + 3, &off);
	if (!p || off > s->len - size)
		return NULL;
	if (op == 'w') {
		if (*p != ' ')
			return NULL;
		p = quick_number(p + 1, &value);
		if (!p || (size < 8 && value >> (8 * size)))
			return NULL;
	}
	if (*p != '\n')
		return NULL;
	if (op == 'w') {
		if (fm_dev_write(s->bank->dev, off, size, value, s->attrs) & FM_EFF_FAULT)
			script_fault(s, off, size, value);
	} else {
		fm_dev_read(s->bank->dev, off, size, &value, s->attrs);
		script_answer(s, value, size);
	}
	return p + 1;
}

/* All lines of [p, end), which ends with a newline. */
static enum step run_lines(struct script *s, const char *p, const char *end)
{
	while (p < end) {
		const char *next;
		enum step step;

		s->line++;
		next = quick_line(s, p);
		if (next) {
			p = next;
			continue;
		}
		next = memchr(p, '\n', (size_t)(end - p));
		step = script_line(s, p, (size_t)(next - p));
		if (step != STEP_ON)
			return step;
		p = next + 1;
	}
	return STEP_ON;
}

/* Wait for input. The bytes, 0 at its end, -1 with errno. */
static ssize_t read_more(int fd, char *buf, size_t room)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while ((n = read(fd, buf, room)) < 0) {
		if (errno == EAGAIN)
			poll(&waiting, 1, -1);
		else if (errno != EINTR)
			break;
	}
	return n;
}

/* Answer all that was read and wait for more. What came, 0 at the end of input, -1 after a complaint. */
static ssize_t answer_and_read(struct script *s, int fd, char *buf, size_t room)
{
	ssize_t n;

	script_spill(s);
	if (!out_push())
		return -1;
	n = read_more(fd, buf, room);
	if (n < 0)
		complain("%s: standard input: %s", s->command, strerror(errno));
	return n;
}

static enum step run_input(struct script *s, int fd, char *buf)
{
	size_t len = 0; /* of the beginning of a line */
	enum step step = STEP_ON;
	ssize_t n;

	while ((n = answer_and_read(s, fd, buf + len, INPUT - len)) > 0) {
		const char *last = memrchr(buf + len, '\n', (size_t)n);

		len += (size_t)n;
		if (last) {
			step = run_lines(s, buf, last + 1);
			if (step != STEP_ON)
				return step;
			len -= (size_t)(last + 1 - buf);
			memmove(buf, last + 1, len);
		}
		if (len > LINE_LONGEST)
			return script_too_long(s);
	}
	if (n < 0)
		return STEP_BAD;
	/* The last line may lack its newline. */
	if (len) {
		buf[len++] = '\n';
		step = run_lines(s, buf, buf + len);
	}
	return step == STEP_ON ? script_power_off(s, "end of input: ") : step;
}

enum status script_run(const struct bank *bank, int fd, const struct script_options *how)
{
	struct script *s = out_need(calloc(1, sizeof(*s)));
	char *buf = out_need(malloc(INPUT));
	enum step step;

	s->bank = bank;
	s->command = how->command;
	s->json = how->json;
	s->trace = how->trace;
	s->len = fm_dev_len(bank->dev);
	if (how->trace)
		fm_dev_set_trace(bank->dev, script_trace, s);
	step = run_input(s, fd, buf);
	script_spill(s);
	fm_dev_set_trace(bank->dev, NULL, NULL);
	free(buf);
	free(s);
	return step == STEP_BAD ? STATUS_BAD : STATUS_YES;
}
