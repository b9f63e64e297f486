/* SPDX-License-Identifier: BSD-2-Clause */
/* The dirty log while several threads mark, harvest, start and stop. */
#include "tests/unit/child.h"
#include "tests/unit/rng.h"
#include "tests/unit/unit.h"

#include "devices/dirty.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define G 4096u

static uint64_t below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

/* More granules than a word has, so that a harvest cuts words. */
#define CELLS 90u
#define MARKERS 3u

struct shared {
	struct fm_dirty *log;
	_Atomic uint64_t cells[CELLS]; /* "guest memory": a counter for each granule */
	uint64_t seen[CELLS];          /* what the harvester copied */
	atomic_uint round, ready, seed;
	unsigned rounds, stores;
	_Atomic uint64_t fresh; /* marks that were told to be new */
};

static void *marker(void *arg)
{
	struct shared *s = arg;
	struct rng r = { atomic_fetch_add(&s->seed, 1) };
	uint64_t fresh = 0;

	for (unsigned round = 1; round <= s->rounds; round++) {
		while (atomic_load(&s->round) < round)
			sched_yield();
		for (unsigned i = 0; i < s->stores; i++) {
			uint64_t g = below(&r, CELLS);

			atomic_fetch_add_explicit(&s->cells[g], 1, memory_order_relaxed);
			fresh += fm_dirty_mark(s->log, g * G + 8, 8);
		}
		atomic_fetch_add(&s->ready, 1);
	}
	atomic_fetch_add(&s->fresh, fresh);
	return NULL;
}

/* Copy what is dirty, in two parts that meet inside a word; one has a whole word. Returns how many granules were. */
static uint64_t copy_dirty(struct shared *s)
{
	static const uint64_t parts[][2] = { { 0, 70 }, { 70, CELLS - 70 } };
	uint64_t count = 0;

	for (int p = 0; p < 2; p++) {
		uint64_t bits[2];
		int64_t n = fm_dirty_harvest(s->log, 1, parts[p][0] * G, parts[p][1] * G, bits);

		assert_true(n >= 0);
		count += (uint64_t)n;
		for (uint64_t i = 0; n && i < parts[p][1]; i++) {
			uint64_t g = parts[p][0] + i;

			if (bits[i / 64] >> i % 64 & 1)
				s->seen[g] =
					atomic_load_explicit(&s->cells[g], memory_order_relaxed);
		}
	}
	return count;
}

/*
 * The migration's question: once the guest has stopped and the last harvest is done, is the copy
 * the memory? And every bit that was set was harvested once.
 */
static void no_mark_is_lost_to_a_harvest_at_the_same_time(void **state)
{
	struct shared s = { .rounds = 100, .stores = 300 };
	pthread_t threads[MARKERS];
	uint64_t harvested = 0;

	s.log = fmi_dirty_new(CELLS * G, G);
	assert_int_equal(fm_dirty_start(s.log, 1, NULL), 0);
	for (unsigned i = 0; i < MARKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, marker, &s), 0);
	for (unsigned round = 1; round <= s.rounds; round++) {
		atomic_store(&s.round, round);
		while (atomic_load(&s.ready) < MARKERS * round)
			harvested += copy_dirty(&s);
		harvested += copy_dirty(&s);
		for (unsigned g = 0; g < CELLS; g++)
			assert_int_equal(s.seen[g], atomic_load(&s.cells[g]));
	}
	for (unsigned i = 0; i < MARKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(harvested, atomic_load(&s.fresh));
	assert_true(harvested > s.rounds);
	fmi_dirty_free(s.log);
}

struct litmus {
	struct fm_dirty *log;
	/* Lines of their own, so that each may be late by itself. */
	_Alignas(128) _Atomic uint64_t cell;
	_Alignas(128) atomic_uint round;
	_Alignas(128) atomic_uint done;
	atomic_bool stop;
};

static void *litmus_marker(void *arg)
{
	struct litmus *l = arg;

	for (uint64_t round = 1;; round++) {
		while (atomic_load_explicit(&l->round, memory_order_acquire) < round) {
			if (atomic_load_explicit(&l->stop, memory_order_relaxed))
				return NULL;
		}
		/* The second mark finds the bit set, unless the harvest is just taking it. */
		for (uint64_t i = 0; i < 2; i++) {
			atomic_store_explicit(&l->cell, 2 * round + i, memory_order_relaxed);
			fm_dirty_mark(l->log, 0, 8);
		}
		atomic_store_explicit(&l->done, (unsigned)round, memory_order_release);
	}
}

/* Store, then load of the bit, against exchange of the bit, then load: the store buffer's race. */
static int run_litmus(void *arg)
{
	struct litmus l = { .log = fmi_dirty_new(G, G) };
	const time_t end = time(NULL) + 1; /* a host with one processor */
	pthread_t thread;
	uint64_t bits;

	CHILD_CHECK(!fm_dirty_start(l.log, 0, NULL));
	CHILD_CHECK(!pthread_create(&thread, NULL, litmus_marker, &l));
	for (unsigned round = 1; round <= 200000 && time(NULL) < end; round++) {
		uint64_t seen = 0;
		bool last;

		atomic_store(&l.round, round);
		do {
			last = atomic_load_explicit(&l.done, memory_order_acquire) == round;
			if (fm_dirty_harvest(l.log, 0, 0, G, &bits) > 0)
				seen = atomic_load_explicit(&l.cell, memory_order_relaxed);
		} while (!last);
		CHILD_CHECK(seen == 2 * round + 1);
	}
	atomic_store(&l.stop, true);
	pthread_join(thread, NULL);
	fmi_dirty_free(l.log);
	return 0;
}

static void who_finds_the_bit_set_has_its_store_in_that_harvest(void **state)
{
	assert_int_equal(run_litmus(NULL), 0);
}

static int run_litmus_without(void *arg)
{
	return child_deny(SYS_membarrier, -1, 0, ENOSYS) ? run_litmus(NULL) : CHILD_SKIP;
}

/* Then marks make the barrier that harvests cannot make for them. */
static void so_it_is_where_membarrier_is_forbidden(void **state)
{
	child_run(run_litmus_without, NULL);
}

struct restless {
	struct fm_dirty *log;
	atomic_bool stop;
	unsigned client;
};

static void *restless_client(void *arg)
{
	struct restless *r = arg;
	uint64_t bits[2];

	while (!atomic_load(&r->stop)) {
		fm_dirty_start(r->log, r->client, NULL);
		fm_dirty_harvest(r->log, r->client, 0, CELLS * G, bits);
		fm_dirty_count(r->log, r->client);
		fm_dirty_stop(r->log, r->client);
	}
	return NULL;
}

static void clients_may_come_and_go_while_others_mark(void **state)
{
	struct restless r[2] = { { .client = 3 }, { .client = 3 } };
	struct shared s = { .rounds = 1, .stores = 20000, .round = 1 };
	pthread_t marks, clients[2];

	s.log = fmi_dirty_new(CELLS * G, G);
	assert_int_equal(fm_dirty_start(s.log, 1, NULL), 0);
	for (int i = 0; i < 2; i++) {
		r[i].log = s.log;
		assert_int_equal(pthread_create(&clients[i], NULL, restless_client, &r[i]), 0);
	}
	assert_int_equal(pthread_create(&marks, NULL, marker, &s), 0);
	pthread_join(marks, NULL);
	for (int i = 0; i < 2; i++) {
		atomic_store(&r[i].stop, true);
		pthread_join(clients[i], NULL);
	}
	assert_true(fm_dirty_active(s.log, 1));
	assert_false(fm_dirty_active(s.log, 3));
	/* Client 1 lost nothing by it. */
	copy_dirty(&s);
	for (unsigned g = 0; g < CELLS; g++)
		assert_int_equal(s.seen[g], atomic_load(&s.cells[g]));
	fmi_dirty_free(s.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mark_is_lost_to_a_harvest_at_the_same_time),
		cmocka_unit_test(who_finds_the_bit_set_has_its_store_in_that_harvest),
		cmocka_unit_test(so_it_is_where_membarrier_is_forbidden),
		cmocka_unit_test(clients_may_come_and_go_while_others_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
