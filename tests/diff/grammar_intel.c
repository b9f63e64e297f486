/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands from a table, offsets near edges, the drivers' sequences, and each of them broken at times. */
#include "tests/diff/grammar.h"

#define WORDS_MAX 40u /* of a buffered program here */

static const uint8_t commands[] = { 0x00, 0xff, 0xf0, 0x10, 0x40, 0x20, 0x28, 0x50, 0x60, 0x70,
				    0x90, 0x98, 0xe8, 0xd0, 0x01, 0x2f, 0xb0, 0xc0, 0xaa, 0x55 };

static void command(struct run *r, uint64_t off, uint8_t code)
{
	/* Once in a while another one, another place or another width: sequences break. */
	if (!below(r, 40))
		code = commands[below(r, sizeof(commands))];
	if (!below(r, 40))
		off = any_off(r);
	say_write(r, off, below(r, 20) ? r->board->bank_width : any_size(r), spread(r, code));
}

static void program_word(struct run *r)
{
	uint64_t off = aligned_off(r);

	command(r, off, below(r, 2) ? 0x40 : 0x10);
	if (!below(r, 4))
		look(r);
	say_write(r, off, any_size(r), any_data(r));
	say_read(r, off, any_size(r));
	if (below(r, 2))
		command(r, off, 0xff);
	say_read(r, off, any_size(r));
}

static void program_buffer(struct run *r)
{
	unsigned width = r->board->bank_width;
	uint64_t off = aligned_off(r);
	unsigned words = 1 + below(r, below(r, 4) ? 8 : WORDS_MAX);
	uint64_t base = off;

	if (!below(r, 3)) /* as U-Boot: the count goes to the block's base */
		base = off / r->board->regions[0].block_len * r->board->regions[0].block_len;
	command(r, off, 0xe8);
	say_read(r, off, width);
	say_write(r, base, width, (words - 1) * UINT64_C(0x0001000100010001));
	for (unsigned n = 0; n < words; n++) {
		uint64_t at = below(r, 30) ? off + (uint64_t)n * width : any_off(r);

		say_write(r, at, below(r, 20) ? width : any_size(r), any_data(r));
		if (!below(r, 20))
			look(r);
	}
	/* At the device's base too, as edk2 does. */
	command(r, below(r, 3) ? off : 0, 0xd0);
	look(r);
	if (below(r, 2))
		command(r, off, 0xff);
	say_read(r, off, any_size(r));
}

static void erase(struct run *r)
{
	uint64_t off = any_off(r);

	command(r, off, 0x20);
	if (!below(r, 4))
		look(r);
	command(r, off, 0xd0);
	look(r);
}

static void identify(struct run *r)
{
	uint64_t base = below(r, 2) ? 0 : r->block_off[below(r, BLOCKS)];

	command(r, base, below(r, 2) ? 0x98 : 0x90);
	for (unsigned n = 0; n < 8; n++)
		say_read(r, base + below(r, 0x60 * r->board->bank_width), any_size(r));
	command(r, base, 0xff);
}

static void lock(struct run *r)
{
	static const uint8_t second[] = { 0x01, 0xd0, 0x2f, 0xff };
	uint64_t off = any_off(r);

	command(r, off, 0x60);
	command(r, off, second[below(r, sizeof(second))]);
	look(r);
}

/* From any mode, and what it leaves. */
static void clear(struct run *r)
{
	if (below(r, 2))
		command(r, any_off(r), below(r, 2) ? 0x90 : 0x70);
	command(r, any_off(r), 0x50);
	look(r);
	if (below(r, 2))
		command(r, any_off(r), 0x70);
	look(r);
}

static void anything(struct run *r)
{
	for (unsigned n = 1 + below(r, 6); n; n--) {
		if (below(r, 2))
			say_read(r, any_off(r), any_size(r));
		else
			say_write(r, any_off(r), any_size(r),
				  below(r, 6) ? spread(r, commands[below(r, sizeof(commands))])
					      : next(r));
	}
}

void grammar_intel(struct run *r)
{
	switch (below(r, 12)) {
	case 0:
		clear(r);
		break;
	case 1:
		command(r, any_off(r), below(r, 2) ? 0x70 : 0xff);
		look(r);
		break;
	case 2:
	case 3:
		program_word(r);
		break;
	case 4:
	case 5:
	case 6:
		program_buffer(r);
		break;
	case 7:
		erase(r);
		break;
	case 8:
		identify(r);
		break;
	case 9:
		lock(r);
		break;
	default:
		anything(r);
		break;
	}
}
