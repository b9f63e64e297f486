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
#define PRI_AFTER_SUSPEND 9u
#define PRI_LOCK_STATUS 10u
#define PRI_VCC 12u
#define PRI_PROTECTION_FIELDS 14u

/* The AMD extension: where it is, and offsets in the query structure. */
#define AMD_PRI 0x40u
#define AMD_SUSPEND 0x46u
#define AMD_SECTOR_GROUP 0x47u
#define AMD_PROTECT_SCHEME 0x49u
#define AMD_BOOT 0x4fu
#define AMD_PROGRAM_SUSPEND 0x50u
#define AMD_BYPASS 0x51u
#define AMD_SECURED 0x52u
#define AMD_SOFTWARE 0x53u

#define AMD_BOOT_UNIFORM 0u
#define AMD_BOOT_BOTTOM 2u
#define AMD_BOOT_TOP 3u
#define AMD_BOOT_UNIFORM_WP_FIRST 4u
#define AMD_BOOT_UNIFORM_WP_LAST 5u

#define FEATURE_SUSPEND_ERASE (1u << 1)
#define FEATURE_SUSPEND_PROGRAM (1u << 2)
#define FEATURE_LEGACY_LOCKS (1u << 3) /* opened all at once */
#define FEATURE_BLOCK_LOCKS (1u << 5)  /* instant individual block locking */
#define FEATURE_REGISTERS (1u << 6)    /* protection registers */

#define AMD_SUSPEND_READ_WRITE 2u
#define AMD_PROTECT_VOLTAGE 4u /* by nothing that a guest can write */
#define AMD_PROTECT_ADVANCED 8u
#define AMD_SECURED_LOG2 8u /* 256 bytes */
#define AMD_POLL_STATUS 1u  /* software features: the status register; data polling */
#define AMD_POLL_DATA 2u

/* Read-ID offsets, in words of a chip from the start of a block. */
#define ID_MANUFACTURER 0u
#define ID_DEVICE 1u
#define ID_LOCK_STATUS 2u
#define ID_CONFIGURATION 5u /* Intel */
#define ID_EXTENDED 0x0eu   /* AMD, and the word behind it */

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

/* The two protection fields: the registers of 64 bits, and the sixteen of 128. */
static void put_registers(uint8_t *fields)
{
	static const uint8_t first[] = { 0x80, 0, 3, 3 };
	static const uint8_t second[] = { 0x89, 0, 0, 0, 0, 0, 0, 16, 0, 4 };

	fields[0] = 2;
	memcpy(fields + 1, first, sizeof(first));
	memcpy(fields + 1 + sizeof(first), second, sizeof(second));
}

static void put_extension(uint8_t *pri, unsigned traits)
{
	uint32_t features = 0;

	memcpy(pri, "PRI", 3);
	pri[PRI_MAJOR] = '1';
	pri[PRI_MINOR] = '1';
	if (!(traits & FM_FLASH_NO_SUSPEND)) {
		features |= FEATURE_SUSPEND_ERASE | FEATURE_SUSPEND_PROGRAM;
		pri[PRI_AFTER_SUSPEND] = 1; /* programs are */
	}
	if (!(traits & FM_FLASH_NO_PROTECTION)) {
		features |= traits & FM_FLASH_LOCKS_PERSIST ? FEATURE_LEGACY_LOCKS
							    : FEATURE_BLOCK_LOCKS;
		fmi_put_le16(pri + PRI_LOCK_STATUS,
			     FMI_LOCKED | (traits & FM_FLASH_NO_LOCK_DOWN ? 0 : FMI_LOCKED_DOWN));
	}
	pri[PRI_VCC] = 0x30; /* 3.0 V */
	if (!(traits & FM_FLASH_NO_REGISTERS)) {
		features |= FEATURE_REGISTERS;
		put_registers(pri + PRI_PROTECTION_FIELDS);
	}
	fmi_put_le32(pri + PRI_FEATURES, features);
}

static uint8_t boot_flag(const struct fmi_flash *f)
{
	const struct fmi_geometry *geo = &f->geo;
	uint64_t bottom = geo->region[0].block_len;
	uint64_t top = geo->region[geo->nregions - 1].block_len;

	if (bottom == top && (f->part.traits & FM_FLASH_WP_FIRST))
		return AMD_BOOT_UNIFORM_WP_FIRST;
	if (bottom == top && (f->part.traits & FM_FLASH_WP_LAST))
		return AMD_BOOT_UNIFORM_WP_LAST;
	if (bottom == top)
		return AMD_BOOT_UNIFORM;
	return bottom < top ? AMD_BOOT_BOTTOM : AMD_BOOT_TOP;
}

/* Version 1.5, which has the software features. What is 0: no bursts, no pages, no second bank. */
static void put_amd_extension(uint8_t *q, unsigned traits)
{
	uint8_t *pri = q + AMD_PRI;

	memcpy(pri, "PRI", 3);
	pri[PRI_MAJOR] = '1';
	pri[PRI_MINOR] = traits & FM_FLASH_NO_STATUS ? '3' : '5';
	if (!(traits & FM_FLASH_NO_SUSPEND)) {
		q[AMD_SUSPEND] = AMD_SUSPEND_READ_WRITE;
		q[AMD_PROGRAM_SUSPEND] = 1;
	}
	q[AMD_SECTOR_GROUP] = 1;
	q[AMD_PROTECT_SCHEME] =
		traits & FM_FLASH_NO_PROTECTION ? AMD_PROTECT_VOLTAGE : AMD_PROTECT_ADVANCED;
	if (traits & FM_FLASH_NO_STATUS)
		return;
	q[AMD_BYPASS] = !(traits & FM_FLASH_NO_BYPASS);
	q[AMD_SECURED] = traits & FM_FLASH_NO_REGISTERS ? 0 : AMD_SECURED_LOG2;
	q[AMD_SOFTWARE] = AMD_POLL_STATUS | AMD_POLL_DATA;
}

/* Times as the bank takes them. */
static void put_times(const struct fmi_flash *f, uint8_t *q)
{
	bool amd = f->set == FM_FLASH_AMD;
	bool buffer = !(f->part.traits & FM_FLASH_NO_BUFFER);

	q[TIME_WORD] = f->times.word_us;
	q[TIME_BUFFER] = buffer ? f->times.buffer_us : 0;
	q[TIME_ERASE] = f->times.erase_ms;
	q[TIME_ERASE_CHIP] = amd ? f->times.chip_erase_ms : 0;
	q[TIME_MAX_WORD] = f->times.word_max;
	q[TIME_MAX_BUFFER] = buffer ? f->times.buffer_max : 0;
	q[TIME_MAX_ERASE] = f->times.erase_max;
	q[TIME_MAX_ERASE_CHIP] = amd ? f->times.chip_erase_max : 0;
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

/* And of any AMD bank. */
static void put_qemu_amd(struct fmi_flash *f)
{
	uint8_t *q = f->query;

	q[TIME_BUFFER] = 0; /* no write buffer */
	q[TIME_MAX_BUFFER] = 0;
	fmi_put_le16(q + BUFFER_LEN, 0);
	q[TIME_ERASE] = 9;
	q[TIME_ERASE_CHIP] = 12;
	q[TIME_MAX_WORD] = 1;
	q[TIME_MAX_ERASE] = 10;
	q[TIME_MAX_ERASE_CHIP] = 13;
	fmi_put_le16(q + INTERFACE, 2); /* x8 and x16 */
	put_regions(q, &f->geo, false);
	memset(q + AMD_PRI + PRI_MINOR, 0, FMI_QUERY_LEN - AMD_PRI - PRI_MINOR);
	q[AMD_PRI + PRI_MINOR] = '0';
	q[AMD_SUSPEND] = AMD_SUSPEND_READ_WRITE;
}

void fmi_query_build(struct fmi_flash *f)
{
	uint8_t *q = f->query;
	bool amd = f->set == FM_FLASH_AMD;
	uint8_t pri = amd ? AMD_PRI : (uint8_t)(REGIONS + REGION_LEN * f->geo.nregions);

	memset(q, 0, FMI_QUERY_LEN);
	memcpy(q + QRY, "QRY", 3);
	fmi_put_le16(q + PRIMARY_SET, f->primary);
	fmi_put_le16(q + PRIMARY_TABLE, pri);
	q[VCC_MIN] = 0x27; /* 2.7 V to 3.6 V; no programming voltage */
	q[VCC_MAX] = 0x36;
	put_times(f, q);
	/* Emulators have banks that are no power of two; real chips are. */
	q[CHIP_LEN] = fmi_log2_ceil(f->geo.len / f->geo.chips);
	fmi_put_le16(q + INTERFACE, interface_code(&f->geo));
	if (!(f->part.traits & FM_FLASH_NO_BUFFER))
		fmi_put_le16(q + BUFFER_LEN, fmi_log2_ceil(f->geo.buffer_len / f->geo.chips));
	if (amd) {
		q[AMD_BOOT] = boot_flag(f);
		put_regions(q, &f->geo, q[AMD_BOOT] == AMD_BOOT_TOP);
		put_amd_extension(q, f->part.traits);
	} else {
		put_regions(q, &f->geo, false);
		put_extension(q + pri, f->part.traits);
	}
	if (!(f->part.quirks & FM_FLASH_QUIRK_QEMU_TABLE))
		return;
	if (amd)
		put_qemu_amd(f);
	else
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
	case ID_CONFIGURATION:
		if (f->part.traits & FM_FLASH_NO_CONFIGURATION)
			return 0;
		return f->chip[f->together ? 0 : chip].intel.configuration;
	default:
		if (f->part.traits & FM_FLASH_NO_REGISTERS)
			return 0;
		return fmi_registers_read(f, chip, word_in_block(f, off));
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
