/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/args.h"

#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* How many bits a unit shifts by; 0 is no unit. */
static unsigned unit_shift(char c)
{
	static const char units[] = "KkMmGgTt";
	const char *at = c ? strchr(units, c) : NULL;

	return at ? 10 * (unsigned)((at - units) / 2 + 1) : 0;
}

/* Take a number with its unit off *p. */
static bool take(const char **p, uint64_t *out)
{
	unsigned base = 10;
	unsigned shift;
	uint64_t value = 0;
	const char *start;

	if ((*p)[0] == '0' && ((*p)[1] == 'x' || (*p)[1] == 'X')) {
		base = 16;
		*p += 2;
	}
	for (start = *p; digit(**p) < (int)base; ++*p) {
		uint64_t d = (uint64_t)digit(**p);

		if (value > (UINT64_MAX - d) / base)
			return false;
		value = value * base + d;
	}
	if (*p == start)
		return false;
	shift = unit_shift(**p);
	if (shift && value << shift >> shift != value)
		return false;
	*p += shift != 0;
	*out = value << shift;
	return true;
}

bool args_size(const char *text, uint64_t *out)
{
	uint64_t value;

	if (!take(&text, &value) || *text)
		return false;
	*out = value;
	return true;
}

bool args_range(const char *text, struct args_range *out)
{
	struct args_range range;

	if (!take(&text, &range.start) || *text++ != '+' || !take(&text, &range.len) || *text)
		return false;
	if (!range.len || range.start > UINT64_MAX - (range.len - 1))
		return false;
	*out = range;
	return true;
}

bool args_hex(const char *text, uint64_t *out)
{
	uint64_t value = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (digit(*text) > 15 || value >> 60)
			return false;
		value = value << 4 | (uint64_t)digit(*text);
	}
	*out = value;
	return true;
}
