/* SPDX-License-Identifier: BSD-2-Clause */
/* Dumps: what is in them, what is not, and what readelf and gdb say of them. */
#include "tests/unit/faultio.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include <firmem/dump.h>
#include <firmem/private.h>
#include <firmem/ram.h>
#include <firmem/rom.h>

#include <stdio.h>
#include <sys/mman.h>

#define KIB 1024u
#define MIB (1024u * KIB)
#define HIGH UINT64_C(0x140000000) /* above 4 GiB */

struct world {
	struct fm_machine *machine;
	struct fm_space *space;
};

static struct fm_block *add_block(struct world *w, const char *name, enum fm_role role,
				  uint64_t len, uint64_t gpa, int priority)
{
	struct fm_block_config mem = {
		.struct_size = sizeof(mem), .name = name, .role = role, .len = len
	};
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_window_config win = { .struct_size = sizeof(win),
					.gpa = gpa,
					.priority = priority };

	assert_int_equal(fm_block_new(&ram.block, &mem, NULL), 0);
	assert_int_equal(fm_machine_add_block(w->machine, ram.block, NULL), 0);
	assert_int_equal(fm_ram_new(&win.dev, &ram, NULL), 0);
	assert_int_equal(fm_machine_add_dev(w->machine, win.dev, NULL), 0);
	assert_int_equal(fm_space_add(w->space, &win, NULL, NULL), 0);
	return ram.block;
}

/* RAM with a ROM over its middle, a DIMM above 4 GiB, and what no dump shall have. */
static void init(struct world *w)
{
	struct fm_space_config cfg = { .struct_size = sizeof(cfg), .name = "memory" };
	uint8_t *ram, *dimm;

	assert_int_equal(fm_machine_new(&w->machine, "board", NULL), 0);
	assert_int_equal(fm_space_new(&w->space, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_space(w->machine, w->space, NULL), 0);
	ram = fm_block_ptr(add_block(w, "ram", FM_ROLE_RAM, MIB, 0, 0));
	memset(fm_block_ptr(add_block(w, "bios", FM_ROLE_ROM, 64 * KIB, 0xc0000, 1)), 0xb5,
	       64 * KIB);
	dimm = fm_block_ptr(add_block(w, "dimm0", FM_ROLE_DIMM, 2 * MIB, HIGH, 0));
	memset(fm_block_ptr(add_block(w, "nvdimm0", FM_ROLE_NVDIMM, MIB, HIGH + 16 * MIB, 0)), 0xa7,
	       MIB);
	memcpy(ram + 0x1000, "first", 5);
	memcpy(ram + 0xc1000, "under the ROM", 13);
	memcpy(dimm + 2 * MIB - 5, "last.", 5);
}

static struct fm_dump_config config(struct world *w, const char *path)
{
	return (struct fm_dump_config){ .struct_size = sizeof(struct fm_dump_config),
					.machine = w->machine,
					.space = w->space,
					.roles = FM_DUMP_VOLATILE,
					.elf_machine = 62,
					.path = path };
}

/* What a command prints, both streams. */
static char *output(const char *fmt, const char *path)
{
	static char text[16384];
	char command[512];
	size_t n;
	FILE *pipe;

	snprintf(command, sizeof(command), fmt, path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	n = fread(text, 1, sizeof(text) - 1, pipe);
	text[n] = '\0';
	pclose(pipe);
	return text;
}

static bool have(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
	return !system(command);
}

/* --- what is in it ----------------------------------------------------------------------- */

static void a_dump_has_the_chosen_roles_where_the_guest_sees_them(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct fm_dump_result result;
	struct world w;
	struct fm_dump_config cfg;
	char *text;

	init(&w);
	cfg = config(&w, path);
	assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
	assert_int_equal(result.segments, 3); /* RAM below and above the ROM, the DIMM */
	assert_int_equal(result.bytes, 3 * MIB - 64 * KIB);
	assert_int_equal(result.written, 2 * 4096);
	assert_int_equal(result.excluded, 2);
	assert_int_equal(result.hidden, 64 * KIB);
	text = output("grep -c 'under the ROM' %s; true", path);
	assert_string_equal(text, "0\n");
	text = output("strings %s", path);
	assert_non_null(strstr(text, "first"));
	assert_non_null(strstr(text, "last."));
	assert_non_null(strstr(text, "ram: role ram: hidden, 0x10000 bytes"));
	assert_non_null(strstr(text, "bios: role rom: not chosen, 0x10000 bytes"));
	assert_non_null(strstr(text, "nvdimm0: role nvdimm: not chosen, 0x100000 bytes"));
	fm_machine_free(w.machine);
}

static void what_is_private_is_left_out_and_told_unless_the_guest_lets_it_be_debugged(void **state)
{
	const char *path = tmpdir_path(state, "core");

	for (unsigned debug = 0; debug < 2; debug++) {
		const struct fm_private_config private = { .struct_size = sizeof(private),
							   .debug = debug };
		struct fm_dump_result result;
		struct world w;
		struct fm_dump_config cfg;
		struct fm_block *dimm;
		char *text;

		init(&w);
		dimm = fm_machine_block(w.machine, "dimm0");
		memcpy((uint8_t *)fm_block_ptr(dimm) + MIB, "ciphertext", 10);
		assert_int_equal(fm_private_enable(dimm, &private, NULL), 0);
		assert_int_equal(fm_private_convert(dimm, MIB, 64 * KIB, true, NULL), 0);
		cfg = config(&w, path);
		assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
		assert_int_equal(result.private_bytes, debug ? 0 : 64 * KIB);
		assert_int_equal(result.segments, debug ? 3 : 4);
		text = output("strings %s", path);
		assert_int_equal(strstr(text, "ciphertext") != NULL, debug);
		assert_int_equal(strstr(text, "dimm0: role dimm: private, 0x10000 bytes") == NULL,
				 debug);
		assert_non_null(strstr(text, "last."));
		fm_machine_free(w.machine);
		unlink(path);
	}
}

/* Two windows onto the first half of a block do not make up for the second. */
static void what_is_shown_twice_counts_once(void **state)
{
	struct fm_window_config win = { .struct_size = sizeof(win),
					.dev_off = MIB,
					.gpa = 2 * HIGH };
	struct fm_dump_result result;
	struct fm_window *w0;
	struct world w;
	struct fm_dump_config cfg;

	init(&w);
	cfg = config(&w, tmpdir_path(state, "core"));
	w0 = fm_space_next_window(w.space, NULL);
	while (fm_window_gpa(w0) != HIGH)
		w0 = fm_space_next_window(w.space, w0);
	win.dev = fm_window_dev(w0);
	assert_int_equal(fm_space_remove(w.space, w0, NULL), 0);
	/* 1 MiB to 1.75 MiB, 1.5 MiB to 2 MiB, and 1.25 MiB to 1.5 MiB of the DIMM. */
	win.len = 3 * MIB / 4;
	assert_int_equal(fm_space_add(w.space, &win, NULL, NULL), 0);
	win.gpa += 4 * MIB;
	win.dev_off = 3 * MIB / 2;
	win.len = MIB / 2;
	assert_int_equal(fm_space_add(w.space, &win, NULL, NULL), 0);
	win.gpa += 4 * MIB;
	win.dev_off = 5 * MIB / 4;
	win.len = MIB / 4;
	assert_int_equal(fm_space_add(w.space, &win, NULL, NULL), 0);
	assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
	assert_int_equal(result.hidden, MIB + 64 * KIB);
	assert_non_null(
		strstr(output("strings %s", cfg.path), "dimm0: role dimm: hidden, 0x100000 bytes"));
	fm_machine_free(w.machine);
}

/* A policy that lets the host debug does not put another file's pages behind the block. */
static void private_pages_of_another_file_are_left_out_whatever_the_policy(void **state)
{
	struct fm_private_config private = { .struct_size = sizeof(private),
					     .debug = true,
					     .use_fd = true };
	struct fm_dump_result result;
	struct world w;
	struct fm_dump_config cfg;
	struct fm_block *dimm;

	init(&w);
	dimm = fm_machine_block(w.machine, "dimm0");
	private.fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(private.fd, 2 * MIB), 0);
	assert_int_equal(fm_private_enable(dimm, &private, NULL), 0);
	assert_int_equal(fm_private_convert(dimm, MIB, 64 * KIB, true, NULL), 0);
	cfg = config(&w, tmpdir_path(state, "core"));
	assert_false(fm_private_dumpable(dimm));
	assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
	assert_int_equal(result.private_bytes, 64 * KIB);
	assert_non_null(
		strstr(output("strings %s", cfg.path), "dimm0: role dimm: private, 0x10000 bytes"));
	close(private.fd);
	fm_machine_free(w.machine);
}

static void roles_are_chosen_by_the_caller(void **state)
{
	struct fm_dump_result result;
	struct world w;
	struct fm_dump_config cfg;

	init(&w);
	cfg = config(&w, tmpdir_path(state, "core"));
	cfg.roles = FM_DUMP_ROLE(FM_ROLE_ROM);
	assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
	assert_int_equal(result.segments, 1);
	assert_int_equal(result.written, 64 * KIB);
	assert_int_equal(result.excluded, 3);
	fm_machine_free(w.machine);
}

static void pages_of_zeros_are_holes(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct stat st;
	struct world w;
	struct fm_dump_config cfg;

	init(&w);
	cfg = config(&w, path);
	assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 2 * (off_t)MIB);
	assert_true(st.st_blocks * 512 < 128 * (off_t)KIB);
	fm_machine_free(w.machine);
}

/* --- what others say ------------------------------------------------------------------------- */

static void readelf_opens_it_without_a_warning(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct world w;
	struct fm_dump_config cfg;
	char *text;

	if (!have("readelf")) {
		print_message("skipped: readelf is not installed\n");
		skip();
	}
	init(&w);
	cfg = config(&w, path);
	assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
	text = output("readelf -hln %s 2>&1", path);
	if (strstr(text, "arning") || strstr(text, "rror"))
		fail_msg("%s", text);
	assert_non_null(strstr(text, "CORE (Core file)"));
	assert_non_null(strstr(text, "0x0000000140000000 0x0000000140000000"));
	assert_non_null(strstr(text, "NT_PRSTATUS"));
	assert_non_null(strstr(text, "firmem"));
	fm_machine_free(w.machine);
}

static void gdb_reads_memory_above_4_gib(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct world w;
	struct fm_dump_config cfg;
	char *text;

	if (!have("gdb")) {
		print_message("skipped: gdb is not installed\n");
		skip();
	}
	init(&w);
	cfg = config(&w, path);
	assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
	text = output("gdb -nx -batch -ex 'core-file %s' -ex 'x/s 0x1000' "
		      "-ex 'x/5c 0x1401ffffb' 2>&1 </dev/null",
		      path);
	if (!strstr(text, "\"first\"") || !strstr(text, "108 'l'"))
		fail_msg("%s", text);
	fm_machine_free(w.machine);
}

/* More than 65534 ranges: the number is in a section header. */
static void a_dump_of_very_many_ranges_says_how_many(void **state)
{
	const unsigned count = 0x10001;
	const char *path = tmpdir_path(state, "core");
	struct fm_space_config space = { .struct_size = sizeof(space), .name = "memory" };
	struct fm_block_config mem = {
		.struct_size = sizeof(mem), .name = "ram", .role = FM_ROLE_RAM, .len = 2 * 4096
	};
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	struct fm_window_config win = { .struct_size = sizeof(win), .len = 4096 };
	struct fm_dump_result result;
	struct world w;
	struct fm_dump_config cfg;
	char *text;

	assert_int_equal(fm_machine_new(&w.machine, "board", NULL), 0);
	assert_int_equal(fm_space_new(&w.space, &space, NULL), 0);
	assert_int_equal(fm_machine_add_space(w.machine, w.space, NULL), 0);
	assert_int_equal(fm_block_new(&ram.block, &mem, NULL), 0);
	assert_int_equal(fm_machine_add_block(w.machine, ram.block, NULL), 0);
	assert_int_equal(fm_ram_new(&win.dev, &ram, NULL), 0);
	assert_int_equal(fm_machine_add_dev(w.machine, win.dev, NULL), 0);
	fm_space_begin(w.space);
	for (unsigned i = 0; i < count; i++) {
		win.gpa = (uint64_t)i * 8192;
		assert_int_equal(fm_space_add(w.space, &win, NULL, NULL), 0);
	}
	assert_true(fm_space_commit(w.space, NULL) >= 0);
	cfg = config(&w, path);
	assert_int_equal(fm_dump_write(&cfg, &result, NULL), 0);
	assert_int_equal(result.segments, count);
	if (have("readelf")) {
		text = output("readelf -h %s 2>&1", path);
		assert_non_null(strstr(text, "65535 (65538)"));
		assert_null(strstr(text, "arning"));
	}
	fm_machine_free(w.machine);
}

static void registers_and_vmcoreinfo_are_the_callers(void **state)
{
	static const char info[] = "OSRELEASE=6.1.0\nPAGESIZE=4096\n";
	uint8_t registers[336];
	const struct fm_dump_cpu cpus[] = { { registers, sizeof(registers) },
					    { registers, sizeof(registers) } };
	const char *path = tmpdir_path(state, "core");
	struct world w;
	struct fm_dump_config cfg;
	char *text;

	memset(registers, 0x5c, sizeof(registers));
	init(&w);
	cfg = config(&w, path);
	cfg.cpus = cpus;
	cfg.ncpus = 2;
	cfg.vmcoreinfo = info;
	cfg.vmcoreinfo_len = sizeof(info) - 1;
	assert_int_equal(fm_dump_write(&cfg, NULL, NULL), 0);
	text = output("strings %s", path);
	assert_non_null(strstr(text, "VMCOREINFO"));
	assert_non_null(strstr(text, "OSRELEASE=6.1.0"));
	if (have("readelf")) {
		text = output("readelf -n %s 2>&1 | grep -c NT_PRSTATUS", path);
		assert_string_equal(text, "2\n");
	}
	fm_machine_free(w.machine);
}

/* --- what cannot be ---------------------------------------------------------------------- */

static void a_selector_must_be_given(void **state)
{
	struct fm_error err = { 0 };
	struct world w;
	struct fm_dump_config cfg;

	init(&w);
	cfg = config(&w, tmpdir_path(state, "core"));
	cfg.roles = 0;
	assert_int_equal(fm_dump_write(&cfg, NULL, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "roles is 0x0, expected"));
	cfg.roles = FM_DUMP_ROLE(FM_ROLE_COUNT);
	assert_int_equal(fm_dump_write(&cfg, NULL, &err), FM_ERR_ARG);
	cfg = config(&w, tmpdir_path(state, "core"));
	cfg.elf_machine = 0;
	assert_int_equal(fm_dump_write(&cfg, NULL, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "elf_machine is 0, expected"));
	cfg.machine = NULL;
	assert_int_equal(fm_dump_write(&cfg, NULL, &err), FM_ERR_ARG);
	assert_int_equal(access(tmpdir_path(state, "core"), F_OK), -1);
	fm_machine_free(w.machine);
}

static void a_file_that_is_there_stays_as_it_is(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct fm_error err = { 0 };
	struct stat st;
	struct world w;
	struct fm_dump_config cfg;

	init(&w);
	tmpdir_fill(path, 10, 'x');
	cfg = config(&w, path);
	assert_int_equal(fm_dump_write(&cfg, NULL, &err), FM_ERR_EXISTS);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 10);
	fm_machine_free(w.machine);
}

static bool never(void *ctx, uint64_t done, uint64_t total)
{
	*(uint64_t *)ctx = total;
	return done < MIB;
}

static void a_dump_that_is_given_up_leaves_no_file(void **state)
{
	const char *path = tmpdir_path(state, "core");
	struct fm_error err = { 0 };
	uint64_t total = 0;
	struct world w;
	struct fm_dump_config cfg;

	init(&w);
	cfg = config(&w, path);
	cfg.go_on = never;
	cfg.ctx = &total;
	assert_int_equal(fm_dump_write(&cfg, NULL, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "given up"));
	assert_int_equal(total, 3 * MIB - 64 * KIB);
	assert_int_equal(access(path, F_OK), -1);
	fm_machine_free(w.machine);
}

/* Every call of the seam fails once: no file is left, and no descriptor. How often it was FM_ERR_SIZE, the rest FM_ERR_IO. */
static unsigned fail_each_call(void **state, int error, unsigned *rest)
{
	const char *path = tmpdir_path(state, "core");
	unsigned sizes = 0;
	struct world w;

	init(&w);
	for (unsigned n = 1;; n++) {
		struct fm_dump_config cfg = config(&w, path);
		struct fm_error err = { 0 };
		struct faultio f;

		faultio_init(&f);
		f.fail_at = n;
		f.error = error;
		cfg.io = &f.io;
		if (!fm_dump_write(&cfg, NULL, &err)) {
			assert_true(n > 5);
			break;
		}
		assert_true(err.code == FM_ERR_SIZE || err.code == FM_ERR_IO);
		assert_true((err.code == FM_ERR_SIZE) ==
			    (strstr(err.msg, "a file of the guest became shorter") != NULL));
		sizes += err.code == FM_ERR_SIZE;
		*rest += err.code == FM_ERR_IO;
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(f.open_files, 0);
	}
	fm_machine_free(w.machine);
	return sizes;
}

static void a_host_that_fails_at_any_call_leaves_no_file(void **state)
{
	unsigned rest = 0;

	assert_int_equal(fail_each_call(state, EIO, &rest), 0);
	assert_true(rest > 4);
}

/* What write(2) says of memory under which the file became shorter. It is no fault of the dump, and of its head. */
static void memory_that_went_away_is_not_the_dumps_fault(void **state)
{
	unsigned rest = 0;

	assert_true(fail_each_call(state, EFAULT, &rest) > 0);
	assert_true(rest > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_dump_has_the_chosen_roles_where_the_guest_sees_them),
		tmpdir_test(
			what_is_private_is_left_out_and_told_unless_the_guest_lets_it_be_debugged),
		tmpdir_test(private_pages_of_another_file_are_left_out_whatever_the_policy),
		tmpdir_test(what_is_shown_twice_counts_once),
		tmpdir_test(roles_are_chosen_by_the_caller),
		tmpdir_test(pages_of_zeros_are_holes),
		tmpdir_test(readelf_opens_it_without_a_warning),
		tmpdir_test(gdb_reads_memory_above_4_gib),
		tmpdir_test(a_dump_of_very_many_ranges_says_how_many),
		tmpdir_test(registers_and_vmcoreinfo_are_the_callers),
		tmpdir_test(a_selector_must_be_given),
		tmpdir_test(a_file_that_is_there_stays_as_it_is),
		tmpdir_test(a_dump_that_is_given_up_leaves_no_file),
		tmpdir_test(a_host_that_fails_at_any_call_leaves_no_file),
		tmpdir_test(memory_that_went_away_is_not_the_dumps_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
