/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent memory: who says that it is, and that nothing else is flushed as if it were. There is none
 * where tests run, as a rule: the kernel's answers are made up by the functions that are wrapped
 * (tests/unit/meson.build).
 */
#include "nvdimm/persist_private.h"
#include "tests/unit/persist_bench.h"

#include <firmem/nvdimm.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* --- answers of the kernel and of libpmem --------------------------------------------------------- */

static struct {
	bool made_up;
	bool dax;     /* statx(2): the file has no page cache */
	bool sync;    /* smaps: mapped with MAP_SYNC */
	bool libpmem; /* pmem_is_pmem() */
} says;

bool __real_fmi_map_is_pmem(const void *addr, size_t len);
bool __wrap_fmi_map_is_pmem(const void *addr, size_t len);
bool __real_fmi_pmem_is(const void *addr, size_t len);
bool __wrap_fmi_pmem_is(const void *addr, size_t len);
int __real_statx(int fd, const char *path, int flags, unsigned mask, struct statx *out);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *out);

bool __wrap_fmi_map_is_pmem(const void *addr, size_t len)
{
	return says.made_up ? says.sync : __real_fmi_map_is_pmem(addr, len);
}

bool __wrap_fmi_pmem_is(const void *addr, size_t len)
{
	return says.made_up ? says.libpmem : __real_fmi_pmem_is(addr, len);
}

int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *out)
{
	int rc = __real_statx(fd, path, flags, mask, out);

	if (says.made_up) {
		out->stx_attributes_mask |= STATX_ATTR_DAX;
		out->stx_attributes &= ~(uint64_t)STATX_ATTR_DAX;
		out->stx_attributes |= says.dax ? STATX_ATTR_DAX : 0;
	}
	return rc;
}

static int honest(void **state)
{
	memset(&says, 0, sizeof(says));
	return remove_files(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_teardown(name, honest)

/* --- who is believed ------------------------------------------------------------------------------- */

static bool flushed_as_pmem(struct fm_block *block)
{
	struct fm_persist *p;
	bool pmem;

	assert_int_equal(fm_persist_open(&p, block, NULL), 0);
	pmem = strstr(fm_persist_reason(p), "persistent memory: durable") != NULL;
	if (pmem)
		assert_int_equal(fm_persist_level(p), FM_PERSIST_POWER);
	fm_persist_close(p);
	return pmem;
}

static void a_file_is_persistent_memory_where_the_kernel_says_so(void **state)
{
	char path[300];
	struct fm_block *block;

	make_file(path, sizeof(path), disk_folder());
	says.made_up = true;
	block = file_block(path, FM_BLOCK_SHARED, NULL);
	for (unsigned n = 0; n < 8; n++) {
		says.dax = n & 1;
		says.sync = n & 2;
		says.libpmem = n & 4;
		assert_int_equal(flushed_as_pmem(block), says.dax && says.sync);
	}
	fm_block_free(block);
}

static void adopted_memory_is_where_libpmem_and_the_kernel_say_so(void **state)
{
	static uint8_t memory[8192];
	struct fm_block *block = make_block((struct fm_block_config){
		.backing = FM_BACKING_ADOPTED, .ptr = memory, .len = sizeof(memory) });

	says.made_up = true;
	for (unsigned n = 0; n < 4; n++) {
		says.sync = n & 1;
		says.libpmem = n & 2;
		assert_int_equal(flushed_as_pmem(block), says.sync && says.libpmem);
	}
	fm_block_free(block);
}

static void where_no_file_is_behind_it_nobody_is_asked(void **state)
{
	char path[300];
	struct fm_block *block;

	says.made_up = says.dax = says.sync = says.libpmem = true;
	block = make_block((struct fm_block_config){ .backing = FM_BACKING_ANON, .len = LEN });
	assert_false(flushed_as_pmem(block));
	fm_block_free(block);
	make_file(path, sizeof(path), disk_folder());
	block = file_block(path, 0, NULL);
	assert_false(flushed_as_pmem(block));
	fm_block_free(block);
}

/* --- flushes of it --------------------------------------------------------------------------------- */

static void persistent_memory_is_flushed_without_a_sync(void **state)
{
	const struct fm_persist_span spans[] = { { 0, 64 }, { 8192, 100 } };
	struct fm_persist_stats stats;
	struct bench b;

	says.made_up = says.dax = says.sync = true;
	bench_open(&b);
	memset(b.ptr, 0x77, LEN);
	assert_int_equal(fm_persist_ranges(b.p, spans, 2, NULL), 0);
	assert_int_equal(fm_persist_range(b.p, 0, LEN, NULL), 0);
	assert_int_equal(fm_persist_range(b.p, 5, 0, NULL), 0);
	assert_int_equal(fm_persist_range(b.p, LEN, 1, NULL), FM_ERR_RANGE);
	fm_persist_get_stats(b.p, &stats);
	assert_int_equal(stats.syncs, 2);
	assert_int_equal(b.seam.calls, 0);
	assert_int_equal(dirty_bytes(b.ptr), LEN);
	bench_close(&b);
}

static void a_cut_of_its_file_is_seen_before_a_flush_touches_it(void **state)
{
	struct fm_error err = { 0 };
	struct bench b;

	says.made_up = says.dax = says.sync = true;
	bench_open(&b);
	memset(b.ptr, 1, LEN);
	assert_int_equal(truncate(b.path, LEN / 2), 0);
	assert_int_equal(fm_persist_range(b.p, 0, LEN, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, b.path));
	assert_int_equal(truncate(b.path, LEN), 0);
	assert_int_equal(fm_persist_range(b.p, 0, 1, NULL), FM_ERR_SIZE);
	bench_close(&b);
}

/* --- an environment that lies ---------------------------------------------------------------------- */

/* In a process of its own, whose libpmem was told to call every memory persistent. */
static int forced_child(const char *path)
{
	static uint8_t memory[8192];
	struct faulty seam;
	struct fm_block *block;
	struct fm_persist *p;

	faulty_init(&seam);
	if (!fmi_pmem_is(memory, sizeof(memory)))
		return 1; /* or the test tests nothing */
	block = file_block(path, FM_BLOCK_SHARED, &seam.io);
	if (fm_persist_open(&p, block, NULL))
		return 2;
	if (strstr(fm_persist_reason(p), "persistent memory"))
		return 3;
	memset(fm_block_ptr(block), 0x77, LEN);
	if (fm_persist_range(p, 0, LEN, NULL) || seam.calls != 1)
		return 4;
	if (dirty_bytes(fm_block_ptr(block)))
		return 5;
	fm_persist_close(p);
	fm_block_free(block);
	block = make_block((struct fm_block_config){
		.backing = FM_BACKING_ADOPTED, .ptr = memory, .len = sizeof(memory) });
	if (fm_persist_open(&p, block, NULL) || fm_persist_level(p) != FM_PERSIST_NONE)
		return 6;
	fm_persist_close(p);
	fm_block_free(block);
	return 0;
}

static void pmem_is_pmem_force_makes_no_file_persistent_memory(void **state)
{
	char path[300], exe[500] = { 0 }, force[] = "PMEM_IS_PMEM_FORCE=1";
	char *argv[] = { exe, path, NULL };
	char *envp[] = { force, NULL };
	int status = -1;
	pid_t pid;

	make_file(path, sizeof(path), disk_folder());
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_int_equal(posix_spawn(&pid, exe, NULL, NULL, argv, envp), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- what the kernel shows ------------------------------------------------------------------------- */

static bool is_pmem_in(const char *text, uint64_t addr, uint64_t len)
{
	char copy[2000];
	FILE *file;
	bool yes;

	snprintf(copy, sizeof(copy), "%s", text);
	file = fmemopen(copy, strlen(copy), "r");
	assert_non_null(file);
	yes = fmi_map_is_pmem_in(file, addr, len);
	fclose(file);
	return yes;
}

static void a_mapping_is_looked_up_in_smaps(void **state)
{
	static const char text[] =
		"1000-3000 rw-s 00000000 103:01 12 /mnt/a b\nSize: 8 kB\nVmFlags: rd wr sh mr sf \n"
		"3000-4000 rw-s 00002000 103:01 12 /mnt/a b\nSize: 4 kB\nVmFlags: rd wr sh sf mr \n"
		"4000-5000 rw-p 00000000 00:00 0 \nVmFlags: rd wr mr sfx\n"
		"6000-7000 rw-s 00000000 00:05 9 /dev/null\nVmFlags: rd wr sh\n"
		"8000-9000 rw-s 00000000 103:01 12 /mnt/c\nVmFlags: rd wr sf\n"
		"a000-b000 rw-s 00000000 103:01 12 /mnt/c\nVmFlags: rd wr sf\n";

	assert_true(is_pmem_in(text, 0x1000, 0x2000));
	assert_true(is_pmem_in(text, 0x1000, 0x3000));
	assert_true(is_pmem_in(text, 0x2abc, 0x1000));
	assert_true(is_pmem_in(text, 0x8000, 0x1000));
	assert_false(is_pmem_in(text, 0x4000, 0x1000));
	assert_false(is_pmem_in(text, 0x6000, 0x1000)); /* a device, but no DAX device */
	assert_false(is_pmem_in(text, 0x8000, 0x3000)); /* a hole */
	assert_false(is_pmem_in(text, 0xa000, 0x1001)); /* behind the last */
	assert_false(is_pmem_in(text, 0x0, 0x2000));
	assert_false(is_pmem_in("", 0x1000, 1));
	assert_false(is_pmem_in("garbage\nVmFlags: sf\n", 0, 1));
}

static void ordinary_memory_is_none(void **state)
{
	static uint8_t memory[64];
	struct bench b;

	assert_false(fmi_map_is_pmem(memory, sizeof(memory)));
	bench_open(&b);
	assert_false(fmi_map_is_pmem(b.ptr, LEN));
	bench_close(&b);
}

/* --- how it is mapped ------------------------------------------------------------------------------ */

static int map_flags[4];
static unsigned maps;

static int record_map(void *ctx, struct fm_file *file, uint64_t off, size_t len, int prot,
		      int flags, void **out)
{
	if (maps < 4)
		map_flags[maps++] = flags;
	return fm_io_posix()->ops->map(NULL, file, off, len, prot, flags, out);
}

static void an_nvdimm_on_dax_is_mapped_with_map_sync_where_it_can_be(void **state)
{
	char path[300];
	struct faulty seam;
	struct fm_block *block;

	make_file(path, sizeof(path), disk_folder());
	faulty_init(&seam);
	seam.ops.map = record_map;
	says.made_up = true;
	for (unsigned n = 0; n < 4; n++) {
		bool readonly = n & 2;

		says.dax = n & 1;
		maps = 0;
		block = file_block(path, FM_BLOCK_SHARED | (readonly ? FM_BLOCK_READONLY : 0),
				   &seam.io);
		if (says.dax && !readonly) {
			/* Here the kernel refuses: the file is on no such file system. */
			assert_int_equal(maps, 2);
			assert_int_equal(map_flags[0] & MAP_TYPE, MAP_SHARED_VALIDATE);
			assert_true(map_flags[0] & MAP_SYNC);
		} else {
			assert_int_equal(maps, 1);
		}
		assert_int_equal(map_flags[maps - 1] & (MAP_TYPE | MAP_SYNC), MAP_SHARED);
		fm_block_free(block);
	}
}

/* A folder on a file system that is mounted with DAX, or a skip. */
static void a_file_on_dax_is_persistent_memory(void **state)
{
	char line[1000], folder[200], options[300], path[300];
	FILE *mounts = fopen("/proc/self/mounts", "r");
	struct fm_block *block;
	bool found = false;

	assert_non_null(mounts);
	while (!found && fgets(line, sizeof(line), mounts))
		found = sscanf(line, "%*s %199s %*s %299s", folder, options) == 2 &&
			(strstr(options, ",dax") || !strncmp(options, "dax", 3)) &&
			!strstr(options, "dax=never") && !access(folder, W_OK);
	fclose(mounts);
	if (!found) {
		print_message("skipped: no file system with DAX is mounted here\n");
		skip();
	}
	make_file(path, sizeof(path), folder);
	block = file_block(path, FM_BLOCK_SHARED, NULL);
	assert_true(flushed_as_pmem(block));
	fm_block_free(block);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_persistent_memory_where_the_kernel_says_so),
		TEST(adopted_memory_is_where_libpmem_and_the_kernel_say_so),
		TEST(where_no_file_is_behind_it_nobody_is_asked),
		TEST(persistent_memory_is_flushed_without_a_sync),
		TEST(a_cut_of_its_file_is_seen_before_a_flush_touches_it),
		TEST(pmem_is_pmem_force_makes_no_file_persistent_memory),
		TEST(a_mapping_is_looked_up_in_smaps),
		TEST(ordinary_memory_is_none),
		TEST(an_nvdimm_on_dax_is_mapped_with_map_sync_where_it_can_be),
		TEST(a_file_on_dax_is_persistent_memory),
	};

	if (argc > 1)
		return forced_child(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
