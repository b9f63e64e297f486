/* SPDX-License-Identifier: BSD-2-Clause */
/* Label areas in files, as the verbs read and change them. */
#include "tools/firmem/nvdimm_verbs.h"

#include <firmem/block.h>
#include <firmem/io.h>
#include <firmem/persist.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QEMU_LABEL_SIZE (128u << 10)
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
	if (!label_size)
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

bool nvdimm_area_read(const char *path, uint64_t label_size, struct nvdimm_area *area)
{
	const struct fm_io *io = fm_io_posix();
	struct fm_file *file;
	bool ok;

	if (!nvdimm_file_open(path, FM_IO_READ, &file))
		return false;
	ok = nvdimm_area_read_open(path, file, label_size, area);
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
	complain("%s: %s", path, err.msg);
	return NULL;
}

/* --- changes ------------------------------------------------------------------------------------- */

/* What tells images apart in a message of the library: a block's name has at most 63 bytes, and no control
 * characters. */
static void name_of(const char *path, char name[64])
{
	const char *slash = strrchr(path, '/');

	snprintf(name, 64, "%s", slash ? slash + 1 : path);
	for (char *p = name; *p; p++)
		*p = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
}

static bool map(const char *path, struct nvdimm_edit *edit)
{
	char name[64];
	const struct fm_block_config mem = {
		.struct_size = sizeof(mem),
		.name = name,
		.role = FM_ROLE_NVDIMM,
		.backing = FM_BACKING_FILE,
		.flags = FM_BLOCK_SHARED,
		.path = path,
	};
	struct fm_label_place *p = &edit->place;
	struct fm_error err;

	name_of(path, name);
	*p = (struct fm_label_place){ .off = edit->area.off, .len = edit->area.len };
	if (fm_block_new(&p->block, &mem, &err)) {
		complain("%s", err.msg);
		return false;
	}
	if (!fm_persist_open(&p->persist, p->block, &err) &&
	    !fm_label_medium_of(&edit->medium, p, edit->area.pmem_len, &err))
		return true;
	complain("%s: %s", path, err.msg);
	fm_persist_close(p->persist);
	fm_block_free(p->block);
	return false;
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
