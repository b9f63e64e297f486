/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/device_private.h"

void fm_dev_subscribe(struct fm_dev *dev, struct fm_medium_sub *sub)
{
	struct fm_medium_sub **at = &dev->subs;

	/* One that is in the list already would close it to a ring. */
	for (; *at; at = &(*at)->next) {
		if (*at == sub)
			return;
	}
	sub->next = NULL;
	*at = sub;
}

void fm_dev_unsubscribe(struct fm_dev *dev, struct fm_medium_sub *sub)
{
	for (struct fm_medium_sub **at = &dev->subs; *at; at = &(*at)->next) {
		if (*at == sub) {
			*at = sub->next;
			sub->next = NULL;
			return;
		}
	}
}

bool fm_medium_listening(const struct fm_dev *dev)
{
	return dev->subs || dev->trace;
}

unsigned fm_medium_emit(struct fm_dev *dev, const struct fm_medium_op *op)
{
	unsigned effects = 0;

	for (struct fm_medium_sub *sub = dev->subs; sub; sub = sub->next)
		effects |= sub->op(sub->ctx, op);
	if (dev->trace)
		fm_trace_emit(dev, (struct fm_trace_event){
					   .kind = FM_TRACE_MEDIUM,
					   .off = op->off,
					   .size = op->len,
					   .value = op->changed,
					   .text = fm_medium_kind_name(op->kind),
				   });
	return effects;
}

const char *fm_medium_kind_name(enum fm_medium_kind kind)
{
	switch (kind) {
	case FM_MEDIUM_PROGRAM:
		return "program";
	case FM_MEDIUM_ERASE:
		return "erase";
	case FM_MEDIUM_STORE:
		return "store";
	case FM_MEDIUM_FLUSH:
		return "flush";
	case FM_MEDIUM_FENCE:
		return "fence";
	case FM_MEDIUM_LABEL:
		return "label";
	}
	return "unknown";
}
