/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine: the registry of a guest's blocks, devices and spaces, and the named walks over its
 * blocks. There is no "all memory": every operation names its selector.
 *
 * Threads: additions and removals with no other call of the same machine under way; everything else
 * in any thread at any time.
 */
#ifndef FIRMEM_MACHINE_H
#define FIRMEM_MACHINE_H

#include <firmem/base.h>
#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/space.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_machine;

/* `name` is copied; must be given. FM_ERR_ARG, FM_ERR_NOMEM. */
FM_API int fm_machine_new(struct fm_machine **out, const char *name, struct fm_error *err);
/* Frees spaces, then devices (newest first, without flushing), then blocks. NULL is fine. */
FM_API void fm_machine_free(struct fm_machine *machine);
FM_API const char *fm_machine_name(const struct fm_machine *machine);

/*
 * Hand an object over: on success the machine owns it. Names are unique among the machine's blocks,
 * among its devices and among its spaces; any number of blocks may be unnamed. FM_ERR_EXISTS (the
 * name), FM_ERR_BUSY (it is another machine's; two threads may try with two machines), FM_ERR_ARG
 * (NULL), FM_ERR_NOMEM: the object stays whose it was.
 */
FM_API int fm_machine_add_block(struct fm_machine *machine, struct fm_block *block,
				struct fm_error *err);
FM_API int fm_machine_add_dev(struct fm_machine *machine, struct fm_dev *dev, struct fm_error *err);
FM_API int fm_machine_add_space(struct fm_machine *machine, struct fm_space *space,
				struct fm_error *err);
/*
 * Take an object back (hot unplug): the caller owns it again. FM_ERR_NOT_FOUND; FM_ERR_BUSY while a
 * window of the machine's spaces shows the device; while the current view of one shows the block, or
 * a device of the machine answers fm_dev_map() with it. So take windows, then the device, then the
 * block. After a success call fm_space_quiesce() on the spaces that showed it before you free it.
 */
FM_API int fm_machine_remove_block(struct fm_machine *machine, struct fm_block *block,
				   struct fm_error *err);
FM_API int fm_machine_remove_dev(struct fm_machine *machine, struct fm_dev *dev,
				 struct fm_error *err);

/* By name; NULL when there is none. Borrowed. */
FM_API struct fm_block *fm_machine_block(const struct fm_machine *machine, const char *name);
FM_API struct fm_dev *fm_machine_dev(const struct fm_machine *machine, const char *name);
FM_API struct fm_space *fm_machine_space(const struct fm_machine *machine, const char *name);

/* Which blocks an operation is about. */
enum fm_walk {
	FM_WALK_ALL = 0,        /* every block, mapped or not */
	FM_WALK_MIGRATABLE,     /* named, and not FM_BLOCK_NO_MIGRATE */
	FM_WALK_MAPPED,         /* seen in the current view of one of the machine's spaces */
	FM_WALK_MEMORY_DEVICES, /* dimm, nvdimm, virtio-mem, virtio-pmem */
	FM_WALK_RESET_TARGETS, /* volatile: what a memory-overwrite reset clears, mapped or hidden */
	FM_WALK_DUMPABLE,      /* the guest's volatile working memory: ram, dimm, virtio-mem */
	FM_WALK_COUNT
};

/* Blocks of a walk in the order they were added; NULL starts and ends it. */
FM_API struct fm_block *fm_machine_next_block(const struct fm_machine *machine, enum fm_walk walk,
					      const struct fm_block *prev);
#define fm_machine_foreach_block(machine, walk, block)                  \
	for (block = fm_machine_next_block(machine, walk, NULL); block; \
	     block = fm_machine_next_block(machine, walk, block))

/* Devices and spaces in the order they were added. */
FM_API struct fm_dev *fm_machine_next_dev(const struct fm_machine *machine,
					  const struct fm_dev *prev);
FM_API struct fm_space *fm_machine_next_space(const struct fm_machine *machine,
					      const struct fm_space *prev);
#define fm_machine_foreach_dev(machine, dev) \
	for (dev = fm_machine_next_dev(machine, NULL); dev; dev = fm_machine_next_dev(machine, dev))
#define fm_machine_foreach_space(machine, space)                  \
	for (space = fm_machine_next_space(machine, NULL); space; \
	     space = fm_machine_next_space(machine, space))

/* "all", "migratable", ...; never NULL. */
FM_API const char *fm_walk_name(enum fm_walk walk);

/*
 * The verbs for all devices, in the order they were added, each under its fm_dev_lock(). Effects
 * are ORed. A flush goes on after a failure and returns the first one.
 */
FM_API unsigned fm_machine_tick(struct fm_machine *machine, uint64_t now_ns);
FM_API uint64_t fm_machine_next_deadline_ns(struct fm_machine *machine);
FM_API unsigned fm_machine_pump(struct fm_machine *machine);
FM_API int fm_machine_flush(struct fm_machine *machine, struct fm_error *err);
FM_API unsigned fm_machine_reset(struct fm_machine *machine, enum fm_reset_kind kind);

#ifdef __cplusplus
}
#endif

#endif
