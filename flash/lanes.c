/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the bus to the chips: an access becomes cycles of the bank's width, low address first, and
 * each chip sees its own lanes. While all chips are in the same state only one state is kept; a
 * cycle that does not mean the same to all of them parts them.
 */
#include "flash/flash_private.h"

#include "devices/guestmem.h"

/* One cycle of the bank's bus. */
struct cycle {
	uint64_t off;     /* the bank word */
	fmi_chips chips;  /* who sees it */
	uint64_t command; /* for chips that await a command, each on its lanes */
	uint64_t data;    /* for chips that await data: ones where no byte came */
	uint64_t bytes;   /* mask of the bytes that came */
};

static bool chip_equal(enum fm_flash_set set, const struct fmi_chip *a, const struct fmi_chip *b)
{
	return set == FM_FLASH_AMD ? fmi_amd_equal(&a->amd, &b->amd)
				   : fmi_intel_equal(&a->intel, &b->intel);
}

static inline bool takes_data(enum fm_flash_set set, const struct fmi_chip *chip)
{
	return set == FM_FLASH_AMD ? fmi_amd_takes_data(&chip->amd)
				   : fmi_intel_takes_data(&chip->intel);
}

/* Is there nothing that every access would have to ask for? */
void fmi_quick_set(struct fmi_flash *f)
{
	bool plain = f->together && !f->read_only && !f->secure_only && !f->part.quirks &&
		     !f->fail_guest && !f->part.timed && !f->health && !f->big_endian &&
		     !(f->pins & FM_FLASH_PIN_VPP_LOW) &&
		     !(f->part.traits & (FM_FLASH_WP_FIRST | FM_FLASH_WP_LAST)) &&
		     !((uintptr_t)f->array & (f->geo.bank_width - 1));

	f->quick_width = plain ? f->geo.bank_width : 0;
}

static void set_together(struct fmi_flash *f, bool together)
{
	f->together = together;
	fmi_quick_set(f);
}

void fmi_lanes_reset(struct fmi_flash *f)
{
	set_together(f, true);
	if (f->set == FM_FLASH_AMD)
		fmi_amd_reset(&f->chip[0].amd);
	else
		fmi_intel_reset(&f->chip[0].intel);
}

void fmi_lanes_part(struct fmi_flash *f)
{
	if (!f->together)
		return;
	for (unsigned n = 1; n < f->geo.chips; n++)
		f->chip[n] = f->chip[0];
	set_together(f, false);
}

void fmi_lanes_join(struct fmi_flash *f)
{
	if (f->together)
		return;
	for (unsigned n = 1; n < f->geo.chips; n++) {
		if (!chip_equal(f->set, &f->chip[0], &f->chip[n]))
			return;
	}
	set_together(f, true);
}

/* --- writes ------------------------------------------------------------------------------ */

/* What a cycle meant to a chip, as the trace tells it. */
struct told {
	const char *text; /* "": nothing */
	bool misuse;
	const char *mode; /* NULL: as before */
};

/* `event` has the cycle's off, size and value. */
static void trace_step(struct fmi_flash *f, struct fm_trace_event event, struct told told)
{
	if (*told.text) {
		event.kind = told.misuse ? FM_TRACE_MISUSE : FM_TRACE_COMMAND;
		event.text = told.text;
		fm_trace_emit(f->dev, event);
	}
	if (told.mode) {
		event.kind = FM_TRACE_MODE;
		event.text = told.mode;
		fm_trace_emit(f->dev, event);
	}
}

void fmi_lanes_misuse(struct fmi_flash *f, uint64_t off, const char *text)
{
	if (fm_trace_on(f->dev))
		fm_trace_emit(f->dev, (struct fm_trace_event){ .kind = FM_TRACE_MISUSE,
							       .off = off,
							       .size = f->geo.bank_width,
							       .text = text });
}

/* Operations whose outcome nobody looked at, or that begin over an old failure. */
static void trace_habits(struct fmi_flash *f, uint64_t off, enum fmi_intel_note note, uint8_t sr)
{
	bool begins = note == FMI_NOTE_PROGRAM || note == FMI_NOTE_ERASE ||
		      note == FMI_NOTE_BUFFER || note == FMI_NOTE_REGISTER;

	if (!begins && note != FMI_NOTE_READ_ARRAY)
		return;
	if (f->unpolled)
		fmi_lanes_misuse(f, off, "the status was not read after the last operation");
	if (begins && (sr & FMI_SR_ERRORS))
		fmi_lanes_misuse(f, off, "the status register was not cleared after a failure");
	f->unpolled = false;
}

void fmi_lanes_trace(struct fmi_flash *f, struct fm_trace_event event, unsigned chip,
		     enum fmi_intel_note note, enum fmi_intel_mode before, uint8_t sr)
{
	enum fmi_intel_mode mode = fmi_flash_chip(f, chip)->intel.mode;

	trace_habits(f, event.off, note, sr);
	trace_step(f, event,
		   (struct told){
			   .text = fmi_intel_note_text(note),
			   .misuse = note >= FMI_NOTE_MISUSE,
			   .mode = mode == before ? NULL : fmi_intel_mode_name(mode),
		   });
}

static struct fm_trace_event event_of(const struct fmi_flash *f, const struct cycle *c,
				      unsigned chip)
{
	return (struct fm_trace_event){
		.off = c->off,
		.size = f->geo.bank_width,
		.value = fmi_lane_value(f, c->command, chip),
	};
}

/* A chip that was busy is not any more, at a write. */
static void count_suspend(struct fmi_flash *f, bool suspended)
{
	if (suspended)
		f->stats.suspends += f->together ? f->geo.chips : 1;
}

static inline enum fmi_action step_intel(struct fmi_flash *f, const struct cycle *c, unsigned chip)
{
	struct fmi_intel *state = &fmi_flash_chip(f, chip)->intel;
	enum fmi_intel_mode before = state->mode;
	uint8_t sr = state->sr;
	uint32_t value = fmi_lane_value(f, c->command, chip);
	bool busy = state->state == FMI_INTEL_BUSY;
	struct fmi_intel_step step = fmi_intel_write(state, &f->part, c->off, value);

	if (fmi_rarely(busy))
		count_suspend(f, state->state != FMI_INTEL_BUSY);
	if (fm_trace_on(f->dev))
		fmi_lanes_trace(f, event_of(f, c, chip), chip, step.note, before, sr);
	return step.action;
}

static inline enum fmi_action step_amd(struct fmi_flash *f, const struct cycle *c, unsigned chip)
{
	struct fmi_amd *state = &fmi_flash_chip(f, chip)->amd;
	enum fmi_amd_mode before = state->mode;
	bool busy = state->state == FMI_AMD_BUSY || state->state == FMI_AMD_WINDOW;
	struct fmi_amd_step step =
		fmi_amd_write(state, &f->part, c->off, fmi_lane_value(f, c->command, chip));

	if (fmi_rarely(busy))
		count_suspend(f,
			      step.note == FMI_AMD_NOTE_SUSPEND && state->state == FMI_AMD_READY);
	if (fm_trace_on(f->dev))
		trace_step(f, event_of(f, c, chip),
			   (struct told){
				   .text = fmi_amd_note_text(step.note),
				   .misuse = step.note >= FMI_AMD_NOTE_MISUSE,
				   .mode = state->mode == before ? NULL
								 : fmi_amd_mode_name(state->mode),
			   });
	return step.action;
}

/* What a chip makes of a cycle. */
static inline enum fmi_action step_chip(struct fmi_flash *f, const struct cycle *c, unsigned chip)
{
	return f->set == FM_FLASH_AMD ? step_amd(f, c, chip) : step_intel(f, c, chip);
}

/* Do what `chips` ask for in one and the same way. */
static unsigned act(struct fmi_flash *f, const struct cycle *c, fmi_chips chips,
		    enum fmi_action action)
{
	switch (action) {
	case FMI_ACTION_NONE:
	case FMI_ACTION_BUFFER_OPEN:  /* only where the bank is one state machine */
	case FMI_ACTION_ERASE_QUEUED: /* never a write's */
	case FMI_ACTIONS:
		break;
	case FMI_ACTION_BUFFER_PUT:
		fmi_array_buffer_put(f, chips, (uint32_t)(c->off & (f->geo.buffer_len - 1)),
				     c->data, c->bytes);
		break;
	case FMI_ACTION_PROGRAM:
	case FMI_ACTION_ERASE:
	case FMI_ACTION_CHIP_ERASE:
	case FMI_ACTION_BUFFER_PROGRAM:
	case FMI_ACTION_REGISTER:
	case FMI_ACTION_ERASE_QUEUE:
		return fmi_operate(f, chips, action, c->off, c->data);
	case FMI_ACTION_BUFFER_DROP:
	case FMI_ACTION_LOCK:
	case FMI_ACTION_UNLOCK:
	case FMI_ACTION_LOCK_DOWN:
	case FMI_ACTION_ERASE_FORGET:
	case FMI_ACTION_PROTECT:
	case FMI_ACTION_UNPROTECT:
		fmi_operate_aside(f, chips, action, c->off, c->data);
		break;
	}
	return 0;
}

/* Do chips a and b, parted, ask for the same? A buffer's range is the chip's own. */
static bool same_wish(struct fmi_flash *f, const enum fmi_action *wish, unsigned a, unsigned b)
{
	if (wish[a] != wish[b])
		return false;
	if (wish[a] != FMI_ACTION_BUFFER_PROGRAM && wish[a] != FMI_ACTION_BUFFER_DROP)
		return true;
	return fmi_buffer_equal(fmi_chip_buffer(f->set, &f->chip[a]),
				fmi_chip_buffer(f->set, &f->chip[b]));
}

static unsigned cycle_parted(struct fmi_flash *f, const struct cycle *c)
{
	enum fmi_action wish[FM_FLASH_CHIPS] = { FMI_ACTION_NONE };
	fmi_chips left = c->chips;
	unsigned effects = 0;

	for (unsigned n = 0; n < f->geo.chips; n++) {
		if (c->chips & 1u << n)
			wish[n] = step_chip(f, c, n);
	}
	while (left) {
		unsigned first = (unsigned)__builtin_ctz(left);
		fmi_chips group = 0;

		for (unsigned n = first; n < f->geo.chips; n++) {
			if ((left & 1u << n) && same_wish(f, wish, first, n))
				group |= 1u << n;
		}
		effects |= act(f, c, group, wish[first]);
		left &= ~group;
	}
	fmi_lanes_join(f);
	return effects;
}

/* What a cycle says is the same to every chip, or is data. */
static inline bool means_the_same(const struct fmi_flash *f, const struct cycle *c)
{
	return (c->command & f->chip_mask) * f->repeat == c->command ||
	       takes_data(f->set, &f->chip[0]);
}

static inline unsigned cycle(struct fmi_flash *f, const struct cycle *c)
{
	if (f->together && c->chips == f->all && means_the_same(f, c)) {
		enum fmi_action action = step_chip(f, c, 0);

		return action == FMI_ACTION_NONE ? 0 : act(f, c, f->all, action);
	}
	fmi_lanes_part(f);
	return cycle_parted(f, c);
}

static unsigned ignored(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	f->stats.ignored_writes++;
	if (fm_trace_on(f->dev))
		fm_trace_emit(f->dev,
			      (struct fm_trace_event){ .kind = FM_TRACE_IGNORED,
						       .off = off,
						       .size = size,
						       .value = value,
						       .text = "write narrower than the bank" });
	return 0;
}

/* The chips whose lanes the bytes [skip, skip + n) of a bank word cover whole. */
static fmi_chips covered(const struct fmi_flash *f, unsigned skip, unsigned n)
{
	unsigned width = f->geo.chip_width;
	fmi_chips chips = 0;

	for (unsigned chip = 0; chip < f->geo.chips; chip++) {
		if (chip * width >= skip && (chip + 1) * width <= skip + n)
			chips |= 1u << chip;
	}
	return chips;
}

/* A write of n bytes, fewer than the bank's, `skip` bytes into the bank word at `word`. */
static unsigned narrow(struct fmi_flash *f, uint64_t word, unsigned skip, unsigned n,
		       uint64_t value)
{
	uint64_t bytes = fmi_size_mask(n) << (8 * skip);
	struct cycle c = { .off = word, .bytes = bytes };

	switch (f->narrow) {
	case FM_FLASH_NARROW_IGNORE:
		break;
	case FM_FLASH_NARROW_LANES:
		c.chips = covered(f, skip, n);
		c.command = value << (8 * skip);
		c.data = c.command;
		break;
	case FM_FLASH_NARROW_BROADCAST:
		c.chips = f->all;
		c.command = (value & f->chip_mask) * f->repeat;
		c.data = value << (8 * skip) | ~bytes;
		break;
	}
	return c.chips ? cycle(f, &c) : ignored(f, word + skip, n, value);
}

/* An access that is not just one whole bank word. */
static unsigned split(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	unsigned width = f->geo.bank_width;
	unsigned effects = 0;

	for (;;) {
		unsigned skip = (unsigned)(off & (width - 1));
		unsigned n = size < width - skip ? size : width - skip;

		if (n == width)
			effects |= fmi_lanes_write(f, off, n, value & f->word_mask);
		else
			effects |= narrow(f, off - skip, skip, n, value & fmi_size_mask(n));
		if (n == size)
			return effects;
		off += n;
		size -= n;
		value >>= 8 * n;
	}
}

unsigned fmi_lanes_write(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	unsigned width = f->geo.bank_width;
	struct cycle c = {
		.off = off,
		.chips = f->all,
		.command = value,
		.data = value,
		.bytes = f->word_mask,
	};

	if (f->qemu.on)
		return fmi_qemu_bank_write(f, off, size, value);
	if (f->part.quirks & FM_FLASH_QUIRK_ONE_STATE)
		return fmi_whole_write(f, off, size, value);
	if (size != width || (off & (width - 1)))
		return split(f, off, size, value);
	return cycle(f, &c);
}

/* --- reads ------------------------------------------------------------------------------- */

static uint64_t array_read(const struct fmi_flash *f, unsigned chip, uint64_t off)
{
	unsigned width = f->geo.chip_width;

	return fmi_mem_read(f->array + off + (size_t)chip * width, width);
}

/* What a chip drives onto its lanes. */
static uint64_t intel_read(struct fmi_flash *f, unsigned chip, uint64_t off)
{
	const struct fmi_intel *state = &fmi_flash_chip(f, chip)->intel;

	switch (state->mode) {
	case FMI_INTEL_SHOW_ARRAY:
		return array_read(f, chip, off) << fmi_lane_shift(f, chip);
	case FMI_INTEL_SHOW_STATUS:
		return fmi_to_lane(f, state->sr, chip);
	case FMI_INTEL_SHOW_ID:
		return fmi_to_lane(f, fmi_query_id(f, chip, off), chip);
	case FMI_INTEL_SHOW_QUERY:
		return fmi_to_lane(f, fmi_query_read(f, off), chip);
	case FMI_INTEL_MODES:
		break;
	}
	return 0;
}

bool fmi_amd_erasing(struct fmi_flash *f, unsigned chip, uint64_t off)
{
	const struct fmi_amd *state = &fmi_flash_chip(f, chip)->amd;

	if (state->op.action == FMI_ACTION_CHIP_ERASE)
		return true;
	return (state->op.action == FMI_ACTION_ERASE_QUEUED ||
		state->erase.action == FMI_ACTION_ERASE_QUEUED) &&
	       (fmi_array_mark(f, chip, fmi_geometry_block(&f->geo, off).number) & FMI_QUEUED);
}

static uint64_t amd_status(struct fmi_flash *f, unsigned chip, uint64_t off)
{
	const struct fmi_amd *state = &fmi_flash_chip(f, chip)->amd;
	uint64_t word = state->op.data;

	/* Aborted: the last word that the buffer holds. */
	if (!state->op.action)
		word = fmi_le_load(f->buffer + state->buffer.last, f->geo.bank_width);
	return fmi_to_lane(f,
			   fmi_amd_status(state, (uint8_t)fmi_lane_value(f, word, chip),
					  fmi_amd_erasing(f, chip, off)),
			   chip);
}

static uint64_t amd_read(struct fmi_flash *f, unsigned chip, uint64_t off)
{
	const struct fmi_amd *state = &fmi_flash_chip(f, chip)->amd;

	switch (state->mode) {
	case FMI_AMD_SHOW_SUSPENDED:
		if (fmi_amd_erasing(f, chip, off))
			return amd_status(f, chip, off);
		return array_read(f, chip, off) << fmi_lane_shift(f, chip);
	case FMI_AMD_SHOW_ARRAY:
	case FMI_AMD_SHOW_ERASED:
		return array_read(f, chip, off) << fmi_lane_shift(f, chip);
	case FMI_AMD_SHOW_STATUS:
		return amd_status(f, chip, off);
	case FMI_AMD_SHOW_ID:
		return fmi_to_lane(f, fmi_query_autoselect(f, chip, off), chip);
	case FMI_AMD_SHOW_QUERY:
		return fmi_to_lane(f, fmi_query_amd_read(f, off), chip);
	case FMI_AMD_SHOW_SECURED:
		return fmi_to_lane(f, fmi_registers_secured(f, chip, off), chip);
	case FMI_AMD_SHOW_REGISTER:
		return fmi_to_lane(f, fmi_amd_status_register(state), chip);
	case FMI_AMD_SHOW_DYB:
	case FMI_AMD_SHOW_PPB:
	case FMI_AMD_SHOW_FREEZE:
	case FMI_AMD_SHOW_LOCKS:
		return fmi_to_lane(f, fmi_registers_protection(f, chip, off), chip);
	case FMI_AMD_MODES:
		break;
	}
	return 0;
}

static uint64_t word_read(struct fmi_flash *f, uint64_t off)
{
	uint64_t word = 0;

	f->unpolled = false;
	if (f->set == FM_FLASH_INTEL) {
		if (f->together && f->chip[0].intel.mode == FMI_INTEL_SHOW_STATUS && !f->big_endian)
			return f->chip[0].intel.sr * f->repeat;
		for (unsigned n = 0; n < f->geo.chips; n++)
			word |= intel_read(f, n, off);
		return word;
	}
	for (unsigned n = 0; n < f->geo.chips; n++)
		word |= amd_read(f, n, off);
	/* What is erased may differ from chip to chip, and so what a read changes. */
	for (unsigned n = 1; f->together && n < f->geo.chips; n++) {
		if (fmi_amd_erasing(f, n, off) != fmi_amd_erasing(f, 0, off))
			fmi_lanes_part(f);
	}
	for (unsigned n = 0; n < (f->together ? 1 : f->geo.chips); n++)
		fmi_amd_was_read(&f->chip[n].amd, fmi_amd_erasing(f, n, off));
	return word;
}

uint64_t fmi_lanes_read(struct fmi_flash *f, uint64_t off, unsigned size)
{
	unsigned width = f->geo.bank_width;
	uint64_t value = 0;

	if (fmi_flash_mappable(f))
		return fmi_mem_read(f->array + off, size);
	if (f->qemu.on)
		return fmi_qemu_bank_read(f, off, size);
	if (f->part.quirks & FM_FLASH_QUIRK_ONE_STATE)
		return fmi_whole_read(f, off, size);
	for (unsigned done = 0; done < size;) {
		unsigned skip = (unsigned)((off + done) & (width - 1));
		unsigned n = size - done < width - skip ? size - done : width - skip;
		uint64_t word = word_read(f, off + done - skip) >> (8 * skip);

		value |= (word & fmi_size_mask(n)) << (8 * done);
		done += n;
	}
	if (f->set == FM_FLASH_AMD)
		fmi_lanes_join(f);
	return value;
}
