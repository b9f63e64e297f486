/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/measure_util.h"

#include "tools/firmem/input.h"
#include "tools/firmem/out.h"

#include <firmem/ovmf.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Somebody cut a file that is mapped. */
static void cut(int signum)
{
	static const char text[] = "firmem: a file was cut while it was read\n";

	ssize_t unused = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)unused; /* there is nowhere to tell that to */
	_exit(STATUS_BAD);
}

/* --- input ---------------------------------------------------------------------------------- */

/* False when it is no file to be mapped: then it is read. */
static bool map(const char *path, size_t most, struct measure_file *file)
{
	struct stat st;
	void *p = MAP_FAILED;
	int fd;

	/* A pipe that was opened and closed again would be lost to its writer. */
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return false;
	input_note(&st);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size <= most)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return false;
	signal(SIGBUS, cut);
	*file = (struct measure_file){ p, (size_t)st.st_size, true };
	return true;
}

bool measure_read(const char *path, size_t most, struct measure_file *file)
{
	if (!path || map(path, most, file))
		return true;
	file->mapped = false;
	return input_read(path, most, &file->bytes, &file->len);
}

void measure_free(struct measure_file *file)
{
	if (file->mapped)
		munmap(file->bytes, file->len);
	else
		free(file->bytes);
	*file = (struct measure_file){ NULL, 0, false };
}

/* --- the answer ----------------------------------------------------------------------------- */

bool measure_begin(struct measure_common *common)
{
	struct fm_error err = { 0 };

	if (!common->transcript_path || !fm_transcript_new(&common->transcript, &err))
		return true;
	complain("%s", err.msg);
	return false;
}

/* What was computed in one go has a step for each value that is printed. */
static int one_step_each(struct fm_transcript *t, const char *technology,
			 const struct measure_value *values, size_t count, struct fm_error *err)
{
	int ret = fm_transcript_set_technology(t, technology, err);

	for (size_t i = 0; !ret && i < count; i++) {
		struct fm_measure_step step = { .gpa = UINT64_MAX };

		snprintf(step.what, sizeof(step.what), "%s", technology);
		snprintf(step.part, sizeof(step.part), "%s", values[i].key);
		step.running_len = (uint32_t)values[i].len;
		memcpy(step.running, values[i].bytes, values[i].len);
		ret = fm_transcript_add(t, &step, err);
	}
	return ret;
}

static bool transcript_text(const struct measure_common *common, const char *technology,
			    const struct measure_value *values, size_t count, char **text,
			    size_t *len)
{
	struct fm_error err = { 0 };

	if ((!fm_transcript_count(common->transcript) &&
	     one_step_each(common->transcript, technology, values, count, &err)) ||
	    fm_transcript_text(common->transcript, text, len, &err)) {
		complain("%s: %s", common->transcript_path, err.msg);
		return false;
	}
	return true;
}

/* The verb's files and the transcript. */
static bool write_files(const struct measure_common *common, const char *technology,
			const struct measure_value *values, size_t count)
{
	size_t n = common->file_count;
	struct output *all;
	char *text = NULL;
	size_t len = 0;
	bool ok;

	if (common->transcript && !transcript_text(common, technology, values, count, &text, &len))
		return false;
	all = out_need(calloc(n + 1, sizeof(*all)));
	if (n)
		memcpy(all, common->files, n * sizeof(*all));
	if (text)
		all[n++] = (struct output){ common->transcript_path, text, len };
	ok = output_write_all(all, n);
	free(all);
	free(text);
	return ok;
}

/* RFC 4648, section 4; `text` has room for it and a NUL. */
static const char *base64(char *text, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *at = text;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)bytes[i] << 16;

		v |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
		v |= i + 2 < len ? bytes[i + 2] : 0;
		*at++ = digits[v >> 18];
		*at++ = digits[v >> 12 & 63];
		*at++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*at = '\0';
	return text;
}

enum status measure_answer(struct measure_common *common, const char *technology,
			   const struct measure_value *values, size_t count)
{
	char hex[2 * 4096 + 1];
	struct out *out;

	if (!write_files(common, technology, values, count))
		return STATUS_BAD;
	if (!common->json) {
		for (size_t i = 0; i < count; i++)
			puts(common->base64 ? base64(hex, values[i].bytes, values[i].len)
					    : fm_digest_hex(hex, values[i].bytes, values[i].len));
		return STATUS_YES;
	}
	out = out_new(true);
	out_value(out, "technology", OUT_TEXT, (struct out_value){ .text = technology });
	for (size_t i = 0; i < count; i++) {
		fm_digest_hex(hex, values[i].bytes, values[i].len);
		out_value(out, values[i].key, OUT_TEXT, (struct out_value){ .text = hex });
	}
	return out_end(out, STATUS_YES);
}

enum status measure_answer_one(struct measure_common *common, const char *technology,
			       const uint8_t *bytes, size_t len)
{
	struct measure_value value = { "digest", bytes, len };

	return measure_answer(common, technology, &value, 1);
}

enum status measure_failed(const struct measure_common *common, const struct fm_error *err)
{
	if (err->code == FM_ERR_ARG)
		return complain("%s: %s", common->verb, err->msg);
	return complain("%s", err->msg);
}

void measure_tell_duplicates(const char *path, const struct measure_file *file)
{
	struct fm_ovmf ovmf;

	/* What is wrong with it otherwise the measurement tells. */
	if (!path || fm_ovmf_parse(&ovmf, path, file->bytes, file->len, 0, FM_OVMF_AS_QEMU, NULL) ||
	    !ovmf.duplicates)
		return;
	fprintf(stderr,
		"firmem: %s: %" PRIu32
		" entries with a GUID that came before were ignored, as QEMU "
		"does\n",
		path, ovmf.duplicates);
}

bool measure_hex(const struct measure_common *common, const char *option, const char *text,
		 uint8_t *out, size_t len)
{
	uint8_t bytes[512];
	size_t n;

	if (fm_digest_from_hex(text, bytes, sizeof(bytes), &n) && n == len) {
		memcpy(out, bytes, len);
		return true;
	}
	complain("%s: --%s: \"%.40s\" of %zu characters, expected %zu hexadecimal digits",
		 common->verb, option, text, strlen(text), 2 * len);
	return false;
}

bool measure_u32(const struct measure_common *common, const char *option, uint64_t value,
		 uint32_t *out)
{
	if (value > UINT32_MAX) {
		complain("%s: --%s: 0x%" PRIx64 ", expected below 2^32", common->verb, option,
			 value);
		return false;
	}
	*out = (uint32_t)value;
	return true;
}
