/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD chips side by side: their states part and join, are saved at any cycle, believed only if true. */
#include "tests/unit/amd_bank.h"
#include "tests/unit/rng.h"

#include "devices/bytes.h"
#include "devices/crc32.h"
#include "flash/flash_private.h"

/* The layout, as docs/flash.md has it, of a bank of two chips and one region. */
#define BODY (12u + 13u + 4u + 8u)
#define AT_CHIP (BODY + 38u)
#define CHIP_STATE 0u
#define CHIP_MODE 1u
#define CHIP_THEN 2u
#define CHIP_AFTER 3u
#define CHIP_FLAGS 4u
#define CHIP_SR 5u
#define CHIP_SECTOR 6u
#define CHIP_LEFT 14u
#define CHIP_WINDOW 18u
#define CHIP_LO 26u
#define CHIP_HI 30u
#define CHIP_LAST 34u
#define CHIP_OP 38u /* action 1, off 8, data 8, nanoseconds left 8 */
#define CHIP_ERASE (CHIP_OP + 25u)

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

/* One access of the grammar, near the places where sequences live. */
struct access {
	bool read;
	uint64_t off;
	unsigned size;
	uint64_t value;
};

static struct access any_access(struct rng *rng, unsigned *next)
{
	/* Sequences that are mostly kept to, and sometimes broken. */
	static const struct {
		uint16_t word;
		uint8_t code;
	} script[] = {
		{ 0x555, 0xaa }, { 0x2aa, 0x55 }, { 0x555, 0xa0 },  { 3, 0x5a },
		{ 0x555, 0xaa }, { 0x2aa, 0x55 }, { 0, 0x25 },      { 0, 3 },
		{ 5, 0x11 },     { 9, 0x22 },     { 6, 0x44 },      { 5, 0x80 },
		{ 0, 0x29 },     { 0x555, 0xaa }, { 0x2aa, 0x55 },  { 0x555, 0xf0 },
		{ 0x555, 0xaa }, { 0x2aa, 0x55 }, { 0x555, 0x80 },  { 0x555, 0xaa },
		{ 0x2aa, 0x55 }, { 0, 0x30 },     { 0x1000, 0x30 }, { 0x555, 0xaa },
		{ 0x2aa, 0x55 }, { 0x555, 0x20 }, { 0, 0xa0 },      { 7, 0x77 },
		{ 0, 0x80 },     { 0, 0x30 },     { 0, 0x90 },      { 0, 0x00 },
		{ 0x55, 0x98 },  { 0, 0xf0 },
	};
	struct access a = { .size = rng_one_in(rng, 12) ? 2 : 4 };
	unsigned i = *next = (*next + 1) % (unsigned)(sizeof(script) / sizeof(script[0]));

	a.read = rng_one_in(rng, 6);
	if (rng_one_in(rng, 30))
		*next = (unsigned)rng_below(rng, sizeof(script) / sizeof(script[0]));
	a.off = script[i].word * 4ull + (a.size == 2 ? 2 * rng_below(rng, 2) : 0);
	if (rng_one_in(rng, 20))
		a.off = SECTOR + 4 * rng_below(rng, 16);
	a.value = script[i].code * 0x00010001u;
	if (rng_one_in(rng, 20))
		a.value = rng_next(rng) & UINT32_MAX;
	if (a.size == 2)
		a.value &= UINT16_MAX;
	return a;
}

static uint64_t do_access(struct bank *b, struct access a)
{
	if (a.read)
		return rd(b, a.off, a.size);
	wr(b, a.off, a.size, a.value);
	return 0;
}

static void init_lanes(struct bank *b)
{
	struct fm_flash_config cfg = amd_config();

	cfg.narrow = FM_FLASH_NARROW_LANES;
	bank_init(b, LEN, cfg);
}

static void a_loaded_bank_has_the_same_future_at_any_cycle(void **state)
{
	struct rng rng = { 5 };
	struct bank a, b;
	unsigned next = 0, aborted = 0;

	init_lanes(&a);
	init_lanes(&b);
	for (unsigned n = 0; n < 30000; n++) {
		struct access access = any_access(&rng, &next);

		assert_int_equal(do_access(&a, access), do_access(&b, access));
		assert_int_equal(a.effects, b.effects);
		aborted += fmi_flash_of(a.dev)->chip[0].amd.mode == FMI_AMD_SHOW_STATUS;
		if (rng_one_in(&rng, 3)) {
			struct saved s = save(&a);
			struct saved again;

			/* Whatever b was up to. */
			do_access(&b, any_access(&rng, &next));
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
	assert_true(aborted > 100 && aborted < 29000);
	assert_true(bank_stats(&a).programs > 100 && bank_stats(&a).erases > 100);
	bank_exit(&a);
	bank_exit(&b);
}

/* A bank that keeps a state for each chip, although they are alike, does the same. */
static void chips_together_do_what_chips_apart_do(void **state)
{
	struct rng rng = { 6 };
	struct bank a, b;
	unsigned next = 0, together = 0;

	init_lanes(&a);
	init_lanes(&b);
	for (unsigned n = 0; n < 60000; n++) {
		struct access access = any_access(&rng, &next);

		fmi_lanes_part(fmi_flash_of(b.dev));
		together += fmi_flash_of(a.dev)->together;
		assert_int_equal(do_access(&a, access), do_access(&b, access));
		assert_int_equal(a.effects, b.effects);
	}
	assert_memory_equal(a.array, b.array, LEN);
	assert_true(together > 1000 && together < 60000);
	bank_exit(&a);
	bank_exit(&b);
}

static void one_chip_aborts_and_the_other_programs(void **state)
{
	struct bank b;

	init_lanes(&b);
	start_buffer(&b, 0, 1);
	w4(&b, 0, 0x12345678);
	w4(&b, 0, 0x00f00029); /* chip 0 is confirmed, chip 1 is not */
	assert_int_equal(b.effects & FM_EFF_REMAP, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0) & 0xffbfffff, 0x00825678);
	assert_int_equal(r4(&b, 0) & 0xffbfffff, 0x00825678);
	wr(&b, AT_555 + 2, 2, 0xaa);
	wr(&b, AT_2AA + 2, 2, 0x55);
	wr(&b, AT_555 + 2, 2, 0xf0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(r4(&b, 0), 0xffff5678);
	assert_true(fmi_flash_of(b.dev)->together);
	assert_works(&b);
	bank_exit(&b);
}

static void chips_that_a_read_makes_alike_are_together_again(void **state)
{
	struct bank b;

	init_lanes(&b);
	start_erase(&b);
	wr(&b, 0, 2, 0x30); /* chip 0 alone */
	wr(&b, 2, 2, 0xf0);
	assert_false(fmi_flash_of(b.dev)->together);
	r4(&b, 0);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_true(fmi_flash_of(b.dev)->together);
	bank_exit(&b);
}

/* --- states that cannot be --------------------------------------------------------------- */

/* `len` little-endian bytes at `at` of chip 0 become `value`: refused, and the bank stays as it is. */
static void refuse(struct bank *b, unsigned at, unsigned len, uint64_t value)
{
	struct saved s = save(b);
	struct saved after;
	struct saved bad = { malloc(s.len), s.len };
	struct fm_error err = { 0 };

	memcpy(bad.bytes, s.bytes, s.len);
	fmi_le_store(bad.bytes + AT_CHIP + at, len, value);
	fmi_put_le32(bad.bytes + s.len - 4, fmi_crc32(0, bad.bytes, s.len - 4));
	if (fm_dev_load(b->dev, bad.bytes, bad.len, &err) != FM_ERR_FORMAT)
		fail_msg("%u bytes at %u: 0x%llx is taken", len, at, (unsigned long long)value);
	assert_non_null(strstr(err.msg, "chip 0"));
	after = save(b);
	assert_int_equal(after.len, s.len);
	assert_memory_equal(after.bytes, s.bytes, s.len);
	free(after.bytes);
	free(bad.bytes);
	free(s.bytes);
}

static void a_state_that_no_sequence_leads_to_is_refused(void **state)
{
	struct bank b;

	init(&b);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_STATES);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_DATA);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_CONFIRM);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_MORE);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_ABORTED);
	refuse(&b, CHIP_MODE, 1, FMI_AMD_MODES);
	refuse(&b, CHIP_MODE, 1, FMI_AMD_SHOW_STATUS);
	refuse(&b, CHIP_MODE, 1, FMI_AMD_SHOW_ERASED);
	refuse(&b, CHIP_FLAGS, 1, 1);
	refuse(&b, CHIP_FLAGS, 1, 2);
	refuse(&b, CHIP_FLAGS, 1, 4);
	refuse(&b, CHIP_FLAGS, 1, 16);
	refuse(&b, CHIP_THEN, 1, FMI_AMD_BYPASS);
	refuse(&b, CHIP_AFTER, 1, FMI_AMD_SHOW_ID);
	refuse(&b, CHIP_SR, 1, 0x80);
	refuse(&b, CHIP_OP, 1, FMI_ACTION_PROGRAM);
	refuse(&b, CHIP_OP + 1, 8, 4);
	refuse(&b, CHIP_ERASE, 1, FMI_ACTION_ERASE_QUEUED);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_WINDOW);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_BUSY);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_FAILED);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_SET);
	refuse(&b, CHIP_MODE, 1, FMI_AMD_SHOW_DYB);
	refuse(&b, CHIP_MODE, 1, FMI_AMD_SHOW_SUSPENDED);
	refuse(&b, CHIP_MODE, 1, FMI_AMD_SHOW_SECURED);
	refuse(&b, CHIP_LEFT, 4, 1);
	refuse(&b, CHIP_SECTOR, 8, SECTOR);
	refuse(&b, CHIP_WINDOW, 8, 2048);
	refuse(&b, CHIP_HI, 4, 4);
	refuse(&b, CHIP_LAST, 4, 4);
	start_buffer(&b, SECTOR, 4);
	refuse(&b, CHIP_LEFT, 4, 0);
	refuse(&b, CHIP_LEFT, 4, 513);
	refuse(&b, CHIP_SECTOR, 8, SECTOR + 4);
	refuse(&b, CHIP_SECTOR, 8, LEN);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_CONFIRM);
	w4(&b, SECTOR + 0x10, 0);
	w4(&b, SECTOR + 0x18, 0);
	refuse(&b, CHIP_LEFT, 4, 512);
	refuse(&b, CHIP_WINDOW, 8, 0); /* another sector */
	refuse(&b, CHIP_WINDOW, 8, LEN);
	refuse(&b, CHIP_WINDOW, 8, SECTOR + 4);
	refuse(&b, CHIP_LO, 4, 0x0e);
	refuse(&b, CHIP_LO, 4, 0x20);
	refuse(&b, CHIP_HI, 4, 4096);
	refuse(&b, CHIP_LAST, 4, 0x1c);
	refuse(&b, CHIP_LAST, 4, 0x0c);
	refuse(&b, CHIP_LAST, 4, 0x12);
	refuse(&b, CHIP_STATE, 1, FMI_AMD_READY);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loaded_bank_has_the_same_future_at_any_cycle),
		cmocka_unit_test(chips_together_do_what_chips_apart_do),
		cmocka_unit_test(one_chip_aborts_and_the_other_programs),
		cmocka_unit_test(chips_that_a_read_makes_alike_are_together_again),
		cmocka_unit_test(a_state_that_no_sequence_leads_to_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
