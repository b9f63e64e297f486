/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure rtmr, pcr: registers from a log, PCR 7 from a store of variables. */
#include "tools/firmem/args.h"
#include "tools/firmem/measure_util.h"
#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/eventlog.h>
#include <firmem/pcr.h>
#include <firmem/vars.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX ((size_t)64 << 20)
#define IMAGE_MAX ((size_t)256 << 20)
#define PCRS 24u
#define RTMRS 4u

struct registers {
	struct measure_common common;
	const char *log_path, *vars_path;
	uint64_t index;
	bool has_index, skip_absent;
	unsigned bank, secure_boot;
	struct measure_file file;
};

/* --- from a log ------------------------------------------------------------------------------ */

/* PCRs, or with `td` RTMRs. */
static enum status replay(struct registers *o, enum fm_digest_alg alg, bool td)
{
	const char *key = td ? "rtmr" : "pcr";
	uint8_t digests[PCRS][FM_DIGEST_MAX];
	char keys[PCRS][16];
	struct measure_value values[PCRS];
	struct fm_eventlog *log;
	struct fm_error err = { 0 };
	size_t n = 0;
	int ret = fm_eventlog_parse(&log, o->log_path, o->file.bytes, o->file.len, &err);

	if (ret)
		return measure_failed(&o->common, &err);
	for (unsigned i = 0; !ret && i < (td ? RTMRS : PCRS); i++) {
		if (o->has_index && o->index != i)
			continue;
		ret = td ? fm_eventlog_rtmr(log, i, digests[n], o->common.transcript, &err)
			 : fm_eventlog_replay(log, i, alg, digests[n], o->common.transcript, &err);
		snprintf(keys[n], sizeof(keys[n]), "%s%u", key, i);
		values[n] = (struct measure_value){ o->has_index ? "digest" : keys[n], digests[n],
						    fm_digest_len(alg) };
		n++;
	}
	fm_eventlog_free(log);
	if (ret)
		return complain("%s: %s", o->log_path, err.msg);
	return measure_answer(&o->common, key, values, n);
}

static bool check_index(const struct registers *o, unsigned count)
{
	if (o->has_index && o->index >= count) {
		complain("%s: --index: %" PRIu64 ", expected 0 to %u", o->common.verb, o->index,
			 count - 1);
		return false;
	}
	return true;
}

static enum status finish(struct registers *o, enum status status)
{
	measure_free(&o->file);
	fm_transcript_free(o->common.transcript);
	return status;
}

enum status measure_rtmr(int argc, char **argv)
{
	struct registers o = { .common.verb = "measure rtmr" };
	const struct args_option options[] = {
		{ "log", ARGS_TEXT, "FILE", "the CCEL, or a TCG log by PCRs", &o.log_path,
		  .required = true },
		{ "index", ARGS_SIZE, "N", "one register; all four when not given", &o.index,
		  .given = &o.has_index },
		MEASURE_COMMON_OPTIONS(&o.common),
	};
	const struct args_spec spec = { o.common.verb, "What a TDX guest's log replays to.", NULL,
					options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!check_index(&o, RTMRS) || !measure_begin(&o.common))
		return STATUS_BAD;
	if (!measure_read(o.log_path, LOG_MAX, &o.file))
		return finish(&o, STATUS_BAD);
	return finish(&o, replay(&o, FM_DIGEST_SHA384, true));
}

/* --- PCR 7 from variables -------------------------------------------------------------------- */

enum {
	SB_AUTO,
	SB_ON,
	SB_OFF,
	SB_ABSENT
};

/*
 * As the firmware decides it: on when there is a PK and SecureBootEnable is not 0. Firmware that knows
 * Secure Boot leaves variables of its own in the store (edk2, AuthVariableLib); where it never did, the
 * variable is taken to be absent.
 */
static unsigned derive(const struct fm_vars *vars)
{
	const struct fm_vars_record *enable = fm_vars_find(vars, "SecureBootEnable", NULL);

	if (fm_vars_find(vars, "PK", fm_pcr_variable_guid(FM_PCR_PK)))
		return !enable || !enable->data_len || *(const uint8_t *)enable->data ? SB_ON
										      : SB_OFF;
	if (enable || fm_vars_find(vars, "CustomMode", NULL) ||
	    fm_vars_find(vars, "VendorKeysNv", NULL))
		return SB_OFF;
	return SB_ABSENT;
}

static enum status from_vars(struct registers *o, enum fm_digest_alg bank)
{
	static const uint8_t on = 1, off = 0;
	struct fm_pcr_secure_boot c = { .struct_size = sizeof(c) };
	uint8_t digest[FM_DIGEST_MAX];
	struct fm_vars *vars;
	struct fm_error err = { 0 };
	unsigned state;
	int ret;

	if (fm_vars_parse(&vars, o->file.bytes, o->file.len, &err))
		return complain("%s: %s", o->vars_path, err.msg);
	if (fm_vars_info(vars)->verdict >= FM_VARS_RECLAIM_PENDING) {
		fm_vars_free(vars);
		return complain("%s: is not a clean store of variables: see \"firmem vars check\"",
				o->vars_path);
	}
	for (unsigned i = FM_PCR_PK; i < FM_PCR_VARIABLE_COUNT; i++) {
		enum fm_pcr_variable v = (enum fm_pcr_variable)i;
		const struct fm_vars_record *r =
			fm_vars_find(vars, fm_pcr_variable_name(v), fm_pcr_variable_guid(v));

		if (r) {
			c.variables[i].data = r->data;
			c.variables[i].len = r->data_len;
		}
	}
	state = o->secure_boot == SB_AUTO ? derive(vars) : o->secure_boot;
	if (state != SB_ABSENT) {
		c.variables[FM_PCR_SECURE_BOOT].data = state == SB_ON ? &on : &off;
		c.variables[FM_PCR_SECURE_BOOT].len = 1;
	}
	c.skip_absent = o->skip_absent;
	c.transcript = o->common.transcript;
	ret = fm_pcr_secure_boot(digest, bank, &c, &err);
	fm_vars_free(vars);
	if (ret)
		return measure_failed(&o->common, &err);
	return measure_answer_one(&o->common, "pcr7", digest, fm_digest_len(bank));
}

enum status measure_pcr(int argc, char **argv)
{
	static const char *const banks[] = { "sha1", "sha256", "sha384", NULL };
	static const char *const states[] = { "auto", "on", "off", "absent", NULL };
	struct registers o = { .common.verb = "measure pcr", .bank = 1 };
	const struct args_option options[] = {
		{ "log", ARGS_TEXT, "FILE", "replay the TCG log; of a TPM 1.2 with --bank sha1",
		  &o.log_path },
		{ "vars", ARGS_TEXT, "IMAGE", "or take PCR 7 from the firmware's variables",
		  &o.vars_path },
		{ "index", ARGS_SIZE, "N", "the register; of a log all when not given", &o.index,
		  .given = &o.has_index },
		{ "bank", ARGS_CHOICE, "ALGORITHM", "sha1, sha256 (the default), sha384", &o.bank,
		  .choices = banks },
		{ "secure-boot", ARGS_CHOICE, "STATE",
		  "with --vars: what the firmware says of it: auto (by PK,\nSecureBootEnable and "
		  "traces in the store), on, off, or\nabsent where the firmware knows no Secure Boot",
		  &o.secure_boot, .choices = states },
		{ "skip-absent", ARGS_FLAG, NULL,
		  "with --vars: leave absent variables out, as virt-firmware\ndoes and firmware "
		  "does not",
		  &o.skip_absent },
		MEASURE_COMMON_OPTIONS(&o.common),
	};
	const struct args_spec spec = { o.common.verb, "Predict a PCR of a TPM.", NULL, options,
					sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);
	enum fm_digest_alg bank;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!o.log_path == !o.vars_path)
		return complain("measure pcr: --log, --vars: expected one of them");
	if (!check_index(&o, PCRS))
		return STATUS_BAD;
	if (o.vars_path && (!o.has_index || o.index != 7))
		return complain("measure pcr: --index: expected 7: no other PCR is made of "
				"variables alone");
	if (!measure_begin(&o.common))
		return STATUS_BAD;
	bank = fm_digest_from_name(banks[o.bank]);
	if (!measure_read(o.log_path ? o.log_path : o.vars_path, IMAGE_MAX, &o.file))
		return finish(&o, STATUS_BAD);
	return finish(&o, o.vars_path ? from_vars(&o, bank) : replay(&o, bank, false));
}
