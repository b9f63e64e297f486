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
	{ "idblock", "make, sign and check the ID block of a SEV-SNP launch", measure_idblock },
	{ "tdx", "MRTD of an Intel TDX guest", measure_tdx },
	{ "rtmr", "what a TDX guest's log replays to", measure_rtmr },
	{ "pcr", "a PCR of a TPM, from a log or the variables", measure_pcr },
	{ "cca", "the RIM of an Arm CCA realm", measure_cca },
	{ "rem", "extend a measurement of an Arm CCA realm", measure_rem },
	{ "igvm", "the launch digest of a guest from an IGVM file", measure_igvm },
	{ "identify", "which AMD launch yields a digest", measure_identify },
	{ "diff", "the first step in which two transcripts part", measure_diff },
	{ NULL },
};

/* --- sev-snp-measure's command line: --mode instead of a verb -------------------------------- */

#define NUMBERS 2 /* options whose numbers are read in another way there */

/* A number as Python has it: decimal but for 0x, 0o or 0b before it, and then without zeros before it. */
static bool python_number(const char *text, unsigned long long *number)
{
	static const struct {
		char letter;
		int base;
		const char *digits;
	} bases[] = { { 'x', 16, "0123456789abcdefABCDEF" },
		      { 'o', 8, "01234567" },
		      { 'b', 2, "01" } };
	const char *digits = "0123456789";
	int base = 10;

	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		if (text[0] == '0' && (text[1] | 0x20) == bases[i].letter) {
			base = bases[i].base;
			digits = bases[i].digits;
			text += 2;
			break;
		}
	}
	if (!*text || strspn(text, digits) != strlen(text) ||
	    (base == 10 && text[0] == '0' && text[1]))
		return false;
	errno = 0;
	*number = strtoull(text, NULL, base);
	return !errno;
}

/* The number of the option at argv[i] in hexadecimal, as it is read here, in `room`. */
static bool take_number(int argc, char **argv, int i, const char *name, char room[64])
{
	size_t n = strlen(name);
	const char *value = argv[i][n] ? argv[i] + n + 1 : i + 1 < argc ? argv[i + 1] : "";
	unsigned long long number;

	if (!python_number(value, &number)) {
		complain("measure: %s: \"%.40s\", expected with --mode a number below 2^64 such as "
			 "33 or 0x21",
			 name, value);
		return false;
	}
	if (argv[i][n]) {
		snprintf(room, 64, "%s=0x%llx", name, number);
		argv[i] = room;
	} else {
		snprintf(room, 64, "0x%llx", number);
		argv[i + 1] = room;
	}
	return true;
}

/* Is it --name, or --name=VALUE? */
static bool is_option(const char *word, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(word, name, n) && (!word[n] || word[n] == '=');
}

/* The word behind argv[i] and its text: a command line may look like an option. */
static int next_word(char **argv, int i)
{
	return i + (strcmp(argv[i], "--append") ? 1 : 2);
}

static bool take_numbers(int argc, char **argv, char room[NUMBERS][64])
{
	static const char *const names[NUMBERS] = { "--guest-features", "--vcpu-sig" };

	for (int i = 0; i < argc; i = next_word(argv, i)) {
		for (unsigned k = 0; k < NUMBERS; k++) {
			if (is_option(argv[i], names[k]) &&
			    !take_number(argc, argv, i, names[k], room[k]))
				return false;
		}
	}
	return true;
}

static int find_option(int argc, char **argv, const char *name)
{
	for (int i = 0; i < argc; i = next_word(argv, i)) {
		if (is_option(argv[i], name))
			return i;
	}
	return -1;
}

/* Take out the option at argv[i], with its value if it has one. */
static int drop(int argc, char **argv, int i, bool has_value)
{
	int used = !has_value || strchr(argv[i], '=') || i + 1 == argc ? 1 : 2;

	memmove(argv + i, argv + i + used, (size_t)(argc - i - used) * sizeof(*argv));
	return argc - used;
}

/* Of a launch's options the firmware alone counts: scripts give all of them in each mode. */
static enum status ovmf_hash(int argc, char **argv)
{
	static const char *const others[] = {
		"--dump-vmsa", /* the one without a value */
		"--vcpus",      "--vcpu-type", "--vcpu-sig",      "--vcpu-family",
		"--vcpu-model", "--vmm-type",  "--vcpu-stepping", "--guest-features",
		"--kernel",     "--initrd",    "--append",        "--snp-ovmf-hash",
		"--svsm",       "--vars-size", "--vars-file",
	};

	for (size_t k = 0; k < sizeof(others) / sizeof(*others); k++) {
		int i = find_option(argc, argv, others[k]);

		if (i >= 0)
			argc = drop(argc, argv, i, k > 0);
	}
	return measure_ovmf_hash(argc, argv);
}

/* Either alone would be another digest than there: without the SVSM, or with one that it leaves out. */
static enum status with_svsm(int argc, char **argv)
{
	if (find_option(argc, argv, "--svsm") < 0)
		return complain("measure: --svsm: is missing, expected it with --mode snp:svsm");
	return measure_snp(argc, argv);
}

static enum status without_svsm(int argc, char **argv)
{
	if (find_option(argc, argv, "--svsm") >= 0)
		return complain("measure: --svsm: is given, expected --mode snp:svsm with it");
	return measure_snp(argc, argv);
}

static enum status bare(int argc, char **argv)
{
	static const struct {
		const char *mode;
		enum status (*run)(int argc, char **argv);
	} modes[] = {
		{ "sev", measure_sev },    { "seves", measure_seves },     { "snp", without_svsm },
		{ "snp:svsm", with_svsm }, { "snp:ovmf-hash", ovmf_hash },
	};
	int i = find_option(argc, argv, "--mode");
	static char room[NUMBERS][64]; /* argv's from now on */
	const char *mode;

	if (i < 0 || (!argv[i][6] && i + 1 == argc))
		return complain("measure: \"%.40s\": expected a verb before it, or --mode; see "
				"\"firmem measure --help\"",
				argv[0]);
	if (!take_numbers(argc, argv, room))
		return STATUS_BAD;
	mode = argv[i][6] ? argv[i] + 7 : argv[i + 1];
	argc = drop(argc, argv, i, true);
	for (size_t k = 0; k < sizeof(modes) / sizeof(*modes); k++) {
		if (!strcmp(mode, modes[k].mode))
			return modes[k].run(argc, argv);
	}
	return complain("measure: --mode: \"%.40s\", expected sev, seves, snp, snp:svsm or "
			"snp:ovmf-hash",
			mode);
}

const struct command command_measure = {
	"measure",
	"Predict what an encrypted guest's launch is measured as.",
	verbs,
	bare,
};
