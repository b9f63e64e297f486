/* SPDX-License-Identifier: BSD-2-Clause */
/* What chips tell about themselves: the query structure (JESD68.01), codes and lock status. */
#include "flash/flash_private.h"

#include "devices/bytes.h"

#include <string.h>

/* Offsets in the query structure. */
#define QRY 0x10u
#define PRIMARY_SET 0x13u
#define PRIMARY_TABLE 0x15u
#define VCC_MIN 0x1bu
#define VCC_MAX 0x1cu
#define TIME_WORD 0x1fu
#define TIME_BUFFER 0x20u
#define TIME_ERASE 0x21u
#define TIME_ERASE_CHIP 0x22u
#define TIME_MAX_WORD 0x23u
#define TIME_MAX_BUFFER 0x24u
#define TIME_MAX_ERASE 0x25u
#define TIME_MAX_ERASE_CHIP 0x26u
#define CHIP_LEN 0x27u
#define INTERFACE 0x28u
#define BUFFER_LEN 0x2au
#define REGION_COUNT 0x2cu
#define REGIONS 0x2du
#define REGION_LEN 4u

/* Offsets in the Intel extension. */
#define PRI_MAJOR 3u
#define PRI_MINOR 4u
#define PRI_FEATURES 5u
#define PRI_LOCK_STATUS 10u
#define PRI_VCC 12u
#define PRI_PROTECTION_FIELDS 14u

/* The AMD extension: where it is, and offsets in the query structure. */
#define AMD_PRI 0x40u
#define AMD_SECTOR_GROUP 0x47u
#define AMD_PROTECT_SCHEME 0x49u
#define AMD_BOOT 0x4fu

#define AMD_BOOT_UNIFORM 0u
#define AMD_BOOT_BOTTOM 2u
#define AMD_BOOT_TOP 3u

#define FEATURE_BLOCK_LOCKS (1u << 5) /* instant individual block locking */

/* Typical times as powers of two, maxima as powers of two times those. */
#define WORD_US_LOG2 7
#define BUFFER_US_LOG2 7
#define ERASE_MS_LOG2 10
#define MAX_TIMES_LOG2 4

/* Read-ID offsets, in words of a chip from the start of a block. */
#define ID_MANUFACTURER 0u
#define ID_DEVICE 1u
#define ID_LOCK_STATUS 2u
#define ID_EXTENDED 0x0eu /* AMD, and the word behind it */

static uint8_t log2_ceil(uint64_t v)
{
	uint8_t n = 0;

	while (n < 63 && UINT64_C(1) << n < v)
		n++;
	return n;
}

static uint16_t interface_code(const struct fmi_geometry *geo)
{
	switch (geo->chip_width) {
	case 1:
		return geo->byte_mode ? 2 : 0; /* x8/x16, x8 */
	case 2:
		return 1;
	default:
		return 3; /* x32 */
	}
}

static void put_regions(uint8_t *q, const struct fmi_geometry *geo, bool reverse)
{
	q[REGION_COUNT] = (uint8_t)geo->nregions;
	for (unsigned i = 0; i < geo->nregions; i++) {
		const struct fmi_flash_region *region =
			&geo->region[reverse ? geo->nregions - 1 - i : i];
		uint8_t *at = q + REGIONS + REGION_LEN * i;

		fmi_put_le16(at, (uint16_t)(region->count - 1));
		fmi_put_le16(at + 2, (uint16_t)(region->block_len / geo->chips / 256));
	}
}

static void put_extension(uint8_t *pri)
{
	memcpy(pri, "PRI", 3);
	pri[PRI_MAJOR] = '1';
	pri[PRI_MINOR] = '1';
	fmi_put_le32(pri + PRI_FEATURES, FEATURE_BLOCK_LOCKS);
	fmi_put_le16(pri + PRI_LOCK_STATUS, FMI_LOCKED | FMI_LOCKED_DOWN);
	pri[PRI_VCC] = 0x30; /* 3.0 V. No protection registers: the rest is 0. */
}

static uint8_t boot_flag(const struct fmi_geometry *geo)
{
	uint64_t bottom = geo->region[0].block_len;
	uint64_t top = geo->region[geo->nregions - 1].block_len;

	if (bottom == top)
		return AMD_BOOT_UNIFORM;
	return bottom < top ? AMD_BOOT_BOTTOM : AMD_BOOT_TOP;
}

/* Version 1.3. What is 0: no suspend (nothing takes time), no bursts, no pages, no second bank. */
static void put_amd_extension(uint8_t *q)
{
	uint8_t *pri = q + AMD_PRI;

	memcpy(pri, "PRI", 3);
	pri[PRI_MAJOR] = '1';
	pri[PRI_MINOR] = '3';
	q[AMD_SECTOR_GROUP] = 1;
	q[AMD_PROTECT_SCHEME] = 4; /* by a voltage, so by nothing that a guest can write */
}

/* What QEMU 7.2 says of any bank: a part that is none. */
static void put_qemu(struct fmi_flash *f, uint8_t pri)
{
	uint8_t *q = f->query;

	q[VCC_MIN] = 0x45;
	q[VCC_MAX] = 0x55;
	/* The lowest bit of the length, so that it is too small where that is no power of two. */
	q[CHIP_LEN] = (uint8_t)__builtin_ctzll(f->geo.len / f->geo.chips);
	fmi_put_le16(q + INTERFACE, 2); /* x8 and x16 */
	fmi_put_le16(q + BUFFER_LEN, f->geo.bank_width == 1 ? 8 : 11);
	memset(q + pri + PRI_MINOR, 0, FMI_QUERY_LEN - pri - PRI_MINOR);
	q[pri + PRI_MINOR] = '0';
	q[pri + PRI_PROTECTION_FIELDS] = 1;
}

void fmi_query_build(struct fmi_flash *f)
{
	uint8_t *q = f->query;
	bool amd = f->set == FM_FLASH_AMD;
	uint8_t pri = amd ? AMD_PRI : (uint8_t)(REGIONS + REGION_LEN * f->geo.nregions);

	memset(q, 0, FMI_QUERY_LEN);
	memcpy(q + QRY, "QRY", 3);
	fmi_put_le16(q + PRIMARY_SET, amd ? 0x0002 : 0x0001);
	fmi_put_le16(q + PRIMARY_TABLE, pri);
	q[VCC_MIN] = 0x27; /* 2.7 V to 3.6 V; no programming voltage */
	q[VCC_MAX] = 0x36;
	q[TIME_WORD] = WORD_US_LOG2;
	q[TIME_BUFFER] = BUFFER_US_LOG2;
	q[TIME_ERASE] = ERASE_MS_LOG2;
	q[TIME_MAX_WORD] = MAX_TIMES_LOG2;
	q[TIME_MAX_BUFFER] = MAX_TIMES_LOG2;
	q[TIME_MAX_ERASE] = MAX_TIMES_LOG2;
	/* Emulators have banks that are no power of two; real chips are. */
	q[CHIP_LEN] = log2_ceil(f->geo.len / f->geo.chips);
	fmi_put_le16(q + INTERFACE, interface_code(&f->geo));
	fmi_put_le16(q + BUFFER_LEN, log2_ceil(f->geo.buffer_len / f->geo.chips));
	if (amd) {
		q[TIME_ERASE_CHIP] = (uint8_t)(ERASE_MS_LOG2 + log2_ceil(f->geo.blocks));
		q[TIME_MAX_ERASE_CHIP] = MAX_TIMES_LOG2;
		q[AMD_BOOT] = boot_flag(&f->geo);
		put_regions(q, &f->geo, q[AMD_BOOT] == AMD_BOOT_TOP);
		put_amd_extension(q);
	} else {
		put_regions(q, &f->geo, false);
		put_extension(q + pri);
	}
	if (f->part.quirks & FM_FLASH_QUIRK_QEMU_TABLE)
		put_qemu(f, pri);
}

/* The word of a chip, counted from the start of its block: every block answers alike. */
static uint64_t word_in_block(const struct fmi_flash *f, uint64_t off)
{
	return (off - fmi_geometry_block(&f->geo, off).off) / f->geo.bank_width;
}

uint8_t fmi_query_read(const struct fmi_flash *f, uint64_t off)
{
	uint64_t word = word_in_block(f, off);

	return word < FMI_QUERY_LEN ? f->query[word] : 0;
}

uint16_t fmi_query_id(const struct fmi_flash *f, unsigned chip, uint64_t off)
{
	if (f->part.quirks & FM_FLASH_QUIRK_NO_CODES)
		return 0;
	switch (word_in_block(f, off)) {
	case ID_MANUFACTURER:
		return f->manufacturer;
	case ID_DEVICE:
		return f->device_id;
	case ID_LOCK_STATUS:
		return fmi_array_lock_status(f, chip, off);
	default:
		return 0;
	}
}

/*
 * The word that an AMD chip is asked for. A chip with half of its data lines has one address line
 * more below, which these answers ignore; those above A7 only choose the sector.
 */
static unsigned amd_word(const struct fmi_flash *f, uint64_t off)
{
	uint64_t word = off / f->geo.bank_width;

	return (unsigned)(f->geo.byte_mode ? word >> 1 : word) & 0xff;
}

uint8_t fmi_query_amd_read(const struct fmi_flash *f, uint64_t off)
{
	unsigned word = amd_word(f, off);

	return word < FMI_QUERY_LEN ? f->query[word] : 0;
}

uint16_t fmi_query_autoselect(const struct fmi_flash *f, unsigned chip, uint64_t off)
{
	unsigned word = amd_word(f, off);

	switch (word) {
	case ID_MANUFACTURER:
		return f->manufacturer;
	case ID_DEVICE:
		return f->device_id;
	case ID_LOCK_STATUS:
		return fmi_array_lock_status(f, chip, off);
	case ID_EXTENDED:
	case ID_EXTENDED + 1:
		return f->extended_id[word - ID_EXTENDED];
	default:
		return 0;
	}
}
