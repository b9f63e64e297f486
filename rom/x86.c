/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/rom.h>

#include "devices/bytes.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#define GRAIN (UINT64_C(64) << 10)
#define LEN_MAX (UINT64_C(16) << 20)
#define LOW_LEN (UINT64_C(128) << 10)
#define LOW_END (UINT64_C(1) << 20)
#define HIGH_END (UINT64_C(1) << 32)

int fm_rom_map_x86(struct fm_space *space, struct fm_dev *rom, int priority, struct fm_error *err)
{
	const uint64_t len = fm_dev_len(rom), low = fmi_min_u64(len, LOW_LEN);
	struct fm_window_config high_cfg = { .struct_size = sizeof(high_cfg),
					     .dev = rom,
					     .gpa = HIGH_END - len,
					     .priority = priority };
	struct fm_window_config low_cfg = { .struct_size = sizeof(low_cfg),
					    .dev = rom,
					    .gpa = LOW_END - low,
					    .dev_off = len - low };
	struct fm_window *high;
	char name[80];
	int rc;

	if (len % GRAIN || len > LEN_MAX)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: the length is 0x%" PRIx64
				    ", expected a multiple of 64 KiB of at most 16 MiB",
				    fm_dev_name(rom), len);
	if (priority == INT_MAX)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: priority is %d, expected one less at most",
				    fm_dev_name(rom), priority);
	low_cfg.priority = priority + 1;
	snprintf(name, sizeof(name), "%s-low", fm_dev_name(rom));
	low_cfg.name = name;

	fm_space_begin(space);
	rc = fm_space_add(space, &high_cfg, &high, err);
	if (!rc) {
		rc = fm_space_add(space, &low_cfg, NULL, err);
		if (rc)
			fm_space_remove(space, high, NULL);
	}
	if (rc) {
		fm_space_commit(space, NULL);
		return rc;
	}
	return fm_space_commit(space, err);
}
