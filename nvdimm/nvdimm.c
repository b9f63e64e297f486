/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvdimm/nvdimm_private.h"
#include "nvdimm/persist_private.h"

#include <firmem/block.h>
#include <firmem/dirty.h>
#include <firmem/label.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/guestmem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TRAP_PAGE 4096u /* bytes that a host traps or maps at least */

static const struct fm_dev_ops nvdimm_ops;

static struct nvdimm *of(const struct fm_dev *dev)
{
	return dev ? fm_dev_state(dev, &nvdimm_ops) : NULL;
}

static int not_one(struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_ARG, 0, "the device is no NVDIMM");
}

/* --- durability ---------------------------------------------------------------------------------- */

/*
 * Others may have failed or succeeded since: only what persist has forgotten is over. In one piece, so that
 * an error is not cleared by who asked before it came.
 */
static void report(struct nvdimm *n, int rc, const struct fm_error *now)
{
	pthread_mutex_lock(&n->report);
	if (rc) {
		atomic_store(&n->data_lost, true);
		fm_dev_raise(n->dev, FM_EFF_IOERR, now);
	}
	if (!fm_persist_error(n->persist, NULL))
		fm_dev_clear_error(n->dev);
	pthread_mutex_unlock(&n->report);
}

/* Spans of the block. Any thread. */
static int flush_spans(struct nvdimm *n, const struct fm_persist_span *spans, size_t count,
		       struct fm_error *err)
{
	struct fm_error now = { 0 };
	int rc = fmi_flush(&n->flush, spans, count, &now);

	report(n, rc, &now);
	if (rc && err)
		*err = now;
	return rc;
}

/* Before the block is touched, where the file under it may have been cut short: a SIGBUS otherwise. */
static int check_file(struct nvdimm *n, struct fm_error *err)
{
	struct fm_error now = { 0 };
	int rc = fmi_persist_check(n->persist, &now);

	if (!rc)
		return 0;
	report(n, rc, &now);
	if (err)
		*err = now;
	return rc;
}

static int flush_block(struct nvdimm *n, struct fm_error *err)
{
	const struct fm_persist_span all = { .len = fm_block_len(n->info.block) };

	return flush_spans(n, &all, 1, err);
}

int fm_nvdimm_flush(struct fm_dev *dev, const struct fm_persist_span *spans, size_t count,
		    struct fm_error *err)
{
	struct nvdimm *n = of(dev);

	if (!n)
		return not_one(err);
	for (size_t i = 0; i < count; i++) {
		if (!fmi_in_range(spans[i].off, spans[i].len, n->info.pmem_len))
			return fm_error_set(
				err, FM_ERR_RANGE, 0,
				"%s: span %zu: offset 0x%llx length 0x%llx leaves its 0x%llx bytes",
				fm_dev_name(dev), i, (unsigned long long)spans[i].off,
				(unsigned long long)spans[i].len,
				(unsigned long long)n->info.pmem_len);
	}
	return flush_spans(n, spans, count, err);
}

int fm_nvdimm_flush_all(struct fm_dev *dev, struct fm_error *err)
{
	struct fm_persist_span all = { .off = 0 };
	struct nvdimm *n = of(dev);

	if (!n)
		return not_one(err);
	all.len = n->info.pmem_len;
	return flush_spans(n, &all, 1, err);
}

/* Runs of set bits as spans; where there are too many, the last one reaches to the end of all. */
static size_t spans_of(const uint64_t *bits, size_t words, uint64_t granule, uint64_t len,
		       struct fm_persist_span *spans)
{
	size_t count = 0;
	bool open = false;

	for (size_t i = 0; i < 64 * words; i++) {
		uint64_t off = i * granule;

		if (off >= len || !(bits[i / 64] >> i % 64 & 1)) {
			open = false;
			continue;
		}
		if (!open && count < FMI_SPANS)
			spans[count++] = (struct fm_persist_span){ .off = off };
		open = true;
		spans[count - 1].len = fmi_min_u64(off + granule, len) - spans[count - 1].off;
	}
	return count;
}

int fm_nvdimm_flush_dirty(struct fm_dev *dev, unsigned client, struct fm_error *err)
{
	struct fm_persist_span spans[FMI_SPANS];
	struct nvdimm *n = of(dev);
	struct fm_dirty *log;
	uint64_t *bits;
	size_t words;
	int64_t set;

	if (!n)
		return not_one(err);
	log = fm_block_dirty(n->info.block);
	words = fm_dirty_words(log, 0, n->info.pmem_len);
	bits = calloc(words, sizeof(*bits));
	if (!bits)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", fm_dev_name(dev));
	set = fm_dirty_harvest(log, client, 0, n->info.pmem_len, bits);
	words = set > 0 ? spans_of(bits, words, fm_block_dirty_granule(n->info.block),
				   n->info.pmem_len, spans)
			: 0;
	free(bits);
	if (set < 0)
		return fm_error_set(err, (int)set, 0, "%s: dirty log: client %u is not active",
				    fm_dev_name(dev), client);
	return flush_spans(n, spans, words, err);
}

enum fm_persistence fm_nvdimm_persistence(const struct fm_dev *dev)
{
	const struct nvdimm *n = of(dev);

	return n ? fm_persist_level(n->persist) : FM_PERSIST_NONE;
}

const char *fm_nvdimm_persistence_reason(const struct fm_dev *dev)
{
	const struct nvdimm *n = of(dev);

	return n ? fm_persist_reason(n->persist) : "the device is no NVDIMM";
}

void fm_nvdimm_get_health(struct fm_dev *dev, struct fm_nvdimm_health *out)
{
	struct nvdimm *n = of(dev);
	struct fm_persist_stats stats;

	*out = (struct fm_nvdimm_health){ .flush_failed = false };
	if (!n)
		return;
	fm_persist_get_stats(n->persist, &stats);
	out->flush_failed = fm_persist_error(n->persist, NULL) != 0;
	out->data_lost = atomic_load(&n->data_lost);
	out->dirty_shutdowns = atomic_load(&n->dirty_shutdowns) + out->data_lost;
	out->syncs = stats.syncs;
	out->failures = stats.failures;
	out->media_errors = atomic_load(&n->media_count);
}

/* --- labels -------------------------------------------------------------------------------------- */

static int check_label(const struct nvdimm *n, uint64_t off, size_t len, struct fm_error *err)
{
	if (!n)
		return not_one(err);
	if (fmi_in_range(off, len, n->info.label_len))
		return 0;
	return fm_error_set(err, FM_ERR_RANGE, 0,
			    "%s: label area: offset 0x%llx length 0x%zx leaves its 0x%llx bytes",
			    fm_dev_name(n->dev), (unsigned long long)off, len,
			    (unsigned long long)n->info.label_len);
}

int fm_nvdimm_read_label(struct fm_dev *dev, uint64_t off, void *buf, size_t len,
			 struct fm_error *err)
{
	struct nvdimm *n = of(dev);
	int rc = check_label(n, off, len, err);

	if (!rc)
		rc = check_file(n, err);
	if (!rc)
		rc = fmi_persist_make_room(n->persist, n->info.label_off + off, len, false, err);
	if (!rc)
		memcpy(buf, n->host + n->info.label_off + off, len);
	return rc;
}

int fm_nvdimm_write_label(struct fm_dev *dev, uint64_t off, const void *buf, size_t len,
			  struct fm_error *err)
{
	struct nvdimm *n = of(dev);
	int rc = check_label(n, off, len, err);
	struct fm_persist_span span;
	struct fm_medium_op op;

	if (rc)
		return rc;
	if (n->info.read_only)
		return fm_error_set(err, FM_ERR_ACCESS, 0, "%s: label area: read-only",
				    fm_dev_name(dev));
	rc = check_file(n, err);
	if (!rc)
		rc = fmi_persist_make_room(n->persist, n->info.label_off + off, len, true, err);
	if (rc)
		return rc;
	span = (struct fm_persist_span){ .off = n->info.label_off + off, .len = len };
	op = (struct fm_medium_op){
		.kind = FM_MEDIUM_LABEL, .dev = dev, .off = span.off, .len = len
	};
	op.changed = memcmp(n->host + span.off, buf, len) != 0;
	memcpy(n->host + span.off, buf, len);
	op.data = n->host + span.off;
	fm_dirty_mark(fm_block_dirty(n->info.block), span.off, len);
	rc = flush_spans(n, &span, 1, err);
	fm_medium_emit(dev, &op);
	return rc;
}

/* --- media errors -------------------------------------------------------------------------------- */

static int change_media(struct fm_dev *dev, uint64_t off, uint64_t len, bool poison,
			struct fm_error *err)
{
	struct nvdimm *n = of(dev);
	uint64_t end;
	bool ok;

	if (!n)
		return not_one(err);
	if (!fmi_in_range(off, len, n->info.pmem_len))
		return fm_error_set(
			err, FM_ERR_RANGE, 0,
			"%s: media error: offset 0x%llx length 0x%llx leaves its 0x%llx bytes",
			fm_dev_name(dev), (unsigned long long)off, (unsigned long long)len,
			(unsigned long long)n->info.pmem_len);
	end = fmi_min_u64(fmi_align_up(off + len, FM_NVDIMM_LINE), n->info.pmem_len);
	off = fmi_align_down(off, FM_NVDIMM_LINE);
	len = len ? end - off : 0;
	ok = poison ? fmi_media_poison(&n->media, off, len) : fmi_media_heal(&n->media, off, len);
	if (!ok)
		return fm_error_set(err, FM_ERR_NOSPACE, 0,
				    "%s: %u media errors are there, no room", fm_dev_name(dev),
				    FMI_SPANS);
	atomic_store(&n->media_count, n->media.count);
	fm_dev_raise(dev, FM_EFF_REMAP, NULL);
	return 0;
}

int fm_nvdimm_poison(struct fm_dev *dev, uint64_t off, uint64_t len, struct fm_error *err)
{
	return change_media(dev, off, len, true, err);
}

int fm_nvdimm_heal(struct fm_dev *dev, uint64_t off, uint64_t len, struct fm_error *err)
{
	return change_media(dev, off, len, false, err);
}

bool fm_nvdimm_media_error(const struct fm_dev *dev, size_t i, struct fm_persist_span *out)
{
	const struct nvdimm *n = of(dev);

	if (!n || i >= n->media.count)
		return false;
	*out = n->media.spans[i];
	return true;
}

/* --- verbs --------------------------------------------------------------------------------------- */

static unsigned nvdimm_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			    struct fm_attrs attrs)
{
	struct nvdimm *n = state;

	if (fmi_rarely(n->media.count) && fmi_media_find(&n->media, off, size)) {
		*value = fmi_size_mask(size);
		return FM_EFF_FAULT;
	}
	*value = fmi_mem_read(n->host + off, size);
	return 0;
}

static unsigned nvdimm_write(void *state, uint64_t off, unsigned size, uint64_t value,
			     struct fm_attrs attrs)
{
	struct nvdimm *n = state;
	struct fm_medium_op op = { .kind = FM_MEDIUM_STORE, .off = off, .len = size };
	uint64_t line = fmi_align_down(off, FM_NVDIMM_LINE);
	unsigned effects = 0;

	if (n->info.read_only)
		return 0;
	if (fmi_rarely(n->media.count) && !attrs.debug && fmi_media_find(&n->media, off, size) &&
	    fmi_media_heal(&n->media, line, fmi_align_up(off + size, FM_NVDIMM_LINE) - line)) {
		atomic_store(&n->media_count, n->media.count);
		effects = FM_EFF_REMAP;
	}
	op.changed = fmi_mem_read(n->host + off, size) != (value & fmi_size_mask(size));
	fmi_mem_write(n->host + off, size, value);
	if (fm_dirty_mark(fm_block_dirty(n->info.block), off, size))
		effects |= FM_EFF_DIRTY;
	op.dev = n->dev;
	op.data = n->host + off;
	return effects | fm_medium_emit(n->dev, &op);
}

/* The pages around `off` that are all mapped, or a run of those that trap. */
static void nvdimm_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct nvdimm *n = state;
	uint64_t lo = 0, hi = n->info.pmem_len;
	bool trapped = false;

	for (size_t i = 0; i < n->media.count; i++) {
		const struct fm_persist_span *s = &n->media.spans[i];
		uint64_t first = fmi_align_down(s->off, TRAP_PAGE);
		uint64_t end =
			fmi_min_u64(fmi_align_up(s->off + s->len, TRAP_PAGE), n->info.pmem_len);

		if (off >= end) {
			lo = end;
		} else if (off < first) {
			hi = first;
			break;
		} else {
			lo = first;
			hi = end;
			trapped = true;
			break;
		}
	}
	out->off = lo;
	out->len = hi - lo;
	if (!trapped)
		out->prot = FM_MAP_READ | FM_MAP_EXEC | (n->info.read_only ? 0 : FM_MAP_WRITE);
	out->block = n->info.block;
	out->block_off = lo;
}

static int nvdimm_flush(void *state, struct fm_error *err)
{
	struct nvdimm *n = state;
	struct fm_medium_op op = { .kind = FM_MEDIUM_FLUSH,
				   .dev = n->dev,
				   .len = n->info.pmem_len };
	int rc = flush_block(n, err);

	if (rc)
		return rc;
	fm_medium_emit(n->dev, &op);
	op.kind = FM_MEDIUM_FENCE;
	op.len = 0;
	fm_medium_emit(n->dev, &op);
	return 0;
}

/* Contents are kept over every reset; what the guest left in caches is flushed. */
static unsigned nvdimm_reset(void *state, enum fm_reset_kind kind)
{
	return nvdimm_flush(state, NULL) ? FM_EFF_IOERR : 0;
}

static int nvdimm_sanitize(void *state, struct fm_error *err)
{
	struct nvdimm *n = state;
	int rc;

	if (fm_block_flags(n->info.block) & FM_BLOCK_READONLY)
		return fm_error_set(err, FM_ERR_ACCESS, 0,
				    "%s: the block is read-only, expected a writable one",
				    fm_dev_name(n->dev));
	rc = check_file(n, err);
	if (rc)
		return rc;
	fmi_mem_fill(n->host, 0, fm_block_len(n->info.block));
	fm_dirty_mark(fm_block_dirty(n->info.block), 0, fm_block_len(n->info.block));
	n->media.count = 0;
	atomic_store(&n->media_count, 0);
	return nvdimm_flush(n, err);
}

static void nvdimm_free(void *state)
{
	struct nvdimm *n = state;

	fmi_flush_fini(&n->flush);
	pthread_mutex_destroy(&n->report);
	fm_persist_close(n->persist);
	free(n);
}

static const struct fm_dev_ops nvdimm_ops = {
	.struct_size = sizeof(nvdimm_ops),
	.type = "nvdimm",
	.version = 1,
	.read = nvdimm_read,
	.write = nvdimm_write,
	.map = nvdimm_map,
	.flush = nvdimm_flush,
	.reset = nvdimm_reset,
	.sanitize = nvdimm_sanitize,
	.save = fmi_nvdimm_save,
	.load = fmi_nvdimm_load,
	.describe = fmi_nvdimm_describe,
	.free = nvdimm_free,
};

struct fm_nvdimm_info fm_nvdimm_info(const struct fm_dev *dev)
{
	const struct nvdimm *n = of(dev);

	return n ? n->info : (struct fm_nvdimm_info){ .block = NULL };
}

/* --- making one ---------------------------------------------------------------------------------- */

static int check_config(const struct fm_nvdimm_config *c, struct fm_nvdimm_info *info,
			struct fm_error *err)
{
	const char *name = c->block ? fm_block_name(c->block) : "";
	uint64_t align = c->align;
	uint64_t len;

	if (!c->block)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_nvdimm_config.block is NULL");
	if (!align)
		align = fm_block_page_size(c->block);
	if (!fmi_is_pow2(align))
		return fm_error_set(err, FM_ERR_ARG, 0, "%s: align 0x%llx, expected a power of two",
				    name, (unsigned long long)align);
	if (c->label_len && (c->label_len < FM_LABEL_AREA_MIN || c->label_len > FM_LABEL_AREA_MAX))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: label area of 0x%llx bytes, expected 0 or 0x%x to 0x%x",
				    name, (unsigned long long)c->label_len, FM_LABEL_AREA_MIN,
				    FM_LABEL_AREA_MAX);
	if (c->read_only && !c->unarmed)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: read_only without unarmed: the guest must be told", name);
	if (!c->read_only && fm_block_flags(c->block) & FM_BLOCK_READONLY)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: the block is read-only, expected read_only", name);
	len = fm_block_len(c->block);
	if (c->label_len >= len || !fmi_align_down(len - c->label_len, align))
		return fm_error_set(
			err, FM_ERR_SIZE, 0,
			"%s: 0x%llx bytes, 0x%llx of them labels: expected memory of at least 0x%llx",
			name, (unsigned long long)len, (unsigned long long)c->label_len,
			(unsigned long long)align);
	*info = (struct fm_nvdimm_info){
		.block = c->block,
		.pmem_len = fmi_align_down(len - c->label_len, align),
		.label_len = c->label_len,
		.label_off = len - c->label_len,
		.unarmed = c->unarmed,
		.read_only = c->read_only,
	};
	return 0;
}

static int make(struct nvdimm *n, const struct fm_nvdimm_config *c, struct fm_error *err)
{
	struct fm_dev_config dev = { .struct_size = sizeof(dev), .len = n->info.pmem_len };
	int rc = fm_persist_open(&n->persist, c->block, err);

	if (rc)
		return rc;
	dev.name = c->name ? c->name : fm_block_name(c->block);
	n->host = fm_block_ptr(c->block);
	atomic_store(&n->dirty_shutdowns, c->dirty_shutdowns);
	pthread_mutex_init(&n->report, NULL);
	fmi_flush_init(&n->flush, n->persist);
	rc = fm_dev_new(&n->dev, &nvdimm_ops, n, &dev, err);
	if (rc) {
		fmi_flush_fini(&n->flush);
		pthread_mutex_destroy(&n->report);
		fm_persist_close(n->persist);
	}
	return rc;
}

int fm_nvdimm_new(struct fm_dev **out, const struct fm_nvdimm_config *cfg, struct fm_error *err)
{
	struct fm_nvdimm_config c;
	struct fm_nvdimm_info info;
	struct nvdimm *n;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_nvdimm_config", err);

	if (!rc)
		rc = check_config(&c, &info, err);
	if (rc)
		return rc;
	n = calloc(1, sizeof(*n));
	if (!n)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
				    fm_block_name(c.block));
	n->info = info;
	rc = make(n, &c, err);
	if (rc) {
		free(n);
		return rc;
	}
	*out = n->dev;
	return 0;
}
