/* SPDX-License-Identifier: BSD-2-Clause */
/* The config that options make, and what the library says of it in words of the options. */
#include "tools/firmem/flash_bank_private.h"

#include "tools/firmem/flash_sectors.h"
#include "tools/firmem/out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define INTERVAL_MAX 3600000u             /* milliseconds: an hour */
#define SIZE_MAX_BANK (UINT64_C(1) << 32) /* more than any bank; less than any typing error */
#define DEFAULT_SECTOR (256u << 10)       /* as fm_flash_config has it */
#define NAMES_MAX 32

typedef unsigned long long ull;

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
void bank_complain(const struct bank_options *o, const char *command, const char *msg)
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
	else if (!strncmp(rest, " is ", 4) && strncmp(rest, " is set", 7))
		rest += 3;
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

/* A name that is none: the nearest and all that there are. */
static bool unknown_name(const char *command, const char *option, const char *name,
			 const char *(*nth)(unsigned n))
{
	const char *names[NAMES_MAX + 1] = { NULL };
	char all[256] = "";
	const char *meant;

	for (unsigned n = 0; n < NAMES_MAX && (names[n] = nth(n)); n++) {
		size_t len = strlen(all);

		snprintf(all + len, sizeof(all) - len, "%s%s", n ? ", " : "", names[n]);
	}
	meant = args_nearest(name, names);
	complain("%s: --%s: \"%.60s\", expected one of %s%s%s%s", command, option, name, all,
		 meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	return false;
}

/* Is there a part of that name, by itself? */
static bool is_part(const char *name)
{
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg) };

	return !fm_flash_part(name, &cfg, NULL);
}

/* A part has its own command set and geometry; only the bus may be chosen. */
static bool take_part(struct fm_flash_config *cfg, const struct bank_options *o,
		      const char *command)
{
	const char *twice = o->set_given          ? "set"
			    : o->sector           ? "sector"
			    : o->chip_width_given ? "chip-width"
			    : o->buffer_given     ? "buffer"
						  : NULL;
	struct fm_error err;

	if (!o->part)
		return true;
	if (twice) {
		complain("%s: --%s: is given with --part, expected one of them", command, twice);
		return false;
	}
	if (!is_part(o->part))
		return unknown_name(command, "part", o->part, fm_flash_part_name);
	if (!fm_flash_part(o->part, cfg, &err))
		return true;
	bank_complain(o, command, err.msg);
	return false;
}

static bool take_profile(struct fm_flash_config *cfg, const struct bank_options *o,
			 const char *command)
{
	if (!o->profile || !fm_flash_profile(o->profile, cfg, NULL))
		return true;
	return unknown_name(command, "profile", o->profile, fm_flash_profile_name);
}

/* All that the chips of a part have. */
static bool take_part_size(const struct fm_flash_config *cfg, const struct bank_options *o,
			   uint64_t *size, const char *command)
{
	*size = 0;
	for (unsigned i = 0; i < cfg->nregions; i++)
		*size += cfg->regions[i].block_len * cfg->regions[i].count;
	if (!o->size_given || o->size == *size)
		return true;
	complain("%s: --size: 0x%llx, expected none or the 0x%llx of this part and bus", command,
		 (ull)o->size, (ull)*size);
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
	if (!*size && o->image) {
		bool is_there = !stat(o->image, &st);

		complain(
			"%s: --size: is missing, and %s does not tell it: %s, expected the bytes of "
			"the bank",
			command, o->image, is_there ? "no file, or an empty one" : strerror(errno));
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

/* How the image is written. */
static bool take_mode(struct fm_flash_config *cfg, const struct bank_options *o,
		      const char *command)
{
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
			 (unsigned long long)o->interval, INTERVAL_MAX);
		return false;
	}
	cfg->mode = (enum fm_write_mode)o->mode;
	cfg->interval_ns = o->interval * 1000000;
	cfg->journal = o->journal;
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
	cfg->image = o->image;
	cfg->create = o->create && o->image;
	cfg->read_only = o->read_only;
	return take_mode(cfg, o, command);
}

static bool take_byte_mode(struct fm_flash_config *cfg, const struct bank_options *o,
			   const char *command)
{
	unsigned chip = cfg->chip_width ? cfg->chip_width : cfg->bank_width == 1 ? 1 : 2;

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

static bool take_widths(struct fm_flash_config *cfg, const struct bank_options *o,
			const char *command)
{
	return take_width(&cfg->bank_width, o->bank_width, o->bank_width_given, "bank-width",
			  "1, 2, 4 or 8 bytes", command) &&
	       take_width(&cfg->chip_width, o->chip_width, o->chip_width_given, "chip-width",
			  "1, 2 or 4 bytes", command);
}

static bool take_wp_sector(struct fm_flash_config *cfg, const struct bank_options *o,
			   const char *command)
{
	static const unsigned traits[] = { 0, FM_FLASH_WP_FIRST, FM_FLASH_WP_LAST };

	cfg->traits |= traits[o->wp_sector];
	if (!o->wp_sector || cfg->set == FM_FLASH_AMD)
		return true;
	complain("%s: --wp-sector: is given with intel chips, expected amd ones", command);
	return false;
}

bool bank_config(struct fm_flash_config *cfg, uint64_t *size, const struct bank_options *o,
		 const char *command)
{
	cfg->set = (enum fm_flash_set)o->set;
	cfg->byte_mode = o->byte_mode;
	cfg->time = (enum fm_flash_time)o->time;
	cfg->big_endian = o->big_endian;
	cfg->secure_only = o->secure_only;
	cfg->unique = o->unique;
	if (!take_widths(cfg, o, command) || !take_buffer(cfg, o, command) ||
	    !take_part(cfg, o, command) || !take_wp_sector(cfg, o, command) ||
	    !take_profile(cfg, o, command))
		return false;
	if (o->narrow_given)
		cfg->narrow = (enum fm_flash_narrow)o->narrow;
	if (!take_byte_mode(cfg, o, command) || !take_image(cfg, o, command))
		return false;
	return o->part ? take_part_size(cfg, o, size, command) : take_size(cfg, o, size, command);
}
