/* SPDX-License-Identifier: BSD-2-Clause */
/* Digests of launches lead back to the launches. */
#include "tests/unit/unit.h"

#include "fuzz/ovmf_build.h"

#include <firmem/identify.h>

static uint8_t image[OVMF_LEN];

static struct fm_sev_config launch(enum fm_sev_kind kind)
{
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = kind, .firmware = image };

	c.firmware_len = OVMF_LEN;
	return c;
}

static int search(struct fm_identified *found, const struct fm_sev_config *c, const uint8_t *digest,
		  const uint64_t *features, size_t count, struct fm_error *err)
{
	struct fm_identify_config i = { .struct_size = sizeof(i), .digest = digest, .launch = c };

	i.digest_len = c->kind == FM_SEV_SNP ? 48 : 32;
	i.features = features;
	i.feature_count = count;
	return fm_identify_launch(found, &i, err);
}

static void every_kind_of_launch_is_found(void **state)
{
	static const struct {
		enum fm_sev_kind kind;
		enum fm_vmm vmm;
		uint32_t vcpus, sig;
		uint64_t features;
		bool kernel;
	} rows[] = {
		{ FM_SEV, FM_VMM_QEMU, 0, 0, 0, true },
		{ FM_SEV_ES, FM_VMM_QEMU, 1, 0x800f12, 0, false },
		{ FM_SEV_ES, FM_VMM_GCE, 512, 0, 0, true },
		{ FM_SEV_SNP, FM_VMM_QEMU, 1, 0x800f12, 1, false },
		{ FM_SEV_SNP, FM_VMM_QEMU_PRE_6_10, 3, 0xb00f00, 0x21, true },
		{ FM_SEV_SNP, FM_VMM_EC2, 512, 0, 0x29, false },
		{ FM_SEV_SNP, FM_VMM_EC2_LEGACY, 7, 0, 1, true },
		{ FM_SEV_SNP, FM_VMM_GCE, 2, 0, 0x21, false },
		{ FM_SEV_SNP, FM_VMM_QEMU, 5, 0x123450, 1, false },
	};
	static const uint64_t more[] = { 0x29, 1 };

	ovmf_build(image);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fm_sev_config c = launch(rows[i].kind);
		struct fm_identified f;
		uint8_t digest[48];

		c.vmm = rows[i].vmm;
		c.vcpus = rows[i].vcpus;
		c.cpu_sig = rows[i].sig;
		c.guest_features = rows[i].features;
		c.kernel = rows[i].kernel ? "" : NULL;
		assert_int_equal(fm_sev_measure(digest, &c, NULL), 0);
		c.vmm = (enum fm_vmm)77; /* it is not looked at */
		if (rows[i].sig != 0x123450)
			c.cpu_sig = 0;
		assert_int_equal(search(&f, &c, digest, more, 2, NULL), 0);
		assert_int_equal(f.kind, rows[i].kind);
		assert_int_equal(f.vmm, rows[i].vmm);
		assert_int_equal(f.vcpus, rows[i].vcpus);
		assert_int_equal(f.cpu_sig, rows[i].sig);
		assert_int_equal(f.guest_features, rows[i].features);
	}
}

static void what_no_launch_yields_is_not_found(void **state)
{
	struct fm_sev_config c = launch(FM_SEV_SNP);
	struct fm_identified f = { .vcpus = 9 };
	struct fm_error err = { 0 };
	uint8_t digest[48];

	ovmf_build(image);
	c.vcpus = 513;
	c.cpu_sig = 0x800f12;
	assert_int_equal(fm_sev_measure(digest, &c, NULL), 0);
	assert_int_equal(search(&f, &c, digest, NULL, 0, &err), FM_ERR_NOT_FOUND);
	/* (2 QEMUs x 5 CPUs + 3 others) x 2 features x 512 */
	assert_non_null(strstr(err.msg, "none of 13312 launches"));
	/* Without a reset vector there is one vCPU. */
	ovmf_put(image + OVMF_RESET, 4, 0);
	assert_int_equal(search(&f, &c, digest, NULL, 0, &err), FM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "none of 26 launches"));
	assert_int_equal(f.vcpus, 9);
}

static void questions_are_checked(void **state)
{
	static const uint64_t without = 0x20;
	uint64_t many[17];
	struct fm_sev_config c = launch(FM_SEV_SNP);
	struct fm_identify_config i = { .struct_size = sizeof(i), .digest = image, .launch = &c };
	struct fm_identified f;

	ovmf_build(image);
	i.digest_len = 47;
	assert_int_equal(fm_identify_launch(&f, &i, NULL), FM_ERR_ARG);
	assert_int_equal(search(&f, &c, image, &without, 1, NULL), FM_ERR_ARG);
	for (unsigned k = 0; k < 17; k++)
		many[k] = 0x101 + 2 * k;
	assert_int_equal(search(&f, &c, image, many, 16, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(search(&f, &c, image, many, 17, NULL), FM_ERR_ARG);
	image[OVMF_META] = 0;
	assert_int_equal(search(&f, &c, image, NULL, 0, NULL), FM_ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_launch_is_found),
		cmocka_unit_test(what_no_launch_yields_is_not_found),
		cmocka_unit_test(questions_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
