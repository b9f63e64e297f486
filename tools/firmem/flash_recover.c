/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem flash recover: an image and the journal that a crash left become an image. */
#include "tools/firmem/args.h"
#include "tools/firmem/flash_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/write_behind.h>

#define COMMAND "flash recover"

struct recover {
	const char *image;
	const char *journal;
	bool check;
	bool json;
};

static const char text[] =
	"STATE in the answer is no-journal, clean (a journal without changes), pending (--check: there\n"
	"are changes that the image lacks) or recovered (they are in it now, and the journal is gone).\n"
	"A journal that does not belong to the image is refused, and nothing is changed.\n"
	"\n"
	"Whoever opens the image to write it recovers first: this command is for images that are to be\n"
	"copied, or opened by another program. Exit status 1: --check found changes.\n"
	"\n"
	"Example:\n"
	"  firmem flash recover vars.fd && qemu-system-aarch64 ...\n";

static const char *state_of(const struct fm_recovery *r, bool check)
{
	if (!r->found)
		return "no-journal";
	if (r->clean)
		return "clean";
	return check ? "pending" : "recovered";
}

static struct out_value text_of(const char *s)
{
	return (struct out_value){ .text = s ? s : "", .absent = !s };
}

static enum status answer(const struct recover *o, const struct fm_recovery *r)
{
	struct out *out = out_new(o->json);
	bool pending = r->found && !r->clean;

	out_value(out, "image", OUT_TEXT, text_of(o->image));
	out_value(out, "state", OUT_TEXT, text_of(state_of(r, o->check)));
	if (r->found) {
		out_value(out, "generation", OUT_ADDRESS,
			  (struct out_value){ .number = r->generation });
		out_value(out, "records", OUT_ADDRESS, (struct out_value){ .number = r->records });
		out_value(out, "bytes", OUT_SIZE, (struct out_value){ .number = r->bytes });
		out_value(out, "stopped", OUT_TEXT, text_of(r->stopped));
	}
	return out_end(out, o->check && pending ? STATUS_NO : STATUS_YES);
}

enum status flash_recover(int argc, char **argv)
{
	struct recover o = { .image = NULL };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "the image that a bank of flash has", &o.image, true },
	};
	const struct args_option options[] = {
		{ "journal", ARGS_TEXT, "FILE", "the journal; default: IMAGE.journal", &o.journal },
		{ "check", ARGS_FLAG, NULL, "only say what would be done, and change nothing",
		  &o.check },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &o.json },
	};
	const struct args_spec spec = {
		.command = COMMAND,
		.summary =
			"Write to an image what its journal has in addition, and remove the journal.",
		.text = text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	struct fm_recovery found;
	enum args_result result;
	struct fm_error err;

	result = args_parse(&spec, argc, argv);
	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (fm_write_behind_recover(NULL, o.image, o.journal, o.check, &found, &err))
		return complain("%s", err.msg);
	return answer(&o, &found);
}
