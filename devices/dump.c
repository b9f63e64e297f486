/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/dump.h>
#include <firmem/private.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/guestmem.h"
#include "devices/io_private.h"
#include "devices/populated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)

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

#define PAGE 4096u
#define CHUNK (256u << 10) /* stays in a cache between the look for zeros and the write */

struct segment {
	uint64_t gpa;
	uint64_t len;
	const struct fm_block *block;
	uint64_t block_off;
};

struct dump {
	const struct fm_dump_config *cfg;
	struct fm_dump_part *left_out;
	size_t nleft_out;
	struct segment *segments;
	size_t nsegments;
	size_t segments_room;
	uint8_t *head; /* everything before the memory */
	size_t head_len;
	size_t head_room;
	struct fm_file *file;
	struct fm_dump_result result;
};

/* --- what goes into it ------------------------------------------------------------------------- */

static bool chosen(const struct dump *d, const struct fm_block *block)
{
	return block && (d->cfg->roles & FM_DUMP_ROLE(fm_block_role(block)));
}

/* 0 or FM_ERR_NOMEM. */
static int add_segment(struct dump *d, const struct segment *segment)
{
	if (d->nsegments == d->segments_room) {
		size_t room = d->segments_room ? 2 * d->segments_room : 64;
		struct segment *grown = realloc(d->segments, room * sizeof(*grown));

		if (!grown)
			return FM_ERR_NOMEM;
		d->segments = grown;
		d->segments_room = room;
	}
	d->segments[d->nsegments++] = *segment;
	d->result.bytes += segment->len;
	return 0;
}

/* The parts of a range that are not the guest's alone: of those the host would dump ciphertext. */
static int add_range(struct dump *d, const struct fm_range *r)
{
	bool all = fm_private_dumpable(r->block);
	uint64_t run;
	int rc = 0;

	for (uint64_t off = 0; !rc && off < r->len; off += run) {
		bool private = fm_private_at(r->block, r->block_off + off, &run) && !all;

		run = all ? r->len : fmi_min_u64(run, r->len - off);
		if (private)
			d->result.private_bytes += run;
		else
			rc = add_segment(d, &(struct segment){ r->gpa + off, run, r->block,
							       r->block_off + off });
	}
	return rc;
}

static int add_segments(struct dump *d, const struct fm_view *view, struct fm_error *err)
{
	for (size_t i = 0; i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);

		if (chosen(d, r->block) && add_range(d, r))
			return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
					    d->cfg->path);
	}
	d->result.segments = d->nsegments;
	return 0;
}

/* Bytes of a block that are the guest's alone, and that it does not let the host dump. */
static uint64_t own(const struct fm_block *block)
{
	uint64_t len = 0;
	uint64_t run;

	if (fm_private_dumpable(block))
		return 0;
	for (uint64_t off = 0; off < fm_block_len(block); off += run)
		len += fm_private_at(block, off, &run) ? run : 0;
	return len;
}

/* Part of a block that an address shows. */
struct seen {
	const struct fm_block *block;
	uint64_t off;
	uint64_t len;
};

static int by_block(const void *a, const void *b)
{
	const struct seen *x = a;
	const struct seen *y = b;

	if (x->block != y->block)
		return (uintptr_t)x->block < (uintptr_t)y->block ? -1 : 1;
	return (x->off > y->off) - (x->off < y->off);
}

/* What the view shows of chosen blocks, in order; NULL without memory. */
static struct seen *list_seen(const struct dump *d, const struct fm_view *view, size_t *count)
{
	struct seen *list = calloc(fm_view_count(view) + 1, sizeof(*list));

	*count = 0;
	for (size_t i = 0; list && i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);

		if (chosen(d, r->block))
			list[(*count)++] = (struct seen){ r->block, r->block_off, r->len };
	}
	if (list)
		qsort(list, *count, sizeof(*list), by_block);
	return list;
}

/* Bytes of a block that are shown; what two addresses show counts once. */
static uint64_t shown(const struct seen *list, size_t count, const struct fm_block *block)
{
	uint64_t len = 0;
	uint64_t past = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t end = list[i].off + list[i].len;

		if (list[i].block != block || end <= past)
			continue;
		len += end - fmi_max_u64(list[i].off, past);
		past = end;
	}
	return len;
}

/* --- the head ------------------------------------------------------------------------------ */

/* `len` more bytes, zero; NULL without memory. */
static uint8_t *more(struct dump *d, size_t len)
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
static bool put_note(struct dump *d, const char *name, uint32_t type, const void *desc, size_t len)
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

static bool put_cpus(struct dump *d)
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

static bool leave_out(struct dump *d, const struct fm_block *block, enum fm_dump_why why,
		      uint64_t len)
{
	struct fm_dump_part *grown =
		reallocarray(d->left_out, d->nleft_out + 1, sizeof(*d->left_out));

	if (!grown)
		return false;
	d->left_out = grown;
	d->left_out[d->nleft_out++] =
		(struct fm_dump_part){ .block = block, .why = why, .len = len };
	return true;
}

static bool find_left_out(struct dump *d, const struct fm_view *view)
{
	const struct fm_block *block;
	size_t count;
	struct seen *list = list_seen(d, view, &count);
	bool ok = list;

	fm_machine_foreach_block (d->cfg->machine, FM_WALK_ALL, block) {
		uint64_t total = fm_block_len(block);
		uint64_t seen = ok ? shown(list, count, block) : total;

		if (!chosen(d, block)) {
			d->result.excluded++;
			ok = ok && leave_out(d, block, FM_DUMP_NOT_CHOSEN, total);
			continue;
		}
		if (seen < total) {
			d->result.hidden += total - seen;
			ok = ok && leave_out(d, block, FM_DUMP_HIDDEN, total - seen);
		}
		if (own(block))
			ok = ok && leave_out(d, block, FM_DUMP_PRIVATE, own(block));
	}
	free(list);
	return ok;
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
static bool put_exclusions(struct dump *d, const struct fm_view *view)
{
	char *text = NULL;
	size_t len = 0;
	bool ok = find_left_out(d, view);

	for (size_t i = 0; ok && i < d->nleft_out; i++)
		ok = say(&text, &len, &d->left_out[i]);
	ok = ok && put_note(d, "firmem", NT_FIRMEM, text, len);
	free(text);
	return ok;
}

static bool put_notes(struct dump *d, const struct fm_view *view)
{
	if (!put_cpus(d))
		return false;
	if (d->cfg->vmcoreinfo &&
	    !put_note(d, "VMCOREINFO", NT_VMCOREINFO, d->cfg->vmcoreinfo, d->cfg->vmcoreinfo_len))
		return false;
	return put_exclusions(d, view);
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

static void fill_ehdr(const struct dump *d)
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
static uint64_t make_head(struct dump *d, const struct fm_view *view)
{
	size_t phnum = d->nsegments + 1;
	size_t table = EHDR_LEN + (phnum >= PN_XNUM ? SHDR_LEN : 0);
	uint64_t off, at;
	size_t notes;

	if (!more(d, table + phnum * PHDR_LEN))
		return 0;
	notes = d->head_len;
	if (!put_notes(d, view))
		return 0;
	fill_ehdr(d);
	fill_phdr(d->head + table, PT_NOTE, notes, 0, d->head_len - notes, 4);
	off = fmi_align_up(d->head_len, PAGE);
	at = off;
	for (size_t i = 0; i < d->nsegments; i++) {
		const struct segment *s = &d->segments[i];

		fill_phdr(d->head + table + (i + 1) * PHDR_LEN, PT_LOAD, at, s->gpa, s->len, PAGE);
		at = fmi_align_up(at + s->len, PAGE);
	}
	return off;
}

/* --- the memory ------------------------------------------------------------------------------ */

static bool is_zero(const uint8_t *p, size_t len)
{
	uint64_t any = 0;

	for (; len >= 64 && !any; len -= 64, p += 64) {
		for (unsigned i = 0; i < 64; i += 8)
			any |= fmi_mem_read(p + i, 8);
	}
	for (; len && !any; len--, p++)
		any = fmi_mem_load8(p);
	return !any;
}

static int write_run(struct dump *d, const uint8_t *host, uint64_t len, uint64_t off)
{
	int rc = fm_io_write_all(d->cfg->io, d->file, host, (size_t)len, off);

	d->result.written += rc ? 0 : len;
	return rc;
}

/* The pages of a chunk that are not all zeros, in as few writes as there are runs of them. */
static int write_chunk(struct dump *d, const uint8_t *host, uint64_t len, uint64_t off)
{
	uint64_t run = 0; /* length of the run that ends at `at` */

	for (uint64_t at = 0; at < len;) {
		uint64_t n = fmi_min_u64(PAGE, len - at);
		int rc = 0;

		if (!is_zero(host + at, (size_t)n)) {
			run += n;
		} else if (run) {
			rc = write_run(d, host + at - run, run, off + at - run);
			run = 0;
		}
		if (rc)
			return rc;
		at += n;
	}
	return run ? write_run(d, host + len - run, run, off + len - run) : 0;
}

static bool go_on(const struct dump *d, uint64_t done)
{
	return !d->cfg->go_on || d->cfg->go_on(d->cfg->ctx, done, d->result.bytes);
}

struct writing {
	struct dump *d;
	const struct segment *s;
	uint64_t off;  /* of the segment in the file */
	uint64_t done; /* bytes of the segments before */
	bool given_up;
	int rc;
};

/* What may be there of a segment's block; a run may reach over the segment, to whole pages. */
static void write_there(void *ctx, uint64_t off, uint64_t len)
{
	struct writing *w = ctx;
	const struct segment *s = w->s;
	const uint8_t *host = (const uint8_t *)fm_block_ptr(s->block) + s->block_off;
	uint64_t at = off > s->block_off ? off - s->block_off : 0;
	uint64_t end = off + len > s->block_off ? off + len - s->block_off : 0;

	for (end = fmi_min_u64(end, s->len); at < end && !w->rc && !w->given_up; at += CHUNK) {
		uint64_t n = fmi_min_u64(CHUNK, end - at);

		w->rc = write_chunk(w->d, host + at, n, w->off + at);
		w->given_up = !go_on(w->d, w->done + at + n);
	}
}

static int write_memory(struct dump *d, uint64_t off, uint64_t *end, bool *given_up)
{
	struct writing w = { .d = d, .off = off };

	*end = off;
	for (size_t i = 0; i < d->nsegments && !w.rc && !w.given_up; i++) {
		w.s = &d->segments[i];
		fmi_populated_each(w.s->block, w.s->block_off, w.s->len, write_there, &w);
		w.done += w.s->len;
		if (!w.rc && !w.given_up)
			w.given_up = !go_on(d, w.done);
		*end = w.off + w.s->len;
		w.off = fmi_align_up(*end, PAGE);
	}
	*given_up = w.given_up;
	return w.rc;
}

static int write_file(struct dump *d, const struct fm_view *view, struct fm_error *err)
{
	const struct fm_io *io = d->cfg->io;
	const char *path = d->cfg->path;
	uint64_t off = make_head(d, view);
	bool given_up = false;
	uint64_t end;
	int rc;

	if (!off)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", path);
	rc = fm_io_write_all(io, d->file, d->head, d->head_len, 0);
	if (!rc)
		rc = write_memory(d, off, &end, &given_up);
	if (given_up)
		return fm_error_set(err, FM_ERR_STATE, 0, "%s: the dump was given up", path);
	/* The last pages may be a hole. */
	if (!rc)
		rc = io->ops->truncate(io->ctx, d->file, end);
	return rc ? fmi_io_fail(err, path, "write", rc) : 0;
}

/* --- the call ---------------------------------------------------------------------------- */

static int check(struct fm_dump_config *c, struct fm_error *err)
{
	if (!c->machine || !c->space || !c->path)
		return BAD(err, "fm_dump_config.machine, space or path is NULL");
	if (!c->roles || c->roles >> FM_ROLE_COUNT)
		return BAD(err,
			   "%s: fm_dump_config.roles is 0x%llx, expected bits of roles, such as "
			   "FM_DUMP_VOLATILE",
			   c->path, (unsigned long long)c->roles);
	if (!c->elf_machine)
		return BAD(err, "%s: fm_dump_config.elf_machine is 0, expected an EM_ number",
			   c->path);
	if (c->ncpus && !c->cpus)
		return BAD(err, "%s: fm_dump_config.cpus is NULL, expected %zu of them", c->path,
			   c->ncpus);
	return fmi_io_check(&c->io, c->path, err);
}

static int open_file(struct dump *d, struct fm_error *err)
{
	const struct fm_io *io = d->cfg->io;
	int rc = io->ops->open(io->ctx, d->cfg->path, FM_IO_WRITE | FM_IO_CREATE | FM_IO_EXCL,
			       &d->file);

	if (rc == -EEXIST)
		return fm_error_set(err, FM_ERR_EXISTS, EEXIST,
				    "%s: exists, expected a file that the dump makes",
				    d->cfg->path);
	return rc ? fmi_io_fail(err, d->cfg->path, "create", rc) : 0;
}

static void tell(const struct dump *d)
{
	for (size_t i = 0; d->cfg->part && i < d->nsegments; i++)
		d->cfg->part(d->cfg->ctx, &(struct fm_dump_part){ .block = d->segments[i].block,
								  .gpa = d->segments[i].gpa,
								  .len = d->segments[i].len });
	for (size_t i = 0; d->cfg->part && i < d->nleft_out; i++)
		d->cfg->part(d->cfg->ctx, &d->left_out[i]);
}

const char *fm_dump_why_name(enum fm_dump_why why)
{
	static const char *const names[] = { "included", "not chosen", "hidden", "private" };

	return (unsigned)why < sizeof(names) / sizeof(*names) ? names[why] : "unknown";
}

int fm_dump_write(const struct fm_dump_config *cfg, struct fm_dump_result *result,
		  struct fm_error *err)
{
	struct fm_dump_config c;
	struct dump d = { .cfg = &c };
	const struct fm_view *view;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_dump_config", err);

	if (!rc)
		rc = check(&c, err);
	if (rc)
		return rc;
	view = fm_space_view_get(c.space);
	rc = add_segments(&d, view, err);
	if (!rc)
		rc = open_file(&d, err);
	if (!rc) {
		rc = write_file(&d, view, err);
		c.io->ops->close(c.io->ctx, d.file);
		if (rc)
			c.io->ops->unlink(c.io->ctx, c.path);
	}
	if (!rc)
		tell(&d);
	fm_view_put(view);
	free(d.segments);
	free(d.left_out);
	free(d.head);
	if (!rc && result)
		*result = d.result;
	return rc;
}
