/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure ovmf-hash, vmsa, hmac: the parts of an AMD launch. */
#include "tools/firmem/measure_sev.h"

#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const formats[] = { "hex", "base64", NULL };

enum status measure_ovmf_hash(int argc, char **argv)
{
	struct measure_launch l = { .common.verb = "measure ovmf-hash" };
	const struct args_option options[] = {
		{ "firmware", ARGS_TEXT, "FILE", "the image", &l.firmware_path, .required = true,
		  .alias = "ovmf" },
		{ "verbose", ARGS_FLAG, NULL, "taken from scripts of sev-snp-measure; ignored",
		  &l.verbose, .letter = 'v' },
		{ "output-format", ARGS_CHOICE, "FORMAT", "hex (the default) or base64",
		  &l.common.base64, .choices = formats },
		MEASURE_COMMON_OPTIONS(&l.common),
	};
	const struct args_spec spec = {
		l.common.verb, "Digest the pages of a firmware, for measure snp --ovmf-hash.", NULL,
		options, sizeof(options) / sizeof(*options)
	};
	enum args_result result = args_parse(&spec, argc, argv);
	uint8_t digest[FM_SEV_SNP_DIGEST_LEN];
	struct fm_ovmf ovmf;
	struct fm_error err = { 0 };
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!measure_begin(&l.common))
		return STATUS_BAD;
	if (!measure_read(l.firmware_path, FM_OVMF_LEN_MAX, &l.firmware))
		status = STATUS_BAD;
	else if (fm_ovmf_parse(&ovmf, l.firmware_path, l.firmware.bytes, l.firmware.len, 0, 0,
			       &err) ||
		 fm_sev_firmware(digest, l.firmware.bytes, l.firmware.len, l.common.transcript,
				 &err))
		status = measure_failed(&l.common, &err);
	else
		status = measure_answer_one(&l.common, "snp:ovmf-hash", digest, sizeof(digest));
	measure_launch_free(&l);
	return status;
}

enum status measure_vmsa(int argc, char **argv)
{
	struct measure_launch l = { .common.verb = "measure vmsa" };
	const char *path = NULL;
	uint64_t eip = 0xfffffff0, features = 1;
	const struct args_option options[] = {
		{ "vmm", ARGS_TEXT, "PROFILE",
		  "qemu (the default), qemu-pre-6.10, ec2, ec2-legacy, gce", &l.vmm,
		  .alias = "vmm-type" },
		{ "eip", ARGS_HEX, "HEX", "where it starts; 0xfffffff0, the first vCPU", &eip },
		{ "sev-features", ARGS_HEX, "HEX", "SEV_FEATURES; 0x1. SEV-ES has 0", &features,
		  .alias = "guest-features" },
		{ "vcpu-type", ARGS_TEXT, "NAME", "QEMU's name, such as EPYC-Milan", &l.cpu },
		{ "vcpu-sig", ARGS_HEX, "HEX", "its CPUID signature instead", &l.sig,
		  .given = &l.has_sig },
		{ "output", ARGS_TEXT, "FILE", "write the page of 4096 bytes there", &path,
		  .letter = 'o' },
		MEASURE_COMMON_OPTIONS(&l.common),
	};
	const struct args_spec spec = {
		l.common.verb, "The initial state of an encrypted vCPU: SHA-384 of its page.", NULL,
		options, sizeof(options) / sizeof(*options)
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct fm_vmsa_config c = { .struct_size = sizeof(c) };
	uint8_t page[FM_VMSA_LEN], digest[48];
	struct output file;
	struct fm_error err = { 0 };
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	c.sev_features = features;
	if ((l.vmm && !measure_launch_vmm(&l.common, l.vmm, &c.vmm)) ||
	    !measure_launch_cpu(&l, &c.cpu_sig) || !measure_u32(&l.common, "eip", eip, &c.eip))
		return STATUS_BAD;
	if (!c.eip)
		return complain("measure vmsa: --eip: 0, expected an address that code is at");
	if (!c.cpu_sig && fm_vmsa_vmm_tells_cpu(c.vmm))
		return complain("measure vmsa: --vcpu-sig: is missing, %s shows it to the guest",
				fm_vmsa_vmm_name(c.vmm));
	if (fm_vmsa_page(page, &c, &err) ||
	    fm_digest_bytes(FM_DIGEST_SHA384, page, sizeof(page), digest, &err))
		return measure_failed(&l.common, &err);
	if (!measure_begin(&l.common))
		return STATUS_BAD;
	file = (struct output){ path, page, sizeof(page) };
	l.common.files = &file;
	l.common.file_count = path != NULL;
	status = measure_answer_one(&l.common, "vmsa", digest, sizeof(digest));
	measure_launch_free(&l);
	return status;
}

/* Where the SVSM starts: behind it lie the variables and the firmware, up to 4 GiB. */
static bool svsm_start(const struct fm_sev_config *c, uint64_t *rip)
{
	uint64_t end = (UINT64_C(1) << 32) - c->firmware_len - c->vars_len;
	struct fm_ovmf own;
	struct fm_error err = { 0 };

	if (fm_ovmf_parse(&own, c->svsm_name, c->svsm, c->svsm_len, end, c->ovmf_flags, &err)) {
		complain("%s", err.msg);
		return false;
	}
	*rip = end - c->svsm_len + own.svsm_entry;
	return true;
}

/* As many as there are vCPUs: the first page, then the second again and again. */
static void name_vmsas(struct measure_launch *l)
{
	uint32_t n = l->config.vcpus;

	l->vmsas = out_need(calloc(n, sizeof(*l->vmsas)));
	l->vmsa_names = out_need(calloc(n, sizeof(*l->vmsa_names)));
	for (uint32_t i = 0; i < n; i++) {
		snprintf(l->vmsa_names[i], sizeof(*l->vmsa_names), "vmsa%" PRIu32 ".bin", i);
		l->vmsas[i] =
			(struct output){ l->vmsa_names[i], l->vmsa_pages[i != 0], FM_VMSA_LEN };
	}
	l->common.files = l->vmsas;
	l->common.file_count = n;
}

bool measure_dump_vmsas(struct measure_launch *l)
{
	const struct fm_sev_config *c = &l->config;
	struct fm_vmsa_config v = { .struct_size = sizeof(v), .vmm = c->vmm };
	struct fm_ovmf ovmf;
	struct fm_error err = { 0 };

	v.cpu_sig = c->cpu_sig;
	v.svsm = c->svsm != NULL;
	if (c->kind == FM_SEV_SNP)
		v.sev_features = c->guest_features && !v.svsm ? c->guest_features : 1;
	if ((v.svsm && !svsm_start(c, &v.svsm_rip)) || c->kind == FM_SEV)
		return c->kind == FM_SEV; /* which measures none */
	if (fm_ovmf_parse(&ovmf, c->firmware_name, c->firmware, c->firmware_len, 0, c->ovmf_flags,
			  &err)) {
		complain("%s", err.msg);
		return false;
	}
	for (unsigned i = 0; i < 2; i++) {
		v.eip = i ? ovmf.reset_eip : 0;
		if (fm_vmsa_page(l->vmsa_pages[i], &v, &err)) {
			complain("%s", err.msg);
			return false;
		}
	}
	name_vmsas(l);
	return true;
}

/* --- hmac ----------------------------------------------------------------------------------- */

/* "0.18": two numbers below 256. */
static bool parse_api(const char *text, uint8_t *major, uint8_t *minor)
{
	unsigned a, b;
	int used = 0;

	if (sscanf(text, "%3u.%3u%n", &a, &b, &used) != 2 || text[used] || a > 255 || b > 255 ||
	    strspn(text, "0123456789.") != strlen(text)) {
		complain("measure hmac: --api: \"%.40s\", expected MAJOR.MINOR such as 1.51", text);
		return false;
	}
	*major = (uint8_t)a;
	*minor = (uint8_t)b;
	return true;
}

/* 32 hexadecimal digits, or a file of 16 bytes. */
static bool parse_tik(const char *text, uint8_t tik[16])
{
	struct measure_file file;
	size_t n;
	uint8_t bytes[16];
	bool ok;

	if (fm_digest_from_hex(text, bytes, sizeof(bytes), &n) && n == sizeof(bytes)) {
		memcpy(tik, bytes, sizeof(bytes));
		return true;
	}
	if (!measure_read(text, 4096, &file))
		return false;
	ok = file.len == 16;
	if (ok)
		memcpy(tik, file.bytes, 16);
	else
		complain("%s: size: %zu bytes, expected a TIK of 16", text, file.len);
	measure_free(&file);
	return ok;
}

enum status measure_hmac(int argc, char **argv)
{
	struct measure_common common = { .verb = "measure hmac" };
	const char *digest = NULL, *tik = NULL, *mnonce = NULL, *api = NULL;
	uint64_t build = 0, policy = 0;
	const struct args_option options[] = {
		{ "digest", ARGS_TEXT, "HEX", "the launch digest, 32 bytes", &digest,
		  .required = true },
		{ "tik", ARGS_TEXT, "FILE|HEX", "transport integrity key, 16 bytes", &tik,
		  .required = true },
		{ "mnonce", ARGS_TEXT, "HEX", "the firmware's nonce, 16 bytes", &mnonce,
		  .required = true },
		{ "api", ARGS_TEXT, "MAJOR.MINOR", "version of the SEV firmware", &api,
		  .required = true },
		{ "build", ARGS_SIZE, "N", "its build", &build, .required = true },
		{ "policy", ARGS_HEX, "HEX", "of the guest", &policy, .required = true },
		MEASURE_COMMON_OPTIONS(&common),
	};
	const struct args_spec spec = { common.verb, "What LAUNCH_MEASURE returns for a digest.",
					NULL, options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);
	struct fm_sev_hmac_config c = { .struct_size = sizeof(c) };
	uint8_t out[32];
	struct fm_error err = { 0 };
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (build > 255)
		return complain("measure hmac: --build: %llu, expected below 256",
				(unsigned long long)build);
	c.build = (uint8_t)build;
	if (!measure_hex(&common, "digest", digest, c.digest, sizeof(c.digest)) ||
	    !measure_hex(&common, "mnonce", mnonce, c.mnonce, sizeof(c.mnonce)) ||
	    !measure_u32(&common, "policy", policy, &c.policy) ||
	    !parse_api(api, &c.api_major, &c.api_minor) || !parse_tik(tik, c.tik))
		return STATUS_BAD;
	if (fm_sev_hmac(out, &c, &err))
		return measure_failed(&common, &err);
	if (!measure_begin(&common))
		return STATUS_BAD;
	status = measure_answer_one(&common, "sev-hmac", out, sizeof(out));
	fm_transcript_free(common.transcript);
	return status;
}
