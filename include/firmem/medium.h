/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * medium: the stream of operations that change non-volatile state. One stream per device feeds
 * write-behind, wear counters, traces and the power-cut explorer; with no subscriber it costs
 * one branch.
 */
#ifndef FIRMEM_MEDIUM_H
#define FIRMEM_MEDIUM_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_dev;

enum fm_medium_kind {
	FM_MEDIUM_PROGRAM = 1, /* flash: bits go from 1 to 0 */
	FM_MEDIUM_ERASE,       /* flash: [off, off + len) is a whole block, every byte becomes FF */
	FM_MEDIUM_STORE,       /* persistent memory: bytes written, not yet durable */
	FM_MEDIUM_FLUSH,       /* persistent memory: [off, off + len) on its way to the medium */
	FM_MEDIUM_FENCE,       /* persistent memory: every flush before it is durable */
	FM_MEDIUM_LABEL,       /* label area: bytes written, durable when the call returns */
};

/*
 * One operation, told right after the device's memory shows its outcome and before the guest can
 * see it complete. `data` is what the medium now holds at [off, off + len), valid during the call
 * only; NULL for erase, flush and fence. Where only some of a flash bank's interleaved chips erase
 * their part of a block, that is told as a store of the whole block: not all of it becomes FF.
 */
struct fm_medium_op {
	enum fm_medium_kind kind;
	struct fm_dev *dev;
	uint64_t off; /* bytes, within the device */
	uint64_t len; /* bytes; 0 for a fence */
	const uint8_t *data;
	bool changed; /* false when the medium held just these bytes before */
};

/* A subscriber. Owned by the subscriber, and in place until it is unsubscribed. */
struct fm_medium_sub {
	/* Runs on the accessing thread, must not call the device. Returns effects to add. */
	unsigned (*op)(void *ctx, const struct fm_medium_op *op);
	void *ctx;
	struct fm_medium_sub *next; /* the library's */
};

/*
 * Subscribers hear operations in the order of their subscription. A second subscription does nothing.
 * With the device locked.
 */
FM_API void fm_dev_subscribe(struct fm_dev *dev, struct fm_medium_sub *sub);
/* Not subscribed is fine. */
FM_API void fm_dev_unsubscribe(struct fm_dev *dev, struct fm_medium_sub *sub);

/* For devices: tell the subscribers. Returns the effects they add; 0 when nobody listens. */
FM_API unsigned fm_medium_emit(struct fm_dev *dev, const struct fm_medium_op *op);
/* For devices: is there a subscriber at all? */
FM_API bool fm_medium_listening(const struct fm_dev *dev);

/* "program", "erase", ...; never NULL. */
FM_API const char *fm_medium_kind_name(enum fm_medium_kind kind);

#ifdef __cplusplus
}
#endif

#endif
