/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure cca, rem: the measurements of an Arm CCA realm. */
#include "tools/firmem/args.h"
#include "tools/firmem/measure_util.h"
#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/cca.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_MAX ((size_t)64 << 20)

static const char *const hashes[] = { "sha256", "sha512", NULL };

struct cca {
	struct measure_common common;
	unsigned vmm, hash;
	const char *firmware_path, *kernel_path, *initrd_path, *dtb_path;
	bool has_hash, lpa2, pmu, log, has_s2sz, has_bps, has_wps, has_vcpus, has_x0;
	uint64_t memory, s2sz, sve, counters, bps, wps, vcpus, x0;
	struct measure_file firmware, kernel, initrd, dtb;
};

static bool small(const struct cca *o, const char *option, bool given, uint64_t value,
		  unsigned *out)
{
	/* 0 is the default for the library, and nothing that one asks for. */
	if (value <= 0xffff && (value || !given)) {
		*out = (unsigned)value;
		return true;
	}
	complain("%s: --%s: %" PRIu64 ", expected a small number", o->common.verb, option, value);
	return false;
}

static enum status compute(struct cca *o)
{
	struct fm_cca_launch c = { .struct_size = sizeof(c), .vmm = (enum fm_cca_vmm)o->vmm };
	uint8_t rim[FM_CCA_LEN];
	struct fm_error err = { 0 };

	if (o->has_hash)
		c.realm.hash = fm_digest_from_name(hashes[o->hash]);
	if (!small(o, "s2sz", o->has_s2sz, o->s2sz, &c.realm.s2sz) ||
	    !small(o, "sve-vl", false, o->sve, &c.realm.sve_vl) ||
	    !small(o, "pmu-counters", false, o->counters, &c.realm.pmu_ctrs) ||
	    !small(o, "breakpoints", o->has_bps, o->bps, &c.realm.bps) ||
	    !small(o, "watchpoints", o->has_wps, o->wps, &c.realm.wps))
		return STATUS_BAD;
	if (o->has_vcpus && (!o->vcpus || o->vcpus > 512))
		return complain("measure cca: --vcpus: %" PRIu64 ", expected 1 to 512", o->vcpus);
	if (!measure_read(o->firmware_path, IMAGE_MAX, &o->firmware) ||
	    !measure_read(o->kernel_path, MEASURE_FILE_MAX, &o->kernel) ||
	    !measure_read(o->initrd_path, MEASURE_FILE_MAX, &o->initrd) ||
	    !measure_read(o->dtb_path, IMAGE_MAX, &o->dtb))
		return STATUS_BAD;
	c.realm.lpa2 = o->lpa2;
	c.realm.pmu = o->pmu;
	c.memory = o->memory;
	c.firmware = (struct fm_cca_image){ o->firmware.bytes, o->firmware.len };
	c.kernel = (struct fm_cca_image){ o->kernel.bytes, o->kernel.len };
	c.initrd = (struct fm_cca_image){ o->initrd.bytes, o->initrd.len };
	c.dtb = (struct fm_cca_image){ o->dtb.bytes, o->dtb.len };
	c.log = o->log;
	c.x0 = o->has_x0 ? &o->x0 : NULL;
	c.transcript = o->common.transcript;
	if (fm_cca_measure(rim, &c, &err))
		return complain("measure cca: %s", err.msg);
	return measure_answer_one(&o->common, "cca", rim, fm_digest_len(fm_cca_hash(&c)));
}

enum status measure_cca(int argc, char **argv)
{
	static const char *const vmms[] = { "qemu", "kvmtool", "cloud-hypervisor", NULL };
	struct cca o = { .common.verb = "measure cca" };
	const struct args_option options[] = {
		{ "vmm", ARGS_CHOICE, "VMM", "qemu, kvmtool or cloud-hypervisor", &o.vmm,
		  .required = true, .choices = vmms },
		{ "memory", ARGS_SIZE, "SIZE", "bytes of RAM", &o.memory, .required = true },
		{ "dtb", ARGS_TEXT, "FILE", "the device tree as the VMM makes it", &o.dtb_path,
		  .required = true },
		{ "firmware", ARGS_TEXT, "FILE", "what is started", &o.firmware_path },
		{ "kernel", ARGS_TEXT, "FILE", "or an arm64 Image", &o.kernel_path },
		{ "initrd", ARGS_TEXT, "FILE", "with a kernel", &o.initrd_path },
		{ "hash", ARGS_CHOICE, "ALGORITHM",
		  "sha256 or sha512; the VMM's default is sha512, of\nkvmtool sha256", &o.hash,
		  .given = &o.has_hash, .choices = hashes },
		{ "s2sz", ARGS_SIZE, "BITS",
		  "of an IPA; 41, of cloud-hypervisor 48, of kvmtool as\n"
		  "the RAM needs",
		  &o.s2sz, .given = &o.has_s2sz },
		{ "lpa2", ARGS_FLAG, NULL, "52 bits are allowed", &o.lpa2 },
		{ "sve-vl", ARGS_SIZE, "BITS", "of an SVE vector; none", &o.sve },
		{ "pmu", ARGS_FLAG, NULL, "the realm has a PMU", &o.pmu },
		{ "pmu-counters", ARGS_SIZE, "N", "its counters; 0", &o.counters },
		{ "breakpoints", ARGS_SIZE, "N", "6", &o.bps, .given = &o.has_bps },
		{ "watchpoints", ARGS_SIZE, "N", "4", &o.wps, .given = &o.has_wps },
		{ "vcpus", ARGS_SIZE, "N", "checked only: the first vCPU alone is measured",
		  &o.vcpus, .given = &o.has_vcpus },
		{ "x0", ARGS_HEX, "HEX",
		  "of the first vCPU; the device tree's address. With\nfirmware QEMU may have 0 there",
		  &o.x0, .given = &o.has_x0 },
		{ "measurement-log", ARGS_FLAG, NULL, "the VMM loads a log", &o.log },
		MEASURE_COMMON_OPTIONS(&o.common),
	};
	const struct args_spec spec = { o.common.verb, "Predict the RIM of an Arm CCA realm.", NULL,
					options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	status = measure_begin(&o.common) ? compute(&o) : STATUS_BAD;
	measure_free(&o.firmware);
	measure_free(&o.kernel);
	measure_free(&o.initrd);
	measure_free(&o.dtb);
	fm_transcript_free(o.common.transcript);
	return status;
}

enum status measure_rem(int argc, char **argv)
{
	struct measure_common common = { .verb = "measure rem" };
	const char *value_text = NULL, *rem_text = NULL;
	unsigned which = 0;
	const struct args_option options[] = {
		{ "value", ARGS_TEXT, "HEX", "what it is extended by, 1 to 64 bytes", &value_text,
		  .required = true },
		{ "rem", ARGS_TEXT, "HEX", "what it is before; zero", &rem_text },
		{ "hash", ARGS_CHOICE, "ALGORITHM", "sha256 (the default) or sha512", &which,
		  .choices = hashes },
		MEASURE_COMMON_OPTIONS(&common),
	};
	const struct args_spec spec = { common.verb, "Extend a measurement of an Arm CCA realm.",
					NULL, options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);
	enum fm_digest_alg hash;
	uint8_t rem[FM_CCA_LEN] = { 0 }, value[FM_CCA_LEN];
	struct fm_error err = { 0 };
	enum status status;
	size_t len;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	hash = fm_digest_from_name(hashes[which]);
	if (!fm_digest_from_hex(value_text, value, sizeof(value), &len))
		return complain("measure rem: --value: \"%.40s\", expected 2 to 128 hexadecimal "
				"digits, in pairs",
				value_text);
	if (rem_text && !measure_hex(&common, "rem", rem_text, rem, fm_digest_len(hash)))
		return STATUS_BAD;
	if (fm_cca_extend(hash, rem, value, len, &err))
		return measure_failed(&common, &err);
	if (!measure_begin(&common))
		return STATUS_BAD;
	status = measure_answer_one(&common, "cca:rem", rem, fm_digest_len(hash));
	fm_transcript_free(common.transcript);
	return status;
}
