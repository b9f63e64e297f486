/* SPDX-License-Identifier: BSD-2-Clause */
/* Which devices have which blocks: asked once for a plan, or for what is done of it. */
#include "devices/device_private.h"
#include "devices/reset_private.h"

#include <stdlib.h>

/* Out of memory: false. */
static bool add(struct fmi_reset_users *u, size_t *room, const struct fm_block *block,
		struct fm_dev *dev, size_t nth)
{
	if (u->count && u->list[u->count - 1].block == block && u->list[u->count - 1].dev == dev)
		return true;
	if (u->count == *room) {
		size_t more = *room ? 2 * *room : 16;
		struct fmi_reset_user *grown = reallocarray(u->list, more, sizeof(*grown));

		if (!grown)
			return false;
		u->list = grown;
		*room = more;
	}
	u->list[u->count++] = (struct fmi_reset_user){ .block = block, .dev = dev, .nth = nth };
	return true;
}

static bool add_all(struct fmi_reset_users *u, size_t *room, struct fm_dev *dev, size_t nth)
{
	bool locked = fmi_dev_lock(dev);
	bool ok = true;

	for (uint64_t off = 0; ok && off < fm_dev_len(dev);) {
		struct fm_mapping m = { 0 };

		/* An answer about something else leads nowhere. */
		if (fm_dev_map(dev, off, &m) || off < m.off || m.off + m.len <= off)
			break;
		ok = !m.block || add(u, room, m.block, dev, nth);
		off = m.off + m.len;
	}
	if (locked)
		fm_dev_unlock(dev);
	return ok;
}

/* By the block, its devices in the order of the machine. */
static int by_block(const void *a, const void *b)
{
	const struct fmi_reset_user *x = a;
	const struct fmi_reset_user *y = b;

	if (x->block != y->block)
		return (uintptr_t)x->block < (uintptr_t)y->block ? -1 : 1;
	return (x->nth > y->nth) - (x->nth < y->nth);
}

int fmi_reset_users_list(struct fmi_reset_users *u, const struct fm_machine *machine)
{
	struct fm_dev *dev;
	size_t room = 0;
	size_t nth = 0;

	fm_machine_foreach_dev (machine, dev) {
		if (!add_all(u, &room, dev, nth++))
			return FM_ERR_NOMEM;
	}
	if (u->count)
		qsort(u->list, u->count, sizeof(*u->list), by_block);
	return 0;
}

void fmi_reset_users_drop(struct fmi_reset_users *u)
{
	free(u->list);
}

struct fm_dev *fmi_reset_users_next(const struct fmi_reset_users *u, const struct fm_block *block,
				    size_t *at)
{
	size_t low = *at;

	if (!low) {
		size_t high = u->count;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if ((uintptr_t)u->list[middle].block < (uintptr_t)block)
				low = middle + 1;
			else
				high = middle;
		}
	}
	/* One that shows the block in several parts is one. */
	while (*at && low < u->count && u->list[low].block == block &&
	       u->list[low].dev == u->list[low - 1].dev)
		low++;
	if (low >= u->count || u->list[low].block != block)
		return NULL;
	*at = low + 1;
	return u->list[low].dev;
}

struct fm_dev *fmi_reset_reloader(const struct fmi_reset_users *u, const struct fm_block *block)
{
	struct fm_dev *dev;
	size_t at = 0;

	while ((dev = fmi_reset_users_next(u, block, &at)) && !dev->ops.reload)
		;
	return dev;
}
