/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/backing.h"
#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/dirty.h"
#include "devices/io_private.h"
#include "devices/owner.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NAME_MAX_BYTES 63u
#define GRANULE_MIN 4096u

#define ALL_FLAGS                                                                     \
	(FM_BLOCK_SHARED | FM_BLOCK_READONLY | FM_BLOCK_PREALLOC | FM_BLOCK_CREATE |  \
	 FM_BLOCK_NO_MIGRATE | FM_BLOCK_USE_FD | FM_BLOCK_CONSENT | FM_BLOCK_LOCKED | \
	 FM_BLOCK_HOST_DEVICE | FM_BLOCK_FALLBACK)

struct fm_block {
	struct fm_block_config cfg; /* name and path are our copies */
	struct fmi_mem mem;
	struct fm_dirty *dirty;
	char *path;
	struct fmi_private *private; /* NULL: no range can be private */
	struct fmi_owner owner;
	_Atomic unsigned inhibitions; /* of giving pages back to the host */
	struct fm_error
		fallback; /* why it is anonymous instead; code 0: it is what was asked for */
	char name[NAME_MAX_BYTES + 1];
};

static const struct fmi_backing *const backings[FM_BACKING_COUNT] = {
	[FM_BACKING_ANON] = &fmi_backing_anon,       [FM_BACKING_MEMFD] = &fmi_backing_memfd,
	[FM_BACKING_FILE] = &fmi_backing_file,       [FM_BACKING_HUGETLB] = &fmi_backing_hugetlb,
	[FM_BACKING_ADOPTED] = &fmi_backing_adopted,
};

/* The name ends up in tables and one-line messages. */
static int check_name(const char *name, struct fm_error *err)
{
	if (!name)
		return 0;
	if (!*name || strnlen(name, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"fm_block_config.name \"%.*s\": expected 1 to %u bytes, or NULL",
			(int)NAME_MAX_BYTES, name, NAME_MAX_BYTES);
	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return fm_error_set(
				err, FM_ERR_ARG, 0,
				"fm_block_config.name: byte %zu is 0x%02x, expected no control characters",
				(size_t)(p - name), (unsigned char)*p);
	}
	return 0;
}

static int check_enums(const struct fm_block_config *c, struct fm_error *err)
{
	if (c->role <= FM_ROLE_NONE || c->role >= FM_ROLE_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "block %s: role %d, expected one of enum fm_role but none",
				    c->name ? c->name : "without a name", (int)c->role);
	if ((unsigned)c->backing >= FM_BACKING_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "block %s: backing %d, expected one of enum fm_backing",
				    c->name ? c->name : "without a name", (int)c->backing);
	if ((unsigned)c->caching > FM_CACHING_UNCACHED)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"caching %d, expected one of enum fm_caching",
					(int)c->caching);
	if (c->flags & ~ALL_FLAGS)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0, "flags 0x%x, expected bits of 0x%x",
					c->flags, ALL_FLAGS);
	if (c->prealloc_threads > FMI_PREALLOC_THREADS_MAX)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"prealloc_threads %u, expected at most %u",
					c->prealloc_threads, FMI_PREALLOC_THREADS_MAX);
	return 0;
}

/* page_size, align and dirty_granule. */
static int check_units(const struct fm_block_config *c, struct fm_error *err)
{
	uint64_t host = fmi_host_page_size();
	uint64_t page = c->page_size ? c->page_size : host;

	if (c->backing == FM_BACKING_HUGETLB && (!fmi_is_pow2(page) || page < host))
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"page_size 0x%llx, expected 0 or a power of two",
					(unsigned long long)page);
	if (c->backing != FM_BACKING_HUGETLB && page != host)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"page_size 0x%llx, expected 0 or the host's 0x%llx",
					(unsigned long long)page, (unsigned long long)host);
	if (c->align && (!fmi_is_pow2(c->align) || c->align < page))
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0,
			"align 0x%llx, expected 0 or a power of two of at least a page (0x%llx)",
			(unsigned long long)c->align, (unsigned long long)page);
	if (c->dirty_granule && (!fmi_is_pow2(c->dirty_granule) || c->dirty_granule < GRANULE_MIN))
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0,
			"dirty_granule 0x%llx, expected 0 or a power of two of at least 0x%x",
			(unsigned long long)c->dirty_granule, GRANULE_MIN);
	return 0;
}

static int check_file_fields(const struct fm_block_config *c, struct fm_error *err)
{
	unsigned flags = c->flags;

	if (!(flags & FM_BLOCK_USE_FD) && (!c->path || !*c->path))
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"path is empty, expected one, or fd with FM_BLOCK_USE_FD");
	if (flags & FM_BLOCK_USE_FD && c->path)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"path is set, expected NULL with FM_BLOCK_USE_FD");
	if (flags & FM_BLOCK_USE_FD && flags & FM_BLOCK_CREATE)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"FM_BLOCK_CREATE with FM_BLOCK_USE_FD, expected a path");
	if (flags & FM_BLOCK_READONLY && flags & FM_BLOCK_CREATE)
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0,
			"FM_BLOCK_CREATE with FM_BLOCK_READONLY, expected one of them");
	if (!fmi_is_aligned(c->file_off, fmi_host_page_size()))
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0, "file_off 0x%llx, expected a multiple of 0x%llx",
			(unsigned long long)c->file_off, (unsigned long long)fmi_host_page_size());
	if (!fmi_in_range(c->file_off, c->len, INT64_MAX))
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"file_off 0x%llx, len 0x%llx: expected an end below 2^63",
					(unsigned long long)c->file_off,
					(unsigned long long)c->len);
	return 0;
}

/* Fields that belong to one backing, and were set for another by mistake. */
static int check_other_fields(const struct fm_block_config *c, struct fm_error *err)
{
	if (c->path || c->file_off || c->flags & (FM_BLOCK_CREATE | FM_BLOCK_USE_FD))
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"path, file_off, FM_BLOCK_CREATE or FM_BLOCK_USE_FD is "
					"set, expected with the backing file only");
	if (!c->len)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0, "len is 0, expected bytes");
	return 0;
}

static int check_backing_fields(const struct fm_block_config *c, struct fm_error *err)
{
	bool adopted = c->backing == FM_BACKING_ADOPTED;

	if (adopted && !c->ptr)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0, "ptr is NULL, expected memory");
	if (!adopted && c->ptr)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"ptr is set, expected with the backing adopted only");
	if (adopted && c->flags & FM_BLOCK_LOCKED)
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0,
			"FM_BLOCK_LOCKED, expected the owner of the memory to lock it");
	if (c->flags & FM_BLOCK_HOST_DEVICE && !adopted && c->backing != FM_BACKING_FILE)
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0,
			"FM_BLOCK_HOST_DEVICE, expected with the backings adopted and file only");
	if (c->flags & FM_BLOCK_FALLBACK && c->backing != FM_BACKING_MEMFD &&
	    c->backing != FM_BACKING_HUGETLB)
		return fmi_backing_fail(
			err, c, FM_ERR_ARG, 0,
			"FM_BLOCK_FALLBACK, expected with the backings memfd and hugetlb only");
	/* Room to round up to a page of any size but huge ones, which are checked once known. */
	if (c->len > INT64_MAX - fmi_host_page_size() || c->len > SIZE_MAX / 2)
		return fmi_backing_fail(err, c, FM_ERR_ARG, 0,
					"len 0x%llx, expected less than the address space",
					(unsigned long long)c->len);
	return c->backing == FM_BACKING_FILE ? check_file_fields(c, err)
					     : check_other_fields(c, err);
}

static int check_config(struct fm_block_config *c, struct fm_error *err)
{
	int rc = check_name(c->name, err);

	if (!rc)
		rc = check_enums(c, err);
	if (!rc)
		rc = check_units(c, err);
	if (!rc)
		rc = check_backing_fields(c, err);
	if (!rc)
		rc = fmi_io_check(&c->io, "fm_block_config.io", err);
	return rc;
}

/* Our copies of what the config points to, and the defaults it left out. */
static int adopt_config(struct fm_block *b, const struct fm_block_config *c)
{
	b->cfg = *c;
	if (c->name)
		memcpy(b->name, c->name, strlen(c->name));
	b->cfg.name = c->name ? b->name : NULL;
	if (c->path) {
		b->path = strdup(c->path);
		if (!b->path)
			return -ENOMEM;
	}
	b->cfg.path = b->path;
	if (!c->dirty_granule)
		b->cfg.dirty_granule = GRANULE_MIN;
	if (c->backing == FM_BACKING_MEMFD || c->backing == FM_BACKING_HUGETLB)
		b->cfg.flags |= FM_BLOCK_SHARED;
	b->mem.fd = -1;
	return 0;
}

/* Preallocate and lock as asked for. */
static int pin(struct fm_block *b, struct fm_error *err)
{
	const struct fm_block_config *c = &b->cfg;
	int rc;

	if (c->flags & FM_BLOCK_PREALLOC) {
		rc = backings[c->backing]->reserve ? backings[c->backing]->reserve(&b->mem, c, err)
						   : 0;
		if (!rc)
			rc = fmi_backing_populate(&b->mem, c, err);
		if (rc)
			return rc;
	}
	if (c->flags & FM_BLOCK_LOCKED && mlock(b->mem.ptr, b->mem.map_len) < 0)
		return fmi_backing_fail(err, c, FM_ERR_NOMEM, errno,
					"mlock of 0x%zx bytes (ulimit -l)", b->mem.map_len);
	return 0;
}

static void destroy(struct fm_block *b, bool failed)
{
	backings[b->cfg.backing]->close(&b->mem, &b->cfg, failed);
	fmi_dirty_free(b->dirty);
	fmi_private_free(b->private);
	free(b->path);
	free(b);
}

/* Everything that can fail once there is a struct to hold it. */
static int fill(struct fm_block *b, struct fm_error *err)
{
	int rc = backings[b->cfg.backing]->open(&b->mem, &b->cfg, err);

	if (!rc)
		rc = pin(b, err);
	if (rc)
		return rc;
	b->dirty = fmi_dirty_new(b->mem.len, b->cfg.dirty_granule);
	if (!b->dirty)
		return fmi_backing_fail(err, &b->cfg, FM_ERR_NOMEM, ENOMEM, "the dirty log");
	return 0;
}

/* A block of a checked config. */
static int make(struct fm_block **out, const struct fm_block_config *c, struct fm_error *err)
{
	struct fm_block *b = calloc(1, sizeof(*b));
	int rc;

	if (!b || adopt_config(b, c)) {
		free(b);
		return fmi_backing_fail(err, c, FM_ERR_NOMEM, ENOMEM, "the block");
	}
	rc = fill(b, err);
	if (rc) {
		destroy(b, true);
		return rc;
	}
	*out = b;
	return 0;
}

/* What the host could not give, as anonymous memory that is shared as that would have been. */
static int fall_back(struct fm_block **out, struct fm_block_config *c, const struct fm_error *why,
		     struct fm_error *err)
{
	int rc;

	c->backing = FM_BACKING_ANON;
	c->flags |= FM_BLOCK_SHARED;
	c->page_size = 0;
	rc = make(out, c, err);
	if (!rc)
		(*out)->fallback = *why;
	return rc;
}

int fm_block_new(struct fm_block **out, const struct fm_block_config *cfg, struct fm_error *err)
{
	struct fm_block_config c;
	struct fm_error why = { .code = 0 };
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_block_config", err);

	if (!rc)
		rc = check_config(&c, err);
	if (rc)
		return rc;
	if (!out)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_block_new: out is NULL");
	rc = make(out, &c, &why);
	if (!rc)
		return 0;
	/* The host's errors come last; where it is out of memory there is none of another kind either. */
	if (c.flags & FM_BLOCK_FALLBACK && rc < FM_ERR_NOMEM)
		return fall_back(out, &c, &why, err);
	return fm_error_set(err, rc, why.sys, "%s", why.msg);
}

void fm_block_free(struct fm_block *block)
{
	if (block)
		destroy(block, false);
}

const char *fm_block_name(const struct fm_block *block)
{
	return block->name;
}

enum fm_role fm_block_role(const struct fm_block *block)
{
	return block->cfg.role;
}

enum fm_backing fm_block_backing(const struct fm_block *block)
{
	return block->cfg.backing;
}

unsigned fm_block_flags(const struct fm_block *block)
{
	return block->cfg.flags;
}

uint64_t fm_block_len(const struct fm_block *block)
{
	return block->mem.len;
}

uint64_t fm_block_page_size(const struct fm_block *block)
{
	return block->mem.page_size;
}

uint64_t fm_block_dirty_granule(const struct fm_block *block)
{
	return block->cfg.dirty_granule;
}

enum fm_caching fm_block_caching(const struct fm_block *block)
{
	return block->cfg.caching;
}

const char *fm_block_path(const struct fm_block *block)
{
	return block->path ? block->path : "";
}

bool fm_block_file_created(const struct fm_block *block)
{
	return block->mem.made || block->mem.sized;
}

int fm_block_fallback(const struct fm_block *block, struct fm_error *err)
{
	if (block->fallback.code && err)
		*err = block->fallback;
	return block->fallback.code;
}

int fm_block_fd(const struct fm_block *block)
{
	return block->mem.fd;
}

void *fm_block_ptr(const struct fm_block *block)
{
	return block->mem.ptr;
}

struct fm_dirty *fm_block_dirty(const struct fm_block *block)
{
	return block->dirty;
}

void fm_block_discard_inhibit(struct fm_block *block)
{
	atomic_fetch_add(&block->inhibitions, 1);
}

void fm_block_discard_allow(struct fm_block *block)
{
	atomic_fetch_sub(&block->inhibitions, 1);
}

bool fm_block_discard_inhibited(const struct fm_block *block)
{
	return atomic_load(&block->inhibitions) != 0;
}

const struct fmi_mem *fmi_block_mem(const struct fm_block *block)
{
	return &block->mem;
}

const struct fm_block_config *fmi_block_config(const struct fm_block *block)
{
	return &block->cfg;
}

struct fmi_private **fmi_block_private(struct fm_block *block)
{
	return &block->private;
}

struct fmi_owner *fmi_block_owner(struct fm_block *block)
{
	return &block->owner;
}

/* Do stores to the block reach a file of the host? */
static bool reaches_file(const struct fm_block *block)
{
	return block->cfg.backing == FM_BACKING_FILE && block->cfg.flags & FM_BLOCK_SHARED &&
	       !(block->cfg.flags & FM_BLOCK_READONLY);
}

static int sync_failed(const struct fm_block *block, int rc, struct fm_error *err)
{
	return fmi_backing_fail(err, &block->cfg, fm_io_err(rc), -rc, "sync of %s",
				block->path ? block->path : "the passed descriptor");
}

static int check_run(const struct fm_block *block, uint64_t off, uint64_t len, struct fm_error *err)
{
	if (fmi_in_range(off, len, block->mem.len))
		return 0;
	return fmi_backing_fail(err, &block->cfg, FM_ERR_RANGE, 0,
				"sync of offset 0x%llx, len 0x%llx: expected inside 0x%llx",
				(unsigned long long)off, (unsigned long long)len,
				(unsigned long long)block->mem.len);
}

int fm_block_sync(struct fm_block *block, uint64_t off, uint64_t len, struct fm_error *err)
{
	const struct fmi_mem *mem = &block->mem;
	uint64_t first = fmi_align_down(off, mem->page_size);
	int rc = check_run(block, off, len, err);

	if (rc || !len || !reaches_file(block))
		return rc;
	rc = mem->io->ops->msync(mem->io->ctx, (char *)mem->ptr + first,
				 (size_t)(off + len - first));
	return rc ? sync_failed(block, rc, err) : 0;
}

/* All are started before the first is waited for. A negative errno. */
static int write_out(const struct fm_block *block, const struct fm_io_run *runs, size_t count)
{
	const struct fmi_mem *mem = &block->mem;
	int rc = 0;

	for (unsigned wait = 0; wait < 2; wait++) {
		for (size_t i = 0; i < count && !rc; i++)
			rc = fmi_io_write_out(mem->io, mem->file, block->cfg.file_off + runs[i].off,
					      runs[i].len, wait);
	}
	return rc;
}

int fm_block_sync_runs(struct fm_block *block, const struct fm_io_run *runs, size_t count,
		       struct fm_error *err)
{
	uint64_t off, end = 0;
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		rc = check_run(block, runs[i].off, runs[i].len, err);
		if (!rc && (!runs[i].len || runs[i].off < end))
			return fmi_backing_fail(
				err, &block->cfg, FM_ERR_ARG, 0,
				"sync of run %zu: offset 0x%llx, len 0x%llx: expected some bytes, from 0x%llx on",
				i, (unsigned long long)runs[i].off, (unsigned long long)runs[i].len,
				(unsigned long long)end);
		end = runs[i].off + runs[i].len;
	}
	if (rc || !count || !reaches_file(block))
		return rc;
	off = runs[0].off;
	if (count > 1) {
		rc = write_out(block, runs, count);
		if (rc && rc != -EOPNOTSUPP)
			return sync_failed(block, rc, err);
		if (!rc)
			end = off + runs[0].len;
	}
	return fm_block_sync(block, off, end - off, err);
}
