/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_health: the options by which a bank of flash wears and fails. */
#ifndef FIRMEM_TOOLS_FLASH_HEALTH_H
#define FIRMEM_TOOLS_FLASH_HEALTH_H

#include "tools/firmem/args.h"

#include <firmem/flash.h>

struct health_options {
	uint64_t endurance, fail_program, fail_erase, program_ppm, erase_ppm, seed;
	bool endurance_given, fail_program_given, fail_erase_given, program_ppm_given,
		erase_ppm_given;
	const char *stuck;
	const char *bad;
};

#define HEALTH_OPTIONS 8

/* Write the rows of all options to `list`. */
void health_options_list(struct health_options *o, struct args_option *list);

/* Was any of them given? */
bool health_wanted(const struct health_options *o);

/* What they say, and the lists that it points to. */
struct health {
	struct fm_flash_health cfg;
	struct fm_flash_stuck *stuck;
	uint32_t *bad;
};

/* False after a complaint. Both ways for health_free(). */
bool health_take(struct health *h, const struct health_options *o, const char *command);
void health_free(struct health *h);

#endif
