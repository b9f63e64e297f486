/* SPDX-License-Identifier: BSD-2-Clause */
/* The seam: files in memory, and a record of what was done to them. */
#include "powercut/powercut_private.h"

#include "devices/bytes.h"
#include "devices/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (UINT64_C(4) << 20)
#define PAGE 4096u

/* --- the record ---------------------------------------------------------------------------- */

static struct fmi_step *add(struct fm_powercut *pc, enum fmi_step_kind kind, unsigned file)
{
	if (pc->steps == pc->room) {
		uint64_t room = pc->room ? 2 * pc->room : 64;
		struct fmi_step *step = realloc(pc->step, room * sizeof(*step));

		if (!step) {
			pc->broken = true;
			return NULL;
		}
		pc->step = step;
		pc->room = room;
	}
	pc->step[pc->steps] = (struct fmi_step){ .kind = kind, .file = file };
	return &pc->step[pc->steps++];
}

static void add_write(struct fm_powercut *pc, unsigned file, uint64_t off, const uint8_t *data,
		      uint64_t len)
{
	struct fmi_step *step = add(pc, FMI_STEP_WRITE, file);

	if (!step)
		return;
	step->off = off;
	step->data = malloc((size_t)len);
	if (step->data) {
		step->len = len;
		memcpy(step->data, data, (size_t)len);
	} else {
		pc->broken = true;
	}
}

static void add_size(struct fm_powercut *pc, unsigned file)
{
	struct fmi_step *step = add(pc, FMI_STEP_SIZE, file);

	if (step)
		step->off = pc->file[file].len;
}

static void add_sync(struct fm_powercut *pc, unsigned file, uint64_t off, uint64_t len)
{
	struct fmi_step *step;

	if (++pc->syncs == pc->cfg.drop_sync)
		return;
	step = add(pc, FMI_STEP_SYNC, file);
	if (step) {
		step->off = off;
		step->len = len;
	}
}

static void add_name(struct fm_powercut *pc, enum fmi_step_kind kind, unsigned file,
		     const char *path, const char *to)
{
	struct fmi_step *step = add(pc, kind, file);

	if (!step)
		return;
	step->path = strdup(path);
	step->to = to ? strdup(to) : NULL;
	pc->broken |= !step->path || (to && !step->to);
}

void fm_powercut_look(struct fm_powercut *pc)
{
	for (unsigned i = 0; i < pc->files; i++) {
		struct fmi_live *f = &pc->file[i];

		for (uint64_t at = 0; f->maps && at < f->len; at += FMI_SECTOR) {
			uint64_t n = fmi_min_u64(FMI_SECTOR, f->len - at);

			if (!memcmp(f->bytes + at, f->seen + at, (size_t)n))
				continue;
			memcpy(f->seen + at, f->bytes + at, (size_t)n);
			add_write(pc, i, at, f->seen + at, n);
		}
	}
}

/* --- files ---------------------------------------------------------------------------------- */

static struct fm_powercut *look(void *ctx)
{
	fm_powercut_look(ctx);
	return ctx;
}

static struct fmi_live *live(struct fm_file *file)
{
	return (struct fmi_live *)(void *)file;
}

static unsigned number(const struct fmi_live *f)
{
	return (unsigned)(f - f->pc->file);
}

static int find(const struct fm_powercut *pc, const char *path)
{
	for (unsigned i = 0; i < pc->names; i++) {
		if (!strcmp(pc->name[i].path, path))
			return (int)i;
	}
	return -1;
}

/* A file without a name. */
static int make_file(struct fm_powercut *pc, unsigned *out)
{
	struct fmi_live *f = &pc->file[pc->files];

	if (pc->files == FMI_FILES)
		return -ENFILE;
	f->bytes = aligned_alloc(PAGE, (size_t)pc->cfg.file_max);
	f->seen = malloc((size_t)pc->cfg.file_max);
	if (!f->bytes || !f->seen) {
		free(f->bytes);
		free(f->seen);
		return -ENOMEM;
	}
	f->pc = pc;
	f->len = 0;
	f->maps = 0;
	*out = pc->files++;
	return 0;
}

static int link_file(struct fm_powercut *pc, const char *path, unsigned file)
{
	struct fmi_name *name = &pc->name[pc->names];

	name->path = strdup(path);
	if (!name->path)
		return -ENOMEM;
	name->file = file;
	pc->names++;
	return 0;
}

static int record_open(void *ctx, const char *path, unsigned flags, struct fm_file **out)
{
	struct fm_powercut *pc = look(ctx);
	int name = find(pc, path);
	unsigned file;
	int rc;

	if (name >= 0 && (flags & FM_IO_CREATE) && (flags & FM_IO_EXCL))
		return -EEXIST;
	if (name < 0 && !(flags & FM_IO_CREATE))
		return -ENOENT;
	if (name >= 0) {
		file = pc->name[name].file;
	} else {
		rc = make_file(pc, &file);
		if (!rc)
			rc = link_file(pc, path, file);
		if (rc)
			return rc;
		add_name(pc, FMI_STEP_LINK, file, path, NULL);
	}
	*out = (struct fm_file *)(void *)&pc->file[file];
	return 0;
}

static int record_open_fd(void *ctx, int fd, unsigned flags, struct fm_file **out)
{
	return -EBADF;
}

static void record_close(void *ctx, struct fm_file *file)
{
	look(ctx);
}

static int record_size(void *ctx, struct fm_file *file, uint64_t *bytes)
{
	*bytes = live(file)->len;
	return 0;
}

static int record_identity(void *ctx, struct fm_file *file, struct fm_file_id *out)
{
	*out = (struct fm_file_id){ 1, 1 + number(live(file)) };
	return 0;
}

static ssize_t record_pread(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	const struct fmi_live *f = live(file);

	if (off >= f->len)
		return 0;
	len = (size_t)fmi_min_u64(len, f->len - off);
	memcpy(buf, f->bytes + off, len);
	return (ssize_t)len;
}

/* The file is at least `len` bytes long, zeros where it grew. */
static void grow(struct fmi_live *f, uint64_t len)
{
	if (len <= f->len)
		return;
	memset(f->bytes + f->len, 0, (size_t)(len - f->len));
	memset(f->seen + f->len, 0, (size_t)(len - f->len));
	f->len = len;
	add_size(f->pc, number(f));
}

static ssize_t record_pwrite(void *ctx, struct fm_file *file, const void *buf, size_t len,
			     uint64_t off)
{
	struct fm_powercut *pc = look(ctx);
	struct fmi_live *f = live(file);

	if (!fmi_in_range(off, len, pc->cfg.file_max))
		return -ENOSPC;
	grow(f, off + len);
	memcpy(f->bytes + off, buf, len);
	memcpy(f->seen + off, buf, len);
	add_write(pc, number(f), off, buf, len);
	return (ssize_t)len;
}

static int record_fdatasync(void *ctx, struct fm_file *file)
{
	struct fm_powercut *pc = look(ctx);

	add_sync(pc, number(live(file)), 0, pc->cfg.file_max);
	return 0;
}

static int record_truncate(void *ctx, struct fm_file *file, uint64_t bytes)
{
	struct fm_powercut *pc = look(ctx);
	struct fmi_live *f = live(file);

	if (bytes > pc->cfg.file_max)
		return -ENOSPC;
	grow(f, bytes);
	if (bytes < f->len) {
		f->len = bytes;
		add_size(pc, number(f));
	}
	return 0;
}

static int record_allocate(void *ctx, struct fm_file *file, uint64_t off, uint64_t len)
{
	struct fm_powercut *pc = look(ctx);

	if (!fmi_in_range(off, len, pc->cfg.file_max))
		return -ENOSPC;
	grow(live(file), off + len);
	return 0;
}

static int record_map(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot,
		      int flags, void **out)
{
	struct fmi_live *f = live(file);

	look(ctx);
	if (!fmi_in_range(off, len, f->len))
		return -EINVAL;
	f->maps++;
	*out = f->bytes + off;
	return 0;
}

static struct fmi_live *mapped_at(struct fm_powercut *pc, const void *addr)
{
	const uint8_t *at = addr;

	for (unsigned i = 0; i < pc->files; i++) {
		struct fmi_live *f = &pc->file[i];

		if (f->maps && at >= f->bytes && at < f->bytes + pc->cfg.file_max)
			return f;
	}
	return NULL;
}

static int record_unmap(void *ctx, void *addr, size_t len)
{
	struct fmi_live *f = mapped_at(look(ctx), addr);

	if (!f)
		return -EINVAL;
	f->maps--;
	return 0;
}

static int record_msync(void *ctx, void *addr, size_t len)
{
	struct fm_powercut *pc = look(ctx);
	struct fmi_live *f = mapped_at(pc, addr);

	if (!f)
		return -ENOMEM;
	add_sync(pc, number(f), (uint64_t)((uint8_t *)addr - f->bytes), len);
	return 0;
}

static int record_lock(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len)
{
	return 0;
}

static int record_lock_test(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len,
			    pid_t *holder)
{
	return 0;
}

static void forget(struct fm_powercut *pc, int name)
{
	free(pc->name[name].path);
	pc->name[name] = pc->name[--pc->names];
}

static int record_rename(void *ctx, const char *from, const char *to)
{
	struct fm_powercut *pc = look(ctx);
	int name = find(pc, from);
	int other = find(pc, to);
	unsigned file;
	char *copy;

	if (name < 0)
		return -ENOENT;
	copy = strdup(to);
	if (!copy)
		return -ENOMEM;
	file = pc->name[name].file;
	free(pc->name[name].path);
	pc->name[name].path = copy;
	if (other >= 0 && other != name)
		forget(pc, other);
	add_name(pc, FMI_STEP_RENAME, file, from, to);
	return 0;
}

static int record_unlink(void *ctx, const char *path)
{
	struct fm_powercut *pc = look(ctx);
	int name = find(pc, path);

	if (name < 0)
		return -ENOENT;
	add_name(pc, FMI_STEP_UNLINK, pc->name[name].file, path, NULL);
	forget(pc, name);
	return 0;
}

static int record_sync_dir(void *ctx, const char *path)
{
	add_name(look(ctx), FMI_STEP_SYNC_DIR, 0, path, NULL);
	return 0;
}

static const struct fm_io_ops record_ops = {
	.struct_size = sizeof(record_ops),
	.open = record_open,
	.open_fd = record_open_fd,
	.close = record_close,
	.size = record_size,
	.identity = record_identity,
	.pread = record_pread,
	.pwrite = record_pwrite,
	.fdatasync = record_fdatasync,
	.truncate = record_truncate,
	.allocate = record_allocate,
	.map = record_map,
	.unmap = record_unmap,
	.msync = record_msync,
	.lock = record_lock,
	.lock_test = record_lock_test,
	.rename = record_rename,
	.unlink = record_unlink,
	.sync_dir = record_sync_dir,
};

/* --- making one ---------------------------------------------------------------------------- */

int fm_powercut_new(struct fm_powercut **out, const struct fm_powercut_config *cfg,
		    struct fm_error *err)
{
	struct fm_powercut_config c;
	struct fm_powercut *pc;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_powercut_config", err);

	if (rc)
		return rc;
	pc = calloc(1, sizeof(*pc));
	if (!pc)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "powercut: out of memory");
	pc->cfg = c;
	if (!c.file_max)
		pc->cfg.file_max = FILE_MAX;
	pc->cfg.file_max = fmi_align_up(pc->cfg.file_max, PAGE);
	pc->io = (struct fm_io){ .ops = &record_ops, .ctx = pc };
	*out = pc;
	return 0;
}

void fm_powercut_free(struct fm_powercut *pc)
{
	if (!pc)
		return;
	for (uint64_t i = 0; i < pc->steps; i++) {
		free(pc->step[i].data);
		free(pc->step[i].path);
		free(pc->step[i].to);
	}
	for (unsigned i = 0; i < pc->names; i++)
		free(pc->name[i].path);
	for (unsigned i = 0; i < pc->files; i++) {
		free(pc->file[i].bytes);
		free(pc->file[i].seen);
	}
	free(pc->step);
	free(pc);
}

const struct fm_io *fm_powercut_io(struct fm_powercut *pc)
{
	return &pc->io;
}

int fm_powercut_put(struct fm_powercut *pc, const char *path, const void *bytes, size_t len,
		    struct fm_error *err)
{
	struct fmi_step *step;
	struct fm_file *file;
	int rc;

	if (find(pc, path) >= 0)
		return fm_error_set(err, FM_ERR_EXISTS, 0, "powercut: %s: is there already", path);
	if (len > pc->cfg.file_max)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "powercut: %s: %zu bytes, expected at most %llu", path, len,
				    (unsigned long long)pc->cfg.file_max);
	rc = record_open(pc, path, FM_IO_WRITE | FM_IO_CREATE, &file);
	if (rc)
		return fm_error_set(err, FM_ERR_NOMEM, -rc, "powercut: %s: no memory for it", path);
	if (len)
		record_pwrite(pc, file, bytes, len, 0);
	/* Not one that drop_sync counts. */
	step = add(pc, FMI_STEP_SYNC, number(live(file)));
	if (step)
		step->len = pc->cfg.file_max;
	record_sync_dir(pc, path);
	pc->durable = pc->steps;
	return 0;
}

const uint8_t *fm_powercut_file(struct fm_powercut *pc, const char *path, size_t *len)
{
	int name = find(pc, path);

	if (name < 0)
		return NULL;
	*len = (size_t)pc->file[pc->name[name].file].len;
	return pc->file[pc->name[name].file].bytes;
}

uint64_t fm_powercut_point(const struct fm_powercut *pc)
{
	return pc->steps;
}

bool fm_powercut_broken(const struct fm_powercut *pc)
{
	return pc->broken;
}
