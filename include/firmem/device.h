/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device: what the guest talks to. A device does not know its address; a space (or the host's own
 * address map) does. One small set of verbs serves all of them, the library's own and the host's.
 *
 * Threads: one device, one thread at a time. Different devices are independent. Where several
 * threads reach a device through a space, give the space FM_SPACE_LOCK_DEVICES, and take
 * fm_dev_lock() around your own calls.
 *
 * Inside a verb (read, write, tick, reset ...) a device changes no map and makes no access through a
 * space: it notes what is to be done, and the host does it once the verb has returned. A DMA engine
 * moves its data in tick() or pump() of the host's loop, outside its own lock. A locked device that
 * is reached again by the thread that is inside it answers with FM_EFF_FAULT.
 *
 * Time: a device knows only what fm_dev_tick() told it. A host calls that when
 * fm_dev_next_deadline_ns() has come, before the guest's next access.
 */
#ifndef FIRMEM_DEVICE_H
#define FIRMEM_DEVICE_H

#include <firmem/base.h>
#include <firmem/medium.h>
#include <firmem/state.h>
#include <firmem/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_block;
struct fm_dev;

/* Why a reset happens. What it does to blocks is the reset policy's; to devices, fm_dev_reset's. */
enum fm_reset_kind {
	FM_RESET_POWER_ON = 0, /* power was applied */
	FM_RESET_SYSTEM,       /* guest or host asked; triple fault; watchdog */
	FM_RESET_S3,           /* resume from suspend to RAM */
	FM_RESET_KEXEC,        /* a guest kernel starts another */
	FM_RESET_SNAPSHOT,     /* a snapshot is being loaded */
	FM_RESET_CONFIDENTIAL, /* an encrypted guest is built anew */
	FM_RESET_COUNT
};

enum fm_map_prot {
	FM_MAP_READ = 1 << 0,
	FM_MAP_WRITE = 1 << 1,
	FM_MAP_EXEC = 1 << 2,
};

enum fm_map_flag {
	FM_MAP_STABLE = 1 << 0,    /* never changes while the device lives: plain memory */
	FM_MAP_HINT_TRAP = 1 << 1, /* mappable, but it changes so often that trapping is cheaper */
};

/*
 * How the host may map the part of a device around an offset. `prot` is what needs no trap; an
 * access kind that is not in it goes to fm_dev_read() or fm_dev_write(). `block` says where the
 * contents live even where prot is 0, and is NULL where there are none (registers).
 */
struct fm_mapping {
	uint64_t off;   /* first byte of the run, within the device */
	uint64_t len;   /* bytes of the run; the answer is the same for all of it */
	unsigned prot;  /* enum fm_map_prot */
	unsigned flags; /* enum fm_map_flag */
	struct fm_block *block;
	uint64_t block_off; /* where `off` is in the block */
};

/* What describe() tells, one property at a time; `key` is lower-case words joined by '_'. */
struct fm_visitor {
	void *ctx;
	void (*u64)(void *ctx, const char *key, uint64_t value);
	void (*text)(void *ctx, const char *key, const char *value);
};

/*
 * The verbs of a device. Any but `type` may be NULL: reads give zero, writes are dropped, there is
 * no mapping, nothing to tick, flush, save ...
 *
 * The library guarantees that off + size stays inside the device's length, that size is 1, 2, 4 or
 * 8 and at most max_access, and that only one thread is inside (see above). `value` is as on a
 * little-endian bus: the byte at the lowest address is the least significant. Bits above `size`
 * bytes are zero on write and ignored on read.
 */
struct fm_dev_ops {
	size_t struct_size;  /* sizeof(struct fm_dev_ops) */
	const char *type;    /* "cfi-flash-intel"; names the layout of the saved state */
	uint32_t version;    /* of the saved body's layout */
	unsigned max_access; /* widest access in bytes: 1, 2, 4, 8; 0 = 8. Wider ones are split, low
				address first */
	/*
	 * An access. Return effects. A debug read changes nothing that a guest could see; a debug
	 * write at most the bytes it names, where they are memory that the guest could write.
	 */
	unsigned (*read)(void *state, uint64_t off, unsigned size, uint64_t *value,
			 struct fm_attrs attrs);
	unsigned (*write)(void *state, uint64_t off, unsigned size, uint64_t value,
			  struct fm_attrs attrs);
	/* Describe the run that contains `off`; all of *out is zero on entry. */
	void (*map)(void *state, uint64_t off, struct fm_mapping *out);
	/* The host's clock is at `now_ns` (never backwards). Return effects. */
	unsigned (*tick)(void *state, uint64_t now_ns);
	/* When tick() wants to be called; FM_NEVER when it does not care. */
	uint64_t (*next_deadline_ns)(void *state);
	/* Do background work on this thread, for hosts without any. Return effects. */
	unsigned (*pump)(void *state);
	/* Everything the guest was told is done is durable when this returns 0. May block. */
	int (*flush)(void *state, struct fm_error *err);
	/* Back to the power-on state of its registers and state machine; contents are kept. */
	unsigned (*reset)(void *state, enum fm_reset_kind kind);
	/* Destroy the contents for good, also non-volatile ones (FF for flash, 0 for memory). */
	int (*sanitize)(void *state, struct fm_error *err);
	/* Put the state machine, not the contents of blocks. */
	void (*save)(void *state, struct fm_state_writer *w);
	/* Check everything first, then change the device: on failure it is as it was. */
	int (*load)(void *state, struct fm_state_reader *r, struct fm_error *err);
	void (*describe)(void *state, const struct fm_visitor *v);
	/* Last call: free `state`. */
	void (*free)(void *state);
	/*
	 * Bring the pristine contents of its block back (a ROM). Return effects; *written counts the
	 * bytes that differed. A device that has this verb leaves it to the reset policy when that
	 * happens: fm_reset_apply() does not call its reset().
	 */
	unsigned (*reload)(void *state, uint64_t *written);
	/* With reload: are they there? If not, *at is the first offset that differs. */
	bool (*pristine)(void *state, uint64_t *at);
};

struct fm_dev_config {
	size_t struct_size; /* sizeof(struct fm_dev_config) */
	const char *name;   /* copied; at most 63 bytes; must be given */
	uint64_t len;       /* bytes the device decodes; not 0 */
};

/*
 * Make a device out of verbs and a state. For hosts' own devices; the library's have their own
 * constructors (fm_ram_new, fm_rom_new, fm_flash_new). On success the device owns `state` (ops->free
 * is called by fm_dev_free); on failure it stays the caller's. `ops` is copied, but the pointer
 * itself is what fm_dev_state() asks for, and `type` must outlive the device.
 * FM_ERR_ARG, FM_ERR_NOMEM.
 */
FM_API int fm_dev_new(struct fm_dev **out, const struct fm_dev_ops *ops, void *state,
		      const struct fm_dev_config *cfg, struct fm_error *err);

/*
 * Free. Flush first to hear of failures: a device may or may not do it here. NULL is fine. No window
 * or view may refer to it any more. A device that a machine owns is freed by the machine.
 */
FM_API void fm_dev_free(struct fm_dev *dev);

/* The name it was given and the type of its verbs. Borrowed; constant. Any thread. */
FM_API const char *fm_dev_name(const struct fm_dev *dev);
FM_API const char *fm_dev_type(const struct fm_dev *dev);
FM_API uint64_t fm_dev_len(const struct fm_dev *dev); /* bytes */
/* The state given to fm_dev_new if the device has just these verbs, else NULL. */
FM_API void *fm_dev_state(const struct fm_dev *dev, const struct fm_dev_ops *ops);

/* Serialise calls to a device between threads. Not recursive. */
FM_API void fm_dev_lock(struct fm_dev *dev);
FM_API void fm_dev_unlock(struct fm_dev *dev);

/*
 * One guest access of 1, 2, 4 or 8 bytes at `off`, aligned or not. Another size, or a range that
 * leaves the device, is FM_EFF_FAULT: *value then reads all ones (of `size` bytes; of 8 for a
 * wrong size) and nothing changes. Returns effects. Does not block unless the device's own
 * documentation says so; does not allocate.
 */
FM_API unsigned fm_dev_read(struct fm_dev *dev, uint64_t off, unsigned size, uint64_t *value,
			    struct fm_attrs attrs);
FM_API unsigned fm_dev_write(struct fm_dev *dev, uint64_t off, unsigned size, uint64_t value,
			     struct fm_attrs attrs);

/* How the device may be mapped around `off`. FM_ERR_RANGE. */
FM_API int fm_dev_map(struct fm_dev *dev, uint64_t off, struct fm_mapping *out);
/* Counts up whenever an access, tick, reset or load returned FM_EFF_REMAP. Any thread. */
FM_API uint64_t fm_dev_map_generation(const struct fm_dev *dev);

/* Tell it the time on the host's clock, which never goes back. Returns effects. */
FM_API unsigned fm_dev_tick(struct fm_dev *dev, uint64_t now_ns);
/* Nanoseconds on the clock that tick() is given; FM_NEVER when there is nothing to wait for. */
FM_API uint64_t fm_dev_next_deadline_ns(struct fm_dev *dev);
FM_API unsigned fm_dev_pump(struct fm_dev *dev);
/* 0 when everything is durable. FM_ERR_IO, FM_ERR_NOSPACE. Blocks. */
FM_API int fm_dev_flush(struct fm_dev *dev, struct fm_error *err);
FM_API unsigned fm_dev_reset(struct fm_dev *dev, enum fm_reset_kind kind);
/*
 * FM_ERR_UNSUPPORTED where the device has no contents. The mapping may have changed: as after
 * FM_EFF_REMAP. Blocks.
 */
FM_API int fm_dev_sanitize(struct fm_dev *dev, struct fm_error *err);
/* *out is malloc'd and the caller's to free(). FM_ERR_NOMEM, FM_ERR_UNSUPPORTED. */
FM_API int fm_dev_save(struct fm_dev *dev, void **out, size_t *len, struct fm_error *err);
/*
 * Restore. FM_ERR_FORMAT, FM_ERR_CHECKSUM, FM_ERR_VERSION: the device is as it was. On success the
 * mapping may have changed: as after FM_EFF_REMAP.
 */
FM_API int fm_dev_load(struct fm_dev *dev, const void *bytes, size_t len, struct fm_error *err);
FM_API void fm_dev_describe(struct fm_dev *dev, const struct fm_visitor *v);

/*
 * What happened outside an access (a background flush that failed). The descriptor is readable
 * while there are pending effects; -1 where the host has no eventfd. Borrowed; made on first use.
 */
FM_API int fm_dev_event_fd(struct fm_dev *dev);
/* Take the pending effects; the descriptor is quiet again. Any thread. */
FM_API unsigned fm_dev_pending(struct fm_dev *dev);
/*
 * The device's sticky host error: 0 when there is none, else its code, with *err filled. It stays
 * until a flush succeeds. Any thread.
 */
FM_API int fm_dev_error(struct fm_dev *dev, struct fm_error *err);

/* For devices: make effects pending (wakes the descriptor); with an error, make that sticky. */
FM_API void fm_dev_raise(struct fm_dev *dev, unsigned effects, const struct fm_error *error);
/* For devices: the sticky error is over. */
FM_API void fm_dev_clear_error(struct fm_dev *dev);

#ifdef __cplusplus
}
#endif

#endif
