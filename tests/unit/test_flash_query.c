/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bank says about itself, and which geometries there are. */
#include "tests/unit/bank.h"

/* Byte `at` of the query structure as a 2 x 16 bank shows it on both chips. */
static uint8_t q(struct bank *b, unsigned at)
{
	uint32_t v = r4(b, 4 * at);

	assert_int_equal(v >> 16, v & 0xffff);
	return (uint8_t)v;
}

static uint16_t q16(struct bank *b, unsigned at)
{
	return (uint16_t)(q(b, at) | q(b, at + 1) << 8);
}

static void the_query_table_describes_the_default_bank(void **state)
{
	struct bank b;
	unsigned pri;

	bank_init(&b, 64 * 1024 * KIB, bank_config());
	cmd(&b, 0x55 * 4, 0x98);
	assert_int_equal(q(&b, 0x10), 'Q');
	assert_int_equal(q(&b, 0x11), 'R');
	assert_int_equal(q(&b, 0x12), 'Y');
	assert_int_equal(q16(&b, 0x13), 0x0001);
	pri = q16(&b, 0x15);
	assert_int_equal(q16(&b, 0x17), 0);
	assert_int_equal(q16(&b, 0x19), 0);
	/* One chip of 32 MiB, 16 bits, 1 KiB of buffer, 256 blocks of 128 KiB. */
	assert_int_equal(q(&b, 0x27), 25);
	assert_int_equal(q16(&b, 0x28), 1);
	assert_int_equal(q16(&b, 0x2a), 10);
	assert_int_equal(q(&b, 0x2c), 1);
	assert_int_equal(q16(&b, 0x2d), 255);
	assert_int_equal(q16(&b, 0x2f), 512);
	/* Linux writes by the buffer only where this is not 0. */
	assert_int_not_equal(q(&b, 0x20), 0);
	assert_int_equal(q(&b, pri), 'P');
	assert_int_equal(q(&b, pri + 1), 'R');
	assert_int_equal(q(&b, pri + 2), 'I');
	assert_int_equal(q(&b, pri + 3), '1');
	assert_int_equal(q(&b, pri + 4), '1');
	/* Suspend of both, individual block locks, protection registers. */
	assert_int_equal(q(&b, pri + 5), 0x66);
	assert_int_equal(q(&b, pri + 6) | q(&b, pri + 7) | q(&b, pri + 8), 0);
	assert_int_equal(q(&b, pri + 9), 1); /* programs while an erase is suspended */
	assert_int_equal(q16(&b, pri + 10), 3);
	/* Registers of 2^3 bytes of the factory's and 2^3 of the user's at 80; 16 of 2^4 at 89. */
	assert_int_equal(q(&b, pri + 14), 2);
	assert_int_equal(q16(&b, pri + 15), 0x80);
	assert_int_equal(q16(&b, pri + 17), 0x0303);
	assert_int_equal(q16(&b, pri + 19), 0x89);
	assert_int_equal(q16(&b, pri + 26), 16);
	assert_int_equal(q(&b, pri + 28), 4);
	assert_int_equal(q(&b, 0xff), 0);
	assert_int_equal(q(&b, 0x555), 0);
	bank_exit(&b);
}

static void the_extension_moves_behind_the_regions(void **state)
{
	static const struct fm_flash_region regions[] = {
		{ 8 * KIB, 8 }, { 64 * KIB, 1 }, { 128 * KIB, 6 }, { 16 * KIB, 8 }
	};
	struct fm_flash_config cfg = bank_config();
	uint64_t sum = 0;
	struct bank b;

	memcpy(cfg.regions, regions, sizeof(regions));
	cfg.nregions = 4;
	bank_init(&b, 1024 * KIB, cfg);
	cmd(&b, 0, 0x98);
	assert_int_equal(q(&b, 0x27), 19);
	assert_int_equal(q(&b, 0x2c), 4);
	for (unsigned i = 0; i < 4; i++) {
		unsigned at = 0x2d + 4 * i;

		assert_int_equal(q16(&b, at), regions[i].count - 1);
		assert_int_equal(q16(&b, at + 2), regions[i].block_len / 2 / 256);
		sum += (q16(&b, at) + UINT64_C(1)) * q16(&b, at + 2) * 256 * 2;
	}
	assert_int_equal(sum, b.len);
	assert_int_equal(q16(&b, 0x15), 0x3d);
	assert_int_equal(q(&b, 0x3d), 'P');
	/* The widest buffer that no block cuts: 1 KiB a chip. */
	assert_int_equal(q16(&b, 0x2a), 10);
	bank_exit(&b);
}

static void each_region_erases_blocks_of_its_own_size(void **state)
{
	static const struct {
		uint64_t at, off, len;
	} blocks[] = {
		{ 0, 0, 8 * KIB },
		{ 64 * KIB - 4, 56 * KIB, 8 * KIB },
		{ 64 * KIB, 64 * KIB, 64 * KIB },
		{ 128 * KIB - 4, 64 * KIB, 64 * KIB },
		{ 128 * KIB + 4, 128 * KIB, 128 * KIB },
		{ 895 * KIB, 768 * KIB, 128 * KIB },
		{ 896 * KIB, 896 * KIB, 16 * KIB },
		{ 1024 * KIB - 4, 1008 * KIB, 16 * KIB },
	};
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.regions[0] = (struct fm_flash_region){ 8 * KIB, 8 };
	cfg.regions[1] = (struct fm_flash_region){ 64 * KIB, 1 };
	cfg.regions[2] = (struct fm_flash_region){ 128 * KIB, 6 };
	cfg.regions[3] = (struct fm_flash_region){ 16 * KIB, 8 };
	cfg.nregions = 4;
	bank_init(&b, 1024 * KIB, cfg);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		uint64_t end = blocks[i].off + blocks[i].len;

		memset(b.array, 0, b.len);
		cmd(&b, blocks[i].at, 0x20);
		cmd(&b, blocks[i].at, 0xd0);
		assert_true(all_bytes(b.array, blocks[i].off, 0));
		assert_true(all_bytes(b.array + blocks[i].off, blocks[i].len, 0xff));
		assert_true(all_bytes(b.array + end, b.len - end, 0));
		/* Locks go by the same blocks. */
		cmd(&b, blocks[i].at, 0x60);
		cmd(&b, blocks[i].at, 0x01);
		cmd(&b, 0, 0x90);
		assert_int_equal(r4(&b, blocks[i].off + 8), 0x00010001);
		if (end < b.len)
			assert_int_equal(r4(&b, end + 8), 0);
		cmd(&b, end - 4, 0x60);
		cmd(&b, end - 4, 0xd0);
		cmd(&b, 0, 0xff);
	}
	bank_exit(&b);
}

static void read_id_shows_codes_and_lock_status_at_every_block(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	bank_init_default(&b);
	cmd(&b, 0, 0x90);
	assert_int_equal(r4(&b, 0), 0x00890089);
	assert_int_equal(r4(&b, 256 * KIB + 4), 0x00180018);
	assert_int_equal(r4(&b, 512 * KIB + 8), 0);
	assert_int_equal(r4(&b, 12), 0);
	bank_exit(&b);

	cfg.manufacturer = 0x2c;
	cfg.device_id = 0x8967;
	bank_init(&b, 1024 * KIB, cfg);
	cmd(&b, 0, 0x90);
	assert_int_equal(r4(&b, 0), 0x002c002c);
	assert_int_equal(r4(&b, 4), 0x89678967);
	bank_exit(&b);
}

/* OVMF's variable store: 528 KiB of 4 KiB blocks, byte wide. */
static void a_bank_need_not_be_a_power_of_two(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.bank_width = 1;
	cfg.regions[0] = (struct fm_flash_region){ 4 * KIB, 132 };
	cfg.nregions = 1;
	bank_init(&b, 528 * KIB, cfg);
	wr(&b, 0, 1, 0x98);
	assert_int_equal(rd(&b, 0x27, 1), 20);
	assert_int_equal(rd(&b, 0x28, 1), 0);
	assert_int_equal(rd(&b, 0x2a, 1), 8); /* a count of one byte: 256 words */
	assert_int_equal(rd(&b, 0x2d, 1), 131);
	assert_int_equal(rd(&b, 0x2f, 1), 16);
	bank_exit(&b);
}

static void chip_widths_have_their_interface_codes(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct bank b;

	cfg.chip_width = 4;
	bank_init(&b, 1024 * KIB, cfg);
	wr(&b, 0, 4, 0x98);
	assert_int_equal(rd(&b, 0x28 * 4, 4), 3);
	assert_int_equal(rd(&b, 0x27 * 4, 4), 20);
	bank_exit(&b);
}

/* --- what cannot be ---------------------------------------------------------------------- */

static void refuse(uint64_t len, struct fm_flash_config cfg, const char *field)
{
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	cfg.block = bank_block(len);
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	if (!strstr(err.msg, field) || !strstr(err.msg, "expected"))
		fail_msg("\"%s\" does not name %s", err.msg, field);
	assert_null(dev);
	fm_block_free(cfg.block);
}

static void impossible_geometries_are_named(void **state)
{
	struct fm_flash_config cfg = bank_config();

	cfg.bank_width = 3;
	refuse(1024 * KIB, cfg, "bank_width is 3");
	cfg.bank_width = 16;
	refuse(1024 * KIB, cfg, "bank_width is 16");
	cfg.bank_width = 2;
	cfg.chip_width = 4;
	refuse(1024 * KIB, cfg, "chip_width is 4");
	cfg.bank_width = 8;
	cfg.chip_width = 8;
	refuse(1024 * KIB, cfg, "chip_width is 8");
	cfg.chip_width = 3;
	refuse(1024 * KIB, cfg, "chip_width is 3");
	cfg = bank_config();
	cfg.set = 3;
	refuse(1024 * KIB, cfg, "set is 3");
	cfg = bank_config();
	cfg.narrow = 3;
	refuse(1024 * KIB, cfg, "narrow is 3");
	refuse(1000 * KIB, bank_config(), "nregions is 0");
}

static void impossible_regions_are_named(void **state)
{
	struct fm_flash_config cfg = bank_config();

	cfg.nregions = 5;
	refuse(1024 * KIB, cfg, "nregions is 5");
	cfg.nregions = 1;
	refuse(1024 * KIB, cfg, "regions[0].block_len is 0x0");
	cfg.regions[0] = (struct fm_flash_region){ 256, 4096 };
	refuse(1024 * KIB, cfg, "regions[0].block_len is 0x100"); /* two chips: 512 */
	cfg.regions[0] = (struct fm_flash_region){ 256 * KIB, 0 };
	refuse(1024 * KIB, cfg, "regions[0].count is 0");
	cfg.regions[0] = (struct fm_flash_region){ 512, 65537 };
	refuse(1024 * KIB, cfg, "regions[0].count is 65537");
	cfg.regions[0] = (struct fm_flash_region){ UINT64_MAX - 511, 2 };
	refuse(1024 * KIB, cfg, "regions[0].block_len");
	cfg.regions[0] = (struct fm_flash_region){ 256 * KIB, 3 };
	refuse(1024 * KIB, cfg, "0xc0000");
	cfg.nregions = 2;
	cfg.regions[1] = (struct fm_flash_region){ 256 * KIB, 2 };
	refuse(1024 * KIB, cfg, "0x140000");
}

static void impossible_buffers_are_named(void **state)
{
	struct fm_flash_config cfg = bank_config();

	cfg.buffer_len = 96;
	refuse(1024 * KIB, cfg, "buffer_len is 0x60");
	cfg.buffer_len = 2;
	refuse(1024 * KIB, cfg, "buffer_len is 0x2");
	cfg.buffer_len = 512 * KIB;
	refuse(1024 * KIB, cfg, "buffer_len is 0x80000");
	cfg.chip_width = 1;
	cfg.buffer_len = 2 * KIB;
	refuse(1024 * KIB, cfg, "buffer_len is 0x800");
}

static void a_config_that_contradicts_itself_is_refused(void **state)
{
	struct fm_flash_config cfg = bank_config();
	struct fm_dev *dev = NULL;
	struct fm_error err;

	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "block"));
	cfg.image = "x";
	cfg.use_image_fd = true;
	refuse(1024 * KIB, cfg, "image_fd");
	cfg.image = NULL;
	cfg.create = true;
	refuse(1024 * KIB, cfg, "create");
	cfg = bank_config();
	cfg.image = "x";
	cfg.create = true;
	cfg.read_only = true;
	refuse(1024 * KIB, cfg, "create");
	assert_int_equal(fm_flash_new(&dev, NULL, &err), FM_ERR_ARG);
}

struct seen {
	uint64_t block_len;
	char narrow[16];
};

static void see_u64(void *ctx, const char *key, uint64_t value)
{
	struct seen *s = ctx;

	if (!strcmp(key, "block_len"))
		s->block_len = value;
}

static void see_text(void *ctx, const char *key, const char *value)
{
	struct seen *s = ctx;

	if (!strcmp(key, "narrow"))
		snprintf(s->narrow, sizeof(s->narrow), "%s", value);
}

static void describe_tells_the_geometry(void **state)
{
	static const char *const names[] = { "ignore", "lanes", "broadcast" };

	for (unsigned i = 0; i < 3; i++) {
		struct fm_flash_config cfg = bank_config();
		struct seen seen = { 0 };
		struct fm_visitor v = { &seen, see_u64, see_text };
		struct bank b;

		cfg.narrow = i;
		bank_init(&b, 1024 * KIB, cfg);
		fm_dev_describe(b.dev, &v);
		assert_int_equal(seen.block_len, 256 * KIB);
		assert_string_equal(seen.narrow, names[i]);
		bank_exit(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_query_table_describes_the_default_bank),
		cmocka_unit_test(the_extension_moves_behind_the_regions),
		cmocka_unit_test(each_region_erases_blocks_of_its_own_size),
		cmocka_unit_test(read_id_shows_codes_and_lock_status_at_every_block),
		cmocka_unit_test(a_bank_need_not_be_a_power_of_two),
		cmocka_unit_test(chip_widths_have_their_interface_codes),
		cmocka_unit_test(impossible_geometries_are_named),
		cmocka_unit_test(impossible_regions_are_named),
		cmocka_unit_test(impossible_buffers_are_named),
		cmocka_unit_test(a_config_that_contradicts_itself_is_refused),
		cmocka_unit_test(describe_tells_the_geometry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
