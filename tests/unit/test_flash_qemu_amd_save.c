/* SPDX-License-Identifier: BSD-2-Clause */
/* A bank as QEMU has it is saved at any cycle, and believed only if it can be true. */
#include "tests/unit/qemu_amd_bank.h"
#include "tests/unit/rng.h"

#include "devices/bytes.h"
#include "devices/crc32.h"
#include "flash/flash_private.h"

/* The layout, as docs/flash.md has it, of a bank of one region. */
#define AT_MACHINE (12u + 13u + 4u + 8u + 38u)
#define AT_MARKS (AT_MACHINE + 24u)

struct saved {
	uint8_t *bytes;
	size_t len;
};

static struct saved save(struct bank *b)
{
	struct saved s;
	void *bytes;

	assert_int_equal(fm_dev_save(b->dev, &bytes, &s.len, NULL), 0);
	s.bytes = bytes;
	return s;
}

/* After bytes were changed: as if they had been saved so. */
static void seal(struct saved s)
{
	fmi_put_le32(s.bytes + s.len - 4, fmi_crc32(0, s.bytes, s.len - 4));
}

static const struct {
	uint16_t word;
	uint8_t code;
} script[] = {
	{ 0x555, 0xaa }, { 0x2aa, 0x55 }, { 0x555, 0xa0 }, { 3, 0x5a },      { 0x555, 0xaa },
	{ 0x2aa, 0x55 }, { 0x555, 0x20 }, { 0, 0xa0 },     { 9, 0x11 },      { 0, 0x80 },
	{ 0x555, 0xaa }, { 0x2aa, 0x55 }, { 0, 0x30 },     { 0x1000, 0x30 }, { 0, 0xb0 },
	{ 0, 0x30 },     { 0, 0xf0 },     { 0x555, 0xaa }, { 0x2aa, 0x55 },  { 0x555, 0x90 },
	{ 0x55, 0x98 },  { 0, 0xf0 },     { 0, 0xf0 },     { 0x55, 0x98 },   { 0, 0xf0 },
	{ 0x555, 0xaa }, { 0x2aa, 0x55 }, { 0x555, 0x80 }, { 0x555, 0xaa },  { 0x2aa, 0x55 },
	{ 0x555, 0x10 },
};

struct walk {
	struct rng rng;
	unsigned next;
	uint64_t now_ns;
};

/* A step of both banks, which are alike before and behind. */
static void step(struct walk *w, struct bank *a, struct bank *b)
{
	const unsigned n = sizeof(script) / sizeof(script[0]);
	uint64_t off;

	if (rng_one_in(&w->rng, 3)) {
		w->now_ns += rng_below(&w->rng, rng_one_in(&w->rng, 40) ? 3000000000u : 400000u);
		assert_int_equal(fm_dev_tick(a->dev, w->now_ns), fm_dev_tick(b->dev, w->now_ns));
	}
	off = rng_below(&w->rng, LEN / 2) * 2;
	if (rng_one_in(&w->rng, 2)) {
		assert_int_equal(rd(a, off, 2), rd(b, off, 2));
	} else {
		w->next = rng_one_in(&w->rng, 30) ? rng_below(&w->rng, n) : (w->next + 1) % n;
		wr(a, 2u * script[w->next].word, 2, script[w->next].code);
		wr(b, 2u * script[w->next].word, 2, script[w->next].code);
	}
	assert_int_equal(a->effects, b->effects);
	assert_int_equal(fm_dev_next_deadline_ns(a->dev), fm_dev_next_deadline_ns(b->dev));
}

static void a_loaded_bank_has_the_same_future_at_any_cycle(void **state)
{
	struct walk w = { .rng = { 11 } };
	unsigned seen[FMI_QEMU_AMD_STATES] = { 0 };
	struct bank a, b;

	init(&a);
	init(&b);
	for (unsigned n = 0; n < 30000; n++) {
		step(&w, &a, &b);
		seen[fmi_flash_of(a.dev)->qemu.machine.state]++;
		if (rng_one_in(&w.rng, 3)) {
			struct saved s = save(&a);
			struct saved again;

			wr(&b, AT_555, 2, 0xaa); /* whatever b was up to */
			memcpy(b.array, a.array, LEN);
			assert_int_equal(fm_dev_load(b.dev, s.bytes, s.len, NULL), 0);
			again = save(&b);
			assert_int_equal(again.len, s.len);
			assert_memory_equal(again.bytes, s.bytes, s.len);
			free(s.bytes);
			free(again.bytes);
		}
	}
	assert_memory_equal(a.array, b.array, LEN);
	for (unsigned n = 0; n < FMI_QEMU_AMD_STATES; n++)
		assert_true(seen[n] > 20);
	bank_exit(&a);
	bank_exit(&b);
}

static void a_saved_erase_ends_by_the_clock_of_whoever_loads_it(void **state)
{
	struct saved s;
	struct bank a, b;

	init(&a);
	init(&b);
	fm_dev_tick(a.dev, 7000);
	erase(&a, 0);
	fm_dev_tick(a.dev, 17000);
	s = save(&a);
	fm_dev_tick(b.dev, UINT64_C(1) << 50);
	assert_int_equal(fm_dev_load(b.dev, s.bytes, s.len, NULL), 0);
	assert_int_equal(fm_dev_next_deadline_ns(b.dev), (UINT64_C(1) << 50) + WINDOW_NS - 10000);
	free(s.bytes);
	bank_exit(&a);
	bank_exit(&b);
}

/* One field of the state of a bank in an erase of sectors 0 and 2, or of one that is suspended. */
static void refuse_field(bool suspended, size_t at, unsigned size, uint64_t value)
{
	struct fm_error err = { 0 };
	struct bank b;
	struct saved s;

	init(&b);
	erase(&b, 0);
	w2(&b, 2 * SECTOR, 0x30);
	fm_dev_tick(b.dev, WINDOW_NS + 1000);
	if (suspended)
		w2(&b, 0, 0xb0);
	s = save(&b);
	assert_int_equal(s.bytes[AT_MACHINE],
			 suspended ? FMI_QEMU_AMD_READY : FMI_QEMU_AMD_SECTORS);
	assert_int_equal(s.bytes[AT_MARKS + 2], FMI_QUEUED);
	fmi_le_store(s.bytes + at, size, value);
	seal(s);
	if (fm_dev_load(b.dev, s.bytes, s.len, &err) != FM_ERR_FORMAT)
		fail_msg("0x%zx = 0x%llx is taken", at, (unsigned long long)value);
	assert_non_null(strstr(err.msg, "saved state"));
	free(s.bytes);
	bank_exit(&b);
}

static void impossible_states_are_refused(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t value;
	} erasing[] = {
		{ 0, 1, FMI_QEMU_AMD_STATES },
		{ 0, 1, 255 },
		{ 1, 1, 0x08 }, /* no such flag */
		{ 1, 1, 0x06 }, /* mapped while it erases */
		{ 1, 1, 0x00 }, /* no timer, but time */
		{ 2, 1, 0x02 }, /* a data line that never shows */
		{ 3, 1, 44 },
		{ 4, 4, 0 }, /* sectors marked, none named */
		{ 4, 4, 1 },
		{ 8, 8, 0 }, /* a timer, but no time */
		{ 8, 8, CHIP_NS + 1 },
		{ 8, 8, UINT64_MAX },
		{ 16, 8, 1 }, /* both running and suspended */
		{ 24, 1, 2 }, /* a mark that such a bank has not */
		{ 24, 8, 0 }, /* sectors named, none marked */
		{ 25, 2, 0x0808 },
	}, suspended[] = {
		{ 0, 1, FMI_QEMU_AMD_SECTORS },
		{ 0, 1, FMI_QEMU_AMD_CHIP },
		{ 1, 1, 0x04 },
		{ 8, 8, 5 },
		{ 16, 8, 2 * SECTOR_NS + 1 },
		{ 16, 8, UINT64_MAX },
	};

	for (size_t n = 0; n < sizeof(erasing) / sizeof(erasing[0]); n++)
		refuse_field(false, AT_MACHINE + erasing[n].at, erasing[n].size, erasing[n].value);
	for (size_t n = 0; n < sizeof(suspended) / sizeof(suspended[0]); n++)
		refuse_field(true, AT_MACHINE + suspended[n].at, suspended[n].size,
			     suspended[n].value);
}

static void any_flipped_bit_is_survived(void **state)
{
	struct walk w = { .rng = { 12 } };
	struct bank a, b;
	struct saved s;

	init(&a);
	init(&b);
	erase(&a, 0);
	s = save(&a);
	for (size_t bit = AT_MACHINE * 8; bit < (AT_MARKS + 8) * 8; bit++) {
		s.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		seal(s);
		if (!fm_dev_load(a.dev, s.bytes, s.len, NULL)) {
			assert_int_equal(fm_dev_load(b.dev, s.bytes, s.len, NULL), 0);
			memcpy(b.array, a.array, LEN);
			for (unsigned n = 0; n < 50; n++)
				step(&w, &a, &b);
		}
		s.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(s.bytes);
	bank_exit(&a);
	bank_exit(&b);
}

static void a_sanitized_bank_has_given_up_its_erase(void **state)
{
	struct bank a, b;
	struct saved s;

	init(&a);
	init(&b);
	memset(a.array, 0, LEN);
	erase(&a, 0);
	assert_int_equal(fm_dev_sanitize(a.dev, NULL), 0);
	assert_true(mapped(&a));
	assert_int_equal(fm_dev_next_deadline_ns(a.dev), FM_NEVER);
	assert_true(all_bytes(a.array, LEN, 0xff));
	s = save(&a);
	assert_int_equal(fm_dev_load(b.dev, s.bytes, s.len, NULL), 0);
	free(s.bytes);
	bank_exit(&a);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loaded_bank_has_the_same_future_at_any_cycle),
		cmocka_unit_test(a_saved_erase_ends_by_the_clock_of_whoever_loads_it),
		cmocka_unit_test(a_sanitized_bank_has_given_up_its_erase),
		cmocka_unit_test(impossible_states_are_refused),
		cmocka_unit_test(any_flipped_bit_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
