/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes of many threads beside label writes, saves and loads, while syncs fail now and then. For
 * ThreadSanitizer; and at the end the device says of its errors what persist says.
 */
#include "tests/unit/persist_bench.h"

#include <firmem/nvdimm.h>

#include <pthread.h>
#include <stdatomic.h>

#define LABELS 4096u
#define PMEM (LEN - LABELS)
#define ROUNDS 200u

static atomic_uint syncs;

/* Every seventh fails. */
static int some_msync(void *ctx, void *addr, size_t len)
{
	return atomic_fetch_add(&syncs, 1) % 7 == 6 ? -EIO : 0;
}

struct shared {
	struct fm_dev *dev;
	pthread_mutex_t lock; /* of the device */
	atomic_bool stop;
};

static void *flusher(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct fm_persist_span span = { .off = i % 50 * 4096, .len = 8192 };
		int rc = fm_nvdimm_flush(s->dev, &span, 1, NULL);

		assert_true(rc == 0 || rc == FM_ERR_IO);
	}
	return NULL;
}

static void *labeller(void *arg)
{
	struct shared *s = arg;
	uint8_t bytes[256];

	for (unsigned i = 0; i < ROUNDS; i++) {
		int rc;

		memset(bytes, (int)i, sizeof(bytes));
		pthread_mutex_lock(&s->lock);
		rc = fm_nvdimm_write_label(s->dev, i % 16 * 256, bytes, sizeof(bytes), NULL);
		pthread_mutex_unlock(&s->lock);
		assert_true(rc == 0 || rc == FM_ERR_IO);
	}
	return NULL;
}

static void *saver(void *arg)
{
	struct shared *s = arg;
	void *saved;
	size_t len;

	while (!atomic_load(&s->stop)) {
		pthread_mutex_lock(&s->lock);
		assert_int_equal(fm_nvdimm_poison(s->dev, 4096, 1, NULL), 0);
		assert_int_equal(fm_dev_save(s->dev, &saved, &len, NULL), 0);
		assert_int_equal(fm_dev_load(s->dev, saved, len, NULL), 0);
		assert_int_equal(fm_nvdimm_heal(s->dev, 4096, 1, NULL), 0);
		pthread_mutex_unlock(&s->lock);
		free(saved);
	}
	return NULL;
}

static void *watcher(void *arg)
{
	struct shared *s = arg;
	struct fm_nvdimm_health h;
	uint64_t last = 0;

	while (!atomic_load(&s->stop)) {
		fm_nvdimm_get_health(s->dev, &h);
		assert_true(h.failures >= last);
		last = h.failures;
		fm_dev_pending(s->dev);
		fm_dev_error(s->dev, NULL);
	}
	return NULL;
}

static void flushes_label_writes_and_saves_may_be_at_once(void **state)
{
	static void *(*const roles[])(void *) = { flusher,  flusher, flusher,
						  labeller, saver,   watcher };
	struct shared s = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct fm_nvdimm_config cfg = { .struct_size = sizeof(cfg), .label_len = LABELS };
	struct fm_nvdimm_health h;
	pthread_t threads[6];
	struct bench b;

	bench_open(&b);
	b.seam.ops.msync = some_msync;
	b.seam.ops.write_out = NULL;
	cfg.block = b.block;
	assert_int_equal(fm_nvdimm_new(&s.dev, &cfg, NULL), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, roles[i], &s), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&s.stop, true);
	pthread_join(threads[4], NULL);
	pthread_join(threads[5], NULL);
	fm_nvdimm_get_health(s.dev, &h);
	assert_true(h.data_lost && h.failures > 0);
	assert_int_equal(fm_dev_error(s.dev, NULL) != 0, h.flush_failed);
	fm_dev_free(s.dev);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flushes_label_writes_and_saves_may_be_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
