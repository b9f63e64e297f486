/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port: accesses through the current view, without a lock. A port says in its hazard which view it
 * is about to use and looks again: if the view is still the current one, whoever retires it later
 * sees the hazard and waits with freeing it.
 */
#include "devices/space_private.h"

#include "devices/bytes.h"
#include "devices/device_private.h"
#include "devices/guestmem.h"

#include <firmem/block.h>
#include <firmem/dirty.h>

#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64u

int fm_port_new(struct fm_port **out, struct fm_space *space, struct fm_error *err)
{
	/* On lines of its own: its hazard is written at each access. */
	size_t bytes = fmi_align_up(sizeof(struct fm_port), CACHE_LINE);
	struct fm_port *port = aligned_alloc(CACHE_LINE, bytes);

	if (!port)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory for a port",
				    space->name);
	memset(port, 0, bytes);
	port->space = space;
	atomic_init(&port->hazard, NULL);
	pthread_mutex_lock(&space->lock);
	port->next = space->ports;
	if (port->next)
		port->next->prev = port;
	space->ports = port;
	pthread_mutex_unlock(&space->lock);
	*out = port;
	return 0;
}

void fm_port_free(struct fm_port *port)
{
	struct fm_space *space;

	if (!port)
		return;
	space = port->space;
	pthread_mutex_lock(&space->lock);
	if (port->next)
		port->next->prev = port->prev;
	if (port->prev)
		port->prev->next = port->next;
	else
		space->ports = port->next;
	pthread_mutex_unlock(&space->lock);
	free(port);
}

/* --- one access -------------------------------------------------------------------------- */

/* NULL where the port is in an access already: a device reached back through it. */
static inline const struct fm_view *enter(struct fm_port *port)
{
	struct fm_view *view = atomic_load_explicit(&port->space->view, memory_order_relaxed);

	if (atomic_load_explicit(&port->hazard, memory_order_relaxed))
		return NULL;
	for (;;) {
		struct fm_view *again;

		/* Sequentially consistent, both: the store must be seen before we look again. */
		atomic_store(&port->hazard, view);
		again = atomic_load(&port->space->view);
		if (again == view)
			return view;
		view = again;
	}
}

static inline void leave(struct fm_port *port)
{
	atomic_store_explicit(&port->hazard, NULL, memory_order_release);
}

static inline const struct fm_range *lookup(struct fm_port *port, const struct fm_view *view,
					    uint64_t gpa)
{
	const struct fm_range *r = port->hit;

	if (port->hit_serial == view->serial && gpa - r->gpa < r->len)
		return r;
	r = fm_view_find(view, gpa);
	if (r) {
		port->hit = r;
		port->hit_serial = view->serial;
	}
	return r;
}

/* Bytes from `gpa` to the end of the range. */
static inline uint64_t left_in(const struct fm_range *r, uint64_t gpa)
{
	return r->len - (gpa - r->gpa);
}

/*
 * Only what can never turn into something else is touched in place: the mode of a flash may have
 * changed since the view was made, so its array is read through the device.
 */
static inline bool direct(const struct fm_range *r, unsigned prot)
{
	return (r->flags & FM_MAP_STABLE) && (r->prot & prot);
}

static inline unsigned read_in(const struct fm_port *port, const struct fm_range *r, uint64_t gpa,
			       unsigned size, uint64_t *value, struct fm_attrs attrs)
{
	uint64_t at = gpa - r->gpa;
	unsigned effects;

	if (direct(r, FM_MAP_READ)) {
		*value = fmi_mem_read(r->host + at, size);
		return 0;
	}
	if (!(port->space->flags & FM_SPACE_LOCK_DEVICES))
		return fm_dev_read(r->dev, r->dev_off + at, size, value, attrs);
	if (!fmi_dev_lock(r->dev)) {
		*value = fmi_size_mask(size);
		return FM_EFF_FAULT;
	}
	effects = fm_dev_read(r->dev, r->dev_off + at, size, value, attrs);
	fm_dev_unlock(r->dev);
	return effects;
}

/* Bytes first, mark afterwards: a harvest that takes the mark finds the bytes. */
static inline unsigned mark(const struct fm_range *r, uint64_t at, uint64_t len)
{
	return fm_dirty_mark(fm_block_dirty(r->block), r->block_off + at, len) ? FM_EFF_DIRTY : 0;
}

static inline unsigned write_in(const struct fm_port *port, const struct fm_range *r, uint64_t gpa,
				unsigned size, uint64_t value, struct fm_attrs attrs)
{
	uint64_t at = gpa - r->gpa;
	unsigned effects;

	if (direct(r, FM_MAP_WRITE)) {
		fmi_mem_write(r->host + at, size, value);
		return mark(r, at, size);
	}
	if (!(port->space->flags & FM_SPACE_LOCK_DEVICES))
		return fm_dev_write(r->dev, r->dev_off + at, size, value, attrs);
	if (!fmi_dev_lock(r->dev))
		return FM_EFF_FAULT;
	effects = fm_dev_write(r->dev, r->dev_off + at, size, value, attrs);
	fm_dev_unlock(r->dev);
	return effects;
}

/* --- any number of bytes ------------------------------------------------------------------ */

/* The widest naturally aligned access at `off` within `len` bytes. */
static unsigned piece_size(uint64_t off, uint64_t len)
{
	unsigned size = 8;

	while (size > len || off % size)
		size /= 2;
	return size;
}

static unsigned read_part(const struct fm_port *port, const struct fm_range *r, uint64_t gpa,
			  uint8_t *buf, size_t len, struct fm_attrs attrs)
{
	unsigned effects = 0;

	if (direct(r, FM_MAP_READ)) {
		fmi_mem_copy_out(buf, r->host + (gpa - r->gpa), len);
		return 0;
	}
	for (size_t done = 0; done < len;) {
		unsigned size = piece_size(r->dev_off + (gpa + done - r->gpa), len - done);
		uint64_t value;

		effects |= read_in(port, r, gpa + done, size, &value, attrs);
		fmi_le_store(buf + done, size, value);
		done += size;
	}
	return effects;
}

static unsigned write_part(const struct fm_port *port, const struct fm_range *r, uint64_t gpa,
			   const uint8_t *buf, size_t len, struct fm_attrs attrs)
{
	unsigned effects = 0;

	if (direct(r, FM_MAP_WRITE)) {
		fmi_mem_copy_in(r->host + (gpa - r->gpa), buf, len);
		return mark(r, gpa - r->gpa, len);
	}
	for (size_t done = 0; done < len;) {
		unsigned size = piece_size(r->dev_off + (gpa + done - r->gpa), len - done);

		effects |=
			write_in(port, r, gpa + done, size, fmi_le_load(buf + done, size), attrs);
		done += size;
	}
	return effects;
}

static unsigned read_all(struct fm_port *port, const struct fm_view *view, uint64_t gpa,
			 uint8_t *buf, size_t len, struct fm_attrs attrs)
{
	unsigned effects = 0;

	for (size_t n; len; len -= n, gpa += n, buf += n) {
		const struct fm_range *r = lookup(port, view, gpa);

		if (r) {
			n = (size_t)fmi_min_u64(len, left_in(r, gpa));
			effects |= read_part(port, r, gpa, buf, n, attrs);
		} else {
			n = (size_t)fmi_view_gap(view, gpa, len);
			memset(buf, 0xff, n);
			effects |= FM_EFF_FAULT;
		}
	}
	return effects;
}

static unsigned write_all(struct fm_port *port, const struct fm_view *view, uint64_t gpa,
			  const uint8_t *buf, size_t len, struct fm_attrs attrs)
{
	unsigned effects = 0;

	for (size_t n; len; len -= n, gpa += n, buf += n) {
		const struct fm_range *r = lookup(port, view, gpa);

		if (r) {
			n = (size_t)fmi_min_u64(len, left_in(r, gpa));
			effects |= write_part(port, r, gpa, buf, n, attrs);
		} else {
			n = (size_t)fmi_view_gap(view, gpa, len);
			effects |= FM_EFF_FAULT;
		}
	}
	return effects;
}

/* --- public ------------------------------------------------------------------------------ */

unsigned fm_port_read(struct fm_port *port, uint64_t gpa, unsigned size, uint64_t *value,
		      struct fm_attrs attrs)
{
	const struct fm_view *view;
	const struct fm_range *r;
	unsigned effects;

	if (!fmi_is_access_size(size)) {
		*value = UINT64_MAX;
		return FM_EFF_FAULT;
	}
	view = enter(port);
	if (!view) {
		*value = fmi_size_mask(size);
		return FM_EFF_FAULT;
	}
	r = lookup(port, view, gpa);
	if (r && left_in(r, gpa) >= size) {
		effects = read_in(port, r, gpa, size, value, attrs);
	} else if (fmi_wraps(gpa, size)) {
		*value = fmi_size_mask(size);
		effects = FM_EFF_FAULT;
	} else {
		uint8_t bytes[8];

		effects = read_all(port, view, gpa, bytes, size, attrs);
		*value = fmi_le_load(bytes, size);
	}
	leave(port);
	return effects;
}

unsigned fm_port_write(struct fm_port *port, uint64_t gpa, unsigned size, uint64_t value,
		       struct fm_attrs attrs)
{
	const struct fm_view *view;
	const struct fm_range *r;
	unsigned effects;

	if (!fmi_is_access_size(size))
		return FM_EFF_FAULT;
	view = enter(port);
	if (!view)
		return FM_EFF_FAULT;
	r = lookup(port, view, gpa);
	if (r && left_in(r, gpa) >= size) {
		effects = write_in(port, r, gpa, size, value, attrs);
	} else if (fmi_wraps(gpa, size)) {
		effects = FM_EFF_FAULT;
	} else {
		uint8_t bytes[8];

		fmi_le_store(bytes, size, value);
		effects = write_all(port, view, gpa, bytes, size, attrs);
	}
	leave(port);
	return effects;
}

unsigned fm_port_read_bytes(struct fm_port *port, uint64_t gpa, void *buf, size_t len,
			    struct fm_attrs attrs)
{
	const struct fm_view *view = fmi_wraps(gpa, len) ? NULL : enter(port);
	unsigned effects;

	if (!view) {
		memset(buf, 0xff, len);
		return FM_EFF_FAULT;
	}
	effects = read_all(port, view, gpa, buf, len, attrs);
	leave(port);
	return effects;
}

unsigned fm_port_write_bytes(struct fm_port *port, uint64_t gpa, const void *buf, size_t len,
			     struct fm_attrs attrs)
{
	const struct fm_view *view = fmi_wraps(gpa, len) ? NULL : enter(port);
	unsigned effects;

	if (!view)
		return FM_EFF_FAULT;
	effects = write_all(port, view, gpa, buf, len, attrs);
	leave(port);
	return effects;
}
