/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands from a table, offsets near edges, the drivers' sequences, and each of them broken at times. */
#include "tests/diff/pair.h"

#define WORDS_MAX 40u /* of a buffered program here */

static uint64_t next(struct run *r)
{
	uint64_t z = r->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned below(struct run *r, unsigned n)
{
	return (unsigned)(next(r) % n);
}

static uint64_t size_mask(unsigned size)
{
	return size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

/* Do it to our bank now, to QEMU's with its batch. */
static void add(struct run *r, bool write, uint64_t off, unsigned size, uint64_t value)
{
	const struct fm_attrs attrs = { 0 };
	struct op *op = &r->ops[r->nops];

	if (r->nops == BATCH)
		return;
	if (off > r->board->len - size)
		off = r->board->len - size;
	r->nops++;
	value &= size_mask(size);
	*op = (struct op){
		.q = { .addr = off, .value = value, .size = (uint8_t)size, .write = write },
		.ours = value
	};
	if (write)
		fm_dev_write(r->dev, off, size, value, attrs);
	else
		fm_dev_read(r->dev, off, size, &op->ours, attrs);
}

static const uint8_t commands[] = { 0x00, 0xff, 0xf0, 0x10, 0x40, 0x20, 0x28, 0x50, 0x60, 0x70,
				    0x90, 0x98, 0xe8, 0xd0, 0x01, 0x2f, 0xb0, 0xc0, 0xaa, 0x55 };

static unsigned any_size(struct run *r)
{
	return below(r, 3) ? r->board->bank_width : 1u << below(r, 4);
}

/* At an edge of a block, of a buffer, or at the bottom; now and then anywhere in a block. */
static uint64_t any_off(struct run *r)
{
	uint64_t block = r->block_off[below(r, BLOCKS)];
	uint64_t near = below(r, 64);

	switch (below(r, 8)) {
	case 0: /* before the block */
		return block > near ? block - near : near;
	case 1:
		return block + r->board->block_len - 1 - near;
	case 2:
		return block + below(r, (unsigned)r->board->block_len);
	case 3:
		return block + 256 * (1 + below(r, 12)) + near - 32;
	default:
		return block + near;
	}
}

static uint64_t aligned_off(struct run *r)
{
	return any_off(r) / r->board->bank_width * r->board->bank_width;
}

/* A command on every chip's lanes, on the lowest alone, or with noise above. */
static uint64_t spread(struct run *r, uint8_t command)
{
	switch (below(r, 8)) {
	case 0:
		return command;
	case 1:
		return command * UINT64_C(0x0101010101010101);
	case 2:
		return command | next(r) << 8;
	default:
		return command * UINT64_C(0x0001000100010001);
	}
}

static uint64_t any_data(struct run *r)
{
	switch (below(r, 4)) {
	case 0:
		return UINT64_MAX;
	case 1:
		return 0;
	default:
		return next(r);
	}
}

static void command(struct run *r, uint64_t off, uint8_t code)
{
	/* Once in a while another one, another place or another width: sequences break. */
	if (!below(r, 40))
		code = commands[below(r, sizeof(commands))];
	if (!below(r, 40))
		off = any_off(r);
	add(r, true, off, below(r, 20) ? r->board->bank_width : any_size(r), spread(r, code));
}

static void look(struct run *r)
{
	for (unsigned n = 1 + below(r, 3); n; n--)
		add(r, false, any_off(r), any_size(r), 0);
}

static void program_word(struct run *r)
{
	uint64_t off = aligned_off(r);

	command(r, off, below(r, 2) ? 0x40 : 0x10);
	if (!below(r, 4))
		look(r);
	add(r, true, off, any_size(r), any_data(r));
	add(r, false, off, any_size(r), 0);
	if (below(r, 2))
		command(r, off, 0xff);
	add(r, false, off, any_size(r), 0);
}

static void program_buffer(struct run *r)
{
	unsigned width = r->board->bank_width;
	uint64_t off = aligned_off(r);
	unsigned words = 1 + below(r, below(r, 4) ? 8 : WORDS_MAX);
	uint64_t base = off;

	if (!below(r, 3)) /* as U-Boot: the count goes to the block's base */
		base = off / r->board->block_len * r->board->block_len;
	command(r, off, 0xe8);
	add(r, false, off, width, 0);
	add(r, true, base, width, (words - 1) * UINT64_C(0x0001000100010001));
	for (unsigned n = 0; n < words; n++) {
		uint64_t at = below(r, 30) ? off + (uint64_t)n * width : any_off(r);

		add(r, true, at, below(r, 20) ? width : any_size(r), any_data(r));
		if (!below(r, 20))
			look(r);
	}
	/* At the device's base too, as edk2 does. */
	command(r, below(r, 3) ? off : 0, 0xd0);
	look(r);
	if (below(r, 2))
		command(r, off, 0xff);
	add(r, false, off, any_size(r), 0);
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
		add(r, false, base + below(r, 0x60 * r->board->bank_width), any_size(r), 0);
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
			add(r, false, any_off(r), any_size(r), 0);
		else
			add(r, true, any_off(r), any_size(r),
			    below(r, 6) ? spread(r, commands[below(r, sizeof(commands))])
					: next(r));
	}
}

void grammar_sentence(struct run *r)
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
