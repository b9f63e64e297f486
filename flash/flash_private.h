/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flash_private: what the files of this folder share. A bus cycle goes lanes.c (which chips) ->
 * cfi_intel.c or cfi_amd.c (what it means to a chip) -> operation.c (may it, how long does it take) ->
 * array.c (what it does to the cells).
 */
#ifndef FIRMEM_FLASH_PRIVATE_H
#define FIRMEM_FLASH_PRIVATE_H

#include <firmem/dirty.h>
#include <firmem/flash.h>

#include "devices/guestmem.h"
#include "flash/cfi_amd.h"
#include "flash/cfi_intel.h"
#include "flash/qemu_amd.h"

#define FMI_FLASH_STATE_VERSION 1u
#define FMI_FLASH_PINS ((unsigned)(FM_FLASH_PIN_WP_HIGH | FM_FLASH_PIN_VPP_LOW))

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

/* --- the bank ------------------------------------------------------------------------------ */

/* What is noted of a chip's part of an erase block. */
enum fmi_mark {
	FMI_LOCKED = 1 << 0,      /* as block lock status shows it: bit 0; AMD's DYB */
	FMI_LOCKED_DOWN = 1 << 1, /* bit 1; implies FMI_LOCKED while WP# is low */
	FMI_PERSISTENT = 1 << 2,  /* AMD's PPB, as the registers have it */
	FMI_QUEUED = 1 << 3,      /* AMD: to be erased */
};
#define FMI_MARKS_LOCKED (FMI_LOCKED | FMI_PERSISTENT)

/* One chip: the bank says which command set its chips have. */
struct fmi_chip {
	union {
		struct fmi_intel intel;
		struct fmi_amd amd;
	};
};

/* A bank with FM_FLASH_QUIRK_QEMU_AMD; its marks are FMI_QUEUED alone. */
struct fmi_qemu_bank {
	bool on;
	struct fmi_qemu_amd machine;
	struct fmi_qemu_amd_part part;
	uint32_t nmarked; /* sectors with that mark */
};

/* A set of chips: bit n is chip n. */
typedef unsigned fmi_chips;

/* Nanoseconds that operations take. */
struct fmi_durations {
	uint64_t word;
	uint64_t buffer;
	uint64_t erase; /* a block */
	uint64_t chip_erase;
};

/* What is non-volatile beside the array: registers.c has the layout. */
struct fmi_registers {
	uint8_t *bytes;
	uint64_t len;
	struct fm_block *block; /* NULL: `bytes` are our own */
};

/* How often the bank turned to and from read-array, for the hint to trap it. */
struct fmi_turns {
	bool hint;
	unsigned hurried; /* turns in a row with little between */
	unsigned quiet;   /* accesses since the last turn that left the mapping alone */
};

struct fmi_health;

struct fmi_flash {
	struct fm_dev *dev;
	struct fm_block *block;
	struct fm_dirty *dirty;
	struct fm_write_behind *image; /* NULL when nothing persists */
	struct fm_medium_sub image_sub;
	bool fail_guest; /* operations fail while the image cannot be written */
	uint8_t *array;
	struct fmi_geometry geo;
	enum fm_flash_set set; /* FM_FLASH_INTEL or FM_FLASH_AMD */
	enum fm_flash_narrow narrow;
	bool read_only;
	bool big_endian;
	bool secure_only;
	unsigned pins;    /* enum fm_flash_pin */
	uint16_t primary; /* command set code of the query table */
	uint16_t manufacturer;
	uint16_t device_id;
	uint16_t extended_id[2]; /* AMD only */
	struct fm_flash_times times;
	struct fmi_durations duration;
	bool maximum; /* these are the maxima */

	fmi_chips all; /* every chip */
	struct fmi_part part;
	uint32_t more_len;  /* for fmi_lanes_more_data(): buffer_len, or 0 where quirks forbid it */
	uint64_t chip_mask; /* data bits of one chip */
	uint64_t repeat;    /* times a chip's value: that value on every chip's lanes */
	uint64_t word_mask; /* data bits of the bank */
	unsigned quick_width; /* of accesses that quick.h is for; 0: there are none */
	bool together;        /* all chips are as chip[0] is, and only it is kept */
	struct fmi_chip chip[FM_FLASH_CHIPS];
	/* The chips' write buffers, interleaved as the array is; FF where a chip holds no data. */
	uint8_t *buffer;
	uint8_t *marks;  /* enum fmi_mark, by block number * chips + chip */
	uint32_t locked; /* how many of them have FMI_MARKS_LOCKED */
	struct fmi_registers registers;
	struct fmi_health *health; /* NULL: nothing wears or fails */
	struct fmi_turns turns;
	uint64_t quick_words; /* programmed by quick.h, and not in `stats` */
	bool unpolled;        /* for the trace: an operation's status was not read yet */
	uint8_t query[FMI_QUERY_LEN];
	struct fm_flash_stats stats;
	struct fmi_qemu_bank qemu;
};

/* The bank behind a device, or NULL for another device. */
struct fmi_flash *fmi_flash_of(struct fm_dev *dev);

/* Chip n's state. To change it alone, part the chips first. */
static inline struct fmi_chip *fmi_flash_chip(struct fmi_flash *f, unsigned n)
{
	return &f->chip[f->together ? 0 : n];
}

/* Where chip n's lanes begin on the bus: a bit, less than 64. */
static inline unsigned fmi_lane_shift(const struct fmi_flash *f, unsigned chip)
{
	return 8 * f->geo.chip_width * chip & 63;
}

/* A chip's value as its data lines have it: D0-D7 are on its lowest address, or its highest. */
static inline uint32_t fmi_lane_swap(const struct fmi_flash *f, uint32_t value)
{
	if (!f->big_endian || f->geo.chip_width == 1)
		return value;
	return f->geo.chip_width == 2 ? (uint32_t)(value >> 8 & 0xff) | (value & 0xff) << 8
				      : __builtin_bswap32(value);
}

/* What a word of the bank's bus is to a chip; and what a chip drives onto that bus. */
static inline uint32_t fmi_lane_value(const struct fmi_flash *f, uint64_t word, unsigned chip)
{
	return fmi_lane_swap(f, (uint32_t)(word >> fmi_lane_shift(f, chip) & f->chip_mask));
}

static inline uint64_t fmi_to_lane(const struct fmi_flash *f, uint64_t value, unsigned chip)
{
	return (uint64_t)fmi_lane_swap(f, (uint32_t)(value & f->chip_mask))
	       << fmi_lane_shift(f, chip);
}

static inline bool fmi_chip_shows_array(enum fm_flash_set set, const struct fmi_chip *chip)
{
	return set == FM_FLASH_AMD ? chip->amd.mode == FMI_AMD_SHOW_ARRAY
				   : chip->intel.mode == FMI_INTEL_SHOW_ARRAY;
}

/* Are all chips in read-array mode? Then the bank is plain memory to a reader. */
static inline bool fmi_flash_mappable(const struct fmi_flash *f)
{
	unsigned n = f->together ? 1 : f->geo.chips;

	if (f->qemu.on)
		return f->qemu.machine.mapped;
	while (n && fmi_chip_shows_array(f->set, &f->chip[n - 1]))
		n--;
	return !n;
}

/* --- accesses: the verbs of both command sets --------------------------------------------------- */

unsigned fmi_access_read_intel(void *state, uint64_t off, unsigned size, uint64_t *value,
			       struct fm_attrs attrs);
unsigned fmi_access_write_intel(void *state, uint64_t off, unsigned size, uint64_t value,
				struct fm_attrs attrs);
unsigned fmi_access_read_amd(void *state, uint64_t off, unsigned size, uint64_t *value,
			     struct fm_attrs attrs);
unsigned fmi_access_write_amd(void *state, uint64_t off, unsigned size, uint64_t value,
			      struct fm_attrs attrs);
void fmi_access_map(void *state, uint64_t off, struct fm_mapping *out);
unsigned fmi_access_tick(void *state, uint64_t now_ns);
uint64_t fmi_access_next_deadline_ns(void *state);
/* What was done turned the mapping, which was `before`: counted, and FM_EFF_REMAP; else 0. */
unsigned fmi_access_remapped(struct fmi_flash *f, bool before);

/* --- lanes: from the bus to the chips ---------------------------------------------------------- */

static inline struct fmi_buffer *fmi_chip_buffer(enum fm_flash_set set, struct fmi_chip *chip)
{
	return set == FM_FLASH_AMD ? &chip->amd.buffer : &chip->intel.buffer;
}

static inline bool fmi_chip_loads(enum fm_flash_set set, const struct fmi_chip *chip)
{
	return set == FM_FLASH_AMD ? chip->amd.state == FMI_AMD_DATA
				   : chip->intel.state == FMI_INTEL_DATA;
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
	    !fmi_chip_loads(f->set, &f->chip[0]) ||
	    !fmi_buffer_more(fmi_chip_buffer(f->set, &f->chip[0]), f->more_len, width, off))
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
/* Find out anew whether quick.h is for this bank, as it now is. */
void fmi_quick_set(struct fmi_flash *f);
/* The state after power-on and reset, of all chips. */
void fmi_lanes_reset(struct fmi_flash *f);
/* Is an AMD chip erasing, under way or suspended, what is at `off`? */
bool fmi_amd_erasing(struct fmi_flash *f, unsigned chip, uint64_t off);
/* Give each chip a state of its own. */
void fmi_lanes_part(struct fmi_flash *f);
/* If all chips are alike, keep only one state from now on. */
void fmi_lanes_join(struct fmi_flash *f);
/*
 * Trace what a cycle (its off, size and value in `event`) was to an Intel chip that was in mode
 * `before` with the status `sr`.
 */
void fmi_lanes_trace(struct fmi_flash *f, struct fm_trace_event event, unsigned chip,
		     enum fmi_intel_note note, enum fmi_intel_mode before, uint8_t sr);
/* Misuse at the bank word `off`. */
void fmi_lanes_misuse(struct fmi_flash *f, uint64_t off, const char *text);

/* A bank that is one state machine takes up to 4 bytes in a cycle, if its address is aligned. */
static inline unsigned fmi_piece(uint64_t off, unsigned left)
{
	unsigned n = 4;

	while (n > left || (off & (n - 1)))
		n /= 2;
	return n;
}

/* The same where the bank is one state machine (FM_FLASH_QUIRK_ONE_STATE). */
unsigned fmi_whole_write(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value);
uint64_t fmi_whole_read(struct fmi_flash *f, uint64_t off, unsigned size);

/* --- operations: programs and erases ------------------------------------------------------------ */

/* Do what `chips` ask for at the bank word `off`: at once, or begin it. Effects. */
unsigned fmi_operate(struct fmi_flash *f, fmi_chips chips, enum fmi_action action, uint64_t off,
		     uint64_t data);
/* The same for what takes no time and changes no cell of the array. */
void fmi_operate_aside(struct fmi_flash *f, fmi_chips chips, enum fmi_action action, uint64_t off,
		       uint64_t data);
/* End what is over at `due_ns`, the deadline, which the clock has reached. Effects. */
unsigned fmi_operations_end(struct fmi_flash *f, uint64_t due_ns);
/* When the next one is over, or FM_NEVER. */
uint64_t fmi_operations_deadline(const struct fmi_flash *f);
/* Fill f->times and f->duration. FM_ERR_ARG: the field is named. */
int fmi_times_init(struct fmi_flash *f, const struct fm_flash_config *cfg, const char *name,
		   struct fm_error *err);

/* --- a bank as QEMU has it (FM_FLASH_QUIRK_QEMU_AMD) --------------------------------------------- */

/* The query table is there. */
void fmi_qemu_bank_init(struct fmi_flash *f);
/* As fmi_lanes_write() and fmi_lanes_read(). */
unsigned fmi_qemu_bank_write(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value);
uint64_t fmi_qemu_bank_read(struct fmi_flash *f, uint64_t off, unsigned size);
void fmi_qemu_bank_reset(struct fmi_flash *f, enum fm_reset_kind kind);
/* The clock is at f->part.now_ns. */
void fmi_qemu_bank_tick(struct fmi_flash *f);
/* Was the sector at `off` named by a 30 that is not over? */
bool fmi_qemu_bank_marked(const struct fmi_flash *f, uint64_t off);
void fmi_qemu_bank_save(const struct fmi_flash *f, struct fm_state_writer *w);
/* Into *out. False: no bank saves that; fmi_qemu_amd_valid() says the rest, once marks are read. */
bool fmi_qemu_bank_get(const struct fmi_flash *f, struct fm_state_reader *r,
		       struct fmi_qemu_amd *out);

/* --- array: the cells -------------------------------------------------------------------------- */

/* The data bits of a set of chips on the bank's bus. */
uint64_t fmi_array_lanes(const struct fmi_flash *f, fmi_chips chips);
/* Which of the chips refuse to change the block that contains `off`. */
fmi_chips fmi_array_locked(const struct fmi_flash *f, fmi_chips chips, uint64_t off);
uint8_t fmi_array_lock_status(const struct fmi_flash *f, unsigned chip, uint64_t off);
/* The mark of a chip's part of a block; and setting it, with f->locked kept right. */
uint8_t fmi_array_mark(const struct fmi_flash *f, unsigned chip, uint32_t number);
void fmi_array_set_mark(struct fmi_flash *f, unsigned chip, uint32_t number, uint8_t mark);
/* WP# is low: what was locked down is locked, whatever was done while it was high. */
void fmi_array_hold_down(struct fmi_flash *f);
/* FMI_ACTION_LOCK, UNLOCK, LOCK_DOWN of Intel chips. */
void fmi_array_lock(struct fmi_flash *f, fmi_chips chips, uint64_t off, enum fmi_action how,
		    fmi_chips *refused);

/*
 * Operations of a set of chips, locks or not. Those that fail are added to *failed. `off` is a bank
 * word (for erase: anywhere in the block). Effects.
 */
unsigned fmi_array_program(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data,
			   fmi_chips *failed);
unsigned fmi_array_erase(struct fmi_flash *f, fmi_chips chips, uint64_t off, fmi_chips *failed);
/* Every block of those chips but the locked ones; those that are queued, which they are then not. */
unsigned fmi_array_erase_chips(struct fmi_flash *f, fmi_chips chips, fmi_chips *failed);
unsigned fmi_array_erase_queued(struct fmi_flash *f, fmi_chips chips, fmi_chips *failed);
/* Blocks of a chip that are queued; the chips queue the block that contains `off`, or none. */
uint32_t fmi_array_queued(const struct fmi_flash *f, unsigned chip);
void fmi_array_queue(struct fmi_flash *f, fmi_chips chips, uint64_t off);
void fmi_array_forget_queue(struct fmi_flash *f, fmi_chips chips);
/* Program [lo, hi) of the buffers to the same place behind `window`; the buffers are then empty. */
unsigned fmi_array_program_buffer(struct fmi_flash *f, fmi_chips chips,
				  const struct fmi_buffer *held, fmi_chips *failed);
/* Hold the `bytes` (a mask) of a word for later, and forget what is held in [lo, hi). */
void fmi_array_buffer_put(struct fmi_flash *f, fmi_chips chips, uint32_t at, uint64_t data,
			  uint64_t bytes);
void fmi_array_buffer_drop(struct fmi_flash *f, fmi_chips chips, uint32_t lo, uint32_t hi);
/*
 * For a bank that is one state machine: program `size` bytes; hold all that the cells have behind
 * `window`; program what is held there.
 */
unsigned fmi_array_store(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t data);
void fmi_array_open_window(struct fmi_flash *f, uint64_t window);
unsigned fmi_array_store_window(struct fmi_flash *f, uint64_t window);
/* Tell of a program that was done elsewhere. Effects. */
unsigned fmi_array_told(struct fmi_flash *f, uint64_t off, unsigned size, bool changed);
/* Cells and buffers FF, locks or not; the dirty log and the medium stream are told. */
unsigned fmi_array_sanitize(struct fmi_flash *f);

/* --- health: wear and failures ------------------------------------------------------------------ */

/* f->health from the config, or NULL where that has none. FM_ERR_ARG, FM_ERR_NOMEM. */
int fmi_health_init(struct fmi_flash *f, const struct fm_flash_health *cfg, const char *name,
		    struct fm_error *err);
void fmi_health_free(struct fmi_health *health);
/* Which of the chips fail in the program or the erase that is to be done now. Counts it. */
fmi_chips fmi_health_program(struct fmi_flash *f, fmi_chips chips, uint64_t off);
fmi_chips fmi_health_erase(struct fmi_flash *f, fmi_chips chips, uint32_t block);
/* Bits of the byte at `off` that a program cannot clear, and that an erase cannot set. */
uint8_t fmi_health_ones(const struct fmi_flash *f, uint64_t off);
uint8_t fmi_health_zeros(const struct fmi_flash *f, uint64_t off);
/* The next byte in [off, end) with stuck bits, or `end`. */
uint64_t fmi_health_next_zeros(const struct fmi_flash *f, uint64_t off, uint64_t end);
/* Erases of a block so far. */
uint32_t fmi_health_count(const struct fmi_flash *f, uint32_t block);
void fmi_health_save(const struct fmi_flash *f, struct fm_state_writer *w);
/* Into health of the same bank; an overrun of `r` shows later. */
void fmi_health_load(struct fmi_flash *f, struct fm_state_reader *r);
/* Bytes that fmi_health_save() puts. */
uint64_t fmi_health_saved_len(const struct fmi_flash *f);

/* --- registers: what is non-volatile beside the array --------------------------------------------- */

/* How many bytes. */
uint64_t fmi_registers_len(enum fm_flash_set set, const struct fmi_geometry *geo);
/* From the config's block, or memory of our own. FM_ERR_ARG, FM_ERR_NOMEM. */
int fmi_registers_init(struct fmi_flash *f, const struct fm_flash_config *cfg, const char *name,
		       struct fm_error *err);
/* What the factory does once, to fresh registers: its number, and the lock on it. */
void fmi_registers_factory(struct fmi_flash *f, uint64_t unique);
/* All of it as it was saved. */
void fmi_registers_load(struct fmi_flash *f, const uint8_t *bytes);
/* Marks as after a reset: what persists, and what reset locks. */
void fmi_registers_reset_marks(struct fmi_flash *f);
/* A word of the protection registers, by its read-ID word; of the secured silicon sector, by word. */
uint16_t fmi_registers_read(const struct fmi_flash *f, unsigned chip, uint64_t word);
uint32_t fmi_registers_secured(const struct fmi_flash *f, unsigned chip, uint64_t off);
/* What AMD's protection sets show. */
uint32_t fmi_registers_protection(const struct fmi_flash *f, unsigned chip, uint64_t off);
/* Which chips refuse to program the word at the bank word `off`. */
fmi_chips fmi_registers_locked(const struct fmi_flash *f, fmi_chips chips, uint64_t off);
/* Program it; those that have no such word fail. */
void fmi_registers_program(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data,
			   fmi_chips *failed);
/* FMI_ACTION_PROTECT and UNPROTECT. */
void fmi_registers_protect(struct fmi_flash *f, fmi_chips chips, uint64_t off, uint64_t data);
void fmi_registers_unprotect(struct fmi_flash *f, fmi_chips chips);
/* A lock bit that persists: locked, or open in every block. */
void fmi_registers_store_lock(struct fmi_flash *f, unsigned chip, uint32_t number, bool locked);

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

/*
 * Do the quirks go together, and with this geometry and the rest of the config? FM_ERR_ARG: the quirk
 * is named.
 */
int fmi_quirks_check(const struct fm_flash_config *cfg, const struct fmi_geometry *geo,
		     const char *name, struct fm_error *err);

/* --- saved state --------------------------------------------------------------------------------- */

void fmi_flash_save(struct fmi_flash *f, struct fm_state_writer *w);
int fmi_flash_load(struct fmi_flash *f, struct fm_state_reader *r, struct fm_error *err);

#endif
