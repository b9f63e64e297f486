/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * registry: objects in the order they were added, found by themselves and by their names. All but the walk
 * as a whole costs the logarithm of their number, whatever their names are: trees and policies come from
 * others, and may be made to be slow.
 */
#ifndef FIRMEM_DEVICES_REGISTRY_H
#define FIRMEM_DEVICES_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

struct fmi_entry;

/* Zeros are an empty one. Objects and names are borrowed. Readers may be many at a time. */
struct fmi_registry {
	struct fmi_entry *first;
	struct fmi_entry *last;
	void *by_item;
	void *by_name; /* without those whose name is "" */
};

bool fmi_registry_has(const struct fmi_registry *r, const void *item);
/* NULL when there is none; "" and NULL are nobody's name. */
void *fmi_registry_named(const struct fmi_registry *r, const char *name);
/* The first (prev == NULL), or the one behind `prev`; NULL at the end and for a stranger. */
void *fmi_registry_next(const struct fmi_registry *r, const void *prev);
/* 0, or FM_ERR_NOMEM. Neither object nor name is there already, and the name does not change. */
int fmi_registry_add(struct fmi_registry *r, void *item, const char *name);
/* Of one that is there. */
void fmi_registry_drop(struct fmi_registry *r, const void *item);
/* Of all, the newest first; `each` may be NULL. */
void fmi_registry_clear(struct fmi_registry *r, void (*each)(void *item));

#endif
