/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option ROM images: PCI Firmware Specification 3.x section 5.1 (header, PCI Data Structure), Plug
 * and Play BIOS Specification 1.0A section 3.2 (the byte sum of x86 images), UEFI Specification,
 * table "EFI PCI Expansion ROM Header".
 */
#include <firmem/rom.h>

#include "devices/bytes.h"

#include <inttypes.h>
#include <string.h>

#define UNIT 512u          /* of every length in an option ROM */
#define PCIR_POINTER 0x18u /* in the ROM header */
#define PCIR_MIN 0x18u     /* bytes of the PCI Data Structure of revision 0 */
#define CODE_TYPE_X86 0u
#define CODE_TYPE_EFI 3u
#define EFI_SIGNATURE 0x0ef1u /* at 4 in the header of an EFI image */
#define CODE_TYPE_NONE 0xffu  /* no PCI Data Structure */

/* Offsets in the PCI Data Structure. */
enum {
	PCIR_VENDOR = 0x04,
	PCIR_DEVICE = 0x06,
	PCIR_LEN = 0x0a,
	PCIR_IMAGE_UNITS = 0x10,
	PCIR_CODE_TYPE = 0x14,
	PCIR_INDICATOR = 0x15,
};

struct rom {
	const uint8_t *bytes;
	size_t len;
	size_t pcir; /* offset of the PCI Data Structure; 0 = none */
	size_t pcir_len;
	struct fm_option_rom_info info;
};

/*
 * The PCI Data Structure, if there is one: ROMs of other buses have anything at the pointer, and
 * only the signature tells.
 */
static int read_pcir(struct rom *r, struct fm_error *err)
{
	size_t at = fmi_le16(r->bytes + PCIR_POINTER);
	const uint8_t *p = r->bytes + at;

	if (!at || !fmi_in_range(at, 4, r->len) || memcmp(p, "PCIR", 4) != 0)
		return 0;
	if (!fmi_in_range(at, PCIR_MIN, r->len))
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "option ROM: PCIR pointer is 0x%zx, expected a structure of "
				    "%u bytes inside the %zu given",
				    at, PCIR_MIN, r->len);
	r->pcir = at;
	r->pcir_len = fmi_le16(p + PCIR_LEN);
	if (r->pcir_len < PCIR_MIN)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "option ROM: PCIR length is %zu, expected at least %u",
				    r->pcir_len, PCIR_MIN);
	r->info.pci_vendor = fmi_le16(p + PCIR_VENDOR);
	r->info.pci_device = fmi_le16(p + PCIR_DEVICE);
	r->info.code_type = p[PCIR_CODE_TYPE];
	r->info.last = p[PCIR_INDICATOR] & 0x80;
	r->info.len = fmi_le16(p + PCIR_IMAGE_UNITS) * UNIT;
	return 0;
}

static bool has_sum(const struct rom *r)
{
	return r->info.code_type == CODE_TYPE_X86 || r->info.code_type == CODE_TYPE_NONE;
}

/* The header's own length: a byte for x86, 16 bits for EFI; other architectures have none there. */
static int read_init_len(struct rom *r, struct fm_error *err)
{
	uint32_t signature = fmi_le32(r->bytes + 4);

	if (has_sum(r)) {
		r->info.init_len = r->bytes[2] * UNIT;
	} else if (r->info.code_type == CODE_TYPE_EFI) {
		if (signature != EFI_SIGNATURE)
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "option ROM: the EFI signature is 0x%08" PRIx32
					    ", expected 0x%08x as the PCIR code type is 3",
					    signature, EFI_SIGNATURE);
		r->info.init_len = fmi_le16(r->bytes + 2) * UNIT;
	} else {
		r->info.init_len = r->info.len;
	}
	return 0;
}

/* The lengths against each other and against what was given. */
static int check_lengths(struct rom *r, struct fm_error *err)
{
	struct fm_option_rom_info *i = &r->info;

	if (!i->init_len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "option ROM: the %s is 0, expected at least 1 (x 512 bytes)",
				    has_sum(r) ? "length byte" : "image length");
	if (!r->pcir)
		i->len = i->init_len;
	if (i->len < i->init_len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "option ROM: PCIR image length is %" PRIu32
				    " bytes, expected at least the header's %" PRIu32,
				    i->len, i->init_len);
	if (i->len > r->len)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "option ROM: the %s says %" PRIu32
				    " bytes, expected at most the %zu given",
				    r->pcir ? "PCIR image length" : "length byte", i->len, r->len);
	if (r->pcir && !fmi_in_range(r->pcir, r->pcir_len, i->len))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "option ROM: PCIR pointer is 0x%zx and PCIR length %zu, "
				    "expected both inside the image of %" PRIu32 " bytes",
				    r->pcir, r->pcir_len, i->len);
	return 0;
}

static uint8_t byte_sum(const uint8_t *bytes, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum;
}

/* Everything but the judgement on the sum. */
static int inspect(struct rom *r, const void *bytes, size_t len, struct fm_error *err)
{
	int rc;

	*r = (struct rom){ .bytes = bytes, .len = len };
	if (!bytes || len < UNIT)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "option ROM: %zu bytes, expected at least %u", bytes ? len : 0,
				    UNIT);
	if (r->bytes[0] != 0x55 || r->bytes[1] != 0xaa)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "option ROM: the signature is %02x %02x, expected 55 aa",
				    r->bytes[0], r->bytes[1]);
	r->info.code_type = CODE_TYPE_NONE;
	r->info.last = true;
	rc = read_pcir(r, err);
	if (rc)
		return rc;
	rc = read_init_len(r, err);
	if (!rc)
		rc = check_lengths(r, err);
	if (!rc && has_sum(r))
		r->info.sum = byte_sum(r->bytes, r->info.init_len);
	return rc;
}

int fm_option_rom_check(const void *bytes, size_t len, struct fm_option_rom_info *info,
			struct fm_error *err)
{
	struct rom r;
	int rc = inspect(&r, bytes, len, err);

	if (rc)
		return rc;
	if (info)
		*info = r.info;
	if (r.info.sum)
		return fm_error_set(err, FM_ERR_CHECKSUM, 0,
				    "option ROM: the byte sum of %" PRIu32
				    " bytes is 0x%02x, expected 0",
				    r.info.init_len, r.info.sum);
	return 0;
}

int fm_option_rom_fix(void *bytes, size_t len, struct fm_error *err)
{
	struct rom r;
	uint8_t *last;
	int rc = inspect(&r, bytes, len, err);

	if (rc || !r.info.sum)
		return rc;
	if (r.pcir && r.info.init_len - 1 - r.pcir < r.pcir_len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "option ROM: the last byte is part of the PCIR structure at "
				    "0x%zx, expected one that may be changed",
				    r.pcir);
	last = (uint8_t *)bytes + r.info.init_len - 1;
	*last = (uint8_t)(*last - r.info.sum);
	return 0;
}

uint64_t fm_option_rom_bar_len(uint64_t len)
{
	uint64_t bar = 2048;

	if (len > UINT64_C(1) << 31)
		return 0;
	while (bar < len)
		bar *= 2;
	return bar;
}
