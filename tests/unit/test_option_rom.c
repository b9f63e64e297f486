/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include <glob.h>

#include <firmem/rom.h>

#define PCIR 0x40u /* where the sample has its PCIR structure */

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/* Make the byte sum of the first `len` bytes zero by the last of them. */
static void seal(uint8_t *rom, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len - 1; i++)
		sum = (uint8_t)(sum + rom[i]);
	rom[len - 1] = (uint8_t)-sum;
}

/* An x86 image of 1024 bytes for PCI 1af4:1000, the last of its ROM. */
static void sample(uint8_t rom[1024])
{
	for (size_t i = 0; i < 1024; i++)
		rom[i] = (uint8_t)(i * 3);
	rom[0] = 0x55;
	rom[1] = 0xaa;
	rom[2] = 2;
	put16(rom + 0x18, PCIR);
	memcpy(rom + PCIR, "PCIR", 4);
	put16(rom + PCIR + 4, 0x1af4);
	put16(rom + PCIR + 6, 0x1000);
	put16(rom + PCIR + 10, 24);
	put16(rom + PCIR + 16, 2);
	rom[PCIR + 20] = 0;
	rom[PCIR + 21] = 0x80;
	seal(rom, 1024);
}

static void efi_sample(uint8_t rom[1024])
{
	sample(rom);
	put16(rom + 4, 0x0ef1);
	put16(rom + 6, 0);
	put16(rom + 2, 2);
	rom[PCIR + 20] = 3;
	rom[1023]++;
}

/* A size of exactly `len`, so that a sanitizer sees a read behind it. */
static int check_copy(const uint8_t *rom, size_t len, struct fm_option_rom_info *info,
		      struct fm_error *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	int rc;

	memcpy(copy, rom, len);
	rc = fm_option_rom_check(copy, len, info, err);
	free(copy);
	return rc;
}

static void expect(const uint8_t *rom, size_t len, int code, const char *word)
{
	struct fm_option_rom_info info = { .len = 77 };
	struct fm_error err = { 0 };

	assert_int_equal(check_copy(rom, len, &info, &err), code);
	assert_non_null(strstr(err.msg, word));
	if (code != FM_ERR_CHECKSUM)
		assert_int_equal(info.len, 77);
}

/* --- what is right ------------------------------------------------------------------------ */

static void a_right_image_is_described(void **state)
{
	struct fm_option_rom_info info;
	uint8_t rom[1024];

	sample(rom);
	assert_int_equal(check_copy(rom, sizeof(rom), &info, NULL), 0);
	assert_int_equal(info.len, 1024);
	assert_int_equal(info.init_len, 1024);
	assert_int_equal(info.pci_vendor, 0x1af4);
	assert_int_equal(info.pci_device, 0x1000);
	assert_int_equal(info.code_type, 0);
	assert_true(info.last);
	assert_int_equal(info.sum, 0);
	assert_int_equal(fm_option_rom_check(rom, sizeof(rom), NULL, NULL), 0);
}

static void without_a_pcir_signature_there_is_no_pcir(void **state)
{
	struct fm_option_rom_info info;
	uint8_t rom[1024];

	sample(rom);
	rom[PCIR] = 'p';
	seal(rom, 1024);
	assert_int_equal(check_copy(rom, sizeof(rom), &info, NULL), 0);
	assert_int_equal(info.pci_vendor, 0);
	assert_int_equal(info.code_type, 0xff);
	assert_true(info.last);

	/* A pointer to nowhere: what an ISA ROM has there is its own business. */
	put16(rom + 0x18, 0xffff);
	seal(rom, 1024);
	assert_int_equal(check_copy(rom, sizeof(rom), &info, NULL), 0);
	assert_int_equal(info.code_type, 0xff);
}

static void the_image_may_be_longer_than_its_initialisation_part(void **state)
{
	struct fm_option_rom_info info;
	uint8_t rom[1024];

	sample(rom);
	rom[2] = 1;
	rom[PCIR + 21] = 0;
	seal(rom, 512);
	assert_int_equal(check_copy(rom, sizeof(rom), &info, NULL), 0);
	assert_int_equal(info.init_len, 512);
	assert_int_equal(info.len, 1024);
	assert_false(info.last);
}

static void what_is_behind_the_image_is_not_summed(void **state)
{
	struct fm_option_rom_info info;
	uint8_t rom[2048];

	memset(rom, 0xff, sizeof(rom));
	sample(rom);
	assert_int_equal(check_copy(rom, sizeof(rom), &info, NULL), 0);
	assert_int_equal(info.len, 1024);
}

static void an_efi_image_has_a_signature_and_no_sum(void **state)
{
	struct fm_option_rom_info info;
	uint8_t rom[1024];

	efi_sample(rom);
	assert_int_equal(check_copy(rom, sizeof(rom), &info, NULL), 0);
	assert_int_equal(info.code_type, 3);
	assert_int_equal(info.sum, 0);
	rom[4]++;
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "EFI signature");
}

static void other_architectures_have_a_pcir_length_only(void **state)
{
	struct fm_option_rom_info info;
	uint8_t rom[1024];

	sample(rom);
	rom[2] = 0;
	rom[PCIR + 20] = 1;
	assert_int_equal(check_copy(rom, sizeof(rom), &info, NULL), 0);
	assert_int_equal(info.len, 1024);
	assert_int_equal(info.init_len, 1024);
	put16(rom + PCIR + 16, 0);
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "image length is 0");
}

/* --- what is wrong ------------------------------------------------------------------------- */

static void a_wrong_signature_is_refused(void **state)
{
	uint8_t rom[1024];

	sample(rom);
	rom[0] = 0x54;
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "signature is 54 aa");
	sample(rom);
	rom[1] = 0xab;
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "signature is 55 ab");
}

static void a_wrong_length_is_refused(void **state)
{
	uint8_t rom[1024];

	sample(rom);
	rom[2] = 0;
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "length byte is 0");
	sample(rom);
	rom[2] = 3;
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "PCIR image length is 1024");
	rom[PCIR] = 'p';
	expect(rom, sizeof(rom), FM_ERR_SIZE, "length byte says 1536");
	sample(rom);
	put16(rom + PCIR + 16, 3);
	expect(rom, sizeof(rom), FM_ERR_SIZE, "PCIR image length says 1536");
	put16(rom + PCIR + 16, 0);
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "PCIR image length is 0");
	put16(rom + PCIR + 16, 0xffff);
	expect(rom, sizeof(rom), FM_ERR_SIZE, "PCIR image length");
	efi_sample(rom);
	put16(rom + 2, 0);
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "is 0");
	put16(rom + 2, 0x102);
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "expected at least the header's 132096");
}

static void a_pcir_that_leaves_the_image_is_refused(void **state)
{
	uint8_t rom[2048] = { 0 };

	/* Cut by the end of what was given. */
	sample(rom);
	put16(rom + 0x18, 1024 - 23);
	memcpy(rom + 1024 - 23, "PCIR", 4);
	expect(rom, 1024, FM_ERR_SIZE, "PCIR pointer is 0x3e9");

	/* Behind the image, in a longer ROM. */
	sample(rom);
	memmove(rom + 1024, rom + PCIR, 24);
	put16(rom + 0x18, 1024);
	expect(rom, sizeof(rom), FM_ERR_FORMAT, "PCIR pointer is 0x400");

	/* Longer than the image has room for, and shorter than a PCIR is. */
	sample(rom);
	put16(rom + PCIR + 10, 1024 - PCIR + 1);
	expect(rom, 1024, FM_ERR_FORMAT, "PCIR length 961");
	put16(rom + PCIR + 10, 23);
	expect(rom, 1024, FM_ERR_FORMAT, "PCIR length is 23");
}

static void a_wrong_sum_is_told_with_the_description(void **state)
{
	struct fm_option_rom_info info = { 0 };
	struct fm_error err = { 0 };
	uint8_t rom[1024];

	sample(rom);
	rom[100] = (uint8_t)(rom[100] + 5);
	assert_int_equal(check_copy(rom, sizeof(rom), &info, &err), FM_ERR_CHECKSUM);
	assert_int_equal(info.sum, 5);
	assert_int_equal(info.len, 1024);
	assert_int_equal(info.pci_vendor, 0x1af4);
	assert_non_null(strstr(err.msg, "0x05"));
}

static void a_rom_cut_anywhere_is_refused(void **state)
{
	uint8_t rom[1024];

	sample(rom);
	for (size_t cut = 0; cut < sizeof(rom); cut++)
		assert_int_equal(check_copy(rom, cut, NULL, NULL), FM_ERR_SIZE);
	efi_sample(rom);
	for (size_t cut = 0; cut < sizeof(rom); cut++)
		assert_int_equal(check_copy(rom, cut, NULL, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_option_rom_check(NULL, 4096, NULL, NULL), FM_ERR_SIZE);
}

/* --- repair ------------------------------------------------------------------------------ */

static void fix_makes_the_sum_zero_by_the_last_byte(void **state)
{
	uint8_t rom[1024], fixed[1024];

	sample(rom);
	for (unsigned delta = 0; delta < 256; delta++) {
		memcpy(fixed, rom, sizeof(rom));
		fixed[200] = (uint8_t)(rom[200] + delta);
		assert_int_equal(fm_option_rom_fix(fixed, sizeof(fixed), NULL), 0);
		assert_int_equal(fm_option_rom_check(fixed, sizeof(fixed), NULL, NULL), 0);
		assert_int_equal(fixed[1023], (uint8_t)(rom[1023] - delta));
		fixed[200] = rom[200];
		fixed[1023] = rom[1023];
		assert_memory_equal(fixed, rom, sizeof(rom));
	}
}

static void fix_touches_nothing_it_must_not(void **state)
{
	uint8_t rom[1024], before[1024];
	struct fm_error err = { 0 };

	/* No sum. */
	efi_sample(rom);
	memcpy(before, rom, sizeof(rom));
	assert_int_equal(fm_option_rom_fix(rom, sizeof(rom), NULL), 0);
	assert_memory_equal(rom, before, sizeof(rom));

	/* Not an option ROM. */
	rom[0] = 0;
	memcpy(before, rom, sizeof(rom));
	assert_int_equal(fm_option_rom_fix(rom, sizeof(rom), &err), FM_ERR_FORMAT);
	assert_memory_equal(rom, before, sizeof(rom));

	/* The last byte is the PCIR's. */
	sample(rom);
	memmove(rom + 1000, rom + PCIR, 24);
	put16(rom + 0x18, 1000);
	memcpy(before, rom, sizeof(rom));
	assert_int_equal(fm_option_rom_fix(rom, sizeof(rom), &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "PCIR structure at 0x3e8"));
	assert_memory_equal(rom, before, sizeof(rom));
}

static void a_bar_is_the_next_power_of_two_from_2_kib(void **state)
{
	assert_int_equal(fm_option_rom_bar_len(0), 2048);
	assert_int_equal(fm_option_rom_bar_len(2048), 2048);
	assert_int_equal(fm_option_rom_bar_len(2049), 4096);
	assert_int_equal(fm_option_rom_bar_len(75264), 131072);
	assert_true(fm_option_rom_bar_len(UINT64_C(1) << 31) == UINT64_C(1) << 31);
	assert_int_equal(fm_option_rom_bar_len((UINT64_C(1) << 31) + 1), 0);
	assert_int_equal(fm_option_rom_bar_len(UINT64_MAX), 0);
}

/* --- ROMs that are installed -------------------------------------------------------------- */

/* Every image of the ROM, to the one that says it is the last. */
static unsigned check_file(const char *path)
{
	struct fm_option_rom_info info = { 0 };
	struct fm_error err = { 0 };
	size_t len, off = 0;
	unsigned images = 0;
	uint8_t *rom;
	void *bytes;

	assert_int_equal(fm_io_load(NULL, path, 16 << 20, &bytes, &len, NULL), 0);
	rom = bytes;
	if (len < 2 || rom[0] != 0x55 || rom[1] != 0xaa) {
		free(bytes);
		return 0; /* a BIOS, not an option ROM */
	}
	do {
		assert_true(off < len);
		if (fm_option_rom_check(rom + off, len - off, &info, &err))
			fail_msg("%s at %zu: %s", path, off, err.msg);
		off += info.len;
		images++;
	} while (!info.last);
	assert_true(off <= len);

	/* A changed byte is noticed, and repaired. */
	if (info.code_type != 3 && images == 1) {
		rom[info.init_len / 2]++;
		assert_int_equal(fm_option_rom_check(rom, len, &info, &err), FM_ERR_CHECKSUM);
		assert_int_equal(fm_option_rom_fix(rom, len, &err), 0);
		assert_int_equal(fm_option_rom_check(rom, len, &info, &err), 0);
	}
	free(bytes);
	return images;
}

static void installed_option_roms_pass(void **state)
{
	static const char *const patterns[] = {
		"/usr/share/qemu/*.rom",
		"/usr/share/qemu/*.bin",
		"/usr/lib/ipxe/qemu/*.rom",
		"/usr/share/seabios/vgabios*.bin",
	};
	unsigned images = 0;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found) == 0) {
			for (size_t n = 0; n < found.gl_pathc; n++)
				images += check_file(found.gl_pathv[n]);
			globfree(&found);
		}
	}
	print_message("%u images\n", images);
	if (!images) {
		print_message("skipped: no option ROMs (packages seabios, ipxe-qemu)\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_image_is_described),
		cmocka_unit_test(without_a_pcir_signature_there_is_no_pcir),
		cmocka_unit_test(the_image_may_be_longer_than_its_initialisation_part),
		cmocka_unit_test(what_is_behind_the_image_is_not_summed),
		cmocka_unit_test(an_efi_image_has_a_signature_and_no_sum),
		cmocka_unit_test(other_architectures_have_a_pcir_length_only),
		cmocka_unit_test(a_wrong_signature_is_refused),
		cmocka_unit_test(a_wrong_length_is_refused),
		cmocka_unit_test(a_pcir_that_leaves_the_image_is_refused),
		cmocka_unit_test(a_wrong_sum_is_told_with_the_description),
		cmocka_unit_test(a_rom_cut_anywhere_is_refused),
		cmocka_unit_test(fix_makes_the_sum_zero_by_the_last_byte),
		cmocka_unit_test(fix_touches_nothing_it_must_not),
		cmocka_unit_test(a_bar_is_the_next_power_of_two_from_2_kib),
		cmocka_unit_test(installed_option_roms_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
