/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash/flash_private.h"

#include "devices/bytes.h"

#define DEFAULT_BLOCK_LEN (256u << 10)
#define DEFAULT_CHIP_BUFFER 1024u
#define BLOCKS_MAX 65536u /* JESD68.01: a region's count less one has 16 bits */
#define BLOCK_UNIT 256u   /* the same: a block's length in units of 256 bytes has 16 bits */

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)

static int init_widths(struct fmi_geometry *geo, const struct fm_flash_config *cfg,
		       const char *name, struct fm_error *err)
{
	geo->bank_width = cfg->bank_width ? cfg->bank_width : 4;
	if (!fmi_is_access_size(geo->bank_width))
		return BAD(err, "%s: fm_flash_config.bank_width is %u, expected 1, 2, 4 or 8 bytes",
			   name, geo->bank_width);
	geo->chip_width = cfg->chip_width;
	if (!geo->chip_width)
		geo->chip_width = geo->bank_width < 2 ? geo->bank_width : 2;
	if (!fmi_is_access_size(geo->chip_width) || geo->chip_width > 4 ||
	    geo->chip_width > geo->bank_width)
		return BAD(err,
			   "%s: fm_flash_config.chip_width is %u, expected 1, 2 or 4 bytes and at "
			   "most the bank's %u",
			   name, geo->chip_width, geo->bank_width);
	geo->chips = geo->bank_width / geo->chip_width;
	geo->byte_mode = cfg->byte_mode;
	if (geo->byte_mode && (cfg->set != FM_FLASH_AMD || geo->chip_width != 1))
		return BAD(err,
			   "%s: fm_flash_config.byte_mode is set, expected set FM_FLASH_AMD and "
			   "chip_width 1 with it, not %d and %u",
			   name, (int)cfg->set, geo->chip_width);
	return 0;
}

static int add_region(struct fmi_geometry *geo, const struct fm_flash_region *in, uint64_t base,
		      const char *name, struct fm_error *err)
{
	uint64_t unit = (uint64_t)BLOCK_UNIT * geo->chips;
	unsigned i = geo->nregions;

	if (!in->block_len || in->block_len % unit || in->block_len / unit > UINT16_MAX)
		return BAD(
			err,
			"%s: fm_flash_config.regions[%u].block_len is 0x%llx, expected a multiple "
			"of 0x%llx (256 bytes of each of %u chips), at most 65535 times that",
			name, i, (unsigned long long)in->block_len, (unsigned long long)unit,
			geo->chips);
	if (!in->count || in->count > BLOCKS_MAX)
		return BAD(err, "%s: fm_flash_config.regions[%u].count is %u, expected 1 to %u",
			   name, i, in->count, BLOCKS_MAX);
	/* At most 2^16 * 2^16 * 2^8 * 8 bytes a region: no product wraps. */
	geo->region[i] = (struct fmi_flash_region){
		.base = base,
		.block_len = in->block_len,
		.count = in->count,
		.first = geo->blocks,
	};
	geo->blocks += in->count;
	geo->nregions++;
	return 0;
}

static int init_regions(struct fmi_geometry *geo, const struct fm_flash_config *cfg,
			const char *name, struct fm_error *err)
{
	struct fm_flash_region whole = { .block_len = DEFAULT_BLOCK_LEN };
	const struct fm_flash_region *in = cfg->nregions ? cfg->regions : &whole;
	unsigned n = cfg->nregions ? cfg->nregions : 1;
	uint64_t sum = 0;

	if (n > FM_FLASH_REGIONS)
		return BAD(err, "%s: fm_flash_config.nregions is %u, expected at most %u", name, n,
			   FM_FLASH_REGIONS);
	if (!cfg->nregions) {
		if (geo->len % DEFAULT_BLOCK_LEN || geo->len / DEFAULT_BLOCK_LEN > BLOCKS_MAX)
			return BAD(err,
				   "%s: fm_flash_config.nregions is 0, but the bank's 0x%llx bytes "
				   "are not 1 to %u blocks of 256 KiB; expected regions",
				   name, (unsigned long long)geo->len, BLOCKS_MAX);
		whole.count = (uint32_t)(geo->len / DEFAULT_BLOCK_LEN);
	}
	for (unsigned i = 0; i < n; i++) {
		int rc = add_region(geo, &in[i], sum, name, err);

		if (rc)
			return rc;
		sum += in[i].block_len * in[i].count;
	}
	if (sum != geo->len)
		return BAD(err,
			   "%s: fm_flash_config.regions make 0x%llx bytes, expected the block's "
			   "0x%llx",
			   name, (unsigned long long)sum, (unsigned long long)geo->len);
	return 0;
}

/* The largest power of two, up to `len`, that divides every block: no buffer spans two. */
static uint32_t fitting_buffer(const struct fmi_geometry *geo, uint32_t len)
{
	for (unsigned i = 0; i < geo->nregions; i++) {
		while (geo->region[i].block_len % len)
			len /= 2;
	}
	return len;
}

/* What the config leaves open, no more than `max`. */
static uint64_t default_buffer(const struct fmi_geometry *geo, unsigned quirks, uint64_t max)
{
	uint64_t len = (uint64_t)DEFAULT_CHIP_BUFFER * geo->chips;

	if (quirks & FM_FLASH_QUIRK_QEMU_TABLE)
		len = (geo->bank_width == 1 ? 256 : 2048) * (uint64_t)geo->chips;
	return fitting_buffer(geo, (uint32_t)fmi_min_u64(len, max));
}

static int init_buffer(struct fmi_geometry *geo, const struct fm_flash_config *cfg,
		       const char *name, struct fm_error *err)
{
	/* The count is one data word of a chip; with its window known before, no count is needed. */
	bool narrow = geo->chip_width == 1 && !(cfg->quirks & FM_FLASH_QUIRK_ONE_STATE);
	uint64_t max = (narrow ? 256u : 65536u) * (uint64_t)geo->bank_width;
	/* A piece of an access to a bank of one state is up to 4 bytes. */
	unsigned min = (cfg->quirks & FM_FLASH_QUIRK_ONE_STATE) && geo->bank_width < 4
			       ? 4
			       : geo->bank_width;
	uint64_t len = cfg->buffer_len;

	if (!len)
		len = default_buffer(geo, cfg->quirks, max);
	if (!fmi_is_pow2(len) || len < min || len > max ||
	    fitting_buffer(geo, (uint32_t)len) != len)
		return BAD(err,
			   "%s: fm_flash_config.buffer_len is 0x%llx, expected a power of two from "
			   "0x%x to 0x%llx bytes that divides every block",
			   name, (unsigned long long)len, min, (unsigned long long)max);
	geo->buffer_len = (uint32_t)len;
	return 0;
}

int fmi_geometry_init(struct fmi_geometry *geo, const struct fm_flash_config *cfg, const char *name,
		      struct fm_error *err)
{
	int rc;

	*geo = (struct fmi_geometry){ .len = fm_block_len(cfg->block) };
	rc = init_widths(geo, cfg, name, err);
	if (!rc)
		rc = init_regions(geo, cfg, name, err);
	if (!rc)
		rc = init_buffer(geo, cfg, name, err);
	return rc;
}

struct fmi_erase_block fmi_geometry_block(const struct fmi_geometry *geo, uint64_t off)
{
	unsigned i = geo->nregions - 1;
	const struct fmi_flash_region *region;
	uint64_t n;

	while (off < geo->region[i].base)
		i--;
	region = &geo->region[i];
	n = (off - region->base) / region->block_len;
	return (struct fmi_erase_block){
		.off = region->base + n * region->block_len,
		.len = region->block_len,
		.number = region->first + (uint32_t)n,
	};
}
