/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/device_private.h"
#include "nvdimm/nvdimm_private.h"
#include "tests/unit/persist_bench.h"

#include <firmem/dirty.h>
#include <firmem/nvdimm.h>

#include <pthread.h>
#include <stdatomic.h>

#define LABELS 4096u
#define PMEM (LEN - LABELS)

/* --- fixtures ------------------------------------------------------------------------------------ */

static struct fm_dev *make(struct fm_nvdimm_config cfg)
{
	struct fm_dev *dev = NULL;
	struct fm_error err = { 0 };

	cfg.struct_size = sizeof(cfg);
	if (fm_nvdimm_new(&dev, &cfg, &err))
		fail_msg("%s", err.msg);
	return dev;
}

static int refuse(struct fm_nvdimm_config cfg)
{
	struct fm_dev *dev = NULL;
	int rc;

	cfg.struct_size = sizeof(cfg);
	rc = fm_nvdimm_new(&dev, &cfg, NULL);
	assert_null(dev);
	return rc;
}

/* In memory. */
struct fixture {
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *ptr;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->block = make_block((struct fm_block_config){ .backing = FM_BACKING_ANON, .len = LEN });
	f->dev = make((struct fm_nvdimm_config){ .block = f->block, .label_len = LABELS });
	f->ptr = fm_block_ptr(f->block);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fm_dev_free(f->dev);
	fm_block_free(f->block);
	free(f);
	return 0;
}

static uint64_t peek(struct fm_dev *dev, uint64_t off, unsigned effects)
{
	uint64_t v = 7;

	assert_int_equal(fm_dev_read(dev, off, 8, &v, FM_ATTRS_NONE), effects);
	return v;
}

/* --- what it is ---------------------------------------------------------------------------------- */

static void the_labels_are_the_last_bytes_of_the_block(void **state)
{
	struct fixture *f = *state;
	struct fm_nvdimm_info info = fm_nvdimm_info(f->dev);
	uint8_t byte = 0x5a;

	assert_int_equal(info.pmem_len, PMEM);
	assert_int_equal(info.label_off, PMEM);
	assert_int_equal(fm_dev_len(f->dev), PMEM);
	assert_int_equal(fm_nvdimm_write_label(f->dev, LABELS - 1, &byte, 1, NULL), 0);
	assert_int_equal(f->ptr[LEN - 1], 0x5a);
	byte = 0;
	assert_int_equal(fm_nvdimm_read_label(f->dev, LABELS - 1, &byte, 1, NULL), 0);
	assert_int_equal(byte, 0x5a);
	assert_int_equal(fm_nvdimm_read_label(f->dev, LABELS, &byte, 1, NULL), FM_ERR_RANGE);
	assert_int_equal(fm_nvdimm_write_label(f->dev, UINT64_MAX, &byte, 2, NULL), FM_ERR_RANGE);
	assert_int_equal(peek(f->dev, PMEM - 4, FM_EFF_FAULT), UINT64_MAX);
}

static void the_memory_is_rounded_down(void **state)
{
	struct fixture *f = *state;
	struct fm_dev *dev = make((struct fm_nvdimm_config){
		.block = f->block, .name = "b", .label_len = LABELS + 1024, .align = 64 * KIB });

	assert_int_equal(fm_nvdimm_info(dev).pmem_len, 192 * KIB);
	assert_int_equal(fm_nvdimm_info(dev).label_off, LEN - LABELS - 1024);
	fm_dev_free(dev);
}

static void configs_that_cannot_be_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(refuse((struct fm_nvdimm_config){ .label_len = LABELS }), FM_ERR_ARG);
	assert_int_equal(refuse((struct fm_nvdimm_config){ .block = f->block, .label_len = 1023 }),
			 FM_ERR_ARG);
	assert_int_equal(refuse((struct fm_nvdimm_config){ .block = f->block, .label_len = LEN }),
			 FM_ERR_SIZE);
	assert_int_equal(refuse((struct fm_nvdimm_config){ .block = f->block, .align = 3 }),
			 FM_ERR_ARG);
	assert_int_equal(refuse((struct fm_nvdimm_config){ .block = f->block, .align = 2 * LEN }),
			 FM_ERR_SIZE);
	assert_int_equal(refuse((struct fm_nvdimm_config){ .block = f->block, .read_only = true }),
			 FM_ERR_ARG);
}

static void a_read_only_one_drops_stores(void **state)
{
	struct fixture *f = *state;
	struct fm_mapping map;
	struct fm_dev *dev = make((struct fm_nvdimm_config){
		.block = f->block, .label_len = LABELS, .unarmed = true, .read_only = true });

	assert_int_equal(fm_dev_write(dev, 0, 8, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(f->ptr[0], 0);
	assert_int_equal(fm_nvdimm_write_label(dev, 0, "x", 1, NULL), FM_ERR_ACCESS);
	fm_dev_map(dev, 0, &map);
	assert_int_equal(map.prot, FM_MAP_READ | FM_MAP_EXEC);
	assert_true(fm_nvdimm_info(dev).unarmed);
	fm_dev_free(dev);
	dev = make((struct fm_nvdimm_config){ .block = f->block, .unarmed = true });
	fm_dev_write(dev, 0, 8, 1, FM_ATTRS_NONE);
	assert_int_equal(f->ptr[0], 1);
	fm_dev_free(dev);
}

static void its_persistence_is_that_of_the_block(void **state)
{
	struct fixture *f = *state;
	struct bench b;
	struct fm_dev *dev;

	assert_int_equal(fm_nvdimm_persistence(f->dev), FM_PERSIST_NONE);
	assert_non_null(strstr(fm_nvdimm_persistence_reason(f->dev), "anonymous"));
	assert_int_equal(fm_nvdimm_persistence(NULL), FM_PERSIST_NONE);
	bench_open(&b);
	dev = make((struct fm_nvdimm_config){ .block = b.block });
	assert_int_equal(fm_nvdimm_persistence(dev), fm_persist_level(b.p));
	fm_dev_free(dev);
	bench_close(&b);
	remove_files(NULL);
}

/* --- flushes ------------------------------------------------------------------------------------- */

static void a_flush_syncs_its_pages_and_no_others(void **state)
{
	const struct fm_persist_span span = { .off = 8192 + 5, .len = 9 };
	const struct fm_persist_span beyond = { .off = PMEM, .len = 1 };
	struct bench b;
	struct fm_dev *dev;

	bench_open(&b);
	dev = make((struct fm_nvdimm_config){ .block = b.block, .label_len = LABELS });
	assert_int_equal(fm_nvdimm_flush(dev, &span, 1, NULL), 0);
	assert_ptr_equal(b.seam.addr, b.ptr + 8192);
	assert_int_equal(b.seam.len, 5 + 9);
	assert_int_equal(fm_nvdimm_flush(dev, &beyond, 1, NULL), FM_ERR_RANGE);
	assert_int_equal(b.seam.calls, 1);
	assert_int_equal(fm_nvdimm_flush_all(dev, NULL), 0);
	assert_int_equal(b.seam.len, PMEM);
	assert_int_equal(fm_dev_flush(dev, NULL), 0);
	assert_int_equal(b.seam.len, LEN);
	assert_int_equal(fm_dev_reset(dev, FM_RESET_SYSTEM), 0);
	assert_int_equal(b.seam.calls, 4);
	fm_dev_free(dev);
	bench_close(&b);
}

static void a_flush_of_the_dirty_log_syncs_what_it_has(void **state)
{
	struct fm_dirty *log;
	struct bench b;
	struct fm_dev *dev;

	bench_open(&b);
	b.seam.any_file_system = true;
	dev = make((struct fm_nvdimm_config){ .block = b.block, .label_len = LABELS });
	log = fm_block_dirty(b.block);
	assert_int_equal(fm_nvdimm_flush_dirty(dev, 1, NULL), FM_ERR_STATE);
	assert_int_equal(fm_dirty_start(log, 1, NULL), 0);
	assert_int_equal(fm_nvdimm_flush_dirty(dev, 1, NULL), 0);
	assert_int_equal(b.seam.calls, 0);
	fm_dev_write(dev, 5 * 4096, 8, 1, FM_ATTRS_NONE);
	fm_dev_write(dev, 7 * 4096, 8, 1, FM_ATTRS_NONE);
	assert_int_equal(fm_nvdimm_flush_dirty(dev, 1, NULL), 0);
	assert_int_equal(b.seam.calls, 1);
	assert_int_equal(b.seam.nouts, 4);
	assert_int_equal(b.seam.outs[0].off, 5 * 4096);
	assert_int_equal(b.seam.outs[1].off, 7 * 4096);
	assert_int_equal(fm_dirty_count(log, 1), 0);
	fm_dev_free(dev);
	bench_close(&b);
}

static void a_label_write_is_durable_when_it_returns(void **state)
{
	struct bench b;
	struct fm_dev *dev;

	bench_open(&b);
	dev = make((struct fm_nvdimm_config){ .block = b.block, .label_len = LABELS });
	assert_int_equal(fm_nvdimm_write_label(dev, 256, "index", 5, NULL), 0);
	assert_int_equal(b.seam.worked, 1);
	assert_ptr_equal(b.seam.addr, b.ptr + PMEM);
	fm_dev_free(dev);
	bench_close(&b);
}

static void a_failed_flush_sticks_and_shows_in_health(void **state)
{
	const struct fm_persist_span span = { .len = 1 };
	struct fm_nvdimm_health h;
	struct fm_error err = { 0 };
	struct bench b;
	struct fm_dev *dev;

	bench_open(&b);
	memset(b.ptr, 1, LEN);
	assert_int_equal(fm_block_sync(b.block, 0, LEN, NULL), 0);
	b.seam.calls = 0;
	b.seam.fail[0] = -EIO;
	dev = make((struct fm_nvdimm_config){ .block = b.block, .dirty_shutdowns = 4 });
	fm_nvdimm_get_health(dev, &h);
	assert_int_equal(h.dirty_shutdowns, 4);
	assert_false(h.data_lost);
	assert_int_equal(fm_nvdimm_flush(dev, &span, 1, &err), FM_ERR_IO);
	assert_int_equal(err.code, FM_ERR_IO);
	assert_int_equal(fm_dev_pending(dev), FM_EFF_IOERR);
	assert_int_equal(fm_dev_error(dev, NULL), FM_ERR_IO);
	fm_nvdimm_get_health(dev, &h);
	assert_true(h.flush_failed && h.data_lost);
	assert_int_equal(h.dirty_shutdowns, 5);
	/* The next one makes it good, but what was lost was lost. */
	assert_int_equal(fm_nvdimm_flush(dev, &span, 1, &err), 0);
	assert_int_equal(b.seam.len, LEN);
	assert_int_equal(fm_dev_error(dev, NULL), 0);
	fm_nvdimm_get_health(dev, &h);
	assert_true(!h.flush_failed && h.data_lost);
	assert_int_equal(h.failures, 1);
	fm_dev_free(dev);
	bench_close(&b);
}

/* A seam whose first sync waits until all others have asked. */
struct gate {
	struct faulty seam;
	atomic_uint syncs, fail;
	atomic_bool open;
};

static struct gate gate;

static int gate_msync(void *ctx, void *addr, size_t len)
{
	if (atomic_fetch_add(&gate.syncs, 1) == 0) {
		while (!atomic_load(&gate.open))
			usleep(1000);
		return 0;
	}
	return atomic_load(&gate.fail) ? -EIO : 0;
}

struct caller {
	pthread_t thread;
	struct fm_dev *dev;
	struct fm_persist_span span;
	int rc;
};

static void *call(void *arg)
{
	struct caller *c = arg;

	c->rc = fm_nvdimm_flush(c->dev, &c->span, 1, NULL);
	return NULL;
}

/* How many wait for the next sync. */
static unsigned waiting(struct fm_dev *dev)
{
	struct fmi_flush *f = &((struct nvdimm *)dev->state)->flush;
	unsigned n = 0;

	pthread_mutex_lock(&f->lock);
	for (const struct fmi_flush_wait *w = f->batch[f->open].waits; w; w = w->next)
		n++;
	pthread_mutex_unlock(&f->lock);
	return n;
}

/* The first caller's sync waits; fifteen others come. */
static void sixteen(struct bench *b, struct fm_dev *dev, struct caller callers[16])
{
	atomic_store(&gate.syncs, 0);
	atomic_store(&gate.open, false);
	for (size_t i = 0; i < 16; i++) {
		callers[i] = (struct caller){ .dev = dev, .span = { .off = i * 4096, .len = 1 } };
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
		while (i == 0 && atomic_load(&gate.syncs) == 0)
			usleep(1000);
	}
	while (waiting(dev) < 15)
		usleep(1000);
	atomic_store(&gate.open, true);
	for (size_t i = 0; i < 16; i++)
		pthread_join(callers[i].thread, NULL);
}

static void sixteen_flushes_at_once_are_two_syncs(void **state)
{
	struct caller callers[16];
	struct bench b;
	struct fm_dev *dev;

	bench_open(&b);
	b.seam.ops.msync = gate_msync;
	dev = make((struct fm_nvdimm_config){ .block = b.block });
	atomic_store(&gate.fail, 0);
	sixteen(&b, dev, callers);
	assert_int_equal(atomic_load(&gate.syncs), 2);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(callers[i].rc, 0);
	/* A failure is of those who shared it. */
	atomic_store(&gate.fail, 1);
	sixteen(&b, dev, callers);
	assert_int_equal(callers[0].rc, 0);
	for (size_t i = 1; i < 16; i++)
		assert_int_equal(callers[i].rc, FM_ERR_IO);
	fm_dev_free(dev);
	bench_close(&b);
}

/* --- media errors -------------------------------------------------------------------------------- */

static void a_media_error_faults_reads_until_it_is_written(void **state)
{
	struct fixture *f = *state;
	struct fm_persist_span s;

	assert_int_equal(fm_nvdimm_poison(f->dev, 4096 + 70, 1, NULL), 0);
	assert_true(fm_dev_pending(f->dev) & FM_EFF_REMAP);
	assert_true(fm_nvdimm_media_error(f->dev, 0, &s));
	assert_true(s.off == 4096 + 64 && s.len == 64);
	assert_int_equal(peek(f->dev, 4096 + 64, FM_EFF_FAULT), UINT64_MAX);
	assert_int_equal(peek(f->dev, 4096 + 60, FM_EFF_FAULT), UINT64_MAX);
	assert_int_equal(peek(f->dev, 4096 + 56, 0), 0);
	assert_int_equal(fm_dev_write(f->dev, 4096 + 120, 8, 3, FM_ATTRS_NONE), FM_EFF_REMAP);
	assert_int_equal(peek(f->dev, 4096 + 120, 0), 3);
	assert_false(fm_nvdimm_media_error(f->dev, 0, &s));
	assert_int_equal(fm_nvdimm_poison(f->dev, PMEM, 1, NULL), FM_ERR_RANGE);
}

static void pages_with_media_errors_trap(void **state)
{
	struct fixture *f = *state;
	struct fm_mapping map;

	fm_nvdimm_poison(f->dev, 2 * 4096, 1, NULL);
	fm_dev_map(f->dev, 0, &map);
	assert_true(map.off == 0 && map.len == 2 * 4096 && map.prot & FM_MAP_WRITE);
	fm_dev_map(f->dev, 2 * 4096 + 100, &map);
	assert_true(map.off == 2 * 4096 && map.len == 4096 && map.prot == 0);
	fm_dev_map(f->dev, 3 * 4096, &map);
	assert_true(map.off == 3 * 4096 && map.len == PMEM - 3 * 4096 && map.prot);
	assert_int_equal(map.block_off, 3 * 4096);
}

static void media_errors_join_and_split(void **state)
{
	struct fixture *f = *state;
	struct fm_persist_span s;

	fm_nvdimm_poison(f->dev, 0, 64, NULL);
	fm_nvdimm_poison(f->dev, 128, 64, NULL);
	fm_nvdimm_poison(f->dev, 64, 64, NULL);
	assert_true(fm_nvdimm_media_error(f->dev, 0, &s) && s.off == 0 && s.len == 192);
	assert_false(fm_nvdimm_media_error(f->dev, 1, &s));
	fm_nvdimm_heal(f->dev, 64, 64, NULL);
	assert_true(fm_nvdimm_media_error(f->dev, 0, &s) && s.off == 0 && s.len == 64);
	assert_true(fm_nvdimm_media_error(f->dev, 1, &s) && s.off == 128 && s.len == 64);
	fm_nvdimm_heal(f->dev, 0, PMEM, NULL);
	assert_false(fm_nvdimm_media_error(f->dev, 0, &s));
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(fm_nvdimm_poison(f->dev, i * 128, 1, NULL), 0);
	assert_int_equal(fm_nvdimm_poison(f->dev, 256 * 128, 1, NULL), FM_ERR_NOSPACE);
}

/* --- resets and states --------------------------------------------------------------------------- */

static void every_reset_keeps_contents_and_errors(void **state)
{
	struct fixture *f = *state;
	struct fm_persist_span s;

	fm_dev_write(f->dev, 8, 8, 42, FM_ATTRS_NONE);
	fm_nvdimm_write_label(f->dev, 0, "x", 1, NULL);
	fm_nvdimm_poison(f->dev, 4096, 1, NULL);
	for (unsigned kind = 0; kind < FM_RESET_COUNT; kind++)
		assert_int_equal(fm_dev_reset(f->dev, (enum fm_reset_kind)kind), 0);
	assert_int_equal(peek(f->dev, 8, 0), 42);
	assert_int_equal(f->ptr[PMEM], 'x');
	assert_true(fm_nvdimm_media_error(f->dev, 0, &s));
	assert_int_equal(fm_dev_sanitize(f->dev, NULL), 0);
	assert_int_equal(peek(f->dev, 8, 0), 0);
	assert_int_equal(f->ptr[PMEM], 0);
	assert_false(fm_nvdimm_media_error(f->dev, 0, &s));
}

static void a_saved_state_is_restored_or_refused(void **state)
{
	struct fixture *f = *state;
	struct fm_persist_span s;
	struct fm_dev *other;
	void *saved;
	size_t len;

	fm_nvdimm_poison(f->dev, 4096, 1, NULL);
	fm_nvdimm_poison(f->dev, 8192, 1, NULL);
	assert_int_equal(fm_dev_save(f->dev, &saved, &len, NULL), 0);
	fm_nvdimm_heal(f->dev, 0, PMEM, NULL);
	assert_int_equal(fm_dev_load(f->dev, saved, len, NULL), 0);
	assert_true(fm_nvdimm_media_error(f->dev, 1, &s) && s.off == 8192);
	other = make((struct fm_nvdimm_config){ .block = f->block });
	assert_int_equal(fm_dev_load(other, saved, len, NULL), FM_ERR_FORMAT);
	fm_dev_free(other);
	free(saved);
}

static void other_devices_are_no_nvdimms(void **state)
{
	struct fm_nvdimm_health h;
	struct fm_persist_span s = { 0 };

	assert_int_equal(fm_nvdimm_flush(NULL, &s, 1, NULL), FM_ERR_ARG);
	assert_int_equal(fm_nvdimm_flush_all(NULL, NULL), FM_ERR_ARG);
	assert_int_equal(fm_nvdimm_flush_dirty(NULL, 0, NULL), FM_ERR_ARG);
	assert_int_equal(fm_nvdimm_poison(NULL, 0, 1, NULL), FM_ERR_ARG);
	assert_int_equal(fm_nvdimm_read_label(NULL, 0, &s, 1, NULL), FM_ERR_ARG);
	assert_null(fm_nvdimm_info(NULL).block);
	fm_nvdimm_get_health(NULL, &h);
	assert_int_equal(h.syncs, 0);
}

#define FIXED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXED(the_labels_are_the_last_bytes_of_the_block),
		FIXED(the_memory_is_rounded_down),
		FIXED(configs_that_cannot_be_are_refused),
		FIXED(a_read_only_one_drops_stores),
		FIXED(its_persistence_is_that_of_the_block),
		TEST(a_flush_syncs_its_pages_and_no_others),
		TEST(a_flush_of_the_dirty_log_syncs_what_it_has),
		TEST(a_label_write_is_durable_when_it_returns),
		TEST(a_failed_flush_sticks_and_shows_in_health),
		TEST(sixteen_flushes_at_once_are_two_syncs),
		FIXED(a_media_error_faults_reads_until_it_is_written),
		FIXED(pages_with_media_errors_trap),
		FIXED(media_errors_join_and_split),
		FIXED(every_reset_keeps_contents_and_errors),
		FIXED(a_saved_state_is_restored_or_refused),
		cmocka_unit_test(other_devices_are_no_nvdimms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
