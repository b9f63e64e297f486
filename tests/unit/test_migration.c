/* SPDX-License-Identifier: BSD-2-Clause */
/* The set-up of a stream: its bytes, what it says wrongly, and machines that it does not fit. */
#include "tests/unit/reset_fixture.h"

#include <firmem/migration.h>

#include "devices/bytes.h"

#define CONFIG(...)                                                                        \
	(&(struct fm_migration_config){ .struct_size = sizeof(struct fm_migration_config), \
					__VA_ARGS__ })

struct stream {
	void *bytes;
	size_t len;
	struct fm_migration_block *blocks;
	size_t count;
};

static struct stream written(struct fm_machine *m, const struct fm_migration_config *cfg)
{
	struct stream s = { .bytes = NULL };
	struct fm_error err = { 0 };
	size_t used = 0;

	if (fm_migration_write(m, cfg, &s.bytes, &s.len, &err) ||
	    fm_migration_read(s.bytes, s.len, cfg, &s.blocks, &s.count, &used, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(used, s.len);
	return s;
}

static void end(struct stream *s)
{
	free(s->blocks);
	free(s->bytes);
}

static void the_bytes_are_those_of_the_format(void **state)
{
	static const uint8_t expected[] = "\0\0\0\0\0\0\x90\x04"
					  "\x03ram\0\0\0\0\0\0\x40\0"
					  "\x04vram\0\0\0\0\0\0\x40\0"
					  "\x03ppi\0\0\0\0\0\0\x10";
	struct fm_machine *m = machine_make();
	struct stream s;

	add_cfg(m, BLOCK_RAW(.name = "ram", .role = FM_ROLE_RAM, .len = 0x4000));
	add_cfg(m, BLOCK_RAW(.role = FM_ROLE_TABLE, .len = 0x4000));
	add_cfg(m, BLOCK_RAW(.name = "vram", .role = FM_ROLE_VRAM, .len = 0x3fff));
	add_cfg(m, BLOCK_RAW(.name = "scratch", .role = FM_ROLE_DEVICE, .len = 0x4000,
			     .flags = FM_BLOCK_NO_MIGRATE));
	/* Shorter than a target page: rounded up. */
	add_cfg(m, BLOCK_RAW(.name = "ppi", .role = FM_ROLE_PPI, .len = 0x400));
	s = written(m, NULL);
	assert_int_equal(s.len, sizeof(expected));
	assert_memory_equal(s.bytes, expected, sizeof(expected));
	assert_int_equal(s.count, 3);
	assert_string_equal(s.blocks[1].name, "vram");
	assert_int_equal(s.blocks[1].len, 0x4000);
	assert_int_equal(s.blocks[2].page_size, 0);
	assert_int_equal(fm_migration_match(m, NULL, s.blocks, s.count, NULL), 0);
	end(&s);
	/* Target pages of another size than the host's. */
	s = written(m, CONFIG(.target_page = 65536));
	assert_int_equal(s.blocks[0].len, 65536);
	assert_memory_equal(s.bytes, "\0\0\0\0\0\x03\0\x04", 8);
	end(&s);
	s = written(m, CONFIG(.target_page = 1024));
	assert_int_equal(s.blocks[2].len, 0x400);
	end(&s);
	fm_machine_free(m);
}

static void a_machine_without_blocks_has_an_empty_set_up(void **state)
{
	struct fm_machine *m = machine_make();
	struct stream s = written(m, NULL);

	assert_int_equal(s.len, 8);
	assert_int_equal(s.count, 0);
	assert_int_equal(fm_migration_match(m, NULL, s.blocks, s.count, NULL), 0);
	end(&s);
	fm_machine_free(m);
}

/* --- bytes that lie ------------------------------------------------------------------------------- */

static void refuse(const void *bytes, size_t len, int code, const char *what)
{
	struct fm_migration_block *blocks = (void *)&len;
	struct fm_error err = { 0 };
	size_t count = 77, used = 78;

	assert_int_equal(fm_migration_read(bytes, len, NULL, &blocks, &count, &used, &err), code);
	if (!strstr(err.msg, what) || !strstr(err.msg, "expected") || strchr(err.msg, '\n'))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, what);
	assert_ptr_equal(blocks, &len);
	assert_int_equal(count, 77);
	assert_int_equal(used, 78);
}

#define REFUSE(bytes, code, what) refuse(bytes, sizeof(bytes) - 1, code, what)

static void bytes_that_lie_are_named(void **state)
{
	REFUSE("\0\0\0\0\0\0\x10", FM_ERR_SIZE, "offset 0x0: the bytes end, expected 1 more");
	REFUSE("\0\0\0\0\0\0\x10\x08", FM_ERR_FORMAT, "0x1008");
	REFUSE("\0\0\0\0\0\0\x14\x04", FM_ERR_FORMAT, "0x1404");
	REFUSE("\0\0\0\0\0\0\x10\x04", FM_ERR_SIZE, "offset 0x8");
	REFUSE("\0\0\0\0\0\0\x10\x04\0", FM_ERR_FORMAT, "length of a name 0x0");
	REFUSE("\0\0\0\0\0\0\x10\x04\x02x", FM_ERR_SIZE, "expected 1 more");
	REFUSE("\0\0\0\0\0\0\x10\x04\x02x\n\0\0\0\0\0\0\x10\0", FM_ERR_FORMAT,
	       "offset 0xa: byte of a name 0xa");
	REFUSE("\0\0\0\0\0\0\x10\x04\x01x\0\0\0\0\0\0\x10", FM_ERR_SIZE, "offset 0xa");
	REFUSE("\0\0\0\0\0\0\x10\x04\x01x\0\0\0\0\0\0\0\0", FM_ERR_FORMAT, "length of a block 0x0");
	REFUSE("\0\0\0\0\0\0\x10\x04\x01x\0\0\0\0\0\0\x20\0", FM_ERR_FORMAT, "block 0x2000");
	REFUSE("\0\0\0\0\0\0\x20\x04\x01x\0\0\0\0\0\0\x11\0", FM_ERR_FORMAT, "block 0x1100");
	REFUSE("\0\0\0\0\0\0\x20\x04\x01x\0\0\0\0\0\0\x10\0\x01x\0\0\0\0\0\0\x10\0", FM_ERR_FORMAT,
	       "block \"x\" twice");
}

/* 200,000 names of 7 bytes: comparing each with each other would take many minutes. */
static void very_many_names_are_no_work_without_end(void **state)
{
	const size_t n = 200000;
	size_t len = 8 + n * 16;
	uint8_t *bytes = calloc(1, len);
	struct fm_migration_block *blocks;
	size_t count;

	assert_non_null(bytes);
	fmi_put_be64(bytes, n * 4096 | 4);
	for (size_t i = 0; i < n; i++) {
		uint8_t *at = bytes + 8 + i * 16;
		char name[8];

		snprintf(name, sizeof(name), "%07zx", n - i);
		at[0] = 7;
		memcpy(at + 1, name, 7);
		fmi_put_be64(at + 8, 4096);
	}
	assert_int_equal(fm_migration_read(bytes, len, NULL, &blocks, &count, NULL, NULL), 0);
	assert_int_equal(count, n);
	assert_string_equal(blocks[0].name, "0030d40");
	free(blocks);
	memcpy(bytes + 8 + (n - 1) * 16, bytes + 8, 8);
	refuse((char *)bytes, len, FM_ERR_FORMAT, "block \"0030d40\" twice");
	free(bytes);
}

static void arguments_that_cannot_be_are_named(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_migration_block *blocks;
	struct fm_error err;
	size_t len, count;
	void *bytes;

	assert_int_equal(fm_migration_write(m, CONFIG(.target_page = 512), &bytes, &len, &err),
			 FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "target_page: 0x200"));
	assert_int_equal(fm_migration_write(m, CONFIG(.target_page = 3000), &bytes, &len, &err),
			 FM_ERR_ARG);
	assert_int_equal(fm_migration_write(NULL, NULL, &bytes, &len, &err), FM_ERR_ARG);
	assert_int_equal(fm_migration_read(NULL, 8, NULL, &blocks, &count, NULL, &err), FM_ERR_ARG);
	assert_int_equal(fm_migration_match(m, NULL, NULL, 1, &err), FM_ERR_ARG);
	assert_int_equal(fm_migration_postcopy(NULL, &err), FM_ERR_ARG);
	fm_machine_free(m);
}

/* --- postcopy ------------------------------------------------------------------------------------- */

/* A stream of a host whose block has huge pages; what follows is the end of the section, or more. */
static void a_page_size_is_read_where_there_is_one(void **state)
{
	static const uint8_t bytes[] = "\0\0\0\0\0\x60\0\x04"
				       "\x01x\0\0\0\0\0\x20\0\0"
				       "\0\0\0\0\0\x20\0\0"
				       "\x01y\0\0\0\0\0\x20\0\0"
				       "\x01z\0\0\0\0\0\x20\0\0"
				       "\0\0\0\0\0\x20\0\0"
				       "\0\0\0\0\0\0\0\x10";
	struct fm_migration_block *blocks;
	struct fm_error err = { 0 };
	size_t count, used;

	if (fm_migration_read(bytes, sizeof(bytes) - 1, CONFIG(.postcopy = true), &blocks, &count,
			      &used, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(count, 3);
	assert_int_equal(used, sizeof(bytes) - 1 - 8);
	assert_int_equal(blocks[0].page_size, 0x200000);
	assert_int_equal(blocks[1].page_size, 0);
	assert_int_equal(blocks[2].page_size, 0x200000);
	free(blocks);
	/* Without postcopy there is none: the next block cannot begin so. */
	assert_int_equal(
		fm_migration_read(bytes, sizeof(bytes) - 1, NULL, &blocks, &count, &used, &err),
		FM_ERR_FORMAT);
	/* A block that is the last one, and what follows it. */
	assert_int_equal(fm_migration_read("\0\0\0\0\0\0\x10\x04\x01x\0\0\0\0\0\0\x10\0"
					   "\0\0\0\0\0\0\0\x10",
					   26, CONFIG(.postcopy = true), &blocks, &count, &used,
					   &err),
			 0);
	assert_int_equal(used, 18);
	free(blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_those_of_the_format),
		cmocka_unit_test(a_machine_without_blocks_has_an_empty_set_up),
		cmocka_unit_test(bytes_that_lie_are_named),
		cmocka_unit_test(very_many_names_are_no_work_without_end),
		cmocka_unit_test(arguments_that_cannot_be_are_named),
		cmocka_unit_test(a_page_size_is_read_where_there_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
