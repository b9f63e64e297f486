/* SPDX-License-Identifier: BSD-2-Clause */
/* space_private: what space.c, window.c, render.c and port.c share of a space. */
#ifndef FIRMEM_DEVICES_SPACE_PRIVATE_H
#define FIRMEM_DEVICES_SPACE_PRIVATE_H

#include <firmem/space.h>

#include "devices/owner.h"
#include "devices/view.h"

#include <pthread.h>

struct fm_window {
	struct fm_space *space;
	struct fm_dev *dev;
	uint64_t gpa;
	uint64_t len;
	uint64_t dev_off;
	int priority;
	bool enabled;
	bool seated; /* in the space's tree */

	/* A treap by address, falling priority and age; `reach` is the last address below it. */
	struct fm_window *left;
	struct fm_window *right;
	uint64_t reach;
	uint64_t age;
	uint64_t weight;

	/* The windows of one device. */
	struct fm_window *dev_prev;
	struct fm_window *dev_next;
	char name[];
};

/* A device that some window shows, and its map generation when it was last asked. */
struct fmi_space_dev {
	struct fm_dev *dev;
	uint64_t generation;
	uint64_t asked; /* by the refresh under way */
	struct fm_window *windows;
};

enum fmi_change_kind {
	FMI_CHANGE_ADD,
	FMI_CHANGE_REMOVE,
	FMI_CHANGE_ENABLE,
	FMI_CHANGE_DISABLE,
	FMI_CHANGE_MOVE,
};

/* One step of a transaction: enough to undo it, and to know which addresses it touched. */
struct fmi_change {
	enum fmi_change_kind kind;
	struct fm_window *window;
	struct fmi_span before;
	struct fmi_span after;
	bool seen; /* the window was enabled before or after: its addresses changed */
};

struct fm_port {
	struct fm_space *space;
	_Atomic(struct fm_view *) hazard; /* the view that an access under way uses */

	/* The range of the last access, and the serial of the view that it is from. */
	const struct fm_range *hit;
	uint64_t hit_serial;

	struct fm_port *prev;
	struct fm_port *next;
};

struct fm_space {
	_Atomic(struct fm_view *) view;
	unsigned flags;
	uint64_t last; /* the highest address */
	char *name;
	struct fmi_owner owner;

	/* Of those who change the map. Recursive: it is the transaction. */
	pthread_mutex_t writer;
	unsigned depth;
	struct fm_window *root;
	uint64_t ages;
	struct fmi_change *changes;
	size_t nchanges;
	size_t changes_room;
	struct fmi_space_dev *devs; /* by pointer */
	size_t ndevs;
	size_t devs_room;

	/* Held for moments only: who reads, and what is no longer current. */
	pthread_mutex_t lock;
	struct fm_port *ports;
	struct fm_view *retired;
	uint64_t serial;
};

static inline struct fmi_span fmi_window_span(const struct fm_window *w)
{
	return (struct fmi_span){ .first = w->gpa, .last = w->gpa + (w->len - 1) };
}

/* Put a window into the tree or take it out. */
void fmi_window_seat(struct fm_space *space, struct fm_window *w);
void fmi_window_unseat(struct fm_space *space, struct fm_window *w);

/* Runs for the enabled windows that meet a span, in order of address; false ends the walk. */
typedef bool fmi_window_fn(void *ctx, struct fm_window *w);
bool fmi_windows_visit(const struct fm_space *space, const struct fmi_span *span, fmi_window_fn *fn,
		       void *ctx);

/* An unseated window of the space, hung to its device's list. NULL: *err says why. */
struct fm_window *fmi_window_new(struct fm_space *space, const struct fm_window_config *cfg,
				 uint64_t len, struct fm_error *err);
void fmi_window_free(struct fm_space *space, struct fm_window *w);

/*
 * `old` (NULL = empty) with the spans rendered anew from the windows. The spans are sorted and
 * joined in place. NULL when out of memory. With the writer's lock.
 */
struct fm_view *fmi_space_render(struct fm_space *space, const struct fm_view *old,
				 struct fmi_span *spans, size_t nspans);

#endif
