/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure identify, diff: why two digests are not the same. */
#include "tools/firmem/measure_sev.h"

#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/identify.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSCRIPT_MAX ((size_t)256 << 20)

/* --- identify -------------------------------------------------------------------------------- */

/* "0x1,0x29": numbers with commas between. */
static bool parse_features(const char *text, uint64_t *features, size_t *count)
{
	char word[32];

	for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		size_t n = strcspn(at, ",");

		if (n >= sizeof(word) || *count == FM_IDENTIFY_FEATURES_MAX) {
			complain("measure identify: --guest-features: \"%.40s\", expected at most "
				 "%u hexadecimal numbers",
				 text, FM_IDENTIFY_FEATURES_MAX);
			return false;
		}
		memcpy(word, at, n);
		word[n] = '\0';
		if (!args_hex(word, &features[*count])) {
			complain("measure identify: --guest-features: \"%.40s\", expected "
				 "hexadecimal numbers with commas between, such as 0x21,0x29",
				 text);
			return false;
		}
		++*count;
	}
	return true;
}

/* The CPUs that have this signature, with commas between. */
static void cpu_names(uint32_t sig, char *text, size_t len)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; fm_vmsa_cpu_name(i) && at < len; i++) {
		if (sig && fm_vmsa_cpu_sig(fm_vmsa_cpu_name(i)) == sig)
			at += (size_t)snprintf(text + at, len - at, "%s%s", at ? ", " : "",
					       fm_vmsa_cpu_name(i));
	}
}

static enum status tell(const struct fm_identified *f, bool json)
{
	static const char *const kinds[] = { "", "sev", "seves", "snp" };
	struct out *out = out_new(json);
	char names[200];

	cpu_names(f->cpu_sig, names, sizeof(names));
	out_value(out, "technology", OUT_TEXT, (struct out_value){ .text = kinds[f->kind] });
	out_value(out, "vmm", OUT_TEXT,
		  (struct out_value){ .text = fm_vmsa_vmm_name(f->vmm),
				      .absent = f->kind == FM_SEV });
	out_value(out, "vcpus", OUT_COUNT,
		  (struct out_value){ .number = f->vcpus, .absent = !f->vcpus });
	out_value(out, "vcpu_sig", OUT_ADDRESS,
		  (struct out_value){ .number = f->cpu_sig, .absent = !f->cpu_sig });
	out_value(out, "vcpu_types", OUT_TEXT,
		  (struct out_value){ .text = names, .absent = !*names });
	out_value(out, "guest_features", OUT_ADDRESS,
		  (struct out_value){ .number = f->guest_features, .absent = !f->guest_features });
	return out_end(out, STATUS_YES);
}

static enum status identify(struct measure_launch *l, const char *hex, const char *list)
{
	struct fm_identify_config c = { .struct_size = sizeof(c) };
	uint64_t features[FM_IDENTIFY_FEATURES_MAX];
	uint8_t digest[FM_SEV_SNP_DIGEST_LEN];
	struct fm_identified found;
	struct fm_error err = { 0 };
	size_t count = 0, len;
	int ret;

	if (!fm_digest_from_hex(hex, digest, sizeof(digest), &len) ||
	    (len != FM_SEV_DIGEST_LEN && len != FM_SEV_SNP_DIGEST_LEN))
		return complain("measure identify: --digest: \"%.40s\" of %zu characters, expected "
				"64 or 96 hexadecimal digits",
				hex, strlen(hex));
	if ((list && !parse_features(list, features, &count)) ||
	    !measure_launch_load(l, len == FM_SEV_DIGEST_LEN ? FM_SEV : FM_SEV_SNP))
		return STATUS_BAD;
	c.digest = digest;
	c.digest_len = len;
	c.launch = &l->config;
	c.features = features;
	c.feature_count = count;
	ret = fm_identify_launch(&found, &c, &err);
	if (ret == FM_ERR_NOT_FOUND) {
		complain("measure identify: %s: another firmware, kernel, command line, or guest "
			 "features not tried",
			 err.msg);
		return STATUS_NO;
	}
	return ret ? measure_failed(&l->common, &err) : tell(&found, l->common.json);
}

enum status measure_identify(int argc, char **argv)
{
	struct measure_launch l = { .common.verb = "measure identify" };
	const char *digest = NULL, *features = NULL;
	const struct args_option options[] = {
		{ "digest", ARGS_TEXT, "HEX", "what somebody has, 32 or 48 bytes", &digest,
		  .required = true },
		{ "firmware", ARGS_TEXT, "FILE", "the image below 4 GiB", &l.firmware_path,
		  .required = true, .alias = "ovmf" },
		{ "kernel", ARGS_TEXT, "FILE", "booted directly", &l.kernel_path },
		{ "initrd", ARGS_TEXT, "FILE", "with --kernel", &l.initrd_path },
		{ "append", ARGS_ANY, "TEXT", "command line, with --kernel", &l.append },
		{ "vcpu-sig", ARGS_HEX, "HEX", "a CPU to try beside those with names", &l.sig,
		  .given = &l.has_sig },
		{ "guest-features", ARGS_TEXT, "LIST",
		  "hexadecimal numbers to try beside 0x1 and 0x21,\nwith commas between",
		  &features },
		{ "svsm", ARGS_TEXT, "FILE", "an SVSM image", &l.svsm_path },
		{ "vars-size", ARGS_SIZE, "N", "bytes of the variable store, with --svsm",
		  &l.vars_len, .given = &l.has_vars_len },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &l.common.json },
	};
	const struct args_spec spec = {
		l.common.verb, "Find the launch of an AMD guest that yields a digest.",
		"Search every VMM, CPU and guest features with 1 to 512 vCPUs. Status 1: none does.\n",
		options, sizeof(options) / sizeof(*options)
	};
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	status = identify(&l, digest, features);
	measure_launch_free(&l);
	return status;
}

/* --- diff ------------------------------------------------------------------------------------ */

static struct fm_transcript *load(const char *path)
{
	struct measure_file file = { NULL, 0 };
	struct fm_transcript *t = NULL;
	struct fm_error err = { 0 };

	if (!measure_read(path, TRANSCRIPT_MAX, &file))
		return NULL;
	if (fm_transcript_parse(&t, path, file.bytes, file.len, &err))
		complain("%s", err.msg);
	measure_free(&file);
	return t;
}

static enum status compare(const struct fm_transcript *a, const struct fm_transcript *b, bool json)
{
	struct fm_transcript_difference d = { .index = 0 };
	int differ = fm_transcript_diff(a, b, &d);
	struct out *out;

	if (!json) {
		puts(differ ? d.words : "same");
		return differ ? STATUS_NO : STATUS_YES;
	}
	out = out_new(true);
	out_value(out, "same", OUT_BOOL, (struct out_value){ .number = !differ });
	out_value(out, "step", OUT_COUNT,
		  (struct out_value){ .number = d.index, .absent = !differ });
	out_value(out, "difference", OUT_TEXT,
		  (struct out_value){ .text = d.words, .absent = !differ });
	return out_end(out, differ ? STATUS_NO : STATUS_YES);
}

enum status measure_diff(int argc, char **argv)
{
	const char *paths[2] = { NULL, NULL };
	bool json = false;
	const struct args_option options[] = {
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &json },
	};
	const struct args_option words[] = {
		{ "A", ARGS_TEXT, NULL, "a transcript", &paths[0], .required = true },
		{ "B", ARGS_TEXT, NULL, "another", &paths[1], .required = true },
	};
	const struct args_spec spec = { "measure diff",
					"Name the first step in which two transcripts part.",
					"Status 1: they differ.\n",
					options,
					sizeof(options) / sizeof(*options),
					words,
					sizeof(words) / sizeof(*words) };
	enum args_result result = args_parse(&spec, argc, argv);
	struct fm_transcript *a, *b = NULL;
	enum status status = STATUS_BAD;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	a = load(paths[0]);
	if (a)
		b = load(paths[1]);
	if (b)
		status = compare(a, b, json);
	fm_transcript_free(a);
	fm_transcript_free(b);
	return status;
}
