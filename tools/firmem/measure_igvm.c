/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure igvm: the launch of a guest from an IGVM file. */
#include "tools/firmem/args.h"
#include "tools/firmem/measure_util.h"
#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/igvm.h>

#include <stdlib.h>
#include <string.h>

#define IGVM_MAX ((size_t)1 << 30)

static const struct {
	const char *name;
	unsigned flags;
} loaders[] = {
	{ "igvm", 0 },
	{ "igvmmeasure", FM_IGVM_MEASURE_SHARED | FM_IGVM_INSERT_ONE },
	{ "native-zero", FM_IGVM_NATIVE_ZERO },
	{ "measure-shared", FM_IGVM_MEASURE_SHARED },
	{ "insert-one", FM_IGVM_INSERT_ONE },
};

/* Names with commas between. */
static bool parse_loader(const char *text, unsigned *flags)
{
	while (*text) {
		size_t n = strcspn(text, ","), i = 0;

		while (i < sizeof(loaders) / sizeof(*loaders) &&
		       (strlen(loaders[i].name) != n || memcmp(loaders[i].name, text, n)))
			i++;
		if (i == sizeof(loaders) / sizeof(*loaders) || (text[n] && !text[n + 1])) {
			complain("measure igvm: --loader: \"%.40s\", expected igvm, igvmmeasure, "
				 "native-zero, measure-shared or insert-one, with commas between",
				 text);
			return false;
		}
		*flags |= loaders[i].flags;
		text += n + (text[n] != 0);
	}
	return true;
}

enum status measure_igvm(int argc, char **argv)
{
	static const char *const platforms[] = { "snp", "tdx", NULL };
	struct measure_common common = { .verb = "measure igvm" };
	const char *path = NULL, *loader = "";
	unsigned platform = 0;
	const struct args_option options[] = {
		{ "file", ARGS_TEXT, "FILE", "the IGVM file", &path, .required = true },
		{ "platform", ARGS_CHOICE, "PLATFORM", "snp or tdx", &platform, .required = true,
		  .choices = platforms },
		{ "loader", ARGS_TEXT, "OPTIONS",
		  "how it differs from the igvm library, with commas\nbetween: native-zero (pages "
		  "without data are ZERO),\nmeasure-shared, insert-one (of a parameter area one\n"
		  "page), or igvmmeasure for the last two",
		  &loader },
		MEASURE_COMMON_OPTIONS(&common),
	};
	const struct args_spec spec = {
		common.verb, "Predict the launch digest of a guest from an IGVM file.",
		"Status 1: the file's own ID block expects another digest.\n", options,
		sizeof(options) / sizeof(*options)
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct fm_igvm_config c = { .struct_size = sizeof(c) };
	struct measure_file file = { NULL, 0 };
	struct fm_igvm_report report;
	struct fm_error err = { 0 };
	enum status status = STATUS_BAD;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!parse_loader(loader, &c.loader) || !measure_begin(&common) ||
	    !measure_read(path, IGVM_MAX, &file))
		goto out;
	c.bytes = file.bytes;
	c.len = file.len;
	c.name = path;
	c.platform = platform ? FM_IGVM_TDX : FM_IGVM_SNP;
	c.transcript = common.transcript;
	if (fm_igvm_measure(&report, &c, &err)) {
		status = measure_failed(&common, &err);
		goto out;
	}
	status = measure_answer_one(&common, platform ? "igvm-tdx" : "igvm-snp", report.digest,
				    sizeof(report.digest));
	if (status == STATUS_YES && report.has_id_block &&
	    memcmp(report.id_block_digest, report.digest, sizeof(report.digest))) {
		complain("%s: its ID block expects another digest", path);
		status = STATUS_NO;
	}
out:
	measure_free(&file);
	fm_transcript_free(common.transcript);
	return status;
}
