/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host whose libpmem cannot be loaded: dlopen() is wrapped to look for a library that is not there, and the kernel
 * to see persistent memory where a test says so (tests/unit/meson.build).
 */
#include "nvdimm/persist_private.h"
#include "tests/unit/persist_bench.h"

#include <dlfcn.h>
#include <sys/stat.h>

static bool kernel_says;
static unsigned loads;

bool __wrap_fmi_map_is_pmem(const void *addr, size_t len);
bool __wrap_fmi_file_may_be_dax(const struct fm_block *block);
void *__real_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags);

bool __wrap_fmi_map_is_pmem(const void *addr, size_t len)
{
	return addr && len && kernel_says;
}

bool __wrap_fmi_file_may_be_dax(const struct fm_block *block)
{
	return block && kernel_says;
}

void *__wrap_dlopen(const char *name, int flags)
{
	assert_string_equal(name, "libpmem.so.1");
	loads++;
	return __real_dlopen("libfirmem-none.so.1", flags);
}

static void a_file_on_a_disk_needs_no_libpmem(void **state)
{
	struct fm_block *block;
	struct fm_persist *p;
	char path[300];

	kernel_says = false;
	make_file(path, sizeof(path), disk_folder());
	block = file_block(path, FM_BLOCK_SHARED, NULL);
	assert_int_equal(fm_persist_open(&p, block, NULL), 0);
	assert_int_equal(fm_persist_range(p, 0, 4096, NULL), 0);
	fm_persist_close(p);
	fm_block_free(block);
	assert_int_equal(loads, 0);
}

static void persistent_memory_is_refused_with_the_loaders_reason(void **state)
{
	struct fm_error err = { 0 };
	struct fm_persist *p = NULL;
	struct fm_block *block;
	char path[300];

	kernel_says = true;
	make_file(path, sizeof(path), disk_folder());
	block = file_block(path, FM_BLOCK_SHARED, NULL);
	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(fm_persist_open(&p, block, &err), FM_ERR_UNSUPPORTED);
		assert_null(p);
		assert_non_null(strstr(err.msg, "persistent memory needs libpmem: "));
		assert_non_null(strstr(err.msg, "libfirmem-none.so.1"));
	}
	assert_int_equal(loads, 2);
	fm_block_free(block);
}

static void what_is_only_read_needs_no_libpmem(void **state)
{
	struct fm_block *block;
	struct fm_persist *p;
	char path[300];

	kernel_says = true;
	make_file(path, sizeof(path), disk_folder());
	block = file_block(path, FM_BLOCK_SHARED | FM_BLOCK_READONLY, NULL);
	assert_int_equal(fm_persist_open(&p, block, NULL), 0);
	assert_int_equal(fm_persist_level(p), FM_PERSIST_POWER);
	assert_int_equal(fm_persist_range(p, 0, 4096, NULL), 0);
	fm_persist_close(p);
	fm_block_free(block);
}

/* Nobody can have made it by pmem_map_file() then. */
static void adopted_memory_outlives_nothing(void **state)
{
	static uint8_t memory[8192];
	struct fm_block *block = make_block((struct fm_block_config){
		.backing = FM_BACKING_ADOPTED, .ptr = memory, .len = sizeof(memory) });
	struct fm_persist *p;

	kernel_says = true;
	assert_int_equal(fm_persist_open(&p, block, NULL), 0);
	assert_int_equal(fm_persist_level(p), FM_PERSIST_NONE);
	fm_persist_close(p);
	fm_block_free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_on_a_disk_needs_no_libpmem),
		TEST(persistent_memory_is_refused_with_the_loaders_reason),
		TEST(what_is_only_read_needs_no_libpmem),
		TEST(adopted_memory_outlives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
