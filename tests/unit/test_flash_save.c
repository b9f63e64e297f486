/* SPDX-License-Identifier: BSD-2-Clause */
/* Saved state: at any bus cycle, into another bank, and believed only when it can be true. */
#include "tests/unit/bank.h"
#include "tests/unit/rng.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

#define LEN (128 * KIB)

/* The layout, as docs/flash.md has it, of a bank of two chips and one region. */
#define BODY (12u + 15u + 4u + 8u)
#define AT_CHIP (BODY + 38u)
#define OP_LEN 25u
#define CHIP_LEN (33u + 2 * OP_LEN)
#define CHIP_STATE 0u
#define CHIP_MODE 1u
#define CHIP_SR 2u
#define CHIP_WORDS 5u
#define CHIP_LEFT 9u
#define CHIP_WINDOW 13u
#define CHIP_LO 21u
#define CHIP_HI 25u
#define CHIP_LAST 29u
#define CHIP_OP 33u /* action 1, off 8, data 8, nanoseconds left 8 */
#define CHIP_ERASE (CHIP_OP + OP_LEN)
#define AT_REST (AT_CHIP + 2 * CHIP_LEN)
#define MARKS_LEN (2 * 8u)
#define REGISTERS_LEN (138 * 4u + 2 * 8u)
#define BUFFER_LEN 2048u

struct saved {
	uint8_t *bytes;
	size_t len;
};

static struct fm_flash_config save_config(enum fm_flash_narrow narrow)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ 16 * KIB, LEN / (16 * KIB) };
	cfg.nregions = 1;
	cfg.narrow = narrow;
	return cfg;
}

static void init(struct bank *b)
{
	bank_init(b, LEN, save_config(FM_FLASH_NARROW_LANES));
}

static struct saved save(struct bank *b)
{
	struct saved s;
	void *bytes;

	assert_int_equal(fm_dev_save(b->dev, &bytes, &s.len, NULL), 0);
	s.bytes = bytes;
	return s;
}

static int load(struct bank *b, struct saved s, struct fm_error *err)
{
	return fm_dev_load(b->dev, s.bytes, s.len, err);
}

/* After bytes were changed: as if they had been saved so. */
static void seal(struct saved s)
{
	fmi_put_le32(s.bytes + s.len - 4, fmi_crc32(0, s.bytes, s.len - 4));
}

/* --- the same future --------------------------------------------------------------------- */

static uint64_t any_value(struct rng *rng)
{
	static const uint8_t commands[] = { 0xff, 0x40, 0x20, 0xd0, 0xd0, 0xe8,
					    0xe8, 0x60, 0x01, 0x2f, 0x50, 0x70 };

	if (rng_one_in(rng, 4))
		return rng_next(rng);
	if (rng_one_in(rng, 3))
		return rng_below(rng, 4) * 0x00010001u;
	return commands[rng_below(rng, sizeof(commands))] * 0x00010001u;
}

static void a_loaded_bank_has_the_same_future_at_any_cycle(void **state)
{
	struct rng rng = { 3 };
	struct bank a, b;

	init(&a);
	init(&b);
	for (unsigned n = 0; n < 30000; n++) {
		unsigned size = rng_one_in(&rng, 6) ? 2 : 4;
		uint64_t off = rng_below(&rng, 16) * size + (rng_one_in(&rng, 8) ? 16 * KIB : 0);
		uint64_t value = any_value(&rng) & (size == 4 ? UINT32_MAX : UINT16_MAX);

		if (rng_one_in(&rng, 4)) {
			assert_int_equal(rd(&a, off, size), rd(&b, off, size));
		} else {
			wr(&a, off, size, value);
			wr(&b, off, size, value);
		}
		assert_int_equal(a.effects, b.effects);
		if (rng_one_in(&rng, 3)) {
			struct saved s = save(&a);
			struct saved again;

			assert_memory_equal(a.array, b.array, 48 * KIB);
			/* Whatever b was up to. */
			wr(&b, rng_below(&rng, 64) * 4, 4, any_value(&rng) & UINT32_MAX);
			memcpy(b.array, a.array, LEN);
			assert_int_equal(load(&b, s, NULL), 0);
			again = save(&b);
			assert_int_equal(again.len, s.len);
			assert_memory_equal(again.bytes, s.bytes, s.len);
			free(s.bytes);
			free(again.bytes);
		}
	}
	assert_memory_equal(a.array, b.array, LEN);
	bank_exit(&a);
	bank_exit(&b);
}

static void a_buffer_half_filled_is_finished_elsewhere(void **state)
{
	struct bank a, b;
	struct saved s;

	init(&a);
	init(&b);
	cmd(&a, 0x800, 0xe8);
	w4(&a, 0x800, 0x00010001);
	w4(&a, 0x900, 0x12345678);
	s = save(&a);
	assert_int_equal(s.len, AT_REST + BUFFER_LEN + MARKS_LEN + REGISTERS_LEN + 4);
	assert_int_equal(load(&b, s, NULL), 0);
	assert_false(mapped(&b));
	w4(&b, 0x904, 0x9abcdef0);
	cmd(&b, 0, 0xd0);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x900), 0x12345678);
	assert_int_equal(r4(&b, 0x904), 0x9abcdef0);
	/* The first one's array has nothing of it. */
	assert_true(all_bytes(a.array, LEN, 0xff));
	free(s.bytes);
	bank_exit(&a);
	bank_exit(&b);
}

static void a_load_counts_as_a_remap(void **state)
{
	struct bank a, b;
	struct saved s;
	uint64_t before;

	init(&a);
	init(&b);
	cmd(&a, 0, 0x70);
	s = save(&a);
	before = fm_dev_map_generation(b.dev);
	assert_int_equal(load(&b, s, NULL), 0);
	assert_true(fm_dev_map_generation(b.dev) > before);
	assert_false(mapped(&b));
	free(s.bytes);
	bank_exit(&a);
	bank_exit(&b);
}

/* --- what is not believed ------------------------------------------------------------------ */

/* A bank in the middle of a buffer, with a lock: a device that a failed load must not change. */
static void busy(struct bank *b)
{
	init(b);
	cmd(b, 0x4000, 0x60);
	cmd(b, 0x4000, 0x2f);
	cmd(b, 0, 0xe8);
	w4(b, 0, 0x00020002);
	w4(b, 0x10, 0x11111111);
	w4(b, 0x20, 0x22222222);
}

static void refuse(struct bank *b, struct saved s, int code, const char *what)
{
	struct saved before = save(b);
	struct saved after;
	struct fm_error err = { 0 };

	assert_int_equal(load(b, s, &err), code);
	if (!strstr(err.msg, what))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, what);
	after = save(b);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.bytes, after.bytes, before.len);
	free(before.bytes);
	free(after.bytes);
}

/* Change one field of a good state of a busy bank; it must be refused. */
static void refuse_field(size_t at, unsigned size, uint64_t value, const char *what)
{
	struct bank b;
	struct saved s;

	busy(&b);
	s = save(&b);
	assert_true(at + size + 4 <= s.len);
	fmi_le_store(s.bytes + at, size, value);
	seal(s);
	refuse(&b, s, FM_ERR_FORMAT, what);
	free(s.bytes);
	bank_exit(&b);
}

static void impossible_chips_are_refused(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t value;
	} fields[] = {
		{ CHIP_STATE, 1, 9 },
		{ CHIP_STATE, 1, 255 },
		{ CHIP_MODE, 1, 4 },
		{ CHIP_MODE, 1, 0 },
		{ CHIP_SR, 1, 0x00 },
		{ CHIP_SR, 1, 0x81 },
		{ CHIP_SR, 1, 0x02 },
		{ CHIP_WORDS, 4, 512 },
		{ CHIP_WORDS, 4, UINT32_MAX },
		{ CHIP_LEFT, 4, 0 },
		{ CHIP_LEFT, 4, 3 },
		{ CHIP_LEFT, 4, 4 },
		{ CHIP_LEFT, 4, UINT32_MAX },
		{ CHIP_WINDOW, 8, 4 },
		{ CHIP_WINDOW, 8, LEN },
		{ CHIP_WINDOW, 8, ~UINT64_C(2047) },
		{ CHIP_LO, 4, 0x12 },
		{ CHIP_LO, 4, 0x24 },
		{ CHIP_LO, 4, 0x28 },
		{ CHIP_HI, 4, 0x1000 },
		{ CHIP_HI, 4, UINT32_MAX },
		{ CHIP_HI, 4, 0x26 },
		{ CHIP_STATE, 1, 0 },
		{ CHIP_STATE, 1, 4 },
		{ CHIP_STATE, 1, 6 },
		{ CHIP_STATE, 1, 7 },
		{ CHIP_STATE, 1, 8 },
		{ CHIP_LAST, 4, 0x0c },
		{ CHIP_LAST, 4, 0x22 },
		{ CHIP_LAST, 4, 0x24 },
		{ CHIP_SR, 1, 0xc0 },
		{ CHIP_SR, 1, 0x84 },
		{ CHIP_OP, 1, 1 },
		{ CHIP_OP, 1, 255 },
		{ CHIP_OP + 1, 8, 4 },
		{ CHIP_OP + 17, 8, 1 },
		{ CHIP_ERASE, 1, 2 },
		{ CHIP_ERASE + 9, 8, 1 },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		for (unsigned chip = 0; chip < 2; chip++)
			refuse_field(AT_CHIP + chip * CHIP_LEN + fields[i].at, fields[i].size,
				     fields[i].value, "saved state");
	}
}

static void a_state_of_another_bank_is_refused(void **state)
{
	refuse_field(BODY, 8, LEN * 2, "length");
	refuse_field(BODY + 8, 1, 8, "bank width");
	refuse_field(BODY + 9, 1, 4, "chip width");
	refuse_field(BODY + 10, 4, 1024, "buffer length");
	refuse_field(BODY + 14, 1, 2, "number of regions");
	refuse_field(BODY + 15, 8, 8 * KIB, "block length");
	refuse_field(BODY + 23, 4, 9, "block count");
	refuse_field(BODY + 27, 4, 1, "quirks");
	refuse_field(BODY + 31, 4, 1, "traits");
	refuse_field(BODY + 35, 1, 1, "time");
	refuse_field(BODY + 36, 1, 1, "health");
	refuse_field(BODY + 37, 1, 4, "pins");
}

static void a_buffer_with_data_nobody_holds_is_refused(void **state)
{
	refuse_field(AT_REST + 0x0c, 4, 0, "write buffer");
	refuse_field(AT_REST + 0x24, 1, 0xfe, "write buffer");
	refuse_field(AT_REST + BUFFER_LEN - 1, 1, 0, "write buffer");
}

static void impossible_locks_are_refused(void **state)
{
	refuse_field(AT_REST + BUFFER_LEN, 1, 2, "lock of block 0");
	refuse_field(AT_REST + BUFFER_LEN + 15, 1, 4, "lock of block 7");
}

static void locks_on_a_read_only_bank_are_refused(void **state)
{
	struct fm_flash_config cfg = save_config(FM_FLASH_NARROW_LANES);
	struct bank a, b;
	struct saved s;

	cfg.read_only = true;
	init(&a);
	bank_init(&b, LEN, cfg);
	s = save(&a);
	assert_int_equal(load(&b, s, NULL), 0);
	free(s.bytes);
	cmd(&a, 0, 0x60);
	cmd(&a, 0, 0x01);
	s = save(&a);
	refuse(&b, s, FM_ERR_FORMAT, "lock of block 0");
	free(s.bytes);
	bank_exit(&a);
	bank_exit(&b);
}

static void another_version_is_refused(void **state)
{
	struct bank b;
	struct saved s;

	busy(&b);
	s = save(&b);
	fmi_put_le32(s.bytes + 12 + 15, 0);
	seal(s);
	refuse(&b, s, FM_ERR_VERSION, "version 0");
	fmi_put_le32(s.bytes + 12 + 15, 2);
	seal(s);
	refuse(&b, s, FM_ERR_VERSION, "version");
	free(s.bytes);
	bank_exit(&b);
}

/* Cut the body short, or make it longer, under a right envelope. */
static void a_body_of_another_length_is_refused(void **state)
{
	struct bank b;
	struct saved s;

	busy(&b);
	s = save(&b);
	for (size_t len = BODY + 4; len < s.len; len += len < AT_REST ? 1 : 37) {
		struct saved cut = { malloc(len), len };

		memcpy(cut.bytes, s.bytes, len);
		fmi_put_le64(cut.bytes + BODY - 8, len - BODY - 4);
		seal(cut);
		refuse(&b, cut, FM_ERR_FORMAT, "saved state");
		free(cut.bytes);
	}
	s.bytes = realloc(s.bytes, s.len + 1);
	s.len++;
	fmi_put_le64(s.bytes + BODY - 8, s.len - BODY - 4);
	s.bytes[s.len - 5] = 0;
	seal(s);
	refuse(&b, s, FM_ERR_FORMAT, "1 bytes left over");
	free(s.bytes);
	bank_exit(&b);
}

/* Refused, or a state that works: nothing in between. */
static void any_flipped_bit_is_survived(void **state)
{
	struct rng rng = { 5 };
	struct bank b;
	struct saved s;

	busy(&b);
	s = save(&b);
	for (size_t bit = 0; bit < s.len * 8; bit++) {
		struct saved t = { malloc(s.len), s.len };

		memcpy(t.bytes, s.bytes, s.len);
		t.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(load(&b, t, NULL), 0);
		seal(t);
		if (!load(&b, t, NULL)) {
			for (unsigned n = 0; n < 8; n++)
				wr(&b, rng_below(&rng, LEN / 4) * 4, 4,
				   any_value(&rng) & UINT32_MAX);
			cmd(&b, 0, 0xd0);
		}
		free(t.bytes);
	}
	free(s.bytes);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loaded_bank_has_the_same_future_at_any_cycle),
		cmocka_unit_test(a_buffer_half_filled_is_finished_elsewhere),
		cmocka_unit_test(a_load_counts_as_a_remap),
		cmocka_unit_test(impossible_chips_are_refused),
		cmocka_unit_test(a_state_of_another_bank_is_refused),
		cmocka_unit_test(a_buffer_with_data_nobody_holds_is_refused),
		cmocka_unit_test(impossible_locks_are_refused),
		cmocka_unit_test(locks_on_a_read_only_bank_are_refused),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(a_body_of_another_length_is_refused),
		cmocka_unit_test(any_flipped_bit_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
