/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/dirty.h>
#include <firmem/rom.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/guestmem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 4096u
#define SPAN_MAX (UINT64_C(1) << 30)

struct rom {
	struct fm_dev *dev;
	struct fm_block *block;
	struct fm_dirty *dirty;
	uint8_t *host;
	uint64_t len;
	uint8_t *pristine;
	uint64_t pristine_len;
	uint8_t fill; /* what the block holds behind the pristine bytes */
	bool shadow;
};

/* --- the pristine contents ------------------------------------------------------------------ */

/* What [off, off + n) should hold; n is at most CHUNK. `buf` serves where it is put together. */
static const uint8_t *expected(const struct rom *rom, uint64_t off, size_t n, uint8_t *buf)
{
	size_t have = 0;

	if (off < rom->pristine_len)
		have = (size_t)fmi_min_u64(n, rom->pristine_len - off);
	if (have == n)
		return rom->pristine + off;
	if (have)
		memcpy(buf, rom->pristine + off, have);
	memset(buf + have, rom->fill, n - have);
	return buf;
}

/*
 * Bring the pristine contents back: only what differs is written and marked, so that it costs what
 * was touched, and memory that nobody touched stays unallocated. Returns effects.
 */
static unsigned rom_reload(void *state, uint64_t *written)
{
	struct rom *rom = state;
	uint8_t want_buf[CHUNK], have[CHUNK];
	bool marked = false;

	for (uint64_t off = 0; off < rom->len; off += CHUNK) {
		size_t n = (size_t)fmi_min_u64(CHUNK, rom->len - off);
		const uint8_t *want = expected(rom, off, n, want_buf);

		fmi_mem_copy_out(have, rom->host + off, n);
		if (!memcmp(have, want, n))
			continue;
		fmi_mem_copy_in(rom->host + off, want, n);
		marked |= fm_dirty_mark(rom->dirty, off, n);
		*written += n;
	}
	return marked ? FM_EFF_DIRTY : 0;
}

/* Does the block hold the pristine contents? */
static bool rom_pristine(void *state, uint64_t *at)
{
	const struct rom *rom = state;
	uint8_t want_buf[CHUNK], have[CHUNK];

	for (uint64_t off = 0; off < rom->len; off += CHUNK) {
		size_t n = (size_t)fmi_min_u64(CHUNK, rom->len - off);
		const uint8_t *want = expected(rom, off, n, want_buf);

		fmi_mem_copy_out(have, rom->host + off, n);
		if (!memcmp(have, want, n))
			continue;
		for (n = 0; have[n] == want[n]; n++)
			;
		if (at)
			*at = off + n;
		return false;
	}
	return true;
}

/* --- verbs ------------------------------------------------------------------------------- */

static unsigned rom_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			 struct fm_attrs attrs)
{
	struct rom *rom = state;

	*value = fmi_mem_read(rom->host + off, size);
	return 0;
}

/*
 * A debugger's write is dropped as a guest's is: a breakpoint in ROM is not possible in the machine
 * that is emulated either.
 */
static unsigned rom_write(void *state, uint64_t off, unsigned size, uint64_t value,
			  struct fm_attrs attrs)
{
	struct rom *rom = state;

	if (rom->shadow) {
		fmi_mem_write(rom->host + off, size, value);
		return fm_dirty_mark(rom->dirty, off, size) ? FM_EFF_DIRTY : 0;
	}
	if (!attrs.debug && fm_trace_on(rom->dev))
		fm_trace_emit(rom->dev, (struct fm_trace_event){ .kind = FM_TRACE_IGNORED,
								 .off = off,
								 .size = size,
								 .value = value,
								 .text = "ROM is not writable" });
	return 0;
}

static void rom_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct rom *rom = state;

	out->off = 0;
	out->len = rom->len;
	out->prot = FM_MAP_READ | FM_MAP_EXEC | (rom->shadow ? FM_MAP_WRITE : 0);
	out->flags = FM_MAP_STABLE;
	out->block = rom->block;
	out->block_off = 0;
}

static unsigned rom_reset(void *state, enum fm_reset_kind kind)
{
	uint64_t written = 0;

	switch (kind) {
	case FM_RESET_POWER_ON:
	case FM_RESET_SYSTEM:
	case FM_RESET_CONFIDENTIAL:
		return rom_reload(state, &written);
	case FM_RESET_S3:
	case FM_RESET_KEXEC:
	case FM_RESET_SNAPSHOT:
	case FM_RESET_COUNT:
		break;
	}
	return 0;
}

/* A ROM without its firmware is no ROM: what is destroyed is what the guest made of it. */
static int rom_sanitize(void *state, struct fm_error *err)
{
	uint64_t written = 0;

	rom_reload(state, &written);
	return 0;
}

/* Not the pristine copy either: the target of a migration may come with a newer firmware. */
static void rom_save(void *state, struct fm_state_writer *w)
{
	struct rom *rom = state;

	fm_state_put_u64(w, rom->len);
}

static int rom_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct rom *rom = state;
	uint64_t len = fm_state_get_u64(r);

	if (fm_state_overrun(r) || fm_state_left(r))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: body of the wrong length, expected 8 bytes",
				    fm_dev_name(rom->dev));
	if (len != rom->len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: length 0x%" PRIx64 ", expected 0x%" PRIx64,
				    fm_dev_name(rom->dev), len, rom->len);
	return 0;
}

static void rom_describe(void *state, const struct fm_visitor *v)
{
	struct rom *rom = state;

	v->text(v->ctx, "block", fm_block_name(rom->block));
	v->u64(v->ctx, "firmware_len", rom->pristine_len);
	v->u64(v->ctx, "shadow", rom->shadow);
	v->u64(v->ctx, "pristine", fm_rom_pristine(rom->dev, NULL));
}

static void rom_free(void *state)
{
	struct rom *rom = state;

	free(rom->pristine);
	free(rom);
}

static const struct fm_dev_ops rom_ops = {
	.struct_size = sizeof(rom_ops),
	.type = "rom",
	.version = 1,
	.read = rom_read,
	.write = rom_write,
	.map = rom_map,
	.reset = rom_reset,
	.sanitize = rom_sanitize,
	.save = rom_save,
	.load = rom_load,
	.describe = rom_describe,
	.free = rom_free,
	.reload = rom_reload,
	.pristine = rom_pristine,
};

/* --- life -------------------------------------------------------------------------------- */

/* Writing the firmware into the block must not write it into a file. */
static int check_block(const struct fm_block *block, struct fm_error *err)
{
	unsigned flags = fm_block_flags(block);

	if (fm_block_backing(block) == FM_BACKING_FILE && (flags & FM_BLOCK_SHARED))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_rom_config.block is a shared file, expected memory "
				    "of its own",
				    fm_block_name(block));
	if (flags & FM_BLOCK_READONLY)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_rom_config.block is read-only, expected memory to "
				    "copy the firmware to",
				    fm_block_name(block));
	return 0;
}

/* c->data is malloc'd memory; the device owns it on success only. */
static int new_owned(struct fm_dev **out, const struct fm_rom_config *c, uint8_t *data,
		     struct fm_error *err)
{
	struct rom *rom = calloc(1, sizeof(*rom));
	uint64_t written = 0;
	int rc;

	if (!rom)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
				    fm_block_name(c->block));
	*rom = (struct rom){
		.block = c->block,
		.dirty = fm_block_dirty(c->block),
		.host = fm_block_ptr(c->block),
		.len = fm_block_len(c->block),
		.pristine = data,
		.pristine_len = c->len,
		.fill = c->fill,
		.shadow = c->shadow,
	};
	rc = fm_dev_new(
		&rom->dev, &rom_ops, rom,
		&(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
					 .name = c->name ? c->name : fm_block_name(c->block),
					 .len = rom->len },
		err);
	if (rc) {
		free(rom);
		return rc;
	}
	rom_reload(rom, &written);
	*out = rom->dev;
	return 0;
}

int fm_rom_new(struct fm_dev **out, const struct fm_rom_config *cfg, struct fm_error *err)
{
	struct fm_rom_config c;
	uint8_t *copy;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_rom_config", err);

	if (rc)
		return rc;
	if (!c.block || !c.data || !c.len)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_rom_config.%s is %s, expected %s",
				    !c.block  ? "block"
				    : !c.data ? "data"
					      : "len",
				    c.block && c.data ? "0" : "NULL",
				    c.block ? "the firmware" : "a block to put it in");
	if (c.len > fm_block_len(c.block))
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: the firmware has 0x%zx bytes, expected at most the "
				    "block's 0x%" PRIx64,
				    fm_block_name(c.block), c.len, fm_block_len(c.block));
	rc = check_block(c.block, err);
	if (rc)
		return rc;
	copy = malloc(c.len);
	if (!copy)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
				    fm_block_name(c.block));
	memcpy(copy, c.data, c.len);
	rc = new_owned(out, &c, copy, err);
	if (rc)
		free(copy);
	return rc;
}

bool fm_rom_pristine(struct fm_dev *dev, uint64_t *at)
{
	struct rom *rom = fm_dev_state(dev, &rom_ops);

	if (rom)
		return rom_pristine(rom, at);
	if (at)
		*at = 0;
	return false;
}

/* --- from an image ----------------------------------------------------------------------- */

struct span {
	uint64_t gpa;
	uint64_t len;
	uint64_t data_len; /* up to the last byte that comes from the file; at least 1 */
};

/* The pages that the segments touch. */
static int find_span(struct span *span, const struct fm_image *image, uint64_t page,
		     uint64_t max_len, struct fm_error *err)
{
	uint64_t first = UINT64_MAX, last = 0, data_last = 0;

	for (size_t i = 0; i < image->count; i++) {
		const struct fm_image_segment *s = &image->segments[i];

		first = fmi_min_u64(first, s->addr);
		last = fmi_max_u64(last, s->addr + (s->mem_len - 1));
		if (s->file_len)
			data_last = fmi_max_u64(data_last, s->addr + (s->file_len - 1));
	}
	first = fmi_align_down(first, page);
	last |= page - 1;
	if (last - first >= max_len)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: the segments span 0x%" PRIx64 " to 0x%" PRIx64
				    ", expected at most 0x%" PRIx64 " bytes",
				    image->name, first, last, max_len);
	*span = (struct span){
		.gpa = first,
		.len = last - first + 1,
		.data_len = data_last < first ? 1 : data_last - first + 1,
	};
	return 0;
}

/* The segments as they lie in memory, zero between them. NULL: out of memory. */
static uint8_t *lay_out(const struct fm_image *image, const struct span *span)
{
	uint8_t *flat = calloc(1, (size_t)span->data_len);

	for (size_t i = 0; flat && i < image->count; i++) {
		const struct fm_image_segment *s = &image->segments[i];

		if (s->file_len)
			memcpy(flat + (s->addr - span->gpa), s->data, (size_t)s->file_len);
	}
	return flat;
}

int fm_rom_from_image(struct fm_block **block, struct fm_dev **dev, uint64_t *gpa,
		      const struct fm_image *image, const char *name, enum fm_role role,
		      uint64_t page, uint64_t max_len, struct fm_error *err)
{
	struct fm_rom_config c = { .struct_size = sizeof(c) };
	struct span span = { 0 };
	uint8_t *flat;
	int rc;

	if (!block || !dev || !gpa || !image || !image->count || !name)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: block, dev, gpa, name and an image with a segment must "
				    "be given",
				    name ? name : "ROM");
	page = page ? page : 4096;
	if (!fmi_is_pow2(page))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: page is 0x%" PRIx64 ", expected a power of two or 0", name,
				    page);
	rc = find_span(&span, image, page, max_len ? max_len : SPAN_MAX, err);
	if (rc)
		return rc;
	rc = fm_block_new(&c.block,
			  &(struct fm_block_config){ .struct_size = sizeof(struct fm_block_config),
						     .name = name,
						     .role = role,
						     .len = span.len },
			  err);
	if (rc)
		return rc;
	flat = lay_out(image, &span);
	c.len = (size_t)span.data_len;
	rc = flat ? new_owned(dev, &c, flat, err)
		  : fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", name);
	if (rc) {
		free(flat);
		fm_block_free(c.block);
		return rc;
	}
	*block = c.block;
	*gpa = span.gpa;
	return 0;
}
