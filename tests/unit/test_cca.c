/* SPDX-License-Identifier: BSD-2-Clause */
/* Realms: RIMs that others computed, and what is refused. */
#include "tests/unit/unit.h"

#include <firmem/cca.h>

static void assert_rim(const struct fm_cca *c, const char *hex)
{
	uint8_t rim[FM_CCA_LEN], zero[32] = { 0 };
	char text[129];

	fm_cca_rim(c, rim);
	assert_string_equal(fm_digest_hex(text, rim, 32), hex);
	assert_memory_equal(rim + 32, zero, 32);
}

/* cca-realm-measurements: test_rim of its realm_config.rs. */
static void a_new_realm_is_the_digest_of_its_parameters(void **state)
{
	struct fm_cca_realm r = { .struct_size = sizeof(r), .bps = 2, .wps = 2 };
	struct fm_cca *c;
	uint8_t rim[FM_CCA_LEN];
	char text[129];

	assert_int_equal(fm_cca_new(&c, &r, NULL, NULL), 0);
	assert_rim(c, "6739dfb22b75ee1268d08dfa8369f501bc0b066243553f069f560d1fa1172973");
	fm_cca_free(c);
	r.hash = FM_DIGEST_SHA512;
	assert_int_equal(fm_cca_new(&c, &r, NULL, NULL), 0);
	fm_cca_rim(c, rim);
	fm_digest_hex(text, rim, 64);
	assert_memory_equal(text, "799e434048fb57eb9d4f0e2a2b981587", 32);
	fm_cca_free(c);
	fm_cca_free(NULL);
}

/* Of Debian's QEMU_EFI.fd, operation by operation: cca-realm-measurements' realm.rs. */
struct known {
	unsigned s2sz;
	bool lpa2;
	unsigned sve;
	bool pmu;
	unsigned counters;
	uint64_t ram;
	const char *create, *ripas, *fw, *rec, *unmeasured;
};

static const struct known rows[] = {
	{ 48, false, 0, false, 0, 0x20000000,
	  "8960d56826370aaa6fc9b3a041d4240689582ba41e2ad8bb8f9adf6d2a0cd5e7",
	  "f18fa1756647dae5fd7458a8998eeba9b6e901256feeaa6f7332289bdb4f98ac",
	  "979eed5f3b06468dc9c7f1e9df4a590bf1ca85dfeaedd5f5cee745790c76ee61",
	  "251f5da210ddc590cce389a832a4e2d047ee70f9ec355df2df0463843762f24b",
	  "442afd37bbfcd16f64ef9fc13da027686993b0853385b92ec6c654eef3bc2955" },
	{ 41, false, 512, true, 6, 0x100300000,
	  "5d96a9ab097a40dcc165aa608964b332e27dc3dee3d22cc5754fbc45876ecb67",
	  "6477aae9e3df62295be657ae918ed4e26f3e6c911e6352cac2284bd6478a3438",
	  "b648106a3e88879ed506750477d70c988686c3ff96f233c95a07c1a097bbe87a",
	  "173fc688a8a3f27ecd36adc046f5bb0f88ee14f2d1bafae3b590d7b328672d93",
	  "6751dc04d5df84d96af0e7697b99ee858fa6baba61b5cc373efb154220a77883" },
	{ 52, true, 2048, true, 6, 0x80000000,
	  "5fcd69657470ce15e1bce7fc721c2a84593a17811e84ce88ec269498779dc52a",
	  "4e2fe485f2b78e7a714fce0efe7357be907e78951e7ad83d532fa401519050c8",
	  "50335ca9957a557cc525b24c4b512beac007c7b4d5351dcc6f786157bc7b48ce",
	  "7397519a41e33a8e3af8e3b5ae8c4b9efe2453bde1eb90decc3f982000160d28",
	  "947c267b7fb38b31acd559d0bba2d8d3cb4eea369c6ffc25e46bab839e4790d1" },
	{ 40, false, 128, false, 0, 0x10000000,
	  "f3e191ed74ef06fde5851b3fb17a7a711e34216f4d940f97536d9070bfe1e123",
	  "5d4f231858708af9e1b877114ecf076ba706b2564bbe09756625f890d4cd07ed",
	  "069f04e9485f4a20bcfdd0eca1685faa53800bdaededd2d0e2319ed6dbd9c88d",
	  "05a42f5c810afb7546f2a70349283b59c96e85031590467f2b6409a291ce3643",
	  "b8104f07415f72adfbd2ffb06d6f0f7eaee0cb0d20eeb3e6f33420bd71091dae" },
};

static uint8_t dtb[8192];
static uint8_t *firmware;
static size_t firmware_len;

static bool load_firmware(void)
{
	FILE *file = fopen("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "rb");
	uint8_t sum[32];
	char text[65];

	for (unsigned i = 0; i < sizeof(dtb); i++)
		dtb[i] = (uint8_t)(3 * i + 1);
	if (!file)
		return false;
	firmware = malloc(4 << 20);
	firmware_len = fread(firmware, 1, 4 << 20, file);
	fclose(file);
	assert_int_equal(fm_digest_bytes(FM_DIGEST_SHA256, firmware, firmware_len, sum, NULL), 0);
	return !strcmp(fm_digest_hex(text, sum, 32),
		       "1794df260f8a1b1c938b5cee48f277327d8ce901a07ff44d2cd86ca043dae96a");
}

static struct fm_cca_realm realm_of(const struct known *k)
{
	struct fm_cca_realm r = { .struct_size = sizeof(r), .s2sz = k->s2sz, .lpa2 = k->lpa2 };

	r.sve_vl = k->sve;
	r.pmu = k->pmu;
	r.pmu_ctrs = k->counters;
	return r;
}

static void each_operation_gives_what_the_rmm_has(void **state)
{
	const uint64_t gprs[8] = { 0x40000000 };

	if (!load_firmware()) {
		print_message("skipped: no such QEMU_EFI.fd of qemu-efi-aarch64 here\n");
		free(firmware);
		skip();
	}
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct known *k = &rows[i];
		struct fm_cca_realm r = realm_of(k);
		struct fm_cca_launch l = { .struct_size = sizeof(l) };
		uint8_t rim[FM_CCA_LEN], whole[FM_CCA_LEN];
		struct fm_cca *c;

		assert_int_equal(fm_cca_new(&c, &r, NULL, NULL), 0);
		assert_rim(c, k->create);
		assert_int_equal(fm_cca_ripas(c, 0x40000000, 0x40000000 + k->ram, NULL), 0);
		assert_rim(c, k->ripas);
		assert_int_equal(fm_cca_data(c, 0, firmware, firmware_len, "firmware", NULL), 0);
		assert_rim(c, k->fw);
		assert_int_equal(fm_cca_data(c, 0x40000000, dtb, sizeof(dtb), "dtb", NULL), 0);
		assert_int_equal(fm_cca_rec(c, 0, gprs, NULL), 0);
		assert_rim(c, k->rec);
		assert_int_equal(fm_cca_unmeasured(c, 0x40100000, 0x10000, "log", NULL), 0);
		assert_rim(c, k->unmeasured);
		fm_cca_rim(c, rim);
		fm_cca_free(c);
		/* QEMU's layout is just that. */
		l.realm = r;
		l.realm.hash = FM_DIGEST_SHA256;
		l.memory = k->ram;
		l.firmware = (struct fm_cca_image){ firmware, firmware_len };
		l.dtb = (struct fm_cca_image){ dtb, sizeof(dtb) };
		l.log = true;
		assert_int_equal(fm_cca_measure(whole, &l, NULL), 0);
		assert_memory_equal(whole, rim, FM_CCA_LEN);
	}
	free(firmware);
}

static void data_that_is_no_whole_granules_has_zeros_around_it(void **state)
{
	struct fm_cca_realm r = { .struct_size = sizeof(r) };
	uint8_t page[8192] = { 0 }, a[FM_CCA_LEN], b[FM_CCA_LEN];
	struct fm_cca *c;

	memset(page + 100, 0x5a, 5000);
	assert_int_equal(fm_cca_new(&c, &r, NULL, NULL), 0);
	assert_int_equal(fm_cca_data(c, 0x5000, page, 8192, "x", NULL), 0);
	fm_cca_rim(c, a);
	fm_cca_free(c);
	assert_int_equal(fm_cca_new(&c, &r, NULL, NULL), 0);
	assert_int_equal(fm_cca_data(c, 0x5064, page + 100, 5000, "x", NULL), 0);
	fm_cca_rim(c, b);
	fm_cca_free(c);
	assert_memory_equal(a, b, FM_CCA_LEN);
}

static void ram_is_measured_in_the_largest_blocks_that_are_aligned(void **state)
{
	static const uint64_t gpas[] = { 0x1ff000, 0x200000, 0x400000 };
	static const uint64_t lens[] = { 0x1000, 0x200000, 0x1000 };
	struct fm_cca_realm r = { .struct_size = sizeof(r) };
	struct fm_transcript *t;
	struct fm_cca *c;

	assert_int_equal(fm_transcript_new(&t, NULL), 0);
	assert_int_equal(fm_cca_new(&c, &r, t, NULL), 0);
	assert_int_equal(fm_cca_ripas(c, 0x1ff000, 0x401000, NULL), 0);
	assert_int_equal(fm_transcript_count(t), 4);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fm_transcript_step(t, 1 + i)->gpa, gpas[i]);
		assert_int_equal(fm_transcript_step(t, 1 + i)->len, lens[i]);
	}
	fm_cca_free(c);
	fm_transcript_free(t);
}

static void parameters_out_of_their_domain_are_refused(void **state)
{
	static const struct fm_cca_realm bad[] = {
		{ sizeof(*bad), .hash = FM_DIGEST_SHA384 },
		{ sizeof(*bad), .s2sz = 31 },
		{ sizeof(*bad), .s2sz = 49 },
		{ sizeof(*bad), .s2sz = 53, .lpa2 = true },
		{ sizeof(*bad), .sve_vl = 129 },
		{ sizeof(*bad), .sve_vl = 2176 },
		{ sizeof(*bad), .pmu_ctrs = 1 },
		{ sizeof(*bad), .pmu = true, .pmu_ctrs = 32 },
		{ sizeof(*bad), .bps = 1 },
		{ sizeof(*bad), .wps = 65 },
	};
	struct fm_cca_realm r = { .struct_size = sizeof(r), .s2sz = 40 };
	struct fm_cca *c = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (fm_cca_new(&c, &bad[i], NULL, NULL) != FM_ERR_ARG)
			fail_msg("row %zu is taken", i);
	}
	assert_null(c);
	assert_int_equal(fm_cca_new(&c, &r, NULL, NULL), 0);
	assert_int_equal(fm_cca_ripas(c, 0x1000, 0x1000, NULL), FM_ERR_ARG);
	assert_int_equal(fm_cca_ripas(c, 0x1800, 0x3000, NULL), FM_ERR_ARG);
	assert_int_equal(fm_cca_ripas(c, 0, UINT64_C(1) << 40, NULL), FM_ERR_ARG);
	assert_int_equal(fm_cca_data(c, UINT64_MAX, dtb, 2, "x", NULL), FM_ERR_ARG);
	assert_int_equal(fm_cca_data(c, 0, dtb, 0, "x", NULL), FM_ERR_ARG);
	assert_int_equal(fm_cca_unmeasured(c, 1, 4096, "x", NULL), FM_ERR_ARG);
	fm_cca_free(c);
}

static uint8_t kernel[8192] = { [57] = 'R' };

static struct fm_cca_launch direct(enum fm_cca_vmm vmm)
{
	struct fm_cca_launch l = { .struct_size = sizeof(l), .vmm = vmm, .memory = 512 << 20 };

	memcpy(kernel + 56, "ARM\x64", 4);
	l.kernel = (struct fm_cca_image){ kernel, sizeof(kernel) };
	l.dtb = (struct fm_cca_image){ dtb, sizeof(dtb) };
	return l;
}

static void images_lie_where_their_vmm_puts_them(void **state)
{
	static const struct {
		uint64_t kernel, initrd, dtb, pc;
		size_t data; /* granules */
	} rows_[] = {
		{ 0x40000000, 0x48000000, 0x48200000, 0x40000000, 2 + 2 + 2 },
		{ 0x80000000, 0x8fdfebd0, 0x8fe00000, 0x80000000, 2 + 2 + 16 },
		{ 0x40400000, 0x5fffe000, 0x40000000, 0x40400000, 2 + 2 + 2 },
	};

	for (unsigned v = 0; v < FM_CCA_VMM_COUNT; v++) {
		struct fm_cca_launch l = direct((enum fm_cca_vmm)v);
		uint8_t rim[FM_CCA_LEN];
		size_t data = 0;

		l.initrd = (struct fm_cca_image){ dtb, 5164 };
		assert_int_equal(fm_transcript_new(&l.transcript, NULL), 0);
		assert_int_equal(fm_cca_measure(rim, &l, NULL), 0);
		for (size_t i = 0; i < fm_transcript_count(l.transcript); i++) {
			const struct fm_measure_step *s = fm_transcript_step(l.transcript, i);
			const struct fm_measure_step *before = i ? s - 1 : s;

			data += !strcmp(s->what, "data");
			if (!strcmp(s->part, before->part))
				continue;
			if (!strcmp(s->part, "kernel"))
				assert_int_equal(s->gpa, rows_[v].kernel);
			if (!strcmp(s->part, "initrd"))
				assert_int_equal(s->gpa, rows_[v].initrd & ~UINT64_C(0xfff));
			if (!strcmp(s->part, "dtb"))
				assert_int_equal(s->gpa, rows_[v].dtb);
			if (!strcmp(s->what, "rec-create"))
				assert_int_equal(s->gpa, rows_[v].pc);
		}
		assert_int_equal(data, rows_[v].data);
		fm_transcript_free(l.transcript);
	}
}

static void the_log_lies_where_its_vmm_puts_it(void **state)
{
	static const uint64_t gpas[] = { 0x48300000, 0x8fff0000 };

	for (unsigned v = 0; v < 2; v++) {
		struct fm_cca_launch l = direct((enum fm_cca_vmm)v);
		uint8_t rim[FM_CCA_LEN];
		const struct fm_measure_step *s;

		l.log = true;
		l.initrd = (struct fm_cca_image){ dtb, 5164 };
		assert_int_equal(fm_transcript_new(&l.transcript, NULL), 0);
		assert_int_equal(fm_cca_measure(rim, &l, NULL), 0);
		s = fm_transcript_step(l.transcript, fm_transcript_count(l.transcript) - 16);
		assert_string_equal(s->what, "data-unmeasured");
		assert_int_equal(s->gpa, gpas[v]);
		fm_transcript_free(l.transcript);
	}
}

static void launches_that_cannot_be_are_refused(void **state)
{
	for (unsigned i = 0; i < 11; i++) {
		struct fm_cca_launch l = direct(FM_CCA_QEMU);
		int expected = FM_ERR_ARG;
		uint8_t rim[FM_CCA_LEN];
		struct fm_error err = { 0 };

		switch (i) {
		case 0:
			l.vmm = FM_CCA_VMM_COUNT;
			break;
		case 1:
			l.memory = 0;
			break;
		case 2:
			l.memory = (512 << 20) + 1;
			break;
		case 3:
			l.kernel.bytes = NULL;
			break;
		case 4:
			l.dtb.bytes = NULL;
			break;
		case 5:
			l.vmm = FM_CCA_CLOUD_HYPERVISOR;
			l.kernel.bytes = NULL;
			l.firmware = l.dtb;
			break;
		case 6:
			l.initrd = l.kernel;
			l.kernel.bytes = NULL;
			l.firmware = l.dtb;
			break;
		case 7:
			kernel[56] = 'X';
			expected = FM_ERR_FORMAT;
			break;
		case 8:
			l.kernel.len = 63;
			expected = FM_ERR_FORMAT;
			break;
		case 9:
			l.memory = 4 << 20;
			l.dtb.len = 0;
			break;
		default:
			l.memory = 4 << 20;
			l.vmm = FM_CCA_CLOUD_HYPERVISOR;
			expected = FM_ERR_RANGE;
			break;
		}
		if (fm_cca_measure(rim, &l, &err) != expected)
			fail_msg("row %u: %d %s", i, err.code, err.msg);
	}
}

static void a_rem_is_extended_by_up_to_64_bytes(void **state)
{
	uint8_t rem[FM_CCA_LEN] = { 0 }, expected[FM_CCA_LEN] = { 0 };

	assert_int_equal(fm_cca_extend(FM_DIGEST_SHA256, rem, "abc", 3, NULL), 0);
	assert_int_equal(fm_digest_extend(FM_DIGEST_SHA256, expected, "abc", 3, NULL), 0);
	assert_memory_equal(rem, expected, FM_CCA_LEN);
	assert_int_equal(fm_cca_extend(FM_DIGEST_SHA256, rem, "", 0, NULL), FM_ERR_ARG);
	assert_int_equal(fm_cca_extend(FM_DIGEST_SHA256, rem, dtb, 65, NULL), FM_ERR_ARG);
	assert_int_equal(fm_cca_extend(FM_DIGEST_SHA384, rem, dtb, 6, NULL), FM_ERR_ARG);
	assert_memory_equal(rem, expected, FM_CCA_LEN);
	assert_string_equal(fm_cca_vmm_name(FM_CCA_KVMTOOL), "kvmtool");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_realm_is_the_digest_of_its_parameters),
		cmocka_unit_test(each_operation_gives_what_the_rmm_has),
		cmocka_unit_test(data_that_is_no_whole_granules_has_zeros_around_it),
		cmocka_unit_test(ram_is_measured_in_the_largest_blocks_that_are_aligned),
		cmocka_unit_test(parameters_out_of_their_domain_are_refused),
		cmocka_unit_test(images_lie_where_their_vmm_puts_them),
		cmocka_unit_test(the_log_lies_where_its_vmm_puts_it),
		cmocka_unit_test(launches_that_cannot_be_are_refused),
		cmocka_unit_test(a_rem_is_extended_by_up_to_64_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
