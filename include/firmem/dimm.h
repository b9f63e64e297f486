/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dimm: memory that is plugged into slots and unplugged while the guest runs. A machine has one set of
 * slots and one region of addresses for what is in them: DIMMs and NVDIMMs, whose blocks have role dimm
 * or nvdimm. docs/dimm.md has the life of a DIMM, and what each side does.
 *
 * Threads: as for a machine's additions and removals: plugging, ejecting and releasing with no other call
 * of the same machine under way; guests go on through their ports meanwhile. What only asks: any
 * thread, while nothing is plugged, ejected or released.
 */
#ifndef FIRMEM_DIMM_H
#define FIRMEM_DIMM_H

#include <firmem/base.h>
#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/fdt.h>
#include <firmem/machine.h>
#include <firmem/space.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_dimms;
struct fm_dimm;

#define FM_DIMM_SLOTS_MAX 256u

/* --- the slots ------------------------------------------------------------------------------------ */

struct fm_dimms_config {
	size_t struct_size;         /* sizeof(struct fm_dimms_config) */
	const char *name;           /* of the set's device; NULL = "dimms" */
	struct fm_machine *machine; /* borrowed; must be given */
	struct fm_space *space;     /* of the machine: where DIMMs are seen; must be given */
	unsigned slots;             /* 1 to FM_DIMM_SLOTS_MAX */
	unsigned nodes;             /* NUMA nodes of the guest; 0 = 1 */
	uint64_t gpa;               /* first address of the region, a multiple of `align` */
	/*
	 * Bytes of addresses of the region. 0 = as many as may be plugged (max_memory - base_memory); more leaves
	 * room for gaps before DIMMs of a larger alignment.
	 */
	uint64_t len;
	uint64_t base_memory; /* bytes of the guest's memory that is in no slot */
	uint64_t max_memory;  /* bytes of that and of all DIMMs together; more than base_memory */
	/*
	 * Bytes that each DIMM's address and (but for NVDIMMs) length are a multiple of: a power of
	 * two >= 4096; 0 = 2 MiB, so that a host's huge pages can back any of them.
	 */
	uint64_t align;
};

/*
 * Give a machine its slots. They are a device of the machine, which owns them: fm_dev_save() of
 * fm_dimms_dev() holds who is in which slot and which unplug requests wait for an answer, fm_dev_load()
 * compares the first with what is plugged (FM_ERR_FORMAT names what differs) and restores the second. It
 * answers no accesses.
 *
 * FM_ERR_ARG (a field: named; the space is not the machine's), FM_ERR_RANGE (the region wraps or leaves
 * the space), FM_ERR_EXISTS (the machine has slots, or a device of that name), FM_ERR_NOMEM.
 */
FM_API int fm_dimms_new(struct fm_dimms **out, const struct fm_dimms_config *cfg,
			struct fm_error *err);
/* A machine's slots, or NULL. Borrowed. */
FM_API struct fm_dimms *fm_dimms_of(const struct fm_machine *machine);

/* The device that the set is, and what it was made with; constant. Lengths and memory in bytes. */
FM_API struct fm_dev *fm_dimms_dev(const struct fm_dimms *dimms);
FM_API unsigned fm_dimms_slots(const struct fm_dimms *dimms);
FM_API unsigned fm_dimms_nodes(const struct fm_dimms *dimms);
FM_API uint64_t fm_dimms_gpa(const struct fm_dimms *dimms);
FM_API uint64_t fm_dimms_len(const struct fm_dimms *dimms);
FM_API uint64_t fm_dimms_base_memory(const struct fm_dimms *dimms);
FM_API uint64_t fm_dimms_max_memory(const struct fm_dimms *dimms);
/* Bytes of all DIMMs that the guest sees. */
FM_API uint64_t fm_dimms_plugged_memory(const struct fm_dimms *dimms);

/* What is plugged, in order of address; NULL starts and ends the walk. */
FM_API struct fm_dimm *fm_dimms_next(const struct fm_dimms *dimms, const struct fm_dimm *prev);
#define fm_dimms_foreach(dimms, dimm) \
	for (dimm = fm_dimms_next(dimms, NULL); dimm; dimm = fm_dimms_next(dimms, dimm))
/* By its id, its slot, its block; NULL when there is none. */
FM_API struct fm_dimm *fm_dimms_find(const struct fm_dimms *dimms, const char *id);
FM_API struct fm_dimm *fm_dimms_in_slot(const struct fm_dimms *dimms, unsigned slot);
FM_API struct fm_dimm *fm_dimms_holding(const struct fm_dimms *dimms, const struct fm_block *block);

/* --- plugging ------------------------------------------------------------------------------------- */

struct fm_dimm_config {
	size_t struct_size; /* sizeof(struct fm_dimm_config) */
	/* Unique among the machine's devices; NULL = the name of `dev`, else of the block. */
	const char *id;
	struct fm_block *block; /* of role dimm or nvdimm, in no machine */
	/*
	 * What the guest talks to, over the block, in no machine, named `id`; NULL = fm_ram_new().
	 * Its length is the DIMM's: a multiple of fm_dimms_config.align, for an NVDIMM (part of whose
	 * block may be labels) of 4096.
	 */
	struct fm_dev *dev;
	bool use_slot; /* `slot`, not the lowest free one */
	unsigned slot;
	bool use_gpa; /* `gpa`, not the lowest free address that fits */
	uint64_t gpa;
	/*
	 * Bytes that the address is a multiple of: a power of two, at least the set's and at least the block's
	 * page size; 0 = the larger of the two.
	 */
	uint64_t align;
	unsigned node;     /* NUMA node of the guest */
	bool cold_plugged; /* there from the start, before the guest ran: not "hotplugged" */
	bool fixed;        /* cannot be unplugged */
};

/*
 * Plug: the block and a device over it become the machine's and are seen in the space, in one change of its
 * view, or nothing happens. On success the machine owns block and device, until fm_dimm_release().
 *
 * FM_ERR_ARG (a field), FM_ERR_EXISTS (the id or the slot is taken: by whom; the block is the machine's
 * already), FM_ERR_BUSY (no slot is free; a device of the machine uses the block; the block or the device
 * is another machine's), FM_ERR_RANGE (no such slot or node; the address leaves the region; no gap is large enough; over the maximum), FM_ERR_OVERLAP
 * (with which DIMM or window), FM_ERR_STATE (the calling thread is between fm_space_begin() and commit),
 * FM_ERR_NOMEM. The message names the field, its value and what was expected.
 */
FM_API int fm_dimm_plug(struct fm_dimms *dimms, const struct fm_dimm_config *cfg,
			struct fm_dimm **out, struct fm_error *err);

/* What a DIMM is and where; constant for its life, but that a load may say otherwise of hotplugged. */
FM_API const char *fm_dimm_id(const struct fm_dimm *dimm);
FM_API struct fm_block *fm_dimm_block(const struct fm_dimm *dimm);
FM_API struct fm_dev *fm_dimm_dev(const struct fm_dimm *dimm);
FM_API unsigned fm_dimm_slot(const struct fm_dimm *dimm);
FM_API uint64_t fm_dimm_gpa(const struct fm_dimm *dimm);
FM_API uint64_t fm_dimm_len(const struct fm_dimm *dimm); /* bytes */
FM_API unsigned fm_dimm_node(const struct fm_dimm *dimm);
FM_API bool fm_dimm_hotplugged(const struct fm_dimm *dimm);
FM_API bool fm_dimm_hotpluggable(const struct fm_dimm *dimm); /* it can be unplugged */

/* --- unplugging ----------------------------------------------------------------------------------- */

enum fm_dimm_state {
	FM_DIMM_PLUGGED = 0,
	FM_DIMM_REQUESTED, /* the guest was asked to let go of it, and has not answered */
	FM_DIMM_EJECTED,   /* the guest sees it no more; slot and memory are still held */
	FM_DIMM_STATE_COUNT
};
/* How far it is. */
FM_API enum fm_dimm_state fm_dimm_state(const struct fm_dimm *dimm);
/* "plugged", "requested", "ejected"; never NULL. */
FM_API const char *fm_dimm_state_name(enum fm_dimm_state state);

/*
 * Note that the guest is asked to let go; the host tells it (ACPI's eject request). A reset leaves that
 * as it is. FM_ERR_STATE: asked already, ejected, or fixed.
 */
FM_API int fm_dimm_request_unplug(struct fm_dimm *dimm, struct fm_error *err);
/* The guest refused: the DIMM stays plugged. FM_ERR_STATE: it was not asked. */
FM_API int fm_dimm_reject_unplug(struct fm_dimm *dimm, struct fm_error *err);
/*
 * The guest let go: all windows onto the device are taken out of the space in one change. The host then
 * follows with its own mappings, and calls fm_dimm_release(). An NVDIMM is flushed first. FM_ERR_STATE: it
 * was not asked, or the calling thread is between begin and commit; FM_ERR_NOMEM, what a flush returns: it
 * is as it was.
 */
FM_API int fm_dimm_eject(struct fm_dimm *dimm, struct fm_error *err);
/*
 * The same whatever the guest says, and fixed or not: a module is pulled out. A flush that fails is only
 * reported: the device keeps the error (fm_dev_error()). FM_ERR_STATE (ejected already; between begin and
 * commit), FM_ERR_NOMEM.
 */
FM_API int fm_dimm_remove(struct fm_dimm *dimm, struct fm_error *err);
/*
 * The end of an ejected DIMM: waits for accesses under way (fm_space_quiesce()), frees the device and the
 * slot, and hands the block over: *block is the caller's, or is freed when `block` is NULL. `dimm` is gone.
 * FM_ERR_STATE: it is not ejected; FM_ERR_BUSY: another space still shows it. Waits as
 * fm_space_quiesce() does.
 */
FM_API int fm_dimm_release(struct fm_dimm *dimm, struct fm_block **block, struct fm_error *err);

/* --- device trees (not in a library built without libfdt) ------------------------------------------- */

/*
 * A struct fm_fdt_binding's build() for "firmem,dimm-slots": the machine's slots; ctx is not used. Nodes of
 * fm_block_fdt_build() with "firmem,slot" then plug into them. docs/machines.md has the properties.
 * FM_ERR_FORMAT, FM_ERR_NOT_FOUND, and as fm_dimms_new().
 */
FM_API int fm_dimms_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
			      struct fm_space *space, void *ctx, struct fm_error *err);
/*
 * Nodes for the guest, of what it sees plugged: for a DIMM a memory node that is "hotpluggable", for an
 * NVDIMM a pmem-region, each with its "numa-node-id".
 */
FM_API void fm_fdt_add_dimms(struct fm_fdt *fdt, const struct fm_dimms *dimms);

#ifdef __cplusplus
}
#endif

#endif
