/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chips by name. docs/flash.md says where the figures are from. One that a comment calls unconfirmed
 * could not be read of this very part, or sources differ.
 */
#include "flash/flash_private.h"
#include "flash/names.h"

#include "devices/bytes.h"

#include <string.h>

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)

#define KIB 1024u
#define CHIP_WIDTH 2u /* every part has 16 data lines */

#define INTEL 0x0089
#define SPANSION 0x0001 /* AMD's */

/* Which sector WP# protects is an ordering option: the caller's. */
#define ORDERED (FM_FLASH_WP_FIRST | FM_FLASH_WP_LAST)

struct part {
	const char *name;
	enum fm_flash_set set;
	bool byte_mode; /* can be wired for 8 bits, as fm_flash_config.byte_mode says */
	bool wp;        /* has WP#, for the first or the last sector */
	struct fm_flash_region regions[FM_FLASH_REGIONS]; /* of one chip; the rest: no blocks */
	uint32_t buffer_len;                              /* of one chip; 0: none */
	uint16_t manufacturer;
	uint16_t device_id;
	uint16_t extended_id[2];
	struct fm_flash_times times;
	unsigned traits;
};

/*
 * StrataFlash J3, 290667. One lock bit a block, which persists; all are cleared at once. Unconfirmed:
 * the times, for a TE28F128J3 told others, and that 60/03 is a command of each size.
 */
#define J3(blocks)                                                                       \
	.set = FM_FLASH_INTEL, .regions = { { 128 * KIB, blocks } }, .buffer_len = 32,   \
	.manufacturer = INTEL, .traits = FM_FLASH_LOCKS_PERSIST | FM_FLASH_NO_LOCK_DOWN, \
	.times = {                                                                       \
		.word_us = 7,                                                            \
		.buffer_us = 7,                                                          \
		.erase_ms = 10,                                                          \
		.word_max = 4,                                                           \
		.buffer_max = 4,                                                         \
		.erase_max = 4,                                                          \
	}

/* StrataFlash P30 of 130 nm, 306666. */
#define P30                                                             \
	.set = FM_FLASH_INTEL, .buffer_len = 64, .manufacturer = INTEL, \
	.traits = FM_FLASH_LOCKED_AT_RESET,                             \
	.times = {                                                      \
		.word_us = 8,                                           \
		.buffer_us = 9,                                         \
		.erase_ms = 10,                                         \
		.word_max = 1,                                          \
		.buffer_max = 1,                                        \
		.erase_max = 2,                                         \
	}

/*
 * MirrorBit GL-P, S29GL-P_00. Unconfirmed: the time of the chip's erase but of the smallest, whose blocks
 * one by one take as long.
 */
#define GL_P(blocks, blocks_log2)                                                                 \
	.set = FM_FLASH_AMD, .byte_mode = true, .wp = true, .regions = { { 128 * KIB, blocks } }, \
	.buffer_len = 64, .manufacturer = SPANSION, .device_id = 0x227e,                          \
	.traits = FM_FLASH_NO_STATUS,                                                             \
	.times = {                                                                                \
		.word_us = 6,                                                                     \
		.buffer_us = 6,                                                                   \
		.erase_ms = 9,                                                                    \
		.chip_erase_ms = 9 + (blocks_log2),                                               \
		.word_max = 3,                                                                    \
		.buffer_max = 5,                                                                  \
		.erase_max = 3,                                                                   \
		.chip_erase_max = 2,                                                              \
	}

/*
 * 22358. It tells no time of a buffer or of the chip's erase; fm_flash_times has no way to say so.
 * Unconfirmed: the times, which its relatives tell.
 */
#define LV160D                                                                          \
	.set = FM_FLASH_AMD, .byte_mode = true, .manufacturer = SPANSION,               \
	.traits = FM_FLASH_NO_BUFFER | FM_FLASH_NO_PROTECTION | FM_FLASH_NO_REGISTERS | \
		  FM_FLASH_NO_STATUS,                                                   \
	.times = {                                                                      \
		.word_us = 4,                                                           \
		.erase_ms = 10,                                                         \
		.word_max = 5,                                                          \
		.erase_max = 4,                                                         \
	}

static const struct part parts[] = {
	{ .name = "28F320J3", .device_id = 0x0016, J3(32) },
	{ .name = "28F640J3", .device_id = 0x0017, J3(64) },
	{ .name = "28F128J3", .device_id = 0x0018, J3(128) },
	{ .name = "28F256P30B",
	  .device_id = 0x891c,
	  .regions = { { 32 * KIB, 4 }, { 128 * KIB, 255 } },
	  P30 },
	{ .name = "28F256P30T",
	  .device_id = 0x8919,
	  .regions = { { 128 * KIB, 255 }, { 32 * KIB, 4 } },
	  P30 },
	{ .name = "S29GL128P", .extended_id = { 0x2221, 0x2201 }, GL_P(128, 7) },
	{ .name = "S29GL256P", .extended_id = { 0x2222, 0x2201 }, GL_P(256, 8) },
	{ .name = "S29GL512P", .extended_id = { 0x2223, 0x2201 }, GL_P(512, 9) },
	/* Unconfirmed, and not read anywhere: the buffer and the times. Of one source: no bypass. */
	{ .name = "S29GL256S",
	  .set = FM_FLASH_AMD,
	  .wp = true,
	  .regions = { { 128 * KIB, 256 } },
	  .buffer_len = 512,
	  .manufacturer = SPANSION,
	  .device_id = 0x227e,
	  .extended_id = { 0x2222, 0x2201 },
	  .times = { .word_us = 8,
		     .buffer_us = 9,
		     .erase_ms = 8,
		     .chip_erase_ms = 16,
		     .word_max = 1,
		     .buffer_max = 2,
		     .erase_max = 3,
		     .chip_erase_max = 3 },
	  .traits = FM_FLASH_NO_BYPASS },
	{ .name = "Am29LV160DB",
	  .device_id = 0x2249,
	  .regions = { { 16 * KIB, 1 }, { 8 * KIB, 2 }, { 32 * KIB, 1 }, { 64 * KIB, 31 } },
	  LV160D },
	{ .name = "Am29LV160DT",
	  .device_id = 0x22c4,
	  .regions = { { 64 * KIB, 31 }, { 32 * KIB, 1 }, { 8 * KIB, 2 }, { 16 * KIB, 1 } },
	  LV160D },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* Without the letter of its boot blocks a part has them at the bottom. */
static const char *const plain[][2] = {
	{ "28F256P30", "28F256P30B" },
	{ "Am29LV160D", "Am29LV160DB" },
};

const char *fm_flash_part_name(unsigned n)
{
	return n < PARTS ? parts[n].name : NULL;
}

static const struct part *find(const char *name)
{
	for (unsigned n = 0; n < sizeof(plain) / sizeof(plain[0]); n++) {
		if (!strcmp(plain[n][0], name))
			name = plain[n][1];
	}
	for (unsigned n = 0; n < PARTS; n++) {
		if (!strcmp(parts[n].name, name))
			return &parts[n];
	}
	return NULL;
}

/* The width of the bank's chips: half of their lines only where it must be. */
static int choose_width(unsigned *width, const struct part *part, const struct fm_flash_config *cfg,
			struct fm_error *err)
{
	unsigned bank = cfg->bank_width;
	bool half = part->byte_mode && (cfg->byte_mode || bank == 1);

	*width = half ? 1 : CHIP_WIDTH;
	if (cfg->byte_mode && !half)
		return BAD(err, "%s: fm_flash_config.byte_mode is set, expected a part that has it",
			   part->name);
	if (bank && (!fmi_is_access_size(bank) || bank < *width))
		return BAD(err, "%s: fm_flash_config.bank_width is %u, expected %s2, 4 or 8 bytes",
			   part->name, bank, part->byte_mode ? "1, " : "");
	return 0;
}

static void fill(struct fm_flash_config *cfg, const struct part *part, unsigned width)
{
	unsigned chips;

	cfg->set = part->set;
	cfg->chip_width = width;
	if (!cfg->bank_width)
		cfg->bank_width = width;
	if (width < CHIP_WIDTH)
		cfg->byte_mode = true;
	chips = cfg->bank_width / width;
	memset(cfg->regions, 0, sizeof(cfg->regions));
	cfg->nregions = 0;
	for (unsigned i = 0; i < FM_FLASH_REGIONS && part->regions[i].count; i++) {
		cfg->regions[i] = part->regions[i];
		cfg->regions[i].block_len *= chips;
		cfg->nregions++;
	}
	cfg->buffer_len = part->buffer_len * chips;
	cfg->manufacturer = part->manufacturer;
	cfg->device_id = part->device_id;
	memcpy(cfg->extended_id, part->extended_id, sizeof(cfg->extended_id));
	cfg->times = part->times;
	cfg->traits = part->traits | (part->wp ? cfg->traits & ORDERED : 0);
}

static int unknown(const char *name, struct fm_error *err)
{
	char near[128];

	fmi_names_nearest(near, sizeof(near), name, fm_flash_part_name);
	return BAD(err, "no flash part \"%.*s\", expected one as %s", FMI_NAME_MAX, name, near);
}

int fm_flash_part(const char *name, struct fm_flash_config *cfg, struct fm_error *err)
{
	const struct part *part;
	unsigned width;
	int rc;

	if (!name || !cfg || cfg->struct_size != sizeof(*cfg))
		return BAD(err, "fm_flash_part: name or cfg is NULL, or cfg->struct_size is not "
				"sizeof(struct fm_flash_config)");
	part = find(name);
	if (!part)
		return unknown(name, err);
	rc = choose_width(&width, part, cfg, err);
	if (!rc)
		fill(cfg, part, width);
	return rc;
}
