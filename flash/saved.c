/* SPDX-License-Identifier: BSD-2-Clause */
/* The saved state of a bank: everything but the cells, at any bus cycle. docs/flash.md has the layout. */
#include "flash/flash_private.h"

#include <stdlib.h>
#include <string.h>

static bool any_holds_data(const struct fmi_flash *f, struct fmi_chip *chips, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!fmi_buffer_empty(fmi_chip_buffer(f->set, &chips[i])))
			return true;
	}
	return false;
}

static void put_buffer(struct fm_state_writer *w, const struct fmi_buffer *buffer)
{
	fm_state_put_u32(w, buffer->left);
	fm_state_put_u64(w, buffer->window);
	fm_state_put_u32(w, buffer->lo);
	fm_state_put_u32(w, buffer->hi);
	fm_state_put_u32(w, buffer->last);
}

static void get_buffer(struct fm_state_reader *r, struct fmi_buffer *buffer)
{
	buffer->left = fm_state_get_u32(r);
	buffer->window = fm_state_get_u64(r);
	buffer->lo = fm_state_get_u32(r);
	buffer->hi = fm_state_get_u32(r);
	buffer->last = fm_state_get_u32(r);
}

/* With the time that is missing, not the end: the clock of whoever loads it is another. */
static void put_op(struct fm_state_writer *w, const struct fmi_part *part, const struct fmi_op *op)
{
	struct fmi_op stopped = *op;

	if (op->ends_ns)
		fmi_op_suspend(&stopped, part->now_ns);
	fm_state_put_u8(w, (uint8_t)stopped.action);
	fm_state_put_u64(w, stopped.off);
	fm_state_put_u64(w, stopped.data);
	fm_state_put_u64(w, stopped.left_ns);
}

static void get_op(struct fm_state_reader *r, struct fmi_op *op)
{
	op->action = (enum fmi_action)fm_state_get_u8(r);
	op->off = fm_state_get_u64(r);
	op->data = fm_state_get_u64(r);
	op->ends_ns = 0;
	op->left_ns = fm_state_get_u64(r);
}

static void put_intel(struct fm_state_writer *w, const struct fmi_part *part,
		      const struct fmi_intel *chip)
{
	fm_state_put_u8(w, (uint8_t)chip->state);
	fm_state_put_u8(w, (uint8_t)chip->mode);
	fm_state_put_u8(w, chip->sr);
	fm_state_put_u16(w, chip->configuration);
	fm_state_put_u32(w, chip->words);
	put_buffer(w, &chip->buffer);
	put_op(w, part, &chip->op);
	put_op(w, part, &chip->erase);
}

static void get_intel(struct fm_state_reader *r, const struct fmi_part *part,
		      struct fmi_intel *chip)
{
	chip->state = (enum fmi_intel_state)fm_state_get_u8(r);
	chip->mode = (enum fmi_intel_mode)fm_state_get_u8(r);
	chip->sr = fm_state_get_u8(r);
	chip->configuration = fm_state_get_u16(r);
	chip->words = fm_state_get_u32(r);
	get_buffer(r, &chip->buffer);
	get_op(r, &chip->op);
	get_op(r, &chip->erase);
	if (chip->state == FMI_INTEL_BUSY)
		fmi_op_resume(&chip->op, part->now_ns);
}

/* Flags of an AMD chip. */
#define AMD_TOGGLE 0x01u
#define AMD_TOGGLE_2 0x02u
#define AMD_SECURED 0x04u
#define AMD_FROZEN 0x08u
#define AMD_FLAGS 0x0fu

static void put_amd(struct fm_state_writer *w, const struct fmi_part *part,
		    const struct fmi_amd *chip)
{
	fm_state_put_u8(w, (uint8_t)chip->state);
	fm_state_put_u8(w, (uint8_t)chip->mode);
	fm_state_put_u8(w, (uint8_t)chip->then);
	fm_state_put_u8(w, (uint8_t)chip->after);
	fm_state_put_u8(
		w, (uint8_t)((chip->toggle ? AMD_TOGGLE : 0) | (chip->toggle2 ? AMD_TOGGLE_2 : 0) |
			     (chip->secured ? AMD_SECURED : 0) | (chip->frozen ? AMD_FROZEN : 0)));
	fm_state_put_u8(w, chip->sr);
	fm_state_put_u64(w, chip->sector);
	put_buffer(w, &chip->buffer);
	put_op(w, part, &chip->op);
	put_op(w, part, &chip->erase);
}

/* False: what comes cannot be a chip's. */
static bool get_amd(struct fm_state_reader *r, const struct fmi_part *part, struct fmi_amd *chip)
{
	uint8_t flags;

	chip->state = (enum fmi_amd_state)fm_state_get_u8(r);
	chip->mode = (enum fmi_amd_mode)fm_state_get_u8(r);
	chip->then = (enum fmi_amd_state)fm_state_get_u8(r);
	chip->after = (enum fmi_amd_mode)fm_state_get_u8(r);
	flags = fm_state_get_u8(r);
	chip->toggle = flags & AMD_TOGGLE;
	chip->toggle2 = flags & AMD_TOGGLE_2;
	chip->secured = flags & AMD_SECURED;
	chip->frozen = flags & AMD_FROZEN;
	chip->sr = fm_state_get_u8(r);
	chip->sector = fm_state_get_u64(r);
	get_buffer(r, &chip->buffer);
	get_op(r, &chip->op);
	get_op(r, &chip->erase);
	if (chip->state == FMI_AMD_WINDOW || chip->state == FMI_AMD_BUSY)
		fmi_op_resume(&chip->op, part->now_ns);
	return !(flags & ~AMD_FLAGS);
}

static void put_chip(const struct fmi_flash *f, struct fm_state_writer *w,
		     const struct fmi_chip *chip)
{
	if (f->qemu.on)
		fmi_qemu_bank_save(f, w);
	else if (f->set == FM_FLASH_AMD)
		put_amd(w, &f->part, &chip->amd);
	else
		put_intel(w, &f->part, &chip->intel);
}

/* False: no sequence of writes leads there. */
static bool get_chip(const struct fmi_flash *f, struct fm_state_reader *r, struct fmi_chip *chip)
{
	if (f->set == FM_FLASH_AMD)
		return get_amd(r, &f->part, &chip->amd) && fmi_amd_valid(&chip->amd, &f->part);
	get_intel(r, &f->part, &chip->intel);
	return fmi_intel_valid(&chip->intel, &f->part);
}

static uint8_t timing(const struct fmi_flash *f)
{
	return (uint8_t)((f->part.timed ? 1 : 0) + (f->maximum ? 1 : 0));
}

void fmi_flash_save(struct fmi_flash *f, struct fm_state_writer *w)
{
	const struct fmi_geometry *geo = &f->geo;

	fm_state_put_u64(w, geo->len);
	fm_state_put_u8(w, (uint8_t)geo->bank_width);
	fm_state_put_u8(w, (uint8_t)geo->chip_width);
	fm_state_put_u32(w, geo->buffer_len);
	fm_state_put_u8(w, (uint8_t)geo->nregions);
	for (unsigned i = 0; i < geo->nregions; i++) {
		fm_state_put_u64(w, geo->region[i].block_len);
		fm_state_put_u32(w, geo->region[i].count);
	}
	fm_state_put_u32(w, f->part.quirks);
	fm_state_put_u32(w, f->part.traits);
	fm_state_put_u8(w, timing(f));
	fm_state_put_u8(w, f->health ? 1 : 0);
	fm_state_put_u8(w, (uint8_t)f->pins);
	for (unsigned n = 0; n < geo->chips; n++)
		put_chip(f, w, fmi_flash_chip(f, n));
	if (any_holds_data(f, f->chip, f->together ? 1 : geo->chips))
		fm_state_put_bytes(w, f->buffer, geo->buffer_len);
	fm_state_put_bytes(w, f->marks, (size_t)geo->blocks * geo->chips);
	fm_state_put_bytes(w, f->registers.bytes, f->registers.len);
	if (f->health)
		fmi_health_save(f, w);
}

static int expect(struct fmi_flash *f, const char *what, uint64_t got, uint64_t want,
		  struct fm_error *err)
{
	if (got == want)
		return 0;
	return fm_error_set(
		err, FM_ERR_FORMAT, 0, "%s: saved state: %s 0x%llx, expected this bank's 0x%llx",
		fm_dev_name(f->dev), what, (unsigned long long)got, (unsigned long long)want);
}

static int check_geometry(struct fmi_flash *f, struct fm_state_reader *r, struct fm_error *err)
{
	const struct fmi_geometry *geo = &f->geo;
	int rc = expect(f, "length", fm_state_get_u64(r), geo->len, err);

	if (!rc)
		rc = expect(f, "bank width", fm_state_get_u8(r), geo->bank_width, err);
	if (!rc)
		rc = expect(f, "chip width", fm_state_get_u8(r), geo->chip_width, err);
	if (!rc)
		rc = expect(f, "buffer length", fm_state_get_u32(r), geo->buffer_len, err);
	if (!rc)
		rc = expect(f, "number of regions", fm_state_get_u8(r), geo->nregions, err);
	for (unsigned i = 0; !rc && i < geo->nregions; i++) {
		rc = expect(f, "block length", fm_state_get_u64(r), geo->region[i].block_len, err);
		if (!rc)
			rc = expect(f, "block count", fm_state_get_u32(r), geo->region[i].count,
				    err);
	}
	if (!rc)
		rc = expect(f, "quirks", fm_state_get_u32(r), f->part.quirks, err);
	if (!rc)
		rc = expect(f, "traits", fm_state_get_u32(r), f->part.traits, err);
	if (!rc)
		rc = expect(f, "time", fm_state_get_u8(r), timing(f), err);
	if (!rc)
		rc = expect(f, "health", fm_state_get_u8(r), f->health ? 1 : 0, err);
	return rc;
}

/* What is read before anything of the device changes. */
struct loaded {
	struct fmi_chip chip[FM_FLASH_CHIPS];
	uint8_t *buffer;
	uint8_t *marks;
	uint8_t *registers;
	size_t nmarks;
	uint32_t locked;
	unsigned pins;
	struct fmi_qemu_amd qemu;
	uint32_t queued;
};

/* The bank's only chip is not what it is kept in. */
static bool get_qemu(const struct fmi_flash *f, struct fm_state_reader *r, struct loaded *in)
{
	fmi_amd_reset(&in->chip[0].amd);
	return fmi_qemu_bank_get(f, r, &in->qemu);
}

static int load_chips(struct fmi_flash *f, struct loaded *in, struct fm_state_reader *r,
		      struct fm_error *err)
{
	for (unsigned n = 0; n < f->geo.chips; n++) {
		bool ok = f->qemu.on ? get_qemu(f, r, in) : get_chip(f, r, &in->chip[n]);

		/* A bank that is one state machine has one state. */
		if (ok && (f->part.quirks & FM_FLASH_QUIRK_ONE_STATE))
			ok = fmi_intel_equal(&in->chip[n].intel, &in->chip[0].intel);
		if (!ok)
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: saved state: chip %u is in a state that no "
					    "sequence leads to",
					    fm_dev_name(f->dev), n);
	}
	return 0;
}

/* Outside what the chips hold the buffer is FF. */
static bool buffer_valid(const struct fmi_flash *f, struct loaded *in)
{
	unsigned width = f->geo.chip_width;

	for (uint32_t at = 0; at < f->geo.buffer_len; at++) {
		const struct fmi_buffer *own =
			fmi_chip_buffer(f->set, &in->chip[at / width % f->geo.chips]);
		bool held = at >= own->lo && at < own->hi;

		if (!held && in->buffer[at] != 0xff)
			return false;
	}
	return true;
}

/* Marks that a chip's part of a block can have. */
static bool mark_valid(const struct fmi_flash *f, const struct loaded *in, unsigned n, uint8_t mark)
{
	const struct fmi_chip *chip = &in->chip[n];
	/* A failed erase has none left. */
	bool queues = (chip->amd.op.action == FMI_ACTION_ERASE_QUEUED &&
		       chip->amd.state != FMI_AMD_FAILED) ||
		      chip->amd.erase.action == FMI_ACTION_ERASE_QUEUED;
	uint8_t known = FMI_LOCKED | FMI_LOCKED_DOWN;

	if (f->qemu.on)
		return !(mark & ~FMI_QUEUED);
	if (f->set == FM_FLASH_AMD)
		known = f->part.traits & FM_FLASH_NO_PROTECTION ? 0 : FMI_LOCKED | FMI_PERSISTENT;
	else if (f->part.traits & FM_FLASH_NO_LOCK_DOWN)
		known = FMI_LOCKED;
	if (f->set == FM_FLASH_AMD && queues)
		known |= FMI_QUEUED;
	/* A read-only bank takes no lock commands. */
	if (f->set != FM_FLASH_AMD && f->read_only)
		known = f->part.traits & (FM_FLASH_LOCKED_AT_RESET | FM_FLASH_LOCKS_PERSIST)
				? FMI_LOCKED
				: 0;
	/* What is locked down was unlocked, if at all, while WP# was high. */
	return !(mark & ~known) && (mark != FMI_LOCKED_DOWN || (in->pins & FM_FLASH_PIN_WP_HIGH));
}

static int load_marks(struct fmi_flash *f, struct loaded *in, struct fm_state_reader *r,
		      struct fm_error *err)
{
	fm_state_get_bytes(r, in->marks, in->nmarks);
	for (size_t i = 0; i < in->nmarks; i++) {
		if (!mark_valid(f, in, (unsigned)(i % f->geo.chips), in->marks[i]))
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: saved state: lock of block %zu is 0x%x, expected "
					    "one that this bank can have",
					    fm_dev_name(f->dev), i / f->geo.chips, in->marks[i]);
		in->locked += !!(in->marks[i] & FMI_MARKS_LOCKED);
		in->queued += !!(in->marks[i] & FMI_QUEUED);
	}
	if (f->qemu.on && !fmi_qemu_amd_valid(&in->qemu, &f->qemu.part, in->queued))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: the bank is in a state that no sequence "
				    "leads to",
				    fm_dev_name(f->dev));
	return 0;
}

static int load_all(struct fmi_flash *f, struct loaded *in, struct fm_state_reader *r,
		    struct fm_error *err)
{
	int rc;

	if (fm_state_version(r) != FMI_FLASH_STATE_VERSION)
		return fm_error_set(err, FM_ERR_VERSION, 0,
				    "%s: saved state: version %u, expected %u", fm_dev_name(f->dev),
				    fm_state_version(r), FMI_FLASH_STATE_VERSION);
	rc = check_geometry(f, r, err);
	in->pins = fm_state_get_u8(r);
	if (!rc && (in->pins & ~FMI_FLASH_PINS))
		rc = fm_error_set(err, FM_ERR_FORMAT, 0,
				  "%s: saved state: pins 0x%x, expected bits of 0x%x",
				  fm_dev_name(f->dev), in->pins, FMI_FLASH_PINS);
	if (!rc)
		rc = load_chips(f, in, r, err);
	if (rc)
		return rc;
	memset(in->buffer, 0xff, f->geo.buffer_len);
	if (any_holds_data(f, in->chip, f->geo.chips))
		fm_state_get_bytes(r, in->buffer, f->geo.buffer_len);
	if (!buffer_valid(f, in))
		return fm_error_set(
			err, FM_ERR_FORMAT, 0,
			"%s: saved state: the write buffer has data where no chip holds "
			"any",
			fm_dev_name(f->dev));
	rc = load_marks(f, in, r, err);
	if (rc)
		return rc;
	fm_state_get_bytes(r, in->registers, f->registers.len);
	if (fm_state_overrun(r) || fm_state_left(r) != (f->health ? fmi_health_saved_len(f) : 0))
		return fm_error_set(
			err, FM_ERR_FORMAT, 0,
			"%s: saved state: body of the wrong length (%zu bytes left over)",
			fm_dev_name(f->dev), fm_state_left(r));
	return 0;
}

static void take(struct fmi_flash *f, const struct loaded *in, struct fm_state_reader *r)
{
	memcpy(f->chip, in->chip, sizeof(in->chip));
	memcpy(f->buffer, in->buffer, f->geo.buffer_len);
	memcpy(f->marks, in->marks, in->nmarks);
	fmi_registers_load(f, in->registers);
	if (f->health)
		fmi_health_load(f, r);
	f->locked = in->locked;
	f->pins = in->pins;
	f->qemu.machine = in->qemu;
	f->qemu.nmarked = in->queued;
	f->together = false; /* which fmi_lanes_join() looks at */
	f->unpolled = false;
	fmi_lanes_join(f);
	fmi_quick_set(f);
}

int fmi_flash_load(struct fmi_flash *f, struct fm_state_reader *r, struct fm_error *err)
{
	struct loaded in = { .nmarks = (size_t)f->geo.blocks * f->geo.chips };
	int rc;

	in.buffer = malloc(f->geo.buffer_len);
	in.marks = malloc(in.nmarks);
	in.registers = malloc(f->registers.len);
	if (in.buffer && in.marks && in.registers) {
		rc = load_all(f, &in, r, err);
		if (!rc)
			take(f, &in, r);
	} else {
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: saved state: out of memory",
				  fm_dev_name(f->dev));
	}
	free(in.buffer);
	free(in.marks);
	free(in.registers);
	return rc;
}
