/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a host's power cut can leave of an image and its journal: every cut recovers to a state of the
 * guest's history that is no older than the last commit. test_powercut_flash [STATES [SEED]].
 */
#include "tests/unit/bank.h"
#include "tests/unit/powercut_history.h"

#ifdef __has_feature
#define ADDRESS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#else
#define ADDRESS_SANITIZER 0
#endif

/* Under AddressSanitizer making a disk takes twenty times as long. */
#if ADDRESS_SANITIZER
static uint64_t states = 500;
static const unsigned syncs = 6;
#else
static uint64_t states = 10000;
static const unsigned syncs = 24;
#endif
static uint64_t seed = 1;

static struct fm_powercut_report explore(struct history *h, uint64_t count, bool stop)
{
	const struct fm_powercut_plan plan = {
		.struct_size = sizeof(plan), .seed = seed, .states = count, .stop = stop
	};
	struct fm_powercut_report report;
	struct fm_error err;

	if (fm_powercut_explore(h->pc, &plan, history_judge, h, &report, &err))
		fail_msg("%s", err.msg);
	return report;
}

static void tell(const struct history *h, const struct fm_powercut_report *r, uint64_t used)
{
	print_message(
		"seed %llu: %llu states of %llu cuts (%llu of %llu whole), %llu recoveries by "
		"writers, %llu states of cut recoveries\n",
		(unsigned long long)used, (unsigned long long)r->states,
		(unsigned long long)r->points, (unsigned long long)r->complete,
		(unsigned long long)r->points * 2, (unsigned long long)h->recoveries,
		(unsigned long long)h->nested);
	if (r->violations)
		fail_msg("%llu violations; the first: step %llu, pieces of %u, number %llx: %s",
			 (unsigned long long)r->violations, (unsigned long long)r->first.point,
			 r->first.piece, (unsigned long long)r->first.number, r->error.msg);
}

static void every_cut_recovers_to_a_state_no_older_than_the_last_commit(void **state)
{
	static struct history h;
	uint64_t done = 0;

	for (uint64_t n = 0; done < states; n++) {
		struct fm_powercut_report report;

		history_init(&h, 65536, 131072, 0);
		h.large = n % 2;
		history_play(&h, states > 20000 ? 400 : 100, seed + n);
		report = explore(&h, states / 2 + 2000, false);
		tell(&h, &report, seed + n);
		assert_true(h.nested > 0);
		done += report.states;
		history_exit(&h);
	}
}

/* --- a bank and its driver ------------------------------------------------------------------- */

static void drive(struct history *h, struct bank *b, struct rng *rng)
{
	uint64_t off = rng_below(rng, 65536 / 4) * UINT64_C(4);
	unsigned n = 1 + rng_below(rng, 32);

	history_begin(h);
	if (rng_one_in(rng, 10))
		bank_erase(b, off);
	else if (rng_one_in(rng, 2))
		bank_program(b, off, (uint32_t)rng_next(rng));
	else
		bank_buffer(b, off, off / 128 * 128, n, (uint32_t)rng_next(rng));
	history_end(h);
	if (rng_one_in(rng, 4))
		history_tick(h);
	if (rng_one_in(rng, 40)) {
		fm_dev_reset(b->dev, FM_RESET_SYSTEM);
		history_committed(h);
	}
	if (rng_one_in(rng, 20)) {
		assert_int_equal(fm_write_behind_scrub(h->wb, NULL), 0);
		history_committed(h);
	}
}

static void every_cut_under_a_flash_bank_does_too(void **state)
{
	static struct history h;
	struct fm_flash_config cfg = bank_config();
	struct fm_powercut_report report;
	struct rng rng = { seed };
	uint8_t *array;
	struct bank b;

	history_init(&h, 65536, 131072, 0);
	cfg.regions[0] = (struct fm_flash_region){ 16384, 4 };
	cfg.nregions = 1;
	cfg.image = "image";
	cfg.journal_len = h.cfg.journal_len;
	cfg.interval_ns = 1;
	cfg.worker = h.worker;
	cfg.io = h.cfg.io;
	bank_init(&b, 65536, cfg);
	array = h.array;
	h.array = b.array;
	h.wb = fm_flash_image(b.dev);
	history_begin(&h);
	history_end(&h);
	history_committed(&h);
	for (unsigned i = 0; i < 120; i++)
		drive(&h, &b, &rng);
	bank_exit(&b);
	h.array = array;
	history_committed(&h);
	report = explore(&h, states / 2, false);
	tell(&h, &report, seed);
	history_exit(&h);
}

/* --- seeing it fail -------------------------------------------------------------------------- */

/* Each sync that is left out, one after the other: the explorer sees what it was for. */
static void without_most_of_its_syncs_a_cut_is_found(void **state)
{
	static struct history h;
	unsigned found = 0;

	for (unsigned n = 1; n <= syncs; n++) {
		struct fm_powercut_report report;

		history_init(&h, 65536, 131072, n);
		h.large = true;
		history_play(&h, 60, seed);
		report = explore(&h, 4000, true);
		if (report.violations)
			found++;
		print_message("sync %u left out: %s\n", n,
			      report.violations ? report.error.msg : "nothing found");
		history_exit(&h);
	}
	/* The last sync of an apply is the other test's. */
	assert_true(found >= syncs * 5 / 6);
}

/*
 * The last sync of an apply gives the records' room free. The room is used again here before the next
 * header, which a longer history does seldom.
 */
static uint64_t violations_of_reuse(uint64_t drop_sync)
{
	static struct history h;
	struct fm_powercut_report report;

	history_init(&h, 65536, 131072, drop_sync);
	history_open(&h);
	for (unsigned i = 0; i < 2; i++) {
		history_begin(&h);
		memset(h.array + 1000, 0x30 + (int)i, 10000);
		assert_int_equal(fm_write_behind_store(h.wb, 1000, 10000), 0);
		history_end(&h);
		if (!i)
			assert_int_equal(fm_write_behind_flush(h.wb, NULL), 0);
		if (!i)
			history_committed(&h);
	}
	report = explore(&h, 4000, true);
	fm_write_behind_close(h.wb);
	history_exit(&h);
	return report.violations;
}

static void without_the_sync_before_room_is_used_again_a_cut_is_found(void **state)
{
	/* Making the journal, commit, header, image, header. */
	assert_int_equal(violations_of_reuse(0), 0);
	assert_int_equal(violations_of_reuse(5), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_recovers_to_a_state_no_older_than_the_last_commit),
		cmocka_unit_test(every_cut_under_a_flash_bank_does_too),
		cmocka_unit_test(without_the_sync_before_room_is_used_again_a_cut_is_found),
		cmocka_unit_test(without_most_of_its_syncs_a_cut_is_found),
	};

	if (argc > 1)
		states = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
