/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/registry.h"

#include <firmem/base.h>

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct fmi_entry {
	void *item;
	const char *name;
	struct fmi_entry *prev;
	struct fmi_entry *next;
};

/* <search.h>'s trees are balanced: no order of names makes them lists. */
static int by_item(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct fmi_entry *)a)->item;
	uintptr_t y = (uintptr_t)((const struct fmi_entry *)b)->item;

	return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fmi_entry *)a)->name, ((const struct fmi_entry *)b)->name);
}

static struct fmi_entry *find(const struct fmi_registry *r, const void *item)
{
	const struct fmi_entry key = { .item = (void *)(uintptr_t)item };
	void *const *found = tfind(&key, &r->by_item, by_item);

	return found ? *found : NULL;
}

bool fmi_registry_has(const struct fmi_registry *r, const void *item)
{
	return find(r, item) != NULL;
}

void *fmi_registry_named(const struct fmi_registry *r, const char *name)
{
	const struct fmi_entry key = { .name = name };
	void *const *found = name && *name ? tfind(&key, &r->by_name, by_name) : NULL;

	return found ? ((const struct fmi_entry *)*found)->item : NULL;
}

void *fmi_registry_next(const struct fmi_registry *r, const void *prev)
{
	const struct fmi_entry *e = prev ? find(r, prev) : NULL;

	if (prev)
		e = e ? e->next : NULL;
	else
		e = r->first;
	return e ? e->item : NULL;
}

int fmi_registry_add(struct fmi_registry *r, void *item, const char *name)
{
	struct fmi_entry *e = malloc(sizeof(*e));

	if (!e)
		return FM_ERR_NOMEM;
	*e = (struct fmi_entry){ .item = item, .name = name, .prev = r->last };
	if (!tsearch(e, &r->by_item, by_item)) {
		free(e);
		return FM_ERR_NOMEM;
	}
	if (*name && !tsearch(e, &r->by_name, by_name)) {
		tdelete(e, &r->by_item, by_item);
		free(e);
		return FM_ERR_NOMEM;
	}
	*(r->last ? &r->last->next : &r->first) = e;
	r->last = e;
	return 0;
}

void fmi_registry_drop(struct fmi_registry *r, const void *item)
{
	struct fmi_entry *e = find(r, item);

	tdelete(e, &r->by_item, by_item);
	if (*e->name)
		tdelete(e, &r->by_name, by_name);
	*(e->prev ? &e->prev->next : &r->first) = e->next;
	*(e->next ? &e->next->prev : &r->last) = e->prev;
	free(e);
}

static void leave(void *item)
{
}

void fmi_registry_clear(struct fmi_registry *r, void (*each)(void *item))
{
	struct fmi_entry *e = r->last;

	tdestroy(r->by_item, leave);
	tdestroy(r->by_name, leave);
	*r = (struct fmi_registry){ .first = NULL };
	while (e) {
		struct fmi_entry *prev = e->prev;

		if (each)
			each(e->item);
		free(e);
		e = prev;
	}
}
