/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/space_private.h"

#include "devices/bytes.h"
#include "devices/config.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- life -------------------------------------------------------------------------------- */

static struct fm_view *current(struct fm_space *space)
{
	return atomic_load_explicit(&space->view, memory_order_relaxed);
}

int fm_space_new(struct fm_space **out, const struct fm_space_config *cfg, struct fm_error *err)
{
	struct fm_space_config c;
	struct fm_space *space;
	struct fm_view *view;
	pthread_mutexattr_t attr;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_space_config", err);

	if (rc)
		return rc;
	if (!c.name || !*c.name)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_space_config.name is missing, expected a name");
	if (c.address_bits > 64)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_space_config.address_bits is %u, expected 1 to 64 or 0",
				    c.name, c.address_bits);
	if (c.flags & ~(unsigned)FM_SPACE_LOCK_DEVICES)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"%s: fm_space_config.flags is 0x%x, expected enum fm_space_flag", c.name,
			c.flags);
	space = calloc(1, sizeof(*space));
	if (!space)
		goto nomem;
	space->name = strdup(c.name);
	view = fmi_view_splice(NULL, NULL, 0, NULL, NULL);
	if (!space->name || !view) {
		fm_view_put(view);
		goto nomem;
	}
	view->serial = space->serial = 1;
	atomic_init(&space->view, view);
	space->flags = c.flags;
	space->last = c.address_bits ? UINT64_MAX >> (64 - c.address_bits) : UINT64_MAX;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&space->writer, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_mutex_init(&space->lock, NULL);
	*out = space;
	return 0;
nomem:
	if (space)
		free(space->name);
	free(space);
	return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", c.name);
}

static void put_all(struct fm_view *list)
{
	while (list) {
		struct fm_view *next = list->retired_next;

		fm_view_put(list);
		list = next;
	}
}

void fm_space_free(struct fm_space *space)
{
	if (!space)
		return;
	while (space->root) {
		struct fm_window *w = space->root;

		fmi_window_unseat(space, w);
		fmi_window_free(space, w);
	}
	put_all(space->retired);
	fm_view_put(current(space));
	pthread_mutex_destroy(&space->lock);
	pthread_mutex_destroy(&space->writer);
	free(space->devs);
	free(space->changes);
	free(space->name);
	free(space);
}

const char *fm_space_name(const struct fm_space *space)
{
	return space->name;
}

/* --- views: current and retired -------------------------------------------------------------- */

static bool in_use(const struct fm_space *space, const struct fm_view *view)
{
	for (struct fm_port *p = space->ports; p; p = p->next) {
		if (atomic_load(&p->hazard) == view)
			return true;
	}
	return false;
}

/* Take the retired views that no access uses off the list. With the lock. */
static struct fm_view *reclaim(struct fm_space *space)
{
	struct fm_view *dead = NULL;
	struct fm_view **link = &space->retired;

	while (*link) {
		struct fm_view *view = *link;

		if (in_use(space, view)) {
			link = &view->retired_next;
			continue;
		}
		*link = view->retired_next;
		view->retired_next = dead;
		dead = view;
	}
	return dead;
}

/* Make `view` the current one. An access that still uses the old one keeps it alive. */
static void publish(struct fm_space *space, struct fm_view *view)
{
	struct fm_view *old;
	struct fm_view *dead;

	pthread_mutex_lock(&space->lock);
	view->serial = ++space->serial;
	old = atomic_exchange(&space->view, view);
	old->retired_next = space->retired;
	space->retired = old;
	dead = reclaim(space);
	pthread_mutex_unlock(&space->lock);
	put_all(dead);
}

const struct fm_view *fm_space_view_get(struct fm_space *space)
{
	struct fm_view *view;

	/* Under the lock the current view cannot be retired, so its count is not about to be 0. */
	pthread_mutex_lock(&space->lock);
	view = current(space);
	atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&space->lock);
	return view;
}

/* Free what can be; is a view older than `serial` still in use? */
static bool older_in_use(struct fm_space *space, uint64_t serial)
{
	struct fm_view *dead;
	bool found = false;

	pthread_mutex_lock(&space->lock);
	dead = reclaim(space);
	for (struct fm_view *v = space->retired; v; v = v->retired_next)
		found |= v->serial < serial;
	pthread_mutex_unlock(&space->lock);
	put_all(dead);
	return found;
}

void fm_space_quiesce(struct fm_space *space)
{
	const struct timespec nap = { .tv_nsec = 20000 };
	uint64_t serial;

	pthread_mutex_lock(&space->lock);
	serial = current(space)->serial;
	pthread_mutex_unlock(&space->lock);
	/* An access lasts well under a microsecond, unless its thread is not running. */
	for (unsigned i = 0; older_in_use(space, serial); i++) {
		if (i < 100)
			sched_yield();
		else
			nanosleep(&nap, NULL);
	}
}

/* --- transactions ------------------------------------------------------------------------- */

/* Room for `more` changes, so that a change that was made can always be noted. */
static int reserve_changes(struct fm_space *space, size_t more, struct fm_error *err)
{
	size_t room = space->changes_room ? 2 * space->changes_room : 4;
	struct fmi_change *grown;

	if (more <= space->changes_room - space->nchanges)
		return 0;
	grown = realloc(space->changes, room * sizeof(*grown));
	if (!grown)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", space->name);
	space->changes = grown;
	space->changes_room = room;
	return 0;
}

static void note(struct fm_space *space, enum fmi_change_kind kind, struct fm_window *w,
		 struct fmi_span before, bool seen)
{
	space->changes[space->nchanges++] = (struct fmi_change){
		.kind = kind,
		.window = w,
		.before = before,
		.after = fmi_window_span(w),
		.seen = seen,
	};
}

static void reseat(struct fm_space *space, struct fm_window *w, uint64_t gpa)
{
	fmi_window_unseat(space, w);
	w->gpa = gpa;
	fmi_window_seat(space, w);
}

/* Back to how it was before the outermost begin. */
static void undo(struct fm_space *space)
{
	while (space->nchanges) {
		struct fmi_change *c = &space->changes[--space->nchanges];
		struct fm_window *w = c->window;

		switch (c->kind) {
		case FMI_CHANGE_ADD:
			fmi_window_unseat(space, w);
			fmi_window_free(space, w);
			break;
		case FMI_CHANGE_REMOVE:
			fmi_window_seat(space, w);
			break;
		case FMI_CHANGE_ENABLE:
			w->enabled = false;
			break;
		case FMI_CHANGE_DISABLE:
			w->enabled = true;
			break;
		case FMI_CHANGE_MOVE:
			reseat(space, w, c->before.first);
			break;
		}
	}
}

/* The first window that overlaps `window` at its priority. */
struct rival {
	const struct fm_window *window;
	const struct fm_window *found;
};

static bool is_rival(void *ctx, struct fm_window *w)
{
	struct rival *r = ctx;

	if (w == r->window || w->priority != r->window->priority)
		return true;
	r->found = w;
	return false;
}

/* A new overlap has at least one window that changed: the others need no look. */
static int check_overlaps(struct fm_space *space, struct fm_error *err)
{
	for (size_t i = 0; i < space->nchanges; i++) {
		struct rival r = { .window = space->changes[i].window };
		struct fmi_span a, b;

		if (!r.window->seated || !r.window->enabled)
			continue;
		a = fmi_window_span(r.window);
		if (fmi_windows_visit(space, &a, is_rival, &r))
			continue;
		b = fmi_window_span(r.found);
		return fm_error_set(err, FM_ERR_OVERLAP, 0,
				    "%s: windows \"%s\" (0x%llx to 0x%llx) and \"%s\" (0x%llx to "
				    "0x%llx) overlap at priority %d, expected different priorities",
				    space->name, r.window->name, (unsigned long long)a.first,
				    (unsigned long long)a.last, r.found->name,
				    (unsigned long long)b.first, (unsigned long long)b.last,
				    r.window->priority);
	}
	return 0;
}

/* Render the changed addresses and publish. 1 when the view changed, 0 when not. */
static int update(struct fm_space *space, struct fmi_span *spans, size_t nspans,
		  struct fm_error *err)
{
	struct fm_view *old = current(space);
	struct fm_view *view;

	if (!nspans)
		return 0;
	view = fmi_space_render(space, old, spans, nspans);
	if (!view)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory for a view",
				    space->name);
	if (fmi_view_equal(old, view)) {
		fm_view_put(view);
		return 0;
	}
	publish(space, view);
	return 1;
}

static int render_changes(struct fm_space *space, struct fm_error *err)
{
	struct fmi_span few[8];
	struct fmi_span *spans = few;
	size_t n = 0;
	int rc;

	if (space->nchanges > 4)
		spans = malloc(2 * space->nchanges * sizeof(*spans));
	if (!spans)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", space->name);
	for (size_t i = 0; i < space->nchanges; i++) {
		const struct fmi_change *c = &space->changes[i];

		if (!c->seen)
			continue;
		spans[n++] = c->before;
		if (c->kind == FMI_CHANGE_MOVE)
			spans[n++] = c->after;
	}
	rc = update(space, spans, n, err);
	if (spans != few)
		free(spans);
	return rc;
}

void fm_space_begin(struct fm_space *space)
{
	pthread_mutex_lock(&space->writer);
	space->depth++;
}

int fm_space_commit(struct fm_space *space, struct fm_error *err)
{
	int rc = 0;

	if (space->depth == 1) {
		rc = check_overlaps(space, err);
		if (!rc)
			rc = render_changes(space, err);
		if (rc < 0)
			undo(space);
		for (size_t i = 0; i < space->nchanges; i++) {
			if (space->changes[i].kind == FMI_CHANGE_REMOVE)
				fmi_window_free(space, space->changes[i].window);
		}
		space->nchanges = 0;
	}
	space->depth--;
	pthread_mutex_unlock(&space->writer);
	return rc < 0 ? rc : 0;
}

void fm_space_abort(struct fm_space *space)
{
	undo(space);
	space->depth--;
	pthread_mutex_unlock(&space->writer);
}

/* A change that failed before it was made: nothing to commit, and nothing that could fail. */
static int leave(struct fm_space *space, int rc)
{
	space->depth--;
	pthread_mutex_unlock(&space->writer);
	return rc;
}

/* --- changes ----------------------------------------------------------------------------- */

static int check_place(const struct fm_space *space, const char *name, uint64_t gpa, uint64_t len,
		       struct fm_error *err)
{
	if (!fmi_wraps(gpa, len) && gpa + (len - 1) <= space->last)
		return 0;
	return fm_error_set(
		err, FM_ERR_RANGE, 0,
		"%s: window \"%s\" of 0x%llx bytes at 0x%llx leaves the space, expected "
		"its end at or below 0x%llx",
		space->name, name, (unsigned long long)len, (unsigned long long)gpa,
		(unsigned long long)space->last);
}

/* Check a window's config; *len gets its length. */
static int check_window(const struct fm_space *space, const struct fm_window_config *c,
			uint64_t *len, struct fm_error *err)
{
	const char *name;

	if (!c->dev)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_window_config.dev is NULL, expected a device",
				    space->name);
	name = c->name ? c->name : fm_dev_name(c->dev);
	*len = c->len;
	if (!c->len && c->dev_off < fm_dev_len(c->dev))
		*len = fm_dev_len(c->dev) - c->dev_off;
	if (!*len || !fmi_in_range(c->dev_off, *len, fm_dev_len(c->dev)))
		return fm_error_set(err, FM_ERR_RANGE, 0,
				    "%s: window \"%s\" shows 0x%llx bytes at 0x%llx of device "
				    "\"%s\", which has 0x%llx",
				    space->name, name, (unsigned long long)*len,
				    (unsigned long long)c->dev_off, fm_dev_name(c->dev),
				    (unsigned long long)fm_dev_len(c->dev));
	return check_place(space, name, c->gpa, *len, err);
}

int fm_space_add(struct fm_space *space, const struct fm_window_config *cfg, struct fm_window **out,
		 struct fm_error *err)
{
	struct fm_window_config c;
	struct fm_window *w;
	uint64_t len = 0;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_window_config", err);

	if (!rc)
		rc = check_window(space, &c, &len, err);
	if (rc)
		return rc;
	fm_space_begin(space);
	/* And for its removal: who adds two and gets one can take that back without memory. */
	rc = reserve_changes(space, 2, err);
	if (rc)
		return leave(space, rc);
	w = fmi_window_new(space, &c, len, err);
	if (!w)
		return leave(space, FM_ERR_NOMEM);
	fmi_window_seat(space, w);
	note(space, FMI_CHANGE_ADD, w, fmi_window_span(w), w->enabled);
	rc = fm_space_commit(space, err);
	if (!rc && out)
		*out = w;
	return rc;
}

/* Begin a change of a window that is there. */
static int begin_change(struct fm_space *space, struct fm_window *w, struct fm_error *err)
{
	int rc;

	fm_space_begin(space);
	if (!w || w->space != space || !w->seated)
		rc = fm_error_set(err, FM_ERR_NOT_FOUND, 0, "%s: no such window in this space",
				  space->name);
	else
		rc = reserve_changes(space, 1, err);
	return rc ? leave(space, rc) : 0;
}

int fm_space_remove(struct fm_space *space, struct fm_window *window, struct fm_error *err)
{
	int rc = begin_change(space, window, err);

	if (rc)
		return rc;
	fmi_window_unseat(space, window);
	note(space, FMI_CHANGE_REMOVE, window, fmi_window_span(window), window->enabled);
	return fm_space_commit(space, err);
}

int fm_space_enable(struct fm_space *space, struct fm_window *window, bool on, struct fm_error *err)
{
	int rc = begin_change(space, window, err);

	if (rc)
		return rc;
	if (window->enabled != on) {
		window->enabled = on;
		note(space, on ? FMI_CHANGE_ENABLE : FMI_CHANGE_DISABLE, window,
		     fmi_window_span(window), true);
	}
	return fm_space_commit(space, err);
}

int fm_space_move(struct fm_space *space, struct fm_window *window, uint64_t gpa,
		  struct fm_error *err)
{
	struct fmi_span before;
	int rc = begin_change(space, window, err);

	if (rc)
		return rc;
	rc = check_place(space, window->name, gpa, window->len, err);
	if (rc)
		return leave(space, rc);
	before = fmi_window_span(window);
	if (gpa != before.first) {
		reseat(space, window, gpa);
		note(space, FMI_CHANGE_MOVE, window, before, window->enabled);
	}
	return fm_space_commit(space, err);
}

/* --- refresh ----------------------------------------------------------------------------- */

/* Note every device's generation now. How many windows show a device whose generation moved? */
static size_t ask_generations(struct fm_space *space)
{
	size_t n = 0;

	for (size_t i = 0; i < space->ndevs; i++) {
		struct fmi_space_dev *d = &space->devs[i];

		d->asked = fm_dev_map_generation(d->dev);
		if (d->asked == d->generation)
			continue;
		for (const struct fm_window *w = d->windows; w; w = w->dev_next)
			n++;
	}
	return n;
}

static int refresh(struct fm_space *space, struct fm_error *err)
{
	size_t room = ask_generations(space);
	struct fmi_span *spans;
	size_t n = 0;
	int rc;

	if (!room)
		return 0;
	spans = malloc(room * sizeof(*spans));
	if (!spans)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", space->name);
	for (size_t i = 0; i < space->ndevs; i++) {
		const struct fmi_space_dev *d = &space->devs[i];

		if (d->asked == d->generation)
			continue;
		for (const struct fm_window *w = d->windows; w; w = w->dev_next) {
			if (w->enabled)
				spans[n++] = fmi_window_span(w);
		}
	}
	rc = update(space, spans, n, err);
	for (size_t i = 0; rc >= 0 && i < space->ndevs; i++)
		space->devs[i].generation = space->devs[i].asked;
	free(spans);
	return rc;
}

int fm_space_refresh(struct fm_space *space, struct fm_error *err)
{
	int rc;

	pthread_mutex_lock(&space->writer);
	if (space->depth)
		rc = fm_error_set(err, FM_ERR_STATE, 0,
				  "%s: refresh inside a transaction, expected it after the commit",
				  space->name);
	else
		rc = refresh(space, err);
	pthread_mutex_unlock(&space->writer);
	return rc;
}
