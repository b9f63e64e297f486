/* SPDX-License-Identifier: BSD-2-Clause */
/* What was to be destroyed is in neither file: not in the image, and not in the journal's old records. */
#include "tests/unit/bank.h"
#include "tests/unit/behind.h"
#include "tests/unit/faultio.h"

#include <firmem/machine.h>
#include <firmem/reset.h>

#define SECRET UINT32_C(0x5ec7e75a)

/* How often the secret is in a file, at any offset. */
static unsigned secrets_in(const char *path)
{
	const uint8_t secret[] = { 0x5a, 0xe7, 0xc7, 0x5e };
	unsigned found = 0;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(fm_io_load(NULL, path, 1 << 24, (void **)&bytes, &len, NULL), 0);
	for (size_t i = 0; i + sizeof(secret) <= len; i++)
		found += !memcmp(bytes + i, secret, sizeof(secret));
	free(bytes);
	return found;
}

static void store_secrets(struct behind *b, uint64_t off, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		memcpy(b->array + off + 16 * i, (uint8_t[]){ 0x5a, 0xe7, 0xc7, 0x5e }, 4);
		assert_int_equal(fm_write_behind_store(b->wb, off + 16 * i, 4), 0);
	}
}

static void a_flush_leaves_old_records_and_a_scrub_does_not(void **state)
{
	const char *image = tmpdir_path(state, "image");
	const char *journal = tmpdir_path(state, "image.journal");
	struct behind b;

	behind_init(&b, image, 0);
	/* More than once around the ring. */
	for (unsigned turn = 0; turn < 6; turn++)
		store_secrets(&b, KIB, 100);
	behind_erase(&b, 0, LEN);
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	assert_int_equal(secrets_in(image), 0);
	/* That is why. */
	assert_true(secrets_in(journal) > 100);
	assert_int_equal(fm_write_behind_scrub(b.wb, NULL), 0);
	assert_int_equal(secrets_in(image), 0);
	assert_int_equal(secrets_in(journal), 0);
	assert_true(file_is(image, b.array));
	behind_exit(&b);
}

static void what_is_pending_is_in_the_image_first(void **state)
{
	const char *image = tmpdir_path(state, "image");
	struct behind b;

	behind_init(&b, image, 0);
	behind_store(&b, 100, 0x77, 300);
	assert_int_equal(fm_write_behind_scrub(b.wb, NULL), 0);
	assert_true(file_is(image, b.array));
	assert_int_equal(behind_stats(&b).pending, 0);
	behind_exit(&b);
}

/* Where a record was that could have grown there are zeros: the next one begins anew. */
static void what_comes_after_it_survives_a_kill(void **state)
{
	struct behind b, killed;

	behind_init(&b, tmpdir_path(state, "image"), 0);
	behind_store(&b, 0, 0x11, 8);
	assert_int_equal(fm_write_behind_scrub(b.wb, NULL), 0);
	kill_copy(state, "image", "at once");
	behind_store(&b, 8, 0x22, 8);
	behind_erase(&b, 4 * KIB, KIB);
	kill_copy(state, "image", "later");

	behind_config(&killed, tmpdir_path(state, "at once"));
	behind_open(&killed);
	assert_int_equal(killed.array[7], 0x11);
	assert_int_equal(killed.array[8], 0);
	behind_exit(&killed);
	behind_config(&killed, tmpdir_path(state, "later"));
	behind_open(&killed);
	assert_memory_equal(killed.array, b.array, LEN);
	behind_exit(&killed);
	behind_exit(&b);
}

/* Every call of the seam fails once: it is told, and the next scrub does it. */
static void a_host_that_fails_is_told_and_the_next_one_does_it(void **state)
{
	const char *image = tmpdir_path(state, "image");
	const char *journal = tmpdir_path(state, "image.journal");
	struct faultio f;
	struct behind b;
	unsigned failures = 0;

	tmpdir_fill(image, LEN, 0);
	faultio_init(&f);
	behind_config(&b, image);
	b.cfg.io = &f.io;
	behind_open(&b);
	for (unsigned n = 1;; n++) {
		struct fm_error err = { 0 };
		int rc;

		store_secrets(&b, KIB, 20);
		behind_erase(&b, 0, LEN);
		f.calls = 0;
		f.fail_at = n;
		rc = fm_write_behind_scrub(b.wb, &err);
		f.fail_at = 0;
		if (!rc)
			break;
		failures++;
		assert_int_equal(err.code, FM_ERR_IO);
		assert_int_equal(fm_write_behind_error(b.wb, NULL), FM_ERR_IO);
		assert_int_equal(fm_write_behind_scrub(b.wb, NULL), 0);
		assert_int_equal(fm_write_behind_error(b.wb, NULL), 0);
		assert_int_equal(secrets_in(image), 0);
		assert_int_equal(secrets_in(journal), 0);
	}
	assert_true(failures >= 4);
	behind_exit(&b);
}

static void a_reader_has_nothing_to_scrub(void **state)
{
	const char *image = tmpdir_path(state, "image");
	struct behind b;

	tmpdir_fill(image, LEN, 0);
	behind_config(&b, image);
	b.cfg.mode = FM_WRITE_NONE;
	behind_open(&b);
	assert_int_equal(fm_write_behind_scrub(b.wb, NULL), 0);
	behind_exit(&b);
}

/* --- a bank ------------------------------------------------------------------------------ */

#define BANK_LEN (64 * KIB)

static struct fm_flash_config bank_of(const char *path)
{
	struct fm_flash_config cfg = bank_config();

	cfg.name = "vars";
	cfg.regions[0] = (struct fm_flash_region){ 16 * KIB, BANK_LEN / (16 * KIB) };
	cfg.nregions = 1;
	cfg.image = path;
	return cfg;
}

static void program_secrets(struct bank *b)
{
	for (unsigned i = 0; i < 32; i++)
		bank_program(b, 0x1000 + 64 * i, SECRET);
}

static void a_sanitized_bank_has_no_secret_in_its_image_nor_in_its_journal(void **state)
{
	const char *image = tmpdir_path(state, "vars");
	const char *journal = tmpdir_path(state, "vars.journal");
	struct bank b;

	tmpdir_fill(image, BANK_LEN, 0xff);
	bank_init(&b, BANK_LEN, bank_of(image));
	program_secrets(&b);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_int_equal(secrets_in(image), 32);
	assert_true(secrets_in(journal) >= 32);
	program_secrets(&b);
	assert_int_equal(fm_dev_sanitize(b.dev, NULL), 0);
	assert_int_equal(secrets_in(image), 0);
	assert_int_equal(secrets_in(journal), 0);
	assert_true(all_bytes(b.array, BANK_LEN, 0xff));
	bank_exit(&b);
	assert_int_equal(secrets_in(image), 0);
}

static void so_has_one_that_a_reset_sanitizes(void **state)
{
	const char *image = tmpdir_path(state, "vars");
	const char *journal = tmpdir_path(state, "vars.journal");
	const char *const names[] = { "vars" };
	const struct fm_reset_request request = { .struct_size = sizeof(request),
						  .kind = FM_RESET_POWER_ON,
						  .sanitize = names,
						  .nsanitize = 1 };
	const struct fm_reset_options options = { .struct_size = sizeof(options), .verify = true };
	struct fm_reset_report report = { .count = 0 };
	struct fm_reset_plan *plan;
	struct fm_machine *machine;
	struct bank b;

	tmpdir_fill(image, BANK_LEN, 0xff);
	bank_init(&b, BANK_LEN, bank_of(image));
	assert_int_equal(fm_machine_new(&machine, "board", NULL), 0);
	assert_int_equal(fm_machine_add_block(machine, b.block, NULL), 0);
	assert_int_equal(fm_machine_add_dev(machine, b.dev, NULL), 0);
	program_secrets(&b);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_true(secrets_in(image) && secrets_in(journal));
	assert_int_equal(fm_reset_plan(&plan, machine, &request, NULL), 0);
	assert_int_equal(fm_reset_apply(machine, plan, &options, &report, NULL), 0);
	assert_int_equal(secrets_in(image), 0);
	assert_int_equal(secrets_in(journal), 0);
	fm_reset_plan_free(plan);
	fm_reset_report_clear(&report);
	fm_machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_flush_leaves_old_records_and_a_scrub_does_not),
		tmpdir_test(what_is_pending_is_in_the_image_first),
		tmpdir_test(what_comes_after_it_survives_a_kill),
		tmpdir_test(a_host_that_fails_is_told_and_the_next_one_does_it),
		tmpdir_test(a_reader_has_nothing_to_scrub),
		tmpdir_test(a_sanitized_bank_has_no_secret_in_its_image_nor_in_its_journal),
		tmpdir_test(so_has_one_that_a_reset_sanitizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
