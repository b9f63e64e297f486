/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvdimm/persist_private.h"

#include "devices/bytes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum method {
	METHOD_NOTHING = 0, /* there is nowhere to flush to, or nothing can have been stored */
	METHOD_PMEM,
	METHOD_FILE,
};

struct fm_persist {
	struct fm_block *block;
	enum method method;
	struct fmi_promise promise;
	uint64_t file_size; /* when opened; 0 = not known */

	pthread_mutex_t lock; /* of what follows; held over a sync */
	bool failed;          /* pages are in doubt until a sync of the whole block succeeds */
	bool lost;            /* the file was cut short: no sync can make that good */
	struct fm_error first;
	struct fm_persist_stats stats;
};

static void promise(struct fm_persist *p, enum fm_persistence level, const char *why)
{
	p->promise.level = level;
	snprintf(p->promise.why, sizeof(p->promise.why), "%s", why);
}

/* libpmem is asked only where persistent memory can be: it may be told to say yes to anything. */
static bool is_pmem(const struct fm_block *block)
{
	return fmi_pmem_is(fm_block_ptr(block), fm_block_len(block));
}

static void classify_pmem(struct fm_persist *p)
{
	p->method = METHOD_PMEM;
	promise(p, FM_PERSIST_POWER, "persistent memory: durable once out of the CPU's caches");
}

static int classify_file(struct fm_persist *p, struct fm_error *err)
{
	if (!(fm_block_flags(p->block) & FM_BLOCK_SHARED)) {
		promise(p, FM_PERSIST_NONE, "private mapping: stores never reach the file");
		return 0;
	}
	if (is_pmem(p->block)) {
		classify_pmem(p);
		return 0;
	}
	p->method = METHOD_FILE;
	return fmi_file_promise(p->block, &p->promise, &p->file_size, err);
}

static int classify(struct fm_persist *p, struct fm_error *err)
{
	switch (fm_block_backing(p->block)) {
	case FM_BACKING_ANON:
		promise(p, FM_PERSIST_NONE, "anonymous memory: it goes with the process");
		return 0;
	case FM_BACKING_MEMFD:
		promise(p, FM_PERSIST_NONE,
			"memfd: it goes with the last process that holds its descriptor");
		return 0;
	case FM_BACKING_HUGETLB:
		promise(p, FM_PERSIST_NONE,
			"huge pages: they go with the last process that holds their descriptor");
		return 0;
	case FM_BACKING_ADOPTED:
		if (is_pmem(p->block))
			classify_pmem(p);
		else
			promise(p, FM_PERSIST_NONE,
				"adopted memory: not persistent memory, and what "
				"else it may be is its owner's to know");
		return 0;
	case FM_BACKING_FILE:
		return classify_file(p, err);
	case FM_BACKING_COUNT:
		break;
	}
	return fm_error_set(err, FM_ERR_ARG, 0, "block %s: unknown backing %d",
			    fm_block_name(p->block), fm_block_backing(p->block));
}

int fm_persist_open(struct fm_persist **out, struct fm_block *block, struct fm_error *err)
{
	struct fm_persist *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "block %s: out of memory",
				    fm_block_name(block));
	p->block = block;
	ret = classify(p, err);
	if (ret) {
		free(p);
		return ret;
	}
	if (fm_block_flags(block) & FM_BLOCK_READONLY)
		p->method = METHOD_NOTHING;
	pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return 0;
}

void fm_persist_close(struct fm_persist *persist)
{
	if (!persist)
		return;
	pthread_mutex_destroy(&persist->lock);
	free(persist);
}

enum fm_persistence fm_persist_level(const struct fm_persist *persist)
{
	return persist->promise.level;
}

const char *fm_persist_reason(const struct fm_persist *persist)
{
	return persist->promise.why;
}

const char *fm_persistence_name(enum fm_persistence level)
{
	switch (level) {
	case FM_PERSIST_NONE:
		return "none";
	case FM_PERSIST_PROCESS:
		return "process";
	case FM_PERSIST_HOST:
		return "host";
	case FM_PERSIST_POWER:
		return "power";
	case FM_PERSIST_COUNT:
		break;
	}
	return "unknown";
}

static int rewrite(struct fm_persist *p, struct fm_error *err)
{
	return fmi_file_rewrite(p->block, &p->stats.rewritten, err);
}

/* One attempt, of the whole block where an earlier one failed. `err` is not NULL. */
static int try_sync(struct fm_persist *p, uint64_t off, uint64_t len, struct fm_error *err)
{
	int ret;

	if (p->failed) {
		ret = rewrite(p, err);
		if (ret)
			return ret;
		off = 0;
		len = fm_block_len(p->block);
	}
	p->stats.syncs++;
	ret = fm_block_sync(p->block, off, len, err);
	/* A full disk is something a host can mend: tell it from a broken one. */
	if (ret == FM_ERR_IO && fm_io_err(-err->sys) == FM_ERR_NOSPACE)
		ret = err->code = FM_ERR_NOSPACE;
	return !ret && p->failed ? fmi_file_verify(p->block, err) : ret;
}

static int flush_file(struct fm_persist *p, uint64_t off, uint64_t len, struct fm_error *err)
{
	struct fm_error now = { 0 };
	int ret;

	/* What was cut off is gone even where the file has grown again since. */
	if (p->lost) {
		p->stats.failures++;
		return fm_error_set(err, p->first.code, p->first.sys, "%s", p->first.msg);
	}
	ret = fmi_file_check_size(p->block, p->file_size, &now);
	if (ret == FM_ERR_SIZE)
		p->lost = true;
	if (!ret)
		ret = try_sync(p, off, len, &now);
	if (!ret) {
		p->failed = false;
		return 0;
	}
	p->stats.failures++;
	if (!p->failed || p->lost)
		p->first = now;
	p->failed = true;
	/* At once: clean pages are the first that the kernel drops. Its failure shows next time. */
	if (!p->lost)
		rewrite(p, NULL);
	if (err)
		*err = now;
	return ret;
}

/* The smallest run that covers the spans; *len 0 when they are all empty. FM_ERR_RANGE. */
static int cover(const struct fm_persist *p, const struct fm_persist_span *spans, size_t count,
		 uint64_t *off, uint64_t *len, struct fm_error *err)
{
	uint64_t lo = UINT64_MAX, hi = 0, size = fm_block_len(p->block);

	for (size_t i = 0; i < count; i++) {
		if (!fmi_in_range(spans[i].off, spans[i].len, size))
			return fm_error_set(
				err, FM_ERR_RANGE, 0,
				"block %s: span %zu: offset 0x%llx length 0x%llx leaves its 0x%llx bytes",
				fm_block_name(p->block), i, (unsigned long long)spans[i].off,
				(unsigned long long)spans[i].len, (unsigned long long)size);
		if (!spans[i].len)
			continue;
		lo = fmi_min_u64(lo, spans[i].off);
		hi = fmi_max_u64(hi, spans[i].off + spans[i].len);
	}
	*off = hi ? lo : 0;
	*len = hi ? hi - lo : 0;
	return 0;
}

int fm_persist_ranges(struct fm_persist *persist, const struct fm_persist_span *spans, size_t count,
		      struct fm_error *err)
{
	uint64_t off = 0, len = 0;
	int ret = cover(persist, spans, count, &off, &len, err);

	if (ret)
		return ret;
	pthread_mutex_lock(&persist->lock);
	switch (persist->method) {
	case METHOD_NOTHING:
		break;
	case METHOD_PMEM:
		if (len) {
			persist->stats.syncs++;
			fmi_pmem_flush(fm_block_ptr(persist->block), spans, count);
		}
		break;
	case METHOD_FILE:
		/* Nothing to flush is still no success while pages are in doubt. */
		if (len || persist->failed)
			ret = flush_file(persist, off, len, err);
		break;
	}
	pthread_mutex_unlock(&persist->lock);
	return ret;
}

int fm_persist_range(struct fm_persist *persist, uint64_t off, uint64_t len, struct fm_error *err)
{
	const struct fm_persist_span span = { .off = off, .len = len };

	return fm_persist_ranges(persist, &span, 1, err);
}

int fm_persist_error(struct fm_persist *persist, struct fm_error *err)
{
	int code;

	pthread_mutex_lock(&persist->lock);
	code = persist->failed ? persist->first.code : 0;
	if (code && err)
		*err = persist->first;
	pthread_mutex_unlock(&persist->lock);
	return code;
}

void fm_persist_get_stats(struct fm_persist *persist, struct fm_persist_stats *out)
{
	pthread_mutex_lock(&persist->lock);
	*out = persist->stats;
	pthread_mutex_unlock(&persist->lock);
}
