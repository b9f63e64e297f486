/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/blockutil.h"
#include "tests/unit/child.h"

#include <firmem/dirty.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MIB ((size_t)1 << 20)
#define LEN (10 * PAGE)

/* --- what the memory is ------------------------------------------------------------------- */

static void new_memory_reads_as_zero_and_keeps_what_is_stored(void **state)
{
	static const struct {
		enum fm_backing backing;
		unsigned flags;
	} kinds[] = {
		{ FM_BACKING_ANON, 0 },
		{ FM_BACKING_ANON, FM_BLOCK_SHARED },
		{ FM_BACKING_MEMFD, 0 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		/* Not a whole number of pages. */
		struct fm_block *b =
			must_make(BLOCK_CONFIG(.backing = kinds[i].backing, .flags = kinds[i].flags,
					       .len = LEN + 1));
		uint8_t *p = fm_block_ptr(b);

		assert_int_equal(fm_block_len(b), LEN + 1);
		assert_int_equal(fm_block_page_size(b), PAGE);
		assert_int_equal((uintptr_t)p % PAGE, 0);
		assert_true(all_bytes(p, LEN + 1, 0));
		memset(p, 0x5a, LEN + 1);
		assert_true(all_bytes(p, LEN + 1, 0x5a));
		fm_block_free(b);
		assert_true(unmapped(p));
		assert_true(unmapped(p + LEN));
	}
	fm_block_free(NULL);
}

static int store_one(void *p)
{
	*(volatile uint8_t *)p = 1;
	return 0;
}

static void anonymous_memory_is_private_unless_shared(void **state)
{
	struct fm_block *own = must_make(BLOCK_CONFIG(.len = LEN));
	struct fm_block *both = must_make(BLOCK_CONFIG(.flags = FM_BLOCK_SHARED, .len = LEN));

	child_run(store_one, fm_block_ptr(own));
	child_run(store_one, fm_block_ptr(both));
	assert_int_equal(*(uint8_t *)fm_block_ptr(own), 0);
	assert_int_equal(*(uint8_t *)fm_block_ptr(both), 1);
	assert_int_equal(fm_block_fd(own), -1);
	assert_int_equal(fm_block_fd(both), -1);
	assert_int_equal(fm_block_flags(own), 0);
	fm_block_free(own);
	fm_block_free(both);
}

static void a_memfd_is_shared_by_its_descriptor(void **state)
{
	struct fm_block *b = must_make(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN));
	uint8_t *p = fm_block_ptr(b);
	uint8_t *twin = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fm_block_fd(b), 0);

	assert_ptr_not_equal(twin, MAP_FAILED);
	p[LEN - 1] = 1;
	assert_int_equal(twin[LEN - 1], 1);
	twin[0] = 2;
	assert_int_equal(p[0], 2);
	assert_true(fcntl(fm_block_fd(b), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fm_block_flags(b), FM_BLOCK_SHARED);
	fm_block_free(b);
	assert_int_equal(twin[LEN - 1], 1);
	munmap(twin, LEN);
}

static void adopted_memory_stays_the_callers(void **state)
{
	uint8_t *mine = malloc(1000);
	struct fm_block *b;

	memset(mine, 7, 1000);
	b = must_make(BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .flags = FM_BLOCK_PREALLOC,
				   .ptr = mine + 1, .len = 998));
	assert_ptr_equal(fm_block_ptr(b), mine + 1);
	assert_int_equal(fm_block_len(b), 998);
	assert_int_equal(fm_block_fd(b), -1);
	assert_int_equal(fm_block_page_size(b), PAGE);
	fm_block_free(b);
	assert_true(all_bytes(mine, 1000, 7));
	free(mine);
}

static void adopted_memory_must_be_as_aligned_as_asked(void **state)
{
	uint8_t *p =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	fm_block_free(must_make(
		BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .ptr = p, .len = PAGE, .align = PAGE)));
	assert_refused(BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .ptr = p + 8, .len = PAGE,
				    .align = PAGE),
		       FM_ERR_ARG, "align");
	assert_refused(BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .ptr = p, .len = INT64_MAX / 2,
				    .align = UINT64_C(1) << 62),
		       FM_ERR_ARG, "align");
	assert_refused(BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED,
				    .ptr = (void *)(UINTPTR_MAX - 10), .len = 12),
		       FM_ERR_ARG, "address space");
	munmap(p, 3 * PAGE);
}

static int store_is_a_fault(void *p)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	if (fork() == 0) {
		store_one(p);
		_exit(0);
	} else {
		int status;

		CHILD_CHECK(wait(&status) > 0);
		CHILD_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
	return 0;
}

static void a_readonly_block_cannot_be_stored_to(void **state)
{
	static const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (size_t i = 0; i < 2; i++) {
		struct fm_block *b =
			must_make(BLOCK_CONFIG(.backing = kinds[i], .len = LEN,
					       .flags = FM_BLOCK_READONLY | FM_BLOCK_PREALLOC));

		assert_true(all_bytes(fm_block_ptr(b), LEN, 0));
		assert_true(fm_block_flags(b) & FM_BLOCK_READONLY);
		child_run(store_is_a_fault, fm_block_ptr(b));
		fm_block_free(b);
	}
}

static void the_host_address_is_as_aligned_as_asked(void **state)
{
	static const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (size_t i = 0; i < 2; i++) {
		for (uint64_t align = PAGE; align <= UINT64_C(1) << 33; align *= 8) {
			struct fm_block *b = must_make(
				BLOCK_CONFIG(.backing = kinds[i], .len = LEN + 1, .align = align));
			uint8_t *p = fm_block_ptr(b);

			assert_int_equal((uintptr_t)p % align, 0);
			memset(p, 1, LEN + 1);
			fm_block_free(b);
			assert_true(unmapped(p));
			assert_true(unmapped(p + LEN));
			if (align > PAGE) {
				assert_true(unmapped(p - PAGE));
				assert_true(unmapped(p + LEN + PAGE));
			}
		}
	}
}

/* --- huge pages --------------------------------------------------------------------------- */

static void huge_pages_are_had_or_the_error_says_what_is_missing(void **state)
{
	struct fm_block_config cfg =
		BLOCK_CONFIG(.backing = FM_BACKING_HUGETLB, .len = PAGE + 1, .align = PAGE);
	struct fm_error err = { 0 };
	struct fm_block *b = NULL;
	int rc = fm_block_new(&b, &cfg, &err);

	if (rc) {
		print_message("no huge pages here: %s\n", err.msg);
		assert_true(rc == FM_ERR_NOSPACE || rc == FM_ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "block blk (hugetlb)"));
		assert_non_null(strstr(err.msg, rc == FM_ERR_NOSPACE ? "nr_hugepages" : "huge"));
		assert_null(b);
		return;
	}
	assert_true(fm_block_page_size(b) > PAGE);
	assert_int_equal(fm_block_len(b), PAGE + 1);
	assert_int_equal((uintptr_t)fm_block_ptr(b) % fm_block_page_size(b), 0);
	assert_true(fm_block_fd(b) >= 0);
	assert_true(fm_block_flags(b) & FM_BLOCK_SHARED);
	assert_true(all_bytes(fm_block_ptr(b), PAGE + 1, 0));
	fm_block_free(b);
}

static void huge_pages_are_preallocated_aligned_and_passed_on(void **state)
{
	struct fm_block_config cfg =
		BLOCK_CONFIG(.backing = FM_BACKING_HUGETLB, .len = 5 * MIB / 2,
			     .page_size = 2 * MIB, .align = 16 * MIB, .prealloc_threads = 2,
			     .flags = FM_BLOCK_PREALLOC);
	struct fm_error err = { 0 };
	struct fm_block *b = NULL, *twin;

	if (fm_block_new(&b, &cfg, &err)) {
		print_message("skipped: %s\n", err.msg);
		skip();
	}
	assert_int_equal(fm_block_page_size(b), 2 * MIB);
	assert_int_equal((uintptr_t)fm_block_ptr(b) % (16 * MIB), 0);
	twin = must_make(BLOCK_CONFIG(.backing = FM_BACKING_FILE, .fd = fm_block_fd(b),
				      .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED));
	assert_int_equal(fm_block_page_size(twin), 2 * MIB);
	assert_int_equal(fm_block_len(twin), 4 * MIB);
	((uint8_t *)fm_block_ptr(b))[2 * MIB] = 7;
	assert_int_equal(((uint8_t *)fm_block_ptr(twin))[2 * MIB], 7);
	fm_block_free(b);
	b = must_make(BLOCK_CONFIG(.backing = FM_BACKING_FILE, .fd = fm_block_fd(twin), .len = 1,
				   .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED));
	fm_block_free(twin);
	twin = b;
	b = fm_block_ptr(twin);
	fm_block_free(twin);
	assert_true(unmapped(b));
}

static int no_huge_pages_in_the_kernel(void *arg)
{
	if (!child_deny(SYS_memfd_create, -1, 0, EINVAL))
		return CHILD_SKIP;
	CHILD_CHECK(is_refused(BLOCK_CONFIG(.backing = FM_BACKING_HUGETLB, .len = LEN),
			       FM_ERR_UNSUPPORTED, "block blk (hugetlb): a memfd of huge pages"));
	return 0;
}

static void a_kernel_without_huge_pages_is_an_error(void **state)
{
	assert_refused(BLOCK_CONFIG(.backing = FM_BACKING_HUGETLB, .len = LEN,
				    .page_size = UINT64_C(1) << 45),
		       FM_ERR_UNSUPPORTED, "page_size 0x200000000000");
	child_run(no_huge_pages_in_the_kernel, NULL);
}

static int no_memfd_in_the_kernel(void *arg)
{
	if (!child_deny(SYS_memfd_create, -1, 0, ENOSYS))
		return CHILD_SKIP;
	CHILD_CHECK(is_refused(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN),
			       FM_ERR_UNSUPPORTED, "block blk (memfd): memfd_create"));
	return 0;
}

static void a_kernel_without_memfd_is_an_error(void **state)
{
	child_run(no_memfd_in_the_kernel, NULL);
}

static void more_memory_than_there_is_is_an_error(void **state)
{
	assert_refused(BLOCK_CONFIG(.len = UINT64_C(1) << 50), FM_ERR_NOMEM, "block blk (anon)");
	assert_refused(BLOCK_CONFIG(.len = UINT64_C(1) << 50, .align = UINT64_C(1) << 30),
		       FM_ERR_NOMEM, "block blk (anon)");
	assert_refused(BLOCK_CONFIG(.len = LEN, .align = UINT64_C(1) << 63), FM_ERR_NOMEM,
		       "block blk (anon)");
	assert_refused(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = UINT64_C(1) << 50),
		       FM_ERR_NOMEM, "block blk (memfd)");
}

/* --- the config --------------------------------------------------------------------------- */

static void every_field_out_of_its_domain_is_named(void **state)
{
	static uint8_t mine[8];
	const struct {
		struct fm_block_config cfg;
		const char *text;
	} bad[] = {
		{ BLOCK_RAW(.len = LEN, .role = FM_ROLE_NONE), "role" },
		{ BLOCK_RAW(.len = LEN, .role = FM_ROLE_COUNT), "role" },
		{ BLOCK_RAW(.len = LEN, .role = (enum fm_role) - 1), "role" },
		{ BLOCK_CONFIG(.len = LEN, .backing = FM_BACKING_COUNT), "backing" },
		{ BLOCK_CONFIG(.len = LEN, .backing = (enum fm_backing) - 1), "backing" },
		{ BLOCK_CONFIG(.len = LEN, .caching = (enum fm_caching)4), "caching" },
		{ BLOCK_CONFIG(.len = LEN, .flags = 1 << 10), "flags" },
		{ BLOCK_CONFIG(.len = LEN, .flags = FM_BLOCK_HOST_DEVICE), "FM_BLOCK_HOST_DEVICE" },
		{ BLOCK_CONFIG(.len = LEN, .prealloc_threads = 17), "prealloc_threads" },
		{ BLOCK_CONFIG(.len = LEN, .page_size = PAGE / 2), "page_size" },
		{ BLOCK_CONFIG(.len = LEN, .page_size = 2 * PAGE), "page_size" },
		{ BLOCK_CONFIG(.len = LEN, .backing = FM_BACKING_HUGETLB, .page_size = 3 * PAGE),
		  "page_size" },
		{ BLOCK_CONFIG(.len = LEN, .backing = FM_BACKING_HUGETLB, .page_size = 512),
		  "page_size" },
		{ BLOCK_CONFIG(.len = LEN, .align = PAGE / 2), "align" },
		{ BLOCK_CONFIG(.len = LEN, .align = 3 * PAGE), "align" },
		{ BLOCK_CONFIG(.len = LEN, .dirty_granule = 2048), "dirty_granule" },
		{ BLOCK_CONFIG(.len = LEN, .dirty_granule = 3 * 4096), "dirty_granule" },
		{ BLOCK_CONFIG(.len = 0), "len" },
		{ BLOCK_CONFIG(.len = UINT64_MAX), "len" },
		{ BLOCK_CONFIG(.len = INT64_MAX), "len" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_MEMFD), "len" },
		{ BLOCK_CONFIG(.len = LEN, .path = "x"), "path" },
		{ BLOCK_CONFIG(.len = LEN, .file_off = PAGE), "file_off" },
		{ BLOCK_CONFIG(.len = LEN, .flags = FM_BLOCK_CREATE), "FM_BLOCK_CREATE" },
		{ BLOCK_CONFIG(.len = LEN, .flags = FM_BLOCK_USE_FD), "FM_BLOCK_USE_FD" },
		{ BLOCK_CONFIG(.len = LEN, .ptr = mine), "ptr" },
		{ BLOCK_CONFIG(.len = LEN, .backing = FM_BACKING_ADOPTED), "ptr" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .ptr = mine), "len" },
		{ BLOCK_CONFIG(.len = 8, .backing = FM_BACKING_ADOPTED, .ptr = mine,
			       .flags = FM_BLOCK_LOCKED),
		  "FM_BLOCK_LOCKED" },
		{ BLOCK_CONFIG(.len = LEN, .io = &(struct fm_io){ .ops = NULL }), "io" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_FILE), "path" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_FILE, .path = ""), "path" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_FILE, .path = "x", .flags = FM_BLOCK_USE_FD),
		  "path" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_FILE,
			       .flags = FM_BLOCK_USE_FD | FM_BLOCK_CREATE),
		  "FM_BLOCK_CREATE" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_FILE, .path = "x",
			       .flags = FM_BLOCK_READONLY | FM_BLOCK_CREATE),
		  "FM_BLOCK_READONLY" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_FILE, .path = "x", .file_off = 1),
		  "file_off" },
		{ BLOCK_CONFIG(.backing = FM_BACKING_FILE, .path = "x", .len = LEN,
			       .file_off = UINT64_MAX - PAGE + 1),
		  "file_off" },
		{ BLOCK_RAW(.role = FM_ROLE_RAM, .name = "", .len = LEN), "name" },
		{ BLOCK_RAW(.role = FM_ROLE_RAM, .name = "a\nb", .len = LEN), "name" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i].cfg, FM_ERR_ARG, bad[i].text);
}

static void no_config_is_an_error(void **state)
{
	struct fm_block *b = NULL;
	struct fm_error err = { 0 };
	struct fm_block_config cfg = BLOCK_CONFIG(.len = LEN);

	assert_int_equal(fm_block_new(&b, NULL, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_block_config"));
	assert_int_equal(fm_block_new(NULL, &cfg, NULL), FM_ERR_ARG);
	cfg.struct_size = 0;
	assert_int_equal(fm_block_new(&b, &cfg, NULL), FM_ERR_ARG);
	assert_null(b);
}

static void a_name_has_at_most_63_bytes_and_is_copied(void **state)
{
	char name[65];
	struct fm_error err = { 0 };
	struct fm_block *b;

	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	assert_refused(BLOCK_RAW(.role = FM_ROLE_RAM, .name = name, .len = LEN), FM_ERR_ARG,
		       "name");
	name[63] = '\0';
	b = must_make(BLOCK_RAW(.role = FM_ROLE_RAM, .name = name, .len = LEN));
	name[0] = 'x';
	assert_int_equal(strlen(fm_block_name(b)), 63);
	assert_int_equal(fm_block_name(b)[0], 'n');
	assert_int_equal(fm_block_sync(b, LEN, 1, &err), FM_ERR_RANGE);
	assert_non_null(strstr(err.msg, "block nnn"));
	fm_block_free(b);
	b = must_make(BLOCK_RAW(.role = FM_ROLE_RAM, .name = NULL, .len = LEN));
	assert_string_equal(fm_block_name(b), "");
	fm_block_free(b);
	assert_refused(BLOCK_RAW(.role = FM_ROLE_RAM, .name = NULL), FM_ERR_ARG,
		       "block without a name (anon)");
}

static void properties_are_those_of_the_config(void **state)
{
	struct fm_block *b = must_make(
		BLOCK_RAW(.name = "screen", .role = FM_ROLE_VRAM, .backing = FM_BACKING_MEMFD,
			  .len = LEN, .dirty_granule = 8192, .caching = FM_CACHING_WRITE_COMBINING,
			  .flags = FM_BLOCK_NO_MIGRATE | FM_BLOCK_CONSENT));

	assert_string_equal(fm_block_name(b), "screen");
	assert_int_equal(fm_block_role(b), FM_ROLE_VRAM);
	assert_int_equal(fm_block_backing(b), FM_BACKING_MEMFD);
	assert_int_equal(fm_block_dirty_granule(b), 8192);
	assert_int_equal(fm_block_caching(b), FM_CACHING_WRITE_COMBINING);
	assert_int_equal(fm_block_flags(b),
			 FM_BLOCK_NO_MIGRATE | FM_BLOCK_CONSENT | FM_BLOCK_SHARED);
	assert_string_equal(fm_block_path(b), "");
	assert_false(fm_block_file_created(b));
	fm_block_free(b);
	b = must_make(BLOCK_CONFIG(.len = LEN));
	assert_int_equal(fm_block_dirty_granule(b), 4096);
	fm_block_free(b);
}

static void the_dirty_log_covers_the_block_in_its_granules(void **state)
{
	struct fm_block *b = must_make(BLOCK_CONFIG(.len = 3 * 65536 + 1, .dirty_granule = 65536));
	struct fm_dirty *log = fm_block_dirty(b);

	assert_int_equal(fm_dirty_start(log, 0, NULL), 0);
	fm_dirty_mark(log, 0, UINT64_MAX);
	assert_int_equal(fm_dirty_count(log, 0), 4);
	fm_block_free(b);
}

static void there_is_nothing_to_sync_without_a_file(void **state)
{
	struct fm_block *b = must_make(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = LEN));
	struct fm_error err = { 0 };

	assert_int_equal(fm_block_sync(b, 0, LEN, NULL), 0);
	assert_int_equal(fm_block_sync(b, LEN, 0, NULL), 0);
	assert_int_equal(fm_block_sync(b, 1, LEN, &err), FM_ERR_RANGE);
	assert_non_null(strstr(err.msg, "block blk (memfd)"));
	assert_int_equal(fm_block_sync(b, UINT64_MAX, 2, NULL), FM_ERR_RANGE);
	fm_block_free(b);
}

/* --- roles -------------------------------------------------------------------------------- */

static void every_role_has_a_name_of_its_own_that_leads_back(void **state)
{
	for (int i = FM_ROLE_NONE + 1; i < FM_ROLE_COUNT; i++) {
		assert_non_null(fm_role_name((enum fm_role)i));
		assert_int_equal(fm_role_from_name(fm_role_name((enum fm_role)i)), i);
	}
	assert_string_equal(fm_role_name(FM_ROLE_FLASH_VARS), "flash-vars");
	assert_int_equal(fm_role_from_name("none"), FM_ROLE_NONE);
	assert_int_equal(fm_role_from_name("flash"), FM_ROLE_NONE);
	assert_int_equal(fm_role_from_name(""), FM_ROLE_NONE);
	assert_int_equal(fm_role_from_name(NULL), FM_ROLE_NONE);
	assert_string_equal(fm_role_name(FM_ROLE_COUNT), "unknown");
	assert_string_equal(fm_role_name((enum fm_role) - 1), "unknown");
}

static void every_backing_has_a_name_of_its_own(void **state)
{
	for (int i = 0; i < FM_BACKING_COUNT; i++) {
		for (int j = 0; j < i; j++)
			assert_string_not_equal(fm_backing_name((enum fm_backing)i),
						fm_backing_name((enum fm_backing)j));
	}
	assert_string_equal(fm_backing_name(FM_BACKING_MEMFD), "memfd");
	assert_string_equal(fm_backing_name(FM_BACKING_COUNT), "unknown");
}

static void the_nonvolatile_roles_are_flash_and_persistent_memory(void **state)
{
	static const enum fm_role keep[] = { FM_ROLE_FLASH_CODE, FM_ROLE_FLASH_VARS, FM_ROLE_NVDIMM,
					     FM_ROLE_LABEL, FM_ROLE_VIRTIO_PMEM };

	for (int role = 0; role <= FM_ROLE_COUNT; role++) {
		bool kept = false;

		for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
			kept |= keep[i] == (enum fm_role)role;
		assert_int_equal(fm_role_nonvolatile((enum fm_role)role), kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_reads_as_zero_and_keeps_what_is_stored),
		cmocka_unit_test(anonymous_memory_is_private_unless_shared),
		cmocka_unit_test(a_memfd_is_shared_by_its_descriptor),
		cmocka_unit_test(adopted_memory_stays_the_callers),
		cmocka_unit_test(adopted_memory_must_be_as_aligned_as_asked),
		cmocka_unit_test(a_readonly_block_cannot_be_stored_to),
		cmocka_unit_test(the_host_address_is_as_aligned_as_asked),
		cmocka_unit_test(huge_pages_are_had_or_the_error_says_what_is_missing),
		cmocka_unit_test(huge_pages_are_preallocated_aligned_and_passed_on),
		cmocka_unit_test(a_kernel_without_huge_pages_is_an_error),
		cmocka_unit_test(a_kernel_without_memfd_is_an_error),
		cmocka_unit_test(more_memory_than_there_is_is_an_error),
		cmocka_unit_test(every_field_out_of_its_domain_is_named),
		cmocka_unit_test(no_config_is_an_error),
		cmocka_unit_test(a_name_has_at_most_63_bytes_and_is_copied),
		cmocka_unit_test(properties_are_those_of_the_config),
		cmocka_unit_test(the_dirty_log_covers_the_block_in_its_granules),
		cmocka_unit_test(there_is_nothing_to_sync_without_a_file),
		cmocka_unit_test(every_role_has_a_name_of_its_own_that_leads_back),
		cmocka_unit_test(every_backing_has_a_name_of_its_own),
		cmocka_unit_test(the_nonvolatile_roles_are_flash_and_persistent_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
