/* SPDX-License-Identifier: BSD-2-Clause */
/* The sequences of AMD chips, broken at times, and time that passes in the middle of them. */
#include "tests/diff/grammar.h"

#define SECTOR_NS 512000u /* that an erase takes here */
#define WINDOW_NS 50000u  /* for further sectors */
#define READS_TO_MAP 43u  /* until the bank is memory again */

static const uint8_t commands[] = { 0x00, 0x10, 0x20, 0x25, 0x29, 0x30, 0x30, 0x55, 0x60, 0x70,
				    0x80, 0x90, 0x98, 0xa0, 0xaa, 0xb0, 0xb0, 0xf0, 0xff };

/* A word that commands are written to; lines above A10 are ignored. */
static uint64_t at(struct run *r, unsigned word)
{
	uint64_t off = (uint64_t)word * r->board->bank_width;

	if (!below(r, 16))
		off += UINT64_C(0x800) * r->board->bank_width * below(r, 4);
	if (!below(r, 32))
		off += below(r, r->board->bank_width);
	return off;
}

/* One in 64 is another code, one comes after another, one goes elsewhere, and widths differ. */
static void command(struct run *r, uint64_t off, uint8_t code)
{
	if (!below(r, 64))
		say_write(r, any_off(r), any_size(r),
			  spread(r, commands[below(r, sizeof(commands))]));
	if (!below(r, 64))
		code = commands[below(r, sizeof(commands))];
	if (!below(r, 64))
		off = any_off(r);
	say_write(r, off, below(r, 16) ? r->board->bank_width : any_size(r), spread(r, code));
	if (!below(r, 24))
		look(r);
}

static void unlock(struct run *r)
{
	command(r, at(r, 0x555), 0xaa);
	command(r, at(r, 0x2aa), 0x55);
}

static void start(struct run *r, uint8_t code)
{
	unlock(r);
	command(r, at(r, 0x555), code);
}

/* Time: a little, up to one side of the deadline, half of the way, or until all is over. */
static void wait(struct run *r)
{
	uint64_t deadline = fm_dev_next_deadline_ns(r->dev);
	uint64_t left = deadline == FM_NEVER ? WINDOW_NS : deadline - r->now_ns;
	uint64_t near = below(r, 10) * PLAYER_TICK_NS;

	switch (below(r, 6)) {
	case 0:
		say_wait(r, below(r, WINDOW_NS));
		break;
	case 1:
		say_wait(r, left > near + PLAYER_ACCESS_NS ? left - near - PLAYER_ACCESS_NS : near);
		break;
	case 2:
		say_wait(r, left > PLAYER_ACCESS_NS ? left + near - PLAYER_ACCESS_NS : near);
		break;
	case 3:
		say_wait(r, left / 2);
		break;
	case 4:
		say_wait(r, below(r, 4 * SECTOR_NS));
		break;
	default:
		say_wait(r, left + near);
		if (fm_dev_next_deadline_ns(r->dev) != FM_NEVER)
			say_wait(r, fm_dev_next_deadline_ns(r->dev) - r->now_ns + near);
		break;
	}
}

static void program_word(struct run *r)
{
	uint64_t off = aligned_off(r);

	start(r, 0xa0);
	if (!below(r, 8))
		look(r);
	say_write(r, off, any_size(r), any_data(r));
	say_read(r, off, any_size(r));
}

/* Reads without a write, until a suspended sector shows the array. */
static void read_much(struct run *r)
{
	unsigned n = below(r, 3) ? READS_TO_MAP - 2 + below(r, 5) : below(r, READS_TO_MAP);

	while (n--)
		say_read(r, any_off(r), any_size(r));
}

static void in_bypass(struct run *r)
{
	switch (below(r, 6)) {
	case 0:
		command(r, any_off(r), 0x80);
		unlock(r);
		command(r, any_off(r), 0x30);
		if (!below(r, 4)) /* which ends bypass no more than the erase does */
			command(r, any_off(r), 0xb0);
		wait(r);
		wait(r);
		break;
	case 1:
		command(r, any_off(r), 0x90);
		say_read(r, below(r, 8), any_size(r));
		break;
	case 2: /* it outlives this */
		say_reset(r);
		unlock(r);
		break;
	default:
		command(r, any_off(r), 0xa0);
		say_write(r, aligned_off(r), any_size(r), any_data(r));
		if (!below(r, 3))
			look(r);
		break;
	}
}

static void bypass(struct run *r)
{
	start(r, 0x20);
	for (unsigned n = below(r, 6); n; n--)
		in_bypass(r);
	if (below(r, 2)) {
		command(r, any_off(r), 0x90);
		if (!below(r, 3))
			look(r);
		command(r, any_off(r), 0x00);
	}
}

static void identify(struct run *r)
{
	uint64_t base = below(r, 2) ? 0 : r->block_off[below(r, BLOCKS)];

	if (below(r, 3))
		start(r, 0x90);
	if (below(r, 2))
		command(r, at(r, 0x55), 0x98);
	for (unsigned n = 1 + below(r, 6); n; n--)
		say_read(r, base + below(r, 0x140), any_size(r));
	if (!below(r, 4))
		command(r, any_off(r), 0xf0);
	look(r);
	if (below(r, 4))
		command(r, any_off(r), 0xf0);
}

/* What guests do while an erase is suspended. */
static void while_suspended(struct run *r)
{
	for (unsigned n = below(r, 4); n; n--) {
		switch (below(r, 8)) {
		case 0:
			read_much(r);
			break;
		case 1:
		case 2:
			program_word(r);
			break;
		case 3:
			bypass(r);
			break;
		case 4:
			identify(r);
			break;
		case 5:
			wait(r);
			if (!below(r, 2))
				say_reset(r);
			break;
		default:
			look(r);
			break;
		}
	}
}

static void suspend(struct run *r)
{
	command(r, any_off(r), 0xb0);
	look(r);
	while_suspended(r);
	if (!below(r, 8))
		start(r, 0x80);
	command(r, any_off(r), 0x30);
	look(r);
}

/* Something while sectors are erased, or awaited. */
static void while_erasing(struct run *r)
{
	switch (below(r, 8)) {
	case 0:
		suspend(r);
		break;
	case 1:
		command(r, any_off(r), commands[below(r, sizeof(commands))]);
		break;
	case 2:
		command(r, any_off(r), 0x30);
		break;
	case 3:
	case 4:
		wait(r);
		break;
	case 5:
		if (!below(r, 4))
			say_reset(r);
		break;
	default:
		look(r);
		break;
	}
}

static void erase(struct run *r)
{
	if (!below(r, 6))
		start(r, 0x20);
	start(r, 0x80);
	unlock(r);
	for (unsigned n = 1 + below(r, 3); n; n--) {
		command(r, any_off(r), 0x30);
		if (!below(r, 3))
			wait(r);
	}
	for (unsigned n = below(r, 8); n; n--)
		while_erasing(r);
	if (below(r, 4)) {
		wait(r);
		wait(r);
	}
	look(r);
}

/* Large banks take their time, here too. */
static void erase_chip(struct run *r)
{
	start(r, 0x80);
	unlock(r);
	command(r, at(r, 0x555), 0x10);
	look(r);
	for (unsigned n = below(r, 4); n; n--)
		while_erasing(r);
	if (below(r, 2))
		wait(r);
	if (below(r, 4))
		say_wait(r, UINT64_C(4100000000));
	look(r);
}

/*
 * A timer that nothing waits for fires in the middle of another sequence, in an erase that follows, or
 * at the end of the batch, where a clock that stood moves on.
 */
static void stray(struct run *r)
{
	start(r, 0x80);
	unlock(r);
	command(r, below(r, 4) ? any_off(r) : at(r, 0x555), below(r, 4) ? 0x30 : 0x10);
	if (!below(r, 4))
		wait(r);
	if (r->still)
		say_reset(r);
	else
		command(r, any_off(r), 0xf0);
	switch (below(r, 5)) {
	case 0:
		start(r, 0x90);
		break;
	case 1:
		start(r, 0x80);
		break;
	case 2:
		command(r, at(r, 0x55), 0x98);
		break;
	case 3:
		start(r, below(r, 2) ? 0x20 : 0xa0);
		break;
	default:
		start(r, 0x80);
		unlock(r);
		command(r, any_off(r), 0x30);
		break;
	}
	look(r);
	wait(r);
	r->cut = r->still;
	if (!r->cut)
		say_read(r, below(r, 8), any_size(r));
}

/* The same in bypass, which a reset does not end, nor reads; then the timer finds the bank memory. */
static void stray_in_bypass(struct run *r)
{
	start(r, 0x20);
	command(r, any_off(r), 0x80);
	unlock(r);
	command(r, any_off(r), 0x30);
	say_reset(r);
	read_much(r);
	r->cut = r->still;
}

static void anything(struct run *r)
{
	for (unsigned n = 1 + below(r, 6); n; n--) {
		uint64_t off = below(r, 2) ? any_off(r) : at(r, below(r, 2) ? 0x555 : 0x2aa);

		if (below(r, 2))
			say_read(r, off, any_size(r));
		else
			say_write(r, off, any_size(r),
				  below(r, 6) ? spread(r, commands[below(r, sizeof(commands))])
					      : next(r));
	}
}

void grammar_amd_tables(struct run *r)
{
	unsigned width = r->board->bank_width;

	say_write(r, (uint64_t)0x555 * width, width, 0xaa);
	say_write(r, (uint64_t)0x2aa * width, width, 0x55);
	say_write(r, (uint64_t)0x555 * width, width, 0x90);
	for (unsigned n = 0; n < 0x200; n++)
		say_read(r, n, width);
	say_write(r, (uint64_t)0x55 * width, width, 0x98);
	for (unsigned n = 0; n < 0x200; n++)
		say_read(r, n, width);
	say_write(r, 0, width, 0xf0);
	say_write(r, 0, width, 0xf0);
}

/* What the end of the timers in the batch before has led to. */
static void after_cut(struct run *r)
{
	if (!below(r, 3))
		command(r, any_off(r), 0x90);
	for (unsigned n = 1 + below(r, 2); n; n--)
		say_read(r, below(r, 8), any_size(r));
}

void grammar_amd(struct run *r)
{
	if (r->cut && !r->nops) {
		r->cut = false;
		after_cut(r);
		return;
	}
	switch (below(r, 16)) {
	case 0:
	case 1:
	case 2:
		program_word(r);
		break;
	case 3:
		bypass(r);
		break;
	case 4:
	case 5:
		identify(r);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		erase(r);
		break;
	case 10:
		if (!below(r, r->board->len > (16u << 20) ? 40 : 8))
			erase_chip(r);
		break;
	case 11:
		command(r, any_off(r), 0xf0);
		look(r);
		break;
	case 12:
		if (below(r, 4))
			wait(r);
		else
			say_reset(r);
		break;
	case 13:
		if (!below(r, 4))
			read_much(r);
		else if (below(r, 2))
			stray_in_bypass(r);
		else
			stray(r);
		break;
	default:
		anything(r);
		break;
	}
}
