/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flash_private: what the files of this folder share. A bus cycle goes lanes.c (which chips) ->
 * cfi_intel.c or cfi_amd.c (what it means to a chip) -> array.c (what it does to the cells).
 */
#ifndef FIRMEM_FLASH_PRIVATE_H
#define FIRMEM_FLASH_PRIVATE_H

#include <firmem/dirty.h>
#include <firmem/flash.h>

#include "devices/guestmem.h"
#include "flash/cfi_amd.h"
#include "flash/cfi_intel.h"

#define FMI_FLASH_STATE_VERSION 1u

/* The query structure that a chip can show: JESD68.01 tables, four regions, and an extension. */
#define FMI_QUERY_LEN 0x60u

/* --- geometry ---------------------------------------------------------------------------- */

struct fmi_flash_region {
	uint64_t base;      /* offset of its first block in the bank */
	uint64_t block_len; /* bytes of the bank */
	uint32_t count;     /* blocks */
	uint32_t first;     /* number of its first block in the bank */
};

struct fmi_geometry {
	uint64_t len;        /* bytes of the bank */
	unsigned bank_width; /* bytes */
	unsigned chip_width; /* bytes */
	unsigned chips;
	bool byte_mode;      /* x16 chips with half of their data lines: see fm_flash_config */
	uint32_t buffer_len; /* bytes of the bank's write buffer, a power of two */
	uint32_t blocks;     /* erase blocks of the bank */
	unsigned nregions;
	struct fmi_flash_region region[FM_FLASH_REGIONS];
};

/* One erase block of the bank. */
struct fmi_erase_block {
	uint64_t off;
	uint64_t len;
	uint32_t number;
};

/* Check a config's geometry and fill *geo, defaults included. FM_ERR_ARG: the field is named. */
int fmi_geometry_init(struct fmi_geometry *geo, const struct fm_flash_config *cfg, const char *name,
		      struct fm_error *err);
/* The erase block that contains `off`, which is inside the bank. */
struct fmi_erase_block fmi_geometry_block(const struct fmi_geometry *geo, uint64_t off);

/* --- the image file ------------------------------------------------------------------------ */

struct fmi_image;

/* Where an image file's bytes live and who hears of it. */
struct fmi_image_config {
	const struct fm_io *io;
	const char *bank; /* name of the bank, for messages */
	const char *path; /* NULL: `fd` */
	int fd;
	bool read_only;
	bool create;
	uint8_t *array; /* borrowed: what the file persists */
	uint64_t len;
	struct fm_flash_stats *stats; /* borrowed: host writes are counted there */
};

/* Open, lock and check the file (or make it, FF), and read it into the array. */
int fmi_image_open(struct fmi_image **out, const struct fmi_image_config *cfg,
		   struct fm_error *err);
/* From now on write what the device's medium operations change. */
void fmi_image_attach(struct fmi_image *image, struct fm_dev *dev);
void fmi_image_close(struct fmi_image *image);
/* The array may differ anywhere from the file: the next flush writes all of it. */
void fmi_image_stale(struct fmi_image *image);
/* Write what failed, then sync. */
int fmi_image_flush(struct fmi_image *image, struct fm_error *err);

/* --- the bank ------------------------------------------------------------------------------ */

enum fmi_lock {
	FMI_LOCKED = 1 << 0,      /* as block lock status shows it: bit 0 */
	FMI_LOCKED_DOWN = 1 << 1, /* bit 1; implies FMI_LOCKED */
};

/* One chip: the bank says which command set its chips have. */
struct fmi_chip {
	union {
		struct fmi_intel intel;
		struct fmi_amd amd;
	};
};

/* What a chip's write buffer holds: [lo, hi) behind `window`; lo == hi: nothing. */
struct fmi_held {
	uint64_t window;
	uint32_t lo;
	uint32_t hi;
};

/* A set of chips: bit n is chip n. */
typedef unsigned fmi_chips;

struct fmi_flash {
	struct fm_dev *dev;
	struct fm_block *block;
	struct fm_dirty *dirty;
	struct fmi_image *image; /* NULL when nothing persists */
	uint8_t *array;
	struct fmi_geometry geo;
	enum fm_flash_set set;
	enum fm_flash_narrow narrow;
	bool read_only;
	uint16_t manufacturer;
	uint16_t device_id;
	uint16_t extended_id[2]; /* AMD only */

	fmi_chips all; /* every chip */
	struct fmi_intel_part part;
	uint32_t more_len;  /* for fmi_lanes_more_data(): buffer_len, or 0 where quirks forbid it */
	uint64_t chip_mask; /* data bits of one chip */
	uint64_t repeat;    /* times a chip's value: that value on every chip's lanes */
	uint64_t word_mask; /* data bits of the bank */
	bool together;      /* all chips are as chip[0] is, and only it is kept */
	struct fmi_chip chip[FM_FLASH_CHIPS];
	/* The chips' write buffers, interleaved as the array is; FF where a chip holds no data. */
	uint8_t *buffer;
	uint8_t *locks;  /* enum fmi_lock, by block number * chips + chip */
	uint32_t locked; /* how many of them are not 0 */
	uint8_t query[FMI_QUERY_LEN];
	struct fm_flash_stats stats;
};

/* The bank behind a device, or NULL for another device. */
struct fmi_flash *fmi_flash_of(struct fm_dev *dev);

/* Chip n's state. To change it alone, part the chips first. */
static inline struct fmi_chip *fmi_flash_chip(struct fmi_flash *f, unsigned n)
{
	return &f->chip[f->together ? 0 : n];
}

static inline bool fmi_chip_shows_array(enum fm_flash_set set, const struct fmi_chip *chip)
{
	switch (set) {
	case FM_FLASH_INTEL:
		return chip->intel.mode == FMI_INTEL_SHOW_ARRAY;
	case FM_FLASH_AMD:
		return chip->amd.mode == FMI_AMD_SHOW_ARRAY;
	}
	return false;
}

/* Are all chips in read-array mode? Then the bank is plain memory to a reader. */
static inline bool fmi_flash_mappable(const struct fmi_flash *f)
{
	unsigned n = f->together ? 1 : f->geo.chips;

	while (n && fmi_chip_shows_array(f->set, &f->chip[n - 1]))
		n--;
	return !n;
}

/* --- lanes: from the bus to the chips ---------------------------------------------------------- */

static inline bool fmi_chip_more_data(const struct fmi_flash *f, struct fmi_chip *chip,
				      uint64_t off)
{
	switch (f->set) {
	case FM_FLASH_INTEL:
		return fmi_intel_more_data(&chip->intel, f->more_len, f->geo.bank_width, off);
	case FM_FLASH_AMD:
		return fmi_amd_more_data(&chip->amd, f->geo.buffer_len, f->geo.bank_width, off);
	}
	return false;
}

/*
 * The short way for most writes of all, the words of a buffer: true when this was one and is held.
 * Everything else, false, is for fmi_lanes_write().
 */
static inline bool fmi_lanes_more_data(struct fmi_flash *f, uint64_t off, unsigned size,
				       uint64_t value)
{
	unsigned width = f->geo.bank_width;

	if (!f->together || size != width || (off & (width - 1)) ||
	    !fmi_chip_more_data(f, &f->chip[0], off))
		return false;
	fmi_mem_write(f->buffer + (off & (f->geo.buffer_len - 1)), width, value);
	return true;
}

/*
 * An access inside the bank, of any width and alignment. Effects without REMAP. A read changes what
 * reads change in AMD chips; those of Intel chips change nothing.
 */
unsigned fmi_lanes_write(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value);
uint64_t fmi_lanes_read(struct fmi_flash *f, uint64_t off, unsigned size);
/* The state after power-on and reset, of all chips. */
void fmi_lanes_reset(struct fmi_flash *f);
struct fmi_held fmi_chip_held(enum fm_flash_set set, const struct fmi_chip *chip);
/* If all chips are alike, keep only one state from now on. */
void fmi_lanes_join(struct fmi_flash *f);
/* Trace what a cycle (its off, size and value in `event`) was to a chip that was in mode `before`. */
void fmi_lanes_trace(struct fmi_flash *f, struct fm_trace_event event, unsigned chip,
		     enum fmi_intel_note note, enum fmi_intel_mode before);

/* The same where the bank is one state machine (FM_FLASH_QUIRK_ONE_STATE). */
unsigned fmi_whole_write(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value);
uint64_t fmi_whole_read(struct fmi_flash *f, uint64_t off, unsigned size);

/* --- array: the cells -------------------------------------------------------------------------- */

/* The data bits of a set of chips on the bank's bus. */
uint64_t fmi_array_lanes(const struct fmi_flash *f, fmi_chips chips);

/*
 * Operations of a set of chips in one bus cycle. Those that refuse, because their block is locked,
 * are left in *refused. `off` is a bank word (for erase and locks: anywhere in the block). Effects.
 */
unsigned fmi_array_program(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data,
			   fmi_chips *refused);
unsigned fmi_array_erase(struct fmi_flash *f, fmi_chips chips, uint64_t off, fmi_chips *refused);
/* Every block of those chips but the locked ones. */
unsigned fmi_array_erase_chips(struct fmi_flash *f, fmi_chips chips);
/* Program [lo, hi) of the buffers to the same place behind `window`; the buffers are then empty. */
unsigned fmi_array_program_buffer(struct fmi_flash *f, fmi_chips chips, uint64_t window,
				  uint32_t lo, uint32_t hi, fmi_chips *refused);
/* Hold the `bytes` (a mask) of a word for later, and forget what is held in [lo, hi). */
void fmi_array_buffer_put(struct fmi_flash *f, fmi_chips chips, uint32_t at, uint64_t data,
			  uint64_t bytes);
void fmi_array_buffer_drop(struct fmi_flash *f, fmi_chips chips, uint32_t lo, uint32_t hi);
/* FMI_ACTION_LOCK, UNLOCK, LOCK_DOWN. */
void fmi_array_lock(struct fmi_flash *f, fmi_chips chips, uint64_t off, enum fmi_action how,
		    fmi_chips *refused);
/* Which chips refuse to change the block that contains `off`. */
fmi_chips fmi_array_locked(const struct fmi_flash *f, uint64_t off);
uint8_t fmi_array_lock_status(const struct fmi_flash *f, unsigned chip, uint64_t off);
/*
 * For a bank that is one state machine: program `size` bytes; hold all that the cells have behind
 * `window`; program what is held there.
 */
unsigned fmi_array_store(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t data);
void fmi_array_open_window(struct fmi_flash *f, uint64_t window);
unsigned fmi_array_store_window(struct fmi_flash *f, uint64_t window);
/* Cells and buffers FF, locks or not; the dirty log and the medium stream are told. */
unsigned fmi_array_sanitize(struct fmi_flash *f);

/* --- what chips tell about themselves ------------------------------------------------------------ */

/* Fill f->query from the geometry. */
void fmi_query_build(struct fmi_flash *f);
/* What chip n shows in query mode, and in read-ID mode, at a bank word. */
uint8_t fmi_query_read(const struct fmi_flash *f, uint64_t off);
uint16_t fmi_query_id(const struct fmi_flash *f, unsigned chip, uint64_t off);
/* The same of AMD chips. */
uint8_t fmi_query_amd_read(const struct fmi_flash *f, uint64_t off);
uint16_t fmi_query_autoselect(const struct fmi_flash *f, unsigned chip, uint64_t off);

/* --- quirks ------------------------------------------------------------------------------------- */

/* Do the quirks go together, and with this geometry? FM_ERR_ARG: the quirk is named. */
int fmi_quirks_check(unsigned quirks, const struct fmi_geometry *geo, const char *name,
		     struct fm_error *err);

/* --- saved state --------------------------------------------------------------------------------- */

void fmi_flash_save(struct fmi_flash *f, struct fm_state_writer *w);
int fmi_flash_load(struct fmi_flash *f, struct fm_state_reader *r, struct fm_error *err);

#endif
