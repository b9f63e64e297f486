/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/flash_sectors.h"

#include "tools/firmem/args.h"
#include "tools/firmem/out.h"

#include <stdio.h>
#include <string.h>

#define ENTRY_MAX 63     /* letters of an entry */
#define COUNT_MAX 65536u /* JESD68.01: a region's count less one has 16 bits */
#define SIZE_BITS 40     /* no product of a size and a count wraps */

typedef unsigned long long ull;

struct entry {
	char text[ENTRY_MAX + 1];
	uint64_t size;
	uint64_t count;
	bool counted;
};

/* SIZE[xCOUNT] */
static bool read_entry(struct entry *e)
{
	bool hex = e->text[0] == '0' && e->text[1] == 'x';
	char *x = strchr(e->text + (hex ? 2 : 0), 'x');
	bool ok;

	e->counted = x;
	if (!x)
		return args_size(e->text, &e->size);
	*x = '\0';
	ok = args_size(e->text, &e->size) && args_size(x + 1, &e->count);
	*x = 'x';
	return ok;
}

static bool add(struct sectors *s, const char *text, size_t len, const char *command)
{
	struct entry e = { .counted = false };

	snprintf(e.text, sizeof(e.text), "%.*s", (int)(len < ENTRY_MAX ? len : ENTRY_MAX), text);
	if (len > ENTRY_MAX || !read_entry(&e)) {
		complain("%s: --sector: \"%s\", expected SIZE or SIZExCOUNT such as 64K or 8Kx8",
			 command, e.text);
		return false;
	}
	if (!e.size || e.size >> SIZE_BITS) {
		complain("%s: --sector: \"%s\": size 0x%llx, expected 0x100 to 0x%llx bytes",
			 command, e.text, (ull)e.size, (ull)1 << SIZE_BITS);
		return false;
	}
	if (e.counted && (!e.count || e.count > COUNT_MAX)) {
		complain("%s: --sector: \"%s\": count %llu, expected 1 to %u", command, e.text,
			 (ull)e.count, COUNT_MAX);
		return false;
	}
	s->region[s->count++] = (struct fm_flash_region){ e.size, (uint32_t)e.count };
	s->open = !e.counted;
	s->sum += e.size * e.count;
	return true;
}

bool sectors_parse(struct sectors *out, const char *text, const char *command)
{
	const char *at = text;

	*out = (struct sectors){ .count = 0 };
	for (;;) {
		size_t len = strcspn(at, ",");

		if (out->count == FM_FLASH_REGIONS) {
			complain("%s: --sector: \"%.60s\", expected at most %u entries", command,
				 text, FM_FLASH_REGIONS);
			return false;
		}
		if (out->open) {
			complain("%s: --sector: \"%.60s\": entry %u has no count, expected that of "
				 "the last only",
				 command, text, out->count);
			return false;
		}
		if (!add(out, at, len, command))
			return false;
		if (!at[len])
			return true;
		at += len + 1;
	}
}

bool sectors_fit(struct sectors *s, uint64_t *size, const char *text, const char *command)
{
	struct fm_flash_region *last = &s->region[s->count - 1];
	uint64_t rest;

	if (!*size && !s->open)
		*size = s->sum;
	if (!*size || (!s->open && *size == s->sum))
		return true;
	if (!s->open) {
		complain("%s: --sector: \"%.60s\" makes 0x%llx bytes, expected the bank's 0x%llx",
			 command, text, (ull)s->sum, (ull)*size);
		return false;
	}
	rest = *size > s->sum ? *size - s->sum : 0;
	if (!rest || rest % last->block_len || rest / last->block_len > COUNT_MAX) {
		complain(
			"%s: --sector: \"%.60s\" leaves 0x%llx bytes of the bank's 0x%llx, expected 1 "
			"to %u times 0x%llx",
			command, text, (ull)rest, (ull)*size, COUNT_MAX, (ull)last->block_len);
		return false;
	}
	last->count = (uint32_t)(rest / last->block_len);
	s->open = false;
	return true;
}
