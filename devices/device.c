/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/device_private.h"

#include "devices/bytes.h"
#include "devices/config.h"
#include "devices/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int check_ops(struct fm_dev_ops *out, const struct fm_dev_ops *ops, struct fm_error *err)
{
	int rc = fmi_config_copy(out, sizeof(*out), ops, "fm_dev_ops", err);

	if (rc)
		return rc;
	if (!out->type || !*out->type)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_dev_ops.type is missing");
	if (out->max_access && !fmi_is_access_size(out->max_access))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_dev_ops.max_access is %u, expected 1, 2, 4, 8 or 0 for 8",
				    out->max_access);
	return 0;
}

int fm_dev_new(struct fm_dev **out, const struct fm_dev_ops *ops, void *state,
	       const struct fm_dev_config *cfg, struct fm_error *err)
{
	struct fm_dev_config c;
	struct fm_dev_ops verbs;
	pthread_mutexattr_t attr;
	struct fm_dev *dev;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_dev_config", err);

	if (rc)
		return rc;
	rc = check_ops(&verbs, ops, err);
	if (rc)
		return rc;
	if (!c.name || !*c.name || strlen(c.name) >= FMI_NAME_MAX)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_dev_config.name is \"%.80s\", expected 1 to %u bytes",
				    c.name ? c.name : "", FMI_NAME_MAX - 1);
	if (!c.len)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: fm_dev_config.len is 0, expected at least 1 byte", c.name);
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", c.name);
	dev->ops = verbs;
	dev->ops_id = ops;
	dev->state = state;
	dev->len = c.len;
	dev->max_access = verbs.max_access ? verbs.max_access : 8;
	fmi_dev_set_straight(dev);
	dev->event_fd = -1;
	memcpy(dev->name, c.name, strlen(c.name) + 1);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&dev->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_mutex_init(&dev->event_lock, NULL);
	*out = dev;
	return 0;
}

void fm_dev_free(struct fm_dev *dev)
{
	if (!dev)
		return;
	if (dev->ops.free)
		dev->ops.free(dev->state);
	if (dev->event_fd >= 0)
		close(dev->event_fd);
	pthread_mutex_destroy(&dev->event_lock);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}

const char *fm_dev_name(const struct fm_dev *dev)
{
	return dev->name;
}

const char *fm_dev_type(const struct fm_dev *dev)
{
	return dev->ops.type;
}

uint64_t fm_dev_len(const struct fm_dev *dev)
{
	return dev->len;
}

void *fm_dev_state(const struct fm_dev *dev, const struct fm_dev_ops *ops)
{
	return dev->ops_id == ops ? dev->state : NULL;
}

void fm_dev_lock(struct fm_dev *dev)
{
	pthread_mutex_lock(&dev->lock);
}

bool fmi_dev_lock(struct fm_dev *dev)
{
	return pthread_mutex_lock(&dev->lock) == 0;
}

void fm_dev_unlock(struct fm_dev *dev)
{
	pthread_mutex_unlock(&dev->lock);
}

/* Count a change of the mapping, so that every space finds out. */
static inline unsigned note(struct fm_dev *dev, unsigned effects)
{
	if (fmi_rarely(effects & FM_EFF_REMAP))
		atomic_fetch_add_explicit(&dev->map_generation, 1, memory_order_release);
	return effects;
}

/* --- accesses: the way of every one that is not mapped, so short --------------------------------- */

void fmi_dev_set_straight(struct fm_dev *dev)
{
	dev->straight = 0;
	if (dev->trace || !dev->ops.read || !dev->ops.write)
		return;
	for (unsigned size = 1; size <= dev->max_access && size <= dev->len; size *= 2)
		dev->straight |= 1u << size;
}

static inline bool goes_straight(const struct fm_dev *dev, uint64_t off, unsigned size)
{
	return size <= 8 && (dev->straight >> size & 1) && off <= dev->len - size;
}

static bool bad_access(const struct fm_dev *dev, uint64_t off, unsigned size)
{
	return !fmi_is_access_size(size) || !fmi_in_range(off, size, dev->len);
}

/* An access is wider than the device takes, or traced, or bad. */
static __attribute__((noinline)) unsigned read_slowly(struct fm_dev *dev, uint64_t off,
						      unsigned size, uint64_t *value,
						      struct fm_attrs attrs)
{
	unsigned step = size < dev->max_access ? size : dev->max_access;
	unsigned effects = 0;

	if (bad_access(dev, off, size)) {
		*value = fmi_is_access_size(size) ? fmi_size_mask(size) : UINT64_MAX;
		return FM_EFF_FAULT;
	}
	*value = 0;
	for (unsigned done = 0; dev->ops.read && done < size; done += step) {
		uint64_t part = 0;

		effects |= dev->ops.read(dev->state, off + done, step, &part, attrs);
		*value |= (part & fmi_size_mask(step)) << (8 * done);
	}
	if (dev->trace && !attrs.debug)
		fm_trace_emit(dev, (struct fm_trace_event){ .kind = FM_TRACE_READ,
							    .off = off,
							    .size = size,
							    .value = *value });
	return note(dev, effects);
}

static __attribute__((noinline)) unsigned write_slowly(struct fm_dev *dev, uint64_t off,
						       unsigned size, uint64_t value,
						       struct fm_attrs attrs)
{
	unsigned step = size < dev->max_access ? size : dev->max_access;
	unsigned effects = 0;

	if (bad_access(dev, off, size))
		return FM_EFF_FAULT;
	if (dev->trace && !attrs.debug)
		fm_trace_emit(dev, (struct fm_trace_event){ .kind = FM_TRACE_WRITE,
							    .off = off,
							    .size = size,
							    .value = value & fmi_size_mask(size) });
	for (unsigned done = 0; dev->ops.write && done < size; done += step)
		effects |= dev->ops.write(dev->state, off + done, step,
					  value >> (8 * done) & fmi_size_mask(step), attrs);
	return note(dev, effects);
}

/* The bits of an access of so many bytes. */
static const uint64_t masks[9] = {
	[1] = UINT8_MAX, [2] = UINT16_MAX, [4] = UINT32_MAX, [8] = UINT64_MAX
};

unsigned fm_dev_read(struct fm_dev *dev, uint64_t off, unsigned size, uint64_t *value,
		     struct fm_attrs attrs)
{
	unsigned effects;

	if (fmi_rarely(!goes_straight(dev, off, size)))
		return read_slowly(dev, off, size, value, attrs);
	*value = 0;
	effects = dev->ops.read(dev->state, off, size, value, attrs);
	*value &= masks[size];
	return note(dev, effects);
}

unsigned fm_dev_write(struct fm_dev *dev, uint64_t off, unsigned size, uint64_t value,
		      struct fm_attrs attrs)
{
	if (fmi_rarely(!goes_straight(dev, off, size)))
		return write_slowly(dev, off, size, value, attrs);
	return note(dev, dev->ops.write(dev->state, off, size, value & masks[size], attrs));
}

int fm_dev_map(struct fm_dev *dev, uint64_t off, struct fm_mapping *out)
{
	struct fm_mapping m = { 0 };

	if (off >= dev->len)
		return FM_ERR_RANGE;
	if (dev->ops.map)
		dev->ops.map(dev->state, off, &m);
	if (!m.len) /* nothing said: one run that always traps */
		m = (struct fm_mapping){ .off = 0, .len = dev->len };
	*out = m;
	return 0;
}

uint64_t fm_dev_map_generation(const struct fm_dev *dev)
{
	return atomic_load_explicit(&dev->map_generation, memory_order_acquire);
}

unsigned fm_dev_tick(struct fm_dev *dev, uint64_t now_ns)
{
	return dev->ops.tick ? note(dev, dev->ops.tick(dev->state, now_ns)) : 0;
}

uint64_t fm_dev_next_deadline_ns(struct fm_dev *dev)
{
	return dev->ops.next_deadline_ns ? dev->ops.next_deadline_ns(dev->state) : FM_NEVER;
}

unsigned fm_dev_pump(struct fm_dev *dev)
{
	return dev->ops.pump ? note(dev, dev->ops.pump(dev->state)) : 0;
}

int fm_dev_flush(struct fm_dev *dev, struct fm_error *err)
{
	return dev->ops.flush ? dev->ops.flush(dev->state, err) : 0;
}

unsigned fm_dev_reset(struct fm_dev *dev, enum fm_reset_kind kind)
{
	if (dev->trace)
		fm_trace_emit(dev, (struct fm_trace_event){ .kind = FM_TRACE_RESET,
							    .size = dev->len,
							    .value = kind });
	return dev->ops.reset ? note(dev, dev->ops.reset(dev->state, kind)) : 0;
}

int fm_dev_sanitize(struct fm_dev *dev, struct fm_error *err)
{
	int rc;

	if (!dev->ops.sanitize)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: a %s device has no contents to sanitize", dev->name,
				    dev->ops.type);
	rc = dev->ops.sanitize(dev->state, err);
	note(dev, FM_EFF_REMAP);
	return rc;
}

int fm_dev_save(struct fm_dev *dev, void **out, size_t *len, struct fm_error *err)
{
	struct fm_state_writer w;

	if (!dev->ops.save)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: a %s device has no state to save", dev->name,
				    dev->ops.type);
	fmi_state_begin(&w, dev->ops.type, dev->ops.version);
	dev->ops.save(dev->state, &w);
	return fmi_state_end(&w, out, len, err);
}

int fm_dev_load(struct fm_dev *dev, const void *bytes, size_t len, struct fm_error *err)
{
	struct fm_state_reader r;
	int rc;

	if (!dev->ops.load)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: a %s device has no state to load", dev->name,
				    dev->ops.type);
	rc = fmi_state_open(&r, bytes, len, dev->name, dev->ops.type, dev->ops.version, err);
	if (!rc)
		rc = dev->ops.load(dev->state, &r, err);
	if (!rc)
		note(dev, FM_EFF_REMAP);
	return rc;
}

void fm_dev_describe(struct fm_dev *dev, const struct fm_visitor *v)
{
	v->text(v->ctx, "name", dev->name);
	v->text(v->ctx, "type", dev->ops.type);
	v->u64(v->ctx, "len", dev->len);
	if (dev->ops.describe)
		dev->ops.describe(dev->state, v);
}

int fm_dev_event_fd(struct fm_dev *dev)
{
	int fd;

	pthread_mutex_lock(&dev->event_lock);
	if (dev->event_fd < 0)
		dev->event_fd =
			eventfd(atomic_load(&dev->pending) ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
	fd = dev->event_fd;
	pthread_mutex_unlock(&dev->event_lock);
	return fd;
}

unsigned fm_dev_pending(struct fm_dev *dev)
{
	unsigned effects;

	pthread_mutex_lock(&dev->event_lock);
	effects = atomic_exchange(&dev->pending, 0);
	if (dev->event_fd >= 0) {
		eventfd_t count;

		eventfd_read(dev->event_fd, &count);
	}
	pthread_mutex_unlock(&dev->event_lock);
	return effects;
}

int fm_dev_error(struct fm_dev *dev, struct fm_error *err)
{
	int code;

	pthread_mutex_lock(&dev->event_lock);
	code = dev->error.code;
	if (code && err)
		*err = dev->error;
	pthread_mutex_unlock(&dev->event_lock);
	return code;
}

void fm_dev_raise(struct fm_dev *dev, unsigned effects, const struct fm_error *error)
{
	note(dev, effects); /* first: whoever wakes up must find it */
	pthread_mutex_lock(&dev->event_lock);
	/* The first error is the one to explain what follows. */
	if (error && !dev->error.code)
		dev->error = *error;
	atomic_fetch_or(&dev->pending, effects);
	if (effects && dev->event_fd >= 0)
		eventfd_write(dev->event_fd, 1);
	pthread_mutex_unlock(&dev->event_lock);
}

void fm_dev_clear_error(struct fm_dev *dev)
{
	pthread_mutex_lock(&dev->event_lock);
	memset(&dev->error, 0, sizeof(dev->error));
	pthread_mutex_unlock(&dev->event_lock);
}
