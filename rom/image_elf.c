/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF by the System V gABI: chapter 4 "Object Files" and chapter 5 "Program Header". The structures
 * of <elf.h> give offsets and widths; the bytes are loaded one by one, as the file may be of either
 * class and byte order.
 */
#include "rom/image_private.h"

#include "devices/bytes.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

struct elf {
	struct fmi_image_builder *b;
	const char *name;
	bool wide;      /* ELFCLASS64 */
	bool big;       /* ELFDATA2MSB */
	uint64_t entry; /* as in the file: a virtual address */
	uint64_t phoff;
	uint64_t phnum;
};

struct segment {
	uint64_t offset;
	uint64_t vaddr;
	uint64_t paddr;
	uint64_t filesz;
	uint64_t memsz;
	uint64_t align;
	uint32_t flags;
};

static uint64_t load(const struct elf *e, const uint8_t *p, size_t size)
{
	switch (size) {
	case 2:
		return e->big ? fmi_be16(p) : fmi_le16(p);
	case 4:
		return e->big ? fmi_be32(p) : fmi_le32(p);
	default:
		return e->big ? fmi_be64(p) : fmi_le64(p);
	}
}

/* A member of a structure at `p`, in the file's class and byte order. */
#define FIELD(e, p, type, member)                                  \
	((e)->wide ? load(e, (p) + offsetof(Elf64_##type, member), \
			  sizeof(((Elf64_##type *)NULL)->member))  \
		   : load(e, (p) + offsetof(Elf32_##type, member), \
			  sizeof(((Elf32_##type *)NULL)->member)))

#define SIZEOF(e, type) ((e)->wide ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

bool fmi_image_is_elf(const uint8_t *bytes, size_t len)
{
	return len >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG);
}

static int wrong(const struct elf *e, const char *field, uint64_t value, const char *expected)
{
	return fm_error_set(e->b->err, FM_ERR_FORMAT, 0, "%s: %s is %" PRIu64 ", expected %s",
			    e->name, field, value, expected);
}

static int check_ident(struct elf *e)
{
	const uint8_t *p = e->b->bytes;

	if (!fmi_image_is_elf(p, e->b->len))
		return fm_error_set(e->b->err, FM_ERR_FORMAT, 0,
				    "%s: the magic number is missing, expected 7f 45 4c 46 (ELF)",
				    e->name);
	if (e->b->len < EI_NIDENT)
		return fm_error_set(e->b->err, FM_ERR_SIZE, 0,
				    "%s: e_ident: the file has %zu bytes, expected at least %d",
				    e->name, e->b->len, EI_NIDENT);
	if (p[EI_CLASS] != ELFCLASS32 && p[EI_CLASS] != ELFCLASS64)
		return wrong(e, "EI_CLASS", p[EI_CLASS], "1 (32-bit) or 2 (64-bit)");
	if (p[EI_DATA] != ELFDATA2LSB && p[EI_DATA] != ELFDATA2MSB)
		return wrong(e, "EI_DATA", p[EI_DATA], "1 (little-endian) or 2 (big-endian)");
	if (p[EI_VERSION] != EV_CURRENT)
		return wrong(e, "EI_VERSION", p[EI_VERSION], "1");
	e->wide = p[EI_CLASS] == ELFCLASS64;
	e->big = p[EI_DATA] == ELFDATA2MSB;
	return 0;
}

/*
 * The number of program headers when it does not fit e_phnum: sh_info of section header 0 (gABI
 * chapter 4, e_phnum).
 */
static int read_long_phnum(struct elf *e)
{
	const uint8_t *p = e->b->bytes;
	uint64_t shoff = FIELD(e, p, Ehdr, e_shoff);
	uint64_t shentsize = FIELD(e, p, Ehdr, e_shentsize);

	if (shentsize != SIZEOF(e, Shdr))
		return wrong(e, "e_shentsize", shentsize, e->wide ? "64" : "40");
	if (!shoff || !fmi_in_range(shoff, shentsize, e->b->len))
		return fm_error_set(e->b->err, FM_ERR_SIZE, 0,
				    "%s: e_phnum is PN_XNUM and e_shoff is 0x%" PRIx64
				    ", expected section header 0 inside the %zu bytes of the file",
				    e->name, shoff, e->b->len);
	e->phnum = FIELD(e, p + shoff, Shdr, sh_info);
	if (e->phnum < PN_XNUM)
		return wrong(e, "sh_info of section header 0", e->phnum,
			     "65535 or more, as e_phnum is PN_XNUM");
	return 0;
}

static int check_header(struct elf *e)
{
	const uint8_t *p = e->b->bytes;
	uint64_t type, v;

	if (e->b->len < SIZEOF(e, Ehdr))
		return fm_error_set(e->b->err, FM_ERR_SIZE, 0,
				    "%s: the file has %zu bytes, expected an ELF header of %zu",
				    e->name, e->b->len, SIZEOF(e, Ehdr));
	type = FIELD(e, p, Ehdr, e_type);
	if (type != ET_EXEC && type != ET_DYN)
		return wrong(e, "e_type", type, "2 (executable) or 3 (shared)");
	v = FIELD(e, p, Ehdr, e_version);
	if (v != EV_CURRENT)
		return wrong(e, "e_version", v, "1");
	v = FIELD(e, p, Ehdr, e_ehsize);
	if (v != SIZEOF(e, Ehdr))
		return wrong(e, "e_ehsize", v, e->wide ? "64" : "52");
	e->b->image->machine = (uint16_t)FIELD(e, p, Ehdr, e_machine);
	e->b->image->big_endian = e->big;
	e->entry = FIELD(e, p, Ehdr, e_entry);
	return 0;
}

static int check_table(struct elf *e)
{
	const uint8_t *p = e->b->bytes;
	uint64_t phentsize = FIELD(e, p, Ehdr, e_phentsize);

	e->phoff = FIELD(e, p, Ehdr, e_phoff);
	e->phnum = FIELD(e, p, Ehdr, e_phnum);
	if (!e->phnum)
		return wrong(e, "e_phnum", 0, "at least one program header");
	if (phentsize != SIZEOF(e, Phdr))
		return wrong(e, "e_phentsize", phentsize, e->wide ? "56" : "32");
	if (e->phnum == PN_XNUM) {
		int rc = read_long_phnum(e);

		if (rc)
			return rc;
	}
	/* phnum has 32 bits, phentsize 6: the product does not wrap. */
	if (!fmi_in_range(e->phoff, e->phnum * phentsize, e->b->len))
		return fm_error_set(e->b->err, FM_ERR_SIZE, 0,
				    "%s: e_phoff is 0x%" PRIx64 " and e_phnum %" PRIu64
				    ", expected the table inside the %zu bytes of the file",
				    e->name, e->phoff, e->phnum, e->b->len);
	return 0;
}

static int check_segment(const struct elf *e, uint64_t index, const struct segment *s)
{
	const uint64_t top = e->wide ? UINT64_MAX : UINT32_MAX;

	if (s->filesz > s->memsz)
		return fm_error_set(e->b->err, FM_ERR_FORMAT, 0,
				    "%s: program header %" PRIu64 ": p_filesz is 0x%" PRIx64
				    ", expected at most p_memsz = 0x%" PRIx64,
				    e->name, index, s->filesz, s->memsz);
	/* Where nothing is read, the offset says nothing: linkers let .bss begin behind the end. */
	if (s->filesz && !fmi_in_range(s->offset, s->filesz, e->b->len))
		return fm_error_set(e->b->err, FM_ERR_SIZE, 0,
				    "%s: program header %" PRIu64 ": p_offset is 0x%" PRIx64
				    " and p_filesz 0x%" PRIx64
				    ", expected both inside the 0x%zx bytes of the file",
				    e->name, index, s->offset, s->filesz, e->b->len);
	if (s->memsz - 1 > top - s->paddr)
		return fm_error_set(e->b->err, FM_ERR_SIZE, 0,
				    "%s: program header %" PRIu64 ": p_paddr is 0x%" PRIx64
				    " and p_memsz 0x%" PRIx64 ", expected an end by 2^%d",
				    e->name, index, s->paddr, s->memsz, e->wide ? 64 : 32);
	if (s->align && !fmi_is_pow2(s->align))
		return fm_error_set(e->b->err, FM_ERR_FORMAT, 0,
				    "%s: program header %" PRIu64 ": p_align is 0x%" PRIx64
				    ", expected 0 or a power of two",
				    e->name, index, s->align);
	return 0;
}

/*
 * e_entry is a virtual address, the image's entry a physical one. 0 means "no entry" (gABI chapter
 * 4), but firmware that runs at 0 has its entry there: believe it where code is loaded at 0.
 */
static void find_entry(struct elf *e, const struct segment *s)
{
	struct fm_image *image = e->b->image;

	if (!(s->flags & PF_X) || e->entry - s->vaddr >= s->memsz)
		return;
	image->has_entry = true;
	image->entry = e->entry - s->vaddr + s->paddr;
}

int fmi_image_parse_elf(struct fmi_image_builder *b)
{
	struct elf e = { .b = b, .name = b->image->name };
	int rc = check_ident(&e);

	if (!rc)
		rc = check_header(&e);
	if (!rc)
		rc = check_table(&e);
	if (rc)
		return rc;
	b->image->entry = e.entry;
	b->image->has_entry = e.entry != 0;
	for (uint64_t i = 0; i < e.phnum; i++) {
		const uint8_t *p = b->bytes + e.phoff + i * SIZEOF(&e, Phdr);
		struct segment s = {
			.offset = FIELD(&e, p, Phdr, p_offset),
			.vaddr = FIELD(&e, p, Phdr, p_vaddr),
			.paddr = FIELD(&e, p, Phdr, p_paddr),
			.filesz = FIELD(&e, p, Phdr, p_filesz),
			.memsz = FIELD(&e, p, Phdr, p_memsz),
			.align = FIELD(&e, p, Phdr, p_align),
			.flags = (uint32_t)FIELD(&e, p, Phdr, p_flags),
		};

		if (FIELD(&e, p, Phdr, p_type) != PT_LOAD || (!s.memsz && !s.filesz))
			continue;
		rc = check_segment(&e, i, &s);
		if (!rc)
			rc = fmi_image_add(b, s.paddr, s.memsz,
					   s.filesz ? b->bytes + s.offset : b->bytes, s.filesz);
		if (rc)
			return rc;
		find_entry(&e, &s);
	}
	if (!b->image->count)
		return fm_error_set(b->err, FM_ERR_FORMAT, 0,
				    "%s: no program header is PT_LOAD, expected at least one",
				    e.name);
	return 0;
}
