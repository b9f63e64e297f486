/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checklist of "RAM is getting more complex" (KVM Forum 2018), a test for each point: what memory is and
 * what it is made of. Points 9 to 12 and 15 to 17 are in test_checklist_walks.c, the rest in test_checklist_map.c.
 */
#include "tests/unit/child.h"
#include "tests/unit/reset_fixture.h"
#include "tests/unit/tmpdir.h"

#include <firmem/flash.h>
#include <firmem/image.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

#define HUGE_PAGE (UINT64_C(2) << 20)

/* The linker puts this in front of the C library's. */
static atomic_uint threads_made;
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	atomic_fetch_add(&threads_made, 1);
	return __real_pthread_create(thread, attr, fn, arg);
}

static struct fm_mapping map_of(struct fm_dev *dev)
{
	struct fm_mapping m;

	assert_int_equal(fm_dev_map(dev, 0, &m), 0);
	return m;
}

static struct fm_dev *add_ram(struct fm_machine *m, struct fm_block *block)
{
	const struct fm_ram_config cfg = { .struct_size = sizeof(cfg), .block = block };
	struct fm_dev *dev;

	assert_int_equal(fm_ram_new(&dev, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	return dev;
}

static struct fm_dev *add_flash(struct fm_machine *m, struct fm_block *block)
{
	const struct fm_flash_config cfg = { .struct_size = sizeof(cfg),
					     .block = block,
					     .regions = { { 4096, 4 } },
					     .nregions = 1 };
	struct fm_dev *dev;

	assert_int_equal(fm_flash_new(&dev, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	return dev;
}

/* --- 1 -------------------------------------------------------------------------------------------- */

/* RAM, device RAM, ROM, flash, persistent memory, and a table that no address shows. */
static void point_01_types(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_dev *ram = add_ram(m, add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON));
	struct fm_dev *dev = add_ram(m, add(m, "devram", FM_ROLE_DEVICE, FM_BACKING_ANON));
	struct fm_dev *rom = add_rom(m, add(m, "rom", FM_ROLE_ROM, FM_BACKING_ANON), false);
	struct fm_dev *nv = add_ram(m, add(m, "nv", FM_ROLE_NVDIMM, FM_BACKING_MEMFD));
	struct fm_dev *flash = add_flash(m, add(m, "flash", FM_ROLE_FLASH_VARS, FM_BACKING_ANON));
	struct fm_block *table = add(m, "etc/acpi/tables", FM_ROLE_TABLE, FM_BACKING_ANON);
	uint8_t before = 0;
	uint64_t value;

	assert_int_equal(map_of(ram).prot, FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC);
	assert_int_equal(map_of(dev).prot, FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC);
	assert_int_equal(map_of(nv).prot, FM_MAP_READ | FM_MAP_WRITE | FM_MAP_EXEC);
	/* A ROM is read without a trap, and a write changes nothing. */
	assert_int_equal(map_of(rom).prot, FM_MAP_READ | FM_MAP_EXEC);
	before = *(uint8_t *)fm_block_ptr(map_of(rom).block);
	fm_dev_write(rom, 0, 1, (uint8_t)~before, FM_ATTRS_NONE);
	assert_int_equal(*(uint8_t *)fm_block_ptr(map_of(rom).block), before);
	/* Flash is mapped for reads and traps writes; a command turns reads into traps too. */
	assert_true(map_of(flash).prot & FM_MAP_READ);
	assert_false(map_of(flash).prot & FM_MAP_WRITE);
	assert_true(fm_dev_write(flash, 0, 4, 0x00700070, FM_ATTRS_NONE) & FM_EFF_REMAP);
	assert_int_equal(map_of(flash).prot, 0);
	assert_int_equal(fm_dev_read(flash, 0, 4, &value, FM_ATTRS_NONE), 0);
	assert_int_equal(value, 0x00800080);
	assert_true(fm_dev_write(flash, 0, 4, 0x00ff00ff, FM_ATTRS_NONE) & FM_EFF_REMAP);
	assert_true(map_of(flash).prot & FM_MAP_READ);
	/* The table is the machine's and nobody's mapping. */
	assert_ptr_equal(fm_machine_block(m, "etc/acpi/tables"), table);
	assert_null(fm_machine_next_block(m, FM_WALK_MAPPED, NULL));
	assert_true(fm_role_nonvolatile(FM_ROLE_NVDIMM) && fm_role_nonvolatile(FM_ROLE_FLASH_VARS));
	assert_false(fm_role_nonvolatile(FM_ROLE_RAM) || fm_role_nonvolatile(FM_ROLE_DEVICE));
	fm_machine_free(m);
}

/* --- 2 -------------------------------------------------------------------------------------------- */

/* Do stores to the block reach its descriptor, as another process would see it? */
static bool reaches_fd(const struct fm_block *b)
{
	uint8_t byte = 0;

	bytes(b)[3] = 0x5c;
	return fm_block_fd(b) >= 0 && pread(fm_block_fd(b), &byte, 1, 3) == 1 && byte == 0x5c;
}

static void point_02_backings(void **state)
{
	const char *path = tmpdir_path(state, "file");
	uint8_t *mine =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fm_block *anon = must_make(BLOCK_CONFIG(.len = PAGE));
	struct fm_block *memfd = must_make(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = PAGE));
	struct fm_block *file = must_make(
		FILE_CONFIG(.path = path, .len = PAGE, .flags = FM_BLOCK_SHARED | FM_BLOCK_CREATE));
	struct fm_block *adopted =
		must_make(BLOCK_CONFIG(.backing = FM_BACKING_ADOPTED, .ptr = mine, .len = PAGE));
	/* A file of tmpfs, by its descriptor: what a memfd is, made by somebody else. */
	int fd = memfd_create("theirs", MFD_CLOEXEC);
	struct fm_block *passed;

	assert_int_equal(ftruncate(fd, (off_t)PAGE), 0);
	passed = must_make(FILE_CONFIG(.fd = fd, .flags = FM_BLOCK_USE_FD | FM_BLOCK_SHARED));
	assert_int_equal(fm_block_backing(anon), FM_BACKING_ANON);
	assert_int_equal(fm_block_fd(anon), -1);
	assert_true(reaches_fd(memfd) && reaches_fd(file) && reaches_fd(passed));
	assert_int_equal(tmpdir_byte(path, 3), 0x5c);
	assert_true(fm_block_file_created(file));
	assert_false(fm_block_file_created(passed));
	bytes(adopted)[7] = 9;
	assert_int_equal(mine[7], 9);
	fm_block_free(anon);
	fm_block_free(memfd);
	fm_block_free(file);
	fm_block_free(passed);
	fm_block_free(adopted);
	/* Adopted memory stays its owner's. */
	assert_int_equal(mine[7], 9);
	munmap(mine, PAGE);
	close(fd);
}

/* A block of huge pages, or a skip that says why. */
static struct fm_block *need_huge(enum fm_role role, uint64_t page_size)
{
	struct fm_error err = { 0 };
	struct fm_block *b = NULL;
	struct fm_block_config cfg =
		BLOCK_RAW(.name = "huge", .role = role, .backing = FM_BACKING_HUGETLB,
			  .len = page_size, .page_size = page_size);

	if (fm_block_new(&b, &cfg, &err)) {
		print_message("skipped: %s\n", err.msg);
		skip();
	}
	print_message("pages of %llu KiB\n", (unsigned long long)fm_block_page_size(b) / 1024);
	return b;
}

static void a_huge_page_is_one(uint64_t page_size)
{
	struct fm_block *b = need_huge(FM_ROLE_RAM, page_size);

	assert_int_equal(fm_block_page_size(b), page_size);
	assert_true(reaches_fd(b));
	fm_block_free(b);
}

static void point_02_backings_hugetlb_2_mib(void **state)
{
	a_huge_page_is_one(HUGE_PAGE);
}

static void point_02_backings_hugetlb_1_gib(void **state)
{
	a_huge_page_is_one(UINT64_C(1) << 30);
}

/* Is a file of this folder persistent memory? The kernel alone knows. */
static bool is_pmem(const char *path)
{
	int fd = open(path, O_RDWR);
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);

	close(fd);
	if (at == MAP_FAILED)
		return false;
	munmap(at, PAGE);
	return true;
}

static void point_02_backings_host_pmem(void **state)
{
	const char *path = tmpdir_path(state, "pmem");
	struct fm_block *b;

	tmpdir_fill(path, PAGE, 0);
	if (!is_pmem(path)) {
		print_message("skipped: the folder for temporary files is no persistent memory "
			      "(mmap with MAP_SYNC fails)\n");
		skip();
	}
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_SHARED));
	assert_true(reaches_fd(b));
	fm_block_free(b);
}

/* --- 3 -------------------------------------------------------------------------------------------- */

/* Both roles on both kinds of memory; the role decides what a memory overwrite does, the backing nothing. */
static void point_03_role_and_backing_are_independent(void **state)
{
	const char *const names[] = { "ram-on-ram", "ram-on-file", "nv-on-ram", "nv-on-file" };
	struct fm_machine *m = machine_make();
	struct fm_block *b[4];

	for (unsigned i = 0; i < 4; i++) {
		bool file = i & 1;

		b[i] = add_cfg(m, BLOCK_RAW(.name = names[i],
					    .role = i & 2 ? FM_ROLE_NVDIMM : FM_ROLE_RAM,
					    .backing = file ? FM_BACKING_FILE : FM_BACKING_ANON,
					    .path = file ? tmpdir_path(state, names[i]) : NULL,
					    .len = PAGE,
					    .flags = file ? FM_BLOCK_SHARED | FM_BLOCK_CREATE : 0));
		fill(b[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(fm_block_role(b[i]), i & 2 ? FM_ROLE_NVDIMM : FM_ROLE_RAM);
		assert_int_equal(fm_block_backing(b[i]), i & 1 ? FM_BACKING_FILE : FM_BACKING_ANON);
	}
	assert_int_equal(do_reset(m, REQUEST(.kind = FM_RESET_SYSTEM, .memory_overwrite = true),
				  *OPTIONS(.verify = true), NULL),
			 0);
	for (unsigned i = 0; i < 4; i++)
		assert_true(all_bytes(fm_block_ptr(b[i]), PAGE, i & 2 ? SECRET : 0));
	assert_int_equal(tmpdir_byte(tmpdir_path(state, names[1]), 0), 0);
	assert_int_equal(tmpdir_byte(tmpdir_path(state, names[3]), 0), SECRET);
	fm_machine_free(m);
}

/* --- 4 -------------------------------------------------------------------------------------------- */

static void edit(const char *path, size_t off, uint8_t byte)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
	close(fd);
}

/* A file of the host's, a ROM of it: neither sees what happens to the other. */
static void point_04_rom_is_a_private_copy(void **state)
{
	const char *path = tmpdir_path(state, "bios.bin");
	struct fm_image *image;
	struct fm_block *block;
	struct fm_dev *rom;
	uint64_t gpa, value = 0;

	tmpdir_fill(path, 8192, 0x11);
	assert_int_equal(fm_image_open(&image, NULL, path, FM_IMAGE_RAW, 0xf0000, NULL), 0);
	assert_int_equal(
		fm_rom_from_image(&block, &rom, &gpa, image, "bios", FM_ROLE_ROM, 0, 0, NULL), 0);
	fm_image_free(image);
	for (size_t off = 0; off < 8192; off += 512)
		edit(path, off, 0x22);
	for (uint64_t off = 0; off < 8192; off += 512) {
		assert_int_equal(fm_dev_read(rom, off, 1, &value, FM_ATTRS_NONE), 0);
		assert_int_equal(value, 0x11);
		fm_dev_write(rom, off, 1, 0x33, FM_ATTRS_NONE);
	}
	assert_true(all_bytes(fm_block_ptr(block), 8192, 0x11));
	/* Shadow RAM takes writes; the file does not see them, and a reset forgets them. */
	memset(fm_block_ptr(block), 0x44, 8192);
	for (size_t off = 0; off < 8192; off += 512)
		assert_int_equal(tmpdir_byte(path, off), 0x22);
	assert_int_equal(tmpdir_byte(path, 1), 0x11);
	fm_dev_reset(rom, FM_RESET_SYSTEM);
	assert_true(all_bytes(fm_block_ptr(block), 8192, 0x11));
	fm_dev_free(rom);
	fm_block_free(block);
	/* A private mapping of a file, for what needs no copy: stores stay in it as well. */
	block = must_make(FILE_CONFIG(.path = path));
	memset(fm_block_ptr(block), 0x55, 8192);
	fm_block_free(block);
	assert_int_equal(tmpdir_byte(path, 0), 0x22);
}

/* --- 5 -------------------------------------------------------------------------------------------- */

static int without_memfd(void *arg)
{
	struct fm_block_config c = BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = 3 * PAGE);
	struct fm_error err = { 0 };
	struct fm_block *b;

	if (!child_deny(SYS_memfd_create, -1, 0, EPERM))
		return CHILD_SKIP;
	CHILD_CHECK(is_refused(c, FM_ERR_ACCESS, "memfd_create"));
	c.flags = FM_BLOCK_FALLBACK;
	b = try_make(c);
	CHILD_CHECK(b && fm_block_backing(b) == FM_BACKING_ANON && fm_block_fd(b) == -1);
	CHILD_CHECK(fm_block_fallback(b, &err) == FM_ERR_ACCESS && err.sys == EPERM);
	CHILD_CHECK(strstr(err.msg, "memfd_create"));
	CHILD_CHECK(fm_block_flags(b) & FM_BLOCK_SHARED);
	fm_block_free(b);
	return 0;
}

static void point_05_a_failing_backing_is_an_error_and_a_fallback_is_asked_for(void **state)
{
	struct fm_block_config none = BLOCK_CONFIG(.backing = FM_BACKING_HUGETLB, .len = PAGE,
						   .page_size = UINT64_C(1) << 45);
	struct fm_error err = { .code = 0 };
	struct fm_block *b;

	/* Never silently: by default what cannot be had is not had. */
	assert_refused(none, FM_ERR_UNSUPPORTED, "page_size 0x200000000000");
	assert_refused(FILE_CONFIG(.path = tmpdir_path(state, "none"), .len = PAGE),
		       FM_ERR_NOT_FOUND, "none");
	assert_refused(FILE_CONFIG(.path = tmpdir_path(state, "no/where"), .len = PAGE,
				   .flags = FM_BLOCK_CREATE | FM_BLOCK_SHARED),
		       FM_ERR_NOT_FOUND, "no/where");
	assert_int_equal(tmpdir_entries(state), 0);
	none.flags = FM_BLOCK_FALLBACK;
	b = must_make(none);
	assert_int_equal(fm_block_backing(b), FM_BACKING_ANON);
	assert_int_equal(fm_block_page_size(b), PAGE);
	assert_int_equal(fm_block_fallback(b, &err), FM_ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "(hugetlb): page_size 0x200000000000"));
	bytes(b)[0] = 1;
	fm_block_free(b);
	/* What could be had is not replaced, and says nothing. */
	b = must_make(
		BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = PAGE, .flags = FM_BLOCK_FALLBACK));
	assert_int_equal(fm_block_backing(b), FM_BACKING_MEMFD);
	err.code = 77;
	assert_int_equal(fm_block_fallback(b, &err), 0);
	assert_int_equal(err.code, 77);
	fm_block_free(b);
	/* The caller's own mistakes are not the host's; and contents of a file come from nowhere else. */
	none.page_size = 3;
	assert_refused(none, FM_ERR_ARG, "page_size 0x3");
	assert_refused(FILE_CONFIG(.path = "x", .len = PAGE, .flags = FM_BLOCK_FALLBACK),
		       FM_ERR_ARG, "FM_BLOCK_FALLBACK");
	assert_refused(BLOCK_CONFIG(.len = PAGE, .flags = FM_BLOCK_FALLBACK), FM_ERR_ARG,
		       "FM_BLOCK_FALLBACK");
	child_run(without_memfd, NULL);
}

/* --- 6 -------------------------------------------------------------------------------------------- */

static void point_06_preallocation_on_n_threads(void **state)
{
	static const unsigned counts[] = { 1, 4, 16 };

	for (unsigned i = 0; i < 3; i++) {
		struct fm_block *b;
		unsigned before = threads_made;

		b = must_make(BLOCK_CONFIG(.backing = FM_BACKING_MEMFD, .len = 64 * PAGE,
					   .flags = FM_BLOCK_PREALLOC,
					   .prealloc_threads = counts[i]));
		assert_true(resident(b));
		/* The caller's is one of them. */
		assert_int_equal(threads_made - before, counts[i] - 1);
		fm_block_free(b);
	}
}

/* Touch all of a block in a process of its own: the signal that ended it, or 0. */
static int touch(struct fm_block *b)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		memset(fm_block_ptr(b), 1, (size_t)fm_block_len(b));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* A file system of 1 MiB, and a block of 4 MiB in it. */
static int fill_small_tmpfs(void *arg)
{
	struct fm_block_config c = FILE_CONFIG(.len = 4 << 20, .prealloc_threads = 4,
					       .flags = FM_BLOCK_SHARED | FM_BLOCK_CREATE);
	struct fm_block *b;
	char path[400];

	if (!child_mount_tmpfs(arg, 1 << 20))
		return CHILD_SKIP;
	snprintf(path, sizeof(path), "%s/ram", (char *)arg);
	c.path = path;
	/* The danger is real: without it the first store that finds no page kills. */
	b = try_make(c);
	CHILD_CHECK(b);
	CHILD_CHECK(touch(b) == SIGBUS);
	fm_block_free(b);
	CHILD_CHECK(!remove(path));
	c.flags |= FM_BLOCK_PREALLOC;
	CHILD_CHECK(is_refused(c, FM_ERR_NOSPACE, "preallocation"));
	CHILD_CHECK(access(path, F_OK));
	c.len = 512 << 10;
	b = try_make(c);
	CHILD_CHECK(b);
	CHILD_CHECK(!touch(b));
	fm_block_free(b);
	return 0;
}

static void point_06_preallocation_is_an_error_instead_of_sigbus(void **state)
{
	child_run(fill_small_tmpfs, *state);
}

/* --- 7 -------------------------------------------------------------------------------------------- */

static void point_07_a_file_that_is_not_empty_keeps_its_size(void **state)
{
	const char *path = tmpdir_path(state, "image");
	const unsigned shared = FM_BLOCK_SHARED | FM_BLOCK_CREATE | FM_BLOCK_PREALLOC;
	struct fm_block *b;

	tmpdir_fill(path, 3 * 4096 + 5, 0x66);
	assert_refused(FILE_CONFIG(.path = path, .len = 4 * 4096, .flags = shared), FM_ERR_SIZE,
		       "0x3005 bytes, expected at least 0x4000");
	assert_refused(FILE_CONFIG(.path = path, .file_off = 4 * 4096, .flags = shared),
		       FM_ERR_SIZE, "0x3005");
	b = must_make(FILE_CONFIG(.path = path, .len = 4096, .flags = shared));
	memset(fm_block_ptr(b), 0x77, 4096);
	fm_block_free(b);
	b = must_make(FILE_CONFIG(.path = path, .flags = FM_BLOCK_SHARED));
	assert_int_equal(fm_block_len(b), 3 * 4096 + 5);
	fm_block_free(b);
	assert_int_equal(tmpdir_size(path), 3 * 4096 + 5);
	assert_int_equal(tmpdir_byte(path, 4095), 0x77);
	assert_int_equal(tmpdir_byte(path, 4096), 0x66);
	assert_int_equal(tmpdir_byte(path, 3 * 4096 + 4), 0x66);
	/* An empty one gets its size, and loses it again if that was in vain. */
	path = tmpdir_path(state, "empty");
	tmpdir_fill(path, 0, 0);
	b = must_make(FILE_CONFIG(.path = path, .len = 4096, .flags = FM_BLOCK_SHARED));
	fm_block_free(b);
	assert_int_equal(tmpdir_size(path), 4096);
}

/* --- 8 -------------------------------------------------------------------------------------------- */

static void point_08_names_are_stable_and_unique(void **state)
{
	struct fm_machine *m = machine_make();
	char name[] = "pc.ram";
	struct fm_block *ram = add(m, name, FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_block *again =
		must_make(BLOCK_RAW(.name = "pc.ram", .role = FM_ROLE_VRAM, .len = PAGE));
	const char *is = fm_block_name(ram);
	struct fm_error err = { 0 };
	char other[16];

	/* The caller's bytes are the caller's. */
	name[0] = 'x';
	assert_string_equal(is, "pc.ram");
	assert_int_equal(fm_machine_add_block(m, again, &err), FM_ERR_EXISTS);
	assert_non_null(strstr(err.msg, "\"pc.ram\""));
	assert_ptr_equal(fm_machine_block(m, "pc.ram"), ram);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(other, sizeof(other), "block%u", i);
		add(m, other, FM_ROLE_DEVICE, FM_BACKING_ANON);
	}
	assert_ptr_equal(fm_block_name(ram), is);
	assert_ptr_equal(fm_machine_block(m, "pc.ram"), ram);
	assert_ptr_equal(fm_machine_next_block(m, FM_WALK_ALL, NULL), ram);
	/* Free again when its holder is gone. */
	assert_int_equal(fm_machine_remove_block(m, ram, NULL), 0);
	assert_int_equal(fm_machine_add_block(m, again, NULL), 0);
	fm_block_free(ram);
	fm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(point_01_types),
		tmpdir_test(point_02_backings),
		cmocka_unit_test(point_02_backings_hugetlb_2_mib),
		cmocka_unit_test(point_02_backings_hugetlb_1_gib),
		tmpdir_test(point_02_backings_host_pmem),
		tmpdir_test(point_03_role_and_backing_are_independent),
		tmpdir_test(point_04_rom_is_a_private_copy),
		tmpdir_test(point_05_a_failing_backing_is_an_error_and_a_fallback_is_asked_for),
		cmocka_unit_test(point_06_preallocation_on_n_threads),
		tmpdir_test(point_06_preallocation_is_an_error_instead_of_sigbus),
		tmpdir_test(point_07_a_file_that_is_not_empty_keeps_its_size),
		cmocka_unit_test(point_08_names_are_stable_and_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
