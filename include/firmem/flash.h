/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flash: a bank of parallel NOR flash chips that answer the Common Flash Interface (JEDEC JESD68.01,
 * JEP137), with the Intel/Sharp (0x0001) or the AMD/Fujitsu (0x0002) command set. docs/flash.md says
 * what each command does in each state.
 *
 * A bank of `bank_width` bytes is made of bank_width / chip_width interleaved chips, each with its
 * own state machine; chip 0 is on the lanes of the lowest addresses. An access wider than the bank is
 * several cycles, low address first; an unaligned one is narrow pieces. While all chips are in
 * read-array mode the bank maps as memory to read and execute; the first command turns it into a
 * trapped window, and back (FM_EFF_REMAP exactly when it turns). FM_EFF_DIRTY is returned exactly
 * when an access changed bytes of the array.
 *
 * A debug read shows the array in every mode; a debug write is FM_EFF_FAULT and changes nothing.
 */
#ifndef FIRMEM_FLASH_H
#define FIRMEM_FLASH_H

#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/fdt.h>
#include <firmem/io.h>
#include <firmem/write_behind.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_FLASH_REGIONS 4u
#define FM_FLASH_CHIPS 8u

enum fm_flash_set {
	FM_FLASH_INTEL = 0,      /* Intel/Sharp, extended: primary command set 0x0001 */
	FM_FLASH_AMD,            /* AMD/Fujitsu, 0x0002 */
	FM_FLASH_INTEL_STANDARD, /* Intel, standard: 0x0003 in the query table, else as 0x0001 */
};

/* How long programs and erases take. */
enum fm_flash_time {
	/* Nothing: each is over at its last cycle. For emulators: some drivers never poll. */
	FM_FLASH_TIME_INSTANT = 0,
	/* The query table's typical times, or its maxima, on the clock that fm_dev_tick() tells. */
	FM_FLASH_TIME_TYPICAL,
	FM_FLASH_TIME_MAXIMUM,
};

/* The times as the query table has them: powers of two. 0 = the default in brackets. */
struct fm_flash_times {
	uint8_t word_us;       /* a word takes 2^n us typically [7] */
	uint8_t buffer_us;     /* a write buffer [7] */
	uint8_t erase_ms;      /* a block: 2^n ms [10] */
	uint8_t chip_erase_ms; /* AMD [erase_ms and the blocks' number] */
	/* The maximum is 2^n times the typical time [4 each]. */
	uint8_t word_max;
	uint8_t buffer_max;
	uint8_t erase_max;
	uint8_t chip_erase_max;
};

/*
 * What chips of a part lack or do otherwise than the default. No bit: Intel's have suspend, write
 * buffer, block locks that are volatile and open after reset, lock-down, protection registers and
 * the read configuration register (28F256P30); AMD's suspend, write buffer, unlock bypass, status
 * register, sector protection, secured silicon sector (S29GL-S).
 */
enum fm_flash_trait {
	FM_FLASH_NO_SUSPEND = 1 << 0,
	FM_FLASH_NO_BUFFER = 1 << 1,
	/* Intel: 60 is no command. AMD: no sector protection by command. */
	FM_FLASH_NO_PROTECTION = 1 << 2,
	FM_FLASH_NO_LOCK_DOWN = 1 << 3, /* Intel: 60/2F is a wrong sequence */
	/* Intel: protection registers. AMD: secured silicon sector, lock register. */
	FM_FLASH_NO_REGISTERS = 1 << 4,
	FM_FLASH_NO_CONFIGURATION = 1 << 5, /* Intel: 60/03 is a wrong sequence */
	FM_FLASH_NO_BYPASS = 1 << 6,        /* AMD: unlock bypass */
	FM_FLASH_NO_STATUS = 1 << 7,        /* AMD: the status register, 70 and 71 */
	/* Intel: lock bits persist (in `registers`), and one 60/D0 opens all blocks. */
	FM_FLASH_LOCKS_PERSIST = 1 << 8,
	FM_FLASH_LOCKED_AT_RESET = 1 << 9, /* Intel: every block is locked after reset */
	FM_FLASH_WP_FIRST = 1 << 10,       /* AMD: WP# low protects the first sector */
	FM_FLASH_WP_LAST = 1 << 11,        /* AMD: the last */
};

/* The levels of a bank's pins; no bit: WP# low, VPP as it should be. */
enum fm_flash_pin {
	/* WP# high: Intel's lock-down does not hold; AMD's outermost sector is open. */
	FM_FLASH_PIN_WP_HIGH = 1 << 0,
	/* VPP below its lockout: Intel's programs and erases fail with SR.3. */
	FM_FLASH_PIN_VPP_LOW = 1 << 1,
};

/* Bits that no longer change. */
struct fm_flash_stuck {
	uint64_t off;  /* a byte of the bank */
	uint8_t zeros; /* an erase cannot set these */
	uint8_t ones;  /* a program cannot clear these */
};

/*
 * Wear and failures; of no cost where fm_flash_config.health is NULL. An operation that fails on a
 * chip shows in that chip's status (Intel SR.4 or SR.5; AMD DQ5 and the status register); where it is
 * not a stuck bit's doing, the chip's cells stay as they were.
 */
struct fm_flash_health {
	size_t struct_size; /* sizeof(struct fm_flash_health) */
	/* Erases that a chip's part of a block takes; later ones fail on that chip. 0 = no limit. */
	uint32_t endurance;
	/* Erases that were before, a number for each block (of all its chips), or NULL. */
	const uint32_t *counts;
	const struct fm_flash_stuck *stuck;
	size_t nstuck;
	const uint32_t *bad; /* numbers of blocks on which every program and erase fails */
	size_t nbad;
	uint64_t fail_program; /* this program fails on all its chips; the first is 1; 0 = none */
	uint64_t fail_erase;   /* the same for erases of blocks */
	/* Each chip fails in so many of a million programs or erases, drawn from `seed`. */
	uint32_t program_ppm;
	uint32_t erase_ppm;
	uint64_t seed;
};

/*
 * What a write narrower than the bank does. One that does nothing is traced (FM_TRACE_IGNORED) and
 * counted. Narrow reads always show the lanes they cover.
 */
enum fm_flash_narrow {
	FM_FLASH_NARROW_IGNORE = 0, /* nothing: a bus without byte enables */
	FM_FLASH_NARROW_LANES,      /* reaches only the chips whose lanes it covers whole */
	/*
	 * As QEMU does: every chip takes the value as a command, and as data it programs only the
	 * bytes it covers.
	 */
	FM_FLASH_NARROW_BROADCAST,
};

/*
 * Where a bank departs from the datasheets, on purpose, because something that exists does. No bit:
 * the datasheet. "3.0/n" is a section of Intel's "3 Volt Intel StrataFlash Memory 28F128J3" data
 * sheet (command definitions, status register, write to buffer, block erase and lock), which each
 * bit breaks; docs/flash-differences.md lists what a guest sees.
 */
enum fm_flash_quirk {
	/* 50 clears SR.7 too, until the next operation. Datasheet: 50 clears SR.1, 3, 4, 5; SR.7 is
	   the write state machine's, which is ready (Status Register Definitions). */
	FM_FLASH_QUIRK_CLEAR_NOT_READY = 1 << 0,
	/* 50 returns to read-array. Datasheet: only FF does (Read Array Command). */
	FM_FLASH_QUIRK_CLEAR_READS_ARRAY = 1 << 1,
	/* A code that begins no command, B0 and D0 among them, returns to read-array. Datasheet: not
	   a command, no effect; B0 and D0 with nothing under way neither (Command Definitions). */
	FM_FLASH_QUIRK_UNKNOWN_READS_ARRAY = 1 << 2,
	/* A wrong second cycle returns to read-array. Datasheet: SR.4 and SR.5 are set, the status
	   is shown (Status Register Definitions, "command sequence error"). */
	FM_FLASH_QUIRK_SILENT_SEQUENCE = 1 << 3,
	/* Query mode is left by FF alone. Datasheet: by any valid command (Read Query Mode). */
	FM_FLASH_QUIRK_QUERY_STICKS = 1 << 4,
	/* The block is erased at 20. Datasheet: at the confirm, D0 (Block Erase Command). */
	FM_FLASH_QUIRK_ERASE_AT_SETUP = 1 << 5,
	/* 60/01 and 60/D0 lock nothing, 60/2F is a wrong sequence, SR.1 is never set. Datasheet:
	   locked blocks refuse (Set Block Lock-Bit, Block Erase, Program; SR.1). */
	FM_FLASH_QUIRK_NO_LOCKS = 1 << 6,
	/* The bank is one state machine: an access of up to 4 bytes is one cycle, whatever the
	   bank's width, its low byte the command, its bytes the data; an unaligned one is aligned
	   pieces, one of 8 bytes two; reads of status, codes and query are right-justified in the
	   access, and count from the start of the bank. `narrow` has no effect. Datasheet: a chip sees
	   its data lines (Bus Operations). Needs bank_width up to 4, and one of
	   BUFFER_FROM_COUNT, BUFFER_DIRECT and BUFFER_FROM_DATA. */
	FM_FLASH_QUIRK_ONE_STATE = 1 << 7,
	/* The write buffer lies where the count was written; a word elsewhere sets SR.4 and is
	   dropped; the confirm fails, back to read-array, while SR.4 is set from whenever. Datasheet:
	   the first data word's address is the start (Write to Buffer). Needs ONE_STATE. */
	FM_FLASH_QUIRK_BUFFER_FROM_COUNT = 1 << 8,
	/* Any count is taken. Datasheet: at most the buffer's words, else SR.4 and SR.5 (Write to
	   Buffer). Needs ONE_STATE. */
	FM_FLASH_QUIRK_COUNT_UNBOUNDED = 1 << 9,
	/* Programming stores: bits become 1 again. Datasheet: it makes zeros only, erase makes ones
	   (Program). Needs ONE_STATE. */
	FM_FLASH_QUIRK_OVERWRITE = 1 << 10,
	/* The query table of QEMU: extension 1.0 without features, x8/x16, 5 V, buffer of 256 bytes
	   (bank_width 1) or 2 KiB a chip; one region. AMD: extension 1.0, erase suspend, no buffer;
	   needs QEMU_AMD. Datasheet: of the part (Query Structure). */
	FM_FLASH_QUIRK_QEMU_TABLE = 1 << 11,
	/* As QEMU's boards that do not say what chips the bank is made of: status on D0-D7 and
	   D16-D23, both codes in one word, query bytes on the lowest lane, both repeating every 256
	   bytes. Datasheet: each chip drives its lanes. Needs ONE_STATE and chip_width ==
	   bank_width. */
	FM_FLASH_QUIRK_NO_CHIP_WIDTH = 1 << 12,
	/* The codes read 0. Datasheet: manufacturer and device code (Read Identifier Codes). */
	FM_FLASH_QUIRK_NO_CODES = 1 << 13,
	/* AMD set: the bank is QEMU's one state machine, with its pieces of up to 4 bytes, its timer,
	   and erases that take 512 us a sector at the host's clock (fm_dev_tick()). docs/flash.md has
	   its rules. Datasheet: chips (Am29LV160D, command definitions and write operation status).
	   Needs chip_width == bank_width of at most 4; goes with no time, traits, health, pins,
	   registers or big_endian. */
	FM_FLASH_QUIRK_QEMU_AMD = 1 << 14,
	/* The words of a buffer are programmed as they come, wherever they lie; the confirm, or another
	   code in its place, changes nothing any more. Unverified: of QEMU 7.2.0, which is not at hand.
	   Datasheet: at the confirm (Write to Buffer). Needs ONE_STATE. */
	FM_FLASH_QUIRK_BUFFER_DIRECT = 1 << 15,
	/* As BUFFER_FROM_COUNT, but the first data word says where the buffer lies, if more are to
	   come: a buffer of one word sets SR.4, and its confirm fails. Unverified: of QEMU after May
	   2024, which is not at hand. Datasheet: a count of 0 is one word (Write to Buffer). Needs
	   ONE_STATE. */
	FM_FLASH_QUIRK_BUFFER_FROM_DATA = 1 << 16,
};

/* A run of erase blocks ("sectors") of one size. */
struct fm_flash_region {
	/* Bytes of a block of the bank, the chips' blocks side by side: 256 to 65535 * 256 a chip. */
	uint64_t block_len;
	uint32_t count; /* blocks; 1 to 65536 */
};

struct fm_flash_config {
	size_t struct_size;     /* sizeof(struct fm_flash_config) */
	const char *name;       /* of the device; NULL = the block's name */
	struct fm_block *block; /* the array; borrowed; outlives the device; its length is the
				   sum of the regions */
	enum fm_flash_set set;
	unsigned bank_width; /* bytes: 1, 2, 4, 8; 0 = 4 */
	unsigned chip_width; /* bytes: 1, 2, 4, at most bank_width; 0 = min(2, bank_width) */
	struct fm_flash_region regions[FM_FLASH_REGIONS]; /* lowest address first */
	unsigned nregions;                                /* 0 = one region of 256 KiB blocks */
	enum fm_flash_narrow narrow;
	/*
	 * Bytes of the bank's write buffer: a power of two that divides every block, at most 65536
	 * words of a chip (256 where chip_width is 1); with ONE_STATE at least 4.
	 * 0 = 1024 a chip, or the most that fits.
	 */
	uint32_t buffer_len;
	uint16_t manufacturer; /* 0 = 0x0089, Intel; 0x0001, AMD */
	uint16_t device_id;    /* 0 = 0x0018; 0x227e of AMD chips */
	bool read_only;        /* every block is locked for good; the image is only read */
	/*
	 * The image that persists the array, the same length as the block. It is read into the block
	 * here, and what programs and erases change goes to it by way of a journal (`mode` below,
	 * write_behind.h); after fm_dev_flush() it holds what the array holds. While it is open nobody
	 * else can write it, QEMU included. Neither `image` nor `image_fd`: the array starts as what
	 * the block holds (factory-fresh chips are FF), and persists if the block does.
	 */
	const char *image;
	bool use_image_fd; /* `image_fd` instead of `image` */
	int image_fd;      /* duplicated; the caller keeps its own */
	bool create; /* make the image, all FF, when it is absent; never over an existing file */
	const struct fm_io *io; /* NULL = fm_io_posix() */
	/* AMD: autoselect words 0E and 0F. 0 = 0x2222 and 0x2201 where device_id is 0 too, else 0. */
	uint16_t extended_id[2];
	/*
	 * AMD, chip_width 1: x8/x16 chips that are wired for 8 bits. They unlock at AAA and 555 and
	 * count codes and the query table in words of 16 bits. Without it chips of 8 bits unlock at
	 * 555 and 2AA.
	 */
	bool byte_mode;
	unsigned quirks; /* enum fm_flash_quirk, or'ed; see fm_flash_profile() */
	unsigned traits; /* enum fm_flash_trait, or'ed; see fm_flash_part() */
	enum fm_flash_time time;
	struct fm_flash_times times;
	/*
	 * Chips whose D0-D7 are on the highest address of their lanes, as on a big-endian bus: commands,
	 * status, codes and query bytes are there; contents keep their addresses. Not with ONE_STATE.
	 */
	bool big_endian;
	/*
	 * Writes that are not secure (struct fm_attrs) are FM_EFF_FAULT and reads that are not show the
	 * array, in every mode.
	 */
	bool secure_only;
	unsigned pins; /* enum fm_flash_pin, or'ed; see fm_flash_set_pins() */
	const struct fm_flash_health *health; /* copied; NULL = nothing wears or fails */
	/*
	 * What is non-volatile beside the array: protection registers, lock bits that persist. Borrowed;
	 * outlives the device; fm_flash_registers_len() bytes; FF is factory-fresh. NULL = kept in the
	 * device and its saved state only.
	 */
	struct fm_block *registers;
	uint64_t unique; /* Intel: the chips' factory-programmed number, in fresh registers */
	/* How the image is written: the fields of these names of struct fm_write_behind_config. */
	enum fm_write_mode mode;
	uint64_t interval_ns;
	const char *journal;
	bool use_journal_fd;
	int journal_fd;
	uint64_t journal_len;
	struct fm_worker *worker;
	bool deferred;
	/*
	 * While the image or its journal cannot be written (fm_dev_error(), until a flush succeeds)
	 * programs and erases fail on the chips and change nothing: Intel SR.4 or SR.5, AMD DQ5.
	 */
	bool fail_guest;
};

/*
 * A bank in its power-on state: read-array, all blocks unlocked. Errors name the field or the file:
 * FM_ERR_ARG (impossible geometry), FM_ERR_SIZE (the image's size against the bank's),
 * FM_ERR_ACCESS (image not writable and not read_only), FM_ERR_LOCKED (another opener),
 * FM_ERR_NOT_FOUND, FM_ERR_NOSPACE (a new image or journal), FM_ERR_IO, FM_ERR_NOMEM, and of the
 * journal what fm_write_behind_open() says. After a failure a new image is gone again; the block may
 * hold part of one that was there. Blocks; allocates.
 *
 * An image that cannot be written: FM_EFF_IOERR is pending (fm_dev_event_fd()), or returned by an
 * access that the journal has no room for; fm_dev_error() explains, the guest sees success and the
 * array keeps its data. fm_dev_flush() writes again what failed.
 *
 * fm_dev_reset(): read-array, status and buffer clear, locks open, for every kind but kexec, which
 * pulls no reset line and changes nothing. What was under way is given up, its cells as they were (a
 * chip would leave them undefined). fm_dev_sanitize() resets and makes the array and the image FF, locks
 * or not, not the registers, and leaves nothing of the old contents in the journal
 * (fm_write_behind_scrub()); FM_ERR_ACCESS on a read-only bank.
 * After a reset what was programmed is durable; fm_dev_free() writes everything to the image first.
 *
 * With `time` a program or erase changes the array, and is told, when fm_dev_tick() finds it over.
 *
 * The mapping has FM_MAP_HINT_TRAP while the bank turned to and from read-array often and was read
 * little between; FM_EFF_REMAP tells when that ends, too.
 *
 * fm_dev_save() holds the chips' states, what is under way, buffers, locks, registers, counters and
 * the clock, not the array. After fm_dev_load() call fm_dev_flush() once the block has its contents:
 * it writes the whole image.
 */
FM_API int fm_flash_new(struct fm_dev **out, const struct fm_flash_config *cfg,
			struct fm_error *err);

/*
 * Set cfg->quirks and cfg->narrow as the profile of that name has them, and fields of the geometry that
 * are 0 as it wants them; fill in cfg->struct_size and cfg->set first, everything else before or after.
 * Profiles:
 *
 * datasheet      no quirk; what a config of zeros is
 * virt           the banks of QEMU's "virt" machine as U-Boot finds them whole: no quirk, 2 x 16 bits,
 *                narrow writes ignored
 * ovmf           the flash driver of OVMF for x86 and of coreboot finds it: 50 leaves a status of 0x00;
 *                8 bits wide
 * qemu-7.2       QEMU 7.2.22's cfi.pflash01 with a device-width ("virt" machines); its cfi.pflash02 of
 *                the AMD set, chip_width as bank_width
 * qemu-7.2-board the same without a device-width and without codes (x86 "pc", most older boards)
 * qemu-old       QEMU 7.2.0: as qemu-7.2, but buffered words go to the array as they come. Unverified
 * qemu-new       QEMU after May 2024: as qemu-7.2, but the first data word opens the buffer, and one of a
 *                single word fails. Unverified; both are of the Intel set, of AMD as qemu-7.2
 *
 * FM_ERR_ARG: no such profile; the message offers the nearest names.
 */
FM_API int fm_flash_profile(const char *name, struct fm_flash_config *cfg, struct fm_error *err);
/*
 * Set what fm_flash_new() needs of a part: set, chip_width, regions, buffer_len, codes, times and
 * traits; bank_width where it is 0. cfg->block's length is the part's, times the chips side by side.
 * Fill in cfg->struct_size first. docs/flash.md lists the parts, and which of their figures could
 * not be confirmed. FM_ERR_ARG: no such part, the nearest names are offered; or a bank_width that
 * the part cannot make.
 */
FM_API int fm_flash_part(const char *name, struct fm_flash_config *cfg, struct fm_error *err);
/* The n-th part's name, "28F128J3", NULL after the last. Any thread. */
FM_API const char *fm_flash_part_name(unsigned n);
/* Bytes that fm_flash_config.registers has to have. FM_ERR_ARG as fm_flash_new(). Any thread. */
FM_API int fm_flash_registers_len(const struct fm_flash_config *cfg, uint64_t *len,
				  struct fm_error *err);
/* The n-th profile's name, NULL after the last. Any thread. */
FM_API const char *fm_flash_profile_name(unsigned n);
/* The name of one quirk bit in lower case, "clear-not-ready"; NULL for anything else. Any thread. */
FM_API const char *fm_flash_quirk_name(unsigned quirk);

/*
 * The pins' levels from now on (enum fm_flash_pin, or'ed). What is under way goes on; what was locked
 * down and opened while WP# was high is locked when it is low [P30]. FM_ERR_ARG if `dev` is not a
 * flash or a bit is unknown.
 */
FM_API int fm_flash_set_pins(struct fm_dev *dev, unsigned pins);
/*
 * Erases of block number `block` so far, failed ones too, of the chip that has most; with health. FM_ERR_ARG if `dev`
 * is not a flash, FM_ERR_RANGE, FM_ERR_UNSUPPORTED without health.
 */
FM_API int fm_flash_erase_count(struct fm_dev *dev, uint32_t block, uint32_t *out);

/* Counters since the device was made; for tools and tests. */
struct fm_flash_stats {
	uint64_t programs; /* program operations (a buffer is one) */
	uint64_t program_bytes;
	uint64_t erases;         /* blocks */
	uint64_t array_entries;  /* returns to read-array */
	uint64_t ignored_writes; /* narrow writes that had no effect */
	uint64_t host_writes;    /* writes to the image, failed ones too */
	uint64_t host_bytes;     /* bytes of those that succeeded, and of the journal's syncs */
	uint64_t refused;        /* programs, erases and locks of locked blocks, by each chip */
	uint64_t failed;         /* programs and erases that failed on a chip, by each chip */
	uint64_t suspends;       /* operations suspended, by each chip */
	uint64_t map_turns;      /* how often the bank turned to or from read-array */
};
/* FM_ERR_ARG if `dev` is not a flash. */
FM_API int fm_flash_stats(struct fm_dev *dev, struct fm_flash_stats *out);
/*
 * How the image is written: for statistics, and to hand an image over. Borrowed, for as long as the
 * device lives; telling it of changes is the bank's. NULL: not a flash, or no image.
 */
FM_API struct fm_write_behind *fm_flash_image(struct fm_dev *dev);

/*
 * A struct fm_fdt_binding's build() for "cfi-flash": one bank for each reg entry, its block and its
 * device named "flash@ADDRESS", FF, without an image. "bank-width" is read (1, 2 or 4); what the
 * node lacks comes from the binding's ctx, a struct fm_flash_fdt_options (NULL = its defaults). The
 * machine's first bank has role flash-code, others flash-vars. FM_ERR_FORMAT (also a length that is
 * no multiple of the sector's, or banks of more than 512 MiB in all), FM_ERR_NOT_FOUND (no
 * bank-width), FM_ERR_ARG, FM_ERR_EXISTS, FM_ERR_OVERLAP, FM_ERR_RANGE, FM_ERR_NOMEM. Not in a
 * library built without libfdt.
 */
struct fm_flash_fdt_options {
	size_t struct_size;
	uint64_t sector_len; /* bytes of a bank's block; 0 = 256 KiB */
	unsigned chips;      /* chips side by side; 0 = 2 (1 where bank-width is 1) */
	enum fm_flash_narrow narrow;
	enum fm_backing backing; /* of the blocks: anonymous or memfd */
};
FM_API int fm_flash_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
			      struct fm_space *space, void *ctx, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
