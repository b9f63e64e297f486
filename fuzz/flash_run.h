/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_run: what fuzz_flash keeps of a run, and how it chooses the bank. */
#ifndef FIRMEM_FUZZ_FLASH_RUN_H
#define FIRMEM_FUZZ_FLASH_RUN_H

#include "fuzz/memfile.h"
#include "fuzz/tape.h"

#include <firmem/flash.h>

#include <string.h>

#define ROOM (256u << 10) /* at most 64 pages */
#define PAGE 4096u
#define QEMUS ((unsigned)(FM_FLASH_QUIRK_ONE_STATE | FM_FLASH_QUIRK_QEMU_AMD))

struct side {
	uint8_t *array;
	struct fm_block *block;
	struct fm_dev *dev;
	uint64_t now_ns;
};

struct run {
	struct tape tape;
	struct fm_flash_config cfg;
	struct fm_flash_health health;
	struct fm_flash_stuck stuck[3];
	uint32_t bad;
	struct fm_block *registers;
	unsigned line; /* AMD: the next of its sequences' cycles */
	uint64_t len;
	uint64_t edges[FM_FLASH_REGIONS * 2 + 1]; /* where blocks begin, some of them */
	unsigned nedges;
	struct side one;
	struct side twin; /* dev: NULL until a state was loaded into it */
	uint8_t *told;    /* the array as the medium operations make it */
	bool changed;     /* by the operations of this access */
	struct fm_medium_sub sub;
	struct memdir dir;
	struct memfile *file; /* the image */
	struct fm_io io;
	struct fm_worker *worker;
	uint64_t waits;
	bool behind; /* something failed, and no flush succeeded since */
	bool loaded; /* a state, and no flush since */
};

/* --- the image ----------------------------------------------------------------------------- */

static inline void make_image(struct run *r)
{
	const struct fm_worker_config worker = { .struct_size = sizeof(worker), .pumped = true };

	memdir_init(&r->dir, &r->io);
	r->file = memdir_put(&r->dir, "image", r->one.array, r->len);
	TAPE_CHECK(!fm_worker_new(&r->worker, &worker, NULL));
	r->cfg.image = "image";
	r->cfg.journal_len = 16384;
	r->cfg.interval_ns = 1; /* each pump is a tick */
	r->cfg.mode = tape_one_in(&r->tape, 8) ? FM_WRITE_THROUGH : FM_WRITE_BEHIND;
	r->cfg.worker = r->worker;
	r->cfg.io = &r->io;
}

/* Did an operation find the journal full since the last time? */
static inline bool waits(struct run *r)
{
	struct fm_write_behind_stats stats;
	uint64_t before = r->waits;

	fm_write_behind_stats(fm_flash_image(r->one.dev), &stats);
	r->waits = stats.waits;
	return stats.waits != before;
}

/* The process is killed: another opens what it left, without writing anything to it. */
static inline void check_killed(struct run *r)
{
	struct fm_write_behind_config cfg = {
		.struct_size = sizeof(cfg),
		.len = r->len,
		.image = "image",
		.read_only = true,
		.io = &r->io,
	};
	struct fm_write_behind *wb;

	if (r->behind || r->loaded || r->cfg.read_only)
		return;
	cfg.array = malloc(r->len);
	TAPE_CHECK(!fm_write_behind_open(&wb, &cfg, NULL));
	TAPE_CHECK(!memcmp(cfg.array, r->one.array, r->len));
	fm_write_behind_close(wb);
	free(cfg.array);
}

/* --- the bank ---------------------------------------------------------------------------- */

/* Any that go together, and now and then some that do not. */
static inline void choose_quirks(struct run *r)
{
	static const unsigned buffers[] = { FM_FLASH_QUIRK_BUFFER_FROM_COUNT,
					    FM_FLASH_QUIRK_BUFFER_DIRECT,
					    FM_FLASH_QUIRK_BUFFER_FROM_DATA };
	const unsigned need_whole = FM_FLASH_QUIRK_COUNT_UNBOUNDED | FM_FLASH_QUIRK_OVERWRITE |
				    FM_FLASH_QUIRK_NO_CHIP_WIDTH;
	struct tape *t = &r->tape;
	unsigned quirks = (unsigned)tape_number(t, 2) & 0x3fff;

	quirks &= ~(unsigned)(FM_FLASH_QUIRK_ONE_STATE | FM_FLASH_QUIRK_BUFFER_FROM_COUNT);
	if (tape_one_in(t, 2))
		return;
	if (r->cfg.nregions > 1)
		quirks &= ~(unsigned)FM_FLASH_QUIRK_QEMU_TABLE;
	if (r->cfg.chip_width != r->cfg.bank_width)
		quirks &= ~(unsigned)FM_FLASH_QUIRK_NO_CHIP_WIDTH;
	if (tape_one_in(t, 2))
		quirks |= FM_FLASH_QUIRK_ONE_STATE | buffers[tape_below(t, 3)];
	else if (!tape_one_in(t, 16))
		quirks &= ~need_whole;
	r->cfg.quirks = quirks;
}

/* As QEMU has it, with its table or without. */
static inline void choose_amd_quirks(struct run *r)
{
	if (!tape_one_in(&r->tape, 3))
		return;
	r->cfg.quirks = FM_FLASH_QUIRK_QEMU_AMD;
	if (tape_one_in(&r->tape, 2))
		r->cfg.quirks |= FM_FLASH_QUIRK_QEMU_TABLE;
	if (!tape_one_in(&r->tape, 8)) {
		r->cfg.chip_width = r->cfg.bank_width;
		r->cfg.byte_mode = false;
	}
}

/* Wear and failures, seldom enough that most operations succeed. */
static inline void choose_health(struct run *r)
{
	struct tape *t = &r->tape;
	struct fm_flash_health *health = &r->health;

	if (!tape_one_in(t, 3))
		return;
	health->struct_size = sizeof(*health);
	health->endurance = tape_below(t, 4) * 3;
	health->nstuck = tape_below(t, 4);
	for (size_t i = 0; i < health->nstuck; i++) {
		r->stuck[i].off =
			tape_one_in(t, 2) ? tape_below(t, 16) : tape_number(t, 3) % r->len;
		r->stuck[i].zeros = tape_u8(t);
		r->stuck[i].ones = tape_u8(t) & (uint8_t)~r->stuck[i].zeros;
	}
	health->stuck = r->stuck;
	health->nbad = tape_below(t, 2);
	r->bad = tape_below(t, 8);
	health->bad = &r->bad;
	health->fail_program = tape_below(t, 8);
	health->fail_erase = tape_below(t, 4);
	health->program_ppm = tape_below(t, 3) * 50000;
	health->erase_ppm = tape_below(t, 3) * 50000;
	health->seed = tape_u8(t);
	r->cfg.health = health;
}

/* Time, traits and the bus, now and then with something that does not go together. */
static inline void choose_part(struct run *r)
{
	struct tape *t = &r->tape;
	struct fm_flash_config *cfg = &r->cfg;

	/* QEMU's banks go with none of it. */
	if ((cfg->quirks & QEMUS) && !tape_one_in(t, 16))
		return;
	cfg->traits = tape_one_in(t, 2) ? (unsigned)tape_number(t, 2) & 0xfff : 0;
	/* Both sets have traits that the other's chips cannot lack. */
	if (!tape_one_in(t, 16))
		cfg->traits &= cfg->set == FM_FLASH_AMD ? ~0x328u : ~0xcc0u;
	cfg->time = cfg->quirks && !tape_one_in(t, 16) ? 0 : tape_below(t, 3);
	for (unsigned i = 0; i < 4; i++)
		(&cfg->times.word_us)[i] = (uint8_t)tape_below(t, i < 2 ? 5 : 3);
	cfg->big_endian = !(cfg->quirks & FM_FLASH_QUIRK_ONE_STATE) && tape_one_in(t, 4);
	cfg->secure_only = tape_one_in(t, 6);
	cfg->pins = tape_one_in(t, 4) ? tape_below(t, 4) : 0;
	cfg->unique = tape_u8(t);
	choose_health(r);
}

static inline void choose_geometry(struct run *r)
{
	struct tape *t = &r->tape;
	struct fm_flash_config *cfg = &r->cfg;
	unsigned chips, grow;

	cfg->struct_size = sizeof(*cfg);
	cfg->set = tape_one_in(t, 2) ? FM_FLASH_AMD : FM_FLASH_INTEL;
	/* An AMD bank whose command addresses are behind its end can do nothing. */
	grow = cfg->set == FM_FLASH_AMD ? 1 + tape_below(t, 3) : 0;
	cfg->bank_width = 1u << tape_below(t, 4);
	cfg->chip_width = 1u << tape_below(t, 3);
	if (cfg->chip_width > cfg->bank_width)
		cfg->chip_width = cfg->bank_width;
	chips = cfg->bank_width / cfg->chip_width;
	cfg->nregions = 1 + tape_below(t, FM_FLASH_REGIONS);
	for (unsigned i = 0; i < cfg->nregions; i++) {
		cfg->regions[i].block_len = 256ull * chips << (grow ? grow : tape_below(t, 2));
		cfg->regions[i].count = 1 + tape_below(t, 3);
		r->edges[r->nedges++] = r->len;
		r->len += cfg->regions[i].block_len;
		r->edges[r->nedges++] = r->len;
		r->len += cfg->regions[i].block_len * (cfg->regions[i].count - 1);
	}
	r->edges[r->nedges++] = r->len;
	cfg->narrow = tape_below(t, 3);
	cfg->buffer_len = tape_one_in(t, 2) ? 0 : cfg->bank_width << tape_below(t, 6);
	cfg->read_only = tape_one_in(t, 16);
	cfg->byte_mode = cfg->set == FM_FLASH_AMD && cfg->chip_width == 1 && tape_one_in(t, 2);
	if (cfg->set == FM_FLASH_INTEL)
		choose_quirks(r);
	else
		choose_amd_quirks(r);
	choose_part(r);
}

/* What is non-volatile beside the array, in a block of its own, now and then. */
static inline void make_registers(struct run *r)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg),
				       .name = "registers",
				       .role = FM_ROLE_FLASH_VARS };

	if ((r->cfg.quirks & QEMUS) || !tape_one_in(&r->tape, 3) ||
	    fm_flash_registers_len(&r->cfg, &cfg.len, NULL))
		return;
	TAPE_CHECK(!fm_block_new(&r->registers, &cfg, NULL));
	memset(fm_block_ptr(r->registers), 0xff, cfg.len);
	r->cfg.registers = r->registers;
}

#endif
