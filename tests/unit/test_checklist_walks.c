/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checklist, points 9 to 12 and 15 to 17: which blocks an operation is about, and who else writes to them.
 * Started as "NAME writer MEMORY LOG" it is the other process of point 15.
 */
#include "tests/unit/child.h"
#include "tests/unit/reset_fixture.h"
#include "tests/unit/tmpdir.h"

#include <firmem/dirty.h>
#include <firmem/dump.h>
#include <firmem/loaded.h>
#include <firmem/migration.h>
#ifdef HAVE_MEASURE
#include <firmem/digest.h>
#endif

#include <linux/magic.h>
#include <sys/vfs.h>

#define MIB (UINT64_C(1) << 20)

/* --- machines --------------------------------------------------------------------------------------- */

struct world {
	struct fm_machine *machine;
	struct fm_space *space;
};

static struct world world_make(void)
{
	struct fm_space_config sc = { .struct_size = sizeof(sc), .name = "memory" };
	struct world w = { .machine = machine_make() };

	assert_int_equal(fm_space_new(&w.space, &sc, NULL), 0);
	assert_int_equal(fm_machine_add_space(w.machine, w.space, NULL), 0);
	return w;
}

/* A block that the guest sees. */
static struct fm_block *show(struct world *w, struct fm_block_config cfg, uint64_t gpa,
			     int priority)
{
	struct fm_ram_config rc = { .struct_size = sizeof(rc), .block = add_cfg(w->machine, cfg) };
	struct fm_window_config wc = { .struct_size = sizeof(wc),
				       .gpa = gpa,
				       .priority = priority };

	assert_int_equal(fm_ram_new(&wc.dev, &rc, NULL), 0);
	assert_int_equal(fm_machine_add_dev(w->machine, wc.dev, NULL), 0);
	assert_int_equal(fm_space_add(w->space, &wc, NULL, NULL), 0);
	return rc.block;
}

/* --- 9 -------------------------------------------------------------------------------------------- */

struct stream {
	struct fm_migration_block *blocks;
	size_t count;
};

static struct stream stream_of(struct fm_machine *m)
{
	struct stream s = { .count = 0 };
	size_t len;
	void *bytes;

	assert_int_equal(fm_migration_write(m, NULL, &bytes, &len, NULL), 0);
	assert_int_equal(fm_migration_read(bytes, len, NULL, &s.blocks, &s.count, NULL, NULL), 0);
	free(bytes);
	return s;
}

static void point_09_unnamed_is_not_migratable(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_block *unnamed = add(m, NULL, FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_block *again = add(m, NULL, FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_error err = { 0 };
	struct stream s = stream_of(m);

	assert_string_equal(fm_block_name(unnamed), "");
	assert_ptr_equal(fm_machine_next_block(m, FM_WALK_MIGRATABLE, NULL), ram);
	assert_null(fm_machine_next_block(m, FM_WALK_MIGRATABLE, ram));
	assert_ptr_equal(fm_machine_next_block(m, FM_WALK_ALL, unnamed), again);
	assert_int_equal(s.count, 1);
	assert_string_equal(s.blocks[0].name, "ram");
	assert_int_equal(fm_migration_postcopy(unnamed, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "does not migrate"));
	free(s.blocks);
	fm_machine_free(m);
}

/* --- 10 ------------------------------------------------------------------------------------------- */

static void differs(struct fm_machine *m, const struct stream *s, bool postcopy, int code,
		    const char *what, const char *more)
{
	const struct fm_migration_config c = { .struct_size = sizeof(c), .postcopy = postcopy };
	struct fm_error err = { 0 };

	assert_int_equal(fm_migration_match(m, &c, s->blocks, s->count, &err), code);
	if (!strstr(err.msg, what) || !strstr(err.msg, more) || !strstr(err.msg, "expected"))
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.msg, what, more);
}

/* Another host's machine. */
static struct fm_machine *other(const char *second, uint64_t len, unsigned flags)
{
	struct fm_machine *m = machine_make();

	add_cfg(m, BLOCK_RAW(.name = "pc.ram", .role = FM_ROLE_RAM, .len = 8 * MIB));
	if (second)
		add_cfg(m, BLOCK_RAW(.name = second, .role = FM_ROLE_VRAM, .len = len,
				     .flags = flags));
	return m;
}

static void point_10_stream_is_keyed_by_name(void **state)
{
	struct fm_machine *source = other("vga.vram", 2 * MIB, 0);
	struct fm_machine *m = other("vga.vram", 2 * MIB, 0);
	struct stream s = stream_of(source);
	struct fm_migration_block first = s.blocks[0];

	/* By name, and not by the order in which they were added. */
	s.blocks[0] = s.blocks[1];
	s.blocks[1] = first;
	assert_int_equal(fm_migration_match(m, NULL, s.blocks, s.count, NULL), 0);
	fm_machine_free(m);
	free(s.blocks);
	s = stream_of(source);
	/* Called otherwise on the other side. */
	m = other("vga0.vram", 2 * MIB, 0);
	differs(m, &s, false, FM_ERR_NOT_FOUND, "\"vga.vram\"", "\"vga0.vram\" is as long");
	fm_machine_free(m);
	/* Not there; there and not to migrate; there, and not in the stream. */
	m = other(NULL, 0, 0);
	differs(m, &s, false, FM_ERR_NOT_FOUND, "\"vga.vram\"", "only the stream has it");
	fm_machine_free(m);
	m = other("vga.vram", 2 * MIB, FM_BLOCK_NO_MIGRATE);
	differs(m, &s, false, FM_ERR_STATE, "\"vga.vram\"", "does not migrate here");
	fm_machine_free(m);
	m = other("vga.vram", 2 * MIB, 0);
	s.count = 1;
	differs(m, &s, false, FM_ERR_NOT_FOUND, "\"vga.vram\"", "not in the stream");
	s.count = 2;
	fm_machine_free(m);
	/* Another length. */
	m = other("vga.vram", 4 * MIB, 0);
	differs(m, &s, false, FM_ERR_SIZE, "length 0x200000", "expected 0x400000");
	fm_machine_free(m);
	/* Another page size: of no matter when whole blocks are sent, and fatal when pages are fetched. */
	m = other("vga.vram", 2 * MIB, 0);
	s.blocks[1].page_size = 2 * MIB;
	assert_int_equal(fm_migration_match(m, NULL, s.blocks, s.count, NULL), 0);
	s.blocks[0].page_size = s.blocks[1].page_size;
	differs(m, &s, true, FM_ERR_SIZE, "page size 0x200000", "expected 0x1000");
	fm_machine_free(m);
	free(s.blocks);
	fm_machine_free(source);
}

/* --- 11, 12 ----------------------------------------------------------------------------------------- */

/* "name name ...", in order. */
static const char *walk(const struct fm_machine *m, enum fm_walk which)
{
	static char text[400];
	struct fm_block *b;

	text[0] = '\0';
	fm_machine_foreach_block (m, which, b) {
		strcat(text, *text ? " " : "");
		strcat(text, *fm_block_name(b) ? fm_block_name(b) : "-");
	}
	return text;
}

static void point_11_walks_are_separate(void **state)
{
	struct world w = world_make();

	show(&w, BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM, .len = MIB), 0, 0);
	show(&w, BLOCK_RAW(.name = "dimm", .role = FM_ROLE_DIMM, .len = MIB), 4 * MIB, 0);
	show(&w, BLOCK_RAW(.name = "nv", .role = FM_ROLE_NVDIMM, .len = MIB), 8 * MIB, 0);
	show(&w, BLOCK_RAW(.name = "rom", .role = FM_ROLE_ROM, .len = MIB), 12 * MIB, 0);
	add_cfg(w.machine, BLOCK_RAW(.name = "vram", .role = FM_ROLE_VRAM, .len = MIB));
	add_cfg(w.machine, BLOCK_RAW(.name = "table", .role = FM_ROLE_TABLE, .len = MIB));
	add_cfg(w.machine, BLOCK_RAW(.role = FM_ROLE_DEVICE, .len = MIB));
	add_cfg(w.machine, BLOCK_RAW(.name = "shared", .role = FM_ROLE_DEVICE, .len = MIB,
				     .flags = FM_BLOCK_NO_MIGRATE));
	assert_string_equal(walk(w.machine, FM_WALK_ALL), "ram dimm nv rom vram table - shared");
	assert_string_equal(walk(w.machine, FM_WALK_MIGRATABLE), "ram dimm nv rom vram table");
	assert_string_equal(walk(w.machine, FM_WALK_MAPPED), "ram dimm nv rom");
	assert_string_equal(walk(w.machine, FM_WALK_MEMORY_DEVICES), "dimm nv");
	assert_string_equal(walk(w.machine, FM_WALK_RESET_TARGETS), "ram dimm vram - shared");
	assert_string_equal(walk(w.machine, FM_WALK_DUMPABLE), "ram dimm");
	fm_machine_free(w.machine);
}

static void point_12_hidden_blocks_are_in_all(void **state)
{
	struct world w = world_make();
	struct fm_block *below, *smram, *none;
	struct fm_window *window;

	below = show(&w, BLOCK_RAW(.name = "below", .role = FM_ROLE_RAM, .len = MIB), MIB, 0);
	show(&w, BLOCK_RAW(.name = "over", .role = FM_ROLE_NVDIMM, .len = MIB), MIB, 1);
	smram = show(&w, BLOCK_RAW(.name = "smram", .role = FM_ROLE_SMRAM, .len = MIB), 0, 2);
	none = add_cfg(w.machine, BLOCK_RAW(.name = "none", .role = FM_ROLE_VRAM, .len = MIB));
	window = fm_space_next_window(w.space, NULL);
	assert_int_equal(fm_space_enable(w.space, window, false, NULL), 0);
	assert_string_equal(walk(w.machine, FM_WALK_MAPPED), "over");
	assert_string_equal(walk(w.machine, FM_WALK_ALL), "below over smram none");
	/* What no address shows is cleared all the same. */
	fill(below);
	fill(smram);
	fill(none);
	assert_int_equal(do_reset(w.machine,
				  REQUEST(.kind = FM_RESET_SYSTEM, .memory_overwrite = true),
				  *OPTIONS(.verify = true), NULL),
			 0);
	assert_true(all_bytes(fm_block_ptr(below), MIB, 0));
	assert_true(all_bytes(fm_block_ptr(smram), MIB, 0));
	assert_true(all_bytes(fm_block_ptr(none), MIB, 0));
	fm_machine_free(w.machine);
}

/* --- 15 ------------------------------------------------------------------------------------------- */

/* A log as vhost-user's has it: a byte for 8 pages of 4 KiB, from guest address 0 on. */
#define LOG_PAGE 4096u
#define RAM_AT (64 * MIB)
#define RAM_LEN (4 * MIB)
#define LOG_LEN ((RAM_AT + RAM_LEN) / LOG_PAGE / 8)

static const unsigned written_pages[] = { 0, 7, 8, 63, 64, 700, RAM_LEN / LOG_PAGE - 1 };

/* The other process: store to the guest's memory, then log it. */
static int writer(int memory_fd, int log_fd)
{
	uint8_t *memory = mmap(NULL, RAM_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	uint8_t *log = mmap(NULL, LOG_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, log_fd, 0);

	if (memory == MAP_FAILED || log == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < sizeof(written_pages) / sizeof(*written_pages); i++) {
		uint64_t gpa = RAM_AT + (uint64_t)written_pages[i] * LOG_PAGE;

		memory[gpa - RAM_AT + 17] = 0xe7;
		__atomic_fetch_or(&log[gpa / LOG_PAGE / 8], (uint8_t)(1u << gpa / LOG_PAGE % 8),
				  __ATOMIC_SEQ_CST);
	}
	return 0;
}

static void run_writer(int memory_fd, int log_fd)
{
	char memory[16], log[16];
	int status;
	pid_t pid;

	snprintf(memory, sizeof(memory), "%d", memory_fd);
	snprintf(log, sizeof(log), "%d", log_fd);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		fcntl(memory_fd, F_SETFD, 0);
		fcntl(log_fd, F_SETFD, 0);
		execl("/proc/self/exe", "writer", "writer", memory, log, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Take the bits of the block's addresses out of the shared log, and merge them. */
static void merge(struct fm_block *ram, uint64_t *log)
{
	uint64_t *at = log + RAM_AT / LOG_PAGE / 64;
	uint64_t bits[RAM_LEN / LOG_PAGE / 64];

	for (size_t i = 0; i < RAM_LEN / LOG_PAGE / 64; i++) {
		bits[i] = __atomic_exchange_n(&at[i], 0, __ATOMIC_SEQ_CST);
		/* Bytes, lowest address first. */
		bits[i] = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(bits[i])
								 : bits[i];
	}
	assert_int_equal(
		fm_dirty_import(fm_block_dirty(ram), 0, LOG_PAGE, bits, RAM_LEN / LOG_PAGE), 0);
}

static void point_15_external_writers_merge_their_log(void **state)
{
	const size_t count = sizeof(written_pages) / sizeof(*written_pages);
	struct world w = world_make();
	struct fm_block *ram = show(&w,
				    BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM, .len = RAM_LEN,
					      .backing = FM_BACKING_MEMFD),
				    RAM_AT, 0);
	struct fm_block *log = must_make(
		BLOCK_RAW(.role = FM_ROLE_DEVICE, .len = LOG_LEN, .backing = FM_BACKING_MEMFD));
	struct fm_block *alone = must_make(BLOCK_RAW(.role = FM_ROLE_RAM, .len = PAGE));
	struct fm_dirty *dirty = fm_block_dirty(ram);
	uint64_t bits[RAM_LEN / LOG_PAGE / 64];

	assert_true(fm_block_flags(ram) & FM_BLOCK_SHARED);
	assert_false(fm_block_flags(alone) & FM_BLOCK_SHARED);
	for (unsigned client = 0; client < 2; client++)
		assert_int_equal(fm_dirty_start(dirty, client, NULL), 0);
	run_writer(fm_block_fd(ram), fm_block_fd(log));
	/* The stores are there, and nobody here has heard of them. */
	assert_int_equal(bytes(ram)[7 * LOG_PAGE + 17], 0xe7);
	assert_int_equal(fm_dirty_count(dirty, 0), 0);
	merge(ram, fm_block_ptr(log));
	for (unsigned client = 0; client < 2; client++) {
		assert_int_equal(fm_dirty_harvest(dirty, client, 0, RAM_LEN, bits), count);
		for (size_t i = 0; i < count; i++) {
			unsigned page = written_pages[i];

			assert_true(bits[page / 64] >> page % 64 & 1);
		}
	}
	/* Once. */
	merge(ram, fm_block_ptr(log));
	assert_int_equal(fm_dirty_count(dirty, 0), 0);
	fm_block_free(alone);
	fm_block_free(log);
	fm_machine_free(w.machine);
}

/* --- 16 ------------------------------------------------------------------------------------------- */

static bool file_has(const char *path, const char *text)
{
	char command[600];

	snprintf(command, sizeof(command), "grep -aqF '%s' %s", text, path);
	return !system(command);
}

static struct fm_dump_result dump(const struct world *w, const char *path)
{
	const struct fm_dump_config c = { .struct_size = sizeof(c),
					  .machine = w->machine,
					  .space = w->space,
					  .roles = FM_DUMP_VOLATILE,
					  .elf_machine = 62,
					  .path = path };
	struct fm_dump_result r;

	assert_int_equal(fm_dump_write(&c, &r, NULL), 0);
	return r;
}

/* Nor is it cleared as if the host's zeros meant anything. */
static void reset_is_refused(struct fm_machine *m, struct fm_block *ram)
{
	struct fm_reset_plan *plan =
		plan_of(m, REQUEST(.kind = FM_RESET_SYSTEM, .cause = FM_RESET_CAUSE_GUEST));
	struct fm_error err = { 0 };

	assert_true(plan->refused);
	assert_int_equal(plan->count, 2);
	assert_int_equal(plan->steps[0].action, FM_RESET_KEEP);
	assert_int_equal(plan->steps[1].role, FM_ROLE_PRIVATE);
	assert_int_equal(plan->steps[1].action, FM_RESET_REFUSE);
	assert_int_equal(fm_reset_apply(m, plan, NULL, NULL, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "reset refused: block ram"));
	assert_memory_equal(bytes(ram) + MIB + 4096, "what is private", 15);
	fm_reset_plan_free(plan);
}

/* A guest of which the host reads the half that it shares. */
static void point_16_private_memory_is_not_dumped_unless_the_guest_allows(void **state)
{
	for (unsigned debug = 0; debug < 2; debug++) {
		const struct fm_private_config pc = { .struct_size = sizeof(pc), .debug = debug };
		const char *path = tmpdir_path(state, debug ? "debug" : "core");
		struct world w = world_make();
		struct fm_block *ram = show(
			&w, BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM, .len = 2 * MIB), 0, 0);
		struct fm_dump_result r;

		assert_int_equal(fm_private_enable(ram, &pc, NULL), 0);
		assert_int_equal(fm_private_convert(ram, MIB, MIB, true, NULL), 0);
		memcpy(bytes(ram) + 4096, "what is shared", 14);
		memcpy(bytes(ram) + MIB + 4096, "what is private", 15);
		assert_int_equal(fm_private_dumpable(ram), debug);
		r = dump(&w, path);
		assert_true(file_has(path, "what is shared"));
		assert_int_equal(file_has(path, "what is private"), debug);
		assert_int_equal(r.private_bytes, debug ? 0 : MIB);
		/* What is missing is said in the dump itself. */
		assert_int_equal(file_has(path, "ram: role ram: private"), !debug);
		reset_is_refused(w.machine, ram);
		fm_machine_free(w.machine);
	}
}

static void point_16_what_is_launched_is_loaded_and_measured(void **state)
{
	struct world w = world_make();
	struct fm_block *code =
		show(&w, BLOCK_RAW(.name = "code", .role = FM_ROLE_FLASH_CODE, .len = 64 * 1024),
		     0xffff0000, 0);
	struct fm_reset_plan *plan;
	struct fm_loaded *loaded;
	struct fm_error err = { 0 };
	const void *image;
	uint64_t len;

	memset(fm_block_ptr(code), 0x90, 64 * 1024);
	/* A confidential guest that is built anew is measured: the plan says so. */
	plan = plan_of(w.machine, REQUEST(.kind = FM_RESET_CONFIDENTIAL));
	assert_true(step_of(plan, "code")->due & FM_RESET_DUE_MEASURE);
	fm_reset_plan_free(plan);
	assert_int_equal(fm_loaded_new(&loaded, w.space, 0, NULL), 0);
	assert_int_equal(fm_loaded_image(loaded, 0, &image, &len, NULL), 0);
	assert_int_equal(len, 64 * 1024);
	assert_true(all_bytes(image, len, 0x90));
	assert_int_equal(fm_loaded_check(loaded, w.space, NULL), 0);
#ifdef HAVE_MEASURE
	{
		uint8_t of_image[32], of_block[32];

		assert_int_equal(fm_digest_bytes(FM_DIGEST_SHA256, image, len, of_image, NULL), 0);
		assert_int_equal(
			fm_digest_bytes(FM_DIGEST_SHA256, fm_block_ptr(code), len, of_block, NULL),
			0);
		assert_memory_equal(of_image, of_block, 32);
	}
#endif
	/* What was measured is what runs, or it is found. */
	bytes(code)[12345] = 0xcc;
	assert_int_equal(fm_loaded_check(loaded, w.space, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "code"));
	fm_loaded_free(loaded);
	fm_machine_free(w.machine);
}

/* --- 17 ------------------------------------------------------------------------------------------- */

static void unfit(struct fm_block *b, int code, const char *why)
{
	struct fm_error err = { 0 };

	assert_int_equal(fm_migration_postcopy(b, &err), code);
	if (!strstr(err.msg, why) || !strstr(err.msg, "expected"))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
	fm_block_free(b);
}

static void point_17_postcopy_wants_whole_pages_that_can_be_missing(void **state)
{
	const struct fm_private_config pc = { .struct_size = sizeof(pc) };
	struct fm_error err = { 0 };
	struct fm_block *b;

	unfit(must_make(BLOCK_CONFIG(.len = 3 * PAGE + 512)), FM_ERR_SIZE,
	      "0x3200 bytes in pages of 0x1000");
	unfit(must_make(BLOCK_CONFIG(.len = PAGE, .flags = FM_BLOCK_NO_MIGRATE)), FM_ERR_STATE,
	      "does not migrate");
	b = must_make(BLOCK_CONFIG(.len = 2 * PAGE));
	assert_int_equal(fm_private_enable(b, &pc, NULL), 0);
	assert_int_equal(fm_private_convert(b, PAGE, PAGE, true, NULL), 0);
	unfit(b, FM_ERR_STATE, "private");
	b = must_make(BLOCK_CONFIG(.len = 2 * PAGE));
	fm_block_discard_inhibit(b);
	unfit(b, FM_ERR_BUSY, "pinned");
	if (fm_block_new(&b, &BLOCK_CONFIG(.len = PAGE, .flags = FM_BLOCK_LOCKED), &err))
		print_message("no locked memory to ask about: %s\n", err.msg);
	else
		unfit(b, FM_ERR_BUSY, "locked");
}

/* What the kernel says, which is asked. */
static void point_17_postcopy_asks_the_kernel(void **state)
{
	const enum fm_backing fit[] = { FM_BACKING_ANON, FM_BACKING_MEMFD };
	const char *path = tmpdir_path(state, "file");
	struct fm_error err = { 0 };
	struct fm_block *b;
	struct statfs fs;

	for (unsigned i = 0; i < 2; i++) {
		b = must_make(BLOCK_CONFIG(.backing = fit[i], .len = 4 * PAGE));
		bytes(b)[0] = 1;
		if (fm_migration_postcopy(b, &err)) {
			print_message("skipped: %s\n", err.msg);
			fm_block_free(b);
			skip();
		}
		/* Nobody watches it now: a page that is missing comes as ever. */
		assert_int_equal(bytes(b)[2 * PAGE], 0);
		assert_int_equal(bytes(b)[0], 1);
		fm_block_free(b);
	}
	b = must_make(FILE_CONFIG(.path = path, .len = 4 * PAGE,
				  .flags = FM_BLOCK_SHARED | FM_BLOCK_CREATE));
	assert_int_equal(statfs(path, &fs), 0);
	if (fs.f_type == TMPFS_MAGIC) {
		assert_int_equal(fm_migration_postcopy(b, NULL), 0);
		fm_block_free(b);
	} else {
		unfit(b, FM_ERR_UNSUPPORTED, "the kernel watches no such memory");
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(point_09_unnamed_is_not_migratable),
		cmocka_unit_test(point_10_stream_is_keyed_by_name),
		cmocka_unit_test(point_11_walks_are_separate),
		cmocka_unit_test(point_12_hidden_blocks_are_in_all),
		cmocka_unit_test(point_15_external_writers_merge_their_log),
		tmpdir_test(point_16_private_memory_is_not_dumped_unless_the_guest_allows),
		cmocka_unit_test(point_16_what_is_launched_is_loaded_and_measured),
		cmocka_unit_test(point_17_postcopy_wants_whole_pages_that_can_be_missing),
		tmpdir_test(point_17_postcopy_asks_the_kernel),
	};

	if (argc == 4 && !strcmp(argv[1], "writer"))
		return writer(atoi(argv[2]), atoi(argv[3]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
