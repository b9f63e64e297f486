/* SPDX-License-Identifier: BSD-2-Clause */
/* Dumps cost what is there, and miss nothing that is there, whatever the memory is made of. */
#include "tests/unit/child.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include "devices/populated.h"

#include <firmem/dump.h>
#include <firmem/ram.h>

#include <stdio.h>
#include <sys/mman.h>

#define PAGE 4096u
#define GPA UINT64_C(0x100000000)
#define HUGE_LEN (UINT64_C(4) << 30)

struct world {
	struct fm_machine *machine;
	struct fm_space *space;
	struct fm_block *block;
};

/* One block, of which the space shows [off, off + len) at GPA. */
static void init(struct world *w, struct fm_block_config mem, uint64_t off, uint64_t len)
{
	struct fm_space_config space = { .struct_size = sizeof(space), .name = "memory" };
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_window_config win = {
		.struct_size = sizeof(win), .gpa = GPA, .dev_off = off, .len = len
	};

	mem.struct_size = sizeof(mem);
	mem.name = "ram";
	mem.role = FM_ROLE_RAM;
	assert_int_equal(fm_machine_new(&w->machine, "board", NULL), 0);
	assert_int_equal(fm_space_new(&w->space, &space, NULL), 0);
	assert_int_equal(fm_machine_add_space(w->machine, w->space, NULL), 0);
	assert_int_equal(fm_block_new(&w->block, &mem, NULL), 0);
	assert_int_equal(fm_machine_add_block(w->machine, w->block, NULL), 0);
	ram.block = w->block;
	assert_int_equal(fm_ram_new(&win.dev, &ram, NULL), 0);
	assert_int_equal(fm_machine_add_dev(w->machine, win.dev, NULL), 0);
	assert_int_equal(fm_space_add(w->space, &win, NULL, NULL), 0);
}

static struct fm_dump_config config(const struct world *w, const char *path)
{
	return (struct fm_dump_config){ .struct_size = sizeof(struct fm_dump_config),
					.machine = w->machine,
					.space = w->space,
					.roles = FM_DUMP_VOLATILE,
					.elf_machine = 62,
					.path = path };
}

/* The byte of guest-physical memory that the dump has at `gpa`: one segment, the second header. */
static uint8_t dumped(const char *path, uint64_t gpa)
{
	uint8_t phdr[56];
	uint64_t at = 0;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, phdr, sizeof(phdr), 64 + 56), sizeof(phdr));
	close(fd);
	for (unsigned i = 0; i < 8; i++)
		at |= (uint64_t)phdr[8 + i] << 8 * i;
	return tmpdir_byte(path, at + (gpa - GPA));
}

static long resident(void)
{
	long size, pages;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void idle_memory_is_neither_read_nor_made_resident(void **state)
{
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };
	const char *path = tmpdir_path(state, "core");

	for (unsigned i = 0; i < 2; i++) {
		struct fm_dump_result result;
		struct fm_dump_config cfg;
		struct world w;
		long before, after;

		init(&w, (struct fm_block_config){ .backing = kinds[i], .len = HUGE_LEN }, 0, 0);
		((uint8_t *)fm_block_ptr(w.block))[HUGE_LEN / 2] = 0xa5;
		cfg = config(&w, path);
		before = resident();
		assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
		after = resident();
		assert_int_equal(result.bytes, HUGE_LEN);
		assert_int_equal(result.written, PAGE);
		/* The allocator's and the kernel's own. */
		assert_true(after - before < 1 << 20);
		assert_int_equal(dumped(path, GPA + HUGE_LEN / 2), 0xa5);
		assert_true(tmpdir_size(path) > (long long)HUGE_LEN);
		fm_machine_free(w.machine);
		unlink(path);
	}
}

static void count(void *ctx, uint64_t off, uint64_t len)
{
	*(uint64_t *)ctx += len;
}

/* The tables of this process do not show what another one stored: those alone would miss it. */
static void what_another_process_stored_is_in_the_dump(void **state)
{
	const char *path = tmpdir_path(state, "core");
	const char *file = tmpdir_path(state, "file");

	for (unsigned i = 0; i < 2; i++) {
		struct fm_block_config mem = { .backing = i ? FM_BACKING_FILE : FM_BACKING_MEMFD,
					       .flags = i ? FM_BLOCK_SHARED | FM_BLOCK_CREATE : 0,
					       .path = i ? file : NULL,
					       .len = 64 * PAGE };
		struct fm_dump_config cfg;
		uint64_t scanned = 0;
		struct world w;
		int status;
		pid_t pid;

		init(&w, mem, 0, 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			uint8_t *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
					  fm_block_fd(w.block), 0);

			p[30 * PAGE + 5] = 0xa5;
			_exit(p == MAP_FAILED);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		if (fmi_populated_scan(w.block, 0, 64 * PAGE, count, &scanned))
			assert_int_equal(scanned, 0);
		else
			print_message("this kernel has no PAGEMAP_SCAN\n");
		cfg = config(&w, path);
		assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
		assert_int_equal(dumped(path, GPA + 30 * PAGE + 5), 0xa5);
		fm_machine_free(w.machine);
		unlink(path);
	}
}

/* Pages of a private mapping that are not ours show the file; a file that is only read is another's. */
static void pages_that_show_a_file_are_in_the_dump(void **state)
{
	const unsigned flags[] = { 0, FM_BLOCK_READONLY, FM_BLOCK_READONLY | FM_BLOCK_SHARED };
	const char *path = tmpdir_path(state, "core");
	const char *file = tmpdir_path(state, "file");

	tmpdir_fill(file, 8 * PAGE, 0x77);
	for (unsigned i = 0; i < 3; i++) {
		struct fm_dump_result result;
		struct fm_dump_config cfg;
		struct world w;

		init(&w,
		     (struct fm_block_config){
			     .backing = FM_BACKING_FILE, .path = file, .flags = flags[i] },
		     0, 0);
		cfg = config(&w, path);
		assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
		assert_int_equal(result.written, 8 * PAGE);
		assert_int_equal(dumped(path, GPA + 8 * PAGE - 1), 0x77);
		fm_machine_free(w.machine);
		unlink(path);
	}
}

/* Runs of pages reach over the window at both of its ends: what is outside stays outside. */
static void a_window_into_the_middle_of_pages_is_dumped_byte_by_byte(void **state)
{
	const char *path = tmpdir_path(state, "core");
	const enum fm_backing kinds[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };

	for (unsigned i = 0; i < 2; i++) {
		struct fm_dump_config cfg;
		struct world w;
		uint8_t *host;

		init(&w, (struct fm_block_config){ .backing = kinds[i], .len = 16 * PAGE },
		     5 * PAGE + 0x800, 3 * PAGE);
		host = fm_block_ptr(w.block);
		memset(host, 0xee, 16 * PAGE);
		memset(host + 5 * PAGE + 0x800, 0x11, 3 * PAGE);
		cfg = config(&w, path);
		assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
		for (uint64_t off = 0; off < 3 * PAGE; off++)
			assert_int_equal(dumped(path, GPA + off), 0x11);
		assert_int_equal(tmpdir_size(path) % PAGE, 0);
		fm_machine_free(w.machine);
		unlink(path);
	}
}

struct told {
	unsigned calls;
	struct fm_dump_part last;
	uint64_t done, total;
};

static void note(void *ctx, const struct fm_dump_part *part)
{
	struct told *t = ctx;

	t->calls++;
	t->last = *part;
}

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
	struct told *t = ctx;

	assert_true(done >= t->done && done <= total);
	t->done = done;
	t->total = total;
	return true;
}

static void what_is_in_and_what_is_not_is_told(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct told told = { 0 };
	struct fm_dump_config cfg;
	struct world w;

	init(&w, (struct fm_block_config){ .len = 16 * PAGE }, 4 * PAGE, 8 * PAGE);
	((uint8_t *)fm_block_ptr(w.block))[6 * PAGE] = 1;
	cfg = config(&w, path);
	cfg.part = note;
	cfg.go_on = go_on;
	cfg.ctx = &told;
	assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
	assert_int_equal(told.calls, 2);
	assert_int_equal(told.last.why, FM_DUMP_HIDDEN);
	assert_ptr_equal(told.last.block, w.block);
	assert_int_equal(told.last.len, 8 * PAGE);
	/* All of it is done, though most was skipped. */
	assert_int_equal(told.done, 8 * PAGE);
	assert_int_equal(told.total, 8 * PAGE);
	/* Who is not done is told nothing. */
	told.calls = 0;
	assert_int_equal(fm_dump_write(&cfg, NULL, NULL), FM_ERR_EXISTS);
	assert_int_equal(told.calls, 0);
	unlink(path);
	cfg.roles = FM_DUMP_ROLE(FM_ROLE_DIMM);
	assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
	assert_int_equal(told.calls, 1);
	assert_string_equal(fm_dump_why_name(told.last.why), "not chosen");
	assert_string_equal(fm_dump_why_name((enum fm_dump_why)9), "unknown");
	fm_machine_free(w.machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(idle_memory_is_neither_read_nor_made_resident),
		tmpdir_test(what_another_process_stored_is_in_the_dump),
		tmpdir_test(pages_that_show_a_file_are_in_the_dump),
		tmpdir_test(a_window_into_the_middle_of_pages_is_dumped_byte_by_byte),
		tmpdir_test(what_is_in_and_what_is_not_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
