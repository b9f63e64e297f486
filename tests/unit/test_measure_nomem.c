/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of a measurement fails once: it says so, gives no digest and leaks nothing. */
#include "tests/unit/nomem.h"

#include "fuzz/igvm_build.h"

#include <firmem/cca.h>
#include <firmem/eventlog.h>
#include <firmem/identify.h>
#include <firmem/igvm.h>
#include <firmem/loaded.h>
#include <firmem/pcr.h>
#include <firmem/tdx.h>

static uint8_t image[OVMF_LEN], igvm[IGVM_LEN];
static uint8_t out[FM_DIGEST_MAX];
static const uint8_t zeros[FM_DIGEST_MAX];
static struct fm_transcript *steps;

#define EACH(call)                                                     \
	do {                                                           \
		memset(out, 0, sizeof(out));                           \
		NOMEM_EACH(call, assert_memory_equal(out, zeros, 48)); \
	} while (0)

static int set_up(void **state)
{
	ovmf_build(image);
	igvm_build(igvm);
	return fm_transcript_new(&steps, NULL);
}

static int tear_down(void **state)
{
	fm_transcript_free(steps);
	return 0;
}

static void of_amd(void **state)
{
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = FM_SEV_SNP, .vcpus = 2 };
	struct fm_identify_config i = { .struct_size = sizeof(i), .launch = &c };
	struct fm_identified found;

	c.firmware = image;
	c.firmware_len = OVMF_LEN;
	c.cpu_sig = 0x800f12;
	c.kernel = "";
	c.transcript = steps;
	EACH(fm_sev_measure(out, &c, NULL));
	i.digest = out;
	i.digest_len = 48;
	NOMEM_EACH(fm_identify_launch(&found, &i, NULL), (void)0);
	c.kind = FM_SEV_ES;
	EACH(fm_sev_measure(out, &c, NULL));
	i.digest_len = 32;
	NOMEM_EACH(fm_identify_launch(&found, &i, NULL), (void)0);
	EACH(fm_sev_firmware(out, image, OVMF_LEN, steps, NULL));
}

static void of_tdx_and_igvm(void **state)
{
	struct fm_tdx_config c = { .struct_size = sizeof(c), .firmware = image };
	struct fm_igvm_config f = { .struct_size = sizeof(f), .bytes = igvm, .len = IGVM_LEN };
	struct fm_igvm_report report;

	c.firmware_len = OVMF_LEN;
	c.transcript = steps;
	EACH(fm_tdx_mrtd(out, &c, NULL));
	f.transcript = steps;
	for (unsigned p = FM_IGVM_SNP; p <= FM_IGVM_TDX; p++) {
		f.platform = (enum fm_igvm_platform)p;
		NOMEM_EACH(fm_igvm_measure(&report, &f, NULL), (void)0);
	}
}

static void of_realms(void **state)
{
	struct fm_cca_launch c = { .struct_size = sizeof(c), .memory = 8u << 20 };

	c.firmware = (struct fm_cca_image){ image, OVMF_LEN };
	c.dtb = (struct fm_cca_image){ image, 100 };
	c.transcript = steps;
	EACH(fm_cca_measure(out, &c, NULL));
}

static void of_logs_and_variables(void **state)
{
	static const uint8_t log[] = {
		[4] = 3,  [28] = 33, [32] = 'S', 'p',      'e',      'c',       ' ',
		'I',      'D',       ' ',        'E',      'v',      'e',       'n',
		't',      '0',       '3',        [56] = 1, [60] = 4, [62] = 20, [65] = 1,
		[69] = 1, [73] = 1,  [77] = 4,   [99] = 0, [102] = 0
	};
	struct fm_pcr_secure_boot c = { .struct_size = sizeof(c), .transcript = steps };
	struct fm_eventlog *l = NULL;

	NOMEM_EACH(fm_eventlog_parse(&l, NULL, log, sizeof(log), NULL), assert_null(l));
	assert_int_equal(fm_eventlog_count(l), 1);
	EACH(fm_eventlog_replay(l, 1, FM_DIGEST_SHA1, out, steps, NULL));
	fm_eventlog_free(l);
	EACH(fm_pcr_secure_boot(out, FM_DIGEST_SHA256, &c, NULL));
}

static void of_transcripts(void **state)
{
	struct fm_transcript *again = NULL;
	char *text = NULL;
	size_t len;

	NOMEM_EACH(fm_transcript_text(steps, &text, &len, NULL), assert_null(text));
	NOMEM_EACH(fm_transcript_parse(&again, "t", text, len, NULL), assert_null(again));
	fm_transcript_free(again);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_amd),         cmocka_unit_test(of_tdx_and_igvm),
		cmocka_unit_test(of_realms),      cmocka_unit_test(of_logs_and_variables),
		cmocka_unit_test(of_transcripts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
