/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/flash_bank_private.h"

#include "tools/firmem/out.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "flash" /* of the device: trace lines begin with it */

typedef unsigned long long ull;

static const char *const sets[] = { "intel", "amd", "intel-standard", NULL };
static const char *const times[] = { "instant", "typical", "maximum", NULL };
static const char *const wp_sectors[] = { "none", "first", "last", NULL };
static const char *const modes[] = { "behind", "through", "none", NULL };
static const char *const narrows[] = { "ignore", "lanes", "broadcast", NULL };

size_t bank_options_list(struct bank_options *o, struct args_option *list)
{
	const struct args_option rows[] = {
		{ "part", ARGS_TEXT, "NAME",
		  "the chips by their name, 28F128J3: command set, sizes,\n"
		  "buffer, codes, times; as many as the bus is wide for",
		  &o->part },
		{ "set", ARGS_CHOICE, "SET",
		  "command set: intel (default), amd, or intel-standard\n"
		  "(0003 in the query table)",
		  &o->set, false, &o->set_given, sets },
		{ "size", ARGS_SIZE, "N",
		  "bytes of the bank; default: what the sectors make,\n"
		  "or the size of the image",
		  &o->size, false, &o->size_given },
		{ "sector", ARGS_TEXT, "N[xCOUNT],...",
		  "bytes that one erase clears, lowest address first;\n"
		  "up to 4 entries, the last without count fills the\n"
		  "rest; default 256K",
		  &o->sector },
		{ "bank-width", ARGS_SIZE, "N",
		  "bytes of the bus: 1, 2, 4 or 8; default 4, of a part 2", &o->bank_width, false,
		  &o->bank_width_given },
		{ "chip-width", ARGS_SIZE, "N",
		  "bytes of a chip: 1, 2 or 4; default 2, or 1 on a\n"
		  "bus of 1",
		  &o->chip_width, false, &o->chip_width_given },
		{ "profile", ARGS_TEXT, "NAME", "what the bank does otherwise than its datasheet",
		  &o->profile },
		{ "narrow", ARGS_CHOICE, "HOW",
		  "what a write narrower than the bus does: ignore,\n"
		  "lanes, broadcast; default as the profile has it",
		  &o->narrow, false, &o->narrow_given, narrows },
		{ "buffer", ARGS_SIZE, "N", "bytes of the bank's write buffer", &o->buffer, false,
		  &o->buffer_given },
		{ "byte-mode", ARGS_FLAG, NULL, "amd: x8/x16 chips that are wired for 8 bits",
		  &o->byte_mode },
		{ "time", ARGS_CHOICE, "HOW",
		  "how long programs and erases take: instant (default),\n"
		  "typical, maximum; the operation \"tick\" lets it pass",
		  &o->time, .choices = times },
		{ "big-endian", ARGS_FLAG, NULL,
		  "commands and status are on the highest address of\n"
		  "each chip's lanes",
		  &o->big_endian },
		{ "secure-only", ARGS_FLAG, NULL,
		  "commands from the secure world only: see \"secure\"", &o->secure_only },
		{ "wp-sector", ARGS_CHOICE, "WHICH",
		  "amd: the sector that WP# protects while it is low,\n"
		  "first or last; default none",
		  &o->wp_sector, .choices = wp_sectors },
		{ "image", ARGS_TEXT, "FILE",
		  "the file that keeps the contents; default: none,\n"
		  "the bank starts erased",
		  &o->image },
		{ "create", ARGS_FLAG, NULL, "make image and registers where they are absent",
		  &o->create },
		{ "mode", ARGS_CHOICE, "MODE",
		  "behind (default): changes are in the journal at\n"
		  "once, on the disk after the interval; through: on\n"
		  "the disk at once; none: nothing is written",
		  &o->mode, .choices = modes },
		{ "interval", ARGS_SIZE, "MS",
		  "milliseconds until a change is on the disk; default\n"
		  "10",
		  &o->interval, false, &o->interval_given },
		{ "journal", ARGS_TEXT, "FILE", "the image's journal; default: IMAGE.journal",
		  &o->journal },
		{ "read-only", ARGS_FLAG, NULL, "every sector is protected; the image is only read",
		  &o->read_only },
		{ "registers", ARGS_TEXT, "FILE",
		  "the file that keeps what is non-volatile beside the\n"
		  "contents: protection registers, lasting locks",
		  &o->registers },
		{ "unique", ARGS_SIZE, "N", "the factory's number in fresh intel registers",
		  &o->unique },
	};
	size_t n = sizeof(rows) / sizeof(*rows);

	memcpy(list, rows, sizeof(rows));
	health_options_list(&o->health, list + n);
	return n + HEALTH_OPTIONS;
}

/* --- the bank ------------------------------------------------------------------------------ */

/* A file of another size is not one of this bank's; a new one is factory-fresh. */
static bool open_registers(struct bank *bank, const struct fm_flash_config *cfg,
			   const struct bank_options *o, const char *command)
{
	struct fm_block_config mem = { .struct_size = sizeof(mem),
				       .name = "registers",
				       .role = FM_ROLE_FLASH_VARS,
				       .backing = FM_BACKING_FILE,
				       .path = o->registers };
	struct fm_error err;
	struct stat st;

	if (fm_flash_registers_len(cfg, &mem.len, &err)) {
		bank_complain(o, command, err.msg);
		return false;
	}
	if (!stat(o->registers, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size != mem.len) {
		complain("%s: --registers: %s: %llu bytes, expected the %llu of this bank", command,
			 o->registers, (ull)st.st_size, (ull)mem.len);
		return false;
	}
	mem.flags = o->read_only ? FM_BLOCK_READONLY : FM_BLOCK_SHARED;
	mem.flags |= o->create ? FM_BLOCK_CREATE : 0;
	if (fm_block_new(&bank->registers, &mem, &err)) {
		complain("%s: --registers: %s", command, err.msg);
		return false;
	}
	if (fm_block_file_created(bank->registers))
		memset(fm_block_ptr(bank->registers), 0xff, mem.len);
	return true;
}

/* The device; without it no file stays that was made for it. */
static bool open_dev(struct bank *bank, struct fm_flash_config *cfg, const struct bank_options *o,
		     const char *command)
{
	struct fm_error err;

	cfg->block = bank->block;
	if (o->registers && !open_registers(bank, cfg, o, command))
		return false;
	cfg->registers = bank->registers;
	if (!fm_flash_new(&bank->dev, cfg, &err))
		return true;
	bank->dev = NULL;
	if (o->registers && fm_block_file_created(bank->registers))
		unlink(o->registers);
	bank_complain(o, command, err.msg);
	return false;
}

/* The array, erased where no image will be read into it. */
static bool open_array(struct bank *bank, uint64_t len, const char *command)
{
	struct fm_block_config mem = {
		.struct_size = sizeof(mem), .name = NAME, .role = FM_ROLE_FLASH_VARS, .len = len
	};
	struct fm_block *block;
	struct fm_error err;

	if (fm_block_new(&block, &mem, &err)) {
		complain("%s: --size: %s", command, err.msg);
		return false;
	}
	if (!bank->image)
		memset(fm_block_ptr(block), 0xff, len);
	bank->block = block;
	return true;
}

bool bank_open(struct bank *bank, const struct bank_options *o, const char *command)
{
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg), .name = NAME };
	struct health health = { .stuck = NULL };
	uint64_t len;
	bool ok;

	*bank = (struct bank){ .image = o->image,
			       .registers_file = o->registers,
			       .health = health_wanted(&o->health) };
	ok = bank_config(&cfg, &len, o, command) &&
	     (!bank->health || health_take(&health, &o->health, command)) &&
	     open_array(bank, len, command);
	if (ok) {
		cfg.health = bank->health ? &health.cfg : NULL;
		ok = open_dev(bank, &cfg, o, command);
	}
	health_free(&health);
	if (!ok)
		bank_close(bank);
	return ok;
}

void bank_close(struct bank *bank)
{
	fm_dev_free(bank->dev);
	fm_block_free(bank->registers);
	fm_block_free(bank->block);
	*bank = (struct bank){ .dev = NULL };
}
