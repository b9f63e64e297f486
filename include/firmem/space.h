/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space: a guest-physical address space. Windows put (parts of) devices at addresses; they are
 * flattened into an immutable *view*, a sorted list of ranges that do not overlap; *ports* carry
 * the guest's accesses through the current view.
 *
 * Threads: windows may be changed by any thread while others access through their ports. A change
 * makes a new view and swaps it in atomically: an access sees the old map or the new one, never a
 * mixture. A change asks devices for their mapping (under fm_dev_lock() with
 * FM_SPACE_LOCK_DEVICES): so never change, refresh or quiesce a space from a device's verb or with a
 * device locked, but note it and act when the access has returned. Changes wait for each other,
 * accesses for nothing.
 * Optional: an emulator with an address map of its own calls fm_dev_* directly.
 */
#ifndef FIRMEM_SPACE_H
#define FIRMEM_SPACE_H

#include <firmem/base.h>
#include <firmem/device.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_space;
struct fm_window;
struct fm_view;
struct fm_port;

enum fm_space_flag {
	FM_SPACE_LOCK_DEVICES = 1 << 0, /* take fm_dev_lock() around a device's verbs */
};

struct fm_space_config {
	size_t struct_size;    /* sizeof(struct fm_space_config) */
	const char *name;      /* copied; must be given; "memory" by custom for the CPU's */
	unsigned flags;        /* enum fm_space_flag */
	unsigned address_bits; /* 1 to 64; 0 = 64: windows must fit */
};

/* FM_ERR_ARG, FM_ERR_NOMEM. */
FM_API int fm_space_new(struct fm_space **out, const struct fm_space_config *cfg,
			struct fm_error *err);
/* Frees its windows too, not their devices. No port or held view may be left. NULL is fine. */
FM_API void fm_space_free(struct fm_space *space);
FM_API const char *fm_space_name(const struct fm_space *space);

/*
 * A window shows [dev_off, dev_off + len) of a device at `gpa`. A second window onto the same bytes
 * is an alias. Where enabled windows overlap the higher priority is seen; two enabled windows of
 * one priority must not overlap.
 */
struct fm_window_config {
	size_t struct_size; /* sizeof(struct fm_window_config) */
	const char *name;   /* copied; NULL = the device's name */
	struct fm_dev *dev; /* borrowed; outlives the window and every view that shows it */
	uint64_t gpa;       /* guest-physical address of the first byte */
	uint64_t dev_off;   /* first byte shown */
	uint64_t len;       /* bytes; 0 = the rest of the device */
	int priority;       /* higher hides lower */
	bool disabled;      /* keeps its place but is not seen */
};

/*
 * Add a window. *out (NULL allowed) is the space's. FM_ERR_ARG, FM_ERR_RANGE (leaves the device or
 * the space, or wraps: addresses named), FM_ERR_OVERLAP (both windows named), FM_ERR_NOMEM: the
 * space is as it was. Does not wait for ports.
 */
FM_API int fm_space_add(struct fm_space *space, const struct fm_window_config *cfg,
			struct fm_window **out, struct fm_error *err);
/*
 * Remove a window and free it. Accesses under way may still be in its device: call
 * fm_space_quiesce() before freeing that. FM_ERR_NOT_FOUND, FM_ERR_NOMEM.
 */
FM_API int fm_space_remove(struct fm_space *space, struct fm_window *window, struct fm_error *err);
/* Show or hide. FM_ERR_NOT_FOUND, FM_ERR_OVERLAP, FM_ERR_NOMEM. */
FM_API int fm_space_enable(struct fm_space *space, struct fm_window *window, bool on,
			   struct fm_error *err);
/* Move to another address (a BAR). FM_ERR_NOT_FOUND, FM_ERR_RANGE, FM_ERR_OVERLAP, FM_ERR_NOMEM. */
FM_API int fm_space_move(struct fm_space *space, struct fm_window *window, uint64_t gpa,
			 struct fm_error *err);

/*
 * Between begin and commit the calling thread's changes make no view; commit makes one for all.
 * Other writers wait. Overlaps are judged at commit, which on failure undoes all of them
 * (FM_ERR_OVERLAP, FM_ERR_NOMEM); windows added since begin are then gone, and windows removed
 * since begin are back. Pairs may be nested: only the outermost commit does anything.
 */
FM_API void fm_space_begin(struct fm_space *space);
FM_API int fm_space_commit(struct fm_space *space, struct fm_error *err);
/* Instead of a commit: undo everything since the outermost begin. Needs no memory. */
FM_API void fm_space_abort(struct fm_space *space);

/*
 * After an access, tick or reset returned FM_EFF_REMAP: ask the mapping of every device whose
 * fm_dev_map_generation() moved, and swap in a view with the answers. 1 when the view changed, 0
 * when not, FM_ERR_NOMEM, FM_ERR_STATE (between begin and commit).
 */
FM_API int fm_space_refresh(struct fm_space *space, struct fm_error *err);

/*
 * Wait until no access through a port uses a view older than the current one. Not from a device.
 * Views that are held (fm_space_view_get) are not waited for.
 */
FM_API void fm_space_quiesce(struct fm_space *space);

/*
 * The windows, in order of address, then of falling priority; NULL starts and ends the walk. Nobody
 * else may change the space meanwhile: walk between begin and commit where somebody could.
 */
FM_API struct fm_window *fm_space_next_window(const struct fm_space *space,
					      const struct fm_window *prev);
FM_API const char *fm_window_name(const struct fm_window *window);
FM_API struct fm_dev *fm_window_dev(const struct fm_window *window);
FM_API uint64_t fm_window_gpa(const struct fm_window *window);
FM_API uint64_t fm_window_len(const struct fm_window *window);     /* bytes */
FM_API uint64_t fm_window_dev_off(const struct fm_window *window); /* bytes */
FM_API int fm_window_priority(const struct fm_window *window);
FM_API bool fm_window_enabled(const struct fm_window *window);

/* --- views ------------------------------------------------------------------------------- */

/* A run of addresses that one window answers, with one answer of its device's map(). */
struct fm_range {
	uint64_t gpa;
	uint64_t len; /* bytes; a range may end at 2^64 */
	struct fm_dev *dev;
	uint64_t dev_off;               /* where gpa is in the device */
	struct fm_block *block;         /* where the contents live, or NULL */
	uint64_t block_off;             /* where gpa is in the block */
	uint8_t *host;                  /* the same as an address, or NULL */
	unsigned prot;                  /* enum fm_map_prot: what needs no trap */
	unsigned flags;                 /* enum fm_map_flag */
	int priority;                   /* of the window */
	const struct fm_window *window; /* for identity only: may be freed already */
};

/* Hold the current view. Release with fm_view_put(). Any thread; does not wait for changes. */
FM_API const struct fm_view *fm_space_view_get(struct fm_space *space);
/* NULL is fine. Any thread. */
FM_API void fm_view_put(const struct fm_view *view);
FM_API size_t fm_view_count(const struct fm_view *view);
/* The ranges in order of address; NULL for an index that is not below the count. */
FM_API const struct fm_range *fm_view_range(const struct fm_view *view, size_t index);
/* The range that contains `gpa`, or NULL. */
FM_API const struct fm_range *fm_view_find(const struct fm_view *view, uint64_t gpa);

/* --- what a hypervisor has to do to get from one view to another ---------------------------- */

enum fm_step_kind {
	FM_STEP_UNMAP = 1, /* [gpa, gpa + len) was mapped with `prot`, `host` */
	FM_STEP_MAP,       /* map it to `host` with `prot` */
	FM_STEP_PROTECT,   /* mapped to the same host memory, now with `prot` */
};

struct fm_step {
	enum fm_step_kind kind;
	uint64_t gpa;
	uint64_t len; /* bytes, a multiple of the page size */
	unsigned prot;
	struct fm_block *block;
	uint64_t block_off;
	uint8_t *host;
};

enum fm_diff_flag {
	/*
	 * A mapping is created and deleted only whole, as KVM's memory slots are: one that changed
	 * in any way (also only in part, or in its protection) is unmapped with its old extent and
	 * mapped anew. Without it steps may cut mappings.
	 */
	FM_DIFF_WHOLE = 1 << 0,
	/* Ranges with FM_MAP_HINT_TRAP are treated as not mappable. */
	FM_DIFF_FOLLOW_HINT = 1 << 1,
};

/*
 * The steps from `from` (NULL = nothing mapped) to `to` (NULL likewise) for pages of `page` bytes (a
 * power of two). Only whole pages that one contiguous piece of host memory backs are mapped; the
 * rest is left to trap. Host addresses are aligned as the guest addresses are, modulo a page, or
 * the pages are left to trap. Unmaps come first, then protects, then maps, each in order of
 * address. *steps is malloc'd and the caller's to free(), NULL when there are none. FM_ERR_ARG,
 * FM_ERR_NOMEM. Both views must be held.
 */
FM_API int fm_view_diff(const struct fm_view *from, const struct fm_view *to, uint64_t page,
			unsigned flags, struct fm_step **steps, size_t *count,
			struct fm_error *err);

/* --- ports ------------------------------------------------------------------------------- */

/*
 * A port is one initiator's way into a space: one for each vCPU, DMA engine or debugger. A port is
 * used by one thread at a time and does not outlive its space. An access from inside an access of
 * the same port, or (with FM_SPACE_LOCK_DEVICES) to the device that is making it, is FM_EFF_FAULT.
 * Making and freeing one: any thread. FM_ERR_NOMEM.
 */
FM_API int fm_port_new(struct fm_port **out, struct fm_space *space, struct fm_error *err);
FM_API void fm_port_free(struct fm_port *port);

/*
 * One access of 1, 2, 4 or 8 bytes. Plain memory (FM_MAP_STABLE and the right protection) is read
 * and written in place, and writes mark its block's dirty log: FM_EFF_DIRTY when that set a bit.
 * Everything else goes to its device. An access that crosses ranges is split at the border, low
 * addresses first, into naturally aligned parts. Where nothing answers: FM_EFF_FAULT, reads give
 * ones in those bytes, and the other bytes are still accessed. An access that wraps at 2^64, or of
 * another size, faults whole: reads give all ones (of `size` bytes; of 8 for a wrong size), and
 * nothing is accessed. Returns the effects of all parts.
 */
FM_API unsigned fm_port_read(struct fm_port *port, uint64_t gpa, unsigned size, uint64_t *value,
			     struct fm_attrs attrs);
FM_API unsigned fm_port_write(struct fm_port *port, uint64_t gpa, unsigned size, uint64_t value,
			      struct fm_attrs attrs);

/*
 * As above for any number of bytes; devices see accesses of at most 8 bytes, naturally aligned within
 * the device, low address first. Bytes that nothing answers read FF and make FM_EFF_FAULT.
 */
FM_API unsigned fm_port_read_bytes(struct fm_port *port, uint64_t gpa, void *buf, size_t len,
				   struct fm_attrs attrs);
FM_API unsigned fm_port_write_bytes(struct fm_port *port, uint64_t gpa, const void *buf, size_t len,
				    struct fm_attrs attrs);

#ifdef __cplusplus
}
#endif

#endif
