/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/device_private.h"

#include <inttypes.h>
#include <stdio.h>

void fm_dev_set_trace(struct fm_dev *dev, fm_trace_fn *fn, void *ctx)
{
	dev->trace = fn;
	dev->trace_ctx = ctx;
	fmi_dev_set_straight(dev);
}

bool fm_trace_on(const struct fm_dev *dev)
{
	return dev->trace;
}

void fm_trace_emit(struct fm_dev *dev, struct fm_trace_event event)
{
	if (!dev->trace)
		return;
	event.dev = dev;
	dev->trace(dev->trace_ctx, &event);
}

const char *fm_trace_kind_name(enum fm_trace_kind kind)
{
	switch (kind) {
	case FM_TRACE_READ:
		return "read";
	case FM_TRACE_WRITE:
		return "write";
	case FM_TRACE_COMMAND:
		return "command";
	case FM_TRACE_MODE:
		return "mode";
	case FM_TRACE_IGNORED:
		return "ignored";
	case FM_TRACE_MISUSE:
		return "misuse";
	case FM_TRACE_HOST_ERROR:
		return "host-error";
	case FM_TRACE_MEDIUM:
		return "medium";
	case FM_TRACE_RESET:
		return "reset";
	}
	return "unknown";
}

int fm_trace_format(const struct fm_trace_event *event, char *buf, size_t len)
{
	return snprintf(
		buf, len, "%s %s off 0x%" PRIx64 " size %" PRIu64 " value 0x%" PRIx64 "%s%s",
		event->dev ? event->dev->name : "-", fm_trace_kind_name(event->kind), event->off,
		event->size, event->value, event->text ? " " : "", event->text ? event->text : "");
}
