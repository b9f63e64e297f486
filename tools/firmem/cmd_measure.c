/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure: predicts what an encrypted guest's launch is measured as. */
#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/*
 * Numbers that are hexadecimal here are decimal there unless 0x says otherwise, so 33 becomes 0x21 in `room`. What
 * is no decimal number stays, to be complained about.
 */
static void from_decimal(char **value, char *room, size_t len)
{
	char *end;
	unsigned long long number;

	if (!(*value)[0] || strspn(*value, "0123456789") != strlen(*value))
		return;
	errno = 0;
	number = strtoull(*value, &end, 10);
	if (errno)
		return;
	snprintf(room, len, "0x%llx", number);
	*value = room;
}

/* sev-snp-measure's options with such numbers, as --name=VALUE where they have more than that in common. */
static void take_decimals(int argc, char **argv, char room[2][64])
{
	static const char *const names[2] = { "--guest-features", "--vcpu-sig" };

	for (int i = 0; i < argc; i++) {
		for (unsigned k = 0; k < 2; k++) {
			size_t n = strlen(names[k]);
			char number[32], *value = argv[i] + n + 1;

			if (strncmp(argv[i], names[k], n))
				continue;
			if (!argv[i][n] && i + 1 < argc) {
				from_decimal(&argv[i + 1], room[k], sizeof(room[k]));
			} else if (argv[i][n] == '=') {
				from_decimal(&value, number, sizeof(number));
				if (value != number)
					continue;
				snprintf(room[k], sizeof(room[k]), "%s=%s", names[k], number);
				argv[i] = room[k];
			}
		}
	}
}

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

	char room[2][64];

	take_decimals(argc, argv, room);
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
