/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Linux does with a bank by physmap: cfi_probe, cfi_cmdset_0001 and 0002, bus cycle by bus cycle,
 * written down from what they put on the bus, on banks whose operations take time. Its delays move the
 * bank's clock.
 */
#include "tests/unit/timed_bank.h"

#define LEN (512 * KIB)
#define BLOCK (64 * KIB)

struct linux_map {
	struct bank bank;
	uint64_t now_ns;
	unsigned interleave; /* as the probe found it */
	unsigned chip;       /* bytes of one */
	unsigned set;
	uint64_t wbuf; /* bytes of the bank; 0: no buffer */
	bool suspends; /* an erase, to read */
};

static struct fm_flash_config timed_config(enum fm_flash_set set)
{
	struct fm_flash_config cfg = bank_config();

	cfg.set = set;
	cfg.regions[0] = (struct fm_flash_region){ BLOCK, LEN / BLOCK };
	cfg.nregions = 1;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	return cfg;
}

static void delay(struct linux_map *m, uint64_t ns)
{
	m->now_ns += ns;
	tick(&m->bank, m->now_ns);
}

static uint32_t on_all(const struct linux_map *m, uint32_t v)
{
	uint32_t word = 0;

	for (unsigned i = 0; i < m->interleave; i++)
		word |= v << (8 * m->chip * i);
	return word;
}

static void put(struct linux_map *m, uint64_t off, uint32_t code)
{
	w4(&m->bank, off, on_all(m, code));
}

static uint32_t get(struct linux_map *m, uint64_t off)
{
	return r4(&m->bank, off);
}

/* A chip's address of a command: counted in its words. */
static void put_at(struct linux_map *m, uint32_t word, uint32_t code)
{
	put(m, 4ull * word, code);
}

/* --- the probe ---------------------------------------------------------------------------------- */

static bool shows_qry(struct linux_map *m)
{
	return get(m, 0x10 * 4) == on_all(m, 'Q') && get(m, 0x11 * 4) == on_all(m, 'R') &&
	       get(m, 0x12 * 4) == on_all(m, 'Y');
}

/* Its ways into query mode, one after the other. */
static bool qry_mode_on(struct linux_map *m)
{
	put(m, 0, 0xf0);
	put_at(m, 0x55, 0x98);
	if (shows_qry(m))
		return true;
	put(m, 0, 0xf0);
	put(m, 0, 0xff);
	put_at(m, 0x55, 0x98);
	if (shows_qry(m))
		return true;
	put(m, 0, 0xf0);
	put_at(m, 0x555, 0x98);
	if (shows_qry(m))
		return true;
	put(m, 0, 0xf0);
	put_at(m, 0x5555, 0xaa);
	put_at(m, 0x2aaa, 0x55);
	put_at(m, 0x5555, 0x98);
	if (shows_qry(m))
		return true;
	put(m, 0, 0xf0);
	put_at(m, 0x555, 0xaa);
	put_at(m, 0x2aa, 0x55);
	put_at(m, 0x555, 0x98);
	return shows_qry(m);
}

static void qry_mode_off(struct linux_map *m)
{
	put(m, 0, 0xf0);
	put(m, 0, 0xff);
}

static uint32_t q8(struct linux_map *m, unsigned at)
{
	return get(m, 4ull * at) & 0xff;
}

static uint32_t q16(struct linux_map *m, unsigned at)
{
	return q8(m, at) | q8(m, at + 1) << 8;
}

static void read_table(struct linux_map *m)
{
	uint64_t sum = 0;
	unsigned pri;

	m->set = q16(m, 0x13);
	pri = q16(m, 0x15);
	assert_int_equal(q8(m, pri), 'P');
	assert_int_equal(q8(m, pri + 3), '1');
	assert_in_range(q8(m, pri + 4), '0', '5');
	for (unsigned i = 0; i < q8(m, 0x2c); i++)
		sum += (q16(m, 0x2d + 4 * i) + 1) * (uint64_t)q16(m, 0x2f + 4 * i) * 256;
	assert_int_equal(sum, UINT64_C(1) << q8(m, 0x27));
	assert_int_equal(sum * m->interleave, m->bank.len);
	/* A buffer is used only where the table has a time for it. */
	if (q8(m, 0x20))
		m->wbuf = (UINT64_C(1) << q16(m, 0x2a)) * m->interleave;
	m->suspends = m->set == 2 ? q8(m, pri + 6) & 3 : q8(m, pri + 5) & 2;
}

/* Codes: AMD's unlock cycles, which an Intel chip must not mind. */
static void read_codes(struct linux_map *m)
{
	qry_mode_off(m);
	put_at(m, 0x555, 0xaa);
	put_at(m, 0x2aa, 0x55);
	put_at(m, 0x555, 0x90);
	assert_int_equal(get(m, 0), on_all(m, m->set == 2 ? 0x01 : 0x89));
	assert_int_equal(get(m, 4), on_all(m, m->set == 2 ? 0x227e : 0x18));
	qry_mode_off(m);
}

static void probe(struct linux_map *m, const struct fm_flash_config *cfg)
{
	memset(m, 0, sizeof(*m));
	bank_init(&m->bank, LEN, *cfg);
	for (m->interleave = 4; m->interleave; m->interleave /= 2) {
		m->chip = 4 / m->interleave;
		if (qry_mode_on(m))
			break;
	}
	assert_int_not_equal(m->interleave, 0);
	read_table(m);
	read_codes(m);
	assert_true(mapped(&m->bank));
	assert_true(all_bytes(m->bank.array, LEN, 0xff));
	assert_true(deadline(&m->bank) == FM_NEVER);
}

/* --- cfi_cmdset_0001 -------------------------------------------------------------------------------- */

/* SR.7 of all chips, a microsecond at a time. */
static bool wait_sr7(struct linux_map *m, uint64_t off, uint64_t most_ns)
{
	for (uint64_t waited = 0; waited <= most_ns; waited += 100 * US) {
		if ((get(m, off) & on_all(m, 0x80)) == on_all(m, 0x80))
			return true;
		delay(m, 100 * US);
	}
	return false;
}

/* 50, 70, and SR.7 must be 1. */
static void clear_status(struct linux_map *m, uint64_t off)
{
	put(m, off, 0x50);
	put(m, off, 0x70);
	assert_int_equal(get(m, off) & on_all(m, 0x80), on_all(m, 0x80));
}

/* 0, or the error bits of all chips together. */
static uint32_t outcome(struct linux_map *m, uint64_t off, uint32_t mask)
{
	uint32_t sr = get(m, off), all = 0;

	for (unsigned i = 0; i < m->interleave; i++)
		all |= sr >> (8 * m->chip * i) & mask;
	if (all)
		clear_status(m, off);
	return all;
}

static uint32_t intel_write_words(struct linux_map *m, uint64_t adr, const uint32_t *words,
				  unsigned n)
{
	uint64_t at = adr & ~(m->wbuf - 1);

	/* SR.4 and SR.5 from before must be clear. */
	put(m, at, 0x70);
	if (get(m, at) & on_all(m, 0x30)) {
		put(m, at, 0x50);
		put(m, at, 0x70);
	}
	put(m, at, 0xe8);
	assert_true(wait_sr7(m, at, MS));
	put(m, at, n - 1);
	for (unsigned i = 0; i < n; i++)
		w4(&m->bank, adr + 4ull * i, words[i]);
	put(m, at, 0xd0);
	assert_true(wait_sr7(m, at, 100 * MS));
	return outcome(m, at, 0x1a);
}

static uint32_t intel_write_word(struct linux_map *m, uint64_t adr, uint32_t word)
{
	put(m, adr, 0x40);
	w4(&m->bank, adr, word);
	assert_true(wait_sr7(m, adr, 100 * MS));
	return outcome(m, adr, 0x1a);
}

static void intel_begin_erase(struct linux_map *m, uint64_t adr)
{
	put(m, adr, 0x50);
	put(m, adr, 0x20);
	put(m, adr, 0xd0);
}

static uint32_t intel_end_erase(struct linux_map *m, uint64_t adr)
{
	assert_true(wait_sr7(m, adr, 20000 * MS));
	put(m, adr, 0x70);
	return outcome(m, adr, 0x3a);
}

static uint32_t intel_read(struct linux_map *m, uint64_t adr)
{
	put(m, adr, 0xff);
	return get(m, adr);
}

static void linux_0001_probes_a_bank_from_the_widest_interleave_down(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_INTEL);
	struct linux_map m;

	probe(&m, &cfg);
	assert_int_equal(m.interleave, 2);
	assert_int_equal(m.set, 1);
	assert_int_equal(m.wbuf, 2048);
	assert_true(m.suspends);
	bank_exit(&m.bank);
	cfg.chip_width = 4;
	probe(&m, &cfg);
	assert_int_equal(m.interleave, 1);
	bank_exit(&m.bank);
	cfg.chip_width = 1;
	probe(&m, &cfg);
	assert_int_equal(m.interleave, 4);
	bank_exit(&m.bank);
}

static void linux_0001_writes_buffers_at_any_word(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_INTEL);
	const uint32_t words[4] = { 0x11111111, 0x22222222, 0x33333333, 0x44444444 };
	struct linux_map m;

	probe(&m, &cfg);
	for (uint64_t at = BLOCK + 0x7c; at < BLOCK + 0x2000; at += 0x484)
		assert_int_equal(intel_write_words(&m, at, words, 4), 0);
	assert_int_equal(intel_read(&m, BLOCK + 0x7c), 0x11111111);
	assert_int_equal(get(&m, BLOCK + 0x88), 0x44444444);
	assert_int_equal(get(&m, BLOCK + 0x8c), 0xffffffff);
	assert_true(mapped(&m.bank));
	bank_exit(&m.bank);
}

static void linux_0001_clears_old_errors_before_a_buffer(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_INTEL);
	const uint32_t word = 0x12345678;
	struct linux_map m;

	probe(&m, &cfg);
	put(&m, 0, 0x20);
	put(&m, 0, 0x20);
	assert_int_equal(get(&m, 0), on_all(&m, 0xb0));
	assert_int_equal(intel_write_words(&m, 0x100, &word, 1), 0);
	assert_int_equal(intel_read(&m, 0x100), word);
	bank_exit(&m.bank);
}

static void linux_0001_is_told_of_locks_by_sr1(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_INTEL);
	struct linux_map m;

	cfg.traits = FM_FLASH_LOCKED_AT_RESET;
	probe(&m, &cfg);
	assert_int_equal(intel_write_word(&m, 0, 0), 0x12);
	intel_begin_erase(&m, 0);
	assert_int_equal(intel_end_erase(&m, 0), 0x22);
	/* Its power-up unlock: 60, D0, and the status. */
	put(&m, 0, 0x60);
	put(&m, 0, 0xd0);
	assert_true(wait_sr7(&m, 0, MS));
	assert_int_equal(intel_write_word(&m, 0, 0x00ff00ff), 0);
	assert_int_equal(intel_read(&m, 0), 0x00ff00ff);
	bank_exit(&m.bank);
}

static void linux_0001_is_told_of_a_low_vpp(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_INTEL);
	struct linux_map m;

	cfg.pins = FM_FLASH_PIN_VPP_LOW;
	probe(&m, &cfg);
	assert_int_equal(intel_write_word(&m, 0, 0), 0x18);
	bank_exit(&m.bank);
}

static void linux_0001_suspends_an_erase_to_read_and_to_write(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_INTEL);
	struct linux_map m;

	probe(&m, &cfg);
	memset(m.bank.array, 0, BLOCK);
	intel_write_word(&m, 2 * BLOCK, 0xabcdabcd);
	intel_begin_erase(&m, 0);
	delay(&m, 3 * MS);
	put(&m, 0, 0xb0);
	put(&m, 0, 0x70);
	assert_true(wait_sr7(&m, 0, MS));
	assert_int_equal(intel_read(&m, 2 * BLOCK), 0xabcdabcd);
	/* A word, while it is suspended. */
	assert_int_equal(intel_write_word(&m, 2 * BLOCK + 4, 0x5a5a5a5a), 0);
	put(&m, 0, 0xd0);
	put(&m, 0, 0x70);
	assert_int_equal(intel_end_erase(&m, 0), 0);
	assert_int_equal(intel_read(&m, 0), 0xffffffff);
	assert_true(all_bytes(m.bank.array, BLOCK, 0xff));
	assert_int_equal(get(&m, 2 * BLOCK + 4), 0x5a5a5a5a);
	bank_exit(&m.bank);
}

/* --- cfi_cmdset_0002 ------------------------------------------------------------------------------- */

static void amd_start(struct linux_map *m, uint32_t code)
{
	put_at(m, 0x555, 0xaa);
	put_at(m, 0x2aa, 0x55);
	put_at(m, 0x555, code);
}

/* Ready: two equal reads. */
static bool amd_ready(struct linux_map *m, uint64_t adr)
{
	uint32_t a = get(m, adr);

	return a == get(m, adr);
}

static bool amd_wait(struct linux_map *m, uint64_t adr, uint64_t step, uint64_t most_ns)
{
	for (uint64_t waited = 0; waited <= most_ns; waited += step) {
		if (amd_ready(m, adr))
			return true;
		delay(m, step);
	}
	return false;
}

/* Ready, and then what is read must be what was written; else F0. */
static bool amd_good(struct linux_map *m, uint64_t adr, uint32_t word)
{
	if (amd_ready(m, adr) && get(m, adr) == word)
		return true;
	put(m, 0, 0xf0);
	return false;
}

static bool amd_write_word(struct linux_map *m, uint64_t adr, uint32_t word)
{
	amd_start(m, 0xa0);
	w4(&m->bank, adr, word);
	assert_true(amd_wait(m, adr, 10 * US, 10 * MS));
	return amd_good(m, adr, word);
}

static bool amd_write_words(struct linux_map *m, uint64_t adr, const uint32_t *words, unsigned n)
{
	put_at(m, 0x555, 0xaa);
	put_at(m, 0x2aa, 0x55);
	put(m, adr, 0x25);
	put(m, adr, n - 1);
	for (unsigned i = 0; i < n; i++)
		w4(&m->bank, adr + 4ull * i, words[i]);
	put(m, adr, 0x29);
	/* The last word is looked at. */
	if (!amd_wait(m, adr + 4ull * (n - 1), 10 * US, 10 * MS) ||
	    !amd_good(m, adr + 4ull * (n - 1), words[n - 1])) {
		/* The reset of an aborted buffer. */
		amd_start(m, 0xf0);
		return false;
	}
	return true;
}

static void amd_begin_erase(struct linux_map *m, uint64_t adr)
{
	amd_start(m, 0x80);
	put_at(m, 0x555, 0xaa);
	put_at(m, 0x2aa, 0x55);
	put(m, adr, 0x30);
}

static void linux_0002_probes_programs_and_erases(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_AMD);
	struct linux_map m;

	probe(&m, &cfg);
	assert_int_equal(m.interleave, 2);
	assert_int_equal(m.set, 2);
	assert_int_equal(m.wbuf, 2048);
	assert_true(amd_write_word(&m, 0x100, 0x80007fff));
	amd_begin_erase(&m, 0);
	assert_false(amd_ready(&m, 0));
	assert_true(amd_wait(&m, 0, 10 * MS, 5000 * MS));
	assert_true(amd_good(&m, 0x100, 0xffffffff));
	assert_true(mapped(&m.bank));
	bank_exit(&m.bank);
}

static void linux_0002_writes_buffers(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_AMD);
	uint32_t words[512];
	struct linux_map m;

	probe(&m, &cfg);
	for (unsigned i = 0; i < 512; i++)
		words[i] = i * 0x01010101;
	for (unsigned i = 0; i < 4; i++)
		assert_true(amd_write_words(&m, BLOCK + i * m.wbuf, words, 512));
	assert_memory_equal(m.bank.array + BLOCK + 3 * m.wbuf, words, sizeof(words));
	/* Some words in the middle of one. */
	assert_true(amd_write_words(&m, 0x7f8, words + 3, 2));
	assert_int_equal(get(&m, 0x7fc), words[4]);
	assert_int_equal(get(&m, 0x7f4), 0xffffffff);
	bank_exit(&m.bank);
}

/* It compares data, and so learns that a sector was protected; the chip is ready again. */
static void linux_0002_finds_a_protected_sector_by_its_data(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_AMD);
	const uint32_t words[2] = { 0, 0 };
	struct linux_map m;

	cfg.traits = FM_FLASH_WP_FIRST;
	probe(&m, &cfg);
	assert_false(amd_write_word(&m, 0x40, 0));
	assert_false(amd_write_words(&m, 0x40, words, 2));
	assert_true(amd_write_words(&m, BLOCK, words, 2));
	assert_int_equal(get(&m, 0x40), 0xffffffff);
	bank_exit(&m.bank);
}

static void linux_0002_meets_a_chip_that_fails(void **state)
{
	struct fm_flash_health health = { .struct_size = sizeof(health), .fail_program = 2 };
	struct fm_flash_config cfg = timed_config(FM_FLASH_AMD);
	struct linux_map m;

	cfg.health = &health;
	probe(&m, &cfg);
	assert_true(amd_write_word(&m, 0x40, 0));
	amd_start(&m, 0xa0);
	w4(&m.bank, 0x44, 0);
	/* DQ6 goes on for ever, and DQ5 is set. */
	assert_false(amd_wait(&m, 0x44, 100 * US, 20 * MS));
	assert_int_equal(get(&m, 0x44) & on_all(&m, 0x20), on_all(&m, 0x20));
	put(&m, 0, 0xf0);
	assert_true(amd_write_word(&m, 0x44, 0));
	bank_exit(&m.bank);
}

static void linux_0002_suspends_an_erase_to_read(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_AMD);
	struct linux_map m;

	probe(&m, &cfg);
	assert_true(m.suspends);
	memset(m.bank.array, 0, BLOCK);
	assert_true(amd_write_word(&m, 2 * BLOCK, 0xabcdabcd));
	amd_begin_erase(&m, 0);
	delay(&m, 5 * MS);
	put(&m, 0, 0xb0);
	assert_true(amd_wait(&m, 2 * BLOCK, 10 * US, MS));
	assert_int_equal(get(&m, 2 * BLOCK), 0xabcdabcd);
	/* A word elsewhere, too. */
	assert_true(amd_write_word(&m, 2 * BLOCK + 4, 0x5a5a5a5a));
	put(&m, 0, 0x30);
	assert_true(amd_wait(&m, 0, 10 * MS, 5000 * MS));
	assert_true(amd_good(&m, 0, 0xffffffff));
	assert_true(all_bytes(m.bank.array, BLOCK, 0xff));
	assert_true(mapped(&m.bank));
	bank_exit(&m.bank);
}

/* With a status register (CFI 1.5): 70 at 555, which says ready, and which error. */
static void linux_0002_polls_the_status_register(void **state)
{
	struct fm_flash_config cfg = timed_config(FM_FLASH_AMD);
	unsigned polls = 0;
	struct linux_map m;

	probe(&m, &cfg);
	amd_start(&m, 0xa0);
	w4(&m.bank, 0x80, 0x12345678);
	for (;;) {
		put_at(&m, 0x555, 0x70);
		if ((get(&m, 0x80) & on_all(&m, 0x80)) == on_all(&m, 0x80))
			break;
		delay(&m, 10 * US);
		polls++;
	}
	assert_int_equal(polls, 13);
	assert_int_equal(get(&m, 0x80), 0x12345678);
	bank_exit(&m.bank);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_0001_probes_a_bank_from_the_widest_interleave_down),
		cmocka_unit_test(linux_0001_writes_buffers_at_any_word),
		cmocka_unit_test(linux_0001_clears_old_errors_before_a_buffer),
		cmocka_unit_test(linux_0001_is_told_of_locks_by_sr1),
		cmocka_unit_test(linux_0001_is_told_of_a_low_vpp),
		cmocka_unit_test(linux_0001_suspends_an_erase_to_read_and_to_write),
		cmocka_unit_test(linux_0002_probes_programs_and_erases),
		cmocka_unit_test(linux_0002_writes_buffers),
		cmocka_unit_test(linux_0002_finds_a_protected_sector_by_its_data),
		cmocka_unit_test(linux_0002_meets_a_chip_that_fails),
		cmocka_unit_test(linux_0002_suspends_an_erase_to_read),
		cmocka_unit_test(linux_0002_polls_the_status_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
