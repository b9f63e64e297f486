/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/clear.h"

#include "devices/backing.h"
#include "devices/bytes.h"
#include "devices/io_private.h"
#include "devices/populated.h"

#include <firmem/dirty.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* linux/mman.h of 5.18 */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

#define CHUNK 4096u

/* A range of a block, to the end of its last page where that is nobody else's. */
struct range {
	struct fm_block *block;
	uint8_t *host; /* of the block */
	uint64_t off;
	uint64_t len;
};

static struct range range_of(const struct fm_block *block, uint64_t off, uint64_t len)
{
	const struct fmi_mem *mem = fmi_block_mem(block);
	enum fm_backing backing = fm_block_backing(block);
	bool whole_pages = backing != FM_BACKING_FILE && backing != FM_BACKING_ADOPTED;

	if (whole_pages && off + len == mem->len)
		len = mem->map_len - off;
	return (struct range){ .block = (struct fm_block *)(uintptr_t)block,
			       .host = mem->ptr,
			       .off = off,
			       .len = len };
}

/* --- runs ------------------------------------------------------------------------------------- */

/* What may hold something, found once: to decide, to write, and to mark once it is changed. */
struct runs {
	uint64_t *pairs; /* offset, length */
	size_t count;
	size_t room;
	uint64_t bytes;
	bool lost; /* no memory to note one */
};

static void note(void *ctx, uint64_t off, uint64_t len)
{
	struct runs *runs = ctx;

	runs->bytes += len;
	if (runs->lost)
		return;
	if (runs->count == runs->room) {
		size_t room = runs->room ? 2 * runs->room : 64;
		uint64_t *grown = realloc(runs->pairs, room * 2 * sizeof(*grown));

		if (!grown) {
			runs->lost = true;
			return;
		}
		runs->pairs = grown;
		runs->room = room;
	}
	runs->pairs[2 * runs->count] = off;
	runs->pairs[2 * runs->count++ + 1] = len;
}

static void each(const struct range *r, const struct runs *runs, fmi_run_fn *run, void *ctx)
{
	if (runs->lost)
		fmi_populated_each(r->block, r->off, r->len, run, ctx);
	for (size_t i = 0; !runs->lost && i < runs->count; i++)
		run(ctx, runs->pairs[2 * i], runs->pairs[2 * i + 1]);
}

/* A mark before the change could be harvested with the old bytes. */
static bool mark(const struct range *r, const struct runs *runs)
{
	struct fm_dirty *log = fm_block_dirty(r->block);
	bool dirty = runs->lost && fm_dirty_mark(log, r->off, r->len);

	for (size_t i = 0; !runs->lost && i < runs->count; i++)
		dirty |= fm_dirty_mark(log, runs->pairs[2 * i], runs->pairs[2 * i + 1]);
	return dirty;
}

static bool somebody_listens(const struct fm_block *block)
{
	for (unsigned i = 0; i < FM_DIRTY_CLIENTS; i++) {
		if (fm_dirty_active(fm_block_dirty(block), i))
			return true;
	}
	return false;
}

/* --- releasing -------------------------------------------------------------------------------- */

static int advise(const struct range *r, int advice)
{
	return madvise(r->host + r->off, (size_t)r->len, advice) < 0 ? -errno : 0;
}

static int punch_fd(const struct range *r, int fd)
{
	int rc;

	do {
		rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r->off,
			       (off_t)r->len);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static int release(const struct range *r)
{
	const struct fmi_mem *mem = fmi_block_mem(r->block);
	bool shared = fm_block_flags(r->block) & FM_BLOCK_SHARED;
	int rc;

	switch (fm_block_backing(r->block)) {
	case FM_BACKING_ANON:
		if (shared)
			return advise(r, MADV_REMOVE);
		rc = advise(r, MADV_DONTNEED);
		/* Locked behind our back, by mlockall(2). */
		return rc == -EINVAL ? advise(r, MADV_DONTNEED_LOCKED) : rc;
	case FM_BACKING_MEMFD:
	case FM_BACKING_HUGETLB:
		return punch_fd(r, mem->fd);
	case FM_BACKING_FILE:
		/* A private mapping would show the file again; a hole would destroy the file. */
		if (!shared)
			return -EOPNOTSUPP;
		return fmi_io_punch(mem->io, mem->file,
				    fmi_block_config(r->block)->file_off + r->off, r->len);
	case FM_BACKING_ADOPTED:
	case FM_BACKING_COUNT:
		break;
	}
	return -EOPNOTSUPP;
}

int fmi_clear_release(struct fm_block *block, uint64_t off, uint64_t len)
{
	struct range r = range_of(block, off, len);

	return release(&r);
}

/* Must the pages stay where they are? */
static bool stays(const struct fm_block *block)
{
	return fm_block_flags(block) & (FM_BLOCK_PREALLOC | FM_BLOCK_LOCKED) ||
	       fm_block_discard_inhibited(block);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool all_equal(const uint8_t *p, size_t len, uint8_t byte)
{
	return !len || (*p == byte && !memcmp(p, p + 1, len - 1));
}

struct writing {
	const struct range *r;
	struct runs written;
};

static void write_run(void *ctx, uint64_t off, uint64_t len)
{
	struct writing *w = ctx;

	memset(w->r->host + off, 0, (size_t)len);
	note(&w->written, off, len);
}

/* Read before writing: most may be zero, and not there. */
static void write_where_needed(void *ctx, uint64_t off, uint64_t len)
{
	struct writing *w = ctx;

	for (uint64_t end = off + len; off < end; off += CHUNK) {
		size_t n = (size_t)fmi_min_u64(CHUNK, end - off);

		if (!all_equal(w->r->host + off, n, 0))
			write_run(w, off, n);
	}
}

static void write_zeros(const struct range *r, const struct runs *there, struct fmi_cleared *out)
{
	/* Reading a hole of shared memory fills it: then a look saves nothing. */
	bool look = fmi_populated_by(r->block) == FMI_POPULATED_ALL &&
		    !(fm_block_flags(r->block) & FM_BLOCK_SHARED);
	struct writing w = { .r = r };

	each(r, there, look ? write_where_needed : write_run, &w);
	out->written += w.written.bytes;
	if (somebody_listens(r->block))
		out->dirty |= mark(r, &w.written);
	free(w.written.pairs);
}

/* --- zero --------------------------------------------------------------------------------- */

/* To give pages back costs more than to write them where most of them are there: measured. */
static bool release_is_dear(const struct range *r, uint64_t there)
{
	return fmi_populated_by(r->block) != FMI_POPULATED_ALL && there > r->len / 4;
}

/* Bytes of the range that are there, where that is known without a look at each page. */
static bool count_at_once(const struct range *r, uint64_t *bytes)
{
	return !r->off && r->len >= fm_block_len(r->block) && fmi_populated_bytes(r->block, bytes);
}

static bool try_release(const struct range *r, enum fm_reset_pages pages, const struct runs *there,
			struct fmi_cleared *out)
{
	if (pages == FM_RESET_PAGES_RESIDENT || stays(r->block))
		return false;
	if (pages == FM_RESET_PAGES_AUTO && release_is_dear(r, there->bytes))
		return false;
	if (release(r))
		return false;
	out->released += there->bytes;
	if (somebody_listens(r->block))
		out->dirty |= mark(r, there);
	return true;
}

void fmi_clear_zero(struct fm_block *block, uint64_t off, uint64_t len, enum fm_reset_pages pages,
		    struct fmi_cleared *out)
{
	struct range r = range_of(block, off, len);
	struct runs there = { .count = 0 };
	bool known = count_at_once(&r, &there.bytes);

	/* Which pages they are need not be known to give them back, nor where all are there. */
	if (known && !somebody_listens(block) && try_release(&r, pages, &there, out))
		return;
	known = known && there.bytes >= r.len;
	there.bytes = 0;
	if (known)
		note(&there, r.off, r.len);
	else
		fmi_populated_each(block, r.off, r.len, note, &there);
	if (!try_release(&r, pages, &there, out))
		write_zeros(&r, &there, out);
	free(there.pairs);
}

/* --- verifying -------------------------------------------------------------------------------- */

struct verifying {
	const struct range *r;
	uint64_t read;
	uint64_t at;
	uint8_t byte;
	bool bad;
};

static void verify_run(void *ctx, uint64_t off, uint64_t len)
{
	struct verifying *v = ctx;

	for (uint64_t end = off + len; !v->bad && off < end; off += CHUNK) {
		size_t n = (size_t)fmi_min_u64(CHUNK, end - off);
		const uint8_t *p = v->r->host + off;

		v->read += n;
		if (all_equal(p, n, v->byte))
			continue;
		v->bad = true;
		for (v->at = off; *p == v->byte; p++)
			v->at++;
	}
}

bool fmi_clear_verify(const struct fm_block *block, uint64_t off, uint64_t len, uint8_t byte,
		      uint64_t *read, uint64_t *at)
{
	struct range r = range_of(block, off, len);
	struct verifying v = { .r = &r, .byte = byte };

	/* What is not there reads as zero. */
	if (!byte)
		fmi_populated_each(block, r.off, r.len, verify_run, &v);
	else
		verify_run(&v, off, len);
	*read += v.read;
	if (v.bad)
		*at = v.at;
	return !v.bad;
}
