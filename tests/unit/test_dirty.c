/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/rng.h"
#include "tests/unit/unit.h"

#include "devices/bytes.h"
#include "devices/dirty.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#define G 4096u

/* A log of 200 granules and a bit, with client 0 listening. */
#define LEN (200 * G + 5)

static int setup(void **state)
{
	struct fm_dirty *log = fmi_dirty_new(LEN, G);

	*state = log;
	return fm_dirty_start(log, 0, NULL);
}

static int teardown(void **state)
{
	fmi_dirty_free(*state);
	return 0;
}

static uint64_t take(struct fm_dirty *log, unsigned client, uint64_t off, uint64_t len)
{
	uint64_t bits[8] = { 0 };

	assert_true(fm_dirty_words(log, off, len) <= 8);
	assert_true(fm_dirty_harvest(log, client, off, len, bits) >= 0);
	return bits[0];
}

static void nobody_listens_to_a_new_log(void **state)
{
	struct fm_dirty *log = fmi_dirty_new(LEN, G);
	uint64_t bits[8] = { 0 };

	for (unsigned i = 0; i < FM_DIRTY_CLIENTS; i++) {
		assert_false(fm_dirty_active(log, i));
		assert_int_equal(fm_dirty_count(log, i), 0);
		assert_int_equal(fm_dirty_harvest(log, i, 0, G, bits), FM_ERR_STATE);
	}
	assert_false(fm_dirty_mark(log, 0, LEN));
	assert_int_equal(fm_dirty_start(log, 3, NULL), 0);
	assert_int_equal(fm_dirty_count(log, 3), 0);
	fmi_dirty_free(log);
	fmi_dirty_free(NULL);
}

static void a_mark_tells_whether_a_bit_is_new(void **state)
{
	struct fm_dirty *log = *state;

	assert_true(fm_dirty_mark(log, 3 * G + 7, 1));
	assert_false(fm_dirty_mark(log, 3 * G, G));
	assert_true(fm_dirty_mark(log, 3 * G, G + 1)); /* 4 is new */
	assert_int_equal(fm_dirty_count(log, 0), 2);
	assert_int_equal(take(log, 0, 0, LEN), 0x18);
	assert_true(fm_dirty_mark(log, 3 * G, 1));
}

static void a_mark_covers_every_granule_it_touches(void **state)
{
	static const struct {
		uint64_t off, len, count;
	} marks[] = {
		{ 0, 1, 1 },           { G - 1, 1, 1 },
		{ G - 1, 2, 2 },       { 0, G, 1 },
		{ 0, G + 1, 2 },       { 5, 0, 0 },
		{ 63 * G, 2 * G, 2 },  { 0, 64 * G, 64 },
		{ 1, 128 * G, 129 },   { 10 * G, 150 * G, 150 },
		{ 199 * G, G, 1 },     { 199 * G, G + 1, 2 },
		{ 200 * G + 4, 1, 1 },
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		uint64_t bits[4];

		assert_int_equal(fm_dirty_mark(*state, marks[i].off, marks[i].len),
				 marks[i].count > 0);
		assert_int_equal(fm_dirty_count(*state, 0), marks[i].count);
		assert_int_equal(fm_dirty_harvest(*state, 0, 0, LEN, bits), marks[i].count);
		assert_int_equal(fm_dirty_count(*state, 0), 0);
		for (uint64_t g = 0; g < 201; g++)
			assert_int_equal(bits[g / 64] >> g % 64 & 1,
					 g >= marks[i].off / G &&
						 g < marks[i].off / G + marks[i].count);
	}
}

static void bytes_outside_the_block_are_ignored(void **state)
{
	struct fm_dirty *log = *state;

	assert_false(fm_dirty_mark(log, LEN, 1));
	assert_false(fm_dirty_mark(log, UINT64_MAX, 1));
	assert_false(fm_dirty_mark(log, UINT64_MAX, UINT64_MAX));
	assert_true(fm_dirty_mark(log, LEN - 1, UINT64_MAX));
	assert_int_equal(fm_dirty_count(log, 0), 1);
	assert_true(fm_dirty_mark(log, 5, 1));
	/* Its end wraps to just before its start: that is not the one granule whose bit is set. */
	assert_true(fm_dirty_mark(log, 5, UINT64_MAX - 1));
	assert_int_equal(fm_dirty_count(log, 0), 201);
}

static void clients_do_not_disturb_each_other(void **state)
{
	struct fm_dirty *log = *state;

	fm_dirty_mark(log, 0, 1);
	assert_int_equal(fm_dirty_start(log, 7, NULL), 0);
	assert_int_equal(fm_dirty_count(log, 7), 0);
	assert_true(fm_dirty_mark(log, 0, 1)); /* new to client 7 */
	assert_true(fm_dirty_mark(log, 2 * G, 1));
	assert_int_equal(take(log, 0, 0, LEN), 5);
	assert_int_equal(fm_dirty_count(log, 7), 2);
	fm_dirty_stop(log, 0);
	assert_int_equal(take(log, 7, 0, LEN), 5);
}

static void starting_twice_keeps_and_stopping_drops(void **state)
{
	struct fm_dirty *log = *state;
	uint64_t bits[4];

	fm_dirty_mark(log, 0, 1);
	assert_int_equal(fm_dirty_start(log, 0, NULL), 0);
	assert_int_equal(fm_dirty_count(log, 0), 1);
	fm_dirty_stop(log, 0);
	fm_dirty_stop(log, 0);
	assert_false(fm_dirty_active(log, 0));
	assert_int_equal(fm_dirty_count(log, 0), 0);
	assert_int_equal(fm_dirty_harvest(log, 0, 0, LEN, bits), FM_ERR_STATE);
	assert_false(fm_dirty_mark(log, G, 1));
	assert_int_equal(fm_dirty_start(log, 0, NULL), 0);
	assert_int_equal(fm_dirty_count(log, 0), 0);
}

/* The linker puts this in front of the system: what was asked for, and what it can do. */
static unsigned barriers[2 * MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED];
static unsigned refused; /* commands, as bits */

long __real_syscall(long number, long a, long b, long c);
long __wrap_syscall(long number, long a, long b, long c);

long __wrap_syscall(long number, long a, long b, long c)
{
	if (number != SYS_membarrier)
		return __real_syscall(number, a, b, c);
	barriers[a]++;
	if (!(refused & (unsigned)a))
		return __real_syscall(number, a, b, c);
	errno = EINVAL;
	return -1;
}

/* Else a thread that saw no listener could have its store still on the way: in no copy, in no log. */
static void a_start_has_the_unlogged_stores_of_every_thread(void **state)
{
	struct fm_dirty *log = *state;
	unsigned *expedited = &barriers[MEMBARRIER_CMD_PRIVATE_EXPEDITED];
	unsigned *slow = &barriers[MEMBARRIER_CMD_SHARED];

	*expedited = *slow = 0;
	assert_int_equal(fm_dirty_start(log, 1, NULL), 0);
	assert_int_equal(*expedited, 1);
	assert_int_equal(*slow, 0);
	assert_int_equal(fm_dirty_start(log, 1, NULL), 0);
	assert_int_equal(*expedited, 1);
	/* Kernels without the fast one, and sandboxes without any. */
	refused = MEMBARRIER_CMD_PRIVATE_EXPEDITED;
	assert_int_equal(fm_dirty_start(log, 2, NULL), 0);
	assert_int_equal(*slow, 1);
	refused = UINT32_MAX;
	assert_int_equal(fm_dirty_start(log, 3, NULL), 0);
	refused = 0;
	assert_int_equal(*slow, 2);
	assert_true(fm_dirty_active(log, 3));
}

static void a_client_beyond_the_last_is_an_error(void **state)
{
	struct fm_dirty *log = *state;
	struct fm_error err = { 0 };
	uint64_t bits[4];

	assert_int_equal(fm_dirty_start(log, FM_DIRTY_CLIENTS, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "client 8"));
	assert_int_equal(fm_dirty_start(log, UINT32_MAX, NULL), FM_ERR_ARG);
	fm_dirty_stop(log, FM_DIRTY_CLIENTS);
	fm_dirty_stop(log, 32);
	assert_true(fm_dirty_active(log, 0));
	assert_false(fm_dirty_active(log, 32));
	assert_int_equal(fm_dirty_count(log, 32), 0);
	assert_int_equal(fm_dirty_harvest(log, 32, 0, LEN, bits), FM_ERR_STATE);
}

static void a_harvest_takes_its_range_and_leaves_the_rest(void **state)
{
	struct fm_dirty *log = *state;
	uint64_t bits[3] = { 0, 0, 0x55 };

	fm_dirty_mark(log, 0, LEN);
	/* Granules 60 to 130, by bytes that begin and end inside them. */
	assert_int_equal(fm_dirty_words(log, 60 * G + 9, 70 * G), 2);
	assert_int_equal(fm_dirty_harvest(log, 0, 60 * G + 9, 70 * G, bits), 71);
	assert_int_equal(bits[0], UINT64_MAX);
	assert_int_equal(bits[1], 0x7f); /* unused bits are zero */
	assert_int_equal(bits[2], 0x55);
	assert_int_equal(fm_dirty_count(log, 0), 201 - 71);
	assert_int_equal(take(log, 0, 59 * G, G), 1);
	assert_int_equal(take(log, 0, 131 * G, G), 1);
	assert_int_equal(take(log, 0, 60 * G, 64 * G), 0);
}

static void a_harvest_outside_the_block_takes_nothing(void **state)
{
	struct fm_dirty *log = *state;
	uint64_t bits[4] = { 0x55 };

	fm_dirty_mark(log, 0, LEN);
	assert_int_equal(fm_dirty_harvest(log, 0, 0, LEN + 1, bits), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_harvest(log, 0, LEN, 1, bits), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_harvest(log, 0, UINT64_MAX, 2, bits), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_harvest(log, 0, 2, UINT64_MAX, bits), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_harvest(log, 0, LEN, 0, bits), 0);
	assert_int_equal(fm_dirty_harvest(log, 0, 0, 0, bits), 0);
	assert_int_equal(bits[0], 0x55);
	assert_int_equal(fm_dirty_count(log, 0), 201);
	assert_int_equal(fm_dirty_words(log, 0, LEN + 1), 0);
	assert_int_equal(fm_dirty_words(log, 0, 0), 0);
	assert_int_equal(fm_dirty_words(log, 0, LEN), 4);
	assert_int_equal(fm_dirty_words(log, G - 1, 64 * G), 2);
}

static void an_import_of_larger_pages_marks_each_granule(void **state)
{
	struct fm_dirty *log = *state;
	const uint64_t bits[] = { 0x5 | UINT64_C(1) << 63 };

	assert_int_equal(fm_dirty_import(log, 16 * G, 16 * G, bits, 3), 0);
	assert_int_equal(fm_dirty_count(log, 0), 32); /* bit 63 is not one of the three */
	assert_int_equal(take(log, 0, 16 * G, 48 * G), 0xffff0000ffff);
}

static void an_import_of_smaller_pages_marks_the_granule_around(void **state)
{
	struct fm_dirty *log = *state;
	const uint64_t bits[] = { 0x8010 };

	assert_int_equal(fm_dirty_import(log, 1024, 1024, bits, 16), 0);
	/* Pages 1 + 4 and 1 + 15, four a granule. */
	assert_int_equal(take(log, 0, 0, LEN), 1 << 1 | 1 << 4);
}

static void an_import_may_end_in_the_middle_of_its_last_page(void **state)
{
	struct fm_dirty *log = *state;
	uint64_t bits[4] = { 0 };

	bits[3] = UINT64_C(1) << (200 - 192);
	assert_int_equal(fm_dirty_import(log, 0, G, bits, 201), 0);
	assert_int_equal(fm_dirty_count(log, 0), 1);
	assert_int_equal(take(log, 0, 200 * G, 5), 1);
	bits[0] = 1;
	assert_int_equal(fm_dirty_import(log, 0, UINT64_C(1) << 63, bits, 1), 0);
	assert_int_equal(fm_dirty_count(log, 0), 201);
}

static void an_import_outside_the_block_merges_nothing(void **state)
{
	struct fm_dirty *log = *state;
	uint64_t bits[4] = { 1, 0, 0, 0 };

	assert_int_equal(fm_dirty_import(log, 0, G, bits, 202), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_import(log, G, G, bits, 201), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_import(log, 201 * G, G, bits, 1), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_import(log, 0, UINT64_C(1) << 63, bits, 2), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_import(log, UINT64_C(1) << 63, G, bits, 1), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_import(log, 0, G, bits, SIZE_MAX), FM_ERR_RANGE);
	assert_int_equal(fm_dirty_import(log, 0, 0, bits, 1), FM_ERR_ARG);
	assert_int_equal(fm_dirty_import(log, 0, 3 * G, bits, 1), FM_ERR_ARG);
	assert_int_equal(fm_dirty_import(log, 512, G, bits, 1), FM_ERR_ARG);
	assert_int_equal(fm_dirty_import(log, 0, G, NULL, 1), FM_ERR_ARG);
	assert_int_equal(fm_dirty_import(log, 0, G, NULL, 0), 0);
	assert_int_equal(fm_dirty_count(log, 0), 0);
}

static void an_import_reaches_every_listener(void **state)
{
	struct fm_dirty *log = *state;
	const uint64_t bits[] = { 6 };

	assert_int_equal(fm_dirty_start(log, 5, NULL), 0);
	assert_int_equal(fm_dirty_import(log, 0, G, bits, 64), 0);
	assert_int_equal(take(log, 0, 0, LEN), 6);
	assert_int_equal(take(log, 5, 0, LEN), 6);
	fm_dirty_stop(log, 0);
	fm_dirty_stop(log, 5);
	assert_int_equal(fm_dirty_import(log, 0, G, bits, 64), 0);
	assert_int_equal(fm_dirty_import(log, 0, G, bits, 1 << 20), FM_ERR_RANGE);
}

static uint64_t below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

/* --- against a model: one byte for a granule ---------------------------------------------- */

#define MODEL_GRANULES 1100u

struct model {
	struct fm_dirty *log;
	uint64_t len, granule;
	uint8_t dirty[MODEL_GRANULES];
};

/* Inline, and the library's function for who cannot inline it. */
static bool (*volatile called)(struct fm_dirty *, uint64_t, uint64_t) = fm_dirty_mark;

static bool real_mark(struct fm_dirty *log, uint64_t off, uint64_t len, struct rng *r)
{
	return below(r, 2) ? called(log, off, len) : fm_dirty_mark(log, off, len);
}

/* Another client takes the log from its short way, and back. */
static void come_or_go(struct fm_dirty *log)
{
	if (fm_dirty_active(log, 5))
		fm_dirty_stop(log, 5);
	else
		assert_int_equal(fm_dirty_start(log, 5, NULL), 0);
}

static bool model_mark(struct model *m, uint64_t off, uint64_t len)
{
	bool fresh = false;

	for (uint64_t at = off; at < off + len && at < m->len;
	     at = (at / m->granule + 1) * m->granule) {
		fresh |= !m->dirty[at / m->granule];
		m->dirty[at / m->granule] = 1;
	}
	return fresh;
}

static void model_harvest(struct model *m, uint64_t off, uint64_t len)
{
	uint64_t bits[MODEL_GRANULES / 64 + 2];
	uint64_t first = off / m->granule;
	uint64_t n = len ? (off + len - 1) / m->granule - first + 1 : 0;
	int64_t count = 0;

	memset(bits, 0xaa, sizeof(bits));
	for (uint64_t i = 0; i < n; i++)
		count += m->dirty[first + i];
	assert_int_equal(fm_dirty_harvest(m->log, 2, off, len, bits), count);
	assert_int_equal(fm_dirty_words(m->log, off, len), (n + 63) / 64);
	for (uint64_t i = 0; i < (n + 63) / 64 * 64; i++) {
		assert_int_equal(bits[i / 64] >> i % 64 & 1, i < n && m->dirty[first + i]);
		if (i < n)
			m->dirty[first + i] = 0;
	}
	assert_int_equal(bits[(n + 63) / 64], UINT64_C(0xaaaaaaaaaaaaaaaa));
}

static void model_import(struct model *m, struct rng *r)
{
	uint64_t page = UINT64_C(256) << below(r, 10);
	uint64_t pages = (m->len + page - 1) / page;
	uint64_t from = below(r, pages);
	size_t n = (size_t)fmi_min_u64(below(r, pages - from + 1), 500);
	uint64_t bits[8];

	for (int i = 0; i < 8; i++)
		bits[i] = rng_next(r) & rng_next(r);
	assert_int_equal(fm_dirty_import(m->log, from * page, page, bits, n), 0);
	for (uint64_t i = 0; i < n; i++) {
		if (bits[i / 64] >> i % 64 & 1)
			model_mark(m, (from + i) * page, page);
	}
}

static void any_order_of_marks_harvests_and_imports_agrees_with_a_model(void **state)
{
	struct rng r = { 1 };

	for (unsigned turn = 0; turn < 60; turn++) {
		bool fresh;
		struct model m = { .granule = UINT64_C(4096) << below(&r, 3) };

		m.len = 1 + below(&r, MODEL_GRANULES * m.granule);
		m.log = fmi_dirty_new(m.len, m.granule);
		assert_int_equal(fm_dirty_start(m.log, 2, NULL), 0);
		for (unsigned i = 0; i < 200; i++) {
			uint64_t off = below(&r, m.len);
			uint64_t len = below(&r, below(&r, 2) ? 3 * m.granule : m.len);

			switch (below(&r, 16)) {
			case 0:
				/* Bits of its own count as new. */
				come_or_go(m.log);
				break;
			case 1:
			case 2:
			case 3:
			case 4:
				fresh = real_mark(m.log, off, len, &r);
				assert_true(model_mark(&m, off, len) == fresh ||
					    (fresh && fm_dirty_active(m.log, 5)));
				break;
			case 5:
			case 6:
			case 7:
			case 8:
				/* What is set already, mostly; also over the end. */
				off = below(&r, 4 * m.granule);
				len = below(&r, 16) ? 1 + below(&r, 16) : UINT64_MAX - off;
				fresh = real_mark(m.log, off, len, &r);
				assert_true(model_mark(&m, off, len) == fresh ||
					    (fresh && fm_dirty_active(m.log, 5)));
				break;
			case 9:
			case 10:
			case 11:
				model_harvest(&m, off, fmi_min_u64(len, m.len - off));
				break;
			default:
				model_import(&m, &r);
				break;
			}
		}
		model_harvest(&m, 0, m.len);
		assert_int_equal(fm_dirty_count(m.log, 2), 0);
		fmi_dirty_free(m.log);
	}
}

#define log_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_listens_to_a_new_log),
		log_test(a_mark_tells_whether_a_bit_is_new),
		log_test(a_mark_covers_every_granule_it_touches),
		log_test(bytes_outside_the_block_are_ignored),
		log_test(clients_do_not_disturb_each_other),
		log_test(starting_twice_keeps_and_stopping_drops),
		log_test(a_start_has_the_unlogged_stores_of_every_thread),
		log_test(a_client_beyond_the_last_is_an_error),
		log_test(a_harvest_takes_its_range_and_leaves_the_rest),
		log_test(a_harvest_outside_the_block_takes_nothing),
		log_test(an_import_of_larger_pages_marks_each_granule),
		log_test(an_import_of_smaller_pages_marks_the_granule_around),
		log_test(an_import_may_end_in_the_middle_of_its_last_page),
		log_test(an_import_outside_the_block_merges_nothing),
		log_test(an_import_reaches_every_listener),
		cmocka_unit_test(any_order_of_marks_harvests_and_imports_agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
