/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_machine: a machine of RAM, ROM-like and flash devices; windows come, go, move and hide by
 * grammar while accesses of any width go through a port, also across windows and where nothing is.
 * What must hold:
 *  - a read gives what the device of the highest window gives for each byte, ones where none is;
 *  - a write reaches RAM byte by byte in the same way, and nothing else's memory;
 *  - FM_EFF_FAULT came if and only if an access touched an address that nothing answers;
 *  - after a refresh the view says what every device's map() says, in order and without overlap;
 *  - what a step list makes of the old mapping is the new mapping.
 */
#include "fuzz/tape.h"

#include <firmem/flash.h>
#include <firmem/machine.h>
#include <firmem/ram.h>

#include <string.h>

#define DEVS 5u
#define WINDOWS 10u
#define PAGE 512u
#define SPAN 0x8000u /* addresses below; windows are put there */

enum kind {
	RAM,
	RAM_READ_ONLY,
	FLASH,
	FLASH_NARROW,
};

struct dev {
	enum kind kind;
	struct fm_dev *dev;
	uint8_t *bytes;
	uint64_t len;
};

struct window {
	struct fm_window *window; /* NULL: a free place */
	unsigned dev;
	uint64_t gpa;
	uint64_t off;
	uint64_t len;
	int priority;
	bool on;
};

struct run {
	struct tape tape;
	struct fm_machine *machine;
	struct fm_space *space;
	struct fm_port *port;
	struct dev devs[DEVS];
	struct window windows[WINDOWS];
};

/* --- making it --------------------------------------------------------------------------- */

static void make_ram(struct dev *d, struct fm_block *block)
{
	struct fm_ram_config cfg = {
		.struct_size = sizeof(cfg),
		.block = block,
		.read_only = d->kind == RAM_READ_ONLY,
	};

	TAPE_CHECK(!fm_ram_new(&d->dev, &cfg, NULL));
}

static void make_flash(struct dev *d, struct fm_block *block)
{
	struct fm_flash_config cfg = {
		.struct_size = sizeof(cfg),
		.block = block,
		.bank_width = d->kind == FLASH ? 4 : 2,
		.chip_width = d->kind == FLASH ? 2 : 1,
		.regions = { { 1024, (uint32_t)(d->len / 1024) } },
		.nregions = 1,
		.narrow = d->kind == FLASH ? FM_FLASH_NARROW_IGNORE : FM_FLASH_NARROW_LANES,
	};

	TAPE_CHECK(!fm_flash_new(&d->dev, &cfg, NULL));
}

static void begin(struct run *r)
{
	static const enum kind kinds[DEVS] = { RAM, RAM, RAM_READ_ONLY, FLASH, FLASH_NARROW };
	struct fm_space_config space = { .struct_size = sizeof(space), .name = "memory" };

	TAPE_CHECK(!fm_machine_new(&r->machine, "fuzz", NULL));
	TAPE_CHECK(!fm_space_new(&r->space, &space, NULL));
	TAPE_CHECK(!fm_machine_add_space(r->machine, r->space, NULL));
	TAPE_CHECK(!fm_port_new(&r->port, r->space, NULL));
	for (unsigned i = 0; i < DEVS; i++) {
		struct dev *d = &r->devs[i];
		char name[8] = { 'd', (char)('0' + i) };
		struct fm_block_config cfg = {
			.struct_size = sizeof(cfg),
			.name = name,
			.role = FM_ROLE_DEVICE,
			.len = 1024ull << i,
		};
		struct fm_block *block;

		d->kind = kinds[i];
		d->len = cfg.len;
		TAPE_CHECK(!fm_block_new(&block, &cfg, NULL));
		TAPE_CHECK(!fm_machine_add_block(r->machine, block, NULL));
		d->bytes = fm_block_ptr(block);
		memset(d->bytes, 0xff - (int)i, d->len);
		if (d->kind == RAM || d->kind == RAM_READ_ONLY)
			make_ram(d, block);
		else
			make_flash(d, block);
		TAPE_CHECK(!fm_machine_add_dev(r->machine, d->dev, NULL));
	}
}

static void end(struct run *r)
{
	fm_port_free(r->port);
	fm_machine_free(r->machine);
}

/* --- what should be there ---------------------------------------------------------------- */

static const struct window *window_at(const struct run *r, uint64_t gpa)
{
	const struct window *best = NULL;

	for (unsigned i = 0; i < WINDOWS; i++) {
		const struct window *w = &r->windows[i];

		if (w->window && w->on && gpa >= w->gpa && gpa - w->gpa < w->len &&
		    (!best || w->priority > best->priority))
			best = w;
	}
	return best;
}

/* A byte as its device answers; reads of these devices change nothing. */
static bool expect_byte(struct run *r, uint64_t gpa, uint8_t *byte)
{
	const struct window *w = window_at(r, gpa);
	uint64_t value;

	*byte = 0xff;
	if (!w)
		return false;
	TAPE_CHECK(!fm_dev_read(r->devs[w->dev].dev, w->off + (gpa - w->gpa), 1, &value,
				FM_ATTRS_NONE));
	*byte = (uint8_t)value;
	return true;
}

static bool overlaps(const struct run *r, const struct window *w)
{
	for (unsigned i = 0; i < WINDOWS; i++) {
		const struct window *o = &r->windows[i];

		if (o != w && o->window && o->on && o->priority == w->priority &&
		    o->gpa < w->gpa + w->len && w->gpa < o->gpa + o->len)
			return true;
	}
	return false;
}

static void check_range(const struct run *r, const struct fm_range *range)
{
	struct fm_mapping m;
	const struct window *w = window_at(r, range->gpa);

	TAPE_CHECK(w && w->window == range->window && r->devs[w->dev].dev == range->dev);
	TAPE_CHECK(range->dev_off == w->off + (range->gpa - w->gpa));
	TAPE_CHECK(window_at(r, range->gpa + range->len - 1) == w);
	TAPE_CHECK(!fm_dev_map(range->dev, range->dev_off, &m));
	TAPE_CHECK(m.prot == range->prot && m.flags == range->flags && m.block == range->block);
	TAPE_CHECK(range->host == r->devs[w->dev].bytes + range->dev_off);
}

/* The view, when all that changed was refreshed. */
static void check_view(struct run *r)
{
	const struct fm_view *view = fm_space_view_get(r->space);
	uint64_t next = 0;

	for (size_t i = 0; i < fm_view_count(view); i++) {
		const struct fm_range *range = fm_view_range(view, i);

		TAPE_CHECK(range->gpa >= next && range->len);
		if (range->gpa > next) {
			TAPE_CHECK(!window_at(r, next) && !window_at(r, range->gpa - 1));
			TAPE_CHECK(!fm_view_find(view, next));
		}
		check_range(r, range);
		next = range->gpa + range->len;
	}
	TAPE_CHECK(!window_at(r, next));
	fm_view_put(view);
}

/* --- a hypervisor's slots ------------------------------------------------------------------ */

struct slot {
	unsigned prot;
	const uint8_t *host;
};

static void step_slot(struct slot *slot, const struct fm_step *step, uint64_t at)
{
	switch (step->kind) {
	case FM_STEP_UNMAP:
		TAPE_CHECK(slot->prot == step->prot && slot->host == step->host + at);
		*slot = (struct slot){ 0 };
		return;
	case FM_STEP_MAP:
		TAPE_CHECK(!slot->prot && step->prot);
		*slot = (struct slot){ step->prot, step->host + at };
		return;
	case FM_STEP_PROTECT:
		TAPE_CHECK(slot->prot && slot->prot != step->prot && slot->host == step->host + at);
		slot->prot = step->prot;
		return;
	}
	TAPE_CHECK(step->kind == FM_STEP_MAP);
}

static void apply(struct slot *slots, const struct fm_view *from, const struct fm_view *to)
{
	struct fm_step *steps;
	size_t count;

	TAPE_CHECK(!fm_view_diff(from, to, PAGE, 0, &steps, &count, NULL));
	for (size_t i = 0; i < count; i++) {
		TAPE_CHECK(steps[i].gpa % PAGE == 0 && steps[i].len % PAGE == 0 && steps[i].len);
		for (uint64_t at = 0; at < steps[i].len; at += PAGE)
			step_slot(&slots[(steps[i].gpa + at) / PAGE], &steps[i], at);
	}
	free(steps);
}

#define SLOTS ((SPAN + 0x8000u) / PAGE)

/* From nothing to the old view and on to the new one is the same as straight to the new one. */
static void check_diff(const struct fm_view *old, const struct fm_view *new)
{
	struct slot by_steps[SLOTS] = { { 0 } };
	struct slot at_once[SLOTS] = { { 0 } };

	apply(by_steps, NULL, old);
	apply(by_steps, old, new);
	apply(at_once, NULL, new);
	for (unsigned i = 0; i < SLOTS; i++)
		TAPE_CHECK(by_steps[i].prot == at_once[i].prot &&
			   by_steps[i].host == at_once[i].host);
}

static void refresh(struct run *r)
{
	const struct fm_view *old = fm_space_view_get(r->space);
	const struct fm_view *new;

	TAPE_CHECK(fm_space_refresh(r->space, NULL) >= 0);
	new = fm_space_view_get(r->space);
	check_view(r);
	check_diff(old, new);
	fm_view_put(old);
	fm_view_put(new);
}

/* --- changes of the map -------------------------------------------------------------------- */

static uint64_t choose_gpa(struct run *r)
{
	return tape_one_in(&r->tape, 8) ? tape_number(&r->tape, 2) % SPAN
					: (uint64_t)tape_below(&r->tape, SPAN / PAGE) * PAGE;
}

static void do_add(struct run *r, struct window *w)
{
	struct tape *t = &r->tape;
	struct fm_window_config cfg = { .struct_size = sizeof(cfg) };
	int rc;

	w->dev = tape_below(t, DEVS);
	w->gpa = choose_gpa(r);
	w->off = tape_one_in(t, 2) ? 0 : tape_below(t, (unsigned)r->devs[w->dev].len);
	w->len = r->devs[w->dev].len - w->off;
	if (tape_one_in(t, 2))
		w->len = 1 + tape_number(t, 2) % w->len;
	w->priority = tape_below(t, 4);
	w->on = !tape_one_in(t, 8);
	cfg.dev = r->devs[w->dev].dev;
	cfg.gpa = w->gpa;
	cfg.dev_off = w->off;
	cfg.len = w->len;
	cfg.priority = w->priority;
	cfg.disabled = !w->on;
	rc = fm_space_add(r->space, &cfg, &w->window, NULL);
	TAPE_CHECK(rc == (w->on && overlaps(r, w) ? FM_ERR_OVERLAP : 0));
	if (rc)
		w->window = NULL;
}

static void do_move(struct run *r, struct window *w)
{
	struct window moved = *w;
	int rc;

	moved.gpa = choose_gpa(r);
	rc = fm_space_move(r->space, w->window, moved.gpa, NULL);
	w->gpa = moved.gpa;
	TAPE_CHECK(rc == (w->on && overlaps(r, w) ? FM_ERR_OVERLAP : 0));
	if (rc)
		w->gpa = fm_window_gpa(w->window);
}

static void do_enable(struct run *r, struct window *w)
{
	bool was = w->on;
	int rc;

	w->on = tape_one_in(&r->tape, 2);
	rc = fm_space_enable(r->space, w->window, w->on, NULL);
	TAPE_CHECK(rc == (w->on && !was && overlaps(r, w) ? FM_ERR_OVERLAP : 0));
	if (rc)
		w->on = was;
}

static void do_change(struct run *r)
{
	struct window *w = &r->windows[tape_below(&r->tape, WINDOWS)];

	if (!w->window) {
		do_add(r, w);
		return;
	}
	switch (tape_below(&r->tape, 3)) {
	case 0:
		TAPE_CHECK(!fm_space_remove(r->space, w->window, NULL));
		w->window = NULL;
		break;
	case 1:
		do_move(r, w);
		break;
	default:
		do_enable(r, w);
		break;
	}
}

/* --- accesses ------------------------------------------------------------------------------ */

static uint64_t choose_access(struct run *r)
{
	struct tape *t = &r->tape;
	const struct window *w = &r->windows[tape_below(t, WINDOWS)];

	if (!w->window || tape_one_in(t, 16))
		return tape_edge(t, SPAN);
	if (tape_one_in(t, 4))
		return w->gpa + w->len + tape_below(t, 16) - 12;
	return w->gpa + tape_below(t, 16) * 4u - (tape_one_in(t, 8) ? 3 : 0);
}

static void do_read(struct run *r)
{
	unsigned size = 1u << tape_below(&r->tape, 4);
	uint64_t gpa = choose_access(r);
	uint64_t expected = 0, value;
	bool fault = gpa > UINT64_MAX - (size - 1);
	unsigned effects;

	for (unsigned i = size; i-- > 0;) {
		uint8_t byte = 0xff;

		if (gpa <= UINT64_MAX - (size - 1))
			fault |= !expect_byte(r, gpa + i, &byte);
		expected = expected << 8 | byte;
	}
	effects = fm_port_read(r->port, gpa, size, &value, FM_ATTRS_NONE);
	TAPE_CHECK(effects == (fault ? FM_EFF_FAULT : 0));
	TAPE_CHECK(value == expected);
}

static uint64_t choose_value(struct run *r)
{
	static const uint8_t commands[] = { 0xff, 0x40, 0x20, 0xd0, 0xd0, 0xe8, 0xe8,
					    0x60, 0x01, 0x70, 0x90, 0x98, 0x50, 0x00 };
	uint8_t one = commands[tape_below(&r->tape, sizeof(commands))];

	if (tape_one_in(&r->tape, 4))
		return tape_number(&r->tape, 8);
	return one * (tape_one_in(&r->tape, 2) ? UINT64_C(0x0001000100010001)
					       : UINT64_C(0x0101010101010101));
}

static void do_write(struct run *r)
{
	unsigned size = 1u << tape_below(&r->tape, 4);
	uint64_t gpa = choose_access(r);
	uint64_t value = choose_value(r);
	bool wraps = gpa > UINT64_MAX - (size - 1);
	bool fault = wraps;
	unsigned effects;
	uint8_t *rom = malloc(r->devs[2].len);

	memcpy(rom, r->devs[2].bytes, r->devs[2].len);
	effects = fm_port_write(r->port, gpa, size, value, FM_ATTRS_NONE);
	/* RAM aliases itself: its bytes are looked at from the last one written. */
	for (unsigned i = 0; !wraps && i < size; i++) {
		const struct window *w = window_at(r, gpa + i);

		fault |= !w;
		if (w && r->devs[w->dev].kind == RAM) {
			uint64_t off = w->off + (gpa + i - w->gpa);
			bool again = false;

			for (unsigned j = i + 1; j < size; j++) {
				const struct window *v = window_at(r, gpa + j);

				again |=
					v && v->dev == w->dev && v->off + (gpa + j - v->gpa) == off;
			}
			TAPE_CHECK(again ||
				   r->devs[w->dev].bytes[off] == (uint8_t)(value >> (8 * i)));
		}
	}
	TAPE_CHECK(!!(effects & FM_EFF_FAULT) == fault);
	TAPE_CHECK(!memcmp(rom, r->devs[2].bytes, r->devs[2].len));
	free(rom);
	/* A host that is slow to act on a REMAP still gets right answers through the port. */
	if (effects & FM_EFF_REMAP && !tape_one_in(&r->tape, 4))
		refresh(r);
}

static void step(struct run *r)
{
	switch (tape_below(&r->tape, 16)) {
	case 0:
	case 1:
	case 2:
		do_change(r);
		break;
	case 3:
		refresh(r);
		break;
	case 4:
		if (tape_one_in(&r->tape, 8))
			fm_machine_reset(r->machine, tape_below(&r->tape, FM_RESET_COUNT));
		TAPE_CHECK(!fm_machine_flush(r->machine, NULL));
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		do_read(r);
		break;
	default:
		do_write(r);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct run r = { .tape = { bytes, len } };

	begin(&r);
	/* Something to begin with. */
	for (unsigned i = 0; i < WINDOWS / 2; i++)
		do_add(&r, &r.windows[i]);
	while (r.tape.left)
		step(&r);
	refresh(&r);
	end(&r);
	return 0;
}
