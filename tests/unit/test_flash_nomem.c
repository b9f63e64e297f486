/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of a bank's making, saving and loading fails once. */
#include "tests/unit/bank.h"
#include "tests/unit/nomem.h"
#include "tests/unit/tmpdir.h"

#define LEN (64 * KIB)

static struct fm_flash_config nomem_config(const char *path)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ 16 * KIB, LEN / (16 * KIB) };
	cfg.nregions = 1;
	cfg.image = path;
	cfg.create = true;
	return cfg;
}

static void a_bank_is_made_whole_or_leaves_nothing(void **state)
{
	struct fm_flash_config cfg = nomem_config(tmpdir_path(state, "new"));
	struct fm_error err = { 0 };
	struct fm_dev *dev = NULL;

	cfg.block = bank_block(LEN);
	NOMEM_EACH(fm_flash_new(&dev, &cfg, &err), {
		assert_null(dev);
		assert_int_equal(err.code, FM_ERR_NOMEM);
		assert_non_null(strstr(err.msg, "memory"));
		assert_int_equal(tmpdir_entries(state), 0);
	});
	assert_int_equal(tmpdir_entries(state), 2);
	/* The bank, its buffer, its locks, the device, image and journal and what they keep, files. */
	assert_true(nomem_failed >= 20);
	fm_dev_free(dev);
	assert_int_equal(tmpdir_entries(state), 1);
	fm_block_free(cfg.block);
}

static void a_state_is_loaded_whole_or_not_at_all(void **state)
{
	struct fm_flash_config cfg = nomem_config(NULL);
	struct bank b;
	void *saved = NULL;
	size_t len = 0;

	cfg.create = false;
	bank_init(&b, LEN, cfg);
	bank_lock(&b, 0, 0x01);
	NOMEM_EACH(fm_dev_save(b.dev, &saved, &len, NULL), assert_null(saved));
	fm_dev_reset(b.dev, FM_RESET_SYSTEM);
	NOMEM_EACH(fm_dev_load(b.dev, saved, len, NULL), assert_true(mapped(&b)));
	assert_false(mapped(&b));
	bank_erase(&b, 0);
	assert_int_equal(r4(&b, 0), 0x00a200a2);
	free(saved);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_bank_is_made_whole_or_leaves_nothing),
		tmpdir_test(a_state_is_loaded_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
