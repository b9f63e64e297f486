/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests go on through their ports while DIMMs come and go: no access ever uses freed memory. */
#include "tests/unit/dimm_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(guests_see_a_dimm_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
