/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything of a dump before the memory: ELF headers and notes. */
#include "devices/dump_private.h"

#include "devices/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ELF-64, System V gABI 4.1. */
#define EHDR_LEN 64u
#define PHDR_LEN 56u
#define SHDR_LEN 64u
#define ET_CORE 4u
#define PT_LOAD 1u
#define PT_NOTE 4u
#define PF_RWX 7u
#define PN_XNUM 0xffffu /* this many program headers or more: section header 0 has the number */
#define NT_PRSTATUS 1u
#define NT_VMCOREINFO 0u
#define NT_FIRMEM 0x666d0001u /* not a number of others: readers look at it before the name */
#define EM_X86_64 62u
#define EM_AARCH64 183u
#define EM_RISCV 243u

/* `len` more bytes, zero; NULL without memory. */
static uint8_t *more(struct fmi_dump *d, size_t len)
{
	if (d->head_room - d->head_len < len) {
		size_t room = (d->head_len + len) * 2;
		uint8_t *grown = realloc(d->head, room);

		if (!grown)
			return NULL;
		memset(grown + d->head_len, 0, room - d->head_len);
		d->head = grown;
		d->head_room = room;
	}
	d->head_len += len;
	return d->head + d->head_len - len;
}

/* A note: name and description each padded to 4 bytes. */
static bool put_note(struct fmi_dump *d, const char *name, uint32_t type, const void *desc,
		     size_t len)
{
	size_t name_len = strlen(name) + 1;
	size_t name_room = fmi_align_up(name_len, 4);
	uint8_t *note = more(d, 12 + name_room + fmi_align_up(len, 4));

	if (!note)
		return false;
	fmi_put_le32(note, (uint32_t)name_len);
	fmi_put_le32(note + 4, (uint32_t)len);
	fmi_put_le32(note + 8, type);
	memcpy(note + 12, name, name_len);
	if (len && desc)
		memcpy(note + 12 + name_room, desc, len);
	return true;
}

/* struct elf_prstatus of the guest's Linux; 0: not known. */
static size_t prstatus_len(uint16_t machine)
{
	switch (machine) {
	case EM_X86_64:
		return 336;
	case EM_AARCH64:
		return 392;
	case EM_RISCV:
		return 376;
	default:
		return 0;
	}
}

static bool put_cpus(struct fmi_dump *d)
{
	const struct fm_dump_config *c = d->cfg;
	size_t len = prstatus_len(c->elf_machine);

	if (!c->ncpus)
		return !len || put_note(d, "CORE", NT_PRSTATUS, NULL, len);
	for (size_t i = 0; i < c->ncpus; i++) {
		if (!put_note(d, "CORE", NT_PRSTATUS, c->cpus[i].prstatus, c->cpus[i].len))
			return false;
	}
	return true;
}

/* A line of text behind the others; false without memory. */
static bool say(char **text, size_t *len, const struct fm_dump_part *part)
{
	const char *name = fm_block_name(part->block);
	char line[160];
	int n = snprintf(line, sizeof(line), "%s: role %s: %s, 0x%llx bytes\n",
			 *name ? name : "(unnamed)", fm_role_name(fm_block_role(part->block)),
			 fm_dump_why_name(part->why), (unsigned long long)part->len);
	char *grown = realloc(*text, *len + (size_t)n);

	if (!grown)
		return false;
	memcpy(grown + *len, line, (size_t)n);
	*text = grown;
	*len += (size_t)n;
	return true;
}

/* What is not in the dump, for whoever looks for it later. */
static bool put_exclusions(struct fmi_dump *d)
{
	char *text = NULL;
	size_t len = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < d->nleft_out; i++)
		ok = say(&text, &len, &d->left_out[i]);
	ok = ok && put_note(d, "firmem", NT_FIRMEM, text, len);
	free(text);
	return ok;
}

static bool put_notes(struct fmi_dump *d)
{
	if (!put_cpus(d))
		return false;
	if (d->cfg->vmcoreinfo &&
	    !put_note(d, "VMCOREINFO", NT_VMCOREINFO, d->cfg->vmcoreinfo, d->cfg->vmcoreinfo_len))
		return false;
	return put_exclusions(d);
}

static void fill_phdr(uint8_t *p, uint32_t type, uint64_t off, uint64_t addr, uint64_t len,
		      uint64_t align)
{
	fmi_put_le32(p, type);
	fmi_put_le32(p + 4, type == PT_LOAD ? PF_RWX : 0);
	fmi_put_le64(p + 8, off);
	fmi_put_le64(p + 16, addr);
	fmi_put_le64(p + 24, addr);
	fmi_put_le64(p + 32, len);
	fmi_put_le64(p + 40, type == PT_LOAD ? len : 0);
	fmi_put_le64(p + 48, align);
}

static void fill_ehdr(const struct fmi_dump *d)
{
	static const uint8_t ident[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	size_t phnum = d->nsegments + 1;
	bool many = phnum >= PN_XNUM;
	uint8_t *e = d->head;

	memcpy(e, ident, sizeof(ident));
	fmi_put_le16(e + 16, ET_CORE);
	fmi_put_le16(e + 18, d->cfg->elf_machine);
	fmi_put_le32(e + 20, 1);
	fmi_put_le64(e + 32, EHDR_LEN + (many ? SHDR_LEN : 0));
	fmi_put_le16(e + 52, EHDR_LEN);
	fmi_put_le16(e + 54, PHDR_LEN);
	fmi_put_le16(e + 56, many ? PN_XNUM : (uint16_t)phnum);
	if (!many)
		return;
	fmi_put_le64(e + 40, EHDR_LEN);
	fmi_put_le16(e + 58, SHDR_LEN);
	fmi_put_le16(e + 60, 1);
	fmi_put_le32(e + EHDR_LEN + 44, (uint32_t)phnum); /* sh_info of section 0 */
}

/* Where the memory begins in the file; 0 without memory. */
uint64_t fmi_dump_head(struct fmi_dump *d)
{
	size_t phnum = d->nsegments + 1;
	size_t table = EHDR_LEN + (phnum >= PN_XNUM ? SHDR_LEN : 0);
	uint64_t off, at;
	size_t notes;

	if (!more(d, table + phnum * PHDR_LEN))
		return 0;
	notes = d->head_len;
	if (!put_notes(d))
		return 0;
	fill_ehdr(d);
	fill_phdr(d->head + table, PT_NOTE, notes, 0, d->head_len - notes, 4);
	off = fmi_align_up(d->head_len, FMI_DUMP_PAGE);
	at = off;
	for (size_t i = 0; i < d->nsegments; i++) {
		const struct fmi_dump_segment *s = &d->segments[i];

		fill_phdr(d->head + table + (i + 1) * PHDR_LEN, PT_LOAD, at, s->gpa, s->len,
			  FMI_DUMP_PAGE);
		at = fmi_align_up(at + s->len, FMI_DUMP_PAGE);
	}
	return off;
}
