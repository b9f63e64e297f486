/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz/image_build.h"
#include "tests/unit/image_rows.h"

#include <inttypes.h>
#include <unistd.h>

#define ROOM (65536u * 56 + 0x200)

static uint8_t *room;

/* --- what is right ------------------------------------------------------------------------ */

static void the_segments_are_found_in_both_classes_and_byte_orders(void **state)
{
	for (int variant = 0; variant < 4; variant++) {
		uint8_t bytes[BUILD_ELF_LEN];
		struct build_elf e;
		size_t len = build_elf_sample(&e, bytes, variant & 1, variant & 2);
		struct fm_image *image = parse_ok(bytes, len, FM_IMAGE_AUTO);

		assert_int_equal(image->format, FM_IMAGE_ELF);
		assert_int_equal(image->big_endian, e.big);
		assert_int_equal(image->machine, 183);
		assert_int_equal(image->count, 2);
		assert_int_equal(image->segments[0].addr, 0x40000000);
		assert_int_equal(image->segments[0].mem_len, 0x20);
		assert_int_equal(image->segments[0].file_len, 0x20);
		assert_memory_equal(image->segments[0].data, bytes + BUILD_ELF_DATA_OFF, 0x20);
		assert_string_equal(image->segments[0].name, "sample segment 0");
		assert_int_equal(image->segments[1].addr, 0x40001000);
		assert_int_equal(image->segments[1].mem_len, 0x100);
		assert_int_equal(image->segments[1].file_len, 0x40);
		assert_memory_equal(image->segments[1].data, bytes + BUILD_ELF_CODE_OFF, 0x40);
		fm_image_free(image);
	}
}

static void the_entry_is_the_physical_address(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	struct fm_image *image;

	image = parse_ok(bytes, build_elf_sample(&e, bytes, true, false), FM_IMAGE_ELF);
	assert_true(image->has_entry);
	assert_int_equal(image->entry, 0x40001008);
	fm_image_free(image);

	/* In no executable segment: taken as it is. */
	build_elf_set(&e, -1, "e_entry", 0x8004);
	image = parse_ok(bytes, sizeof(bytes), FM_IMAGE_ELF);
	assert_true(image->has_entry);
	assert_int_equal(image->entry, 0x8004);
	fm_image_free(image);
}

static void an_entry_of_zero_counts_only_where_code_is_at_zero(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	struct fm_image *image;
	size_t len = build_elf_sample(&e, bytes, false, true);

	build_elf_set(&e, -1, "e_entry", 0);
	image = parse_ok(bytes, len, FM_IMAGE_ELF);
	assert_false(image->has_entry);
	assert_int_equal(image->entry, 0);
	fm_image_free(image);

	build_elf_set(&e, 1, "p_vaddr", 0);
	image = parse_ok(bytes, len, FM_IMAGE_ELF);
	assert_true(image->has_entry);
	assert_int_equal(image->entry, 0x40001000);
	fm_image_free(image);
}

static void a_segment_of_no_bytes_is_left_out(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	struct fm_image *image;
	size_t len = build_elf_sample(&e, bytes, true, true);

	build_elf_set(&e, 2, "p_filesz", 0);
	build_elf_set(&e, 2, "p_memsz", 0);
	image = parse_ok(bytes, len, FM_IMAGE_ELF);
	assert_int_equal(image->count, 1);
	assert_string_equal(image->segments[0].name, "sample");
	fm_image_free(image);
}

static void zeros_alone_may_begin_behind_the_end_of_the_file(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	struct fm_image *image;
	size_t len = build_elf_sample(&e, bytes, true, true);

	build_elf_set(&e, 2, "p_filesz", 0);
	build_elf_set(&e, 2, "p_offset", UINT64_MAX);
	image = parse_ok(bytes, len, FM_IMAGE_ELF);
	assert_int_equal(image->count, 2);
	assert_int_equal(image->segments[0].file_len, 0);
	fm_image_free(image);
}

static void a_segment_may_end_at_the_top_of_the_address_space(void **state)
{
	for (int wide = 0; wide < 2; wide++) {
		uint8_t bytes[BUILD_ELF_LEN];
		struct build_elf e;
		size_t len = build_elf_sample(&e, bytes, wide, false);
		const uint64_t top = wide ? UINT64_MAX : UINT32_MAX;
		struct fm_image *image;

		build_elf_set(&e, 1, "p_paddr", top - 0xff);
		image = parse_ok(bytes, len, FM_IMAGE_ELF);
		assert_true(image->segments[1].addr == top - 0xff);
		fm_image_free(image);
		build_elf_set(&e, 1, "p_paddr", top - 0xfe);
		expect_refusal(bytes, len, FM_IMAGE_ELF, FM_ERR_SIZE, "program header 1: p_paddr");
	}
}

static void touching_segments_are_no_overlap(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	size_t len = build_elf_sample(&e, bytes, true, false);

	build_elf_set(&e, 2, "p_paddr", 0x40001100);
	fm_image_free(parse_ok(bytes, len, FM_IMAGE_ELF));
	build_elf_set(&e, 2, "p_paddr", 0x400010ff);
	expect_refusal(bytes, len, FM_IMAGE_ELF, FM_ERR_OVERLAP, "0x400010ff");
	build_elf_set(&e, 2, "p_paddr", 0x40000fe1);
	expect_refusal(bytes, len, FM_IMAGE_ELF, FM_ERR_OVERLAP, "0x40000fe1");
}

/* --- more than 65534 program headers ---------------------------------------------------------- */

/* One note after another, then one PT_LOAD; the count is in section header 0. */
static size_t build_long(struct build_elf *e, bool wide, bool big)
{
	const uint32_t phnum = 65536;
	size_t at;

	memset(room, 0, ROOM);
	*e = (struct build_elf){ .bytes = room, .wide = wide, .big = big };
	build_elf_ehdr(e, 0xffff, 0x1000);
	for (uint32_t i = 0; i + 1 < phnum; i++)
		build_put(room + build_ehdr_len(e) + i * build_phdr_len(e), 4, big, 4);
	build_elf_phdr(e, (int)phnum - 1,
		       &(struct build_segment){ .type = 1, .filesz = 16, .memsz = 16 });
	at = build_ehdr_len(e) + phnum * build_phdr_len(e);
	build_elf_set(e, -1, "e_shoff", at);
	build_elf_set(e, -1, "e_shentsize", wide ? 64 : 40);
	build_put(room + at + (wide ? 44 : 28), 4, big, phnum);
	return at + (wide ? 64 : 40);
}

static void more_headers_than_e_phnum_can_say_are_counted_in_section_0(void **state)
{
	for (int variant = 0; variant < 4; variant++) {
		struct build_elf e;
		size_t len = build_long(&e, variant & 1, variant & 2);
		struct fm_image *image = parse_ok(room, len, FM_IMAGE_ELF);

		assert_int_equal(image->count, 1);
		fm_image_free(image);
	}
}

static void a_wrong_section_0_is_refused(void **state)
{
	for (int variant = 0; variant < 4; variant++) {
		struct build_elf e;
		size_t len = build_long(&e, variant & 1, variant & 2);
		uint8_t *sh_info = room + len - (e.wide ? 64 - 44 : 40 - 28);

		expect_refusal(room, len - 1, FM_IMAGE_ELF, FM_ERR_SIZE, "e_shoff");
		build_put(sh_info, 4, e.big, 0xfffe);
		expect_refusal(room, len, FM_IMAGE_ELF, FM_ERR_FORMAT, "sh_info");
		build_put(sh_info, 4, e.big, 0xffffffff);
		expect_refusal(room, len, FM_IMAGE_ELF, FM_ERR_SIZE, "e_phnum 4294967295");
		build_elf_set(&e, -1, "e_shoff", 0);
		expect_refusal(room, len, FM_IMAGE_ELF, FM_ERR_SIZE, "e_shoff");
		build_elf_set(&e, -1, "e_shoff", UINT64_MAX);
		expect_refusal(room, len, FM_IMAGE_ELF, FM_ERR_SIZE, "e_shoff");
		build_elf_set(&e, -1, "e_shentsize", 1);
		expect_refusal(room, len, FM_IMAGE_ELF, FM_ERR_FORMAT, "e_shentsize");
	}
}

static void a_million_segments_are_refused(void **state)
{
	const uint32_t phnum = (1 << 20) + 1;
	const size_t at = 52 + (size_t)phnum * 32;
	uint8_t *bytes = calloc(1, at + 40);
	struct build_elf e = { .bytes = bytes };

	build_elf_ehdr(&e, 0xffff, 0);
	build_elf_set(&e, -1, "e_shoff", at);
	build_elf_set(&e, -1, "e_shentsize", 40);
	build_put(bytes + at + 28, 4, false, phnum);
	for (uint32_t i = 0; i < phnum; i++) {
		build_put(bytes + 52 + (size_t)i * 32, 4, false, 1);
		build_put(bytes + 52 + (size_t)i * 32 + 12, 4, false, i);
		build_put(bytes + 52 + (size_t)i * 32 + 20, 4, false, 1);
	}
	expect_refusal(bytes, at + 40, FM_IMAGE_ELF, FM_ERR_SIZE, "1048576 segments");
	build_put(bytes + at + 28, 4, false, phnum - 1);
	fm_image_free(parse_ok(bytes, at + 40, FM_IMAGE_ELF));
	free(bytes);
}

/* --- what is wrong ------------------------------------------------------------------------- */

/* The sample with one field changed, in both byte orders and in the classes of the mask. */
struct row {
	const char *name;
	int header; /* -1 the ELF header's, else of that program header */
	const char *field;
	uint64_t value;
	int code;
	const char *word;
	unsigned classes; /* 1: 32-bit, 2: 64-bit, 3: both */
};

static const struct row rows[] = {
	{ "a class of 0", -1, "EI_CLASS", 0, FM_ERR_FORMAT, "EI_CLASS is 0", 3 },
	{ "a class of 3", -1, "EI_CLASS", 3, FM_ERR_FORMAT, "EI_CLASS is 3", 3 },
	{ "a byte order of 0", -1, "EI_DATA", 0, FM_ERR_FORMAT, "EI_DATA is 0", 3 },
	{ "a byte order of 3", -1, "EI_DATA", 3, FM_ERR_FORMAT, "EI_DATA is 3", 3 },
	{ "an ident version of 2", -1, "EI_VERSION", 2, FM_ERR_FORMAT, "EI_VERSION is 2", 3 },
	{ "a type of none", -1, "e_type", 0, FM_ERR_FORMAT, "e_type is 0", 3 },
	{ "a relocatable file", -1, "e_type", 1, FM_ERR_FORMAT, "e_type is 1", 3 },
	{ "a core file", -1, "e_type", 4, FM_ERR_FORMAT, "e_type is 4", 3 },
	{ "a version of 0", -1, "e_version", 0, FM_ERR_FORMAT, "e_version is 0", 3 },
	{ "a short ELF header", -1, "e_ehsize", 51, FM_ERR_FORMAT, "e_ehsize is 51", 3 },
	{ "a program header size of 0", -1, "e_phentsize", 0, FM_ERR_FORMAT, "e_phentsize is 0",
	  3 },
	{ "a program header size of 57", -1, "e_phentsize", 57, FM_ERR_FORMAT, "e_phentsize", 3 },
	{ "no program headers", -1, "e_phnum", 0, FM_ERR_FORMAT, "e_phnum is 0", 3 },
	{ "more program headers than bytes", -1, "e_phnum", 0xfffe, FM_ERR_SIZE, "e_phnum 65534",
	  3 },
	{ "a table at the end of the file", -1, "e_phoff", BUILD_ELF_LEN, FM_ERR_SIZE, "e_phoff",
	  3 },
	{ "a table at 4 GiB - 1", -1, "e_phoff", 0xffffffff, FM_ERR_SIZE, "e_phoff", 3 },
	{ "a table at 2^64 - 1", -1, "e_phoff", UINT64_MAX, FM_ERR_SIZE, "e_phoff", 3 },
	{ "an offset at the end", 1, "p_offset", BUILD_ELF_LEN, FM_ERR_SIZE, "p_offset is 0x180",
	  3 },
	{ "an offset that wraps", 1, "p_offset", UINT64_MAX, FM_ERR_SIZE, "p_offset", 3 },
	{ "a file size over the memory size", 1, "p_filesz", 0x101, FM_ERR_FORMAT, "p_filesz", 3 },
	{ "a file size beyond the file", 1, "p_filesz", 0x61, FM_ERR_SIZE, "p_filesz 0x61", 3 },
	{ "a memory size below the file size", 1, "p_memsz", 0x3f, FM_ERR_FORMAT, "p_memsz", 3 },
	{ "a memory size of 0 with data", 1, "p_memsz", 0, FM_ERR_FORMAT, "p_memsz = 0x0", 3 },
	{ "a memory size that wraps", 1, "p_memsz", UINT64_MAX, FM_ERR_SIZE, "p_memsz", 3 },
	{ "an end beyond 4 GiB", 1, "p_memsz", 0xc0000000, FM_ERR_SIZE, "expected an end by 2^32",
	  1 },
	{ "an address that wraps", 1, "p_paddr", UINT64_MAX, FM_ERR_SIZE, "p_paddr", 3 },
	{ "an alignment of 3", 1, "p_align", 3, FM_ERR_FORMAT, "p_align is 0x3", 3 },
	{ "two segments at one address", 2, "p_paddr", 0x40001000, FM_ERR_OVERLAP, "0x40001000",
	  3 },
};

static void a_wrong_field_is_refused_and_named(void **state)
{
	const struct row *row = *state;

	for (int variant = 0; variant < 4; variant++) {
		uint8_t bytes[BUILD_ELF_LEN];
		struct build_elf e;
		size_t len = build_elf_sample(&e, bytes, variant & 1, variant & 2);

		if (!(row->classes & (e.wide ? 2u : 1u)))
			continue;
		assert_true(build_elf_set(&e, row->header, row->field, row->value));
		expect_refusal(bytes, len, FM_IMAGE_ELF, row->code, row->word);
		expect_refusal(bytes, len, FM_IMAGE_AUTO, row->code, row->word);
	}
}

static void without_pt_load_there_is_nothing_to_load(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	size_t len = build_elf_sample(&e, bytes, true, false);

	build_elf_set(&e, 1, "p_type", 2);
	build_elf_set(&e, 2, "p_type", 0x6474e551);
	expect_refusal(bytes, len, FM_IMAGE_ELF, FM_ERR_FORMAT, "PT_LOAD");
}

static void another_magic_is_refused_when_elf_is_asked_for(void **state)
{
	uint8_t bytes[BUILD_ELF_LEN];
	struct build_elf e;
	size_t len = build_elf_sample(&e, bytes, true, false);

	bytes[3] = 'f';
	expect_refusal(bytes, len, FM_IMAGE_ELF, FM_ERR_FORMAT, "magic");
}

static void a_file_cut_anywhere_is_refused(void **state)
{
	for (int variant = 0; variant < 4; variant++) {
		uint8_t bytes[BUILD_ELF_LEN];
		struct build_elf e;
		size_t len = build_elf_sample(&e, bytes, variant & 1, variant & 2);

		for (size_t cut = 0; cut < len; cut++) {
			/* Its own allocation: a sanitizer sees a read behind it. */
			uint8_t *part = malloc(cut ? cut : 1);
			struct fm_image *image;
			int rc;

			memcpy(part, bytes, cut);
			rc = fm_image_parse(&image, "cut", part, cut, FM_IMAGE_ELF, 0, NULL);
			assert_true(rc == FM_ERR_SIZE || (cut < 4 && rc == FM_ERR_FORMAT));
			free(part);
		}
		expect_refusal(bytes, build_ehdr_len(&e) - 1, FM_IMAGE_ELF, FM_ERR_SIZE,
			       "expected an ELF header");
	}
}

/* --- firmware that is installed -------------------------------------------------------------- */

/* Compare with the LOAD lines of readelf(1): "LOAD offset vaddr paddr filesz memsz ...". */
static void compare_with_readelf(const char *path)
{
	struct fm_image *image = NULL;
	struct fm_error err = { 0 };
	char command[256], line[512];
	size_t found = 0;
	void *file;
	size_t len;
	FILE *out;

	assert_int_equal(fm_io_load(NULL, path, 1 << 30, &file, &len, NULL), 0);
	if (fm_image_open(&image, NULL, path, FM_IMAGE_AUTO, 0, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(image->format, FM_IMAGE_ELF);
	snprintf(command, sizeof(command), "LC_ALL=C readelf -lW %s 2>/dev/null", path);
	out = popen(command, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out)) {
		uint64_t off, paddr, filesz, memsz;
		size_t i = 0;

		if (sscanf(line, " LOAD %" SCNx64 " %*x %" SCNx64 " %" SCNx64 " %" SCNx64, &off,
			   &paddr, &filesz, &memsz) != 4)
			continue;
		while (i < image->count && image->segments[i].addr != paddr)
			i++;
		assert_true(i < image->count);
		assert_true(image->segments[i].mem_len == memsz);
		assert_true(image->segments[i].file_len == filesz);
		assert_true(off + filesz <= len);
		assert_memory_equal(image->segments[i].data, (uint8_t *)file + off, filesz);
		found++;
	}
	assert_int_equal(pclose(out), 0);
	assert_true(found > 0);
	assert_int_equal(found, image->count);
	fm_image_free(image);
	free(file);
}

static void installed_firmware_has_the_segments_that_readelf_sees(void **state)
{
	static const char *const paths[] = {
		"/usr/lib/u-boot/qemu_arm64/uboot.elf",
		"/usr/lib/u-boot/qemu_arm/uboot.elf",
		"/usr/lib/u-boot/qemu-ppce500/uboot.elf",
		"/usr/lib/u-boot/malta64el/uboot.elf",
		"/usr/lib/u-boot/qemu-x86/uboot.elf",
		"/usr/share/qemu/openbios-sparc32",
		"/usr/share/qemu/openbios-sparc64",
		"/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.elf",
	};
	unsigned seen = 0;

	if (system("command -v readelf >/dev/null") != 0) {
		print_message("skipped: no readelf (package binutils)\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (access(paths[i], R_OK) == 0) {
			compare_with_readelf(paths[i]);
			seen++;
		}
	}
	if (!seen) {
		print_message("skipped: no ELF firmware (packages u-boot-qemu, "
			      "qemu-system-data)\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_segments_are_found_in_both_classes_and_byte_orders),
		cmocka_unit_test(the_entry_is_the_physical_address),
		cmocka_unit_test(an_entry_of_zero_counts_only_where_code_is_at_zero),
		cmocka_unit_test(a_segment_of_no_bytes_is_left_out),
		cmocka_unit_test(zeros_alone_may_begin_behind_the_end_of_the_file),
		cmocka_unit_test(a_segment_may_end_at_the_top_of_the_address_space),
		cmocka_unit_test(touching_segments_are_no_overlap),
		cmocka_unit_test(more_headers_than_e_phnum_can_say_are_counted_in_section_0),
		cmocka_unit_test(a_wrong_section_0_is_refused),
		cmocka_unit_test(a_million_segments_are_refused),
		cmocka_unit_test(without_pt_load_there_is_nothing_to_load),
		cmocka_unit_test(another_magic_is_refused_when_elf_is_asked_for),
		cmocka_unit_test(a_file_cut_anywhere_is_refused),
		cmocka_unit_test(installed_firmware_has_the_segments_that_readelf_sees),
	};
	int rc;

	room = malloc(ROOM);
	rc = run_with_rows("image_elf", tests, sizeof(tests) / sizeof(tests[0]),
			   a_wrong_field_is_refused_and_named, rows, sizeof(rows) / sizeof(rows[0]),
			   sizeof(rows[0]));
	free(room);
	return rc;
}
