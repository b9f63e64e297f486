/* SPDX-License-Identifier: BSD-2-Clause */
/* What the grammars of both command sets share: operations, offsets near edges, data. */
#include "tests/diff/grammar.h"

#include "devices/bytes.h"

static struct op *add(struct run *r, struct op op)
{
	r->ops[r->nops] = op;
	return &r->ops[r->nops++];
}

static bool full(const struct run *r)
{
	return r->nops == BATCH;
}

void say_wait(struct run *r, uint64_t ns)
{
	if (r->still || full(r))
		return;
	if (ns < PLAYER_WAIT_MIN_NS)
		ns = PLAYER_WAIT_MIN_NS;
	ns = fmi_align_up(ns, PLAYER_TICK_NS);
	add(r, (struct op){ .kind = OP_WAIT, .q = { .value = ns } });
	r->now_ns += ns;
	fm_dev_tick(r->dev, r->now_ns);
	coverage_note(&r->coverage, fmi_flash_of(r->dev));
}

void say_reset(struct run *r)
{
	if (!r->still || full(r))
		return;
	add(r, (struct op){ .kind = OP_RESET });
	coverage_note_reset(&r->coverage, fmi_flash_of(r->dev));
	fm_dev_reset(r->dev, FM_RESET_SYSTEM);
	coverage_note(&r->coverage, fmi_flash_of(r->dev));
}

/*
 * The clock before an access of a running guest. One in the very nanosecond of a deadline would come
 * before the timer in QEMU and after it here: do not make one.
 */
static void let_pass(struct run *r)
{
	if (r->still)
		return;
	if (fm_dev_next_deadline_ns(r->dev) == r->now_ns + PLAYER_ACCESS_NS)
		say_wait(r, PLAYER_WAIT_MIN_NS);
	r->now_ns += PLAYER_ACCESS_NS;
	fm_dev_tick(r->dev, r->now_ns);
}

static void access_at(struct run *r, bool write, uint64_t off, unsigned size, uint64_t value)
{
	const struct fm_attrs attrs = { 0 };
	uint64_t mirror = 0;
	struct op *op;

	if (!r->still && size > 4)
		size = 4;
	if (off > r->board->len - size)
		off = r->board->len - size;
	if (!r->still)
		off = fmi_align_down(off, size);
	if (r->board->mirrors && !below(r, 8))
		mirror = below(r, r->board->mirrors) * r->board->len;
	value &= fmi_size_mask(size);
	let_pass(r);
	if (full(r))
		return;
	op = add(r, (struct op){ .q = { .addr = mirror + off,
					.value = value,
					.size = (uint8_t)size,
					.write = write },
				 .ours = value });
	if (write) {
		fm_dev_write(r->dev, off, size, value, attrs);
	} else {
		coverage_note_read(&r->coverage, fmi_flash_of(r->dev), off);
		fm_dev_read(r->dev, off, size, &op->ours, attrs);
	}
	coverage_note(&r->coverage, fmi_flash_of(r->dev));
}

void say_write(struct run *r, uint64_t off, unsigned size, uint64_t value)
{
	if (!full(r))
		access_at(r, true, off, size, value);
}

void say_read(struct run *r, uint64_t off, unsigned size)
{
	if (!full(r))
		access_at(r, false, off, size, 0);
}

unsigned any_size(struct run *r)
{
	return below(r, 3) ? r->board->bank_width : 1u << below(r, 4);
}

uint64_t any_off(struct run *r)
{
	unsigned n = below(r, BLOCKS);
	uint64_t block = r->block_off[n];
	uint64_t near = below(r, 64);

	switch (below(r, 8)) {
	case 0: /* before the block */
		return block > near ? block - near : near;
	case 1:
		return block + r->block_len[n] - 1 - near;
	case 2:
		return block + below(r, (unsigned)r->block_len[n]);
	case 3:
		return block + 256 * (1 + below(r, 12)) + near - 32;
	default:
		return block + near;
	}
}

uint64_t aligned_off(struct run *r)
{
	return any_off(r) / r->board->bank_width * r->board->bank_width;
}

uint64_t spread(struct run *r, uint8_t command)
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

uint64_t any_data(struct run *r)
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

void look(struct run *r)
{
	for (unsigned n = 1 + below(r, 3); n; n--) {
		uint64_t off = any_off(r);

		say_read(r, off, any_size(r));
	}
}
