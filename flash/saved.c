/* SPDX-License-Identifier: BSD-2-Clause */
/* The saved state of a bank: everything but the cells, at any bus cycle. docs/flash.md has the layout. */
#include "flash/flash_private.h"

#include <stdlib.h>
#include <string.h>

static bool any_holds_data(const struct fmi_flash *f, const struct fmi_chip *chips, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct fmi_held held = fmi_chip_held(f->set, &chips[i]);

		if (held.lo != held.hi)
			return true;
	}
	return false;
}

static void put_intel(struct fm_state_writer *w, const struct fmi_intel *chip)
{
	fm_state_put_u8(w, (uint8_t)chip->state);
	fm_state_put_u8(w, (uint8_t)chip->mode);
	fm_state_put_u8(w, chip->sr);
	fm_state_put_u32(w, chip->words);
	fm_state_put_u32(w, chip->left);
	fm_state_put_u64(w, chip->window);
	fm_state_put_u32(w, chip->lo);
	fm_state_put_u32(w, chip->hi);
}

static void get_intel(struct fm_state_reader *r, struct fmi_intel *chip)
{
	chip->state = (enum fmi_intel_state)fm_state_get_u8(r);
	chip->mode = (enum fmi_intel_mode)fm_state_get_u8(r);
	chip->sr = fm_state_get_u8(r);
	chip->words = fm_state_get_u32(r);
	chip->left = fm_state_get_u32(r);
	chip->window = fm_state_get_u64(r);
	chip->lo = fm_state_get_u32(r);
	chip->hi = fm_state_get_u32(r);
}

static void put_amd(struct fm_state_writer *w, const struct fmi_amd *chip)
{
	fm_state_put_u8(w, (uint8_t)chip->state);
	fm_state_put_u8(w, (uint8_t)chip->mode);
	fm_state_put_u8(w, chip->toggle);
	fm_state_put_u32(w, chip->left);
	fm_state_put_u64(w, chip->sector);
	fm_state_put_u64(w, chip->window);
	fm_state_put_u32(w, chip->lo);
	fm_state_put_u32(w, chip->hi);
	fm_state_put_u32(w, chip->last);
}

/* False: what comes cannot be a chip's. */
static bool get_amd(struct fm_state_reader *r, struct fmi_amd *chip)
{
	uint8_t toggle;

	chip->state = (enum fmi_amd_state)fm_state_get_u8(r);
	chip->mode = (enum fmi_amd_mode)fm_state_get_u8(r);
	toggle = fm_state_get_u8(r);
	chip->toggle = toggle;
	chip->left = fm_state_get_u32(r);
	chip->sector = fm_state_get_u64(r);
	chip->window = fm_state_get_u64(r);
	chip->lo = fm_state_get_u32(r);
	chip->hi = fm_state_get_u32(r);
	chip->last = fm_state_get_u32(r);
	return toggle <= 1;
}

static void put_chip(const struct fmi_flash *f, struct fm_state_writer *w,
		     const struct fmi_chip *chip)
{
	switch (f->set) {
	case FM_FLASH_INTEL:
		put_intel(w, &chip->intel);
		break;
	case FM_FLASH_AMD:
		put_amd(w, &chip->amd);
		break;
	}
}

/* False: no sequence of writes leads there. */
static bool get_chip(const struct fmi_flash *f, struct fm_state_reader *r, struct fmi_chip *chip)
{
	switch (f->set) {
	case FM_FLASH_INTEL:
		get_intel(r, &chip->intel);
		return fmi_intel_valid(&chip->intel, &f->part, f->geo.len);
	case FM_FLASH_AMD:
		return get_amd(r, &chip->amd) && fmi_amd_valid(&chip->amd, &f->geo);
	}
	return false;
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
	for (unsigned n = 0; n < geo->chips; n++)
		put_chip(f, w, fmi_flash_chip(f, n));
	if (any_holds_data(f, f->chip, f->together ? 1 : geo->chips))
		fm_state_put_bytes(w, f->buffer, geo->buffer_len);
	fm_state_put_bytes(w, f->locks, (size_t)geo->blocks * geo->chips);
	if (f->part.quirks)
		fm_state_put_u32(w, f->part.quirks);
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
	return rc;
}

/* What is read before anything of the device changes. */
struct loaded {
	struct fmi_chip chip[FM_FLASH_CHIPS];
	uint8_t *buffer;
	uint8_t *locks;
	size_t nlocks;
	uint32_t locked;
};

static int load_chips(struct fmi_flash *f, struct loaded *in, struct fm_state_reader *r,
		      struct fm_error *err)
{
	for (unsigned n = 0; n < f->geo.chips; n++) {
		bool ok = get_chip(f, r, &in->chip[n]);

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
static bool buffer_valid(const struct fmi_flash *f, const struct loaded *in)
{
	unsigned width = f->geo.chip_width;

	for (uint32_t at = 0; at < f->geo.buffer_len; at++) {
		struct fmi_held own = fmi_chip_held(f->set, &in->chip[at / width % f->geo.chips]);
		bool held = at >= own.lo && at < own.hi;

		if (!held && in->buffer[at] != 0xff)
			return false;
	}
	return true;
}

static int load_locks(struct fmi_flash *f, struct loaded *in, struct fm_state_reader *r,
		      struct fm_error *err)
{
	fm_state_get_bytes(r, in->locks, in->nlocks);
	for (size_t i = 0; i < in->nlocks; i++) {
		uint8_t lock = in->locks[i];

		if (lock > (FMI_LOCKED | FMI_LOCKED_DOWN) || lock == FMI_LOCKED_DOWN ||
		    (lock && (f->read_only || f->set == FM_FLASH_AMD)))
			return fm_error_set(
				err, FM_ERR_FORMAT, 0,
				"%s: saved state: lock of block %zu is %u, expected 0, 1 "
				"or 3, and 0 on a read-only or AMD bank",
				fm_dev_name(f->dev), i / f->geo.chips, lock);
		in->locked += !!lock;
	}
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
	rc = load_locks(f, in, r, err);
	/* A bank without quirks has none in its state. */
	if (!rc && f->part.quirks)
		rc = expect(f, "quirks", fm_state_get_u32(r), f->part.quirks, err);
	if (rc)
		return rc;
	if (fm_state_overrun(r) || fm_state_left(r))
		return fm_error_set(
			err, FM_ERR_FORMAT, 0,
			"%s: saved state: body of the wrong length (%zu bytes left over)",
			fm_dev_name(f->dev), fm_state_left(r));
	return 0;
}

static void take(struct fmi_flash *f, const struct loaded *in)
{
	memcpy(f->chip, in->chip, sizeof(in->chip));
	memcpy(f->buffer, in->buffer, f->geo.buffer_len);
	memcpy(f->locks, in->locks, in->nlocks);
	f->locked = in->locked;
	f->together = false;
	fmi_lanes_join(f);
}

int fmi_flash_load(struct fmi_flash *f, struct fm_state_reader *r, struct fm_error *err)
{
	struct loaded in = { .nlocks = (size_t)f->geo.blocks * f->geo.chips };
	int rc;

	in.buffer = malloc(f->geo.buffer_len);
	in.locks = malloc(in.nlocks);
	if (in.buffer && in.locks) {
		rc = load_all(f, &in, r, err);
		if (!rc)
			take(f, &in);
	} else {
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: saved state: out of memory",
				  fm_dev_name(f->dev));
	}
	free(in.buffer);
	free(in.locks);
	return rc;
}
