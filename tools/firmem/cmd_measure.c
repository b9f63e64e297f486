/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure: predicts what an encrypted guest's launch is measured as. */
#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <string.h>

static const struct verb verbs[] = {
	{ "sev", "the launch digest of an AMD SEV guest", measure_sev },
	{ "seves", "the launch digest of an AMD SEV-ES guest", measure_seves },
	{ "snp", "the launch digest of an AMD SEV-SNP guest", measure_snp },
	{ "ovmf-hash", "the digest of a firmware's pages, for snp --ovmf-hash", measure_ovmf_hash },
	{ "vmsa", "the initial state of an encrypted vCPU", measure_vmsa },
	{ "hmac", "what SEV's LAUNCH_MEASURE returns", measure_hmac },
	{ "idblock", "makes, signs and checks the ID block of a SEV-SNP launch", measure_idblock },
	{ "tdx", "MRTD of an Intel TDX guest", measure_tdx },
	{ "rtmr", "what a TDX guest's log replays to", measure_rtmr },
	{ "pcr", "a PCR of a TPM, from a log or the variables", measure_pcr },
	{ "cca", "the RIM of an Arm CCA realm", measure_cca },
	{ "rem", "extends a measurement of an Arm CCA realm", measure_rem },
	{ "igvm", "the launch digest of a guest from an IGVM file", measure_igvm },
	{ "identify", "which AMD launch yields a digest", measure_identify },
	{ "diff", "the first step in which two transcripts part", measure_diff },
	{ NULL },
};

/* sev-snp-measure's command line: --mode instead of a verb. */
static enum status bare(int argc, char **argv)
{
	static const struct {
		const char *mode;
		enum status (*run)(int argc, char **argv);
	} modes[] = {
		{ "sev", measure_sev },
		{ "seves", measure_seves },
		{ "snp", measure_snp },
		{ "snp:svsm", measure_snp },
		{ "snp:ovmf-hash", measure_ovmf_hash },
	};

	for (int i = 0; i < argc; i++) {
		const char *mode;
		int used = 2;

		if (!strcmp(argv[i], "--mode") && i + 1 < argc) {
			mode = argv[i + 1];
		} else if (!strncmp(argv[i], "--mode=", 7)) {
			mode = argv[i] + 7;
			used = 1;
		} else {
			continue;
		}
		memmove(argv + i, argv + i + used, (size_t)(argc - i - used) * sizeof(*argv));
		for (size_t k = 0; k < sizeof(modes) / sizeof(*modes); k++) {
			if (!strcmp(mode, modes[k].mode))
				return modes[k].run(argc - used, argv);
		}
		return complain("measure: --mode: \"%.40s\", expected sev, seves, snp, snp:svsm or "
				"snp:ovmf-hash",
				mode);
	}
	return complain("measure: \"%.40s\": expected a verb before it, or --mode; see \"firmem "
			"measure --help\"",
			argv[0]);
}

const struct command command_measure = {
	"measure",
	"Predicts what an encrypted guest's launch is measured as.",
	verbs,
	bare,
};
