/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write buffers in QEMU before and after 7.2.22, as they are known; the programs are not at hand. What all
 * three have in common is held against 7.2.22 in tests/diff.
 */
#include "tests/unit/bank.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

#define LEN (512 * KIB)
#define BLOCK (256 * KIB)
#define BUFFER 4096u /* of the two chips */

static void init(struct bank *b, const char *profile)
{
	struct fm_flash_config cfg = bank_config();

	cfg.nregions = 1;
	cfg.regions[0] = (struct fm_flash_region){ BLOCK, LEN / BLOCK };
	assert_int_equal(fm_flash_profile(profile, &cfg, NULL), 0);
	bank_init(b, LEN, cfg);
}

/* E8 and the count, at `at`. */
static void start(struct bank *b, uint64_t at, unsigned words)
{
	cmd(b, at, 0xe8);
	assert_int_equal(r4(b, at) & 0x00800080, 0x00800080);
	w4(b, at, (words - 1) * 0x00010001u);
}

static uint32_t array_at(struct bank *b, uint64_t off)
{
	cmd(b, 0, 0xff);
	return r4(b, off);
}

/* --- qemu-old ----------------------------------------------------------------------------- */

static void old_words_are_in_the_array_as_they_come(void **state)
{
	struct bank b;

	init(&b, "qemu-old");
	start(&b, 0x100, 2);
	w4(&b, 0x100, 0x11111111);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(fmi_le32(b.array + 0x100), 0x11111111);
	w4(&b, 0x104, 0x22222222);
	assert_int_equal(r4(&b, 0), 0x00800080);
	cmd(&b, 0, 0xd0);
	assert_int_equal(b.effects, 0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(array_at(&b, 0x100), 0x11111111);
	assert_int_equal(array_at(&b, 0x104), 0x22222222);
	bank_exit(&b);
}

static void old_words_go_wherever_they_lie(void **state)
{
	struct bank b;

	init(&b, "qemu-old");
	start(&b, 0, 3);
	w4(&b, BLOCK + 8, 0x11111111);
	w4(&b, LEN - 4, 0x22222222);
	wr(&b, 0x41, 1, 0x33);
	cmd(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(array_at(&b, BLOCK + 8), 0x11111111);
	assert_int_equal(array_at(&b, LEN - 4), 0x22222222);
	assert_int_equal(array_at(&b, 0x40), 0xffff33ff);
	bank_exit(&b);
}

static void old_words_overwrite(void **state)
{
	struct bank b;

	init(&b, "qemu-old");
	memset(b.array, 0, LEN);
	start(&b, 0, 1);
	w4(&b, 0, 0x12345678);
	assert_int_equal(fmi_le32(b.array), 0x12345678);
	bank_exit(&b);
}

static void old_buffers_that_are_not_confirmed_are_written_all_the_same(void **state)
{
	struct bank b;

	init(&b, "qemu-old");
	start(&b, 0, 1);
	w4(&b, 0, 0x11111111);
	cmd(&b, 0, 0x33);
	assert_true(mapped(&b));
	assert_int_equal(r4(&b, 0), 0x11111111);
	assert_int_equal(bank_status(&b), 0x00800080);
	bank_exit(&b);
}

static void old_errors_from_before_stop_nothing(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.nregions = 1;
	cfg.regions[0] = (struct fm_flash_region){ BLOCK, LEN / BLOCK };
	assert_int_equal(fm_flash_profile("qemu-old", &cfg, NULL), 0);
	cfg.read_only = true;
	bank_init(&b, LEN, cfg);
	for (unsigned n = 0; n < 2; n++) {
		start(&b, 0, 1);
		w4(&b, 0, 0);
		cmd(&b, 0, 0xd0);
		assert_int_equal(r4(&b, 0), 0x00900090); /* the status, not the array */
	}
	assert_int_equal(array_at(&b, 0), 0xffffffff);
	bank_exit(&b);
}

/* Buffer after buffer, with the count at the block's base: what 7.2.22 fails. */
static void uboots_copy_over_many_buffers_works_but_on_7_2_22(void **state)
{
	static const char *const profiles[] = { "qemu-old", "qemu-new", "qemu-7.2" };

	for (unsigned n = 0; n < 3; n++) {
		bool fails = n == 2;
		struct bank b;

		init(&b, profiles[n]);
		for (unsigned at = 0; at < 3 * BUFFER; at += BUFFER) {
			cmd(&b, at, 0x50);
			start(&b, 0, BUFFER / 4);
			for (unsigned i = 0; i < BUFFER; i += 4)
				w4(&b, at + i, 0x01010101);
			cmd(&b, 0, 0xd0);
		}
		cmd(&b, 0, 0xff);
		assert_true(all_bytes(b.array, BUFFER, 0x01));
		assert_true(all_bytes(b.array + BUFFER, 2 * BUFFER, fails ? 0xff : 0x01));
		bank_exit(&b);
	}
}

/* --- qemu-new ----------------------------------------------------------------------------- */

static void new_buffers_lie_where_the_first_word_goes(void **state)
{
	struct bank b;

	init(&b, "qemu-new");
	start(&b, 0, 2);
	w4(&b, BLOCK + 0x1008, 0x11111111);
	assert_int_equal(b.effects, 0);
	assert_true(all_bytes(b.array, LEN, 0xff)); /* held */
	w4(&b, BLOCK + 0x1004, 0x22222222);
	cmd(&b, 0, 0xd0);
	assert_int_equal(r4(&b, 0), 0x00800080);
	assert_int_equal(array_at(&b, BLOCK + 0x1008), 0x11111111);
	assert_int_equal(array_at(&b, BLOCK + 0x1004), 0x22222222);
	bank_exit(&b);
}

static void new_buffers_of_one_word_fail(void **state)
{
	struct bank b;

	init(&b, "qemu-new");
	start(&b, 0x100, 1);
	w4(&b, 0x100, 0x11111111);
	assert_int_equal(r4(&b, 0), 0x00900090);
	cmd(&b, 0x100, 0xd0);
	assert_true(mapped(&b)); /* the confirm goes to read-array */
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_int_equal(bank_status(&b), 0x00900090);
	bank_exit(&b);
}

static void new_words_outside_of_the_first_words_buffer_fail_it(void **state)
{
	struct bank b;

	init(&b, "qemu-new");
	start(&b, 0, 2);
	w4(&b, 0x100, 0x11111111);
	w4(&b, 0x100 + BUFFER, 0x22222222);
	assert_int_equal(r4(&b, 0), 0x00900090);
	cmd(&b, 0, 0xd0);
	assert_true(all_bytes(b.array, LEN, 0xff));
	bank_exit(&b);
}

static void new_errors_from_before_fail_the_next_until_they_are_cleared(void **state)
{
	struct bank b;

	init(&b, "qemu-new");
	start(&b, 0, 1);
	w4(&b, 0, 0);
	cmd(&b, 0, 0xd0);
	bank_buffer(&b, 0, 0, 2, 0x11111111);
	assert_int_equal(array_at(&b, 0), 0xffffffff);
	cmd(&b, 0, 0x50);
	bank_buffer(&b, 0, 0, 2, 0x11111111);
	assert_int_equal(array_at(&b, 0), 0x11111111);
	bank_exit(&b);
}

/* --- saved state -------------------------------------------------------------------------- */

#define AT_QUIRKS (12u + 15u + 4u + 8u + 27u)
#define AT_CHIP (AT_QUIRKS + 11u)
#define CHIP_LEFT 9u
#define CHIP_WINDOW 13u
#define CHIP_LO 21u
#define CHIP_HI 25u
#define CHIP_SR 2u
#define CHIP_WORDS 5u
#define CHIP_LEN 83u

/* One field of both chips, of a bank that was left as `words` of a buffer of `of` came. */
static bool takes(const char *profile, unsigned of, unsigned words, unsigned at, unsigned size,
		  uint64_t value)
{
	struct bank b;
	void *saved;
	uint8_t *bytes;
	size_t len;
	int rc;

	init(&b, profile);
	start(&b, 0, of);
	for (unsigned n = 0; n < words; n++)
		w4(&b, BUFFER + 4 * n, 0);
	assert_int_equal(fm_dev_save(b.dev, &saved, &len, NULL), 0);
	bytes = saved;
	for (unsigned chip = 0; size && chip < 2; chip++)
		fmi_le_store(bytes + AT_CHIP + CHIP_LEN * chip + at, size, value);
	fmi_put_le32(bytes + len - 4, fmi_crc32(0, bytes, len - 4));
	rc = fm_dev_load(b.dev, bytes, len, NULL);
	free(saved);
	bank_exit(&b);
	return !rc;
}

static void a_buffer_is_saved_and_loaded_at_each_of_its_cycles(void **state)
{
	static const char *const profiles[] = { "qemu-old", "qemu-new", "qemu-7.2" };
	static const uint32_t cycles[] = { 0x00e800e8, 0x00010001, 0x11111111,
					   0x22222222, 0x00d000d0, 0x00ff00ff };

	for (unsigned n = 0; n < 6; n++) {
		struct bank a, b;

		init(&a, profiles[n / 2]);
		init(&b, profiles[n / 2]);
		for (unsigned i = 0; i < sizeof(cycles) / sizeof(cycles[0]); i++) {
			void *saved;
			size_t len;

			/* Confirmed, or not. */
			w4(&a, 4 * i, i == 4 && n % 2 ? 0 : cycles[i]);
			assert_int_equal(fm_dev_save(a.dev, &saved, &len, NULL), 0);
			memcpy(b.array, a.array, LEN);
			assert_int_equal(fm_dev_load(b.dev, saved, len, NULL), 0);
			assert_int_equal(r4(&a, 0), r4(&b, 0));
			free(saved);
		}
		bank_exit(&a);
		bank_exit(&b);
	}
}

static void impossible_buffers_are_refused(void **state)
{
	static const char *const profiles[] = { "qemu-old", "qemu-new" };

	for (unsigned n = 0; n < 2; n++) {
		for (unsigned words = 0; words <= 3; words++)
			assert_true(takes(profiles[n], 3, words, 0, 0, 0));
		assert_true(takes(profiles[n], 1, 1, 0, 0, 0));
		assert_false(takes(profiles[n], 3, 0, CHIP_LEFT, 4, 4));
		assert_false(takes(profiles[n], 3, 3, CHIP_LEFT, 4, 1));
		assert_false(takes(profiles[n], 3, 0, CHIP_WINDOW, 8, BUFFER));
		assert_false(takes(profiles[n], 3, 0, CHIP_HI, 4, 8));
	}
	/* None before the first word, nor of a single one; one after it, and all of it. */
	assert_false(takes("qemu-new", 3, 0, CHIP_LEFT, 4, 2));
	assert_false(takes("qemu-new", 3, 1, CHIP_LEFT, 4, 3));
	assert_false(takes("qemu-new", 3, 1, CHIP_LO, 4, 4));
	assert_false(takes("qemu-new", 3, 1, CHIP_HI, 4, BUFFER / 2));
	assert_false(takes("qemu-new", 3, 1, CHIP_WINDOW, 8, LEN));
	assert_false(takes("qemu-new", 1, 1, CHIP_SR, 1, 0x80));
	assert_false(takes("qemu-new", 1, 1, CHIP_WORDS, 4, 1));
	assert_false(takes("qemu-new", 3, 3, CHIP_WORDS, 4, 0));
}

/* A state that only lacks the right quirks: a window is open, its bytes are there. */
static void an_old_bank_holds_nothing(void **state)
{
	struct fm_flash_config old = bank_config();
	struct fm_error err = { 0 };
	struct bank a, b;
	uint8_t *bytes;
	void *saved;
	size_t len;

	assert_int_equal(fm_flash_profile("qemu-old", &old, NULL), 0);
	init(&a, "qemu-new");
	init(&b, "qemu-old");
	start(&a, 0, 3);
	w4(&a, 0, 0);
	assert_int_equal(fm_dev_save(a.dev, &saved, &len, NULL), 0);
	bytes = saved;
	fmi_put_le32(bytes + AT_QUIRKS, old.quirks);
	fmi_put_le32(bytes + len - 4, fmi_crc32(0, bytes, len - 4));
	assert_int_equal(fm_dev_load(b.dev, bytes, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "no sequence leads to"));
	free(saved);
	bank_exit(&a);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_words_are_in_the_array_as_they_come),
		cmocka_unit_test(old_words_go_wherever_they_lie),
		cmocka_unit_test(old_words_overwrite),
		cmocka_unit_test(old_buffers_that_are_not_confirmed_are_written_all_the_same),
		cmocka_unit_test(old_errors_from_before_stop_nothing),
		cmocka_unit_test(uboots_copy_over_many_buffers_works_but_on_7_2_22),
		cmocka_unit_test(new_buffers_lie_where_the_first_word_goes),
		cmocka_unit_test(new_buffers_of_one_word_fail),
		cmocka_unit_test(new_words_outside_of_the_first_words_buffer_fail_it),
		cmocka_unit_test(new_errors_from_before_fail_the_next_until_they_are_cleared),
		cmocka_unit_test(a_buffer_is_saved_and_loaded_at_each_of_its_cycles),
		cmocka_unit_test(impossible_buffers_are_refused),
		cmocka_unit_test(an_old_bank_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
