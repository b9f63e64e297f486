/* SPDX-License-Identifier: BSD-2-Clause */
/* The bus: widths, alignment, interleave, and chips that go different ways. */
#include "tests/unit/bank.h"
#include "tests/unit/rng.h"

#include "flash/flash_private.h"

#include <sys/mman.h>

static struct fm_flash_config lanes_config(unsigned bank_width, unsigned chip_width,
					   enum fm_flash_narrow narrow)
{
	struct fm_flash_config cfg = bank_config();

	cfg.bank_width = bank_width;
	cfg.chip_width = chip_width;
	cfg.narrow = narrow;
	cfg.regions[0] = (struct fm_flash_region){ 16 * KIB, 4 };
	cfg.nregions = 1;
	return cfg;
}

static void init_lanes(struct bank *b, unsigned bank_width, unsigned chip_width,
		       enum fm_flash_narrow narrow)
{
	bank_init(b, 64 * KIB, lanes_config(bank_width, chip_width, narrow));
}

/* Every geometry there is. */
static const struct {
	unsigned bank;
	unsigned chip;
} widths[] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 4, 1 }, { 4, 2 },
	       { 4, 4 }, { 8, 1 }, { 8, 2 }, { 8, 4 } };

#define WIDTHS (sizeof(widths) / sizeof(widths[0]))

/* `v` on the lanes of every chip. */
static uint64_t rep(unsigned bank, unsigned chip, uint64_t v)
{
	uint64_t word = 0;

	for (unsigned at = 0; at < bank; at += chip)
		word |= v << (8 * at);
	return word;
}

static void every_geometry_programs_erases_and_answers(void **state)
{
	for (size_t i = 0; i < WIDTHS; i++) {
		unsigned w = widths[i].bank;
		unsigned c = widths[i].chip;
		uint64_t data = UINT64_C(0x0123456789abcdef) & (UINT64_MAX >> (64 - 8 * w));
		struct bank b;

		init_lanes(&b, w, c, FM_FLASH_NARROW_IGNORE);
		wr(&b, 0x4000, w, rep(w, c, 0x40));
		wr(&b, 0x4000, w, data);
		assert_int_equal(rd(&b, 0, w), rep(w, c, 0x80));
		wr(&b, 0, w, rep(w, c, 0xe8));
		wr(&b, 0, w, rep(w, c, 1));
		wr(&b, 0x4000 + w, w, data);
		wr(&b, 0x4000 + 2 * w, w, 0);
		wr(&b, 0, w, rep(w, c, 0xd0));
		wr(&b, 0, w, rep(w, c, 0xff));
		assert_int_equal(rd(&b, 0x4000, w), data);
		assert_int_equal(rd(&b, 0x4000 + w, w), data);
		assert_int_equal(rd(&b, 0x4000 + 2 * w, w), 0);
		wr(&b, 0x7fff & ~(w - 1), w, rep(w, c, 0x20));
		wr(&b, 0x7fff & ~(w - 1), w, rep(w, c, 0xd0));
		wr(&b, 0, w, rep(w, c, 0xff));
		assert_true(all_bytes(b.array, b.len, 0xff));
		/* "QRY" on the low lane of every chip. */
		wr(&b, 0x55 * w, w, rep(w, c, 0x98));
		assert_int_equal(rd(&b, 0x10 * w, w), rep(w, c, 'Q'));
		assert_int_equal(rd(&b, 0x8000 + 0x11 * w, w), rep(w, c, 'R'));
		bank_exit(&b);
	}
}

static void a_wider_access_is_cycles_from_the_low_address_up(void **state)
{
	struct bank b;

	init_lanes(&b, 2, 2, FM_FLASH_NARROW_IGNORE);
	/* 40, data, 40, data in one access. */
	wr(&b, 0x100, 8, 0x22220040u | (uint64_t)0x44440040 << 32);
	assert_int_equal(b.effects, FM_EFF_DIRTY | FM_EFF_REMAP);
	assert_int_equal(rd(&b, 0x100, 8), UINT64_C(0x0080008000800080));
	wr(&b, 0, 2, 0xff);
	assert_int_equal(rd(&b, 0x100, 8), UINT64_C(0x4444ffff2222ffff));
	bank_exit(&b);
}

static void ignored_writes_change_nothing_and_are_traced(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 2, FM_FLASH_NARROW_IGNORE);
	bank_trace(&b);
	wr(&b, 0, 1, 0x70);
	wr(&b, 2, 2, 0x70);
	wr(&b, 2, 4, 0x00700070); /* two halves */
	wr(&b, 1, 8, 0);          /* a whole word between two pieces */
	assert_int_equal(traced(&b, FM_TRACE_IGNORED, NULL), 6);
	assert_int_equal(bank_stats(&b).ignored_writes, 6);
	assert_true(mapped(&b));
	/* Nor are they data. */
	wr(&b, 0, 4, 0x00400040);
	wr(&b, 0, 2, 0);
	wr(&b, 0, 4, 0x12345678);
	wr(&b, 0, 4, 0x00ff00ff);
	assert_int_equal(rd(&b, 0, 4), 0x12345678);
	bank_exit(&b);
}

static void with_lanes_each_chip_takes_what_covers_it(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 2, FM_FLASH_NARROW_LANES);
	wr(&b, 0x100, 2, 0x40);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	/* Chip 0 waits for data and shows its status, chip 1 its array. */
	assert_int_equal(rd(&b, 0x100, 4), 0xffff0080);
	assert_false(mapped(&b));
	wr(&b, 0x100, 2, 0x1234);
	wr(&b, 0x100, 2, 0xff);
	assert_int_equal(b.effects, FM_EFF_REMAP);
	assert_int_equal(rd(&b, 0x100, 4), 0xffff1234);
	/* A byte covers no chip of 16 bits. */
	wr(&b, 0x100, 1, 0x70);
	assert_int_equal(b.effects, 0);
	assert_int_equal(bank_stats(&b).ignored_writes, 1);
	/* An unaligned word: chip 1 of one bank word, chip 0 of the next. */
	wr(&b, 0x3ffe, 4, 0x00900070);
	assert_int_equal(rd(&b, 0x4000, 4), 0x00800089);
	bank_exit(&b);
}

static void chips_of_eight_bits_take_bytes(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 1, FM_FLASH_NARROW_LANES);
	for (unsigned i = 0; i < 4; i++) {
		wr(&b, 0x200 + i, 1, 0x10);
		wr(&b, 0x200 + i, 1, 0xa0 + i);
	}
	wr(&b, 0, 4, 0xffffffff);
	assert_true(mapped(&b));
	assert_int_equal(rd(&b, 0x200, 4), 0xa3a2a1a0);
	bank_exit(&b);
}

static void one_chip_alone_erases_its_own_lanes(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 2, FM_FLASH_NARROW_LANES);
	memset(b.array, 0, b.len);
	wr(&b, 0x4002, 2, 0x20);
	wr(&b, 0x4002, 2, 0xd0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	wr(&b, 0, 4, 0x00ff00ff);
	for (unsigned at = 0; at < b.len; at += 4)
		assert_int_equal(rd(&b, at, 4), at / 0x4000 == 1 ? 0xffff0000u : 0);
	bank_exit(&b);
}

static unsigned note_op(void *ctx, const struct fm_medium_op *op)
{
	struct fm_medium_op *last = ctx;

	*last = *op;
	return 0;
}

/* "A whole block, every byte FF" would be a lie. */
static void an_erase_of_some_lanes_is_told_as_bytes(void **state)
{
	struct fm_medium_op op = { 0 };
	struct fm_medium_sub sub = { .op = note_op, .ctx = &op };
	struct bank b;

	init_lanes(&b, 2, 1, FM_FLASH_NARROW_LANES);
	memset(b.array, 0, b.len);
	fm_dev_subscribe(b.dev, &sub);
	wr(&b, 1, 1, 0x20);
	wr(&b, 1, 1, 0xd0);
	assert_int_equal(op.kind, FM_MEDIUM_STORE);
	assert_int_equal(op.off, 0);
	assert_int_equal(op.len, 0x4000);
	assert_non_null(op.data);
	fm_dev_unsubscribe(b.dev, &sub);
	bank_exit(&b);
}

static void the_status_of_chips_may_diverge(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 2, FM_FLASH_NARROW_LANES);
	/* Lock the block of chip 1 only; then program both. */
	wr(&b, 2, 2, 0x60);
	wr(&b, 2, 2, 0x01);
	wr(&b, 0, 4, 0x00900090);
	assert_int_equal(rd(&b, 8, 4), 0x00010000);
	wr(&b, 0, 4, 0x00400040);
	wr(&b, 0, 4, 0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(rd(&b, 0, 4), 0x00920080);
	assert_int_equal(b.array[0] | b.array[1], 0);
	assert_int_equal(b.array[2] & b.array[3], 0xff);
	/* The buffer: chip 1's half is dropped. */
	wr(&b, 0, 4, 0x00500050);
	wr(&b, 0, 4, 0x00e800e8);
	wr(&b, 0, 4, 0);
	wr(&b, 8, 4, 0);
	wr(&b, 0, 4, 0x00d000d0);
	assert_int_equal(rd(&b, 0, 4), 0x00920080);
	wr(&b, 0, 4, 0x00ff00ff);
	assert_int_equal(rd(&b, 8, 4), 0xffff0000);
	/* Erasing: chip 0 only. */
	wr(&b, 0, 4, 0x00500050);
	wr(&b, 0, 4, 0x00200020);
	wr(&b, 0, 4, 0x00d000d0);
	assert_int_equal(rd(&b, 0, 4), 0x00a20080);
	/* One access may also say different things to them. */
	wr(&b, 0, 4, 0x00500070);
	assert_int_equal(rd(&b, 0, 4), 0x00800080);
	wr(&b, 0, 4, 0x007000ff);
	assert_int_equal(rd(&b, 8, 4), 0x0080ffff);
	assert_false(mapped(&b));
	wr(&b, 0, 4, 0x00ff00ff);
	assert_true(mapped(&b));
	bank_exit(&b);
}

/* A driver that takes 2 x 16 bits for 1 x 16 bits: what U-Boot does on QEMU. */
static void broadcast_commands_reach_all_chips_and_data_its_bytes(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 2, FM_FLASH_NARROW_BROADCAST);
	wr(&b, 0x10, 2, 0x98);
	assert_int_equal(rd(&b, 0x40, 4), 0x00510051);
	wr(&b, 0, 1, 0xff);
	assert_true(mapped(&b));
	wr(&b, 0x12, 2, 0x40);
	wr(&b, 0x12, 2, 0x1234);
	assert_int_equal(rd(&b, 0x10, 4), 0x00800080);
	wr(&b, 0x20, 2, 0xe8);
	wr(&b, 0x20, 2, 3);
	for (unsigned i = 0; i < 4; i++)
		wr(&b, 0x20 + 2 * i, 2, 0x1111 * (i + 1));
	wr(&b, 0, 2, 0xd0);
	assert_int_equal(rd(&b, 0, 2), 0x80);
	wr(&b, 0, 2, 0xff);
	assert_int_equal(rd(&b, 0x10, 4), 0x1234ffff);
	assert_int_equal(rd(&b, 0x20, 8), UINT64_C(0x4444333322221111));
	assert_true(all_bytes(b.array + 0x28, b.len - 0x28, 0xff));
	/* Bytes, and pieces of three bytes. */
	wr(&b, 0x31, 1, 0x10);
	wr(&b, 0x31, 1, 0x77);
	wr(&b, 0x31, 1, 0xff);
	assert_int_equal(rd(&b, 0x30, 4), 0xffff77ff);
	wr(&b, 0x34, 4, 0x00100010);
	wr(&b, 0x35, 4, 0x5a000000); /* 3 bytes of data; then 5A, which is no command */
	assert_int_equal(b.array[0x34], 0xff);
	assert_true(all_bytes(b.array + 0x35, 3, 0));
	assert_int_equal(b.array[0x38], 0xff);
	wr(&b, 0, 1, 0xff);
	assert_true(mapped(&b));
	bank_exit(&b);
}

static void narrow_and_unaligned_reads_show_their_lanes(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 2, FM_FLASH_NARROW_IGNORE);
	for (unsigned i = 0; i < 16; i++)
		b.array[i] = (uint8_t)(0x10 + i);
	assert_int_equal(rd(&b, 3, 2), 0x1413);
	wr(&b, 0, 4, 0x00700070);
	assert_int_equal(rd(&b, 0, 1), 0x80);
	assert_int_equal(rd(&b, 1, 1), 0);
	assert_int_equal(rd(&b, 2, 2), 0x80);
	assert_int_equal(rd(&b, 1, 4), 0x80008000);
	assert_int_equal(rd(&b, 1, 8), UINT64_C(0x8000800080008000));
	wr(&b, 0, 4, 0x007000ff); /* chip 0 in its array */
	assert_int_equal(rd(&b, 1, 4), 0x14008011);
	bank_exit(&b);
}

/* --- against the memory around it -------------------------------------------------------- */

/* A bank of one block whose memory ends, and begins, where no memory is. */
static void accesses_of_any_width_at_any_offset_stay_inside(void **state)
{
	static const uint8_t commands[] = { 0xff, 0x40, 0x20, 0xd0, 0xe8, 0x60, 0x50, 0x98, 0x00 };
	const size_t len = 16 * KIB;
	struct rng rng = { 7 };
	uint8_t *map = mmap(NULL, len + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + 4096, len, PROT_READ | PROT_WRITE), 0);
	for (unsigned narrow = 0; narrow < 3; narrow++) {
		struct fm_flash_config cfg = lanes_config(4, 2, narrow);
		struct bank b = { .len = len };

		cfg.regions[0].count = 1;
		assert_int_equal(fm_block_new(&b.block,
					      &(struct fm_block_config){
						      .struct_size = sizeof(struct fm_block_config),
						      .role = FM_ROLE_FLASH_VARS,
						      .backing = FM_BACKING_ADOPTED,
						      .ptr = map + 4096,
						      .len = len },
					      NULL),
				 0);
		cfg.block = b.block;
		cfg.name = "edge";
		assert_int_equal(fm_flash_new(&b.dev, &cfg, NULL), 0);
		for (unsigned i = 0; i < 200000; i++) {
			unsigned size = 1u << rng_below(&rng, 4);
			uint64_t near = rng_below(&rng, 24);
			uint64_t off = rng_one_in(&rng, 2) ? near : len - near;
			uint64_t value = commands[rng_below(&rng, sizeof(commands))] *
					 UINT64_C(0x0001000100010001);

			if (rng_one_in(&rng, 3))
				rd(&b, off, size);
			else
				wr(&b, off, size, rng_one_in(&rng, 4) ? rng_next(&rng) : value);
			assert_int_equal(!!(b.effects & FM_EFF_FAULT), off + size > len);
		}
		bank_exit(&b);
	}
	munmap(map, len + 8192);
}

/* --- together and apart ------------------------------------------------------------------- */

/* Keep a state for each chip although they are alike. */
static void part(struct bank *b)
{
	fmi_lanes_part(fmi_flash_of(b->dev));
}

static void chips_that_are_alike_again_are_kept_as_one(void **state)
{
	struct bank b;

	init_lanes(&b, 4, 2, FM_FLASH_NARROW_LANES);
	wr(&b, 0, 2, 0x60);
	wr(&b, 0, 2, 0x01);
	assert_false(fmi_flash_of(b.dev)->together);
	wr(&b, 2, 2, 0x70);
	assert_true(fmi_flash_of(b.dev)->together);
	/* Locks are not part of it. */
	assert_int_equal(fmi_flash_of(b.dev)->locked, 1);
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	assert_int_equal(fmi_flash_of(b.dev)->locked, 0);
	assert_null(fmi_flash_of(NULL));
	bank_exit(&b);
}

static uint64_t any_command(struct rng *rng, unsigned bank, unsigned chip)
{
	static const uint8_t commands[] = { 0xff, 0x40, 0x20, 0xd0, 0xd0, 0xe8,
					    0xe8, 0x60, 0x01, 0x50, 0x98, 0x90 };

	if (rng_one_in(rng, 6))
		return rng_next(rng);
	if (rng_one_in(rng, 3))
		return rep(bank, chip, rng_below(rng, 4));
	return rep(bank, chip, commands[rng_below(rng, sizeof(commands))]);
}

static void one_state_for_all_chips_is_as_good_as_one_each(void **state)
{
	struct rng rng = { 11 };

	for (size_t i = 0; i < WIDTHS * 3; i++) {
		unsigned w = widths[i % WIDTHS].bank;
		unsigned c = widths[i % WIDTHS].chip;
		enum fm_flash_narrow narrow = (enum fm_flash_narrow)(i / WIDTHS);
		struct bank one, each;

		init_lanes(&one, w, c, narrow);
		init_lanes(&each, w, c, narrow);
		for (unsigned n = 0; n < 20000; n++) {
			unsigned size = rng_one_in(&rng, 8) ? 1u << rng_below(&rng, 4) : w;
			uint64_t off = rng_below(&rng, 40) + (rng_one_in(&rng, 3) ? 0x4000 : 0);
			uint64_t value = any_command(&rng, w, c) & (UINT64_MAX >> (64 - 8 * size));

			off = size == w ? off & ~(uint64_t)(w - 1) : off;
			part(&each);
			if (rng_one_in(&rng, 3)) {
				assert_int_equal(rd(&one, off, size), rd(&each, off, size));
			} else {
				wr(&one, off, size, value);
				wr(&each, off, size, value);
			}
			assert_int_equal(one.effects, each.effects);
		}
		assert_memory_equal(one.array, each.array, one.len);
		bank_exit(&one);
		bank_exit(&each);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_geometry_programs_erases_and_answers),
		cmocka_unit_test(a_wider_access_is_cycles_from_the_low_address_up),
		cmocka_unit_test(ignored_writes_change_nothing_and_are_traced),
		cmocka_unit_test(with_lanes_each_chip_takes_what_covers_it),
		cmocka_unit_test(chips_of_eight_bits_take_bytes),
		cmocka_unit_test(one_chip_alone_erases_its_own_lanes),
		cmocka_unit_test(an_erase_of_some_lanes_is_told_as_bytes),
		cmocka_unit_test(the_status_of_chips_may_diverge),
		cmocka_unit_test(broadcast_commands_reach_all_chips_and_data_its_bytes),
		cmocka_unit_test(narrow_and_unaligned_reads_show_their_lanes),
		cmocka_unit_test(chips_that_are_alike_again_are_kept_as_one),
		cmocka_unit_test(one_state_for_all_chips_is_as_good_as_one_each),
		cmocka_unit_test(accesses_of_any_width_at_any_offset_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
