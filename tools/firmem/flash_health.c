/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/flash_health.h"

#include "tools/firmem/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_MAX 63 /* letters of an entry of a list */

typedef unsigned long long ull;

void health_options_list(struct health_options *o, struct args_option *list)
{
	const struct args_option rows[HEALTH_OPTIONS] = {
		{ "endurance", ARGS_SIZE, "N",
		  "erases that a sector takes, later ones fail; 0: no\n"
		  "limit, they are only counted",
		  &o->endurance, false, &o->endurance_given },
		{ "fail-program", ARGS_SIZE, "N", "the N-th program fails; the first is 1",
		  &o->fail_program, false, &o->fail_program_given },
		{ "fail-erase", ARGS_SIZE, "N", "the N-th erase fails", &o->fail_erase, false,
		  &o->fail_erase_given },
		{ "program-ppm", ARGS_SIZE, "N", "so many of a million programs fail, at random",
		  &o->program_ppm, false, &o->program_ppm_given },
		{ "erase-ppm", ARGS_SIZE, "N", "so many of a million erases fail", &o->erase_ppm,
		  false, &o->erase_ppm_given },
		{ "seed", ARGS_SIZE, "N", "which ones: the same seed, the same failures",
		  &o->seed },
		{ "stuck", ARGS_TEXT, "OFF=M0[/M1],...",
		  "bits of a byte that no longer change: those of M0\n"
		  "cannot be erased, those of M1 not be programmed",
		  &o->stuck },
		{ "bad", ARGS_TEXT, "N[,N]...",
		  "numbers of sectors, from 0, where everything fails", &o->bad },
	};

	memcpy(list, rows, sizeof(rows));
}

bool health_wanted(const struct health_options *o)
{
	return o->endurance_given || o->fail_program_given || o->fail_erase_given ||
	       o->program_ppm_given || o->erase_ppm_given || o->stuck || o->bad;
}

/* --- lists --------------------------------------------------------------------------------- */

/* Copy the next entry of a comma-separated list, cut if it is too long. False behind the last. */
static bool next_entry(const char **at, char entry[ENTRY_MAX + 1])
{
	size_t len;

	if (!*at)
		return false;
	len = strcspn(*at, ",");
	snprintf(entry, ENTRY_MAX + 1, "%.*s", (int)(len < ENTRY_MAX ? len : ENTRY_MAX), *at);
	*at = (*at)[len] ? *at + len + 1 : NULL;
	return true;
}

static bool take_mask(const char *text, uint8_t *out)
{
	uint64_t value;

	if (!args_size(text, &value) || value > 0xff)
		return false;
	*out = (uint8_t)value;
	return true;
}

/* OFF=MASK0[/MASK1] */
static bool parse_stuck(const char *entry, struct fm_flash_stuck *out)
{
	char text[ENTRY_MAX + 1];
	char *masks;
	char *ones;

	snprintf(text, sizeof(text), "%s", entry);
	masks = strchr(text, '=');
	if (!masks)
		return false;
	*masks++ = '\0';
	ones = strchr(masks, '/');
	if (ones)
		*ones++ = '\0';
	return args_size(text, &out->off) && take_mask(masks, &out->zeros) &&
	       (!ones || take_mask(ones, &out->ones));
}

static bool take_stuck(struct health *h, const char *list, const char *command)
{
	char entry[ENTRY_MAX + 1];

	while (next_entry(&list, entry)) {
		struct fm_flash_stuck one = { .off = 0 };
		size_t n = h->cfg.nstuck;

		if (!parse_stuck(entry, &one)) {
			complain(
				"%s: --stuck: \"%s\", expected OFF=M0 or OFF=M0/M1 with masks of a "
				"byte such as 0x1000=0x01/0x80",
				command, entry);
			return false;
		}
		h->stuck = out_need(reallocarray(h->stuck, n + 1, sizeof(*h->stuck)));
		h->stuck[n] = one;
		h->cfg.stuck = h->stuck;
		h->cfg.nstuck = n + 1;
	}
	return true;
}

static bool take_bad(struct health *h, const char *list, const char *command)
{
	char entry[ENTRY_MAX + 1];

	while (next_entry(&list, entry)) {
		uint64_t number;
		size_t n = h->cfg.nbad;

		if (!args_size(entry, &number) || number > UINT32_MAX) {
			complain("%s: --bad: \"%s\", expected the number of a sector", command,
				 entry);
			return false;
		}
		h->bad = out_need(reallocarray(h->bad, n + 1, sizeof(*h->bad)));
		h->bad[n] = (uint32_t)number;
		h->cfg.bad = h->bad;
		h->cfg.nbad = n + 1;
	}
	return true;
}

/* --- all of it ------------------------------------------------------------------------------ */

static bool take_u32(uint32_t *out, uint64_t value, const char *option, const char *command)
{
	if (value > UINT32_MAX) {
		complain("%s: --%s: %llu, expected at most %u", command, option, (ull)value,
			 UINT32_MAX);
		return false;
	}
	*out = (uint32_t)value;
	return true;
}

/* The first program is number 1: what is given as 0 is a mistake. */
static bool take_nth(uint64_t *out, uint64_t value, bool given, const char *option,
		     const char *command)
{
	if (given && !value) {
		complain("%s: --%s: 0, expected a number from 1 on", command, option);
		return false;
	}
	*out = value;
	return true;
}

bool health_take(struct health *h, const struct health_options *o, const char *command)
{
	struct fm_flash_health *cfg = &h->cfg;

	*h = (struct health){ .cfg = { .struct_size = sizeof(h->cfg), .seed = o->seed } };
	return take_u32(&cfg->endurance, o->endurance, "endurance", command) &&
	       take_u32(&cfg->program_ppm, o->program_ppm, "program-ppm", command) &&
	       take_u32(&cfg->erase_ppm, o->erase_ppm, "erase-ppm", command) &&
	       take_nth(&cfg->fail_program, o->fail_program, o->fail_program_given, "fail-program",
			command) &&
	       take_nth(&cfg->fail_erase, o->fail_erase, o->fail_erase_given, "fail-erase",
			command) &&
	       take_stuck(h, o->stuck, command) && take_bad(h, o->bad, command);
}

void health_free(struct health *h)
{
	free(h->stuck);
	free(h->bad);
	*h = (struct health){ .stuck = NULL };
}
