/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/flash_bank_private.h"

#include "tools/firmem/out.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "flash" /* of the device: trace lines begin with it */
#define NAME "flash"                      /* of the device: trace lines begin with it */
#define SIZE_MAX_BANK (UINT64_C(1) << 32) /* more than any bank; less than any typing error */
#define DEFAULT_SECTOR (256u << 10)       /* as fm_flash_config has it */
#define NAMES_MAX 32
#define INTERVAL_MAX 3600000u /* milliseconds: an hour */

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
		  "milliseconds until a change is on the disk; default 10", &o->interval, false,
		  &o->interval_given },
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

/* --- what the library says, in words of the options -------------------------------------------- */

static const char *const fields[][2] = {
	{ "bank_width", "bank-width" },
	{ "chip_width", "chip-width" },
	{ "regions", "sector" },
	{ "nregions", "sector" },
	{ "buffer_len", "buffer" },
	{ "quirks", "profile" },
	{ "read_only", "read-only" },
	{ "byte_mode", "byte-mode" },
	{ "narrow", "narrow" },
	{ "create", "create" },
	{ "image", "image" },
	{ "set", "set" },
	{ "big_endian", "big-endian" },
	{ "secure_only", "secure-only" },
	{ "registers", "registers" },
	{ "stuck", "stuck" },
	{ "bad", "bad" },
	{ "program_ppm", "program-ppm" },
	{ "erase_ppm", "erase-ppm" },
};

#define LETTERS "abcdefghijklmnopqrstuvwxyz_"

/* The option of the field that a text begins with, or NULL; *len is that of the word. */
static const char *option_of(const char *text, size_t *len)
{
	*len = strspn(text, LETTERS);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (strlen(fields[i][0]) == *len && !memcmp(fields[i][0], text, *len))
			return fields[i][1];
	}
	return NULL;
}

/* Copy a text; a word of it that is a field and no English becomes its option. */
static void copy_words(char *out, size_t room, const char *text)
{
	size_t at = 0;

	while (*text && at < room) {
		size_t len;
		const char *option = option_of(text, &len);

		if (option && memchr(text, '_', len))
			at += (size_t)snprintf(out + at, room - at, "--%s", option);
		else
			at += (size_t)snprintf(out + at, room - at, "%.*s", len ? (int)len : 1,
					       text);
		text += len ? len : 1;
	}
}

/* Behind "fm_flash_config." or "fm_flash_health.", or NULL. */
static const char *field_of(const char *msg)
{
	const char *at = strstr(msg, "fm_flash_config.");

	if (!at)
		at = strstr(msg, "fm_flash_health.");
	return at ? strchr(at, '.') + 1 : NULL;
}

/* "flash: fm_flash_config.bank_width is 3, expected ..." names a field: name the option. */
static void complain_config(const struct bank_options *o, const char *command, const char *msg)
{
	const char *rest = field_of(msg);
	const char *option = NULL;
	char words[512] = "";
	char value[80] = "";
	unsigned entry;
	size_t len;
	int used = 0;

	if (rest)
		option = option_of(rest, &len);
	if (!option) {
		complain("%s: %s%s", command, o->image ? "--image: " : "", msg);
		return;
	}
	rest += len;
	if (sscanf(rest, "[%u]%n", &entry, &used) == 1 && used) {
		snprintf(value, sizeof(value), " entry %u:", entry + 1);
		rest += used;
		rest += *rest == '.' ? 1 + strspn(rest + 1, LETTERS) : 0;
	}
	if (!strcmp(option, "profile") && o->profile)
		snprintf(value, sizeof(value), " \"%.60s\": its quirks", o->profile);
	else if (!strncmp(rest, " is ", 4))
		rest += 3;
	rest += *rest == ':';
	copy_words(words, sizeof(words), rest);
	complain("%s: --%s:%s%s", command, option, value, words);
}

/* --- the config ---------------------------------------------------------------------------- */

static bool take_width(unsigned *out, uint64_t value, bool given, const char *option,
		       const char *expected, const char *command)
{
	if (!given)
		return true;
	if (!value || value > 8 || (value & (value - 1))) {
		complain("%s: --%s: %llu, expected %s", command, option, (ull)value, expected);
		return false;
	}
	*out = (unsigned)value;
	return true;
}

static bool take_buffer(struct fm_flash_config *cfg, const struct bank_options *o,
			const char *command)
{
	if (!o->buffer_given)
		return true;
	if (!o->buffer || o->buffer > UINT32_MAX) {
		complain("%s: --buffer: 0x%llx, expected a power of two that divides every sector",
			 command, (ull)o->buffer);
		return false;
	}
	cfg->buffer_len = (uint32_t)o->buffer;
	return true;
}

/* The quirks of --profile; a name that is none gets the nearest and all. */
static bool take_profile(struct fm_flash_config *cfg, const struct bank_options *o,
			 const char *command)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	char all[256] = "";
	const char *meant;

	if (!o->profile || !fm_flash_profile(o->profile, cfg, NULL))
		return true;
	for (unsigned n = 0; n < NAMES_MAX && (names[n] = fm_flash_profile_name(n)); n++) {
		size_t len = strlen(all);

		snprintf(all + len, sizeof(all) - len, "%s%s", n ? ", " : "", names[n]);
	}
	meant = args_nearest(o->profile, names);
	complain("%s: --profile: \"%.60s\", expected one of %s%s%s%s", command, o->profile, all,
		 meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	return false;
}

/* The bank's size, from the first that says it: --size, the sectors, the image. */
static bool take_size(struct fm_flash_config *cfg, const struct bank_options *o, uint64_t *size,
		      const char *command)
{
	struct sectors sectors = { .count = 0 };
	struct stat st;

	*size = o->size;
	if (o->sector && !sectors_parse(&sectors, o->sector, command))
		return false;
	if (o->size_given && !o->size) {
		complain("%s: --size: 0, expected at least one sector", command);
		return false;
	}
	if (sectors.count && !sectors_fit(&sectors, size, o->sector, command))
		return false;
	if (!*size && o->image && !stat(o->image, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
		*size = (uint64_t)st.st_size;
		if (sectors.count && !sectors_fit(&sectors, size, o->sector, command))
			return false;
	}
	if (!*size) {
		complain("%s: --size: is missing, expected the bytes of the bank", command);
		return false;
	}
	if (*size > SIZE_MAX_BANK) {
		complain("%s: --size: 0x%llx, expected at most 0x%llx bytes", command, (ull)*size,
			 (ull)SIZE_MAX_BANK);
		return false;
	}
	if (!sectors.count && *size % DEFAULT_SECTOR) {
		complain("%s: --sector: is missing, expected a size that divides the bank's 0x%llx "
			 "bytes: the default, 256K, does not",
			 command, (ull)*size);
		return false;
	}
	memcpy(cfg->regions, sectors.region, sizeof(sectors.region));
	cfg->nregions = sectors.count;
	return true;
}

static bool take_image(struct fm_flash_config *cfg, const struct bank_options *o,
		       const char *command)
{
	if (o->create && !o->image && !o->registers) {
		complain("%s: --create: is given without --image, expected the file to make",
			 command);
		return false;
	}
	if (o->create && o->read_only) {
		complain("%s: --create: is given with --read-only, expected one of them", command);
		return false;
	}
	if (!o->image && (o->mode || o->interval_given || o->journal)) {
		complain("%s: --%s: is given without --image, expected the file that it is about",
			 command,
			 o->mode      ? "mode"
			 : o->journal ? "journal"
				      : "interval");
		return false;
	}
	if (o->create && o->image && o->mode == FM_WRITE_NONE) {
		complain("%s: --create: is given with --mode none, expected one of them", command);
		return false;
	}
	if (o->interval_given && (!o->interval || o->interval > INTERVAL_MAX)) {
		complain("%s: --interval: %llu, expected 1 to %u milliseconds", command,
			 (ull)o->interval, INTERVAL_MAX);
		return false;
	}
	cfg->image = o->image;
	cfg->create = o->create && o->image;
	cfg->read_only = o->read_only;
	cfg->mode = (enum fm_write_mode)o->mode;
	cfg->interval_ns = o->interval * 1000000;
	cfg->journal = o->journal;
	return true;
}

static bool take_byte_mode(struct fm_flash_config *cfg, const struct bank_options *o,
			   const char *command)
{
	unsigned chip = cfg->chip_width ? cfg->chip_width : cfg->bank_width == 1 ? 1 : 2;

	cfg->byte_mode = o->byte_mode;
	if (!o->byte_mode || (cfg->set == FM_FLASH_AMD && chip == 1))
		return true;
	if (cfg->set != FM_FLASH_AMD)
		complain("%s: --byte-mode: is given with --set intel, expected --set amd", command);
	else
		complain(
			"%s: --byte-mode: is given with a chip width of %u, expected --chip-width 1",
			command, chip);
	return false;
}

static bool take_options(struct fm_flash_config *cfg, const struct bank_options *o, uint64_t *size,
			 const char *command)
{
	cfg->set = (enum fm_flash_set)o->set;
	if (!take_width(&cfg->bank_width, o->bank_width, o->bank_width_given, "bank-width",
			"1, 2, 4 or 8 bytes", command) ||
	    !take_width(&cfg->chip_width, o->chip_width, o->chip_width_given, "chip-width",
			"1, 2 or 4 bytes", command) ||
	    !take_buffer(cfg, o, command) || !take_profile(cfg, o, command))
		return false;
	cfg->time = (enum fm_flash_time)o->time;
	cfg->big_endian = o->big_endian;
	cfg->secure_only = o->secure_only;
	cfg->unique = o->unique;
	if (o->narrow_given)
		cfg->narrow = (enum fm_flash_narrow)o->narrow;
	return take_byte_mode(cfg, o, command) && take_image(cfg, o, command) &&
	       take_size(cfg, o, size, command);
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
