/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD launches. Digests of others are compared by tests/cli/measure.py; here is what has no file. */
#include "tests/unit/unit.h"

#include "fuzz/ovmf_build.h"

#include <firmem/digest.h>
#include <firmem/sev.h>

#include <openssl/err.h>

static uint8_t image[OVMF_LEN];

static struct fm_sev_config launch(enum fm_sev_kind kind)
{
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = kind };

	ovmf_build(image);
	c.firmware = image;
	c.firmware_len = sizeof(image);
	c.vcpus = 2;
	c.cpu_sig = 0x800f12;
	return c;
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
	char text[200];

	assert_string_equal(fm_digest_hex(text, bytes, len), hex);
}

/* sev-snp-measure-go's ovmf_img_2: sections and a digest of the firmware, without the firmware. */
static void a_launch_needs_no_firmware_when_its_digest_is_known(void **state)
{
	static const uint32_t sections[5][3] = {
		{ 8388608, 36864, 1 }, { 8429568, 12288, 1 }, { 8441856, 4096, 2 },
		{ 8445952, 4096, 3 },  { 8450048, 69632, 1 },
	};
	struct fm_ovmf o = { .has_table = true, .has_sev = true, .has_reset = true };
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = FM_SEV_SNP, .ovmf = &o };
	uint8_t seed[48], out[48];
	size_t n;

	o.reset_eip = 0x80b004;
	o.section_count = 5;
	for (unsigned i = 0; i < 5; i++) {
		o.sections[i].gpa = sections[i][0];
		o.sections[i].len = sections[i][1];
		o.sections[i].type = (enum fm_ovmf_section_type)sections[i][2];
	}
	assert_true(fm_digest_from_hex("2027a27bb9f7acfd280e4c7bd68a73973b94bf0756e5b282e004b9395f5"
				       "97b8d0eb4defa7d8f6549375aa4d2b146f0f3",
				       seed, 48, &n));
	c.firmware_digest = seed;
	c.vmm = FM_VMM_EC2_LEGACY;
	c.vcpus = 2;
	assert_int_equal(fm_sev_measure(out, &c, NULL), 0);
	assert_hex(out, 48,
		   "c2c84b9364fc9f0f54b04534768c860c6e0e386ad98b96e8b98eca46ac8971d0"
		   "5c531ba48373f054c880cfd1f4a0a84e");
}

static void a_firmware_hashed_before_gives_the_same_digest(void **state)
{
	struct fm_sev_config c = launch(FM_SEV_SNP);
	uint8_t whole[48], seed[48], out[48];

	assert_int_equal(fm_sev_measure(whole, &c, NULL), 0);
	assert_int_equal(fm_sev_firmware(seed, image, sizeof(image), NULL, NULL), 0);
	c.firmware_digest = seed;
	assert_int_equal(fm_sev_measure(out, &c, NULL), 0);
	assert_memory_equal(out, whole, 48);
	assert_int_equal(fm_sev_firmware(seed, image, 0, NULL, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_sev_firmware(seed, image, 4097, NULL, NULL), FM_ERR_SIZE);
}

/* The SNP chain once more, by the plain definition: no page is hashed once for two. */
static void extend_page(uint8_t ld[48], unsigned type, uint64_t gpa, const uint8_t *page)
{
	uint8_t info[0x70] = { 0 };

	memcpy(info, ld, 48);
	if (page)
		assert_int_equal(fm_digest_bytes(FM_DIGEST_SHA384, page, 4096, info + 48, NULL), 0);
	info[0x60] = 0x70;
	info[0x62] = (uint8_t)type;
	ovmf_put(info + 0x68, 8, gpa);
	assert_int_equal(fm_digest_bytes(FM_DIGEST_SHA384, info, sizeof(info), ld, NULL), 0);
}

static void snp_is_the_chain_of_its_definition(void **state)
{
	struct fm_sev_config c = launch(FM_SEV_SNP);
	struct fm_vmsa_config v = { .struct_size = sizeof(v), .cpu_sig = 0x800f12 };
	uint8_t ld[48] = { 0 }, out[48], page[4096];

	/* Nearly the page before. */
	image[0x1064] = 0;
	for (unsigned at = 0; at < OVMF_LEN; at += 4096)
		extend_page(ld, 1, 0x100000000 - OVMF_LEN + at, image + at);
	for (unsigned i = 0; i < 9; i++)
		extend_page(ld, 3, 0x800000 + 4096 * i, NULL);
	extend_page(ld, 5, 0x80d000, NULL);
	extend_page(ld, 6, 0x80e000, NULL);
	extend_page(ld, 3, 0x80f000, NULL);
	for (unsigned i = 0; i < 15; i++)
		extend_page(ld, 3, 0x811000 + 4096 * i, NULL);
	v.sev_features = 1;
	assert_int_equal(fm_vmsa_page(page, &v, NULL), 0);
	extend_page(ld, 2, 0xfffffffff000, page);
	v.eip = 0x80b004;
	assert_int_equal(fm_vmsa_page(page, &v, NULL), 0);
	extend_page(ld, 2, 0xfffffffff000, page);
	assert_int_equal(fm_sev_measure(out, &c, NULL), 0);
	assert_memory_equal(out, ld, 48);
}

/* sev-snp-measure trims nothing either, but forgets that an initrd needs a kernel. */
static void the_command_line_counts_to_its_last_blank(void **state)
{
	struct fm_sev_config c = launch(FM_SEV_SNP);
	uint8_t a[48], b[48];

	c.kernel = "";
	c.append = "quiet";
	assert_int_equal(fm_sev_measure(a, &c, NULL), 0);
	c.append = "quiet ";
	assert_int_equal(fm_sev_measure(b, &c, NULL), 0);
	assert_memory_not_equal(a, b, 48);
	c.append = NULL;
	assert_int_equal(fm_sev_measure(a, &c, NULL), 0);
	c.append = "";
	c.initrd = "";
	assert_int_equal(fm_sev_measure(b, &c, NULL), 0);
	assert_memory_equal(a, b, 48);
}

static void what_cannot_be_launched_is_refused(void **state)
{
	static const struct {
		int code;
		const char *word;
	} expected[] = {
		{ FM_ERR_ARG, "kind" },
		{ FM_ERR_ARG, "vcpus: 0" },
		{ FM_ERR_ARG, "vcpus: 1000000" },
		{ FM_ERR_ARG, "CPU signature" },
		{ FM_ERR_ARG, "VMM" },
		{ FM_ERR_ARG, "guest features: 0x20" },
		{ FM_ERR_ARG, "kernel: is missing" },
		{ FM_ERR_ARG, "kernel: is missing" },
		{ FM_ERR_UNSUPPORTED, "reset vector is 0" },
		{ FM_ERR_UNSUPPORTED, "reset vector is missing" },
		{ FM_ERR_UNSUPPORTED, "no hash table" },
		{ FM_ERR_UNSUPPORTED, "no kernel-hashes section" },
		{ FM_ERR_UNSUPPORTED, "no SEV metadata" },
		{ FM_ERR_ARG, "firmware: is missing" },
		{ FM_ERR_ARG, "variable store" },
		{ FM_ERR_ARG, "does not measure it" },
		{ FM_ERR_ARG, "was not read by" },
		{ FM_ERR_ARG, "expected those that ovmf" },
		{ FM_ERR_FORMAT, "SVSM entry" },
		{ FM_ERR_ARG, "VMM: gce is given with an SVSM" },
	};
	struct fm_ovmf given;

	for (unsigned i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		struct fm_sev_config c = launch(FM_SEV_SNP);
		struct fm_error err = { 0 };
		uint8_t out[48] = { 1, 2, 3 }, before[48] = { 1, 2, 3 };

		switch (i) {
		case 0:
			c.kind = (enum fm_sev_kind)0;
			break;
		case 1:
			c.vcpus = 0;
			break;
		case 2:
			c.vcpus = 1000000;
			break;
		case 3:
			c.cpu_sig = 0;
			break;
		case 4:
			c.vmm = FM_VMM_COUNT;
			break;
		case 5:
			c.guest_features = 0x20;
			break;
		case 6:
			c.initrd = "";
			break;
		case 7:
			c.append = "";
			break;
		case 8:
			ovmf_put(image + OVMF_RESET, 4, 0);
			break;
		case 9:
			image[OVMF_RESET + 6] ^= 1;
			break;
		case 10:
			c.kernel = "";
			ovmf_put(image + OVMF_HASHES, 8, 0);
			break;
		case 11:
			c.kernel = "";
			ovmf_section(image, 3, 0x80f000, 0x1000, 1);
			break;
		case 12:
			image[OVMF_SEV + 6] ^= 1;
			break;
		case 13:
			c.firmware = NULL;
			break;
		case 14:
			c.svsm = image;
			c.svsm_len = sizeof(image);
			c.vars_len = 100;
			break;
		case 15:
			c.svsm = image;
			c.kernel = "";
			break;
		case 16:
		case 17:
			assert_int_equal(fm_ovmf_parse(&given, NULL, image, OVMF_LEN, 0, 0, NULL),
					 0);
			c.ovmf = &given;
			if (i == 16)
				given.hashes_gpa = 0x80ff60;
			else
				c.firmware_len = 100;
			break;
		default:
			c.svsm = image;
			c.svsm_len = sizeof(image);
			c.vars_len = 0x1000;
			c.vmm = i == 18 ? FM_VMM_QEMU : FM_VMM_GCE;
			break;
		}
		assert_int_equal(fm_sev_measure(out, &c, &err), expected[i].code);
		if (!strstr(err.msg, expected[i].word))
			fail_msg("%u: %s", i, err.msg);
		assert_memory_equal(out, before, sizeof(out));
	}
}

static void one_vcpu_needs_no_reset_block(void **state)
{
	struct fm_sev_config c = launch(FM_SEV_SNP);
	uint8_t out[48];

	image[OVMF_RESET + 6] ^= 1;
	c.vcpus = 1;
	assert_int_equal(fm_sev_measure(out, &c, NULL), 0);
}

static void the_transcript_ends_in_the_digest(void **state)
{
	static const struct {
		enum fm_sev_kind kind;
		size_t steps;
	} rows[] = { { FM_SEV, 2 }, { FM_SEV_ES, 4 }, { FM_SEV_SNP, 4 + 9 + 1 + 1 + 1 + 15 + 2 } };

	for (unsigned i = 0; i < 3; i++) {
		struct fm_sev_config c = launch(rows[i].kind);
		const struct fm_measure_step *last;
		uint8_t out[48], alone[48];
		size_t len = i < 2 ? 32 : 48;

		c.kernel = "";
		assert_int_equal(fm_sev_measure(alone, &c, NULL), 0);
		assert_int_equal(fm_transcript_new(&c.transcript, NULL), 0);
		assert_int_equal(fm_sev_measure(out, &c, NULL), 0);
		assert_memory_equal(out, alone, len);
		assert_int_equal(fm_transcript_count(c.transcript), rows[i].steps);
		last = fm_transcript_step(c.transcript, rows[i].steps - 1);
		assert_int_equal(last->running_len, len);
		assert_memory_equal(last->running, out, len);
		fm_transcript_free(c.transcript);
	}
}

static void errors_that_the_host_has_in_libcrypto_stay_there(void **state)
{
	struct fm_sev_config c = launch(FM_SEV_SNP);
	uint8_t out[48];
	unsigned long mine;

	ERR_clear_error();
	ERR_raise(ERR_LIB_USER, 77);
	mine = ERR_peek_error();
	assert_int_equal(fm_sev_measure(out, &c, NULL), 0);
	c.vcpus = 0;
	assert_int_equal(fm_sev_measure(out, &c, NULL), FM_ERR_ARG);
	assert_int_equal(ERR_get_error(), mine);
	assert_int_equal(ERR_peek_error(), 0);
	c.vcpus = 2;
	assert_int_equal(fm_sev_measure(out, &c, NULL), 0);
	assert_int_equal(ERR_peek_error(), 0);
}

static void signatures_are_of_family_model_stepping(void **state)
{
	assert_int_equal(fm_vmsa_sig(23, 1, 2), 0x800f12);
	assert_int_equal(fm_vmsa_sig(25, 17, 0), 0xa10f10);
	assert_int_equal(fm_vmsa_sig(6, 1, 2), 0x612);
	assert_int_equal(fm_vmsa_cpu_sig("EPYC-Rome-v3"), fm_vmsa_sig(23, 49, 0));
	assert_int_equal(fm_vmsa_cpu_sig("EPYC-Turin"), fm_vmsa_sig(26, 0, 0));
	assert_int_equal(fm_vmsa_cpu_sig("epyc"), 0);
	assert_string_equal(fm_vmsa_cpu_name(15), "EPYC-Turin");
	assert_null(fm_vmsa_cpu_name(16));
	assert_int_equal(fm_vmsa_vmm_from_name("QEMU"), FM_VMM_QEMU);
	assert_int_equal(fm_vmsa_vmm_from_name("krun"), FM_VMM_COUNT);
}

static void profiles_differ_where_they_say(void **state)
{
	struct fm_vmsa_config c = { .struct_size = sizeof(c), .cpu_sig = 0x800f12 };
	uint8_t pages[FM_VMM_COUNT][4096];

	for (unsigned i = 0; i < FM_VMM_COUNT; i++) {
		c.vmm = (enum fm_vmm)i;
		assert_int_equal(fm_vmsa_page(pages[i], &c, NULL), 0);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(pages[i], pages[k], 4096);
	}
	/* Linux before 6.10 left the FPU's control words 0. */
	assert_int_equal(pages[FM_VMM_QEMU][0x409], 0x1f);
	assert_int_equal(pages[FM_VMM_QEMU_PRE_6_10][0x409], 0);
	c.vmm = FM_VMM_COUNT;
	assert_int_equal(fm_vmsa_page(pages[0], &c, NULL), FM_ERR_ARG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_launch_needs_no_firmware_when_its_digest_is_known),
		cmocka_unit_test(a_firmware_hashed_before_gives_the_same_digest),
		cmocka_unit_test(snp_is_the_chain_of_its_definition),
		cmocka_unit_test(the_command_line_counts_to_its_last_blank),
		cmocka_unit_test(what_cannot_be_launched_is_refused),
		cmocka_unit_test(one_vcpu_needs_no_reset_block),
		cmocka_unit_test(the_transcript_ends_in_the_digest),
		cmocka_unit_test(errors_that_the_host_has_in_libcrypto_stay_there),
		cmocka_unit_test(signatures_are_of_family_model_stepping),
		cmocka_unit_test(profiles_differ_where_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
