/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window: the windows of a space, in a treap that knows how far each subtree reaches, so that those
 * which meet a few addresses are found without a look at the others.
 */
#include "devices/space_private.h"

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

/* --- the tree ---------------------------------------------------------------------------- */

static int compare(const struct fm_window *a, const struct fm_window *b)
{
	if (a->gpa != b->gpa)
		return a->gpa < b->gpa ? -1 : 1;
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	return (a->age > b->age) - (a->age < b->age);
}

static void pull(struct fm_window *w)
{
	w->reach = fmi_window_span(w).last;
	if (w->left)
		w->reach = fmi_max_u64(w->reach, w->left->reach);
	if (w->right)
		w->reach = fmi_max_u64(w->reach, w->right->reach);
}

/* Part the tree into what is before `key` and what is behind it. */
static void split(struct fm_window *root, const struct fm_window *key, struct fm_window **before,
		  struct fm_window **behind)
{
	if (!root) {
		*before = *behind = NULL;
		return;
	}
	if (compare(root, key) < 0) {
		split(root->right, key, &root->right, behind);
		*before = root;
	} else {
		split(root->left, key, before, &root->left);
		*behind = root;
	}
	pull(root);
}

static struct fm_window *merge(struct fm_window *before, struct fm_window *behind)
{
	if (!before || !behind)
		return before ? before : behind;
	if (before->weight > behind->weight) {
		before->right = merge(before->right, behind);
		pull(before);
		return before;
	}
	behind->left = merge(before, behind->left);
	pull(behind);
	return behind;
}

static struct fm_window *insert(struct fm_window *root, struct fm_window *w)
{
	if (!root || w->weight > root->weight) {
		split(root, w, &w->left, &w->right);
		pull(w);
		return w;
	}
	if (compare(w, root) < 0)
		root->left = insert(root->left, w);
	else
		root->right = insert(root->right, w);
	pull(root);
	return root;
}

static struct fm_window *unhook(struct fm_window *root, const struct fm_window *w)
{
	if (root == w)
		return merge(root->left, root->right);
	if (compare(w, root) < 0)
		root->left = unhook(root->left, w);
	else
		root->right = unhook(root->right, w);
	pull(root);
	return root;
}

void fmi_window_seat(struct fm_space *space, struct fm_window *w)
{
	space->root = insert(space->root, w);
	w->seated = true;
}

void fmi_window_unseat(struct fm_space *space, struct fm_window *w)
{
	space->root = unhook(space->root, w);
	w->left = w->right = NULL;
	w->seated = false;
}

static bool visit(struct fm_window *root, const struct fmi_span *span, fmi_window_fn *fn, void *ctx)
{
	if (!root || root->reach < span->first)
		return true;
	if (!visit(root->left, span, fn, ctx))
		return false;
	if (root->gpa > span->last)
		return true;
	if (root->enabled && fmi_window_span(root).last >= span->first && !fn(ctx, root))
		return false;
	return visit(root->right, span, fn, ctx);
}

bool fmi_windows_visit(const struct fm_space *space, const struct fmi_span *span, fmi_window_fn *fn,
		       void *ctx)
{
	return visit(space->root, span, fn, ctx);
}

struct fm_window *fm_space_next_window(const struct fm_space *space, const struct fm_window *prev)
{
	struct fm_window *next = NULL;

	for (struct fm_window *w = space->root; w;) {
		if (!prev || compare(w, prev) > 0) {
			next = w;
			w = w->left;
		} else {
			w = w->right;
		}
	}
	return next;
}

/* --- the devices that windows show ---------------------------------------------------------- */

/* Where the device is in the list, or belongs. */
static size_t find_dev(const struct fm_space *space, const struct fm_dev *dev)
{
	size_t low = 0;
	size_t high = space->ndevs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if ((uintptr_t)space->devs[mid].dev < (uintptr_t)dev)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool link_dev(struct fm_space *space, struct fm_window *w)
{
	size_t at = find_dev(space, w->dev);
	struct fmi_space_dev *entry;

	if (at == space->ndevs || space->devs[at].dev != w->dev) {
		if (space->ndevs == space->devs_room) {
			size_t room = space->devs_room ? 2 * space->devs_room : 16;

			entry = realloc(space->devs, room * sizeof(*entry));
			if (!entry)
				return false;
			space->devs = entry;
			space->devs_room = room;
		}
		entry = &space->devs[at];
		memmove(entry + 1, entry, (space->ndevs++ - at) * sizeof(*entry));
		/* Before its map is asked for the first time: a change meanwhile is not lost. */
		*entry = (struct fmi_space_dev){ .dev = w->dev,
						 .generation = fm_dev_map_generation(w->dev) };
	}
	entry = &space->devs[at];
	w->dev_prev = NULL;
	w->dev_next = entry->windows;
	if (entry->windows)
		entry->windows->dev_prev = w;
	entry->windows = w;
	return true;
}

static void unlink_dev(struct fm_space *space, struct fm_window *w)
{
	size_t at = find_dev(space, w->dev);
	struct fmi_space_dev *entry = &space->devs[at];

	if (w->dev_next)
		w->dev_next->dev_prev = w->dev_prev;
	if (w->dev_prev)
		w->dev_prev->dev_next = w->dev_next;
	else
		entry->windows = w->dev_next;
	if (!entry->windows)
		memmove(entry, entry + 1, (--space->ndevs - at) * sizeof(*entry));
}

/* --- one window -------------------------------------------------------------------------- */

/* Spread bits that no guest can choose, so that the tree stays flat whatever the addresses. */
static uint64_t weigh(uint64_t age)
{
	uint64_t z = age * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

struct fm_window *fmi_window_new(struct fm_space *space, const struct fm_window_config *cfg,
				 uint64_t len, struct fm_error *err)
{
	const char *name = cfg->name ? cfg->name : fm_dev_name(cfg->dev);
	size_t name_len = strlen(name) + 1;
	struct fm_window *w = calloc(1, sizeof(*w) + name_len);

	if (!w)
		goto nomem;
	memcpy(w->name, name, name_len);
	w->space = space;
	w->dev = cfg->dev;
	w->gpa = cfg->gpa;
	w->len = len;
	w->dev_off = cfg->dev_off;
	w->priority = cfg->priority;
	w->enabled = !cfg->disabled;
	w->age = ++space->ages;
	w->weight = weigh(w->age);
	if (!link_dev(space, w))
		goto nomem;
	return w;
nomem:
	free(w);
	fm_error_set(err, FM_ERR_NOMEM, 0, "%s: window \"%s\": out of memory", space->name, name);
	return NULL;
}

void fmi_window_free(struct fm_space *space, struct fm_window *w)
{
	unlink_dev(space, w);
	free(w);
}

const char *fm_window_name(const struct fm_window *window)
{
	return window->name;
}

struct fm_dev *fm_window_dev(const struct fm_window *window)
{
	return window->dev;
}

uint64_t fm_window_gpa(const struct fm_window *window)
{
	return window->gpa;
}

uint64_t fm_window_len(const struct fm_window *window)
{
	return window->len;
}

uint64_t fm_window_dev_off(const struct fm_window *window)
{
	return window->dev_off;
}

int fm_window_priority(const struct fm_window *window)
{
	return window->priority;
}

bool fm_window_enabled(const struct fm_window *window)
{
	return window->enabled;
}
