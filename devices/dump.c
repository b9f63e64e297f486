/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/dump_private.h"

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/guestmem.h"
#include "devices/io_private.h"
#include "devices/populated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)

#define CHUNK (256u << 10) /* stays in a cache between the look for zeros and the write */

/* --- the memory ------------------------------------------------------------------------------ */

static bool is_zero(const uint8_t *p, size_t len)
{
	uint64_t any = 0;

	for (; len >= 64 && !any; len -= 64, p += 64) {
		for (unsigned i = 0; i < 64; i += 8)
			any |= fmi_mem_read(p + i, 8);
	}
	for (; len && !any; len--, p++)
		any = fmi_mem_load8(p);
	return !any;
}

static int write_run(struct fmi_dump *d, const uint8_t *host, uint64_t len, uint64_t off)
{
	int rc = fm_io_write_all(d->cfg->io, d->file, host, (size_t)len, off);

	d->result.written += rc ? 0 : len;
	return rc;
}

/* The pages of a chunk that are not all zeros, in as few writes as there are runs of them. */
static int write_chunk(struct fmi_dump *d, const uint8_t *host, uint64_t len, uint64_t off)
{
	uint64_t run = 0; /* length of the run that ends at `at` */

	for (uint64_t at = 0; at < len;) {
		uint64_t n = fmi_min_u64(FMI_DUMP_PAGE, len - at);
		int rc = 0;

		if (!is_zero(host + at, (size_t)n)) {
			run += n;
		} else if (run) {
			rc = write_run(d, host + at - run, run, off + at - run);
			run = 0;
		}
		if (rc)
			return rc;
		at += n;
	}
	return run ? write_run(d, host + len - run, run, off + len - run) : 0;
}

static bool go_on(const struct fmi_dump *d, uint64_t done)
{
	return !d->cfg->go_on || d->cfg->go_on(d->cfg->ctx, done, d->result.bytes);
}

struct writing {
	struct fmi_dump *d;
	const struct fmi_dump_segment *s;
	uint64_t off;  /* of the segment in the file */
	uint64_t done; /* bytes of the segments before */
	bool given_up;
	int rc;
};

/* What may be there of a segment's block; a run may reach over the segment, to whole pages. */
static void write_there(void *ctx, uint64_t off, uint64_t len)
{
	struct writing *w = ctx;
	const struct fmi_dump_segment *s = w->s;
	const uint8_t *host = (const uint8_t *)fm_block_ptr(s->block) + s->block_off;
	uint64_t at = off > s->block_off ? off - s->block_off : 0;
	uint64_t end = off + len > s->block_off ? off + len - s->block_off : 0;

	for (end = fmi_min_u64(end, s->len); at < end && !w->rc && !w->given_up; at += CHUNK) {
		uint64_t n = fmi_min_u64(CHUNK, end - at);

		w->rc = write_chunk(w->d, host + at, n, w->off + at);
		w->given_up = !go_on(w->d, w->done + at + n);
	}
}

static int write_memory(struct fmi_dump *d, uint64_t off, uint64_t *end, bool *given_up)
{
	struct writing w = { .d = d, .off = off };

	*end = off;
	for (size_t i = 0; i < d->nsegments && !w.rc && !w.given_up; i++) {
		w.s = &d->segments[i];
		fmi_populated_each(w.s->block, w.s->block_off, w.s->len, write_there, &w);
		w.done += w.s->len;
		if (!w.rc && !w.given_up)
			w.given_up = !go_on(d, w.done);
		*end = w.off + w.s->len;
		w.off = fmi_align_up(*end, FMI_DUMP_PAGE);
	}
	*given_up = w.given_up;
	return w.rc;
}

static int write_file(struct fmi_dump *d, struct fm_error *err)
{
	const struct fm_io *io = d->cfg->io;
	const char *path = d->cfg->path;
	uint64_t off = fmi_dump_head(d);
	bool given_up = false;
	uint64_t end = 0; /* 0: no memory was written */
	int rc;

	if (!off)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", path);
	rc = fm_io_write_all(io, d->file, d->head, d->head_len, 0);
	if (!rc)
		rc = write_memory(d, off, &end, &given_up);
	if (given_up)
		return fm_error_set(err, FM_ERR_STATE, 0, "%s: the dump was given up", path);
	if (rc == -EFAULT && end)
		return fm_error_set(err, FM_ERR_SIZE, EFAULT,
				    "%s: a file of the guest became shorter meanwhile, expected it "
				    "to stay",
				    path);
	/* The last pages may be a hole. */
	if (!rc)
		rc = io->ops->truncate(io->ctx, d->file, end);
	return rc ? fmi_io_fail(err, path, "write", rc) : 0;
}

/* --- the call ---------------------------------------------------------------------------- */

static int check(struct fm_dump_config *c, struct fm_error *err)
{
	if (!c->machine || !c->space || !c->path)
		return BAD(err, "fm_dump_config.machine, space or path is NULL");
	if (!c->roles || c->roles >> FM_ROLE_COUNT)
		return BAD(err,
			   "%s: fm_dump_config.roles is 0x%llx, expected bits of roles, such as "
			   "FM_DUMP_VOLATILE",
			   c->path, (unsigned long long)c->roles);
	if (!c->elf_machine)
		return BAD(err, "%s: fm_dump_config.elf_machine is 0, expected an EM_ number",
			   c->path);
	if (c->ncpus && !c->cpus)
		return BAD(err, "%s: fm_dump_config.cpus is NULL, expected %zu of them", c->path,
			   c->ncpus);
	return fmi_io_check(&c->io, c->path, err);
}

static int open_file(struct fmi_dump *d, struct fm_error *err)
{
	const struct fm_io *io = d->cfg->io;
	int rc = io->ops->open(io->ctx, d->cfg->path, FM_IO_WRITE | FM_IO_CREATE | FM_IO_EXCL,
			       &d->file);

	if (rc == -EEXIST)
		return fm_error_set(err, FM_ERR_EXISTS, EEXIST,
				    "%s: exists, expected a file that the dump makes",
				    d->cfg->path);
	return rc ? fmi_io_fail(err, d->cfg->path, "create", rc) : 0;
}

static void tell(const struct fmi_dump *d)
{
	for (size_t i = 0; d->cfg->part && i < d->nsegments; i++)
		d->cfg->part(d->cfg->ctx, &(struct fm_dump_part){ .block = d->segments[i].block,
								  .gpa = d->segments[i].gpa,
								  .len = d->segments[i].len });
	for (size_t i = 0; d->cfg->part && i < d->nleft_out; i++)
		d->cfg->part(d->cfg->ctx, &d->left_out[i]);
}

const char *fm_dump_why_name(enum fm_dump_why why)
{
	static const char *const names[] = { "included", "not chosen", "hidden", "private" };

	return (unsigned)why < sizeof(names) / sizeof(*names) ? names[why] : "unknown";
}

int fm_dump_write(const struct fm_dump_config *cfg, struct fm_dump_result *result,
		  struct fm_error *err)
{
	struct fm_dump_config c;
	struct fmi_dump d = { .cfg = &c };
	const struct fm_view *view;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_dump_config", err);

	if (!rc)
		rc = check(&c, err);
	if (rc)
		return rc;
	view = fm_space_view_get(c.space);
	rc = fmi_dump_choose(&d, view, err);
	if (!rc)
		rc = open_file(&d, err);
	if (!rc) {
		rc = write_file(&d, err);
		c.io->ops->close(c.io->ctx, d.file);
		if (rc)
			c.io->ops->unlink(c.io->ctx, c.path);
	}
	if (!rc)
		tell(&d);
	fm_view_put(view);
	free(d.segments);
	free(d.left_out);
	free(d.head);
	if (!rc && result)
		*result = d.result;
	return rc;
}
