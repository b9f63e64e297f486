/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/machine.h>

#include "devices/backing.h"
#include "devices/device_private.h"
#include "devices/registry.h"
#include "devices/space_private.h"

#include <stdlib.h>
#include <string.h>

struct fm_machine {
	char *name;
	struct fmi_registry blocks;
	struct fmi_registry devs;
	struct fmi_registry spaces;
};

static int taken(const struct fm_machine *machine, const char *noun, const char *name,
		 struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_EXISTS, 0,
			    "%s: there is a %s \"%s\" already, expected a name of its own",
			    machine->name, noun, name);
}

/* An object that is to be added. */
struct item {
	void *object;
	const char *noun;
	const char *name;
	struct fmi_owner *owner;
};

static int add(struct fm_machine *machine, struct fmi_registry *r, const struct item *i,
	       struct fm_error *err)
{
	int rc;

	if (!fmi_owner_claim(i->owner, machine))
		return fm_error_set(err, FM_ERR_BUSY, 0,
				    "%s: %s \"%s\" is another machine's, expected it to be removed "
				    "there first",
				    machine->name, i->noun, i->name);
	if (fmi_registry_has(r, i->object))
		return taken(machine, i->noun, i->name, err);
	if (fmi_registry_named(r, i->name))
		rc = taken(machine, i->noun, i->name, err);
	else
		rc = fmi_registry_add(r, i->object, i->name);
	if (rc)
		fmi_owner_leave(i->owner);
	return rc == FM_ERR_NOMEM ? fm_error_set(err, rc, 0, "%s: out of memory", machine->name)
				  : rc;
}

static int no_item(const struct fm_machine *machine, const char *noun, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_ARG, 0, "%s: %s is NULL", machine->name, noun);
}

/* --- life -------------------------------------------------------------------------------- */

int fm_machine_new(struct fm_machine **out, const char *name, struct fm_error *err)
{
	struct fm_machine *machine;

	if (!name || !*name)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "machine: name is missing, expected at least 1 byte");
	machine = calloc(1, sizeof(*machine));
	if (machine)
		machine->name = strdup(name);
	if (!machine || !machine->name) {
		free(machine);
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", name);
	}
	*out = machine;
	return 0;
}

static void free_space(void *item)
{
	fm_space_free(item);
}

static void free_dev(void *item)
{
	fm_dev_free(item);
}

static void free_block(void *item)
{
	fm_block_free(item);
}

void fm_machine_free(struct fm_machine *machine)
{
	if (!machine)
		return;
	fmi_registry_clear(&machine->spaces, free_space);
	fmi_registry_clear(&machine->devs, free_dev);
	fmi_registry_clear(&machine->blocks, free_block);
	free(machine->name);
	free(machine);
}

const char *fm_machine_name(const struct fm_machine *machine)
{
	return machine->name;
}

int fm_machine_add_block(struct fm_machine *machine, struct fm_block *block, struct fm_error *err)
{
	if (!block)
		return no_item(machine, "block", err);
	return add(machine, &machine->blocks,
		   &(struct item){ block, "block", fm_block_name(block), fmi_block_owner(block) },
		   err);
}

int fm_machine_add_dev(struct fm_machine *machine, struct fm_dev *dev, struct fm_error *err)
{
	if (!dev)
		return no_item(machine, "device", err);
	return add(machine, &machine->devs,
		   &(struct item){ dev, "device", fm_dev_name(dev), &dev->owner }, err);
}

int fm_machine_add_space(struct fm_machine *machine, struct fm_space *space, struct fm_error *err)
{
	if (!space)
		return no_item(machine, "space", err);
	return add(machine, &machine->spaces,
		   &(struct item){ space, "space", fm_space_name(space), &space->owner }, err);
}

/* The space whose current view shows the block, or NULL. */
static struct fm_space *shows_block(const struct fm_machine *machine, const struct fm_block *block)
{
	struct fm_space *space;

	fm_machine_foreach_space (machine, space) {
		const struct fm_view *view = fm_space_view_get(space);
		bool found = false;

		for (size_t n = 0; !found && n < fm_view_count(view); n++)
			found = fm_view_range(view, n)->block == block;
		fm_view_put(view);
		if (found)
			break;
	}
	return space;
}

bool fmi_dev_keeps_in(struct fm_dev *dev, const struct fm_block *block)
{
	bool locked = fmi_dev_lock(dev);
	bool found = false;

	for (uint64_t off = 0; !found && off < fm_dev_len(dev);) {
		struct fm_mapping m = { 0 };

		/* An answer about something else leads nowhere. */
		if (fm_dev_map(dev, off, &m) || off < m.off || m.off + m.len <= off)
			break;
		found = m.block == block;
		off = m.off + m.len;
	}
	if (locked)
		fm_dev_unlock(dev);
	return found;
}

int fmi_machine_check_unused(const struct fm_machine *machine, const struct fm_block *block,
			     const struct fm_dev *but, struct fm_error *err)
{
	struct fm_space *space = shows_block(machine, block);
	struct fm_dev *dev;

	if (space)
		return fm_error_set(
			err, FM_ERR_BUSY, 0,
			"%s: block \"%s\" is seen in space \"%s\", expected its windows "
			"to be removed first",
			machine->name, fm_block_name(block), fm_space_name(space));
	fm_machine_foreach_dev (machine, dev) {
		if (dev != but && fmi_dev_keeps_in(dev, block))
			return fm_error_set(err, FM_ERR_BUSY, 0,
					    "%s: block \"%s\" is used by device \"%s\", expected "
					    "that to be removed first",
					    machine->name, fm_block_name(block), fm_dev_name(dev));
	}
	return 0;
}

void fmi_machine_drop_block(struct fm_machine *machine, struct fm_block *block)
{
	fmi_registry_drop(&machine->blocks, block);
	fmi_owner_leave(fmi_block_owner(block));
}

void fmi_machine_drop_dev(struct fm_machine *machine, struct fm_dev *dev)
{
	fmi_registry_drop(&machine->devs, dev);
	fmi_owner_leave(&dev->owner);
}

int fm_machine_remove_block(struct fm_machine *machine, struct fm_block *block,
			    struct fm_error *err)
{
	int rc;

	if (!fmi_registry_has(&machine->blocks, block))
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0, "%s: no such block", machine->name);
	rc = fmi_machine_check_unused(machine, block, NULL, err);
	if (!rc)
		fmi_machine_drop_block(machine, block);
	return rc;
}

/* Does a window show the device, seen or not? */
static bool has_window(struct fm_space *space, const struct fm_dev *dev)
{
	struct fm_window *w = NULL;
	bool found = false;

	/* Nobody changes the windows while we walk them; nothing to commit, so nothing fails. */
	fm_space_begin(space);
	while (!found && (w = fm_space_next_window(space, w)))
		found = fm_window_dev(w) == dev;
	fm_space_commit(space, NULL);
	return found;
}

int fm_machine_remove_dev(struct fm_machine *machine, struct fm_dev *dev, struct fm_error *err)
{
	struct fm_space *space;

	if (!fmi_registry_has(&machine->devs, dev))
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0, "%s: no such device", machine->name);
	fm_machine_foreach_space (machine, space) {
		if (has_window(space, dev))
			return fm_error_set(
				err, FM_ERR_BUSY, 0,
				"%s: device \"%s\" has a window in space \"%s\", expected "
				"it to be removed first",
				machine->name, fm_dev_name(dev), fm_space_name(space));
	}
	fmi_machine_drop_dev(machine, dev);
	return 0;
}

bool fmi_machine_has_block(const struct fm_machine *machine, const struct fm_block *block)
{
	return fmi_registry_has(&machine->blocks, block);
}

/* --- by name, and walks -------------------------------------------------------------------- */

struct fm_block *fm_machine_block(const struct fm_machine *machine, const char *name)
{
	return fmi_registry_named(&machine->blocks, name);
}

struct fm_dev *fm_machine_dev(const struct fm_machine *machine, const char *name)
{
	return fmi_registry_named(&machine->devs, name);
}

struct fm_space *fm_machine_space(const struct fm_machine *machine, const char *name)
{
	return fmi_registry_named(&machine->spaces, name);
}

struct fm_dev *fm_machine_next_dev(const struct fm_machine *machine, const struct fm_dev *prev)
{
	return fmi_registry_next(&machine->devs, prev);
}

struct fm_space *fm_machine_next_space(const struct fm_machine *machine,
				       const struct fm_space *prev)
{
	return fmi_registry_next(&machine->spaces, prev);
}

/* What a memory-overwrite request clears. ROM copies are reloaded instead, a PPI page carries the
 * request itself, and a host's stores to private memory mean nothing to its guest. */
static bool is_reset_target(enum fm_role role)
{
	switch (role) {
	case FM_ROLE_RAM:
	case FM_ROLE_DIMM:
	case FM_ROLE_VIRTIO_MEM:
	case FM_ROLE_VRAM:
	case FM_ROLE_DEVICE:
	case FM_ROLE_SMRAM:
	case FM_ROLE_S3_PRESERVED:
		return true;
	case FM_ROLE_NONE:
	case FM_ROLE_ROM:
	case FM_ROLE_OPTION_ROM:
	case FM_ROLE_FLASH_CODE:
	case FM_ROLE_FLASH_VARS:
	case FM_ROLE_NVDIMM:
	case FM_ROLE_LABEL:
	case FM_ROLE_VIRTIO_PMEM:
	case FM_ROLE_TABLE:
	case FM_ROLE_PPI:
	case FM_ROLE_PRIVATE:
	case FM_ROLE_COUNT:
		break;
	}
	return false;
}

static bool in_walk(const struct fm_machine *machine, enum fm_walk walk,
		    const struct fm_block *block)
{
	enum fm_role role = fm_block_role(block);

	switch (walk) {
	case FM_WALK_ALL:
		return true;
	case FM_WALK_MIGRATABLE:
		return *fm_block_name(block) && !(fm_block_flags(block) & FM_BLOCK_NO_MIGRATE);
	case FM_WALK_MAPPED:
		return shows_block(machine, block) != NULL;
	case FM_WALK_MEMORY_DEVICES:
		return role == FM_ROLE_DIMM || role == FM_ROLE_NVDIMM ||
		       role == FM_ROLE_VIRTIO_MEM || role == FM_ROLE_VIRTIO_PMEM;
	case FM_WALK_RESET_TARGETS:
		return is_reset_target(role);
	case FM_WALK_DUMPABLE:
		return role == FM_ROLE_RAM || role == FM_ROLE_DIMM || role == FM_ROLE_VIRTIO_MEM;
	case FM_WALK_COUNT:
		break;
	}
	return false;
}

struct fm_block *fm_machine_next_block(const struct fm_machine *machine, enum fm_walk walk,
				       const struct fm_block *prev)
{
	struct fm_block *block = fmi_registry_next(&machine->blocks, prev);

	while (block && !in_walk(machine, walk, block))
		block = fmi_registry_next(&machine->blocks, block);
	return block;
}

const char *fm_walk_name(enum fm_walk walk)
{
	switch (walk) {
	case FM_WALK_ALL:
		return "all";
	case FM_WALK_MIGRATABLE:
		return "migratable";
	case FM_WALK_MAPPED:
		return "mapped";
	case FM_WALK_MEMORY_DEVICES:
		return "memory-devices";
	case FM_WALK_RESET_TARGETS:
		return "reset-targets";
	case FM_WALK_DUMPABLE:
		return "dumpable";
	case FM_WALK_COUNT:
		break;
	}
	return "unknown";
}

/* --- the verbs for all devices -------------------------------------------------------------- */

unsigned fm_machine_tick(struct fm_machine *machine, uint64_t now_ns)
{
	struct fm_dev *dev;
	unsigned effects = 0;

	fm_machine_foreach_dev (machine, dev) {
		fm_dev_lock(dev);
		effects |= fm_dev_tick(dev, now_ns);
		fm_dev_unlock(dev);
	}
	return effects;
}

uint64_t fm_machine_next_deadline_ns(struct fm_machine *machine)
{
	struct fm_dev *dev;
	uint64_t first = FM_NEVER;

	fm_machine_foreach_dev (machine, dev) {
		uint64_t at;

		fm_dev_lock(dev);
		at = fm_dev_next_deadline_ns(dev);
		fm_dev_unlock(dev);
		if (at < first)
			first = at;
	}
	return first;
}

unsigned fm_machine_pump(struct fm_machine *machine)
{
	struct fm_dev *dev;
	unsigned effects = 0;

	fm_machine_foreach_dev (machine, dev) {
		fm_dev_lock(dev);
		effects |= fm_dev_pump(dev);
		fm_dev_unlock(dev);
	}
	return effects;
}

int fm_machine_flush(struct fm_machine *machine, struct fm_error *err)
{
	struct fm_dev *dev;
	int first = 0;

	fm_machine_foreach_dev (machine, dev) {
		int rc;

		fm_dev_lock(dev);
		rc = fm_dev_flush(dev, first ? NULL : err);
		fm_dev_unlock(dev);
		if (!first)
			first = rc;
	}
	return first;
}

unsigned fm_machine_reset(struct fm_machine *machine, enum fm_reset_kind kind)
{
	struct fm_dev *dev;
	unsigned effects = 0;

	fm_machine_foreach_dev (machine, dev) {
		fm_dev_lock(dev);
		effects |= fm_dev_reset(dev, kind);
		fm_dev_unlock(dev);
	}
	return effects;
}
