/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The legacy image of U-Boot's mkimage: a big-endian header of 64 bytes, then the data. Layout and
 * numbers: U-Boot, include/image.h, "Legacy format image header".
 */
#include "rom/image_private.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC UINT32_C(0x27051956)
#define HEADER_LEN 64u

/* Offsets in the header; ih_time, ih_os, ih_arch and ih_name say nothing about loading. */
enum {
	IH_MAGIC = 0,
	IH_HCRC = 4,
	IH_SIZE = 12,
	IH_LOAD = 16,
	IH_EP = 20,
	IH_DCRC = 24,
	IH_TYPE = 30,
	IH_COMP = 31,
};

enum type {
	TYPE_STANDALONE = 1,
	TYPE_KERNEL = 2,
	TYPE_RAMDISK = 3,
	TYPE_MULTI = 4,
	TYPE_FIRMWARE = 5,
	TYPE_SCRIPT = 6,
	TYPE_FILESYSTEM = 7,
	TYPE_FLAT_DT = 8,
	TYPE_KERNEL_NOLOAD = 14,
};

bool fmi_image_is_uimage(const uint8_t *bytes, size_t len)
{
	return len >= 4 && fmi_be32(bytes) == MAGIC;
}

/* CRC of the header with its own field as zero. */
static uint32_t header_crc(const uint8_t *header)
{
	uint8_t copy[HEADER_LEN];

	memcpy(copy, header, sizeof(copy));
	memset(copy + IH_HCRC, 0, 4);
	return fmi_crc32(0, copy, sizeof(copy));
}

static int check_header(struct fmi_image_builder *b)
{
	const char *name = b->image->name;
	uint32_t stored, computed;

	if (!fmi_image_is_uimage(b->bytes, b->len))
		return fm_error_set(b->err, FM_ERR_FORMAT, 0,
				    "%s: ih_magic is missing, expected 0x%08" PRIx32 " (uImage)",
				    name, MAGIC);
	if (b->len < HEADER_LEN)
		return fm_error_set(b->err, FM_ERR_SIZE, 0,
				    "%s: the file has %zu bytes, expected a uImage header of %u",
				    name, b->len, HEADER_LEN);
	stored = fmi_be32(b->bytes + IH_HCRC);
	computed = header_crc(b->bytes);
	if (stored != computed)
		return fm_error_set(b->err, FM_ERR_CHECKSUM, 0,
				    "%s: ih_hcrc is 0x%08" PRIx32 ", expected 0x%08" PRIx32
				    " for this header",
				    name, stored, computed);
	return 0;
}

static int check_data(struct fmi_image_builder *b, uint32_t size)
{
	const char *name = b->image->name;
	uint32_t stored = fmi_be32(b->bytes + IH_DCRC);
	uint32_t computed;

	if (!size || size > b->len - HEADER_LEN)
		return fm_error_set(b->err, FM_ERR_SIZE, 0,
				    "%s: ih_size is %" PRIu32
				    ", expected 1 to the %zu bytes behind the header",
				    name, size, b->len - HEADER_LEN);
	computed = fmi_crc32(0, b->bytes + HEADER_LEN, size);
	if (stored != computed)
		return fm_error_set(b->err, FM_ERR_CHECKSUM, 0,
				    "%s: ih_dcrc is 0x%08" PRIx32 ", expected 0x%08" PRIx32
				    " for this data",
				    name, stored, computed);
	return 0;
}

/*
 * What cannot be put at ih_load as it is: several files in one (multi, script), a kernel that has
 * no load address, and types whose file does not have this header at all.
 */
static int check_kind(struct fmi_image_builder *b)
{
	uint8_t type = b->bytes[IH_TYPE], comp = b->bytes[IH_COMP];
	const char *why = "an unknown type";

	if (comp)
		return fm_error_set(b->err, FM_ERR_UNSUPPORTED, 0,
				    "%s: ih_comp is %u (compressed), expected 0 (uncompressed)",
				    b->image->name, comp);
	switch ((enum type)type) {
	case TYPE_STANDALONE:
	case TYPE_KERNEL:
	case TYPE_FIRMWARE:
		b->image->has_entry = true;
		b->image->entry = fmi_be32(b->bytes + IH_EP);
		return 0;
	case TYPE_RAMDISK:
	case TYPE_FILESYSTEM:
	case TYPE_FLAT_DT:
		return 0;
	case TYPE_MULTI:
		why = "several files in one";
		break;
	case TYPE_SCRIPT:
		why = "a script";
		break;
	case TYPE_KERNEL_NOLOAD:
		why = "a kernel without a load address";
		break;
	}
	return fm_error_set(b->err, FM_ERR_UNSUPPORTED, 0,
			    "%s: ih_type is %u (%s), expected one file to load: 1, 2, 3, 5, 7 or 8",
			    b->image->name, type, why);
}

int fmi_image_parse_uimage(struct fmi_image_builder *b)
{
	uint32_t load, size;
	int rc = check_header(b);

	if (rc)
		return rc;
	size = fmi_be32(b->bytes + IH_SIZE);
	load = fmi_be32(b->bytes + IH_LOAD);
	rc = check_data(b, size);
	if (!rc)
		rc = check_kind(b);
	if (rc)
		return rc;
	if (size - 1 > UINT32_MAX - load)
		return fm_error_set(b->err, FM_ERR_SIZE, 0,
				    "%s: ih_load is 0x%08" PRIx32 " and ih_size 0x%" PRIx32
				    ", expected an end by 4 GiB",
				    b->image->name, load, size);
	/* Bytes behind the data are padding: an image read back from flash has them. */
	return fmi_image_add(b, load, size, b->bytes + HEADER_LEN, size);
}
