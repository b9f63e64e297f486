/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests go on through their ports while DIMMs come and go: no access ever uses freed memory. */
#include "tests/unit/dimm_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define GUESTS 2u
#define ROUNDS 200u

struct shared {
	struct fm_space *space;
	atomic_bool stop;
	_Atomic uint64_t there, gone;
};

static void *guest(void *arg)
{
	struct shared *s = arg;
	struct fm_port *port;

	if (fm_port_new(&port, s->space, NULL))
		return arg;
	while (!atomic_load(&s->stop)) {
		uint64_t value = 0;

		/* Each DIMM's every word is what it was plugged with, as long as it is there. */
		if (fm_port_read(port, REGION + 2 * MIB - 8, 8, &value, FM_ATTRS_NONE)) {
			atomic_fetch_add(&s->gone, 1);
		} else if (value == 0xa5a5a5a5a5a5a5a5) {
			fm_port_write(port, REGION + 2 * MIB - 8, 8, value, FM_ATTRS_NONE);
			atomic_fetch_add(&s->there, 1);
		} else {
			fm_port_free(port);
			return arg;
		}
	}
	fm_port_free(port);
	return NULL;
}

static void guests_see_a_dimm_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	struct shared s = { .space = f->space };
	pthread_t threads[GUESTS];

	for (unsigned i = 0; i < GUESTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, guest, &s), 0);
	for (unsigned i = 0; i < ROUNDS || !s.there || !s.gone; i++) {
		struct fm_dimm_config c = { .struct_size = sizeof(c) };
		struct fm_dimm *d;

		c.block = memory("a", FM_ROLE_DIMM, 2 * MIB);
		memset(bytes(c.block) + 2 * MIB - 8, 0xa5, 8);
		assert_int_equal(fm_dimm_plug(f->dimms, &c, &d, NULL), 0);
		assert_int_equal(fm_dimm_request_unplug(d, NULL), 0);
		assert_int_equal(fm_dimm_eject(d, NULL), 0);
		assert_int_equal(fm_dimm_release(d, NULL, NULL), 0);
	}
	atomic_store(&s.stop, true);
	for (unsigned i = 0; i < GUESTS; i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

/* --- an access that is under way ------------------------------------------------------------------- */

/* A device whose every access is slow, over a block of its own. */
struct slow {
	struct fm_block *block;
	struct fm_space *space;
	atomic_bool inside, left, freed_inside;
};

static void slow_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct slow *slow = state;

	out->len = fm_block_len(slow->block);
	out->block = slow->block;
}

static unsigned slow_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			  struct fm_attrs attrs)
{
	struct slow *slow = state;

	atomic_store(&slow->inside, true);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	*value = bytes(slow->block)[off];
	atomic_store(&slow->left, true);
	return 0;
}

static void slow_free(void *state)
{
	struct slow *slow = state;

	atomic_store(&slow->freed_inside, !atomic_load(&slow->left));
}

static void *slow_guest(void *arg)
{
	struct slow *slow = arg;
	struct fm_port *port;
	uint64_t value;

	if (fm_port_new(&port, slow->space, NULL))
		return arg;
	fm_port_read(port, REGION, 1, &value, FM_ATTRS_NONE);
	fm_port_free(port);
	return NULL;
}

static void an_access_under_way_ends_before_the_device_does(void **state)
{
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "slow",
					       .map = slow_map,
					       .read = slow_read,
					       .free = slow_free };
	struct fixture *f = *state;
	struct slow slow = { .space = f->space };
	struct fm_dev_config dc = { .struct_size = sizeof(dc), .name = "slow", .len = 2 * MIB };
	struct fm_dimm_config c = { .struct_size = sizeof(c) };
	struct fm_dimm *d;
	pthread_t thread;

	c.block = slow.block = memory("a", FM_ROLE_DIMM, 2 * MIB);
	assert_int_equal(fm_dev_new(&c.dev, &ops, &slow, &dc, NULL), 0);
	assert_int_equal(fm_dimm_plug(f->dimms, &c, &d, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, slow_guest, &slow), 0);
	while (!atomic_load(&slow.inside))
		sched_yield();
	assert_int_equal(fm_dimm_remove(d, NULL), 0);
	assert_int_equal(fm_dimm_release(d, NULL, NULL), 0);
	assert_false(slow.freed_inside);
	pthread_join(thread, NULL);
}

struct rival {
	struct fm_machine *machine;
	struct fm_block *block;
	atomic_uint *holders; /* how many have it */
	unsigned got;
	bool both;
	bool wrong; /* refused for another reason */
};

static void *try_for_it(void *arg)
{
	struct rival *r = arg;

	while (r->got < ROUNDS && !r->wrong) {
		int rc = fm_machine_add_block(r->machine, r->block, NULL);

		if (!rc) {
			r->both |= atomic_fetch_add(r->holders, 1) != 0;
			sched_yield();
			atomic_fetch_sub(r->holders, 1);
			r->wrong = fm_machine_remove_block(r->machine, r->block, NULL);
			r->got++;
		} else {
			r->wrong = rc != FM_ERR_BUSY;
		}
		sched_yield();
	}
	return NULL;
}

static void a_block_is_never_two_machines_at_once(void **state)
{
	struct fm_block *block = memory("a", FM_ROLE_DIMM, 2 * MIB);
	atomic_uint holders = 0;
	struct rival rivals[2];
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++) {
		rivals[i] = (struct rival){ .block = block, .holders = &holders };
		assert_int_equal(fm_machine_new(&rivals[i].machine, "board", NULL), 0);
		assert_int_equal(pthread_create(&threads[i], NULL, try_for_it, &rivals[i]), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(rivals[i].both);
		assert_false(rivals[i].wrong);
		fm_machine_free(rivals[i].machine);
	}
	fm_block_free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(guests_see_a_dimm_whole_or_not_at_all),
		FACT(an_access_under_way_ends_before_the_device_does),
		cmocka_unit_test(a_block_is_never_two_machines_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
