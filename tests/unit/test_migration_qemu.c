/* SPDX-License-Identifier: BSD-2-Clause */
/* The set-up of a stream that the installed QEMU writes: read, written again byte for byte, held against. */
#include "tests/unit/reset_fixture.h"
#include "tests/unit/tmpdir.h"

#include <firmem/migration.h>

#include <sys/wait.h>

#define QEMU "qemu-system-aarch64"

static void need_qemu(void)
{
	if (system("command -v " QEMU " >/dev/null 2>&1")) {
		print_message("skipped: no " QEMU "\n");
		skip();
	}
}

/* A guest that has not run, saved to a file by a command of QEMU's monitor. */
static void save(const char *path)
{
	char command[800];

	snprintf(command, sizeof(command),
		 "printf '%%s\\n' 'migrate \"exec:cat > %s\"' quit | timeout 60 " QEMU
		 " -accel tcg -machine virt -cpu cortex-a57 -m 64 -smp 1 -S -display none "
		 "-serial none -net none -monitor stdio >/dev/null 2>&1",
		 path);
	assert_int_equal(system(command), 0);
}

struct image {
	uint8_t *bytes;
	size_t len;
	size_t at; /* where the RAM section's own data begin */
};

/*
 * The section "ram", version 4: u8 1 (start), be32 number, u8 3, "ram", be32 instance, be32 version. What is
 * before it is QEMU's configuration, which has no such bytes.
 */
static struct image load(const char *path)
{
	static const uint8_t head[] = "\x03ram\0\0\0\0\0\0\0\x04";
	struct image m = { .len = (size_t)tmpdir_size(path) };
	FILE *f = fopen(path, "rb");
	uint8_t *found;

	assert_non_null(f);
	m.bytes = malloc(m.len);
	assert_int_equal(fread(m.bytes, 1, m.len, f), m.len);
	fclose(f);
	assert_memory_equal(m.bytes, "QEVM", 4);
	found = memmem(m.bytes, m.len, head, sizeof(head) - 1);
	assert_non_null(found);
	m.at = (size_t)(found - m.bytes) + sizeof(head) - 1;
	return m;
}

/* A machine of blocks of these names and lengths, in this order; `but` is called otherwise or changed. */
static struct fm_machine *machine_of(const struct fm_migration_block *blocks, size_t count,
				     size_t but, const char *name, uint64_t more)
{
	struct fm_machine *m = machine_make();

	for (size_t i = 0; i < count; i++) {
		bool other = i == but;

		add_cfg(m,
			BLOCK_RAW(.name = other && name ? name : blocks[i].name,
				  .role = FM_ROLE_RAM, .len = blocks[i].len + (other ? more : 0)));
	}
	return m;
}

static void says(struct fm_machine *m, const struct fm_migration_block *blocks, size_t count,
		 int code, const char *what)
{
	struct fm_error err = { 0 };

	assert_int_equal(fm_migration_match(m, NULL, blocks, count, &err), code);
	if (!strstr(err.msg, what) || !strstr(err.msg, blocks[0].name))
		fail_msg("\"%s\" does not say \"%s\" of %s", err.msg, what, blocks[0].name);
	fm_machine_free(m);
}

static void qemus_stream_is_read_and_written_again_to_the_byte(void **state)
{
	const char *path = tmpdir_path(state, "stream");
	struct fm_migration_block *blocks;
	struct fm_error err = { 0 };
	struct fm_machine *m;
	struct image q;
	size_t count, used, len;
	void *bytes;
	bool ram = false;

	need_qemu();
	save(path);
	q = load(path);
	if (fm_migration_read(q.bytes + q.at, q.len - q.at, NULL, &blocks, &count, &used, &err))
		fail_msg("%s", err.msg);
	assert_true(count >= 3);
	for (size_t i = 0; i < count; i++) {
		print_message("%s: 0x%llx\n", blocks[i].name, (unsigned long long)blocks[i].len);
		ram |= !strcmp(blocks[i].name, "mach-virt.ram") && blocks[i].len == 64 << 20;
	}
	assert_true(ram);
	/* The end of the section's first part: what the set-up does not take. */
	assert_memory_equal(q.bytes + q.at + used, "\0\0\0\0\0\0\0\x10", 8);
	m = machine_of(blocks, count, count, NULL, 0);
	if (fm_migration_write(m, NULL, &bytes, &len, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(len, used);
	assert_memory_equal(bytes, q.bytes + q.at, len);
	assert_int_equal(fm_migration_match(m, NULL, blocks, count, NULL), 0);
	fm_machine_free(m);
	says(machine_of(blocks, count, 0, "renamed", 0), blocks, count, FM_ERR_NOT_FOUND,
	     "only the stream has it");
	says(machine_of(blocks, count, 0, NULL, 4096), blocks, count, FM_ERR_SIZE, "length 0x");
	says(machine_of(blocks + 1, count - 1, count, NULL, 0), blocks, count, FM_ERR_NOT_FOUND,
	     "only the stream has it");
	free(bytes);
	free(blocks);
	free(q.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(qemus_stream_is_read_and_written_again_to_the_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
