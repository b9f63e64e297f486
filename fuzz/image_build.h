/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_build: valid images of each format, and where their fields are. Written from the
 * specifications and not from the parsers: offsets are numbers, the CRC is bit by bit.
 */
#ifndef FIRMEM_FUZZ_IMAGE_BUILD_H
#define FIRMEM_FUZZ_IMAGE_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* --- numbers ----------------------------------------------------------------------------- */

static inline void build_put(uint8_t *p, unsigned size, bool big, uint64_t v)
{
	for (unsigned i = 0; i < size; i++)
		p[big ? size - 1 - i : i] = (uint8_t)(v >> (8 * i));
}

static inline uint64_t build_get(const uint8_t *p, unsigned size, bool big)
{
	uint64_t v = 0;

	for (unsigned i = size; i-- > 0;)
		v = v << 8 | p[big ? size - 1 - i : i];
	return v;
}

/* CRC-32 of IEEE 802.3, reflected. */
static inline uint32_t build_crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* --- ELF (gABI chapters 4 and 5) ---------------------------------------------------------- */

/* A field at `off`, `size` bytes wide, by class: [0] 32-bit, [1] 64-bit. */
struct build_field {
	const char *name;
	uint8_t off[2];
	uint8_t size[2];
};

static const struct build_field build_ehdr[] = {
	{ "EI_CLASS", { 4, 4 }, { 1, 1 } },    { "EI_DATA", { 5, 5 }, { 1, 1 } },
	{ "EI_VERSION", { 6, 6 }, { 1, 1 } },  { "e_type", { 16, 16 }, { 2, 2 } },
	{ "e_machine", { 18, 18 }, { 2, 2 } }, { "e_version", { 20, 20 }, { 4, 4 } },
	{ "e_entry", { 24, 24 }, { 4, 8 } },   { "e_phoff", { 28, 32 }, { 4, 8 } },
	{ "e_shoff", { 32, 40 }, { 4, 8 } },   { "e_flags", { 36, 48 }, { 4, 4 } },
	{ "e_ehsize", { 40, 52 }, { 2, 2 } },  { "e_phentsize", { 42, 54 }, { 2, 2 } },
	{ "e_phnum", { 44, 56 }, { 2, 2 } },   { "e_shentsize", { 46, 58 }, { 2, 2 } },
	{ "e_shnum", { 48, 60 }, { 2, 2 } },   { "e_shstrndx", { 50, 62 }, { 2, 2 } },
};

static const struct build_field build_phdr[] = {
	{ "p_type", { 0, 0 }, { 4, 4 } },     { "p_offset", { 4, 8 }, { 4, 8 } },
	{ "p_vaddr", { 8, 16 }, { 4, 8 } },   { "p_paddr", { 12, 24 }, { 4, 8 } },
	{ "p_filesz", { 16, 32 }, { 4, 8 } }, { "p_memsz", { 20, 40 }, { 4, 8 } },
	{ "p_flags", { 24, 4 }, { 4, 4 } },   { "p_align", { 28, 48 }, { 4, 8 } },
};

#define BUILD_EHDR_COUNT (sizeof(build_ehdr) / sizeof(build_ehdr[0]))
#define BUILD_PHDR_COUNT (sizeof(build_phdr) / sizeof(build_phdr[0]))

struct build_elf {
	uint8_t *bytes;
	bool wide;
	bool big;
};

static inline size_t build_ehdr_len(const struct build_elf *e)
{
	return e->wide ? 64 : 52;
}

static inline size_t build_phdr_len(const struct build_elf *e)
{
	return e->wide ? 56 : 32;
}

/* Set a field of the ELF header (index -1) or of a program header, by its name. */
static inline bool build_elf_set(const struct build_elf *e, int index, const char *name, uint64_t v)
{
	const struct build_field *fields = index < 0 ? build_ehdr : build_phdr;
	size_t count = index < 0 ? BUILD_EHDR_COUNT : BUILD_PHDR_COUNT;
	size_t at = index < 0 ? 0 : build_ehdr_len(e) + (size_t)index * build_phdr_len(e);

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(fields[i].name, name)) {
			build_put(e->bytes + at + fields[i].off[e->wide], fields[i].size[e->wide],
				  e->big, v);
			return true;
		}
	}
	return false;
}

struct build_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static inline void build_elf_phdr(const struct build_elf *e, int index,
				  const struct build_segment *s)
{
	build_elf_set(e, index, "p_type", s->type);
	build_elf_set(e, index, "p_flags", s->flags);
	build_elf_set(e, index, "p_offset", s->offset);
	build_elf_set(e, index, "p_vaddr", s->vaddr);
	build_elf_set(e, index, "p_paddr", s->paddr);
	build_elf_set(e, index, "p_filesz", s->filesz);
	build_elf_set(e, index, "p_memsz", s->memsz);
	build_elf_set(e, index, "p_align", s->align);
}

/* The ELF header of an executable with `phnum` program headers right behind it. */
static inline void build_elf_ehdr(const struct build_elf *e, unsigned phnum, uint64_t entry)
{
	memcpy(e->bytes, "\177ELF", 4);
	build_elf_set(e, -1, "EI_CLASS", e->wide ? 2 : 1);
	build_elf_set(e, -1, "EI_DATA", e->big ? 2 : 1);
	build_elf_set(e, -1, "EI_VERSION", 1);
	build_elf_set(e, -1, "e_type", 2);
	build_elf_set(e, -1, "e_machine", 183);
	build_elf_set(e, -1, "e_version", 1);
	build_elf_set(e, -1, "e_entry", entry);
	build_elf_set(e, -1, "e_phoff", build_ehdr_len(e));
	build_elf_set(e, -1, "e_ehsize", build_ehdr_len(e));
	build_elf_set(e, -1, "e_phentsize", build_phdr_len(e));
	build_elf_set(e, -1, "e_phnum", phnum);
}

/*
 * The sample: program headers note, code, data; code lies above data, is longer in memory than in the
 * file, and has a virtual address of its own. Byte i of the file's contents is i.
 */
#define BUILD_ELF_LEN 0x180u
#define BUILD_ELF_CODE_OFF 0x120u
#define BUILD_ELF_DATA_OFF 0x160u

static inline size_t build_elf_sample(struct build_elf *e, uint8_t *bytes, bool wide, bool big)
{
	*e = (struct build_elf){ .bytes = bytes, .wide = wide, .big = big };
	for (unsigned i = 0; i < BUILD_ELF_LEN; i++)
		bytes[i] = (uint8_t)i;
	memset(bytes, 0, 0x120);
	build_elf_ehdr(e, 3, 0x1008);
	build_elf_phdr(e, 0, &(struct build_segment){ .type = 4, .offset = 0x100, .filesz = 4 });
	build_elf_phdr(e, 1,
		       &(struct build_segment){ .type = 1,
						.flags = 5,
						.offset = BUILD_ELF_CODE_OFF,
						.vaddr = 0x1000,
						.paddr = 0x40001000,
						.filesz = 0x40,
						.memsz = 0x100,
						.align = 0x20 });
	build_elf_phdr(e, 2,
		       &(struct build_segment){ .type = 1,
						.flags = 6,
						.offset = BUILD_ELF_DATA_OFF,
						.vaddr = 0x8000,
						.paddr = 0x40000000,
						.filesz = 0x20,
						.memsz = 0x20,
						.align = 0 });
	return BUILD_ELF_LEN;
}

/* --- uImage (U-Boot, include/image.h) -------------------------------------------------------- */

static const struct build_field build_uimage_fields[] = {
	{ "ih_magic", { 0, 0 }, { 4, 4 } },  { "ih_hcrc", { 4, 4 }, { 4, 4 } },
	{ "ih_time", { 8, 8 }, { 4, 4 } },   { "ih_size", { 12, 12 }, { 4, 4 } },
	{ "ih_load", { 16, 16 }, { 4, 4 } }, { "ih_ep", { 20, 20 }, { 4, 4 } },
	{ "ih_dcrc", { 24, 24 }, { 4, 4 } }, { "ih_os", { 28, 28 }, { 1, 1 } },
	{ "ih_arch", { 29, 29 }, { 1, 1 } }, { "ih_type", { 30, 30 }, { 1, 1 } },
	{ "ih_comp", { 31, 31 }, { 1, 1 } }, { "ih_name", { 32, 32 }, { 8, 8 } },
};

#define BUILD_UIMAGE_COUNT (sizeof(build_uimage_fields) / sizeof(build_uimage_fields[0]))
#define BUILD_UIMAGE_LEN 0x60u

static inline bool build_uimage_set(uint8_t *bytes, const char *name, uint64_t v)
{
	for (size_t i = 0; i < BUILD_UIMAGE_COUNT; i++) {
		if (!strcmp(build_uimage_fields[i].name, name)) {
			build_put(bytes + build_uimage_fields[i].off[0],
				  build_uimage_fields[i].size[0], true, v);
			return true;
		}
	}
	return false;
}

/* Make the header's CRC right; with `data`, the data's before it (if its size is inside `len`). */
static inline void build_uimage_seal(uint8_t *bytes, size_t len, bool data)
{
	uint64_t size = build_get(bytes + 12, 4, true);

	if (data && size <= len - 64)
		build_uimage_set(bytes, "ih_dcrc", build_crc32(bytes + 64, size));
	build_uimage_set(bytes, "ih_hcrc", 0);
	build_uimage_set(bytes, "ih_hcrc", build_crc32(bytes, 64));
}

/* The sample: uncompressed firmware of 32 bytes for 0x40200000, entered at its fifth byte. */
static inline size_t build_uimage_sample(uint8_t *bytes)
{
	for (unsigned i = 0; i < BUILD_UIMAGE_LEN; i++)
		bytes[i] = (uint8_t)i;
	build_uimage_set(bytes, "ih_magic", 0x27051956);
	build_uimage_set(bytes, "ih_size", 32);
	build_uimage_set(bytes, "ih_load", 0x40200000);
	build_uimage_set(bytes, "ih_ep", 0x40200004);
	build_uimage_set(bytes, "ih_type", 5);
	build_uimage_set(bytes, "ih_comp", 0);
	build_uimage_seal(bytes, BUILD_UIMAGE_LEN, true);
	return BUILD_UIMAGE_LEN;
}

/* --- Intel HEX (Intel's specification, revision A) -------------------------------------------- */

/*
 * Append a record and a line end at text[*len]; `error` is added to its checksum (0 = right). `text`
 * has room for 2 * n + 13 characters.
 */
static inline void build_hex_record(char *text, size_t *len, unsigned type, unsigned offset,
				    const uint8_t *data, unsigned n, unsigned error)
{
	unsigned sum = n + (offset >> 8) + offset + type;

	*len += (size_t)sprintf(text + *len, ":%02X%04X%02X", n, offset & 0xffff, type);
	for (unsigned i = 0; i < n; i++) {
		sum += data[i];
		*len += (size_t)sprintf(text + *len, "%02X", data[i]);
	}
	*len += (size_t)sprintf(text + *len, "%02X\n", (error - sum) & 0xff);
}

#endif
