/* SPDX-License-Identifier: BSD-2-Clause */
/* Variables set and deleted, and what a cut at any point leaves of them. */
#include "fuzz/memfile.h"
#include "tests/unit/rng.h"
#include "tests/unit/vars_store.h"

/* --- power -------------------------------------------------------------------------------------- */

/* What the store may be, by the values of "v": NULL is absent. Others must be there. */
static void expect_one_of(const uint8_t *bytes, const char *old, const char *new)
{
	struct fm_vars *vars = vars_of(bytes, 0x4000);
	const struct fm_vars_record *r = fm_vars_find(vars, "v", vars_guid_a);
	enum fm_vars_verdict verdict = fm_vars_info(vars)->verdict;
	const char *now = r ? (const char *)r->data : NULL;

	assert_true(verdict == FM_VARS_CLEAN || verdict == FM_VARS_UPDATE_TORN);
	assert_true((!now && (!old || !new)) ||
		    (now && old && r->data_len == strlen(old) && !memcmp(now, old, r->data_len)) ||
		    (now && new && r->data_len == strlen(new) && !memcmp(now, new, r->data_len)));
	vars_expect_value(vars, vars_guid_a, "before", "1", 1);
	vars_expect_value(vars, vars_guid_b, "v", "2", 1);
	fm_vars_free(vars);
}

/* Every prefix of the operations, and in each of them subsets of the bits that it clears. */
static size_t cut_everywhere(const struct store *s, const char *old, const char *new)
{
	static uint8_t bytes[0x4000];
	struct rng rng = { 1 };
	size_t states = 0;

	memcpy(bytes, s->before, sizeof(bytes));
	for (size_t i = 0; i < s->count; i++) {
		uint8_t *p = bytes + s->ops[i].off;
		unsigned len = s->ops[i].len;
		uint8_t was[8];

		memcpy(was, p, len);
		/* All subsets of one byte's; of a wider word as many at random. */
		for (unsigned subset = 0; subset < 256; subset++) {
			for (unsigned k = 0; k < len; k++) {
				uint8_t left = len == 1 ? (uint8_t)subset : (uint8_t)rng_next(&rng);

				p[k] = s->ops[i].data[k] | (was[k] & left);
			}
			expect_one_of(bytes, old, new);
			states++;
		}
		memcpy(p, s->ops[i].data, len);
		expect_one_of(bytes, old, new);
	}
	assert_memory_equal(bytes, s->bank.array, sizeof(bytes));
	return states;
}

static struct store *store_to_cut(unsigned bank_width, unsigned chip_width)
{
	struct store *s = store_new(bank_width, chip_width, false);

	vars_build_add(&s->build, 0x3f, vars_guid_a, "before", "1", 1);
	vars_build_add(&s->build, 0x3f, vars_guid_b, "v", "2", 1);
	return s;
}

static void every_cut_leaves_the_old_value_or_the_new(void **state)
{
	static const struct {
		unsigned bank, chip;
	} widths[] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 4, 1 }, { 4, 2 }, { 8, 2 } };
	size_t states = 0;

	for (unsigned i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		struct store *s = store_to_cut(widths[i].bank, widths[i].chip);

		store_mark(s);
		assert_int_equal(store_set(s, "v", "old", 3), 0);
		states += cut_everywhere(s, NULL, "old");
		store_mark(s);
		assert_int_equal(store_set(s, "v", "newer", 5), 0);
		states += cut_everywhere(s, "old", "newer");
		store_mark(s);
		assert_int_equal(fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), 0);
		states += cut_everywhere(s, "newer", NULL);
		store_free(s);
	}
	print_message("%zu states\n", states);
	assert_true(states > 50000);
}

static void every_cut_among_hidden_records_leaves_the_old_value_or_the_new(void **state)
{
	static const uint8_t states[][2] = {
		{ 0x3e, 0x3f }, { 0x3f, 0x3f }, { 0x3f, 0x3e }, { 0x3e, 0x3e }
	};

	for (unsigned i = 0; i < 4; i++) {
		for (unsigned remove = 0; remove < 2; remove++) {
			struct store *s = store_to_cut(1, 1);
			const char *old = i == 1 || i == 2 ? "first" : "second";

			vars_build_add(&s->build, states[i][0], vars_guid_a, "v", "first", 5);
			vars_build_add(&s->build, states[i][1], vars_guid_a, "v", "second", 6);
			store_mark(s);
			if (remove)
				assert_int_equal(
					fm_vars_delete(s->bank.dev, "v", vars_guid_a, NULL), 0);
			else
				assert_int_equal(store_set(s, "v", "new", 3), 0);
			cut_everywhere(s, old, remove ? NULL : "new");
			store_free(s);
		}
	}
}

/* --- the host's power ----------------------------------------------------------------------------- */

/* A disk that may have any of the writes that were not synced, in any order. */
struct disk {
	struct memfile file;
	struct fm_io_ops ops;
	struct fm_io io;
	struct {
		uint64_t off;
		size_t len;
		uint8_t data[8];
	} writes[MOST_OPS];
	size_t count;
	const char *old, *new;
	struct rng rng;
	size_t states;
	unsigned fail_at; /* this write and everything after it fails; 0: none */
	unsigned calls;
};

static ssize_t disk_pwrite(void *ctx, struct fm_file *file, const void *buf, size_t len,
			   uint64_t off)
{
	struct disk *d = ctx;

	d->file.failing = d->fail_at && ++d->calls >= d->fail_at;
	if (!d->file.failing) {
		assert_true(len <= 8 && d->count < MOST_OPS);
		d->writes[d->count].off = off;
		d->writes[d->count].len = len;
		memcpy(d->writes[d->count++].data, buf, len);
	}
	return memfile_pwrite(&d->file, file, buf, len, off);
}

/* The power fails before this sync ends: what may be on the disk? */
static void disk_cut(struct disk *d)
{
	uint8_t bytes[0x4000];

	for (unsigned sample = 0; sample < 300; sample++) {
		memcpy(bytes, d->file.synced, sizeof(bytes));
		for (size_t i = 0; i < d->count; i++) {
			/* Each write alone, each write lacking, then any. */
			bool there = sample < d->count       ? i == sample
				     : sample < 2 * d->count ? i != sample - d->count
							     : rng_one_in(&d->rng, 2);

			if (there)
				memcpy(bytes + d->writes[i].off, d->writes[i].data,
				       d->writes[i].len);
		}
		expect_one_of(bytes, d->old, d->new);
		d->states++;
	}
}

static int disk_fdatasync(void *ctx, struct fm_file *file)
{
	struct disk *d = ctx;

	d->file.failing = d->fail_at && ++d->calls >= d->fail_at;
	disk_cut(d);
	if (!d->file.failing)
		d->count = 0;
	return memfile_fdatasync(&d->file, file);
}

static int disk_open(void *ctx, const char *path, unsigned flags, struct fm_file **out)
{
	*out = (struct fm_file *)ctx;
	return 0;
}

/* A bank over such a disk, which holds this store. */
static void disk_init(struct disk *d, struct bank *b, const uint8_t *store)
{
	struct fm_flash_config cfg = bank_config();

	memset(d, 0, sizeof(*d));
	memfile_init(&d->file, &d->io, store, 0x4000);
	d->ops = *d->io.ops;
	d->ops.open = disk_open;
	d->ops.pwrite = disk_pwrite;
	d->ops.fdatasync = disk_fdatasync;
	/* The file is the first member: one context serves both. */
	d->io = (struct fm_io){ .ops = &d->ops, .ctx = d };
	cfg.bank_width = cfg.chip_width = 1;
	cfg.regions[0] = (struct fm_flash_region){ 0x1000, 4 };
	cfg.nregions = 1;
	cfg.image = "vars.fd";
	cfg.io = &d->io;
	bank_init(b, 0x4000, cfg);
}

static void what_the_hosts_power_cut_leaves_is_the_old_value_or_the_new(void **state)
{
	static struct disk d;
	struct store *s = store_to_cut(1, 1);
	struct fm_vars_value value = store_value("v", "old", 3);
	struct bank b;

	disk_init(&d, &b, s->bank.array);
	d.new = "old";
	assert_int_equal(fm_vars_set(b.dev, &value, 1, NULL), 0);
	value = store_value("v", "newer", 5);
	d.old = "old";
	d.new = "newer";
	assert_int_equal(fm_vars_set(b.dev, &value, 1, NULL), 0);
	d.old = "newer";
	d.new = NULL;
	assert_int_equal(fm_vars_delete(b.dev, "v", vars_guid_a, NULL), 0);
	/* All of it was synced. */
	assert_int_equal(d.count, 0);
	assert_memory_equal(d.file.synced, b.array, 0x4000);
	assert_true(d.states > 2000);
	bank_exit(&b);
	memfile_exit(&d.file);
	store_free(s);
}

static void a_host_that_fails_is_told_and_leaves_the_old_value_or_the_new(void **state)
{
	static struct disk d;
	struct store *s = store_to_cut(1, 1);
	struct fm_vars_value value = store_value("v", "newer", 5);
	int rc = FM_ERR_IO;

	assert_int_equal(store_set(s, "v", "old", 3), 0);
	for (unsigned n = 1; rc; n++) {
		struct fm_error err = { 0 };
		struct bank b;

		disk_init(&d, &b, s->bank.array);
		d.old = "old";
		d.new = "newer";
		d.fail_at = n;
		rc = fm_vars_set(b.dev, &value, 1, &err);
		assert_int_equal(rc, err.code);
		assert_true(!rc || rc == FM_ERR_IO);
		assert_int_equal(rc != 0, d.file.failed);
		expect_one_of(d.file.bytes, "old", "newer");
		bank_exit(&b);
		memfile_exit(&d.file);
		assert_true(n < 300);
	}
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_leaves_the_old_value_or_the_new),
		cmocka_unit_test(every_cut_among_hidden_records_leaves_the_old_value_or_the_new),
		cmocka_unit_test(what_the_hosts_power_cut_leaves_is_the_old_value_or_the_new),
		cmocka_unit_test(a_host_that_fails_is_told_and_leaves_the_old_value_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
