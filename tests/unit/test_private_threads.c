/* SPDX-License-Identifier: BSD-2-Clause */
/* Private ranges while vCPUs convert them and others ask. */
#include "tests/unit/reset_fixture.h"
#include "tests/unit/rng.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define EACH 70u /* granules of a thread: more than a word has */
#define THREADS 3u
#define TURNS 3000u
#define LEN (THREADS * EACH * PAGE)

struct shared {
	struct fm_block *block;
	atomic_uint next;
	atomic_uint running;
	_Atomic uint64_t changes;
	bool last[THREADS]; /* what each made of its range at the end */
};

/* A range of its own, converted whole, there and back. */
static void *converter(void *arg)
{
	struct shared *s = arg;
	unsigned me = atomic_fetch_add(&s->next, 1);
	uint64_t off = me * EACH * PAGE;
	struct rng r = { me };
	bool is = false;

	for (unsigned turn = 0; turn < TURNS; turn++) {
		bool to = rng_next(&r) & 1;

		if (fm_private_convert(s->block, off, EACH * PAGE, to, NULL))
			break;
		atomic_fetch_add(&s->changes, is != to);
		is = to;
		/* Nobody else converts it. */
		if (fm_private_at(s->block, off + (rng_next(&r) % EACH) * PAGE, NULL) != to)
			break;
		s->last[me] = to;
	}
	atomic_fetch_sub(&s->running, 1);
	return NULL;
}

/* Runs cover the block, each of them something, and none ends within what is converted at once. */
static void walk(struct shared *s)
{
	uint64_t run;

	for (uint64_t off = 0; off < LEN; off += run) {
		fm_private_at(s->block, off, &run);
		assert_true(run && run <= LEN - off);
		assert_int_equal(run % (EACH * PAGE), 0);
	}
}

static void convert_and_ask(struct fm_private_config cfg)
{
	struct shared s = { .running = THREADS };
	pthread_t threads[THREADS];
	uint64_t before = 0;

	s.block = must_make(BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM,
				      .backing = FM_BACKING_MEMFD, .len = LEN));
	cfg.struct_size = sizeof(cfg);
	assert_int_equal(fm_private_enable(s.block, &cfg, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, converter, &s), 0);
	while (atomic_load(&s.running)) {
		uint64_t now = fm_private_generation(s.block);

		assert_true(now >= before);
		before = now;
		walk(&s);
		assert_false(fm_private_dumpable(s.block));
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Every change was counted once, and none is lost. */
	assert_int_equal(fm_private_generation(s.block), atomic_load(&s.changes));
	for (unsigned i = 0; i < THREADS; i++)
		assert_true(fm_private_at(s.block, i * EACH * PAGE, NULL) == s.last[i]);
	fm_block_free(s.block);
}

static void conversions_are_whole_for_who_asks_at_the_same_time(void **state)
{
	convert_and_ask((struct fm_private_config){ .granule = PAGE });
}

/* Each of them gives pages back, too. */
static void so_they_are_with_a_file_for_private_pages(void **state)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)LEN), 0);
	convert_and_ask((struct fm_private_config){ .use_fd = true, .fd = fd });
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversions_are_whole_for_who_asks_at_the_same_time),
		cmocka_unit_test(so_they_are_with_a_file_for_private_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
