/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk that steps are played on: what of them is durable, and what a cut may still leave or not. */
#include "powercut/powercut_private.h"

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

#define LENGTH UINT64_MAX /* the `off` of a choice that is a file's length */

/* --- playing ------------------------------------------------------------------------------- */

static bool add_part(struct fmi_disk_file *f, const struct fmi_step *step, uint64_t off,
		     uint64_t len)
{
	if (f->parts == f->room) {
		size_t room = f->room ? 2 * f->room : 32;
		struct fmi_part *part = realloc(f->part, room * sizeof(*part));

		if (!part)
			return false;
		f->part = part;
		f->room = room;
	}
	f->part[f->parts++] = (struct fmi_part){ step, off, len };
	return true;
}

/* Do to `bytes`, a file from `base` on, what a part of a write does. */
static void apply_part(uint8_t *bytes, uint64_t base, uint64_t limit, const struct fmi_part *part)
{
	uint64_t first = fmi_max_u64(part->off, base);
	uint64_t end = fmi_min_u64(part->off + part->len, limit);

	if (first < end)
		memcpy(bytes + (first - base), part->step->data + (first - part->step->off),
		       (size_t)(end - first));
}

static bool is_size(const struct fmi_part *part)
{
	return part->step->kind == FMI_STEP_SIZE;
}

static void set_length(const struct fmi_disk *d, struct fmi_disk_file *f, uint64_t len)
{
	if (len < f->base_len)
		memset(f->base + len, 0, (size_t)(f->base_len - len));
	f->base_len = fmi_min_u64(len, d->file_max);
}

/* What lies in [off, end) is durable, and the length; the rest stays as parts. */
static bool sync_file(struct fmi_disk *d, struct fmi_disk_file *f, uint64_t off, uint64_t end)
{
	struct fmi_part *old = f->part;
	size_t count = f->parts;
	bool ok = true;

	f->part = NULL;
	f->parts = f->room = 0;
	for (size_t i = 0; i < count; i++) {
		const struct fmi_part *p = &old[i];
		uint64_t p_end = p->off + p->len;

		if (is_size(p)) {
			set_length(d, f, p->step->off);
			continue;
		}
		if (p->off < end && p_end > off) {
			uint64_t first = fmi_max_u64(p->off, off);

			apply_part(f->base + first, first, fmi_min_u64(p_end, end), p);
		}
		if (p->off < off)
			ok = ok && add_part(f, p->step, p->off, fmi_min_u64(p_end, off) - p->off);
		if (p_end > end) {
			uint64_t first = fmi_max_u64(p->off, end);

			ok = ok && add_part(f, p->step, first, p_end - first);
		}
	}
	free(old);
	return ok;
}

static bool same_folder(const char *a, const char *b)
{
	const char *a_end = strrchr(a, '/');
	const char *b_end = strrchr(b, '/');
	size_t a_len = a_end ? (size_t)(a_end - a) : 0;
	size_t b_len = b_end ? (size_t)(b_end - b) : 0;

	return a_len == b_len && !memcmp(a, b, a_len);
}

static void drop_name(struct fmi_name *name, unsigned *names, const char *path)
{
	for (unsigned i = 0; i < *names; i++) {
		if (!strcmp(name[i].path, path)) {
			name[i] = name[--*names];
			return;
		}
	}
}

static void put_name(struct fmi_name *name, unsigned *names, char *path, unsigned file)
{
	drop_name(name, names, path);
	if (*names < FMI_FILES)
		name[(*names)++] = (struct fmi_name){ path, file };
}

static void apply_name(struct fmi_name *name, unsigned *names, const struct fmi_step *step)
{
	if (step->kind == FMI_STEP_RENAME || step->kind == FMI_STEP_UNLINK)
		drop_name(name, names, step->path);
	if (step->kind == FMI_STEP_RENAME)
		put_name(name, names, step->to, step->file);
	if (step->kind == FMI_STEP_LINK)
		put_name(name, names, step->path, step->file);
}

static void sync_folder(struct fmi_disk *d, const char *path)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < d->dirops; i++) {
		if (same_folder(d->dirop[i]->path, path))
			apply_name(d->name, &d->names, d->dirop[i]);
		else
			d->dirop[kept++] = d->dirop[i];
	}
	d->dirops = kept;
}

bool fmi_disk_play(struct fmi_disk *d, const struct fmi_step *step)
{
	struct fmi_disk_file *f = &d->file[step->file];

	if (!f->base)
		f->base = calloc(1, (size_t)d->file_max);
	if (!f->base)
		return false;
	switch (step->kind) {
	case FMI_STEP_WRITE:
		return add_part(f, step, step->off, step->len);
	case FMI_STEP_SIZE:
		return add_part(f, step, step->off, 0);
	case FMI_STEP_SYNC:
		return sync_file(d, f, step->off, step->off + step->len);
	case FMI_STEP_LINK:
	case FMI_STEP_RENAME:
	case FMI_STEP_UNLINK:
		/* A journal of the file system does not wait for ever. */
		if (d->dirops == FMI_FILES)
			sync_folder(d, d->dirop[0]->path);
		d->dirop[d->dirops++] = step;
		return true;
	case FMI_STEP_SYNC_DIR:
		sync_folder(d, step->path);
		return true;
	}
	return false;
}

void fmi_disk_exit(struct fmi_disk *d)
{
	for (unsigned i = 0; i < FMI_FILES; i++) {
		free(d->file[i].base);
		free(d->file[i].part);
	}
}

/* --- choices ------------------------------------------------------------------------------- */

static bool add_choice(struct fmi_choices *c, struct fmi_choice choice)
{
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct fmi_choice *more = realloc(c->choice, room * sizeof(*more));

		if (!more)
			return false;
		c->choice = more;
		c->room = room;
	}
	c->choice[c->count++] = choice;
	return true;
}

static struct fmi_choice *find_choice(struct fmi_choices *c, size_t from, uint64_t off)
{
	for (size_t i = from; i < c->count; i++) {
		if (c->choice[i].off == off)
			return &c->choice[i];
	}
	return NULL;
}

static bool count_version(struct fmi_choices *c, size_t from, unsigned file, uint64_t off)
{
	struct fmi_choice *choice = find_choice(c, from, off);

	if (!choice)
		return add_choice(c, (struct fmi_choice){ file, off, 1, -1 });
	choice->count++;
	return true;
}

/* The choices of one file: its pieces that parts touch, its length. */
static bool file_choices(const struct fmi_disk_file *f, unsigned file, unsigned piece,
			 struct fmi_choices *out)
{
	size_t from = out->count;

	for (size_t i = 0; i < f->parts; i++) {
		const struct fmi_part *p = &f->part[i];
		uint64_t at = fmi_align_down(p->off, piece);

		if (is_size(p) && !count_version(out, from, file, LENGTH))
			return false;
		for (; !is_size(p) && at < p->off + p->len; at += piece) {
			if (!count_version(out, from, file, at))
				return false;
		}
	}
	return true;
}

bool fmi_disk_choices(const struct fmi_disk *d, unsigned piece, struct fmi_choices *out)
{
	out->count = 0;
	for (unsigned i = 0; i < FMI_FILES; i++) {
		if (!file_choices(&d->file[i], i, piece, out))
			return false;
	}
	for (unsigned i = 0; i < d->dirops; i++) {
		if (!add_choice(out, (struct fmi_choice){ .count = 1, .dirop = (int)i }))
			return false;
	}
	return true;
}

/* --- making what is left ---------------------------------------------------------------------- */

static uint64_t make_length(const struct fmi_disk_file *f, unsigned version)
{
	uint64_t len = f->base_len;

	for (size_t i = 0; i < f->parts && version; i++) {
		if (!is_size(&f->part[i]))
			continue;
		len = f->part[i].step->off;
		version--;
	}
	return len;
}

static void make_piece(const struct fmi_disk_file *f, unsigned piece, uint64_t at, unsigned version,
		       uint8_t *bytes)
{
	for (size_t i = 0; i < f->parts && version; i++) {
		const struct fmi_part *p = &f->part[i];

		if (is_size(p) || p->off >= at + piece || p->off + p->len <= at)
			continue;
		apply_part(bytes + at, at, at + piece, p);
		version--;
	}
}

static int make_file(const struct fmi_disk *d, unsigned piece, const struct fmi_choices *c,
		     const unsigned *version, const struct fmi_name *name, struct fm_powercut *pc,
		     struct fm_error *err)
{
	const struct fmi_disk_file *f = &d->file[name->file];
	uint8_t *bytes = malloc((size_t)d->file_max);
	uint64_t len = f->base_len;
	int rc;

	if (!bytes)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "powercut: out of memory");
	memcpy(bytes, f->base, (size_t)d->file_max);
	for (size_t i = 0; i < c->count; i++) {
		const struct fmi_choice *choice = &c->choice[i];

		if (choice->dirop >= 0 || choice->file != name->file)
			continue;
		if (choice->off == LENGTH)
			len = make_length(f, version[i]);
		else
			make_piece(f, piece, choice->off, version[i], bytes);
	}
	rc = fm_powercut_put(pc, name->path, bytes, (size_t)len, err);
	free(bytes);
	return rc;
}

int fmi_disk_make(const struct fmi_disk *d, unsigned piece, const struct fmi_choices *choices,
		  const unsigned *version, struct fm_powercut **out, struct fm_error *err)
{
	const struct fm_powercut_config cfg = { .struct_size = sizeof(cfg),
						.file_max = d->file_max };
	struct fmi_name name[FMI_FILES];
	unsigned names = d->names;
	struct fm_powercut *pc;
	int rc = fm_powercut_new(&pc, &cfg, err);

	if (rc)
		return rc;
	memcpy(name, d->name, sizeof(name));
	for (size_t i = 0; i < choices->count; i++) {
		if (choices->choice[i].dirop >= 0 && version[i])
			apply_name(name, &names, d->dirop[choices->choice[i].dirop]);
	}
	for (unsigned i = 0; !rc && i < names; i++)
		rc = make_file(d, piece, choices, version, &name[i], pc, err);
	if (rc) {
		fm_powercut_free(pc);
		return rc;
	}
	*out = pc;
	return 0;
}
