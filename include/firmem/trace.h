/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace: typed events of a device for a human or a test to read. Without a listener an event
 * costs one branch.
 */
#ifndef FIRMEM_TRACE_H
#define FIRMEM_TRACE_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_dev;

enum fm_trace_kind {
	FM_TRACE_READ = 1,   /* a guest read: off, size, value */
	FM_TRACE_WRITE,      /* a guest write: off, size, value */
	FM_TRACE_COMMAND,    /* a device understood a command: off, value = code, text = its name */
	FM_TRACE_MODE,       /* a device entered a mode: text = its name */
	FM_TRACE_IGNORED,    /* an access had no effect: text = why */
	FM_TRACE_MISUSE,     /* the guest broke the device's protocol: text = how */
	FM_TRACE_HOST_ERROR, /* a host file failed: value = errno, text = what was tried */
	FM_TRACE_MEDIUM,     /* a medium operation: off, size = length, text = its kind */
	FM_TRACE_RESET,      /* the device was reset: value = enum fm_reset_kind */
};

struct fm_trace_event {
	enum fm_trace_kind kind;
	struct fm_dev *dev;
	uint64_t off;  /* bytes, within the device */
	uint64_t size; /* bytes */
	uint64_t value;
	const char *text; /* static string, or NULL */
};

/* Runs on the accessing thread; must not call the device. */
typedef void fm_trace_fn(void *ctx, const struct fm_trace_event *event);

/* Set the device's only listener; NULL turns tracing off. With the device locked. */
FM_API void fm_dev_set_trace(struct fm_dev *dev, fm_trace_fn *fn, void *ctx);

/* For devices: is anyone listening? Ask before gathering what an event needs. */
FM_API bool fm_trace_on(const struct fm_dev *dev);
/* For devices: tell the listener, if any. event->dev is filled in. */
FM_API void fm_trace_emit(struct fm_dev *dev, struct fm_trace_event event);

/* "write", "misuse", ...; never NULL. */
FM_API const char *fm_trace_kind_name(enum fm_trace_kind kind);

/*
 * One line of text without a newline: "NAME write  off 0x40 size 4 value 0x00ff00ff". Always
 * ends in NUL; returns the length it would have had, as snprintf does.
 */
FM_API int fm_trace_format(const struct fm_trace_event *event, char *buf, size_t len);

#ifdef __cplusplus
}
#endif

#endif
