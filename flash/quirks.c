/* SPDX-License-Identifier: BSD-2-Clause */
/* Quirks and profiles by name. */
#include "flash/flash_private.h"
#include "flash/names.h"

#include "devices/bytes.h"

#include <string.h>

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)

static const char *const quirk_names[] = {
	"clear-not-ready", "clear-reads-array", "unknown-reads-array",
	"silent-sequence", "query-sticks",      "erase-at-setup",
	"no-locks",        "one-state",         "buffer-from-count",
	"count-unbounded", "overwrite",         "qemu-table",
	"no-chip-width",   "no-codes",          "qemu-amd",
	"buffer-direct",   "buffer-from-data",
};
#define QUIRKS (sizeof(quirk_names) / sizeof(quirk_names[0]))

/* Everything that QEMU does otherwise on a bank whose chips' width it was told, but for the buffer. */
#define QEMU                                                                                     \
	(FM_FLASH_QUIRK_CLEAR_NOT_READY | FM_FLASH_QUIRK_CLEAR_READS_ARRAY |                     \
	 FM_FLASH_QUIRK_UNKNOWN_READS_ARRAY | FM_FLASH_QUIRK_SILENT_SEQUENCE |                   \
	 FM_FLASH_QUIRK_QUERY_STICKS | FM_FLASH_QUIRK_ERASE_AT_SETUP | FM_FLASH_QUIRK_NO_LOCKS | \
	 FM_FLASH_QUIRK_ONE_STATE | FM_FLASH_QUIRK_COUNT_UNBOUNDED | FM_FLASH_QUIRK_OVERWRITE |  \
	 FM_FLASH_QUIRK_QEMU_TABLE)
#define QEMU_7_2 (QEMU | FM_FLASH_QUIRK_BUFFER_FROM_COUNT)

#define QEMU_7_2_AMD (FM_FLASH_QUIRK_QEMU_AMD | FM_FLASH_QUIRK_QEMU_TABLE)

struct profile {
	const char *name;
	unsigned quirks;
	unsigned amd_quirks; /* the same of the AMD set */
	enum fm_flash_narrow narrow;
	unsigned bank_width; /* where the config says nothing; 0: as the config's zero */
	unsigned chip_width;
	bool one_chip; /* chip_width as bank_width */
};

static const struct profile profiles[] = {
	{ .name = "datasheet" },
	{ .name = "virt", .bank_width = 4, .chip_width = 2 },
	{ .name = "ovmf",
	  .quirks = FM_FLASH_QUIRK_CLEAR_NOT_READY,
	  .bank_width = 1,
	  .chip_width = 1 },
	{ .name = "qemu-7.2",
	  .quirks = QEMU_7_2,
	  .amd_quirks = QEMU_7_2_AMD,
	  .narrow = FM_FLASH_NARROW_BROADCAST },
	{ .name = "qemu-7.2-board",
	  .quirks = QEMU_7_2 | FM_FLASH_QUIRK_NO_CHIP_WIDTH | FM_FLASH_QUIRK_NO_CODES,
	  .amd_quirks = QEMU_7_2_AMD,
	  .narrow = FM_FLASH_NARROW_BROADCAST,
	  .one_chip = true },
	{ .name = "qemu-old",
	  .quirks = QEMU | FM_FLASH_QUIRK_BUFFER_DIRECT,
	  .amd_quirks = QEMU_7_2_AMD,
	  .narrow = FM_FLASH_NARROW_BROADCAST },
	{ .name = "qemu-new",
	  .quirks = QEMU | FM_FLASH_QUIRK_BUFFER_FROM_DATA,
	  .amd_quirks = QEMU_7_2_AMD,
	  .narrow = FM_FLASH_NARROW_BROADCAST },
};
#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

const char *fm_flash_profile_name(unsigned n)
{
	return n < PROFILES ? profiles[n].name : NULL;
}

const char *fm_flash_quirk_name(unsigned quirk)
{
	for (unsigned n = 0; n < QUIRKS; n++) {
		if (quirk == 1u << n)
			return quirk_names[n];
	}
	return NULL;
}

static int unknown(const char *name, struct fm_error *err)
{
	char near[128];

	fmi_names_nearest(near, sizeof(near), name, fm_flash_profile_name);
	return BAD(err, "no flash profile \"%.*s\", expected one as %s", FMI_NAME_MAX, name, near);
}

int fm_flash_profile(const char *name, struct fm_flash_config *cfg, struct fm_error *err)
{
	const struct profile *p = profiles;

	if (!name || !cfg || cfg->struct_size != sizeof(*cfg))
		return BAD(err, "fm_flash_profile: name or cfg is NULL, or cfg->struct_size is not "
				"sizeof(struct fm_flash_config)");
	while (p < profiles + PROFILES && strcmp(p->name, name))
		p++;
	if (p == profiles + PROFILES)
		return unknown(name, err);
	cfg->quirks = cfg->set == FM_FLASH_AMD ? p->amd_quirks : p->quirks;
	cfg->narrow = p->narrow;
	if (!cfg->bank_width)
		cfg->bank_width = p->bank_width;
	if (!cfg->chip_width && p->chip_width <= cfg->bank_width)
		cfg->chip_width = p->chip_width;
	if (!cfg->chip_width && (p->one_chip || (cfg->quirks & FM_FLASH_QUIRK_QEMU_AMD)))
		cfg->chip_width = cfg->bank_width ? cfg->bank_width : 4;
	return 0;
}

/* --- which go together ------------------------------------------------------------------- */

/* The bank is one state machine. */
#define ONE_MACHINE ((unsigned)(FM_FLASH_QUIRK_ONE_STATE | FM_FLASH_QUIRK_QEMU_AMD))

/* Where the words of a buffer go, of a bank of ONE_STATE: one of them. */
#define BUFFERS                                                                       \
	((unsigned)(FM_FLASH_QUIRK_BUFFER_FROM_COUNT | FM_FLASH_QUIRK_BUFFER_DIRECT | \
		    FM_FLASH_QUIRK_BUFFER_FROM_DATA))

/* These are of use only with ONE_STATE. */
static const unsigned of_one_state[] = {
	FM_FLASH_QUIRK_BUFFER_FROM_COUNT, FM_FLASH_QUIRK_BUFFER_DIRECT,
	FM_FLASH_QUIRK_BUFFER_FROM_DATA,  FM_FLASH_QUIRK_COUNT_UNBOUNDED,
	FM_FLASH_QUIRK_OVERWRITE,         FM_FLASH_QUIRK_NO_CHIP_WIDTH,
};

static int check_company(unsigned quirks, const char *name, struct fm_error *err)
{
	bool one_state = quirks & FM_FLASH_QUIRK_ONE_STATE;

	for (unsigned i = 0; !one_state && i < sizeof(of_one_state) / sizeof(of_one_state[0]);
	     i++) {
		if (quirks & of_one_state[i])
			return BAD(err,
				   "%s: fm_flash_config.quirks has %s, expected one-state with it",
				   name, fm_flash_quirk_name(of_one_state[i]));
	}
	if (one_state && __builtin_popcount(quirks & BUFFERS) != 1)
		return BAD(err,
			   "%s: fm_flash_config.quirks has one-state, expected buffer-from-count, "
			   "buffer-direct or buffer-from-data with it, one of them",
			   name);
	return 0;
}

static int check_amd(const struct fm_flash_config *cfg, const struct fmi_geometry *geo,
		     const char *name, struct fm_error *err)
{
	if (cfg->set == FM_FLASH_AMD && (cfg->quirks & ~(unsigned)QEMU_7_2_AMD))
		return BAD(err,
			   "%s: fm_flash_config.quirks is 0x%x, expected none but qemu-amd and "
			   "qemu-table with the AMD set",
			   name, cfg->quirks);
	if (!(cfg->quirks & FM_FLASH_QUIRK_QEMU_AMD)) {
		/* Its times are that machine's. */
		if (cfg->set == FM_FLASH_AMD && cfg->quirks)
			return BAD(err,
				   "%s: fm_flash_config.quirks has qemu-table, expected qemu-amd "
				   "with it",
				   name);
		return 0;
	}
	if (cfg->set != FM_FLASH_AMD)
		return BAD(err,
			   "%s: fm_flash_config.quirks has qemu-amd, expected set %d (AMD) with it",
			   name, FM_FLASH_AMD);
	if (geo->chips != 1 || geo->byte_mode)
		return BAD(err,
			   "%s: fm_flash_config.quirks has qemu-amd, expected chip_width %u as "
			   "bank_width and no byte_mode",
			   name, geo->bank_width);
	return 0;
}

/* Such a bank is QEMU's, which has none of these. */
static int check_one_state(const struct fm_flash_config *cfg, const struct fmi_geometry *geo,
			   const char *name, struct fm_error *err)
{
	const char *with = cfg->time         ? "time"
			   : cfg->health     ? "health"
			   : cfg->traits     ? "traits"
			   : cfg->big_endian ? "big_endian"
			   : cfg->pins       ? "pins"
			   : cfg->registers  ? "registers"
					     : NULL;

	const char *quirk = fm_flash_quirk_name(cfg->quirks & ONE_MACHINE);

	if (geo->bank_width > 4)
		return BAD(err,
			   "%s: fm_flash_config.quirks has %s, expected a bank_width of at most 4, "
			   "not %u",
			   name, quirk, geo->bank_width);
	if (with)
		return BAD(err, "%s: fm_flash_config.quirks has %s, expected no %s with it", name,
			   quirk, with);
	return 0;
}

int fmi_quirks_check(const struct fm_flash_config *cfg, const struct fmi_geometry *geo,
		     const char *name, struct fm_error *err)
{
	unsigned quirks = cfg->quirks;
	int rc;

	if (quirks >> QUIRKS)
		return BAD(err, "%s: fm_flash_config.quirks is 0x%x, expected bits below 0x%x",
			   name, quirks, 1u << QUIRKS);
	rc = check_company(quirks, name, err);
	if (rc)
		return rc;
	if ((quirks & FM_FLASH_QUIRK_NO_CHIP_WIDTH) && geo->chips != 1)
		return BAD(err,
			   "%s: fm_flash_config.quirks has no-chip-width, expected chip_width "
			   "%u as bank_width, not %u",
			   name, geo->bank_width, geo->chip_width);
	if ((quirks & FM_FLASH_QUIRK_QEMU_TABLE) && cfg->set != FM_FLASH_AMD && geo->nregions != 1)
		return BAD(err,
			   "%s: fm_flash_config.quirks has qemu-table, expected one region, "
			   "not %u",
			   name, geo->nregions);
	rc = check_amd(cfg, geo, name, err);
	if (!rc && (quirks & ONE_MACHINE))
		rc = check_one_state(cfg, geo, name, err);
	return rc;
}
