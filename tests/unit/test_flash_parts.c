/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts by name: what each tells about itself is what docs/flash.md lists. */
#include "tests/unit/bank.h"

#include "flash/names.h"

struct figures {
	const char *name;
	uint64_t len; /* of a chip */
	uint16_t manufacturer;
	uint16_t codes[3]; /* words 1, and of AMD chips 0E and 0F */
	uint8_t times[8];  /* 1F to 26 */
	uint8_t buffer_log2;
	uint8_t nregions;
	uint16_t regions[4][2]; /* as 2D has them: blocks less one, bytes / 256 */
	unsigned traits;
};
#define J3 (FM_FLASH_LOCKS_PERSIST | FM_FLASH_NO_LOCK_DOWN)
#define LV160D \
	(FM_FLASH_NO_BUFFER | FM_FLASH_NO_PROTECTION | FM_FLASH_NO_REGISTERS | FM_FLASH_NO_STATUS)

/* An Am29LV160D tells 0 at 22 and 26; a bank of it tells 35 sectors of 2^10 ms, and 2^4 times that. */
static const struct figures figures[] = {
	{ "28F320J3",
	  4 << 20,
	  0x89,
	  { 0x16 },
	  { 7, 7, 10, 0, 4, 4, 4, 0 },
	  5,
	  1,
	  { { 31, 0x200 } },
	  J3 },
	{ "28F640J3",
	  8 << 20,
	  0x89,
	  { 0x17 },
	  { 7, 7, 10, 0, 4, 4, 4, 0 },
	  5,
	  1,
	  { { 63, 0x200 } },
	  J3 },
	{ "28F128J3",
	  16 << 20,
	  0x89,
	  { 0x18 },
	  { 7, 7, 10, 0, 4, 4, 4, 0 },
	  5,
	  1,
	  { { 127, 0x200 } },
	  J3 },
	{ "28F256P30B",
	  32 << 20,
	  0x89,
	  { 0x891c },
	  { 8, 9, 10, 0, 1, 1, 2, 0 },
	  6,
	  2,
	  { { 3, 0x80 }, { 254, 0x200 } },
	  FM_FLASH_LOCKED_AT_RESET },
	{ "28F256P30T",
	  32 << 20,
	  0x89,
	  { 0x8919 },
	  { 8, 9, 10, 0, 1, 1, 2, 0 },
	  6,
	  2,
	  { { 254, 0x200 }, { 3, 0x80 } },
	  FM_FLASH_LOCKED_AT_RESET },
	{ "S29GL128P",
	  16 << 20,
	  0x01,
	  { 0x227e, 0x2221, 0x2201 },
	  { 6, 6, 9, 16, 3, 5, 3, 2 },
	  6,
	  1,
	  { { 127, 0x200 } },
	  FM_FLASH_NO_STATUS },
	{ "S29GL256P",
	  32 << 20,
	  0x01,
	  { 0x227e, 0x2222, 0x2201 },
	  { 6, 6, 9, 17, 3, 5, 3, 2 },
	  6,
	  1,
	  { { 255, 0x200 } },
	  FM_FLASH_NO_STATUS },
	{ "S29GL512P",
	  64 << 20,
	  0x01,
	  { 0x227e, 0x2223, 0x2201 },
	  { 6, 6, 9, 18, 3, 5, 3, 2 },
	  6,
	  1,
	  { { 511, 0x200 } },
	  FM_FLASH_NO_STATUS },
	{ "S29GL256S",
	  32 << 20,
	  0x01,
	  { 0x227e, 0x2222, 0x2201 },
	  { 8, 9, 8, 16, 1, 2, 3, 3 },
	  9,
	  1,
	  { { 255, 0x200 } },
	  FM_FLASH_NO_BYPASS },
	/* Both list their boot sectors first. */
	{ "Am29LV160DB",
	  2 << 20,
	  0x01,
	  { 0x2249 },
	  { 4, 0, 10, 16, 5, 0, 4, 4 },
	  0,
	  4,
	  { { 0, 0x40 }, { 1, 0x20 }, { 0, 0x80 }, { 30, 0x100 } },
	  LV160D },
	{ "Am29LV160DT",
	  2 << 20,
	  0x01,
	  { 0x22c4 },
	  { 4, 0, 10, 16, 5, 0, 4, 4 },
	  0,
	  4,
	  { { 0, 0x40 }, { 1, 0x20 }, { 0, 0x80 }, { 30, 0x100 } },
	  LV160D },
};
#define FIGURES (sizeof(figures) / sizeof(figures[0]))

static struct fm_flash_config part_config(const char *name, unsigned bank_width)
{
	struct fm_flash_config cfg = bank_config();
	struct fm_error err = { 0 };

	cfg.bank_width = bank_width;
	if (fm_flash_part(name, &cfg, &err))
		fail_msg("%s", err.msg);
	return cfg;
}

static uint64_t regions_len(const struct fm_flash_config *cfg)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < cfg->nregions; i++)
		len += cfg->regions[i].block_len * cfg->regions[i].count;
	return len;
}

/* --- what a bank of a part tells --------------------------------------------------------- */

/* How a driver sees a bank: `step` units of the bank's width to a word of a chip. */
struct view {
	struct bank bank;
	unsigned width;
	unsigned chip;
	unsigned step;
};

static void view_init(struct view *v, struct fm_flash_config cfg)
{
	v->width = cfg.bank_width;
	v->chip = cfg.chip_width;
	v->step = cfg.byte_mode ? 2 : 1;
	bank_init(&v->bank, regions_len(&cfg), cfg);
}

static uint64_t on_all(const struct view *v, uint64_t value)
{
	uint64_t all = 0;

	for (unsigned at = 0; at < v->width; at += v->chip)
		all |= value << (8 * at);
	return all;
}

/* What every chip says at a word; they say the same. */
static uint16_t ask(struct view *v, unsigned word)
{
	uint64_t all = rd(&v->bank, (uint64_t)word * v->step * v->width, v->width);
	uint16_t one = (uint16_t)(v->chip == 1 ? all & 0xff : all & 0xffff);

	assert_int_equal(all, on_all(v, one));
	return one;
}

static void tell(struct view *v, unsigned unit, uint8_t code)
{
	wr(&v->bank, (uint64_t)unit * v->width, v->width, on_all(v, code));
}

static void unlock(struct view *v)
{
	tell(v, v->step == 2 ? 0xaaa : 0x555, 0xaa);
	tell(v, v->step == 2 ? 0x555 : 0x2aa, 0x55);
}

static void amd_command(struct view *v, uint8_t code)
{
	unlock(v);
	tell(v, v->step == 2 ? 0xaaa : 0x555, code);
}

static void read_array(struct view *v)
{
	tell(v, 0, 0xff);
	tell(v, 0, 0xf0);
}

static void assert_codes(struct view *v, const struct figures *f)
{
	uint16_t mask = v->chip == 1 ? 0xff : 0xffff;
	bool amd = f->manufacturer == 0x01;

	if (amd)
		amd_command(v, 0x90);
	else
		tell(v, 0, 0x90);
	assert_int_equal(ask(v, 0), f->manufacturer);
	assert_int_equal(ask(v, 1), f->codes[0] & mask);
	if (amd) {
		assert_int_equal(ask(v, 0x0e), f->codes[1] & mask);
		assert_int_equal(ask(v, 0x0f), f->codes[2] & mask);
	}
	read_array(v);
}

static uint16_t ask16(struct view *v, unsigned word)
{
	return (uint16_t)(ask(v, word) | ask(v, word + 1) << 8);
}

static void assert_query(struct view *v, const struct figures *f)
{
	tell(v, 0x55 * v->step, 0x98);
	assert_int_equal(ask(v, 0x10), 'Q');
	assert_int_equal(ask16(v, 0x13), f->manufacturer == 0x01 ? 2 : 1);
	for (unsigned i = 0; i < 8; i++) {
		if (ask(v, 0x1f + i) != f->times[i])
			fail_msg("%s: %x at %x, expected %x", f->name, ask(v, 0x1f + i), 0x1f + i,
				 f->times[i]);
	}
	assert_int_equal(UINT64_C(1) << ask(v, 0x27), f->len);
	assert_int_equal(ask16(v, 0x2a), f->buffer_log2);
	assert_int_equal(ask(v, 0x2c), f->nregions);
	for (unsigned i = 0; i < f->nregions; i++) {
		assert_int_equal(ask16(v, 0x2d + 4 * i), f->regions[i][0]);
		assert_int_equal(ask16(v, 0x2f + 4 * i), f->regions[i][1]);
	}
	read_array(v);
}

/* As Linux counts: the regions that a chip tells, and its length. */
static void assert_regions_fill_the_chip(struct view *v, const struct figures *f)
{
	uint64_t sum = 0;

	tell(v, 0x55 * v->step, 0x98);
	for (unsigned i = 0; i < ask(v, 0x2c); i++)
		sum += (ask16(v, 0x2d + 4 * i) + UINT64_C(1)) * ask16(v, 0x2f + 4 * i) * 256;
	assert_int_equal(sum, UINT64_C(1) << ask(v, 0x27));
	assert_int_equal(sum * (v->width / v->chip), v->bank.len);
	assert_int_equal(sum, f->len);
	read_array(v);
}

static void assert_all(const struct figures *f, unsigned bank_width)
{
	struct fm_flash_config cfg = part_config(f->name, bank_width);
	struct view v;

	assert_int_equal(cfg.traits, f->traits);
	view_init(&v, cfg);
	assert_codes(&v, f);
	assert_query(&v, f);
	assert_regions_fill_the_chip(&v, f);
	assert_true(mapped(&v.bank));
	bank_exit(&v.bank);
}

static void every_part_tells_its_figures(void **state)
{
	unsigned n;

	for (n = 0; n < FIGURES; n++) {
		assert_string_equal(fm_flash_part_name(n), figures[n].name);
		assert_all(&figures[n], 0);
	}
	assert_null(fm_flash_part_name(n));
	assert_null(fm_flash_part_name(UINT32_MAX));
}

static void two_chips_side_by_side_tell_them_both(void **state)
{
	for (unsigned n = 0; n < FIGURES; n++)
		assert_all(&figures[n], 4);
}

static void four_chips_side_by_side_tell_them_all(void **state)
{
	assert_all(&figures[2], 8);
	assert_all(&figures[10], 8);
}

/* --- 8 bits ------------------------------------------------------------------------------ */

static void a_bank_of_8_bits_has_chips_in_byte_mode(void **state)
{
	static const unsigned able[] = { 5, 6, 7, 9, 10 };

	for (unsigned n = 0; n < sizeof(able) / sizeof(able[0]); n++) {
		struct fm_flash_config cfg = part_config(figures[able[n]].name, 1);

		assert_true(cfg.byte_mode);
		assert_int_equal(cfg.chip_width, 1);
		assert_all(&figures[able[n]], 1);
	}
}

static void byte_mode_asks_for_two_chips_of_8_bits_in_16(void **state)
{
	const struct figures *f = &figures[9];
	struct fm_flash_config cfg = bank_config();
	struct view v;

	cfg.byte_mode = true;
	assert_int_equal(fm_flash_part(f->name, &cfg, NULL), 0);
	assert_int_equal(cfg.bank_width, 1);
	cfg.bank_width = 2;
	assert_int_equal(fm_flash_part(f->name, &cfg, NULL), 0);
	assert_int_equal(cfg.chip_width, 1);
	view_init(&v, cfg);
	assert_int_equal(v.bank.len, 2 * f->len);
	assert_codes(&v, f);
	assert_query(&v, f);
	bank_exit(&v.bank);
}

/* --- what comes with a part -------------------------------------------------------------- */

/* The sector at `base` is what an erase of one of its addresses makes FF, no more. */
static void assert_sector(struct view *v, uint64_t base, uint64_t len)
{
	memset(v->bank.array, 0, v->bank.len);
	amd_command(v, 0x80);
	unlock(v);
	wr(&v->bank, base + len / 2, v->width, on_all(v, 0x30));
	assert_true(all_bytes(v->bank.array, base, 0));
	assert_true(all_bytes(v->bank.array + base, len, 0xff));
	assert_true(all_bytes(v->bank.array + base + len, v->bank.len - base - len, 0));
	read_array(v);
}

static void boot_sectors_are_where_the_letter_says(void **state)
{
	struct view v;

	view_init(&v, part_config("Am29LV160DB", 4));
	assert_sector(&v, 0, 32 * KIB);
	assert_sector(&v, 48 * KIB, 16 * KIB);
	assert_sector(&v, 4096 * KIB - 128 * KIB, 128 * KIB);
	bank_exit(&v.bank);
	view_init(&v, part_config("Am29LV160DT", 4));
	assert_sector(&v, 0, 128 * KIB);
	assert_sector(&v, 4096 * KIB - 48 * KIB, 16 * KIB);
	assert_sector(&v, 4096 * KIB - 32 * KIB, 32 * KIB);
	bank_exit(&v.bank);
}

static void without_the_letter_they_are_at_the_bottom(void **state)
{
	static const char *const plain[][2] = { { "28F256P30", "28F256P30B" },
						{ "Am29LV160D", "Am29LV160DB" } };

	for (unsigned n = 0; n < 2; n++) {
		struct fm_flash_config cfg = part_config(plain[n][0], 4);
		struct fm_flash_config bottom = part_config(plain[n][1], 4);

		assert_memory_equal(&cfg, &bottom, sizeof(cfg));
	}
}

static uint16_t first_lock(const char *name)
{
	struct view v;
	uint16_t lock;

	view_init(&v, part_config(name, 0));
	tell(&v, 0, 0x90);
	lock = ask(&v, 2);
	bank_exit(&v.bank);
	return lock;
}

static void blocks_of_a_p30_are_locked_at_first_and_those_of_a_j3_are_not(void **state)
{
	assert_int_equal(first_lock("28F256P30T"), 1);
	assert_int_equal(first_lock("28F128J3"), 0);
}

static void one_cycle_opens_all_blocks_of_a_j3_and_none_locks_them_down(void **state)
{
	struct view v;

	view_init(&v, part_config("28F128J3", 4));
	for (unsigned n = 0; n < 2; n++) {
		wr(&v.bank, n * 256 * KIB, 4, on_all(&v, 0x60));
		wr(&v.bank, n * 256 * KIB, 4, on_all(&v, 0x01));
	}
	tell(&v, 0, 0x90);
	assert_int_equal(ask(&v, 2), 1);
	assert_int_equal(ask(&v, 64 * KIB + 2), 1);
	tell(&v, 0, 0x60);
	tell(&v, 0, 0xd0);
	tell(&v, 0, 0x90);
	assert_int_equal(ask(&v, 2), 0);
	assert_int_equal(ask(&v, 64 * KIB + 2), 0);
	tell(&v, 0, 0x60);
	tell(&v, 0, 0x2f);
	assert_int_equal(ask(&v, 0), 0xb0);
	bank_exit(&v.bank);
}

static void what_no_part_says_stays(void **state)
{
	struct fm_flash_config cfg = bank_config();

	cfg.name = "boot";
	cfg.quirks = FM_FLASH_QUIRK_CLEAR_NOT_READY;
	cfg.narrow = FM_FLASH_NARROW_LANES;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	cfg.unique = 5;
	cfg.read_only = true;
	cfg.chip_width = 1;
	cfg.nregions = 3;
	cfg.regions[2].count = 7;
	assert_int_equal(fm_flash_part("28F128J3", &cfg, NULL), 0);
	assert_string_equal(cfg.name, "boot");
	assert_int_equal(cfg.quirks, FM_FLASH_QUIRK_CLEAR_NOT_READY);
	assert_int_equal(cfg.narrow, FM_FLASH_NARROW_LANES);
	assert_int_equal(cfg.time, FM_FLASH_TIME_TYPICAL);
	assert_int_equal(cfg.unique, 5);
	assert_true(cfg.read_only);
	assert_int_equal(cfg.bank_width, 2);
	assert_int_equal(cfg.chip_width, 2);
	assert_int_equal(cfg.nregions, 1);
	assert_int_equal(cfg.regions[2].count, 0);
}

static void the_sector_of_wp_stays_the_callers_where_there_is_a_wp(void **state)
{
	static const char *const names[] = { "S29GL256P", "S29GL256S", "Am29LV160D", "28F128J3" };

	for (unsigned n = 0; n < 4; n++) {
		struct fm_flash_config cfg = part_config(names[n], 0);
		unsigned traits = cfg.traits;

		cfg.traits = FM_FLASH_WP_LAST | FM_FLASH_NO_SUSPEND;
		assert_int_equal(fm_flash_part(names[n], &cfg, NULL), 0);
		assert_int_equal(cfg.traits, traits | (n < 2 ? FM_FLASH_WP_LAST : 0));
	}
}

/* --- refused ----------------------------------------------------------------------------- */

static void refused(const char *name, struct fm_flash_config cfg, const char *what)
{
	struct fm_flash_config before = cfg;
	struct fm_error err = { 0 };

	assert_int_equal(fm_flash_part(name, &cfg, &err), FM_ERR_ARG);
	if (!strstr(err.msg, what))
		fail_msg("%s", err.msg);
	assert_memory_equal(&cfg, &before, sizeof(cfg));
}

static void a_bank_width_that_the_part_cannot_make_is_refused(void **state)
{
	struct fm_flash_config cfg = bank_config();

	cfg.bank_width = 1;
	refused("28F128J3", cfg, "28F128J3: fm_flash_config.bank_width is 1, expected 2, 4 or 8 b");
	refused("28F256P30", cfg, "28F256P30B: fm_flash_config.bank_width is 1, expected 2, 4 o");
	refused("S29GL256S", cfg, "bank_width is 1, expected 2, 4 or 8 bytes");
	cfg.bank_width = 3;
	refused("S29GL256P", cfg, "bank_width is 3, expected 1, 2, 4 or 8 bytes");
	cfg.bank_width = 16;
	refused("28F128J3", cfg, "bank_width is 16, expected 2, 4 or 8 bytes");
	cfg.bank_width = 2;
	cfg.byte_mode = true;
	refused("S29GL256S", cfg, "S29GL256S: fm_flash_config.byte_mode is set");
	refused("28F128J3", cfg, "28F128J3: fm_flash_config.byte_mode is set");
}

static void an_unknown_part_is_refused_with_the_nearest_names(void **state)
{
	static const char *const wrong[][2] = {
		{ "28F128J", "no flash part \"28F128J\", expected one as \"28F128J3\"" },
		{ "28F128J3A", "expected one as \"28F128J3\"" },
		{ "S29GL256", "expected one as \"S29GL256P\" or \"S29GL256S\"" },
		{ "S29GL256N", "expected one as \"S29GL256P\" or \"S29GL256S\"" },
		{ "Am29LV", "expected one as \"Am29LV160DB\" or \"Am29LV160DT\"" },
		{ "28F256P30C", "expected one as \"28F256P30B\" or \"28F256P30T\"" },
	};

	for (unsigned n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++)
		refused(wrong[n][0], bank_config(), wrong[n][1]);
}

static void a_part_needs_a_config_of_this_size(void **state)
{
	struct fm_flash_config cfg = { 0 };

	assert_int_equal(fm_flash_part("28F128J3", &cfg, NULL), FM_ERR_ARG);
	assert_int_equal(fm_flash_part("28F128J3", NULL, NULL), FM_ERR_ARG);
	cfg = bank_config();
	assert_int_equal(fm_flash_part(NULL, &cfg, NULL), FM_ERR_ARG);
}

static const char *letter(unsigned n)
{
	static const char *const letters[] = { "a1", "a2", "a3", "b" };

	return n < 4 ? letters[n] : NULL;
}

static void as_many_near_names_as_fit_whole(void **state)
{
	static const char *const fit[] = { "\"a1\"", "\"a1\" or \"a2\"",
					   "\"a1\" or \"a2\" or \"a3\"" };
	char out[64];

	for (unsigned n = 0; n < 3; n++) {
		size_t len = strlen(fit[n]) + 1;

		memset(out, '#', sizeof(out));
		fmi_names_nearest(out, len, "a", letter);
		assert_string_equal(out, fit[n]);
		assert_int_equal(out[len], '#');
		fmi_names_nearest(out, len + 7, "a", letter);
		assert_string_equal(out, fit[n]);
	}
	fmi_names_nearest(out, 4, "a", letter);
	assert_string_equal(out, "");
	fmi_names_nearest(out, sizeof(out), "bb", letter);
	assert_string_equal(out, "\"b\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_tells_its_figures),
		cmocka_unit_test(two_chips_side_by_side_tell_them_both),
		cmocka_unit_test(four_chips_side_by_side_tell_them_all),
		cmocka_unit_test(a_bank_of_8_bits_has_chips_in_byte_mode),
		cmocka_unit_test(byte_mode_asks_for_two_chips_of_8_bits_in_16),
		cmocka_unit_test(boot_sectors_are_where_the_letter_says),
		cmocka_unit_test(without_the_letter_they_are_at_the_bottom),
		cmocka_unit_test(blocks_of_a_p30_are_locked_at_first_and_those_of_a_j3_are_not),
		cmocka_unit_test(one_cycle_opens_all_blocks_of_a_j3_and_none_locks_them_down),
		cmocka_unit_test(what_no_part_says_stays),
		cmocka_unit_test(the_sector_of_wp_stays_the_callers_where_there_is_a_wp),
		cmocka_unit_test(a_bank_width_that_the_part_cannot_make_is_refused),
		cmocka_unit_test(an_unknown_part_is_refused_with_the_nearest_names),
		cmocka_unit_test(a_part_needs_a_config_of_this_size),
		cmocka_unit_test(as_many_near_names_as_fit_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
