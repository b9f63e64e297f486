/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_journal: an image and the journal of a killed process, which is then damaged: bits flipped,
 * truncated, another's, fields made impossible with a right checksum. What must hold:
 *  - opening either succeeds or is refused with a message that names a file, and never crashes;
 *  - a reader, and whoever is refused, has changed no byte of any file;
 *  - unless the damage was signed with a right checksum, what an opener sees is a state that the
 *    memory went through, or, without changes in the journal, the image as it is.
 */
#include "fuzz/memfile.h"
#include "fuzz/tape.h"

#include <firmem/write_behind.h>

/* docs/write-behind.md, once more. */
#define SLOT_LEN 4096u
#define RING_OFF 8192u
#define HEADER_LEN 128u
#define RECORD_LEN 32u

#define IMAGE_LEN 12288u
#define RING 16384u
#define HISTORY 96u

struct run {
	struct tape tape;
	struct memdir dir;
	struct fm_io io;
	struct fm_worker *worker;
	uint8_t array[IMAGE_LEN];
	uint8_t history[HISTORY][IMAGE_LEN];
	unsigned states;
	bool signed_damage;
	bool image_damage;
};

static uint64_t le_load(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	while (size--)
		v = v << 8 | p[size];
	return v;
}

static void le_store(uint8_t *p, unsigned size, uint64_t v)
{
	for (; size--; v >>= 8)
		*p++ = (uint8_t)v;
}

/* CRC-32 of IEEE 802.3, continued. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *p, uint64_t len)
{
	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (unsigned i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static struct fm_write_behind_config config(struct run *r, uint8_t *array)
{
	return (struct fm_write_behind_config){ .struct_size =
							sizeof(struct fm_write_behind_config),
						.array = array,
						.len = IMAGE_LEN,
						.image = "image",
						.interval_ns = 1,
						.journal_len = RING,
						.worker = r->worker,
						.io = &r->io };
}

static void note(struct run *r)
{
	memcpy(r->history[r->states++], r->array, IMAGE_LEN);
}

static bool known(const struct run *r, const uint8_t *array)
{
	for (unsigned i = 0; i < r->states; i++) {
		if (!memcmp(r->history[i], array, IMAGE_LEN))
			return true;
	}
	return false;
}

/* One change of the memory, or a tick of the worker. */
static void act(struct run *r, struct fm_write_behind *wb)
{
	struct tape *t = &r->tape;
	uint64_t len = 1 + tape_below(t, tape_one_in(t, 4) ? 3000 : 24);
	uint64_t off = tape_below(t, IMAGE_LEN);
	uint8_t byte = tape_u8(t);

	if (len > IMAGE_LEN - off)
		len = IMAGE_LEN - off;
	switch (tape_below(t, 6)) {
	case 0:
		for (unsigned n = tape_below(t, 16); n; n--)
			fm_worker_pump(r->worker);
		return;
	case 1:
		memset(r->array + off, 0xff, len);
		fm_write_behind_erase(wb, off, len);
		break;
	default:
		for (uint64_t i = 0; i < len; i++)
			r->array[off + i] = (uint8_t)(byte + i);
		fm_write_behind_store(wb, off, len);
		break;
	}
	note(r);
}

/* A process that was killed: its files stay as they are, and are closed without being written. */
static void leave(struct run *r)
{
	struct fm_write_behind_config cfg = config(r, r->array);
	struct memdir before;
	struct fm_write_behind *wb;
	uint8_t *image = malloc(MEMFILE_ROOM);
	uint8_t *journal = malloc(MEMFILE_ROOM);
	struct memfile *file;
	uint64_t journal_len;

	TAPE_CHECK(!fm_write_behind_open(&wb, &cfg, NULL));
	for (unsigned n = tape_below(&r->tape, HISTORY - 2); n; n--)
		act(r, wb);
	memcpy(image, memdir_find(&r->dir, "image")->bytes, IMAGE_LEN);
	file = memdir_find(&r->dir, "image.journal");
	journal_len = file->len;
	memcpy(journal, file->bytes, journal_len);
	fm_write_behind_close(wb);
	before = r->dir;
	memdir_exit(&before);
	memdir_init(&r->dir, &r->io);
	memdir_put(&r->dir, "image", image, IMAGE_LEN);
	memdir_put(&r->dir, "image.journal", journal, journal_len);
	free(image);
	free(journal);
}

/* --- damage -------------------------------------------------------------------------------- */

/* A field of the header that counts, impossible or not, under a right checksum. */
static void forge_header(struct run *r, struct memfile *f)
{
	static const uint8_t fields[] = {
		0x08, 0x0c, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x58
	};
	uint8_t *h = f->bytes + tape_below(&r->tape, 2) * SLOT_LEN;
	uint8_t at = fields[tape_below(&r->tape, sizeof(fields))];
	unsigned size = at < 0x10 || at == 0x48 ? 4 : 8;
	uint64_t near = le_load(h + at, size);

	le_store(h + at, size, tape_edge(&r->tape, near));
	le_store(h + 0x7c, 4, crc32_of(0, h, 0x7c));
	r->signed_damage = true;
}

/* The same of the first record behind the tail. */
static void forge_record(struct run *r, struct memfile *f)
{
	static const uint8_t fields[] = { 0x00, 0x08, 0x10, 0x18, 0x1c };
	uint8_t at = fields[tape_below(&r->tape, sizeof(fields))];
	unsigned size = at == 0x08 || at == 0x10 ? 8 : 4;
	bool second = le_load(f->bytes + 0x20, 8) < le_load(f->bytes + SLOT_LEN + 0x20, 8);
	const uint8_t *h = f->bytes + (second ? SLOT_LEN : 0);
	uint64_t tail = le_load(h + 0x30, 8) % RING;
	uint64_t near, len;
	uint8_t *head = f->bytes + RING_OFF + tail;

	if (tail > RING - RECORD_LEN)
		return;
	near = le_load(head + at, size);
	le_store(head + at, size, tape_edge(&r->tape, near));
	len = le_load(head, 4);
	if (len <= RING - RECORD_LEN - tail)
		le_store(head + 4, 4, crc32_of((uint32_t)le_load(h + 0x48, 4), head + 8, 24 + len));
	r->signed_damage = true;
}

static void damage(struct run *r)
{
	struct memfile *f = memdir_find(&r->dir, "image.journal");
	struct tape *t = &r->tape;
	uint64_t at;

	if (f->len < RING_OFF + RING)
		return;
	switch (tape_below(t, 9)) {
	case 8:
		at = tape_below(t, IMAGE_LEN);
		memdir_find(&r->dir, "image")->bytes[at] ^= (uint8_t)(1u << tape_below(t, 8));
		memdir_find(&r->dir, "image")->synced[at] =
			memdir_find(&r->dir, "image")->bytes[at];
		r->image_damage = true;
		break;
	case 0:
		f->len = tape_below(t, 65536) % f->len;
		break;
	case 1:
		f->len += 1 + tape_below(t, 9000);
		break;
	case 2:
		forge_header(r, f);
		break;
	case 3:
		forge_record(r, f);
		break;
	case 4: /* a sector that is zero, or as another */
		at = tape_below(t, (unsigned)(f->len / 512)) * 512u;
		memset(f->bytes + at, tape_one_in(t, 2) ? 0 : tape_u8(t), 512);
		break;
	case 5: /* the headers */
		at = tape_below(t, 2) * SLOT_LEN + tape_below(t, HEADER_LEN);
		f->bytes[at] ^= (uint8_t)(1u << tape_below(t, 8));
		break;
	default:
		at = RING_OFF + tape_below(t, tape_one_in(t, 2) ? RING : 512);
		f->bytes[at] ^= (uint8_t)(1u << tape_below(t, 8));
		break;
	}
}

/* --- opening ------------------------------------------------------------------------------- */

static uint64_t files_hash(struct run *r)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < MEMFILES; i++) {
		const struct memfile *m = &r->dir.files[i];

		hash += m->name[0] ? m->len : 1;
		for (uint64_t at = 0; m->name[0] && at + 8 <= m->len; at += 8)
			hash = (hash ^ le_load(m->bytes + at, 8)) * 0x9e3779b97f4a7c15u;
	}
	return hash;
}

static bool open_it(struct run *r, bool writer)
{
	static uint8_t array[IMAGE_LEN];
	struct fm_write_behind_config cfg = config(r, array);
	struct fm_write_behind *wb;
	struct fm_error err = { 0 };
	struct fm_recovery found;
	uint64_t before = files_hash(r);
	int rc;

	cfg.read_only = !writer;
	rc = fm_write_behind_open(&wb, &cfg, &err);
	if (rc) {
		TAPE_CHECK(err.code == rc && strstr(err.msg, "image"));
		TAPE_CHECK(rc == FM_ERR_FORMAT || rc == FM_ERR_VERSION || rc == FM_ERR_CHECKSUM ||
			   rc == FM_ERR_SIZE);
		TAPE_CHECK(files_hash(r) == before);
		return false;
	}
	fm_write_behind_recovery(wb, &found);
	/* What counts without changes in a journal is the image, whatever it is. */
	if (!r->signed_damage && !(r->image_damage && (!found.found || found.clean)))
		TAPE_CHECK(known(r, array));
	if (!writer)
		TAPE_CHECK(files_hash(r) == before);
	fm_write_behind_close(wb);
	if (!writer)
		TAPE_CHECK(files_hash(r) == before);
	else
		TAPE_CHECK(!memcmp(memdir_find(&r->dir, "image")->synced, array, IMAGE_LEN));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct fm_worker_config worker = { .struct_size = sizeof(worker), .pumped = true };
	struct run *r = calloc(1, sizeof(*r));
	bool readable;

	r->tape = (struct tape){ bytes, len };
	TAPE_CHECK(!fm_worker_new(&r->worker, &worker, NULL));
	memdir_init(&r->dir, &r->io);
	memdir_put(&r->dir, "image", r->array, IMAGE_LEN);
	note(r);
	leave(r);
	for (unsigned n = tape_below(&r->tape, 4); n; n--)
		damage(r);
	readable = open_it(r, false);
	TAPE_CHECK(open_it(r, true) == readable);
	fm_worker_free(r->worker);
	memdir_exit(&r->dir);
	free(r);
	return 0;
}
