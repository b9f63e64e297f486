/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure tdx: MRTD, and the first events of RTMR 0. */
#include "tools/firmem/args.h"
#include "tools/firmem/measure_util.h"
#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/ovmf.h>
#include <firmem/tdx.h>

#include <stdlib.h>

struct tdx {
	struct measure_common common;
	const char *path;
	unsigned order;
	bool hob, cfv, has_memory, as_qemu;
	uint64_t memory;
	struct measure_file file;
};

static enum status compute(struct tdx *o)
{
	struct fm_tdx_config c = { .struct_size = sizeof(c) };
	uint8_t digest[FM_TDX_LEN];
	struct fm_tdvf tdvf;
	struct fm_error err = { 0 };
	int ret;

	if (o->as_qemu)
		measure_tell_duplicates(o->path, &o->file);
	c.firmware = o->file.bytes;
	c.firmware_len = o->file.len;
	c.firmware_name = o->path;
	c.ovmf_flags = o->as_qemu ? FM_OVMF_AS_QEMU : 0;
	c.order = (enum fm_tdx_order)o->order;
	c.transcript = o->common.transcript;
	if (!o->hob && !o->cfv) {
		ret = fm_tdx_mrtd(digest, &c, &err);
	} else {
		ret = fm_tdvf_parse(&tdvf, o->path, o->file.bytes, o->file.len, c.ovmf_flags, &err);
		if (!ret)
			ret = o->hob ? fm_tdx_hob(digest, &tdvf, o->memory, &err)
				     : fm_tdx_cfv(digest, &tdvf, o->file.bytes, o->file.len, &err);
	}
	if (ret)
		return measure_failed(&o->common, &err);
	return measure_answer_one(&o->common,
				  o->hob   ? "tdx:td-hob"
				  : o->cfv ? "tdx:cfv"
					   : "tdx",
				  digest, sizeof(digest));
}

enum status measure_tdx(int argc, char **argv)
{
	static const char *const orders[] = { "interleave", "two-pass", NULL };
	struct tdx o = { .common.verb = "measure tdx" };
	const struct args_option options[] = {
		{ "firmware", ARGS_TEXT, "FILE", "the whole image, variables included", &o.path,
		  .required = true },
		{ "order", ARGS_CHOICE, "ORDER",
		  "interleave (the default): page by page, as upstream does;\n"
		  "two-pass: a section's pages, then their contents, as\nqemu-tdx 8.2 does",
		  &o.order, .choices = orders },
		{ "hob", ARGS_FLAG, NULL, "instead: the digest of the TD HOB, in RTMR 0", &o.hob },
		{ "memory", ARGS_SIZE, "SIZE", "the guest's, with --hob", &o.memory,
		  .given = &o.has_memory },
		{ "cfv", ARGS_FLAG, NULL, "instead: the digest of the variable store, in RTMR 0",
		  &o.cfv },
		{ "as-qemu", ARGS_FLAG, NULL,
		  "of entries with one GUID take the first, as QEMU does", &o.as_qemu },
		MEASURE_COMMON_OPTIONS(&o.common),
	};
	const struct args_spec spec = { o.common.verb, "Predict MRTD of an Intel TDX guest.", NULL,
					options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (o.hob && o.cfv)
		return complain("measure tdx: --cfv: is given with --hob, expected one of them");
	if (o.hob != o.has_memory)
		return complain("measure tdx: --memory: %s, expected it with --hob alone",
				o.hob ? "is missing" : "is given");
	if (!measure_begin(&o.common))
		return STATUS_BAD;
	status = measure_read(o.path, FM_OVMF_LEN_MAX, &o.file) ? compute(&o) : STATUS_BAD;
	measure_free(&o.file);
	fm_transcript_free(o.common.transcript);
	return status;
}
