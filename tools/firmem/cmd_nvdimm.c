/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm: files that hold NVDIMMs, and their labels. Here: making files. */
#include "tools/firmem/nvdimm_verbs.h"

#include <firmem/nvdimm_image.h>

#include <unistd.h>

static const char create_text[] =
	"SIZE is a multiple of 2 MiB; the file is that long and N more, its labels at the end, as\n"
	"QEMU wants it (size = both). With --uuid the label area is initialised (v1.2) and holds one\n"
	"raw namespace of that UUID over all of it; without, it is zeros.\n"
	"\n"
	"Example:\n"
	"  firmem nvdimm create nv0.img --size 256M --label-size 128K\n";

static enum status nvdimm_create_run(int argc, char **argv)
{
	struct fm_nvdimm_image_config cfg = { .struct_size = sizeof(cfg) };
	const char *uuid_text = NULL;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "the file to make", &cfg.path, true },
	};
	const struct args_option options[] = {
		{ "size", ARGS_SIZE, "SIZE", "bytes of memory", &cfg.pmem_len, true },
		{ "label-size", ARGS_SIZE, "N", "bytes of labels; QEMU wants at least 128K",
		  &cfg.label_len, true },
		{ "uuid", ARGS_TEXT, "U", "of one namespace over all of it", &uuid_text },
		{ "sparse", ARGS_FLAG, NULL, "leave holes, do not write zeros", &cfg.sparse },
	};
	const struct args_spec spec = {
		.command = "nvdimm create",
		.summary = "Make a file that holds an NVDIMM.",
		.text = create_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	uint8_t uuid[16];
	struct fm_error err;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (uuid_text && !fm_label_uuid_parse(uuid_text, uuid))
		return complain("nvdimm create: --uuid: \"%.60s\", expected one such as "
				"01f56f0a-f7ba-4763-94c2-661a61043531",
				uuid_text);
	if (uuid_text && !cfg.label_len)
		return complain("nvdimm create: --label-size: 0, expected room for a label");
	if (fm_nvdimm_image_create(&cfg, &err))
		return complain("%s", err.msg);
	if (!uuid_text || nvdimm_put_namespace(cfg.path, cfg.label_len, uuid))
		return STATUS_YES;
	unlink(cfg.path);
	return STATUS_BAD;
}

static const char grow_text[] =
	"SIZE and N are as of \"create\": N is what the image has. A larger copy takes the place of the\n"
	"file at once; cut anywhere, it is the old or the new one. Nobody may use it meanwhile.\n"
	"Namespaces stay as they are; what is new is free for others.\n";

static enum status nvdimm_grow_run(int argc, char **argv)
{
	struct fm_nvdimm_image_config cfg = { .struct_size = sizeof(cfg) };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "an NVDIMM's file", &cfg.path, true },
	};
	const struct args_option options[] = {
		{ "size", ARGS_SIZE, "SIZE", "bytes of memory then", &cfg.pmem_len, true },
		{ "label-size", ARGS_SIZE, "N", "bytes of labels that it has", &cfg.label_len,
		  true },
		{ "sparse", ARGS_FLAG, NULL, "leave holes, do not write zeros", &cfg.sparse },
	};
	const struct args_spec spec = {
		.command = "nvdimm grow",
		.summary = "Give an NVDIMM's file more memory.",
		.text = grow_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct fm_error err;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (fm_nvdimm_image_grow(&cfg, &err))
		return complain("%s", err.msg);
	return STATUS_YES;
}

/* --- the command --------------------------------------------------------------------------------- */

static const struct verb verbs[] = {
	{ "create", "make a file that holds one", nvdimm_create_run },
	{ "grow", "give it more memory", nvdimm_grow_run },
	{ "labels", "init, list, add, delete, rename, check", nvdimm_labels_run },
#ifdef HAVE_FDT
	{ "nfit", "the NFIT of a device tree's", nvdimm_nfit_run },
	{ "ssdt", "the SSDT of a device tree's", nvdimm_ssdt_run },
#endif
	{ NULL, NULL, NULL },
};

const struct command command_nvdimm = {
	.noun = "nvdimm",
	.summary = "Files that hold NVDIMMs, and their labels.",
	.verbs = verbs,
};
