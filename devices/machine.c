/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/machine.h>

#include "devices/device_private.h"

#include <stdlib.h>
#include <string.h>

/* Objects of one kind in the order they were added. */
struct registry {
	void **items;
	size_t count;
	size_t room;
};

struct fm_machine {
	char *name;
	struct registry blocks;
	struct registry devs;
	struct registry spaces;
};

typedef const char *name_fn(const void *item);

static const char *block_name(const void *item)
{
	return fm_block_name(item);
}

static const char *dev_name(const void *item)
{
	return fm_dev_name(item);
}

static const char *space_name(const void *item)
{
	return fm_space_name(item);
}

/* --- registries -------------------------------------------------------------------------- */

/* The object's index, or the count. */
static size_t find(const struct registry *r, const void *item)
{
	size_t i = 0;

	while (i < r->count && r->items[i] != item)
		i++;
	return i;
}

/* An unnamed object is never found: "" is no name. */
static void *find_name(const struct registry *r, name_fn *name_of, const char *name)
{
	for (size_t i = 0; name && *name && i < r->count; i++) {
		if (!strcmp(name_of(r->items[i]), name))
			return r->items[i];
	}
	return NULL;
}

static void *next(const struct registry *r, const void *prev)
{
	size_t i = prev ? find(r, prev) + 1 : 0;

	return i < r->count ? r->items[i] : NULL;
}

static int add(const struct fm_machine *machine, struct registry *r, void *item, name_fn *name_of,
	       const char *noun, struct fm_error *err)
{
	if (!item)
		return fm_error_set(err, FM_ERR_ARG, 0, "%s: %s is NULL", machine->name, noun);
	if (find(r, item) < r->count || find_name(r, name_of, name_of(item)))
		return fm_error_set(err, FM_ERR_EXISTS, 0,
				    "%s: there is a %s \"%s\" already, expected a name of its own",
				    machine->name, noun, name_of(item));
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 8;
		void **grown = realloc(r->items, room * sizeof(void *));

		if (!grown)
			return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
					    machine->name);
		r->items = grown;
		r->room = room;
	}
	r->items[r->count++] = item;
	return 0;
}

static void drop(struct registry *r, size_t at)
{
	r->count--;
	memmove(r->items + at, r->items + at + 1, (r->count - at) * sizeof(void *));
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

void fm_machine_free(struct fm_machine *machine)
{
	if (!machine)
		return;
	for (size_t i = machine->spaces.count; i-- > 0;)
		fm_space_free(machine->spaces.items[i]);
	for (size_t i = machine->devs.count; i-- > 0;)
		fm_dev_free(machine->devs.items[i]);
	for (size_t i = machine->blocks.count; i-- > 0;)
		fm_block_free(machine->blocks.items[i]);
	free(machine->spaces.items);
	free(machine->devs.items);
	free(machine->blocks.items);
	free(machine->name);
	free(machine);
}

const char *fm_machine_name(const struct fm_machine *machine)
{
	return machine->name;
}

int fm_machine_add_block(struct fm_machine *machine, struct fm_block *block, struct fm_error *err)
{
	return add(machine, &machine->blocks, block, block_name, "block", err);
}

int fm_machine_add_dev(struct fm_machine *machine, struct fm_dev *dev, struct fm_error *err)
{
	return add(machine, &machine->devs, dev, dev_name, "device", err);
}

int fm_machine_add_space(struct fm_machine *machine, struct fm_space *space, struct fm_error *err)
{
	return add(machine, &machine->spaces, space, space_name, "space", err);
}

/* The space whose current view shows the block, or NULL. */
static struct fm_space *shows_block(const struct fm_machine *machine, const struct fm_block *block)
{
	struct fm_space *found = NULL;

	for (size_t i = 0; !found && i < machine->spaces.count; i++) {
		const struct fm_view *view = fm_space_view_get(machine->spaces.items[i]);

		for (size_t n = 0; !found && n < fm_view_count(view); n++) {
			if (fm_view_range(view, n)->block == block)
				found = machine->spaces.items[i];
		}
		fm_view_put(view);
	}
	return found;
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

int fm_machine_remove_block(struct fm_machine *machine, struct fm_block *block,
			    struct fm_error *err)
{
	size_t at = find(&machine->blocks, block);
	struct fm_space *space;

	if (at == machine->blocks.count)
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0, "%s: no such block", machine->name);
	space = shows_block(machine, block);
	if (space)
		return fm_error_set(
			err, FM_ERR_BUSY, 0,
			"%s: block \"%s\" is seen in space \"%s\", expected its windows "
			"to be removed first",
			machine->name, fm_block_name(block), fm_space_name(space));
	for (size_t i = 0; i < machine->devs.count; i++) {
		if (fmi_dev_keeps_in(machine->devs.items[i], block))
			return fm_error_set(err, FM_ERR_BUSY, 0,
					    "%s: block \"%s\" is used by device \"%s\", expected "
					    "that to be removed first",
					    machine->name, fm_block_name(block),
					    fm_dev_name(machine->devs.items[i]));
	}
	drop(&machine->blocks, at);
	return 0;
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
	size_t at = find(&machine->devs, dev);

	if (at == machine->devs.count)
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0, "%s: no such device", machine->name);
	for (size_t i = 0; i < machine->spaces.count; i++) {
		struct fm_space *space = machine->spaces.items[i];

		if (has_window(space, dev))
			return fm_error_set(
				err, FM_ERR_BUSY, 0,
				"%s: device \"%s\" has a window in space \"%s\", expected "
				"it to be removed first",
				machine->name, fm_dev_name(dev), fm_space_name(space));
	}
	drop(&machine->devs, at);
	return 0;
}

/* --- by name, and walks -------------------------------------------------------------------- */

struct fm_block *fm_machine_block(const struct fm_machine *machine, const char *name)
{
	return find_name(&machine->blocks, block_name, name);
}

struct fm_dev *fm_machine_dev(const struct fm_machine *machine, const char *name)
{
	return find_name(&machine->devs, dev_name, name);
}

struct fm_space *fm_machine_space(const struct fm_machine *machine, const char *name)
{
	return find_name(&machine->spaces, space_name, name);
}

struct fm_dev *fm_machine_next_dev(const struct fm_machine *machine, const struct fm_dev *prev)
{
	return next(&machine->devs, prev);
}

struct fm_space *fm_machine_next_space(const struct fm_machine *machine,
				       const struct fm_space *prev)
{
	return next(&machine->spaces, prev);
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
	struct fm_block *block = next(&machine->blocks, prev);

	while (block && !in_walk(machine, walk, block))
		block = next(&machine->blocks, block);
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
