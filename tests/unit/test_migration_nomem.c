/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of writing and reading a set-up fails once; and of a block that may fall back. */
#include "tests/unit/nomem.h"
#include "tests/unit/reset_fixture.h"

#include <firmem/migration.h>

static void a_set_up_is_written_and_read_whole_or_not_at_all(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_migration_block *blocks = NULL;
	unsigned before = nomem_failed;
	size_t len = 0, count = 0;
	void *bytes = NULL;
	char name[16];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "block%u", i);
		add(m, name, FM_ROLE_RAM, FM_BACKING_ANON);
	}
	NOMEM_EACH(fm_migration_write(m, NULL, &bytes, &len, NULL), {
		assert_null(bytes);
		assert_int_equal(len, 0);
	});
	NOMEM_EACH(fm_migration_read(bytes, len, NULL, &blocks, &count, NULL, NULL), {
		assert_null(blocks);
		assert_int_equal(count, 0);
	});
	/* The list grows twice. */
	assert_true(nomem_failed >= before + 4);
	assert_int_equal(count, 40);
	assert_int_equal(fm_migration_match(m, NULL, blocks, count, NULL), 0);
	free(blocks);
	free(bytes);
	fm_machine_free(m);
}

static void out_of_memory_is_no_reason_to_fall_back(void **state)
{
	struct fm_block_config c =
		BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = PAGE, .flags = FM_BLOCK_FALLBACK);
	struct fm_block *b = NULL;

	NOMEM_EACH(fm_block_new(&b, &c, NULL), assert_null(b));
	assert_int_equal(fm_block_backing(b), FM_BACKING_MEMFD);
	fm_block_free(b);
	/* And a block that falls back is made whole or not at all. */
	c.backing = FM_BACKING_HUGETLB;
	c.page_size = UINT64_C(1) << 45;
	b = NULL;
	NOMEM_EACH(fm_block_new(&b, &c, NULL), assert_null(b));
	assert_int_equal(fm_block_backing(b), FM_BACKING_ANON);
	fm_block_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_up_is_written_and_read_whole_or_not_at_all),
		cmocka_unit_test(out_of_memory_is_no_reason_to_fall_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
