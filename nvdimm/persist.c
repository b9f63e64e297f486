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

#define RUNS 256u

struct fm_persist {
	struct fm_block *block;
	enum method method;
	struct fmi_pmem pmem; /* METHOD_PMEM */
	struct fmi_promise promise;
	uint64_t file_size; /* when opened; 0 = not known */

	pthread_mutex_t lock; /* of what follows; held over a sync */
	bool failed;          /* pages are in doubt until a sync of the whole block succeeds */
	bool lost;            /* the file was cut short: no sync can make that good */
	struct fm_error first;
	struct fm_persist_stats stats;
	struct fm_io_run runs[RUNS]; /* of the flush under way: in order, apart */
	size_t nruns;
};

static void promise(struct fm_persist *p, enum fm_persistence level, const char *why)
{
	p->promise.level = level;
	snprintf(p->promise.why, sizeof(p->promise.why), "%s", why);
}

/* The kernel's word counts; it is asked only where persistent memory can be, as that takes time. */
static bool is_pmem(const struct fm_block *block)
{
	const void *ptr = fm_block_ptr(block);
	size_t len = fm_block_len(block);

	return (fm_block_backing(block) == FM_BACKING_FILE ? fmi_file_may_be_dax(block)
							   : fmi_pmem_is(ptr, len)) &&
	       fmi_map_is_pmem(ptr, len);
}

static int classify_pmem(struct fm_persist *p, struct fm_error *err)
{
	struct fm_error why = { 0 };
	/* What is never stored to is never flushed. */
	bool flushed = !(fm_block_flags(p->block) & FM_BLOCK_READONLY);
	int ret = flushed ? fmi_pmem_load(&p->pmem, &why) : 0;

	if (ret)
		return fm_error_set(err, ret, 0, "block %s: %s", fm_block_name(p->block), why.msg);
	p->method = METHOD_PMEM;
	promise(p, FM_PERSIST_POWER, "persistent memory: durable once out of the CPU's caches");
	return 0;
}

static int classify_file(struct fm_persist *p, struct fm_error *err)
{
	int ret = fmi_file_promise(p->block, &p->promise, &p->file_size, err);

	if (ret)
		return ret;
	if (!(fm_block_flags(p->block) & FM_BLOCK_SHARED))
		promise(p, FM_PERSIST_NONE, "private mapping: stores never reach the file");
	else if (is_pmem(p->block))
		return classify_pmem(p, err);
	else
		p->method = METHOD_FILE;
	return 0;
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
			return classify_pmem(p, err);
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

/* What was cut off is gone even where the file has grown again since. The lock is held. */
static int check_size(struct fm_persist *p, struct fm_error *err)
{
	int ret;

	if (p->lost)
		return fm_error_set(err, p->first.code, p->first.sys, "%s", p->first.msg);
	ret = fmi_file_check_size(p->block, p->file_size, err);
	if (ret != FM_ERR_SIZE)
		return ret;
	p->lost = true;
	p->failed = true;
	p->first = *err;
	return ret;
}

int fmi_persist_check(struct fm_persist *p, struct fm_error *err)
{
	struct fm_error now = { 0 };
	int ret;

	pthread_mutex_lock(&p->lock);
	ret = check_size(p, &now);
	pthread_mutex_unlock(&p->lock);
	if (ret && err)
		*err = now;
	return ret;
}

int fmi_persist_make_room(struct fm_persist *p, uint64_t off, uint64_t len, bool write,
			  struct fm_error *err)
{
	return p->method == METHOD_FILE ? fmi_file_make_room(p->block, off, len, write, err) : 0;
}

static int sync_all(struct fm_persist *p, struct fm_error *err)
{
	int ret = rewrite(p, err);

	if (ret)
		return ret;
	p->stats.syncs++;
	return fm_block_sync(p->block, 0, fm_block_len(p->block), err);
}

/* One attempt, of the whole block where an earlier one failed. `err` is not NULL. */
static int try_sync(struct fm_persist *p, struct fm_error *err)
{
	int ret;

	if (p->failed) {
		ret = sync_all(p, err);
	} else {
		p->stats.syncs++;
		ret = fm_block_sync_runs(p->block, p->runs, p->nruns, err);
	}
	/* A full disk is something a host can mend: tell it from a broken one. */
	if (ret == FM_ERR_IO && fm_io_err(-err->sys) == FM_ERR_NOSPACE)
		ret = err->code = FM_ERR_NOSPACE;
	return !ret && p->failed ? fmi_file_verify(p->block, err) : ret;
}

static int flush_file(struct fm_persist *p, struct fm_error *err)
{
	struct fm_error now = { 0 };
	int ret = check_size(p, &now);

	if (!ret)
		ret = try_sync(p, &now);
	if (!ret) {
		p->failed = false;
		return 0;
	}
	p->stats.failures++;
	if (!p->failed)
		p->first = now;
	p->failed = true;
	/* At once: clean pages are the first that the kernel drops. Its failure shows next time. */
	if (!p->lost)
		rewrite(p, NULL);
	if (err)
		*err = now;
	return ret;
}

static int flush_pmem(struct fm_persist *p, const struct fm_persist_span *spans, size_t count,
		      struct fm_error *err)
{
	struct fm_error now = { 0 };
	int ret = check_size(p, &now);

	if (!ret) {
		p->stats.syncs++;
		fmi_pmem_flush(&p->pmem, fm_block_ptr(p->block), spans, count);
		return 0;
	}
	p->stats.failures++;
	if (err)
		*err = now;
	return ret;
}

static int check_spans(const struct fm_persist *p, const struct fm_persist_span *spans,
		       size_t count, struct fm_error *err)
{
	uint64_t size = fm_block_len(p->block);

	for (size_t i = 0; i < count; i++) {
		if (!fmi_in_range(spans[i].off, spans[i].len, size))
			return fm_error_set(
				err, FM_ERR_RANGE, 0,
				"block %s: span %zu: offset 0x%llx length 0x%llx leaves its 0x%llx bytes",
				fm_block_name(p->block), i, (unsigned long long)spans[i].off,
				(unsigned long long)spans[i].len, (unsigned long long)size);
	}
	return 0;
}

/* Mostly they are in order; qsort() may allocate. */
static void sort_runs(struct fm_persist *p)
{
	for (size_t i = 1; i < p->nruns; i++) {
		struct fm_io_run r = p->runs[i];
		size_t k = i;

		for (; k && p->runs[k - 1].off > r.off; k--)
			p->runs[k] = p->runs[k - 1];
		p->runs[k] = r;
	}
}

/* Runs that have a page in common, or whose pages touch, are one. */
static void join_runs(struct fm_persist *p)
{
	uint64_t page = fm_block_page_size(p->block);
	size_t n = 0;

	sort_runs(p);
	for (size_t i = 0; i < p->nruns; i++) {
		struct fm_io_run r = p->runs[i];
		struct fm_io_run *last = n ? &p->runs[n - 1] : NULL;

		if (last &&
		    fmi_align_down(r.off, page) <= fmi_align_up(last->off + last->len, page))
			last->len = fmi_max_u64(last->off + last->len, r.off + r.len) - last->off;
		else
			p->runs[n++] = r;
	}
	p->nruns = n;
}

/* The runs of the spans; of more than there is room for, what lies between is one with the last. */
static void set_runs(struct fm_persist *p, const struct fm_persist_span *spans, size_t count)
{
	p->nruns = 0;
	for (size_t i = 0; i < count; i++) {
		struct fm_io_run r = { .off = spans[i].off, .len = spans[i].len };

		if (!r.len)
			continue;
		if (p->nruns == RUNS)
			join_runs(p);
		if (p->nruns == RUNS) {
			struct fm_io_run *last = &p->runs[RUNS - 1];
			uint64_t end = fmi_max_u64(last->off + last->len, r.off + r.len);

			r.off = fmi_min_u64(last->off, r.off);
			r.len = end - r.off;
			p->nruns--;
		}
		p->runs[p->nruns++] = r;
	}
	join_runs(p);
}

int fm_persist_ranges(struct fm_persist *persist, const struct fm_persist_span *spans, size_t count,
		      struct fm_error *err)
{
	int ret = check_spans(persist, spans, count, err);

	if (ret)
		return ret;
	pthread_mutex_lock(&persist->lock);
	set_runs(persist, spans, count);
	switch (persist->method) {
	case METHOD_NOTHING:
		break;
	case METHOD_PMEM:
		if (persist->nruns)
			ret = flush_pmem(persist, spans, count, err);
		break;
	case METHOD_FILE:
		/* Nothing to flush is still no success while pages are in doubt. */
		if (persist->nruns || persist->failed)
			ret = flush_file(persist, err);
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
