/* SPDX-License-Identifier: BSD-2-Clause */
/* Quirks and profiles: their names, which go together, and each deliberate difference. */
#include "tests/unit/bank.h"
#include "tests/unit/rng.h"

#include "tests/diff/differences.h"

#define LEN (512 * KIB)
#define ALL_QUIRKS 0x1ffffu
#define INTEL_QUIRKS (ALL_QUIRKS & ~(unsigned)FM_FLASH_QUIRK_QEMU_AMD)
#define BUFFERS                                                                       \
	((unsigned)(FM_FLASH_QUIRK_BUFFER_FROM_COUNT | FM_FLASH_QUIRK_BUFFER_DIRECT | \
		    FM_FLASH_QUIRK_BUFFER_FROM_DATA))
#define ONE_STATE_AND_ALL_THAT_NEED_IT                                         \
	(BUFFERS | FM_FLASH_QUIRK_ONE_STATE | FM_FLASH_QUIRK_COUNT_UNBOUNDED | \
	 FM_FLASH_QUIRK_OVERWRITE | FM_FLASH_QUIRK_NO_CHIP_WIDTH)

static struct fm_flash_config profile_config(const char *profile)
{
	struct fm_flash_config cfg = bank_config();
	struct fm_error err = { 0 };

	if (!strcmp(profile, "qemu-7.2-board"))
		cfg.bank_width = 2;
	cfg.nregions = 1;
	cfg.regions[0] = (struct fm_flash_region){ 256 * KIB, LEN / (256 * KIB) };
	if (fm_flash_profile(profile, &cfg, &err))
		fail_msg("%s", err.msg);
	return cfg;
}

/* --- names ------------------------------------------------------------------------------- */

static void every_profile_makes_a_bank(void **state)
{
	const char *name;
	unsigned n;

	for (n = 0; (name = fm_flash_profile_name(n)); n++) {
		struct bank b;

		bank_init(&b, LEN, profile_config(name));
		assert_int_equal(rd(&b, 0, 1), 0xff);
		bank_exit(&b);
	}
	assert_int_equal(n, 7);
}

static void an_unknown_profile_is_refused_with_the_nearest_names(void **state)
{
	static const char *const wrong[][2] = {
		{ "data-sheet", "expected one as \"datasheet\"" },
		{ "qemu", "expected one as \"qemu-7.2\" or \"qemu-7.2-board\" or \"qemu-old\" or "
			  "\"qemu-new\"" },
		{ "qemu-8.2", "expected one as \"qemu-7.2\"" },
		{ "qemu-7.2-boar", "expected one as \"qemu-7.2-board\"" },
		{ "omvf", "expected one as \"ovmf\"" },
		{ "", "expected one as \"virt\" or \"ovmf\"" },
	};

	for (unsigned n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
		struct fm_flash_config cfg = bank_config();
		struct fm_flash_config before = cfg;
		struct fm_error err = { 0 };

		assert_int_equal(fm_flash_profile(wrong[n][0], &cfg, &err), FM_ERR_ARG);
		if (!strstr(err.msg, wrong[n][1]))
			fail_msg("%s", err.msg);
		assert_memory_equal(&cfg, &before, sizeof(cfg));
	}
}

static void a_profile_keeps_the_geometry_that_is_there(void **state)
{
	struct fm_flash_config cfg = bank_config();

	cfg.bank_width = 8;
	cfg.chip_width = 4;
	assert_int_equal(fm_flash_profile("virt", &cfg, NULL), 0);
	assert_int_equal(cfg.bank_width, 8);
	assert_int_equal(cfg.chip_width, 4);
	assert_int_equal(fm_flash_profile("datasheet", &cfg, NULL), 0);
	assert_int_equal(cfg.quirks, 0);
}

static void a_profile_needs_a_config_of_this_size(void **state)
{
	struct fm_flash_config cfg = { 0 };

	assert_int_equal(fm_flash_profile("virt", &cfg, NULL), FM_ERR_ARG);
	assert_int_equal(fm_flash_profile("virt", NULL, NULL), FM_ERR_ARG);
	assert_int_equal(fm_flash_profile(NULL, &cfg, NULL), FM_ERR_ARG);
}

static void only_single_quirk_bits_have_names(void **state)
{
	for (unsigned bit = 1; bit; bit <<= 1)
		assert_int_equal(!!fm_flash_quirk_name(bit), !!(bit & ALL_QUIRKS));
	assert_null(fm_flash_quirk_name(0));
	assert_null(fm_flash_quirk_name(3));
}

/* --- which go together ------------------------------------------------------------------- */

static void refused(struct fm_flash_config cfg, const char *what)
{
	struct fm_block *block = bank_block(LEN);
	struct fm_dev *dev = NULL;
	struct fm_error err = { 0 };

	cfg.block = block;
	assert_int_equal(fm_flash_new(&dev, &cfg, &err), FM_ERR_ARG);
	if (!strstr(err.msg, what))
		fail_msg("%s", err.msg);
	fm_block_free(block);
}

static void quirks_that_do_not_go_together_are_refused(void **state)
{
	static const struct {
		unsigned quirks;
		const char *what;
	} wrong[] = {
		{ ALL_QUIRKS + 1, "expected bits below 0x20000" },
		{ FM_FLASH_QUIRK_ONE_STATE, "has one-state, expected buffer-from-count, buffer" },
		{ FM_FLASH_QUIRK_ONE_STATE | BUFFERS, "with it, one of them" },
		{ FM_FLASH_QUIRK_BUFFER_DIRECT, "has buffer-direct, expected one-state" },
		{ FM_FLASH_QUIRK_BUFFER_FROM_DATA, "has buffer-from-data, expected one-state" },
		{ FM_FLASH_QUIRK_BUFFER_FROM_COUNT, "has buffer-from-count, expected one-state" },
		{ FM_FLASH_QUIRK_COUNT_UNBOUNDED, "has count-unbounded, expected one-state" },
		{ FM_FLASH_QUIRK_OVERWRITE, "has overwrite, expected one-state" },
		{ FM_FLASH_QUIRK_NO_CHIP_WIDTH, "has no-chip-width, expected one-state" },
	};

	for (unsigned n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
		struct fm_flash_config cfg = profile_config("datasheet");

		cfg.quirks = wrong[n].quirks;
		refused(cfg, wrong[n].what);
	}
}

static void an_amd_bank_has_quirks_of_its_own_alone(void **state)
{
	struct fm_flash_config cfg = profile_config("datasheet");

	cfg.set = FM_FLASH_AMD;
	cfg.chip_width = 4;
	cfg.quirks = FM_FLASH_QUIRK_CLEAR_NOT_READY;
	refused(cfg, "expected none but qemu-amd and qemu-table");
	cfg.quirks = FM_FLASH_QUIRK_QEMU_TABLE;
	refused(cfg, "has qemu-table, expected qemu-amd with it");
	cfg.quirks = FM_FLASH_QUIRK_QEMU_AMD;
	cfg.time = FM_FLASH_TIME_TYPICAL;
	refused(cfg, "has qemu-amd, expected no time with it");
	cfg.time = FM_FLASH_TIME_INSTANT;
	cfg.bank_width = 8;
	refused(cfg, "has qemu-amd, expected chip_width 8 as bank_width");
	cfg.bank_width = 4;
	cfg.set = FM_FLASH_INTEL;
	refused(cfg, "has qemu-amd, expected set 1 (AMD) with it");
}

static void the_profile_of_qemu_is_that_of_the_set(void **state)
{
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg), .set = FM_FLASH_AMD };

	assert_int_equal(fm_flash_profile("qemu-7.2", &cfg, NULL), 0);
	assert_int_equal(cfg.quirks, FM_FLASH_QUIRK_QEMU_AMD | FM_FLASH_QUIRK_QEMU_TABLE);
	assert_int_equal(cfg.chip_width, 4);
	assert_int_equal(fm_flash_profile("qemu-7.2-board", &cfg, NULL), 0);
	assert_int_equal(cfg.quirks, FM_FLASH_QUIRK_QEMU_AMD | FM_FLASH_QUIRK_QEMU_TABLE);
	assert_int_equal(fm_flash_profile("ovmf", &cfg, NULL), 0);
	assert_int_equal(cfg.quirks, 0);
}

static void quirks_that_do_not_go_with_the_geometry_are_refused(void **state)
{
	struct fm_flash_config cfg = profile_config("qemu-7.2");

	cfg.bank_width = 8;
	refused(cfg, "bank_width of at most 4, not 8");
	cfg = profile_config("qemu-7.2-board");
	cfg.chip_width = 1;
	refused(cfg, "expected chip_width 2 as bank_width, not 1");
	/* An access is held whole: 4 bytes, also where the bank is narrower. */
	cfg = profile_config("qemu-7.2-board");
	cfg.buffer_len = 2;
	refused(cfg, "buffer_len is 0x2, expected a power of two from 0x4");
	cfg = profile_config("qemu-7.2");
	cfg.regions[0].count = 1;
	cfg.regions[1] = (struct fm_flash_region){ 128 * KIB, 2 };
	cfg.nregions = 2;
	refused(cfg, "expected one region, not 2");
}

/* --- the differences ----------------------------------------------------------------------- */

/* Do a sequence on a bank of that config: the last read's answer. */
static uint64_t answer_of(struct fm_flash_config cfg, const char *sequence)
{
	struct difference_op op;
	uint64_t value = 0, now_ns = 0;
	struct bank b;

	bank_init(&b, LEN, cfg);
	while (difference_op(&sequence, &op)) {
		for (; op.times; op.times--) {
			now_ns += op.kind == DIFFERENCE_WAIT ? op.value : DIFFERENCE_ACCESS_NS;
			fm_dev_tick(b.dev, now_ns);
			if (op.kind == DIFFERENCE_WRITE)
				wr(&b, op.off, op.size, op.value);
			else if (op.kind == DIFFERENCE_READ)
				value = rd(&b, op.off, op.size);
			else if (op.kind == DIFFERENCE_RESET)
				fm_dev_reset(b.dev, FM_RESET_SYSTEM);
		}
	}
	bank_exit(&b);
	return value;
}

/* The bank of a line's table, as QEMU's or as the datasheet's. */
static struct fm_flash_config line_config(const struct difference *d, bool sheet)
{
	struct fm_flash_config cfg = bank_config();
	bool board = strstr(d->profile, "board");
	struct fm_error err = { 0 };

	cfg.nregions = 1;
	cfg.regions[0] = (struct fm_flash_region){ 256 * KIB, LEN / (256 * KIB) };
	if (d->amd) {
		cfg.set = FM_FLASH_AMD;
		cfg.regions[0] = (struct fm_flash_region){ 64 * KIB, LEN / (64 * KIB) };
		cfg.manufacturer = 0x00bf;
		cfg.device_id = 0x236d;
	}
	if (board || d->amd)
		cfg.bank_width = 2;
	if (fm_flash_profile(sheet ? "datasheet" : d->profile, &cfg, &err))
		fail_msg("%s", err.msg);
	/* QEMU's erases take time: compare with chips whose do. */
	if (sheet && d->amd)
		cfg.time = FM_FLASH_TIME_TYPICAL;
	return cfg;
}

static FILE *open_differences(void)
{
	const char *source = getenv("FIRMEM_SOURCE");
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", source ? source : ".", DIFFERENCES);
	file = fopen(path, "r");
	assert_non_null(file);
	return file;
}

static void each_difference_is_as_its_line_says(void **state)
{
	FILE *file = open_differences();
	struct difference d = { 0 };

	while (difference_next(file, &d)) {
		uint64_t sheet = answer_of(line_config(&d, true), d.sequence);
		uint64_t qemu = answer_of(line_config(&d, false), d.sequence);

		if (sheet != d.datasheet || qemu != d.qemu || sheet == qemu)
			fail_msg("%s:%u: 0x%llx and 0x%llx", DIFFERENCES, d.line,
				 (unsigned long long)sheet, (unsigned long long)qemu);
	}
	fclose(file);
}

static unsigned quirk_of(const struct difference *d)
{
	unsigned bit = 1;

	while (fm_flash_quirk_name(bit) && strcmp(fm_flash_quirk_name(bit), d->quirk))
		bit <<= 1;
	if (!fm_flash_quirk_name(bit))
		fail_msg("%s:%u: no quirk %s", DIFFERENCES, d->line, d->quirk);
	return bit;
}

static void every_quirk_of_qemu_has_a_line_of_its_profile_and_no_other(void **state)
{
	FILE *file = open_differences();
	unsigned of_qemu = profile_config("qemu-7.2").quirks;
	unsigned of_board = profile_config("qemu-7.2-board").quirks;
	struct difference d = { 0 };
	unsigned qemu = 0, board = 0, amd = 0;

	assert_int_equal(of_qemu & ~of_board, 0);
	while (difference_next(file, &d))
		*(d.amd ? &amd : strstr(d.profile, "board") ? &board : &qemu) |= quirk_of(&d);
	fclose(file);
	assert_int_equal(qemu, of_qemu);
	assert_int_equal(board, of_board & ~of_qemu);
	assert_int_equal(amd, FM_FLASH_QUIRK_QEMU_AMD | FM_FLASH_QUIRK_QEMU_TABLE);
}

/* The line's quirk makes its difference: with the others alone QEMU's answer does not come. */
static void each_difference_is_its_quirks_doing(void **state)
{
	FILE *file = open_differences();
	struct difference d = { 0 };

	while (difference_next(file, &d)) {
		struct fm_flash_config cfg = line_config(&d, false);
		unsigned bits = quirk_of(&d);

		/* Others need these. */
		if (bits == FM_FLASH_QUIRK_ONE_STATE || bits == FM_FLASH_QUIRK_BUFFER_FROM_COUNT)
			bits = ONE_STATE_AND_ALL_THAT_NEED_IT;
		if (bits == FM_FLASH_QUIRK_QEMU_AMD)
			bits |= FM_FLASH_QUIRK_QEMU_TABLE;
		if (bits & FM_FLASH_QUIRK_ONE_STATE)
			cfg.narrow = FM_FLASH_NARROW_IGNORE;
		if (bits & FM_FLASH_QUIRK_QEMU_AMD)
			cfg = line_config(&d, true);
		else
			cfg.quirks &= ~bits;
		if (answer_of(cfg, d.sequence) == d.qemu)
			fail_msg("%s:%u: QEMU's answer also without %s", DIFFERENCES, d.line,
				 d.quirk);
	}
	fclose(file);
}

/* --- ovmf -------------------------------------------------------------------------------- */

/* What the flash driver for x86 does: facts of its probe, one byte wide, no polling. */
static void the_probe_of_ovmf_finds_flash(void **state)
{
	struct bank b;

	bank_init(&b, LEN, profile_config("ovmf"));
	b.array[5] = 0x5a;
	wr(&b, 5, 1, 0x50);
	assert_int_equal(rd(&b, 5, 1), 0x5a); /* a ROM or RAM would differ here or there */
	wr(&b, 5, 1, 0x70);
	assert_int_equal(rd(&b, 5, 1), 0x00);
	wr(&b, 5, 1, 0x10);
	wr(&b, 5, 1, 0x5a);
	wr(&b, 5, 1, 0x70);
	assert_int_equal(rd(&b, 5, 1) & 0x10, 0);
	wr(&b, 5, 1, 0xff);
	assert_int_equal(rd(&b, 5, 1), 0x5a);
	bank_exit(&b);
}

static void the_probe_of_ovmf_finds_none_on_the_datasheets_chip(void **state)
{
	struct fm_flash_config cfg = profile_config("ovmf");
	struct bank b;

	cfg.quirks = 0;
	bank_init(&b, LEN, cfg);
	wr(&b, 5, 1, 0x50);
	wr(&b, 5, 1, 0x70);
	assert_int_equal(rd(&b, 5, 1), 0x80);
	bank_exit(&b);
}

static void ovmfs_operations_end_ready_after_a_clear(void **state)
{
	static const uint8_t ends[][4] = { { 0x40, 0x00 },
					   { 0x20, 0xd0 },
					   { 0x60, 0xd0 },
					   { 0x20, 0x11 },
					   { 0xe8, 0x00, 0x00, 0xd0 } };

	for (unsigned n = 0; n < sizeof(ends) / sizeof(ends[0]); n++) {
		struct bank b;

		bank_init(&b, LEN, profile_config("ovmf"));
		wr(&b, 0, 1, 0x50);
		for (unsigned i = 0; i < (ends[n][0] == 0xe8 ? 4 : 2); i++)
			wr(&b, 0, 1, ends[n][i]);
		assert_int_equal(rd(&b, 0, 1) & 0x80, 0x80);
		bank_exit(&b);
	}
}

/* --- any quirks ---------------------------------------------------------------------------- */

static const uint8_t commands[] = { 0xff, 0x40, 0x20, 0xd0, 0xd0, 0xe8, 0xe8, 0x00,
				    0x60, 0x01, 0x2f, 0x50, 0x70, 0x90, 0x98, 0xb0 };

/* A combination that the bank takes. */
static unsigned any_quirks(struct rng *rng, unsigned bank_width)
{
	static const unsigned buffers[] = { FM_FLASH_QUIRK_BUFFER_FROM_COUNT,
					    FM_FLASH_QUIRK_BUFFER_DIRECT,
					    FM_FLASH_QUIRK_BUFFER_FROM_DATA };
	unsigned quirks = (unsigned)rng_next(rng) & INTEL_QUIRKS;

	if (rng_one_in(rng, 2) || bank_width == 8)
		return quirks & ~ONE_STATE_AND_ALL_THAT_NEED_IT;
	quirks &= ~BUFFERS;
	return quirks | FM_FLASH_QUIRK_ONE_STATE | buffers[rng_below(rng, 3)];
}

static struct fm_flash_config any_config(struct rng *rng)
{
	struct fm_flash_config cfg = profile_config("datasheet");

	cfg.bank_width = 1u << rng_below(rng, 4);
	cfg.chip_width = cfg.bank_width > 4 ? 4 : 1u << rng_below(rng, 3);
	if (cfg.chip_width > cfg.bank_width)
		cfg.chip_width = cfg.bank_width;
	cfg.quirks = any_quirks(rng, cfg.bank_width);
	if (cfg.quirks & FM_FLASH_QUIRK_NO_CHIP_WIDTH)
		cfg.chip_width = cfg.bank_width;
	cfg.regions[0] = (struct fm_flash_region){ 4 * KIB, LEN / (4 * KIB) };
	cfg.narrow = (enum fm_flash_narrow)rng_below(rng, 3);
	return cfg;
}

static void access_any(struct rng *rng, struct bank *a, struct bank *b)
{
	unsigned size = 1u << rng_below(rng, 4);
	uint64_t off = rng_below(rng, 600);
	uint64_t value = rng_one_in(rng, 4)
				 ? rng_next(rng)
				 : commands[rng_below(rng, sizeof(commands))] *
					   (rng_one_in(rng, 2) ? 1 : UINT64_C(0x0101010101010101));

	if (rng_one_in(rng, 8))
		off = LEN - size;
	if (size < 8)
		value &= (UINT64_C(1) << (8 * size)) - 1;
	if (rng_one_in(rng, 3)) {
		assert_int_equal(rd(a, off, size), rd(b, off, size));
	} else {
		wr(a, off, size, value);
		wr(b, off, size, value);
		assert_int_equal(a->effects, b->effects);
	}
}

static void any_quirks_save_and_load_at_any_cycle(void **state)
{
	struct rng rng = { 7 };

	for (unsigned n = 0; n < 150; n++) {
		struct fm_flash_config cfg = any_config(&rng);
		struct fm_error err = { 0 };
		struct bank a, b;

		bank_init(&a, LEN, cfg);
		bank_init(&b, LEN, cfg);
		for (unsigned i = 0; i < 400; i++) {
			void *bytes;
			size_t len;

			access_any(&rng, &a, &b);
			if (!rng_one_in(&rng, 20))
				continue;
			assert_int_equal(fm_dev_save(a.dev, &bytes, &len, NULL), 0);
			fm_dev_reset(b.dev, FM_RESET_SYSTEM);
			if (fm_dev_load(b.dev, bytes, len, &err))
				fail_msg("quirks 0x%x: %s", cfg.quirks, err.msg);
			free(bytes);
		}
		assert_memory_equal(a.array, b.array, LEN);
		bank_exit(&a);
		bank_exit(&b);
	}
}

static void a_state_of_other_quirks_is_refused(void **state)
{
	static const char *const pairs[][2] = { { "datasheet", "qemu-7.2" },
						{ "qemu-7.2", "datasheet" } };

	for (unsigned n = 0; n < 2; n++) {
		struct fm_flash_config to = profile_config(pairs[n][1]);
		struct fm_flash_config from = profile_config(pairs[n][0]);
		struct fm_error err = { 0 };
		struct bank a, b;
		void *bytes;
		size_t len;

		from.buffer_len = to.buffer_len = 4096;
		bank_init(&a, LEN, from);
		bank_init(&b, LEN, to);
		assert_int_equal(fm_dev_save(a.dev, &bytes, &len, NULL), 0);
		assert_int_equal(fm_dev_load(b.dev, bytes, len, &err), FM_ERR_FORMAT);
		free(bytes);
		bank_exit(&a);
		bank_exit(&b);
	}
}

struct seen {
	unsigned quirks;
};

static void see_text(void *ctx, const char *key, const char *value)
{
	struct seen *seen = ctx;

	for (unsigned bit = 1; fm_flash_quirk_name(bit); bit <<= 1) {
		if (!strcmp(key, "quirk") && !strcmp(value, fm_flash_quirk_name(bit)))
			seen->quirks |= bit;
	}
}

static void see_u64(void *ctx, const char *key, uint64_t value)
{
}

static void a_bank_tells_its_quirks(void **state)
{
	struct fm_flash_config cfg = profile_config("qemu-7.2-board");
	struct seen seen = { 0 };
	struct bank b;

	bank_init(&b, LEN, cfg);
	fm_dev_describe(b.dev,
			&(struct fm_visitor){ .ctx = &seen, .u64 = see_u64, .text = see_text });
	assert_int_equal(seen.quirks, cfg.quirks);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_profile_makes_a_bank),
		cmocka_unit_test(an_unknown_profile_is_refused_with_the_nearest_names),
		cmocka_unit_test(a_profile_keeps_the_geometry_that_is_there),
		cmocka_unit_test(a_profile_needs_a_config_of_this_size),
		cmocka_unit_test(only_single_quirk_bits_have_names),
		cmocka_unit_test(quirks_that_do_not_go_together_are_refused),
		cmocka_unit_test(an_amd_bank_has_quirks_of_its_own_alone),
		cmocka_unit_test(the_profile_of_qemu_is_that_of_the_set),
		cmocka_unit_test(quirks_that_do_not_go_with_the_geometry_are_refused),
		cmocka_unit_test(each_difference_is_as_its_line_says),
		cmocka_unit_test(every_quirk_of_qemu_has_a_line_of_its_profile_and_no_other),
		cmocka_unit_test(each_difference_is_its_quirks_doing),
		cmocka_unit_test(the_probe_of_ovmf_finds_flash),
		cmocka_unit_test(the_probe_of_ovmf_finds_none_on_the_datasheets_chip),
		cmocka_unit_test(ovmfs_operations_end_ready_after_a_clear),
		cmocka_unit_test(any_quirks_save_and_load_at_any_cycle),
		cmocka_unit_test(a_state_of_other_quirks_is_refused),
		cmocka_unit_test(a_bank_tells_its_quirks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
