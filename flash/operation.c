/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs and erases: may the chips do it, how long does it take, and what became of it. Where time
 * is modelled the cells change when the bank's clock finds the operation over.
 */
#include "flash/flash_private.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
/* What an AMD chip takes to find that every sector to erase is protected. */
#define ALL_PROTECTED_NS (100 * US)

bool fmi_op_in_bank(const struct fmi_op *op, const struct fmi_geometry *geo)
{
	return op->off < geo->len && fmi_is_aligned(op->off, geo->bank_width);
}

bool fmi_buffer_in_bank(const struct fmi_buffer *b, const struct fmi_geometry *geo)
{
	unsigned width = geo->bank_width;

	if (fmi_buffer_empty(b))
		return !b->lo && !b->last && !b->window;
	return b->lo < b->hi && b->hi <= geo->buffer_len && fmi_is_aligned(b->lo, width) &&
	       fmi_is_aligned(b->hi, width) && fmi_is_aligned(b->last, width) && b->last >= b->lo &&
	       b->last < b->hi && fmi_is_aligned(b->window, geo->buffer_len) &&
	       fmi_in_range(b->window, geo->buffer_len, geo->len);
}

static unsigned first_of(fmi_chips chips)
{
	return (unsigned)__builtin_ctz(chips);
}

/* --- how long it takes -------------------------------------------------------------------- */

/* 2^(typical + max) units, or what a clock of 64 bits can hold of it. */
static uint64_t duration(uint64_t unit, uint8_t typical, uint8_t max)
{
	unsigned bits = (unsigned)typical + max;

	return bits < 40 ? unit << bits : UINT64_MAX >> 1;
}

static uint8_t or_default(uint8_t value, uint8_t fallback)
{
	return value ? value : fallback;
}

int fmi_times_init(struct fmi_flash *f, const struct fm_flash_config *cfg, const char *name,
		   struct fm_error *err)
{
	struct fm_flash_times *t = &f->times;
	bool maximum = cfg->time == FM_FLASH_TIME_MAXIMUM;

	if ((unsigned)cfg->time > FM_FLASH_TIME_MAXIMUM)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_flash_config.time is %d, expected 0 (instant), 1 "
				    "(typical) or 2 (maximum)",
				    name, (int)cfg->time);
	*t = (struct fm_flash_times){
		.word_us = or_default(cfg->times.word_us, 7),
		.buffer_us = or_default(cfg->times.buffer_us, 7),
		.erase_ms = or_default(cfg->times.erase_ms, 10),
		.word_max = or_default(cfg->times.word_max, 4),
		.buffer_max = or_default(cfg->times.buffer_max, 4),
		.erase_max = or_default(cfg->times.erase_max, 4),
		.chip_erase_max = or_default(cfg->times.chip_erase_max, 4),
	};
	t->chip_erase_ms = or_default(cfg->times.chip_erase_ms,
				      (uint8_t)(t->erase_ms + fmi_log2_ceil(f->geo.blocks)));
	f->maximum = maximum;
	f->part.timed = cfg->time != FM_FLASH_TIME_INSTANT;
	f->duration = (struct fmi_durations){
		.word = duration(US, t->word_us, maximum ? t->word_max : 0),
		.buffer = duration(US, t->buffer_us, maximum ? t->buffer_max : 0),
		.erase = duration(MS, t->erase_ms, maximum ? t->erase_max : 0),
		.chip_erase = duration(MS, t->chip_erase_ms, maximum ? t->chip_erase_max : 0),
	};
	return 0;
}

static uint64_t later(uint64_t now_ns, uint64_t ns)
{
	return ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ns;
}

static uint64_t takes(const struct fmi_flash *f, enum fmi_action action)
{
	if (action == FMI_ACTION_BUFFER_PROGRAM)
		return f->duration.buffer;
	if (action == FMI_ACTION_ERASE)
		return f->duration.erase;
	return action == FMI_ACTION_CHIP_ERASE ? f->duration.chip_erase : f->duration.word;
}

/* --- may they ----------------------------------------------------------------------------- */

/* Chips whose suspended erase is of the block that contains `off`. */
static fmi_chips erasing(struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	uint64_t block = fmi_geometry_block(&f->geo, off).off;
	fmi_chips found = 0;

	for (unsigned n = 0; n < f->geo.chips; n++) {
		const struct fmi_chip *chip = fmi_flash_chip(f, n);

		if (f->set == FM_FLASH_AMD
			    ? fmi_amd_erasing(f, n, off)
			    : chip->intel.erase.action &&
				      fmi_geometry_block(&f->geo, chip->intel.erase.off).off ==
					      block)
			found |= 1u << n;
	}
	return found & chips;
}

/* Which of the chips may not do it, for a lock or because they are erasing there. */
static fmi_chips refusing(struct fmi_flash *f, fmi_chips chips, enum fmi_action action,
			  uint64_t off)
{
	if (action == FMI_ACTION_REGISTER)
		return fmi_registers_locked(f, chips, off);
	if (action == FMI_ACTION_CHIP_ERASE)
		return f->read_only ? chips : 0;
	if (action == FMI_ACTION_BUFFER_PROGRAM)
		off = fmi_chip_buffer(f->set, fmi_flash_chip(f, first_of(chips)))->window;
	if (action == FMI_ACTION_ERASE || action == FMI_ACTION_ERASE_QUEUE || !f->part.timed)
		return fmi_array_locked(f, chips, off);
	return fmi_array_locked(f, chips, off) | erasing(f, chips, off);
}

/* --- doing it ----------------------------------------------------------------------------- */

static unsigned each(const struct fmi_flash *f)
{
	return f->together ? 1 : f->geo.chips;
}

static void refuse(struct fmi_flash *f, fmi_chips chips, enum fmi_action action, uint64_t off,
		   bool vpp)
{
	f->stats.refused += (unsigned)__builtin_popcount(chips);
	fmi_lanes_misuse(
		f, off, vpp ? "VPP is low" : "the block is locked, or an erase of it is suspended");
	if (chips != f->all)
		fmi_lanes_part(f);
	for (unsigned n = 0; n < each(f); n++) {
		if (!(chips & 1u << n))
			continue;
		if (f->set == FM_FLASH_AMD)
			fmi_amd_refused(&f->chip[n].amd, action);
		else
			fmi_intel_refused(&f->chip[n].intel, &f->part, action, vpp);
	}
}

/* The chips' buffers hold nothing any more. All of `chips` hold the same range. */
static void end_buffer(struct fmi_flash *f, fmi_chips chips)
{
	struct fmi_buffer held = *fmi_chip_buffer(f->set, fmi_flash_chip(f, first_of(chips)));

	fmi_array_buffer_drop(f, chips, held.lo, held.hi);
	if (chips != f->all)
		fmi_lanes_part(f);
	for (unsigned n = 0; n < each(f); n++) {
		if (!(chips & 1u << n))
			continue;
		if (f->set == FM_FLASH_AMD)
			fmi_amd_buffer_done(&f->chip[n].amd);
		else
			fmi_intel_buffer_done(&f->chip[n].intel);
	}
}

static void tell_done(struct fmi_flash *f, fmi_chips chips, const struct fmi_op *op, bool failed)
{
	for (unsigned n = 0; n < each(f); n++) {
		if (!(chips & 1u << n))
			continue;
		if (f->set == FM_FLASH_AMD)
			fmi_amd_done(&f->chip[n].amd, op, failed);
		else
			fmi_intel_done(&f->chip[n].intel, op->action, failed);
	}
}

/* Does the host fail to keep what changes, and shall the guest be told? */
static bool host_refuses(const struct fmi_flash *f)
{
	return f->fail_guest && fm_write_behind_error(f->image, NULL);
}

/* An operation that fails before it changes a cell: the chips have nothing to do any more. */
static void give_up(struct fmi_flash *f, fmi_chips chips, const struct fmi_op *op)
{
	if (op->action == FMI_ACTION_BUFFER_PROGRAM)
		end_buffer(f, chips);
	else if (op->action == FMI_ACTION_ERASE_QUEUED)
		fmi_array_forget_queue(f, chips);
}

/* The cells change now. All of `chips` are in the same operation. */
static unsigned perform(struct fmi_flash *f, fmi_chips chips, const struct fmi_op *op)
{
	fmi_chips failed = 0;
	unsigned effects = 0;

	if (op->action != FMI_ACTION_REGISTER && host_refuses(f)) {
		failed = chips;
		give_up(f, chips, op);
	} else if (op->action == FMI_ACTION_PROGRAM) {
		effects = fmi_array_program(f, chips, op->off, op->data, &failed);
	} else if (op->action == FMI_ACTION_BUFFER_PROGRAM) {
		effects = fmi_array_program_buffer(
			f, chips, fmi_chip_buffer(f->set, fmi_flash_chip(f, first_of(chips))),
			&failed);
		end_buffer(f, chips);
	} else if (op->action == FMI_ACTION_ERASE) {
		effects = fmi_array_erase(f, chips, op->off, &failed);
	} else if (op->action == FMI_ACTION_ERASE_QUEUED) {
		effects = fmi_array_erase_queued(f, chips, &failed);
	} else if (op->action == FMI_ACTION_CHIP_ERASE) {
		effects = fmi_array_erase_chips(f, chips, &failed);
	} else if (op->action == FMI_ACTION_REGISTER) {
		fmi_registers_program(f, chips, op->off, op->data, &failed);
	}
	if (f->fail_guest && (effects & FM_EFF_IOERR))
		failed = chips;
	if (failed) {
		f->stats.failed += (unsigned)__builtin_popcount(failed);
		if (failed != f->all)
			fmi_lanes_part(f);
		tell_done(f, failed, op, true);
	}
	if (f->part.timed && chips & ~failed)
		tell_done(f, chips & ~failed, op, false);
	return effects;
}

/* The word whose bit 7 an AMD chip's status shows, of all chips. */
static uint64_t last_word(struct fmi_flash *f, fmi_chips chips)
{
	uint64_t word = 0;

	for (unsigned n = 0; n < f->geo.chips; n++) {
		uint32_t last = fmi_chip_buffer(f->set, fmi_flash_chip(f, n))->last;

		if (chips & 1u << n)
			word |= fmi_le_load(f->buffer + last, f->geo.bank_width) &
				fmi_array_lanes(f, 1u << n);
	}
	return word;
}

static void begin(struct fmi_flash *f, fmi_chips chips, struct fmi_op op, uint64_t ns)
{
	op.ends_ns = later(f->part.now_ns, ns);
	if (chips != f->all)
		fmi_lanes_part(f);
	for (unsigned n = 0; n < each(f); n++) {
		if (!(chips & 1u << n))
			continue;
		if (f->set == FM_FLASH_AMD)
			fmi_amd_began(&f->chip[n].amd, &op);
		else
			fmi_intel_began(&f->chip[n].intel, &op);
	}
}

/* One more sector: the protected are not erased, but the chip does not say so. */
static unsigned queue(struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	fmi_chips refused = fmi_array_locked(f, chips, off);

	if (refused)
		refuse(f, refused, FMI_ACTION_ERASE_QUEUED, off, false);
	fmi_array_queue(f, chips & ~refused, off);
	begin(f, chips, (struct fmi_op){ .action = FMI_ACTION_ERASE_QUEUED, .off = off },
	      FMI_AMD_WINDOW_NS);
	return 0;
}

/* Those that have nothing but protected sectors are soon through with them. Returns the others. */
static fmi_chips begin_protected(struct fmi_flash *f, fmi_chips chips, struct fmi_op op)
{
	fmi_chips idle = chips;
	struct fmi_erase_block block = { 0 };

	for (uint64_t off = 0; idle && off < f->geo.len; off = block.off + block.len) {
		block = fmi_geometry_block(&f->geo, off);
		idle &= fmi_array_locked(f, idle, off);
	}
	if (!idle)
		return chips;
	refuse(f, idle, op.action, op.off, false);
	begin(f, idle, op, ALL_PROTECTED_NS);
	return chips & ~idle;
}

unsigned fmi_operate(struct fmi_flash *f, fmi_chips chips, enum fmi_action action, uint64_t off,
		     uint64_t data)
{
	struct fmi_op op = { .action = action, .off = off, .data = data };
	bool vpp = f->pins & FM_FLASH_PIN_VPP_LOW && f->set == FM_FLASH_INTEL;
	fmi_chips refused;

	f->unpolled = true;
	if (action == FMI_ACTION_ERASE_QUEUE)
		return queue(f, chips, off);
	refused = vpp ? chips : refusing(f, chips, action, off);
	if (refused) {
		refuse(f, refused, action, off, vpp);
		if (action == FMI_ACTION_BUFFER_PROGRAM)
			end_buffer(f, refused);
		chips &= ~refused;
		if (!chips)
			return 0;
	}
	if (action == FMI_ACTION_BUFFER_PROGRAM && f->set == FM_FLASH_AMD)
		op.data = last_word(f, chips);
	if (!f->part.timed)
		return perform(f, chips, &op);
	if (action == FMI_ACTION_CHIP_ERASE)
		chips = begin_protected(f, chips, op);
	if (chips)
		begin(f, chips, op, takes(f, action));
	return 0;
}

void fmi_operate_aside(struct fmi_flash *f, fmi_chips chips, enum fmi_action action, uint64_t off,
		       uint64_t data)
{
	fmi_chips refused = 0;

	if (action == FMI_ACTION_BUFFER_DROP)
		end_buffer(f, chips);
	else if (action == FMI_ACTION_ERASE_FORGET)
		fmi_array_forget_queue(f, chips);
	else if (action == FMI_ACTION_PROTECT)
		fmi_registers_protect(f, chips, off, data);
	else if (action == FMI_ACTION_UNPROTECT)
		fmi_registers_unprotect(f, chips);
	else
		fmi_array_lock(f, chips, off, action, &refused);
	if (refused)
		refuse(f, refused, action, off, false);
}

/* --- the clock ---------------------------------------------------------------------------- */

/* The operation of chip n that is under way, or NULL. */
static const struct fmi_op *under_way(const struct fmi_flash *f, unsigned n)
{
	const struct fmi_chip *chip = &f->chip[f->together ? 0 : n];

	if (f->set == FM_FLASH_AMD)
		return chip->amd.state == FMI_AMD_WINDOW || chip->amd.state == FMI_AMD_BUSY
			       ? &chip->amd.op
			       : NULL;
	return chip->intel.state == FMI_INTEL_BUSY ? &chip->intel.op : NULL;
}

uint64_t fmi_operations_deadline(const struct fmi_flash *f)
{
	uint64_t first = FM_NEVER;

	for (unsigned n = 0; f->part.timed && n < each(f); n++) {
		const struct fmi_op *op = under_way(f, n);

		if (op)
			first = fmi_min_u64(first, op->ends_ns);
	}
	return first;
}

static bool in_window(const struct fmi_flash *f, unsigned n)
{
	return f->set == FM_FLASH_AMD && f->chip[f->together ? 0 : n].amd.state == FMI_AMD_WINDOW;
}

static uint64_t erase_takes(const struct fmi_flash *f, unsigned chip)
{
	uint32_t sectors = fmi_array_queued(f, chip);

	if (!sectors)
		return ALL_PROTECTED_NS;
	return f->duration.erase > UINT64_MAX / sectors ? UINT64_MAX : f->duration.erase * sectors;
}

/* Windows that are over become erases, as long as each chip's own sectors take. */
static void close_windows(struct fmi_flash *f, uint64_t due_ns)
{
	for (unsigned n = 1; f->together && n < f->geo.chips; n++) {
		if (in_window(f, 0) && erase_takes(f, n) != erase_takes(f, 0))
			fmi_lanes_part(f);
	}
	for (unsigned n = 0; n < each(f); n++) {
		struct fmi_amd *chip = &f->chip[n].amd;

		if (in_window(f, n) && chip->op.ends_ns <= due_ns)
			fmi_amd_window_over(chip, later(chip->op.ends_ns, erase_takes(f, n)));
	}
}

/* The chips whose operation is over and the same as chip `first`'s, a set with that one in it. */
static fmi_chips due_with(struct fmi_flash *f, unsigned first)
{
	const struct fmi_op *op = under_way(f, first);
	const struct fmi_buffer *held = fmi_chip_buffer(f->set, fmi_flash_chip(f, first));
	fmi_chips chips = 0;

	for (unsigned n = first; n < f->geo.chips; n++) {
		const struct fmi_op *other = under_way(f, n);

		if (other && !in_window(f, n) && fmi_op_equal(op, other) &&
		    fmi_buffer_equal(held, fmi_chip_buffer(f->set, fmi_flash_chip(f, n))))
			chips |= 1u << n;
	}
	return chips;
}

unsigned fmi_operations_end(struct fmi_flash *f, uint64_t due_ns)
{
	unsigned effects = 0;

	close_windows(f, due_ns);
	for (unsigned n = 0; n < f->geo.chips; n++) {
		const struct fmi_op *op = under_way(f, n);

		if (op && !in_window(f, n) && op->ends_ns <= due_ns) {
			struct fmi_op now = *op;

			effects |= perform(f, due_with(f, n), &now);
		}
	}
	fmi_lanes_join(f);
	return effects;
}
