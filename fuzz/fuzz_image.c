/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_image: images of each format, right but for a few fields that were changed by table, with the
 * checksums made right again or not, cut or not. What is not changed must load.
 */
#include "fuzz/image_build.h"
#include "fuzz/tape.h"

#include <firmem/rom.h>

#define ROOM 16384u

struct sample {
	enum fm_image_format format;
	uint8_t bytes[ROOM];
	size_t len;
	bool changed; /* may be wrong now */
	/* Intel HEX: what each address must hold when nothing was changed. */
	struct {
		uint64_t addr;
		uint8_t byte;
	} expected[4096];
	size_t count;
};

/* --- ELF --------------------------------------------------------------------------------- */

#define ELF_DATA 0x400u

static void change_elf(struct tape *t, const struct build_elf *e, unsigned phnum, size_t len)
{
	const struct build_field *f;
	int index = (int)tape_below(t, phnum + 1) - 1;
	size_t at = 0;

	if (index < 0) {
		f = &build_ehdr[tape_below(t, BUILD_EHDR_COUNT)];
	} else {
		f = &build_phdr[tape_below(t, BUILD_PHDR_COUNT)];
		at = build_ehdr_len(e) + (size_t)index * build_phdr_len(e);
	}
	/* Near the end of the file, or near another segment. */
	build_put(e->bytes + at + f->off[e->wide], f->size[e->wide], e->big,
		  tape_edge(t, tape_one_in(t, 2) ? len : 0x40001000));
}

static void make_elf(struct tape *t, struct sample *s)
{
	struct build_elf e = { .bytes = s->bytes };
	const unsigned phnum = 1 + tape_below(t, 6), down = tape_below(t, 2);

	e.wide = tape_one_in(t, 2);
	e.big = tape_one_in(t, 2);
	s->len = ELF_DATA + phnum * 0x40;
	build_elf_ehdr(&e, phnum, 0x1008);
	for (unsigned i = 0; i < phnum; i++) {
		struct build_segment segment = {
			.type = 1,
			.offset = ELF_DATA + i * 0x40,
			.vaddr = 0x1000 * i,
			.paddr = 0x40000000 + 0x1000 * (down ? phnum - i : i),
		};

		segment.flags = tape_below(t, 8);
		segment.filesz = tape_below(t, 0x41);
		segment.memsz = 0x41 + tape_below(t, 0x1000 - 0x40);
		segment.align = 1u << tape_below(t, 16);
		build_elf_phdr(&e, (int)i, &segment);
	}
	for (unsigned n = tape_below(t, 4); n > 0; n--, s->changed = true)
		change_elf(t, &e, phnum, s->len);
	if (tape_one_in(t, 16)) {
		build_elf_set(&e, -1, "e_phnum", 0xffff);
		build_elf_set(&e, -1, "e_shentsize", e.wide ? 64 : 40);
		build_elf_set(&e, -1, "e_shoff", s->len - 64 + tape_below(t, 64));
		s->changed = true;
	}
}

/* --- uImage ------------------------------------------------------------------------------ */

static void make_uimage(struct tape *t, struct sample *s)
{
	static const uint8_t types[] = { 1, 2, 3, 5, 7, 8 };
	const unsigned size = 1 + tape_below(t, 300);
	unsigned seal;

	s->len = 64 + size + tape_below(t, 3);
	build_uimage_sample(s->bytes);
	build_uimage_set(s->bytes, "ih_size", size);
	build_uimage_set(s->bytes, "ih_type", types[tape_below(t, sizeof(types))]);
	build_uimage_seal(s->bytes, s->len, true);
	for (unsigned n = tape_below(t, 4); n > 0; n--, s->changed = true) {
		const struct build_field *f =
			&build_uimage_fields[tape_below(t, BUILD_UIMAGE_COUNT)];

		build_put(s->bytes + f->off[0], f->size[0], true,
			  tape_edge(t, tape_one_in(t, 2) ? size : 16));
	}
	/* Mostly right again: a parser that only ever sees wrong checksums has an easy life. */
	seal = tape_below(t, 8);
	if (s->changed && seal > 0)
		build_uimage_seal(s->bytes, s->len, seal > 1);
}

/* --- Intel HEX --------------------------------------------------------------------------- */

/* A record that is wrong in one of its fields, with a right checksum mostly. */
static void wrong_record(struct tape *t, struct sample *s)
{
	const unsigned n = tape_below(t, 6), type = tape_below(t, 8);
	const unsigned offset = (unsigned)tape_edge(t, 0xffff);
	const unsigned error = tape_one_in(t, 8) ? tape_u8(t) : 0;
	uint8_t data[255];

	for (unsigned i = 0; i < n; i++)
		data[i] = (uint8_t)tape_edge(t, 0xff);
	build_hex_record((char *)s->bytes, &s->len, type, offset, data, n, error);
}

/* Characters that mean something, and some that do not. */
static void change_text(struct tape *t, struct sample *s)
{
	static const char chars[] = ":\n\r0123456789abcdefABCDEFgG \t";
	size_t at = tape_below(t, (unsigned)s->len);

	s->bytes[at] = tape_one_in(t, 8) ? tape_u8(t) : (uint8_t)chars[tape_below(t, 29)];
}

/* Up to 16 data records at rising addresses, in both kinds of bases. */
static void make_ihex(struct tape *t, struct sample *s)
{
	const unsigned records = 1 + tape_below(t, 16), wrong = tape_below(t, 4);
	char *text = (char *)s->bytes;
	uint8_t data[255];

	for (unsigned i = 0; i < records; i++) {
		const bool linear = i >= 8;
		uint8_t base[2] = { (uint8_t)(linear ? 1 : i << 4), (uint8_t)(linear ? 2 * i : 0) };
		unsigned n = i ? tape_below(t, 256) : 1, offset = tape_below(t, 65536);
		uint64_t upper = linear ? (UINT64_C(0x100) | 2 * i) << 16 : (uint64_t)i << 16;

		if (tape_one_in(t, 2))
			offset |= 0xff00; /* likely across 64 KiB */

		for (unsigned k = 0; k < n; k++) {
			unsigned at = offset + k;

			data[k] = (uint8_t)(k + i);
			s->expected[s->count].addr = upper + (linear ? at : at & 0xffff);
			s->expected[s->count++].byte = data[k];
		}
		build_hex_record(text, &s->len, linear ? 4 : 2, 0, base, 2, 0);
		build_hex_record(text, &s->len, 0, offset, data, n, 0);
		if (wrong && tape_one_in(t, 8)) {
			wrong_record(t, s);
			s->changed = true;
		}
	}
	build_hex_record(text, &s->len, 1, 0, NULL, 0, 0);
	for (unsigned k = 1; k < wrong; k++, s->changed = true)
		change_text(t, s);
}

/* --- what must hold ------------------------------------------------------------------------ */

static void check_rom(const struct fm_image *image)
{
	struct fm_block *block = NULL;
	struct fm_dev *rom = NULL;
	uint64_t gpa = 0;
	int rc =
		fm_rom_from_image(&block, &rom, &gpa, image, "fuzz", FM_ROLE_ROM, 0, 1 << 20, NULL);

	if (rc) {
		TAPE_CHECK(rc == FM_ERR_SIZE && !block && !rom);
		return;
	}
	TAPE_CHECK(fm_rom_pristine(rom, NULL));
	for (size_t i = 0; i < image->count; i++) {
		const struct fm_image_segment *s = &image->segments[i];

		TAPE_CHECK(s->addr - gpa + s->mem_len <= fm_block_len(block));
		TAPE_CHECK(!s->file_len || !memcmp((uint8_t *)fm_block_ptr(block) + (s->addr - gpa),
						   s->data, (size_t)s->file_len));
	}
	fm_dev_free(rom);
	fm_block_free(block);
}

/* A byte of the image, or -1. */
static int image_byte(const struct fm_image *image, uint64_t addr)
{
	for (size_t i = 0; i < image->count; i++) {
		const struct fm_image_segment *s = &image->segments[i];

		if (addr - s->addr < s->file_len)
			return s->data[addr - s->addr];
	}
	return -1;
}

static void check_unchanged(const struct fm_image *image, const struct sample *s)
{
	uint64_t total = 0;

	TAPE_CHECK(image->format == s->format || s->format == FM_IMAGE_RAW);
	if (s->format != FM_IMAGE_IHEX)
		return;
	for (size_t i = 0; i < s->count; i++)
		TAPE_CHECK(image_byte(image, s->expected[i].addr) == s->expected[i].byte);
	for (size_t i = 0; i < image->count; i++)
		total += image->segments[i].file_len;
	TAPE_CHECK(total == s->count);
}

static void check_image(const struct fm_image *image, size_t len, uint64_t top)
{
	uint32_t crcs = 0;
	struct fm_placement *places = calloc(image->count, sizeof(*places));
	uint64_t total = 0;

	TAPE_CHECK(places && image->count && image->format != FM_IMAGE_AUTO);
	TAPE_CHECK(memchr(image->name, 0, sizeof(image->name)));
	TAPE_CHECK(image->has_entry || !image->entry);
	for (size_t i = 0; i < image->count; i++) {
		const struct fm_image_segment *s = &image->segments[i];

		TAPE_CHECK(s->mem_len && s->file_len <= s->mem_len);
		TAPE_CHECK(s->addr <= top && s->mem_len - 1 <= top - s->addr);
		TAPE_CHECK(!i || s[-1].addr + (s[-1].mem_len - 1) < s->addr);
		TAPE_CHECK(memchr(s->name, 0, sizeof(s->name)));
		/* For the sanitizer: all of it can be read. */
		crcs |= build_crc32(s->data, (size_t)s->file_len);
		total += s->file_len;
		places[i] = (struct fm_placement){ s->name, s->addr, s->mem_len };
	}
	TAPE_CHECK(total || !crcs);
	TAPE_CHECK(image->format == FM_IMAGE_ELF || total <= len);
	TAPE_CHECK(fm_placement_check(places, image->count, NULL, NULL, NULL) == 0);
	free(places);
	check_rom(image);
}

static void parse(struct tape *t, struct sample *s)
{
	enum fm_image_format format = s->format;
	struct fm_error err = { 0 };
	struct fm_image *image = NULL;
	uint8_t *exact;
	int rc;

	if (tape_one_in(t, 8)) {
		s->len = tape_below(t, (unsigned)s->len + 1);
		s->changed = true;
	}
	if (tape_one_in(t, 4))
		format = FM_IMAGE_AUTO;
	if (tape_one_in(t, 32)) {
		format = (enum fm_image_format)tape_below(t, 6);
		s->changed = true;
	}
	/* Of just its size, so that a sanitizer sees a read behind it. */
	exact = malloc(s->len ? s->len : 1);
	memcpy(exact, s->bytes, s->len);
	rc = fm_image_parse(&image, "dir/fuzz", exact, s->len, format, tape_edge(t, s->len), &err);
	free(exact);
	if (!rc) {
		bool wide = image->format == FM_IMAGE_RAW ||
			    (image->format == FM_IMAGE_ELF && s->bytes[4] == 2);

		check_image(image, s->len, wide ? UINT64_MAX : UINT32_MAX);
		if (!s->changed)
			check_unchanged(image, s);
		fm_image_free(image);
		return;
	}
	TAPE_CHECK(s->changed || s->format == FM_IMAGE_RAW);
	TAPE_CHECK(rc == err.code && rc != FM_ERR_NOMEM && !image);
	TAPE_CHECK(!strncmp(err.msg, "fuzz: ", 6) && !strchr(err.msg, '\n'));
}

/* --- option ROMs ------------------------------------------------------------------------- */

static void try_option_rom(struct tape *t)
{
	static const uint8_t header[] = { 0, 1, 2, 3, 4, 0x18, 0x19 };
	static const uint8_t structure[] = { 0, 4, 0x0a, 0x0b, 0x10, 0x11, 0x14, 0x15 };
	const size_t len = 512 * (1 + tape_below(t, 3));
	const size_t given = len - (tape_one_in(t, 8) ? tape_u8(t) : 0);
	const size_t pcir = tape_one_in(t, 2) ? len - 24 - tape_below(t, 24) : 0x40;
	struct fm_option_rom_info info;
	struct fm_error err = { 0 };
	uint8_t *rom = calloc(1, given);
	uint8_t whole[3 * 512] = { 0x55, 0xaa, (uint8_t)(len / 512) };
	int rc;

	build_put(whole + 0x18, 2, false, pcir);
	memcpy(whole + pcir, "PCIR", 4);
	whole[pcir + 0x0a] = 24;
	whole[pcir + 0x10] = (uint8_t)(len / 512);
	whole[pcir + 0x14] = tape_one_in(t, 4) ? 3 : 0;
	if (whole[pcir + 0x14] == 3)
		build_put(whole + 4, 2, false, 0x0ef1);
	whole[0x30] = tape_u8(t);
	for (unsigned n = tape_below(t, 4); n > 0; n--) {
		size_t at = tape_one_in(t, 2) ? pcir + structure[tape_below(t, sizeof(structure))]
					      : header[tape_below(t, sizeof(header))];

		whole[at] = (uint8_t)tape_edge(t, 0x40);
	}
	memcpy(rom, whole, given);
	rc = fm_option_rom_check(rom, given, &info, &err);
	TAPE_CHECK(rc == err.code);
	if (!rc || rc == FM_ERR_CHECKSUM)
		TAPE_CHECK(info.len <= given && info.init_len && info.init_len <= info.len);
	if (fm_option_rom_fix(rom, given, NULL)) {
		TAPE_CHECK(rc && !memcmp(rom, whole, given));
	} else {
		struct fm_option_rom_info fixed;

		TAPE_CHECK(!fm_option_rom_check(rom, given, &fixed, NULL));
		TAPE_CHECK(fixed.len == info.len && fixed.pci_vendor == info.pci_vendor);
		TAPE_CHECK(!memcmp(rom, whole, fixed.init_len - 1));
		if (fixed.code_type != 0xff) {
			size_t at = build_get(rom + 0x18, 2, false);
			size_t n = build_get(rom + at + 0x0a, 2, false);

			TAPE_CHECK(at + n <= fixed.len && !memcmp(rom + at, whole + at, n));
		}
	}
	free(rom);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct sample s;
	struct tape t = { bytes, len };

	memset(&s, 0, sizeof(s));
	switch (tape_below(&t, 8)) {
	case 0:
		s.format = FM_IMAGE_RAW;
		s.len = 1 + tape_below(&t, 64);
		for (size_t i = 0; i < s.len; i++)
			s.bytes[i] = tape_u8(&t);
		break;
	case 1:
	case 2:
		s.format = FM_IMAGE_ELF;
		make_elf(&t, &s);
		break;
	case 3:
	case 4:
		s.format = FM_IMAGE_UIMAGE;
		make_uimage(&t, &s);
		break;
	case 5:
	case 6:
		s.format = FM_IMAGE_IHEX;
		make_ihex(&t, &s);
		break;
	default:
		try_option_rom(&t);
		return 0;
	}
	parse(&t, &s);
	return 0;
}
