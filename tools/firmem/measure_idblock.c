/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem measure idblock: makes, signs and checks what a SEV-SNP guest's owner says of its launch. */
#include "tools/firmem/args.h"
#include "tools/firmem/measure_util.h"
#include "tools/firmem/measure_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/idblock.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOTH (FM_IDBLOCK_LEN + FM_IDBLOCK_AUTH_LEN)

struct idblock {
	struct measure_common common;
	const char *digest, *id_path, *author_path, *family, *image, *out, *check;
	uint64_t policy, svn;
};

static bool load_key(const char *path, struct fm_key **key)
{
	struct measure_file file = { NULL, 0 };
	struct fm_error err = { 0 };
	int ret;

	if (!path)
		return true;
	if (!measure_read(path, 65536, &file))
		return false;
	ret = fm_key_parse(key, path, file.bytes, file.len, &err);
	if (!file.mapped)
		memset(file.bytes, 0, file.len);
	measure_free(&file);
	if (ret)
		complain("%s", err.msg);
	return !ret;
}

static enum status make(struct idblock *o, const struct fm_key *id, const struct fm_key *author)
{
	struct fm_idblock content = { .policy = o->policy };
	uint8_t bytes[BOTH], digests[2][FM_IDBLOCK_DIGEST_LEN];
	const struct output file = { o->out, bytes, sizeof(bytes) };
	struct fm_error err = { 0 };
	struct measure_value values[2] = { { "id_key_digest", digests[0], sizeof(digests[0]) },
					   { "author_key_digest", digests[1],
					     sizeof(digests[1]) } };

	if (!measure_hex(&o->common, "digest", o->digest, content.digest, sizeof(content.digest)) ||
	    (o->family &&
	     !measure_hex(&o->common, "family-id", o->family, content.family_id, 16)) ||
	    (o->image && !measure_hex(&o->common, "image-id", o->image, content.image_id, 16)) ||
	    !measure_u32(&o->common, "svn", o->svn, &content.svn))
		return STATUS_BAD;
	if (fm_idblock_make(bytes, bytes + FM_IDBLOCK_LEN, &content, id, author, &err) ||
	    fm_idblock_key_digest(digests[0], id, &err) ||
	    (author && fm_idblock_key_digest(digests[1], author, &err)))
		return complain("measure idblock: %s", err.msg);
	o->common.files = &file;
	o->common.file_count = 1;
	return measure_answer(&o->common, "snp:id-block", values, author ? 2 : 1);
}

static enum status check(struct idblock *o)
{
	struct fm_idblock_report r;
	struct measure_file file = { NULL, 0 };
	struct fm_error err = { 0 };
	int ret;

	if (!measure_read(o->check, BOTH, &file))
		return STATUS_BAD;
	if (file.len != BOTH) {
		complain("%s: size: %zu bytes, expected an ID block and its authentication, %u",
			 o->check, file.len, BOTH);
		measure_free(&file);
		return STATUS_BAD;
	}
	ret = fm_idblock_check(&r, file.bytes, FM_IDBLOCK_LEN,
			       (uint8_t *)file.bytes + FM_IDBLOCK_LEN, FM_IDBLOCK_AUTH_LEN, &err);
	measure_free(&file);
	if (ret) {
		complain("%s: %s", o->check, err.msg);
		return ret == FM_ERR_CHECKSUM ? STATUS_NO : STATUS_BAD;
	}
	struct measure_value values[3] = {
		{ "digest", r.content.digest, sizeof(r.content.digest) },
		{ "id_key_digest", r.id_key_digest, sizeof(r.id_key_digest) },
		{ "author_key_digest", r.author_key_digest, sizeof(r.author_key_digest) },
	};
	return measure_answer(&o->common, "snp:id-block", values, r.has_author ? 3 : 2);
}

static enum status run(struct idblock *o)
{
	struct fm_key *id = NULL, *author = NULL;
	enum status status = STATUS_BAD;

	if (!measure_begin(&o->common))
		return STATUS_BAD;
	if (o->check)
		return o->digest || o->out || o->id_path
			       ? complain("measure idblock: --check: expected no --digest, keys or "
					  "output with it")
			       : check(o);
	if (!o->digest || !o->id_path || !o->out)
		return complain("measure idblock: --%s: is missing", !o->digest    ? "digest"
								     : !o->id_path ? "id-key"
										   : "output");
	if (load_key(o->id_path, &id) && load_key(o->author_path, &author))
		status = make(o, id, author);
	fm_key_free(id);
	fm_key_free(author);
	return status;
}

enum status measure_idblock(int argc, char **argv)
{
	struct idblock o = { .common.verb = "measure idblock", .policy = 0x30000 };
	const struct args_option options[] = {
		{ "digest", ARGS_TEXT, "HEX", "the launch digest, 48 bytes", &o.digest },
		{ "id-key", ARGS_TEXT, "PEM", "signs the block: a private key on P-384",
		  &o.id_path },
		{ "author-key", ARGS_TEXT, "PEM", "signs the ID key; nobody does when not given",
		  &o.author_path },
		{ "policy", ARGS_HEX, "HEX", "of the guest; 0x30000", &o.policy },
		{ "svn", ARGS_SIZE, "N", "security version of the guest; 0", &o.svn },
		{ "family-id", ARGS_TEXT, "HEX", "16 bytes; 0", &o.family },
		{ "image-id", ARGS_TEXT, "HEX", "16 bytes; 0", &o.image },
		{ "output", ARGS_TEXT, "FILE", "the block and its authentication, 96 + 4096 bytes",
		  &o.out, .letter = 'o' },
		{ "check", ARGS_TEXT, "FILE", "check such a file instead: status 1 when wrong",
		  &o.check },
		MEASURE_COMMON_OPTIONS(&o.common),
	};
	const struct args_spec spec = { o.common.verb,
					"Make and sign the ID block of a SEV-SNP launch; print the "
					"keys' digests.",
					NULL, options, sizeof(options) / sizeof(*options) };
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	status = run(&o);
	fm_transcript_free(o.common.transcript);
	return status;
}
