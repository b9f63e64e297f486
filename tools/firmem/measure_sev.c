/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure sev, seves, snp: the launch digest of AMD guests. */
#include "tools/firmem/measure_sev.h"

#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX 40

/* --- names --------------------------------------------------------------------------------- */

/* The first that has the word in it, in any case; "Milan" is EPYC-Milan. */
static const char *containing(const char *word, const char *const *names)
{
	for (; *names; names++) {
		if (strlen(word) > 2 && strcasestr(*names, word))
			return *names;
	}
	return NULL;
}

/* "A, B or C": the names that `word` may have been meant to be. */
static void nearest(const char *word, const char **names, char *text, size_t len)
{
	const char *found[3] = { NULL };
	size_t n = 0;

	for (; n < 3; n++) {
		found[n] = containing(word, names);
		if (!found[n])
			found[n] = args_nearest(word, names);
		if (!found[n])
			break;
		/* Not this one again. */
		for (const char **at = names; *at; at++) {
			if (*at == found[n])
				*at = "";
		}
	}
	text[0] = '\0';
	for (size_t i = 0, at = 0; i < n && at < len; i++)
		at += (size_t)snprintf(text + at, len - at, "%s%s",
				       !i           ? ""
				       : i + 1 == n ? " or "
						    : ", ",
				       found[i]);
}

static bool unknown_cpu(const struct measure_launch *l)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	char text[128];

	for (size_t i = 0; i < NAMES_MAX && fm_vmsa_cpu_name(i); i++)
		names[i] = fm_vmsa_cpu_name(i);
	nearest(l->cpu, names, text, sizeof(text));
	if (*text)
		complain("%s: --vcpu-type: \"%.40s\": no such CPU, did you mean %s?",
			 l->common.verb, l->cpu, text);
	else
		complain("%s: --vcpu-type: \"%.40s\": no such CPU, expected EPYC, EPYC-Rome, "
			 "EPYC-Milan, EPYC-Genoa, EPYC-Turin or a version of them",
			 l->common.verb, l->cpu);
	return false;
}

bool measure_launch_vmm(const struct measure_common *common, const char *name, enum fm_vmm *vmm)
{
	*vmm = fm_vmsa_vmm_from_name(name);
	if (*vmm != FM_VMM_COUNT)
		return true;
	complain("%s: --vmm: \"%.40s\", expected qemu, qemu-pre-6.10, ec2, ec2-legacy or gce",
		 common->verb, name);
	return false;
}

bool measure_launch_cpu(struct measure_launch *l, uint32_t *sig)
{
	if ((l->cpu != NULL) + l->has_sig + l->has_family > 1) {
		complain("%s: --vcpu-type, --vcpu-sig, --vcpu-family: expected one of them",
			 l->common.verb);
		return false;
	}
	if (l->has_sig)
		return measure_u32(&l->common, "vcpu-sig", l->sig, sig);
	if (l->has_family) {
		if (l->family > 270 || l->model > 255 || l->stepping > 15) {
			complain("%s: --vcpu-family %" PRIu64 ", model %" PRIu64
				 ", stepping %" PRIu64 ": expected at most 270, 255, 15",
				 l->common.verb, l->family, l->model, l->stepping);
			return false;
		}
		*sig = fm_vmsa_sig((unsigned)l->family, (unsigned)l->model, (unsigned)l->stepping);
		return true;
	}
	if (!l->cpu)
		return true;
	*sig = fm_vmsa_cpu_sig(l->cpu);
	return *sig || unknown_cpu(l);
}

/* --- files --------------------------------------------------------------------------------- */

static bool load_svsm(struct measure_launch *l)
{
	struct measure_file vars = { NULL, 0 };

	if (!l->svsm_path) {
		if (l->has_vars_len || l->vars_path)
			complain("%s: --vars-size: is for --svsm, which is missing",
				 l->common.verb);
		return !l->has_vars_len && !l->vars_path;
	}
	if (l->has_vars_len == (l->vars_path != NULL)) {
		complain("%s: --vars-size: %s, expected that or --vars-file, with --svsm",
			 l->common.verb, l->vars_path ? "is given with --vars-file" : "is missing");
		return false;
	}
	if (!measure_read(l->vars_path, FM_OVMF_LEN_MAX, &vars))
		return false;
	if (l->vars_path)
		l->vars_len = vars.len;
	measure_free(&vars);
	return measure_read(l->svsm_path, FM_OVMF_LEN_MAX, &l->svsm);
}

/* As many as there are processors for us, at most 4: more do not pay for one image. */
static unsigned threads(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return n < 4 ? (unsigned)n : 4;
}

static bool check_count(const struct measure_launch *l)
{
	/* Before any file is read, and before 10^6 vCPUs become 32 bits of something. */
	if (!l->has_vcpus || (l->vcpus && l->vcpus <= FM_SEV_VCPUS_MAX))
		return true;
	complain("%s: --vcpus: %" PRIu64 ", expected 1 to %u", l->common.verb, l->vcpus,
		 FM_SEV_VCPUS_MAX);
	return false;
}

bool measure_launch_load(struct measure_launch *l, enum fm_sev_kind kind)
{
	struct fm_sev_config *c = &l->config;

	c->struct_size = sizeof(*c);
	c->kind = kind;
	if (!check_count(l) || (l->vmm && !measure_launch_vmm(&l->common, l->vmm, &c->vmm)) ||
	    !measure_launch_cpu(l, &c->cpu_sig))
		return false;
	if (l->ovmf_hash && !measure_hex(&l->common, "ovmf-hash", l->ovmf_hash, l->firmware_digest,
					 sizeof(l->firmware_digest)))
		return false;
	if (l->has_features && !l->features) {
		complain("%s: --guest-features: 0, expected bit 0 (SNP active) set",
			 l->common.verb);
		return false;
	}
	if (!measure_read(l->firmware_path, FM_OVMF_LEN_MAX, &l->firmware) ||
	    !measure_read(l->kernel_path, MEASURE_FILE_MAX, &l->kernel) ||
	    !measure_read(l->initrd_path, MEASURE_FILE_MAX, &l->initrd) || !load_svsm(l))
		return false;
	c->firmware = l->firmware.bytes;
	c->firmware_len = l->firmware.len;
	c->firmware_name = l->firmware_path;
	c->ovmf_flags = l->as_qemu ? FM_OVMF_AS_QEMU : 0;
	c->firmware_digest = l->ovmf_hash ? l->firmware_digest : NULL;
	c->vcpus = (uint32_t)l->vcpus;
	c->guest_features = l->features;
	c->kernel = l->kernel.bytes;
	c->kernel_len = l->kernel.len;
	c->initrd = l->initrd.bytes;
	c->initrd_len = l->initrd.len;
	c->append = l->append;
	c->svsm = l->svsm.bytes;
	c->svsm_len = l->svsm.len;
	c->svsm_name = l->svsm_path;
	c->vars_len = l->vars_len;
	c->transcript = l->common.transcript;
	c->threads = threads();
	return true;
}

void measure_launch_free(struct measure_launch *l)
{
	fm_transcript_free(l->common.transcript);
	free(l->vmsa_names);
	free(l->vmsas);
	measure_free(&l->firmware);
	measure_free(&l->kernel);
	measure_free(&l->initrd);
	measure_free(&l->svsm);
}

/* --- the verbs ------------------------------------------------------------------------------ */

static enum status compute(struct measure_launch *l, enum fm_sev_kind kind, const char *technology)
{
	uint8_t digest[FM_SEV_SNP_DIGEST_LEN];
	struct fm_error err = { 0 };

	if (!measure_begin(&l->common) || !measure_launch_load(l, kind))
		return STATUS_BAD;
	if (l->as_qemu) {
		measure_tell_duplicates(l->firmware_path, &l->firmware);
		measure_tell_duplicates(l->svsm_path, &l->svsm);
	}
	if (fm_sev_measure(digest, &l->config, &err))
		return measure_failed(&l->common, &err);
	if (l->dump && !measure_dump_vmsas(l))
		return STATUS_BAD;
	return measure_answer_one(&l->common, technology, digest,
				  kind == FM_SEV_SNP ? FM_SEV_SNP_DIGEST_LEN : FM_SEV_DIGEST_LEN);
}

static const char *const formats[] = { "hex", "base64", NULL };

#define LAUNCH_OPTIONS(l)                                                                          \
	{ "firmware",                                                                              \
	  ARGS_TEXT,                                                                               \
	  "FILE",                                                                                  \
	  "the image below 4 GiB; of split flash the code",                                        \
	  &(l)->firmware_path,                                                                     \
	  .required = true,                                                                        \
	  .alias = "ovmf" },                                                                       \
		{ "kernel", ARGS_TEXT, "FILE",                                                     \
		  "booted directly, its hash measured; /dev/null is empty", &(l)->kernel_path },   \
		{ "initrd", ARGS_TEXT, "FILE", "with --kernel", &(l)->initrd_path },               \
		{ "append", ARGS_ANY, "TEXT", "command line, with --kernel; not trimmed",          \
		  &(l)->append },                                                                  \
		{ "as-qemu", ARGS_FLAG, NULL,                                                      \
		  "of entries with one GUID take the first, as QEMU does, and say so",             \
		  &(l)->as_qemu },                                                                 \
		{ "verbose",     ARGS_FLAG,                                                        \
		  NULL,          "taken from scripts of sev-snp-measure; ignored",                 \
		  &(l)->verbose, .letter = 'v' },                                                  \
		{ "output-format",     ARGS_CHOICE,       "FORMAT", "hex (the default) or base64", \
		  &(l)->common.base64, .choices = formats },                                       \
		MEASURE_COMMON_OPTIONS(&(l)->common)

#define CPU_OPTIONS(l, needed)                                                                    \
	{ "vcpus",                                                                                \
	  ARGS_SIZE,                                                                              \
	  "N",                                                                                    \
	  "how many",                                                                             \
	  &(l)->vcpus,                                                                            \
	  .required = (needed),                                                                   \
	  .given = &(l)->has_vcpus },                                                             \
		{ "vcpu-type", ARGS_TEXT, "NAME", "QEMU's name, such as EPYC-Milan", &(l)->cpu }, \
		{ "vcpu-sig", ARGS_HEX,                                                           \
		  "HEX",      "its CPUID signature instead",                                      \
		  &(l)->sig,  .given = &(l)->has_sig },                                           \
		{ "vcpu-family",       ARGS_SIZE,    "N",                                         \
		  "or its family ...", &(l)->family, .given = &(l)->has_family },                 \
		{ "vcpu-model", ARGS_SIZE, "N", "... model ...", &(l)->model },                   \
		{ "vcpu-stepping", ARGS_SIZE, "N", "... and stepping", &(l)->stepping },          \
		{ "vmm",     ARGS_TEXT,                                                           \
		  "PROFILE", "qemu (the default), qemu-pre-6.10, ec2, ec2-legacy, gce",           \
		  &(l)->vmm, .alias = "vmm-type" },                                               \
		{ "dump-vmsa", ARGS_FLAG, NULL,                                                   \
		  "write the state of each vCPU N to vmsaN.bin, as\nsev-snp-measure does",        \
		  &(l)->dump },                                                                   \
	{                                                                                         \
		"guest-features", ARGS_HEX, "HEX", "SEV_FEATURES of SEV-SNP guests; 0x1",         \
			&(l)->features, .given = &(l)->has_features                               \
	}

static enum status finish(struct measure_launch *l, enum status status)
{
	measure_launch_free(l);
	return status;
}

enum status measure_sev(int argc, char **argv)
{
	struct measure_launch l = { .common.verb = "measure sev" };
	const struct args_option options[] = { LAUNCH_OPTIONS(&l), CPU_OPTIONS(&l, false) };
	const struct args_spec spec = {
		l.common.verb, "Predict the launch digest of a SEV guest.",
		"vCPUs, CPU and VMM do not count: SEV measures memory alone.\n", options,
		sizeof(options) / sizeof(*options)
	};
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	return finish(&l, compute(&l, FM_SEV, "sev"));
}

enum status measure_seves(int argc, char **argv)
{
	struct measure_launch l = { .common.verb = "measure seves" };
	const struct args_option options[] = { LAUNCH_OPTIONS(&l), CPU_OPTIONS(&l, true) };
	const struct args_spec spec = { l.common.verb,
					"Predict the launch digest of a SEV-ES guest.", NULL,
					options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	return finish(&l, compute(&l, FM_SEV_ES, "seves"));
}

enum status measure_snp(int argc, char **argv)
{
	struct measure_launch l = { .common.verb = "measure snp" };
	const struct args_option options[] = {
		LAUNCH_OPTIONS(&l),
		CPU_OPTIONS(&l, true),
		{ "ovmf-hash", ARGS_TEXT, "HEX",
		  "what \"measure ovmf-hash\" says of the firmware: its pages\nare not hashed",
		  &l.ovmf_hash, .alias = "snp-ovmf-hash" },
		{ "svsm", ARGS_TEXT, "FILE", "an SVSM image, with the size of the variable store",
		  &l.svsm_path },
		{ "vars-size", ARGS_SIZE, "N", "bytes of the variable store, with --svsm",
		  &l.vars_len, .given = &l.has_vars_len },
		{ "vars-file", ARGS_TEXT, "FILE", "or the store itself", &l.vars_path },
	};
	const struct args_spec spec = { l.common.verb,
					"Predict the launch digest of a SEV-SNP guest.", NULL,
					options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	return finish(&l, compute(&l, FM_SEV_SNP, "snp"));
}
