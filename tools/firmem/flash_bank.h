/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_bank: the options that describe a bank of flash, and the bank that they make. */
#ifndef FIRMEM_TOOLS_FLASH_BANK_H
#define FIRMEM_TOOLS_FLASH_BANK_H

#include "tools/firmem/flash_health.h"

#include <firmem/flash.h>

struct bank_options {
	const char *part;
	unsigned set; /* enum fm_flash_set */
	bool set_given;
	uint64_t size, bank_width, chip_width, buffer;
	bool size_given, bank_width_given, chip_width_given, buffer_given, narrow_given;
	const char *sector;
	const char *profile;
	unsigned narrow; /* enum fm_flash_narrow */
	const char *image;
	bool create, read_only, byte_mode;
	unsigned time; /* enum fm_flash_time */
	bool big_endian, secure_only;
	unsigned wp_sector; /* 0 none, 1 the first, 2 the last */
	unsigned mode;      /* enum fm_write_mode */
	uint64_t interval;  /* milliseconds */
	bool interval_given;
	const char *journal;
	const char *registers;
	uint64_t unique;
	struct health_options health;
};

#define BANK_OPTIONS_MAX 32 /* rows that bank_options_list() writes at most */

/* Write the rows of all options to `list`; returns how many. */
size_t bank_options_list(struct bank_options *o, struct args_option *list);

/* A bank and the memory that is its array. */
struct bank {
	struct fm_block *block;
	struct fm_block *registers; /* NULL: none */
	struct fm_dev *dev;
	const char *image;          /* NULL: none */
	const char *registers_file; /* NULL: none */
	bool health;
	bool read_only;
};

/*
 * Make it. False after a complaint that starts with `command` and names the option; then no file
 * was made or changed.
 */
bool bank_open(struct bank *bank, const struct bank_options *o, const char *command);
/* Free. The image is written as far as the host lets it; flush first to hear of it. */
void bank_close(struct bank *bank);

#endif
