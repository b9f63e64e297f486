/* SPDX-License-Identifier: BSD-2-Clause */
/* Label areas in files, as the verbs read and change them. */
#include "tools/firmem/nvdimm_verbs.h"

#include <firmem/block.h>
#include <firmem/io.h>
#include <firmem/persist.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QEMU_LABEL_SIZE (128u << 10)
#define TRIES 500           /* to read while nobody changes it: 5 s */
#define BARE_MAX (1u << 20) /* bytes of a file that may be an area and nothing else */

/* --- reading ------------------------------------------------------------------------------------- */

static bool read_bytes(const char *path, struct fm_file *file, struct nvdimm_area *area)
{
	const struct fm_io *io = fm_io_posix();
	int rc;

	area->bytes = out_need(malloc(area->len));
	rc = fm_io_read_all(io, file, area->bytes, area->len, area->off);
	if (!rc)
		return true;
	free(area->bytes);
	area->bytes = NULL;
	complain("%s: cannot be read: %s", path, strerror(-rc));
	return false;
}

static bool has_index(const struct nvdimm_area *area)
{
	struct fm_label_area *parsed;
	bool yes;

	if (fm_label_parse(&parsed, area->bytes, area->len, 0, NULL))
		return false;
	yes = fm_label_info(parsed)->current >= 0;
	fm_label_free(parsed);
	return yes;
}

static bool read_last(const char *path, struct fm_file *file, uint64_t size, uint64_t len,
		      struct nvdimm_area *area)
{
	*area = (struct nvdimm_area){ .off = size - len, .len = len, .pmem_len = size - len };
	return read_bytes(path, file, area);
}

/* Where no size is given: a bare area, or QEMU's usual one; the first that has labels. */
static bool read_guess(const char *path, struct fm_file *file, uint64_t size,
		       struct nvdimm_area *area)
{
	bool bare = size <= BARE_MAX && size >= FM_LABEL_AREA_MIN;

	if (size > QEMU_LABEL_SIZE) {
		if (!read_last(path, file, size, QEMU_LABEL_SIZE, area))
			return false;
		if (has_index(area))
			return true;
		free(area->bytes);
	}
	if (bare)
		return read_last(path, file, size, size, area);
	if (size < FM_LABEL_AREA_MIN)
		complain("%s: size: %llu bytes, expected a label area of at least %u", path,
			 (unsigned long long)size, FM_LABEL_AREA_MIN);
	else
		complain("%s: no label area in its last 128 KiB, expected --label-size", path);
	return false;
}

bool nvdimm_area_read_open(const char *path, struct fm_file *file, uint64_t label_size,
			   struct nvdimm_area *area)
{
	const struct fm_io *io = fm_io_posix();
	uint64_t size;
	int rc = io->ops->size(io->ctx, file, &size);

	if (rc) {
		complain("%s: cannot be read: %s", path, strerror(-rc));
		return false;
	}
	if (label_size == NVDIMM_GUESS)
		return read_guess(path, file, size, area);
	if (label_size > size || label_size < FM_LABEL_AREA_MIN || label_size > FM_LABEL_AREA_MAX) {
		complain(
			"%s: --label-size: 0x%llx, expected 0x%x to 0x%x, and at most its 0x%llx bytes",
			path, (unsigned long long)label_size, FM_LABEL_AREA_MIN, FM_LABEL_AREA_MAX,
			(unsigned long long)size);
		return false;
	}
	return read_last(path, file, size, label_size, area);
}

/* Is it being changed by one of us? Others take no lock. */
static bool is_changing(struct fm_file *file)
{
	const struct fm_io *io = fm_io_posix();
	pid_t holder;

	return io->ops->lock_test(io->ctx, file, FM_IO_LOCK_SHARED, 0, 0, &holder) == -EAGAIN;
}

/* It was twice the same, with nobody at it before and after: no change was half way. */
static bool is_still(struct fm_file *file, const struct nvdimm_area *area)
{
	uint8_t *again = out_need(malloc(area->len));
	/* What cannot be read now is told when it is read the next time. */
	bool same = !fm_io_read_all(fm_io_posix(), file, again, area->len, area->off) &&
		    !memcmp(area->bytes, again, area->len) && !is_changing(file);

	free(again);
	return same;
}

/* A change takes milliseconds; "grow" takes longer, and does not change labels. */
static bool read_still(const char *path, struct fm_file *file, uint64_t label_size,
		       struct nvdimm_area *area)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (unsigned tries = 0;; tries++) {
		bool free_now = !is_changing(file);

		if (free_now || tries == TRIES) {
			if (!nvdimm_area_read_open(path, file, label_size, area))
				return false;
			if (tries == TRIES || is_still(file, area))
				return true;
			nvdimm_area_free(area);
		}
		nanosleep(&pause, NULL);
	}
}

bool nvdimm_area_read(const char *path, uint64_t label_size, struct nvdimm_area *area)
{
	const struct fm_io *io = fm_io_posix();
	struct fm_file *file;
	bool ok;

	if (!nvdimm_file_open(path, FM_IO_READ, &file))
		return false;
	ok = read_still(path, file, label_size, area);
	io->ops->close(io->ctx, file);
	return ok;
}

/* Is there a label area that begins elsewhere? */
static bool has_other(const char *path, struct fm_file *file, const struct nvdimm_area *area)
{
	uint64_t size = area->off + area->len;
	struct nvdimm_area other;
	bool yes;

	if (area->len == QEMU_LABEL_SIZE || size < QEMU_LABEL_SIZE ||
	    !read_last(path, file, size, QEMU_LABEL_SIZE, &other))
		return false;
	yes = has_index(&other);
	nvdimm_area_free(&other);
	return yes;
}

bool nvdimm_area_is_plausible(const char *path, struct fm_file *file,
			      const struct nvdimm_area *area)
{
	bool zero = !area->len;

	if (area->len && has_index(area))
		return true;
	if (area->len)
		zero = !area->bytes[0] && !memcmp(area->bytes, area->bytes + 1, area->len - 1);
	if (zero && !has_other(path, file, area))
		return true;
	complain("%s: --label-size: 0x%llx, but its last 0x%llx bytes are %s, expected what it was "
		 "made with",
		 path, (unsigned long long)area->len,
		 (unsigned long long)(zero ? QEMU_LABEL_SIZE : area->len),
		 zero ? "a label area" : "neither labels nor zeros");
	return false;
}

void nvdimm_area_free(struct nvdimm_area *area)
{
	free(area->bytes);
}

struct fm_label_area *nvdimm_area_parse(const char *path, const struct nvdimm_area *area)
{
	struct fm_label_area *parsed;
	struct fm_error err;

	if (!fm_label_parse(&parsed, area->bytes, area->len, area->pmem_len, &err))
		return parsed;
	nvdimm_complain(path, &err);
	return NULL;
}

/* --- changes ------------------------------------------------------------------------------------- */

#define BLOCK "labels" /* the block's name, in messages about it, which is none for people */

static const char *behind(const char *text, const char *start)
{
	size_t len = strlen(start);

	return strncmp(text, start, len) ? text : text + len;
}

/* Does the path stand there, and behind it what is wrong, or as much of it as a message has room for? */
static bool is_path(const struct fm_error *err, const char *text, const char *path)
{
	size_t len = strlen(path), room = strlen(text);

	if (room > len)
		return text[len] == ':' && !strncmp(text, path, len);
	return room && strlen(err->msg) == sizeof(err->msg) - 1 && !strncmp(text, path, room);
}

/* "PATH: WHY", "sync of PATH: WHY", "block NAME: WHY", "WHY". */
enum status nvdimm_complain(const char *path, const struct fm_error *err)
{
	const char *text =
		behind(behind(err->msg, "block " BLOCK " (file): "), "block " BLOCK ": ");
	const char *of = strstr(text, " of "), *name = of ? of + 4 : "", *why;

	if (is_path(err, text, path))
		name = of = text;
	else if (!is_path(err, name, path))
		return complain("%s: %s", path, text);
	why = strlen(name) > strlen(path) + 2 ? name + strlen(path) + 2
	      : err->sys                      ? strerror(err->sys)
					      : fm_strerror(err->code);
	return complain("%s: %.*s%s%s", path, (int)(of - text), text, of > text ? ": " : "", why);
}

static bool map(const char *path, struct nvdimm_edit *edit)
{
	const struct fm_block_config mem = {
		.struct_size = sizeof(mem),
		.name = BLOCK,
		.role = FM_ROLE_NVDIMM,
		.backing = FM_BACKING_FILE,
		.flags = FM_BLOCK_SHARED,
		.path = path,
	};
	struct fm_label_place *p = &edit->place;
	struct fm_error err;

	*p = (struct fm_label_place){ .off = edit->area.off, .len = edit->area.len };
	if (fm_block_new(&p->block, &mem, &err)) {
		nvdimm_complain(path, &err);
		return false;
	}
	if (!fm_persist_open(&p->persist, p->block, &err) &&
	    !fm_label_medium_of(&edit->medium, p, edit->area.pmem_len, &err))
		return true;
	nvdimm_complain(path, &err);
	fm_persist_close(p->persist);
	fm_block_free(p->block);
	return false;
}

static int bytes_write(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	memcpy((uint8_t *)ctx + off, bytes, len);
	return 0;
}

static int bytes_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return 0;
}

void nvdimm_medium_of_bytes(struct fm_label_medium *out, uint8_t *bytes, size_t len,
			    uint64_t pmem_len)
{
	*out = (struct fm_label_medium){
		.struct_size = sizeof(*out),
		.bytes = bytes,
		.len = len,
		.pmem_len = pmem_len,
		.ctx = bytes,
		.write = bytes_write,
		.sync = bytes_sync,
	};
}

static void unlock(struct nvdimm_edit *edit)
{
	fm_io_posix()->ops->close(fm_io_posix()->ctx, edit->file);
}

bool nvdimm_edit_open(const char *path, uint64_t label_size, struct nvdimm_edit *edit)
{
	if (!nvdimm_file_lock(path, FM_IO_READ | FM_IO_WRITE, &edit->file))
		return false;
	if (nvdimm_area_read_open(path, edit->file, label_size, &edit->area)) {
		if (map(path, edit))
			return true;
		nvdimm_area_free(&edit->area);
	}
	unlock(edit);
	return false;
}

void nvdimm_edit_close(struct nvdimm_edit *edit)
{
	fm_persist_close(edit->place.persist);
	fm_block_free(edit->place.block);
	nvdimm_area_free(&edit->area);
	unlock(edit);
}
